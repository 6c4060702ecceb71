"""Edges that are hit, and those that only look so: simulations, the document's own edges, natural bounds."""

from __future__ import annotations

import json
import math
from functools import partial

import numpy as np
import pytest
from scipy.stats import theilslopes

from analysis_cases import arc_table, microbead_table, rows_of, view
from surefoot.analysis.boundaries import boundaries, boundaries_section
from surefoot.analysis.edge import edges_of, local_slope, natural_bound
from surefoot.analysis.elites import elites
from surefoot.analysis.view import view_of
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial

SPACE = SearchSpace(
    parameters=(
        real("lr", 1e-5, 1e-1, log=True),
        real("width", 2.0, 8.0),
        real("dropout", 0.0, 0.5),
        integer("depth", 4, 10),
        choice("batch_size", 8, 16, 32, 64),
        choice("norm", "batch", "layer"),
        boolean("augment"),
    )
)


def study(n, loss, *seed, noise=1.0, space=SPACE):
    """n random configs of the space; `loss` takes a config."""
    rng = np.random.default_rng(seed)
    configs = [space.build(lambda p: p.value_at(rng.random())) for _ in range(n)]
    return view([{**c, "loss": loss(c) + noise * rng.normal()} for c in configs], space=space)


def found_in(seen, **others):
    return boundaries(seen, elites(seen), **others)


def hits(seen, **others):
    return {(b.key, b.side) for b in found_in(seen, **others) if b.is_hit}


def edge(found, key, side):
    return next(b for b in found if (b.key, b.side) == (key, side))


def place(config):
    """Where width lies in its range, from 0 to 1."""
    return (config["width"] - 2) / 6


@pytest.mark.parametrize("n", [20, 60])
def test_at_most_one_null_study_in_twenty_hits_an_edge(n):
    found = [bool(hits(study(n, lambda c: 0.0, n, seed))) for seed in range(200)]
    assert np.mean(found) <= 0.05


def test_an_optimum_beyond_the_edge_is_mostly_found_at_sixty_trials():
    found = [hits(study(60, lambda c: -10 * place(c), 1, seed)) for seed in range(60)]
    assert np.mean([("width", "high") in f for f in found]) >= 0.65
    assert np.mean([bool(f - {("width", "high")}) for f in found]) <= 0.05
    curved = [hits(study(60, lambda c: 12 * (place(c) - 1.2) ** 2, 2, seed)) for seed in range(60)]
    assert np.mean([("width", "high") in f for f in curved]) >= 0.55


def test_whole_numbers_and_levels_hit_their_outermost_level():
    depths = [hits(study(80, lambda c: -6 * (c["depth"] - 4) / 6, 3, seed)) for seed in range(40)]
    assert np.mean([("depth", "high") in f for f in depths]) >= 0.6
    batches = [hits(study(80, lambda c: 4 * math.log2(c["batch_size"]) / 3, 4, seed)) for seed in range(40)]
    assert np.mean([("batch_size", "low") in f for f in batches]) >= 0.6


def far_off(config, optimum):
    return 10 * (place(config) - optimum) ** 2


def test_an_interior_optimum_hits_in_less_than_one_study_of_a_hundred():
    found = []
    for n, optimum in ((60, 0.5), (60, 0.8), (250, 0.8)):
        seen = [study(n, partial(far_off, optimum=optimum), 5, n, seed) for seed in range(40)]
        found += [any(key == "width" for key, _ in hits(s)) for s in seen]
    assert np.mean(found) < 0.01


def test_a_parameter_that_is_told_dead_never_hits_and_an_untold_one_almost_never():
    # Networks of depth 4 to 10 are one and the same; width is what matters.
    seen = [study(60, lambda c: -6 * place(c), 6, seed) for seed in range(60)]
    untold = [any(key == "depth" for key, _ in hits(s)) for s in seen]
    assert np.mean(untold) <= 0.05
    for s in seen:
        found = [b for b in found_in(s, dead={"depth"}) if b.key == "depth"]
        assert not any(b.is_hit or b.is_live for b in found)
        assert all("does nothing here" in b.why_not for b in found)


