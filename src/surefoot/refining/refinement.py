"""Refinement: the next search space, each line with its rule and evidence; what was not concluded; what to expect."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from surefoot.analysis.analysis import Analysis
from surefoot.analysis.exposure import JUDGED
from surefoot.analysis.view import View
from surefoot.parameter import Parameter, is_same
from surefoot.refining.line import Line, Style
from surefoot.refining.narrowing import next_line
from surefoot.refining.promise import Standing, promise
from surefoot.space import Constraint, SearchSpace
from surefoot.stats.noise import pooled_variance, sample_variance
from surefoot.sweep import Expectation
from surefoot.trials import Trial
from surefoot.words import count, listing, percent

USUAL_TRIALS = 40
MOST_FIRST = 3
DECADE = 10.0
DRAWS = 2000  # of the old space, to tell how much of it is left
Scale = Callable[[Any], Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Refinement:
    """The next space. `share` is how much of the old one is searched still (1 where nothing was narrowed).

    `fixed` holds settings that vary no longer, `carried` the names of the trials that lie in the new space, `first` the
    best of them. `not_concluded` says in sentences what a reader might expect and the trials do not show, and what
    it would take. `expectation` is what the next search should come to.
    """

    style: Style
    lines: tuple[Line, ...]
    space: SearchSpace
    fixed: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0
    carried: tuple[str, ...] = ()
    first: tuple[Mapping[str, Any], ...] = ()
    not_concluded: tuple[str, ...] = ()
    expectation: Expectation | None = None
    trials: int = USUAL_TRIALS

    def definition(self) -> dict[str, Any]:
        """The refinement as JSON."""
        expected = self.expectation
        return {
            "style": self.style,
            "share": self.share,
            "lines": [line.definition() for line in self.lines],
            "fixed": dict(self.fixed),
            "carried": list(self.carried),
            "not_concluded": list(self.not_concluded),
            "expectation": expected and {"between": [expected.low, expected.high], "against": expected.against},
            "trials": self.trials,
        }


def refine(
    analysis: Analysis,
    *,
    style: Style = "conservative",
    trials: int | None = None,
    limits: SearchSpace | None = None,
    claim_seeds: int = 5,
) -> Refinement:
    """The next space for these trials; `limits` is how far the workload itself allows a range to go.

    Where the analysis found that the trials show nothing at all (the metric depends on a searched parameter, the best
    is within luck), no line is narrowed and the reasons say so.
    """
    view = analysis.view
    barred = _barred(analysis)
    lines = [next_line(analysis, p, style=style, barred=barred, limits=limits) for p in view.table.space.parameters]
    space, fixed, lines = settled(view.table.space, lines)
    inside = [
        space.admits(_searched(t.settings, fixed, space)) and _agrees(t.settings, fixed) for t in view.table.trials
    ]
    carried = [t for t, is_in in zip(view.table.trials, inside, strict=True) if is_in and t.state in JUDGED]
    further = trials or _usual_trials(view)
    ranked = sorted((t for t in carried if t.value is not None), key=lambda t: -view.metric.sign * (t.value or 0.0))
    return Refinement(
        style=style,
        lines=tuple(lines),
        space=space,
        fixed=fixed,
        share=share_left(view.table.space, lines, rng=view.rng("share")),
        carried=tuple(t.name for t in carried),
        first=_first(ranked, fixed, space),
        not_concluded=(*_not_concluded(analysis, lines, barred), *_of_a_grid(view, space, inside)),
        expectation=_expectation(view, analysis, [t.name for t in ranked], further, claim_seeds),
        trials=further,
    )


def _first(ranked: Sequence[Trial], fixed: Mapping[str, Any], space: SearchSpace) -> tuple[Mapping[str, Any], ...]:
    """The configs of the best trials, each once."""
    found: list[Mapping[str, Any]] = []
    for trial in ranked:
        config = _searched(trial.settings, fixed, space)
        if config not in found:
            found.append(config)
    return tuple(found[:MOST_FIRST])


def _barred(analysis: Analysis) -> str:
    """Why nothing may be concluded from these trials at all; empty where something may."""
    for finding in analysis.findings:
        if finding.severity == "critical" and finding.rule.split(".")[0] in ("instruments", "learnability"):
            return finding.sentence
    return ""


def _usual_trials(view: View) -> int:
    sweep = view.table.sweep
    return (sweep.budget.trials if sweep is not None else None) or USUAL_TRIALS


def _searched(settings: Mapping[str, Any], fixed: Mapping[str, Any], space: SearchSpace) -> dict[str, Any]:
    names = set(space.names())
    return {name: value for name, value in settings.items() if name in names and name not in fixed}


def _agrees(settings: Mapping[str, Any], fixed: Mapping[str, Any]) -> bool:
    """Whether a trial has the fixed settings as they are now."""
    return all(name not in settings or is_same(settings[name], value) for name, value in fixed.items())


def settled(space: SearchSpace, lines: Sequence[Line]) -> tuple[SearchSpace, dict[str, Any], list[Line]]:
    """The space of what still varies, what is fixed, and the lines with every condition as it can still hold.

    What a parent that is fixed, or has fewer values, can no longer bring about is dropped, and what hung on that too.
    """
    fixed = {line.before.name: line.value for line in lines if line.action == "fixed"}
    told = list(lines)
    while True:
        before = told
        told = [_under(line, fixed, told) for line in told]
        kept = [line.after for line in told if line.after is not None]
        found = SearchSpace(parameters=tuple(kept), constraints=_constraints(space, kept, fixed))
        never = {kept[place].key for place, _ in found.mistakes() if place is not None and kept[place].when}
        told = [_dropped(line) if line.after is not None and line.after.key in never else line for line in told]
        if told == before:
            return found, fixed, told


def _under(line: Line, fixed: Mapping[str, Any], lines: Sequence[Line]) -> Line:
    """The line with its conditions as they can still hold; a dropped one where they cannot."""
    if line.after is None:
        return line
    when: dict[str, tuple[Any, ...]] = {}
    for name, values in line.after.when.items():
        if name in fixed:
            if not any(is_same(value, fixed[name]) for value in values):
                return _dropped(line)
            continue
        parents = [other.after for other in lines if other.before.name == name and other.after is not None]
        left = tuple(value for value in values if any(parent.admits(value) for parent in parents))
        if not left:
            return _dropped(line)
        when[name] = left
    return replace(line, after=replace(line.after, when=when))


def _dropped(line: Line) -> Line:
    parents = listing(list(line.before.when))
    reason = f"it exists only under values of {parents} that are searched no longer"
    return replace(line, after=None, action="dropped", rule="refine.condition", reason=reason, p=None, share=1.0)


def _constraints(space: SearchSpace, kept: Sequence[Parameter], fixed: Mapping[str, Any]) -> tuple[Constraint, ...]:
    """Those that still say something: fixed numbers in the place of their names, none on what exists no longer."""
    gone = {p.name for p in space.parameters} - {p.name for p in kept} - set(fixed)
    given = [c.given(fixed) for c in space.constraints if gone.isdisjoint(c.names)]
    return tuple(c for c in given if c.names)


def share_left(space: SearchSpace, lines: Sequence[Line], *, rng: np.random.Generator) -> float:
    """The chance that a config drawn from the old space lies in the new one, fixed settings aside.

    Exact without conditions; with them the mean over drawn configs, in which only what exists counts.
    """
    by_key = {line.before.key: line for line in lines}
    if not any(line.before.when for line in lines):
        return math.prod(line.share for line in lines)
    parents = {name for line in lines for name in line.before.when}
    total = 0.0
    for _ in range(DRAWS):
        settings = space.build(lambda parameter: parameter.value_at(rng.random()))
        active = [by_key[parameter.key] for parameter in space.active(settings)]
        total += math.prod(_part(line, settings) if line.before.name in parents else line.share for line in active)
    return total / DRAWS


def _part(line: Line, settings: Mapping[str, Any]) -> float:
    """Whether a parent's value is searched still."""
    return 1.0 if line.after is None or line.after.admits(settings[line.before.name]) else 0.0


