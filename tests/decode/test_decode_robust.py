"""What a decoder may meet: NaN, nothing, no survivor, long audio, small room; never a crash, never a lost utterance."""

import numpy as np
import pytest
from sidamo.decode import kernel, utterance
from sidamo.decode import search as search_module
from sidamo.decode import topology_search as topology_module
from sidamo.decode.graph import make_graph
from sidamo.decode.options import DecoderOptions, LatticeOptions
from sidamo.decode.parallel import in_order
from sidamo.decode.search import Search
from sidamo.decode.topology_search import TopologySearch, make_topology_graph
from sidamo.decode.utterance import BadMatrix, frames_of_blank
from sidamo.io.errors import CheckFailed, DataError, OptionError
from sidamo.io.fst import make_csr


def loop_lg(num_words=40, seed=0):
    """LG of a bigram-like loop: words of 2 to 5 units over 9 units, with back-off epsilons (label 11 is #0)."""
    rng = np.random.default_rng(seed)
    arcs, states = [], 2  # state 0: history; state 1: no history
    arcs.append((0, 11, 0, 0.7, 1))
    arcs.append((1, 0, 0, 0.3, 0))
    arcs.pop()  # no epsilon cycle
    for word in range(1, num_words + 1):
        units = rng.integers(2, 11, rng.integers(2, 6))
        for begin in (0, 1):
            state = begin
            for k, unit in enumerate(units):
                last = k + 1 == len(units)
                target = int(rng.integers(0, 2)) if last else states
                arcs.append((state, int(unit), word if k == 0 else 0, float(rng.exponential(1.0)) * (k == 0), target))
                state = target
                states += not last
    arcs.sort(key=lambda a: (a[0], a[1]))
    columns = list(zip(*arcs, strict=True))
    return make_csr(states, *columns, {0: 0.5, 1: 0.5})


def compose_correct(lg):
    from sidamo.io.fst import fst_to_bytes, read_fst
    from sidamo.lang.topology import token_fst

    pynini = pytest.importorskip("pynini")
    t = pynini.Fst.read_from_string(fst_to_bytes(token_fst("correct", list(range(2, 11)), [11]))).arcsort("olabel")
    return read_fst(pynini.compose(t, pynini.Fst.read_from_string(fst_to_bytes(lg))).write_to_string())


def loglikes(frames=60, seed=1, columns=10):
    x = np.random.default_rng(seed).normal(0, 2.5, (frames, columns))
    x[:, 0] += 3.0
    return (x - np.log(np.exp(x).sum(axis=1, keepdims=True))).astype(np.float32)


@pytest.fixture(scope="module")
def kinds():
    lg = loop_lg()
    return {
        "TLG": lambda options, **more: Search(make_graph(compose_correct(lg)), options, **more),
        "LG": lambda options, **more: TopologySearch(make_topology_graph(lg, "correct", 11), options, **more),
    }


