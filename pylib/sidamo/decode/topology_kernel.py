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

Hubs and units are records of 64 bytes with all that a frame needs of them; two tables of each, for the frame that is
left and the one that is entered. As in kernel.py each step asks for the memory of the next.
"""

from __future__ import annotations

import numpy as np

from sidamo.decode.kernel import (
    AHEAD,
    ARC,
    DONE,
    ILABEL,
    INF,
    LINKS_FULL,
    NEXT,
    NO_TOKENS,
    PREV,
    QUEUE_FULL,
    TAKEN,
    TO,
    TOKENS_FULL,
    TRIES_FULL,
    TRY,
    WEIGHT,
    acoustic_row,
    find_cutoff,
    gather,
    set_link,
)
from sidamo.decode.kernel import COST as TRY_COST
from sidamo.decode.kernel import STATE as STATE_WORDS
from sidamo.decode.memory import prefetch, put, put_real, real, word
from sidamo.io.native import jit

POINTERS_FULL, NODES_FULL = 10, 11
BLANK = 1
# Records of a frame's hubs and units: a cache line each; what both have stands at the same place in both.
RECORD = 16
NUMBER = FRESH = 0  # of the unit token | has its cost fallen in this frame: NO, WAITING for its epsilon arcs, DONE
STATE = 1
LABEL = LAST = 2  # token of the unit | last frame's token on the best way to the hub
EPSILONS, ARCS, ARCS_END, LOW = 3, 4, 5, 6  # the state's arcs, and the lowest weight of those that read tokens
HUB = SECOND_LAST = 7  # number of the unit's hub or -1 | of the second best way
COST, POINTER = 8, 9
ARRIVED = SECOND_COST = 10  # arc by which the unit was reached, -1 where it lasted
FROM, STAY = 11, 12  # what it was in the frame before, at which cost it came from there; -1 where it is new
SECOND_POINTER = 13
NO, WAITING, CLOSED = 0, 1, 2
# A row for each unit token of LG (32 bytes): the same fields, with its slot in place of its number.
TABLE, SLOT = 8, 0
POINTER_WORDS, POINTER_FRAME = 4, 2  # back-pointers: PREV, TAKEN, frame
NODE, KEY, NODE_COST, BEFORE, NODE_STAY, NODE_HUB = 5, 0, 1, 2, 3, 4
# Fields of `position`.
FRAME, UTT_FRAME, ROW, HUBS, UNITS, HUB_BASE, UNIT_BASE, POINTERS, NODES, LINKS, HUB_NODES, UNIT_NODES = range(12)


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
def make_unit_table(states, n_dest, n_label, unit_table):
    """A row for each unit token: no slot yet, state, token, then the row of the state."""
    for n in range(len(n_dest)):
        unit_table[n, SLOT], unit_table[n, STATE], unit_table[n, LABEL] = -1, n_dest[n], n_label[n]
        copy_words(states, STATE_WORDS * n_dest[n], unit_table, TABLE * n + EPSILONS, STATE_WORDS)


# ----------------------------------------------------------------------------------------------------------------- hubs


@jit(forceinline=True)
def copy_words(source, i, target, j, count):
    """Copy `count` words from item i of one array to item j of another."""
    for k in range(count):
        put(target, j + k, word(source, i + k))


@jit(forceinline=True)
def set_best(hubs, h, cost, pointer, last):
    put_real(hubs, h + COST, cost)
    put(hubs, h + POINTER, pointer)
    put(hubs, h + LAST, last)


@jit(forceinline=True)
def set_second(hubs, h, cost, pointer, last):
    put_real(hubs, h + SECOND_COST, cost)
    put(hubs, h + SECOND_POINTER, pointer)
    put(hubs, h + SECOND_LAST, last)


@jit(forceinline=True)
def offer(hubs, h, cost, pointer, last):
    """Offer a way to be at the hub whose record is item h; kept (True) where it is the best, or the best but for those
    with the best's last frame."""
    best, best_last = real(hubs, h + COST), word(hubs, h + LAST)
    if cost < best:
        if last != best_last:
            set_second(hubs, h, best, word(hubs, h + POINTER), best_last)
        set_best(hubs, h, cost, pointer, last)
        return True
    if last != best_last and cost < real(hubs, h + SECOND_COST):
        set_second(hubs, h, cost, pointer, last)
        return True
    return False


