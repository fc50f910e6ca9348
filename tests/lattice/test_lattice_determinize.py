"""Determinization against enumeration of all paths; the compiled search against the readable one; golden lattices."""

import numpy as np
import pytest
from lattice_oracles import all_paths, best_by_words, random_compact, random_lattice
from sidamo.io.errors import DataError
from sidamo.io.lattice import INF, Lattice, to_text, top_sort
from sidamo.io.native import Kernel
from sidamo.io.tables import SequentialReader
from sidamo.lattice import determinize as det
from sidamo.lattice.determinize_kernel import run as compiled
from sidamo.lattice.minimize import minimize
from sidamo.lattice.ops import best_path, connect, prune, with_super_final

OPTIONS = det.DeterminizeOptions()
TOLERANCE = 5e-3  # subsets whose weights agree within 1/1024 are one


def check_deterministic(clat):
    for s in range(clat.num_states):
        words = clat.label[clat.offsets[s] : clat.offsets[s + 1]]
        assert np.all(words != 0)
        assert len(set(words.tolist())) == len(words)


@pytest.mark.parametrize("search", [det.reference, compiled])
def test_all_pruning_off_keeps_the_weighted_language(search):
    rng = np.random.default_rng(1)
    for _ in range(400):
        lat = connect(random_lattice(rng))
        if lat.start < 0:
            continue
        clat, reached = search(lat, INF, OPTIONS)
        assert reached == INF
        check_deterministic(clat)
        expected = best_by_words(lat)
        found = all_paths(clat)
        assert len(found) == len(expected)
        costs = {}
        for words, labels, graph, acoustic, _ in all_paths(lat):
            costs.setdefault((words, labels), []).append(graph + acoustic)
        for words, labels, graph, acoustic, _ in found:
            assert graph + acoustic == pytest.approx(expected[words][0], abs=TOLERANCE)
            # The string is that of a path with these words and this cost.
            assert min(costs[words, labels]) == pytest.approx(expected[words][0], abs=TOLERANCE)


@pytest.mark.parametrize("search", [det.reference, compiled])
def test_compact_lattices_are_taken_as_they_are(search):
    rng = np.random.default_rng(5)
    for _ in range(100):
        lat = with_super_final(connect(random_compact(rng)))
        clat, _ = search(lat, INF, OPTIONS)
        check_deterministic(clat)
        expected = best_by_words(lat)
        found = {words: (graph + acoustic, labels) for words, labels, graph, acoustic, _ in all_paths(clat)}
        assert found.keys() == expected.keys()
        for words, (cost, labels) in found.items():
            assert cost == pytest.approx(expected[words][0], abs=TOLERANCE)
            assert len(labels) == len(expected[words][1])


@pytest.mark.parametrize("search", [det.reference, compiled])
def test_beam_keeps_all_within_it_and_nothing_beyond(search):
    rng = np.random.default_rng(2)
    for _ in range(300):
        lat = connect(random_lattice(rng, num_states=8, num_arcs=18))
        if lat.start < 0:
            continue
        beam = rng.random() * 8
        clat, _ = search(lat, beam, OPTIONS)
        expected = best_by_words(lat)
        best = min(cost for cost, *_ in expected.values())
        found = {words: graph + acoustic for words, _, graph, acoustic, _ in all_paths(clat)}
        for words, (cost, *_) in expected.items():
            if cost < best + beam - TOLERANCE:
                assert found[words] == pytest.approx(cost, abs=TOLERANCE)
        for words, cost in found.items():  # arcs lie within the beam, so their combinations may lie somewhat beyond it
            assert cost == pytest.approx(expected[words][0], abs=TOLERANCE)


def test_compiled_and_reference_agree():
    rng = np.random.default_rng(3)
    for _ in range(200):
        lat = connect(random_lattice(rng, num_states=20, num_arcs=60, num_words=4))
        if lat.start < 0:
            continue
        slow, fast = det.reference(lat, 6.0, OPTIONS)[0], compiled(lat, 6.0, OPTIONS)[0]
        assert to_text(slow) == to_text(fast)


