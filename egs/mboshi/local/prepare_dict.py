#!/usr/bin/env python3
"""Make a dictionary of letters from the words of texts: each word is its letters, and | for its end.

The orthography of Mboshi is close to phonemic, so letters serve as units; the end of a word is a unit of its own, so
that greedy decoding without any dictionary yields words too.

Reads <text>... (lines <utt> <words>)
Writes <dict>/{lexicon,nonsilence_phones,silence_phones,optional_silence,extra_questions}.txt
Example: local/prepare_dict.py data/train/text data/local/dict
"""

import pathlib
import sys

from sidamo.io import script

END = "|"


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("text", type=pathlib.Path, nargs="+")
    parser.add_argument("dict", type=pathlib.Path)
    args = parser.parse_args()
    texts, out = args.text, args.dict
    lines = [line for text in texts for line in text.read_text(encoding="utf-8").splitlines()]
    words = sorted({word for line in lines for word in line.split()[1:]})
    units = sorted({letter for word in words for letter in word} | {END})
    files = {
        "lexicon.txt": [f"{word} {' '.join(word)} {END}" for word in words],
        "nonsilence_phones.txt": units,
        # CTC's blank stands for everything that is not speech.
        "silence_phones.txt": [], "optional_silence.txt": [], "extra_questions.txt": [],
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (out / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"prepare_dict.py: {len(words)} words of {len(units) - 1} letters in {out}/lexicon.txt")
    return 0


if __name__ == "__main__":
    sys.exit(main())
