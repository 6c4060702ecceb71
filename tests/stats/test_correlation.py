"""Spearman against scipy, and how often its interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from surefoot.errors import StatisticsError
from surefoot.stats.correlation import Correlation, mean_ranks, spearman

FEW_VALUES = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=30)


@given(FEW_VALUES)
def test_spearman_is_scipys_with_and_without_ties(pairs):
    x, y = np.array(pairs, dtype=float).T
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    ours, theirs = spearman(x, y), spearmanr(x, y)
    assert ours.rho == pytest.approx(theirs.statistic, abs=1e-12)
    # The last digit of a rho near 1 moves its p by a root of it.
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-7)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30))
def test_equal_values_share_their_mean_rank(values):
    assert mean_ranks(values).tolist() == rankdata(values).tolist()


def test_a_perfect_order_has_rho_one_and_p_zero():
    assert spearman([1, 2, 3, 4], [10, 20, 30, 1e300]) == Correlation(rho=1.0, p_value=0.0, n=4)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]).rho == -1.0


@pytest.mark.parametrize(("x", "y"), [([1, 2], [1, 2]), ([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [5, 5, 5])])
def test_no_correlation_of_two_pairs_or_of_a_constant(x, y):
    with pytest.raises(StatisticsError, match="a rank correlation needs"):
        spearman(x, y)


def test_an_interval_needs_five_pairs_and_stays_within_one():
    assert Correlation(rho=0.5, p_value=0.5, n=4).interval() is None
    low, high = Correlation(rho=1.0, p_value=0.0, n=5).interval()
    assert -1 < low < 0.9 and high == 1.0
    assert Correlation(rho=-1.0, p_value=0.0, n=5).interval() == (-high, -low)


def test_bonett_and_wrights_formula_by_hand():
    # z = atanh(.5) = .549306; error = sqrt(1.125 / 17) = .257248; z -+ 1.959964 * error.
    low, high = Correlation(rho=0.5, p_value=0.02, n=20).interval()
    assert (low, high) == pytest.approx((math.tanh(0.0451094), math.tanh(1.0535028)), abs=1e-6)


@pytest.mark.parametrize(("n", "r"), [(5, 0.6), (10, 0.0), (20, 0.6), (20, 0.9)])
def test_the_interval_covers_the_truth_about_95_times_in_100(n, r):
    rng = np.random.default_rng(n)
    truth = 6 / math.pi * math.asin(r / 2)
    x, noise = rng.standard_normal((2, 1000, n))
    y = r * x + math.sqrt(1 - r**2) * noise
    ends = [spearman(a, b).interval() for a, b in zip(x, y, strict=True)]
    covered = np.mean([low <= truth <= high for low, high in ends])
    assert 0.93 - 2 * math.sqrt(0.05 * 0.95 / 1000) <= covered
