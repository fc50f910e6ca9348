"""How fast tables are read and written: ours against kaldiio, on the same matrices in the same folder.

One thread; each pair of runs alternates, the median of five is printed, so is the ratio kaldiio's time / our time.
600 matrices of 300 x 80 (half an hour of 80-dimensional features at 100 frames a second), 58 MB.

Example: python tests/bench/tables.py
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402

import kaldiio  # noqa: E402
import numpy as np  # noqa: E402
from sidamo.io.tables import SequentialReader, Writer  # noqa: E402

COUNT, ROWS, COLUMNS = 600, 300, 80
SECONDS = COUNT * ROWS * 0.01  # of audio


def seconds(function):
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def report(name, ours, theirs):
    """Alternates five runs of each and prints the medians and their ratio."""
    times = [(seconds(ours), seconds(theirs)) for _ in range(5)]
    ours, theirs = (statistics.median(column) for column in zip(*times))
    size = COUNT * ROWS * COLUMNS * 4
    print(
        f"{name:28} sidamo {size / ours / 1e9:6.2f} GB/s ({SECONDS / ours:8.0f} x real time)   "
        f"kaldiio {size / theirs / 1e9:6.2f} GB/s   ratio {theirs / ours:5.1f}"
    )


def write(matrices, method=None):
    """Writes our.ark and our.scp."""
    options = {} if method is None else {"compression_method": method}
    with Writer("ark,scp:our.ark,our.scp", "matrix", **options) as writer:
        for key, matrix in matrices.items():
            writer.write(key, matrix)


def read(rspecifier):
    """Reads all of a table."""
    for _ in SequentialReader(rspecifier, "matrix"):
        pass


def main():
    """Prints one line per way of reading and writing."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    matrices = {f"utt{i:05d}": rng.standard_normal((ROWS, COLUMNS)).astype(np.float32) * 3 for i in range(COUNT)}
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        os.chdir(folder)
        for method, name in ((None, "float"), (2, "compressed, speech (CM)"), (3, "compressed, 2 bytes (CM2)")):
            kaldi_method = {} if method is None else {"compression_method": method}
            report(
                f"write {name}",
                lambda method=method: write(matrices, method),
                lambda options=kaldi_method: kaldiio.save_ark("their.ark", matrices, scp="their.scp", **options),
            )
            report(f"read {name}", lambda: read("ark:our.ark"), lambda: list(map(len, kaldiio.load_ark("our.ark"))))
            if method is None:
                report("read float by script", lambda: read("scp:our.scp"),
                       lambda: [m for m in kaldiio.load_scp_sequential("our.scp")])  # fmt: skip
        os.chdir("/")


if __name__ == "__main__":
    main()
