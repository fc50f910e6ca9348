"""The lines of large ARPA files, byte by byte, compiled by numba: `sidamo.lang.arpa` uses it from a megabyte on."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

LN10 = math.log(10.0)
TAB, NEWLINE, SPACE, MINUS, PLUS, POINT, ZERO, NINE, LOWER_E = 9, 10, 32, 45, 43, 46, 48, 57, 101
IRREGULAR = -1
MAX_FLOAT = float(np.finfo(np.float32).max)
MAX_DIGITS = 18  # of a mantissa that fits in 64 bits
POWERS = 10.0 ** np.arange(23)  # exact as float64


@njit(cache=True)
def _hash(data, begin, end):
    """FNV-1a, its bits mixed once more."""
    code = np.int64(-3750763034362895579)
    for k in range(begin, end):
        code = (code ^ np.int64(data[k])) * 1099511628211
    return code ^ ((code >> 29) & 0x7FFFFFFFF)


@njit(cache=True)
def _fill_slots(blob, begin, slots):
    mask = len(slots) - 1
    for k in range(len(begin) - 1):
        slot = _hash(blob, begin[k], begin[k + 1]) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = k


@njit(cache=True)
def _find(data, first, last, blob, begin, slots):
    """Which word the bytes data[first:last] are; -1 where none."""
    mask = len(slots) - 1
    slot = _hash(data, first, last) & mask
    while slots[slot] >= 0:
        k = slots[slot]
        if begin[k + 1] - begin[k] == last - first:
            same = 0
            while same < last - first and blob[begin[k] + same] == data[first + same]:
                same += 1
            if same == last - first:
                return k
        slot = (slot + 1) & mask
    return -1


@njit(cache=True, inline="always")
def _is_equal(data, first, last, other, other_last):
    """Are data[first:last] and data[other:other_last] the same bytes?"""
    if last - first != other_last - other:
        return False
    same = 0
    while same < last - first and data[first + same] == data[other + same]:
        same += 1
    return same == last - first


@njit(cache=True)
def _natural(data, first, last, powers):
    """The base-10 logarithm data[first:last] as a natural one, float32; NaN where it is no plain decimal number.

    Rounded to float32 before and after the conversion, as Kaldi does.
    """
    negative = data[first] == MINUS
    k = first + (negative or data[first] == PLUS)
    mantissa, digits, exponent, seen, after_point = np.int64(0), 0, 0, 0, False
    while k < last and (ZERO <= data[k] <= NINE or (data[k] == POINT and not after_point)):
        if data[k] == POINT:
            after_point = True
        else:
            seen += 1
            if digits < MAX_DIGITS:
                mantissa = mantissa * 10 + (data[k] - ZERO)
                digits += mantissa > 0
                exponent -= after_point
            else:
                exponent += not after_point
        k += 1
    if seen == 0:
        return np.float32(np.nan)
    if k < last:
        if data[k] | 32 != LOWER_E or k + 1 == last:
            return np.float32(np.nan)
        k += 1
        minus = data[k] == MINUS
        k += minus or data[k] == PLUS
        power = 0
        if k == last:
            return np.float32(np.nan)
        while k < last:
            if not ZERO <= data[k] <= NINE or power > 10000:
                return np.float32(np.nan)
            power = power * 10 + (data[k] - ZERO)
            k += 1
        exponent += -power if minus else power
    value = float(mantissa)
    while exponent < 0 and value != 0.0:
        step = min(-exponent, 22)
        value /= powers[step]
        exponent += step
    while exponent > 0 and value != 0.0 and value < np.inf:
        step = min(exponent, 22)
        value *= powers[step]
        exponent -= step
    if value > MAX_FLOAT:
        return np.float32(np.nan)
    if negative:
        value = -value
    return np.float32(np.float64(np.float32(value)) * LN10)


@njit(cache=True)
def parse_lines(
    data, at, order, highest, line, blob, begin, slots, ids, powers, words, logprob, backoff, lines, unknown
):  # fmt: skip
    """n-gram lines from data[at] on.

    words (N, order), logprob, backoff, lines (N,) : the n-grams found
    unknown : (N,) where in `data` the first word stands that is in no table (its id is -1), -1 where all are

    Returns how many n-grams, or IRREGULAR: some line is not as expected, or has a word of id 0.
    """
    rows, end = 0, len(data)
    # the word in each column of the line before: n-grams of one history follow each other
    seen_first, seen_last, seen_word = np.zeros(order, np.int64), np.zeros(order, np.int64), np.full(order, -1)
    while at < end:
        columns, first_unknown = 0, -1
        backoff[rows] = 0.0
        while True:
            while at < end and (data[at] == SPACE or data[at] == TAB):
                at += 1
            if at == end or data[at] == NEWLINE:
                break
            first = at
            while at < end and data[at] != SPACE and data[at] != TAB and data[at] != NEWLINE:
                at += 1
            if columns == 0:
                logprob[rows] = _natural(data, first, at, powers)
                if np.isnan(logprob[rows]):
                    return IRREGULAR
            elif columns <= order:
                c = columns - 1
                if not _is_equal(data, first, at, seen_first[c], seen_last[c]):
                    seen_word[c] = _find(data, first, at, blob, begin, slots)
                    seen_first[c], seen_last[c] = first, at
                word = seen_word[c]
                words[rows, c] = -1 if word < 0 else ids[word]
                if word >= 0 and ids[word] == 0:
                    return IRREGULAR
                if word < 0 and first_unknown < 0:
                    first_unknown = first
            else:
                backoff[rows] = _natural(data, first, at, powers)
                if columns > order + 1 or highest or np.isnan(backoff[rows]):
                    return IRREGULAR
            columns += 1
        if columns > 0:
            if columns <= order:
                return IRREGULAR
            lines[rows], unknown[rows] = line, first_unknown
            rows += 1
        at += 1
        line += 1
    return rows


class WordTable:
    """Words and their ids, for `parse_lines`."""

    def __init__(self, ids: dict[bytes, int]):
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        self.begin = np.zeros(len(ids) + 1, np.int64)
        np.cumsum(lengths, out=self.begin[1:])
        self.blob = np.frombuffer(b"".join(ids), np.uint8)
        self.ids = np.fromiter(ids.values(), np.int32, len(ids))
        self.slots = np.full(1 << max(4, (2 * len(ids)).bit_length()), -1, np.int32)
        _fill_slots(self.blob, self.begin, self.slots)

    def parse(self, chunk: np.ndarray, num_lines: int, order: int, highest: bool, first_line: int):
        """(words, logprob, backoff, lines, unknown) of the n-grams of a chunk of whole lines; None where irregular."""
        kinds = (np.float32, np.float32, np.int32, np.int32)
        columns = np.empty((num_lines, order), np.int32), *(np.empty(num_lines, kind) for kind in kinds)
        rows = parse_lines(chunk, 0, order, highest, first_line, self.blob, self.begin, self.slots, self.ids, POWERS, *columns)
        return None if rows == IRREGULAR else tuple(column[:rows] for column in columns)
