"""What a diagnosis is called in a sentence: symptoms, confidences, promises, changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.words import NOTHING, count, percent, settings, shortened, span

NAMES: Mapping[str, str] = {
    "failed": "failed training",
    "non_finite": "non-finite values",
    "exploding_gradients": "exploding gradients",
    "vanishing_gradients": "vanishing gradients",
    "stall": "stall near chance",
    "rate_too_high": "learning rate too high",
    "rate_too_low": "learning rate too low",
    "overfitting": "overfitting",
    "underfitting": "underfitting",
    "unstable_validation": "unstable validation",
    "split_mismatch": "validation-test mismatch",
    "inefficient_resources": "inefficient resources",
    "near_ceiling": "near the ceiling",
}
HEALTHY = "nothing to treat"
SURE = 0.99


def name_of(rule: str) -> str:
    """What the rule found, as a sentence calls it; "nothing to treat" for no rule."""
    return NAMES.get(rule, rule.replace("_", " ")) if rule else HEALTHY


def titled(symptom: Symptom) -> str:
    """ "overfitting, strong" or "unstable validation"."""
    return ", ".join(part for part in (name_of(symptom.rule), symptom.degree) if part)


def confidence_text(confidence: float) -> str:
    """The confidence as a percentage that never says certain: "87 %", "over 99 %"."""
    if confidence > SURE:
        return "over 99 %"
    return "under 1 %" if confidence < 1 - SURE else percent(confidence)


def standing_of(symptom: Symptom, histories: int) -> str:
    """How sure it is and how many of the histories show it: "confidence 87 %, in 2 of 3 trainings"."""
    said = [f"confidence {confidence_text(symptom.confidence)}"]
    if histories > 1:
        shown = round(symptom.share * histories)
        said.append(f"in all {histories:,}" if shown == histories else f"in {shown:,} of {histories:,}")
        said[-1] += " trainings"
    if symptom.is_noise:
        said.append("could be noise at this n")
    return ", ".join(said)


def primary_of(diagnosis: Diagnosis) -> Symptom | None:
    """The symptom to treat first."""
    return next((s for s in diagnosis.symptoms if s.rule == diagnosis.primary), None)


def headline(diagnosis: Diagnosis) -> str:
    """The diagnosis in one line, without its evidence."""
    primary = primary_of(diagnosis)
    many = count(diagnosis.histories, "training")
    if primary is None:
        return f"{HEALTHY} in {many}"
    return f"{titled(primary)} ({standing_of(primary, diagnosis.histories)})"


def promise_text(promise: Promise | None) -> str:
    """The expected gain: "val_accuracy +3 … +5 pp"; a dash where nothing is promised."""
    if promise is None:
        return NOTHING
    unit = " pp" if promise.unit in ("%", "pp", "points", "percentage points") else f" {promise.unit}".rstrip()
    return f"{promise.metric} {span((promise.low, promise.high))}{unit}"


def change_text(recommendation: Recommendation, config: Mapping[str, object] | None = None) -> str:
    """The patch: "dropout 0 → 0.4", with the old value where the config has it; in brackets where it names no setting.

    What is no setting at all is told by its title.
    """
    if not recommendation.patch:
        return recommendation.title
    before = config or {}
    parts = []
    for name, value in shortened(recommendation.patch).items():
        told = settings({name: value})
        if name in before and before[name] != value:
            told = f"{settings(shortened({name: before[name]}))} → {told.removeprefix(name).lstrip()}"
        parts.append(told)
    told = ", ".join(parts)
    return told if recommendation.is_applicable else f"({told})"


def by_hand(recommendations: Sequence[Recommendation]) -> str:
    """What brackets around a change mean, where there are any."""
    if any(r.patch and not r.is_applicable for r in recommendations):
        return "A change in brackets names no setting that is known of this training; make it by hand."
    return ""
