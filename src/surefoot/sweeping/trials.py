"""The trials of a sweep as the record tells them: what each one came to, and which of them is best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from surefoot.run import Metric, Run, Status
from surefoot.space import Constraint
from surefoot.sweep import Sweep

# A run that was abandoned with its coordinator says so in these words; such attempts are counted.
ABANDONED = "the coordinating process ended before the run did"


class TrialState(StrEnum):
    """Where a trial stands; PAUSED ones wait at a rung for a promotion that may never come."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    INFEASIBLE = "INFEASIBLE"
    FAILED = "FAILED"


ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.INFEASIBLE, TrialState.FAILED)


@dataclass(kw_only=True, slots=True)
class Trial:
    """A proposed config and what its runs have said so far.

    `finals` maps a seed to the last value of every metric of its complete run. `broken_off` counts, over all
    seeds, the attempts that ended with their coordinator. `curve` is the objective by step of the run in hand,
    kept only while it is judged.
    """

    number: int
    settings: Mapping[str, Any]
    config: Mapping[str, Any]
    origin: str
    state: TrialState = TrialState.WAITING
    reason: str = ""
    finals: dict[int, Mapping[str, float]] = field(default_factory=dict)
    curve: dict[int, float] = field(default_factory=dict)
    pruned_value: float | None = None
    attempts: int = 0
    broken_off: int = 0
    seconds: float = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it; a paused one may go on."""
        return self.state in ENDED

    def values(self, metrics: Sequence[Metric]) -> list[float] | None:
        """The mean over its seeds for each metric; None where one has no value or is not finite."""
        found = [[final.get(m.name, math.nan) for final in self.finals.values()] for m in metrics]
        if not self.finals or not all(math.isfinite(v) for some in found for v in some):
            return None
        return [sum(some) / len(some) for some in found]

    def give_up(self, retries: int) -> bool:
        """Whether it waits and was broken off too often to be tried again; it is FAILED then, and says why."""
        if self.state is not TrialState.WAITING or self.broken_off <= retries:
            return False
        self.state = TrialState.FAILED
        self.reason = f"broken off {self.broken_off} times, so it is not tried again ({self.reason})"
        return True

    def take(self, run: Run) -> None:
        """Adds what a run that has ended says; the state of the trial is its last run's."""
        self.hear(run.seed, run.status, run.reason, seconds=run.provenance.wall_seconds, finals=run.finals)

    def hear(self, seed: int, status: Status, reason: str, *, seconds: float, finals: Mapping[str, float]) -> None:
        """The same of a run of which no more than this is known."""
        self.attempts += 1
        self.seconds += seconds
        self.reason = reason
        if status is Status.COMPLETE:
            self.finals[seed] = finals
            self.state = TrialState.COMPLETE
        elif status is Status.INTERRUPTED:
            self.broken_off += reason == ABANDONED
            if seed not in self.finals:  # else another study's run of the same config and seed ended first
                self.state = TrialState.WAITING
        elif status is not Status.RUNNING:
            self.state = TrialState(status.value)


def barred_by(trial: Trial, sweep: Sweep) -> str:
    """The measured constraint that keeps the trial from being the best, or nothing."""
    for constraint in sweep.measured_constraints:
        for final in trial.finals.values():
            if margin_of(constraint, trial, final) > 0:
                return constraint.text
    return ""


def margin_of(constraint: Constraint, trial: Trial, final: Mapping[str, float]) -> float:
    """By how much one run oversteps it; 0 where it names a parameter that this config has not: there it holds."""
    values = {**trial.config, **final}
    return constraint.margin(values) if values.keys() >= set(constraint.names) else 0.0


def ranked(trials: Iterable[Trial], sweep: Sweep) -> list[Trial]:
    """The complete trials that no constraint bars, the best value of the first objective first."""
    metric = sweep.targets[0]
    found = [
        (metric.sign * values[0], trial)
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and (values := trial.values([metric])) is not None
        and not barred_by(trial, sweep)
    ]
    return [trial for _, trial in sorted(found, key=lambda pair: (-pair[0], pair[1].number))]


def pareto_front(trials: Iterable[Trial], sweep: Sweep) -> list[Trial]:
    """The complete trials that no other one beats in every objective, by number."""
    complete = [t for t in ranked(trials, sweep) if t.values(sweep.targets) is not None]
    points = {t.number: [m.sign * v for m, v in zip(sweep.targets, _whole(t, sweep), strict=True)] for t in complete}

    def is_beaten(number: int) -> bool:
        own = points[number]
        return any(all(b >= a for a, b in zip(own, other, strict=True)) and other != own for other in points.values())

    return sorted((t for t in complete if not is_beaten(t.number)), key=lambda t: t.number)


def _whole(trial: Trial, sweep: Sweep) -> list[float]:
    values = trial.values(sweep.targets)
    assert values is not None
    return values
