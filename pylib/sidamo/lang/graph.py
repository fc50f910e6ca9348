"""L o G, determinized and minimized, and T o LG: the decoding graph.

`build_lg` is the text-book way (Mohri, Pereira, Riley 2002): compose, determinize in the log semiring, quantize, minimize
as an encoded acceptor. The order matters: disambiguation symbols dropped before the determinization make it endless,
unsorted arcs make the composition a hundred times slower, and removing epsilons afterwards makes five times the arcs. So
the functions sort what they need and check what they are given.

Small machines are composed and minimized by pynini, large ones by compiled kernels that read and write arrays
(compose_kernel, minimize_kernel): a fraction of the time, half of the memory, the same numbers of states. Determinization
is always determinize_kernel's, Kaldi's fstdeterminizestar: it says which input has two outputs, where pynini's would go on
until the memory is full.

`compose_topology` is T o LG by composition; `expand.expand_topology` writes the same down directly.
"""

from __future__ import annotations

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, fst_to_bytes, read_fst, sorted_arcs
from sidamo.lang.expand import SAME_AS_PYNINI, expand_topology
from sidamo.lang.topology import BLANK

QUANTUM = 1.0 / 1024  # weights closer than this are taken for equal in minimization, as in Kaldi
LARGE = 100_000  # arcs of L and G from which the compiled kernels are worth their loading
MANY_TIMES = 20  # as many states as before: a small machine that grows so cannot be determinized
_EMPTY = "{} is empty: no output string of the left side is an input string of the right side"
_MEND_EMPTY = "are both made with the same symbol tables (words.txt, phones.txt)?"


def to_pynini(fst: CsrFst):
    """CsrFst -> pynini.Fst."""
    import pynini

    return pynini.Fst.read_from_string(fst_to_bytes(fst))


def from_pynini(fst) -> CsrFst:
    """pynini.Fst -> CsrFst."""
    return read_fst(fst.write_to_string())


def compose(left, right, what: str):
    """left o right in pynini, sorted first; a result that accepts nothing is an error that says why it may be.

    Parameters
    ----------
    left, right : pynini.Fst
    what : name for messages, such as "L o G"
    """
    import pynini

    result = pynini.compose(left.arcsort("olabel"), right.arcsort("ilabel"), connect=True)
    if result.start() < 0:
        raise DataError(_EMPTY.format(what), mend=_MEND_EMPTY)
    return result


def minimize(held: list, quantum: float = QUANTUM):
    """Minimized as an acceptor over (input, output, quantized weight): Kaldi's fstminimizeencoded.

    held : a list with the one FST, which is taken out of it: its memory is free as soon as it is not needed.
    """
    import pynini

    fst = pynini.arcmap(held.pop(), map_type="quantize", delta=quantum)
    mapper = pynini.EncodeMapper("standard", encode_labels=True, encode_weights=True)
    fst.encode(mapper)
    fst.minimize(allow_nondet=True)
    fst.decode(mapper)
    return fst


def build_lg(lexicon: CsrFst, grammar: CsrFst, max_states: int = 50_000_000, names: dict[int, str] | None = None) -> CsrFst:
    """L o G, determinized and minimized; input labels are those of L, disambiguation symbols included.

    Parameters
    ----------
    names : of the input labels, for messages

    Raises
    ------
    DataError : the composition is empty, or cannot be determinized, or a step has more than `max_states` states.
    """
    if lexicon.num_arcs + grammar.num_arcs >= LARGE:
        return _build_large_lg(lexicon, grammar, max_states, names)
    held = [compose(to_pynini(lexicon), to_pynini(grammar), "L o G")]
    _check_size(held[0].num_states(), "L o G", max_states)
    log.info(f"L o G has {held[0].num_states()} states; determinizing")
    bound = min(max_states, MANY_TIMES * held[0].num_states() + 10_000)
    held.append(to_pynini(determinize_arrays(from_pynini(held.pop()), bound, names)))
    log.info(f"determinized: {held[0].num_states()} states; minimizing")
    held.append(minimize(held))
    log.info(f"minimized: {held[0].num_states()} states")
    return from_pynini(held.pop())


