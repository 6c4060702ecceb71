"""Reading: a history as the rules see it - roles, units, and which train curve is like for like with validation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from surefoot.diagnosis.roles import (
    Role,
    is_accuracy,
    is_error,
    is_gradient,
    is_loss,
    is_rate,
    is_share,
    loss_stem,
    role_of,
    score_stem,
)
from surefoot.diagnosis.shapes import Series
from surefoot.diagnosis.symptom import Ground
from surefoot.history import History
from surefoot.trials import Curve
from surefoot.words import listing, number

# How train and validation were measured: alike; train as a running mean of the epoch, which lags; train with
# dropout or augmentation on, which makes it look worse than it is; nobody knows which of these.
Likeness = Literal["alike", "lagging", "handicapped", "unknown"]
_WRONG_SIGN = 2.0
LARGEST = 1e30
SMALLEST_CHANCE = 1e-6
# Percent over which a score is learnt, so that its twin of 1 or less is a share and no percentage.
MIXED = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class NonFinite:
    """A loss that was not finite: the first step at which, and what the value was."""

    metric: str
    step: float
    value: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reading:
    """One history, its curves by role; a role that no metric has is None.

    `train_loss` and `train_score` are as training measured them; `alike_loss` and `alike_score` the train series
    to hold against validation, which is the same one where nothing better is there. `likeness` says how good that
    is. Scores are in points, more is better; `is_counted` says that they are shares of right answers. Counts,
    chance and ceiling are from the ground or else the run's facts. A reading equals itself alone: what several rules
    ask of it is worked out once.
    """

    history: History
    train_loss: Series | None = None
    alike_loss: Series | None = None
    val_loss: Series | None = None
    train_score: Series | None = None
    alike_score: Series | None = None
    val_score: Series | None = None
    test_score: Series | None = None
    rate: Series | None = None
    gradient: Series | None = None
    non_finite: NonFinite | None = None
    likeness: Likeness = "unknown"
    is_counted: bool = True
    trained_on: int | None = None
    compared_on: int | None = None
    evaluated_on: int | None = None
    chance_loss: float | None = None
    chance_score: float | None = None
    ceiling: float | None = None
    target: float | None = None
    notes: tuple[str, ...] = ()


def read(history: History, ground: Ground) -> Reading:
    """The history in its roles, with notes on what could not be told and why."""
    roles = [role_of(name) for name in history.curves]
    metric = ground.metric.name if ground.metric else ""
    measured = [role for role in roles if not is_rate(role.name) and not is_gradient(role.name)]
    loss, notes = _twins(history, measured, loss_stem(measured), metric)
    stem = score_stem(measured, metric)
    score, said = _twins(history, measured, stem, metric)
    notes += said
    score, scale, said = _in_points(score, stem, ground)
    notes += said
    likeness, said = _likeness(history, ground, loss, score)
    notes += said
    facts = history.facts
    has_clean = "clean train" in loss or "clean train" in score
    reading = Reading(
        history=history,
        train_loss=loss.get("train", loss.get("clean train")),
        alike_loss=loss.get("clean train", loss.get("train")),
        val_loss=loss.get("validation"),
        train_score=score.get("train", score.get("clean train")),
        alike_score=score.get("clean train", score.get("train")),
        val_score=score.get("validation"),
        test_score=score.get("test"),
        rate=_first(history, is_rate),
        gradient=_first(history, is_gradient),
        non_finite=_non_finite(history, measured),
        likeness=likeness,
        is_counted=not stem or is_accuracy(stem),
        trained_on=ground.trained_on or _whole(facts, "train_examples"),
        compared_on=_whole(facts, "train_evaluated_examples") if has_clean else None,
        evaluated_on=ground.evaluated_on or _whole(facts, "evaluated_examples"),
        chance_loss=_chance_loss(ground, facts),
        chance_score=_chance_score(ground, facts, stem, scale),
        ceiling=_points(ground.ceiling, ground, stem, scale),
        target=_points(ground.metric.target if ground.metric else None, ground, stem, scale),
    )
    return replace(reading, notes=tuple(dict.fromkeys((*notes, *_missing(reading, measured), *_ending(history)))))


# ── curves ──


def _series(name: str, curve: Curve) -> Series:
    steps, values = np.array(curve.steps, float), np.array(curve.values, float)
    if all(map(math.isfinite, curve.values)) and max(map(abs, curve.values), default=0) <= LARGEST:
        return Series(name=name, steps=steps, values=values)
    finite = np.isfinite(values)
    # A value beyond this says no more than that it is; its square must stay a number.
    values = np.where(finite, np.clip(values, -LARGEST, LARGEST), values)
    if finite.all():
        return Series(name=name, steps=steps, values=values)
    return Series(name=name, steps=steps[finite], values=values[finite], lost=int((~finite).sum()))


def _first(history: History, is_it: Any) -> Series | None:
    found = (_series(name, curve) for name, curve in history.curves.items() if is_it(name))
    return next((series for series in found if len(series)), None)


def _twins(
    history: History, roles: Iterable[Role], stem: str, metric: str
) -> tuple[dict[str, Series], tuple[str, ...]]:
    """The series of one stem by split. A metric that names no split is the train one where it has a twin."""
    found: dict[str, Series] = {}
    notes: tuple[str, ...] = ()
    mine = sorted((r for r in roles if stem and r.stem == stem), key=lambda r: (r.is_per_step, r.split == "", r.name))
    for role in mine:
        split = role.split or ("validation" if role.name == metric and "validation" not in found else "train")
        if split in found:
            continue
        series = _series(role.name, history.curves[role.name])
        if not len(series):
            continue
        found[split] = series
        if not role.split and split == "train" and "validation" not in found:
            notes = (f"{role.name} names no split and has no validation twin: it is read as measured in training.",)
    return found, notes


def _non_finite(history: History, roles: Iterable[Role]) -> NonFinite | None:
    """The earliest loss that was not finite.

    A NaN between finite values of a loss measured beside another one is a gap of the record, not of the training:
    weights that have become NaN stay it.
    """
    found = []
    for role in roles:
        if not is_loss(role.stem) or role.split == "test":
            continue
        curve = history.curves[role.name]
        bad = None if all(map(math.isfinite, curve.values)) else _first_bad(curve)
        if bad is not None:
            value = curve.values[bad]
            text = "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞"
            found.append(NonFinite(metric=role.name, step=curve.steps[bad], value=text))
    return min(found, key=lambda one: one.step, default=None)


def _first_bad(curve: Curve) -> int | None:
    """Where it became infinite, or NaN without end; None where it did not."""
    values = curve.values
    infinite = next((i for i, value in enumerate(values) if math.isinf(value)), None)
    tail = len(values)
    while tail and math.isnan(values[tail - 1]):
        tail -= 1
    if tail < len(values):
        return tail if infinite is None else min(tail, infinite)
    return infinite


# ── units ──


def _in_points(score: dict[str, Series], stem: str, ground: Ground) -> tuple[dict[str, Series], float, tuple[str, ...]]:
    """The scores in points, what they were multiplied with, and what is said of it."""
    if not score:
        return score, 100.0, ()
    low = min(float(series.values.min()) for series in score.values())
    high = max(float(series.values.max()) for series in score.values())
    if low < -1e-9 or high > 100 + 1e-6:
        return (
            {},
            1.0,
            (f"{stem} is no share (it goes from {number(low)} to {number(high)}): no gap in points can be told.",),
        )
    is_judged = ground.metric is not None and role_of(ground.metric.name).stem == stem
    tops = {series.name: float(series.values.max()) for series in score.values()}
    if min(tops.values()) <= 1 < MIXED < high and not (is_judged and ground.metric and ground.metric.unit == "%"):
        told = listing([f"{name} goes to {number(top)}" for name, top in tops.items()])
        return {}, 1.0, (f"{told}: a share beside a percentage, by the look of it, so that no gap can be told.",)
    is_percent = high > 1 + 1e-9 or (is_judged and ground.metric is not None and ground.metric.unit == "%")
    scale = 1.0 if is_percent else 100.0
    wrong = is_error(stem)
    if scale == 1.0 and not wrong:
        return score, scale, ()
    turned = {
        split: replace(series, values=100 - scale * series.values if wrong else scale * series.values)
        for split, series in score.items()
    }
    said = f"{stem} came as a fraction and is read in points, from 0 to 100." if scale == 100.0 else ""
    if wrong:
        said = f"{stem} is read as the accuracy that it leaves, in points."
    return turned, scale, (said,)


def _points(value: float | None, ground: Ground, stem: str, scale: float) -> float | None:
    """A value in the judged metric's unit, in points; None where the metric is not the score."""
    if value is None or ground.metric is None or not stem or role_of(ground.metric.name).stem != stem:
        return None
    return 100 - scale * value if is_error(stem) else scale * value


