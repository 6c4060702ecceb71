"""A figure is data first: what is drawn is what was measured, and its title is the finding."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import pytest
from stories import crowded_story, empty_story, full_story, poisoned, started_story

from surefoot.reports.canvas import spaced
from surefoot.reports.drawing import png
from surefoot.reports.figures import (
    CostFigure,
    CurvesFigure,
    ForestFigure,
    NoFigure,
    NoiseFigure,
    PathFigure,
    all_figures,
)
from surefoot.run import Metric
from surefoot.stats.power import detectable_effect
from surefoot.stats.sequential import race_thresholds


def test_every_figure_of_an_empty_study_is_a_sentence():
    figures = all_figures(empty_story())
    assert figures and all(isinstance(f, NoFigure) and f.sentence.endswith(".") for f in figures.values())


def test_the_path_holds_every_seed_and_every_arm_that_was_not_adopted():
    story = full_story()
    figure = all_figures(story)["path"]
    assert isinstance(figure, PathFigure)
    assert [s.exploring for s in figure.steps] == [p.exploring for p in story.path]
    assert [s.fresh for s in figure.steps] == [p.fresh for p in story.path]
    assert [s.is_claimed for s in figure.steps] == [False, True, False]
    tried = {t.label: t.after_step for t in figure.tried}
    assert tried["normalisation / batch"] == 0 and tried["width / hot"] == 1
    assert "normalisation / instance" not in tried and "width / wide" not in tried


def test_the_title_of_the_path_counts_on_fresh_seeds_where_there_are_any():
    story = full_story()
    assert "50 % of the gap on fresh seeds, 1 of 2 claimed" in all_figures(story)["path"].title
    unseen = tuple(replace(p, fresh=(), is_claimed=False) for p in story.path)
    assert (
        "68 % of the gap on exploring seeds, 0 of 2 claimed" in all_figures(replace(story, path=unseen))["path"].title
    )


def test_a_curve_is_the_mean_of_its_seeds_within_their_band():
    story = full_story()
    figure = all_figures(story)["curves-1"]
    assert isinstance(figure, CurvesFigure)
    arm = story.experiments[0].arms[1]
    curve = next(c for c in figure.curves if c.label == arm.name)
    values = [run.measurements[-1].values["val_accuracy"] for run in arm.runs]
    assert curve.mean[-1] == pytest.approx(sum(values) / len(values))
    assert (curve.low[-1], curve.high[-1], curve.n) == (min(values), max(values), len(values))
    assert figure.curves[0].is_champion


def test_diverged_runs_are_left_out_of_the_curves():
    figure = all_figures(full_story())["curves-4"]
    assert next(c.n for c in figure.curves if c.label == "hot") == 6


def test_the_forest_has_a_row_for_every_arm_effect_and_tested_step():
    story = full_story()
    figure = all_figures(story)["forest"]
    assert isinstance(figure, ForestFigure)
    kinds = [e.kind for e in figure.effects]
    assert kinds.count("arm") == sum(len(e.steps) for e in story.experiments)
    assert kinds.count("effect") == 3 and kinds.count("fresh") == 2
    instance = next(e for e in figure.effects if e.label == "instance")
    assert instance.interval == story.experiments[0].steps["instance"].interval


def test_the_noise_figure_shows_what_power_says():
    story = full_story()
    figure, noise = all_figures(story)["noise"], story.noise["val_accuracy"]
    assert isinstance(figure, NoiseFigure)
    at_eight = figure.detectable[figure.pairs.index(8)]
    limit = race_thresholds(story.rule.looks, story.rule.support_alpha, noise.prior.df)[-1]
    assert at_eight == pytest.approx(detectable_effect(noise.difference_sd, 8, noise.prior.df + 7, alpha=limit))
    assert list(figure.detectable) == sorted(figure.detectable, reverse=True)


def test_the_costs_add_up_to_the_runs_of_the_study():
    story = full_story()
    figure = all_figures(story)["cost"]
    assert isinstance(figure, CostFigure)
    assert sum(c.trained for c in figure.costs) == sum(story.run_counts.values())


@pytest.mark.parametrize("name", ["path", "curves-1", "forest", "noise", "cost"])
def test_a_figure_is_drawn_alike_every_time(name):
    figure = all_figures(crowded_story())[name]
    assert png(figure).startswith(b"\x89PNG") and png(figure) == png(figure)


@pytest.mark.parametrize("payload", ["$x^{", "\\frac{", "🚀 実験", "\x00\n\t", " " + "long" * 80])
def test_any_name_can_be_drawn(payload):
    for figure in all_figures(poisoned(started_story(), payload)).values():
        assert isinstance(figure, NoFigure) or png(figure)


def test_a_metric_to_minimise_without_unit_or_target_can_be_drawn():
    story = full_story()
    bare = replace(story, primary=Metric(name="val_accuracy", goal="minimize"), target_gap=None)
    for figure in all_figures(bare).values():
        assert isinstance(figure, NoFigure) or png(figure)


def test_values_near_the_largest_float_are_drawn_or_refused_without_a_warning():
    def huge(story):
        path = tuple(replace(p, exploring=tuple(1e308 * v for v in p.exploring)) for p in story.path)
        return replace(story, path=path)

    from surefoot.reports.pictures import picture_figures

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = picture_figures({"path": all_figures(huge(full_story()))["path"]})["path"]
    assert picture.png or "could not be drawn" in picture.caption


def test_labels_are_moved_apart_and_keep_their_order():
    placed = spaced([1.0, 1.0, 1.01, 5.0], 0.5)
    ordered = sorted(placed)
    assert all(b - a >= 0.499 for a, b in itertools.pairwise(ordered))
    assert placed[3] == 5.0
