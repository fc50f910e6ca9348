"""Checks of a dictionary directory (Kaldi utils/validate_dict_dir.pl): errors name file, line and remedy."""

from __future__ import annotations

import os
import unicodedata

from sidamo.lang.lexicon import byte_order, fields

ALLOWED_SPACE = "\t\n \r"
FORBIDDEN_WORDS = ("<s>", "</s>", "<eps>", "#0")
POSITION_MARKS = ("_B", "_E", "_S", "_I")
MAX_SHOWN = 20  # errors of one kind and file


class DictChecker:
    """Collects what is wrong with a dictionary directory.

    Parameters
    ----------
    directory : path
    ctc : bool
        Silence is optional: silence_phones.txt and optional_silence.txt may be empty or absent (Kaldi demands both).
    report : function called with each line of text
    """

    def __init__(self, directory, ctc: bool = False, report=print):
        self.directory, self.ctc, self.report = os.fspath(directory).rstrip("/") or "/", ctc, report
        self.num_errors = 0
        self.silence: dict[str, int] = {}
        self.nonsilence: dict[str, int] = {}

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def error(self, message: str, name: str, line: int | None = None, mend: str = "") -> None:
        place = self.path(name) + (f":{line}" if line else "")
        self.num_errors += 1
        if self.num_errors <= MAX_SHOWN:
            self.report(f"--> ERROR: {place}: {message}" + (f"\n      to mend: {mend}" if mend else ""))
        elif self.num_errors == MAX_SHOWN + 1:
            self.report("--> (further errors are not shown)")

    def run(self) -> bool:
        """True where all is well."""
        if not os.path.isdir(self.directory):
            self.error("no such directory", "")
            return self._verdict()
        for name, table, needed in (
            ("silence_phones.txt", self.silence, not self.ctc), ("nonsilence_phones.txt", self.nonsilence, True),
        ):  # fmt: skip
            if not self._phone_list(name, table, needed):
                return self._verdict()
        if not self._optional_silence():
            return self._verdict()
        for phone in self.nonsilence:
            if phone in self.silence:
                self.error(
                    f'phone "{phone}" is in both lists (also silence_phones.txt:{self.silence[phone]})',
                    "nonsilence_phones.txt", self.nonsilence[phone], "remove it from one of them",
                )  # fmt: skip
        self._lexicons()
        self._questions()
        return self._verdict()

    def _verdict(self) -> bool:
        if self.num_errors:
            self.report(f"--> ERROR validating dictionary directory {self.directory} (see the {self.num_errors} above)")
        else:
            self.report(f"--> SUCCESS [validating dictionary directory {self.directory}]")
        return self.num_errors == 0

    def _lines(self, name: str) -> list[bytes] | None:
        """Lines of a file, its bytes checked; None where it cannot be read."""
        try:
            with open(self.path(name), "rb") as stream:
                data = stream.read()
        except OSError as problem:
            self.error(f"cannot be read ({problem.strerror})", name)
            return None
        if data and not data.endswith(b"\n"):
            self.error("the last line does not end in a newline", name, data.count(b"\n") + 1, f"echo >> {self.path(name)}")
            data += b"\n"
        lines = data.split(b"\n")[:-1]
        for number, line in enumerate(lines, 1):
            if b"\r" in line:
                self.error("carriage return (written on Windows?)", name, number, f"sed -i 's/\\r$//' {self.path(name)}")
                break
        self._check_spaces(lines, name)
        return lines

    def _check_spaces(self, lines, name: str) -> None:
        """White space that looks like a blank but does not separate fields; only where the file is UTF-8."""
        try:
            texts = [line.decode("utf-8") for line in lines]
        except UnicodeDecodeError:
            return
        for number, text in enumerate(texts, 1):
            if text.isascii() and not any(c in text for c in "\x0b\x0c\x1c\x1d\x1e\x1f"):
                continue
            odd = [c for c in text if c.isspace() and c not in ALLOWED_SPACE and c not in "\x1c\x1d\x1e\x1f"]
            if odd:
                what = unicodedata.name(odd[0], "a control character")
                self.error(f"disallowed white space U+{ord(odd[0]):04X} ({what})", name, number, "replace it by a blank")
                return

    def _phone_list(self, name: str, table: dict[str, int], needed: bool) -> bool:
        self.report(f"Checking {self.path(name)} ...")
        path = self.path(name)
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            if needed:
                self.error("empty, or absent", name, mend="" if name.startswith("non") else "for CTC: --ctc true")
            return not needed
        before = self.num_errors
        for number, line in enumerate(self._lines(name) or [], 1):
            phones = fields(line)
            if not phones:
                self.error("empty line", name, number, f"sed -i '/^ *$/d' {path}")
            for phone in phones:
                if phone in table:
                    self.error(f'phone "{phone}" again (first on line {table[phone]})', name, number)
                table.setdefault(phone, number)
                if phone.startswith("#") or phone == "<eps>" or phone.endswith(POSITION_MARKS):
                    why = "reserved: #... for disambiguation, <eps> for nothing, _B _E _S _I for word positions"
                    self.error(f'phone "{phone}" has a disallowed form ({why})', name, number, "rename it")
        if self.num_errors == before:
            self.report(f"--> {path} is OK")
        return True

    def _optional_silence(self) -> bool:
        name = "optional_silence.txt"
        self.report(f"Checking {self.path(name)} ...")
        path = self.path(name)
        if not os.path.isfile(path) or os.path.getsize(path) == 0:
            if not self.ctc:
                self.error("empty, or absent", name, mend=f"echo SIL > {path}, or for CTC: --ctc true")
            return self.ctc
        lines = self._lines(name) or []
        phones = [fields(line) for line in lines]
        if len(phones) != 1 or len(phones[0]) != 1:
            self.error(f"expected one phone, found {sum(map(len, phones))} on {len(phones)} lines", name)
        elif phones[0][0] not in self.silence:
            self.error(f'phone "{phones[0][0]}" is not in silence_phones.txt', name, 1)
        else:
            self.report(f"--> {path} is OK")
        return True

    def _lexicons(self) -> None:
        found = {}
        for name, num_probs, num_skipped in (
            ("lexicon.txt", 0, 0), ("lexiconp.txt", 1, 0), ("lexiconp_silprob.txt", 2, 2),
        ):  # fmt: skip
            if os.path.isfile(self.path(name)):
                found[name] = self._lexicon(name, num_probs, num_skipped)
        if "lexiconp_silprob.txt" in found:
            self._silprob()
        if "lexicon.txt" not in found and "lexiconp.txt" not in found:
            self.error("neither lexicon.txt nor lexiconp.txt is there", "lexicon.txt")
        names = list(found)
        for one, other in zip(names, names[1:]):
            self._same_entries(one, found[one], other, found[other])

    def _lexicon(self, name: str, num_probs: int, num_skipped: int):
        self.report(f"Checking {self.path(name)}")
        before = self.num_errors
        entries, seen = [], {}
        for number, line in enumerate(self._lines(name) or [], 1):
            if line in seen:
                self.error(f"the same as line {seen[line]}: {line.decode('utf-8', 'replace')!r}", name, number,
                           "remove one of them")  # fmt: skip
            seen[line] = number
            parts = fields(line)
            if not parts:
                self.error("empty line", name, number, f"sed -i '/^ *$/d' {self.path(name)}")
                continue
            word, rest = parts[0], parts[1:]
            if word in FORBIDDEN_WORDS:
                self.error(f"word {word} is reserved", name, number, "remove the line; Sidamo adds such symbols itself")
            for text in rest[:num_probs]:
                if not _is_probability(text):
                    self.error(f"pronunciation probability {text!r} of {word!r}; expected 0 < p <= 1", name, number)
            phones = rest[num_probs + num_skipped :]
            if not phones:
                self.error(f"word {word!r} has an empty pronunciation", name, number)
            for phone in phones:
                if phone not in self.silence and phone not in self.nonsilence:
                    message = f'phone "{phone}" of {word!r} is not in silence_phones.txt or nonsilence_phones.txt'
                    self.error(message, name, number, f"echo {phone} >> {self.path('nonsilence_phones.txt')}")
            entries.append((word, phones))
        if not entries:
            self.error("no pronunciation in it", name)
        if self.num_errors == before:
            self.report(f"--> {self.path(name)} is OK")
        return entries

    def _silprob(self) -> None:
        name = "silprob.txt"
        if not os.path.isfile(self.path(name)):
            self.error("absent, but lexiconp_silprob.txt is there and needs it", name)
            return
        for number, line in enumerate(self._lines(name) or [], 1):
            parts = fields(line)
            if len(parts) != 2 or parts[0] not in ("<s>", "overall", "</s>_s", "</s>_n"):
                self.error(f"found {line!r}; expected <s>, overall, </s>_s or </s>_n with a number", name, number)
            elif not (_is_probability(parts[1]) if parts[0] in ("<s>", "overall") else _number(parts[1]) > 0):
                self.error(f"bad number {parts[1]!r} for {parts[0]}", name, number)

    def _same_entries(self, one: str, entries, other: str, other_entries) -> None:
        for number, (a, b) in enumerate(zip(entries, other_entries), 1):
            if a != b:
                shown = f"{a[0]!r} {' '.join(a[1])} against {b[0]!r} {' '.join(b[1])}"
                message = f"not the same entry as line {number} of {other}: {shown}"
                self.error(message, one, number, f"remove one of the two files: rm {self.path(one)}")
                return
        if len(entries) != len(other_entries):
            self.error(f"{len(entries)} entries, but {other} has {len(other_entries)}", one,
                       mend=f"remove one of the two files: rm {self.path(one)}")  # fmt: skip

    def _questions(self) -> None:
        """extra_questions.txt; and phones on one line of nonsilence_phones.txt must be told apart by some question."""
        name = "extra_questions.txt"
        questions = []
        if os.path.isfile(self.path(name)) and os.path.getsize(self.path(name)):
            for number, line in enumerate(self._lines(name) or [], 1):
                phones = fields(line)
                if not phones:
                    self.error("empty line", name, number)
                for phone in phones:
                    if phone not in self.silence and phone not in self.nonsilence:
                        self.error(f'phone "{phone}" is in no list of phones', name, number)
                questions.append(set(phones))
        if self.ctc:
            return  # CTC has no decision tree: questions do not matter
        together: dict[int, list[str]] = {}
        for phone, number in self.nonsilence.items():
            together.setdefault(number, []).append(phone)
        for number, phones in together.items():
            for k, one in enumerate(phones):
                for other in phones[k + 1 :]:
                    if not any((one in question) != (other in question) for question in questions):
                        self.error(f"phones {one} and {other} share a line (a tree root) but no line of "
                                   "extra_questions.txt tells them apart", "nonsilence_phones.txt", number,
                                   "put each on a line of its own")  # fmt: skip


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _is_probability(text: str) -> bool:
    return 0.0 < _number(text) <= 1.0


def sorted_words(words) -> list[str]:
    """Distinct words in the order of `LC_ALL=C sort`."""
    return sorted(set(words), key=byte_order)
