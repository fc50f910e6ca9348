#!/usr/bin/env python3
# Turns a CTM with times relative to utterances into one with times in the recordings.
#
# Reads   <segments>, <reco2file_and_channel>; the utterances' CTM or standard input
# Writes  standard output
# Example: utils/convert_ctm.pl data/dev/segments data/dev/reco2file_and_channel utt.ctm > dev.ctm
#
# Usage: utils/convert_ctm.pl [options] <segments> <reco2file_and_channel> [<utterance-ctm>] > <real-ctm>
#
# Options:
#   --skip-unknown   leave out utterances that are not in <segments>; without it they are an error
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402
from sidamo.io.errors import DataError  # noqa: E402


def read_segments(path):
    """Utterance to (recording, start, end); an end of -1 has no limit."""
    segments = {}
    for utt, rest in datadir.read_pairs(path):
        try:
            reco, start, end = rest.split()[:3]
            end = float(end)
            segments[utt] = (reco, float(start), float("inf") if end == -1 else end)
        except ValueError:
            raise DataError(f"expected '<utterance> <recording> <start> <end>' for '{datadir.show(utt)}', "
                            f"got '{datadir.show(rest)}'", file=path) from None  # fmt: skip
    return segments


def main(path, argv):
    opts, (segments_file, channels_file, *files) = script.parse(argv, path, {"--skip-unknown": False}, (2, 3))
    segments = read_segments(segments_file)
    channels = {reco: rest.split() for reco, rest in datadir.read_map(channels_file, 2).items()}
    done = 0
    for place, line in textlines.read(files):
        fields = line.split()
        if len(fields) not in (5, 6):
            raise place.error("expected '<utterance> <channel> <start> <duration> <word> [<confidence>]', "
                              f"got '{datadir.show(line.rstrip())}'")  # fmt: skip
        if fields[0] not in segments:
            if opts.skip_unknown:
                continue
            raise place.error(f"utterance '{datadir.show(fields[0])}' is not in {segments_file}",
                              mend="--skip-unknown leaves it out")  # fmt: skip
        reco, start, end = segments[fields[0]]
        if reco not in channels:
            raise place.error(f"recording '{datadir.show(reco)}' is not in {channels_file}")
        try:
            begin, length = round(float(fields[2]) + start, 2), round(float(fields[3]), 2)
        except ValueError:
            raise place.error(f"expected two times, got '{datadir.show(line.rstrip())}'") from None
        times = [f"{float(fields[2]) + start:.2f}".encode(), f"{float(fields[3]):.2f}".encode()]
        converted = b" ".join([*channels[reco], *times, *fields[4:]])
        if begin + length > end + 0.01:
            text = datadir.show(converted)
            print(f"Warning: word appears to be past end of recording; line is {text}", file=sys.stderr)
        textlines.write_line(converted)
        done += 1
    if done == 0:
        raise DataError("no line of the CTM was converted", file=files[0] if files else "standard input")


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
