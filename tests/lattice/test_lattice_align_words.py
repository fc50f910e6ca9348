"""Word alignment: hand-made frames, random CTC strings cut back into the words they were made of, nothing lost."""

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice
from sidamo.io.symbols import SymbolTable
from sidamo.lattice.align_words import AlignOptions, Lexicon, align_words
from sidamo.lattice.ctm import word_alignment
from sidamo.lattice.nbest import linear_path, nbest_paths

# Words 1 "ab" and "abc", 2 "b", 3 "cc", 4 "a"; token 5 is silence, which needs no word.
LEXICON = Lexicon({1: [(1, (2, 3)), (1, (2, 3, 4))], 2: [(2, (3,))], 3: [(3, (4, 4))], 4: [(4, (2,))], 0: [(0, (5,))]})


def linear(words, pieces, final=()):
    """Linear lattice: word i with the frames pieces[i]."""
    n = len(words)
    return CompactLattice.from_arcs(
        n + 1, 0, range(n), words, [1.5] * n, [-0.5] * n, range(1, n + 1), pieces, {n: (0.25, 0.0, final)}
    )


def segments(lat, **options):
    aligned, explained = align_words(lat, LEXICON, AlignOptions(**options), "utt")
    return [s for s in word_alignment(aligned) if s[2]], explained, aligned


def test_labels_that_determinization_moved_go_back_to_their_words():
    lat = linear([1, 2], [[1, 1, 2], [2, 1, 3, 3, 1, 3]], final=[3, 1])
    found, explained, aligned = segments(lat)
    assert explained
    assert found == [(0, 0, 2), (1, 2, 5), (0, 7, 1), (2, 8, 2), (0, 10, 1)]
    path = linear_path(aligned)
    assert (path.graph_cost, path.acoustic_cost) == (pytest.approx(3.25), pytest.approx(-1.0))


def test_longer_pronunciation_is_taken_where_the_frames_say_so():
    assert segments(linear([1, 4], [[2, 3, 4], [2]]))[0] == [(1, 0, 3), (4, 3, 1)]
    assert segments(linear([1, 3], [[2, 3], [4, 1, 4]]))[0] == [(1, 0, 2), (3, 2, 3)]


def test_words_before_or_after_their_frames():
    want = [(1, 0, 2), (2, 3, 1)]
    early = linear([1, 2, 0], [[], [], [2, 3, 1, 3]])
    late = linear([0, 1, 2], [[2, 3, 1, 3], [], []])
    for lat in (early, late):
        assert [s for s in segments(lat)[0] if s[0]] == want


def test_silence_needs_no_word():
    found = segments(linear([4, 2], [[5, 5, 2], [5, 1, 3]]))[0]
    assert found == [(0, 0, 2), (4, 2, 1), (0, 3, 1), (0, 4, 1), (2, 5, 1)]


def test_equal_tokens_without_a_blank_are_taken_where_nothing_else_explains_them():
    assert segments(linear([2, 2], [[3, 3, 3, 3], []]))[0] == [(2, 0, 2), (2, 2, 2)]
    assert segments(linear([3], [[4, 4]]))[0] == [(3, 0, 2)]


def test_utterance_cut_off_inside_a_word():
    found, explained, _ = segments(linear([4, 3], [[2, 1], [4]]))
    assert not explained
    assert found == [(4, 0, 1), (0, 1, 1), (3, 2, 1)]


def test_wrong_lexicon_is_an_error_that_names_the_key():
    lat = linear([9, 4], [[7], [2]])
    with pytest.raises(DataError, match="utt.*lexicon's words"):
        align_words(lat, LEXICON, key="utt")


def test_padding_gives_words_the_blanks_beside_them():
    lat = linear([4, 2], [[1, 1, 2, 1, 1, 1, 1], [3, 1]])
    assert segments(lat, max_pad=1)[0] == [(0, 0, 1), (4, 1, 3), (0, 4, 2), (2, 6, 3)]
    assert segments(lat, max_pad=9)[0] == [(4, 0, 5), (2, 5, 4)]


def random_frames(rng, words):
    """Frames of a CTC string of the words, and each word's first frame and length."""
    frames, spans, last = [], [], 0
    for word in words:
        tokens = LEXICON.pronunciations[word][rng.integers(len(LEXICON.pronunciations[word]))][1]
        for k, token in enumerate(tokens):
            gap = rng.integers(0, 3)
            frames += [1] * max(gap, int(token == last))
            if k == 0:
                begin = len(frames)
            frames += [token] * rng.integers(1, 3)
            last = token
        spans.append((word, begin, len(frames) - begin))
    return frames + [1] * rng.integers(0, 3), spans


def test_random_strings_come_back():
    rng = np.random.default_rng(51)
    for _ in range(200):
        words = rng.integers(1, 5, rng.integers(1, 6)).tolist()
        frames, spans = random_frames(rng, words)
        cuts = np.sort(rng.integers(0, len(frames) + 1, len(words)))
        pieces = np.split(np.array(frames), cuts)
        lat = linear(words, pieces[:-1], final=pieces[-1])
        aligned, explained = align_words(lat, LEXICON)
        assert explained
        ways = []
        for path in nbest_paths(aligned, 10):
            assert path.words == words
            assert path.alignment == frames
            ways.append([s for s in word_alignment(path.to_compact()) if s[0]])
        assert spans in ways  # "ab" "cc" and "abc" "c..." can be ambiguous


def test_golden_lattices_lose_no_path(golden, golden_copy, run):
    rows = []
    for line in (golden / "ctc/lexiconp_disambig.txt").read_text().splitlines():
        word, _, *tokens = line.split()
        rows.append(" ".join([word, word, *(t for t in tokens if not t.startswith("#"))]))
    (golden_copy / "lexicon.txt").write_text("\n".join(rows) + "\n")
    tables = "--words=ctc/words.txt --tokens=ctc/tokens.txt"
    done = run(f"lattice-align-words {tables} lexicon.txt ark:lat/lat.ark ark:tmp/aligned.ark", cwd=golden_copy)
    assert done.returncode == 0, done.stderr
    from sidamo.io.tables import SequentialReader

    before = dict(SequentialReader(f"ark:{golden}/lat/lat.ark", "compact_lattice"))
    after = dict(SequentialReader(f"ark:{golden_copy}/tmp/aligned.ark", "compact_lattice"))
    assert list(before) == list(after)
    for key in before:
        want = {(tuple(p.words), tuple(p.alignment)) for p in nbest_paths(before[key], 30)}
        found = {(tuple(p.words), tuple(p.alignment)) for p in nbest_paths(after[key], 60)}
        assert want <= found, key


@pytest.mark.parametrize("text", ["a a", "a a z", "b a x", ""])
def test_bad_lexicon_names_the_line(text, tmp_path):
    (tmp_path / "lexicon").write_text("a a x\n" * bool(text) + text + "\n")
    words, tokens = SymbolTable([("a", 1)]), SymbolTable([("x", 2)])
    with pytest.raises(DataError, match="lexicon(:2|: the lexicon is empty)"):
        Lexicon.read(tmp_path / "lexicon", words=words, tokens=tokens)


def test_lexicon_of_phone_ids(tmp_path):
    (tmp_path / "lexicon.int").write_text("7 7 3\n")
    tokens, phones = SymbolTable([("x", 2)]), SymbolTable([("x", 3)])
    lexicon = Lexicon.read(tmp_path / "lexicon.int", tokens=tokens, phones=phones)
    assert lexicon.pronunciations == {7: [(7, (2,))]}
