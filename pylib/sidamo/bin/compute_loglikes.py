"""compute-loglikes: log-likelihoods of tokens for each frame."""

import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Computes T x V log-likelihoods (log posterior - prior-scale * log prior; column 0 is blank).

Usage: compute-loglikes [options] <model> <feats-rspecifier> <loglikes-wspecifier>
E.g.: compute-loglikes --prior-scale=0.3 exp/m/final.pt "ark:apply-cmvn ... |" ark,scp:loglikes.ark,loglikes.scp"""


@tool
def main(argv=None) -> int:
    from sidamo.am.options import LoglikeOptions

    options = Options(USAGE)
    options.group(LoglikeOptions())
    options.add("use-gpu", "no", "auto | yes | no")
    options.add("num-threads", 1, "threads on a CPU")
    opts, (model_file, feats, out) = options.parse(argv, num_args=3)
    from sidamo.am.loglikes import Scorer, in_batches
    from sidamo.am.model import load_model
    from sidamo.am.parallel import join
    from sidamo.io import tables
    from sidamo.io.log import info

    device = join(opts.use_gpu, opts.num_threads).device
    choice = opts.make(LoglikeOptions)
    scorer = Scorer(*load_model(model_file, device), choice, device)
    done = frames = 0
    with tables.SequentialReader(feats, "matrix") as reader, tables.Writer(out, "matrix") as writer:
        for group in in_batches(reader, choice.max_frames):
            keys = [key for key, _ in group]
            for key, loglikes in zip(keys, scorer([matrix for _, matrix in group], keys)):
                writer.write(key, loglikes)
                done += 1
                frames += len(loglikes)
    info(f"Done {done} utterances, {frames} frames")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
