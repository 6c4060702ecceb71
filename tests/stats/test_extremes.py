"""The best of n by luck, against the distributions of scipy, published constants and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from surefoot.errors import StatisticsError
from surefoot.stats.extremes import (
    chance_of_hits,
    chance_of_value,
    expected_largest,
    largest_binomial,
    largest_normal,
    many_to_one,
    range_of_normals,
)


def test_the_best_of_twenty_at_the_rate_of_the_majority_on_73_examples():
    lucky = largest_binomial(20, probability=21 / 73, examples=73)
    assert lucky.expected == pytest.approx(0.389, abs=5e-4)
    assert lucky.low == pytest.approx(0.342, abs=5e-4)
    assert lucky.high == pytest.approx(0.438, abs=5e-4)
    assert chance_of_hits(29, 1, probability=21 / 73, examples=73) == pytest.approx(0.029, abs=5e-4)
    assert chance_of_hits(29, 20, probability=21 / 73, examples=73) == pytest.approx(
        1 - (1 - 0.0288172) ** 20, rel=1e-4
    )


@pytest.mark.parametrize(("n", "p", "m"), [(1, 0.3, 10), (7, 0.5, 31), (500, 0.1, 10_000), (3, 0.0, 5), (3, 1.0, 5)])
def test_the_largest_binomial_is_what_its_distribution_says(n, p, m):
    counts = np.arange(m + 1)
    below = stats.binom.cdf(counts, m, p) ** n
    lucky = largest_binomial(n, probability=p, examples=m)
    probabilities = np.diff(below, prepend=0.0)
    assert lucky.expected == pytest.approx(float(counts @ probabilities) / m, abs=1e-9)
    for hits in (0, 1, m // 3, m):
        assert chance_of_hits(hits, n, probability=p, examples=m) == pytest.approx(
            1 - (stats.binom.cdf(hits - 1, m, p) ** n), abs=1e-9
        )


def test_a_fraction_of_a_hit_counts_as_the_next_and_none_as_certain():
    assert chance_of_hits(2.5, 4, probability=0.3, examples=9) == chance_of_hits(3, 4, probability=0.3, examples=9)
    assert chance_of_hits(0, 4, probability=0.3, examples=9) == 1.0
    assert chance_of_hits(10, 4, probability=0.3, examples=9) == 0.0


# Harter (1961), "Expected values of normal order statistics", Biometrika 48.
@pytest.mark.parametrize(
    ("n", "expected"), [(1, 0.0), (2, 0.56419), (3, 0.84628), (5, 1.16296), (10, 1.53875), (100, 2.50759)]
)
def test_the_expected_largest_normal_is_the_published_one(n, expected):
    assert expected_largest(n) == pytest.approx(expected, abs=5e-6)


def test_the_largest_normal_has_the_quantiles_of_its_distribution():
    lucky = largest_normal(10, mean=2.0, sd=3.0)
    assert lucky.high == pytest.approx(2 + 3 * stats.norm.ppf(0.95**0.1), abs=1e-7)
    assert lucky.low == pytest.approx(2 + 3 * stats.norm.ppf(0.05**0.1), abs=1e-7)
    assert lucky.expected == pytest.approx(2 + 3 * expected_largest(10))


@pytest.mark.parametrize("df", [1, 4, 30, 400])
def test_one_draw_with_an_estimated_deviation_is_students_t(df):
    assert largest_normal(1, df=df).high == pytest.approx(stats.t.ppf(0.95, df), rel=1e-7)
    assert chance_of_value(2.5, 1, mean=0.5, sd=1.0, df=df) == pytest.approx(stats.t.sf(2.0, df), rel=2e-3)
    assert many_to_one({1: 1}, 1, df=df) == pytest.approx(stats.t.ppf(0.95, df), rel=1e-7)


def test_the_best_of_many_with_an_estimated_deviation_is_what_a_simulation_gives():
    rng = np.random.default_rng(1)
    largest = rng.normal(size=(40_000, 12)).max(axis=1) / np.sqrt(rng.chisquare(4, 40_000) / 4)
    for value in (1.0, 2.5, 5.0):
        found = chance_of_value(value, 12, mean=0.0, sd=1.0, df=4)
        assert found == pytest.approx(float((largest >= value).mean()), abs=0.01)


# Dunnett (1955), table 1a: one-sided, .05.
@pytest.mark.parametrize(
    ("others", "df", "value"), [(2, 20, 2.03), (3, 20, 2.19), (5, 20, 2.39), (3, 10, 2.34), (3, math.inf, 2.06)]
)
def test_comparisons_with_one_have_dunnetts_critical_values(others, df, value):
    assert many_to_one({1: others}, 1, df=df) == pytest.approx(value, abs=0.006)


def test_unequal_groups_correlate_as_much_as_their_sizes_say():
    sizes, own = [1, 1, 3, 8], 2
    shared = np.sqrt([m / (m + own) for m in sizes])
    covariance = np.outer(shared, shared)
    np.fill_diagonal(covariance, 1.0)
    value = many_to_one({1: 2, 3: 1, 8: 1}, own, df=6)
    reached = stats.multivariate_t.cdf(np.full(4, value), shape=covariance, df=6, random_state=np.random.default_rng(0))
    assert reached == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize("n", [2, 8, 40])
def test_the_range_of_normals_is_tukeys(n):
    assert range_of_normals(n) == pytest.approx(stats.studentized_range.ppf(0.95, n, np.inf), rel=1e-7)


def test_no_draw_at_all_is_refused():
    with pytest.raises(StatisticsError, match="at least one; got 0"):
        expected_largest(0)
    with pytest.raises(StatisticsError, match=r"a probability from 0 to 1; got 5 and 1\.5"):
        largest_binomial(3, probability=1.5, examples=5)
