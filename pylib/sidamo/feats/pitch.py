"""Pitch and voicing (Ghahremani et al., "A pitch extraction algorithm tuned for automatic speech recognition", 2014).

The numbers are those of Kaldi (src/feat/pitch-functions.cc): resample to 4 kHz, normalized cross-correlation (NCCF) of
each frame with itself at integer lags, NCCF interpolated at geometrically spaced lags, Viterbi search for the smooth
sequence of lags of least cost. As in Kaldi the frames that need the last samples of the file come in a second pass, and
the signal energy in the NCCF ballast is what was known when a frame was computed; if it changed by more than 2%, the
search over the first `recompute_frame` frames is repeated with rescaled correlations.
"""

import dataclasses

import numpy as np

from sidamo.feats.functions import delta_filters
from sidamo.feats.resample import Resampler, filter_weights
from sidamo.feats.window import option
from sidamo.io.errors import CheckFailed, OptionError


@dataclasses.dataclass(frozen=True)
class PitchOptions:
    """Pitch extraction; names and defaults are Kaldi's."""

    sample_frequency: float = option(16000.0, "Sample rate that the waveforms must have, Hz")
    frame_length: float = option(25.0, "Frame length, milliseconds")
    frame_shift: float = option(10.0, "Frame shift, milliseconds")
    preemphasis_coefficient: float = option(0.0, "Coefficient of pre-emphasis (deprecated)")
    min_f0: float = option(50.0, "Lowest F0 to search for, Hz")
    max_f0: float = option(400.0, "Highest F0 to search for, Hz")
    soft_min_f0: float = option(10.0, "Lowest F0, applied in a soft way; must not exceed min-f0")
    penalty_factor: float = option(0.1, "Cost of a change of F0")
    lowpass_cutoff: float = option(1000.0, "Cutoff of the low-pass filter, Hz")
    resample_frequency: float = option(4000.0, "Rate of the signal that is correlated, Hz; over 2 * lowpass-cutoff")
    delta_pitch: float = option(0.005, "Smallest relative change of pitch that is measured")
    nccf_ballast: float = option(7000.0, "More of it makes the correlation of quiet frames smaller")
    nccf_ballast_online: bool = option(False, "Signal energy up to each frame only (for debugging)")
    lowpass_filter_width: int = option(1, "Zeros on each side of the low-pass filter; more is sharper")
    upsample_filter_width: int = option(5, "Zeros on each side of the filter that interpolates the correlation")
    frames_per_chunk: int = option(0, "If positive, take the signal in pieces of so many frames, as online decoding does")
    simulate_first_pass_online: bool = option(False, "Values as first seen in online decoding; with frames-per-chunk")
    recompute_frame: int = option(500, "Frame at which the search is repeated with a better estimate of the energy")
    max_frames_latency: int = option(0, "Frames that online decoding waits for the search to settle")
    snip_edges: bool = option(True, "Only frames that lie completely inside the file")

    def __post_init__(self):
        if not 0 < self.min_f0 < self.max_f0 or not 0 < self.soft_min_f0 <= self.min_f0:
            raise OptionError(
                f"--soft-min-f0={self.soft_min_f0:g} --min-f0={self.min_f0:g} --max-f0={self.max_f0:g}:"
                " expected 0 < soft-min-f0 <= min-f0 < max-f0"
            )
        if self.window_size <= 0 or self.window_shift <= 0 or self.delta_pitch <= 0:
            raise OptionError("--frame-length, --frame-shift and --delta-pitch must be positive")
        if 2 * self.lowpass_cutoff > min(self.resample_frequency, self.sample_frequency):
            raise OptionError(
                f"--lowpass-cutoff={self.lowpass_cutoff:g} must not exceed half of --resample-frequency and of the sample rate"
            )
        if self.simulate_first_pass_online and self.frames_per_chunk <= 0:
            raise CheckFailed("--simulate-first-pass-online makes no sense without --frames-per-chunk")

    @property
    def window_size(self) -> int:
        """Samples at the resample frequency, without the lags."""
        return int(self.resample_frequency * self.frame_length / 1000.0)

    @property
    def window_shift(self) -> int:
        """Samples at the resample frequency."""
        return int(self.resample_frequency * self.frame_shift / 1000.0)


