"""Closed forms and brute force for the pieces of the front end."""

import numpy as np
import pytest
from sidamo.feats import cmvn, functions, pitch, reverb
from sidamo.feats.fbank import Fbank, FbankOptions
from sidamo.feats.mel import MelOptions, mel_banks, mel_scale, warp_frequency
from sidamo.feats.mfcc import dct_matrix, lifter
from sidamo.feats.perturb import change_speed, change_volume
from sidamo.feats.plp import durbin, lpc_to_cepstrum
from sidamo.feats.random import GlibcRandom
from sidamo.feats.resample import Resampler, resample
from sidamo.feats.window import (
    DitheredWave,
    FrameOptions,
    check_rate,
    dithered,
    first_sample,
    frame_block,
    num_frames,
    window_function,
)
from sidamo.io.errors import CheckFailed, DataError, OptionError


def test_frames_counted_by_hand():
    snip, reflect = FrameOptions(dither=0.0), FrameOptions(dither=0.0, snip_edges=False)
    assert (snip.window_size, snip.window_shift, snip.padded_size) == (400, 160, 512)
    assert [num_frames(n, snip) for n in (0, 399, 400, 559, 560)] == [0, 0, 1, 1, 2]
    assert [num_frames(n, reflect) for n in (0, 79, 80, 239, 240)] == [0, 0, 1, 1, 2]
    assert first_sample(0, reflect) == -120


def test_reflection_again_and_again():
    """100 samples under a window of 400: ... 1 0 | 0 1 .. 99 | 99 98 .. 0 | 0 1 ..."""
    opts = FrameOptions(dither=0.0, snip_edges=False)
    wave = np.arange(100, dtype=np.int16)
    period = np.concatenate((wave, wave[::-1]))
    expected = [period[i % 200] for i in range(-120, 280)]
    np.testing.assert_array_equal(frame_block(wave, opts, 0, 1)[0], expected)


def test_windows():
    for kind, middle in (
        ("hanning", 1.0),
        ("hamming", 1.0),
        ("povey", 1.0),
        ("rectangular", 1.0),
        ("sine", 1.0),
        ("blackman", 1.0),
    ):
        window = window_function(FrameOptions(dither=0.0, window_type=kind, frame_length=401 / 16))
        assert len(window) == 401 and window[200] == pytest.approx(middle, abs=1e-3)
        np.testing.assert_allclose(window, window[::-1], atol=1e-6)


def test_mel_bank_by_hand():
    assert mel_scale(700.0) == pytest.approx(1127 * np.log(2))
    weights, centers = mel_banks(MelOptions(num_mel_bins=23), FrameOptions(dither=0.0))
    assert weights.shape == (23, 256) and (weights >= 0).all() and (weights <= 1).all()
    # Between the first and the last centre, neighbouring triangles add up to one.
    inside = slice(int(centers[0] / 31.25) + 1, int(centers[-1] / 31.25))
    np.testing.assert_allclose(weights.sum(axis=0)[inside], 1.0, atol=1e-4)


def test_warp_is_continuous_and_keeps_the_ends():
    args = (np.float32(100), np.float32(7500), np.float32(20), np.float32(8000))
    for warp in (np.float32(0.85), np.float32(1.15)):
        f = np.linspace(20, 8000, 5000, dtype=np.float32)
        warped = warp_frequency(f, *args, warp)
        assert warped[0] == pytest.approx(20, abs=1e-2) and warped[-1] == pytest.approx(8000, abs=1e-1)
        assert (np.diff(warped) > 0).all() and np.abs(np.diff(warped)).max() < 8
        assert warped[2500] == pytest.approx(f[2500] / warp, rel=1e-3)


def test_dct_is_orthonormal():
    matrix = dct_matrix(23, 23)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(23), atol=1e-5)
    assert lifter(13, 22.0)[11] == pytest.approx(12.0)


