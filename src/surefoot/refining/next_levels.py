"""A choice's next levels: those go that elites avoid, and numbers gain one beyond an edge that is pressed against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from surefoot.analysis.boundaries import Boundary
from surefoot.analysis.shares import LevelShare
from surefoot.parameter import Parameter, is_same
from surefoot.refining.case import FEWEST_ELITES, Case
from surefoot.refining.line import Action, Line
from surefoot.stats.enrichment import chance_of_at_least
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.words import listing, number, setting

FEWEST_OF_A_LEVEL = 10  # tried, before it is dropped
FEWEST_LEFT = 2
FEWEST_FOR_A_PATTERN = 3
MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Avoided:
    """A level that elites have less often than it was tried; `p` is the chance of so few, `q` over all such tests."""

    share: LevelShare
    p: float
    q: float


def next_levels(case: Case) -> Line | None:
    """The line of a choice; None where nothing is to be changed. Two levels at least stay, the best trials' always."""
    levels = case.parameter.levels()
    gone = [] if case.is_shared or len(levels) <= FEWEST_LEFT else _going(case)
    new, edge = _new_level(case)
    left = [i for i, level in enumerate(levels) if not any(is_same(level, a.share.level) for a in gone)]
    after = _after(case.parameter, left, new)
    if after is None or (not gone and new is None):
        return None
    reasons = [_avoiding(gone)] if gone else []
    if edge is not None and new is not None:
        reasons.append(
            f"{edge.near} of the {edge.n_best} best have {setting(edge.bound)}, its outermost value "
            f"({number(edge.expected, 1)} by chance), and the values still improve towards it: {setting(new)} is new"
        )
    action: Action = "narrowed" if new is None else "moved" if gone else "widened"
    return Line(
        before=case.parameter,
        after=after,
        action=action,
        rule=" + ".join(["refine.levels"] * bool(gone) + ["refine.boundary"] * (new is not None)),
        reason="; ".join(reasons),
        n=case.tried.n,
        p=max([a.p for a in gone] + ([edge.p_adjusted] if edge is not None and new is not None else [])),
        share=_weight(case.parameter, left),
    )


def _avoiding(gone: Sequence[Avoided]) -> str:
    told = [f"{setting(a.share.level)} ({a.share.k} of {a.share.n_elite}, {a.share.tried} tries)" for a in gone]
    more = [f"{len(told) - MOST_NAMED} more"] if len(told) > MOST_NAMED else []
    return f"elites avoid {listing([*told[:MOST_NAMED], *more])} more than chance explains"


def _after(parameter: Parameter, left: Sequence[int], new: Any) -> Parameter | None:
    """The parameter with those of its levels, and the new one at its end of them; their weights sum to 1 again."""
    if parameter.kind != "categorical":
        return None
    levels = [parameter.choices[i] for i in left]
    if new is not None:
        levels = [new, *levels] if new < min(levels) and levels[0] == min(levels) else [*levels, new]
    weights = [parameter.weights[i] for i in left] if parameter.weights else []
    total = math.fsum(weights)
    if weights and not total > 0:
        return None
    return replace(parameter, choices=tuple(levels), weights=tuple(weight / total for weight in weights))


def _weight(parameter: Parameter, left: Sequence[int]) -> float:
    if parameter.weights:
        return math.fsum(parameter.weights[i] for i in left) / math.fsum(parameter.weights)
    return len(left) / len(parameter.levels())


# --- levels that go --------------------------------------------------------------------------------------------------


def _going(case: Case) -> list[Avoided]:
    """The levels to drop, the least likely first."""
    found = [a for a in avoided(case) if a.share.key == case.parameter.key and a.q < case.care.q]
    found = [a for a in found if not _is_led_by(case, a.share.level) and not _is_contradicted(case, a.share)]
    found.sort(key=lambda a: a.p)
    if case.tried.kind == "number":
        found = _at_the_ends(case.parameter.levels(), found)
    return found[: len(case.parameter.levels()) - FEWEST_LEFT]


def avoided(case: Case) -> list[Avoided]:
    """Every level of the space that was tried often enough, by how few elites have it.

    Fisher's exact test on the other tail than enrichment's; one family over the levels of all choices.
    """
    choices = {
        p.key
        for p in case.analysis.view.table.space.parameters
        if p.kind == "categorical" and len(p.choices) > FEWEST_LEFT and p.role != "scientific"
    }
    levels = [
        level
        for level in case.analysis.elites.levels
        if level.key in choices and level.tried >= FEWEST_OF_A_LEVEL and level.n_elite >= FEWEST_ELITES
    ]
    p = [_chance_of_so_few(level) for level in levels]
    found = [Avoided(share=s, p=a, q=b) for s, a, b in zip(levels, p, benjamini_hochberg(p), strict=True)]
    return [a for a in found if a.share.k * a.share.started < a.share.n_elite * a.share.tried]


def _chance_of_so_few(level: LevelShare) -> float:
    """The chance that a draw of so many elites holds so few of the level: as many or more of all the others."""
    return float(chance_of_at_least(level.n_elite - level.k, level.n_elite, level.started - level.tried, level.started))


def _is_led_by(case: Case, level: Any) -> bool:
    name = case.parameter.name
    return any(name in t.settings and is_same(t.settings[name], level) for t in case.leaders)


def _is_contradicted(case: Case, level: LevelShare) -> bool:
    """Whether elites that no model chose have the level as often as it was tried among them, or more often."""
    alone = case.analysis.elites.independent
    same = [s for s in alone.levels_of(level.key) if is_same(s.level, level.level)] if alone else []
    return any(s.k * s.started >= s.n_elite * s.tried for s in same)


def _at_the_ends(levels: Sequence[Any], found: Sequence[Avoided]) -> list[Avoided]:
    """Those that lie at an end of the numbers once the ones beyond them are gone: no hole is cut into a scale."""
    left, ends = sorted(levels), []
    waiting = list(found)
    while len(left) > FEWEST_LEFT:
        at_end = [a for a in waiting if is_same(a.share.level, left[0]) or is_same(a.share.level, left[-1])]
        if not at_end:
            break
        ends.append(at_end[0])
        waiting.remove(at_end[0])
        left = [v for v in left if not is_same(v, at_end[0].share.level)]
    return ends


# --- a level that is new ---------------------------------------------------------------------------------------------


def _new_level(case: Case) -> tuple[Any, Boundary | None]:
    """The number that follows beyond the edge that is hit, with the edge; None where there is no such thing."""
    if case.parameter.weights or case.tried.kind != "number":
        return None, None
    for edge in case.hits:
        value = following(sorted(case.parameter.choices), edge.side)
        if value is not None and case.is_possible(value):
            return value, edge
    return None, None


def following(levels: Sequence[float], side: str) -> float | int | None:
    """What comes next in a row of numbers with equal factors or equal steps; None where there is no pattern."""
    if len(levels) < FEWEST_FOR_A_PATTERN:
        return None
    row = list(levels) if side == "high" else list(reversed(levels))
    steps = [b - a for a, b in itertools.pairwise(row)]
    factors = [b / a for a, b in itertools.pairwise(row)] if row[0] * row[-1] > 0 else []
    if factors and all(math.isclose(f, factors[0], rel_tol=1e-6) for f in factors):
        found = row[-1] * factors[0]
    elif all(math.isclose(s, steps[0], rel_tol=1e-6) for s in steps):
        found = row[-1] + steps[0]
    else:
        return None
    if all(isinstance(v, int) for v in levels):
        return round(found) if math.isclose(found, round(found), abs_tol=1e-6) else None
    return float(f"{found:.6g}")
