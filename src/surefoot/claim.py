"""A gain tested once more on fresh seeds: the only thing a report calls a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from surefoot.comparison import Noise, Value, compare, detectable_by
from surefoot.plan import Rule
from surefoot.run import Metric
from surefoot.stats.intervals import share_interval
from surefoot.stats.multiplicity import holm

# A label for the probability that one run beats another: Bouthillier et al. (2021), "Accounting for
# variance in machine learning benchmarks", section 5, made stricter: the interval must exclude chance.
MEANINGFUL_SHARE = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a claim is about: the config before and after, over the same fresh seeds."""

    name: str
    before: str
    after: str
    before_values: tuple[Value, ...]
    after_values: tuple[Value, ...]
    confounds: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A step and what the fresh seeds say of it.

    `estimate` and `interval` (95 %) are after minus before in the metric's unit and come from the
    fresh seeds alone, so no selection biases them. `p_adjusted` is Holm's over the claims tested
    together. `wins` of `n` pairs were better, `share_better` is the exact interval of that probability.
    """

    step: Step
    metric: str
    is_confirmed: bool
    reason: str = ""
    n: int = 0
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_adjusted: float | None = None
    wins: int = 0
    share_better: tuple[float, float] = (0.0, 1.0)
    is_meaningful: bool = False
    correlation: float | None = None
    detectable: float | None = None
    method: str = ""


def confirm(steps: Sequence[Step], *, metric: Metric, rule: Rule, noise: Noise) -> tuple[Claim, ...]:
    """One claim for each step: a one-sided moderated t on fresh seeds, Holm over all of them.

    A single fixed look at seeds that no decision had seen, so neither the number of experiments
    nor the choice of the best arm costs anything here.
    """
    claims = [_claim(step, metric, rule, noise) for step in steps]
    adjusted = iter(holm([c.p for c in claims if c.p is not None]))
    return tuple(_settled(claim, None if claim.p is None else next(adjusted), rule) for claim in claims)


def _claim(step: Step, metric: Metric, rule: Rule, noise: Noise) -> Claim:
    comparison = compare(step.after_values, step.before_values, noise, metric.sign)
    estimate = comparison.estimate(comparison.size)
    gains = comparison.differences(comparison.size)
    if estimate is None:
        return Claim(
            step=step,
            metric=metric.name,
            is_confirmed=False,
            n=len(gains),
            reason=comparison.untestable(comparison.size),
        )
    reason = ""
    if comparison.excess_divergences(comparison.size) > 0:
        reason = "it diverged on more of the fresh seeds than the config before"
    elif comparison.is_lossy(comparison.size):
        reason = "it lost more of the fresh seeds than the config before, and those that are left may be a choice"
    elif step.confounds:
        reason = "confounded: " + "; ".join(step.confounds)
    wins = sum(gain > 0 for gain in gains)
    share = share_interval(wins, len(gains)) if gains else (0.0, 1.0)
    low, high = sorted(metric.sign * end for end in estimate.interval())
    return Claim(
        step=step,
        metric=metric.name,
        is_confirmed=False,
        reason=reason,
        n=estimate.n,
        estimate=metric.sign * estimate.mean,
        interval=(low, high),
        p=estimate.p_above(),
        wins=wins,
        share_better=share,
        is_meaningful=bool(gains) and share[0] > 0.5 and wins / len(gains) >= MEANINGFUL_SHARE,
        correlation=comparison.correlation(comparison.size),
        detectable=detectable_by(estimate, rule.claim_alpha),
        method=estimate.method,
    )


def _settled(claim: Claim, adjusted: float | None, rule: Rule) -> Claim:
    is_confirmed = not claim.reason and adjusted is not None and adjusted <= rule.claim_alpha
    reason = claim.reason or ("" if is_confirmed else "the gain did not show again on fresh seeds")
    return replace(claim, is_confirmed=is_confirmed, p_adjusted=adjusted, reason=reason)
