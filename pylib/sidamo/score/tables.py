"""The table of a batch of systems: for a terminal, as TSV, as one HTML page."""

from __future__ import annotations

import html
import unicodedata

COLUMNS = (
    ("test_set", "test set"), ("decode", "system"), ("setting", "setting"), ("wer", "WER"), ("interval", "95%"),
    ("cer", "CER"), ("ser", "SER"), ("ins", "ins"), ("del_", "del"), ("sub", "sub"), ("words", "words"),
    ("sentences", "utts"), ("absent", "absent"), ("speed", "RTF"), ("parameters", "params"),
)  # fmt: skip
LEVEL = 0.05  # below this a difference is called significant


def cell(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return f"{value[0]:.2f}-{value[1]:.2f}"
    # Small figures (a real-time factor of 0.004) keep their digits, rates have two.
    return f"{value:.2f}" if isinstance(value, float) and (value >= 0.1 or value == 0) else str(value)


def rows_of(result: dict) -> list[list[str]]:
    return [[cell(system[key]) for key, _ in COLUMNS] for system in result["systems"]]


def width(text: str) -> int:
    """Columns on a terminal: East Asian wide letters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def terminal(result: dict) -> str:
    """Aligned columns, then the comparisons with the best, then the complaints."""
    rows = [[title for _, title in COLUMNS], *rows_of(result)]
    widths = [max(width(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = []
    for row in rows:
        parts = []
        for i, text in enumerate(row):
            pad = " " * (widths[i] - width(text))
            parts.append(text + pad if i < 3 else pad + text)
        lines.append("  ".join(parts).rstrip())
    names = [system["decode"] for system in result["systems"]]
    # The first system of a test set is its best: on a terminal all others are compared with that one only.
    first = {pair["test_set"]: pair["a"] for pair in reversed(result["pairs"])}
    lines += [sentence(pair, names) for pair in result["pairs"] if pair["a"] == first[pair["test_set"]]]
    for system in result["systems"]:
        lines += [f"! {system['decode']}: {text}" for text in system["complaints"]]
    lines += [f"! not in the table: {text}" for text in result["failed"].values()]
    return "\n".join(lines) + "\n"


def probability(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"


def sentence(pair: dict, names: list[str]) -> str:
    """One comparison in words."""
    better, worse = (pair["a"], pair["b"]) if pair["z"] <= 0 else (pair["b"], pair["a"])
    chance = 1 - pair["improvement"] if better == pair["a"] else pair["improvement"]
    verdict = "is better than" if pair["p"] < LEVEL else "does not differ significantly from"
    return (
        f"{names[better]} {verdict} {names[worse]} on {pair['test_set']}: matched pairs {probability(pair['p'])} "
        f"(z = {abs(pair['z']):.2f}, {pair['segments']} segments), bootstrap {100 * chance:.1f}%"
    )


def tsv(result: dict) -> str:
    """One line a system; interval as two columns, numbers unrounded."""
    keys = [key for key, _ in COLUMNS]
    heads = [head for key in keys for head in (("wer_low", "wer_high") if key == "interval" else (key.rstrip("_"),))]
    lines = ["\t".join(heads)]
    for system in result["systems"]:
        values = []
        for key in keys:
            value = system[key]
            values += (value or [None, None]) if key == "interval" else [value]
        lines.append("\t".join("" if value is None else str(value) for value in values))
    return "\n".join(lines) + "\n"


STYLE = """
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1200px;padding:16px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{border-bottom:1px solid #8888;padding:4px 10px;text-align:right;white-space:nowrap}
th:nth-child(-n+3),td:nth-child(-n+3){text-align:left}
th button{font:inherit;background:none;border:0;color:inherit;cursor:pointer}
.best{font-weight:700}li{margin:4px 0}
"""
SORT = """
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentNode, column = [...head.parentNode.children].indexOf(head);
  const body = head.closest("table").tBodies[0];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.children) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const text = (row) => row.cells[column].textContent;
  const compare = (a, b) => text(a).localeCompare(text(b), undefined, { numeric: true });
  body.append(...[...body.rows].sort((a, b) => (down ? -compare(a, b) : compare(a, b))));
});
"""


def page(result: dict) -> str:
    """One self-contained page: the table (sortable), the comparisons, the complaints."""
    head = '<th scope="col" aria-sort="none"><button type="button">{}</button></th>'
    heads = "".join(head.format(html.escape(title)) for _, title in COLUMNS)
    best: dict[str, float] = {}
    for system in result["systems"]:
        if system["wer"] is not None:
            best[system["test_set"]] = min(system["wer"], best.get(system["test_set"], system["wer"]))
    body = ""
    for system, row in zip(result["systems"], rows_of(result)):
        mark = ' class="best"' if system["wer"] is not None and system["wer"] == best[system["test_set"]] else ""
        body += f"<tr{mark}>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>\n"
    names = [system["decode"] for system in result["systems"]]
    pairs = "".join(f"<li>{html.escape(sentence(pair, names))}</li>\n" for pair in result["pairs"])
    notes = [f"{s['decode']}: {text}" for s in result["systems"] for text in s["complaints"]]
    notes += list(result["failed"].values())
    listed = "".join(f"<li>{html.escape(note)}</li>\n" for note in notes)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Systems compared</title>'
        f'<link rel="icon" href="data:,"><style>{STYLE}</style></head><body><main><h1>Systems compared</h1>\n'
        "<p>Rates in percent; the best of each test set is bold; the interval is the bootstrap's 95%.</p>"
        f'<div class="scroll" tabindex="0"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>\n"
        + (f"<h2>Is the difference significant?</h2>\n<ul>\n{pairs}</ul>\n" if pairs else "")
        + (f"<h2>What was not in order</h2>\n<ul>{listed}</ul>\n" if listed else "")
        + f"</main><script>{SORT}</script></body></html>\n"
    )
