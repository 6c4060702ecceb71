"""A sweep of a hundred runs claims what its choice is worth; the best of a hundred single values does not."""

from __future__ import annotations

import numpy as np
import pytest

NOISY = "hpobench__credit_g"
SWEEPS = 4


@pytest.fixture
def regret(hpo_bench):
    return pytest.importorskip("regret")


def test_a_run_is_worth_the_truth_on_average(regret):
    land = regret.problem(NOISY)
    even = (np.arange(1000) + 0.5) / 1000
    for config in (0, 17, 29_999):
        assert np.mean([land.run(config, seed) for seed in even]) == pytest.approx(land.truth[config])


def test_our_claim_is_near_the_truth_where_the_best_single_value_is_far_above(regret):
    found = [regret.sweeps(NOISY, [3, i]) for i in range(SWEEPS)]
    ours, shown = (
        sum(s[f"{side} claimed"] - s[f"{side} gain"] for s in found) for side in (regret.OURS, regret.OPTUNA)
    )
    assert abs(ours) < shown / 2


def test_a_sweep_is_repeatable(regret):
    land, seeds = regret.problem(NOISY), np.random.default_rng(1).random(2 * regret.RUNS)
    assert regret.ours(land, 5, seeds) == regret.ours(land, 5, seeds)
