"""A plan study's record as a table of trials, for the analysis: every config that it trained is one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.plan import Plan
from surefoot.records.cells import settings_in
from surefoot.records.spaces import shown_space
from surefoot.run import Measurement, Metric, Run, Status, canonical_json, config_hash
from surefoot.storage import Record
from surefoot.study.telling import ended_runs
from surefoot.study.walk import CONFIRMATION
from surefoot.sweeping.tables import (
    LARGEST_VALUE,
    baselines_of,
    curves_of,
    measured_in,
    metric_of,
    shown_in_curves,
    values_of,
    with_curves,
    workload_of,
)
from surefoot.trials import Trial, TrialState, TrialTable
from surefoot.words import count


def table_of_plan(
    record: Record, study_id: int, plan: Plan, *, metric: str | None = None, data_root: Path | None = None
) -> TrialTable:
    """The configs that a study trained with its latest data and code, in the order of their first runs.

    A value is the mean over the config's exploring seeds; what the confirmation's fresh seeds said of the
    champion's path stands apart, in `fresh`. The settings that vary over the study are the parameters, the
    space is what was tried. `metric` is the primary one by default; raises RecordError for one it does not measure.
    """
    objective = metric_of(metric or plan.primary, plan.metrics, f'study "{plan.study}"')
    runs, confirming, set_aside = _runs_of(record, study_id, plan)
    configs: dict[str, list[Run]] = {}
    for run in runs:
        configs.setdefault(config_hash(run.config), []).append(run)
    settings = _settings([some[0].config for some in configs.values()])
    shown = shown_space(settings)
    varied = {name: settings[name] for name in shown.space.names()}
    origins = _origins(record, study_id)
    trials = []
    for place, some in enumerate(configs.values()):
        chosen = {name: values[place] for name, values in varied.items() if values[place] is not None}
        trials.append(_trial(str(place + 1), chosen, some, objective, origins))
    trials = _with_curves(record, trials, list(configs.values()), objective)
    trivial, evaluated_on, unsaid = baselines_of(plan.workload_name, objective, data_root, workload_of(plan.workload))
    said = (
        f"{count(len(runs), 'run')} of {count(len(trials), 'config')}: a trial is a config, its value the mean over "
        "the seeds it was explored on; runs on the confirmation's fresh seeds stand apart"
    )
    return TrialTable(
        name=plan.study,
        source=f"the study {plan.study} on record",
        metric=objective,
        space=shown.space,
        trials=tuple(trials),
        is_inferred=True,
        base=shown.base,
        fresh=_fresh(configs, confirming, objective.name),
        trivial=trivial,
        evaluated_on=evaluated_on,
        notices=(said, *set_aside, *(n for n in shown.notices if not n.startswith("never varied")), *unsaid),
        workload=plan.workload if isinstance(plan.workload, str) else "",
        workload_path=plan.path,
    )


def _runs_of(record: Record, study_id: int, plan: Plan) -> tuple[list[Run], list[Run], tuple[str, ...]]:
    """The exploring and the confirming runs of today's data, code and program; and how many are of others.

    There is one for a config and seed: of attempts the one that speaks for them, or that trains now.
    """
    every = with_finals(record, record.runs(study_id))
    ended = {run.id for run in ended_runs(every).values()}
    kept = [run for run in every if run.id in ended or run.status is Status.RUNNING]
    states = record.events(study_id, "state")
    prints = (states[-1].payload["data"], states[-1].payload["code"]) if states else None
    today = [run for run in kept if prints is None or _made_with(run) == (plan.workload_identity, *prints)]
    confirmed = {use.run_id for use in record.uses(study_id) if use.experiment == CONFIRMATION}
    exploring = [run for run in today if run.id not in confirmed]
    confirming = [run for run in today if run.id in confirmed]
    others = len(kept) - len(today)
    said = f"{count(others, 'run')} of other data, code or program {'is' if others == 1 else 'are'} left out"
    return exploring, confirming, (said,) if others else ()


def with_finals(record: Record, runs: Sequence[Run]) -> list[Run]:
    """The runs with their last values, also where the record is of a time when they were not kept apart."""
    bare = [run.id for run in runs if run.status is Status.COMPLETE and not run.finals]
    curves = record.curves(bare) if bare else {}
    return [replace(run, finals=_finals(curves[run.id])) if run.id in curves else run for run in runs]


def _finals(curve: Sequence[Measurement]) -> dict[str, float]:
    return {name: value for measurement in curve for name, value in measurement.values.items()}


def _made_with(run: Run) -> tuple[str, str, str]:
    return run.workload, run.provenance.data_fingerprint, run.provenance.code_fingerprint


def _fresh(
    configs: Mapping[str, Sequence[Run]], confirming: Sequence[Run], metric: str
) -> dict[str, tuple[float, ...]]:
    """Trial name -> its values on the confirmation's seeds."""
    found = {}
    for place, known_as in enumerate(configs, 1):
        values = values_of([run for run in confirming if config_hash(run.config) == known_as], metric)
        if values:
            found[str(place)] = values
    return found


