"""Loss, token error rate and word error rate of greedy decoding on a corpus."""

from dataclasses import dataclass

import numpy as np
import torch

from . import data
from .greedy import edit_distance, words_of


@dataclass(frozen=True)
class Result:
    """What evaluate measured: loss in nats a token, rates in percent, and the example's posteriors (T', V)."""

    loss: float
    ter: float
    wer: float
    example_key: str
    example: np.ndarray


def evaluate(model, criterion, corpus, processes, options, tokens) -> Result:
    """Run the model over the corpus, each process its share; greedy decoding (the best column of each frame)."""
    batches = data.make_batches(corpus.num_frames, options.max_frames, options.max_utts * 2, 0, 0, shuffle=False)
    batches.sort(key=lambda index: 0 not in index)  # the example's batch goes to the first process, which writes it
    loss = num_tokens = errors = ref_tokens = word_errors = ref_words = 0.0
    example = np.zeros((0, len(tokens)), np.float32)
    model.eval()
    with torch.inference_mode():
        for index in batches[processes.rank :: processes.count]:
            batch = data.collate(corpus, index)
            lengths = torch.from_numpy(batch.lengths).to(processes.device)
            logits, lengths = model(torch.from_numpy(batch.feats).to(processes.device), lengths)
            losses, _ = criterion([(logits, lengths)], torch.from_numpy(batch.targets),
                                  torch.from_numpy(batch.target_lengths))  # fmt: skip
            loss += float(losses[torch.isfinite(losses)].sum())
            best = criterion.best_columns(logits, lengths)
            for row, i in enumerate(index):
                hyp = criterion.collapse(best[row, : int(lengths[row])])
                ref = corpus.targets[i]
                errors += edit_distance(ref, hyp)
                ref_tokens += len(ref)
                num_tokens += len(ref) + 1
                if options.word_boundary:
                    ref_text, hyp_text = ([tokens[c] for c in x] for x in (ref, hyp))
                    ref_text, hyp_text = (words_of(x, options.word_boundary) for x in (ref_text, hyp_text))
                    word_errors += edit_distance(ref_text, hyp_text)
                    ref_words += len(ref_text)
                if i == 0:
                    example = torch.softmax(logits[row, : int(lengths[row])], 1).cpu().numpy()
    sums = processes.sum([loss, num_tokens, errors, ref_tokens, word_errors, ref_words])
    loss, num_tokens, errors, ref_tokens, word_errors, ref_words = sums
    wer = 100.0 * word_errors / ref_words if ref_words else float("nan")
    return Result(loss / max(1.0, num_tokens), 100.0 * errors / max(1.0, ref_tokens), wer, corpus.keys[0], example)