def test_the_documents_edges_are_no_hits():
    seen = view_of(arc_table(20))
    found = found_in(seen)
    depth = edge(found, "depth[encoder_type=cnn]", "high")
    assert (depth.bound, depth.near, depth.n_best, depth.tried, depth.started) == (6, 2, 5, 5, 15)
    assert depth.is_inferred and depth.has_best and not depth.is_hit
    assert not any(b.is_hit for b in found)
    told = [f for f in boundaries_section(seen, found).findings if f.subject == "depth[encoder_type=cnn]"]
    assert "at 6 (the largest value seen) is not shown to be hit: 2 of the 5 best trials" in told[0].sentence
    assert "Do not widen" in told[0].advice


def test_every_edge_that_is_no_hit_says_why():
    for seen in (view_of(microbead_table()), view_of(arc_table(None)), study(60, lambda c: 0.0, 7)):
        for b in found_in(seen):
            assert bool(b.why_not) == (not b.is_hit)


def test_a_hit_is_told_with_its_counts_its_slope_and_what_to_do():
    seen = study(120, lambda c: -10 * place(c), 8)
    found = found_in(seen)
    width = edge(found, "width", "high")
    assert width.is_hit and width.may_widen and not width.is_inferred
    assert width.slope < 0 and max(width.slope_interval) < 0 and width.per == "tenth of the range"
    section = boundaries_section(seen, found)
    (told,) = (f for f in section.findings if f.rule == "boundaries.hit")
    assert told.severity == "warning" and told.advice.startswith("Search beyond 8")
    assert told.evidence["near"] == width.near and told.evidence["slope"] == width.slope
    json.dumps([f.definition() for f in section.findings], allow_nan=False)
    (panel,) = [p for p in section.figures[0].panels if p.title == "width"]
    assert sum(len(points.x) for points in panel.points) == 120
    assert len(panel.points[1].x) == width.n_best
    (line,) = panel.lines
    assert (line.y[1] - line.y[0]) / (line.x[1] - line.x[0]) == pytest.approx(width.slope / 0.6)


def test_a_natural_bound_is_named_and_not_widened():
    seen = study(200, lambda c: 10 * c["dropout"] / 0.5, 9)
    dropout = edge(found_in(seen), "dropout", "low")
    assert dropout.is_hit and dropout.is_natural and not dropout.may_widen
    (told,) = (f for f in boundaries_section(seen, found_in(seen)).findings if f.subject == "dropout")
    assert (told.rule, told.severity) == ("boundaries.natural", "info") and told.advice.startswith("Nothing to widen")


@pytest.mark.parametrize(
    ("parameter", "side", "is_natural"),
    [
        (real("dropout", 0.0, 0.5), "low", True),
        (real("dropout", 0.0, 0.5), "high", False),
        (real("label_smoothing", 0.0, 0.2), "low", True),
        (real("momentum", 0.5, 0.99), "high", True),
        (real("momentum", 0.5, 0.99), "low", False),
        (real("mixture", 0.0, 1.0), "high", True),
        (integer("layers", 1, 8), "low", True),
        (integer("layers", 2, 8), "low", False),
        (integer("layers", 1, 8), "high", False),
        (real("lr", 1e-5, 1.0, log=True), "high", False),
        (choice("patch", 1, 2, 4), "low", True),
        (real("width", 1.0, 4.0), "low", False),
    ],
)
def test_natural_bounds_are_those_beyond_which_nothing_lies(parameter, side, is_natural):
    bounds = {"low": parameter.low, "high": parameter.high}
    if parameter.choices:
        bounds = {"low": min(parameter.choices), "high": max(parameter.choices)}
    assert bool(natural_bound(parameter, side, bounds[side])) == is_natural


