"""The figures of an analysis as data: bars, levels, scatter, surface, lines, grid; drawn elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """What stands along an axis; `categories` name its places 0, 1, … where it holds no numbers."""

    label: str
    is_log: bool = False
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A labelled value with its interval; `null` is what chance alone would reach, `is_sure` that it is beyond it."""

    label: str
    value: float
    interval: tuple[float, float] | None = None
    null: float | None = None
    is_sure: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class BarsFigure:
    """Bars from the largest to the smallest."""

    name: str
    title: str
    caption: str
    axis: Axis
    bars: tuple[Bar, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Places of one kind; `x` and `y` have one entry a point, `labels` name them (or are empty)."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[str, ...] = ()
    look: Literal["plain", "best", "faint", "open"] = "plain"


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """One small plot: kinds of points over an axis, lines drawn through them, level lines across."""

    title: str
    x: Axis
    y: Axis
    points: tuple[Points, ...] = ()
    lines: tuple[Points, ...] = ()
    levels: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelsFigure:
    """Small plots side by side; one alone is a whole figure. With `shares_y` all have one scale."""

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    shares_y: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class SurfaceFigure:
    """A fitted surface over two parameters: `mean` and `sd` have shape (len(y_grid), len(x_grid)).

    `points` are the raw trials as (x, y, value). A category's places are 0, 1, ….
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    value_label: str
    is_larger_better: bool
    x_grid: tuple[float, ...]
    y_grid: tuple[float, ...]
    mean: tuple[tuple[float, ...], ...]
    sd: tuple[tuple[float, ...], ...]
    points: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GridFigure:
    """A matrix of numbers between -1 and 1 with named rows and columns; None where there is nothing to say."""

    name: str
    title: str
    caption: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


Figure = BarsFigure | PanelsFigure | SurfaceFigure | GridFigure
