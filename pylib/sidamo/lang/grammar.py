"""Other grammars than n-grams as G: word loops, phrases, FST files, pynini grammars; and the checks of any G."""

from __future__ import annotations

import math
import os

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, make_csr, read_fst
from sidamo.lang.lexicon import fields, read_lines


def read_phrases(path, word_ids: dict[str, int], weighted: bool = False) -> tuple[list[list[int]], list[float]]:
    """One phrase per line; with `weighted` a positive weight comes first.

    Returns
    -------
    word ids of each phrase, and its probability (the weights sum to 1)

    Raises
    ------
    DataError : a word that words.txt lacks, a bad weight, nothing in the file.
    """
    phrases, weights = [], []
    for number, line in enumerate(read_lines(path), 1):
        words = fields(line)
        if not words:
            continue
        weight = 1.0
        if weighted:
            try:
                weight = float(words.pop(0))
            except ValueError:
                weight = math.nan
            if not weight > 0 or not words:
                raise DataError(f"found {line!r}; expected a weight above 0 and words", file=path, line=number)
        for word in words:
            if word not in word_ids:
                mend = f"add {word!r} to the lexicon (utils/extend_lang.sh), or remove it here"
                raise DataError(f"word {word!r} is not in words.txt", file=path, line=number, mend=mend)
        phrases.append([word_ids[word] for word in words])
        weights.append(weight)
    if not phrases:
        raise DataError("no phrase in it", file=path)
    total = sum(weights)
    return phrases, [weight / total for weight in weights]


def phrase_grammar(phrases, probabilities, loop: bool = False, stop_prob: float | None = None) -> CsrFst:
    """Acceptor of one phrase, or (loop) of any number of phrases, at least one.

    In the loop the end is as likely as one more phrase of average probability, 1 / (number of phrases + 1), unless
    `stop_prob` says otherwise; all costs are -log probabilities, so that the grammar sums to 1.
    """
    if stop_prob is None:
        stop_prob = 1.0 / (len(phrases) + 1)
    if loop and not 0 < stop_prob < 1:
        raise DataError(f"stop probability {stop_prob}; expected 0 < p < 1", mend="--stop-prob 0.1")
    start, end = 0, 1  # a phrase leads from start to end; in the loop the next one leads from end to end
    rows, free = [], 2
    for phrase, probability in zip(phrases, probabilities):
        heads = [(start, -math.log(probability))]
        if loop:
            heads.append((end, -math.log(probability) - math.log(1.0 - stop_prob)))
        first = end if len(phrase) == 1 else free
        rows += [(head, phrase[0], cost, first) for head, cost in heads]
        for k in range(1, len(phrase)):
            last = k == len(phrase) - 1
            rows.append((free, phrase[k], 0.0, end if last else free + 1))
            free += 1
    src, word, cost, dst = (np.array(column) for column in zip(*rows))
    final = {end: -math.log(stop_prob) if loop else 0.0}
    return arcsort(make_csr(free, src, word, word, cost, dst, final), "ilabel")


def load_grammar(path: str, word_ids: dict[str, int]) -> CsrFst:
    """G from a file: binary OpenFst over the ids of words.txt, a text FST over words, or a Python file.

    A Python file (*.py) has a function `grammar(words)` that returns a pynini acceptor; `words` is the pynini symbol
    table of the words, for `pynini.accep("one two", token_type=words)`.
    """
    if path.endswith(".py"):
        return _pynini_grammar(path, word_ids)
    with open(path, "rb") as stream:
        magic = stream.read(4)
    if magic == b"\xd6\xfd\xb2\x7e":
        return arcsort(read_fst(path), "ilabel")
    from sidamo.io.fst_text import compile_fst

    symbols = {word: k for word, k in word_ids.items()}
    with open(path, "rb") as stream:
        return arcsort(compile_fst(stream.read(), symbols, symbols, name=path), "ilabel")


def _pynini_grammar(path: str, word_ids: dict[str, int]) -> CsrFst:
    import runpy

    import pynini

    words = pynini.SymbolTable()
    for word, k in word_ids.items():
        words.add_symbol(word, k)
    function = runpy.run_path(path).get("grammar")
    if function is None:
        raise DataError("no function grammar(words) in it", file=path)
    try:
        fst = function(words)
    except Exception as error:  # whatever the user's code does wrong; pynini's own errors name no word
        mend = "are all its words in words.txt? For dates.py: python pylib/sidamo/lang/dates.py lists them"
        raise DataError(f"the grammar failed: {type(error).__name__}: {error}", file=path, mend=mend) from error
    fst = pynini.Fst.from_pywrapfst(fst) if not isinstance(fst, pynini.Fst) else fst
    fst = pynini.optimize(fst.copy()).rmepsilon()
    fst.set_input_symbols(None)
    fst.set_output_symbols(None)
    csr = read_fst(fst.write_to_string())
    if csr.num_states == 0:
        raise DataError("the grammar accepts nothing", file=path)
    return arcsort(csr, "ilabel")


