"""An examination as JSON that other programs may rely on: every group with its symptoms and what to try."""

from __future__ import annotations

from typing import Any

from surefoot.reports.diagnosed import Diagnosed, Examination
from surefoot.reports.plain_json import plain


def diagnosis_json(examination: Examination) -> dict[str, Any]:
    """One JSON document; no NaN and no infinity is in it. `primaries` counts groups, "" are those with none."""
    metric = examination.metric
    return {
        "name": examination.name,
        "kind": "diagnosis",
        "source": examination.source,
        "metric": metric.name if metric else None,
        "goal": metric.goal if metric else None,
        "trainings": examination.trainings,
        "primaries": examination.counts(),
        "notices": list(examination.notices),
        "groups": [_group(group) for group in examination.groups],
    }


def _group(group: Diagnosed) -> dict[str, Any]:
    ground = group.ground
    found: dict[str, Any] = plain(
        {
            **group.diagnosis.definition(),
            "recommendations": [r.id for r in group.diagnosis.recommendations],
            "config": dict(ground.config),
            "trained_on": ground.trained_on,
            "evaluated_on": ground.evaluated_on,
            "classes": ground.classes,
            "steps": _steps(group),
            "seeds": [h.seed for h in group.histories],
        }
    )
    return found


def _steps(group: Diagnosed) -> dict[str, Any]:
    """How far the trainings went, and in what unit."""
    last = [curve.steps[-1] for h in group.histories for curve in h.curves.values() if curve.steps]
    return {"unit": group.histories[0].step_unit, "last": max(last, default=None)}
