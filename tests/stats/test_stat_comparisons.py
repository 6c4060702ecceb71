"""Differences of two arms, against scipy and against their own symmetries."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from surefoot.errors import StatisticsError
from surefoot.stats.comparisons import (
    mean_estimate,
    moderated_variance,
    paired_difference,
    two_sample_difference,
)
from surefoot.stats.noise import NO_PRIOR, Prior

PRIOR = Prior(df=6.0, variance=0.8, sets=9)
values = st.lists(st.integers(-10_000, 10_000).map(lambda k: k / 64), min_size=3, max_size=9)


def oracle_samples():
    rng = np.random.default_rng(11)
    return [(rng.normal(0.3, 1.0, n), rng.normal(0.0, 2.0, n)) for n in (2, 3, 5, 8, 30)]


@pytest.mark.parametrize(("a", "b"), oracle_samples())
def test_without_a_prior_the_paired_test_is_scipys(a, b):
    found = paired_difference((a - b).tolist())
    wanted = stats.ttest_rel(a, b, alternative="greater")
    assert found.p_above() == pytest.approx(wanted.pvalue, rel=1e-12)
    assert found.df == wanted.df
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.interval() == pytest.approx((interval.low, interval.high), rel=1e-12)


@pytest.mark.parametrize(("a", "b"), oracle_samples())
def test_a_margin_moves_the_null(a, b):
    found = paired_difference((a - b).tolist())
    assert found.p_above(0.4) == pytest.approx(stats.ttest_1samp(a - b, 0.4, alternative="greater").pvalue, rel=1e-12)
    assert found.p_below(0.4) == pytest.approx(stats.ttest_1samp(a - b, 0.4, alternative="less").pvalue, rel=1e-12)


@pytest.mark.parametrize(("a", "b"), oracle_samples())
def test_without_a_prior_two_samples_are_welchs(a, b):
    found = two_sample_difference(a.tolist(), b[:-1].tolist() if len(b) > 2 else b.tolist())
    other = b[:-1] if len(b) > 2 else b
    wanted = stats.ttest_ind(a, other, equal_var=False, alternative="greater")
    assert found.p_above() == pytest.approx(wanted.pvalue, rel=1e-12)
    assert found.df == pytest.approx(wanted.df, rel=1e-12)
    interval = stats.ttest_ind(a, other, equal_var=False).confidence_interval(0.95)
    assert found.interval() == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_a_prior_of_no_variance_of_its_own_pools_two_samples_as_students_test():
    a, b = [1.0, 2.0, 4.0], [0.5, 0.1, 1.5]
    pooled = (np.var(a, ddof=1) + np.var(b, ddof=1)) / 2
    found = two_sample_difference(a, b, Prior(df=1e-9, variance=pooled))
    assert found.p_above() == pytest.approx(stats.ttest_ind(a, b, alternative="greater").pvalue, rel=1e-7)


def test_a_moderated_variance_is_the_weighted_mean_of_prior_and_sample():
    # Smyth (2004), eq. 7, by hand: (4 * 0.5 + 2 * 2.0) / 6 = 1.
    assert moderated_variance(2.0, 2, Prior(df=4.0, variance=0.5)) == (1.0, 6.0)
    assert moderated_variance(2.0, 2, NO_PRIOR) == (2.0, 2)


def test_a_moderated_test_by_hand():
    found = paired_difference([1.0, 2.0, 3.0], Prior(df=4.0, variance=2.5))
    # variance (4 * 2.5 + 2 * 1) / 6 = 2, error sqrt(2 / 3), t = 2 / sqrt(2 / 3) on 6 df.
    assert found.standard_error == pytest.approx(math.sqrt(2 / 3), rel=1e-15)
    assert found.p_above() == pytest.approx(stats.t.sf(2 / math.sqrt(2 / 3), 6), rel=1e-12)
    assert found.method == "paired moderated t"


@given(values, st.booleans())
def test_the_two_directions_share_one_probability(differences, has_prior):
    prior = PRIOR if has_prior else NO_PRIOR
    there, back = paired_difference(differences, prior), paired_difference([-d for d in differences], prior)
    assert there.p_above() + back.p_above() == pytest.approx(1.0, abs=1e-12)
    assert there.p_below() == pytest.approx(back.p_above(), abs=1e-12)


@given(values, values, st.booleans())
def test_two_samples_share_one_probability_too(a, b, has_prior):
    prior = PRIOR if has_prior else NO_PRIOR
    there, back = two_sample_difference(a, b, prior), two_sample_difference(b, a, prior)
    assert there.p_above() + back.p_above() == pytest.approx(1.0, abs=1e-12)


@given(values, st.randoms(use_true_random=False))
def test_the_order_of_the_seeds_does_not_matter(differences, random):
    shuffled = differences.copy()
    random.shuffle(shuffled)
    assert paired_difference(differences, PRIOR).p_above() == pytest.approx(
        paired_difference(shuffled, PRIOR).p_above(), rel=1e-12
    )


@given(values, values, st.integers(-100_000, 100_000))
def test_shifting_both_arms_changes_nothing(a, b, shift):
    n = min(len(a), len(b))
    plain = two_sample_difference(a[:n], b[:n])
    moved = two_sample_difference([v + shift for v in a[:n]], [v + shift for v in b[:n]])
    assert moved.p_above() == pytest.approx(plain.p_above(), rel=1e-7, abs=1e-12)


@given(values, st.sampled_from([1e-12, 1e-3, 1e12, 2.0**40]))
def test_the_unit_of_the_metric_does_not_matter(differences, unit):
    assume(len(set(differences)) > 1)
    plain = paired_difference(differences, PRIOR)
    scaled = paired_difference([d * unit for d in differences], PRIOR.scaled(unit**2))
    assert scaled.p_above() == pytest.approx(plain.p_above(), rel=1e-9)
    assert scaled.mean == pytest.approx(plain.mean * unit, rel=1e-9)


@pytest.mark.parametrize("few", [[], [1.0]])
def test_one_seed_says_nothing_of_the_noise(few):
    with pytest.raises(StatisticsError, match="at least two seeds"):
        paired_difference(few)
    with pytest.raises(StatisticsError, match="at least two seeds"):
        two_sample_difference(few, [1.0, 2.0])


@pytest.mark.parametrize(("a", "b"), oracle_samples())
def test_a_mean_alone_has_scipys_t_interval(a, b):
    found = mean_estimate(a.tolist())
    interval = stats.ttest_1samp(a, 0.0).confidence_interval(0.95)
    assert found.mean == pytest.approx(a.mean())
    assert found.interval() == pytest.approx((interval.low, interval.high), rel=1e-12)


def test_repeats_of_the_same_thing_lend_a_mean_their_degrees_of_freedom_but_not_their_level():
    found = mean_estimate([1.0, 2.0, 4.0], [101.0, 102.0, 104.0, 103.0])
    assert found.mean == pytest.approx(7 / 3)
    assert found.df == 5
    pooled = (2 * np.var([1, 2, 4], ddof=1) + 3 * np.var([1, 2, 4, 3], ddof=1)) / 5
    assert found.standard_error == pytest.approx(math.sqrt(pooled / 3))


def test_one_value_alone_has_no_degrees_of_freedom_and_none_has_no_mean():
    assert mean_estimate([1.0]).df == 0
    with pytest.raises(StatisticsError, match="at least one seed"):
        mean_estimate([])
