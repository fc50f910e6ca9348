"""copy-vector: copies vectors, scaled or with another dimension."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import OptionError
from sidamo.io.options import Options

USAGE = """Copy vectors, or archives of vectors (e.g. transition-accs; speaker vectors)

Usage: copy-vector [options] (<vector-in-rspecifier>|<vector-in-rxfilename>)
(<vector-out-wspecifier>|<vector-out-wxfilename>) e.g.:  copy-vector --binary=false 1.mat -
       copy-vector ark:2.trans ark,t:-"""  # noqa: E501


def _options():
    o = Options(USAGE)
    o.add("binary", True, "Write in binary mode (only relevant if output is a wxfilename)")
    o.add("scale", 1.0, "This option can be used to scale the vectors being copied.")
    o.add("change-dim", -1, "Use this option to truncate or zero-pad the vectors.")
    return o


@tool
def main(argv=None):
    """Copies a table or a single file; 1 where the table is empty."""
    opts, (source, target) = _options().parse(argv, num_args=2)
    from sidamo.io.tables import SequentialReader, Writer, is_rspecifier, is_wspecifier, read_object, write_object

    if is_rspecifier(source) != is_wspecifier(target):
        raise OptionError("Cannot mix archives with regular files (copying vectors)")
    if not is_rspecifier(source):
        write_object(target, "vector", _transform(read_object(source, "vector"), opts), binary=opts.binary)
        log.info(f"Copied vector to {target}")
        return 0
    num_done = 0
    with Writer(target, "vector") as writer, SequentialReader(source, "vector") as reader:
        for key, vector in reader:
            writer.write(key, _transform(vector, opts))
            num_done += 1
    log.info(f"Copied {num_done} vectors." if opts.change_dim < 0 else
             f"Copied {num_done} vectors, setting dim to {opts.change_dim}")  # fmt: skip
    return 0 if num_done else 1


def _transform(vector, opts):
    import numpy as np

    from sidamo.io.matrix import as_float32

    vector = as_float32(vector)
    if opts.scale != 1.0:
        vector = vector * np.float32(opts.scale)
    if opts.change_dim >= 0:
        vector = np.pad(vector[: opts.change_dim], (0, max(0, opts.change_dim - len(vector))))
    return vector
