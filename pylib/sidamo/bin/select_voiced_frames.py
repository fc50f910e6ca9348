"""select-voiced-frames: only the frames that compute-vad judged voiced."""

from sidamo.bin import tool

USAGE = """Select a subset of frames of the input files, based on the output of compute-vad or a similar program
(a vector of length num-frames, containing 1.0 for voiced, 0.0 for unvoiced). Caution: this is mostly useful in speaker
identification applications.

Usage: select-voiced-frames [options] <feats-rspecifier> <vad-rspecifier> <feats-wspecifier>
e.g.: select-voiced-frames scp:feats.scp scp:vad.scp ark:-
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import RandomAccessReader, SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("select-unvoiced-frames", False, "If true, select the unvoiced frames instead of the voiced ones.")
    opts, (feats_in, vad_in, feats_out) = parser.parse(argv, num_args=3)
    done = failed = 0
    with SequentialReader(feats_in, "matrix") as reader, Writer(feats_out, "matrix") as out:
        vad = RandomAccessReader(vad_in, "vector")
        for key, feats in reader:
            reason = ""
            if len(feats) == 0:
                reason = f"Empty feature matrix for utterance {key}"
            elif key not in vad:
                reason = f"No VAD input found for utterance {key}"
            elif len(feats) != len(vad[key]):
                reason = (f"Mismatch in number for frames {len(feats)} for features and VAD {len(vad[key])},"
                          f" for utterance {key}")  # fmt: skip
            else:
                chosen = (vad[key] != 0.0) != opts.select_unvoiced_frames
                if not chosen.any():
                    reason = f"No features were judged as voiced for utterance {key}"
            if reason:
                warn(reason)
                failed += 1
                continue
            out.write(key, feats[chosen])
            done += 1
    info(f"Done selecting voiced frames; processed {done} utterances, {failed} had errors.")
    return 0 if done else 1
