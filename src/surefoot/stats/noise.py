"""How noisy this study is: variances pooled with an estimated prior, and how much pairs share.

A set is one group of repeats: its variance with `n - 1` degrees of freedom. Few seeds give a
poor variance each; many past sets together say what a variance of this study looks like, and
how much it varies from set to set. That is the prior which moderates the next test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from surefoot.errors import StatisticsError

# Facts of the decision procedure: fewer sets cannot show how variances vary, and a prior worth
# more than twenty seeds would drown what the new arms themselves show.
FEWEST_SETS = 5
PRIOR_DF_CAP = 20.0
# A weaker prior steadies little, and on skewed noise three seeds with it err at .22 for .20.
FEWEST_PRIOR_DF = 5.0
# Below this correlation, pairing costs more degrees of freedom than it saves in variance.
PAIRING_HELPS_ABOVE = 0.1
FEWEST_PAIR_DF = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Prior:
    """What past sets say of a variance: its size, and how many degrees of freedom they are worth.

    `df` 0 means that nothing is known yet; `variance` is then 0 and unused.
    """

    df: float = 0.0
    variance: float = 0.0
    sets: int = 0

    def scaled(self, factor: float) -> Prior:
        """The prior for a variance that is `factor` times as large (another contrast of the same noise)."""
        return Prior(df=self.df, variance=self.variance * factor, sets=self.sets)


NO_PRIOR = Prior()


def sample_variance(values: Sequence[float]) -> float:
    """The unbiased variance of at least two finite values, computed without overflow.

    Raises StatisticsError for fewer than two: one seed says nothing of the noise.
    """
    n = len(values)
    if n < 2:
        raise StatisticsError(f"a variance needs at least two seeds; got {n}")
    mean = math.fsum(values) / n
    return math.fsum((value - mean) ** 2 for value in values) / (n - 1)


def estimate_prior(variances: Sequence[float], dfs: Sequence[float], *, shares_champion: bool = False) -> Prior:
    """The prior that past variances (with their degrees of freedom) imply; `NO_PRIOR` where they foretell nothing.

    Five sets are the fewest. `shares_champion` says that the sets were differences from one cached
    champion, as the next test will be.

    Moments of log s^2 under a scaled inverse chi-square prior. Sets without any spread are left
    out: log 0 has no moments, and identical runs tell nothing of how variances vary.
    Source: Smyth (2004), "Linear models and empirical Bayes methods", Stat. Appl. Genet. Mol.
    Biol. 3(1), section 6.2. Departures: the degrees of freedom are those of a spread one standard
    error wider, as few sets too easily look alike, which would hurt where noise has heavy tails; and
    they are capped at 20 and at what the sets themselves are worth.
    """
    pairs = [(s2, df) for s2, df in zip(variances, dfs, strict=True) if s2 > 0 and df > 0]
    if len(pairs) < FEWEST_SETS:
        return NO_PRIOR
    s2, df = np.array(pairs, dtype=float).T
    e = np.log(s2) - digamma(df / 2) + np.log(df / 2)
    centre = float(e.mean())
    spread = float(e.var(ddof=1))
    excess = spread - float(polygamma(1, df / 2).mean())
    careful = excess + spread * math.sqrt(2 / (len(pairs) - 1))
    most = min(PRIOR_DF_CAP, _worth(float(df.sum()), len(pairs), shares_champion))
    worth = min(2 * _trigamma_inverse(careful), most) if careful > 0 else most
    if worth < FEWEST_PRIOR_DF:
        return NO_PRIOR
    if excess <= 0:
        # Smyth's limit of an infinite prior: all sets share one variance, best estimated by pooling.
        return Prior(df=worth, variance=pooled_variance(s2.tolist(), df.tolist()), sets=len(pairs))
    d0 = 2 * _trigamma_inverse(excess)
    variance = math.exp(centre + digamma(d0 / 2) - math.log(d0 / 2))
    return Prior(df=worth, variance=float(variance), sets=len(pairs))


def _worth(total_df: float, sets: int, shares_champion: bool) -> float:
    """The degrees of freedom that sets can lend to a new one.

    Variances of differences from one champion correlate by 1/4, as half of each is the champion's own
    noise. K such sets of d degrees and the new one are then worth (K + 1) d / (1 + K / 4) together, and
    less the new one's own d leaves 3 K d / (K + 4). Without this a study of three seeds errs at .07 for .05.
    """
    return 3 * total_df / (sets + 4) if shares_champion else total_df


def pooled_variance(variances: Sequence[float], dfs: Sequence[float]) -> float:
    """The variance of all sets together, weighted by degrees of freedom; 0 where there is none."""
    total = math.fsum(dfs)
    return math.fsum(v * d for v, d in zip(variances, dfs, strict=True)) / total if total > 0 else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedSet:
    """The second moments of one past arm and its champion over common seeds."""

    variance_a: float
    variance_b: float
    covariance: float
    df: int

    @property
    def variance_of_difference(self) -> float:
        """The variance of the paired differences; 0 where rounding is all there is."""
        both = self.variance_a + self.variance_b
        found = both - 2 * self.covariance
        return found if found > 1e-12 * both else 0.0


def paired_set(a: Sequence[float], b: Sequence[float]) -> PairedSet:
    """The moments of two arms over common seeds; entry i of both was trained with the same seed."""
    n = len(a)
    if n != len(b) or n < 2:
        raise StatisticsError(f"pairs need two arms of equal length and at least two seeds; got {n} and {len(b)}")
    mean_a, mean_b = math.fsum(a) / n, math.fsum(b) / n
    covariance = math.fsum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (n - 1)
    return PairedSet(variance_a=sample_variance(a), variance_b=sample_variance(b), covariance=covariance, df=n - 1)


def pair_correlation(sets: Sequence[PairedSet]) -> float | None:
    """The correlation of seeds between arms, pooled over past sets; None until 8 degrees of freedom speak."""
    df = sum(s.df for s in sets)
    if df < FEWEST_PAIR_DF:
        return None
    covariance = math.fsum(s.covariance * s.df for s in sets)
    variances = math.sqrt(math.fsum(s.variance_a * s.df for s in sets) * math.fsum(s.variance_b * s.df for s in sets))
    return max(-1.0, min(1.0, covariance / variances)) if variances > 0 else None


def _trigamma_inverse(y: float) -> float:
    """x with trigamma(x) = y > 0, by Newton on 1/trigamma, which is nearly linear (Smyth 2004, appendix)."""
    if y > 1e7:
        return 1 / math.sqrt(y)
    if y < 1e-6:
        return 1 / y
    x = 0.5 + 1 / y
    for _ in range(60):
        value = float(polygamma(1, x))
        step = value * (1 - value / y) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
