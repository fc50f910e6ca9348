"""The work of utils/prepare_grammar.sh: `python -m sidamo.bin.prepare_grammar [options] <lang> <grammar> <out>`."""

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.bin import copy_lang
    from sidamo.io import log
    from sidamo.io.errors import DataError
    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.grammar import check_grammar, grammar_of_file
    from sidamo.lang.lexicon import read_table

    options = Options(__doc__)
    options.add("loop", False, "any number of phrases")
    options.add("stop-prob", "", "probability that the utterance ends after a phrase")
    options.add("kind", "phrases", "phrases, weighted-phrases or fst")
    opts, (lang, path, out) = options.parse(argv, 3)
    if opts.kind not in ("phrases", "weighted-phrases", "fst"):
        raise DataError(f"--kind {opts.kind}: expected phrases, weighted-phrases or fst")
    try:
        stop_prob = float(opts.stop_prob) if opts.stop_prob else None
    except ValueError:
        raise DataError(f"--stop-prob {opts.stop_prob}: expected a number") from None
    words = read_table(f"{lang}/words.txt")
    grammar = grammar_of_file(path, words, opts.kind, opts.loop, stop_prob)
    pronounced = read_fst(f"{lang}/L_disambig.fst").olabel
    for remark in check_grammar(grammar, words, set(pronounced.tolist()), name=path):
        log.warn(remark)
    if copy_lang.main(["--print-args=false", lang, out]):
        return 1
    write_fst(f"{out}/G.fst", grammar)
    log.info(f"G: {grammar.num_states} states, {grammar.num_arcs} arcs")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