def _chance_loss(ground: Ground, facts: Mapping[str, Any]) -> float | None:
    if ground.chance_loss is not None and ground.chance_loss > SMALLEST_CHANCE:
        return ground.chance_loss
    classes = ground.classes or _whole(facts, "classes")
    return math.log(classes) if classes and classes > 1 else None


def _chance_score(ground: Ground, facts: Mapping[str, Any], stem: str, scale: float) -> float | None:
    """What guessing comes to, in points; None where it is not known."""
    if ground.chance_score is not None and stem:
        judged = _points(ground.chance_score, ground, stem, scale)
        if judged is not None:
            return judged
    classes = ground.classes or _whole(facts, "classes")
    return 100 / classes if classes and classes > 1 and (not stem or is_accuracy(stem)) else None


def _whole(facts: Mapping[str, Any], name: str) -> int | None:
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if value >= 1 else None


# ── like for like ──


def _likeness(
    history: History, ground: Ground, loss: Mapping[str, Series], score: Mapping[str, Series]
) -> tuple[Likeness, tuple[str, ...]]:
    """How train and validation compare, and what is said of it."""
    if "clean train" in score or ("clean train" in loss and "train" not in score):
        return "alike", ()
    if not any("train" in one and "validation" in one for one in (loss, score)):
        return "unknown", ()
    measured = str(history.facts.get("train_loss_measured", ""))
    on = handicaps({**history.config, **ground.config}, history.facts)
    if on or measured.startswith("with "):
        what = " and ".join(on) or measured.removeprefix("with ")
        return "handicapped", (
            f"Train is measured with {what} on, validation without: train looks worse than it is, so that a gap is "
            "at least as large as it reads and a missing one tells nothing.",
        )
    if measured or history.config or ground.config:
        return "lagging", (
            "Train is measured while an epoch goes on, validation at its end: train lags, and a gap is at least as "
            "large as it reads.",
        )
    return "unknown", (
        "How train was measured is not known: as a running mean over the epoch, as Keras does, or with dropout or "
        "augmentation on it looks worse than it is.",
    )


