"""View: the complete trials of a table as arrays, the ground that every section stands on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Booleans, Column, Floats, columns_of
from surefoot.run import Metric
from surefoot.trials import Trial, TrialTable


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The complete trials of a table: `values` has shape (n,), in the metric's own unit; `columns` are over them.

    `seed` reaches every draw of the analysis: each section asks for `rng("its name")`.
    """

    table: TrialTable
    trials: tuple[Trial, ...]
    values: Floats
    columns: tuple[Column, ...]
    seed: int = 0

    @property
    def metric(self) -> Metric:
        """The objective."""
        return self.table.metric

    @property
    def n(self) -> int:
        """How many complete trials there are."""
        return len(self.trials)

    @property
    def gains(self) -> Floats:
        """The values with their sign turned so that more is better; shape (n,)."""
        return self.metric.sign * self.values

    def column(self, key: str) -> Column:
        """The column of that key; raises KeyError."""
        return {c.key: c for c in self.columns}[key]

    def rng(self, section: str) -> np.random.Generator:
        """A generator of its own for each section, so that one section's draws never move another's."""
        return np.random.default_rng([self.seed, *section.encode()])

    def among(self, rows: Booleans) -> View:
        """The same of some of the trials."""
        kept = np.flatnonzero(rows)
        return View(
            table=self.table,
            trials=tuple(self.trials[i] for i in kept),
            values=self.values[kept],
            columns=tuple(c.taken(kept) for c in self.columns),
            seed=self.seed,
        )


def view_of(table: TrialTable, *, seed: int = 0) -> View:
    """The view of a table."""
    trials = table.complete
    values = np.array([t.value for t in trials], dtype=float)
    return View(table=table, trials=trials, values=values, columns=columns_of(table.space, trials), seed=seed)
