"""When each word was said: the lattice tools align the lattices with words, and a CTM comes out."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile

from sidamo.io import log

PIPELINE = (
    "set -o pipefail; lattice-align-words --print-args=false --words={graph}/words.txt --tokens={graph}/tokens.txt "
    "{graph}/phones/align_lexicon.txt ark:{folder}/lat.ark ark:- | lattice-to-ctm-conf --print-args=false "
    "--decode-mbr=false --frame-shift=1.0 --acoustic-scale={scale} --confidence-digits=3 ark:- {folder}/ctm"
)


def word_times(lattices: dict[str, tuple], graph: str, scale: float, seconds: dict[str, float]) -> dict[str, list]:
    """Words of the best paths with times and confidences.

    Parameters
    ----------
    lattices : utterance -> (compact lattice, function from word id to word)
    graph : directory with words.txt, tokens.txt and phones/align_lexicon.txt
    scale : acoustic scale
    seconds : duration of each utterance; frames are spread over it, whatever the network's subsampling

    Returns
    -------
    utterance -> [{"word", "start", "duration" (seconds), "confidence"}]; empty where the tools fail (with a warning)
    """
    if not lattices or not os.path.exists(os.path.join(graph, "phones", "align_lexicon.txt")):
        return {}
    from sidamo.io.tables import Writer

    with tempfile.TemporaryDirectory() as folder:
        with Writer(f"ark:{folder}/lat.ark", "compact_lattice") as writer:
            for utt, (lattice, _) in sorted(lattices.items()):
                writer.write(utt, lattice)
        command = PIPELINE.format(graph=shlex.quote(graph), folder=shlex.quote(folder), scale=scale)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        if done.returncode != 0 or not os.path.exists(f"{folder}/ctm"):
            log.warn(f"no word times: {' '.join(done.stderr.split()[-40:])}")
            return {}
        with open(f"{folder}/ctm", encoding="utf-8") as stream:
            rows = [line.split() for line in stream]
    out: dict[str, list[dict]] = {}
    for utt, _, start, duration, label, *confidence in rows:
        lattice, words = lattices[utt]
        second = seconds[utt] / max(1, num_frames(lattice))  # of one frame
        out.setdefault(utt, []).append(
            {
                "word": words(int(label)), "start": round(float(start) * second, 3),
                "duration": round(float(duration) * second, 3),
                "confidence": min(1.0, float(confidence[0])) if confidence else None,
            }
        )  # fmt: skip
    return out


def num_frames(lattice) -> int:
    """Frames of a topologically sorted compact lattice: those on any one path."""
    state, total = lattice.start, 0
    while lattice.offsets[state] < lattice.offsets[state + 1]:
        arc = lattice.offsets[state]
        total += int(lattice.string_offsets[arc + 1] - lattice.string_offsets[arc])
        state = int(lattice.nextstate[arc])
    return total + int(lattice.final_string_length[state])
