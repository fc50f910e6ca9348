"""Wave files: reading what the field produces, writing what Kaldi reads.

RIFF and RIFX with 8, 16, 24, 32-bit integers or 32, 64-bit floats are parsed here (no import but numpy); every other
container or coding (FLAC, OGG, MP3, AIFF, A-law, RF64, ...) goes to soundfile, imported only then.
Samples keep the int16 scale of Kaldi: full scale is 32768, not 1.

Rules taken from Kaldi (src/feat/wave-reader.cc, as its binary behaves on the golden headers): a size of 0, 0xFFFFFFFF
or 0x7FFFF000 means "until the end of the stream"; data shorter than promised is read with a warning; a data chunk that
is no whole number of samples loses its last bytes. Where Kaldi gives up although the audio can be read (wrong byte
rate or block alignment, a pad byte after an odd chunk, other sample formats), it is read, damage with a warning.
"""

import io
import os
import stat
import struct

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.log import warn

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
STREAM_SIZES = (0, 0xFFFFFFFF, 0x7FFFF000)  # data sizes that writers to a pipe put down before they know better
DECODE_BLOCK = 1 << 20  # samples that soundfile decodes at a time
BLOCK = 1 << 20  # bytes read at a time from a stream of unknown length
LONG_BYTES = 64 << 20  # half an hour at 16 kHz: longer files are read piece by piece
FLOAT_PEAK_LIMIT = 32.0  # 30 dB over full scale: such a float file holds int16-scale numbers
FLOAT_ABSURD = 1e6  # 30 dB over full scale in int16 scale: such a float file is damaged


class Wave:
    """A waveform in memory.

    Attributes
    ----------
    rate : float
        Samples per second.
    data : ndarray, shape (num_channels, num_samples), int16 or float32
        Int16 scale; kept as stored where the file was 16-bit, so that reading costs no conversion.
    """

    __slots__ = ("rate", "data")

    def __init__(self, rate: float, samples: np.ndarray):
        samples = np.asarray(samples)
        if samples.ndim == 1:
            samples = samples[np.newaxis]
        if samples.dtype != np.int16:
            samples = samples.astype(np.float32, copy=False)
        self.rate = rate
        self.data = samples

    @property
    def samples(self) -> np.ndarray:
        """ndarray, shape (num_channels, num_samples), float32, int16 scale."""
        return np.ascontiguousarray(self.data, dtype=np.float32)

    @property
    def num_channels(self) -> int:
        return self.data.shape[0]

    @property
    def num_samples(self) -> int:
        return self.data.shape[1]

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.data.shape[1] / self.rate

    def channel(self, index: int) -> np.ndarray:
        """One channel, shape (num_samples,), contiguous, int16 or float32 in int16 scale."""
        return np.ascontiguousarray(self.data[index])


class FileChannel:
    """One channel of a long recording, read from the disk where it is asked for: `channel[begin:end]`, int16.

    So a recording of any length is worked on in flat memory; `numpy.asarray(channel)` reads it as a whole.
    """

    dtype = np.dtype(np.int16)
    ndim = 1

    def __init__(self, file, offset: int, num_channels: int, num_samples: int, index: int):
        self.file, self.offset, self.num_channels, self.index = file, offset, num_channels, index
        self.shape = (num_samples,)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> np.ndarray:
        begin, end, step = part.indices(len(self))
        align = 2 * self.num_channels
        data = os.pread(self.file.fileno(), max(0, end - begin) * align, self.offset + begin * align)
        if len(data) < max(0, end - begin) * align:
            raise DataError("the file became shorter while it was read", file=self.file.name)
        return np.frombuffer(data, dtype="<i2")[self.index :: self.num_channels][::step]

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)


class FileWave(Wave):
    """A long 16-bit wave in a plain file: `channel` reads on demand, `data` everything at once."""

    __slots__ = ("_channels", "_data")

    def __init__(self, rate: float, file, offset: int, num_channels: int, num_samples: int):
        self.rate = rate
        self._channels = [FileChannel(file, offset, num_channels, num_samples, index) for index in range(num_channels)]
        self._data = None

    @property
    def data(self) -> np.ndarray:
        if self._data is None:
            self._data = np.stack([np.asarray(channel) for channel in self._channels])
        return self._data

    @property
    def num_channels(self) -> int:
        return len(self._channels)

    @property
    def num_samples(self) -> int:
        return len(self._channels[0])

    @property
    def duration(self) -> float:
        return self.num_samples / self.rate

    def channel(self, index: int):
        return self._channels[index]


