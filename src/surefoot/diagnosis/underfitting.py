"""Underfitting: a training that has settled far from what there is to learn."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import accuracy_error, pooled
from surefoot.diagnosis.pooling import mean, several, symptom
from surefoot.diagnosis.progress import covered, covered_score, has_reached_target, is_at_chance, stated_goal
from surefoot.diagnosis.rate import is_still_falling
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.stall import is_learning
from surefoot.diagnosis.symptom import Degree, Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number, percent


def underfitting(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """Train ends far from what there is to learn.

    Where a target or a ceiling is stated that is more than `underfit_points` under it, else under `underfit_share` of
    the way from chance to all right.
    """
    found = [(r, told) for r in readings if (told := _way(r, thresholds)) is not None]
    if 2 * len(found) < len(readings) or not found:
        return None
    errors = [_error(r) for r, _ in found]
    way = pooled([one for _, one in found], errors)
    lacking = pooled([_bar(r, thresholds) - one for r, one in found], errors)
    short, sure = lacking.value, lacking.confidence()
    is_noise = way.error is not None and sure < thresholds.confident
    degree: Degree = "strong" if short > 0.4 else "moderate" if short > 0.2 else "mild"
    trains = [r.alike_score.end for r, _ in found if r.alike_score is not None]
    vals = [r.val_score.end for r, _ in found if r.val_score is not None]
    ends = ""
    if trains:
        ends = f" (train ends at {number(mean(trains), 1)}" + (
            f", validation at {number(mean(vals), 1)})" if vals else ")"
        )
    falling = [is_still_falling(r, thresholds) is not None for r, _ in found]
    still = ", and its loss still falls" if all(falling) else ", and its loss has settled" if not any(falling) else ""
    reading = found[0][0]
    goal = stated_goal(reading) if reading.alike_score is not None else None
    left = short_of(way.value, reading)
    under = (
        f"{number(left, 1)} points under the {'target' if reading.ceiling is None else 'ceiling'} of {number(goal, 1)}"
        if goal is not None
        else f"under {percent(thresholds.underfit_share)}"
    )
    subject = reading.alike_score or reading.alike_loss
    return symptom(
        "underfitting",
        subject.name if subject else "",
        f"Train has covered {percent(way.value)} of the way from chance{ends}, {under}"
        f"{still}{several(readings)}{'; that could be noise' if is_noise else ''}.",
        "info" if is_noise else "critical" if degree == "strong" else "warning",
        {
            "covered": way.value,
            "standard_error": way.error,
            "threshold": _bar(reading, thresholds),
            "train": mean(trains) if trains else None,
            "validation": mean(vals) if vals else None,
            "chance": reading.chance_score,
            "ceiling": reading.ceiling,
            "target": reading.target,
            "short": left,
            "still_falling": all(falling),
            "histories": len(readings),
        },
        confidence=sure,
        degree=degree,
        is_noise=is_noise,
        share=len(found) / len(readings),
    )


def _way(reading: Reading, thresholds: Thresholds) -> float | None:
    """The share of the way that an underfitting reading has covered; None for one that does not underfit."""
    way = covered(reading)
    if way is None or way >= _bar(reading, thresholds) or reading.non_finite is not None:
        return None
    if covered_score(reading) is None and reading.chance_loss is None:
        return None  # what share of a loss is much cannot be said without knowing what guessing comes to
    subject = reading.alike_score or reading.alike_loss
    # Of one that was measured once nobody can say whether it was at its end: it may be its first epoch.
    if has_reached_target(reading) or subject is None or len(subject) < 2:
        return None
    return None if is_at_chance(reading, thresholds) and not is_learning(reading, thresholds) else way


def _bar(reading: Reading, thresholds: Thresholds) -> float:
    """The share of the way from which on a training does not underfit."""
    goal = stated_goal(reading)
    if goal is None or covered_score(reading) is None:
        return thresholds.underfit_share
    return 1 - thresholds.underfit_points / _whole_way(reading)


def short_of(way: float, reading: Reading) -> float:
    """What the share covered leaves to gain on the training data, in points."""
    return (1 - way) * _whole_way(reading)


def _whole_way(reading: Reading) -> float:
    """The points from chance to what is stated to be within reach, else to all right."""
    goal = stated_goal(reading)
    return (goal if goal is not None else 100.0) - (reading.chance_score or 0.0)


def _error(reading: Reading) -> float | None:
    """The sampling error of the share covered; None without counts."""
    train = reading.alike_score
    n = reading.compared_on or reading.trained_on or reading.evaluated_on
    if train is None or not reading.is_counted or not n:
        return None
    way = _whole_way(reading)
    return accuracy_error(train.end, n) / way if way > 0 else None
