"""The search over any graph, compiled: token passing with Kaldi's cutoff rules, for the best path or for a lattice.

    cost(0, start) = 0
    cost(t, s') = min over arcs s -> s' with label l != 0 of  cost(t-1, s) + weight - acwt * loglike(t, l)
    then the same over epsilon arcs within frame t

Facts: Kaldi src/decoder/faster-decoder.cc and lattice-faster-decoder.cc (cutoffs, order of events).

How it is laid out, and why:
- A token is an index. Tokens are appended to flat arrays and a frame's tokens are a range [begin, end): no lists, no
  hash. `slot[state] - offset` is the newest token of a state; an index below this frame's first token is stale, so
  `slot` is never cleared (32 bits wrap after hours: see Search.reset).
- Costs are float32 relative to the best of the frame before; exact totals are summed along the path afterwards.
- Arrays are never replaced inside a loop (that would count references at each turn, ten times slower): a kernel that
  runs out of room returns a code, its caller makes room, and the frame is done again from its first token.
"""

from __future__ import annotations

import numpy as np

from sidamo.decode.prefetch import prefetch
from sidamo.io.native import jit

DONE, TOKENS_FULL, QUEUE_FULL, LINKS_FULL, NO_TOKENS, TRIES_FULL = range(6)
# Fields of `position`, the place in time where a search stands.
BEGIN, END, OFFSET, FRAME, UTT_FRAME, NUM_LINKS, MAX_TOKENS = range(7)
NUM_BINS = 1024
AHEAD = 4  # tokens between asking for a state's arcs and using them
INF = np.float32(np.inf)


@jit
def pack(offsets, ilabel, olabel, weight_bits, nextstate, first_disambig):
    """CSR arrays -> (first, arcs) of DecodingGraph."""
    num_states = len(offsets) - 1
    first = np.empty((num_states + 1, 2), np.int32)
    arcs = np.empty((len(ilabel), 4), np.int32)
    weights = arcs.view(np.float32)
    position = 0
    for s in range(num_states):
        first[s, 0] = position
        for kind in range(3):  # epsilon, blank, other labels
            begin = position
            for a in range(offsets[s], offsets[s + 1]):
                label = ilabel[a]
                if label >= first_disambig:
                    label = 0
                if min(label, 2) == kind:
                    arcs[position, 0] = label
                    arcs[position, 1] = olabel[a]
                    arcs[position, 2] = weight_bits[a]
                    arcs[position, 3] = nextstate[a]
                    position += 1
            sort_by_weight(arcs, weights, begin, position)
            if kind == 0:
                first[s, 1] = position
    first[num_states, 0] = position
    first[num_states, 1] = position
    return first, arcs


@jit
def sort_by_weight(arcs, weights, begin, end):
    """Shell sort of the rows [begin, end): in place and quick to compile; most states have a handful of arcs."""
    gap = 1
    while gap < (end - begin) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(begin + gap, end):
            w = weights[i, 2]
            a0, a1, a2, a3 = arcs[i, 0], arcs[i, 1], arcs[i, 2], arcs[i, 3]
            j = i
            while j >= begin + gap and weights[j - gap, 2] > w:
                for k in range(4):
                    arcs[j, k] = arcs[j - gap, k]
                j -= gap
            arcs[j, 0], arcs[j, 1], arcs[j, 2], arcs[j, 3] = a0, a1, a2, a3
        gap //= 3


@jit
def kth_smallest(cost, begin, end, k, low, high, bins):
    """The k-th smallest (from 0) of the costs in [low, high], to one part in a million of the range.

    Two rounds of a histogram, the second over the bin in which the k-th fell.
    """
    for _ in range(2):
        width = high - low
        if not width > 0:
            break
        scale = np.float32(NUM_BINS / width)
        bins[:] = 0
        for i in range(begin, end):
            if low <= cost[i] <= high:
                bins[min(np.int64((cost[i] - low) * scale), NUM_BINS - 1)] += 1
        chosen = 0
        while chosen < NUM_BINS - 1 and k >= bins[chosen]:
            k -= bins[chosen]
            chosen += 1
        step = width / NUM_BINS
        high = low + np.float32((chosen + 1) * step)
        low = low + np.float32(chosen * step)
    return high


