"""split-long-feats: a data directory of overlapping windows of long recordings."""

import pathlib

from sidamo.bin import tool
from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.options import Options
from sidamo.io.tables import SequentialReader

USAGE = """Make a data directory whose utterances are overlapping windows of the features of long recordings (ranges in
feats.scp; nothing is copied). The keys are <recording>-w<first frame>.

Usage: python3 -m sidamo.bin.split_long_feats [options] <data-in> <data-out>"""


@tool
def main(argv=None) -> int:
    from sidamo.decode.long_audio import windows

    options = Options(USAGE)
    options.add("window", 3000, "Frames of a window")
    options.add("overlap", 600, "Frames that neighbours share")
    options.add("multiple", 12, "Windows begin at multiples of this many frames (of the network's subsampling)")
    opts, (source, target) = options.parse(argv, num_args=2)
    step = opts.multiple
    window, overlap = max(opts.window // step, 1) * step, opts.overlap // step * step
    if not 0 <= overlap < window:
        raise DataError(f"--overlap={opts.overlap}: must be below --window={opts.window}")
    source, target = pathlib.Path(source), pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    speaker = dict(line.split() for line in (source / "utt2spk").read_text().splitlines())
    feats, utt2spk = [], []
    with SequentialReader(f"scp:{source}/feats.scp", "matrix") as reader:
        length = {key: len(matrix) for key, matrix in reader}
    for line in (source / "feats.scp").read_text().splitlines():
        key, name = line.split(None, 1)
        if name.endswith("]"):
            raise DataError(f"{key} is a range of a matrix already", file=str(source / "feats.scp"),
                            mend="copy-feats scp:feats.scp ark,scp:new.ark,new.scp")  # fmt: skip
        for begin, end in windows(length[key], window, overlap):
            feats.append(f"{key}-w{begin:07} {name}[{begin}:{end - 1}]")
            utt2spk.append(f"{key}-w{begin:07} {speaker[key]}")
    (target / "feats.scp").write_text("".join(row + "\n" for row in sorted(feats)))
    (target / "utt2spk").write_text("".join(row + "\n" for row in sorted(utt2spk)))
    if (source / "cmvn.scp").exists():
        (target / "cmvn.scp").write_text((source / "cmvn.scp").read_text())
    log.info(f"{len(length)} recordings in {len(feats)} windows")
    return 0


if __name__ == "__main__":
    import sys

    sys.exit(main())
