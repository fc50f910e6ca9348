"""The compiled form of `determinize.reference`: the same search on flat arrays.

Strings live in one tree of labels: an element of a subset holds the node that its path from the start ends in, a
subset a node down to which all its elements agree (`base`), and what an element owes is the way between the two. So
strings are never copied. Nodes carry a polynomial hash of all labels from the root, and labels are compared by it:
equal strings may stand in several places of the tree. The common prefix of two nodes is found by jump pointers (Myers
1983), and what is owed has the hash hash(node) - hash(base) * MULTIPLIER^length.

Most of the work is closing subsets over arcs without a word. In a decoder's lattice these form long chains, which are
laid out side by side first (`_fold`): a closure walks from fork to fork, and makes nodes once a way is sure to be best.

All arrays have fixed capacities; where one is full the search reports it and `run` begins again with twice as much.
"""

from __future__ import annotations

import functools
import threading

import numpy as np

from sidamo.io.lattice import INF, CompactLattice
from sidamo.io.native import jit
from sidamo.lattice.determinize import words_and_strings
from sidamo.lattice.ops import backward_costs, connect, final_cost

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
MIX_STATE, MIX_SUBSET = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
ONE, DE_BRUIJN = np.uint64(1), np.uint64(0x03F79D71B4CB0A89)
BIT_OF_PRODUCT = np.argsort([(int(DE_BRUIJN) << i & (1 << 64) - 1) >> 58 for i in range(64)])
DONE, LIMIT, NODES_FULL, ELEMENTS_FULL, TASKS_FULL, STATES_FULL, ARCS_FULL = range(7)

# Columns: of a node; of the states in a closure; of a chain of arcs without a word (its costs stand beside: graph,
# acoustic); where a state's arcs begin and end, and whether it matters for what follows.
PARENT, LABEL, DEPTH, JUMP = range(4)
SEEN, NODE, CHAIN = range(3)
SOURCE, TARGET, LABELS, LABELS_END = range(4)
SILENT, SILENT_END, SPOKEN, SPOKEN_END, MATTERS = range(5)

BYTES = 32  # a node or an element of a subset takes 24, the tables of subsets the rest

_inline = functools.partial(jit, forceinline=True)  # passing arrays to a function costs more than its work


@_inline
def _mix(x):
    # splitmix64's finisher: neighbouring labels must not give neighbouring hashes.
    x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@_inline
def _append(node, labels, begin, end, count, far, nodes, node_hash):
    # Nodes for labels[begin:end] below `node`: (last node, number of nodes), node -1 where there is no room.
    if count + end - begin > len(nodes):
        return -1, count
    jump, depth, value = nodes[node, JUMP], nodes[node, DEPTH], node_hash[node]
    for p in range(begin, end):
        depth += 1
        jump = nodes[jump, JUMP] if far[depth] else node
        value = value * MULTIPLIER + _mix(np.uint64(labels[p]))
        nodes[count, PARENT], nodes[count, LABEL], nodes[count, DEPTH], nodes[count, JUMP] = node, labels[p], depth, jump
        node_hash[count] = value
        node = count
        count += 1
    return node, count


@jit
def _far_jumps(far):
    # far[depth]: whether nodes there jump as far as their parent's jump does (it depends on depth alone).
    jump = np.zeros(len(far), np.int64)
    for depth in range(1, len(far)):
        first = jump[depth - 1]
        far[depth] = depth - 1 - first == first - jump[first]
        jump[depth] = jump[first] if far[depth] else depth - 1


@_inline
def _common_prefix(a, b, nodes, node_hash):
    # The node above `a` down to which the labels above a and above b agree.
    while nodes[b, DEPTH] > nodes[a, DEPTH]:
        jump = nodes[b, JUMP]
        b = jump if nodes[jump, DEPTH] >= nodes[a, DEPTH] else nodes[b, PARENT]
    while nodes[a, DEPTH] > nodes[b, DEPTH]:
        jump = nodes[a, JUMP]
        a = jump if nodes[jump, DEPTH] >= nodes[b, DEPTH] else nodes[a, PARENT]
    while node_hash[a] != node_hash[b]:
        if node_hash[nodes[a, JUMP]] != node_hash[nodes[b, JUMP]]:
            a, b = nodes[a, JUMP], nodes[b, JUMP]
        else:
            a, b = nodes[a, PARENT], nodes[b, PARENT]
    return a


