"""The figures of a sweep as data: what will be drawn, and the sentence that is its title."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.choosing import Chosen, Standing
from surefoot.comparison import numbers_in
from surefoot.reports.figures import NoFigure
from surefoot.reports.sweep_sentences import decimals_of_choice, number_name, objectives_text
from surefoot.reports.sweep_story import CurveStory, FreshStory, SweepStory, TrialStory
from surefoot.reports.sweep_tables import by_value, honest_value
from surefoot.run import Metric
from surefoot.space import Parameter
from surefoot.words import count, number, percent, setting, unit_of

MOST_SLICES = 12
FEW_TRIALS = 12  # below so many, no share of them is called the best ones
BEST_SHARE = 0.1
REACH = 4  # how far beyond the median, as a multiple of its distance from the best, an axis still goes


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A trial in the history; `kind` is "complete", "barred", "unfinished" (its last value) or "failed" (none)."""

    number: int
    value: float | None
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryFigure:
    """Every trial by its number, and the best so far. What lies beyond `shown` stands at the edge."""

    title: str
    caption: str
    metric: Metric
    marks: tuple[Mark, ...]
    best: tuple[tuple[int, float], ...]
    chosen: int | None
    shown: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshRow:
    """A config on fresh seeds: its exploring value, its seeds in the race and after it, and what they come to.

    `mean` and `interval` rest on the seeds after the race where there are any, else on those of the race.
    """

    label: str
    explored: float | None
    race: tuple[float, ...]
    claim: tuple[float, ...]
    mean: float | None
    interval: tuple[float, float] | None
    is_chosen: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class FreshFigure:
    """The best few by exploring, and what fresh seeds said of them."""

    title: str
    caption: str
    metric: Metric
    rows: tuple[FreshRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """The complete trials over one parameter: (place, value, whether it is among the best), a place being a number
    or, where there are `categories`, the index of one.
    """

    label: str
    is_log: bool
    categories: tuple[str, ...]
    points: tuple[tuple[float, float, bool], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SlicesFigure:
    """The complete trials over each parameter. What lies beyond `shown` stands at the edge."""

    title: str
    caption: str
    metric: Metric
    slices: tuple[Slice, ...]
    shown: tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontFigure:
    """The complete trials over two objectives: (first, second, number, whether it is on the front)."""

    title: str
    caption: str
    metrics: tuple[Metric, Metric]
    points: tuple[tuple[float, float, int, bool], ...]
    shown: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoppingFigure:
    """Learning curves of trials, those that were stopped early among them, and the rungs at which they were judged."""

    title: str
    caption: str
    metric: Metric
    curves: tuple[CurveStory, ...]
    best: int | None
    rungs: tuple[int, ...]
    is_log: bool
    shown: tuple[float, float]


SweepFigure = HistoryFigure | FreshFigure | SlicesFigure | FrontFigure | StoppingFigure


def sweep_figures(story: SweepStory) -> dict[str, SweepFigure | NoFigure]:
    """Every figure of the report by its file name, in the order of the page."""
    found: dict[str, SweepFigure | NoFigure] = {"fresh": fresh_figure(story), "history": history_figure(story)}
    if len(story.sweep.targets) > 1:
        found["front"] = front_figure(story)
    found["slices"] = slices_figure(story)
    if story.sweep.stopping is not None:
        found["stopping"] = stopping_figure(story)
    return found


def history_figure(story: SweepStory) -> HistoryFigure | NoFigure:
    """The first objective of every trial, by number."""
    marks = tuple(_mark(t) for t in story.trials if t.state not in ("RUNNING", "WAITING"))
    values = [m.value for m in marks if m.kind == "complete" and m.value is not None]
    if not values:
        return NoFigure(sentence="No figure of the history, because no trial has a value.")
    if len(marks) < 2:
        return NoFigure(sentence="No figure of the history, because a single trial has none.")
    metric, best = story.objective, story.best_trial
    caption = "Every dot is a trial that went to its end; the line is the best so far, by exploring. "
    if any(m.kind == "unfinished" for m in marks):
        caption += "A faint cross is where a trial was stopped early, which is not comparable with the dots. "
    if any(m.kind == "failed" for m in marks):
        caption += "A tick at the bottom is a trial that failed or diverged. "
    if any(m.kind == "barred" for m in marks):
        caption += "A hollow dot breaks a constraint. "
    stopped = [m.value for m in marks if m.kind == "unfinished" and m.value is not None]
    # Where most were stopped early, an axis for the few others would show the rest at its edge only.
    shown = shown_range([*values, *stopped] if len(stopped) > len(values) else values, metric)
    caption += _beyond(shown, [m.value for m in marks if m.value is not None])
    chosen = story.chosen.number if story.chosen else None
    title = f"{count(len(marks), 'trial')} of {metric.name}, the first objective"
    if best is not None and len(story.sweep.targets) == 1:
        value = f"{number(best.values[0])}{unit_of(metric)}"
        title = f"The best of {count(len(marks), 'trial')} by exploring is trial {best.number}: {metric.name} {value}"
    return HistoryFigure(
        title=title,
        caption=caption.strip(),
        metric=metric,
        marks=marks,
        best=_running_best(marks, metric),
        chosen=chosen,
        shown=shown,
    )


def fresh_figure(story: SweepStory) -> FreshFigure | NoFigure:
    """The winner's curse in one picture: what exploring showed, and what fresh seeds said."""
    chosen, metric = story.chosen, story.objective
    if chosen is None or not story.fresh:
        return NoFigure(sentence=f"No figure of fresh seeds, because {_why_no_fresh(story)}.")
    by_number = {f.number: f for f in story.fresh}
    rows = tuple(_fresh_row(s, chosen, by_number[s.number]) for s in chosen.standings if s.number in by_number)
    caption = (
        "Rings are exploring values, by which a config came into the race; dots are fresh seeds, faint where they "
    )
    caption += (
        "chose among the configs. Bars are means with 95 % intervals; the chosen one's rests on seeds that chose "
    )
    caption += "nothing. A ring on the better side of its bar was luck."
    digits, unit = decimals_of_choice(chosen), unit_of(metric)
    title = f"{count(len(rows), 'config')} on fresh seeds, not settled yet"
    if chosen.estimate is not None:
        title = f"Exploring showed {number(chosen.explored_best, digits)}{unit}; "
        title += f"what is chosen is worth {number(chosen.estimate, digits)}{unit} on fresh seeds"
    return FreshFigure(title=title, caption=caption, metric=metric, rows=rows)


def slices_figure(story: SweepStory) -> SlicesFigure | NoFigure:
    """The first objective over every parameter that varies, one panel each; complete trials only."""
    trials, metric = by_value(story), story.objective
    varied = [p for p in story.sweep.space.parameters if p.level_count != 1]
    if len(trials) < 2 or not varied:
        return NoFigure(sentence="No figure of the parameters, because fewer than two trials have a value.")
    many = max(3, round(BEST_SHARE * len(trials))) if len(trials) >= FEW_TRIALS else 1
    best = {t.number for t in trials[:many]}
    slices = [s for p in varied if (s := _slice(p, trials, best, story)).points]
    values = [t.values[0] for t in trials]
    shown = shown_range(values, metric, has_target=False)
    caption = f"Every dot is a complete trial, the best {many} of {len(trials)} filled dark. Nothing is fitted; trials "
    caption += "are not spread evenly, as the method proposes more where it found good ones. "
    if len(slices) > MOST_SLICES:
        caption += f"The first {MOST_SLICES} of {len(slices)} parameters are shown. "
    title = _slices_title(slices, many, len(trials), metric)
    slices = slices[:MOST_SLICES]
    caption = (caption + _beyond(shown, values)).strip()
    return SlicesFigure(title=title, caption=caption, metric=metric, slices=tuple(slices), shown=shown)


def front_figure(story: SweepStory) -> FrontFigure | NoFigure:
    """The first two objectives against each other."""
    targets = story.sweep.targets
    if len(targets) != 2:
        return NoFigure(
            sentence=f"No figure of the Pareto front, because {len(targets)} objectives do not fit on a page; "
            "the table has them."
        )
    points = tuple((t.values[0], t.values[1], t.number, t.number in story.front) for t in by_value(story))
    if not points:
        return NoFigure(sentence="No figure of the Pareto front, because no trial has a value yet.")
    first, second = targets
    are = "is" if len(story.front) == 1 else "are"
    title = f"{len(story.front)} of {count(len(points), 'trial')} {are} on the Pareto front of {objectives_text(story)}"
    caption = "A trial is on the front where no other is at least as good in both and better in one. Each point is an "
    caption += "exploring value, so luck is part of the front's outer edge."
    shown = (shown_range([p[0] for p in points], first), shown_range([p[1] for p in points], second))
    return FrontFigure(title=title, caption=caption, metrics=(first, second), points=points, shown=shown)


def stopping_figure(story: SweepStory) -> StoppingFigure | NoFigure:
    """The curves of trials, where a stopping rule ended some of them."""
    stopping, metric = story.sweep.stopping, story.objective
    stopped = [t for t in story.trials if t.state in ("PRUNED", "PAUSED")]
    if stopping is None or not stopped:
        return NoFigure(sentence="No figure of early stopping, because no trial was stopped early.")
    if not story.curves:
        why = "trials were judged seed by seed" if stopping.rule == "wilcoxon" else "no curve is on record"
        return NoFigure(sentence=f"No figure of early stopping, because {why}.")
    rungs = _rungs(story)
    steps = [s for c in story.curves for s in c.steps]
    seconds = sum(t.seconds for t in stopped) / max(sum(t.seconds for t in story.trials), 1e-9)
    whole = len(story.trials)
    title = f"{stopping.rule} stopped {len(stopped)} of {count(whole, 'trial')} early: "
    title += f"they took {percent(seconds)} of the training time"
    shown_count = "" if len(story.curves) == whole else f" ({len(story.curves)} of {whole} trials are shown)"
    caption = f"Lines are trials{shown_count}: blue to their end, grey where they were stopped early, dark the best."
    caption += " Dashed lines are the rungs at which they were judged." if rungs else ""
    return StoppingFigure(
        title=title,
        caption=caption,
        metric=metric,
        curves=story.curves,
        best=story.best,
        rungs=rungs,
        is_log=bool(rungs) and max(steps) > 10 * min(steps),
        shown=shown_range([c.values[-1] for c in story.curves], metric),
    )


def shown_range(values: Sequence[float], metric: Metric, *, has_target: bool = True) -> tuple[float, float]:
    """From the best to the worst value that an axis should hold: without those so bad that they would flatten the
    rest, and with the target where it is near.
    """
    best = max(values, key=lambda v: metric.sign * v)
    reach = REACH * abs(statistics.median(values) - best)
    near = [v for v in values if abs(v - best) <= reach] if reach > 0 and len(values) >= 5 else list(values)
    if has_target and metric.target is not None and abs(metric.target - best) <= max(reach, abs(best) * 0.05):
        near.append(metric.target)
    return min(near), max(near)


def _mark(trial: TrialStory) -> Mark:
    if trial.values:
        return Mark(number=trial.number, value=trial.values[0], kind="barred" if trial.barred_by else "complete")
    if trial.state in ("PRUNED", "PAUSED"):
        return Mark(number=trial.number, value=trial.last_value, kind="unfinished")
    return Mark(number=trial.number, value=None, kind="failed")


def _running_best(marks: Sequence[Mark], metric: Metric) -> tuple[tuple[int, float], ...]:
    found: list[tuple[int, float]] = []
    for mark in marks:
        if mark.kind != "complete" or mark.value is None:
            continue
        if not found or metric.sign * (mark.value - found[-1][1]) > 0:
            found.append((mark.number, mark.value))
    return (*found, (marks[-1].number, found[-1][1])) if found else ()


def _beyond(shown: tuple[float, float], values: Sequence[float]) -> str:
    beyond = sum(not shown[0] <= v <= shown[1] for v in values)
    return f"{count(beyond, 'trial')} beyond the axis {'stands' if beyond == 1 else 'stand'} at its edge. " * (
        beyond > 0
    )


def _why_no_fresh(story: SweepStory) -> str:
    if len(story.sweep.targets) > 1:
        return "a front of several objectives is not put to fresh seeds"
    if story.sweep.confirmation is None:
        return "the sweep asks for none"
    return "none has been trained yet" if story.phase != "done" else "no trial could be trained on them"


def _fresh_row(standing: Standing, chosen: Chosen, fresh: FreshStory) -> FreshRow:
    honest = honest_value(standing, chosen)
    is_chosen = standing.number == chosen.number
    parted = len(fresh.values) - fresh.claiming
    interval = chosen.interval if is_chosen and honest is not None else standing.interval if honest is None else None
    return FreshRow(
        label=number_name(standing.number),
        explored=standing.explored,
        race=tuple(numbers_in(fresh.values[:parted])),
        claim=tuple(numbers_in(fresh.values[parted:])),
        mean=standing.mean if honest is None else honest,
        interval=interval,
        is_chosen=is_chosen,
    )


def _slice(parameter: Parameter, trials: Sequence[TrialStory], best: set[int], story: SweepStory) -> Slice:
    name = parameter.name
    there = [t for t in trials if name in t.settings and _holds(parameter, t, story)]
    choices = list(parameter.choices) if parameter.choices else [False, True] if parameter.kind == "bool" else []
    points = tuple(
        (float(_index(choices, t.settings[name]) if choices else t.settings[name]), t.values[0], t.number in best)
        for t in there
    )
    categories = tuple(map(setting, choices))
    return Slice(label=parameter.key, is_log=parameter.log, categories=categories, points=points)


def _holds(parameter: Parameter, trial: TrialStory, story: SweepStory) -> bool:
    """Whether the trial's setting is this parameter's: the same name may stand under several conditions."""
    space = story.sweep.space
    is_conditional = len(space.named(parameter.name)) > 1 or bool(parameter.when)
    exists = not is_conditional or parameter in space.active(trial.settings)
    return exists and parameter.admits(trial.settings[parameter.name])


def _index(choices: Sequence[object], value: object) -> int:
    """Where the value stands among the choices; 1, 1.0 and true are three."""
    return next(i for i, choice in enumerate(choices) if choice == value and type(choice) is type(value))


def _slices_title(slices: Sequence[Slice], many: int, of: int, metric: Metric) -> str:
    """The parameter whose range the best trials narrow most; a plain count where that says nothing."""
    plain = f"{count(of, 'trial')} of {metric.name} over {count(len(slices), 'parameter')}"
    if of < FEW_TRIALS:
        return plain
    found = []
    for s in slices:
        xs = [p[0] for p in s.points]
        best = [p[0] for p in s.points if p[2]]
        if s.categories or len(best) < many or min(xs) == max(xs):
            continue
        share = _share(best, xs, is_log=s.is_log)
        found.append((share, s.label, min(best), max(best)))
    if not found or min(found)[0] > 0.5:
        return plain
    _, label, low, high = min(found)
    return f"The best {many} of {of} trials have {label} {_two_digits(low)} to {_two_digits(high)}"


def _two_digits(value: float) -> str:
    return setting(int(value) if float(value).is_integer() and abs(value) < 1e6 else float(f"{value:.2g}"))


def _share(best: Sequence[float], everything: Sequence[float], *, is_log: bool) -> float:
    scale = math.log if is_log else float
    low, high = scale(min(everything)), scale(max(everything))
    return (scale(max(best)) - scale(min(best))) / (high - low)


def _rungs(story: SweepStory) -> tuple[int, ...]:
    stopping = story.sweep.stopping
    if stopping is None or stopping.rule not in ("asha", "hyperband"):
        return ()
    last = max(s for c in story.curves for s in c.steps)
    found: list[int] = []
    rung = stopping.min_steps
    while rung < last and len(found) < 20:
        found.append(rung)
        rung *= stopping.eta
    return tuple(found)