def test_the_zone_is_the_outer_tenth_of_the_drawn_scale_or_the_outermost_level():
    seen = study(60, lambda c: 0.0, 10)
    low, high = edges_of(seen.column("lr"), is_inferred=False)
    assert (low.zone, high.zone) == pytest.approx((10**-4.6, 10**-1.4))
    assert high.is_near.tolist() == (seen.column("lr").numbers >= 10**-1.4).tolist()
    _, deepest = edges_of(seen.column("depth"), is_inferred=False)
    assert deepest.is_near.tolist() == (seen.column("depth").numbers == 10).tolist()
    assert deepest.is_outer.tolist() == (seen.column("depth").numbers >= 8).tolist()
    smallest, _ = edges_of(seen.column("batch_size"), is_inferred=False)
    assert smallest.is_outer.tolist() == (seen.column("batch_size").numbers <= 16).tolist()
    assert smallest.bound == 8 and isinstance(smallest.bound, int)


def test_the_slope_is_scipys_and_its_interval_covers_the_truth():
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(300):
        x = rng.uniform(6.67, 10, 20)
        y = 0.5 * x + rng.standard_t(3, 20)
        slope = local_slope(x, y, rng=rng)
        assert (slope.n, slope.value) == (20, pytest.approx(theilslopes(y, x).slope))
        covered += slope.interval[0] <= 0.5 <= slope.interval[1]
    assert covered / 300 >= 0.92


def test_a_slope_takes_eight_trials_at_two_places():
    rng = np.random.default_rng(12)
    assert local_slope(np.arange(7.0), np.arange(7.0), rng=rng).value is None
    assert local_slope(np.ones(9), np.arange(9.0), rng=rng).value is None
    assert local_slope(np.arange(9.0), np.ones(9), rng=rng).interval == (0.0, 0.0)


def test_pruned_trials_count_as_tried_but_not_for_the_slope():
    space = SearchSpace(parameters=(real("x", 0.5, 1.5),))
    trials = [Trial(name=str(i), state="COMPLETE", settings={"x": 0.5 + i / 40}, value=-i / 40) for i in range(41)] + [
        Trial(name=f"p{i}", state="PRUNED", settings={"x": 1.5}) for i in range(100)
    ]
    seen = view(trials, space=space)
    high = edge(found_in(seen), "x", "high")
    assert (high.tried, high.started, high.n_slope) == (105, 141, 14)
    assert not high.is_hit and high.p > 0.05


def test_the_same_table_gives_the_same_boundaries():
    seen = study(3000, lambda c: -place(c), 13)
    assert found_in(seen) == found_in(seen)
    assert edge(found_in(seen), "width", "high").n_slope == 800


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_few_trials_hit_nothing_and_say_so(n):
    seen = study(n, lambda c: 0.0, 14)
    found = found_in(seen)
    assert not any(b.is_hit for b in found)
    assert boundaries_section(seen, found).not_applicable.startswith("because")


def test_equal_values_constants_and_absent_parameters_hit_nothing():
    space = SearchSpace(
        parameters=(
            choice("kind", "a", "b"),
            integer("depth", 1, 9),
            real("x", 0.0, 1.0),
            real("rare", 1.0, 2.0, when={"kind": "b"}),
        )
    )
    trials = [
        Trial(name=str(i), state="COMPLETE", settings={"kind": "a", "depth": 3, "x": i / 29}, value=1.0)
        for i in range(30)
    ]
    seen = view(trials, space=space)
    found = found_in(seen)
    assert not any(b.is_hit for b in found)
    assert not edge(found, "depth", "high").is_live
    assert boundaries_section(seen, found).findings[0].rule == "boundaries.none"


def test_a_space_without_numbers_has_no_edges():
    seen = view(rows_of([1.0, 2, 3], norm=["a", "b", "a"]))
    assert "no parameter is a number" in boundaries_section(seen, found_in(seen)).not_applicable
