"""Starting the decoder: unit tokens numbered as numpy's sorting does."""

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
