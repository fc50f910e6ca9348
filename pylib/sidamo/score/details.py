"""Detailed results in the formats of Kaldi's utils/scoring: per utterance, per speaker, per word pair.

Widths count characters (code points), as Kaldi's Perl does: a table of words in Greek or Chinese letters lines up by
code points, not by bytes or by columns of a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from sidamo.io.errors import DataError

CORRECT, SUBSTITUTION, INSERTION, DELETION = "C", "S", "I", "D"
OPS_WIDTH = 16  # characters; longer words stick out of their column


def parse_alignment(line: str, separator: str, where: str = "", number: int = 0) -> tuple[str, list[tuple[str, str]]]:
    """One line of align-text: `<utterance> ref hyp ; ref hyp ; ...`.

    Returns
    -------
    utterance, list of (ref, hyp)

    Raises
    ------
    DataError where a pair is not two words followed by the separator.
    """
    fields = [field for field in line.replace("\t", " ").rstrip("\r\n").split(" ") if field]
    if not fields:
        raise DataError("empty line in an alignment", file=where, line=number)
    utt, fields = fields[0], fields[1:]
    # Fields come in threes (ref hyp separator, none at the end), so that a word equal to the separator does no harm.
    if fields and (len(fields) % 3 != 2 or any(mark != separator for mark in fields[2::3])):
        raise DataError(
            f"found {' '.join(fields)!r}, expected pairs of words separated by {separator!r}",
            file=where, line=number, key=utt, mend="make it with align-text, and give the same --separator",
        )  # fmt: skip
    return utt, list(zip(fields[0::3], fields[1::3]))


def operation(ref: str, hyp: str, special: str) -> str:
    """The letter of one aligned pair: Correct, Substitution, Insertion, Deletion."""
    if hyp == special:
        return DELETION
    if ref == special:
        return INSERTION
    return CORRECT if ref == hyp else SUBSTITUTION


def centred(text: str, width: int) -> str:
    right = (width - len(text)) // 2
    return " " * (width - len(text) - right) + text + " " * right


def per_utt_lines(
    utt: str, pairs: list[tuple[str, str]], special: str, ref=True, hyp=True, ops=True, csid=True
) -> Iterator[str]:
    """The lines `<utt> ref`, `hyp`, `op` and `#csid` (correct, substituted, inserted, deleted) of one utterance."""
    letters = [operation(r, h, special) for r, h in pairs]
    widths = [max(len(r), len(h)) for r, h in pairs]
    rows = [("ref ", ref, [r for r, _ in pairs]), ("hyp ", hyp, [h for _, h in pairs]), ("op  ", ops, letters)]
    for name, wanted, words in rows:
        if wanted:
            yield f"{utt} {name} " + "  ".join(map(centred, words, widths))
    if csid:
        count = Counter(letters)
        yield f"{utt} #csid {count['C']} {count['S']} {count['I']} {count['D']}"


def read_csid(lines: Iterable[str], where: str = "") -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    """The `#csid` lines among the lines of a per_utt file: utterance, (correct, substituted, inserted, deleted)."""
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if len(fields) >= 2 and fields[1] == "#csid":
            if len(fields) != 6 or not all(field.isdigit() for field in fields[2:]):
                found = f"found {line.strip()!r}, expected <utt> #csid and four counts"
                raise DataError(found, file=where, line=number)
            c, s, i, d = map(int, fields[2:])
            yield fields[0], (c, s, i, d)


def per_spk_table(csid: Iterable[tuple[str, tuple]], utt2spk: dict[str, str], width=10, spk_width=15) -> Iterator[str]:
    """Lines of the per-speaker table: raw counts and percentages for each speaker, then for all.

    Utterances that utt2spk lacks are gathered under an empty name, as in Kaldi; the caller can find them by that.
    """
    spk_width = max([spk_width] + [len(spk) for spk in utt2spk.values()])
    speakers: dict[str, list[int]] = {}
    for utt, (c, s, i, d) in csid:
        sums = speakers.setdefault(utt2spk.get(utt, ""), [0] * 6)
        for k, value in enumerate((1, c, s, i, d, s + i + d > 0)):
            sums[k] += value

    def row(name: str, kind: str, values: list) -> str:
        cells = (f"{v:{width}d}" if isinstance(v, int) else f"{v:{width}.2f}" for v in values)
        return f"{name:<{spk_width}} {kind} " + " ".join(cells)

    heads = ("#SENT", "#WORD", "Corr", "Sub", "Ins", "Del", "Err", "S.Err")
    yield f"{'SPEAKER':<{spk_width}} id  " + " ".join(f"{head:>{width}}" for head in heads)
    total = [sum(column) for column in zip(*speakers.values())] or [0] * 6
    for name, (sent, c, s, i, d, wrong) in [*sorted(speakers.items()), ("SUM", total)]:
        words, errors = c + s + d, s + i + d
        yield row(name, "raw", [sent, words, c, s, i, d, errors, wrong])
        if words:
            rates = [100.0 * value / words for value in (c, s, i, d, errors)]
            yield row(name, "sys", [sent, words, *rates, 100.0 * wrong / sent])


def read_ref_hyp(lines: Iterable[str], where: str = "", on_skipped=None) -> Iterator[tuple[str, str]]:
    """All aligned word pairs of a per_utt file, utterance after utterance.

    `on_skipped` is called with each ref or hyp line that holds no words.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    for number, line in enumerate(lines, 1):
        fields = [field for field in line.replace("\t", " ").rstrip("\r\n").split(" ") if field]
        if len(fields) < 2 or fields[1] not in ("hyp", "ref"):
            continue
        if len(fields) == 2:
            if on_skipped:
                on_skipped(line.rstrip("\n"))
            continue
        entry = rows.setdefault(fields[0], {})
        if fields[1] in entry:
            raise DataError(f"a second {fields[1]!r} line for the utterance", file=where, line=number, key=fields[0])
        entry[fields[1]] = fields[2:]
    for utt, entry in rows.items():
        ref, hyp = entry.get("ref"), entry.get("hyp")
        if ref is None or hyp is None or len(ref) != len(hyp):
            found = f"{len(ref or [])} words of ref and {len(hyp or [])} of hyp"
            raise DataError(f"found {found}, expected equally many", file=where, key=utt)
        yield from zip(ref, hyp)


