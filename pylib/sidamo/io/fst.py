"""OpenFst's binary files to and from flat arrays (compressed sparse rows), with numpy alone.

A graph of ten million arcs takes seconds to walk arc by arc in Python; its file is a few large arrays already.
Facts of the format: OpenFst 1.7 `fst.cc` (header), `vector-fst.h`, `const-fst.h`, `symbol-table.cc`, `properties.h`.

    header   i32 2125659606, string fst_type, string arc_type, i32 version, i32 flags, u64 properties,
             i64 start, i64 num_states, i64 num_arcs; then the symbol tables that flags 1 (input), 2 (output) announce
    vector   for each state: f32 final, i64 n, then n arcs
    const    for each state: f32 final, u32 first_arc, u32 n, u32 input_epsilons, u32 output_epsilons; then all arcs
    arc      i32 ilabel, i32 olabel, f32 weight, i32 nextstate

where a string is an i32 length and its bytes. Weights are costs (tropical or log semiring); a state that is not final
has +inf.
"""

from __future__ import annotations

import gzip
import os
import struct
import sys
from dataclasses import dataclass, field, replace

import numpy as np

from sidamo.io.errors import DataError

FST_MAGIC = 2125659606
SYMBOLS_MAGIC = 2125658996
HAS_ISYMBOLS, HAS_OSYMBOLS, IS_ALIGNED = 1, 2, 4
ALIGNMENT = 16  # bytes, of states and arcs in a const file with the flag IS_ALIGNED
PART_ARCS = 1 << 18  # arcs that are written at a time
INF = np.float32(np.inf)

# Property bits (OpenFst properties.h). A bit and its opposite both 0: unknown, worked out by the reader when needed.
EXPANDED, MUTABLE = 0x1, 0x2
ACCEPTOR, NOT_ACCEPTOR = 1 << 16, 1 << 17
EPSILONS, NO_EPSILONS = 1 << 22, 1 << 23
IEPSILONS, NO_IEPSILONS = 1 << 24, 1 << 25
OEPSILONS, NO_OEPSILONS = 1 << 26, 1 << 27
ILABEL_SORTED, NOT_ILABEL_SORTED = 1 << 28, 1 << 29
OLABEL_SORTED, NOT_OLABEL_SORTED = 1 << 30, 1 << 31
WEIGHTED, UNWEIGHTED = 1 << 32, 1 << 33
ACYCLIC, INITIAL_ACYCLIC = 1 << 35, 1 << 37
TOP_SORTED, NOT_TOP_SORTED = 1 << 38, 1 << 39
ACCESSIBLE, COACCESSIBLE = 1 << 40, 1 << 42
_SORT_BITS = ILABEL_SORTED | NOT_ILABEL_SORTED | OLABEL_SORTED | NOT_OLABEL_SORTED

_ARC = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("weight", "<f4"), ("nextstate", "<i4")])
_CONST_STATE = np.dtype([("final", "<f4"), ("first", "<u4"), ("count", "<u4"), ("iepsilons", "<u4"), ("oepsilons", "<u4")])


@dataclass
class CsrFst:
    """A weighted transducer as flat arrays; the arcs of state s are the slice offsets[s] : offsets[s + 1].

    start : int, -1 for the empty machine
    final : (S,) float32, final cost, +inf where the state is not final
    offsets : (S + 1,) int64
    ilabel, olabel, nextstate : (A,) int32 (label 0 is epsilon)
    weight : (A,) float32, costs
    isymbols, osymbols : dict id -> str, or None
    properties : OpenFst's property bits as read from the file; 0 where the object was made in memory
    arc_type : "standard" (tropical) or "log"
    """

    start: int
    final: np.ndarray
    offsets: np.ndarray
    ilabel: np.ndarray
    olabel: np.ndarray
    weight: np.ndarray
    nextstate: np.ndarray
    isymbols: dict[int, str] | None = field(default=None, repr=False)
    osymbols: dict[int, str] | None = field(default=None, repr=False)
    properties: int = 0
    arc_type: str = "standard"

    @property
    def num_states(self) -> int:
        return len(self.final)

    @property
    def num_arcs(self) -> int:
        return len(self.ilabel)

    def arc_sources(self) -> np.ndarray:
        """(A,) int32: the state that each arc leaves."""
        return np.repeat(np.arange(self.num_states, dtype=np.int32), np.diff(self.offsets))

    def arcs_of(self, state: int) -> slice:
        return slice(int(self.offsets[state]), int(self.offsets[state + 1]))


