"""An experiment's directory with everything that a report shows, made from reference data or from nothing."""

import gzip
import math
import random

import numpy as np
from sidamo.io.fst import make_csr, write_fst
from sidamo.io.tables import Writer
from sidamo.io.wave import Wave
from sidamo.score.sweep import score_directory, settings

RATE = 8000


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def tone(seconds, rng):
    """Two gliding tones with noise: something to see and hear."""
    t = np.arange(int(seconds * RATE)) / RATE
    start, end = rng.uniform(200, 800), rng.uniform(400, 2000)
    glide = np.sin(2 * math.pi * (start + (end - start) * t / (2 * seconds)) * t)
    noise = np.random.default_rng(1).normal(0, 200, len(t))
    return Wave(RATE, (6000 * glide * np.hanning(len(t)) + noise)[None].astype(np.float32))


def scored(folder, num_utts, rng, words=None):
    """A scored decode directory without sound: `num_utts` sentences of invented words, some of them wrong."""
    words = words or [f"{a}{b}" for a in ("ka", "mbo", "li", "nzé", "tu") for b in ("na", "ra", "ω", "si", "<t>", "&o")]
    refs, utt2spk = {}, {}
    for i in range(num_utts):
        utt = f"spk{i % 23:02d}-{i:05d}"
        utt2spk[utt] = f"spk{i % 23:02d}"
        refs[utt] = [rng.choice(words) for _ in range(rng.randint(1, 14))]
    sweep = settings(7, 9, "0.0,0.5")
    for setting in sweep:
        wrong = 0.05 + 0.05 * abs(int(setting.lmwt) - 8)
        lines = []
        for utt, said in refs.items():
            hyp = [rng.choice([w, w + "x", ""]) if rng.random() < wrong else w for w in said]
            lines.append(" ".join([utt, *filter(None, hyp)]))
        write(folder / f"scoring_kaldi/penalty_{setting.wip}/{setting.lmwt}.txt", "\n".join(lines) + "\n")
    write(folder / "scoring_kaldi/test_filt.txt", "".join(f"{u} {' '.join(w)}\n" for u, w in refs.items()))
    score_directory(str(folder), utt2spk, sweep)
    return refs, utt2spk


def curve(epochs=8):
    rows = ["epoch\tstep\ttrain_loss\tdev_loss\tdev_ter\tdev_wer\tlr\tseconds"]
    for e in range(1, epochs + 1):
        row = (e, 100 * e, 3 * 0.8**e, 3.2 * 0.82**e, 80 * 0.8**e, 90 * 0.8**e, 1e-3 / e, 2.5)
        rows.append("\t".join(f"{x:.6g}" for x in row))
    return "\n".join(rows) + "\n"


def lang(folder):
    """A lexicon with one word of one phone (names that HTML must escape), and a grammar that repeats it."""
    write(folder / "phones.txt", "<eps> 0\na 1\n")
    write(folder / "words.txt", "<eps> 0\n<b> 1\n& 2\n")
    lexicon = make_csr(2, [0, 1], [1, 0], [1, 2], [0, 0], [1, 0], {0: 0.0})
    grammar = make_csr(1, [0], [1], [1], [math.log(2)], [0], {0: 0.0})
    write_fst(folder / "L.fst", lexicon)
    write_fst(folder / "G.fst", grammar)


