"""The trials: how many there are, what became of them, what they came to and what is missing."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from surefoot.analysis.column import columns_of
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.noise import copies_of
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.trials import Trial, TrialState
from surefoot.words import (
    NOTHING,
    clause,
    count,
    duration,
    heading_of,
    listing,
    mean_of,
    number,
    setting,
    settings,
    shortened,
    spread,
    unit_of,
)

STATES: tuple[TrialState, ...] = get_args(TrialState)
FAILURES = ("FAILED", "INFEASIBLE")
MOST_REASONS = 5
MOST_NAMED = 10
BEST_SHOWN, WORST_SHOWN = 5, 3
# A name's number is a count only where not many more were counted than are here.
MOST_TIMES_MISSING = 10
# Proposals that learn from no result.
BLIND = frozenset({"random", "sobol", "halton", "qmc", "grid", "first", "enqueued"})
MOST_DRAWN = 1000
LOG_ABOVE = 1000.0
_NUMBERED = re.compile(r"(.*?)(\d{1,15})")


@dataclass(frozen=True, kw_only=True, slots=True)
class ValuesSummary:
    """What the complete trials came to, in the metric's own unit; `sd` is None of one trial.

    `sharing_best` counts the trials that have the best value.
    """

    n: int
    best: Trial
    worst: Trial
    mean: float
    sd: float | None
    median: float
    sharing_best: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingTrials:
    """What the numbers in the trials' names say: they run from `first` to `last`, counted from `start`."""

    first: int
    last: int
    start: int
    rows: int
    missing: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The trials in numbers: by state, their values, the seconds by state where the source has them."""

    states: Mapping[TrialState, int]
    values: ValuesSummary | None
    seconds: Mapping[TrialState, float]
    timed: int
    missing: MissingTrials | None
    copies: tuple[tuple[int, ...], ...]


def summary(view: View) -> Summary:
    """The table's trials in numbers."""
    trials = view.table.trials
    states = Counter(t.state for t in trials)
    seconds: dict[TrialState, float] = {}
    for trial in trials:
        if trial.seconds is not None:
            seconds[trial.state] = seconds.get(trial.state, 0.0) + trial.seconds
    return Summary(
        states={state: states.get(state, 0) for state in STATES},
        values=_values(view),
        seconds=seconds,
        timed=sum(t.seconds is not None for t in trials),
        missing=missing_trials([t.name for t in trials]),
        copies=copies_of(view),
    )


def missing_trials(names: Sequence[str]) -> MissingTrials | None:
    """How many numbers the trials' names leave out; None where they are no counted numbers, or none is left out.

    Numbers count from 0, as most tools do, unless the smallest is 1.
    """
    matched = [_NUMBERED.fullmatch(name) for name in names]
    if not names or not all(matched) or len({m[1] for m in matched if m}) > 1:
        return None
    numbers = {int(m[2]) for m in matched if m}
    first, last = min(numbers), max(numbers)
    start = 1 if first == 1 else 0
    missing = last - start + 1 - len(numbers)
    if missing <= 0 or len(numbers) < len(names) or missing > MOST_TIMES_MISSING * len(numbers):
        return None
    return MissingTrials(first=first, last=last, start=start, rows=len(names), missing=missing)


def summary_section(view: View) -> Section:
    """The trials in sentences, a table of the best and worst, every trial in a file, and a figure of the values."""
    found = summary(view)
    findings = [
        _states(view, found),
        *_value_findings(view, found),
        *_missing(found),
        *_failures(view),
        _hours(view, found),
        *_origins(view),
        *_copies(view, found),
    ]
    return Section(
        key="trials",
        title="The trials",
        findings=tuple(findings),
        sheets=(*([_ends_sheet(view)] if view.n else []), *_origin_sheets(view), _trials_sheet(view)),
        figures=(_values_figure(view),) if view.n else (),
        note=" ".join(view.table.notices),
    )


def _values(view: View) -> ValuesSummary | None:
    if not view.n:
        return None
    gains = view.gains
    return ValuesSummary(
        n=view.n,
        best=view.trials[int(np.argmax(gains))],
        worst=view.trials[int(np.argmin(gains))],
        mean=float(view.values.mean()),
        sd=float(view.values.std(ddof=1)) if view.n > 1 else None,
        median=float(np.median(view.values)),
        sharing_best=int((gains == gains.max()).sum()),
    )


# ── in words ──


def _states(view: View, found: Summary) -> Finding:
    said = [f"{found.states[state]:,} {state.lower()}" for state in STATES]
    text = f"{count(len(view.table.trials), 'trial')}: {listing(said)}."
    nothing = not found.values
    return Finding(
        rule="trials.states",
        subject=view.table.name,
        sentence=text + (" No trial finished with a value, so there is nothing to analyse yet." if nothing else ""),
        severity="critical" if nothing else "info",
        evidence={state.lower(): n for state, n in found.states.items()},
        advice="Train until at least a few trials are complete." if nothing else "",
    )


