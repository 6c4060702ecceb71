"""Permutation tests: what share of all reorderings of the values is at least as extreme as what was seen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surefoot.errors import StatisticsError
from surefoot.stats.correlation import spearman, unit_ranks
from surefoot.stats.groups import centred_values, f_test

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DRAWS = 9_999
MOST_ENUMERATED = 8
MOST_SPLITS = 20_000
MOST_DRAWN = 500
CHUNK = 2_000_000
# Sums of the same numbers in another order differ in their last digits, and are as extreme.
TOLERANCE = 1e-10


@dataclass(frozen=True, kw_only=True, slots=True)
class PermutationTest:
    """A p-value and how it was come by.

    "exact": over all `count` reorderings. "drawn": over `count` random ones, what was seen counted among them
    (Phipson & Smyth 2010, "Permutation p-values should never be zero"). "approximate": Student's t or Fisher's F
    in place of reorderings, which it agrees with where there are many values; `count` is 0.
    """

    p_value: float
    method: Literal["exact", "drawn", "approximate"]
    count: int


def rank_correlation_test(
    x: ArrayLike, y: ArrayLike, *, rng: np.random.Generator, draws: int = DRAWS
) -> PermutationTest:
    """Two-sided test of Spearman's rho: exact up to 8 pairs, drawn up to 500, Student's t beyond.

    Raises StatisticsError for fewer than three pairs, or where one side has one value only.
    """
    found = spearman(x, y)
    if found.n > MOST_DRAWN:
        return PermutationTest(p_value=found.p_value, method="approximate", count=0)
    a, b = unit_ranks(x), unit_ranks(y)
    extreme = abs(float(a @ b)) - TOLERANCE
    if found.n <= MOST_ENUMERATED:
        rhos = np.abs(b[_permutations(found.n)] @ a)
        return _exact(int((rhos >= extreme).sum()), len(rhos))
    return _drawn(b, lambda orders: np.abs(orders @ a) >= extreme, rng, draws)


def mean_difference_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    rng: np.random.Generator,
    draws: int = DRAWS,
    alternative: Literal["two-sided", "greater"] = "two-sided",
) -> PermutationTest:
    """Test of the means' difference a - b: exact up to 20,000 ways to split, drawn up to 500 values, else pooled t.

    Raises StatisticsError where a group is empty or all values are equal.
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if not len(first) or not len(second):
        raise StatisticsError("a difference of means needs a value in either group; got none in one")
    k, n = len(first), len(first) + len(second)
    centred = centred_values(np.concatenate([first, second]))
    # The centred values sum to 0, so that the sum of one group says the difference of the means.
    seen = float(centred[:k].sum())
    tolerance = TOLERANCE * float(np.abs(centred).sum())

    def is_extreme(sums: Floats) -> NDArray[np.bool_]:
        return sums >= seen - tolerance if alternative == "greater" else np.abs(sums) >= abs(seen) - tolerance

    if math.comb(n, k) <= MOST_SPLITS:
        sums = np.concatenate(list(_split_sums(centred, min(k, n - k))))
        sums = sums if k <= n - k else -sums
        return _exact(int(is_extreme(sums).sum()), len(sums))
    if n > MOST_DRAWN:
        p = f_test(centred, np.repeat(np.array([0, 1]), [k, n - k]))
        one_sided = p / 2 if seen > 0 else 1 - p / 2
        return PermutationTest(p_value=one_sided if alternative == "greater" else p, method="approximate", count=0)
    return _drawn(centred, lambda orders: is_extreme(orders[:, :k].sum(axis=1)), rng, draws)


def group_means_test(
    values: Floats, codes: Integers, *, rng: np.random.Generator, draws: int = DRAWS
) -> PermutationTest:
    """Test of F over groups: two groups as their difference, more drawn up to 500 values, Fisher's F beyond.

    Raises StatisticsError for fewer than two groups, or where all values are equal.
    """
    _, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(counts) < 2:
        raise StatisticsError(f"a test of group means needs two groups; got {len(counts)}")
    if len(counts) == 2:
        return mean_difference_test(values[places == 0], values[places == 1], rng=rng, draws=draws)
    if len(values) > MOST_DRAWN:
        return PermutationTest(p_value=f_test(values, codes), method="approximate", count=0)
    centred = centred_values(values)[np.argsort(places, kind="stable")]
    starts = np.cumsum(counts) - counts

    def between(orders: Floats) -> Floats:
        found: Floats = (np.add.reduceat(orders, starts, axis=1) ** 2 / counts).sum(axis=1)
        return found

    # With all values given, F rises with the sum of squares between the groups.
    extreme = float(between(centred[None])[0]) - TOLERANCE * float(centred @ centred)
    return _drawn(centred, lambda orders: between(orders) >= extreme, rng, draws)


def _exact(extreme: int, count: int) -> PermutationTest:
    return PermutationTest(p_value=extreme / count, method="exact", count=count)


def _drawn(
    values: Floats, is_extreme: Callable[[Floats], NDArray[np.bool_]], rng: np.random.Generator, draws: int
) -> PermutationTest:
    at_once = max(1, CHUNK // len(values))
    extreme = 0
    for start in range(0, draws, at_once):
        orders = np.tile(values, (min(at_once, draws - start), 1))
        extreme += int(is_extreme(rng.permuted(orders, axis=1, out=orders)).sum())
    return PermutationTest(p_value=(extreme + 1) / (draws + 1), method="drawn", count=draws)


@lru_cache(maxsize=MOST_ENUMERATED)
def _permutations(n: int) -> Integers:
    return np.array(list(itertools.permutations(range(n))), dtype=np.int64)


def _split_sums(values: Floats, k: int) -> Iterator[Floats]:
    """The sums over every choice of k of the values."""
    chosen = itertools.combinations(range(len(values)), k)
    while block := list(itertools.islice(chosen, max(1, CHUNK // k))):
        yield values[np.array(block)].sum(axis=1)