@jit
def find_cutoff(cost, begin, end, beam, max_active, min_active, beam_delta, bins):
    """Kaldi's GetCutoff: (best cost, its token, cutoff, adaptive beam).

    Where max-active is tighter than the beam, or min-active looser, the cutoff is the cost of that many-th token, and
    the beam for the next frame follows it.
    """
    best, best_token, worst = INF, begin, -INF
    for i in range(begin, end):
        if cost[i] < best:
            best, best_token = cost[i], i
        if cost[i] > worst:
            worst = cost[i]
    within = 0
    limit = best + beam
    for i in range(begin, end):
        within += cost[i] < limit
    if within > max_active:
        cutoff = kth_smallest(cost, begin, end, max_active, best, min(limit, worst), bins)
        if cutoff < limit:
            return best, best_token, cutoff, cutoff - best + beam_delta
    elif within <= min_active and min_active > 0:
        if end - begin <= min_active:
            return best, best_token, INF, INF
        cutoff = kth_smallest(cost, begin, end, min_active, best, worst, bins)
        if cutoff > limit:
            return best, best_token, cutoff, cutoff - best + beam_delta
    return best, best_token, limit, beam


@jit
def acoustic_row(loglike, acoustic_scale, best, row):
    """Costs of the labels of one frame, relative to the best token: row[label] (row[0] unused).

    Returns the lowest but the blank's, which leads in most frames and would hide that all others are dear.
    """
    low = INF
    row[1] = -acoustic_scale * loglike[0] - best
    for v in range(1, len(loglike)):
        row[v + 1] = -acoustic_scale * loglike[v] - best
        low = min(low, row[v + 1])
    return low


@jit
def next_cutoff_of(first, arcs, weights, row, blank_only, hot_slack, state, token_cost, adaptive_beam):
    """A bound on the next frame from the best token's arcs (Kaldi's "reasonably tight bound on the next cutoff")."""
    bound = INF
    for a in range(first[state, 1], first[state + 1, 0]):
        label = arcs[a, 0]
        if blank_only and label != 1:
            break
        bound = min(bound, token_cost + weights[a, 2] + row[label])
    return bound + adaptive_beam + hot_slack


@jit
def scan(
    first, arcs, weights, row, low, blank_only, hot_class, hot_next, hot_cost, hot_low,
    key, cost, slot, begin, end, cutoff, adaptive_beam, bound, try_from, try_arc, try_key, try_cost,
):  # fmt: skip
    """One frame: the emitting arcs of the tokens [begin, end) that stay below the bound.

    Returns (code, how many, cutoff of the new frame). The arcs are only noted, and the slots of their destinations
    asked for; by the time that all are found, the bound has fallen and the slots have come.
    """
    contexts = len(hot_next)
    count, room = 0, len(try_cost)
    for i in range(begin, end):
        if contexts == 1 and i + 2 * AHEAD < end:  # states far ahead, arcs half as far
            prefetch(first, 2 * key[i + 2 * AHEAD])
            prefetch(arcs, 4 * first[key[i + AHEAD], 1])
        c = cost[i]
        if c > cutoff:
            continue
        s = key[i]
        context = 0
        if contexts > 1:
            context = s % contexts
            s //= contexts
        for a in range(first[s, 1], first[s + 1, 0]):
            label = arcs[a, 0]
            c_new = c + weights[a, 2]
            if label != 1 and (blank_only or c_new + low + hot_low >= bound):
                break  # arcs come by rising weight: none of the others can stay below the bound
            c_new += row[label]
            destination = arcs[a, 3]
            if contexts > 1:
                to = context
                if arcs[a, 1] > 0:
                    word = hot_class[arcs[a, 1]]
                    c_new += hot_cost[context, word]
                    to = hot_next[context, word]
                destination = destination * contexts + to
            if c_new >= bound:
                continue
            if count == room:
                return TRIES_FULL, count, bound
            prefetch(slot, destination)
            try_from[count], try_arc[count], try_key[count], try_cost[count] = i, a, destination, c_new
            count += 1
            if c_new + adaptive_beam < bound:
                bound = c_new + adaptive_beam
    return DONE, count, bound


