"""Record: studies, plans, runs and verdicts go in once, and come out as they were."""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import socket
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Row, Select, Table, case, func, insert, select, union_all

from surefoot.errors import RecordError, nearest
from surefoot.run import Measurement, Provenance, Run, Status
from surefoot.storage import schema
from surefoot.storage.database import Database
from surefoot.storage.rows import (
    EventRow,
    ExperimentRow,
    RevisionRow,
    StudyCounts,
    StudyRow,
    TrialRow,
    UseRow,
    VerdictRow,
)
from surefoot.storage.schema import (
    events,
    experiments,
    measurements,
    outcomes,
    revisions,
    runs,
    studies,
    trials,
    uses,
    verdicts,
)
from surefoot.storage.values import encoded, finals_of, measurement_of, measurement_rows, numbers_of

KEYS_A_QUERY = 500  # databases limit the values one statement may carry
TRAINED = (Status.COMPLETE, Status.INFEASIBLE)
BEST_FIRST = (*TRAINED, Status.RUNNING, Status.PRUNED, Status.INTERRUPTED, Status.FAILED)  # of attempts at one key
ENDING = ("status", "reason", "facts", "checkpoints", "provenance", "finals")  # the columns that a run's end fills
EVENT_KINDS = ("decision", "claim", "opening", "skip", "state", "notice", "explored", "pruned")

T = TypeVar("T")


