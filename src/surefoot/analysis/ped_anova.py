"""PED-ANOVA: how differently the best trials are spread along each parameter than all trials are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from surefoot.analysis.column import Booleans, Column, Floats, Integers

TOP = 0.1
GRID = 50
# One imagined trial, spread evenly, keeps every density above nothing.
PRIOR = 1.0
# A kernel's central 90 % lies within its own grid cell at least.
NARROWEST = 0.5 / 1.64
SHUFFLES = 299
RESAMPLES = 199
# Counts of so many resampled trials are made at a time.
MOST_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """One parameter's trials on a grid: `at` has shape (n,) and holds places from 0 to `size` - 1."""

    at: Integers
    size: int
    is_choice: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PedAnova:
    """Shares of the divergence between the best trials and all, each of shape (parameters,), summing to 1 or all 0.

    `p` is family-wise: how often shuffled values show any parameter as far beyond its own chance. `intervals`
    has shape (parameters, 2), `sd` is the deviation over resampled trials. `with_others` counts further trials,
    as pruned ones, among all trials and never among the best; None where there are none.
    """

    keys: tuple[str, ...]
    n_top: int
    shares: Floats
    sd: Floats
    intervals: Floats
    p: Floats
    with_others: Floats | None


def ped_anova(
    columns: Sequence[Column],
    gains: Floats,
    *,
    rng: np.random.Generator,
    others: Sequence[Column] = (),
    top: float = TOP,
) -> PedAnova:
    """The columns' importance for being among the best `top` of the trials; all exist in every row.

    `gains` (n,) are larger where better; trials that equal the last of the best are among them. `others` are
    the same columns over trials without a value, each where it exists.
    Source: Watanabe, Bansal and Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in
    arbitrary subspaces", IJCAI, equation 16; the constant (top share)² drops out of the shares.
    """
    placed = [places_of(column) for column in columns]
    best = best_of(gains, top)
    observed = divergences(placed, best)
    shuffled, resampled = _shuffled(placed, int(best.sum()), rng), _resampled(placed, gains, top, rng)
    shares, drawn = _as_shares(observed), _as_shares(resampled)
    ends = np.quantile(drawn, [0.025, 0.975], axis=0)
    return PedAnova(
        keys=tuple(c.key for c in columns),
        n_top=int(best.sum()),
        shares=shares,
        sd=drawn.std(axis=0),
        # A resampled top holds the same trials several times; what it shows is never narrower than the share itself.
        intervals=np.stack([np.minimum(ends[0], shares), np.maximum(ends[1], shares)], axis=1),
        p=family_p(observed, shuffled),
        with_others=_as_shares(_among_all(columns, others, best)) if others else None,
    )


def best_of(gains: Floats, top: float) -> Booleans:
    """The best share of the trials, at least one where there is any, with all that equal the last of them."""
    if not len(gains):
        return np.zeros(0, dtype=bool)
    count = math.ceil(top * len(gains))
    found: Booleans = gains >= np.partition(gains, len(gains) - count)[len(gains) - count]
    return found


def places_of(column: Column) -> Places:
    """The column's rows on its grid: the levels of a choice, else at most 50 steps over the declared range."""
    if column.kind != "number":
        return Places(at=column.codes, size=len(column.levels), is_choice=True)
    if column.parameter.choices:
        listed = np.sort(np.array(column.parameter.choices, dtype=float))
        between = (listed[1:] + listed[:-1]) / 2
        return Places(at=np.searchsorted(between, column.numbers), size=len(listed), is_choice=True)
    numbers = column.scaled
    low, high = _bounds(column)
    steps = min(_steps(column), GRID)
    if steps < 2 or not high > low:
        return Places(at=np.zeros(len(numbers), dtype=np.int64), size=1, is_choice=False)
    # Halfway between two steps the lower one is meant, as in Optuna's.
    at = np.ceil((numbers - low) / ((high - low) / (steps - 1)) - 0.5).astype(np.int64)
    return Places(at=np.clip(at, 0, steps - 1), size=steps, is_choice=False)


def divergences(placed: Sequence[Places], best: Booleans) -> Floats:
    """Pearson's divergence of the best trials' density from that of all, for each parameter, shape (parameters,)."""
    found = []
    for places in placed:
        counts = np.bincount(places.at, minlength=places.size)[None, :]
        top = np.bincount(places.at[best], minlength=places.size)[None, :]
        found.append(_divergence(places, top, counts)[0])
    return np.array(found)


def density(counts: Integers, *, is_choice: bool) -> Floats:
    """The kernel density over the grid of each row of counts, shape (rows, grid); every row sums to 1.

    Numbers: normal kernels cut off at the grid's ends, Scott's bandwidth. Source: Scott (1992), "Multivariate
    density estimation"; with the smaller of deviation and quartile range as in Silverman (1986), equation 3.30.
    """
    n = counts.sum(axis=1, keepdims=True)
    size = counts.shape[1]
    if is_choice:
        # Each level seen has one kernel, which leaves its share of the prior to every level.
        kernels = (counts > 0).sum(axis=1, keepdims=True) + 1
        leaked = PRIOR / kernels
        even = np.full((1, size), PRIOR / size)
        spread = (counts + n * leaked) / (1 + size * leaked)
        return np.asarray((spread + even) / (n + PRIOR))
    kernel = _kernels(size, _bandwidths(counts))
    broad = _kernel(np.array((size - 1) / 2), np.array(float(size)), size)
    return np.asarray((np.einsum("bm,bmg->bg", counts, kernel) + PRIOR * broad) / (n + PRIOR))


