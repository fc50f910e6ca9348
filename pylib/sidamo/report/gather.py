"""Collect everything that a report shows from an experiment's directory and the directories it came from."""

from __future__ import annotations

import base64
import glob
import os
import platform
import re
import subprocess
import time
from dataclasses import dataclass, field
from importlib import metadata

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError, SidamoError
from sidamo.report import graph_view, lattice_view, results, sound, timing

PACKAGES = ("sidamo", "numpy", "torch", "pynini", "numba", "scipy", "kaldiio", "soundfile")
GRAPHS = {
    "T": "Tokens: how frames spell a token. Blanks may stand in between, and must between two equal ones.",
    "L": "Lexicon: how phones spell words. The dashed state is the one of that number on the left.",
    "G": "Grammar: which words may follow each other, at which cost (minus the logarithm of the probability).",
}
TOKENS_SHOWN = "Drawn for two tokens; the whole has {} states and {} arcs."


@dataclass(frozen=True)
class ReportOptions:
    """What goes into a report."""

    decode: str = field(default="", metadata={"help": "Decode directories, separated by blanks; empty: all of <exp>"})
    num_utts: int = field(default=12, metadata={"help": "Utterances to hear and see"})
    max_seconds: float = field(default=20.0, metadata={"help": "Longest utterance to hear, in seconds"})
    utts: str = field(default="", metadata={"help": "Utterances to hear, separated by blanks; empty: chosen by errors"})
    lang: str = field(default="", metadata={"help": "Lang directories to draw, separated by blanks"})
    max_states: int = field(default=60, metadata={"help": "Largest graph to draw"})
    ctm: str = field(default="", metadata={"help": "CTM with times of the words; empty: from lattices"})
    title: str = field(default="", metadata={"help": "Title; empty: the directory's name"})
    max_utts: int = field(default=20000, metadata={"help": "Utterances whose alignment is shown, per decode directory"})


def decode_dirs(exp: str, wanted: str) -> list[str]:
    """Decode directories of an experiment: those asked for, or every scored one below it (two levels)."""
    if wanted.split():
        for name in wanted.split():
            if not os.path.isdir(name):
                raise DataError("no such decode directory", file=name)
        return wanted.split()
    pattern = os.path.join(glob.escape(exp), "decode*")
    return sorted(name for name in glob.glob(pattern) if os.path.isdir(os.path.join(name, "scoring_kaldi")))


def gather(exp: str, options: ReportOptions) -> dict:
    """All data of the page, as one dict that JSON can hold."""
    if not os.path.isdir(exp):
        raise DataError("no such experiment directory", file=exp)
    missing: dict[str, str] = {}
    systems, origins = [], []
    for decode in decode_dirs(exp, options.decode):
        origin = Origin.of(decode)
        system = results.decode_result(decode, os.path.basename(decode.rstrip("/")), origin.utt2spk)
        if len(system["utts"]) > options.max_utts:
            system["complaints"].append(f"only {options.max_utts} of {len(system['utts'])} alignments are shown")
            system["utts"] = system["utts"][: options.max_utts]
        systems.append(system)
        origins.append(origin)
    curve = results.learning_curve(os.path.join(exp, "log", "curve.tsv"))
    if not curve:
        missing["curve"] = f"{exp}/log/curve.tsv is absent: steps/train_ctc.sh writes it."
    listen = listen_items(exp, systems, origins, options, missing)
    stages = results.read_table(os.path.join(os.path.dirname(os.path.abspath(exp)), "stage_times.tsv"))
    return {
        "exp": exp, "title": options.title or f"Report of {exp}", "made": time.strftime("%Y-%m-%d %H:%M"),
        "systems": systems, "curve": curve, "listen": listen, "graphs": graphs(origins, options, missing),
        "stages": stages, "commands": commands([exp, *(o.decode for o in origins)]), "versions": versions(),
        "texts": texts(exp), "missing": missing,
    }  # fmt: skip


