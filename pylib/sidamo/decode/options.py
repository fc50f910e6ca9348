"""Options of the decoders, under the names that Kaldi gives them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sidamo.io.errors import CheckFailed, OptionError

NO_LIMIT = 2**31 - 1  # Kaldi's default of max-active


def _option(default, help_text: str):
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class DecoderOptions:
    """Pruning and scaling of a search for the best path (Kaldi src/decoder/faster-decoder.h).

    Costs are -log; a beam of 16 keeps what is at most exp(16) times less likely than the best at a frame.
    """

    beam: float = _option(16.0, "Decoding beam. Larger -> slower, more accurate.")
    max_active: int = _option(NO_LIMIT, "Decoder max active states. Larger -> slower; more accurate")
    min_active: int = _option(20, "Decoder min active states (don't prune if #active less than this).")
    beam_delta: float = _option(
        0.5, "Increment used in decoder [obscure setting; relevant only where max-active or min-active is in force]"
    )
    blank_skip_thresh: float = _option(
        1.0, "Frames whose blank has more than this posterior follow blank arcs only (1: none; 0.98 is safe and faster)"
    )

    def __post_init__(self):
        check_pruning(self)
        if self.min_active == self.max_active:
            raise CheckFailed(f"--min-active={self.min_active}: must be below --max-active={self.max_active}")


@dataclass(frozen=True)
class LatticeOptions(DecoderOptions):
    """Options of lattice generation (Kaldi src/decoder/lattice-faster-decoder.h)."""

    min_active: int = _option(200, "Decoder minimum #active states.")
    lattice_beam: float = _option(10.0, "Lattice generation beam. Larger -> slower, and deeper lattices")
    prune_interval: int = _option(25, "Interval (in frames) at which to prune tokens, at least")

    def __post_init__(self):
        check_pruning(self)
        if not self.beam > 0:
            raise CheckFailed(f"--beam={self.beam}: must be above 0 for lattices; try 13")
        if not self.lattice_beam > 0:
            raise CheckFailed(f"--lattice-beam={self.lattice_beam}: a lattice beam must be above 0; try 8")
        if self.prune_interval < 1:
            raise CheckFailed(f"--prune-interval={self.prune_interval}: must be at least 1 frame")


def check_pruning(options: DecoderOptions) -> None:
    """Raise CheckFailed (Kaldi asserts the same, status 134), naming the option and what it may be.

    A beam of 0 is allowed for best paths: min-active keeps tokens alive.
    """
    if not options.beam >= 0:
        raise CheckFailed(f"--beam={options.beam}: a beam must not be below 0; try 13")
    if not options.max_active > 1:
        raise CheckFailed(f"--max-active={options.max_active}: must be above 1; try 7000")
    if not 0 <= options.min_active <= options.max_active:
        raise CheckFailed(
            f"--min-active={options.min_active}: must be at least 0 and not above --max-active={options.max_active}"
        )
    if not options.beam_delta > 0:
        raise CheckFailed(f"--beam-delta={options.beam_delta}: must be above 0")
    if not 0 < options.blank_skip_thresh <= 1:
        raise OptionError(f"--blank-skip-thresh={options.blank_skip_thresh}: a posterior, above 0 and at most 1")
