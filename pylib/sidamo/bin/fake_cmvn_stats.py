"""Statistics that change nothing, for steps/compute_cmvn_stats.sh --fake (python3 -m sidamo.bin.fake_cmvn_stats)."""

import sys

from sidamo.bin import tool

USAGE = """CMVN statistics with mean 0 and variance 1 in the given dimensions (default: all).

Usage: fake_cmvn_stats [options] <feats-rspecifier> <stats-wspecifier>
"""


@tool
def main(argv=None) -> int:
    import numpy as np

    from sidamo.bin.apply_cmvn import skipped_dims
    from sidamo.bin.compute_cmvn_stats import by_speaker
    from sidamo.feats.cmvn import fake_stats
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("spk2utt", "", "rspecifier for speaker to utterance-list map")
    parser.add("dims", "", "Colon-separated dimensions; all if empty")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    with Writer(wspecifier, "matrix") as out:
        if opts.dims:
            for speaker, stats in by_speaker(rspecifier, opts.spk2utt, None, {"done": 0, "failed": 0}):
                out.write(speaker, fake_stats(stats, skipped_dims(opts.dims)))
            return 0
        with SequentialReader(rspecifier, "matrix") as reader:
            dim = next(reader)[1].shape[1]
        stats = np.zeros((2, dim + 1))
        stats[0, -1], stats[1, :-1] = 1.0, 1.0
        with SequentialReader(opts.spk2utt, "token_vector") as speakers:
            for speaker, _ in speakers:
                out.write(speaker, stats)
    return 0


if __name__ == "__main__":
    sys.exit(main())
