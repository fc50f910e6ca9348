"""copy-matrix: copies matrices, scaled or through a function of their elements."""

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import OptionError
from sidamo.io.options import Options

USAGE = """Copy matrices, or archives of matrices (e.g. features or transforms)
Also see copy-feats which has other format options

Usage: copy-matrix [options] <matrix-in-rspecifier> <matrix-out-wspecifier>
or:    copy-matrix [options] <matrix-in-rxfilename> <matrix-out-wxfilename>
e.g.:  copy-matrix --binary=false 1.mat -
       copy-matrix ark:2.trans ark,t:-
See also: copy-feats"""

LOG_FLOOR = 1e-20


def _options():
    o = Options(USAGE)
    o.add("binary", True, "Write in binary mode (only relevant if output is a wxfilename)")
    o.add("scale", 1.0, "This option can be used to scale the matrices being copied.")
    o.add("apply-log", False, "Apply log to the matrices (values below 1e-20 count as that).")
    o.add("apply-exp", False, "This option can be used to apply exp on the matrices")
    o.add("apply-power", 1.0, "This option can be used to apply a power on the matrices")
    o.add("apply-softmax-per-row", False, "This option can be used to apply softmax per row of the matrices")
    return o


@tool
def main(argv=None):
    """Copies a table or a single file; 1 where the table is empty."""
    opts, (source, target) = _options().parse(argv, num_args=2)
    if opts.apply_log + opts.apply_exp + opts.apply_softmax_per_row > 1:
        raise OptionError("Only one of apply-log, apply-exp and apply-softmax-per-row can be given")
    from sidamo.io.tables import SequentialReader, Writer, is_rspecifier, is_wspecifier, read_object, write_object

    if is_rspecifier(source) != is_wspecifier(target):
        raise OptionError("Cannot mix archives with regular files (copying matrices)")
    if not is_rspecifier(source):
        write_object(target, "matrix", _transform(read_object(source, "matrix"), opts), binary=opts.binary)
        log.info(f"Copied matrix to {target}")
        return 0
    num_done = 0
    with Writer(target, "matrix") as writer, SequentialReader(source, "matrix") as reader:
        for key, matrix in reader:
            writer.write(key, _transform(matrix, opts))
            num_done += 1
    log.info(f"Copied {num_done} matrices.")
    return 0 if num_done else 1


def _transform(matrix, opts):
    """The matrix in float32: scale, then log, exp or softmax, then power."""
    import numpy as np

    from sidamo.io.matrix import as_float32

    matrix = as_float32(matrix)
    with np.errstate(all="ignore"):
        if opts.scale != 1.0:
            matrix = matrix * np.float32(opts.scale)
        if opts.apply_log:
            matrix = np.log(np.maximum(matrix, np.float32(LOG_FLOOR)))
        if opts.apply_exp:
            matrix = np.exp(matrix)
        if opts.apply_softmax_per_row and matrix.size:
            matrix = np.exp(matrix - matrix.max(axis=1, keepdims=True))
            matrix /= matrix.sum(axis=1, keepdims=True)
        if opts.apply_power != 1.0:
            matrix = matrix ** np.float32(opts.apply_power)
    return matrix