def family_p(observed: Floats, drawn: Floats) -> Floats:
    """Family-wise p of each parameter: the least p of a drawn row, against that of the observed one.

    Source: Westfall and Young (1993), "Resampling-based multiple testing", the single-step minP procedure.
    """
    if not len(observed) or not len(drawn):
        return np.ones(len(observed))
    rows = np.concatenate([observed[None, :], drawn])
    ordered = np.sort(rows, axis=0)
    reached = [len(rows) - np.searchsorted(ordered[:, j], rows[:, j] * (1 - 1e-12)) for j in range(rows.shape[1])]
    alone = np.stack(reached, axis=1) / len(rows)
    return np.asarray((alone.min(axis=1)[:, None] <= alone[0]).mean(axis=0))


def _as_shares(found: Floats) -> Floats:
    total = found.sum(axis=-1, keepdims=True)
    return np.asarray(found / np.where(total > 0, total, 1.0))


def _shuffled(placed: Sequence[Places], n_top: int, rng: np.random.Generator) -> Floats:
    """Divergences where the best are any `n_top` trials, shape (shuffles, parameters)."""
    n = len(placed[0].at) if placed else 0
    if not 0 < n_top < n:
        return np.zeros((0, len(placed)))
    chosen = np.stack([rng.permutation(n)[:n_top] for _ in range(SHUFFLES)])
    found = []
    for places in placed:
        counts = np.bincount(places.at, minlength=places.size)[None, :]
        found.append(_divergence(places, _counted(places, chosen), counts))
    return np.stack(found, axis=1)


def _resampled(placed: Sequence[Places], gains: Floats, top: float, rng: np.random.Generator) -> Floats:
    """Divergences over trials drawn with replacement, shape (resamples, parameters)."""
    n, found = len(gains), []
    if not n or not placed:
        return np.zeros((RESAMPLES, len(placed)))
    each = max(1, MOST_AT_ONCE // n)
    for start in range(0, RESAMPLES, each):
        rows = rng.integers(n, size=(min(each, RESAMPLES - start), n))
        drawn = gains[rows]
        last = n - math.ceil(top * n)
        best = drawn >= np.partition(drawn, last, axis=1)[:, last : last + 1]
        found.append([_divergence(p, _counted(p, rows, best), _counted(p, rows)) for p in placed])
    return np.concatenate([np.array(part).reshape(len(placed), -1).T for part in found])


def _among_all(columns: Sequence[Column], others: Sequence[Column], best: Booleans) -> Floats:
    """The divergences with further trials, none of them among the best."""
    found = []
    for column, more in zip(columns, others, strict=True):
        here, there = places_of(column), places_of(more.taken(more.active))
        counts = np.bincount(np.concatenate([here.at, there.at]), minlength=here.size)[None, :]
        top = np.bincount(here.at[best], minlength=here.size)[None, :]
        found.append(_divergence(here, top, counts)[0])
    return np.array(found)


def _counted(places: Places, rows: Integers, kept: Booleans | None = None) -> Integers:
    """How many of each row's trials lie at each place, shape (rows, grid)."""
    at = places.at[rows] + np.arange(len(rows))[:, None] * places.size
    flat = at.ravel() if kept is None else at[kept]
    return np.bincount(flat, minlength=len(rows) * places.size).reshape(len(rows), places.size)


def _divergence(places: Places, top: Integers, every: Integers) -> Floats:
    """Pearson's divergence of each row of `top` from its row of `every` (or from the only one)."""
    if places.size < 2:
        return np.zeros(len(top))
    best = density(top, is_choice=places.is_choice) + 1e-12
    all_trials = density(every, is_choice=places.is_choice) + 1e-12
    return np.asarray((all_trials * (best / all_trials - 1) ** 2).sum(axis=1))


def _bandwidths(counts: Integers) -> Floats:
    """Scott's bandwidth of each row of counts, in grid steps."""
    n = np.maximum(counts.sum(axis=1), 1)
    at = np.arange(counts.shape[1])
    mean = counts @ at / n
    deviation = np.sqrt((counts * (at - mean[:, None]) ** 2).sum(axis=1) / np.maximum(1, n - 1))
    reached = np.cumsum(counts, axis=1)
    lower = (reached >= np.maximum(n // 4, 1)[:, None]).argmax(axis=1)
    upper = (reached > (n * 3 // 4)[:, None]).argmax(axis=1)
    return np.asarray(np.maximum(1.059 * np.minimum((upper - lower) / 1.34, deviation) * n**-0.2, NARROWEST))


def _kernels(size: int, bandwidths: Floats) -> Floats:
    """For each bandwidth a kernel at every place, shape (bandwidths, places, grid)."""
    return _kernel(np.arange(size)[None, :], bandwidths[:, None], size)


def _kernel(middle: Floats | Integers, bandwidth: Floats, size: int) -> Floats:
    """The weight that a normal kernel, cut off at the grid's ends, gives each place; the last axis is the grid."""
    edges = np.arange(size + 1) - 0.5
    below = ndtr((edges - middle[..., None]) / bandwidth[..., None])
    return np.asarray(np.diff(below, axis=-1) / (below[..., -1:] - below[..., :1]))


def _bounds(column: Column) -> tuple[float, float]:
    """The declared range on the drawn scale, or what was seen where there is none."""
    low, high = column.parameter.low, column.parameter.high
    seen = column.scaled[column.active]
    if low is not None and high is not None:
        return (math.log(low), math.log(high)) if column.is_log else (low, high)
    return (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)


def _steps(column: Column) -> int:
    """How many places the grid has at most; a logarithmic whole number has one for each doubling."""
    parameter = column.parameter
    if parameter.low is None or parameter.high is None or parameter.is_continuous:
        return GRID
    if parameter.kind == "int" and parameter.log:
        return math.ceil(math.log2(parameter.high - parameter.low + 1)) + 1
    return parameter.level_count or GRID
