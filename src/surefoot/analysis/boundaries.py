"""Boundaries: where the best trials crowd an edge of the space, and the slope leads over it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from surefoot.analysis.column import Booleans, Column, Floats
from surefoot.analysis.edge import Edge, Slope, edges_of, local_slope, natural_bound
from surefoot.analysis.elites import Elites, best_rows
from surefoot.analysis.exposure import Exposure, exposure
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.noise import NoiseFloor
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.stats.enrichment import chance_of_at_least, least_chance
from surefoot.stats.multiplicity import holm
from surefoot.words import decimals_of, half_width, heading_of, listing, number, p_phrase, setting, signed, span

LEVEL = 0.05
# An edge that is no hit is told of where a person might take it for one.
TEMPTING = 0.2
FEWEST = 8
# With fewer the best tenth finds a third less of what lies beyond an edge than the best quarter, and errs no less:
# at 60 trials and a slope of six noise deviations over the range, 24 of 100 against 44.
FEWEST_FOR_DECILE = 200
DECILE = 0.1
MOST_PANELS, MOST_DRAWN = 6, 1000
TITLE = "Edges of the space"


@dataclass(frozen=True, kw_only=True, slots=True)
class Boundary:
    """One end of one number's range, and whether the best trials press against it.

    `bound` is the declared end, or where `is_inferred` the outermost value seen. The outer zone begins at `zone`:
    it is the outer tenth of the range on its drawn scale, or where there are few levels the outermost (`zone` is
    then `bound`). In it lie `near` of the `n_best` best trials (`has_best`: the very best too), where `expected`
    follow from `tried` of the `started` ones. `p` is the chance of that many or more, `p_adjusted` Holm's over
    all edges that were tested. `slope` is the change of the metric, in its own unit, `per` "level" or "tenth of
    the range" towards the edge over `n_slope` trials of the outer third (Theil and Sen); None, as its 95 %
    interval, below eight. `natural` says why nothing lies beyond, empty where something may, `why_not` why it is
    no hit.
    """

    key: str
    condition: str
    side: Literal["low", "high"]
    bound: int | float
    is_inferred: bool
    natural: str
    zone: float
    is_live: bool
    n_best: int
    near: int
    has_best: bool
    tried: int
    started: int
    expected: float
    p: float
    p_adjusted: float
    n_slope: int
    slope: float | None
    slope_interval: tuple[float, float] | None
    per: str
    noise_sd: float | None
    is_hit: bool
    why_not: str

    @property
    def is_natural(self) -> bool:
        """Whether the bound is one of nature's, beyond which widening makes no sense."""
        return bool(self.natural)

    @property
    def may_widen(self) -> bool:
        """Whether the next search should look beyond it."""
        return self.is_hit and not self.is_natural


def boundaries(
    view: View, elites: Elites, noise: NoiseFloor | None = None, *, dead: Collection[str] = ()
) -> tuple[Boundary, ...]:
    """Both ends of every number's range that has ends, in the order of the space.

    A hit must pass three tests: the parameter is live (it varied, and is not among the `dead` keys); the best
    trials crowd the edge, with a family-wise error of .05 over all edges tested; and the slope towards it is
    shown to lead over it. The best trials are the elites, from 200 trials on the best tenth.
    """
    exposed = exposure(view)
    best = exposed.where(np.array(_best(view, elites), dtype=np.int64))
    found = [
        _counted(view, exposed, column, edge, best, is_live=column.distinct > 1 and column.key not in dead)
        for column in exposed.columns
        for edge in edges_of(column, is_inferred=view.table.is_inferred)
    ]
    found = [replace(b, noise_sd=None if noise is None else noise.sd) for b in found]
    return tuple(replace(b, why_not=why, is_hit=not why) for b in _corrected(found) for why in [_why_not(view, b)])


def _best(view: View, elites: Elites) -> tuple[int, ...]:
    return best_rows(view.gains, DECILE) if view.n >= FEWEST_FOR_DECILE else elites.rows


def _counted(view: View, exposed: Exposure, column: Column, edge: Edge, best: Booleans, *, is_live: bool) -> Boundary:
    """The edge with its counts, its uncorrected p and its slope."""
    near = column.active & edge.is_near
    best = best & column.active
    k, n_best, tried, started = (int(rows.sum()) for rows in (near & best, best, near, column.active))
    slope = _slope(view, exposed, column, edge) if is_live else Slope(n=0)
    return Boundary(
        key=column.key,
        condition=column.condition,
        side=edge.side,
        bound=edge.bound,
        is_inferred=view.table.is_inferred,
        natural=natural_bound(column.parameter, edge.side, edge.bound),
        zone=edge.zone,
        is_live=is_live,
        n_best=n_best,
        near=k,
        has_best=bool(view.n and near[exposed.complete[int(np.argmax(view.gains))]]),
        tried=tried,
        started=started,
        expected=n_best * tried / started if started else 0.0,
        p=float(chance_of_at_least(k, n_best, tried, started)) if started else 1.0,
        p_adjusted=1.0,
        n_slope=slope.n,
        slope=slope.value,
        slope_interval=slope.interval,
        per=edge.per,
        noise_sd=None,
        is_hit=False,
        why_not="",
    )