def handicaps(config: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What is on in training and off in validation, as far as the config and the facts say: dropout, augmentation."""
    found = []
    amounts = [config.get(name) for name in config if "drop" in name.lower() and "last" not in name.lower()]
    if any(_is_on(amount) for amount in amounts) or _is_on(facts.get("dropout")):
        found.append("dropout")
    augmenting = ("crop_padding", "flip", "jitter", "cutout", "mixup", "cutmix", "augment", "augmentation")
    if any(_is_on(config.get(name)) for name in augmenting) or _is_on(facts.get("augmentation")):
        found.append("augmentation")
    return found


def _is_on(value: Any) -> bool:
    if isinstance(value, str):
        words = value.strip().lower()
        return words not in ("", "none", "off", "no", "false", "0", "0.0") and not words.startswith(("none", "0 "))
    return isinstance(value, bool | int | float) and value == value and value > 0


def wrong_sign(reading: Reading) -> str:
    """What is said where train is worse than validation, against what training does; "" where it is not."""
    train, val = reading.alike_score, reading.val_score
    if train is None or val is None or not len(train) or not len(val) or reading.likeness == "alike":
        return ""
    gap = train.end - val.end
    if gap > -_WRONG_SIGN:
        return ""
    return (
        f"Train ends {number(-gap, 1)} points under validation, a gap of the wrong sign: the two were measured "
        "differently (dropout or augmentation on, or a running mean over the epoch), and whether it overfits cannot "
        "be told."
    )


# ── what is missing ──


def _missing(reading: Reading, roles: list[Role]) -> tuple[str, ...]:
    notes = []
    if reading.val_loss is None and reading.val_score is None:
        notes.append("No validation metric was found: neither overfitting nor instability can be told.")
    elif reading.alike_loss is None and reading.alike_score is None:
        notes.append("No metric was measured on the training data: overfitting and underfitting cannot be told apart.")
    elif reading.val_score is not None and reading.alike_score is None:
        name = reading.val_score.name
        notes.append(f"{name} has no twin on the training data: no gap in points can be told.")
    judged = reading.val_score or reading.val_loss
    if judged is not None and len(judged) == 1:
        notes.append(f"{judged.name} was measured once: no course, no instability can be told.")
    if reading.val_score is not None and reading.is_counted and reading.evaluated_on is None:
        notes.append("On how many examples validation was measured is not known: no sampling error can be told.")
    if reading.val_score is not None and not reading.is_counted:
        notes.append(f"{reading.val_score.name} is no count of right answers: its sampling error cannot be told.")
    if wrong := wrong_sign(reading):
        notes.append(wrong)
    if not any(is_loss(role.stem) or is_share(role.stem) for role in roles):
        notes.append("No loss and no accuracy was found among the metrics: nothing of the curves can be told.")
    gaps = [s for s in (reading.train_loss, reading.val_loss, reading.val_score) if s is not None and s.lost]
    if gaps and reading.non_finite is None:
        lost = ", ".join(f"{series.name} {series.lost}" for series in gaps)
        notes.append(f"Values that are not finite between others that are were left out as gaps ({lost}).")
    return tuple(notes)


def _ending(history: History) -> tuple[str, ...]:
    if history.status in ("RUNNING", "INTERRUPTED", "PRUNED"):
        return (f"{history.name} is {history.status}: what it would have come to is not known.",)
    return ()
