"""Kaldi's data directories: which files there are, reading, writing, filtering, renaming.

All lines and keys are `bytes`: Kaldi sorts under ``LC_ALL=C``, that is by bytes. Only the standard library is imported.

Source: Kaldi, egs/wsj/s5/utils/{validate,fix,copy,subset}_data_dir.sh, and its documentation "Data preparation".
"""

import os

from sidamo.io.errors import DataError

# Files by what the first field of a line is. Those by recording are by utterance where there is no segments file.
BY_UTT = (
    "utt2spk",
    "text",
    "feats.scp",
    "segments",
    "vad.scp",
    "utt2lang",
    "utt2uniq",
    "utt2dur",
    "utt2num_frames",
    "utt2warp",
)
BY_SPK = ("spk2utt", "cmvn.scp", "spk2gender", "spk2warp")
BY_RECO = ("wav.scp", "reco2file_and_channel", "reco2dur")
WHOLE = ("stm", "glm", "frame_shift")  # concern the set as a whole; copied as they are


def show(text):
    """Bytes of a file, readable in a message."""
    return text.decode("utf-8", "backslashreplace")


def require_dir(path):
    """Raise DataError if there is no such data directory, or it has no utt2spk."""
    if not os.path.isdir(path):
        raise DataError("no such directory", file=path)
    if not os.path.isfile(f"{path}/utt2spk"):
        raise DataError(
            "no such file; every data directory has one (<utterance> <speaker> a line)", file=f"{path}/utt2spk"
        )


def read_lines(path):
    """Lines of a file without their ends; a final CR, empty lines and a missing last newline are let pass.

    Raises FileNotFoundError.
    """
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    return [line.rstrip(b"\r") for line in lines if line and not line.isspace()]


def read_pairs(path, values=None):
    """Read ``<key> <rest of the line>`` lines.

    Parameters
    ----------
    path : str
    values : int, optional
        Number of fields expected after the key; any (also none) by default.

    Returns
    -------
    list of (bytes, bytes)
        In the order of the file; the rest is stripped.

    Raises
    ------
    DataError
        A line with another number of fields.
    """
    pairs = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            fields = line.split(None, 1)
            if not fields:
                continue
            rest = fields[1].rstrip() if len(fields) == 2 else b""
            if values is not None and len(rest.split()) != values:
                raise DataError(f"{values + 1} fields expected, got '{show(line.rstrip())}'", file=path, line=number)
            pairs.append((fields[0], rest))
    return pairs


def read_map(path, values=None):
    """As `read_pairs`, as a dict; a key that occurs twice is a DataError."""
    pairs = read_pairs(path, values)
    table = dict(pairs)
    if len(table) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                mend = f"LC_ALL=C sort -u -k1,1 -o {path} {path}"
                raise DataError(f"'{show(key)}' has more than one line", file=path, mend=mend)
            seen.add(key)
    return table


def write_lines(path, lines):
    """Write lines (bytes without ends), first to a temporary name, so that the file is never seen half-written."""
    temporary = f"{path}.tmp.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(b"".join([line + b"\n" for line in lines]))
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def write_pairs(path, pairs):
    """Write ``<key> <rest>`` lines, sorted by bytes."""
    write_lines(path, [key + b" " + rest if rest else key for key, rest in sorted(pairs)])


def key_of(line):
    """First field of a line that is not blank."""
    return line.split(None, 1)[0]


def keys_of(path):
    """First fields of the lines of a file, in its order."""
    return [line.split(None, 1)[0] for line in read_lines(path)]


def speakers(utt2spk):
    """Turn (utterance, speaker) pairs into (speaker, b"utt utt ...") pairs, in the order of first occurrence."""
    found = {}
    for utt, spk in utt2spk:
        found.setdefault(spk, []).append(utt)
    return [(spk, b" ".join(utts)) for spk, utts in found.items()]


def write_speakers(path):
    """Make ``spk2utt`` of the directory from its ``utt2spk``."""
    write_pairs(f"{path}/spk2utt", speakers(read_pairs(f"{path}/utt2spk", 1)))


def has_segments(path):
    return os.path.isfile(f"{path}/segments")


def files_by_utt(path, extra=()):
    """Names of the files in the directory whose key is the utterance (wav.scp too, where there is no segments file)."""
    names = [*BY_UTT, *extra] if has_segments(path) else [*BY_UTT, *BY_RECO, *extra]
    return [name for name in names if os.path.isfile(f"{path}/{name}")]


