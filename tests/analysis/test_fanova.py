"""Variance shares equal an integration over every cell, on any space; known functions get their known shares."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import optuna
import pytest
from scipy.stats import spearmanr

from analysis_cases import rows_of, view
from surefoot.analysis import fanova
from surefoot.analysis.fanova import main_marginal, pair_marginal, pair_marginal_at, variance_shares
from surefoot.analysis.forest import ForestAxis, fit_forest
from surefoot.analysis.strata import encoded, strata_of
from surefoot.space import SearchSpace, boolean, choice, integer, real

LINE = ForestAxis(key="line", low=-1.0, high=3.0)
COARSE = ForestAxis(key="coarse", low=1.0, high=8.0, grid=(1.0, 2.0, 3.0, 5.0, 8.0), level_count=5)
KINDS = ForestAxis(key="kinds", is_choice=True, level_count=5)


def cells(axis, splits):
    """A point in every cell of an axis, and the cells' shares; the splits are those of scikit-learn's tree."""
    if axis.is_choice:
        return np.arange(axis.level_count, dtype=float), np.full(axis.level_count, 1 / axis.level_count)
    if axis.grid:
        weights = np.array(axis.weights or [1.0] * len(axis.grid))
        return np.array(axis.grid), weights / weights.sum()
    raw = axis.low + (axis.high - axis.low) * splits
    edges = np.unique([axis.low, *raw[(raw > axis.low) & (raw < axis.high)], axis.high])
    return (edges[:-1] + edges[1:]) / 2, np.diff(edges) / (axis.high - axis.low)


def tables(forest):
    """For every tree its prediction in each cell of the whole ground, and the axes' shares: no boxes in it."""
    for number, tree in enumerate(forest.grown):
        found = [cells(axis, tree.threshold[tree.feature == j]) for j, axis in enumerate(forest.axes)]
        points = np.array(list(itertools.product(*(at for at, _ in found))))
        values = forest.predict_each(points)[number].reshape([len(at) for at, _ in found])
        yield values, [shares for _, shares in found]


def averaged(values, shares, kept):
    """The mean over all axes but the kept ones, which stay."""
    for axis in reversed(range(values.ndim)):
        if axis not in kept:
            values = np.tensordot(values, shares[axis], axes=(axis, 0))
    return values


def explained(values, shares, kept):
    """The variance of the marginal over the kept axes."""
    marginal = averaged(values, shares, kept)
    weights = np.ones(())
    for axis in kept:
        weights = np.multiply.outer(weights, shares[axis])
    mean = (weights * marginal).sum()
    return (weights * (marginal - mean) ** 2).sum()


def integrated(forest):
    """Shares of every set of axes, by the definition, per tree that varies; a dict from set to share a tree."""
    every = range(len(forest.axes))
    found = []
    for values, shares in tables(forest):
        total = explained(values, shares, tuple(every))
        if total < 1e-20:
            continue
        parts = {}
        for size in range(1, len(forest.axes) + 1):
            for kept in itertools.combinations(every, size):
                below = sum(part for inner, part in parts.items() if set(inner) < set(kept))
                parts[kept] = explained(values, shares, kept) / total - below
        found.append(parts)
    return found


def assert_equal_to_integration(forest):
    pairs = list(itertools.combinations(range(len(forest.axes)), 2))
    shares, wanted = variance_shares(forest, pairs), integrated(forest)
    for t, parts in enumerate(wanted):
        for j in range(len(forest.axes)):
            assert shares.per_tree_mains[t, j] == pytest.approx(parts[j,], abs=1e-9)
        for k, pair in enumerate(pairs):
            assert shares.per_tree_pairs[t, k] == pytest.approx(parts[pair], abs=1e-9)
    assert len(wanted) == len(shares.per_tree_mains)
    assert shares.mains == pytest.approx(shares.per_tree_mains.mean(axis=0))
    return shares, wanted


