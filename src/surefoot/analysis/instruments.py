"""Instruments: whether the metric measures what its name says, or something that was searched."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from scipy.special import gammaln

from surefoot.analysis.association import rank_correlation
from surefoot.analysis.column import Booleans, Column, Floats, Integers
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.parts import Parts, parts_of, weighed
from surefoot.analysis.repeats import REPEATED_LOUDLY, REPEATED_SHARE, Repeated, findings_of_repeats, repeated_values
from surefoot.analysis.sameness import SameNumber, equalities_of, names_of_the_metric
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding, Severity, finding_of
from surefoot.words import count, heading_of, listing, number, p_phrase, setting

LEVEL = 0.05
# Values nearer than this share of the metric's range are one value: what sums in another order leave.
SAME = 1e-6
# Up to so many identical trials the arrangements are counted; above, bounded.
MOST_COUNTED = 60
FEW_IN_A_GROUP = 3
MOST_READINGS = 20
KEY, TITLE = "instruments", "What the metric measures"
_finding = partial(finding_of, KEY)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The metric at one level of a parameter, in `n` trials of one group of identical parts."""

    group: int
    level: Any
    value: float
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependence:
    """A searched parameter that tells exactly which value trials with identical parts have.

    `p` is the chance that levels dealt out at random would do so, times the parameters tried.
    `rivals` are others that tell it as exactly.
    """

    key: str
    readings: tuple[Reading, ...]
    n: int
    p: float
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reranked:
    """Spearman of a parameter with the metric, and with the metric per example, each with its t approximation's p."""

    key: str
    n: int
    rho: float
    p_value: float
    rho_per_example: float
    p_per_example: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Collapsed:
    """Trials that had all of one group right and nothing else: predictors that answer always the same."""

    group: str
    n: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """What is known of how the metric was measured.

    `depends_on` is the searched parameter that it depends on, beyond what the trials got right. `guess` is what tells
    as much where too few trials do for chance to be ruled out. `unexplained` counts the trials with identical parts
    that differ in the metric, whatever explains it; `is_mean_of_parts` that it is one fixed mean of its parts.
    """

    depends_on: str | None = None
    dependence: Dependence | None = None
    guess: Dependence | None = None
    unexplained: int = 0
    is_mean_of_parts: bool = False
    parts: Parts | None = None
    per_example: Floats | None = None
    reranked: tuple[Reranked, ...] = ()
    aliases: tuple[SameNumber, ...] = ()
    equalities: tuple[SameNumber, ...] = ()
    repeated: Repeated | None = None
    collapsed: tuple[Collapsed, ...] = ()


def instruments(view: View, *, sizes: Mapping[str, int] | None = None) -> Instrument:
    """What the trials say of their own metric. `sizes` gives groups' numbers of examples, as `parts_of` takes them."""
    aliases = names_of_the_metric(view)
    others = equalities_of(view, besides={alias.name for alias in aliases})
    repeated = repeated_values(view)
    parts = parts_of(view, sizes=sizes)
    if parts is None:
        return Instrument(aliases=aliases, equalities=others, repeated=repeated)
    recomputed = weighed(parts)
    is_mean = _is_mean(view, parts)
    groups = [] if is_mean else _differing(view, parts)
    found = _dependence(view, groups)
    is_sure = found is not None and found.p < LEVEL
    return Instrument(
        depends_on=found.key if found and is_sure else None,
        dependence=found if is_sure else None,
        guess=None if is_sure else found,
        unexplained=sum(len(rows) for rows in groups),
        is_mean_of_parts=is_mean,
        parts=parts,
        per_example=recomputed,
        reranked=() if recomputed is None else _reranked(view, parts.rows, recomputed),
        aliases=aliases,
        equalities=others,
        repeated=repeated,
        collapsed=_collapsed(parts),
    )


