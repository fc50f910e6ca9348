#!/usr/bin/env python3
# Replaces numbers by their symbols.
#
# Reads   <symtab> (<symbol> <number> a line); the input file or standard input
# Writes  standard output (with a blank at the end of each line, as Kaldi's)
# Example: utils/int2sym.pl -f 2- data/lang/words.txt text.int > text
#
# Usage: utils/int2sym.pl [options] <symtab> [<input>] > <output>
#
# Options:
#   -f A-B   replace the fields A to B only, counted from 1; also A, A- and -B
import os
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "pylib")
from sidamo.io import datadir, script, textlines  # noqa: E402


def main(path, argv):
    opts, (symtab, *files) = script.parse(argv, path, {"-f": ""}, (1, 2))
    chosen = textlines.field_range(opts.f)
    symbol_of = {number: symbol for symbol, number in textlines.read_symbols(symtab).items()}
    for place, line in textlines.read(files):
        fields = line.split()
        for index in chosen(len(fields)):
            symbol = symbol_of.get(fields[index])
            if symbol is None:
                word = datadir.show(fields[index])
                if not word.isdigit():
                    raise place.error(f"found noninteger token {word} (in position {index + 1})",
                                      mend="-f 2- leaves the utterance alone")  # fmt: skip
                raise place.error(f"integer {word} not in symbol table {symtab} (in position {index + 1})",
                                  mend="use the words.txt that the numbers were made with")  # fmt: skip
            fields[index] = symbol
        textlines.write_line(b"".join([field + b" " for field in fields]))


if __name__ == "__main__":
    sys.exit(script.run(main, sys.argv[0], sys.argv[1:]))
