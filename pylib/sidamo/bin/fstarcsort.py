"""fstarcsort: sort the arcs of each state."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Sort the arcs of each state by input or output label.

Usage: fstarcsort [--sort_type=ilabel|olabel] [<in-fst> [<out-fst>]]"""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("sort-type", "ilabel", "ilabel or olabel")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.errors import OptionError
    from sidamo.io.fst import arcsort, read_fst, write_fst

    if opts.sort_type not in ("ilabel", "olabel"):
        raise OptionError(f"--sort_type={opts.sort_type}: expected ilabel or olabel")
    fst = arcsort(read_fst(args[0] if args else "-"), opts.sort_type)
    write_fst(args[1] if len(args) > 1 else "-", fst, properties=fst.properties or None)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
