"""The loops as numba compiles them against the same loops run by Python."""

import numpy as np
import pytest
from lattice_oracles import random_compact
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
    for name in ("COMPILE_AFTER", "COMPILE_AFTER_WITH_NUMBA"):
        monkeypatch.setattr(kernels, name, float("inf"))
    by_python = [everything(lat) for lat in lattices]
    for name in ("COMPILE_AFTER", "COMPILE_AFTER_WITH_NUMBA"):
        monkeypatch.setattr(kernels, name, 0)
    compiled = [everything(lat) for lat in lattices]
    for a, b in zip(by_python, compiled):
        assert a.pop("numbers") == pytest.approx(b.pop("numbers"), abs=1e-9)
        assert a == b


def test_work_is_counted_until_compiling_pays(monkeypatch):
    seen = []

    @kernels.kernel
    def double(x):
        seen.append(type(x))
        return 2 * x

    monkeypatch.setattr(kernels, "_work", 0)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 100)
    monkeypatch.setattr(kernels, "numba_is_loaded", lambda: False)
    monkeypatch.setattr(kernels, "compile_function", lambda function: lambda x: "compiled")
    monkeypatch.setattr(kernels, "announce", lambda *functions: None)
    assert [double(3, steps=40), double(3, steps=40), double(3, steps=40), double(3, steps=0)] == [6, 6] + ["compiled"] * 2
    assert double.python(4) == 8


def test_with_numba_loaded_compiling_pays_sooner(monkeypatch):
    double = kernels.kernel(lambda x: 2 * x)
    monkeypatch.setattr(kernels, "_work", 0)
    monkeypatch.setattr(kernels, "compile_function", lambda function: lambda x: "compiled")
    monkeypatch.setattr(kernels, "announce", lambda *functions: None)
    monkeypatch.setattr(kernels, "numba_is_loaded", lambda: False)
    assert double(3, steps=kernels.COMPILE_AFTER_WITH_NUMBA) == 6
    monkeypatch.setattr(kernels, "numba_is_loaded", lambda: True)
    assert double(3, steps=1) == "compiled"
