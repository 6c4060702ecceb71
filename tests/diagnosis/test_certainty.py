"""How much of an effect could be noise: binomial errors, pooling, chi-square; against published and scipy's figures."""

import numpy as np
import pytest
from scipy import stats

from surefoot.diagnosis.certainty import accuracy_error, beyond_noise, confidence, gap_error, pooled


@pytest.mark.parametrize(("n", "error"), [(5000, "0.57"), (500, "1.8"), (100, "4.0")])
def test_the_standard_error_at_80_percent_is_the_documents(n, error):
    decimals = len(error.split(".")[1])
    assert f"{accuracy_error(80, n):.{decimals}f}" == error


def test_the_standard_error_is_what_simulated_splits_spread_by():
    drawn = 100 * np.random.default_rng(0).binomial(200, 0.7, 20_000) / 200
    assert accuracy_error(70, 200) == pytest.approx(drawn.std(), rel=0.02)


def test_a_perfect_accuracy_is_not_sure_of_itself():
    assert 0 < accuracy_error(100, 50) < 3
    assert accuracy_error(100, 50) == pytest.approx(accuracy_error(0, 50))


def test_the_gap_has_the_errors_of_both_splits():
    both = gap_error(90, 1000, 80, 500)
    assert both == pytest.approx(np.hypot(accuracy_error(90, 1000), accuracy_error(80, 500)))
    assert gap_error(90, None, 80, 500) == pytest.approx(accuracy_error(80, 500))
    assert gap_error(90, 1000, 80, None) is None


@pytest.mark.parametrize("z", [0.3, 1.0, 1.5, 1.96, 3.0])
def test_confidence_is_one_minus_the_two_sided_p(z):
    assert confidence(2 * z, 2.0) == pytest.approx(1 - 2 * stats.norm.sf(z))


def test_an_effect_against_the_expected_direction_has_no_confidence():
    assert confidence(-3, 1) == 0


def test_six_points_at_a_hundred_images_could_be_noise():
    assert pooled([6.0], [accuracy_error(80, 100)]).confidence() < 0.9


def test_seeds_add_their_spread_and_do_not_shrink_the_sampling_error():
    alone = pooled([10.0], [2.0])
    alike = pooled([10.0, 10.0, 10.0], [2.0, 2.0, 2.0])
    apart = pooled([4.0, 10.0, 16.0], [2.0, 2.0, 2.0])
    assert alone.error == alike.error == 2.0
    assert apart.error == pytest.approx(np.hypot(2.0, 6.0 / np.sqrt(3)))
    assert apart.value == alone.value


@pytest.mark.parametrize("n", [6, 12, 40])
def test_a_spread_beyond_noise_agrees_with_chi_square(n):
    spread, noise, df = 5.0, 4.0, n - 2
    p = stats.chi2.sf(df * (spread / noise) ** 2, df)
    assert beyond_noise(spread, noise, n) == pytest.approx(1 - 2 * p, abs=0.02)