def _value_findings(view: View, found: Summary) -> list[Finding]:
    values = found.values
    if values is None:
        return []
    name, unit = view.metric.name, unit_of(view.metric)
    best, worst = float(values.best.value or 0.0), float(values.worst.value or 0.0)
    evidence = {
        "n": values.n,
        "best": best,
        "worst": worst,
        "mean": values.mean,
        "sd": values.sd,
        "median": values.median,
        "best_trial": values.best.name,
        "worst_trial": values.worst.name,
        "sharing_best": values.sharing_best,
        "best_settings": {k: _plain(v) for k, v in values.best.settings.items()},
    }
    if best == worst and values.n > 1:
        text = f"All {values.n:,} complete trials came to the same {name}, {number(best)}{unit}."
        return [
            Finding(
                rule="trials.all_equal",
                subject=name,
                sentence=text,
                severity="critical",
                evidence=evidence,
                advice="Check that the settings reach the training and that the metric is measured anew in each.",
            )
        ]
    shared = f", shared by {values.sharing_best:,} trials" if values.sharing_best > 1 else ""
    sd = "" if values.sd is None else f" with a standard deviation of {number(values.sd)}"
    text = (
        f"The best {name} is {number(best)}{unit} (trial {values.best.name}{shared}), the worst "
        f"{number(worst)}{unit} (trial {values.worst.name}); the mean of {count(values.n, 'complete trial')} is "
        f"{number(values.mean)}{unit}{sd}, the median {number(values.median)}{unit}."
    )
    if values.n == 1:
        text = f"The only complete trial ({values.best.name}) came to a {name} of {number(best)}{unit}."
    return [
        Finding(rule="trials.values", subject=name, sentence=text, evidence=evidence),
        Finding(
            rule="trials.best",
            subject=values.best.name,
            sentence=f"The settings of trial {values.best.name}: {settings(values.best.settings) or NOTHING}.",
            evidence={"settings": evidence["best_settings"], "value": best},
        ),
    ]


def _missing(found: Summary) -> list[Finding]:
    missing = found.missing
    if missing is None:
        return []
    are = "trial is" if missing.missing == 1 else "trials are"
    text = (
        f"The trials' numbers run from {missing.first:,} to {missing.last:,} in {count(missing.rows, 'row')}: counted "
        f"from {missing.start}, at least {missing.missing:,} {are} missing here; what is analysed are the survivors."
    )
    return [
        Finding(
            rule="trials.missing",
            subject="trials",
            sentence=text,
            severity="warning",
            evidence={
                "first": missing.first,
                "last": missing.last,
                "start": missing.start,
                "rows": missing.rows,
                "missing": missing.missing,
            },
            advice="Analyse the source with its pruned and failed trials: which settings survive is a result too.",
        )
    ]


def _failures(view: View) -> list[Finding]:
    failed = [t for t in view.table.trials if t.state in FAILURES]
    if not failed:
        return []
    reasons: dict[str, list[str]] = {}
    for trial in failed:
        reasons.setdefault(clause(trial.reason) or "no reason given", []).append(trial.name)
    ordered = sorted(reasons.items(), key=lambda item: -len(item[1]))
    said = [f"{reason} ({_named(names)})" for reason, names in ordered[:MOST_REASONS]]
    rest = sum(len(names) for _, names in ordered[MOST_REASONS:])
    if rest:
        said.append(f"other reasons ({count(rest, 'trial')})")
    text = f"{count(len(failed), 'trial')} gave no value: {'; '.join(said)}."
    return [
        Finding(
            rule="trials.failures",
            subject="trials",
            sentence=text,
            severity="warning",
            evidence={
                "failed": len(failed),
                "of": len(view.table.trials),
                "reasons": {reason: len(names) for reason, names in ordered[:MOST_REASONS]},
            },
            advice="Mend what fails: a setting that only fails is not shown to be bad.",
        ),
        *_failing_levels(view),
    ]


