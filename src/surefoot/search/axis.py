"""A parameter as Optuna sees it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from surefoot.parameter import is_same
from surefoot.space import Parameter

# The last place before 1: a share of a distribution is below 1.
LAST_SHARE = math.nextafter(1.0, 0.0)
# Between bounds so far out in a tail, a quotient of shares has no digits left.
SMALLEST_SPAN = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """A distribution of Optuna's under the parameter's key, and the way to it and back.

    Choices go by their place, since Optuna takes 1 and true for the same one; so do steps, which Optuna would
    add up in floats. A normal distribution, or a log scale with steps, both unknown to Optuna, are searched
    in their quantiles: uniform there is what was asked for here.
    """

    key: str
    distribution: BaseDistribution
    value: Callable[[Any], Any]
    place: Callable[[Any], Any]

    @property
    def is_single(self) -> bool:
        """Whether there is nothing to choose."""
        return self.distribution.single()

    @property
    def is_number(self) -> bool:
        """Whether places near each other mean values near each other."""
        return not isinstance(self.distribution, CategoricalDistribution)


def axis_of(parameter: Parameter) -> Axis:
    """The parameter's axis."""
    if parameter.kind in ("categorical", "bool"):
        return _of_choices(parameter)
    if parameter.normal is not None or (parameter.log and parameter.step is not None):
        return _of_quantiles(parameter)
    low, high = parameter.low, parameter.high
    assert low is not None and high is not None
    if parameter.is_continuous:
        return Axis(
            key=parameter.key,
            distribution=FloatDistribution(low, high, log=parameter.log, step=None),
            value=lambda place: min(max(float(place), low), high),
            place=float,
        )
    if parameter.log:
        distribution = IntDistribution(int(low), int(high), log=True, step=1)
        return Axis(key=parameter.key, distribution=distribution, value=int, place=int)
    return _of_steps(parameter, low)


def _of_choices(parameter: Parameter) -> Axis:
    choices = parameter.levels()

    def place(value: Any) -> int:
        return next(i for i, choice in enumerate(choices) if is_same(choice, value))

    distribution = CategoricalDistribution(tuple(range(len(choices))))
    return Axis(key=parameter.key, distribution=distribution, value=lambda i: choices[i], place=place)


def _of_steps(parameter: Parameter, low: float) -> Axis:
    count, step = parameter.level_count, parameter.step or 1
    assert count is not None
    return Axis(
        key=parameter.key,
        distribution=IntDistribution(0, count - 1, log=False, step=1),
        value=lambda i: parameter.value_at((i + 0.5) / count),
        place=lambda value: min(max(round((value - low) / step), 0), count - 1),
    )


def _of_quantiles(parameter: Parameter) -> Axis:
    return Axis(
        key=parameter.key,
        distribution=FloatDistribution(0.0, LAST_SHARE, log=False, step=None),
        value=lambda share: parameter.value_at(min(max(share, 0.0), LAST_SHARE)),
        place=lambda value: share_of(parameter, value),
    )


def share_of(parameter: Parameter, value: float) -> float:
    """The middle of the shares at which the parameter has the value: the inverse of `value_at`."""
    if parameter.normal is not None and parameter.is_continuous:
        shares = [_normal_share(parameter, x) for x in (parameter.low, value, parameter.high)]
        low, share, high = 0.0 if parameter.low is None else shares[0], shares[1], shares[2]
        if high - low > SMALLEST_SPAN:
            return min(max((share - low) / (high - low), 0.0), LAST_SHARE)

    def first(is_past: Callable[[float], bool]) -> float:
        low, high = 0.0, LAST_SHARE
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if is_past(parameter.value_at(middle)) else (middle, high)
        return high

    return (first(lambda v: v >= value) + first(lambda v: v > value)) / 2


def _normal_share(parameter: Parameter, value: float | None) -> float:
    """The share of the whole normal distribution below the value; 1 where there is none."""
    assert parameter.normal is not None
    if value is None:
        return 1.0
    return NormalDist(*parameter.normal).cdf(math.log(value) if parameter.log else value)
