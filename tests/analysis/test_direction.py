"""Direction: right signs, honest error rates, and sense on whatever comes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analysis_cases import rows_of, table, view
from surefoot.analysis.direction import direction_section, directions, levels_of
from surefoot.analysis.view import view_of
from surefoot.space import SearchSpace, boolean, choice, real
from surefoot.trials import Trial

WORDS = np.array(["a", "b", "c"])


def made(seed: int, n: int, effect: float = 0.0, junk: int = 5, goal: str = "minimize"):
    """A view of noise with `effect` standard deviations of x in it."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n)
    columns = {f"junk{i}": rng.standard_normal(n) for i in range(junk)}
    flag, kind = rng.random(n) < 0.5, WORDS[rng.integers(0, 3, n)]
    return view(rows_of(effect * x + rng.standard_normal(n), x=x, flag=flag, kind=kind, **columns), goal=goal)


def sentences(section) -> list[str]:
    return [finding.sentence for finding in section.findings]


@pytest.mark.parametrize(
    ("goal", "effect", "direction", "helps", "said"),
    [
        ("minimize", 3, "increase", "smaller", "loss rises as x rises"),
        ("minimize", -3, "decrease", "larger", "loss falls as x rises"),
        ("maximize", 3, "increase", "larger", "loss rises as x rises"),
        ("maximize", -3, "decrease", "smaller", "loss falls as x rises"),
    ],
)
def test_what_helps_depends_on_the_goal(goal, effect, direction, helps, said):
    found = made(1, 20, effect, goal=goal)
    row = next(row for row in directions(found).numbers if row.key == "x")
    assert (row.direction, row.helps) == (direction, helps)
    (told,) = [s for s in sentences(direction_section(found)) if "as x rises" in s]
    assert told.startswith(said) and told.endswith(f"{helps} looks better.")


@pytest.mark.parametrize(("goal", "helps"), [("minimize", "false"), ("maximize", "true")])
def test_a_boolean_helps_on_the_side_the_goal_asks_for(goal, helps):
    flags = [True, False] * 6
    found = view(rows_of([2.0 + i / 9 if flag else i / 9 for i, flag in enumerate(flags)], flag=flags), goal=goal)
    (row,) = directions(found).booleans
    assert (row.helps, row.n_true, row.n_false, row.method) == (helps, 6, 6, "exact")
    assert row.p_perm == 2 / math.comb(12, 6) and row.interval[0] < row.delta < row.interval[1]
    (said, *_) = sentences(direction_section(found))
    assert said.startswith("loss is higher by ") and said.endswith(f"{helps} looks better.")


def test_choices_beyond_chance_name_the_best_and_the_worst_mean():
    kinds = ["a", "b", "c"] * 5
    found = view(rows_of([{"a": 1, "b": 5, "c": 9}[kind] + i / 50 for i, kind in enumerate(kinds)], kind=kinds))
    (row,) = directions(found).choices
    assert (row.best_by_mean, row.worst_by_mean, row.best_by_max) == ("a", "c", "a")
    (said,) = sentences(direction_section(found))
    assert "a has the best mean, " in said and "c the worst, " in said and "a against b" in said


def test_shuffled_values_show_a_direction_in_about_one_study_of_ten_at_most():
    shown = [bool(directions(made(seed, 20), draws=199).shown) for seed in range(200)]
    # 27 of 200 is the 95 % bound of a rate of 1 in 10.
    assert sum(shown) <= 27


def test_a_real_effect_is_found_among_junk():
    found = [directions(made(seed, 30, effect=1.5), draws=199).shown for seed in range(40)]
    assert sum("x" in {row.key for row in rows} for rows in found) >= 38


def test_q_is_one_family_over_numbers_booleans_and_choices():
    from scipy.stats import false_discovery_control

    found = directions(made(3, 20, effect=1.0))
    p_values = [row.p_perm for row in found.all]
    assert len(p_values) == found.tests == 8
    assert [row.q_value for row in found.all] == pytest.approx(list(false_discovery_control(p_values)))


def test_a_parameter_is_measured_where_it_existed_and_ranked_apart():
    rows = [{"kind": "a", "loss": float(i % 5)} for i in range(10)]
    rows += [{"kind": "b", "depth": i, "loss": float(i)} for i in range(9)]
    found = view(rows)
    result = directions(found)
    (row,) = result.numbers
    assert (row.condition, row.n, row.rho) == ("kind is b", 9, 1.0)
    assert {"few", "conditional"} <= set(row.flags)
    assert [r.key for r in result.ranked] == ["kind", "depth[kind=b]"]
    assert any(s.startswith("Where kind is b: loss rises as depth rises") for s in sentences(direction_section(found)))