def _collapsed(parts: Parts) -> tuple[Collapsed, ...]:
    """The groups that some trials had wholly right while every other was wholly wrong, the commonest first."""
    shares = parts.shares[parts.rows]
    is_one = ((shares == 0) | (shares == 1)).all(axis=1) & (shares.sum(axis=1) == 1)
    counted = Counter(int(i) for i in shares[is_one].argmax(axis=1))
    return tuple(Collapsed(group=parts.parts[i].group, n=n) for i, n in counted.most_common())


def _is_mean(view: View, parts: Parts) -> bool:
    """Whether one set of weights makes the metric of its parts in every trial, of more trials than weights."""
    shares, values = parts.shares[parts.rows], view.values[parts.rows]
    design = np.column_stack([shares, np.ones(len(shares))])
    weights, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    is_exact = np.abs(design @ weights - values).max() <= SAME * max(float(np.ptp(values)), 1e-300)
    return bool(is_exact and len(values) >= rank + 3)


def _differing(view: View, parts: Parts) -> list[Integers]:
    """The rows of each group of trials whose parts are all identical and whose metric is not."""
    rows = np.flatnonzero(parts.rows)
    _, group = np.unique(np.round(parts.shares[rows], 9), axis=0, return_inverse=True)
    order = np.argsort(group.ravel(), kind="stable")
    blocks = np.split(rows[order], np.flatnonzero(np.diff(group.ravel()[order])) + 1)
    slack = SAME * float(np.ptp(view.values[rows]))
    return [block for block in blocks if np.ptp(view.values[block]) > slack]


def _dependence(view: View, groups: Sequence[Integers]) -> Dependence | None:
    """The parameter that tells the differences exactly and the least likely by chance; None where none does."""
    if not groups:
        return None
    rows = np.concatenate(groups)
    slack = SAME * float(np.ptp(view.values))
    classes = [_classes(view.values[block], slack) for block in groups]
    chances: dict[str, float] = {}
    tried = 0
    for column in view.columns:
        # A level of its own for every trial tells anything.
        if not column.active[rows].all() or not column.levels or column.distinct == column.n:
            continue
        tried += 1
        logs = [_log_chance(column, block, kinds) for block, kinds in zip(groups, classes, strict=True)]
        if all(log is not None for log in logs):
            chances[column.key] = math.exp(math.fsum(log for log in logs if log is not None))
    if not chances:
        return None
    key = min(chances, key=lambda each: chances[each])
    rivals = tuple(each for each in chances if each != key and chances[each] * tried < LEVEL)
    readings = _readings(view, view.column(key), groups)
    return Dependence(key=key, readings=readings, n=len(rows), p=min(1.0, tried * chances[key]), rivals=rivals)


def _classes(values: Floats, slack: float) -> Integers:
    """Which values are one value, counted from 0."""
    order = np.argsort(values)
    found = np.empty(len(values), dtype=np.int64)
    found[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > slack)])
    return found


def _log_chance(column: Column, block: Integers, classes: Integers) -> float | None:
    """The log of the chance that levels dealt out at random have one value each in the group; None where they have not.

    In a large group its own levels are dealt; in one of two or three, levels as frequent as among all trials.
    """
    codes = column.codes[block]
    if any(len(np.unique(classes[codes == code])) > 1 for code in np.unique(codes)):
        return None
    if len(codes) <= FEW_IN_A_GROUP:
        shares = np.unique(column.codes[column.active], return_counts=True)[1] / column.n
        return math.log1p(-float(shares @ shares)) if len(shares) > 1 else None
    levels, sizes = np.unique(codes, return_counts=True)[1], np.bincount(classes)
    if len(codes) <= MOST_COUNTED:
        ways = math.log(_ways(tuple(sorted(map(int, levels), reverse=True)), tuple(sorted(map(int, sizes)))))
    else:
        ways = len(levels) * math.log(len(sizes))
    return min(0.0, ways + float(gammaln(sizes + 1).sum() - gammaln(len(codes) + 1)))


@cache
def _ways(levels: tuple[int, ...], room: tuple[int, ...]) -> int:
    """In how many ways the levels fill the rooms, each level wholly in one."""
    if not levels:
        return 1
    found = 0
    for size, times in Counter(room).items():
        if size >= levels[0]:
            left = list(room)
            left.remove(size)
            found += times * _ways(levels[1:], tuple(sorted([*left, size - levels[0]])))
    return found


