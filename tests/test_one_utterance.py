"""One utterance, from sound to word error rate, in memory: a paragraph a package. Read it from top to bottom.

A recipe does the same through files (egs/digits/run.sh), for thousands of utterances, with a network that has heard more
than three. utils/show_utt.sh prints what lies between the steps of a real recipe.
"""

import importlib.util
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

TEXTS = ["one two", "two seven", "seven one"]  # what is said
LEXICON = {"one": "W AH N", "seven": "S EH V AH N", "two": "T UW"}
OUTPUT_SHIFT = 0.03  # seconds: features every 10 ms, the network answers at every third


@pytest.fixture(scope="module")
def recordings():
    """Three utterances of one synthetic voice: (num_samples,) float32, 16 kHz, int16 scale."""
    spec = importlib.util.spec_from_file_location("make_digits", ROOT / "egs/digits/local/make_digits.py")
    make_digits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_digits)
    synthesizer = make_digits.Synthesizer()
    synthesizer.set_voice({"language": "gmw/en-US", "variant": "m1", "pitch": 50, "rate": 150, "gap": 1})
    random = np.random.default_rng(1)
    return [make_digits.record(synthesizer.say(text), random)[0].astype(np.float32) for text in TEXTS]


def test_one_utterance(recordings):
    # feats: every 10 ms the log energies of 40 mel bands; then mean 0 and variance 1 for each band.
    from sidamo.feats import cmvn
    from sidamo.feats.fbank import Fbank, FbankOptions
    from sidamo.feats.mel import MelOptions
    from sidamo.feats.window import FrameOptions

    fbank = Fbank(FbankOptions(), FrameOptions(dither=0.0), MelOptions(num_mel_bins=40))
    feats = [fbank.compute(wave) for wave in recordings]
    window, shift = 400, 160  # samples: 25 ms and 10 ms at 16 kHz
    assert [len(f) for f in feats] == [1 + (len(wave) - window) // shift for wave in recordings]
    stats = cmvn.zero_stats(40)
    for f in feats:
        cmvn.accumulate(stats, f)
    feats = [cmvn.normalize(f, stats, norm_vars=True) for f in feats]
    together = np.concatenate(feats)
    assert np.allclose(together.mean(0), 0, atol=1e-3) and np.allclose(together.std(0), 1, atol=1e-2)

    # lang: units and words get numbers; L spells words, G allows any of them after any other, T turns frames to units.
    from sidamo.lang.grammar import phrase_grammar
    from sidamo.lang.graph import build_lg, compose_topology, from_pynini, to_pynini
    from sidamo.lang.topology import token_fst

    units = sorted({unit for spelling in LEXICON.values() for unit in spelling.split()})
    tokens = {name: i for i, name in enumerate(["<eps>", "<blk>", *units])}
    words = {name: i for i, name in enumerate(["<eps>", *LEXICON])}
    pynini = pytest.importorskip("pynini")
    lexicon = pynini.Fst()
    loop = lexicon.add_state()  # words enter and leave here
    lexicon.set_start(loop)
    lexicon.set_final(loop)
    for word, spelling in LEXICON.items():
        here, label = loop, words[word]
        for unit in spelling.split()[:-1]:
            there = lexicon.add_state()
            lexicon.add_arc(here, pynini.Arc(tokens[unit], label, 0, there))
            here, label = there, 0
        lexicon.add_arc(here, pynini.Arc(tokens[spelling.split()[-1]], label, 0, loop))
    grammar = phrase_grammar([[words[w]] for w in LEXICON], [1 / 3] * 3, loop=True)
    lg = build_lg(from_pynini(lexicon.arcsort("olabel")), grammar)
    topology = token_fst("correct", [tokens[u] for u in units])
    tlg = compose_topology(topology, lg, tokens)
    assert to_pynini(tlg).num_states() > lg.num_states  # blank and repetition have come in

    # am: a small network learns by CTC which units are in each recording; nobody tells it where.
    import torch
    from sidamo.am.loss import ctc_losses
    from sidamo.am.model import AcousticModel

    torch.manual_seed(1)
    model = AcousticModel({
        "network": "tdnn", "input_dim": 40, "num_tokens": len(tokens) - 1, "subsampling": 3,
        "options": {"hidden_dim": 48, "kernels": "3,3,3", "dilations": "1,2,3", "dropout": 0.0},
    })  # fmt: skip
    lengths = torch.tensor([len(f) for f in feats])
    padded = torch.zeros(3, int(lengths.max()), 40)
    for row, f in zip(padded, feats):
        row[: len(f)] = torch.from_numpy(f)
    spelt = [[tokens[unit] - 1 for word in text.split() for unit in LEXICON[word].split()] for text in TEXTS]
    targets = torch.tensor(sum(spelt, []), dtype=torch.int32)  # columns of the network: label - 1, blank 0
    target_lengths = torch.tensor([len(s) for s in spelt])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(120):
        logits, out_lengths = model(padded, lengths)
        loss = ctc_losses(logits, out_lengths, targets, target_lengths, "torch").mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 1.0  # nats an utterance; it began at some fifty
    with torch.no_grad():
        logits, out_lengths = model.eval()(padded[:1], lengths[:1])
    loglikes = torch.log_softmax(logits[0, : int(out_lengths[0])], 1).numpy()  # T x V
    assert loglikes.shape == (-(-len(feats[0]) // 3), len(tokens) - 1)

    # decode: the cheapest way through TLG that explains all frames, and its rivals within a beam: a lattice.
    from sidamo.decode.graph import make_graph
    from sidamo.decode.options import LatticeOptions
    from sidamo.decode.search import Search

    search = Search(make_graph(tlg), LatticeOptions(beam=16.0, lattice_beam=8.0))
    search.advance(loglikes)
    raw = search.raw_lattice()
    names = {number: name for name, number in words.items()}
    assert [names[w] for w in search.best_path().words if w] == TEXTS[0].split()

    # lattice: each word sequence once, costs of graph and sound kept apart; its best path is the decoder's.
    from sidamo.lattice import ops
    from sidamo.lattice.determinize import determinize

    lattice, _ = determinize(raw, 8.0)
    path = ops.best_path(lattice)
    hypothesis = [names[w] for w in path.words]
    best = search.best_path()
    assert path.graph_cost == pytest.approx(best.graph_cost, abs=1e-3)
    assert path.acoustic_cost == pytest.approx(best.acoustic_cost, abs=1e-2)
    assert len(path.alignment) == len(loglikes)  # one label a frame
    # The labels of the frames, repetitions merged and blanks dropped, spell the words.
    merged = [k for k, before in zip(path.alignment, [None, *path.alignment]) if k != before]
    assert [k - 1 for k in merged if k != tokens["<blk>"]] == spelt[0]

    # score: align with what was said and count.
    from sidamo.score.align import edit_counts
    from sidamo.score.wer import total

    right = total([edit_counts(TEXTS[0].split(), hypothesis)])
    assert right.format().startswith("%WER 0.00 [ 0 / 2, 0 ins, 0 del, 0 sub ]")
    wrong = total([edit_counts(TEXTS[0].split(), ["one", "two", "seven"])])
    assert wrong.wer == pytest.approx(50.0)
