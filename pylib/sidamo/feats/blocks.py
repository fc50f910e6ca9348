"""Feature matrices of long recordings, made and written piece by piece."""

import os
import struct

import numpy as np

from sidamo.feats.window import num_frames

LONG_FRAMES = 120000  # 20 minutes at 10 ms: a longer matrix is not held in memory

SPOOL_FRAMES = 16384  # frames that are turned into columns at a time
SPOOL_BYTES = 1 << 24


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

    def blocks(self):
        """Arrays of shape (T_block, dim) that make up the matrix."""
        return self.computer.blocks(self.wave, self.warp)

    def matrix_parts(self, compressed: bool):
        """The binary form of a Kaldi matrix, part by part; compressed by columns (CM) by way of a temporary file."""
        yield b"\0B"
        if compressed:
            import tempfile

            from sidamo.io.compression import column_parts

            with tempfile.TemporaryFile() as spool:
                low, high = self.spool_columns(spool)
                yield from column_parts(*self.shape, low, high, lambda index: self.read_column(spool, index))
            return
        yield b"FM " + struct.pack("<BiBi", 4, self.shape[0], 4, self.shape[1])
        for block in self.blocks():
            yield np.ascontiguousarray(block, dtype="<f4")

    def spool_columns(self, spool):
        """Write the matrix column after column; returns its least and greatest value."""
        low, high, first, waiting = np.inf, -np.inf, 0, []
        count = 0
        for block in self.blocks():
            low, high = min(low, block.min()), max(high, block.max())
            waiting.append(block)
            count += len(block)
            if count >= SPOOL_FRAMES or first + count == self.shape[0]:
                for index, column in enumerate(np.concatenate(waiting).T):
                    os.pwrite(spool.fileno(), np.ascontiguousarray(column), 4 * (index * self.shape[0] + first))
                first, count, waiting = first + count, 0, []
        return low, high

    def read_column(self, spool, index: int) -> np.ndarray:
        """A column of the spooled matrix, shape (T,), float32."""
        size = 4 * self.shape[0]
        data = b"".join(
            os.pread(spool.fileno(), min(SPOOL_BYTES, size - begin), index * size + begin)
            for begin in range(0, size, SPOOL_BYTES)
        )
        return np.frombuffer(data, dtype=np.float32)

    def __array__(self, dtype=None, copy=None):
        import tempfile

        with tempfile.TemporaryFile() as spool:
            for block in self.blocks():
                spool.write(np.ascontiguousarray(block, dtype=np.float32))
            spool.flush()
            matrix = np.memmap(spool, dtype=np.float32, mode="r", shape=self.shape)
        return np.asarray(matrix, dtype)