def _readings(view: View, column: Column, groups: Sequence[Integers]) -> tuple[Reading, ...]:
    found = []
    for number_, block in enumerate(sorted(groups, key=len, reverse=True)):
        for code in np.unique(column.codes[block]):
            values = view.values[block][column.codes[block] == code]
            found.append(Reading(group=number_, level=column.levels[code], value=float(values[0]), n=len(values)))
    return tuple(found)


def _reranked(view: View, rows: Booleans, recomputed: Floats) -> tuple[Reranked, ...]:
    """Each number with the metric and with the metric per example, where it existed."""
    found = []
    for column in view.columns:
        there = column.active & rows
        if column.kind != "number":
            continue
        before = rank_correlation(column.numbers[there], view.values[there])
        after = rank_correlation(column.numbers[there], recomputed[there])
        if before and after:
            row = Reranked(
                key=column.key,
                n=int(there.sum()),
                rho=before[0],
                p_value=before[1],
                rho_per_example=after[0],
                p_per_example=after[1],
            )
            found.append(row)
    return tuple(sorted(found, key=lambda row: -abs(row.rho)))


def instruments_section(view: View, instrument: Instrument) -> Section:
    """The instrument in words."""
    if view.n < 3:
        return Section(key=KEY, title=TITLE, not_applicable="because fewer than three trials are complete")
    findings = (
        *_of_dependence(view, instrument),
        *_of_examples(view, instrument),
        *_of_collapse(view, instrument),
        *_of_names(view, instrument),
        *findings_of_repeats(view, instrument.repeated),
    )
    if not findings and not any(t.measured or t.budget for t in view.trials):
        missing = f"because the trials hold no other number than {view.metric.name} to check it with"
        return Section(key=KEY, title=TITLE, not_applicable=missing)
    return Section(
        key=KEY,
        title=TITLE,
        findings=findings or (_of_nothing(view, instrument),),
        sheets=_sheets(view, instrument),
        figures=_figures(view, instrument),
        note="A metric that moves with how it was computed gives effects to parameters that have none.",
    )


def _of_dependence(view: View, instrument: Instrument) -> tuple[Finding, ...]:
    found, name = instrument.dependence or instrument.guess, view.metric.name
    n = instrument.unexplained
    if found is None and n == 0:
        return ()
    if found is None:
        sentence = (
            f"{count(n, 'trial')} have results in every group identical to another's and a different {name}; no "
            f"searched parameter tells which. {name} depends on something that its groups do not show."
        )
        advice = "Look at how the metric is summed over batches, and whether it is of the same epoch as its groups."
        return (_finding("unexplained", name, sentence, "warning", {"n": n}, advice),)
    first = [reading for reading in found.readings if reading.group == 0]
    values = listing([number(r.value) for r in first])
    levels = listing([setting(r.level) for r in first])
    others = f", and as exactly on {listing(found.rivals)}" if found.rivals else ""
    told = f"rials with identical results in every group have {name} {values} at {found.key} {levels}"
    if instrument.depends_on:
        sentence = (
            f"The metric depends on {found.key}{others}: t{told}, without exception in {count(found.n, 'trial')}."
        )
    else:
        sentence = (
            f"T{told}. {count(found.n, 'trial')} are too few to rule chance out ({p_phrase(found.p)}), "
            f"but the metric may depend on {found.key}."
        )
    evidence = {
        "parameter": found.key,
        "n": found.n,
        "p": found.p,
        "readings": [
            {"group": r.group, "level": r.level, "value": r.value, "n": r.n} for r in found.readings[:MOST_READINGS]
        ],
        "rivals": list(found.rivals),
    }
    advice = (
        f"Compute {name} per example: sum over all examples and divide once. A mean of batch means changes with the "
        f"batch and with the order of the examples. Keep the evaluation batch out of the search."
    )
    severity: Severity = "critical" if instrument.depends_on else "warning"
    return (_finding("depends_on", found.key, sentence, severity, evidence, advice),)


