"""Kaldi's lattice files: forms that Kaldi writes and forms that it only reads; damage at every byte."""

import io
import struct

import numpy as np
import pytest
from lattice_oracles import all_paths, random_compact, random_lattice
from sidamo.io import lattice as lt
from sidamo.io.errors import DataError
from sidamo.io.tables import RandomAccessReader, SequentialReader, Writer


def read(data: bytes, **options):
    return lt.read_lattice(io.BytesIO(data), **options)


def same(a, b):
    return lt.to_text(a) == lt.to_text(b) and type(a) is type(b)


@pytest.mark.parametrize("make", [random_lattice, random_compact])
def test_binary_and_text_round_trip(make):
    rng = np.random.default_rng(61)
    for _ in range(30):
        lat = make(rng)
        binary = read(lt.to_bytes(lat), compact=None)
        assert lt.to_bytes(binary) == lt.to_bytes(lat)
        assert same(read(lt.to_text(binary).encode(), compact=None), binary)


def test_start_state_comes_first_in_text():
    text = b"\n3\t0\t7\t1,2,5\n0\t0.5,0,\n\n"
    lat = read(text, compact=None)
    assert (lat.start, lat.num_states) == (3, 4)
    assert all_paths(lat)[0][:2] == ((7,), (5,))
    # States that nothing leads to or from are printed as Kaldi prints them.
    assert lt.to_text(lat).splitlines()[1:-1] == [
        "3\t0\t7\t1,2,5", "0\t0.5,0,", "1\tInfinity,Infinity,", "2\tInfinity,Infinity,"
    ]  # fmt: skip


def test_weights_may_be_left_out_where_they_are_one():
    compact = read(b"\n0\t1\t7\n1\n\n", compact=None)
    assert isinstance(compact, lt.CompactLattice) and compact.graph_cost[0] == 0
    plain = read(b"\n0\t1\t4\t7\n1\n\n", compact=None)
    assert isinstance(plain, lt.Lattice) and plain.ilabel[0] == 4
    assert lt.to_text(plain) == "\n0\t1\t4\t7\n1\n\n"


def test_float64_costs_are_read():
    def body(real, arc_type):
        head = struct.pack("<ii6si", lt.FST_MAGIC, 6, b"vector", len(arc_type)) + arc_type
        head += struct.pack("<iiQqqq", 2, 0, 3, 0, 2, 0)
        infinity = float("inf")
        states = struct.pack(f"<2{real}iq", infinity, infinity, 0, 1) + struct.pack(f"<ii2{real}i", 7, 7, 1.25, -2.5, 2)
        states += struct.pack("<iii", 3, 4, 1) + struct.pack(f"<2{real}iq", 0.5, 0.0, 0, 0)
        return head + states

    single, double = read(body("f", b"compactlattice44"), compact=None), read(body("d", b"compactlattice84"), compact=None)
    assert same(single, double)
    assert all_paths(double) == [((7,), (3, 4), 1.75, -2.5, (0,))]


def test_each_type_is_read_as_the_other():
    compact = random_compact(np.random.default_rng(62))
    want = sorted((p[0], p[1]) for p in all_paths(compact))
    plain = read(lt.to_bytes(compact))
    assert isinstance(plain, lt.Lattice)
    assert sorted((p[0], p[1]) for p in all_paths(plain)) == want
    again = lt.read_compact_lattice(io.BytesIO(lt.to_text(plain).encode()))
    assert isinstance(again, lt.CompactLattice)
    assert sorted((p[0], p[1]) for p in all_paths(again)) == want


def test_empty_lattices():
    for lat in (lt.empty_lattice(), lt.empty_compact_lattice()):
        assert read(lt.to_bytes(lat), compact=None).num_states == 0
        assert lt.to_text(lat) == "\n\n"
        assert read(b"\n\n", compact=isinstance(lat, lt.CompactLattice)).start == -1


def test_archives_with_scp_and_gzip(tmp_path):
    rng = np.random.default_rng(63)
    lats = {f"utt{i}": random_compact(rng) for i in range(4)}
    for spec in (f"ark,scp:{tmp_path}/a.ark,{tmp_path}/a.scp", f"ark:{tmp_path}/a.gz", f"ark,t:{tmp_path}/a.txt"):
        with Writer(spec, "compact_lattice") as writer:
            for key, lat in lats.items():
                writer.write(key, lat)
    for spec in (f"ark:{tmp_path}/a.ark", f"scp:{tmp_path}/a.scp", f"ark:{tmp_path}/a.gz", f"ark,t:{tmp_path}/a.txt"):
        with SequentialReader(spec, "compact_lattice") as reader:
            found = dict(reader)
        assert list(found) == list(lats)
        assert all(same(found[k], read(lt.to_bytes(lats[k]), compact=True)) for k in lats)
    with RandomAccessReader(f"scp:{tmp_path}/a.scp", "lattice") as reader:
        assert isinstance(reader["utt2"], lt.Lattice) and "utt9" not in reader


def test_cut_off_at_every_byte_is_an_error():
    for lat in (random_compact(np.random.default_rng(64)), random_lattice(np.random.default_rng(64))):
        data = lt.to_bytes(lat)
        for size in range(len(data)):
            with pytest.raises(DataError):
                read(data[:size], where="x.ark")


def test_damaged_bytes_never_crash():
    rng = np.random.default_rng(65)
    data = lt.to_bytes(random_compact(rng))
    for _ in range(500):
        bad = bytearray(data)
        bad[rng.integers(len(bad))] = rng.integers(256)
        try:
            read(bytes(bad), compact=True)
        except DataError:
            pass


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "end of the data"),
        (b"hello", "expected a lattice"),
        (b" hello\n", "on a new line"),
        (b"\n0\t1\t7\t1,2\t3\t4\n\n", "bad line"),
        (b"\n0\tx\t7\t1,2,3\n\n", "bad line in a compact lattice.*0 x 7"),
        (b"\n0\t-1\t7\t1,2,3\n\n", "negative|bad line"),
        (b"\n0\t1\t7\t1,2,3_x\n\n", "bad line"),
    ],
)
def test_what_is_not_a_lattice(data, said):
    with pytest.raises(DataError, match=said):
        read(data, compact=None, where="x.ark")
