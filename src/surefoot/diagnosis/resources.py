"""Resources: a device that waits more than it computes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.diagnosis.certainty import CERTAIN
from surefoot.diagnosis.pooling import mean, several, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number, percent


def inefficient_resources(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A mean utilisation of the device under `utilisation_note`; it never limits what a finished training learnt."""
    known = [use for r in readings if (use := utilisation(r)) is not None]
    if not known or mean(known) >= thresholds.utilisation_note:
        return None
    use = mean(known)
    is_low = use < thresholds.utilisation_block
    facts = readings[0].history.facts
    told = facts.get("images_per_second")
    speed = float(told) if isinstance(told, int | float) and not isinstance(told, bool) else None
    throughput = f", at {number(speed, 0)} images a second" if speed is not None and math.isfinite(speed) else ""
    device = f" ({facts['device']})" if facts.get("device") else ""
    bar = thresholds.utilisation_block if is_low else thresholds.utilisation_note
    return symptom(
        "inefficient_resources",
        "utilisation",
        f"The device{device} was used for "
        f"{percent(use)} of the training time{several(readings)}{throughput}, under {percent(bar)}.",
        "warning" if is_low else "info",
        {
            "utilisation": use,
            "threshold": bar,
            "images_per_second": speed,
            "histories": len(known),
        },
        confidence=CERTAIN,
        degree="moderate" if is_low else "mild",
        share=sum(one < thresholds.utilisation_note for one in known) / len(readings),
    )


def utilisation(reading: Reading) -> float | None:
    """The share of time that the device computed; one given in percent is turned. None where it is not told."""
    for name in ("utilisation", "utilization", "gpu_utilisation", "gpu_utilization"):
        value = reading.history.facts.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
            return float(value) / 100 if value > 1.5 else float(value)
    return None
