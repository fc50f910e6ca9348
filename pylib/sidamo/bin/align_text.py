"""align-text: align two sentences of the same key word by word."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import RandomAccessReader, SequentialReader, Writer

USAGE = """Computes alignment between two sentences with the same key in the
two given input text-rspecifiers. The current implementation uses
Levenshtein distance as the distance metric.

The input text file looks like follows:
  key1 a b c
  key2 d e

The output alignment file looks like follows:
  key1 a a ; b <eps> ; c c
  key2 d f ; e e
where the aligned pairs are separated by ";"

Usage: align-text [options] <text1-rspecifier> <text2-rspecifier> <alignment-wspecifier>
 e.g.: align-text ark:text1.txt ark:text2.txt ark,t:alignment.txt
See also: compute-wer, utils/scoring/wer_per_utt_details.pl"""


def check(words, name: str, key: str, special: str) -> None:
    """Refuse what would make the alignment ambiguous or unreadable."""
    if special in words:
        raise DataError(
            f"In {name}, the utterance {key} contains the special symbol '{special}'. This is not allowed.",
            mend="choose another --special-symbol",
        )
    for word in words:
        if not word or any(c < "!" or c == "\x7f" for c in word):  # Kaldi's IsToken: printable, or not ASCII
            raise DataError(
                f"In {name}, the utterance {key} contains unprintable characters. That means there is a problem with "
                f"the text (such as incorrect encoding): {word!r}"
            )


@tool
def main(argv=None) -> int:
    from sidamo.score.align import align_words

    options = Options(USAGE)
    options.add(
        "special-symbol", "<eps>", "Special symbol to be aligned with the inserted or deleted words. Your sentences "
        "should not contain this symbol.",
    )  # fmt: skip
    options.add("separator", ";", "Separator for each aligned pairs in the output alignment file.")
    opts, (text1_rspecifier, text2_rspecifier, wspecifier) = options.parse(argv, num_args=3)
    special, separator = opts.special_symbol, opts.separator
    done = failed = 0
    with SequentialReader(text1_rspecifier, "token_vector") as text1, RandomAccessReader(
        text2_rspecifier, "token_vector"
    ) as text2, Writer(wspecifier, "token_vector") as writer:
        for key, ref in text1:
            if key not in text2:
                log.warn(f"Key {key} is in {text1_rspecifier}, but not in {text2_rspecifier}")
                failed += 1
                continue
            ref, hyp = list(ref), list(text2[key])
            check(ref, "text1", key, special)
            check(hyp, "text2", key, special)
            tokens = []
            for pair in align_words(ref, hyp, special):
                tokens.extend((*pair, separator))
            writer.write(key, tokens[:-1])
            done += 1
    log.info(f"Done {done} sentences, failed for {failed}")
    return 0 if done else 1
