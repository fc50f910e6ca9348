"""Feature matrices of long recordings, made and written piece by piece."""

import struct
import tempfile

import numpy as np

from sidamo.feats.window import num_frames

LONG_FRAMES = 120000  # 20 minutes at 10 ms: a longer matrix is not held in memory


class FeatureBlocks:
    """A feature matrix that exists only block by block; `numpy.asarray` puts it into a temporary file and maps that.

    Parameters
    ----------
    computer : SpectralFeature
    wave : ndarray, FileChannel or DitheredWave
    warp : float
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, computer, wave, warp: float):
        self.computer, self.wave, self.warp = computer, wave, warp
        self.shape = (num_frames(len(wave), computer.frames), computer.dim)

    def __len__(self) -> int:
        return self.shape[0]

    def matrix_parts(self):
        """The binary form of a Kaldi matrix, part by part."""
        yield b"\0BFM " + struct.pack("<BiBi", 4, self.shape[0], 4, self.shape[1])
        for block in self.computer.blocks(self.wave, self.warp):
            yield np.ascontiguousarray(block, dtype="<f4")

    def __array__(self, dtype=None, copy=None):
        with tempfile.TemporaryFile() as spool:
            for block in self.computer.blocks(self.wave, self.warp):
                spool.write(np.ascontiguousarray(block, dtype=np.float32))
            spool.flush()
            matrix = np.memmap(spool, dtype=np.float32, mode="r", shape=self.shape)
        return np.asarray(matrix, dtype)
