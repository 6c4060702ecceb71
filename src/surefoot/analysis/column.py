"""Column: one parameter over many trials, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surefoot.parameter import Parameter, is_same
from surefoot.space import SearchSpace
from surefoot.trials import Trial

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One parameter over n trials; every array has shape (n,).

    `active` is where the parameter existed. A "number" has `numbers` in its own unit (NaN where it did not
    exist); choices that are all numbers, as batch sizes, are numbers too. A "boolean" or a "choice" has
    `codes`, the place of its value in `levels` (-1 where it did not exist). A number of at most twenty
    different values has `levels` and `codes` as well.
    """

    parameter: Parameter
    kind: Literal["number", "boolean", "choice"]
    active: Booleans
    numbers: Floats
    codes: Integers
    levels: tuple[Any, ...]

    @property
    def key(self) -> str:
        """What tells the parameter from every other: its name with its conditions."""
        return self.parameter.key

    @property
    def condition(self) -> str:
        """When it exists, as a person says it; empty where always."""
        return self.parameter.condition

    @property
    def is_log(self) -> bool:
        """Whether its scale is logarithmic."""
        return self.parameter.log

    @property
    def n(self) -> int:
        """In how many of the trials it existed."""
        return int(self.active.sum())

    @property
    def distinct(self) -> int:
        """How many different values it took."""
        if self.kind == "number":
            return len(np.unique(self.numbers[self.active]))
        return len(np.unique(self.codes[self.active]))

    @property
    def scaled(self) -> Floats:
        """The numbers on the scale they were drawn on: logarithms where it is logarithmic."""
        if not self.is_log:
            return self.numbers
        found: Floats = np.log(self.numbers)
        return found

    def taken(self, rows: Booleans | Integers) -> Column:
        """The same parameter over some of the trials."""
        return Column(
            parameter=self.parameter,
            kind=self.kind,
            active=self.active[rows],
            numbers=self.numbers[rows],
            codes=self.codes[rows],
            levels=self.levels,
        )


def columns_of(space: SearchSpace, trials: Sequence[Trial]) -> tuple[Column, ...]:
    """A column for every parameter of the space, in its order."""
    return tuple(_column(parameter, trials) for parameter in space.parameters)


def _column(parameter: Parameter, trials: Sequence[Trial]) -> Column:
    values = [t.settings[parameter.name] for t in trials if _has(parameter, t)]
    active = np.array([_has(parameter, t) for t in trials], dtype=bool)
    kind = _kind(parameter)
    numbers = np.full(len(trials), math.nan)
    if kind == "number":
        numbers[active] = [float(value) for value in values]
        distinct = sorted(set(values))
        levels: tuple[Any, ...] = tuple(distinct) if len(distinct) <= MOST_LISTED else ()
    else:
        levels = parameter.levels()
    codes = np.full(len(trials), -1, dtype=np.int64)
    if levels:
        codes[active] = list(_places(values, levels))
    return Column(parameter=parameter, kind=kind, active=active, numbers=numbers, codes=codes, levels=levels)


def _has(parameter: Parameter, trial: Trial) -> bool:
    return parameter.name in trial.settings and parameter.exists(trial.settings)


def _kind(parameter: Parameter) -> Literal["number", "boolean", "choice"]:
    if parameter.kind == "bool":
        return "boolean"
    if parameter.kind != "categorical":
        return "number"
    is_number = all(isinstance(c, int | float) and not isinstance(c, bool) for c in parameter.choices)
    if is_number and parameter.choices:
        return "number"
    is_boolean = len(parameter.choices) == 2 and all(isinstance(c, bool) for c in parameter.choices)
    return "boolean" if is_boolean else "choice"


def _places(values: Iterable[Any], levels: Sequence[Any]) -> Iterable[int]:
    """Each value's place among the levels; 1, 1.0 and true are told apart only where the levels hold several."""
    places: dict[tuple[type, Any], int] = {}
    for value in values:
        known = (type(value), value)
        if known not in places:
            same = [i for i, level in enumerate(levels) if is_same(level, value)]
            places[known] = (same or [i for i, level in enumerate(levels) if level == value])[0]
        yield places[known]
