"""The direction tests: each parameter against the metric, with one false discovery rate over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import numpy as np

from surefoot.analysis.column import Column, Floats
from surefoot.analysis.levels import LevelPair, LevelStats, best_pair, level_stats, repeats, values_by_level
from surefoot.analysis.view import View
from surefoot.stats.correlation import LEAST_CORRELATED, spearman
from surefoot.stats.groups import eta_squared, group, welch_difference
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.stats.permutation import DRAWS, PermutationTest
from surefoot.stats.permutation import group_means_test as group_test
from surefoot.stats.permutation import mean_difference_test as difference_test
from surefoot.stats.permutation import rank_correlation_test as correlation_test

SHOWN_BELOW = 0.1
FEW = 10
# The largest group has this many times the trials of the smallest.
UNBALANCED = 3

Method = Literal["exact", "drawn", "approximate", "none"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberDirection:
    """A number against the metric, over the n trials in which it existed.

    `p_value` is Student's t approximation, as scipy.stats.spearmanr gives it; `p_perm` the permutation test's, which
    `q_value` rests on. "increase": the metric's value rises with the parameter; "none" where q is 0.1 or more, and
    then what `helps` is "unclear". All of them are None where nothing could be tested (see `flags`). `eta_squared`
    is the share of variance between the values it took, where it took some twice.
    """

    key: str
    name: str
    condition: str
    n: int
    rho: float | None = None
    p_value: float | None = None
    p_perm: float | None = None
    q_value: float | None = None
    interval: tuple[float, float] | None = None
    direction: Literal["increase", "decrease", "none"] = "none"
    helps: Literal["larger", "smaller", "unclear"] = "unclear"
    eta_squared: float | None = None
    method: Method = "none"
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class BooleanDirection:
    """True against false: `delta` is their means' difference, with Welch's interval, in the metric's unit."""

    key: str
    name: str
    condition: str
    levels: tuple[LevelStats, ...]
    n_true: int
    n_false: int
    mean_true: float | None = None
    mean_false: float | None = None
    delta: float | None = None
    interval: tuple[float, float] | None = None
    p_perm: float | None = None
    p_welch: float | None = None
    q_value: float | None = None
    helps: Literal["true", "false", "unclear"] = "unclear"
    method: Method = "none"
    flags: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """In how many trials it existed."""
        return self.n_true + self.n_false


@dataclass(frozen=True, kw_only=True, slots=True)
class ChoiceDirection:
    """Choice against choice: `p_perm` tests whether all levels have one mean, `pair` the best against the next.

    The best ones are None where no level was tried; `delta` is the best mean minus the worst.
    """

    key: str
    name: str
    condition: str
    levels: tuple[LevelStats, ...]
    best_by_mean: Any = None
    best_by_median: Any = None
    best_by_max: Any = None
    worst_by_mean: Any = None
    delta: float | None = None
    eta_squared: float | None = None
    pair: LevelPair | None = None
    p_perm: float | None = None
    q_value: float | None = None
    method: Method = "none"
    flags: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """In how many trials it existed."""
        return sum(level.n for level in self.levels)

    @property
    def p_welch(self) -> float | None:
        """Welch's p of the best level against the next."""
        return None if self.pair is None else self.pair.p_welch

    @property
    def p_mannwhitney(self) -> float | None:
        """Mann and Whitney's p of the best level against the next."""
        return None if self.pair is None else self.pair.p_mannwhitney

    def level(self, value: Any) -> LevelStats:
        """What is known of one level; raises KeyError."""
        for level in self.levels:
            if level.level is value or (type(level.level) is type(value) and level.level == value):
                return level
        raise KeyError(value)


