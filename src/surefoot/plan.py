"""The study as written before any data: hypotheses, predictions, arms, and the rule that will decide."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from surefoot.program import Program
from surefoot.run import Metric, canonical_json, config_hash
from surefoot.space import SearchSpace, space_of
from surefoot.sweep import Method, Stopping
from surefoot.thresholds import Thresholds

Relation = Literal["better", "worse", "same", "between"]
DEFAULT_LOOKS = (3, 5, 8)
CONFIRM_SEED = 10_001
FINAL_SEED = 20_001
BLOCK = 100
SEARCH_BLOCK = 5_000  # searches explore on seeds of their own, so that the race after them is on fresh ones
PLACES = ("best", "second", "third")
ROUND, ABLATION = "round-", "-ablation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """How the study decides; part of the plan, so fixed before the first run.

    A race looks at `looks` pairs. A prediction is settled at total error `support_alpha`; an arm
    is adopted, to explore on, at total error `adopt_alpha`. Only a confirmation on
    `confirm_seeds` fresh seeds at `claim_alpha` (Holm over the report) is a claim.
    """

    looks: tuple[int, ...] = DEFAULT_LOOKS
    adopt_alpha: float = 0.20
    support_alpha: float = 0.05
    claim_alpha: float = 0.05
    confirm_seeds: int = 8
    is_screened: bool = True

    @property
    def seeds(self) -> int:
        """The most pairs an arm gets while exploring."""
        return self.looks[-1]

    def respent(self, times: int) -> Rule:
        """The rule of the `times`-th repeat of an experiment: half the error, and half again."""
        half = 0.5**times
        return replace(self, adopt_alpha=self.adopt_alpha * half, support_alpha=self.support_alpha * half)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What a hypothesis should do to one metric: of an arm, or of a factor or pair of factors.

    `by` and `within` are in the metric's unit and count in the direction of its goal; `low` and
    `high` of a `between` bound arm minus champion as it is.
    """

    arm: str = ""
    main: str = ""
    interaction: tuple[str, ...] = ()
    metric: str
    relation: Relation
    by: float = 0.0
    within: float | None = None
    low: float = 0.0
    high: float = 0.0
    is_registered: bool = True

    @property
    def subject(self) -> str:
        """The arm, the factor, or "a × b" for an interaction."""
        return self.arm or self.main or " × ".join(self.interaction)


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """A named change of the champion's config."""

    name: str
    changes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchPlan:
    """What an experiment looks through, single seeds a trial, before it races the best few on fresh seeds.

    Where the space has scientific parameters, each of their combinations is tuned with the same number of
    trials and the best of each is an arm; otherwise the best `top` trials are.
    """

    space: SearchSpace
    trials: int
    top: int = 3
    method: Method = field(default_factory=Method)
    stopping: Stopping | None = None
    first: tuple[Mapping[str, Any], ...] = ()
    search_seed: int = 0

    def definition(self) -> dict[str, Any]:
        """What it says, as JSON."""
        stopping = self.stopping and {name: getattr(self.stopping, name) for name in Stopping.__slots__}
        return {
            "space": self.space.definition(),
            "trials": self.trials,
            "top": self.top,
            "method": {"name": self.method.name, **self.method.options},
            "stopping": stopping,
            "first": [dict(config) for config in self.first],
            "search_seed": self.search_seed,
        }

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of the definition."""
        return hashlib.sha256(canonical_json(self.definition()).encode()).hexdigest()

    @property
    def arm_names(self) -> tuple[str, ...]:
        """What its arms will be called: the scientific settings, or best, second, third and so on."""
        levels = self.space.scientific_levels()
        if levels != ({},):
            return tuple(cell_name(list(level), tuple(level.values())) for level in levels)
        return tuple(PLACES[i] if i < len(PLACES) else f"{i + 1}th" for i in range(self.top))


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """A hypothesis, why it is believed, its predictions, and the arms that test it.

    A factorial experiment has `factors`; its arms are the cells. One with a `search` has no arms before
    the search has found them. `allow` names facts that may differ between arms without confounding them.
    `repeats` names the experiment it repeats, on fresh seeds and with re-spent error.
    """

    id: str
    hypothesis: str
    because: str = ""
    arms: tuple[Arm, ...]
    factors: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    predictions: tuple[Prediction, ...]
    allow: tuple[str, ...] = ()
    repeats: str = ""
    search: SearchPlan | None = None

    @property
    def most_arms(self) -> int:
        """How many arms it has, or will have once its search is done."""
        return len(self.arms) if self.search is None else len(self.search.arm_names)

    def predictions_of(self, arm: str, primary: str) -> tuple[Prediction, ...]:
        """The predictions about an arm; where none was registered, the plain question whether it is better."""
        found = tuple(p for p in self.predictions if p.arm == arm)
        return found or (Prediction(arm=arm, metric=primary, relation="better", is_registered=False),)

    def definition(self) -> dict[str, Any]:
        """What the experiment says, as JSON: what is registered, hashed and compared with later revisions."""
        return {
            "id": self.id,
            "hypothesis": self.hypothesis,
            "because": self.because,
            "arms": {self._identity(arm): dict(arm.changes) for arm in self.arms},
            "factorial": {name: list(levels) for name, levels in self.factors},
            "expect": [_prediction_json(p) for p in self.predictions],
            "allow": list(self.allow),
            "repeats": self.repeats,
            **({"search": self.search.definition()} if self.search else {}),
        }

    def _identity(self, arm: Arm) -> str:
        """A cell's name must not depend on which factor was written first."""
        if not self.factors:
            return arm.name
        names = sorted(arm.changes)
        return cell_name(names, tuple(arm.changes[name] for name in names))

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of the definition."""
        return hashlib.sha256(canonical_json(self.definition()).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimise:
    """How a study goes on from its diagnosis: by which strategy, for how many rounds, with how much at once.

    `recommendations` is how many of the top ones a targeted round puts to the test, `trials` what a round of
    strategy sweep may look through. "iterative" is targeted, again and again; "none" leaves it at the plan's own
    experiments.
    """

    strategy: Literal["targeted", "sweep", "iterative", "none"] = "targeted"
    rounds: int = 1
    recommendations: int = 3
    trials: int = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """A predicate of a gate that a person lets pass, and the reason they wrote."""

    gate: str
    predicate: str
    because: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalise:
    """How a study ends: the sealed split is opened.

    With `seeds`, the champion is trained once more on that many seeds of its own, and measured; with `exports` it
    is written into a bundle, in these formats.
    """

    seeds: int = 0
    exports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The most a study may spend; None is no limit. `run_minutes` limits each run."""

    runs: int | None = None
    hours: float | None = None
    run_minutes: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The whole plan, checked. `text` is the file as it was read; `baseline` a complete config.

    `workload` is what `find_workload` takes. With `finalise` the sealed test split is opened, once, when all
    claims are settled. With `optimise` the study goes through its phases: gates, diagnosis, rounds.
    """

    study: str
    workload: str | Program
    metrics: tuple[Metric, ...]
    primary: str
    rule: Rule = field(default_factory=Rule)
    budget: Budget = field(default_factory=Budget)
    baseline: Mapping[str, Any]
    experiments: tuple[Experiment, ...] = ()
    finalise: Finalise | None = None
    optimise: Optimise | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    overrides: tuple[Override, ...] = ()
    text: str = ""
    path: str = ""

    @property
    def workload_name(self) -> str:
        """What a table and the record call the workload."""
        return self.workload if isinstance(self.workload, str) else self.workload.name

    @property
    def workload_identity(self) -> str:
        """What stands for the workload in a run's key."""
        return self.workload if isinstance(self.workload, str) else self.workload.identity

    @property
    def workload_shown(self) -> str:
        """What a reader is told of the workload: a program's whole command line."""
        if isinstance(self.workload, str) or self.workload.function:
            return self.workload_name
        return " ".join(shlex.quote(part) if not part or " " in part else part for part in self.workload.command)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of what the plan says; comments and layout do not count."""
        return hashlib.sha256(canonical_json(self.definition()).encode()).hexdigest()

    def definition(self) -> dict[str, Any]:
        """What the plan says, as JSON."""
        return {
            "study": self.study,
            "workload": self.workload if isinstance(self.workload, str) else self.workload.definition(),
            "metrics": {m.name: [m.goal, m.unit, m.target, m.min_effect] for m in self.metrics},
            "primary": self.primary,
            "rule": {
                "looks": list(self.rule.looks),
                "adopt": self.rule.adopt_alpha,
                "support": self.rule.support_alpha,
                "claim": self.rule.claim_alpha,
                "confirm_seeds": self.rule.confirm_seeds,
                "screen": self.rule.is_screened,
            },
            "budget": [self.budget.runs, self.budget.hours, self.budget.run_minutes],
            "baseline": dict(self.baseline),
            "experiments": [e.definition() for e in self.experiments],
            "finalise": self.finalise is not None,
            **self._phases(),
        }

    def _phases(self) -> dict[str, Any]:
        """What it says of its phases; nothing where it has none, so that a plan without keeps its hash."""
        found: dict[str, Any] = {}
        if self.optimise is not None:
            found["optimise"] = dataclasses.asdict(self.optimise)
        if self.finalise is not None and self.finalise != Finalise():
            found["final"] = [self.finalise.seeds, list(self.finalise.exports)]
        default = Thresholds()
        changed = {n: getattr(self.thresholds, n) for n in Thresholds.__slots__}
        changed = {n: v for n, v in changed.items() if v != getattr(default, n)}
        if changed:
            found["thresholds"] = changed
        if self.overrides:
            found["overrides"] = [dataclasses.asdict(override) for override in self.overrides]
        return found

    @property
    def is_finalised(self) -> bool:
        """Whether the sealed test split is to be opened."""
        return self.finalise is not None

    def metric(self, name: str) -> Metric:
        """The plan's metric of that name; raises KeyError for one it does not list."""
        return {m.name: m for m in self.metrics}[name]

    def repeat_number(self, experiment: Experiment) -> int:
        """0 for a first experiment, 1 for its first repeat, 2 for its second, however they are chained."""
        root = self._root(experiment)
        earlier = self.experiments[: self.experiments.index(experiment)]
        return sum(self._root(other) == root for other in earlier)

    def _root(self, experiment: Experiment) -> str:
        by_id = {e.id: e for e in self.experiments}
        while experiment.repeats:
            experiment = by_id[experiment.repeats]
        return experiment.id

    def rule_of(self, experiment: Experiment) -> Rule:
        """The rule that decides this experiment: a repeat has less error to spend."""
        return self.rule.respent(self.repeat_number(experiment))


