"""A decoding graph as the kernels want it: arcs of a state side by side, epsilons first, then by weight."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from sidamo.decode import kernel
from sidamo.io import fst as fst_files
from sidamo.io.errors import DataError
from sidamo.io.kept_arrays import checksum_of_files, kept_arrays

BLANK = 1  # label of the blank: DESIGN, contract 3
ILABEL, OLABEL, WEIGHT, NEXT = 0, 1, 2, 3  # columns of DecodingGraph.arcs


@dataclass(eq=False)
class DecodingGraph:
    """A graph ready for search. Read-only once made, so threads share it.

    states : (S, 4) int32; epsilon arcs of state s are states[s, 0] : states[s, 1], emitting ones states[s, 1] :
        states[s, 2]; within each, blank arcs come first, then by rising weight, which lets the search stop at the first
        arc that is too dear; states[s, 3] are the bits of the lowest weight of an arc that reads a token
    arcs : (A, 4) int32: ilabel, olabel, bits of the float32 weight, next state (16 bytes: one cache line holds four)
    final : (S,) float32 costs, inf where not final
    start : int
    num_labels : largest input label that is not epsilon; the matrix needs this many columns
    weights : the memory of the arcs as float32; the weight is column 2
    """

    states: np.ndarray
    arcs: np.ndarray
    final: np.ndarray
    start: int
    num_labels: int
    weights: np.ndarray = field(init=False)

    def __post_init__(self):
        self.weights = self.arcs.view(np.float32)

    @property
    def num_states(self) -> int:
        return len(self.final)

    @property
    def num_arcs(self) -> int:
        return len(self.arcs)


def make_graph(fst, first_disambig: int = 2**31 - 1) -> DecodingGraph:
    """Arrange a CsrFst for decoding.

    Parameters
    ----------
    fst : sidamo.io.fst.CsrFst, input labels are token labels (0 epsilon, 1 blank, column = label - 1)
    first_disambig : labels from here on (#0, #1, ...) are read as epsilon; needed for LG, whose TLG would drop them

    Raises
    ------
    DataError : no states, or a start that is absent: composition gave an empty graph
    """
    if fst.num_states == 0 or fst.start < 0:
        raise DataError(
            "the graph is empty: nothing can be decoded", mend="see which composition came out empty: utils/mkgraph.sh"
        )
    # Made here and not in the kernel: for large arrays numpy asks for pages of 2 MB, an eighth more speed.
    states, arcs = np.empty((fst.num_states, kernel.STATE), np.int32), np.empty((fst.num_arcs, kernel.ARC), np.int32)
    kernel.pack(
        np.ascontiguousarray(fst.offsets, np.int64), np.array(fst.ilabel, np.int32), np.array(fst.olabel, np.int32),
        np.array(fst.weight, np.float32).view(np.int32), np.array(fst.nextstate, np.int32), first_disambig, states, arcs,
    )  # fmt: skip
    emitting = arcs[:, ILABEL]
    return DecodingGraph(
        states=states,
        arcs=arcs,
        final=np.array(fst.final, np.float32),
        start=int(fst.start),
        num_labels=int(emitting.max()) if len(arcs) else 0,
    )


def load_graph(path, first_disambig: int = 2**31 - 1) -> DecodingGraph:
    """Read an OpenFst file (TLG.fst, HCLG.fst, LG.fst) and arrange it for decoding; a large one is kept as arranged."""

    def make():
        return parts_of(make_graph(fst_files.read_fst(path), first_disambig))

    return graph_of(kept_arrays(path, "decode", recipe(first_disambig, __file__), make))


def parts_of(graph: DecodingGraph) -> dict:
    """The arrays and numbers of a graph, by name."""
    return {part.name: getattr(graph, part.name) for part in fields(graph) if part.init}


def graph_of(parts) -> DecodingGraph:
    """The graph that has these parts."""
    return DecodingGraph(**{part.name: parts[part.name] for part in fields(DecodingGraph) if part.init})


def recipe(first_disambig: int, *sources: str) -> str:
    """What the arrangement of a graph depends on besides its file."""
    return f"{first_disambig} {checksum_of_files(kernel.__file__, fst_files.__file__, *sources)}"
