"""A parameter is ranked among the trials that had it, on the scale it was drawn on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis_cases import rows_of, view
from surefoot.analysis.fanova import variance_shares
from surefoot.analysis.forest import fit_forest
from surefoot.analysis.strata import encoded, possible_levels, strata_of
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial

SPACE = SearchSpace(
    parameters=(
        choice("optimizer", "sgd", "adam", "lion"),
        real("lr", 1e-4, 1e-1, log=True),
        boolean("nesterov", when={"optimizer": ("sgd", "lion")}),
        real("momentum", 0.0, 0.9, when={"optimizer": ("sgd", "lion"), "nesterov": True}),
        real("beta", 0.8, 0.999, when={"optimizer": "adam"}),
        real("damping", 0.0, 0.1, when={"optimizer": "adam"}),
    )
)
ROWS = [
    {"optimizer": "sgd", "lr": 1e-2, "nesterov": True, "momentum": 0.9, "loss": 1.0},
    {"optimizer": "lion", "lr": 1e-3, "nesterov": True, "momentum": 0.1, "loss": 2.0},
    {"optimizer": "lion", "lr": 1e-3, "nesterov": False, "loss": 2.5},
    {"optimizer": "adam", "lr": 1e-4, "beta": 0.9, "damping": 0.0, "loss": 3.0},
    {"optimizer": "adam", "lr": 1e-1, "beta": 0.99, "damping": 0.1, "loss": 4.0},
]


def keys(stratum):
    return [column.key for column in stratum.columns]


def test_each_parameter_is_ranked_in_one_stratum_beside_those_that_always_exist():
    seen = view(ROWS, space=SPACE)
    everything, either, nested, adam = strata_of(seen)
    assert everything.condition == "" and everything.rows.all()
    assert everything.own == ("optimizer", "lr")
    assert either.condition == "optimizer is sgd or lion"
    assert either.rows.tolist() == [True, True, True, False, False]
    assert keys(either) == ["optimizer", "lr", either.own[0]] and len(either.own) == 1
    assert adam.condition == "optimizer is adam"
    assert [key.split("[")[0] for key in keys(adam)] == ["lr", "beta", "damping"]
    assert [key.split("[")[0] for key in adam.own] == ["beta", "damping"]
    ranked = [key for stratum in (everything, either, nested, adam) for key in stratum.own]
    assert sorted(ranked) == sorted(column.key for column in seen.columns)


def test_a_parent_narrowed_to_one_value_is_left_out_and_one_narrowed_to_two_keeps_those():
    seen = view(ROWS, space=SPACE)
    _, _, nested, adam = strata_of(seen)
    assert [key.split("[")[0] for key in keys(nested)] == ["optimizer", "lr", "momentum"]
    x, axes = encoded(nested, seen)
    assert axes[0].level_count == 2 and x[:, 0].tolist() == [0.0, 1.0]
    assert possible_levels(nested.columns[0], nested) == (0, 2)
    assert "optimizer" not in keys(adam)


def test_a_parent_of_a_parent_is_narrowed_too():
    space = SearchSpace(
        parameters=(
            choice("optimizer", "sgd", "adam"),
            boolean("nesterov", when={"optimizer": "sgd"}),
            real("momentum", 0.0, 0.9, when={"nesterov": True}),
        )
    )
    rows = [
        {"optimizer": "sgd", "nesterov": True, "momentum": 0.5, "loss": 1.0},
        {"optimizer": "sgd", "nesterov": False, "loss": 2.0},
        {"optimizer": "adam", "loss": 3.0},
    ]
    assert [[key.split("[")[0] for key in keys(s)] for s in strata_of(view(rows, space=space))] == [
        ["optimizer"],
        ["nesterov"],
        ["momentum"],
    ]


def test_a_parameter_with_a_condition_that_held_in_every_trial_is_ranked_among_all():
    seen = view([row for row in ROWS if row["optimizer"] == "adam"], space=SPACE)
    everything = strata_of(seen)[0]
    assert [key.split("[")[0] for key in everything.own] == ["optimizer", "lr", "beta", "damping"]


def test_a_parameter_that_a_record_left_out_is_ranked_where_it_is_recorded():
    space = SearchSpace(parameters=(real("a", 0, 1), real("b", 0, 1)))
    rows = [{"a": 0.1, "b": 0.2, "loss": 1.0}, {"a": 0.3, "loss": 2.0}, {"a": 0.5, "b": 0.6, "loss": 3.0}]
    _, recorded = strata_of(view(rows, space=space))
    assert recorded.condition == "b is recorded" and recorded.rows.tolist() == [True, False, True]
    assert keys(recorded) == ["a", "b"] and recorded.own == ("b",)


def test_numbers_stand_on_the_scale_they_were_drawn_on_within_their_declared_range():
    seen = view(ROWS, space=SPACE)
    x, axes = encoded(strata_of(seen)[0], seen)
    assert x[:, 1] == pytest.approx(np.log([1e-2, 1e-3, 1e-3, 1e-4, 1e-1]))
    assert (axes[1].low, axes[1].high) == pytest.approx((math.log(1e-4), math.log(1e-1)))
    assert axes[0].is_choice and axes[0].level_count == 3 and x[:, 0].tolist() == [0, 2, 2, 1, 1]


def test_whole_numbers_count_as_often_as_they_are_drawn():
    linear, logarithmic = integer("layers", 1, 4), integer("width", 1, 64, log=True)
    space = SearchSpace(parameters=(linear, logarithmic, choice("batch", 16, 32, 512)))
    seen = view([{"layers": 1, "width": 1, "batch": 32, "loss": 1.0}], space=space)
    x, (layers, width, batch) = encoded(strata_of(seen)[0], seen)
    assert layers.grid == (1, 2, 3, 4) and layers.share_below(np.array([1.5])) == pytest.approx(0.25)
    assert batch.grid == (16, 32, 512) and batch.share_below(np.array([100.0])) == pytest.approx(2 / 3)
    assert x.tolist() == [[1.0, 0.0, 32.0]]
    drawn = [logarithmic.value_at(u) for u in np.linspace(0, 1, 20_000, endpoint=False)]
    assert width.share_below(np.log([4.2])) == pytest.approx(np.mean(np.array(drawn) <= 4), abs=1e-3)


def test_many_values_or_no_bounds_make_a_line():
    width = integer("width", 1, 10_000)
    free = SearchSpace(parameters=(width,)).parameters[0]
    seen = view(rows_of([1.0, 2.0], width=[7, 900]), space=SearchSpace(parameters=(free,)))
    _, (axis,) = encoded(strata_of(seen)[0], seen)
    assert axis.grid == () and (axis.low, axis.high) == (1, 10_000)


def test_a_number_without_bounds_ranges_over_what_was_seen():
    from surefoot.parameter import Parameter

    normal = Parameter(name="lr", kind="float", log=True, normal=(-7.0, 1.0))
    seen = view(rows_of([1.0, 2.0, 3.0], lr=[1e-4, 1e-3, 1e-2]), space=SearchSpace(parameters=(normal,)))
    _, (axis,) = encoded(strata_of(seen)[0], seen)
    assert (axis.low, axis.high) == pytest.approx((math.log(1e-4), math.log(1e-2)))


@pytest.mark.parametrize("rows", [[], ROWS[:1], ROWS[3:4], ROWS[:2]])
def test_few_trials_or_none_are_strata_that_can_be_fitted(rows):
    pruned = Trial(name="p", state="PRUNED", settings={"optimizer": "adam", "lr": 1e-3})
    seen = view([*rows, pruned], space=SPACE)
    for stratum in strata_of(seen):
        x, axes = encoded(stratum, seen)
        assert x.shape == (stratum.rows.sum(), len(stratum.columns)) and np.isfinite(x).all()
        forest = fit_forest(x, seen.gains[stratum.rows], axes, trees=4, rng=np.random.default_rng(0))
        assert np.isfinite(variance_shares(forest).mains).all()


def test_a_thousand_categories_are_encoded():
    names = [f"{i},\n<b>" for i in range(1000)]
    seen = view(rows_of(list(range(1000)), who=names), space=SearchSpace(parameters=(choice("who", *names),)))
    x, (axis,) = encoded(strata_of(seen)[0], seen)
    assert axis.level_count == 1000 and x[:, 0].tolist() == list(range(1000))
