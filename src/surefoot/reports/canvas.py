"""The page a figure is drawn on: its size, axes, colours and key, the same for every figure of every report."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

WIDTH_INCHES = 9.0
DOTS_PER_INCH = 200
TITLE_LINE_INCHES = 0.22
# Okabe & Ito (2008), "Color universal design": told apart with every common colour blindness.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
INK, GREY, FAINT, PAPER = "#22262b", "#6b7280", "#c9cdd3", "#ffffff"
NO_BREAK = "\xa0"


def new_canvas(title: str, height: float) -> Canvas:
    """An empty page with its title; it grows by the title's further lines, so that text keeps its size."""
    lines = wrapped(title, 84)
    height += TITLE_LINE_INCHES * lines.count("\n")
    canvas = Canvas(figsize=(WIDTH_INCHES, height), facecolor=PAPER)
    FigureCanvasAgg(canvas)
    canvas.text(
        0.25 / WIDTH_INCHES,
        1 - 0.18 / height,
        lines,
        fontsize=12.5,
        fontweight="bold",
        color=INK,
        va="top",
        ha="left",
        parse_math=False,
    )
    return canvas


def axes(canvas: Canvas, left: float, bottom: float, right: float, top: float) -> Any:
    """Axes whose margins are in inches from the page's edges and the title's first line."""
    width, height = canvas.get_size_inches()
    top += title_growth(canvas)
    ax = canvas.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (bottom + top) / height))
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
    ax.tick_params(colors=GREY, labelsize=9, length=3, color=FAINT)
    ax.grid(axis="y", color="#eef0f2", linewidth=0.8)
    ax.set_axisbelow(True)
    return ax


def title_growth(canvas: Canvas) -> float:
    """How many inches the title takes beyond its first line."""
    return TITLE_LINE_INCHES * canvas.texts[0].get_text().count("\n")


def say(ax: Any, x: float, y: float, text: str, **look: Any) -> Any:
    """A text as it is: no character of it is taken for mathematics."""
    look = {"fontsize": 9, "color": INK, "parse_math": False, **look}
    return ax.text(x, y, text, **look)


def label_axes(ax: Any, x: str = "", y: str = "") -> None:
    """Names the axes."""
    if x:
        ax.set_xlabel(x, fontsize=9.5, color=GREY, parse_math=False)
    if y:
        ax.set_ylabel(y, fontsize=9.5, color=GREY, parse_math=False)


def wrapped(text: str, width: int, most: int = 3) -> str:
    """The text in at most `most` lines, an ellipsis where it is longer; control characters are dropped."""
    plain = "".join(c if c.isprintable() or c == NO_BREAK else " " for c in text)
    lines = textwrap.wrap(plain, width) or [""]
    if len(lines) > most:
        lines = [*lines[: most - 1], lines[most - 1][: width - 1] + "…"]
    return "\n".join(lines)


def spaced(heights: Sequence[float], gap: float) -> list[float]:
    """The heights moved apart to be at least `gap` from each other, in their order, about their own centre."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for _ in range(200):
        moved = False
        for a, b in itertools.pairwise(order):
            short = gap - (placed[b] - placed[a])
            if short > gap * 1e-6:
                placed[a] -= short / 2
                placed[b] += short / 2
                moved = True
        if not moved:
            break
    return placed


def limits(values: Sequence[float], margin: float = 0.08) -> tuple[float, float]:
    """From the lowest to the highest value, with a margin on both sides."""
    low, high = min(values), max(values)
    room = (high - low) * margin or abs(high) * 0.05 or 1.0
    return low - room, high + room


def jitter(n: int, reach: float) -> list[float]:
    """Offsets that spread n dots evenly, the same at every drawing."""
    return [0.0] if n == 1 else [reach * (2 * ((i * 0.61803) % 1) - 1) for i in range(n)]


def legend(canvas: Canvas, keys: Sequence[tuple[dict[str, Any], str]]) -> None:
    """A key of marks in one line under the title."""
    width, height = canvas.get_size_inches()
    ax = canvas.add_axes((0, 1 - (0.62 + title_growth(canvas)) / height, 1, 0.22 / height))
    ax.set_axis_off()
    ax.set_xlim(0, width)
    ax.set_ylim(-1, 1)
    x = 0.31
    for look, text in keys:
        ax.plot([x], [0], linestyle="none", markersize=5.5, **look)
        say(ax, x + 0.12, -0.08, text, fontsize=9, color=GREY, va="center")
        x += 0.35 + 0.078 * len(text)