@jit(forceinline=True)
def make_hub(hubs, h, state, cost, pointer, last, arcs):
    """A hub that was not there the frame before, its arcs (EPSILONS to LOW) to be written first; asks for them."""
    put(hubs, h + FRESH, NO)
    put(hubs, h + STATE, state)
    set_best(hubs, h, cost, pointer, last)
    set_second(hubs, h, INF, -1, -1)
    put(hubs, h + FROM, -1)
    prefetch(arcs, ARC * word(hubs, h + EPSILONS))


@jit(forceinline=True)
def wake(hubs, h, j, queue, waiting):
    """Note that the epsilon arcs of hub j (record at item h) are to be followed. Returns the queue's end, -1: no room."""
    if word(hubs, h + FRESH) == WAITING:
        return waiting
    if word(hubs, h + EPSILONS) == word(hubs, h + ARCS):
        put(hubs, h + FRESH, CLOSED)
        return waiting
    if waiting == len(queue):
        return -1
    put(hubs, h + FRESH, WAITING)
    put(queue, waiting, j)
    return waiting + 1


# ------------------------------------------------------------------------------------------------------------- one frame


@jit
def stay_blank(blank_cost, blank_last, hubs, old, count, new, cutoff, bound, adaptive_beam, hub_slot, base, moved):
    """Hubs whose next frame is blank; old, new: their first records. Returns (how many, bound).

    moved[i] is the new number of hub i, or -1.
    """
    kept = 0
    for i in range(count):
        o, n = RECORD * (old + i), RECORD * (new + kept)
        put(moved, i, -1)
        c = real(hubs, o + COST)
        c_new = c + blank_cost
        if c > cutoff or c_new >= bound:
            continue
        put(hub_slot, word(hubs, o + STATE), base + kept)
        put(hubs, n + FRESH, NO)
        put(hubs, n + STATE, word(hubs, o + STATE))
        copy_words(hubs, o + EPSILONS, hubs, n + EPSILONS, STATE_WORDS)
        set_best(hubs, n, c_new, word(hubs, o + POINTER), blank_last)
        set_second(hubs, n, INF, -1, -1)
        put(hubs, n + FROM, i)
        put_real(hubs, n + STAY, c_new)
        put(moved, i, kept)
        kept += 1
        if c_new + adaptive_beam < bound:
            bound = c_new + adaptive_beam
    return kept, bound


@jit
def last_units(row, units, old, count, new, moved, cutoff, bound, adaptive_beam, unit_table, base):
    """Tokens that last one more frame; there is room for all. Returns (how many, bound)."""
    kept = 0
    for i in range(count):
        o, n = RECORD * (old + i), RECORD * (new + kept)
        c = real(units, o + COST)
        c_new = c + real(row, word(units, o + LABEL))
        if c > cutoff or c_new >= bound:
            continue
        put(unit_table, TABLE * word(units, o + NUMBER) + SLOT, base + kept)
        copy_words(units, o, units, n, HUB)
        hub = word(units, o + HUB)
        put(units, n + HUB, word(moved, hub) if hub >= 0 else -1)
        put_real(units, n + COST, c_new)
        put(units, n + POINTER, word(units, o + POINTER))
        put(units, n + ARRIVED, -1)
        put(units, n + FROM, i)
        put_real(units, n + STAY, c_new)
        kept += 1
        if c_new + adaptive_beam < bound:
            bound = c_new + adaptive_beam
    return kept, bound


