"""Arm against champion on one metric: their values, the study's noise, and the estimate at n seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from surefoot.plan import Prediction, Rule
from surefoot.run import Metric
from surefoot.stats.comparisons import Estimate, paired_difference, two_sample_difference
from surefoot.stats.noise import (
    NO_PRIOR,
    PAIRING_HELPS_ABOVE,
    PairedSet,
    Prior,
    estimate_prior,
    pair_correlation,
    sample_variance,
)
from surefoot.stats.power import detectable_effect, seeds_needed

# A change smaller than a quarter of a single run's spread is not worth a race.
SMALLEST_SHARE_OF_SD = 0.25
# One seed in eight may be lost to a crash before the seeds that are left are no fair sample.
MOST_LOST_SHARE = 1 / 8
# Numbers that agree to this share of themselves differ by rounding alone.
ROUNDING = 64 * 2.0**-52


class NoValue(StrEnum):
    """Why a seed has no number: it diverged, which counts, or it was lost to a crash, which does not."""

    DIVERGED = "diverged"
    LOST = "lost"


Value = float | NoValue


def numbers_in(values: Iterable[Value]) -> list[float]:
    """The values that are numbers, in order."""
    return [float(v) for v in values if not isinstance(v, NoValue)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """What the study knows of one metric's noise when an experiment begins.

    `floor_sd` is the spread of the baseline's single runs; the priors are of paired differences
    and of single runs; `correlation` is None until past pairs speak.
    """

    floor_sd: float = 0.0
    floor_n: int = 0
    paired: Prior = NO_PRIOR
    single: Prior = NO_PRIOR
    correlation: float | None = None

    @property
    def is_paired(self) -> bool:
        """Whether arms are compared seed by seed; two samples once pairs are measured not to help."""
        return self.correlation is None or self.correlation > PAIRING_HELPS_ABOVE

    @property
    def prior(self) -> Prior:
        """The prior of the comparison that this study makes."""
        return self.paired if self.is_paired else self.single

    @property
    def difference_sd(self) -> float:
        """The expected spread of a difference of two runs with one seed; 0 where nothing is known."""
        if self.paired.df > 0 and self.is_paired:
            return math.sqrt(self.paired.variance)
        shared = max(self.correlation or 0.0, 0.0) if self.is_paired else 0.0
        return self.floor_sd * math.sqrt(2 * (1 - shared))


def study_noise(floor: Sequence[float], past: Sequence[PairedSet] = ()) -> Noise:
    """The noise that the baseline's values and the past comparisons of a study show."""
    dfs: list[float] = [s.df for s in past]
    floor_variance = sample_variance(floor) if len(floor) >= 2 else 0.0
    return Noise(
        floor_sd=math.sqrt(floor_variance),
        floor_n=len(floor),
        paired=estimate_prior([s.variance_of_difference for s in past], dfs, shares_champion=True),
        single=estimate_prior([floor_variance, *(s.variance_a for s in past)], [max(len(floor) - 1, 0), *dfs]),
        correlation=pair_correlation(past),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Arm and champion over common seeds; entry i of both was trained with the same seed.

    `sign` turns arm minus champion into what a question asks about: the metric's own sign for a
    gain, +1 for the difference as it is.
    """

    arm: tuple[Value, ...]
    champion: tuple[Value, ...]
    noise: Noise
    sign: int

    @property
    def size(self) -> int:
        """How many seeds have ended in both arms."""
        return len(self.arm)

    def difference(self, i: int) -> Value:
        """The signed difference at seed i, or why there is none."""
        a, b = self.arm[i], self.champion[i]
        if isinstance(a, NoValue) or isinstance(b, NoValue):
            return NoValue.LOST
        return self.sign * (a - b)

    def differences(self, n: int) -> list[float]:
        """The signed differences of the first n seeds; a pair with a seed missing is dropped."""
        found = [self.difference(i) for i in range(n)]
        return [d for d in found if not isinstance(d, NoValue)]

    def estimate(self, n: int) -> Estimate | None:
        """The mean signed difference over the first n seeds; None where they allow no test, see `untestable`."""
        found = self._estimate(n)
        return found if found is not None and found.sd > ROUNDING * self._size_of_values(n) else None

    def untestable(self, n: int) -> str:
        """Why the first n seeds allow no test; empty where they do.

        Seeds that all agree measure no noise, and without noise there is no error rate to state: a
        run that ignores its seed would otherwise prove anything.
        """
        found = self._estimate(n)
        if found is None:
            diverged = [sum(v is NoValue.DIVERGED for v in values[:n]) for values in (self.arm, self.champion)]
            counts = f" (the arm diverged on {diverged[0]}, the champion on {diverged[1]} of {len(self.arm[:n])})"
            return f"fewer than two seeds have a value in both arms{counts if any(diverged) else ''}"
        if self.estimate(n) is not None:
            return ""
        if self.is_identical(n):
            return f"each of {found.n} seeds gave the champion's own value, so nothing was changed"
        values = {v for v in self.arm[:n] if not isinstance(v, NoValue)}
        question = "; does the training use its seed?" if len(values) == 1 else ""
        return (
            f"all {found.n} seeds gave the same difference, so no noise of it was measured and no error rate can be "
            f"stated{question}"
        )

    def is_identical(self, n: int) -> bool:
        """Whether the arm's values are the champion's, seed by seed, but for rounding."""
        gaps, most = self.differences(n), ROUNDING * self._size_of_values(n)
        return bool(gaps) and all(abs(gap) <= most for gap in gaps)

    def _size_of_values(self, n: int) -> float:
        return max((abs(v) for v in self.arm[:n] + self.champion[:n] if not isinstance(v, NoValue)), default=0.0)

    def _estimate(self, n: int) -> Estimate | None:
        if self.noise.is_paired:
            differences = self.differences(n)
            return paired_difference(differences, self.noise.paired) if len(differences) >= 2 else None
        a, b = (
            [self.sign * v for v in values[:n] if not isinstance(v, NoValue)] for values in (self.arm, self.champion)
        )
        return two_sample_difference(a, b, self.noise.single) if min(len(a), len(b)) >= 2 else None

    def excess_divergences(self, n: int) -> int:
        """How many more of the first n seeds diverged in the arm than in the champion."""
        counts = [sum(v is NoValue.DIVERGED for v in values[:n]) for values in (self.arm, self.champion)]
        return counts[0] - counts[1]

    def is_lossy(self, n: int) -> bool:
        """Whether the arm lost clearly more of the first n seeds than the champion: what is left may be a choice."""
        lost = [sum(v is NoValue.LOST for v in values[:n]) for values in (self.arm, self.champion)]
        return lost[0] - lost[1] > MOST_LOST_SHARE * n

    def correlation(self, n: int) -> float | None:
        """The correlation of the first n pairs; None below three pairs or without any spread."""
        pairs = [
            (a, b)
            for a, b in zip(self.arm[:n], self.champion[:n], strict=True)
            if not isinstance(a, NoValue) and not isinstance(b, NoValue)
        ]
        if len(pairs) < 3:
            return None
        mean_a, mean_b = (math.fsum(column) / len(pairs) for column in zip(*pairs, strict=True))
        saa = math.fsum((a - mean_a) ** 2 for a, _ in pairs)
        sbb = math.fsum((b - mean_b) ** 2 for _, b in pairs)
        sab = math.fsum((a - mean_a) * (b - mean_b) for a, b in pairs)
        return max(-1.0, min(1.0, sab / math.sqrt(saa * sbb))) if saa > 0 and sbb > 0 else None


def compare(arm: Sequence[Value], champion: Sequence[Value], noise: Noise, sign: int) -> Comparison:
    """The comparison over the seeds that have ended in both arms."""
    size = min(len(arm), len(champion))
    return Comparison(arm=tuple(arm[:size]), champion=tuple(champion[:size]), noise=noise, sign=sign)


def smallest_worthwhile(metric: Metric, noise: Noise, prediction: Prediction | None = None) -> float:
    """The smallest effect worth detecting: the user's, else the predicted, else a quarter of the noise floor."""
    if metric.min_effect is not None:
        return metric.min_effect
    if prediction is not None and prediction.by > 0:
        return prediction.by
    return SMALLEST_SHARE_OF_SD * noise.floor_sd


def detectable_by(estimate: Estimate, limit: float) -> float:
    """The true difference that at least 80 of 100 such comparisons would show, with p at most `limit`."""
    is_paired = "paired" in estimate.method
    return detectable_effect(estimate.sd, estimate.n, max(estimate.df, 1.0), alpha=limit, is_paired=is_paired)


def more_seeds(estimate: Estimate, effect: float, noise: Noise, rule: Rule) -> int | None:
    """How many more seeds a fresh fixed test would need to show `effect`; None beyond a thousand."""
    is_paired = "paired" in estimate.method
    needed = seeds_needed(effect, estimate.sd, prior_df=noise.prior.df, alpha=rule.support_alpha, is_paired=is_paired)
    return None if needed is None else max(needed - estimate.n, 1)
