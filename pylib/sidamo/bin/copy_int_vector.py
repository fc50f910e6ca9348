"""copy-int-vector: copies lists of integers, such as alignments."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import OptionError
from sidamo.io.options import Options

USAGE = """Copy vectors of integers, or archives of vectors of integers (e.g. alignments)

Usage: copy-int-vector [options] (vector-in-rspecifier|vector-in-rxfilename)
(vector-out-wspecifier|vector-out-wxfilename) e.g.:  copy-int-vector --binary=false foo -
       copy-int-vector ark:1.ali ark,t:-"""  # noqa: E501


@tool
def main(argv=None):
    """Copies a table or a single file; 1 where the table is empty."""
    o = Options(USAGE)
    o.add("binary", True, "Write in binary mode (only relevant if output is a wxfilename)")
    opts, (source, target) = o.parse(argv, num_args=2)
    from sidamo.io.tables import SequentialReader, Writer, is_rspecifier, is_wspecifier, read_object, write_object

    if is_rspecifier(source) != is_wspecifier(target):
        raise OptionError("Cannot mix archives with regular files (copying vectors)")
    if not is_rspecifier(source):
        write_object(target, "int_array", read_object(source, "int_array"), binary=opts.binary)
        log.info(f"Copied vector to {target}")
        return 0
    num_done = 0
    with Writer(target, "int_vector") as writer, SequentialReader(source, "int_vector") as reader:
        for key, vector in reader:
            writer.write(key, vector)
            num_done += 1
    log.info(f"Copied {num_done} vectors of int32.")
    return 0 if num_done else 1
