"""Groups of values: their means and medians, the share of variance between them, tests of their difference."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtrc

from surefoot.errors import StatisticsError
from surefoot.stats.comparisons import two_sample_difference

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What stands in one group of at least one value; `sd` is None for one value alone."""

    n: int
    mean: float
    sd: float | None
    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The difference of two means, a - b, with Welch's interval and two-sided p-value."""

    mean: float
    interval: tuple[float, float]
    p_value: float


def split(values: Floats, codes: Integers, count: int) -> list[Floats]:
    """The values of each of `count` groups, in the groups' order; `codes` are the groups' places."""
    if count == 0:
        return []
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(1, count))
    return np.split(values[order], ends)


def group(values: Floats) -> Group:
    """The summary of one group; raises StatisticsError where it is empty."""
    if len(values) == 0:
        raise StatisticsError("a group needs at least one value; got none")
    scaled, scale = _scaled(values)
    sd = float(scaled.std(ddof=1)) * scale if len(values) >= 2 else None
    return Group(
        n=len(values),
        mean=float(scaled.mean()) * scale,
        sd=sd,
        median=float(np.median(scaled)) * scale,
        low=float(values.min()),
        high=float(values.max()),
    )


def eta_squared(values: Floats, codes: Integers) -> float:
    """The share of the values' variance that lies between the groups, from 0 to 1.

    Raises StatisticsError where all values are equal: there is no variance to share.
    Source: Fisher (1925), "Statistical Methods for Research Workers", chapter 7 (the correlation ratio, squared).
    """
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    centred = centred_values(values)
    sums = np.bincount(places, weights=centred)
    return float(min(1.0, (sums**2 / counts).sum() / (centred @ centred)))


def f_test(values: Floats, codes: Integers) -> float:
    """The p-value of one-way analysis of variance; 1 where every group has one value or there is one group."""
    n, k = len(values), len(np.unique(codes))
    if k < 2 or k >= n:
        return 1.0
    share = eta_squared(values, codes)
    if share >= 1:
        return 0.0
    return float(fdtrc(k - 1, n - k, share / (1 - share) * (n - k) / (k - 1)))


def welch_difference(a: Floats, b: Floats, confidence: float = 0.95) -> Difference:
    """The difference of the means of two groups whose variances may differ, a - b.

    Raises StatisticsError for fewer than two values in a group.
    Source: Welch (1947), "The generalization of Student's problem", Biometrika 34.
    """
    scaled, scale = _scaled(np.concatenate([a, b]))
    found = two_sample_difference(scaled[: len(a)].tolist(), scaled[len(a) :].tolist())
    low, high = found.interval(confidence)
    p_value = min(1.0, 2 * min(found.p_above(), found.p_below()))
    return Difference(mean=found.mean * scale, interval=(low * scale, high * scale), p_value=p_value)


def mann_whitney(a: ArrayLike, b: ArrayLike) -> float:
    """The two-sided p-value of Mann and Whitney's U: exact without ties where one group has up to 8 values.

    Source: Mann & Whitney (1947), Annals of Mathematical Statistics 18(1); scipy.stats.mannwhitneyu.
    """
    # scipy.stats takes most of a second to load, which `status` and `journal` should not cost everyone.
    from scipy.stats import mannwhitneyu

    both = np.concatenate([np.asarray(a, dtype=float), np.asarray(b, dtype=float)])
    if both.min() == both.max():
        return 1.0
    return float(mannwhitneyu(a, b).pvalue)


def centred_values(values: Floats) -> Floats:
    """The values around their mean, in a scale of their own; raises StatisticsError where all are equal."""
    scaled, _ = _scaled(values)
    centred: Floats = scaled - scaled.mean()
    if values.min() == values.max():
        raise StatisticsError("a share of variance needs two different values; got one")
    size = float(np.abs(centred).max())
    return centred / size


def _scaled(values: Floats) -> tuple[Floats, float]:
    """The values in units of the power of two at their largest, since squares of 1e200 have no float."""
    largest = float(np.abs(values).max())
    if largest == 0:
        return values, 1.0
    scale = math.ldexp(1.0, max(math.frexp(largest)[1] - 1, -1021))
    return values / scale, scale
