"""With pruning off the fast decoders find what brute force finds: best paths, and lattices as weighted languages."""

import numpy as np
import pytest
from sidamo.decode import reference
from sidamo.decode.graph import make_graph
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.decode.search import Search
from sidamo.decode.topology_search import TopologySearch, make_topology_graph
from sidamo.io.fst import make_csr

NO_BEAM = {"beam": 1e9, "min_active": 0}


def random_graph(rng, num_states=5, num_arcs=12, num_labels=4, num_words=4):
    """A graph with epsilons (that only lead to higher states: no epsilon cycle), loops, and several final states."""
    src, dst = rng.integers(0, num_states, (2, num_arcs))
    ilabel = rng.integers(0, num_labels + 1, num_arcs)
    backwards = (ilabel == 0) & (dst <= src)
    ilabel[backwards] = rng.integers(1, num_labels + 1, backwards.sum())
    olabel = rng.integers(0, num_words + 1, num_arcs) * (rng.random(num_arcs) < 0.5)
    weight = np.round(rng.exponential(1.0, num_arcs), 3)
    final = np.where(rng.random(num_states) < 0.5, rng.exponential(1.0, num_states), np.inf)
    order = np.lexsort((ilabel, src))
    return make_csr(num_states, src[order], ilabel[order], olabel[order], weight[order], dst[order], final)


def random_loglikes(rng, frames, labels):
    x = rng.normal(0, 2, (frames, labels))
    return (x - np.log(np.exp(x).sum(axis=1, keepdims=True))).astype(np.float32)


def all_paths(fst, loglikes):
    """{(labels, words): lowest cost} over all paths; final costs where any path ends in a final state."""
    found, partial = {}, {}
    stack = [(fst.start, 0, (), (), 0.0)]
    while stack:
        state, frame, labels, words, cost = stack.pop()
        if frame == len(loglikes):
            partial[labels, words] = min(partial.get((labels, words), np.inf), cost)
            if np.isfinite(fst.final[state]):
                total = cost + float(fst.final[state])
                found[labels, words] = min(found.get((labels, words), np.inf), total)
        for a in range(fst.offsets[state], fst.offsets[state + 1]):
            label, word = int(fst.ilabel[a]), int(fst.olabel[a])
            if label and frame == len(loglikes):
                continue
            step = float(fst.weight[a]) - (float(loglikes[frame, label - 1]) if label else 0.0)
            stack.append((
                int(fst.nextstate[a]), frame + (label > 0), labels + (label,) * (label > 0),
                words + (word,) * (word > 0), cost + step,
            ))  # fmt: skip
    return found or partial


def lattice_paths(lat):
    """{(labels, words): lowest graph + acoustic cost} of a Lattice."""
    found = {}
    stack = [(lat.start, (), (), 0.0)] if lat.start >= 0 else []
    while stack:
        state, labels, words, cost = stack.pop()
        if np.isfinite(lat.final_graph[state]):
            total = cost + lat.final_graph[state] + lat.final_acoustic[state]
            found[labels, words] = min(found.get((labels, words), np.inf), total)
        for a in range(lat.offsets[state], lat.offsets[state + 1]):
            label, word = int(lat.ilabel[a]), int(lat.olabel[a])
            stack.append((
                int(lat.nextstate[a]), labels + (label,) * (label > 0), words + (word,) * (word > 0),
                cost + lat.graph_cost[a] + lat.acoustic_cost[a],
            ))  # fmt: skip
    return found


def assert_same_language(found, expected):
    assert found.keys() == expected.keys()
    for key, cost in expected.items():
        assert found[key] == pytest.approx(cost, abs=1e-4)


def cost_of(path):
    return path.graph_cost + path.acoustic_cost


def test_best_path_equals_reference_and_brute_force():
    rng = np.random.default_rng(1)
    compared = 0
    for _ in range(2000):
        fst = random_graph(rng)
        loglikes = random_loglikes(rng, int(rng.integers(1, 5)), 4)
        expected = all_paths(fst, loglikes)
        search = Search(make_graph(fst), DecoderOptions(**NO_BEAM))
        search.advance(loglikes)
        told = reference.decode(fst, loglikes)
        if not expected:
            assert told is None and not search.alive
            continue
        compared += 1
        path = search.best_path()
        best = min(expected.values())
        assert told[2] == pytest.approx(best, abs=1e-4)
        assert cost_of(path) == pytest.approx(best, abs=1e-4)
        assert expected[tuple(path.labels), tuple(path.words)] == pytest.approx(best, abs=1e-4)
    assert compared > 1000


