"""The best of n by luck: what the largest of n draws comes to when none of them is better than the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrc, log_ndtr, ndtr

from surefoot.errors import StatisticsError

Floats = NDArray[np.float64]

# Sums over evenly spaced places of a smooth function that dies out at both ends are exact to rounding
# (Trefethen & Weideman 2014, "The exponentially convergent trapezoidal rule", SIAM Review 56(3)).
_Z = np.linspace(-8.0, 8.0, 129)
_Z_WEIGHTS = np.exp(-_Z * _Z / 2) / np.exp(-_Z * _Z / 2).sum()
# Few degrees of freedom leave a standard deviation that spreads over many orders of magnitude.
_PLACES, _FEW_DF, _MANY_PLACES = 61, 5, 401
_KNOWN_DF = 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Largest:
    """The largest of n draws: its expectation, and the span that it lies in with the asked probability."""

    expected: float
    low: float
    high: float


def largest_binomial(n: int, *, probability: float, examples: int, coverage: float = 0.90) -> Largest:
    """The best share of right answers among `n` that each answer `examples` questions, right with `probability`.

    Exact: the largest of n is at most k where all are. The span cuts off half of what `coverage` leaves at
    either end. Raises StatisticsError for less than one draw or example, or a probability outside 0 to 1.
    """
    _check(n)
    if examples < 1 or not 0 <= probability <= 1:
        raise StatisticsError(
            f"draws need at least one example and a probability from 0 to 1; got {examples} and {probability}"
        )
    below = np.power(bdtr(np.arange(examples + 1, dtype=float), examples, probability), n)
    below[-1] = 1.0
    tail = (1 - coverage) / 2
    # The expectation of a count is the sum of its survival function.
    expected = float((1 - below[:-1]).sum()) / examples
    low, high = (int(np.searchsorted(below, share)) / examples for share in (tail, 1 - tail))
    return Largest(expected=expected, low=low, high=high)


def chance_of_hits(hits: float, n: int, *, probability: float, examples: int) -> float:
    """The probability that the best of `n` draws has `hits` or more right answers (a fraction counts as the next)."""
    _check(n)
    wanted = math.ceil(hits - 1e-6)
    if wanted <= 0:
        return 1.0
    if wanted > examples:
        return 0.0
    single = float(bdtrc(float(wanted - 1), examples, probability))
    return 1.0 if single >= 1 else -math.expm1(n * math.log1p(-single))


def largest_normal(
    n: int, *, mean: float = 0.0, sd: float = 1.0, df: float = math.inf, coverage: float = 0.90
) -> Largest:
    """The largest of `n` normal draws about `mean`.

    `df` is what `sd` was estimated with: the span then has the width that this leaves. Raises StatisticsError
    for less than one draw.
    """
    _check(n)
    tail = (1 - coverage) / 2
    scale, weights = _scales(df)

    def below(place: float) -> float:
        return float(weights @ np.exp(n * log_ndtr(place * scale)))

    low, high = _solved(below, tail), _solved(below, 1 - tail)
    return Largest(expected=mean + sd * expected_largest(n), low=mean + sd * low, high=mean + sd * high)


def expected_largest(n: int) -> float:
    """The expectation of the largest of `n` standard normal draws; 1.54 for ten, 2.51 for a hundred."""
    _check(n)
    x = np.linspace(-9.0, 12.0, 4201)
    # Integration by parts of x dF(x), apart on either side of 0, where F is the distribution of the largest.
    below = np.exp(n * log_ndtr(x))
    area = np.where(x < 0, -below, 1 - below)
    area[x == 0] = 0.5 - below[x == 0]
    return float(area.sum() * (x[1] - x[0]))


def chance_of_value(value: float, n: int, *, mean: float, sd: float, df: float = math.inf) -> float:
    """The probability that the best of `n` normal draws is `value` or more, `sd` estimated with `df`."""
    _check(n)
    scale, weights = _scales(df)
    with np.errstate(over="ignore"):
        single = ndtr(-(value - mean) / sd * scale)
        return float(weights @ -np.expm1(n * np.log1p(-np.minimum(single, 1 - 1e-16))))


def many_to_one(counts: Mapping[int, int], own: int, *, df: float = math.inf, confidence: float = 0.95) -> float:
    """The one-sided critical value of comparing one mean with many others at once, in standard errors.

    `own` is how many runs the one mean rests on; `counts` says how many of the others rest on how many runs.
    Source: Dunnett (1955), "A multiple comparison procedure for comparing several treatments with a control",
    JASA 50; the correlations are those of unequal groups.
    """
    scale, weights = _scales(df)

    def below(place: float) -> float:
        logs = np.zeros((len(scale), len(_Z)))
        for runs, others in counts.items():
            shared = math.sqrt(runs / (own + runs))
            at = (shared * _Z[None, :] + place * scale[:, None]) / math.sqrt(1 - shared * shared)
            logs += others * log_ndtr(at)
        return float(weights @ np.exp(logs) @ _Z_WEIGHTS)

    return _solved(below, confidence)


def range_of_normals(n: int, *, share: float = 0.95) -> float:
    """The range (largest less smallest) that `n` standard normal draws stay within with probability `share`."""
    if n < 2:
        return 0.0

    def below(width: float) -> float:
        inside = np.maximum(ndtr(_Z) - ndtr(_Z - width), 0.0)
        return float(n * (_Z_WEIGHTS @ np.power(inside, n - 1)))

    return _solved(below, share)


def _check(n: int) -> None:
    if n < 1:
        raise StatisticsError(f"the largest of n draws needs at least one; got {n}")


def _scales(df: float) -> tuple[Floats, Floats]:
    """What an estimated standard deviation may be of the true one, and how likely: sqrt(chi-square / df)."""
    if df > _KNOWN_DF:
        return np.ones(1), np.ones(1)
    low = -(4.5 / math.sqrt(df) + 18 / df)
    high = min(4.5 / math.sqrt(df), math.log(40 / df + 10) / 2)
    x = np.linspace(low, high, _MANY_PLACES if df < _FEW_DF else _PLACES)
    density = np.exp(df * (x - np.expm1(2 * x) / 2))
    return np.exp(x), density / density.sum()


def _solved(below: Callable[[float], float], share: float) -> float:
    """The place that the distribution function `below` reaches `share` at."""
    low, high = -8.0, 8.0
    while below(low) > share:
        low *= 2
    while below(high) < share:
        high *= 2
    return float(brentq(lambda place: below(place) - share, low, high, xtol=1e-9))
