"""The search over LG with the CTC topology carried inside, compiled: no T is composed, no TLG is made.

Two kinds of tokens take the place of TLG's states:

    N(d, q)   the last frame was token q, and an arc labelled q led to state d of LG
    H(s)      at state s of LG, whatever the last frame was ("hub"): what a new arc may leave from

and one frame is, with a = -acwt * loglike of the frame:

    N'(d, q) = min( N(d, q) + a[q],                                   the token lasts (not in `minimal`)
                    min over arcs s -> d with q of  H(s without q) + weight + a[q] )
    H'(s)    = min( H(s) + a[blank],  min over q of N'(s, q),  min over epsilon arcs r -> s of H'(r) + weight )

In the correct topology equal tokens need a blank between them: "H(s without q)" is the best way to be at s whose last
frame was not q. The best two of H(s) with different last frames answer that for every q. Other topologies (`modified`,
`minimal`) do not care; there all last frames are called 0, and the second is never made.

Blank, lasting, and N -> H need no arc of the graph, so a back-pointer is made only where an arc is taken (a tenth of
the frames); which frames were blank is found again when the path is known (see alignment).

For lattices, tokens of all frames stay as nodes (H and N alike), with the node of the frame before for blank and
lasting, and links for arcs. These nodes forget the last frame, so the lattice they span holds some paths too many: it
is pruned with costs that are never too high, then expand() splits hubs by the last frame and drops what is not CTC.

Frontier arrays have two rows, for the frame that is left and the one that is entered.
"""

from __future__ import annotations

import numpy as np

from sidamo.decode.kernel import (
    AHEAD,
    DONE,
    INF,
    LINKS_FULL,
    NO_TOKENS,
    NUM_BINS,
    QUEUE_FULL,
    TOKENS_FULL,
    acoustic_row,
)
from sidamo.decode.prefetch import prefetch
from sidamo.io.native import jit

POINTERS_FULL = 10
# Columns of `unit_table`, a row for each unit token (d, q) that LG has: everything about it in one cache line.
SLOT, STATE, LABEL, EPSILONS, ARCS, ARCS_END, LOW = range(7)
# Fields of `unit`, the unit tokens of a frame: number, then as in the table, then the hub of its state or -1.
NUMBER, HUB = 0, 6
# Fields of `position`.
ROW, HUBS, UNITS, HUB_BASE, UNIT_BASE, FRAME, UTT_FRAME, POINTERS, NODES, LINKS, HUB_NODES, UNIT_NODES = range(12)
BLANK = 1


@jit
def histogram(cost, count, low, high, bins):
    scale = np.float32(NUM_BINS / (high - low))
    for i in range(count):
        if low <= cost[i] <= high:
            bins[min(np.int64((cost[i] - low) * scale), NUM_BINS - 1)] += 1


@jit
def kth_of_two(hub_cost, hubs, unit_cost, units, k, low, high, bins):
    """The k-th smallest (from 0) cost of two lists in [low, high], to one part in a million of the range."""
    for _ in range(2):
        width = high - low
        if not width > 0:
            break
        bins[:] = 0
        histogram(hub_cost, hubs, low, high, bins)
        histogram(unit_cost, units, low, high, bins)
        chosen = 0
        while chosen < NUM_BINS - 1 and k >= bins[chosen]:
            k -= bins[chosen]
            chosen += 1
        step = width / NUM_BINS
        high = low + np.float32((chosen + 1) * step)
        low = low + np.float32(chosen * step)
    return high


@jit
def find_cutoff(hub_cost, hubs, unit_cost, units, beam, max_active, min_active, beam_delta, bins):
    """Kaldi's GetCutoff over both kinds of tokens: (best cost, best hub, cutoff, adaptive beam)."""
    best, best_hub, worst = INF, 0, -INF
    for i in range(hubs):
        if hub_cost[i] < best:
            best, best_hub = hub_cost[i], i
        worst = max(worst, hub_cost[i])
    limit = best + beam
    within = 0
    for i in range(hubs):
        within += hub_cost[i] < limit
    for i in range(units):
        within += unit_cost[i] < limit
        worst = max(worst, unit_cost[i])
    if within > max_active:
        cutoff = kth_of_two(hub_cost, hubs, unit_cost, units, max_active, best, min(limit, worst), bins)
        if cutoff < limit:
            return best, best_hub, cutoff, cutoff - best + beam_delta
    elif within <= min_active and min_active > 0:
        if hubs + units <= min_active:
            return best, best_hub, INF, INF
        cutoff = kth_of_two(hub_cost, hubs, unit_cost, units, min_active, best, worst, bins)
        if cutoff > limit:
            return best, best_hub, cutoff, cutoff - best + beam_delta
    return best, best_hub, limit, beam