def _settings(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Every setting of the configs as a column; what is no plain value stands there as its text."""
    names = dict.fromkeys(name for config in configs for name in config)
    return {name: settings_in([_plain(config.get(name)) for config in configs])[0] for name in names}


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else canonical_json(value)


def _origins(record: Record, study_id: int) -> dict[int, str]:
    """Run id -> what it was first trained for."""
    found: dict[int, str] = {}
    for use in record.uses(study_id):
        said = use.experiment if use.arm == use.experiment else f"{use.experiment}: {use.arm}"
        found.setdefault(use.run_id, said)
    return found


def _trial(
    name: str, settings: Mapping[str, Any], runs: Sequence[Run], objective: Metric, origins: Mapping[int, str]
) -> Trial:
    state, reason, values = _ending(runs, objective.name)
    complete = [run for run in runs if run.status is Status.COMPLETE]
    measured, budget = measured_in(complete, objective.name)
    last = runs[-1].finals.get(objective.name)
    return Trial(
        name=name,
        state=state,
        settings=settings,
        value=math.fsum(values) / len(values) if values else None,
        per_seed=tuple(values),
        last=(None, last) if state == "PRUNED" and last is not None and math.isfinite(last) else None,
        reason=reason,
        seconds=math.fsum(run.provenance.wall_seconds for run in runs),
        started_at=runs[0].provenance.started_at,
        origin=origins.get(runs[0].id, ""),
        measured=measured,
        budget=budget,
    )


def _ending(runs: Sequence[Run], metric: str) -> tuple[TrialState, str, list[float]]:
    """How a config ended over its seeds, and its values: a seed that diverged counts, one that was lost does not."""
    diverged = [
        run for run in runs if run.status is Status.INFEASIBLE or not abs(run.finals.get(metric, 0.0)) <= LARGEST_VALUE
    ]
    if diverged:
        return "INFEASIBLE", f"diverged on {len(diverged)} of {count(len(runs), 'seed')}: {diverged[0].reason}", []
    values = [run.finals[metric] for run in runs if run.status is Status.COMPLETE and metric in run.finals]
    if values:
        return "COMPLETE", "", values
    if any(run.status is Status.RUNNING for run in runs):
        return "RUNNING", "", []
    if any(run.status is Status.PRUNED for run in runs):
        return "PRUNED", runs[-1].reason, []
    return "FAILED", runs[-1].reason or f"measured no {metric}", []


def _with_curves(
    record: Record, trials: Sequence[Trial], runs: Sequence[Sequence[Run]], objective: Metric
) -> list[Trial]:
    shown = shown_in_curves(trials, objective.sign)
    curves = curves_of(record, {t.name: runs[int(t.name) - 1] for t in shown})
    return [with_curves(t, curves.get(t.name, {}), objective.name) for t in trials]
