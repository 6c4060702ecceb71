"""Small plots side by side: points by kind, lines through them, levels across."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure as Canvas

from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.reports.analysis_axes import (
    KEY_LINE_INCHES,
    Key,
    dress,
    is_logarithmic,
    key,
    key_lines,
    room_below,
    room_beside,
)
from surefoot.reports.analysis_figures import shown_range
from surefoot.reports.analysis_words import both_ends
from surefoot.reports.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH_INCHES,
    axes,
    jitter,
    label_axes,
    new_canvas,
    wrapped,
)

LIGHT = "#9cc3dd"
QUIET = "#9aa1ab"
DOT_COLOURS = (BLUE, ORANGE, PURPLE, SKY, VERMILION)
BEST_COLOURS = (GREEN, INK, VERMILION, BLUE, PURPLE)
LINE_COLOURS = (INK, VERMILION, PURPLE, ORANGE, SKY)
LEVEL_COLOURS = (VERMILION, PURPLE, GREY, ORANGE)
MANY = 150  # from so many dots on, they are small
MOST_KEYS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Inks:
    """The colour of every kind of points, line and level, by its label: the same in every panel."""

    points: Mapping[tuple[str, str], str]
    lines: Mapping[tuple[str, str], str]
    levels: Mapping[str, str]


def inks_of(figure: PanelsFigure) -> Inks:
    """The colours of a figure's kinds, in the order in which they first come."""
    points = _colours([p for panel in figure.panels for p in panel.points], DOT_COLOURS, LIGHT)
    lines = _colours([p for panel in figure.panels for p in panel.lines], LINE_COLOURS, QUIET)
    labels = list(dict.fromkeys(label for panel in figure.panels for label, _ in panel.levels))
    levels = {label: LEVEL_COLOURS[i % len(LEVEL_COLOURS)] for i, label in enumerate(labels)}
    return Inks(points=points, lines=lines, levels=levels)


def _colours(kinds: Sequence[Points], plain: Sequence[str], faint: str) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for kind in kinds:
        if (kind.label, kind.look) in found:
            continue
        many = sum(look == kind.look or {look, kind.look} == {"plain", "open"} for _, look in found)
        colours = {"best": BEST_COLOURS, "faint": (faint,)}.get(kind.look, plain)
        found[kind.label, kind.look] = colours[many % len(colours)]
    return found


def y_range(figure: PanelsFigure, panel: Panel) -> tuple[float, float]:
    """From the lowest to the highest value of a panel's y axis, or of all panels where they share it."""
    panels = figure.panels if figure.shares_y else (panel,)
    ys = [y for p in panels for points in (*p.points, *p.lines) for y in points.y]
    low, high = shown_range(ys, is_log=panel.y.is_log)
    known = [value for p in panels for _, value in p.levels if abs(value - low) <= 2 * (high - low)]
    known = [value for value in known if not panel.y.is_log or value > 0]
    return min([low, *known]), max([high, *known])


def draw_panels(figure: PanelsFigure) -> Canvas:
    """The figure on a page."""
    inks = inks_of(figure)
    keys = _keys(figure, inks)
    columns = column_count(figure)
    tall = 3.1 if len(figure.panels) == 1 else 1.9
    beside = max((room_beside(p.y) for p in figure.panels), default=0.85)
    gap = 0.28 if figure.shares_y else beside
    wide = (WIDTH_INCHES - beside - 0.3 - gap * (columns - 1)) / columns
    letters = max(12, int(wide / 0.078))
    titles = [_title(p.title, letters) for p in figure.panels]
    rows = [range(i, min(i + columns, len(titles))) for i in range(0, len(titles), columns)]
    above = [0.1 + max(0.17 * (titles[i].count("\n") + bool(titles[i])) for i in row) for row in rows]
    below = [max(_below(figure.panels[i], wide) for i in row) for row in rows]
    head = 0.42 + KEY_LINE_INCHES * len(key_lines(keys)) + 0.1 * bool(keys)
    height = head + sum(above) + sum(below) + tall * len(rows) + 0.1
    canvas = new_canvas(figure.title, height)
    key(canvas, keys)
    top = head
    for r, row in enumerate(rows):
        for c, i in enumerate(row):
            left, at = beside + c * (wide + gap), top + above[r]
            ax = axes(canvas, left, height - at - tall, WIDTH_INCHES - left - wide, at)
            _panel(ax, figure, figure.panels[i], inks, wide, tall)
            ax.set_title(titles[i], fontsize=9, color=INK, loc="left", pad=3, parse_math=False)
            is_first = c == 0 or not figure.shares_y
            ax.tick_params(labelleft=is_first)
            x = figure.panels[i].x.label
            label_axes(
                ax,
                "" if figure.panels[i].title.startswith(x) else wrapped(x, letters, 1),
                wrapped(figure.panels[i].y.label, int(tall / 0.08), 2) if is_first else "",
            )
        top += above[r] + tall + below[r]
    return canvas


