"""Attribution: which of the changes adopted together did the work, from arms with one alone and without one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.phases.round import Attribution
from surefoot.plan import Relation
from surefoot.run import Metric
from surefoot.stats.power import detectable_effect
from surefoot.verdict import Answer, Verdict
from surefoot.words import count, decimals_of, half_width, number, signed, span


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What having a change gains, in the direction of the goal, with its 95 % interval over `n` pairs.

    `detectable` is the gain that so many pairs would show in 80 of 100 cases; None where nobody worked it out.
    `is_supported` says that the engine found the gain it was asked about; its test is one-sided, so that the
    interval may still touch zero.
    """

    gain: float
    interval: tuple[float, float]
    n: int
    detectable: float | None = None
    is_supported: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether the engine found the gain, or the interval lies above zero."""
        return self.is_supported or self.interval[0] > 0

    @property
    def is_harm(self) -> bool:
        """Whether the interval lies below zero."""
        return self.interval[1] < 0


def effect_alone(verdict: Verdict, metric: Metric) -> Effect | None:
    """What the change gains on its own: the arm that has it against the champion that has not; None if untested."""
    return _effect(verdict, metric.sign, "better")


def effect_within(verdict: Verdict, metric: Metric) -> Effect | None:
    """What the change gains beside the others: the arm *without* it against the champion that has all."""
    return _effect(verdict, -metric.sign, "worse")


def _effect(verdict: Verdict, sign: int, asked: Relation) -> Effect | None:
    if verdict.estimate is None or verdict.interval is None:
        return None
    low, high = sorted(sign * end for end in verdict.interval)
    return Effect(
        gain=sign * verdict.estimate,
        interval=(low, high),
        n=verdict.n,
        detectable=verdict.detectable,
        is_supported=verdict.answer is Answer.SUPPORTED and verdict.prediction.relation == asked,
    )


def attribution(
    recommendation: Recommendation, *, alone: Effect | None, within: Effect | None, metric: Metric
) -> Attribution:
    """What one of the recommendations did, with the conclusion in a sentence.

    "Adds nothing worth having" needs an interval under the metric's smallest effect worth having; an interval
    that holds both zero and more than that cannot tell, and says what so many pairs could have shown.
    """
    return Attribution(
        recommendation=recommendation.id,
        title=recommendation.title,
        alone=alone.gain if alone else None,
        alone_interval=alone.interval if alone else None,
        alone_n=alone.n if alone else 0,
        within=within.gain if within else None,
        within_interval=within.interval if within else None,
        within_n=within.n if within else 0,
        says=f"{recommendation.title} {_conclusion(alone, within, metric)}.",
    )


def _conclusion(alone: Effect | None, within: Effect | None, metric: Metric) -> str:
    if alone is None and within is None:
        return "was not measured apart from the others"
    if alone is None or within is None:
        return _of_one(alone, within, metric)
    both = f"{_alone(alone, metric)}; {_within(within, metric)}"
    if within.is_harm or alone.is_harm:
        if within.is_shown or alone.is_shown:
            good, bad = ("alone", "beside the others") if alone.is_shown else ("beside the others", "alone")
            return f"helps {good} and harms {bad}: {both}"
        return f"did harm: {both}"
    if alone.is_shown and within.is_shown:
        return f"did the work, or its part of it: {both}"
    if within.is_shown:
        return f"works together with the others, and is not shown to alone: {both}"
    if alone.is_shown:
        return f"works alone, and is not shown to add to the others: {both}"
    if _is_nothing(alone, metric) and _is_nothing(within, metric):
        return f"adds nothing worth having: {both}"
    unclear = alone if _is_nothing(within, metric) else within
    return f"could not be told ({_power(unclear, metric)}): {both}"


def _of_one(alone: Effect | None, within: Effect | None, metric: Metric) -> str:
    """The conclusion where only one of the two was measured."""
    effect = alone or within
    assert effect is not None
    told = _alone(effect, metric) if alone else _within(effect, metric)
    if effect.is_harm:
        return f"did harm: {told}"
    if effect.is_shown:
        return f"did the work on its own: {told}" if alone else f"did the work, or its part of it: {told}"
    if _is_nothing(effect, metric):
        return f"adds nothing worth having: {told}"
    return f"could not be told ({_power(effect, metric)}): {told}"


def _is_nothing(effect: Effect, metric: Metric) -> bool:
    """Whether even the most that the interval allows is not worth having."""
    return metric.min_effect is not None and effect.interval[1] < metric.min_effect


def _alone(effect: Effect, metric: Metric) -> str:
    return f"alone {_told(effect.gain, effect.interval, effect.n, metric)}"


def _within(effect: Effect, metric: Metric) -> str:
    low, high = effect.interval
    return f"taken away from all of them {_told(-effect.gain, (-high, -low), effect.n, metric)}"


def _told(gain: float, interval: tuple[float, float], n: int, metric: Metric) -> str:
    """A gain; where less is better, the reader is told which way the metric went."""
    decimals = decimals_of(half_width(interval))
    if metric.sign < 0:
        gain, interval = -gain, (-interval[1], -interval[0])
    return f"{signed(gain, decimals)}{metric.difference_unit} (95 % {span(interval, decimals)}, {count(n, 'pair')})"


def _power(effect: Effect, metric: Metric) -> str:
    size = effect.detectable if effect.detectable is not None else _detectable(effect)
    pairs = count(effect.n, "pair")
    if size is None:
        return f"underpowered: {pairs}"
    return f"underpowered: {pairs} would show {number(size, decimals_of(size))}{metric.difference_unit} or more"


def _detectable(effect: Effect) -> float | None:
    """What so many pairs would show at .05, one-sided, from the width of the plain paired t interval."""
    from surefoot.stats.comparisons import Estimate

    if effect.n < 2:
        return None
    df = effect.n - 1
    reach = Estimate(mean=0.0, standard_error=1.0, df=df, sd=1.0, n=effect.n, method="t").interval()[1]
    sd = (effect.interval[1] - effect.interval[0]) / 2 / reach * math.sqrt(effect.n)
    return detectable_effect(sd, effect.n, df) if sd > 0 else None
