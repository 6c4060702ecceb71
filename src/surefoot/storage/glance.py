"""Trials at a glance: what `status` reads of thousands of them, without configs, facts and measurements."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select

from surefoot.run import Status
from surefoot.storage.coordinator import is_gone
from surefoot.storage.loading import trial_number
from surefoot.storage.rows import AttemptRow
from surefoot.storage.schema import VERSION, is_known, outcomes, runs, trials, uses
from surefoot.storage.values import numbers_of


def attempts_of(connection: Connection, study_id: int, sweep: str, version: int = VERSION) -> list[AttemptRow]:
    """See `Record.attempts`."""
    if not is_known(trials, version):
        return []
    has_no_end = outcomes.c.run_id.is_(None)
    query = (
        select(
            uses.c.arm,
            runs.c.id,
            runs.c.seed,
            runs.c.started_at,
            # Only of what has not ended it matters who trains it, and a JSON column costs its parsing.
            case((has_no_end, runs.c.coordinator)).label("coordinator"),
            outcomes.c.status,
            outcomes.c.reason,
            outcomes.c.wall_seconds,
            outcomes.c.finals,
        )
        .join(runs, runs.c.id == uses.c.run_id)
        .outerjoin(outcomes, outcomes.c.run_id == runs.c.id)
        .where(uses.c.study_id == study_id, uses.c.experiment == sweep)
        .order_by(runs.c.id)
    )
    found = []
    for arm, run_id, seed, started_at, coordinator, status, reason, seconds, finals in connection.execute(query):
        if (number := trial_number(arm)) is None:
            continue
        unfinished = Status.INTERRUPTED if status is None and is_gone(coordinator) else Status.RUNNING
        found.append(
            AttemptRow(
                trial=number,
                run_id=run_id,
                seed=seed,
                status=unfinished if status is None else Status(status),
                reason=reason or "",
                seconds=seconds or 0.0,
                started_at=started_at,
                finals=numbers_of(finals) if finals else {},
            )
        )
    return found


def spaces_of(connection: Connection, study_id: int, sweep: str, version: int = VERSION) -> dict[int, str]:
    """See `Record.trial_spaces`."""
    if not is_known(trials, version):
        return {}
    query = select(trials.c.number, trials.c.space_hash).where(trials.c.study_id == study_id, trials.c.sweep == sweep)
    return {number: space_hash for number, space_hash in connection.execute(query.order_by(trials.c.number))}


def trial_counts(connection: Connection, version: int = VERSION) -> dict[int, int]:
    """See `Record.trial_counts`."""
    if not is_known(trials, version):
        return {}
    query = select(trials.c.study_id, func.count()).group_by(trials.c.study_id)
    return {study_id: count for study_id, count in connection.execute(query)}