def _expectation(
    view: View, analysis: Analysis, carried: Sequence[str], further: int, claim_seeds: int
) -> Expectation | None:
    """What the next search should come to, in the objective; None where the noise of a run is not known.

    Values that are all positive and span a decade are thought of in logarithms, as losses are: no range then
    reaches below 0.
    """
    to, back = _scale(view)
    sd, df = _noise(analysis, to)
    if not df:
        return None
    standing = _standing(view, sd, claim_seeds, to)
    inside = {*carried, *([view.trials[standing.place].name] if standing else [])}
    rows = [i for i, trial in enumerate(view.trials) if trial.name in inside]
    if standing is not None:
        standing = replace(standing, place=rows.index(standing.place))
    found = promise(
        view.metric.sign * to(view.values[rows]),
        sign=view.metric.sign,
        sd=sd,
        df=df,
        further=further,
        claim_seeds=claim_seeds,
        rng=view.rng("promise"),
        standing=standing,
    )
    if found is None:
        return None
    low, high = _possible(view, float(back(found.low)), float(back(found.high)))
    # The mean itself, as the sweep's report claims it: that of the logarithms is another one.
    against = None if standing is None else math.fsum(standing.values) / len(standing.values)
    return Expectation(low=low, high=high, against=against)


def _possible(view: View, low: float, high: float) -> tuple[float, float]:
    """The range within what such a metric can be: a share ends at 1 or 100 %, what is never negative at 0."""
    least, most = float(view.values.min()), float(view.values.max())
    end = 100.0 if view.metric.unit == "%" else 1.0
    is_share = view.metric.goal == "maximize" and least >= 0 and most <= end
    return max(low, 0.0) if least >= 0 else low, min(high, end) if is_share else high


