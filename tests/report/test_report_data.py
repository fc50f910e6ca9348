"""What goes into the report: figures by hand, posteriors against brute force, bad input named. Needs no browser."""

import base64
import itertools
import json
from xml.etree import ElementTree

import fake
import numpy as np
import pytest
from conftest import ROOT
from sidamo.io.errors import DataError
from sidamo.io.fst import make_csr
from sidamo.io.lattice import CompactLattice, top_sort
from sidamo.io.tables import SequentialReader
from sidamo.report import graph_view, lattice_view, page, results, sound
from sidamo.report.gather import ReportOptions, choose, commands, gather, token_names, view_posteriors
from sidamo.report.timing import num_frames

UTTS = [
    {"u": "a-1", "s": "a", "r": "x y ***", "h": "x z w", "o": "CSI"},
    {"u": "a-2", "s": "a", "r": "x y", "h": "x ***", "o": "CD"},
    {"u": "b-1", "s": "b", "r": "y", "h": "z", "o": "S"},
    {"u": "b-2", "s": "b", "r": "", "h": "", "o": ""},
]


def test_confusions_by_hand():
    out = results.confusions(UTTS)
    assert out["substitutions"] == [["y", "z", 2, 3]]
    assert out["missed"] == [["y", 3, 3]]
    assert out["inserted"] == [["w", 1]]


def test_groups_by_hand():
    a, b = results.by_speaker(UTTS)
    assert a == {"name": "a", "sent": 2, "words": 4, "c": 2, "s": 1, "i": 1, "d": 1, "wrong": 2}
    assert b == {"name": "b", "sent": 2, "words": 1, "c": 0, "s": 1, "i": 0, "d": 0, "wrong": 1}
    assert [(g["name"], g["sent"]) for g in results.by_length(UTTS)] == [("0", 1), ("1", 1), ("2", 2)]
    joined = results.by_length(UTTS, 2)
    assert [(g["name"], g["sent"]) for g in joined] == [("0 to 1", 2), ("2", 2)]


def test_worst_first_then_spread_over_speakers():
    right = [{"u": f"{s}-{i}", "s": s, "r": "x", "h": "x", "o": "C"} for s in "pq" for i in range(3)]
    assert choose(UTTS + right, 4) == ["a-1", "a-2", "p-0", "q-0"]
    assert choose(right[:1], 4) == ["p-0"]


def test_wave_and_envelope():
    samples = np.array([0, 100, -32769, 40000, 5])
    data = sound.wav_bytes(samples, 8000)
    assert data[:4] == b"RIFF" and np.frombuffer(data[44:], "<i2").tolist() == [0, 100, -32768, 32767, 5]
    low, high = sound.envelope(np.array([0.0, 50, -100, 0]), 2)
    assert (low, high) == ([0, -100], [50, 0])
    assert sound.envelope(np.zeros(0)) == [[], []]


def test_spectrogram_finds_the_tone():
    rate = 16000
    tone = 8000 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)
    spec = sound.spectrogram(tone, rate)
    cells = np.frombuffer(base64.b64decode(spec["data"]), np.uint8).reshape(spec["t"], spec["f"])
    centres = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), sound.BINS + 2)[1:-1]
    expected = np.argmin(abs(centres - 1127 * np.log1p(1000 / 700)))
    assert spec["t"] == 100 and abs(int(cells[50].argmax()) - expected) <= 1


def diamond():
    """0 -a-> 1 -c-> 3, 0 -b-> 2 -c-> 3, and 0 -a-> 3 over two frames."""
    return CompactLattice.from_arcs(
        4, 0, [0, 0, 1, 2, 0], [1, 2, 3, 3, 1], [0.5, 1.0, 0.2, 0.1, 2.0], [1.0, 0.3, 0.4, 0.6, 1.0], [1, 2, 3, 3, 3],
        [(1,), (1,), (2,), (2,), (1, 2)], {3: (0.1, 0.2, ())},
    )  # fmt: skip