class _Header:
    """What the chunks before the samples say. data_bytes is None where the stream is to be read to its end."""

    __slots__ = ("big_endian", "format", "channels", "rate", "bits", "data_bytes")

    @property
    def block_align(self) -> int:
        return self.channels * self.bits // 8


def read_wave(source, name: str = "wave") -> Wave:
    """Read one wave from a file name, bytes, or an open binary stream.

    Parameters
    ----------
    source : str, path, bytes or binary file object
    name : str
        What messages call it: the utterance or the file.

    Returns
    -------
    Wave

    Raises
    ------
    DataError
        Not audio, no samples, an impossible header, or samples that are not finite.
    """
    try:
        if isinstance(source, (str, os.PathLike)):
            with open(source, "rb") as stream:
                return read_stream(stream, name)
        if isinstance(source, (bytes, bytearray, memoryview)):
            source = io.BytesIO(source)
        return read_stream(source, name)
    except DataError as error:
        raise error.locate(file=name) from None


def read_stream(stream, name: str = "wave", in_archive: bool = False) -> Wave:
    """As read_wave, from a stream as it stands, and not past the samples where their number is known.

    With `in_archive` further objects follow, so only RIFF waves can be read. The errors do not say where: the caller
    does.
    """
    magic = stream.read(4)
    if magic not in (b"RIFF", b"RIFX"):
        if in_archive:
            raise DataError(f"expected a RIFF wave in the archive, found {magic!r}")
        return _read_with_soundfile(stream, magic)
    seen = [magic]
    header = _read_header(stream, magic, name, seen)
    if header is None:  # a coding that is not parsed here
        if in_archive:
            raise DataError("the archive holds a wave that is neither PCM nor float")
        return _read_with_soundfile(stream, b"".join(seen))
    if header.bits == 16 and not in_archive and _is_long_file(stream, header):
        return _long_file(stream, header, name)
    return _decode(_read_samples(stream, header, name), header, name)


def _is_long_file(stream, header) -> bool:
    """Whether the samples lie in a plain file and are too many to be read at once."""
    try:
        size = os.fstat(stream.raw.fileno())
        return (
            header.format == PCM and not header.big_endian and isinstance(stream.raw.name, str) and size.st_size -
            stream.tell() > LONG_BYTES and stat.S_ISREG(size.st_mode)
        )  # fmt: skip
    except (AttributeError, OSError, ValueError):  # a pipe, gzip, bytes in memory
        return False


def _long_file(stream, header, name: str):
    """A FileWave for the rest of the stream's file, as far as the header promises samples."""
    offset = stream.tell()
    file = open(stream.raw.name, "rb", buffering=0)  # noqa: SIM115 (it lives as long as the wave)
    there = os.fstat(file.fileno()).st_size - offset
    promised = header.data_bytes
    if promised is not None and there < promised:
        warn(f"{name}: the header promises {promised} bytes of samples, {there} are there (truncated file?)")
    count = (there if promised is None else min(there, promised)) // header.block_align
    if count == 0:
        raise DataError("empty file: a header without samples")
    return FileWave(float(header.rate), file, offset, header.channels, count)


def _take(stream, count: int, name: str, what: str, seen: list) -> bytes:
    """Read exactly `count` header bytes or say which part is missing."""
    data = stream.read(count)
    if len(data) < count:
        raise DataError(f"the file ends inside the wave header: no {what}",
                        mend="convert it again, or take the utterance out: utils/fix_data_dir.sh")  # fmt: skip
    seen.append(data)
    return data


def _read_header(stream, magic: bytes, name: str, seen: list):
    """Parse chunks up to the samples. Returns a _Header, or None for a coding that soundfile has to decode."""
    order = ">" if magic == b"RIFX" else "<"
    (riff_size,) = struct.unpack(order + "I", _take(stream, 4, name, "RIFF size", seen))
    form = _take(stream, 4, name, "WAVE tag", seen)
    if form != b"WAVE":
        raise DataError(f"expected WAVE, got {form!r}: not a wave file")
    header = None
    position = 4  # bytes of the RIFF chunk read so far
    odd = False
    while True:
        tag = _read_tag(stream, name, odd, seen)
        (size,) = struct.unpack(order + "I", _take(stream, 4, name, "chunk size", seen))
        position += 8
        if tag == b"data":
            break
        if tag == b"fmt ":
            header = _parse_format(_take(stream, size, name, "fmt chunk", seen), order, name)
            if header is None:
                return None
        else:
            if tag == b"fact" and size != 4:
                warn(f"{name}: the fact chunk has {size} bytes instead of 4")
            _skip(stream, size, name, tag)
        position += size
        odd = size % 2 == 1
    if header is None:
        raise DataError("the data chunk comes before any fmt chunk")
    streamed = riff_size in (0, 0xFFFFFFFF) or size in STREAM_SIZES
    header.data_bytes = None if streamed else size
    if not streamed and abs(position + size - riff_size) > 1:
        warn(f"{name}: the RIFF header promises {riff_size} bytes, its first data chunk ends at {position + size}"
             " (only one data chunk is read)")  # fmt: skip
    return header


