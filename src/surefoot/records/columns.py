"""Columns: which of a table's columns are settings, results, budgets, times and names, by what tools call them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.errors import RecordError, nearest
from surefoot.records.cells import Cells, finite, seconds_in
from surefoot.records.naming import (
    AGGREGATES,
    BUDGETS,
    DURATIONS,
    ENDED,
    METRICS,
    NAMES,
    ORIGINS,
    OTHER_PREFIXES,
    PLACES,
    RESULT_PREFIXES,
    SEEDS,
    SETTING_PREFIXES,
    SETTING_WORDS,
    SIZES,
    SPLITS,
    STARTED,
    STATES,
    TOOLS,
    plain,
    prefix_of,
    words_of,
)
from surefoot.records.spaces import named

Role = Literal[
    "parameter", "result", "value", "name", "state", "seconds", "started", "ended", "budget", "seed", "origin", "other"
]

NEARLY_EVERY = 0.9
FEWEST_TEXTS = 8
SHORTEST_CORE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Every column with its role, in the source's order; `is_exact` where a tool's own prefixes said it."""

    columns: tuple[Cells, ...]
    roles: Mapping[str, Role]
    is_exact: bool
    notices: tuple[str, ...]

    def of(self, role: Role) -> tuple[Cells, ...]:
        """The columns of that role."""
        return tuple(c for c in self.columns if self.roles[c.header] == role)


def read_roles(
    columns: Sequence[Cells],
    *,
    where: str,
    value: str,
    parameters: Sequence[str] | None = None,
    results: Sequence[str] | None = None,
) -> Reading:
    """What each column is: as `parameters` and `results` say it, as a tool's prefixes do, else guessed by its name.

    Raises RecordError for a name that no column has, and for a parameter that is the value, whole or in another scale.
    """
    is_exact = any(prefix_of(c.header, SETTING_PREFIXES) for c in columns)
    known_as = _without_prefixes(columns) if is_exact else tuple(columns)
    target = _find(known_as, value, where, "--value")
    asked = None if parameters is None else [_find(known_as, name, where, "--parameters") for name in parameters]
    kept_out = [_find(known_as, name, where, "--results") for name in results or ()]
    _check(target, asked or (), kept_out, where)
    roles: dict[str, Role] = {}
    odd: list[str] = []
    for column in known_as:
        role = _role(column, target, is_exact=is_exact)
        if column in (asked or ()):
            role = "parameter"
        elif column in kept_out or (asked is not None and role == "parameter"):
            role = "result"
        elif role == "parameter" and not is_exact and _is_one_for_each(column):
            role = "other"
            odd.append(column.name)
        roles[column.header] = role
    if not any(role == "name" for role in roles.values()):
        roles |= _first_unnamed(known_as, roles)
    reading = Reading(columns=known_as, roles=roles, is_exact=is_exact, notices=())
    said = _notices(reading, odd, is_asked=asked is not None)
    return dataclasses.replace(reading, notices=said)


def numeric_names(columns: Sequence[Cells]) -> tuple[str, ...]:
    """The names of the columns that hold numbers: what the value may be in."""
    return tuple(c.header for c in columns if c.is_numeric)


def same_as_value(column: Cells, value: Cells) -> str:
    """How the value follows from the column, where it is the same numbers in another sign, unit or zero; or nothing.

    The scale is a power of ten, as between a share and a percentage: any other straight line is a setting's effect.
    """
    told = [(finite(x), y) for x, v in zip(column.values, value.values, strict=True) if (y := finite(v)) is not None]
    pairs = [(x, y) for x, y in told if x is not None]
    if len(pairs) < len(told) or len({y for _, y in pairs}) < 3 or not column.is_numeric:
        return ""
    (x0, y0), (x1, y1) = min(pairs), max(pairs)
    scale = (y1 - y0) / (x1 - x0) if x1 > x0 else 0.0
    if scale == 0 or not math.isfinite(scale) or not _is_power_of_ten(abs(scale)):
        return ""
    scale = math.copysign(10.0 ** round(math.log10(abs(scale))), scale)
    offset = y0 - scale * x0
    tolerance = 1e-9 * max(abs(y) for _, y in pairs)
    if any(abs(scale * x + offset - y) > tolerance for x, y in pairs):
        return ""
    size = "" if abs(scale) == 1 else f"{abs(scale):g} × "
    if abs(offset) <= tolerance:
        return f"{value.name} = {'−' if scale < 0 else ''}{size}{column.name}"
    return f"{value.name} = {offset:.6g} {'−' if scale < 0 else '+'} {size}{column.name}"


def _is_power_of_ten(scale: float) -> bool:
    exponent = math.log10(scale)
    return abs(exponent - round(exponent)) < 1e-9


def _check(target: Cells, asked: Sequence[Cells], kept_out: Sequence[Cells], where: str) -> None:
    for column in asked:
        if column is target:
            raise RecordError(f"{where}: {named([column.name])} is the value; it cannot be a parameter as well")
        if column in kept_out:
            raise RecordError(f"{where}: {named([column.name])} cannot be both in --parameters and in --results")
        if same := same_as_value(column, target):
            raise RecordError(f"{where}: {named([column.name])} is the value under another name ({same}); no parameter")


