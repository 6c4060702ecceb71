"""Confounds: what moved together in these trials, so that an effect of one may be the other's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, Literal

import numpy as np
from scipy.special import gammaln

from surefoot.analysis.association import (
    Association,
    association,
    association_of,
    association_of_numbers,
)
from surefoot.analysis.column import Column, Floats
from surefoot.analysis.figure import GridFigure
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding, finding_of
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.words import count, listing, number, p_phrase, setting, unit_of

LEVEL = 0.05
FEWEST = 6
# Weaker than this they share less than a tenth of their variance; from that on they are nearly one.
NOTABLE, NEARLY_ONE = 0.3, 0.9
MOST_TOLD, MOST_LEVELS, MOST_SHOWN = 8, 20, 40
SECONDS, ORDER = "seconds", "order"
KEY, TITLE = "confounds", "What moved together"
_finding = partial(finding_of, KEY)
UNTOLD = "the effects of one cannot be told from those of the other"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """Two subjects that went together; `q` is Benjamini and Hochberg's over the links of the same kind.

    A subject is a parameter's key, the metric's name, a budget's name, "seconds", or "order".
    """

    a: str
    b: str
    how: Association
    q: float

    @property
    def is_sure(self) -> bool:
        """Whether chance is ruled out and the link is strong enough to matter."""
        return self.q < LEVEL and self.how.strength >= NOTABLE


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelBest:
    """One level's best value, and the best that as many draws from all trials have on average."""

    level: Any
    n: int
    best: float
    expected_best: float
    mean: float


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupBests:
    """The levels of a parameter by their best, in the order of the means; `p` is the share of trials at the level of
    the best trial, which is how often chance alone puts the best trial there.
    """

    key: str
    levels: tuple[LevelBest, ...]
    by_best: Any
    by_mean: Any
    p: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Confounds:
    """Every link that was tested, the strongest first, and the groups of unequal size."""

    pairs: tuple[Link, ...]
    budgets: tuple[Link, ...]
    drifts: tuple[Link, ...]
    groups: tuple[GroupBests, ...]


def confounds(view: View) -> Confounds:
    """What moved together among the complete trials; a parameter that exists only under another is no pair with it."""
    rng = view.rng(KEY)
    pairs = [
        (a.key, b.key, association(a, b, rng))
        for a, b in combinations(view.columns, 2)
        if not _is_structure(a, b) and int((a.active & b.active).sum()) >= FEWEST
    ]
    budgets = [link for name, spent in _budgets(view).items() for link in _with_all(view, name, spent, rng)]
    order = np.arange(view.n, dtype=float)
    drifts = _with_all(view, ORDER, order, rng) if view.table.is_in_order else []
    return Confounds(pairs=_links(pairs), budgets=_links(budgets), drifts=_links(drifts), groups=_groups(view))


def _is_structure(a: Column, b: Column) -> bool:
    """Whether one of them exists only under the other."""
    return a.parameter.name in b.parameter.when or b.parameter.name in a.parameter.when


def _with_all(
    view: View, name: str, numbers: Floats, rng: np.random.Generator
) -> list[tuple[str, str, Association | None]]:
    """How the metric and every parameter went with a number of the trials, NaN where they lack it."""
    known = np.isfinite(numbers)
    found = [(view.metric.name, name, association_of_numbers(view.values[known], numbers[known], rng))]
    for column in view.columns:
        rows = known & column.active
        if rows.sum() >= FEWEST:
            found.append((column.key, name, association_of(column.taken(rows), numbers[rows], rng)))
    return found


def _budgets(view: View) -> dict[str, Floats]:
    """What the trials spent, and their seconds, where most say so and not all spent the same."""
    names = dict.fromkeys(name for trial in view.trials for name in trial.budget)
    found = {name: np.array([t.budget.get(name, np.nan) for t in view.trials], dtype=float) for name in names}
    found.setdefault(SECONDS, np.array([np.nan if t.seconds is None else t.seconds for t in view.trials], dtype=float))
    return {
        name: spent
        for name, spent in found.items()
        if np.isfinite(spent).sum() >= max(FEWEST, view.n / 2) and len(np.unique(spent[np.isfinite(spent)])) > 1
    }


