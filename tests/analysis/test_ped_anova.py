"""PED-ANOVA against Optuna's evaluator, and what it says of nothing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from analysis_cases import table
from surefoot.analysis.ped_anova import best_of, density, ped_anova
from surefoot.analysis.view import view_of
from surefoot.parameter import Parameter
from surefoot.space import SearchSpace, boolean, choice, integer, real

SPACE = SearchSpace(
    parameters=(
        real("rate", 1e-4, 1.0, log=True),
        real("width", -2.0, 3.0),
        real("grid", 0.0, 1.0, step=0.125),
        integer("layers", 1, 9),
        integer("units", 4, 512, log=True),
        choice("kind", "a", "b", "c"),
        choice("batch", 8, 16, 64),
        boolean("cosine"),
    )
)


def drawn(parameter: Parameter, rng: np.random.Generator):
    return parameter.value_at(float(rng.random()))


def rows(n: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        config = {p.name: drawn(p, rng) for p in SPACE.parameters}
        worth = np.log(config["rate"]) ** 2 + config["layers"] * (config["kind"] == "b") - 2 * config["cosine"]
        found.append({**config, "loss": float(worth + rng.standard_normal())})
    return found


def distribution(parameter: Parameter):
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.kind == "bool":
        return CategoricalDistribution([False, True])
    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    if parameter.kind == "int":
        return IntDistribution(int(parameter.low), int(parameter.high), log=parameter.log)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log, step=parameter.step)


def optunas(trials: list[dict], goal: str, top: float) -> dict[str, float]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=goal)
    known = {p.name: distribution(p) for p in SPACE.parameters}
    for row in trials:
        params = {name: row[name] for name in known}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=known, value=row["loss"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its evaluator experimental
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=top)
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def ours(trials: list[dict], goal: str = "minimize", top: float = 0.1, seed: int = 0):
    view = view_of(table(trials, goal=goal, space=SPACE))
    return ped_anova(view.columns, view.gains, rng=np.random.default_rng(seed), top=top)


@pytest.mark.parametrize(
    ("n", "seed", "goal", "top"), [(12, 1, "minimize", 0.1), (60, 2, "maximize", 0.25), (300, 3, "minimize", 0.1)]
)
def test_shares_are_optunas(n, seed, goal, top):
    trials = rows(n, seed)
    found, known = ours(trials, goal, top), optunas(trials, goal, top)
    assert dict(zip(found.keys, found.shares, strict=True)) == pytest.approx(known, abs=1e-9)


def test_a_density_sums_to_one_and_never_to_nothing():
    counts = np.array([[0, 0, 7, 1, 0], [1, 0, 0, 0, 0], [3, 3, 3, 3, 3]])
    for is_choice in (True, False):
        found = density(counts, is_choice=is_choice)
        assert found.sum(axis=1) == pytest.approx(np.ones(3)) and found.min() > 0


def test_ties_with_the_last_of_the_best_are_among_the_best():
    assert best_of(np.array([1.0, 3.0, 3.0, 3.0, 2.0]), 0.2).tolist() == [False, True, True, True, False]
    assert not best_of(np.zeros(0), 0.1).size


def test_what_decides_is_found_and_what_does_not_is_not():
    found = ours(rows(300, 5))
    p = dict(zip(found.keys, found.p, strict=True))
    assert p["rate"] <= 0.05 < min(p["width"], p["grid"], p["batch"])
    assert np.all((found.intervals[:, 0] <= found.shares) & (found.shares <= found.intervals[:, 1]))


def test_shuffled_values_seldom_show_any_parameter():
    rng = np.random.default_rng(8)
    flagged = 0
    for i in range(40):
        trials = [{**row, "loss": float(rng.standard_normal())} for row in rows(30, 100 + i)]
        flagged += ours(trials).p.min() <= 0.05
    assert flagged <= 40 * 0.05 + 3 * np.sqrt(40 * 0.05 * 0.95)


def test_the_same_generator_gives_the_same_answer():
    trials = rows(40, 4)
    one, other = ours(trials, seed=3), ours(trials, seed=3)
    assert one.p.tolist() == other.p.tolist() and one.intervals.tolist() == other.intervals.tolist()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_trials_have_shares_and_no_p(n):
    found = ours(rows(n, 6))
    assert np.isfinite(found.shares).all() and np.isfinite(found.intervals).all()
    assert found.p.min() > 0.05 if n else True
