"""The race: looks at a growing number of pairs with a known total error rate.

At look k with n_k pairs the race may stop for its null when p <= c * n_k. The constant c is
calibrated so that all looks together reject a true null with probability alpha. (A rule that
looks three times at level alpha rejects far more often: that is peeking.)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import stdtr

from surefoot.errors import StatisticsError

# Futility is non-binding: stopping a hopeless race early only lowers the error rate.
FUTILITY_FIRST_LOOK = 0.5
FUTILITY_LATER_LOOKS = 0.3
SIMULATIONS = 300_000
# At a loose level a moderated t errs too often where noise has heavy tails: a few values that missed
# the tail meet a variance that did too. Priors then still sharpen the estimate, but not the limits.
LOOSE_LEVEL = 0.10
PRIOR_DF_GRID = (0.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0)


def race_thresholds(looks: Sequence[int], alpha: float, prior_df: float = 0.0) -> tuple[float, ...]:
    """The one-sided p at which the race may stop at each look, alpha in total.

    `looks` are pair counts, growing, at least 2. The prior's degrees of freedom are rounded down
    to a grid, which is the careful side: thresholds grow with them.
    Raises StatisticsError for looks or an alpha that no race can have.
    """
    if not looks or any(n < 2 for n in looks) or any(b <= a for a, b in itertools.pairwise(looks)):
        raise StatisticsError(f"looks must be growing numbers of pairs, at least 2; got {list(looks)}")
    if not 0 < alpha < 0.5:
        raise StatisticsError(f"alpha must lie between 0 and 0.5; got {alpha}")
    trusted_df = 0.0 if alpha > LOOSE_LEVEL else max(prior_df, 0.0)
    grid = max(df for df in PRIOR_DF_GRID if df <= trusted_df)
    constant = _spending_constant(tuple(int(n) for n in looks), float(alpha), grid)
    return tuple(min(constant * n, 0.5) for n in looks)


def limit_at(n: int, looks: Sequence[int], alpha: float, prior_df: float = 0.0) -> float:
    """The p that n pairs are held against in such a race, as if n were one of its looks; at most alpha."""
    return min(race_thresholds(looks, alpha, prior_df)[-1] * n / looks[-1], alpha)


def futility(look: int) -> float:
    """The p above which a race at its look number `look` (0 is the first) is not worth going on."""
    return FUTILITY_FIRST_LOOK if look == 0 else FUTILITY_LATER_LOOKS


@lru_cache(maxsize=256)
def _spending_constant(looks: tuple[int, ...], alpha: float, prior_df: float) -> float:
    """c such that P(p_k <= c n_k at any look) is at most alpha under a true null.

    The smallest p_k / n_k of a simulated race decides whether it stops anywhere, so c is the alpha
    quantile of that minimum. Without a prior it is the smaller of normal noise's and heavy tails':
    a t test is careful with heavy tails at .05, but at .20 it errs a little too often. With a prior,
    heavy tails always give the larger one.
    """
    normal = alpha / looks[0] if len(looks) == 1 else _quantile(looks, alpha, prior_df, is_heavy=False)
    return normal if prior_df > 0 else min(normal, _quantile(looks, alpha, prior_df, is_heavy=True))


def _quantile(looks: tuple[int, ...], alpha: float, prior_df: float, *, is_heavy: bool) -> float:
    return float(np.quantile(_smallest_scaled_p(looks, prior_df, is_heavy=is_heavy), alpha))


@lru_cache(maxsize=32)
def _smallest_scaled_p(looks: tuple[int, ...], prior_df: float, *, is_heavy: bool) -> np.ndarray:
    """Over simulated null races: the minimum over looks of p_k / n_k; shape (SIMULATIONS,)."""
    rng = np.random.default_rng(20_260_101)
    shape = (SIMULATIONS, looks[-1])
    # Heavy tails: the difference of two runs whose noise has a t distribution with 3 degrees of freedom.
    noise = (
        (rng.standard_t(3, shape) - rng.standard_t(3, shape)) / math.sqrt(6) if is_heavy else rng.standard_normal(shape)
    )
    if prior_df > 0:
        # Each race draws its own variance from the prior, as the moderated t assumes.
        noise *= np.sqrt(prior_df / rng.chisquare(prior_df, SIMULATIONS))[:, None]
    smallest = np.full(SIMULATIONS, math.inf)
    for n in looks:
        seen = noise[:, :n]
        df = prior_df + n - 1
        variance = (prior_df + (n - 1) * seen.var(axis=1, ddof=1)) / df
        p = stdtr(df, -seen.mean(axis=1) / np.sqrt(variance / n))
        np.minimum(smallest, p / n, out=smallest)
    return smallest
