"""Data directories made from others: copied with new names, put together, perturbed in speed and volume, regrouped.

Source: Kaldi, egs/wsj/s5/utils/{copy_data_dir,combine_data}.sh, data/{perturb_data_dir_speed,perturb_data_dir_volume,
modify_speaker_info,remove_dup_utts}.sh and data/internal/modify_speaker_info.py.
"""

import os
import re
import shutil

from sidamo.io import datadir
from sidamo.io.datadir import show
from sidamo.io.errors import DataError, UsageError


def require_different(source, target):
    """Raise UsageError where two directories are the same."""
    if os.path.realpath(source) == os.path.realpath(target):
        raise UsageError(f"the two directories have to be different, both are {source}")


def affix(prefix="", suffix=""):
    """A function that puts a prefix and a suffix (str) around a key (bytes)."""
    before, after = prefix.encode(), suffix.encode()
    return lambda key: before + key + after


def copy_data_dir(source, target, utt_prefix="", utt_suffix="", spk_prefix="", spk_suffix=""):
    """Copy a data directory with affixes for utterances and speakers; recordings keep their names.

    ``utt2uniq`` (which utterances are variants of one) is made where utterances get a new name.
    """
    datadir.require_dir(source)
    require_different(source, target)
    rename = affix(utt_prefix, utt_suffix)
    datadir.write_renamed(source, target, rename, affix(spk_prefix, spk_suffix))
    if (utt_prefix or utt_suffix) and not os.path.isfile(f"{source}/utt2uniq"):
        utts = datadir.keys_of(f"{source}/utt2spk")
        datadir.write_pairs(f"{target}/utt2uniq", [(rename(utt), utt) for utt in utts])


# --- speed and volume ----------------------------------------------------------------------------------------------


def perturbed(rxfilename, option):
    """An rxfilename that reads another one through ``wav-perturb``.

    Parameters
    ----------
    rxfilename : bytes
        File, ``file:offset`` or ``command |``.
    option : str
        ``--speed=0.9`` or ``--volume=2``.

    Returns
    -------
    bytes
        A command that ends in ``|``, as Kaldi's wav.scp wants it.
    """
    command = f"wav-perturb {option}".encode()
    if rxfilename.endswith(b"|"):
        return rxfilename[:-1].rstrip() + b" | " + command + b" - - |"
    if re.search(rb"[\s'\"$`\\;&<>()*?#~]", rxfilename):
        rxfilename = b"'" + rxfilename.replace(b"'", b"'\\''") + b"'"
    return command + b" " + rxfilename + b" - |"


def number(value):
    """A number as awk prints it (six significant digits)."""
    return f"{value:.6g}".encode()


def check_factor(text, name="speed"):
    """A positive factor as a float; its text becomes part of names, so that it must be a plain number."""
    if not re.fullmatch(r"[0-9]*\.?[0-9]+", text) or float(text) <= 0:
        raise UsageError(f"the {name} factor has to be a number above 0, such as 0.9, got '{text}'")
    return float(text)


def check_perturb_speed(factor, source, target):
    """The factor as a float, after checks of all arguments."""
    value = check_factor(factor)
    datadir.require_dir(source)
    require_different(source, target)
    if not os.path.isfile(f"{source}/wav.scp"):
        raise DataError("no such file; the speed of features cannot be changed", file=f"{source}/wav.scp")
    return value


