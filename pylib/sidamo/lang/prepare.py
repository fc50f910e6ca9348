"""Dictionary directory -> lang directory: symbol tables, lists of phones, L, and for CTC the tokens and T.

The files and their contents are those of Kaldi's utils/prepare_lang.sh, byte for byte; `tokens.txt`, `T.fst`,
`ctc_topo` and `lexiconp.txt` are added.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, field

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import arcsort, count_properties, write_fst
from sidamo.lang import lexicon as lex
from sidamo.lang.dict_dir import DictChecker, sorted_words
from sidamo.lang.lexicon import EPS, Entry, fields, read_lines
from sidamo.lang.lexicon_fst import add_self_loops, lexicon_fst
from sidamo.lang.topology import TOPOLOGIES, token_fst

MAX_CORRECT_UNITS = 2000  # the correct topology has V (V + 2) arcs: 4 million here


@dataclass(frozen=True)
class PrepareOptions:
    """Options of utils/prepare_lang.sh; the defaults are Kaldi's."""

    ctc: bool = field(default=False, metadata={"help": "silence optional; no word positions unless asked for"})
    position_dependent_phones: str = field(default="", metadata={"help": "true or false (default: not ctc)"})
    sil_prob: str = field(default="", metadata={"help": "probability of optional silence (default: 0.5; ctc: 0.0)"})
    num_sil_states: int = field(default=5, metadata={"help": "HMM states of a silence phone"})
    num_nonsil_states: int = field(default=3, metadata={"help": "HMM states of a phone"})
    share_silence_phones: bool = field(default=False, metadata={"help": "silence phones share their densities"})
    share_state_roots: bool = field(default=True, metadata={"help": "one tree root for all states of a phone"})
    phone_symbol_table: str = field(default="", metadata={"help": "use this phones.txt"})
    extra_word_disambig_syms: str = field(default="", metadata={"help": "file of further symbols like #0"})
    num_extra_phone_disambig_syms: int = field(default=1, metadata={"help": "symbols after those of the lexicon"})
    unk_fst: str = field(default="", metadata={"help": "unit-level model of the unknown word (make_unk_lm.sh)"})
    topo: str = field(default="correct", metadata={"help": "CTC topology: " + "|".join(TOPOLOGIES)})

    def resolved(self) -> tuple[bool, float]:
        """(position_dependent_phones, sil_prob) with the defaults filled in."""
        text = self.position_dependent_phones or ("false" if self.ctc else "true")
        if text not in ("true", "false"):
            raise DataError(f"--position-dependent-phones {text}: expected true or false")
        try:
            sil_prob = float(self.sil_prob or ("0.0" if self.ctc else "0.5"))
        except ValueError:
            raise DataError(f"--sil-prob {self.sil_prob}: expected a number") from None
        if not 0.0 <= sil_prob < 1.0:
            raise DataError(f"--sil-prob {self.sil_prob}: expected 0 <= p < 1")
        if self.topo not in TOPOLOGIES:
            raise DataError(f"--topo {self.topo}: expected one of {', '.join(TOPOLOGIES)}")
        return text == "true", sil_prob


