"""A sweep's figure is data first: what is drawn is what was measured, and nothing is fitted."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
from sweep_stories import (
    ACCURACY,
    ALL,
    LUCKY,
    STEADY,
    all_failed,
    crowded_sweep,
    curves_of,
    exploring_sweep,
    front_sweep,
    full_sweep,
    no_trial,
    single_trial,
)

from surefoot.reports.drawing import png
from surefoot.reports.figures import NoFigure
from surefoot.reports.sweep_figures import (
    FreshFigure,
    FrontFigure,
    HistoryFigure,
    SlicesFigure,
    StoppingFigure,
    shown_range,
    sweep_figures,
)
from surefoot.run import Metric
from surefoot.sweep import Stopping


@pytest.mark.parametrize("make", [no_trial, all_failed])
def test_every_figure_of_a_sweep_without_values_says_why_it_is_not_there(make):
    figures = sweep_figures(make())
    assert figures
    for figure in figures.values():
        assert isinstance(figure, NoFigure)
        assert figure.sentence.startswith("No figure of ") and ", because " in figure.sentence


@pytest.mark.parametrize("name", ALL)
def test_every_figure_is_drawn_without_a_warning_and_its_title_is_a_sentence(name):
    for figure in sweep_figures(ALL[name]()).values():
        if not isinstance(figure, NoFigure):
            assert len(figure.title.split()) > 4
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert png(figure).startswith(b"\x89PNG")


def test_the_history_has_every_trial_and_the_best_so_far_never_gets_worse():
    story = full_sweep()
    figure = sweep_figures(story)["history"]
    assert isinstance(figure, HistoryFigure)
    assert [m.number for m in figure.marks] == list(range(24))
    assert {m.number for m in figure.marks if m.kind == "failed"} == {2, 11}
    values = [value for _, value in figure.best]
    assert values == sorted(values) and values[-1] == 92.41
    assert figure.best[-1][0] == 23, "the line reaches the last trial"
    assert figure.chosen == STEADY


def test_a_trial_that_runs_has_no_place_in_the_history_yet():
    figure = sweep_figures(exploring_sweep())["history"]
    assert max(m.number for m in figure.marks) == 23


def test_stopped_and_barred_trials_are_no_best():
    story = crowded_sweep()
    figure = sweep_figures(story)["history"]
    kinds = {m.number: m.kind for m in figure.marks}
    assert set(kinds.values()) == {"complete", "barred", "unfinished", "failed"}
    assert all(kinds[number] == "complete" for number, _ in figure.best[:-1])


def test_the_winners_curse_is_one_ring_against_fresh_dots():
    story = full_sweep()
    figure = sweep_figures(story)["fresh"]
    assert isinstance(figure, FreshFigure)
    by_label = {row.label: row for row in figure.rows}
    lucky, steady = by_label[f"trial {LUCKY}"], by_label[f"trial {STEADY}"]
    assert lucky.explored == 92.41 and max(lucky.race) < lucky.explored
    assert steady.is_chosen and len(steady.race) == 4 and len(steady.claim) == 5
    assert steady.mean == pytest.approx(sum(steady.claim) / 5)
    assert by_label["base"].explored is None
    assert "92.41 %" in figure.title and "91.19 %" in figure.title


def test_a_slice_holds_the_complete_trials_in_which_its_parameter_exists():
    story = full_sweep()
    figure = sweep_figures(story)["slices"]
    assert isinstance(figure, SlicesFigure)
    slices = {s.label: s for s in figure.slices}
    assert set(slices) == {"lr", "optimizer", "momentum[optimizer=sgd]", "layers", "nesterov[optimizer=sgd]"}
    whole = [t for t in story.trials if t.values]
    sgd = [t for t in whole if t.settings["optimizer"] == "sgd"]
    assert len(slices["lr"].points) == len(whole) and slices["lr"].is_log
    assert sorted(p[0] for p in slices["momentum[optimizer=sgd]"].points) == sorted(t.settings["momentum"] for t in sgd)
    assert slices["optimizer"].categories == ("adam", "sgd")
    assert sum(p[0] == 1.0 for p in slices["optimizer"].points) == len(sgd)
    assert sum(p[2] for p in slices["lr"].points) == 3


def test_the_front_is_drawn_as_the_story_says():
    story = front_sweep()
    figure = sweep_figures(story)["front"]
    assert isinstance(figure, FrontFigure)
    assert {p[2] for p in figure.points if p[3]} == set(story.front)


def test_early_stopping_is_drawn_only_where_a_rule_acted():
    story = crowded_sweep()
    figure = sweep_figures(story)["stopping"]
    assert isinstance(figure, StoppingFigure)
    assert figure.curves == curves_of(story.trials)
    assert figure.rungs == (3, 9, 27)
    calm = replace(full_sweep(), sweep=replace(full_sweep().sweep, stopping=Stopping(rule="median")))
    assert isinstance(sweep_figures(calm)["stopping"], NoFigure)
    assert "stopping" not in sweep_figures(full_sweep())


def test_a_single_trial_has_no_history_and_no_slices():
    figures = sweep_figures(single_trial())
    assert isinstance(figures["history"], NoFigure) and isinstance(figures["slices"], NoFigure)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_few_hopeless_trials_do_not_flatten_the_rest(sign):
    metric = Metric(name="m", goal="maximize" if sign > 0 else "minimize")
    values = [sign * v for v in (90.0, 91.0, 92.0, 89.0, 88.0, 10.0)]
    low, high = shown_range(values, metric)
    assert {low, high} == {sign * 88.0, sign * 92.0}
    assert shown_range([5.0, 5.0, 5.0], metric) == (5.0, 5.0)
    assert shown_range([91.0, 92.0, 93.0], ACCURACY)[1] in (93.0, 94.0)
