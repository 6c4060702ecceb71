"""The figures of a study drawn, without pyplot and without any global state."""

from __future__ import annotations

import io
import itertools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from surefoot.analysis.figure import Figure as AnalysisFigure
from surefoot.reports.analysis_drawing import ANALYSIS_DRAWERS
from surefoot.reports.canvas import (
    BLUE,
    COLOURS,
    DOTS_PER_INCH,
    FAINT,
    GREEN,
    GREY,
    INK,
    NO_BREAK,
    ORANGE,
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
    spaced,
    wrapped,
)
from surefoot.reports.diagnosis_drawing import DIAGNOSIS_DRAWERS
from surefoot.reports.diagnosis_figures import DiagnosisFigure
from surefoot.reports.figures import (
    CostFigure,
    Curve,
    CurvesFigure,
    Effect,
    Figure,
    ForestFigure,
    NoiseFigure,
    PathFigure,
    Step,
)
from surefoot.reports.phases_drawing import PHASE_DRAWERS
from surefoot.reports.phases_figures import PhaseFigure
from surefoot.reports.sweep_drawing import SWEEP_DRAWERS
from surefoot.reports.sweep_figures import SweepFigure
from surefoot.words import decimals_of, heading_of, number, unit_of

MOST_CURVES_TOGETHER = 4


def png(figure: Figure | SweepFigure | AnalysisFigure | PhaseFigure | DiagnosisFigure) -> bytes:
    """The figure as a PNG at twice the width of a 900-pixel page."""
    with warnings.catch_warnings():
        # A name in a script the font lacks is drawn as boxes; that is no reason to draw nothing.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        # Values near the largest float overflow on their way to the page; the tables have them.
        warnings.simplefilter("ignore", RuntimeWarning)
        canvas = _draw(figure)
        stream = io.BytesIO()
        canvas.savefig(stream, format="png", dpi=DOTS_PER_INCH, facecolor=PAPER, metadata={"Software": None})
    return stream.getvalue()


def _draw(figure: Figure | SweepFigure | AnalysisFigure | PhaseFigure | DiagnosisFigure) -> Canvas:
    drawers: dict[type, Callable[[Any], Canvas]] = {
        PathFigure: _path,
        CurvesFigure: _curves,
        ForestFigure: _forest,
        NoiseFigure: _noise,
        CostFigure: _cost,
        **SWEEP_DRAWERS,
        **ANALYSIS_DRAWERS,
        **DIAGNOSIS_DRAWERS,
        **PHASE_DRAWERS,
    }
    return drawers[type(figure)](figure)


def _path(figure: PathFigure) -> Canvas:
    metric, steps = figure.metric, figure.steps
    width = max(12, int(96 / max(len(steps), 1)))
    names = [wrapped(s.label, width) for s in steps]
    bottom = 0.25 + 0.17 * max(name.count("\n") + 1 for name in names)
    canvas = new_canvas(figure.title, 3.9 + bottom)
    ax = axes(canvas, 0.85, bottom, 0.35, 0.85)
    everything = [v for s in steps for v in (*s.exploring, *s.fresh)]
    inner = [t.mean for t in figure.tried]
    target = [] if metric.target is None else [metric.target]
    low, high = limits([*everything, *target])
    # Arms that fell far below would squeeze the path: they stand at the edge, with an arrow.
    shown = [v for v in inner if low - (high - low) * 0.5 <= v <= high + (high - low) * 0.5]
    low, high = limits([*everything, *target, *shown])
    ax.set_ylim(low, high)
    ax.set_xlim(-0.5, len(steps) - 0.5 + (0.5 if any(t.after_step == len(steps) - 1 for t in figure.tried) else 0.0))
    for tried, x in zip(figure.tried, _tried_places(figure), strict=True):
        inside = low <= tried.mean <= high
        y = tried.mean if inside else low + 0.03 * (high - low) if tried.mean < low else high - 0.03 * (high - low)
        ax.plot(
            [x], [y], marker="x" if inside else "v" if tried.mean < low else "^", color=FAINT, markersize=5.5, mew=1.4
        )
    for i, (a, b) in enumerate(itertools.pairwise(steps)):
        ax.plot([i - _offset(a), i + 1 - _offset(b)], [a.mean, b.mean], color=FAINT, linewidth=1.4, zorder=1)
    for i, step in enumerate(steps):
        _step(ax, i, step)
    if metric.target is not None:
        ax.axhline(metric.target, color=VERMILION, linewidth=1.3, linestyle=(0, (5, 3)), zorder=0)
        text = f"target {number(metric.target)}{unit_of(metric)}"
        say(ax, ax.get_xlim()[0], metric.target, text, color=VERMILION, ha="left", va="bottom")
    ax.set_xticks(range(len(steps)))
    ax.set_xticklabels(names, fontsize=9.5, color=INK, parse_math=False)
    label_axes(ax, y=heading_of(metric))
    legend(canvas, _path_legend(figure))
    return canvas