def made(axes, n, seed, trees=4):
    """A forest on points drawn from the axes, with values that no parameter explains alone."""
    rng = np.random.default_rng(seed)
    x = np.stack([_drawn(axis, n, rng) for axis in axes], axis=1)
    effects = [rng.normal(size=9) for _ in axes]
    scaled = [(x[:, j] - x[:, j].min()) / (np.ptp(x[:, j]) or 1) * 8 for j in range(len(axes))]
    y = sum(effect[column.astype(int)] for effect, column in zip(effects, scaled, strict=True))
    y = y + 2 * np.prod(np.sin(scaled), axis=0) + rng.normal(size=n) * 0.1
    return fit_forest(x, y, axes, trees=trees, rng=rng)


def _drawn(axis, n, rng):
    if axis.is_choice:
        return rng.integers(0, axis.level_count, n).astype(float)
    return rng.choice(axis.grid, n) if axis.grid else rng.uniform(axis.low, axis.high, n)


@pytest.mark.parametrize("seed", range(12))
def test_shares_equal_an_integration_over_every_cell_on_random_grounds(seed):
    rng = np.random.default_rng([7, seed])
    axes = [(LINE, COARSE, KINDS)[i] for i in rng.integers(0, 3, rng.integers(1, 5))]
    assert_equal_to_integration(made(axes, int(rng.integers(3, 24)), seed))


@pytest.mark.parametrize("seed", range(4))
def test_shares_equal_an_integration_on_spaces_with_logarithms_choices_and_conditions(seed):
    space = SearchSpace(
        parameters=(
            choice("optimizer", "sgd", "adam", "lion"),
            real("lr", 1e-5, 1e-1, log=True),
            integer("width", 1, 64, log=True),
            boolean("nesterov", when={"optimizer": ("sgd", "lion")}),
            real("momentum", 0.0, 0.99, when={"optimizer": "sgd"}),
        )
    )
    rng = np.random.default_rng([8, seed])
    rows = []
    for _ in range(36):
        row = {"optimizer": str(rng.choice(["sgd", "adam", "lion"])), "lr": 10 ** rng.uniform(-5, -1)}
        row["width"] = int(2 ** rng.uniform(0, 6))
        if row["optimizer"] != "adam":
            row["nesterov"] = bool(rng.integers(2))
        if row["optimizer"] == "sgd":
            row["momentum"] = rng.uniform(0, 0.99)
        row["loss"] = (np.log10(row["lr"]) + 3) ** 2 * (1 + row.get("momentum", 0)) + len(row["optimizer"])
        rows.append(row)
    seen = view(rows, space=space)
    strata = strata_of(seen)
    assert [s.condition for s in strata] == ["", "optimizer is sgd or lion", "optimizer is sgd"]
    for stratum in strata:
        x, axes = encoded(stratum, seen)
        assert_equal_to_integration(fit_forest(x, seen.gains[stratum.rows], axes, trees=3, rng=rng))


def test_two_mains_and_their_pair_are_the_whole_of_two_axes():
    shares, _ = assert_equal_to_integration(made([LINE, KINDS], 30, 1))
    assert shares.mains.sum() + shares.pairs.sum() == pytest.approx(1, abs=1e-9)


def test_mains_pairs_and_the_triple_are_the_whole_of_three_axes():
    shares, wanted = assert_equal_to_integration(made([LINE, COARSE, KINDS], 30, 2))
    triple = np.mean([parts[0, 1, 2] for parts in wanted])
    assert triple > 0.01
    assert shares.mains.sum() + shares.pairs.sum() + triple == pytest.approx(1, abs=1e-9)


def test_the_total_is_the_mean_variance_of_the_trees_in_the_units_of_the_values():
    forest = made([LINE, KINDS], 30, 3)
    wanted = np.mean([explained(values, shares, (0, 1)) for values, shares in tables(forest)])
    assert variance_shares(forest).total == pytest.approx(wanted)


def test_marginals_equal_the_averages_of_an_integration():
    forest = made([LINE, COARSE, KINDS], 30, 4, trees=3)
    kinds, coarse = np.arange(5.0), np.array(COARSE.grid)
    found = [(averaged(v, s, (2,)), averaged(v, s, (1, 2))) for v, s in tables(forest)]
    mean, sd = main_marginal(forest, 2, kinds)
    assert mean == pytest.approx(np.mean([line for line, _ in found], axis=0))
    assert sd == pytest.approx(np.std([line for line, _ in found], axis=0))
    mean, sd = pair_marginal(forest, 1, 2, coarse, kinds)
    assert mean.shape == (5, 5)
    assert mean == pytest.approx(np.mean([sheet.T for _, sheet in found], axis=0))
    assert sd == pytest.approx(np.std([sheet.T for _, sheet in found], axis=0))
    assert pair_marginal(forest, 2, 1, kinds, coarse)[0] == pytest.approx(mean.T)
    single, spread = pair_marginal_at(forest, 1, 2, coarse, kinds)
    assert single == pytest.approx(np.diag(mean)) and spread == pytest.approx(np.diag(sd))


