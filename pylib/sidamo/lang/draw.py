"""A small FST as an SVG picture, for teaching: states in columns by their distance from the start."""

from __future__ import annotations

from html import escape

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst

RADIUS, COLUMN, ROW, MARGIN = 18, 150, 86, 50  # pixels
STYLE = (
    "circle{fill:#fff;stroke:#333;stroke-width:1.4}text{font:12px sans-serif;fill:#222;text-anchor:middle}"
    "path{fill:none;stroke:#777;stroke-width:1.2}.start{stroke-width:3}.label{font-size:11px;fill:#1a4f8a;"
    "paint-order:stroke;stroke:#fff;stroke-width:3px}"
)


def draw_svg(fst: CsrFst, isymbols=None, osymbols=None, max_states: int = 60, max_arcs: int = 300) -> str:
    """SVG text; final states have a double ring, the start a bold one, arcs `input:output/cost`.

    Parameters
    ----------
    isymbols, osymbols : dict label -> symbol, or None for numbers

    Raises
    ------
    DataError : more than max_states states or max_arcs arcs: no picture would be readable.
    """
    if fst.num_states == 0:
        raise DataError("the FST is empty: nothing to draw")
    if fst.num_states > max_states or fst.num_arcs > max_arcs:
        raise DataError(
            f"{fst.num_states} states and {fst.num_arcs} arcs are too many to draw (bounds {max_states} and {max_arcs})",
            mend="draw a smaller one (fewer words), or raise --max-states and --max-arcs",
        )
    place = _layout(fst)
    width = MARGIN * 2 + max(x for x, _ in place) + RADIUS
    height = MARGIN * 2 + max(y for _, y in place) + RADIUS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}"><style>{STYLE}</style><defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" '
        'markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 1L9 5L0 9" style="fill:none"/>'
        "</marker></defs>"
    ]
    parts += _draw_arcs(fst, place, isymbols, osymbols)
    for state, (x, y) in enumerate(place):
        kind = ' class="start"' if state == fst.start else ""
        parts.append(f'<circle{kind} cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS}"/>')
        text = str(state)
        if np.isfinite(fst.final[state]):
            parts.append(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{RADIUS - 4}"/>')
            if fst.final[state] != 0:
                parts.append(f'<text x="{x:.0f}" y="{y + RADIUS + 13:.0f}">/{fst.final[state]:.3g}</text>')
        parts.append(f'<text x="{x:.0f}" y="{y + 4:.0f}">{text}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _layout(fst: CsrFst) -> list[tuple[float, float]]:
    """Columns by breadth-first distance; in a column by the mean height of the states that lead there."""
    depth = {fst.start: 0}
    queue = [fst.start]
    for state in queue:
        for to in fst.nextstate[fst.arcs_of(state)].tolist():
            if to not in depth:
                depth[to] = depth[state] + 1
                queue.append(to)
    for state in range(fst.num_states):  # what the start does not reach goes last
        depth.setdefault(state, max(depth.values()) + 1)
    src = fst.arc_sources()
    height: dict[int, float] = {}
    for level in range(max(depth.values()) + 1):
        column = [state for state in depth if depth[state] == level]
        wanted = {}
        for state in column:
            before = [height[s] for s in src[fst.nextstate == state].tolist() if s in height]
            wanted[state] = sum(before) / len(before) if before else 0.0
        column.sort(key=lambda state: wanted[state])
        for k, state in enumerate(column):
            height[state] = k - (len(column) - 1) / 2
    lowest = min(height.values())
    return [(MARGIN + RADIUS + depth[s] * COLUMN, MARGIN + RADIUS + (height[s] - lowest) * ROW) for s in range(fst.num_states)]


def _draw_arcs(fst: CsrFst, place, isymbols, osymbols) -> list[str]:
    """One curve per pair of states, with the labels of all its arcs, at most eight."""
    together: dict[tuple[int, int], list[str]] = {}
    for arc, state in enumerate(fst.arc_sources().tolist()):
        label = _label(fst, arc, isymbols, osymbols)
        together.setdefault((state, int(fst.nextstate[arc])), []).append(label)
    parts = []
    for (a, b), labels in together.items():
        if len(labels) > 8:
            labels = [*labels[:7], f"... {len(labels) - 7} more"]
        path, x, y = _curve(place[a], place[b], a == b, (b, a) in together)
        parts.append(f'<path d="{path}" marker-end="url(#tip)"/>')
        for k, text in enumerate(labels):
            parts.append(f'<text class="label" x="{x:.0f}" y="{y - 12 * (len(labels) - 1 - k):.0f}">{escape(text)}</text>')
    return parts


def _label(fst: CsrFst, arc: int, isymbols, osymbols) -> str:
    names = []
    for label, table in ((int(fst.ilabel[arc]), isymbols), (int(fst.olabel[arc]), osymbols)):
        names.append("ε" if label == 0 else table.get(label, str(label)) if table else str(label))
    text = names[0] if names[0] == names[1] else ":".join(names)
    return text if fst.weight[arc] == 0 else f"{text}/{fst.weight[arc]:.3g}"


def _curve(start, end, is_loop: bool, has_return: bool):
    """SVG path from circle to circle, and where its label goes."""
    (x1, y1), (x2, y2) = start, end
    if is_loop:
        top = y1 - RADIUS
        return f"M{x1 - 8:.0f} {top + 2:.0f}C{x1 - 26:.0f} {top - 30:.0f} {x1 + 26:.0f} {top - 30:.0f} " \
               f"{x1 + 8:.0f} {top + 2:.0f}", x1, top - 26  # fmt: skip
    dx, dy = x2 - x1, y2 - y1
    length = max((dx * dx + dy * dy) ** 0.5, 1.0)
    ux, uy = dx / length, dy / length
    bend = 26 if has_return or x2 <= x1 or abs(dx) > 1.5 * COLUMN else 0
    bend += 0.12 * length if x2 <= x1 or abs(dx) > 1.5 * COLUMN else 0
    mx, my = (x1 + x2) / 2 + uy * bend, (y1 + y2) / 2 - ux * bend
    ax, ay = x1 + ux * RADIUS, y1 + uy * RADIUS
    bx, by = x2 - ux * (RADIUS + 2), y2 - uy * (RADIUS + 2)
    label_x, label_y = (ax + 2 * mx + bx) / 4, (ay + 2 * my + by) / 4 - 4
    return f"M{ax:.0f} {ay:.0f}Q{mx:.0f} {my:.0f} {bx:.0f} {by:.0f}", label_x, label_y
