"""Put the page together: one HTML file that needs nothing else."""

from __future__ import annotations

import html
import json
import os
import re
from importlib import resources


def part(name: str) -> str:
    return resources.files("sidamo.report").joinpath(name).read_text(encoding="utf-8")


def embed(data: dict) -> str:
    """JSON for a <script> element: no `</script>` or `<!--` may appear in it."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def clean_text(value):
    """The same data without lone surrogates (bytes that were not UTF-8), which no UTF-8 file can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {clean_text(key): clean_text(item) for key, item in value.items()}
    return [clean_text(item) for item in value] if isinstance(value, list) else value


def best_point(system: dict, kind: str) -> dict | None:
    points = [point for point in system[kind] if point["rate"] is not None]
    return min(points, key=lambda point: point["rate"]) if points else None


def summary(data: dict) -> str:
    """The first panel, as plain HTML: it reads without JavaScript."""
    rows, figures, notes = [], "", []
    for system in data["systems"]:
        wer, cer = best_point(system, "wer"), best_point(system, "cer")
        interval = "{:.2f} to {:.2f}".format(*system["interval"]) if system["interval"] else "–"
        cells = [
            ("WER %", f"{wer['rate']:.2f}" if wer else "–"), ("95% interval", interval),
            ("CER %", f"{cer['rate']:.2f}" if cer else "–"),
            ("SER %", f"{wer['ser']:.2f}" if wer and wer["ser"] is not None else "–"),
            *((name, wer[name] if wer else "–") for name in ("ins", "del", "sub", "words", "sentences")),
            ("LM weight", system["lmwt"] or "–"), ("penalty", system["wip"] or "–"),
        ]  # fmt: skip
        rows.append((system["name"], cells))
        notes.extend(f"{system['name']}: {text}" for text in system["complaints"])
    if rows:
        shown = [(name, value) for name, value in rows[0][1] if name in ("WER %", "CER %", "SER %", "words")]
        figures = "".join(f'<div class="figure">{html.escape(n)}<b>{html.escape(str(v))}</b></div>' for n, v in shown)
        figures = f'<p class="quiet">{html.escape(rows[0][0])}</p><div class="figures">{figures}</div>'
    head = "".join(f'<th scope="col" class="num">{html.escape(n)}</th>' for n, _ in rows[0][1]) if rows else ""
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f'<td class="num">{html.escape(str(value))}</td>' for _, value in cells)
        + "</tr>"
        for name, cells in rows
    )
    table = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Results"><table><caption>Best setting of each '
        'decode directory</caption><thead><tr><th scope="col">system</th>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
        if rows
        else '<p class="quiet">Nothing was decoded and scored yet.</p>'
    )
    complaints = "".join(f'<p class="note">{html.escape(note)}</p>' for note in notes)
    return (
        '<section id="summary" aria-labelledby="summary-title"><h2 id="summary-title">Summary</h2>'
        f'<p class="quiet">How many words are wrong?</p>{figures}{table}{complaints}</section>'
    )


def page(data: dict) -> str:
    """The whole page."""
    data = clean_text(data)
    parts = {
        "@TITLE@": html.escape(data["title"]),
        "@SUBTITLE@": html.escape(f"{data['exp']}, made {data['made']}"),
        "@FOOTER@": "Made by Sidamo (steps/report.sh). This file needs no network and no other file.",
        "@CSS@": part("page.css").strip(),
        "@SUMMARY@": summary(data),
        "@DATA@": embed(data),
        "@JS@": part("page.js").strip(),
    }
    # One pass over the template: what is put in is not looked at again, whatever letters it holds.
    return re.sub("@[A-Z]+@", lambda mark: parts[mark.group()], part("page.html"))


def write(path: str, data: dict) -> int:
    """Write the page atomically; returns its size in bytes."""
    temporary = f"{path}.tmp{os.getpid()}"
    text = page(data).encode("utf-8")
    with open(temporary, "wb") as stream:
        stream.write(text)
    os.replace(temporary, path)
    return len(text)
