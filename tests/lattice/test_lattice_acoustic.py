"""Acoustic costs of state-level output: each frame's own, as Kaldi gives them back with --write-compact=false."""

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.lattice import Lattice, to_compact, to_lattice
from sidamo.io.tables import SequentialReader
from sidamo.lattice.acoustic import FrameCosts
from sidamo.lattice.determinize import determinize
from sidamo.lattice.ops import connect

# Label 3 has two costs at frame 0: their mean is 2. Word 8 leads to one of them, 9 to the other.
RAW = """u1 
0\t1\t3\t8\t0.5,1
0\t2\t3\t9\t0.25,3
1\t3\t4\t0\t1,5
2\t3\t5\t0\t1,7
3\t0.125,0

"""  # noqa: W291


def read(path, kind):
    with SequentialReader(f"ark:{path}", kind) as reader:
        return dict(reader)


def costs(lat):
    """{(word, label): acoustic cost} of the arcs that have a label."""
    rows = zip(lat.olabel.tolist(), lat.ilabel.tolist(), lat.acoustic_cost.tolist())
    return {(word, label): cost for word, label, cost in rows if label}


@pytest.mark.parametrize(
    "command",
    [
        "lattice-determinize-pruned --acoustic-scale=0.5 --write-compact=false ark:raw.ark ark:out.ark",
        "lattice-lmrescore --write-compact=false --lm-scale=2 ark:raw.ark G.fst ark:out.ark",
        "lattice-lmrescore --write-compact=false --determinize=false ark:raw.ark G.fst ark:out.ark",
        "lattice-interp --alpha=0.3 --write-compact=false ark:raw.ark ark:raw.ark ark:out.ark",
    ],
)
def test_each_label_gets_the_mean_cost_of_its_frame(command, tmp_path, run):
    (tmp_path / "raw.ark").write_text(RAW)
    made = run("printf '0 0 8 8 0.5\\n0 0 9 9 0.5\\n0\\n' | fstcompile - G.fst", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = run(command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = costs(read(tmp_path / "out.ark", "lattice")["u1"])
    assert found == {(8, 3): 2.0, (9, 3): 2.0, (0, 4): 5.0, (0, 5): 7.0}


def by_frames(rng, num_frames=5, width=3):
    """A lattice with `width` states a frame; every arc has a label, which costs half of itself."""
    arcs = [(0, 1 + s) for s in range(width)]
    for t in range(num_frames - 1):
        arcs += [(1 + t * width + s, 1 + (t + 1) * width + rng.integers(width)) for s in range(width) for _ in range(2)]
    source, target = np.array(arcs).T
    label, word = rng.integers(1, 4, len(arcs)), rng.integers(0, 3, len(arcs))
    graph, num_states = rng.random(len(arcs)), 1 + num_frames * width
    finals = {num_states - 1 - s: (0.5, 0.0) for s in range(width)}
    return connect(Lattice.from_arcs(num_states, 0, source, label, word, graph, label * 0.5, target, finals))


def test_a_lattice_gets_its_own_costs_back():
    rng = np.random.default_rng(3)
    for _ in range(20):
        lat = by_frames(rng)
        frame_costs = FrameCosts(lat)
        assert frame_costs.known
        det, _ = determinize(lat, 5.0)
        back = frame_costs.put_back(to_lattice(det))
        np.testing.assert_array_equal(back.acoustic_cost, np.where(back.ilabel > 0, back.ilabel * 0.5, 0.0))
        assert back.num_arcs == to_lattice(det).num_arcs


def test_costs_that_were_moved_before_are_left_alone():
    lat = by_frames(np.random.default_rng(4))
    lat.final_acoustic[lat.is_final()] = 1.5
    assert not FrameCosts(lat).known
    again = to_lattice(to_compact(lat))
    assert FrameCosts(lat).put_back(again) is again


def test_paths_of_different_lengths():
    lat = by_frames(np.random.default_rng(5))
    other = by_frames(np.random.default_rng(6), num_frames=9)
    with pytest.raises(DataError, match="different lengths"):
        FrameCosts(lat).put_back(other)
