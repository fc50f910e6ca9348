#!/usr/bin/env python3
# Makes copies of a data directory in rooms, with noises: wav.scp lines that pipe the audio through wav-reverberate.
#
# Reads   <in-data-dir>, the lists of impulse responses and noises
# Writes  <out-data-dir>: every file of the input but what was made from the audio, and utt2uniq
# Example: steps/data/reverberate_data_dir.py --rir-set-parameters "1.0, rirs/rir_list" --num-replications 2 \
#            --prefix rvb data/train data/train_rvb
#
# Usage: steps/data/reverberate_data_dir.py [options] <in-data-dir> <out-data-dir>
#
# Lines of the lists (rxfilenames may be pipes):
#   --rir-id 1 --room-id 001 [--probability 0.2] rirs/room1.wav
#   --noise-id 1 --noise-type point-source [--bg-fg-type foreground] [--probability 0.2] noises/door.wav
#   --noise-id 2 --noise-type isotropic --room-linkage 001 noises/hum.wav
#
# Options:
#   --rir-set-parameters "P, LIST"     a list of responses and its probability (1 if left out); may be repeated
#   --noise-set-parameters "P, LIST"   a list of noises; may be repeated
#   --num-replications 1               number of copies
#   --prefix ""                        copies get the prefix <prefix>1-, <prefix>2-, ...; "rvb" where one is needed
#   --include-original-data false      the original comes along
#   --foreground-snrs 20:10:0          signal-to-noise ratios, dB, one of which is drawn
#   --background-snrs 20:10:0
#   --speech-rvb-probability 1.0
#   --pointsource-noise-addition-probability 1.0
#   --isotropic-noise-addition-probability 1.0
#   --max-noises-per-minute 2          bound on the number of point-source noises
#   --shift-output true                the copy is as long as the original, and in time with it
#   --random-seed 0                    the same seed gives the same copies
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "pylib")
from sidamo.io import script  # noqa: E402
from sidamo.io.errors import OptionError  # noqa: E402

OPTIONS = {
    "--num-replications": 1, "--prefix": "", "--include-original-data": "false", "--foreground-snrs": "20:10:0",
    "--background-snrs": "20:10:0", "--speech-rvb-probability": 1.0, "--pointsource-noise-addition-probability": 1.0,
    "--isotropic-noise-addition-probability": 1.0, "--max-noises-per-minute": 2.0, "--shift-output": "true",
    "--random-seed": 0,
}  # fmt: skip
REPEATED = ("--rir-set-parameters", "--noise-set-parameters")


def split_repeated(argv):
    """The values of the options that may be repeated, and the rest of the command line."""
    sets, rest, words = {name: [] for name in REPEATED}, [], list(argv)
    while words:
        word = words.pop(0)
        name, equal, value = word.partition("=")
        if name not in REPEATED:
            rest.append(word)
            continue
        if not equal and not words:
            raise OptionError(f'{name}: a value is missing, such as {name} "1.0, list"')
        sets[name].append(value if equal else words.pop(0))
    return sets, rest


def read_sets(values, required):
    """All lists, their items weighted by the lists' probabilities."""
    from sidamo.feats.augment import normalize, read_list

    items = []
    for value in values:
        weight, comma, name = value.partition(",")
        weight, name = (weight, name.strip()) if comma else ("1", value.strip())
        part = normalize(read_list(name, required))
        try:
            for item in part:
                item.probability *= float(weight)
        except ValueError:
            raise OptionError(f'"{value}": expected a probability, a comma and a list: "0.5, rirs"') from None
        items += part
    return items


def main(path, argv):
    from sidamo.feats.augment import RoomOptions, numbers, reverberate

    sets, rest = split_repeated(argv)
    opts, (source, target) = script.parse(rest, path, OPTIONS, (2, 2))
    if not sets[REPEATED[0]]:
        raise OptionError(f"{REPEATED[0]} is missing: the list of impulse responses")
    room = RoomOptions(
        foreground_snrs=tuple(numbers(opts.foreground_snrs, "--foreground-snrs")),
        background_snrs=tuple(numbers(opts.background_snrs, "--background-snrs")),
        speech_rvb_probability=opts.speech_rvb_probability,
        pointsource_noise_addition_probability=opts.pointsource_noise_addition_probability,
        isotropic_noise_addition_probability=opts.isotropic_noise_addition_probability,
        max_noises_per_minute=opts.max_noises_per_minute,
        shift_output=opts.shift_output == "true",
        seed=opts.random_seed,
    )
    rirs = read_sets(sets[REPEATED[0]], ("rir-id", "room-id"))
    noises = read_sets(sets[REPEATED[1]], ("noise-id", "noise-type"))
    original = opts.include_original_data == "true"
    done = reverberate(source, target, rirs, noises, opts.prefix, opts.num_replications, original, room)
    print(f"reverberate_data_dir.py: done {done} recordings")


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