Direction = NumberDirection | BooleanDirection | ChoiceDirection
AnyDirection = TypeVar("AnyDirection", NumberDirection, BooleanDirection, ChoiceDirection, Direction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Directions:
    """Every parameter's direction, in the order of the space; the q-values are one family over all of them."""

    numbers: tuple[NumberDirection, ...]
    booleans: tuple[BooleanDirection, ...]
    choices: tuple[ChoiceDirection, ...]

    @property
    def all(self) -> tuple[Direction, ...]:
        """All of them: numbers, booleans, choices."""
        return *self.numbers, *self.booleans, *self.choices

    @property
    def tests(self) -> int:
        """How many tests were made."""
        return sum(row.p_perm is not None for row in self.all)

    @property
    def shown(self) -> tuple[Direction, ...]:
        """Those beyond chance (q < 0.1), the smallest q first."""
        return tuple(row for row in self.ranked if row.q_value is not None and row.q_value < SHOWN_BELOW)

    @property
    def ranked(self) -> tuple[Direction, ...]:
        """All from the smallest q; those that exist only under a condition apart, after the others."""
        return ranked(self.all)


def ranked(rows: Sequence[AnyDirection]) -> tuple[AnyDirection, ...]:
    """The rows from the smallest q, what could not be tested last; conditional ones apart, after the others."""

    def place(row: AnyDirection) -> tuple[bool, float, float]:
        if row.q_value is None or row.p_perm is None:
            return bool(row.condition), 2.0, 2.0
        return bool(row.condition), row.q_value, row.p_perm

    return tuple(sorted(rows, key=place))


def directions(view: View, *, draws: int = DRAWS) -> Directions:
    """The direction of every parameter, each over the trials in which it existed.

    `draws` is how many random reorderings stand in for all of them where there are too many.
    """
    is_level = view.n == 0 or bool(view.values.min() == view.values.max())
    made = [_direction(view, column, is_level, draws) for column in view.columns]
    tested = [(i, row.p_perm) for i, row in enumerate(made) if row.p_perm is not None]
    q_values = benjamini_hochberg([p for _, p in tested])
    for (i, _), q in zip(tested, q_values, strict=True):
        made[i] = _concluded(made[i], q, view.metric.sign)
    return Directions(
        numbers=tuple(row for row in made if isinstance(row, NumberDirection)),
        booleans=tuple(row for row in made if isinstance(row, BooleanDirection)),
        choices=tuple(row for row in made if isinstance(row, ChoiceDirection)),
    )


def _direction(view: View, column: Column, is_level: bool, draws: int) -> Direction:
    values = view.values[column.active]
    is_testable = len(values) >= LEAST_CORRELATED and not is_level and bool(values.min() < values.max())
    rng = view.rng(f"direction {column.key}")
    if column.kind == "number":
        return _number(view, column, values, is_testable, rng, draws)
    levels = level_stats(view, column)
    if column.kind == "boolean":
        return _boolean(view, column, levels, is_testable, rng, draws)
    return _choice(view, column, levels, values, is_testable, rng, draws)


def _number(
    view: View, column: Column, values: Floats, is_testable: bool, rng: np.random.Generator, draws: int
) -> NumberDirection:
    numbers = column.numbers[column.active]
    row = NumberDirection(
        key=column.key, name=column.parameter.name, condition=column.condition, n=column.n, flags=_flags(column, values)
    )
    if not is_testable or column.distinct < 2:
        return row
    found = spearman(numbers, values)
    test = correlation_test(numbers, values, rng=rng, draws=draws)
    return replace(
        row,
        rho=found.rho,
        p_value=found.p_value,
        p_perm=test.p_value,
        interval=found.interval(),
        eta_squared=eta_squared(values, column.codes[column.active]) if repeats(column) else None,
        **_method(row, test),
    )


def _boolean(
    view: View, column: Column, levels: tuple[LevelStats, ...], is_testable: bool, rng: np.random.Generator, draws: int
) -> BooleanDirection:
    groups = values_by_level(view, column)
    places = [column.levels.index(value) for value in (True, False)]
    true, false = (groups[place] for place in places)
    row = BooleanDirection(
        key=column.key,
        name=column.parameter.name,
        condition=column.condition,
        levels=levels,
        n_true=len(true),
        n_false=len(false),
        mean_true=group(true).mean if len(true) else None,
        mean_false=group(false).mean if len(false) else None,
        flags=_flags(column, view.values[column.active], levels),
    )
    if row.mean_true is None or row.mean_false is None:
        return row
    row = replace(row, delta=row.mean_true - row.mean_false)
    if min(len(true), len(false)) >= 2:
        welch = welch_difference(true, false)
        row = replace(row, interval=welch.interval, p_welch=welch.p_value)
    if not is_testable:
        return row
    test = difference_test(true, false, rng=rng, draws=draws)
    return replace(row, p_perm=test.p_value, **_method(row, test))


def _choice(
    view: View,
    column: Column,
    levels: tuple[LevelStats, ...],
    values: Floats,
    is_testable: bool,
    rng: np.random.Generator,
    draws: int,
) -> ChoiceDirection:
    row = ChoiceDirection(
        key=column.key,
        name=column.parameter.name,
        condition=column.condition,
        levels=levels,
        flags=_flags(column, values, levels),
    )
    if not levels:
        return row
    row = _led(row, view.metric.sign)
    # Where every level was tried once there is no spread within levels to compare with.
    if not is_testable or not 2 <= len(levels) < len(values):
        return row
    codes = column.codes[column.active]
    test = group_test(values, codes, rng=rng, draws=draws)
    return replace(
        row,
        eta_squared=eta_squared(values, codes),
        pair=best_pair(view, column, levels, rng=rng, draws=draws),
        p_perm=test.p_value,
        **_method(row, test),
    )


def _led(row: ChoiceDirection, sign: int) -> ChoiceDirection:
    """The row with the levels that lead by mean, by median and by best trial."""
    worst, best = (f(row.levels, key=lambda at: sign * at.mean) for f in (min, max))
    # Where several share the best median or trial, the one with the best mean leads there too.
    by_median = max(row.levels, key=lambda at: (sign * at.median, sign * at.mean))
    by_trial = max(row.levels, key=lambda at: (sign * at.best, sign * at.mean))
    return replace(
        row,
        best_by_mean=best.level,
        best_by_median=by_median.level,
        best_by_max=by_trial.level,
        worst_by_mean=worst.level,
        delta=best.mean - worst.mean,
    )


def _method(row: Direction, test: PermutationTest) -> dict[str, Any]:
    flags = (*row.flags, "approximate") if test.method == "approximate" else row.flags
    return {"method": test.method, "flags": flags}


def _flags(column: Column, values: Floats, levels: Sequence[LevelStats] = ()) -> tuple[str, ...]:
    """What weakens the row: few, constant, conditional, ties (in the metric), unbalanced, single (one trial)."""
    sizes = [level.n for level in levels]
    said = {
        "few": column.n < FEW,
        "constant": column.distinct < 2 or len(values) == 0 or bool(values.min() == values.max()),
        "conditional": bool(column.condition),
        "ties": len(np.unique(values)) < len(values),
        "unbalanced": len(sizes) >= 2 and max(sizes) >= UNBALANCED * min(sizes),
        "single": len(sizes) >= 2 and min(sizes) == 1,
    }
    return tuple(flag for flag, holds in said.items() if holds)


def _concluded(row: Direction, q: float, sign: int) -> Direction:
    """The row with its q, and where that is below 0.1 with its direction."""
    row = replace(row, q_value=q)
    if q >= SHOWN_BELOW:
        return row
    if isinstance(row, NumberDirection) and row.rho:
        is_up = row.rho > 0
        return replace(
            row,
            direction="increase" if is_up else "decrease",
            helps="larger" if is_up == (sign > 0) else "smaller",
        )
    if isinstance(row, BooleanDirection) and row.delta:
        return replace(row, helps="true" if sign * row.delta > 0 else "false")
    return row
