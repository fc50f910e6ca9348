"""The command lines of Kaldi's make_lexicon_fst.pl, make_lexicon_fst.py, add_lex_disambig.pl. Standard library only."""

from __future__ import annotations

import math
import os

from sidamo.io.errors import DataError, UsageError
from sidamo.lang.lexicon import EPS, Entry, LexiconArcs, add_disambig, lexicon_arcs, read_lexicon


def add_disambig_command(script: str, argv: list[str]) -> None:
    """add_lex_disambig.pl [--pron-probs] [--sil-probs] [--first-allowed-disambig N] <lexicon> <lexicon-disambig>"""
    num_numbers, first_allowed = 0, 1
    while argv and argv[0].startswith("--"):
        option = argv.pop(0).replace("_", "-")
        name, _, value = option.partition("=")
        if name == "--pron-probs":
            num_numbers += 1
        elif name == "--sil-probs":
            num_numbers += 3
        elif name == "--first-allowed-disambig":
            value = value or (argv.pop(0) if argv else "")
            if not value.isdigit() or int(value) < 1:
                raise UsageError(f"--first-allowed-disambig expects a number above 0, got {value!r}")
            first_allowed = int(value)
        else:
            _refuse(name, script, ("--pron-probs", "--sil-probs", "--first-allowed-disambig"))
    if len(argv) != 2:
        raise UsageError(f"usage: {script} [options] <lexicon> <lexicon-disambig>   (--help: all of it)")
    marked, highest = add_disambig(read_lexicon(argv[0], num_numbers), first_allowed)
    rows = ["\t".join((entry.word, *entry.numbers, " ".join(entry.phones))) for entry in marked]
    temporary = f"{argv[1]}.tmp{os.getpid()}"
    with open(temporary, "wb") as stream:
        stream.write("".join(row + "\n" for row in rows).encode("utf-8", "surrogateescape"))
    os.replace(temporary, argv[1])
    print(highest)


def _refuse(name: str, script: str, known) -> None:
    from sidamo.io.script import nearest

    raise UsageError(f"no such option: {name}; did you mean {nearest(name, known)}? (see: {script} --help)")


def make_lexicon_command(script: str, argv: list[str]) -> bytes:
    """The text FST that make_lexicon_fst.pl or (where the options are its own) make_lexicon_fst.py prints."""
    options = {"--sil-prob": "", "--sil-phone": "", "--sil-disambig": ""}
    has_probs = modern = script.endswith(".py")
    while argv and argv[0].startswith("--"):
        name, equals, value = argv.pop(0).replace("_", "-").partition("=")
        if name == "--pron-probs":
            has_probs = True
        elif name in options:
            modern = has_probs = True
            options[name] = value if equals else (argv.pop(0) if argv else "")
        else:
            _refuse(name, script, ("--pron-probs", *options))
    if len(argv) not in (1, 3, 4) or (any(options.values()) and len(argv) != 1):
        raise UsageError(f"usage: {script} [--pron-probs] <lexicon> [<sil-prob> <sil-phone> [<sil-disambig>]]")
    if len(argv) > 1:
        modern = False
        options.update(zip(options, argv[1:]))
    try:
        sil_prob = float(options["--sil-prob"] or 0.0)
    except ValueError:
        raise UsageError(f"silence probability {options['--sil-prob']!r}: expected a number") from None
    if not 0.0 <= sil_prob < 1.0:
        raise DataError(f"silence probability {sil_prob}; expected 0 <= p < 1")
    entries = read_lexicon(argv[0], 1 if has_probs else 0)
    for entry in entries:
        if EPS in (entry.word, *entry.phones):
            raise DataError(f"{EPS} in the entry of {entry.word!r}", file=argv[0])
    if modern or sil_prob == 0.0:
        arcs = lexicon_arcs(entries, sil_prob, options["--sil-phone"], options["--sil-disambig"])
    else:
        arcs = old_lexicon_arcs(entries, sil_prob, options["--sil-phone"], options["--sil-disambig"])
    return print_arcs(arcs, "{!r}" if modern else "{:.15g}", drop_zeros=not modern)


def old_lexicon_arcs(entries: list[Entry], sil_prob: float, sil_phone: str, sil_disambig: str) -> LexiconArcs:
    """L as make_lexicon_fst.pl has it: an arc over the silence from the start, none after words that end in it."""
    start, loop, silence, state = 0, 1, 2, 3
    sil_cost, no_sil_cost = -math.log(sil_prob), -math.log(1.0 - sil_prob)
    after = loop
    if sil_disambig:
        after, state = 3, 4
    rows = [(start, loop, EPS, EPS, no_sil_cost), (start, after, sil_phone, EPS, sil_cost),
            (silence, after, sil_phone, EPS, 0.0)]  # fmt: skip
    if sil_disambig:
        rows.append((after, loop, sil_disambig, EPS, 0.0))
    for entry in entries:
        cost = -math.log(float(entry.numbers[0])) + 0.0 if entry.numbers else 0.0
        here, word = loop, entry.word
        for phone in entry.phones[:-1]:
            rows.append((here, state, phone, word, cost))
            here, word, cost = state, EPS, 0.0
            state += 1
        last = entry.phones[-1]
        if last == sil_phone:
            rows.append((here, loop, last, word, cost))
        else:
            rows += [(here, loop, last, word, no_sil_cost + cost), (here, silence, last, word, sil_cost + cost)]
    return LexiconArcs(*map(list, zip(*rows)), [(loop, 0.0)])


def print_arcs(arcs: LexiconArcs, number: str, drop_zeros: bool) -> bytes:
    """Text for fstcompile."""
    lines = []
    for src, dst, phone, word, cost in zip(arcs.src, arcs.dst, arcs.phone, arcs.word, arcs.cost):
        tail = "" if drop_zeros and cost == 0.0 else "\t" + number.format(cost)
        lines.append(f"{src}\t{dst}\t{phone}\t{word}{tail}\n")
    for state, cost in arcs.final:
        lines.append(f"{state}\t{number.format(cost) if not drop_zeros else format(cost, '.15g')}\n")
    return "".join(lines).encode("utf-8", "surrogateescape")
