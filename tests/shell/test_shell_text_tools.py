"""The list and symbol filters in utils/ (Perl in Kaldi): results worked by hand; messages and status on bad input."""

import pathlib
import subprocess

import pytest

UTILS = pathlib.Path(__file__).resolve().parents[2] / "utils"


@pytest.fixture()
def tool(tmp_path):
    """tool("sym2int.pl", "-f", "2", stdin="...") runs in tmp_path."""

    def call(name, *arguments, stdin=""):
        command = [UTILS / name, *map(str, arguments)]
        return subprocess.run(command, input=stdin, cwd=tmp_path, capture_output=True, text=True, timeout=20)

    (tmp_path / "words.txt").write_text("<eps> 0\na 1\nb 2\n<unk> 3\né 4\n")
    (tmp_path / "utt2spk").write_text("s1-a s1\ns1-b s1\ns2-a s2\ns3-a s3\ns3-b s3\ns3-c s3\n")
    return call


def result(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_utt2spk_and_spk2utt_are_inverse(tool, tmp_path):
    spk2utt = result(tool("utt2spk_to_spk2utt.pl", "utt2spk"))
    assert spk2utt == "s1 s1-a s1-b\ns2 s2-a\ns3 s3-a s3-b s3-c\n"
    assert result(tool("spk2utt_to_utt2spk.pl", stdin=spk2utt)) == (tmp_path / "utt2spk").read_text()
    assert result(tool("utt2spk_to_spk2utt.pl", stdin="u2 z\nu1 a\nu3 z\n")) == "z u2 u3\na u1\n"  # by first occurrence


def test_filter_scp(tool):
    assert result(tool("filter_scp.pl", "utt2spk", stdin="x 1\ns1-b  a  b \ns3-c\n")) == "s1-b  a  b \ns3-c\n"
    assert result(tool("filter_scp.pl", "--exclude", "utt2spk", stdin="x 1\ns1-b 2\n")) == "x 1\n"
    assert result(tool("filter_scp.pl", "-f", "2", "utt2spk", stdin="x s1-a\ns1-b x\n")) == "x s1-a\n"
    assert result(tool("filter_scp.pl", "-f", "2", "--exclude", "utt2spk", "utt2spk")).startswith("s1-a s1\n")


def test_filter_scps(tool, tmp_path):
    (tmp_path / "l.1").write_text("s1\n")
    (tmp_path / "l.2").write_text("s3\n")
    done = tool("filter_scps.pl", "-f", "2", "JOB=1:2", "l.JOB", "utt2spk", "o.JOB")
    assert (done.returncode, "1 input lines went to no output" in done.stderr) == (0, True)
    assert (tmp_path / "o.1").read_text() == "s1-a s1\ns1-b s1\n"
    assert (tmp_path / "o.2").read_text() == "s3-a s3\ns3-b s3\ns3-c s3\n"


def test_split_scp_evenly(tool, tmp_path):
    (tmp_path / "in").write_text("".join(f"{i}\n" for i in range(8)))
    tool("split_scp.pl", "in", "o1", "o2", "o3")
    assert [(tmp_path / f"o{n}").read_text() for n in (1, 2, 3)] == ["0\n1\n2\n", "3\n4\n5\n", "6\n7\n"]
    assert result(tool("split_scp.pl", "-j", "3", "2", "in")) == "6\n7\n"
    assert result(tool("split_scp.pl", "-j", "3", "1", "--one-based", "in")) == "0\n1\n2\n"


def test_split_scp_by_speaker(tool, tmp_path):
    # Three speakers of 2, 1 and 3 lines into two parts: dealt out as (s1 s2 | s3), which is as even as it gets.
    tool("split_scp.pl", "--utt2spk=utt2spk", "utt2spk", "o1", "o2")
    assert (tmp_path / "o1").read_text() == "s1-a s1\ns1-b s1\ns2-a s2\n"
    # 1, 1, 4 lines: dealt out as (x y | z), which stays: without y it is less even. 4, 1, 1: (x | y z) after a move.
    for counts, first in (((1, 1, 4), "x1 y1"), ((4, 1, 1), "x1 x2 x3 x4")):
        lines = [f"{spk}{n} {spk}" for spk, count in zip("xyz", counts) for n in range(1, count + 1)]
        (tmp_path / "u2s").write_text("\n".join(lines) + "\n")
        assert tool("split_scp.pl", "--utt2spk", "u2s", "u2s", "o1", "o2").returncode == 0
        assert " ".join(line.split()[0] for line in (tmp_path / "o1").read_text().splitlines()) == first


def test_split_scp_by_duration(tool, tmp_path):
    (tmp_path / "utt2dur").write_text("s1-a 9\ns1-b 9\ns2-a 1\ns3-a 5\ns3-b 5\ns3-c 6\n")
    result(tool("split_scp.pl", "--utt2spk=utt2spk", "--utt2dur=utt2dur", "utt2spk", "o1", "o2"))
    assert (tmp_path / "o1").read_text() == "s1-a s1\ns1-b s1\n"
    result(tool("split_scp.pl", "--utt2spk=utt2spk", "--utt2dur=utt2dur", "utt2spk", "o1", "o2", "o3"))
    assert [len((tmp_path / f"o{n}").read_text().split("\n")) - 1 for n in (1, 2, 3)] == [2, 1, 3]


def test_subset_scp(tool, tmp_path):
    (tmp_path / "in").write_text("".join(f"{i}\n" for i in range(10)))
    # Halves of 5 and 5 lines get 1 and 2; the first half's two get 0 and 1 ...
    assert result(tool("subset_scp.pl", "3", "in")) == "4\n6\n9\n"
    assert result(tool("subset_scp.pl", "--first", "2", "in")) == "0\n1\n"
    assert result(tool("subset_scp.pl", "--last", "2", "in")) == "8\n9\n"
    assert len(result(tool("subset_scp.pl", "--quiet", "20", "in")).split()) == 10


def test_shuffle_list(tool):
    lines = "".join(f"{i}\n" for i in range(50))
    first, again = (result(tool("shuffle_list.pl", stdin=lines)) for _ in range(2))
    other = result(tool("shuffle_list.pl", "--srand", "3", stdin=lines))
    assert first == again != other != lines
    assert sorted(first.split(), key=int) == sorted(other.split(), key=int) == lines.split()


def test_sym2int(tool):
    assert result(tool("sym2int.pl", "words.txt", stdin="a b\n\né  a\n")) == "1 2\n\n4 1\n"
    assert result(tool("sym2int.pl", "-f", "2-", "words.txt", stdin="u1 a b\na b\n")) == "u1 1 2\na 2\n"
    assert result(tool("sym2int.pl", "-f", "2-3", "words.txt", stdin="a a a a\n")) == "a 1 1 a\n"
    assert result(tool("sym2int.pl", "-f", "2", "words.txt", stdin="a a a\n")) == "a 1 a\n"
    assert result(tool("sym2int.pl", "-f", "-2", "words.txt", stdin="a a a\n")) == "1 1 a\n"
    done = tool("sym2int.pl", "--map-oov", "<unk>", "-f", "2-", "words.txt", stdin="u1 a zz b\n")
    assert (result(done), done.stderr) == ("u1 1 3 2\n", "sym2int.pl: replacing zz with 3\n")
    assert result(tool("sym2int.pl", "--map-oov", "7", "words.txt", stdin="zz\n")) == "7\n"


def test_int2sym(tool):
    # Kaldi writes a blank at the end of each line.
    assert result(tool("int2sym.pl", "-f", "2-", "words.txt", stdin="u1 1 2 4\n")) == "u1 a b é \n"
    assert result(tool("int2sym.pl", "words.txt", stdin="1\n")) == "a \n"


def test_apply_map(tool, tmp_path):
    (tmp_path / "map").write_text("a A1 A2\nb\nc C\n")
    assert result(tool("apply_map.pl", "map", stdin="a c\nb a\n")) == "A1 A2 C\n A1 A2\n"
    assert result(tool("apply_map.pl", "-f", "2", "map", stdin="a a a\n")) == "a A1 A2 a\n"
    done = tool("apply_map.pl", "--permissive", "map", stdin="a zz\n")
    assert (result(done), done.stderr) == ("A1 A2 zz\n", "apply_map.pl: warning! missing key zz\n")


def test_convert_ctm(tool, tmp_path):
    (tmp_path / "segments").write_text("utt reco 10.0 20.0\nopen reco 1 -1\n")
    (tmp_path / "channels").write_text("reco file A\n")
    ctm = "utt 1 8.0 1.0 word 0.5\nopen 1 0.123 50 end\n"
    assert result(tool("convert_ctm.pl", "segments", "channels", stdin=ctm)) == (
        "file A 18.00 1.00 word 0.5\nfile A 1.12 50.00 end\n"
    )
    done = tool("convert_ctm.pl", "--skip-unknown", "segments", "channels", stdin="x 1 0 1 a\nutt 1 9.5 1.0 b\n")
    assert result(done) == "file A 19.50 1.00 b\n"
    assert "past end of recording" in done.stderr


@pytest.mark.parametrize(
    "command, stdin, message",
    [
        ("utt2spk_to_spk2utt.pl", "u s\nu2 s x\n", "standard input:2: expected '<utterance> <speaker>', got 'u2 s x'"),
        ("spk2utt_to_utt2spk.pl", "s\n", "standard input:1: expected '<speaker> <utterance> ...', got 's'"),
        ("filter_scp.pl nowhere", "", "nowhere: No such file"),
        ("filter_scp.pl empty.list", "", "empty.list:2: empty line in the list"),
        ("filter_scp.pl -f 3 utt2spk", "a b\n", "standard input:1: field 3 wanted, but the line has 2: 'a b'"),
        ("filter_scp.pl -f 0 utt2spk", "", "-f counts fields from 1, got 0"),
        ("filter_scp.pl -f x utt2spk", "", "-f expects a whole number, got 'x'"),
        ("filter_scp.pl --exclud utt2spk", "", "no such option: --exclud; did you mean --exclude?"),
        ("filter_scp.pl", "", "0 arguments given"),
        ("filter_scps.pl JOB=2:1 a.JOB b c.JOB", "", "expected a range such as JOB=1:10, got 'JOB=2:1'"),
        ("filter_scps.pl JOB=1:2 utt2spk utt2spk c.JOB", "", "put JOB into its name"),
        ("split_scp.pl utt2spk 1 2 3 4 5 6 7", "", "utt2spk: 6 lines cannot be split into 7 parts"),
        ("split_scp.pl --utt2spk=utt2spk utt2spk 1 2 3 4", "", "utt2spk: 3 speakers cannot be split into 4 parts"),
        ("split_scp.pl --utt2spk=words.txt utt2spk 1 2", "", "utterance 's1-a' is not in utt2spk"),
        ("split_scp.pl -j 3 3 utt2spk", "", "there is no part 3 of 3"),
        ("split_scp.pl -j 3 utt2spk", "", "-j needs two numbers"),
        ("split_scp.pl --utt2spk", "", "--utt2spk needs a value"),
        ("subset_scp.pl 7 utt2spk", "", "utt2spk: 7 lines wanted, but there are 6"),
        ("subset_scp.pl 0 utt2spk", "", "<N> has to be a whole number above 0"),
        ("shuffle_list.pl --srand x", "", "--srand expects a whole number, got 'x'"),
        ("sym2int.pl words.txt", "a\nb zz\n", "standard input:2: undefined symbol zz (in position 2)"),
        ("sym2int.pl utt2spk", "", "utt2spk:1: expected '<symbol> <number>', got 's1-a s1'"),
        ("sym2int.pl --map-oov <oov> words.txt", "", "words.txt does not have the symbol '<oov>'"),
        ("sym2int.pl -f a words.txt", "", "-f expects fields such as 2, 2-, 2-4 or -3, got 'a'"),
        ("int2sym.pl words.txt", "1 9\n", "standard input:1: integer 9 not in symbol table words.txt (in position 2)"),
        ("int2sym.pl words.txt", "u1 1\n", "standard input:1: found noninteger token u1 (in position 1)"),
        ("apply_map.pl words.txt", "a\nzz\n", "standard input:2: undefined key zz (in position 1)"),
        ("apply_map.pl empty.list", "", "empty.list:2: empty line in the map"),
        ("convert_ctm.pl segments channels", "x 1 0 1 a\n", "utterance 'x' is not in segments"),
        ("convert_ctm.pl segments channels", "u 1 0\n", "standard input:1: expected '<utterance> <channel> <start>"),
        ("convert_ctm.pl segments channels", "u 1 0 1 a\n", "recording 'r' is not in channels"),
        ("convert_ctm.pl segments channels", "", "no line of the CTM was converted"),
        ("convert_ctm.pl channels channels", "", "expected '<utterance> <recording> <start> <end>' for 'reco'"),
    ],
)
def test_bad_input_is_refused(tool, tmp_path, command, stdin, message):
    (tmp_path / "empty.list").write_text("a b\n\nc\n")
    (tmp_path / "segments").write_text("u r 0 1\n")
    (tmp_path / "channels").write_text("reco file A\n")
    done = tool(*command.split(), stdin=stdin)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_stops_early_is_no_error_message(tool, tmp_path):
    (tmp_path / "many").write_text("".join(f"utterance-{i} {i}\n" for i in range(100_000)))
    done = subprocess.run(
        f"{UTILS}/filter_scp.pl many many | head -n 1", shell=True, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("utterance-0 0\n", "")
