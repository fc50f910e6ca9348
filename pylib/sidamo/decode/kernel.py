"""The search over any graph, compiled: token passing with Kaldi's cutoff rules, for the best path or for a lattice.

    cost(0, start) = 0
    cost(t, s') = min over arcs s -> s' with label l != 0 of  cost(t-1, s) + weight - acwt * loglike(t, l)
    then the same over epsilon arcs within frame t

Facts: Kaldi src/decoder/faster-decoder.cc and lattice-faster-decoder.cc (cutoffs, order of events).

How it is laid out, and why:
- A token is a record of 16 bytes. Tokens are appended to one array and a frame's tokens are a range [begin, end): no
  lists, no hash. `slot[key] - offset` is the newest token of a state; an index below this frame's first token is stale,
  so `slot` is never cleared (32 bits wrap after hours: see Search.reset).
- Memory decides the speed, for a graph is far larger than the caches. So a frame goes in steps, each of which asks for
  the memory of the next: the arcs that stay below the cutoff are noted (scan) and the slots and states at their ends
  asked for; then tokens are made (emit) and their arcs asked for; then epsilon arcs are followed (close).
- Costs are float32 relative to the best of the frame before; exact totals are summed along the path afterwards.
- A token's best way in is in its record. A link is made only of what a lattice needs besides: ways that are dearer.
- Arrays are never replaced inside a loop (that would count references at each turn, ten times slower): a kernel that
  runs out of room returns a code, its caller makes room, and the frame is done again from its first token.
"""

from __future__ import annotations

import numpy as np

from sidamo.decode.memory import prefetch, put, put_real, real, word
from sidamo.io.native import jit

DONE, TOKENS_FULL, QUEUE_FULL, LINKS_FULL, NO_TOKENS, TRIES_FULL = range(6)
# Fields of `position`, the place in time where a search stands.
FRAME, UTT_FRAME, BEGIN, END, OFFSET, NUM_LINKS = range(6)
POSITIONS = 12  # with those of topology_kernel
# Records: their width in words, then their fields.
STATE, EPSILONS, EMITS, STOP, LOW = 4, 0, 1, 2, 3  # where its arcs are, the lowest weight of those with a token
ARC, ILABEL, OLABEL, WEIGHT, NEXT = 4, 0, 1, 2, 3
TOKEN, PREV, TAKEN, KEY, COST = 4, 0, 1, 2, 3  # token before, arc from it, state and hot-word context, cost
TRY, TO = 4, 2  # token left, arc, key entered, cost
LINK, SOURCE, TARGET, LINK_ARC, LINK_COST = 4, 0, 1, 2, 3
NUM_BINS = 1024
AHEAD = 8  # records between asking for memory and using it
INF = np.float32(np.inf)
INF_BITS = 0x7F800000


@jit
def pack(offsets, ilabel, olabel, weight_bits, nextstate, first_disambig, states, arcs):
    """CSR arrays -> the records `states`, `arcs` of DecodingGraph (arrays made by numpy, which asks for large pages)."""
    weights = arcs.view(np.float32)
    position = 0
    for s in range(len(offsets) - 1):
        states[s, EPSILONS] = position
        for kind in range(3):  # epsilon, blank, other labels
            begin = position
            for a in range(offsets[s], offsets[s + 1]):
                label = ilabel[a]
                if label >= first_disambig:
                    label = 0
                if min(label, 2) == kind:
                    arcs[position, ILABEL] = label
                    arcs[position, OLABEL] = olabel[a]
                    arcs[position, WEIGHT] = weight_bits[a]
                    arcs[position, NEXT] = nextstate[a]
                    position += 1
            sort_by_weight(arcs, weights, begin, position)
            if kind == 0:
                states[s, EMITS] = position
        states[s, STOP] = position
        put_real(states, STATE * s + LOW, weights[begin, WEIGHT] if begin < position else INF)


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


# --------------------------------------------------------------------------------------------------------------- cutoffs


@jit
def gather(records, width, field, begin, end, costs, count):
    """Append the costs of records [begin, end) to costs[:count]. Returns (number of costs, lowest, its record)."""
    best, best_record = INF, begin
    for i in range(begin, end):
        c = real(records, width * i + field)
        put_real(costs, count, c)
        count += 1
        if c < best:
            best, best_record = c, i
    return count, best, best_record


