"""copy-feats-to-htk: writes features as HTK files, one per utterance."""

import os

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Save features as HTK files: each utterance will be stored as a unique HTK file in a specified directory.
The HTK filename will correspond to the utterance-id (key) in the input table, with the specified extension.

Usage: copy-feats-to-htk [options] in-rspecifier
e.g.:  copy-feats-to-htk --output-dir=HTK-features --output-ext=fea scp:feats.scp"""


def _options():
    o = Options(USAGE)
    o.add("output-ext", "fea", "Output ext of HTK files")
    o.add("output-dir", "./", "Output directory")
    o.add("sample-period", 10000, "HTK sampPeriod - sample period in 100ns units (a frame shift of 10 ms is 100000)")
    o.add(
        "sample-kind", 9, "HTK parmKind - a code indicating the sample kind (e.g., 6=MFCC, 7=FBANK, 9=USER, 11=PLP)"
    )
    return o


@tool
def main(argv=None):
    """Writes the files; 1 where the table is empty."""
    opts, (rspecifier,) = _options().parse(argv, num_args=1)
    from sidamo.io.htk import HtkFeatures
    from sidamo.io.matrix import as_float32
    from sidamo.io.tables import SequentialReader, write_object

    try:
        os.makedirs(opts.output_dir, exist_ok=True)
    except OSError as e:
        raise DataError(f"Could not create output directory: {e.strerror}", file=opts.output_dir) from None
    num_done = 0
    with SequentialReader(rspecifier, "matrix") as reader:
        for key, feats in reader:
            features = HtkFeatures(as_float32(feats), opts.sample_period, opts.sample_kind)
            write_object(f"{opts.output_dir}/{key}.{opts.output_ext}", "htk", features)
            num_done += 1
    log.info(f"{num_done} HTK feature files generated in the directory: {opts.output_dir}")
    return 0 if num_done else 1
