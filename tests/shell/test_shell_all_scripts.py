"""Every script of steps/, utils/, local/ and egs/: strict mode, help from its header, bad options refused by name.

The scripts are found, not listed: a new one is tested from its first day.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCED = {"path.sh", "cmd.sh", "parse_options.sh", "stages.sh"}  # never run: they have no command line
FILTERS = {"wer_output_filter", "wer_ref_filter", "wer_hyp_filter"}  # hooks that read lines and take no options
ANY_OPTION = {"run.py"}  # a grid engine's configuration may define any option, so that an unknown one is a warning
HELP_SECONDS = 4.0  # on a loaded machine; a tenth of it on an idle one


def tracked_files():
    """Files that git knows, or all if this is no checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode == 0 and done.stdout:
        return [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in ROOT.rglob("*") if ".venv" not in path.parts]


def is_script(path):
    if path.is_symlink() or not path.is_file() or path.suffix not in (".sh", ".py", ""):
        return False
    with open(path, "rb") as file:
        return path.suffix == ".sh" or file.read(2) == b"#!"


def find_scripts():
    rooms = [ROOT / name for name in ("steps", "utils", "local", "egs")]
    found = [path for path in tracked_files() if any(room in path.parents for room in rooms) and is_script(path)]
    return sorted(str(path.relative_to(ROOT)) for path in found)


SCRIPTS = find_scripts()
COMMANDS = [name for name in SCRIPTS if pathlib.Path(name).name not in SOURCED | FILTERS]


def run_script(name, *arguments, cwd=ROOT):
    environment = dict(os.environ, PATH=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    return subprocess.run(
        [ROOT / name, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


def has_parse_options(name):
    return "parse_options.sh" in (ROOT / name).read_text() and name.endswith(".sh")


def has_options(name):
    """Whether it takes more options than --help, as far as its text shows."""
    text = (ROOT / name).read_text()
    return has_parse_options(name) or "script.parse(" in text or "argparse" in text or "argument_parser" in text


def hands_over(name):
    """Whether all it does is to call another script, whose help it then shows."""
    return bool(re.search(r'^exec .*\.sh" .*"\$@"', (ROOT / name).read_text(), re.MULTILINE))


def first_line_of_header(name):
    """The sentence that says what the script does (in a comment, or in the docstring of a Python script)."""
    text = (ROOT / name).read_text()
    found = re.search(r'^(?:# |""")(.+?)(?:""")?$', text.split("\n", 1)[1], re.MULTILINE)
    return found[1] if found else ""


def test_scripts_were_found():
    assert len(COMMANDS) > 20


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_executable_and_strict(name):
    path = ROOT / name
    text = path.read_text()
    if path.name in SOURCED:
        return
    assert text.startswith(("#!/usr/bin/env bash\n", "#!/usr/bin/env python3\n")), f"{name}: odd first line"
    assert path.stat().st_mode & 0o111, f"chmod +x {name}"
    if text.startswith("#!/usr/bin/env bash"):
        assert re.search(r"^set -euo pipefail", text, re.MULTILINE), f"{name}: no 'set -euo pipefail'"
    assert re.search(r"^(# )?Example", text, re.MULTILINE), f"{name}: its header shows no 'Example: ...'"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_the_header(name, tmp_path):
    import time

    begin = time.monotonic()
    done = run_script(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    if not hands_over(name):
        assert first_line_of_header(name)[:60] in " ".join(done.stdout.split()), done.stdout
    assert time.monotonic() - begin < HELP_SECONDS, f"{name} --help is slow: import lazily"
    assert list(tmp_path.iterdir()) == [], "--help has written something"


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_option_is_refused_with_a_suggestion(name, tmp_path):
    if pathlib.Path(name).name in ANY_OPTION:
        return
    for arguments in (["--no-such-optoin", "1"], ["--no-such-optoin=1"]):
        done = run_script(name, *arguments, cwd=tmp_path)
        assert done.returncode not in (0, None), done.stdout
        assert done.stderr, "no message"
        if has_options(name):
            assert "--no-such-optoin" in done.stderr and "did you mean" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [name for name in COMMANDS if has_parse_options(name)])
def test_a_missing_value_is_refused(name, tmp_path):
    before = re.split(r"^\s*(?:\.|source) .*parse_options\.sh", (ROOT / name).read_text(), flags=re.MULTILINE)[0]
    options = re.findall(r"^([a-z][a-z0-9_]*)=", before, re.MULTILINE)
    if not options:
        return
    option = "--" + options[0].replace("_", "-")
    done = run_script(name, option, cwd=tmp_path)
    assert done.returncode == 1
    assert f"{option} needs a value" in done.stderr


@pytest.mark.parametrize("name", [name for name in COMMANDS if not name.startswith("egs/")])
def test_a_call_without_arguments_does_no_harm(name, tmp_path):
    done = run_script(name, cwd=tmp_path)
    if done.returncode == 0:  # a filter: it has read the empty standard input
        assert done.stdout == "", f"{name} without arguments says: {done.stdout}"
    else:
        assert done.stderr != "" and "Traceback" not in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == [], "it has written something"
