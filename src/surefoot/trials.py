"""Trials: what was tried and what became of it, whoever's record it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.run import Metric
from surefoot.space import SearchSpace
from surefoot.sweep import Sweep

TrialState = Literal["COMPLETE", "PRUNED", "FAILED", "INFEASIBLE", "RUNNING"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """One metric of one trial over its steps; both have shape (measurements,), steps rise."""

    steps: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One config that was tried.

    `name` is what its source calls it. `settings` holds the searched settings that existed in it, by name.
    `value` is the objective, the mean over `per_seed`; a finite number where the trial is COMPLETE, else None
    (a value that came as NaN or ±inf makes a trial INFEASIBLE and stands in `reason`). A PRUNED one has its
    `last` value and the step it was measured at, where known. `measured` are its other numbers, by their
    names in the source; `budget` what it spent of what a training is measured in (epochs, steps, samples),
    where the source says so. `curves` are by metric. `origin` is who proposed it, "" where nobody knows.
    """

    name: str
    state: TrialState
    settings: Mapping[str, Any]
    value: float | None = None
    per_seed: tuple[float, ...] = ()
    last: tuple[float | None, float] | None = None
    reason: str = ""
    seconds: float | None = None
    started_at: str = ""
    origin: str = ""
    measured: Mapping[str, float] = field(default_factory=dict)
    budget: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trivial:
    """A predictor that learns nothing, as "majority class", and the objective it comes to."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialTable:
    """Every trial of one search, in the order they were made where that is known (`is_in_order`).

    `space` is the declared one, or where `is_inferred` what the rows show: ranges are then those that were
    seen, conditions those under which a setting was there. `evaluated_on` is how many examples a value rests
    on. `notices` say how the source was read, in sentences. `sweep` is there where the source is one of ours.
    `base` holds the settings that did not vary. `fresh` are further values of some trials, by name, on seeds that
    had no part in the search. `workload` is the name of what was trained and `workload_path` the plan's file that says
    so, where a study is the source.
    """

    name: str
    source: str
    metric: Metric
    space: SearchSpace
    trials: tuple[Trial, ...]
    is_inferred: bool = False
    is_in_order: bool = True
    base: Mapping[str, Any] = field(default_factory=dict)
    fresh: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    trivial: tuple[Trivial, ...] = ()
    evaluated_on: int | None = None
    notices: tuple[str, ...] = ()
    sweep: Sweep | None = None
    workload: str = ""
    workload_path: str = ""

    @property
    def complete(self) -> tuple[Trial, ...]:
        """The trials with a value, in order."""
        return tuple(t for t in self.trials if t.state == "COMPLETE")
