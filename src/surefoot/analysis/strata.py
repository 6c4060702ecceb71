"""Strata: the trials in which the same parameters existed, encoded for a forest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from surefoot.analysis.column import Booleans, Column, Floats
from surefoot.analysis.forest import ForestAxis
from surefoot.analysis.view import View
from surefoot.parameter import Parameter, is_same

# A parameter of more values than these is taken for continuous.
MOST_GRID_POINTS = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Stratum:
    """The trials, `rows` of shape (n,), under one condition, and the parameters that exist in all of them.

    `condition` is in words, empty for all trials. `own` are the keys of the parameters that are ranked here;
    the other `columns` exist here too, are ranked elsewhere, and stand here for what they explain. `allowed` are
    the values that the condition leaves to the parameters it names.
    """

    condition: str
    rows: Booleans
    columns: tuple[Column, ...]
    own: tuple[str, ...]
    allowed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


def strata_of(view: View) -> tuple[Stratum, ...]:
    """All trials with the parameters that exist in each; then every condition's trials with its own beside those.

    A parameter that a condition narrows to one value is left out there. A stratum may hold few trials, or none:
    whoever ranks within it judges that.
    """
    always = tuple(c for c in view.columns if _is_everywhere(c))
    groups: dict[tuple[str, bytes], list[Column]] = {}
    for column in view.columns:
        if not _is_everywhere(column):
            groups.setdefault((_said(column), column.active.tobytes()), []).append(column)
    everything = Stratum(
        condition="", rows=np.ones(view.n, dtype=bool), columns=always, own=tuple(c.key for c in always)
    )
    return everything, *(_stratum(condition, own, view.columns) for (condition, _), own in groups.items())


def encoded(stratum: Stratum, view: View) -> tuple[Floats, tuple[ForestAxis, ...]]:
    """The stratum's trials, shape (its rows, its columns), and the axes a forest needs.

    Numbers stand on the scale they were drawn on, as `Column.scaled` has them; choices and booleans as codes,
    the place among their `possible_levels`. Numbers that are choices are alike in weight; whole and stepped
    ones too, on a logarithmic scale in proportion to how often each is drawn. Beyond 500 values they are taken
    for continuous between their bounds. Without bounds a number's range is what was seen.
    """
    axes = tuple(_axis(column, stratum) for column in stratum.columns)
    x = np.empty((int(stratum.rows.sum()), len(axes)))
    for j, (column, axis) in enumerate(zip(stratum.columns, axes, strict=True)):
        if axis.is_choice:
            renumbered = np.zeros(len(column.levels), dtype=np.int64)
            possible = list(possible_levels(column, stratum))
            renumbered[possible] = np.arange(len(possible))
            x[:, j] = renumbered[column.codes[stratum.rows]]
        else:
            x[:, j] = column.scaled[stratum.rows]
    return x, axes


def possible_levels(column: Column, stratum: Stratum) -> tuple[int, ...]:
    """Which places among a choice's levels it may take in this stratum, and those that it took all the same."""
    allowed = stratum.allowed.get(column.parameter.name)
    taken = set(column.codes[stratum.rows].tolist())
    places = enumerate(column.levels)
    return tuple(i for i, level in places if allowed is None or i in taken or any(is_same(level, v) for v in allowed))


def _is_everywhere(column: Column) -> bool:
    """Whether it exists in every trial; without a trial, whether nothing is asked for it."""
    return bool(column.active.all()) if len(column.active) else not column.parameter.when


def _said(column: Column) -> str:
    # A setting may be absent without a condition, where a record left it out.
    return column.condition or f"{column.parameter.name} is recorded"


def _stratum(condition: str, own: Sequence[Column], columns: Sequence[Column]) -> Stratum:
    rows = own[0].active
    keys = tuple(c.key for c in own)
    allowed = _allowed(own[0].parameter, columns)
    kept = tuple(c for c in columns if c.key in keys or (_exists(c, rows) and not _is_narrowed(c, allowed)))
    return Stratum(condition=condition, rows=rows, columns=kept, own=keys, allowed=allowed)


def _exists(column: Column, rows: Booleans) -> bool:
    """Whether it exists in all of the rows; where there are none, whether it does in every trial."""
    return bool(column.active[rows].all()) if rows.any() else _is_everywhere(column)


def _is_narrowed(column: Column, allowed: Mapping[str, tuple[Any, ...]]) -> bool:
    return len(allowed.get(column.parameter.name, ())) == 1


def _allowed(parameter: Parameter, columns: Sequence[Column]) -> dict[str, tuple[Any, ...]]:
    """What its conditions ask, and the conditions of those it names, where only one parameter has that name."""
    found = {name: tuple(values) for name, values in parameter.when.items()}
    for name in parameter.when:
        named = [c.parameter for c in columns if c.parameter.name == name]
        if len(named) == 1:
            found = {**_allowed(named[0], columns), **found}
    return found


def _axis(column: Column, stratum: Stratum) -> ForestAxis:
    if column.kind != "number":
        return ForestAxis(key=column.key, is_choice=True, level_count=len(possible_levels(column, stratum)))
    parameter = column.parameter
    low, high = _range(column, stratum)
    grid, weights = _grid(parameter, stratum.allowed.get(parameter.name, parameter.choices))
    low, high = (grid[0], grid[-1]) if grid else (low, high)
    return ForestAxis(key=column.key, low=low, high=high, level_count=len(grid), grid=grid, weights=weights)


def _range(column: Column, stratum: Stratum) -> tuple[float, float]:
    """The declared bounds on the drawn scale; what was seen where there are none."""
    seen = column.scaled[stratum.rows]
    low, high = column.parameter.low, column.parameter.high
    scale = math.log if column.is_log else float
    has_low = low is not None and (low > 0 or not column.is_log)
    found = scale(low) if low is not None and has_low else float(seen.min()) if len(seen) else 0.0
    return found, scale(high) if high is not None else float(seen.max(initial=found))


def _grid(parameter: Parameter, listed: Sequence[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values it may take, rising on the drawn scale, and how likely each is; empty where it is continuous."""
    if listed:
        numbers = sorted(float(value) for value in listed)
        return tuple(map(math.log, numbers)) if parameter.log else tuple(numbers), ()
    count = parameter.level_count
    if count is None or not 1 < count <= MOST_GRID_POINTS:
        return (), ()
    levels = np.array(parameter.levels(), dtype=float)
    if not parameter.log:
        return tuple(levels.tolist()), ()
    # A whole number is drawn as a real one and rounded, from half a step below the lowest on.
    half = (levels[1] - levels[0]) / 2
    between = (levels[:-1] + levels[1:]) / 2
    edges = np.log([max(levels[0] - half, levels[0] / 2), *between, levels[-1] + half])
    return tuple(np.log(levels).tolist()), tuple(np.diff(edges).tolist())