class Record:
    """Guards the database: rows are only ever added, each in a transaction of its own.

    Every method raises RecordError, in one line, where the database cannot be read or written;
    what was recorded before stays.
    """

    def __init__(self, database: Database):
        """See `Record.open`."""
        self._database = database

    @classmethod
    def open(cls, where: Path | str, *, read_only: bool = False) -> Record:
        """The record of a home folder (its `record.db`) or of a database URL; made where there is none.

        Raises RecordError for a damaged file, a file of something else, a newer version of ours, a
        read-only place; with `read_only` also where there is no record yet.
        """
        return cls(Database(where, read_only=read_only))

    def __repr__(self) -> str:
        """Where the record is, without its password."""
        return f"Record({self._database.name!r})"

    def __enter__(self) -> Self:
        """The record itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes it."""
        self.close()

    def close(self) -> None:
        """Ends the connections; nothing is pending, each method commits what it wrote."""
        self._database.close()

    # --- studies, plans, experiments ---------------------------------------------------------------------------------

    def add_study(self, name: str, workload: str, kind: str = "plan") -> int:
        """The study's id, new or old; its kind is "plan" or "sweep".

        Raises RecordError where the name stands for another workload or another kind.
        """
        with self._database.writing() as connection:
            found = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
            if found is None:
                return _insert(connection, studies, name=name, workload=workload, created_at=_now(), kind=kind)
            if found.kind != kind:
                raise RecordError(f'study "{name}" is a {found.kind} and cannot also be a {kind}; give it another name')
            if found.workload != workload:
                raise RecordError(
                    f'study "{name}" trains {found.workload} and cannot also train {workload}; give it another name'
                )
            return int(found.id)

    def studies(self) -> list[StudyRow]:
        """Every study, the one something happened to last first."""
        touched = union_all(
            select(studies.c.id.label("study_id"), studies.c.created_at.label("at")),
            *(
                select(table.c.study_id, func.max(table.c[column])).group_by(table.c.study_id)
                for table, column in (
                    (revisions, "registered_at"),
                    (uses, "at"),
                    (events, "at"),
                    (verdicts, "at"),
                )
            ),
        ).subquery()
        last = select(touched.c.study_id, func.max(touched.c.at).label("at")).group_by(touched.c.study_id).subquery()
        known = schema.columns_of(studies, self._database.version)
        query = select(*known).join(last, last.c.study_id == studies.c.id)
        return self._rows(StudyRow, query.order_by(last.c.at.desc(), studies.c.id.desc()))

    def add_revision(
        self, study_id: int, *, plan_hash: str, plan_text: str, plan_path: str, known: Mapping[str, Any]
    ) -> RevisionRow:
        """The plan as registered now, numbered 1, 2, … within its study."""
        with self._database.writing() as connection:
            number = 1 + (_scalar(connection, select(func.max(revisions.c.number)), revisions, study_id) or 0)
            row: dict[str, Any] = {
                "study_id": study_id,
                "number": number,
                "plan_hash": plan_hash,
                "plan_text": plan_text,
                "plan_path": plan_path,
                "known": known,
                "registered_at": _now(),
            }
            return RevisionRow(id=_insert(connection, revisions, **row), **row)

    def revisions(self, study_id: int) -> list[RevisionRow]:
        """The study's plans, oldest first."""
        query = select(revisions).where(revisions.c.study_id == study_id)
        return self._rows(RevisionRow, query.order_by(revisions.c.number))

    def add_experiment(
        self, study_id: int, revision_id: int, *, key: str, content_hash: str, definition: Mapping[str, Any]
    ) -> ExperimentRow:
        """The experiment as registered now; a key comes once in a revision."""
        row: dict[str, Any] = {
            "study_id": study_id,
            "revision_id": revision_id,
            "key": key,
            "content_hash": content_hash,
            "definition": definition,
            "registered_at": _now(),
        }
        with self._database.writing() as connection:
            return ExperimentRow(id=_insert(connection, experiments, **row), **row)

    def experiments(self, study_id: int) -> list[ExperimentRow]:
        """The study's experiments over all revisions, in order of registration."""
        query = select(experiments).where(experiments.c.study_id == study_id)
        return self._rows(ExperimentRow, query.order_by(experiments.c.id))

    # --- trials ------------------------------------------------------------------------------------------------------

    def add_trial(
        self,
        study_id: int,
        *,
        sweep: str,
        number: int,
        settings: Mapping[str, Any],
        config: Mapping[str, Any],
        origin: str,
        space_hash: str,
    ) -> TrialRow:
        """The trial as proposed now; a number comes once in a sweep of a study."""
        row: dict[str, Any] = {
            "study_id": study_id,
            "sweep": sweep,
            "number": int(number),
            "settings": settings,
            "config": config,
            "origin": origin,
            "space_hash": space_hash,
            "at": _now(),
        }
        with self._database.writing() as connection:
            return TrialRow(id=_insert(connection, trials, **row), **row)

    def trials(self, study_id: int, sweep: str | None = None) -> list[TrialRow]:
        """The study's trials, of one sweep or all, each sweep's by number."""
        if not schema.is_known(trials, self._database.version):
            return []
        query = select(trials).where(trials.c.study_id == study_id)
        return self._rows(
            TrialRow,
            (query if sweep is None else query.filter_by(sweep=sweep)).order_by(trials.c.sweep, trials.c.number),
        )

    def trial_runs(self, study_id: int, sweep: str) -> dict[int, list[Run]]:
        """Trial number -> its runs, attempts in order; with their final values, without measurements."""
        found: dict[int, list[Run]] = defaultdict(list)
        with self._database.reading() as connection:
            query = self._every_run().add_columns(uses.c.arm.label("used_as")).join(uses, uses.c.run_id == runs.c.id)
            for row in connection.execute(query.where(uses.c.study_id == study_id, uses.c.experiment == sweep)):
                word, _, number = row.used_as.partition(" ")
                if word == "trial" and number.isdecimal():
                    found[int(number)].append(_run_of(row, ()))
        return dict(sorted(found.items()))

    def curves(self, run_ids: Collection[int], metric: str | None = None) -> dict[int, list[Measurement]]:
        """Run id -> its measurements by step, those of one metric or all; a run without any is left out."""
        with self._database.reading() as connection:
            found = _curves(connection, list(run_ids))
        if metric is None:
            return found
        return {
            run_id: kept
            for run_id, curve in found.items()
            if (kept := [_only(metric, m) for m in curve if metric in m.values])
        }

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written within is one transaction: all of it is on record afterwards, or nothing."""
        with self._database.writing():
            yield

    # --- runs --------------------------------------------------------------------------------------------------------

    def start_run(
        self,
        *,
        study_id: int,
        key: str,
        workload: str,
        config: Mapping[str, Any],
        seed: int,
        provenance: Provenance,
        experiment: str,
        arm: str,
    ) -> int:
        """The id of the run that begins now, used by this study; its attempt is one more than the key had.

        Raises RecordError where the key is trained already: nothing is trained twice.
        """
        with self._database.writing() as connection:
            trained = connection.scalars(self._trained(runs.c.key == key).with_only_columns(runs.c.id)).first()
            if trained is not None:
                raise RecordError(
                    "a config and seed must be trained once only; another surefoot run on this record trained it "
                    f"meanwhile (run {trained}). Run again to go on"
                )
            tried = connection.scalar(select(func.max(runs.c.attempt)).where(runs.c.key == key)) or 0
            now = _now()
            run_id = _insert(
                connection,
                runs,
                study_id=study_id,
                key=key,
                attempt=tried + 1,
                workload=workload,
                config=config,
                seed=int(seed),
                experiment=experiment,
                arm=arm,
                provenance=dataclasses.asdict(provenance),
                coordinator=_this_process(),
                started_at=provenance.started_at or now,
            )
            connection.execute(
                insert(uses), {"study_id": study_id, "run_id": run_id, "experiment": experiment, "arm": arm, "at": now}
            )
            return run_id

    def finish_run(
        self,
        run_id: int,
        *,
        status: Status,
        reason: str,
        measurements: Iterable[Measurement],
        facts: Mapping[str, Any],
        checkpoints: Mapping[str, str],
        provenance: Provenance,
    ) -> Status:
        """The status as recorded, outcome and measurements in one transaction.

        Refuses a second outcome. Where another run of the same key was COMPLETE first, this one is kept
        as INTERRUPTED, so that no config and seed has two results.
        """
        if status is Status.RUNNING:
            raise RecordError("a run must end as something; got RUNNING")
        measured = tuple(measurements)
        rows = measurement_rows(run_id, measured)
        with self._database.writing() as connection:
            self._check_is_running(connection, run_id)
            first = self._trained_first(connection, run_id) if status in TRAINED else None
            if first is not None:
                status, reason = Status.INTERRUPTED, f"run {first} of the same config and seed ended first"
            _add_outcome(
                connection,
                run_id,
                status=status,
                reason=reason,
                facts=facts,
                checkpoints=checkpoints,
                provenance=provenance,
                finals=encoded(finals_of(measured)),
            )
            if rows:
                connection.execute(insert(schema.measurements), rows)
        return status

    def completed(self, keys: Collection[str]) -> dict[str, Run]:
        """The finished trainings among these keys, with measurements: COMPLETE, or INFEASIBLE (a value as well)."""
        found: dict[str, Run] = {}
        with self._database.reading() as connection:
            for some in _portions(keys):
                for run in _load(connection, self._trained(runs.c.key.in_(some)), with_measurements=True):
                    found.setdefault(run.key, run)
        return found

    def use_run(self, study_id: int, run_id: int, *, experiment: str, arm: str) -> None:
        """Says that this study rests on this run; saying it again changes nothing."""
        row = {"study_id": study_id, "run_id": run_id, "experiment": experiment, "arm": arm}
        with self._database.writing() as connection:
            if connection.execute(select(uses.c.at).filter_by(**row)).first() is None:
                connection.execute(insert(uses), {**row, "at": _now()})

    def uses(self, study_id: int) -> list[UseRow]:
        """Which runs the study rests on, and for what, in order."""
        is_own = (runs.c.study_id == uses.c.study_id).label("is_own")
        query = (
            select(uses.c.run_id, uses.c.experiment, uses.c.arm, uses.c.at, is_own)
            .join(runs, runs.c.id == uses.c.run_id)
            .where(uses.c.study_id == study_id)
        )
        return self._rows(UseRow, query.order_by(uses.c.at, uses.c.run_id, uses.c.experiment, uses.c.arm))

    def runs(self, study_id: int, *, with_measurements: bool = False) -> list[Run]:
        """Every run the study started or uses, oldest first; a run without an outcome is RUNNING."""
        used = select(uses.c.run_id).where(uses.c.study_id == study_id)
        with self._database.reading() as connection:
            return _load(connection, self._every_run().where(runs.c.id.in_(used)), with_measurements=with_measurements)

    def close_abandoned(self, reason: str) -> int:
        """How many runs without an outcome were closed as INTERRUPTED, because their coordinator is gone.

        Call it with the home's lock held and before starting runs: in a record opened through its home
        everything unfinished is then abandoned. In one opened by URL, which other homes may share, the runs
        of other machines are left alone, and so are those of processes that live.
        """
        with self._database.writing() as connection:
            unfinished = connection.execute(self._every_run().where(outcomes.c.run_id.is_(None))).all()
            abandoned = [row for row in unfinished if self._database.is_of_home or _is_gone(row.coordinator)]
            for row in abandoned:
                _add_outcome(
                    connection,
                    row.id,
                    status=Status.INTERRUPTED,
                    reason=reason,
                    facts={},
                    checkpoints={},
                    provenance=Provenance(**row.provenance),
                )
            return len(abandoned)

    # --- verdicts and decisions --------------------------------------------------------------------------------------

    def add_verdict(
        self,
        study_id: int,
        *,
        experiment: str,
        arm: str,
        metric: str,
        verdict: str,
        cause: str = "",
        decision: str = "",
        n: int,
        estimate: float | None = None,
        low: float | None = None,
        high: float | None = None,
        p: float | None = None,
        detectable: float | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> int:
        """The verdict's id. A number that does not apply is None; NaN is refused, an open interval is ±infinity."""
        numbers = {"estimate": estimate, "low": low, "high": high, "p": p, "detectable": detectable}
        for name, number in numbers.items():
            if number is not None and math.isnan(number):
                raise RecordError(f"a verdict's {name} must be a number or None; got nan")
        words = {"experiment": experiment, "arm": arm, "metric": metric, "verdict": str(verdict), "cause": str(cause)}
        with self._database.writing() as connection:
            return _insert(
                connection,
                verdicts,
                study_id=study_id,
                decision=str(decision),
                n=int(n),
                payload=payload or {},
                at=_now(),
                **words,
                **{name: None if number is None else float(number) for name, number in numbers.items()},
            )

    def verdicts(self, study_id: int) -> list[VerdictRow]:
        """The study's verdicts in the order they were reached."""
        return self._rows(VerdictRow, select(verdicts).where(verdicts.c.study_id == study_id).order_by(verdicts.c.id))

    def add_event(self, study_id: int, *, kind: str, experiment: str | None, payload: Mapping[str, Any]) -> int:
        """The event's id; kinds are "decision", "claim", "opening" (of the test split), "skip" (of an
        experiment that the budget ended), "state" (where the study stands), "notice", "explored" (a search
        that came to its end) and "pruned" (a trial that its seeds ended).
        """
        if kind not in EVENT_KINDS:
            listed = ", ".join(EVENT_KINDS)
            raise RecordError(f'an event must be one of {listed}; got "{kind}".{nearest(kind, EVENT_KINDS)}')
        row = {"study_id": study_id, "kind": kind, "experiment": experiment, "payload": payload, "at": _now()}
        with self._database.writing() as connection:
            return _insert(connection, events, **row)

    def events(self, study_id: int, kind: str | None = None) -> list[EventRow]:
        """The study's events, of one kind or all, in order."""
        query = select(events).where(events.c.study_id == study_id)
        return self._rows(EventRow, (query if kind is None else query.filter_by(kind=kind)).order_by(events.c.id))

    def status_counts(self) -> dict[int, StudyCounts]:
        """Study id -> its runs by status and their wall seconds, for every study; reads no run in full.

        A run that was tried again counts once, by its best attempt; the seconds are those of all attempts.
        One whose coordinating process is gone is INTERRUPTED, also before the next one closes it.
        """
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
        with self._database.reading() as connection:
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

    # --- within ------------------------------------------------------------------------------------------------------

    def _rows(self, kind: type[T], query: Select[Any]) -> list[T]:
        with self._database.reading() as connection:
            return [kind(**row) for row in connection.execute(query).mappings()]

    def _every_run(self) -> Select[Any]:
        known = schema.columns_of(outcomes, self._database.version)
        end = [column.label(f"end_{column.name}") for column in known if column.name in ENDING]
        return select(runs, *end).outerjoin(outcomes, outcomes.c.run_id == runs.c.id).order_by(runs.c.id)

    def _trained(self, condition: Any) -> Select[Any]:
        return self._every_run().where(condition, outcomes.c.status.in_([status.value for status in TRAINED]))

    def _check_is_running(self, connection: Connection, run_id: int) -> None:
        query = select(runs.c.id, outcomes.c.status).outerjoin(outcomes).where(runs.c.id == run_id)
        found = connection.execute(query).one_or_none()
        if found is None:
            raise RecordError(f"a run must be started before it ends; there is no run {run_id}")
        if found.status is not None:
            raise RecordError(f"a run ends once; run {run_id} ended as {found.status} already")

    def _trained_first(self, connection: Connection, run_id: int) -> int | None:
        key = select(runs.c.key).where(runs.c.id == run_id).scalar_subquery()
        return connection.scalars(self._trained(runs.c.key == key).with_only_columns(runs.c.id)).first()


