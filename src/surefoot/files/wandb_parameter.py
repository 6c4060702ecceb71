"""One parameter of W&B's sweep format: its distribution in our words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from surefoot.errors import nearest, quoted
from surefoot.files.plan_document import kind_of
from surefoot.parameter import Parameter, boolean, choice, integer, real

# The keys of every distribution: those it must have, then those it may have (sweeps 0.3.0, config/schema.json).
DISTRIBUTIONS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "constant": (("value",), ()),
    "categorical": (("values",), ("probabilities",)),
    "categorical_w_probabilities": (("values", "probabilities"), ()),
    "int_uniform": (("min", "max"), ()),
    "uniform": (("min", "max"), ()),
    "q_uniform": (("min", "max"), ("q",)),
    "log_uniform": (("min", "max"), ()),
    "log_uniform_values": (("min", "max"), ()),
    "q_log_uniform": (("min", "max"), ("q",)),
    "q_log_uniform_values": (("min", "max"), ("q",)),
    "inv_log_uniform": (("min", "max"), ()),
    "inv_log_uniform_values": (("min", "max"), ()),
    "normal": ((), ("mu", "sigma")),
    "q_normal": ((), ("mu", "sigma", "q")),
    "log_normal": ((), ("mu", "sigma")),
    "q_log_normal": ((), ("mu", "sigma", "q")),
    "beta": ((), ("a", "b")),
    "q_beta": ((), ("a", "b", "q")),
}
DEFAULTS = {"q": 1.0, "mu": 0.0, "sigma": 1.0, "a": 1.0, "b": 1.0}
ON_A_GRID = ("constant", "categorical", "int_uniform", "q_uniform")
MOST_WEIGHTED = 1000
LARGEST_EXPONENT = 700.0

EDGES = "the lowest and the highest value are as likely as those between; W&B draws them about half as often"
NO_BETA = "is drawn evenly: a beta distribution is not known here"

Refuse = Callable[[str, str], Any]  # the key within the parameter (or nothing), and what is wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A parameter at its place among nested ones; without `parameter` it is the constant `value`."""

    place: tuple[str, ...]
    parameter: Parameter | None = None
    value: Any = None
    notices: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called: the places joined by dots."""
        return ".".join(self.place)


def read_parameter(place: tuple[str, ...], block: Mapping[str, Any], *, is_grid: bool, refuse: Refuse) -> Found:
    """The parameter that a block of W&B's asks for; `refuse` raises for what breaks W&B's format."""
    kind = _distribution(block, refuse)
    needed, possible = DISTRIBUTIONS[kind]
    known = (*needed, *possible, "distribution")
    for key in block:
        if key not in known:
            hint = nearest(key, known)
            refuse(key, f"is not a key of {kind} (it takes {', '.join(known)}){'.' * bool(hint)}{hint}")
    for key in needed:
        if key not in block:
            refuse("", f"must have {key}, as its distribution is {kind}")
    if kind == "constant":
        return Found(place=place, value=block["value"])
    if is_grid and (kind not in ON_A_GRID or "probabilities" in block):
        what = "probabilities" if "probabilities" in block else kind
        refuse(
            "",
            f"must have values, int_uniform or q_uniform in a grid; got {what}. Give it values, or use method: random",
        )
    if kind.startswith("categorical"):
        return Found(place=place, parameter=_categorical(".".join(place), block, is_grid, refuse))
    numbers = {key: _number(key, block.get(key, DEFAULTS.get(key)), refuse) for key in (*needed, *possible)}
    if "min" in numbers and numbers["min"] >= numbers["max"]:
        refuse("min", f"must be less than max; got {numbers['min']} and {numbers['max']}. To fix it write value")
    for key in ("q", "sigma"):
        if key in numbers and numbers[key] <= 0:
            refuse(key, f"must be above 0; got {numbers[key]}")
    if is_grid and kind == "q_uniform":
        return Found(place=place, parameter=_grid_steps(".".join(place), numbers))
    parameter, notices = _numeric(".".join(place), kind, numbers, refuse)
    return Found(place=place, parameter=parameter, notices=notices)


def _distribution(block: Mapping[str, Any], refuse: Refuse) -> str:
    """The distribution named, or the one that W&B infers."""
    if "distribution" in block:
        kind = block["distribution"]
        if kind not in DISTRIBUTIONS:
            hint = nearest(str(kind), DISTRIBUTIONS)
            refuse(
                "distribution", f"must be one of {', '.join(DISTRIBUTIONS)}; got {quoted(kind)}{'.' * bool(hint)}{hint}"
            )
        return str(kind)
    if "values" in block:
        return "categorical"
    if "value" in block:
        return "constant"
    if "min" in block or "max" in block:
        return "int_uniform" if all(_is_whole(block.get(key, 0)) for key in ("min", "max")) else "uniform"
    listed = ", ".join(block)
    return str(refuse("", f"must have value, values, min and max, or a distribution; got {listed}"))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(key: str, value: Any, refuse: Refuse) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        refuse(key, f"must be a number; got {kind_of(value)}")
    return value


def _categorical(name: str, block: Mapping[str, Any], is_grid: bool, refuse: Refuse) -> Parameter:
    """The choices, those that stand twice put together with the weight of both."""
    values, shares = block["values"], block.get("probabilities")
    if not isinstance(values, list) or not values:
        refuse("values", f"must be a list of at least one value; got {kind_of(values)}")
    if shares is not None:
        if not isinstance(shares, list) or len(shares) != len(values):
            refuse("probabilities", f"must be a list with one number for each of the {len(values)} values")
        if any(_number("probabilities", share, refuse) < 0 for share in shares) or abs(sum(shares) - 1) > 1e-5:
            refuse("probabilities", f"must be from 0 to 1 and add up to 1; got {shares}")
    choices: list[Any] = []
    weights: list[float] = []
    for value, share in zip(values, shares or [1.0] * len(values), strict=True):
        twin = next((i for i, other in enumerate(choices) if _is_same(value, other)), None)
        if twin is None:
            choices.append(value)
            weights.append(share)
        else:
            weights[twin] += share
    if choices == [False, True] and all(isinstance(c, bool) for c in choices) and len(set(weights)) == 1:
        return boolean(name)
    is_even = is_grid or len(set(weights)) == 1
    return choice(name, *choices, weights=() if is_even else weights)


def _is_same(value: Any, other: Any) -> bool:
    return isinstance(value, bool) is isinstance(other, bool) and bool(value == other)


def _grid_steps(name: str, numbers: Mapping[str, Any]) -> Parameter:
    """W&B's grid of q_uniform: from min in steps of q, max left out (numpy.arange)."""
    low, high, q = numbers["min"], numbers["max"], numbers["q"]
    count = max(1, math.ceil((Decimal(str(high)) - Decimal(str(low))) / Decimal(str(q))))
    if count == 1:
        return choice(name, low)
    if all(map(_is_whole, (low, high, q))):
        return integer(name, low, low + (count - 1) * q, step=q)
    return real(name, float(low), _times(q, count - 1, low), step=float(q))


