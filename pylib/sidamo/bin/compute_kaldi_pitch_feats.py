"""compute-kaldi-pitch-feats: NCCF and pitch of every frame."""

from sidamo.bin import tool

USAGE = """Apply Kaldi pitch extractor, starting from wav input. Output is 2-dimensional features consisting of
(NCCF, pitch in Hz), where NCCF is between -1 and 1, and higher for voiced frames.

Usage: compute-kaldi-pitch-feats [options...] <wav-rspecifier> <feats-wspecifier>
e.g.: compute-kaldi-pitch-feats --sample-frequency=8000 scp:wav.scp ark:-
See also: process-kaldi-pitch-feats
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin import _inline
    from sidamo.bin._compute_feats import pick_channel
    from sidamo.feats.pitch import PitchOptions, PitchTracker
    from sidamo.io.errors import DataError
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    _inline.enable()
    parser = Options(USAGE)
    parser.group(PitchOptions())
    parser.add("channel", -1, "Channel to use (-1: expect mono, 0: left, 1: right)")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    tracker = PitchTracker(opts.make(PitchOptions))
    done = failed = 0
    with SequentialReader(rspecifier, "wave") as reader, Writer(wspecifier, "matrix") as out:
        for key, wave in reader:
            samples = pick_channel(wave, key, opts.channel)
            if samples is None:
                failed += 1
                continue
            if wave.rate != opts.sample_frequency:
                raise DataError(
                    f"Sample rate of the waveform is {wave.rate:g}, --sample-frequency={opts.sample_frequency:g}",
                    key=key, mend=f"set --sample-frequency={wave.rate:g}, or resample the audio",
                )  # fmt: skip
            pitch = tracker.compute(samples)
            if len(pitch) == 0:
                warn(f"No frames output in pitch extraction for utterance {key}")
            out.write(key, pitch)
            done += 1
    info(f"Done {done} utterances, {failed} with errors.")
    return 0 if done else 1
