"""Shapes of curves: the document's example, detrending, jitter, the fall of the last quarter."""

import numpy as np
import pytest
from scipy import stats

from surefoot.diagnosis.shapes import Series, detrended_deviation, end_beside, jitter, late_fall


def series(values, steps=None):
    values = np.array(values, float)
    return Series(
        name="x", steps=np.arange(1, len(values) + 1.0) if steps is None else np.array(steps, float), values=values
    )


def test_a_straight_line_has_no_deviation_and_no_jitter():
    line = np.linspace(10, 90, 20)
    assert detrended_deviation(line) == pytest.approx(0, abs=1e-9)
    assert jitter(line) == pytest.approx(0, abs=1e-9)


def test_the_detrended_deviation_is_that_of_the_regressions_residuals():
    values = np.random.default_rng(1).normal(70, 5, 30) + np.arange(30)
    x = np.arange(30)
    fit = stats.linregress(x, values)
    rest = values - fit.intercept - fit.slope * x
    assert detrended_deviation(values) == pytest.approx(rest.std(ddof=1))


def test_jitter_finds_the_noise_on_a_smooth_course():
    rng = np.random.default_rng(2)
    course = 50 * np.exp(-np.arange(2000) / 400)
    assert jitter(course + rng.normal(0, 0.7, 2000)) == pytest.approx(0.7, rel=0.05)


def test_an_even_pace_brings_a_quarter_of_the_fall_in_the_last_quarter():
    share, errors = late_fall(np.linspace(2, 1, 101))
    assert share == pytest.approx(0.24, abs=0.011)
    assert errors > 100


def test_a_loss_that_has_settled_falls_no_more():
    values = 2 * np.exp(-np.arange(60) / 5)
    assert late_fall(values)[0] < 0.01


def test_the_end_is_the_mean_of_the_last_tenth():
    assert series(range(1, 41)).end == pytest.approx(np.mean([37, 38, 39, 40]))
    assert series([3.0]).end == 3.0
    assert series(range(200)).end == pytest.approx(np.mean(range(195, 200)))


def test_train_is_taken_where_validation_was_measured():
    train = series(range(1, 101))
    val = series([1, 1, 1, 1], steps=[10, 20, 30, 40])
    assert end_beside(train, val) == 40
