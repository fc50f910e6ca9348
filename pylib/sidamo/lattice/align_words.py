"""Word alignment of lattices decoded with CTC: every arc gets the frames of one word, or of the blanks between words.

In a decoder's lattice a word sits where the graph puts it out, and determinization moves labels further. Here each path
is cut up again: the labels of its frames, blanks dropped and runs merged, must be the pronunciations of its words.
A word begins with the first frame of its first token and ends with the last frame of its last one; frames of blanks
between words go to arcs without a word. (Kaldi's lat/word-align-lattice-lexicon.cc does this for HMMs.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice, top_sort
from sidamo.lattice.ops import connect

MAX_STATES_FACTOR = 50  # states of the result for one of the input, before giving up


@dataclass(frozen=True)
class AlignOptions:
    """Options of word alignment."""

    blank: int = field(default=1, metadata={"help": "Label of the CTC blank"})
    max_pad: int = field(
        default=0, metadata={"help": "At each end a word takes up to this many frames of the blanks around it"}
    )


@dataclass(frozen=True)
class Lexicon:
    """pronunciations: {word: [(word put out, tokens), ...]}; under word 0 stand tokens that need no word (silence)."""

    pronunciations: dict

    @classmethod
    def read(cls, path, *, words=None, tokens=None, phones=None) -> Lexicon:
        """Read lines `word word-put-out token...` (Kaldi's phones/align_lexicon.{txt,int}).

        words, tokens : SymbolTables for a lexicon of symbols; without them it holds integers, labels of the lattice
        phones : SymbolTable, where a lexicon of integers holds phone ids; the phone's name is looked up in tokens
        Raises DataError with file:line for a malformed line or an unknown symbol.
        """
        from sidamo.io.streams import open_rxfilename

        with open_rxfilename(str(path)) as f:
            lines = f.read().decode("utf-8").splitlines()
        pronunciations: dict = {}
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if not fields:
                continue
            try:
                word, put_out, labels = cls._numbers(fields, words, tokens, phones)
            except (DataError, ValueError) as e:
                raise DataError(
                    f"expected `word word token ...`, found {line!r}: {e}", file=path, line=number,
                    mend="use phones/align_lexicon.txt with --words and --tokens of the same lang directory",
                ) from None  # fmt: skip
            entry = (put_out, labels)
            if entry not in pronunciations.setdefault(word, []):
                pronunciations[word].append(entry)
        if not pronunciations:
            raise DataError("the lexicon is empty", file=path)
        return cls(pronunciations)

    @staticmethod
    def _numbers(fields, words, tokens, phones):
        if len(fields) < 3:
            raise ValueError("too few fields")

        def word_id(text):
            return int(text) if words is None else words[text]

        def token_id(text):
            if phones is not None and text.isdigit():
                text = phones.find(int(text))
            return tokens[text] if tokens is not None else int(text)

        return word_id(fields[0]), word_id(fields[1]), tuple(token_id(t) for t in fields[2:])


NO, PARTIAL = -1, -2


def _match(tokens, labels, blank: int, relaxed: bool) -> int:
    """Frames that a pronunciation takes from the start of `labels` (which begins with a token), or NO, or PARTIAL.

    PARTIAL: the labels end before the pronunciation does. Two equal tokens in a row need a blank between them; if
    relaxed (topologies that do not demand it), they may also share a run of two frames or more.
    """
    at, previous = 0, None
    for k, token in enumerate(tokens):
        blanks = 0
        while at < len(labels) and labels[at] == blank and k > 0:
            at += 1
            blanks += 1
        if at == len(labels):
            return PARTIAL
        if labels[at] != token or (token == previous and blanks == 0):
            return NO
        begin = at
        while at < len(labels) and labels[at] == token:
            at += 1
        doubled = k + 1 < len(tokens) and tokens[k + 1] == token
        if relaxed and doubled and at - begin > 1 and _no_repeat_after(labels, at, token, blank):
            at -= (at - begin) // 2
            previous = None
        else:
            previous = token
    return at


def _no_repeat_after(labels, at: int, token: int, blank: int) -> bool:
    while at < len(labels) and labels[at] == blank:
        at += 1
    return at < len(labels) and labels[at] != token or at == len(labels)


class _Aligner:
    """Composite states: (lattice state, labels not yet given to a word, words not yet given out)."""

    def __init__(self, clat, lexicon: Lexicon, options: AlignOptions, relaxed: bool, force: bool):
        self.clat, self.pronunciations, self.blank = clat, lexicon.pronunciations, options.blank
        self.relaxed, self.force = relaxed, force
        self.silences = self.pronunciations.get(0, [])
        self.numbers: dict = {}
        self.queue: deque = deque()
        self.source, self.label, self.graph, self.acoustic, self.nextstate, self.strings = [], [], [], [], [], []
        self.origin: list[int] = []
        self.finals: dict = {}
        self.cache: dict = {}

    def number(self, state) -> int:
        n = self.numbers.get(state)
        if n is None:
            n = self.numbers[state] = len(self.numbers)
            self.queue.append(state)
        return n

    def cut(self, labels: tuple, words: tuple, at_end: bool) -> list:
        """All ways to give out what is certain: [(segments (word, labels), labels left, words left), ...]."""
        found = self.cache.get((labels, words, at_end))
        if found is None:
            found = self.cache[labels, words, at_end] = self._cut(labels, words, at_end)
        return found

    def _cut(self, labels, words, at_end):
        given_out: list = []  # as long as there is only one way, go on without recursion
        while True:
            blanks = 0
            while blanks < len(labels) and labels[blanks] == self.blank:
                blanks += 1
            if blanks:
                given_out.append((0, labels[:blanks]))
                labels = labels[blanks:]
            if not labels and not (at_end and words):
                return [(tuple(given_out), (), words)]
            steps = self._steps(labels, words, at_end)
            if steps is None:
                return [(tuple(given_out), labels, words)]
            if len(steps) != 1:
                break
            (segment, labels, words), = steps
            given_out.append(segment)
        ways = []
        for segment, labels_left, words_left in steps:
            head = (*given_out, segment)
            ways += [(head + rest, *left) for rest, *left in self.cut(labels_left, words_left, at_end)]
        if at_end and not ways and self.force:
            ways.append((tuple(given_out) + self._leftover(labels, words), (), ()))
        return ways

    def _steps(self, labels, words, at_end):
        """Next segments with what they leave, [(segment, labels, words), ...]; None where more labels must be awaited.

        As long as a pronunciation may still be completed, nothing is decided: else paths would come out twice.
        """
        if not words and not at_end:
            return None
        candidates = [(p, words) for p in self.silences]
        if words:
            candidates += [(p, words[1:]) for p in self.pronunciations.get(words[0], ())]
        matches = [(entry, left, _match(entry[1], labels, self.blank, self.relaxed)) for entry, left in candidates]
        if not at_end and any(end in (PARTIAL, len(labels)) for *_, end in matches):
            return None
        return [
            ((put_out, labels[:stop]), labels[stop:], words_left)
            for (put_out, tokens), words_left, end in matches
            if end not in (NO, PARTIAL)
            for stop in self._ends(labels, end, tokens)
        ]

    def _ends(self, labels, end: int, tokens):
        """Where the word may end: after its last run, or in it where the next word may begin with the same token."""
        begin = end
        while begin > 0 and labels[begin - 1] == tokens[-1]:
            begin -= 1
        if self.relaxed and end - begin > 1:
            return [end, end - (end - begin) // 2]
        return [end]

    def _leftover(self, labels, words):
        """By force: what no pronunciation explains goes to the last of the words, if there is one."""
        if not words:
            return ((0, labels),) if labels else ()
        return (*((w, ()) for w in words[:-1]), (words[-1], labels))

    def run(self) -> CompactLattice:
        clat = self.clat
        final = clat.is_final()
        start = (clat.start, (), ())
        self.number(start)
        limit = MAX_STATES_FACTOR * (clat.num_states + 100)
        while self.queue and len(self.numbers) < limit:
            state = self.queue.popleft()
            s, labels, words = state
            here = self.numbers[state]
            for a in range(clat.offsets[s], clat.offsets[s + 1]):
                word = int(clat.label[a])
                more = labels + tuple(clat.string(a).tolist())
                weight = (float(clat.graph_cost[a]), float(clat.acoustic_cost[a]))
                for segments, *left in self.cut(more, words + ((word,) if word else ()), False):
                    self.chain(here, segments, weight, self.number((int(clat.nextstate[a]), *left)), a)
            if final[s]:
                weight = (float(clat.final_graph[s]), float(clat.final_acoustic[s]))
                more = labels + tuple(clat.final_string(s).tolist())
                for segments, *_ in self.cut(more, words, True):
                    if segments:
                        self.chain(here, segments, weight, self.end(), clat.num_arcs + s)
                    else:
                        self.finals[here] = (*weight, ())
        return self.build()

    def end(self) -> int:
        n = self.numbers.setdefault("end", len(self.numbers))
        self.finals[n] = (0.0, 0.0, ())
        return n

    def chain(self, source: int, segments, weight, target: int, origin: int) -> None:
        """Arcs for the segments, the weight on the first one. origin : number of the lattice's arc, or of its state."""
        segments = segments or ((0, ()),)
        for k, (word, labels) in enumerate(segments):
            last = k + 1 == len(segments)
            following = target if last else self.numbers.setdefault((source, len(self.source), k), len(self.numbers))
            self.source.append(source)
            self.label.append(word)
            self.graph.append(weight[0])
            self.acoustic.append(weight[1])
            self.nextstate.append(following)
            self.strings.append(labels)
            self.origin.append(origin)
            source, weight = following, (0.0, 0.0)

    def lost_arcs(self) -> int:
        """Arcs of the lattice that no path of the result passes."""
        alive = set(self.finals)
        incoming: dict[int, list[int]] = {}
        for a, n in enumerate(self.nextstate):
            incoming.setdefault(n, []).append(a)
        stack, passed = list(alive), set()
        while stack:
            for a in incoming.get(stack.pop(), ()):
                passed.add(self.origin[a])
                if self.source[a] not in alive:
                    alive.add(self.source[a])
                    stack.append(self.source[a])
        return sum(a not in passed for a in range(self.clat.num_arcs))

    def build(self) -> CompactLattice:
        return connect(CompactLattice.from_arcs(
            len(self.numbers), 0, self.source, self.label, self.graph, self.acoustic, self.nextstate, self.strings,
            self.finals,
        ))  # fmt: skip


def align_words(clat: CompactLattice, lexicon: Lexicon, options=AlignOptions(), key=None):  # noqa: B008
    """Word-align a lattice.

    Returns (aligned CompactLattice, True where the lexicon explained all arcs). Where it does not, equal tokens without
    a blank between them are allowed, then paths that end inside a word (an utterance cut off); arcs that even that does
    not explain are lost.
    Raises DataError where nothing helps, or the lattice has a cycle.
    """
    clat = connect(clat)
    if clat.start < 0 or clat.num_states == 0:
        return clat, True
    clat = top_sort(clat, key)
    for relaxed, force in ((False, False), (True, False), (True, True)):
        aligner = _Aligner(clat, lexicon, options, relaxed, force)
        aligned = aligner.run()
        lost = aligner.lost_arcs()
        if lost == 0 or (force and aligned.start >= 0):
            aligned = fold_empty_arcs(top_sort(aligned, key))
            if options.max_pad > 0:
                aligned = pad_words(aligned, options.max_pad)
            return aligned, not force
    raise DataError(
        "no path of the lattice can be cut into the lexicon's words", key=key,
        mend="is the lexicon that of the graph? Its tokens must be the labels of the lattice, --blank its blank",
    )  # fmt: skip


def fold_empty_arcs(clat: CompactLattice) -> CompactLattice:
    """Without the arcs that carry neither word nor frames and lead to a state that nothing else leads to.

    Their weights move on to the arcs and the final cost behind them. Topologically sorted in and out.
    """
    arcs_in = [0] * clat.num_states
    for n in clat.nextstate.tolist():
        arcs_in[n] += 1
    source, nextstate = clat.arc_source().tolist(), clat.nextstate.tolist()
    length, label = clat.string_length.tolist(), clat.label.tolist()
    graph, acoustic = clat.graph_cost.tolist(), clat.acoustic_cost.tolist()
    final = clat.is_final()
    finals = {s: (clat.final_graph[s], clat.final_acoustic[s], clat.final_string(s)) for s in range(clat.num_states)
              if final[s]}  # fmt: skip
    outgoing: list[list[int]] = [[] for _ in range(clat.num_states)]
    for a, s in enumerate(source):
        outgoing[s].append(a)
    dropped = [False] * clat.num_arcs
    for s in range(clat.num_states - 1, -1, -1):
        kept = []
        for a in outgoing[s]:
            d = nextstate[a]
            empty = arcs_in[d] == 1 and label[a] == 0 and length[a] == 0
            if not empty or (d in finals and s in finals):
                kept.append(a)
                continue
            dropped[a] = True
            for b in outgoing[d]:
                graph[b] += graph[a]
                acoustic[b] += acoustic[a]
                source[b] = s
                kept.append(b)
            if d in finals:
                g, ac, string = finals.pop(d)
                finals[s] = (g + graph[a], ac + acoustic[a], string)
            outgoing[d] = []
        outgoing[s] = kept
    arcs = [a for s in range(clat.num_states) for a in outgoing[s] if not dropped[a]]
    return connect(CompactLattice.from_arcs(
        clat.num_states, clat.start, [source[a] for a in arcs], [label[a] for a in arcs], [graph[a] for a in arcs],
        [acoustic[a] for a in arcs], [nextstate[a] for a in arcs], [clat.string(a) for a in arcs], finals,
    ))  # fmt: skip


def pad_words(clat: CompactLattice, max_pad: int) -> CompactLattice:
    """Give words up to max_pad frames of the blanks before and after them (half of them where two words compete).

    Only where the arc of blanks is the only way between the states of two words; elsewhere it stays as it is.
    """
    arcs_in, arcs_out = [[] for _ in range(clat.num_states)], [[] for _ in range(clat.num_states)]
    for a, (s, d) in enumerate(zip(clat.arc_source().tolist(), clat.nextstate.tolist())):
        arcs_out[s].append(a)
        arcs_in[d].append(a)
    strings = [clat.string(a).tolist() for a in range(clat.num_arcs)]
    for a in range(clat.num_arcs):
        if clat.label[a] != 0 or not strings[a]:
            continue
        s, d = int(clat.arc_source()[a]), int(clat.nextstate[a])
        before = [b for b in arcs_in[s] if clat.label[b] != 0] if len(arcs_out[s]) == 1 else []
        after = [b for b in arcs_out[d] if clat.label[b] != 0] if len(arcs_in[d]) == 1 else []
        before = before if len(before) == len(arcs_in[s]) else []
        after = after if len(after) == len(arcs_out[d]) and not clat.is_final()[d] else []
        gap = strings[a]
        share = len(gap) // 2 if before and after else len(gap)
        left = min(max_pad, len(gap) - share if before and after else share) if before else 0
        right = min(max_pad, share, len(gap) - left) if after else 0
        for b in before:
            strings[b] = strings[b] + gap[:left]
        for b in after:
            strings[b] = gap[len(gap) - right :] + strings[b]
        strings[a] = gap[left : len(gap) - right]
    finals = {s: (clat.final_graph[s], clat.final_acoustic[s], clat.final_string(s)) for s in range(clat.num_states)
              if clat.is_final()[s]}  # fmt: skip
    return fold_empty_arcs(CompactLattice.from_arcs(
        clat.num_states, clat.start, clat.arc_source(), clat.label, clat.graph_cost, clat.acoustic_cost,
        clat.nextstate, strings, finals,
    ))  # fmt: skip
