"""Sameness: columns that are one number under two names."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from surefoot.analysis.association import rank_correlation
from surefoot.analysis.column import Floats
from surefoot.analysis.view import View
from surefoot.words import number

FEWEST_ROWS = 5
FEWEST_MONOTONE = 8
FIRST_LOOK = 100
MOST_MEASURED = 200

Kind = Literal["measured", "budget", "parameter"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SameNumber:
    """A column that is another in all of its `n` rows.

    `line` is (a, b) of a + b × `other`; None where only its ranks are those of the other, or their reverse.
    """

    name: str
    other: str
    kind: Kind
    line: tuple[float, float] | None
    n: int

    @property
    def formula(self) -> str:
        """It in terms of the other, as "1 − val_acc" or "best_epoch + 20"."""
        if self.line is None:
            return f"a function of {self.other}"
        start, slope = (round(term, 12) for term in self.line)
        is_whole = abs(start) < 1e-6 * max(1.0, abs(slope))
        factor = "" if abs(abs(slope) - 1) < 1e-6 else f"{number(abs(slope))} × "
        if is_whole:
            return f"{'−' if slope < 0 else ''}{factor}{self.other}"
        if slope < 0:
            return f"{number(start)} − {factor}{self.other}"
        return f"{factor}{self.other} {'+' if start > 0 else '−'} {number(abs(start))}"


def names_of_the_metric(view: View) -> tuple[SameNumber, ...]:
    """The columns that are the metric under another name; a parameter only where it lies on a line with it."""
    metric, found = view.metric.name, []
    for name, (kind, column) in _numbers(view).items():
        rows = np.isfinite(column)
        values, there = view.values[rows], column[rows]
        line = exact_line(values, there)
        if name != metric and (line or _is_monotone(values, there)):
            found.append(SameNumber(name=name, other=metric, kind=kind, line=line, n=len(there)))
    for parameter in view.columns:
        if parameter.kind == "number":
            line = exact_line(view.values[parameter.active], parameter.numbers[parameter.active])
            if line:
                found.append(SameNumber(name=parameter.key, other=metric, kind="parameter", line=line, n=parameter.n))
    return tuple(found)


def equalities_of(view: View, *, besides: Collection[str] = ()) -> tuple[SameNumber, ...]:
    """The measured columns and budgets that lie on a line with one before them, the metric's own names left out."""
    found: list[SameNumber] = []
    firsts: dict[str, Floats] = {}
    for name, (kind, column) in _numbers(view).items():
        if name in besides or name == view.metric.name:
            continue
        for first, other in firsts.items():
            rows = np.isfinite(column) & np.isfinite(other)
            line = _line_of_many(other[rows], column[rows])
            if line:
                found.append(SameNumber(name=name, other=first, kind=kind, line=line, n=int(rows.sum())))
                break
        else:
            firsts[name] = column
    return tuple(found)


def exact_line(x: Floats, y: Floats) -> tuple[float, float] | None:
    """(a, b) where y is a + b x in every row; None where it is not, or too few different values could tell."""
    if len(x) < FEWEST_ROWS or len(np.unique(x)) < 3:
        return None
    # Squares of losses that went astray overflow, squares of tiny ones vanish; such columns lie on no line.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        spread, deviation = np.ptp(y), x - x.mean()
        if spread == 0 or not np.isfinite(spread):
            return None
        slope = float(deviation @ (y - y.mean()) / (deviation @ deviation))
        start = float(y.mean() - slope * x.mean())
        # Columns of single precision agree to seven digits, not more.
        is_exact = np.abs(start + slope * x - y).max() <= 1e-5 * spread
    return (start, slope) if is_exact else None


def _line_of_many(x: Floats, y: Floats) -> tuple[float, float] | None:
    """The line, looked for in all rows only where the first of them leave room for it."""
    if len(np.unique(x[:FIRST_LOOK])) >= 3 and not exact_line(x[:FIRST_LOOK], y[:FIRST_LOOK]):
        return None
    return exact_line(x, y)


def _is_monotone(x: Floats, y: Floats) -> bool:
    """Whether one column's ranks are the other's, or their reverse, over enough different values not to be chance."""
    if min(len(np.unique(x)), len(np.unique(y))) < FEWEST_MONOTONE:
        return False
    found = rank_correlation(x, y)
    return found is not None and abs(found[0]) > 1 - 1e-9


def _numbers(view: View) -> dict[str, tuple[Kind, Floats]]:
    """The measured columns and the budgets, NaN where a trial has none; shape (n,) each."""
    found: dict[str, tuple[Kind, Floats]] = {}
    sources: tuple[tuple[Kind, list[Mapping[str, float]]], ...] = (
        ("measured", [t.measured for t in view.trials]),
        ("budget", [t.budget for t in view.trials]),
    )
    for kind, maps in sources:
        for name in list(dict.fromkeys(name for each in maps for name in each))[:MOST_MEASURED]:
            found.setdefault(name, (kind, np.array([each.get(name, math.nan) for each in maps], dtype=float)))
    return found