def _read_tag(stream, name: str, after_odd: bool, seen: list) -> bytes:
    """Next chunk's tag; after a chunk of odd size a pad byte may or may not come first (Kaldi expects none)."""
    tag = _take(stream, 4, name, "data chunk", seen)
    if after_odd and (not 32 <= tag[0] < 127 or tag[1:] == b"dat"):
        tag = tag[1:] + _take(stream, 1, name, "data chunk", seen)
    return tag


def _skip(stream, size: int, name: str, tag: bytes):
    """Pass over a chunk in bounded memory; a size beyond the file is a damaged header."""
    left = size
    while left:
        piece = len(stream.read(min(left, BLOCK)))
        if piece == 0:
            raise DataError(f"chunk {tag!r} promises {size} bytes, {left} of them are missing, no data chunk")
        left -= piece


def _parse_format(chunk: bytes, order: str, name: str):
    """fmt chunk to a _Header, checked. None where the coding is neither PCM nor IEEE float."""
    if len(chunk) < 16:
        raise DataError(f"the fmt chunk has {len(chunk)} bytes, at least 16 are expected")
    code, channels, rate, byte_rate, align, bits = struct.unpack(order + "HHIIHH", chunk[:16])
    if code == EXTENSIBLE:
        if len(chunk) < 40:
            raise DataError(f"the extensible fmt chunk has {len(chunk)} bytes, 40 are expected")
        (code,) = struct.unpack(order + "H", chunk[24:26])
    if code not in (PCM, FLOAT):
        return None
    if channels == 0:
        raise DataError("the header says that there are no channels")
    if rate == 0:
        raise DataError("the header says that the sample rate is 0")
    if bits not in ((8, 16, 24, 32) if code == PCM else (32, 64)):
        raise DataError(f"unsupported bits per sample: {bits} for {'PCM' if code == PCM else 'float'}")
    header = _Header()
    header.big_endian, header.format, header.channels = order == ">", code, channels
    header.rate, header.bits, header.data_bytes = rate, bits, None
    if align != header.block_align:
        warn(f"{name}: block alignment {align} in the header, {channels} channels of {bits} bits make"
             f" {header.block_align}; the latter is taken")  # fmt: skip
    if byte_rate != rate * header.block_align:
        warn(f"{name}: byte rate {byte_rate} in the header, {rate} samples of {header.block_align} bytes make"
             f" {rate * header.block_align}; ignored")  # fmt: skip
    return header


def _read_samples(stream, header: _Header, name: str) -> bytes:
    """The bytes of the data chunk, whole samples only, without trusting the header with memory."""
    promised = header.data_bytes
    if promised is None:
        data = stream.read()
    elif promised <= 64 * BLOCK:
        data = stream.read(promised)
    else:
        pieces = []
        left = promised
        while left:
            piece = stream.read(min(left, 16 * BLOCK))
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
    if not data:
        raise DataError("empty file: a header without samples")
    if promised is not None and len(data) < promised:
        warn(f"{name}: the header promises {promised} bytes of samples, {len(data)} are there (truncated file?)")
    whole = len(data) - len(data) % header.block_align
    if whole == 0:
        raise DataError(f"{len(data)} bytes of samples are less than one sample of {header.block_align}")
    return data if whole == len(data) else data[:whole]


def _decode(data: bytes, header: _Header, name: str) -> Wave:
    """Bytes to a Wave in int16 scale."""
    order = ">" if header.big_endian else "<"
    bits = header.bits
    if header.format == FLOAT:
        values = _scale_floats(np.frombuffer(data, dtype=f"{order}f{bits // 8}"), name)
    elif bits == 16:
        values = np.frombuffer(data, dtype=order + "i2")
        if header.big_endian:
            values = values.astype(np.int16)
    elif bits == 8:
        values = (np.frombuffer(data, dtype=np.uint8).astype(np.float32) - 128.0) * 256.0
    elif bits == 32:
        values = (np.frombuffer(data, dtype=order + "i4") / 65536.0).astype(np.float32)
    else:
        octets = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        if header.big_endian:
            octets = octets[:, ::-1]
        wide = np.zeros((len(octets), 4), dtype=np.uint8)  # little endian, value in the upper 24 bits
        wide[:, 1:] = octets
        values = (wide.view("<i4")[:, 0] / 65536.0).astype(np.float32)
    return Wave(float(header.rate), values.reshape(-1, header.channels).T)