@jit
def kth_smallest(costs, count, k, low, high, bins):
    """The k-th smallest (from 0) of the costs in [low, high], to one part in a million of the range.

    Two rounds of a histogram, the second over the bin in which the k-th fell.
    """
    for _ in range(2):
        width = high - low
        if not width > 0:
            break
        scale = np.float32(NUM_BINS / width)
        bins[:] = 0
        for i in range(count):
            if low <= costs[i] <= high:
                bins[min(np.int64((costs[i] - low) * scale), NUM_BINS - 1)] += 1
        chosen = 0
        while chosen < NUM_BINS - 1 and k >= bins[chosen]:
            k -= bins[chosen]
            chosen += 1
        step = width / NUM_BINS
        high = low + np.float32((chosen + 1) * step)
        low = low + np.float32(chosen * step)
    return high


@jit
def find_cutoff(costs, count, best, beam, max_active, min_active, beam_delta, bins):
    """Kaldi's GetCutoff: (cutoff, adaptive beam).

    Where max-active is tighter than the beam, or min-active looser, the cutoff is the cost of that many-th token, and
    the beam for the next frame follows it.
    """
    limit = best + beam
    within = 0
    for i in range(count):
        within += costs[i] < limit
    if max_active >= within > min_active:
        return limit, beam
    worst = -INF
    for i in range(count):
        worst = max(worst, costs[i])
    if within > max_active:
        cutoff = kth_smallest(costs, count, max_active, best, min(limit, worst), bins)
        if cutoff < limit:
            return cutoff, cutoff - best + beam_delta
    elif min_active > 0:
        if count <= min_active:
            return INF, INF
        cutoff = kth_smallest(costs, count, min_active, best, worst, bins)
        if cutoff > limit:
            return cutoff, cutoff - best + beam_delta
    return limit, beam


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
def next_cutoff_of(states, arcs, row, blank_only, hot_slack, state, token_cost, adaptive_beam):
    """A bound on the next frame from the best token's arcs (Kaldi's "reasonably tight bound on the next cutoff")."""
    bound = INF
    for a in range(word(states, STATE * state + EMITS), word(states, STATE * state + STOP)):
        label = word(arcs, ARC * a + ILABEL)
        if blank_only and label != 1:
            break
        bound = min(bound, token_cost + real(arcs, ARC * a + WEIGHT) + row[label])
    return bound + adaptive_beam + hot_slack


# ------------------------------------------------------------------------------------------------------------- one frame


@jit(forceinline=True)
def place_of(tokens, i, contexts):
    """(state, context of hot words) of token i."""
    key = word(tokens, TOKEN * i + KEY)
    if contexts == 1:
        return key, 0
    return key // contexts, key % contexts


@jit
def scan(
    states, arcs, row, low, blank_only, hot_class, hot_next, hot_cost, hot_low,
    tokens, slot, begin, end, cutoff, adaptive_beam, bound, tries,
):  # fmt: skip
    """One frame: the emitting arcs of the tokens [begin, end) that stay below the bound.

    Returns (code, how many, cutoff of the new frame). The arcs are only noted; by the time that all are found, the
    bound has fallen, and the slots and states where they lead have come.
    """
    contexts = len(hot_next)
    count, room = 0, len(tries)
    for i in range(begin, end):
        if contexts == 1 and i + AHEAD < end:
            prefetch(arcs, ARC * word(states, STATE * word(tokens, TOKEN * (i + AHEAD) + KEY) + EMITS))
        c = real(tokens, TOKEN * i + COST)
        if c > cutoff:
            continue
        s, context = place_of(tokens, i, contexts)
        for a in range(word(states, STATE * s + EMITS), word(states, STATE * s + STOP)):
            label = word(arcs, ARC * a + ILABEL)
            c_new = c + real(arcs, ARC * a + WEIGHT)
            if label != 1 and (blank_only or c_new + low + hot_low >= bound):
                break  # arcs come by rising weight: none of the others can stay below the bound
            c_new += real(row, label)
            destination = word(arcs, ARC * a + NEXT)
            if contexts > 1:
                to, olabel = context, word(arcs, ARC * a + OLABEL)
                if olabel > 0:
                    c_new += hot_cost[context, hot_class[olabel]]
                    to = hot_next[context, hot_class[olabel]]
                destination = destination * contexts + to
            if c_new >= bound:
                continue
            if count == room:
                return TRIES_FULL, count, bound
            prefetch(slot, destination)
            if contexts == 1:
                prefetch(states, STATE * destination)
            put(tries, TRY * count + PREV, i)
            put(tries, TRY * count + TAKEN, a)
            put(tries, TRY * count + TO, destination)
            put_real(tries, TRY * count + COST, c_new)
            count += 1
            if c_new + adaptive_beam < bound:
                bound = c_new + adaptive_beam
    return DONE, count, bound


