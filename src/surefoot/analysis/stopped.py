"""Stopped: what stopping trials early saved, and what it may have cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Literal

import numpy as np

from surefoot.analysis.association import Association, association_of, rank_correlation
from surefoot.analysis.column import Column, Floats, columns_of
from surefoot.analysis.convergence import objective_curve
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding, finding_of
from surefoot.stats.intervals import share_interval
from surefoot.stats.multiplicity import benjamini_hochberg
from surefoot.trials import Trial
from surefoot.words import count, duration, heading_of, listing, number, p_phrase, percent, setting

KEY, TITLE = "stopping", "What stopping early saved and cost"
_finding = partial(finding_of, KEY)
LEVEL = 0.05
FEWEST = 8
MOST_RUNGS = 5
TOP_SHARE = 0.25
NOTABLE_SHARE = 0.2
MOST_TOLD = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What the stopped trials spent of one thing ("seconds", "steps" or a budget's name), and would have spent.

    `n` of them say what they spent; `full` is the median of the complete trials.
    """

    what: str
    n: int
    spent: float
    full: float

    @property
    def share(self) -> float:
        """What was saved of their full length."""
        return 1 - self.spent / (self.n * self.full)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """What the value at a step said of the final one, over the `n` complete trials with a value there.

    `top` of them ended in the top quarter; `floor` is the worst value at the step that one of these had. `stopped`
    trials were stopped at the step, `above_floor` of them no worse than the floor. Of the `low` complete trials no
    better there than the median stopped one, `low_top` ended in the top quarter. `threshold` is that median.
    """

    step: float
    n: int
    rho: float
    p: float
    top: int
    floor: float
    stopped: int
    above_floor: int
    threshold: float
    low: int
    low_top: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaning:
    """A parameter that the stopped trials and the complete ones differ in; `q` over all parameters."""

    key: str
    how: Association
    q: float
    shares: tuple[tuple[Any, int, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """What is known of the stopped trials; `leanings` are all that were tested."""

    stopped: int
    complete: int
    saved: tuple[Saved, ...]
    curve: str | None
    rungs: tuple[Rung, ...]
    leanings: tuple[Leaning, ...]


def stopping(view: View) -> Stopping | None:
    """What stopping early saved and may have cost; None where nothing was stopped."""
    stopped = [trial for trial in view.table.trials if trial.state == "PRUNED"]
    if not stopped:
        return None
    curve = objective_curve(view)
    return Stopping(
        stopped=len(stopped),
        complete=view.n,
        saved=_saved(view, stopped, curve),
        curve=curve,
        rungs=_rungs(view, stopped, curve) if curve else (),
        leanings=_leanings(view, stopped),
    )


def _saved(view: View, stopped: Sequence[Trial], curve: str | None) -> tuple[Saved, ...]:
    def steps(trial: Trial) -> float | None:
        if curve and curve in trial.curves and trial.curves[curve].steps:
            return trial.curves[curve].steps[-1]
        return trial.last[1] if trial.last else None

    found = [
        _saved_of("seconds", [t.seconds for t in stopped], [t.seconds for t in view.trials]),
        _saved_of("steps", [steps(t) for t in stopped], [steps(t) for t in view.trials]),
    ]
    for name in dict.fromkeys(name for trial in stopped for name in trial.budget):
        found.append(_saved_of(name, [t.budget.get(name) for t in stopped], [t.budget.get(name) for t in view.trials]))
    return tuple(each for each in found if each)


def _saved_of(what: str, spent: Sequence[float | None], full: Sequence[float | None]) -> Saved | None:
    ours, theirs = [s for s in spent if s is not None], [f for f in full if f is not None]
    if not ours or not theirs or median(theirs) <= 0:
        return None
    return Saved(what=what, n=len(ours), spent=math.fsum(ours), full=float(median(theirs)))


def _rungs(view: View, stopped: Sequence[Trial], curve: str) -> tuple[Rung, ...]:
    """The steps at which most trials were stopped, where enough complete trials have a value."""
    ends = [(trial, _end(trial, curve)) for trial in stopped]
    known = [(step, value) for _, end in ends if end for step, value in [end]]
    found = []
    for step, _ in Counter(step for step, _ in known).most_common(MOST_RUNGS):
        there = np.array([_at(trial, curve, step) for trial in view.trials], dtype=float)
        values = np.array([value for at, value in known if at == step])
        found.append(_rung(view, step, there, values))
    return tuple(sorted((rung for rung in found if rung), key=lambda rung: rung.step))


def _end(trial: Trial, curve: str) -> tuple[float, float] | None:
    """Where a stopped trial was stopped, and its value there."""
    measured = trial.curves.get(curve)
    known = (
        [(s, v) for s, v in zip(measured.steps, measured.values, strict=True) if math.isfinite(v)] if measured else []
    )
    if known:
        return known[-1]
    if trial.last and trial.last[0] is not None and math.isfinite(trial.last[0]):
        return trial.last[1], trial.last[0]
    return None


def _at(trial: Trial, curve: str, step: float) -> float:
    """The trial's value at the step, or the last one before; NaN where it has none or ended before."""
    measured = trial.curves.get(curve)
    if measured is None or not measured.steps or measured.steps[-1] < step:
        return math.nan
    place = int(np.searchsorted(measured.steps, step, side="right")) - 1
    return measured.values[place] if place >= 0 else math.nan


def _rung(view: View, step: float, there: Floats, stopped: Floats) -> Rung | None:
    rows = np.isfinite(there)
    sign, n = view.metric.sign, int(rows.sum())
    early, final = sign * there[rows], view.gains[rows]
    found = rank_correlation(early, final) if n >= FEWEST else None
    if found is None:
        return None
    is_top = final >= np.sort(final)[-max(1, round(TOP_SHARE * n))]
    floor, threshold = float(early[is_top].min()), float(np.median(sign * stopped))
    low = early <= threshold
    return Rung(
        step=step,
        n=n,
        rho=found[0],
        p=found[1],
        top=int(is_top.sum()),
        floor=sign * floor,
        stopped=len(stopped),
        above_floor=int((sign * stopped >= floor).sum()),
        threshold=sign * threshold,
        low=int(low.sum()),
        low_top=int((low & is_top).sum()),
    )


def _leanings(view: View, stopped: Sequence[Trial]) -> tuple[Leaning, ...]:
    """Each parameter with whether its trials were stopped, over the complete and the stopped ones."""
    trials = (*view.trials, *stopped)
    is_stopped = np.arange(len(trials)) >= view.n
    found = []
    for column in columns_of(view.table.space, trials):
        rows = column.active
        if rows.sum() < FEWEST:
            continue
        there, how = column.taken(rows), None
        how = association_of(there, is_stopped[rows].astype(float), view.rng(KEY))
        if how:
            found.append((column, how, _shares(there, is_stopped[rows])))
    qs = benjamini_hochberg([how.p for _, how, _ in found])
    leanings = [Leaning(key=c.key, how=how, q=q, shares=s) for (c, how, s), q in zip(found, qs, strict=True)]
    return tuple(sorted(leanings, key=lambda leaning: (leaning.q, -leaning.how.strength)))


def _shares(column: Column, is_stopped: np.ndarray[Any, np.dtype[np.bool_]]) -> tuple[tuple[Any, int, int], ...]:
    """Of each level how many trials were stopped, and how many there were."""
    found = [(level, column.codes == code) for code, level in enumerate(column.levels)]
    return tuple((level, int(is_stopped[rows].sum()), int(rows.sum())) for level, rows in found if rows.any())


def stopping_section(view: View) -> Section:
    """What stopping early saved and cost, in words."""
    found = stopping(view)
    if found is None:
        return Section(key=KEY, title=TITLE, not_applicable="because nothing was stopped early")
    return Section(
        key=KEY,
        title=TITLE,
        findings=(_of_survivors(view, found), *_of_saved(found), *_of_rungs(found), *_of_leanings(found)),
        sheets=_sheets(found),
        figures=_figures(view, found),
        note=(
            "How an early value ranks the final one is known of complete trials only. They are those that were good "
            "early, so among all trials the ranks would agree more."
        ),
    )


def _of_survivors(view: View, found: Stopping) -> Finding:
    total = found.stopped + found.complete
    share = found.stopped / total
    sentence = (
        f"{found.stopped} of {count(total, 'trial')} that did not fail were stopped early ({percent(share)}). "
        f"Every section over complete trials speaks only of those that were let through."
    )
    evidence = {"stopped": found.stopped, "complete": found.complete, "share": share}
    severity: Literal["warning", "info"] = "warning" if share >= NOTABLE_SHARE else "info"
    advice = "Effects among those let through are smaller than among all, and may even point the other way."
    return _finding("survivors", view.metric.name, sentence, severity, evidence, advice)


def _of_saved(found: Stopping) -> list[Finding]:
    told = []
    for saved in found.saved:
        evidence = {"n": saved.n, "spent": saved.spent, "full": saved.full, "share": saved.share}
        spent, full = _spelled(saved.what, saved.spent), _spelled(saved.what, saved.n * saved.full)
        if saved.share > 0:
            rest = f"at the complete trials' median length they would have taken {full}: {percent(saved.share)} saved"
        else:
            rest = f"no less than the {full} of as many complete trials: nothing saved"
        sentence = f"{count(saved.n, 'stopped trial')} took {spent}; {rest}."
        told.append(_finding("saved", saved.what, sentence, "info", evidence))
    if not told:
        sentence = (
            "What stopping saved is not known: the trials say neither how long they took nor at which step they ended."
        )
        told.append(_finding("saved", "", sentence, "info", {}))
    return told


def _spelled(what: str, amount: float) -> str:
    return duration(amount) if what == "seconds" else f"{number(amount)} {what}"


def _of_rungs(found: Stopping) -> list[Finding]:
    if not found.rungs:
        why = "have too few values at the steps where others were stopped" if found.curve else "have no curves"
        sentence = f"Whether an early value tells the final one is not known: the complete trials {why}."
        return [_finding("rank", "", sentence, "info", {})]
    told = []
    for rung in found.rungs:
        sentence = (
            f"At step {number(rung.step)} the rank of {count(rung.n, 'complete trial')} goes with their final rank "
            f"(Spearman's ρ {number(rung.rho, 2)}, {p_phrase(rung.p)})."
        )
        is_blind = rung.p >= LEVEL or rung.rho <= 0
        if is_blind:
            sentence += " That it tells the final rank is not shown among those let through."
        sentence += (
            f" {rung.above_floor} of {rung.stopped} trials stopped there stood no worse than a trial that ended in the "
            f"top quarter had stood."
        )
        evidence: dict[str, Any] = {field: getattr(rung, field) for field in Rung.__slots__}
        if rung.low:
            low, high = share_interval(rung.low_top, rung.low)
            evidence["low_top_interval"] = [low, high]
            sentence += (
                f" Of {count(rung.low, 'complete trial')} no better there than half of the stopped ones, "
                f"{rung.low_top} ended in the top quarter ({percent(low)} to {percent(high)} of such trials)."
            )
        severity: Literal["warning", "info"] = "warning" if is_blind or 2 * rung.above_floor > rung.stopped else "info"
        advice = "Let trials run longer before the first of them is stopped." if severity == "warning" else ""
        told.append(_finding("rank", f"step {number(rung.step)}", sentence, severity, evidence, advice))
    return told


def _of_leanings(found: Stopping) -> list[Finding]:
    told = []
    for leaning in [each for each in found.leanings if each.q < LEVEL][:MOST_TOLD]:
        how = leaning.how
        sentence = f"{leaning.key} goes with being stopped ({how.measure} {number(how.value, 2)}, {p_phrase(how.p)})"
        by_share = sorted(leaning.shares, key=lambda each: -each[1] / each[2])
        if len(by_share) >= 2:
            ends = [f"{k} of {n} at {setting(level)}" for level, k, n in (by_share[0], by_share[-1])]
            sentence += f": {listing(ends)}"
        evidence = {
            "measure": how.measure,
            "value": how.value,
            "p": how.p,
            "q": leaning.q,
            "n": how.n,
            "stopped_of": [[level, k, n] for level, k, n in leaning.shares],
        }
        sentence += ". What complete trials say of it is about those let through."
        told.append(_finding("leaning", leaning.key, sentence, "warning", evidence))
    return told


def _sheets(found: Stopping) -> tuple[Sheet, ...]:
    sheets = []
    if found.rungs:
        headers = tuple(Rung.__slots__)
        rows = tuple(tuple(getattr(rung, field) for field in headers) for rung in found.rungs)
        title = "What the value at a step said of the final one"
        sheets.append(Sheet(name="stopping_rungs", title=title, headers=headers, rows=rows))
    if found.leanings:
        lines = tuple((k.key, k.how.measure, k.how.value, k.how.n, k.how.p, k.q) for k in found.leanings)
        columns = ("parameter", "measure", "value", "n", "p_perm", "q_value")
        title = "Parameters, with whether their trials were stopped"
        sheets.append(Sheet(name="stopped_parameters", title=title, headers=columns, rows=lines))
    return tuple(sheets)


def _title(found: Stopping) -> str:
    shown = [number(rung.step) for rung in found.rungs if rung.p < LEVEL and rung.rho > 0]
    if not shown:
        return "No early value is shown to tell the final one"
    return f"The value at step {listing(shown)} tells of the final one"


def _figures(view: View, found: Stopping) -> tuple[PanelsFigure, ...]:
    if not found.rungs or found.curve is None:
        return ()
    panels = []
    for rung in found.rungs:
        there = np.array([_at(trial, found.curve, rung.step) for trial in view.trials], dtype=float)
        rows = np.flatnonzero(np.isfinite(there))
        x, y = tuple(map(float, there[rows])), tuple(map(float, view.values[rows]))
        points = Points(label="complete trials", x=x, y=y, labels=tuple(view.trials[i].name for i in rows))
        title = f"step {number(rung.step)}: ρ = {number(rung.rho, 2)}"
        axis = Axis(label=f"{found.curve} at step {number(rung.step)}")
        panels.append(Panel(title=title, x=axis, y=Axis(label=heading_of(view.metric)), points=(points,)))
    figure = PanelsFigure(
        name="early_and_final",
        title=_title(found),
        caption="Each dot is a complete trial: its value at a step where others were stopped, and its final one.",
        panels=tuple(panels),
    )
    return (figure,)
