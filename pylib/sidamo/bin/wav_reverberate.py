"""wav-reverberate: a room's impulse response and additive noise at given signal-to-noise ratios."""

from sidamo.bin import tool

USAGE = """Corrupts the wave files supplied via input pipe with the specified room-impulse response (rir_matrix)
and additive noise distortions (specified by corresponding files).

Usage: wav-reverberate [options...] <wav-in-rxfilename> <wav-out-wxfilename>
e.g. wav-reverberate --duration=20.25 --impulse-response=rir.wav --additive-signals='noise1.wav,noise2.wav' \\
       --snrs='15,10' --start-times='0,17.8' input.wav output.wav
"""


@tool
def main(argv=None) -> int:
    from sidamo.io.tables import read_object, write_object

    wave, target = make(argv, lambda name: read_object(name, "wave"))
    write_object(target, "wave", wave)
    return 0


def make(argv, read):
    """The corrupted Wave and where it goes; `read` gives the Wave of an rxfilename."""
    import numpy as np

    from sidamo.io.wave import Wave

    opts, (source, target) = parser().parse(argv, num_args=2)
    wave = read(source)
    signal = channel_of(wave, opts.input_wave_channel, source, "--input-wave-channel")
    response = read_like(opts.impulse_response, wave, read, "--impulse-response") if opts.impulse_response else None
    names = [name for name in opts.additive_signals.split(",") if name]
    noises = [read_like(name, wave, read, "--additive-signals") for name in names]
    snrs = numbers(opts.snrs, "--snrs", len(noises))
    starts = numbers(opts.start_times, "--start-times", len(noises))
    channels = range(response.num_channels if response and opts.multi_channel_output else 1)
    rows = []
    for channel in channels:
        rir_channel = channel if opts.multi_channel_output else opts.rir_channel
        noise_channel = channel if opts.multi_channel_output else opts.noise_channel
        rir = None
        if response:
            rir = (
                np.asarray(channel_of(response, rir_channel, opts.impulse_response, "--rir-channel"), np.float32)
                / 32768
            )
        chosen = [channel_of(n, noise_channel, name, "--noise-channel") for n, name in zip(noises, names)]
        rows.append(one_channel(signal, wave.rate, rir, chosen, snrs, starts, opts))
    return Wave(wave.rate, np.stack(rows)), target


def parser():
    """The options, Kaldi's."""
    from sidamo.io.options import Options

    o = Options(USAGE)
    o.add("multi-channel-output", False, "Specifies if the output should be multi-channel or not")
    o.add("shift-output", True, "If true, the reverberated waveform is shifted by the peak position of the RIR, and as"
          " long as the input; if false, its length is that of the input + that of the RIR - 1")  # fmt: skip
    o.add("input-wave-channel", 0, "Channel of the input to be used: only one is")
    o.add("rir-channel", 0, "Channel of the room impulse response (without multi-channel-output)")
    o.add("noise-channel", 0, "Channel of the noise file (without multi-channel-output)")
    o.add("impulse-response", "", "Impulse response for reverberating the input: a wave file or a piped command")
    o.add("additive-signals", "", "Comma separated list of additive signals: wave files or piped commands")
    o.add("snrs", "", "Comma separated list of SNRs(dB), to which the additive signals are scaled")
    o.add("start-times", "", "Comma separated list of the times in the input at which the additive signals begin;"
          " beyond its end they are ignored")  # fmt: skip
    o.add("normalize-output", True, "If true, then after reverberating and possibly adding noise, scale so that the"
          " signal energy is the same as the original input signal")  # fmt: skip
    o.add("duration", 0.0, "If nonzero, the duration (secs) of the output signal: the first of a longer input, and a"
          " shorter one repeated")  # fmt: skip
    o.add("volume", 0.0, "If nonzero, a scaling factor that is applied after reverberating and possibly adding noise;"
          " then --normalize-output does nothing")  # fmt: skip
    return o


def read_like(name: str, wave, read, what: str):
    """A wave of the input's sample rate. Raises DataError."""
    from sidamo.io.errors import DataError

    other = read(name)
    if other.rate != wave.rate:
        raise DataError(f"{what}: its sample rate is {other.rate:g}, that of the input {wave.rate:g}", file=name,
                        mend="resample it to the rate of your data")  # fmt: skip
    return other


def channel_of(wave, channel: int, name: str, what: str):
    """One channel, checked."""
    from sidamo.io.errors import CheckFailed

    if not 0 <= channel < wave.num_channels:
        raise CheckFailed(f"{name} has {wave.num_channels} channels, {what} or the response asks for channel {channel}")
    return wave.channel(channel)


def numbers(text: str, what: str, count: int) -> list:
    """Comma-separated numbers, one for each additive signal."""
    from sidamo.io.errors import OptionError

    try:
        values = [float(word) for word in text.split(",") if word]
    except ValueError:
        raise OptionError(f"{what}={text}: expected numbers separated by commas") from None
    if len(values) < count:
        raise OptionError(f"{what}={text}: {len(values)} numbers for {count} additive signals")
    return values


def one_channel(signal, rate, response, noises, snrs, starts, opts):
    """One channel of the output."""
    from sidamo.feats.reverb import corrupt, fit

    out = corrupt(signal, rate, response, noises, snrs, starts, opts.normalize_output, opts.volume)
    shift = int(response.argmax()) if response is not None and opts.shift_output else 0
    natural = len(signal) if opts.shift_output else len(out)
    wanted = int(rate * opts.duration) if opts.duration > 0 else natural
    return fit(out, shift, natural, wanted)
