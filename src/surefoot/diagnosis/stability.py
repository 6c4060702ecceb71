"""Stability: validation that goes up and down by more than its sampling noise."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import UNKNOWN, accuracy_error, beyond_noise
from surefoot.diagnosis.pooling import mean, of_histories, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.shapes import detrended_deviation, jitter
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number

FEWEST = 5


def unstable_validation(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A standard deviation of later validation scores, detrended, over `unstable_deviation` points."""
    found = []
    for reading in readings:
        val = reading.val_score
        if val is None or len(val) < FEWEST:
            continue
        later = val.later
        # A bend that a line leaves over is no jumping: successive values then differ by little.
        spread = min(detrended_deviation(later), 1.5 * jitter(later))
        if spread > thresholds.unstable_deviation:
            found.append((reading, float(later.std(ddof=1)), spread, len(later)))
    if 2 * len(found) < len(readings) or not found:
        return None
    deviation = mean([one for _, one, _, _ in found])
    spread = mean([one for _, _, one, _ in found])
    n = mean([one for _, _, _, one in found])
    reading = found[0][0]
    noise = _sampling(reading)
    sure = beyond_noise(spread, noise, round(n)) if noise is not None else UNKNOWN
    is_noise = sure < thresholds.confident
    said = f"; sampling alone makes {number(noise, 1)}" if noise is not None else ""
    return symptom(
        "unstable_validation",
        reading.val_score.name if reading.val_score else "",
        f"The later {round(n)} measurements of validation have a standard deviation of {number(deviation, 2)} points, "
        f"{number(spread, 2)} about their trend{of_histories(len(found), readings)}{said}"
        f"{': it could be noise' if is_noise else ''}.",
        "info" if is_noise else "warning",
        {
            "deviation": deviation,
            "detrended": spread,
            "measurements": round(n),
            "threshold": thresholds.unstable_deviation,
            "sampling_error": noise,
            "evaluated_on": reading.evaluated_on,
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=sure,
        is_noise=is_noise,
        share=len(found) / len(readings),
    )


def _sampling(reading: Reading) -> float | None:
    if not reading.is_counted or reading.evaluated_on is None or reading.val_score is None:
        return None
    return accuracy_error(float(reading.val_score.later.mean()), reading.evaluated_on)