def search_lags(opts: PitchOptions) -> np.ndarray:
    """The lags that compete, seconds, float32: from 1/max_f0 to 1/min_f0 in steps of a factor 1 + delta_pitch."""
    lags = []
    lag, last = np.float32(1.0 / opts.max_f0), np.float32(1.0 / opts.min_f0)
    step = 1.0 + float(np.float32(opts.delta_pitch))
    while lag <= last:
        lags.append(lag)
        lag = np.float32(float(lag) * step)
    return np.array(lags, dtype=np.float32)


class PitchTracker:
    """Pitch of one waveform after the other, with tables that depend only on the options."""

    def __init__(self, opts: PitchOptions):
        self.opts = opts
        self.resampler = Resampler(
            int(opts.sample_frequency), int(opts.resample_frequency), opts.lowpass_cutoff, opts.lowpass_filter_width
        )
        margin = opts.upsample_filter_width / (2.0 * opts.resample_frequency)
        self.first_lag = int(np.ceil(opts.resample_frequency * (1.0 / opts.max_f0 - margin)))
        self.last_lag = int(np.floor(opts.resample_frequency * (1.0 / opts.min_f0 + margin)))
        self.lags = search_lags(opts)
        self.interpolation = self._interpolation()
        self.full_size = opts.window_size + self.last_lag
        self.factor = np.float32(np.log(1.0 + opts.delta_pitch) ** 2 * opts.penalty_factor)

    def _interpolation(self) -> np.ndarray:
        """Matrix from the correlation at integer lags to that at the search lags, (measured, searched), float32."""
        rate = self.opts.resample_frequency
        cutoff = 0.5 * rate
        half = self.opts.upsample_filter_width / (2.0 * cutoff)
        points = (self.lags - np.float32(self.first_lag / rate)).astype(np.float64)
        index = np.arange(self.last_lag + 1 - self.first_lag)[:, np.newaxis]
        inside = (index >= np.ceil(rate * (points - half))) & (index <= np.floor(rate * (points + half)))
        weights = filter_weights(points - index / rate, cutoff, self.opts.upsample_filter_width) / rate
        return np.where(inside, weights, 0.0).astype(np.float32)

    def frames_available(self, num_samples: int, finished: bool) -> int:
        """Frames that can be computed from `num_samples` resampled samples."""
        opts = self.opts
        size = opts.window_size if finished else self.full_size
        if num_samples < size:
            return 0
        if opts.snip_edges:
            return (num_samples - size) // opts.window_shift + 1
        reach = num_samples if finished else num_samples - size // 2
        return int(np.float32(reach) / opts.window_shift + 0.5)

    def compute(self, wave: np.ndarray) -> np.ndarray:
        """Track one waveform.

        Parameters
        ----------
        wave : ndarray, shape (num_samples,), int16 scale, at opts.sample_frequency

        Returns
        -------
        ndarray, shape (T, 2), float32: NCCF (in -1..1, a measure of voicing) and pitch in Hz for every frame, voiced
        or not; (0, 0) for a file too short
        """
        return _Track(self, np.asarray(wave, np.float32)).run()


