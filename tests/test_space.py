"""Settings are taken in their parameter's own type, or refused with what may stand there."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import SpaceError, quoted
from surefoot.space import Parameter, SearchSpace, boolean, choice, integer, real

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
