"""The CTC topologies: which frame label strings stand for which unit strings.

T reads one token per frame (blank or a unit) and writes units. In the drawings `a` and `b` stand for units, `-` for the
blank, `.` for nothing (epsilon), `a:b` for "reads a, writes b"; (( )) is a final state and state 0 is the start.

correct    Graves 2006: merge equal neighbours, then drop blanks. Equal units need a blank between them.

               -:.                 a:.
              ((0)) --- a:a --->  ((a))       and b the same; every unit state reaches every other unit state:
                ^ <---- -:. -----  | ^
                |                b:b a:a      V + 1 states, V (V + 2) + 1 arcs
                ...                v |
                                  ((b))

compact    Laptev, Majumdar, Ginsburg 2021 ("CTC variations through new WFST topologies") replace the V (V - 1) arcs
           from unit to unit by epsilon back-off. Their back-off leads to state 0, from where the same unit can be read
           again: the frames `a a` then give both `a` and `a a`. Here the back-off climbs a binary tree over the units
           and comes down on another branch, so that every unit but the one just read is reached, by exactly one path.
           The language is that of `correct`, with fewer than 10 V arcs.

               unit a --.:.--> away(range that holds a) --.:.--> into(the sibling range) --b:b--> unit b

modified   k2's modified CTC: no blank is asked for between equal units, so `a a` is `a` or `a a`.

               ((0)) -:. , a:a        0 -- a:a --> a       a -- a:. --> a       a -- a:. --> 0

minimal    Laptev et al.: blanks are dropped and nothing is merged: every frame that is not blank is a unit of its own.

               ((0)) -:. , a:a , b:b

eesen      Miao et al. 2015 (EESEN, ctc_token_fst.py), kept for comparison. It rejects frames without any unit, and does
           not ask for a blank between equal units.

               ((0)) --.:.--> 1 (-:.) --a:a--> a (a:.) --.:.--> 2 (-:.) --.:.--> 0
"""

from __future__ import annotations

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr

EPS, BLANK, FIRST_UNIT = 0, 1, 2  # token labels
TOPOLOGIES = ("correct", "compact", "minimal", "modified", "eesen")

# An arc is (source, destination, input token label, output token label).
Arc = tuple[int, int, int, int]


def correct(num_units: int) -> tuple[list[Arc], list[int]]:
    """Arcs and final states of the correct topology; state 0 is "blank or nothing yet", state k + 1 is unit k."""
    arcs = [(0, 0, BLANK, EPS)]
    for unit in range(num_units):
        label, state = FIRST_UNIT + unit, unit + 1
        arcs += [(0, state, label, label), (state, state, label, EPS), (state, 0, BLANK, EPS)]
        others = [other for other in range(num_units) if other != unit]
        arcs += [(state, other + 1, FIRST_UNIT + other, FIRST_UNIT + other) for other in others]
    return arcs, list(range(num_units + 1))


def compact(num_units: int) -> tuple[list[Arc], list[int]]:
    """The language of `correct` with back-off arcs instead of arcs between all pairs of units."""
    arcs = [(0, 0, BLANK, EPS)]
    for unit in range(num_units):
        label, state = FIRST_UNIT + unit, unit + 1
        arcs += [(0, state, label, label), (state, state, label, EPS), (state, 0, BLANK, EPS)]
    states = num_units + 1
    entries: dict[tuple[int, int], int] = {}  # range -> the state from which one path leads to each of its units

    def go_into(source: int, first: int, last: int) -> None:
        """From `source`, one path to each of the units first..last - 1."""
        nonlocal states
        if last - first == 1:
            arcs.append((source, first + 1, FIRST_UNIT + first, FIRST_UNIT + first))
            return
        entry = entries.get((first, last))
        if entry is None:
            entry = entries[first, last] = states
            states += 1
            middle = (first + last) // 2
            go_into(entry, first, middle)
            go_into(entry, middle, last)
        arcs.append((source, entry, EPS, EPS))

    def climb(first: int, last: int, away: int | None) -> None:
        """Below the range first..last - 1, whose state `away` reaches all units outside it (None: there are none)."""
        nonlocal states
        if last - first <= 1:
            return
        middle = (first + last) // 2
        halves = ((first, middle), (middle, last))
        for (low, high), sibling in (halves, halves[::-1]):
            state = low + 1  # a unit's own state is the foot of its climb
            if high - low > 1:
                state = states
                states += 1
            go_into(state, *sibling)
            if away is not None:
                arcs.append((state, away, EPS, EPS))
            climb(low, high, state)

    climb(0, num_units, None)
    return arcs, list(range(num_units + 1))


