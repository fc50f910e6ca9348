"""steps/lmrescore.sh, steps/get_ctm.sh, steps/rescore_nbest.sh and utils/ctm_to_textgrid.sh on golden lattices."""

import gzip
import pathlib
import re
import shutil

import pytest
from sidamo.io.symbols import SymbolTable
from sidamo.io.tables import SequentialReader
from sidamo.lattice.arpa import read_arpa
from sidamo.lattice.nbest import nbest_paths
from sidamo.lattice.ops import best_path, scale

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture()
def folder(golden, tmp_path):
    """A decode directory of 2 jobs, an old and a new lang directory, a data directory."""
    ctc = golden / "ctc"
    for lang, grammar in (("old", "G_old.fst"), ("new", "G_new.fst")):
        (tmp_path / lang / "phones").mkdir(parents=True)
        for name in ("words.txt", "tokens.txt"):
            shutil.copy(ctc / name, tmp_path / lang / name)
        shutil.copy(ctc / grammar, tmp_path / lang / "G.fst")
        rows = []
        for line in (ctc / "lexiconp_disambig.txt").read_text().splitlines():
            word, _, *tokens = line.split()
            rows.append(" ".join([word, word, *(t for t in tokens if not t.startswith("#"))]))
        (tmp_path / lang / "phones/align_lexicon.txt").write_text("\n".join(rows) + "\n")
    decode = tmp_path / "exp/model/decode"
    decode.mkdir(parents=True)
    with gzip.open(decode / "lat.1.gz", "wb") as f:
        f.write((golden / "lat/sub.ark").read_bytes())
    shutil.copy(decode / "lat.1.gz", decode / "lat.2.gz")
    (decode / "num_jobs").write_text("2\n")
    (tmp_path / "exp/model/config").write_text("--subsampling=3\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/frame_shift").write_text("0.01\n")
    return tmp_path


def step(run, folder, command):
    return run(f"{ROOT}/{command}", cwd=folder)


def words_of(folder, lattices):
    with SequentialReader(f"ark:gunzip -c {folder}/{lattices} |", "compact_lattice") as reader:
        return [(key, best_path(lat).words) for key, lat in reader]


def test_lmrescore_with_two_grammars_gives_kaldis_words(folder, golden, run):
    done = step(run, folder, "steps/lmrescore.sh old new data exp/model/decode exp/model/decode_new")
    assert done.returncode == 0, done.stderr
    assert (folder / "exp/model/decode_new/num_jobs").read_text() == "2\n"
    lines = (golden / "lat/rescored.words").read_text().splitlines()
    expected = [(line.split()[0], [int(w) for w in line.split()[1:]]) for line in lines]
    for job in (1, 2):
        assert words_of(folder, f"exp/model/decode_new/lat.{job}.gz") == expected


def test_lmrescore_with_an_arpa_file(folder, golden, run):
    with gzip.open(folder / "lm.arpa.gz", "wb") as f:
        f.write((golden / "ctc/new.arpa").read_bytes())
    done = step(run, folder, "steps/lmrescore.sh old lm.arpa.gz data exp/model/decode exp/model/decode_arpa")
    assert done.returncode == 0, done.stderr
    lines = (golden / "lat/rescored.words").read_text().splitlines()
    expected = [(line.split()[0], [int(w) for w in line.split()[1:]]) for line in lines]
    assert words_of(folder, "exp/model/decode_arpa/lat.2.gz") == expected


@pytest.mark.parametrize(
    "command, said",
    [
        ("steps/lmrescore.sh old new data", "usage: steps/lmrescore.sh"),
        ("steps/lmrescore.sh old new data exp/model/decode exp/model/decode", "the same directory"),
        ("steps/lmrescore.sh old absent data exp/model/decode x", "neither a lang directory nor an ARPA file"),
        ("steps/lmrescore.sh data new data exp/model/decode x", "data/G.fst is missing"),
        ("steps/lmrescore.sh --beem 3 old new data exp/model/decode x", "beem"),
        ("steps/get_ctm.sh data old", "usage: steps/get_ctm.sh"),
        ("steps/get_ctm.sh data data exp/model/decode", "data/words.txt is missing"),
        ("steps/rescore_nbest.sh old exp/model/decode", "usage: steps/rescore_nbest.sh"),
        ("steps/rescore_nbest.sh data exp/model/decode x", "data/words.txt is missing"),
        ("steps/rescore_nbest.sh --skip-scoring false old exp/model/decode x", "needs --data"),
        ("utils/ctm_to_textgrid.sh x", "usage: utils/ctm_to_textgrid.sh"),
    ],
)
def test_wrong_calls(command, said, folder, run):
    done = step(run, folder, command)
    assert done.returncode == 1
    assert said in done.stderr


def test_words_that_differ_are_refused(folder, run):
    with open(folder / "new/words.txt", "a") as f:
        f.write("extra 99\n")
    done = step(run, folder, "steps/lmrescore.sh old new data exp/model/decode x")
    assert done.returncode == 1
    assert "words.txt differ" in done.stderr


