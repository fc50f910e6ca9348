"""What can be chosen in training and in computing log-likelihoods: frozen dataclasses, checked in one place (no torch here)."""

from dataclasses import dataclass, field

from sidamo.io.errors import OptionError

from .schedule import SCHEDULES


def _option(default, text):
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class TrainOptions:
    """Options of the trainer; those of the network are in its own dataclass."""

    # the task
    subsampling: int = _option(3, "input frames per output frame, 1 to 4")
    seed: int = _option(0, "of initialization, order of batches, dropout and augmentation")
    word_boundary: str = _option("", "the unit that ends a word; shows the WER of greedy decoding on the dev set")
    # batches
    max_frames: int = _option(12000, "most input frames in a batch, padding included (of one process)")
    max_utts: int = _option(32, "most utterances in a batch (of one process)")
    accumulate: int = _option(1, "batches whose gradients are summed before an update")
    sort_first_epoch: bool = _option(True, "short utterances first in the first epoch")
    # optimization
    num_epochs: int = _option(30, "passes over the training data")
    optimizer: str = _option("adamw", "adamw | sgd")
    learning_rate: float = _option(1e-3, "peak learning rate")
    schedule: str = _option("cosine", " | ".join(SCHEDULES))
    warmup_steps: int = _option(100, "updates over which the learning rate rises")
    final_lr_factor: float = _option(0.01, "last learning rate as a share of the peak (cosine, linear, onecycle)")
    newbob_threshold: float = _option(0.5, "newbob: halve when dev TER (percent) improves by less than this")
    momentum: float = _option(0.9, "of sgd")
    weight_decay: float = _option(0.01, "decoupled (adamw) or L2 (sgd), on matrices only")
    clip_norm: float = _option(5.0, "largest norm of the gradient; 0 for no limit")
    label_smoothing: float = _option(0.0, "weight of the cross-entropy to the uniform distribution, per frame")
    intermediate_weight: float = _option(0.0, "weight of CTC on hidden layers, where a network offers it")
    consistency_weight: float = _option(0.0, "CR-CTC: two augmented views of each utterance, and so much for agreeing; 0.2")
    criterion: str = _option("ctc", "ctc | ctc-crf (normalized over all transcripts) | asg (no blank, learned transitions)")
    crf_order: int = _option(3, "ctc-crf: n-gram order of the token graph that transcripts are weighed with")
    ctc_weight: float = _option(0.1, "ctc-crf: weight of plain CTC beside it")
    flat_start_epochs: int = _option(0, "first epochs with labels spread over the loud frames, for very small corpora")
    ctc: str = _option("auto", "implementation of the loss: auto | fused | torch")
    # model averaging and stopping
    ema_decay: float = _option(0.0, "decay of an exponential moving average of the weights (0: none), e.g. 0.999")
    average: int = _option(5, "number of epochs whose weights are averaged into final.pt")
    average_mode: str = _option("best", "average the best (by dev TER) or the last epochs: best | last")
    patience: int = _option(0, "stop after so many epochs without a better dev TER; 0: never")
    # augmentation
    time_masks: int = _option(0, "SpecAugment: time masks per utterance")
    time_mask_max: int = _option(30, "SpecAugment: most frames of a time mask")
    time_mask_share: float = _option(0.2, "SpecAugment: most of an utterance that one time mask covers")
    freq_masks: int = _option(0, "SpecAugment: frequency masks per utterance")
    freq_mask_max: int = _option(8, "SpecAugment: most bins of a frequency mask")
    time_warp: float = _option(0.0, "most relative change of tempo, e.g. 0.1")
    freq_warp: float = _option(0.0, "most relative warp of the frequency axis, e.g. 0.1")
    warp_bins: int = _option(0, "leading columns that freq-warp moves; 0: all (pitch behind a filter bank stays)")
    noise: float = _option(0.0, "most standard deviation of white noise on normalized features")
    tilt: float = _option(0.0, "most size of a random smooth curve added to the bins")
    # start from another model
    init_model: str = _option("", "start from this model's encoder; its output layer too where the tokens agree")
    freeze: str = _option("", "parameters not trained: a regular expression of their names")
    lr_scales: str = _option("", "own rates: regex=factor,regex=factor over parameter names, e.g. encoder=0.1")
    # machine and safety
    precision: str = _option("float32", "float32 | bfloat16 (matrix products in half the bits)")
    use_gpu: str = _option("auto", "auto | yes | no")
    num_threads: int = _option(0, "threads of one process on a CPU; 0: all cores")
    save_seconds: float = _option(60.0, "time between checkpoints within an epoch")
    max_bad_batches: int = _option(20, "give up after so many batches in a row with a loss that is no number")
    explode: float = _option(50.0, "a loss of so many times the recent average counts as bad")
    max_seconds: float = _option(0.0, "stop cleanly at the end of an epoch after so long; 0: no limit")

    def __post_init__(self):
        choices = {
            "optimizer": ("adamw", "sgd"), "schedule": SCHEDULES, "criterion": ("ctc", "ctc-crf", "asg"),
            "ctc": ("auto", "fused", "torch"), "average_mode": ("best", "last"),
            "precision": ("float32", "bfloat16"), "use_gpu": ("auto", "yes", "no"),
        }  # fmt: skip
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise OptionError(
                    f"--{name.replace('_', '-')}={getattr(self, name)}: expected one of {', '.join(allowed)}"
                )
        positive = ("subsampling", "max_frames", "max_utts", "accumulate", "num_epochs", "average", "learning_rate")
        for name in positive:
            if getattr(self, name) <= 0:
                raise OptionError(f"--{name.replace('_', '-')}={getattr(self, name)}: expected more than 0")
        if not 1 <= self.subsampling <= 8:
            raise OptionError(f"--subsampling={self.subsampling}: expected 1 to 8")
        if self.flat_start_epochs > 0 and self.criterion != "ctc":
            raise OptionError(f"--flat-start-epochs={self.flat_start_epochs}: goes with --criterion=ctc only")
        if self.consistency_weight > 0 and self.criterion == "asg":
            raise OptionError(f"--consistency-weight={self.consistency_weight}: does not go with --criterion=asg")
        if not 2 <= self.crf_order <= 4:
            raise OptionError(f"--crf-order={self.crf_order}: expected 2 to 4")
        if not 0 <= self.ctc_weight < 1:
            raise OptionError(f"--ctc-weight={self.ctc_weight}: expected 0 <= weight < 1")
        if not 0 <= self.ema_decay < 1:
            raise OptionError(f"--ema-decay={self.ema_decay}: expected 0 <= decay < 1")
        if self.word_boundary and any(c.isspace() for c in self.word_boundary):
            raise OptionError(f"--word-boundary={self.word_boundary!r}: one unit of tokens.txt, without blanks")


@dataclass(frozen=True)
class LoglikeOptions:
    """How posteriors become log-likelihoods."""

    prior_scale: float = _option(0.0, "weight of the log prior that is subtracted")
    priors: str = _option("labels", "labels (counts of labels, blanks interleaved) | posteriors (the network's own mean)")
    blank_scale: float = _option(1.0, "factor on the posterior of blank")
    max_frames: int = _option(20000, "most input frames evaluated at once, padding included")

    def __post_init__(self):
        if self.priors not in ("labels", "posteriors"):
            raise OptionError(f"--priors={self.priors}: expected labels or posteriors")
        if self.blank_scale <= 0:
            raise OptionError(f"--blank-scale={self.blank_scale}: expected more than 0")
