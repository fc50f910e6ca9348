"""Word error rate: totals over utterances, and the three lines that compute-wer prints."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sidamo.score.align import Counts, edit_counts


@dataclass
class Totals:
    """Sums over the scored utterances.

    Attributes
    ----------
    ref_words, ins, del_, sub : int, words
    sentences, wrong_sentences : int, utterances scored, and those with an error
    absent : int, utterances of the reference without a hypothesis
    """

    ref_words: int = 0
    ins: int = 0
    del_: int = 0
    sub: int = 0
    sentences: int = 0
    wrong_sentences: int = 0
    absent: int = 0

    def add(self, counts: Counts) -> None:
        self.ref_words += counts.ref_words
        self.ins += counts.ins
        self.del_ += counts.del_
        self.sub += counts.sub
        self.sentences += 1
        self.wrong_sentences += counts.errors != 0

    @property
    def errors(self) -> int:
        return self.ins + self.del_ + self.sub

    @property
    def wer(self) -> float:
        """Errors per reference word, in percent; inf (or nan, with no errors) without reference words."""
        return percent(self.errors, self.ref_words)

    @property
    def ser(self) -> float:
        """Wrong sentences in percent of the scored ones."""
        return percent(self.wrong_sentences, self.sentences)

    def format(self) -> str:
        """The three lines of compute-wer."""
        partial = " [PARTIAL]" if self.absent else ""
        return (
            f"%WER {two_digits(self.wer)} [ {self.errors} / {self.ref_words}, "
            f"{self.ins} ins, {self.del_} del, {self.sub} sub ]{partial}\n"
            f"%SER {two_digits(self.ser)} [ {self.wrong_sentences} / {self.sentences} ]\n"
            f"Scored {self.sentences} sentences, {self.absent} not present in hyp.\n"
        )


def percent(part: int, whole: int) -> float:
    if whole:
        return 100.0 * part / whole
    return math.inf if part else math.nan


def two_digits(value: float) -> str:
    """`value` with two digits after the point, as C++ prints a float32; 0/0 is "-nan" (x86 sets that NaN's sign)."""
    if math.isnan(value):
        return "-nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return f"{struct.unpack('f', struct.pack('f', value))[0]:.2f}"


def total(counts: Iterable[Counts]) -> Totals:
    totals = Totals()
    for one in counts:
        totals.add(one)
    return totals


def score_stream(references: Iterable[tuple[str, Sequence]], hypotheses, mode: str, on_absent) -> Totals:
    """Score a stream of references against a table of hypotheses.

    Parameters
    ----------
    references : (utterance, words) pairs
    hypotheses : anything with `in` and `[]` by utterance
    mode : "present", "all" or "strict"
    on_absent : called with each utterance that has no hypothesis (in strict mode it is expected to raise)
    """
    totals = Totals()
    for key, ref in references:
        if key in hypotheses:
            hyp = hypotheses[key]
        else:
            on_absent(key)
            totals.absent += 1
            if mode == "present":
                continue
            hyp = []
        totals.add(edit_counts(list(ref), list(hyp)))
    return totals
