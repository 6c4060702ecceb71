"""A sweep's record told as a story: trials, the best of them, the fresh seeds, the time left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from surefoot.choosing import Candidate, Chosen, confirmed, wanted

from surefoot.comparison import NoValue, Value
from surefoot.reports.sweep_story import SweepStory, TrialStory
from surefoot.run import Metric, Run, Status
from surefoot.storage import Record, StudyRow
from surefoot.sweep import Sweep, sweep_of
from surefoot.sweeping.registration import Past, past_of
from surefoot.sweeping.trials import Trial, TrialState, barred_by, pareto_front, ranked

BASE = -1  # the number under which the sweep's own base takes part in the confirmation
LARGEST_VALUE = 1e100


def fresh_key(key: str) -> str:
    """The name under which the runs on fresh seeds are recorded."""
    return f"{key} on fresh seeds"


def read_sweep_story(record: Record, study: StudyRow) -> SweepStory:
    """The story of a sweep from its record alone: neither its workload nor its data is needed."""
    revision = record.revisions(study.id)[-1]
    sweep = sweep_of(revision.known["definition"])
    past = past_of(record, study.id, sweep.name, sweep, sweep.base, None)
    return tell_sweep(record, study.id, sweep, past)


def tell_sweep(record: Record, study_id: int, sweep: Sweep, past: Past) -> SweepStory:
    """The story of a sweep whose past is read."""
    states = record.events(study_id, "state")
    state = states[-1].payload if states else {}
    revisions = record.revisions(study_id)
    fresh = record.trial_runs(study_id, fresh_key(sweep.name))
    best = ranked(past.trials.values(), sweep)
    counts = record.status_counts()[study_id]
    return SweepStory(
        sweep=sweep,
        phase=str(state.get("phase", "exploring")),
        ending=str(state.get("ending", "")),
        trials=tuple(
            _told(trial, sweep, past.runs[number], is_open=not state.get("ending"))
            for number, trial in sorted(past.trials.items())
        ),
        left_out=past.left_out,
        best=best[0].number if best else None,
        front=tuple(t.number for t in pareto_front(past.trials.values(), sweep)) if len(sweep.targets) > 1 else (),
        chosen=choice_of(sweep, best, fresh),
        fresh_runs=sum(len(runs) for runs in fresh.values()),
        runs={str(status).lower(): n for status, n in counts.statuses.items()},
        hours=counts.wall_seconds / 3600,
        seconds_left=_seconds_left(sweep, past),
        revisions=len(revisions),
        registered_at=revisions[0].registered_at,
        notices=tuple(e.payload["text"] for e in record.events(study_id, "notice")),
        provenance=_provenance(past),
    )


def candidates_of(sweep: Sweep, best: Sequence[Trial], fresh: Mapping[int, Sequence[Run]]) -> list[Candidate]:
    """The complete trials, the best first, and the base where it was trained, with what fresh seeds said of them."""
    metric = sweep.targets[0]
    found = [
        Candidate(
            number=trial.number,
            explored=tuple(final[metric.name] for final in trial.finals.values()),
            fresh=_fresh_values(fresh.get(trial.number, ()), metric),
        )
        for trial in best
    ]
    if fresh.get(BASE):
        found.append(Candidate(number=BASE, explored=(), fresh=_fresh_values(fresh[BASE], metric)))
    return found


def choice_of(sweep: Sweep, best: Sequence[Trial], fresh: Mapping[int, Sequence[Run]]) -> Chosen | None:
    """What the fresh seeds said, once they have said all that is wanted; None before."""
    if sweep.confirmation is None or not fresh or len(sweep.targets) > 1:
        return None
    candidates = candidates_of(sweep, best, fresh)
    metric = sweep.targets[0]
    if wanted(candidates, metric=metric, confirmation=sweep.confirmation, runs_left=None):
        return None
    return confirmed(candidates, metric=metric, confirmation=sweep.confirmation)


def _fresh_values(runs: Sequence[Run], metric: Metric) -> tuple[Value, ...]:
    """One value a seed, in the order of the seeds, from each seed's last attempt."""
    last = {run.seed: run for run in runs if run.status not in (Status.RUNNING, Status.INTERRUPTED)}
    return tuple(_value(last[seed], metric.name) for seed in sorted(last))


def _value(run: Run, metric: str) -> Value:
    if run.status is Status.INFEASIBLE:
        return NoValue.DIVERGED
    value = run.finals.get(metric) if run.status is Status.COMPLETE else None
    if value is None:
        return NoValue.LOST
    return value if abs(value) <= LARGEST_VALUE else NoValue.DIVERGED


def _told(trial: Trial, sweep: Sweep, runs: Sequence[Run], *, is_open: bool) -> TrialStory:
    values = trial.values(sweep.targets) if trial.state is TrialState.COMPLETE else None
    first = sweep.targets[0].name
    last = next((run.finals[first] for run in reversed(runs) if first in run.finals), None)
    state = TrialState.RUNNING if runs and runs[-1].status is Status.RUNNING else trial.state
    if state is TrialState.PRUNED and is_open and trial.reason.startswith("paused"):
        state = TrialState.PAUSED
    return TrialStory(
        number=trial.number,
        settings=trial.settings,
        origin=trial.origin,
        state=str(state),
        reason=trial.reason,
        values=tuple(values or ()),
        per_seed=tuple(final[first] for final in trial.finals.values() if first in final),
        seeds=len(trial.finals),
        attempts=len(runs),
        seconds=trial.seconds,
        last_value=last,
        barred_by=barred_by(trial, sweep),
    )


def _seconds_left(sweep: Sweep, past: Past) -> float | None:
    """The training seconds still to come, from the mean of the trials so far; None where no number of trials is set."""
    ended = [t for t in past.trials.values() if t.has_ended]
    if sweep.budget.trials is None or not ended:
        return None
    mean = sum(t.seconds for t in ended) / len(ended)
    return mean * max(sweep.budget.trials - len(ended), 0)


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