def test_lattice_is_the_whole_language():
    rng = np.random.default_rng(2)
    for _ in range(1000):
        fst = random_graph(rng)
        loglikes = random_loglikes(rng, int(rng.integers(1, 4)), 4)
        expected = all_paths(fst, loglikes)
        search = Search(make_graph(fst), LatticeOptions(lattice_beam=1e9, **NO_BEAM))
        search.advance(loglikes)
        if not search.alive:
            assert not expected
            continue
        lat = search.raw_lattice()
        assert np.all(lat.nextstate > lat.arc_source()), "states are in topological order"
        assert_same_language(lattice_paths(lat), expected)


def test_lattice_beam_keeps_exactly_what_is_within_it():
    rng = np.random.default_rng(3)
    for _ in range(500):
        fst = random_graph(rng)
        loglikes = random_loglikes(rng, int(rng.integers(1, 4)), 4)
        expected = all_paths(fst, loglikes)
        search = Search(make_graph(fst), LatticeOptions(lattice_beam=2.0, **NO_BEAM))
        search.advance(loglikes)
        if not search.alive:
            continue
        found = lattice_paths(search.raw_lattice())
        best = min(expected.values())
        for key, cost in expected.items():
            if cost <= best + 2.0 - 1e-4:
                assert found[key] == pytest.approx(cost, abs=1e-4)
        assert found.keys() <= expected.keys()


def test_best_path_equals_openfst():
    pynini = pytest.importorskip("pynini")
    from sidamo.io.fst import fst_to_bytes

    rng = np.random.default_rng(4)
    for _ in range(300):
        fst = random_graph(rng, num_states=8, num_arcs=30, num_labels=5)
        loglikes = random_loglikes(rng, 12, 5)
        frames = make_csr(
            13, np.repeat(np.arange(12), 5), np.tile(np.arange(1, 6), 12), np.tile(np.arange(1, 6), 12),
            -loglikes.ravel(), np.repeat(np.arange(1, 13), 5), {12: 0.0},
        )  # fmt: skip
        frames, graph = (pynini.Fst.read_from_string(fst_to_bytes(f)) for f in (frames, fst))
        best = pynini.shortestpath(pynini.compose(frames, graph))
        search = Search(make_graph(fst), DecoderOptions(**NO_BEAM))
        search.advance(loglikes)
        if best.start() < 0:
            assert not search.alive or not search.reached_final
            continue
        cost = float(pynini.shortestdistance(best, reverse=True)[best.start()])
        assert cost_of(search.best_path()) == pytest.approx(cost, abs=1e-4)


# ------------------------------------------------------------------------------------- the topology inside the decoder


def random_lg(rng, num_states=5, num_arcs=9, num_units=3):
    """LG over units 2..4 with epsilons forwards, and disambiguation symbols 5 and 6 forwards."""
    fst = random_graph(rng, num_states, num_arcs, num_units)
    fst.ilabel[fst.ilabel > 0] += 1
    disambig = (fst.ilabel == 0) & (rng.random(fst.num_arcs) < 0.5)
    fst.ilabel[disambig] = rng.integers(5, 7, disambig.sum())
    return fst


def allowed(labels, topology):
    """Does LG take an arc at each of these frames? All ways of reading a frame string: sets of token beginnings."""
    ways = [()]
    for t, label in enumerate(labels):
        before = labels[t - 1] if t else 1
        following = []
        for way in ways:
            if label == 1:
                following.append(way)
                continue
            if topology == "minimal" or before != label:
                following.append(way + (label,))
                continue
            following.append(way)  # it lasts
            if topology == "modified":
                following.append(way + (label,))
        ways = following
    return set(ways)


def topology_paths(lg, loglikes, topology):
    """{(labels, words): lowest cost} of LG under a topology, by enumeration of frame strings and of LG's paths."""
    import itertools

    found, partial = {}, {}
    frames, columns = loglikes.shape
    by_units = unit_paths(lg, frames)
    for labels in itertools.product(range(1, columns + 1), repeat=frames):
        acoustic = -float(sum(np.float64(loglikes[t, label - 1]) for t, label in enumerate(labels)))
        for units in allowed(labels, topology):
            for (words, is_final), cost in by_units.get(units, {}).items():
                into = found if is_final else partial
                into[labels, words] = min(into.get((labels, words), np.inf), cost + acoustic)
    return found or partial


