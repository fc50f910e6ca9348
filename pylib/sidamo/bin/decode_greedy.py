"""decode-greedy: the best token of each frame, runs merged, blanks dropped."""

import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Greedy CTC decoding of log-likelihoods: no lexicon, no grammar. Writes token strings, or words where
--word-boundary names the unit that ends a word. A network trained with CTC-CRF has left to its n-gram of tokens what that
knows: --token-lm=FILE takes the best path through both.

Usage: decode-greedy [options] <tokens.txt> <loglikes-rspecifier> <text-wspecifier>
E.g.: decode-greedy --word-boundary='|' exp/m/tokens.txt scp:exp/m/loglikes/loglikes.scp ark,t:hyp.txt"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("word-boundary", "", "unit that ends a word: units are joined to words there")
    options.add("criterion", "ctc", "ctc | ctc-crf | asg: how runs of frames become units")
    options.add("token-lm", "", "token_lm.fst of a model trained with --criterion=ctc-crf")
    options.add("token-lm-scale", 1.0, "factor on its costs")
    opts, (tokens_file, loglikes, out) = options.parse(argv, num_args=3)
    from sidamo.am.greedy import collapse, collapse_asg, words_of
    from sidamo.am.tokens import read_columns
    from sidamo.io import tables
    from sidamo.io.errors import DataError
    from sidamo.io.log import info

    names = read_columns(tokens_file)
    if opts.word_boundary and opts.word_boundary not in names:
        raise DataError(f"--word-boundary={opts.word_boundary} is no unit", file=tokens_file)
    graph = None
    if opts.token_lm:
        from sidamo.am.token_graph import TokenGraph

        graph = TokenGraph.read(opts.token_lm)
        if len(names) != graph.weight.shape[1]:
            raise DataError(f"{graph.weight.shape[1]} columns, but {tokens_file} has {len(names)} tokens", file=opts.token_lm)
    count = 0
    with tables.SequentialReader(loglikes, "matrix") as reader, tables.Writer(out, "token_vector") as writer:
        for key, matrix in reader:
            if matrix.shape[1] != len(names):
                raise DataError(
                    f"{matrix.shape[1]} columns, but {tokens_file} has {len(names)} tokens", file=loglikes, key=key,
                    mend="take tokens.txt from the folder of the model that made the log-likelihoods",
                )  # fmt: skip
            best = graph.best_path(matrix, opts.token_lm_scale) if graph else matrix.argmax(1)
            columns = collapse_asg(best) if opts.criterion == "asg" else collapse(best)
            units = [names[c] for c in columns]
            writer.write(key, words_of(units, opts.word_boundary) if opts.word_boundary else units)
            count += 1
    info(f"Done {count} utterances")
    return 0 if count else 1


if __name__ == "__main__":
    sys.exit(main())
