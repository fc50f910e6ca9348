"""L o G, determinized and minimized, and T o LG: the decoding graph.

`build_lg` is the text-book way, in pynini (Mohri, Pereira, Riley 2002): compose, determinize in the log semiring,
quantize, minimize as an encoded acceptor. The order matters: epsilons removed or disambiguation symbols dropped before
the determinization make it endless, unsorted arcs make the composition a hundred times slower, and removing epsilons
afterwards makes five times the arcs. So the functions sort what they need and check what they are given.

`expand_topology` writes T o LG down from LG without a general composition; the tests show that it is the same.
"""

from __future__ import annotations

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, fst_to_bytes, make_csr, read_fst
from sidamo.lang.topology import BLANK, FIRST_UNIT

QUANTUM = 1.0 / 1024  # weights closer than this are taken for equal in minimization, as in Kaldi
SAME_AS_PYNINI = ("correct", "compact", "minimal", "modified")  # topologies that expand_topology knows


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
        raise DataError(f"{what} is empty: no output string of the left side is an input string of the right side",
                        mend="are both made with the same symbol tables (words.txt, phones.txt)?")  # fmt: skip
    return result


def determinize(fst, what: str):
    """Determinized in the log semiring (path weights add up), epsilon taken for a symbol like the others."""
    import pynini

    fst = pynini.Fst.from_pywrapfst(pynini.arcmap(fst, map_type="to_log")) if fst.arc_type() != "log" else fst
    result = pynini.arcmap(pynini.determinize(fst), map_type="to_std")
    if result.start() < 0:
        raise DataError(f"{what} is empty after determinization")
    return result


def minimize(fst, quantum: float = QUANTUM):
    """Minimized as an acceptor over (input, output, quantized weight): Kaldi's fstminimizeencoded."""
    import pynini

    fst = pynini.arcmap(fst, map_type="quantize", delta=quantum)
    mapper = pynini.EncodeMapper("standard", encode_labels=True, encode_weights=True)
    fst.encode(mapper)
    fst.minimize(allow_nondet=True)
    fst.decode(mapper)
    return fst


def build_lg(lexicon: CsrFst, grammar: CsrFst, max_states: int = 50_000_000) -> CsrFst:
    """L o G, determinized and minimized; input labels are those of L, disambiguation symbols included.

    Raises
    ------
    DataError : the composition is empty, or a step has more than `max_states` states.
    """
    fst = compose(to_pynini(lexicon), to_pynini(grammar), "L o G")
    _check_size(fst, "L o G", max_states)
    log.info(f"L o G has {fst.num_states()} states; determinizing")
    fst = determinize(fst, "L o G")
    _check_size(fst, "the determinized L o G", max_states)
    log.info(f"determinized: {fst.num_states()} states; minimizing")
    fst = minimize(fst)
    log.info(f"minimized: {fst.num_states()} states")
    return from_pynini(fst)


def _check_size(fst, what: str, max_states: int) -> None:
    if fst.num_states() > max_states:
        mend = "--builder direct, a pruned language model, or a larger --max-states"
        raise DataError(f"{what} has {fst.num_states()} states, more than --max-states {max_states}", mend=mend)


def check_lexicon(lexicon: CsrFst, phone_ids: dict[str, int], word_ids: dict[str, int], name="L_disambig.fst") -> None:
    """Two words that sound the same, or one that begins like another, without a disambiguation symbol: the
    determinization of L o G would not end.

    Each word is followed from its first arc to the state where words meet again; two word ends (or an end and a longer
    word) with the same units are refused, with the words named.
    """
    states = find_word_boundaries(lexicon)
    seen: dict[tuple[int, ...], int] = {}
    prefix_of: dict[tuple[int, ...], int] = {}
    for units, word in spell_words(lexicon, states):
        other = seen.get(units)
        if other is not None and other != word:
            _refuse_pair(units, word, other, "sound the same", phone_ids, word_ids, name)
        seen[units] = word
        for length in range(1, len(units)):
            prefix_of.setdefault(units[:length], word)
    for units, word in seen.items():
        if units in prefix_of:
            _refuse_pair(units, word, prefix_of[units], "begin the same", phone_ids, word_ids, name)


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