@jit
def scan_arcs(arcs, row, low, hubs, old, count, cutoff, bound, adaptive_beam, unit_table, tries):
    """Arcs of LG that read a token and stay below the bound. Returns (code, how many, bound).

    They are only noted, and the rows of their unit tokens asked for; by the time that all are found, the bound has
    fallen and the rows have come. The hub is -1 - hub where its second way is meant.
    """
    found, room = 0, len(tries)
    for i in range(count):
        h = RECORD * (old + i)
        if i + AHEAD < count:
            ahead = h + RECORD * AHEAD
            if real(hubs, ahead + COST) + real(hubs, ahead + LOW) + low < bound:
                prefetch(arcs, ARC * word(hubs, ahead + ARCS))
        c = real(hubs, h + COST)
        if c > cutoff or c + real(hubs, h + LOW) + low >= bound:
            continue
        last = word(hubs, h + LAST)
        for a in range(word(hubs, h + ARCS), word(hubs, h + ARCS_END)):
            weight = real(arcs, ARC * a + WEIGHT)
            if c + weight + low >= bound:
                break  # arcs come by rising weight
            label = word(arcs, ARC * a + ILABEL)
            which, c_new = i, c
            if label == last:
                which, c_new = -1 - i, real(hubs, h + SECOND_COST)
            c_new += weight + real(row, label)
            if c_new >= bound:
                continue
            if found == room:
                return TRIES_FULL, found, bound
            number = word(arcs, ARC * a + NEXT)
            prefetch(unit_table, TABLE * number)
            put(tries, TRY * found + PREV, which)
            put(tries, TRY * found + TAKEN, a)
            put(tries, TRY * found + TO, number)
            put_real(tries, TRY * found + TRY_COST, c_new)
            found += 1
            if c_new + adaptive_beam < bound:
                bound = c_new + adaptive_beam
    return DONE, found, bound


@jit
def take_arcs(hubs, old, tries, found, bound, unit_table, hub_slot, base, units, new, count, room,
              links, num_links, lattice_beam, hub_node, unit_node):  # fmt: skip
    """Make unit tokens of the arcs found. Returns (code, number of new unit tokens, number of links)."""
    for k in range(found):
        c_new = real(tries, TRY * k + TRY_COST)
        if c_new >= bound:
            continue
        hub, a, number = word(tries, TRY * k + PREV), word(tries, TRY * k + TAKEN), word(tries, TRY * k + TO)
        way = 0
        if hub < 0:
            hub, way = -1 - hub, SECOND_COST - COST
        h, t = RECORD * (old + hub), TABLE * number
        j = word(unit_table, t + SLOT) - base
        if j < 0:
            if count == room:
                return TOKENS_FULL, count, num_links
            j = count
            count += 1
            put(unit_table, t + SLOT, base + j)
            prefetch(hub_slot, word(unit_table, t + STATE))
            u = RECORD * (new + j)
            copy_words(unit_table, t, units, u, HUB)
            put(units, u + NUMBER, number)
            put(units, u + HUB, -1)
            put(units, u + FROM, -1)
            put_real(units, u + COST, INF)
        u = RECORD * (new + j)
        c = real(units, u + COST)
        if c_new < c:
            put_real(units, u + COST, c_new)
            put(units, u + POINTER, word(hubs, h + (SECOND_POINTER if way else POINTER)))
            put(units, u + ARRIVED, a)
        elif c_new > c + lattice_beam:
            continue
        if lattice_beam >= 0:
            if num_links == len(links):
                return LINKS_FULL, count, num_links
            # From the hub's best way, even where that one may not take this arc: a bound from below for any way.
            set_link(links, num_links, hub_node + hub, unit_node + j, a, c_new - real(hubs, h + COST + way))
            num_links += 1
    return DONE, count, num_links


@jit
def enter_units(frame, strict, bound, units, first_unit, num_units, hubs, first_hub, count, room, arcs, hub_slot, base,
                pointers, end, queue):  # fmt: skip
    """Make back-pointers of the arcs taken; offer each unit token to its hub.

    Returns (code, hubs, end of the pointers, end of the queue: hubs whose epsilon arcs are to be followed).
    """
    waiting = 0
    for j in range(num_units):
        u = RECORD * (first_unit + j)
        c = real(units, u + COST)
        if c > bound:
            put(units, u + HUB, -1)
            continue
        arrived = word(units, u + ARRIVED)
        if arrived >= 0:
            if end == len(pointers):
                return POINTERS_FULL, count, end, waiting
            set_pointer(pointers, end, word(units, u + POINTER), arrived, frame)
            put(units, u + POINTER, end)
            end += 1
        last = word(units, u + LABEL) if strict else 0
        hub = word(units, u + HUB)
        if hub < 0:
            hub = word(hub_slot, word(units, u + STATE)) - base
        if hub < 0:
            if count == room:
                return TOKENS_FULL, count, end, waiting
            hub = count
            count += 1
            h = RECORD * (first_hub + hub)
            put(hub_slot, word(units, u + STATE), base + hub)
            copy_words(units, u + EPSILONS, hubs, h + EPSILONS, STATE_WORDS)
            make_hub(hubs, h, word(units, u + STATE), c, word(units, u + POINTER), last, arcs)
            waiting = wake(hubs, h, hub, queue, waiting)
        else:
            h = RECORD * (first_hub + hub)
            if offer(hubs, h, c, word(units, u + POINTER), last):
                waiting = wake(hubs, h, hub, queue, waiting)
        put(units, u + HUB, hub)
        if waiting < 0:
            return QUEUE_FULL, count, end, 0
    return DONE, count, end, waiting


