"""Failure: a training that broke down, or whose loss was no number any more."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import CERTAIN
from surefoot.diagnosis.pooling import of_histories, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import clause, number

MOST_OF_REASON = 160


def failed(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A run that ended FAILED."""
    broken = [r for r in readings if r.history.status == "FAILED"]
    if not broken:
        return None
    reason = clause(broken[0].history.reason)[:MOST_OF_REASON]
    said = f": {reason}" if reason else ", without a reason on record"
    return symptom(
        "failed",
        broken[0].history.name,
        f"The training failed{of_histories(len(broken), readings)}{said}.",
        "critical",
        {"failed": len(broken), "histories": len(readings), "reason": reason},
        confidence=CERTAIN,
        share=len(broken) / len(readings),
        advice="Read the run's error first; what its curves say before the end comes second.",
    )


def non_finite(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A train or validation loss that was NaN or infinite."""
    found = [(r, r.non_finite) for r in readings if r.non_finite is not None]
    if not found:
        return None
    reading, first = min(found, key=lambda pair: pair[1].step)
    rate = reading.rate.end if reading.rate is not None else None
    at_rate = f", at a learning rate of {number(rate)}" if rate is not None else ""
    unit = reading.history.step_unit
    return symptom(
        "non_finite",
        first.metric,
        f"{first.metric} became {first.value} at {unit} {number(first.step)}{at_rate}"
        f"{of_histories(len(found), readings)}.",
        "critical",
        {
            "metric": first.metric,
            "step": first.step,
            "value": first.value,
            "learning_rate": rate,
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=CERTAIN,
        share=len(found) / len(readings),
        advice="Look for NaN and infinite values in the data too.",
    )
