#!/usr/bin/env python3
# Splits a file by several lists: the lines whose first field is in the JOB-th list go to the JOB-th output.
#
# Reads   the lists (the first field of each line matters) and the input
# Writes  the outputs
# Example: utils/filter_scps.pl JOB=1:4 data/a/split4/JOB/spk2utt data/a/cmvn.scp data/a/split4/JOB/cmvn.scp
#
# Usage: utils/filter_scps.pl [options] JOB=1:n <filter-pattern> <input-scp> <output-scp-pattern>
#
# Options:
#   -f N        compare the N-th field of the input, counted from 1; default 1
#   --no-warn   do not say that lines went to no output or to several
import os
import re
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402
from sidamo.io.errors import UsageError  # noqa: E402


def main(path, argv):
    opts, (jobs, lists, source, outputs) = script.parse(argv, path, {"-f": 1, "--no-warn": False}, (4, 4))
    array = re.fullmatch(r"(\w+)=(\d+):(\d+)", jobs)
    if not array or int(array[2]) > int(array[3]):
        raise UsageError(f"expected a range such as JOB=1:10, got '{jobs}'")
    name, numbers = array[1], range(int(array[2]), int(array[3]) + 1)
    for pattern in (lists, outputs):
        if name not in pattern and len(numbers) > 1:
            raise UsageError(f"'{pattern}' would be one file for all jobs; put {name} into its name")
    targets = {}
    for index, job in enumerate(numbers):
        for key in datadir.keys_of(lists.replace(name, str(job))):
            targets.setdefault(key, []).append(index)
    dealt, lost, several = [[] for _ in numbers], 0, 0
    for place, line in textlines.read([source]):
        fields = line.split(None, opts.f)
        if len(fields) < opts.f:
            raise place.error(f"field {opts.f} wanted, but the line has {len(fields)}: '{datadir.show(line.rstrip())}'")
        mine = targets.get(fields[opts.f - 1], ())
        lost, several = lost + (not mine), several + (len(mine) > 1)
        for index in mine:
            dealt[index].append(line.rstrip(b"\n"))
    for job, lines in zip(numbers, dealt):
        datadir.write_lines(outputs.replace(name, str(job)), lines)
    for count, what in ((lost, "no output"), (several, "several outputs")):
        if count and not opts.no_warn:
            print(f"{os.path.basename(path)}: warning: {count} input lines went to {what}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
