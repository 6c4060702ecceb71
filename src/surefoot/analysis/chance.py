"""What chance alone reaches: shares of variance over shuffled values, and their spread over resampled trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Floats, Integers
from surefoot.analysis.fanova import main_marginal, variance_shares
from surefoot.analysis.forest import Forest, ForestAxis, fit_forest

ALPHA = 0.05
TREES = 64
# Shuffles and resamples stand on so many trials at most, drawn from all: a tree of 200 costs a sixth of one of 1,000.
FEW_ROWS, MOST_ROWS = 200, 500
SHUFFLES = 99
PAIR_SHUFFLES = 59
# Where so many of the first shuffles reach what was observed, p is far above any level: the rest are left out.
FIRST_SHUFFLES, HOPELESS = 39, 8
RESAMPLES = 60
# Of a resampled forest, and of a shuffled one. Fewer trees spread a share more, and so never make chance look smaller.
FEW_TREES, FEWEST_TREES = 8, 6
# How often what was found is put back to look for the next.
ROUNDS = 3
MOST_PAIR_ROWS = 1_000
# Forests of fewer rows than this hold the interpreter most of the time, and a second thread gains nothing.
ROWS_FOR_THREADS = 150


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Rows x (n, d) on their axes with gains y (n,), and the pairs of axes that are asked about."""

    x: Floats
    y: Floats
    axes: tuple[ForestAxis, ...]
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def n(self) -> int:
        """How many trials there are."""
        return len(self.y)

    def some(self, rng: np.random.Generator, most: int) -> Ground:
        """The same over at most so many of its trials."""
        return self if self.n <= most else self.at(np.sort(rng.choice(self.n, most, replace=False)))

    def at(self, rows: Integers) -> Ground:
        """The same over these rows."""
        return Ground(x=self.x[rows], y=self.y[rows], axes=self.axes, pairs=self.pairs)

    def valued(self, y: Floats) -> Ground:
        """The same with other gains."""
        return Ground(x=self.x, y=y, axes=self.axes, pairs=self.pairs)

    def asked(self, pairs: Sequence[tuple[int, int]]) -> Ground:
        """The same with these pairs asked about."""
        return Ground(x=self.x, y=self.y, axes=self.axes, pairs=tuple(pairs))

    def forest(self, trees: int, rng: np.random.Generator) -> Forest:
        """A forest on it."""
        return fit_forest(self.x, self.y, self.axes, trees=trees, rng=rng)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chance:
    """How far each of several shares is beyond chance: `p` is family-wise, `limits` what chance reaches at `alpha`."""

    p: Floats
    limits: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The 95 % intervals (shares, 2) and standard deviations (shares,) of shares over resampled trials."""

    intervals: Floats
    sd: Floats


def chance_rows(n: int) -> int:
    """On how many of n trials shuffles and resamples stand."""
    return min(n, max(FEW_ROWS, min(n // 20, MOST_ROWS)))


def out_of_bag(forest: Forest, ground: Ground) -> Floats:
    """What the trees that never saw a trial predict of it, shape (n,); the mean gain where all saw it."""
    each, seen = forest.predict_each(ground.x), np.zeros((len(forest.trees), ground.n), dtype=bool)
    for t, rows in enumerate(forest.drawn):
        seen[t, rows] = True
    count = (~seen).sum(axis=0)
    return np.where(count > 0, np.where(seen, 0.0, each).sum(axis=0) / np.maximum(count, 1), forest.centre)


def explained(predicted: Floats, y: Floats) -> float:
    """The share of the variance of y that a prediction explains; below 0 where the mean would be nearer."""
    spread = float(((y - y.mean()) ** 2).sum()) if len(y) else 0.0
    return 1 - float(((y - predicted) ** 2).sum()) / spread if spread > 0 else 0.0


def chance_of_mains(ground: Ground, observed: Floats, *, families: int, rng: np.random.Generator) -> Chance:
    """Whether each main share is beyond chance, where everything that was found so far is kept and the rest shuffled.

    First all gains are shuffled. Where something is found, its own effect is put back and only what it leaves
    unexplained (by trees that did not see the trial) is shuffled, so that one strong parameter does not hide
    the next. `families` is among how many such tests the error rate is shared (Bonferroni).
    Source: Freedman and Lane (1983), "A nonstochastic interpretation of reported significance levels", JBES 1(4);
    the largest over all parameters: Westfall and Young (1993), step-down maxT.
    """
    alone, count = ground.asked(()), len(ground.axes)
    p, limits = np.ones(count), np.ones(count)
    left, base, floor = np.arange(count), np.zeros(ground.n), 0.0
    for _ in range(ROUNDS):
        drawn = shuffled_shares(alone, base, observed, left, families=families, rng=rng)
        found = chance(observed[left], drawn, families=families)
        # A parameter is found only after those before it: its p is never below theirs.
        p[left], limits[left] = np.maximum(found.p, floor), found.limits
        is_found = p[left] <= ALPHA
        if not is_found.any():
            break
        floor = float(p[left][is_found].max())
        left = left[~is_found]
        if not len(left):
            break
        known = Ground(
            x=ground.x[:, p <= ALPHA],
            y=ground.y,
            axes=tuple(a for a, at in zip(ground.axes, p, strict=True) if at <= ALPHA),
        )
        base = out_of_bag(known.forest(TREES, rng), known)
    return Chance(p=p, limits=limits)


def chance_of_pairs(
    ground: Ground, forest: Forest, observed: Floats, *, families: int, rng: np.random.Generator
) -> Chance:
    """Whether each pair's share is beyond what mains that only add up, and noise, would show.

    The gains are rebuilt from the forest's mains; what is left is shuffled, and made as large as the forest's
    error on trials it did not see, since mains fitted to the same trials leave too little.
    """
    base = np.full(ground.n, float(ground.y.mean()))
    for j in range(len(ground.axes)):
        line = main_marginal(forest, j, ground.x[:, j])[0]
        base += line - line.mean()
    left = ground.y - base
    unseen = float(((ground.y - out_of_bag(forest, ground)) ** 2).mean())
    inside = float((left**2).mean())
    left = left * math.sqrt(max(1.0, unseen / inside)) if inside > 0 else left
    asked = np.arange(len(ground.axes), len(ground.axes) + len(ground.pairs))
    whole = np.concatenate([np.zeros(len(ground.axes)), observed])
    drawn = shuffled_shares(ground.valued(base + left), base, whole, asked, families=families, rng=rng)
    return chance(observed, drawn, families=families)


def chance(observed: Floats, drawn: Floats, *, families: int = 1) -> Chance:
    """The observed shares (d,) against drawn ones (shuffles, d), each first put on the scale of its own chance.

    A choice of many levels reaches large shares by chance; on its own scale it does not hide the others.
    """
    centre, scale, largest = _scaled(drawn)
    p = np.minimum(1.0, families * (1 + reached(observed, drawn)) / (1 + len(drawn)))
    place = max(math.floor(ALPHA / families * (1 + len(drawn))) - 1, 0)
    return Chance(p=p, limits=np.clip(centre + scale * largest[place], 0.0, 1.0))


def reached(observed: Floats, drawn: Floats) -> Integers:
    """In how many of the shuffles the largest of all shares, each on its own scale, reaches the observed one; (d,)."""
    centre, scale, largest = _scaled(drawn)
    found: Integers = (largest[None, :] >= ((observed - centre) / scale)[:, None]).sum(axis=1)
    return found


def _scaled(drawn: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and spread of each share by chance, and the largest score of each shuffle, the largest first."""
    centre, scale = drawn.mean(axis=0), np.maximum(drawn.std(axis=0, ddof=1), 1e-9)
    return centre, scale, np.sort(((drawn - centre) / scale).max(axis=1))[::-1]


