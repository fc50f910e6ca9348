"""Puts a data directory in order: sorts, makes unique, drops what is not in all files (Kaldi's fix_data_dir.sh).

Source: Kaldi, egs/wsj/s5/utils/fix_data_dir.sh.
"""

import os
import shutil

from sidamo.io import datadir
from sidamo.io.datadir import show
from sidamo.io.errors import DataError

# An utterance stays if it is in all of these; a speaker, if in all of BY_SPK (Kaldi: cmvn.scp and spk2gender).
DECIDING = ("feats.scp", "text", "segments", "utt2lang", "vad.scp", "utt2uniq", "utt2warp")
# Can be made again from the others, so a gap in them costs the file and no utterance.
DERIVED = ("utt2dur", "utt2num_frames", "reco2dur")


class Fix:
    """The files of one directory in memory; ``say`` takes the messages (Kaldi prints them on standard output)."""

    def __init__(self, path, utt_extra_files=(), spk_extra_files=(), remove_empty_text=False, say=print):
        datadir.require_dir(path)
        self.path, self.say = path, say
        self.remove_empty_text = remove_empty_text
        self.utt_extra, self.spk_extra = tuple(utt_extra_files), tuple(spk_extra_files)
        self.with_segments = datadir.has_segments(path)
        if self.with_segments and not os.path.isfile(f"{path}/wav.scp"):
            raise DataError(
                "there is a segments file but no wav.scp", file=path, mend=f"rm {path}/segments, or copy wav.scp"
            )
        by_utt = datadir.files_by_utt(path, self.utt_extra)
        self.by_utt = {name: self.load(name) for name in by_utt}
        self.by_spk = {
            name: self.load(name) for name in datadir.files_by_spk(path, self.spk_extra) if name != "spk2utt"
        }
        self.by_reco = {name: self.load(name) for name in datadir.files_by_reco(path)}

    def load(self, name):
        """Key to line; of several lines with one key the first stays. Says so where the file was not in order."""
        lines = datadir.read_lines(f"{self.path}/{name}")
        keys = [datadir.key_of(line) for line in lines]
        table = {}
        for key, line in zip(keys, lines):
            table.setdefault(key, line)
        if len(table) < len(keys) or keys != sorted(keys):
            dropped = f" ({len(keys) - len(table)} lines with a key that was there before dropped)"
            self.say(
                f"file {self.path}/{name} is not in sorted order or not unique, sorting it"
                + (dropped if len(table) < len(keys) else "")
            )
        return table

    def check_fields(self):
        for file, table, low, high in (
            ("utt2spk", self.by_utt["utt2spk"], 2, 2),
            ("segments", self.by_utt.get("segments", {}), 4, 5),
        ):
            for line in table.values():
                if not low <= len(line.split()) <= high:
                    number = 1 + datadir.read_lines(f"{self.path}/{file}").index(line)
                    message = f"{low} fields expected, got '{show(line)}'"
                    mend = "correct or delete the line; the speaker or the time of an utterance cannot be guessed"
                    raise DataError(message, file=f"{self.path}/{file}", line=number, mend=mend)

    def keep(self, table, keys, name, because):
        """The part of a table whose keys are wanted."""
        kept = {key: line for key, line in table.items() if key in keys}
        if len(kept) != len(table):
            self.say(f"filtered {self.path}/{name} from {len(table)} to {len(kept)} lines based on {because}.")
        return kept

    def filter_recordings(self):
        if not self.with_segments:
            return
        segments = self.by_utt["segments"]
        wanted = {line.split()[1] for line in segments.values()} & set(self.by_reco["wav.scp"])
        kept = {utt: line for utt, line in segments.items() if line.split()[1] in wanted}
        if len(kept) < len(segments):
            self.say(f"filtered {self.path}/segments from {len(segments)} to {len(kept)} lines based on wav.scp.")
        self.by_utt["segments"] = kept
        for name, table in self.by_reco.items():
            self.by_reco[name] = self.keep(table, wanted, name, "segments")

    def filter_speakers(self):
        utt2spk = self.by_utt["utt2spk"]
        spks = {line.split()[1] for line in utt2spk.values()}
        for name in ("cmvn.scp", "spk2gender"):
            if name in self.by_spk:
                spks &= set(self.by_spk[name])
        self.by_utt["utt2spk"] = {utt: line for utt, line in utt2spk.items() if line.split()[1] in spks}
        for name, table in self.by_spk.items():
            self.by_spk[name] = self.keep(table, spks, name, "the speakers")

    def filter_utts(self):
        utts = set(self.by_utt["utt2spk"])
        for name in DECIDING if self.with_segments else (*DECIDING, "wav.scp"):
            if name in self.by_utt:
                utts &= set(self.by_utt[name])
        if self.remove_empty_text:
            empty = {utt for utt, line in self.by_utt.get("text", {}).items() if len(line.split(None, 1)) < 2}
            if empty:
                self.say(f"{len(empty)} utterances have an empty transcript and are removed, e.g. {show(min(empty))}")
            utts -= empty
        if not utts:
            sizes = ", ".join(f"{name} {len(table)}" for name, table in self.by_utt.items())
            raise DataError(
                "no utterance is in all files, nothing was changed; lines: " + sizes,
                file=self.path,
                mend=f"compare: head -n 3 {self.path}/utt2spk {self.path}/text",
            )
        for name, table in self.by_utt.items():
            self.by_utt[name] = {key: line for key, line in table.items() if key in utts}

    def drop_incomplete(self):
        """Take derived files away that lack some keys: they can be computed again, and must not be half there."""
        for tables, expected in ((self.by_utt, self.by_utt["utt2spk"]), (self.by_reco, self.by_reco.get("wav.scp"))):
            for name in [name for name in DERIVED if name in tables]:
                missing = len(expected) - len(tables[name])
                if missing:
                    self.say(
                        f"{self.path}/{name} lacks {missing} keys; moved to .backup (utils/data/get_{name}.sh makes it)"
                    )
                    del tables[name]

    def check_speaker_order(self):
        pairs = [line.split() for _, line in sorted(self.by_utt["utt2spk"].items())]
        for before, pair in zip(pairs, pairs[1:]):
            if pair[1] < before[1]:
                message = (
                    f"sorted by utterance it is not sorted by speaker: '{show(pair[0])}' of '{show(pair[1])}' comes "
                    f"after '{show(before[0])}' of '{show(before[1])}'"
                )
                raise DataError(
                    message,
                    file=f"{self.path}/utt2spk",
                    mend="where the set is made, let utterances begin with their speaker: "
                    f"{show(pair[1])}-{show(pair[0])}",
                )

    def run(self):
        utts_before = len(self.by_utt["utt2spk"])
        names = {*self.by_utt, *self.by_spk, *self.by_reco}
        self.check_fields()
        for step in (self.filter_recordings, self.filter_speakers, self.filter_utts, self.filter_speakers):
            step()
        self.filter_utts()
        self.filter_recordings()
        self.drop_incomplete()
        self.check_speaker_order()
        backup = f"{self.path}/.backup"
        os.makedirs(backup, exist_ok=True)
        for name in sorted(names | {"spk2utt"}):
            if os.path.isfile(f"{self.path}/{name}"):
                shutil.copyfile(f"{self.path}/{name}", f"{backup}/{name}")
        for tables in (self.by_utt, self.by_spk, self.by_reco):
            for name, table in tables.items():
                write_changed(f"{self.path}/{name}", [table[key] for key in sorted(table)])
                names.discard(name)
        for name in names:
            os.unlink(f"{self.path}/{name}")
        pairs = [tuple(line.split()) for _, line in sorted(self.by_utt["utt2spk"].items())]
        write_changed(f"{self.path}/spk2utt", [b" ".join(pair) for pair in sorted(datadir.speakers(pairs))])
        kept = len(self.by_utt["utt2spk"])
        amount = f"all {kept} utterances." if kept == utts_before else f"{kept} utterances out of {utts_before}"
        self.say(f"kept {amount}")
        self.say(f"old files are kept in {backup}")
        return kept


def write_changed(path, lines):
    """Write lines unless the file holds just these: an untouched file keeps its date, what was made of it stays new."""
    data = b"".join([line + b"\n" for line in lines])
    if os.path.isfile(path) and os.path.getsize(path) == len(data):
        with open(path, "rb") as file:
            if file.read() == data:
                return
    datadir.write_lines(path, lines)


def fix_data_dir(path, **options):
    """Sort the files of a data directory and keep only what is in all of them.

    Parameters
    ----------
    path : str
    utt_extra_files, spk_extra_files : sequence of str, optional
        Names of further files, by utterance or by speaker, to be filtered too.
    remove_empty_text : bool, default False
        Remove utterances with an empty transcript.
    say : callable, optional

    Returns
    -------
    int
        Number of utterances that remain.

    Raises
    ------
    DataError
        Nothing remains, a line of utt2spk or segments has a wrong number of fields, or the order by utterance and by
        speaker cannot both be had. The directory is then as it was.
    """
    return Fix(str(path).rstrip("/"), **options).run()