def _role(column: Cells, target: Cells, *, is_exact: bool) -> Role:
    if column is target:
        return "value"
    if is_exact:
        if prefix_of(column.header, SETTING_PREFIXES):
            return "parameter"
        if prefix_of(column.header, OTHER_PREFIXES):
            return "other"
        if prefix_of(column.header, RESULT_PREFIXES):
            return "budget" if plain(column.name) in BUDGETS and column.is_numeric else "result"
    role = _guess(column, target)
    return "result" if is_exact and role == "parameter" else role


def _guess(column: Cells, target: Cells) -> Role:
    """The role that the column's name, and where that is not enough its values, speak for."""
    called, words = plain(column.name), set(words_of(column.name))
    if called in TOOLS or (column.is_text and words & PLACES):
        return "other"
    if not column.present:
        return "parameter"
    if called in NAMES or called.startswith("unnamed"):
        return "name"
    if called in STATES and (column.is_text or column.is_numeric):
        return "state"
    for role, names in (("seed", SEEDS), ("origin", ORIGINS), ("started", STARTED), ("ended", ENDED)):
        if called in names and (role != "origin" or column.is_text):
            return role  # type: ignore[return-value]
    if _is_duration(column):
        return "seconds"
    if not column.is_numeric:
        return "parameter"
    if called in BUDGETS:
        return "budget"
    return "result" if _is_measured(column, target) else "parameter"


def _is_measured(column: Cells, target: Cells) -> bool:
    """Whether a column of numbers is a result by its name or by being the value in another scale."""
    words = words_of(column.name)
    if plain(column.name) in SIZES or column.name.startswith("_"):
        return True
    if same_as_value(column, target):
        return True
    if set(words) & SETTING_WORDS:
        return False
    core = [word for word in words_of(target.name) if word not in AGGREGATES]
    if len("".join(core)) >= SHORTEST_CORE and f"_{'_'.join(core)}_" in f"_{'_'.join(words)}_":
        return True
    return bool(set(words) & METRICS) or (words[:1] != [] and words[0] in SPLITS)


def _is_duration(column: Cells) -> bool:
    words = words_of(column.name)
    says = bool(set(words) & DURATIONS) or words[-1:] == ["time"] or words[:2] == ["time", "total"]
    return says and all(seconds_in(v) is not None for v in column.present)


def _is_one_for_each(column: Cells) -> bool:
    """Whether it holds a text of its own in nearly every row: a path or an identifier."""
    found = column.present
    return column.is_text and len(found) >= FEWEST_TEXTS and len(set(found)) >= NEARLY_EVERY * len(found)


def _first_unnamed(columns: Sequence[Cells], roles: Mapping[str, Role]) -> dict[str, Role]:
    """A column of texts, each met once, names the trials where nothing better does."""
    for column in columns:
        if roles[column.header] == "other" and column.is_text and len(set(column.values)) == len(column.values):
            return {column.header: "name"}
    return {}


def _without_prefixes(columns: Sequence[Cells]) -> tuple[Cells, ...]:
    """The columns under the names their tool knows them by, where those stay different."""
    prefixes = (*SETTING_PREFIXES, *RESULT_PREFIXES)
    short = [c.header.removeprefix(prefix_of(c.header, prefixes)) for c in columns]
    return tuple(
        dataclasses.replace(c, name=name if name and short.count(name) == 1 else c.header)
        for c, name in zip(columns, short, strict=True)
    )


def _find(columns: Sequence[Cells], name: str, where: str, option: str) -> Cells:
    for column in columns:
        if name in (column.header, column.name):
            return column
    known = [c.header for c in columns]
    hint = nearest(name, [*known, *(c.name for c in columns)])
    raise RecordError(
        f"{where}: {option} must name a column of the table ({named(known)}); got {named([name])}"
        f"{'.' if hint else ''}{hint}"
    )


def _notices(reading: Reading, odd: Sequence[str], *, is_asked: bool) -> tuple[str, ...]:
    found = []
    parameters = [c.name for c in reading.of("parameter") if c.present]
    results = [c.name for role in ("result", "budget", "seconds") for c in reading.of(role) if c.present]
    read = [
        f"as {what}: {named(names) if names else 'none'}"
        for what, names in (("parameters", parameters), ("results", results))
        if names or what == "parameters"
    ]
    change = "" if is_asked or reading.is_exact else "; say --parameters or --results to change it"
    found.append(f"read {'; '.join(read)}{change}")
    target = reading.of("value")[0]
    if aliases := [said for c in reading.of("result") if (said := same_as_value(c, target))]:
        found.append(f"the value stands under another name too, so that is no parameter: {'; '.join(aliases)}")
    if odd:
        is_one = len(odd) == 1
        found.append(
            f"{named(odd)} {'holds' if is_one else 'hold'} another text in nearly every row, so "
            f"{'it is no parameter' if is_one else 'they are no parameters'}"
        )
    if seeds := [c.name for c in reading.of("seed") if len(set(c.present)) > 1]:
        found.append(
            f"{named(seeds)} is taken as the seed of a run: rows that differ in nothing else are repeats of one "
            "config. To ask what it does, name it in --parameters"
        )
    return tuple(found)
