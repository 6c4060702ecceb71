"""How many runs each study has, by status: read from an index, no run in full."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, case, func, select

from surefoot.run import Status
from surefoot.storage.coordinator import is_gone
from surefoot.storage.loading import TRAINED, portions, trained
from surefoot.storage.rows import StudyCounts
from surefoot.storage.schema import outcomes, runs, studies, uses

BEST_FIRST = (*TRAINED, Status.RUNNING, Status.PRUNED, Status.INTERRUPTED, Status.FAILED)  # of attempts at one key


def counts_of_studies(connection: Connection) -> dict[int, StudyCounts]:
    """See `Record.status_counts`."""
    status = func.coalesce(outcomes.c.status, Status.RUNNING.value)
    rank = case({name.value: i for i, name in enumerate(BEST_FIRST)}, value=status)
    seconds_spent = func.coalesce(func.sum(outcomes.c.wall_seconds), 0.0).label("seconds")
    tried = (
        select(runs.c.study_id, func.min(rank).label("rank"), seconds_spent)
        .outerjoin(outcomes, outcomes.c.run_id == runs.c.id)
        .group_by(runs.c.study_id, runs.c.key)
    ).subquery()
    started = select(tried.c.study_id, tried.c.rank, func.count(), func.sum(tried.c.seconds)).group_by(
        tried.c.study_id, tried.c.rank
    )
    borrowed = (
        select(uses.c.study_id, func.count(uses.c.run_id.distinct()))
        .join(runs, runs.c.id == uses.c.run_id)
        .where(runs.c.study_id != uses.c.study_id)
        .group_by(uses.c.study_id)
    )
    counts: dict[int, dict[Status, int]] = defaultdict(dict)
    seconds: dict[int, float] = defaultdict(float)
    for study_id, best, count, wall_seconds in connection.execute(started):
        counts[study_id][BEST_FIRST[best]] = count
        seconds[study_id] += wall_seconds
    for study_id in _left_behind(connection):
        here = counts[study_id]
        here[Status.RUNNING] -= 1
        here[Status.INTERRUPTED] = here.get(Status.INTERRUPTED, 0) + 1
    reused = {study_id: count for study_id, count in connection.execute(borrowed)}
    ids = connection.scalars(select(studies.c.id)).all()
    told = {i: {status: n for status, n in counts[i].items() if n} for i in ids}
    return {i: StudyCounts(statuses=told[i], wall_seconds=seconds[i], reused=reused.get(i, 0)) for i in ids}


def _left_behind(connection: Connection) -> list[int]:
    """The study of each key that is not trained yet and was begun last by a process that is gone."""
    unfinished = connection.execute(
        select(runs.c.study_id, runs.c.key, runs.c.coordinator)
        .outerjoin(outcomes, outcomes.c.run_id == runs.c.id)
        .where(outcomes.c.run_id.is_(None))
    ).all()
    has_result: set[str] = set()
    for keys in portions(row.key for row in unfinished):
        has_result |= set(connection.scalars(trained(runs.c.key.in_(keys)).with_only_columns(runs.c.key)))
    begun: dict[tuple[int, str], bool] = {}
    for study_id, key, coordinator in unfinished:
        if key not in has_result:
            begun[study_id, key] = begun.get((study_id, key), True) and is_gone(coordinator)
    return [study_id for (study_id, _), is_left in begun.items() if is_left]