def _offset(step: Step) -> float:
    """How far exploring seeds stand to the left of their step, and fresh ones to its right."""
    return 0.15 if step.fresh and step.exploring else 0.0


def _step(ax: Any, i: int, step: Step) -> None:
    offset = _offset(step)
    colour = GREEN if step.is_claimed else BLUE
    if step.exploring:
        xs = [i - offset + d for d in jitter(len(step.exploring), 0.06)]
        ax.plot(xs, step.exploring, "o", color=BLUE, markersize=4.5, alpha=0.55, mec="none", zorder=3)
        ax.hlines(step.mean, i - offset - 0.11, i - offset + 0.11, color=BLUE, linewidth=2.2, zorder=4)
    if step.fresh:
        mean = math.fsum(step.fresh) / len(step.fresh)
        xs = [i + offset + d for d in jitter(len(step.fresh), 0.06)]
        ax.plot(xs, step.fresh, "o", mfc=PAPER, mec=colour, mew=1.1, markersize=4.8, zorder=3)
        ax.hlines(mean, i + offset - 0.11, i + offset + 0.11, color=colour, linewidth=2.2, zorder=4)
        if step.is_claimed:
            ax.plot([i + offset + 0.15], [mean], "s", color=GREEN, markersize=7, zorder=5)


def _tried_places(figure: PathFigure) -> list[float]:
    """Between the step where an arm was tried and the next one, side by side."""
    places = []
    for i, tried in enumerate(figure.tried):
        mates = [j for j, t in enumerate(figure.tried) if t.after_step == tried.after_step]
        share = (mates.index(i) + 1) / (len(mates) + 1)
        places.append(tried.after_step + 0.28 + 0.44 * share)
    return places


def _path_legend(figure: PathFigure) -> list[tuple[dict[str, Any], str]]:
    keys: list[tuple[dict[str, Any], str]] = [({"marker": "o", "color": BLUE, "alpha": 0.6}, "exploring seed")]
    if any(s.fresh for s in figure.steps):
        keys.append(({"marker": "o", "mfc": PAPER, "mec": GREY, "color": GREY}, "fresh seed"))
    if any(s.is_claimed for s in figure.steps):
        keys.append(({"marker": "s", "color": GREEN}, "claimed"))
    if figure.tried:
        keys.append(({"marker": "x", "color": "#aab0b8", "mew": 1.4}, "tried, not adopted"))
    return keys


def _curves(figure: CurvesFigure) -> Canvas:
    champion = [c for c in figure.curves if c.is_champion]
    arms = [c for c in figure.curves if not c.is_champion]
    if len(figure.curves) <= MOST_CURVES_TOGETHER:
        return _curves_together(figure, champion, arms)
    return _curves_apart(figure, champion, arms)