def files_by_spk(path, extra=()):
    return [name for name in (*BY_SPK, *extra) if os.path.isfile(f"{path}/{name}")]


def files_by_reco(path):
    """Names of the files keyed by recording; none where there is no segments file."""
    return [name for name in BY_RECO if os.path.isfile(f"{path}/{name}")] if has_segments(path) else []


def filter_lines(lines, keep):
    """Lines whose first field is in the set."""
    return [line for line in lines if line.split(None, 1)[0] in keep]


def distribute(lines, targets_of, num_targets):
    """Deal lines out by their first field.

    Parameters
    ----------
    lines : list of bytes
    targets_of : dict
        Key to the indices of the targets that get its lines; other keys are left out.
    num_targets : int

    Returns
    -------
    list of list of bytes
        A list per target, each in the order of the input.
    """
    dealt = [[] for _ in range(num_targets)]
    for line in lines:
        for target in targets_of.get(line.split(None, 1)[0], ()):
            dealt[target].append(line)
    return dealt


def write_subsets(source, targets):
    """Write the parts of a data directory that belong to some utterances. Every file is read once only.

    Parameters
    ----------
    source : str
    targets : list of (str, iterable of bytes)
        A directory and its utterances. Directories are made; files that the source does not have are removed from them.
    """
    folders = [folder for folder, _ in targets]
    by_utt, by_spk, by_reco = {}, {}, {}
    for index, (folder, utts) in enumerate(targets):
        os.makedirs(folder, exist_ok=True)
        for utt in utts:
            by_utt.setdefault(utt, []).append(index)
    for utt, spk in read_pairs(f"{source}/utt2spk", 1):
        by_spk.setdefault(spk, set()).update(by_utt.get(utt, ()))
    if has_segments(source):
        for line in read_lines(f"{source}/segments"):
            fields = line.split()
            by_reco.setdefault(fields[1], set()).update(by_utt.get(fields[0], ()))
    whole = [name for name in WHOLE if os.path.isfile(f"{source}/{name}")]
    written = {"spk2utt", *whole}
    for names, targets_of in (
        (files_by_utt(source), by_utt),
        (files_by_spk(source), by_spk),
        (files_by_reco(source) + (["stm"] if "stm" in whole else []), by_reco),
    ):
        for name in names:
            written.add(name)
            if name == "spk2utt" or (name == "stm" and not by_reco):
                continue
            dealt = distribute(read_lines(f"{source}/{name}"), targets_of, len(folders))
            for folder, lines in zip(folders, dealt):
                write_lines(f"{folder}/{name}", lines)
    for folder in folders:
        write_speakers(folder)
        for name in whole:
            if name != "stm" or not by_reco:
                write_lines(f"{folder}/{name}", read_lines(f"{source}/{name}"))
        for name in {*BY_UTT, *BY_SPK, *BY_RECO} - written:
            if os.path.exists(f"{folder}/{name}"):
                os.unlink(f"{folder}/{name}")


def write_renamed(source, target, utt=lambda key: key, spk=lambda key: key, reco=lambda key: key):
    """Copy a data directory with its keys changed.

    Parameters
    ----------
    source, target : str
    utt, spk, reco : callable, bytes to bytes
        New name of an utterance, speaker, recording. Where there is no segments file recordings are utterances.
    """
    os.makedirs(target, exist_ok=True)
    reco = reco if has_segments(source) else utt
    for name in (*BY_UTT, *BY_SPK, *BY_RECO):
        if not os.path.isfile(f"{source}/{name}"):
            if os.path.exists(f"{target}/{name}"):
                os.unlink(f"{target}/{name}")
            continue
        change = utt if name in BY_UTT else spk if name in BY_SPK else reco
        pairs = [(change(key), rest) for key, rest in read_pairs(f"{source}/{name}")]
        if name == "utt2spk":
            pairs = [(key, spk(rest)) for key, rest in pairs]
        elif name == "segments":
            pairs = [(key, b" ".join([reco(rest.split()[0]), *rest.split()[1:]])) for key, rest in pairs]
        if name != "spk2utt":
            write_pairs(f"{target}/{name}", pairs)
    write_speakers(target)
    for name in WHOLE:
        if os.path.isfile(f"{source}/{name}"):
            write_lines(f"{target}/{name}", read_lines(f"{source}/{name}"))
