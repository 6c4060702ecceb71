"""A number's next range: around the elites where they crowd together, and beyond an edge that they press against."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import NormalDist

from surefoot.analysis.boundaries import Boundary
from surefoot.analysis.shares import RangeShare
from surefoot.parameter import Parameter
from surefoot.refining.case import FEWEST_ELITES, Case, natural_limits
from surefoot.refining.line import Action, Line, range_text
from surefoot.words import number

LONGER = 0.5  # how much of its span a range grows by beyond an edge that good trials crowd
MOST_LEFT = 0.9  # a range of which more is left is not worth narrowing
FUZZ = 1e-9
Ends = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The scale a number is drawn on: logarithmic or its own."""

    is_log: bool

    def to(self, value: float) -> float:
        """The number on the scale."""
        return math.log(value) if self.is_log else float(value)

    def back(self, value: float) -> float:
        """The number of that place."""
        return math.exp(value) if self.is_log else value


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """One reason for one change: the rule, its evidence in words and its p."""

    rule: str
    reason: str
    p: float


def next_range(case: Case) -> Line | None:
    """The line of a number that has a range; one that is kept where something kept it from being changed, else None."""
    frame = _frame(case)
    if frame is None:
        return None
    scale = Scale(is_log=case.parameter.log)
    old = scale.to(frame[0]), scale.to(frame[1])
    (low, high), said, kept = _around_elites(case, scale, old)
    for edge in case.hits:
        further = _beyond(case, scale, old, edge.side)
        if further is None:
            kept = kept or ("refine.limit", f"its {_side(edge)} edge is hit, but nothing lies beyond", edge.p)
            continue
        low, high = (further, high) if edge.side == "low" else (low, further)
        said.append(Said(rule="refine.boundary", reason=_pressing(edge), p=edge.p_adjusted))
    after = _bounded(case, scale, old, (low, high)) if said else None
    if after is None or (after.low, after.high) == (case.parameter.low, case.parameter.high):
        return case.kept(*kept) if kept else None
    return _line(case, scale, old, after, said)


def _line(case: Case, scale: Scale, old: Ends, after: Parameter, said: list[Said]) -> Line:
    new = tuple(
        end if bound is None else scale.to(bound) for bound, end in zip((after.low, after.high), old, strict=True)
    )
    share = _mass(case.parameter, max(new[0], old[0]), min(new[1], old[1])) / _mass(case.parameter, *old)
    is_wider = new[0] < old[0] - FUZZ or new[1] > old[1] + FUZZ
    action: Action = "narrowed" if not is_wider else "moved" if share < 1 - FUZZ else "widened"
    return Line(
        before=case.parameter,
        after=after,
        action=action,
        rule=" + ".join(dict.fromkeys(s.rule for s in said)),
        reason="; ".join(s.reason for s in said),
        n=case.tried.n,
        p=max(s.p for s in said),
        share=min(share, 1.0),
    )


def _frame(case: Case) -> Ends | None:
    """The range that was searched; where a normal distribution has no bound, the outermost value tried."""
    parameter, tried = case.parameter, case.tried.numbers[case.tried.active]
    low = float(tried.min()) if parameter.low is None else parameter.low
    high = float(tried.max()) if parameter.high is None else parameter.high
    return (low, high) if low < high and (low > 0 or not parameter.log) else None


# --- around the elites -----------------------------------------------------------------------------------------------


def _around_elites(
    case: Case, scale: Scale, old: Ends
) -> tuple[Ends, list[Said], tuple[str, str, float | None] | None]:
    """The range around crowded elites with the reason; the old one, and what kept it, where there is such a thing."""
    crowded = _crowding(case)
    if crowded is None:
        return old, [], None
    if case.is_shared:
        return (
            old,
            [],
            ("refine.shared", "it is tuned for all that is compared alike, not for the best alone", None),
        )
    leading = [t.settings[case.parameter.name] for t in case.leaders if case.parameter.name in t.settings]
    numbers = [v for v in leading if case.parameter.admits(v)]
    low, high = scale.to(min([crowded.low, *numbers])), scale.to(max([crowded.high, *numbers]))
    low, high = padded(low, high, old, padding=case.care.padding, least=case.care.least)
    elites = f"{crowded.n_elite} elites lie in {range_text(crowded.low, crowded.high, is_log=scale.is_log)}"
    if high - low > MOST_LEFT * (old[1] - old[0]):
        return old, [], ("refine.wide", f"{elites}, nearly the whole range once they are given room", crowded.p)
    alone = _alone(case)
    if alone is not None and not low <= scale.to(alone.median) <= high:
        who = f"the {alone.n_elite} best of the {alone.started} drawn without the sampler lie elsewhere"
        return old, [], ("refine.sampler", f"{elites}, but {who}", alone.p)
    reason = f"{elites}, their middle half closer together than chance explains"
    return (low, high), [Said(rule="refine.elites", reason=reason, p=crowded.p)], None


def _crowding(case: Case) -> RangeShare | None:
    found = next((r for r in case.analysis.elites.ranges if r.key == case.parameter.key), None)
    return found if found is not None and found.n_elite >= FEWEST_ELITES and found.q < case.care.q else None


