"""latgen-faster-mapped: latgen-faster with the transition model of Kaldi's command line in front."""

from sidamo.bin import tool
from sidamo.bin.latgen_faster import make_options, run

USAGE = """Generate lattices, reading log-likelihoods as matrices; the model maps the labels of the graph to columns.

Usage: latgen-faster-mapped [options] <trans-model-in> <fst-in> <loglikes-rspecifier> <lattice-wspecifier> \\
          [<words-wspecifier> [<alignments-wspecifier>]]
The model must map transition-id t to column t - 1, as token labels do; latgen-faster needs no model.
See also: latgen-faster"""


@tool
def main(argv=None) -> int:
    opts, args = make_options(USAGE).parse(argv, num_args=(4, 6))
    from sidamo.decode.transitions import check_identity_model

    check_identity_model(args[0])
    return run(opts, args[1:])