def spell_words(lexicon: CsrFst, boundary: np.ndarray, max_length: int = 1000):
    """(units, word) of all pronunciations of L, each from the boundary state where it leaves to one where it arrives.

    Arcs without input are followed too; where a word ends in silence the silence is not part of it.
    """
    src = lexicon.arc_sources()
    starts = np.flatnonzero((lexicon.olabel != 0) & boundary[src])
    ilabel, nextstate, offsets = lexicon.ilabel.tolist(), lexicon.nextstate.tolist(), lexicon.offsets.tolist()
    is_boundary = boundary.tolist()
    done = set()
    for arc in starts.tolist():
        word = int(lexicon.olabel[arc])
        units, state = [ilabel[arc]], nextstate[arc]
        while not is_boundary[state] and len(units) < max_length:
            first, last = offsets[state], offsets[state + 1]
            if first == last or lexicon.olabel[first] != 0:
                break
            labels = {ilabel[k] for k in range(first, last)}
            if len(labels) > 1:  # the word is over: silence or none follows
                break
            units.append(ilabel[first])
            onward = [nextstate[k] for k in range(first, last)]
            state = next((s for s in onward if is_boundary[s]), onward[0])
        item = (tuple(unit for unit in units if unit != 0), word)
        if item not in done:
            done.add(item)
            yield item


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
        raise DataError(
            f"unit {name!r} of L is not in tokens.txt", mend="make both with one run of utils/prepare_lang.sh"
        )
    relabelled = CsrFst(lg.start, lg.final, lg.offsets, labels.astype(np.int32), lg.olabel, lg.weight, lg.nextstate)
    return arcsort(relabelled, "ilabel")


# ---- T o LG without a general composition ----


def expand_topology(lg: CsrFst, topology: str) -> CsrFst:
    """T o LG for LG over token labels (0 epsilon, units from 2), input-sorted; see `sidamo.lang.topology`.

    A state of the result is a state q of LG together with what was read last: B (blank or nothing) or the unit u. All
    states of one q are neighbours, B first. Arcs are input-sorted.

        (B, q)  blank -> (B, q);  epsilon arcs q -> q' : (B, q');  unit arcs u:w q -> q' : (u, q')
        (u, q)  u -> (u, q) without output, and
                correct: blank -> (B, q), epsilon arcs -> (u, q'), arcs of units other than u -> (v, q')
                compact: epsilon -> (B, q), but as in `correct` where u can be read again after q (a repetition needs a
                blank between, which (B, q) does not ask for)
                modified: u -> (B, q) without output; the arcs of (B, q) lead to (B, q') too
        minimal has no (u, q): unit arcs lead to (B, q').
    """
    if topology not in SAME_AS_PYNINI:
        raise DataError(f"no direct expansion of the topology {topology!r}")
    builder = _Expander(lg, topology)
    return builder.build()


