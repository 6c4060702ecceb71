"""An attempt at a training on record: it begins, it ends once, and it is closed when nobody trains it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from surefoot.errors import RecordError
from surefoot.run import Measurement, Provenance, Status
from surefoot.storage.loading import TRAINED, every_run
from surefoot.storage.schema import insert_into, measurements, outcomes, runs, uses
from surefoot.storage.spool import Begun, KeptOutcome
from surefoot.storage.transaction import Transaction
from surefoot.storage.values import encoded, finals_of, measurement_rows

_OF_KEY = select(runs.c.id, runs.c.attempt, outcomes.c.status).outerjoin(outcomes, outcomes.c.run_id == runs.c.id)
ATTEMPTS_AT_KEY = _OF_KEY.where(runs.c.key == bindparam("wanted"))
TRAINED_AT_KEY = ATTEMPTS_AT_KEY.where(outcomes.c.status.in_([str(status) for status in TRAINED]))
ATTEMPTS_LIKE = _OF_KEY.where(
    runs.c.key == select(runs.c.key).where(runs.c.id == bindparam("wanted")).scalar_subquery()
)

SAYS_WHICH = ("facts", "checkpoints", "provenance", "ended_at")  # what no two outcomes of a run have in common


def begin(transaction: Transaction, row: Mapping[str, Any]) -> Begun:
    """The run that begins, used by its study; its attempt is one more than the key had.

    `row` is one of `runs` without the attempt. Raises RecordError where the key is trained already.
    """
    tried = transaction.connection.execute(ATTEMPTS_AT_KEY, {"wanted": row["key"]}).all()
    trained = _trained_first(tried)
    if trained is not None:
        raise RecordError(
            "a config and seed must be trained once only; another surefoot run on this record trained it "
            f"meanwhile (run {trained}). Run again to go on"
        )
    return _begin_again(transaction, row, tried, [(row["study_id"], row["experiment"], row["arm"])])


def _begin_again(
    transaction: Transaction, row: Mapping[str, Any], tried: Iterable[Any], used: Iterable[tuple[int, str, str]]
) -> Begun:
    attempt = 1 + max((other.attempt for other in tried), default=0)
    run_id = transaction.insert(runs, {**row, "attempt": attempt})
    for study_id, experiment, arm in used:
        use = {"study_id": study_id, "run_id": run_id, "experiment": experiment, "arm": arm, "at": now()}
        transaction.connection.execute(insert_into(uses), use)
    return Begun(run_id=run_id, key=row["key"], attempt=attempt, started_at=row["started_at"])


def ended(
    begun: Begun,
    *,
    status: Status,
    reason: str,
    measured: Iterable[Measurement],
    facts: Mapping[str, Any],
    checkpoints: Mapping[str, str],
    provenance: Provenance,
) -> KeptOutcome:
    """How the run ended, as rows; raises RecordError for a measurement that is no number or comes twice."""
    if status is Status.RUNNING:
        raise RecordError("a run must end as something; got RUNNING")
    curve = tuple(measured)
    outcome = {
        "status": status.value,
        "reason": reason,
        "facts": facts,
        "checkpoints": checkpoints,
        "provenance": provenance_row(provenance),
        "wall_seconds": provenance.wall_seconds,
        "ended_at": provenance.ended_at or now(),
        "finals": encoded(finals_of(curve)),
    }
    return KeptOutcome(begun=begun, outcome=outcome, measurements=measurement_rows(curve))


def end(transaction: Transaction, run_id: int, kept: KeptOutcome) -> Status:
    """The status as recorded. Raises RecordError where the run has ended already, or never began."""
    tried = transaction.connection.execute(ATTEMPTS_LIKE, {"wanted": run_id}).all()
    own = next((other for other in tried if other.id == run_id), None)
    if own is None:
        raise RecordError(f"a run must be started before it ends; there is no run {run_id}")
    if own.status is not None:
        raise RecordError(f"a run ends once; run {run_id} ended as {own.status} already")
    outcome = dict(kept.outcome)
    first = _trained_first(tried)
    if first is not None and outcome["status"] in TRAINED:
        outcome["status"] = Status.INTERRUPTED.value
        outcome["reason"] = f"run {first} of the same config and seed ended first"
    transaction.connection.execute(insert_into(outcomes), {"run_id": run_id, **outcome})
    if kept.measurements:
        rows = [{"run_id": run_id, "step": step, "metrics": text} for step, text in kept.measurements]
        transaction.connection.execute(insert_into(measurements), rows)
    return Status(outcome["status"])


def end_late(transaction: Transaction, kept: KeptOutcome) -> bool:
    """Whether an outcome that was kept aside is on record now; not where the record does not know its run.

    Where the run was closed in the meantime, the outcome is that of another attempt, so that it is not lost.
    """
    begun, connection = kept.begun, transaction.connection
    known = runs.c.key == begun.key, runs.c.attempt == begun.attempt, runs.c.started_at == begun.started_at
    row = connection.execute(select(runs).where(*known)).one_or_none()
    if row is None:
        return False
    there = connection.execute(select(outcomes).where(outcomes.c.run_id == row.id)).one_or_none()
    if there is None:
        end(transaction, row.id, kept)
    elif any(there._mapping[name] != kept.outcome[name] for name in SAYS_WHICH):
        again = {name: value for name, value in row._mapping.items() if name != "id"}
        used = connection.execute(select(uses.c.study_id, uses.c.experiment, uses.c.arm).filter_by(run_id=row.id))
        tried = connection.execute(ATTEMPTS_AT_KEY, {"wanted": begun.key}).all()
        end(transaction, _begin_again(transaction, again, tried, list(used)).run_id, kept)
    return True


def close(
    connection: Connection, reason: str, is_abandoned: Callable[[Row[Any]], bool], study_id: int | None = None
) -> int:
    """How many runs without an outcome were closed as INTERRUPTED, of one study or all."""
    unfinished = every_run().where(outcomes.c.run_id.is_(None))
    if study_id is not None:
        unfinished = unfinished.where(runs.c.study_id == study_id)
    abandoned = [row for row in connection.execute(unfinished).all() if is_abandoned(row)]
    for row in abandoned:
        outcome = {
            "run_id": row.id,
            "status": Status.INTERRUPTED.value,
            "reason": reason,
            "facts": {},
            "checkpoints": {},
            "provenance": row.provenance,
            "wall_seconds": row.provenance["wall_seconds"],
            "ended_at": row.provenance["ended_at"] or now(),
            "finals": "{}",
        }
        connection.execute(insert_into(outcomes), outcome)
    return len(abandoned)


def provenance_row(provenance: Provenance) -> dict[str, Any]:
    """The provenance as a document; a plain dict, because `asdict` copies deeply and this is done for every run."""
    return {name: getattr(provenance, name) for name in Provenance.__slots__}


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _trained_first(tried: Iterable[Any]) -> int | None:
    return min((other.id for other in tried if other.status in TRAINED), default=None)
