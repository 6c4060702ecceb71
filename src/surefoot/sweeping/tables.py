"""A sweep's record as a table of trials, for the analysis: its space as declared, its trials as they ended."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from surefoot.choosing import BASE
from surefoot.errors import RecordError, SurefootError, nearest, quoted
from surefoot.program import Program
from surefoot.run import Metric, Run, Status
from surefoot.storage import Record, StudyRow
from surefoot.sweep import Sweep
from surefoot.sweeping.registration import Past, past_of, recorded_prints
from surefoot.sweeping.telling import fresh_runs_of, recorded_sweep, settled
from surefoot.sweeping.trials import Trial as Tried
from surefoot.sweeping.trials import TrialState as TriedState
from surefoot.sweeping.trials import barred_by
from surefoot.trials import Curve, Trial, TrialState, TrialTable, Trivial
from surefoot.words import count, listing
from surefoot.workload import Workload, find_workload

MOST_CURVES = 300
LARGEST_VALUE = 1e100
# Facts of a run that say how much training it got; all other numbers among them are results.
BUDGETS = ("steps", "epochs", "samples", "iterations", "tokens")
STATES: Mapping[TriedState, TrialState] = {
    TriedState.WAITING: "RUNNING",
    TriedState.RUNNING: "RUNNING",
    TriedState.PAUSED: "PRUNED",
    TriedState.COMPLETE: "COMPLETE",
    TriedState.PRUNED: "PRUNED",
    TriedState.INFEASIBLE: "INFEASIBLE",
    TriedState.FAILED: "FAILED",
}


def table_of_sweep(
    record: Record, study: StudyRow, *, metric: str | None = None, data_root: Path | None = None
) -> TrialTable:
    """The trials of a sweep that count today, in the order they were proposed.

    `metric` is one that the sweep measures, its first objective by default. A value is the mean over the trial's
    exploring seeds; what fresh seeds said of the few that were confirmed stands apart, in `fresh`. A trial that
    breaks a measured constraint is INFEASIBLE. Raises RecordError for a metric that it does not measure.
    """
    sweep = recorded_sweep(record, study.id)
    objective = metric_of(metric or sweep.objectives[0], sweep.metrics, f'sweep "{sweep.name}"')
    prints = recorded_prints(record, study.id)
    past = past_of(record, study.id, sweep.name, sweep, sweep.base, prints)
    states = record.events(study.id, "state")
    is_open = not (states and states[-1].payload.get("ending"))
    tried = [settled(trial, sweep, is_open=is_open) for _, trial in sorted(past.trials.items())]
    trials = [_trial(t, past.runs[t.number], sweep, objective) for t in tried]
    trials, sampled = _with_curves(record, trials, past, objective)
    trivial, evaluated_on, unsaid = baselines_of(sweep.workload_name, objective, data_root, workload_of(sweep.workload))
    return TrialTable(
        name=sweep.name,
        source=f"the sweep {sweep.name} on record",
        metric=objective,
        space=sweep.space,
        trials=tuple(trials),
        base=sweep.base,
        fresh=_fresh(fresh_runs_of(record, study.id, sweep, past.trials, prints), objective),
        trivial=trivial,
        evaluated_on=evaluated_on,
        notices=(*_notices(sweep, objective, past, tried), *sampled, *unsaid),
        sweep=sweep,
    )


def metric_of(name: str, metrics: Sequence[Metric], whose: str) -> Metric:
    """The metric of that name; raises RecordError, naming those that there are."""
    found = next((m for m in metrics if m.name == name), None)
    if found is None:
        known = [m.name for m in metrics]
        hint = nearest(name, known)
        raise RecordError(
            f"{whose} does not measure {quoted(name)} (it has {', '.join(known)}){'.' if hint else ''}{hint}"
        )
    return found


def workload_of(workload: str | Program) -> Workload | None:
    """The workload where it can still be found; a program has nothing to say that the record does not."""
    try:
        return find_workload(workload) if isinstance(workload, str) else None
    except SurefootError:
        return None


def baselines_of(
    name: str, metric: Metric, data_root: Path | None, workload: Workload | None
) -> tuple[tuple[Trivial, ...], int | None, tuple[str, ...]]:
    """What predictors that learn nothing come to in that metric, on how many examples, and why nobody could say."""
    if workload is None:
        return (), None, ()
    try:
        told = workload.baselines(data_root)
    except SurefootError as error:
        return (), None, (f"what trivial predictors come to on {name} is not known: {error}",)
    if told is None:
        return (), None, ()
    values = told.values.get(metric.name, {})
    return tuple(Trivial(name=n, value=v) for n, v in values.items()), told.evaluated_on, ()


def measured_in(runs: Iterable[Run], metric: str) -> tuple[dict[str, float], dict[str, float]]:
    """The other numbers of some complete runs of one config, and their budgets: means over the runs that told them."""
    numbers: dict[str, list[float]] = {}
    budgets: dict[str, list[float]] = {}
    for run in runs:
        for name, value in run.facts.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                (budgets if name in BUDGETS else numbers).setdefault(name, []).append(float(value))
        for name, value in run.finals.items():
            if name != metric and math.isfinite(value):
                numbers.setdefault(name, []).append(value)
    return _means(numbers), _means(budgets)


def curves_of(record: Record, runs: Mapping[str, Sequence[Run]]) -> dict[str, dict[str, Curve]]:
    """Trial name -> its curves by metric: those of the first seed that measured anything, all attempts together."""
    firsts: dict[str, list[Run]] = {}
    for name, some in runs.items():
        seeds = [run.seed for run in some]
        firsts[name] = [run for run in some if run.seed == seeds[0]]
    measured = record.curves([run.id for some in firsts.values() for run in some])
    found: dict[str, dict[str, Curve]] = {}
    for name, some in firsts.items():
        points: dict[str, dict[float, float]] = {}
        for run in some:
            for measurement in measured.get(run.id, ()):
                for metric, value in measurement.values.items():
                    if math.isfinite(value):
                        points.setdefault(metric, {})[float(measurement.step)] = value
        found[name] = {
            metric: Curve(steps=tuple(sorted(at)), values=tuple(at[step] for step in sorted(at)))
            for metric, at in points.items()
        }
    return found


def shown_in_curves(trials: Sequence[Trial], sign: int) -> list[Trial]:
    """All of few trials; of many the best and the worst third of what is shown, and an even sample of the others."""
    if len(trials) <= MOST_CURVES:
        return list(trials)
    share = MOST_CURVES // 3
    ranked = sorted((t for t in trials if t.value is not None), key=lambda t: -sign * cast(float, t.value))
    kept = {t.name: t for t in (*ranked[:share], *ranked[-share:])}
    others = [t for t in trials if t.name not in kept]
    every = max(1, math.ceil(len(others) / (MOST_CURVES - len(kept))))
    kept |= {t.name: t for t in others[::every]}
    return [t for t in trials if t.name in kept]


def _trial(tried: Tried, runs: Sequence[Run], sweep: Sweep, objective: Metric) -> Trial:
    state, reason, value = STATES[tried.state], tried.reason, None
    if runs and runs[-1].status is Status.RUNNING:
        state, reason = "RUNNING", ""
    if state == "COMPLETE":
        state, reason, value = _ending(tried, objective)
    bar = barred_by(tried, sweep) if state == "COMPLETE" else ""
    complete = [run for run in runs if run.status is Status.COMPLETE]
    measured, budget = measured_in(complete or runs[-1:], objective.name)
    if bar and value is not None:
        state, reason, value = "INFEASIBLE", f'it breaks the constraint "{bar}"', None
        measured = {objective.name: cast(list[float], tried.values([objective]))[0], **measured}
    last = next((run.finals[objective.name] for run in reversed(runs) if objective.name in run.finals), None)
    has_last = state == "PRUNED" and last is not None and math.isfinite(last)
    return Trial(
        name=str(tried.number),
        state=state,
        settings=tried.settings,
        value=value,
        per_seed=() if value is None else tuple(final[objective.name] for final in tried.finals.values()),
        last=(None, last) if has_last and last is not None else None,
        reason=reason,
        seconds=tried.seconds if runs else None,
        started_at=runs[0].provenance.started_at if runs else "",
        origin=tried.origin,
        measured=measured,
        budget=budget,
    )


def _fresh(runs: Mapping[int, Sequence[Run]], objective: Metric) -> dict[str, tuple[float, ...]]:
    """Trial name -> its values on fresh seeds, in the order of the seeds; the base is no trial."""
    return {
        str(number): values
        for number, some in sorted(runs.items())
        if number != BASE and (values := values_of(some, objective.name))
    }


def values_of(runs: Iterable[Run], metric: str) -> tuple[float, ...]:
    """The finite values of complete runs, one a seed, in the order of the seeds."""
    found = {run.seed: run.finals[metric] for run in runs if run.status is Status.COMPLETE and metric in run.finals}
    return tuple(found[seed] for seed in sorted(found) if abs(found[seed]) <= LARGEST_VALUE)


def _ending(tried: Tried, objective: Metric) -> tuple[TrialState, str, float | None]:
    """How a trial whose runs are complete ended in this metric, and its value."""
    values = [final[objective.name] for final in tried.finals.values() if objective.name in final]
    if len(values) < len(tried.finals) or not values:
        return "FAILED", f"measured no {objective.name}", None
    if not all(abs(value) <= LARGEST_VALUE for value in values):
        return "INFEASIBLE", f"{objective.name} is not finite", None
    return "COMPLETE", "", math.fsum(values) / len(values)


def _with_curves(
    record: Record, trials: list[Trial], past: Past, objective: Metric
) -> tuple[list[Trial], tuple[str, ...]]:
    """The trials with their curves, of very many those of a sample; and that it is one."""
    shown = shown_in_curves([t for t in trials if past.runs[int(t.name)]], objective.sign)
    curves = curves_of(record, {t.name: past.runs[int(t.name)] for t in shown})
    found = [with_curves(t, curves.get(t.name, {}), objective.name) for t in trials]
    if len(trials) <= MOST_CURVES:
        return found, ()
    return found, (
        f"curves are read of {len(shown):,} of the {len(trials):,} trials: the best, the worst and a sample",
    )


def with_curves(trial: Trial, curves: Mapping[str, Curve], metric: str) -> Trial:
    """The trial with its curves, and the step of its last value where it was ended early."""
    last = trial.last
    if last is not None and metric in curves:
        last = (curves[metric].steps[-1], curves[metric].values[-1])
    return dataclasses.replace(trial, curves=curves, last=last)


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: math.fsum(some) / len(some) for name, some in values.items()}


def _notices(sweep: Sweep, objective: Metric, past: Past, tried: Sequence[Tried]) -> tuple[str, ...]:
    found = []
    others = [name for name in sweep.objectives if name != objective.name]
    if others:
        found.append(
            f"the sweep searches for {listing(sweep.objectives)} together; this looks at {objective.name} alone. "
            f"Say --metric for {'the other' if len(others) == 1 else 'another'}"
        )
    for reason, n in past.left_out.items():
        found.append(f"{count(n, 'trial')} on record {'does' if n == 1 else 'do'} not count today: {reason}")
    barred = sum(1 for t in tried if t.state is TriedState.COMPLETE and barred_by(t, sweep))
    if barred:
        is_one = barred == 1
        found.append(
            f"{count(barred, 'trial')} {'breaks' if is_one else 'break'} a measured constraint and "
            f"{'is' if is_one else 'are'} taken as infeasible"
        )
    return tuple(found)
