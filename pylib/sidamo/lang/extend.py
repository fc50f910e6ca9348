"""New words for a lang directory, without training anything: words.txt, L and (where there is one) G grow at their ends."""

from __future__ import annotations

import math
import os
import shutil

import numpy as np

from sidamo.io import log
from sidamo.io.errors import DataError
from sidamo.io.fst import CsrFst, arcsort, make_csr, read_fst, write_fst
from sidamo.lang import lexicon as lex
from sidamo.lang.lexicon import Entry, fields, read_lines, read_table
from sidamo.lang.lexicon_fst import add_self_loops, lexicon_fst
from sidamo.lang.prepare import _write_sorted, write_text
from sidamo.lang.topology import token_fst


def read_new_entries(path, units) -> list[Entry]:
    """Lines `word [probability] units` for the new words.

    Raises
    ------
    DataError : a unit that the acoustic model does not know, with the line.
    """
    entries = []
    for number, line in enumerate(read_lines(path), 1):
        word, *rest = fields(line) or [""]
        if not word:
            continue
        probability = "1.0"
        if rest and rest[0] not in units and _is_number(rest[0]):
            probability = rest.pop(0)
        if not rest:
            raise DataError(f"word {word!r} without a pronunciation", file=path, line=number)
        for unit in rest:
            if unit not in units:
                raise DataError(f"unit {unit!r} of {word!r} is not in tokens.txt: the acoustic model does not know it",
                                file=path, line=number, mend="spell the word with units of tokens.txt")  # fmt: skip
        entries.append(Entry(word, (probability,), tuple(rest)))
    if not entries:
        raise DataError("no word in it", file=path)
    return entries


def _is_number(text: str) -> bool:
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False


def extend_lang(old: str, lexicon_path: str, new: str, probability: float | None = None) -> int:
    """Copy the lang directory `old` to `new` with the words of a lexicon added; returns how many words are new.

    Ids of words, units and network columns stay. In G the new words share the probability of the unknown word where G
    has it; else each follows any history with `probability` (all together; default 0.001), at the back-off state.

    Raises
    ------
    DataError : a lang directory with silence probabilities per word, unknown units, nothing new.
    """
    words, phones, tokens = (read_table(f"{old}/{name}.txt") for name in ("words", "phones", "tokens"))
    units = [token for token in tokens if token not in ("<eps>", "<blk>") and not token.startswith("#")]
    entries = [Entry(p[0], (p[1],), tuple(p[2:])) for p in map(fields, read_lines(f"{old}/lexiconp.txt"))]
    added = read_new_entries(lexicon_path, set(units))
    known = set(entries)
    added = [entry for entry in added if entry not in known]
    fresh = list(dict.fromkeys(entry.word for entry in added if entry.word not in words))
    if not added:
        raise DataError("every line of it is in the lexicon already", file=lexicon_path)
    for word in fresh:
        words[word] = max(words.values()) + 1
    silence = _silence_of(read_fst(f"{old}/L_disambig.fst"), phones)
    _copy_tree(old, new)
    entries += added
    marked, highest = lex.add_disambig(entries)
    _grow_disambig(new, phones, tokens, max(highest + 1, *(int(s[1:]) for s in phones if s[1:].isdigit() and s[0] == "#")))
    write_text(f"{new}/words.txt", [f"{word} {k}" for word, k in words.items()])
    write_text(f"{new}/lexiconp.txt", [" ".join((e.word, *e.numbers, *e.phones)) for e in entries])
    _write_lexicons(new, entries, marked, silence, phones, words)
    _write_alignment(new, added, words, phones)
    symbols = [symbol for symbol in tokens if symbol.startswith("#")]
    topology = fields(read_lines(f"{new}/ctc_topo")[0])[0]
    _write_sorted(f"{new}/T.fst", token_fst(topology, [phones[u] for u in units], [phones[s] for s in symbols]))
    if os.path.exists(f"{old}/G.fst"):
        oov = fields(read_lines(f"{old}/oov.txt")[0])[0]
        grammar = extend_grammar(read_fst(f"{old}/G.fst"), [words[w] for w in fresh], words.get(oov, -1), probability)
        write_fst(f"{new}/G.fst", grammar)
    return len(fresh)


def _silence_of(lexicon: CsrFst, phones) -> tuple[float, str]:
    """(probability of optional silence, its unit) of L as prepare_lang makes it."""
    src = lexicon.arc_sources()
    leaving = np.unique(src[(lexicon.olabel > 0) & (lexicon.nextstate != src)])
    first = lexicon.arcs_of(lexicon.start)
    silent = (lexicon.ilabel[first] == 0) & (lexicon.olabel[first] == 0)
    if len(leaving) > 1 and lexicon.start not in leaving.tolist():
        raise DataError("a lexicon with silence probabilities for each word cannot be extended",
                        mend="add the words to the dictionary and run utils/prepare_lang.sh")  # fmt: skip
    if not np.any(silent):
        return 0.0, ""
    to_silence = [k for k in range(first.start, first.stop) if lexicon.nextstate[k] not in leaving.tolist()]
    arc = to_silence[0]
    names = {k: symbol for symbol, k in phones.items()}
    unit = int(lexicon.ilabel[lexicon.offsets[lexicon.nextstate[arc]]])
    return math.exp(-float(lexicon.weight[arc])), names[unit]


