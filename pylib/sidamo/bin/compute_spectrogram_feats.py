"""compute-spectrogram-feats: log power spectra from waves."""

from sidamo.bin import tool

USAGE = """Create spectrogram feature files.

Usage: compute-spectrogram-feats [options...] <wav-rspecifier> <feats-wspecifier>
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin._compute_feats import HTK_CEPSTRA_ZERO, run
    from sidamo.feats.spectrogram import Spectrogram, SpectrogramOptions
    from sidamo.feats.window import FrameOptions

    return run(argv, USAGE, [SpectrogramOptions(), FrameOptions()], Spectrogram, lambda _: 0o7 | HTK_CEPSTRA_ZERO)
