"""Overfitting: train better than validation by more than chance, in points or in nats."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.diagnosis.certainty import Estimate, confidence, gap_error, pooled
from surefoot.diagnosis.pooling import mean, several, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.shapes import Series, detrended_deviation, end_beside, jitter
from surefoot.diagnosis.symptom import Degree, Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number

# What a rise of the validation loss can add to the confidence that accuracies give: it is on the same examples.
MOST_OF_RISE = 0.7
# A gap is an illness where it is surely so much of a mild one. Of 89 small healthy trainings 5 had half of it for sure,
# by the luck of few validation examples, and none nine tenths; of 44 that overfitted 40 had.
MOST_OF_MILD = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Rise:
    """How far the validation loss ends above its lowest, in nats, where that was, and how sure the rise is."""

    nats: float
    lowest_step: float
    confidence: float


def overfitting(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A gap of accuracy over `overfit_mild` points, or without accuracies one of loss over `overfit_loss_gap` nats."""
    scored = [r for r in readings if r.alike_score is not None and r.val_score is not None]
    if scored:
        return _by_score(scored, thresholds)
    measured = [r for r in readings if r.alike_loss is not None and r.val_loss is not None]
    return _by_loss(measured, thresholds) if measured else None


def degree_of(gap: float, thresholds: Thresholds) -> Degree:
    """The degree of a gap in points; "" for none."""
    if gap > thresholds.overfit_strong:
        return "strong"
    if gap >= thresholds.overfit_moderate:
        return "moderate"
    return "mild" if gap >= thresholds.overfit_mild else ""


def gap_of(readings: Sequence[Reading]) -> tuple[float, float, Estimate] | None:
    """Train and validation score at the end and the gap between them, the means over the histories; None untold."""
    trains, vals, errors = [], [], []
    for r in readings:
        if r.alike_score is None or r.val_score is None:
            continue
        train, val = end_beside(r.alike_score, r.val_score), r.val_score.end
        trains.append(train)
        vals.append(val)
        n_train = r.compared_on or r.trained_on
        sampling = gap_error(train, n_train, val, r.evaluated_on) if r.is_counted else None
        errors.append(None if sampling is None else math.hypot(sampling, _wavering(r.val_score)))
    if not trains:
        return None
    estimate = pooled([t - v for t, v in zip(trains, vals, strict=True)], errors)
    return mean(trains), mean(vals), estimate


def _wavering(series: Series) -> float:
    """The standard error that a score's going up and down leaves to where it ends."""
    later = series.later
    return min(detrended_deviation(later), jitter(later)) / math.sqrt(series.tail) if len(later) >= 4 else 0.0


def _by_score(readings: Sequence[Reading], thresholds: Thresholds) -> Symptom | None:
    found = gap_of(readings)
    assert found is not None
    train, val, gap = found
    degree = degree_of(gap.value, thresholds)
    if not degree:
        return None
    rise = _rise(readings)
    # Any training has some gap: one that could be less than most of a mild one is no illness that is sure.
    sure = gap.confidence(beyond=MOST_OF_MILD * thresholds.overfit_mild)
    # A small rise is but growing confidence in what is wrong anyway; it says nothing of accuracy.
    if rise is not None and rise.nats > thresholds.overfit_loss_gap / 2:
        sure = 1 - (1 - sure) * (1 - MOST_OF_RISE * rise.confidence)
    is_noise = gap.error is not None and gap.confidence() < thresholds.confident
    is_memorised = train >= thresholds.memorised
    n = readings[0].evaluated_on
    error = f", standard error {number(gap.error, 1)}" if gap.error is not None else ""
    on = f" on {n:,} examples" if n and readings[0].is_counted else ""
    least = "at least " if readings[0].likeness == "handicapped" else ""
    said = (
        f"Train ends at {number(train, 1)}, validation at {number(val, 1)}{on}: a gap of {least}"
        f"{number(gap.value, 1)} points{error}{several(readings)}"
    )
    if is_noise:
        said += ", which could be noise"
    elif is_memorised:
        said += "; the training examples are known by heart"
    if rise is not None:
        said += f"; the validation loss ends {number(rise.nats, 3)} above its lowest, at {number(rise.lowest_step)}"
    shown = sum(
        bool(degree_of(end_beside(r.alike_score, r.val_score) - r.val_score.end, thresholds))
        for r in readings
        if r.alike_score and r.val_score
    )
    return symptom(
        "overfitting",
        readings[0].val_score.name if readings[0].val_score else "",
        f"{said}.",
        "info" if is_noise else "critical" if degree == "strong" else "warning",
        {
            "train": train,
            "validation": val,
            "gap": gap.value,
            "standard_error": gap.error,
            "evaluated_on": n,
            "compared_on": readings[0].compared_on or readings[0].trained_on,
            "loss_rise": rise.nats if rise else None,
            "lowest_loss_step": rise.lowest_step if rise else None,
            "memorised": is_memorised,
            "likeness": readings[0].likeness,
            "histories": len(readings),
        },
        confidence=sure,
        degree=degree,
        is_noise=is_noise,
        share=shown / len(readings),
        advice="Get a larger validation split before treating it." if is_noise else "",
    )


