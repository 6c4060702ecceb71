"""Association: how strongly two columns go together, and how often chance alone would do it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc, stdtr
from scipy.stats import rankdata

from surefoot.analysis.column import Column, Floats, Integers

# Up to so many rows the permutations are drawn; above, the limit of their distribution is as good.
FEW_ROWS = 40
PERMUTATIONS = 1_999
# Below so many rows a level, nearly every table of levels looks alike.
FEW_A_LEVEL = 2
FEWEST_ROWS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Association:
    """How two columns went together over `n` rows.

    `value` is Spearman's rho, from -1 to 1, or from 0 to 1 the bias-corrected Cramér's V or the correlation ratio
    of the ranks (the root of Kelley's epsilon squared). `p` is that of a permutation test, drawn for few rows and
    approximated for many.
    """

    measure: str
    value: float
    p: float
    n: int

    @property
    def strength(self) -> float:
        """The value without its sign."""
        return abs(self.value)


def rank_correlation(x: Floats, y: Floats) -> tuple[float, float] | None:
    """Spearman's rho and p as scipy's spearmanr gives them; None below three rows or of a constant."""
    if len(x) < 3:
        return None
    a, b = _centred(rankdata(x)), _centred(rankdata(y))
    if a is None or b is None:
        return None
    rho = float(np.clip(a @ b, -1, 1))
    return rho, _p_of_rho(rho, len(x))


def association(a: Column, b: Column, rng: np.random.Generator) -> Association | None:
    """How two columns went together where both existed; None where that cannot be said."""
    rows = a.active & b.active
    return association_of(a.taken(rows), b.taken(rows), rng)


def association_of(a: Column, b: Column | Floats, rng: np.random.Generator) -> Association | None:
    """How a column that existed in all rows went together with another, or with an array of numbers."""
    if len(a.active) < FEWEST_ROWS:
        return None
    left, right = _ranks(a), _ranks(b) if isinstance(b, Column) else rankdata(b)
    if left is not None and right is not None:
        return _of_ranks(left, right, rng)
    left_levels, right_levels = _levels(a), _levels(b) if isinstance(b, Column) else None
    if left is not None and right_levels is not None:
        return _of_both(left, right_levels, rng)
    if right is not None and left_levels is not None:
        return _of_both(right, left_levels, rng)
    if left_levels is not None and right_levels is not None:
        return _of_levels(left_levels, right_levels, rng)
    return None


def association_of_numbers(x: Floats, y: Floats, rng: np.random.Generator) -> Association | None:
    """How two arrays of numbers went together; None where either is constant or too short."""
    return _of_ranks(rankdata(x), rankdata(y), rng) if len(x) >= FEWEST_ROWS else None


def _ranks(column: Column) -> Floats | None:
    """The ranks of a number; None of anything else."""
    return np.asarray(rankdata(column.numbers), dtype=float) if column.kind == "number" else None


def _levels(column: Column) -> Integers | None:
    """The levels of a choice counted from 0; None of a number, or where they are mere names, most seen once."""
    if column.kind == "number":
        return None
    seen, codes = np.unique(column.codes, return_inverse=True)
    return codes.astype(np.int64) if len(codes) >= FEW_A_LEVEL * len(seen) else None


def _of_ranks(x: Floats, y: Floats, rng: np.random.Generator) -> Association | None:
    a, b = _centred(x), _centred(y)
    if a is None or b is None:
        return None
    n, rho = len(x), float(np.clip(a @ b, -1, 1))
    p = _p_of_rho(rho, n)
    if n <= FEW_ROWS:
        p = _drawn_p(np.abs(a[_orders(n, rng)] @ b), abs(rho), p, n)
    return Association(measure="Spearman", value=rho, p=p, n=n)


def _of_both(ranks: Floats, codes: Integers, rng: np.random.Generator) -> Association | None:
    """A number against levels. Source of the ratio: Kelley (1935), PNAS 21(9); of its p: Kruskal & Wallis (1952)."""
    a, counts = _centred(ranks), np.bincount(codes)
    n, k = len(ranks), len(counts)
    if a is None or k < 2 or n <= k:
        return None
    eta2 = float((np.bincount(codes, weights=a) ** 2 / counts).sum())
    variance = 2 * (k - 1) - 2 * (3 * k * k - 6 * k + n * (2 * k * k - 6 * k + 1)) / (5 * n * (n + 1))
    p = _gamma_tail((n - 1) * eta2, k - 1, variance - 1.2 * float((1 / counts).sum()))
    if n <= FEW_ROWS:
        member = (codes[:, None] == np.arange(k)).astype(float)
        p = _drawn_p(((a[_orders(n, rng)] @ member) ** 2 / counts).sum(axis=1), eta2, p, n)
    value = math.sqrt(max(0.0, 1 - (1 - eta2) * (n - 1) / (n - k)))
    return Association(measure="correlation ratio", value=value, p=p, n=n)


def _of_levels(x: Integers, y: Integers, rng: np.random.Generator) -> Association | None:
    """Levels against levels. Source of the correction: Bergsma (2013), J. Korean Stat. Soc. 42(3)."""
    n, r, k = len(x), int(x.max()) + 1, int(y.max()) + 1
    if r < 2 or k < 2:
        return None
    expected = np.outer(np.bincount(x), np.bincount(y)) / n
    table = np.bincount(x * k + y, minlength=r * k).reshape(r, k)
    chi2 = float(((table - expected) ** 2 / expected).sum())
    p = _gamma_tail(chi2, n * (r - 1) * (k - 1) / (n - 1), _chi2_variance(np.bincount(x), np.bincount(y)))
    if n <= FEW_ROWS:
        member = (y[:, None] == np.arange(k)).astype(float)
        shuffled = x[_orders(n, rng)]
        drawn = np.zeros(PERMUTATIONS)
        for level in range(r):
            drawn += (((shuffled == level) @ member - expected[level]) ** 2 / expected[level]).sum(axis=1)
        p = _drawn_p(drawn, chi2, p, n)
    phi2 = max(0.0, chi2 / n - (r - 1) * (k - 1) / (n - 1))
    fewest = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    value = math.sqrt(min(1.0, phi2 / fewest)) if fewest > 0 else 0.0
    return Association(measure="Cramér's V", value=value, p=p, n=n)


def _chi2_variance(rows: Integers, columns: Integers) -> float:
    """The variance of chi squared over all permutations. Source: Dawson (1954), Biometrika 41(1/2)."""
    n = float(rows.sum())

    def terms(counts: Integers) -> tuple[float, float]:
        k = len(counts)
        return (k - 1) * (n - k) / (n - 1), (n * float((1 / counts).sum()) - k * k) / (n - 2)

    (v1, w1), (v2, w2) = terms(rows), terms(columns)
    return 2 * n / (n - 3) * (v1 - w1) * (v2 - w2) + n * n / (n - 1) * w1 * w2


def _gamma_tail(statistic: float, mean: float, variance: float) -> float:
    """The chance to reach the statistic by a gamma distribution with the permutations' own mean and variance."""
    if variance <= 0:
        return 1.0
    return float(gammaincc(mean * mean / variance, max(statistic, 0.0) * mean / variance))


def _p_of_rho(rho: float, n: int) -> float:
    if abs(rho) >= 1:
        return 0.0
    return float(2 * stdtr(n - 2, -abs(rho) * math.sqrt((n - 2) / ((1 - rho) * (1 + rho)))))


def _centred(values: Floats) -> Floats | None:
    """The values with mean 0 and length 1; None of a constant."""
    found = values - values.mean()
    length = math.sqrt(float(found @ found))
    return found / length if length > 0 else None


def _orders(n: int, rng: np.random.Generator) -> Integers:
    return rng.permuted(np.tile(np.arange(n), (PERMUTATIONS, 1)), axis=1)


def _drawn_p(drawn: Floats, observed: float, approximated: float, n: int) -> float:
    """The share of the draws that reach what was observed; where none does, what the approximation says below that."""
    reached = int((drawn >= observed - 1e-12 * max(1.0, observed)).sum())
    # What was observed is one of the permutations: their share is never 0.
    least = 1 / (1 + len(drawn))
    return (1 + reached) * least if reached else min(least, max(approximated, 1 / math.factorial(n)))
