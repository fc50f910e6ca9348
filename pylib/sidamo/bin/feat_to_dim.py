"""feat-to-dim: the number of columns of features."""

from sidamo.bin import tool
from sidamo.io.errors import DataError
from sidamo.io.options import Options

USAGE = """Reads an archive of features. If second argument is wxfilename, writes the feature dimension of the first
feature file; if second argument is wspecifier, writes an archive of the feature dimension, indexed by utterance id.

Usage: feat-to-dim [options] <feat-rspecifier> (<dim-wspecifier>|<dim-wxfilename>)
e.g.:  feat-to-dim scp:feats.scp -"""


@tool
def main(argv=None):
    """Writes one dimension, or one per utterance."""
    _, (rspecifier, target) = Options(USAGE).parse(argv, num_args=2)
    from sidamo.io.streams import open_wxfilename
    from sidamo.io.tables import SequentialReader, Writer, is_wspecifier

    with SequentialReader(rspecifier, "matrix") as reader:
        if is_wspecifier(target):
            with Writer(target, "int") as writer:
                for key, feats in reader:
                    writer.write(key, feats.shape[1])
            return 0
        for _, feats in reader:
            with open_wxfilename(target) as out:
                out.write(b"%d\n" % feats.shape[1])
            return 0
    raise DataError("Could not read any features (empty archive?)", file=rspecifier)
