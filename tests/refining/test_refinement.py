"""The next space as a whole: conditions follow their parents, what is carried over, what was not concluded."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refining_cases import a_sweep, analyzed

from analysis_cases import arc_table, table
from surefoot.analysis.analysis import analyze
from surefoot.constraint import constraint
from surefoot.refining.line import Line
from surefoot.refining.refinement import refine, settled, share_left, share_text
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial


def space_of(*parameters, constraints=()):
    return SearchSpace(parameters=parameters, constraints=tuple(map(constraint, constraints)))


def kept(parameter):
    return Line(before=parameter, after=parameter, action="kept", rule="r", reason="", n=9)


def narrowed(parameter, share=1.0, **changes):
    after = dataclasses.replace(parameter, **changes)
    return Line(before=parameter, after=after, action="narrowed", rule="r", reason="", n=9, share=share)


def fixed(parameter, value):
    return Line(before=parameter, after=None, action="fixed", rule="r", reason="", n=9, value=value)


def searched(space, loss, n=60, **others):
    rng = np.random.default_rng(0)
    trials = []
    for i in range(n):
        chosen = space.build(lambda p: p.value_at(rng.random()))
        value = float(loss(chosen) + 0.01 * rng.standard_normal())
        trials.append(Trial(name=str(i), state="COMPLETE", settings=chosen, value=value, origin="random"))
    return table(trials, space=space, **others)


# --- conditions ------------------------------------------------------------------------------------------------------

OPTIMIZER = choice("optimizer", "sgd", "adam", "lion")
MOMENTUM = real("momentum", 0.0, 0.9, when={"optimizer": ["sgd", "lion"]})
NESTEROV = boolean("nesterov", when={"optimizer": "sgd"})
WARMUP = real("warmup", 0.0, 1.0, when={"nesterov": True})


def test_a_child_follows_the_values_that_its_parent_has_left():
    lines = [narrowed(OPTIMIZER, choices=("adam", "lion")), kept(MOMENTUM), kept(NESTEROV), kept(WARMUP)]
    space, gone, told = settled(space_of(OPTIMIZER, MOMENTUM, NESTEROV, WARMUP), lines)
    assert gone == {}
    assert [(line.before.name, line.action) for line in told] == [
        ("optimizer", "narrowed"),
        ("momentum", "kept"),
        ("nesterov", "dropped"),
        ("warmup", "dropped"),
    ]
    assert told[1].after.when == {"optimizer": ("lion",)}
    assert [line.rule for line in told[2:]] == ["refine.condition"] * 2
    space.check()


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)])
def test_the_order_of_the_parameters_does_not_matter(order):
    parameters = (OPTIMIZER, MOMENTUM, NESTEROV, WARMUP)
    lines = [fixed(OPTIMIZER, "adam"), kept(MOMENTUM), kept(NESTEROV), kept(WARMUP)]
    lr = real("lr", 0.0, 1.0)
    whole = space_of(*(parameters[i] for i in order), lr)
    space, gone, told = settled(whole, [*(lines[i] for i in order), kept(lr)])
    assert gone == {"optimizer": "adam"} and space.names() == ("lr",)
    assert sorted(line.action for line in told) == ["dropped", "dropped", "dropped", "fixed", "kept"]


def test_under_a_parent_that_is_fixed_a_child_exists_always_or_never():
    space, _, _ = settled(
        space_of(OPTIMIZER, MOMENTUM, NESTEROV), [fixed(OPTIMIZER, "lion"), kept(MOMENTUM), kept(NESTEROV)]
    )
    assert [(p.name, dict(p.when)) for p in space.parameters] == [("momentum", {})]


def test_two_of_one_name_under_different_conditions_are_two():
    kind = choice("kind", "a", "b", "c")
    twins = real("w", 0.0, 1.0, when={"kind": "a"}), real("w", 0.0, 9.0, when={"kind": ["b", "c"]})
    lines = [narrowed(kind, choices=("b", "c")), kept(twins[0]), narrowed(twins[1], high=5.0)]
    space, _, told = settled(space_of(kind, *twins), lines)
    assert [line.action for line in told] == ["narrowed", "dropped", "narrowed"]
    assert [p.high for p in space.named("w")] == [5.0]
    space.check()


def test_conditions_that_can_hold_one_by_one_but_never_together_drop_what_rests_on_them():
    kind = choice("kind", "a", "b", "c")
    left = choice("depth", 1, 2, 3, when={"kind": "a"})
    right = choice("depth", 1, 2, 4, when={"kind": ["b", "c"]})
    both = real("x", 0.0, 1.0, when={"kind": "a", "depth": 1})
    lines = [kept(kind), narrowed(left, choices=(2, 3)), kept(right), kept(both)]
    space, _, told = settled(space_of(kind, left, right, both), lines)
    assert told[-1].action == "dropped"
    space.check()


def test_a_condition_on_numbers_follows_a_range():
    depth = integer("depth", 1, 9)
    deep = real("skip", 0.0, 1.0, when={"depth": [7, 8, 9]})
    space, _, _ = settled(space_of(depth, deep), [narrowed(depth, low=2, high=7), kept(deep)])
    assert space.parameters[1].when == {"depth": (7,)}


def test_constraints_are_kept_with_fixed_numbers_in_them_and_none_on_what_is_gone():
    a, b, kind = integer("a", 1, 9), integer("b", 1, 9), choice("kind", "u", "v", "w")
    c = integer("c", 1, 9, when={"kind": "u"})
    whole = space_of(a, b, kind, c, constraints=["a * b <= 30", "b <= 8", "c <= a", "a + loss <= 20"])
    lines = [kept(a), fixed(b, 5), narrowed(kind, choices=("v", "w")), kept(c)]
    space, _, _ = settled(whole, lines)
    assert [limit.names for limit in space.constraints] == [("a",), ("a", "loss")]
    assert space.admits({"a": 6, "kind": "v"}) and not space.admits({"a": 7, "kind": "v"})


# --- how much is left ------------------------------------------------------------------------------------------------


def test_the_share_is_the_product_without_conditions():
    x, y = real("x", 0.0, 1.0), real("y", 0.0, 1.0)
    lines = [narrowed(x, 0.5, high=0.5), narrowed(y, 0.2, high=0.2)]
    assert share_left(space_of(x, y), lines, rng=np.random.default_rng(0)) == pytest.approx(0.1)


def test_a_child_narrows_only_the_part_of_the_space_in_which_it_exists():
    kind, x = choice("kind", "a", "b", "c", "d"), real("x", 0.0, 1.0, when={"kind": "a"})
    space = space_of(kind, x)
    lines = [narrowed(kind, 0.75, choices=("a", "b", "c")), narrowed(x, 0.2, high=0.2)]
    found = share_left(space, lines, rng=np.random.default_rng(0))
    assert found == pytest.approx(0.25 * 0.2 + 0.5, abs=0.03)  # a: 1/4, of which a fifth; b and c: 1/2
    draws = np.random.default_rng(1)
    new, _, _ = settled(space, lines)
    drawn = [new.admits(space.build(lambda p: p.value_at(draws.random()))) for _ in range(4000)]
    assert found == pytest.approx(np.mean(drawn), abs=0.04)


def test_the_share_is_told_with_what_is_fixed():
    analysis = analyzed(table([]))
    found = refine(analysis)
    assert share_text(found) == "all of the old space is searched still"
    assert share_text(dataclasses.replace(found, share=0.123)) == "12 % of the old space is searched still"
    assert share_text(dataclasses.replace(found, share=0.00123)) == "0.12 % of the old space is searched still"
    assert share_text(dataclasses.replace(found, fixed={"a": 1})).endswith("still, and 1 parameter is fixed")


# --- the whole -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["conservative", "aggressive"])
def test_what_is_carried_lies_in_the_new_space_and_the_best_are_tried_first(style):
    space = space_of(real("x", 0.0, 10.0), choice("kind", "a", "b", "c"), real("y", 0.0, 1.0, when={"kind": "c"}))
    made = searched(space, lambda s: abs(s["x"] - 4) + 9 * (s["kind"] == "c"), n=90)
    found = refine(analyzed(made), style=style)
    by_name = {t.name: t for t in made.trials}
    assert 0 < len(found.carried) < 90
    assert all(found.space.admits(by_name[name].settings) for name in found.carried)
    outside = [t for t in made.trials if t.name not in found.carried]
    assert not any(found.space.admits(t.settings) for t in outside)
    best = min(made.trials, key=lambda t: t.value)
    assert found.first[0] == best.settings and best.name in found.carried
    assert 0 < found.share < 1


def test_the_document_s_sweep_concludes_nothing_and_says_why():
    """The metric of the twenty trials depends on the batch size, and the best is within luck."""
    found = refine(analyze(arc_table()), style="aggressive")
    assert {line.action for line in found.lines} == {"kept"}
    assert {line.rule for line in found.lines} <= {"refine.barred", "refine.few_trials", "refine.one_value"}
    assert found.not_concluded[0].startswith("Anything from these trials, so that no range changed:")
    assert found.share == 1.0


@pytest.mark.parametrize("n", [0, 1, 2])
def test_hardly_any_trial_leaves_the_space_as_it_was(n):
    space = space_of(real("x", 0.0, 1.0), choice("kind", "a", "b"))
    found = refine(analyzed(searched(space, lambda s: s["x"], n=n)), style="aggressive")
    assert found.space == space and found.expectation is None
    assert len(found.carried) == n


def test_the_same_trials_and_seed_give_the_same_refinement():
    space = space_of(real("x", 0.0, 10.0), real("y", 0.0, 1.0))
    made = searched(space, lambda s: abs(s["x"] - 4), fresh={"0": (1.0, 1.1, 1.2)})
    first, again = (refine(analyzed(made, seed=3), style="aggressive") for _ in range(2))
    assert first.definition() == again.definition()


def test_what_was_not_concluded_is_said_with_what_it_would_take():
    space = space_of(real("x", 0.0, 10.0), real("junk", 0.0, 1.0))
    made = searched(space, lambda s: abs(s["x"] - 4))
    tpe = dataclasses.replace(made, trials=tuple(dataclasses.replace(t, origin="tpe") for t in made.trials))
    said = " ".join(refine(analyzed(tpe, is_weighed=True), style="aggressive").not_concluded)
    assert "junk matters: not shown with 60 trials" in said
    assert "no config was repeated" in said
    assert "it chose 60 of 60 trials" in said
    assert "it chose" not in " ".join(refine(analyzed(made), style="aggressive").not_concluded)


def test_a_grid_stays_a_grid_and_says_that_its_points_are_known():
    space = space_of(real("x", 0.0, 2.0, step=0.1), integer("k", 1, 4))
    trials = [
        Trial(name=str(i), state="COMPLETE", settings=config, value=abs(config["x"] - 0.5), origin="grid")
        for i, config in enumerate(space.grid())
    ]
    made = table(trials, space=space, sweep=a_sweep(space, "grid"))
    found = refine(analyzed(made), style="aggressive")
    assert found.space.parameters[0].step == 0.1 and 0 < found.share < 1
    assert 0 < found.space.grid_size() == len(found.carried) < space.grid_size()
    assert any("between the points of the grid" in text for text in found.not_concluded)


# --- any space -------------------------------------------------------------------------------------------------------


@st.composite
def trees(draw):
    """A space of choices with children under some of their values, to two levels, and a line for each parameter."""
    parameters, lines = [], []
    for i in range(draw(st.integers(1, 3))):
        parent = choice(f"p{i}", *range(draw(st.integers(2, 4))))
        parameters.append(parent)
        left = draw(st.lists(st.sampled_from(parent.choices), min_size=1, unique=True))
        lines.append(fixed(parent, left[0]) if len(left) == 1 else narrowed(parent, choices=tuple(sorted(left))))
        for j in range(draw(st.integers(0, 2))):
            under = draw(st.lists(st.sampled_from(parent.choices), min_size=1, unique=True))
            child = choice(f"p{i}c{j}", "u", "v", when={parent.name: under})
            parameters.append(child)
            lines.append(draw(st.sampled_from([kept(child), narrowed(child, choices=("v",))])))
            grandchild = real(f"p{i}c{j}g", 0.0, 1.0, when={child.name: "u"})
            parameters.append(grandchild)
            lines.append(kept(grandchild))
    free = real("free", 0.0, 1.0)
    order = draw(st.permutations(range(len(parameters))))
    return space_of(*(parameters[i] for i in order), free), [*(lines[i] for i in order), kept(free)]


@settings(max_examples=150, deadline=None)
@given(trees(), st.integers(0, 2**32))
def test_whatever_is_left_is_a_space_whose_configs_the_old_one_had(made, seed):
    old, lines = made
    space, gone, told = settled(old, lines)
    space.check()
    assert {line.before.key for line in told} == {p.key for p in old.parameters}
    rng = np.random.default_rng(seed)
    for _ in range(5):
        config = {**gone, **space.build(lambda p: p.value_at(rng.random()))}
        assert old.admits(config), old.why_not(config)
