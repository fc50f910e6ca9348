"""A large decoding graph and log-likelihoods to search it with, made from a seed: for benchmarks only.

A lexicon of random, distinct pronunciations; a trigram grammar whose words follow Zipf's law; LG built directly (one
prefix tree of pronunciations for each grammar state, weights pushed towards the root, tails of words shared), and TLG
by pairing LG's states with the last frame's token. Log-likelihoods are of sentences drawn from the grammar, with peaks,
blanks and confusions as a CTC network has them.

Example: python tests/bench/large_graph.py --words 120000 --bigrams 725000 --trigrams 500000 /some/folder
"""

from __future__ import annotations

import argparse
import pathlib

import numba
import numpy as np
from sidamo.io.fst import make_csr, write_fst

NUM_PHONES = 39
FIRST_UNIT = 2
VOCABULARY = NUM_PHONES + 1  # with the blank


def make_lexicon(num_words: int, rng) -> np.ndarray:
    """(W, 16) int32 phones (0..38, -1 padding), distinct, in lexicographic order."""
    weights = 1.0 / np.arange(3, NUM_PHONES + 3)
    rows = np.full((2 * num_words, 16), -1, np.int32)
    length = np.clip(rng.poisson(5.3, 2 * num_words) + 1, 2, 15)
    phones = rng.choice(NUM_PHONES, p=weights / weights.sum(), size=rows.shape)
    inside = np.arange(16) < length[:, None]
    rows[inside] = phones[inside]
    rows = np.unique(rows, axis=0)
    return rows[np.sort(rng.permutation(len(rows))[:num_words])]


