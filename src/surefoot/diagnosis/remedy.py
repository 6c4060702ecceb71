"""Remedy: one change to try against a symptom, in common names, before it is fitted to a config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.diagnosis.knobs import Knobs
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.recommendation import Level
from surefoot.diagnosis.symptom import Ground, Symptom

THE_DOCUMENT = "the workflow document"


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """A value relative to what it was: multiplied by `factor`, at least `least`; "×3" where it is not known."""

    factor: float
    least: float = 0.0

    @property
    def text(self) -> str:
        """The change for a reader who knows the value: "×3", "÷10"."""
        return f"×{self.factor:g}" if self.factor >= 1 else f"÷{1 / self.factor:.3g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """One change; `changes` maps knobs (see `surefoot.diagnosis.knobs.NAMES`) to values or `Times`.

    `gain` is what the document promises, in points, None where it gives no figure. Without changes it is something
    that a person does, and no config does.
    """

    kind: str
    title: str
    because: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    gain: tuple[float, float] | None = None
    impact: Level = "medium"
    effort: Level = "low"
    risk: Level = "low"


@dataclass(frozen=True, kw_only=True, slots=True)
class Patient:
    """What a remedy is chosen by: the symptom, the config it was found in, and what is known beside."""

    symptom: Symptom
    knobs: Knobs
    ground: Ground
    reading: Reading

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The numbers of the symptom."""
        return self.symptom.finding.evidence

    @property
    def parameters(self) -> float | None:
        """How many parameters the model has; None unknown."""
        told = self.ground.parameters or self.reading.history.facts.get("parameters")
        return float(told) if isinstance(told, int | float) and told > 0 else None

    @property
    def trained_on(self) -> int | None:
        """How many examples it was trained on; None unknown."""
        return self.reading.trained_on