def _of_examples(view: View, instrument: Instrument) -> tuple[Finding, ...]:
    """What the metric per example says otherwise; nothing where the metric is a fixed mean of its parts by design."""
    parts, values, name = instrument.parts, instrument.per_example, view.metric.name
    if parts is None:
        return ()
    if instrument.is_mean_of_parts:
        sentence = f"{name} is one fixed mean of its {len(parts.parts)} groups in all {int(parts.rows.sum())} trials."
        return (_finding("mean_of_parts", name, sentence, "info", {"n": int(parts.rows.sum())}),)
    if values is None:
        return ()
    changed = [r for r in instrument.reranked if _is_changed(r, instrument.depends_on)]
    found = [_of_changed(view, instrument, changed)] if changed else []
    gains = np.where(parts.rows, view.metric.sign * values, -np.inf)
    best, best_per_example = int(view.gains.argmax()), int(gains.argmax())
    if parts.rows[best] and gains[best] < gains[best_per_example]:
        names = view.trials[best].name, view.trials[best_per_example].name
        sentence = f"The best trial by {name} is {names[0]}; per example it is {names[1]}."
        evidence = {"by_metric": names[0], "per_example": names[1], "n": int(parts.rows.sum())}
        found.append(_finding("best", names[1], sentence, "warning", evidence, "Choose by the value per example."))
    return tuple(found)


def _is_changed(row: Reranked, depends_on: str | None) -> bool:
    return row.key == depends_on or (row.p_value < LEVEL <= row.p_per_example)


def _of_changed(view: View, instrument: Instrument, changed: Sequence[Reranked]) -> Finding:
    parts = instrument.parts
    assert parts is not None
    told = [
        f"{r.key} {number(r.rho, 3)} ({p_phrase(r.p_value)}) becomes {number(r.rho_per_example, 3)} "
        f"({p_phrase(r.p_per_example)})"
        for r in changed
    ]
    sizes = listing([f"{part.group} {part.size}" for part in parts.parts if part.is_sure and part.size])
    unsure = int(parts.unsure.sum())
    doubt = ""
    without = _without_unsure(view, instrument, changed[0].key) if unsure else None
    if without:
        rest = f"{changed[0].key} has {number(without[0], 3)} ({p_phrase(without[1])})"
        doubt = (
            f" In {count(unsure, 'trial')} a group counts of which only 0 and 1 were seen, so that its size is not "
            f"known; without {'it' if unsure == 1 else 'them'} {rest}."
        )
    sentence = (
        f"With {view.metric.name} recomputed per example from its groups ({sizes} examples, as their shares show), "
        f"Spearman's correlation of {listing(told)}.{doubt}"
    )
    evidence = {
        "sizes": {part.name: part.size for part in parts.parts if part.is_sure},
        "unsure": [part.name for part in parts.parts if not part.is_sure],
        "unsure_trials": unsure,
        "without_unsure": without,
        "reranked": [{field: getattr(r, field) for field in Reranked.__slots__} for r in changed],
    }
    severity: Severity = "critical" if instrument.depends_on else "warning"
    advice = "Read every other section with this in mind: they rank by the metric as it was recorded."
    return _finding("per_example", changed[0].key, sentence, severity, evidence, advice)


def _without_unsure(view: View, instrument: Instrument, key: str) -> tuple[float, float] | None:
    """Spearman of a parameter with the metric per example where no size is in doubt."""
    parts, values, column = instrument.parts, instrument.per_example, view.column(key)
    if parts is None or values is None:
        return None
    rows = column.active & parts.rows & ~parts.unsure
    return rank_correlation(column.numbers[rows], values[rows])


