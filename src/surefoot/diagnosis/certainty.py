"""Certainty: how much of an effect could be noise, given the sizes of the splits and the number of histories."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Of what was measured itself, and is no sample of anything.
CERTAIN = 0.999
# Where nobody knows on how many examples something was measured: no more than the least that makes a primary symptom.
UNKNOWN = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """An effect with its standard error over `n` histories; `error` is None where nothing tells it."""

    value: float
    error: float | None
    n: int = 1

    def confidence(self, beyond: float = 0.0) -> float:
        """How sure it is that the effect is more than `beyond`; `UNKNOWN` where no error is known."""
        if self.error is None:
            return UNKNOWN if self.value > beyond else 0.0
        return confidence(self.value - beyond, self.error)


def accuracy_error(points: float, n: int) -> float:
    """The standard error of an accuracy in percent on `n` examples, in points: binomial.

    At 80 %: 0.57 for 5,000 examples, 1.8 for 500, 4.0 for 100. A share of 0 or 1 counts as if one more example
    had been wrong or right, else it would be sure of itself.
    """
    share = min(max(points / 100, 1 / (n + 2)), 1 - 1 / (n + 2))
    return 100 * math.sqrt(share * (1 - share) / n)


def gap_error(first: float, n_first: int | None, second: float, n_second: int | None) -> float | None:
    """The standard error of the difference of two accuracies on different examples; None without the second's n.

    The first's counts nothing where its n is not known: the training split is the larger by far.
    """
    if n_second is None or n_second < 1:
        return None
    of_first = accuracy_error(first, n_first) if n_first else 0.0
    return math.hypot(of_first, accuracy_error(second, n_second))


def confidence(effect: float, error: float) -> float:
    """1 minus the two-sided p of the effect under a normal: 0.87 for 1.5 standard errors; 0 where it is not above 0."""
    if effect <= 0:
        return 0.0
    return math.erf(effect / error / math.sqrt(2)) if error > 0 else 1.0


def pooled(values: Sequence[float], errors: Sequence[float | None]) -> Estimate:
    """The mean of one effect over several histories of the same config.

    They are judged on the same validation examples, so that the sampling error does not shrink with their number;
    only the spread between them does.
    """
    mean = math.fsum(values) / len(values)
    known = [error for error in errors if error is not None]
    sampling = math.fsum(known) / len(known) if known else None
    if len(values) < 2:
        return Estimate(value=mean, error=sampling)
    between = statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(value=mean, error=math.hypot(sampling or 0.0, between), n=len(values))


def beyond_noise(spread: float, noise: float, n: int) -> float:
    """How sure it is that a deviation of n values is more than the noise's, which chi-square tells.

    Wilson and Hilferty (1931), Proc. Natl. Acad. Sci. 17: the cube root of chi-square over its degrees of freedom
    is all but normal.
    """
    df = max(1, n - 2)
    ratio = (spread / noise) ** 2 if noise > 0 else math.inf
    if math.isinf(ratio):
        return 1.0
    z = (ratio ** (1 / 3) - (1 - 2 / (9 * df))) / math.sqrt(2 / (9 * df))
    return math.erf(z / math.sqrt(2)) if z > 0 else 0.0