NAMES = {CORRECT: "correct", SUBSTITUTION: "substitution", INSERTION: "insertion", DELETION: "deletion"}


def ops_lines(pairs: Iterable[tuple[str, str]], special: str) -> list[str]:
    """How often each word was recognized as which: `<operation> <ref> <hyp> <count>`, sorted by ref, then hyp."""
    counts = Counter(pairs)
    if not counts:
        return []
    width = min(OPS_WIDTH, max(max(len(r), len(h)) for r, h in counts))
    digits = len(str(max(counts.values())))
    out = []
    for (ref, hyp), count in sorted(counts.items()):
        # An equal pair is correct before anything else, also where the word is the special symbol.
        name = "correct" if ref == hyp else NAMES[INSERTION if ref == special else operation(ref, hyp, special)]
        out.append(f"{name:<12}  {ref:>{width}}    {hyp:>{width}}    {count:{digits}d}")
    return out


def sort_ops(lines: Iterable[str]) -> list[str]:
    """`LC_ALL=C sort -b -i -k 1,1 -k 4,4rn -k 2,2 -k 3,3` of ops lines: by operation, then most frequent first.

    `-i` looks only at printable ASCII, so words in other scripts tie on it and are told apart by the bytes of the line.
    """

    def printable(text: str) -> str:
        return "".join(c for c in text if " " <= c <= "~")

    def order(line: str):
        name, ref, hyp, count = line.split()
        return printable(name), -int(count), printable(ref), printable(hyp), line.encode("utf-8", "surrogateescape")

    return sorted(lines, key=order)
