"""Every lattice command of the golden set, run as it stands; what it writes against what Kaldi wrote."""

import json
import re

import numpy as np
import pytest
from lattice_oracles import best_by_words
from sidamo.io.tables import SequentialReader

CASES = [
    "lat.raw_det", "lat.sub_binary", "lat.sub_noncompact", "lat.kd_det", "lat.best", "lat.best_scaled", "lat.1best",
    "lat.1best_linear", "lat.1best_wip", "lat.1best_wip_linear", "lat.nbest", "lat.nbest_ark", "lat.mbr", "lat.mbr_1bt",
    "lat.ctm_mbr", "lat.ctm_map", "lat.ctm_opts", "lat.nbest_ctm", "lat.oracle", "lat.oracle_wild", "lat.prune",
    "lat.scale_a", "lat.scale_b", "lat.penalty", "lat.depth", "lat.sub_old", "lat.rescore", "lat.rescore_1best",
]  # fmt: skip
EXACT = (".words", ".ali", ".edits")
NUMBERS = re.compile(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?")


@pytest.fixture(scope="module")
def manifest(golden):
    lines = (golden / "manifest.jsonl").read_text().splitlines()
    return {case["id"]: case for case in map(json.loads, lines)}


def is_lattice(path) -> bool:
    return path.suffix == ".ark" or (path.suffix == ".txt" and b"," in path.read_bytes()[:200])


def read_lattices(path):
    with SequentialReader(f"ark:{path}", "compact_lattice") as reader:
        return dict(reader)


def assert_same_lattices(found, expected, atol):
    found, expected = read_lattices(found), read_lattices(expected)
    assert list(found) == list(expected)
    for key in expected:
        ours, kaldis = best_by_words(found[key]), best_by_words(expected[key])
        assert ours.keys() == kaldis.keys(), key
        for words in kaldis:
            assert ours[words][2:] == pytest.approx(kaldis[words][2:], abs=atol), (key, words)
            assert ours[words][1] == kaldis[words][1], (key, words)


def assert_same_numbers(found, expected, atol):
    """Equal but for numbers, which agree within atol."""
    found, expected = found.read_text(), expected.read_text()
    assert NUMBERS.sub("x", found) == NUMBERS.sub("x", expected)
    ours, kaldis = (np.array(NUMBERS.findall(t), float) for t in (found, expected))
    assert np.max(np.abs(ours - kaldis), initial=0) <= atol


@pytest.mark.parametrize("case", CASES)
def test_command(case, manifest, golden_copy, run):
    case = manifest[case]
    command = case["cmd"]
    outputs = [o for o in case["outputs"] if not o.endswith(".scp")]
    for name in case["outputs"]:
        command = re.sub(rf"(?<![\w/]){re.escape(name)}(?!\w)", "tmp/" + name.split("/")[1], command)
    done = run(command, cwd=golden_copy)
    assert done.returncode == case["rc"], done.stderr
    for name in outputs:
        found, expected = golden_copy / "tmp" / name.split("/")[1], golden_copy / name
        if name.endswith(EXACT):
            assert found.read_text() == expected.read_text(), name
        elif is_lattice(expected):
            assert_same_lattices(found, expected, atol=0.002)
        else:
            assert_same_numbers(found, expected, atol=0.0011)


@pytest.mark.parametrize(
    "command, expected",
    [
        ("lattice-copy ark,t:lat/sub.txt ark:tmp/x", "lat/sub.ark"),
        ("lattice-copy ark:lat/lat.ark ark:tmp/x", "lat/lat.ark"),
        ("lattice-copy --write-compact=false ark:lat/raw.ark ark:tmp/x", "lat/raw.ark"),
        ("lattice-copy --write-compact=false ark:lat/sub.ark ark,t:tmp/x", "lat/sub_noncompact.txt"),
        ("lattice-copy scp:lat/sub.scp ark,t:tmp/x", "lat/sub.txt"),
        ("lattice-copy --include=lat/sub.list ark:lat/lat.ark ark,t:tmp/x", "lat/sub.txt"),
        ("lattice-prune --acoustic-scale=1.0 --beam=3.5 ark:lat/sub.ark ark,t:tmp/x", "lat/pruned.txt"),
        ("lattice-prune --inv-acoustic-scale=1 --beam=3.5 'ark:cat lat/sub.ark|' ark,t:tmp/x", "lat/pruned.txt"),
        ("lattice-1best ark:lat/lat.ark ark:tmp/x", "lat/1best.ark"),
        ("lattice-to-nbest --acoustic-scale=0.5 --n=3 ark:lat/sub.ark ark,t:tmp/x", "lat/nbest3.txt"),
        ("lattice-mbr-decode ark:lat/lat.ark '' '' ark,t:tmp/x", "lat/mbr.sau"),
        ("lattice-to-ctm-conf ark:lat/lat.ark tmp/x", "lat/ctm_mbr.ctm"),
        (
            "lattice-to-ctm-conf --confidence-digits=5 --frame-shift=0.03 --print-silence=true ark:lat/lat.ark tmp/x",
            "lat/ctm_opts.ctm",
        ),
        ("lattice-1best --lm-scale=1.3 --word-ins-penalty=0.6 ark:lat/lat.ark ark:tmp/x", "lat/1best_wip.ark"),
        ("lattice-scale --acoustic-scale=0.5 --lm-scale=2 ark:lat/sub.ark ark,t:tmp/x", "lat/scale_a.txt"),
        ("nbest-to-ctm ark:lat/1best.ark tmp/x", "lat/1best.ctm"),
    ],
)
def test_the_same_bytes(command, expected, golden_copy, run):
    done = run(command, cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert (golden_copy / "tmp/x").read_bytes() == (golden_copy / expected).read_bytes()


def test_sweep_equals_the_chain_of_tools(golden_copy, run):
    sweep = "lattice-best-path-sweep --min-lmwt=8 --max-lmwt=9 --word-ins-penalty=0.0,0.5"
    done = run(f"{sweep} --word-symbol-table=ctc/words.txt 'ark:cat lat/lat.ark |' tmp/out", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    words = {line.split()[1]: line.split()[0] for line in (golden_copy / "ctc/words.txt").read_text().splitlines()}
    for weight, penalty in ((8, "0.5"), (9, "0.0")):
        chain = (
            f"lattice-scale --inv-acoustic-scale={weight} ark:lat/lat.ark ark:- |"
            f" lattice-add-penalty --word-ins-penalty={penalty} ark:- ark:- | lattice-best-path ark:- ark,t:-"
        )
        lines = [line.split() for line in run(chain, cwd=golden_copy).stdout.splitlines()]
        expected = "".join(" ".join([k, *(words[w] for w in ws)]) + "\n" for k, *ws in lines)
        assert (golden_copy / f"tmp/out/penalty_{penalty}/{weight}.txt").read_text() == expected


def test_union_with_itself_is_the_lattice(golden_copy, run):
    done = run("lattice-union ark:lat/sub.ark ark:lat/sub.ark ark:tmp/x.ark", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert_same_lattices(golden_copy / "tmp/x.ark", golden_copy / "lat/sub.ark", atol=0.002)


def test_interpolation_with_itself_is_the_lattice(golden_copy, run):
    done = run("lattice-interp --alpha=0.3 ark:lat/sub.ark ark:lat/lat.ark ark:tmp/x.ark", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert_same_lattices(golden_copy / "tmp/x.ark", golden_copy / "lat/sub.ark", atol=0.002)


def test_nbest_and_back(golden_copy, run):
    command = "lattice-to-nbest --n=500 ark:lat/sub.ark ark:- | nbest-to-lattice ark:- ark:tmp/x.ark"
    done = run(command, cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert_same_lattices(golden_copy / "tmp/x.ark", golden_copy / "lat/sub.ark", atol=0.002)


def test_linear_and_back(golden_copy, run):
    ali, words, lm, ac = (f"ark:lat/1best.{x}" for x in ("ali", "words", "lmcost", "accost"))
    command = f"linear-to-nbest {ali} {words} {lm} {ac} ark:- | nbest-to-linear ark:- ark,t:tmp/ali ark,t:tmp/words"
    done = run(command, cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    for name in ("ali", "words"):
        assert (golden_copy / f"tmp/{name}").read_text() == (golden_copy / f"lat/1best.{name}").read_text()


def test_determinizing_a_determinized_lattice_changes_nothing(golden_copy, run):
    for options in ("", "--minimize=true"):
        command = f"lattice-determinize-pruned --beam=100 {options} ark:lat/sub.ark ark:tmp/x.ark"
        done = run(command, cwd=golden_copy)
        assert done.returncode == 0, done.stderr
        assert_same_lattices(golden_copy / "tmp/x.ark", golden_copy / "lat/sub.ark", atol=0.02)


def test_nbest_to_lattice_is_a_union_and_no_more(tmp_path, run):
    """Equal word sequences stay two paths; an epsilon arc of the first start leads to each further entry."""
    (tmp_path / "nbest.ark").write_text("u-1-1 \n0\t1\t5\t1,2,3_4\n1\n\nu-1-x \n0\t1\t5\t2,2,3_4\n1\n\nu-2-1 \n0\t1,1,7\n\n")
    done = run("nbest-to-lattice ark:nbest.ark ark,t:-", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("u-1 \n0\t1\t5\t1,2,3_4\n0\t2\t0\n1\n2\t3\t5\t2,2,3_4\n3\n\nu-2 \n0\t1,1,7\n\n")
    assert "for 2 utterances, with on average 1.5 N-best paths per utterance." in done.stderr


def test_oracle_lattice_is_one_path(golden_copy, run):
    command = (
        "lattice-oracle --wildcard-symbols=1:15 --write-lattices=ark:tmp/o.ark ark:lat/lat.ark ark,t:ctc/ref.int ark:/dev/null"
    )
    done = run(f"{command} && nbest-to-linear ark:tmp/o.ark ark:/dev/null ark,t:-", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    assert "Done 30 n-best entries, 0 had errors." in done.stderr