class _Track:
    """State while one waveform is tracked; `time` runs over the chunks."""

    def __init__(self, tracker: PitchTracker, wave: np.ndarray):
        self.tracker, self.opts = tracker, tracker.opts
        self.num_input = len(wave)
        self.signal = tracker.resampler(wave) if len(wave) else np.zeros(0, np.float32)
        self.sums = np.concatenate(([0.0], np.cumsum(self.signal, dtype=np.float64)))
        self.squares = np.concatenate(([0.0], np.cumsum(np.square(self.signal), dtype=np.float64)))
        states = len(tracker.lags)
        self.pov = np.zeros((0, states), np.float32)  # correlation without ballast, per frame
        self.pitch = np.zeros((0, states), np.float32)  # with ballast
        self.energy = np.zeros(0)  # mean square energy assumed for each frame
        self.norm = np.zeros(0)  # average product of the energies of frame and shifted frame
        self.back = np.zeros((0, states), np.int32)
        self.forward = np.zeros(states, np.float32)
        self.recomputed = False

    def run(self) -> np.ndarray:
        """All chunks, then the end of the file."""
        opts = self.opts
        chunk = self.num_input
        if opts.frames_per_chunk > 0:
            chunk = max(1, int(opts.frames_per_chunk * opts.sample_frequency * opts.frame_shift / 1000.0))
        first_pass = []
        for end in range(chunk, self.num_input + chunk, chunk) if self.num_input else ():
            self.advance(min(end, self.num_input), False)
            if end >= self.num_input:
                self.advance(self.num_input, True)
            if opts.simulate_first_pass_online:
                self.collect(first_pass, end >= self.num_input)
        if opts.simulate_first_pass_online:
            return np.concatenate(first_pass) if first_pass else np.zeros((0, 0), np.float32)
        if len(self.back) == 0:
            return np.zeros((0, 0), np.float32)
        return self.values(self.best_states())

    def advance(self, num_input: int, finished: bool):
        """Take in the waveform up to `num_input` samples."""
        opts = self.opts
        known = len(self.signal) if finished else self.tracker.resampler.num_outputs(num_input, flush=False)
        first, end = len(self.back), self.tracker.frames_available(known, finished)
        if end > first:
            self.correlate(first, end, known)
            stop = opts.recompute_frame
            if first < stop <= end and not opts.nccf_ballast_online:
                self.search(first, stop)
                self.recompute(known, stop)
                self.search(stop, end)
            else:
                self.search(first, end)
        if finished and 0 < len(self.back) < opts.recompute_frame and not opts.nccf_ballast_online:
            self.recompute(known, len(self.back))

    def mean_square(self, count) -> np.ndarray:
        """Mean square energy, without the mean, of the first `count` samples."""
        count = np.maximum(count, 1)
        return self.squares[count] / count - (self.sums[count] / count) ** 2

    def correlate(self, first: int, end: int, known: int):
        """NCCF of frames first..end-1 at the search lags, appended to `pov` and `pitch`."""
        tracker, opts = self.tracker, self.opts
        frames = np.arange(first, end)
        if opts.snip_edges:
            starts = frames * opts.window_shift
        else:
            starts = ((frames + 0.5) * opts.window_shift).astype(np.int64) - tracker.full_size // 2
        if opts.nccf_ballast_online:
            energy = self.mean_square(np.clip(starts + tracker.full_size, 1, known))
        else:
            energy = np.full(len(frames), self.mean_square(known))
        ballast = (energy * opts.window_size) ** 2 * opts.nccf_ballast
        before = max(0, -int(starts[0]))
        padded = np.pad(self.signal[:known], (before, tracker.full_size))
        inner, norm = correlations(padded, starts + before, opts, tracker)
        self.norm = np.concatenate((self.norm, norm.mean(axis=1, dtype=np.float64)))
        self.energy = np.concatenate((self.energy, energy))
        with_ballast = nccf(inner, norm, ballast[:, np.newaxis]) @ tracker.interpolation
        without = nccf(inner, norm, 0.0) @ tracker.interpolation
        self.pitch = np.concatenate((self.pitch, with_ballast))
        self.pov = np.concatenate((self.pov, without))

    def search(self, first: int, end: int):
        """Viterbi forward pass over frames first..end-1."""
        if end <= first:
            return
        pitch = self.pitch[first:end]
        local = np.float32(1.0) - pitch + np.float32(self.opts.soft_min_f0) * self.tracker.lags * pitch
        from sidamo.feats.pitch_kernel import pitch_forward

        back = np.empty(local.shape, dtype=np.int32)
        pitch_forward(local, self.tracker.factor, self.forward, back)
        self.back = np.concatenate((self.back[:first], back))

    def recompute(self, known: int, end: int):
        """Repeat the search over frames 0..end-1 if the estimate of the signal energy has changed."""
        if self.recomputed:
            return
        self.recomputed = True
        new, old = self.mean_square(known), self.energy[:end]
        if (np.abs(old - new) <= 0.01 * (np.abs(old) + np.abs(new))).all():
            return
        opts = self.opts
        old_ballast, new_ballast = ((e * opts.window_size) ** 2 * opts.nccf_ballast for e in (old, new))
        total = new_ballast + self.norm[:end]
        scale = np.sqrt((old_ballast + self.norm[:end]) / np.where(total == 0.0, 1.0, total)).astype(np.float32)
        self.pitch[:end] *= scale[:, np.newaxis]
        rest = self.back[end:]
        self.forward[:] = 0.0
        self.search(0, end)
        self.back = np.concatenate((self.back, rest))

    def best_states(self) -> np.ndarray:
        """Indices of the lags on the best path so far, shape (T,)."""
        states = np.empty(len(self.back), dtype=np.int64)
        state = int(np.argmin(self.forward))
        for t in range(len(states) - 1, -1, -1):
            states[t] = state
            state = self.back[t, state]
        return states

    def values(self, states: np.ndarray) -> np.ndarray:
        """NCCF and pitch of a path, (T, 2), float32."""
        t = np.arange(len(states))
        return np.stack((self.pov[t, states], np.float32(1.0) / self.tracker.lags[states]), axis=1)

    def collect(self, first_pass: list, last: bool):
        """Append the frames that online decoding would have asked for by now, with their present values."""
        ready = len(self.back) - (0 if last else self.latency())
        done = sum(len(block) for block in first_pass)
        if ready > done:
            first_pass.append(self.values(self.best_states())[done:ready])

    def latency(self) -> int:
        """Frames at the end for which the search has not settled, at most opts.max_frames_latency."""
        low, high = 0, len(self.tracker.lags) - 1
        for count in range(min(self.opts.max_frames_latency, len(self.back))):
            row = self.back[len(self.back) - 1 - count]
            low, high = row[low], row[high]
            if low == high:
                return count
        return min(self.opts.max_frames_latency, len(self.back))


