"""A range in another tool's spelling, as "suggest_float(1e-5, 1e-1, log=True)", read without running anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from surefoot.errors import SpaceError, nearest, quoted

FLOAT, INT = {"type": "float"}, {"type": "int"}
BOUNDS, STEPS, QUANTISED = ("min", "max"), ("min", "max", "step"), ("min", "max", "q")
# How a call is spelled: what its arguments mean in their order, and what goes without saying.
# `below` is an upper bound that does not belong to the range.
SPELLINGS: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    # Optuna
    "suggest_float": (BOUNDS, FLOAT),
    "suggest_int": (BOUNDS, INT),
    "suggest_uniform": (BOUNDS, FLOAT),
    "suggest_loguniform": (BOUNDS, {**FLOAT, "log": True}),
    "suggest_discrete_uniform": (STEPS, FLOAT),
    "suggest_categorical": (("choices",), {}),
    "FloatDistribution": (("min", "max", "log", "step"), FLOAT),
    "IntDistribution": (("min", "max", "log", "step"), INT),
    "CategoricalDistribution": (("choices",), {}),
    # Ray Tune
    "uniform": (BOUNDS, FLOAT),
    "quniform": (QUANTISED, FLOAT),
    "loguniform": ((*BOUNDS, "base"), {**FLOAT, "log": True}),
    "qloguniform": ((*QUANTISED, "base"), {**FLOAT, "log": True}),
    "randn": (("mu", "sigma"), {**FLOAT, "mu": 0.0, "sigma": 1.0}),
    "qrandn": (("mu", "sigma", "q"), FLOAT),
    "randint": (("min", "below"), INT),
    "qrandint": (QUANTISED, INT),
    "lograndint": (("min", "below", "base"), {**INT, "log": True}),
    "qlograndint": ((*QUANTISED, "base"), {**INT, "log": True}),
    "grid_search": (("choices",), {}),
    # Ray Tune and Hydra
    "choice": (("choices",), {}),
    # Hydra
    "interval": (BOUNDS, FLOAT),
    "range": (("min", "below", "step"), {}),
}
KEYWORDS = {"low": "min", "lower": "min", "start": "min", "high": "max", "upper": "max", "end": "max", "stop": "below"}
KEYWORDS |= {"mean": "mu", "sd": "sigma", "categories": "choices", "values": "choices"}
PREFIXES = ("trial.", "tune.", "ray.tune.", "optuna.distributions.", "distributions.")
WORDS = {"true": True, "false": False, "null": None}


def range_in(text: str, name: str) -> dict[str, Any] | None:
    """What a text says of the parameter's range, in the keys of our own format; None where it is no range.

    Raises SpaceError, as the rest of a sentence, for a call that is nearly one.
    """
    called = re.match(r"\s*([A-Za-z_][\w.]*)\s*\(", text)
    if called is None:
        return None
    spelled = _short(called[1])
    if not text.rstrip().endswith(")") and spelled not in SPELLINGS:
        return None
    if spelled not in {*SPELLINGS, "tag", "int", "float"}:
        hint = nearest(spelled, SPELLINGS)
        if not hint:
            return None
        raise SpaceError(f"must be a range; got {quoted(text)}.{hint} For the text itself write {{value: …}}")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise SpaceError(f"must be a range, as loguniform(1e-5, 1e-1); got {quoted(text)}") from error
    if not isinstance(call, ast.Call):
        raise SpaceError(f"must be one range; got {quoted(text)}")
    return _said_by(call, name)


def _said_by(call: ast.Call, name: str) -> dict[str, Any]:
    spelled = _short(ast.unparse(call.func))
    if spelled == "tag":
        return _tagged(call, name)
    if spelled in ("int", "float") and len(call.args) == 1 and isinstance(call.args[0], ast.Call):
        return {**_said_by(call.args[0], name), "type": spelled}
    if spelled not in SPELLINGS:
        raise SpaceError(f"must be a range, as loguniform(1e-5, 1e-1); got {quoted(ast.unparse(call))}")
    meanings, usual = SPELLINGS[spelled]
    values = [_literal(argument) for argument in call.args]
    if spelled.startswith("suggest_") and values[:1] == [name]:
        values = values[1:]
    if meanings == ("choices",) and values and not (len(values) == 1 and isinstance(values[0], list)):
        values = [values]
    if len(values) > len(meanings):
        raise SpaceError(f"must give {spelled} at most {len(meanings)} values; got {len(values)}")
    if spelled in ("randint", "range") and len(values) == 1:
        values = [0, *values]
    said = dict(zip(meanings, values, strict=False))
    for keyword in call.keywords:
        said[_meaning(spelled, keyword, meanings)] = _literal(keyword.value)
    said.pop("base", None)  # the logarithm's base changes nothing
    said = {key: value for key, value in {**usual, **said}.items() if value is not None}
    return _closed(said, spelled)


def _meaning(spelled: str, keyword: ast.keyword, meanings: tuple[str, ...]) -> str:
    word = keyword.arg or "**"
    meaning = KEYWORDS.get(word, word)
    if meaning == "max" and "below" in meanings:
        meaning = "below"
    known = {*meanings, "step", "log"} if "Dist" in spelled or "suggest" in spelled else set(meanings)
    if meaning not in known:
        raise SpaceError(f"must give {spelled} what it knows ({', '.join(sorted(known))}); got {quoted(word)}")
    return meaning


def _closed(said: dict[str, Any], spelled: str) -> dict[str, Any]:
    """The same range with an upper bound that belongs to it, in the place of `below`."""
    if "below" not in said:
        return said
    below, low, step = said.pop("below"), said.get("min", 0), said.get("step", 1)
    if any(not isinstance(value, int | float) or isinstance(value, bool) for value in (below, low, step)):
        raise SpaceError(f"must give {spelled} numbers; got {quoted([low, below, step])}")
    if step <= 0 or below <= low:
        raise SpaceError(f"must give {spelled} a range that is not empty; got {low} to {below} in steps of {step}")
    if all(isinstance(value, int) for value in (below, low, step)):
        return {**said, "type": "int", "max": low + (below - 1 - low) // step * step}
    places = -(-(below - low) // step) - 1
    return {**said, "type": "float", "step": step, "max": low + places * step}


def _tagged(call: ast.Call, name: str) -> dict[str, Any]:
    """What Hydra's tag(log, interval(a, b)) says."""
    *tags, inner = call.args or [ast.Constant(None)]
    words = [_literal(tag) for tag in tags]
    if not isinstance(inner, ast.Call) or words not in (["log"], ["int"], ["log", "int"], ["int", "log"]):
        raise SpaceError(f"must be tag(log, interval(a, b)) or tag(int, …); got {quoted(ast.unparse(call))}")
    said = _said_by(inner, name)
    said |= {"log": True} if "log" in words else {}
    return said | ({"type": "int"} if "int" in words else {})


def _literal(node: ast.expr) -> Any:
    """A number, a text, true, false, nothing, or a list of those; a bare word is a text, as Hydra has it."""
    if isinstance(node, ast.Name):
        return WORDS.get(node.id, node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise SpaceError(f"must give plain values; got {quoted(ast.unparse(node))}") from error
    if not isinstance(value, str | int | float | bool | type(None)):
        raise SpaceError(f"must give plain values; got {quoted(ast.unparse(node))}")
    return value


def _short(called: str) -> str:
    """The call's name without the module that people write before it."""
    for prefix in PREFIXES:
        called = called.removeprefix(prefix)
    return called
