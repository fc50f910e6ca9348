#!/usr/bin/env python3
"""Split the yesno recordings as Kaldi's recipe does and write data/{train,test}.

Reads <corpus>/*.wav (or <corpus>/waves_yesno/*.wav): a name such as 0_1_1_0_1_0_0_1.wav is also the transcript, 1 = YES.
Writes wav.scp, text, utt2spk, spk2utt in <data>/train (the first 31 of the sorted list) and <data>/test (the other 29).
Example: local/prepare_data.py downloads/waves_yesno data
"""

import pathlib
import re
import sys

NUM_RECORDINGS = 60
NUM_TRAIN = 31
WORDS = {"0": "NO", "1": "YES"}


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 1
    corpus, data = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    if (corpus / "waves_yesno").is_dir():
        corpus = corpus / "waves_yesno"
    waves = sorted(corpus.glob("*.wav"))
    odd = [wave.name for wave in waves if not re.fullmatch(r"[01](_[01]){7}", wave.stem)]
    if odd or len(waves) != NUM_RECORDINGS:
        found = f"{len(waves)} .wav files" + (f", among them {odd[0]}" if odd else "")
        print(
            f"prepare_data.py: {corpus} has {found}; expected {NUM_RECORDINGS} with names of eight 0 or 1 joined by _.\n"
            "prepare_data.py: give the right folder (./run.sh --corpus DIR), or remove it and fetch it again: ./run.sh --stage 0",
            file=sys.stderr,
        )
        return 1
    for part, chosen in (("train", waves[:NUM_TRAIN]), ("test", waves[NUM_TRAIN:])):
        files = {
            "wav.scp": [f"{w.stem} {w}" for w in chosen],
            "text": [f"{w.stem} {' '.join(WORDS[c] for c in w.stem.split('_'))}" for w in chosen],
            "utt2spk": [f"{w.stem} global" for w in chosen],
            "spk2utt": [f"global {' '.join(w.stem for w in chosen)}"],
        }
        (data / part).mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            temporary = data / part / f".{name}.tmp"
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            temporary.rename(data / part / name)
        print(f"prepare_data.py: {data / part} has {len(chosen)} utterances")
    return 0


if __name__ == "__main__":
    sys.exit(main())