def _build_large_lg(lexicon: CsrFst, grammar: CsrFst, max_states: int, names) -> CsrFst:
    """`build_lg` by kernels."""
    fst = compose_arrays(lexicon, grammar, "L o G", max_states)
    log.info(f"L o G has {fst.num_states} states; determinizing")
    fst = determinize_arrays(fst, max_states, names)
    log.info(f"determinized: {fst.num_states} states; minimizing")
    fst = minimize_arrays(fst)
    log.info(f"minimized: {fst.num_states} states")
    return fst


def compose_arrays(left: CsrFst, right: CsrFst, what: str, max_states: int = 50_000_000) -> CsrFst:
    """`compose` on arrays, by a kernel."""
    from sidamo.lang.compose_kernel import compose as compose_fast

    fst = compose_fast(sorted_arcs(left, "olabel"), sorted_arcs(right, "ilabel"), max_states)
    if fst.start < 0:
        raise DataError(_EMPTY.format(what), mend=_MEND_EMPTY)
    _check_size(fst.num_states, what, max_states)
    return fst


def determinize_arrays(fst: CsrFst, max_states: int = 50_000_000, names: dict[int, str] | None = None) -> CsrFst:
    """Determinized in the log semiring (path weights add up); epsilons without input go on the way, as in Kaldi."""
    from sidamo.lang.determinize_kernel import determinize_star

    return determinize_star(fst, in_log=True, max_states=max_states, names=names)


def minimize_arrays(fst: CsrFst, quantum: float = QUANTUM) -> CsrFst:
    """`minimize` on arrays, by a kernel."""
    from sidamo.lang.minimize_kernel import minimize_encoded

    return minimize_encoded(fst, quantum)


def _check_size(num_states: int, what: str, max_states: int) -> None:
    if num_states > max_states:
        mend = "--builder direct, a pruned language model, or a larger --max-states"
        raise DataError(f"{what} has {num_states} states, more than --max-states {max_states}", mend=mend)


def check_lexicon(lexicon: CsrFst, phone_ids: dict[str, int], word_ids: dict[str, int], name="L_disambig.fst") -> None:
    """Two words that sound the same, or one that begins like another, without a disambiguation symbol: the
    determinization of L o G would not end.

    Each word is followed from its first arc to the state where words meet again; two word ends (or an end and a longer
    word) with the same units are refused, with the words named.
    """
    units, words = spell_words(lexicon, find_word_boundaries(lexicon))
    if len(units) < 2:
        return
    # of pronunciations in lexicographic order, one that begins another also begins its neighbour
    before, after = units[:-1], units[1:]
    ends = before == 0
    same = np.all(before == after, axis=1) & (words[:-1] != words[1:])
    begins = np.all((before == after) | ends, axis=1) & np.any(ends & (after != 0), axis=1)
    for rows, how in ((same, "sound the same"), (begins, "begin the same")):
        if np.any(rows):
            k = int(np.flatnonzero(rows)[0])
            spelled = units[k][units[k] > 0].tolist()
            _refuse_pair(spelled, int(words[k]), int(words[k + 1]), how, phone_ids, word_ids, name)


def _refuse_pair(units, word, other, how, phone_ids, word_ids, name):
    words = {k: text for text, k in word_ids.items()}
    phones = {k: text for text, k in phone_ids.items()}
    spelled = " ".join(phones.get(unit, str(unit)) for unit in units)
    pair = f"{words.get(word, word)!r} and {words.get(other, other)!r}"
    raise DataError(
        f"{pair} {how} ({spelled}) and no disambiguation symbol tells them apart: L o G cannot be determinized",
        file=name,
        mend="make L with utils/prepare_lang.sh, or mark the pronunciations with utils/add_lex_disambig.pl",
    )  # fmt: skip


def find_word_boundaries(lexicon: CsrFst) -> np.ndarray:
    """(S,) bool: states from which words leave, and those in which optional silence follows."""
    boundary = np.zeros(lexicon.num_states, bool)
    src = lexicon.arc_sources()
    boundary[src[(lexicon.olabel != 0) & (lexicon.nextstate != src)]] = True
    boundary[np.isfinite(lexicon.final)] = True
    if lexicon.start >= 0:
        first = lexicon.arcs_of(lexicon.start)
        silent = (lexicon.ilabel[first] == 0) & (lexicon.olabel[first] == 0)
        boundary[lexicon.nextstate[first][silent]] = True
    return boundary