def shuffled_shares(
    ground: Ground, base: Floats, observed: Floats, asked: Integers, *, families: int, rng: np.random.Generator
) -> Floats:
    """The `asked` ones of main and pair shares where gains less `base` are shuffled, shape (shuffles, asked).

    Shuffling ends early where the first shuffles reach every observed share so often that no more of them could
    make one of them more than chance. Source: Besag and Clifford (1991), "Sequential Monte Carlo p-values",
    Biometrika 78(2).
    """

    def one(draw: np.random.Generator) -> Floats:
        y = base + draw.permutation(ground.y - base)
        return _shares(ground.valued(y), FEWEST_TREES, draw)[asked]

    # Enough shuffles that the smallest p they can show is small enough for every family.
    draws = rng.spawn(max(PAIR_SHUFFLES if ground.pairs else SHUFFLES, 25 * families - 1))
    first = np.stack(_in_turn(one, draws[:FIRST_SHUFFLES], ground.n))
    if reached(observed[asked], first).min(initial=len(first)) >= HOPELESS:
        return first
    return np.concatenate([first, np.stack(_in_turn(one, draws[FIRST_SHUFFLES:], ground.n))])


def spread_of_shares(ground: Ground, observed: Floats, whole: int, rng: np.random.Generator) -> Spread:
    """How far the shares (mains, then pairs) would move with other trials, by resampling these with replacement.

    The deviations are put around the observed shares, as a forest of resampled trials knows fewer different
    ones; freed of what its few trees add; and narrowed where `whole`, the number of trials, is more than stand here.
    Source: Efron (1979), "Bootstrap methods", Ann. Statist. 7(1); the correction for few trees: Sexton and Laake
    (2009), "Standard errors for bagged and random forest estimators", CSDA 53(3).
    """

    def one(draw: np.random.Generator) -> Floats:
        sample = ground.at(draw.integers(ground.n, size=ground.n))
        found = variance_shares(sample.forest(FEW_TREES, draw), ground.pairs)
        each = np.concatenate([found.per_tree_mains, found.per_tree_pairs], axis=1)
        if not len(each):
            return np.zeros((2, each.shape[1]))
        return np.stack([each.mean(axis=0), each.var(axis=0, ddof=1) if len(each) > 1 else np.zeros(each.shape[1])])

    drawn = np.stack(_in_turn(one, rng.spawn(RESAMPLES), ground.n))
    means, of_trees = drawn[:, 0], drawn[:, 1].mean(axis=0)
    variance = means.var(axis=0, ddof=1)
    true = np.maximum(variance - of_trees / FEW_TREES, 0.0) + of_trees / TREES
    narrowed = np.sqrt(true / np.maximum(variance, 1e-18) * min(1.0, ground.n / whole))
    moved = (means - np.median(means, axis=0)) * narrowed
    ends = observed + np.quantile(moved, [0.025, 0.975], axis=0)
    return Spread(intervals=np.clip(ends, 0.0, 1.0).T, sd=np.sqrt(variance) * narrowed)


def _shares(ground: Ground, trees: int, rng: np.random.Generator) -> Floats:
    found = variance_shares(ground.forest(trees, rng), ground.pairs)
    return np.concatenate([found.mains, found.pairs])


def _in_turn(
    work: Callable[[np.random.Generator], Floats], draws: Sequence[np.random.Generator], rows: int
) -> list[Floats]:
    """The work on each draw, in order; two at a time where that gains time."""
    if rows < ROWS_FOR_THREADS:
        return [work(draw) for draw in draws]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(work, draws))
