"""A null search has a parameter called real no more often than stated; a real one among junk comes first."""

from __future__ import annotations

import importance_errors
from simulation import error_bound

NULLS, REALS = 24, 12


def test_nulls_are_seldom_called_real():
    count = importance_errors.studies(20, 0.0, "linear", "normal", False, NULLS, [1])
    assert count["any"] / NULLS <= error_bound(0.05, NULLS)


def test_a_real_parameter_comes_first_at_twenty_trials_and_junk_stays_junk():
    count = importance_errors.studies(20, 0.8, "linear", "normal", False, REALS, [2])
    assert count["first"] == REALS and count["real"] >= 0.8 * REALS
    assert count["junk"] / REALS <= error_bound(0.05, REALS)
    assert count["dead"] == 0
