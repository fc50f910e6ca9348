"""join-long-loglikes: the log-likelihoods of windows put together, and cut at silence."""

import pathlib

import numpy as np

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader, Writer

USAGE = """Put together the log-likelihoods of the windows of split-long-feats, and cut each recording where blank has
long been certain. Writes <dir>/loglikes.{ark,scp} keyed <recording>-<begin>-<end> (hundredths of a second) and
<dir>/segments (Kaldi's format).

Usage: python3 -m sidamo.bin.join_long_loglikes [options] <window-loglikes-rspecifier> <dir>"""


@tool
def main(argv=None) -> int:
    from sidamo.decode.long_audio import cuts_at_blanks, join

    options = Options(USAGE)
    options.add("subsampling", 3, "Input frames for each output of the network")
    options.add("frame-shift", 0.01, "Seconds between input frames")
    options.add("min-seconds", 5.0, "Shortest piece")
    options.add("max-seconds", 30.0, "Longest piece")
    options.add("blank", 0.9, "Posterior of blank in a frame of silence, at least")
    opts, (rspecifier, folder) = options.parse(argv, num_args=2)
    folder, shift = pathlib.Path(folder), opts.frame_shift * opts.subsampling
    pieces: dict[str, list] = {}
    with SequentialReader(rspecifier, "matrix") as reader:
        for key, matrix in reader:
            recording, _, begin = key.rpartition("-w")
            pieces.setdefault(recording, []).append((int(begin) // opts.subsampling, np.array(matrix)))
    segments = []
    with Writer(f"ark,scp:{folder}/loglikes.ark,{folder}/loglikes.scp", "matrix") as out:
        for recording, parts in sorted(pieces.items()):
            parts.sort(key=lambda part: part[0])
            whole = join([matrix for _, matrix in parts], [begin for begin, _ in parts])
            for begin, end in cuts_at_blanks(
                whole, int(opts.min_seconds / shift), int(opts.max_seconds / shift), opts.blank
            ):
                key = f"{recording}-{round(100 * begin * shift):07}-{round(100 * end * shift):07}"
                out.write(key, whole[begin:end])
                segments.append(f"{key} {recording} {begin * shift:.3f} {end * shift:.3f}\n")
    (folder / "segments").write_text("".join(segments))
    log.info(f"{len(pieces)} recordings cut into {len(segments)} pieces")
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
