"""Diagnosis: every rule asked of the histories of one config, and the symptom to treat first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from surefoot.diagnosis.ceiling import near_ceiling
from surefoot.diagnosis.failure import failed, non_finite
from surefoot.diagnosis.gradients import exploding_gradients, vanishing_gradients
from surefoot.diagnosis.overfitting import overfitting
from surefoot.diagnosis.precedence import in_order, primary_of
from surefoot.diagnosis.rate import rate_too_high, rate_too_low
from surefoot.diagnosis.reading import Reading, read
from surefoot.diagnosis.remedies import with_remedies
from surefoot.diagnosis.resources import inefficient_resources
from surefoot.diagnosis.splits import split_mismatch
from surefoot.diagnosis.stability import unstable_validation
from surefoot.diagnosis.stall import stall
from surefoot.diagnosis.symptom import Diagnosis, Ground, Symptom
from surefoot.diagnosis.underfitting import underfitting
from surefoot.history import History
from surefoot.thresholds import Thresholds

Rule = Callable[[Sequence[Reading], Ground, Thresholds], Symptom | None]
# In the order of SYMPTOMS; which comes first in a diagnosis is for `precedence` to say.
RULES: tuple[Rule, ...] = (
    failed,
    non_finite,
    exploding_gradients,
    vanishing_gradients,
    stall,
    rate_too_high,
    rate_too_low,
    overfitting,
    underfitting,
    unstable_validation,
    split_mismatch,
    inefficient_resources,
    near_ceiling,
)
DEFAULTS = Thresholds()


def diagnose(
    histories: Sequence[History], ground: Ground, *, subject: str = "", thresholds: Thresholds = DEFAULTS
) -> Diagnosis:
    """What ails the trainings of one config, which the histories are repeats of.

    Raises ValueError for no history at all.
    """
    if not histories:
        raise ValueError("a diagnosis needs one history at least; got none")
    readings = [read(history, ground) for history in histories]
    found = [symptom for rule in RULES if (symptom := rule(readings, ground, thresholds)) is not None]
    ordered = in_order(found)
    primary = primary_of(ordered, thresholds)
    first = sorted(ordered, key=lambda symptom: symptom.rule != primary)
    return Diagnosis(
        subject=subject or histories[0].name,
        symptoms=with_remedies(first, readings, ground),
        primary=primary,
        notes=_notes(readings),
        histories=len(histories),
    )


def _notes(readings: Sequence[Reading]) -> tuple[str, ...]:
    """What could not be told, each once; which history it is of where only some say it."""
    said: dict[str, list[str]] = {}
    for reading in readings:
        for note in (*reading.history.notices, *reading.notes):
            said.setdefault(note, []).append(reading.history.name)
    return tuple(note if len(names) == len(readings) else f"{', '.join(names)}: {note}" for note, names in said.items())
