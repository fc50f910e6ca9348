#!/usr/bin/env python3
# Makes a copy of a data directory with noise on it: wav.scp lines that pipe the audio through wav-reverberate.
#
# Reads   <in-data-dir>, the noises' data directories (wav.scp; reco2dur, made where it is absent)
# Writes  <out-data-dir>: every file of the input but what was made from the audio, and utt2uniq
# Example: steps/data/augment_data_dir.py --utt-suffix noise --fg-interval 1 --fg-snrs 15:10:5 \
#            --fg-noise-dir data/noise data/train data/train_noise
#
# Usage: steps/data/augment_data_dir.py [options] <in-data-dir> <out-data-dir>
#
# Options (lists are separated by colons; one of each is drawn for every noise):
#   --fg-noise-dir DIR      foreground noises, added one after the other
#   --bg-noise-dir DIR      background noises, added over the whole recording, repeated as needed
#   --fg-snrs 20:10:0       signal-to-noise ratios of foreground noises, dB
#   --bg-snrs 20:10:0       signal-to-noise ratios of background noises, dB
#   --num-bg-noises 1       how many background noises at once, e.g. 3:4:5 for babble
#   --fg-interval 0         seconds between two foreground noises
#   --utt-suffix aug        "-aug" is put behind the names of utterances and recordings
#   --utt-prefix ""         "<prefix>-" is put before the names of utterances, recordings and speakers
#   --random-seed 123       the same seed gives the same copy
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "pylib")
from sidamo.io import script  # noqa: E402

OPTIONS = {
    "--fg-noise-dir": "", "--bg-noise-dir": "", "--fg-snrs": "20:10:0", "--bg-snrs": "20:10:0", "--num-bg-noises": "1",
    "--fg-interval": 0.0, "--utt-suffix": "aug", "--utt-prefix": "", "--random-seed": 123,
}  # fmt: skip


def main(path, argv):
    from sidamo.feats.augment import NoiseOptions, augment, numbers

    opts, (source, target) = script.parse(argv, path, OPTIONS, (2, 2))
    noise = NoiseOptions(
        fg_snrs=tuple(numbers(opts.fg_snrs, "--fg-snrs")),
        bg_snrs=tuple(numbers(opts.bg_snrs, "--bg-snrs")),
        num_bg_noises=tuple(numbers(opts.num_bg_noises, "--num-bg-noises", int)),
        fg_interval=float(opts.fg_interval),
        seed=opts.random_seed,
    )
    done = augment(source, target, opts.fg_noise_dir, opts.bg_noise_dir, opts.utt_suffix, opts.utt_prefix, noise)
    print(f"augment_data_dir.py: done {done} recordings")


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
