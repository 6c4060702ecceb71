"""The phases of a study as a report tells them, from the record and the walk."""

from __future__ import annotations

import dataclasses
from typing import Any

from surefoot.ledger import LedgerRow
from surefoot.phases.gate import PHASES, Gate
from surefoot.plan import Plan
from surefoot.reports.phase_story import PhaseStory
from surefoot.storage import Record
from surefoot.study.ending import final_of
from surefoot.study.phase_log import OUTLOOK, PhaseLog
from surefoot.study.rounds import ledger_rows, rounds_of
from surefoot.study.walk import BASELINE, FINALISE, Walk
from surefoot.thresholds import Thresholds


def phase_story(record: Record, study_id: int, plan: Plan, log: PhaseLog, found: Walk) -> PhaseStory:
    """What is on record of the phases, with the verdicts of the walk; of a study without gates its end alone."""
    metric = plan.metric(plan.primary)
    rounds = rounds_of(log, found.experiments, metric)
    if plan.optimise is None:
        final = final_of(record, study_id, log, found)
        return PhaseStory(
            phase=found.phase,
            final=final,
            environment=log.environment,
            baseline_config=plan.baseline,
            final_config=found.champion,
        )
    return PhaseStory(
        phase=phase_of(plan, log, found),
        gates=tuple(log.gates[name] for name in PHASES if name in log.gates),
        turns=_turns(record, study_id),
        diagnosis=log.diagnoses.get(1),
        rounds=rounds,
        ledger=_ledger(plan, log, found),
        decision=log.decision,
        final=final_of(record, study_id, log, found),
        thresholds=plan.thresholds,
        set_thresholds=_set(plan.thresholds),
        environment=log.environment,
        baseline_config=plan.baseline,
        final_config=found.champion,
    )


def phase_of(plan: Plan, log: PhaseLog, found: Walk) -> str:
    """The phase that a study with phases is in; "done" once its last gate is open."""
    if _is_closed(log.gates.get("plan")):
        return "plan"
    if found.phase == BASELINE or _is_closed(log.gates.get("baseline")):
        return "baseline"
    if not log.outlooks and (not log.rounds or _is_closed(log.gates.get("diagnose"))):
        return "diagnose" if "baseline" in log.gates else "baseline"
    if not log.is_settled or found.phase == "confirm" or _is_closed(log.gates.get("optimise")):
        return "optimise"
    if found.phase == FINALISE or _is_closed(log.gates.get("finalise")):
        return FINALISE
    is_over = plan.finalise is None or not plan.finalise.seeds or "finalise" in log.gates
    return "done" if is_over and "optimise" in log.gates else FINALISE if "optimise" in log.gates else "optimise"


def _is_closed(gate: Gate | None) -> bool:
    return gate is not None and not gate.is_open


def _turns(record: Record, study_id: int) -> tuple[str, ...]:
    return tuple(
        f"{told['turn']}: {told['because']}" if (told := event.payload["outlook"]) else event.payload["because"]
        for event in record.events(study_id, OUTLOOK)
    )


def _ledger(plan: Plan, log: PhaseLog, found: Walk) -> tuple[LedgerRow, ...]:
    """The rows on record, then those of the round that goes on."""
    stories = {story.id: story for story in found.experiments}
    metric = plan.metric(plan.primary)
    open_ = [entry for number, entry in sorted(log.rounds.items()) if number not in log.rows]
    return (*log.ledger, *(row for entry in open_ for row in ledger_rows(plan.study, entry, stories, metric)))


def _set(thresholds: Thresholds) -> dict[str, Any]:
    return {
        field.name: getattr(thresholds, field.name)
        for field in dataclasses.fields(Thresholds)
        if getattr(thresholds, field.name) != field.default
    }