@jit
def number_units(arcs, num_states, num_labels):
    """Number the pairs (next state, label) of emitting arcs, by state, then label; arcs lead to the numbers from now on.

    arcs : (A, 4) int32, ilabel in column 0 (0: epsilon, left alone), next state in column 3; changed in place
    Returns n_dest, n_label, int32 (units,). One counting sort by state: a fifth of the time that np.unique takes.
    """
    ends = np.zeros(num_states + 1, np.int64)
    for a in range(len(arcs)):
        if arcs[a, 0] != 0:
            ends[arcs[a, 3] + 1] += 1
    for s in range(num_states):
        ends[s + 1] += ends[s]
    total = ends[num_states]
    by_state = np.empty(total, np.int32)
    for a in range(len(arcs)):
        if arcs[a, 0] != 0:
            s = arcs[a, 3]
            by_state[ends[s]] = a
            ends[s] += 1
    # ends[s] is now the end of the arcs into s.
    n_dest, n_label = np.empty(total, np.int32), np.empty(total, np.int32)
    number, seen_at = np.zeros(num_labels + 1, np.int32), np.full(num_labels + 1, -1, np.int32)
    units, begin = 0, 0
    for s in range(num_states):
        first = units
        for i in range(begin, ends[s]):
            label = arcs[by_state[i], 0]
            if seen_at[label] != s:
                seen_at[label] = s
                n_dest[units], n_label[units] = s, label
                units += 1
        insertion_sort(n_label, first, units)
        for n in range(first, units):
            number[n_label[n]] = n
        for i in range(begin, ends[s]):
            a = by_state[i]
            arcs[a, 3] = number[arcs[a, 0]]
        begin = ends[s]
    return n_dest[:units].copy(), n_label[:units].copy()


@jit
def insertion_sort(values, begin, end):
    """Sort values[begin:end] in place; most states are entered with a handful of labels."""
    for i in range(begin + 1, end):
        value, j = values[i], i
        while j > begin and values[j - 1] > value:
            values[j] = values[j - 1]
            j -= 1
        values[j] = value


@jit
def make_unit_table(first, weights, n_dest, n_label):
    """Row for each unit token: no slot yet, state, token, and the state's arcs with the lowest weight among them."""
    table = np.zeros((len(n_dest), 8), np.int32)
    low = table.view(np.float32)
    for n in range(len(n_dest)):
        s = n_dest[n]
        begin, end = first[s, 1], first[s + 1, 0]
        table[n, SLOT], table[n, STATE], table[n, LABEL] = -1, s, n_label[n]
        table[n, EPSILONS], table[n, ARCS], table[n, ARCS_END] = first[s, 0], begin, end
        low[n, LOW] = weights[begin, 2] if begin < end else INF
    return table


@jit(forceinline=True)  # a call would push a hundred words of array fields
def improve_hub(j, cost, pointer, last, hub_cost, hub_pointer, hub_last, hub_fresh):
    """Offer a way to be at the state of hub j: kept if it is the best, or the best with another last frame than the
    best's. hub_cost, hub_pointer, hub_last are (2, room): best, second. Returns True where it was kept."""
    if cost < hub_cost[0, j]:
        if last != hub_last[0, j]:
            hub_cost[1, j], hub_pointer[1, j], hub_last[1, j] = hub_cost[0, j], hub_pointer[0, j], hub_last[0, j]
        hub_cost[0, j], hub_pointer[0, j], hub_last[0, j] = cost, pointer, last
    elif last != hub_last[0, j] and cost < hub_cost[1, j]:
        hub_cost[1, j], hub_pointer[1, j], hub_last[1, j] = cost, pointer, last
    else:
        return False
    hub_fresh[j] = True
    return True


