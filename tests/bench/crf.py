#!/usr/bin/env python3
"""The denominator of CTC-CRF and its gradient: the compiled kernel against the same in torch's operations, paired.

Usage: tests/bench/crf.py [--rounds 5]
The sums of egs/mboshi: a trigram of 33 letters with some 600 histories, 32 utterances of 110 output frames; and a bigram.
Processor time of one thread. Prints a line an order: milliseconds of both, the median of the ratios (torch / compiled), and the
largest difference of the gradients. Exit status 1 where the kernel is the slower one.
"""

import argparse
import statistics
import sys
import time

import numpy as np
import torch
from sidamo.am.crf import LogDenominator, log_denominator_by_torch
from sidamo.am.token_graph import TokenGraph

TOKENS, UTTS, FRAMES = 34, 32, 110


def graph_of(order: int) -> TokenGraph:
    """An n-gram of random strings in which some letters are much more frequent than others, as in a language."""
    rng = np.random.default_rng(0)
    share = 1 / np.arange(1, TOKENS)
    after = rng.dirichlet(20 * share / share.sum(), size=TOKENS)  # what follows each letter
    targets = []
    for _ in range(2000):
        target = [int(rng.integers(1, TOKENS))]
        for _ in range(30):
            target.append(1 + int(rng.choice(TOKENS - 1, p=after[target[-1]])))
        targets.append(np.array(target))
    return TokenGraph.estimate(targets, TOKENS, order)


def once(function, logits, lengths, graph):
    """(seconds, gradient)."""
    x = logits.clone().requires_grad_()
    started = time.process_time()
    function(x, lengths, graph).sum().backward()
    return time.process_time() - started, x.grad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    logits = 3 * torch.randn(UTTS, FRAMES, TOKENS)
    lengths = torch.randint(FRAMES - 20, FRAMES + 1, (UTTS,))
    functions = {"compiled": LogDenominator.apply, "torch": log_denominator_by_torch}
    print(f"torch {torch.__version__}, 1 thread, median of {options.rounds} paired rounds")
    print("order  histories  torch ms  compiled ms  ratio  gradients differ by")
    slower = False
    for order in (3, 2):
        graph = graph_of(order)
        grads = {name: once(function, logits, lengths, graph)[1] for name, function in functions.items()}
        times: dict[str, list[float]] = {name: [] for name in functions}
        for _ in range(options.rounds):
            for name, function in functions.items():
                times[name].append(once(function, logits, lengths, graph)[0])
        ratio = statistics.median(t / c for t, c in zip(times["torch"], times["compiled"]))
        torch_ms, compiled_ms = (1e3 * statistics.median(times[name]) for name in ("torch", "compiled"))
        apart = float((grads["torch"] - grads["compiled"]).abs().max())
        print(f"{order:5d}  {len(graph.last):9d}  {torch_ms:8.1f}  {compiled_ms:11.1f}  {ratio:5.1f}  {apart:.1e}", flush=True)
        slower |= ratio < 1
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