def exploring_seeds(n: int, block: int = 0) -> tuple[int, ...]:
    """The first n seeds of an exploring block; blocks share none, so a new one is fresh."""
    return tuple(range(1 + BLOCK * block, 1 + BLOCK * block + n))


def confirming_seeds(n: int, block: int = 0) -> tuple[int, ...]:
    """The n seeds kept for a confirmation; no experiment ever trains on them, and blocks share none."""
    first = CONFIRM_SEED + BLOCK * block
    return tuple(range(first, first + n))


def final_seeds(n: int) -> tuple[int, ...]:
    """The n seeds of the last training, on which nothing was ever chosen."""
    return tuple(range(FINAL_SEED, FINAL_SEED + n))


def looks_up_to(seeds: int) -> tuple[int, ...]:
    """The default looks of a race of at most `seeds` pairs: 3, 5 and 8 as far as they go, then all."""
    return (*(n for n in DEFAULT_LOOKS if n < seeds), seeds)


def factorial_arms(factors: Mapping[str, list[Any]]) -> tuple[Arm, ...]:
    """One arm for every combination of levels, named by its settings, the first levels first."""
    names = list(factors)
    cells = itertools.product(*factors.values())
    return tuple(Arm(name=cell_name(names, cell), changes=dict(zip(names, cell, strict=True))) for cell in cells)


