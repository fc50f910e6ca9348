"""fstproject: an acceptor from the input or the output side of a transducer."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Keep only the input or the output labels of a transducer.

Usage: fstproject [--project_type=input|output] [<in-fst> [<out-fst>]]
--project_output=true (OpenFst before 1.8) is taken too."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("project-type", "input", "input or output")
    options.add("project-output", False, "the output side")
    opts, args = options.parse(argv, (0, 2))

    from sidamo.io.errors import OptionError
    from sidamo.io.fst import read_fst, write_fst

    if opts.project_type not in ("input", "output"):
        raise OptionError(f"--project_type={opts.project_type}: expected input or output")
    fst = read_fst(args[0] if args else "-")
    if opts.project_output or opts.project_type == "output":
        fst.ilabel, fst.isymbols = fst.olabel, fst.osymbols
    else:
        fst.olabel, fst.osymbols = fst.ilabel, fst.isymbols
    write_fst(args[1] if len(args) > 1 else "-", fst)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
