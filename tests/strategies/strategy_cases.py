"""Recommendations as a diagnosis makes them, for the tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.finding import Finding
from surefoot.space import SearchSpace, boolean, choice, integer, real

CHAMPION = {"dropout": 0.0, "weight_decay": 1e-5, "flip": False, "crop_padding": 0, "lr": 1e-3, "batch_size": 32}
SPACE = SearchSpace(
    parameters=(
        real("dropout", 0.0, 0.9),
        real("weight_decay", 0.0, 1.0),
        boolean("flip"),
        integer("crop_padding", 0, 8),
        real("lr", 0.0, 1e6),
        integer("batch_size", 1, 1024),
        choice("schedule", "constant", "cosine"),
    )
)


def recommended(id_: str, kind: str, /, low: float = 1.0, high: float = 3.0, **patch: Any) -> Recommendation:
    return Recommendation(
        id=id_,
        kind=kind,
        title=f"{kind} {', '.join(map(str, patch.values()))}",
        patch=patch,
        because="",
        symptom="overfitting",
        promise=Promise(metric="val_accuracy", low=low, high=high, unit="%"),
    )


DROPOUT = recommended("R1", "dropout", dropout=0.4)
DECAY = recommended("R2", "weight_decay", weight_decay=5e-4)
AUGMENTATION = recommended("R3", "augmentation", crop_padding=4, flip=True)


def diagnosed(*recommendations: Recommendation) -> Diagnosis:
    finding = Finding(rule="diagnosis.overfitting", subject="baseline", sentence="Train is 20 points above validation.")
    symptom = Symptom(rule="overfitting", finding=finding, confidence=0.99, recommendations=recommendations)
    return Diagnosis(subject="the baseline", symptoms=(symptom,), primary="overfitting")
