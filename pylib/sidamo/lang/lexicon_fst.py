"""The lexicon transducer as arrays."""

from __future__ import annotations

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr
from sidamo.lang.lexicon import LexiconArcs


def lexicon_fst(arcs: LexiconArcs, phone_ids: dict[str, int], word_ids: dict[str, int]) -> CsrFst:
    """Symbols -> labels; the arcs of a state in the order of `arcs`.

    Raises
    ------
    DataError : a phone or word that is in no table.
    """
    try:
        ilabel = [phone_ids[phone] for phone in arcs.phone]
    except KeyError as error:
        raise DataError(f"unit {error.args[0]!r} of the lexicon is not in the table of units") from None
    try:
        olabel = [word_ids[word] for word in arcs.word]
    except KeyError as error:
        raise DataError(f"word {error.args[0]!r} of the lexicon is not in the table of words") from None
    num_states = max(*arcs.src, *arcs.dst) + 1
    return make_csr(num_states, arcs.src, ilabel, olabel, arcs.cost, arcs.dst, dict(arcs.final))


def add_self_loops(fst: CsrFst, ilabels, olabels) -> CsrFst:
    """Kaldi's fstaddselfloops: pass the grammar's symbols (#0) through, on final states and before words.

    A loop ilabel:olabel is added to each state that is final or has an arc with an output, after its other arcs.
    """
    has_output = np.zeros(fst.num_states, dtype=bool)
    src = fst.arc_sources()
    has_output[src[fst.olabel != 0]] = True
    states = np.flatnonzero(np.isfinite(fst.final) | has_output)
    loops, count = len(ilabels), len(states)
    return make_csr(
        fst.num_states,
        np.concatenate([src, np.repeat(states, loops)]),
        np.concatenate([fst.ilabel, np.tile(ilabels, count)]),
        np.concatenate([fst.olabel, np.tile(olabels, count)]),
        np.concatenate([fst.weight, np.zeros(loops * count)]),
        np.concatenate([fst.nextstate, np.repeat(states, loops)]),
        fst.final,
        start=fst.start,
    )
