"""decode-faster and latgen-faster-mapped against what Kaldi's own binaries wrote."""

import json
import os
import pathlib
import sys

import numpy as np
import pytest
from sidamo.io.lattice import top_sort
from sidamo.io.tables import SequentialReader

BIN = str(pathlib.Path(sys.executable).parent)


@pytest.fixture(scope="module")
def cases(golden):
    with open(golden / "manifest.jsonl") as stream:
        return {case["id"]: case for case in map(json.loads, stream)}


@pytest.fixture()
def tool(run, golden_copy):
    """Run a manifest's command with its outputs sent to tmp/; returns (process, folder)."""

    def _tool(command, outputs=()):
        for output in outputs:
            command = command.replace(output, "tmp/" + pathlib.Path(output).name)
        env = {"PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C"}
        return run(command, cwd=golden_copy, env=env), golden_copy / "tmp"

    return _tool


EXACT = [
    "ctc.decode_wide", "ctc.decode_narrow", "ctc.decode_scale0.5", "ctc.decode_strict", "ctc.decode_odd",
    "ctc.decode_odd_nopartial", "ctc.decode_partial", "ctc.decode_partial_off",
]  # fmt: skip


@pytest.mark.parametrize("case_id", EXACT)
def test_decode_faster(case_id, cases, tool, golden):
    """Words and alignments are Kaldi's, and so is the closing line of the log (costs to 6 digits)."""
    case = cases[case_id]
    result, folder = tool(case["cmd"], case["outputs"])
    assert result.returncode == case.get("rc", 0), result.stderr
    for output in case["outputs"]:
        if not output.endswith(".jsonl"):
            assert (folder / pathlib.Path(output).name).read_text() == (golden / output).read_text(), output
    for line in case.get("log", []):
        if "Overall log-likelihood" in line and "nan" not in line:
            assert line.partition(") ")[2] in result.stderr
        if "Zero-length" in line or "Did not successfully" in line or "Done" in line:
            assert line.partition(") ")[2] in result.stderr


def test_missing_columns_are_an_error(cases, tool):
    case = cases["ctc.decode_too_few_columns"]
    result, _ = tool(case["cmd"])
    assert result.returncode == 255
    assert "Invalid (frame, index - 1) = (0, 15) for matrix of size 60 x 15" in result.stderr


def test_best_path_costs_are_those_of_the_independent_port(golden):
    from sidamo.decode.graph import load_graph
    from sidamo.decode.options import DecoderOptions
    from sidamo.decode.search import Search

    search = Search(load_graph(golden / "ctc/TLG.fst"), DecoderOptions(beam=20.0))
    expected = {d["utt"]: d for d in map(json.loads, open(golden / "lat/kd_faster.jsonl"))}
    with SequentialReader(f"ark:{golden}/ctc/loglikes.ark", "matrix") as reader:
        for key, matrix in reader:
            search.reset()
            search.advance(matrix)
            path = search.best_path()
            assert list(path.labels) == expected[key]["ali"]
            assert path.graph_cost == pytest.approx(expected[key]["graph_cost"], abs=0.005)
            assert path.acoustic_cost == pytest.approx(expected[key]["acoustic_cost"], abs=0.005)


def word_sequences(clat, beam):
    """{words: (graph, acoustic)} of a compact lattice within a beam of its best path."""
    clat = top_sort(clat)
    back = np.where(clat.is_final(), clat.final_graph + clat.final_acoustic, np.inf)
    source = clat.arc_source()
    for a in range(clat.num_arcs - 1, -1, -1):
        cost = clat.graph_cost[a] + clat.acoustic_cost[a]
        back[source[a]] = min(back[source[a]], cost + back[clat.nextstate[a]])
    found, limit = {}, back[clat.start] + beam
    stack = [(clat.start, (), 0.0, 0.0)]
    while stack:
        s, words, graph, acoustic = stack.pop()
        if graph + acoustic + back[s] > limit:
            continue
        total = (graph + clat.final_graph[s], acoustic + clat.final_acoustic[s])
        if sum(total) <= limit and (words not in found or sum(total) < sum(found[words])):
            found[words] = total
        for a in range(clat.offsets[s], clat.offsets[s + 1]):
            word = (int(clat.label[a]),) if clat.label[a] else ()
            stack.append((
                clat.nextstate[a], words + word, graph + clat.graph_cost[a], acoustic + clat.acoustic_cost[a]
            ))  # fmt: skip
    return found


@pytest.mark.parametrize("graph", ["TLG", "LG"])
def test_lattices_hold_the_same_word_sequences_at_the_same_costs(graph, cases, tool, golden):
    case = cases["lat.latgen"]
    command = case["cmd"]
    if graph == "LG":  # EESEN's T asks for no blank between equal tokens: the topology `modified`
        command = command.replace("latgen-faster-mapped", "latgen-faster --ctc-topo=modified --tokens=ctc/tokens.txt")
        command = command.replace("ctc/ident.mdl ctc/TLG.fst", "ctc/LG.fst")
    result, folder = tool(command, case["outputs"])
    assert result.returncode == 0, result.stderr
    assert (folder / "latgen.words").read_text() == (golden / "lat/latgen.words").read_text()
    with SequentialReader(f"ark:{folder}/lat.ark", "compact_lattice") as reader:
        ours = dict(reader)
    with SequentialReader(f"ark:{golden}/lat/lat.ark", "compact_lattice") as reader:
        theirs = dict(reader)
    assert ours.keys() == theirs.keys()
    for key in theirs:
        found, expected = word_sequences(ours[key], 5.0), word_sequences(theirs[key], 4.0)
        for words, costs in expected.items():
            assert found[words] == pytest.approx(costs, abs=5e-3), (key, words)
        ours_only = word_sequences(ours[key], 4.0).keys() - word_sequences(theirs[key], 5.0).keys()
        assert ours_only <= ({()} if graph == "LG" else set()), "EESEN's T rejects frames that are all blank"


def test_raw_lattice_has_kaldis_size(cases, tool, golden):
    case = cases["lat.raw"]
    result, folder = tool(case["cmd"], case["outputs"])
    assert result.returncode == 0, result.stderr
    with SequentialReader(f"ark:{folder}/raw.ark", "lattice") as reader:
        ours = dict(reader)
    with SequentialReader(f"ark:{golden}/lat/raw.ark", "lattice") as reader:
        for key, lattice in reader:
            assert (ours[key].num_states, ours[key].num_arcs) == (lattice.num_states, lattice.num_arcs)


@pytest.mark.parametrize("change, message", [
    ("ctc/ident.mdl=ctc/TLG.fst", "expected a transition model in text form"),
    ("--beam=14=--beam=0", "--beam=0.0: must be above 0 for lattices"),
    ("--beam=14=--beaam=14", "did you mean --beam?"),
    ("--max-active=2000=--max-active=1", "--max-active=1: must be above 1"),
    ("ctc/TLG.fst=ctc/none.fst", "no such FST file"),
])  # fmt: skip
def test_bad_calls_name_what_is_wrong(change, message, cases, tool):
    """change: 'old=new', where both may hold an = after --option."""
    case = cases["lat.latgen"]
    halves = change.split("=")
    old, new = "=".join(halves[: len(halves) // 2]), "=".join(halves[len(halves) // 2 :])
    assert old in case["cmd"]
    result, _ = tool(case["cmd"].replace(old, new), case["outputs"])
    assert result.returncode == (134 if "must be" in message else 255)  # what Kaldi asserts
    assert message in result.stderr