def _insert(connection: Connection, table: Table, **row: Any) -> int:
    key = connection.execute(insert(table), row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _scalar(connection: Connection, query: Select[Any], table: Table, study_id: int) -> Any:
    return connection.scalar(query.where(table.c.study_id == study_id))


def _add_outcome(
    connection: Connection,
    run_id: int,
    *,
    status: Status,
    reason: str,
    facts: Mapping[str, Any],
    checkpoints: Mapping[str, str],
    provenance: Provenance,
    finals: str = "{}",
) -> None:
    row = {
        "run_id": run_id,
        "status": status.value,
        "reason": reason,
        "facts": facts,
        "checkpoints": checkpoints,
        "provenance": dataclasses.asdict(provenance),
        "wall_seconds": provenance.wall_seconds,
        "ended_at": provenance.ended_at or _now(),
        "finals": finals,
    }
    connection.execute(insert(outcomes), row)


def _load(connection: Connection, query: Select[Any], *, with_measurements: bool) -> list[Run]:
    rows = connection.execute(query).all()
    curves = _curves(connection, [row.id for row in rows]) if with_measurements else {}
    return [_run_of(row, tuple(curves.get(row.id, ()))) for row in rows]


def _curves(connection: Connection, run_ids: list[int]) -> dict[int, list[Measurement]]:
    curves: dict[int, list[Measurement]] = defaultdict(list)
    for some in _portions(run_ids):
        query = select(measurements).where(measurements.c.run_id.in_(some))
        for run_id, step, text in connection.execute(query.order_by(measurements.c.run_id, measurements.c.step)):
            curves[run_id].append(measurement_of(step, text))
    return curves


def _run_of(row: Row[Any], curve: tuple[Measurement, ...]) -> Run:
    has_ended = row.end_status is not None
    return Run(
        id=row.id,
        key=row.key,
        workload=row.workload,
        config=row.config,
        seed=row.seed,
        status=Status(row.end_status) if has_ended else Status.RUNNING,
        reason=row.end_reason or "",
        attempt=row.attempt,
        measurements=curve,
        facts=row.end_facts or {},
        checkpoints=row.end_checkpoints or {},
        provenance=Provenance(**(row.end_provenance if has_ended else row.provenance)),
        finals=numbers_of(row.end_finals) if row.end_finals else {},
    )


def _only(metric: str, measurement: Measurement) -> Measurement:
    return Measurement(step=measurement.step, values={metric: measurement.values[metric]})


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    remaining = iter(items)
    while some := list(itertools.islice(remaining, KEYS_A_QUERY)):
        yield some


def _this_process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": _process_start(os.getpid())}


def _left_behind(connection: Connection) -> list[int]:
    """The study of each key that is not trained yet and was begun last by a process that is gone."""
    ended = (
        select(runs.c.key)
        .join(outcomes, outcomes.c.run_id == runs.c.id)
        .where(outcomes.c.status.in_([status.value for status in TRAINED]))
    )
    query = (
        select(runs.c.study_id, runs.c.key, runs.c.coordinator)
        .outerjoin(outcomes, outcomes.c.run_id == runs.c.id)
        .where(outcomes.c.run_id.is_(None), runs.c.key.not_in(ended))
    )
    begun: dict[tuple[int, str], bool] = {}
    for study_id, key, coordinator in connection.execute(query):
        is_gone = coordinator["pid"] != os.getpid() and _is_gone(coordinator)
        begun[study_id, key] = begun.get((study_id, key), True) and is_gone
    return [study_id for (study_id, _), is_gone in begun.items() if is_gone]


def _is_gone(coordinator: Mapping[str, Any]) -> bool:
    """Whether that process surely ended: it ran on this machine, and its number is free or someone else's now."""
    if coordinator["host"] != socket.gethostname() or coordinator["pid"] == os.getpid():
        return bool(coordinator["host"] == socket.gethostname())
    since = _process_start(coordinator["pid"])
    return since is None or abs(since - coordinator["since"]) > 2.0


def _process_start(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
