"""decide(): a prediction and the values that test it become a verdict and a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from surefoot.comparison import (
    Comparison,
    Noise,
    NoValue,
    Value,
    compare,
    detectable_by,
    more_seeds,
    smallest_worthwhile,
)
from surefoot.plan import Prediction, Rule
from surefoot.run import Metric
from surefoot.stats.comparisons import Estimate
from surefoot.stats.factorial import Cell, Contrast
from surefoot.stats.sequential import futility, race_thresholds

SCREEN_SDS = 1.0
# One divergence more than the champion may be chance; two are taken as the arm's own.
DIVERGENCES_THAT_REFUTE = 2
CHEAPER_SHARE = 0.05


class Answer(StrEnum):
    """What the data say of a prediction."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"


class Cause(StrEnum):
    """Why a verdict is INCONCLUSIVE; NONE for the others."""

    NONE = ""
    UNDERPOWERED = "underpowered"
    EQUIVALENT = "equivalent"
    CONFOUNDED = "confounded"


class Decision(StrEnum):
    """What follows for the champion."""

    ADOPT = "ADOPT"
    KEEP = "KEEP"
    REPEAT = "REPEAT"


class End(StrEnum):
    """How a race ended; WAITING while it wants more seeds."""

    WAITING = "waiting"
    ABOVE = "above"
    BELOW = "below"
    FUTILE = "futile"
    SPENT = "spent"
    SCREENED = "screened"
    DIVERGED = "diverged"
    UNTESTABLE = "untestable"
    IDENTICAL = "identical"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The answer to one prediction, with everything it rests on.

    `estimate` and `interval` (95 %) are arm minus champion in the metric's unit and sign; `gain`
    is the same counted in the direction of the goal. `p` is one-sided, to be held against
    `threshold`, the race's limit at this look. `wanted` is the number of seeds the race asks for
    next, 0 once settled. `detectable` is what 80 of 100 such comparisons would have shown.
    """

    prediction: Prediction
    answer: Answer = Answer.INCONCLUSIVE
    cause: Cause = Cause.NONE
    decision: Decision = Decision.KEEP
    reason: str = ""
    end: End = End.WAITING
    wanted: int = 0
    n: int = 0
    arm_values: tuple[Value, ...] = ()
    champion_values: tuple[Value, ...] = ()
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    gain: float | None = None
    p: float | None = None
    threshold: float | None = None
    sd_of_difference: float | None = None
    correlation: float | None = None
    detectable: float | None = None
    more_seeds: int | None = None
    method: str = ""
    confounds: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether no further seed can change this verdict."""
        return self.end is not End.WAITING


def decide(
    prediction: Prediction,
    arm: Sequence[Value],
    champion: Sequence[Value],
    *,
    metric: Metric,
    rule: Rule,
    noise: Noise,
    is_screened: bool = False,
    confounds: Sequence[str] = (),
) -> Verdict:
    """The verdict on one prediction about one arm after the seeds run so far.

    Entry i of `arm` and `champion` was trained with the registered seed i and has ended. Only the
    registered looks count: values between two looks change nothing, and values after the race's
    end, or beyond its last look, are not tested. That is what makes adding seeds after a look free
    of charge for nobody.
    """
    comparison = compare(arm, champion, noise, _sign(prediction, metric))
    verdict = _judge(prediction, comparison, metric, rule, is_screened)
    values = {"arm_values": comparison.arm, "champion_values": comparison.champion}
    verdict = replace(verdict, correlation=comparison.correlation(verdict.n), **values)  # type: ignore[arg-type]
    return _with_confounds(_in_metric_units(verdict, metric), confounds)


def decide_contrast(
    prediction: Prediction,
    contrast: Contrast,
    cells: Mapping[Cell, Sequence[Value]],
    *,
    metric: Metric,
    rule: Rule,
    noise: Noise,
    confounds: Sequence[str] = (),
) -> Verdict:
    """The verdict on a main effect or an interaction, over the seeds for which every cell has a value.

    A contrast within each seed is always paired; its prior is the study's, scaled to the contrast.
    """
    size = min(len(cells[cell]) for cell in contrast.weights)
    per_seed: list[Value] = []
    for i in range(size):
        values = {cell: cells[cell][i] for cell in contrast.weights}
        numbers = {cell: v for cell, v in values.items() if not isinstance(v, NoValue)}
        per_seed.append(contrast.of(numbers) if len(numbers) == len(values) else NoValue.LOST)
    scale = contrast.noise_factor
    scaled = Noise(floor_sd=noise.floor_sd * math.sqrt(scale), floor_n=noise.floor_n, paired=noise.paired.scaled(scale))
    comparison = compare(per_seed, [0.0] * size, scaled, _sign(prediction, metric))
    verdict = replace(_judge(prediction, comparison, metric, rule, False), arm_values=comparison.arm)
    diverged = {cell: sum(v is NoValue.DIVERGED for v in cells[cell][:size]) for cell in contrast.weights}
    if verdict.is_settled and max(diverged.values()) > min(diverged.values()):
        reason = "some cells diverged on more seeds than others, and the mean of the rest is not theirs"
        verdict = replace(
            verdict, answer=Answer.INCONCLUSIVE, cause=Cause.UNDERPOWERED, end=End.DIVERGED, reason=reason
        )
    return _with_confounds(replace(_in_metric_units(verdict, metric), decision=Decision.KEEP), confounds)


