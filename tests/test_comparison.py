"""Arm against champion: which seeds count, which test is made, and when none can be."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from surefoot.comparison import (
    Noise,
    NoValue,
    compare,
    detectable_by,
    more_seeds,
    smallest_worthwhile,
    study_noise,
)
from surefoot.plan import Prediction, Rule
from surefoot.run import Metric
from surefoot.stats.noise import NO_PRIOR, Prior, paired_set

QUIET = Noise()
UNPAIRED = Noise(floor_sd=1.0, floor_n=8, correlation=0.05)
ARM, CHAMPION = (1.0, 2.5, 2.0, 4.0, 3.0), (0.5, 1.0, 2.5, 2.0, 2.0)


def test_pairs_are_compared_until_pairing_is_measured_not_to_help():
    assert Noise(correlation=None).is_paired
    assert Noise(correlation=0.11).is_paired
    assert not Noise(correlation=0.10).is_paired
    assert not Noise(correlation=-0.4).is_paired


def test_paired_seeds_are_tested_as_pairs():
    found = compare(ARM, CHAMPION, QUIET, 1).estimate(5)
    assert found.p_above() == pytest.approx(stats.ttest_rel(ARM, CHAMPION, alternative="greater").pvalue, rel=1e-12)


def test_unpaired_seeds_are_tested_as_two_samples():
    found = compare(ARM, CHAMPION, UNPAIRED, 1).estimate(5)
    wanted = stats.ttest_ind(ARM, CHAMPION, equal_var=False, alternative="greater").pvalue
    assert found.p_above() == pytest.approx(wanted, rel=1e-12)
    assert found.method == "Welch's t"


def test_a_minimised_metric_counts_the_other_way():
    up, down = compare(ARM, CHAMPION, QUIET, 1), compare(ARM, CHAMPION, QUIET, -1)
    assert down.estimate(5).mean == -up.estimate(5).mean
    assert down.estimate(5).p_above() == pytest.approx(up.estimate(5).p_below(), rel=1e-12)


@pytest.mark.parametrize("why", list(NoValue))
@pytest.mark.parametrize("place", [0, 1])
def test_a_pair_with_a_seed_missing_is_dropped(why, place):
    arms = [list(ARM), list(CHAMPION)]
    arms[place][2] = why
    found = compare(*arms, QUIET, 1)
    kept = [i for i in range(5) if i != 2]
    assert found.differences(5) == [ARM[i] - CHAMPION[i] for i in kept]
    assert found.estimate(5).n == 4
    assert found.correlation(5) == pytest.approx(
        np.corrcoef([ARM[i] for i in kept], [CHAMPION[i] for i in kept])[0, 1], rel=1e-12
    )


def test_two_samples_keep_the_partner_of_a_lost_seed():
    found = compare((NoValue.LOST, *ARM[1:]), CHAMPION, UNPAIRED, 1).estimate(5)
    wanted = stats.ttest_ind(ARM[1:], CHAMPION, equal_var=False, alternative="greater").pvalue
    assert found.p_above() == pytest.approx(wanted, rel=1e-12)


def test_seeds_that_only_one_arm_has_are_left_out():
    found = compare(ARM[:3], CHAMPION, QUIET, 1)
    assert found.size == 3
    assert found.champion == CHAMPION[:3]


def test_divergences_count_in_excess_of_the_champions():
    diverged, lost = NoValue.DIVERGED, NoValue.LOST
    assert compare((diverged, 1.0, diverged), (1.0, diverged, 1.0), QUIET, 1).excess_divergences(3) == 1
    assert compare((diverged, 1.0, diverged), (1.0, diverged, 1.0), QUIET, 1).excess_divergences(2) == 0
    assert compare((lost, lost), (1.0, 1.0), QUIET, 1).excess_divergences(2) == 0
    assert compare((1.0,), (diverged,), QUIET, 1).excess_divergences(1) == -1


@pytest.mark.parametrize("noise", [QUIET, UNPAIRED])
@pytest.mark.parametrize("n", [0, 1])
def test_one_seed_allows_no_test(n, noise):
    found = compare(ARM, CHAMPION, noise, 1)
    assert found.estimate(n) is None
    assert "fewer than two seeds" in found.untestable(n)


@pytest.mark.parametrize("noise", [QUIET, UNPAIRED])
@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_seeds_that_all_agree_measure_no_noise(noise, unit):
    found = compare([0.3 * unit] * 5, [0.2 * unit] * 5, noise, 1)
    assert found.estimate(5) is None
    assert "does the training use its seed?" in found.untestable(5)
    assert not found.is_identical(5)


def test_a_constant_difference_measures_no_noise_whatever_the_rounding():
    found = compare([v + 0.1 for v in (0.1, 0.2, 0.7)], (0.1, 0.2, 0.7), QUIET, 1)
    assert found.estimate(3) is None


def test_a_constant_difference_is_tested_where_the_past_measured_the_noise():
    prior = Prior(df=8.0, variance=0.01, sets=9)
    found = compare([0.3, 0.4], [0.2, 0.3], Noise(paired=prior), 1)
    assert found.untestable(2) == ""
    assert found.estimate(2).sd == pytest.approx(math.sqrt(8 * 0.01 / 9), rel=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.9])
def test_an_arm_that_changes_nothing_is_identical(value):
    found = compare([value, value + 1], [value, value + 1], QUIET, 1)
    assert found.is_identical(2)
    assert "nothing was changed" in found.untestable(2)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_small_and_large_units_are_tested_alike(unit):
    plain = compare(ARM, CHAMPION, QUIET, 1).estimate(5).p_above()
    scaled = compare([v * unit for v in ARM], [v * unit for v in CHAMPION], QUIET, 1).estimate(5).p_above()
    assert scaled == pytest.approx(plain, rel=1e-9)


def test_whole_numbers_are_metrics_too():
    found = compare((3, 4, 6), (1, 2, 2), QUIET, 1).estimate(3)
    assert found.p_above() == pytest.approx(stats.ttest_rel((3, 4, 6), (1, 2, 2), alternative="greater").pvalue)


def test_three_pairs_are_the_fewest_with_a_correlation():
    assert compare(ARM, CHAMPION, QUIET, 1).correlation(2) is None
    assert compare(ARM, (1.0,) * 5, QUIET, 1).correlation(5) is None
    assert compare(ARM, ARM, QUIET, 1).correlation(5) == pytest.approx(1.0)


def test_a_young_study_knows_its_floor_and_no_prior():
    found = study_noise([1.0, 2.0, 3.0])
    assert (found.floor_sd, found.floor_n, found.prior, found.correlation) == (1.0, 3, NO_PRIOR, None)
    assert found.difference_sd == pytest.approx(math.sqrt(2))
    assert study_noise([1.0]).difference_sd == 0.0


def test_a_grown_study_knows_how_much_its_pairs_share():
    rng = np.random.default_rng(3)
    common = rng.standard_normal(8)
    champion = (common + rng.standard_normal(8)).tolist()
    past = [paired_set((common + rng.standard_normal(8)).tolist(), champion) for _ in range(12)]
    found = study_noise(champion, past)
    assert found.is_paired and found.correlation > 0.2
    assert found.prior is found.paired and 2 <= found.prior.df <= 20
    assert found.difference_sd == pytest.approx(math.sqrt(2), rel=0.4)


def test_unpaired_noise_expects_the_difference_of_two_single_runs():
    found = Noise(floor_sd=0.5, floor_n=8, paired=Prior(df=5.0, variance=9.0), correlation=0.0)
    assert found.difference_sd == pytest.approx(0.5 * math.sqrt(2))


def test_what_is_worth_showing_is_the_users_then_the_predicted_then_a_quarter_of_the_noise():
    metric = Metric(name="m", goal="maximize", min_effect=0.3)
    predicted = Prediction(arm="a", metric="m", relation="better", by=0.7)
    assert smallest_worthwhile(metric, UNPAIRED, predicted) == 0.3
    assert smallest_worthwhile(Metric(name="m", goal="maximize"), UNPAIRED, predicted) == 0.7
    assert smallest_worthwhile(Metric(name="m", goal="maximize"), UNPAIRED) == 0.25


def test_the_seeds_still_needed_would_have_shown_the_effect():
    estimate = compare(ARM, CHAMPION, QUIET, 1).estimate(3)
    rule = Rule()
    detectable = detectable_by(estimate, rule.support_alpha)
    assert more_seeds(estimate, 10 * detectable, QUIET, rule) == 1
    assert more_seeds(estimate, 0.5 * detectable, QUIET, rule) > 1
    assert more_seeds(estimate, 0.0, QUIET, rule) is None