def spell_words(lexicon: CsrFst, boundary: np.ndarray, max_length: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """All pronunciations of L, each from the boundary state where it leaves to one where it arrives.

    Arcs without input are followed too; where a word ends in silence the silence is not part of it.

    Returns
    -------
    units : (P, longest) int32, 0 behind the end; words : (P,) int32; each pair once, in lexicographic order
    """
    src, offsets = lexicon.arc_sources(), lexicon.offsets
    arcs = np.flatnonzero((lexicon.olabel != 0) & boundary[src])
    words, columns = lexicon.olabel[arcs], [lexicon.ilabel[arcs]]
    # of each state: is there but one label, and the arc that goes on (into a boundary, where there is one)
    is_linear = np.diff(offsets) > 0
    differs = lexicon.ilabel != lexicon.ilabel[offsets[src]]
    is_linear[src[differs]] = False
    onward = offsets[:-1].copy()
    into = np.flatnonzero(boundary[lexicon.nextstate])[::-1]
    onward[src[into]] = into
    state = lexicon.nextstate[arcs]
    going = np.arange(len(arcs))
    while len(columns) < max_length:
        at = np.minimum(onward[state[going]], lexicon.num_arcs - 1)
        going = going[~boundary[state[going]] & is_linear[state[going]] & (lexicon.olabel[at] == 0)]
        if len(going) == 0:
            break
        column = np.zeros(len(arcs), np.int32)
        at = onward[state[going]]
        column[going], state[going] = lexicon.ilabel[at], lexicon.nextstate[at]
        columns.append(column)
    units = np.stack(columns, axis=1)
    if np.any((units[:, :-1] == 0) & (units[:, 1:] != 0)):  # arcs without input on the way
        units = np.take_along_axis(units, np.argsort(units == 0, axis=1, kind="stable"), axis=1)
    rows = np.unique(np.column_stack([units, words]), axis=0) if len(units) else np.zeros((0, 2), np.int32)
    return rows[:, :-1], rows[:, -1]


# ---- tokens ----


def relabel_to_tokens(lg: CsrFst, phone_ids: dict[str, int], token_ids: dict[str, int]) -> CsrFst:
    """LG over units (phones.txt) -> LG over tokens (tokens.txt); disambiguation symbols become epsilon. Sorted.

    Raises
    ------
    DataError : LG has a unit that is no token.
    """
    table = np.full(max(phone_ids.values()) + 1, -1, np.int64)
    for symbol, k in phone_ids.items():
        if symbol == "<eps>" or (symbol.startswith("#") and token_ids.get(symbol, 0) != 1):
            table[k] = 0
        elif symbol in token_ids:
            table[k] = token_ids[symbol]
    labels = table[lg.ilabel]
    if np.any(labels < 0):
        wrong = int(lg.ilabel[np.flatnonzero(labels < 0)[0]])
        name = next((symbol for symbol, k in phone_ids.items() if k == wrong), str(wrong))
        raise DataError(f"unit {name!r} of L is not in tokens.txt", mend="make both with one run of utils/prepare_lang.sh")
    key = lg.arc_sources().astype(np.int64) << 32
    key |= labels
    order = np.argsort(key, kind="stable")  # in order already but for the former disambiguation symbols: quick
    columns = (column[order] for column in (labels.astype(np.int32), lg.olabel, lg.weight, lg.nextstate))
    return CsrFst(lg.start, lg.final, lg.offsets, *columns)


def compose_topology(topology_fst: CsrFst, lg: CsrFst, token_ids) -> CsrFst:
    """T o LG by composition, for any T.fst; LG has the input labels that T writes."""
    fst = from_pynini(compose(to_pynini(topology_fst), to_pynini(lg), "T o LG"))
    blank = token_ids["<blk>"]
    if blank != BLANK or (fst.num_arcs and fst.ilabel.max() >= len(token_ids)):
        raise DataError("T.fst does not read the labels of tokens.txt", mend="make both with utils/prepare_lang.sh")
    return arcsort(fst, "ilabel")


__all__ = [
    "SAME_AS_PYNINI", "build_lg", "check_lexicon", "compose", "compose_topology", "expand_topology",
    "from_pynini", "minimize", "relabel_to_tokens", "to_pynini",
]  # fmt: skip
