"""What a diagnosis needs of our own runs: their curves as histories, and the ground it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.diagnosis.symptom import Ground
from surefoot.errors import SurefootError
from surefoot.history import History
from surefoot.records.naming import words_of
from surefoot.run import Measurement, Metric, Run
from surefoot.space import SearchSpace
from surefoot.trials import Curve
from surefoot.workload import Baselines, Workload

# What a workload may call its loss; only one in nats can be compared with that of a predictor that learns nothing.
LOSSES = frozenset({"loss", "nll", "entropy", "logloss"})


def history_of(run: Run, name: str, earlier: Sequence[Run] = ()) -> History:
    """The run's curves, under that name; `earlier` attempts at it come before, as far as it went on from them.

    What an earlier attempt measured at or after the first step that a later one measured was overtaken. The runs
    must have been read with their measurements.
    """
    measured: list[Measurement] = []
    for attempt in (*earlier, run):
        if attempt.measurements:
            first = attempt.measurements[0].step
            measured = [*(m for m in measured if m.step < first), *attempt.measurements]
    return History(
        name=name,
        curves=curves_in(measured),
        config=run.config,
        facts=run.facts,
        seed=run.seed,
        status=str(run.status),
        reason=run.reason,
    )


def curves_in(measurements: Iterable[Measurement]) -> dict[str, Curve]:
    """The curves by metric; of values at one step the last measured counts."""
    points: dict[str, dict[float, float]] = {}
    for measurement in measurements:
        for metric, value in measurement.values.items():
            points.setdefault(metric, {})[float(measurement.step)] = value
    return {
        metric: Curve(steps=tuple(sorted(at)), values=tuple(at[step] for step in sorted(at)))
        for metric, at in points.items()
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The histories of one config, repeats of each other, under the name that a report gives them."""

    subject: str
    histories: tuple[History, ...]
    ground: Ground


def ground_of(
    workload: Workload | None,
    config: Mapping[str, Any],
    runs: Sequence[Run],
    metric: Metric | None,
    data_root: Path | None,
) -> Ground:
    """What is known beside the curves of runs of one config, from what they said of themselves and their workload.

    Counts are those of the facts; a fact on which the runs differ is not known. Without a workload (None: it cannot
    be found) there is neither a chance level nor a space.
    """
    return ground_upon(baselines_in(workload, data_root), workload, config, runs, metric)


def ground_upon(
    baselines: Baselines | None,
    workload: Workload | None,
    config: Mapping[str, Any],
    runs: Sequence[Run],
    metric: Metric | None,
) -> Ground:
    """`ground_of` where what predictors that learn nothing come to is known already: asking may be slow."""
    return Ground(
        metric=metric,
        trained_on=_counted(runs, "train_examples"),
        evaluated_on=_counted(runs, "evaluated_examples") or (baselines.evaluated_on if baselines else None),
        parameters=_counted(runs, "parameters"),
        classes=_counted(runs, "classes"),
        chance_loss=_chance_loss(baselines, workload),
        chance_score=_chance(baselines, metric),
        config=dict(config),
        space=_space(workload),
    )


def _space(workload: Workload | None) -> SearchSpace | None:
    """The workload's space; a program takes any settings and so has none to hold them to."""
    return None if workload is None or workload.config is dict else workload.space


def baselines_in(workload: Workload | None, data_root: Path | None) -> Baselines | None:
    """What predictors that learn nothing come to; None where nobody can say."""
    try:
        return None if workload is None else workload.baselines(data_root)
    except SurefootError:  # what cannot be said is not known; `analyze` tells why
        return None


def _chance(baselines: Baselines | None, metric: Metric | None) -> float | None:
    """The best that a predictor which learns nothing comes to in that metric."""
    if baselines is None or metric is None:
        return None
    values = list(baselines.values.get(metric.name, {}).values())
    return max(values, key=lambda value: metric.sign * value) if values else None


def _chance_loss(baselines: Baselines | None, workload: Workload | None) -> float | None:
    """The same for the workload's loss, whatever metric is looked at."""
    if baselines is None or workload is None:
        return None
    losses = [m for m in workload.metrics if m.goal == "minimize" and LOSSES & set(words_of(m.name))]
    return next((found for m in losses if (found := _chance(baselines, m)) is not None), None)


def _counted(runs: Iterable[Run], fact: str) -> int | None:
    """The count that every run which tells it tells alike."""
    told = {run.facts[fact] for run in runs if isinstance(run.facts.get(fact), int | float)}
    only = next(iter(told)) if len(told) == 1 else None
    is_count = only is not None and not isinstance(only, bool) and float(only).is_integer() and only >= 1
    return int(only) if is_count and only is not None else None
