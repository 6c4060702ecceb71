"""Symptom: something that ails a training, how sure that is, and what to try; Diagnosis: all of them, one primary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.diagnosis.recommendation import Recommendation, recommendation_from
from surefoot.finding import Finding
from surefoot.run import Metric
from surefoot.space import SearchSpace

Degree = Literal["", "mild", "moderate", "strong"]
# Every symptom there is, by the name of its rule; the order is that of the report, not of precedence.
SYMPTOMS = (
    "failed",
    "non_finite",
    "exploding_gradients",
    "vanishing_gradients",
    "stall",
    "rate_too_high",
    "rate_too_low",
    "overfitting",
    "underfitting",
    "unstable_validation",
    "split_mismatch",
    "inefficient_resources",
    "near_ceiling",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What is known beside the curves; all of it may be unknown.

    `metric` is the one that the training is judged by. `trained_on` and `evaluated_on` count examples of the
    training and of the validation split. `chance_loss` and `chance_score` are what a predictor that learns
    nothing comes to, in nats and in the metric's unit. `ceiling` is the best value thought possible. `config` is
    what was trained and `space` what its settings may be: patches are made of these.
    """

    metric: Metric | None = None
    trained_on: int | None = None
    evaluated_on: int | None = None
    parameters: int | None = None
    classes: int | None = None
    chance_loss: float | None = None
    chance_score: float | None = None
    ceiling: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    space: SearchSpace | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptom:
    """One rule that matched.

    `finding` holds the sentence and its numbers (`finding.rule` is "diagnosis.<rule>"). `confidence` is the
    probability, from 0 to 1, that this is no noise, given the sizes of the splits and the number of histories;
    `is_noise` says that the size of the effect could be noise at this n. `share` is the part of the histories
    that show it.
    """

    rule: str
    degree: Degree = ""
    finding: Finding
    confidence: float
    is_noise: bool = False
    share: float = 1.0
    recommendations: tuple[Recommendation, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """What ails the trainings of one config, the most limiting symptom first.

    `primary` is the rule of the one to treat first, "" where none is. `notes` say what could not be told, and
    why, as that train and validation were measured differently. `histories` counts the trainings it rests on.
    """

    subject: str
    symptoms: tuple[Symptom, ...] = ()
    primary: str = ""
    notes: tuple[str, ...] = ()
    histories: int = 1

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is to be treated."""
        return not self.primary

    @property
    def recommendations(self) -> tuple[Recommendation, ...]:
        """All of them, the primary symptom's first, none twice."""
        ordered = sorted(self.symptoms, key=lambda symptom: symptom.rule != self.primary)
        found: dict[str, Recommendation] = {}
        for symptom in ordered:
            for recommendation in symptom.recommendations:
                found.setdefault(recommendation.id, recommendation)
        return tuple(found.values())

    def definition(self) -> dict[str, Any]:
        """The diagnosis as JSON: what goes on record."""
        return {
            "subject": self.subject,
            "primary": self.primary,
            "notes": list(self.notes),
            "histories": self.histories,
            "symptoms": [
                {
                    "rule": s.rule,
                    "degree": s.degree,
                    "finding": s.finding.definition(),
                    "confidence": s.confidence,
                    "is_noise": s.is_noise,
                    "share": s.share,
                    "recommendations": [r.definition() for r in s.recommendations],
                }
                for s in self.symptoms
            ],
        }


def diagnosis_from(definition: Mapping[str, Any]) -> Diagnosis:
    """The diagnosis that the JSON is of."""
    symptoms = tuple(
        Symptom(
            **{
                **symptom,
                "finding": Finding(**symptom["finding"]),
                "recommendations": tuple(map(recommendation_from, symptom["recommendations"])),
            }
        )
        for symptom in definition["symptoms"]
    )
    return Diagnosis(**{**definition, "symptoms": symptoms, "notes": tuple(definition["notes"])})
