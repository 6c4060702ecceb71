"""Intervals for counts and for samples large enough to resample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats
from scipy.special import betaincinv

from surefoot.errors import StatisticsError

FEWEST_FOR_BOOTSTRAP = 10


def share_interval(hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability after `hits` in `n` tries.

    Source: Clopper & Pearson (1934), Biometrika 26(4), as quantiles of the beta distribution.
    """
    tail = (1 - confidence) / 2
    low = betaincinv(hits, n - hits + 1, tail) if hits > 0 else 0.0
    high = betaincinv(hits + 1, n - hits, 1 - tail) if hits < n else 1.0
    return float(low), float(high)


def bound_after_none(n: int, confidence: float = 0.95) -> float:
    """How large the probability of a failure may still be when none of `n` seeds failed (one-sided)."""
    return 1.0 - math.pow(1 - confidence, 1 / n)


def bootstrap_interval(
    values: Sequence[float], rng: np.random.Generator, confidence: float = 0.95
) -> tuple[float, float]:
    """The bias-corrected and accelerated bootstrap interval of the mean.

    Raises StatisticsError below ten values, where it covers far less often than it says.
    Source: Efron (1987), "Better bootstrap confidence intervals", JASA 82(397), through scipy.stats.bootstrap.
    """
    if len(values) < FEWEST_FOR_BOOTSTRAP:
        raise StatisticsError(
            f"a bootstrap interval needs at least {FEWEST_FOR_BOOTSTRAP} seeds; got {len(values)}: use the t interval"
        )
    found = stats.bootstrap((np.asarray(values, float),), np.mean, confidence_level=confidence, method="BCa", rng=rng)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
