#!/usr/bin/env python3
"""Write data/all from the Free Spoken Digit Dataset, and the lists of its splits.

Reads <corpus>/<digit>_<speaker>_<index>.wav (or <corpus>/recordings/), 8 kHz.
Writes wav.scp, segments, text, utt2spk, spk2utt in <data>/all, utterances named <speaker>-<digit>-<index>; and lists of
utterances in <data>/local: official_{train,dev,test} (the published split: indices 0 to 4 test) and, for each speaker,
loo_<speaker>_{train,dev,test}: test holds all of the speaker, dev the others' indices 0 to 4, train the rest.
Example: local/prepare_data.py ~/free-spoken-digit-dataset data

The segments leave out the pauses around a word. Half of one speaker's frames are pauses and hardly any of another's, so
that without this the mean and variance of a speaker's features tell how he cut his recordings, not how he sounds.
"--trim false": the recordings as they are.
"""

import pathlib
import re
import sys
import wave

import numpy as np
from endpoints import endpoints
from sidamo.io import script

WORDS = "zero one two three four five six seven eight nine".split()
TEST_INDICES = range(5)


def write(path: pathlib.Path, lines) -> None:
    """Write lines under a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    temporary.rename(path)


def segment(path: pathlib.Path, trim: bool) -> str:
    """Begin and end in seconds, of the word in a recording or of the whole."""
    with wave.open(str(path)) as file:
        rate, samples = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), "<i2")
    begin, end = endpoints(samples, rate) if trim else (0.0, len(samples) / rate)
    return f"{begin:.4f} {end:.4f}"


def main() -> int:
    parser = script.argument_parser(__doc__)
    parser.add_argument("corpus", type=pathlib.Path, help="the repository, or its folder recordings")
    parser.add_argument("data", type=pathlib.Path, help="folder of the data directories")
    parser.add_argument("--trim", choices=("true", "false"), default="true", help="leave out pauses (default true)")
    args = parser.parse_args()
    corpus, data = args.corpus.resolve(), args.data
    if (corpus / "recordings").is_dir():
        corpus = corpus / "recordings"
    rows = []  # (utterance, speaker, digit, index, path)
    for path in sorted(corpus.glob("*.wav")):
        match = re.fullmatch(r"(\d)_([a-z]+)_(\d+)", path.stem)
        if not match:
            print(f"prepare_data.py: {path}: expected <digit>_<speaker>_<index>.wav", file=sys.stderr)
            return 1
        digit, speaker, index = int(match[1]), match[2], int(match[3])
        rows.append((f"{speaker}-{digit}-{index:02d}", speaker, digit, index, path))
    rows.sort()
    speakers = sorted({row[1] for row in rows})
    if len(speakers) < 2:
        print(f"prepare_data.py: {corpus} has {len(rows)} recordings of {len(speakers)} speakers; fetch the corpus "
              "(git clone https://github.com/Jakobovski/free-spoken-digit-dataset) and name it: ./run.sh --corpus DIR",
              file=sys.stderr)  # fmt: skip
        return 1

    write(data / "all/wav.scp", (f"{utt} {path}" for utt, _, _, _, path in rows))
    write(data / "all/segments", (f"{utt} {utt} {segment(path, args.trim == 'true')}" for utt, _, _, _, path in rows))
    write(data / "all/text", (f"{utt} {WORDS[digit]}" for utt, _, digit, _, _ in rows))
    write(data / "all/utt2spk", (f"{utt} {speaker}" for utt, speaker, _, _, _ in rows))
    write(data / "all/spk2utt", (f"{s} {' '.join(r[0] for r in rows if r[1] == s)}" for s in speakers))
    lists = {
        "official_train": [r[0] for r in rows if r[3] not in TEST_INDICES],
        "official_dev": [r[0] for r in rows if r[3] not in TEST_INDICES and r[3] % 10 == 9],
        "official_test": [r[0] for r in rows if r[3] in TEST_INDICES],
    }
    for left_out in speakers:
        others = [r for r in rows if r[1] != left_out]
        lists[f"loo_{left_out}_train"] = [r[0] for r in others if r[3] not in TEST_INDICES]
        lists[f"loo_{left_out}_dev"] = [r[0] for r in others if r[3] in TEST_INDICES]
        lists[f"loo_{left_out}_test"] = [r[0] for r in rows if r[1] == left_out]
    # The official split has no dev set: a tenth of its training part is held out for choosing epochs.
    lists["official_train"] = sorted(set(lists["official_train"]) - set(lists["official_dev"]))
    for name, utts in lists.items():
        write(data / f"local/{name}", utts)
    write(data / "local/splits", ["official"] + [f"loo_{s}" for s in speakers])
    print(f"prepare_data.py: {len(rows)} recordings of {len(speakers)} speakers in {data}/all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
