"""Decoding graphs at LibriSpeech scale: time, peak memory, states and arcs of each step, for both builders and two peers.

    python tests/bench/graph.py [--words 126000] [--bigrams 725000] [--trigrams 500000] [--repeat 3] [--dir DIR]
                                [--without "pynini used plainly,Kaldi's code"] [--check 20]

Generates (seeded) a lexicon of about 135,000 pronunciations with the statistics of CMUdict (39 phones, 2 to 14 of them,
shared beginnings, homophones) and a trigram with about 1.4 million n-grams, runs utils/prepare_lang.sh once, and then
each builder and peer in a process of its own, alternating. The peers, in the same run on the same files:

    pynini used plainly   compose, determinize in the log semiring, quantize, encoded minimize, compose with T
    Kaldi's code          fsttablecompose, fstdeterminizestar --use-log, fstminimizeencoded of the wheel kaldifst, which
                          is Kaldi's C++ (.venv/bin/pip install kaldifst); ARPA -> G is ours, in another process

Measured elsewhere for such a graph (reference in the issue): Kaldi's programs 16.4 s and 454 MB from the ARPA file to the
compact TLG, 13.9 s to LG; pynini used plainly 20.3 s, 831 MB. Seconds are CPU time. --check N draws N sentences from the
grammar and compares their costs in the LG of both builders with those in G.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
KALDI_SECONDS_LG, KALDI_SECONDS_TLG, KALDI_MB = 13.9, 16.4, 454  # measured elsewhere, see the issue
PLAIN_SECONDS, PLAIN_MB = 20.3, 831  # pynini used plainly, there
TOPOLOGY = ("T o LG, compact",)

VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()


def make_pronunciations(rng, count):
    """`count` pronunciations of syllables (0 to 2 consonants, a vowel, 0 to 2 consonants) of a skewed inventory."""
    vowel_p = 1.0 / np.arange(2, len(VOWELS) + 2) ** 0.8
    cons_p = 1.0 / np.arange(2, len(CONSONANTS) + 2) ** 0.8
    vowels, consonants = rng.permutation(VOWELS), rng.permutation(CONSONANTS)
    inventory = []
    for _ in range(3000):
        onset = rng.choice(consonants, size=rng.choice(3, p=[0.15, 0.7, 0.15]), p=cons_p / cons_p.sum())
        coda = rng.choice(consonants, size=rng.choice(3, p=[0.5, 0.4, 0.1]), p=cons_p / cons_p.sum())
        inventory.append([*onset, rng.choice(vowels, p=vowel_p / vowel_p.sum()), *coda])
    p = 1.0 / np.arange(3, len(inventory) + 3) ** 0.9
    lengths = rng.choice([1, 2, 3, 4, 5], size=count, p=[0.12, 0.42, 0.3, 0.12, 0.04])
    picks = rng.choice(len(inventory), size=int(lengths.sum()), p=p / p.sum())
    ends = np.cumsum(lengths)
    return [[phone for k in picks[a:b] for phone in inventory[k]] for a, b in zip(ends - lengths, ends)]


def make_dict(rng, directory, num_words):
    """A dictionary directory without silence; one word in fifteen has a second pronunciation."""
    directory.mkdir(parents=True, exist_ok=True)
    words = [f"w{k:06d}" for k in range(num_words)]
    extra = rng.choice(num_words, size=num_words // 15, replace=False)
    prons = make_pronunciations(rng, num_words + len(extra))
    lines = {f"{words[k]} {' '.join(prons[n])}" for n, k in enumerate([*range(num_words), *extra])}
    (directory / "lexicon.txt").write_text("\n".join(sorted(lines)) + "\n")
    (directory / "nonsilence_phones.txt").write_text("\n".join(sorted(VOWELS + CONSONANTS)) + "\n")
    return words


def make_arpa(rng, words, num_bigrams, num_trigrams, path):
    """A normalized trigram: Zipf unigrams, successors drawn by them, trigrams made of bigrams of the model."""
    from sidamo.lang.ngram_model import LOG_ZERO, NgramModel, Table, make_keys, write_model

    names = [b"<unk>", b"<s>", b"</s>", *(word.encode() for word in words)]
    count = len(names)
    p = np.zeros(count)
    p[3:] = rng.permutation(1.0 / (np.arange(len(words)) + 20.0))
    p[0], p[2] = p.max() / 10, p.max()
    p /= p.sum()
    with np.errstate(divide="ignore"):
        logp = np.maximum(np.log(p), LOG_ZERO)
    unigrams = Table(np.zeros(count, np.int64), np.arange(count, dtype=np.int32), logp, np.zeros(count))

    def draw(context_p, context_rows, number):
        context = rng.choice(context_rows, size=int(number * 1.6), p=context_p)
        word = rng.choice(count, size=len(context), p=p)
        keys = np.unique(make_keys(context, word))
        keys = np.sort(rng.permutation(keys)[:number])
        return keys >> 24, (keys & 0xFFFFFF).astype(np.int32)

    def table(context, word, size):
        weight = p[word] ** 0.7
        total = np.bincount(context, weight, minlength=size)
        seen = np.bincount(context, minlength=size)
        mass = 0.8 * seen / (seen + 2.0)
        return Table(context, word, np.log(mass[context] * weight / total[context]), np.zeros(len(word)))

    start = p.copy()
    start[1], start[2] = p[2], 0
    bigrams = table(*draw(start / start.sum(), np.arange(count), num_bigrams), count)
    context_p = start[bigrams.context] * np.exp(bigrams.logprob)
    context_p[bigrams.word == 2] = 0
    frequent = np.sort(np.argsort(-context_p)[: num_trigrams // 40])  # as in a pruned model: few histories, many words
    context_p = context_p[frequent] ** 0.3
    context = rng.choice(frequent, size=3 * num_trigrams, p=context_p / context_p.sum())
    # the last two words are a bigram of the model, as in every model that was trained on text
    first = np.searchsorted(bigrams.context, bigrams.word[context], side="left")
    last = np.searchsorted(bigrams.context, bigrams.word[context], side="right")
    row = np.minimum(first + (rng.random(len(context)) * (last - first)).astype(np.int64), len(bigrams) - 1)
    keys = np.unique(make_keys(context, bigrams.word[row])[last > first])
    keys = np.sort(rng.permutation(keys)[:num_trigrams])
    context, word = keys >> 24, (keys & 0xFFFFFF).astype(np.int32)
    model = NgramModel(names, [unigrams, bigrams, table(context, word, len(bigrams))])
    model.normalize()
    write_model(model, str(path))


def peak_mb():
    """Largest resident memory of this process so far (not that of its parent, which ru_maxrss may show)."""
    with open("/proc/self/status") as stream:
        return next(int(line.split()[1]) / 1024 for line in stream if line.startswith("VmHWM"))


class Steps:
    """The steps of one process: name, CPU seconds, peak memory so far (MB), states, arcs."""

    def __init__(self):
        self.rows = []

    def __call__(self, name, function):
        began = time.process_time()
        fst = function()
        self.rows.append([name, time.process_time() - began, peak_mb(), *size_of(fst)])
        return fst


def size_of(fst):
    """(states, arcs) of our arrays, a pynini FST or a kaldifst FST; arcs 0 where counting would take a walk."""
    if hasattr(fst, "offsets"):
        return fst.num_states, fst.num_arcs
    return (fst.num_states if isinstance(fst.num_states, int) else fst.num_states()), 0


def grammar_of(step, lang, arpa):
    from sidamo.lang.arpa import ArpaOptions, arpa_to_fst, read_arpa_bytes
    from sidamo.lang.lexicon import read_table

    ids = {word.encode(): k for word, k in read_table(f"{lang}/words.txt").items()}
    options = ArpaOptions(disambig_symbol="#0", read_symbol_table="words.txt")
    return step("ARPA -> G", lambda: arpa_to_fst(read_arpa_bytes(arpa), ids, options))


def ours(step, lang, arpa, direct):
    """ARPA to TLG as utils/mkgraph.sh does it, with either builder."""
    from sidamo.io.fst import read_fst
    from sidamo.lang import graph
    from sidamo.lang.lexicon import read_table

    words, phones, tokens = (read_table(f"{lang}/{name}.txt") for name in ("words", "phones", "tokens"))
    fst = grammar_of(step, lang, arpa)
    lexicon = read_fst(f"{lang}/L_disambig.fst")
    if direct:
        from sidamo.lang.direct import build_lg_direct

        fst = step("G -> LG (direct)", lambda: build_lg_direct(lexicon, fst, phones, words))
    else:
        fst = step("L o G", lambda: graph.compose_arrays(lexicon, fst, "L o G"))
        fst = step("determinize (log)", lambda: graph.determinize_arrays(fst))
        fst = step("minimize (encoded)", lambda: graph.minimize_arrays(fst))
    fst = step("LG over tokens, sorted", lambda: graph.relabel_to_tokens(fst, phones, tokens))
    step("T o LG, compact", lambda: graph.expand_topology(fst, "compact"))


def plain_topology(phones):
    """The compact T of the reference: from each unit's state an epsilon leads back to the state of the blank."""
    from sidamo.io.fst import make_csr

    units = [k for phone, k in phones.items() if k and not phone.startswith("#")]
    arcs = [(0, 0, 1, 0)] + [(0, 0, 0, k) for phone, k in phones.items() if phone.startswith("#")]
    for state, unit in enumerate(units, 1):
        arcs += [(0, state, state + 1, unit), (state, state, state + 1, 0), (state, 0, 0, 0)]
    src, dst, ilabel, olabel = zip(*arcs)
    return make_csr(len(units) + 1, src, ilabel, olabel, np.zeros(len(arcs)), dst, {0: 0.0})


