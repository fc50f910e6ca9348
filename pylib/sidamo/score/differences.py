"""Where two systems differ, utterance by utterance, worst first."""

from __future__ import annotations

from collections.abc import Iterator

from sidamo.score.align import align_pairs, edit_counts

GAP = "***"


def differences(refs: dict[str, list], first: dict[str, list], second: dict[str, list]) -> list[tuple]:
    """Utterances that the two systems recognize differently.

    Returns
    -------
    list of (utterance, errors of the first, errors of the second), sorted by how much worse the second is, then by name
    """
    rows = []
    for utt, ref in refs.items():
        a, b = first.get(utt, []), second.get(utt, [])
        if a != b:
            rows.append((utt, edit_counts(ref, a).errors, edit_counts(ref, b).errors))
    return sorted(rows, key=lambda row: (row[1] - row[2], row[0]))


def three_lines(ref: list[str], first: list[str], second: list[str]) -> Iterator[str]:
    """Reference and both hypotheses one below the other, wrong words in capitals where the script has them, in columns.

    Each hypothesis is aligned with the reference; its insertions stand before the reference word that follows them.
    """
    columns: list[list[str]] = []
    slots = [_slots(ref, hyp) for hyp in (first, second)]
    for n in range(len(ref) + 1):
        inserted = [slot[n][0] for slot in slots]
        for k in range(max(map(len, inserted))):
            columns.append([GAP, *(_mark(words[k]) if k < len(words) else GAP for words in inserted)])
        if n < len(ref):
            columns.append([ref[n], *(_shown(slot[n][1], ref[n]) for slot in slots)])
    widths = [max(map(len, column)) for column in columns]
    for row in range(3):
        yield " ".join(column[row].ljust(width) for column, width in zip(columns, widths)).rstrip()


def _shown(word: str | None, ref_word: str) -> str:
    return GAP if word is None else word if word == ref_word else _mark(word)


def _mark(word: str) -> str:
    """An error stands out also without colour."""
    return word.upper() if word.upper() != word else f"*{word}*"


def _slots(ref: list[str], hyp: list[str]) -> list[tuple[list[str], str | None]]:
    """For each reference word: the words inserted before it, and the word recognized for it (None: deleted)."""
    slots: list[tuple[list[str], str | None]] = []
    inserted: list[str] = []
    for i, j in align_pairs(ref, hyp):
        if i < 0:
            inserted.append(hyp[j])
        else:
            slots.append((inserted, hyp[j] if j >= 0 else None))
            inserted = []
    return [*slots, (inserted, None)]