@jit(forceinline=True)
def set_pointer(pointers, k, prev, arc, frame):
    put(pointers, POINTER_WORDS * k + PREV, prev)
    put(pointers, POINTER_WORDS * k + TAKEN, arc)
    put(pointers, POINTER_WORDS * k + POINTER_FRAME, frame)


@jit
def close_hubs(frame, states, arcs, hubs, first_hub, count, room, hub_slot, base, cutoff, queue, waiting,
               pointers, end):  # fmt: skip
    """Follow epsilon arcs from the hubs in queue[:waiting] until nothing changes. Returns (code, hubs, back-pointers).

    A hub that is here by a blank alone needs no closure: the hubs beyond its epsilon arcs stayed on by that blank too.
    """
    head = 0
    while head < waiting:
        i = word(queue, head)
        head += 1
        if head + AHEAD <= waiting:
            ahead = RECORD * (first_hub + word(queue, head + AHEAD - 1))
            to = word(arcs, ARC * word(hubs, ahead + EPSILONS) + NEXT)
            prefetch(hub_slot, to)
            prefetch(states, STATE_WORDS * to)
        source = RECORD * (first_hub + i)
        put(hubs, source + FRESH, CLOSED)
        for way in range(2):
            c = real(hubs, source + (SECOND_COST if way else COST))
            if c > cutoff or c == INF:
                continue
            pointer = word(hubs, source + (SECOND_POINTER if way else POINTER))
            last = word(hubs, source + (SECOND_LAST if way else LAST))
            for a in range(word(hubs, source + EPSILONS), word(hubs, source + ARCS)):
                c_new = c + real(arcs, ARC * a + WEIGHT)
                if c_new > cutoff or c_new == INF:
                    break
                if end == len(pointers):
                    return POINTERS_FULL, count, end
                state = word(arcs, ARC * a + NEXT)
                j = word(hub_slot, state) - base
                if j < 0:
                    if count == room:
                        return TOKENS_FULL, count, end
                    j = count
                    count += 1
                    put(hub_slot, state, base + j)
                    h = RECORD * (first_hub + j)
                    copy_words(states, STATE_WORDS * state, hubs, h + EPSILONS, STATE_WORDS)
                    make_hub(hubs, h, state, c_new, end, last, arcs)
                elif not offer(hubs, RECORD * (first_hub + j), c_new, end, last):
                    continue
                set_pointer(pointers, end, pointer, a, frame)
                end += 1
                waiting = wake(hubs, RECORD * (first_hub + j), j, queue, waiting)
                if waiting < 0:
                    return QUEUE_FULL, count, end
    return DONE, count, end


@jit(forceinline=True)
def set_node(nodes, k, key, cost, before, stay):
    put(nodes, NODE * k + KEY, key)
    put_real(nodes, NODE * k + NODE_COST, cost)
    put(nodes, NODE * k + BEFORE, before)
    put_real(nodes, NODE * k + NODE_STAY, stay)