@jit
def emit(
    try_from, try_arc, try_key, try_cost, tries, bound, key, cost, prev, arc, slot, offset, end,
    link_from, link_to, link_arc, link_cost, num_links, lattice_beam,
):  # fmt: skip
    """Make the tokens of a frame from the arcs found, and links where lattice_beam >= 0.

    Returns (code, end of the new tokens, number of links).
    """
    fresh = end  # the next token to make
    room, room_links = len(key), len(link_from)
    for k in range(tries):
        c_new = try_cost[k]
        if c_new >= bound:
            continue
        i, a, destination = try_from[k], try_arc[k], try_key[k]
        j = slot[destination] - offset
        if j < end:
            if fresh == room:
                return TOKENS_FULL, end, num_links
            j = fresh
            fresh += 1
            slot[destination] = j + offset
            key[j] = destination
            cost[j] = c_new
            prev[j] = i
            arc[j] = a
        elif c_new < cost[j]:
            cost[j] = c_new
            prev[j] = i
            arc[j] = a
        elif c_new > cost[j] + lattice_beam:  # also: lattice_beam < 0, best path only
            continue
        if lattice_beam >= 0:
            if num_links == room_links:
                return LINKS_FULL, end, num_links
            link_from[num_links] = i
            link_to[num_links] = j
            link_arc[num_links] = a
            link_cost[num_links] = c_new - cost[i]
            num_links += 1
    return DONE, fresh, num_links


@jit
def close(
    first, arcs, weights, hot_class, hot_next, hot_cost,
    key, cost, prev, arc, slot, offset, begin, end, cutoff, queue, leaving,
):  # fmt: skip
    """Follow epsilon arcs from the tokens [begin, end) of one frame until no cost falls.

    Returns (code, end of the tokens, how many of them have epsilon arcs); those are listed in `leaving`.
    """
    contexts = len(hot_next)
    top = 0
    room = len(key)
    if len(queue) < end - begin:
        return QUEUE_FULL, end, 0
    for i in range(begin, end):
        if contexts == 1 and i + 4 * AHEAD < end:
            prefetch(first, 2 * key[i + 4 * AHEAD])
        s = key[i]
        if contexts > 1:
            s //= contexts
        if first[s, 0] < first[s, 1]:
            queue[top] = leaving[top] = i
            top += 1
    fresh, listed = end, top
    while top > 0:
        top -= 1
        i = queue[top]
        c = cost[i]
        if c > cutoff:
            continue
        s = key[i]
        context = 0
        if contexts > 1:
            context = s % contexts
            s //= contexts
        for a in range(first[s, 0], first[s, 1]):
            c_new = c + weights[a, 2]
            next_state = arcs[a, 3]
            destination = next_state
            if contexts > 1:
                to = context
                if arcs[a, 1] > 0:
                    word = hot_class[arcs[a, 1]]
                    c_new += hot_cost[context, word]
                    to = hot_next[context, word]
                destination = destination * contexts + to
            if c_new > cutoff or c_new == INF:
                continue
            j = slot[destination] - offset
            leaves = first[next_state, 0] < first[next_state, 1]
            if j < begin:
                if fresh == room:
                    return TOKENS_FULL, end, 0
                j = fresh
                fresh += 1
                slot[destination] = j + offset
                key[j] = destination
                if leaves:
                    if listed == len(leaving):
                        return QUEUE_FULL, end, 0
                    leaving[listed] = j
                    listed += 1
            elif c_new >= cost[j]:
                continue
            cost[j] = c_new
            prev[j] = i
            arc[j] = a
            if leaves:
                if top == len(queue):
                    return QUEUE_FULL, end, 0
                queue[top] = j
                top += 1
    return DONE, fresh, listed


@jit
def link_epsilons(
    first, arcs, weights, hot_class, hot_next, hot_cost, key, cost, slot, offset, begin, cutoff, leaving, listed,
    link_from, link_to, link_arc, link_cost, num_links, lattice_beam,
):  # fmt: skip
    """Links of the epsilon arcs within a frame, made once the closure stands. Returns their end, -1 for no room."""
    contexts = len(hot_next)
    for k in range(listed):
        i = leaving[k]
        c = cost[i]
        if c > cutoff:
            continue
        s = key[i]
        context = 0
        if contexts > 1:
            context = s % contexts
            s //= contexts
        for a in range(first[s, 0], first[s, 1]):
            c_new = c + weights[a, 2]
            destination = arcs[a, 3]
            if contexts > 1:
                to = context
                if arcs[a, 1] > 0:
                    word = hot_class[arcs[a, 1]]
                    c_new += hot_cost[context, word]
                    to = hot_next[context, word]
                destination = destination * contexts + to
            j = slot[destination] - offset
            if c_new > cutoff or j < begin or c_new > cost[j] + lattice_beam or j == i:
                continue
            if num_links == len(link_from):
                return -1
            link_from[num_links] = i
            link_to[num_links] = j
            link_arc[num_links] = a
            link_cost[num_links] = c_new - c
            num_links += 1
    return num_links


