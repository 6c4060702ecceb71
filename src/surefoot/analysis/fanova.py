"""Functional ANOVA: how much of a forest's variance each parameter explains alone, and each pair together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.analysis.column import Floats
from surefoot.analysis.forest import Forest, Places, Tree

# What differs by less, of its size, differs by rounding alone.
ROUNDING = 1e-12
# With more leaves than this it is quicker to sum over the cells of one pair after the other.
FEW_LEAVES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """Fractions of the total variance, averaged over the trees that have any; all 0 where none has.

    `mains` has shape (axes,), `pairs` (pairs,): what a pair explains beyond its two mains. `per_tree_mains` and
    `per_tree_pairs` have a row for each tree with variance. `total` is the mean variance of all trees over the
    whole ground, in squared units of the values.
    """

    mains: Floats
    pairs: Floats
    per_tree_mains: Floats
    per_tree_pairs: Floats
    total: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """One tree under the uniform measure of its ground, its leaves of measure 0 left out.

    `widths` are the shares of each axis between its edges; `parts` (leaves, axes) those within each leaf,
    `weights` (leaves,) their products. All values are in the forest's scale about its centre, as squares of very
    large or small numbers are none: `level` is their mean over the ground, `values` and `variance` are about it.
    """

    first: Places
    last: Places
    widths: tuple[Floats, ...]
    parts: Floats
    weights: Floats
    values: Floats
    level: float
    variance: float


def variance_shares(forest: Forest, pairs: Sequence[tuple[int, int]] = ()) -> Shares:
    """The share of the variance that each axis explains alone, and each of the pairs of axes beyond that.

    Exact for the trees as they are: nothing is sampled. Over the cells that a tree's own splits make on one or
    two axes, every leaf adds a constant, so that all leaves together are one sum of differences (at the leaf's
    edges) and one running total. On two axes that is a grid of at most a quarter as many cells as there are
    pairs of leaves, since the splits of both axes together are fewer than the leaves; to sum over the pairs of
    leaves, or to integrate each leaf against each cell, costs more.
    Source: Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter
    importance", ICML, algorithm 2 and equation 6.
    """
    measured = _all_measured(forest)
    varied = [m for m in measured if m.variance > 0]
    alone = np.array([_alone(m) for m in varied]).reshape(len(varied), len(forest.axes))
    both = np.array([_together(m, pairs) for m in varied]).reshape(len(varied), len(pairs))
    sizes = np.array([m.variance for m in varied])[:, None]
    a, b = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    # What rounding leaves below 0 is 0.
    both = np.maximum(both - alone[:, a] - alone[:, b], 0.0) / sizes
    mains = alone / sizes
    return Shares(
        mains=mains.mean(axis=0) if varied else np.zeros(len(forest.axes)),
        pairs=both.mean(axis=0) if varied else np.zeros(len(pairs)),
        per_tree_mains=mains,
        per_tree_pairs=both,
        total=float(np.mean([m.variance for m in measured])) * forest.scale * forest.scale if measured else 0.0,
    )


def main_marginal(forest: Forest, axis: int, places: Floats) -> tuple[Floats, Floats]:
    """The prediction at places along one axis, averaged over all others: mean over trees, and standard deviation.

    Both have the shape of `places`, which stand on the scale of x; codes for a choice.
    """
    at = forest.ground.ranked(axis, places)
    found = []
    for tree, measured in zip(forest.trees, _all_measured(forest), strict=True):
        found.append(measured.level + _line(measured, axis)[_cells(tree, axis, at)])
    return _over_trees(forest, found, at.shape)


def pair_marginal(forest: Forest, a: int, b: int, x_places: Floats, y_places: Floats) -> tuple[Floats, Floats]:
    """The same over a grid of two axes, `a` across and `b` up: mean and deviation of shape (y places, x places)."""
    across, up = forest.ground.ranked(a, x_places), forest.ground.ranked(b, y_places)
    found = [
        sheet[np.ix_(_cells(tree, a, across), _cells(tree, b, up))].T for tree, sheet in _level_sheets(forest, a, b)
    ]
    return _over_trees(forest, found, (len(up), len(across)))


def pair_marginal_at(forest: Forest, a: int, b: int, x_places: Floats, y_places: Floats) -> tuple[Floats, Floats]:
    """The same at single places (x, y): mean and deviation of their shape."""
    across, up = forest.ground.ranked(a, x_places), forest.ground.ranked(b, y_places)
    found = [sheet[_cells(tree, a, across), _cells(tree, b, up)] for tree, sheet in _level_sheets(forest, a, b)]
    return _over_trees(forest, found, across.shape)


def _level_sheets(forest: Forest, a: int, b: int) -> Iterator[tuple[Tree, Floats]]:
    """Every tree with its marginal over two axes, in the forest's scale about its centre."""
    for tree, measured in zip(forest.trees, _all_measured(forest), strict=True):
        yield tree, measured.level + _sheet(measured, a, b)


