"""Interactions: a pair is named where it is beyond chance, and its surface is near what made the values."""

from __future__ import annotations

import numpy as np
import pytest

from analysis_cases import rows_of, table, view
from surefoot.analysis.importance import importance
from surefoot.analysis.interactions import interactions, interactions_section
from surefoot.analysis.view import View, view_of
from surefoot.parameter import real
from surefoot.space import SearchSpace, choice


def searched(n: int, seed: int, *, together: float, noise: float = 0.1) -> View:
    """Trials whose loss has two mains, and a part in which a and b act together."""
    rng = np.random.default_rng([n, seed])
    a, b, c, d = rng.random((4, n))
    loss = a + b + together * 4 * (a - 0.5) * (b - 0.5) + noise * rng.standard_normal(n)
    return view(rows_of(loss, a=a, b=b, c=c, d=d))


@pytest.fixture(scope="module")
def pair():
    found = searched(150, 1, together=2.0)
    return found, interactions(found, importance(found))


def test_a_pair_that_acts_together_is_named_and_no_other(pair):
    _, found = pair
    assert [{p.a, p.b} for p in found.real] == [{"a", "b"}]
    (real_pair,) = found.real
    assert real_pair.interval[0] > real_pair.null and real_pair.p <= 0.05


def test_mains_that_only_add_up_are_no_pair():
    found = searched(150, 2, together=0.0)
    pairs = interactions(found, importance(found))
    assert not pairs.real
    said = interactions_section(found, pairs).findings
    assert [f.rule for f in said] == ["interactions.not_shown"] and "at n = 150" in said[0].sentence


def test_the_surface_is_near_what_made_the_values(pair):
    _, found = pair
    surface = found.surfaces[0]
    assert {surface.x.key, surface.y.key} == {"a", "b"}
    x, y = np.meshgrid(surface.x.shown, surface.y.shown)
    truth = x + y + 8 * (x - 0.5) * (y - 0.5)
    assert np.corrcoef(surface.mean.ravel(), truth.ravel())[0, 1] > 0.9
    assert surface.mean.shape == (25, 25) and (surface.sd > 0).any()


def test_the_sheet_holds_every_trial_as_it_was(pair):
    made, found = pair
    section = interactions_section(made, found)
    contours = [s for s in section.sheets if s.name.startswith("contour_data_")]
    assert len(contours) == len(found.surfaces) == 3
    first = contours[0]
    assert first.headers == ("trial", "x", "y", "value", "model_mean", "model_sd") and len(first.rows) == 150
    x, y = found.surfaces[0].x.name, found.surfaces[0].y.name
    assert first.name == f"contour_data_{x}_vs_{y}"
    trial = made.trials[7]
    assert first.rows[7][:4] == (trial.name, trial.settings[x], trial.settings[y], trial.value)
    model = np.array([row[4] for row in first.rows])
    assert np.corrcoef(model, made.values)[0, 1] > 0.8


def test_at_few_trials_pairs_are_drawn_and_not_tested():
    small = searched(20, 3, together=2.0)
    found = interactions(small, importance(small))
    assert found.surfaces and not found.real
    assert "tested from 30 trials on" in interactions_section(small, found).findings[0].sentence


def test_choices_and_logarithms_keep_their_own_places():
    rng = np.random.default_rng(4)
    space = SearchSpace(parameters=(real("lr", 1e-4, 1e-1, log=True), choice("norm", "none", "batch", "layer")))
    rows = [{p.name: p.value_at(float(rng.random())) for p in space.parameters} for _ in range(60)]
    rows = [{**r, "loss": float(np.log10(r["lr"]) * (r["norm"] == "batch"))} for r in rows]
    made = view_of(table(rows, space=space))
    found = interactions(made, importance(made))
    (surface,) = found.surfaces
    (figure,) = interactions_section(made, found).figures
    sides = {figure.x.label: (figure.x, surface.x), figure.y.label: (figure.y, surface.y)}
    assert sides["norm"][0].categories == ("none", "batch", "layer") and sides["norm"][1].shown == (0.0, 1.0, 2.0)
    assert sides["lr"][0].is_log and sides["lr"][1].shown[-1] == pytest.approx(0.1)
    shape = len(figure.y_grid), len(figure.x_grid)
    assert np.shape(figure.mean) == np.shape(figure.sd) == shape
    assert {p[2] for p in figure.points} == set(made.values.tolist())


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_nothing_to_pair_is_said_so(n):
    rows = [{"a": i / 30, "b": 1.0, "loss": float(i)} for i in range(n)]
    space = SearchSpace(parameters=(real("a", 0.0, 1.0), real("b", 0.0, 1.0)))
    made = view_of(table(rows, space=space))
    section = interactions_section(made, interactions(made, importance(made)))
    assert section.not_applicable.startswith("because fewer than two parameters")


def test_equal_values_have_no_surface_worth_showing():
    rng = np.random.default_rng(5)
    made = view(rows_of([1.0] * 30, a=rng.random(30), b=rng.random(30)))
    assert (
        interactions_section(made, interactions(made, importance(made))).not_applicable
        == "because the values do not differ"
    )
