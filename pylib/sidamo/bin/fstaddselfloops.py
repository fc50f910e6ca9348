"""fstaddselfloops: let symbols of the grammar through a lexicon transducer."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Add self-loops i:o, for each pair of lines of the two lists, to the states that are final or have an arc with
an output: so the disambiguation symbols of the grammar pass through the lexicon.

Usage: fstaddselfloops [options] <in-label-list> <out-label-list> [<in-fst> [<out-fst>]]
 e.g.: fstaddselfloops phones/wdisambig_phones.int phones/wdisambig_words.int < L.fst > L_disambig.fst"""


@tool
def main(argv=None) -> int:
    _, args = Options(USAGE).parse(argv, (2, 4))

    from sidamo.io.errors import DataError
    from sidamo.io.fst import read_fst, write_fst
    from sidamo.lang.lexicon import fields, read_lines
    from sidamo.lang.lexicon_fst import add_self_loops

    lists = []
    for path in args[:2]:
        texts = [text for line in read_lines(path) for text in fields(line)]
        if not all(text.isdigit() for text in texts):
            raise DataError(f"expected integers, found {' '.join(texts)[:60]!r}", file=path)
        lists.append([int(text) for text in texts])
    if len(lists[0]) != len(lists[1]):
        raise DataError(f"{len(lists[0])} labels, but {len(lists[1])} in {args[1]}", file=args[0])
    fst = read_fst(args[2] if len(args) > 2 else "-")
    write_fst(args[3] if len(args) > 3 else "-", add_self_loops(fst, *lists))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
