"""A worked example of a grammar in pynini: spoken dates and times of day.

    the third of march              march the third two thousand four        twenty first of july nineteen ninety nine
    ten past six                    half past four p m                       seven forty five        eleven o'clock

Use it as G, with a lexicon that has the words below:

    python pylib/sidamo/lang/dates.py                            (prints the words that the lexicon needs)
    utils/prepare_grammar.sh data/lang pylib/sidamo/lang/dates.py data/lang_dates

Each rule is a union or a concatenation of smaller ones; all alternatives of a union are equally likely.
"""

import math

DIGITS = "one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
MONTHS = "january february march april may june july august september october november december".split()
LONG_MONTHS = {"january", "march", "may", "july", "august", "october", "december"}


def days(month: str) -> list[str]:
    """The days of a month as they are spoken, february with its leap day."""
    last = 29 if month == "february" else 31 if month in LONG_MONTHS else 30
    spoken = [*ORDINALS, *(f"twenty {ordinal}" for ordinal in ORDINALS[:9]), "thirtieth", "thirty first"]
    return spoken[:last]


def below_hundred() -> list[str]:
    """one to ninety nine."""
    return [*DIGITS, *TEENS, *(f"{tens}{unit}" for tens in TENS for unit in ["", *(f" {digit}" for digit in DIGITS)])]


def years() -> list[str]:
    """nineteen hundred to nineteen ninety nine, two thousand to two thousand ninety nine, twenty ten to twenty ninety nine."""
    two_digits = below_hundred()
    spoken = ["nineteen hundred", *(f"nineteen {n}" for n in two_digits[9:]), *(f"nineteen oh {n}" for n in DIGITS)]
    spoken += ["two thousand", *(f"two thousand {n}" for n in two_digits[:19])]
    return spoken + [f"twenty {n}" for n in two_digits[9:]]


def words() -> list[str]:
    """All words of the grammar."""
    rest = "the of o'clock past to half quarter a p m oh hundred thousand midnight noon".split()
    return sorted({*DIGITS, *TEENS, *TENS, *ORDINALS, *MONTHS, *rest, "thirtieth"})


def grammar(symbols):
    """G as a pynini acceptor.

    Parameters
    ----------
    symbols : pynini.SymbolTable of words.txt, with all of `words()`
    """
    import pynini

    def accept(phrase):
        return pynini.accep(phrase, token_type=symbols)

    def union(*rules):
        """Equally likely alternatives."""
        fsts = [accept(rule) if isinstance(rule, str) else rule for rule in rules]
        cost = math.log(len(fsts))
        return pynini.union(*(pynini.accep("", weight=cost, token_type=symbols) + fst for fst in fsts))

    def maybe(rule):
        return union(rule, "")

    year = union(*years())
    date = union(*(
        union(maybe("the") + union(*days(month)) + accept("of") + accept(month),
              accept(month) + maybe("the") + union(*days(month)))
        for month in MONTHS
    )) + maybe(year)  # fmt: skip
    hour = union(*DIGITS, *TEENS[:3])
    minute = union(*below_hundred()[:59])
    half_day = maybe(union("a m", "p m"))
    time = union(
        hour + accept("o'clock"),
        hour + union(*below_hundred()[9:59]) + half_day,  # seven forty five
        hour + accept("oh") + union(*DIGITS) + half_day,  # seven oh five
        union(minute, "a quarter", "quarter") + union("past", "to") + hour + half_day,
        accept("half past") + hour + half_day,
        "noon",
        "midnight",
    )
    return union(date, time)


if __name__ == "__main__":
    print("\n".join(words()))
