"""Levels: what the trials came to at each value of a parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.analysis.column import Column, Floats
from surefoot.analysis.view import View
from surefoot.stats.groups import group, mann_whitney, split, welch_difference
from surefoot.stats.permutation import DRAWS, mean_difference_test


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelStats:
    """The trials at one value of a parameter, in the metric's unit; `sd` is None for one trial alone."""

    level: Any
    n: int
    mean: float
    sd: float | None
    median: float
    best: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelPair:
    """The level with the best mean against the next one; `delta` is their means' difference in the metric's unit.

    `p_perm` is one-sided, "the first is no better"; Welch's and Mann-Whitney's are two-sided, Welch's None where
    a level was tried once. The pair was chosen by its means: these p-values are smaller than a fresh test's.
    """

    first: Any
    second: Any
    delta: float
    p_perm: float
    p_welch: float | None
    p_mannwhitney: float


def level_stats(view: View, column: Column) -> tuple[LevelStats, ...]:
    """The levels that were tried, in the column's order."""
    groups = values_by_level(view, column)
    found = [(level, group(values)) for level, values in zip(column.levels, groups, strict=True) if len(values)]
    is_up = view.metric.goal == "maximize"
    return tuple(
        LevelStats(level=level, n=g.n, mean=g.mean, sd=g.sd, median=g.median, best=g.high if is_up else g.low)
        for level, g in found
    )


def levels_of(view: View) -> dict[str, tuple[LevelStats, ...]]:
    """The levels of every column that has some, by its key; not of numbers that took no value twice."""
    return {column.key: level_stats(view, column) for column in view.columns if repeats(column)}


def repeats(column: Column) -> bool:
    """Whether it has levels to compare: a boolean, a choice, or a number that took a value twice."""
    if column.kind != "number":
        return column.n > 0
    return bool(column.levels) and column.distinct < column.n


def values_by_level(view: View, column: Column) -> list[Floats]:
    """The values at each of the column's levels, in order."""
    return split(view.values[column.active], column.codes[column.active], len(column.levels))


def best_pair(
    view: View, column: Column, levels: Sequence[LevelStats], *, rng: np.random.Generator, draws: int = DRAWS
) -> LevelPair | None:
    """The level with the best mean against the next; None for fewer than two, or where their values are all equal."""
    if len(levels) < 2:
        return None
    sign = view.metric.sign
    tried = [values for values in values_by_level(view, column) if len(values)]
    ranked = sorted(zip(levels, tried, strict=True), key=lambda found: -sign * found[0].mean)
    (first, a), (second, b) = ranked[:2]
    both = np.concatenate([a, b])
    if both.min() == both.max():
        return None
    test = mean_difference_test(sign * a, sign * b, rng=rng, draws=draws, alternative="greater")
    return LevelPair(
        first=first.level,
        second=second.level,
        delta=first.mean - second.mean,
        p_perm=test.p_value,
        p_welch=welch_difference(a, b).p_value if min(len(a), len(b)) >= 2 else None,
        p_mannwhitney=mann_whitney(a, b),
    )
