"""The loops as numba compiles them against the same loops run by Python."""

import sys

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
    monkeypatch.setattr(kernels, "is_worth_it", lambda kernel, work: False)
    by_python = [everything(lat) for lat in lattices]
    monkeypatch.setattr(kernels, "is_worth_it", lambda kernel, work: True)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 0)
    compiled = [everything(lat) for lat in lattices]
    for a, b in zip(by_python, compiled):
        assert a.pop("numbers") == pytest.approx(b.pop("numbers"), abs=1e-9)
        assert a == b


class Compiled:
    """Stands for a native kernel; `kept` says whether it was compiled in an earlier run."""

    def __init__(self, kept: bool):
        self.kept = kept

    def is_kept(self):
        return self.kept

    def __call__(self, x):
        return "compiled"


def test_work_is_counted_until_compiling_pays(monkeypatch):
    monkeypatch.setattr(kernels, "jit", lambda function: Compiled(kept=False))
    monkeypatch.setattr(kernels, "_work", 0)
    monkeypatch.setattr(kernels, "COMPILE_AFTER", 100)
    monkeypatch.setattr(kernels.is_worth_it, "__defaults__", (50, 10, 100))
    double = kernels.kernel(lambda x: 2 * x)
    assert [double(3, steps=40), double(3, steps=40), double(3, steps=40), double(3, steps=0)] == [6, 6] + ["compiled"] * 2
    assert double.python(4) == 8


def test_what_was_compiled_before_is_used_sooner(monkeypatch):
    """Sooner still where machine code has been loaded already, as in the decoder."""
    without = {name: module for name, module in sys.modules.items() if name != "llvmlite"}
    for modules, enough in ((without, kernels.LOAD_AFTER), ({**without, "llvmlite": None}, kernels.LOAD_NEXT_AFTER)):
        monkeypatch.setattr(kernels.sys, "modules", modules)
        assert kernels.is_worth_it(Compiled(kept=True), enough)
        assert not kernels.is_worth_it(Compiled(kept=True), enough - 1)
        assert not kernels.is_worth_it(Compiled(kept=False), kernels.COMPILE_AFTER - 1)
        assert kernels.is_worth_it(Compiled(kept=False), kernels.COMPILE_AFTER)