def modified(num_units: int) -> tuple[list[Arc], list[int]]:
    """k2's modified topology: a run of n equal frames is any number of that unit from 1 to n."""
    arcs = [(0, 0, BLANK, EPS)]
    for unit in range(num_units):
        label, state = FIRST_UNIT + unit, unit + 1
        arcs += [(0, 0, label, label), (0, state, label, label), (state, state, label, EPS), (state, 0, label, EPS)]
    return arcs, [0]


def minimal(num_units: int) -> tuple[list[Arc], list[int]]:
    """One state: blanks are dropped, units pass."""
    arcs = [(0, 0, BLANK, EPS)]
    arcs += [(0, 0, FIRST_UNIT + unit, FIRST_UNIT + unit) for unit in range(num_units)]
    return arcs, [0]


def eesen(num_units: int) -> tuple[list[Arc], list[int]]:
    """EESEN's T: at least one unit, and no blank demanded between equal units."""
    arcs = [(0, 1, EPS, EPS), (1, 1, BLANK, EPS), (2, 2, BLANK, EPS), (2, 0, EPS, EPS)]
    for unit in range(num_units):
        label, state = FIRST_UNIT + unit, unit + 3
        arcs += [(1, state, label, label), (state, state, label, EPS), (state, 2, EPS, EPS)]
    return arcs, [0]


def token_fst(topology: str, outputs, disambig=()) -> CsrFst:
    """T as a transducer from token labels (1 blank, 2... units) to the labels in `outputs`.

    Parameters
    ----------
    topology : one of TOPOLOGIES
    outputs : label written for unit 0, 1, ... (the input labels of L)
    disambig : labels of the disambiguation symbols #0, #1, ..., which T writes without reading a frame, in every state
        in which frames can stop (`eesen`: only in state 0, as there).

    Raises
    ------
    DataError : unknown topology, or no unit.
    """
    if topology not in TOPOLOGIES:
        raise DataError(f"no CTC topology {topology!r}; expected one of {', '.join(TOPOLOGIES)}")
    if len(outputs) == 0:
        raise DataError("a token transducer needs at least one unit", mend="look at the pronunciations of the lexicon")
    arcs, finals = globals()[topology](len(outputs))
    label_of = np.zeros(FIRST_UNIT + len(outputs), dtype=np.int64)
    label_of[FIRST_UNIT:] = outputs
    src, dst, ilabel, olabel = np.array(arcs, dtype=np.int64).T
    olabel = label_of[olabel]
    # Only states in which a frame string can stop: between them lie nothing but epsilon back-off paths.
    stops = range(len(outputs) + 1) if topology == "modified" else finals
    loops = [(state, label) for state in stops for label in disambig]
    if loops:
        states, labels = np.array(loops, dtype=np.int64).T
        src, dst = np.concatenate([src, states]), np.concatenate([dst, states])
        ilabel, olabel = np.concatenate([ilabel, 0 * labels]), np.concatenate([olabel, labels])
    num_states = int(max(src.max(), dst.max())) + 1
    return make_csr(num_states, src, ilabel, olabel, np.zeros(len(src)), dst, {state: 0.0 for state in finals})


def accepted_outputs(topology: str, frames, num_units: int) -> dict[tuple[int, ...], int]:
    """All unit strings that a frame string stands for, with the number of paths of each: plain enumeration.

    Parameters
    ----------
    frames : token labels, one per frame (1 blank, 2... units)

    Returns
    -------
    dict from output (tuple of token labels) to the number of accepting paths
    """
    arcs, finals = globals()[topology](num_units)
    leaving: dict[int, list[Arc]] = {}
    for arc in arcs:
        leaving.setdefault(arc[0], []).append(arc)
    found: dict[tuple[int, ...], int] = {}
    stack = [(0, 0, ())]  # state, frames read, units written; T has no epsilon cycle that writes nothing
    while stack:
        state, read, written = stack.pop()
        if read == len(frames) and state in finals:
            found[written] = found.get(written, 0) + 1
        for _, dst, ilabel, olabel in leaving.get(state, ()):
            if ilabel != EPS and (read == len(frames) or frames[read] != ilabel):
                continue
            stack.append((dst, read + (ilabel != EPS), written + ((olabel,) if olabel != EPS else ())))
    return found


def collapse(frames) -> tuple[int, ...]:
    """Graves's B: merge equal neighbours, then drop blanks."""
    return tuple(label for k, label in enumerate(frames) if label != BLANK and (k == 0 or frames[k - 1] != label))
