"""Forest: regression trees over trials, each tree as the boxes of its leaves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from surefoot.analysis.column import Floats, Integers

Places = NDArray[np.int32]
# Below so many rows starting threads costs more than they save.
ROWS_FOR_THREADS = 500
THREADS = 2
# How many trees are taken apart together: fewer cost time, more cost memory.
AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class ForestAxis:
    """One parameter as a forest sees it, and the uniform measure over what it may be.

    A choice comes as codes 0 to `level_count` - 1, all levels equally likely. A number comes on the scale it is
    drawn on and is uniform from `low` to `high`, its declared range on that scale; where it takes only the
    values of the `grid`, which rise, it takes them in proportion to `weights`, all alike where there are none.
    """

    key: str
    is_choice: bool = False
    low: float = 0.0
    high: float = 1.0
    level_count: int = 0
    grid: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """Where the axis begins and ends; half a level beyond the outermost codes of a choice."""
        if self.is_choice:
            return -0.5, self.level_count - 0.5
        # A box holds its upper edge and not its lower one, so that the first value of a grid lies above the begin.
        return (float(np.nextafter(self.low, -np.inf)), self.high) if self.grid else (self.low, self.high)

    def share_below(self, thresholds: Floats) -> Floats:
        """The measure of what is not above each threshold: 0 below the axis, 1 from its end on."""
        if self.grid and not self.is_choice:
            weights = np.array(self.weights or [1.0] * len(self.grid))
            below = np.concatenate([[0.0], np.cumsum(weights)]) / weights.sum()
            counted: Floats = below[np.searchsorted(np.array(self.grid), thresholds, side="right")]
            return counted
        low, high = self.ends
        if not high > low:
            return np.asarray(thresholds >= high, dtype=float)
        found: Floats = np.clip((thresholds - low) / (high - low), 0.0, 1.0)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """The product of the axes that a forest stands on; `orders` gives each code's rank, per axis (empty: as it is)."""

    axes: tuple[ForestAxis, ...]
    orders: tuple[Integers, ...]

    def ranked(self, axis: int, places: Floats) -> Floats:
        """Places along an axis as the trees know them: a choice's codes become ranks."""
        order = self.orders[axis]
        if not len(order):
            return np.asarray(places, dtype=float)
        found: Floats = order[np.asarray(places, dtype=np.int64)].astype(float)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """The leaves of one tree: axis-parallel boxes that fill the ground without overlap.

    `edges` holds for every axis, rising, where it begins, where this tree splits it, and where it ends. Leaf l
    lies on axis j above edge `first[l, j]`, up to and with edge `last[l, j]`, and predicts `values[l]`. A choice
    stands in ranks, rank r from r - 0.5 to r + 0.5.
    """

    edges: tuple[Floats, ...]
    first: Places
    last: Places
    values: Floats

    @property
    def lower(self) -> Floats:
        """Where each leaf begins, shape (leaves, axes)."""
        return self._at(self.first)

    @property
    def upper(self) -> Floats:
        """Where each leaf ends, shape (leaves, axes)."""
        return self._at(self.last)

    def _at(self, places: Places) -> Floats:
        return np.stack([edges[places[:, j]] for j, edges in enumerate(self.edges)], axis=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forest:
    """Trees on one ground; without rows or axes there are none, and `centre`, the mean value, is all it knows.

    `grown` are scikit-learn's trees, which predict (value - `centre`) / `scale`; `drawn` are the rows that each grew
    on, shape (trees, n), as often as they were drawn.
    """

    ground: Ground
    trees: tuple[Tree, ...]
    centre: float
    scale: float
    grown: tuple[Any, ...]
    drawn: Places

    @property
    def axes(self) -> tuple[ForestAxis, ...]:
        """The parameters, in the order of the columns of x."""
        return self.ground.axes

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Mean over the trees and standard deviation among them at the rows of x, each of shape (m,)."""
        each = self._standard(x)
        if not len(each):
            return np.full(len(x), self.centre), np.zeros(len(x))
        return self.centre + self.scale * each.mean(axis=0), self.scale * each.std(axis=0)

    def predict_each(self, x: Floats) -> Floats:
        """What every tree predicts at the rows of x, shape (trees, m)."""
        return self.centre + self.scale * self._standard(x)

    def _standard(self, x: Floats) -> Floats:
        """The same about the centre and in the scale that the trees were grown in."""
        if not self.grown:
            return np.zeros((0, len(x)))
        seen = _seen(self.ground, x)
        return np.stack([tree.predict(seen)[:, 0] for tree in self.grown])


def fit_forest(
    x: Floats,
    y: Floats,
    axes: Sequence[ForestAxis],
    *,
    trees: int = 64,
    rng: np.random.Generator,
    min_leaf: int = 1,
) -> Forest:
    """A forest of bootstrapped regression trees on x, shape (n, d), and finite y, shape (n,).

    A choice's levels are put in the order of their mean y before the trees are grown, so that a split can part
    any group of levels that lie together in it; levels without a row stand in the middle. For one node that is
    the best split of all there are; below the root it is near it.
    Source: Fisher (1958), "On grouping for maximum homogeneity", JASA 53; Breiman et al. (1984), "Classification
    and regression trees", 9.4; trees: Breiman (2001), "Random forests", Machine Learning 45.
    """
    centre, scale = _standard(y)
    ground = Ground(axes=tuple(axes), orders=tuple(_order(axis, x[:, j], y) for j, axis in enumerate(axes)))
    if not len(y) or not len(axes):
        nothing = np.zeros((0, len(y)), dtype=np.int32)
        return Forest(ground=ground, trees=(), centre=centre, scale=scale, grown=(), drawn=nothing)
    seeds = np.random.RandomState(int(rng.integers(2**31 - 1))).randint(2**31 - 1, size=trees).tolist()
    grown, drawn = _grown(_seen(ground, x), (y - centre) / scale, seeds, min_leaf)
    boxes = (_boxes(ground, grown[i : i + AT_ONCE], centre, scale) for i in range(0, trees, AT_ONCE))
    each = tuple(itertools.chain(*boxes))
    return Forest(ground=ground, trees=each, centre=centre, scale=scale, grown=grown, drawn=drawn)


def _grown(seen: NDArray[np.float32], y: Floats, seeds: Sequence[int], min_leaf: int) -> tuple[tuple[Any, ...], Places]:
    """A tree for each seed, on rows drawn with replacement; and the rows of each, shape (trees, n).

    Each split looks at every axis: plain bagging. On the published fANOVA values 5/6 and 2/3 of them do no better
    (tests/analysis/test_importance_reference.py), and of few axes a part leaves some splits nothing but junk.
    These are the trees of scikit-learn's own forest, which takes twice as long where they are small, by cloning and
    checking each of them.
    """
    n, column = len(y), np.ascontiguousarray(y, dtype=float)[:, None]

    def one(seed: int) -> tuple[Any, Places]:
        # Checked at the door: x and y are finite, the options are ours.
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            rows = np.random.RandomState(seed).randint(0, n, n, dtype=np.int32)
            tree = DecisionTreeRegressor(min_samples_leaf=min_leaf, random_state=seed)
            tree.fit(seen, column, sample_weight=np.bincount(rows, minlength=n).astype(float), check_input=False)
        return tree.tree_, rows

    if n < ROWS_FOR_THREADS:
        found = [one(seed) for seed in seeds]
    else:
        with ThreadPoolExecutor(THREADS) as pool:  # threads, never processes: scikit-learn releases the GIL
            found = list(pool.map(one, seeds))
    return tuple(tree for tree, _ in found), np.stack([rows for _, rows in found])


def _standard(y: Floats) -> tuple[float, float]:
    """The mean of y and its largest distance from it, so that trees see numbers of size 1; (0, 1) for no rows."""
    if not len(y):
        return 0.0, 1.0
    largest = float(np.abs(y).max()) or 1.0
    centre = float((y / largest).mean()) * largest  # a sum of large numbers may be none
    spread = float(np.abs(y / 2 - centre / 2).max()) * 2
    return centre, spread if 0 < spread < np.inf else 1.0


def _order(axis: ForestAxis, codes: Floats, y: Floats) -> Integers:
    """The rank of every level of a choice by its mean y; empty for a number."""
    if not axis.is_choice:
        return np.zeros(0, dtype=np.int64)
    places = codes.astype(np.int64)
    counts = np.bincount(places, minlength=axis.level_count)
    with np.errstate(over="ignore"):
        sums = np.bincount(places, weights=y, minlength=axis.level_count)
    middle = float(np.median(y)) if len(y) else 0.0
    means = np.where(counts > 0, sums / np.maximum(counts, 1), middle)
    ranks = np.empty(len(means), dtype=np.int64)
    ranks[np.argsort(means, kind="stable")] = np.arange(len(means))
    return ranks


def _seen(ground: Ground, x: Floats) -> NDArray[np.float32]:
    """The rows as the trees get them: choices as ranks, numbers from 0 to 1, as scikit-learn keeps few digits."""
    seen = np.empty(np.shape(x), dtype=np.float32)
    for j, axis in enumerate(ground.axes):
        low, width = _frame(axis)
        # What lies far outside its range says no more than what lies just outside.
        seen[:, j] = np.clip((ground.ranked(j, x[:, j]) - low) / width, -1e6, 1e6)
    return seen


def _frame(axis: ForestAxis) -> tuple[float, float]:
    """Zero and unit of an axis within the trees."""
    if axis.is_choice:
        return 0.0, 1.0
    return axis.low, axis.high - axis.low if axis.high > axis.low else 1.0


def _boxes(ground: Ground, grown: Sequence[Any], centre: float, scale: float) -> list[Tree]:
    """The leaves of grown trees, found from the roots down, all nodes of a depth in all trees at once."""
    counts = np.array([tree.node_count for tree in grown])
    roots = np.cumsum(counts) - counts
    left, right, feature, threshold = (
        np.concatenate([getattr(tree, name) for tree in grown])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    value = np.concatenate([tree.value[:, 0, 0] for tree in grown])
    owner = np.repeat(np.arange(len(grown)), counts)
    edges, place = _edges(ground, owner, feature, threshold)
    shape = (len(left), len(ground.axes))
    first, last = np.zeros(shape, dtype=np.int32), np.empty(shape, dtype=np.int32)
    last[roots] = [[len(e) - 1 for e in own] for own in edges]
    nodes = roots
    while len(nodes := nodes[left[nodes] >= 0]):
        axis, root = feature[nodes], roots[owner[nodes]]
        lefts, rights = left[nodes] + root, right[nodes] + root
        for children in (lefts, rights):
            first[children], last[children] = first[nodes], last[nodes]
        last[lefts, axis] = place[nodes]
        first[rights, axis] = place[nodes]
        nodes = np.concatenate([lefts, rights])
    leaves = np.flatnonzero(left < 0)
    cuts = np.searchsorted(leaves, roots[1:])
    parts = (np.split(found[leaves], cuts) for found in (first, last, centre + scale * value))
    return [Tree(edges=e, first=f, last=n, values=v) for e, f, n, v in zip(edges, *parts, strict=True)]


def _edges(
    ground: Ground, owner: Integers, feature: Integers, threshold: Floats
) -> tuple[list[tuple[Floats, ...]], Places]:
    """Every tree's edges of every axis, and for every node the place of its threshold among those of its own."""
    place = np.zeros(len(feature), dtype=np.int32)
    trees = int(owner[-1]) + 1
    found: list[list[Floats]] = []
    for j, axis in enumerate(ground.axes):
        at = np.flatnonzero(feature == j)
        begin, end = axis.ends
        split = np.clip(_splits(axis, threshold[at]), begin, end)
        order = np.lexsort((split, owner[at]))
        at, split = at[order], split[order]
        is_new = np.ones(len(at), dtype=bool)
        is_new[1:] = (split[1:] != split[:-1]) | (owner[at][1:] != owner[at][:-1])
        starts = np.searchsorted(owner[at[is_new]], np.arange(trees))
        place[at] = np.cumsum(is_new) - starts[owner[at]]
        own = np.split(split[is_new], starts[1:])
        found.append([np.concatenate([[begin], splits, [end]]) for splits in own])
    return list(zip(*found, strict=True)), place


def _splits(axis: ForestAxis, thresholds: Floats) -> Floats:
    """The thresholds of an axis on the scale of x; between two values that it may take all mean the same: halfway."""
    if axis.is_choice:
        return np.floor(thresholds) + 0.5
    low, width = _frame(axis)
    if not axis.grid:
        return low + width * thresholds
    # A threshold may lie on a value of the grid but for rounding: it is held against what the trees were shown.
    grid = np.array(axis.grid)
    shown = ((grid - low) / width).astype(np.float32).astype(float)
    halfway = np.concatenate([[axis.ends[0]], (grid[:-1] + grid[1:]) / 2, [axis.ends[1]]])
    found: Floats = halfway[np.searchsorted(shown, thresholds, side="right")]
    return found
