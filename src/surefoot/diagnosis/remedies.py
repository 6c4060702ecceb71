"""Remedies: the playbook's changes as recommendations, fitted to the config that was diagnosed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from surefoot.diagnosis.knobs import Knobs, knobs_of
from surefoot.diagnosis.playbook import OPPOSITES, PLAYBOOK
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.remedy import THE_DOCUMENT, Patient, Remedy, Times
from surefoot.diagnosis.roles import is_accuracy, is_error, role_of
from surefoot.diagnosis.symptom import Ground, Symptom

_DIGITS = 3


def with_remedies(symptoms: Sequence[Symptom], readings: Sequence[Reading], ground: Ground) -> tuple[Symptom, ...]:
    """The symptoms with their recommendations, "R1", "R2" … over all of them; the first symptom is the first treated.

    What two symptoms ask for has one number and stands under the first of them; what would undo a change that an
    earlier symptom asked for is left out. A symptom that could be noise asks for nothing.
    """
    if all(symptom.is_noise for symptom in symptoms):
        return tuple(symptoms)
    knobs = knobs_of({**readings[0].history.config, **ground.config}, ground.space)
    given: dict[str, Recommendation] = {}
    scale = _scale(readings[0], ground)
    patients = [Patient(symptom=one, knobs=knobs, ground=ground, reading=readings[0]) for one in symptoms]
    return tuple(_treated(patient, scale, given) for patient in patients)


def _treated(patient: Patient, scale: float | None, given: dict[str, Recommendation]) -> Symptom:
    """The patient's symptom with what is to be tried; `scale` is what a point is in the metric's unit."""
    symptom = patient.symptom
    if symptom.is_noise:
        return symptom
    found = []
    for remedy in PLAYBOOK[symptom.rule](patient):
        if remedy.kind not in given and not any(_undo(remedy.kind, kind) for kind in given):
            recommendation = _fitted(remedy, patient, scale, f"R{len(given) + 1}")
            if recommendation is not None:
                given[remedy.kind] = recommendation
        if remedy.kind in given:
            found.append(given[remedy.kind])
    return replace(symptom, recommendations=tuple(found))


def _undo(kind: str, other: str) -> bool:
    return (kind, other) in OPPOSITES or (other, kind) in OPPOSITES


def _fitted(remedy: Remedy, patient: Patient, scale: float | None, number: str) -> Recommendation | None:
    """The remedy in the config's names and values; None where the config has it already or cannot take it."""
    patch, is_applicable = _patch(remedy, patient.knobs)
    if remedy.changes and not patch:
        return None
    return Recommendation(
        id=number,
        kind=remedy.kind,
        title=remedy.title,
        patch=patch,
        because=remedy.because,
        symptom=patient.symptom.rule,
        promise=_promise(remedy, patient, scale),
        impact=remedy.impact,
        effort=remedy.effort,
        risk=remedy.risk,
        is_applicable=is_applicable,
    )


def _patch(remedy: Remedy, knobs: Knobs) -> tuple[dict[str, Any], bool]:
    """The settings to change, and whether the workload has them and takes these values."""
    patch: dict[str, Any] = {}
    has_all = bool(remedy.changes)
    for knob, change in remedy.changes.items():
        name = knobs.name(knob)
        now = knobs.number(knob)
        if not knobs.has(knob):
            has_all = False
            patch[name] = change.text if isinstance(change, Times) else change
            continue
        if isinstance(change, Times) and now is None:
            has_all = False
            patch[name] = change.text
            continue
        value = _times(change, now, knobs.value(knob)) if isinstance(change, Times) and now is not None else change
        fitted = knobs.fitted(knob, value)
        if fitted is not None:
            patch[name] = fitted
    return patch, has_all and bool(patch) and not knobs.breaks(patch)


def _times(change: Times, now: float, as_written: Any) -> Any:
    """The value times the factor: whole where it was whole, in eights where it was, else to three digits."""
    value = max(change.factor * now, change.least)
    if not isinstance(as_written, int):
        return float(f"{value:.{_DIGITS}g}")
    if as_written % 8 == 0 and value >= 8:
        return 8 * max(1, math.floor(value / 8 + 0.5))
    whole = math.floor(value + 0.5)
    if whole == as_written:
        whole += 1 if change.factor > 1 else -1
    return max(whole, 1)


def _promise(remedy: Remedy, patient: Patient, scale: float | None) -> Promise | None:
    """What the document promises, in the metric's unit, never more than there is room for.

    None where the document gives no figure, or the metric is no accuracy, in whose points its figures are.
    """
    metric = patient.ground.metric
    if remedy.gain is None or metric is None or scale is None:
        return None
    room, why = _room(patient)
    low, high = (min(points, room) for points in remedy.gain)
    is_cut = high < remedy.gain[1]
    return Promise(
        metric=metric.name,
        low=low * scale,
        high=high * scale,
        unit=metric.unit,
        source=f"{THE_DOCUMENT}, cut to {why}" if is_cut else THE_DOCUMENT,
    )


def _scale(reading: Reading, ground: Ground) -> float | None:
    """What a point is in the metric's unit; None where the metric is not made of points."""
    metric, val = ground.metric, reading.val_score
    if metric is None:
        return None
    stem = role_of(metric.name).stem
    if not is_accuracy(stem) or (metric.goal == "maximize") == is_error(stem):
        return None
    if metric.unit == "%":
        return 1.0
    raw = reading.history.curves.get(metric.name)
    if raw is None or val is None or not raw.values:
        return None
    largest = max((v for v in raw.values if math.isfinite(v)), default=math.nan)
    return 0.01 if largest <= 1 else 1.0


def _room(patient: Patient) -> tuple[float, str]:
    """The points that can be gained at all, and what they are."""
    reading, evidence = patient.reading, patient.evidence
    val = reading.val_score.end if reading.val_score is not None else 0.0
    rooms = [(max(0.0, (reading.ceiling if reading.ceiling is not None else 100.0) - val), "what is left to gain")]
    gap = evidence.get("gap") if patient.symptom.rule == "overfitting" else None
    if isinstance(gap, int | float):
        rooms.append((max(0.0, float(gap)), "the gap"))
    return min(rooms)
