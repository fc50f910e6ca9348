"""apply-cmvn-sliding: mean (and variance) normalization over a moving window."""

from sidamo.bin import tool

USAGE = """Apply sliding-window cepstral mean (and optionally variance) normalization per utterance. If center == true,
window is centered on frame being normalized; otherwise it precedes it in time. Useful for speaker-id; see also
apply-cmvn-online

Usage: apply-cmvn-sliding [options] <feats-rspecifier> <feats-wspecifier>
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.cmvn import normalize_sliding
    from sidamo.io.errors import CheckFailed
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("cmn-window", 600, "Window in frames for running average CMN computation")
    parser.add("min-cmn-window", 100, "Minimum CMN window used at start of decoding (adds latency only at start). Only "
               "applicable if center == false, ignored if center==true")  # fmt: skip
    parser.add("max-warnings", 5, "Maximum warnings to report per utterance. 0 to disable, -1 to show all.")
    parser.add("norm-vars", False, "If true, normalize variance to one.")
    parser.add("center", False, "If true, use a window centered on the current frame (as far as possible, modulo end "
               "effects). If false, window is to the left.")  # fmt: skip
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    if opts.cmn_window <= 0 or (not opts.center and opts.min_cmn_window <= 0):
        raise CheckFailed(f"--cmn-window={opts.cmn_window} --min-cmn-window={opts.min_cmn_window}: both must be positive")
    done = failed = 0
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "matrix") as out:
        for key, feats in reader:
            if len(feats) == 0:
                warn(f"Empty feature matrix for utterance {key}")
                failed += 1
                continue
            out.write(key, normalize_sliding(feats, opts.cmn_window, opts.min_cmn_window, opts.norm_vars, opts.center, key))
            done += 1
    info(f"Applied sliding-window cepstral mean {'and variance ' if opts.norm_vars else ''}normalization to {done}"
         f" utterances, {failed} had errors.")  # fmt: skip
    return 0 if done else 1
