"""The training loop: epochs of updates, checkpoints within them, and the model at the end.

What a run does next is a function of its position (epoch, update) and of its seed, never of random state carried
along: the batches of an epoch, the masks of SpecAugment and dropout are drawn afresh from (seed, position). So a
checkpoint holds parameters, optimizer and position, and a resumed run walks the same path as an unbroken one.
"""

import ctypes
import math
import os
import sys
import time
from contextlib import contextmanager

import numpy as np
import torch

from sidamo.io.errors import DataError
from sidamo.io.log import info, warn

from . import checkpoint, data, optim, priors
from .augment import Augment
from .criterion import disagreement, make_criterion
from .evaluate import evaluate
from .model import AcousticModel
from .options import TrainOptions
from .parallel import Processes
from .schedule import learning_rate

SMOOTHING = 0.98  # of the running loss that an exploding one is held against
SMALL = 0.1  # nats a token: a running loss below that is taken for it, lest every hard utterance counts as exploding
TRIM_SECONDS = 10.0
STEADY = 50  # updates before the running loss is trusted


class Trainer:
    """Trains one model.

    Parameters
    ----------
    model : AcousticModel
    train, dev : data.Corpus
    options : TrainOptions
    processes : parallel.Processes
    out : str, the experiment directory
    tokens : list of str, name of each column
    """

    def __init__(self, model: AcousticModel, train, dev, options: TrainOptions, processes: Processes, out, tokens):
        self.model, self.train, self.dev = model.to(processes.device), train, dev
        self.options, self.processes, self.out, self.tokens = options, processes, out, tokens
        self.criterion = make_criterion(options, len(tokens), train.targets).to(processes.device)
        self.parameters = [
            p for p in [*self.model.parameters(), *self.criterion.parameters()] if p.requires_grad
        ]
        self.optimizer = optim.make_optimizer(self.model, self.criterion, options)
        self.ema = optim.MovingAverage(self.model, options.ema_decay) if options.ema_decay else None
        self.augment = make_augment(options)
        self.views = 2 if options.consistency_weight > 0 else 1
        self.state = checkpoint.State()
        self.bad_in_a_row = 0
        self.last_saved = self.last_trimmed = time.monotonic()

    # ----- the walk -----

    def run(self) -> None:
        """Train to the end, from the last checkpoint where there is one; epoch_N.pt and curve.tsv appear on the way."""
        self.resume()
        started = time.monotonic()
        while self.state.epoch < self.options.num_epochs and not self.should_stop():
            self.run_epoch()
            if self.options.max_seconds and time.monotonic() - started > self.options.max_seconds:
                info(f"stopping after {self.state.epoch} epochs: --max-seconds={self.options.max_seconds:g} is over")
                break
        if self.state.num_bad:
            warn(f"{self.state.num_bad} bad batches were skipped, {self.state.num_infeasible} infeasible utterances")

    def should_stop(self) -> bool:
        """Has the dev error not improved for `patience` epochs?"""
        ters = [row["dev_ter"] for row in self.state.curve]
        if not self.options.patience or not ters:
            return False
        stalled = len(ters) - 1 - int(np.argmin(ters))
        if stalled >= self.options.patience:
            info(f"early stop: dev TER has not improved on {min(ters):.2f}% for {stalled} epochs")
            return True
        return False

    def groups(self) -> list[list[np.ndarray]]:
        """The updates of this epoch: each a list of batches (`accumulate` of them), of all processes together."""
        o, count = self.options, self.processes.count
        batches = data.make_batches(
            self.train.num_frames, o.max_frames * count, o.max_utts * count, o.seed, self.state.epoch,
            sort=o.sort_first_epoch and self.state.epoch == 0,
        )  # fmt: skip
        batches = [b for b in batches if len(b) >= count]
        return [batches[i : i + o.accumulate] for i in range(0, len(batches), o.accumulate)]

    def run_epoch(self) -> None:
        """One pass, from the position in the state to the end; then the dev set, and the files of an epoch."""
        state, rank, count = self.state, self.processes.rank, self.processes.count
        watch = Stopwatch(state.epoch_seconds, state.epoch_cpu_seconds)
        groups = self.groups()
        todo = groups[state.update :]
        epoch = state.epoch

        def load(group):
            batches = [data.collate(self.train, index[rank::count], self.augment, epoch, self.views) for index in group]
            return [self.tensors(batch) for batch in batches]

        self.model.train()
        with progress(len(groups), state.update, f"epoch {epoch + 1}", self.processes.is_first) as tick:
            for group, batches in zip(todo, data.prefetch(load, todo)):
                self.update(group, batches, len(groups))
                state.update += 1
                state.epoch_seconds, state.epoch_cpu_seconds = watch.seconds, watch.cpu_seconds
                tick(state.epoch_loss / max(1.0, state.epoch_tokens))
                self.maybe_save()
                self.maybe_trim()
        self.finish_epoch(watch)

    def finish_epoch(self, watch: "Stopwatch") -> None:
        """Measure the dev set, add a row to the curve, write the epoch's model, move on to the next epoch."""
        state = self.state
        with self.averaged_weights():
            result = evaluate(self.model, self.criterion, self.dev, self.processes, self.options, self.tokens)
            previous = min((row["dev_ter"] for row in state.curve), default=math.inf)
            if previous - result.ter < self.options.newbob_threshold and state.curve:
                state.newbob *= 0.5
            state.curve.append({
                "epoch": state.epoch + 1, "step": state.step,
                "train_loss": state.epoch_loss / max(1.0, state.epoch_tokens), "dev_loss": result.loss,
                "dev_ter": result.ter, "dev_wer": result.wer, "lr": state.lr,
                "seconds": watch.seconds, "cpu_seconds": watch.cpu_seconds,
            })  # fmt: skip
            if self.processes.is_first:
                keep = self.epochs_to_average()
                checkpoint.write_epoch(self.out, state.epoch + 1, self.model, keep, **self.model_extra())
                checkpoint.write_posteriors(self.out, state.epoch + 1, result.example_key, result.example)
        row = state.curve[-1]
        state.epoch, state.update = state.epoch + 1, 0
        state.epoch_loss = state.epoch_tokens = state.epoch_seconds = state.epoch_cpu_seconds = 0.0
        self.save()
        if self.processes.is_first:
            checkpoint.write_curve(self.out, state.curve)
            wer = "" if math.isnan(row["dev_wer"]) else f", dev WER {row['dev_wer']:.2f}%"
            info(
                f"epoch {row['epoch']}/{self.options.num_epochs}: train loss {row['train_loss']:.4f}, "
                f"dev loss {row['dev_loss']:.4f}, dev TER {row['dev_ter']:.2f}%{wer}, lr {row['lr']:.2e}, "
                f"{row['seconds']:.1f} s"
            )
        self.model.train()

    def epochs_to_average(self) -> list[int]:
        """Epoch numbers (from 1) whose models final.pt will be the mean of."""
        rows = self.state.curve
        if self.options.average_mode == "best":
            rows = sorted(rows, key=lambda row: (row["dev_ter"], row["dev_loss"]))
        else:
            rows = rows[::-1]
        return [row["epoch"] for row in rows[: self.options.average]]

    def model_extra(self) -> dict:
        """What stands beside the weights in epoch_N.pt and final.pt: decoding needs it."""
        counts = priors.label_counts(self.train.targets, len(self.tokens))
        return {
            "tokens": list(self.tokens), "label_counts": torch.from_numpy(counts),
            "criterion": self.criterion.state_dict(), "criterion_name": self.options.criterion,
        }  # fmt: skip

    # ----- one update -----

    def update(self, group, batches, updates_per_epoch: int) -> None:
        """One step of the optimizer on the batches of this process; a bad one is named, skipped and counted."""
        o, state = self.options, self.state
        torch.manual_seed(mix(o.seed, state.epoch, state.update, self.processes.rank))
        state.lr = learning_rate(o, (state.epoch + state.update / updates_per_epoch) / o.num_epochs, state.step,
                                 state.newbob)  # fmt: skip
        optim.set_learning_rate(self.optimizer, state.lr)
        # The denominator is known beforehand, so that gradients of parts simply add up.
        num_tokens = float(sum(self.train.num_labels[index].sum() + len(index) for index in group))
        buffers = [b.clone() for b in self.model.buffers()]
        loss = infeasible = 0.0
        for batch in batches:
            part, bad = self.backward(batch, num_tokens)
            loss, infeasible = loss + part, infeasible + bad
        for p in self.parameters:
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        self.processes.sum_gradients(self.parameters)
        loss, infeasible = self.processes.sum([loss, infeasible])
        norm = float(torch.nn.utils.clip_grad_norm_(self.parameters, o.clip_norm or math.inf))
        per_token = loss / num_tokens
        limit = o.explode * max(state.running_loss, SMALL) if state.num_good >= STEADY else math.inf
        if math.isfinite(per_token) and math.isfinite(norm) and per_token <= limit:
            self.optimizer.step()
            if hasattr(self.model.encoder, "after_update"):
                self.model.encoder.after_update(state.step)
            if self.ema:
                self.ema.update(self.model)
            self.bad_in_a_row = 0
            state.num_good += 1
            state.epoch_loss += loss
            state.epoch_tokens += num_tokens
            share = SMOOTHING if state.num_good > 1 else 0.0
            state.running_loss = share * state.running_loss + (1 - share) * per_token
        else:
            with torch.no_grad():
                for buffer, before in zip(self.model.buffers(), buffers):
                    buffer.copy_(before)
            self.skip(group, per_token, norm)
        state.num_infeasible += int(infeasible)
        self.optimizer.zero_grad(set_to_none=False)
        state.step += 1

    def tensors(self, batch: data.Batch) -> list[torch.Tensor]:
        """Features, lengths, targets, target lengths; in pinned memory for a GPU, which then fetches them as it computes."""
        tensors = [torch.from_numpy(x) for x in (batch.feats, batch.lengths, batch.targets, batch.target_lengths)]
        if self.processes.device.type != "cuda":
            return tensors
        torch.cuda.set_device(self.processes.device)  # this is the loading thread, which has not chosen one
        return [x.pin_memory() for x in tensors]

    def backward(self, batch: list[torch.Tensor], num_tokens: float) -> tuple[float, int]:
        """Add the gradient of one batch of `tensors`; return (its summed loss, its number of infeasible utterances)."""
        device = self.processes.device
        feats, lengths, targets, target_lengths = batch
        feats, lengths = (x.to(device, non_blocking=True) for x in (feats, lengths))
        with torch.autocast(device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            outputs = self.model.forward_training(feats, lengths)
        losses, objective = self.criterion(outputs, targets, target_lengths)
        if self.views == 2:
            objective = 0.5 * (objective + self.options.consistency_weight * disagreement(*outputs[-1]))
        if self.state.epoch < self.options.flat_start_epochs:
            objective = self.criterion.flat_start(outputs, targets, target_lengths, feats)
        (objective / num_tokens).backward()
        losses = losses.detach()
        finite = ~torch.isinf(losses)
        return float(losses[finite].sum()) / self.views, int((~finite).sum()) // self.views

    def skip(self, group, per_token: float, norm: float) -> None:
        """Name and count a bad update; a run of them ends training."""
        state = self.state
        state.num_bad += 1
        self.bad_in_a_row += 1
        names = [self.train.keys[i] for index in group for i in index]
        if self.processes.is_first:
            warn(
                f"skipped a bad batch: epoch {state.epoch + 1}, update {state.update + 1}, loss {per_token:.4g} a "
                f"token, gradient norm {norm:.4g} (recent loss {state.running_loss:.4g}); "
                f"utterances: {' '.join(names)}"
            )
        if self.bad_in_a_row >= self.options.max_bad_batches:
            raise DataError(
                f"{self.bad_in_a_row} bad batches in a row (loss or gradient is no number, or exploded); the last good "
                f"checkpoint is in place",
                file=os.path.join(self.out, checkpoint.LAST),
                mend="look at the features of the utterances named above; or lower --learning-rate or --clip-norm, "
                "and train again from the start",
            )

    # ----- checkpoints -----

    @contextmanager
    def averaged_weights(self):
        """Within: the moving average stands in for the weights, where there is one."""
        if self.ema is None:
            yield
            return
        self.ema.swap(self.model)
        try:
            yield
        finally:
            self.ema.swap(self.model)

    def maybe_save(self) -> None:
        """Save where `save_seconds` have gone by."""
        if time.monotonic() - self.last_saved >= self.options.save_seconds:
            self.save()

    def save(self) -> None:
        """Write the checkpoint, unless the last update was bad; a full disk costs the checkpoint, not the run."""
        self.last_saved = time.monotonic()
        if not self.processes.is_first or self.bad_in_a_row:
            return
        try:
            checkpoint.write_last(self.out, self.model, self.criterion, self.optimizer, self.ema, self.state)
        except OSError as error:
            warn(f"no checkpoint written: {error}; the one before is still in place, training goes on")

    def maybe_trim(self) -> None:
        """Hand freed memory to the system now and then: batches of ever other lengths leave glibc's heap full of holes.

        Without it a network of 2 million weights held 6 GB after an epoch, with it 3 at the most; a trim takes 0.1 s.
        """
        if self.processes.device.type != "cpu" or time.monotonic() - self.last_trimmed < TRIM_SECONDS:
            return
        self.last_trimmed = time.monotonic()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None  # glibc has it
        if trim is not None:
            trim(0)

    def resume(self) -> None:
        """Go on from the last checkpoint, where there is one."""
        found = checkpoint.read_last(
            self.out, self.model, self.criterion, self.optimizer, self.ema, self.processes.device
        )
        if found is not None:
            self.state = found
            info(f"going on after epoch {self.state.epoch}, update {self.state.update} (step {self.state.step})")
        self.processes.wait()


class Stopwatch:
    """Time since it was made, and before that: on the wall, and of the processor in all threads of this process."""

    def __init__(self, seconds: float, cpu_seconds: float):
        self.started = time.monotonic() - seconds
        self.cpu_started = time.process_time() - cpu_seconds

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self.cpu_started


def mix(*numbers: int) -> int:
    """One 63-bit seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def make_augment(o: TrainOptions):
    """The augmentation that the options ask for, or None."""
    if not (o.time_masks or o.freq_masks or o.time_warp or o.freq_warp or o.noise or o.tilt):
        return None
    return Augment(
        o.seed, o.time_masks, o.time_mask_max, o.time_mask_share, o.freq_masks, o.freq_mask_max, o.time_warp,
        o.freq_warp, o.noise, o.tilt, o.warp_bins,
    )  # fmt: skip


@contextmanager
def progress(total: int, done: int, title: str, show: bool):
    """Within: tick(loss) advances a bar on a terminal, or prints a line now and then in a log."""
    if not show:
        yield lambda loss: None
        return
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, initial=done, desc=title, leave=False, unit="batch") as bar:

            def tick(loss):
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
                bar.update()

            yield tick
        return
    state = {"done": done, "shown": time.monotonic()}

    def tick(loss):
        state["done"] += 1
        if time.monotonic() - state["shown"] > 20:
            state["shown"] = time.monotonic()
            info(f"{title}: {state['done']}/{total} updates, loss {loss:.4f}")

    yield tick
