"""The figures of a sweep drawn, in the manner of the study's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from surefoot.reports.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    PAPER,
    VERMILION,
    WIDTH_INCHES,
    axes,
    jitter,
    label_axes,
    legend,
    limits,
    new_canvas,
    say,
    wrapped,
)
from surefoot.reports.sweep_figures import (
    FreshFigure,
    FreshRow,
    FrontFigure,
    HistoryFigure,
    Slice,
    SlicesFigure,
    StoppingFigure,
)
from surefoot.run import Metric
from surefoot.words import decimals_of, half_width, heading_of, number, unit_of

LONGEST_CATEGORY = 17
MANY = 150  # from so many dots on, they are small
LIGHT = "#9cc3dd"
Key = tuple[dict[str, Any], str]


def _history(figure: HistoryFigure) -> Canvas:
    canvas = new_canvas(figure.title, 3.9)
    ax = axes(canvas, 0.85, 0.6, 0.35, 0.85)
    low, high = limits(figure.shown)
    ax.set_ylim(low, high)
    last = max(m.number for m in figure.marks)
    ax.set_xlim(-0.5 - 0.01 * last, last + 0.5 + 0.01 * last)
    size = 5.0 if len(figure.marks) < MANY else 3.2
    looks: Mapping[str, dict[str, Any]] = {
        "complete": {"marker": "o", "color": BLUE, "alpha": 0.7, "mec": "none", "markersize": size},
        "barred": {"marker": "o", "mfc": PAPER, "mec": BLUE, "color": BLUE, "markersize": size - 0.5},
        "unfinished": {"marker": "x", "color": FAINT, "markersize": size, "mew": 1.2},
        "failed": {"marker": "|", "color": VERMILION, "markersize": 9, "mew": 1.6},
    }
    for kind, look in looks.items():
        there = [m for m in figure.marks if m.kind == kind]
        at_floor = [(m.number, low + 0.035 * (high - low)) for m in there if m.value is None]
        _dots(ax, [(m.number, m.value) for m in there if m.value is not None], look)
        ax.plot(*_columns(at_floor), linestyle="none", **looks["failed"])
    ax.plot(*_columns(figure.best), drawstyle="steps-post", color=INK, linewidth=1.6, zorder=2)
    _ring_chosen(ax, figure)
    _target(ax, figure.metric)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label_axes(ax, "trial", heading_of(figure.metric))
    kinds = {m.kind for m in figure.marks}
    words = {"complete": "complete", "barred": "breaks a constraint", "unfinished": "stopped early", "failed": "failed"}
    keys: list[Key] = [(look, words[kind]) for kind, look in looks.items() if kind in kinds]
    keys.append(({"marker": "_", "color": INK, "mew": 2}, "best so far"))
    if any(m.number == figure.chosen for m in figure.marks):
        keys.append(({"marker": "o", "mfc": "none", "mec": GREEN, "mew": 2}, "chosen on fresh seeds"))
    legend(canvas, [({k: v for k, v in look.items() if k != "markersize"}, text) for look, text in keys])
    return canvas


def _ring_chosen(ax: Any, figure: HistoryFigure) -> None:
    for m in figure.marks:
        if m.number == figure.chosen and m.value is not None:
            ax.plot([m.number], [m.value], "o", mfc="none", mec=GREEN, mew=2, markersize=10, zorder=5)


def _target(ax: Any, metric: Metric) -> None:
    """A dashed line where the target lies on the axis."""
    low, high = ax.get_ylim()
    if metric.target is None or not low <= metric.target <= high:
        return
    ax.axhline(metric.target, color=VERMILION, linewidth=1.3, linestyle=(0, (5, 3)), zorder=0)
    text = f"target {number(metric.target)}{unit_of(metric)}"
    room = (metric.target - low) / (high - low)
    at = {"ha": "left", "va": "bottom" if room < 0.9 else "top", "color": VERMILION}
    say(ax, 0.005, metric.target, text, transform=ax.get_yaxis_transform(), **at)


def _dots(ax: Any, points: Sequence[tuple[float, float]], look: Mapping[str, Any]) -> None:
    """The points, those beyond the axis as arrows at its edge."""
    low, high = ax.get_ylim()
    edge = 0.025 * (high - low)
    ax.plot(*_columns([p for p in points if low <= p[1] <= high]), linestyle="none", zorder=3, **look)
    for marker, y, beyond in (
        ("v", low + edge, [p for p in points if p[1] < low]),
        ("^", high - edge, [p for p in points if p[1] > high]),
    ):
        ax.plot([p[0] for p in beyond], [y] * len(beyond), marker, color=FAINT, markersize=5, mec="none", zorder=3)


def _columns(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [p[0] for p in points], [p[1] for p in points]


def _fresh(figure: FreshFigure) -> Canvas:
    height = 1.55 + 0.44 * len(figure.rows)
    canvas = new_canvas(figure.title, height)
    left, right = 1.15, 2.2
    ax = axes(canvas, left, 0.6, right, 0.85)
    ax.grid(visible=False)
    ax.set_ylim(len(figure.rows) - 0.45, -0.6)
    ax.set_xlim(*_fresh_limits(figure))
    digits = decimals_of(*(half_width(r.interval) for r in figure.rows if r.is_chosen))
    for y, row in enumerate(figure.rows):
        _fresh_row(ax, y, row, figure.metric, digits)
    if figure.metric.target is not None and ax.get_xlim()[0] <= figure.metric.target <= ax.get_xlim()[1]:
        ax.axvline(figure.metric.target, color=VERMILION, linewidth=1.2, linestyle=(0, (5, 3)), zorder=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(6))
    better = "better →" if figure.metric.sign > 0 else "← better"
    label_axes(ax, f"{heading_of(figure.metric)}, {better}")
    keys: list[Key] = [({"marker": "o", "mfc": PAPER, "mec": VERMILION, "mew": 1.6}, "exploring value")]
    keys.append(({"marker": "o", "color": GREY, "alpha": 0.45, "mec": "none"}, "fresh seed, chose"))
    if any(r.claim for r in figure.rows):
        keys.append(({"marker": "o", "color": GREEN, "mec": "none"}, "fresh seed, chose nothing"))
    keys.append(({"marker": "|", "color": INK, "mew": 2}, "mean, 95 % interval"))
    if figure.metric.target is not None:
        keys.append(({"marker": "_", "color": VERMILION, "mew": 2}, "target"))
    legend(canvas, keys)
    return canvas


def _fresh_limits(figure: FreshFigure) -> tuple[float, float]:
    """The dots, the rings and the chosen interval; two seeds' intervals are so wide that they may leave the page."""
    ends = [v for r in figure.rows for v in (*r.race, *r.claim, *([] if r.explored is None else [r.explored]))]
    ends += [end for r in figure.rows if r.is_chosen and r.interval for end in r.interval]
    target = figure.metric.target
    low, high = min(ends), max(ends)
    if target is not None and low - (high - low) < target < high + (high - low):
        ends.append(target)
    return limits(ends, 0.06)