def perturb_speed(factor, source, target, include_spk_prefix=True):
    """Copy a data directory with the speed changed, for training on more voices and rates.

    Utterances and recordings (and speakers) get the prefix ``sp<factor>-``; times are divided by the factor.
    Features and what is computed from them (feats, cmvn, vad, numbers of frames) are not carried over.

    Parameters
    ----------
    factor : str
        Above 1 is faster. As text, since it becomes part of the names.
    source, target : str
    include_spk_prefix : bool
        False: the perturbed voice counts as the same speaker.
    """
    value = check_perturb_speed(factor, source, target)
    prefix = affix(f"sp{factor}-")
    spk = prefix if include_spk_prefix else bytes
    # As in Kaldi recordings have the speakers' prefix; where that is left out they still need a name of their own.
    datadir.write_renamed(source, target, prefix, spk, prefix)
    for name in ("feats.scp", "cmvn.scp", "vad.scp", "utt2num_frames", "frame_shift", "stm"):
        if os.path.isfile(f"{target}/{name}"):
            os.unlink(f"{target}/{name}")
    pairs = datadir.read_pairs(f"{target}/wav.scp")
    datadir.write_pairs(f"{target}/wav.scp", [(key, perturbed(rest, f"--speed={factor}")) for key, rest in pairs])
    for name in ("utt2dur", "reco2dur"):
        if os.path.isfile(f"{target}/{name}"):
            pairs = datadir.read_pairs(f"{target}/{name}", 1)
            datadir.write_pairs(f"{target}/{name}", [(key, number(float(rest) / value)) for key, rest in pairs])
    if datadir.has_segments(source):
        pairs = datadir.read_pairs(f"{target}/segments")
        datadir.write_pairs(f"{target}/segments", [(key, scaled_segment(rest, value)) for key, rest in pairs])
    if not os.path.isfile(f"{source}/utt2uniq"):
        utts = datadir.keys_of(f"{source}/utt2spk")
        datadir.write_pairs(f"{target}/utt2uniq", [(prefix(utt), utt) for utt in utts])


def scaled_segment(rest, factor):
    """``<recording> <start> <end> [<channel>]`` with the times divided by a factor; an end of -1 stays."""
    reco, start, end, *channel = rest.split()
    times = [b"-1" if float(time) == -1 else f"{float(time) / factor:.2f}".encode() for time in (start, end)]
    return b" ".join([reco, *times, *channel])


def perturb_volume(path, low=0.125, high=2.0, reco2vol="", write_reco2vol="", force=False, say=print):
    """Give every recording in wav.scp a random volume (in place; feats.scp goes to ``.backup``).

    Parameters
    ----------
    path : str
    low, high : float
        The factor is uniform between them; its sequence is that of Kaldi's script (Python's generator, seed 0).
    reco2vol : str
        File of given factors, ``<recording> <factor>``.
    write_reco2vol : str
        File to which the factors are written.
    force : bool
        Also where the volume was perturbed before.

    Returns
    -------
    bool
        Whether anything was changed.
    """
    import random

    wav_scp = f"{path}/wav.scp"
    if not os.path.isfile(wav_scp):
        raise DataError("no such file", file=wav_scp, mend="run the stage that makes the data directory")
    pairs = datadir.read_pairs(wav_scp)
    if any(b"wav-perturb --volume=" in rest or b"sox --vol" in rest for _, rest in pairs) and not force:
        say("It looks like the data was already volume perturbed. Not doing anything (--force true does it again).")
        return False
    if not 0 < low <= high:
        raise UsageError(f"expected 0 < --scale-low <= --scale-high, got {low} and {high}")
    given = {key: float(rest) for key, rest in datadir.read_map(reco2vol, 1).items()} if reco2vol else None
    generator = random.Random(0)
    volumes = []
    for reco, _ in pairs:
        volume = generator.uniform(low, high)
        if given is not None:
            if reco not in given:
                raise DataError(f"no volume for the recording '{show(reco)}'", file=reco2vol)
            volume = given[reco]
        volumes.append((reco, repr(volume).encode()))
    lines = [
        (reco, perturbed(rest, f"--volume={volume.decode()}")) for (reco, rest), (_, volume) in zip(pairs, volumes)
    ]
    for name in ("feats.scp", "cmvn.scp"):
        if os.path.isfile(f"{path}/{name}"):
            os.makedirs(f"{path}/.backup", exist_ok=True)
            os.replace(f"{path}/{name}", f"{path}/.backup/{name}")
            say(f"{path}/{name} exists; moving it to {path}/.backup/ as it wouldn't be valid any more.")
    datadir.write_pairs(wav_scp, lines)
    if write_reco2vol:
        datadir.write_pairs(write_reco2vol, volumes)
    return True


# --- putting together ----------------------------------------------------------------------------------------------