def cell_name(names: list[str], levels: tuple[Any, ...]) -> str:
    """The name of a factorial cell: "norm=batch, dropout=0.1"."""
    return ", ".join(f"{name}={_shown(level)}" for name, level in zip(names, levels, strict=True))


def round_id(number: int, *, is_ablation: bool = False) -> str:
    """The id of the experiment that a round of optimising registers, or of its ablation."""
    return f"{ROUND}{number}{ABLATION if is_ablation else ''}"


def is_round_id(name: str) -> bool:
    """Whether it is what a round's experiment is called, so that a person's own may not be."""
    return name.startswith(ROUND) and name.removeprefix(ROUND).removesuffix(ABLATION).isdigit()


def experiment_of(definition: Mapping[str, Any]) -> Experiment:
    """The experiment that `Experiment.definition` told, where it is no factorial."""
    return Experiment(
        id=definition["id"],
        hypothesis=definition["hypothesis"],
        because=definition["because"],
        arms=tuple(Arm(name=name, changes=changes) for name, changes in definition["arms"].items()),
        predictions=tuple(_prediction_of(p) for p in definition["expect"]),
        allow=tuple(definition["allow"]),
        repeats=definition["repeats"],
        search=_search_of(definition["search"]) if "search" in definition else None,
    )


def _prediction_of(told: Mapping[str, Any]) -> Prediction:
    low, high = told.get("between", (0.0, 0.0))
    return Prediction(
        arm=told["arm"],
        metric=told["metric"],
        relation=told.get("is", "between"),
        by=told.get("by", 0.0),
        within=told.get("within"),
        low=low,
        high=high,
    )


def _search_of(told: Mapping[str, Any]) -> SearchPlan:
    options = dict(told["method"])
    return SearchPlan(
        space=space_of(told["space"]),
        trials=told["trials"],
        top=told["top"],
        method=Method(name=options.pop("name"), options=options),
        stopping=Stopping(**told["stopping"]) if told["stopping"] else None,
        first=tuple(told["first"]),
        search_seed=told["search_seed"],
    )


def same_config(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two complete configs hold the same settings."""
    return config_hash(a) == config_hash(b)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _prediction_json(p: Prediction) -> dict[str, Any]:
    if p.relation == "between":
        wanted: dict[str, Any] = {"between": [p.low, p.high]}
    else:
        wanted = {"is": p.relation}
        if p.by:
            wanted["by"] = p.by
        if p.within is not None:
            wanted["within"] = p.within
    subject = {"arm": p.arm} if p.arm else {"main": p.main} if p.main else {"interaction": list(p.interaction)}
    return {**subject, "metric": p.metric, **wanted}
