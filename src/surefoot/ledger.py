"""The ledger: what every recommendation promised, what it really did, and what that makes of the next promise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from surefoot.diagnosis.recommendation import Promise, Recommendation
from surefoot.words import clause, count, decimals_of, half_width, number, signed

Outcome = Literal[
    "more than promised", "as promised", "may be as promised", "not shown", "less than promised", "harm", "open"
]
# What of it a sentence says in more words.
_IN_FULL = {
    "harm": "less than promised, and harm",
    "not shown": "not shown, nor shown to differ from the promise",
    "may be as promised": "it may be as promised",
}
# How far a source of advice may be off, before anything is known of it: nineteen of twenty give between nothing and
# twice what they promise.
PRIOR_SD = 0.5
# How far one and the same advice differs from study to study, as a share of its promise; a guess that counts as much
# as four results.
SPREAD, SPREAD_WORTH = 0.25, 4
# The standard error of a result on a single pair, which tells none, as a share of its promise.
SINGLE_SD = 1.0
# The reach of a 95 % interval of a normal; a t interval is taken as the normal that reaches as far.
Z = 1.959963984540054


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """One promise beside its outcome.

    `kind`, `title` and `recommendation` are the recommendation's (see `Recommendation`); gains count in the
    direction of the goal, in the metric's unit. `first_promised` is what the source said, `promised` what was said
    after earlier results had corrected it. `got` is the estimate against the champion of its time, None while it
    is open or could not be had; `interval` is 95 %; `n` pairs. `verdict` is the engine's word and cause.
    """

    study: str
    experiment: str
    arm: str
    recommendation: str
    kind: str
    title: str
    metric: str
    unit: str = ""
    first_promised: tuple[float, float]
    promised: tuple[float, float]
    got: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    verdict: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """What `n` earlier results make of the next promise of a kind.

    `factor` multiplies its middle; `reach` is how far to both sides of that, as a share of the promise's middle, the
    next result lies 95 times in 100. Without earlier results the factor is 1, the reach 0 and `n` 0: nothing is
    corrected. `is_pooled` says that the kind has no result and those of all kinds stand for it.
    """

    factor: float = 1.0
    reach: float = 0.0
    n: int = 0
    is_pooled: bool = False
    sentence: str = ""


def ledger_sentence(row: LedgerRow) -> str:
    """ "dropout 0.4: promised +3 to +5 pp, got +1.2 ± 0.6 pp (95 %, 5 pairs): less than promised"."""
    unit = difference_unit(row.unit)
    promised = f"promised {promised_range(row.promised)}{unit}"
    if row.promised != row.first_promised:
        promised += f" (the source says {promised_range(row.first_promised)})"
    if row.got is None:
        ended = f"got no value: {clause(row.verdict)}" if row.verdict else "not tried to its end yet"
        return f"{row.title}: {promised}, {ended}"
    reach = half_width(row.interval)
    decimals = decimals_of(reach)
    if reach is None or row.interval is None:
        return f"{row.title}: {promised}, got {signed(row.got)}{unit} on {count(row.n, 'pair')}: too few to tell"
    got = f"got {signed(row.got, decimals)} ± {number(reach, decimals)}{unit} (95 %, {count(row.n, 'pair')})"
    outcome = outcome_of(row.promised, row.interval)
    return f"{row.title}: {promised}, {got}: {_IN_FULL.get(outcome, outcome)}"


def difference_unit(unit: str) -> str:
    """The unit of a gain with a space before it, or nothing: percentages gain points."""
    return " pp" if unit == "%" else f" {unit}" if unit else ""


def promised_range(promised: tuple[float, float]) -> str:
    """ "+3 to +5"."""
    low, high = promised
    decimals = decimals_of(high - low)
    # A range of 3 to 5 needs no "3.0 to 5.0".
    if decimals and all(math.isclose(end, round(end, decimals - 1)) for end in promised):
        decimals -= 1
    return f"{signed(low, decimals)} to {signed(high, decimals)}"


def outcome_of(promised: tuple[float, float], interval: tuple[float, float] | None) -> Outcome:
    """What the interval of the gain says of the promise; the interval decides, not the estimate."""
    if interval is None:
        return "open"
    low, high = interval
    if high < promised[0]:
        return "harm" if high < 0 else "less than promised"
    if low > promised[1]:
        return "more than promised"
    if promised[0] <= low and high <= promised[1]:
        return "as promised"
    return "not shown" if low <= 0 <= high else "may be as promised"


def correction(kind: str, rows: Sequence[LedgerRow]) -> Correction:
    """What the earlier results of a kind make of its next promise; those of all kinds where it has none.

    A result counts as the ratio r of what was got to the middle m of what the source promised, so that metrics and
    units may differ; its standard error s is its interval's over |m|. The truths behind the ratios are taken as
    normal around a mean μ with the spread τ between studies, and μ as normal around 1 with standard deviation ω =
    PRIOR_SD. With the weights w = 1/(s² + τ²) the factor is the mean of μ given the results,

        factor = (1/ω² + Σ w r) / (1/ω² + Σ w),    variance V = 1 / (1/ω² + Σ w),

    and the next result lies within 1.96 √(τ² + V) of it. τ² is the moment estimate of DerSimonian & Laird (1986),
    Controlled Clinical Trials 7(3), averaged by degrees of freedom with a first guess SPREAD².
    Source: Gelman et al. (2013), Bayesian Data Analysis, equations 5.17 to 5.20.
    """
    own = [row for row in rows if row.kind == kind and _is_usable(row)]
    used = own or [row for row in rows if _is_usable(row)]
    if not used:
        return Correction(sentence=f"No earlier result of {kind}, so that its promise stands as the source has it.")
    ratios = [_ratio(row) for row in used]
    tau2 = _spread_between(ratios)
    weights = [1 / (s**2 + tau2) for _, s in ratios]
    total = 1 / PRIOR_SD**2 + math.fsum(weights)
    factor = (1 / PRIOR_SD**2 + math.fsum(w * r for w, (r, _) in zip(weights, ratios, strict=True))) / total
    reach = Z * math.sqrt(tau2 + 1 / total)
    plain = math.fsum(w * r for w, (r, _) in zip(weights, ratios, strict=True)) / math.fsum(weights)
    who = (
        f"{count(len(used), 'earlier result')} of {kind}"
        if own
        else (f"no earlier result of {kind}, and {len(used)} of other kinds")
    )
    said = f"{who} came to {number(plain, 2)} of what was promised; the next promise counts {number(factor, 2)} times."
    return Correction(factor=factor, reach=reach, n=len(used), is_pooled=not own, sentence=said[0].upper() + said[1:])


def _is_usable(row: LedgerRow) -> bool:
    """Whether it has a promise and a result of its own: what is confounded came of something else too."""
    if row.got is None or math.fsum(row.first_promised) == 0 or "confounded" in row.verdict:
        return False
    return all(map(math.isfinite, (row.got, *(row.interval or ()), *row.first_promised)))


def _ratio(row: LedgerRow) -> tuple[float, float]:
    """What was got as a share of the middle of the promise, and the standard error of that."""
    middle = math.fsum(row.first_promised) / 2
    assert row.got is not None
    # A single pair tells no error. To leave it out would flatter: it is the bad arms that are screened out on it.
    reach = half_width(row.interval)
    return row.got / middle, SINGLE_SD if reach is None else reach / Z / abs(middle)


def _spread_between(ratios: Sequence[tuple[float, float]]) -> float:
    """The variance of the true ratios between studies."""
    n = len(ratios)
    # Seeds that all agree have no standard error; a hundredth keeps their weight finite.
    weights = [1 / max(s, 0.01) ** 2 for _, s in ratios]
    total = math.fsum(weights)
    mean = math.fsum(w * r for w, (r, _) in zip(weights, ratios, strict=True)) / total
    q = math.fsum(w * (r - mean) ** 2 for w, (r, _) in zip(weights, ratios, strict=True))
    room = total - math.fsum(w**2 for w in weights) / total
    found = max(0.0, (q - (n - 1)) / room) if n > 1 else 0.0
    return (SPREAD_WORTH * SPREAD**2 + (n - 1) * found) / (SPREAD_WORTH + n - 1)


def corrected(recommendation: Recommendation, rows: Sequence[LedgerRow]) -> Recommendation:
    """The recommendation with its promise corrected by earlier results; unchanged where there are none.

    The range is never narrower than the source's own, times the factor.
    """
    promise = recommendation.promise
    found = correction(recommendation.kind, rows)
    if promise is None or found.n == 0:
        return recommendation
    middle = found.factor * promise.middle
    half = max(abs(found.factor) * (promise.high - promise.low) / 2, found.reach * abs(promise.middle))
    which = f"{count(found.n, 'earlier result')}{' of other kinds' if found.is_pooled else ''}"
    source = f"{promise.source}{', ' if promise.source else ''}corrected by {which}"
    new = Promise(metric=promise.metric, low=middle - half, high=middle + half, unit=promise.unit, source=source)
    return replace(recommendation, promise=new)
