"""Detectable effects and needed seeds, against the noncentral t distribution."""

from __future__ import annotations

import math

import pytest
from scipy import optimize, stats

from surefoot.stats.power import detectable_effect, seeds_needed

# 80 % power, one-sided, in standard deviations of the paired difference.
TABLE = {3: (2.30, 1.48), 4: (1.65, 1.28), 5: (1.36, 1.14), 6: (1.19, 1.04), 8: (0.98, 0.90), 10: (0.85, 0.81)}
AT_025 = {3: 3.26, 4: 2.13, 5: 1.68, 6: 1.43, 8: 1.16, 10: 1.00}


def searched(n: int, df: float, alpha: float, power: float, variance: float = 1.0) -> float:
    critical = stats.t.isf(alpha, df)
    shift = optimize.brentq(lambda x: stats.nct.sf(critical, df, x) - power, 0.01, 300)
    return shift * math.sqrt(variance / n)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 8, 10, 30])
@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.01])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_the_detectable_effect_is_the_root_of_the_noncentral_t(n, alpha, power):
    found = detectable_effect(1.0, n, n - 1, alpha=alpha, power=power)
    assert found == pytest.approx(searched(n, n - 1, alpha, power), rel=1e-3)


@pytest.mark.parametrize("n", TABLE)
def test_the_detectable_effect_is_the_procedures_table(n):
    assert detectable_effect(1.0, n, n - 1) == pytest.approx(TABLE[n][0], abs=0.0051)
    # The table was simulated; it gives two digits.
    assert detectable_effect(1.0, n, n - 1 + 20) == pytest.approx(TABLE[n][1], abs=0.011)
    assert detectable_effect(1.0, n, n - 1, alpha=0.025) == pytest.approx(AT_025[n], abs=0.0051)


def test_two_samples_need_the_noise_of_both():
    found = detectable_effect(1.0, 5, 8, is_paired=False)
    assert found == pytest.approx(searched(5, 8, 0.05, 0.8, variance=2.0), rel=1e-3)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_detectable_effect_has_the_metrics_unit(unit):
    assert detectable_effect(unit, 5, 4) == pytest.approx(unit * detectable_effect(1.0, 5, 4), rel=1e-12)


@pytest.mark.parametrize("prior_df", [0.0, 20.0])
@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.5, 50.0])
def test_the_needed_seeds_are_the_first_that_suffice(effect, is_paired, prior_df):
    n = seeds_needed(effect, 1.0, prior_df=prior_df, is_paired=is_paired)

    def detectable(k: int) -> float:
        return detectable_effect(1.0, k, prior_df + (k - 1) * (1 if is_paired else 2), is_paired=is_paired)

    assert n is not None and detectable(n) <= effect
    assert n == 2 or detectable(n - 1) > effect


@pytest.mark.parametrize("effect", [0.0, -1.0, math.inf, math.nan, 1e-3])
def test_no_number_of_seeds_shows_nothing(effect):
    assert seeds_needed(effect, 1.0) is None


def test_power_is_what_the_detectable_effect_promises():
    effect = detectable_effect(0.3, 5, 4)
    critical = stats.t.ppf(0.95, 4)
    assert stats.nct.sf(critical, 4, effect / 0.3 * math.sqrt(5)) == pytest.approx(0.8, abs=1e-6)
