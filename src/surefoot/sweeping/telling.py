"""A sweep's record told as a story: trials, the best of them, the fresh seeds, the time left."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from surefoot.choosing import BASE, Candidate, Chosen, confirmed, fitted
from surefoot.comparison import NoValue, Value
from surefoot.reports.sweep_story import CurveStory, FreshStory, SweepStory, TrialStory
from surefoot.run import Metric, Run, Status, config_hash
from surefoot.storage import Record, StudyRow
from surefoot.sweep import Confirmation, Sweep, sweep_of
from surefoot.sweeping.registration import Past, Prints, past_of, printed_otherwise, recorded_prints
from surefoot.sweeping.time_left import seconds_left
from surefoot.sweeping.trials import ABANDONED, Trial, TrialState, barred_by, pareto_front, ranked

LARGEST_VALUE = 1e100
MOST_CURVES = 50
MOST_FRESH_ATTEMPTS = 3
PAUSED = "paused"  # how the reason of a pause begins


def fresh_key(key: str) -> str:
    """The name under which the runs on fresh seeds are recorded."""
    return f"{key} on fresh seeds"


def fresh_runs_of(
    record: Record, study_id: int, sweep: Sweep, numbers: Collection[int], prints: Prints | None
) -> dict[int, list[Run]]:
    """Trial number -> its runs on fresh seeds that count today, of these trials and of today's base."""
    found = record.trial_runs(study_id, fresh_key(sweep.name))
    base, identity = config_hash(sweep.base), sweep.workload_identity

    def counts(number: int, run: Run) -> bool:
        is_of_today = config_hash(run.config) == base if number == BASE else number in numbers
        return is_of_today and not printed_otherwise([run], identity, prints)

    return {number: some for number, runs in found.items() if (some := [run for run in runs if counts(number, run)])}


def read_sweep_story(record: Record, study: StudyRow) -> SweepStory:
    """The story of a sweep from its record alone: neither its workload nor its data is needed."""
    sweep = recorded_sweep(record, study.id)
    past = past_of(record, study.id, sweep.name, sweep, sweep.base, recorded_prints(record, study.id))
    story = tell_sweep(record, study.id, sweep, past)
    return dataclasses.replace(story, curves=_curves(record, story, past))


def recorded_sweep(record: Record, study_id: int) -> Sweep:
    """The sweep as it was registered last."""
    revision = record.revisions(study_id)[-1]
    said = sweep_of(revision.known["definition"])
    return dataclasses.replace(said, path=revision.plan_path, text=revision.plan_text)


def tell_sweep(record: Record, study_id: int, sweep: Sweep, past: Past) -> SweepStory:
    """The story of a sweep whose past is read, without its curves."""
    states = record.events(study_id, "state")
    state = states[-1].payload if states else {}
    is_open = not state.get("ending")
    revisions = record.revisions(study_id)
    fresh = fresh_runs_of(record, study_id, sweep, past.trials, recorded_prints(record, study_id))
    fresh_runs = sum(len(runs) for runs in fresh.values())
    counts = record.status_counts()[study_id]
    trials = [settled(trial, sweep, is_open=is_open) for _, trial in sorted(past.trials.items())]
    best = ranked(trials, sweep)
    chosen = choice_of(sweep, best, fresh)
    is_alive = counts.statuses.get(Status.RUNNING, 0) > 0
    phase = str(state.get("phase", "exploring"))
    return SweepStory(
        sweep=sweep,
        phase=phase,
        ending=str(state.get("ending", "")),
        trials=tuple(_told(trial, sweep, past.runs[trial.number], is_alive=is_alive) for trial in trials),
        left_out=past.left_out,
        best=best[0].number if best else None,
        front=tuple(t.number for t in pareto_front(trials, sweep)) if len(sweep.targets) > 1 else (),
        chosen=chosen,
        fresh=fresh_stories(sweep, chosen, fresh),
        fresh_runs=fresh_runs,
        runs={str(status).lower(): n for status, n in counts.statuses.items()},
        hours=counts.wall_seconds / 3600,
        seconds_left=left_of(sweep, trials, fresh_runs=fresh_runs, phase=phase),
        revisions=len(revisions),
        registered_at=revisions[0].registered_at,
        notices=tuple(e.payload["text"] for e in record.events(study_id, "notice")),
        provenance=_provenance(past),
    )