def identical(prediction: Prediction) -> Verdict:
    """The verdict on an arm that has become the champion's own config: there is nothing to compare."""
    return Verdict(
        prediction=prediction,
        cause=Cause.EQUIVALENT,
        end=End.IDENTICAL,
        reason="the arm is the champion's own config by now, so there is nothing to compare",
    )


def _judge(prediction: Prediction, comparison: Comparison, metric: Metric, rule: Rule, is_screened: bool) -> Verdict:
    """The verdict with `gain` and `interval` still in the question's own sign."""
    if prediction.relation in ("same", "between"):
        return _judge_band(prediction, comparison, metric, rule)
    if is_screened:
        if comparison.size < 1:
            return _waiting(prediction, 1)
        first, sd = comparison.difference(0), comparison.noise.difference_sd
        if not isinstance(first, NoValue) and sd > 0 and first < -SCREEN_SDS * sd:
            return _screened(prediction, first, sd, metric, rule)
    return _judge_race(prediction, comparison, metric, rule)


def _judge_race(prediction: Prediction, comparison: Comparison, metric: Metric, rule: Rule) -> Verdict:
    """A race on "the gain (or the loss) exceeds `by`", replayed look by look."""
    prior_df = comparison.noise.prior.df
    supporting = race_thresholds(rule.looks, rule.support_alpha, prior_df)
    adopting = race_thresholds(rule.looks, rule.adopt_alpha, prior_df)
    end, wanted, at, estimate = End.SPENT, 0, 0, None
    for k, look in enumerate(rule.looks):
        if look > comparison.size:
            end, wanted = End.WAITING, look
            break
        if comparison.excess_divergences(look) > 0:
            return _diverged(prediction, comparison, look)
        found = comparison.estimate(look)
        if found is None:
            continue
        at, estimate = k, found
        p = _p(estimate, prediction)
        if min(p, 1 - p) <= supporting[k]:
            end = End.ABOVE if p <= supporting[k] else End.BELOW
            break
        if k < len(rule.looks) - 1 and p > futility(k):
            end = End.FUTILE
            break
    if estimate is None:
        return _waiting(prediction, wanted) if end is End.WAITING else _untestable(prediction, comparison, rule)
    can_adopt = prediction.relation == "better" and end not in (End.WAITING, End.BELOW)
    is_adoptable = can_adopt and estimate.p_above() <= adopting[at] and estimate.mean >= (metric.min_effect or 0.0)
    verdict = replace(_raced(prediction, estimate, end, supporting[at], metric, comparison.noise, rule), wanted=wanted)
    if is_adoptable and comparison.is_lossy(rule.looks[at]):
        reason = "it lost more of its seeds than the champion, and those that are left may be a choice: not adoptable"
        return replace(verdict, reason=reason)
    return replace(verdict, decision=Decision.ADOPT) if is_adoptable else verdict


def _raced(
    prediction: Prediction, estimate: Estimate, end: End, limit: float, metric: Metric, noise: Noise, rule: Rule
) -> Verdict:
    answer = {End.ABOVE: Answer.SUPPORTED, End.BELOW: Answer.REFUTED}.get(end, Answer.INCONCLUSIVE)
    p, cause, reason, decision, more = _p(estimate, prediction), Cause.NONE, "", Decision.KEEP, None
    if answer is Answer.INCONCLUSIVE:
        cause = Cause.UNDERPOWERED
        more = more_seeds(estimate, max(smallest_worthwhile(metric, noise, prediction), estimate.mean), noise, rule)
        if _is_within(estimate, metric.min_effect):
            cause, more = Cause.EQUIVALENT, None
            reason = "any difference is smaller than the smallest one worth having"
        elif end is End.FUTILE:
            reason = f"stopped at {estimate.n} seeds, as more would hardly change the answer"
        elif end is End.SPENT and prediction.relation == "better" and p <= futility(1):
            decision = Decision.REPEAT
    return _measured(
        prediction,
        estimate,
        limit,
        answer=answer,
        cause=cause,
        reason=reason,
        decision=decision,
        end=end,
        p=p,
        more_seeds=more,
    )


