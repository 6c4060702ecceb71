"""The histories of a study or a sweep on record, in groups of one config each, ready to be diagnosed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from surefoot.errors import RecordError
from surefoot.history import History
from surefoot.plan import Plan
from surefoot.reports.story import ArmStory, Story
from surefoot.run import Metric, Run, Status, config_hash
from surefoot.storage import Record, StudyRow
from surefoot.study.diagnosing import Group, baselines_in, ground_upon, history_of
from surefoot.study.telling import read_story
from surefoot.sweep import Sweep
from surefoot.sweeping.registration import past_of, recorded_prints
from surefoot.sweeping.tables import metric_of, workload_of
from surefoot.sweeping.telling import recorded_sweep
from surefoot.sweeping.trials import ranked
from surefoot.words import count
from surefoot.workload import Baselines, Workload

MOST_TRIALS = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Groups of histories, the most telling first; `metric` is the one looked at."""

    name: str
    metric: Metric | None
    groups: tuple[Group, ...]
    notices: tuple[str, ...] = ()


def histories_of_study(
    record: Record, study: StudyRow, plan: Plan, *, metric: str | None = None, data_root: Path | None = None
) -> Source:
    """The baseline, the champion and every arm of a study, each with the runs of its exploring seeds.

    A config that stands in several places is one group, under the name of the first. `metric` is the primary one by
    default. Raises RecordError for one that the study does not measure, and where nothing has been trained yet.
    """
    story = read_story(record, study.id, plan)
    looked_at = metric_of(metric or story.primary.name, story.metrics, f'study "{plan.study}"')
    workload = workload_of(plan.workload)
    baselines = baselines_in(workload, data_root)
    groups = [
        _group(label, runs, looked_at, workload, baselines) for label, runs in _configs(story).items() if any(runs)
    ]
    if not groups:
        raise RecordError(f'"{plan.study}" has no run yet that ended; there is nothing to diagnose')
    return Source(name=plan.study, metric=looked_at, groups=tuple(groups))


def _configs(story: Story) -> dict[str, list[Run]]:
    """What each config is called -> its runs, the baseline first, then the champion, then the arms in order."""
    places: list[tuple[str, ArmStory]] = [("baseline", story.baseline)] if story.baseline else []
    for experiment in story.experiments:
        places += [(f"{experiment.id}: {arm.name}", arm) for arm in experiment.arms]
    names: dict[str, str] = {}
    runs: dict[str, dict[int, Run]] = {}
    for label, arm in places:
        known_as = config_hash(arm.config)
        names.setdefault(known_as, label)
        runs.setdefault(known_as, {}).update({run.id: run for run in arm.runs})
    champion = config_hash(story.champion_config)
    if champion in names and names[champion] != "baseline":
        names[champion] = f"champion ({names[champion]})"
    order = sorted(names, key=lambda h: (names[h] != "baseline", h != champion))
    return {names[h]: list(runs[h].values()) for h in order}


def _group(
    label: str, runs: Sequence[Run], metric: Metric, workload: Workload | None, baselines: Baselines | None
) -> Group:
    return Group(
        subject=label,
        histories=_histories(label, runs),
        ground=ground_upon(baselines, workload, runs[0].config, runs, metric),
    )


def _histories(label: str, runs: Iterable[Run]) -> tuple[History, ...]:
    """One history a seed, all attempts of it together."""
    seeds: dict[int, list[Run]] = {}
    for run in runs:
        seeds.setdefault(run.seed, []).append(run)
    return tuple(
        history_of(some[-1], label if len(seeds) == 1 else f"{label}, seed {seed}", some[:-1])
        for seed, some in seeds.items()
    )


def histories_of_sweep(
    record: Record, study: StudyRow, *, metric: str | None = None, data_root: Path | None = None
) -> Source:
    """Every trial of a sweep that counts today, the best first; those without a value follow in their own order.

    `metric` is the sweep's first objective by default. Raises RecordError for one that it does not measure, and
    where no trial has been trained yet.
    """
    sweep = recorded_sweep(record, study.id)
    looked_at = metric_of(metric or sweep.objectives[0], sweep.metrics, f'sweep "{sweep.name}"')
    past = past_of(record, study.id, sweep.name, sweep, sweep.base, recorded_prints(record, study.id))
    trained = {n: [run for run in runs if run.status is not Status.RUNNING] for n, runs in past.runs.items()}
    best = [trial.number for trial in ranked(list(past.trials.values()), sweep)]
    order = [n for n in dict.fromkeys((*best, *sorted(past.trials))) if trained[n]]
    if not order:
        raise RecordError(f'"{sweep.name}" has no trial yet that ended; there is nothing to diagnose')
    groups = _trials(record, {n: trained[n] for n in order[:MOST_TRIALS]}, sweep, looked_at, data_root)
    left = len(order) - len(groups)
    said = f"the {len(groups):,} best trials are looked at; {count(left, 'other')} left out"
    notices = [f"{count(n, 'trial')} of another time left out: {why}" for why, n in past.left_out.items()]
    notices += [said] if left else []
    return Source(name=sweep.name, metric=looked_at, groups=tuple(groups), notices=tuple(notices))


def _trials(
    record: Record, runs: Mapping[int, Sequence[Run]], sweep: Sweep, metric: Metric, data_root: Path | None
) -> list[Group]:
    measured = record.curves([run.id for some in runs.values() for run in some])
    workload = workload_of(sweep.workload)
    baselines = baselines_in(workload, data_root)
    groups = []
    for number, some in runs.items():
        whole = [replace(run, measurements=tuple(measured.get(run.id, ()))) for run in some]
        ground = ground_upon(baselines, workload, whole[0].config, whole, metric)
        label = f"trial {number}"
        groups.append(Group(subject=label, histories=_histories(label, whole), ground=ground))
    return groups
