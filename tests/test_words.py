"""Numbers are rounded by their own uncertainty and read like print."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.comparison import NoValue, numbers_in
from surefoot.words import (
    config_change,
    count,
    decimals_of,
    duration,
    listing,
    mean_and_spread,
    moment,
    number,
    p_value,
    sentence,
    signed,
    span,
)


@pytest.mark.parametrize(
    ("uncertainty", "decimals"),
    [(0.0072, 4), (0.4, 2), (1.2, 1), (12.0, 0), (420.0, 0), (0.0996, 2), (0.0995, 2), (0.00099, 5), (9.96, 0)],
)
def test_two_digits_of_the_uncertainty_are_kept(uncertainty, decimals):
    assert decimals_of(uncertainty) == decimals


@given(st.floats(1e-6, 99.0))
def test_the_shown_uncertainty_is_within_five_hundredths_of_itself(uncertainty):
    shown = float(f"{uncertainty:.{decimals_of(uncertainty)}f}")
    assert abs(shown - uncertainty) <= 0.051 * uncertainty


def test_nothing_is_rounded_by_an_uncertainty_that_is_not_there():
    assert decimals_of(None, 0.0, math.nan, math.inf) is None


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (-0.079, 3, "−0.079"),
        (-0.0001, 2, "0.00"),
        (832298, 0, "832,298"),
        (92.0, None, "92"),
        (0.30, None, "0.3"),
        (1e-12, None, "1e−12"),
        (5e-9, 11, "5.00e−09"),
        (3.2e12, 1, "3.20e+12"),
        (math.nan, 2, "NaN"),
        (-math.inf, 2, "−∞"),
    ],
)
def test_a_number_reads_like_print(value, decimals, text):
    assert number(value, decimals) == text


def test_a_difference_carries_its_sign_and_a_zero_none():
    assert signed(0.5, 1) == "+0.5" and signed(-0.5, 1) == "−0.5" and signed(0.001, 1) == "0.0"
    assert span((-0.094, -0.064), 3) == "−0.094 … −0.064"


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "< .001"),
        (0.00099, "< .001"),
        (0.012, ".012"),
        (0.0996, ".10"),
        (0.34, ".34"),
        (0.999, "> .99"),
        (None, ""),
    ],
)
def test_p_is_printed_as_papers_print_it(p, text):
    assert p_value(p) == text


def test_mean_and_spread_of_one_value_claims_no_spread():
    assert mean_and_spread([0.442]) == "0.442"
    assert mean_and_spread([]) == "–"
    assert mean_and_spread([0.5, 0.5]) == "0.5 ± 0"
    assert mean_and_spread([0.40, 0.44]) == "0.420 ± 0.028"


def test_values_that_are_missing_are_no_numbers():
    assert numbers_in((1.0, NoValue.DIVERGED, 2.0, NoValue.LOST)) == [1.0, 2.0]


def test_words_around_numbers():
    assert count(1, "run") == "1 run" and count(1204, "run") == "1,204 runs"
    assert listing(["a"]) == "a" and listing(["a", "b", "c"]) == "a, b and c" and listing([]) == ""
    assert duration(42) == "42 seconds" and duration(186) == "3.1 minutes" and duration(7200) == "2.0 hours"
    assert config_change({"norm": "none", "lr": 0.1}, {"norm": "batch", "lr": 0.1}) == "norm none → batch"
    assert moment("2026-01-02T14:02:11+00:00") == "2026-01-02 14:02 UTC" and moment("") == ""
    assert sentence("  the gain\n held ") == "The gain held." and sentence("") == ""
