"""The phases as JSON: gates with their evidence, diagnosis, rounds, ledger, decision and end."""

from __future__ import annotations

import dataclasses
from typing import Any

from surefoot.phases.final import Final
from surefoot.phases.round import Round
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.plain_json import plain


def phases_json(phases: PhaseStory) -> dict[str, Any]:
    """The phases as plain JSON values; no NaN and no infinity is among them."""
    return {
        "phase": phases.phase,
        "turns": list(phases.turns),
        "gates": [
            {"phase": g.phase, "is_open": g.is_open, "checks": [plain(dataclasses.asdict(c)) for c in g.checks]}
            for g in phases.gates
        ],
        "diagnosis": None if phases.diagnosis is None else plain(phases.diagnosis.definition()),
        "rounds": [_round(found) for found in phases.rounds],
        "ledger": [plain(dataclasses.asdict(row)) for row in phases.ledger],
        "decision": None if phases.decision is None else dataclasses.asdict(phases.decision),
        "final": None if phases.final is None else _final(phases.final),
        "thresholds": plain(dataclasses.asdict(phases.thresholds)),
        "set_thresholds": plain(phases.set_thresholds),
        "environment": plain(phases.environment),
        "baseline_config": plain(phases.baseline_config),
        "final_config": plain(phases.final_config),
    }


def _round(found: Round) -> dict[str, Any]:
    return {
        "number": found.number,
        "strategy": found.strategy,
        "diagnosis": plain(found.diagnosis.definition()),
        "tried": [plain(r.definition()) for r in found.tried],
        "skipped": [{"recommendation": plain(r.definition()), "because": because} for r, because in found.skipped],
        "experiments": list(found.experiments),
        "adopted": found.adopted,
        "gain": plain(found.gain),
        "interval": plain(found.interval),
        "n": found.n,
        "attributions": [plain(dataclasses.asdict(a)) for a in found.attributions],
        "outlook": None if found.outlook is None else dataclasses.asdict(found.outlook),
    }


def _final(final: Final) -> dict[str, Any]:
    """The end; its runs by their id, as `surefoot reproduce` takes it."""
    told = {name: getattr(final, name) for name in Final.__slots__ if name not in ("runs", "per_class", "exports")}
    return {
        "runs": [{"id": run.id, "key": run.key, "seed": run.seed, "status": str(run.status)} for run in final.runs],
        **plain(told),
        "per_class": [plain(dataclasses.asdict(score)) for score in final.per_class],
        "exports": [plain(dataclasses.asdict(found)) for found in final.exports],
    }
