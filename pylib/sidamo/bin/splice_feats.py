"""splice-feats: each frame with its neighbours."""

from sidamo.bin import tool

USAGE = """Splice features with left and right context (e.g. prior to LDA).

Usage: splice-feats [options] <feature-rspecifier> <feature-wspecifier>
e.g.: splice-feats scp:feats.scp ark:-
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.functions import splice
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("left-context", 4, "Number of frames of left context")
    parser.add("right-context", 4, "Number of frames of right context")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    done = failed = 0
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "matrix") as out:
        for key, feats in reader:
            if len(feats) == 0:
                warn(f"Empty feature matrix for key {key}")
                failed += 1
                continue
            out.write(key, splice(feats, opts.left_context, opts.right_context))
            done += 1
    info(f"Spliced {done} feature matrices; {failed} with errors.")
    return 0 if done else 1