def _numeric(name: str, kind: str, n: Mapping[str, Any], refuse: Refuse) -> tuple[Parameter, tuple[str, ...]]:
    """A number's parameter, and what of its distribution is not honoured. Formulas: params.py, `HyperParameter.ppf`."""
    if kind == "int_uniform":
        for key in ("min", "max"):
            if not _is_whole(n[key]):
                refuse(key, f"must be a whole number for int_uniform; got {n[key]}")
        return integer(name, n["min"], n["max"]), ()
    if kind.removeprefix("q_") in ("normal", "log_normal"):
        return _normal(name, n, is_log="log" in kind), ()
    if kind.removeprefix("q_") == "beta":
        low, high, is_log = 0.0, 1.0, False
    else:
        low, high, is_log = *_bounds(kind, n, refuse), "log" in kind
    notices = []
    if kind.endswith("log_uniform"):
        notices.append(
            f"{kind} takes powers of e, so it is searched from {low:g} to {high:g}; "
            f"where those are not the limits you meant write {kind}_values"
        )
    if kind.endswith("beta") and (n["a"], n["b"]) != (1, 1):
        notices.append(NO_BETA)
    if "q" not in n:
        return real(name, float(low), float(high), log=is_log), tuple(notices)
    parameter = _quantised(name, low, high, n["q"], is_log, refuse)
    return parameter, (*notices, *(() if parameter.weights else (EDGES,)))


def _bounds(kind: str, n: Mapping[str, Any], refuse: Refuse) -> tuple[float, float]:
    """The lowest and the highest value, before any rounding."""
    low, high = n["min"], n["max"]
    if "log" not in kind or kind.endswith("_values"):
        if "log" in kind and low <= 0:
            refuse("min", f"must be above 0 for {kind}; got {low}")
        return low, high
    if max(abs(low), abs(high)) > LARGEST_EXPONENT:
        advice = f"for limits write {kind}_values"
        refuse("max", f"must be a power of e, at most {LARGEST_EXPONENT:g}; got {low} and {high}; {advice}")
    # inv_log_uniform draws 1/e^x.
    return (math.exp(-high), math.exp(-low)) if kind.startswith("inv_") else (math.exp(low), math.exp(high))


def _normal(name: str, n: Mapping[str, Any], *, is_log: bool) -> Parameter:
    q = n.get("q")
    return Parameter(
        name=name, kind="int" if _is_whole(q) else "float", normal=(n["mu"], n["sigma"]), log=is_log, step=q
    )


def _quantised(name: str, low: float, high: float, q: Any, is_log: bool, refuse: Refuse) -> Parameter:
    """The multiples of q that a value between low and high rounds to."""
    first, last = round(low / q), round(high / q)
    if first == last:
        only = f"every value to {_times(q, first):g}"
        refuse(
            "q" if q != DEFAULTS["q"] else "", f"rounds {only}, with q {q}; give a smaller q, or a distribution without"
        )
    if is_log and first <= 0:
        return _weighted(name, low, high, q, last, refuse)
    if _is_whole(q):
        return integer(name, first * q, last * q, log=is_log, step=q if q > 1 else None)
    return real(name, _times(q, first), _times(q, last), log=is_log, step=float(q))


def _weighted(name: str, low: float, high: float, q: Any, last: int, refuse: Refuse) -> Parameter:
    """As choices with their probabilities: on a log scale that rounds down to 0, which no such scale holds."""
    if last > MOST_WEIGHTED:
        refuse("min", f"rounds to 0 with q {q}, on a log scale; give a min of at least {q}, or a smaller q")

    def below(value: float) -> float:
        return math.log(min(max(value, low), high) / low) / math.log(high / low)

    shares = [below((k + 0.5) * q) - below((k - 0.5) * q) for k in range(last + 1)]
    return choice(name, *(k * q if _is_whole(q) else _times(q, k) for k in range(last + 1)), weights=shares)


def _times(q: Any, count: int, start: Any = 0) -> float:
    """start + count * q in the decimals a person would write."""
    return float(Decimal(str(start)) + count * Decimal(str(q)))
