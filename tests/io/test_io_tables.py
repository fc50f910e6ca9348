"""Tables: specifiers, sequential and random access, pipes, ranges, atomic writing."""

import gzip
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.specifiers import parse_rspecifier, parse_wspecifier
from sidamo.io.streams import classify_rxfilename, classify_wxfilename, open_rxfilename, open_wxfilename
from sidamo.io.tables import (
    MappedReader,
    RandomAccessReader,
    SequentialReader,
    Writer,
    is_rspecifier,
    is_wspecifier,
    read_object,
    split_range,
    write_object,
)

KEYS = ["utt1", "utt2", "utt3", "utt5"]


def _matrix(i, rows=6, columns=4):
    return np.arange(rows * columns, dtype=np.float32).reshape(rows, columns) + 100 * i


@pytest.fixture()
def table(tmp_path, monkeypatch):
    """feats.ark and feats.scp in the current directory."""
    monkeypatch.chdir(tmp_path)
    with Writer("ark,scp:feats.ark,feats.scp", "matrix") as writer:
        for i, key in enumerate(KEYS):
            writer.write(key, _matrix(i))
    return tmp_path


# Specifiers


@pytest.mark.parametrize(
    "text, kind, name",
    [
        ("ark:a.ark", "ark", "a.ark"), ("scp:a", "scp", "a"), ("ark:", "ark", ""), ("ark,s,cs:-", "ark", "-"),
        ("o,s,p,ark:gunzip -c a.gz |", "ark", "gunzip -c a.gz |"), ("scp,bg,np,ns,ncs,no,t,b,f,nf:x", "scp", "x"),
        ("ark, s:x", None, None),
    ],
)  # fmt: skip
def test_rspecifiers(text, kind, name):
    if kind is None:  # the blank after the comma makes an empty word
        assert parse_rspecifier(text) is None
        return
    specifier = parse_rspecifier(text)
    assert (specifier.kind, specifier.archive or specifier.script) == (kind, name)


@pytest.mark.parametrize("text", ["", "a.ark", "ark", "ark:a ", "ark,scp:a,b", "ark,q:a", "scp,ark:a", "arks:a"])
def test_no_rspecifiers(text):
    assert not is_rspecifier(text)
    with pytest.raises(DataError, match="invalid rspecifier"):
        SequentialReader(text, "matrix")


def test_options_of_rspecifiers():
    s = parse_rspecifier("s,cs,o,p,ark:x")
    assert (s.sorted, s.called_sorted, s.once, s.permissive) == (True, True, True, True)
    s = parse_rspecifier("s,cs,o,p,ns,ncs,no,np,ark:x")
    assert (s.sorted, s.called_sorted, s.once, s.permissive) == (False, False, False, False)


def test_wspecifiers():
    s = parse_wspecifier("ark,scp,t,f:a.ark,b.scp")
    assert (s.kind, s.archive, s.script, s.binary, s.flush) == ("both", "a.ark", "b.scp", False, True)
    assert parse_wspecifier("t,scp:x").kind == "scp"
    for text in ("", "a.ark", "scp,ark:a,b", "ark,scp:a", "ark,o:a", "ark:a\n", "ark,ark:a"):
        assert not is_wspecifier(text), text
        with pytest.raises(DataError, match="invalid wspecifier"):
            Writer(text, "matrix")


def test_file_names():
    kinds = {"": "stdin", "-": "stdin", "cmd |": "pipe", "| cmd": "", "a:12": "offset", "a b": "file", " a": "",
             "a ": "", "t,a": "", "b,a": "", "a|b": "", "C:x": "file", ":12": "file", "12": "file"}  # fmt: skip
    assert {name: classify_rxfilename(name) for name in kinds} == kinds
    kinds = {"": "stdout", "-": "stdout", "| cmd": "pipe", "cmd |": "", "a:12": "", "a": "file", " a": "", "t,a": ""}
    assert {name: classify_wxfilename(name) for name in kinds} == kinds