def cost_of(path):
    return path.graph_cost + path.acoustic_cost


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_nan_and_infinity_name_the_place(kind, kinds):
    search = kinds[kind](DecoderOptions())
    matrix = loglikes()
    matrix[7, 3] = np.nan
    with pytest.raises(BadMatrix, match="log-likelihood nan at frame 7, column 3"):
        search.advance(matrix)
    matrix[7, 3] = np.inf
    with pytest.raises(BadMatrix, match="log-likelihood inf at frame 7"):
        search.advance(matrix)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_too_few_columns(kind, kinds):
    with pytest.raises(DataError, match="matrix of size 60 x 5: the graph has labels up to 10"):
        kinds[kind](DecoderOptions()).advance(loglikes(columns=5))


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_no_survivor_leaves_a_partial_result(kind, kinds):
    """A frame on which everything is impossible: what was decoded before it is kept."""
    matrix = loglikes()
    matrix[20] = -np.inf
    search = kinds[kind](LatticeOptions(beam=12.0))
    search.advance(matrix)
    assert not search.alive and search.num_frames == 20
    before = kinds[kind](LatticeOptions(beam=12.0))
    before.advance(matrix[:20])
    assert cost_of(search.best_path()) == pytest.approx(cost_of(before.best_path()))
    assert search.raw_lattice().num_states > 0
    search.reset()
    search.advance(loglikes())
    assert search.alive and search.num_frames == 60


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_impossible_labels_are_avoided(kind, kinds):
    matrix = loglikes()
    matrix[:, 4] = -np.inf
    search = kinds[kind](DecoderOptions())
    search.advance(matrix)
    assert 5 not in search.best_path().labels


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_nothing_to_decode(kind, kinds):
    search = kinds[kind](LatticeOptions())
    search.advance(np.zeros((0, 10), np.float32))
    path = search.best_path()
    assert path.num_frames == 0 and len(path.words) == 0
    assert search.raw_lattice().num_states > 0


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_chunks_change_nothing(kind, kinds):
    matrix = loglikes(200)
    whole, parts = kinds[kind](LatticeOptions(beam=9.0)), kinds[kind](LatticeOptions(beam=9.0))
    whole.advance(matrix)
    for begin in range(0, 200, 7):
        parts.advance(matrix[begin : begin + 7])
    assert list(whole.best_path().labels) == list(parts.best_path().labels)
    assert cost_of(whole.best_path()) == cost_of(parts.best_path())
    a, b = whole.raw_lattice(), parts.raw_lattice()
    assert (a.num_states, a.num_arcs) == (b.num_states, b.num_arcs)
    np.testing.assert_array_equal(a.graph_cost, b.graph_cost)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_small_rooms_change_nothing(kind, kinds, monkeypatch):
    """Arrays that must grow, back-pointers that are compacted, lattices that are pruned on the way."""
    matrix = loglikes(400)
    plain = kinds[kind](LatticeOptions(beam=10.0, lattice_beam=5.0))
    plain.advance(matrix)
    best, lattice = plain.best_path(), plain.raw_lattice()
    monkeypatch.setattr(utterance, "FIRST_LINKS", 256)
    for module in (search_module, topology_module):
        monkeypatch.setattr(module, "FIRST_TOKENS", 256)
        monkeypatch.setattr(module, "FIRST_TRIES", 64)
        monkeypatch.setattr(module, "PRUNE_AT", 100)
    monkeypatch.setattr(topology_module, "FIRST_POINTERS", 64)
    monkeypatch.setattr(topology_module, "FIRST_NODES", 512)
    for options in (DecoderOptions(beam=10.0, min_active=200), LatticeOptions(beam=10.0, lattice_beam=5.0)):
        tight = kinds[kind](options)
        for _ in range(2):
            tight.reset()
            tight.advance(matrix)
            assert list(tight.best_path().words) == list(best.words)
            assert cost_of(tight.best_path()) == pytest.approx(cost_of(best), abs=1e-3)
    found = tight.raw_lattice()
    assert abs(found.num_arcs - lattice.num_arcs) <= 0.02 * lattice.num_arcs
    assert found.graph_cost.sum() == pytest.approx(lattice.graph_cost.sum(), rel=0.05)


def test_compaction_keeps_the_path(monkeypatch):
    """The best path's tokens of a long utterance are compacted again and again."""
    graph = make_graph(compose_correct(loop_lg()))
    matrix = loglikes(3000)
    plain = Search(graph, DecoderOptions(beam=8.0))
    plain.advance(matrix)
    tight = Search(graph, DecoderOptions(beam=8.0))
    tight._tokens = tight._tokens[: 1 << 15].copy()

    def compact_only(code):
        assert code == kernel.TOKENS_FULL
        begin, end = int(tight._position[kernel.BEGIN]), int(tight._position[kernel.END])
        kept = kernel.compact(tight._tokens, end, np.arange(begin, end, dtype=np.int32), np.empty(end, np.int32))
        tight._position[kernel.BEGIN], tight._position[kernel.END] = kept - (end - begin), kept
        tight._forget_slots()

    monkeypatch.setattr(tight, "_make_room", compact_only)
    tight.reset()
    tight.advance(matrix)
    assert list(tight.best_path().labels) == list(plain.best_path().labels)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_max_active_and_min_active(kind, kinds):
    matrix = loglikes(80)
    wide = kinds[kind](DecoderOptions(beam=30.0))
    wide.advance(matrix)
    few = kinds[kind](DecoderOptions(beam=30.0, max_active=30, min_active=5))
    few.advance(matrix)
    assert cost_of(few.best_path()) >= cost_of(wide.best_path()) - 1e-4
    kept = kinds[kind](DecoderOptions(beam=0.5, min_active=10_000))
    kept.advance(matrix)
    assert cost_of(kept.best_path()) == pytest.approx(cost_of(wide.best_path()), abs=1e-3), "min-active is looser"