def _links(found: Sequence[tuple[str, str, Association | None]]) -> tuple[Link, ...]:
    known = [(a, b, how) for a, b, how in found if how is not None]
    qs = benjamini_hochberg([how.p for _, _, how in known])
    links = [Link(a=a, b=b, how=how, q=q) for (a, b, how), q in zip(known, qs, strict=True)]
    return tuple(sorted(links, key=lambda link: (-link.how.strength, link.q)))


def _groups(view: View) -> tuple[GroupBests, ...]:
    """The parameters whose levels were tried unequally often, at least twice as often one as another."""
    found = []
    for column in view.columns:
        codes, counts = np.unique(column.codes[column.active], return_counts=True)
        if 2 <= len(codes) <= MOST_LEVELS and column.levels and counts.max() >= 2 * counts.min():
            found.append(_group(view, column, [int(code) for code in codes]))
    return tuple(found)


def _group(view: View, column: Column, codes: Sequence[int]) -> GroupBests:
    gains, levels = np.sort(view.gains[column.active]), []
    sign = view.metric.sign
    for code in codes:
        values = view.gains[column.codes == code]
        level = LevelBest(
            level=column.levels[code],
            n=len(values),
            best=sign * float(values.max()),
            expected_best=sign * expected_best(gains, len(values)),
            mean=sign * float(values.mean()),
        )
        levels.append(level)
    levels.sort(key=lambda level: -sign * level.mean)
    leader = max(levels, key=lambda level: sign * level.best)
    return GroupBests(
        key=column.key,
        levels=tuple(levels),
        by_best=leader.level,
        by_mean=levels[0].level,
        p=leader.n / len(gains),
    )


def expected_best(gains: Floats, draws: int) -> float:
    """The largest of so many draws without replacement from gains that rise, on average over all draws: exact."""
    n = len(gains)
    places = np.arange(draws, n + 1)
    # The j-th smallest is the largest where the other draws are all below it: C(j - 1, draws - 1) of C(n, draws).
    logs = gammaln(places) - gammaln(places - draws + 1) - gammaln(draws)
    logs -= gammaln(n + 1) - gammaln(n - draws + 1) - gammaln(draws + 1)
    return float(np.exp(logs) @ gains[draws - 1 :])


def confounds_section(view: View) -> Section:
    """What moved together, in words."""
    if view.n < FEWEST:
        few = f"because fewer than {FEWEST} trials are complete"
        return Section(key=KEY, title=TITLE, not_applicable=few)
    found = confounds(view)
    findings = (
        *_of_pairs(found.pairs),
        *_of_budgets(view, found.budgets),
        *_of_groups(view, found.groups),
        *_of_drifts(view, found.drifts),
    )
    return Section(
        key=KEY,
        title=TITLE,
        findings=findings or (_of_nothing(view, found),),
        sheets=_sheets(view, found),
        figures=_figures(view, found.pairs),
        note=(
            "Numbers by Spearman's rho, choices by the bias-corrected Cramér's V, a number and a choice by the "
            "correlation ratio of the ranks, each where both existed. p by permutation, approximated above 40 trials; "
            "q by Benjamini and Hochberg."
        ),
    )