@jit
def drop_dear_links(cost, link_from, link_to, link_arc, link_cost, begin, end, lattice_beam):
    """Keep the links [begin, end) that are within the lattice beam of their destination's best; returns the end."""
    kept = begin
    for k in range(begin, end):
        i, j = link_from[k], link_to[k]
        if cost[i] + link_cost[k] <= cost[j] + lattice_beam:
            link_from[kept], link_to[kept], link_arc[kept], link_cost[kept] = i, j, link_arc[k], link_cost[k]
            kept += 1
    return kept


@jit
def advance(
    first, arcs, weights, hot_class, hot_next, hot_cost, hot_low, hot_high,
    loglikes, blank_only, acoustic_scale, beam, max_active, min_active, beam_delta, lattice_beam, max_links,
    key, cost, prev, arc, slot, queue, leaving, bins, row, try_from, try_arc, try_key, try_cost,
    link_from, link_to, link_arc, link_cost, token_end, emit_end, link_end, position, until,
):  # fmt: skip
    """Advance the search to frame `until` of loglikes (T, V) float32; stop early beyond max_links links.

    position[FRAME] counts frames of this matrix; token_end, emit_end, link_end are indexed by frames since the start of
    the utterance + 1 (entry 0 is the start). On a code other than DONE the state is that before the frame.
    """
    links = lattice_beam >= 0
    while position[FRAME] < until and position[NUM_LINKS] <= max_links:
        t = position[FRAME]
        begin, end, offset, link_begin = position[BEGIN], position[END], position[OFFSET], position[NUM_LINKS]
        best, best_token, cutoff, adaptive_beam = find_cutoff(
            cost, begin, end, beam, max_active, min_active, beam_delta, bins
        )
        low = acoustic_row(loglikes[t], acoustic_scale, best, row)
        bound = next_cutoff_of(
            first, arcs, weights, row, blank_only[t], hot_high, key[best_token] // len(hot_next), best, adaptive_beam
        )
        code, tries, bound = scan(
            first, arcs, weights, row, low, blank_only[t], hot_class, hot_next, hot_cost, hot_low,
            key, cost, slot, begin, end, cutoff, adaptive_beam, bound, try_from, try_arc, try_key, try_cost,
        )  # fmt: skip
        if code != DONE:
            return code
        code, fresh, num_links = emit(
            try_from, try_arc, try_key, try_cost, tries, bound, key, cost, prev, arc, slot, offset, end,
            link_from, link_to, link_arc, link_cost, link_begin, lattice_beam,
        )  # fmt: skip
        if code != DONE:
            return code
        if fresh == end:
            return NO_TOKENS
        if links:
            num_links = drop_dear_links(
                cost, link_from, link_to, link_arc, link_cost, link_begin, num_links, lattice_beam
            )
        code, fresh, listed = close(
            first, arcs, weights, hot_class, hot_next, hot_cost,
            key, cost, prev, arc, slot, offset, end, fresh, bound, queue, leaving,
        )  # fmt: skip
        if code != DONE:
            return code
        if links:
            frame = position[UTT_FRAME] + 1
            emit_end[frame] = num_links
            num_links = link_epsilons(
                first, arcs, weights, hot_class, hot_next, hot_cost, key, cost, slot, offset, end, bound, leaving, listed,
                link_from, link_to, link_arc, link_cost, num_links, lattice_beam,
            )  # fmt: skip
            if num_links < 0:
                return LINKS_FULL
            token_end[frame], link_end[frame], position[NUM_LINKS] = fresh, num_links, num_links
        position[BEGIN], position[END], position[FRAME] = end, fresh, t + 1
        position[UTT_FRAME] += 1
        position[MAX_TOKENS] = max(position[MAX_TOKENS], fresh - end)
    return DONE


