"""Mutated audio and archives: no crash, no hang, no silently wrong matrix. 2,000 of each suite's files and more.

What is accepted: a DataError (or another error of ours), or a result that an independent reader agrees with; where a
header was damaged and the audio read all the same, a warning.
"""

import contextlib
import io
import signal
import struct
import warnings
import wave as python_wave

import numpy as np
import pytest
from sidamo.feats.fbank import Fbank, FbankOptions
from sidamo.feats.mel import MelOptions
from sidamo.feats.window import FrameOptions, num_frames
from sidamo.io.errors import SidamoError
from sidamo.io.tables import SequentialReader, Writer
from sidamo.io.wave import Wave, read_wave, write_wave

GUARD = 10  # seconds for one file
NUM_WAVES, NUM_CODED, NUM_ARCHIVES = 1500, 200, 900


@pytest.fixture()
def guard():
    """Stops what hangs."""

    def give_up(*_):
        raise AssertionError("a mutated file took too long")

    before = signal.signal(signal.SIGALRM, give_up)

    @contextlib.contextmanager
    def limited():
        signal.setitimer(signal.ITIMER_REAL, GUARD)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    yield limited
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def mutate(rng, data: bytes, header: int) -> bytes:
    """A damaged copy: flipped bytes, cut, grown, repeated, or a header field with a nasty number."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(0, 7)
        place = int(rng.integers(0, max(1, len(data))))
        if kind == 0 and data:
            data[place] ^= 1 << rng.integers(0, 8)
        elif kind == 1:
            del data[place:]
        elif kind == 2:
            data[place:place] = rng.bytes(int(rng.integers(1, 40)))
        elif kind == 3:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            data += data[place : place + 200]
        else:
            at = int(rng.integers(0, max(1, min(len(data), header) - 4)))
            nasty = int(rng.choice([0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF]))
            data[at : at + 4] = struct.pack("<I", nasty)
    return bytes(data)


def independent(data: bytes):
    """Samples (channels, n) by Python's own wave module, or None where it reads no 16-bit PCM."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with python_wave.open(io.BytesIO(data)) as reader:
                if reader.getsampwidth() != 2:
                    return None
                frames = reader.readframes(1 << 20)
                return np.frombuffer(frames, "<i2").reshape(-1, reader.getnchannels()).T
    except Exception:
        return None


def check_features(wave, fbank):
    """As many frames as the samples give, all finite."""
    samples = wave.channel(0)[:20000]
    feats = fbank.compute(samples)
    assert len(feats) == num_frames(len(samples), fbank.frames)
    assert np.isfinite(feats).all()


def originals(golden):
    files = sorted((golden / "wavhdr" / "in").glob("*.wav"))
    return [path.read_bytes() for path in files if path.stat().st_size > 100]


def test_mutated_waves(golden, guard, capsys):
    rng = np.random.default_rng(20)
    fbank = Fbank(FbankOptions(), FrameOptions(dither=0.0, sample_frequency=8000.0), MelOptions())
    sources = originals(golden)
    read = refused = compared = 0
    for i in range(NUM_WAVES):
        data = mutate(rng, sources[i % len(sources)], 60)
        capsys.readouterr()
        with guard():
            try:
                wave = read_wave(data, f"file{i}")
            except SidamoError as error:
                assert str(error)
                refused += 1
                continue
            check_features(wave, fbank)
        read += 1
        warned = "WARNING" in capsys.readouterr().err
        expected = independent(data)
        if expected is not None and wave.data.dtype == np.int16 and not warned:
            count = min(expected.shape[1], wave.num_samples)
            # Python's reader ends at the RIFF chunk's end where that comes first; ours would have warned of such a
            # header.
            if expected.shape[0] == wave.num_channels and expected.shape[1]:
                np.testing.assert_array_equal(wave.data[:, :count], expected[:, :count], err_msg=f"file{i}")
                compared += 1
    assert read > 300 and refused > 150 and compared > 150, (read, refused, compared)