def _fresh_row(ax: Any, y: int, row: FreshRow, metric: Metric, digits: int | None) -> None:
    colour = GREEN if row.is_chosen else GREY
    side, (low, high) = ax.get_yaxis_transform(), ax.get_xlim()
    weight = "bold" if row.is_chosen else "normal"
    say(
        ax,
        -0.02,
        y,
        wrapped(row.label, 20, 1),
        transform=side,
        va="center",
        ha="right",
        fontsize=9.5,
        fontweight=weight,
    )
    if row.interval is not None:
        ends = [min(max(end, low), high) for end in row.interval]
        ax.plot(ends, [y, y], color=colour, linewidth=2 if row.is_chosen else 1.3, solid_capstyle="butt", zorder=1)
    ax.plot(row.race, [y + d for d in jitter(len(row.race), 0.14)], "o", color=colour, alpha=0.4, mec="none", ms=5)
    ax.plot(row.claim, [y + d for d in jitter(len(row.claim), 0.14)], "o", color=colour, mec="none", ms=5.5, zorder=3)
    if row.mean is not None:
        ax.plot([row.mean] * 2, [y - 0.24, y + 0.24], color=INK, linewidth=2, zorder=4, solid_capstyle="butt")
        n = len(row.claim) or len(row.race)
        text = f"{number(row.mean, digits)}{unit_of(metric)}  n = {n}"
        say(ax, 1.03, y, text, transform=side, va="center", fontweight=weight, color=INK if row.is_chosen else GREY)
    if row.explored is not None:
        ax.plot([row.explored], [y], "o", mfc="none", mec=VERMILION, mew=1.6, markersize=8, zorder=5)


