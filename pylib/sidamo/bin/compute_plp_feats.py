"""compute-plp-feats: perceptual linear prediction cepstra from waves."""

from sidamo.bin import tool

USAGE = """Create PLP feature files.

Usage: compute-plp-feats [options...] <wav-rspecifier> <feats-wspecifier>
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin._compute_feats import HTK_CEPSTRA_ZERO, HTK_ENERGY, run
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.plp import Plp, PlpOptions
    from sidamo.feats.window import FrameOptions

    def htk_kind(plp):
        return 0o13 | (HTK_ENERGY if plp.opts.use_energy else HTK_CEPSTRA_ZERO)

    return run(argv, USAGE, [PlpOptions(), FrameOptions(), MelOptions()], Plp, htk_kind)