def left_of(sweep: Sweep, trials: Sequence[Trial], *, fresh_runs: int, phase: str) -> float | None:
    """The seconds of training still to come in that phase; None where nobody can say."""
    if phase == "done":
        return 0.0
    is_explored, confirms = phase == "confirming", sweep.confirmation is not None and len(sweep.targets) == 1
    confirmation = confirmation_of(sweep) if confirms else None
    return seconds_left(sweep, trials, confirmation, fresh_runs=fresh_runs, is_explored=is_explored)


def settled(trial: Trial, sweep: Sweep, *, is_open: bool) -> Trial:
    """The trial as a person should see it: while the search is open, one may be paused, or between two of its seeds."""
    if is_open and trial.state is TrialState.PRUNED and trial.reason.startswith(PAUSED):
        return dataclasses.replace(trial, state=TrialState.PAUSED)
    if is_open and trial.state is TrialState.COMPLETE and len(trial.finals) < sweep.seeds:
        return dataclasses.replace(trial, state=TrialState.WAITING)
    lost = dataclasses.replace(trial)
    return lost if lost.give_up(sweep.retries) else trial


# --- fresh seeds -----------------------------------------------------------------------------------------------------


def candidates_of(sweep: Sweep, best: Sequence[Trial], fresh: Mapping[int, Sequence[Run]]) -> list[Candidate]:
    """The complete configs, the best first, and the base where it takes part, with what fresh seeds said of them."""
    metric = sweep.targets[0]
    once = {config_hash(trial.config): trial for trial in reversed(best)}
    found = [
        Candidate(
            number=trial.number,
            explored=tuple(final[metric.name] for final in trial.finals.values()),
            fresh=tuple(_fresh_values(fresh.get(trial.number, ()), metric).values()),
        )
        for trial in reversed(once.values())
    ]
    if sweep.confirmation is not None and sweep.confirmation.has_base:
        base = _fresh_values(fresh.get(BASE, ()), metric)
        found.append(Candidate(number=BASE, explored=(), fresh=tuple(base.values())))
    return found


def choice_of(sweep: Sweep, best: Sequence[Trial], fresh: Mapping[int, Sequence[Run]]) -> Chosen | None:
    """What the fresh seeds say so far; None before the first of them has ended."""
    if sweep.confirmation is None or len(sweep.targets) > 1 or not best:
        return None
    candidates = candidates_of(sweep, best, fresh)
    if not any(candidate.fresh for candidate in candidates):
        return None
    return confirmed(candidates, metric=sweep.targets[0], confirmation=confirmation_of(sweep))


def confirmation_of(sweep: Sweep) -> Confirmation:
    """The sweep's confirmation, made to fit its budget of runs."""
    assert sweep.confirmation is not None
    return fitted(sweep.confirmation, sweep.budget.runs, has_base=sweep.confirmation.has_base)


def fresh_stories(sweep: Sweep, chosen: Chosen | None, fresh: Mapping[int, Sequence[Run]]) -> tuple[FreshStory, ...]:
    """The values on fresh seeds of those who stood in the race, in the order of their standing."""
    if chosen is None:
        return ()
    found = []
    for standing in chosen.standings:
        told = _fresh_values(fresh.get(standing.number, ()), sweep.targets[0])
        values = tuple(told.values())
        is_claimed = standing.number in (chosen.number, BASE)
        found.append(
            FreshStory(
                number=standing.number,
                seeds=tuple(told),
                values=values,
                claiming=_claiming(values, chosen.n) if is_claimed else 0,
            )
        )
    return tuple(story for story in found if story.values)


def _claiming(values: Sequence[Value], n: int) -> int:
    """How many of the last values hold the n numbers that had no part in choosing."""
    places = [i for i, value in enumerate(values) if not isinstance(value, NoValue)]
    return len(values) - places[-min(n, len(places))] if n and places else 0


def _last_attempts(runs: Sequence[Run]) -> list[Run]:
    """Each seed's last attempt that has ended, in the order of the seeds."""
    last = {run.seed: run for run in runs if run.status not in (Status.RUNNING, Status.INTERRUPTED)}
    return [last[seed] for seed in sorted(last)]