def plain_pynini(step, lang, arpa):
    """The recipe of the reference, nothing but pynini from L o G on: 20.3 s there, with ARPA -> G."""
    import pynini
    from sidamo.io.fst import arcsort, fst_to_bytes
    from sidamo.lang.lexicon import read_table

    grammar = grammar_of(step, lang, arpa)
    fst = pynini.Fst.read_from_string(fst_to_bytes(grammar))
    del grammar
    lexicon = pynini.Fst.read(f"{lang}/L_disambig.fst").arcsort("olabel")
    fst = step("L o G", lambda: pynini.compose(lexicon, fst.arcsort("ilabel")))
    lexicon = None  # its memory is free
    fst = step("to log", lambda: pynini.arcmap(fst, map_type="to_log"))
    fst = step("determinize", lambda: pynini.determinize(fst))
    fst = step("to tropical", lambda: pynini.arcmap(fst, map_type="to_std"))
    fst = step("quantize", lambda: pynini.arcmap(fst, map_type="quantize", delta=1.0 / 1024))

    def minimize():
        mapper = pynini.EncodeMapper("standard", encode_labels=True, encode_weights=True)
        return fst.encode(mapper).minimize(allow_nondet=True).decode(mapper)

    fst = step("minimize (encoded)", minimize).arcsort("ilabel")
    topology = pynini.Fst.read_from_string(fst_to_bytes(arcsort(plain_topology(read_table(f"{lang}/phones.txt")), "olabel")))
    step("T o LG, compact", lambda: pynini.compose(topology, fst).arcsort("ilabel"))


