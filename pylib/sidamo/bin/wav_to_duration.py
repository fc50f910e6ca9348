"""wav-to-duration: the length of each wave in seconds."""

from sidamo.bin import tool

USAGE = """Read wav files and output an archive consisting of a single float: the duration of each one in seconds.

Usage: wav-to-duration [options...] <wav-rspecifier> <duration-wspecifier>
E.g.: wav-to-duration scp:wav.scp ark,t:-
See also: wav-copy extract-segments feat-to-len
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin import _inline
    from sidamo.io.log import info
    from sidamo.io.options import Options
    from sidamo.io.tables import Writer

    _inline.enable()
    parser = Options(USAGE)
    parser.add(
        "read-entire-file", False, "If true, regardless of wav header info, wav-to-duration will read the whole file"
    )
    opts, (rspecifier, wspecifier) = parser.parse(argv, num_args=2)
    durations = []
    with Writer(wspecifier, "float") as out:
        for key, duration in lengths(rspecifier, opts.read_entire_file):
            out.write(key, duration)
            durations.append(duration)
    info(f"Printed duration for {len(durations)} audio files.")
    if durations:
        info(f"Mean duration was {sum(durations) / len(durations):g}, min and max durations were"
             f" {min(durations):g}, {max(durations):g}")  # fmt: skip
    return 0 if durations else 1


def lengths(rspecifier: str, entire: bool):
    """Yields (key, seconds); plain files that a script names are not read beyond their header."""
    from sidamo.io.errors import DataError
    from sidamo.io.log import warn
    from sidamo.io.streams import classify_rxfilename
    from sidamo.io.tables import SequentialReader, parse_rspecifier, read_object, read_script
    from sidamo.io.wave import wave_info

    specifier = parse_rspecifier(rspecifier)
    if entire or specifier is None or specifier.kind == "ark":
        with SequentialReader(rspecifier, "wave") as reader:
            for key, wave in reader:
                yield key, wave.duration
        return
    for key, name in read_script(specifier.script):
        try:
            known = None
            if classify_rxfilename(name) == "file":
                known = wave_info(name, f"{key} ({name})")
            if known is None:
                duration = read_object(name, "wave").duration
            else:
                rate, _, samples = known
                duration = samples / rate
        except DataError as error:
            error = error.locate(file=name, key=key)
            if not specifier.permissive:
                raise error from None
            warn(f"{error} (skipped: option p)")
            continue
        yield key, duration
