#!/usr/bin/env python3
"""Write data/{train,dev} from the Mboshi-French corpus (Godard et al., LREC 2018), or a part of it.

Reads <corpus>/{train,dev}/<utt>.{wav,flac} with <utt>.mb.cleaned (one line of Mboshi, UTF-8); the folder
full_corpus_newsplit of the public repository has this layout, and may be named by its parent too.
Writes wav.scp, text, utt2spk, spk2utt in <data>/train and <data>/dev; the speaker is the first field of the name.
Example: local/prepare_data.py ~/mboshi-french-parallel-corpus data
"""

import pathlib
import sys
import unicodedata


def read_part(folder: pathlib.Path):
    """(utt, speaker, audio path, words) of each recording that has a transcript; the others are named."""
    audio = {p.stem: p for p in sorted(folder.iterdir()) if p.suffix in (".wav", ".flac")}
    rows, without = [], []
    for utt, path in sorted(audio.items()):
        transcript = path.with_name(f"{utt}.mb.cleaned")
        text = transcript.read_text(encoding="utf-8") if transcript.exists() else ""
        words = unicodedata.normalize("NFC", text).split()
        if words:
            rows.append((utt, utt.split("_")[0], path, words))
        else:
            without.append(utt)
    if without:
        print(f"prepare_data.py: {folder}: {len(without)} recordings have no transcript, the first: {without[0]}")
    if len(without) > 0.05 * max(1, len(audio)) or not rows:
        found = f"only {len(rows)} of {len(audio)} recordings can be used"
        raise SystemExit(f"prepare_data.py: {folder}: {found}; expected <utt>.wav or .flac, each with <utt>.mb.cleaned")
    return rows


def main() -> int:
    if len(sys.argv) != 3 or sys.argv[1] in ("-h", "--help"):
        print(__doc__, file=sys.stdout if "--help" in sys.argv else sys.stderr)
        return 0 if "--help" in sys.argv else 1
    corpus, data = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    if (corpus / "full_corpus_newsplit").is_dir():
        corpus = corpus / "full_corpus_newsplit"
    for part in ("train", "dev"):
        if not (corpus / part).is_dir():
            print(f"prepare_data.py: {corpus} has no folder {part}. Fetch the corpus (git clone "
                  "https://github.com/besacier/mboshi-french-parallel-corpus) and name it: ./run.sh --corpus DIR",
                  file=sys.stderr)  # fmt: skip
            return 1
    for part in ("train", "dev"):
        rows = read_part(corpus / part)
        speakers = {}
        for utt, speaker, _, _ in rows:
            speakers.setdefault(speaker, []).append(utt)
        files = {
            "wav.scp": [f"{utt} {path}" for utt, _, path, _ in rows],
            "text": [f"{utt} {' '.join(words)}" for utt, _, _, words in rows],
            "utt2spk": [f"{utt} {speaker}" for utt, speaker, _, _ in rows],
            "spk2utt": [f"{speaker} {' '.join(utts)}" for speaker, utts in sorted(speakers.items())],
        }
        (data / part).mkdir(parents=True, exist_ok=True)
        for name, lines in files.items():
            temporary = data / part / f".{name}.tmp"
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            temporary.rename(data / part / name)
        print(f"prepare_data.py: {data / part} has {len(rows)} utterances of {len(speakers)} speakers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
