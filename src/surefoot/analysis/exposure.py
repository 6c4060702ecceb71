"""Exposure: what was started, who chose it, and where the complete trials stand in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Booleans, Column, Integers, columns_of
from surefoot.analysis.view import View
from surefoot.trials import Trial

# Who draws without looking at results, by the words that samplers of all tools are called with.
INDEPENDENT_WORDS = ("random", "sobol", "grid", "quasi", "qmc", "halton", "latin", "lhs", "brute")
JUDGED = ("COMPLETE", "PRUNED", "INFEASIBLE")
PERSONS = ("first", "enqueued", "manual", "user", "base")


@dataclass(frozen=True, kw_only=True, slots=True)
class Exposure:
    """The trials that were started and came to something, pruned and diverged ones too; `columns` are over them.

    Trials that failed, or still run, say nothing of how good their settings are.

    `complete` says where the view's trials stand among them; shape (view.n,).
    """

    trials: tuple[Trial, ...]
    columns: tuple[Column, ...]
    complete: Integers

    def where(self, rows: Integers) -> Booleans:
        """Which of the started trials are these of the view's; shape (started,)."""
        found = np.zeros(len(self.trials), dtype=bool)
        found[self.complete[rows]] = True
        return found


def exposure(view: View) -> Exposure:
    """What was started: the trials of the table, or those of the view where it holds only some of the complete."""
    judged = tuple(t for t in view.table.trials if t.state in JUDGED)
    started = judged if view.n == len(view.table.complete) else view.trials
    complete = np.flatnonzero([t.state == "COMPLETE" for t in started])
    columns = view.columns if len(started) == view.n else columns_of(view.table.space, started)
    return Exposure(trials=started, columns=columns, complete=complete.astype(np.int64))


def among(view: View, exposed: Exposure, rows: Booleans) -> tuple[View, Exposure]:
    """Some of the started trials, and the view of those of them that are complete."""
    place = np.cumsum(rows) - 1
    kept = rows[exposed.complete]
    fewer = Exposure(
        trials=tuple(t for t, is_in in zip(exposed.trials, rows, strict=True) if is_in),
        columns=tuple(c.taken(rows) for c in exposed.columns),
        complete=place[exposed.complete[kept]],
    )
    return view.among(kept), fewer


def is_few_valued(column: Column) -> bool:
    """Whether a column's levels can be counted: choices always, numbers where values come twice on average."""
    return column.kind != "number" or 0 < 2 * len(column.levels) <= column.n


def is_independent(origin: str) -> bool:
    """Whether the origin is one that draws without looking at results."""
    return any(word in origin.lower() for word in INDEPENDENT_WORDS)


def is_model(origin: str) -> bool:
    """Whether the origin is one that chooses from earlier results."""
    return bool(origin) and not is_independent(origin) and origin.lower() not in PERSONS
