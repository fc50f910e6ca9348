"""Hot words: phrases that are made likelier while decoding, without building the graph again.

The phrases form an Aho-Corasick automaton over words. Each word further into a phrase earns its boost; leaving a phrase
unfinished gives back what was earned for it, so that only whole phrases gain in the end.
Source: A. V. Aho and M. J. Corasick, "Efficient string matching", CACM 18(6), 1975; the giving back is that of shallow
fusion in "Deep context" (Pundak et al. 2018).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sidamo.io.errors import DataError, OptionError


@dataclass(frozen=True, eq=False)
class HotWords:
    """A composed-on-the-fly automaton: context c and word w lead to next[c, class(w)] at cost[c, class(w)].

    word_class : int32 (largest hot word id + 2,), 0 for words in no phrase; ids beyond its end are class 0
    next : int32 (contexts, classes)
    cost : float32 (contexts, classes), negative where a boost is earned
    final_cost : float32 (contexts,), what an unfinished phrase gives back at the end
    """

    word_class: np.ndarray
    next: np.ndarray
    cost: np.ndarray
    final_cost: np.ndarray
    lowest: float = field(default=0.0)
    highest: float = field(default=0.0)

    @property
    def num_contexts(self) -> int:
        return len(self.next)

    def class_of(self, words: np.ndarray) -> np.ndarray:
        return self.word_class[words]

    def cost_of(self, words, complete: bool = True) -> float:
        """Cost of a whole word sequence (0 entries are skipped), with giving back at the end where complete."""
        context, total = 0, 0.0
        for word in words:
            if word:
                c = self.word_class[word]
                total += float(self.cost[context, c])
                context = self.next[context, c]
        return total + (float(self.final_cost[context]) if complete else 0.0)


NO_HOT_WORDS = HotWords(
    np.zeros(1, np.int32), np.zeros((1, 1), np.int32), np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
)


def read_hot_words(path: str, words) -> HotWords:
    """Read a file of phrases: each line a boost (natural log, for each word) and the words; # begins a comment.

    Parameters
    ----------
    words : SymbolTable of the graph

    Raises
    ------
    DataError : no words.txt, a boost that is no number, a phrase without words, or a word that the graph does not know
    """
    if words is None:
        raise OptionError("--hot-words needs --word-symbol-table=<graph-dir>/words.txt")
    phrases = []
    with open(path, encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            fields = line.split("#", 1)[0].split()
            if not fields:
                continue
            try:
                boost = float(fields[0])
            except ValueError:
                raise DataError(
                    f"{fields[0]!r} where a boost should be", file=path, line=number,
                    mend='write lines such as "4.0 new york"',
                ) from None  # fmt: skip
            if not 0 < boost < 1000 or len(fields) == 1:
                raise DataError(f"expected a boost above 0 and at least one word, found {line.strip()!r}", file=path,
                                line=number)  # fmt: skip
            unknown = [w for w in fields[1:] if w not in words]
            if unknown:
                raise DataError(
                    f"the graph has no word {unknown[0]!r}", file=path, line=number,
                    mend="add it to the lexicon and make the graph again, or leave the phrase out",
                )  # fmt: skip
            phrases.append(([words[w] for w in fields[1:]], boost))
    return make_hot_words(phrases, 1 + max(number for _, number in words))


def make_hot_words(phrases, num_words: int) -> HotWords:
    """Build the automaton.

    Parameters
    ----------
    phrases : list of (word ids, boost); the boost (natural log) is earned for each word of the phrase
    num_words : size of the word table, so that every output label of the graph has a class
    """
    classes: dict[int, int] = {}
    children: list[dict[int, int]] = [{}]
    earned = [0.0]  # boost held in a context
    ends = [0.0]  # the part of it that is safe: a whole phrase ends here
    for words, boost in phrases:
        context = 0
        for word in words:
            c = classes.setdefault(int(word), len(classes) + 1)
            if c not in children[context]:
                children[context][c] = len(children)
                children.append({})
                earned.append(earned[context] + boost)
                ends.append(0.0)
            context = children[context][c]
            earned[context] = max(earned[context], 0.0)
        ends[context] = earned[context]
    return _fill(children, earned, ends, classes, num_words)


def _fill(children, earned, ends, classes, num_words: int) -> HotWords:
    """Failure transitions breadth first; a context's unsafe part is given back when it is left."""
    contexts, num_classes = len(children), len(classes) + 1
    following = np.zeros((contexts, num_classes), np.int32)
    cost = np.zeros((contexts, num_classes), np.float32)
    fail = [0] * contexts
    safe = [0.0] * contexts  # boost of the phrases already complete within the context's words
    queue = [0]
    for context in queue:
        safe[context] = max(ends[context], safe[context])
        for c in range(num_classes):
            child = children[context].get(c)
            if child is not None:
                fail[child] = int(following[fail[context], c]) if context else 0
                safe[child] = max(safe[context], 0.0)
                queue.append(child)
                target = child
            else:
                target = int(following[fail[context], c]) if context else 0
            following[context, c] = target
    for context in range(contexts):
        for c in range(num_classes):
            target = int(following[context, c])
            is_child = children[context].get(c) == target and target != 0
            if is_child:
                cost[context, c] = -(earned[target] - earned[context])
            else:  # the phrase is left: keep what is safe, hold what the new context has earned
                cost[context, c] = (earned[context] - safe[context]) - earned[target]
    final_cost = np.array([earned[c] - safe[c] for c in range(contexts)], np.float32)
    word_class = np.zeros(num_words + 1, np.int32)
    for word, c in classes.items():
        word_class[word] = c
    return HotWords(
        word_class, following, cost, final_cost,
        lowest=float(min(cost.min(), 0.0)), highest=float(max(cost.max(), 0.0)),
    )  # fmt: skip