@jit(forceinline=True)
def make_hub(j, state, cost, pointer, last, epsilons, begin, end, low, slot, hub_slot,
             hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_fresh):  # fmt: skip
    """Write hub j, with one way to be there."""
    hub_slot[state] = slot
    hub_state[j], hub_from[j], hub_fresh[j] = state, -1, True
    hub_cost[0, j], hub_pointer[0, j], hub_last[0, j] = cost, pointer, last
    hub_cost[1, j], hub_pointer[1, j], hub_last[1, j] = INF, -1, -1
    hub_arcs[0, j], hub_arcs[1, j], hub_arcs[2, j], hub_low[j] = epsilons, begin, end, low


@jit(forceinline=True)
def enter_hub(first, weights, state, cost, pointer, last, hub_slot, base, count,
              hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_fresh):  # fmt: skip
    """Offer a way to be at a state. Returns (hub, number of hubs, kept); the hub is -1 where there is no room."""
    j = hub_slot[state] - base
    if j >= 0:
        return j, count, improve_hub(j, cost, pointer, last, hub_cost, hub_pointer, hub_last, hub_fresh)
    if count == len(hub_state):
        return -1, count, False
    begin, end = first[state, 1], first[state + 1, 0]
    make_hub(
        count, state, cost, pointer, last, first[state, 0], begin, end, weights[begin, 2] if begin < end else INF,
        base + count, hub_slot, hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_fresh,
    )  # fmt: skip
    return count, count + 1, True


@jit
def last_units(row, unit, unit_low, unit_cost, unit_pointer, units, moved, cutoff, bound, adaptive_beam,
               unit_table, base, new, new_low, new_cost, new_pointer, new_arc, new_from, new_stay):  # fmt: skip
    """Tokens that last one more frame. Returns (number of new tokens or -1, bound)."""
    count = 0
    for i in range(units):
        c = unit_cost[i]
        if c > cutoff:
            continue
        c_new = c + row[unit[LABEL, i]]
        if c_new >= bound:
            continue
        if count == len(new_cost):
            return -1, bound
        unit_table[unit[NUMBER, i], SLOT] = base + count
        for field in range(HUB):
            new[field, count] = unit[field, i]
        new_low[count] = unit_low[i]
        new[HUB, count] = moved[unit[HUB, i]] if unit[HUB, i] >= 0 else -1
        new_cost[count], new_pointer[count] = c_new, unit_pointer[i]
        new_arc[count], new_from[count], new_stay[count] = -1, i, c_new
        count += 1
        if c_new + adaptive_beam < bound:
            bound = c_new + adaptive_beam
    return count, bound


@jit
def stay_blank(blank_cost, hub_state, hub_cost, hub_pointer, hub_arcs, hub_low, hubs, cutoff, bound, adaptive_beam,
               blank_last, hub_slot, base, new_state, new_cost, new_pointer, new_last, new_arcs, new_low, new_from,
               new_stay, new_fresh, moved):  # fmt: skip
    """Hubs whose next frame is blank. Returns (number of new hubs, bound); there is room for as many as there were."""
    count = 0
    for i in range(hubs):
        moved[i] = -1
        c = hub_cost[0, i]
        if c > cutoff:
            continue
        c_new = c + blank_cost
        if c_new >= bound:
            continue
        hub_slot[hub_state[i]] = base + count
        new_state[count], new_low[count] = hub_state[i], hub_low[i]
        for field in range(3):
            new_arcs[field, count] = hub_arcs[field, i]
        new_cost[0, count], new_pointer[0, count], new_last[0, count] = c_new, hub_pointer[0, i], blank_last
        new_cost[1, count], new_pointer[1, count], new_last[1, count] = INF, -1, -1
        new_from[count], new_stay[count], new_fresh[count] = i, c_new, False
        moved[i] = count
        count += 1
        if c_new + adaptive_beam < bound:
            bound = c_new + adaptive_beam
    return count, bound


