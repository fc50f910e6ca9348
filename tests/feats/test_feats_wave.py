"""Waves as they come in the field, against what Kaldi does with the same bytes and what soundfile writes."""

import io
import json
import struct

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.wave import Wave, read_wave, wave_header, wave_info, write_wave

# Kaldi gives up on these although the samples can be read (issue: what can be read is read).
READ_HERE = {"bad_align", "bad_byterate", "bits24", "bits8", "float32", "mulaw", "odd_list_chunk_padded"}
DAMAGED = {"bad_align": "block alignment 4", "bad_byterate": "byte rate 15999", "truncated": "truncated file",
           "fact_chunk8": "fact chunk", "riff_size_off9": "promises 845", "float32": "int16-scale"}  # fmt: skip


def wav(samples, rate=16000):
    stream = io.BytesIO()
    write_wave(stream, Wave(rate, np.asarray(samples)))
    return stream.getvalue()


def golden_headers(golden):
    return json.loads((golden / "wavhdr" / "results.json").read_text())


def test_headers_that_kaldi_reads(golden):
    """Number and sum of samples, and the header that a copy gets."""
    for name, expected in golden_headers(golden).items():
        if expected["rc"]:
            continue
        wave = read_wave(golden / "wavhdr" / "in" / f"{name}.wav", name)
        assert (wave.num_samples, int(wave.data.sum())) == (expected["n_samples"], expected["sum"]), name
        copied = wav(wave.data, wave.rate)[:44].hex()
        assert copied == expected["copied_riff_header_hex"], name


def test_headers_that_kaldi_refuses(golden):
    """Read where there is audio, refused with a reason where there is none."""
    plain = read_wave(golden / "wavhdr" / "in" / "plain.wav").data
    for name, expected in golden_headers(golden).items():
        if not expected["rc"]:
            continue
        path = golden / "wavhdr" / "in" / f"{name}.wav"
        if name not in READ_HERE:
            with pytest.raises(DataError, match=name):
                read_wave(path, f"{name}.wav")
            continue
        wave = read_wave(path, name)
        assert wave.num_samples == 400, name
        if name in ("bad_align", "bad_byterate", "odd_list_chunk_padded", "float32"):
            np.testing.assert_array_equal(wave.samples[0], plain[0])


@pytest.mark.parametrize("name", sorted(DAMAGED))
def test_damage_is_warned_of_by_name(golden, name, capsys):
    read_wave(golden / "wavhdr" / "in" / f"{name}.wav", f"utt-{name}")
    text = capsys.readouterr().err
    assert f"utt-{name}" in text and DAMAGED[name] in text


def test_messages_of_what_is_not_audio(tmp_path):
    for data, words in (
        (b"", "no wave header"), (b"RIFF", "RIFF size"), (b"hello world, this is text", "not audio"),
        (b"RIFF" + struct.pack("<I", 100) + b"AVI LIST", "not a wave file"),
        (wav(np.zeros(10, np.int16))[:30], "fmt chunk"), (wav(np.zeros(10, np.int16))[:44], "without samples"),
        (wav(np.zeros(10, np.int16))[:45], "less than one sample"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=words):
            read_wave(data, "u1")


@pytest.mark.parametrize("subtype,tolerance", [("PCM_U8", 256), ("PCM_16", 0), ("PCM_24", 1), ("PCM_32", 1),
                                               ("FLOAT", 1), ("DOUBLE", 1), ("ULAW", 900), ("ALAW", 900)])  # fmt: skip
def test_sample_formats(tmp_path, subtype, tolerance):
    """soundfile writes, the own parser reads, in int16 scale."""
    import soundfile

    samples = (8000 * np.sin(np.arange(3000) / 7)).astype(np.int16)
    stereo = np.stack((samples, samples[::-1]))
    soundfile.write(tmp_path / "x.wav", stereo.T / 32768, 16000, subtype=subtype)
    wave = read_wave(tmp_path / "x.wav")
    assert wave.rate == 16000 and wave.samples.shape == stereo.shape
    assert np.abs(wave.samples - stereo).max() <= tolerance


@pytest.mark.parametrize("container", ["FLAC", "OGG", "MP3", "AIFF", "RF64", "W64", "CAF", "AU"])
def test_other_containers(tmp_path, container):
    import soundfile

    if container not in soundfile.available_formats():
        pytest.skip(f"this libsndfile knows no {container}")
    samples = (8000 * np.sin(np.arange(16000) / 20)).astype(np.int16)
    path = tmp_path / f"x.{container.lower()}"
    soundfile.write(path, samples, 16000, format=container)
    wave = read_wave(path)
    assert wave.rate == 16000
    lossy = container in ("OGG", "MP3")
    assert abs(wave.num_samples - 16000) <= (3000 if lossy else 0)
    if not lossy:
        np.testing.assert_allclose(wave.samples[0], samples, atol=1)


def test_float_files_that_are_not_finite():
    data = np.array([0.1, np.nan, 0.2], np.float32).tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + 12, b"WAVE", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32, b"data", 12)
    with pytest.raises(DataError, match="sample 1 of the float wave is nan"):
        read_wave(header + data)