def _title(text: str, letters: int) -> str:
    """A panel's title: a sentence on two lines, a long name with its middle left out."""
    if not text or len(text) <= letters:
        return text
    return wrapped(text, letters, 2) if text.count(" ") > 1 else both_ends(text, letters)


def column_count(figure: PanelsFigure) -> int:
    """How many panels stand beside each other."""
    many = len(figure.panels)
    return max(1, min(many, 2 if many == 4 else 3))


def _below(panel: Panel, wide: float) -> float:
    return room_below(panel.x, wide) + (0.24 if panel.x.label and not panel.title.startswith(panel.x.label) else 0.05)


def _keys(figure: PanelsFigure, inks: Inks) -> list[Key]:
    found: list[Key] = []
    for (label, look), colour in inks.points.items():
        found.append((_mark(look, colour), label))
    for (label, look), colour in inks.lines.items():
        found.append(({"marker": "line", **_stroke(look, colour)}, label))
    for label, colour in inks.levels.items():
        found.append(({"marker": "line", "color": colour, "linestyle": (0, (4, 2)), "linewidth": 1.3}, label))
    told = [(look, text) for look, text in found if text]
    return [] if len(told) == 1 and not inks.levels else told[:MOST_KEYS]


def _mark(look: str, colour: str) -> dict[str, Any]:
    if look == "open":
        return {"marker": "o", "mfc": PAPER, "mec": colour, "mew": 1.2}
    if look == "best":
        return {"marker": "o", "color": colour, "mec": PAPER, "mew": 0.5}
    return {"marker": "o", "color": colour, "mec": "none", "alpha": 0.85}


def _stroke(look: str, colour: str) -> dict[str, Any]:
    if look == "open":
        return {"color": colour, "linewidth": 1.5, "linestyle": (0, (5, 2))}
    return {"color": colour, "linewidth": {"best": 2.2, "faint": 0.9}.get(look, 1.6)}


def _panel(ax: Any, figure: PanelsFigure, panel: Panel, inks: Inks, wide: float, tall: float) -> None:
    xs = [x for p in (*panel.points, *panel.lines) for x in p.x]
    low, high = y_range(figure, panel)
    dress(ax, "x", panel.x, xs, wide)
    dress(ax, "y", panel.y, [low, high], tall)
    _limit(ax.set_xlim, panel.x, min(xs, default=0.0), max(xs, default=1.0), is_logarithmic(panel.x, xs))
    _limit(ax.set_ylim, panel.y, low, high, is_logarithmic(panel.y, [low, high]))
    for label, value in panel.levels:
        ax.axhline(value, color=inks.levels[label], linewidth=1.2, linestyle=(0, (4, 2)), zorder=1)
    for line in panel.lines:
        ax.plot(
            line.x, line.y, zorder=2 + (line.look == "best"), **_stroke(line.look, inks.lines[line.label, line.look])
        )
    size = 4.6 if sum(len(p.x) for p in panel.points) < MANY else 2.7
    for points in panel.points:
        look = {**_mark(points.look, inks.points[points.label, points.look]), "markersize": size}
        if points.look == "best":
            look["markersize"] = size + 1.4
        order = {"best": 5, "faint": 3}.get(points.look, 4)
        _dots(ax, places(points, panel.x), points.y, look, order)


def _limit(setter: Any, axis: Axis, low: float, high: float, is_log: bool) -> None:
    if axis.categories:
        setter(-0.6, len(axis.categories) - 0.4)
        return
    if is_log:
        room = max((high / low) ** 0.06, 1.05)
        setter(low / room, high * room)
        return
    room = (high - low) * 0.07 or abs(high) * 0.05 or 1.0
    setter(low - room, high + room)


def places(points: Points, axis: Axis) -> list[float]:
    """Where the dots stand along the axis; several of one category are spread beside each other."""
    if not axis.categories:
        return list(points.x)
    many = Counter(points.x)
    spread = {x: iter(jitter(n, 0.22)) for x, n in many.items()}
    return [x + next(spread[x]) for x in points.x]


def _dots(ax: Any, xs: Sequence[float], ys: Sequence[float], look: Mapping[str, Any], order: int) -> None:
    """The points, those beyond the axis as triangles at its edge."""
    low, high = ax.get_ylim()
    within = [(x, y) for x, y in zip(xs, ys, strict=True) if low <= y <= high]
    ax.plot([p[0] for p in within], [p[1] for p in within], linestyle="none", zorder=order, **look)
    for marker, share, beyond in (
        ("v", 0.02, [x for x, y in zip(xs, ys, strict=True) if y < low]),
        ("^", 0.98, [x for x, y in zip(xs, ys, strict=True) if y > high]),
    ):
        if beyond:
            spot = ax.get_xaxis_transform()
            ax.plot(beyond, [share] * len(beyond), marker, color=VERMILION, ms=4.5, mec="none", transform=spot)
