"""Checks of a lang directory (Kaldi utils/validate_lang.pl, and what CTC adds)."""

from __future__ import annotations

import os

import numpy as np

from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, read_fst
from sidamo.lang.grammar import check_grammar
from sidamo.lang.graph import check_lexicon
from sidamo.lang.lexicon import fields, read_lines, read_table

LISTS = ("silence", "nonsilence", "optional_silence", "disambig", "context_indep")


class LangChecker:
    """Collects what is wrong with a lang directory; `run` prints it and returns whether all is well."""

    def __init__(self, directory, quiet: bool = False, skip_determinization: bool = False, skip_disambig: bool = False):
        self.directory, self.quiet = os.fspath(directory).rstrip("/"), quiet
        self.skip_determinization, self.skip_disambig = skip_determinization, skip_disambig
        self.num_errors = 0

    def path(self, name: str) -> str:
        return f"{self.directory}/{name}"

    def error(self, message: str, name: str = "", mend: str = "") -> None:
        self.num_errors += 1
        print(f"--> ERROR: {self.path(name)}: {message}" + (f"\n      to mend: {mend}" if mend else ""))

    def run(self) -> bool:
        for check in (self._tables, self._lists, self._oov, self._lexicons, self._grammar, self._tokens):
            try:
                check()
            except DataError as problem:
                self.num_errors += 1
                print(f"--> ERROR: {problem}")
                if check == self._tables:
                    break
        if self.num_errors:
            print(f"--> ERROR validating lang directory {self.directory} (see the {self.num_errors} above)")
        elif not self.quiet:
            print(f"--> SUCCESS [validating lang directory {self.directory}]")
        return self.num_errors == 0

    def _tables(self) -> None:
        self.phones, self.words = read_table(self.path("phones.txt")), read_table(self.path("words.txt"))
        for table, name in ((self.phones, "phones.txt"), (self.words, "words.txt")):
            if table.get("<eps>") != 0:
                self.error("<eps> must have the number 0", name)
            if "#0" not in table and not self.skip_disambig:
                self.error("no #0, which back-off arcs of a grammar need", name, "utils/prepare_lang.sh")
            if len(set(table.values())) != len(table):
                self.error("a number that two symbols have", name)

    def _lists(self) -> None:
        sets = {}
        for name in LISTS:
            file = f"phones/{name}.txt"
            symbols = [symbol for line in read_lines(self.path(file)) for symbol in fields(line)]
            sets[name] = set(symbols)
            unknown = [symbol for symbol in symbols if symbol not in self.phones]
            if unknown:
                self.error(f"{unknown[0]!r} is not in phones.txt", file)
                continue
            wanted = [str(self.phones[symbol]) for symbol in symbols]
            integers = [text for line in read_lines(self.path(f"phones/{name}.int")) for text in fields(line)]
            if integers != wanted:
                self.error(f"does not correspond to {name}.txt", f"phones/{name}.int", "utils/prepare_lang.sh")
            if b"".join(read_lines(self.path(f"phones/{name}.csl"))).decode() != ":".join(wanted):
                self.error(f"does not correspond to {name}.txt", f"phones/{name}.csl", "utils/prepare_lang.sh")
        for one, other in (("silence", "nonsilence"), ("silence", "disambig"), ("nonsilence", "disambig")):
            for symbol in sorted(sets[one] & sets[other])[:1]:
                self.error(f"{symbol!r} is also in {other}.txt", f"phones/{one}.txt")
        listed = sets["silence"] | sets["nonsilence"] | sets["disambig"] | {"<eps>"}
        for symbol in sorted(set(self.phones) - listed)[:1]:
            self.error(f"{symbol!r} is in no list of phones", "phones.txt")
        if not self.skip_disambig and not {"#0", "#1"} <= sets["disambig"]:
            self.error("#0 and #1 must be there", "phones/disambig.txt", "utils/prepare_lang.sh")
        for name in ("sets", "extra_questions", "word_boundary"):
            self._integer_rows(name, skip=0)
        self._integer_rows("roots", skip=2)

    def _integer_rows(self, name: str, skip: int) -> None:
        if not os.path.exists(self.path(f"phones/{name}.txt")):
            return
        rows = [fields(line) for line in read_lines(self.path(f"phones/{name}.txt"))]
        for row in rows:
            symbols = row[:1] if name == "word_boundary" else row[skip:]
            for symbol in symbols:
                if symbol not in self.phones:
                    self.error(f"{symbol!r} is not in phones.txt", f"phones/{name}.txt")
                    return
        if name == "word_boundary":
            wanted = [[str(self.phones[row[0]]), *row[1:]] for row in rows]
        else:
            wanted = [row[:skip] + [str(self.phones[symbol]) for symbol in row[skip:]] for row in rows]
        if [fields(line) for line in read_lines(self.path(f"phones/{name}.int"))] != wanted:
            self.error(f"does not correspond to {name}.txt", f"phones/{name}.int", "utils/prepare_lang.sh")

    def _oov(self) -> None:
        words = [word for line in read_lines(self.path("oov.txt")) for word in fields(line)]
        if len(words) != 1 or words[0] not in self.words:
            self.error(f"expected one word of words.txt, found {' '.join(words)!r}", "oov.txt")
        elif [text for line in read_lines(self.path("oov.int")) for text in fields(line)] != [str(self.words[words[0]])]:
            self.error("does not correspond to oov.txt", "oov.int")
        self.oov = words[0] if words else ""

    def _lexicons(self) -> None:
        for name in ("L.fst", "L_disambig.fst"):
            fst = read_fst(self.path(name))
            if not _is_sorted(fst):
                self.error("not sorted by output label", name, f"fstarcsort --sort_type=olabel {self.path(name)} ...")
            for labels, table, what in ((fst.ilabel, self.phones, "phones.txt"), (fst.olabel, self.words, "words.txt")):
                unknown = np.setdiff1d(labels, list(table.values()))
                if len(unknown):
                    self.error(f"label {unknown[0]} is not in {what}", name, "utils/prepare_lang.sh")
            if not np.any(np.isfinite(fst.final)):
                self.error("accepts nothing: no final state", name)
        if not self.skip_determinization and not self.skip_disambig:
            check_lexicon(fst, self.phones, self.words, self.path("L_disambig.fst"))
        self.lexicon = fst

    def _grammar(self) -> None:
        if not os.path.exists(self.path("G.fst")):
            return
        grammar = read_fst(self.path("G.fst"))
        pronounced = set(np.unique(self.lexicon.olabel).tolist())
        check_grammar(grammar, self.words, pronounced, self.oov, self.path("G.fst"))

    def _tokens(self) -> None:
        if not os.path.exists(self.path("tokens.txt")):
            return  # a lang directory of Kaldi's own
        tokens = read_table(self.path("tokens.txt"))
        if tokens.get("<eps>") != 0 or tokens.get("<blk>") != 1:
            self.error("expected <eps> 0 and <blk> 1", "tokens.txt", "utils/prepare_lang.sh")
        if sorted(tokens.values()) != list(range(len(tokens))):
            self.error("the numbers are not 0, 1, 2, ...: the network has a column for each", "tokens.txt")
        for symbol in tokens:
            if symbol not in ("<eps>", "<blk>") and symbol not in self.phones:
                self.error(f"{symbol!r} is not in phones.txt", "tokens.txt")
        topology = read_fst(self.path("T.fst"))
        outputs = {symbol for symbol in tokens if symbol not in ("<eps>", "<blk>")}
        written = set(np.unique(topology.olabel).tolist()) - {0}
        if written != {self.phones[symbol] for symbol in outputs if symbol in self.phones}:
            self.error("does not write just the units of tokens.txt", "T.fst", "utils/prepare_lang.sh")


def _is_sorted(fst: CsrFst) -> bool:
    keys = (fst.arc_sources().astype(np.int64) << 32) | fst.olabel
    return bool(np.all(keys[1:] >= keys[:-1]))