def _scale_floats(values: np.ndarray, name: str) -> np.ndarray:
    """Float samples to int16 scale: full scale is 1, unless the peak shows that they were in int16 scale already."""
    values = values.astype(np.float32)
    peak = float(np.abs(values).max()) if len(values) else 0.0
    if not np.isfinite(peak):
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"sample {bad} of the float wave is {values[bad]}")
    if peak > FLOAT_ABSURD:
        raise DataError(f"float samples reach {peak:g} where full scale is 1: the file is damaged")
    if peak > FLOAT_PEAK_LIMIT:
        warn(f"{name}: float samples reach {peak:g} where full scale is 1; they are taken as int16-scale values")
        return values
    return values * np.float32(32768.0)


def _read_with_soundfile(stream, already: bytes) -> Wave:
    """Everything that is not plain RIFF: FLAC, OGG/Opus, MP3, AIFF, A-law, mu-law, RF64, ..."""
    rest = stream.read()
    if not already and not rest:
        raise DataError("empty file: no wave header",
                        mend="look at the command or file in wav.scp; a pipe that fails gives no bytes")  # fmt: skip
    import soundfile

    try:
        # Block by block: a damaged header may promise terabytes.
        with soundfile.SoundFile(io.BytesIO(already + rest)) as file:
            rate, blocks = file.samplerate, []
            while not blocks or len(blocks[-1]) == DECODE_BLOCK:
                blocks.append(file.read(DECODE_BLOCK, dtype="float32", always_2d=True))
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        raise DataError(f"not audio: it begins {(already + rest)[:12]!r}, which is neither RIFF nor a format that"
                        f" soundfile reads ({error})") from None  # fmt: skip
    values = np.concatenate(blocks)
    if len(values) == 0:
        raise DataError("empty file: a header without samples")
    if not np.isfinite(values).all() or np.abs(values).max() > FLOAT_PEAK_LIMIT:
        raise DataError("the audio holds samples that are not finite, or far beyond full scale: the file is damaged")
    return Wave(float(rate), (values * np.float32(32768.0)).T)


def wave_header(num_channels: int, num_samples: int, rate: float) -> bytes:
    """The 44 bytes that Kaldi writes before 16-bit samples."""
    size = num_samples * num_channels * 2
    if size + 36 > 0xFFFFFFFF:  # as a stream: readers take everything that follows
        size = 0xFFFFFFFF - 36
    rate = int(rate)
    return struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, PCM, num_channels, rate,
                       rate * num_channels * 2, num_channels * 2, 16, b"data", size)  # fmt: skip


def to_int16(samples: np.ndarray, name: str = "wave") -> np.ndarray:
    """Float samples in int16 scale to int16, towards zero as in Kaldi; what does not fit is clipped with a warning."""
    if samples.dtype == np.int16:
        return samples
    clipped = int(np.count_nonzero((samples >= 32768.0) | (samples <= -32769.0)))
    if clipped:
        warn(f"{name}: clipped {clipped} of {samples.size} samples")
    return np.trunc(np.clip(samples, -32768.0, 32767.0)).astype(np.int16)


def write_wave(stream, wave: Wave, name: str = "wave"):
    """Write `wave` as 16-bit PCM to an open binary stream."""
    values = to_int16(wave.data, name)
    stream.write(wave_header(wave.num_channels, wave.num_samples, wave.rate))
    stream.write(np.ascontiguousarray(values.T).astype("<i2", copy=False).tobytes())


def wave_info(source, name: str = "wave"):
    """Rate, channels and number of samples of a wave file from its header and size, without reading the samples.

    Returns
    -------
    tuple (rate, num_channels, num_samples), or None where only reading the whole thing can tell
    """
    with open(source, "rb") as stream:
        magic = stream.read(4)
        if magic not in (b"RIFF", b"RIFX"):
            return None
        header = _read_header(stream, magic, name, [])
        if header is None:
            return None
        there = os.fstat(stream.fileno()).st_size - stream.tell()
        size = there if header.data_bytes is None else min(there, header.data_bytes)
        return float(header.rate), header.channels, size // header.block_align
