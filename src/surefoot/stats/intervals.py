"""What n tries say of a probability: exact intervals, and the bound after none."""

from __future__ import annotations

import math

from scipy.special import betaincinv


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