def _slope(view: View, exposed: Exposure, column: Column, edge: Edge) -> Slope:
    rows = exposed.complete
    outer = column.active[rows] & edge.is_outer[rows]
    return local_slope(edge.towards[rows][outer], view.values[outer], rng=view.rng("boundaries"))


def _corrected(found: Sequence[Boundary]) -> list[Boundary]:
    """The edges with their p corrected for how many were tested: those where crowding could have been shown."""
    tested = [
        i
        for i, b in enumerate(found)
        if b.is_live and b.started and b.slope is not None and least_chance(b.n_best, b.tried, b.started) <= LEVEL
    ]
    adjusted = dict(zip(tested, holm([found[i].p for i in tested]), strict=True))
    return [replace(b, p_adjusted=adjusted.get(i, 1.0)) for i, b in enumerate(found)]


def _why_not(view: View, b: Boundary) -> str:
    """The first test that it fails, as a clause; empty where it passes all."""
    if not b.is_live:
        return "the parameter does nothing here: it did not vary, or its values all gave the same"
    if view.n < FEWEST or b.n_best < 2:
        return f"{view.n} complete trials, {b.n_best} of the best among them with this parameter, are too few"
    if not b.tried:
        return "nothing was tried there"
    if b.slope is None or b.slope_interval is None:
        return f"{b.n_slope} complete trials in the outer third are too few to tell a slope"
    lie = f"{b.near} of the {b.n_best} best trials lie there where {number(b.expected, 1)} would by chance"
    if least_chance(b.n_best, b.tried, b.started) > LEVEL:
        return f"{lie}, and with {b.tried} of {b.started} trials tried there no count could have been evidence"
    if b.p_adjusted > LEVEL:
        return f"{lie} ({p_phrase(b.p_adjusted)} after correction for all edges)"
    gain = view.metric.sign * np.array(b.slope_interval)
    return (
        "" if gain.min() > 0 else f"the best trials crowd it, but {_slope_words(view, b)} is not shown to lead over it"
    )


def boundaries_section(view: View, found: Sequence[Boundary]) -> Section:
    """Which edges cut the search off, and which only look so."""
    if not found:
        return Section(key="boundaries", title=TITLE, not_applicable="because no parameter is a number with bounds.")
    if view.n < FEWEST:
        text = f"because {view.n} trials completed, and a slope towards an edge takes at least {FEWEST}."
        return Section(key="boundaries", title=TITLE, not_applicable=text)
    hits = [b for b in found if b.is_hit]
    # Below what chance gives no person takes an edge for one that cuts the search off.
    tempting = [b for b in found if not b.is_hit and b.is_live and b.near > b.expected]
    tempting = [b for b in tempting if b.has_best or b.p <= TEMPTING]
    findings = [_hit(view, b) for b in hits] or [_none(view, found)]
    return Section(
        key="boundaries",
        title=TITLE,
        findings=(*findings, *(_no_hit(view, b) for b in tempting)),
        sheets=(_sheet(found),),
        figures=tuple(_figures(view, [*hits, *sorted(tempting, key=lambda b: b.p)])),
        note="An edge counts as hit only if its parameter does something, the best trials crowd it more than chance "
        "explains given how often it was tried, and the slope in the outer third is shown to lead over it. Slopes "
        "are over all trials there, whatever their other settings.",
    )


def _hit(view: View, b: Boundary) -> Finding:
    text = (
        f"{_place(view, b)} is hit: {b.near} of the {b.n_best} best trials lie there where {number(b.expected, 1)} "
        f"would by chance ({p_phrase(b.p_adjusted)} after correction for all edges), and {_slope_words(view, b)} leads "
        "over it"
    )
    if b.slope and b.noise_sd:
        text += f"; a {b.per} changes {number(abs(b.slope) / b.noise_sd, 1)} times the noise floor"
    if b.is_natural:
        advice = f"Nothing to widen: {b.natural}."
    else:
        advice = f"Search beyond {setting(b.bound)}; the best value may lie there."
    return Finding(
        rule="boundaries.natural" if b.is_natural else "boundaries.hit",
        subject=b.key,
        sentence=f"{text}.",
        severity="info" if b.is_natural else "warning",
        evidence=_evidence(b),
        advice=advice,
    )


def _no_hit(view: View, b: Boundary) -> Finding:
    return Finding(
        rule="boundaries.no_evidence",
        subject=b.key,
        sentence=f"{_place(view, b)} is not shown to be hit: {b.why_not}.",
        evidence=_evidence(b),
        advice=f"Do not widen {b.key} on this.",
    )


def _none(view: View, found: Sequence[Boundary]) -> Finding:
    return Finding(
        rule="boundaries.none",
        subject=view.metric.name,
        sentence=f"None of the {len(found)} edges is shown to be hit.",
        evidence={"edges": len(found)},
    )


