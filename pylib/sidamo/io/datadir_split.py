"""Splitting data directories and lists into parts for parallel jobs, and choosing subsets, by Kaldi's rules.

Source: Kaldi, egs/wsj/s5/utils/{split_scp.pl,subset_scp.pl,split_data.sh,subset_data_dir.sh}. Which line goes into
which part is the same as there; only random choices are not (Perl's generator).
"""

import os
import random

from sidamo.io import datadir
from sidamo.io.datadir import show
from sidamo.io.errors import DataError, UsageError


def split_evenly(lines, num_parts):
    """Split into runs whose lengths differ by one at most, the longer ones first.

    Raises DataError where there are fewer lines than parts.
    """
    size, longer = divmod(len(lines), num_parts)
    if size == 0:
        raise DataError(f"{len(lines)} lines cannot be split into {num_parts} parts", mend="a lower --nj")
    parts, begin = [], 0
    for part in range(num_parts):
        end = begin + size + (part < longer)
        parts.append(lines[begin:end])
        begin = end
    return parts


def split_by_speaker(lines, speaker_of, num_parts):
    """Split so that no speaker is in two parts, the sizes as even as moves of neighbouring speakers make them.

    Speakers are dealt out in their order, about equally many to a part. Then the last speaker of a part goes to the
    next part, or the first one to the part before, as long as this brings the sizes of the two closer together.

    Parameters
    ----------
    lines : list of bytes
        The first field is an utterance.
    speaker_of : dict
        Utterance to speaker.
    num_parts : int

    Returns
    -------
    list of list of bytes
    """
    by_speaker = {}
    for line in lines:
        utt = datadir.key_of(line)
        if utt not in speaker_of:
            raise DataError(f"utterance '{show(utt)}' is not in utt2spk", mend="utils/fix_data_dir.sh <data-dir>")
        by_speaker.setdefault(speaker_of[utt], []).append(line)
    if len(by_speaker) < num_parts:
        raise DataError(
            f"{len(by_speaker)} speakers cannot be split into {num_parts} parts, since no speaker may be in two",
            mend=f"--nj {max(1, len(by_speaker))}, or split_data.sh --per-utt",
        )
    parts = [[] for _ in range(num_parts)]
    for index, spk in enumerate(by_speaker):
        parts[index * num_parts // len(by_speaker)].append(spk)
    balance(parts, {spk: len(utts) for spk, utts in by_speaker.items()})
    if not all(parts):
        raise DataError(
            f"a part would be empty: a speaker has too large a share for {num_parts} parts",
            mend="a lower --nj, or split_data.sh --per-utt",
        )
    return [[line for spk in part for line in by_speaker[spk]] for part in parts]


def balance(parts, size_of):
    """Move speakers between neighbouring parts while that makes the sizes more even. In place."""
    sizes = [sum(size_of[spk] for spk in part) for part in parts]

    def move(source, target, at):
        spk = parts[source][at]
        size = size_of[spk]
        if abs(sizes[target] + size - (sizes[source] - size)) >= abs(sizes[target] - sizes[source]):
            return False
        sizes[source] -= size
        sizes[target] += size
        parts[source].pop(at)
        parts[target].insert(0 if at == -1 else len(parts[target]), spk)
        return True

    changed = True
    while changed:
        changed = False
        for part in range(len(parts)):
            if part + 1 < len(parts) and parts[part]:
                changed |= move(part, part + 1, -1)
            if part > 0 and parts[part]:
                changed |= move(part, part - 1, 0)


def split_by_duration(lines, speaker_of, duration_of, num_parts):
    """Split by speaker so that the parts last about equally long; speakers in sorted order, no part empty.

    Parameters
    ----------
    lines : list of bytes
    speaker_of, duration_of : dict
        Utterance to speaker, and to seconds.
    num_parts : int
    """
    by_speaker, seconds = {}, {}
    for line in lines:
        utt = datadir.key_of(line)
        if utt not in speaker_of or utt not in duration_of:
            raise DataError(f"utterance '{show(utt)}' is not in utt2spk or not in utt2dur")
        spk = speaker_of[utt]
        by_speaker.setdefault(spk, []).append(line)
        seconds[spk] = seconds.get(spk, 0.0) + duration_of[utt]
    num_spks = len(by_speaker)
    if num_spks < num_parts:
        raise DataError(f"{num_spks} speakers cannot be split into {num_parts} parts", mend="a lower --nj")
    total, done, part = sum(seconds.values()) or 1.0, 0.0, -1
    parts = [[] for _ in range(num_parts)]
    for index, spk in enumerate(sorted(by_speaker)):
        middle = done + seconds[spk] / 2  # which part's share of the time the speaker falls into
        lowest = max(part, 0, num_parts - (num_spks - index))  # enough speakers must be left for the other parts
        part = min(max(int(middle / total * num_parts), lowest), part + 1, num_parts - 1)
        parts[part] += by_speaker[spk]
        done += seconds[spk]
    return parts


def choose_evenly(items, number):
    """Choose items spread over the list: each half gives half of them, the second half the odd one.

    Parameters
    ----------
    items : list
    number : int
        At most ``len(items)``.
    """
    if len(items) <= 1:
        return items[:number]
    half, first = len(items) // 2, number // 2
    return choose_evenly(items[:half], first) + choose_evenly(items[half:], number - first)


def split_name(num_parts, per_utt=False, per_reco=False):
    """Name of the folder with the parts: splitN, or splitNutt, splitNreco."""
    return f"split{num_parts}" + ("utt" if per_utt else "reco" if per_reco else "")


def input_states(path):
    """What the parts depend on, as lines ``name size time``: if they are the same, nothing is to be split again."""
    names = (*datadir.BY_UTT, *datadir.BY_SPK, *datadir.BY_RECO)
    for name in sorted(names):
        if os.path.isfile(f"{path}/{name}"):
            state = os.stat(f"{path}/{name}")
            yield f"{name} {state.st_size} {state.st_mtime_ns}".encode()


def split_data(path, num_parts, per_utt=False, per_reco=False, say=print):
    """Split a data directory into ``splitN/1 .. splitN/N``.

    Nothing is done where the parts were made of just these files. The folder's ``.done`` holds what they were made of
    and is written last, so that a split that was cut off is made again.

    Parameters
    ----------
    path : str
    num_parts : int
    per_utt : bool
        Without regard to speakers, into ``splitNutt``.
    per_reco : bool
        No recording in two parts, into ``splitNreco``.

    Returns
    -------
    bool
        Whether anything was done.
    """
    datadir.require_dir(path)
    if num_parts < 1:
        raise UsageError(f"the number of parts has to be 1 at least, got {num_parts}")
    folder = f"{path}/{split_name(num_parts, per_utt, per_reco)}"
    states = list(input_states(path))
    targets = [f"{folder}/{part}" for part in range(1, num_parts + 1)]
    done = f"{folder}/.done"
    if os.path.isfile(done) and datadir.read_lines(done) == states and all(map(os.path.isdir, targets)):
        return False
    utt2spk = datadir.read_pairs(f"{path}/utt2spk", 1)
    for name in ("feats.scp", "text"):
        if os.path.isfile(f"{path}/{name}") and len(datadir.read_lines(f"{path}/{name}")) != len(utt2spk):
            say(f"warning: {path}/{name} and utt2spk differ in length; utils/fix_data_dir.sh {path} mends it")
    groups = speaker_groups(path, utt2spk, per_reco)
    lines = [utt for utt, _ in utt2spk]
    try:
        parts = split_evenly(lines, num_parts) if per_utt else split_by_speaker(lines, groups, num_parts)
    except DataError as error:
        raise error.locate(file=path) from None
    if os.path.isfile(done):
        os.unlink(done)
    datadir.write_subsets(path, list(zip(targets, parts)))
    datadir.write_lines(done, states)
    return True


def speaker_groups(path, utt2spk, per_reco):
    """Utterance to what must stay together: the speaker, or the recording."""
    if not per_reco:
        return dict(utt2spk)
    if not datadir.has_segments(path):
        return {utt: utt for utt, _ in utt2spk}
    return {utt: rest.split()[0] for utt, rest in datadir.read_pairs(f"{path}/segments")}


def lengths(path):
    """Utterance to length (frames or seconds, whatever is known) from utt2num_frames, utt2dur or segments.

    Raises DataError where none of them is there.
    """
    for name in ("utt2num_frames", "utt2dur"):
        if os.path.isfile(f"{path}/{name}"):
            return {utt: float(value) for utt, value in datadir.read_pairs(f"{path}/{name}", 1)}
    if datadir.has_segments(path):
        pairs = datadir.read_pairs(f"{path}/segments")
        return {utt: float(rest.split()[2]) - float(rest.split()[1]) for utt, rest in pairs}
    raise DataError(
        "the lengths of the utterances are not known: there is neither utt2num_frames nor utt2dur nor segments",
        file=path,
        mend=f"utils/data/get_utt2dur.sh {path}",
    )


def choose_utts(path, number, how="even", seed=0):
    """Choose utterances of a data directory.

    Parameters
    ----------
    path : str
    number : int
        How many utterances (``per_spk``: of each speaker; ``speakers``: at least so many).
    how : {"even", "first", "last", "shortest", "per_spk", "speakers"}
    seed : int
        For ``speakers``, which takes whole speakers at random.

    Returns
    -------
    list of bytes
    """
    utt2spk = datadir.read_pairs(f"{path}/utt2spk", 1)
    utts = [utt for utt, _ in utt2spk]
    spk2utt = {spk: rest.split() for spk, rest in datadir.speakers(utt2spk)}
    if number < 1:
        raise UsageError(f"the number of utterances has to be 1 at least, got {number}")
    if how == "speakers":
        spks = sorted(spk2utt)
        random.Random(seed).shuffle(spks)
        chosen = []
        for spk in spks:
            if len(chosen) < number:
                chosen.extend(spk2utt[spk])
        return chosen
    if how == "per_spk":
        return [utt for some in spk2utt.values() for utt in spread(some, number)]
    if number > len(utts):
        raise DataError(f"{number} utterances wanted, but there are {len(utts)}", file=f"{path}/utt2spk")
    if how == "shortest":
        known = lengths(path)
        missing = [utt for utt in utts if utt not in known]
        if missing:
            raise DataError(
                f"the length of '{show(missing[0])}' is not known", file=path, mend=f"utils/fix_data_dir.sh {path}"
            )
        return sorted(utts, key=lambda utt: (known[utt], utt))[:number]
    if how == "even":
        return choose_evenly(utts, number)
    return utts[:number] if how == "first" else utts[-number:]


def spread(utts, number):
    """At most so many of a speaker's utterances: every k-th, k as large as there are enough for."""
    step = max(1, len(utts) // number)
    return utts[: number * step : step]
