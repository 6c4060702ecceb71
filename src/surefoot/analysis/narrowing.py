"""One parameter's next range: kept, narrowed, widened, moved or fixed, with the rule and the evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from surefoot.analysis.analysis import Analysis
from surefoot.analysis.boundaries import Boundary
from surefoot.analysis.column import Column, columns_of
from surefoot.analysis.elites import LevelShare, RangeShare
from surefoot.parameter import Parameter, is_same
from surefoot.space import SearchSpace
from surefoot.stats.enrichment import chance_of_at_least
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.words import listing, p_phrase, setting

Style = Literal["conservative", "aggressive"]
Action = Literal["kept", "narrowed", "widened", "moved", "fixed", "dropped"]

FEWEST_TRIALS = 20  # in which the parameter existed, before anything of it is narrowed
FEWEST_ELITES = 5  # a range drawn around fewer is a range drawn around luck
FEWEST_OF_A_LEVEL = 10  # before it is dropped
LONGER = 1.5  # a range that good trials crowd the edge of grows by half of its span


@dataclass(frozen=True, kw_only=True, slots=True)
class Care:
    """How much evidence a style asks for, and how much room it leaves.

    `q` is the level at which elites count as crowding, `padding` what is added to their range on each side as a share
    of it, `least` the share of the old range that is searched in any case; `fixes` parameters that show nothing.
    """

    q: float
    padding: float
    least: float
    fixes: bool


CARES = {
    "conservative": Care(q=0.1, padding=0.5, least=0.4, fixes=False),
    "aggressive": Care(q=0.2, padding=0.15, least=0.15, fixes=True),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What became of one parameter: `after` is None where it is fixed at `value`, or cannot exist any more.

    `rule` is the stable name of the rule, `reason` its evidence in a sentence; `n` and `p` are those of the test, p is
    None where there was none. `share` is the part of the old range that is searched still, between 0 and 1.
    """

    before: Parameter
    after: Parameter | None
    action: Action
    rule: str
    reason: str
    n: int
    p: float | None = None
    value: Any = None
    share: float = 1.0

    def definition(self) -> dict[str, Any]:
        """The line as JSON."""
        plain = {name: getattr(self, name) for name in ("action", "rule", "reason", "n", "p", "value", "share")}
        after = None if self.after is None else self.after.definition()
        return {"parameter": self.before.key, **plain, "before": self.before.definition(), "after": after}


def next_line(
    analysis: Analysis, parameter: Parameter, *, style: Style, barred: str, limits: SearchSpace | None
) -> Line:
    """The line of one parameter; `barred` says why nothing is concluded at all, `limits` how far a range may go."""
    column, care = analysis.view.column(parameter.key), CARES[style]
    [started] = columns_of(SearchSpace(parameters=(parameter,)), analysis.view.table.trials)

    def kept(rule: str, reason: str, p: float | None = None) -> Line:
        return Line(before=parameter, after=parameter, action="kept", rule=rule, reason=reason, n=started.n, p=p)

    if barred:
        return kept("refine.barred", "nothing is concluded from these trials")
    if started.distinct < 2:
        return kept("refine.one_value", f"the trials hold {started.distinct or 'no'} value of it")
    if started.n < FEWEST_TRIALS:
        return kept(
            "refine.few_trials",
            f"it existed in {started.n} trials; {FEWEST_TRIALS} are the fewest to narrow by",
        )
    changed = _by_levels(analysis, column, care) if _is_listed(parameter) else _by_range(analysis, column, care, limits)
    if changed is not None:
        return changed
    row = next((r for r in analysis.importance.rows if r.key == parameter.key), None)
    if care.fixes and row is not None and "dead" in row.flags and _is_unconditional_parent(analysis, parameter):
        best = analysis.view.trials[int(np.argmax(np.where(column.active, analysis.view.gains, -math.inf)))]
        value = best.settings[parameter.name]
        reason = f"it explains nothing that chance would not; fixed at {setting(value)}, as in the best trial"
        return replace(kept("refine.dead", reason, row.p), after=None, action="fixed", value=value)
    if row is not None and row.is_real:
        reason = "it matters, but the elites are not crowded in any part of what was tried"
        return kept("refine.matters", reason, row.p)
    return kept("refine.nothing_shown", "nothing was shown of it", row.p if row is not None else None)