@jit
def _fold(starts, sources, arc_offsets, nextstate, number, graph_cost, acoustic_cost, string_offsets, strings,
          chain, chain_cost, labels):  # fmt: skip
    # The chain that begins with each of the arcs `starts`: where it leads, its costs, and its labels laid out.
    # number[state]: -1 inside of chains.
    num_labels = 0
    for k in range(len(starts)):
        a = starts[k]
        chain[k, SOURCE], chain[k, LABELS] = sources[k], num_labels
        chain_cost[k, 0], chain_cost[k, 1] = 0.0, 0.0
        while True:
            chain_cost[k, 0] += graph_cost[a]
            chain_cost[k, 1] += acoustic_cost[a]
            for p in range(string_offsets[a], string_offsets[a + 1]):
                labels[num_labels] = strings[p]
                num_labels += 1
            n = nextstate[a]
            if number[n] >= 0:
                break
            a = arc_offsets[n]
        chain[k, TARGET], chain[k, LABELS_END] = number[n], num_labels


@_inline
def _normalize(begin, end, above, e_node, e_graph, e_acoustic, nodes, node_hash):
    # Take the best weight out of a subset, in place; returns it and a node down to which all strings agree. They are
    # known to agree down to `above`.
    best, base = begin, e_node[begin]
    for i in range(begin + 1, end):
        total, lowest = e_graph[i] + e_acoustic[i], e_graph[best] + e_acoustic[best]
        if total < lowest or (total == lowest and e_graph[i] < e_graph[best]):
            best = i
        if base != e_node[i] and nodes[base, DEPTH] > nodes[above, DEPTH]:
            base = _common_prefix(base, e_node[i], nodes, node_hash)
    graph, acoustic = e_graph[best], e_acoustic[best]
    for i in range(begin, end):
        e_graph[i] -= graph
        e_acoustic[i] -= acoustic
    return graph, acoustic, base


@_inline
def _owed(node, base, nodes, node_hash, powers):
    return node_hash[node] - node_hash[base] * powers[nodes[node, DEPTH] - nodes[base, DEPTH]]


@_inline
def _subset_hash(begin, end, base, e_state, e_node, nodes, node_hash, powers):
    value = np.uint64(end - begin)
    for i in range(begin, end):
        value = value * MIX_SUBSET + _mix(np.uint64(e_state[i]) * MIX_STATE)
        value += _owed(e_node[i], base, nodes, node_hash, powers)
    return value


@_inline
def _same(b1, e1, base1, b2, e2, base2, delta, e_state, e_node, e_graph, e_acoustic, nodes, node_hash, powers):
    if e1 - b1 != e2 - b2:
        return False
    for k in range(e1 - b1):
        i, j = b1 + k, b2 + k
        if e_state[i] != e_state[j]:
            return False
        if nodes[e_node[i], DEPTH] - nodes[base1, DEPTH] != nodes[e_node[j], DEPTH] - nodes[base2, DEPTH]:
            return False
        if abs(e_graph[i] + e_acoustic[i] - e_graph[j] - e_acoustic[j]) > delta:
            return False
        owed = _owed(e_node[i], base1, nodes, node_hash, powers)
        if owed != _owed(e_node[j], base2, nodes, node_hash, powers):
            return False
    return True


@_inline
def _lowest_bit(bits):
    # Position of the lowest 1 (Leiserson et al., Using de Bruijn sequences to index a 1 in a computer word, 1998).
    return BIT_OF_PRODUCT[((bits & (~bits + ONE)) * DE_BRUIJN) >> np.uint64(58)]


@_inline
def _push(heap, size, key, priority):
    # Binary heap of indices, lowest priority[index] first. (No `break`: numba would count references in every call.)
    i, up = size, (size - 1) >> 1
    while i > 0 and priority[heap[up]] > priority[key]:
        heap[i] = heap[up]
        i, up = up, (up - 1) >> 1
    heap[i] = key
    return size + 1


@_inline
def _pop(heap, size, priority):
    size -= 1
    top, last = heap[0], heap[size]
    i, down = 0, 1
    while down < size:
        if down + 1 < size and priority[heap[down + 1]] < priority[heap[down]]:
            down += 1
        if priority[heap[down]] < priority[last]:
            heap[i] = heap[down]
            i, down = down, 2 * down + 1
        else:
            down = size
    heap[i] = last
    return top, size


