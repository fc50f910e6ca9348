"""compute-mfcc-feats: mel-frequency cepstral coefficients from waves."""

from sidamo.bin import tool

USAGE = """Create MFCC feature files.

Usage: compute-mfcc-feats [options...] <wav-rspecifier> <feats-wspecifier>
e.g.: compute-mfcc-feats --use-energy=false scp:wav.scp ark,scp:mfcc.ark,mfcc.scp
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin._compute_feats import HTK_CEPSTRA_ZERO, HTK_ENERGY, run
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.mfcc import Mfcc, MfccOptions
    from sidamo.feats.window import FrameOptions

    def htk_kind(mfcc):
        return 0o6 | (HTK_ENERGY if mfcc.opts.use_energy else HTK_CEPSTRA_ZERO)

    return run(argv, USAGE, [MfccOptions(), FrameOptions(), MelOptions()], Mfcc, htk_kind)