@jit
def scan_arcs(arcs, weights, row, low, hub_arcs, hub_low, hub_cost, hub_last, hubs, cutoff, bound, adaptive_beam,
              unit_table, try_hub, try_arc, try_cost):  # fmt: skip
    """Arcs of LG that read a token and stay below the bound. Returns (code, how many, bound).

    They are only noted, and the rows of their unit tokens asked for; by the time that all are found, the bound has
    fallen and the rows have come. try_hub is -1 - hub where the hub's second way is meant.
    """
    count, room = 0, len(try_cost)
    for i in range(hubs):
        if i + AHEAD < hubs and hub_cost[0, i + AHEAD] + hub_low[i + AHEAD] + low < bound:
            prefetch(arcs, 4 * hub_arcs[1, i + AHEAD])
        c = hub_cost[0, i]
        if c > cutoff or c + hub_low[i] + low >= bound:
            continue
        last = hub_last[0, i]
        for a in range(hub_arcs[1, i], hub_arcs[2, i]):
            c_new = c + weights[a, 2]
            if c_new + low >= bound:
                break  # arcs come by rising weight
            label = arcs[a, 0]
            which = i
            if label == last:
                which = -1 - i
                c_new = hub_cost[1, i] + weights[a, 2]
            c_new += row[label]
            if c_new >= bound:
                continue
            if count == room:
                return TOKENS_FULL, count, bound
            prefetch(unit_table, 8 * arcs[a, 3])
            try_hub[count], try_arc[count], try_cost[count] = which, a, c_new
            count += 1
            if c_new + adaptive_beam < bound:
                bound = c_new + adaptive_beam
    return DONE, count, bound


@jit
def take_arcs(arcs, hub_cost, hub_pointer, try_hub, try_arc, try_cost, tries, bound, unit_table, table_low, hub_slot,
              base, new, new_low, new_cost, new_pointer, new_arc, new_from, count, link_from, link_to, link_arc,
              link_cost, num_links, lattice_beam, hub_node, unit_node):  # fmt: skip
    """Make unit tokens of the arcs found. Returns (code, number of new unit tokens, number of links)."""
    room, room_links = len(new_cost), len(link_from)
    for k in range(tries):
        c_new, a, i = try_cost[k], try_arc[k], np.int64(try_hub[k])
        if c_new >= bound:
            continue
        which = 0
        if i < 0:
            which, i = 1, -1 - i
        n = arcs[a, 3]
        j = unit_table[n, SLOT] - base
        if j < 0:
            if count == room:
                return TOKENS_FULL, count, num_links
            j = count
            count += 1
            unit_table[n, SLOT] = base + j
            prefetch(hub_slot, unit_table[n, STATE])
            new[NUMBER, j], new[HUB, j], new_from[j] = n, -1, -1
            for field in range(STATE, HUB):
                new[field, j] = unit_table[n, field]
            new_low[j] = table_low[n, LOW]
            new_cost[j], new_pointer[j], new_arc[j] = c_new, hub_pointer[which, i], a
        elif c_new < new_cost[j]:
            new_cost[j], new_pointer[j], new_arc[j] = c_new, hub_pointer[which, i], a
        elif c_new > new_cost[j] + lattice_beam:
            continue
        if lattice_beam >= 0:
            if num_links == room_links:
                return LINKS_FULL, count, num_links
            link_from[num_links], link_to[num_links] = hub_node + i, unit_node + j
            # From the hub's best way, even where that one may not take this arc: a bound from below for any way.
            link_arc[num_links], link_cost[num_links] = a, c_new - hub_cost[which, i]
            num_links += 1
    return DONE, count, num_links


@jit
def enter_units(frame, strict, bound, unit, unit_low, unit_cost, unit_pointer, unit_arc, units, hub_slot, base,
                hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_fresh, hubs,
                pointer_prev, pointer_arc, pointer_frame, pointers):  # fmt: skip
    """Make back-pointers of the arcs taken; offer each unit token to its hub. Returns (code, hubs, pointers)."""
    for j in range(units):
        c = unit_cost[j]
        if c > bound:
            unit[HUB, j] = -1
            continue
        if unit_arc[j] >= 0:
            if pointers == len(pointer_prev):
                return POINTERS_FULL, hubs, pointers
            pointer_prev[pointers], pointer_arc[pointers], pointer_frame[pointers] = unit_pointer[j], unit_arc[j], frame
            unit_pointer[j] = pointers
            pointers += 1
        last = unit[LABEL, j] if strict else np.int32(0)
        h = np.int64(unit[HUB, j])
        if h < 0:
            h = hub_slot[unit[STATE, j]] - base
        if h >= 0:
            improve_hub(h, c, unit_pointer[j], last, hub_cost, hub_pointer, hub_last, hub_fresh)
        else:
            if hubs == len(hub_state):
                return TOKENS_FULL, hubs, pointers
            h = hubs
            hubs += 1
            make_hub(
                h, unit[STATE, j], c, unit_pointer[j], last, unit[EPSILONS, j], unit[ARCS, j], unit[ARCS_END, j],
                unit_low[j], base + h, hub_slot, hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low,
                hub_from, hub_fresh,
            )  # fmt: skip
        unit[HUB, j] = h
    return DONE, hubs, pointers