def combine_data(target, sources, extra_files=(), say=print):
    """Put data directories together. ``utt2uniq`` is completed; other files are taken if every directory has them.

    Parameters
    ----------
    target : str
        Made anew.
    sources : list of str
    extra_files : sequence of str
        Further names of files keyed by their first field.

    Raises
    ------
    DataError
        An utterance or a recording occurs in two directories with different content.
    """
    for source in sources:
        datadir.require_dir(source)
        require_different(source, target)
    if os.path.isdir(target):
        shutil.rmtree(target)
    os.makedirs(target)
    have_uniq = [source for source in sources if os.path.isfile(f"{source}/utt2uniq")]
    if have_uniq:
        pairs = []
        for source in sources:
            own = source in have_uniq
            pairs += (
                datadir.read_pairs(f"{source}/utt2uniq", 1)
                if own
                else [(utt, utt) for utt in datadir.keys_of(f"{source}/utt2spk")]
            )
        datadir.write_pairs(f"{target}/utt2uniq", dict(pairs).items())
        say("combined utt2uniq")
    names = [
        name for name in (*datadir.BY_UTT, *datadir.BY_RECO, *datadir.BY_SPK) if name not in ("utt2uniq", "spk2utt")
    ]
    if mixed_segments(sources):
        combine_segments(target, sources, say)
        names.remove("segments")
        names.remove("reco2dur")
    for name in dict.fromkeys((*names, *(name for name in extra_files if name != "utt2uniq"))):
        having = [source for source in sources if os.path.isfile(f"{source}/{name}")]
        if len(having) == len(sources):
            combine_file(target, sources, name)
            say(f"combined {name}")
        elif having:
            say(f"[info]: **not combining {name} as it does not exist everywhere** (only in {' '.join(having)})")
        else:
            say(f"[info]: not combining {name} as it does not exist")
    shifts = {
        tuple(datadir.read_lines(f"{source}/frame_shift")) if os.path.isfile(f"{source}/frame_shift") else None
        for source in sources
    }
    if len(shifts) == 1 and None not in shifts:
        shutil.copyfile(f"{sources[0]}/frame_shift", f"{target}/frame_shift")
    datadir.write_speakers(target)


def combine_file(target, sources, name):
    """Put one file together; keys with the same line in several directories are taken once."""
    lines, origin = {}, {}
    for source in sources:
        for key, rest in datadir.read_pairs(f"{source}/{name}"):
            if key in lines and lines[key] != rest and name not in datadir.BY_SPK:
                raise DataError(
                    f"'{show(key)}' is '{show(rest)}' here, but '{show(lines[key])}' in {origin[key]}/{name}",
                    file=f"{source}/{name}",
                    mend=f"utils/copy_data_dir.sh --utt-prefix x- --spk-prefix x- {source} {source}_x",
                )
            if key not in lines:
                lines[key], origin[key] = rest, source
    datadir.write_pairs(f"{target}/{name}", lines.items())


def mixed_segments(sources):
    """Whether some of the directories have segments and others do not."""
    return len({datadir.has_segments(source) for source in sources}) == 2


def combine_segments(target, sources, say):
    """Make the segments where some directories have none: there an utterance is the whole of its recording."""
    pairs = []
    for source in sources:
        if datadir.has_segments(source):
            pairs += datadir.read_pairs(f"{source}/segments")
            continue
        if not os.path.isfile(f"{source}/utt2dur"):
            raise DataError(
                "other directories have segments and this one does not; its durations are needed",
                file=f"{source}/utt2dur",
                mend=f"utils/data/get_utt2dur.sh {source}",
            )
        durations = datadir.read_pairs(f"{source}/utt2dur", 1)
        pairs += [(utt, b" ".join([utt, b"0.0", seconds])) for utt, seconds in durations]
    datadir.write_pairs(f"{target}/segments", pairs)
    say("combined segments (an utterance without one is the whole of its recording)")


# --- speakers and transcripts --------------------------------------------------------------------------------------


def split_into_groups(utts, max_utts, max_seconds, seconds):
    """Cut a list of utterances into runs of at most so many utterances and seconds (each at least one utterance)."""
    groups, total = [], 0.0
    for utt in utts:
        full = (
            not groups or (0 < max_utts <= len(groups[-1])) or (max_seconds > 0 and total + seconds[utt] > max_seconds)
        )
        if full:
            groups.append([])
            total = 0.0
        groups[-1].append(utt)
        total += seconds.get(utt, 0.0)
    return groups


