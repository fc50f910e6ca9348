"""Inverse text normalization: every number against a speller written by hand, and the way back."""

import random

import pytest
from conftest import ROOT

itn = pytest.importorskip("sidamo.lang.itn")


def speak(n):
    """An integer below a million in words, by division."""
    if n == 0:
        return "zero"
    words = []
    if n >= 1000:
        words += [speak(n // 1000), "thousand"]
        n %= 1000
    if n >= 100:
        words += [itn.DIGITS[n // 100 - 1], "hundred"]
        n %= 100
    if n >= 20:
        words.append(itn.TENS[n // 10 - 2])
        n %= 10
    if n:
        words.append((itn.DIGITS + itn.TEENS)[n - 1])
    return " ".join(words)


def test_numbers_both_ways():
    rng = random.Random(1)
    for n in [*range(1100), 2000, 10000, 999999, *(rng.randrange(1000000) for _ in range(300))]:
        assert itn.to_written(f"{speak(n)} apples") == f"{n} apples"
        if not 1100 <= n <= 2099:
            assert itn.to_spoken(f"{n} apples") == f"{speak(n)} apples"


def test_years_both_ways():
    for n in range(1101, 2100):
        if n % 100 and not 2000 < n < 2010:
            said = itn.to_spoken(f"May 5 {n}")
            assert said.startswith("may fifth ") and itn.to_written(said) == f"May 5 {n}"


@pytest.mark.parametrize(
    "spoken, written",
    [
        ("at five thirty p m on may fifth twenty twenty six", "at 5:30 pm on May 5 2026"),
        ("the twenty first of june nineteen oh five", "21 June 1905"),
        ("a quarter to one", "a 12:45"),
        ("half past twelve", "12:30"),
        ("ten o'clock", "10:00"),
        ("twelve oh five a m", "12:05 am"),
        ("nineteen hundred", "1900"),
        ("two thousand and one", "2001"),
        ("five six seven", "5 6 7"),
        ("may i have twenty five [noise] é", "may i have 25 [noise] é"),
        ("no numbers here", "no numbers here"),
        ("", ""),
    ],
)
def test_examples(spoken, written):
    assert itn.to_written(spoken) == written


def test_what_was_written_is_written_again():
    """Spoken and written again: scoring may take either side."""
    for text in ("at 5:30 pm on May 5 2026", "25 of 1001", "12:00 am", "21 June", "10:00", "[x] 7 \\ y"):
        assert itn.to_written(itn.to_spoken(text)) == text


def test_the_filter(run):
    command = f"source '{ROOT}/path.sh'; printf 'u1 twenty five\\nu2\\n' | python3 -m sidamo.bin.normalize_numbers"
    assert run(command).stdout == "u1 25\nu2\n"
    assert run(f"{command} --to=spoken").stdout == "u1 twenty five\nu2\n"
    done = run(f"{command} --to=sung")
    assert done.returncode == 255 and "expected written or spoken" in done.stderr
