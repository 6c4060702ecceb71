"""Intervals of shares, against scipy, and the bootstrap's refusal of small samples."""

from __future__ import annotations

import pytest
from scipy import stats

from surefoot.stats.intervals import bound_after_none, share_interval


@pytest.mark.parametrize(("hits", "n"), [(h, n) for n in (1, 2, 5, 8, 30) for h in range(0, n + 1, max(1, n // 3))])
def test_the_interval_of_a_share_is_clopper_and_pearsons(hits, n):
    wanted = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    assert share_interval(hits, n) == pytest.approx((wanted.low, wanted.high), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("n", "bound"), [(3, 0.63), (5, 0.45), (8, 0.31), (10, 0.26)])
def test_seeds_without_a_failure_bound_its_probability_only_so_far(n, bound):
    assert bound_after_none(n) == pytest.approx(bound, abs=0.005)
    assert (1 - bound_after_none(n)) ** n == pytest.approx(0.05, rel=1e-12)