def _copy_tree(old: str, new: str) -> None:
    if os.path.realpath(old) == os.path.realpath(new):
        raise DataError("the old and the new lang directory are the same", file=new)
    os.makedirs(new, exist_ok=True)
    for name in os.listdir(old):
        if os.path.isdir(f"{old}/{name}"):
            shutil.copytree(f"{old}/{name}", f"{new}/{name}", dirs_exist_ok=True)
        else:
            shutil.copyfile(f"{old}/{name}", f"{new}/{name}")


def _grow_disambig(new: str, phones, tokens, highest: int) -> None:
    """#0 ... #highest in phones.txt, tokens.txt and phones/disambig.*; new ones at the ends, so that no number changes."""
    for k in range(highest + 1):
        for table in (phones, tokens):
            if f"#{k}" not in table:
                table[f"#{k}"] = max(table.values()) + 1
    symbols = [symbol for symbol in phones if symbol.startswith("#")]
    ids = [str(phones[symbol]) for symbol in symbols]
    for name, table in (("phones.txt", phones), ("tokens.txt", tokens)):
        write_text(f"{new}/{name}", [f"{symbol} {k}" for symbol, k in table.items()])
    write_text(f"{new}/phones/disambig.txt", symbols)
    write_text(f"{new}/phones/disambig.int", ids)
    write_text(f"{new}/phones/disambig.csl", [":".join(ids)])


def _write_lexicons(new: str, entries, marked, silence, phones, words) -> None:
    sil_prob, sil_phone = silence
    last = max((symbol for symbol in phones if symbol[0] == "#" and symbol[1:].isdigit()), key=lambda s: int(s[1:]))
    plain = lexicon_fst(lex.lexicon_arcs(entries, sil_prob, sil_phone), phones, words)
    _write_sorted(f"{new}/L.fst", plain)
    fst = lexicon_fst(lex.lexicon_arcs(marked, sil_prob, sil_phone, last), phones, words)
    symbols = [symbol for line in read_lines(f"{new}/phones/wdisambig.txt") for symbol in fields(line)]
    fst = add_self_loops(fst, [phones[s] for s in symbols], [words[s] for s in symbols])
    _write_sorted(f"{new}/L_disambig.fst", fst)
    for name, table in (("phones", phones), ("words", words)):
        write_text(f"{new}/phones/wdisambig_{name}.int", [str(table[symbol]) for symbol in symbols])


def _write_alignment(new: str, added, words, phones) -> None:
    path = f"{new}/phones/align_lexicon"
    rows = {line.decode("utf-8", "surrogateescape") for line in read_lines(f"{path}.txt")}
    rows |= {" ".join((entry.word, entry.word, *entry.phones)) for entry in added}
    rows = sorted(rows, key=lex.byte_order)
    write_text(f"{path}.txt", rows)
    split = [row.split(" ") for row in rows]
    integers = [[*(words[w] for w in row[:2]), *(phones[p] for p in row[2:])] for row in split]
    write_text(f"{path}.int", [" ".join(map(str, row)) for row in integers])


def extend_grammar(grammar: CsrFst, new_words: list[int], oov: int, probability: float | None = None) -> CsrFst:
    """G in which the new words share the arcs of the unknown word, or hang at the state without a back-off arc."""
    if not new_words:
        return grammar
    src, count = grammar.arc_sources(), len(new_words)
    arcs = np.flatnonzero(grammar.ilabel == oov)
    if probability is None and len(arcs):
        heads, dst = src[arcs], grammar.nextstate[arcs]
        cost = grammar.weight[arcs] + np.float32(math.log(count))
    else:
        words_only = np.ones(grammar.num_states, bool)
        words_only[src[grammar.olabel == 0]] = False  # these back off
        widest = int(np.argmax(np.where(words_only, np.diff(grammar.offsets), -1)))
        heads, dst = np.array([widest]), np.array([widest])
        cost = np.array([math.log(count) - math.log(probability or 0.001)])
        log.info(f"new words have the probability {(probability or 0.001) / count:.3g} each in state {widest} of G")
    extra = [np.repeat(column, count) for column in (heads, cost, dst)]
    labels = np.tile(new_words, len(heads))
    fst = make_csr(
        grammar.num_states, np.concatenate([src, extra[0]]), np.concatenate([grammar.ilabel, labels]),
        np.concatenate([grammar.olabel, labels]), np.concatenate([grammar.weight, extra[1]]),
        np.concatenate([grammar.nextstate, extra[2]]), grammar.final, start=grammar.start,
    )  # fmt: skip
    return arcsort(fst, "ilabel")
