"""Groups against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import f_oneway, mannwhitneyu, ttest_ind

from surefoot.errors import StatisticsError
from surefoot.stats.groups import eta_squared, f_test, group, mann_whitney, split, welch_difference

A, B = np.array([1.0, 2.5, 3.0, 7.0]), np.array([2.0, 8.0, 9.5])


def test_a_group_is_what_numpy_says_of_it():
    found = group(A)
    assert (found.n, found.mean, found.median, found.low, found.high) == (4, A.mean(), 2.75, 1.0, 7.0)
    assert found.sd == pytest.approx(A.std(ddof=1), rel=1e-12)
    assert group(np.array([3.0])).sd is None
    with pytest.raises(StatisticsError, match="at least one value"):
        group(np.array([]))


def test_the_largest_floats_do_not_overflow():
    found = group(np.array([1e308, 1.5e308, -1e308]))
    assert found.mean == pytest.approx(0.5e308) and np.isfinite(found.sd)
    assert eta_squared(np.array([1e308, -1e308, 1e308]), np.array([0, 1, 0])) == pytest.approx(1)
    assert welch_difference(A * 1e300, B * 1e300).p_value == pytest.approx(welch_difference(A, B).p_value)


def test_groups_come_in_the_order_of_their_places_empty_ones_too():
    found = split(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2, 0, 2, 0]), 4)
    assert [some.tolist() for some in found] == [[2.0, 4.0], [], [1.0, 3.0], []]
    assert split(np.array([]), np.array([], dtype=np.int64), 0) == []


@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(0, 3)), min_size=3, max_size=20))
def test_eta_squared_is_the_explained_share_of_the_sum_of_squares(pairs):
    values, codes = np.array([v for v, _ in pairs]), np.array([c for _, c in pairs])
    assume(np.ptp(values) > 1e-6)
    means = {c: values[codes == c].mean() for c in set(codes.tolist())}
    between = sum((means[c] - values.mean()) ** 2 for c in codes.tolist())
    assert eta_squared(values, codes) == pytest.approx(between / ((values - values.mean()) ** 2).sum(), abs=1e-9)


def test_f_is_scipys_and_says_nothing_where_every_group_has_one_value():
    values, codes = np.concatenate([A, B]), np.array([0] * 4 + [1] * 3)
    assert f_test(values, codes) == pytest.approx(f_oneway(A, B).pvalue, rel=1e-9)
    assert f_test(values, np.arange(7)) == 1.0
    assert f_test(values, np.zeros(7, dtype=np.int64)) == 1.0


def test_welch_is_scipys():
    found, theirs = welch_difference(A, B), ttest_ind(A, B, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert found.mean == pytest.approx(A.mean() - B.mean())
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-9)


def test_mann_whitney_is_scipys_and_one_where_all_are_equal():
    assert mann_whitney(A, B) == mannwhitneyu(A, B).pvalue
    assert mann_whitney([1.0, 1.0], [1.0]) == 1.0