def test_durbin_recovers_a_model():
    """Autocorrelation of a known all-pole filter gives that filter; its cepstrum that of log |1/A|."""
    a = np.array([-0.9, 0.2], np.float32)
    n = np.zeros(4000)
    n[0] = 1.0
    for t in range(1, 4000):
        n[t] -= a[0] * n[t - 1] + (a[1] * n[t - 2] if t > 1 else 0.0)
    r = np.array([[np.dot(n[: 4000 - k], n[k:]) for k in range(5)]], np.float32)
    lpc, residual = durbin(r)
    np.testing.assert_allclose(lpc[0], [-0.9, 0.2, 0, 0], atol=1e-3)
    assert residual[0] == pytest.approx(1.0, abs=1e-3)
    spectrum = -np.log(np.abs(np.fft.fft([1.0, -0.9, 0.2], 4096)) ** 2) / 2
    np.testing.assert_allclose(lpc_to_cepstrum(lpc)[0][:3], 2 * np.fft.ifft(spectrum).real[1:4], atol=2e-3)


def test_deltas_of_a_line():
    feats = np.arange(20, dtype=np.float32)[:, None] * 3.0
    out = functions.add_deltas(feats, 2, 2)
    np.testing.assert_allclose(out[4:-4, 1], 3.0, atol=1e-6)
    np.testing.assert_allclose(out[4:-4, 2], 0.0, atol=1e-6)


def test_splice_and_subsample():
    feats = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(functions.splice(feats, 1, 1)[0], [0, 1, 0, 1, 2, 3])
    np.testing.assert_array_equal(functions.subsample(feats, 2, 1), [[2, 3]])
    np.testing.assert_array_equal(functions.subsample(feats, -2)[:, 0], [0, 0, 2, 2, 4, 4])
    with pytest.raises(CheckFailed, match="expected n > 0"):
        functions.subsample(feats, 0)


def test_vad_by_brute_force():
    rng = np.random.default_rng(0)
    feats = rng.normal(5.0, 3.0, (200, 2)).astype(np.float32)
    opts = functions.VadOptions(vad_frames_context=3, vad_proportion_threshold=0.4)
    threshold = 5.0 + 0.5 * feats[:, 0].mean()
    for t, found in enumerate(functions.voice_activity(feats, opts)):
        near = feats[max(0, t - 3) : t + 4, 0]
        assert found == ((near > threshold).sum() >= 0.4 * len(near)), t
    with pytest.raises(CheckFailed, match="proportion between 0 and 1"):
        functions.VadOptions(vad_proportion_threshold=1.0)