def test_ranges_of_names():
    assert split_range("a.ark:8[0:9]") == ("a.ark:8", "0:9")
    assert split_range("a.ark:8") == ("a.ark:8", "")
    for name in ("a[[0:1]", "[0:1]", "a[]", "a]"):
        with pytest.raises(DataError, match="could not interpret the range"):
            split_range(name)


# Sequential access


@pytest.mark.parametrize("spec", ["ark:feats.ark", "scp:feats.scp", "ark:cat feats.ark |", "scp:cat feats.scp |"])
def test_sequential(table, spec):
    with SequentialReader(spec, "matrix") as reader:
        items = list(reader)
    assert [key for key, _ in items] == KEYS
    for i, (_, matrix) in enumerate(items):
        np.testing.assert_array_equal(matrix, _matrix(i))
        matrix[0, 0] = 5  # the reader hands out memory of its own


def test_offsets_are_behind_the_key(table):
    data = (table / "feats.ark").read_bytes()
    for line in (table / "feats.scp").read_text().splitlines():
        key, _, offset = line.replace("feats.ark:", "").partition(" ")
        assert data[int(offset) - len(key) - 1 : int(offset) + 2] == f"{key} \0B".encode()


def test_text_offsets_and_text(table):
    with Writer("ark,scp,t:t.ark,t.scp", "matrix") as writer:
        writer.write("a", _matrix(0, 1, 2))
        writer.write("b", np.zeros((0, 0), np.float32))
        writer.write("c", _matrix(1, 2, 1))
    assert (table / "t.ark").read_text() == "a  [\n  0 1 ]\nb  [ ]\nc  [\n  100 \n  101 ]\n"
    assert {k: m.tolist() for k, m in SequentialReader("scp:t.scp", "matrix")} == {
        "a": [[0, 1]], "b": [], "c": [[100], [101]],
    }  # fmt: skip


def test_several_objects_on_a_line(tmp_path):
    (tmp_path / "x").write_text("a [ 1 2 ] b\t[ 3 ; 4 ]\nc\n[ 5\n6 ]")
    items = {k: m.tolist() for k, m in SequentialReader(f"ark:{tmp_path}/x", "matrix")}
    assert items == {"a": [[1, 2]], "b": [[3], [4]], "c": [[5], [6]]}


def test_gzip_is_unpacked_and_packed(table):
    with gzip.open("feats.gz", "wb") as out:
        out.write((table / "feats.ark").read_bytes())
    assert [k for k, _ in SequentialReader("ark:feats.gz", "matrix")] == KEYS
    with Writer("ark:new.gz", "matrix") as writer:
        writer.write("a", _matrix(3))
    assert gzip.open("new.gz").read()[:2] == b"a "
    with pytest.raises(DataError, match="an offset into a gzip file"):
        read_object("feats.gz:5", "matrix")
    (table / "cut.gz").write_bytes((table / "feats.gz").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"cut.gz.*broken gzip data"):
        list(SequentialReader("ark:cut.gz", "matrix"))


def test_empty_tables(table):
    (table / "empty").write_text("")
    assert list(SequentialReader("ark:empty", "matrix")) == list(SequentialReader("scp:empty", "matrix")) == []


def test_keys_across_buffers(tmp_path):
    """Keys that lie across the end of the read buffer, at many alignments."""
    values = [(f"key{'x' * (i % 37)}{i}", np.full(i % 11, i, np.int32)) for i in range(20000)]
    with Writer(f"ark:{tmp_path}/a", "int_vector") as writer:
        for key, value in values:
            writer.write(key, value)
    for (key, value), (key2, value2) in zip(values, SequentialReader(f"ark:{tmp_path}/a", "int_vector")):
        assert key == key2
        np.testing.assert_array_equal(value, value2)


