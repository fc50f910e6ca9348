"""A large decoding graph and log-likelihoods to search it with, made from a seed: for benchmarks only.

A lexicon of random, distinct pronunciations; a trigram grammar whose words follow Zipf's law; LG built directly (one
prefix tree of pronunciations for each grammar state, weights pushed towards the root, tails of words shared), and TLG
by pairing LG's states with the last frame's token. Log-likelihoods are of sentences drawn from the grammar, with peaks,
blanks and confusions as a CTC network has them.

What is aimed at are the figures of a graph made of CMUdict with Kaldi's tools: 126k words, grammar 138k states and
1.42 M arcs, LG 0.95 M and 2.28 M, TLG 1.83 to 1.93 M states and 5.0 (compact topology) to 7.5 M arcs (correct);
40 utterances of 371 frames, 40 columns, blank leading in 71% of the frames; 1,800 tokens a frame at beam 13, 4,800 at 16.
Reached: grammar 142k and 1.49 M, LG 1.13 M and 2.48 M, TLG 2.29 M, 5.9 M and 8.4 M; 371 frames, 71%; 1,700 and 6,300.

Example: python tests/bench/large_graph.py --words 126000 --bigrams 725000 --trigrams 500000 /some/folder
"""

from __future__ import annotations

import argparse
import pathlib

import numba
import numpy as np
from sidamo.io.fst import make_csr, write_fst

NUM_PHONES, NUM_VOWELS, NUM_SYLLABLES = 39, 15, 3000
FIRST_UNIT = 2
VOCABULARY = NUM_PHONES + 1  # with the blank
NUM_WORDS, NUM_BIGRAMS, NUM_TRIGRAMS = 126_000, 725_000, 500_000
# Of the log-likelihoods: how far peaks stand out, spread of all logits; rivals of a peak, relative to it, and spread.
SHARPNESS, NOISE, RIVAL, RIVAL_SPREAD = 6.0, 1.4, -2.5, 1.5


def make_lexicon(num_words: int, rng) -> np.ndarray:
    """(W, 16) int32 phones (0..38, -1 padding), distinct, in lexicographic order; syllables, so that words begin alike.

    Two to fifteen phones, 6.3 in the mean as in CMUdict.
    """
    vowels, consonants = rng.permutation(NUM_VOWELS), NUM_VOWELS + rng.permutation(NUM_PHONES - NUM_VOWELS)
    table = np.full((NUM_SYLLABLES, 5), -1)
    for row in table:
        onset = rng.choice(consonants, rng.choice(3, p=[0.15, 0.7, 0.15]), p=skewed(len(consonants), 2, 0.8))
        coda = rng.choice(consonants, rng.choice(3, p=[0.6, 0.35, 0.05]), p=skewed(len(consonants), 2, 0.8))
        syllable = [*onset, rng.choice(vowels, p=skewed(NUM_VOWELS, 2, 0.8)), *coda]
        row[: len(syllable)] = syllable
    count = rng.choice(np.arange(1, 6), 3 * num_words, p=[0.22, 0.52, 0.21, 0.04, 0.01])
    picked = table[rng.choice(NUM_SYLLABLES, (len(count), 5), p=skewed(NUM_SYLLABLES, 3, 0.9))]
    picked[np.arange(5) >= count[:, None]] = -1
    rows = picked.reshape(len(count), -1)
    rows = np.take_along_axis(rows, np.argsort(rows < 0, axis=1, kind="stable"), axis=1)[:, :16].astype(np.int32)
    length = (rows >= 0).sum(axis=1)
    rows = np.unique(rows[(length >= 2) & (length <= 15)], axis=0)
    return rows[np.sort(rng.permutation(len(rows))[:num_words])]


def skewed(count: int, shift: int, power: float) -> np.ndarray:
    """Probabilities that fall as in Zipf's law."""
    p = 1.0 / np.arange(shift, count + shift) ** power
    return p / p.sum()