def _place(view: View, b: Boundary) -> str:
    """ "The high edge of depth at 6 (the largest value seen)"."""
    column = view.column(b.key)
    seen = f" (the {'largest' if b.side == 'high' else 'smallest'} value seen)" if b.is_inferred else ""
    where = f" where {b.condition}" if b.condition else ""
    return f"The {b.side} edge of {column.parameter.name}{where} at {setting(b.bound)}{seen}"


def _slope_words(view: View, b: Boundary) -> str:
    assert b.slope is not None and b.slope_interval is not None
    unit, decimals = view.metric.difference_unit, decimals_of(half_width(b.slope_interval))
    return (
        f"the slope of {view.metric.name} towards it, {signed(b.slope, decimals)}{unit} per {b.per} (95 % interval "
        f"{span(b.slope_interval, decimals)}, {b.n_slope} trials),"
    )


def _evidence(b: Boundary) -> dict[str, Any]:
    left_out = ("key", "condition", "why_not", "slope_interval")
    found = {name: getattr(b, name) for name in Boundary.__slots__ if name not in left_out}
    return {**found, "slope_interval": None if b.slope_interval is None else list(b.slope_interval)}


def _sheet(found: Sequence[Boundary]) -> Sheet:
    first = ("key", "condition", "side", "bound", "is_inferred", "natural", "zone", "is_live")
    counts = ("n_best", "near", "expected", "tried", "started", "p", "p_adjusted", "n_slope", "slope")
    last = ("per", "is_hit", "may_widen", "why_not")
    rows = tuple(
        (
            *(getattr(b, name) for name in (*first, *counts)),
            *(b.slope_interval or (None, None)),
            *(getattr(b, name) for name in last),
        )
        for b in found
    )
    headers = ("parameter", *first[1:], *counts, "slope_low", "slope_high", *last)
    return Sheet(name="boundaries", title="The edges of the space", headers=headers, rows=rows)


def _figures(view: View, shown: Sequence[Boundary]) -> Iterator[PanelsFigure]:
    """The trials over the parameters whose edges are hit, or look so, with the line of the local slope."""
    chosen: dict[str, list[Boundary]] = {}
    for b in shown:
        if len(chosen) < MOST_PANELS or b.key in chosen:
            chosen.setdefault(b.key, []).append(b)
    if not chosen:
        return
    n_best = max(b.n_best for b in shown)
    thinned = f" {MOST_DRAWN} of {view.n} trials are drawn." if view.n > MOST_DRAWN else ""
    yield PanelsFigure(
        name="boundaries",
        title=_title(shown),
        caption=f"The best trials are marked, {n_best} at most. A line is the slope over the outer third." + thinned,
        panels=tuple(_panel(view, view.column(key), edges) for key, edges in chosen.items()),
    )


def _title(shown: Sequence[Boundary]) -> str:
    hits = list(dict.fromkeys(b.key for b in shown if b.is_hit))
    if not hits:
        return "The best trials press against no edge beyond chance"
    return f"The best trials press against an edge of {listing(hits)}"


def _panel(view: View, column: Column, found: Sequence[Boundary]) -> Panel:
    rows = np.flatnonzero(column.active)
    if len(rows) > MOST_DRAWN:
        rows = np.sort(view.rng("boundaries").choice(rows, MOST_DRAWN, replace=False))
    n_best = found[0].n_best
    cut = np.sort(view.gains[column.active])[-n_best]
    is_best = view.gains[rows] >= cut
    edges = {edge.side: edge for edge in edges_of(column, is_inferred=view.table.is_inferred)}
    return Panel(
        title=column.key,
        x=Axis(label=column.key, is_log=column.is_log),
        y=Axis(label=heading_of(view.metric)),
        points=(
            _points(view, column, rows[~is_best], "plain", "trials"),
            _points(view, column, rows[is_best], "best", "best trials"),
        ),
        lines=tuple(_line(view, column, edges[b.side], b) for b in found if b.side in edges and b.slope is not None),
    )


def _points(
    view: View, column: Column, rows: np.ndarray[Any, Any], look: Literal["plain", "best"], label: str
) -> Points:
    return Points(
        label=label,
        x=tuple(column.numbers[rows].tolist()),
        y=tuple(view.values[rows].tolist()),
        labels=tuple(view.trials[i].name for i in rows),
        look=look,
    )


def _line(view: View, column: Column, edge: Edge, b: Boundary) -> Points:
    """The slope's line through the outer third, as high as its median residual says."""
    assert b.slope is not None
    outer = np.flatnonzero(column.active & edge.is_outer)
    towards: Floats = edge.towards[outer]
    height = float(np.median(view.values[outer] - b.slope * towards))
    ends = outer[[int(np.argmin(towards)), int(np.argmax(towards))]]
    return Points(
        label="slope",
        x=tuple(column.numbers[ends].tolist()),
        y=tuple((height + b.slope * edge.towards[ends]).tolist()),
    )
