"""Splitting and choosing: what holds for every input (the scripts' own results are in tests/shell)."""

import random

import pytest
from sidamo.io import datadir_split
from sidamo.io.durations import riff_duration
from sidamo.io.errors import DataError


@pytest.mark.parametrize("seed", range(30))
def test_split_by_speaker_is_even_as_far_as_neighbours_allow(seed):
    """Order and speakers are kept, and no single move between neighbouring parts makes their sizes more equal."""
    generator = random.Random(seed)
    counts = [generator.randrange(1, 12) for _ in range(generator.randrange(3, 40))]
    lines, speaker_of = [], {}
    for spk, count in enumerate(counts):
        for utt in range(count):
            key = b"s%03d-%03d" % (spk, utt)
            speaker_of[key] = spk
            lines.append(key + b" value")
    num_parts = generator.randrange(1, len(counts) + 1)
    try:
        parts = datadir_split.split_by_speaker(lines, speaker_of, num_parts)
    except DataError as error:
        assert "a part would be empty" in str(error)
        return
    assert [line for part in parts for line in part] == lines
    groups = [[speaker_of[line.split()[0]] for line in part] for part in parts]
    assert all(not set(a) & set(b) for a, b in zip(groups, groups[1:]))
    for left, right in zip(groups, groups[1:]):
        for moved in (left.count(left[-1]), -right.count(right[0])):
            assert abs(len(right) + moved - (len(left) - moved)) >= abs(len(right) - len(left))


@pytest.mark.parametrize("seed", range(20))
def test_split_by_duration_leaves_no_part_empty(seed):
    generator = random.Random(seed)
    num_spks = generator.randrange(2, 30)
    seconds = {b"s%02d-%d" % (spk, utt): generator.expovariate(0.2) for spk in range(num_spks) for utt in range(3)}
    speaker_of = {utt: utt[:3] for utt in seconds}
    num_parts = generator.randrange(1, num_spks + 1)
    parts = datadir_split.split_by_duration(sorted(seconds), speaker_of, seconds, num_parts)
    assert [utt for part in parts for utt in part] == sorted(seconds)
    assert all(parts)
    # No part is longer than its share by more than the longest speaker, unless it could not be otherwise.
    longest = max(sum(seconds[b"s%02d-%d" % (spk, utt)] for utt in range(3)) for spk in range(num_spks))
    if num_parts * 4 < num_spks:
        assert max(sum(seconds[utt] for utt in part) for part in parts) <= sum(seconds.values()) / num_parts + longest


def test_choose_evenly_takes_the_number_and_keeps_the_order():
    for length in range(1, 40):
        for number in range(length + 1):
            chosen = datadir_split.choose_evenly(list(range(length)), number)
            assert len(chosen) == number and chosen == sorted(set(chosen))


@pytest.mark.parametrize("damage", ["none", "cut", "stream", "no riff", "no data", "missing"])
def test_riff_durations_are_trusted_only_where_the_file_agrees(tmp_path, damage):
    import struct

    data = b"\0" * 4000
    header = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 2, 1000, 4000, 4, 16) + b"LIST" + struct.pack("<I", 3) + b"abc\0"
    length = 0xFFFFFFFF if damage == "stream" else len(data)
    content = b"RIFF" + struct.pack("<I", 0) + b"WAVE" + header + b"data" + struct.pack("<I", length) + data
    if damage == "cut":
        content = content[:-1]
    elif damage == "no riff":
        content = b"fLaC" + content
    elif damage == "no data":
        content = content[:44]
    path = tmp_path / "a.wav"
    if damage != "missing":
        path.write_bytes(content)
    assert riff_duration(bytes(path)) == (1.0 if damage == "none" else None)
