"""Priors and pair correlations, against Smyth's formulas and by recovering known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import digamma, polygamma

from surefoot.errors import StatisticsError
from surefoot.stats.noise import (
    NO_PRIOR,
    PRIOR_DF_CAP,
    PairedSet,
    Prior,
    _trigamma_inverse,
    estimate_prior,
    pair_correlation,
    paired_set,
    pooled_variance,
    sample_variance,
)


def drawn_variances(d0: float, s0_squared: float, df: int, sets: int, seed: int) -> list[float]:
    rng = np.random.default_rng(seed)
    truth = d0 * s0_squared / rng.chisquare(d0, sets) if math.isfinite(d0) else np.full(sets, s0_squared)
    return (truth * rng.chisquare(df, sets) / df).tolist()


@pytest.mark.parametrize(("d0", "df"), [(6.0, 4), (6.0, 7), (10.0, 7)])
def test_a_known_prior_is_recovered_from_many_sets(d0, df):
    found = estimate_prior(drawn_variances(d0, 0.25, df, 4000, seed=3), [df] * 4000)
    assert found.df == pytest.approx(d0, rel=0.15)
    assert found.variance == pytest.approx(0.25, rel=0.06)


def test_the_estimate_is_smyths_formula_by_hand():
    # The excess is positive, and the wider one still leaves five degrees of freedom.
    variances, df = [0.333, 0.765, 0.236, 1.37, 0.435, 0.881], 7.0
    e = np.log(variances) - digamma(df / 2) + math.log(df / 2)
    excess = e.var(ddof=1) - polygamma(1, df / 2)
    found = estimate_prior(variances, [df] * 6)
    careful = excess + e.var(ddof=1) * math.sqrt(2 / 5)
    assert polygamma(1, found.df / 2) == pytest.approx(careful, rel=1e-9)
    half = _trigamma_inverse(excess)
    assert found.variance == pytest.approx(math.exp(e.mean() + digamma(half) - math.log(half)), rel=1e-9)
    assert found.sets == 6


@pytest.mark.parametrize("y", [1e-8, 1e-3, 0.1, 1.0, 7.5, 1e4, 1e9])
def test_trigamma_is_inverted(y):
    assert polygamma(1, _trigamma_inverse(y)) == pytest.approx(y, rel=1e-4 if y > 1e7 else 1e-6)


def test_equal_variances_give_their_pool_and_no_more_than_the_cap():
    found = estimate_prior([0.5] * 10, [7.0] * 10)
    assert found == Prior(df=PRIOR_DF_CAP, variance=pytest.approx(0.5), sets=10)


def test_a_prior_is_worth_no_more_than_the_seeds_it_came_from():
    assert estimate_prior([0.5] * 5, [2.0] * 5).df == 10.0
    # Five differences from one champion are worth 3 * (5 * df) / (5 + 4), and 10 / 3 is too few to use.
    assert estimate_prior([0.5] * 5, [2.0] * 5, shares_champion=True) == NO_PRIOR
    assert estimate_prior([0.5] * 5, [4.0] * 5, shares_champion=True).df == pytest.approx(20 / 3)


def test_differences_from_one_champion_are_worth_what_the_formula_says():
    rng = np.random.default_rng(8)
    champion, arms = rng.standard_normal((4000, 1, 5)), rng.standard_normal((4000, 12, 5))
    variances = (arms - champion).var(axis=2, ddof=1)
    mean_of_13 = variances.mean(axis=1)
    worth = 2 * mean_of_13.mean() ** 2 / mean_of_13.var()
    assert worth == pytest.approx(12 * 4 / (1 + 11 / 4), rel=0.12)


@pytest.mark.parametrize("sets", [0, 1, 4])
def test_fewer_than_five_sets_are_no_prior(sets):
    assert estimate_prior([0.5] * sets, [4.0] * sets) == NO_PRIOR


def test_sets_without_spread_are_left_out():
    assert estimate_prior([0.0] * 20, [4.0] * 20) == NO_PRIOR
    assert estimate_prior([0.5] * 5 + [0.0] * 3, [4.0] * 8).sets == 5


def test_wildly_different_variances_foretell_nothing():
    assert estimate_prior([1e-6, 1e-3, 1.0, 1e3, 1e6], [4.0] * 5) == NO_PRIOR


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_the_unit_of_the_metric_moves_only_the_variance(unit):
    variances = drawn_variances(6.0, 1.0, 4, 20, seed=2)
    plain, scaled = estimate_prior(variances, [4.0] * 20), estimate_prior([v * unit for v in variances], [4.0] * 20)
    assert scaled.df == pytest.approx(plain.df, rel=1e-6)
    assert scaled.variance == pytest.approx(plain.variance * unit, rel=1e-6)


def test_a_variance_is_numpys_even_far_from_zero():
    values = [1e12 + k for k in (0.0, 1.0, 5.0)]
    assert sample_variance(values) == pytest.approx(np.var([0.0, 1.0, 5.0], ddof=1), rel=1e-12)
    with pytest.raises(StatisticsError, match="at least two seeds; got 1"):
        sample_variance([1.0])


def test_pooled_variances_weigh_by_their_degrees_of_freedom():
    assert pooled_variance([1.0, 4.0], [2, 1]) == 2.0
    assert pooled_variance([], []) == 0.0


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_correlation_of_pairs_is_recovered(rho):
    rng = np.random.default_rng(7)
    sets = []
    for _ in range(2000):
        common = math.sqrt(rho) * rng.standard_normal(5)
        a, b = (common + math.sqrt(1 - rho) * rng.standard_normal(5) for _ in range(2))
        sets.append(paired_set(a.tolist(), b.tolist()))
    assert pair_correlation(sets) == pytest.approx(rho, abs=0.03)
    assert np.mean([s.variance_of_difference for s in sets]) == pytest.approx(2 * (1 - rho), rel=0.05)


def test_the_correlation_of_one_set_is_numpys():
    a, b = [1.0, 2.0, 4.0, 3.0, 9.0, 1.0, 1.0, 0.0, 4.0], [2.0, 1.0, 4.0, 4.0, 7.0, 0.0, 2.0, 0.0, 1.0]
    assert pair_correlation([paired_set(a, b)]) == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-12)


def test_few_pairs_do_not_speak_of_correlation():
    pairs = paired_set([1.0, 2.0, 3.0], [1.0, 2.0, 3.5])
    assert pair_correlation([pairs] * 3) is None
    assert pair_correlation([pairs] * 4) is not None


def test_arms_without_spread_have_no_correlation():
    flat = PairedSet(variance_a=0.0, variance_b=1.0, covariance=0.0, df=9)
    assert pair_correlation([flat]) is None


def test_a_constant_difference_has_no_variance_whatever_the_rounding():
    a = [0.1, 0.2, 0.7, 0.35]
    assert paired_set([v + 0.1 for v in a], a).variance_of_difference == 0.0


def test_pairs_must_match():
    with pytest.raises(StatisticsError, match="equal length"):
        paired_set([1.0, 2.0], [1.0])
