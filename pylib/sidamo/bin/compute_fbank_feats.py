"""compute-fbank-feats: log mel filter bank energies from waves."""

from sidamo.bin import tool

USAGE = """Create Mel-filter bank (FBANK) feature files.

Usage: compute-fbank-feats [options...] <wav-rspecifier> <feats-wspecifier>
e.g.: compute-fbank-feats --num-mel-bins=80 scp:wav.scp ark,scp:fbank.ark,fbank.scp
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin._compute_feats import HTK_CEPSTRA_ZERO, HTK_ENERGY, run
    from sidamo.feats.fbank import Fbank, FbankOptions
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.window import FrameOptions

    def htk_kind(fbank):
        return 0o7 | (HTK_ENERGY if fbank.opts.use_energy else HTK_CEPSTRA_ZERO)

    return run(argv, USAGE, [FbankOptions(), FrameOptions(), MelOptions()], Fbank, htk_kind)