class _Expander:
    def __init__(self, lg: CsrFst, topology: str):
        self.lg, self.topology = lg, topology
        if np.any(lg.ilabel == BLANK):
            raise DataError("a blank in LG: its input labels must be those of tokens.txt, units from 2")
        self.src = lg.arc_sources()
        self.is_eps = lg.ilabel == 0
        self.num_labels = int(lg.ilabel.max(initial=0)) + 1

    def build(self) -> CsrFst:
        lg = self.lg
        pairs = np.zeros(0, np.int64) if self.topology == "minimal" else self._pairs()
        self.unit, self.state = pairs % self.num_labels, pairs // self.num_labels
        self.pairs = pairs
        # (B, q) comes before the (u, q): its number is q + how many pairs belong to smaller states
        before = np.searchsorted(self.state, np.arange(lg.num_states + 1))
        self.blank_id = np.arange(lg.num_states) + before[:-1]
        self.pair_id = self.state + 1 + np.arange(len(pairs))
        num_states = lg.num_states + len(pairs)
        final = np.empty(num_states, np.float32)
        final[self.blank_id], final[self.pair_id] = lg.final, lg.final[self.state]
        parts = [self._blank_arcs(), *self._pair_arcs()]
        src, ilabel, olabel, weight, dst = (np.concatenate(column) for column in zip(*parts))
        del parts
        # ilabels fit in 32 bits: one key sorts by state, then label
        order = np.argsort((src.astype(np.int64) << 32) | ilabel, kind="stable")
        fst = make_csr(num_states, src[order], ilabel[order], olabel[order], weight[order], dst[order], final,
                       start=int(self.blank_id[lg.start]))  # fmt: skip
        return fst

    def _pairs(self) -> np.ndarray:
        """All (unit read last, state), as state * num_labels + unit, sorted: u-arcs into q, then along epsilon arcs."""
        lg = self.lg
        arcs = ~self.is_eps
        pairs = np.unique(lg.nextstate[arcs].astype(np.int64) * self.num_labels + lg.ilabel[arcs])
        if self.topology == "modified":
            return pairs
        if self.topology == "compact":
            return self._compact_pairs(pairs)
        return self._follow_epsilons(pairs)

    def _follow_epsilons(self, pairs: np.ndarray) -> np.ndarray:
        lg = self.lg
        eps = np.flatnonzero(self.is_eps)
        offsets = np.searchsorted(self.src[eps], np.arange(lg.num_states + 1))
        new = pairs
        while len(new):
            state, unit = new // self.num_labels, new % self.num_labels
            index, owner = ranges(offsets[state], offsets[state + 1])
            reached = lg.nextstate[eps[index]].astype(np.int64) * self.num_labels + unit[owner]
            new = np.setdiff1d(reached, pairs)
            pairs = np.union1d(pairs, new)
        return pairs

    def _compact_pairs(self, pairs: np.ndarray) -> np.ndarray:
        """self.strict tells which pairs can meet their unit again; only those go along epsilon arcs."""
        everything = self._follow_epsilons(pairs)
        again = self._repeats(everything)
        strict = everything[again]
        reached = self._follow_epsilons(pairs[np.isin(pairs, strict)]) if len(strict) else strict
        return np.union1d(pairs, reached)

    def _repeats(self, pairs: np.ndarray) -> np.ndarray:
        """(P,) bool: u can be read from q, directly or after epsilon arcs. `pairs` is closed under epsilon arcs."""
        lg = self.lg
        state, unit = pairs // self.num_labels, pairs % self.num_labels
        keys = np.unique(self.src[~self.is_eps].astype(np.int64) * self.num_labels + lg.ilabel[~self.is_eps])
        again = np.isin(pairs, keys)
        eps = np.flatnonzero(self.is_eps)
        offsets = np.searchsorted(self.src[eps], np.arange(lg.num_states + 1))
        index, owner = ranges(offsets[state], offsets[state + 1])
        target = np.searchsorted(pairs, lg.nextstate[eps[index]].astype(np.int64) * self.num_labels + unit[owner])
        while True:
            more = np.unique(owner[again[target]])
            if np.all(again[more]):
                return again
            again[more] = True

    def _find(self, unit, state) -> np.ndarray:
        """Numbers of the states (u, q)."""
        at = np.searchsorted(self.pairs, state.astype(np.int64) * self.num_labels + unit)
        return self.pair_id[at]

    def _destination(self, arcs: np.ndarray) -> np.ndarray:
        """Where the LG arcs lead once their unit was read."""
        lg = self.lg
        if self.topology == "minimal":
            return self.blank_id[lg.nextstate[arcs]]
        return self._find(lg.ilabel[arcs], lg.nextstate[arcs])

    def _blank_arcs(self):
        """Arcs of the states (B, q)."""
        lg = self.lg
        units, eps = np.flatnonzero(~self.is_eps), np.flatnonzero(self.is_eps)
        rows = [
            (self.blank_id, np.full(lg.num_states, BLANK, np.int32), *_silent(lg.num_states), self.blank_id),
            (self.blank_id[self.src[eps]], *self._labels(eps), self.blank_id[lg.nextstate[eps]]),
            (self.blank_id[self.src[units]], *self._labels(units), self._destination(units)),
        ]
        if self.topology == "modified":
            rows.append((self.blank_id[self.src[units]], *self._labels(units), self.blank_id[lg.nextstate[units]]))
        return [np.concatenate(column) for column in zip(*rows)]

    def _labels(self, arcs):
        return self.lg.ilabel[arcs], self.lg.olabel[arcs], self.lg.weight[arcs]

    def _pair_arcs(self):
        """Arcs of the states (u, q)."""
        if len(self.pairs) == 0:
            return []
        lg, count = self.lg, len(self.pairs)
        unit = self.unit.astype(np.int32)
        parts = [(self.pair_id, unit, *_silent(count), self.pair_id)]
        back = self.blank_id[self.state]
        if self.topology == "modified":
            return [*parts, (self.pair_id, unit, *_silent(count), back)]
        strict = np.ones(count, bool)
        if self.topology == "compact":
            strict = self._strict_pairs()
        label = np.where(strict, BLANK, 0).astype(np.int32)
        parts.append((self.pair_id, label, *_silent(count), back))
        rows = np.flatnonzero(strict)
        arcs, owner = ranges(lg.offsets[self.state[rows]], lg.offsets[self.state[rows] + 1])
        owner = rows[owner]
        use = lg.ilabel[arcs] != unit[owner]
        arcs, owner = arcs[use], owner[use]
        dst = np.empty(len(arcs), np.int64)
        eps = self.is_eps[arcs]
        dst[~eps] = self._destination(arcs[~eps])
        dst[eps] = self._find(unit[owner[eps]], lg.nextstate[arcs[eps]])
        parts.append((self.pair_id[owner], *self._labels(arcs), dst))
        return parts

    def _strict_pairs(self) -> np.ndarray:
        """(P,) bool, for `compact`: pairs that must not fall back to (B, q) without a blank."""
        everything = self._follow_epsilons(self.pairs)
        again = everything[self._repeats(everything)]
        return np.isin(self.pairs, again)


