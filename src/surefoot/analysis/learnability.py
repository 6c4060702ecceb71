"""Learnability: whether any trial is better than a predictor that learns nothing, and than the best of n by luck."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import binomtest

from surefoot.analysis.column import Booleans, Floats
from surefoot.analysis.noise import NoiseFloor
from surefoot.analysis.parts import parts_of, weighed
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.stats.extremes import chance_of_hits, chance_of_value, largest_binomial, largest_normal
from surefoot.trials import Trivial
from surefoot.words import count, decimals_of, listing, number, p_phrase, percent, sentence, setting

SIGNIFICANCE = 0.05
LUCK_SPAN = 0.90
# A level of fewer trials is at the baseline too easily to be worth a sentence.
FEWEST_AT_LEVEL = 3
# Nor is one that chance makes as often as this, unless it is exactly the trivial predictor.
RARE = 0.1
MOST_LEVELS_TOLD = 5
# Shares of right answers go by these names, losses and averages by others.
_SHARE = re.compile(r"acc|(?<![a-z])err|top[_@-]?\d|correct|exact_match|success|solved|misclass", re.IGNORECASE)
_NO_SHARE = re.compile(r"squared|absolute|mse|mae|rms|balanced|macro|loss|percentage", re.IGNORECASE)
# Counts of up to so many examples survive the rounding of a printed value.
MOST_COUNTED = 1000
COUNT_TOLERANCE = 0.05
FEWEST_COUNTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class BaselineShare:
    """How many of `n` trials are no better than a trivial predictor, and how many of them exactly as good."""

    trivial: Trivial
    n: int
    no_better: int
    exact: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelAtBaseline:
    """A level of a choice none of whose `n` trials is better than the baseline, `exact` of them exactly as good.

    `p` is the chance that as many trials drawn blindly would all be no better.
    """

    key: str
    level: Any
    n: int
    exact: int
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Luck:
    """What the best of `n` would come to if no trial were better than the baseline, in the metric's own unit.

    By "examples" a trial's value is the share of right answers on `examples`; by "noise" it is the baseline with
    the noise of repeats. `p` is the chance of a value as good as `best` or better, `single_p` that of one trial alone.
    `interval` is Wilson's 95 % one of the best value, as if nobody had picked it.
    """

    by: Literal["examples", "noise"]
    n: int
    best: float
    expected: float
    low: float
    high: float
    p: float
    single_p: float
    examples: int | None = None
    hits: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def is_within(self) -> bool:
        """Whether luck alone explains the best value."""
        return self.p > SIGNIFICANCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnability:
    """The trials against the trivial predictors; `reference` is the best of these.

    `values` have shape (n,), NaN where unknown: the metric per example where the table's parts allow it
    (`is_recomputed`), else the metric as it is. `luck` is None where `why_no_luck` says why.
    """

    reference: Trivial
    shares: tuple[BaselineShare, ...]
    levels: tuple[LevelAtBaseline, ...]
    luck: Luck | None
    why_no_luck: str
    values: Floats
    is_recomputed: bool
    uncounted: int


def learnability(view: View, noise: NoiseFloor | None) -> Learnability | None:
    """How the complete trials stand against the table's trivial predictors; None without either."""
    if not view.table.trivial or not view.n:
        return None
    values, is_recomputed = _values(view)
    sign = view.metric.sign
    reference = max(view.table.trivial, key=lambda trivial: sign * trivial.value)
    shares = []
    for trivial in view.table.trivial:
        no_better, exact = _against(view, values, trivial.value)
        n = int(np.isfinite(values).sum())
        shares.append(BaselineShare(trivial=trivial, n=n, no_better=int(no_better.sum()), exact=int(exact.sum())))
    luck, why = _luck(view, values, reference, noise)
    return Learnability(
        reference=reference,
        shares=tuple(shares),
        levels=_levels(view, values, reference),
        luck=luck,
        why_no_luck=why,
        values=values,
        is_recomputed=is_recomputed,
        uncounted=0 if is_recomputed else _uncounted(view, values),
    )


def learnability_section(view: View, noise: NoiseFloor | None) -> Section:
    """Whether anything is shown to have been learnt, or why that cannot be said."""
    title = "Was anything learnt"
    found = learnability(view, noise)
    if found is None:
        return Section(key="learnability", title=title, not_applicable=_why_none(view))
    note = "A trial that reports the best of its epochs had more luck than is counted here."
    if found.is_recomputed:
        note = (
            f"Values are recomputed as means over examples from the parts of {view.metric.name}; where the size of "
            f"a part is not known, its right answers count as few as its values allow. {note}"
        )
    return Section(
        key="learnability",
        title=title,
        findings=(*_luck_findings(view, found), *_share_findings(view, found), *_level_findings(view, found)),
        sheets=(_baseline_sheet(view, found),),
        note=note,
    )


