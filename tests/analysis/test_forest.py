"""A forest's leaves fill its ground once, say what its trees say, and are the same for the same generator."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from surefoot.analysis.forest import ForestAxis, fit_forest

LINE = ForestAxis(key="line", low=-1.0, high=3.0)
WHOLE = ForestAxis(key="whole", low=1.0, high=4.0, grid=(1.0, 2.0, 3.0, 4.0), level_count=4)
KINDS = ForestAxis(key="kinds", is_choice=True, level_count=6)
AXES = (LINE, WHOLE, KINDS)


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    x = np.stack([rng.uniform(-1, 3, n), rng.integers(1, 5, n), rng.integers(0, 6, n)], axis=1)
    return x, x[:, 0] * x[:, 1] + np.array([5.0, 1, 3, 0, 9, 2])[x[:, 2].astype(int)] + rng.normal(size=n) * 0.1


def grown(n=60, seed=0, **options):
    x, y = drawn(n, seed)
    return fit_forest(x, y, AXES, rng=np.random.default_rng(seed), **options)


def test_every_point_lies_in_one_leaf_of_each_tree_and_gets_its_value():
    forest = grown(trees=8)
    x, _ = drawn(400, seed=1)
    each = forest.predict_each(x)
    seen = np.stack([forest.ground.ranked(j, x[:, j]) for j in range(3)], axis=1)
    for number, tree in enumerate(forest.trees):
        inside = ((seen[:, None] > tree.lower) & (seen[:, None] <= tree.upper)).all(axis=2)
        assert (inside.sum(axis=1) == 1).all()
        assert inside @ tree.values == pytest.approx(each[number])


def test_the_leaves_fill_the_whole_ground():
    for tree in grown(trees=8).trees:
        volumes = (tree.upper - tree.lower).prod(axis=1)
        assert volumes.sum() == pytest.approx(4 * 3 * 6)


def test_a_forest_predicts_what_it_has_seen_with_its_trees_mean_and_spread():
    x, y = drawn(200)
    forest = fit_forest(x, y, AXES, rng=np.random.default_rng(0))
    mean, sd = forest.predict(x)
    each = forest.predict_each(x)
    assert each.shape == (64, 200)
    assert mean == pytest.approx(each.mean(axis=0)) and sd == pytest.approx(each.std(axis=0))
    assert np.corrcoef(mean, y)[0, 1] > 0.98


def test_one_split_parts_any_two_groups_of_levels():
    codes = np.repeat(np.arange(6.0), 20)[:, None]
    y = np.isin(codes[:, 0], [1, 4]).astype(float)
    for tree in fit_forest(codes, y, [KINDS], trees=8, rng=np.random.default_rng(0)).trees:
        assert len(tree.values) == 2


def test_a_level_never_tried_stands_in_the_middle():
    codes = np.array([0.0, 1, 2, 4, 5] * 10)[:, None]
    y = np.array([9.0, 1, 5, 5, 4] * 10)
    order = fit_forest(codes, y, [KINDS], trees=2, rng=np.random.default_rng(0)).ground.orders[0]
    assert sorted(order) == list(range(6))
    assert order[1] < order[3] < order[0]


def test_the_same_generator_grows_the_same_forest_with_threads_too():
    first, again, other = (grown(600, seed=seed, trees=4) for seed in (0, 0, 1))
    for tree, same in zip(first.trees, again.trees, strict=True):
        assert np.array_equal(tree.lower, same.lower) and np.array_equal(tree.values, same.values)
    assert not np.array_equal(first.trees[0].values, other.trees[0].values)


@pytest.mark.parametrize("n", [60, 600])
def test_the_trees_are_those_of_scikit_learns_own_forest(n):
    x, y = drawn(n)
    ours = fit_forest(x, y, AXES, trees=4, rng=np.random.default_rng(5))
    seen = np.stack([(x[:, 0] + 1) / 4, (x[:, 1] - 1) / 3, ours.ground.ranked(2, x[:, 2])], axis=1)
    seed = int(np.random.default_rng(5).integers(2**31 - 1))
    theirs = RandomForestRegressor(n_estimators=4, random_state=seed).fit(seen, (y - ours.centre) / ours.scale)
    for tree, other in zip(ours.grown, theirs.estimators_, strict=True):
        assert np.array_equal(tree.threshold, other.tree_.threshold) and np.array_equal(tree.value, other.tree_.value)
    assert np.array_equal(ours.drawn, theirs.estimators_samples_)


def test_a_leaf_holds_as_many_rows_as_asked():
    assert len(grown(60, trees=4, min_leaf=20).trees[0].values) <= 3


def test_a_thousand_levels_and_values_of_any_size_are_no_hindrance():
    rng = np.random.default_rng(0)
    many = ForestAxis(key="many", is_choice=True, level_count=1000)
    x = np.stack([rng.integers(0, 1000, 300), rng.uniform(-1e12, 1e12, 300)], axis=1)
    forest = fit_forest(x, rng.normal(size=300) * 1e300, [many, LINE], trees=4, rng=rng)
    assert np.isfinite(forest.predict(x)[0]).all()
    assert all((tree.upper >= tree.lower).all() for tree in forest.trees)


@pytest.mark.parametrize(("rows", "axes", "mean"), [(0, AXES, 0.0), (3, (), 2.0)])
def test_without_rows_or_axes_a_forest_knows_the_mean_alone(rows, axes, mean):
    x = np.zeros((rows, len(axes)))
    forest = fit_forest(x, np.arange(1.0, rows + 1), axes, rng=np.random.default_rng(0))
    assert forest.trees == ()
    found, sd = forest.predict(np.zeros((2, len(axes))))
    assert found.tolist() == [mean, mean] and sd.tolist() == [0, 0]
    assert forest.predict_each(np.zeros((2, len(axes)))).shape == (0, 2)


def test_one_trial_is_one_leaf():
    forest = fit_forest(np.array([[0.5, 2.0, 3.0]]), np.array([7.0]), AXES, trees=2, rng=np.random.default_rng(0))
    assert [tree.values.tolist() for tree in forest.trees] == [[7.0], [7.0]]
    assert forest.trees[0].lower.tolist()[0][2] == -0.5 and forest.trees[0].upper.tolist() == [[3.0, 4.0, 5.5]]


def test_the_measure_of_a_grid_lies_on_its_points_and_that_of_a_line_along_it():
    assert WHOLE.share_below(np.array([0.0, 1.0, 2.5, 9.0])) == pytest.approx([0, 0.25, 0.5, 1])
    weighted = ForestAxis(key="w", low=0.0, high=1.0, grid=(0.0, 1.0), weights=(3.0, 1.0))
    assert weighted.share_below(np.array([-1.0, 0.5, 1.0])) == pytest.approx([0, 0.75, 1])
    assert LINE.share_below(np.array([-9.0, 0.0, 3.0])) == pytest.approx([0, 0.25, 1])
    assert KINDS.share_below(np.array([-0.5, 0.5, 5.5])) == pytest.approx([0, 1 / 6, 1])
