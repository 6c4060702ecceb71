"""An analysis' tables as a reader wants them: numbers rounded, intervals in one column, long ones cut."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.analysis.section import Sheet
from surefoot.reports.analysis_words import cut, file_name, printable
from surefoot.reports.tables import Table
from surefoot.trials import TrialTable
from surefoot.words import NOTHING, decimals_of, half_width, number, p_value, setting, span

MOST_ROWS = 30
MOST_ROWS_UNFOLDED = 12
LONGEST_CELL = 220
LONGEST_CELL_IN_LINE = 44
# Within so many powers of ten the numbers of a column keep the same decimals, so that they stand under each other.
ALIKE = 100.0
MOST_DECIMALS = 6
_P = re.compile(r"[pq](_[a-z]+)*")
_WORDS = {
    "p_value": "p",
    "p_perm": "p (permuted)",
    "p_welch": "p (Welch)",
    "p_mannwhitney": "p (Mann–Whitney)",
    "q_value": "q",
    "rho": "ρ",
    "eta_squared": "η²",
    "ci": "95 % interval",
    "interval": "95 % interval",
}
_CONDITION = ("condition",)
# What was set is shown as it was set, whatever else stands in its column.
_SETTINGS = ("level", "choice", "best_choice", "worst_choice", "bound", "zone")
_NAMES = ("trial", "seed", "step", "epoch")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownSheet:
    """A sheet on the page: its table, how many rows it has in all and the file that has them."""

    title: str
    table: Table
    row_count: int
    file: str

    @property
    def is_wide(self) -> bool:
        """Whether cells hold so much text that it has to wrap."""
        return any(len(cell) > LONGEST_CELL_IN_LINE for row in self.table.rows for cell in row)

    @property
    def is_long(self) -> bool:
        """Whether it stands folded, so that the page stays one to read."""
        return len(self.table.rows) > MOST_ROWS_UNFOLDED

    @property
    def rest(self) -> str:
        """A sentence on the rows that are not shown; empty where all are."""
        left = self.row_count - len(self.table.rows)
        return f"{left:,} further rows are in " if left > 0 else ""


def shown_sheet(sheet: Sheet, names: Collection[str] = ()) -> ShownSheet:
    """The sheet with its first rows as texts; a header that is one of the `names` of the trials stays as it is."""
    rows = sheet.rows[:MOST_ROWS]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in sheet.headers]
    headers: list[str] = []
    cells: list[list[str]] = []
    i = 0
    while i < len(columns):
        name = _interval_name(sheet.headers[i : i + 2], columns[i : i + 2])
        if name is None:
            if not _is_empty(sheet.headers[i], columns[i]):
                headers.append(heading(sheet.headers[i], names))
                cells.append(texts_of(sheet.headers[i], columns[i]))
            i += 1
            continue
        headers.append(name)
        cells.append(_spans(columns[i], columns[i + 1]))
        i += 2
    told = tuple(zip(*cells, strict=True)) if cells else ()
    title = printable(sheet.title)
    table = Table(headers=tuple(headers), rows=told, title=title)
    return ShownSheet(title=title, table=table, row_count=len(sheet.rows), file=f"{file_name(sheet.name)}.csv")


def names_in(table: TrialTable) -> frozenset[str]:
    """What people called things in the table: the metric, the settings, the other numbers."""
    measured = (name for trial in table.trials for name in trial.measured)
    return frozenset((table.metric.name, *table.space.names(), *measured))


def heading(name: str, names: Collection[str] = ()) -> str:
    """A column's name as a reader wants it: "n_true" as "n true"."""
    if name in names:
        return cut(printable(name), LONGEST_CELL_IN_LINE)
    if name in _WORDS:
        return _WORDS[name]
    if re.fullmatch(r"(is|has)_[a-z_]+", name):
        name = name.split("_", 1)[1]
    plain = printable(name)
    return cut(plain.replace("_", " ") if re.fullmatch(r"[a-z0-9_]+", plain) else plain, LONGEST_CELL_IN_LINE)


