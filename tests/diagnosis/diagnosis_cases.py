"""Histories made by hand: one healthy course, and what changes of it make it ill."""

from __future__ import annotations

import math

import numpy as np

from surefoot.diagnosis.diagnosis import diagnose
from surefoot.diagnosis.symptom import Ground
from surefoot.history import History
from surefoot.run import Metric
from surefoot.trials import Curve

EPOCHS = 40
CLASSES = 10
CHANCE = math.log(CLASSES)
ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%")
GROUND = Ground(metric=ACCURACY, trained_on=50_000, evaluated_on=5_000, classes=CLASSES)


def curve(values, every=1):
    """The values over steps 1, 2, 3 …, or every so many."""
    values = [float(value) for value in values]
    return Curve(steps=tuple(float(every * (i + 1)) for i in range(len(values))), values=tuple(values))


def falling(first, last, speed=8.0, n=EPOCHS):
    """An exponential course from the first value to the last; a high speed arrives early."""
    share = np.exp(-speed * np.arange(n) / n)
    share = (share - share[-1]) / (1 - share[-1])
    return last + (first - last) * share


def history(*, name="a", every=1, config=None, facts=None, seed=None, status="COMPLETE", reason="", **metrics):
    """A history of the metrics over epochs; None leaves one of the healthy ones out."""
    healthy = {
        "train_loss": falling(CHANCE, 0.15),
        "clean_train_loss": falling(2.2, 0.12),
        "clean_train_accuracy": falling(20, 96),
        "val_loss": falling(2.2, 0.2),
        "val_accuracy": falling(20, 94),
    }
    known = {**healthy, **metrics}
    return History(
        name=name,
        curves={key: curve(values, every) for key, values in known.items() if values is not None},
        step_unit="epoch",
        config=config or {},
        facts=facts or {},
        seed=seed,
        status=status,
        reason=reason,
    )


def foreign(**metrics):
    """A history of these metrics and no other."""
    return History(name="foreign", curves={key: curve(v) for key, v in metrics.items()}, step_unit="epoch")


def found(*histories, ground=GROUND, **thresholds):
    """The symptoms by rule, and the diagnosis."""
    diagnosis = diagnose(histories, ground, **thresholds)
    return {symptom.rule: symptom for symptom in diagnosis.symptoms}, diagnosis