@pytest.mark.parametrize("conf", ["false", "true"])
def test_ctm_and_textgrids(conf, folder, run):
    done = step(run, folder, f"steps/get_ctm.sh --conf {conf} --min-lmwt 1 data old exp/model/decode")
    assert done.returncode == 0, done.stderr
    assert "0.03 s" in done.stdout
    ctm = folder / "exp/model/decode/score_1/data.ctm"
    rows = [line.split() for line in ctm.read_text().splitlines()]
    assert {len(r) for r in rows} == {6 if conf == "true" else 5}
    words = set(SymbolTable.read(folder / "old/words.txt").symbols())
    ends = {}
    for utt, channel, begin, duration, word, *confidence in rows[: len(rows) // 2]:
        assert channel == "1" and word in words
        assert float(begin) >= ends.get(utt, 0.0) - 0.02
        ends[utt] = float(begin) + float(duration)
        assert not confidence or 0 < float(confidence[0]) <= 1
    assert set(ends) == {f"utt0{i}" for i in range(1, 7)}

    (folder / "durations").write_text("utt01 9.5\nutt99 3.0\n")
    done = step(run, folder, f"utils/ctm_to_textgrid.sh --durations durations {ctm} grids")
    assert done.returncode == 0, done.stderr
    assert "done 7/7" in done.stdout
    text = (folder / "grids/utt01.TextGrid").read_text()
    assert text.count('class = "IntervalTier"') == (2 if conf == "true" else 1)
    assert "xmax = 9.5000" in text
    for block in text.split("item [")[2:]:
        found = re.findall(r"\]:\n +xmin = ([\d.]+)\n +xmax = ([\d.]+)\n +text", block)
        bounds = [(float(a), float(b)) for a, b in found]
        assert bounds[0][0] == 0 and bounds[-1][1] == 9.5
        assert all(a[1] == b[0] for a, b in zip(bounds, bounds[1:]))
    assert 'text = ""' in (folder / "grids/utt99.TextGrid").read_text()


def test_bad_ctm_names_the_line(folder, run):
    (folder / "bad.ctm").write_text("a 1 0 1 w\na 1 x 1 w\n")
    done = step(run, folder, "utils/ctm_to_textgrid.sh bad.ctm grids")
    assert done.returncode == 255
    assert "bad.ctm:2" in done.stderr


def test_nbest_rescoring_by_a_scorer_is_rescoring_by_its_model(folder, golden, run):
    """An ARPA model as the outside scorer, weight 1: the graph cost of every entry is the model's cost."""
    symbols = SymbolTable.read(folder / "old/words.txt")
    model = read_arpa(str(golden / "ctc/new.arpa"), symbols)
    done = step(run, folder, "steps/rescore_nbest.sh --n 20 --lmwt 1 old exp/model/decode exp/model/nn")
    assert done.returncode == 0, done.stderr
    texts = [line.split() for job in (1, 2) for line in (folder / f"exp/model/nn/nbest/{job}.text").open()]
    with open(folder / "scores", "w") as f:
        for key, *words in {line[0]: line for line in texts}.values():
            f.write(f"{key} {-model.sentence_cost([symbols[w] for w in words])}\n")
    options = "--n 20 --lmwt 1 --weight 1 --scores scores"
    done = step(run, folder, f"steps/rescore_nbest.sh {options} old exp/model/decode exp/model/nn")
    assert done.returncode == 0, done.stderr
    from lattice_oracles import best_by_words

    with SequentialReader(f"ark:gunzip -c {folder}/exp/model/nn/lat.1.gz |", "compact_lattice") as reader:
        for key, lat in reader:
            listed = {tuple(symbols[w] for w in line[1:]) for line in texts if line[0].rpartition("-")[0] == key}
            found = best_by_words(lat)
            assert set(found) == listed
            for words, (_, _, graph, _) in found.items():
                assert graph == pytest.approx(model.sentence_cost(words), abs=5e-3)



def test_scorer_is_a_command_with_whatever_is_special_in_a_shell(folder, run):
    scorer = "awk '{print $1, -10 * NF}'"  # prefers few words
    command = [f"{ROOT}/steps/rescore_nbest.sh", "--n", "20", "--weight", "1", "--lmwt", "1", "--scorer", scorer]
    done = run([*command, "old", "exp/model/decode", "y"], cwd=folder)
    assert done.returncode == 0, done.stderr
    with SequentialReader(f"ark:gunzip -c {folder}/exp/model/decode/lat.1.gz |", "compact_lattice") as reader:
        shortest = {key: min(len(p.words) for p in nbest_paths(lat, 20)) for key, lat in reader}
    with SequentialReader(f"ark:gunzip -c {folder}/y/lat.1.gz |", "compact_lattice") as reader:
        for key, lat in reader:
            assert len(best_path(scale(lat, acoustic_scale=0.0)).words) == shortest[key]


def test_missing_scores_are_a_failure(folder, run):
    (folder / "one_score.sh").write_text("#!/bin/sh\nread key words\necho $key -1\n")
    done = step(run, folder, "steps/rescore_nbest.sh --n 2 --scorer 'sh one_score.sh' old exp/model/decode y")
    assert done.returncode != 0
    assert "no score" in "".join(p.read_text() for p in (folder / "y/log").iterdir())
