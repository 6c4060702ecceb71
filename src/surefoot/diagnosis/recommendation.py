"""Recommendation: a change of the config that a symptom asks for, and what it is promised to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Level = Literal["low", "medium", "high"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Promise:
    """What a change is expected to do to a metric: a gain between `low` and `high`, in the metric's own unit.

    A gain counts in the direction of the metric's goal: positive is better. `source` says where the figures are
    from, as "the workflow document" or "corrected by 3 earlier results".
    """

    metric: str
    low: float
    high: float
    unit: str = ""
    source: str = ""

    @property
    def middle(self) -> float:
        """Halfway between the two."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """One change to try.

    `id` is unique within its diagnosis ("R1", the most promising first). `kind` is stable over studies and what
    the ledger of promises goes by ("dropout", "weight_decay", "augmentation", "lower_rate" …). `patch` maps
    settings of the training to their new values; where `is_applicable` they are settings the workload has, in
    its own names, and differ from the config diagnosed. `symptom` is the rule that asked for it.
    """

    id: str
    kind: str
    title: str
    patch: Mapping[str, Any]
    because: str
    symptom: str
    promise: Promise | None = None
    impact: Level = "medium"
    effort: Level = "low"
    risk: Level = "low"
    is_applicable: bool = True

    def definition(self) -> dict[str, Any]:
        """The recommendation as JSON."""
        promise = self.promise and {name: getattr(self.promise, name) for name in Promise.__slots__}
        return {
            **{name: getattr(self, name) for name in Recommendation.__slots__},
            "patch": dict(self.patch),
            "promise": promise,
        }


def recommendation_from(definition: Mapping[str, Any]) -> Recommendation:
    """The recommendation that the JSON is of."""
    promise = definition["promise"]
    return Recommendation(**{**definition, "promise": promise and Promise(**promise)})