def test_a_place_beyond_the_range_has_the_marginal_of_the_edge():
    forest = made([LINE, KINDS], 30, 5)
    mean, _ = main_marginal(forest, 0, np.array([-50.0, -1.0, 3.0, 50.0]))
    assert mean[0] == mean[1] and mean[2] == mean[3]


def test_neither_shift_nor_scale_nor_sign_of_the_values_changes_a_share():
    rng = np.random.default_rng(6)
    x = np.stack([rng.uniform(-1, 3, 60), rng.integers(0, 5, 60)], axis=1)
    # Whole numbers, so that shifting and scaling rounds nothing and no tie of two splits falls otherwise.
    y = np.round(x[:, 0] * 9) * np.array([3.0, 1, 4, 1, 5])[x[:, 1].astype(int)]
    plain, moved, tiny = (
        variance_shares(fit_forest(x, values, [LINE, KINDS], rng=np.random.default_rng(1)), [(0, 1)])
        for values in (y, 4096 * y + 65536, -y / 2**40)
    )
    for other in (moved, tiny):
        assert other.mains == pytest.approx(plain.mains, abs=0.01)
        assert other.pairs == pytest.approx(plain.pairs, abs=0.01)
    assert moved.total == pytest.approx(4096**2 * plain.total, rel=0.02)


def test_values_of_any_size_have_shares():
    rng = np.random.default_rng(7)
    x = rng.uniform(-1, 3, (40, 2))
    for size in (1e-200, 1e-3, 1e150, 1e300):
        shares = variance_shares(fit_forest(x, size * x[:, 0], [LINE, LINE], trees=8, rng=rng), [(0, 1)])
        assert shares.mains[0] > 0.9


def test_an_additive_function_has_its_known_shares_and_no_pair():
    rng = np.random.default_rng(8)
    unit = [ForestAxis(key="a"), ForestAxis(key="b"), ForestAxis(key="c")]
    x = rng.random((3000, 3))
    shares = variance_shares(fit_forest(x, 2 * x[:, 0] + x[:, 1], unit, trees=8, rng=rng), [(0, 1)])
    assert shares.mains == pytest.approx([0.8, 0.2, 0.0], abs=0.01)
    assert shares.pairs[0] < 0.005


def test_an_exclusive_or_is_all_pair():
    rng = np.random.default_rng(9)
    both = [ForestAxis(key="a", is_choice=True, level_count=2), ForestAxis(key="b", is_choice=True, level_count=2)]
    x = rng.integers(0, 2, (200, 2)).astype(float)
    shares = variance_shares(fit_forest(x, np.logical_xor(*x.T).astype(float), both, rng=rng), [(0, 1)])
    assert shares.mains == pytest.approx([0, 0], abs=1e-9)
    assert shares.pairs == pytest.approx([1])


def test_levels_count_alike_however_often_each_was_tried():
    rng = np.random.default_rng(10)
    axis = ForestAxis(key="c", is_choice=True, level_count=2)
    x = np.array([0.0] * 95 + [1.0] * 5)[:, None]
    shares = variance_shares(fit_forest(x, x[:, 0], [axis], rng=rng))
    assert shares.total == pytest.approx(0.25 * len(shares.per_tree_mains) / 64)


