"""Settings are taken in their parameter's own type, or refused with what may stand there."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from surefoot.errors import SpaceError, quoted
from surefoot.space import Parameter, SearchSpace, boolean, choice, constraint, integer, real, space_of

SPACE = SearchSpace(
    parameters=(real("lr", 0.0, 1.0), integer("layers", 1, 8), choice("norm", "none", "batch", 3, True), boolean("on"))
)


@pytest.mark.parametrize(
    ("settings", "taken"),
    [
        ({"lr": 1}, {"lr": 1.0}),
        ({"lr": 0}, {"lr": 0.0}),
        ({"layers": 2.0}, {"layers": 2}),
        ({"norm": 3}, {"norm": 3}),
        ({"norm": True}, {"norm": True}),
        ({"on": False}, {"on": False}),
        ({}, {}),
    ],
)
def test_a_setting_comes_back_in_its_own_type(settings, taken):
    found = SPACE.checked(settings)
    assert found == taken
    assert [type(v) for v in found.values()] == [type(v) for v in taken.values()]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"lr": 1.1}, "lr must be a number from 0 to 1; got 1.1"),
        ({"lr": -1e-9}, "lr must be a number from 0 to 1; got -1e-09"),
        ({"lr": math.nan}, "lr must be a number from 0 to 1; got nan"),
        ({"lr": -math.inf}, "lr must be a number from 0 to 1; got -inf"),
        ({"lr": True}, "lr must be a number from 0 to 1; got true"),
        ({"lr": "1"}, 'lr must be a number from 0 to 1; got "1"'),
        ({"lr": None}, "lr must be a number from 0 to 1; got nothing"),
        ({"lr": [1]}, "lr must be a number from 0 to 1; got [1]"),
        ({"layers": 2.5}, "layers must be a whole number from 1 to 8; got 2.5"),
        ({"layers": 9}, "layers must be a whole number from 1 to 8; got 9"),
        ({"norm": "bach"}, 'norm must be one of none, batch, 3, True; got "bach". Did you mean "batch"?'),
        ({"norm": 3.0}, "norm must be one of none, batch, 3, True; got 3.0"),
        ({"norm": 1}, "norm must be one of none, batch, 3, True; got 1"),
        ({"on": 1}, "on must be true or false; got 1"),
        ({"on": "true"}, 'on must be true or false; got "true"'),
        ({"layer": 2}, "layer is not a setting of this workload (it has lr, layers, norm, on). Did you mean "),
    ],
)
def test_what_does_not_belong_is_refused_with_what_does(settings, says):
    with pytest.raises(SpaceError) as caught:
        SPACE.checked(settings)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        (real("x"), "x must be a number; got"),
        (real("x", 0.001), "x must be a number of at least 0.001; got"),
        (real("x", None, 1_000_000), "x must be a number of at most 1000000; got"),
        (integer("x", 10, 2_000_000), "x must be a whole number from 10 to 2000000; got"),
    ],
)
def test_a_range_reads_as_a_person_would_write_it(parameter: Parameter, says):
    with pytest.raises(SpaceError) as caught:
        parameter.checked("?")
    assert str(caught.value).startswith(says)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.integers())))
def test_any_value_is_taken_within_its_range_or_refused(value):
    for parameter in (real("x", -2.0, 1e300), integer("x", 0), real("x")):
        try:
            taken = parameter.checked(value)
        except SpaceError as error:
            assert len(str(error).splitlines()) == 1
        else:
            assert math.isfinite(taken) and taken == value
            assert parameter.low is None or taken >= parameter.low


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000], ids=["large", "small", "unprintable"])
def test_a_whole_number_beyond_any_float_is_refused(value):
    for parameter in (real("x"), integer("x", 1)):
        with pytest.raises(SpaceError, match="x must be"):
            parameter.checked(value)


@given(st.text())
def test_quoted_text_is_one_short_printable_line(text):
    shown = quoted(text)
    assert len(shown) <= 60
    assert all(c.isprintable() or c == "\u200d" for c in shown)


@st.composite
def parameters(draw, name="x", *, is_finite=False):
    """Any parameter that has no mistake."""
    kind = draw(st.sampled_from(["choice", "bool", "int", "step"] + ([] if is_finite else ["real", "log", "normal"])))
    if kind == "choice":
        values = draw(
            st.lists(st.one_of(st.integers(-9, 9), st.text(max_size=3), st.booleans()), min_size=1, max_size=4)
        )
        weights = draw(st.sampled_from([(), tuple(range(1, len(values) + 1))]))
        found = choice(name, *values, weights=weights)
    elif kind == "bool":
        found = boolean(name)
    elif kind == "int":
        low = draw(st.integers(1, 50))
        high = low + draw(st.integers(1, 4 if is_finite else 10**6))
        found = integer(name, low, high, log=draw(st.booleans()), step=draw(st.sampled_from([None, 1, 2])))
    elif kind == "step":
        step = draw(st.sampled_from([0.1, 0.05, 0.25, 1e-3, 7.0, 1 / 3]))
        low = draw(st.sampled_from([0.0, -1.0, 0.2, 1e-4]))
        high = low + step * draw(st.integers(1, 4)) + draw(st.sampled_from([0.0, step / 2]))
        found = real(name, low, high, step=step, log=low > 0 and draw(st.booleans()))
    elif kind == "normal":
        bounds = draw(st.sampled_from([(None, None), (0.5, None), (None, 3.0), (0.5, 3.0), (9.0, 9.5)]))
        step, log = draw(st.sampled_from([None, 0.25])), draw(st.booleans())
        found = Parameter(name=name, kind="float", low=bounds[0], high=bounds[1], normal=(1.0, 0.5), step=step, log=log)
    else:
        low = draw(st.floats(1e-9, 1e3))
        found = real(name, low, low * draw(st.floats(1.001, 1e9)), log=kind == "log")
    assume(not list(found.mistakes()))
    return found


@given(parameters(), st.floats(0, 1, exclude_max=True))
def test_what_a_parameter_proposes_it_admits(parameter, u):
    value = parameter.value_at(u)
    assert parameter.admits(value)
    assert parameter.checked(value) == value and type(parameter.checked(value)) is type(value)


@given(parameters(is_finite=True))
def test_every_level_is_proposed_and_nothing_else_is(parameter):
    proposed = [parameter.value_at((i + 0.5) / 4000) for i in range(4000)]
    levels = parameter.levels()
    assert len(levels) == parameter.level_count
    assert {repr(v) for v in proposed} == {repr(v) for v in levels}
    assert all(parameter.admits(v) for v in levels)


U = (np.arange(4000) + 0.5) / 4000


@pytest.mark.parametrize(
    ("parameter", "oracle"),
    [
        (real("x", -2.0, 5.0), stats.uniform(-2, 7)),
        (real("x", 1e-5, 1e-1, log=True), stats.loguniform(1e-5, 1e-1)),
        (Parameter(name="x", kind="float", normal=(3.0, 2.0)), stats.norm(3, 2)),
        (Parameter(name="x", kind="float", normal=(3.0, 2.0), low=2.0), stats.truncnorm(-0.5, np.inf, 3, 2)),
        (Parameter(name="x", kind="float", normal=(0.0, 1.0), low=6.0, high=7.0), stats.truncnorm(6, 7)),
        (Parameter(name="x", kind="float", normal=(-1.0, 0.5), log=True), stats.lognorm(0.5, scale=math.exp(-1))),
    ],
    ids=["uniform", "log", "normal", "cut normal", "far tail", "log normal"],
)
def test_a_real_parameter_follows_its_distribution(parameter, oracle):
    assert np.allclose([parameter.value_at(u) for u in U], oracle.ppf(U), rtol=1e-9)


@pytest.mark.parametrize(
    ("parameter", "oracle"),
    [
        (integer("x", 1, 8, log=True), stats.loguniform(0.5, 8.5)),
        (integer("x", 3, 12, step=3), stats.uniform(1.5, 12)),
        (real("x", 0.1, 0.5, step=0.1), stats.uniform(0.05, 0.5)),
        (
            Parameter(name="x", kind="float", low=0.0, high=4.0, step=1.0, normal=(1.0, 2.0)),
            stats.truncnorm(-0.75, 1.75, 1, 2),
        ),
        (Parameter(name="x", kind="int", normal=(0.0, 3.0)), stats.norm(0, 3)),
    ],
    ids=["log whole", "whole steps", "steps", "normal steps", "normal whole"],
)
def test_a_stepped_parameter_gives_each_step_its_share(parameter, oracle):
    values, counts = np.unique([parameter.value_at(u) for u in U], return_counts=True)
    half = (parameter.step or 1) / 2
    assert np.allclose(counts / len(U), oracle.cdf(values + half) - oracle.cdf(values - half), atol=1.01 / len(U))


def test_choices_come_as_often_as_their_weights_say():
    values = [choice("x", "a", "b", "c", weights=[1, 0, 3]).value_at(u) for u in U]
    assert (values.count("a"), values.count("b"), values.count("c")) == (1000, 0, 3000)


NET = SearchSpace(
    parameters=(
        real("momentum", 0.0, 0.99, step=0.33, when={"optimizer": "sgd"}),
        choice("optimizer", "sgd", "adam"),
        integer("width", 8, 10, when={"encoder": "cnn"}),
        integer("width", 16, 32, step=8, when={"encoder": ["resnet", "vit"]}),
        choice("encoder", "cnn", "resnet", "vit"),
        boolean("nesterov", when={"optimizer": "sgd"}),
        choice("dampening", 0.0, 0.5, when={"nesterov": False}),
        integer("heads", 1, 2, when={"width": 24, "encoder": "vit"}),
    ),
    constraints=(constraint("width * heads <= 24"), constraint("loss <= 3")),
)


def brute_force(space):
    """Every config, from the product of all levels and absence."""
    names = space.names()
    options = [[*(v for p in space.named(name) for v in p.levels()), None] for name in names]
    for values in itertools.product(*options):
        config = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if space.admits(config):
            yield config


def test_the_grid_of_a_conditional_space_is_what_brute_force_finds():
    NET.check()
    found = list(NET.grid())
    expected = list(brute_force(NET))
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert len(found) == NET.grid_size() == len({repr(config) for config in found})
    # heads 2 with width 24 breaks the constraint: 4 momenta with (true, or false with 2 dampenings), and adam
    assert NET.grid_size(is_constrained=False) == NET.grid_size() + 13


@given(st.data())
@settings(max_examples=60)
def test_what_is_built_is_admitted_and_nothing_less_or_more(data):
    depth = data.draw(st.integers(1, 4))
    levels = [data.draw(parameters(name="p0", is_finite=True))]
    for i in range(1, depth + 1):
        parent = data.draw(st.sampled_from(levels))
        value = data.draw(st.sampled_from(parent.levels()))
        levels.append(replace(data.draw(parameters(name=f"p{i}", is_finite=True)), when={parent.name: (value,)}))
    space = SearchSpace(parameters=tuple(data.draw(st.permutations(levels))))
    space.check()
    config = space.build(lambda p: p.value_at(data.draw(st.floats(0, 1, exclude_max=True))))
    assert space.admits(config)
    assert [p.name for p in space.active(config)] == [p.name for p in space.ordered if p.name in config]
    assert list(config) == [name for name in space.names() if name in config]
    for name in space.names():
        less = {key: value for key, value in config.items() if key != name}
        more = {**config, name: space.named(name)[0].levels()[0]}
        assert less == config or not space.admits(less)
        assert name in config or "does not exist here" in space.why_not(more)
    assert len(list(space.grid())) == space.grid_size() == len(list(brute_force(space)))
    assert space_of(json.loads(json.dumps(space.definition()))) == space


def test_the_first_reason_against_a_config_is_told():
    config = {"optimizer": "adam", "width": 24, "encoder": "vit", "heads": 1}
    assert NET.why_not(config) == ""
    assert NET.why_not({**config, "heads": 2}) == 'it must keep "width * heads <= 24"; got width 24, heads 2'
    assert (
        NET.why_not({**config, "momentum": 0.0}) == "momentum does not exist here; it does only when optimizer is sgd"
    )
    assert NET.why_not({"optimizer": "adam", "encoder": "cnn"}) == "width is missing (where encoder is cnn)"
    assert NET.why_not({**config, "width": 25, "heads": 1}).startswith("heads does not exist here")
    assert NET.why_not({**config, "hads": 1}).endswith('Did you mean "heads"?')
    says = "width must be a whole number from 8 to 10; got 24 (where encoder is cnn)"
    assert NET.why_not({"optimizer": "adam", "width": 24, "encoder": "cnn"}) == says


def test_a_parameter_is_known_by_its_name_and_conditions():
    keys = [p.key for p in NET.parameters]
    assert keys[0] == "momentum[optimizer=sgd]" and keys[3] == "width[encoder=resnet|vit]"
    assert keys[7] == "heads[encoder=vit,width=24]"
    assert len(set(keys)) == len(keys)
    one, other = (boolean("x", when={"y": value}).key for value in ("1", 1))
    assert (one, other) == ('x[y="1"]', "x[y=1]")


def test_a_space_can_be_widened_and_old_configs_that_fit_are_admitted_still():
    wide = SearchSpace(
        parameters=(*NET.parameters[:4], choice("encoder", "cnn", "resnet", "vit", "mlp"), *NET.parameters[5:])
    )
    assert all(wide.admits(config) for config in NET.grid())


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "a space must have at least one parameter that varies"),
        ([real("x")], "x must have a lowest and a highest value"),
        ([real("x", 2.0, 1.0)], "x must have a low bound below its high one; got 2 and 1"),
        (
            [integer("x", 2, 2)],
            "x must have a low bound below its high one; got 2 and 2. Write a single value to fix it",
        ),
        ([real("x", 0.0, 1.0, log=True)], "x must have a low bound above 0 for a log scale; got 0"),
        ([real("x", 0.0, 1.0, step=0.0)], "x must have a number above 0 as its step; got 0"),
        ([real("x", 0.0, 1.0, step=2.0)], "x must have a step within its range 0 to 1; got 2"),
        ([integer("x", 0, 9, step=1.5)], "x must have a whole number above 0 as its step; got 1.5"),
        ([integer("x", 0, 9.5)], "x must have whole numbers as bounds; got 0 and 9.5"),
        ([real("x", -math.inf, 1.0)], "x must have finite bounds"),
        ([Parameter(name="x", kind="float", normal=(0.0, 0.0))], "x must have a finite mean and a standard deviation"),
        ([choice("x")], "x must have at least one choice; got none"),
        (
            [choice("x", "a", "b", "a")],
            'x must have different choices; "a" stands twice. To make it likelier use weights',
        ),
        ([choice("x", 1, 1.0)], "x must have different choices; 1 stands twice"),
        ([choice("x", 1, math.nan)], "x must have finite numbers as choices"),
        ([choice("x", 1, 2, weights=[1])], "x must have one weight for each of its 2 choices; got 1"),
        ([choice("x", 1, 2, weights=[1, -1])], "x must have weights of 0 and more, not all 0"),
        ([boolean("")], " must have a name"),
        ([boolean("x", when={"x": True})], "x[x=true] must have a condition on another parameter; got one on itself"),
        (
            [boolean("xy"), boolean("z", when={"xz": 1})],
            'z[xz=1] must have conditions on what varies (xy, z); got "xz". Did',
        ),
        (
            [real("x", 0.0, 1.0), boolean("y", when={"x": 0.5})],
            "y[x=0.5] must have conditions on values that can be told apart",
        ),
        (
            [choice("x", "a"), boolean("y", when={"x": "b"})],
            'y[x=b] has a condition that never holds: x must be one of a; got "b"',
        ),
        ([choice("x", "a"), boolean("y", when={"x": []})], "y[x=] must have a condition on at least one value of x"),
        ([boolean("x", when={"y": True}), boolean("y", when={"x": True})], "x[y=true] must not rest on itself"),
        ([boolean("x"), boolean("x")], "x must have conditions that exclude those of x"),
        (
            [choice("a", 1, 2, 3), boolean("x", when={"a": [1, 2]}), boolean("x", when={"a": [2, 3]})],
            "x[a=2|3] must have conditions that exclude those of x[a=1|2]: a config holds one value",
        ),
        (
            [choice("a", 1, 2), choice("b", 3, 4, when={"a": 1}), boolean("x", when={"a": 2, "b": 3})],
            "x[a=2,b=3] has conditions that never hold together: a is 2, and b is 3",
        ),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_in_one_line(parts, says):
    with pytest.raises(SpaceError) as caught:
        SearchSpace(parameters=tuple(parts)).check()
    assert str(caught.value).startswith(says)
    assert len(str(caught.value).splitlines()) == 1


def test_twins_whose_conditions_exclude_each_other_further_up_are_two_parameters():
    SearchSpace(
        parameters=(
            choice("a", 1, 2),
            choice("b", 1, 2, when={"a": 1}),
            boolean("x", when={"b": 1}),
            boolean("x", when={"a": 2}),
        )
    ).check()


def test_a_continuous_parameter_has_no_grid():
    with pytest.raises(SpaceError, match="x has no end of values, which no grid can hold; give it a step, or values"):
        list(SearchSpace(parameters=(real("x", 0.0, 1.0),)).grid())
    with pytest.raises(SpaceError, match="x has 2,000,001 values, too many for a grid"):
        integer("x", 0, 2_000_000).levels()


def test_a_large_grid_is_counted_without_being_walked():
    space = SearchSpace(parameters=tuple(integer(f"x{i}", 1, 1000) for i in range(8)))
    assert space.grid_size() == 1000**8
    assert next(space.grid()) == {f"x{i}": 1 for i in range(8)}
