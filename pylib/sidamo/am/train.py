"""One training from its files to final.pt: what train-ctc does."""

import os
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import torch

from sidamo.io.log import info

from . import checkpoint, data, parallel, priors, transfer
from .model import AcousticModel, save_model
from .options import TrainOptions
from .tokens import read_columns
from .trainer import Trainer


def train(network, net_options, options: TrainOptions, train_scp, train_targets, dev_scp, dev_targets, tokens, out,
          command=()):  # fmt: skip
    """Train `network` with its options dataclass, writing final.pt and log/ under `out`; go on where it was.

    train_scp, dev_scp : paths of scp files; train_targets, dev_targets : rspecifiers of labels; tokens : tokens.txt
    """
    processes = parallel.join(options.use_gpu, options.num_threads)
    try:
        os.makedirs(os.path.join(out, "log"), exist_ok=True)
        names = read_columns(tokens)
        train_set = data.Corpus(train_scp, train_targets, len(names), options.subsampling)
        dev_set = data.Corpus(dev_scp, dev_targets, len(names), options.subsampling)
        if processes.is_first:
            train_set.check("training set")
            dev_set.check("dev set")
        config = {
            "network": network, "options": asdict(net_options), "input_dim": train_set.feats.dim,
            "num_tokens": len(names), "subsampling": options.subsampling,
        }  # fmt: skip
        torch.manual_seed(options.seed)
        model = AcousticModel(config)
        if options.init_model:
            transfer.initialize(model, names, options.init_model)
        transfer.freeze(model, options.freeze)
        if processes.is_first:
            write_provenance(out, command, config, options, model, train_set)
        trainer = Trainer(model, train_set, dev_set, options, processes, out, names)
        if processes.is_first and options.criterion == "ctc-crf":
            trainer.criterion.graph.write(os.path.join(out, "token_lm.fst"))
        trainer.run()
        processes.wait()
        if processes.is_first:
            finish(trainer)
        processes.wait()
    finally:
        parallel.leave(processes)


def finish(trainer: Trainer) -> None:
    """Average the chosen epochs into final.pt, with the counts that priors are made from."""
    out, epochs = trainer.out, trainer.epochs_to_average()
    checkpoint.restore_average(trainer.model, out, epochs)
    posteriors = priors.posterior_counts(trainer.model, trainer.train, trainer.processes.device)
    trainer.model.cpu()
    save_model(
        os.path.join(out, "final.pt"), trainer.model, posterior_counts=torch.from_numpy(posteriors), **trainer.model_extra()
    )
    best = min(trainer.state.curve, key=lambda row: row["dev_ter"])
    info(
        f"final.pt is the mean of epochs {' '.join(map(str, sorted(epochs)))}; best dev TER {best['dev_ter']:.2f}% "
        f"in epoch {best['epoch']}; {trainer.state.num_bad} bad batches"
    )


def git_state(folder) -> str:
    """Commit of the working tree that holds `folder`, with '+changes' where files differ from it."""
    def git(*words):
        return subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, timeout=10)

    try:
        commit = git("rev-parse", "HEAD")
        if commit.returncode:
            return "not a git checkout"
        changed = git("status", "--porcelain", "--untracked-files=no").stdout.strip()
        return commit.stdout.strip() + (" +changes" if changed else "")
    except (OSError, subprocess.TimeoutExpired):
        return "git is not there"


def write_provenance(out, command, config, options: TrainOptions, model, train_set) -> None:
    """config (options that --config reads back) and provenance.txt: what a stranger needs to make the model again."""
    values = {"network": config["network"], **config["options"], **asdict(options)}
    lines = [f"--{k.replace('_', '-')}={str(v).lower() if isinstance(v, bool) else v}" for k, v in values.items()]
    checkpoint.write_text(os.path.join(out, "config"), "\n".join(lines) + "\n")
    hours = float(np.sum(train_set.num_frames)) / 360000
    facts = {
        "command": " ".join(command), "git": git_state(os.path.dirname(os.path.abspath(__file__))),
        "seed": options.seed, "date": time.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "python": sys.version.split()[0], "torch": torch.__version__, "numpy": np.__version__,
        "threads": torch.get_num_threads(), "processes": os.environ.get("WORLD_SIZE", "1"),
        "parameters": model.num_parameters, "train_utterances": len(train_set),
        "train_hours_at_10_ms": f"{hours:.3f}",
    }  # fmt: skip
    checkpoint.write_text(os.path.join(out, "provenance.txt"), "".join(f"{k}\t{v}\n" for k, v in facts.items()))
    info(f"{config['network']}: {model.num_parameters} parameters, {len(train_set)} utterances, {hours:.2f} h")
