"""Ceiling: a training that is where it should be, with little left to gain."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import accuracy_error, pooled
from surefoot.diagnosis.overfitting import gap_of
from surefoot.diagnosis.pooling import several, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number


def near_ceiling(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """Validation at its target or within `least_gain` of its ceiling, with a gap under `ceiling_gap`."""
    known = [r for r in readings if r.val_score is not None]
    target, ceiling = (known[0].target, known[0].ceiling) if known else (None, None)
    if target is None and ceiling is None:
        return None
    vals = [r.val_score.end for r in known if r.val_score]
    errors = [
        accuracy_error(v, r.evaluated_on) if r.evaluated_on and r.is_counted else None
        for v, r in zip(vals, known, strict=True)
    ]
    val = pooled(vals, errors)
    bar = min(b for b in (target, None if ceiling is None else ceiling - thresholds.least_gain) if b is not None)
    gap = gap_of(known)
    if val.value < bar or (gap is not None and gap[2].value >= thresholds.ceiling_gap):
        return None
    of = (
        f"the target of {number(target, 1)} is reached"
        if target is not None and val.value >= target
        else f"{number((ceiling or 0) - val.value, 1)} points are left to the ceiling of {number(ceiling or 0, 1)}"
    )
    apart = f", and the gap to train is {number(gap[2].value, 1)} points" if gap is not None else ""
    return symptom(
        "near_ceiling",
        known[0].val_score.name if known[0].val_score else "",
        f"Validation ends at {number(val.value, 1)}: {of}{apart}{several(known)}.",
        "info",
        {
            "validation": val.value,
            "standard_error": val.error,
            "target": target,
            "ceiling": ceiling,
            "gap": gap[2].value if gap else None,
            "histories": len(known),
        },
        confidence=max(0.5, pooled([v - bar for v in vals], errors).confidence()),
        share=len(known) / len(readings),
    )