def test_a_matrix_larger_than_a_chunk(monkeypatch, tmp_path):
    monkeypatch.setattr("sidamo.io.streams.CHUNK", 1000)
    monkeypatch.setattr("sidamo.io.matrix.CHUNK", 1000)
    matrix = np.arange(3000, dtype=np.float64).reshape(30, 100)
    write_object(f"{tmp_path}/m", "matrix", matrix)
    back = read_object(f"{tmp_path}/m", "matrix")
    np.testing.assert_array_equal(back, matrix)
    back[0, 0] = 1
    (tmp_path / "m").write_bytes((tmp_path / "m").read_bytes()[:-1])
    with pytest.raises(DataError, match="expected 24000 more bytes, found 23999"):
        read_object(f"{tmp_path}/m", "matrix")


def test_sequential_memory_is_flat(tmp_path):
    """300 matrices of 2 MB pass through a process that may not hold 60 MB more than at its start."""
    program = (
        "import resource, numpy as np\n"
        "from sidamo.io.tables import SequentialReader, Writer\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "m = np.ones((5000, 100), np.float32)\n"
        "with Writer('ark:| cat > x.ark', 'matrix') as w:\n"
        "    [w.write(str(i), m) for i in range(300)]\n"
        "before = peak()\n"
        "assert sum(len(v) for _, v in SequentialReader('ark:x.ark', 'matrix')) == 1500000\n"
        "assert peak() - before < 60000, peak() - before\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


# Random access


@pytest.mark.parametrize("options", ["", ",o", ",s", ",cs", ",s,cs", ",s,cs,o", ",p"])
@pytest.mark.parametrize("kind", ["ark:feats.ark", "scp:feats.scp"])
def test_random_access_in_order(table, options, kind):
    name, _, file = kind.partition(":")
    with RandomAccessReader(f"{name}{options}:{file}", "matrix") as reader:
        for i, key in enumerate(KEYS):
            assert key in reader
            np.testing.assert_array_equal(reader[key], _matrix(i))
            if key == "utt3":
                assert "utt4" not in reader
        assert "utt9" not in reader
        with pytest.raises(DataError, match="key utt9 is not in the table"):
            reader["utt9"]


@pytest.mark.parametrize("options", ["", ",o", ",s", ",p"])
@pytest.mark.parametrize("kind", ["ark:feats.ark", "scp:feats.scp"])
def test_random_access_in_any_order(table, options, kind):
    name, _, file = kind.partition(":")
    reader = RandomAccessReader(f"{name}{options}:{file}", "matrix")
    for i in (2, 0, 3, 1):
        np.testing.assert_array_equal(reader[KEYS[i]], _matrix(i))
    assert reader.get("zzz") is None


def test_once_forgets(table):
    reader = RandomAccessReader("o,ark:feats.ark", "matrix")
    assert reader["utt1"][0, 0] == 0
    assert "utt1" not in reader


def test_sorted_and_called_sorted_hold_one_object(table):
    reader = RandomAccessReader("s,cs,ark:feats.ark", "matrix")
    for key in KEYS:
        assert key in reader
        assert len(reader._values) == 1


def test_promises_are_checked(table):
    lines = (table / "feats.scp").read_text().splitlines(keepends=True)
    (table / "unsorted.scp").write_text("".join(lines[::-1]))
    with Writer("ark:unsorted.ark", "matrix") as writer:
        for key in KEYS[::-1]:
            writer.write(key, _matrix(0))
    with pytest.raises(DataError, match=r"unsorted.scp .*not sorted although.*utt3 comes after utt5"):
        RandomAccessReader("s,scp:unsorted.scp", "matrix")
    with pytest.raises(DataError, match=r"unsorted.ark .*not sorted although"):
        "utt9" in RandomAccessReader("s,ark:unsorted.ark", "matrix")  # noqa: B015
    with pytest.raises(DataError, match=r"not sorted although"):
        list(SequentialReader("s,ark:unsorted.ark", "matrix"))
    for name in ("ark:feats.ark", "scp:feats.scp"):
        reader = RandomAccessReader("cs," + name, "matrix")
        reader["utt3"]
        with pytest.raises(DataError, match="asked for utt1 after utt3 although .*promises sorted lookups"):
            reader["utt1"]


def test_repeated_keys(table):
    (table / "double.scp").write_text((table / "feats.scp").read_text() * 2)
    with pytest.raises(DataError, match="double.scp:5: key utt1 occurs twice"):
        RandomAccessReader("scp:double.scp", "matrix")
    reader = RandomAccessReader("ark:cat feats.ark feats.ark |", "matrix")
    with pytest.raises(DataError, match="key utt1 occurs twice"):
        "zzz" in reader  # noqa: B015


def test_mapped(table):
    (table / "utt2spk").write_text("a utt1\nb utt1\nc utt3\nd nobody\n")
    reader = MappedReader("scp:feats.scp", "matrix", "ark:utt2spk")
    np.testing.assert_array_equal(reader["b"], _matrix(0))
    np.testing.assert_array_equal(reader["c"], _matrix(2))
    assert "d" not in reader
    with pytest.raises(DataError, match="Attempting to read key x, which is not present in utt2spk map"):
        "x" in reader  # noqa: B015
    assert "utt1" in MappedReader("scp:feats.scp", "matrix")


# Ranges


@pytest.mark.parametrize(
    "text, expected",
    [
        ("0:1", np.s_[0:2]), ("2:2", np.s_[2:3]), ("1:3,0:1", np.s_[1:4, 0:2]), (":,3:3", np.s_[:, 3:4]),
        (":", np.s_[:]), (":,:", np.s_[:]), ("4:8", np.s_[4:]), ("5:5,:", np.s_[5:6]),
    ],
)  # fmt: skip
def test_ranges(table, text, expected):
    line = (table / "feats.scp").read_text().splitlines()[1]
    np.testing.assert_array_equal(read_object(f"{line.split()[1]}[{text}]", "matrix"), _matrix(1)[expected])


@pytest.mark.parametrize("text", ["0:9", "3:2", "-1:2", "a:b", "1", "0:1,0:4", "0:1,2", "0:1,0:1,0:1", "6:7", ",0:1"])
def test_bad_ranges(table, text):
    with pytest.raises(DataError, match=r"Invalid range specifier: .* for matrix of size 6x4"):
        read_object(f"feats.ark:5[{text}]", "matrix")


def test_an_object_with_ranges_is_read_once(table, monkeypatch):
    (table / "r.scp").write_text("".join(f"s{i} feats.ark:5[{i}:{i}]\n" for i in range(6)))
    reader = SequentialReader("scp:r.scp", "matrix")
    calls = []
    read = reader._holder.read
    monkeypatch.setattr(reader._holder, "read", lambda stream: calls.append(1) or read(stream))
    np.testing.assert_array_equal(np.vstack([m for _, m in reader]), _matrix(0))
    assert len(calls) == 1


def test_range_of_a_vector(tmp_path):
    write_object(f"{tmp_path}/v", "vector", np.arange(5.0, dtype=np.float32))
    assert read_object(f"{tmp_path}/v[1:2]", "vector").tolist() == [1, 2]
    with pytest.raises(DataError, match="for vector of size 5"):
        read_object(f"{tmp_path}/v[1:9]", "vector")
    write_object(f"{tmp_path}/i", "int", 3)
    with pytest.raises(DataError, match="possible only for matrices and vectors"):
        read_object(f"{tmp_path}/i[0:1]", "int")


# Errors name file, key and offset


def test_missing_files(table):
    with pytest.raises(DataError, match="nope: cannot open for reading: No such file"):
        SequentialReader("ark:nope", "matrix")
    with pytest.raises(DataError, match="nope: cannot open for reading"):
        list(SequentialReader("scp:nope", "matrix"))
    (table / "bad.scp").write_text("a nope.ark:5\n")
    with pytest.raises(DataError, match=r"nope.ark:5 \(key a\): cannot open"):
        list(SequentialReader("scp:bad.scp", "matrix"))
    (table / "bad.scp").write_text("utt1 feats.ark:5\nalone\n")
    with pytest.raises(DataError, match="bad.scp:2: We got an invalid line in the scp file"):
        list(SequentialReader("scp:bad.scp", "matrix"))
    (table / "bad.scp").write_text("a feats.ark:999999\n")
    with pytest.raises(DataError, match=r"nothing at this offset"):
        list(SequentialReader("scp:bad.scp", "matrix"))
    with pytest.raises(DataError, match="Is a directory"):
        SequentialReader(f"ark:{table}", "matrix")


def test_wrong_types(table):
    with pytest.raises(DataError, match=r"feats.ark \(key utt1, byte 10\): expected a vector .*found a matrix \(FM\)"):
        list(SequentialReader("ark:feats.ark", "vector"))
    with pytest.raises(DataError, match=r"key utt1.*size byte 4 of an int32, found 70"):
        list(SequentialReader("ark:feats.ark", "int_vector"))
    with Writer("ark:v.ark", "vector") as writer:
        writer.write("v", np.ones(3))
    with pytest.raises(DataError, match=r"expected a matrix .*found a vector \(DV\)"):
        list(SequentialReader("ark:v.ark", "matrix"))
    with pytest.raises(ValueError, match="unknown kind"):
        SequentialReader("ark:feats.ark", "matrices")


def test_mistaken_files(table):
    """The usual mix-ups are told apart and the way out is named."""
    with pytest.raises(DataError, match=r'Expected "\[", got "feats.ark:5"\n.*write scp: instead of ark:'):
        list(SequentialReader("ark:feats.scp", "matrix"))
    with pytest.raises(DataError, match=r"feats.ark:1: binary data(.|\n)*write ark: instead of scp:"):
        list(SequentialReader("scp:feats.ark", "matrix"))
    (table / "a.wav").write_bytes(b"RIFF\x24\x10\0\0WAVEfmt \x10\0\0\0")
    with pytest.raises(DataError, match="this is no archive, or it is damaged: expected a key, found b'RIFF"):
        list(SequentialReader("ark:a.wav", "matrix"))


def test_dev_stdout_is_stdout(table, run):
    program = "from sidamo.io.tables import *; write_object('/dev/stdout', 'int', 3, binary=False)"
    done = run(f"echo before > log; {sys.executable} -c \"{program}\" >> log; cat log", cwd=table)
    assert done.stdout == "before\n3 \n"


def test_permissive(table, capfd):
    text = (table / "feats.scp").read_text().replace("utt2 feats.ark", "utt2 nope.ark")
    (table / "p.scp").write_text(text)
    assert [k for k, _ in SequentialReader("scp,p:p.scp", "matrix")] == ["utt1", "utt3", "utt5"]
    assert "nope.ark" in capfd.readouterr().err
    reader = RandomAccessReader("scp,p:p.scp", "matrix")
    assert ["utt1" in reader, "utt2" in reader, "utt3" in reader] == [True, False, True]
    reader = RandomAccessReader("scp:p.scp", "matrix")
    assert "utt2" in reader
    with pytest.raises(DataError, match="key utt2"):
        reader["utt2"]
    (table / "cut.ark").write_bytes((table / "feats.ark").read_bytes()[:300])
    assert [k for k, _ in SequentialReader("ark,p:cut.ark", "matrix")] == ["utt1", "utt2"]
    with pytest.raises(DataError, match=r"cut.ark \(key utt3, byte 300\): the data end early"):
        list(SequentialReader("ark:cut.ark", "matrix"))


# Pipes


def test_a_failing_pipe_of_an_archive_is_an_error(table):
    reader = SequentialReader("ark:cat feats.ark; exit 3 |", "matrix")
    with pytest.raises(DataError, match="command ended with status 3"):
        list(reader)
    with pytest.raises(DataError, match="command ended with status 1"):
        list(SequentialReader("scp:cat feats.scp; false |", "matrix"))
    assert len(list(SequentialReader("p,ark:cat feats.ark; exit 3 |", "matrix"))) == 4


def test_a_failing_pipe_of_an_object_is_a_warning_when_the_data_were_good(table, capfd):
    write_object("m", "matrix", _matrix(1))
    (table / "p.scp").write_text("a cat m; exit 3 |\n")
    assert len(list(SequentialReader("scp:p.scp", "matrix"))) == 1
    assert "Pipe cat m; exit 3 | had nonzero return status 768" in capfd.readouterr().err
    (table / "p.scp").write_text("a false |\n")
    with pytest.raises(DataError, match=r"false \| \(key a\)"):
        list(SequentialReader("scp:p.scp", "matrix"))
    assert "had nonzero return status 256" in capfd.readouterr().err


def test_a_pipe_that_is_not_read_to_its_end_is_no_failure(table, capfd):
    with open_rxfilename("yes |") as stream:
        assert stream.read(4) == b"y\ny\n"
    assert capfd.readouterr().err == ""


def test_writing_to_pipes(table):
    with Writer("ark:| cat > piped.ark", "matrix") as writer:
        for i, key in enumerate(KEYS):
            writer.write(key, _matrix(i))
    assert (table / "piped.ark").read_bytes() == (table / "feats.ark").read_bytes()
    with pytest.raises(DataError, match="ended with status 5"):  # noqa: SIM117
        with open_wxfilename("| cat > /dev/null; exit 5") as out:
            out.write(b"x")
    with pytest.raises(DataError, match="ended before it had read everything|ended with status"):  # noqa: SIM117
        with open_wxfilename("| exit 4") as out:
            for _ in range(100):
                out.write(bytes(1 << 20))


def test_stdin_and_stdout(table, run):
    python = f"{sys.executable} -c"
    program = (
        "from sidamo.io.tables import *\n"
        "w = Writer('ark:-', 'matrix')\n"
        "for k, m in SequentialReader('ark:-', 'matrix'): w.write(k, m)\n"
        "w.close()"
    )
    done = run(f"cat feats.ark | {python} \"{program}\" | cmp - feats.ark", cwd=table)
    assert done.returncode == 0, done.stderr


# Atomic writing


def test_nothing_is_left_behind_an_exception(table):
    before = sorted(os.listdir())
    with pytest.raises(ZeroDivisionError):  # noqa: SIM117
        with Writer("ark,scp:new.ark,new.scp", "matrix") as writer:
            writer.write("a", _matrix(0))
            raise ZeroDivisionError
    writer = Writer("ark,scp:new.ark,new.scp", "matrix")
    writer.write("a", _matrix(0))
    assert "new.ark" not in os.listdir()
    del writer
    assert sorted(os.listdir()) == before


def test_an_old_file_stays_until_the_new_one_is_done(table):
    old = (table / "feats.ark").read_bytes()
    writer = Writer("ark:feats.ark", "matrix")
    writer.write("a", _matrix(0))
    assert (table / "feats.ark").read_bytes() == old
    writer.close()
    assert [k for k, _ in SequentialReader("ark:feats.ark", "matrix")] == ["a"]


def test_a_table_can_be_rewritten_in_place(table):
    with Writer("ark,scp:feats.ark,feats.scp", "matrix") as writer:
        for key, matrix in SequentialReader("scp:feats.scp", "matrix"):
            writer.write(key, 2 * matrix)
    assert RandomAccessReader("scp:feats.scp", "matrix")["utt2"][0, 1] == 202


def test_links_stay_links(table):
    os.mkdir("storage")
    os.symlink("storage/real.ark", "link.ark")
    with Writer("ark:link.ark", "matrix") as writer:
        writer.write("a", _matrix(0))
    assert os.path.islink("link.ark") and os.listdir("storage") == ["real.ark"]


def test_a_value_that_cannot_be_written_leaves_no_trace(table):
    with Writer("ark:x.ark", "matrix") as writer:
        writer.write("a", _matrix(0))
        with pytest.raises(DataError, match="key b.*expected a matrix"):
            writer.write("b", np.ones(3))
        for key in ("", "b c", "b\n"):
            with pytest.raises(DataError, match="expected a word without white space"):
                writer.write(key, _matrix(0))
        writer.write("c", _matrix(1))
    assert [k for k, _ in SequentialReader("ark:x.ark", "matrix")] == ["a", "c"]


def test_full_disk(table):
    with pytest.raises(DataError, match="/dev/full: cannot write: No space left on device") as error:  # noqa: SIM117
        with Writer("ark:/dev/full", "matrix") as writer:
            writer.write("a", _matrix(0))
    assert "df -h" in error.value.mend


def test_file_size_limit(table):
    """Whatever the system refuses while an archive is written: a message, and no file taken for finished."""
    program = (
        "import resource, numpy as np\n"
        "from sidamo.bin import tool\n"
        "from sidamo.io.tables import Writer\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3000000, 3000000))\n"
        "@tool\n"
        "def main(argv=None):\n"
        "    with Writer('ark,scp:big.ark,big.scp', 'matrix') as w:\n"
        "        for i in range(100): w.write(str(i), np.zeros((1000, 100), np.float32))\n"
        "raise SystemExit(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 255
    assert "big.ark: cannot write: File too large" in done.stderr
    assert sorted(os.listdir()) == ["feats.ark", "feats.scp"]


def test_sigterm_removes_temporary_files(table):
    program = (
        "import time, numpy as np\n"
        "from sidamo.bin import tool\n"
        "from sidamo.io.tables import Writer\n"
        "@tool\n"
        "def main(argv=None):\n"
        "    with Writer('ark,scp:slow.ark,slow.scp', 'matrix') as w:\n"
        "        w.write('a', np.zeros((1000, 100), np.float32))\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "raise SystemExit(main())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert any(".tmp." in name for name in os.listdir())
    process.terminate()
    assert process.wait(timeout=20) == 143
    process.stdout.close()
    assert sorted(os.listdir()) == ["feats.ark", "feats.scp"]


def test_unwritable_places(table):
    with pytest.raises(DataError, match="no/dir/x.ark: cannot open for writing: No such file"):
        Writer("ark:no/dir/x.ark", "matrix")
    with pytest.raises(DataError, match="invalid wxfilename 'x.ark:3'"):
        Writer("ark:x.ark:3", "matrix")


def test_writing_by_a_script(table):
    (table / "out.scp").write_text("utt1 one.mat\nutt2 | cat > two.mat\n")
    with Writer("scp:out.scp", "matrix") as writer:
        writer.write("utt1", _matrix(1))
        writer.write("utt2", _matrix(2))
        with pytest.raises(DataError, match="out.scp: the script file has no entry for key utt3"):
            writer.write("utt3", _matrix(3))
    np.testing.assert_array_equal(read_object("one.mat", "matrix"), _matrix(1))
    np.testing.assert_array_equal(read_object("two.mat", "matrix"), _matrix(2))
    with Writer("scp,p:out.scp", "matrix") as writer:
        writer.write("utt3", _matrix(3))


def test_flush_makes_objects_visible(table):
    reader, writer = os.pipe()
    with Writer(f"ark,f:/dev/fd/{writer}", "int") as out:
        out.write("a", 7)
        assert os.read(reader, 100) == b"a \0B\4\7\0\0\0"
    os.close(reader)
    os.close(writer)


def test_open_files_are_few(table):
    """A script into 100 archives does not hold 100 files open."""
    for i in range(100):
        with Writer(f"ark:{i}.ark", "int") as writer:
            writer.write("a", i)
    (table / "many.scp").write_text("".join(f"u{i} {i}.ark:2\n" for i in range(100)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 20, hard))
    try:
        assert [v for _, v in SequentialReader("scp:many.scp", "int")] == list(range(100))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
