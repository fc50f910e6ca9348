"""Small transducers as drawings: states in columns by their distance from the start, arcs that lead back drawn forward.

An arc to an earlier column would run against all others, so it ends in a dashed copy of its state at the right edge:
a lexicon then reads from left to right, one word a row.
"""

from __future__ import annotations

import html
import math

import numpy as np

RADIUS = 15  # of a state, pixels
ROW, WIDE_ROW, LINE = 64, 100, 14  # distance of two rows, where there are few rows, of two lines of a label
SHOWN = 9  # labels of parallel arcs that are written out; the others are counted
PER_LINE = 3


def cut_tokens(fst, keep: int):
    """A token transducer reduced to blank and its first `keep` units, so that it can be drawn: (arcs, finals, start).

    Labels are those of tokens.txt: 1 is blank, units begin with 2. All units behave alike, so that two of them show it.
    Arcs without an input label (they let the lexicon's disambiguation symbols through) are left out.
    """
    source = np.asarray(fst.arc_sources())
    chosen = np.nonzero((fst.ilabel >= 1) & (fst.ilabel <= 1 + keep))[0]
    columns = (source, fst.nextstate, fst.ilabel, fst.olabel, fst.weight)
    arcs = list(zip(*(np.asarray(column)[chosen].tolist() for column in columns)))
    reached, todo = {int(fst.start)}, [int(fst.start)]
    while todo:
        state = todo.pop()
        for arc in arcs:
            if arc[0] == state and arc[1] not in reached:
                reached.add(arc[1])
                todo.append(arc[1])
    # Without its own arcs a unit's state is a dead end: only states from which some end is reached are kept.
    alive = {s for s in reached if math.isfinite(fst.final[s])}
    while True:
        more = {arc[0] for arc in arcs if arc[1] in alive and arc[0] in reached} - alive
        if not more:
            break
        alive |= more
    arcs = [arc for arc in arcs if arc[0] in alive and arc[1] in alive]
    return arcs, {s for s in alive if math.isfinite(fst.final[s])}, int(fst.start)


def all_arcs(fst):
    """(arcs, finals, start) of a whole transducer; arcs are (source, target, ilabel, olabel, weight)."""
    columns = (fst.arc_sources(), fst.nextstate, fst.ilabel, fst.olabel, fst.weight)
    arcs = list(zip(*(np.asarray(column).tolist() for column in columns)))
    return arcs, set(np.nonzero(np.isfinite(fst.final))[0].tolist()), int(fst.start)


def label_of(arc, isymbols: dict[int, str], osymbols: dict[int, str]) -> str:
    """`in:out/cost`; the colon only where they differ, the cost (-ln p) only where it is not 0."""
    left = isymbols.get(arc[2], str(arc[2])) if arc[2] else "ε"
    right = osymbols.get(arc[3], str(arc[3])) if arc[3] else "ε"
    cost = f"/{arc[4]:.2f}" if abs(arc[4]) > 0.005 else ""
    return (left if left == right else f"{left}:{right}") + cost


def columns_of(start: int, ends: list[tuple[int, int]]) -> dict[int, int]:
    """Distance of every state from the start, in arcs."""
    column, front = {start: 0}, [start]
    following: dict[int, list[int]] = {}
    for source, target in ends:
        following.setdefault(source, []).append(target)
    while front:
        found = {}
        for source in front:
            found.update({t: column[source] + 1 for t in following.get(source, []) if t not in column})
        column.update(found)
        front = list(found)
    return column


def draw(arcs: list[tuple], finals: set, start: int, isymbols: dict[int, str], osymbols: dict[int, str]) -> str:
    """The drawing as SVG.

    Parameters
    ----------
    arcs : list of (source, target, ilabel, olabel, weight)
    finals, start : final states, start state
    isymbols, osymbols : label -> name
    """
    bundles: dict[tuple[int, int], list[str]] = {}
    for arc in arcs:
        bundles.setdefault((arc[0], arc[1]), []).append(label_of(arc, isymbols, osymbols))
    column = columns_of(start, list(bundles))
    last = max(column.values()) + 1  # where copies stand
    routed = []  # (from node, to node, labels); a node is a state, or ("copy", state)
    for (source, target), labels in bundles.items():
        if source not in column:
            continue
        back = column[target] < column[source]
        routed.append((source, ("copy", target) if back else target, labels))
    nodes = {**column, **{target: last for _, target, _ in routed if isinstance(target, tuple)}}
    rows = _rows(nodes, routed)
    left = _column_places(nodes, routed)
    top = 46 + LINE * max([len(_lines(labels)) for s, t, labels in routed if s == t], default=1)
    row = ROW if max(rows.values()) > 3 else WIDE_ROW
    place = {node: (left[k], top + row * rows[node]) for node, k in nodes.items()}
    parts = [_arc(place, *arc) for arc in routed]
    parts += [_node(place[node], node, finals, start) for node in nodes]
    w, h = left[-1], top + row * max(rows.values()) + 2 * RADIUS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0,0L8,4L0,8z" fill="#4b5563"/></marker></defs>{"".join(parts)}</svg>'
    )


def _rows(nodes: dict, routed: list) -> dict:
    """Row of each node: that of the nodes before it where it is free, so that a chain of states is a straight line."""
    rows: dict = {}
    order = sorted(nodes, key=lambda node: (nodes[node], str(node).rjust(12)))
    for k in range(1, max(nodes.values()) + 1):
        wanted = []
        for node in (n for n in order if nodes[n] == k):
            before = [rows[s] for s, t, _ in routed if t == node and s in rows]
            wanted.append((sum(before) / len(before) if before else 0.0, len(wanted), node))
        free = 0
        for row, _, node in sorted(wanted, key=lambda item: item[:2]):
            rows[node] = free = max(free, round(row))
            free += 1
    first = [rows[n] for n in rows if nodes[n] == 1]
    middle = sum(first) / len(first) if first else 0
    return rows | {node: middle for node in order if nodes[node] == 0}  # the start


