"""The figures of a report as data: what will be drawn, and the sentence that is its title."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.comparison import numbers_in
from surefoot.reports.sentences import claim_of, detectable_with, single_run_limit
from surefoot.reports.story import ArmStory, ExperimentStory, Story
from surefoot.run import Metric, Run, Status
from surefoot.verdict import Answer, Cause, Decision, End, Verdict
from surefoot.words import (
    count,
    decimals_of,
    duration,
    half_width,
    listing,
    mean_of,
    number,
    percent,
    signed,
    unit_of,
)

MOST_PAIRS_SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A config the champion stood on: every seed's value, exploring and fresh."""

    label: str
    exploring: tuple[float, ...]
    fresh: tuple[float, ...]
    is_claimed: bool

    @property
    def mean(self) -> float:
        """The mean over the exploring seeds, or over the fresh ones where there are no others."""
        return mean_of(self.exploring or self.fresh) or 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """An arm that was not adopted: its mean, and the step of the path at which it was tried."""

    label: str
    after_step: int
    mean: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PathFigure:
    """The path from baseline to champion towards the target."""

    title: str
    caption: str
    metric: Metric
    steps: tuple[Step, ...]
    tried: tuple[Tried, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """An arm's learning curve over the steps that every one of its `n` runs reported."""

    label: str
    is_champion: bool
    n: int
    steps: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvesFigure:
    """The learning curves of one experiment's arms; the band reaches from the lowest seed to the highest."""

    title: str
    caption: str
    metric: Metric
    curves: tuple[Curve, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """One row of the forest: an effect with its interval; `kind` is "arm", "effect" or "fresh"."""

    label: str
    group: str
    kind: str
    estimate: float
    interval: tuple[float, float] | None
    n: int
    word: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ForestFigure:
    """The effects of all arms on the primary metric, and beside them what fresh seeds said of a step."""

    title: str
    caption: str
    metric: Metric
    effects: tuple[Effect, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseFigure:
    """The baseline's seeds, and what n pairs of this study would show."""

    title: str
    caption: str
    metric: Metric
    values: tuple[float, ...]
    mean: float
    sd: float
    single_run_limit: float
    pairs: tuple[int, ...]
    detectable: tuple[float, ...]
    looks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one part of the study trained and reused."""

    label: str
    trained: int
    reused: int
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CostFigure:
    """Runs and hours of the baseline and of each experiment."""

    title: str
    caption: str
    costs: tuple[Cost, ...]


Figure = PathFigure | CurvesFigure | ForestFigure | NoiseFigure | CostFigure


@dataclass(frozen=True, kw_only=True, slots=True)
class NoFigure:
    """Why there is nothing to draw yet, as a sentence."""

    sentence: str


def all_figures(story: Story) -> dict[str, Figure | NoFigure]:
    """Every figure of the report by its file name, in the order of the page."""
    found: dict[str, Figure | NoFigure] = {"path": path_figure(story)}
    for experiment in story.experiments:
        found[f"curves-{experiment.number}"] = curves_figure(experiment, story)
    found.update(forest=forest_figure(story), noise=noise_figure(story), cost=cost_figure(story))
    return found


def path_figure(story: Story) -> PathFigure | NoFigure:
    """The champion's steps, every seed a value, and the arms tried on the way."""
    steps = tuple(
        Step(label=p.label, exploring=p.exploring, fresh=p.fresh, is_claimed=p.is_claimed)
        for p in story.path
        if p.exploring or p.fresh
    )
    if not steps:
        return NoFigure(sentence="The path begins when the baseline has been trained.")
    caption = (
        "Every dot is a seed: filled on exploring seeds, ringed on fresh ones. Bars are means over exploring seeds. "
    )
    caption += "A filled square marks a claimed step; a faint cross an arm that was tried and not adopted."
    return PathFigure(
        title=_path_title(story, steps), caption=caption, metric=story.primary, steps=steps, tried=_tried(story)
    )


def curves_figure(experiment: ExperimentStory, story: Story) -> CurvesFigure | NoFigure:
    """The primary metric over training, the champion first."""
    arms = [*([experiment.champion] if experiment.champion else []), *experiment.arms]
    curves = []
    for arm in arms:
        curve = _curve(arm, story.primary, is_champion=arm is experiment.champion)
        if curve is not None:
            curves.append(curve)
    if not curves or all(len(c.steps) < 2 for c in curves):
        return NoFigure(sentence=f"{experiment.id} has no learning curves of {story.primary.name} yet.")
    caption = "Lines are means over seeds, bands reach from the lowest seed to the highest, over the steps that every "
    caption += "run of an arm reported; diverged and lost runs are left out."
    title = _curves_title(experiment, story)
    return CurvesFigure(title=title, caption=caption, metric=story.primary, curves=tuple(curves))


def forest_figure(story: Story) -> ForestFigure | NoFigure:
    """The effect of every arm and contrast on the primary metric, in the order of the experiments."""
    effects: list[Effect] = []
    for experiment in story.experiments:
        group = f"{experiment.number} · {experiment.id}"
        for name, verdict in experiment.steps.items():
            effects.extend(_effect(name, group, "arm", verdict))
        for contrast in experiment.contrasts:
            if contrast.verdict.prediction.metric == story.primary.name:
                effects.extend(_effect(contrast.label, group, "effect", contrast.verdict))
        claim = claim_of(experiment, story)
        if claim is not None and claim.estimate is not None:
            label = f"{experiment.choice.arm if experiment.choice else claim.step.name}, fresh seeds"
            word = "claimed" if claim.is_confirmed else "not claimed"
            effects.append(
                Effect(
                    label=label,
                    group=group,
                    kind="fresh",
                    estimate=claim.estimate,
                    interval=claim.interval,
                    n=claim.n,
                    word=word,
                )
            )
    if not effects:
        return NoFigure(sentence="No arm has been measured against a champion yet.")
    caption = "Differences from the champion of the time with 95 % t intervals; exploring seeds are round, "
    caption += "fresh seeds square, main effects and interactions diamonds. An open mark rests on one seed."
    if story.primary.min_effect:
        caption += " The grey zone holds differences smaller than the smallest worth having."
    return ForestFigure(title=_forest_title(story), caption=caption, metric=story.primary, effects=tuple(effects))


def noise_figure(story: Story) -> NoiseFigure | NoFigure:
    """The noise floor of the primary metric."""
    metric, noise = story.primary, story.noise.get(story.primary.name)
    values = tuple(numbers_in(story.baseline.values.get(metric.name, ()))) if story.baseline else ()
    mean = mean_of(values)
    if noise is None or mean is None or noise.floor_n < 2 or noise.floor_sd <= 0:
        return NoFigure(sentence="The noise floor is known once two baseline seeds have been trained and differ.")
    last = story.rule.looks[-1]
    pairs = tuple(range(3, max(MOST_PAIRS_SHOWN, last) + 1))
    detectable = tuple(detectable_with(noise, n, story.rule) for n in pairs)
    best, limit = detectable_with(noise, last, story.rule), single_run_limit(noise)
    unit = metric.difference_unit
    title = (
        f"{count(last, 'pair')} would show {number(best, decimals_of(best))}{unit}; "
        f"two single runs must differ by {number(limit, decimals_of(limit))}{unit}"
    )
    caption = (
        "Left, the baseline's seeds with their mean and one standard deviation. Right, the true difference that 80 of "
    )
    caption += "100 comparisons of n pairs would show in this study's noise; the marks are the looks of its race."
    return NoiseFigure(
        title=title,
        caption=caption,
        metric=metric,
        values=values,
        mean=mean,
        sd=noise.floor_sd,
        single_run_limit=limit,
        pairs=pairs,
        detectable=detectable,
        looks=story.rule.looks,
    )


def cost_figure(story: Story) -> CostFigure | NoFigure:
    """Runs and time of each part of the study; what no experiment trained was for confirmation and the end."""
    costs = []
    if story.baseline is not None and story.baseline.runs:
        seconds = math.fsum(r.provenance.wall_seconds for r in story.baseline.runs)
        costs.append(Cost(label="baseline", trained=len(story.baseline.runs), reused=0, seconds=seconds))
    for e in story.experiments:
        if e.runs_trained or e.runs_reused:
            label = f"{e.number} · {e.id}"
            costs.append(Cost(label=label, trained=e.runs_trained, reused=e.runs_reused, seconds=e.train_seconds))
    if not costs:
        return NoFigure(sentence="Nothing has been trained yet, so nothing was spent.")
    ended = sum(n for status, n in story.run_counts.items() if status.lower() not in ("running", "planned"))
    rest = ended - sum(c.trained for c in costs)
    if rest > 0:
        left = max(3600 * story.hours - math.fsum(c.seconds for c in costs), 0.0)
        costs.append(Cost(label="fresh seeds and other runs", trained=rest, reused=0, seconds=left))
    trained, seconds = sum(c.trained for c in costs), math.fsum(c.seconds for c in costs)
    dearest = max(costs, key=lambda c: c.seconds)
    share = (
        f"; {dearest.label} took {percent(dearest.seconds / seconds)} of it" if seconds > 0 and len(costs) > 1 else ""
    )
    title = f"{count(trained, 'run')} in {duration(seconds)} of training{share}"
    caption = "Runs trained (dark) and reused from before (light), and the hours of training."
    return CostFigure(title=title, caption=caption, costs=tuple(costs))


def _path_title(story: Story, steps: Sequence[Step]) -> str:
    metric = story.primary
    if len(steps) == 1:
        if metric.target is None or story.target_gap is None:
            return f"The baseline stands at {_value(steps[0].mean, story)}"
        return f"The baseline stands {_gap(story)} from the target"
    # Exploring seeds chose the champion and so flatter it: fresh ones tell the share, where there are any.
    is_fresh = bool(steps[0].fresh and steps[-1].fresh)
    ends = [mean_of(s.fresh) or 0.0 if is_fresh else s.mean for s in (steps[0], steps[-1])]
    seeds = "fresh seeds" if is_fresh else "exploring seeds"
    gain = metric.sign * (ends[1] - ends[0])
    whole = metric.sign * (metric.target - ends[0]) if metric.target is not None else 0.0
    claimed = [s for s in steps[1:] if s.is_claimed]
    standing = "all claimed" if len(claimed) == len(steps) - 1 else f"{len(claimed)} of {len(steps) - 1} claimed"
    names = listing([p.experiment for p in story.path[1:] if p.experiment]) or count(len(steps) - 1, "step")
    names = names if len(names) <= 48 else count(len(steps) - 1, "step")
    if whole <= 0:
        moved = f"{signed(metric.sign * gain, _digits(story))}{metric.difference_unit}"
        return f"{names} moved {metric.name} by {moved}, {standing}"
    if gain >= whole:
        return f"{names} reached the target on {seeds}, {standing}"
    return f"{names} closed {percent(gain / whole)} of the gap on {seeds}, {standing}"


def _tried(story: Story) -> tuple[Tried, ...]:
    """The arms not adopted, at the step of the path where each met the champion."""
    found, at = [], 0
    steps = [p.experiment for p in story.path]
    for e in story.experiments:
        adopted = e.choice.arm if e.choice is not None and e.choice.decision is Decision.ADOPT else ""
        for arm in e.arms:
            mean = mean_of(numbers_in(arm.values.get(story.primary.name, ())))
            if mean is not None and arm.name != adopted:
                found.append(Tried(label=f"{e.id} / {arm.name}", after_step=at, mean=mean))
        if e.id in steps[1:]:
            at = steps.index(e.id, 1)
    return tuple(found)


def _curve(arm: ArmStory, metric: Metric, *, is_champion: bool) -> Curve | None:
    runs = [_points(run, metric.name) for run in arm.runs if run.status in (Status.COMPLETE, Status.PRUNED)]
    runs = [points for points in runs if points]
    if not runs:
        return None
    common = sorted(set.intersection(*(set(points) for points in runs)))
    values = [[points[step] for points in runs] for step in common]
    return Curve(
        label="champion" if is_champion else arm.name,
        is_champion=is_champion,
        n=len(runs),
        steps=tuple(common),
        mean=tuple(math.fsum(v) / len(v) for v in values),
        low=tuple(min(v) for v in values),
        high=tuple(max(v) for v in values),
    )


def _points(run: Run, metric: str) -> dict[int, float]:
    found = {m.step: m.values[metric] for m in run.measurements if metric in m.values}
    return {step: value for step, value in found.items() if math.isfinite(value)}


def _curves_title(experiment: ExperimentStory, story: Story) -> str:
    fair = {n: v for n, v in experiment.steps.items() if v.cause is not Cause.CONFOUNDED and v.end is not End.DIVERGED}
    measured = {n: v for n, v in fair.items() if v.gain is not None and v.n > 1}
    if not measured:
        return f"{experiment.id}: learning curves so far"
    adopted = experiment.choice.arm if experiment.choice and experiment.choice.decision is Decision.ADOPT else ""
    best = adopted if adopted in measured else max(measured, key=lambda n: measured[n].gain or 0.0)
    v = measured[best]
    assert v.estimate is not None
    size = number(abs(v.estimate), decimals_of(half_width(v.interval)))
    where = "above" if v.estimate > 0 else "below"
    closest = ", which was adopted," if best == adopted else ", the best of its arms," if len(measured) > 1 else ""
    return f"{experiment.id}: {best}{closest} ends {size}{story.primary.difference_unit} {where} the champion"


def _effect(label: str, group: str, kind: str, v: Verdict) -> list[Effect]:
    if v.estimate is None or not math.isfinite(v.estimate):
        return []
    return [Effect(label=label, group=group, kind=kind, estimate=v.estimate, interval=v.interval, n=v.n, word=_word(v))]


def _word(v: Verdict) -> str:
    """What the effect's own verdict says, in a word or two; an effect shown to be a gain is "better", also where
    the opposite was predicted.
    """
    if not v.is_settled:
        return "still racing"
    special = {End.SCREENED: "screened out", End.DIVERGED: "diverged"}
    if v.end in special:
        return special[v.end]
    if v.answer is Answer.INCONCLUSIVE:
        return v.cause.value or "undecided"
    is_supported = v.answer is Answer.SUPPORTED
    if v.prediction.relation in ("same", "between"):
        return "as predicted" if is_supported else "not as predicted"
    if v.prediction.by and not is_supported:
        return "less than predicted"
    return "better" if (v.gain or 0.0) > 0 else "worse"


def _forest_title(story: Story) -> str:
    arms = [v for e in story.experiments for v in e.steps.values() if v.estimate is not None]
    better = sum(v.answer is Answer.SUPPORTED for v in arms)
    of = f"{better} of {count(len(arms), 'arm')} {'is' if better == 1 else 'are'}" if better else "No arm is"
    said = f"{of} better on exploring seeds"
    if not story.claims:
        return f"{said}; none tested on fresh seeds yet"
    claimed = sum(c.is_confirmed for c in story.claims)
    return f"{said}; {claimed} of {count(len(story.claims), 'step')} held on fresh seeds"


def _value(value: float, story: Story) -> str:
    return f"{number(value, _digits(story))}{unit_of(story.primary)}"


def _gap(story: Story) -> str:
    assert story.target_gap is not None
    return f"{number(abs(story.target_gap), _digits(story))}{story.primary.difference_unit}"


def _digits(story: Story) -> int | None:
    noise = story.noise.get(story.primary.name)
    return decimals_of(noise.floor_sd) if noise else None
