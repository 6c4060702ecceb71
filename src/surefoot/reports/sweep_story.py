"""What a report of a sweep tells: its trials, the best of them, and what fresh seeds said, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.choosing import Chosen
from surefoot.sweep import Sweep


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialStory:
    """One trial: its searched settings, where it stands, and its values, one for each objective.

    `state` is WAITING, RUNNING, PAUSED, COMPLETE, PRUNED, INFEASIBLE or FAILED. `values` are means over
    `seeds` seeds, empty where there is none; `per_seed` the first objective's. `steps` and `last_value`
    are where its curve ended, complete or not. `barred_by` is the measured constraint it breaks.
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
    seconds: float = 0.0
    steps: int | None = None
    last_value: float | None = None
    barred_by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStory:
    """A sweep so far.

    `phase` is "exploring", "confirming" or "done"; `ending` says why the exploration ended. `trials` are those
    that count today, by number; `left_out` says how many do not, by reason. `best` is the number of the best
    trial by its exploring value, `front` the Pareto front where there are several objectives. `chosen` is the
    answer of the fresh seeds. `runs` counts all runs of the sweep by status. `seconds_left` is an estimate, for
    one worker.
    """

    sweep: Sweep
    phase: str
    ending: str = ""
    trials: tuple[TrialStory, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    best: int | None = None
    front: tuple[int, ...] = ()
    chosen: Chosen | None = None
    fresh_runs: int = 0
    runs: Mapping[str, int] = field(default_factory=dict)
    hours: float = 0.0
    seconds_left: float | None = None
    revisions: int = 1
    registered_at: str = ""
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def best_trial(self) -> TrialStory | None:
        """The trial with the best exploring value."""
        return next((t for t in self.trials if t.number == self.best), None)