def correlations(signal: np.ndarray, starts: np.ndarray, opts: PitchOptions, tracker: PitchTracker, block: int = 2048):
    """Inner products of each frame with itself shifted by each integer lag, and the products of their energies.

    Returns two arrays of shape (T, number of lags), float32.
    """
    size = opts.window_size
    lags = range(tracker.first_lag, tracker.last_lag + 1)
    inner = np.empty((len(starts), len(lags)), dtype=np.float32)
    norm = np.empty_like(inner)
    for begin in range(0, len(starts), block):
        rows = slice(begin, min(len(starts), begin + block))
        windows = signal[starts[rows, np.newaxis] + np.arange(tracker.full_size)]
        c = np.float32(opts.preemphasis_coefficient)
        if c != 0.0:
            windows[:, 1:] -= c * windows[:, :-1]
            windows[:, 0] *= np.float32(1.0) - c
        windows -= windows[:, :size].mean(axis=1, keepdims=True)
        base = np.ascontiguousarray(windows[:, :size])
        energy = np.einsum("ti,ti->t", base, base)
        for column, lag in enumerate(lags):
            shifted = windows[:, lag : lag + size]
            inner[rows, column] = np.einsum("ti,ti->t", base, shifted)
            norm[rows, column] = energy * np.einsum("ti,ti->t", shifted, shifted)
    return inner, norm


def nccf(inner: np.ndarray, norm: np.ndarray, ballast) -> np.ndarray:
    """inner / sqrt(norm + ballast), 0 where that is 0/0; float32."""
    denominator = np.sqrt(norm + ballast).astype(np.float32)
    return np.divide(inner, denominator, out=np.zeros_like(inner), where=denominator != 0.0)


@dataclasses.dataclass(frozen=True)
class ProcessPitchOptions:
    """What becomes of NCCF and pitch; names and defaults are Kaldi's."""

    pitch_scale: float = option(2.0, "Factor of the normalized log pitch")
    pov_scale: float = option(2.0, "Factor of the voicing feature")
    pov_offset: float = option(0.0, "Offset of the voicing feature")
    delta_pitch_scale: float = option(10.0, "Factor of the delta log pitch")
    delta_pitch_noise_stddev: float = option(0.005, "Noise on the delta log pitch, before scaling")
    normalization_left_context: int = option(75, "Frames before, in the moving average of the log pitch")
    normalization_right_context: int = option(75, "Frames after, in the moving average of the log pitch")
    delta_window: int = option(2, "Frames on each side in the delta")
    delay: int = option(0, "Frames by which the features are delayed")
    add_pov_feature: bool = option(True, "Output the warped NCCF")
    add_normalized_log_pitch: bool = option(True, "Output the log pitch minus its voicing-weighted moving average")
    add_delta_pitch: bool = option(True, "Output the time derivative of the log pitch")
    add_raw_log_pitch: bool = option(False, "Output the log pitch")

    def __post_init__(self):
        if not (self.add_pov_feature or self.add_normalized_log_pitch or self.add_delta_pitch or self.add_raw_log_pitch):
            raise CheckFailed("At least one of the pitch features should be chosen: --add-pov-feature=true etc.")