def _scale(view: View) -> tuple[Scale, Scale]:
    is_log = view.n > 0 and view.values.min() > 0 and view.values.max() > DECADE * view.values.min()
    return (np.log, np.exp) if is_log else (np.asarray, np.asarray)


def _noise(analysis: Analysis, to: Scale) -> tuple[float, float]:
    """The standard deviation of one run and its degrees of freedom, on that scale; 0 where nothing was repeated.

    Fresh seeds speak before repeats within the search: they are of the best configs, which the promise is about.
    """
    table = analysis.view.table
    trials = [t.per_seed for t in table.complete if len(t.per_seed) > 1]
    sets = [values for values in table.fresh.values() if len(values) > 1] or trials
    if not sets and analysis.noise is not None and to is np.asarray:
        return analysis.noise.run_sd, analysis.noise.df
    dfs = [len(values) - 1 for values in sets]
    return math.sqrt(pooled_variance([sample_variance(to(np.array(v)).tolist()) for v in sets], dfs)), sum(dfs)


def _standing(view: View, sd: float, claim_seeds: int, to: Scale) -> Standing | None:
    """The config with the most fresh seeds, which the race chose, by the last of them: those chose nothing."""
    known = {name: values for name, values in view.table.fresh.items() if len(values) >= 2}
    places = {trial.name: i for i, trial in enumerate(view.trials)}
    names = [name for name in known if name in places]
    if not names:
        return None
    name = max(names, key=lambda name: len(known[name]))
    values = known[name][-claim_seeds:]
    mean = float(to(np.array(values)).mean())
    return Standing(place=places[name], mean=mean, error=sd / math.sqrt(len(values)), values=values)


def _not_concluded(analysis: Analysis, lines: Sequence[Line], barred: str) -> tuple[str, ...]:
    """What the trials do not show, and what it would take to tell."""
    found = [f"Anything from these trials, so that no range changed: {barred}"] if barred else []
    silent = [line.before.key for line in lines if line.rule == "refine.nothing_shown"]
    if silent:
        found.append(
            f"Whether {listing(silent, 'or')} matters: not shown with {count(analysis.view.n, 'trial')}, which is not "
            "the same as no effect. About four times as many trials would halve the smallest effect that shows."
        )
    if analysis.noise is None and not analysis.view.table.fresh:
        found.append(
            "How noisy one run is: no config was repeated. Three more seeds of the best config and of a middling one "
            "would tell which ranks are ties, and let the next search promise a range."
        )
    elites = analysis.elites
    is_by_elites = any("refine.elites" in line.rule or "refine.levels" in line.rule for line in lines)
    if is_by_elites and elites.chosen_by_model and elites.independent is None:
        found.append(
            f"How much of the elites' crowding is the sampler's own doing: it chose {elites.chosen_by_model} of "
            f"{count(elites.started, 'trial')} by their results. Twelve and more drawn at random could contradict it."
        )
    fixed = listing([line.before.key for line in lines if line.action == "fixed"])
    if fixed:
        found.append(f"That {fixed} never matters: fixed because nothing showed here; other ranges were not tried.")
    return tuple(found)


def _of_a_grid(view: View, space: SearchSpace, inside: Sequence[bool]) -> tuple[str, ...]:
    """That a grid has little new to try, where it is one: its points are known, and narrowing adds none."""
    sweep = view.table.sweep
    if sweep is None or sweep.method.name != "grid":
        return ()
    points, tried = space.grid_size(is_constrained=False), sum(inside)
    if points - tried > tried:
        return ()
    return (
        f"What lies between the points of the grid: of {points:,} that are left {tried:,} were tried. "
        "Give a finer step, or another method, to learn more there.",
    )


def share_text(refinement: Refinement) -> str:
    """ "12 % of the old space is searched still, and 2 parameters are fixed"."""
    fixed = len(refinement.fixed)
    also = f", and {count(fixed, 'parameter')} {'is' if fixed == 1 else 'are'} fixed" if fixed else ""
    if refinement.share >= 0.9995:
        return f"all of the old space is searched still{also}"
    shown = percent(refinement.share) if refinement.share >= 0.01 else f"{100 * refinement.share:.2g} %"
    return f"{shown} of the old space is searched still{also}"