def make_csr(num_states: int, src, ilabel, olabel, weight, nextstate, final, start: int = 0) -> CsrFst:
    """Arcs in any order -> CsrFst; the arcs of one state keep their order.

    Parameters
    ----------
    src, ilabel, olabel, nextstate : (A,) integers; weight : (A,) float
    final : (num_states,) float costs, or a dict state -> cost
    """
    src = np.asarray(src, dtype=np.int64)
    if isinstance(final, dict):
        costs = np.full(num_states, np.inf, dtype=np.float32)
        for state, cost in final.items():
            costs[state] = cost
        final = costs
    if len(src) and np.any(src[1:] < src[:-1]):
        order = np.argsort(src, kind="stable")
        src = src[order]
        ilabel, olabel, weight, nextstate = (np.asarray(x)[order] for x in (ilabel, olabel, weight, nextstate))
    offsets = np.zeros(num_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(src, minlength=num_states), out=offsets[1:])
    return CsrFst(
        start=start if num_states else -1,
        final=np.asarray(final, dtype=np.float32),
        offsets=offsets,
        ilabel=np.asarray(ilabel, dtype=np.int32),
        olabel=np.asarray(olabel, dtype=np.int32),
        weight=np.asarray(weight, dtype=np.float32),
        nextstate=np.asarray(nextstate, dtype=np.int32),
    )