@jit
def close_hubs(first, arcs, weights, frame, hub_slot, base, hub_state, hub_cost, hub_pointer, hub_last, hub_arcs,
               hub_low, hub_from, hub_fresh, count, cutoff, queue,
               pointer_prev, pointer_arc, pointer_frame, pointers):  # fmt: skip
    """Follow epsilon arcs from the fresh hubs until nothing changes. Returns (code, hubs, back-pointers).

    A hub that is here by a blank alone needs no closure: the hubs beyond its epsilon arcs stayed on by that blank too.
    """
    top = 0
    if len(queue) < count:
        return QUEUE_FULL, count, pointers
    for i in range(count):
        if hub_fresh[i] and hub_arcs[0, i] < hub_arcs[1, i]:
            queue[top] = i
            top += 1
    while top > 0:
        top -= 1
        i = queue[top]
        for which in range(2):
            c = hub_cost[which, i]
            if c > cutoff or c == INF:
                continue
            pointer, last = hub_pointer[which, i], hub_last[which, i]
            for a in range(hub_arcs[0, i], hub_arcs[1, i]):
                c_new = c + weights[a, 2]
                if c_new > cutoff or c_new == INF:
                    break
                if pointers == len(pointer_prev):
                    return POINTERS_FULL, count, pointers
                j, count, changed = enter_hub(
                    first, weights, arcs[a, 3], c_new, np.int32(pointers), last, hub_slot, base, count, hub_state,
                    hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_fresh,
                )  # fmt: skip
                if j < 0:
                    return TOKENS_FULL, count, pointers
                if changed:
                    pointer_prev[pointers], pointer_arc[pointers], pointer_frame[pointers] = pointer, a, frame
                    pointers += 1
                    if hub_arcs[0, j] < hub_arcs[1, j]:
                        if top == len(queue):
                            return QUEUE_FULL, count, pointers
                        queue[top] = j
                        top += 1
    return DONE, count, pointers


@jit
def drop_dear_links(link_from, link_to, link_arc, link_cost, begin, end, unit_node, unit_cost, from_cost,
                    hub_node, lattice_beam):  # fmt: skip
    """Keep the links within the lattice beam of their destination's best."""
    kept = begin
    for k in range(begin, end):
        c_new = from_cost[link_from[k] - hub_node] + link_cost[k]
        if c_new <= unit_cost[link_to[k] - unit_node] + lattice_beam:
            link_from[kept], link_to[kept] = link_from[k], link_to[k]
            link_arc[kept], link_cost[kept] = link_arc[k], link_cost[k]
            kept += 1
    return kept


@jit
def keep_nodes(arcs, weights, frame_node, unit, unit_cost, unit_from, unit_stay, units, hub_state, hub_cost, hub_arcs,
               hub_from, hub_stay, hub_fresh, hubs, queue, hub_slot, base, old_unit_node, old_hub_node, node_key,
               node_cost, node_before, node_stay, node_hub, cutoff, link_from, link_to, link_arc, link_cost, num_links,
               lattice_beam):  # fmt: skip
    """Write one frame's tokens as nodes (units, then hubs) and the links of epsilon arcs. Returns (code, links).

    Hubs that are here by a blank alone need no such links: the same path takes the epsilon arc a frame earlier.
    """
    hub_node = frame_node + units
    if hub_node + hubs > len(node_key):
        return TOKENS_FULL, num_links
    for j in range(units):
        node = frame_node + j
        node_key[node], node_cost[node], node_stay[node] = unit[NUMBER, j], unit_cost[j], unit_stay[j]
        node_before[node] = old_unit_node + unit_from[j] if unit_from[j] >= 0 else -1
        node_hub[node] = -1
        if unit[HUB, j] >= 0:
            node_hub[node] = hub_node + unit[HUB, j]
            hub_fresh[unit[HUB, j]] = True
    for i in range(hubs):
        node = hub_node + i
        node_key[node], node_cost[node], node_stay[node] = -1 - hub_state[i], hub_cost[0, i], hub_stay[i]
        node_before[node] = old_hub_node + hub_from[i] if hub_from[i] >= 0 else -1
        node_hub[node] = -1
    if len(queue) < hubs:
        return QUEUE_FULL, num_links
    top = 0
    for i in range(hubs):
        if hub_fresh[i]:
            queue[top] = i
            top += 1
    while top > 0:
        top -= 1
        i = queue[top]
        c = hub_cost[0, i]
        if c > cutoff:
            continue
        for a in range(hub_arcs[0, i], hub_arcs[1, i]):
            c_new = c + weights[a, 2]
            if c_new > cutoff:
                break
            j = hub_slot[arcs[a, 3]] - base
            if j < 0 or j == i:
                continue
            if not hub_fresh[j]:
                hub_fresh[j] = True
                queue[top] = j
                top += 1
            if c_new > hub_cost[0, j] + lattice_beam:
                continue
            if num_links == len(link_from):
                return LINKS_FULL, num_links
            link_from[num_links], link_to[num_links] = hub_node + i, hub_node + j
            link_arc[num_links], link_cost[num_links] = a, weights[a, 2]
            num_links += 1
    return DONE, num_links