def _column_places(nodes: dict, routed: list) -> list[float]:
    """x of each column, and the width of the drawing at the end: labels must find room between the columns."""
    last = max(nodes.values())
    leaving, loops = [0.0] * (last + 1), [0.0] * (last + 2)  # widest label of an arc to the right, and of a loop
    for s, t, labels in routed:
        wide = 7.2 * max(map(len, _lines(labels)))
        if s == t:
            loops[nodes[s]] = max(loops[nodes[s]], wide)
        else:
            leaving[nodes[s]] = max(leaving[nodes[s]], wide)
    out = [max(RADIUS + 30, loops[0] / 2 + 10)]
    for k in range(last + 1):
        gap = max(leaving[k] + 44, (loops[k] + loops[k + 1]) / 2, 60)
        if loops[k + 1] > 100:  # several lines above the next state must not meet those above the arc to it
            gap = max(gap, leaving[k] + loops[k + 1] - 20)
        out.append(out[-1] + 2 * RADIUS + gap if k < last else out[-1] + max(RADIUS + 30, loops[k] / 2 + 10))
    return out


def _lines(labels: list[str]) -> list[str]:
    """Labels of parallel arcs in lines."""
    shown = labels if len(labels) <= SHOWN + 1 else [*labels[:SHOWN], f"+ {len(labels) - SHOWN} more"]
    return ["  ".join(shown[i : i + PER_LINE]) for i in range(0, len(shown), PER_LINE)]


def _text(x: float, y: float, lines: list[str]) -> str:
    """Lines of text centred at x, the last one at y."""
    out = []
    for i, line in enumerate(lines):
        at = y - LINE * (len(lines) - 1 - i)
        out.append(
            f'<text x="{x:.0f}" y="{at:.0f}" text-anchor="middle" paint-order="stroke" stroke="#fff" stroke-width="4">'
            f"{html.escape(line)}</text>"
        )
    return "".join(out)


def _arc(place: dict, source, target, labels: list[str]) -> str:
    """One bundle of arcs: a loop above its state, a bow within a column, else a straight line."""
    (x1, y1), (x2, y2) = place[source], place[target]
    style = 'fill="none" stroke="#4b5563" stroke-width="1.4" marker-end="url(#tip)"'
    lines = _lines(labels)
    if source == target:
        path = f"M{x1 - 9:.0f},{y1 - 12:.0f}C{x1 - 24:.0f},{y1 - 44:.0f} {x1 + 24:.0f},{y1 - 44:.0f} "
        path += f"{x1 + 9:.0f},{y1 - 12:.0f}"
        return f'<path d="{path}" {style}/>' + _text(x1, y1 - 40, lines)
    if x1 == x2:  # two states of a column: bows on both sides, one a direction
        side = 26 if y2 > y1 else -26
        end = RADIUS if y2 < y1 else -RADIUS
        path = f"M{x1:.0f},{y1 - end:.0f}Q{x1 + 2 * side:.0f},{(y1 + y2) / 2:.0f} {x2:.0f},{y2 + end:.0f}"
        return f'<path d="{path}" {style}/>' + _text(x1 + 1.5 * side, (y1 + y2) / 2 + 4, lines)
    if isinstance(target, tuple):  # along its own row to the end, where nothing is in the way, then to the copy
        turn = x2 - RADIUS - 46
        path = f"M{x1 + RADIUS:.0f},{y1:.0f}L{turn:.0f},{y1:.0f}Q{x2 - RADIUS:.0f},{y1:.0f} "
        sign = (y1 > y2) - (y1 < y2)
        end = f"{x2 - RADIUS * (1 if sign == 0 else 0.6):.0f},{y2 + sign * 0.8 * RADIUS:.0f}"
        return f'<path d="{path}{end}" {style}/>' + _text(x1 + RADIUS + 34, y1 - 5, lines)
    length = math.hypot(x2 - x1, y2 - y1)
    dx, dy = (x2 - x1) / length * RADIUS, (y2 - y1) / length * RADIUS
    path = f"M{x1 + dx:.0f},{y1 + dy:.0f}L{x2 - dx:.0f},{y2 - dy:.0f}"
    share = 0.5 if y1 == y2 else 0.62 if len(place) > 8 else 0.5  # towards the target, where lines have parted
    return f'<path d="{path}" {style}/>' + _text(x1 + share * (x2 - x1), y1 + share * (y2 - y1) - 5, lines)


def _node(at: tuple[float, float], node, finals: set, start: int) -> str:
    """A state: bold where it is the start, double where it is final, dashed where it is a copy."""
    copy = isinstance(node, tuple)
    state = node[1] if copy else node
    dash = ' stroke-dasharray="4 3"' if copy else ""
    width = 3 if state == start and not copy else 1.5
    style = f'fill="#fff" stroke="#1a1d21" stroke-width="{width}"{dash}'
    circle = f'<circle cx="{at[0]:.0f}" cy="{at[1]:.0f}" r="{{}}" {style}/>'
    inner = circle.format(RADIUS - 4) if state in finals else ""
    label = f'<text x="{at[0]:.0f}" y="{at[1] + 4:.0f}" text-anchor="middle">{state}</text>'
    return circle.format(RADIUS) + inner + label