def only_states(fst: CsrFst, keep: np.ndarray) -> CsrFst:
    """The states that `keep` (S,) bool names, in their order, and the arcs between them; nothing where the start goes."""
    if not keep[fst.start]:
        return make_csr(0, [], [], [], [], [], [])
    if np.all(keep):
        return fst
    src = fst.arc_sources()
    number = np.cumsum(keep, dtype=np.int32) - np.int32(1)
    use = keep[src] & keep[fst.nextstate]
    return make_csr(
        int(keep.sum()), number[src[use]], fst.ilabel[use], fst.olabel[use], fst.weight[use],
        number[fst.nextstate[use]], fst.final[keep], start=int(number[fst.start]),
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- reading


class _Cursor:
    """Sequential fields of a byte buffer; running off its end is a DataError that names the offset."""

    def __init__(self, data, name: str):
        self.data, self.name, self.position = data, name, 0

    def unpack(self, layout: str):
        size = struct.calcsize(layout)
        if self.position + size > len(self.data):
            raise DataError(
                f"the FST ends at byte {len(self.data)} where a field of {size} bytes should be: the file is truncated",
                file=self.name, offset=self.position, mend="make the file again",
            )  # fmt: skip
        values = struct.unpack_from(layout, self.data, self.position)
        self.position += size
        return values[0] if len(values) == 1 else values

    def string(self) -> str:
        length = self.unpack("<i")
        if not 0 <= length <= len(self.data) - self.position:
            raise DataError(f"a string of length {length} in the FST header", file=self.name, offset=self.position - 4)
        raw = bytes(self.data[self.position : self.position + length])
        self.position += length
        return raw.decode("utf-8", "surrogateescape")

    def symbols(self) -> dict[int, str]:
        magic = self.unpack("<i")
        if magic != SYMBOLS_MAGIC:
            raise DataError("expected a symbol table", file=self.name, offset=self.position - 4)
        self.string()  # its name
        _available, size = self.unpack("<qq")
        table = {}
        for _ in range(size):
            symbol = self.string()
            table[self.unpack("<q")] = symbol
        return table

    def align(self) -> None:
        self.position += -self.position % ALIGNMENT


def _read_bytes(source) -> tuple[object, str]:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return source, "<bytes>"
    name = os.fspath(source)
    if name in ("-", ""):
        return sys.stdin.buffer.read(), "standard input"
    if name.rstrip().endswith("|"):
        from sidamo.io.tables import open_rxfilename

        with open_rxfilename(name) as stream:
            return stream.read(), name
    if not os.path.exists(name):
        raise DataError("no such FST file", file=name, mend="build it first (utils/mkgraph.sh, utils/format_lm.sh)")
    if name.endswith(".gz"):
        with gzip.open(name, "rb") as stream:
            return stream.read(), name
    if os.path.getsize(name) < 1 << 20:
        with open(name, "rb") as stream:
            return stream.read(), name
    return memoryview(np.memmap(name, dtype=np.uint8, mode="r")), name


def read_fst(source) -> CsrFst:
    """Read an OpenFst binary file.

    Parameters
    ----------
    source : path ("-" standard input, "command |" a pipe, *.gz), or the file's bytes

    Returns
    -------
    CsrFst, with arrays of its own (the file may be replaced afterwards)

    Raises
    ------
    DataError : not an FST, truncated, or a type other than vector and const of standard or log arcs
    """
    data, name = _read_bytes(source)
    cursor = _Cursor(data, name)
    if len(data) < 4 or cursor.unpack("<i") != FST_MAGIC:
        raise DataError(
            f"not an OpenFst binary file (its first bytes are {bytes(data[:8])!r})", file=name,
            mend="if it is text, compile it: fstcompile --isymbols=... --osymbols=... in.txt out.fst",
        )  # fmt: skip
    fst_type, arc_type = cursor.string(), cursor.string()
    version, flags = cursor.unpack("<ii")
    properties, start, num_states, num_arcs = cursor.unpack("<Qqqq")
    if arc_type not in ("standard", "log") or fst_type not in ("vector", "const"):
        raise DataError(
            f"FST of type {fst_type}, arcs {arc_type}; expected vector or const with standard or log arcs", file=name,
            mend="convert it: fstconvert --fst_type=vector in.fst out.fst",
        )  # fmt: skip
    isymbols = cursor.symbols() if flags & HAS_ISYMBOLS else None
    osymbols = cursor.symbols() if flags & HAS_OSYMBOLS else None
    if fst_type == "vector":
        final, offsets, arcs = _vector_body(cursor, num_states)
    else:
        aligned = bool(flags & IS_ALIGNED) or version == 1
        final, offsets, arcs = _const_body(cursor, num_states, num_arcs, aligned)
    fst = CsrFst(int(start), final, offsets, *(np.ascontiguousarray(arcs[f]) for f in _ARC.names),
                 isymbols=isymbols, osymbols=osymbols, properties=properties, arc_type=arc_type)  # fmt: skip
    if fst.num_arcs and not 0 <= int(fst.nextstate.min()) <= int(fst.nextstate.max()) < fst.num_states:
        raise DataError(f"an arc leads to a state outside 0..{fst.num_states - 1}", file=name)
    if fst.num_states and not -1 <= fst.start < fst.num_states:
        raise DataError(f"start state {fst.start} outside 0..{fst.num_states - 1}", file=name)
    return fst


def _vector_body(cursor: _Cursor, num_states: int):
    """States and arcs interleaved. Only the hop from state to state is a loop: 0.1 us each on a memoryview of int32."""
    body = memoryview(cursor.data)[cursor.position :]
    body = body[: len(body) // 4 * 4]
    words = body.cast("B").cast("i")
    heads = []
    position, end = 0, len(words)
    try:
        if num_states >= 0:
            for _ in range(num_states):
                heads.append(position)
                position += 3 + 4 * words[position + 1]
        else:  # a stream written without knowing its length
            while position < end:
                heads.append(position)
                position += 3 + 4 * words[position + 1]
    except IndexError:
        position = end + 1
    if position > end or position < 0:
        raise DataError(
            f"the FST ends within state {len(heads) - 1} of {num_states}: the file is truncated", file=cursor.name,
            offset=cursor.position + 4 * min(heads[-1], end), mend="make the file again",
        )  # fmt: skip
    array = np.frombuffer(body, dtype="<i4", count=position)
    heads = np.array(heads, dtype=np.int64)
    counts = array[heads + 1].astype(np.int64) if len(heads) else np.zeros(0, np.int64)
    offsets = np.zeros(len(heads) + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    final = np.ascontiguousarray(array[heads]).view("<f4") if len(heads) else np.zeros(0, np.float32)
    is_arc = np.ones(position, dtype=bool)
    for k in range(3):
        is_arc[heads + k] = False
    return final, offsets, array[is_arc].view(_ARC)


def _const_body(cursor: _Cursor, num_states: int, num_arcs: int, aligned: bool):
    if aligned:
        cursor.align()
    arcs_at = cursor.position + _CONST_STATE.itemsize * num_states
    if aligned:
        arcs_at += -arcs_at % ALIGNMENT
    needed = arcs_at + _ARC.itemsize * num_arcs
    if num_states < 0 or num_arcs < 0 or needed > len(cursor.data):
        raise DataError(
            f"the FST has {len(cursor.data)} bytes; its header of {num_states} states and {num_arcs} arcs "
            f"needs {needed}: the file is truncated", file=cursor.name, mend="make the file again",
        )  # fmt: skip
    states = np.frombuffer(cursor.data, dtype=_CONST_STATE, count=num_states, offset=cursor.position)
    arcs = np.frombuffer(cursor.data, dtype=_ARC, count=num_arcs, offset=arcs_at)
    offsets = np.zeros(num_states + 1, dtype=np.int64)
    np.cumsum(states["count"], out=offsets[1:])
    if num_states and (offsets[-1] != num_arcs or np.any(offsets[:-1] != states["first"])):
        raise DataError("the arcs of its states are not one after the other", file=cursor.name)
    return np.ascontiguousarray(states["final"]), offsets, arcs


# -------------------------------------------------------------------------------------------------------------- writing


def count_properties(fst: CsrFst, sort_bits: str = "all") -> int:
    """The property bits that the arrays show at a glance (no search): labels, order, weights, order of states.

    sort_bits : "all" (both orders, sorted or not), or "ilabel" / "olabel": only that order, which the caller has made,
        is claimed (what OpenFst's own fstarcsort writes).
    """
    within = within_states(fst)

    def is_sorted(labels):
        return not np.any((labels[1:] < labels[:-1]) & within)

    acceptor = bool(np.array_equal(fst.ilabel, fst.olabel))
    ieps, oeps = fst.ilabel == 0, fst.olabel == 0
    finals = fst.final[np.isfinite(fst.final)]
    bits = ACCEPTOR if acceptor else NOT_ACCEPTOR
    bits |= EPSILONS if np.any(ieps & oeps) else NO_EPSILONS
    bits |= IEPSILONS if np.any(ieps) else NO_IEPSILONS
    bits |= OEPSILONS if np.any(oeps) else NO_OEPSILONS
    bits |= WEIGHTED if np.any(fst.weight != 0) or np.any(finals != 0) else UNWEIGHTED
    if np.all(fst.nextstate > fst.arc_sources()):
        bits |= TOP_SORTED | ACYCLIC | INITIAL_ACYCLIC
    else:
        bits |= NOT_TOP_SORTED
    if sort_bits == "all":
        bits |= ILABEL_SORTED if is_sorted(fst.ilabel) else NOT_ILABEL_SORTED
        bits |= OLABEL_SORTED if is_sorted(fst.olabel) else NOT_OLABEL_SORTED
    elif acceptor:
        bits |= ILABEL_SORTED | OLABEL_SORTED
    else:
        bits |= {"ilabel": ILABEL_SORTED, "olabel": OLABEL_SORTED, "none": 0}[sort_bits]
    return bits


def fst_to_bytes(fst: CsrFst, kind: str = "vector", properties: int | None = None) -> bytes:
    """The file's bytes, as `write_fst` writes them."""
    return b"".join(_file_parts(fst, kind, properties))


def _file_parts(fst: CsrFst, kind: str, properties: int | None):
    """The file's bytes in pieces of a few megabytes, so that a large graph is not in memory twice."""
    if kind not in ("vector", "const"):
        raise ValueError(f"FST kind {kind!r}; expected vector or const")
    if properties is None:
        properties = count_properties(fst)
    properties |= EXPANDED | (MUTABLE if kind == "vector" else 0)
    flags = (HAS_ISYMBOLS if fst.isymbols is not None else 0) | (HAS_OSYMBOLS if fst.osymbols is not None else 0)
    # OpenFst's own vector writer leaves the number of arcs at 0; const needs it.
    num_arcs = fst.num_arcs if kind == "const" else 0
    header = struct.pack("<i", FST_MAGIC) + _string(kind) + _string(fst.arc_type)
    header += struct.pack("<iiQqqq", 2, flags, properties, fst.start, fst.num_states, num_arcs)
    for table in (fst.isymbols, fst.osymbols):
        if table is not None:
            header += _symbols(table)
    yield header
    yield from _vector_parts(fst) if kind == "vector" else _const_parts(fst)


def _string(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    return struct.pack("<i", len(raw)) + raw


def _symbols(table: dict[int, str], name: str = "") -> bytes:
    parts = [struct.pack("<i", SYMBOLS_MAGIC), _string(name)]
    parts.append(struct.pack("<qq", max(table, default=-1) + 1, len(table)))
    parts += [_string(symbol) + struct.pack("<q", key) for key, symbol in table.items()]
    return b"".join(parts)


def _arc_records(fst: CsrFst, first: int, last: int) -> np.ndarray:
    arcs = np.empty(last - first, dtype=_ARC)
    for name in _ARC.names:
        arcs[name] = getattr(fst, name)[first:last]
    return arcs


def _vector_parts(fst: CsrFst):
    """States and arcs interleaved, the states of about PART_ARCS arcs at a time."""
    marks = np.arange(0, fst.num_arcs + fst.num_states, PART_ARCS)
    bounds = np.unique(np.searchsorted(fst.offsets[:-1] + np.arange(fst.num_states), marks))
    for first, last in zip(bounds, [*bounds[1:], fst.num_states]):
        offsets = fst.offsets[first : last + 1]
        words = np.empty(3 * (last - first) + 4 * (offsets[-1] - offsets[0]), dtype="<i4")
        heads = 3 * np.arange(last - first, dtype=np.int64) + 4 * (offsets[:-1] - offsets[0])
        is_arc = np.ones(len(words), dtype=bool)
        for k in range(3):
            is_arc[heads + k] = False
        words[heads] = fst.final[first:last].astype("<f4").view("<i4")
        words[heads + 1] = np.diff(offsets)
        words[heads + 2] = 0  # the high half of the i64 count
        words[is_arc] = _arc_records(fst, offsets[0], offsets[-1]).view("<i4")
        yield words.tobytes()


def _const_parts(fst: CsrFst):
    if fst.num_arcs >= 1 << 32:
        raise DataError(f"{fst.num_arcs} arcs do not fit into a const FST; write a vector FST")
    states = np.zeros(fst.num_states, dtype=_CONST_STATE)
    states["final"], states["first"], states["count"] = fst.final, fst.offsets[:-1], np.diff(fst.offsets)
    before = np.zeros(fst.num_arcs + 1, np.uint32)
    for name, labels in (("iepsilons", fst.ilabel), ("oepsilons", fst.olabel)):
        np.cumsum(labels == 0, out=before[1:])
        states[name] = before[fst.offsets[1:]] - before[fst.offsets[:-1]]
    del before
    yield states.tobytes()
    del states
    for first in range(0, fst.num_arcs, PART_ARCS):
        yield _arc_records(fst, first, min(first + PART_ARCS, fst.num_arcs)).tobytes()


def write_fst(path, fst: CsrFst, kind: str = "vector", properties: int | None = None) -> None:
    """Write an OpenFst binary file: "-" for standard output, else to a temporary name which is then renamed.

    Parameters
    ----------
    kind : "vector" (what OpenFst's programs edit) or "const" (compact, quick to load: decoding graphs)
    properties : OpenFst property bits; counted from the arrays where None
    """
    parts = _file_parts(fst, kind, properties)
    name = os.fspath(path)
    if name in ("-", ""):
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    temporary = f"{name}.tmp{os.getpid()}"
    try:
        with open(temporary, "wb") as stream:
            for part in parts:
                stream.write(part)
        os.replace(temporary, name)
    except OSError as error:
        raise DataError(f"cannot write the FST: {error.strerror}", file=name) from error
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def within_states(fst: CsrFst) -> np.ndarray:
    """(A - 1,) bool: arcs k and k + 1 leave the same state."""
    within = np.ones(max(fst.num_arcs - 1, 0), dtype=bool)
    breaks = fst.offsets[1:-1]
    within[breaks[(breaks > 0) & (breaks < fst.num_arcs)] - 1] = False
    return within


def sorted_arcs(fst: CsrFst, by: str = "ilabel") -> CsrFst:
    """`fst` itself where the arcs of each state are in the order of the labels, else a sorted copy."""
    labels = fst.ilabel if by == "ilabel" else fst.olabel
    return arcsort(fst, by) if np.any((labels[1:] < labels[:-1]) & within_states(fst)) else fst


def _order_of(first, second, src) -> np.ndarray:
    """np.lexsort((second, first, src)), quicker where equal `first` of a state are rare."""
    key = src.astype(np.int64) << 32
    key |= first
    order = np.argsort(key, kind="stable")
    key, last = key[order], second[order]
    if np.any((key[1:] == key[:-1]) & (last[1:] < last[:-1])):
        return np.lexsort((second, first, src))
    return order


def arcsort(fst: CsrFst, by: str = "ilabel") -> CsrFst:
    """A copy whose arcs are sorted within each state by (ilabel, olabel), or (olabel, ilabel); ties keep their order.

    The decoder needs the order: the epsilon arcs of a state then come first.
    """
    first, second = {"ilabel": (fst.ilabel, fst.olabel), "olabel": (fst.olabel, fst.ilabel)}[by]
    order = _order_of(first, second, fst.arc_sources())
    kept = fst.properties & ~_SORT_BITS
    if kept:
        both = bool(kept & ACCEPTOR)
        kept |= ILABEL_SORTED if by == "ilabel" or both else 0
        kept |= OLABEL_SORTED if by == "olabel" or both else 0
    return replace(
        fst, ilabel=fst.ilabel[order], olabel=fst.olabel[order], weight=fst.weight[order],
        nextstate=fst.nextstate[order], properties=kept,
    )  # fmt: skip
