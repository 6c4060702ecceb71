"""Interactions: pairs that explain more together than each alone, and a fitted surface over the strongest."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.analysis.chance import ALPHA, TREES
from surefoot.analysis.column import Column, Floats, Integers
from surefoot.analysis.crossing import Crossing
from surefoot.analysis.fanova import pair_marginal, pair_marginal_at
from surefoot.analysis.figure import Axis, SurfaceFigure
from surefoot.analysis.forest import ForestAxis, fit_forest
from surefoot.analysis.importance import Importance, ImportanceRow, PairRow, percent_of
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.strata import Stratum, encoded, possible_levels, strata_of
from surefoot.analysis.view import View
from surefoot.analysis.weighing import PAIR_TRIALS, why_left_out
from surefoot.finding import Finding
from surefoot.words import decimals_of, listing, number, p_phrase, percent, setting, unit_of

TITLE = "Which parameters act together"
FEWEST_TRIALS = 10
MOST_SURFACES = 3
MOST_CROSSED = 3
GRID = 25
# A surface of a thousand trials looks like one of ten thousand, and takes a tenth of the time.
MOST_ROWS = 1_000
MOST_POINTS = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """One side of a surface: the `places` of its grid as the forest knows them, and `shown` as a reader does."""

    key: str
    name: str
    is_log: bool
    categories: tuple[str, ...]
    places: Floats
    shown: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """The value over two parameters, averaged over all others, from a forest of the stratum's trials.

    `mean` and `sd` over the trees have shape (y places, x places), in the metric's own unit. `rows` are the
    trials' places in the view; `at_x`, `at_y`, `fitted` and `fitted_sd` have an entry for each of them.
    """

    pair: PairRow
    x: Scale
    y: Scale
    mean: Floats
    sd: Floats
    rows: Integers
    at_x: Floats
    at_y: Floats
    fitted: Floats
    fitted_sd: Floats
    n_fitted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Interactions:
    """The strongest pairs, those beyond chance first, and at most three surfaces, of the weightiest pairs first.

    `blind` are the conditions, "" for all trials, whose forest predicts nothing of trials that it did not see.
    """

    pairs: tuple[PairRow, ...]
    surfaces: tuple[Surface, ...]
    crossings: tuple[Crossing, ...] = ()
    blind: frozenset[str] = frozenset()

    @property
    def real(self) -> tuple[PairRow, ...]:
        """The pairs that the forest shows to interact."""
        return tuple(pair for pair in self.pairs if pair.is_real)

    @property
    def crossed(self) -> tuple[Crossing, ...]:
        """The pairs that what the forest leaves unexplained shows to interact, without those that it shows itself."""
        known = {(frozenset((pair.a, pair.b)), pair.condition) for pair in self.real}
        return tuple(c for c in self.crossings if c.p <= ALPHA and (frozenset((c.a, c.b)), c.condition) not in known)

    def is_shown(self, pair: PairRow) -> bool:
        """Whether the forest, or what it leaves unexplained, shows the pair to interact."""
        places = {(frozenset((c.a, c.b)), c.condition) for c in self.crossed}
        return pair.is_real or (frozenset((pair.a, pair.b)), pair.condition) in places


def interactions(view: View, importance: Importance) -> Interactions:
    """The pairs of the importance, and surfaces over those of most weight: both mains and what they do together.

    The surface is the forest's own pair marginal, so that it shows what the shares speak of, knows choices, and
    is averaged over the other parameters rather than blind to them; a Gaussian process would be smoother, but
    takes every other parameter's effect for noise. Its deviation is over trees, each grown on resampled trials.
    """
    rng = view.rng("interactions")
    by_key = {row.key: row for row in importance.rows}
    found = Interactions(
        pairs=importance.pairs,
        surfaces=(),
        crossings=importance.crossings,
        blind=frozenset(fit.condition for fit in importance.fits if fit.predicts <= 0),
    )
    pairs = sorted(importance.pairs, key=lambda pair: (not found.is_shown(pair), -_weight(pair, by_key)))
    surfaces: list[Surface] = []
    for stratum in strata_of(view):
        own = [p for p in pairs if p.condition == stratum.condition and p.n >= FEWEST_TRIALS and _is_drawn(p, stratum)]
        if own and len(surfaces) < MOST_SURFACES:
            surfaces += _surfaces(view, stratum, own[: MOST_SURFACES - len(surfaces)], by_key, rng)
    return dataclasses.replace(found, surfaces=tuple(surfaces))


def interactions_section(view: View, found: Interactions) -> Section:
    """What the pairs show, the raw trials over the strongest of them, and the fitted surfaces."""
    if not found.pairs:
        why = "fewer than two parameters took more than one value in the same trials"
        return Section(key="interactions", title=TITLE, not_applicable=f"because {why}")
    if not view.n or not np.ptp(view.values) > 0:
        return Section(key="interactions", title=TITLE, not_applicable="because the values do not differ")
    return Section(
        key="interactions",
        title=TITLE,
        findings=tuple(_findings(found)),
        sheets=(_pairs_sheet(found), *(_contour(view, s, found.surfaces) for s in found.surfaces)),
        figures=tuple(_figure(view, s, found) for s in found.surfaces),
        note="A pair's share is what it explains beyond what both explain alone. Chance is what mains that only add "
        "up, and noise of the size of the forest's error, would show. A surface is the forest's prediction averaged "
        "over all other parameters; its deviation is over trees grown on resampled trials.",
    )


def _weight(pair: PairRow, rows: dict[str, ImportanceRow]) -> float:
    return pair.share + sum(rows[key].share for key in (pair.a, pair.b) if key in rows)


def _is_drawn(pair: PairRow, stratum: Stratum) -> bool:
    """Whether both have places enough for a surface, and not too many: a choice stands with all its levels."""
    columns = {c.key: c for c in stratum.columns}
    both = [columns[key] for key in (pair.a, pair.b) if key in columns]
    return len(both) == 2 and all(c.kind == "number" or len(c.levels) <= GRID for c in both)


def _surfaces(
    view: View, stratum: Stratum, pairs: Sequence[PairRow], by_key: dict[str, ImportanceRow], rng: np.random.Generator
) -> Iterator[Surface]:
    kept = dataclasses.replace(stratum, columns=tuple(c for c in stratum.columns if not why_left_out(c, stratum)))
    here, keys = view.among(stratum.rows), [c.key for c in kept.columns]
    x, axes = encoded(kept, here)
    some = np.arange(here.n)
    if here.n > MOST_ROWS:
        some = np.sort(rng.choice(here.n, MOST_ROWS, replace=False))
    forest = fit_forest(x[some], here.values[some], axes, trees=TREES, rng=rng)
    for pair in pairs:
        first, second = sorted((pair.a, pair.b), key=lambda key: -by_key[key].share)
        a, b = keys.index(first), keys.index(second)
        across, up = _scale(kept.columns[a], axes[a], kept), _scale(kept.columns[b], axes[b], kept)
        mean, sd = pair_marginal(forest, a, b, across.places, up.places)
        fitted, fitted_sd = pair_marginal_at(forest, a, b, x[:, a], x[:, b])
        yield Surface(
            pair=pair,
            x=across,
            y=up,
            mean=mean,
            sd=sd,
            rows=np.flatnonzero(stratum.rows),
            at_x=_as_shown(x[:, a], across),
            at_y=_as_shown(x[:, b], up),
            fitted=fitted,
            fitted_sd=fitted_sd,
            n_fitted=len(some),
        )


def _scale(column: Column, axis: ForestAxis, stratum: Stratum) -> Scale:
    categories: tuple[str, ...] = ()
    if axis.is_choice:
        places = np.arange(axis.level_count, dtype=float)
        categories = tuple(setting(column.levels[place]) for place in possible_levels(column, stratum))
    elif 0 < len(axis.grid) <= GRID:
        places = np.array(axis.grid)
    else:
        places = np.linspace(axis.low, axis.high, GRID)
    is_log = column.is_log and not axis.is_choice
    shown = np.exp(places) if is_log else places
    return Scale(
        key=column.key,
        name=column.parameter.name,
        is_log=is_log,
        categories=categories,
        places=places,
        shown=tuple(shown.tolist()),
    )


def _as_shown(places: Floats, scale: Scale) -> Floats:
    return np.exp(places) if scale.is_log else places


def _findings(found: Interactions) -> Iterator[Finding]:
    for pair in found.real:
        where = f" where {pair.condition}" if pair.condition else ""
        low, high = pair.interval
        yield Finding(
            rule="interactions.real",
            subject=f"{pair.a}, {pair.b}",
            sentence=f"{pair.a} and {pair.b} act together{where}: the pair explains {percent_of(pair.share)} of the "
            f"variance beyond what each does alone ({number(100 * low, 0)} … {percent(high)}); "
            f"chance alone reaches {percent_of(pair.null or 0.0)}.",
            evidence=_evidence(pair),
            advice=f"Judge {pair.a} and {pair.b} together: the best value of one depends on the other.",
        )
    yield from (_crossed(crossing) for crossing in found.crossed[:MOST_CROSSED])
    named = {pair.condition for pair in found.real} | {crossing.condition for crossing in found.crossed}
    untested = []
    for condition in dict.fromkeys(pair.condition for pair in found.pairs):
        pairs = [pair for pair in found.pairs if pair.condition == condition]
        if pairs[0].null is None:
            untested.append(pairs[0])
        elif condition not in named:
            yield _nothing_shown(max(pairs, key=lambda pair: pair.share))
    if untested:
        yield _not_tested(untested)


def _crossed(crossing: Crossing) -> Finding:
    where = f" where {crossing.condition}" if crossing.condition else ""
    return Finding(
        rule="interactions.crossed",
        subject=f"{crossing.a}, {crossing.b}",
        sentence=f"{crossing.a} and {crossing.b} act together{where}: what the forest leaves unexplained goes with "
        f"their product (correlation {number(crossing.r, 2)} over {crossing.n:,} trials, {p_phrase(crossing.p)} over "
        "all pairs), so that the effect of one changes with the other.",
        evidence={"n": crossing.n, "r": crossing.r, "p": crossing.p},
        advice=f"Judge {crossing.a} and {crossing.b} together, and fix neither alone.",
    )


def _nothing_shown(strongest: PairRow) -> Finding:
    where = f" where {strongest.condition}" if strongest.condition else ""
    is_beyond = strongest.p is not None and strongest.p <= ALPHA
    within = ", and its interval reaches down to that" if is_beyond else ""
    return Finding(
        rule="interactions.not_shown",
        subject=f"{strongest.a}, {strongest.b}",
        sentence=f"No two parameters are shown to act together{where} at n = {strongest.n:,}. The strongest pair, "
        f"{strongest.a} with {strongest.b}, explains {percent_of(strongest.share)} of the forest's variance; "
        f"chance alone reaches {percent_of(strongest.null or 0.0)}{within}.",
        evidence=_evidence(strongest),
    )


def _not_tested(pairs: Sequence[PairRow]) -> Finding:
    """One pair of each stratum in which no pair could be tested."""
    places = [f"{p.n:,}{f' where {p.condition}' if p.condition else ' in all'}" for p in pairs]
    return Finding(
        rule="interactions.not_tested",
        subject=", ".join(p.condition for p in pairs if p.condition),
        sentence=f"Pairs are tested from {PAIR_TRIALS} trials on, and where there are enough for every parameter; "
        f"there are {listing(places)}.",
        evidence={p.condition or "all": p.n for p in pairs},
    )


def _evidence(pair: PairRow) -> dict[str, Any]:
    return {"n": pair.n, "share": pair.share, "interval": list(pair.interval), "null": pair.null, "p": pair.p}


def _pairs_sheet(found: Interactions) -> Sheet:
    headers = (
        "parameter_a",
        "parameter_b",
        "importance",
        "ci_low",
        "ci_high",
        "null",
        "p",
        "n",
        "condition",
        "is_real",
    )
    rows = tuple((p.a, p.b, p.share, *p.interval, p.null, p.p, p.n, p.condition, p.is_real) for p in found.pairs)
    return Sheet(name="pair_importances", title="What pairs explain beyond both alone", headers=headers, rows=rows)


def _contour(view: View, surface: Surface, every: Sequence[Surface]) -> Sheet:
    x, y = surface.x.name, surface.y.name
    trials = [view.trials[i] for i in surface.rows.tolist()]
    rows = tuple(
        (t.name, t.settings[x], t.settings[y], t.value, mean, sd)
        for t, mean, sd in zip(trials, surface.fitted.tolist(), surface.fitted_sd.tolist(), strict=True)
    )
    return Sheet(
        name=_name(surface, every, "contour_data"),
        title=f"Every trial over {surface.x.key} and {surface.y.key}, and the surface there",
        headers=("trial", "x", "y", "value", "model_mean", "model_sd"),
        rows=rows,
        is_shown=False,
    )


def _name(surface: Surface, every: Sequence[Surface], start: str) -> str:
    """The pair's name; with its conditions only where another pair has the same names."""
    names = [(s.x.name, s.y.name) for s in every]
    is_alone = names.count((surface.x.name, surface.y.name)) == 1
    x, y = (surface.x.name, surface.y.name) if is_alone else (surface.x.key, surface.y.key)
    return f"{start}_{x}_vs_{y}"