def _judge_band(prediction: Prediction, comparison: Comparison, metric: Metric, rule: Rule) -> Verdict:
    """Two one-sided tests that the difference lies within a band, at the last look only.

    Source: Schuirmann (1987), "A comparison of the two one-sided tests procedure", J. Pharmacokinet. 15(6).
    """
    look, noise = rule.looks[-1], comparison.noise
    if comparison.size < look:
        return _waiting(prediction, look)
    if comparison.excess_divergences(look) > 0:
        return _diverged(prediction, comparison, look)
    estimate = comparison.estimate(look)
    if estimate is None:
        return _untestable(prediction, comparison, rule)
    low, high = prediction.low, prediction.high
    if prediction.relation == "same":
        reach = prediction.within if prediction.within is not None else smallest_worthwhile(metric, noise)
        low, high = -reach, reach
    alpha = rule.support_alpha
    p_inside = max(estimate.p_above(low), estimate.p_below(high))
    p_outside = 2 * min(estimate.p_above(high), estimate.p_below(low))
    answer = Answer.SUPPORTED if p_inside <= alpha else Answer.REFUTED if p_outside <= alpha else Answer.INCONCLUSIVE
    cause, reason, more = Cause.NONE, "", None
    if answer is Answer.INCONCLUSIVE:
        cause, reason = Cause.UNDERPOWERED, f"it was to lie between {low:g} and {high:g}; the interval reaches beyond"
        # At a true difference of the band's middle both tests must pass, so each needs half the band.
        more = more_seeds(estimate, (high - low) / 2, noise, rule)
    found = _measured(
        prediction,
        estimate,
        alpha,
        answer=answer,
        cause=cause,
        reason=reason,
        end=End.SPENT,
        p=p_inside,
        more_seeds=more,
    )
    return replace(found, method=estimate.method + ", two one-sided tests")


def _measured(prediction: Prediction, estimate: Estimate, limit: float, **rest: Any) -> Verdict:
    return Verdict(
        prediction=prediction,
        threshold=limit,
        n=estimate.n,
        gain=estimate.mean,
        interval=estimate.interval(),
        sd_of_difference=estimate.sd,
        detectable=detectable_by(estimate, limit),
        method=estimate.method,
        **rest,
    )


def _waiting(prediction: Prediction, wanted: int) -> Verdict:
    return Verdict(prediction=prediction, cause=Cause.UNDERPOWERED, wanted=wanted)


def _untestable(prediction: Prediction, comparison: Comparison, rule: Rule) -> Verdict:
    look = rule.looks[-1]
    gains = comparison.differences(look)
    answer, cause = Answer.INCONCLUSIVE, Cause.UNDERPOWERED
    if comparison.is_identical(look):
        is_foretold = prediction.relation == "same"
        answer, cause = (Answer.SUPPORTED, Cause.NONE) if is_foretold else (Answer.INCONCLUSIVE, Cause.EQUIVALENT)
    return Verdict(
        prediction=prediction,
        answer=answer,
        cause=cause,
        end=End.UNTESTABLE,
        n=len(gains),
        gain=math.fsum(gains) / len(gains) if gains else None,
        reason=comparison.untestable(look),
    )


def _screened(prediction: Prediction, first: float, sd: float, metric: Metric, rule: Rule) -> Verdict:
    unit = metric.difference_unit
    return Verdict(
        prediction=prediction,
        cause=Cause.UNDERPOWERED,
        end=End.SCREENED,
        n=1,
        gain=first,
        more_seeds=rule.looks[0] - 1,
        reason=f"screened out: on its first seed it is {-first:.3g}{unit} worse, more than one standard deviation "
        f"of a difference ({sd:.3g}{unit})",
    )


def _diverged(prediction: Prediction, comparison: Comparison, look: int) -> Verdict:
    excess, estimate = comparison.excess_divergences(look), comparison.estimate(look)
    answer, cause = Answer.INCONCLUSIVE, Cause.UNDERPOWERED
    if excess >= DIVERGENCES_THAT_REFUTE:
        answer = Answer.SUPPORTED if prediction.relation == "worse" else Answer.REFUTED
        cause = Cause.NONE
    return Verdict(
        prediction=prediction,
        answer=answer,
        cause=cause,
        end=End.DIVERGED,
        n=estimate.n if estimate else 0,
        gain=estimate.mean if estimate else None,
        interval=estimate.interval() if estimate else None,
        sd_of_difference=estimate.sd if estimate else None,
        method=estimate.method if estimate else "",
        reason=f"it diverged on {excess} more of {look} seeds than the champion: not adoptable, "
        "and the mean of the other seeds is not its mean",
    )