def make_grammar(num_words: int, num_bigrams: int, num_trigrams: int, rng):
    """(histories, successors, costs, back-off targets, back-off costs): states are 0 (no history), then histories.

    Returns arrays offsets (H + 1,), word, cost, target (arcs), back_target (H,), back_cost (H,).
    """
    unigram = 1.0 / (np.arange(num_words) + 10.0)
    unigram = rng.permutation(unigram / unigram.sum())
    flatter = unigram**0.8 / (unigram**0.8).sum()

    def draw(count):
        return np.searchsorted(np.cumsum(flatter), rng.random(count)).clip(max=num_words - 1)

    first, second = draw(2 * num_bigrams), draw(2 * num_bigrams)
    pairs = np.unique(first * num_words + second)
    pairs = np.sort(rng.permutation(pairs)[:num_bigrams])
    first, second = pairs // num_words, pairs % num_words
    bigram_state = np.zeros(num_words, np.int64)
    histories = np.unique(first)
    bigram_state[histories] = 1 + np.arange(len(histories))
    # Trigrams: a few bigrams are extended by many words, as frequent ones are.
    base = rng.integers(len(pairs), size=2 * num_trigrams)
    base = base % max(len(pairs) // 40, 1)
    third = draw(2 * num_trigrams)
    triples = np.unique(base * num_words + third)
    triples = np.sort(rng.permutation(triples)[:num_trigrams])
    base, third = triples // num_words, triples % num_words
    extended = np.unique(base)
    trigram_state = np.zeros(len(pairs), np.int64)
    trigram_state[extended] = 1 + len(histories) + np.arange(len(extended))
    num_states = 1 + len(histories) + len(extended)
    # Arcs sorted by state; a word leads to the longest history that exists.
    default_target = bigram_state
    third_pairs = second[base] * num_words + third
    third_target = default_target[third].copy()
    position = np.searchsorted(pairs, third_pairs).clip(max=len(pairs) - 1)
    exists = pairs[position] == third_pairs
    longer = trigram_state[position]
    third_target = np.where(exists & (longer > 0), longer, third_target)
    pair_target = np.where(trigram_state > 0, trigram_state, default_target[second])
    state = np.concatenate([np.zeros(num_words, np.int64), bigram_state[first], trigram_state[base]])
    word = np.concatenate([np.arange(num_words), second, third])
    target = np.concatenate([default_target, pair_target, third_target])
    raw = unigram[word] * np.exp(rng.normal(3.0, 1.0, len(word)))
    raw[:num_words] = unigram
    explicit = np.bincount(state, weights=raw, minlength=num_states)
    kept = np.where(np.arange(num_states) == 0, 0.98, 0.75)  # the rest is for back-off and the sentence end
    cost = -np.log(raw / explicit[state] * kept[state])
    order = np.lexsort((word, state))
    state, word, target, cost = state[order], word[order], target[order], cost[order]
    offsets = np.zeros(num_states + 1, np.int64)
    np.cumsum(np.bincount(state, minlength=num_states), out=offsets[1:])
    back_target = np.zeros(num_states, np.int64)
    back_target[trigram_state[extended]] = bigram_state[second[extended]]
    back_cost = np.full(num_states, -np.log(0.2))
    return offsets, word, cost, target, back_target, back_cost


@numba.njit(cache=True)
def build_lg(lexicon, offsets, word, cost, target, back_target, back_cost, tail_first, room):
    """Arcs of LG: states 0..H-1 are grammar states; then tails shared by words, then tree nodes."""
    num_histories = len(offsets) - 1
    source, ilabel = np.empty(room, np.int32), np.empty(room, np.int32)
    olabel, weight, nextstate = np.empty(room, np.int32), np.empty(room, np.float32), np.empty(room, np.int32)
    num_words = len(lexicon)
    length = np.empty(num_words, np.int32)
    for w in range(num_words):
        n = 0
        while lexicon[w, n] >= 0:
            n += 1
        length[w] = n
    fresh = tail_first[num_words]
    arcs = 0
    # Tails: state tail_first[w] + k is "the first k + 1 phones of w are read", k = 0..length-2; only some get used.
    tail_target = np.full(num_words, -1, np.int64)
    stack = np.empty((10000, 4), np.int64)
    pushed = np.empty(10000, np.float64)
    for h in range(num_histories):
        if h > 0:
            source[arcs], ilabel[arcs], olabel[arcs] = h, 0, 0
            weight[arcs], nextstate[arcs] = back_cost[h], back_target[h]
            arcs += 1
        top = 1
        stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3], pushed[0] = offsets[h], offsets[h + 1], 0, h, 0.0
        while top > 0:
            top -= 1
            lo, hi, depth, state, held = stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3], pushed[top]
            while lo < hi and length[word[lo]] == depth:  # the word ends here; others go on
                source[arcs], ilabel[arcs], olabel[arcs] = state, 0, word[lo] + 1
                weight[arcs], nextstate[arcs] = cost[lo] - held, target[lo]
                arcs += 1
                lo += 1
            while lo < hi:
                phone = lexicon[word[lo], depth]
                end, best = lo, np.inf
                while end < hi and lexicon[word[end], depth] == phone:
                    best = min(best, cost[end])
                    end += 1
                source[arcs], ilabel[arcs], weight[arcs] = state, phone + 2, best - held
                if end - lo > 1:
                    olabel[arcs], nextstate[arcs] = 0, fresh
                    stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = lo, end, depth + 1, fresh
                    pushed[top] = best
                    top += 1
                    fresh += 1
                    arcs += 1
                else:
                    w, n = word[lo], length[word[lo]]
                    olabel[arcs] = w + 1
                    if depth + 1 == n:
                        nextstate[arcs] = target[lo]
                        arcs += 1
                    elif tail_target[w] < 0 or tail_target[w] == target[lo]:
                        first_use = tail_target[w] < 0
                        nextstate[arcs] = tail_first[w] + depth
                        arcs += 1
                        if first_use:
                            tail_target[w] = target[lo]
                            for k in range(n - 1):
                                source[arcs], ilabel[arcs], olabel[arcs] = tail_first[w] + k, lexicon[w, k + 1] + 2, 0
                                weight[arcs] = 0.0
                                nextstate[arcs] = tail_first[w] + k + 1 if k + 2 < n else target[lo]
                                arcs += 1
                    else:  # another target (a trigram's history): a tail of its own
                        nextstate[arcs] = fresh
                        arcs += 1
                        for k in range(depth + 1, n):
                            source[arcs], ilabel[arcs], olabel[arcs], weight[arcs] = fresh, lexicon[w, k] + 2, 0, 0.0
                            fresh += 1
                            nextstate[arcs] = fresh if k + 1 < n else target[lo]
                            arcs += 1
                lo = end
    return fresh, source[:arcs], ilabel[:arcs], olabel[:arcs], weight[:arcs], nextstate[:arcs]


