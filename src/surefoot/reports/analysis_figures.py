"""The figures of an analysis as they fit a page: thinned, cut and named, and their captions say so."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from surefoot.analysis.figure import Axis, BarsFigure, Figure, GridFigure, Panel, PanelsFigure, Points, SurfaceFigure
from surefoot.reports.analysis_words import both_ends, printable
from surefoot.words import count, decimals_of, half_width, number

MOST_BARS = 30
MOST_PANELS = 18
MOST_POINTS = 3000
MOST_POINTS_TOGETHER = 12_000
FEWEST_POINTS_A_PANEL = 400
MOST_NAMES = 30
FEWEST_FOR_QUARTILES = 8
# Beyond so many interquartile ranges a point would flatten the rest; a normal law has none there.
REACH = 8.0
FEW = 0.1


def drawable(figure: Figure) -> Figure:
    """The figure with no more in it than a page shows; what was left out stands in its caption."""
    if isinstance(figure, BarsFigure):
        return _bars(figure)
    if isinstance(figure, PanelsFigure):
        return _panels(figure)
    if isinstance(figure, SurfaceFigure):
        return _surface(figure)
    return _grid(figure)


def shown_range(values: Sequence[float], *, is_log: bool = False) -> tuple[float, float]:
    """From the lowest to the highest value that an axis should hold: without a few so far off that they would
    flatten the rest. On a logarithmic axis only what is above zero counts.
    """
    known = sorted(v for v in values if not is_log or v > 0)
    if not known:
        return (1.0, 10.0) if is_log else (0.0, 1.0)
    places = [math.log10(v) for v in known] if is_log else known
    if len(known) < FEWEST_FOR_QUARTILES:
        return known[0], known[-1]
    low, high = places[len(places) // 4], places[-1 - len(places) // 4]
    reach = REACH * (high - low)
    near = [v for v, place in zip(known, places, strict=True) if low - reach <= place <= high + reach]
    is_worth_it = reach > 0 and 0 < len(known) - len(near) <= FEW * len(known)
    return (near[0], near[-1]) if is_worth_it else (known[0], known[-1])


def edges(grid: Sequence[float], *, is_log: bool) -> list[float]:
    """The borders of the cells about the places of a grid: one more than there are places."""
    is_log = is_log and min(grid) > 0
    places = [math.log10(x) for x in grid] if is_log else [float(x) for x in grid]
    if len(places) == 1:
        found = [places[0] - 0.5, places[0] + 0.5]
    else:
        middles = [(a + b) / 2 for a, b in itertools.pairwise(places)]
        found = [2 * places[0] - middles[0], *middles, 2 * places[-1] - middles[-1]]
    return [10**x for x in found] if is_log else found


def value_and_interval(value: float, interval: tuple[float, float] | None) -> str:
    """ "0.42 (0.31 … 0.55)", rounded by the interval."""
    if interval is None:
        return number(value)
    digits = decimals_of(half_width(interval))
    return f"{number(value, digits)} ({number(interval[0], digits)} … {number(interval[1], digits)})"


def _bars(figure: BarsFigure) -> BarsFigure:
    ordered = sorted(figure.bars, key=lambda bar: -bar.value)
    said = figure.caption
    if len(ordered) > MOST_BARS:
        ordered = sorted(ordered, key=lambda bar: -abs(bar.value))[:MOST_BARS]
        ordered.sort(key=lambda bar: -bar.value)
        said = _with(said, f"The {MOST_BARS} largest of {len(figure.bars):,} are drawn.")
    bars = tuple(replace(bar, label=printable(bar.label)) for bar in ordered)
    title, caption = printable(figure.title), printable(said)
    return replace(figure, title=title, caption=caption, axis=_axis(figure.axis), bars=bars)


def _panels(figure: PanelsFigure) -> PanelsFigure:
    panels, said = figure.panels[:MOST_PANELS], figure.caption
    if len(panels) < len(figure.panels):
        said = _with(said, f"The first {MOST_PANELS} of {len(figure.panels)} panels are drawn.")
    most = min(MOST_POINTS, max(FEWEST_POINTS_A_PANEL, MOST_POINTS_TOGETHER // max(len(panels), 1)))
    thinned = tuple(_panel(panel, most) for panel in panels)
    had = max((_point_count(p) for p in panels), default=0)
    if any(_point_count(a) < _point_count(b) for a, b in zip(thinned, panels, strict=True)):
        where = " in each panel" if len(panels) > 1 else ""
        said = _with(said, f"Of {had:,} points about {most:,} are drawn{where}, evenly thinned.")
    beyond = sum(_beyond(p) for p in thinned)
    if beyond:
        stands = "stands" if beyond == 1 else "stand"
        said = _with(said, f"{count(beyond, 'point')} beyond the axis {stands} at its edge, as a triangle.")
    return replace(figure, title=printable(figure.title), caption=printable(said), panels=thinned)


def _panel(panel: Panel, most: int) -> Panel:
    """The panel with at most about `most` points; the best ones all stay."""
    free = [p for p in panel.points if p.look != "best"]
    many = sum(len(p.x) for p in free)
    step = max(1, math.ceil(many / most))
    points = tuple(_thinned(p, 1 if p.look == "best" else step) for p in panel.points)
    lines = tuple(_thinned(p, max(1, math.ceil(len(p.x) / most))) for p in panel.lines)
    levels = tuple((printable(label), value) for label, value in panel.levels)
    title = printable(panel.title)
    return replace(panel, title=title, x=_axis(panel.x), y=_axis(panel.y), points=points, lines=lines, levels=levels)


def _thinned(points: Points, step: int) -> Points:
    """Every so-manieth point, with the lowest, the highest and the last."""
    n = len(points.x)
    kept = set(range(0, n, step))
    if n:
        kept |= {n - 1, min(range(n), key=points.y.__getitem__), max(range(n), key=points.y.__getitem__)}
    order = sorted(kept)
    labels = tuple(printable(points.labels[i]) for i in order) if points.labels else ()
    x, y = tuple(points.x[i] for i in order), tuple(points.y[i] for i in order)
    return replace(points, label=printable(points.label), x=x, y=y, labels=labels)


def _point_count(panel: Panel) -> int:
    return sum(len(p.x) for p in panel.points)


def _beyond(panel: Panel) -> int:
    ys = [y for p in (*panel.points, *panel.lines) for y in p.y]
    low, high = shown_range(ys, is_log=panel.y.is_log)
    return sum(not low <= y <= high for p in panel.points for y in p.y)


def _surface(figure: SurfaceFigure) -> SurfaceFigure:
    points, said = figure.points, figure.caption
    if len(points) > MOST_POINTS:
        points = points[:: math.ceil(len(points) / MOST_POINTS)]
        said = _with(said, f"{len(points):,} of {len(figure.points):,} trials are drawn, evenly thinned.")
    title, caption, label = printable(figure.title), printable(said), printable(figure.value_label)
    x, y = _axis(figure.x), _axis(figure.y)
    return replace(figure, title=title, caption=caption, value_label=label, x=x, y=y, points=points)


def _grid(figure: GridFigure) -> GridFigure:
    rows, columns, said = figure.rows[:MOST_NAMES], figure.columns[:MOST_NAMES], figure.caption
    if len(rows) < len(figure.rows) or len(columns) < len(figure.columns):
        whole = f"{len(figure.rows):,} × {len(figure.columns):,}"
        said = _with(said, f"The first {len(rows)} × {len(columns)} of {whole} are drawn.")
    values = tuple(tuple(row[: len(columns)]) for row in figure.values[: len(rows)])
    title, caption = printable(figure.title), printable(said)
    return replace(
        figure,
        title=title,
        caption=caption,
        rows=tuple(map(both_ends, rows)),
        columns=tuple(map(both_ends, columns)),
        values=values,
    )


def _axis(axis: Axis) -> Axis:
    return replace(axis, label=printable(axis.label), categories=tuple(map(printable, axis.categories)))


def _with(caption: str, more: str) -> str:
    return f"{caption} {more}".strip()