@jit
def advance(
    first, arcs, weights, table_low, strict, lasting,
    loglikes, blank_only, acoustic_scale, beam, max_active, min_active, beam_delta, lattice_beam, max_links,
    hub_slot, unit_table, hub_state, hub_cost, hub_pointer, hub_last, hub_arcs, hub_low, hub_from, hub_stay, hub_fresh,
    moved, unit, unit_low, unit_cost, unit_pointer, unit_arc, unit_from, unit_stay, queue, bins, row, try_hub, try_arc, try_cost,
    pointer_prev, pointer_arc, pointer_frame, node_key, node_cost, node_before, node_stay, node_hub,
    link_from, link_to, link_arc, link_cost, node_end, unit_end, emit_end, link_end, position, until,
):  # fmt: skip
    """Advance to frame `until` of loglikes (T, V) float32. On a code but DONE the state is that before the frame.

    strict : equal tokens need a blank between them; lasting : a token may last several frames
    position[FRAME] counts frames of this matrix, position[UTT_FRAME] those of the utterance
    """
    links = lattice_beam >= 0
    blank_last = np.int32(BLANK if strict else 0)
    while position[FRAME] < until and position[LINKS] <= max_links:
        t, old = position[FRAME], position[ROW]
        new = 1 - old
        hubs, units = position[HUBS], position[UNITS]
        hub_base, unit_base = position[HUB_BASE] + hubs, position[UNIT_BASE] + units
        frame, pointers, link_begin = position[UTT_FRAME], position[POINTERS], position[LINKS]
        best, best_hub, cutoff, adaptive_beam = find_cutoff(
            hub_cost[old, 0], hubs, unit_cost[old], units, beam, max_active, min_active, beam_delta, bins
        )
        low = acoustic_row(loglikes[t], acoustic_scale, best, row)
        bound = best + row[BLANK] + adaptive_beam
        new_units, num_links, unit_node = 0, link_begin, position[NODES]
        if not blank_only[t]:
            for a in range(hub_arcs[old, 1, best_hub], hub_arcs[old, 2, best_hub]):
                if arcs[a, 0] != hub_last[old, 0, best_hub]:
                    bound = min(bound, best + weights[a, 2] + row[arcs[a, 0]] + adaptive_beam)
        new_hubs, bound = stay_blank(
            row[BLANK], hub_state[old], hub_cost[old], hub_pointer[old], hub_arcs[old], hub_low[old], hubs, cutoff,
            bound, adaptive_beam, blank_last, hub_slot, hub_base, hub_state[new], hub_cost[new], hub_pointer[new],
            hub_last[new], hub_arcs[new], hub_low[new], hub_from, hub_stay, hub_fresh, moved,
        )  # fmt: skip
        if lasting and not blank_only[t]:
            new_units, bound = last_units(
                row, unit[old], unit_low[old], unit_cost[old], unit_pointer[old], units, moved, cutoff, bound, adaptive_beam,
                unit_table, unit_base, unit[new], unit_low[new], unit_cost[new], unit_pointer[new], unit_arc, unit_from,
                unit_stay,
            )  # fmt: skip
            if new_units < 0:
                return TOKENS_FULL
        if not blank_only[t]:
            code, tries, bound = scan_arcs(
                arcs, weights, row, low, hub_arcs[old], hub_low[old], hub_cost[old], hub_last[old], hubs, cutoff, bound,
                adaptive_beam, unit_table, try_hub, try_arc, try_cost,
            )  # fmt: skip
            if code != DONE:
                return code
            code, new_units, num_links = take_arcs(
                arcs, hub_cost[old], hub_pointer[old], try_hub, try_arc, try_cost, tries, bound, unit_table, table_low,
                hub_slot, unit_base, unit[new], unit_low[new], unit_cost[new], unit_pointer[new], unit_arc, unit_from,
                new_units, link_from, link_to, link_arc, link_cost, num_links, lattice_beam, position[HUB_NODES],
                unit_node,
            )  # fmt: skip
            if code != DONE:
                return code
        if new_units + new_hubs == 0:
            return NO_TOKENS
        if links:
            num_links = drop_dear_links(
                link_from, link_to, link_arc, link_cost, link_begin, num_links, unit_node, unit_cost[new],
                hub_cost[old, 0], position[HUB_NODES], lattice_beam,
            )  # fmt: skip
        code, new_hubs, pointers = enter_units(
            frame, strict, bound, unit[new], unit_low[new], unit_cost[new], unit_pointer[new], unit_arc, new_units,
            hub_slot, hub_base, hub_state[new], hub_cost[new], hub_pointer[new], hub_last[new], hub_arcs[new],
            hub_low[new], hub_from, hub_fresh, new_hubs, pointer_prev, pointer_arc, pointer_frame, pointers,
        )  # fmt: skip
        if code != DONE:
            return code
        code, new_hubs, pointers = close_hubs(
            first, arcs, weights, frame, hub_slot, hub_base, hub_state[new], hub_cost[new], hub_pointer[new],
            hub_last[new], hub_arcs[new], hub_low[new], hub_from, hub_fresh, new_hubs, bound, queue, pointer_prev,
            pointer_arc, pointer_frame, pointers,
        )  # fmt: skip
        if code != DONE:
            return code
        if links:
            emit = num_links
            code, num_links = keep_nodes(
                arcs, weights, unit_node, unit[new], unit_cost[new], unit_from, unit_stay, new_units, hub_state[new],
                hub_cost[new], hub_arcs[new], hub_from, hub_stay, hub_fresh, new_hubs, queue, hub_slot, hub_base,
                position[UNIT_NODES], position[HUB_NODES], node_key, node_cost, node_before, node_stay, node_hub, bound,
                link_from, link_to, link_arc, link_cost, num_links, lattice_beam,
            )  # fmt: skip
            if code != DONE:
                return code
            position[UNIT_NODES], position[HUB_NODES] = unit_node, unit_node + new_units
            position[NODES], position[LINKS] = unit_node + new_units + new_hubs, num_links
            unit_end[frame + 1], node_end[frame + 1] = unit_node + new_units, unit_node + new_units + new_hubs
            emit_end[frame + 1], link_end[frame + 1] = emit, num_links
        position[ROW], position[HUBS], position[UNITS] = new, new_hubs, new_units
        position[HUB_BASE], position[UNIT_BASE], position[POINTERS] = hub_base, unit_base, pointers
        position[FRAME], position[UTT_FRAME] = t + 1, frame + 1
    return DONE


@jit
def compact_pointers(pointer_prev, pointer_arc, pointer_frame, end, hub_pointer, hubs, unit_pointer, units, renumbered):
    """Drop back-pointers that no token leads to; renumber those of the tokens. Returns how many are left."""
    for i in range(end):
        renumbered[i] = -1
    for which in range(3):
        for i in range(units if which == 2 else hubs):
            j = unit_pointer[i] if which == 2 else hub_pointer[which, i]
            while j >= 0 and renumbered[j] < 0:
                renumbered[j] = 0
                j = pointer_prev[j]
    kept = 0
    for i in range(end):
        if renumbered[i] == 0:
            renumbered[i] = kept
            pointer_arc[kept], pointer_frame[kept] = pointer_arc[i], pointer_frame[i]
            pointer_prev[kept] = renumbered[pointer_prev[i]] if pointer_prev[i] >= 0 else -1
            kept += 1
    for which in range(2):
        for i in range(hubs):
            if hub_pointer[which, i] >= 0:
                hub_pointer[which, i] = renumbered[hub_pointer[which, i]]
    for i in range(units):
        if unit_pointer[i] >= 0:
            unit_pointer[i] = renumbered[unit_pointer[i]]
    return kept