def _of_pairs(links: Sequence[Link]) -> list[Finding]:
    told = [link for link in links if link.is_sure]
    found = []
    for link in told[:MOST_TOLD]:
        is_one = link.how.strength >= NEARLY_ONE
        rest = UNTOLD if is_one else "an effect of one may be in part the other's"
        sentence = f"{link.a} and {link.b} moved together ({_measured(link)}): {rest}."
        advice = "Vary one of them while the other stays, or draw both at random, before believing either effect."
        severity: Literal["critical", "warning"] = "critical" if is_one else "warning"
        found.append(_finding("pair", link.a, sentence, severity, _evidence(link), advice))
    if len(told) > MOST_TOLD:
        sentence = f"{count(len(told) - MOST_TOLD, 'more pair')} moved together less strongly; the table has them all."
        found.append(_finding("more_pairs", "", sentence, "info", {"n": len(told) - MOST_TOLD}))
    weak = [k for k in links if not k.is_sure and k.how.p < LEVEL and k.how.strength >= NOTABLE]
    if weak:
        named = listing([f"{k.a} with {k.b} ({number(k.how.value, 2)})" for k in weak[:MOST_TOLD]])
        sentence = (
            f"In these trials {named} also went together; among {count(len(links), 'pair')} chance alone may do that, "
            f"but their effects are mixed all the same."
        )
        found.append(_finding("weak_pairs", weak[0].a, sentence, "info", {"pairs": [_evidence(k) for k in weak]}))
    return found


def _of_budgets(view: View, links: Sequence[Link]) -> list[Finding]:
    found = []
    metric = view.metric
    for link in (k for k in links if k.is_sure):
        is_cost = link.b == SECONDS
        if link.a != metric.name:
            rest = (
                "its effect cannot be told from that of more training"
                if not is_cost
                else "its levels do not cost alike"
            )
            sentence = f"{link.b} differ with {link.a} ({_measured(link)}): {rest}."
            found.append(_finding("budget", link.a, sentence, "info" if is_cost else "warning", _evidence(link)))
            continue
        is_longer_better = link.how.value * metric.sign > 0
        way = "better" if is_longer_better else "worse"
        why = ": the best may only have been trained longer, or were trained longer because they were good"
        sentence = f"Trials with more {link.b} have {way} {metric.name} ({_measured(link)})"
        sentence += f"{why if is_longer_better else ''}."
        severity: Literal["warning", "info"] = "warning" if is_longer_better and not is_cost else "info"
        advice = f"Compare trials of equal {link.b}." if severity == "warning" else ""
        found.append(_finding("budget", link.b, sentence, severity, _evidence(link), advice))
    return found


def _of_groups(view: View, groups: Sequence[GroupBests]) -> list[Finding]:
    """Those where the best and the mean name different levels: a best of more trials is better by luck alone."""
    split = [group for group in groups if group.by_best != group.by_mean]
    found = [_of_group(view, group) for group in split[:MOST_TOLD]]
    if len(split) > MOST_TOLD:
        sentence = f"So it is with {count(len(split) - MOST_TOLD, 'more parameter')}; the table has them all."
        found.append(_finding("more_groups", "", sentence, "info", {"n": len(split) - MOST_TOLD}))
    return found


def _of_group(view: View, group: GroupBests) -> Finding:
    leader = next(level for level in group.levels if level.level == group.by_best)
    other = group.levels[0]
    sentence = (
        f"By its best trial {group.key} {setting(leader.level)} leads ({_amount(view, leader.best)}, "
        f"{count(leader.n, 'trial')}), by its mean {setting(other.level)} ({_amount(view, other.mean)}, "
        f"{count(other.n, 'trial')}). {leader.n} of all these trials taken at random have "
        f"{_amount(view, leader.expected_best)} at best on average, {other.n} have "
        f"{_amount(view, other.expected_best)}: bests of unequal groups do not compare."
    )
    levels = [{field: getattr(level, field) for field in LevelBest.__slots__} for level in group.levels]
    evidence = {"by_best": group.by_best, "by_mean": group.by_mean, "p_best_is_there": group.p, "levels": levels}
    return _finding("group_best", group.key, sentence, "info", evidence, "Compare means, not bests.")


