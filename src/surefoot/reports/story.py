"""What a report tells: the study's runs, verdicts and decisions in their order, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.claim import Claim
from surefoot.comparison import Noise, Value
from surefoot.plan import Budget, Prediction, Rule
from surefoot.reports.phase_story import PhaseStory
from surefoot.run import Metric, Run
from surefoot.verdict import Choice, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class ArmStory:
    """One arm of an experiment (or its champion): its config and its runs, one for each seed.

    `changes` is what differs from the champion. `values` holds, for each metric, one entry for
    each of `seeds`: the final value, or why there is none. `runs` are the runs that ended, with
    their measurements. `seconds_a_step` is the training cost of each run that told it.
    """

    name: str
    changes: Mapping[str, Any]
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    values: Mapping[str, tuple[Value, ...]]
    runs: tuple[Run, ...] = ()
    seconds_a_step: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastStory:
    """A main effect or an interaction of a factorial: what it compares, and the verdict.

    `label` reads like "norm: none → instance" or "norm × dropout". A contrast that nobody
    predicted carries a verdict whose prediction is not registered.
    """

    label: str
    factors: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class PickStory:
    """A trial that a search sent into the race, as the arm of that name; `explored` is the value that chose it."""

    arm: str
    trial: int
    changes: Mapping[str, Any]
    explored: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchStory:
    """What an experiment looked through before its race: how, how many trials by state, why it ended, its picks.

    Without an `ending` it goes on. `space` is what each parameter may take, in words; `asked` how many trials it is
    to make, `levels` how many scientific settings are each tuned with the same number of them, `top` how many of
    the best will race where there are none.
    """

    method: str
    trials: Mapping[str, int]
    ending: str = ""
    picks: tuple[PickStory, ...] = ()
    asked: int = 0
    space: tuple[str, ...] = ()
    levels: int = 1
    top: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentStory:
    """One experiment: belief, predictions, arms, verdicts, decision and the gap it leaves.

    `verdicts` answer the arms' predictions in order; `steps` holds each arm's verdict on "better
    in the primary metric", on which adoption rests. `state` is "decided", "running" (some seeds
    still to train), "waiting" (not begun) or "skipped" (with `note`: the budget is spent …).
    `known` lists what was already known when it was registered: empty for an honest registration.
    `same` and `differs` are facts of the runs in words ("steps 300", "parameters 832,298 → 832,554").
    """

    number: int
    id: str
    hypothesis: str
    because: str
    predictions: tuple[Prediction, ...]
    revision: int
    plan_hash: str
    registered_at: str
    known: tuple[str, ...] = ()
    repeats: str = ""
    state: str
    note: str = ""
    rule: Rule
    noise: Noise
    champion: ArmStory | None = None
    arms: tuple[ArmStory, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    steps: Mapping[str, Verdict] = field(default_factory=dict)
    contrasts: tuple[ContrastStory, ...] = ()
    choice: Choice | None = None
    champion_before: Mapping[str, Any] = field(default_factory=dict)
    champion_after: Mapping[str, Any] = field(default_factory=dict)
    gap_before: float | None = None
    gap_after: float | None = None
    same: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    runs_trained: int = 0
    runs_reused: int = 0
    train_seconds: float = 0.0
    next: str = ""
    search: SearchStory | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionStory:
    """One revision of the plan and what was known when it was registered."""

    number: int
    plan_hash: str
    registered_at: str
    changes: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PathPoint:
    """A config the champion stood on, measured on exploring and (once confirmed) fresh seeds."""

    label: str
    experiment: str
    exploring: tuple[float, ...]
    fresh: tuple[float, ...] = ()
    is_claimed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """The study so far. `gap` is target minus champion in the direction of the goal (positive: still to go).

    `claims` are the confirmed or unconfirmed steps, `overall` the one test of champion against
    baseline, both on `fresh_seeds`. `test_values` are what the sealed test split showed when
    finalise opened it, by config ("baseline", "champion") and metric. `expected_false_adopts` bounds
    how many adoptions chance alone would make: the sum of the tested arms' error rates. `q_values`
    are Benjamini-Hochberg's, by "experiment / arm". `drivers` are the workload's (see `Workload`).
    `phases` are told where the plan asks for them (`optimise:`).
    """

    study: str
    workload: str
    phase: str
    metrics: tuple[Metric, ...]
    primary: Metric
    rule: Rule
    budget: Budget
    plan_hash: str
    plan_path: str
    revisions: tuple[RevisionStory, ...]
    noise: Mapping[str, Noise]
    baseline: ArmStory | None
    champion_config: Mapping[str, Any]
    champion_values: tuple[float, ...] = ()
    experiments: tuple[ExperimentStory, ...] = ()
    path: tuple[PathPoint, ...] = ()
    claims: tuple[Claim, ...] = ()
    overall: Claim | None = None
    fresh_seeds: tuple[int, ...] = ()
    target_gap: float | None = None
    test_values: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    test_opened_at: str = ""
    expected_false_adopts: float = 0.0
    q_values: Mapping[str, float] = field(default_factory=dict)
    run_counts: Mapping[str, int] = field(default_factory=dict)
    hours: float = 0.0
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    drivers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    phases: PhaseStory | None = None