def _is_listed(parameter: Parameter) -> bool:
    return parameter.kind in ("categorical", "bool")


def _is_unconditional_parent(analysis: Analysis, parameter: Parameter) -> bool:
    """Whether it always exists and no other one depends on it: only then is its absence of effect its own."""
    others = analysis.view.table.space.parameters
    return not parameter.when and not any(parameter.name in other.when for other in others)


# --- ranges ----------------------------------------------------------------------------------------------------------


def _by_range(analysis: Analysis, column: Column, care: Care, limits: SearchSpace | None) -> Line | None:
    parameter = column.parameter
    if parameter.low is None or parameter.high is None or parameter.normal is not None:
        return None
    to, back = _scale(parameter)
    low, high = old = to(parameter.low), to(parameter.high)
    crowded = _crowding(analysis, column, care)
    reasons, tests, rules = [], [], []
    if crowded is not None:
        low, high = _padded(to(crowded.low), to(crowded.high), old, care)
        if high - low < 0.999 * (old[1] - old[0]):
            reasons.append(
                f"the {crowded.n_elite} elites lie within {setting(crowded.low)} … {setting(crowded.high)}, closer "
                f"together than chance puts so many of the {crowded.started} tried"
            )
            tests.append(crowded.p)
            rules.append("refine.elites")
        else:
            low, high = old
    for edge in _hits(analysis, column):
        reach = (LONGER - 1) * (old[1] - old[0])
        low, high = (old[0] - reach, high) if edge.side == "low" else (low, old[1] + reach)
        reasons.append(
            f"{edge.near} elites crowd its {'lower' if edge.side == 'low' else 'upper'} edge where {edge.expected:.2g} "
            "were to be expected, and the values still improve towards it"
        )
        tests.append(edge.p)
        rules.append("refine.boundary")
    if not reasons:
        return None
    after = _bounded(parameter, back(low), back(high), limits)
    if after is None or (after.low, after.high) == (parameter.low, parameter.high):
        return None
    new = to(_number(after.low)), to(_number(after.high))
    share = max(0.0, min(new[1], old[1]) - max(new[0], old[0])) / (old[1] - old[0])
    is_wider, is_narrower = new[0] < old[0] or new[1] > old[1], share < 1
    action: Action = "moved" if is_wider and is_narrower else "widened" if is_wider else "narrowed"
    return Line(
        before=parameter,
        after=after,
        action=action,
        rule=" + ".join(dict.fromkeys(rules)),
        reason="; ".join(reasons),
        n=column.n,
        p=max(tests),
        share=share,
    )


def _crowding(analysis: Analysis, column: Column, care: Care) -> RangeShare | None:
    found = next((r for r in analysis.elites.ranges if r.key == column.key), None)
    return found if found is not None and found.n_elite >= FEWEST_ELITES and found.q < care.q else None


def _hits(analysis: Analysis, column: Column) -> list[Boundary]:
    return [b for b in analysis.boundaries if b.key == column.key and b.may_widen]


def _padded(low: float, high: float, old: tuple[float, float], care: Care) -> tuple[float, float]:
    """The elites' range with its padding, at least the least share of the old one, within the old one."""
    whole = old[1] - old[0]
    room = max(care.padding * (high - low), (care.least * whole - (high - low)) / 2)
    low, high = low - room, high + room
    if low < old[0]:
        low, high = old[0], max(high, old[0] + care.least * whole)
    if high > old[1]:
        low, high = min(low, old[1] - care.least * whole), old[1]
    return max(low, old[0]), min(high, old[1])


def _scale(parameter: Parameter) -> tuple[Callable[[float], float], Callable[[float], float]]:
    return (math.log, math.exp) if parameter.log else (float, float)