@_inline
def _stable_order(keys):
    # As np.argsort(keys, kind="stable"), whose compiled form counts references to slices for most of its time.
    n, width = len(keys), 1
    order, merged = np.arange(n), np.empty(n, np.int64)
    while width < n:
        for begin in range(0, n, 2 * width):
            i, middle, end = begin, min(begin + width, n), min(begin + 2 * width, n)
            j = middle
            for k in range(begin, end):
                if j == end or (i < middle and keys[order[i]] <= keys[order[j]]):
                    merged[k] = order[i]
                    i += 1
                else:
                    merged[k] = order[j]
                    j += 1
        order, merged = merged, order
        width *= 2
    return order


@jit
def _search(
    start, arcs_of, chain, chain_cost, labels, spoken_arcs, nextstate, words, string_offsets, strings,
    graph_cost, acoustic_cost, backward, cutoff, delta, max_states, max_arcs, powers, far,
    nodes, node_hash,
    e_state, e_node, e_graph, e_acoustic,
    task_priority, task_source, task_word, task_begin, task_end, task_heap,
    initial_table, initial_begin, initial_end, initial_base, initial_hash, initial_target,
    initial_graph, initial_acoustic, initial_to,
    state_table, state_begin, state_end, state_base, state_hash, state_forward,
    arc_source, arc_word, arc_next, arc_graph, arc_acoustic, arc_strings, counts,
):  # fmt: skip
    # counts: states, arcs made, in that order. Returns (status, priority of the task at which it stopped).
    nodes[0, PARENT], nodes[0, LABEL], nodes[0, DEPTH], nodes[0, JUMP] = 0, -1, 0, 0
    node_hash[0] = np.uint64(0)
    num_nodes, num_elements, num_tasks, heap_size, num_initial, num_states, num_arcs = 1, 0, 0, 0, 0, 0, 0
    num_input = len(arcs_of)
    # Of states in a closure: the round, the node, and the chain by which they were reached (-1: in the subset itself).
    closed, closed_cost = np.zeros((num_input, 4), np.int32), np.zeros((num_input, 2))
    pending = np.zeros((num_input >> 6) + 1, np.uint64)  # one bit a state: those to be closed over yet
    round_ = 0
    source, word, forward_source, priority = -1, 0, 0.0, backward[start]
    # The first subset: the start alone.
    e_state[0], e_node[0], e_graph[0], e_acoustic[0] = start, 0, 0.0, 0.0
    begin, end, num_elements = 0, 1, 1
    while True:
        # ---- [begin, end): the subset after a word, not yet normalized
        base, graph, acoustic, found = 0, 0.0, 0.0, -1
        if source >= 0:
            graph, acoustic, base = _normalize(
                begin, end, state_base[source], e_node, e_graph, e_acoustic, nodes, node_hash
            )  # fmt: skip
            key = _subset_hash(begin, end, base, e_state, e_node, nodes, node_hash, powers)
            mask = len(initial_table) - 1
            slot = np.int64(key & np.uint64(mask))
            while initial_table[slot] >= 0:
                i = initial_table[slot]
                if initial_hash[i] == key and _same(
                    begin, end, base, initial_begin[i], initial_end[i], initial_base[i], delta,
                    e_state, e_node, e_graph, e_acoustic, nodes, node_hash, powers,
                ):  # fmt: skip
                    found = i
                    break
                slot = (slot + 1) & mask
        if found < 0:
            # ---- close over arcs without a word, in topological order; keep the states that matter
            round_ += 1
            block, last = num_input >> 6, 0
            for i in range(begin, end):
                s = e_state[i]
                closed[s, SEEN], closed[s, NODE], closed[s, CHAIN] = round_, e_node[i], -1
                closed_cost[s, 0], closed_cost[s, 1] = e_graph[i], e_acoustic[i]
                pending[s >> 6] |= ONE << np.uint64(s & 63)
                block, last = min(block, s >> 6), max(last, s >> 6)
            m_begin = num_elements
            while block <= last:
                if pending[block] == 0:
                    block += 1
                    continue
                bit = _lowest_bit(pending[block])
                pending[block] ^= ONE << np.uint64(bit)
                s = (block << 6) + bit
                k = closed[s, CHAIN]
                if k >= 0:
                    node, num_nodes = _append(
                        closed[chain[k, SOURCE], NODE], labels, chain[k, LABELS], chain[k, LABELS_END], num_nodes, far,
                        nodes, node_hash,
                    )  # fmt: skip
                    if node < 0:
                        return NODES_FULL, priority
                    closed[s, NODE] = node
                graph_here, acoustic_here = closed_cost[s, 0], closed_cost[s, 1]
                if arcs_of[s, MATTERS]:
                    if num_elements == len(e_state):
                        return ELEMENTS_FULL, priority
                    e_state[num_elements], e_node[num_elements] = s, closed[s, NODE]
                    e_graph[num_elements], e_acoustic[num_elements] = graph_here, acoustic_here
                    num_elements += 1
                for k in range(arcs_of[s, SILENT], arcs_of[s, SILENT_END]):
                    n, g, ac = chain[k, TARGET], graph_here + chain_cost[k, 0], acoustic_here + chain_cost[k, 1]
                    if closed[n, SEEN] == round_:
                        total, known = g + ac, closed_cost[n, 0] + closed_cost[n, 1]
                        if total > known or (total == known and g >= closed_cost[n, 0]):
                            continue
                    else:
                        closed[n, SEEN] = round_
                        pending[n >> 6] |= ONE << np.uint64(n & 63)
                        last = max(last, n >> 6)
                    closed[n, CHAIN], closed_cost[n, 0], closed_cost[n, 1] = k, g, ac
            m_end = num_elements
            # ---- the state of the reduced subset
            m_base, m_graph, m_acoustic = 0, 0.0, 0.0
            if source >= 0:
                m_graph, m_acoustic, m_base = _normalize(
                    m_begin, m_end, base, e_node, e_graph, e_acoustic, nodes, node_hash
                )  # fmt: skip
            key2 = _subset_hash(m_begin, m_end, m_base, e_state, e_node, nodes, node_hash, powers)
            mask2 = len(state_table) - 1
            slot2 = np.int64(key2 & np.uint64(mask2))
            target = -1
            while state_table[slot2] >= 0:
                i = state_table[slot2]
                if state_hash[i] == key2 and _same(
                    m_begin, m_end, m_base, state_begin[i], state_end[i], state_base[i], delta,
                    e_state, e_node, e_graph, e_acoustic, nodes, node_hash, powers,
                ):  # fmt: skip
                    target = i
                    break
                slot2 = (slot2 + 1) & mask2
            if target >= 0:
                num_elements = m_begin
            else:
                if num_states == len(state_begin):
                    return STATES_FULL, priority
                target = num_states
                num_states += 1
                state_table[slot2] = target
                state_begin[target], state_end[target], state_base[target] = m_begin, m_end, m_base
                state_hash[target] = key2
                forward = forward_source + graph + acoustic + m_graph + m_acoustic
                state_forward[target] = forward
                # ---- its transitions: gather, sort by word and destination, one task a word
                first = num_elements
                for i in range(m_begin, m_end):
                    s = e_state[i]
                    for k in range(arcs_of[s, SPOKEN], arcs_of[s, SPOKEN_END]):
                        a = spoken_arcs[k]
                        if num_elements == len(e_state):
                            return ELEMENTS_FULL, priority
                        node, num_nodes = _append(
                            e_node[i], strings, string_offsets[a], string_offsets[a + 1], num_nodes, far,
                            nodes, node_hash,
                        )  # fmt: skip
                        if node < 0:
                            return NODES_FULL, priority
                        e_state[num_elements], e_node[num_elements] = a, node  # the arc stands in for its destination
                        e_graph[num_elements] = e_graph[i] + graph_cost[a]
                        e_acoustic[num_elements] = e_acoustic[i] + acoustic_cost[a]
                        num_elements += 1
                n = num_elements - first
                if n > 0:
                    word_key = np.empty(n, np.int64)
                    for k in range(n):
                        a = e_state[first + k]
                        word_key[k] = np.int64(words[a]) * num_input + nextstate[a]
                    word_order = _stable_order(word_key)
                    t_node, t_graph = e_node[first:num_elements].copy(), e_graph[first:num_elements].copy()
                    t_acoustic = e_acoustic[first:num_elements].copy()
                    write = first
                    k = 0
                    while k < n:
                        this_word = word_key[word_order[k]] // num_input
                        t_begin, best = write, np.inf
                        while k < n and word_key[word_order[k]] // num_input == this_word:
                            j = word_order[k]
                            s = word_key[j] % num_input
                            pick = j
                            while k < n and word_key[word_order[k]] == word_key[j]:
                                j = word_order[k]
                                total, known = t_graph[j] + t_acoustic[j], t_graph[pick] + t_acoustic[pick]
                                if total < known or (total == known and t_graph[j] < t_graph[pick]):
                                    pick = j
                                k += 1
                            e_state[write], e_node[write] = s, t_node[pick]
                            e_graph[write], e_acoustic[write] = t_graph[pick], t_acoustic[pick]
                            best = min(best, t_graph[pick] + t_acoustic[pick] + backward[s])
                            write += 1
                        if forward + best > cutoff:
                            write = t_begin
                            continue
                        if num_tasks == len(task_begin):
                            return TASKS_FULL, priority
                        task_priority[num_tasks], task_source[num_tasks] = forward + best, target
                        task_word[num_tasks] = this_word
                        task_begin[num_tasks], task_end[num_tasks] = t_begin, write
                        heap_size = _push(task_heap, heap_size, num_tasks, task_priority)
                        num_tasks += 1
                    num_elements = write
            if source >= 0:
                if num_initial == len(initial_begin):
                    return TASKS_FULL, priority
                found = num_initial
                num_initial += 1
                initial_table[slot] = found
                initial_begin[found], initial_end[found], initial_base[found] = begin, end, base
                initial_hash[found], initial_target[found] = key, target
                initial_graph[found], initial_acoustic[found], initial_to[found] = m_graph, m_acoustic, m_base
        if source >= 0:
            if num_arcs == len(arc_source):
                return ARCS_FULL, priority
            arc_source[num_arcs], arc_word[num_arcs], arc_next[num_arcs] = source, word, initial_target[found]
            arc_graph[num_arcs] = graph + initial_graph[found]
            arc_acoustic[num_arcs] = acoustic + initial_acoustic[found]
            # Its string: from the source's base to this subset's, then what closing adds.
            arc_strings[num_arcs, 0], arc_strings[num_arcs, 1] = state_base[source], base
            arc_strings[num_arcs, 2], arc_strings[num_arcs, 3] = initial_base[found], initial_to[found]
            num_arcs += 1
        counts[0], counts[1] = num_states, num_arcs
        if heap_size == 0:
            return DONE, cutoff
        task, heap_size = _pop(task_heap, heap_size, task_priority)
        priority = task_priority[task]
        if (max_states > 0 and num_states >= max_states) or (max_arcs > 0 and num_arcs >= max_arcs):
            return LIMIT, priority
        source, word = task_source[task], task_word[task]
        forward_source = state_forward[source]
        begin, end = task_begin[task], task_end[task]