def write_grammar(lang, arpa, path):
    from sidamo.io.fst import write_fst

    write_fst(path, grammar_of(Steps(), lang, arpa))


def kaldi(step, lang, arpa):
    """Kaldi's own fstdeterminizestar and fstminimizeencoded, in the wheel kaldifst. ARPA -> G is ours."""
    import kaldifst

    path, began = f"{arpa}.G.{os.getpid()}.fst", time.process_time()
    helper = os.fork()  # so that the peak is that of the peer
    if helper == 0:
        write_grammar(lang, arpa, path)
        os._exit(0)
    _, _, usage = os.wait4(helper, 0)
    lexicon, fst = kaldifst.StdVectorFst.read(f"{lang}/L_disambig.fst"), kaldifst.StdVectorFst.read(path)
    os.unlink(path)
    kaldifst.arcsort(lexicon, "olabel")
    seconds = time.process_time() - began + usage.ru_utime + usage.ru_stime
    step.rows.append(["ARPA -> G", seconds, peak_mb(), *size_of(fst)])
    fst = step("L o G", lambda: kaldifst.compose(lexicon, fst))

    def in_place(function, *args, **options):
        function(fst, *args, **options)
        return fst

    step("determinizestar --use-log", lambda: in_place(kaldifst.determinize_star, use_log=True))
    step("minimizeencoded", lambda: in_place(kaldifst.minimize_encoded))


