"""compute-vad: energy-based voice activity."""

from sidamo.bin import tool

USAGE = """This program reads input features and writes out, for each utterance, a vector of floats that are 1.0 if we
judge the frame voiced and 0.0 otherwise. The algorithm is very simple and is based on thresholding the log mel energy
(and taking the consensus of threshold decisions within a window centered on the current frame). It assumes that
column 0 of the features is a log energy.

Usage: compute-vad [options] <feats-rspecifier> <vad-wspecifier>
e.g.: compute-vad scp:feats.scp ark:vad.ark
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.functions import VadOptions, voice_activity
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.group(VadOptions())
    parser.add(
        "omit-unvoiced-utts", False, "If true, do not write out voicing information for utterances without voice."
    )
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    vad = opts.make(VadOptions)
    done = failed = unvoiced = 0
    share = 0.0
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "vector") as out:
        for key, feats in reader:
            if len(feats) == 0:
                warn(f"Empty feature matrix for utterance {key}")
                failed += 1
                continue
            voiced = voice_activity(feats, vad)
            done += 1
            share += float(voiced.mean())
            unvoiced += not voiced.any()
            if voiced.any() or not opts.omit_unvoiced_utts:
                out.write(key, voiced)
    info(f"Applied energy based voice activity detection; processed {done} utterances successfully; {failed} had empty"
         f" features, and {unvoiced} were completely unvoiced.")  # fmt: skip
    info(f"Proportion of voiced frames was {share / max(1, done):g}")
    return 0 if done else 1
