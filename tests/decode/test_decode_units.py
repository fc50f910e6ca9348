"""The decoder's small kernels against numpy: unit tokens numbered, lattice states ranked, arcs grouped."""

import numpy as np
import pytest


@pytest.mark.parametrize("num_arcs", [0, 1, 500])
def test_units_are_numbered_by_state_then_label(num_arcs):
    from sidamo.decode.topology_kernel import number_units

    rng = np.random.default_rng(num_arcs)
    num_states, num_labels = 20, 9
    arcs = rng.integers(0, num_labels + 1, (num_arcs, 4)).astype(np.int32)  # label 0: epsilon
    arcs[:, 3] = rng.integers(0, num_states, num_arcs)
    before, emits = arcs.copy(), arcs[:, 0] != 0
    n_dest, n_label = number_units(arcs, num_states, num_labels)
    pairs = before[emits][:, [3, 0]]
    unique, number = np.unique(pairs, axis=0, return_inverse=True)
    np.testing.assert_array_equal(np.column_stack([n_dest, n_label]), unique)
    np.testing.assert_array_equal(arcs[emits, 3], number.ravel())
    np.testing.assert_array_equal(arcs[~emits], before[~emits])
    np.testing.assert_array_equal(arcs[:, :3], before[:, :3])


def test_lattice_states_are_ranked_by_frame_then_lateness_then_epsilons():
    from sidamo.decode.utterance import ranks

    rng = np.random.default_rng(7)
    for _ in range(100):
        frame = np.sort(rng.integers(0, 5, 40))
        late = rng.random(40) < 0.5
        source, target = rng.integers(0, 40, (2, 60))
        keep = (frame[source] == frame[target]) & (late[source] == late[target]) & (source < target)
        rank = ranks(np.searchsorted(frame, np.arange(5), side="right"), late, source[keep], target[keep])
        assert sorted(rank) == list(range(40))
        assert (rank[source[keep]] < rank[target[keep]]).all()
        order = np.argsort(rank)
        assert list(zip(frame[order], late[order], strict=True)) == sorted(zip(frame, late, strict=True))


def test_arcs_grouped_by_source_keep_their_order():
    from sidamo.decode.utterance import grouped

    source = np.random.default_rng(8).integers(0, 30, 500)
    order, offsets = grouped(source, 31)
    np.testing.assert_array_equal(order, np.argsort(source, kind="stable"))
    np.testing.assert_array_equal(offsets, np.searchsorted(np.sort(source), np.arange(32)))
