"""Enrichment: how likely a draw holds so many of one kind, or lies so close together, by chance alone.

A draw of `drawn` from `total` without replacement, of which `marked` are of the kind asked about.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from surefoot.errors import StatisticsError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
# What is less likely than this all together moves no p that anybody reads.
NEGLIGIBLE = 1e-14


def chance_of_at_least(hits: ArrayLike, drawn: ArrayLike, marked: ArrayLike, total: ArrayLike) -> Floats:
    """The chance that a draw holds `hits` marked ones or more (hypergeometric, exact); the shape of its arguments.

    The one-sided test of Fisher (1935), "The Design of Experiments", section 12. Raises StatisticsError for
    counts that no draw can have.
    """
    return _tail(*_checked(hits, drawn, marked, total))


def least_chance(drawn: ArrayLike, marked: ArrayLike, total: ArrayLike) -> Floats:
    """The smallest p that these counts allow: that of the draw with as many marked ones as fit.

    Where it lies above the level, no outcome could have been evidence, and the test need not be corrected for.
    Source: Tarone (1990), "A modified Bonferroni method for discrete data", Biometrics 46(2).
    """
    return chance_of_at_least(np.minimum(drawn, marked), drawn, marked, total)


def most_by_chance(drawn: ArrayLike, marked: ArrayLike, total: ArrayLike, *, confidence: float = 0.95) -> Integers:
    """So many marked ones or fewer does a draw hold with at least that confidence."""
    drawn, marked, total = (np.asarray(n, dtype=np.int64) for n in (drawn, marked, total))
    from scipy.stats import hypergeom

    return np.asarray(hypergeom.ppf(confidence, total, marked, drawn)).astype(np.int64)


def middle_half(values: ArrayLike) -> tuple[float, float]:
    """The ends of the middle half of the values, both of them values: the k/4-th from below and from above."""
    ordered = np.sort(np.asarray(values, dtype=float))
    first, last = _middle_places(len(ordered))
    return float(ordered[first - 1]), float(ordered[last - 1])


def chance_of_closeness(values: ArrayLike, is_drawn: ArrayLike) -> float:
    """The chance that the middle half of a draw spans no more ranks than this one's, exactly.

    `values` has shape (n,), `is_drawn` says which were drawn. Only ranks count (ties have their mean rank), so
    that the scale does not matter. A permutation test whose permutations need not be made: with the draw's
    i-th smallest at place a, its j-th lies at place b or before with the probability that a hypergeometric
    draw of the b - a places behind it holds j - i or more; the sum over a is the p. Raises StatisticsError
    where nothing was drawn or a value is not finite.
    """
    x, drawn = np.asarray(values, dtype=float), np.asarray(is_drawn, dtype=bool)
    if x.shape != drawn.shape or x.ndim != 1 or not drawn.any():
        raise StatisticsError(f"closeness needs values and at least one drawn among them; got {int(drawn.sum())}")
    if not np.isfinite(x).all():
        raise StatisticsError("closeness needs finite values; got NaN or infinities")
    order = np.argsort(x, kind="stable")
    ranks = _mean_ranks(x[order])
    first, last = _middle_places(int(drawn.sum()))
    places = np.flatnonzero(drawn[order])
    spread = ranks[places[last - 1]] - ranks[places[first - 1]]
    return _chance_of_spread(spread, ranks, int(drawn.sum()), first, last)


def _chance_of_spread(spread: float, ranks: Floats, drawn: int, first: int, last: int) -> float:
    """The chance that the draw's `first` and `last` smallest lie no more than `spread` ranks apart."""
    if first == last:
        return 1.0
    total = len(ranks)
    start = np.arange(1, total + 1, dtype=np.int64)
    start = start[(start >= first) & (total - start >= drawn - first)]
    weight = np.exp(_log_ways(start - 1, first - 1) + _log_ways(total - start, drawn - first) - _log_ways(total, drawn))
    likely = weight > NEGLIGIBLE / total
    start, weight = start[likely], weight[likely]
    until = np.searchsorted(ranks, ranks[start - 1] + spread, side="right")
    behind = np.full(len(start), drawn - first)
    within = _tail(np.full(len(start), last - first), behind, until - start, total - start)
    return min(1.0, math.fsum(weight * within) / math.fsum(weight))


def _tail(hits: Integers, drawn: Integers, marked: Integers, total: Integers) -> Floats:
    # scipy.stats takes most of a second to load, which those who import this for nothing should not wait for.
    from scipy.stats import hypergeom

    found: Floats = np.clip(hypergeom.sf(hits - 1, total, marked, drawn), 0.0, 1.0)
    return np.where(hits <= np.maximum(0, drawn + marked - total), 1.0, found)


def _middle_places(n: int) -> tuple[int, int]:
    first = math.ceil(n / 4)
    return first, n + 1 - first


def _mean_ranks(ordered: Floats) -> Floats:
    """Ranks from 1 of sorted values, equal ones sharing the mean of theirs."""
    _, first, counts = np.unique(ordered, return_index=True, return_counts=True)
    return np.repeat(first + (counts + 1) / 2, counts)


def _log_ways(n: Integers | int, k: Integers | int) -> Floats:
    """The logarithm of the number of ways to choose k of n."""
    found: Floats = gammaln(np.add(n, 1.0)) - gammaln(np.add(k, 1.0)) - gammaln(np.subtract(n, k) + 1.0)
    return found


def _checked(
    hits: ArrayLike, drawn: ArrayLike, marked: ArrayLike, total: ArrayLike
) -> tuple[Integers, Integers, Integers, Integers]:
    k, n, m, all_of_them = (np.asarray(x, dtype=np.int64) for x in (hits, drawn, marked, total))
    if ((n < 0) | (m < 0) | (n > all_of_them) | (m > all_of_them) | (k > np.minimum(n, m))).any():
        raise StatisticsError(
            "a draw must be from what there is: hits <= drawn <= total and hits <= marked <= total; "
            f"got hits {k.tolist()}, drawn {n.tolist()}, marked {m.tolist()}, total {all_of_them.tolist()}"
        )
    return k, n, m, all_of_them
