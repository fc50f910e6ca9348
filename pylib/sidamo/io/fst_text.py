"""OpenFst's text form: `src dst ilabel olabel [cost]` for arcs, `state [cost]` for final states."""

from __future__ import annotations

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, make_csr


def compile_fst(
    data: bytes,
    isymbols=None,
    osymbols=None,
    acceptor: bool = False,
    name: str = "text FST",
    keep_numbers: bool = False,
) -> CsrFst:
    """Text to arrays. The first state named is the start; states are numbered in the order in which they are named.

    Parameters
    ----------
    isymbols, osymbols : dict from symbol (str) to label; None where the text holds numbers
    acceptor : lines are `src dst label [cost]`
    keep_numbers : state numbers are those of the text (OpenFst's --keep_state_numbering)

    Raises
    ------
    DataError : with the line: wrong number of fields, an unknown symbol, not a number.
    """
    states: dict[bytes, int] = {}
    rows, finals = [], {}
    columns = 3 if acceptor else 4

    def state(text: bytes) -> int:
        if keep_numbers:
            return int(text)
        return states.setdefault(text, len(states))

    start = -1
    for number, line in enumerate(data.split(b"\n"), 1):
        parts = line.split()
        if not parts:
            continue
        try:
            source = state(parts[0])
            if start < 0:
                start = source
            if len(parts) <= 2:
                finals[source] = float(parts[1]) if len(parts) == 2 else 0.0
                continue
            if len(parts) not in (columns, columns + 1):
                expected = f"1, 2, {columns} or {columns + 1}"
                raise DataError(f"{len(parts)} fields, expected {expected}", file=name, line=number)
            ilabel = _label(parts[2], isymbols, name, number)
            olabel = ilabel if acceptor else _label(parts[3], osymbols, name, number)
            cost = float(parts[columns]) if len(parts) > columns else 0.0
            rows.append((source, ilabel, olabel, cost, state(parts[1])))
        except ValueError:
            raise DataError(f"found {line!r}; expected numbers for states and costs", file=name, line=number) from None
    num_states = len(states)
    if keep_numbers:
        num_states = 1 + max([start, *finals, *(max(row[0], row[4]) for row in rows)], default=-1)
    src, ilabel, olabel, cost, dst = zip(*rows) if rows else ((), (), (), (), ())
    fst = make_csr(num_states, src, ilabel, olabel, cost, dst, finals, start=start)
    return fst


def _label(text: bytes, table, name: str, line: int) -> int:
    if table is None:
        return int(text)
    symbol = text.decode("utf-8", "surrogateescape")
    if symbol not in table:
        raise DataError(f"symbol {symbol!r} is not in the symbol table", file=name, line=line)
    return table[symbol]


def print_fst(fst: CsrFst, isymbols=None, osymbols=None, acceptor: bool = False) -> bytes:
    """Arrays to text, the start state first, with 9 significant digits (OpenFst's fstprint).

    Parameters
    ----------
    isymbols, osymbols : dict from label to symbol, or None for numbers
    """
    if fst.num_states == 0:
        return b""
    lines = []
    isym = [_name(label, isymbols) for label in fst.ilabel.tolist()]
    osym = [_name(label, osymbols) for label in fst.olabel.tolist()]
    weight, dst = fst.weight, fst.nextstate.tolist()
    states = [fst.start, *(s for s in range(fst.num_states) if s != fst.start)]
    for s in states:
        for k in range(int(fst.offsets[s]), int(fst.offsets[s + 1])):
            labels = isym[k] if acceptor else f"{isym[k]}\t{osym[k]}"
            lines.append(f"{s}\t{dst[k]}\t{labels}{_cost(weight[k])}\n")
        if np.isfinite(fst.final[s]) or fst.final[s] != np.inf:
            lines.append(f"{s}{_cost(fst.final[s])}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")


def _name(label: int, table) -> str:
    if table is None:
        return str(label)
    if label not in table:
        raise DataError(f"label {label} is not in the symbol table", mend="the table that the FST was made with")
    return table[label]


def _cost(cost) -> str:
    if cost == 0:
        return ""
    text = f"{float(cost):.9g}"
    return "\t" + {"inf": "Infinity", "-inf": "-Infinity", "nan": "BadNumber"}.get(text, text)
