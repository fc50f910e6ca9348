"""steps/decode.sh, steps/decode_long.sh and utils/decode_stream.sh: results, exit statuses and messages; long audio."""

import os
import pathlib
import sys

import numpy as np
import pytest
from sidamo.decode.long_audio import cuts_at_blanks, join, longest_run, windows
from sidamo.io.tables import SequentialReader, Writer

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENV = {"PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.fixture()
def place(golden, tmp_path):
    """A graph directory of the golden graphs, and their log-likelihoods as a directory; NaN in one utterance."""
    graph = tmp_path / "graph"
    graph.mkdir()
    (graph / "TLG.fst").symlink_to(golden / "ctc/TLG_strict.fst")
    for name in ("LG.fst", "words.txt", "tokens.txt"):
        (graph / name).symlink_to(golden / "ctc" / name)
    (graph / "ctc_topo").write_text("correct\n")
    folder = tmp_path / "loglikes"
    folder.mkdir()
    with SequentialReader(f"ark:{golden}/ctc/loglikes.ark", "matrix") as reader:
        matrices = {key: np.array(matrix) for key, matrix in reader}
    with Writer(f"ark,scp:{folder}/loglikes.ark,{folder}/loglikes.scp", "matrix") as out:
        for key, matrix in matrices.items():
            out.write(key, matrix)
    return tmp_path, matrices


def best_words(run, folder, scale="0.1"):
    text = run(f'lattice-best-path --acoustic-scale={scale} "ark:gunzip -c {folder}/lat.*.gz |" ark,t:-', env=ENV)
    assert text.returncode == 0, text.stderr
    return sorted(text.stdout.splitlines())


def test_decode_sh_with_both_graphs(place, run, golden):
    """Both kinds of graph give Kaldi's words; the acoustic costs are ten times as large as they were."""
    folder, _ = place
    (folder / "data").mkdir()
    expected = sorted((golden / "ctc/dec/strict.words").read_text().splitlines())
    for kind in ("TLG", "LG"):
        out = folder / f"exp/decode_{kind}"
        result = run(
            f"{ROOT}/steps/decode.sh --nj 2 --beam 16 --graph-type {kind} --num-threads 2 --loglikes {folder}/loglikes "
            f"{folder}/graph {folder}/data {out}", env=ENV,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
        assert f"decode.sh: done 30/30 utterances in {out}" in result.stdout
        assert (out / "num_jobs").read_text() == "2\n" and (out / ".done").exists()
        assert best_words(run, out) == expected


def test_decode_sh_fails_where_many_utterances_fail(place, run):
    folder, matrices = place
    (folder / "data").mkdir()
    with Writer(f"ark,scp:{folder}/loglikes/bad.ark,{folder}/loglikes/loglikes.scp", "matrix") as out:
        for i, (key, matrix) in enumerate(matrices.items()):
            out.write(key, matrix * (np.nan if i % 10 == 0 else 1.0))
    result = run(
        f"{ROOT}/steps/decode.sh --nj 1 --loglikes {folder}/loglikes {folder}/graph {folder}/data {folder}/exp/decode",
        env=ENV,
    )
    assert result.returncode == 1
    assert "more than 5% of the utterances have no lattice" in result.stderr
    assert not (folder / "exp/decode/.done").exists()
    log = (folder / "exp/decode/log/decode.1.log").read_text()
    assert "Utterance utt01 cannot be decoded" in log and "Done 27 utterances, failed for 3" in log


@pytest.mark.parametrize("arguments, message", [
    ("", "usage: steps/decode.sh"),
    ("--beeam 3 a b c", "beam"),
    ("{0}/none {0}/data {0}/exp/d", "none/TLG.fst is missing; to mend: utils/mkgraph.sh"),
    ("{0}/graph {0}/data {0}/exp/d", "data/feats.scp is missing; to mend: steps/make_fbank.sh"),
    ("--loglikes {0}/none {0}/graph {0}/data {0}/exp/d", "loglikes.scp is missing; to mend: steps/compute_loglikes.sh"),
    ("--graph-type HCLG {0}/graph {0}/data {0}/exp/d", "expected TLG, LG or auto"),
])  # fmt: skip
def test_decode_sh_says_what_is_missing(arguments, message, place, run):
    folder, _ = place
    result = run(f"{ROOT}/steps/decode.sh {arguments.format(folder)}", env=ENV)
    assert result.returncode == 1
    assert message in result.stderr


@pytest.mark.parametrize("script, message", [
    ("steps/decode_long.sh", "feats.scp is missing"), ("utils/decode_stream.sh", "final.pt is missing"),
])  # fmt: skip
def test_other_scripts_say_what_is_missing(script, message, place, run):
    folder, _ = place
    result = run(f"{ROOT}/{script} {folder}/graph {folder}/data {folder}/exp/d", env=ENV)
    assert result.returncode == 1
    assert message in result.stderr
    assert "usage:" in run(f"{ROOT}/{script} one", env=ENV).stderr
    shown = run(f"{ROOT}/{script} --help", env=ENV)
    assert shown.returncode == 0 and "Example:" in shown.stdout


# ---------------------------------------------------------------------------------------------------------- long audio


def test_windows_cover_everything():
    assert windows(100, 300, 60) == [(0, 100)]
    for total in (301, 600, 777, 1000):
        ranges = windows(total, 300, 60)
        assert ranges[0][0] == 0 and ranges[-1][1] == total
        for (_, end), (begin, _) in zip(ranges[:-1], ranges[1:], strict=True):
            assert 0 < end - begin <= 60
        assert all(end - begin <= 300 for begin, end in ranges)


def test_joined_windows_are_the_whole():
    """Where windows agree the whole comes back; where only their middles are right, so too."""
    rng = np.random.default_rng(0)
    whole = rng.normal(size=(1000, 4)).astype(np.float32)
    ranges = windows(1000, 300, 60)
    pieces = [whole[begin:end].copy() for begin, end in ranges]
    np.testing.assert_array_equal(join(pieces, [begin for begin, _ in ranges]), whole)
    for piece, (begin, end) in zip(pieces, ranges, strict=True):
        if begin > 0:
            piece[:25] = np.nan  # the network lacks context at the edges
        if end < 1000:
            piece[-25:] = np.nan
    np.testing.assert_array_equal(join(pieces, [begin for begin, _ in ranges]), whole)


def test_cuts_are_in_the_longest_silence():
    posterior = np.full(1000, 0.1)
    posterior[120:130] = posterior[180:220] = posterior[500:505] = posterior[800:900] = 0.99
    loglikes = np.log(np.stack([posterior, 1 - posterior], axis=1)).astype(np.float32)
    assert cuts_at_blanks(loglikes, 100, 350) == [(0, 200), (200, 502), (502, 826), (826, 1000)]  # 800..852 is seen
    assert cuts_at_blanks(loglikes[:300], 100, 350) == [(0, 300)]
    no_blank = np.log(np.full((500, 2), [0.2, 0.8])).astype(np.float32)
    ranges = cuts_at_blanks(no_blank, 50, 100)
    assert ranges[-1][1] == 500 and all(0 < end - begin <= 100 for begin, end in ranges)


def test_longest_run():
    assert longest_run(np.array([], bool)) == (0, 0)
    assert longest_run(np.array([0, 0], bool)) == (0, 0)
    assert longest_run(np.array([1, 0, 1, 1, 0, 1, 1], bool)) == (2, 2)


def test_decode_long_on_a_loop_of_pieces(place, run, tmp_path):
    """The tools of decode_long.sh after the network: windows put together, cut, decoded, and placed in time."""
    folder, matrices = place
    keys = sorted(matrices)[:6]
    whole = np.concatenate([matrices[key] for key in keys])
    pieces, step, length = tmp_path / "pieces", 200, 260
    pieces.mkdir()
    with Writer(f"ark:{pieces}/windows.ark", "matrix") as out:
        for begin in range(0, len(whole) - 60, step):
            out.write(f"talk-w{3 * begin:07}", whole[begin : begin + length])
    python = sys.executable
    result = run(
        f"{python} -m sidamo.bin.join_long_loglikes --subsampling=3 --min-seconds=2 --max-seconds=6 "
        f"ark:{pieces}/windows.ark {pieces}", env=ENV,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with SequentialReader(f"scp:{pieces}/loglikes.scp", "matrix") as reader:
        np.testing.assert_array_equal(np.concatenate([m for _, m in reader]), whole)
    segments = [line.split() for line in (pieces / "segments").read_text().splitlines()]
    assert segments[0][1:3] == ["talk", "0.000"] and float(segments[-1][3]) == pytest.approx(0.03 * len(whole))
    (pieces / "ctm").write_text(f"{segments[1][0]} 1 0.50 0.20 7 0.90\n{segments[0][0]} 1 0.10 0.20 12 1.00\n")
    result = run(
        f"{python} -m sidamo.bin.join_long_ctm {pieces}/segments {folder}/graph/words.txt {pieces}/ctm {pieces}/out.ctm "
        f"{pieces}/text", env=ENV,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    begin = float(segments[1][2]) + 0.5
    words = dict(reversed(line.split()) for line in (folder / "graph/words.txt").read_text().splitlines())
    assert (pieces / "out.ctm").read_text() == (
        f"talk 1 0.10 0.20 {words['12']} 1.00\ntalk 1 {begin:.2f} 0.20 {words['7']} 0.90\n"
    )
    assert (pieces / "text").read_text() == f"talk {words['12']} {words['7']}\n"