def _curves_together(figure: CurvesFigure, champion: list[Curve], arms: list[Curve]) -> Canvas:
    canvas = new_canvas(figure.title, 4.0)
    ax = axes(canvas, 0.85, 0.6, 2.15, 0.6)
    curves = [c for c in (*champion, *arms) if c.steps]
    colours = {id(c): GREY if c.is_champion else COLOURS[i % 6] for i, c in enumerate([*arms, *champion])}
    for curve in curves:
        _line(ax, curve, colours[id(curve)])
    low, high = _curve_limits(curves)
    ax.set_ylim(low, high)
    last = max(c.steps[-1] for c in curves)
    names = [wrapped(f"{c.label} (n{NO_BREAK}={NO_BREAK}{c.n})", 26) for c in curves]
    most = max(name.count("\n") + 1 for name in names)
    heights = spaced([min(max(c.mean[-1], low), high) for c in curves], 0.058 * most * (high - low))
    for curve, y, name in zip(curves, heights, names, strict=True):
        at = last + 0.03 * (last - ax.get_xlim()[0])
        say(ax, at, y, name, color=colours[id(curve)], va="center", fontsize=9.5, clip_on=False)
    ax.set_xlim(min(c.steps[0] for c in curves), last)
    label_axes(ax, "step", heading_of(figure.metric))
    return canvas


def _curves_apart(figure: CurvesFigure, champion: list[Curve], arms: list[Curve]) -> Canvas:
    """A small panel for each arm, the champion grey behind it."""
    columns = 3 if len(arms) > 4 else 2
    rows = math.ceil(len(arms) / columns)
    height = 1.1 + 2.05 * rows
    canvas = new_canvas(figure.title, height)
    low, high = _curve_limits(figure.curves)
    first = min(c.steps[0] for c in figure.curves if c.steps)
    last = max(c.steps[-1] for c in figure.curves if c.steps)
    panel = (WIDTH_INCHES - 0.85 - 0.25) / columns
    for i, arm in enumerate(arms):
        row, column = divmod(i, columns)
        left, top = 0.85 + column * panel, 1.05 + row * 2.05
        ax = axes(canvas, left, height - top - 1.4, WIDTH_INCHES - left - panel + 0.3, top)
        for curve in champion:
            _line(ax, curve, GREY)
        _line(ax, arm, BLUE)
        ax.set_ylim(low, high)
        ax.set_xlim(first, max(last, first + 1))
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(labelleft=column == 0, labelbottom=i + columns >= len(arms))
        name = wrapped(f"{arm.label} (n{NO_BREAK}={NO_BREAK}{arm.n})", int(panel * 13), 2)
        ax.set_title(name, fontsize=9, color=BLUE, loc="left", pad=3, parse_math=False)
        label_axes(ax, "step" if i + columns >= len(arms) else "", figure.metric.unit or "" if column == 0 else "")
    legend(
        canvas,
        [
            ({"marker": "o", "color": BLUE}, f"arm, {heading_of(figure.metric)}"),
            ({"marker": "o", "color": GREY}, "champion"),
        ],
    )
    return canvas


def _line(ax: Any, curve: Curve, colour: str) -> None:
    ax.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.16, linewidth=0)
    mark = "o" if len(curve.steps) == 1 else None
    ax.plot(curve.steps, curve.mean, color=colour, linewidth=1.9, marker=mark, solid_capstyle="round")