def _of_drifts(view: View, links: Sequence[Link]) -> list[Finding]:
    metric, found = view.metric, []
    drifting = [link for link in links if link.is_sure and link.a != metric.name]
    own = next((link for link in links if link.is_sure and link.a == metric.name), None)
    if own:
        is_better = own.how.value * metric.sign > 0
        way = "better, as a search that learns makes them" if is_better else "worse: something changed with time"
        sentence = f"Later trials are {way} ({metric.name} with their order: {_measured(own)})."
        found.append(_finding("drift", metric.name, sentence, "info" if is_better else "warning", _evidence(own)))
    if drifting:
        named = listing([f"{link.a} ({number(link.how.value, 2)})" for link in drifting[:MOST_TOLD]])
        more = f" and {len(drifting) - MOST_TOLD} more" if len(drifting) > MOST_TOLD else ""
        sentence = (
            f"{named}{more} moved with the order of the trials, as a search that learns moves them: "
            f"whatever else changed with time is in their effects too."
        )
        evidence = {"links": [_evidence(link) for link in drifting]}
        advice = "Only trials drawn at random compare the levels fairly."
        found.append(_finding("drifting", drifting[0].a, sentence, "warning" if own else "info", evidence, advice))
    return found


def _of_nothing(view: View, found: Confounds) -> Finding:
    sentence = (
        f"No two parameters moved together beyond chance and notably ({count(len(found.pairs), 'pair')} tested over "
        f"{count(view.n, 'trial')}; weaker links are not ruled out)."
    )
    return _finding("nothing", "", sentence, "info", {"pairs": len(found.pairs), "n": view.n})


def _measured(link: Link) -> str:
    how = link.how
    return f"{how.measure} {number(how.value, 2)} over {count(how.n, 'trial')}, {p_phrase(how.p)}"


def _amount(view: View, value: float) -> str:
    return number(value) + unit_of(view.metric)


def _evidence(link: Link) -> dict[str, Any]:
    how = link.how
    return {"a": link.a, "b": link.b, "measure": how.measure, "value": how.value, "n": how.n, "p": how.p, "q": link.q}


def _sheets(view: View, found: Confounds) -> tuple[Sheet, ...]:
    headers = ("a", "b", "measure", "value", "n", "p_perm", "q_value")
    kinds = (
        ("confounded_parameters", "Parameters that moved together", found.pairs),
        ("confounded_budgets", "What trials spent, with the metric and the parameters", found.budgets),
        ("confounded_order", "The order of the trials, with the metric and the parameters", found.drifts),
    )
    sheets = [
        Sheet(name=name, title=title, headers=headers, rows=tuple(tuple(_evidence(k).values()) for k in links))
        for name, title, links in kinds
        if links
    ]
    rows = [(g.key, k.level, k.n, k.mean, k.best, k.expected_best) for g in found.groups for k in g.levels]
    if rows:
        title = "Levels tried unequally often, with the best that as many of all trials have on average"
        columns = ("parameter", "level", "n", "mean", "best", "expected_best")
        sheets.append(Sheet(name="group_bests", title=title, headers=columns, rows=tuple(rows)))
    return tuple(sheets)


def _title(links: Sequence[Link]) -> str:
    sure = [link for link in links if link.is_sure]
    if not sure:
        return "No two parameters moved together beyond chance"
    rest = f" and {count(len(sure) - 1, 'more pair')}" if len(sure) > 1 else ""
    return f"{sure[0].a} and {sure[0].b}{rest} moved together"


def _figures(view: View, links: Sequence[Link]) -> tuple[GridFigure, ...]:
    if not links:
        return ()
    values = {frozenset((link.a, link.b)): link.how.value for link in links}
    keys = [c.key for c in view.columns if any(c.key in pair for pair in values)][:MOST_SHOWN]
    grid = tuple(tuple(values.get(frozenset((a, b))) if a != b else None for b in keys) for a in keys)
    figure = GridFigure(
        name="confounded_parameters",
        title=_title(links),
        caption="Numbers by Spearman's ρ, with its sign; choices by Cramér's V, a number and a choice by the "
        "correlation ratio, from 0 to 1. Empty: not tested.",
        rows=tuple(keys),
        columns=tuple(keys),
        values=grid,
    )
    return (figure,)