def _by_loss(readings: Sequence[Reading], thresholds: Thresholds) -> Symptom | None:
    """The loss gap in nats, which says nothing without a rise of the validation loss or a wide gap."""
    pairs = [(r.alike_loss, r.val_loss) for r in readings if r.alike_loss is not None and r.val_loss is not None]
    gaps = [val.end - end_beside(train, val) for train, val in pairs]
    gap = pooled(gaps, [jitter(val.later) + jitter(train.later) for train, val in pairs])
    rise = _rise(readings)
    if gap.value < thresholds.overfit_loss_gap or (rise is None and gap.value < 2 * thresholds.overfit_loss_gap):
        return None
    times = gap.value / thresholds.overfit_loss_gap
    degree: Degree = "strong" if times > 4 else "moderate" if times > 2 else "mild"
    sure = gap.confidence(beyond=thresholds.overfit_loss_gap / 2)
    is_noise = sure < thresholds.confident
    ended = f"; it ends {number(rise.nats, 3)} above its lowest, at {number(rise.lowest_step)}" if rise else ""
    name = pairs[0][1].name
    return symptom(
        "overfitting",
        name,
        f"{name} ends {number(gap.value, 3)} above the training loss{several(readings)}{ended}"
        f"{', which could be noise' if is_noise else ''}.",
        "info" if is_noise else "critical" if degree == "strong" else "warning",
        {
            "loss_gap": gap.value,
            "standard_error": gap.error,
            "loss_rise": rise.nats if rise else None,
            "lowest_loss_step": rise.lowest_step if rise else None,
            "likeness": readings[0].likeness,
            "histories": len(readings),
        },
        confidence=sure,
        degree=degree,
        is_noise=is_noise,
        share=sum(one >= thresholds.overfit_loss_gap for one in gaps) / len(gaps),
    )


def _rise(readings: Sequence[Reading]) -> Rise | None:
    """The mean rise of the validation loss over its lowest while train falls; None where there is none to tell."""
    found = [one for r in readings if (one := _rise_of(r)) is not None]
    if 2 * len(found) < len(readings) or not found:
        return None
    return Rise(
        nats=mean([one.nats for one in found]),
        lowest_step=mean([one.lowest_step for one in found]),
        confidence=mean([one.confidence for one in found]),
    )


def _rise_of(reading: Reading) -> Rise | None:
    val, train = reading.val_loss, reading.train_loss
    if val is None or train is None or len(val) < 5:
        return None
    smooth = _smoothed(val)
    lowest = int(np.argmin(smooth))
    nats = val.end - float(smooth[lowest])
    since = train.at(val.steps[lowest : lowest + 1])
    if lowest >= len(smooth) - 2 or train.end > float(since[0]):
        return None
    error = 2 * jitter(val.values[lowest:]) / np.sqrt(min(val.tail, 3))
    sure = confidence(nats, float(error))
    return Rise(nats=nats, lowest_step=float(val.steps[lowest]), confidence=sure) if sure > 0.5 else None


def _smoothed(series: Series) -> np.ndarray:
    """The running mean of three values, the ends as they are."""
    values = series.values
    smooth = values.copy()
    smooth[1:-1] = (values[:-2] + values[1:-1] + values[2:]) / 3
    return smooth
