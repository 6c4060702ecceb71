"""Stall: a training that learns nothing - its loss stays where a predictor that ignores its input is."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import CERTAIN, UNKNOWN
from surefoot.diagnosis.pooling import mean, of_histories, symptom
from surefoot.diagnosis.progress import is_at_chance
from surefoot.diagnosis.rate import FEWEST, SURE_FALL, is_still_falling, is_too_rough, roughness
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.shapes import late_fall
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number, percent

# A loss that has lost less than this share of its first value has not moved, however evenly.
UNMOVED = 0.0005


def stall(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A best training loss within `stall_share` of chance, by a loss that has stopped moving or never began."""
    found = [(r, best) for r in readings if (best := _stalled(r, thresholds)) is not None]
    if 2 * len(found) < len(readings) or not found:
        return None
    best = mean([value for _, value in found])
    reading = found[0][0]
    chance = reading.chance_loss
    against = (
        f"within {percent(thresholds.stall_share)} of {number(chance)}, which guessing comes to"
        if chance is not None
        else "which is where it began; what guessing comes to is not known"
    )
    loss = reading.alike_loss or reading.val_loss
    assert loss is not None
    return symptom(
        "stall",
        loss.name,
        f"The best {loss.name} is {number(best)} over {len(loss)} measurements, {against}: nothing was learnt"
        f"{of_histories(len(found), readings)}.",
        "critical",
        {
            "best_loss": best,
            "chance_loss": chance,
            "share": thresholds.stall_share,
            "measurements": len(loss),
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=CERTAIN if chance is not None else UNKNOWN,
        share=len(found) / len(readings),
    )


def is_learning(reading: Reading, thresholds: Thresholds) -> bool:
    """Whether its loss falls evenly, if slowly: that is no stall, near chance or not.

    The loss that is measured on the same examples each time has to fall itself, where there is one.
    """
    falling = is_still_falling(reading, thresholds)
    if falling is None or falling.drop <= UNMOVED:
        return False
    has_clean = reading.alike_loss is not reading.train_loss
    loss = reading.alike_loss if has_clean else reading.val_loss
    if loss is None or len(loss) < FEWEST:
        return True
    share, errors = late_fall(loss.values)
    return share > thresholds.late_fall and errors > SURE_FALL


def _stalled(reading: Reading, thresholds: Thresholds) -> float | None:
    """The best loss of a reading that stalled; None of any other."""
    if not is_at_chance(reading, thresholds):
        return None
    rough = roughness(reading, thresholds)
    if rough is not None and is_too_rough(rough, thresholds):
        return None  # steps too large keep it there
    if is_learning(reading, thresholds):
        return None
    loss = reading.alike_loss or reading.val_loss
    assert loss is not None
    return float(loss.values.min())
