"""Lattices of the search over LG, compiled: backward pruning of nodes and links, and hubs split by their last frame."""

from __future__ import annotations

import numpy as np

from sidamo.decode.kernel import INF, LINK, LINK_ARC, LINK_COST, SOURCE, TARGET, fill_inf, list_finite, lower, set_link
from sidamo.decode.memory import put, real, word
from sidamo.decode.topology_kernel import BEFORE, NODE, NODE_COST, NODE_HUB, NODE_STAY
from sidamo.io.native import jit

ZERO = np.float32(0)


@jit(forceinline=True)
def through_link(nodes, extra, links, k):
    """Extra of the paths over link k; below that of its target where the source's best way may not take its arc."""
    source, target = word(links, LINK * k + SOURCE), word(links, LINK * k + TARGET)
    cost = real(nodes, NODE * source + NODE_COST) + real(links, LINK * k + LINK_COST)
    return real(extra, target) + (cost - real(nodes, NODE * target + NODE_COST))


@jit(forceinline=True)
def through_hub(nodes, extra, i, hub):
    """Extra of the paths from unit node i to its hub."""
    return real(extra, hub) + max(real(nodes, NODE * i + NODE_COST) - real(nodes, NODE * hub + NODE_COST), ZERO)


@jit(forceinline=True)
def through_stay(nodes, extra, i):
    """Extra of the paths to node i from the same token the frame before."""
    return real(extra, i) + max(real(nodes, NODE * i + NODE_STAY) - real(nodes, NODE * i + NODE_COST), ZERO)


@jit
def find_extra(nodes, extra, lattice_beam, links, node_end, unit_end, emit_end, link_end, num_frames, found):
    """Backward pass: extra[node] = at least how much dearer than the best is the best path through the node.

    extra of the last frame's nodes is given; inf marks what is beyond the lattice beam. Few nodes are within it, and
    but for the units of a frame only they are walked: found[begin_found:count] are those of the frame.
    """
    count, begin_found = 0, 0
    begin = node_end[num_frames - 1] if num_frames > 0 else 0
    for i in range(begin, node_end[num_frames]):
        put(found, count, i)
        count += real(extra, i) < INF
    fill_inf(extra, begin)
    for t in range(num_frames, -1, -1):
        changed = True
        while changed:  # epsilon links of a frame are in no order; one or two rounds settle them
            changed, count = pass_extra(nodes, extra, lattice_beam, links, emit_end[t], link_end[t], True, found, count)
        count = pass_hubs(nodes, extra, lattice_beam, node_end[t - 1] if t > 0 else 0, unit_end[t], found, count)
        end_found = count
        for k in range(begin_found, end_found):
            i = word(found, k)
            before = word(nodes, NODE * i + BEFORE)
            if before >= 0:
                _, count = lower(extra, before, through_stay(nodes, extra, i), lattice_beam, found, count, nodes, NODE)
        links_begin = link_end[t - 1] if t > 0 else 0
        _, count = pass_extra(nodes, extra, lattice_beam, links, links_begin, emit_end[t], False, found, count)
        begin_found = end_found


@jit
def pass_extra(nodes, extra, lattice_beam, links, begin, end, epsilons, found, count):
    """What the links [begin, end) say about the extra of their sources. Returns (one fell, end of `found`)."""
    any_fell = False
    for k in range(end - 1, begin - 1, -1):
        target = real(extra, word(links, LINK * k + TARGET))
        if target < INF:
            value, source = through_link(nodes, extra, links, k), word(links, LINK * k + SOURCE)
            if epsilons:
                value = max(value, target)
            fell, count = lower(extra, source, value, lattice_beam, found, count, nodes, NODE)
            any_fell |= fell
    return any_fell, count


@jit
def pass_hubs(nodes, extra, lattice_beam, begin, end, found, count):
    """What their hubs say about the extra of the unit nodes [begin, end). Returns the end of `found`."""
    for i in range(begin, end):
        hub = word(nodes, NODE * i + NODE_HUB)
        if hub >= 0 and real(extra, hub) < INF:
            _, count = lower(extra, i, through_hub(nodes, extra, i, hub), lattice_beam, found, count, nodes, NODE)
    return count


@jit
def prune_links(nodes, extra, renumbered, lattice_beam, links, emit_end, link_end, num_frames):
    """Drop, in place, links beyond the lattice beam; the others lead to the new numbers. Returns how many are left."""
    kept, k = 0, 0
    for t in range(num_frames + 1):
        for part in range(2):
            ends = emit_end if part == 0 else link_end
            while k < ends[t]:
                source, target = word(links, LINK * k + SOURCE), word(links, LINK * k + TARGET)
                if real(extra, target) < INF and real(extra, source) < INF:
                    if through_link(nodes, extra, links, k) <= lattice_beam:
                        arc, cost = word(links, LINK * k + LINK_ARC), real(links, LINK * k + LINK_COST)
                        set_link(links, kept, word(renumbered, source), word(renumbered, target), arc, cost)
                        kept += 1
                k += 1
            ends[t] = kept
    return kept


@jit
def prune(nodes, extra, listed, renumbered, lattice_beam, links, node_end, unit_end, emit_end, link_end, num_frames):
    """Drop, in place, nodes whose extra is inf and links beyond the lattice beam. Returns (nodes, links) left."""
    kept = list_finite(extra, listed, renumbered)
    kept_links = prune_links(nodes, extra, renumbered, lattice_beam, links, emit_end, link_end, num_frames)
    for k in range(kept):  # implicit links; costs are moved last of all, for these tests look at other nodes
        i = word(listed, k)
        hub, before = word(nodes, NODE * i + NODE_HUB), word(nodes, NODE * i + BEFORE)
        if hub >= 0:
            near = through_hub(nodes, extra, i, hub) <= lattice_beam
            put(nodes, NODE * i + NODE_HUB, word(renumbered, hub) if near else -1)
        if before >= 0:
            near = through_stay(nodes, extra, i) <= lattice_beam
            put(nodes, NODE * i + BEFORE, word(renumbered, before) if near else -1)
    for k in range(kept):
        for field in range(NODE):
            put(nodes, NODE * k + field, word(nodes, NODE * word(listed, k) + field))
    end = 0
    for t in range(num_frames + 1):
        for part in range(2):
            ends = unit_end if part == 0 else node_end
            while end < kept and listed[end] < ends[t]:
                end += 1
            ends[t] = end
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