# ── values as shares ──


def _values(view: View) -> tuple[Floats, bool]:
    """The metric per example where its parts give it, and whether they do; else the metric as it is."""
    parts = parts_of(view)
    found = None if parts is None else weighed(parts)
    if parts is None or found is None:
        return view.values, False
    if parts.is_scaled:
        return found, True
    total, examples = sum(part.size or 0 for part in parts.parts), view.table.evaluated_on
    if examples is None or total > examples:
        return view.values, False
    # A group whose size is not sure counts as the smallest that its values allow: its right answers are a floor.
    return found * total / examples, True


def _scale(view: View, values: Floats) -> float:
    """What the metric counts as one."""
    largest = max([float(np.nanmax(values)), *(t.value for t in view.table.trivial)])
    return 100.0 if view.metric.unit == "%" or largest > 1 else 1.0


def _is_share(view: View, values: Floats) -> bool:
    """Whether the metric is a share of the examples, by its name, or as all its values are whole counts of them."""
    name, examples = view.metric.name, view.table.evaluated_on
    known = values[np.isfinite(values)] / _scale(view, values)
    trivial = [t.value / _scale(view, values) for t in view.table.trivial]
    if not examples or known.min() < 0 or known.max() > 1 or not all(0 <= t <= 1 for t in trivial):
        return False
    if _SHARE.search(name) and not _NO_SHARE.search(name):
        return True
    if examples > MOST_COUNTED or len(np.unique(known)) < FEWEST_COUNTS:
        return False
    return bool((np.abs(known * examples - np.rint(known * examples)) < 1e-4).all())


def _uncounted(view: View, values: Floats) -> int:
    """How many values are no whole number of right answers, where each should be one."""
    examples = view.table.evaluated_on
    if not examples or examples > MOST_COUNTED or not _is_share(view, values):
        return 0
    counts = values / _scale(view, values) * examples * [max(1, len(t.per_seed)) for t in view.trials]
    return int((np.abs(counts - np.rint(counts)) > COUNT_TOLERANCE).sum())


def _against(view: View, values: Floats, baseline: float) -> tuple[Booleans, Booleans]:
    """Which trials are no better than the baseline, and which exactly as good; both of shape (n,).

    Exactly is the same number of right answers where the metric is a share of known many examples.
    """
    gains, level = view.metric.sign * values, view.metric.sign * baseline
    slack = 1e-9 * max(1.0, abs(baseline))
    if _is_share(view, values) and (view.table.evaluated_on or 0) <= MOST_COUNTED:
        slack = max(slack, 0.499 * _scale(view, values) / float(view.table.evaluated_on or 1))
    exact = np.abs(gains - level) <= slack
    with np.errstate(invalid="ignore"):
        return (gains < level) | exact, exact


def _levels(view: View, values: Floats, reference: Trivial) -> tuple[LevelAtBaseline, ...]:
    no_better, exact = _against(view, values, reference.value)
    known = np.isfinite(values)
    n, losers = int(known.sum()), int(no_better.sum())
    if losers in (0, n):
        return ()
    found = []
    for column in view.columns:
        if column.parameter.kind not in ("categorical", "bool") or not column.levels:
            continue
        inside = known & (column.codes >= 0)
        tried = np.bincount(column.codes[inside], minlength=len(column.levels))
        lost = np.bincount(column.codes[inside & no_better], minlength=len(column.levels))
        for i in np.flatnonzero((tried == lost) & (tried >= FEWEST_AT_LEVEL)):
            size = int(tried[i])
            same = int(exact[column.codes == i].sum())
            p = math.exp(_log_comb(losers, size) - _log_comb(n, size))
            if same < size and p > RARE:
                continue
            found.append(LevelAtBaseline(key=column.key, level=column.levels[i], n=size, exact=same, p=p))
    return tuple(sorted(found, key=lambda level: level.p))