@jit(forceinline=True)
def set_token(tokens, j, prev, taken, cost):
    """The best way to token j."""
    put(tokens, TOKEN * j + PREV, prev)
    put(tokens, TOKEN * j + TAKEN, taken)
    put_real(tokens, TOKEN * j + COST, cost)


@jit(forceinline=True)
def set_link(links, k, source, target, arc, cost):
    put(links, LINK * k + SOURCE, source)
    put(links, LINK * k + TARGET, target)
    put(links, LINK * k + LINK_ARC, arc)
    put_real(links, LINK * k + LINK_COST, cost)


@jit(forceinline=True)
def keep_way(links, k, tokens, j, c_new, lattice_beam):
    """Make a link of the best way to token j, before a better one of cost c_new takes its place. Returns links' end."""
    c, prev = real(tokens, TOKEN * j + COST), word(tokens, TOKEN * j + PREV)
    if c > c_new + lattice_beam:
        return k
    set_link(links, k, prev, j, word(tokens, TOKEN * j + TAKEN), c - real(tokens, TOKEN * prev + COST))
    return k + 1


@jit
def emit(states, arcs, contexts, tries, count, bound, tokens, slot, offset, end, leaving, links, num_links, lattice_beam):
    """Make the tokens of a frame from the arcs found, and links where lattice_beam >= 0.

    Returns (code, end of the new tokens, how many of them have epsilon arcs, number of links); those are in `leaving`.
    """
    fresh, listed = end, 0  # the next token to make
    room, room_links = len(tokens), len(links)
    for k in range(count):
        c_new = real(tries, TRY * k + COST)
        if c_new >= bound:
            continue
        i, a, key = word(tries, TRY * k + PREV), word(tries, TRY * k + TAKEN), word(tries, TRY * k + TO)
        j = word(slot, key) - offset
        if j < end:
            if fresh == room:
                return TOKENS_FULL, end, 0, num_links
            if listed == len(leaving):
                return QUEUE_FULL, end, 0, num_links
            put(slot, key, fresh + offset)
            put(tokens, TOKEN * fresh + KEY, key)
            set_token(tokens, fresh, i, a, c_new)
            s = key if contexts == 1 else key // contexts
            epsilons = word(states, STATE * s + EPSILONS)
            prefetch(arcs, ARC * epsilons)
            put(leaving, listed, fresh)
            listed += epsilons < word(states, STATE * s + EMITS)
            fresh += 1
            continue
        if lattice_beam >= 0 and num_links == room_links:
            return LINKS_FULL, end, 0, num_links
        c = real(tokens, TOKEN * j + COST)
        if c_new < c:
            if lattice_beam >= 0:
                num_links = keep_way(links, num_links, tokens, j, c_new, lattice_beam)
            set_token(tokens, j, i, a, c_new)
        elif c_new <= c + lattice_beam:  # never, where lattice_beam < 0
            set_link(links, num_links, i, j, a, c_new - real(tokens, TOKEN * i + COST))
            num_links += 1
    return DONE, fresh, listed, num_links


@jit(forceinline=True)
def follow(arcs, a, c, context, hot_class, hot_next, hot_cost):
    """(cost after arc a, key where it leads)."""
    c_new, key = c + real(arcs, ARC * a + WEIGHT), word(arcs, ARC * a + NEXT)
    contexts = len(hot_next)
    if contexts > 1:
        to, olabel = context, word(arcs, ARC * a + OLABEL)
        if olabel > 0:
            c_new += hot_cost[context, hot_class[olabel]]
            to = hot_next[context, hot_class[olabel]]
        key = key * contexts + to
    return c_new, key


