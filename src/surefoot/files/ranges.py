"""What a sweep's file says of one setting: a range, choices, or a single value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Annotated, Any, Literal, NoReturn

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from surefoot.errors import SpaceError
from surefoot.files.entry import Strict, came, shaped
from surefoot.files.plan_document import Path_, PlanDocument
from surefoot.files.range_text import range_in
from surefoot.parameter import LARGEST, Parameter, choice

LOWEST, HIGHEST = ("min", "low", "lower"), ("max", "high", "upper")


def _number(value: Any) -> int | float:
    """The number as it was written: whether it is whole decides what kind of range it bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("float_type", "a number")
    if not abs(value) <= LARGEST:
        raise PydanticCustomError("finite_number", "a finite number")
    return value


Number = Annotated[Any, AfterValidator(_number), WithJsonSchema({"type": "number"})]


class RangeEntry(Strict):
    """The values one setting may take."""

    type: Literal["float", "int", "bool"] | None = None
    suggest: Literal["float", "int", "categorical"] | None = None
    min: Number = None
    max: Number = None
    low: Number = None
    high: Number = None
    lower: Number = None
    upper: Number = None
    log: bool = False
    step: Number = None
    q: Number = None
    mu: Number = None
    sigma: Number = None
    choices: list[Any] | None = None
    values: list[Any] | None = None
    weights: list[Number] = Field(default_factory=list)
    value: Any = None
    when: dict[str, Any] = Field(default_factory=dict)
    role: Literal["scientific", "nuisance"] = "nuisance"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fixed:
    """A setting with a single value."""

    value: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Where a setting is written, what it is called and the kind that its workload gives it, if any."""

    document: PlanDocument
    name: str
    where: Path_
    kind: str = ""

    def refuse(self, message: str, *inside: str | int) -> NoReturn:
        """Raises PlanError by the line of what lies inside."""
        self.document.refuse((*self.where, *inside), message)


def read_setting(asked: Asked, written: Any) -> Iterator[tuple[Parameter | Fixed, Path_]]:
    """What is written of a setting, and where: one value, one parameter, or several under different conditions."""
    if isinstance(written, list) and any(isinstance(item, dict) for item in written):
        for place, item in enumerate(written):
            if not (isinstance(item, dict) and item.get("when")):
                asked.refuse("must be plain choices, or ranges that each have a `when`", place)
            inner = Asked(document=asked.document, name=asked.name, where=(*asked.where, place), kind=asked.kind)
            yield _range(inner, item), inner.where
    elif isinstance(written, list):
        _require_plain(asked, written)
        yield _right(asked, choice(asked.name, *written)), asked.where
    elif isinstance(written, dict):
        yield _range(asked, written), asked.where
    else:
        yield _single(asked, written), asked.where


def _single(asked: Asked, written: Any) -> Parameter | Fixed:
    if written is None:
        asked.refuse("must be a range, a list of choices or a value; got nothing. Fill it in, or delete the line")
    try:
        said = range_in(written, asked.name) if isinstance(written, str) else None
    except SpaceError as error:
        asked.refuse(str(error))
    if said is not None:
        return _range(asked, said)
    _require_plain(asked, [written])
    return Fixed(value=written)


def _range(asked: Asked, written: dict[str, Any]) -> Parameter | Fixed:
    if "distribution" in written:
        asked.refuse("belongs to W&B's format; here write log: true, or mu and sigma", "distribution")
    entry = shaped(RangeEntry, asked.document, written, asked.where)
    forms = [form for form, keys in FORMS.items() if keys & entry.model_fields_set]
    forms += ["bool"] if entry.type == "bool" else []
    if len(forms) != 1:
        asked.refuse(f"must be one of: bounds (min and max), choices, a value, type: bool; got {came(written)}")
    if forms == ["value"]:
        _require_plain(asked, [entry.value], "value")
        if not entry.when:
            return Fixed(value=entry.value)
        return choice(asked.name, entry.value, when=_when(asked, entry), role=entry.role)
    if forms == ["choices"]:
        return _right(asked, _choices(asked, entry))
    return _right(asked, _boolean(asked, entry) if forms == ["bool"] else _numbers(asked, entry))


# The forms a range can have, and the keys by which each is known.
FORMS = {
    "value": {"value"},
    "choices": {"choices", "values"},
    "numbers": {*LOWEST, *HIGHEST, "mu", "sigma"},
}


def _choices(asked: Asked, entry: RangeEntry) -> Parameter:
    if entry.choices is not None and entry.values is not None:
        asked.refuse("is a synonym of choices; write one of them", "values")
    written = entry.values if entry.choices is None else entry.choices
    if written is None:
        asked.refuse("must be a list; got nothing", "choices")
    _refuse_alien(asked, entry, ("log", "step", "q", "type"), "numbers between bounds")
    if entry.suggest not in (None, "categorical"):
        asked.refuse(f"must be categorical where there are choices; got {entry.suggest}", "suggest")
    _require_plain(asked, written, "values" if entry.choices is None else "choices")
    return choice(asked.name, *written, weights=entry.weights, when=_when(asked, entry), role=entry.role)


def _boolean(asked: Asked, entry: RangeEntry) -> Parameter:
    _refuse_alien(asked, entry, ("log", "step", "q", "weights"), "a type of its own; for weights write choices")
    return Parameter(name=asked.name, kind="bool", when=_when(asked, entry), role=entry.role)


def _numbers(asked: Asked, entry: RangeEntry) -> Parameter:
    _refuse_alien(asked, entry, ("weights",), "choices")
    low, high = _bound(asked, entry, LOWEST), _bound(asked, entry, HIGHEST)
    if (entry.mu is None) != (entry.sigma is None):
        asked.refuse("must have both mu and sigma, or neither")
    if entry.step is not None and entry.q is not None:
        asked.refuse("must have either step (counted from the low bound) or q (multiples of it)")
    kind = _kind(asked, entry, (low, high, entry.step, entry.q))
    step = entry.step if entry.q is None else entry.q
    if entry.q is not None and entry.q > 0:
        low, high = multiples_within(low, high, entry.q)
    if kind == "int":
        low, high, step = (int(x) if x is not None and x == int(x) else x for x in (low, high, step))
    else:
        low, high, step = (None if x is None else float(x) for x in (low, high, step))
    return Parameter(
        name=asked.name,
        kind=kind,
        low=low,
        high=high,
        log=entry.log,
        step=step,
        normal=None if entry.mu is None else (float(entry.mu), float(entry.sigma)),
        when=_when(asked, entry),
        role=entry.role,
    )


def multiples_within(low: Any, high: Any, q: float) -> tuple[Any, Any]:
    """The first and the last multiple of `q` between two bounds; a bound that is None stays None."""
    steps = Decimal(str(q))

    def multiple(bound: Any, rounding: str) -> Any:
        if bound is None:
            return None
        found = (Decimal(str(bound)) / steps).to_integral_value(rounding) * steps
        return int(found) if isinstance(bound, int) and found == int(found) else float(found)

    return multiple(low, ROUND_CEILING), multiple(high, ROUND_FLOOR)


def _kind(asked: Asked, entry: RangeEntry, written: tuple[Any, ...]) -> Literal["float", "int"]:
    """The kind that is said, else the workload's, else int where every number is written as a whole one."""
    if entry.suggest == "categorical" or (entry.type and entry.suggest and entry.type != entry.suggest):
        asked.refuse(f"must be float or int for a range with bounds; got {entry.suggest}", "suggest")
    said = entry.type or entry.suggest or (asked.kind if asked.kind in ("int", "float") else "")
    if said:
        return "int" if said == "int" else "float"
    given = [number for number in written if number is not None]
    if entry.mu is not None or not all(isinstance(number, int) for number in given):
        return "float"
    if given == [0, 1]:
        asked.refuse("must say which numbers are meant: 0.0 and 1.0 for all between, or type: int for 0 and 1 alone")
    return "int"


