"""The CTC topologies, by brute force over all frame strings."""

import itertools

import numpy as np
import pytest
from sidamo.io.errors import DataError
from sidamo.lang import topology as top

NUM_UNITS, MAX_FRAMES = 3, 8


def all_outputs(name, num_units, max_frames):
    """{frame string: {output string: number of paths}} for all frame strings, by walking the arcs of T only.

    A frame string's table of (state, output) grows out of that of the string without its last frame.
    """
    fst = top.token_fst(name, range(2, 2 + num_units))
    leaving = [[] for _ in range(fst.num_states)]
    for src, i, o, dst in zip(fst.arc_sources(), fst.ilabel.tolist(), fst.olabel.tolist(), fst.nextstate.tolist()):
        leaving[src].append((i, o, dst))
    final = np.isfinite(fst.final)

    def close(table):
        """Follow arcs that read nothing; T has no cycle of them."""
        total, queue = {}, list(table.items())
        while queue:
            (state, out), count = queue.pop()
            total[state, out] = total.get((state, out), 0) + count
            for i, o, dst in leaving[state]:
                if i == 0:
                    queue.append(((dst, out + ((o,) if o else ())), count))
        return total

    def extend(frames, table):
        accepted = {}
        for (state, out), count in table.items():
            if final[state]:
                accepted[out] = accepted.get(out, 0) + count
        yield frames, accepted
        if len(frames) == max_frames:
            return
        for frame in range(1, 2 + num_units):
            step = {}
            for (state, out), count in table.items():
                for i, o, dst in leaving[state]:
                    if i == frame:
                        key = dst, out + ((o,) if o else ())
                        step[key] = step.get(key, 0) + count
            yield from extend((*frames, frame), close(step))

    yield from extend((), close({(0, ()): 1}))


@pytest.mark.parametrize("name", ["correct", "compact"])
def test_exactly_one_token_string(name):
    """Every frame string, the empty and the all-blank ones too, has one path: collapse, then remove blanks."""
    count = 0
    for frames, outputs in all_outputs(name, NUM_UNITS, MAX_FRAMES):
        merged = [label for label, _ in itertools.groupby(frames)]
        assert outputs == {tuple(label for label in merged if label != 1): 1}, frames
        count += 1
    assert count == sum(4**n for n in range(MAX_FRAMES + 1))


def test_minimal_drops_blanks_and_merges_nothing():
    for frames, outputs in all_outputs("minimal", NUM_UNITS, 6):
        assert outputs == {tuple(label for label in frames if label != 1): 1}, frames


def runs(frames):
    """[(unit, length of its run)], blanks left out."""
    return [(label, len(list(group))) for label, group in itertools.groupby(frames) if label != 1]


def test_modified_reads_a_run_as_one_or_more():
    """k2's modified CTC: a run of n equal frames is 1 to n units, in C(n - 1, k - 1) ways; no blank is asked for."""
    for frames, outputs in all_outputs("modified", NUM_UNITS, 6):
        wanted = {}
        for lengths in itertools.product(*(range(1, n + 1) for _, n in runs(frames))):
            out, ways = (), 1
            for (unit, n), k in zip(runs(frames), lengths):
                out += (unit,) * k
                ways *= len(list(itertools.combinations(range(n - 1), k - 1)))
            wanted[out] = wanted.get(out, 0) + ways
        assert outputs == wanted, frames


def test_eesen_is_what_its_paper_says_and_no_more():
    """At least one unit; equal neighbours are one unit or several (the fault that `correct` does not have)."""
    ambiguous = total = 0
    for frames, outputs in all_outputs("eesen", 2, 4):
        total += 1
        wanted = set()
        for lengths in itertools.product(*(range(1, n + 1) for _, n in runs(frames))):
            wanted.add(tuple(u for (unit, _), k in zip(runs(frames), lengths) for u in (unit,) * k))
        assert set(outputs) == {out for out in wanted if out or not frames}, frames  # no frames: state 0 is final
        ambiguous += len(outputs) > 1
    assert (ambiguous, total) == (52, 121)  # counted by hand in the reference


@pytest.mark.parametrize("num_units", [1, 2, 4, 5, 7, 8, 13])
def test_compact_for_any_number_of_units(num_units):
    for frames, outputs in all_outputs("compact", num_units, 3):
        merged = [label for label, _ in itertools.groupby(frames)]
        assert outputs == {tuple(label for label in merged if label != 1): 1}, frames


def test_sizes():
    """correct: V (V + 2) + 1 arcs; compact: fewer than 10 V."""
    for num_units in (1, 3, 40, 300):
        assert len(top.correct(num_units)[0]) == num_units * (num_units + 2) + 1
        assert len(top.compact(num_units)[0]) < 10 * num_units + 1
    assert len(top.compact(2000)[0]) < 20_000


def test_teaching_functions_agree():
    for frames in itertools.product((1, 2, 3), repeat=4):
        assert top.accepted_outputs("correct", frames, 2) == {top.collapse(frames): 1}


def test_disambiguation_symbols_read_nothing():
    fst = top.token_fst("correct", [5, 6], disambig=[9])
    loops = (fst.olabel == 9) & (fst.ilabel == 0) & (fst.nextstate == fst.arc_sources())
    assert loops.sum() == 3


def test_bad_input():
    with pytest.raises(DataError, match="no CTC topology 'corect'; expected one of correct, compact"):
        top.token_fst("corect", [2])
    with pytest.raises(DataError, match="at least one unit"):
        top.token_fst("correct", [])
