#!/usr/bin/env python3
"""CTC loss and gradient: the fused kernel against torch's log_softmax + ctc_loss + backward, paired, median of five.

Usage: tests/bench/ctc_loss.py [--threads 1] [--rounds 5]
With one thread processor time is measured, which other work on the machine disturbs little; with more, wall time.
Prints a line a size: milliseconds of both, the ratio (torch / fused), and the largest error of each gradient against
torch in float64. Exit status 1 where the kernel is slower anywhere, or below 5 times at the two sizes of the aim.
"""

import argparse
import statistics
import sys
import time

import torch
from sidamo.am.loss import ctc_losses

# (T, B, V, tokens); the first two are the aim's.
SIZES = [(300, 16, 50, 40), (500, 32, 5000, 60), (150, 1, 28, 40), (150, 64, 28, 40), (150, 1, 5000, 20), (300, 16, 500, 40),
         (50, 4, 12, 5), (20, 1, 5, 3), (1000, 4, 100, 120)]  # fmt: skip
AIMED = SIZES[:2]


def batch(frames, size, tokens, utts):
    """Random logits (B, T, V) with lengths and targets, the same at every call."""
    g = torch.Generator().manual_seed(0)
    logits = torch.randn(utts, frames, size, generator=g)
    lengths = torch.randint(int(0.8 * frames), frames + 1, (utts,), generator=g)
    lengths[0] = frames
    counts = torch.randint(max(1, int(0.7 * tokens)), tokens + 1, (utts,), generator=g)
    targets = torch.randint(1, size, (int(counts.sum()),), generator=g, dtype=torch.int32)
    return logits, lengths, targets, counts


def once(kind, logits, *rest):
    """(seconds, gradient) of loss and backward."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    x = logits.detach().requires_grad_()
    x.grad = None
    started = clock()
    ctc_losses(x, *rest, kind).sum().backward()
    return clock() - started, x.grad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} thread(s), median of {options.rounds} paired rounds")
    print("    T   B     V  tokens  torch ms  fused ms  ratio   grad error: torch, fused")
    failed = False
    for frames, utts, size, tokens in SIZES:
        data = batch(frames, size, tokens, utts)
        repeat = max(1, int(2e6 / (frames * utts * size)))  # small sizes: many calls a round
        for kind in ("fused", "torch"):
            once(kind, *data)
        times = {"fused": [], "torch": []}
        for _ in range(options.rounds):
            for kind in times:
                times[kind].append(sum(once(kind, *data)[0] for _ in range(repeat)) / repeat)
        exact = once("torch", data[0].double(), *data[1:])[1]
        errors = {kind: float((once(kind, *data)[1] - exact).abs().max()) for kind in times}
        ratio = statistics.median(t / f for t, f in zip(times["torch"], times["fused"]))
        torch_ms, fused_ms = (1e3 * statistics.median(times[kind]) for kind in ("torch", "fused"))
        print(f"{frames:5d} {utts:3d} {size:5d}  {tokens:6d}  {torch_ms:8.3f}  {fused_ms:8.3f}  {ratio:5.1f}   "
              f"{errors['torch']:.1e}, {errors['fused']:.1e}", flush=True)  # fmt: skip
        failed |= ratio < (5.0 if (frames, utts, size, tokens) in AIMED else 1.0)
    print("FAILED: below the aim" if failed else "all at or above the aim")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