def texts_of(name: str, values: Sequence[Any]) -> list[str]:
    """A column's cells."""
    numbers = [float(v) for v in values if is_number(v)]
    is_p = bool(_P.fullmatch(name)) and all(0 <= v <= 1 for v in numbers)
    is_setting = name in _SETTINGS
    digits = None if name in _NAMES or is_setting else _common_decimals(numbers, values)
    if is_setting:
        return [
            cut(printable(setting(v)), LONGEST_CELL) if v not in (None, "") else _text(name, v, None, is_p=False)
            for v in values
        ]
    return [_text(name, v, digits, is_p=is_p) for v in values]


def is_number(value: Any) -> bool:
    """Whether it is a number and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(name: str, value: Any, digits: int | None, *, is_p: bool) -> str:
    if value is None or value == "":
        return NOTHING if value is None else ""
    if isinstance(value, bool):
        return ("yes" if value else "no") if name.startswith(("is_", "has_")) else setting(value)
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(map(is_number, value)):
            return _spans([value[0]], [value[1]])[0]
        return cut(", ".join(_text(name, v, None, is_p=False) for v in value), LONGEST_CELL)
    if not is_number(value):
        return cut(printable(str(value)), LONGEST_CELL)
    if is_p:
        return p_value(float(value))
    if isinstance(value, int):
        return setting(value) if abs(value) < 10_000 or name in _NAMES else number(value, 0)
    return number(float(value), digits)


def _common_decimals(numbers: Sequence[float], values: Sequence[Any]) -> int | None:
    """The decimals that suit a whole column: four digits of its largest number, where all are of like size."""
    sizes = [abs(v) for v in numbers if v and math.isfinite(v)]
    if not sizes or all(isinstance(v, int) for v in values if is_number(v)):
        return None
    if all(v.is_integer() for v in numbers):
        return 0 if max(sizes) < 1e9 else None
    if max(sizes) > ALIKE * min(sizes) and not 1e-3 <= max(sizes) <= 1:
        return None
    digits = max(0, 3 - math.floor(math.log10(max(sizes))))
    while digits > 0 and all(math.isclose(round(v, digits - 1), v, rel_tol=1e-9) for v in sizes):
        digits -= 1
    return digits if digits <= MOST_DECIMALS else None


def _interval_name(headers: Sequence[str], columns: Sequence[Sequence[Any]]) -> str | None:
    """The heading of two columns that are the ends of an interval; None where they are not."""
    if len(headers) < 2:
        return None
    low, high = headers
    if not (low == "low" and high == "high") and not (
        low.endswith("_low") and high.endswith("_high") and low.removesuffix("_low") == high.removesuffix("_high")
    ):
        return None
    pairs = list(zip(*columns, strict=True))
    if not all((a is None and b is None) or (is_number(a) and is_number(b) and a <= b) for a, b in pairs):
        return None
    stem = low.removesuffix("low").removesuffix("_")
    return heading(stem) if stem else "low … high"


def _spans(lows: Sequence[Any], highs: Sequence[Any]) -> list[str]:
    """Intervals, with signs where one of them reaches below zero."""
    has_sign = any(low is not None and low < 0 for low in lows)
    found = []
    for low, high in zip(lows, highs, strict=True):
        if low is None:
            found.append(NOTHING)
            continue
        digits = _decimals(low, high)
        ends = (float(low), float(high))
        found.append(span(ends, digits) if has_sign else " … ".join(number(end, digits) for end in ends))
    return found


def _decimals(low: float, high: float) -> int | None:
    """The decimals of an interval; none of their own where its ends lie orders of magnitude apart."""
    if isinstance(low, int) and isinstance(high, int):
        return 0
    if low > 0 and high > ALIKE * low:
        return None
    return decimals_of(half_width((float(low), float(high))))


def _is_empty(name: str, values: Sequence[Any]) -> bool:
    """Whether a column would show nothing: no trial needs a condition, no row has a flag."""
    return name in (*_CONDITION, "flags") and all(v in ("", None, ()) for v in values)
