"""The race shows what the procedure's table promises, for the pairs it says."""

from __future__ import annotations

import math

import pytest

import power

RACES = 1500


@pytest.mark.parametrize("effect", [1.0, 1.5, 2.0])
def test_power_is_the_tables(effect):
    share = power.races(effect, False, RACES, [1])["adopted"] / RACES
    stated = power.TABLE[effect] / 100
    assert share == pytest.approx(stated, abs=0.02 + 3 * math.sqrt(max(stated * (1 - stated), 0.01) / RACES))


@pytest.mark.parametrize("effect", [-1.0, 0.0, 1.0])
def test_the_screened_race_spends_no_more_pairs_than_stated(effect):
    # Races last 1 to 8 pairs with a standard deviation of about 2.
    assert power.races(effect, True, RACES, [2])["pairs"] / RACES <= power.MOST_PAIRS[effect] + 3 * 2 / math.sqrt(RACES)


def test_a_null_is_adopted_no_more_often_than_stated():
    assert power.races(0.0, False, RACES, [3])["adopted"] / RACES <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RACES)
