"""Convergence: when the best was found, what more trials may bring, and how single trainings ended."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtr, stdtr

from surefoot.analysis.association import rank_correlation
from surefoot.analysis.column import Floats, Integers
from surefoot.analysis.confounds import expected_best
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.trials import Curve, Trial
from surefoot.words import count, duration, heading_of, number, p_phrase, percent, signed, unit_of

KEY, TITLE = "convergence", "How far the search had come"
LEVEL = 0.05
FEWEST_AFTER = 5
FEWEST_STEPS = 10
# A curve is the metric's where the value is its best or its last in this share of the trials: files get mixed up.
READ_FROM = 0.8
MOST_CURVES, MOST_POINTS, PLACES = 5, 2_000, 100


@dataclass(frozen=True, kw_only=True, slots=True)
class BestSoFar:
    """The best over the trials in their order.

    `best` has shape (n,), in the metric's unit; `improved` are the places of its improvements, the last of which is
    `found_at`. `waited` trials came after it. Were the trials exchangeable, the best would stand that early or
    earlier with probability `p_waited`, each of the next `ahead` trials as good as those were would come to
    `next_best` at best on average, and one of them would be a new best with probability `p_next`.
    """

    best: Floats
    improved: Integers
    found_at: int
    waited: int
    p_waited: float
    expected_improvements: float
    ahead: int
    next_best: float
    p_next: float
    drift: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """What the trials took, one after another: `hours` of all that say so, `found_after` when the best was found.

    `unsaid` trials do not say how long they took; `spent` has the hours when each complete trial was done, shape (n,).
    """

    hours: float
    found_after: float
    unsaid: int
    spent: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """How one training ended: its best at `step`, and the plateau of all that was measured after it.

    `excess` is how many of the plateau's standard deviations the peak stands above its mean; `p` how often the
    largest of as many independent measurements of the plateau would. `slope` is Spearman's rho of the values after
    the peak with their steps, turned so that falling is getting worse. None where too little was measured after it.
    """

    trial: str
    step: float
    steps: int
    value: float
    final: float
    after: int
    plateau: tuple[float, float] | None
    excess: float | None
    p: float | None
    slope: tuple[float, float] | None

    @property
    def is_last(self) -> bool:
        """Whether it was best where it ended."""
        return self.after == 0

    @property
    def is_beyond_noise(self) -> bool:
        """Whether it fell by more than the largest of a noisy series stands above its mean."""
        return self.p is not None and self.p < LEVEL / 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Convergence:
    """What the order, the hours and the curves of the trials say; None or empty where the source has none."""

    so_far: BestSoFar | None
    hours: Hours | None
    curve: str | None
    peaks: tuple[Peak, ...]


def convergence(view: View) -> Convergence:
    """How far the search had come, and how its trainings ended."""
    curve = objective_curve(view)
    peaks = []
    if curve is not None:
        for trial in view.trials:
            found = _peak(view, trial, trial.curves[curve]) if curve in trial.curves else None
            peaks += [found] if found else []
    so_far = _so_far(view) if view.table.is_in_order and view.n >= 2 else None
    return Convergence(so_far=so_far, hours=_hours(view), curve=curve, peaks=tuple(peaks))


def objective_curve(view: View) -> str | None:
    """The curve that the metric was read from: of its name, or whose best or last value it is in most trials."""
    names = dict.fromkeys(name for trial in view.trials for name in trial.curves)
    if view.metric.name in names:
        return view.metric.name
    for name in names:
        having = [trial for trial in view.trials if trial.curves.get(name, Curve(steps=(), values=())).values]
        fitting = sum(_is_read_from(view.metric.sign, trial, trial.curves[name]) for trial in having)
        if fitting >= max(2, READ_FROM * len(having)):
            return name
    return None


def _is_read_from(sign: int, trial: Trial, curve: Curve) -> bool:
    values = [sign * value for value in curve.values if math.isfinite(value)]
    if not values or trial.value is None:
        return False
    return any(math.isclose(sign * trial.value, value, rel_tol=1e-6) for value in (max(values), values[-1]))


def _so_far(view: View) -> BestSoFar:
    n, gains = view.n, view.gains
    best = np.maximum.accumulate(gains)
    improved = np.flatnonzero(np.concatenate([[True], best[1:] > best[:-1]]))
    found_at = int(improved[-1])
    ahead = max(10, n // 10)
    places = np.arange(1, n + 1) / n
    chances = places**ahead - (places - 1 / n) ** ahead
    return BestSoFar(
        best=view.metric.sign * best,
        improved=improved,
        found_at=found_at,
        waited=n - 1 - found_at,
        p_waited=(found_at + 1) / n,
        expected_improvements=float((1 / np.arange(1, n + 1)).sum()),
        ahead=ahead,
        next_best=view.metric.sign * float(np.sort(gains) @ chances),
        p_next=ahead / (n + ahead),
        drift=rank_correlation(np.arange(n, dtype=float), gains),
    )


def _hours(view: View) -> Hours | None:
    """The hours of all trials that ended, in order; None unless most complete ones say theirs."""
    if sum(t.seconds is not None for t in view.trials) < max(2, 0.9 * view.n) or not view.table.is_in_order:
        return None
    ended = [t for t in view.table.trials if t.state != "RUNNING"]
    spent = np.cumsum([t.seconds or 0.0 for t in ended]) / 3600
    own = spent[[t.state == "COMPLETE" for t in ended]]
    unsaid = sum(t.seconds is None for t in ended)
    found_after = float(own[int(view.gains.argmax())])
    return Hours(hours=float(spent[-1]), found_after=found_after, unsaid=unsaid, spent=own) if spent[-1] > 0 else None


def _peak(view: View, trial: Trial, curve: Curve) -> Peak | None:
    values, steps = np.array(curve.values, dtype=float), np.array(curve.steps, dtype=float)
    known = np.isfinite(values)
    values, steps = values[known], steps[known]
    if len(values) < FEWEST_STEPS:
        return None
    sign = view.metric.sign
    at = int((sign * values).argmax())
    rest, m, n = sign * values[at + 1 :], len(values) - at - 1, len(values)
    plateau, excess, p = None, None, None
    with np.errstate(over="ignore", invalid="ignore"):
        sd = float(rest.std(ddof=1)) if m >= FEWEST_AFTER else 0.0
    if 0 < sd < math.inf:
        plateau = (sign * float(rest.mean()), sd)
        excess = (sign * float(values[at]) - float(rest.mean())) / sd
        # The plateau's mean and spread are estimates too: the next of its measurements has a t distribution.
        p = 1 - float(stdtr(m - 1, excess / math.sqrt(1 + 1 / m))) ** n
    return Peak(
        trial=trial.name,
        step=float(steps[at]),
        steps=n,
        value=float(values[at]),
        final=float(values[-1]),
        after=m,
        plateau=plateau,
        excess=excess,
        p=p,
        slope=rank_correlation(steps[at + 1 :], rest) if m >= FEWEST_STEPS else None,
    )


def convergence_section(view: View) -> Section:
    """How far the search had come, in words."""
    if view.n < 2:
        few = "no trial is complete" if view.n == 0 else "only one trial is complete"
        return Section(key=KEY, title=TITLE, not_applicable=f"because {few}")
    found = convergence(view)
    if found.so_far is None and not found.peaks:
        missing = "because the trials are not in the order they were made, and have no curves"
        return Section(key=KEY, title=TITLE, not_applicable=missing)
    findings = [
        *(_of_so_far(view, found.so_far) if found.so_far else ()),
        *(_of_hours(view, found.hours) if found.hours else ()),
        *_of_peaks(view, found.peaks),
    ]
    return Section(
        key=KEY,
        title=TITLE,
        findings=tuple(findings),
        sheets=_sheets(view, found),
        figures=_figures(view, found),
        note="What more trials may bring is said as if they were like those before; a search that learns may do more.",
    )


def _of_so_far(view: View, found: BestSoFar) -> tuple[Finding, ...]:
    best = view.trials[found.found_at]
    amount = _amount(view, float(found.best[-1]))
    sentence = (
        f"The best, {amount}, came with trial {best.name}, number {found.found_at + 1} of "
        f"{count(view.n, 'complete trial')}"
    )
    if found.waited == 0:
        sentence += "; it is the last: the search was still improving when it ended."
    else:
        sentence += (
            f"; {count(found.waited, 'trial')} since then brought no better one. In a random order of the same "
            f"trials the wait would be as long with probability {number(found.p_waited, 2)}: "
        )
        is_long = found.p_waited < LEVEL
        sentence += (
            "the later trials were less good than the earlier."
            if is_long
            else "it does not show that improvement ended."
        )
    evidence = {
        "best": float(found.best[-1]),
        "trial": best.name,
        "place": found.found_at + 1,
        "n": view.n,
        "waited": found.waited,
        "p_waited": found.p_waited,
        "improvements": len(found.improved),
        "expected_improvements": found.expected_improvements,
    }
    next_best = _amount(view, found.next_best)
    ahead = (
        f"{found.ahead} more trials like these would come to {next_best} at best on average, with a chance of "
        f"{percent(found.p_next)} of a new best."
    )
    told = {"ahead": found.ahead, "next_best": found.next_best, "p_next": found.p_next}
    if found.drift and found.drift[1] < LEVEL and found.drift[0] > 0:
        rho, p = found.drift
        ahead += (
            f" But later trials were better (Spearman's ρ with the order, as a gain: {number(rho, 2)}, {p_phrase(p)}): "
            "the next may do better than that."
        )
        told |= {"drift": rho, "p_drift": p}
    return (
        Finding(rule="convergence.best", subject=view.metric.name, sentence=sentence, evidence=evidence),
        Finding(rule="convergence.next", subject=view.metric.name, sentence=ahead, evidence=told),
    )


def _of_hours(view: View, found: Hours) -> tuple[Finding, ...]:
    after = found.hours - found.found_after
    unsaid = f" ({count(found.unsaid, 'trial')} did not say)" if found.unsaid else ""
    sentence = (
        f"The best was done after {duration(3600 * found.found_after)} of the training{unsaid}; "
        f"{percent(after / found.hours)} of the time came later."
    )
    evidence = {"hours": found.hours, "found_after_hours": found.found_after, "unsaid": found.unsaid}
    early = view.gains[found.spent <= found.hours / 2]
    if len(early):
        gained = float(view.gains.max() - early.max())
        half = _amount(view, view.metric.sign * float(early.max()))
        difference = f"{number(gained)}{view.metric.difference_unit}"
        if gained > 0:
            sentence += f" Half of the time had given {half}; the other half improved it by {difference}."
        evidence |= {"best_after_half": view.metric.sign * float(early.max()), "gained_after_half": gained}
    return (Finding(rule="convergence.hours", subject=view.metric.name, sentence=sentence, evidence=evidence),)


def _of_peaks(view: View, peaks: Sequence[Peak]) -> list[Finding]:
    if not peaks:
        return []
    best = max(peaks, key=lambda peak: view.metric.sign * peak.value)
    found = [_of_best_peak(view, best)] if best.plateau and best.excess is not None and best.p is not None else []
    judged = [peak for peak in peaks if peak.plateau]
    beyond = [peak for peak in judged if peak.is_beyond_noise]
    falling = [peak for peak in judged if peak.slope and peak.slope[0] < 0 and peak.slope[1] < LEVEL / 5]
    if judged:
        sentence = (
            f"{len(beyond)} of {count(len(judged), 'training')} ended lower than noise about their plateau explains; "
            f"{len(falling)} went on falling after their peak."
        )
        evidence = {"n": len(judged), "beyond": [p.trial for p in beyond], "falling": [p.trial for p in falling]}
        advice = "Look at their training curves: a metric that still improves there while this falls is overfitting."
        rule = "convergence.after_peak"
        severity: Literal["warning", "info"] = "warning" if 2 * len(falling) > len(judged) else "info"
        said = advice if beyond or falling else ""
        found.append(_finding(rule, view.metric.name, sentence, severity, evidence, said))
    found += _of_last_steps(view, peaks, best)
    return found


def _of_best_peak(view: View, best: Peak) -> Finding:
    assert best.plateau and best.excess is not None and best.p is not None
    change = best.final - best.value
    share = f" ({signed(100 * change / abs(best.value), 1)} %)" if best.value else ""
    sentence = (
        f"{best.trial}, the best, ended {number(abs(change))}{unit_of(view.metric)} from its peak{share}. The "
        f"{best.after} measurements after the peak are {number(best.plateau[0])} ± {number(best.plateau[1])}: the peak "
        f"stands {number(best.excess, 1)} of their standard deviations from their mean, "
    )
    sentence += (
        f"more than the best of {best.steps} noisy values would ({p_phrase(best.p)})."
        if best.is_beyond_noise
        else f"no more than the best of {best.steps} noisy values may ({p_phrase(best.p)}): no sign of overfitting."
    )
    evidence = {
        "trial": best.trial,
        "peak": best.value,
        "step": best.step,
        "final": best.final,
        "plateau_mean": best.plateau[0],
        "plateau_sd": best.plateau[1],
        "after": best.after,
        "excess_sd": best.excess,
        "p": best.p,
    }
    advice = "Compare trials by their plateau: a best of many measurements is above what the model does."
    return _finding(
        "convergence.peak", best.trial, sentence, "warning" if best.is_beyond_noise else "info", evidence, advice
    )


def _of_last_steps(view: View, peaks: Sequence[Peak], best: Peak) -> list[Finding]:
    """The trainings that ended at their best, where they are more than noisy curves without a trend would be."""
    last = [peak for peak in peaks if peak.is_last]
    chances = np.array([1 / peak.steps for peak in peaks])
    mean, sd = float(chances.sum()), math.sqrt(float((chances * (1 - chances)).sum()))
    p = float(ndtr((mean - len(last) + 0.5) / sd)) if sd > 0 else 1.0
    if not last or (p >= LEVEL and not best.is_last):
        return []
    sentence = f"{len(last)} of {count(len(peaks), 'training')} were best at their last measurement, "
    sentence += "the best one too: " if best.is_last else "though not the best one: "
    sentence += f"curves without a trend would be in {number(mean, 1)} on average. They were still improving."
    evidence = {"n": len(peaks), "last": len(last), "expected": mean, "p": p, "best_is_last": best.is_last}
    advice = "Train longer before ranking them: what learns slowly is judged too early."
    return [_finding("convergence.still_improving", view.metric.name, sentence, "warning", evidence, advice)]


def _finding(
    rule: str,
    subject: str,
    sentence: str,
    severity: Literal["critical", "warning", "info"],
    evidence: Mapping[str, Any],
    advice: str,
) -> Finding:
    return Finding(rule=rule, subject=subject, sentence=sentence, severity=severity, evidence=evidence, advice=advice)


def _amount(view: View, value: float) -> str:
    return number(value) + unit_of(view.metric)


def _sheets(view: View, found: Convergence) -> tuple[Sheet, ...]:
    sheets = []
    if found.so_far:
        hours = found.hours.spent if found.hours else None
        rows = [
            (t.name, float(v), float(b), None if hours is None else float(hours[i]))
            for i, (t, v, b) in enumerate(zip(view.trials, view.values, found.so_far.best, strict=True))
        ]
        headers = ("trial", view.metric.name, "best_so_far", "hours")
        title = "The best so far"
        sheets.append(Sheet(name="best_so_far", title=title, headers=headers, rows=tuple(rows), is_shown=False))
        steps = [row for i, row in enumerate(rows) if i in set(found.so_far.improved.tolist())]
        title = "Every improvement, with the hours of training until then"
        sheets.append(Sheet(name="improvements", title=title, headers=headers, rows=tuple(steps)))
    if found.peaks:
        lines = [
            (p.trial, p.step, p.steps, p.value, p.final, *(p.plateau or (None, None)), p.excess, p.p)
            for p in found.peaks
        ]
        columns = (
            "trial",
            "peak_step",
            "measurements",
            "peak",
            "final",
            "plateau_mean",
            "plateau_sd",
            "excess_sd",
            "p",
        )
        title = "How the trainings ended"
        is_shown = len(lines) <= 2 * MOST_CURVES
        sheets.append(Sheet(name="peaks", title=title, headers=columns, rows=tuple(lines), is_shown=is_shown))
    return tuple(sheets)


def _figures(view: View, found: Convergence) -> tuple[PanelsFigure, ...]:
    figures = []
    y = Axis(label=heading_of(view.metric))
    if found.so_far:
        figures.append(_best_figure(view, found.so_far, y))
    if found.curve is not None:
        figures.append(_curves_figure(view, found.curve, y))
    return tuple(figures)


def _best_figure(view: View, found: BestSoFar, y: Axis) -> PanelsFigure:
    n = view.n
    shown = sorted({*range(0, n, max(1, n // MOST_POINTS)), *found.improved.tolist()})
    trials = Points(
        label="trials",
        x=tuple(float(i + 1) for i in shown),
        y=tuple(float(view.values[i]) for i in shown),
        labels=tuple(view.trials[i].name for i in shown),
        look="faint",
    )
    corners = [(i, j) for i in found.improved.tolist() for j in (i - 1, i) if j >= 0]
    x = [float(i + 1) for i, _ in corners] + [float(n)]
    best = [float(found.best[j]) for _, j in corners] + [float(found.best[-1])]
    places = sorted({round(p) for p in np.geomspace(1, n, PLACES).tolist()})
    gains = np.sort(view.gains)
    luck = [view.metric.sign * expected_best(gains, place) for place in places]
    lines = (
        Points(label="best so far", x=tuple(x), y=tuple(best), look="best"),
        Points(label="the same trials in random order", x=tuple(map(float, places)), y=tuple(luck), look="faint"),
    )
    panel = Panel(title="", x=Axis(label="complete trials"), y=y, points=(trials,), lines=lines)
    return PanelsFigure(
        name="best_so_far",
        title=_best_title(view, found),
        caption="Where the line rises above that of the same trials in random order, the search found the best early.",
        panels=(panel,),
    )


def _best_title(view: View, found: BestSoFar) -> str:
    if found.waited == 0:
        return "The last trial was the best: the search was still improving"
    return f"The best came with trial {found.found_at + 1} of {view.n}"


def _curves_figure(view: View, curve: str, y: Axis) -> PanelsFigure:
    having = [i for i in np.argsort(-view.gains, kind="stable") if curve in view.trials[i].curves]
    best, worst = having[:MOST_CURVES], having[MOST_CURVES:][-MOST_CURVES:]
    panels = [
        Panel(title=title, x=Axis(label="step"), y=y, lines=tuple(_line(view.trials[i], curve, look) for i in places))
        for title, places, look in (("the best", best, "best"), ("the worst", worst, "plain"))
        if places
    ]
    return PanelsFigure(
        name="curves",
        title=f"How {curve} went in the {len(best)} best and the {len(worst)} worst trials",
        caption="Of the trials that have a curve.",
        panels=tuple(panels),
    )


def _line(trial: Trial, curve: str, look: str) -> Points:
    known = [
        (s, v) for s, v in zip(trial.curves[curve].steps, trial.curves[curve].values, strict=True) if math.isfinite(v)
    ]
    kind: Literal["best", "plain"] = "best" if look == "best" else "plain"
    return Points(label=trial.name, x=tuple(s for s, _ in known), y=tuple(v for _, v in known), look=kind)