@jit
def close(
    states, arcs, hot_class, hot_next, hot_cost, tokens, slot, offset, begin, end, cutoff, queue, leaving, listed,
    links, num_links, lattice_beam,
):  # fmt: skip
    """Follow epsilon arcs from the tokens [begin, end) of one frame until no cost falls.

    leaving[:listed] are those that have such arcs, by rising index; new ones are added to it. `queue` takes those to be
    done again. Returns (code, end of the tokens, end of `leaving`, number of links).
    """
    contexts = len(hot_next)
    fresh, head, waiting = end, 0, 0
    while head < listed or waiting > 0:
        if waiting > 0:
            waiting -= 1
            i = word(queue, waiting)
        else:
            i = word(leaving, head)
            head += 1
            if contexts == 1 and head + AHEAD <= listed:
                ahead = word(tokens, TOKEN * word(leaving, head + AHEAD - 1) + KEY)
                to = word(arcs, ARC * word(states, STATE * ahead + EPSILONS) + NEXT)
                prefetch(slot, to)
                prefetch(states, STATE * to)
        c = real(tokens, TOKEN * i + COST)
        if c > cutoff:
            continue
        s, context = place_of(tokens, i, contexts)
        for a in range(word(states, STATE * s + EPSILONS), word(states, STATE * s + EMITS)):
            c_new, key = follow(arcs, a, c, context, hot_class, hot_next, hot_cost)
            if c_new > cutoff or c_new == INF:
                continue
            j = word(slot, key) - offset
            if j < begin:
                if fresh == len(tokens):
                    return TOKENS_FULL, end, 0, num_links
                if listed == len(leaving):
                    return QUEUE_FULL, end, 0, num_links
                j = fresh
                fresh += 1
                put(slot, key, j + offset)
                put(tokens, TOKEN * j + KEY, key)
                s_next = key if contexts == 1 else key // contexts
                epsilons = word(states, STATE * s_next + EPSILONS)
                prefetch(arcs, ARC * epsilons)
                put(leaving, listed, j)
                listed += epsilons < word(states, STATE * s_next + EMITS)
            elif c_new >= real(tokens, TOKEN * j + COST):
                continue
            else:
                if 0 <= word(tokens, TOKEN * j + PREV) < begin and lattice_beam >= 0:  # else link_epsilons finds it
                    if num_links == len(links):
                        return LINKS_FULL, end, 0, num_links
                    num_links = keep_way(links, num_links, tokens, j, c_new, lattice_beam)
                if head > 0 and j <= word(leaving, head - 1):  # its epsilon arcs were followed already
                    if waiting == len(queue):
                        return QUEUE_FULL, end, 0, num_links
                    put(queue, waiting, j)
                    waiting += 1
            set_token(tokens, j, i, a, c_new)
    return DONE, fresh, listed, num_links


@jit
def link_epsilons(
    states, arcs, hot_class, hot_next, hot_cost, tokens, slot, offset, begin, cutoff, leaving, listed,
    links, num_links, lattice_beam,
):  # fmt: skip
    """Links of the epsilon arcs within a frame, made once the closure stands. Returns their end, -1 for no room."""
    contexts = len(hot_next)
    for k in range(listed):
        i = word(leaving, k)
        c = real(tokens, TOKEN * i + COST)
        if c > cutoff:
            continue
        s, context = place_of(tokens, i, contexts)
        for a in range(word(states, STATE * s + EPSILONS), word(states, STATE * s + EMITS)):
            c_new, key = follow(arcs, a, c, context, hot_class, hot_next, hot_cost)
            j = word(slot, key) - offset
            if c_new > cutoff or j < begin or j == i or c_new > real(tokens, TOKEN * j + COST) + lattice_beam:
                continue
            if word(tokens, TOKEN * j + PREV) == i and word(tokens, TOKEN * j + TAKEN) == a:
                continue  # the best way
            if num_links == len(links):
                return -1
            set_link(links, num_links, i, j, a, c_new - c)
            num_links += 1
    return num_links