def _failing_levels(view: View) -> Iterable[Finding]:
    """Levels under which every trial that ended failed, while others did not."""
    ended = [t for t in view.table.trials if t.state != "RUNNING"]
    is_failed = np.array([t.state in FAILURES for t in ended], dtype=bool)
    for column in columns_of(view.table.space, ended):
        if not column.levels:
            continue
        places = column.codes >= 0
        tried = np.bincount(column.codes[places], minlength=len(column.levels))
        failed = np.bincount(column.codes[places & is_failed], minlength=len(column.levels))
        if failed.sum() == tried.sum():
            continue
        for i in np.flatnonzero((failed == tried) & (tried >= 2)):
            n, level = int(tried[i]), column.levels[i]
            yield Finding(
                rule="trials.failing_level",
                subject=column.key,
                sentence=f"All {n:,} trials with {column.parameter.name} {setting(level)} failed, "
                f"{n:,} of {count(int(is_failed.sum()), 'failure')}: nothing is known of that setting.",
                severity="warning",
                evidence={"level": _plain(level), "n": n, "failures": int(is_failed.sum())},
                advice="Find out why it fails before it is left out of the search.",
            )


def _hours(view: View, found: Summary) -> Finding:
    total = len(view.table.trials)
    if not found.timed:
        text = "The source does not say how long trials took."
    else:
        spent = [f"{duration(found.seconds[s])} {s.lower()}" for s in STATES if s in found.seconds]
        split = f": {listing(spent)}" if len(spent) > 1 else ""
        of = "" if found.timed == total else f" ({found.timed:,} of {total:,} say so)"
        text = f"The trials took {duration(sum(found.seconds.values()))} in all{of}{split}."
    return Finding(
        rule="trials.hours",
        subject="time",
        sentence=text,
        evidence={
            "timed": found.timed,
            "trials": total,
            "hours": sum(found.seconds.values()) / 3600 if found.timed else None,
            "hours_by_state": {s.lower(): seconds / 3600 for s, seconds in found.seconds.items()},
        },
    )


def _origin_groups(view: View) -> dict[str, list[int]]:
    """Rows of the complete trials by who proposed them, where that is known of any."""
    groups: dict[str, list[int]] = {}
    for i, trial in enumerate(view.trials):
        groups.setdefault(trial.origin, []).append(i)
    return groups if any(groups) else {}


def _is_blind(origin: str) -> bool:
    return origin.lower() in BLIND


def _origins(view: View) -> list[Finding]:
    groups = _origin_groups(view)
    blind = [i for origin, rows in groups.items() if origin and _is_blind(origin) for i in rows]
    chosen = [i for origin, rows in groups.items() if origin and not _is_blind(origin) for i in rows]
    if not blind or not chosen:
        return []
    said: list[str] = []
    evidence: dict[str, float] = {}
    for word, rows in (("blind", blind), ("chosen", chosen)):
        mean, best = float(view.values[rows].mean()), float(view.metric.sign * view.gains[rows].max())
        evidence |= {f"{word}_n": len(rows), f"{word}_mean": mean, f"{word}_best": best}
        said.append(f"mean {number(mean)}, best {number(best)}")
    text = (
        f"{count(len(blind), 'complete trial')} {'was' if len(blind) == 1 else 'were'} proposed without a look at "
        f"earlier ones ({said[0]}), {len(chosen):,} with one ({said[1]}). The latter crowd where earlier "
        "trials did well, so how often a level stands among them is no evidence for it."
    )
    return [Finding(rule="trials.origins", subject="proposals", sentence=text, evidence=evidence)]


def _copies(view: View, found: Summary) -> list[Finding]:
    if not found.copies:
        return []
    extra = sum(len(rows) - 1 for rows in found.copies)
    groups = [" = ".join(view.trials[i].name for i in rows[:MOST_NAMED]) for rows in found.copies]
    shown = groups[:MOST_REASONS] + (["…"] if len(groups) > MOST_REASONS else [])
    are = "row is a copy" if extra == 1 else "rows are copies"
    return [
        Finding(
            rule="trials.copies",
            subject="trials",
            sentence=f"{extra:,} {are} of another in everything but the name (trials {', '.join(shown)}): "
            "they count twice and say nothing of the noise.",
            severity="warning",
            evidence={"copies": extra, "groups": [[view.trials[i].name for i in rows] for rows in found.copies[:50]]},
            advice="Remove the copies, or give every trial its own seed.",
        )
    ]


def _named(names: Sequence[str]) -> str:
    shown = [*names[:MOST_NAMED], *(["…"] if len(names) > MOST_NAMED else [])]
    return f"{count(len(names), 'trial')}: {', '.join(shown)}"


def _plain(value: Any) -> Any:
    """A setting as plain JSON."""
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, str | int | float | bool | list | dict) or value is None else str(value)


# ── tables ──


def _ends_sheet(view: View) -> Sheet:
    """The best and the worst few trials, with the settings that vary."""
    order = np.argsort(-view.gains, kind="stable").tolist()
    places = list(range(view.n))
    if view.n > BEST_SHOWN + WORST_SHOWN:
        places = [*places[:BEST_SHOWN], *places[-WORST_SHOWN:]]
    varying = list(dict.fromkeys(c.parameter.name for c in view.columns if c.n < view.n or c.distinct > 1))
    rows = []
    for place in places:
        trial = view.trials[order[place]]
        changes = shortened({name: trial.settings[name] for name in varying if name in trial.settings})
        rows.append((place + 1, trial.name, trial.value, settings(changes)))
    return Sheet(
        name="best_and_worst",
        title="The best and the worst trials",
        headers=("rank", "trial", heading_of(view.metric), "settings"),
        rows=tuple(rows),
    )