def test_kth_smallest_is_what_sorting_finds():
    from sidamo.decode.kernel import NUM_BINS, kth_smallest

    rng = np.random.default_rng(0)
    bins = np.zeros(NUM_BINS, np.int64)
    for _ in range(200):
        cost = rng.exponential(3.0, rng.integers(5, 400)).astype(np.float32)
        k = int(rng.integers(0, len(cost)))
        found = kth_smallest(cost, len(cost), k, cost.min(), cost.max(), bins)
        assert found == pytest.approx(np.sort(cost)[k], abs=1e-4)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_skipped_frames_are_blank(kind, kinds):
    """Frames above the threshold follow blanks; with sure blanks nothing is lost, and equal tokens stay two."""
    matrix = loglikes(120)
    matrix[::2] = np.log(np.array([0.995] + [0.005 / 9] * 9, np.float32))
    skip = frames_of_blank(matrix, 0.98)
    assert skip[::2].all()
    plain, fast = kinds[kind](DecoderOptions()), kinds[kind](DecoderOptions(blank_skip_thresh=0.98))
    plain.advance(matrix)
    fast.advance(matrix)
    assert (fast.best_path().labels[skip] == 1).all()
    assert list(fast.best_path().words) == list(plain.best_path().words)
    assert cost_of(fast.best_path()) == pytest.approx(cost_of(plain.best_path()), abs=1e-3)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_threads_give_what_one_gives_in_order(kind, kinds):
    matrices = [loglikes(40 + i, seed=i) for i in range(12)]

    def worker():
        search = kinds[kind](DecoderOptions(beam=10.0))

        def work(key, matrix):
            search.reset()
            search.advance(matrix)
            return key, list(search.best_path().words)

        return work

    one = list(in_order(enumerate(matrices), worker, 1))
    assert list(in_order(enumerate(matrices), worker, 3)) == one
    assert [key for key, _ in one] == list(range(12))


def test_both_kinds_agree(kinds):
    for seed in range(10):
        matrix = loglikes(100, seed=seed)
        results = []
        for kind in ("TLG", "LG"):
            search = kinds[kind](DecoderOptions(beam=14.0))
            search.advance(matrix)
            results.append(search.best_path())
        assert list(results[0].words) == list(results[1].words)
        assert cost_of(results[0]) == pytest.approx(cost_of(results[1]), abs=1e-3)


@pytest.mark.parametrize("options, message", [
    ({"beam": 0.0}, "--beam=0.0: must be above 0 for lattices"),
    ({"beam": -1.0}, "--beam=-1.0: a beam must not be below 0"),
    ({"beam": float("nan")}, "--beam=nan"),
    ({"max_active": 1}, "--max-active=1"),
    ({"max_active": 10}, "--min-active=200: must be at least 0 and not above --max-active=10"),
    ({"lattice_beam": 0.0}, "--lattice-beam=0.0"),
    ({"prune_interval": 0}, "--prune-interval=0"),
    ({"beam_delta": 0.0}, "--beam-delta=0.0"),
    ({"blank_skip_thresh": 0.0}, "--blank-skip-thresh=0.0"),
])  # fmt: skip
def test_options_that_cannot_work(options, message):
    with pytest.raises((CheckFailed, OptionError), match=message):
        LatticeOptions(**options)


@pytest.mark.parametrize("kind", ["TLG", "LG"])
def test_beam_of_zero(kind, kinds):
    """min-active keeps a result; without it nothing survives, and that is a partial result of no frames."""
    search = kinds[kind](DecoderOptions(beam=0.0))
    search.advance(loglikes())
    assert search.best_path().num_frames == 60
    search = kinds[kind](DecoderOptions(beam=0.0, min_active=0))
    search.advance(loglikes())
    assert not search.alive and search.best_path().num_frames == search.num_frames < 60


def test_empty_graph_and_wrong_topology():
    with pytest.raises(DataError, match="the graph is empty"):
        make_graph(make_csr(0, [], [], [], [], [], {}))
    with pytest.raises(DataError, match="'eesen' cannot be carried inside"):
        make_topology_graph(loop_lg(), "eesen")
