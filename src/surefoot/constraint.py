"""A constraint: an inequality over settings and metrics, written as text."""

from __future__ import annotations

import ast
import functools
import math
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from surefoot.errors import SpaceError, nearest, quoted

LONGEST_TEXT = 500
# What a strict inequality misses by where both sides are equal: more than nothing.
TINY = sys.float_info.min

FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "log": math.log,
    "log2": math.log2,
    "sqrt": math.sqrt,
}
ARITHMETIC: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}
ALLOWED = "numbers, names, + - * / **, min max abs log log2 sqrt, and one or more of <= < >= >"


@dataclass(frozen=True, kw_only=True, slots=True)
class Constraint:
    """An inequality, as "batch_size * steps <= 640000"; build it with `constraint`."""

    text: str
    names: tuple[str, ...]

    def margin(self, values: Mapping[str, Any]) -> float:
        """By how much it is missed: at most 0 where it holds ("latency <= 20" is latency - 20).

        Infinite where a side cannot be computed, as the root of a negative number.
        Raises SpaceError where a name has no number.
        """
        numbers = {name: self._number(name, values) for name in self.names}
        comparison = _parsed(self.text)
        try:
            sides = [_value(side, numbers) for side in (comparison.left, *comparison.comparators)]
        except (ArithmeticError, ValueError):
            return math.inf
        pairs = zip(sides, comparison.ops, sides[1:], strict=False)
        margins = [_missed_by(left, how, right) for left, how, right in pairs]
        return max(math.inf if math.isnan(margin) else margin for margin in margins)

    def given(self, known: Mapping[str, Any]) -> Constraint:
        """The same constraint with the numbers of `known` in the place of their names."""
        if not set(self.names) & set(known):
            return self
        tree = ast.parse(self.text, mode="eval")
        numbers = {name: self._number(name, known) for name in self.names if name in known}
        return constraint(ast.unparse(_Filled(numbers).visit(tree)))

    def _number(self, name: str, values: Mapping[str, Any]) -> float:
        value = values.get(name)
        if not isinstance(value, int | float) or abs(value) > sys.float_info.max:
            raise SpaceError(f'constraint "{self.text}" needs a number for {name}; got {quoted(value)}')
        return float(value)


class _Filled(ast.NodeTransformer):
    """Puts numbers in the place of names."""

    def __init__(self, numbers: Mapping[str, float]) -> None:
        self.numbers = numbers

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id not in self.numbers:
            return node
        number = self.numbers[node.id]
        return ast.Constant(int(number) if number.is_integer() else number)


def constraint(text: str) -> Constraint:
    """The constraint that a text says; raises SpaceError for any other text. Nothing of it is ever executed."""
    text = " ".join(text.split())
    comparison = _parsed(text)
    functions = {id(node.func) for node in ast.walk(comparison) if isinstance(node, ast.Call)}
    found = [n for n in ast.walk(comparison) if isinstance(n, ast.Name) and id(n) not in functions]
    in_order = sorted(found, key=lambda n: (n.lineno, n.col_offset))
    return Constraint(text=text, names=tuple(dict.fromkeys(n.id for n in in_order)))


@functools.lru_cache(maxsize=1000)
def _parsed(text: str) -> ast.Compare:
    if len(text) > LONGEST_TEXT:
        raise SpaceError(f"a constraint must have at most {LONGEST_TEXT} characters; got {len(text)}")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SpaceError(f'a constraint must read like "batch_size * steps <= 640000"; got {quoted(text)}') from error
    if not isinstance(tree, ast.Compare):
        _refuse(text, "an inequality")
    for how in tree.ops:
        if not isinstance(how, ast.LtE | ast.Lt | ast.GtE | ast.Gt):
            _refuse(text, "an inequality with <=, <, >= or >")
    for side in (tree.left, *tree.comparators):
        _check(side, text)
    return tree


def _check(node: ast.expr, text: str) -> None:
    """Refuses what is not arithmetic over names and numbers."""
    if isinstance(node, ast.Name):
        return
    if isinstance(node, ast.Constant):
        number = node.value
        if not isinstance(number, int | float) or isinstance(number, bool) or abs(number) > sys.float_info.max:
            _refuse(text, f"an inequality of {ALLOWED}")
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        _check(node.left, text)
        _check(node.right, text)
    elif isinstance(node, ast.UnaryOp) and type(node.op) in ARITHMETIC:
        _check(node.operand, text)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id not in FUNCTIONS:
            hint = nearest(node.func.id, FUNCTIONS)
            _refuse(
                text, f"an inequality of {ALLOWED}", f"; {node.func.id} is no function here{'.' * bool(hint)}{hint}"
            )
        least = 2 if node.func.id in ("min", "max") else 1
        if len(node.args) < least or (least == 1 and len(node.args) > 1):
            _refuse(text, f"given {'two values or more' if least == 2 else 'one value'} for {node.func.id}")
        for argument in node.args:
            _check(argument, text)
    else:
        _refuse(text, f"an inequality of {ALLOWED}")


def _refuse(text: str, wanted: str, more: str = "") -> NoReturn:
    raise SpaceError(f"a constraint must be {wanted}; got {quoted(text)}{more}")


def _value(node: ast.expr, numbers: Mapping[str, float]) -> float:
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return float(node.value)
    if isinstance(node, ast.Name):
        return numbers[node.id]
    if isinstance(node, ast.BinOp):
        return ARITHMETIC[type(node.op)](_value(node.left, numbers), _value(node.right, numbers))
    if isinstance(node, ast.UnaryOp):
        return ARITHMETIC[type(node.op)](_value(node.operand, numbers))
    assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return FUNCTIONS[node.func.id](*(_value(argument, numbers) for argument in node.args))


def _missed_by(left: float, how: ast.cmpop, right: float) -> float:
    margin = left - right if isinstance(how, ast.LtE | ast.Lt) else right - left
    is_strict = isinstance(how, ast.Lt | ast.Gt)
    return max(margin, TINY) if is_strict and margin >= 0 else margin