@jit
def keep_nodes(units, first_unit, num_units, hubs, first_hub, num_hubs, old_unit_node, old_hub_node, nodes, frame_node):
    """Write one frame's tokens as nodes: units, then hubs. Returns False where there is no room."""
    hub_node = frame_node + num_units
    if hub_node + num_hubs > len(nodes):
        return False
    for j in range(num_units):
        u, node = RECORD * (first_unit + j), frame_node + j
        before, hub = word(units, u + FROM), word(units, u + HUB)
        before = old_unit_node + before if before >= 0 else -1
        set_node(nodes, node, word(units, u + NUMBER), real(units, u + COST), before, real(units, u + STAY))
        put(nodes, NODE * node + NODE_HUB, hub_node + hub if hub >= 0 else -1)
        if hub >= 0:
            put(hubs, RECORD * (first_hub + hub) + FRESH, CLOSED)
    for i in range(num_hubs):
        h, node = RECORD * (first_hub + i), hub_node + i
        before = word(hubs, h + FROM)
        before = old_hub_node + before if before >= 0 else -1
        set_node(nodes, node, -1 - word(hubs, h + STATE), real(hubs, h + COST), before, real(hubs, h + STAY))
        put(nodes, NODE * node + NODE_HUB, -1)
    return True


@jit
def link_epsilons(arcs, hubs, first_hub, num_hubs, queue, hub_slot, base, hub_node, cutoff, links, num_links,
                  lattice_beam):  # fmt: skip
    """Links of epsilon arcs between the hubs of a frame. Returns (code, links).

    Hubs that are here by a blank alone need no such links: the same path takes the epsilon arc a frame earlier.
    """
    top = 0
    if len(queue) < num_hubs:
        return QUEUE_FULL, num_links
    for i in range(num_hubs):
        put(queue, top, i)
        top += word(hubs, RECORD * (first_hub + i) + FRESH) != NO
    while top > 0:
        top -= 1
        i = word(queue, top)
        source = RECORD * (first_hub + i)
        c = real(hubs, source + COST)
        if c > cutoff:
            continue
        for a in range(word(hubs, source + EPSILONS), word(hubs, source + ARCS)):
            weight = real(arcs, ARC * a + WEIGHT)
            if c + weight > cutoff:
                break
            j = word(hub_slot, word(arcs, ARC * a + NEXT)) - base
            if j < 0 or j == i:
                continue
            h = RECORD * (first_hub + j)
            if word(hubs, h + FRESH) == NO:
                put(hubs, h + FRESH, CLOSED)
                put(queue, top, j)
                top += 1
            if c + weight > real(hubs, h + COST) + lattice_beam:
                continue
            if num_links == len(links):
                return LINKS_FULL, num_links
            set_link(links, num_links, hub_node + i, hub_node + j, a, weight)
            num_links += 1
    return DONE, num_links


