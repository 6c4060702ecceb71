"""Conditions: under which values of other settings a setting is there, as the empty cells of a table show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_LEVELS = 20
MOST_NUMBERS = 12
FEW_ROWS = 4
# A column of numbers that splits the rows like the empty cells do may do so by chance; words hardly ever.
BY_CHANCE = 0.01

When = dict[str, tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parent:
    """A setting that others may depend on: `levels` maps each of its values to the rows that have it, as bits."""

    name: str
    is_numeric: bool
    is_boolean: bool
    place: int
    levels: tuple[tuple[Any, int], ...]
    rows: int

    def holding(self, rows: int) -> tuple[tuple[Any, ...], int]:
        """Its values in those rows, and all rows that have one of them."""
        found = [(value, mask) for value, mask in self.levels if mask & rows]
        union = 0
        for _, mask in found:
            union |= mask
        return tuple(value for value, _ in found), union


def conditions_of(columns: Mapping[str, Sequence[Any]]) -> tuple[dict[str, When], tuple[str, ...]]:
    """For every setting that is not always there its conditions, and the settings that follow no rule.

    The values of a column are a row each, None where the setting was not there. Of several rules that fit, the
    one with the fewest conditions on the setting with the fewest conditions and levels is taken. Rows without any
    setting say nothing.
    """
    masks = {
        name: _mask([row for row, value in enumerate(values) if value is not None], len(values))
        for name, values in columns.items()
    }
    told = 0
    for mask in masks.values():
        told |= mask
    depth = {name: 0 for name, mask in masks.items() if mask == told}
    if len(depth) == len(columns):
        return {}, ()
    parents = list(_parents(columns, masks))
    found: dict[str, When] = {}
    irregular = []
    # A setting rests on one that is there more often, which is settled first: no circle can come of it.
    partial = sorted((n for n in columns if n not in depth and masks[n]), key=lambda n: -masks[n].bit_count())
    for name in partial:
        able = [p for p in parents if p.name in depth and p.rows != masks[name] and p.rows & masks[name] == masks[name]]
        able.sort(key=lambda p: (depth[p.name], p.is_numeric, not p.is_boolean, len(p.levels), p.place))
        when = _one(masks[name], able, told) or _two(masks[name], able, told)
        if when:
            found[name] = when
            depth[name] = 1 + max(depth[parent] for parent in when)
        else:
            irregular.append(name)
            depth[name] = 0
    return found, tuple(name for name in columns if name in irregular)


def _one(rows: int, parents: Sequence[_Parent], told: int) -> When:
    """The first single condition that holds in exactly these rows."""
    for parent in parents:
        values, union = parent.holding(rows)
        if union & told == rows and (not parent.is_numeric or _chance(parent, rows) <= BY_CHANCE):
            return {parent.name: values}
    return {}


def _two(rows: int, parents: Sequence[_Parent], told: int) -> When:
    """The first pair of conditions on words that hold together in exactly these rows, where those are not few."""
    if min(rows.bit_count(), (told & ~rows).bit_count()) < FEW_ROWS:
        return {}
    words = sorted((parent for parent in parents if not parent.is_numeric), key=lambda parent: parent.place)
    holding = [(parent.name, *parent.holding(rows)) for parent in words]
    for (name, values, union), (other, more, both) in itertools.combinations(holding, 2):
        if union & both & told == rows:
            return {name: values, other: more}
    return {}


def _chance(parent: _Parent, rows: int) -> float:
    """The chance that so many rows, drawn at random, are all of those that have some of the parent's values."""
    n, k = parent.rows.bit_count(), rows.bit_count()
    ways = {0: 1}
    for _, mask in parent.levels:
        size = mask.bit_count()
        for total, count in list(ways.items()):
            ways[total + size] = ways.get(total + size, 0) + count
    all_ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(min(0.0, math.log(max(ways.get(k, 0), 1)) - all_ways))


def _parents(columns: Mapping[str, Sequence[Any]], masks: Mapping[str, int]) -> Iterator[_Parent]:
    for place, (name, values) in enumerate(columns.items()):
        # True and 1 are one key of a dictionary, but two values.
        rows: dict[tuple[type, Any], list[int]] = {}
        for row, value in enumerate(values):
            if value is not None:
                rows.setdefault((type(value), value), []).append(row)
                if len(rows) > MOST_LEVELS:
                    break
        kinds = {kind for kind, _ in rows}
        is_numeric = kinds <= {int, float}
        if not 2 <= len(rows) <= (MOST_NUMBERS if is_numeric else MOST_LEVELS):
            continue
        yield _Parent(
            name=name,
            is_numeric=is_numeric,
            is_boolean=kinds == {bool},
            place=place,
            levels=tuple((value, _mask(some, len(values))) for (_, value), some in rows.items()),
            rows=masks[name],
        )


def _mask(rows: Sequence[int], n: int) -> int:
    """Some of n rows as the bits of one number: rows by the hundred thousand are compared at once."""
    flags = bytearray(b"0" * n or b"0")
    for row in rows:
        flags[row] = 49  # "1"
    return int(flags, 2)
