"""OpenFst files: round trips, pynini as the other reader, damaged files."""

import struct

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, count_properties, fst_to_bytes, make_csr, read_fst, write_fst
from sidamo.io.fst_text import compile_fst, print_fst

pynini = pytest.importorskip("pynini")


def random_fst(seed, num_states=30, num_arcs=90):
    rng = np.random.default_rng(seed)
    final = np.where(rng.random(num_states) < 0.3, rng.random(num_states), np.inf).astype(np.float32)
    return make_csr(num_states, rng.integers(0, num_states, num_arcs), rng.integers(0, 9, num_arcs),
                    rng.integers(0, 9, num_arcs), rng.random(num_arcs), rng.integers(0, num_states, num_arcs), final)  # fmt: skip


def same(a: CsrFst, b: CsrFst) -> bool:
    names = ("final", "offsets", "ilabel", "olabel", "weight", "nextstate")
    return a.start == b.start and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


@pytest.mark.parametrize("kind", ["vector", "const"])
@pytest.mark.parametrize("seed", range(4))
def test_round_trip(tmp_path, kind, seed):
    fst = random_fst(seed, num_states=1 + 20 * seed, num_arcs=60 * seed)
    write_fst(tmp_path / "x.fst", fst, kind)
    assert same(read_fst(tmp_path / "x.fst"), fst)
    assert same(read_fst(str(tmp_path / "x.fst")), fst) and not list(tmp_path.glob("*.tmp*"))


@pytest.mark.parametrize("kind", ["vector", "const"])
def test_pynini_reads_and_writes_the_same(kind):
    fst = random_fst(1)
    theirs = pynini.Fst.read_from_string(fst_to_bytes(fst, "vector"))
    assert theirs.num_states() == fst.num_states
    assert same(read_fst(theirs.write_to_string()), fst)
    import pywrapfst

    assert same(read_fst(pywrapfst.convert(theirs, kind).write_to_string()), fst)


def test_properties_are_true():
    """What the header claims is what pynini finds when it looks."""
    import pywrapfst

    for seed in range(20):
        fst = random_fst(seed, num_states=6, num_arcs=8)
        if seed % 2:
            fst = arcsort(fst, "ilabel" if seed % 4 == 1 else "olabel")
        theirs = pynini.Fst.read_from_string(fst_to_bytes(fst, "vector", properties=0))
        claimed = count_properties(fst)
        for single in pywrapfst.FstProperties:
            if bin(single.value).count("1") == 1 and single.value & claimed:
                assert theirs.properties(single, True) == single, single


def test_symbols_and_log_arcs(tmp_path):
    fst = random_fst(2, num_states=3, num_arcs=2)
    fst.isymbols, fst.osymbols, fst.arc_type = {0: "<eps>", 1: "ä"}, {0: "<eps>", 5: "b"}, "log"
    write_fst(tmp_path / "x.fst", fst)
    again = read_fst(tmp_path / "x.fst")
    assert again.isymbols == fst.isymbols and again.osymbols == fst.osymbols and again.arc_type == "log"


def test_golden_files_are_written_to_the_byte(golden):
    for path in sorted(golden.glob("ctc/*.fst")) + sorted(golden.glob("graph/*.fst")) + sorted(golden.glob("arpa/*.G.fst")):
        fst = read_fst(path)
        assert fst_to_bytes(fst, "vector", fst.properties) == path.read_bytes(), path


def test_arcsort_is_stable_and_sorted():
    fst = random_fst(3, num_states=5, num_arcs=200)
    done = arcsort(fst, "olabel")
    for state in range(5):
        part, before = done.arcs_of(state), fst.arcs_of(state)
        keys = list(zip(done.olabel[part].tolist(), done.ilabel[part].tolist()))
        assert keys == sorted(keys)
        rows = sorted(zip(fst.olabel[before].tolist(), fst.ilabel[before].tolist(), range(before.stop - before.start)))
        assert np.array_equal(done.weight[part], fst.weight[before][[k for *_, k in rows]])


def test_text_round_trip():
    fst = random_fst(4, num_states=10, num_arcs=30)
    again = compile_fst(print_fst(fst), keep_numbers=True)
    assert again.num_arcs == fst.num_arcs and np.allclose(again.weight, fst.weight, atol=1e-7)
    text = b"0 1 a x 0.5\n1 2 b <eps>\n2 1.5\n"
    tables = {"<eps>": 0, "a": 1, "b": 2, "x": 3}
    fst = compile_fst(text, tables, tables)
    names = {k: symbol for symbol, k in tables.items()}
    assert print_fst(fst, names, names) == b"0\t1\ta\tx\t0.5\n1\t2\tb\t<eps>\n2\t1.5\n"


@pytest.mark.parametrize("kind", ["vector", "const"])
def test_every_truncation_is_noticed(kind):
    data = fst_to_bytes(random_fst(5, num_states=5, num_arcs=9), kind)
    for size in range(len(data)):
        with pytest.raises(DataError, match="truncated|not an OpenFst|length"):
            read_fst(data[:size])


def test_bad_files(tmp_path):
    with pytest.raises(DataError, match="no such FST file"):
        read_fst(tmp_path / "absent.fst")
    with pytest.raises(DataError, match="(?s)not an OpenFst binary file.*fstcompile"):
        read_fst(b"0 1 a b\n")
    data = fst_to_bytes(random_fst(6))
    with pytest.raises(DataError, match="(?s)FST of type vector, arcs lattice4.*fstconvert"):
        read_fst(data.replace(struct.pack("<i", 8) + b"standard", struct.pack("<i", 8) + b"lattice4"))
    fst = random_fst(6)
    fst.nextstate[3] = 999
    with pytest.raises(DataError, match=r"an arc leads to a state outside 0\.\.29"):
        read_fst(fst_to_bytes(fst))
    with pytest.raises(DataError, match="x:1: symbol 'q' is not in the symbol table"):
        compile_fst(b"0 1 q a\n", {"a": 1}, {"a": 1}, name="x")
    with pytest.raises(DataError, match="x:2: 6 fields"):
        compile_fst(b"0 1 1 1\n0 1 1 1 1 1\n", name="x")
