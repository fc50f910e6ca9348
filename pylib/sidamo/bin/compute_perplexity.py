"""The work of utils/compute_perplexity.sh: `python -m sidamo.bin.compute_perplexity [options] <arpa> <text>`."""

import math
import os

from sidamo.bin import tool
from sidamo.io.options import Options


@tool
def main(argv=None) -> int:
    from sidamo.io.errors import DataError
    from sidamo.lang.ngram import TextNumbers
    from sidamo.lang.ngram_model import Perplexity, perplexity, read_model

    options = Options(__doc__)
    options.add("format", "auto", "kaldi, plain, or auto: kaldi where the file is named text")
    options.add("score-unknown", False, "unknown words have the probability of <unk>")
    opts, (arpa, path) = options.parse(argv, 2)
    if opts.format not in ("auto", "kaldi", "plain"):
        raise DataError(f"--format {opts.format}: expected auto, kaldi or plain")
    has_keys = opts.format == "kaldi" or (opts.format == "auto" and os.path.basename(path) == "text")
    model = read_model(arpa)
    text = TextNumbers(path, has_keys, model.words)
    total = sum((perplexity(model, tokens, opts.score_unknown) for tokens in text.blocks()), Perplexity(0, 0, 0, 0.0))
    if total.num_sentences == 0:
        raise DataError("no sentence in the text", file=path)
    print(f"{path}: {total.num_sentences} sentences, {total.num_words} words, {text.num_unknown} unknown words")
    print(f"logprob= {total.logprob / math.log(10):.6g} ppl= {total.ppl:.6g} ppl1= {total.ppl1:.6g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