def test_cmvn_there_and_back():
    rng = np.random.default_rng(0)
    feats = rng.normal(3.0, 2.0, (300, 4)).astype(np.float32)
    stats = cmvn.zero_stats(4)
    cmvn.accumulate(stats, feats[:100])
    cmvn.accumulate(stats, feats[100:])
    norm = cmvn.normalize(feats, stats, norm_vars=True)
    np.testing.assert_allclose(norm.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(norm.std(axis=0), 1.0, atol=1e-4)
    np.testing.assert_allclose(cmvn.normalize(norm, stats, norm_vars=True, reverse=True), feats, atol=1e-4)
    with pytest.raises(DataError, match="Insufficient stats"):
        cmvn.normalize(feats, cmvn.zero_stats(4))
    with pytest.raises(DataError, match="dimension 4, statistics of dimension 3"):
        cmvn.normalize(feats, np.ones((2, 4)))
    with pytest.raises(DataError, match="skip-dims has 7"):
        cmvn.fake_stats(stats, [7])


@pytest.mark.parametrize("center", [False, True])
def test_sliding_cmvn_by_brute_force(center):
    """Kaldi's rule for the window, written as it is told in its source."""
    feats = np.random.default_rng(0).normal(2.0, 3.0, (90, 3)).astype(np.float32)
    out = cmvn.normalize_sliding(feats, 30, 10, norm_vars=True, center=center)
    for t in range(90):
        start, end = (t - 15, t + 15) if center else (t - 30, t + 1)
        if start < 0:
            start, end = 0, end - start
        if not center and end > t:
            end = max(t + 1, 10)
        if end > 90:
            start, end = max(0, start - (end - 90)), 90
        part = feats[start:end].astype(np.float64)
        np.testing.assert_allclose(out[t], (feats[t] - part.mean(0)) / part.std(0), rtol=1e-4, atol=1e-4)


def test_resampling_keeps_a_tone():
    t = np.arange(8000) / 16000
    tone = 1000 * np.sin(2 * np.pi * 440 * t)
    for rate in (8000, 11025, 22050, 48000):
        out = resample(tone, 16000, rate)
        expected = 1000 * np.sin(2 * np.pi * 440 * np.arange(len(out)) / rate)
        inner = slice(len(out) // 10, -len(out) // 10)
        assert np.abs(out - expected)[inner].max() < 12, rate  # Kaldi's filter has 6 zeros: a ripple of 1%
        assert abs(len(out) - len(tone) * rate / 16000) <= 1
    gathered, strided = Resampler(441, 320, 150.0), Resampler(441, 320, 150.0)
    padded = np.pad(tone.astype(np.float32), 100)
    np.testing.assert_allclose(gathered._gather(padded, 100, 500), strided(tone)[:500], atol=0.3)


def test_speed_and_volume():
    t = np.arange(16000) / 16000
    tone = (1000 * np.sin(2 * np.pi * 440 * t))[None]
    for factor in (0.9, 1.1, 0.97, 2.0):
        out = change_speed(tone, factor)[0]
        assert abs(len(out) - 16000 / factor) <= 1
        expected = 1000 * np.sin(2 * np.pi * 440 * factor * np.arange(len(out)) / 16000)
        assert np.abs(out - expected)[400:-400].max() < 1.0
    np.testing.assert_array_equal(change_volume(tone, 2.0), np.float32(2) * tone.astype(np.float32))
    with pytest.raises(OptionError, match="between 0.1 and 10"):
        change_speed(tone, 0.0)


def test_convolution_is_numpys():
    rng = np.random.default_rng(0)
    signal, response = rng.normal(0, 1000, 40000), rng.normal(0, 1, 700)
    np.testing.assert_allclose(reverb.convolve(signal, response), np.convolve(signal, response), atol=0.2)


def test_noise_has_the_asked_ratio():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(0, 1000, 32000).astype(np.float32), rng.normal(0, 50, 32000)
    out = reverb.corrupt(signal, 16000, None, [noise], [15.0], [0.0], normalize=False)
    ratio = 10 * np.log10(reverb.power(signal) / reverb.power(out - signal))
    assert ratio == pytest.approx(15.0, abs=0.01)
    same = reverb.corrupt(signal, 16000, None, [noise], [0.0], [0.5])
    assert reverb.power(same) == pytest.approx(reverb.power(signal), rel=1e-3)
    np.testing.assert_allclose(same[:8000] / signal[:8000], (same[:8000] / signal[:8000]).mean(), rtol=1e-3)


def test_dither_depends_on_name_and_seed_only():
    wave = np.zeros(200000, np.int16)
    opts = FrameOptions(dither=2.0)
    a, b = DitheredWave(wave, 2.0, 0, "u"), DitheredWave(wave, 2.0, 0, "u")
    whole = a[:]
    np.testing.assert_array_equal(np.concatenate([b[i : i + 7777] for i in range(0, 200000, 7777)]), whole)
    assert abs(whole.std() - 2.0) < 0.02 and abs(whole.mean()) < 0.02
    assert not np.array_equal(whole, DitheredWave(wave, 2.0, 1, "u")[:])
    assert not np.array_equal(whole, DitheredWave(wave, 2.0, 0, "v")[:])
    fbank = Fbank(FbankOptions(), opts, MelOptions())
    np.testing.assert_array_equal(fbank.compute(dithered(wave, opts, 0, "u")), fbank.compute(dithered(wave, opts, 0, "u")))


def test_glibc_rand():
    """The first numbers of srand(1); rand(): known of every C program."""
    assert GlibcRandom(1).integers(3) == [1804289383, 846930886, 1681692777]
    assert GlibcRandom(0).integers(1) == [1804289383]
    assert abs(GlibcRandom(3).gauss(20000).std() - 1.0) < 0.02


def test_pitch_search_by_brute_force():
    from sidamo.feats.pitch_kernel import pitch_forward

    rng = np.random.default_rng(0)
    local = rng.random((30, 41)).astype(np.float32)
    factor = np.float32(0.003)
    forward, back = np.zeros(41, np.float32), np.empty((30, 41), np.int32)
    pitch_forward(local, factor, forward, back)
    alpha = np.zeros(41)
    i = np.arange(41)
    penalty = factor * (i[:, None] - i[None]) ** 2
    for t in range(30):
        cost = penalty + alpha[None]
        best = cost.min(axis=1)
        np.testing.assert_allclose(cost[i, back[t]], best, atol=1e-5)
        alpha = best + local[t]
        alpha -= alpha.min()
    np.testing.assert_allclose(forward, alpha, atol=1e-4)


def test_pitch_of_a_tone():
    t = np.arange(16000) / 16000
    tone = sum(2000 / k * np.sin(2 * np.pi * 150 * k * t) for k in (1, 2, 3))
    out = pitch.PitchTracker(pitch.PitchOptions()).compute(tone.astype(np.int16))
    assert np.abs(out[5:-5, 1] - 150).max() < 2.0 and out[5:-5, 0].min() > 0.95


def test_pitch_in_chunks():
    """Online operation in pieces ends close to the offline result, and every frame comes out once."""
    t = np.arange(24000) / 16000
    tone = 2000 * np.sin(2 * np.pi * (120 + 40 * t) * t) + np.random.default_rng(0).normal(0, 20, 24000)
    offline = pitch.PitchTracker(pitch.PitchOptions()).compute(tone)
    for options in ({}, {"simulate_first_pass_online": True, "max_frames_latency": 30}):
        chunked = pitch.PitchTracker(pitch.PitchOptions(frames_per_chunk=10, **options)).compute(tone)
        assert chunked.shape == offline.shape
        assert np.median(np.abs(chunked[:, 1] - offline[:, 1])) < 1.0
    assert pitch.PitchTracker(pitch.PitchOptions()).compute(np.zeros(100)).shape == (0, 0)


def test_options_are_checked():
    for make, words in (
        (lambda: FrameOptions(frame_length=0.0), "both must be positive"),
        (lambda: FrameOptions(preemphasis_coefficient=2.0), "must lie in 0..1"),
        (lambda: pitch.PitchOptions(min_f0=500.0), "min-f0 < max-f0"),
        (lambda: pitch.PitchOptions(lowpass_cutoff=3000.0), "must not exceed half"),
    ):
        with pytest.raises(OptionError, match=words):
            make()
    with pytest.raises(CheckFailed, match="without --frames-per-chunk"):
        pitch.PitchOptions(simulate_first_pass_online=True)


def test_rates_that_cannot_be():
    opts = FrameOptions(dither=0.0, allow_downsample=True, allow_upsample=True)
    assert check_rate(16000.0, opts, "u") is False and check_rate(44100.0, opts, "u") is True
    for rate in (4294967295.0, 7.0):
        with pytest.raises(DataError, match="the header must be damaged"):
            check_rate(rate, opts, "u")
    with pytest.raises(DataError, match="--allow-downsample=true"):
        check_rate(44100.0, FrameOptions(), "u")
