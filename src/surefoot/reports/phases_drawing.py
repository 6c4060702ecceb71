"""The figures of a study's phases drawn: the ledger of promises and the confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from surefoot.reports.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    VERMILION,
    WIDTH_INCHES,
    axes,
    label_axes,
    legend,
    limits,
    new_canvas,
    say,
    wrapped,
)
from surefoot.reports.phases_figures import ConfusionFigure, Kept, LedgerFigure
from surefoot.words import decimals_of, half_width, signed, span

OUTCOME_COLOURS = {
    "more than promised": GREEN,
    "as promised": GREEN,
    "may be as promised": BLUE,
    "not shown": GREY,
    "less than promised": ORANGE,
    "harm": VERMILION,
    "open": FAINT,
}
PROMISED = "#d8dde3"
ROW_INCHES = 0.42


def _ledger(figure: LedgerFigure) -> Canvas:
    canvas = new_canvas(figure.title, 1.55 + ROW_INCHES * len(figure.rows))
    ax = axes(canvas, 2.75, 0.7, 2.75, 0.85)
    ax.grid(visible=False)
    ax.set_ylim(len(figure.rows) - 0.4, -0.6)
    ends = [end for row in figure.rows for end in (*row.promised, *(row.interval or ()), row.got or 0.0)]
    ax.set_xlim(*limits([*ends, 0.0], 0.05))
    ax.axvline(0, color=FAINT, linewidth=1, zorder=1)
    for y, row in enumerate(figure.rows):
        _promise(ax, y, row)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    label_axes(ax, f"gain in {figure.metric}{f' ({figure.unit})' if figure.unit else ''}, better →")
    seen = dict.fromkeys(row.outcome for row in figure.rows if row.outcome != "open")
    keys: list[tuple[dict[str, Any], str]] = [({"marker": "s", "color": PROMISED}, "promised")]
    keys += [({"marker": "o", "color": OUTCOME_COLOURS[word]}, word) for word in seen]
    legend(canvas, keys)
    return canvas


def _promise(ax: Any, y: int, row: Kept) -> None:
    colour, side = OUTCOME_COLOURS[row.outcome], ax.get_yaxis_transform()
    low, high = row.promised
    ax.barh([y], [high - low], left=[low], height=0.5, color=PROMISED, zorder=1)
    ax.plot([low, low, high, high], [y - 0.25, y + 0.25, y + 0.25, y - 0.25], color=PROMISED, linewidth=1.2, zorder=1)
    if row.interval is not None:
        ax.plot(row.interval, [y, y], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
    if row.got is not None:
        ax.plot([row.got], [y], "o", mfc=colour if row.interval else PAPER, mec=colour, markersize=6.5, zorder=3)
    say(ax, -0.02, y, wrapped(row.label, 36, 2), transform=side, va="center", ha="right", linespacing=1.05)
    got = "not measured" if row.got is None else f"got {signed(row.got, decimals_of(half_width(row.interval)))}"
    n = f", n = {row.n}" if row.n else ""
    said = f"{got}{n}" if row.outcome == "open" else f"{got}{n}: {row.outcome}"
    text = f"promised {span(row.promised)}\n{said}"
    say(ax, 1.03, y, text, transform=side, va="center", fontsize=8.5, color=INK, linespacing=1.15)


def _confusion(figure: ConfusionFigure) -> Canvas:
    n = len(figure.names)
    side = min(0.62 * n + 0.6, 6.6)
    lines = [wrapped(name, 22, 1) for name in figure.names]
    left = min(0.75 + 0.085 * max(map(len, lines)), 2.6)
    tilt = 45 if max(map(len, lines)) > 4 and n > 3 else 0
    bottom = 0.75 + (0.062 * max(map(len, lines)) if tilt else 0.0)
    canvas = new_canvas(figure.title, side + bottom + 0.6)
    left = max(left, (WIDTH_INCHES - side) / 2)
    ax = axes(canvas, left, bottom, WIDTH_INCHES - left - side, 0.6)
    ax.grid(visible=False)
    shares = [[cell / max(sum(row), 1) for cell in row] for row in figure.counts]
    ax.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    size = 10 if n <= 8 else 8.5 if n <= 12 else max(3.5, 100 / n)
    for i, row in enumerate(figure.counts):
        for j, cell in enumerate(row):
            if cell or i == j:
                colour = PAPER if shares[i][j] > 0.55 else INK
                say(ax, j, i, f"{cell:,}", ha="center", va="center", fontsize=size, color=colour)
    ax.set_xticks(range(n))
    ax.set_yticks(range(n))
    turned = {"rotation": tilt, "ha": "right", "rotation_mode": "anchor"} if tilt else {}
    ax.set_xticklabels(lines, fontsize=min(size + 0.5, 9.5), color=INK, parse_math=False, **turned)
    ax.set_yticklabels(lines, fontsize=min(size + 0.5, 9.5), color=INK, parse_math=False)
    for edge in ("left", "bottom"):
        ax.spines[edge].set_visible(False)
    label_axes(ax, "taken for", "true class")
    return canvas


PHASE_DRAWERS: Mapping[type, Callable[[Any], Canvas]] = {LedgerFigure: _ledger, ConfusionFigure: _confusion}