def _figure(view: View, surface: Surface, found: Interactions) -> SurfaceFigure:
    pair, n, every = surface.pair, len(surface.rows), found.surfaces
    # Evenly spaced over the trials, so that the last are there as well as the first.
    shown = np.unique(np.linspace(0, n - 1, min(n, MOST_POINTS)).astype(np.int64))
    values = view.values[surface.rows]
    points = zip(surface.at_x[shown].tolist(), surface.at_y[shown].tolist(), values[shown].tolist(), strict=True)
    where = f" where {pair.condition}" if pair.condition else ""
    error = float(np.median(surface.sd))
    shown_to = "" if found.is_shown(pair) else "not "
    is_blind = pair.condition in found.blind
    unseen = " The forest predicts nothing of unseen trials: read no shape into it." if is_blind else ""
    if found.is_shown(pair) and not pair.is_real:
        unseen = " What the two do together stands in what the forest leaves unexplained; the surface hardly shows it."
    few = f" Fitted to {surface.n_fitted:,} of {n:,} trials, drawn at random." if surface.n_fitted < n else ""
    points_left = f" {len(shown):,} of the trials are drawn." if len(shown) < n else ""
    return SurfaceFigure(
        name=_name(surface, every, "contour"),
        title=f"{surface.x.name} and {surface.y.name}{where} are {shown_to}shown to act together on {view.metric.name}",
        caption=f"A random forest's prediction averaged over all other parameters, typically ± "
        f"{number(error, decimals_of(error))}{unit_of(view.metric)}.{unseen}{few}{points_left}",
        x=_axis(surface.x),
        y=_axis(surface.y),
        value_label=view.metric.name,
        is_larger_better=view.metric.sign > 0,
        x_grid=surface.x.shown,
        y_grid=surface.y.shown,
        mean=_rows(surface.mean),
        sd=_rows(surface.sd),
        points=tuple(points),
    )


def _axis(scale: Scale) -> Axis:
    return Axis(label=scale.key, is_log=scale.is_log, categories=scale.categories)


def _rows(grid: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in grid.tolist())