def make_lg(num_words=120_000, num_bigrams=725_000, num_trigrams=500_000, seed=1):
    """(LG as CsrFst, lexicon, grammar)."""
    rng = np.random.default_rng(seed)
    lexicon = make_lexicon(num_words, rng)
    grammar = make_grammar(num_words, num_bigrams, num_trigrams, rng)
    num_histories = len(grammar[0]) - 1
    length = (lexicon >= 0).sum(axis=1)
    tail_first = num_histories + np.concatenate([[0], np.cumsum(length - 1)])
    room = 12 * len(grammar[1]) + 20 * num_words
    states, source, ilabel, olabel, weight, nextstate = build_lg(lexicon, *grammar, tail_first, room)
    final = np.full(states, np.inf, np.float32)
    final[:num_histories] = -np.log(0.05)
    fst = make_csr(states, source, ilabel, olabel, weight, nextstate, final)
    return connect(fst), lexicon, grammar


def arcs_of(offsets, states):
    """(arcs of these states one after the other, number of each state's)."""
    counts = offsets[states + 1] - offsets[states]
    before = np.cumsum(counts) - counts
    return np.repeat(offsets[states] - before, counts) + np.arange(counts.sum()), counts


def connect(fst):
    """States that the start reaches (the unused tails are dropped)."""
    reached = np.zeros(fst.num_states, bool)
    front = np.array([fst.start])
    while len(front):
        reached[front] = True
        front = np.unique(fst.nextstate[arcs_of(fst.offsets, front)[0]])
        front = front[~reached[front]]
    number = np.cumsum(reached) - 1
    source = fst.arc_sources()
    keep = reached[source]
    return make_csr(
        int(reached.sum()), number[source[keep]], fst.ilabel[keep], fst.olabel[keep], fst.weight[keep],
        number[fst.nextstate[keep]], fst.final[reached], int(number[fst.start]),
    )  # fmt: skip


def compose_topology(lg, strict: bool):
    """TLG as a CsrFst: LG's states paired with the last frame's token (0: blank or, where not strict, anything).

    strict: the correct topology, arcs from token to token; else epsilon arcs lead from a token to the hub.
    """
    source = lg.arc_sources().astype(np.int64)
    emits = lg.ilabel > 0
    target = lg.nextstate.astype(np.int64)
    pairs = np.unique(target[emits] * 64 + lg.ilabel[emits])
    eps_source, eps_target = source[~emits], target[~emits]
    if strict:  # tokens survive epsilon arcs
        order = np.argsort(eps_source, kind="stable")
        eps_offsets = np.searchsorted(eps_source[order], np.arange(lg.num_states + 1))
        front = pairs
        while len(front):
            state = front // 64
            index, counts = arcs_of(eps_offsets, state)
            new = np.unique(eps_target[order][index] * 64 + np.repeat(front % 64, counts))
            front = np.setdiff1d(new, pairs, assume_unique=True)
            pairs = np.union1d(pairs, front)
    base = lg.num_states

    def number(state, label):
        return base + np.searchsorted(pairs, state * 64 + label)

    pair_state, pair_label = pairs // 64, pairs % 64
    own = base + np.arange(len(pairs))
    zeros = np.zeros(len(pairs))
    hubs = np.arange(base)
    parts = [  # source, ilabel, olabel, weight, nextstate
        (hubs, np.ones(base), np.zeros(base), np.zeros(base), hubs),
        (source[emits], lg.ilabel[emits], lg.olabel[emits], lg.weight[emits], number(target[emits], lg.ilabel[emits])),
        (eps_source, np.zeros(len(eps_source)), lg.olabel[~emits], lg.weight[~emits], eps_target),
        (own, pair_label, zeros, zeros, own),
    ]
    final = np.full(base + len(pairs), np.inf, np.float32)
    final[:base] = lg.final
    if strict:
        parts.append((own, np.ones(len(pairs)), zeros, zeros, pair_state))
        arcs, counts = arcs_of(lg.offsets, pair_state)
        last, who = np.repeat(pair_label, counts), np.repeat(own, counts)
        keep = lg.ilabel[arcs] != last
        arcs, last, who = arcs[keep], last[keep], who[keep]
        label = np.where(lg.ilabel[arcs] > 0, lg.ilabel[arcs], last)
        parts.append((who, lg.ilabel[arcs], lg.olabel[arcs], lg.weight[arcs], number(target[arcs], label)))
        final[base:] = lg.final[pair_state]
    else:
        parts.append((own, zeros, zeros, zeros, pair_state))
    columns = [np.concatenate([p[i] for p in parts]) for i in range(5)]
    order = np.lexsort((columns[1], columns[0]))
    return make_csr(base + len(pairs), *(c[order] for c in columns), final, lg.start)