BUILDERS = {"direct": lambda *args: ours(*args, direct=True), "pynini": lambda *args: ours(*args, direct=False),
            "pynini used plainly": plain_pynini, "Kaldi's code": kaldi}  # fmt: skip


def steps_of(builder, lang, arpa):
    """Run in a child; prints the steps, the CPU seconds of the whole process and those from L o G on."""
    step = Steps()
    BUILDERS[builder](step, lang, arpa)
    print(json.dumps([step.rows, time.process_time()]))


def sentence_cost(fst, words):
    """-log of the sum over all paths of `fst` (arcs sorted by output) that write these words."""
    import pynini
    from sidamo.io.fst import make_csr
    from sidamo.lang.compose_kernel import compose
    from sidamo.lang.graph import to_pynini

    n = len(words)
    acceptor = make_csr(n + 1, range(n), words, words, np.zeros(n), range(1, n + 1), {n: 0.0})
    both = compose(fst, acceptor)
    if both.start < 0:
        return np.inf
    log_fst = pynini.arcmap(to_pynini(both), map_type="to_log")
    return float(str(pynini.shortestdistance(log_fst, reverse=True)[log_fst.start()]))


def draw_sentence(rng, grammar, disambig):
    """Words of a random walk through G that ends in a final state."""
    state, words = grammar.start, []
    while len(words) < 3 or rng.random() < 0.9 or not np.isfinite(grammar.final[state]):
        arcs = grammar.arcs_of(state)
        k = int(rng.integers(arcs.start, arcs.stop))
        if grammar.ilabel[k] not in (0, disambig):
            words.append(int(grammar.ilabel[k]))
        state = int(grammar.nextstate[k])
    return words


def check(lang, arpa, count):
    """Costs of drawn sentences in G (the words of L have one pronunciation or several of weight 1) and in both LG."""
    from sidamo.io.fst import arcsort, read_fst
    from sidamo.lang import graph
    from sidamo.lang.direct import build_lg_direct
    from sidamo.lang.lexicon import read_table

    words, phones = (read_table(f"{lang}/{name}.txt") for name in ("words", "phones"))
    grammar, lexicon = grammar_of(Steps(), lang, arpa), read_fst(f"{lang}/L_disambig.fst")
    names = {k: word for word, k in words.items()}
    several = np.bincount([words[line.split()[0]] for line in open(f"{lang}/lexiconp.txt")], minlength=len(words))
    found = {}
    rng = np.random.default_rng(3)
    sentences = [draw_sentence(rng, grammar, words["#0"]) for _ in range(count)]
    in_g = arcsort(grammar, "olabel")
    extra = [-np.log(several[sentence].astype(float)).sum() for sentence in sentences]  # pronunciations add up
    wanted = np.array([sentence_cost(in_g, sentence) for sentence in sentences]) + extra
    for name in ("pynini", "direct"):
        lg = graph.build_lg(lexicon, grammar) if name == "pynini" else build_lg_direct(lexicon, grammar, phones, words)
        lg = arcsort(lg, "olabel")
        found[name] = np.array([sentence_cost(lg, sentence) for sentence in sentences])
        off = np.abs(found[name] - wanted)
        print(f"check, {name}: {count} sentences, {sum(map(len, sentences))} words, cost off by {off.max():.2g} at most, "
              f"{np.median(off):.2g} in the middle (first: {' '.join(names[k] for k in sentences[0][:5])} ...)")  # fmt: skip