def _number(bound: float | None) -> float:
    assert bound is not None
    return bound


def _bounded(parameter: Parameter, low: float, high: float, limits: SearchSpace | None) -> Parameter | None:
    """The parameter with these bounds, rounded as its kind asks, within the workload's own; None if nothing is left."""
    low, high = _within_limits(parameter, low, high, limits)
    old_low, old_high, step = _number(parameter.low), _number(parameter.high), parameter.step
    if parameter.kind == "int" or step is not None:
        step = step or 1
        low = old_low + step * math.floor((low - old_low) / step + 1e-9)
        high = old_low + step * math.ceil((high - old_low) / step - 1e-9)
        if parameter.kind == "int":
            low, high = int(low), int(high)
    else:
        low = low if low == old_low else _rounded(low, math.floor)
        high = high if high == old_high else _rounded(high, math.ceil)
    if parameter.log and low <= 0:
        low = old_low
    low, high = _within_limits(parameter, low, high, limits)
    found = replace(parameter, low=low, high=high)
    return None if any(found.mistakes()) else found


def _within_limits(parameter: Parameter, low: float, high: float, limits: SearchSpace | None) -> tuple[float, float]:
    """The bounds where the workload allows them; a bound that was there already stays."""
    own = [p for p in (limits.named(parameter.name) if limits else ()) if p.low is not None and p.high is not None]
    if not own:
        return low, high
    lowest, highest = min(_number(p.low) for p in own), max(_number(p.high) for p in own)
    return max(low, lowest), min(high, highest)


def _rounded(value: float, towards: Callable[[float], int]) -> float:
    """Two significant digits, outwards."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{towards(value / unit + (1e-9 if towards is math.floor else -1e-9)) * unit:.3g}")


# --- levels ----------------------------------------------------------------------------------------------------------


def _by_levels(analysis: Analysis, column: Column, care: Care) -> Line | None:
    """The levels that are left once those are dropped that elites avoid more than chance explains; two at least stay.

    Whether few enough elites have it is Fisher's exact test on the other tail, corrected over the levels.
    """
    levels = [level for level in analysis.elites.levels if level.key == column.key]
    tested = [v for v in levels if v.tried >= FEWEST_OF_A_LEVEL and v.n_elite >= FEWEST_ELITES]
    if not tested or len(column.parameter.levels()) < 3:
        return None
    chances = [_chance_of_so_few(level) for level in tested]
    corrected = benjamini_hochberg(chances)
    gone = [
        (level, p) for level, p, q in zip(tested, chances, corrected, strict=True) if q < care.q and _is_poor(level)
    ]
    gone = sorted(gone, key=lambda pair: pair[1])[: len(column.parameter.levels()) - 2]
    if not gone:
        return None
    return _without(column, gone)


def _without(column: Column, gone: Sequence[tuple[LevelShare, float]]) -> Line | None:
    parameter = column.parameter
    left = [v for v in parameter.levels() if not any(is_same(v, level.level) for level, _ in gone)]
    weights = tuple(w for v, w in zip(parameter.levels(), parameter.weights, strict=False) if v in left)
    after = replace(parameter, choices=tuple(left), weights=weights)
    told = listing([f"{setting(level.level)} ({level.k} elites, tried {level.tried} times)" for level, _ in gone])
    worst = max(p for _, p in gone)
    return Line(
        before=parameter,
        after=after,
        action="narrowed",
        rule="refine.levels",
        reason=f"elites avoid {told} more than chance explains ({p_phrase(worst)})",
        n=column.n,
        p=worst,
        share=len(left) / len(parameter.levels()),
    )


def _is_poor(level: LevelShare) -> bool:
    return level.k * level.started < level.n_elite * level.tried


def _chance_of_so_few(level: LevelShare) -> float:
    """The chance that a draw of so many elites holds so few of the level: as many or more of all the others."""
    return float(chance_of_at_least(level.n_elite - level.k, level.n_elite, level.started - level.tried, level.started))
