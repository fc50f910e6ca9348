"""lattice-copy: copy lattices, between binary and text and between compact and state-level form."""

import contextlib

from sidamo.bin import tool
from sidamo.bin._lattice import optional_writer
from sidamo.io import log
from sidamo.io.errors import OptionError
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Copy lattices (e.g. useful for changing to text mode or changing
format to standard from compact lattice.)

Usage: lattice-copy [options] <lattice-rspecifier> <lattice-wspecifier>
 e.g.: lattice-copy --write-compact=false ark:1.lats ark,t:text.lats"""


def read_keys(path: str) -> set[str]:
    """First fields of the lines of a file."""
    from sidamo.io.streams import open_rxfilename

    with open_rxfilename(path) as f:
        return {line.split()[0].decode() for line in f.read().splitlines() if line.strip()}


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("write-compact", True, "If true, write in normal (compact) form.")
    options.add("include", "", "Text file, the first field of each line being an utterance-id to include")
    options.add("exclude", "", "Text file, the first field of each line being an utterance-id to exclude")
    options.add("ignore-missing", False, "Exit with status 0 even if no lattices are copied")
    opts, (rspecifier, wspecifier) = options.parse(argv, num_args=2)
    if opts.include and opts.exclude:
        raise OptionError("should not have both --include and --exclude")
    include = read_keys(opts.include) if opts.include else None
    exclude = read_keys(opts.exclude) if opts.exclude else set()

    kind = "compact_lattice" if opts.write_compact else "lattice"
    num_done = 0
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(SequentialReader(rspecifier, kind))
        writer = optional_writer(stack, wspecifier, kind)
        for key, lat in reader:
            if key in exclude or (include is not None and key not in include):
                continue
            writer.write(key, lat)
            num_done += 1
    log.info(f"Done copying {num_done} lattices.")
    return 0 if num_done or opts.ignore_missing else 1


if __name__ == "__main__":
    raise SystemExit(main())