@jit
def _best_finals(num_states, state_begin, state_end, state_forward, cutoff, e_state, e_node, e_graph, e_acoustic,
                 final_graph, final_acoustic, final, out_graph, out_acoustic, out_node):  # fmt: skip
    for s in range(num_states):
        for i in range(state_begin[s], state_end[s]):
            n = e_state[i]
            if final[n] == np.inf:
                continue
            g, a = e_graph[i] + final_graph[n], e_acoustic[i] + final_acoustic[n]
            if state_forward[s] + g + a > cutoff:
                continue
            total, known = g + a, out_graph[s] + out_acoustic[s]
            if total < known or (total == known and g < out_graph[s]):
                out_graph[s], out_acoustic[s], out_node[s] = g, a, e_node[i]


@jit
def _spell(below, node, end, nodes, labels):
    # Write the labels deeper than `below`, down to `node`, so that they end before `end`; returns where they begin.
    while nodes[node, DEPTH] > nodes[below, DEPTH]:
        end -= 1
        labels[end] = nodes[node, LABEL]
        node = nodes[node, PARENT]
    return end


@jit
def _spell_all(ways, ends, nodes, labels):
    # ways (n, 2 or 4): pairs of nodes; the string of a row is that of its pairs, one after the other.
    for i in range(len(ways)):
        end = ends[i]
        for k in range(ways.shape[1] - 2, -1, -2):
            end = _spell(ways[i, k], ways[i, k + 1], end, nodes, labels)


