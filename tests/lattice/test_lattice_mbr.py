"""MBR decoding against brute-force expected risk; sausages, times and confidences against closed forms."""

import numpy as np
import pytest
from lattice_oracles import all_paths, edit_distance, random_compact
from sidamo.io.errors import DataError
from sidamo.io.lattice import CompactLattice
from sidamo.lattice import ops
from sidamo.lattice.mbr import MbrOptions, decode

MAP = MbrOptions(decode_mbr=False)


def posteriors(lat):
    paths = all_paths(lat)
    p = np.exp([-(q[2] + q[3]) for q in paths])
    return [q[0] for q in paths], p / p.sum()


def risk(words, hypotheses, p):
    return sum(w * edit_distance(h, words) for h, w in zip(hypotheses, p))


def linear_choice(probabilities):
    """Two states, one arc a word; word i+1 has the given probability, 10 frames."""
    n = len(probabilities)
    return CompactLattice.from_arcs(
        2, 0, [0] * n, range(1, n + 1), -np.log(probabilities), np.zeros(n), [1] * n, [[1] * 10] * n, {1: (0, 0, [])}
    )


def test_one_word_choice_has_its_posteriors_as_confidences():
    result = decode(linear_choice([0.2, 0.5, 0.3]))
    assert result.words == [2]
    assert result.confidences == pytest.approx([0.5], abs=1e-6)
    assert result.bayes_risk == pytest.approx(0.5, abs=1e-6)
    assert result.times[0] == pytest.approx((0.0, 10.0), abs=1e-5)
    bins = result.sausage
    assert [bins[0], bins[2]] == [[(0, pytest.approx(1.0))]] * 2
    assert [w for w, _ in bins[1]] == [2, 3, 1]
    assert sum(p for _, p in bins[1]) == pytest.approx(1.0, abs=1e-6)


def test_risk_is_the_expected_edit_distance_up_to_the_recursions_bound():
    rng = np.random.default_rng(31)
    exact = 0
    for _ in range(80):
        lat = ops.connect(random_compact(rng, num_states=5, num_arcs=6))
        hypotheses, p = posteriors(lat)
        result = decode(lat, MAP)
        expected = risk(result.words, hypotheses, p)
        # The recursion aligns arcs rather than paths, so that it gives an upper bound (Xu et al., section 4).
        assert result.bayes_risk >= expected - 1e-3
        exact += result.bayes_risk < expected + 1e-3
        assert result.words == ops.best_path(lat).words
    assert exact > 40


def test_mbr_is_never_riskier_than_the_best_path_and_near_the_optimum():
    rng = np.random.default_rng(32)
    better, excess = 0, []
    for _ in range(60):
        lat = ops.connect(random_compact(rng, num_states=5, num_arcs=6, num_words=3))
        hypotheses, p = posteriors(lat)
        mbr, best = decode(lat), decode(lat, MAP)
        assert mbr.bayes_risk <= best.bayes_risk + 1e-3
        found = risk(mbr.words, hypotheses, p)
        better += found < risk(best.words, hypotheses, p) - 1e-6
        excess.append(found - min(risk(h, hypotheses, p) for h in set(hypotheses)))
    assert better > 0
    assert np.mean(excess) < 0.05


def test_sausage_bins_sum_to_one_and_times_are_in_order():
    rng = np.random.default_rng(33)
    for _ in range(40):
        lat = ops.connect(random_compact(rng))
        result = decode(lat)
        assert len(result.sausage) == len(result.sausage_times)
        for bin_ in result.sausage:
            assert sum(p for _, p in bin_) == pytest.approx(1.0, abs=1e-4)
            assert [p for _, p in bin_] == sorted((p for _, p in bin_), reverse=True)
        ends = [t for pair in result.times for t in pair]
        assert ends == pytest.approx(sorted(ends), abs=1e-4)


def test_given_words_are_kept_without_mbr():
    result = decode(linear_choice([0.2, 0.5, 0.3]), MAP, words=[3])
    assert (result.words, result.confidences) == ([3], [pytest.approx(0.3, abs=1e-6)])


def test_print_silence_keeps_the_empty_bins():
    result = decode(linear_choice([0.6, 0.4]), MbrOptions(print_silence=True))
    assert result.words == [0, 1, 0]


def test_no_path_is_an_error_that_names_the_key():
    dead = CompactLattice.from_arcs(2, 0, [0], [1], [1.0], [1.0], [1], [[1]], {})
    with pytest.raises(DataError, match="utt4.*no path"):
        decode(dead, key="utt4")