@jit
def advance(
    states, arcs, hot_class, hot_next, hot_cost, hot_low, hot_high,
    loglikes, blank_only, acoustic_scale, beam, max_active, min_active, beam_delta, lattice_beam, prune_at,
    tokens, slot, queue, leaving, costs, bins, row, tries, links, token_end, emit_end, link_end, position, until,
):  # fmt: skip
    """Advance the search to frame `until` of loglikes (T, V) float32; stop early where tokens and links reach prune_at.

    position[FRAME] counts frames of this matrix; token_end, emit_end, link_end are indexed by frames since the start of
    the utterance + 1 (entry 0 is the start). On a code other than DONE the state is that before the frame.
    """
    makes_lattice = lattice_beam >= 0
    while position[FRAME] < until and (not makes_lattice or position[END] + position[NUM_LINKS] <= prune_at):
        t = position[FRAME]
        begin, end, offset, num_links = position[BEGIN], position[END], position[OFFSET], position[NUM_LINKS]
        if end - begin > len(costs):
            return TRIES_FULL
        count, best, best_token = gather(tokens, TOKEN, COST, begin, end, costs, 0)
        cutoff, adaptive_beam = find_cutoff(costs, count, best, beam, max_active, min_active, beam_delta, bins)
        low = acoustic_row(loglikes[t], acoustic_scale, best, row)
        best_state = word(tokens, TOKEN * best_token + KEY) // len(hot_next)
        bound = next_cutoff_of(states, arcs, row, blank_only[t], hot_high, best_state, best, adaptive_beam)
        code, count, bound = scan(
            states, arcs, row, low, blank_only[t], hot_class, hot_next, hot_cost, hot_low,
            tokens, slot, begin, end, cutoff, adaptive_beam, bound, tries,
        )  # fmt: skip
        if code != DONE:
            return code
        code, fresh, listed, num_links = emit(
            states, arcs, len(hot_next), tries, count, bound, tokens, slot, offset, end, leaving,
            links, num_links, lattice_beam,
        )  # fmt: skip
        if code != DONE:
            return code
        if fresh == end:
            return NO_TOKENS
        code, fresh, listed, num_links = close(
            states, arcs, hot_class, hot_next, hot_cost, tokens, slot, offset, end, fresh, bound, queue, leaving, listed,
            links, num_links, lattice_beam,
        )  # fmt: skip
        if code != DONE:
            return code
        if makes_lattice:
            frame = position[UTT_FRAME] + 1
            emit_end[frame] = num_links
            num_links = link_epsilons(
                states, arcs, hot_class, hot_next, hot_cost, tokens, slot, offset, end, bound, leaving, listed,
                links, num_links, lattice_beam,
            )  # fmt: skip
            if num_links < 0:
                return LINKS_FULL
            token_end[frame], link_end[frame], position[NUM_LINKS] = fresh, num_links, num_links
        position[BEGIN], position[END], position[FRAME] = end, fresh, t + 1
        position[UTT_FRAME] += 1
    return DONE


# -------------------------------------------------------------------------------------------------------------- lattices


@jit(forceinline=True)
def slack(tokens, links, k):
    """How much dearer than the best way to its target a link is."""
    source, target = word(links, LINK * k + SOURCE), word(links, LINK * k + TARGET)
    through = real(tokens, TOKEN * source + COST) + real(links, LINK * k + LINK_COST)
    return max(through - real(tokens, TOKEN * target + COST), np.float32(0))


@jit(forceinline=True)
def lower(extra, i, value, lattice_beam, found, count, records, width):
    """Lower extra[i] to a value within the lattice beam. Returns (it fell, end of `found`: all with a finite extra).

    The record of a new one is asked for: they lie far apart, and it will be looked at soon.
    """
    before = real(extra, i)
    if not (value <= lattice_beam and value < before):
        return False, count
    put_real(extra, i, value)
    if before == INF:
        put(found, count, i)
        prefetch(records, width * i)
        count += 1
    return True, count