def paths_of(lat):
    """Every path to a final state: (arcs, graph cost, acoustic cost)."""
    out, stack = [], [(lat.start, (), 0.0, 0.0)]
    while stack:
        state, arcs, graph, acoustic = stack.pop()
        if lat.is_final()[state]:
            out.append((arcs, graph + lat.final_graph[state], acoustic + lat.final_acoustic[state]))
        for a in range(lat.offsets[state], lat.offsets[state + 1]):
            step = (lat.nextstate[a], (*arcs, a), graph + lat.graph_cost[a], acoustic + lat.acoustic_cost[a])
            stack.append(step)
    return out


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_lattice_posteriors_by_enumeration(scale):
    lat = diamond()
    paths = [(arcs, np.exp(-graph - scale * acoustic)) for arcs, graph, acoustic in paths_of(lat)]
    total = sum(p for _, p in paths)
    expected = [sum(p for arcs, p in paths if a in arcs) / total for a in range(lat.num_arcs)]
    assert lattice_view.posteriors(lat, scale) == pytest.approx(expected)
    assert tuple(lattice_view.best_path(lat, scale)) == max(paths, key=lambda path: path[1])[0]
    assert num_frames(lat) == 2


def test_drawing_of_a_lattice(monkeypatch):
    view = lattice_view.view(diamond(), {1: "a", 2: "b", 3: "c"}.get, 1.0)
    assert len(view["states"]) == 4 and sorted(arc[2] for arc in view["arcs"]) == ["a", "a", "b", "c", "c"]
    monkeypatch.setattr(lattice_view, "LEAST", 1.0)  # the best path stays, whatever its posterior
    best = lattice_view.view(diamond(), {1: "a", 2: "b", 3: "c"}.get, 1.0)
    assert [arc[2] for arc in best["arcs"]] == ["b", "c"]
    ends = [tuple(arc[:2]) for arc in view["arcs"]]
    assert all(view["states"][a][0] < view["states"][b][0] for a, b in ends)  # time runs to the right
    assert view["states"][ends[-1][1]][2]


def test_only_whole_paths_are_drawn():
    lat = diamond()
    named = {(s, int(t)): a for a, (s, t) in enumerate(zip(lat.arc_source().tolist(), lat.nextstate))}
    whole, loose = [named[0, 1], named[1, 3]], [named[2, 3]]
    assert lattice_view._connected(lat, sorted(whole + loose)) == sorted(whole)
    assert lattice_view._connected(lat, [named[0, 2]]) == []


def test_posteriors_of_kaldis_lattices_sum_to_one(golden):
    with SequentialReader(f"ark:{golden}/lat/sub.ark", "compact_lattice") as reader:
        for _, lattice in itertools.islice(reader, 5):
            lattice = top_sort(lattice)
            posterior, frame = lattice_view.posteriors(lattice, 1.0), lattice_view.frame_of_states(lattice)
            source = lattice.arc_source()
            for t in range(num_frames(lattice)):  # the arcs over any one frame share it out
                over = (frame[source] <= t) & (t < frame[source] + lattice.string_length)
                assert posterior[over].sum() == pytest.approx(1, abs=1e-6) or posterior[over].sum() < 1


def test_posteriors_from_probabilities_and_logarithms():
    p = np.array([[0.7, 0.3, 0.0], [0.1, 0.05, 0.85]])
    shown = view_posteriors(p, ["<blk>", "a", "b"], "x")
    cells = np.frombuffer(base64.b64decode(shown["data"]), np.uint8).reshape(2, 3)
    assert shown["tokens"] == ["<blk>", "a", "b"] and cells[1].tolist() == [26, 13, 217]
    with np.errstate(divide="ignore"):
        assert view_posteriors(np.log(p), ["<blk>", "a", "b"], "x")["data"] == shown["data"]


def test_columns_are_labels_less_one(tmp_path):
    (tmp_path / "tokens.txt").write_text("<eps> 0\n<blk> 1\na 2\n#0 3\n")
    assert token_names(tmp_path / "tokens.txt") == ["<blk>", "a"]


def test_nothing_in_the_data_ends_the_script():
    text = page.embed({"a": "</script><!-- \u2028 é", "b": [1, None]})
    assert "<" not in text and json.loads(text) == {"a": "</script><!-- \u2028 é", "b": [1, None]}