def test_long_files_are_read_in_pieces(tmp_path, monkeypatch):
    """The same samples as reading at once; a file cut while it is read is an error."""
    from sidamo.io import wave as module

    rng = np.random.default_rng(0)
    stereo = rng.integers(-3000, 3000, (2, 5000)).astype(np.int16)
    path = tmp_path / "x.wav"
    path.write_bytes(wav(stereo))
    whole = read_wave(path)
    monkeypatch.setattr(module, "LONG_BYTES", 1000)
    long = read_wave(path)
    assert isinstance(long, module.FileWave) and long.duration == whole.duration
    np.testing.assert_array_equal(long.channel(1)[17:999], stereo[1, 17:999])
    np.testing.assert_array_equal(np.asarray(long.channel(0)), stereo[0])
    np.testing.assert_array_equal(long.data, whole.data)
    again = read_wave(path)
    path.write_bytes(wav(stereo)[:2000])
    with pytest.raises(DataError, match="shorter"):
        again.channel(0)[4000:5000]


def test_info_without_reading(tmp_path, golden):
    path = tmp_path / "x.wav"
    path.write_bytes(wav(np.zeros((2, 800), np.int16), 8000))
    assert wave_info(path) == (8000.0, 2, 800)
    assert wave_info(golden / "wavhdr" / "in" / "truncated.wav")[2] == 349
    assert wave_info(golden / "wavhdr" / "in" / "streaming_sox.wav")[2] == 400


def test_writing_clips_and_truncates(capsys):
    wave = read_wave(wav(np.array([1.9, -1.9, 40000.0, -40000.0], np.float32)))
    np.testing.assert_array_equal(wave.data[0], [1, -1, 32767, -32768])
    assert "clipped 2 of 4" in capsys.readouterr().err
    assert wave_header(1, 1 << 33, 16000)[40:] == struct.pack("<I", 0xFFFFFFFF - 36)


def test_waves_in_archives(tmp_path):
    """Waves follow each other in an archive; FLAC in one is refused, for nobody knows where it ends."""
    from sidamo.io.tables import SequentialReader, Writer

    with Writer(f"ark,scp:{tmp_path}/w.ark,{tmp_path}/w.scp", "wave") as out:
        for i in range(3):
            out.write(f"u{i}", Wave(8000, np.full(10 + i, i, np.int16)))
    for rspecifier in (f"ark:{tmp_path}/w.ark", f"scp:{tmp_path}/w.scp"):
        with SequentialReader(rspecifier, "wave") as reader:
            found = [(key, wave.data[0].tolist()) for key, wave in reader]
        assert found == [(f"u{i}", [i] * (10 + i)) for i in range(3)]
    (tmp_path / "bad.ark").write_bytes(b"u1 fLaC" + bytes(100))
    with pytest.raises(DataError, match="u1.*expected a RIFF wave"):
        list(SequentialReader(f"ark:{tmp_path}/bad.ark", "wave"))
