"""A lang directory with G.fst -> a graph directory with TLG.fst (utils/mkgraph.sh); only what changed is made again."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, read_fst, write_fst
from sidamo.lang import graph as g
from sidamo.lang.grammar import check_grammar
from sidamo.lang.lexicon import fields, read_lines, read_table
from sidamo.lang.prepare import write_text
from sidamo.lang.topology import TOPOLOGIES

BUILDERS = ("pynini", "direct")


@dataclass(frozen=True)
class GraphOptions:
    """Options of utils/mkgraph.sh."""

    builder: str = field(default="pynini", metadata={"help": "pynini: text-book; direct: fast, for n-gram grammars"})
    topo: str = field(default="", metadata={"help": "CTC topology (default: that of the lang directory)"})
    max_states: int = field(default=50_000_000, metadata={"help": "stop where a machine gets more states than this"})
    max_mb: int = field(default=0, metadata={"help": "memory bound in MB; 0: 80% of the machine's memory"})
    force: bool = field(default=False, metadata={"help": "build again even where nothing changed"})


class GraphBuilder:
    """One run of mkgraph."""

    def __init__(self, lang_dir, model_dir, graph_dir, options: GraphOptions):
        self.lang, self.model, self.graph = os.fspath(lang_dir), model_dir, os.fspath(graph_dir)
        self.options = options
        if options.builder not in BUILDERS:
            raise DataError(f"--builder {options.builder}: expected one of {', '.join(BUILDERS)}")
        self.topology = options.topo or self._lang_topology()
        if self.topology not in TOPOLOGIES:
            raise DataError(f"--topo {self.topology}: expected one of {', '.join(TOPOLOGIES)}")

    def _lang_topology(self) -> str:
        path = f"{self.lang}/ctc_topo"
        return fields(read_lines(path)[0])[0] if os.path.isfile(path) else "correct"

    def run(self) -> None:
        for name in ("L_disambig.fst", "G.fst", "words.txt", "phones.txt", "tokens.txt", "T.fst"):
            if not os.path.isfile(f"{self.lang}/{name}"):
                made_by = "utils/format_lm.sh or utils/prepare_grammar.sh" if name == "G.fst" else "utils/prepare_lang.sh"
                raise DataError("no such file", file=f"{self.lang}/{name}", mend=f"make it with {made_by}")
        self.words, self.phones, self.tokens = (read_table(f"{self.lang}/{name}.txt") for name in ("words", "phones", "tokens"))
        self._check_model()
        lg_stamp = self._digest("L_disambig.fst", "G.fst", "phones.txt", "tokens.txt", "words.txt", extra=self.options.builder)
        stamp = self._digest("T.fst", extra=lg_stamp + self.topology)
        if not self.options.force and self._is_current(stamp):
            log.info(f"{self.graph} is up to date")
            return
        os.makedirs(self.graph, exist_ok=True)
        for name in (".done", ".inputs"):
            if os.path.exists(f"{self.graph}/{name}"):
                os.unlink(f"{self.graph}/{name}")
        lg = self._lg(lg_stamp)
        tlg = self._tlg(lg)
        write_fst(f"{self.graph}/TLG.fst", tlg, kind="const")
        self._copy_tables()
        write_text(f"{self.graph}/.inputs", [stamp])
        write_text(f"{self.graph}/.done", [])
        log.info(f"{self.graph}/TLG.fst: {tlg.num_states} states, {tlg.num_arcs} arcs, topology {self.topology}")

    def _digest(self, *names: str, extra: str = "") -> str:
        digest = hashlib.blake2b(extra.encode(), digest_size=16)
        for name in names:
            with open(f"{self.lang}/{name}", "rb") as stream:
                digest.update(hashlib.file_digest(stream, "blake2b").digest() if hasattr(hashlib, "file_digest")
                              else hashlib.blake2b(stream.read()).digest())  # fmt: skip
        return digest.hexdigest()

    def _is_current(self, stamp: str) -> bool:
        path = f"{self.graph}/.inputs"
        complete = all(os.path.isfile(f"{self.graph}/{n}") for n in (".inputs", ".done", "TLG.fst", "LG.fst"))
        return complete and read_lines(path) == [stamp.encode()]

    def _check_model(self) -> None:
        """The network's outputs must be the tokens of this lang directory."""
        path = f"{self.model}/tokens.txt" if self.model else ""
        if not path or not os.path.isfile(path):
            return

        def outputs(table):
            return [symbol for symbol, k in sorted(table.items(), key=lambda item: item[1]) if not symbol.startswith("#")]

        theirs, ours = outputs(read_table(path)), outputs(self.tokens)
        if theirs != ours:
            pairs = [(a, b) for a, b in zip(theirs, ours) if a != b] or [(len(theirs), len(ours))]
            message = f"the model's tokens are not those of the lang directory: {pairs[0][0]!r} against {pairs[0][1]!r}"
            mend = "utils/prepare_lang.sh --phone-symbol-table <the model's lang>/phones.txt, or train a new model"
            raise DataError(message, file=path, mend=mend)

    # ---- LG ----

    def _lg(self, stamp: str) -> CsrFst:
        """LG over token labels; kept in the graph directory with the digest of what it was made from."""
        path, stamp_path = f"{self.graph}/LG.fst", f"{self.graph}/.LG.inputs"
        if not self.options.force and os.path.isfile(path) and os.path.isfile(stamp_path):
            if read_lines(stamp_path) == [stamp.encode()]:
                log.info("LG.fst is up to date")
                return read_fst(path)
        if os.path.exists(stamp_path):
            os.unlink(stamp_path)
        lexicon, grammar = read_fst(f"{self.lang}/L_disambig.fst"), read_fst(f"{self.lang}/G.fst")
        oov = fields(read_lines(f"{self.lang}/oov.txt")[0])[0] if os.path.isfile(f"{self.lang}/oov.txt") else ""
        for remark in check_grammar(grammar, self.words, np.unique(lexicon.olabel), oov, f"{self.lang}/G.fst"):
            log.warn(remark)
        g.check_lexicon(lexicon, self.phones, self.words, f"{self.lang}/L_disambig.fst")
        log.info(f"L {lexicon.num_states} states, {lexicon.num_arcs} arcs; G {grammar.num_states} states, "
                 f"{grammar.num_arcs} arcs")  # fmt: skip
        if self.options.builder == "direct":
            from sidamo.lang.direct import build_lg_direct

            lg = build_lg_direct(lexicon, grammar, self.phones, self.words, self.options.max_states)
        else:
            names = {k: symbol for symbol, k in self.phones.items()}
            lg = g.build_lg(lexicon, grammar, self.options.max_states, names)
        del lexicon, grammar
        lg = g.relabel_to_tokens(lg, self.phones, self.tokens)
        write_fst(path, lg, kind="const")
        write_text(stamp_path, [stamp])
        return lg

    def _tlg(self, lg: CsrFst) -> CsrFst:
        if self.topology in g.SAME_AS_PYNINI:
            tlg = g.expand_topology(lg, self.topology)
        else:
            from sidamo.io.fst import arcsort
            from sidamo.lang.topology import token_fst

            units = [k for symbol, k in self.tokens.items() if k > 1 and not symbol.startswith("#")]
            topology = arcsort(token_fst(self.topology, units), "olabel")  # LG has no disambiguation symbols any more
            tlg = g.compose_topology(topology, lg, self.tokens)
        if tlg.num_states > self.options.max_states:
            mend = "--topo compact or minimal, a pruned language model, or a larger --max-states"
            message = f"TLG has {tlg.num_states} states, more than --max-states {self.options.max_states}"
            raise DataError(message, mend=mend)
        return tlg

    def _copy_tables(self) -> None:
        """What decoding and scoring read besides the graph."""
        for name in ("words.txt", "tokens.txt", "phones.txt"):
            _copy(f"{self.lang}/{name}", f"{self.graph}/{name}")
        os.makedirs(f"{self.graph}/phones", exist_ok=True)
        for name in sorted(os.listdir(f"{self.lang}/phones")):
            if name.split(".")[0] in ("align_lexicon", "word_boundary", "disambig", "silence", "optional_silence"):
                _copy(f"{self.lang}/phones/{name}", f"{self.graph}/phones/{name}")
        write_text(f"{self.graph}/ctc_topo", [self.topology])
        outputs = [symbol for symbol in self.tokens if symbol != "<eps>" and not symbol.startswith("#")]
        write_text(f"{self.graph}/num_tokens", [str(len(outputs))])


def _copy(source: str, target: str) -> None:
    temporary = f"{target}.tmp{os.getpid()}"
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def bound_memory(max_mb: int) -> None:
    """Let this process fail, instead of the machine swap, beyond `max_mb` MB (0: 80% of the memory)."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    if max_mb <= 0:
        max_mb = int(0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = max_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