def _slices(figure: SlicesFigure) -> Canvas:
    many = len(figure.slices)
    columns = min(many, 3 if many != 4 else 2)
    rows = math.ceil(many / columns)
    tall = 1.75 if rows > 1 else 2.3
    bottoms = [_slice_bottom(s, columns) for s in figure.slices]
    room = [max(bottoms[r * columns : (r + 1) * columns]) for r in range(rows)]
    height = 0.55 + sum(room) + (tall + 0.32) * rows
    canvas = new_canvas(figure.title, height)
    panel = (WIDTH_INCHES - 0.8 - 0.2) / columns
    top = 0.5
    for i, found in enumerate(figure.slices):
        row, column = divmod(i, columns)
        if column == 0 and row > 0:
            top += tall + 0.32 + room[row - 1]
        left = 0.8 + column * panel
        ax = axes(canvas, left, height - top - 0.32 - tall, WIDTH_INCHES - left - panel + 0.28, top + 0.32)
        _slice(ax, found, figure, panel)
        ax.tick_params(labelleft=column == 0)
        name = wrapped(found.label, int(panel * 12.5), 2 if len(found.label) > panel * 12.5 else 1)
        ax.set_title(name, fontsize=9, color=INK, loc="left", pad=3, parse_math=False)
        label_axes(ax, "", heading_of(figure.metric) if column == 0 else "")
    return canvas


def _slice_bottom(found: Slice, columns: int) -> float:
    """The room below a panel, in inches: names of categories may be long, and are turned then."""
    return 0.3 + (0.075 * min(_longest(found), LONGEST_CATEGORY) if _is_turned(found, columns) else 0.08)


def _longest(found: Slice) -> int:
    return max((len(c) for c in found.categories), default=0)


def _is_turned(found: Slice, columns: int) -> bool:
    inches = (WIDTH_INCHES - 1.0) / columns - 0.3
    return sum(len(_both_ends(c)) + 2 for c in found.categories) * 0.075 > inches


def _both_ends(text: str) -> str:
    """The text as an axis has room for it: long names of categories often differ at their end only."""
    plain = wrapped(text, 200, 1)
    return plain if len(plain) <= LONGEST_CATEGORY else f"{plain[:7]}…{plain[7 - LONGEST_CATEGORY + 1 :]}"


def _slice(ax: Any, found: Slice, figure: SlicesFigure, panel: float) -> None:
    ax.set_ylim(*limits(figure.shown))
    size = 4.2 if len(found.points) < MANY else 2.6
    xs = _places(found)
    for is_best, look in (
        (False, {"color": LIGHT, "alpha": 0.85, "mec": "none"}),
        (True, {"color": "#005080", "mec": PAPER, "mew": 0.4}),
    ):
        some = [(x, p[1]) for x, p in zip(xs, found.points, strict=True) if p[2] == is_best]
        _dots(ax, some, {"marker": "o", "markersize": size + 1.2 * is_best, **look})
    if found.is_log and not found.categories:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=5))
        decades = math.log10(max(xs) / min(xs)) if min(xs) > 0 else 0
        if decades < 1:
            _plain_log_ticks(ax, xs)
        else:
            ax.xaxis.set_minor_locator(NullLocator())
    elif found.categories:
        ax.set_xlim(-0.6, len(found.categories) - 0.4)
        names = [_both_ends(c) for c in found.categories]
        is_turned = _is_turned(found, round((WIDTH_INCHES - 1.0) / panel))
        turn: dict[str, Any] = {"rotation": 90, "va": "top"} if is_turned else {}
        ax.set_xticks(range(len(names)), names, parse_math=False, **turn)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=all(float(x).is_integer() for x in xs)))
    ax.yaxis.set_major_locator(MaxNLocator(5))


def _plain_log_ticks(ax: Any, xs: Sequence[float]) -> None:
    """Within one decade a log axis has no tick of its own: the ends and the middle are written out."""
    low, high = min(xs), max(xs)
    places = sorted({low, math.sqrt(low * high), high}) if high > low else [low]
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(places, [number(float(f"{x:.2g}")) for x in places])


