"""A sweep put on record before anything trains, and the trials of its past that still count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.run import Run, Status, canonical_json, config_hash
from surefoot.space import SearchSpace
from surefoot.storage import Record, TrialRow
from surefoot.sweep import Sweep
from surefoot.sweeping.trials import Trial, TrialState

PRINTED_OTHERWISE = "made with other"  # how the reason begins why trials of other data or code do not count


def register_sweep(record: Record, study_id: int, sweep: Sweep) -> tuple[str, ...]:
    """Puts the sweep on record as a revision of its study, where it is a new one; what changed, in sentences."""
    revisions = record.revisions(study_id)
    if revisions and revisions[-1].plan_hash == sweep.hash:
        return ()
    trials = len(record.trials(study_id, sweep.name))
    revision = record.add_revision(
        study_id,
        plan_hash=sweep.hash,
        plan_text=sweep.text,
        plan_path=sweep.path,
        known={"results": [f"{trials} trials"] if trials else [], "definition": sweep.definition()},
    )
    record.add_experiment(
        study_id, revision.id, key=sweep.name, content_hash=sweep.hash, definition={"sweep": sweep.definition()}
    )
    if not revisions:
        return ()
    changed = _changes(revisions[-1].known["definition"], sweep.definition())
    return (f"the sweep changed since {revisions[-1].registered_at[:16]}: {', '.join(changed)}",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Prints:
    """The fingerprints (hex SHA-256) of the data and the code that a sweep trains with now."""

    data: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The trials on record: those that count, by number, with their runs; and how many do not, by reason."""

    trials: Mapping[int, Trial]
    runs: Mapping[int, tuple[Run, ...]]
    left_out: Mapping[str, int]
    next_number: int


def past_of(
    record: Record, study_id: int, key: str, sweep: Sweep, base: Mapping[str, Any], prints: Prints | None
) -> Past:
    """What of the search's past still counts for the sweep as it is now.

    A trial counts where its config lies in today's space and differs from today's base in searched settings
    only, and its runs were made with today's data, code and program (any, where `prints` is None).
    """
    rows = record.trials(study_id, key)
    runs = record.trial_runs(study_id, key)
    pruned = {e.payload["trial"]: e.payload["reason"] for e in record.events(study_id, "pruned") if e.experiment == key}
    asked = {*sweep.objectives, *(name for c in sweep.measured_constraints for name in c.names)}
    wanted = [metric.name for metric in sweep.metrics if metric.name in asked]
    identity = sweep.workload_identity
    counted: dict[int, Trial] = {}
    left_out: dict[str, int] = {}
    for row in rows:
        settings, why_not = settings_today(sweep.space, base, row)
        some = runs.get(row.number, [])
        why_not = why_not or printed_otherwise(some, identity, prints) or _measured_otherwise(some, wanted)
        if why_not:
            left_out[why_not] = left_out.get(why_not, 0) + 1
            continue
        trial = Trial(number=row.number, settings=settings, config=row.config, origin=row.origin)
        for run in some:
            trial.take(run)
        if row.number in pruned:
            trial.state, trial.reason = TrialState.PRUNED, pruned[row.number]
        counted[row.number] = trial
    return Past(
        trials=counted,
        runs={number: tuple(runs.get(number, ())) for number in counted},
        left_out=left_out,
        next_number=1 + max((row.number for row in rows), default=-1),
    )


def settings_today(space: SearchSpace, base: Mapping[str, Any], row: TrialRow) -> tuple[dict[str, Any], str]:
    """The trial's config as settings of today's space, and why it has no place there."""
    try:
        settings = space.build(lambda parameter: row.config[parameter.name])
    except KeyError:
        return {}, "a setting that is searched now had no value then"
    if config_hash({**base, **settings}) != config_hash(row.config):
        return {}, "a setting that is not searched now had another value"
    return settings, "outside today's space" if space.why_not(settings) else ""


def recorded_prints(record: Record, study_id: int) -> Prints | None:
    """What the sweep trained with last; None where trials of other code and data count too."""
    states = record.events(study_id, "state")
    if not states or states[-1].payload.get("keeps_old", True):
        return None
    return Prints(data=states[-1].payload["data"], code=states[-1].payload["code"])


def trainings_of(record: Record, study_id: int, runs: Iterable[Run]) -> set[str]:
    """The keys of the runs that the study trained itself; one that was broken off is tried again, and counts then."""
    return {run.key for run in own_runs(record, study_id, runs) if run.status is not Status.INTERRUPTED}


def own_runs(record: Record, study_id: int, runs: Iterable[Run]) -> list[Run]:
    """Those of the runs that the study trained itself, each once; the others were there before."""
    own = {use.run_id for use in record.uses(study_id) if use.is_own}
    return [run for run in {run.id: run for run in runs}.values() if run.id in own]


def printed_otherwise(runs: Iterable[Run], identity: str, prints: Prints | None) -> str:
    """Why a trial of these runs does not count where those prints are asked for; empty where it does.

    `identity` is that of the workload now.
    """
    for run in runs:
        if prints is None or run.status is Status.RUNNING:
            continue
        if run.workload != identity:
            return f"{PRINTED_OTHERWISE} arguments, environment or metrics of the program"
        if run.provenance.data_fingerprint != prints.data:
            return f"{PRINTED_OTHERWISE} data"
        if run.provenance.code_fingerprint != prints.code:
            return f"{PRINTED_OTHERWISE} code"
    return ""


def _measured_otherwise(runs: list[Run], wanted: Sequence[str]) -> str:
    for run in runs:
        missing = [name for name in wanted if run.status is Status.COMPLETE and name not in run.finals]
        if missing:
            return f"measured no {missing[0]}"
    return ""


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What an edit changed, in words."""
    return [
        name.replace("_", " ") for name in after if canonical_json(before.get(name)) != canonical_json(after[name])
    ] or ["its layout"]