@jit
def advance(
    states, arcs, strict, lasting,
    loglikes, blank_only, acoustic_scale, beam, max_active, min_active, beam_delta, lattice_beam, prune_at,
    hub_slot, unit_table, hubs, units, moved, queue, costs, bins, row, tries, pointers, nodes, links,
    node_end, unit_end, emit_end, link_end, position, until,
):  # fmt: skip
    """Advance to frame `until` of loglikes (T, V) float32. On a code but DONE the state is that before the frame.

    strict : equal tokens need a blank between them; lasting : a token may last several frames
    position[FRAME] counts frames of this matrix, position[UTT_FRAME] those of the utterance
    """
    makes_lattice, room = lattice_beam >= 0, hubs.shape[1]
    blank_last = BLANK if strict else 0
    while position[FRAME] < until and position[NODES] + position[LINKS] <= prune_at:
        t, old, new = position[FRAME], room * position[ROW], room * (1 - position[ROW])
        num_hubs, num_units = position[HUBS], position[UNITS]
        hub_base, unit_base = position[HUB_BASE] + num_hubs, position[UNIT_BASE] + num_units
        frame, end, num_links, unit_node = position[UTT_FRAME], position[POINTERS], position[LINKS], position[NODES]
        count, best, best_hub = gather(hubs, RECORD, COST, old, old + num_hubs, costs, 0)
        count, _, _ = gather(units, RECORD, COST, old, old + num_units, costs, count)
        cutoff, adaptive_beam = find_cutoff(costs, count, best, beam, max_active, min_active, beam_delta, bins)
        low = acoustic_row(loglikes[t], acoustic_scale, best, row)
        bound = first_bound(arcs, row, hubs, RECORD * best_hub, best, blank_only[t]) + adaptive_beam
        new_units = 0
        new_hubs, bound = stay_blank(
            row[BLANK], blank_last, hubs, old, num_hubs, new, cutoff, bound, adaptive_beam, hub_slot, hub_base, moved
        )
        if not blank_only[t]:
            if lasting:
                new_units, bound = last_units(
                    row, units, old, num_units, new, moved, cutoff, bound, adaptive_beam, unit_table, unit_base
                )
            code, found, bound = scan_arcs(
                arcs, row, low, hubs, old, num_hubs, cutoff, bound, adaptive_beam, unit_table, tries
            )
            if code != DONE:
                return code
            code, new_units, num_links = take_arcs(
                hubs, old, tries, found, bound, unit_table, hub_slot, unit_base, units, new, new_units, room,
                links, num_links, lattice_beam, position[HUB_NODES], unit_node,
            )  # fmt: skip
            if code != DONE:
                return code
        if new_units + new_hubs == 0:
            return NO_TOKENS
        code, new_hubs, end, waiting = enter_units(
            frame, strict, bound, units, new, new_units, hubs, new, new_hubs, room, arcs, hub_slot, hub_base,
            pointers, end, queue,
        )  # fmt: skip
        if code != DONE:
            return code
        code, new_hubs, end = close_hubs(
            frame, states, arcs, hubs, new, new_hubs, room, hub_slot, hub_base, bound, queue, waiting, pointers, end
        )
        if code != DONE:
            return code
        if makes_lattice:
            if not keep_nodes(
                units, new, new_units, hubs, new, new_hubs, position[UNIT_NODES], position[HUB_NODES], nodes, unit_node
            ):
                return NODES_FULL
            hub_node = unit_node + new_units
            emit_end[frame + 1] = num_links
            code, num_links = link_epsilons(
                arcs, hubs, new, new_hubs, queue, hub_slot, hub_base, hub_node, bound, links, num_links, lattice_beam
            )
            if code != DONE:
                return code
            position[UNIT_NODES], position[HUB_NODES] = unit_node, hub_node
            position[NODES], position[LINKS] = hub_node + new_hubs, num_links
            unit_end[frame + 1], node_end[frame + 1], link_end[frame + 1] = hub_node, hub_node + new_hubs, num_links
        position[ROW], position[HUBS], position[UNITS] = 1 - position[ROW], new_hubs, new_units
        position[HUB_BASE], position[UNIT_BASE], position[POINTERS] = hub_base, unit_base, end
        position[FRAME], position[UTT_FRAME] = t + 1, frame + 1
    return DONE


@jit
def first_bound(arcs, row, hubs, h, cost, blank_only):
    """What the best hub's token (record at item h) will cost after its best arc or a blank."""
    bound = cost + row[BLANK]
    if not blank_only:
        for a in range(word(hubs, h + ARCS), word(hubs, h + ARCS_END)):
            label = word(arcs, ARC * a + ILABEL)
            if label != word(hubs, h + LAST):
                bound = min(bound, cost + real(arcs, ARC * a + WEIGHT) + row[label])
    return bound


@jit
def align(loglikes, skipped, units, begins, strict, lasting, labels):
    """Write the tokens into labels (T,), all blank before, given the frames at which they begin.

    Between two beginnings a token lasts for some frames (at least one) and blanks follow; the best split is where the
    running sum of loglike(token) - loglike(blank) is highest. Equal neighbours need a blank, where the topology says
    so; frames that were skipped as blank are blank.
    """
    for i in range(len(units)):
        unit, begin = units[i], begins[i]
        end = begins[i + 1] if i + 1 < len(units) else len(labels)
        if not lasting:
            end = begin + 1
        elif strict and i + 1 < len(units) and units[i + 1] == unit:
            end -= 1
        best, gain, stop = 0.0, 0.0, begin + 1
        for t in range(begin + 1, end):
            if skipped[t]:
                break
            gain += loglikes[t, unit - 1] - loglikes[t, 0]
            if gain > best:
                best, stop = gain, t + 1
        labels[begin:stop] = unit
