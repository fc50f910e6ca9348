#!/usr/bin/env python3
"""How fast are 10,000 utterances scored at 50 settings? Ratio to jiwer, one process, one thread, median of 5.
Processor time is compared, so that other work on the machine does not matter.

Example: python3 tests/bench/score.py
         python3 tests/bench/score.py --utts 1000 --settings 33

Two kinds of sweep: "sweep" as a lattice gives it (a setting changes the hypothesis of a part of the utterances), and
"all different" (no line is met twice), which leaves `BatchScorer` nothing to remember. jiwer is timed on some of the
settings (its time is proportional to their number). Both give the same totals; that is checked.
"""

import argparse
import random
import statistics
import sys
import time

VOCABULARY = [f"w{i}" for i in range(5000)]


def corrupt(words, rate, rng):
    """A hypothesis: each word is substituted, deleted or followed by another with probability rate / 3 each."""
    out = []
    for word in words:
        x = rng.random() / rate
        if x > 1:
            out.append(word)
        elif x > 2 / 3:
            out.append(rng.choice(VOCABULARY))
        elif x > 1 / 3:
            out += [word, rng.choice(VOCABULARY)]
    return out


def make(utts, settings, changed, rng):
    refs = {f"u{i:05d}": [rng.choice(VOCABULARY) for _ in range(rng.randint(5, 25))] for i in range(utts)}
    base = {utt: corrupt(words, 0.12, rng) for utt, words in refs.items()}
    systems = []
    for _ in range(settings):
        hyps = {u: corrupt(refs[u], 0.12, rng) if rng.random() < changed else base[u] for u in refs}
        systems.append({utt: " ".join(words) for utt, words in hyps.items()})
    return refs, systems


def ours(refs, systems):
    from sidamo.score.fast import BatchScorer

    return [scores.totals() for scores in BatchScorer(refs).many(systems)]


def theirs(refs, systems):
    import jiwer

    said = [" ".join(words) for words in refs.values()]
    out = []
    for system in systems:
        result = jiwer.process_words(said, list(system.values()))
        out.append((result.substitutions + result.deletions + result.insertions, sum(map(len, refs.values()))))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utts", type=int, default=10000)
    parser.add_argument("--settings", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peer-settings", type=int, default=2, help="settings that jiwer is timed on")
    args = parser.parse_args()
    ratios = {}
    for name, changed in (("sweep", 0.15), ("all different", 1.0)):
        refs, systems = make(args.utts, args.settings, changed, random.Random(1))
        ours(refs, systems)  # compiles the kernels, if it was never done on this machine
        mine, peer = [], []
        for _ in range(args.repeat):
            start = time.process_time()
            results = ours(refs, systems)
            mine.append(time.process_time() - start)
            start = time.process_time()
            checked = theirs(refs, systems[: args.peer_settings])
            peer.append((time.process_time() - start) * args.settings / args.peer_settings)
        assert [(r.errors, r.ref_words) for r in results[: args.peer_settings]] == checked, "the totals differ"
        ratios[name] = statistics.median(p / m for p, m in zip(peer, mine))
        print(f"{name}: {args.utts} utterances at {args.settings} settings: {statistics.median(mine):.2f} s, "
              f"jiwer {statistics.median(peer):.1f} s, ratio {ratios[name]:.1f}")  # fmt: skip
    return 0 if ratios["sweep"] >= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
