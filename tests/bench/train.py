#!/usr/bin/env python3
"""Throughput of the trainer against a bare torch loop: same network, loss and batches, data already in memory.

Usage: tests/bench/train.py [--network tdnn] [--threads 1] [--rounds 5] [--clock wall]
Prints updates per second of both and the ratio (trainer / bare). Exit status 1 below 0.95.
--clock cpu measures processor time, for a machine with other work on it; it counts the loading thread in full.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np
import torch
from sidamo.am import data, nets, parallel
from sidamo.am.loss import ctc_losses
from sidamo.am.model import AcousticModel
from sidamo.am.options import TrainOptions
from sidamo.am.trainer import Trainer
from sidamo.io import tables

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
DIM, TOKENS, UTTS, FRAMES = 40, 40, 320, 300


def write_corpus(folder: pathlib.Path) -> None:
    """Random utterances of 200 to 400 frames."""
    rng = np.random.default_rng(0)
    with (
        tables.Writer(f"ark,scp:{folder}/feats.ark,{folder}/feats.scp", "matrix") as feats,
        tables.Writer(f"ark:{folder}/targets.ark", "int_vector") as targets,
    ):
        for i in range(UTTS):
            frames = int(rng.integers(FRAMES - 100, FRAMES + 100))
            feats.write(f"u{i:04d}", rng.normal(size=(frames, DIM)).astype(np.float32))
            targets.write(f"u{i:04d}", rng.integers(2, TOKENS + 1, frames // 10).tolist())


def bare_epoch(model, optimizer, batches, clock) -> float:
    """Seconds of an epoch of the plainest loop."""
    model.train()
    started = clock()
    for batch in batches:
        logits, lengths = model(torch.from_numpy(batch.feats), torch.from_numpy(batch.lengths))
        losses = ctc_losses(logits, lengths, torch.from_numpy(batch.targets), torch.from_numpy(batch.target_lengths))
        (losses.sum() / (len(batch.targets) + len(batch.lengths))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad()
    return clock() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="tdnn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    options = parser.parse_args()
    clock = CLOCKS[options.clock]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_corpus(folder)
        train = TrainOptions(num_epochs=options.rounds + 1, max_utts=16, sort_first_epoch=False, use_gpu="no",
                             num_threads=options.threads, save_seconds=1e9)  # fmt: skip
        corpus = data.Corpus(folder / "feats.scp", f"ark:{folder}/targets.ark", TOKENS, train.subsampling)
        config = {"network": options.network, "options": {}, "input_dim": DIM, "num_tokens": TOKENS,
                  "subsampling": train.subsampling}  # fmt: skip
        nets.options_class(options.network)
        torch.manual_seed(0)
        processes = parallel.join("no", options.threads)
        trainer = Trainer(AcousticModel(config), corpus, corpus, train, processes, str(folder),
                          [str(i) for i in range(TOKENS)])  # fmt: skip
        # An epoch of the trainer is timed without its dev set and its files.
        trainer.finish_epoch = lambda started: None
        bare = AcousticModel(config)
        optimizer = torch.optim.AdamW(bare.parameters(), lr=1e-4, betas=(0.9, 0.98))
        ratios, speeds = [], []
        for round_number in range(options.rounds + 1):
            trainer.state.epoch, trainer.state.update = round_number, 0
            batches = [data.collate(corpus, index) for group in trainer.groups() for index in group]
            mine = bare_epoch(bare, optimizer, batches, clock)
            started = clock()
            trainer.run_epoch()
            theirs = clock() - started
            if round_number:  # the first warms up
                ratios.append(mine / theirs)
                speeds.append((len(batches) / mine, len(batches) / theirs))
    bare_speed, trainer_speed = (statistics.median(s[i] for s in speeds) for i in (0, 1))
    ratio = statistics.median(ratios)
    print(f"{options.network}, {options.threads} thread(s), {len(batches)} updates of up to 16 utterances, median of "
          f"{options.rounds}: bare loop {bare_speed:.2f} updates/s, trainer {trainer_speed:.2f} updates/s, "
          f"ratio {ratio:.3f}")  # fmt: skip
    return int(ratio < 0.95)


if __name__ == "__main__":
    sys.exit(main())