@jit
def find_extra(cost, extra, lattice_beam, link_from, link_to, link_cost, token_end, emit_end, link_end, num_frames):
    """Backward pass: extra[token] = how much dearer than the best is the best path through the token.

    extra of the last frame's tokens is given. It is inf where a token has no path within the lattice beam; a link's is
    extra[to] + cost[from] + link_cost - cost[to].
    """
    last_begin = token_end[num_frames - 1] if num_frames > 0 else 0
    for i in range(last_begin):
        extra[i] = INF
    for t in range(num_frames, -1, -1):
        changed = True
        while changed:  # epsilon links of a frame are in no order; one or two rounds settle them
            changed = False
            for k in range(link_end[t] - 1, emit_end[t] - 1, -1):
                i, j = link_from[k], link_to[k]
                through = extra[j] + max(cost[i] + link_cost[k] - cost[j], np.float32(0))
                if through <= lattice_beam and through < extra[i]:
                    extra[i] = through
                    changed = True
        for k in range(link_end[t - 1] if t > 0 else 0, emit_end[t]):
            i, j = link_from[k], link_to[k]
            through = extra[j] + max(cost[i] + link_cost[k] - cost[j], np.float32(0))
            if through <= lattice_beam and through < extra[i]:
                extra[i] = through


@jit
def prune(
    key, cost, prev, arc, extra, renumbered, lattice_beam,
    link_from, link_to, link_arc, link_cost, token_end, emit_end, link_end, num_frames,
):  # fmt: skip
    """Drop, in place, tokens whose extra is inf and links beyond the lattice beam. Returns (tokens, links) left."""
    kept = 0
    for t in range(num_frames + 1):
        for i in range(token_end[t - 1] if t > 0 else 0, token_end[t]):
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
                    if extra[j] + max(cost[i] + link_cost[k] - cost[j], np.float32(0)) <= lattice_beam:
                        link_from[kept_links], link_to[kept_links] = renumbered[i], renumbered[j]
                        link_arc[kept_links], link_cost[kept_links] = link_arc[k], link_cost[k]
                        kept_links += 1
                k += 1
            if part == 0:
                emit_end[t] = kept_links
            else:
                link_end[t] = kept_links
    kept, i = 0, 0
    for t in range(num_frames + 1):
        while i < token_end[t]:
            if renumbered[i] >= 0:
                key[kept], cost[kept], arc[kept] = key[i], cost[i], arc[i]
                prev[kept] = renumbered[prev[i]] if prev[i] >= 0 else -1
                extra[kept] = extra[i]
                kept += 1
            i += 1
        token_end[t] = kept
    return kept, kept_links


@jit
def trace_back(prev, arc, token, out):
    """Write the arcs that lead to a token into the tail of `out`; returns where they begin (-1: no room)."""
    n = len(out)
    while prev[token] >= 0:
        if n == 0:
            return -1
        n -= 1
        out[n] = arc[token]
        token = prev[token]
    return n


@jit
def common_ancestor(prev, tokens, seen):
    """The last token from which all of the given ones descend, -1 if there is none.

    seen : int32, as long as prev, zeros; left with marks. Walks all paths back to where they meet.
    """
    if len(tokens) == 0:
        return -1
    for k in range(len(tokens)):
        j = tokens[k]
        if seen[j] == 0:
            while j >= 0 and seen[j] == 0:
                seen[j] = 1
                j = prev[j]
            if j >= 0:
                seen[j] = 2  # two paths meet here
        else:
            seen[j] = 2  # it lies on a path that was walked already
    # On any one of the paths: the meeting place that is nearest to the start.
    ancestor, j = np.int64(-1), np.int64(tokens[0])
    if len(tokens) == 1:
        return j
    while j >= 0:
        if seen[j] == 2:
            ancestor = j
        j = prev[j]
    return ancestor


@jit
def compact(key, cost, prev, arc, begin, end, renumbered):
    """Drop the tokens from which no token of the frame [begin, end) descends; returns how many are left.

    The kept ones move to the front in the same order; renumbered[old] is the new index or -1.
    """
    for i in range(end):
        renumbered[i] = -1
    for i in range(begin, end):
        j = i
        while j >= 0 and renumbered[j] < 0:
            renumbered[j] = 0
            j = prev[j]
    kept = 0
    for i in range(end):
        if renumbered[i] == 0:
            renumbered[i] = kept
            kept += 1
    for i in range(end):
        k = renumbered[i]
        if k >= 0:
            key[k], cost[k], arc[k] = key[i], cost[i], arc[i]
            prev[k] = renumbered[prev[i]] if prev[i] >= 0 else -1
    return kept
