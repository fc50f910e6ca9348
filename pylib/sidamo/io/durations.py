"""Durations of utterances and recordings, for utils/data/get_utt2dur.sh and get_reco2dur.sh.

``python -m sidamo.io.durations segments <data> <out>``, or
``python -m sidamo.io.durations recordings <data> <out> <nj> <cmd> <read-entire-file> <permissive>``.

Plain RIFF files are measured here by their headers, thousands in a second; all else (pipes, archives, other formats) by
``wav-to-duration`` jobs.
"""

import os
import shlex
import struct
import subprocess
import sys

from sidamo.io import datadir, script
from sidamo.io.datadir import show
from sidamo.io.errors import DataError, SidamoError


def riff_duration(path):
    """Duration in seconds by the header of a RIFF file.

    Parameters
    ----------
    path : bytes

    Returns
    -------
    float or None
        None where this is no plain file or no header with a trustworthy length, which others may read better.
    """
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
                return None
            rate = block = 0
            while len(head := file.read(8)) == 8:
                name, length = struct.unpack("<4sI", head)
                if name == b"data":
                    if rate == 0 or length == 0 or file.tell() + length > size:
                        return None  # unknown length (a stream), or a file that is cut off
                    return length / block / rate
                content = file.read(length + length % 2)
                if name == b"fmt " and len(content) >= 16:
                    _, _, rate, _, block, _ = struct.unpack("<HHIIHH", content[:16])
                    if block == 0:
                        return None
    except (OSError, ValueError):
        pass
    return None


def from_segments(data, out):
    """Duration of each utterance from its segment; an end of -1 is that of the recording (from reco2dur)."""
    ends = {}
    if os.path.isfile(f"{data}/reco2dur"):
        ends = {reco: float(rest) for reco, rest in datadir.read_pairs(f"{data}/reco2dur", 1)}
    durations = []
    for number, (utt, rest) in enumerate(datadir.read_pairs(f"{data}/segments"), 1):
        try:
            reco, start, end = rest.split()[:3]
            start, end = float(start), float(end)
        except ValueError:
            raise DataError(f"expected '<utterance> <recording> <start> <end>', got '{show(utt + b' ' + rest)}'",
                            file=f"{data}/segments", line=number) from None  # fmt: skip
        if end == -1:
            if reco not in ends:
                raise DataError(f"no duration for the recording '{show(reco)}'", file=f"{data}/reco2dur",
                                mend=f"rm -f {data}/reco2dur && utils/data/get_reco2dur.sh {data}")  # fmt: skip
            end = ends[reco]
        if end <= start:
            message = f"'{show(utt)}' ends at {end:g} s, before it begins at {start:g} s"
            mend = f"correct or delete the line, then utils/fix_data_dir.sh {data}"
            raise DataError(message, file=f"{data}/segments", line=number, mend=mend)
        durations.append((utt, f"{end - start:.6g}".encode()))
    datadir.write_pairs(out, durations)


def measure(data, pairs, nj, cmd, read_entire_file, permissive):
    """Durations of recordings by ``wav-to-duration`` in parallel jobs; a list of (recording, seconds as text)."""
    from sidamo.io.datadir_split import split_evenly

    jobs = min(nj, len(pairs))
    log = f"{data}/log"
    os.makedirs(log, exist_ok=True)
    for job, part in enumerate(split_evenly(pairs, jobs), 1):
        datadir.write_pairs(f"{log}/durations.{job}.scp", part)
    rspecifier = ("scp,p:" if permissive else "scp:") + f"{log}/durations.JOB.scp"
    command = [
        *shlex.split(cmd), f"JOB=1:{jobs}", f"{log}/get_durations.JOB.log",
        "wav-to-duration", f"--read-entire-file={'true' if read_entire_file else 'false'}",
        rspecifier, f"ark,t:{log}/durations.JOB",
    ]  # fmt: skip
    if subprocess.run(command, check=False).returncode:
        raise SidamoError(f"the durations could not be measured, see {log}/get_durations.*.log")
    measured = [pair for job in range(1, jobs + 1) for pair in datadir.read_pairs(f"{log}/durations.{job}", 1)]
    for job in range(1, jobs + 1):
        os.unlink(f"{log}/durations.{job}.scp")
        os.unlink(f"{log}/durations.{job}")
    return measured


def from_recordings(data, out, nj, cmd, read_entire_file, permissive):
    """Duration of each recording of wav.scp; one that cannot be read is an error unless ``permissive``."""
    pairs = datadir.read_pairs(f"{data}/wav.scp")
    known, others = [], []
    for reco, rxfilename in pairs:
        seconds = None if read_entire_file else riff_duration(rxfilename)
        if seconds is None:
            others.append((reco, rxfilename))
        else:
            known.append((reco, f"{seconds:.7g}".encode()))  # the precision of Kaldi's binaries
    if others:
        known += measure(data, others, nj, cmd, read_entire_file, permissive)
    missing = {reco for reco, _ in pairs} - {reco for reco, _ in known}
    if missing and not permissive:
        message = f"{len(missing)} recordings could not be measured, e.g. '{show(min(missing))}'"
        mend = f"see {data}/log/get_durations.*.log, or give --permissive true"
        raise DataError(message, file=f"{data}/wav.scp", mend=mend)
    datadir.write_pairs(out, known)


def main(_, argv):
    kind, data, out, *rest = argv
    if kind == "segments":
        from_segments(data, out)
    else:
        nj, cmd, read_entire_file, permissive = rest
        from_recordings(data, out, int(nj), cmd, read_entire_file == "true", permissive == "true")


if __name__ == "__main__":
    sys.exit(script.run(main, "get_durations", sys.argv[1:]))