def test_an_empty_directory_says_what_is_missing(tmp_path):
    (tmp_path / "exp").mkdir()
    data = gather(str(tmp_path / "exp"), ReportOptions())
    assert data["systems"] == [] and "curve.tsv is absent" in data["missing"]["curve"]
    assert "Nothing was decoded" in page.page(data)
    with pytest.raises(DataError, match="no such experiment directory"):
        gather(str(tmp_path / "nix"), ReportOptions())
    with pytest.raises(DataError, match="no such decode directory"):
        gather(str(tmp_path / "exp"), ReportOptions(decode="nix"))


def token_graph(units):
    """The correct CTC topology: state 0 after blank, state u after unit u."""
    source, ilabel, olabel, target = [], [], [], []
    for state in range(units + 1):
        for unit in range(units + 1):
            source.append(state)
            ilabel.append(unit + 1)
            olabel.append(unit if unit not in (0, state) else 0)
            target.append(unit)
    return make_csr(units + 1, source, ilabel, olabel, [0] * len(source), target, dict.fromkeys(range(units + 1), 0.0))


def test_two_tokens_stand_for_all():
    arcs, finals, start = graph_view.cut_tokens(token_graph(20), 2)
    whole = graph_view.all_arcs(token_graph(2))
    assert (sorted(arcs), finals, start) == (sorted(whole[0]), *whole[1:])


def test_drawing_of_a_graph():
    names = {1: "<blk>", 2: "a", 3: "b & c"}
    text = graph_view.draw(*graph_view.all_arcs(token_graph(2)), names, {1: "a", 2: "b & c"})
    root = ElementTree.fromstring(text)
    said = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said.count("0") == 2  # the start, and its copy on the right
    assert sorted(set(said)) == ["0", "1", "2", "<blk>:ε", "a", "a:ε", "b & c", "b & c:ε"]
    assert graph_view.label_of((0, 1, 2, 0, 1.5), names, {}) == "a:ε/1.50"
    lines = graph_view._lines([str(i) for i in range(30)])
    assert lines == ["0  1  2", "3  4  5", "6  7  8", "+ 21 more"]


def test_jobs_of_an_array_are_one_row(tmp_path):
    for job, seconds in ((1, 5), (2, 9), (10, 3)):
        log = f"# decode {job}\n# Started at Fri Nov 20 10:47:21 UTC 2026\n#\nx\n"
        end = f"# Ended (code 0) at Fri Nov 20 10:47:26 UTC 2026, elapsed time {seconds} seconds\n"
        fake.write(tmp_path / f"log/decode.{job}.log", log + end)
    fake.write(tmp_path / "log/other.log", "not made by run.py\n")
    row = {"command": "decode 1", "started": "2026-11-20 10:47:21", "seconds": 9}
    assert commands([str(tmp_path)]) == [{**row, "log": f"{tmp_path}/log/decode.*.log (3 jobs)"}]


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "curve.tsv").write_text("epoch\tloss\n1\n")
    with pytest.raises(DataError, match=r"curve.tsv:2: found 1 columns, expected 2"):
        results.learning_curve(str(tmp_path / "curve.tsv"))
    (tmp_path / "wer_7_0.0").write_text("killed\n")
    with pytest.raises(DataError, match=r"wer_7_0.0: no %WER line"):
        results.sweep(str(tmp_path), "wer")


def test_the_script(tmp_path, run):
    fake.experiment(tmp_path, num_utts=15)
    done = run(f"'{ROOT}/steps/report.sh' --num-utts 3 exp/model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 decode directories, 15 alignments, 4 utterances to hear" in done.stdout
    text = (tmp_path / "exp/model/report.html").read_text(encoding="utf-8")
    assert "http://" not in text.replace("http://www.w3.org/", "") and "https://" not in text
    for command, status, message in [
        ("steps/report.sh", 1, "usage:"),
        ("steps/report.sh exp/nix", 1, "no such directory exp/nix"),
        ("steps/report.sh --no-such 1 exp/model", 1, "no such option"),
        ("steps/report.sh --utts nobody exp/model", 255, "no such utterance"),
    ]:
        done = run(f"'{ROOT}'/{command}", cwd=tmp_path)
        assert done.returncode == status and message in done.stderr, command
