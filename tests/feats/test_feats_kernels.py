"""The compiled kernels against the numpy reference, and the pieces of the transform against numpy's."""

import numpy as np
import pytest
from sidamo.feats import fast, kernels
from sidamo.feats.fbank import Fbank, FbankOptions
from sidamo.feats.mel import MelOptions
from sidamo.feats.mfcc import Mfcc, MfccOptions
from sidamo.feats.plp import Plp, PlpOptions
from sidamo.feats.window import FrameOptions, dithered

FRAMES = [
    {}, {"sample_frequency": 8000.0}, {"frame_length": 32.0, "frame_shift": 12.5}, {"snip_edges": False},
    {"remove_dc_offset": False}, {"preemphasis_coefficient": 0.0}, {"window_type": "hamming", "frame_length": 20.0},
    {"sample_frequency": 22050.0}, {"sample_frequency": 11025.0, "frame_shift": 5.0},
    {"sample_frequency": 44100.0}, {"frame_shift": 40.0}, {"dither": 1.0},
]  # fmt: skip


def speech(rng, n):
    tone = np.sin(np.arange(n) / 9 + 3 * np.sin(np.arange(n) / 800))
    return (3000 * tone + 300 * rng.standard_normal(n)).astype(np.int16)


@pytest.mark.parametrize("options", FRAMES, ids=str)
def test_kernels_equal_reference(options):
    frames = FrameOptions(**{"dither": 0.0, **options})
    rng = np.random.default_rng(1)
    for n in (frames.window_size, 3000, 20011):
        wave = dithered(speech(rng, n), frames, 5, "utt")
        for make in (
            lambda: Fbank(FbankOptions(use_energy=True), frames, MelOptions(num_mel_bins=40)),
            lambda: Fbank(FbankOptions(use_power=False, use_log_fbank=False), frames, MelOptions()),
            lambda: Mfcc(MfccOptions(), frames, MelOptions()),
            lambda: Plp(PlpOptions(), frames, MelOptions()),
        ):
            reference, compiled = make(), make()
            assert compiled.accelerate(), "the kernels do not compile here"
            expected, found = reference.compute(wave), compiled.compute(wave)
            assert found.shape == expected.shape
            np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-3)
            assert np.abs(found - expected).mean() < 2e-5 * max(1.0, np.abs(expected).mean())


def test_silence_and_constant_are_exact():
    """DC minus its mean is exactly 0, its log energy exactly the floor, on both ways."""
    frames = FrameOptions(dither=0.0)
    for level in (0, 1000, -32768):
        wave = np.full(16000, level, np.int16)
        for compiled in (False, True):
            fbank = Fbank(FbankOptions(use_energy=True), frames, MelOptions())
            assert not compiled or fbank.accelerate()
            np.testing.assert_array_equal(fbank.compute(wave), np.log(np.float32(1.1920929e-07)))


def test_warp_and_many_banks():
    frames = FrameOptions(dither=0.0)
    reference, compiled = (Fbank(FbankOptions(), frames, MelOptions()) for _ in range(2))
    assert compiled.accelerate()
    wave = speech(np.random.default_rng(2), 9000)
    for warp in (0.9, 1.0, 1.1, 0.9):
        np.testing.assert_allclose(compiled.compute(wave, warp), reference.compute(wave, warp), atol=2e-3)


@pytest.mark.parametrize("n", [8, 16, 32, 128])
def test_plain_python_kernels(n, monkeypatch):
    """The kernels' own source, uncompiled, on few lanes: the transform and the power spectrum are numpy's."""
    monkeypatch.setattr(kernels, "LANES", 3)
    rng = np.random.default_rng(n)
    frames = rng.standard_normal((3, 2 * n)).astype(np.float32)
    re, im = np.ascontiguousarray(frames[:, 0::2].T), np.ascontiguousarray(frames[:, 1::2].T)
    kernels.fourier_lanes.py_func(re, im, fast.unit_roots(n, n))
    order = fast.digit_reversal(n)
    np.testing.assert_allclose((re + 1j * im)[order], np.fft.fft(frames[:, 0::2] + 1j * frames[:, 1::2], axis=1).T, atol=1e-4)
    first, last = np.arange(n), np.arange(n) + 1  # a "mel bank" that picks the bins one by one
    mel, power, out = np.empty((n, 3), np.float32), np.empty((n, 3), np.float32), np.empty((3, n), np.float32)
    roots = fast.unit_roots(n // 2 + 1, 2 * n)
    kernels.lanes_to_mel.py_func(re, im, order, roots, True, first, last, np.ones(n, np.float32), mel, power, out)
    np.testing.assert_allclose(out, np.abs(np.fft.rfft(frames, axis=1)[:, :n]) ** 2, rtol=1e-3, atol=1e-4)


def test_without_compiler_numpy_does_the_work(monkeypatch):
    monkeypatch.setattr(kernels.frame_means, "bind", lambda *_: (_ for _ in ()).throw(ImportError("no numba")))
    fbank = Fbank(FbankOptions(), FrameOptions(dither=0.0), MelOptions())
    assert fbank.accelerate() is False
    assert fbank.compute(np.zeros(800, np.int16)).shape == (3, 23)


def test_unusual_lengths_are_left_to_numpy():
    for options in ({"round_to_power_of_two": False}, {"frame_length": 0.5}):
        assert not fast.can_serve(FrameOptions(dither=0.0, **options))
