"""Kernels of the mel spectrum, compiled once and loaded fast (see sidamo.io.native).

They work on LANES frames at once: an array of shape (n, LANES) holds value n of all frames side by side, so that every
innermost loop runs over frames and becomes vector instructions, and each writes one array, which is what the compiler
needs to see that nothing overlaps. fast.py calls them one after the other: inlined into one kernel they take twice as
long, because that knowledge is lost. As plain Python (`py_func`) they give the same numbers, some thousand times slower.
"""

import numpy as np

from sidamo.io.native import jit

LANES = 64  # frames that are worked on together


@jit(fastmath=True)  # sums may be made in any order
def frame_means(signal, shift, size, mean):
    """Mean of each frame, shape (LANES,), summed in double: exact for equal samples, so DC becomes exact silence."""
    for f in range(LANES):
        frame = signal[f * shift : f * shift + size]
        total = 0.0
        for s in range(size):
            total += frame[s]
        mean[f] = total / size


@jit
def window_lanes(turned, mean, want_energy, preemphasis, window, frames, even, odd, energy):
    """Frames without their means, pre-emphasized and windowed.

    Parameters
    ----------
    turned : (shift, rows) float32, the signal: sample s of frame f is turned[s % shift, f + s // shift]
    mean : (LANES,) float32, to be subtracted
    window : (size,) float32
    frames : (size, LANES) float32, work space
    even, odd : (N / 2, LANES) float32, output: even and odd samples; what lies beyond the window is left as it is
    energy : (LANES,) float32, output if want_energy: sums of squares before pre-emphasis
    """
    shift, size = turned.shape[0], window.shape[0]
    column, row = 0, 0
    for s in range(size):
        for f in range(LANES):
            frames[s, f] = turned[column, row + f] - mean[f]
        column += 1
        if column == shift:
            column = 0
            row += 1
    if want_energy:
        for f in range(LANES):
            energy[f] = 0.0
        for s in range(size):
            for f in range(LANES):
                energy[f] += frames[s, f] * frames[s, f]
    for f in range(LANES):
        even[0, f] = (frames[0, f] - preemphasis * frames[0, f]) * window[0]
    for k in range(1, (size + 1) // 2):
        weight = window[2 * k]
        for f in range(LANES):
            even[k, f] = (frames[2 * k, f] - preemphasis * frames[2 * k - 1, f]) * weight
    for k in range(size // 2):
        weight = window[2 * k + 1]
        for f in range(LANES):
            odd[k, f] = (frames[2 * k + 1, f] - preemphasis * frames[2 * k, f]) * weight


@jit
def fourier_lanes(re, im, twiddles):
    """Complex Fourier transforms of all lanes, in place, of length n, a power of two; the output order is
    `digit_reversal`.

    Radix 4, decimation in frequency, and a last radix 2 where n is no power of 4.

    Parameters
    ----------
    re, im : (n, LANES) float32
    twiddles : (n, 2) float32, exp(-2 pi i k / n)
    """
    n = re.shape[0]
    size = n
    while size >= 4:
        quarter, step = size // 4, n // size
        for j in range(quarter):
            w1r, w1i = twiddles[j * step, 0], twiddles[j * step, 1]
            w2r, w2i = twiddles[2 * j * step, 0], twiddles[2 * j * step, 1]
            w3r, w3i = twiddles[3 * j * step, 0], twiddles[3 * j * step, 1]
            for a in range(j, n, size):
                b, c, d = a + quarter, a + 2 * quarter, a + 3 * quarter
                for f in range(LANES):
                    s0r, s0i = re[a, f] + re[c, f], im[a, f] + im[c, f]
                    s1r, s1i = re[a, f] - re[c, f], im[a, f] - im[c, f]
                    s2r, s2i = re[b, f] + re[d, f], im[b, f] + im[d, f]
                    s3r, s3i = im[b, f] - im[d, f], re[d, f] - re[b, f]  # -i (b - d)
                    re[a, f], im[a, f] = s0r + s2r, s0i + s2i
                    xr, xi = s1r + s3r, s1i + s3i
                    re[b, f], im[b, f] = xr * w1r - xi * w1i, xr * w1i + xi * w1r
                    xr, xi = s0r - s2r, s0i - s2i
                    re[c, f], im[c, f] = xr * w2r - xi * w2i, xr * w2i + xi * w2r
                    xr, xi = s1r - s3r, s1i - s3i
                    re[d, f], im[d, f] = xr * w3r - xi * w3i, xr * w3i + xi * w3r
        size = quarter
    if size == 2:
        for a in range(0, n, 2):
            for f in range(LANES):
                xr, xi, yr, yi = re[a, f], im[a, f], re[a + 1, f], im[a + 1, f]
                re[a, f], im[a, f] = xr + yr, xi + yi
                re[a + 1, f], im[a + 1, f] = xr - yr, xi - yi


@jit
def lanes_to_mel(re, im, order, twiddles, use_power, first, last, weights, mel, power, out):
    """Mel energies from the transform of (even samples) + i (odd samples).

    With Z that transform, of length n, the transform of the real signal of length 2n is
    X_k = (Z_k + conj Z_{n-k}) / 2 - i/2 exp(-2 pi i k / 2n) (Z_k - conj Z_{n-k}),
    and X_{n-k} is the conjugate of the same with a minus.

    Parameters
    ----------
    re, im : (n, LANES) float32, in the order of fourier_lanes
    order : (n,) int64, where value k stands
    twiddles : (n / 2 + 1, 2) float32, exp(-2 pi i k / 2n)
    use_power : bool, squared magnitudes, else magnitudes
    first, last : (bins,) int64, frequencies k of each mel bin, `last` excluded
    weights : all bins' weights, one bin after the other
    mel : (bins, LANES) float32, work space
    power : (n, LANES) float32, work space
    out : (T <= LANES, bins) float32, output
    """
    n = re.shape[0]
    for f in range(LANES):
        value = re[0, f] + im[0, f]
        power[0, f] = value * value
    quarter = np.float32(0.25)
    for k in range(1, n // 2 + 1):
        a, b = order[k], order[n - k]
        wr, wi = twiddles[k, 0], twiddles[k, 1]
        for f in range(LANES):
            even_r, even_i = re[a, f] + re[b, f], im[a, f] - im[b, f]
            odd_r, odd_i = im[a, f] + im[b, f], re[b, f] - re[a, f]
            turned_r, turned_i = odd_r * wr - odd_i * wi, odd_r * wi + odd_i * wr
            ur, ui = even_r + turned_r, even_i + turned_i
            vr, vi = even_r - turned_r, even_i - turned_i
            power[k, f] = quarter * (ur * ur + ui * ui)
            power[n - k, f] = quarter * (vr * vr + vi * vi)
    if not use_power:
        for k in range(n):
            for f in range(LANES):
                power[k, f] = np.sqrt(power[k, f])
    p = 0
    for m in range(first.shape[0]):
        for f in range(LANES):
            mel[m, f] = 0.0
        for k in range(first[m], last[m]):
            weight = weights[p]
            p += 1
            for f in range(LANES):
                mel[m, f] += weight * power[k, f]
    for f in range(out.shape[0]):
        for m in range(out.shape[1]):
            out[f, m] = mel[m, f]