def _log_comb(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


# ── luck ──


def _luck(view: View, values: Floats, reference: Trivial, noise: NoiseFloor | None) -> tuple[Luck | None, str]:
    if _is_share(view, values):
        return _luck_of_examples(view, values, reference), ""
    if noise is not None:
        return _luck_of_noise(view, reference, noise), ""
    name, unit = view.metric.name, "--evaluated-on 73"
    if view.table.evaluated_on is None:
        return None, (
            f"because nothing says how much {name} moves by chance: say on how many examples it is measured "
            f"({unit}) where it is a share of them, or train some configs again with other seeds"
        )
    return None, (
        f"because {name} is no share of the {view.table.evaluated_on:,} examples, and no config was trained twice: "
        f"train some configs again with other seeds"
    )


def _luck_of_examples(view: View, values: Floats, reference: Trivial) -> Luck:
    examples, scale = int(view.table.evaluated_on or 1), _scale(view, values)
    known = values[np.isfinite(values)] / scale
    is_right = view.metric.goal == "maximize"
    # An error is as small as the right answers are many.
    right = known if is_right else 1 - known
    chance = reference.value / scale if is_right else 1 - reference.value / scale
    n, hits = len(known), float(right.max()) * examples
    lucky = largest_binomial(n, probability=chance, examples=examples, coverage=LUCK_SPAN)
    wilson = binomtest(round(hits), examples).proportion_ci(0.95, method="wilson")

    def shown(share: float) -> float:
        return scale * (share if is_right else 1 - share)

    ends = sorted((shown(float(wilson.low)), shown(float(wilson.high))))
    span = sorted((shown(lucky.low), shown(lucky.high)))
    return Luck(
        by="examples",
        n=n,
        best=shown(float(right.max())),
        expected=shown(lucky.expected),
        low=span[0],
        high=span[1],
        p=chance_of_hits(hits, n, probability=chance, examples=examples),
        single_p=chance_of_hits(hits, 1, probability=chance, examples=examples),
        examples=examples,
        hits=hits,
        interval=(ends[0], ends[1]),
    )


def _luck_of_noise(view: View, reference: Trivial, noise: NoiseFloor) -> Luck:
    sign, best = view.metric.sign, float(view.gains.max())
    mean = sign * reference.value
    lucky = largest_normal(view.n, mean=mean, sd=noise.sd, df=noise.df, coverage=LUCK_SPAN)
    span = sorted((sign * lucky.low, sign * lucky.high))
    p, single = (chance_of_value(best, n, mean=mean, sd=noise.sd, df=noise.df) for n in (view.n, 1))
    return Luck(
        by="noise",
        n=view.n,
        best=sign * best,
        expected=sign * lucky.expected,
        low=span[0],
        high=span[1],
        p=p,
        single_p=single,
    )


# ── in words ──


def _why_none(view: View) -> str:
    if not view.n:
        return "because no trial finished."
    return (
        f"because nothing says what {view.metric.name} a predictor that learns nothing comes to. Give it, and on how "
        "many examples the value is measured, as --trivial majority=0.288 --evaluated-on 73."
    )


def _luck_findings(view: View, found: Learnability) -> list[Finding]:
    said = []
    if found.uncounted:
        said.append(_not_whole(view, found))
    if found.luck is None:
        return [
            *said,
            Finding(
                rule="learnability.luck",
                subject=view.metric.name,
                sentence=f"Whether the best value is beyond luck cannot be said, {found.why_no_luck}.",
                evidence={"trials": view.n, "evaluated_on": view.table.evaluated_on},
            ),
        ]
    return [_verdict(view, found, found.luck), *said]


def _verdict(view: View, found: Learnability, luck: Luck) -> Finding:
    places = 3 if luck.by == "examples" and luck.best <= 1 else decimals_of((luck.high - luck.low) / 4)
    alike = f"{luck.n:,} trials no better than {found.reference.name} ({number(found.reference.value, places)})"
    span = f"{percent((1 - LUCK_SPAN) / 2)[:-2]} to {percent((1 + LUCK_SPAN) / 2)}"
    would = (
        f"the best of {alike} would come to {number(luck.expected, places)} by luck alone "
        f"({span}: {number(luck.low, places)} to {number(luck.high, places)})"
    )
    per = " per example" if found.is_recomputed else ""
    best = f"The best value{per} is {number(luck.best, places)}"
    if luck.interval is not None and luck.hits is not None:
        low, high = luck.interval
        of = "" if luck.hits % 1 > 1e-6 else f"{round(luck.hits):,} right of {luck.examples:,}, "
        of = of or f"on {luck.examples:,} examples, "
        best += f" ({of}95 %: {number(low, places)} to {number(high, places)} were it not picked as the best)"
    chances = f"{p_phrase(luck.p)} (one trial alone: {p_phrase(luck.single_p)})"
    end = "nothing is shown to have been learnt" if luck.is_within else "that is more than luck explains"
    return Finding(
        rule="learnability.luck",
        subject=view.metric.name,
        sentence=f"{best}; {would}. A best as good as that has {chances}: {end}.",
        severity="critical" if luck.is_within else "info",
        evidence={
            "by": luck.by,
            "best": luck.best,
            "n": luck.n,
            "trivial": found.reference.name,
            "trivial_value": found.reference.value,
            "evaluated_on": luck.examples,
            "right": luck.hits,
            "expected": luck.expected,
            "low": luck.low,
            "high": luck.high,
            "p": luck.p,
            "single_p": luck.single_p,
            "interval": None if luck.interval is None else list(luck.interval),
            "is_recomputed": found.is_recomputed,
        },
        advice="Train one config until it stops getting better and look at its answers class by class, "
        "before any more search."
        if luck.is_within
        else "",
    )


def _not_whole(view: View, found: Learnability) -> Finding:
    examples, n = view.table.evaluated_on, len(found.values)
    return Finding(
        rule="learnability.not_whole",
        subject=view.metric.name,
        sentence=f"{found.uncounted:,} of {n:,} values of {view.metric.name} are no whole number of right answers of "
        f"{examples:,}: it is not the plain share of right answers on them, as a mean of batch means is not.",
        severity="warning",
        evidence={"not_whole": found.uncounted, "n": n, "evaluated_on": examples},
        advice="Measure the share of right answers over all examples at once.",
    )


def _share_findings(view: View, found: Learnability) -> list[Finding]:
    return [_share(view, share) for share in found.shares]


def _share(view: View, share: BaselineShare) -> Finding:
    name = share.trivial.name
    exactly = f", {share.exact:,} of them exactly as good" if share.exact else ""
    are = "is" if 1 in (share.no_better, share.n) else "are"
    text = f"{share.no_better:,} of {count(share.n, 'trial')} ({percent(share.no_better / share.n)}) {are} no better "
    text += f"than {name} ({number(share.trivial.value)}){exactly}"
    if not share.no_better:
        every = "The only trial is" if share.n == 1 else f"All {share.n:,} trials are"
        text = f"{every} better than {name} ({number(share.trivial.value)})"
    is_half = 2 * share.no_better >= share.n
    return Finding(
        rule="learnability.baseline",
        subject=name,
        sentence=sentence(text),
        severity="critical" if share.no_better == share.n else "warning" if is_half else "info",
        evidence={
            "trivial": share.trivial.value,
            "n": share.n,
            "no_better": share.no_better,
            "exact": share.exact,
            "share": share.no_better / share.n,
        },
        advice="Compare every value with this one, not with chance among the classes." if is_half else "",
    )


def _level_findings(view: View, found: Learnability) -> list[Finding]:
    """One finding for the level that chance explains least, which names the others too."""
    if not found.levels:
        return []
    first, *others = found.levels[:MOST_LEVELS_TOLD]
    name, said = found.reference.name, _said(first)
    if first.exact == first.n:
        text = f"All {first.n:,} trials with {said} are exactly as good as {name}"
    else:
        text = f"None of the {first.n:,} trials with {said} is better than {name}"
    text += f"; as many trials drawn blindly would all be no better with {p_phrase(first.p)}."
    if others:
        more = listing([f"{_said(level)} ({level.n:,}, {p_phrase(level.p)})" for level in others])
        text += f" Nor is any with {more} better."
    levels = [{"key": k.key, "level": k.level, "n": k.n, "exact": k.exact, "p": k.p} for k in found.levels]
    evidence = {"level": first.level, "n": first.n, "exact": first.exact, "p": first.p, "levels": levels}
    return [
        Finding(
            rule="learnability.level",
            subject=first.key,
            sentence=text,
            severity="warning",
            evidence=evidence,
            advice="These trials say nothing of what their other settings do.",
        )
    ]


def _said(level: LevelAtBaseline) -> str:
    return f"{level.key.partition('[')[0]} {setting(level.level)}"


def _baseline_sheet(view: View, found: Learnability) -> Sheet:
    rows: Sequence[tuple[Any, ...]] = [
        (s.trivial.name, s.trivial.value, s.n, s.no_better, s.exact, s.no_better / s.n if s.n else None)
        for s in found.shares
    ]
    return Sheet(
        name="baselines",
        title="Trials against predictors that learn nothing",
        headers=("baseline", "value", "trials", "no better", "exactly as good", "share"),
        rows=tuple(rows),
    )
