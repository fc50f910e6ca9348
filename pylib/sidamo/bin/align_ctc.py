"""align-ctc: forced alignment of transcripts to log-likelihoods."""

import os
import sys

from sidamo.bin import tool
from sidamo.io.options import Options

USAGE = """Aligns transcripts: the best CTC path through all pronunciations of the words.

Usage: align-ctc [options] <lang-dir> <loglikes-rspecifier> <text-rspecifier> <alignment-wspecifier>
E.g.: align-ctc --ctm=words.ctm --textgrid-dir=textgrids data/lang scp:loglikes.scp ark:data/train/text ark:ali.ark

The alignment is an int vector of labels (tokens.txt) per frame, 1 for blank."""


@tool
def main(argv=None) -> int:
    options = Options(USAGE)
    options.add("ctm", "", "file of word times: <utt> 1 <start> <duration> <word>")
    options.add("unit-ctm", "", "file of unit times, the same format")
    options.add("textgrid-dir", "", "folder of Praat TextGrids, one an utterance, with the tiers words and units")
    options.add("scores", "", "wspecifier of floats: log-likelihood of the best path per frame")
    options.add("frame-shift", 0.03, "seconds per row of the log-likelihoods")
    options.add("extend", 0.06, "seconds by which a unit reaches into the blanks beside it, at most")
    opts, (lang, loglikes, text, out) = options.parse(argv, num_args=4)
    from contextlib import ExitStack

    from sidamo.am.align import make_graph, segments_of, text_grid, viterbi
    from sidamo.am.lexicon import Lexicon
    from sidamo.io import tables
    from sidamo.io.errors import DataError
    from sidamo.io.log import info, warn

    lexicon, shift = Lexicon(lang), opts.frame_shift
    done, failed, total, frames = 0, 0, 0.0, 0
    with ExitStack() as stack:
        texts = stack.enter_context(tables.RandomAccessReader(text, "token_vector"))
        writer = stack.enter_context(tables.Writer(out, "int_vector"))
        scores = stack.enter_context(tables.Writer(opts.scores, "float")) if opts.scores else None
        ctm, unit_ctm = (stack.enter_context(open(f, "w", encoding="utf-8")) if f else None
                         for f in (opts.ctm, opts.unit_ctm))  # fmt: skip
        if opts.textgrid_dir:
            os.makedirs(opts.textgrid_dir, exist_ok=True)
        for utt, matrix in stack.enter_context(tables.SequentialReader(loglikes, "matrix")):
            try:
                if utt not in texts:
                    raise DataError("no transcript")
                words = texts[utt]
                graph = make_graph(lexicon.pronunciations(words), lexicon.silence)
                score, path = viterbi(matrix, graph)
            except DataError as error:
                warn(f"{utt}: {error}")
                failed += 1
                continue
            writer.write(utt, [graph.labels[s] + 1 for s in path])
            if scores:
                scores.write(utt, score / len(path))
            units, word_segments = segments_of(path, graph, round(opts.extend / shift))
            tiers = {
                "words": [(s.start * shift, s.end * shift, words[s.name]) for s in word_segments],
                "units": [(s.start * shift, s.end * shift, lexicon.columns[s.name]) for s in units],
            }
            for file, tier in ((ctm, "words"), (unit_ctm, "units")):
                for start, end, name in tiers[tier] if file else ():
                    file.write(f"{utt} 1 {start:.2f} {end - start:.2f} {name}\n")
            if opts.textgrid_dir:
                with open(os.path.join(opts.textgrid_dir, f"{utt}.TextGrid"), "w", encoding="utf-8") as file:
                    file.write(text_grid(len(matrix) * shift, tiers))
            done, total, frames = done + 1, total + score, frames + len(path)
    info(f"Done {done} utterances, {failed} failed; log-likelihood per frame {total / max(1, frames):.4f}")
    return 0 if done and failed <= 0.05 * (done + failed) else 1


if __name__ == "__main__":
    sys.exit(main())
