"""The shape of a sweep's file: its keys, their kinds, and the words of other tools that mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from surefoot.files.entry import Entries, Finite, Name, Positive, Strict
from surefoot.files.program_entry import ProgramEntry

MOST_SEEDS = 90

# Other words for a method, as other tools have them.
METHOD_WORDS = {
    "bayes": "tpe",
    "bayesian": "tpe",
    "qmc": "sobol",
    "quasi-random": "sobol",
    "quasirandom": "sobol",
    "cma-es": "cmaes",
    "nsgaii": "nsga2",
    "nsga-ii": "nsga2",
}
# Other words for what a stopping rule is told: Ray's, then Optuna's.
STOPPING_WORDS = {
    "grace_period": "min_steps",
    "max_t": "max_steps",
    "reduction_factor": "eta",
    "min_resource": "min_steps",
    "max_resource": "max_steps",
}
RULE_WORDS = {"successive_halving": "asha", "successivehalving": "asha", "async_hyperband": "asha"}
RUNGS = ("min_steps", "max_steps", "eta", "promotes", "counts")
# What each stopping rule can be told.
STOPPING_KEYS: Mapping[str, tuple[str, ...]] = {
    "asha": RUNGS,
    "hyperband": RUNGS,
    "median": ("warmup_steps", "warmup_trials", "counts"),
    "patience": ("patience", "counts"),
    "wilcoxon": ("p",),
}

Goal = Literal["minimize", "maximize"]
AtLeastOne = Annotated[int, Field(ge=1)]
FromZero = Annotated[int, Field(ge=0)]


class SweepMetricEntry(Strict):
    """One metric: which way it should go, its unit, where it should get, and what change is worth having."""

    goal: Goal | None = None
    direction: Goal | None = None
    unit: str = ""
    target: Finite | None = None
    min_effect: Positive | None = None


class OneMetricEntry(SweepMetricEntry):
    """The only metric, with its name."""

    name: Name


class SweepBudgetEntry(Strict):
    """The most a sweep may spend."""

    trials: AtLeastOne | None = None
    runs: AtLeastOne | None = None
    hours: Positive | None = None
    run_minutes: Positive | None = None


class ConfirmEntry(Strict):
    """How the best trials are confirmed."""

    top: AtLeastOne = 8
    seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 5
    base: bool = False


class ContinuesEntry(Strict):
    """The earlier sweep that this one goes on from."""

    sweep: Name
    round: Annotated[int, Field(ge=2, le=1000)] = 2


class ExpectEntry(Strict):
    """What the chosen config is expected to come to on fresh seeds."""

    between: Annotated[list[Finite], Field(min_length=2, max_length=2)]
    against: Finite | None = None


class StoppingEntry(Strict):
    """Which trials are ended early."""

    rule: str
    min_steps: AtLeastOne | None = None
    max_steps: AtLeastOne | None = None
    eta: Annotated[int, Field(ge=2)] | None = None
    promotes: bool | None = None
    warmup_steps: FromZero | None = None
    warmup_trials: FromZero | None = None
    patience: AtLeastOne | None = None
    p: Annotated[float, Field(gt=0, lt=1)] | None = None
    counts: Literal["steps", "measurements"] | None = None
    grace_period: AtLeastOne | None = None
    max_t: AtLeastOne | None = None
    reduction_factor: Annotated[int, Field(ge=2)] | None = None
    min_resource: AtLeastOne | None = None
    max_resource: AtLeastOne | None = None


class SpaceEntry(Strict):
    """A space of settings, and how it is searched."""

    parameters: dict[str, Any]
    constraints: list[str] = Field(default_factory=list)
    first: list[dict[str, Any]] = Field(default_factory=list)
    method: Any = None
    stop_early: Any = None
    search_seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class SweepEntry(ProgramEntry, SpaceEntry):
    """A Surefoot sweep: a search over a space of settings."""

    sweep: Name
    description: str = ""
    workload: Annotated[str, Field(min_length=1)] | None = None
    base: dict[str, Any] = Field(default_factory=dict)
    metrics: Annotated[dict[str, SweepMetricEntry], Field(min_length=1)] | None = None
    metric: OneMetricEntry | None = None
    direction: Goal | None = None
    directions: list[Goal] | None = None
    objective: Any = None
    budget: SweepBudgetEntry = SweepBudgetEntry()
    seeds: Annotated[int, Field(ge=1, le=MOST_SEEDS)] = 1
    confirm: Any = None
    continues: Any = None
    expect: ExpectEntry | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    most_failures: AtLeastOne = 5


ENTRIES: Entries = {
    ("metrics", "*"): SweepMetricEntry,
    ("metric",): OneMetricEntry,
    ("budget",): SweepBudgetEntry,
    ("expect",): ExpectEntry,
}
