"""The loops as numba compiles them against the same loops run by Python."""

import numpy as np
import pytest
from lattice_oracles import random_compact
from sidamo.io.native import Kernel
from sidamo.lattice import kernels, ops
from sidamo.lattice.mbr import decode
from sidamo.lattice.sweep import sweep_words


def everything(lat):
    """Results of all operations that loop over arcs."""
    lat = ops.connect(lat)
    path = ops.best_path(lat)
    mbr = decode(lat)
    return {
        "best": (path.words, path.graph_cost, path.acoustic_cost),
        "backward": ops.backward_costs(lat).tolist(),
        "pruned": ops.prune(lat, 2.0).num_arcs,
        "times": ops.state_times(lat)[0].tolist(),
        "mbr": mbr.words,
        "numbers": [mbr.bayes_risk, *np.ravel(mbr.sausage_times)],
        "sweep": sweep_words(lat, [7, 12], [0.0, 1.0]),
    }


def test_compiled_loops_give_the_same(monkeypatch):
    rng = np.random.default_rng(71)
    lattices = [random_compact(rng, num_states=9, num_arcs=30) for _ in range(20)]
    monkeypatch.setattr(Kernel, "pays", lambda *_: False)
    by_python = [everything(lat) for lat in lattices]
    monkeypatch.setattr(Kernel, "pays", lambda *_: True)
    compiled = [everything(lat) for lat in lattices]
    for a, b in zip(by_python, compiled):
        assert a.pop("numbers") == pytest.approx(b.pop("numbers"), abs=1e-9)
        assert a == b


def test_work_is_counted_until_compiling_pays(monkeypatch):
    seconds = []

    class Compiled:
        def __init__(self, function):
            pass

        def pays(self, so_far):
            seconds.append(so_far)
            return so_far > 0.1

        def __call__(self, x):
            return "compiled"

    monkeypatch.setattr(kernels, "jit", Compiled)
    monkeypatch.setattr(kernels, "_seconds", 0.0)
    double = kernels.kernel(lambda x: 2 * x)
    steps = int(0.04 / kernels.SECONDS_A_STEP)
    assert [double(3, steps=n) for n in (steps, steps, steps, 0)] == [6, 6, "compiled", "compiled"]
    assert seconds == pytest.approx([0.04, 0.08, 0.12], rel=1e-4)
    assert double.python(4) == 8