def _of_collapse(view: View, instrument: Instrument) -> tuple[Finding, ...]:
    n = sum(c.n for c in instrument.collapsed)
    if n < max(2, REPEATED_SHARE * view.n):
        return ()
    groups = listing([f"{c.group} in {c.n}" for c in instrument.collapsed])
    sentence = (
        f"{n} of {count(view.n, 'trial')} had one group wholly right and every other wholly wrong ({groups}): "
        f"they give one answer to everything."
    )
    evidence = {"n": n, "of": view.n, "groups": {c.group: c.n for c in instrument.collapsed}}
    severity: Severity = "critical" if n >= REPEATED_LOUDLY * view.n else "warning"
    advice = "Find out first why they do not learn: what learned nothing says nothing of its settings."
    return (_finding("collapsed", view.metric.name, sentence, severity, evidence, advice),)


def _of_names(view: View, instrument: Instrument) -> tuple[Finding, ...]:
    found = []
    for same in instrument.aliases:
        evidence = {"name": same.name, "line": list(same.line) if same.line else None, "n": same.n}
        sentence = f"{same.name} is {same.other} under another name: {same.formula} in all {count(same.n, 'trial')}."
        if same.kind == "parameter":
            sentence += (
                " It is a result, or the only thing the result is made of; its rank among parameters says nothing."
            )
            advice = f"Name the parameters, and leave {same.name} out, if it was not searched."
            found.append(_finding("alias", same.name, sentence, "critical", evidence, advice))
        else:
            found.append(_finding("alias", same.name, sentence, "info", evidence))
    for same in instrument.equalities:
        evidence = {"name": same.name, "other": same.other, "line": list(same.line or ()), "n": same.n}
        sentence = f"{same.name} = {same.formula} in all {count(same.n, 'trial')}: one number, not two."
        found.append(_finding("one_number", same.name, sentence, "info", evidence))
    return tuple(found)


def _of_nothing(view: View, instrument: Instrument) -> Finding:
    parts = (
        "its groups agree with it" if instrument.parts else "the trials hold no groups of examples to recompute it from"
    )
    sentence = f"Nothing was found that {view.metric.name} depends on beside what was trained; {parts}."
    return _finding("nothing", view.metric.name, sentence, "info", {"n": view.n})


def _sheets(view: View, instrument: Instrument) -> tuple[Sheet, ...]:
    if instrument.per_example is None or instrument.parts is None or instrument.is_mean_of_parts:
        return ()
    name = view.metric.name
    ranks = Sheet(
        name="metric_per_example_spearman",
        title=f"Spearman with {name} as recorded and per example",
        headers=("parameter", "n", "rho", "p_value", "rho_per_example", "p_per_example"),
        rows=tuple(tuple(getattr(r, field) for field in Reranked.__slots__) for r in instrument.reranked),
    )
    values = zip(view.trials, view.values, instrument.per_example, strict=True)
    each = Sheet(
        name="metric_per_example",
        title=f"{name} as recorded and per example" + ("" if instrument.parts.is_scaled else ", but for a factor"),
        headers=("trial", name, "per_example"),
        rows=tuple((t.name, float(v), float(p) if math.isfinite(p) else None) for t, v, p in values),
        is_shown=False,
    )
    return ranks, each


def _figures(view: View, instrument: Instrument) -> tuple[PanelsFigure, ...]:
    values, key = instrument.per_example, instrument.depends_on
    if values is None or key is None:
        return ()
    column = view.column(key)
    points = []
    for code, level in enumerate(column.levels):
        rows = np.flatnonzero((column.codes == code) & np.isfinite(values))
        x, y = tuple(map(float, values[rows])), tuple(map(float, view.values[rows]))
        points.append(
            Points(label=f"{key} {setting(level)}", x=x, y=y, labels=tuple(view.trials[i].name for i in rows))
        )
    heading = heading_of(view.metric)
    panel = Panel(title="", x=Axis(label=f"{heading} per example"), y=Axis(label=heading), points=tuple(points))
    figure = PanelsFigure(
        name="metric_per_example",
        title=f"The same results come to another {view.metric.name} where {key} differs",
        caption=f"{heading} as recorded over the same metric computed per example: were it free of {key}, trials "
        "above each other would stand at one height.",
        panels=(panel,),
    )
    return (figure,)