def _bound(asked: Asked, entry: RangeEntry, names: tuple[str, ...]) -> Any:
    given = [name for name in names if getattr(entry, name) is not None]
    if len(given) > 1:
        asked.refuse(f"is a synonym of {given[0]}; write one of them", given[1])
    return getattr(entry, given[0]) if given else None


def _refuse_alien(asked: Asked, entry: RangeEntry, keys: tuple[str, ...], home: str) -> None:
    for key in keys:
        if key in entry.model_fields_set:
            asked.refuse(f"belongs to {home}", key)


def _when(asked: Asked, entry: RangeEntry) -> dict[str, tuple[Any, ...]]:
    found = {}
    for name, values in entry.when.items():
        listed = values if isinstance(values, list) else [values]
        _require_plain(asked, listed, "when", name)
        found[name] = tuple(listed)
    return found


def _require_plain(asked: Asked, values: list[Any], *inside: str) -> None:
    """Refuses keys with values, at any depth, and numbers that are not finite."""
    for value in values:
        if isinstance(value, list):
            _require_plain(asked, value, *inside)
        elif isinstance(value, dict) or (isinstance(value, float | int) and not abs(value) <= LARGEST):
            asked.refuse(
                f"must hold plain values: finite numbers, text, true, false, lists; got {came(value)}", *inside
            )


def _right(asked: Asked, parameter: Parameter) -> Parameter:
    """The parameter, unless something keeps it from being searched."""
    for mistake in parameter.mistakes():
        asked.refuse(mistake)
    return parameter
