"""Utterances and batches: what the trainer eats.

Features lie in uncompressed Kaldi archives and are mapped into memory: an epoch reads each page once and copies each
frame once, into its batch. Targets are few and are held in memory. The order of batches and the random part of
augmentation depend on (seed, epoch, utterance) alone, so that a resumed run needs no random state to go on exactly.
"""

import mmap
import queue
import struct
import threading
from dataclasses import dataclass

import numpy as np

from sidamo.io.errors import DataError

MATRIX_HEADER = struct.Struct("<2s3sbibi")  # "\0B", "FM ", 4, rows, 4, columns: Kaldi's binary float32 matrix


class FeatureStore:
    """Feature matrices named by an scp file, mapped from uncompressed archives.

    Parameters
    ----------
    scp : path of `<utt> <archive>:<offset>` lines, as `copy-feats ... ark,scp:x.ark,x.scp` writes them.
        Other rxfilenames (compressed, piped, ranges) are read too, by io.tables, at the price of time and memory.

    Attributes
    ----------
    keys : list of str
    num_frames : ndarray, shape (num_utts,), int64
    dim : int, feature dimension, the same for all utterances
    """

    def __init__(self, scp):
        self.keys, self._parts, frames, dims = [], [], [], []
        self._maps = {}
        for number, line in enumerate(open(scp, encoding="utf-8"), 1):
            fields = line.split(None, 1)
            if len(fields) != 2:
                raise DataError(f"expected `<utt> <rxfilename>`, found {line!r}", file=str(scp), line=number)
            rows, cols, part = self._locate(fields[1].strip())
            self.keys.append(fields[0])
            self._parts.append(part)
            frames.append(rows)
            dims.append(cols)
        if not self.keys:
            raise DataError("no features at all", file=str(scp), mend="make features: steps/make_fbank.sh <data-dir>")
        self.num_frames = np.array(frames, dtype=np.int64)
        self.dim = dims[0]
        odd = next((i for i, d in enumerate(dims) if d != self.dim), None)
        if odd is not None:
            raise DataError(
                f"feature dimension {dims[odd]}, but {self.keys[0]} has {self.dim}", file=str(scp), key=self.keys[odd],
                mend="make all features with one configuration",
            )  # fmt: skip
        self.index = {key: i for i, key in enumerate(self.keys)}

    def _locate(self, rxfilename: str):
        """Return (rows, columns, where): `where` is (map, byte offset) or the matrix itself."""
        path, colon, offset = rxfilename.rpartition(":")
        if colon and offset.isdigit() and path:
            if path not in self._maps:
                with open(path, "rb") as file:
                    self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            memory, start = self._maps[path], int(offset)
            if start + MATRIX_HEADER.size <= len(memory):
                _, kind, _, rows, _, cols = MATRIX_HEADER.unpack_from(memory, start)
                begin = start + MATRIX_HEADER.size
                if kind == b"FM " and begin + 4 * rows * cols <= len(memory):
                    return rows, cols, (memory, begin)
        from sidamo.io import tables

        matrix = np.asarray(tables.read_object(rxfilename, "matrix"), dtype=np.float32)
        return matrix.shape[0], matrix.shape[1], matrix

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, i: int) -> np.ndarray:
        """Features of utterance i: (num_frames, dim) float32, read-only where mapped."""
        part = self._parts[i]
        if isinstance(part, np.ndarray):
            return part
        memory, begin = part
        shape = (int(self.num_frames[i]), self.dim)
        return np.frombuffer(memory, dtype="<f4", count=shape[0] * shape[1], offset=begin).reshape(shape)