@jit
def find_extra(tokens, extra, lattice_beam, links, token_end, emit_end, link_end, num_frames, found):
    """Backward pass: extra[token] = how much dearer than the best is the best path through the token.

    extra of the last frame's tokens is given. It is inf where a token has no path within the lattice beam; a token's
    best way in adds nothing, a link adds its slack. Few tokens are within the beam, and only they are walked: those
    of a frame are found[begin_found:count], which grows as they are met.
    """
    count, begin_found = 0, 0
    for i in range(token_end[num_frames - 1] if num_frames > 0 else 0, token_end[num_frames]):
        put(found, count, i)
        count += real(extra, i) < INF
    fill_inf(extra, token_end[num_frames - 1] if num_frames > 0 else 0)
    for t in range(num_frames, -1, -1):
        begin = token_end[t - 1] if t > 0 else 0
        changed = True
        while changed:  # epsilons of a frame are in no order; one or two rounds settle them
            changed, k = False, begin_found
            while k < count:
                j = word(found, k)
                prev = word(tokens, TOKEN * j + PREV)
                if prev >= begin:
                    fell, count = lower(extra, prev, real(extra, j), lattice_beam, found, count, tokens, TOKEN)
                    changed |= fell
                k += 1
            fell, count = pass_extra(tokens, extra, lattice_beam, links, emit_end[t], link_end[t], found, count)
            changed |= fell
        end_found = count
        for k in range(begin_found, end_found):
            j = word(found, k)
            prev = word(tokens, TOKEN * j + PREV)
            if 0 <= prev < begin:
                _, count = lower(extra, prev, real(extra, j), lattice_beam, found, count, tokens, TOKEN)
        links_begin = link_end[t - 1] if t > 0 else 0
        _, count = pass_extra(tokens, extra, lattice_beam, links, links_begin, emit_end[t], found, count)
        begin_found = end_found


@jit
def pass_extra(tokens, extra, lattice_beam, links, begin, end, found, count):
    """What the links [begin, end) say about the extra of their sources. Returns (one fell, end of `found`)."""
    any_fell = False
    for k in range(end - 1, begin - 1, -1):
        value = real(extra, word(links, LINK * k + TARGET))
        if value < INF:
            value += slack(tokens, links, k)
            source = word(links, LINK * k + SOURCE)
            fell, count = lower(extra, source, value, lattice_beam, found, count, tokens, TOKEN)
            any_fell |= fell
    return any_fell, count


@jit
def fill_inf(costs, count):
    for i in range(count):
        put_real(costs, i, INF)


@jit
def list_finite(extra, listed, renumbered):
    """List the items of `extra` that are not inf; renumbered[item] is their place in the list. Returns how many."""
    count, size = 0, len(extra)
    for begin in range(0, size, 16):
        end = min(begin + 16, size)
        least = INF_BITS
        for i in range(begin, end):  # bits of floats are in their order: eight are compared at once
            least = min(least, word(extra, i))
        if least == INF_BITS:
            continue
        for i in range(begin, end):
            if real(extra, i) < INF:
                put(listed, count, i)
                put(renumbered, i, count)
                count += 1
    return count


@jit
def prune_links(tokens, extra, renumbered, lattice_beam, links, emit_end, link_end, num_frames):
    """Drop, in place, links beyond the lattice beam; the others lead to the new numbers. Returns how many are left."""
    kept, k = 0, 0
    for t in range(num_frames + 1):
        for part in range(2):
            ends = emit_end if part == 0 else link_end
            while k < ends[t]:
                target = word(links, LINK * k + TARGET)
                if real(extra, target) < INF and real(extra, target) + slack(tokens, links, k) <= lattice_beam:
                    source = word(renumbered, word(links, LINK * k + SOURCE))
                    arc, cost = word(links, LINK * k + LINK_ARC), real(links, LINK * k + LINK_COST)
                    set_link(links, kept, source, word(renumbered, target), arc, cost)
                    kept += 1
                k += 1
            ends[t] = kept
    return kept


@jit
def prune(tokens, extra, listed, renumbered, lattice_beam, links, token_end, emit_end, link_end, num_frames):
    """Drop, in place, tokens whose extra is inf and links beyond the lattice beam. Returns (tokens, links) left."""
    kept = list_finite(extra, listed, renumbered)
    kept_links = prune_links(tokens, extra, renumbered, lattice_beam, links, emit_end, link_end, num_frames)
    end = 0
    for t in range(num_frames + 1):
        while end < kept and listed[end] < token_end[t]:
            move_record(tokens, word(listed, end), end, renumbered)
            end += 1
        token_end[t] = end
    return kept, kept_links