@pytest.mark.parametrize("y", [[], [3.0], [2.0, 2.0], [0.1] * 30, [1e300] * 4])
def test_without_variance_every_share_is_nought(y):
    rng = np.random.default_rng(11)
    x = rng.uniform(-1, 3, (len(y), 2))
    forest = fit_forest(x, np.array(y), [LINE, LINE], rng=rng)
    shares = variance_shares(forest, [(0, 1)])
    assert shares.mains.tolist() == [0, 0] and shares.pairs.tolist() == [0] and shares.total == 0
    assert shares.per_tree_mains.shape == (0, 2) and shares.per_tree_pairs.shape == (0, 1)
    mean, sd = main_marginal(forest, 0, np.array([0.0, 1.0]))
    assert mean == pytest.approx([y[0] if y else 0.0] * 2) and sd == pytest.approx([0.0, 0.0])
    assert pair_marginal(forest, 0, 1, np.zeros(3), np.zeros(2))[0].shape == (2, 3)


def test_two_trials_and_a_constant_parameter_have_shares():
    fixed = ForestAxis(key="fixed", low=2.0, high=2.0)
    forest = fit_forest(np.array([[0.0, 2.0], [1.0, 2.0]]), np.array([1.0, 5.0]), [LINE, fixed], rng=_rng())
    assert variance_shares(forest, [(0, 1)]).mains == pytest.approx([1, 0])


def test_what_lies_outside_the_declared_range_explains_nothing():
    x = np.array([[0.0], [1.0], [50.0], [60.0]])
    shares = variance_shares(fit_forest(x, np.array([1.0, 1.0, 5.0, 9.0]), [LINE], rng=_rng()))
    assert shares.mains.tolist() == [0.0] and shares.total == 0


def test_shares_rank_as_those_of_optuna_on_the_same_trials():
    # Theirs takes a logarithmic scale for a linear one and a choice for numbers of 0 to 1, so that only the order and
    # about the size can agree.
    space = {
        "decade": optuna.distributions.FloatDistribution(-5, -1),
        "dropout": optuna.distributions.FloatDistribution(0, 0.5),
        "layers": optuna.distributions.IntDistribution(1, 8),
        "optimizer": optuna.distributions.CategoricalDistribution(["sgd", "adam", "lion"]),
    }
    rng = np.random.default_rng(12)
    settings = {
        "decade": rng.uniform(-5, -1, 80),
        "dropout": rng.uniform(0, 0.5, 80),
        "layers": rng.integers(1, 9, 80),
        "optimizer": rng.choice(["sgd", "adam", "lion"], 80),
    }
    loss = (settings["decade"] + 3) ** 2 + 2 * (settings["optimizer"] == "sgd") + 0.15 * settings["layers"]
    rows = rows_of(loss.tolist(), **{name: column.tolist() for name, column in settings.items()})
    study = optuna.create_study()
    for row in rows:
        params = {name: row[name] for name in space}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=space, value=row["loss"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=16, seed=1)
        theirs = optuna.importance.get_param_importances(study, evaluator=evaluator, normalize=False)
    ours = SearchSpace(
        parameters=(
            real("decade", -5.0, -1.0),
            real("dropout", 0.0, 0.5),
            integer("layers", 1, 8),
            choice("optimizer", "sgd", "adam", "lion"),
        )
    )
    seen = view(rows, space=ours)
    x, axes = encoded(strata_of(seen)[0], seen)
    mains = variance_shares(fit_forest(x, seen.gains, axes, rng=_rng())).mains
    assert spearmanr(mains, [theirs[axis.key] for axis in axes]).statistic == pytest.approx(1)
    assert mains == pytest.approx([theirs[axis.key] for axis in axes], abs=0.05)


def _rng():
    return np.random.default_rng(1)


def test_few_leaves_taken_together_say_what_many_say_pair_by_pair(monkeypatch):
    rng = np.random.default_rng(3)
    axes = [ForestAxis(key="a"), ForestAxis(key="b", is_choice=True, level_count=4), ForestAxis(key="c")]
    x = np.stack([rng.random(80), rng.integers(0, 4, 80), rng.random(80)], axis=1)
    forest = fit_forest(x, x[:, 0] * x[:, 1] + rng.normal(size=80), axes, trees=6, rng=rng)
    pairs = [(0, 1), (2, 0), (1, 2)]
    together = variance_shares(forest, pairs).per_tree_pairs
    monkeypatch.setattr(fanova, "FEW_LEAVES", 0)
    assert variance_shares(forest, pairs).per_tree_pairs == pytest.approx(together, rel=1e-9)
    assert together.min() > 0