def _places(found: Slice) -> list[float]:
    """Where the dots stand; those of one category are spread beside each other."""
    if not found.categories:
        return [p[0] for p in found.points]
    spread = jitter(max(len(found.points), 2), 0.22)
    return [p[0] + spread[i] for i, p in enumerate(found.points)]


def _front(figure: FrontFigure) -> Canvas:
    canvas = new_canvas(figure.title, 4.4)
    ax = axes(canvas, 0.95, 0.65, 0.5, 0.85)
    ax.set_xlim(*limits(figure.shown[0]))
    ax.set_ylim(*limits(figure.shown[1]))
    beaten = [(p[0], p[1]) for p in figure.points if not p[3]]
    front = sorted((p[0], p[1], p[2]) for p in figure.points if p[3])
    ax.plot(*_columns(beaten), "o", color=LIGHT, mec="none", markersize=5, alpha=0.85, clip_on=True)
    ax.plot([p[0] for p in front], [p[1] for p in front], "-", color=GREEN, linewidth=1, alpha=0.5, zorder=2)
    ax.plot([p[0] for p in front], [p[1] for p in front], "o", color=GREEN, mec=PAPER, markersize=6.5, zorder=3)
    _number_front(ax, front)
    for axis, metric in zip(("x", "y"), figure.metrics, strict=True):
        better = "lower" if metric.sign < 0 else "higher"
        name = f"{heading_of(metric)}, {better} is better"
        label_axes(ax, **{axis: name})
    legend(canvas, [({"marker": "o", "color": GREEN}, "on the front"), ({"marker": "o", "color": LIGHT}, "beaten")])
    return canvas


def _number_front(ax: Any, front: Sequence[tuple[float, float, int]]) -> None:
    """The trials' numbers beside the points of the front, where they do not write over each other."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    written: list[tuple[float, float]] = []
    for x, y, trial in front:
        at = ((x - left) / (right - left), (y - low) / (high - low))
        if any(abs(at[0] - a) < 0.035 and abs(at[1] - b) < 0.06 for a, b in written):
            continue
        written.append(at)
        say(ax, x + 0.008 * (right - left), y + 0.015 * (high - low), str(trial), fontsize=8.5, color=GREY)


def _stopping(figure: StoppingFigure) -> Canvas:
    canvas = new_canvas(figure.title, 4.1)
    ax = axes(canvas, 0.85, 0.6, 0.35, 0.85)
    ax.set_ylim(*limits(figure.shown, 0.06))
    for rung in figure.rungs:
        ax.axvline(rung, color=FAINT, linewidth=1, linestyle=(0, (3, 3)), zorder=0)
    for curve in figure.curves:
        is_best = curve.number == figure.best
        is_whole = curve.state == "COMPLETE"
        colour, width = (INK, 2.2) if is_best else (BLUE, 1.2) if is_whole else ("#9aa1ab", 1.0)
        order = 4 if is_best else 3 if is_whole else 2
        ax.plot(curve.steps, curve.values, color=colour, linewidth=width, alpha=0.85, zorder=order)
        if not is_whole or len(curve.steps) == 1:
            mark = "x" if curve.state in ("FAILED", "INFEASIBLE") else "o"
            ax.plot(curve.steps[-1:], curve.values[-1:], mark, color=colour, markersize=3.5, zorder=order)
    if figure.is_log:
        ax.set_xscale("log")
        ax.set_xticks(figure.rungs, [f"{rung:,}" for rung in figure.rungs])
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    _target(ax, figure.metric)
    label_axes(ax, "step", heading_of(figure.metric))
    keys: list[Key] = [({"marker": "_", "color": BLUE, "mew": 2}, "trained to its end")]
    keys.append(({"marker": "_", "color": "#9aa1ab", "mew": 2}, "stopped early"))
    if any(c.number == figure.best for c in figure.curves):
        keys.append(({"marker": "_", "color": INK, "mew": 3}, "best by exploring"))
    legend(canvas, keys)
    return canvas


SWEEP_DRAWERS: Mapping[type, Callable[[Any], Canvas]] = {
    HistoryFigure: _history,
    FreshFigure: _fresh,
    SlicesFigure: _slices,
    FrontFigure: _front,
    StoppingFigure: _stopping,
}