def test_mutated_coded_files(guard):
    """FLAC, OGG, MP3 and AIFF: libsndfile may refuse or decode what is left; the numbers stay finite."""
    import soundfile

    rng = np.random.default_rng(21)
    tone = (8000 * np.sin(np.arange(8000) / 9)).astype(np.int16)
    sources = []
    for kind in ("FLAC", "OGG", "MP3", "AIFF"):
        if kind in soundfile.available_formats():
            stream = io.BytesIO()
            soundfile.write(stream, tone, 8000, format=kind)
            sources.append(stream.getvalue())
    fbank = Fbank(FbankOptions(), FrameOptions(dither=0.0, sample_frequency=8000.0), MelOptions())
    for i in range(NUM_CODED):
        with guard(), contextlib.suppress(SidamoError):
            check_features(read_wave(mutate(rng, sources[i % len(sources)], 60), f"file{i}"), fbank)


def archives(folder):
    """Small archives of every kind that the front end reads: (bytes, kind, offsets at which objects end)."""
    rng = np.random.default_rng(3)
    matrices = {f"utt{i}": rng.standard_normal((9 + i, 5)).astype(np.float32) for i in range(3)}
    made = []
    for name, kind, options in (
        ("f", "matrix", {}), ("d", "matrix", {}), ("cm", "matrix", {"compression_method": 2}),
        ("cm2", "matrix", {"compression_method": 3}), ("cm3", "matrix", {"compression_method": 5}), ("t", "matrix", {}),
        ("w", "wave", {}), ("v", "vector", {}),
    ):  # fmt: skip
        path = folder / f"{name}.ark"
        with Writer(f"ark{',t' if name == 't' else ''}:{path}", kind, **options) as out:
            for key, matrix in matrices.items():
                value = matrix.astype(np.float64) if name == "d" else matrix
                if kind == "wave":
                    value = Wave(8000, (matrix[:, 0] * 1000).astype(np.int16))
                out.write(key, value[:, 0] if kind == "vector" else value)
        made.append((path.read_bytes(), kind, name))
    return made


def values_of(value):
    return value.samples if isinstance(value, Wave) else np.asarray(value)


def test_mutated_archives(tmp_path, guard):
    rng = np.random.default_rng(22)
    sources = archives(tmp_path)
    path = tmp_path / "mutated.ark"
    refused = 0
    for i in range(NUM_ARCHIVES):
        data, kind, _ = sources[i % len(sources)]
        path.write_bytes(mutate(rng, data, 40))
        with guard():
            try:
                with SequentialReader(f"ark:{path}", kind) as reader:
                    for key, value in reader:
                        assert key
                        assert values_of(value).nbytes < 1 << 20, "more numbers than the file has bytes for"
            except SidamoError as error:
                assert str(error)
                refused += 1
    assert refused > NUM_ARCHIVES // 4


def test_cut_archives_are_always_noticed(tmp_path, guard):
    """Cut anywhere within an object: an error, never fewer objects without one."""
    for data, kind, name in archives(tmp_path):
        path = tmp_path / f"cut_{name}.ark"
        for cut in range(1, len(data), max(1, len(data) // 40)):
            path.write_bytes(data[:cut])
            keys = []
            with guard():
                try:
                    with SequentialReader(f"ark:{path}", kind) as reader:
                        for key, value in reader:
                            keys.append((key, values_of(value).shape))
                except SidamoError:
                    continue
            rebuilt = tmp_path / "whole.ark"
            rebuilt.write_bytes(data)
            with SequentialReader(f"ark:{rebuilt}", kind) as reader:
                whole = [(key, values_of(value).shape) for key, value in reader]
            if kind != "wave":  # a wave in an archive may end early with a warning, as Kaldi has it
                assert keys == whole[: len(keys)] and data[:cut].count(b"utt") == len(keys), (name, cut)


def test_sizes_that_cannot_be(tmp_path, guard):
    """Headers that promise gigabytes: an error at once, not an allocation."""
    huge = struct.pack("<BiBi", 4, 2**30, 4, 1000)
    for body in (
        b"\0BFM " + huge,
        b"\0BDM " + huge,
        b"\0BCM " + struct.pack("<ffii", 0, 1, 2**30, 100),
        b"\0BFM \4\xff\xff\xff\xff\4\1\0\0\0",
    ):
        path = tmp_path / "huge.ark"
        path.write_bytes(b"utt " + body + bytes(50))
        with guard(), pytest.raises(SidamoError):
            list(SequentialReader(f"ark:{path}", "matrix"))
    stream = io.BytesIO()
    write_wave(stream, Wave(8000, np.zeros(100, np.int16)))
    data = bytearray(stream.getvalue())
    data[40:44] = struct.pack("<I", 0x7FFFFFF0)
    with guard():
        assert read_wave(bytes(data)).num_samples == 100