def with_chains(lat: Lattice, rng) -> Lattice:
    """Each arc followed by up to three arcs without a word, some with a label: what a decoder's lattice looks like."""
    rows, finals, fresh = [], {}, lat.num_states
    for a, source in enumerate(lat.arc_source().tolist()):
        word, state = int(lat.olabel[a]), source
        for _ in range(rng.integers(0, 4)):
            rows.append((state, rng.integers(0, 3), word, *rng.random(2), fresh))
            word, state, fresh = 0, fresh, fresh + 1
        rows.append((state, lat.ilabel[a], word, lat.graph_cost[a], lat.acoustic_cost[a], lat.nextstate[a]))
    for s in np.flatnonzero(lat.is_final()):
        finals[int(s)] = (lat.final_graph[s], lat.final_acoustic[s])
    return top_sort(Lattice.from_arcs(fresh, lat.start, *zip(*rows), finals))


def test_chains_are_walked_as_arc_by_arc():
    rng = np.random.default_rng(6)
    for _ in range(200):
        lat = connect(random_lattice(rng, num_states=10, num_arcs=30, num_words=4))
        if lat.num_arcs == 0:
            continue
        lat = with_chains(lat, rng)
        slow, fast = det.reference(lat, 6.0, OPTIONS)[0], compiled(lat, 6.0, OPTIONS)[0]
        assert to_text(slow) == to_text(fast)


def test_memory_shortens_the_beam_of_the_compiled_search():
    lat = connect(random_lattice(np.random.default_rng(7), num_states=300, num_arcs=3000, num_words=300))
    whole, _ = compiled(lat, 9.0, OPTIONS)
    small, reached = compiled(lat, 9.0, det.DeterminizeOptions(max_mem=1))
    assert 0 < reached < 9.0
    assert 0 < small.num_arcs < whole.num_arcs
    assert best_path(small).words == best_path(whole).words


def test_golden_raw_lattices(golden, monkeypatch):
    for name in ("raw", "kd_raw"):
        with SequentialReader(f"ark:{golden}/lat/{name}.ark", "lattice") as reader:
            for key, lat in reader:
                with monkeypatch.context() as m:
                    m.setattr(Kernel, "pays", lambda *_: False)
                    slow, _ = det.determinize(lat, 5.0, key=key)
                    m.setattr(Kernel, "pays", lambda *_: True)
                    fast, _ = det.determinize(lat, 5.0, key=key)
                assert to_text(slow) == to_text(fast)


def test_tool_writes_what_kaldi_wrote(golden_copy, run):
    command = "lattice-determinize-pruned --acoustic-scale=1.0 --beam=5 ark:lat/raw.ark ark,t:tmp/det.txt"
    done = run(command, cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert (golden_copy / "tmp/det.txt").read_text() == (golden_copy / "lat/raw_det.txt").read_text()


def test_limits_shorten_the_beam():
    rng = np.random.default_rng(4)
    lat = random_lattice(rng, num_states=60, num_arcs=400, num_words=20)
    whole, _ = det.determinize(lat, 12.0)
    for options in (det.DeterminizeOptions(max_arcs=20), det.DeterminizeOptions(max_states=10)):
        small, reached = det.determinize(lat, 12.0, options, key="utt7")
        assert 0 < small.num_arcs < whole.num_arcs
        assert reached < 12.0
        best = min(g + a for _, _, g, a, _ in all_paths(prune(whole, 0.0)))
        assert min(g + a for _, _, g, a, _ in all_paths(small)) == pytest.approx(best, abs=TOLERANCE)


def test_cycle_is_an_error_that_names_the_key():
    lat = Lattice.from_arcs(2, 0, [0, 1], [1, 1], [1, 1], [1, 1], [0, 0], [1, 0], {1: (0, 0)})
    with pytest.raises(DataError, match="utt3.*cycle"):
        det.determinize(lat, 5.0, key="utt3")


def test_nothing_reaches_the_end():
    lat = Lattice.from_arcs(2, 0, [0], [1], [1], [1], [0], [1], {})
    clat, _ = det.determinize(lat, 5.0)
    assert clat.num_states == 0


def test_minimized_lattices_keep_words_strings_and_costs():
    rng = np.random.default_rng(6)
    smaller = 0
    for _ in range(150):
        lat = connect(random_lattice(rng, num_states=9, num_arcs=24, num_words=2))
        if lat.start < 0:
            continue
        clat, _ = det.determinize(lat, 8.0)
        small = minimize(clat)
        assert small.num_states <= clat.num_states
        smaller += small.num_states < clat.num_states
        want, found = best_by_words(clat), best_by_words(small)
        assert want.keys() == found.keys()
        for words in want:
            assert found[words][1] == want[words][1]
            assert found[words][2:] == pytest.approx(want[words][2:], abs=0.02) or found[words][0] == pytest.approx(
                want[words][0], abs=0.02
            )
    assert smaller > 10
