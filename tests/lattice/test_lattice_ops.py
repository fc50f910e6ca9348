"""Pruning, best path, n-best, depth, union, sweep and oracle against enumeration of all paths."""

import numpy as np
import pytest
from lattice_oracles import all_paths, best_by_words, edit_distance, random_compact, random_lattice
from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice, Lattice, to_compact, to_lattice
from sidamo.lattice import ops
from sidamo.lattice.compose import compose, without_strings
from sidamo.lattice.nbest import linear_path, nbest_paths, path_lattices, random_paths
from sidamo.lattice.oracle import oracle
from sidamo.lattice.sweep import sweep_words

NUM = 150


@pytest.fixture(params=["compact", "plain"])
def lattices(request):
    rng = np.random.default_rng(11)
    make = random_compact if request.param == "compact" else random_lattice
    made = [ops.connect(make(rng)) for _ in range(NUM)]
    return [lat for lat in made if lat.start >= 0]


def costs(lat):
    return sorted(graph + acoustic for _, _, graph, acoustic, _ in all_paths(lat))


def test_best_path(lattices):
    for lat in lattices:
        path = ops.best_path(lat)
        words, labels, graph, acoustic, _ = min(all_paths(lat), key=lambda p: p[2] + p[3])
        assert path.words == list(words)
        assert path.alignment == list(labels)
        assert (path.graph_cost, path.acoustic_cost) == pytest.approx((graph, acoustic), abs=1e-4)


def test_unsorted_states_give_the_same_best_path():
    from sidamo.io.lattice import renumber_states

    rng = np.random.default_rng(12)
    for _ in range(30):
        lat = random_compact(rng)
        shuffled = renumber_states(lat, rng.permutation(lat.num_states))
        assert ops.best_path(shuffled).words == ops.best_path(lat).words


def test_nbest_are_all_paths_in_order(lattices):
    for lat in lattices[:60]:
        expected = costs(lat)
        paths = nbest_paths(lat, len(expected) + 5)
        found = [p.graph_cost + p.acoustic_cost for p in paths]
        assert found == pytest.approx(expected, abs=1e-4)
        assert len({tuple(p.arcs) for p in paths}) == len(paths)
        assert [p.graph_cost + p.acoustic_cost for p in nbest_paths(lat, 3)] == pytest.approx(expected[:3], abs=1e-4)


def test_nbest_lattices_keep_words_labels_and_costs():
    lat = random_compact(np.random.default_rng(13))
    for n in (1, 4):
        paths = nbest_paths(lat, n)
        for path, linear in zip(paths, path_lattices(paths, n)):
            again = linear_path(linear)
            assert (again.words, again.alignment) == (path.words, path.alignment)
            assert again.graph_cost == pytest.approx(path.graph_cost, abs=1e-5)


def test_random_paths_are_paths():
    lat = random_compact(np.random.default_rng(14))
    known = {p[4] for p in all_paths(ops.connect(lat))}
    assert {tuple(p.arcs.tolist()) for p in random_paths(ops.connect(lat), 50, np.random.default_rng(0))} <= known


def test_prune_keeps_exactly_what_lies_on_a_path_within_the_beam(lattices):
    rng = np.random.default_rng(15)
    for lat in lattices:
        beam = float(rng.random() * 5)
        every = all_paths(lat)
        best = min(p[2] + p[3] for p in every)
        kept = {a for p in every if p[2] + p[3] <= best + beam for a in p[4]}
        pruned = ops.prune(lat, beam)
        assert pruned.num_arcs == len(kept)
        assert costs(pruned)[0] == pytest.approx(best, abs=1e-5)
        inside = [c for c in costs(lat) if c <= best + beam - 1e-6]
        assert costs(pruned)[: len(inside)] == pytest.approx(inside, abs=1e-5)


def test_scale_and_penalty():
    lat = random_compact(np.random.default_rng(16))
    scaled = ops.add_word_ins_penalty(
        ops.scale(lat, lm_scale=2, acoustic_scale=0.5, acoustic2lm_scale=0.1, lm2acoustic_scale=-0.2), 0.75
    )
    for (words, _, g, a, _), (_, _, g2, a2, _) in zip(all_paths(lat), all_paths(scaled)):
        assert g2 == pytest.approx(2 * g + 0.1 * a + 0.75 * len(words), abs=1e-4)
        assert a2 == pytest.approx(0.5 * a - 0.2 * g, abs=1e-4)


