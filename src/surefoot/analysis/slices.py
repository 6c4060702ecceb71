"""Slices: the value of every trial over each parameter, as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from surefoot import words
from surefoot.analysis.column import Booleans, Column, Integers
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.view import View

MOST_PANELS = 12
MOST_LEVELS_DRAWN = 30
MOST_POINTS = 1_000
MOST_NAMED = 3


def slices(view: View, keys: Sequence[str], shown: Sequence[str] = ()) -> PanelsFigure | None:
    """A panel for each of the first twelve parameters that can be drawn; None where there is none.

    The title names those that are `shown` to go with the metric.
    """
    asked = [view.column(key) for key in keys]
    columns = [c for c in asked if c.kind == "number" or len(c.levels) <= MOST_LEVELS_DRAWN][:MOST_PANELS]
    if not columns:
        return None
    best = np.zeros(view.n, dtype=bool)
    best[np.argsort(-view.gains, kind="stable")[: max(1, math.ceil(view.n / 4))]] = True
    drawn = _drawn(view)
    return PanelsFigure(
        name="slices",
        title=_title(view, shown),
        caption=_caption(view, len(columns), len(asked), len(drawn)),
        panels=tuple(_panel(view, column, best, drawn) for column in columns),
    )


def _title(view: View, shown: Sequence[str]) -> str:
    if not shown:
        return f"{view.metric.name} is not shown to go with any parameter"
    named = words.listing(shown) if len(shown) <= MOST_NAMED else f"{len(shown)} of the parameters"
    return f"{view.metric.name} goes with {named} beyond chance"


def _drawn(view: View) -> Integers:
    if view.n <= MOST_POINTS:
        return np.arange(view.n)
    return np.sort(view.rng("slices").choice(view.n, MOST_POINTS, replace=False))


def _panel(view: View, column: Column, best: Booleans, drawn: Integers) -> Panel:
    places = column.numbers if column.kind == "number" else column.codes.astype(float)
    named = () if column.kind == "number" else tuple(words.setting(level) for level in column.levels)

    def points(label: str, rows: Integers, look: str) -> Points:
        return Points(
            label=label,
            x=tuple(places[rows].tolist()),
            y=tuple(view.values[rows].tolist()),
            labels=tuple(view.trials[i].name for i in rows),
            look="best" if look == "best" else "plain",
        )

    there = drawn[column.active[drawn]]
    kinds = (
        points("other trials", there[~best[there]], "plain"),
        points("best quarter", there[best[there]], "best"),
    )
    return Panel(
        title=column.key,
        x=Axis(label=column.parameter.name, is_log=column.is_log, categories=named),
        y=Axis(label=words.heading_of(view.metric)),
        points=tuple(kind for kind in kinds if kind.x),
    )


def _caption(view: View, shown: int, asked: int, points: int) -> str:
    best = max(1, view.n // 4)
    said = [
        f"{words.count(view.n, 'complete trial')}, each a point in every panel whose parameter it has;"
        f" marked are the best quarter ({best:,}).",
        "The panels begin with the smallest q.",
    ]
    if shown < asked:
        said.append(f"{shown} of {asked} parameters are drawn.")
    if points < view.n:
        said.append(f"{points:,} of the trials, drawn at random, are shown.")
    said.append("The trials lie where their proposer put them: a crowded place is no sign of a good one.")
    return " ".join(said)
