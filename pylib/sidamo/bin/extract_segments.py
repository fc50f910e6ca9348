"""extract-segments: pieces of recordings as waves."""

from sidamo.bin import tool

USAGE = """Extract segments from a large audio file in WAV format.

Usage: extract-segments [options] <wav-rspecifier> <segments-file> <wav-wspecifier>
e.g. extract-segments scp:wav.scp segments ark:- | <some-other-program>
 segments-file format: each line is either
<segment-id> <recording-id> <start-time> <end-time>
e.g. call-861225-A-0050-0065 call-861225-A 5.0 6.5
or (less frequently, and not supported in scripts):
<segment-id> <wav-file-name> <start-time> <end-time> <channel>
where <channel> will normally be 0 (left) or 1 (right). And <end-time> of -1 means the segment runs till the end of the
recording.
See also: wav-copy, wav-to-duration
"""


@tool
def main(argv=None) -> int:
    from sidamo.bin import _inline
    from sidamo.io.log import info, warn
    from sidamo.io.options import Options
    from sidamo.io.streams import open_rxfilename
    from sidamo.io.tables import RandomAccessReader, Writer

    _inline.enable()
    parser = Options(USAGE)
    parser.add("min-segment-length", 0.1, "Minimum segment length in seconds (reject shorter segments)")
    parser.add("max-overshoot", 0.5, "End segments overshooting audio by less than this (in seconds) are truncated, "
               "else rejected.")  # fmt: skip
    opts, (rspecifier, segments, wspecifier) = parser.parse(argv, num_args=3)
    total = done = 0
    last = (None, None)  # segments of one recording usually follow each other
    with RandomAccessReader(rspecifier, "wave") as recordings, Writer(wspecifier, "wave") as out:
        with open_rxfilename(segments) as lines:
            for line in lines:
                total += 1
                line = line.decode("utf-8", "replace").rstrip("\n")
                fields = parse_line(line)
                if isinstance(fields, str):
                    warn(fields)
                    continue
                segment, recording = fields[:2]
                if recording != last[0]:
                    if recording not in recordings:
                        warn(f"Could not find recording {recording}, skipping segment {segment}")
                        continue
                    last = (recording, recordings[recording])
                piece = cut(last[1], fields, line, opts.min_segment_length, opts.max_overshoot)
                if isinstance(piece, str):
                    warn(piece)
                    continue
                out.write(segment, piece)
                done += 1
    info(f"Successfully processed {done} lines out of {total} in the segments file. ")
    return 0


def parse_line(line: str):
    """(segment, recording, start, end, channel or -1) of a line, or the warning why it is none."""
    fields = line.split()
    if len(fields) not in (4, 5):
        return f"Invalid line in segments file: {line}"
    times = []
    for word, what in zip(fields[2:4], ("start", "end")):
        try:
            times.append(float(word))
        except ValueError:
            return f"Invalid line in segments file [bad {what}]: {line}"
    start, end = times
    if not start >= 0 or (end != -1.0 and not end > 0) or (start >= end and end > 0):
        return f"Invalid line in segments file [empty or invalid segment]: {line}"
    channel = -1
    if len(fields) == 5:
        if not fields[4].isdigit():
            return f"Invalid line in segments file [bad channel]: {line}"
        channel = int(fields[4])
    return fields[0], fields[1], start, end, channel


def cut(wave, fields, line: str, min_length: float, max_overshoot: float):
    """The Wave of a segment, or the warning why there is none. Raises DataError for stereo without a channel."""
    from sidamo.io.errors import DataError
    from sidamo.io.wave import Wave

    segment, _, start, end, channel = fields
    rate, length = wave.rate, wave.num_samples
    first = int(start * rate + 0.5)
    last = length if end == -1.0 else int(min(end, 1e9) * rate + 0.5)
    if first >= length:
        return f"Segment start is out of file data range [0, {wave.duration:g}s]; skipping segment '{line}'"
    if last > length:
        if last > length + int(max_overshoot * rate):
            return f"Segment end is too far out of file data range [0,{wave.duration:g}s]; skipping segment '{line}'"
        last = length
    if last <= first + int(min_length * rate):
        return f"Segment {segment} too short, skipping it."
    if channel == -1:
        if wave.num_channels != 1:
            raise DataError(
                f"the recording has {wave.num_channels} channels and the line of segments names none of them",
                key=segment, mend="put the channel, 0 or 1, at the end of the line in segments",
            )  # fmt: skip
        channel = 0
    elif channel >= wave.num_channels:
        return f"Invalid channel {channel} >= {wave.num_channels}. Skipping segment {segment}"
    return Wave(rate, wave.channel(channel)[first:last])
