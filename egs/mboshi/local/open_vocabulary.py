#!/usr/bin/env python3
"""Open the vocabulary to words that greedy decoding spelled: a dictionary and a language model that hold them too.

A fifth of the words of new recordings are in no training text, so that a closed vocabulary loses them all. Greedy decoding
needs no vocabulary; what it spells (right or wrong) is a list of candidates, and decoding with the grammar may then choose
between them and the known words (Geutner, Finke and Waibel 1998: adaptation of the lexicon to a first hypothesis). Nothing
but the recordings is used, no transcripts of them.

Each new word gets an equal part of the probability `mass` as a unigram; the known unigrams give it up. After a history
that never saw it, a word has its unigram probability times the history's back-off weight, as any other.

Reads <dict>/lexicon.txt, <arpa> (.gz or plain), <text> (lines <utt> <words> of greedy decoding)
Writes <out>/dict (a dictionary directory), <out>/lm.arpa.gz, <out>/new_words
Example: local/open_vocabulary.py data/local/dict data/local/lm/3gram.arpa.gz exp/lstm/greedy_dev/text exp/lstm/open_dev
"""

import gzip
import math
import pathlib
import shutil
import sys

from sidamo.io import script

END = "|"


def new_words(lexicon: pathlib.Path, units: set, text: pathlib.Path) -> list[str]:
    """Words of the text, made of known letters, that the lexicon does not have."""
    known = {line.split()[0] for line in lexicon.read_text(encoding="utf-8").splitlines()}
    words = {w for line in text.read_text(encoding="utf-8").splitlines() for w in line.split()[1:]}
    return sorted(w for w in words - known if set(w) <= units and len(w) > 1)


def open_arpa(lines, words: list[str], mass: float):
    """Lines of an ARPA file with `words` as further unigrams: the old ones keep 1 - mass of their probability."""
    share = math.log10(mass / len(words)) if words else 0.0
    keep = math.log10(1 - mass) if words else 0.0
    section = ""
    for line in lines:
        fields = line.split()
        if line.startswith("\\"):
            section = line.strip()
        elif section == "\\data\\" and line.startswith("ngram 1="):
            line = f"ngram 1={int(line.split('=')[1]) + len(words)}\n"
        elif section == "\\1-grams:" and len(fields) >= 2 and fields[1] != "<s>":
            fields[0] = f"{float(fields[0]) + keep:.6f}"
            line = "\t".join(fields) + "\n"
        yield line
        if section == "\\1-grams:" and line.startswith("\\1-grams:"):
            yield from (f"{share:.6f}\t{word}\n" for word in words)


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("--mass", type=float, default=0.1, help="probability of all new words together")
    parser.add_argument("dict")
    parser.add_argument("arpa")
    parser.add_argument("text")
    parser.add_argument("out")
    options = parser.parse_args()
    source, out = pathlib.Path(options.dict), pathlib.Path(options.out)
    units = set((source / "nonsilence_phones.txt").read_text(encoding="utf-8").split()) - {END}
    words = new_words(source / "lexicon.txt", units, pathlib.Path(options.text))

    (out / "dict").mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.txt"):
        if path.name != "lexiconp.txt":
            shutil.copy(path, out / "dict")
    with open(out / "dict/lexicon.txt", "a", encoding="utf-8") as file:
        file.writelines(f"{word} {' '.join(word)} {END}\n" for word in words)
    (out / "dict/lexiconp.txt").unlink(missing_ok=True)
    opener = gzip.open if options.arpa.endswith(".gz") else open
    with opener(options.arpa, "rt", encoding="utf-8") as file, gzip.open(out / "lm.arpa.gz", "wt", encoding="utf-8") as to:
        to.writelines(open_arpa(file, words, options.mass))
    (out / "new_words").write_text("".join(f"{w}\n" for w in words), encoding="utf-8")
    print(f"open_vocabulary.py: {len(words)} words that greedy decoding spelled are new; {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
