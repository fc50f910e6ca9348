"""Damaged archives, bad options and bad lattices: the tools' exit status and what they say."""

import re

import pytest

GOOD = "u1 \n0\t1\t5\t1,2,1_1\n1\t0.5,0,3\n\n"


@pytest.fixture()
def folder(golden, tmp_path):
    data = (golden / "lat/sub.ark").read_bytes()
    (tmp_path / "whole.ark").write_bytes(data)
    (tmp_path / "cut.ark").write_bytes(data[:-100])
    (tmp_path / "fst.ark").write_bytes(b"u1 " + (golden / "ctc/G_old.fst").read_bytes())
    (tmp_path / "text.ark").write_text("u1 hello\n")
    last = GOOD.replace("u1", "u3")
    (tmp_path / "cycle.ark").write_text(GOOD + "u2 \n0\t1\t5\t1,2,1\n1\t0\t6\t1,2,1\n1\t0,0,\n\n" + last)
    (tmp_path / "nan.ark").write_text(GOOD + "u2 \n0\t1\t5\tBadNumber,2,1\n1\n\n" + last)
    (tmp_path / "empty.ark").write_text("u1 \n\n")
    (tmp_path / "dead.ark").write_text("u1 \n0\t1\t5\t1,2,1\n1\tInfinity,Infinity,\n\n")
    (tmp_path / "columns.ark").write_text("u1 \n0\t1\t5\t1,2,1\t7\t8\n\n")
    return tmp_path


@pytest.mark.parametrize(
    "command, status, said",
    [
        ("lattice-best-path ark:cut.ark ark,t:-", 255, "cut off: expected .* more bytes"),
        ("lattice-best-path ark:fst.ark ark,t:-", 255, "arc type standard, expected lattice4 or compactlattice44"),
        ("lattice-best-path ark:text.ark ark,t:-", 255, "expected a lattice"),
        ("lattice-best-path ark:columns.ark ark,t:-", 255, "bad line in a"),
        ("lattice-best-path ark:missing.ark ark,t:-", 255, "missing.ark"),
        ("lattice-best-path ark:whole.ark", 0, "Done 6 lattices, failed for 0"),
        ("lattice-best-path", 1, "Usage: lattice-best-path"),
        ("lattice-best-path --acustic-scale=1 ark:whole.ark", 255, "did you mean --acoustic-scale"),
        ("lattice-best-path --acoustic-scale=0.1 --inv-acoustic-scale=10 ark:whole.ark", 134, "not both"),
        ("lattice-best-path ark:cycle.ark ark,t:-", 0, "u2.*cycle(.|\n)*Done 2 lattices, failed for 1"),
        ("lattice-best-path ark:nan.ark ark,t:-", 0, "u2.*nan(.|\n)*Done 2 lattices, failed for 1"),
        ("lattice-best-path ark:empty.ark ark,t:-", 1, "Best-path failed for key u1"),
        ("lattice-best-path ark:dead.ark ark,t:-", 1, "Best-path failed for key u1"),
        ("lattice-1best --lm-scale=0 ark:whole.ark ark:-", 255, "cannot be inverted"),
        ("lattice-to-nbest --n=0 ark:whole.ark ark:-", 134, "--n=0"),
        ("lattice-prune --beam=0 ark:whole.ark ark:-", 134, "beam above 0"),
        ("lattice-determinize-pruned ark:cycle.ark ark:out", 0, "u2.*cycle"),
        ("lattice-mbr-decode ark:cycle.ark ark,t:-", 0, "u2.*cycle"),
        ("lattice-mbr-decode ark:dead.ark ark,t:-", 1, "u1.*no path"),
        ("lattice-to-ctm-conf ark:whole.ark ark:-", 255, "should not be a wspecifier"),
        ("nbest-to-ctm ark:whole.ark -", 1, "not linear"),
        ("nbest-to-linear ark:whole.ark ark,t:-", 1, "not linear"),
        ("nbest-to-linear ark:empty.ark ark,t:- ark,t:- ark,t:- ark,t:-", 0, "u1 inf \nu1 inf"),
        ("lattice-determinize-pruned ark:empty.ark ark,t:-", 0, "was empty(.|\n)*Done 1 lattices"),
        ("nbest-to-lattice ark:whole.ark ark,t:-", 255, "utt-n"),
        ("lattice-oracle ark:whole.ark ark:/dev/null ark,t:-", 0, "No reference present(.|\n)*Scored 0 lattices"),
        ("lattice-lmrescore ark:whole.ark missing.fst ark:-", 255, "missing.fst"),
        ("lattice-lmrescore-arpa ark:whole.ark x.arpa ark:-", 255, "--word-symbol-table is required"),
        ("lattice-best-path-sweep --min-lmwt=9 --max-lmwt=8 ark:whole.ark out", 255, "min-lmwt"),
        ("lattice-best-path-sweep --word-ins-penalty=a ark:whole.ark out", 255, "--word-ins-penalty"),
        ("lattice-oracle --wildcard-symbols=a ark:whole.ark ark:x ark:-", 255, "Expected colon-separated list"),
        ("lattice-oracle --wildcard-symbols=1: ark:whole.ark ark:x ark:-", 255, "Expected colon-separated list"),
        ("lattice-oracle --wildcard-symbols-list=x ark:whole.ark ark:x ark:-", 134, "requires --word-symbol-table"),
        ("decode-faster --max-active=20 x.fst ark:x ark:-", 134, "--min-active=20: must be below --max-active=20"),
        ("decode-faster --hash-ratio=0.5 x.fst ark:x ark:-", 134, "--hash-ratio=0.5"),
        ("latgen-faster --prune-scale=1 x.fst ark:x ark:-", 134, "--prune-scale=1"),
    ],
)
def test_status_and_message(command, status, said, folder, run):
    done = run(command, cwd=folder)
    assert done.returncode == status, done.stderr
    assert re.search(said, done.stderr + done.stdout), done.stderr


def test_nothing_half_written_is_left(folder, run):
    run("lattice-copy ark:cut.ark ark:copy.ark", cwd=folder)
    assert not (folder / "copy.ark").exists()
