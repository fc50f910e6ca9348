"""Numbers, dates and times, spoken and written, as one weighted transducer that is used both ways.

    inverse text normalization:  "at five thirty p m on may fifth" -> "at 5:30 pm on May 5"
    text normalization:          "25 apples" -> "twenty five apples"

The grammar maps spoken to written and is composed from the left or from the right. Where several readings fit, the
cheapest sentence wins: any word may pass unchanged at a high cost, a date is cheaper than a number and a word, and
so on. English; a small example of how such grammars are written in pynini, not a complete one.

Source of the method: R. Sproat et al., "Normalization of non-standard words", Computer Speech and Language, 2001;
K. Gorman and R. Sproat, "Finite-State Text Processing", 2021.
"""

from __future__ import annotations

import functools

import pynini
from pynini.lib import pynutil

DIGITS = "one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
MONTHS = "January February March April May June July August September October November December".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
ORDINALS += [f"{teen}th" for teen in TEENS[3:]]

# Costs: a word that passes unchanged is dear, so that what can be read as a number is; longer readings are cheaper.
WORD, NUMBER, YEAR, TIME, DATE = 10.0, 4.0, 3.0, 2.0, 2.0
RARE = 0.5  # a reading that is understood but not chosen when text is spoken ("and" in a number, "quarter past")


def union_of(pairs) -> pynini.Fst:
    """spoken -> written for each pair of strings."""
    return pynini.string_map([(spoken, str(written)) for spoken, written in pairs]).optimize()


def rare(fst: pynini.Fst) -> pynini.Fst:
    return pynutil.add_weight(fst, RARE)


def delete(text: str) -> pynini.Fst:
    return pynutil.delete(pynini.accep(text))


def insert(text: str) -> pynini.Fst:
    return pynutil.insert(pynini.accep(text))


def below_100() -> tuple[pynini.Fst, pynini.Fst]:
    """1 to 99 without leading zero, and 01 to 99 with two digits."""
    digit = union_of(zip(DIGITS, range(1, 10)))
    teen = union_of(zip(TEENS, range(10, 20)))
    ten = union_of(zip(TENS, range(2, 10)))
    both = teen | ten + insert("0") | ten + delete(" ") + digit
    return (digit | both).optimize(), (insert("0") + digit | both).optimize()


@functools.cache
def cardinal() -> pynini.Fst:
    """0 to 999999: "two thousand three hundred (and) five" -> 2305."""
    short, two = below_100()
    digit = union_of(zip(DIGITS, range(1, 10)))
    link = delete(" ") | rare(delete(" and "))
    hundreds = digit + delete(" hundred")
    rest = insert("00") | link + two
    below_1000 = (short | hundreds + rest).optimize()
    three = (insert("0") + two | hundreds + rest).optimize()  # three digits with leading zeros, not 000
    after = insert("000") | delete(" ") + three | rare(delete(" and ") + insert("0") + two)
    thousands = below_1000 + delete(" thousand") + after
    return (union_of([("zero", 0)]) | below_1000 | thousands).optimize()


@functools.cache
def year() -> pynini.Fst:
    """1100 to 2099 as years are said: "nineteen ninety nine", "nineteen oh five", "fifteen hundred", "two thousand"."""
    _, two = below_100()
    tens = pynini.project(pynini.union(*map(str, range(10, 100))), "input")
    century = union_of([*zip(TEENS[1:], range(11, 20)), ("twenty", 20)])
    decades = two @ tens  # ten to ninety nine
    oh = delete("oh ") + insert("0") + union_of(zip(DIGITS, range(1, 10)))
    round_ = union_of(zip(TEENS[1:], range(11, 20))) + delete(" hundred") + insert("00")
    said = century + delete(" ") + (decades | oh) | round_
    two_thousands = cardinal() @ pynini.union(*map(str, range(2000, 2010)))
    return (said | two_thousands).optimize()


@functools.cache
def ordinal() -> pynini.Fst:
    """1 to 31: "twenty first" -> 21, the days of a month."""
    first = union_of(zip(ORDINALS, range(1, 20)))
    ones = union_of(zip(ORDINALS[:9], range(1, 10)))
    joined = union_of([("twenty", 2)]) + delete(" ") + ones
    others = union_of([("twentieth", 20), ("thirtieth", 30), ("thirty first", 31)])
    return (first | others | joined).optimize()


@functools.cache
def date() -> pynini.Fst:
    """ "may fifth twenty twenty six" -> "May 5 2026", "the fifth of may" -> "5 May"."""
    month = union_of((name.lower(), name) for name in MONTHS)
    blank = pynini.accep(" ")
    with_year = (blank + year()).ques
    american = month + blank + ordinal() + with_year
    british = (delete("the ") | rare(insert(""))) + ordinal() + delete(" of") + blank + month + with_year
    return (american | british).optimize()


@functools.cache
def time() -> pynini.Fst:
    """ "five thirty p m" -> "5:30 pm", "ten o'clock" -> "10:00", "quarter to six" -> "5:45"."""
    _, two = below_100()
    hours = list(zip([*DIGITS, *TEENS[:3]], range(1, 13)))
    hour = union_of(hours)
    previous = union_of((word, 12 if value == 1 else value - 1) for word, value in hours)
    oh = delete("oh ") + insert("0") + union_of(zip(DIGITS, range(1, 10)))
    minutes = two @ pynini.union(*map(str, range(10, 60))) | oh
    half = pynini.accep(" ") + union_of([("a m", "am"), ("p m", "pm")])
    clock = hour + insert(":") + delete(" ") + minutes + half  # without a.m. or p.m. "five thirty" is two numbers
    full = hour + insert(":00") + half | hour + delete(" o'clock") + insert(":00")
    past = {"quarter": "15", "half": "30"}
    swapped = []
    for said, value in past.items():  # the minutes are said first and written last
        swapped.append(delete(f"{said} past ") + hour + insert(f":{value}"))
    swapped.append(delete("quarter to ") + previous + insert(":45"))
    return (clock | full | rare(pynini.union(*swapped))).optimize()


@functools.cache
def sentence() -> pynini.Fst:
    """Spoken to written for whole sentences: each stretch is a date, a time, a year, a number, or a word as it is."""
    letters = pynini.union(*(pynini.escape(chr(b)) for b in range(33, 127)), *(f"[{b}]" for b in range(128, 256)))
    word = letters.plus
    item = (
        pynutil.add_weight(word, WORD)
        | pynutil.add_weight(cardinal(), NUMBER)
        | pynutil.add_weight(year(), YEAR)
        | pynutil.add_weight(time(), TIME)
        | pynutil.add_weight(date(), DATE)
    ).optimize()
    return (item + (pynini.accep(" ") + item).star).optimize()


@functools.cache
def spoken_form() -> pynini.Fst:
    """Written to spoken: the same transducer from the other side; a bare 1100 to 2099 is read as a year."""
    return pynini.invert(sentence()).optimize()


def _best(text: str, grammar: pynini.Fst) -> str:
    text = " ".join(text.split())
    if not text:
        return ""
    lattice = pynini.escape(text) @ grammar
    # Empty only where a byte of the text is in no word (a control character): the text then stays as it is.
    return pynini.shortestpath(lattice).string() if lattice.num_states() else text


def to_written(text: str) -> str:
    """Inverse text normalization of one sentence.

    >>> to_written("twenty five apples at five thirty p m")
    '25 apples at 5:30 pm'
    """
    return _best(text, sentence())


def to_spoken(text: str) -> str:
    """Text normalization of one sentence.

    >>> to_spoken("25 apples")
    'twenty five apples'
    """
    return _best(text, spoken_form())
