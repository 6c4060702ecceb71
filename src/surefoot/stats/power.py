"""What a number of seeds could have shown: detectable effects and the seeds an effect needs."""

from __future__ import annotations

import math
from functools import lru_cache

from scipy.special import nctdtrinc, ndtri, stdtrit

POWER = 0.80
MOST_SEEDS = 1000


def detectable_effect(
    sd: float, n: int, df: float, *, alpha: float = 0.05, power: float = POWER, is_paired: bool = True
) -> float:
    """The true difference that a one-sided t test at `alpha` would show with probability `power`.

    `sd` is that of the paired difference (or of a single run where not paired); the result has its unit.
    Source: the noncentral t distribution; Johnson, Kotz & Balakrishnan (1995), chapter 31.
    """
    return sd * math.sqrt((1 if is_paired else 2) / n) * _noncentrality(round(df, 6), alpha, power)


def chance_difference(sd: float, df: float) -> float:
    """The difference that two single runs of one config exceed by chance 5 times in 100, either way."""
    return float(stdtrit(df, 0.975)) * math.sqrt(2) * sd


def seeds_needed(
    effect: float,
    sd: float,
    *,
    prior_df: float = 0.0,
    alpha: float = 0.05,
    power: float = POWER,
    is_paired: bool = True,
) -> int | None:
    """The fewest seeds an arm at which `effect` is detectable; None beyond a thousand."""
    if effect <= 0 or not math.isfinite(effect):
        return None
    # Known noise would need this many; the t test never needs fewer, so the search begins there.
    fewest = (sd * (ndtri(1 - alpha) + ndtri(power)) / effect) ** 2 * (1 if is_paired else 2)
    if fewest > MOST_SEEDS:
        return None
    for n in range(max(2, math.ceil(fewest)), MOST_SEEDS + 1):
        df = prior_df + (n - 1) * (1 if is_paired else 2)
        if detectable_effect(sd, n, df, alpha=alpha, power=power, is_paired=is_paired) <= effect:
            return n
    return None


@lru_cache(maxsize=4096)
def _noncentrality(df: float, alpha: float, power: float) -> float:
    return float(nctdtrinc(df, 1 - power, stdtrit(df, 1 - alpha)))