def test_conversion_keeps_the_paths():
    rng = np.random.default_rng(17)
    for _ in range(50):
        clat = ops.connect(random_compact(rng))
        plain = to_lattice(clat)
        again = to_compact(plain)
        want = sorted((p[0], p[1], round(p[2] + p[3], 4)) for p in all_paths(clat))
        for lat in (plain, again):
            assert sorted((p[0], p[1], round(p[2] + p[3], 4)) for p in all_paths(lat)) == want
        assert again.num_states <= plain.num_states


def test_depth_and_times():
    clat = ops.connect(random_compact(np.random.default_rng(18)))
    frames = len(all_paths(clat)[0][1])
    depth, counted = ops.depth(clat)
    assert counted == frames
    arc_frames = clat.string_length.sum() + clat.final_string_length.sum()
    assert depth == pytest.approx(arc_frames / frames)
    assert ops.state_times(clat)[0].tolist() == [2 * s for s in range(clat.num_states)]


def test_union_has_the_paths_of_both():
    rng = np.random.default_rng(19)
    a, b = random_compact(rng), random_compact(rng)
    assert sorted(costs(a) + costs(b)) == pytest.approx(costs(ops.union(a, b)))


def test_compose_adds_costs_of_equal_words():
    rng = np.random.default_rng(20)
    for _ in range(40):
        a, b = random_compact(rng, num_states=4, num_arcs=6), random_compact(rng, num_states=4, num_arcs=6)
        want = sorted(
            (p[0], p[1], round(p[2] + q[2], 3), round(p[3] + q[3], 3))
            for p in all_paths(a) for q in all_paths(b) if p[0] == q[0]
        )  # fmt: skip
        found = sorted((p[0], p[1], round(p[2], 3), round(p[3], 3)) for p in all_paths(compose(a, without_strings(b))))
        assert [f[:2] for f in found] == [w[:2] for w in want]
        assert np.allclose([f[2:] for f in found], [w[2:] for w in want], atol=2e-3)


def test_sweep_is_scale_penalty_best_path():
    rng = np.random.default_rng(21)
    weights, penalties = [7, 9, 17], [0.0, 0.5, -1.0]
    for _ in range(30):
        lat = ops.scale(random_compact(rng), acoustic_scale=10.0)
        swept = sweep_words(lat, weights, penalties)
        for i, penalty in enumerate(penalties):
            for j, weight in enumerate(weights):
                one = ops.add_word_ins_penalty(ops.scale(lat, acoustic_scale=float(np.float32(1 / weight))), penalty)
                assert swept[i][j] == ops.best_path(one).words


def test_oracle_is_the_least_edit_distance():
    rng = np.random.default_rng(22)
    for _ in range(80):
        lat = ops.connect(random_compact(rng))
        reference = rng.integers(1, 5, rng.integers(0, 6)).tolist()
        wild = {2} if rng.random() < 0.4 else set()
        result = oracle(lat, reference, wild)
        ref = [w for w in reference if w not in wild]
        paths = [[w for w in p[0] if w not in wild] for p in all_paths(lat)]
        assert result.errors == min(edit_distance(p, ref) for p in paths)
        assert result.words in paths
        assert edit_distance(result.words, ref) == result.errors
        assert result.num_reference == len(ref)
        assert len(result.words) - len(ref) == result.insertions - result.deletions


def test_best_words_agree_with_enumeration_after_connect():
    lat = random_lattice(np.random.default_rng(23), num_states=9, num_arcs=25)
    assert best_by_words(ops.connect(lat)) == best_by_words(lat)


def cyclic():
    return CompactLattice.from_arcs(2, 0, [0, 1], [1, 2], [1, 1], [1, 1], [1, 0], [[1], [1]], {1: (0, 0, [])})


def test_bad_lattices_are_errors_that_name_the_key():
    with pytest.raises(DataError, match="utt5.*cycle"):
        ops.best_path(cyclic(), "utt5")
    lat = random_compact(np.random.default_rng(24))
    lat.graph_cost[2] = np.nan
    with pytest.raises(DataError, match="utt6.*graph cost nan on arc 2"):
        ops.check_costs(lat, "utt6")
    fork = random_compact(np.random.default_rng(25))
    with pytest.raises(DataError, match="(?s)utt8.*not linear.*lattice-1best"):
        linear_path(fork, "utt8")


def test_nothing_to_find():
    empty = Lattice.from_arcs(0, -1, [], [], [], [], [], [], {})
    dead = CompactLattice.from_arcs(2, 0, [0], [1], [1.0], [1.0], [1], [[1]], {})
    for lat in (empty, dead):
        assert ops.best_path(lat) is None
        assert nbest_paths(lat, 3) == []
        assert ops.prune(lat, 3.0).num_arcs == 0
    assert sweep_words(dead, [7], [0.0]) is None
    assert oracle(dead, [1]) is None
    assert ops.depth(to_compact(empty)) == (1.0, 0)
