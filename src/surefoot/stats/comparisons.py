"""The difference of two arms: an estimate with its degrees of freedom, its p-values and interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from surefoot.errors import StatisticsError
from surefoot.stats.noise import NO_PRIOR, Prior, pooled_variance, sample_variance


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A mean difference with its standard error, in the unit of the values.

    `sd` is the (moderated) standard deviation of what is averaged: the paired difference, or a
    single run in a two-sample comparison. `n` is the number of pairs, or of runs in the smaller arm.
    """

    mean: float
    standard_error: float
    df: float
    sd: float
    n: int
    method: str

    def p_above(self, margin: float = 0.0) -> float:
        """One-sided p of the null "the true difference is at most `margin`"."""
        distance = self.mean - margin
        if self.standard_error == 0:
            return 0.5 if distance == 0 else (0.0 if distance > 0 else 1.0)
        return float(stdtr(self.df, -distance / self.standard_error))

    def p_below(self, margin: float = 0.0) -> float:
        """One-sided p of the null "the true difference is at least `margin`"."""
        return 1.0 - self.p_above(margin)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided t interval of the true difference."""
        reach = float(stdtrit(self.df, 0.5 + confidence / 2)) * self.standard_error
        return self.mean - reach, self.mean + reach


def moderated_variance(variance: float, df: float, prior: Prior) -> tuple[float, float]:
    """A variance pooled with its prior, and the degrees of freedom of the two together.

    Source: Smyth (2004), "Linear models and empirical Bayes methods", equation 7.
    """
    if prior.df <= 0:
        return variance, df
    total = prior.df + df
    return (prior.df * prior.variance + df * variance) / total, total


def mean_estimate(values: Sequence[float], repeats: Sequence[float] = ()) -> Estimate:
    """The mean of `values`, its variance pooled with that of other `repeats` of the same thing.

    One value alone has no degrees of freedom, and no interval, unless repeats lend them.
    Raises StatisticsError for no value at all.
    """
    n = len(values)
    if n == 0:
        raise StatisticsError("a mean needs at least one seed; got 0")
    several = [some for some in (values, repeats) if len(some) >= 2]
    dfs = [float(len(some) - 1) for some in several]
    variance = pooled_variance([sample_variance(some) for some in several], dfs)
    return Estimate(
        mean=math.fsum(values) / n,
        standard_error=math.sqrt(variance / n),
        df=math.fsum(dfs),
        sd=math.sqrt(variance),
        n=n,
        method="t",
    )


def paired_difference(differences: Sequence[float], prior: Prior = NO_PRIOR) -> Estimate:
    """The mean of paired differences, its variance moderated by `prior` (plain paired t without one).

    Entry i is challenger minus champion, both trained with seed i.
    Raises StatisticsError for fewer than two pairs.
    Source: Student (1908), "The probable error of a mean", Biometrika 6(1); Smyth (2004).
    """
    n = len(differences)
    variance, df = moderated_variance(sample_variance(differences), n - 1, prior)
    sd = math.sqrt(variance)
    return Estimate(
        mean=math.fsum(differences) / n,
        standard_error=sd / math.sqrt(n),
        df=df,
        sd=sd,
        n=n,
        method="paired moderated t" if prior.df > 0 else "paired t",
    )


def two_sample_difference(a: Sequence[float], b: Sequence[float], prior: Prior = NO_PRIOR) -> Estimate:
    """The difference of two means, a - b, of arms that share nothing by their seeds.

    With a prior of the single-run variance both arms are pooled with it; without, Welch's test.
    Raises StatisticsError for fewer than two values in an arm.
    Source: Welch (1947), "The generalization of Student's problem", Biometrika 34; Smyth (2004).
    """
    na, nb = len(a), len(b)
    va, vb = sample_variance(a), sample_variance(b)
    mean = math.fsum(a) / na - math.fsum(b) / nb
    if prior.df > 0:
        pooled = ((na - 1) * va + (nb - 1) * vb) / (na + nb - 2)
        variance, df = moderated_variance(pooled, na + nb - 2, prior)
        error, method = math.sqrt(variance * (1 / na + 1 / nb)), "two-sample moderated t"
    else:
        qa, qb = va / na, vb / nb
        spread = qa**2 / (na - 1) + qb**2 / (nb - 1)
        df = (qa + qb) ** 2 / spread if spread > 0 else na + nb - 2
        variance, error, method = (va + vb) / 2, math.sqrt(qa + qb), "Welch's t"
    return Estimate(mean=mean, standard_error=error, df=df, sd=math.sqrt(variance), n=min(na, nb), method=method)
