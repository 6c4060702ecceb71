"""A constraint says by how much it is missed, and nothing of its text is ever executed."""

from __future__ import annotations

import math
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.constraint import constraint
from surefoot.errors import SpaceError

numbers = st.floats(-1e6, 1e6)


@given(a=numbers, b=numbers)
@pytest.mark.parametrize(
    ("sign", "holds"), [("<=", operator.le), ("<", operator.lt), (">=", operator.ge), (">", operator.gt)]
)
def test_the_margin_is_at_most_zero_exactly_where_the_inequality_holds(sign, holds, a, b):
    assert (constraint(f"a {sign} b").margin({"a": a, "b": b}) <= 0) == holds(a, b)


@pytest.mark.parametrize(
    ("text", "margin"),
    [
        ("latency <= 20", 5.0),
        ("latency >= 20", -5.0),
        ("2 * latency - 3 ** 2 <= lr / 0.5", 40.8),
        ("-latency + 1 <= +0", -24.0),
        ("max(latency, 30, lr) <= min(lr, 1)", 29.9),
        ("abs(lr - 1) <= sqrt(latency)", -4.1),
        ("log2(latency / 25 * 8) <= log(1)", 3.0),
        ("0 <= lr <= latency", -0.1),
        ("0.2 <= lr <= 0.05", 0.1),
        ("latency + big <= 20", 6.0),
    ],
)
def test_arithmetic_is_that_of_a_pocket_calculator(text, margin):
    values = {"latency": 25, "lr": 0.1, "big": True}
    assert constraint(text).margin(values) == pytest.approx(margin)


@pytest.mark.parametrize(
    "text", ["sqrt(x) <= 1", "log(x) <= 1", "1 / (x + 1) <= 9", "x ** 0.5 <= 1", "9 ** 9 ** 9 + x <= 1"]
)
def test_what_cannot_be_computed_does_not_hold(text):
    assert constraint(text).margin({"x": -1.0}) == math.inf


def test_a_metric_that_is_nan_does_not_hold():
    assert constraint("x <= 1").margin({"x": math.nan}) == math.inf
    assert constraint("x >= 1").margin({"x": math.nan}) == math.inf


@pytest.mark.parametrize("value", ["7", None, [7], 10**400])
def test_a_name_without_a_number_is_refused(value):
    with pytest.raises(SpaceError, match='constraint "x <= 1" needs a number for x; got'):
        constraint("x <= 1").margin({"x": value})


def test_known_numbers_take_the_place_of_their_names():
    filled = constraint("batch_size * steps <= 640000").given({"steps": 500, "lr": 0.1})
    assert filled.text == "batch_size * 500 <= 640000" and filled.names == ("batch_size",)
    assert filled.margin({"batch_size": 1280}) == 0
    assert constraint("a <= b").given({"c": 1}) == constraint("a <= b")
    assert constraint("a <= b").given({"b": -0.5}).margin({"a": 1}) == 1.5


def test_names_come_once_in_the_order_of_the_text_and_functions_are_none():
    assert constraint("b * a +\n min(b, c) <= a").names == ("b", "a", "c")
    assert constraint(" a  <=\n 1 ").text == "a <= 1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must read like"),
        ("batch size <= 4", "must read like"),
        ("a + b", "must be an inequality; got"),
        ("a == b", "must be an inequality with <=, <, >= or >; got"),
        ("a in b", "must be an inequality with <=, <, >= or >; got"),
        ("__import__('os').system('true') <= 1", "must be an inequality of numbers, names"),
        ("a.b <= 1", "must be an inequality of numbers, names"),
        ("a[0] <= 1", "must be an inequality of numbers, names"),
        ("'a' <= b", "must be an inequality of numbers, names"),
        ("True <= b", "must be an inequality of numbers, names"),
        ("a % 2 <= b", "must be an inequality of numbers, names"),
        ("min(a, key=b) <= 1", "must be an inequality of numbers, names"),
        ("sqr(a) <= 1", 'sqr is no function here. Did you mean "sqrt"?'),
        ("exec(a) <= 1", "exec is no function here"),
        ("log(a, 2) <= 1", "must be given one value for log"),
        ("min(a) <= 1", "must be given two values or more for min"),
        ("a <= 1" + " + 1" * 200, "must have at most 500 characters; got 806"),
        ("(" * 300 + "a" + ")" * 190 + "<= 1", "must read like"),
        ("1e999 <= a", "must be an inequality of numbers, names"),
    ],
)
def test_any_other_text_is_refused_in_one_line(text, says):
    with pytest.raises(SpaceError) as caught:
        constraint(text)
    assert says in str(caught.value) and len(str(caught.value).splitlines()) == 1


@given(st.text(alphabet="ab1 +-*/().,<=>_'[]{}:;\\\n#", max_size=40))
def test_any_text_is_a_constraint_or_refused(text):
    try:
        found = constraint(text)
    except SpaceError as error:
        assert len(str(error).splitlines()) == 1
    else:
        margin = found.margin(dict.fromkeys(found.names, 1.0))
        assert not math.isnan(margin)