def experiment(root, golden=None, num_utts=40, seed=1):
    """exp/model with two decode directories below `root`; with `golden` the first one has lattices and sound."""
    rng = random.Random(seed)
    exp = root / "exp/model"
    write(exp / "log/curve.tsv", curve())
    stages = ["stage\tname\tseconds\tstarted\tcommand", "0\tdata\t3\t2026-01-01 10:00:00\t./run.sh"]
    write(root / "exp/stage_times.tsv", "\n".join(stages) + "\n")
    write(exp / "log/train.log", "# train-ctc --seed=1\n# Started at Thu Jan  1 10:00:00 UTC 2026\n#\nepoch 1\n"
          "# Ended (code 0) at Thu Jan  1 10:01:00 UTC 2026, elapsed time 60 seconds\n")  # fmt: skip
    refs, utt2spk = scored(exp / "decode_test", num_utts, rng)
    data = root / "data/test"
    write(data / "utt2spk", "".join(f"{u} {s}\n" for u, s in utt2spk.items()))
    write(data / "text", "".join(f"{u} {' '.join(w)}\n" for u, w in refs.items()))
    write(exp / "decode_test/scoring_kaldi/inputs", f"data {data}\ngraph {root / 'graph'}\n")
    chosen = list(refs)[:12]
    with Writer(f"ark,scp:{data}/wav.ark,{data}/wav.scp", "wave") as writer:
        for utt in refs if num_utts <= 200 else chosen:
            writer.write(utt, tone(0.3 + 0.2 * len(refs[utt]), rng))
    write(exp / "tokens.txt", "<eps> 0\n<blk> 1\nka 2\nmbo 3\n#0 4\n")
    posteriors = np.random.default_rng(2).dirichlet([5, 0.2, 0.2], 60).astype(np.float32)
    with Writer(f"ark:{exp}/log/posteriors.ark", "matrix") as writer:
        for epoch in (1, 5, 10):
            writer.write(f"{chosen[0]}-epoch{epoch}", posteriors)
    if golden is not None:
        golden_decode(root, exp, golden)
    return exp


def golden_decode(root, exp, golden):
    """A second decode directory, first by name, from Kaldi's own lattices and log-likelihoods."""
    text = (golden / "ctc/ref.txt").read_text(encoding="utf-8")
    rng = random.Random(3)
    decode, data, graph = exp / "decode_golden", root / "data/golden", root / "graph"
    write(data / "text", text)
    utts = [line.split()[0] for line in text.splitlines()]
    write(data / "utt2spk", "".join(f"{utt} s{i % 3}\n" for i, utt in enumerate(utts)))
    with Writer(f"ark,scp:{data}/wav.ark,{data}/wav.scp", "wave") as writer:
        for utt in utts:
            writer.write(utt, tone(1.0, rng))
    words = (golden / "ctc/words.txt").read_text(encoding="utf-8")
    write(graph / "words.txt", words)
    name = dict(reversed(line.split()) for line in words.splitlines())
    tokens = (golden / "ctc/tokens.txt").read_text(encoding="utf-8")
    write(graph / "tokens.txt", tokens)
    write(exp / "tokens.txt", tokens)
    lexicon = [line.split() for line in open(golden / "ctc/lexiconp_disambig.txt", encoding="utf-8")]
    spelled = ((row[0], [token for token in row[2:] if not token.startswith("#")]) for row in lexicon)
    write(graph / "phones/align_lexicon.txt", "".join(f"{w} {w} {' '.join(p)}\n" for w, p in spelled))
    decode.mkdir(parents=True)
    with gzip.open(decode / "lat.1.gz", "wb") as stream:
        stream.write((golden / "lat/lat.ark").read_bytes())
    scp = (golden / "ctc/loglikes.scp").read_text().replace("ctc/loglikes", f"{golden}/ctc/loglikes")
    write(exp / "loglikes_golden/loglikes.scp", scp)
    best = [line.split() for line in (golden / "lat/best_scaled.words").read_text().splitlines()]
    hyps = "".join(" ".join([utt, *(name[i] for i in ids)]) + "\n" for utt, *ids in best)
    write(decode / "scoring_kaldi/penalty_0.0/7.txt", hyps)
    write(decode / "scoring_kaldi/test_filt.txt", text)
    write(decode / "scoring_kaldi/inputs", f"data {data}\ngraph {graph}\n")
    utt2spk = dict(line.split() for line in (data / "utt2spk").read_text().splitlines())
    score_directory(str(decode), utt2spk, settings(7, 7, "0.0"))
