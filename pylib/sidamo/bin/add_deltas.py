"""add-deltas: append time derivatives to features."""

from sidamo.bin import tool

USAGE = """Add deltas (typically to raw mfcc or plp features).

Usage: add-deltas [options] <in-rspecifier> <out-wspecifier>
"""


@tool
def main(argv=None) -> int:
    from sidamo.feats.functions import add_deltas
    from sidamo.io.errors import DataError
    from sidamo.io.log import warn
    from sidamo.io.options import Options
    from sidamo.io.tables import SequentialReader, Writer

    parser = Options(USAGE)
    parser.add("delta-order", 2, "Order of delta computation")
    parser.add("delta-window", 2, "Parameter controlling window for delta computation (actual size 1 + 2*window)")
    parser.add("truncate", 0, "If nonzero, first truncate features to this dimension.")
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    with SequentialReader(rspecifier, "matrix") as reader, Writer(wspecifier, "matrix") as out:
        for key, feats in reader:
            if len(feats) == 0:
                warn(f"Empty feature matrix for key {key}")
                continue
            if opts.truncate:
                if opts.truncate > feats.shape[1]:
                    raise DataError(f"Cannot truncate features as dimension {feats.shape[1]} is smaller than truncation"
                                    f" dimension {opts.truncate}", key=key)  # fmt: skip
                feats = feats[:, : opts.truncate]
            out.write(key, add_deltas(feats, opts.delta_order, opts.delta_window))
    return 0