def ranges(first, last) -> tuple[np.ndarray, np.ndarray]:
    """All integers of the ranges first[k] : last[k] in a row, and for each the k it belongs to."""
    counts = np.asarray(last) - np.asarray(first)
    owner = np.repeat(np.arange(len(counts)), counts)
    begins = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    return np.repeat(first - begins, counts) + np.arange(int(counts.sum())), owner


def _silent(count: int):
    """Columns of arcs without output and cost."""
    return np.zeros(count, np.int32), np.zeros(count, np.float32)


def compose_topology(topology_fst: CsrFst, lg: CsrFst, token_ids) -> CsrFst:
    """T o LG by composition, for any T.fst; LG has the input labels that T writes."""
    fst = from_pynini(compose(to_pynini(topology_fst), to_pynini(lg), "T o LG"))
    blank = token_ids["<blk>"]
    if blank != BLANK or (fst.num_arcs and fst.ilabel.max() >= len(token_ids)):
        raise DataError("T.fst does not read the labels of tokens.txt", mend="make both with utils/prepare_lang.sh")
    return arcsort(fst, "ilabel")


__all__ = [
    "FIRST_UNIT", "build_lg", "check_lexicon", "compose", "compose_topology", "determinize", "expand_topology",
    "from_pynini", "minimize", "relabel_to_tokens", "to_pynini",
]  # fmt: skip
