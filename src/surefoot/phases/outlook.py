"""Outlook: what follows a round of optimising - finalise, iterate, diagnose again, or accept the ceiling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.run import Metric
from surefoot.stats.comparisons import mean_estimate
from surefoot.thresholds import Thresholds
from surefoot.words import count, decimals_of, half_width, listing, number, signed, span, unit_of

if TYPE_CHECKING:
    from surefoot.phases.round import Round

Turn = Literal["finalise", "iterate", "diagnose", "ceiling"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """The decision and the sentence that says why, with its numbers."""

    turn: Turn
    because: str


def outlook(
    rounds: Sequence[Round],
    *,
    metric: Metric,
    champion_values: Sequence[float],
    target: float | None,
    rounds_allowed: int,
    thresholds: Thresholds,
    remaining: Sequence[Recommendation],
    hours_used: float,
    hours_allowed: float,
    hours_per_round: float,
) -> Outlook:
    """The decision after the last of the rounds, by what the engine adopted and how much it says that gained.

    `champion_values` has one value a seed, `remaining` are the applicable recommendations that nobody tried yet.
    The first rule that speaks decides: the target; rounds, hours or recommendations used up; diminishing returns;
    too little gain an hour; nothing adopted. Where none speaks there is another round.
    """
    reached = _at_target(metric, champion_values, target)
    if reached:
        return Outlook(turn="finalise", because=reached)
    used_up = (
        _rounds_used(rounds, rounds_allowed)
        or _hours_used(hours_used, hours_allowed, hours_per_round)
        or ("" if remaining else "every recommendation that can be applied has been tried")
        or _diminished(rounds, metric, thresholds)
        or _too_slow(remaining, metric, thresholds, hours_per_round)
    )
    short = _shortfall(metric, champion_values, target)
    if used_up:
        return Outlook(turn="ceiling", because=_sentence(f"{short}{used_up}"))
    left = f"{count(len(remaining), 'recommendation')} and {count(rounds_allowed - len(rounds), 'round')} are left"
    if not rounds or not rounds[-1].adopted:
        said = f"round {rounds[-1].number} adopted nothing" if rounds else "there was no round yet"
        return Outlook(turn="diagnose", because=_sentence(f"{short}{said}, so the cause is asked for again; {left}"))
    gained = _gain(rounds[-1], metric)
    return Outlook(turn="iterate", because=_sentence(f"{short}round {rounds[-1].number} gained {gained}, and {left}"))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _at_target(metric: Metric, values: Sequence[float], target: float | None) -> str:
    """That the target is reached, and whether the seeds show it; empty where it is not."""
    if target is None or not values:
        return ""
    estimate = mean_estimate(values)
    if metric.sign * (estimate.mean - target) < 0:
        return ""
    told = f"{metric.name} {_mean(metric, values)} has reached the target {number(target)}{unit_of(metric)}"
    if len(values) < 2:
        return f"{told}, as far as one seed can tell."
    low, high = estimate.interval()
    is_shown = metric.sign * ((low if metric.sign > 0 else high) - target) > 0
    return (
        f"{told}; {'the interval lies beyond it' if is_shown else 'the interval holds it, so that it may be missed'}."
    )


def _mean(metric: Metric, values: Sequence[float]) -> str:
    estimate = mean_estimate(values)
    if len(values) < 2:
        return f"{number(estimate.mean)}{unit_of(metric)}"
    low, high = estimate.interval()
    decimals = decimals_of(half_width((low, high)))
    ends = f"{number(low, decimals)} … {number(high, decimals)}"
    return f"{number(estimate.mean, decimals)}{unit_of(metric)} (95 % {ends}, {count(len(values), 'seed')})"


def _shortfall(metric: Metric, values: Sequence[float], target: float | None) -> str:
    if target is None or not values:
        return ""
    missing = number(abs(target - math.fsum(values) / len(values)))
    return f"{missing}{metric.difference_unit} short of the target {number(target)}{unit_of(metric)}: "


def _rounds_used(rounds: Sequence[Round], allowed: int) -> str:
    if len(rounds) < allowed:
        return ""
    return f"the {count(allowed, 'round')} allowed {'is' if allowed == 1 else 'are'} done"


def _hours_used(used: float, allowed: float, per_round: float) -> str:
    if used >= allowed:
        return f"{number(used, 1)} of {number(allowed)} hours are used"
    if used + per_round > allowed:
        left = number(allowed - used, 1)
        return f"a round takes about {number(per_round, 1)} hours, and {left} of {number(allowed)} are left"
    return ""


def _diminished(rounds: Sequence[Round], metric: Metric, thresholds: Thresholds) -> str:
    """That the last rounds each gained too little; thresholds are in points, elsewhere the smallest effect counts."""
    last = rounds[-thresholds.diminishing_rounds :]
    if len(last) < thresholds.diminishing_rounds:
        return ""
    least = thresholds.diminishing_gain if metric.unit == "%" else metric.min_effect or 0.0
    if any(r.adopted and (r.gain is None or r.gain >= least) for r in last):
        return ""
    gains = listing([_gain(r, metric) if r.adopted else "nothing" for r in last])
    what = f"under {number(least)}{metric.difference_unit} each" if least else "each"
    return f"returns diminish: the last {count(len(last), 'round')} gained {gains}, {what}"


def _gain(round_: Round, metric: Metric) -> str:
    if round_.gain is None:
        return "an unknown amount"
    if round_.interval is None:
        return f"{signed(round_.gain)}{metric.difference_unit}"
    decimals = decimals_of(half_width(round_.interval))
    interval = span(round_.interval, decimals)
    return f"{signed(round_.gain, decimals)}{metric.difference_unit} (95 % {interval}, {count(round_.n, 'pair')})"


def _too_slow(remaining: Sequence[Recommendation], metric: Metric, thresholds: Thresholds, per_round: float) -> str:
    """That no recommendation promises enough an hour; a promise that nobody can make may be anything."""
    middles = [r.promise.middle for r in remaining if r.promise is not None and r.promise.metric == metric.name]
    if len(middles) < len(remaining) or per_round <= 0:
        return ""
    best = max(middles) / per_round
    if best >= thresholds.gain_per_hour:
        return ""
    unit = metric.difference_unit
    return (
        f"the best recommendation left promises {signed(best)}{unit} an hour of training, "
        f"under {number(thresholds.gain_per_hour)}{unit}"
    )
