"""What the record gives back besides runs: a frozen row per study, revision, experiment, trial, use, event, verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.run import Status


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRow:
    """One goal pursued to its end; its kind is "plan" or "sweep"."""

    id: int
    name: str
    workload: str
    created_at: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionRow:
    """A plan as it was registered; `known` says which results had been seen by then."""

    id: int
    study_id: int
    number: int
    plan_hash: str
    plan_text: str
    plan_path: str
    known: Mapping[str, Any]
    registered_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExperimentRow:
    """An experiment as a revision of the plan defined it."""

    id: int
    study_id: int
    revision_id: int
    key: str
    content_hash: str
    definition: Mapping[str, Any]
    registered_at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialRow:
    """A config that a sweep proposed: the settings it varies, and with them the whole config.

    Numbers are a sweep's own; `origin` says what proposed it, `space_hash` in which space.
    """

    id: int
    study_id: int
    sweep: str
    number: int
    settings: Mapping[str, Any]
    config: Mapping[str, Any]
    origin: str
    space_hash: str
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRow:
    """One attempt at a trial, as short as `status` reads it; RUNNING only while somebody trains it."""

    trial: int
    run_id: int
    seed: int
    status: Status
    reason: str
    seconds: float
    started_at: str
    finals: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class UseRow:
    """A study rests on this run, for this arm of this experiment; `is_own` where it trained the run itself."""

    run_id: int
    experiment: str
    arm: str
    at: str
    is_own: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """A decision, claim, opening or notice, as a JSON document."""

    id: int
    study_id: int
    kind: str
    experiment: str | None
    payload: Mapping[str, Any]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """What one arm's comparison came to; a number that does not apply is None, never NaN."""

    id: int
    study_id: int
    experiment: str
    arm: str
    metric: str
    verdict: str
    cause: str
    decision: str
    n: int
    estimate: float | None
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    payload: Mapping[str, Any]
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyCounts:
    """How many runs a study started, by the best status of each, and how many runs of others it reuses.

    The wall seconds are those of all attempts.
    """

    statuses: Mapping[Status, int] = field(default_factory=dict)
    wall_seconds: float = 0.0
    reused: int = 0
