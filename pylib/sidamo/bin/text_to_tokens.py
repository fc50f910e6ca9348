"""text-to-tokens: a Kaldi text to CTC token labels, by the most probable pronunciation of each word."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Write the CTC tokens (labels of tokens.txt) of each utterance of a text, by the first of the most probable
pronunciations of its words. No optional silence is put in.

Usage: text-to-tokens [options] <lang-dir> <text-rxfilename> <int-vector-wspecifier>
 e.g.: text-to-tokens data/lang data/train/text ark,t:exp/ctc/tokens.txt

An utterance with a word that has no pronunciation is left out, named and counted."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add(
        "oov", "", "word that stands for words that are not in the lexicon (default: that of <lang-dir>/oov.txt)"
    )
    opts, (lang, text, wspecifier) = options.parse(argv, 3)

    from sidamo.io import log
    from sidamo.io.streams import open_rxfilename
    from sidamo.io.tables import Writer
    from sidamo.lang.lexicon import fields, read_lines
    from sidamo.lang.tokens import first_pronunciations

    oov = opts.oov or fields(read_lines(f"{lang}/oov.txt")[0])[0]
    tokens_of = first_pronunciations(lang)
    num_done, failed, unknown = 0, [], {}
    with open_rxfilename(text) as lines, Writer(wspecifier, "int_vector") as writer:
        for line in lines:
            utt, *words = fields(line) or [""]
            if not utt:
                continue
            labels = []
            for word in words:
                spelled = tokens_of.get(word)
                if spelled is None:
                    unknown[word] = unknown.get(word, 0) + 1
                    spelled = tokens_of.get(oov)
                if spelled is None:
                    labels = None
                    break
                labels += spelled
            if labels is None:
                failed.append((utt, word))
                continue
            writer.write(utt, labels)
            num_done += 1
    for utt, word in failed[:10]:
        log.warn(f"{utt}: word {word!r} has no pronunciation; left out (utils/extend_lang.sh adds words)")
    if unknown:
        shown = ", ".join(sorted(unknown, key=unknown.get, reverse=True)[:5])
        log.info(f"{sum(unknown.values())} words are not in the lexicon ({shown}{', ...' if len(unknown) > 5 else ''})")
    log.info(f"done {num_done}/{num_done + len(failed)} utterances")
    return 0 if num_done and len(failed) <= 0.05 * (num_done + len(failed)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
