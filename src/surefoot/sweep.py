"""Sweep: a search over a space as it was asked for, before any trial."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.program import Program, program_of
from surefoot.run import Metric, canonical_json
from surefoot.space import Constraint, SearchSpace, space_of

METHODS = ("grid", "random", "sobol", "tpe", "gp", "cmaes", "nsga2")
STOPPING_RULES = ("asha", "hyperband", "median", "patience", "wilcoxon")


@dataclass(frozen=True, kw_only=True, slots=True)
class Method:
    """How configs are proposed; `options` are those of the method, all others are at our defaults."""

    name: Literal["grid", "random", "sobol", "tpe", "gp", "cmaes", "nsga2"] = "tpe"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """Which trials are ended early, or paused and gone on with if they deserve it.

    `asha` and `hyperband` have rungs at `min_steps * eta**k` up to `max_steps`, counted in the steps that
    the runs report; with `promotes` a trial pauses at a rung and is promoted from its checkpoint, without it
    one that is not among the best at a rung so far is ended. `median` ends a trial below the median at the
    same step after `warmup_steps` and `warmup_trials`; `patience` one that did not improve for `patience`
    measurements; `wilcoxon` judges a trial of several seeds against the best one, seed by seed, at level `p`.
    With `counts` "measurements" a step is a measurement of the objective, counted from 1, whatever step the
    run gave it.
    """

    rule: Literal["asha", "hyperband", "median", "patience", "wilcoxon"]
    min_steps: int = 1
    max_steps: int | None = None
    eta: int = 3
    promotes: bool | None = None  # None: where the workload can resume
    warmup_steps: int = 0
    warmup_trials: int = 5
    patience: int = 5
    p: float = 0.1
    counts: Literal["steps", "measurements"] = "steps"


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    """After exploring: the best `top` configs race on fresh seeds by halves, and `seeds` further ones are claimed.

    With `has_base` the sweep's base trains on the chosen config's seeds too, so that a gain over it can be told.
    `surefoot.choosing` has the rounds; the defaults left the least regret on the tables of benchmarks/regret.py.
    """

    top: int = 8
    seeds: int = 5
    has_base: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """The earlier sweep of the same record that this one goes on from.

    Its trials that fit this space count here, untrained. `round` is 2 for the first that goes on, then 3, …: each
    round confirms on fresh seeds of its own, as those of the earlier ones had their part in choosing the space.
    """

    sweep: str
    round: int = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectation:
    """What somebody said, before any trial, that the chosen config would come to on fresh seeds.

    `low` to `high` is where its first objective was expected nine times in ten; `against` the value it is to beat.
    """

    low: float
    high: float
    against: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepBudget:
    """The most a sweep may spend; None is no limit.

    `runs` and `hours` count trainings, the confirmation's included; `trials` counts proposed configs, not those that
    were carried over from an earlier sweep.
    """

    trials: int | None = None
    runs: int | None = None
    hours: float | None = None
    run_minutes: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """The whole sweep, checked.

    `workload` is what `find_workload` takes. `objectives` are the names of the metrics that are searched for:
    one, or several for nsga2; the first is shown first. `base` holds the settings that no parameter varies.
    `first` are configs to try before any other. A trial is answered by `seeds` runs. A run that was broken off
    is tried again at most `retries` times; `most_failures` failed trials in a row, none having succeeded,
    end the sweep. `notices` says what of the file is not honoured.
    """

    name: str
    description: str = ""
    workload: str | Program
    metrics: tuple[Metric, ...]
    objectives: tuple[str, ...]
    space: SearchSpace
    base: Mapping[str, Any] = field(default_factory=dict)
    method: Method = field(default_factory=Method)
    stopping: Stopping | None = None
    first: tuple[Mapping[str, Any], ...] = ()
    budget: SweepBudget = field(default_factory=SweepBudget)
    confirmation: Confirmation | None = None
    continues: Continuation | None = None
    expectation: Expectation | None = None
    seeds: int = 1
    search_seed: int = 0
    retries: int = 2
    most_failures: int = 5
    notices: tuple[str, ...] = ()
    text: str = ""
    path: str = ""

    def metric(self, name: str) -> Metric:
        """The metric of that name; raises KeyError for one the sweep does not list."""
        return {m.name: m for m in self.metrics}[name]

    @property
    def targets(self) -> tuple[Metric, ...]:
        """The metrics searched for, in order."""
        return tuple(self.metric(name) for name in self.objectives)

    @property
    def measured_constraints(self) -> tuple[Constraint, ...]:
        """The constraints that name a metric: known only after a run."""
        names = {m.name for m in self.metrics}
        return tuple(c for c in self.space.constraints if names & set(c.names))

    @property
    def workload_name(self) -> str:
        """What a table and the record call the workload."""
        return self.workload if isinstance(self.workload, str) else self.workload.name

    @property
    def workload_identity(self) -> str:
        """What stands for the workload in a run's key."""
        return self.workload if isinstance(self.workload, str) else self.workload.identity

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what the sweep says; comments and layout do not count."""
        return hashlib.sha256(canonical_json(self.definition()).encode()).hexdigest()

    def definition(self) -> dict[str, Any]:
        """What the sweep says, as JSON."""
        workload = self.workload if isinstance(self.workload, str) else self.workload.definition()
        stopping = self.stopping and {name: getattr(self.stopping, name) for name in Stopping.__slots__}
        # Said only where there is something to say, so that sweeps registered before these were known keep their hash.
        later = {
            "continues": self.continues and [self.continues.sweep, self.continues.round],
            "expectation": self.expectation and [getattr(self.expectation, name) for name in Expectation.__slots__],
        }
        return {
            **{name: value for name, value in later.items() if value},
            "sweep": self.name,
            "description": self.description,
            "workload": workload,
            "metrics": {m.name: [m.goal, m.unit, m.target, m.min_effect] for m in self.metrics},
            "objectives": list(self.objectives),
            "space": self.space.definition(),
            "base": dict(self.base),
            "method": {"name": self.method.name, **self.method.options},
            "stopping": stopping,
            "first": [dict(config) for config in self.first],
            "budget": [self.budget.trials, self.budget.runs, self.budget.hours, self.budget.run_minutes],
            "confirmation": self.confirmation and [getattr(self.confirmation, name) for name in Confirmation.__slots__],
            "seeds": self.seeds,
            "search_seed": self.search_seed,
            "retries": self.retries,
            "most_failures": self.most_failures,
        }


def sweep_of(definition: Mapping[str, Any]) -> Sweep:
    """The sweep that says what this definition says: a record tells its sweeps without their files."""
    workload, stopping = definition["workload"], definition["stopping"]
    confirmation = dict(zip(Confirmation.__slots__, definition["confirmation"] or (), strict=False))
    method = dict(definition["method"])
    trials, runs, hours, run_minutes = definition["budget"]
    continues, expected = definition.get("continues"), definition.get("expectation")
    return Sweep(
        name=definition["sweep"],
        description=definition["description"],
        workload=workload if isinstance(workload, str) else program_of(workload),
        metrics=tuple(
            Metric(name=name, goal=goal, unit=unit, target=target, min_effect=min_effect)
            for name, (goal, unit, target, min_effect) in definition["metrics"].items()
        ),
        objectives=tuple(definition["objectives"]),
        space=space_of(definition["space"]),
        base=definition["base"],
        method=Method(name=method.pop("name"), options=method),
        stopping=Stopping(**stopping) if stopping else None,
        first=tuple(definition["first"]),
        budget=SweepBudget(trials=trials, runs=runs, hours=hours, run_minutes=run_minutes),
        confirmation=Confirmation(**confirmation) if confirmation else None,
        continues=Continuation(sweep=continues[0], round=continues[1]) if continues else None,
        expectation=Expectation(low=expected[0], high=expected[1], against=expected[2]) if expected else None,
        seeds=definition["seeds"],
        search_seed=definition["search_seed"],
        retries=definition["retries"],
        most_failures=definition["most_failures"],
    )
