"""Null arms err no more often than stated; a rule that peeks and a naive one fail the same bound."""

from __future__ import annotations

import pytest

import error_rates
from simulation import error_bound, summed

STUDIES = 1000
STRICT, LOOSE = error_bound(0.05, STUDIES), error_bound(0.20, STUDIES)


@pytest.mark.parametrize("looks", [(3,), (3, 5, 8)])
@pytest.mark.parametrize(("correlation", "shape"), [(0.0, "normal"), (0.5, "t3"), (0.8, "log-normal")])
def test_null_arms_are_supported_adopted_and_claimed_no_more_often_than_stated(looks, correlation, shape):
    count = error_rates.null_studies(looks, correlation, shape, STUDIES, [1])
    assert count["supported"] / STUDIES <= STRICT
    assert count["claimed"] / STUDIES <= STRICT
    assert max(count["adopted"], count["raced"], count["screened"]) / STUDIES <= LOOSE
    assert count["both"] / STUDIES <= error_bound(0.01, STUDIES)


def test_seeds_added_after_the_race_change_nothing_and_peeking_fails_the_bound():
    count = error_rates.stopping_paths(STUDIES, [2])
    assert count["changed"] == 0 and count["added"] == count["raced"]
    assert count["raced"] / STUDIES <= STRICT
    assert count["repeated"] / STUDIES <= error_bound(0.075, STUDIES)
    assert count["peeked"] / STUDIES > STRICT


def test_a_divergence_is_caught_by_its_gate():
    count = error_rates.lopsided_arms(0.2, 300, [3])
    assert count["gated"] / 300 > 0.5
    assert count["claimed"] / 300 <= count["diverged"] / 300


@pytest.mark.parametrize("looks", [(3,), (3, 5, 8)])
def test_real_repeats_of_the_same_code_are_not_told_apart(repeated_runs, looks):
    count = error_rates.real_studies(looks, STUDIES, [4])
    assert count["supported"] / STUDIES <= STRICT + error_rates.REAL_SLACK
    assert count["claimed"] / STUDIES <= STRICT + error_rates.REAL_SLACK
    assert max(count["adopted"], count["raced"]) / STUDIES <= LOOSE + error_rates.REAL_SLACK


def test_pairing_is_found_not_to_help_between_unrelated_runs(repeated_runs):
    assert error_rates.real_studies((3, 5, 8), 300, [5])["is_paired"] / 300 < 0.5


def test_the_naive_rule_fails_on_real_repeats(repeated_runs):
    naive = summed([error_rates.real_studies((3,), 1000, [6, k]) for k in range(2)])["naive"] / 2000
    assert naive > error_bound(0.05, 2000) + error_rates.REAL_SLACK
