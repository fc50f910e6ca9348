#!/usr/bin/env python3
# Splits a list into parts of about equal length; with --utt2spk no speaker is in two parts.
#
# Reads   <in.scp>: any file with one item a line
# Writes  <out1.scp> <out2.scp> ..., or with -j the part <job-id> alone, to <out.scp> or standard output
# Example: utils/split_scp.pl --utt2spk=data/train/utt2spk data/train/feats.scp feats.1.scp feats.2.scp
#
# Usage: utils/split_scp.pl [options] <in.scp> <out1.scp> <out2.scp> ...
#   or: utils/split_scp.pl -j <num-jobs> <job-id> [options] <in.scp> [<out.scp>]
#
# Options:
#   --utt2spk FILE   keep each speaker's lines in one part
#   --utt2dur FILE   with --utt2spk: make the parts equal in duration instead of in number of lines
#   -j N I           write only part I of N; I counts from 0
#   --one-based      with -j: I counts from 1
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, datadir_split, script, textlines  # noqa: E402
from sidamo.io.errors import DataError, OptionError, UsageError  # noqa: E402


def take_job(argv):
    """Take ``-j N I`` out of the options; returns the rest, N and I (None where it is not given)."""
    at = next((index for index, word in enumerate(argv) if word == "-j"), None)
    if at is None:
        return argv, None, None
    numbers = argv[at + 1 : at + 3]
    if len(numbers) < 2 or not all(word.isdigit() for word in numbers):
        raise OptionError(f"-j needs two numbers, the number of jobs and the job, got '{' '.join(numbers)}'")
    return argv[:at] + argv[at + 3 :], int(numbers[0]), int(numbers[1])


def main(path, argv):
    argv, num_jobs, job = take_job(argv)
    options = {"--utt2spk": "", "--utt2dur": "", "--one-based": False}
    opts, (source, *outputs) = script.parse(argv, path, options, (2, None) if num_jobs is None else (1, 2))
    if num_jobs is not None:
        job -= opts.one_based
        if not 0 <= job < num_jobs:
            raise UsageError(f"there is no part {job + opts.one_based} of {num_jobs}")
    num_parts = num_jobs or len(outputs)
    with open(source, "rb") as file:
        lines = file.read().splitlines()
    try:
        if opts.utt2spk:
            speaker_of = datadir.read_map(opts.utt2spk, 1)
            if opts.utt2dur:
                seconds = {utt: float(value) for utt, value in datadir.read_map(opts.utt2dur, 1).items()}
                parts = datadir_split.split_by_duration(lines, speaker_of, seconds, num_parts)
            else:
                parts = datadir_split.split_by_speaker(lines, speaker_of, num_parts)
        else:
            parts = datadir_split.split_evenly(lines, num_parts)
    except DataError as error:
        raise error.locate(file=source) from None
    if num_jobs is not None:
        outputs, parts = outputs or ["-"], [parts[job]]
    for name, part in zip(outputs, parts):
        if name == "-":
            textlines.write(line + b"\n" for line in part)
        else:
            datadir.write_lines(name, part)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
