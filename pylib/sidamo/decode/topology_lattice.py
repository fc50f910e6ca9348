"""Lattices of the search over LG, compiled: backward pruning of nodes and links, and hubs split by their last frame."""

from __future__ import annotations

import numpy as np

from sidamo.decode.kernel import INF
from sidamo.io.native import jit

ZERO = np.float32(0)


@jit
def find_extra(node_cost, node_before, node_stay, node_hub, extra, lattice_beam, link_from, link_to, link_cost,
               node_end, unit_end, emit_end, link_end, num_frames):  # fmt: skip
    """Backward pass: extra[node] = at least how much dearer than the best is the best path through the node.

    extra of the last frame's nodes is given; inf marks what is beyond the lattice beam.
    """
    for i in range(node_end[num_frames - 1] if num_frames > 0 else 0):
        extra[i] = INF
    for t in range(num_frames, -1, -1):
        changed = True
        while changed:  # epsilon links of a frame are in no order; one or two rounds settle them
            changed = False
            for k in range(link_end[t] - 1, emit_end[t] - 1, -1):
                i, j = link_from[k], link_to[k]
                through = extra[j] + max(node_cost[i] + link_cost[k] - node_cost[j], ZERO)
                if through <= lattice_beam and through < extra[i]:
                    extra[i] = through
                    changed = True
        begin = node_end[t - 1] if t > 0 else 0
        for i in range(begin, unit_end[t]):
            h = node_hub[i]
            if h >= 0:
                through = extra[h] + max(node_cost[i] - node_cost[h], ZERO)
                if through <= lattice_beam and through < extra[i]:
                    extra[i] = through
        for i in range(begin, node_end[t]):
            before = node_before[i]
            if before >= 0 and extra[i] < INF:
                through = extra[i] + max(node_stay[i] - node_cost[i], ZERO)
                if through <= lattice_beam and through < extra[before]:
                    extra[before] = through
        for k in range(link_end[t - 1] if t > 0 else 0, emit_end[t]):
            i, j = link_from[k], link_to[k]
            through = extra[j] + (node_cost[i] + link_cost[k] - node_cost[j])  # below 0 where the best may not go on
            if through <= lattice_beam and through < extra[i]:
                extra[i] = through


@jit
def prune(node_key, node_cost, node_before, node_stay, node_hub, extra, renumbered, lattice_beam,
          link_from, link_to, link_arc, link_cost, node_end, unit_end, emit_end, link_end, num_frames):  # fmt: skip
    """Drop, in place, nodes whose extra is inf and links beyond the lattice beam. Returns (nodes, links) left."""
    kept = 0
    for i in range(node_end[num_frames]):
        renumbered[i] = -1
        if extra[i] < INF:
            renumbered[i] = kept
            kept += 1
    kept_links, k = 0, 0
    for t in range(num_frames + 1):
        for part in range(2):
            end = emit_end[t] if part == 0 else link_end[t]
            while k < end:
                i, j = link_from[k], link_to[k]
                if renumbered[i] >= 0 and renumbered[j] >= 0:
                    if extra[j] + (node_cost[i] + link_cost[k] - node_cost[j]) <= lattice_beam:
                        link_from[kept_links], link_to[kept_links] = renumbered[i], renumbered[j]
                        link_arc[kept_links], link_cost[kept_links] = link_arc[k], link_cost[k]
                        kept_links += 1
                k += 1
            if part == 0:
                emit_end[t] = kept_links
            else:
                link_end[t] = kept_links
    for i in range(node_end[num_frames]):  # implicit links, while extra still has the old numbers
        if renumbered[i] < 0:
            continue
        h, before = node_hub[i], node_before[i]
        if h >= 0 and extra[h] + max(node_cost[i] - node_cost[h], ZERO) > lattice_beam:
            node_hub[i] = -1
        if before >= 0 and extra[i] + max(node_stay[i] - node_cost[i], ZERO) > lattice_beam:
            node_before[i] = -1
    # Costs and extra are moved last of all: the tests above look at other nodes.
    for i in range(node_end[num_frames]):
        new = renumbered[i]
        if new >= 0:
            node_key[new], node_cost[new], node_stay[new], extra[new] = (
                node_key[i], node_cost[i], node_stay[i], extra[i],
            )  # fmt: skip
            node_hub[new] = renumbered[node_hub[i]] if node_hub[i] >= 0 else -1
            node_before[new] = renumbered[node_before[i]] if node_before[i] >= 0 else -1
    kept, i = 0, 0
    for t in range(num_frames + 1):
        for part in range(2):
            end = unit_end[t] if part == 0 else node_end[t]
            while i < end:
                kept += renumbered[i] >= 0
                i += 1
            if part == 0:
                unit_end[t] = kept
            else:
                node_end[t] = kept
    return kept, kept_links


# Kinds of arcs of the lattice that forgets the last frame.
UNIT_TO_HUB, EPSILON, TAKE, STAY_UNIT, STAY_BLANK = range(5)


@jit
def expand(offsets, target, kind, label, node_label, new_source, new_target, new_arc, state_node):
    """Split the hubs of a lattice by what their last frame was, and keep what the correct topology allows.

    Nodes are in topological order, node 0 the start. node_label[i]: token of a unit node, 0 for a hub.
    Returns (states, arcs), or (-1, -1) where there is no room; new_arc[k] is the arc from which arc k came.
    """
    num_nodes, room_states, room_arcs = len(node_label), len(state_node), len(new_arc)
    head = np.full(num_nodes, -1, np.int32)  # first state of a node; the others by `following`
    following = np.full(room_states, -1, np.int32)
    last = np.zeros(room_states, np.int32)
    states, arcs = 1, 0
    head[0], state_node[0], last[0] = 0, 0, 1  # nothing before the start: as after a blank
    for i in range(num_nodes):
        s = head[i]
        while s >= 0:
            for a in range(offsets[i], offsets[i + 1]):
                if kind[a] == TAKE and label[a] == last[s]:
                    continue
                wanted = last[s]  # EPSILON
                if kind[a] == UNIT_TO_HUB:
                    wanted = node_label[i]
                elif kind[a] == TAKE or kind[a] == STAY_UNIT:
                    wanted = label[a]
                elif kind[a] == STAY_BLANK:
                    wanted = 1
                d = head[target[a]]
                while d >= 0 and last[d] != wanted:
                    d = following[d]
                if d < 0:
                    if states == room_states:
                        return -1, -1
                    d = states
                    states += 1
                    state_node[d], last[d] = target[a], wanted
                    following[d] = head[target[a]]
                    head[target[a]] = d
                if arcs == room_arcs:
                    return -1, -1
                new_source[arcs], new_target[arcs], new_arc[arcs] = s, d, a
                arcs += 1
            s = following[s]
    return states, arcs


@jit
def forward_backward(source, target, cost, final, start, beam):
    """Keep the arcs on paths within a beam of the best. Arcs come by the topological order of their sources.

    Returns bool (A,).
    """
    n = len(final)
    forward, backward = np.full(n, np.inf), final.copy()
    forward[start] = 0.0
    for a in range(len(source)):
        forward[target[a]] = min(forward[target[a]], forward[source[a]] + cost[a])
    for a in range(len(source) - 1, -1, -1):
        backward[source[a]] = min(backward[source[a]], cost[a] + backward[target[a]])
    keep = np.zeros(len(source), np.bool_)
    limit = backward[start] + beam
    for a in range(len(source)):
        keep[a] = forward[source[a]] + cost[a] + backward[target[a]] <= limit
    return keep
