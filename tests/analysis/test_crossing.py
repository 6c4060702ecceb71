"""Pairs that do nothing alone are found in what the forest leaves unexplained, and seldom where there are none."""

import numpy as np
import pytest

from analysis_cases import rows_of, table
from surefoot.analysis.crossing import crossings
from surefoot.analysis.importance import importance
from surefoot.analysis.interactions import interactions, interactions_section
from surefoot.analysis.view import view_of


def columns_of(n, rng):
    a, b, c = rng.uniform(0, 1, (3, n))
    settings = {"a": a, "b": b, "c": c, "kind": rng.choice(["x", "y", "z"], n), "on": rng.choice([True, False], n)}
    return settings, {name: values.tolist() for name, values in settings.items()}


def crossed(n, seed, pull):
    """A study where b and c matter only together, and a alone."""
    rng = np.random.default_rng(seed)
    settings, rows = columns_of(n, rng)
    loss = 2 * settings["a"] + pull * (settings["b"] - 0.5) * (settings["c"] - 0.5) + 0.1 * rng.standard_normal(n)
    return view_of(table(rows_of(loss.tolist(), **rows)))


def test_two_parameters_that_do_nothing_alone_are_shown_to_act_together_and_not_called_dead():
    seen = crossed(100, 0, pull=3)
    weighed = importance(seen)
    first = weighed.crossings[0]
    assert {first.a, first.b} == {"b", "c"} and first.p <= 0.05
    told = [f for f in interactions_section(seen, interactions(seen, weighed)).findings if f.rule.endswith(".crossed")]
    assert [f.subject for f in told] == ["b, c"] and told[0].evidence["r"] == first.r
    assert not {row.key for row in weighed.rows if "dead" in row.flags} & {"b", "c"}


def test_at_most_one_null_study_in_twenty_has_a_crossing_and_choices_and_bends_make_none():
    found = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        settings, rows = columns_of(40, rng)
        noise = rng.standard_normal(40)
        columns = view_of(table(rows_of(noise.tolist(), **rows))).columns
        # The bends of single parameters are left in what is unexplained.
        left = noise + 4 * (settings["a"] - 0.5) ** 2 + (settings["kind"] == "x")
        found += crossings(columns, left, "", rng)[0].p <= 0.05
    assert found <= 19, "200 studies at .05: 10 are expected, 20 or more come in 1 of 300 cases"


def test_a_choice_that_turns_the_effect_of_a_number_is_found():
    rng = np.random.default_rng(5)
    settings, rows = columns_of(60, rng)
    left = 0.3 * rng.standard_normal(60) + 2 * (settings["a"] - 0.5) * np.where(settings["kind"] == "x", 1, -1)
    first = crossings(view_of(table(rows_of(left.tolist(), **rows))).columns, left, "", rng)[0]
    assert {first.a, first.b} == {"a", "kind"} and first.p == pytest.approx(1 / 400)


def test_too_few_trials_one_parameter_or_nothing_unexplained_say_nothing():
    rng = np.random.default_rng(0)
    _, rows = columns_of(40, rng)
    columns = view_of(table(rows_of(rng.standard_normal(40).tolist(), **rows))).columns
    assert crossings(columns, np.zeros(29), "", rng) == ()
    assert crossings(columns[:1], np.ones(40), "", rng) == ()
    assert crossings(columns, np.zeros(40), "", rng)[0].p == 1
