"""Importance: the real one is found, nothing is made of noise, and what cannot be said is said to be so."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis_cases import arc_table, rows_of, table, view
from surefoot.analysis.chance import chance, explained
from surefoot.analysis.importance import importance, importance_section
from surefoot.analysis.view import View, view_of
from surefoot.analysis.weighing import trials_needed
from surefoot.parameter import real
from surefoot.space import SearchSpace, choice


def searched(n: int, seed: int, *, junk: int = 6, share: float = 0.8, **others) -> View:
    """Trials whose loss is linear in `real`, which explains that share of its variance; the rest is noise."""
    rng = np.random.default_rng([n, seed])
    settings = {name: rng.random(n) for name in ["real", *(f"junk{j}" for j in range(junk))]}
    loss = math.sqrt(12 * share) * settings["real"] + math.sqrt(1 - share) * rng.standard_normal(n)
    return view(rows_of(loss, **settings, **others))


def sentences(of: View) -> str:
    return "\n".join(f.sentence for f in importance_section(of, importance(of)).findings)


@pytest.fixture(scope="module")
def clear() -> View:
    return searched(120, 1, fixed=[3] * 120, run=[f"run {i}" for i in range(120)])


@pytest.fixture(scope="module")
def weighed(clear):
    return importance(clear)


def test_a_real_parameter_is_first_beyond_chance_and_said_with_its_interval(clear, weighed):
    first = weighed.rows[0]
    assert first.key == "real" and first.is_real and first.null is not None
    assert first.interval[0] <= first.share <= first.interval[1] and first.null < first.interval[0]
    assert not any(row.is_real for row in weighed.rows[1:])
    said = [f for f in importance_section(clear, weighed).findings if f.rule == "importance.real"]
    assert [f.subject for f in said] == ["real"]
    assert "of the variance" in said[0].sentence and "chance alone reaches" in said[0].sentence
    assert said[0].evidence["share"] == first.share and said[0].evidence["n"] == 120


def test_the_same_view_gives_the_same_importance_and_another_seed_another(clear, weighed):
    again = importance(clear)
    assert again == weighed
    other = importance(view_of(clear.table, seed=1))
    assert other != weighed and other.rows[0].is_real


def test_constant_and_naming_parameters_are_named_and_dead_ones_too(clear, weighed):
    flags = {row.key: row.flags for row in weighed.rows}
    assert flags["fixed"] == ("constant",) and flags["run"] == ("too many levels",)
    dead = [row for row in weighed.rows if "dead" in row.flags]
    assert dead and all(row.key.startswith("junk") and row.interval[1] <= 0.02 and not row.is_real for row in dead)
    rules = {f.rule for f in importance_section(clear, weighed).findings}
    assert {"importance.constant", "importance.too_many_levels", "importance.dead"} <= rules


def test_few_trials_are_never_trusted():
    found = importance(searched(11, 2, share=0.99))
    assert trials_needed(7) == 12 and not any(row.is_real for row in found.rows)
    assert all(row.flags == ("few trials",) and row.p is None for row in found.rows)
    assert "no importance is trusted below 12" in sentences(searched(11, 2, share=0.99))


def test_a_forest_that_predicts_nothing_says_so():
    for seed in range(10):
        noise = searched(20, 50 + seed, share=0.0)
        found = importance(noise)
        if found.fits[0].predicts <= 0:
            assert "describe noise" in sentences(noise)
            assert not any(row.is_real for row in found.rows)
            return
    pytest.fail("ten forests on noise all predict something")


def test_a_conditional_parameter_is_ranked_apart_within_its_trials():
    rng = np.random.default_rng(3)
    rows = []
    for _ in range(80):
        net = str(rng.choice(["cnn", "mlp"]))
        width, depth = float(rng.random()), float(rng.random())
        loss = 3 * width * (net == "cnn") + 0.1 * float(rng.standard_normal())
        rows.append({"net": net, "depth": depth, **({"width": width} if net == "cnn" else {}), "loss": loss})
    found = importance(view(rows))
    (width,) = [row for row in found.rows if row.key.startswith("width")]
    assert width.condition == "net is cnn" and width.is_real and width.n == sum(r["net"] == "cnn" for r in rows)
    assert [row.condition for row in found.rows] == ["", "", "net is cnn"]
    section = importance_section(view(rows), found)
    assert [f.name for f in section.figures] == ["importance", "importance_1"]


def test_pruned_trials_are_counted_and_what_they_change_is_said():
    rng = np.random.default_rng(4)
    rows = []
    for i in range(90):
        rate, width = float(rng.random()), float(rng.random())
        # The slow half never ends: among complete trials the rate no longer varies much.
        rows.append({"rate": rate, "width": width, "loss": 5 * rate + width if rate < 0.3 or i < 4 else None})
    found = importance(view(rows))
    n_pruned = sum(row["loss"] is None for row in rows)
    assert found.n_pruned == n_pruned and found.fits[0].n == 90 - n_pruned
    assert all(row.ped_pruned is not None for row in found.rows)
    assert f"{n_pruned} pruned trials have no final value" in sentences(view(rows))


def test_a_choice_of_many_levels_does_not_hide_a_real_number():
    rng = np.random.default_rng(5)
    hosts = [f"host {i % 15}" for i in rng.permutation(60)]
    found = importance(searched(60, 5, junk=2, share=0.7, host=hosts))
    real_row = next(row for row in found.rows if row.key == "real")
    assert real_row.is_real and not next(row for row in found.rows if row.key == "host").is_real


def test_a_weak_parameter_beside_a_strong_one_is_found():
    rng = np.random.default_rng(6)
    a, b, c, d = rng.random((4, 150))
    loss = 10 * a + 2.5 * b + 0.25 * rng.standard_normal(150)
    found = importance(view(rows_of(loss, a=a, b=b, c=c, d=d)))
    assert {row.key for row in found.rows if row.is_real} == {"a", "b"}


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "there is no complete trial"),
        ([{"a": 1, "loss": 2.0}], "there is only 1 complete trial"),
        ([{"a": i, "loss": 2.0} for i in range(30)], "all 30 complete trials have the same value"),
        ([{"a": 1, "loss": float(i)} for i in range(30)], "no parameter took more than one value"),
    ],
)
def test_silence_is_explained(rows, why):
    space = SearchSpace(parameters=(real("a", 0.0, 30.0),))
    empty = view_of(table(rows, space=space))
    found = importance(empty)
    assert not any(row.is_real for row in found.rows)
    assert importance_section(empty, found).not_applicable == f"because {why}"


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_sizes_at_the_ends_of_the_floats_change_no_answer(scale):
    rows = [{**t.settings, "loss": t.value * scale} for t in searched(15, 7, junk=2).trials]
    first = importance(view_of(table(rows))).rows[0]
    assert first.key == "real" and first.is_real and 0.5 < first.share <= 1


def test_a_stratum_of_two_trials_and_a_thousand_levels_break_nothing():
    rng = np.random.default_rng(8)
    names = [f"level {i}" for i in range(1000)]
    space = SearchSpace(
        parameters=(choice("many", *names), choice("way", "x", "y"), real("deep", 0.0, 1.0, when={"way": "y"}))
    )
    rows = [{"many": names[i], "way": "y" if i < 2 else "x", "loss": float(rng.random())} for i in range(40)]
    rows = [{**row, **({"deep": 0.5 * i} if i < 2 else {})} for i, row in enumerate(rows)]
    found = importance(view_of(table(rows, space=space)))
    assert {row.key: row.flags for row in found.rows}["many"] == ("too many levels",)
    assert {row.key: row.n for row in found.rows}["deep[way=y]"] == 2


def test_the_sheet_has_a_line_for_each_method_with_n_and_condition(clear, weighed):
    (sheet,) = importance_section(clear, weighed).sheets
    assert sheet.name == "param_importances"
    assert sheet.headers[:6] == ("parameter", "importance", "sd", "method", "n", "condition")
    assert all(len(row) == len(sheet.headers) for row in sheet.rows)
    assert {row[3] for row in sheet.rows} == {"fanova", "ped_anova"}


def test_family_wise_chance_is_exact_over_exchangeable_draws():
    rng, flagged = np.random.default_rng(9), 0
    for _ in range(600):
        drawn = rng.random((100, 5)) ** [1, 2, 3, 9, 9] * [1, 1, 9, 1, 0]
        flagged += chance(drawn[0], drawn[1:]).p.min() <= 0.05
    assert flagged / 600 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 600)


def test_what_is_beyond_the_limit_has_a_small_p():
    rng = np.random.default_rng(10)
    drawn = rng.random((99, 3)) / 3
    limits = chance(np.zeros(3), drawn).limits
    assert (chance(limits + 1e-6, drawn).p <= 0.05).all() and (chance(limits - 1e-6, drawn).p > 0.05).all()


def test_a_prediction_of_the_mean_explains_nothing():
    y = np.array([1.0, 2.0, 6.0])
    assert explained(np.full(3, 3.0), y) == 0 and explained(y, y) == 1 and explained(-y, y) < 0


def test_the_arc_sweep_shows_no_parameter_but_says_what_would_be_needed():
    arc = view_of(arc_table())
    found = importance(arc)
    assert sum(row.n for row in found.rows if row.condition == "") >= 20
    few = [row for row in found.rows if row.n == 5]
    assert few and all("few trials" in row.flags or "constant" in row.flags for row in few)
