"""Elites: what the best trials share, against how often it was tried."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surefoot.analysis.column import Column, Floats, Integers
from surefoot.analysis.elite_figures import elite_panels
from surefoot.analysis.exposure import Exposure, among, exposure, is_independent, is_model
from surefoot.analysis.noise import NoiseFloor
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.shares import LEVEL, LevelShare, RangeShare, level_shares, range_shares
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.parameter import is_same
from surefoot.words import count, listing, number, p_phrase, p_value, percent, setting, unit_of

__all__ = ["Elites", "LevelShare", "RangeShare", "best_rows", "elites", "elites_section"]

ELITE_FRACTION = 0.25
# Below eight trials a quarter is one trial, which shares everything with itself.
FEWEST = 8
FEWEST_INDEPENDENT = 12
# From this share of the elites on, a person would fix the level.
AGREEMENT = 0.75
MOST_ENRICHED, MOST_NAMED, MOST_SHARED = 3, 5, 6
TITLE = "What the best trials share"


@dataclass(frozen=True, kw_only=True, slots=True)
class Elites:
    """The best quarter of the `n` complete trials, and what they share.

    `rows` are their places in the view, the best first; `wanted` is a quarter of n rounded up, and there are
    more rows where trials tie at the value of the last (`cut`). `near_best` are the places of those not worse
    than the best by more than `standard_error`, the noise floor of a trial's value; empty where it is not known.
    `origins` counts who proposed the started trials. `independent` is the same of the trials alone that were
    drawn without a look at results, where a model chose others and at least twelve of them completed.
    """

    n: int
    n_elite: int
    wanted: int
    started: int
    cut: float | None
    rows: tuple[int, ...]
    near_best: tuple[int, ...]
    standard_error: float | None
    origins: tuple[tuple[str, int], ...]
    levels: tuple[LevelShare, ...]
    ranges: tuple[RangeShare, ...]
    independent: Elites | None = None

    @property
    def chosen_by_model(self) -> int:
        """How many of the started trials a sampler chose from earlier results."""
        return sum(n for origin, n in self.origins if is_model(origin))

    def levels_of(self, key: str) -> tuple[LevelShare, ...]:
        """The levels of one parameter."""
        return tuple(level for level in self.levels if level.key == key)


def elites(view: View, noise: NoiseFloor | None = None) -> Elites:
    """The elites of a view; draws nothing, so the same view gives the same elites."""
    exposed = exposure(view)
    found = _elites(view, exposed)
    if noise is not None and view.n:
        near = np.flatnonzero(view.gains >= view.gains.max() - noise.sd)
        found = replace(found, near_best=_best_first(view.gains, near), standard_error=noise.sd)
    if not found.chosen_by_model:
        return found
    alone = np.array([is_independent(t.origin) for t in exposed.trials], dtype=bool)
    rows = np.flatnonzero(alone[exposed.complete])
    if len(rows) < FEWEST_INDEPENDENT:
        return found
    return replace(found, independent=_elites(*among(view, exposed, alone)))


def best_rows(gains: Floats, fraction: float = ELITE_FRACTION) -> tuple[int, ...]:
    """The places of the best `fraction` (rounded up), the best first, with all that tie with the last of them."""
    if not len(gains):
        return ()
    cut = np.sort(gains)[-math.ceil(fraction * len(gains))]
    return _best_first(gains, np.flatnonzero(gains >= cut))


def _best_first(gains: Floats, rows: Integers) -> tuple[int, ...]:
    return tuple(int(i) for i in rows[np.argsort(-gains[rows], kind="stable")])


def _elites(view: View, exposed: Exposure) -> Elites:
    rows = best_rows(view.gains)
    is_elite = exposed.where(np.array(rows, dtype=np.int64))
    is_complete = exposed.where(np.arange(view.n))
    return Elites(
        n=view.n,
        n_elite=len(rows),
        wanted=math.ceil(ELITE_FRACTION * view.n),
        started=len(exposed.trials),
        cut=float(view.values[rows[-1]]) if rows else None,
        rows=rows,
        near_best=(),
        standard_error=None,
        origins=tuple(Counter(t.origin for t in exposed.trials).most_common()),
        levels=level_shares(exposed.columns, is_elite, is_complete),
        ranges=range_shares(exposed.columns, is_elite, is_complete),
    )


def elites_section(view: View, found: Elites) -> Section:
    """What the elites share, and whether it is evidence."""
    silence = _silence(found)
    if silence:
        return Section(key="elites", title=TITLE, not_applicable=silence)
    findings = [*_about_the_elites(view, found)]
    told = [_about_levels(view, found, column) for column in view.columns]
    findings += _about_agreement(view, found)
    findings += [finding for some in told for finding in some]
    return Section(
        key="elites",
        title=TITLE,
        findings=(*findings, *_about_ranges(view, found)),
        sheets=tuple(_sheets(view, found)),
        figures=elite_panels(exposure(view), found.rows, found.levels, found.ranges),
        note=_note(found),
    )


def _silence(found: Elites) -> str:
    if found.n < FEWEST:
        return f"because {count(found.n, 'trial')} completed, and a best quarter worth the name takes {FEWEST}."
    if 2 * found.n_elite > found.n:
        return f"because {found.n_elite} of {found.n} trials tie at the value that begins the best quarter."
    if not found.levels and not found.ranges:
        return "because no parameter took more than one value."
    return ""


def _note(found: Elites) -> str:
    start = (
        f"The elites are the best {found.n_elite} of {found.n} complete trials. What they share is set against how "
        f"often it was tried in all {found.started} trials that were started. p is the chance that as many trials "
        "drawn at random would share it; q allows for all levels, or all ranges, that were tested."
    )
    if any(origin for origin, _ in found.origins):
        return start
    return start + " Nobody says who chose these trials; where a sampler did, it tried more often what did well before."


def _about_the_elites(view: View, found: Elites) -> list[Finding]:
    findings = []
    if found.n_elite > found.wanted and found.cut is not None:
        findings.append(
            Finding(
                rule="elites.ties",
                subject=view.metric.name,
                sentence=f"{found.n_elite} trials count as elites where a quarter of {found.n} is {found.wanted}: "
                f"several tie at {number(found.cut)}{unit_of(view.metric)}.",
                evidence={"n_elite": found.n_elite, "n": found.n, "wanted": found.wanted, "cut": found.cut},
            )
        )
    if found.standard_error is not None:
        findings.append(_about_noise(view, found))
    if found.chosen_by_model:
        findings.append(_about_the_sampler(view, found))
    return findings


def _about_noise(view: View, found: Elites) -> Finding:
    near, error = len(found.near_best), number(found.standard_error or 0.0)
    is_wide = near > found.n_elite
    text = (
        f"{count(near, 'trial')} of {found.n} {'is' if near == 1 else 'are'} not worse than the best by more than one "
        f"standard error of the noise, {error}{view.metric.difference_unit}"
    )
    more = f"; the best quarter is {found.n_elite} of them, and which ones is partly luck" if is_wide else ""
    return Finding(
        rule="elites.near_best",
        subject=view.metric.name,
        sentence=text + more + ".",
        severity="warning" if is_wide else "info",
        evidence={
            "near_best": near,
            "n": found.n,
            "n_elite": found.n_elite,
            "standard_error": found.standard_error,
            "trials": [view.trials[i].name for i in found.near_best],
        },
        advice="Run the best few again on fresh seeds before telling them apart." if near > 1 else "",
    )


def _about_the_sampler(view: View, found: Elites) -> Finding:
    models = [origin for origin, _ in found.origins if is_model(origin)]
    drawn = sum(n for origin, n in found.origins if is_independent(origin))
    has_evidence = any(s.is_evidence for s in found.levels) or any(s.is_evidence for s in found.ranges)
    text = (
        f"A sampler ({listing(models)}) chose {found.chosen_by_model} of the {found.started} trials from earlier "
        "results. It tries more often what did well, and its later trials are better in other ways too, so that "
        "what elites share is partly its own choice."
    )
    alone = found.independent
    if alone is None:
        text += f" Of those drawn without it fewer than {FEWEST_INDEPENDENT} completed: too few to be tested apart."
    else:
        text += f" The {count(alone.n, 'complete trial')} drawn without it are tested apart."
    return Finding(
        rule="elites.sampler",
        subject=view.metric.name,
        sentence=text,
        severity="warning" if has_evidence else "info",
        evidence={
            "chosen_by_model": found.chosen_by_model,
            "started": found.started,
            "independent": drawn,
            "independent_complete": 0 if alone is None else alone.n,
        },
        advice="Read the trials drawn without the sampler first." if alone else "",
    )


def _about_levels(view: View, found: Elites, column: Column) -> list[Finding]:
    """One finding for a parameter that elites seem to agree on, or several levels that really are enriched."""
    levels = found.levels_of(column.key)
    if not levels or levels[0].n_elite < 2:
        return []
    enriched = sorted((level for level in levels if level.is_evidence), key=lambda level: level.p)
    if enriched:
        return [_enriched(view, found, column, level) for level in enriched[:MOST_ENRICHED]]
    level = max(levels, key=lambda level: (level.k, -level.p))
    if level.share < AGREEMENT or level.k == level.n_elite:
        return []
    verdict = " That is no evidence for it."
    if level.is_testable and level.p < LEVEL:
        verdict = f" Corrected for all levels tested it is not shown ({_q_phrase(level.q)})."
    return [
        Finding(
            rule="elites.exceptions",
            subject=column.key,
            sentence=_counted(column, level) + "." + verdict + _exceptions(view, found, column, level),
            evidence=_evidence(level),
            advice=f"Do not fix {column.parameter.name} on this; compare its levels on paired seeds.",
        )
    ]


def _about_agreement(view: View, found: Elites) -> list[Finding]:
    """One finding for all levels that every elite has and that are no evidence for it."""
    enriched = {level.key for level in found.levels if level.is_evidence}
    shared = [k for k in found.levels if k.k == k.n_elite >= 2 and k.key not in enriched]
    if not shared:
        return []
    said = []
    for level in shared:
        column = view.column(level.key)
        where = f"where {column.condition}, " if column.condition else ""
        first = level is shared[0]
        tried = (
            f"{level.tried} of the {level.started} trials tried did" if first else f"{level.tried} of {level.started}"
        )
        chance = f"chance alone gives that in {_draws(level.p)}" if first else _draws(level.p).removesuffix(" of draws")
        said.append(f"{where}{column.parameter.name} {setting(level.level)} ({tried}: {chance})")
    if len(said) > MOST_SHARED:
        said = [*said[:MOST_SHARED], f"{len(said) - MOST_SHARED} more"]
    is_one = len(shared) == 1
    verdict = "That is no evidence for it." if is_one else "None of that is evidence for them."
    if any(level.is_testable and level.p < LEVEL for level in shared):
        least = min(level.q for level in shared)
        verdict = f"Corrected for all levels tested, none of that is shown to be more than chance ({_q_phrase(least)})."
    return [
        Finding(
            rule="elites.convergence",
            subject=listing([level.key for level in shared]),
            sentence=f"All {shared[0].n_elite} elites used {listing(said)}. {verdict}",
            severity="warning",
            evidence={level.key: _evidence(level) for level in shared},
            advice=f"Do not fix {'it' if is_one else 'them'} on this; compare {'its' if is_one else 'their'} levels on "
            "paired seeds.",
        )
    ]


def _draws(p: float) -> str:
    """How often chance alone does it: "19 % of draws"."""
    return f"{percent(p)} of draws" if p >= 0.01 else f"fewer than 1 of 100 draws ({p_phrase(p)})"


def _enriched(view: View, found: Elites, column: Column, level: LevelShare) -> Finding:
    text = _counted(column, level) + f" ({_q_phrase(level.q)})."
    evidence = _evidence(level)
    if level.p_complete > LEVEL:
        text += (
            f" Among the {level.complete} complete trials alone it is no evidence ({p_phrase(level.p_complete)}): "
            "trials with it were ended less often, which need not mean that they score better."
        )
    for alone in found.independent.levels_of(column.key) if found.independent else ():
        if is_same(alone.level, level.level):
            text += (
                f" Among the trials drawn without the sampler {alone.k} of the {alone.n_elite} elites and "
                f"{alone.tried} of the {alone.started} trials had it ({p_phrase(alone.p)})."
            )
            evidence["independent"] = _evidence(alone)
    return Finding(
        rule="elites.enriched",
        subject=column.key,
        sentence=text + _exceptions(view, found, column, level),
        evidence=evidence,
        advice=f"Try {setting(level.level)} more often; fix it only after a comparison on paired seeds.",
    )


def _counted(column: Column, level: LevelShare) -> str:
    """ "5 of the 5 elites used norm batch; 15 of the 20 trials tried did: chance alone gives that in 19 % of draws"."""
    where = f" where {column.condition}" if column.condition else ""
    return (
        f"{level.k} of the {level.n_elite} elites{where} used {column.parameter.name} {setting(level.level)}; "
        f"{level.tried} of the {level.started} trials tried{' there' if where else ''} did: chance alone gives "
        f"{'that' if level.k == level.n_elite else 'that or more'} in {_draws(level.p)}"
    )


def _exceptions(view: View, found: Elites, column: Column, level: LevelShare) -> str:
    """The elites that have another level, with their ranks, as a sentence after a space; empty where all agree."""
    name = column.parameter.name
    others = [
        f"{view.trials[i].name} (rank {rank}, {number(view.values[i])}{unit_of(view.metric)}) has "
        f"{setting(view.trials[i].settings[name])}"
        for rank, i in enumerate(found.rows, start=1)
        if column.active[i] and not is_same(view.trials[i].settings[name], level.level)
    ]
    if not others or level.share < AGREEMENT:
        return ""
    more = [] if len(others) <= MOST_NAMED else [f"{len(others) - MOST_NAMED} more have others"]
    return f" Not all elites have it: trial {listing([*others[:MOST_NAMED], *more])}."


def _evidence(level: LevelShare) -> dict[str, Any]:
    names = ("level", "k", "n_elite", "tried", "started", "p", "q", "tried_complete", "complete", "p_complete")
    return {name: getattr(level, name) for name in names}


def _about_ranges(view: View, found: Elites) -> list[Finding]:
    findings = [_crowded(view, found, share) for share in found.ranges if share.is_evidence]
    loose = [share for share in found.ranges if not share.is_evidence]
    if not loose:
        return findings
    names = listing([share.key for share in loose])
    least = min(share.p for share in loose)
    halves = "middle half lies" if len(loose) == 1 else "middle halves lie"
    return [
        *findings,
        Finding(
            rule="elites.range_chance",
            subject=names if len(loose) == 1 else view.metric.name,
            sentence=f"In {names} the elites' {halves} no closer together than chance explains (the least "
            f"p, before correction, is {p_value(least)}).",
            evidence={"least_p": least, "p": {share.key: share.p for share in loose}},
            advice="Do not narrow a range to where these elites happen to lie.",
        ),
    ]


def _crowded(view: View, found: Elites, share: RangeShare) -> Finding:
    column = view.column(share.key)
    where = f" where {column.condition}" if column.condition else ""
    text = (
        f"The {share.n_elite} elites{where} have {column.parameter.name} between {number(share.low)} and "
        f"{number(share.high)}, the middle half of them between {number(share.middle[0])} and "
        f"{number(share.middle[1])}: closer together than chance explains ({p_phrase(share.p)}, {_q_phrase(share.q)}; "
        f"{percent(share.within)} of the trials tried lie in the whole range)."
    )
    evidence = {name: getattr(share, name) for name in RangeShare.__slots__}
    for alone in found.independent.ranges if found.independent else ():
        if alone.key == share.key:
            text += f" Among the trials drawn without the sampler {p_phrase(alone.p)}."
            evidence["independent_p"] = alone.p
    return Finding(
        rule="elites.range",
        subject=share.key,
        sentence=text,
        evidence=evidence | {"middle": list(share.middle)},
        advice="Search there more densely, and keep a share of the trials for the rest of the range.",
    )


def _sheets(view: View, found: Elites) -> Iterator[Sheet]:
    names = [c.key for c in view.columns]
    near = set(found.near_best)
    yield Sheet(
        name="elites",
        title="The best quarter",
        headers=("rank", "trial", view.metric.name, "is_near_best", *names),
        rows=tuple(
            (
                rank,
                view.trials[i].name,
                float(view.values[i]),
                i in near,
                *(view.trials[i].settings[c.parameter.name] if c.active[i] else None for c in view.columns),
            )
            for rank, i in enumerate(found.rows, start=1)
        ),
        is_shown=False,
    )
    yield _levels_sheet("elites_levels", "Levels among the elites, against how often they were tried", found)
    yield _ranges_sheet("elites_ranges", "Ranges of the elites, against what was tried", found)
    if found.independent:
        title = "Levels among the elites of the trials drawn without the sampler"
        yield _levels_sheet("elites_levels_independent", title, found.independent)


def _levels_sheet(name: str, title: str, found: Elites) -> Sheet:
    measured = ("k", "n_elite", "tried", "started", "tried_complete", "complete", "share", "share_tried")
    tested = ("p", "q", "p_complete", "is_testable")
    rows = tuple(
        (level.key, level.condition, level.level, *(getattr(level, name) for name in (*measured, *tested)))
        for level in found.levels
    )
    return Sheet(name=name, title=title, headers=("parameter", "condition", "level", *measured, *tested), rows=rows)


def _ranges_sheet(name: str, title: str, found: Elites) -> Sheet:
    headers = ("parameter", "condition", "n_elite", "started", "low", "q25", "median", "q75", "high")
    tried = ("tried_low", "tried_high", "within", "p", "q", "p_complete")
    rows = tuple(
        (
            *(s.key, s.condition, s.n_elite, s.started, s.low, s.middle[0], s.median, s.middle[1], s.high),
            *(getattr(s, name) for name in tried),
        )
        for s in found.ranges
    )
    return Sheet(name=name, title=title, headers=(*headers, *tried), rows=rows)


def _q_phrase(q: float) -> str:
    return p_phrase(q).replace("p", "q", 1)