class Corpus:
    """Features with their target columns: the utterances that have both and can be aligned.

    Parameters
    ----------
    feats_scp : path of an scp file of normalized features
    targets : rspecifier of int vectors of labels as in tokens.txt (units from 2; see DESIGN, contract 3)
    num_tokens : int, columns of the network: V; labels run from 1 (blank) to V
    subsampling : int, input frames per output frame

    Attributes
    ----------
    targets : list of ndarray int32, network columns (label - 1), one array per utterance
    dropped : dict from utterance to the reason why it is not trained on
    """

    def __init__(self, feats_scp, targets: str, num_tokens: int, subsampling: int):
        from sidamo.io import tables

        self.feats = FeatureStore(feats_scp)
        self.dropped, self.rows, self.targets = {}, [], []
        labels = {}
        with tables.SequentialReader(targets, "int_vector") as reader:
            for key, value in reader:
                labels[key] = np.asarray(value, dtype=np.int32)
        for i, key in enumerate(self.feats.keys):
            if key not in labels:
                self.dropped[key] = "no transcript"
                continue
            columns = labels[key] - 1
            if len(columns) and not (1 <= columns.min() and columns.max() < num_tokens):
                raise DataError(
                    f"labels from {columns.min() + 1} to {columns.max() + 1}, but units run from 2 to {num_tokens}",
                    file=targets, key=key, mend="make targets and lang directory from one tokens.txt",
                )  # fmt: skip
            needed = frames_needed(columns)
            frames = -(-int(self.feats.num_frames[i]) // subsampling)
            if frames < needed:
                self.dropped[key] = f"{frames} output frames, but its {len(columns)} tokens need {needed}"
                continue
            self.rows.append(i)
            self.targets.append(np.ascontiguousarray(columns))
        self.keys = [self.feats.keys[i] for i in self.rows]
        self.num_frames = self.feats.num_frames[self.rows]
        self.num_labels = np.array([len(t) for t in self.targets], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def check(self, name: str, max_dropped: float = 0.05) -> None:
        """Name the dropped utterances; more than `max_dropped` of them (a share) is an error."""
        from sidamo.io.log import warn

        for count, (key, why) in enumerate(self.dropped.items()):
            if count < 10:
                warn(f"{name}: not using {key}: {why}")
        total = len(self) + len(self.dropped)
        if not len(self) or len(self.dropped) > max_dropped * total:
            key, why = next(iter(self.dropped.items()), ("", "empty"))
            raise DataError(
                f"{name}: only {len(self)} of {total} utterances can be used; the first that cannot: {key}: {why}",
                mend="utils/fix_data_dir.sh <data-dir>; a smaller --subsampling where transcripts are too long",
            )


def frames_needed(columns: np.ndarray) -> int:
    """Least number of output frames for a CTC path: one per token, one blank between equal neighbours."""
    return len(columns) + int(np.count_nonzero(columns[1:] == columns[:-1]))


@dataclass(frozen=True)
class Batch:
    """A padded batch.

    Attributes
    ----------
    index : ndarray (B,), positions in the corpus
    feats : ndarray (B, T, D) float32, zero beyond each length
    lengths : ndarray (B,) int64, input frames
    targets : ndarray (sum of target lengths,) int32, columns
    target_lengths : ndarray (B,) int64
    """

    index: np.ndarray
    feats: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray
    target_lengths: np.ndarray


def make_batches(num_frames, max_frames, max_utts, seed, epoch, shuffle=True, sort=False):
    """Cut a corpus into batches of like lengths.

    Utterances are shuffled, then sorted within a window of 20 batches, so that lengths agree within a batch and yet
    the company changes every epoch; then the batches are shuffled.

    Parameters
    ----------
    num_frames : ndarray (num_utts,), input frames
    max_frames : int, most input frames a batch holds, padding included
    max_utts : int, most utterances a batch holds
    sort : bool, batches from short to long (Amodei et al. 2016, "SortaGrad"), which helps the first epoch

    Returns
    -------
    list of ndarray, positions
    """
    rng = np.random.default_rng([seed, epoch, 1])
    count = len(num_frames)
    order = rng.permutation(count) if shuffle else np.arange(count)
    if sort or not shuffle:
        order = order[np.argsort(num_frames[order], kind="stable")]
    else:
        typical = max(1, min(max_utts, int(max_frames / max(1.0, float(np.mean(num_frames))))))
        window = 20 * typical
        parts = [order[i : i + window] for i in range(0, count, window)]
        order = np.concatenate([p[np.argsort(num_frames[p], kind="stable")] for p in parts]) if parts else order
    batches, current, longest = [], [], 0
    for i in order:
        longest_with = max(longest, int(num_frames[i]))
        if current and (len(current) >= max_utts or longest_with * (len(current) + 1) > max_frames):
            batches.append(np.array(current))
            current, longest_with = [], int(num_frames[i])
        current.append(i)
        longest = longest_with
    if current:
        batches.append(np.array(current))
    if shuffle and not sort:
        batches = [batches[i] for i in rng.permutation(len(batches))]
    return batches


def collate(corpus: Corpus, index: np.ndarray, augment=None, epoch: int = 0, views: int = 1) -> Batch:
    """Assemble one batch; `augment(feats, epoch, position, view)` may change a copy of each utterance's features.

    With several views the batch holds first all utterances' first view, then all utterances' second one, and so on.
    """
    matrices = [(corpus.feats[corpus.rows[i]], int(i), view) for view in range(views) for i in index]
    matrices = [m if augment is None else augment(m, epoch, i, view) for m, i, view in matrices]
    index = np.tile(index, views)
    lengths = np.array([len(m) for m in matrices], dtype=np.int64)
    feats = np.zeros((len(index), lengths.max(), corpus.feats.dim), dtype=np.float32)
    for row, matrix in zip(feats, matrices):
        row[: len(matrix)] = matrix
    targets = [corpus.targets[i] for i in index]
    target_lengths = np.array([len(t) for t in targets], dtype=np.int64)
    flat = np.concatenate(targets) if targets else np.zeros(0, np.int32)
    return Batch(index, feats, lengths, flat.astype(np.int32, copy=False), target_lengths)


def prefetch(make, items, depth: int = 4):
    """Yield make(item) for each item in order, made by a thread that stays up to `depth` items ahead.

    An exception in the thread is raised here. Leaving the generator early stops the thread.
    """
    box: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(entry) -> bool:
        while not stop.is_set():
            try:
                box.put(entry, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def work():
        try:
            for item in items:
                if not put((make(item), None)):
                    return
            put((None, StopIteration))
        except BaseException as error:  # noqa: BLE001 - handed over to the consumer
            put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            value, error = box.get()
            if error is StopIteration:
                return
            if error is not None:
                raise error
            yield value
    finally:
        stop.set()
        thread.join()