def _curve_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest to the highest band, without the first twentieth where a start far off would flatten the rest."""
    ends = [v for c in curves for v in (*c.low[len(c.low) // 20 :], *c.high[len(c.high) // 20 :])]
    return limits(ends, 0.06)


def _forest(figure: ForestFigure) -> Canvas:
    rows = _forest_rows(figure.effects)
    height = 1.05 + 0.27 * len(rows) + 0.75
    canvas = new_canvas(figure.title, height)
    ax = axes(canvas, 2.95, 0.7, 2.5, 0.85)
    ax.grid(visible=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ends = [e for effect in figure.effects for e in (effect.interval or (effect.estimate, effect.estimate))]
    ax.set_xlim(*limits([*ends, 0.0], 0.05))
    zone = figure.metric.min_effect
    if zone:
        ax.axvspan(-zone, zone, color="#eceff2", linewidth=0, zorder=0)
    ax.axvline(0, color=GREY, linewidth=1, zorder=1)
    side = ax.get_yaxis_transform()
    for y, row in enumerate(rows):
        if isinstance(row, str):
            at = -(2.95 - 0.25) / (WIDTH_INCHES - 2.95 - 2.5)
            say(ax, at, y + 0.1, wrapped(row, 42, 1), fontweight="bold", transform=side, va="center", fontsize=9)
        else:
            _forest_row(ax, y, row, figure)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    unit = figure.metric.difference_unit.strip()
    better = "better →" if figure.metric.sign > 0 else "← better"
    label_axes(ax, f"difference in {figure.metric.name}{' (' + unit + ')' if unit else ''}, {better}")
    keys: list[tuple[dict[str, Any], str]] = [({"marker": "o", "color": GREY}, "exploring seeds")]
    kinds = {e.kind for e in figure.effects}
    if "fresh" in kinds:
        keys.append(({"marker": "s", "color": GREY}, "fresh seeds"))
    if "effect" in kinds:
        keys.append(({"marker": "D", "color": GREY}, "factorial effect"))
    colours = {_effect_colour(e) for e in figure.effects}
    named = ((GREEN, "claimed"), (BLUE, "better"), (VERMILION, "worse"), (GREY, "undecided"))
    keys += [({"marker": "_", "mew": 3, "color": c}, text) for c, text in named if c in colours]
    legend(canvas, keys)
    return canvas


def _forest_rows(effects: Sequence[Effect]) -> list[str | Effect]:
    rows: list[str | Effect] = []
    for i, effect in enumerate(effects):
        if i == 0 or effects[i - 1].group != effect.group:
            rows.append(effect.group)
        rows.append(effect)
    return rows


def _forest_row(ax: Any, y: int, effect: Effect, figure: ForestFigure) -> None:
    colour = _effect_colour(effect)
    mark = {"arm": "o", "fresh": "s", "effect": "D"}[effect.kind]
    side = ax.get_yaxis_transform()
    low, high = ax.get_xlim()
    if effect.interval is not None:
        ax.plot(effect.interval, [y, y], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
    fill = colour if effect.interval is not None else PAPER
    x = min(max(effect.estimate, low), high)
    ax.plot([x], [y], mark, mfc=fill, mec=colour, markersize=6 if mark != "D" else 5, zorder=3)
    name, size = (wrapped(effect.label, 60, 1), 9) if len(effect.label) <= 38 else (wrapped(effect.label, 44, 2), 7.5)
    say(ax, -0.015, y, name, transform=side, va="center", ha="right", fontsize=size, linespacing=1.05)
    digits = decimals_of((effect.interval[1] - effect.interval[0]) / 2) if effect.interval else None
    sign = "+" if effect.estimate > 0 else ""
    said = f"{sign}{number(effect.estimate, digits)}"  # the unit stands at the axis, however long it is
    say(ax, 1.02, y, said, transform=side, va="center", fontsize=9, color=INK)
    say(ax, 1.27, y, f"n = {effect.n}  {effect.word}", transform=side, va="center", fontsize=8.5, color=colour)


def _effect_colour(effect: Effect) -> str:
    known = {"claimed": GREEN, "better": BLUE, "worse": VERMILION}
    return known.get(effect.word, GREY)


def _noise(figure: NoiseFigure) -> Canvas:
    canvas = new_canvas(figure.title, 3.7)
    metric, unit = figure.metric, figure.metric.difference_unit
    seeds = axes(canvas, 0.85, 0.65, 6.1, 0.7)
    seeds.axhspan(figure.mean - figure.sd, figure.mean + figure.sd, color=BLUE, alpha=0.1, linewidth=0)
    seeds.axhline(figure.mean, color=BLUE, linewidth=1.8)
    seeds.plot(jitter(len(figure.values), 0.3), figure.values, "o", color=BLUE, markersize=5.5, alpha=0.7, mec="none")
    seeds.set_xlim(-0.7, 0.7)
    seeds.set_xticks([])
    seeds.set_ylim(*limits([*figure.values, figure.mean - figure.sd, figure.mean + figure.sd], 0.12))
    seeds.yaxis.set_major_locator(MaxNLocator(5))
    label_axes(seeds, f"{len(figure.values)} baseline seeds", heading_of(metric))
    ax = axes(canvas, 4.3, 0.65, 0.35, 0.7)
    ax.plot(figure.pairs, figure.detectable, color=INK, linewidth=1.9)
    box = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.8}
    for n in figure.looks:
        if n in figure.pairs:
            y = figure.detectable[figure.pairs.index(n)]
            ax.plot([n], [y], "o", color=VERMILION, markersize=6, zorder=3)
            say(
                ax,
                n + 0.3,
                y + 0.03 * max(figure.detectable),
                f"{number(y, decimals_of(y))}{unit}",
                va="bottom",
                bbox=box,
            )
    top = max([*figure.detectable, metric.min_effect or 0.0])
    ax.set_ylim(0, 1.15 * top)
    ax.set_xlim(figure.pairs[0] - 0.5, figure.pairs[-1] + 0.5)
    if metric.min_effect:
        ax.axhline(metric.min_effect, color=GREY, linewidth=1, linestyle=(0, (4, 3)))
        text = f"smallest worth having, {number(metric.min_effect)}{unit}"
        say(ax, figure.pairs[-1] + 0.4, metric.min_effect, text, color=GREY, ha="right", va="bottom")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    label_axes(ax, "pairs of seeds", f"detectable difference{' (' + unit.strip() + ')' if unit else ''}")
    return canvas


def _cost(figure: CostFigure) -> Canvas:
    height = 1.35 + 0.4 * len(figure.costs)
    canvas = new_canvas(figure.title, height)
    places = range(len(figure.costs))
    names = [wrapped(c.label, 30, 2) for c in figure.costs]
    runs = axes(canvas, 2.4, 0.6, 3.35, 0.55)
    runs.barh(places, [c.trained for c in figure.costs], height=0.62, color=BLUE)
    runs.barh(
        places, [c.reused for c in figure.costs], left=[c.trained for c in figure.costs], height=0.62, color="#b9d4e6"
    )
    most = max(c.trained + c.reused for c in figure.costs)
    for y, c in enumerate(figure.costs):
        text = f"{c.trained}" + (f" + {c.reused} reused" if c.reused else "")
        say(runs, c.trained + c.reused + 0.02 * most, y, text, va="center", fontsize=8.5, color=GREY)
    runs.set_xlim(0, 1.32 * most)
    runs.set_yticks(places)
    runs.set_yticklabels(names, fontsize=9, color=INK, parse_math=False)
    scale, unit = _time_unit(max(c.seconds for c in figure.costs))
    times = axes(canvas, 6.0, 0.6, 0.35, 0.55)
    longest = max(c.seconds for c in figure.costs) / scale or 1.0
    times.barh(places, [c.seconds / scale for c in figure.costs], height=0.62, color=ORANGE)
    for y, c in enumerate(figure.costs):
        say(
            times,
            c.seconds / scale + 0.02 * longest,
            y,
            number(c.seconds / scale, 1),
            va="center",
            fontsize=8.5,
            color=GREY,
        )
    times.set_xlim(0, 1.18 * longest)
    times.set_yticks([])
    for ax, label in ((runs, "runs"), (times, f"{unit} of training")):
        ax.set_ylim(len(figure.costs) - 0.5, -0.5)
        ax.grid(visible=False)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=ax is runs))
        label_axes(ax, label)
    return canvas


def _time_unit(seconds: float) -> tuple[float, str]:
    if seconds >= 5400:
        return 3600.0, "hours"
    return (60.0, "minutes") if seconds >= 90 else (1.0, "seconds")
