"""Precedence: which symptom to treat first - the one that limits most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from surefoot.diagnosis.symptom import Symptom
from surefoot.thresholds import Thresholds

# The most limiting first: what comes later cannot be judged, or not be treated, before what comes earlier is.
# The document tests for overfitting first; a run that diverged or stalled has a gap too, and no use for dropout.
ORDER = (
    "failed",
    "non_finite",
    "exploding_gradients",
    "stall",
    "vanishing_gradients",
    "rate_too_high",
    "rate_too_low",
    "underfitting",
    "overfitting",
    "unstable_validation",
    "split_mismatch",
    "inefficient_resources",
    "near_ceiling",
)
# They limit time or nothing at all, never what a finished training has learnt.
NEVER_PRIMARY = ("inefficient_resources", "near_ceiling")

GAP_IN_DEVIATIONS = 2.0


def in_order(symptoms: Sequence[Symptom]) -> tuple[Symptom, ...]:
    """The symptoms, the most limiting first; what could be noise comes after what could not."""
    by_rule = {symptom.rule: symptom for symptom in symptoms if not symptom.is_noise}
    order = list(ORDER)
    for earlier, later, is_turned in EXCEPTIONS:
        if earlier in by_rule and later in by_rule and is_turned(by_rule[earlier], by_rule[later]):
            order.remove(later)
            order.insert(order.index(earlier), later)
    return tuple(sorted(symptoms, key=lambda s: (s.is_noise, order.index(s.rule))))


def _is_of_the_rate(exploding: Symptom, too_high: Symptom) -> bool:
    """A gradient that was in range at first explodes for steps too large: the rate is what to treat."""
    return not exploding.finding.evidence["from_start"]


def _costs_more(underfitting: Symptom, overfitting: Symptom) -> bool:
    """A gap between train and validation that costs more points than train has left to gain."""
    gap = overfitting.finding.evidence.get("gap")
    return gap is not None and gap > underfitting.finding.evidence["short"]


def _is_past_jumping(too_high: Symptom, overfitting: Symptom) -> bool:
    """A loss that jumps and is low all the same limits less than a gap that is more than mild."""
    return too_high.finding.severity != "critical" and overfitting.degree in ("moderate", "strong")


def _is_covered(overfitting: Symptom, unstable: Symptom) -> bool:
    """A gap no wider than validation goes up and down: which one it is shows when that has stopped."""
    gap = overfitting.finding.evidence.get("gap")
    return gap is not None and gap < GAP_IN_DEVIATIONS * unstable.finding.evidence["detrended"]


def _is_doubtful(underfitting: Symptom, unstable: Symptom) -> bool:
    """A mild shortfall of a model that validation shows at its worst every other time."""
    return underfitting.degree == "mild"


# Pairs that change places: the one that goes first as a rule, the other, and when.
EXCEPTIONS: tuple[tuple[str, str, Callable[[Symptom, Symptom], bool]], ...] = (
    ("exploding_gradients", "rate_too_high", _is_of_the_rate),
    ("rate_too_high", "overfitting", _is_past_jumping),
    ("underfitting", "overfitting", _costs_more),
    ("overfitting", "unstable_validation", _is_covered),
    ("underfitting", "unstable_validation", _is_doubtful),
)


def primary_of(ordered: Sequence[Symptom], thresholds: Thresholds) -> str:
    """The rule to treat first; "" where none is.

    Noise is never primary, nor is a symptom with less confidence than `confident`.
    """
    real = [s for s in ordered if not s.is_noise and s.rule not in NEVER_PRIMARY]
    sure = [s for s in real if s.confidence >= thresholds.confident]
    return sure[0].rule if sure else ""
