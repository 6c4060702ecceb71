"""Shapes: where a curve ends, how far it still falls and how rough it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LATER = 0.5
FEWEST_LATER = 6
TAIL = 0.1
MOST_IN_TAIL = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One metric as it was measured: steps and finite values, both of shape (n,).

    `lost` counts values that were not finite and are left out here. Scores are in points, from 0 to 100.
    """

    name: str
    steps: Floats
    values: Floats
    lost: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def end(self) -> float:
        """Where it ends: the mean of its last tenth, of 5 measurements at most."""
        last: list[float] = self.values[-self.tail :].tolist()
        return sum(last) / len(last)

    @property
    def tail(self) -> int:
        """How many measurements make the end."""
        return max(1, min(MOST_IN_TAIL, round(TAIL * len(self.values))))

    @property
    def later(self) -> Floats:
        """The later half of the values, 6 at least where there are so many."""
        return self.values[-max(FEWEST_LATER, round(LATER * len(self.values))) :]

    @property
    def held(self) -> float:
        """What it reaches again and again: its end, or the mean of its later half's best third where that is more."""
        later = np.sort(self.later)
        return max(self.end, float(later[-max(1, len(later) // 3) :].mean()))

    def at(self, steps: Floats) -> Floats:
        """The values at these steps: of each the last one measured until then, else the first of all."""
        places = np.searchsorted(self.steps, steps, side="right") - 1
        return self.values[np.maximum(places, 0)]


def end_beside(train: Series, other: Series) -> float:
    """Where `train` stands while `other` ends: its mean at the same steps."""
    return float(train.at(other.steps[-other.tail :]).mean())


def detrended_deviation(values: Floats) -> float:
    """The sample standard deviation about a straight line; about the mean for fewer than three values."""
    n = len(values)
    if n < 3:
        return float(values.std(ddof=1)) if n == 2 else 0.0
    x, squares = _ramp(n)
    centred = values - float(values.sum()) / n
    rest = centred - x * (float(x @ centred) / squares)
    return float(np.sqrt(float(rest @ rest) / (n - 1)))


@lru_cache(maxsize=256)
def _ramp(n: int) -> tuple[Floats, float]:
    """The steps 0 to n - 1 about their mean, and the sum of their squares."""
    x: Floats = np.arange(n, dtype=np.float64) - (n - 1) / 2
    return x, float(x @ x)


def jitter(values: Floats) -> float:
    """What successive values differ by, as the standard deviation of one: any smooth course counts nothing.

    Half the mean squared difference of successive values: von Neumann (1941), Ann. Math. Stat. 12(4).
    Second differences are taken, which let a slope count nothing either.
    """
    if len(values) < 4:
        return 0.0
    second = values[2:] - 2 * values[1:-1] + values[:-2]
    return float(np.sqrt(float(second @ second) / (6 * len(second))))


def jumping(values: Floats) -> float:
    """The same for values that jump up and down: neither a bend nor a steady course, down or up, counts as jumping.

    A loss that goes up from one measurement to the next does so by this much, as a root mean square; about a level
    that stands still it is the standard deviation. The jitter, where that is less.
    """
    if len(values) < 4:
        return 0.0
    steps = values[1:] - values[:-1]
    ups, downs = np.maximum(steps, 0.0), np.minimum(steps, 0.0)
    least = min(float(ups @ ups), float(downs @ downs)) / len(steps)
    return min(float(np.sqrt(least)), jitter(values))


def late_fall(values: Floats, rates: Floats | None = None) -> tuple[float, float]:
    """How much falls over the last quarter, as a share of all that fell, and how many standard errors that is.

    The line of least squares through the last quarter (four values at least) tells the fall. With learning rates, of
    shape (n,), it is the last quarter of the way that they add up to.
    """
    n = len(values)
    if n < 5:
        return 0.0, 0.0
    gone = np.arange(n) if rates is None else np.cumsum(rates)
    start = n - n // 4 if rates is None else int(np.searchsorted(gone, 0.75 * gone[-1]))
    k = max(4, n - start)
    last, x = values[-k:], gone[-k:] - float(gone[-k:].sum()) / k
    squares = float(x @ x)
    if squares <= 0:
        return 0.0, 0.0
    slope = float(x @ last) / squares
    rest = last - float(last.sum()) / k - slope * x
    error = float(np.sqrt(float(rest @ rest) / max(1, k - 2) / squares))
    total = float(values[0] - last.min())
    fall = -slope * float(x[-1] - x[0])
    share = min(fall / total, 1.0) if total > 0 else 0.0
    return share, -slope / error if error > 0 else (np.inf if slope < 0 else 0.0)
