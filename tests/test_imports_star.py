"""Imports form a star: a stage imports `sidamo.io` and nothing of another stage. Read from the source, by ast.

The table is that of DESIGN ("The rooms"), with the libraries that constraints.txt and CONTRIBUTING name for each room.
"""

import ast
import configparser
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pylib" / "sidamo"

# Room to the libraries that it may import, besides the standard library, sidamo.io and itself.
ROOMS = {
    "io": {"numpy", "kaldiio", "soundfile", "numba", "llvmlite"},  # llvmlite is a part of numba
    "feats": {"numpy", "scipy", "soundfile", "numba", "llvmlite"},
    "lang": {"numpy", "numba", "pynini", "pywrapfst", "_pywrapfst", "sentencepiece"},  # the last one is optional
    "am": {"numpy", "numba", "torch", "tqdm", "onnx", "onnxruntime", "onnxscript"},  # the last three are optional
    "decode": {"numpy", "numba", "llvmlite", "tqdm"},
    "lattice": {"numpy", "numba"},
    "score": {"numpy", "numba", "scipy"},
    "report": {"numpy"},
    "bin": {"numpy", "tqdm"},
}
STAGES = set(ROOMS) - {"io", "bin"}
# Kaldi's latgen-faster hands its raw lattice to determinization before it writes; the two meet in the tool alone.
FRONTS_TWO = {"latgen_faster": {"decode", "lattice"}, "decode_stream": {"am", "decode", "feats"}}
# Measured against, or used as oracles by tests; never a part of the running system.
PEERS = {
    "kaldi_decoder", "kaldi_native_fbank", "kaldifst", "kaldi_hmm_gmm", "jiwer", "kenlm", "k2", "torchaudio", "librosa",
    "whisper", "speechbrain", "espnet", "lhotse", "kaldi_io", "kaldifeat", "sox", "pytest",
}  # fmt: skip


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def absolute(path, node):
    """The name of the module that a ``from ... import`` means, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = ["sidamo", *path.relative_to(PACKAGE).parts[:-1]]
    base = package[: len(package) - node.level + 1]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports(path):
    """Yield (line, full name) of everything a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            for alias in node.names:
                # "from sidamo import decode" and "from sidamo.io import fst" name modules too.
                yield node.lineno, f"{base}.{alias.name}" if base.split(".")[0] == "sidamo" else base
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in (
            "import_module", "__import__",
        ):  # fmt: skip
            if node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value)


def rooms_in_front(path):
    """The stages that a tool of sidamo.bin imports: one, and with it what that stage may import."""
    names = [name.split(".") for _, name in imports(path)]
    return {parts[1] for parts in names if parts[0] == "sidamo" and len(parts) > 1} & STAGES


def faults_of(path):
    room = room_of(path)
    fronts = rooms_in_front(path) if room == "bin" else set()
    libraries = ROOMS.get(room, set()).union(*(ROOMS[front] for front in fronts))
    if len(fronts) > 1 and fronts != FRONTS_TWO.get(path.stem):
        yield f"{path.relative_to(ROOT)}: a tool fronts one package, this one {', '.join(sorted(fronts))}"
    for line, name in imports(path):
        top, _, rest = name.partition(".")
        place = f"{path.relative_to(ROOT)}:{line}"
        if top in PEERS:
            yield f"{place}: {top} is a peer: for tests and benchmarks only"
        elif top == "sidamo":
            other = rest.split(".")[0]
            if other in ROOMS and other not in {"io", room} | fronts:
                yield f"{place}: {room} imports sidamo.{other}; stages meet through files (DESIGN, 'The rooms')"
            if room == "io" and other not in ("io", ""):
                yield f"{place}: io imports sidamo.{other}; everything imports io, and io nothing"
        elif top and top not in sys.stdlib_module_names and top not in libraries:
            yield f"{place}: {room} imports {top}; allowed are {', '.join(sorted(libraries))}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_what_its_room_may(path):
    assert list(faults_of(path)) == []


def test_every_room_of_the_table_exists():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(ROOMS)


def test_scripts_of_the_running_system_import_no_peer():
    for room in ("utils", "steps", "local", "egs"):
        for path in (ROOT / room).rglob("*.py"):
            if not any(part in ("data", "exp", "downloads") for part in path.relative_to(ROOT / room).parts[1:-1]):
                names = {name.split(".")[0] for _, name in imports(path)}
                assert not names & PEERS, f"{path} imports {names & PEERS}"


def heavy_at_module_level(path):
    """What a module imports at its top level (not inside functions)."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", sorted((PACKAGE / "bin").glob("*.py")), ids=lambda path: path.name)
def test_a_tool_starts_fast(path):
    """Its --help must not wait for torch, scipy or a compiler: these are imported when the work begins."""
    slow = {"torch", "scipy", "numba", "pynini", "pywrapfst", "matplotlib", "kaldiio", "soundfile", "tqdm"}
    assert not slow & set(heavy_at_module_level(path))


def console_scripts():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["console_scripts"].strip().splitlines()
    return dict(map(str.strip, line.split("=", 1)) for line in lines if "=" in line)


def test_every_console_script_has_its_module():
    for tool, target in console_scripts().items():
        module, _, function = target.partition(":")
        assert function == "main", f"setup.cfg: {tool}: expected ...:main, got {target}"
        path = ROOT / "pylib" / (module.replace(".", "/") + ".py")
        assert path.is_file(), f"setup.cfg: {tool} = {target}, but there is no {path.relative_to(ROOT)}"
        names = {node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        assigned = {t.id for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)
                    for t in node.targets if isinstance(t, ast.Name)}  # fmt: skip
        assert "main" in names | assigned, f"{path.relative_to(ROOT)} has no main"


def test_every_tool_module_is_a_console_script_or_called_by_a_script():
    """A module of sidamo.bin is a console script, or some script runs it with ``python -m``."""
    known = {target.partition(":")[0] for target in console_scripts().values()}
    scripts = [path for room in ("utils", "steps", "local", "egs") for path in (ROOT / room).rglob("*.sh")]
    scripts += [path for room in ("utils", "steps", "local", "egs") for path in (ROOT / room).rglob("*.py")]
    texts = "\n".join(path.read_text() for path in scripts if not {"exp", "downloads"} & set(path.parts))
    for path in (PACKAGE / "bin").glob("[!_]*.py"):
        module = f"sidamo.bin.{path.stem}"
        assert module in known or module in texts, f"{module} is neither in setup.cfg nor called by any script"