def write_text(path, lines) -> None:
    """Lines (without newlines) to a file, under a temporary name until it is complete."""
    temporary = f"{path}.tmp{os.getpid()}"
    with open(temporary, "wb") as stream:
        stream.write("".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"))
    os.replace(temporary, path)


class LangBuilder:
    """One run of prepare_lang; the attributes are the tables under construction."""

    def __init__(self, dict_dir, oov_word: str, tmp_dir, lang_dir, options: PrepareOptions):
        self.source, self.oov_word = os.fspath(dict_dir).rstrip("/"), oov_word
        self.tmp, self.lang, self.options = os.fspath(tmp_dir).rstrip("/"), os.fspath(lang_dir).rstrip("/"), options
        self.positions, self.sil_prob = options.resolved()
        self.has_silprob = os.path.isfile(f"{self.source}/lexiconp_silprob.txt")

    def run(self) -> None:
        """All of it, in the order in which the files depend on each other."""
        self.check_dict()
        os.makedirs(f"{self.lang}/phones", exist_ok=True)
        os.makedirs(self.tmp, exist_ok=True)
        if os.path.exists(f"{self.lang}/.done"):
            os.unlink(f"{self.lang}/.done")
        self.complete_lexicons()
        self.read_phones()
        self.read_pronunciations()
        self.disambiguate()
        self.phone_lists()
        self.symbol_tables()
        self.word_files()
        self.integer_files()
        self.hmm_topology()
        self.lexicon_fsts()
        self.token_files()
        write_text(f"{self.lang}/.done", [])

    def check_dict(self) -> None:
        checker = DictChecker(self.source, self.options.ctc, report=lambda line: print(line, file=sys.stderr))
        if not checker.run():
            raise DataError(f"{checker.num_errors} errors in the dictionary directory", file=self.source)
        for name in ("unk_fst", "extra_word_disambig_syms", "phone_symbol_table"):
            value = getattr(self.options, name)
            if value and not os.path.isfile(value):
                raise DataError(f"the file of --{name.replace('_', '-')} does not exist", file=value)

    def complete_lexicons(self) -> None:
        """lexicon.txt from lexiconp.txt or the other way round, in the source directory as Kaldi does."""
        plain, weighted = f"{self.source}/lexicon.txt", f"{self.source}/lexiconp.txt"
        if not os.path.isfile(plain):
            self.plain_lines = [re.sub(rb"^(\s*\S+\s+)\S+\s+(.+)", rb"\1\2", line) for line in read_lines(weighted)]
            self._try_write(plain, self.plain_lines)
        if os.path.isfile(weighted):
            self.lexiconp_lines = read_lines(weighted)
        else:
            self.lexiconp_lines = [re.sub(rb"^(\s*\S+\s+)(.+)", rb"\g<1>1.0\t\2", line) for line in read_lines(plain)]
            self._try_write(weighted, self.lexiconp_lines)

    @staticmethod
    def _try_write(path: str, lines: list[bytes]) -> None:
        try:
            write_text(path, [line.decode("utf-8", "surrogateescape") for line in lines])
        except OSError as error:
            log.warn(f"{path} is not written ({error.strerror}); it is not needed here")

    def read_phones(self) -> None:
        def groups(name):
            path = f"{self.source}/{name}"
            return [fields(line) for line in read_lines(path)] if os.path.isfile(path) else []

        self.silence_groups = groups("silence_phones.txt")
        self.nonsilence_groups = groups("nonsilence_phones.txt")
        optional = [phone for group in groups("optional_silence.txt") for phone in group]
        self.sil_phone = optional[0] if optional else ""
        if not self.sil_phone and (self.sil_prob > 0 or self.has_silprob):
            raise DataError("no optional silence, but the silence probability is not 0",
                            file=f"{self.source}/optional_silence.txt", mend="--sil-prob 0.0")  # fmt: skip
        self.phone_map: dict[str, list[str]] = {}
        for group in self.silence_groups:
            for phone in group:
                self.phone_map[phone] = [phone + mark for mark in ("", "_B", "_E", "_I", "_S")]
        for group in self.nonsilence_groups:
            for phone in group:
                self.phone_map[phone] = [phone + mark for mark in ("_B", "_E", "_I", "_S")]
        if self.positions:
            rows = [f"{phone} {' '.join(variants)} " for phone, variants in self.phone_map.items()]
        else:
            self.phone_map = {phone: [phone] for phone in self.phone_map}
            rows = [f"{phone} {phone}" for phone in self.phone_map]
        write_text(f"{self.tmp}/phone_map.txt", rows)

    def read_pronunciations(self) -> None:
        """self.entries: pronunciations with their probabilities, marked with word positions on request."""
        if self.has_silprob:
            self.entries = lex.read_lexicon(f"{self.source}/lexiconp_silprob.txt", 4)
            source_lines = read_lines(f"{self.source}/lexiconp_silprob.txt")
            name = "lexiconp_silprob.txt"
        else:
            self.entries = [Entry(parts[0], (parts[1],), tuple(parts[2:])) for parts in map(fields, self.lexiconp_lines)]
            source_lines = self.lexiconp_lines
            name = "lexiconp.txt"
        if self.positions:
            self.entries = [entry._replace(phones=lex.mark_positions(entry.phones)) for entry in self.entries]
            rows = [" ".join((entry.word, *entry.numbers, *entry.phones)) for entry in self.entries]
        else:
            rows = [line.decode("utf-8", "surrogateescape") for line in source_lines]
        if self.options.unk_fst:
            from sidamo.lang.unk import modify_unk_entries

            self.entries = modify_unk_entries(self.entries, self.oov_word)
            rows = [" ".join((entry.word, *entry.numbers, *entry.phones)) for entry in self.entries]
        write_text(f"{self.tmp}/{name}", rows)
        if self.has_silprob:
            rows = ["".join(f"{part}\t" for part in (e.word, e.numbers[0], *e.phones)) for e in self.entries]
            write_text(f"{self.tmp}/lexiconp.txt", rows)

    def disambiguate(self) -> None:
        self.marked, highest = lex.add_disambig(self.entries, 4 if self.options.unk_fst else 1)
        name = "lexiconp_silprob_disambig.txt" if self.has_silprob else "lexiconp_disambig.txt"
        rows = ["\t".join((entry.word, *entry.numbers, " ".join(entry.phones))) for entry in self.marked]
        write_text(f"{self.tmp}/{name}", rows)
        self.num_disambig = highest + self.options.num_extra_phone_disambig_syms
        write_text(f"{self.tmp}/lex_ndisambig", [str(self.num_disambig)])
        extra = self.options.extra_word_disambig_syms
        self.extra_symbols = [parts[0] for parts in map(fields, read_lines(extra)) if parts] if extra else []
        for symbol in self.extra_symbols:
            if not symbol.startswith("#") or re.fullmatch(r"#\d+", symbol):
                raise DataError(f"disambiguation symbol {symbol!r}; expected # and a name that is not a number", file=extra)
        self.disambig = [f"#{k}" for k in range(self.num_disambig + 1)] + self.extra_symbols

    def _map(self, phones) -> list[str]:
        return [variant for phone in phones for variant in self.phone_map[phone]]

    def phone_lists(self) -> None:
        """phones/*.txt: the sets of phones that trees and decoders ask for."""
        self.silence = [phone for group in self.silence_groups for phone in self._map(group)]
        self.nonsilence = [phone for group in self.nonsilence_groups for phone in self._map(group)]
        groups = [*self.silence_groups, *self.nonsilence_groups]
        if self.options.share_silence_phones and self.silence_groups:
            groups = [[phone for group in self.silence_groups for phone in group], *self.nonsilence_groups]
        sets = [" ".join(self._map(group)) for group in groups]
        share = "shared" if self.options.share_state_roots else "not-shared"
        roots = [f"{share} split {phones}" for phones in sets]
        if self.options.share_silence_phones and self.silence_groups:
            roots[0] = f"not-shared not-split {sets[0]}"
        path = f"{self.source}/extra_questions.txt"
        questions = [" ".join(self._map(fields(line))) for line in read_lines(path)] if os.path.isfile(path) else []
        if self.positions:
            for name, marks in (("nonsilence", POSITION_MARKS), ("silence", ("", *POSITION_MARKS))):
                bare = [phone for group in getattr(self, name + "_groups") for phone in group]
                questions += ["".join(f"{phone}{mark} " for phone in bare) for mark in marks]
        lists = {
            "sets": sets, "roots": roots, "silence": self.silence, "nonsilence": self.nonsilence,
            "context_indep": self.silence, "optional_silence": [self.sil_phone] if self.sil_phone else [],
            "extra_questions": questions, "disambig": self.disambig, "wdisambig": ["#0", *self.extra_symbols],
        }  # fmt: skip
        path = f"{self.source}/word_boundary.txt"
        if self.positions:
            kinds = {"_I": "internal", "_B": "begin", "_S": "singleton", "_E": "end"}
            lists["word_boundary"] = [f"{p} {kinds.get(p[-2:], 'nonword')}" for p in (*self.silence, *self.nonsilence)]
        elif os.path.isfile(path):
            lists["word_boundary"] = [line.decode("utf-8", "surrogateescape") for line in read_lines(path)]
        self.lists = lists
        for name, rows in lists.items():
            write_text(f"{self.lang}/phones/{name}.txt", rows)

    def symbol_tables(self) -> None:
        phones = [EPS, *self.silence, *self.nonsilence]
        if self.options.phone_symbol_table:
            self.phone_ids = self._given_phone_table(phones)
        else:
            self.phone_ids = {phone: k for k, phone in enumerate([*phones, *self.disambig])}
        write_text(f"{self.lang}/phones.txt", [f"{phone} {k}" for phone, k in self.phone_ids.items()])
        words = sorted_words(entry.word for entry in self.entries)
        if self.oov_word not in words:
            if not self.options.ctc:
                path = f"{self.source}/lexicon.txt"
                message = f"the word for unknown words, {self.oov_word!r}, has no pronunciation"
                raise DataError(message, file=path, mend=f'echo "{self.oov_word} SPN" >> {path}, or --ctc true')
            words = sorted_words([*words, self.oov_word])  # nothing can be heard as it, but texts may hold it
        for word in words:
            if word in ("<s>", "</s>", EPS, "#0"):
                raise DataError(f"word {word} is reserved", file=f"{self.source}/lexicon.txt")
        words = [EPS, *words, "#0", "<s>", "</s>", *self.extra_symbols]
        self.word_ids = {word: k for k, word in enumerate(words)}
        write_text(f"{self.lang}/words.txt", [f"{word} {k}" for word, k in self.word_ids.items()])

    def _given_phone_table(self, phones) -> dict[str, int]:
        path = self.options.phone_symbol_table
        table = {}
        for number, line in enumerate(read_lines(path), 1):
            parts = fields(line)
            if len(parts) != 2 or not parts[1].isdigit():
                raise DataError(f"found {line!r}; expected a symbol and a number", file=path, line=number)
            table[parts[0]] = int(parts[1])
        missing = [phone for phone in phones if phone not in table]
        if missing:
            raise DataError(f"phone {missing[0]!r} of the dictionary is not in the table", file=path,
                            mend="the same --position-dependent-phones as when the table was made, or a new phone "
                                 "list and a new acoustic model")  # fmt: skip
        if "#0" not in table:
            raise DataError("no #0 in the table", file=path)
        ids = dict(sorted(((phone, table[phone]) for phone in phones), key=lambda item: item[1]))
        ids.update({symbol: table["#0"] + k for k, symbol in enumerate(self.disambig)})
        return ids

    def word_files(self) -> None:
        """oov, align_lexicon; and lexiconp.txt, from which text-to-tokens and the builders work."""
        write_text(f"{self.lang}/oov.txt", [self.oov_word])
        write_text(f"{self.lang}/oov.int", [str(self.word_ids[self.oov_word])])
        rows = {" ".join((entry.word, entry.word, *entry.phones)) for entry in self.entries}
        if self.sil_phone:
            rows.add(f"{EPS} {EPS} {self.sil_phone}")
        rows = sorted(rows, key=lex.byte_order)
        write_text(f"{self.lang}/phones/align_lexicon.txt", rows)
        integers = []
        for row in rows:
            word, _, *phones = row.split(" ")
            ids = [self.word_ids[word]] * 2 + [self.phone_ids[phone] for phone in phones]
            integers.append(" ".join(map(str, ids)))
        write_text(f"{self.lang}/phones/align_lexicon.int", integers)
        write_text(f"{self.lang}/lexiconp.txt",
                   [" ".join((e.word, e.numbers[0], *e.phones)) for e in self.entries])  # fmt: skip

    def integer_files(self) -> None:
        def integers(symbols, table=self.phone_ids):
            return [str(table[symbol]) for symbol in symbols]

        write_text(f"{self.lang}/phones/wdisambig_phones.int", integers(self.lists["wdisambig"]))
        write_text(f"{self.lang}/phones/wdisambig_words.int", integers(self.lists["wdisambig"], self.word_ids))
        for name in ("silence", "nonsilence", "optional_silence", "disambig", "context_indep"):
            ids = integers(self.lists[name])
            write_text(f"{self.lang}/phones/{name}.int", ids)
            write_text(f"{self.lang}/phones/{name}.csl", [":".join(ids)])
        for name in ("sets", "extra_questions"):
            write_text(f"{self.lang}/phones/{name}.int", [" ".join(integers(row.split())) for row in self.lists[name]])
        rows = [row.split() for row in self.lists["roots"]]
        write_text(f"{self.lang}/phones/roots.int", [" ".join(row[:2] + integers(row[2:])) for row in rows])
        if "word_boundary" in self.lists:
            rows = [row.split() for row in self.lists["word_boundary"]]
            write_text(f"{self.lang}/phones/word_boundary.int", [" ".join(integers(r[:1]) + r[1:]) for r in rows])

    def hmm_topology(self) -> None:
        """Kaldi's HMM topology file, for what reads a lang directory with HMMs in mind (CTC does not)."""
        nonsilence = " ".join(str(self.phone_ids[phone]) for phone in self.nonsilence)
        silence = " ".join(str(self.phone_ids[phone]) for phone in self.silence)
        rows = ["<Topology>"]
        rows += _topology_entry(nonsilence, _left_to_right(self.options.num_nonsil_states))
        if silence:
            if self.options.num_sil_states < 3:
                raise DataError(f"--num-sil-states {self.options.num_sil_states}: expected 3 or more")
            rows += _topology_entry(silence, _silence_states(self.options.num_sil_states))
        write_text(f"{self.lang}/topo", [*rows, "</Topology>"])

    def lexicon_fsts(self) -> None:
        """L.fst without, L_disambig.fst with disambiguation symbols and loops that let #0 of the grammar through."""
        symbol = f"#{self.num_disambig}"
        if self.has_silprob:
            silprobs = lex.read_silprobs(f"{self.source}/silprob.txt")
            plain = lex.lexicon_arcs_silprob(self.entries, silprobs, self.sil_phone)
            marked = lex.lexicon_arcs_silprob(self.marked, silprobs, self.sil_phone, symbol)
        else:
            plain = lex.lexicon_arcs(self.entries, self.sil_prob, self.sil_phone)
            marked = lex.lexicon_arcs(self.marked, self.sil_prob, self.sil_phone, symbol)
        if self.options.unk_fst:
            from sidamo.lang.unk import insert_unk_model

            plain = insert_unk_model(plain, self.options.unk_fst, keep_marks=False)
            marked = insert_unk_model(marked, self.options.unk_fst, keep_marks=True)
        fst = lexicon_fst(plain, self.phone_ids, self.word_ids)
        _write_sorted(f"{self.lang}/L.fst", fst)
        fst = lexicon_fst(marked, self.phone_ids, self.word_ids)
        symbols = self.lists["wdisambig"]
        fst = add_self_loops(fst, [self.phone_ids[s] for s in symbols], [self.word_ids[s] for s in symbols])
        _write_sorted(f"{self.lang}/L_disambig.fst", fst)

    def token_files(self) -> None:
        """tokens.txt, T.fst, ctc_topo. Only units that some pronunciation uses: no network output stays untrained."""
        used = {phone for entry in self.entries for phone in entry.phones}
        if self.options.unk_fst:
            used -= set(self.disambig)
        if self.sil_prob > 0 or self.has_silprob:
            used.add(self.sil_phone)
        units = [phone for phone in (*self.silence, *self.nonsilence) if phone in used]
        tokens = [EPS, "<blk>", *units, *self.disambig]
        write_text(f"{self.lang}/tokens.txt", [f"{token} {k}" for k, token in enumerate(tokens)])
        write_text(f"{self.lang}/ctc_topo", [self.options.topo])
        if self.options.topo == "correct" and len(units) > MAX_CORRECT_UNITS:
            raise DataError(f"T.fst of the correct topology would have {len(units) * (len(units) + 2)} arcs for "
                            f"{len(units)} units", mend="--topo compact accepts the same with few arcs")  # fmt: skip
        fst = token_fst(self.options.topo, [self.phone_ids[unit] for unit in units],
                        [self.phone_ids[symbol] for symbol in self.disambig])  # fmt: skip
        _write_sorted(f"{self.lang}/T.fst", fst)


POSITION_MARKS = ("_B", "_E", "_I", "_S")


def _write_sorted(path: str, fst) -> None:
    """Output-label sorted, with the property bits that fstcompile | fstarcsort leaves."""
    fst = arcsort(fst, "olabel")
    write_fst(path, fst, properties=count_properties(fst, "olabel"))


def _topology_entry(phones: str, states: list[str]) -> list[str]:
    return ["<TopologyEntry>", "<ForPhones>", phones, "</ForPhones>", *states, "</TopologyEntry>"]


def _state(number: int, transitions: list[tuple[int, float]]) -> str:
    arcs = "".join(f"<Transition> {to} {probability:.15g} " for to, probability in transitions)
    return f"<State> {number} <PdfClass> {number} {arcs}</State>"


def _left_to_right(num_states: int) -> list[str]:
    rows = [_state(k, [(k, 0.75), (k + 1, 0.25)]) for k in range(num_states)]
    return [*rows, f"<State> {num_states} </State>"]


def _silence_states(num_states: int) -> list[str]:
    """All but the first and the last state are connected with each other (Kaldi utils/gen_topo.pl)."""
    p = 1.0 / (num_states - 1)
    rows = [_state(0, [(k, p) for k in range(num_states - 1)])]
    rows += [_state(k, [(j, p) for j in range(1, num_states)]) for k in range(1, num_states - 1)]
    rows.append(_state(num_states - 1, [(num_states - 1, 0.75), (num_states, 0.25)]))
    return [*rows, f"<State> {num_states} </State>"]


def prepare_lang(dict_dir, oov_word: str, tmp_dir, lang_dir, options: PrepareOptions | None = None) -> None:
    """Make the lang directory `lang_dir` from the dictionary directory `dict_dir` (see utils/prepare_lang.sh).

    Raises
    ------
    DataError : the dictionary is bad (all its errors are printed first), or an option is.
    """
    LangBuilder(dict_dir, oov_word, tmp_dir, lang_dir, options or PrepareOptions()).run()