def run_child(builder, lang, arpa):
    command = [sys.executable, __file__, "--child", builder, str(lang), str(arpa)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def show(builder, rows, whole):
    print(f"\n{builder}: whole process {whole:.1f} s of CPU time, peak {max(row[2] for row in rows):.0f} MB")
    print(f"  {'step':26}{'s':>8}{'peak MB':>10}{'states':>12}{'arcs':>12}")
    for name, seconds, peak, states, arcs in rows:
        print(f"  {name:26}{seconds:8.2f}{peak:10.0f}{states:12,}{arcs or 0:12,}")


def main():
    if sys.argv[1:2] == ["--child"]:
        steps_of(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=126_000)
    parser.add_argument("--bigrams", type=int, default=725_000)
    parser.add_argument("--trigrams", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--dir", default="", help="keep lexicon and ARPA here")
    parser.add_argument("--without", default="", help="leave out these, with commas: pynini used plainly,Kaldi's code")
    parser.add_argument("--check", type=int, default=0, help="compare the costs of this many sentences")
    args = parser.parse_args()
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(args.dir or temporary)
        lang, arpa = work / "lang", work / "lm.arpa"
        if not (lang / ".done").exists() or not arpa.exists():
            rng = np.random.default_rng(20)
            words = make_dict(rng, work / "dict", args.words)
            script = [ROOT / "utils/prepare_lang.sh", "--ctc", "true", work / "dict", "<unk>", work / "tmp", lang]
            began = time.perf_counter()
            subprocess.run(list(map(str, script)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            print(f"prepare_lang.sh: {time.perf_counter() - began:.1f} s")
            make_arpa(rng, words, args.bigrams, args.trigrams, arpa)
        for builder in ("direct", "pynini"):
            run_child(builder, lang, arpa)  # numba's cache
        results = {builder: [] for builder in BUILDERS if builder not in args.without.split(",")}
        for _ in range(args.repeat):
            for builder, found in results.items():
                found.append(run_child(builder, lang, arpa))
        middle = {}
        for builder, found in results.items():
            found.sort(key=lambda item: item[1])
            rows, whole = middle[builder] = found[len(found) // 2]
            show(builder, rows, whole)
        summarize(middle)
        if args.check:
            check(lang, arpa, args.check)


def summarize(middle):
    """Ratios to the peers of the same run; Kaldi's published figures scaled by what the plain recipe needs here."""
    print()
    whole = {builder: item[1] for builder, item in middle.items()}
    seconds = {builder: {row[0]: row[1] for row in item[0]} for builder, item in middle.items()}
    to_lg = {b: sum(s for name, s in steps.items() if name not in TOPOLOGY) for b, steps in seconds.items()}
    for builder in middle:
        peak = max(row[2] for row in middle[builder][0])
        print(f"{builder}: {whole[builder]:.1f} s whole, {to_lg[builder]:.1f} s to LG, {peak:.0f} MB")
    print(f"Kaldi's programs, measured elsewhere: {KALDI_SECONDS_TLG} s whole, {KALDI_SECONDS_LG} s to LG, {KALDI_MB} MB; "
          f"pynini used plainly there: {PLAIN_SECONDS} s, {PLAIN_MB} MB")  # fmt: skip
    if "pynini used plainly" in whole:
        slower = whole["pynini used plainly"] / PLAIN_SECONDS
        print(f"this machine and graph: {slower:.2f} times that (by the plain recipe), so Kaldi here: "
              f"{KALDI_SECONDS_TLG * slower:.1f} s whole, {KALDI_SECONDS_LG * slower:.1f} s to LG")  # fmt: skip
    for peer in ("pynini used plainly", "Kaldi's code"):
        for builder in ("pynini", "direct"):
            if peer in whole and builder in whole:
                print(f"to LG, {builder}: {to_lg[peer] / to_lg[builder]:.1f} times as fast as {peer}")


if __name__ == "__main__":
    main()