def _fresh_values(runs: Sequence[Run], metric: Metric) -> dict[int, Value]:
    """Seed -> value, in the order of the seeds, up to the first that is still to come; one given up is LOST."""
    values: dict[int, Value] = {}
    for seed in sorted({run.seed for run in runs}):
        attempts = [run for run in runs if run.seed == seed]
        ended = _last_attempts(attempts)
        if not ended and not is_given_up(attempts):
            break
        values[seed] = _value(ended[-1], metric.name) if ended else NoValue.LOST
    return values


def is_given_up(attempts: Sequence[Run]) -> bool:
    """Whether a run on a fresh seed was broken off so often that it is not tried again."""
    broken_off = sum(run.status is Status.INTERRUPTED and run.reason == ABANDONED for run in attempts)
    return broken_off >= MOST_FRESH_ATTEMPTS


def _value(run: Run, metric: str) -> Value:
    if run.status is Status.INFEASIBLE:
        return NoValue.DIVERGED
    value = run.finals.get(metric) if run.status is Status.COMPLETE else None
    if value is None:
        return NoValue.LOST
    return value if abs(value) <= LARGEST_VALUE else NoValue.DIVERGED


# --- trials ----------------------------------------------------------------------------------------------------------


def _told(trial: Trial, sweep: Sweep, runs: Sequence[Run], *, is_alive: bool) -> TrialStory:
    first = sweep.targets[0].name
    last = next((run.finals[first] for run in reversed(runs) if first in run.finals), None)
    is_running = is_alive and bool(runs) and runs[-1].status is Status.RUNNING
    state = TrialState.RUNNING if is_running else trial.state
    values = trial.values(sweep.targets) if state is TrialState.COMPLETE else None
    return TrialStory(
        number=trial.number,
        settings=trial.settings,
        origin=trial.origin,
        state=str(state),
        reason="" if is_running else trial.reason,
        values=tuple(values or ()),
        per_seed=tuple(final[first] for final in trial.finals.values() if first in final),
        seeds=len(trial.finals),
        attempts=len(runs),
        retried=retried_of(runs),
        seconds=trial.seconds,
        since=runs[-1].provenance.started_at if is_running else "",
        last_value=last if last is None or math.isfinite(last) else None,
        barred_by=barred_by(trial, sweep),
    )


def retried_of(runs: Sequence[Run]) -> int:
    """How many of a trial's runs came to nothing and were followed by another attempt at the same seed."""
    lost = (Status.INTERRUPTED, Status.FAILED)
    seeds_after = [run.seed for run in runs]
    return sum(run.status in lost and run.seed in seeds_after[i + 1 :] for i, run in enumerate(runs))


def _curves(record: Record, story: SweepStory, past: Past) -> tuple[CurveStory, ...]:
    """The curves of at most fifty trials, where a stopping rule ended or paused one by its steps: the best, and
    an even sample of the others.
    """
    stopping = story.sweep.stopping
    if stopping is None or stopping.rule == "wilcoxon":
        return ()
    if not any(t.state in ("PRUNED", "PAUSED") for t in story.trials):
        return ()
    sign = story.objective.sign
    best = sorted((t for t in story.trials if t.values), key=lambda t: -sign * t.values[0])[: MOST_CURVES // 3]
    others = [t for t in story.trials if t not in best and past.runs[t.number]]
    every = max(1, math.ceil(len(others) / (MOST_CURVES - len(best))))
    shown = sorted([*best, *others[::every]], key=lambda t: t.number)
    name = story.objective.name
    measured = record.curves([run.id for t in shown for run in past.runs[t.number]], name)
    found = []
    for trial in shown:
        points = {m.step: m.values[name] for run in past.runs[trial.number] for m in measured.get(run.id, ())}
        points = {step: value for step, value in points.items() if math.isfinite(value)}
        steps = tuple(sorted(points))
        values = tuple(points[step] for step in steps)
        if stopping.counts == "measurements":
            steps = tuple(range(1, len(steps) + 1))
        if steps:
            found.append(CurveStory(number=trial.number, state=trial.state, steps=steps, values=values))
    return tuple(found)


def _provenance(past: Past) -> dict[str, str]:
    runs = [run for some in past.runs.values() for run in some]
    if not runs:
        return {}
    last = max(runs, key=lambda run: run.id).provenance
    machines = Counter(run.provenance.machine for run in runs)
    return {
        "machine": "; ".join(f"{name} ({n} runs)" if len(machines) > 1 else name for name, n in machines.items()),
        "code": last.code_fingerprint,
        "data": last.data_fingerprint,
        "commit": last.git_commit,
    }
