"""What the lattice tools share: the loop that names, counts and passes over bad lattices."""

import struct
import sys

from sidamo.io import log
from sidamo.io.errors import CheckFailed, DataError, OptionError


class Counts:
    """Lattices done and failed; `guard` runs the work on one of them."""

    def __init__(self):
        self.done = 0
        self.failed = 0

    def fail(self, message) -> None:
        """Warn, naming what failed, and count it."""
        log.warn(message)
        self.failed += 1

    def status(self) -> int:
        """Kaldi's exit status: 1 where nothing was done."""
        return 0 if self.done else 1


def each(reader, counts: Counts, work) -> None:
    """Call work(key, lattice) for each entry; a DataError is shown with its key and counted, and the next one follows.

    work returns False where it failed and said so itself.
    """
    from sidamo.lattice.ops import check_costs

    for key, lat in reader:
        try:
            check_costs(lat, key)
            ok = work(key, lat)
        except DataError as e:
            counts.fail(e.locate(key=key))
            continue
        if ok is False:
            counts.failed += 1
        else:
            counts.done += 1


def add_scales(options, *, inverse: bool = False, lm: bool = True) -> None:
    """Register --acoustic-scale, --lm-scale and --inv-acoustic-scale."""
    options.add("acoustic-scale", 1.0, "Scaling factor for acoustic likelihoods")
    if inverse:
        options.add(
            "inv-acoustic-scale", 1.0, "An alternative way of setting the acoustic scale: you can set its inverse."
        )
    if lm:
        options.add("lm-scale", 1.0, "Scaling factor for graph/lm costs")


def single(x: float) -> float:
    """A number rounded to float32, as Kaldi holds its options."""
    return struct.unpack("f", struct.pack("f", x))[0]


def acoustic_scale(opts) -> float:
    """The acoustic scale from --acoustic-scale or its inverse; raises CheckFailed where both are given, as in Kaldi."""
    inverse = getattr(opts, "inv_acoustic_scale", 1.0)
    if inverse == 1.0:
        return single(opts.acoustic_scale)
    if opts.acoustic_scale != 1.0:
        raise CheckFailed("give --acoustic-scale or --inv-acoustic-scale, not both")
    if inverse == 0.0:
        raise OptionError("--inv-acoustic-scale is 0, which has no inverse")
    return single(1.0 / inverse)


def optional_writer(stack, wspecifier: str, kind: str):
    """A table writer entered on the ExitStack, or None where no wspecifier is given."""
    if not wspecifier:
        return None
    from sidamo.io.tables import Writer

    return stack.enter_context(Writer(wspecifier, kind))


def read_symbols(path: str):
    """The SymbolTable of a file, or None where no file is given."""
    if not path:
        return None
    from sidamo.io.symbols import SymbolTable

    return SymbolTable.read(path)


def print_words(words, symbols, key: str) -> None:
    """Words on stderr, as Kaldi's --word-symbol-table shows them."""
    sys.stderr.write(" ".join([key, *(symbols.find(w) for w in words)]) + " \n")


def nonzero_scales(opts) -> dict:
    """lm_scale and acoustic_scale for `ops.scale`, where the output is to be scaled back."""
    scales = {"lm_scale": single(opts.lm_scale), "acoustic_scale": acoustic_scale(opts)}
    if 0.0 in scales.values():
        raise OptionError("do not use a zero acoustic or LM scale (cannot be inverted)")
    return scales