# ----------------------------------------------------------------------------------------------------- paths of records


@jit(forceinline=True)
def move_record(records, i, j, renumbered):
    """Move record i (a token, or a back-pointer: PREV first) to place j, its PREV renumbered."""
    prev = records[i, PREV]
    records[j, PREV] = renumbered[prev] if prev >= 0 else -1
    for field in range(1, 4):
        records[j, field] = records[i, field]


@jit
def trace_back(records, last, out):
    """Write the records that lead to `last`, which included, into the tail of `out`; returns where they begin (-1: no room)."""
    n = len(out)
    while last >= 0:
        if n == 0:
            return -1
        n -= 1
        out[n] = last
        last = records[last, PREV]
    return n


@jit
def common_ancestor(records, ends, seen):
    """The last record from which all of the given ones descend, -1 if there is none.

    seen : int32, as long as records, zeros; left with marks. Walks all paths back to where they meet.
    """
    if len(ends) == 0:
        return -1
    for k in range(len(ends)):
        j = np.int64(ends[k])
        if seen[j] == 0:
            while j >= 0 and seen[j] == 0:
                seen[j] = 1
                j = np.int64(records[j, PREV])
            if j >= 0:
                seen[j] = 2  # two paths meet here
        else:
            seen[j] = 2  # it lies on a path that was walked already
    # On any one of the paths: the meeting place that is nearest to the start.
    ancestor, j = np.int64(-1), np.int64(ends[0])
    if len(ends) == 1:
        return j
    while j >= 0:
        if seen[j] == 2:
            ancestor = j
        j = np.int64(records[j, PREV])
    return ancestor


@jit
def compact(records, count, ends, renumbered):
    """Drop the records among the first `count` from which none of `ends` descends; returns how many are left.

    The kept ones move to the front in the same order; renumbered[old] is the new index or -1.
    """
    renumbered[:count] = -1
    for k in range(len(ends)):
        j = np.int64(ends[k])
        while j >= 0 and renumbered[j] < 0:
            renumbered[j] = 0
            j = np.int64(records[j, PREV])
    kept = 0
    for i in range(count):
        if renumbered[i] == 0:
            renumbered[i] = kept
            kept += 1
    for i in range(count):
        if renumbered[i] >= 0:
            move_record(records, i, renumbered[i], renumbered)
    return kept


# --------------------------------------------------------------------------------------------------- order of a lattice


@jit
def rank_states(frame_ends, late, source, target, depth, rank):
    """rank[i] of lattice states in topological order: by frame, then `late`, then epsilon arcs on the longest way.

    source, target : epsilon arcs, each within one frame; depth : int32, zeros
    """
    rounds, changed = 0, True
    while changed and rounds < len(rank):  # a cycle of epsilons would never end
        rounds, changed = rounds + 1, False
        for a in range(len(source)):
            if depth[target[a]] <= depth[source[a]]:
                depth[target[a]] = depth[source[a]] + 1
                changed = True
    count, begin = 0, 0
    for t in range(len(frame_ends)):
        for part in range(2):
            left, level = 0, 0
            for i in range(begin, frame_ends[t]):
                left += late[i] == part
            while left > 0:
                for i in range(begin, frame_ends[t]):
                    if late[i] == part and depth[i] == level:
                        rank[i] = count
                        count += 1
                        left -= 1
                level += 1
        begin = frame_ends[t]


@jit
def group_arcs(source, offsets, order):
    """Arcs by source, those of one source in their order: order[offsets[s] : offsets[s + 1]]; offsets : zeros, (S + 1,)."""
    for a in range(len(source)):
        offsets[source[a] + 1] += 1
    for s in range(1, len(offsets)):
        offsets[s] += offsets[s - 1]
    for a in range(len(source)):
        order[offsets[source[a]]] = a
        offsets[source[a]] += 1
    for s in range(len(offsets) - 1, 0, -1):
        offsets[s] = offsets[s - 1]
    offsets[0] = 0