def _over_trees(forest: Forest, found: list[Floats], shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    each = np.stack(found) if found else np.zeros((1, *shape))
    return forest.centre + forest.scale * each.mean(axis=0), forest.scale * each.std(axis=0)


def _all_measured(forest: Forest) -> list[_Measured]:
    """Every tree of the forest measured; the edges of all trees along an axis are, together."""
    if not forest.trees:
        return []
    below: list[list[Floats]] = []
    for j, axis in enumerate(forest.axes):
        ends = np.cumsum([len(tree.edges[j]) for tree in forest.trees])
        share = axis.share_below(np.concatenate([tree.edges[j] for tree in forest.trees]))
        share[ends - 1] = 1.0
        share[0], share[ends[:-1]] = 0.0, 0.0
        below.append(np.split(share, ends[:-1]))
    return [_measured(forest, tree, own) for tree, own in zip(forest.trees, zip(*below, strict=True), strict=True)]


def _measured(forest: Forest, tree: Tree, below: Sequence[Floats]) -> _Measured:
    """The tree under the measure; `below` is that of what lies below each of its edges, by axis."""
    every = np.concatenate(below)
    sizes = [len(share) for share in below]
    starts = np.cumsum(sizes) - sizes
    parts = every[tree.last + starts] - every[tree.first + starts]
    weights = parts.prod(axis=1)
    values, first, last = (tree.values - forest.centre) / forest.scale, tree.first, tree.last
    # Splits outside of a declared range, or between two values of a grid, leave leaves that hold nothing.
    if not (held := weights > 0).all():
        weights, parts, values, first, last = weights[held], parts[held], values[held], first[held], last[held]
    level = float(weights @ values)
    values = values - level
    varies = np.abs(values).max(initial=0.0) > ROUNDING * max(abs(forest.centre) / forest.scale, 1.0)
    return _Measured(
        first=first,
        last=last,
        widths=tuple(share[1:] - share[:-1] for share in below),
        parts=parts,
        weights=weights,
        values=values,
        level=level,
        variance=float(weights @ values**2) if varies else 0.0,
    )


def _line(tree: _Measured, axis: int) -> Floats:
    """The marginal along one axis, a value for each of its cells."""
    height = tree.weights * tree.values / tree.parts[:, axis]
    size = len(tree.widths[axis]) + 1
    begun = np.bincount(tree.first[:, axis], weights=height, minlength=size)
    ended = np.bincount(tree.last[:, axis], weights=height, minlength=size)
    found: Floats = np.cumsum(begun - ended)[:-1]
    return found


def _alone(tree: _Measured) -> Floats:
    """The variance of the marginal along each axis: those of `_line`, found together."""
    sizes = np.array([len(widths) + 1 for widths in tree.widths])
    starts, size = np.cumsum(sizes) - sizes, int(sizes.sum())
    height = ((tree.weights * tree.values)[:, None] / tree.parts).ravel()
    begun = np.bincount((tree.first + starts).ravel(), weights=height, minlength=size)
    ended = np.bincount((tree.last + starts).ravel(), weights=height, minlength=size)
    change = begun - ended
    lines = (np.cumsum(change[start : start + size - 1]) for start, size in zip(starts, sizes, strict=True))
    return np.array([widths @ line**2 for widths, line in zip(tree.widths, lines, strict=True)])


def _together(tree: _Measured, pairs: Sequence[tuple[int, int]]) -> Floats:
    """The variance of the marginal over each pair of axes, their own included."""
    if len(tree.weights) > FEW_LEAVES:
        each = (tree.widths[a] @ _sheet(tree, a, b) ** 2 @ tree.widths[b] for a, b in pairs)
        return np.fromiter(each, dtype=float, count=len(pairs))
    if not pairs:
        return np.zeros(0)
    # All sheets in one product: of few leaves, every one can be held against each cell of every axis.
    sizes = np.array([len(widths) for widths in tree.widths])
    starts = np.cumsum(sizes) - sizes
    axis = np.repeat(np.arange(len(sizes)), sizes)
    cell = np.arange(len(axis)) - starts[axis]
    inside = (tree.first[:, axis] <= cell) & (cell < tree.last[:, axis])
    density = inside / tree.parts[:, axis]
    sheets = ((tree.weights * tree.values)[:, None] * density).T @ density
    widths = np.concatenate(tree.widths)
    explained = sheets**2 * widths[:, None] * widths
    whole = np.add.reduceat(np.add.reduceat(explained, starts, axis=0), starts, axis=1)
    found: Floats = whole[tuple(np.array(pairs, dtype=np.int64).T)]
    return found


def _sheet(tree: _Measured, a: int, b: int) -> Floats:
    """The marginal over two axes, a value for each cell of their grid: rows along `a`, columns along `b`."""
    height = tree.weights * tree.values / (tree.parts[:, a] * tree.parts[:, b])
    rows, columns = len(tree.widths[a]) + 1, len(tree.widths[b]) + 1
    corners = [
        (side_a[:, a].astype(np.int64) * columns + side_b[:, b], sign)
        for side_a, sign_a in ((tree.first, 1.0), (tree.last, -1.0))
        for side_b, sign in ((tree.first, sign_a), (tree.last, -sign_a))
    ]
    places = np.concatenate([place for place, _ in corners])
    changes = np.concatenate([sign * height for _, sign in corners])
    counted: Floats = np.asarray(np.bincount(places, weights=changes, minlength=rows * columns), dtype=float)
    change = counted.reshape(rows, columns)
    np.cumsum(change, axis=0, out=change)
    np.cumsum(change, axis=1, out=change)
    return change[:-1, :-1]


def _cells(tree: Tree, axis: int, at: Floats) -> NDArray[np.intp]:
    """The cell of an axis that each place lies in; the outermost where it lies beyond."""
    return np.searchsorted(tree.edges[axis][1:-1], at, side="left")