def regroup(utt2group, max_utts, max_seconds, seconds, respect_groups=True):
    """New speakers: contiguous runs of the utterances of a group (or, without respect for groups, of all).

    Parameters
    ----------
    utt2group : list of (bytes, bytes)
    max_utts : int
        Most utterances a speaker; -1 is no limit.
    max_seconds : float
        Most seconds a speaker; -1 is no limit.
    seconds : dict
        Utterance to duration; may be empty if ``max_seconds`` is -1.

    Returns
    -------
    list of (bytes, bytes)
        Utterance and speaker ``<group>-<n>``, or ``speaker-<n>``, numbers padded so that they sort.
    """
    groups = {}
    if respect_groups:
        for utt, group in utt2group:
            groups.setdefault(group, []).append(utt)
    else:
        groups[b"speaker"] = sorted(utt for utt, _ in utt2group)
    renamed = []
    for group in sorted(groups):
        runs = split_into_groups(groups[group], max_utts, max_seconds, seconds)
        width = len(str(len(runs)))
        for index, run in enumerate(runs, 1):
            renamed += [(utt, group + f"-{index:0{width}d}".encode()) for utt in run]
    return renamed


def modify_speaker_info(
    source,
    target,
    utts_per_spk_max=-1,
    seconds_per_spk_max=-1.0,
    respect_speaker_info=True,
    respect_recording_info=True,
):
    """Copy a data directory with speakers split (or all utterances grouped) into runs of limited size.

    Returns
    -------
    (int, int)
        Numbers of speakers before and after.
    """
    datadir.require_dir(source)
    require_different(source, target)
    if utts_per_spk_max <= 0 and seconds_per_spk_max <= 0:
        raise UsageError("give --utts-per-spk-max or --seconds-per-spk-max, or both (above 0)")
    utt2spk = datadir.read_pairs(f"{source}/utt2spk", 1)
    seconds = {}
    if seconds_per_spk_max > 0:
        if not os.path.isfile(f"{source}/utt2dur"):
            raise DataError("no such file", file=f"{source}/utt2dur", mend=f"utils/data/get_utt2dur.sh {source}")
        seconds = {utt: float(value) for utt, value in datadir.read_pairs(f"{source}/utt2dur", 1)}
        missing = [utt for utt, _ in utt2spk if utt not in seconds]
        if missing:
            raise DataError(
                f"the duration of '{show(missing[0])}' is not known",
                file=f"{source}/utt2dur",
                mend=f"rm {source}/utt2dur && utils/data/get_utt2dur.sh {source}",
            )
    groups, respect = utt2spk, respect_speaker_info
    if not respect_speaker_info and respect_recording_info and datadir.has_segments(source):
        groups, respect = [(utt, rest.split()[0]) for utt, rest in datadir.read_pairs(f"{source}/segments")], True
    new = dict(regroup(groups, utts_per_spk_max, seconds_per_spk_max, seconds, respect))
    datadir.write_renamed(source, target)
    for name in ("cmvn.scp", "spk2gender", "spk2warp"):  # keyed by the old speakers
        if os.path.isfile(f"{target}/{name}"):
            os.unlink(f"{target}/{name}")
    datadir.write_pairs(f"{target}/utt2spk", [(utt, new[utt]) for utt, _ in utt2spk])
    datadir.write_speakers(target)
    carry_gender(source, target, dict(utt2spk), new)
    return len({spk for _, spk in utt2spk}), len(set(new.values()))


def carry_gender(source, target, old, new):
    """Give new speakers the gender of the old one, if they are of one old speaker only."""
    if not os.path.isfile(f"{source}/spk2gender"):
        return
    gender = dict(datadir.read_pairs(f"{source}/spk2gender", 1))
    olds = {}
    for utt, spk in new.items():
        olds.setdefault(spk, set()).add(old[utt])
    if all(len(some) == 1 for some in olds.values()):
        pairs = [(spk, gender[next(iter(some))]) for spk, some in olds.items() if next(iter(some)) in gender]
        datadir.write_pairs(f"{target}/spk2gender", pairs)


def choose_without_repeats(pairs, most):
    """Utterances to keep so that about ``most`` remain of each transcript that occurs more often.

    Which ones is decided by Kaldi's own generator (k <- (k + 103349) mod 71147): the choice is the same as there.

    Parameters
    ----------
    pairs : list of (bytes, bytes)
        Utterance and transcript.
    most : int
    """
    step, modulus, state = 103349, 71147, 0
    count = {}
    for _, words in pairs:
        count[words] = count.get(words, 0) + 1
    kept = []
    for utt, words in pairs:
        if count[words] >= most:
            state = (state + step) % modulus
            if state / modulus >= most / count[words]:
                continue
        kept.append(utt)
    return kept
