"""The search space that rows of settings show: kinds, ranges, scales and conditions."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.errors import quoted
from surefoot.parameter import Parameter, boolean, choice, integer, real
from surefoot.records.cells import is_number
from surefoot.records.conditions import conditions_of
from surefoot.space import SearchSpace
from surefoot.words import listing, setting

MANY_CATEGORIES = 100
MOST_NUMBERS_CHOSEN = 12
LOG_DECADES = 2
MOST_NAMED = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSpace:
    """What the rows show: the space, the settings that never vary, and in sentences what was inferred."""

    space: SearchSpace
    base: Mapping[str, Any]
    notices: tuple[str, ...]


def shown_space(columns: Mapping[str, Sequence[Any]]) -> ShownSpace:
    """The space that these settings were taken from, as far as they show it.

    Each column has a value for every row, None where the setting was not there. Ranges are what was seen.
    Whole numbers without large gaps are a range; few numbers that come again and again are a choice.
    """
    distinct = {name: _distinct(values) for name, values in columns.items()}
    base = {name: values[0] for name, values in distinct.items() if len(values) == 1}
    varied = {name: columns[name] for name, values in distinct.items() if len(values) > 1}
    conditions, irregular = conditions_of(varied)
    parameters = [
        dataclasses.replace(_parameter(name, values, distinct[name]), when=_ordered(conditions.get(name, {})))
        for name, values in varied.items()
    ]
    notices = [
        *_notices_of_fixed(base, [name for name, values in distinct.items() if not values]),
        *_notices_of_kinds(parameters, distinct),
        *_notices_of_conditions(parameters),
        *_notices_of_gaps(irregular, varied),
    ]
    return ShownSpace(space=SearchSpace(parameters=tuple(parameters)), base=base, notices=tuple(notices))


def named(names: Sequence[str]) -> str:
    """The names in a row, each in quotes where it is not plain; of very many the first, and how many more."""
    shown = [name if name.isprintable() and not set(name) & set(',;"<>&') else quoted(name) for name in names]
    if len(shown) > MOST_NAMED:
        shown = [*shown[:MOST_NAMED], f"{len(shown) - MOST_NAMED} more"]
    return listing(shown)


def _parameter(name: str, values: Sequence[Any], distinct: Sequence[Any]) -> Parameter:
    if all(isinstance(v, bool) for v in distinct):
        return boolean(name)
    if not all(is_number(v) for v in distinct):
        return choice(name, *distinct)
    n = sum(1 for v in values if v is not None)
    if _is_chosen(distinct, n):
        return choice(name, *distinct)
    is_log = _is_log([v for v in values if v is not None])
    if all(isinstance(v, int) for v in distinct):
        return integer(name, distinct[0], distinct[-1], log=is_log)
    return real(name, distinct[0], distinct[-1], log=is_log)


def _is_chosen(distinct: Sequence[float], n: int) -> bool:
    """Whether numbers look like picked from a list: few, met again and again, and no unbroken row of whole ones."""
    if len(distinct) > MOST_NUMBERS_CHOSEN:
        return False
    if all(isinstance(v, int) for v in distinct):
        is_dense = 2 * len(distinct) > distinct[-1] - distinct[0] + 1
        return not is_dense and len(distinct) <= 0.8 * n
    return len(distinct) <= n / 2


def _is_log(values: Sequence[float]) -> bool:
    """Whether positive numbers span two decades and their logarithms lie more evenly than they do themselves."""
    low, high = min(values), max(values)
    if low <= 0 or math.log10(high) - math.log10(low) < LOG_DECADES:
        return False
    return _unevenness([math.log(v) for v in values]) < _unevenness(values)


def _unevenness(values: Sequence[float]) -> float:
    """Kolmogorov's distance from the uniform distribution between the smallest and the largest."""
    ordered = sorted(values)
    low, width, n = ordered[0], ordered[-1] - ordered[0], len(ordered)
    return max(max((i + 1) / n - (v - low) / width, (v - low) / width - i / n) for i, v in enumerate(ordered))


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    """The different values, numbers before words, each in order."""
    # True and 1 are one key of a dictionary, but two values.
    found = {(isinstance(v, bool), v): v for v in values if v is not None}
    return tuple(sorted(found.values(), key=_place))


def _place(value: Any) -> tuple[int, float, str]:
    if isinstance(value, str):
        return 2, 0.0, value
    return (1 if isinstance(value, bool) else 0), float(value), ""


def _ordered(when: Mapping[str, Sequence[Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(sorted(values, key=_place)) for name, values in when.items()}


def _notices_of_fixed(base: Mapping[str, Any], empty: Sequence[str]) -> list[str]:
    found = []
    if base:
        shown = [f"{named([name])} {_shown(value)}" for name, value in list(base.items())[:MOST_NAMED]]
        more = [f"{len(base) - MOST_NAMED} more"] if len(base) > MOST_NAMED else []
        found.append(f"never varied, so nothing is said of them: {listing([*shown, *more])}")
    if empty:
        found.append(f"{named(empty)} {'is' if len(empty) == 1 else 'are'} empty in every row and left out")
    return found


def _notices_of_kinds(parameters: Sequence[Parameter], distinct: Mapping[str, Sequence[Any]]) -> list[str]:
    found = []
    for parameter in parameters:
        values, name = distinct[parameter.name], named([parameter.name])
        if parameter.kind == "categorical":
            kinds = {
                "words" if isinstance(v, str) else "true or false" if isinstance(v, bool) else "numbers" for v in values
            }
            if len(kinds) > 1:
                found.append(f"{name} holds {listing(sorted(kinds))}, so it is taken as a choice")
            if len(values) >= MANY_CATEGORIES:
                found.append(
                    f"{name} has {len(values):,} different values, which nothing can be learned of one by one; "
                    "if it is an identifier, name it in --results"
                )
    logs = [p.name for p in parameters if p.log]
    if logs:
        found.append(
            f"taken as drawn on a logarithmic scale, because the values span at least two decades and lie more evenly "
            f"there: {named(logs)}"
        )
    return found


def _notices_of_conditions(parameters: Sequence[Parameter]) -> list[str]:
    together: dict[str, list[str]] = {}
    for parameter in parameters:
        if parameter.when:
            together.setdefault(parameter.condition, []).append(parameter.name)
    said = [
        f"{named(names)} {'exists' if len(names) == 1 else 'exist'} only where {condition}"
        for condition, names in together.items()
    ]
    return [f"conditions as the empty cells show them: {'; '.join(said)}"] if said else []


def _notices_of_gaps(irregular: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> list[str]:
    found = []
    for name in irregular:
        values = columns[name]
        missing = sum(1 for v in values if v is None)
        found.append(
            f"{named([name])} is empty in {missing:,} of {len(values):,} rows, and no other setting tells when; "
            "those trials are left out wherever it is looked at"
        )
    return found


def _shown(value: Any) -> str:
    return quoted(value) if isinstance(value, str) and (not value.isprintable() or len(value) > 40) else setting(value)
