"""Edge: one end of a number's range, what lies near it, and the slope there."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surefoot.analysis.column import Booleans, Column, Floats
from surefoot.analysis.exposure import is_few_valued
from surefoot.parameter import Parameter, is_same

FEWEST = 8
OUTER_ZONE, OUTER_THIRD = 0.1, 1 / 3
MOST_LEVELS = 20
# Pairs grow with the square: 800 trials have 319,600, which tell a slope well enough.
MOST_PAIRED = 800
ROUNDING = 1e-9
# What these words name lies between 0 and 1.
SHARE_WORDS = (
    *("dropout", "drop", "droppath", "prob", "probability", "p", "smoothing", "momentum", "beta", "beta1", "beta2"),
    *("fraction", "frac", "ratio", "share", "mixup", "cutmix", "quantile", "subsample", "ema", "survival", "sparsity"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    """One end of a column's range; arrays have shape (n,) and count only where the column is active.

    `towards` grows towards the edge: by 1 per level or per tenth of the range, as `per` says. `is_near` are the
    trials in the outer zone, which begins at `zone`, `is_outer` those in the outer third.
    """

    side: Literal["low", "high"]
    bound: int | float
    zone: float
    towards: Floats
    is_near: Booleans
    is_outer: Booleans
    per: Literal["level", "tenth of the range"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Slope:
    """The slope over `n` trials with its 95 % interval; None where they are too few or all at one place."""

    n: int
    value: float | None = None
    interval: tuple[float, float] | None = None


def edges_of(column: Column, *, is_inferred: bool) -> Iterator[Edge]:
    """The low and the high edge of a number; none where it has no such end, or is no number."""
    if column.kind != "number" or not column.active.any():
        return
    levels = _levels(column, is_inferred)
    if levels:
        yield from _edges_of_levels(column, levels)
    else:
        yield from _edges_of_range(column)


def local_slope(towards: Floats, values: Floats, *, rng: np.random.Generator) -> Slope:
    """How the values change per step towards the edge: the median over all pairs of trials.

    Source: Theil (1950), Proc. Kon. Ned. Akad. Wetensch. A 53, and Sen (1968), JASA 63(324), which gives the
    interval: it inverts Kendall's test, allowing for ties. Of more than 800 trials so many are drawn; `n` of the
    slope is how many it rests on.
    """
    n = len(values)
    if n < FEWEST or np.ptp(towards) == 0:
        return Slope(n=n)
    if n > MOST_PAIRED:
        kept = rng.choice(n, MOST_PAIRED, replace=False)
        towards, values, n = towards[kept], values[kept], MOST_PAIRED
    if np.ptp(towards) == 0:
        return Slope(n=n)
    if np.ptp(values) == 0:
        return Slope(n=n, value=0.0, interval=(0.0, 0.0))
    # scipy.stats takes most of a second to load, which those who import this for nothing should not wait for.
    from scipy.stats import theilslopes

    found = theilslopes(values, towards)
    low, high = float(found.low_slope), float(found.high_slope)
    if not (math.isfinite(low) and math.isfinite(high)):
        return Slope(n=n)
    return Slope(n=n, value=float(found.slope), interval=(low, high))


def natural_bound(parameter: Parameter, side: Literal["low", "high"], bound: int | float) -> str:
    """Why nothing lies beyond this bound, as a clause; empty where something may.

    It is read from the bound and the parameter's name, so that it is a guess, and a refusal only to widen.
    """
    words = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", parameter.name).lower()))
    is_share = not words.isdisjoint(SHARE_WORDS) or (is_same(parameter.low, 0) and is_same(parameter.high, 1))
    if side == "low":
        if is_same(bound, 0):
            return "an amount ends at 0"
        is_whole = parameter.kind == "int" or all(isinstance(c, int) for c in parameter.choices or (0.5,))
        return "a count begins at 1" if is_whole and bound == 1 else ""
    return "it is a share, which ends at 1" if is_share and 0.99 <= bound <= 1 else ""


def _levels(column: Column, is_inferred: bool) -> tuple[float, ...]:
    """The levels in order where there are few: the declared ones, else those that were seen more than once."""
    parameter = column.parameter
    declared = parameter.level_count
    if not is_inferred and declared is not None and declared <= MOST_LEVELS:
        return tuple(sorted(float(level) for level in parameter.levels()))
    # Whole numbers over a long range may have few seen by chance alone; a declared range is then taken as one.
    if is_inferred and is_few_valued(column):
        return tuple(sorted(float(level) for level in column.levels))
    return ()


def _edges_of_levels(column: Column, levels: tuple[float, ...]) -> Iterator[Edge]:
    """Places are counted in levels, whatever their distance, so that 8, 16, 32 and 64 are even steps."""
    places = np.full(len(column.numbers), math.nan)
    known = column.numbers[column.active]
    places[column.active] = np.abs(known[:, None] - np.array(levels)).argmin(axis=1)
    last = len(levels) - 1
    for side, towards, bound in (("low", last - places, levels[0]), ("high", places, levels[-1])):
        seen = np.unique(towards[column.active])
        second = seen[-2] if len(seen) > 1 else seen[-1]
        outer = min(last * (1 - OUTER_THIRD), second)
        yield Edge(
            side=side,  # type: ignore[arg-type]
            bound=_as_written(column.parameter, bound),
            zone=bound,
            towards=towards,
            is_near=towards == last,
            is_outer=towards >= outer - ROUNDING,
            per="level",
        )


def _edges_of_range(column: Column) -> Iterator[Edge]:
    parameter = column.parameter
    for side, bound in (("low", parameter.low), ("high", parameter.high)):
        other = parameter.high if side == "low" else parameter.low
        if bound is None or other is None or bound == other:
            continue
        start, end = (math.log(x) if parameter.log else float(x) for x in (other, bound))
        share = (column.scaled - start) / (end - start)
        zone = start + (1 - OUTER_ZONE) * (end - start)
        yield Edge(
            side=side,  # type: ignore[arg-type]
            bound=_as_written(parameter, bound),
            zone=math.exp(zone) if parameter.log else zone,
            towards=10 * share,
            is_near=share >= 1 - OUTER_ZONE - ROUNDING,
            is_outer=share >= 1 - OUTER_THIRD - ROUNDING,
            per="tenth of the range",
        )


def _as_written(parameter: Parameter, bound: float) -> int | float:
    is_whole = parameter.kind == "int" or (parameter.choices and all(isinstance(c, int) for c in parameter.choices))
    return int(bound) if is_whole else float(bound)
