"""paste-feats: the columns of several feature streams side by side."""

from sidamo.bin import tool

USAGE = """Paste feature files (assuming they have about the same durations, see --length-tolerance),
appending the features on each frame; think of the unix command 'paste'.

Usage: paste-feats <in-rspecifier1> <in-rspecifier2> [<in-rspecifier3> ...] <out-wspecifier>
 or: paste-feats <in-rxfilename1> <in-rxfilename2> [<in-rxfilename3> ...] <out-wxfilename>
e.g. paste-feats ark:feats1.ark "ark:select-feats 0-3 ark:feats2.ark ark:- |" ark:feats-out.ark
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import (
        RandomAccessReader,
        SequentialReader,
        Writer,
        is_wspecifier,
        read_object,
        write_object,
    )

    parser = Options(USAGE)
    parser.add("length-tolerance", 0, "If length is different, trim as shortest up to a frame difference of this.")
    parser.add("binary", True, "If true, output files in binary (only relevant for single-file operation)")
    opts, args = parser.parse(argv)
    if len(args) < 3:
        raise parser.usage_error()
    *inputs, output = args
    if not is_wspecifier(output):
        pasted = paste([read_object(name, "matrix") for name in inputs], "", opts.length_tolerance)
        if pasted is None:
            return 1
        write_object(output, "matrix", pasted, opts.binary)
        return 0
    done = failed = 0
    with SequentialReader(inputs[0], "matrix") as reader, Writer(output, "matrix") as out:
        others = [RandomAccessReader(name, "matrix") for name in inputs[1:]]
        for key, feats in reader:
            missing = [name for name, other in zip(inputs[1:], others) if key not in other]
            if missing:
                warn(f"Missing utt {key} from input {missing[0]}")
                failed += 1
                continue
            pasted = paste([feats] + [other[key] for other in others], key, opts.length_tolerance)
            if pasted is None:
                failed += 1
                continue
            out.write(key, pasted)
            done += 1
    info(f"Done {done} utts, errors on {failed}")
    return 0 if done else 255


def paste(parts, key: str, tolerance: int):
    """Matrices side by side, cut to the shortest; None with a warning if they differ by over `tolerance` rows."""
    import numpy as np

    from sidamo.io.log import warn

    lengths = [len(part) for part in parts]
    if max(lengths) - min(lengths) > tolerance or min(lengths) == 0:
        name = f" for utt {key}" if key else ""
        warn(f"Length mismatch {max(lengths)} vs. {min(lengths)}{name} exceeds tolerance {tolerance}")
        return None
    return np.hstack([part[: min(lengths)] for part in parts])