def _with_confounds(verdict: Verdict, confounds: Sequence[str]) -> Verdict:
    if not confounds or not verdict.is_settled or verdict.n == 0:
        return verdict
    return replace(
        verdict,
        answer=Answer.INCONCLUSIVE,
        cause=Cause.CONFOUNDED,
        decision=Decision.KEEP,
        more_seeds=None,
        confounds=tuple(confounds),
        reason="the arms differ in more than the declared change: "
        + "; ".join(confounds)
        + " (where that is meant, the experiment can say `allow: [fact]`)",
    )


def _in_metric_units(verdict: Verdict, metric: Metric) -> Verdict:
    """`gain` and `interval` from the question's sign to arm minus champion, and the gain beside it."""
    if verdict.gain is None:
        return verdict
    sign = _sign(verdict.prediction, metric)
    estimate = sign * verdict.gain
    interval = None
    if verdict.interval is not None:
        low, high = sorted((sign * verdict.interval[0], sign * verdict.interval[1]))
        interval = (low, high)
    return replace(verdict, estimate=estimate, gain=metric.sign * estimate, interval=interval)


def _sign(prediction: Prediction, metric: Metric) -> int:
    return 1 if prediction.relation == "between" else metric.sign


def _p(estimate: Estimate, prediction: Prediction) -> float:
    if prediction.relation == "worse":
        return estimate.p_below(-prediction.by)
    return estimate.p_above(prediction.by)


def _is_within(estimate: Estimate, reach: float | None) -> bool:
    low, high = estimate.interval(0.90)
    return reach is not None and -reach < low and high < reach


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """What an experiment did to the champion: one arm adopted, or none."""

    decision: Decision
    arm: str = ""
    reason: str = ""
    more_seeds: int | None = None


def choose(
    verdicts: Mapping[str, Verdict],
    *,
    metric: Metric,
    rule: Rule,
    noise: Noise,
    cost: Mapping[str, Sequence[float]] | None = None,
) -> Choice:
    """The decision of an experiment from each arm's verdict on "better" in the primary metric.

    Of several adoptable arms the largest gain wins; one that cannot be told apart from it is
    preferred where every one of its runs was cheaper than any of the other's, and by at least 5 %
    (`cost`: seconds a step of each run; a busy machine makes any arm look dear).
    """
    adoptable = [name for name, v in verdicts.items() if v.decision is Decision.ADOPT]
    if not adoptable:
        return _not_adopted(verdicts)
    best = max(adoptable, key=lambda name: verdicts[name].gain or 0.0)
    ties = [n for n in adoptable if n != best and _is_tie(verdicts[n], verdicts[best], metric, rule, noise)]
    known = {name: seconds for name, seconds in (cost or {}).items() if seconds and min(seconds) > 0}
    cheapest = min([best, *ties], key=lambda name: max(known.get(name, (math.inf,))))
    saving = 1 - max(known[cheapest]) / min(known[best]) if cheapest in known and best in known else 0.0
    if cheapest != best and saving >= CHEAPER_SHARE:
        reason = f"it cannot be told apart from {best} here and is at least {100 * saving:.0f} % cheaper a step"
        return Choice(decision=Decision.ADOPT, arm=cheapest, reason=reason)
    reason = "the largest gain" if len(adoptable) > 1 else ""
    if ties:
        reason += f", though it cannot be told apart from {', '.join(ties)}"
    return Choice(decision=Decision.ADOPT, arm=best, reason=reason)


def _not_adopted(verdicts: Mapping[str, Verdict]) -> Choice:
    repeats = [(v.more_seeds, name) for name, v in verdicts.items() if v.decision is Decision.REPEAT and v.more_seeds]
    if repeats:
        seeds, name = min(repeats)
        return Choice(decision=Decision.REPEAT, arm=name, more_seeds=seeds, reason="promising, but not shown")
    return Choice(decision=Decision.KEEP, reason="no arm is shown to be better")


def _is_tie(a: Verdict, b: Verdict, metric: Metric, rule: Rule, noise: Noise) -> bool:
    n = min(len(a.arm_values), len(b.arm_values))
    estimate = compare(a.arm_values, b.arm_values, noise, metric.sign).estimate(n)
    return estimate is None or 2 * min(estimate.p_above(), estimate.p_below()) > rule.support_alpha
