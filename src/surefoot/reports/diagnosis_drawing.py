"""The figures of a diagnosis drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from surefoot.reports.canvas import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    WIDTH_INCHES,
    axes,
    label_axes,
    legend,
    limits,
    new_canvas,
    say,
)
from surefoot.reports.diagnosis_figures import DiagnosisFigure, Line, Panel
from surefoot.words import number

COLOURS = {"train": GREY, "clean train": GREEN, "validation": BLUE}
NAMES = {"train": "train", "clean train": "train, measured as validation is", "validation": "validation"}
HEIGHT = 3.5
GUTTER = 0.75
DECADES = 1.5  # a loss that spans more is drawn on a log scale
EARLY = 0.05  # this share of the first values may lie outside the panel


def _curves(figure: DiagnosisFigure) -> Canvas:
    canvas = new_canvas(figure.title, HEIGHT)
    room = WIDTH_INCHES - 0.75 - 0.25
    width = (room - GUTTER * (len(figure.panels) - 1)) / len(figure.panels)
    for i, panel in enumerate(figure.panels):
        left = 0.75 + i * (width + GUTTER)
        ax = axes(canvas, left, 0.6, WIDTH_INCHES - left - width, 0.95)
        _panel(ax, panel)
        label_axes(ax, figure.step_unit)
        ax.set_title(panel.label, fontsize=10, color=GREY, loc="left", pad=4, parse_math=False)
    roles = [role for role in COLOURS if any(line.role == role for panel in figure.panels for line in panel.lines)]
    keys: list[tuple[dict[str, Any], str]] = [({"marker": "o", "color": COLOURS[r]}, NAMES[r]) for r in roles]
    if any(panel.turns for panel in figure.panels):
        keys.append(({"marker": "v", "color": VERMILION}, "lowest validation loss"))
    legend(canvas, keys)
    return canvas


def _panel(ax: Any, panel: Panel) -> None:
    many = max(1, sum(line.role == "validation" for line in panel.lines))
    look = {"linewidth": 1.8 if many == 1 else 1.2, "alpha": 1.0 if many == 1 else 0.75, "solid_capstyle": "round"}
    for line in panel.lines:
        mark = "o" if len(line.steps) == 1 else None
        ax.plot(line.steps, line.values, color=COLOURS[line.role], marker=mark, markersize=4, **look)
    for turn in panel.turns:
        ax.plot([turn.step], [turn.value], marker="v", color=VERMILION, markersize=7, linestyle="none", zorder=4)
    low, high = _reach(panel.lines)
    if low > 0 and math.log10(high / low) > DECADES:
        ax.set_yscale("log")
        ax.set_ylim(low / 1.15, high * 1.15)
    else:
        ax.set_ylim(*limits([low, high], 0.07))
    if len(panel.turns) == 1:
        (turn,) = panel.turns
        ax.axvline(turn.step, color=VERMILION, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        say(ax, turn.step, ax.get_ylim()[1], f" {number(turn.step)}", color=VERMILION, va="top", fontsize=8.5)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def _reach(lines: Sequence[Line]) -> tuple[float, float]:
    """The lowest and the highest value to be shown; a few first ones far above the rest are left to run out."""
    whole = sorted(v for line in lines for v in line.values)
    later = sorted(v for line in lines for v in line.values[math.ceil(len(line.values) * EARLY) :]) or whole
    far = later[-1] + 1.5 * (later[-1] - later[0])
    return whole[0], whole[-1] if whole[-1] <= far else later[-1]


DIAGNOSIS_DRAWERS: Mapping[type, Callable[[Any], Canvas]] = {DiagnosisFigure: _curves}