# ---- checks of any G ----


def check_grammar(grammar: CsrFst, word_ids: dict[str, int], pronounced, oov_word: str = "", name="G.fst") -> list[str]:
    """Find in G what would make the graph empty, wrong, or endless to build.

    Parameters
    ----------
    pronounced : collection of word ids that L can write
    oov_word : this word may lack a pronunciation: its arcs are then of no use, which is said and not refused

    Returns
    -------
    remarks for the user

    Raises
    ------
    DataError : an empty G, <s> or </s> or an unknown label on an arc, #0 elsewhere than as #0:<eps>, a word without
        pronunciation, a cycle of back-off or epsilon arcs; each names the symbol at fault.
    """
    symbols = {k: word for word, k in word_ids.items()}
    if grammar.num_states == 0 or not np.any(np.isfinite(grammar.final)):
        raise DataError("the grammar accepts nothing: no final state", file=name)
    reserved = {word_ids[word] for word in ("<s>", "</s>") if word in word_ids}
    backoff = {k for word, k in word_ids.items() if word.startswith("#")}
    labels = np.union1d(grammar.ilabel, grammar.olabel)
    for label in labels.tolist():
        if label not in symbols:
            raise DataError(f"label {label} is in no line of words.txt", file=name, mend="the same words.txt for L and G")
        if label in reserved:
            mend = "arpa2fst --disambig-symbol=#0 turns them into start and end"
            raise DataError(f"{symbols[label]} on an arc", file=name, mend=mend)
    for label in np.intersect1d(grammar.olabel, list(backoff)).tolist():
        raise DataError(f"{symbols[label]} as an output; only {symbols[label]}:<eps> is allowed", file=name)
    remarks = []
    known = set(pronounced) | backoff | {0}
    missing = [label for label in np.unique(grammar.ilabel).tolist() if label not in known]
    oov = word_ids.get(oov_word, -1)
    if oov in missing:
        missing.remove(oov)
        remarks.append(f"{oov_word} has no pronunciation: it is never recognized (utils/make_unk_lm.sh gives it one)")
    if missing:
        shown = ", ".join(repr(symbols[label]) for label in missing[:5])
        raise DataError(f"{len(missing)} words of the grammar have no pronunciation in the lexicon: {shown}", file=name,
                        mend="add them with utils/extend_lang.sh, or remove them from the grammar")  # fmt: skip
    free = (grammar.ilabel == 0) | np.isin(grammar.ilabel, list(backoff))
    cycle = find_cycle(grammar, free)
    if cycle is not None:
        shown = " -> ".join(map(str, cycle))
        raise DataError(f"a cycle of arcs without words (#0 or <eps>) through the states {shown}: the graph would have "
                        "no end", file=name, mend="look at them: utils/draw_fst.sh or fstprint G.fst")  # fmt: skip
    return remarks


def find_cycle(fst: CsrFst, which: np.ndarray) -> list[int] | None:
    """States of one cycle that uses only the arcs in the mask `which` (A,), or None.

    States that nothing leads to are peeled off level by level (Kahn 1962); what is left is on or behind a cycle.
    """
    src, dst = fst.arc_sources()[which], fst.nextstate[which]
    degree = np.bincount(dst, minlength=fst.num_states)
    left = np.zeros(fst.num_states, bool)
    left[src] = left[dst] = True
    order = np.argsort(src, kind="stable")
    offsets = np.searchsorted(src[order], np.arange(fst.num_states + 1))
    dst = dst[order]
    frontier = np.flatnonzero(left & (degree == 0))
    while len(frontier):
        left[frontier] = False
        counts = offsets[frontier + 1] - offsets[frontier]
        start = np.repeat(offsets[frontier] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        reached = dst[start + np.arange(counts.sum())]
        np.subtract.at(degree, reached, 1)
        frontier = np.unique(reached[degree[reached] == 0])
    if not np.any(left):
        return None
    # Every state left has an arc from a state that is left: go backwards until a state comes again.
    source_of = {}
    for a, b in zip(src.tolist(), fst.nextstate[which].tolist()):
        if left[a] and left[b]:
            source_of.setdefault(b, a)
    state, path = next(iter(source_of)), []
    while state not in path:
        path.append(state)
        state = source_of[state]
    return [state, *reversed(path[path.index(state) :])] if path else None


def grammar_of_file(path: str, word_ids: dict[str, int], kind: str, loop: bool, stop_prob: float | None) -> CsrFst:
    """`kind`: phrases, weighted-phrases, or fst (see `load_grammar`)."""
    if not os.path.isfile(path):
        raise DataError("no such file", file=path)
    if kind == "fst" or path.endswith((".py", ".fst")):
        return load_grammar(path, word_ids)
    phrases, probabilities = read_phrases(path, word_ids, weighted=kind == "weighted-phrases")
    return phrase_grammar(phrases, probabilities, loop, stop_prob)
