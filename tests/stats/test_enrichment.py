"""Draws against scipy, against every draw there is, and under the null."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom, rankdata

from surefoot.errors import StatisticsError
from surefoot.stats.enrichment import (
    chance_of_at_least,
    chance_of_closeness,
    least_chance,
    middle_half,
    most_by_chance,
)

counts = st.integers(1, 40).flatmap(
    lambda total: st.tuples(st.just(total), st.integers(0, total), st.integers(0, total))
)


@given(counts, st.integers(0, 40))
def test_the_chance_is_fishers_one_sided(cell, hits):
    total, drawn, marked = cell
    least = max(0, drawn + marked - total)
    hits = min(max(hits, least), drawn, marked)
    square = [[hits, drawn - hits], [marked - hits, total - drawn - marked + hits]]
    found = float(chance_of_at_least(hits, drawn, marked, total))
    assert found == pytest.approx(fisher_exact(square, alternative="greater").pvalue, rel=1e-9)


def test_all_of_five_elites_with_what_three_quarters_tried_is_chance():
    found = chance_of_at_least([5, 5, 5], [5, 5, 5], [15, 14, 12], [20, 20, 15])
    ways = [
        math.comb(15, 5) / math.comb(20, 5),
        math.comb(14, 5) / math.comb(20, 5),
        math.comb(12, 5) / math.comb(15, 5),
    ]
    assert found == pytest.approx(ways, rel=1e-12)
    assert np.round(found, 3).tolist() == [0.194, 0.129, 0.264]


@given(counts)
def test_no_outcome_is_less_likely_than_the_least_chance(cell):
    total, drawn, marked = cell
    outcomes = range(max(0, drawn + marked - total), min(drawn, marked) + 1)
    chances = [float(chance_of_at_least(k, drawn, marked, total)) for k in outcomes]
    assert float(least_chance(drawn, marked, total)) == pytest.approx(min(chances))


def test_most_by_chance_is_the_quantile():
    assert most_by_chance([5, 5], [15, 2], [20, 20]).tolist() == [int(hypergeom.ppf(0.95, 20, m, 5)) for m in (15, 2)]


def middle_span(values, rows):
    ranks = np.sort(rankdata(values)[list(rows)])
    first = math.ceil(len(rows) / 4)
    return ranks[len(rows) - first] - ranks[first - 1]


@settings(max_examples=60)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=9), st.data())
def test_closeness_is_the_share_of_all_draws_that_lie_as_close(values, data):
    k = data.draw(st.integers(1, len(values)))
    rows = data.draw(st.permutations(range(len(values))))[:k]
    spans = [middle_span(values, draw) for draw in itertools.combinations(range(len(values)), k)]
    expected = np.mean([span <= middle_span(values, rows) for span in spans])
    is_drawn = np.isin(np.arange(len(values)), rows)
    assert chance_of_closeness(values, is_drawn) == pytest.approx(expected, rel=1e-9)


def test_closeness_does_not_depend_on_the_scale():
    rng = np.random.default_rng(1)
    x, is_drawn = rng.uniform(1, 9, 60), np.arange(60) < 15
    assert chance_of_closeness(x, is_drawn) == chance_of_closeness(np.exp(x), is_drawn)


def test_random_draws_are_called_close_no_more_often_than_they_should():
    rng = np.random.default_rng(2)
    p = np.array([chance_of_closeness(rng.uniform(size=48), np.arange(48) < 12) for _ in range(1500)])
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p <= level) < level + 3 * math.sqrt(level * (1 - level) / len(p))


def test_closeness_agrees_with_drawing_where_there_are_thousands():
    rng = np.random.default_rng(3)
    x = rng.uniform(size=2000)
    is_drawn = np.zeros(2000, dtype=bool)
    is_drawn[rng.choice(2000, 500, replace=False)] = True
    spans = [middle_span(x, rng.choice(2000, 500, replace=False)) for _ in range(1500)]
    share = np.mean(np.array(spans) <= middle_span(x, np.flatnonzero(is_drawn)))
    assert abs(chance_of_closeness(x, is_drawn) - share) < 0.05


def test_the_middle_half_is_made_of_values():
    assert middle_half([5.0, 1.0, 4.0, 2.0, 3.0]) == (2.0, 4.0)
    assert middle_half([7.0]) == (7.0, 7.0)


@pytest.mark.parametrize("bad", [(6, 5, 15, 20), (1, 21, 15, 20), (1, 5, 21, 20), (3, 5, 2, 20)])
def test_counts_that_no_draw_has_are_refused(bad):
    with pytest.raises(StatisticsError, match="a draw must be from what there is"):
        chance_of_at_least(*bad)


def test_closeness_of_nothing_or_of_no_number_is_refused():
    with pytest.raises(StatisticsError, match="at least one drawn"):
        chance_of_closeness([1.0, 2.0], [False, False])
    with pytest.raises(StatisticsError, match="finite"):
        chance_of_closeness([1.0, math.nan], [True, False])
