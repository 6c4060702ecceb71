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
    count = len(forest.axes)
    measured = [_measured(forest, tree) for tree in forest.trees]
    varied = [m for m in measured if m.variance > 0]
    mains = np.zeros((len(varied), count))
    both = np.zeros((len(varied), len(pairs)))
    for t, tree in enumerate(varied):
        alone = [float(widths @ line**2) for widths, line in zip(tree.widths, _lines(tree), strict=True)]
        mains[t] = np.array(alone) / tree.variance
        for k, (a, b) in enumerate(pairs):
            together = float(tree.widths[a] @ _sheet(tree, a, b) ** 2 @ tree.widths[b])
            # What rounding leaves below 0 is 0.
            both[t, k] = max(together - alone[a] - alone[b], 0.0) / tree.variance
    return Shares(
        mains=mains.mean(axis=0) if varied else np.zeros(count),
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
    for tree in forest.trees:
        measured = _measured(forest, tree)
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
    for tree in forest.trees:
        measured = _measured(forest, tree)
        yield tree, measured.level + _sheet(measured, a, b)


def _over_trees(forest: Forest, found: list[Floats], shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    each = np.stack(found) if found else np.zeros((1, *shape))
    return forest.centre + forest.scale * each.mean(axis=0), forest.scale * each.std(axis=0)


def _measured(forest: Forest, tree: Tree) -> _Measured:
    below = [axis.share_below(edges) for axis, edges in zip(forest.axes, tree.edges, strict=True)]
    for share in below:
        share[0], share[-1] = 0.0, 1.0
    parts = np.stack([s[tree.last[:, j]] - s[tree.first[:, j]] for j, s in enumerate(below)], axis=1)
    weights = parts.prod(axis=1)
    # Splits outside of a declared range, or between two values of a grid, leave leaves that hold nothing.
    held = weights > 0
    weights, values = weights[held], (tree.values[held] - forest.centre) / forest.scale
    level = float(weights @ values)
    values = values - level
    varies = np.abs(values).max(initial=0.0) > ROUNDING * max(abs(forest.centre) / forest.scale, 1.0)
    return _Measured(
        first=tree.first[held],
        last=tree.last[held],
        widths=tuple(np.diff(share) for share in below),
        parts=parts[held],
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


def _lines(tree: _Measured) -> Iterator[Floats]:
    """The marginals along all axes: those of `_line`, found together."""
    sizes = [len(widths) + 1 for widths in tree.widths]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    height = ((tree.weights * tree.values)[:, None] / tree.parts).ravel()
    begun = np.bincount((tree.first + starts[:-1]).ravel(), weights=height, minlength=starts[-1])
    ended = np.bincount((tree.last + starts[:-1]).ravel(), weights=height, minlength=starts[-1])
    change = begun - ended
    return (np.cumsum(change[start : start + size - 1]) for start, size in zip(starts, sizes, strict=False))


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
