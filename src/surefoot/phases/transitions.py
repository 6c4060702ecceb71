"""Transitions: which phase follows which, and the sentence that says why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.phases.dossier import Dossier
from surefoot.phases.trained import mean_in_words, values_of
from surefoot.plan import Plan
from surefoot.run import Metric
from surefoot.words import count, listing, number, unit_of

Entry = Literal["", "targeted", "sweep", "iterative"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """The phase that comes next, which is the same one where its gate is shut, and why.

    `entry` is how optimising is entered, "" for other phases.
    """

    phase: str
    because: str
    entry: Entry = ""


def after_baseline(dossier: Dossier) -> Transition:
    """Finalise where the baseline is at its target, else diagnose."""
    metric = dossier.plan.metric(dossier.plan.primary)
    values = values_of(dossier.baseline, metric)
    if not values:
        return Transition(phase="diagnose", because=f"The baseline has no {metric.name}.")
    told = f"the baseline's {metric.name} is {mean_in_words(values, metric)}"
    if metric.target is None:
        return Transition(phase="diagnose", because=f"No target is set; {told}.")
    target = f"{number(metric.target)}{unit_of(metric)}"
    if metric.sign * (math.fsum(values) / len(values) - metric.target) >= 0:
        return Transition(phase="finalise", because=f"The baseline is at its target: {told}, target {target}.")
    return Transition(phase="diagnose", because=f"The baseline is short of its target: {told}, target {target}.")


def after_diagnosis(
    dossier: Dossier, diagnosis: Diagnosis | None = None, tried: Sequence[Recommendation] | None = None
) -> Transition:
    """Optimise where something may be gained by it, else finalise; by this diagnosis, or the dossier's.

    `tried` are those of its recommendations that a round would put to the test, their promises corrected, where
    that is settled. The document asks for a gain of 5 points, or under 3 for none, and says nothing between; see
    `Thresholds.least_gain`. What is expected of several changes together is at most the sum of their promises, so
    that optimising is skipped only where even the sum is too little.
    """
    plan, diagnosis = dossier.plan, diagnosis or dossier.diagnosis
    if not _entry(plan):
        return Transition(phase="finalise", because="The plan does not ask to optimise.")
    spent = hours_spent(dossier.hours, plan)
    if spent:
        return Transition(phase="finalise", because=f"The best so far is accepted: {spent}.")
    top = _applicable(plan, diagnosis) if tried is None else tuple(tried)
    if not top:
        many = count(len(diagnosis.recommendations), "recommendation") if diagnosis else "no recommendation"
        what = (
            f"none of {many} is left to apply" if diagnosis and diagnosis.recommendations else "nothing is recommended"
        )
        return Transition(phase="finalise", because=f"Near the ceiling, as far as the diagnosis can tell: {what}.")
    metric, least = plan.metric(plan.primary), plan.thresholds.least_gain
    gain = expected_gain(top, metric)
    if metric.unit == "%" and gain is not None and gain < least:
        return Transition(
            phase="finalise",
            because=f"Near the ceiling: {number(gain)} pp at most is promised by {count(len(top), 'recommendation')}; "
            f"less than {number(least)} pp is not worth a round.",
        )
    said = "an unknown gain" if gain is None else f"{number(gain)}{metric.difference_unit} at most, together"
    many = f"{count(len(top), 'recommendation')} can be tried ({listing([r.title for r in top])})"
    return Transition(phase="optimise", because=f"{many}; promised: {said}.", entry=_entry(plan))


def _entry(plan: Plan) -> Entry:
    return "" if plan.optimise is None or plan.optimise.strategy == "none" else plan.optimise.strategy


def _applicable(plan: Plan, diagnosis: Diagnosis | None) -> tuple[Recommendation, ...]:
    """The recommendations that a round would try."""
    if diagnosis is None or plan.optimise is None:
        return ()
    return tuple(r for r in diagnosis.recommendations if r.is_applicable and r.patch)[: plan.optimise.recommendations]


def expected_gain(recommendations: Sequence[Recommendation], metric: Metric) -> float | None:
    """The sum of the middles of what is promised for the metric; None where any of them promises nothing."""
    middles = [r.promise.middle for r in recommendations if r.promise is not None and r.promise.metric == metric.name]
    # A change that may do harm need not be tried, so it takes nothing from the others.
    return math.fsum(max(m, 0.0) for m in middles) if len(middles) == len(recommendations) else None


def hours_spent(hours: float, plan: Plan) -> str:
    """That the hours of training are used up, as a clause; empty where some are left."""
    allowed = hours_allowed(plan)
    return f"{number(hours, 1)} of {number(allowed)} hours are used" if hours >= allowed else ""


def hours_allowed(plan: Plan) -> float:
    """The hours of training that the budget allows, or the thresholds where it says nothing."""
    return plan.thresholds.hours if plan.budget.hours is None else plan.budget.hours
