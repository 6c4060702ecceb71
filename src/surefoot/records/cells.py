"""Cells: what a cell of a table says: a number, true or false, a word, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
COMMA_NUMBER = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
BOOLEANS = {"true": True, "false": False}
NOT_FINITE = {
    sign + word: value * (-1 if sign == "-" else 1)
    for word, value in (("nan", math.nan), ("inf", math.inf), ("infinity", math.inf))
    for sign in ("", "+", "-")
}
# How tools write that there is nothing.
NOTHING = frozenset({"", "<na>", "nat"})
NO_RESULT = frozenset({"none", "null", "na", "n/a", "-"})
DURATION = re.compile(r"(?:([0-9]+) days?,? )?(?:([0-9]+):)?([0-9]+):([0-9]+(?:\.[0-9]+)?)")
LARGEST_EXACT = 2**53


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """One column: `header` as it stands in the source, `name` what it is called here, a value or None a row."""

    header: str
    name: str
    values: tuple[Any, ...]

    @property
    def present(self) -> list[Any]:
        """The values that are there."""
        return [value for value in self.values if value is not None]

    @property
    def is_numeric(self) -> bool:
        """Whether it holds numbers (NaN and infinity among them) and words at most for "no result"."""
        found = [v for v in self.present if not _says_nothing(v)]
        return bool(found) and all(is_number(v) for v in found)

    @property
    def is_text(self) -> bool:
        """Whether it holds words only."""
        found = self.present
        return bool(found) and all(isinstance(v, str) for v in found)


def cells_of(header: str, texts: Sequence[str], *, delimiter: str = ",") -> Cells:
    """The column that these texts say; between semicolons a number may have a decimal comma."""
    has_comma = delimiter == ";"
    said = {text: _said(text, has_comma) for text in dict.fromkeys(texts)}
    return Cells(header=header, name=header, values=tuple(said[text] for text in texts))


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether it is a number, finite or not; true and false are none."""
    return type(value) is float or type(value) is int


def finite(value: Any) -> float | None:
    """The value as a float where it is a finite number."""
    return float(value) if is_number(value) and math.isfinite(value) else None


def settings_in(values: Sequence[Any]) -> tuple[tuple[Any, ...], int]:
    """The values as settings, and how many of them were infinite and left out; NaN is no setting either.

    Where all numbers are whole they are ints, however they were written.
    """
    infinite = sum(1 for v in values if isinstance(v, float) and math.isinf(v))
    kept = tuple(None if isinstance(v, float) and not math.isfinite(v) else v for v in values)
    numbers = [v for v in kept if is_number(v)]
    if all(v == int(v) and abs(v) <= LARGEST_EXACT for v in numbers):
        return tuple(int(v) if is_number(v) else v for v in kept), infinite
    return tuple(float(v) if is_number(v) else v for v in kept), infinite


def seconds_in(value: Any) -> float | None:
    """The seconds that a duration says: a number of them, or "0 days 00:01:02.5"."""
    if (number := finite(value)) is not None:
        return number
    match = DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 86_400 * days + 3600 * hours + 60 * minutes + seconds


def _said(text: str, has_comma: bool) -> Any:
    text = text.strip()
    if WHOLE.fullmatch(text):
        return int(text)
    if NUMBER.fullmatch(text):
        return float(text)
    if has_comma and COMMA_NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    low = text.lower()
    if low in NOTHING:
        return None
    if low in BOOLEANS:
        return BOOLEANS[low]
    return NOT_FINITE.get(low, text)


def _says_nothing(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in NO_RESULT
