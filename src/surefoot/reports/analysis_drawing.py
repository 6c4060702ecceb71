"""The figures of an analysis drawn, in the manner of the other reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure as Canvas

from surefoot.analysis.figure import Axis, BarsFigure, GridFigure, PanelsFigure, SurfaceFigure
from surefoot.reports.analysis_axes import (
    KEY_LINE_INCHES,
    LETTER_INCHES,
    Key,
    PlainNumbers,
    dress,
    is_logarithmic,
    key,
    key_lines,
    room_below,
    room_beside,
)
from surefoot.reports.analysis_figures import edges, shown_range, value_and_interval
from surefoot.reports.analysis_panels import draw_panels
from surefoot.reports.analysis_words import both_ends
from surefoot.reports.canvas import (
    BLUE,
    FAINT,
    GREY,
    INK,
    PAPER,
    VERMILION,
    WIDTH_INCHES,
    axes,
    jitter,
    label_axes,
    new_canvas,
    say,
    wrapped,
)
from surefoot.words import number

PALE = "#bcd6e7"
ROW_INCHES = 0.3
AGAINST = ((0.0, "#b64a00"), (0.25, "#f0a672"), (0.5, "#ffffff"), (0.75, "#7db6da"), (1.0, "#005a8f"))
UNSURE = ((0.0, "#ffffff"), (1.0, "#7a4a6b"))
FEWEST_FOR_CONTOURS = 6


def _bars(figure: BarsFigure) -> Canvas:
    bars = figure.bars
    keys = bar_keys(figure)
    names = [both_ends(bar.label) for bar in bars]
    texts = [value_and_interval(bar.value, bar.interval) for bar in bars]
    left = 0.35 + LETTER_INCHES * 1.06 * max((len(n) for n in names), default=4)
    right = 0.3 + LETTER_INCHES * max((len(t) for t in texts), default=4)
    head = 0.48 + KEY_LINE_INCHES * len(key_lines(keys)) + 0.05 * bool(keys)
    height = head + ROW_INCHES * max(len(bars), 1) + 0.62
    canvas = new_canvas(figure.title, height)
    key(canvas, keys)
    ax = axes(canvas, left, 0.55, right, head)
    ax.grid(visible=False)
    low, high = bar_limits(figure)
    wide = WIDTH_INCHES - left - right
    is_log = is_logarithmic(figure.axis, [low, high])
    dress(ax, "x", figure.axis, [low, high + 0.5 * (high - low)] if not is_log else [low, high], wide)
    ax.set_xlim(low, high)
    ax.set_ylim(max(len(bars), 1) - 0.45, -0.55)
    for y, (bar, name, text) in enumerate(zip(bars, names, texts, strict=True)):
        start = low if is_log else 0.0
        ax.barh(y, bar.value - start, left=start, height=0.6, color=BLUE if bar.is_sure else PALE, zorder=2)
        if bar.interval is not None:
            ends = [min(max(end, low), high) for end in bar.interval]
            ax.plot(ends, [y, y], color=INK, linewidth=1.1, solid_capstyle="butt", zorder=3)
        if bar.null is not None:
            ax.plot([bar.null] * 2, [y - 0.36, y + 0.36], color=VERMILION, linewidth=2, zorder=4)
        side, ink = ax.get_yaxis_transform(), INK if bar.is_sure else GREY
        say(ax, -0.1 / wide, y, name, transform=side, va="center", ha="right", color=ink)
        say(ax, 1 + 0.12 / wide, y, text, transform=side, va="center", fontsize=8.5, color=ink)
    if not is_log and low < 0:
        ax.axvline(0, color=FAINT, linewidth=1, zorder=1)
    ax.set_yticks([])
    ax.spines["left"].set_visible(not is_log and low >= 0)
    label_axes(ax, wrapped(figure.axis.label, int(wide / 0.08), 1))
    return canvas


def bar_limits(figure: BarsFigure) -> tuple[float, float]:
    """The ends of the axis: zero, every bar, null and interval; logarithms begin at the smallest of them."""
    ends = [v for b in figure.bars for v in (b.value, *(b.interval or ()), *([] if b.null is None else [b.null]))]
    if figure.axis.is_log and ends and min(ends) > 0:
        return min(ends) / 1.5, max(ends) * 1.15
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.03 * (high - low) or 1.0
    return low - room * (low < 0), high + room


def bar_keys(figure: BarsFigure) -> list[Key]:
    """What the marks of the bars mean; only of those that are there."""
    found: list[Key] = []
    sure = {bar.is_sure for bar in figure.bars}
    if sure == {True, False}:
        found.append(({"marker": "s", "color": BLUE, "mec": "none"}, "beyond chance"))
    if False in sure:
        found.append(({"marker": "s", "color": PALE, "mec": "none"}, "not shown to be beyond chance"))
    if any(bar.interval is not None for bar in figure.bars):
        found.append(({"marker": "line", "color": INK, "linewidth": 1.1}, "95 % interval"))
    if any(bar.null is not None for bar in figure.bars):
        found.append(({"marker": "|", "color": VERMILION, "mew": 2, "markersize": 9}, "what chance alone would reach"))
    return found


def _surface(figure: SurfaceFigure) -> Canvas:
    beside, bar, gap, tall = room_beside(figure.y), 0.85, 0.3, 2.85
    wide = (WIDTH_INCHES - beside - gap - 2 * bar) / 2
    below = room_below(figure.x, wide) + 0.28
    height = 0.85 + tall + below
    canvas = new_canvas(figure.title, height)
    span = value_span(figure)
    colours = "viridis" if figure.is_larger_better else "viridis_r"
    unsure = LinearSegmentedColormap.from_list("unsure", UNSURE)
    most = max((v for row in figure.sd for v in row), default=0.0) or 1.0
    halves = (
        (f"fitted {figure.value_label}; the dots are trials", figure.mean, colours, Normalize(*span)),
        ("how unsure the fit is (its sd)", figure.sd, unsure, Normalize(0, most)),
    )
    for i, (title, cells, palette, norm) in enumerate(halves):
        left = beside + i * (wide + gap + bar)
        ax = axes(canvas, left, below, WIDTH_INCHES - left - wide, 0.75)
        drawn = _cells(ax, figure, cells, palette, norm, has_lines=i == 0)
        dress(ax, "x", figure.x, [*figure.x_grid], wide)
        dress(ax, "y", figure.y, [*figure.y_grid], tall)
        _trials(ax, figure, palette if i == 0 else None, norm)
        ax.tick_params(labelleft=i == 0)
        ax.set_title(
            wrapped(title, int((wide + bar) / 0.078), 1), fontsize=9, color=INK, loc="left", pad=4, parse_math=False
        )
        label_axes(ax, wrapped(figure.x.label, int(wide / 0.08), 1), "" if i else wrapped(figure.y.label, 36, 1))
        _scale(canvas, drawn, (left + wide + 0.1, below, height, tall))
    return canvas


def value_span(figure: SurfaceFigure) -> tuple[float, float]:
    """From the lowest to the highest colour: the surface and the trials, without a few far off."""
    values = [*(v for row in figure.mean for v in row), *(p[2] for p in figure.points)]
    low, high = shown_range(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _cells(
    ax: Any, figure: SurfaceFigure, cells: Sequence[Sequence[float]], palette: Any, norm: Any, *, has_lines: bool
) -> Any:
    """The surface: smooth between numbers, cell by cell where one axis has names."""
    ax.grid(visible=False)
    xs = edges(figure.x_grid, is_log=_is_log(figure.x, figure.x_grid))
    ys = edges(figure.y_grid, is_log=_is_log(figure.y, figure.y_grid))
    drawn = ax.pcolormesh(xs, ys, cells, cmap=palette, norm=norm, zorder=1, rasterized=True)
    has_names = figure.x.categories or figure.y.categories
    is_fine = min(len(figure.x_grid), len(figure.y_grid)) >= FEWEST_FOR_CONTOURS
    flat = [v for row in cells for v in row]
    if has_lines and is_fine and not has_names and max(flat) > min(flat):
        ax.contour(figure.x_grid, figure.y_grid, cells, 6, colors=[PAPER], linewidths=0.7, alpha=0.7, zorder=2)
    return drawn


def _is_log(axis: Axis, grid: Sequence[float]) -> bool:
    return is_logarithmic(axis, grid)


def _trials(ax: Any, figure: SurfaceFigure, palette: Any, norm: Normalize) -> None:
    """The raw trials: coloured by their value, or small and grey without a palette."""
    if not figure.points:
        return
    spread = jitter(max(len(figure.points), 2), 0.2)
    xs = [p[0] + spread[i] * bool(figure.x.categories) for i, p in enumerate(figure.points)]
    ys = [p[1] + spread[-1 - i] * bool(figure.y.categories) for i, p in enumerate(figure.points)]
    many = len(figure.points) > 300
    if palette is None:
        ax.plot(xs, ys, "o", ms=1.5 if many else 2.5, color=GREY, mec="none", alpha=0.6, zorder=3)
        return
    look = {"s": 9 if many else 26, "linewidths": 0.35 if many else 0.8, "edgecolors": PAPER, "zorder": 3}
    ax.scatter(xs, ys, c=[p[2] for p in figure.points], cmap=palette, norm=norm, **look)


def _scale(canvas: Canvas, drawn: Any, place: tuple[float, float, float, float]) -> None:
    left, below, height, tall = place
    bar = canvas.add_axes((left / WIDTH_INCHES, below / height, 0.11 / WIDTH_INCHES, tall / height))
    made = canvas.colorbar(drawn, cax=bar)
    made.outline.set_visible(False)
    bar.yaxis.set_major_formatter(PlainNumbers())
    bar.tick_params(colors=GREY, labelsize=8, length=2, color=FAINT)


def _grid(figure: GridFigure) -> Canvas:
    rows, columns = len(figure.rows), len(figure.columns)
    if not rows or not columns:
        return new_canvas(figure.title, 0.7)
    beside = 0.3 + LETTER_INCHES * 1.06 * max((len(n) for n in figure.rows), default=4)
    wide = min(WIDTH_INCHES - beside - 1.1, 0.75 * columns)
    cell = wide / max(columns, 1)
    is_turned = max((len(n) for n in figure.columns), default=1) * LETTER_INCHES > cell - 0.1
    below = 0.2 + (LETTER_INCHES * 1.05 * max((len(n) for n in figure.columns), default=4) if is_turned else 0.15)
    tall = max(0.4, min(0.34, max(cell, 0.2)) * rows)
    height = 0.6 + tall + below
    canvas = new_canvas(figure.title, height)
    ax = axes(canvas, beside, below, WIDTH_INCHES - beside - wide, 0.5)
    ax.grid(visible=False)
    palette = LinearSegmentedColormap.from_list("against", AGAINST).with_extremes(bad="#eef0f2")
    cells = [[float("nan") if v is None else v for v in row] for row in figure.values]
    drawn = ax.pcolormesh(range(columns + 1), range(rows + 1), cells, cmap=palette, vmin=-1, vmax=1, ec=PAPER, lw=1)
    ax.set_ylim(rows, 0)
    turn: dict[str, Any] = {"rotation": 90} if is_turned else {}
    ax.set_xticks([i + 0.5 for i in range(columns)], figure.columns, parse_math=False, **turn)
    ax.set_yticks([i + 0.5 for i in range(rows)], figure.rows, parse_math=False)
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    if cell >= 0.33:
        _write_cells(ax, figure)
    _scale(canvas, drawn, (beside + wide + 0.15, below, height, tall))
    return canvas


def _write_cells(ax: Any, figure: GridFigure) -> None:
    for y, row in enumerate(figure.values):
        for x, value in enumerate(row):
            text = "" if value is None else number(value, 2)
            ink = PAPER if value is not None and abs(value) > 0.65 else INK
            say(ax, x + 0.5, y + 0.52, text, ha="center", va="center", fontsize=7.5, color=ink)


ANALYSIS_DRAWERS: Mapping[type, Callable[[Any], Canvas]] = {
    BarsFigure: _bars,
    PanelsFigure: draw_panels,
    SurfaceFigure: _surface,
    GridFigure: _grid,
}
