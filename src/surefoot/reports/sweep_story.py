"""What a report of a sweep tells: its trials, the best of them, and what fresh seeds said, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.choosing import Chosen
from surefoot.comparison import Value
from surefoot.run import Metric
from surefoot.sweep import Sweep


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStory:
    """One trial: its searched settings, where it stands, and its values, one for each objective.

    `state` is WAITING, RUNNING, PAUSED, COMPLETE, PRUNED, INFEASIBLE or FAILED. `values` are means over
    `seeds` seeds, empty where there is none; `per_seed` the first objective's. `last_value` is where its curve
    ended, complete or not. `attempts` counts its runs, `retried` those among them that came to nothing and were
    tried again. `since` is when the run in hand began. `barred_by` is the measured constraint it breaks.
    """

    number: int
    settings: Mapping[str, Any]
    origin: str
    state: str
    reason: str = ""
    values: tuple[float, ...] = ()
    per_seed: tuple[float, ...] = ()
    seeds: int = 0
    attempts: int = 1
    retried: int = 0
    seconds: float = 0.0
    since: str = ""
    last_value: float | None = None
    barred_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshStory:
    """What fresh seeds said of a trial, or of the base (number -1), in the first objective.

    The last `claiming` of its seeds had no part in choosing it.
    """

    number: int
    seeds: tuple[int, ...]
    values: tuple[Value, ...]
    claiming: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveStory:
    """A trial's first objective over its steps, all its attempts together."""

    number: int
    state: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStory:
    """A sweep so far.

    `phase` is "exploring", "confirming" or "done"; `ending` says why the exploration ended. `trials` are those
    that count today, by number; `left_out` says how many do not, by reason. `best` is the number of the best
    trial by its exploring value, `front` the Pareto front where there are several objectives. `chosen` is what the
    fresh seeds say so far, `fresh` their values, the chosen trial first and the base last. `curves` are there where
    a stopping rule acted, of few trials. `runs` counts all runs of the sweep by status. `seconds_left` is an
    estimate of the training still to come. `place` are the options that lead a command to the same record.
    """

    sweep: Sweep
    phase: str
    ending: str = ""
    trials: tuple[TrialStory, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    best: int | None = None
    front: tuple[int, ...] = ()
    chosen: Chosen | None = None
    fresh: tuple[FreshStory, ...] = ()
    fresh_runs: int = 0
    curves: tuple[CurveStory, ...] = ()
    runs: Mapping[str, int] = field(default_factory=dict)
    hours: float = 0.0
    seconds_left: float | None = None
    revisions: int = 1
    registered_at: str = ""
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    place: str = ""

    @property
    def best_trial(self) -> TrialStory | None:
        """The trial with the best exploring value."""
        return self.trial(self.best)

    def trial(self, number: int | None) -> TrialStory | None:
        """The trial of that number, where it counts today."""
        return next((t for t in self.trials if t.number == number), None)

    @property
    def objective(self) -> Metric:
        """The first objective, by which trials are ranked."""
        return self.sweep.targets[0]
