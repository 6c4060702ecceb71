"""Where a sweep stands, read at a glance: no config, no fact and no measurement of ten thousand trials."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from surefoot.choosing import Chosen
from surefoot.reports.sweep_sentences import Failures, failures_of
from surefoot.run import Status
from surefoot.storage import AttemptRow, Record, StudyRow
from surefoot.sweep import Sweep
from surefoot.sweeping.registration import printed_otherwise, recorded_prints, settings_today
from surefoot.sweeping.telling import choice_of, fresh_key, fresh_runs_of, left_of, recorded_sweep, settled
from surefoot.sweeping.trials import Trial, TrialState, pareto_front, ranked

LOST = (Status.INTERRUPTED, Status.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class BestSoFar:
    """The config that a sweep would name now, with what is known of its value.

    `basis` is "fresh seeds" (they had no part in choosing it), "race seeds", "exploring seeds" or "one seed", `n`
    how many of them; `interval` 95 % of it, on fresh and race seeds only; `spread` the sd over exploring seeds.
    """

    trial: int
    value: float
    basis: str
    n: int
    interval: tuple[float, float] | None = None
    spread: float | None = None
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningRun:
    """A run in hand: of which trial, on which seed, and since when (UTC, ISO 8601)."""

    trial: int
    seed: int
    since: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepStanding:
    """Where a sweep stands: its trials by state (in lower case), what failed, the best so far, what runs now."""

    sweep: Sweep
    phase: str
    ending: str
    trials: Mapping[str, int]
    left_out: int
    failures: tuple[Failures, ...]
    retried: int
    best: BestSoFar | None
    front: tuple[int, ...]
    chosen: Chosen | None
    running: tuple[RunningRun, ...]
    seconds_left: float | None


def standing_of(record: Record, study: StudyRow) -> SweepStanding:
    """Where the sweep stands now."""
    sweep = recorded_sweep(record, study.id)
    states = record.events(study.id, "state")
    state = states[-1].payload if states else {}
    phase, ending = str(state.get("phase", "exploring")), str(state.get("ending", ""))
    attempts = record.attempts(study.id, sweep.name)
    known, left_out = _trials(record, study.id, sweep)
    _fill(record, study.id, known, attempts)
    trials = [settled(trial, sweep, is_open=not ending) for trial in known.values()]
    fresh_key_of = fresh_key(sweep.name)
    fresh_attempts = record.attempts(study.id, fresh_key_of) if sweep.confirmation is not None else []
    running = [a for a in (*attempts, *fresh_attempts) if a.status is Status.RUNNING]
    now = {a.trial for a in attempts if a.status is Status.RUNNING}
    best = ranked(trials, sweep)
    chosen = _choice(record, study.id, sweep, best) if fresh_attempts else None
    counts = Counter("running" if t.number in now else t.state.lower() for t in trials)
    return SweepStanding(
        sweep=sweep,
        phase=phase,
        ending=ending,
        trials=dict(counts),
        left_out=left_out,
        failures=failures_of((t.number, str(t.state), t.reason) for t in trials),
        retried=_retried([*attempts, *fresh_attempts]),
        best=_best(record, study.id, sweep, best, chosen),
        front=tuple(t.number for t in pareto_front(trials, sweep)) if len(sweep.targets) > 1 else (),
        chosen=chosen,
        running=tuple(RunningRun(trial=a.trial, seed=a.seed, since=a.started_at) for a in running),
        seconds_left=left_of(sweep, trials, fresh_runs=len(fresh_attempts), phase=phase),
    )


def _trials(record: Record, study_id: int, sweep: Sweep) -> tuple[dict[int, Trial], int]:
    """The trials that count today, without their runs, and how many do not; settings only where they are needed.

    A trial that was made in today's space needs no reading.
    """
    spaces, today = record.trial_spaces(study_id, sweep.name), sweep.hash
    old = {number for number, space in spaces.items() if space != today}
    needs_config = old if not sweep.measured_constraints else spaces.keys()
    rows = {row.number: row for row in record.trials(study_id, sweep.name)} if needs_config else {}
    outside = {number for number in old if settings_today(sweep.space, sweep.base, rows[number])[1]}
    outside |= _of_other_prints(record, study_id, sweep, is_revised=bool(old))
    found = {
        number: Trial(number=number, settings={}, config=rows[number].config if number in rows else {}, origin="")
        for number in spaces
        if number not in outside
    }
    return found, len(outside)


def _of_other_prints(record: Record, study_id: int, sweep: Sweep, *, is_revised: bool) -> set[int]:
    """The trials made with other code or data, where those do not count; runs are read only where there may be any."""
    prints = recorded_prints(record, study_id)
    states = record.events(study_id, "state")
    if prints is None:
        return set()
    if len({(state.payload["data"], state.payload["code"]) for state in states}) < 2 and not is_revised:
        return set()
    runs = record.trial_runs(study_id, sweep.name)
    identity = sweep.workload_identity
    return {number for number, some in runs.items() if printed_otherwise(some, identity, prints)}


def _fill(record: Record, study_id: int, trials: Mapping[int, Trial], attempts: Sequence[AttemptRow]) -> None:
    for a in attempts:
        trial = trials.get(a.trial)
        if trial is not None:
            trial.hear(a.seed, a.status, a.reason, seconds=a.seconds, finals=a.finals)
    for event in record.events(study_id, "pruned"):
        trial = trials.get(event.payload["trial"])
        if trial is not None:
            trial.state, trial.reason = TrialState.PRUNED, event.payload["reason"]


def _choice(record: Record, study_id: int, sweep: Sweep, best: Sequence[Trial]) -> Chosen | None:
    """What fresh seeds say; only the best few can have met any, and only their configs are read."""
    numbers = {trial.number for trial in best}
    fresh = fresh_runs_of(record, study_id, sweep, numbers, recorded_prints(record, study_id))
    top = sweep.confirmation.top if sweep.confirmation else 0
    some = [t for i, t in enumerate(best) if i < 20 + 5 * top or t.number in fresh]
    rows = {row.number: row for row in record.trials(study_id, sweep.name, numbers=[t.number for t in some])}
    return choice_of(sweep, [replace(t, config=rows[t.number].config) for t in some], fresh)


def _best(
    record: Record, study_id: int, sweep: Sweep, best: Sequence[Trial], chosen: Chosen | None
) -> BestSoFar | None:
    if len(sweep.targets) > 1 or not best:
        return None
    number = best[0].number if chosen is None or chosen.number is None else chosen.number
    (row,) = record.trials(study_id, sweep.name, numbers=[number])
    settings, _ = settings_today(sweep.space, sweep.base, row)
    if chosen is not None and chosen.number is not None:
        standing = chosen.standings[0]
        if chosen.estimate is not None:
            said = (chosen.estimate, "fresh seeds", chosen.n, chosen.interval)
        elif standing.mean is not None:
            said = (standing.mean, "race seeds", standing.n, standing.interval)
        else:
            said = (standing.explored or 0.0, "exploring seeds", len(best[0].finals), None)
        value, basis, n, interval = said
        return BestSoFar(trial=number, value=value, basis=basis, n=n, interval=interval, settings=settings)
    values = [final[sweep.targets[0].name] for final in best[0].finals.values()]
    spread = statistics.stdev(values) if len(values) > 1 else None
    basis = "exploring seeds" if len(values) > 1 else "one seed"
    mean = sum(values) / len(values)
    return BestSoFar(trial=number, value=mean, basis=basis, n=len(values), spread=spread, settings=settings)


def _retried(attempts: Sequence[AttemptRow]) -> int:
    """How many attempts came to nothing and were followed by another one at the same trial and seed."""
    later: set[tuple[int, int]] = set()
    count = 0
    for a in reversed(attempts):
        count += a.status in LOST and (a.trial, a.seed) in later
        later.add((a.trial, a.seed))
    return count