def _power_of_two(n: int) -> int:
    return 1 << max(8, int(n - 1).bit_length())


def run(lat, beam: float, options):
    """(CompactLattice, beam reached) of a connected, topologically sorted lattice; as determinize.reference."""
    backward = backward_costs(lat)
    best = float(backward[lat.start])
    pieces = words_and_strings(lat)
    live = ~_inside_chains(lat, pieces[0])
    arrays = _inputs(lat, live, backward, *pieces)
    limit = max(options.max_mem // BYTES, 4096) if options.max_mem > 0 else 1 << 40
    num_labels = len(pieces[2])
    capacity, by_depth = _first_capacity(lat.num_arcs, num_labels, limit), _by_depth(num_labels)
    while True:
        store = _Store(capacity)
        status, reached = _search(
            *arrays, best + beam, options.delta, options.max_states, options.max_arcs, *by_depth, *store.arrays(),
        )  # fmt: skip
        if status in (DONE, LIMIT):
            break
        name = {NODES_FULL: "nodes", ELEMENTS_FULL: "elements", TASKS_FULL: "tasks", STATES_FULL: "states",
                ARCS_FULL: "arcs"}[status]  # fmt: skip
        if capacity["nodes"] + capacity["elements"] >= limit and store.counts[1] > 0:
            break  # best first: what is there is right as far as it goes
        capacity[name] *= 2
        if name in ("elements", "tasks", "states", "arcs"):
            capacity = {k: max(v, capacity[name] // 8 if k != "elements" else v) for k, v in capacity.items()}
    clat = _output(lat, live, store, best + beam)
    return clat, (beam if status == DONE else max(reached - best, 0.0))


def _first_capacity(num_arcs: int, num_labels: int, limit: int) -> dict:
    # Beginning again is dear, and memory that is not written to costs nothing (only the tables are filled).
    n = max(num_arcs, 256)
    nodes = min(64 * n + 2 * num_labels, limit)
    return {"nodes": nodes, "elements": min(16 * n, limit), "tasks": n, "states": n // 2, "arcs": n}


def _inside_chains(lat, words):
    """States with one arc in and one out, both without a word, and no end there: bool (S,)."""
    inside = (np.bincount(lat.nextstate, minlength=lat.num_states) == 1) & (np.diff(lat.offsets) == 1)
    inside &= ~lat.is_final()
    inside[lat.nextstate[words != 0]] = inside[lat.arc_source()[words != 0]] = inside[lat.start] = False
    return inside


def _inputs(lat, live, backward, words, string_offsets, strings):
    """What the search reads: live states numbered anew, their arcs without a word as chains, apart from those with one."""
    number = np.where(live, np.cumsum(live) - 1, -1)
    source, nextstate = number[lat.arc_source()], number[lat.nextstate]
    silent_arcs, spoken_arcs = np.flatnonzero((words == 0) & (source >= 0)), np.flatnonzero(words)
    graph_cost, acoustic_cost = np.float64(lat.graph_cost), np.float64(lat.acoustic_cost)
    chain, chain_cost = np.empty((len(silent_arcs), 4), np.int32), np.empty((len(silent_arcs), 2))
    labels = np.empty(len(strings), np.int32)
    _fold(silent_arcs, source[silent_arcs], lat.offsets, lat.nextstate, number, graph_cost, acoustic_cost,
          string_offsets, strings, chain, chain_cost, labels)  # fmt: skip
    silent, spoken = (_offsets(source[arcs], int(live.sum())) for arcs in (silent_arcs, spoken_arcs))
    matters = (np.diff(spoken) > 0) | lat.is_final()[live]
    arcs_of = np.stack([silent[:-1], silent[1:], spoken[:-1], spoken[1:], matters], axis=1).astype(np.int32)
    return (
        int(number[lat.start]), arcs_of, chain, chain_cost, labels, spoken_arcs, nextstate, words, string_offsets, strings,
        graph_cost, acoustic_cost, backward[live],
    )  # fmt: skip


def _offsets(source, num_states: int):
    """Where each state's share of arcs begins that are sorted by state."""
    offsets = np.zeros(num_states + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=num_states), out=offsets[1:])
    return offsets


_of_thread = threading.local()


def _reserve(name: str, room: int, dtype) -> np.ndarray:
    """An array of the thread, kept from lattice to lattice: new memory costs a fifth of the time (page faults)."""
    kept = getattr(_of_thread, name, None)
    if kept is None or len(kept) < room:
        kept = np.empty(room, dtype)
        setattr(_of_thread, name, kept)
    return kept[:room]


def _by_depth(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """MULTIPLIER to the power of each depth of a node, and whether a node there jumps far; kept from lattice to lattice."""
    kept = getattr(_of_thread, "by_depth", None)
    if kept is None or len(kept[0]) < depth + 2:
        powers, far = np.full(2 * depth + 2, MULTIPLIER, np.uint64), np.zeros(2 * depth + 2, np.bool_)
        powers[0] = 1
        with np.errstate(over="ignore"):
            powers = np.cumprod(powers, dtype=np.uint64)
        _far_jumps(far)
        kept = _of_thread.by_depth = powers, far
    return kept


class _Store:
    """Arrays of the search, of given capacities. One search at a time in a thread."""

    def __init__(self, capacity: dict):
        nodes, elements, tasks, states, arcs = (capacity[k] for k in ("nodes", "elements", "tasks", "states", "arcs"))
        self.nodes = _reserve("nodes", 4 * nodes, np.int32).reshape(-1, 4)
        self.node_hash = _reserve("hash", nodes, np.uint64)
        self.e_state, self.e_node = _reserve("state", elements, np.int32), _reserve("node", elements, np.int32)
        self.e_graph, self.e_acoustic = _reserve("graph", elements, float), _reserve("acoustic", elements, float)
        self.tasks = [np.empty(tasks)] + [np.empty(tasks, np.int64) for _ in range(5)]
        self.initial = [np.full(2 * _power_of_two(tasks), -1, np.int64)]
        self.initial += [np.empty(tasks, t) for t in (np.int64, np.int64, np.int64, np.uint64, np.int64)]
        self.initial += [np.empty(tasks), np.empty(tasks), np.empty(tasks, np.int64)]
        self.state_table = np.full(2 * _power_of_two(states), -1, np.int64)
        self.state_begin, self.state_end, self.state_base = (np.empty(states, np.int64) for _ in range(3))
        self.state_hash, self.state_forward = np.empty(states, np.uint64), np.empty(states)
        self.arc_source, self.arc_word, self.arc_next = (np.empty(arcs, np.int64) for _ in range(3))
        self.arc_graph, self.arc_acoustic = np.empty(arcs), np.empty(arcs)
        self.arc_strings = np.empty((arcs, 4), np.int64)
        self.counts = np.zeros(2, np.int64)

    def arrays(self):
        return (
            self.nodes, self.node_hash,
            self.e_state, self.e_node, self.e_graph, self.e_acoustic, *self.tasks, *self.initial,
            self.state_table, self.state_begin, self.state_end, self.state_base, self.state_hash, self.state_forward,
            self.arc_source, self.arc_word, self.arc_next, self.arc_graph, self.arc_acoustic, self.arc_strings,
            self.counts,
        )  # fmt: skip


def _output(lat, live, store: _Store, cutoff: float) -> CompactLattice:
    num_states, num_arcs = (int(n) for n in store.counts)
    final_graph, final_acoustic = np.full(num_states, INF), np.full(num_states, INF)
    final_node = store.state_base[:num_states].copy()
    _best_finals(
        num_states, store.state_begin, store.state_end, store.state_forward, cutoff, store.e_state, store.e_node,
        store.e_graph, store.e_acoustic, np.float64(lat.final_graph)[live], np.float64(lat.final_acoustic)[live],
        final_cost(lat)[live], final_graph, final_acoustic, final_node,
    )  # fmt: skip
    order = np.argsort(store.arc_source[:num_arcs], kind="stable")
    offsets = np.searchsorted(store.arc_source[:num_arcs][order], np.arange(num_states + 1)).astype(np.int64)
    strings = _strings(store, store.arc_strings[order])
    final_strings = _strings(store, np.stack([store.state_base[:num_states], final_node], axis=1))
    clat = CompactLattice(
        0, offsets, store.arc_word[order].astype(np.int32), store.arc_graph[order], store.arc_acoustic[order],
        store.arc_next[order].astype(np.int32), *strings, final_graph, final_acoustic, *final_strings,
    )  # fmt: skip
    return connect(clat)


def _strings(store: _Store, ways: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    depth = store.nodes[ways, DEPTH].astype(np.int64)
    length = np.sum(depth[:, 1::2] - depth[:, ::2], axis=1)
    offsets = np.zeros(len(ways) + 1, np.int64)
    np.cumsum(length, out=offsets[1:])
    labels = np.empty(int(offsets[-1]), np.int32)
    _spell_all(ways, offsets[1:].copy(), store.nodes, labels)
    return offsets, labels
