#!/usr/bin/env python3
"""Guess the digits of each speaker, knowing that he says every digit equally often, as the corpus has it.

Reads <data>/utt2spk, the log-likelihoods that steps/compute_loglikes.sh wrote, a lexicon, a list of words, tokens.txt.
Writes <text>: lines <utt> <word>.
Example: local/balanced_hypotheses.py data/loo_george_test exp/voices_loo_george/loglikes_loo_george_test/loglikes.scp \\
           data/local/dict/lexicon.txt data/local/digits data/lang/tokens.txt data/loo_george_balanced/text

A voice that the model does not know has its favourite mistakes: all of one speaker's "three" become "eight". So that the
posteriors P(word | recording), summed over a speaker's recordings, are the same for every word, each word gets a weight
of the speaker's own (EM for class priors, Saerens et al. 2002, turned around: the priors are known). No transcript is read.
"""

import pathlib
import sys

import numpy as np
import torch
from sidamo.am.loss import ctc_losses
from sidamo.am.tokens import read_columns
from sidamo.io import script
from sidamo.io.tables import SequentialReader

ROUNDS = 50  # of the iteration: far more than it takes


def log_probabilities(loglikes: np.ndarray, spellings: list[list[int]]) -> np.ndarray:
    """log P(word | recording) by CTC's sum over paths: (T, V) log posteriors, columns of each word -> (words,)."""
    logits = torch.from_numpy(np.array(loglikes, np.float32)).expand(len(spellings), -1, -1)
    lengths = torch.full((len(spellings),), len(loglikes))
    targets = torch.tensor([column for word in spellings for column in word], dtype=torch.int32)
    return -ctc_losses(logits, lengths, targets, torch.tensor([len(word) for word in spellings])).numpy()


def balanced(scores: np.ndarray) -> np.ndarray:
    """Best word of each recording after weighing the words: (recordings, words) -> (recordings,)."""
    scores = np.maximum(scores.astype(np.float64), -1e4)  # a word that does not fit into the frames: -inf
    weight = np.zeros(scores.shape[1])
    for _ in range(ROUNDS):
        posterior = np.exp(scores + weight - np.max(scores + weight, 1, keepdims=True))
        posterior /= posterior.sum(1, keepdims=True)
        weight -= np.log(posterior.mean(0) * len(weight) + 1e-10)
    return np.argmax(scores + weight, 1)


def main() -> int:
    parser = script.argument_parser(__doc__)
    for name in ("data", "loglikes", "lexicon", "words", "tokens", "text"):
        parser.add_argument(name, type=pathlib.Path)
    args = parser.parse_args()
    columns = {token: i for i, token in enumerate(read_columns(args.tokens))}
    lexicon = {line.split()[0]: line.split()[1:] for line in args.lexicon.read_text().splitlines()}
    words = args.words.read_text().split()
    spellings = [[columns[phone] for phone in lexicon[word]] for word in words]
    speaker = dict(line.split() for line in (args.data / "utt2spk").read_text().splitlines())
    scores: dict[str, dict[str, np.ndarray]] = {}
    with SequentialReader(f"scp:{args.loglikes}", "matrix") as reader:
        for utt, loglikes in reader:
            scores.setdefault(speaker[utt], {})[utt] = log_probabilities(loglikes, spellings)
    text = {}
    for rows in scores.values():
        text.update(zip(rows, (words[i] for i in balanced(np.stack(list(rows.values()))))))
    args.text.write_text("".join(f"{utt} {word}\n" for utt, word in sorted(text.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
