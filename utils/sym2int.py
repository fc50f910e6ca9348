#!/usr/bin/env python3
# Replaces symbols by their numbers.
#
# Reads   <symtab> (<symbol> <number> a line); the input file or standard input
# Writes  standard output
# Example: utils/sym2int.pl --map-oov '<unk>' -f 2- data/lang/words.txt data/train/text > text.int
#
# Usage: utils/sym2int.pl [options] <symtab> [<input>] > <output>
#
# Options:
#   --map-oov X   use the symbol (or number) X for unknown symbols; without it they are an error
#   -f A-B        replace the fields A to B only, counted from 1; also A, A- and -B
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402
from sidamo.io.errors import OptionError  # noqa: E402

MOST = 20  # warnings


def main(path, argv):
    opts, (symtab, *files) = script.parse(argv, path, {"--map-oov": "", "-f": ""}, (1, 2))
    chosen = textlines.field_range(opts.f)
    number_of = textlines.read_symbols(symtab)
    oov = opts.map_oov.encode()
    if oov and not oov.isdigit():
        if oov not in number_of:
            raise OptionError(f"--map-oov: {symtab} does not have the symbol '{opts.map_oov}'")
        oov = number_of[oov]
    name, warnings = os.path.basename(path), 0
    for place, line in textlines.read(files):
        fields = line.split()
        for index in chosen(len(fields)):
            number = number_of.get(fields[index])
            if number is None:
                symbol = datadir.show(fields[index])
                if not oov:
                    raise place.error(f"undefined symbol {symbol} (in position {index + 1})",
                                      mend=f"add it to {symtab}, or give --map-oov '<unk>'")  # fmt: skip
                warnings += 1
                if warnings <= MOST:
                    print(f"{name}: replacing {symbol} with {oov.decode()}", file=sys.stderr)
                if warnings == MOST:
                    print(f"{name}: not warning for OOVs any more times", file=sys.stderr)
                number = oov
            fields[index] = number
        textlines.write_line(b" ".join(fields))


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
