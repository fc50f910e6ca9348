"""subsample-feats: every n-th frame, or each frame n times."""

from sidamo.bin import tool

USAGE = """Sub-samples features by taking every n'th frame. With negative values of n, will repeat each frame n times
(e.g. --n=-2 will repeat each frame twice)

Usage: subsample-feats [options] <in-rspecifier> <out-wspecifier>
e.g.: subsample-feats --n=2 ark:- ark:-
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.functions import subsample
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add(
        "n", 1, "Take every n'th feature, for this value of n (with negative value, repeats each feature n times)"
    )
    parser.add("offset", 0, "Start with the feature with this offset, then take every n'th feature.")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    done = failed = 0
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "matrix") as out:
        for key, feats in reader:
            part = subsample(feats, opts.n, opts.offset)
            if len(part) == 0:
                warn(f"For utterance {key}, output would have no rows, producing no output.")
                failed += 1
                continue
            out.write(key, part)
            done += 1
    info(f"Processed {done} feature matrices; {failed} with errors.")
    return 0 if done else 1