def unit_paths(lg, most):
    """units -> {(words, ends in a final state): lowest cost}."""
    table = {}
    stack = [(lg.start, (), (), 0.0)]
    while stack:
        state, units, words, cost = stack.pop()
        here = table.setdefault(units, {})
        here[words, False] = min(here.get((words, False), np.inf), cost)
        if np.isfinite(lg.final[state]):
            here[words, True] = min(here.get((words, True), np.inf), cost + float(lg.final[state]))
        for a in range(lg.offsets[state], lg.offsets[state + 1]):
            label, word = int(lg.ilabel[a]), int(lg.olabel[a])
            unit = (label,) * (2 <= label < 5)
            if len(units) + len(unit) <= most:
                step = (int(lg.nextstate[a]), units + unit, words + (word,) * (word > 0), cost + float(lg.weight[a]))
                stack.append(step)
    return table


@pytest.mark.parametrize("topology", ["correct", "modified", "minimal"])
def test_topology_inside_equals_enumeration(topology):
    rng = np.random.default_rng(5)
    compared = 0
    for _ in range(400):
        lg = random_lg(rng)
        loglikes = random_loglikes(rng, int(rng.integers(1, 5)), 4)
        expected = topology_paths(lg, loglikes, topology)
        graph = make_topology_graph(lg, topology, first_disambig=5)
        search = TopologySearch(graph, LatticeOptions(lattice_beam=1e9, **NO_BEAM))
        search.advance(loglikes)
        path = search.best_path()
        best = min(expected.values())
        assert cost_of(path) == pytest.approx(best, abs=1e-4)
        assert expected[tuple(path.labels), tuple(path.words)] == pytest.approx(best, abs=1e-4)
        assert_same_language(lattice_paths(search.raw_lattice()), expected)
        compared += len(expected) > 1
    assert compared > 200


@pytest.mark.parametrize("topology", ["correct", "modified"])
def test_lattice_beam_with_the_topology_inside(topology):
    """Nothing within the beam is lost, though hubs forget what their last frame was."""
    rng = np.random.default_rng(9)
    for _ in range(300):
        lg = random_lg(rng)
        loglikes = random_loglikes(rng, int(rng.integers(1, 5)), 4)
        expected = topology_paths(lg, loglikes, topology)
        search = TopologySearch(make_topology_graph(lg, topology, 5), LatticeOptions(lattice_beam=2.0, **NO_BEAM))
        search.advance(loglikes)
        found = lattice_paths(search.raw_lattice())
        best = min(expected.values())
        for key, cost in expected.items():
            if cost <= best + 2.0 - 1e-4:
                assert found[key] == pytest.approx(cost, abs=1e-4)
        assert found.keys() <= expected.keys()


@pytest.mark.parametrize("topology", ["correct", "compact", "modified", "minimal"])
def test_topology_inside_equals_composed_graph(topology):
    """LG with the topology inside, against TLG composed by OpenFst and decoded by the other kernel, with a beam."""
    pynini = pytest.importorskip("pynini")
    from sidamo.io.fst import fst_to_bytes, read_fst
    from sidamo.lang.topology import token_fst

    rng = np.random.default_rng(6)
    t = token_fst(topology, [2, 3, 4, 7, 8], [5, 6])
    for _ in range(100):
        lg = random_lg(rng, num_states=12, num_arcs=50)
        tlg = pynini.compose(
            pynini.Fst.read_from_string(fst_to_bytes(t)).arcsort("olabel"),
            pynini.Fst.read_from_string(fst_to_bytes(lg)).arcsort("ilabel"),
        )
        tlg = read_fst(tlg.write_to_string())
        if tlg.start < 0:  # OpenFst dropped everything: no final state can be reached
            continue
        loglikes = random_loglikes(rng, 25, 8)
        composed = Search(make_graph(tlg), DecoderOptions(**NO_BEAM))
        inside = TopologySearch(make_topology_graph(lg, topology, 5), LatticeOptions(beam=30.0, lattice_beam=4.0))
        composed.advance(loglikes)
        inside.advance(loglikes)
        assert composed.reached_final == inside.reached_final
        if inside.reached_final:
            assert cost_of(inside.best_path()) == pytest.approx(cost_of(composed.best_path()), abs=1e-3)