def _alone(case: Case) -> RangeShare | None:
    """The same of the trials that no model chose, where they are tested apart."""
    alone = case.analysis.elites.independent
    return next((r for r in alone.ranges if r.key == case.parameter.key), None) if alone else None


def padded(low: float, high: float, old: Ends, *, padding: float, least: float) -> Ends:
    """The elites' range with room on both sides, at least the least share of the old one, within the old one."""
    whole = old[1] - old[0]
    room = max(padding * (high - low), (least * whole - (high - low)) / 2)
    low, high = low - room, high + room
    if low < old[0]:
        low, high = old[0], max(high, old[0] + least * whole)
    if high > old[1]:
        low, high = min(low, old[1] - least * whole), old[1]
    return max(low, old[0]), min(high, old[1])


# --- beyond an edge --------------------------------------------------------------------------------------------------


def _beyond(case: Case, scale: Scale, old: Ends, side: str) -> float | None:
    """How far the range goes beyond that edge, on its scale; None where nothing is to be searched there."""
    reach = LONGER * (old[1] - old[0])
    wanted = old[0] - reach if side == "low" else old[1] + reach
    least, most = _limits(case)
    if side == "high":
        end = old[1] if most <= scale.back(old[1]) else min(wanted, scale.to(most) if math.isfinite(most) else wanted)
        return end if end > old[1] + FUZZ else None
    lowest = scale.to(least) if least > 0 or (math.isfinite(least) and not scale.is_log) else -math.inf
    end = max(wanted, lowest)
    return end if end < old[0] - FUZZ else None


def _limits(case: Case) -> Ends:
    """How far a bound may go: nature's limits, and the workload's own. What may not reach a limit stops half way."""
    parameter = case.parameter
    low, high = natural_limits(parameter)
    if parameter.kind == "float" and not parameter.log and parameter.low is not None and low == 0 and high > 1:
        low = parameter.low / 2  # as a learning rate: 0 is no small one
    if high == 1 and parameter.high is not None:
        high = (parameter.high + 1) / 2  # as a dropout: 1 leaves nothing
    own = case.limits.named(parameter.name) if case.limits else ()
    if case.limits and not any(p.kind in ("int", "float") for p in own):
        return math.inf, -math.inf
    lows, highs = [p.low for p in own], [p.high for p in own]
    low = max(low, min((v for v in lows if v is not None), default=-math.inf) if None not in lows else -math.inf)
    high = min(high, max((v for v in highs if v is not None), default=math.inf) if None not in highs else math.inf)
    return low, high


def _side(edge: Boundary) -> str:
    return "lower" if edge.side == "low" else "upper"


def _pressing(edge: Boundary) -> str:
    return (
        f"{edge.near} of the {edge.n_best} best crowd its {_side(edge)} edge ({number(edge.expected, 1)} by chance), "
        "and the values still improve towards it"
    )


# --- as the parameter writes it --------------------------------------------------------------------------------------


def _bounded(case: Case, scale: Scale, old: Ends, new: Ends) -> Parameter | None:
    """The parameter with its new ends, rounded outwards as its kind asks; None where that leaves no range."""
    parameter = case.parameter
    least, most = _limits(case)
    low: float | None = parameter.low
    high: float | None = parameter.high
    distance = scale.back(new[1]) - scale.back(new[0])
    if new[0] != old[0]:
        floor = least if new[0] < old[0] else scale.back(old[0]) if parameter.low is None else parameter.low
        low = _rounded(parameter, scale.back(new[0]), distance, math.floor, floor)
    if new[1] != old[1]:
        ceiling = most if new[1] > old[1] else scale.back(old[1]) if parameter.high is None else parameter.high
        high = _rounded(parameter, scale.back(new[1]), distance, math.ceil, ceiling)
    found = replace(parameter, low=low, high=high)
    return None if any(found.mistakes()) else found


def _rounded(
    parameter: Parameter, value: float, distance: float, towards: Callable[[float], int], limit: float
) -> float:
    """The number rounded outwards, but not beyond the limit: to whole steps, or to digits that its range deserves."""
    is_low = towards is math.floor
    if parameter.kind == "int" or parameter.step is not None:
        step = Decimal(str(parameter.step or 1))
        origin = Decimal(str(0 if parameter.low is None else parameter.low))
        place = towards(float((Decimal(str(value)) - origin) / step) + (FUZZ if is_low else -FUZZ))
        if math.isfinite(limit) and parameter.low is not None:
            most = float((Decimal(str(limit)) - origin) / step)
            place = max(place, math.ceil(most - FUZZ)) if is_low else min(place, math.floor(most + FUZZ))
        found = origin + place * step
        return int(found) if parameter.kind == "int" else float(found)
    size = abs(value) if parameter.log else distance
    exponent = math.floor(math.log10(size)) - 1 if size > 0 else 0
    unit = Decimal(1).scaleb(exponent)
    place = towards(float(Decimal(value) / unit) + (FUZZ if is_low else -FUZZ))
    found_float = float(place * unit)
    return max(found_float, limit) if is_low else min(found_float, limit)


def _mass(parameter: Parameter, low: float, high: float) -> float:
    """How much of the parameter's old distribution lies between two places of its scale, up to a factor."""
    if parameter.normal is None:
        return max(high - low, 0.0)
    old = NormalDist(*parameter.normal)
    return max(old.cdf(high) - old.cdf(low), 1e-12)
