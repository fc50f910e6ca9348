"""process-kaldi-pitch-feats: pitch features for recognition from NCCF and pitch."""

from sidamo.bin import tool

USAGE = """Post-process Kaldi pitch features, consisting of pitch and NCCF, into features suitable for ASR.
Default setup produces three-dimensional features consisting of (pov-feature, normalized log-pitch, delta-log-pitch).

Usage: process-kaldi-pitch-feats [options...] <feat-rspecifier> <feats-wspecifier>
e.g.: compute-kaldi-pitch-feats scp:wav.scp ark:- | process-kaldi-pitch-feats ark:- ark:pitch.ark
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.pitch import ProcessPitchOptions, process_pitch
    from sidamo.feats.random import GlibcRandom
    from sidamo.io.errors import DataError
    from sidamo.io.log import info
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.group(ProcessPitchOptions())
    parser.add("srand", 0, "Seed of the noise on the delta pitch")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    process, noise = opts.make(ProcessPitchOptions), GlibcRandom(opts.srand)
    done = 0
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "matrix") as out:
        for key, raw in reader:
            if len(raw) and (raw.shape[1] != 2 or not (raw[:, 1] > 0).all()):
                raise DataError(
                    "expected two columns, NCCF and a pitch above 0, as compute-kaldi-pitch-feats writes them", key=key
                )
            out.write(key, process_pitch(raw, process, noise.gauss) if len(raw) else raw)
            done += 1
    info(f"Post-processed pitch for {done} utterances.")
    return 0 if done else 1