def test_the_same_seed_says_the_same_and_other_parameters_do_not_move_a_p():
    found = made(5, 25)
    assert directions(found) == directions(found)
    alone = view_of(table([{"x": t.settings["x"], "loss": t.value} for t in found.trials]))
    (row,) = directions(alone).numbers
    assert row.p_perm == next(r.p_perm for r in directions(found).numbers if r.key == "x")


def test_a_value_tried_oftener_is_not_best_for_its_best_trial():
    kinds = ["often"] * 16 + ["rare"] * 4
    losses = [*np.linspace(0, 8, 16), 2.0, 2.1, 2.2, 2.3]
    found = view(rows_of(losses, kind=kinds))
    (said,) = [f for f in direction_section(found).findings if f.rule == "direction.best_trial"]
    assert said.severity == "warning"
    assert "by its best trial (0.00) often is best; by mean (2.15) and median (2.15) rare is best" in said.sentence
    assert "often 16 and rare 4" in said.sentence


def test_slices_mark_the_best_quarter_and_begin_with_the_smallest_q():
    found = made(7, 24, effect=3)
    (figure,) = direction_section(found).figures
    first = figure.panels[0]
    other, best = first.points
    assert first.title == "x" and best.look == "best" and (len(best.x), len(other.x)) == (6, 18)
    assert max(best.y) <= min(other.y)


def test_large_tables_are_approximated_sampled_and_say_so():
    found = made(8, 1_200, effect=0.3, junk=2)
    result = directions(found)
    assert all("approximate" in row.flags and row.method == "approximate" for row in result.all)
    section = direction_section(found, result)
    assert "not from permutations" in section.note
    assert "1,000 of the trials, drawn at random, are shown" in section.figures[0].caption


@pytest.mark.parametrize(("n", "said"), [(0, "there are 0"), (1, "there is 1"), (2, "there are 2")])
def test_fewer_than_three_trials_say_nothing(n, said):
    found = view(rows_of([1.0, 2.0][:n], x=[1.0, 3.0][:n], flag=[True, False][:n], kind=["a", "b"][:n]))
    assert said in direction_section(found).not_applicable
    assert directions(found).shown == ()


def test_equal_values_say_nothing():
    found = view(rows_of([2.0] * 6, x=range(6), flag=[True, False] * 3, kind=["a", "b", "c"] * 2))
    assert "all 6 complete trials have the same loss" in direction_section(found).not_applicable
    assert directions(found).tests == 0


def test_what_cannot_be_tested_is_named_with_its_reason():
    space = SearchSpace(
        parameters=(real("x", 0, 1), real("fixed", 0, 1), boolean("never", when={"kind": "c"}), choice("kind", *"abc"))
    )
    kinds = ["a", "b"] * 5
    settings = [{"x": i / 10, "fixed": 0.5, "kind": kind} for i, kind in enumerate(kinds)]
    trials = [Trial(name=str(i), state="COMPLETE", settings=s, value=float(i)) for i, s in enumerate(settings)]
    found = view_of(table(trials, space=space))
    (said,) = [f for f in direction_section(found).findings if f.rule == "direction.untested"]
    assert "fixed (one value throughout" in said.sentence and "never[kind=c] (in no complete trial)" in said.sentence
    fixed = next(row for row in directions(found).numbers if row.key == "fixed")
    assert (fixed.rho, fixed.q_value, fixed.flags) == (None, None, ("constant",))


def test_a_thousand_categories_and_a_choice_never_repeated_are_no_trouble():
    kinds = [f"k{i}" for i in range(1000)]
    once = view(rows_of([float(i % 7) for i in range(1000)], kind=kinds))
    (row,) = directions(once).choices
    assert row.p_perm is None and "single" in row.flags
    twice = view(rows_of([float(i % 7) for i in range(2000)], kind=kinds * 2))
    section = direction_section(twice)
    assert section.figures == () and not section.sheets[-1].is_shown
    assert all(len(finding.sentence) < 900 for finding in section.findings)


def test_odd_names_and_huge_values_pass_through():
    rows = [{"a,b\n<i>": f'"{i % 2}"', "y": 10.0**i, "loss": 1e300 * (i - 4) ** 3} for i in range(9)]
    section = direction_section(view(rows))
    assert section.findings and json.dumps([finding.definition() for finding in section.findings], allow_nan=False)


def test_a_number_that_repeats_has_levels_and_one_that_does_not_has_none():
    found = view(rows_of([1.0, 2.0, 3.0, 4.0], size=[8, 8, 16, 16], lr=[0.1, 0.2, 0.3, 0.4]))
    assert [(at.level, at.n, at.mean) for at in levels_of(found)["size"]] == [(8, 2, 1.5), (16, 2, 3.5)]
    assert "lr" not in levels_of(found)