@dataclass
class Origin:
    """Where a decode directory's sound and symbols lie, as local/score.sh noted."""

    decode: str
    data: str
    graph: str
    utt2spk: dict[str, str]

    @classmethod
    def of(cls, decode: str) -> Origin:
        noted = results.read_pairs(os.path.join(decode, "scoring_kaldi", "inputs"))
        data = noted.get("data", "")
        return cls(decode, data, noted.get("graph", ""), results.read_pairs(os.path.join(data, "utt2spk")))


def choose(utts: list[dict], count: int) -> list[str]:
    """Utterances worth hearing: half of them the worst, the others without errors, of as many speakers as possible."""
    wrong = [utt for utt in utts if utt["o"].strip("C")]
    wrong.sort(key=lambda utt: (utt["o"].count("C") - len(utt["o"]), utt["u"]))
    right = [utt for utt in utts if utt["o"] and not utt["o"].strip("C")]
    right.sort(key=lambda utt: (-len(utt["o"]), utt["u"]))
    seen: dict[str, int] = {}
    spread = []
    for utt in right:
        seen[utt["s"]] = seen.get(utt["s"], 0) + 1
        spread.append((seen[utt["s"]], len(spread), utt))
    right = [utt for *_, utt in sorted(spread, key=lambda item: item[:2])]
    bad = wrong[: max(count - len(right), (count + 1) // 2)]
    return [utt["u"] for utt in bad + right[: count - len(bad)]]


def listen_items(exp: str, systems: list, origins: list[Origin], options: ReportOptions, missing: dict) -> list[dict]:
    """The utterances to hear and see: of the first decode directory, then those watched during training."""
    items = []
    watched = training_posteriors(os.path.join(exp, "log", "posteriors.ark"))
    tokens = token_names(os.path.join(exp, "tokens.txt"))
    if systems and systems[0]["utts"]:
        system, origin = systems[0], origins[0]
        by_name = {utt["u"]: utt for utt in system["utts"]}
        wanted = options.utts.split() or choose(system["utts"], options.num_utts)
        for utt in wanted:
            if utt not in by_name:
                raise DataError("no such utterance in the decode directory", file=origin.decode, key=utt)
        if not os.path.exists(os.path.join(origin.data, "wav.scp")):
            missing["listen"] = f"{origin.data or '<data>'}/wav.scp is absent: run local/score.sh from where it is."
        shown = audio_of(origin.data, wanted, options.max_seconds)
        network = network_output(exp, origin, list(shown), tokens, missing)
        lattices = lattices_of(origin, list(shown), missing)
        scale = 1.0 / float(system["lmwt"] or 10)
        seconds = {utt: heard["seconds"] for utt, heard in shown.items()}
        timed = read_ctm(options.ctm) or timing.word_times(lattices, origin.graph, scale, seconds)
        for utt, heard in shown.items():
            lattice = lattices.get(utt)
            words = timed.get(utt)
            if words is None:
                words = lattice_view.word_times(*lattice, scale, heard["seconds"]) if lattice else []
            row = by_name[utt]
            items.append(
                {
                    "u": utt, "s": row["s"], "r": row["r"], "h": row["h"], "o": row["o"], "sound": heard,
                    "post": [network[utt]] if utt in network else [], "words": words,
                    "lattice": lattice_view.view(*lattice, scale) if lattice else None,
                }
            )  # fmt: skip
    elif not systems:
        missing["listen"] = f"{exp} has no scored decode directory."
    items.extend(watched_items(watched, tokens, origins, options))
    return items


def watched_items(watched: dict, tokens: list[str], origins: list[Origin], options: ReportOptions) -> list[dict]:
    """Utterances of the development set whose posteriors training kept, epoch by epoch."""
    items = []
    folders = [o.data for o in origins if o.data] + sorted(glob.glob("data/*"))
    for utt, epochs in watched.items():
        for data in folders:
            text = results.read_pairs(os.path.join(data, "text"))
            if utt in text:
                heard = audio_of(data, [utt], options.max_seconds)
                if heard:
                    post = [view_posteriors(m, tokens, f"epoch {epoch}") for epoch, m in sorted(epochs.items())]
                    items.append(
                        {"u": utt, "ref": text[utt], "note": "development set, watched during training", "words": [],
                         "sound": heard[utt], "post": post, "lattice": None}
                    )  # fmt: skip
                break
    return items


def audio_of(data: str, utts: list[str], max_seconds: float) -> dict[str, dict]:
    """Sound of utterances of a data directory (wav.scp, segments where there are any); too long ones are left out."""
    from sidamo.io.tables import RandomAccessReader

    scp = os.path.join(data, "wav.scp")
    if not utts or not os.path.exists(scp):
        return {}
    segments = {utt: rest.split() for utt, rest in results.read_pairs(os.path.join(data, "segments")).items()}
    out = {}
    with RandomAccessReader(f"scp:{scp}", "wave") as waves:
        for utt in utts:
            recording, begin, end = segments.get(utt, [utt, "0", "-1"])[:3]
            try:
                wave = waves[recording] if recording in waves else None
            except SidamoError as error:
                log.warn(f"no sound for {utt}: {error}")
                continue
            if wave is None:
                log.warn(f"no sound for {utt}: {scp} lacks {recording}")
                continue
            samples, rate = wave.samples[0], int(wave.rate)
            first = int(float(begin) * rate + 0.5)
            last = len(samples) if float(end) < 0 else int(float(end) * rate + 0.5)
            if (last - first) / rate > max_seconds:
                log.warn(f"{utt} lasts {(last - first) / rate:.1f} s: left out (--max-seconds={max_seconds:g})")
                continue
            out[utt] = sound.sound(samples[first:last], rate)
    return out


def token_names(path: str) -> list[str]:
    """Names of the network's columns: label 1 (blank) is column 0; disambiguation symbols have none."""
    rows = [line.split() for line in results.read_lines(path) if line.strip()]
    named = {int(row[1]) - 1: row[0] for row in rows if len(row) == 2 and not row[0].startswith("#")}
    return [named.get(column, str(column)) for column in range(max(named, default=-1) + 1)]


def training_posteriors(path: str) -> dict[str, dict[int, np.ndarray]]:
    """`log/posteriors.ark`, keys <utt>-epoch<N>: utterance -> epoch -> (T, V) posteriors."""
    if not os.path.exists(path):
        return {}
    from sidamo.io.tables import SequentialReader

    out: dict[str, dict[int, np.ndarray]] = {}
    with SequentialReader(f"ark:{path}", "matrix") as reader:
        for key, matrix in reader:
            found = re.fullmatch(r"(.*)-epoch(\d+)", key)
            if found and len(matrix):
                out.setdefault(found.group(1), {})[int(found.group(2))] = np.array(matrix)
    return out


def network_output(exp: str, origin: Origin, utts: list[str], tokens: list[str], missing: dict) -> dict[str, dict]:
    """Posteriors of chosen utterances, from the log-likelihoods that were decoded."""
    name = os.path.basename(origin.data.rstrip("/"))
    places = [origin.decode, f"{origin.decode}/loglikes", f"{exp}/loglikes_{name}", *glob.glob(f"{exp}/loglikes*")]
    found = [f"{place}/loglikes.scp" for place in places if os.path.exists(f"{place}/loglikes.scp")]
    if not found:
        missing["posteriors"] = "The log-likelihoods were not kept after decoding (loglikes.scp)."
        return {}
    from sidamo.io.tables import RandomAccessReader

    out = {}
    with RandomAccessReader(f"scp:{found[0]}", "matrix") as reader:
        for utt in utts:
            if utt in reader:
                out[utt] = view_posteriors(np.asarray(reader[utt]), tokens, "decoded")
    return out


def view_posteriors(matrix: np.ndarray, tokens: list[str], name: str, floor: float = 0.1) -> dict:
    """Posteriors for the page: blank, and the tokens that ever reach `floor`.

    Parameters
    ----------
    matrix : (T, V), posteriors, or their logarithms (with or without priors divided out)

    Returns
    -------
    {"name", "t": frames, "tokens": names, "data": base64 of T * len(tokens) bytes, 255 for a posterior of 1}
    """
    values = np.asarray(matrix, np.float64)
    if values.size and (values.min() < 0 or values.max() > 1.001):
        values = np.exp(values - values.max(axis=1, keepdims=True))
        values /= values.sum(axis=1, keepdims=True)
    columns = [0] + [v for v in range(1, values.shape[1]) if values[:, v].max(initial=0.0) >= floor]
    names = [tokens[v] if v < len(tokens) else str(v) for v in columns]
    data = np.rint(255 * values[:, columns]).astype(np.uint8)
    return {"name": name, "t": len(values), "tokens": names, "data": base64.b64encode(data.tobytes()).decode()}


def lattices_of(origin: Origin, utts: list[str], missing: dict) -> dict[str, tuple]:
    """Lattices of chosen utterances: utterance -> (lattice, function from word id to word)."""
    files = sorted(glob.glob(os.path.join(glob.escape(origin.decode), "lat.*.gz")))
    symbols = os.path.join(origin.graph, "words.txt")
    if not files or not os.path.exists(symbols):
        missing["lattice"] = f"No lattices in {origin.decode}, or no {symbols or 'words.txt'}."
        return {}
    from sidamo.io.lattice import top_sort
    from sidamo.io.tables import SequentialReader

    pairs = (line.split() for line in results.read_lines(symbols))
    words = {int(pair[1]): pair[0] for pair in pairs if len(pair) == 2}
    wanted, out = set(utts), {}
    for path in files:
        if not wanted:
            break
        with SequentialReader(f"ark:gunzip -c {path}|", "compact_lattice") as reader:
            for key, lattice in reader:
                if key in wanted:
                    wanted.discard(key)
                    out[key] = (top_sort(lattice), lambda label: words.get(label, f"<{label}>"))
    return out


def read_ctm(path: str) -> dict[str, list[dict]]:
    """Words with times by utterance (first column of the CTM)."""
    out: dict[str, list[dict]] = {}
    for line in results.read_lines(path) if path else []:
        fields = line.split()
        if len(fields) >= 5:
            word = {"word": fields[4], "start": float(fields[2]), "duration": float(fields[3])}
            word["confidence"] = float(fields[5]) if len(fields) > 5 else None
            out.setdefault(fields[0], []).append(word)
    return out


def lang_dirs(origins: list[Origin], wanted: str) -> list[str]:
    """Lang directories: those asked for, else data/lang_<x> for each graph .../graph_<x>, else any with a grammar."""
    if wanted.split():
        return wanted.split()
    named = [f"data/lang_{os.path.basename(o.graph).partition('graph_')[2]}" for o in origins]
    found = [name for name in dict.fromkeys(named) if os.path.exists(f"{name}/G.fst")]
    return found or sorted(os.path.dirname(path) for path in glob.glob("data/lang*/G.fst")) or ["data/lang"]


def graphs(origins: list[Origin], options: ReportOptions, missing: dict) -> list[dict]:
    """Drawings of T (two of its units), L and the grammars that are small enough."""
    out, notes = [], []
    langs = [name for name in lang_dirs(origins, options.lang) if os.path.isdir(name)]
    for number, lang in enumerate(langs):
        for name in ("T", "L", "G") if number == 0 else ("G",):
            path = os.path.join(lang, f"{name}.fst")
            if not os.path.exists(path):
                continue
            drawing, note = drawn(lang, name, options.max_states)
            if drawing:
                out.append({"name": f"{name} ({path})", "caption": f"{GRAPHS[name]} {note}".strip(), "svg": drawing})
            else:
                notes.append(note)
    missing["graphs"] = " ".join(notes) or "No lang directory with T.fst, L.fst and G.fst was found (--lang)."
    if out and notes:
        out[-1]["after"] = " ".join(notes)
    return out


def drawn(lang: str, name: str, max_states: int) -> tuple[str, str]:
    """The drawing of <lang>/<name>.fst (empty where it is too large), and a remark."""
    from sidamo.io.fst import read_fst

    symbols = {"T": ("tokens", "phones"), "L": ("phones", "words"), "G": ("words", "words")}[name]
    tables = []
    for kind in symbols:
        rows = (line.split() for line in results.read_lines(os.path.join(lang, f"{kind}.txt")))
        tables.append({int(row[1]): row[0] for row in rows if len(row) == 2})
    fst = read_fst(os.path.join(lang, f"{name}.fst"))
    if name == "T":
        note = TOKENS_SHOWN.format(fst.num_states, fst.num_arcs)
        return graph_view.draw(*graph_view.cut_tokens(fst, 2), *tables), note
    if fst.num_states > max_states:
        return "", f"{lang}/{name}.fst has {fst.num_states} states, too many to be drawn (--max-states={max_states})."
    return graph_view.draw(*graph_view.all_arcs(fst), *tables), ""


def commands(folders: list[str]) -> list[dict]:
    """What ran, from the logs: `# <command>`, `# Started at ...`, `# Ended (code 0) at ..., elapsed time N seconds`.

    The jobs of an array (x.1.log, x.2.log, ...) are one row: the first one's command, the time of the longest.
    """
    arrays: dict[str, list[dict]] = {}
    paths = [path for folder in folders for path in glob.glob(f"{glob.escape(folder)}/**/*.log", recursive=True)]
    for path in sorted(set(paths), key=lambda path: (len(path), path)):
        lines = results.read_lines(path)
        if len(lines) < 2 or not lines[0].startswith("# ") or "Started at" not in lines[1]:
            continue
        ended = re.search(r"# Ended \(code (\d+)\).*elapsed time (\d+) seconds", "\n".join(lines[-3:]))
        row = {"command": lines[0][2:], "started": date(lines[1].partition("Started at ")[2])}
        row["seconds"] = int(ended.group(2)) if ended else None
        arrays.setdefault(re.sub(r"\.\d+\.log$", ".*.log", path), []).append(row)
    out = []
    for name, jobs in arrays.items():
        seconds = [job["seconds"] for job in jobs if job["seconds"] is not None]
        label = f"{name} ({len(jobs)} jobs)" if len(jobs) > 1 else name
        out.append({**jobs[0], "log": label, "seconds": max(seconds, default=None)})
    return out


def date(text: str) -> str:
    """The date of a log (`Fri Nov 20 10:47:21 UTC 2026`) so that it sorts; another form is left as it is."""
    fields = text.split()
    try:
        parsed = time.strptime(" ".join(fields[:4] + fields[-1:]), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return text
    return time.strftime("%Y-%m-%d %H:%M:%S", parsed)


def versions() -> dict[str, str]:
    """Versions of what computed: Sidamo's commit, Python, the packages, the machine."""
    out = {"Python": platform.python_version(), "system": platform.platform()}
    for name in PACKAGES:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    try:
        here = os.path.dirname(os.path.abspath(__file__))
        commit = ["git", "-C", here, "describe", "--always", "--dirty"]
        out["commit"] = subprocess.run(commit, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return out


def texts(exp: str) -> dict[str, str]:
    """Small text files that say how the model was made."""
    out = {}
    for name in ("config", "provenance.txt", "cmvn_opts", "log/train.log"):
        lines = results.read_lines(os.path.join(exp, name))
        if any(lines):
            out[f"{exp}/{name}"] = "\n".join(lines[:40] + (["..."] if len(lines) > 80 else []) + lines[40:][-40:])
    return out
