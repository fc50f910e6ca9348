"""feat-to-len: the number of rows of features."""

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Reads an archive of features and writes a corresponding archive that maps utterance-id to utterance length in
frames, or (with one argument) prints to stdout the total number of frames in the input archive.

Usage: feat-to-len [options] <in-rspecifier> [<out-wspecifier>]
e.g.:  feat-to-len scp:feats.scp ark,t:feats.lengths
or:    feat-to-len scp:feats.scp"""


@tool
def main(argv=None):
    """Writes one length per utterance, or prints the sum."""
    _, args = Options(USAGE).parse(argv, num_args=(1, 2))
    from sidamo.io.tables import SequentialReader, Writer

    with SequentialReader(args[0], "matrix") as reader:
        if len(args) == 1:
            print(sum(len(feats) for _, feats in reader))
            return 0
        with Writer(args[1], "int") as writer:
            for key, feats in reader:
                writer.write(key, len(feats))
    return 0
