"""Checks a data directory as Kaldi's validate_data_dir.sh does, and says of each problem where it is and what mends it.

Source: Kaldi, egs/wsj/s5/utils/validate_data_dir.sh and validate_text.pl. Two of its defects are mended: a malformed
utt2spk is an error (there it is printed, and the exit status is 0), and so is an empty transcript (there unnoticed).
"""

import os
import re
from dataclasses import dataclass

from sidamo.io.datadir import show
from sidamo.io.errors import DataError

MOST = 3  # problems of one kind that are shown in full

# White space but blank, tab and newline; control characters; zero-width space, word joiner, byte-order mark.
ODD = re.compile(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
FORBIDDEN = (b"<s>", b"</s>", b"#0")


@dataclass(frozen=True)
class CheckOptions:
    """What to require of a data directory. False means that the file may be absent; if present, it is checked."""

    feats: bool = True
    text: bool = True
    wav: bool = True
    spk_sort: bool = True  # utt2spk sorted by speaker too
    non_print: bool = False  # text may hold non-printing characters
    empty_text: bool = False  # transcripts may be empty


class Check:
    """One run over a directory; ``problems`` collects a DataError for each fault, ``notes`` what is merely doubtful."""

    def __init__(self, path, options):
        self.path = path
        self.options = options
        self.problems = []
        self.notes = []
        self.fix = f"utils/fix_data_dir.sh {path}"

    def name(self, file):
        return f"{self.path}/{file}"

    def exists(self, file):
        return os.path.isfile(self.name(file))

    def problem(self, message, file=None, line=None, mend=None):
        self.problems.append(DataError(message, file=self.name(file) if file else self.path, line=line, mend=mend))

    def read(self, file):
        """Lines of a file (bytes, without ends) and their keys, after the checks that every file has to pass.

        Returns (None, None) where the lines cannot be told apart or have no key.
        """
        with open(self.name(file), "rb") as content:
            data = content.read()
        if not data:
            self.problem("the file is empty", file, mend=f"rm {self.name(file)}, or make it anew")
            return None, None
        if b"\r" in data:
            line = data.count(b"\n", 0, data.index(b"\r")) + 1
            self.problem(
                "the line holds a CR (the line ends of Windows?); LF alone is expected",
                file,
                line,
                f"sed -i 's/\\r//g' {self.name(file)}",
            )
        if not data.endswith(b"\n"):
            self.problem(
                "the last line has no newline at its end (is the file cut off?)",
                file,
                data.count(b"\n") + 1,
                f"echo >> {self.name(file)}",
            )
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        keys = [line.split(None, 1)[:1] for line in lines]
        if [] in keys:
            self.problem("empty line", file, keys.index([]) + 1, self.fix)
            return None, None
        keys = [key[0] for key in keys]
        self.check_order(file, keys)
        return lines, keys

    def check_order(self, file, keys):
        """Sorted by bytes and unique."""
        if keys == sorted(keys) and len(set(keys)) == len(keys):
            return
        for number, (before, key) in enumerate(zip(keys, keys[1:]), 2):
            if key == before:
                self.problem(f"'{show(key)}' has more than one line (also line {number - 1})", file, number, self.fix)
                return
            if key < before:
                message = f"not sorted: '{show(key)}' stands after '{show(before)}' (LC_ALL=C, by bytes, is expected)"
                self.problem(message, file, number, self.fix)
                return

    def check_same(self, file, keys, expected, source, mend=None):
        """The keys of a file are those of another."""
        if keys == expected:
            return
        have, want = set(keys), set(expected)
        for missing, text in ((want - have, f"of {source} are missing here"), (have - want, f"are not in {source}")):
            if missing:
                names = ", ".join(map(show, sorted(missing)[:MOST])) + (", ..." if len(missing) > MOST else "")
                self.problem(
                    f"{len(missing)} keys {text} ({len(have)} against {len(want)}): {names}",
                    file,
                    mend=mend or self.fix,
                )

    def check_values(self, file, lines, is_good, expected):
        """Every line's fields after the key satisfy a test."""
        bad = [number for number, line in enumerate(lines, 1) if not is_good(line.split()[1:])]
        for number in bad[:MOST]:
            more = f" (and {len(bad) - 1} more lines)" if len(bad) > 1 and number == bad[0] else ""
            self.problem(
                f"expected {expected}, got '{show(lines[number - 1])}'{more}",
                file,
                number,
                f"correct the line, or delete it and run {self.fix}",
            )

    def speakers(self):
        """utt2spk and spk2utt; returns the utterances and the speakers (None if there is no going on)."""
        for file in ("utt2spk", "spk2utt"):
            if not self.exists(file):
                mend = "make it: <utterance> <speaker> a line" if file == "utt2spk" else self.fix
                self.problem("no such file", file, mend=mend)
        if self.problems:
            return None, None
        lines, utts = self.read("utt2spk")
        spk_lines, spks = self.read("spk2utt")
        if lines is None or spk_lines is None:
            return None, None
        pairs = [line.split() for line in lines]
        if any(len(pair) != 2 for pair in pairs):
            self.check_values("utt2spk", lines, lambda values: len(values) == 1, "'<utterance> <speaker>'")
            return None, None
        if self.options.spk_sort:
            self.check_speaker_order(pairs)
        inverse = [[utt, fields[0]] for fields in map(bytes.split, spk_lines) for utt in fields[1:]]
        different = {tuple(pair) for pair in pairs} ^ {tuple(pair) for pair in inverse}
        if different:
            utt, spk = min(different)
            self.problem(
                f"does not match utt2spk: {len(different)} differences, the first is '{show(utt)} {show(spk)}'",
                "spk2utt",
                mend=f"utils/utt2spk_to_spk2utt.pl {self.name('utt2spk')} > {self.name('spk2utt')}",
            )
        elif inverse != pairs and self.options.spk_sort and not self.problems:
            self.problem("its utterances are not in the order of utt2spk, or not unique", "spk2utt", mend=self.fix)
        if len(spks) == 1 and len(utts) > 1:
            self.notes.append(f"{self.path} has only one speaker: what is normalized or split by speaker will suffer")
        return utts, spks

    def check_speaker_order(self, pairs):
        for number, (before, pair) in enumerate(zip(pairs, pairs[1:]), 2):
            if pair[1] < before[1]:
                message = (
                    f"not sorted by speaker: '{show(pair[1])}' stands after '{show(before[1])}', because the "
                    f"speaker's name is no prefix of the utterance '{show(pair[0])}'"
                )
                self.problem(
                    message,
                    "utt2spk",
                    number,
                    f"rename the utterances to {show(pair[1])}-... where the set is "
                    "made (or, if nothing depends on it, validate with --no-spk-sort)",
                )
                return

    def text(self, utts):
        if not self.exists("text"):
            if self.options.text:
                self.problem("no such file", "text", mend="make it, or if it is absent by design give --no-text")
            return
        lines, keys = self.read("text")
        if lines is None:
            return
        self.check_characters(lines)
        for symbol in FORBIDDEN:
            if any(symbol in line for line in lines):
                found = [number for number, line in enumerate(lines, 1) if symbol in line.split()[1:]]
                if found:
                    self.problem(
                        f"the transcript holds {show(symbol)}, which the language model uses for itself "
                        f"({len(found)} lines)",
                        "text",
                        found[0],
                        "take it out of the transcript",
                    )
        empty = [number for number, line in enumerate(lines, 1) if len(line.split(None, 1)) < 2]
        if empty and not self.options.empty_text:
            self.problem(
                f"'{show(keys[empty[0] - 1])}' has an empty transcript ({len(empty)} such lines)",
                "text",
                empty[0],
                f"utils/fix_data_dir.sh --remove-empty-text true {self.path} (or, if by design, --allow-empty-text)",
            )
        self.check_same("text", keys, utts, "utt2spk")

    def check_characters(self, lines):
        data = b"\n".join(lines)
        if data.isascii() and not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", data):
            return
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            file = self.name("text")
            self.problem(
                f"not UTF-8 (byte 0x{data[error.start]:02x})",
                "text",
                line,
                f"iconv -f ISO-8859-1 -t UTF-8 {file} > {file}.new && mv {file}.new {file} (if it is Latin-1)",
            )
            return
        odd = [found for found in ODD.finditer(text) if found.group() != "\r"]
        if self.options.non_print:
            odd = [found for found in odd if not CONTROL.match(found.group())]
        if odd:
            lines_with = sorted({text.count("\n", 0, found.start()) + 1 for found in odd[:1000]})
            sort = "white space" if odd[0].group().isspace() else "non-printing character"
            self.problem(
                f"odd {sort} U+{ord(odd[0].group()):04X} ({len(odd)} in the file); words are separated by blanks",
                "text",
                lines_with[0],
                "replace it by a blank, or by nothing, where the text is made",
            )

    def audio(self, utts):
        """wav.scp, segments, reco2file_and_channel, reco2dur."""
        if not self.exists("wav.scp"):
            if self.exists("segments"):
                self.problem(
                    "there is a segments file but no wav.scp", "wav.scp", mend="copy the wav.scp it belongs to"
                )
            elif self.options.wav:
                self.problem("no such file", "wav.scp", mend="make it, or if it is absent by design give --no-wav")
            return
        lines, recos = self.read("wav.scp")
        if lines is None:
            return
        self.check_values("wav.scp", lines, bool, "'<recording> <file or command |>'")
        tilde = [number for number, line in enumerate(lines, 1) if b" ~" in line and line.split()[1][:1] == b"~"]
        if tilde:
            self.problem(
                "the file name begins with ~, which only a shell understands",
                "wav.scp",
                tilde[0],
                f'sed -i "s: ~/: $HOME/:" {self.name("wav.scp")}',
            )
        if self.exists("segments"):
            self.segments(utts, recos)
        else:
            self.check_same("wav.scp", recos, utts, "utt2spk")
        if self.exists("reco2file_and_channel"):
            lines, keys = self.read("reco2file_and_channel")
            if lines is not None:
                self.check_values(
                    "reco2file_and_channel",
                    lines,
                    lambda v: len(v) == 2 and v[1] in (b"A", b"B", b"1"),
                    "'<recording> <file> A|B'",
                )
                if any(line.split()[-1] == b"1" for line in lines):
                    self.notes.append(f"{self.name('reco2file_and_channel')}: the channel should be A or B, not 1")
                self.check_same("reco2file_and_channel", keys, recos, "wav.scp")
        self.numbers("reco2dur", recos, "wav.scp", 0.0, float("inf"), "a duration above 0 in seconds")

    def segments(self, utts, recos):
        lines, keys = self.read("segments")
        if lines is None:
            return
        self.check_values(
            "segments",
            lines,
            is_segment,
            "'<utterance> <recording> <start> <end> [<channel>]' with 0 <= start < end, or end -1",
        )
        self.check_same("segments", keys, utts, "utt2spk")
        named = sorted({fields[1] for fields in map(bytes.split, lines) if len(fields) > 1})
        self.check_same("wav.scp", recos, named, "segments")

    def keyed(self, file, expected, source):
        """A file that need not be there, with given keys; returns its lines or None."""
        if not self.exists(file):
            return None
        lines, keys = self.read(file)
        if lines is not None:
            self.check_same(file, keys, expected, source)
        return lines

    def numbers(self, file, expected, source, low, high, text, whole=False):
        """A file of one number a key, strictly between low and high."""
        lines = self.keyed(file, expected, source)
        if lines is not None:
            key = source.partition("2")[0].removesuffix(".scp")
            self.check_values(file, lines, lambda values: is_number(values, low, high, whole), f"'<{key}> <{text}>'")

    def run(self):
        if not os.path.isdir(self.path):
            self.problem("no such directory", mend="run the stage that makes it (stage 0 of a recipe)")
            return
        utts, spks = self.speakers()
        if utts is None:
            return
        self.text(utts)
        self.audio(utts)
        if not self.exists("feats.scp") and self.options.feats:
            self.problem(
                "no such file",
                "feats.scp",
                mend=f"steps/make_fbank.sh {self.path} (or, if absent by design, --no-feats)",
            )
        lines = self.keyed("feats.scp", utts, "utt2spk")
        if lines is not None:
            self.check_values("feats.scp", lines, bool, "'<utterance> <file:offset>'")
        self.keyed("cmvn.scp", spks, "spk2utt")
        lines = self.keyed("spk2gender", spks, "spk2utt")
        if lines is not None:
            self.check_values("spk2gender", lines, lambda values: values in ([b"m"], [b"f"]), "'<speaker> m|f'")
        self.numbers("spk2warp", spks, "spk2utt", 0.5, 1.5, "a factor between 0.5 and 1.5")
        self.numbers("utt2warp", utts, "utt2spk", 0.5, 1.5, "a factor between 0.5 and 1.5")
        for file in ("vad.scp", "utt2lang", "utt2uniq"):
            self.keyed(file, utts, "utt2spk")
        self.numbers("utt2dur", utts, "utt2spk", 0.0, float("inf"), "a duration above 0 in seconds")
        self.numbers("utt2num_frames", utts, "utt2spk", 0.0, float("inf"), "a whole number above 0", whole=True)


def is_number(values, low, high, whole=False):
    try:
        number = float(values[0])
    except (ValueError, IndexError):
        return False
    return len(values) == 1 and low < number < high and (not whole or number == int(number))


def is_segment(values):
    """Whether the fields after the utterance are ``<recording> <start> <end> [<channel>]``."""
    try:
        start, end = float(values[1]), float(values[2])
    except (ValueError, IndexError):
        return False
    return len(values) in (3, 4) and 0 <= start and (start < end or end == -1)


def check_data_dir(path, options=None):
    """Check a data directory.

    Parameters
    ----------
    path : str
    options : CheckOptions, optional

    Returns
    -------
    problems : list of DataError
        Empty if the directory is in order.
    notes : list of str
    """
    check = Check(str(path).rstrip("/") or "/", options or CheckOptions())
    check.run()
    return check.problems, check.notes


def require_valid(path, options=None):
    """Raise the first problem of a data directory; for Python callers."""
    problems, _ = check_data_dir(path, options)
    if problems:
        raise problems[0]