def make_grammar(num_words: int, num_bigrams: int, num_trigrams: int, rng):
    """(histories, successors, costs, back-off targets, back-off costs): states are 0 (no history), then histories.

    Returns arrays offsets (H + 1,), word, cost, target (arcs), back_target (H,), back_cost (H,).
    """
    unigram = 1.0 / (np.arange(num_words) + 10.0)
    unigram = rng.permutation(unigram / unigram.sum())
    steeper = unigram**1.2 / (unigram**1.2).sum()  # of the words in n-grams: rare ones are in none

    def draw(count):
        return np.searchsorted(np.cumsum(steeper), rng.random(count)).clip(max=num_words - 1)

    first, second = draw(2 * num_bigrams), draw(2 * num_bigrams)
    pairs = np.unique(first * num_words + second)
    pairs = np.sort(rng.permutation(pairs)[:num_bigrams])
    first, second = pairs // num_words, pairs % num_words
    bigram_state = np.zeros(num_words, np.int64)
    histories = np.unique(first)
    bigram_state[histories] = 1 + np.arange(len(histories))
    # Trigrams: a few bigrams are extended by many words, as frequent ones are.
    base = rng.integers(len(pairs), size=2 * num_trigrams)
    base = base % max(len(pairs) // 11, 1)
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
def build_lg(lexicon, offsets, word, cost, target, back_target, back_cost, room):
    """Arcs of LG: states 0..H-1 are grammar states; then tree nodes, and tails shared by all words that end alike."""
    num_histories = len(offsets) - 1
    source, ilabel = np.empty(room, np.int32), np.empty(room, np.int32)
    olabel, weight, nextstate = np.empty(room, np.int32), np.empty(room, np.float32), np.empty(room, np.int32)
    length = np.array([(row >= 0).sum() for row in lexicon])
    tails = {np.int64(0): np.int64(0)}  # (phone, state after it) -> state before it, where nothing else is read
    fresh, arcs = num_histories, 0
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
                source[arcs], ilabel[arcs], weight[arcs] = state, phone + FIRST_UNIT, best - held
                arcs += 1
                if end - lo > 1:
                    olabel[arcs - 1], nextstate[arcs - 1] = 0, fresh
                    stack[top, 0], stack[top, 1], stack[top, 2], stack[top, 3] = lo, end, depth + 1, fresh
                    pushed[top] = best
                    top += 1
                    fresh += 1
                else:
                    this, node = arcs - 1, target[lo]
                    for k in range(length[word[lo]] - 1, depth, -1):
                        key = np.int64((lexicon[word[lo], k] + 1) * 2**40 + node)
                        if key not in tails:
                            tails[key] = fresh
                            source[arcs], ilabel[arcs], olabel[arcs] = fresh, lexicon[word[lo], k] + FIRST_UNIT, 0
                            weight[arcs], nextstate[arcs] = 0.0, node
                            arcs += 1
                            fresh += 1
                        node = tails[key]
                    olabel[this], nextstate[this] = word[lo] + 1, node
                lo = end
    return fresh, source[:arcs], ilabel[:arcs], olabel[:arcs], weight[:arcs], nextstate[:arcs]


def make_lg(num_words=NUM_WORDS, num_bigrams=NUM_BIGRAMS, num_trigrams=NUM_TRIGRAMS, seed=1):
    """(LG as CsrFst, lexicon, grammar)."""
    rng = np.random.default_rng(seed)
    lexicon = make_lexicon(num_words, rng)
    grammar = make_grammar(num_words, num_bigrams, num_trigrams, rng)
    num_histories = len(grammar[0]) - 1
    room = 12 * len(grammar[1]) + 20 * num_words
    states, source, ilabel, olabel, weight, nextstate = build_lg(lexicon, *grammar, room)
    final = np.full(states, np.inf, np.float32)
    final[:num_histories] = -np.log(0.05)
    return make_csr(states, source, ilabel, olabel, weight, nextstate, final), lexicon, grammar


def arcs_of(offsets, states):
    """(arcs of these states one after the other, number of each state's)."""
    counts = offsets[states + 1] - offsets[states]
    before = np.cumsum(counts) - counts
    return np.repeat(offsets[states] - before, counts) + np.arange(counts.sum()), counts


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


def make_loglikes(lexicon, grammar, num_utterances=40, seed=2, sharpness=SHARPNESS, noise=NOISE):
    """List of (T, V) float32 log posteriors of sentences drawn from the grammar, and the sentences (ids from 1).

    As of a CTC network at 30 ms a frame: a phone is a peak of one frame or two, blanks lead in between, most of them
    clearly; a peak has a few strong rivals, and a tenth of the peaks a blank that leads.
    """
    rng = np.random.default_rng(seed)
    matrices, sentences = [], []
    for _ in range(num_utterances):
        words = draw_sentence(grammar, int(rng.integers(10, 21)), rng)
        sentences.append([w + 1 for w in words])
        rows, last = [], -1
        for phone in np.concatenate([lexicon[w][lexicon[w] >= 0] for w in words]):
            rows += [-1] * int(rng.integers(1 + (phone == last), 5)) + [phone] * int(rng.choice([1, 1, 1, 2]))
            last = phone
        rows += [-1] * 6
        logits = rng.normal(0.0, noise, (len(rows), VOCABULARY))
        for t, phone in enumerate(rows):
            if phone < 0:
                logits[t, 0] += sharpness + rng.choice([1.5, 4.0, 6.0])
                continue
            logits[t, 0] += sharpness + rng.normal(-1.5, 1.0)
            logits[t, 1 + phone] += sharpness
            for near in (phone + rng.integers(1, 6, 3)) % NUM_PHONES:  # confusions, now and then the stronger ones
                logits[t, 1 + near] += sharpness + rng.normal(RIVAL, RIVAL_SPREAD)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        matrices.append(logits.astype(np.float32))
    return matrices, sentences


def draw_sentence(grammar, num_words: int, rng) -> list[int]:
    """Words drawn from the grammar."""
    offsets, word, cost, target, back_target, _ = grammar
    state, words = 0, []
    while len(words) < num_words:
        lo, hi = offsets[state], offsets[state + 1]
        if state > 0 and (lo == hi or rng.random() < 0.2):
            state = back_target[state]
            continue
        p = np.exp(-cost[lo:hi])
        k = lo + np.searchsorted(np.cumsum(p / p.sum()), rng.random()).clip(max=hi - lo - 1)
        words.append(int(word[k]))
        state = target[k]
    return words


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--words", type=int, default=NUM_WORDS)
    parser.add_argument("--bigrams", type=int, default=NUM_BIGRAMS)
    parser.add_argument("--trigrams", type=int, default=NUM_TRIGRAMS)
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
    leads = np.mean(np.concatenate(matrices).argmax(axis=1) == 0)
    print(f"G: {len(grammar[0]) - 1} states, {len(grammar[1]) + len(grammar[0]) - 2} arcs; LG: {lg.num_states} states, "
          f"{lg.num_arcs} arcs; {len(matrices)} utterances, {sum(map(len, matrices))} frames, blank leads in {leads:.0%}")


if __name__ == "__main__":
    main()
