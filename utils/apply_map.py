#!/usr/bin/env python3
# Replaces each field by what a map has for it, which may be several words or none.
#
# Reads   <map> (<key> <word> <word> ... a line); standard input
# Writes  standard output
# Example: utils/apply_map.pl -f 2- lexicon.txt < data/train/text > phones.txt
#
# Usage: utils/apply_map.pl [options] <map> < <input> > <output>
#
# Options:
#   -f A-B         replace the fields A to B only, counted from 1; also A, A- and -B
#   --permissive   leave a field that the map does not have as it is, with a warning; without it, it is an error
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402


def main(path, argv):
    opts, (map_file,) = script.parse(argv, path, {"-f": "", "--permissive": False}, (1, 1))
    chosen = textlines.field_range(opts.f)
    words_of = {}
    for place, line in textlines.read([map_file]):
        key, *words = line.split() or [b""]
        if not key:
            raise place.error("empty line in the map", mend=f"sed -i '/^ *$/d' {map_file}")
        words_of[key] = b" ".join(words)
    for place, line in textlines.read([]):
        fields = line.split()
        for index in chosen(len(fields)):
            words = words_of.get(fields[index])
            if words is not None:
                fields[index] = words
            elif opts.permissive:
                print(f"{os.path.basename(path)}: warning! missing key {datadir.show(fields[index])}", file=sys.stderr)
            else:
                raise place.error(f"undefined key {datadir.show(fields[index])} (in position {index + 1})",
                                  mend=f"add it to {map_file}, or give --permissive")  # fmt: skip
        textlines.write_line(b" ".join(fields))


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