def _origin_sheets(view: View) -> tuple[Sheet, ...]:
    groups = _origin_groups(view)
    if len(groups) < 2:
        return ()
    rows = []
    for origin, places in groups.items():
        values = view.values[places].tolist()
        best = view.metric.sign * float(view.gains[places].max())
        median = statistics.median(values)
        rows.append((origin or "not known", len(values), mean_of(values), spread(values), median, best))
    return (
        Sheet(
            name="origins",
            title="Trials by who proposed them",
            headers=("proposed by", "complete trials", "mean", "sd", "median", "best"),
            rows=tuple(rows),
        ),
    )


def _trials_sheet(view: View) -> Sheet:
    """Every trial with all that the table knows of it; what two columns would share a name gets a note in it."""
    trials, metric = view.table.trials, view.metric
    names = list(dict.fromkeys(parameter.name for parameter in view.table.space.parameters))
    names += [n for n in dict.fromkeys(n for t in trials for n in t.settings) if n not in set(names)]
    measured = list(dict.fromkeys(n for t in trials for n in t.measured))
    budget = list(dict.fromkeys(n for t in trials for n in t.budget))
    own = ("trial", "state", metric.name)
    ends = ("reason", "seeds", "last_value", "last_step", "seconds", "started_at", "origin")
    headers = list(own)
    for kind, group in (("setting", names), ("measured", measured), ("budget", budget), ("", ends)):
        headers += [_free(name, kind, headers) for name in group]
    rows = tuple(
        (
            t.name,
            t.state,
            t.value,
            *(_plain(t.settings.get(n)) for n in names),
            *(t.measured.get(n) for n in measured),
            *(t.budget.get(n) for n in budget),
            *_ends(t),
        )
        for t in trials
    )
    return Sheet(name="trials_full", title="Every trial", headers=tuple(headers), rows=rows, is_shown=False)


def _ends(trial: Trial) -> tuple[Any, ...]:
    value, step = (None, None) if trial.last is None else (trial.last[1], trial.last[0])
    seeds = len(trial.per_seed) or None
    return (trial.reason or None, seeds, value, step, trial.seconds, trial.started_at or None, trial.origin or None)


def _free(name: str, kind: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"{name} ({kind or 'trial'})"
    return name


# ── the figure ──


def _values_figure(view: View) -> PanelsFigure:
    order = np.argsort(-view.gains, kind="stable")
    drawn = np.unique(np.linspace(0, view.n - 1, min(view.n, MOST_DRAWN)).round().astype(int))
    values = view.values[order]
    label = heading_of(view.metric)
    low, high = float(values.min()), float(values.max())
    low = min([low, *(t.value for t in view.table.trivial)])
    rest = drawn[1:]
    points = [_points("trials", rest, values, view, order, "plain")] if len(rest) else []
    points.append(_points("best", drawn[:1], values, view, order, "best"))
    panel = Panel(
        title="",
        x=Axis(label="rank"),
        y=Axis(label=label, is_log=low > 0 and high / low > LOG_ABOVE),
        points=tuple(points),
        levels=tuple((t.name, t.value) for t in view.table.trivial),
    )
    levels = "; the lines are predictors that learn nothing" if view.table.trivial else ""
    some = f", {len(drawn):,} of them drawn" if len(drawn) < view.n else ""
    return PanelsFigure(
        name="values",
        title=_values_title(view),
        caption=f"{count(view.n, 'complete trial')} from the best to the worst{some}{levels}.",
        panels=(panel,),
    )


def _values_title(view: View) -> str:
    """What the figure shows: how far the best stands from the rest."""
    name, order = view.metric.name, np.argsort(-view.gains, kind="stable")
    ends = [number(float(view.values[i])) + unit_of(view.metric) for i in (order[0], order[len(order) // 2], order[-1])]
    if view.n < 3:
        return f"{name}: the best trial has {ends[0]}"
    return f"{name}: the best trial has {ends[0]}, the middle one {ends[1]}, the worst {ends[2]}"


def _points(label: str, places: Any, values: Any, view: View, order: Any, look: Any) -> Points:
    return Points(
        label=label,
        x=tuple((places + 1.0).tolist()),
        y=tuple(values[places].tolist()),
        labels=tuple(view.trials[order[i]].name for i in places),
        look=look,
    )