def voicing_feature(value: np.ndarray) -> np.ndarray:
    """NCCF n to (1.0001 - n)^0.15 - 1, which is roughly Gaussian; float32."""
    clipped = np.clip(np.asarray(value, np.float32), -1.0, 1.0).astype(np.float64)
    return ((1.0001 - clipped) ** 0.15 - 1.0).astype(np.float32)


def voicing_probability(value: np.ndarray) -> np.ndarray:
    """NCCF to a probability of voicing, float32: a logistic function fitted on the Keele database (Ghahremani 2014)."""
    n = np.minimum(np.abs(np.asarray(value, np.float32)), 1.0).astype(np.float64)
    odds = -5.2 + 5.4 * np.exp(7.5 * (n - 1.0)) + 4.8 * n - 2.0 * np.exp(-10.0 * n) + 4.2 * np.exp(20.0 * (n - 1.0))
    return (1.0 / (1.0 + np.exp(-odds.astype(np.float32).astype(np.float64)))).astype(np.float32)


def slope(values: np.ndarray, window: int) -> np.ndarray:
    """First derivative by regression, as functions.add_deltas, but rounded as fused multiply-adds, as in Kaldi."""
    coefficients = delta_filters(1, window)[1]
    half = len(coefficients) // 2
    padded = np.pad(values, half, mode="edge").astype(np.float64)
    total = np.zeros(len(values), dtype=np.float32)
    for shift, value in enumerate(coefficients):
        if value != 0.0:
            total = (float(value) * padded[shift : shift + len(values)] + total).astype(np.float32)
    return total


def process_pitch(raw: np.ndarray, opts: ProcessPitchOptions, gauss=None) -> np.ndarray:
    """Features for speech recognition from the tracker's output.

    Parameters
    ----------
    raw : ndarray, shape (T, 2)
        NCCF and pitch in Hz.
    gauss : function of a count
        Standard normal numbers for the noise on the delta pitch; called only where that noise is not 0.

    Returns
    -------
    ndarray, shape (T + delay, number of chosen features), float32
    """
    raw = np.asarray(raw, np.float32)
    log_pitch = np.log(raw[:, 1].astype(np.float64)).astype(np.float32)
    columns = []
    if opts.add_pov_feature:
        columns.append(np.float32(opts.pov_scale) * voicing_feature(raw[:, 0]) + np.float32(opts.pov_offset))
    if opts.add_normalized_log_pitch:
        average = moving_average(log_pitch, voicing_probability(raw[:, 0]), opts)
        columns.append((log_pitch - average) * np.float32(opts.pitch_scale))
    if opts.add_delta_pitch:
        delta = slope(log_pitch, opts.delta_window)
        if opts.delta_pitch_noise_stddev != 0.0:
            delta = delta + gauss(len(raw)) * np.float32(opts.delta_pitch_noise_stddev)
        columns.append(delta * np.float32(opts.delta_pitch_scale))
    if opts.add_raw_log_pitch:
        columns.append(log_pitch)
    feats = np.stack(columns, axis=1)
    return feats[np.maximum(0, np.arange(len(raw) + opts.delay) - opts.delay)]


def moving_average(values: np.ndarray, weights: np.ndarray, opts: ProcessPitchOptions) -> np.ndarray:
    """Weighted average over the frames around each frame, shape (T,), float32."""
    totals = [moving_sum(terms.astype(np.float64), opts) for terms in (weights * values, weights)]
    return (totals[0] / totals[1]).astype(np.float32)


def moving_sum(terms: np.ndarray, opts: ProcessPitchOptions) -> np.ndarray:
    """Sum over the frames around each frame, shape (T,), float64.

    In Kaldi's order, to the bit: from one frame to the next the term that leaves the window is subtracted, then the one
    that enters it added.
    """
    left, right, count = opts.normalization_left_context, opts.normalization_right_context, len(terms)
    t = np.arange(1, count)
    leaving = np.where(t - 1 - left >= 0, terms[np.maximum(0, t - 1 - left)], 0.0)
    entering = np.where(t + right < count, terms[np.minimum(count - 1, t + right)], 0.0)
    first = terms[: right + 1]
    changes = np.stack((-leaving, entering), axis=1).reshape(-1)
    return np.cumsum(np.concatenate((first, changes)))[len(first) - 1 :: 2]
