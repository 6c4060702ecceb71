"""The phases of a study as they stand on the record: gates, diagnoses, rounds, outlooks and the end."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.diagnosis.recommendation import Recommendation, recommendation_from
from surefoot.diagnosis.symptom import Diagnosis, diagnosis_from
from surefoot.ledger import LedgerRow
from surefoot.phases.gate import Check, Gate
from surefoot.phases.outlook import Outlook
from surefoot.plan import Experiment, Plan, experiment_of, is_round_id
from surefoot.run import canonical_json, config_hash
from surefoot.storage import Record
from surefoot.study.walk import CONFIRMATION, FINAL

# The kinds of events that phases leave; each is read back here and nowhere else.
GATE, DIAGNOSIS, ROUND, ABLATION, OUTLOOK = "gate", "diagnosis", "round", "ablation", "outlook"
LEDGER, ENVIRONMENT, BUNDLE = "ledger", "environment", "bundle"
SETTLED = ("finalise", "ceiling")


@dataclass(frozen=True, kw_only=True, slots=True)
class RoundEntry:
    """A round as it was begun: what was tried and what not, and the experiment that was registered."""

    number: int
    strategy: str
    tried: tuple[Recommendation, ...]
    skipped: tuple[tuple[Recommendation, str], ...]
    first_promises: Mapping[str, tuple[float, float]]
    before: Mapping[str, Any]
    experiment: Experiment


@dataclass(frozen=True, kw_only=True, slots=True)
class PhaseLog:
    """What is on record of a study's phases, on today's baseline, metric, data and code.

    `diagnoses`, `rounds`, `ablations` and `outlooks` are by the number of their round, from 1; outlook 0 is the
    turn that needed no round. An outlook that was taken back is not among them. `settled_on` is what the last one was
    decided by: the plan's terms and the champion. `rows` are the ledger's by round. `bundle` is what finalise left, as
    JSON; empty before.
    """

    gates: Mapping[str, Gate] = field(default_factory=dict)
    diagnoses: Mapping[int, Diagnosis] = field(default_factory=dict)
    rounds: Mapping[int, RoundEntry] = field(default_factory=dict)
    ablations: Mapping[int, Experiment] = field(default_factory=dict)
    outlooks: Mapping[int, Outlook] = field(default_factory=dict)
    settled_on: tuple[str, str] = ("", "")
    rows: Mapping[int, tuple[LedgerRow, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    bundle: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ledger(self) -> tuple[LedgerRow, ...]:
        """The rows of every round, in order."""
        return tuple(row for _, rows in sorted(self.rows.items()) for row in rows)

    @property
    def decision(self) -> Outlook | None:
        """The last outlook, None before the first."""
        return self.outlooks[max(self.outlooks)] if self.outlooks else None

    @property
    def is_settled(self) -> bool:
        """Whether optimising has come to its end."""
        return self.decision is not None and self.decision.turn in SETTLED

    @property
    def holds(self) -> frozenset[str]:
        """What a gate still stands before: the confirmation until optimising is settled, the end until it is open."""
        optimised = self.gates.get("optimise")
        is_open = self.is_settled and optimised is not None and optimised.is_open
        return frozenset(({CONFIRMATION} if not self.is_settled else set()) | ({FINAL} if not is_open else set()))

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """What the rounds registered, in order."""
        found: list[Experiment] = []
        for number, entry in sorted(self.rounds.items()):
            found.append(entry.experiment)
            found += [self.ablations[number]] if number in self.ablations else []
        return tuple(found)

    def grown(self, plan: Plan) -> Plan:
        """The plan with what its rounds registered."""
        return dataclasses.replace(plan, experiments=(*plan.experiments, *self.experiments))


def standing_of(plan: Plan, prints: tuple[str, str]) -> str:
    """What phases stand on (a hash): on another baseline, metric, data or code they are gone through anew."""
    metric = plan.metric(plan.primary)
    parts = [plan.workload_identity, config_hash(plan.baseline), metric.name, metric.goal, *prints]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def terms_of(plan: Plan) -> str:
    """What of a plan the end of optimising is decided by (a hash): where it says otherwise, it is decided again."""
    metric = plan.metric(plan.primary)
    own = [e.content_hash for e in plan.experiments if not is_round_id(e.id)]
    asked = [dataclasses.asdict(plan.optimise) if plan.optimise else {}, dataclasses.asdict(plan.thresholds)]
    parts = [*asked, metric.target, metric.min_effect, plan.budget.runs, plan.budget.hours, own]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def read_log(record: Record, study_id: int, standing: str) -> PhaseLog:
    """What is on record of the phases that stand on this."""
    events = {kind: _payloads(record, study_id, kind, standing) for kind in (GATE, DIAGNOSIS, ROUND, ABLATION)}
    latest = {p["round"]: p for p in _payloads(record, study_id, OUTLOOK, standing)}
    outlooks = {number: p for number, p in latest.items() if p["outlook"]}
    last = outlooks[max(outlooks)] if outlooks else {"terms": "", "champion": ""}
    environments = record.events(study_id, ENVIRONMENT)
    bundles = _payloads(record, study_id, BUNDLE, standing)
    return PhaseLog(
        gates={p["gate"]["phase"]: gate_from(p["gate"]) for p in events[GATE]},
        diagnoses={p["round"]: diagnosis_from(p["diagnosis"]) for p in events[DIAGNOSIS]},
        rounds={p["round"]: _entry(p) for p in events[ROUND]},
        ablations={p["round"]: experiment_of(p["experiment"]) for p in events[ABLATION]},
        outlooks={number: Outlook(**p["outlook"]) for number, p in outlooks.items()},
        settled_on=(last["terms"], last["champion"]),
        rows={p["round"]: _rows(p) for p in _payloads(record, study_id, LEDGER, standing)},
        environment=environments[-1].payload if environments else {},
        bundle=bundles[-1] if bundles else {},
    )


def every_row(record: Record, study_id: int, standing: str) -> tuple[LedgerRow, ...]:
    """The ledger of the whole record: what recommendations came to in every study, this one's on today's ground."""
    found: dict[tuple[int, str, int], tuple[LedgerRow, ...]] = {}
    for study in record.studies():
        for event in record.events(study.id, LEDGER):
            told = event.payload
            if study.id != study_id or told["standing"] == standing:
                found[study.id, told["standing"], told["round"]] = _rows(told)  # what a round said later counts
    return tuple(row for rows in found.values() for row in rows)


def gate_json(gate: Gate) -> dict[str, Any]:
    """The gate as JSON."""
    checks = [{**dataclasses.asdict(check), "rests_on": list(check.rests_on)} for check in gate.checks]
    return {"phase": gate.phase, "checks": checks}


def gate_from(told: Mapping[str, Any]) -> Gate:
    """The gate that the JSON is of."""
    checks = tuple(Check(**{**check, "rests_on": tuple(check["rests_on"])}) for check in told["checks"])
    return Gate(phase=told["phase"], checks=checks)


def round_json(entry: RoundEntry) -> dict[str, Any]:
    """A round as JSON."""
    return {
        "round": entry.number,
        "strategy": entry.strategy,
        "tried": [r.definition() for r in entry.tried],
        "skipped": [[r.definition(), reason] for r, reason in entry.skipped],
        "first_promises": {name: list(promise) for name, promise in entry.first_promises.items()},
        "before": dict(entry.before),
        "experiment": entry.experiment.definition(),
    }


def row_from(told: Mapping[str, Any]) -> LedgerRow:
    """A row of the ledger from its JSON."""
    pairs = {name: tuple(told[name]) for name in ("first_promised", "promised")}
    interval = tuple(told["interval"]) if told["interval"] else None
    return LedgerRow(**{**told, **pairs, "interval": interval})


def _rows(told: Mapping[str, Any]) -> tuple[LedgerRow, ...]:
    return tuple(row_from(row) for row in told["rows"])


def _entry(told: Mapping[str, Any]) -> RoundEntry:
    return RoundEntry(
        number=told["round"],
        strategy=told["strategy"],
        tried=tuple(recommendation_from(r) for r in told["tried"]),
        skipped=tuple((recommendation_from(r), reason) for r, reason in told["skipped"]),
        first_promises={name: (low, high) for name, (low, high) in told["first_promises"].items()},
        before=told["before"],
        experiment=experiment_of(told["experiment"]),
    )


def _payloads(record: Record, study_id: int, kind: str, standing: str) -> list[Mapping[str, Any]]:
    return [event.payload for event in record.events(study_id, kind) if event.payload.get("standing") == standing]
