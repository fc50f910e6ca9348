"""plot-curve: the learning curve of a training as a picture."""

import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Draws loss, error rates and learning rate over epochs as SVG, which every browser shows.

Usage: plot-curve [options] <curve.tsv> <svg-file>
E.g.: plot-curve exp/tdnn/log/curve.tsv exp/tdnn/curve.svg
steps/train_ctc.sh calls it at the end of each training."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("title", "", "above the picture; default: the name of the table")
    opts, (table, out) = options.parse(argv, num_args=2)
    import os

    from sidamo.io.errors import DataError
    from sidamo.report.curve_plot import draw
    from sidamo.report.results import learning_curve

    curve = learning_curve(table)
    if not curve.get("epoch") or None in curve["epoch"]:
        raise DataError(
            "no learning curve: expected a header with `epoch` and a row for each", file=table,
            mend="steps/train_ctc.sh writes <exp-dir>/log/curve.tsv",
        )  # fmt: skip
    temporary = f"{out}.tmp.{os.getpid()}"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(draw(curve, opts.title or table))
    os.replace(temporary, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
