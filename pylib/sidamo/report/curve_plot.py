"""The learning curve as a picture of its own (SVG): loss, error rate and learning rate over epochs, one below the other."""

from __future__ import annotations

import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 210, 70, 110, 34, 30  # of one chart, pixels
COLORS = ("#0a6ebd", "#c7511f")
CHARTS = (
    ("Loss, nats per token", (("train_loss", "train"), ("dev_loss", "dev"))),
    ("Error rate of greedy decoding on dev, percent", (("dev_ter", "tokens"), ("dev_wer", "words"))),
    ("Learning rate", (("lr", "rate"),)),
)


def draw(curve: dict[str, list], title: str) -> str:
    """SVG of a curve as results.learning_curve reads it: columns of equal length, `epoch` among them, None for no number."""
    epochs = curve["epoch"]
    charts = []
    for heading, columns in CHARTS:
        lines = [(name, curve[column]) for column, name in columns if any(y is not None for y in curve.get(column, []))]
        if lines:
            charts.append(chart(heading, epochs, lines, 40 + HEIGHT * len(charts)))
    height = 40 + HEIGHT * len(charts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12" role="img">\n<title>{html.escape(title)}</title>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="{LEFT}" y="26" font-size="15" font-weight="bold">{html.escape(title)}</text>\n'
        + "\n".join(charts) + "\n</svg>\n"
    )  # fmt: skip


def chart(heading: str, xs: list[float], lines: list[tuple[str, list]], top: int) -> str:
    """One chart: frame, ticks, a line with dots for each column and its last value behind it."""
    values = [y for _, ys in lines for y in ys if y is not None]
    ticks = steps(min(0.0, *values), max(values))
    low, high = ticks[0], ticks[-1]
    first, last = min(xs), max(xs)

    def x(value):
        return LEFT + (WIDTH - LEFT - RIGHT) * ((value - first) / (last - first) if last > first else 0.5)

    def y(value):
        return top + TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low))

    parts = [f'<text x="{LEFT}" y="{top + TOP - 12}" font-weight="bold">{html.escape(heading)}</text>']
    for tick in ticks:
        parts.append(f'<path d="M{LEFT} {y(tick):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for tick in steps(first, last, 8):
        if first <= tick <= last and tick == round(tick):
            parts.append(f'<text x="{x(tick):.1f}" y="{top + HEIGHT - 12}" text-anchor="middle">{tick:.0f}</text>')
    ends: list[float] = []
    for (name, ys), color in zip(lines, COLORS):
        points = [(x(a), y(b)) for a, b in zip(xs, ys) if b is not None]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="2.5" fill="{color}"/>' for a, b in points]
        final = [b for b in ys if b is not None][-1]
        at = points[-1][1] + 4
        if any(abs(at - other) < 14 for other in ends):  # two labels would lie on each other
            at = ends[-1] + (14 if at >= ends[-1] else -14)
        ends.append(at)
        parts.append(f'<text x="{WIDTH - RIGHT + 8}" y="{at:.1f}" fill="{color}">{html.escape(name)} {final:.4g}</text>')
    return "\n".join(parts)


def steps(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers, at most `most` + 1 of them, from at most `low` to at least `high`."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    raw = (high - low) / most
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999999)
    return [step * i for i in range(math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9) + 1)]
