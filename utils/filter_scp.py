#!/usr/bin/env python3
# Prints the lines whose first field (or another one) is in a list.
#
# Reads   <id-list>, of which only the first field of each line matters; the input file or standard input
# Writes  standard output
# Example: utils/filter_scp.pl data/dev/utt2spk data/all/feats.scp > data/dev/feats.scp
#
# Usage: utils/filter_scp.pl [options] <id-list> [<in.scp>] > <out.scp>
#
# Options:
#   --exclude   print the lines that are not in the list instead
#   -f N        compare the N-th field of the input, counted from 1; default 1
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402
from sidamo.io.errors import OptionError  # noqa: E402


def main(path, argv):
    opts, (id_list, *files) = script.parse(argv, path, {"--exclude": False, "-f": 1}, (1, 2))
    if opts.f < 1:
        raise OptionError(f"-f counts fields from 1, got {opts.f}")
    wanted = set()
    for place, line in textlines.read([id_list]):
        if line.isspace():
            raise place.error("empty line in the list", mend=f"sed -i '/^ *$/d' {id_list}")
        wanted.add(datadir.key_of(line))
    field, keep, kept = opts.f - 1, not opts.exclude, []
    for place, line in textlines.read(files):
        fields = line.split(None, opts.f)
        if len(fields) <= field:
            raise place.error(f"field {opts.f} wanted, but the line has {len(fields)}: '{datadir.show(line.rstrip())}'")
        if (fields[field] in wanted) is keep:
            kept.append(line)
    textlines.write(kept)


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
