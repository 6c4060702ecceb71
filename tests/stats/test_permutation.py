"""Permutation tests against scipy's enumeration, and their error rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import f_oneway, permutation_test, spearmanr

from surefoot.errors import StatisticsError
from surefoot.stats import permutation
from surefoot.stats.groups import f_test
from surefoot.stats.permutation import group_means_test, mean_difference_test, rank_correlation_test


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def mean_difference(a, b, axis=-1):
    return a.mean(axis=axis) - b.mean(axis=axis)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=6))
def test_up_to_eight_pairs_every_order_is_counted(pairs):
    x, y = np.array(pairs, dtype=float).T
    assume(len(set(x)) > 1 and len(set(y)) > 1)
    ours = rank_correlation_test(x, y, rng=rng())
    # scipy pairs x anew with y in all orders; the two-sided p of ours compares absolute values.
    theirs = permutation_test(
        (x,), lambda a: abs(spearmanr(a, y).statistic), permutation_type="pairings", alternative="greater"
    )
    assert ours.method == "exact"
    assert ours.p_value == pytest.approx(theirs.pvalue, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=2, max_size=6),
    st.lists(st.integers(-5, 5), min_size=2, max_size=6),
    st.sampled_from(["two-sided", "greater"]),
)
def test_a_difference_of_means_is_enumerated_exactly(a, b, alternative):
    assume(len({*a, *b}) > 1)
    a, b = np.array(a, dtype=float), np.array(b, dtype=float)
    ours = mean_difference_test(a, b, rng=rng(), alternative=alternative)
    score = mean_difference if alternative == "greater" else lambda a, b, axis: abs(mean_difference(a, b, axis))
    theirs = permutation_test((a, b), score, n_resamples=np.inf, alternative="greater", vectorized=True)
    assert (ours.method, ours.p_value) == ("exact", pytest.approx(theirs.pvalue, abs=1e-9))


def test_one_value_against_many_is_exact_however_many():
    found = mean_difference_test([9.0], np.arange(700) / 700, rng=rng(), alternative="greater")
    assert (found.method, found.count, found.p_value) == ("exact", 701, 1 / 701)


def test_drawn_p_values_agree_with_students_t_and_fishers_f():
    x, y = rng(1).standard_normal((2, 60))
    y += 0.25 * x
    codes = np.arange(60) % 4
    drawn = rank_correlation_test(x, y, rng=rng(2))
    assert drawn.method == "drawn" and drawn.p_value == pytest.approx(spearmanr(x, y).pvalue, abs=0.015)
    f = group_means_test(y, codes, rng=rng(3))
    assert f.method == "drawn" and f.p_value == pytest.approx(f_test(y, codes), abs=0.015)
    assert f_test(y, codes) == pytest.approx(f_oneway(*(y[codes == i] for i in range(4))).pvalue, rel=1e-9)


def test_a_drawn_p_is_never_zero():
    x = np.arange(30.0)
    assert rank_correlation_test(x, x, rng=rng(), draws=99).p_value == 1 / 100


def test_the_same_seed_gives_the_same_p_in_chunks_of_any_size(monkeypatch):
    x, y = rng(1).standard_normal((2, 40))
    whole = rank_correlation_test(x, y, rng=rng(5), draws=500)
    monkeypatch.setattr(permutation, "CHUNK", 40 * 7)
    assert rank_correlation_test(x, y, rng=rng(5), draws=500) == whole


def test_beyond_500_values_approximations_stand_in_and_say_so():
    x, y = rng(1).standard_normal((2, 501))
    found = rank_correlation_test(x, y, rng=rng())
    assert (found.method, found.p_value) == ("approximate", pytest.approx(spearmanr(x, y).pvalue, rel=1e-9))
    codes = np.arange(501) % 3
    assert group_means_test(y, codes, rng=rng()).p_value == f_test(y, codes)
    a, b = y[:200] + 0.2, y[200:]
    one, two = (mean_difference_test(a, b, rng=rng(), alternative=s) for s in ("greater", "two-sided"))
    assert one.method == "approximate" and one.p_value == pytest.approx(two.p_value / 2)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1.0, 1e12, 1e300])
def test_a_p_value_has_no_unit(scale):
    values = np.array([1.0, 2.0, 3.0, 4.5, 6.0, 6.5, 8.0])
    codes = np.array([0, 0, 1, 1, 1, 2, 2])
    plain = group_means_test(values, codes, rng=rng())
    assert group_means_test(values * scale, codes, rng=rng()) == plain


def test_nothing_is_tested_on_equal_values_or_an_empty_group():
    with pytest.raises(StatisticsError, match="two different values"):
        mean_difference_test([1.0, 1.0], [1.0], rng=rng())
    with pytest.raises(StatisticsError, match="in either group"):
        mean_difference_test([1.0, 2.0], [], rng=rng())
    with pytest.raises(StatisticsError, match="two groups; got 1"):
        group_means_test(np.array([1.0, 2.0]), np.array([3, 3]), rng=rng())


def test_of_a_hundred_nulls_about_five_fall_below_5_percent():
    found = rng(4)
    values = np.exp(found.standard_normal((400, 14)))
    codes = np.array([0] * 8 + [1] * 4 + [2] * 2)
    p = np.array([group_means_test(some, codes, rng=found, draws=199).p_value for some in values])
    assert 0.02 <= (p <= 0.05).mean() <= 0.08