def make_loglikes(lexicon, grammar, num_utterances=40, seed=2, sharpness=5.5):
    """List of (T, V) float32 log posteriors of sentences drawn from the grammar, and the sentences (ids from 1)."""
    rng = np.random.default_rng(seed)
    offsets, word, cost, target, back_target, _ = grammar
    matrices, sentences = [], []
    for _ in range(num_utterances):
        state, words = 0, []
        while len(words) < rng.integers(10, 25):
            lo, hi = offsets[state], offsets[state + 1]
            if state > 0 and rng.random() < 0.2:
                state = back_target[state]
                continue
            p = np.exp(-cost[lo:hi])
            k = lo + np.searchsorted(np.cumsum(p / p.sum()), rng.random()).clip(max=hi - lo - 1)
            words.append(int(word[k]))
            state = target[k]
        sentences.append([w + 1 for w in words])
        phones = np.concatenate([lexicon[w][lexicon[w] >= 0] for w in words])
        rows = []
        last = -1
        for phone in phones:
            spare = int(rng.integers(1, 4)) if phone != last else int(rng.integers(2, 4))
            rows += [-1] * spare + [phone] * int(rng.choice([1, 1, 1, 2]))
            last = phone
        rows += [-1] * 6
        logits = rng.normal(0.0, 1.4, (len(rows), VOCABULARY))
        for t, phone in enumerate(rows):
            if phone < 0:  # half of the blank frames are clear, the others are not
                logits[t, 0] += sharpness + (6.0 if rng.random() < 0.5 else 1.5)
                continue
            logits[t, 0] += sharpness - 1.5
            logits[t, 1 + phone] += sharpness
            for near in (phone + rng.integers(1, 6, 3)) % NUM_PHONES:  # confusions, now and then the stronger ones
                logits[t, 1 + near] += sharpness + rng.normal(-1.0, 1.0)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        matrices.append(logits.astype(np.float32))
    return matrices, sentences


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--words", type=int, default=120_000)
    parser.add_argument("--bigrams", type=int, default=725_000)
    parser.add_argument("--trigrams", type=int, default=500_000)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    lg, lexicon, grammar = make_lg(args.words, args.bigrams, args.trigrams)
    write_fst(args.folder / "LG.fst", lg, kind="const")
    for name, strict in (("modified", False), ("correct", True)):
        tlg = compose_topology(lg, strict)
        write_fst(args.folder / f"TLG.{name}.fst", tlg, kind="const")
        print(f"TLG {name}: {tlg.num_states} states, {tlg.num_arcs} arcs")
    matrices, _ = make_loglikes(lexicon, grammar)
    np.savez(args.folder / "loglikes.npz", *matrices)
    print(f"LG: {lg.num_states} states, {lg.num_arcs} arcs; {len(matrices)} utterances, "
          f"{sum(map(len, matrices))} frames")  # fmt: skip


if __name__ == "__main__":
    main()
