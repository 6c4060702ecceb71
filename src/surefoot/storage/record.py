"""Record: studies, plans, runs and verdicts go in once, and come out as they were."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Select, func, select, union_all

from surefoot.errors import RecordError, nearest
from surefoot.run import Measurement, Provenance, Run, Status
from surefoot.storage import attempts, schema
from surefoot.storage.attempts import now, provenance_row
from surefoot.storage.coordinator import is_gone, is_own, this_process
from surefoot.storage.counting import counts_of_studies
from surefoot.storage.database import BUSY_SECONDS, PATIENCE_SECONDS, Database
from surefoot.storage.glance import attempts_of, spaces_of, trial_counts
from surefoot.storage.loading import every_run, load, load_curves, load_trials, portions, trained
from surefoot.storage.lock import LockOwner
from surefoot.storage.rows import (
    AttemptRow,
    EventRow,
    ExperimentRow,
    RevisionRow,
    StudyCounts,
    StudyRow,
    TrialRow,
    UseRow,
    VerdictRow,
)
from surefoot.storage.schema import events, experiments, insert_into, revisions, runs, studies, trials, uses, verdicts
from surefoot.storage.spool import Begun
from surefoot.storage.study_lock import study_lock
from surefoot.storage.transaction import Transaction

EVENT_KINDS = (
    *("decision", "claim", "opening", "skip", "state", "notice", "explored", "pruned"),
    *("gate", "diagnosis", "round", "ablation", "outlook", "ledger", "environment", "bundle"),
)
KINDS = ("plan", "sweep")

T = TypeVar("T")


class Record:
    """Guards the database: rows are only ever added, each in a transaction of its own or in one `together`.

    Every method raises RecordError, in one line, where the database cannot be read or written;
    what was recorded before stays. A trouble that passes, such as a server that restarts, is waited out.
    `notices` is what a person should know about how the record was found.
    """

    def __init__(self, database: Database, notices: tuple[str, ...] = ()):
        """See `Record.open`."""
        self._database = database
        self._begun: dict[int, Begun] = {}
        self.notices = notices

    @classmethod
    def open(
        cls,
        where: Path | str,
        *,
        read_only: bool = False,
        spool: Path | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        on_trouble: Callable[[str], None] | None = None,
    ) -> Record:
        """The record of a home folder (its `record.db`) or of a database URL; made where there is none.

        Outcomes that cannot be written within `patience_seconds` are kept in the folder `spool` (a home's own is
        `HOME/spool`) and written by the next opening with the same folder. `on_trouble` hears a sentence when the
        waiting begins; `busy_seconds` is how long one attempt waits for another writer.

        Raises RecordError for a damaged file, a file of something else, a newer version of ours, a
        read-only place, a server that does not answer; with `read_only` also where there is no record yet.
        """
        database = Database(
            where,
            read_only=read_only,
            spool=spool,
            patience_seconds=patience_seconds,
            busy_seconds=busy_seconds,
            on_trouble=on_trouble,
        )
        return cls(database, () if read_only else (*_write_kept(database), *_warn_of_network(database)))

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

    @contextmanager
    def together(self, *, is_durable: bool = True) -> Iterator[None]:
        """What is written within is one transaction: all of it is on record afterwards, or nothing.

        Other writers wait meanwhile, so think before and write within. What is not durable survives the end of
        any process but not that of the machine, and spares a flush of the disk: for what may be done again.
        """
        with self._database.together(is_durable=is_durable):
            yield

    def study_lock(
        self,
        study_id: int,
        wait_seconds: float = 0.0,
        on_wait: Callable[[LockOwner | None], None] | None = None,
    ) -> AbstractContextManager[None]:
        """Holds a study for one coordinator on this record, whatever its home or machine.

        Where another works on it, waits up to `wait_seconds` (`on_wait` is told once, with the owner), then raises
        HomeBusyError. The lock is free once its process is gone. A server that loses it is asked for it again at
        the next write; where another took over by then, nothing more is written: HomeBusyError.
        """
        return study_lock(self._database, study_id, wait_seconds, on_wait)

    # --- studies, plans, experiments ---------------------------------------------------------------------------------

    def add_study(self, name: str, workload: str, kind: str = "plan") -> int:
        """The study's id, new or old; its kind is "plan" or "sweep".

        Raises RecordError where the name stands for another workload or another kind.
        """
        if kind not in KINDS:
            raise RecordError(f'a study must be a plan or a sweep; got "{kind}"')
        row = {"name": name, "workload": workload, "created_at": now(), "kind": kind}

        def add(transaction: Transaction) -> int:
            found = transaction.connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
            if found is None:
                return transaction.insert(studies, row)
            if found.kind != kind:
                raise RecordError(f'study "{name}" is a {found.kind} and cannot also be a {kind}; give it another name')
            if found.workload != workload:
                raise RecordError(
                    f'study "{name}" trains {found.workload} and cannot also train {workload}; give it another name'
                )
            return int(found.id)

        return self._database.write(add)

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
        row: dict[str, Any] = {
            "study_id": study_id,
            "plan_hash": plan_hash,
            "plan_text": plan_text,
            "plan_path": plan_path,
            "known": known,
            "registered_at": now(),
        }
        last = select(func.max(revisions.c.number)).where(revisions.c.study_id == study_id)

        def add(transaction: Transaction) -> RevisionRow:
            numbered = {**row, "number": 1 + (transaction.connection.scalar(last) or 0)}
            return RevisionRow(id=transaction.insert(revisions, numbered), **numbered)

        return self._database.write(add)

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
            "registered_at": now(),
        }
        return ExperimentRow(id=self._database.write(lambda t: t.insert(experiments, row)), **row)

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
            "at": now(),
        }
        return TrialRow(id=self._database.write(lambda t: t.insert(trials, row)), **row)

    def trials(
        self, study_id: int, sweep: str | None = None, *, numbers: Collection[int] | None = None
    ) -> list[TrialRow]:
        """The study's trials, of one sweep or all, those of some numbers or all, each sweep's by number."""
        if not schema.is_known(trials, self._database.version):
            return []
        query = select(trials).where(trials.c.study_id == study_id)
        if numbers is not None:
            query = query.where(trials.c.number.in_(numbers))
        some = query if sweep is None else query.filter_by(sweep=sweep)
        return self._rows(TrialRow, some.order_by(trials.c.sweep, trials.c.number))

    def trial_runs(self, study_id: int, sweep: str) -> dict[int, list[Run]]:
        """Trial number -> its runs, attempts in order; with their final values, without measurements.

        They are the runs used by the experiment `sweep` for the arm "trial <number>".
        """
        version = self._database.version
        return self._database.read(lambda connection: load_trials(connection, study_id, sweep, version))

    def attempts(self, study_id: int, sweep: str) -> list[AttemptRow]:
        """Every attempt at the sweep's trials, in order; one whose coordinating process is gone is INTERRUPTED.

        The sweep's base, where it was trained on fresh seeds, is trial -1.
        """
        version = self._database.version
        return self._database.read(lambda connection: attempts_of(connection, study_id, sweep, version))

    def trial_spaces(self, study_id: int, sweep: str) -> dict[int, str]:
        """Trial number -> what its space was known by, in order."""
        version = self._database.version
        return self._database.read(lambda connection: spaces_of(connection, study_id, sweep, version))

    def trial_counts(self) -> dict[int, int]:
        """Study id -> how many trials it has on record; a study without any is left out."""
        version = self._database.version
        return self._database.read(lambda connection: trial_counts(connection, version))

    def curves(self, run_ids: Collection[int], metric: str | None = None) -> dict[int, list[Measurement]]:
        """Run id -> its measurements by step, those of one metric or all; a run without any is left out."""
        found = self._database.read(lambda connection: load_curves(connection, run_ids))
        if metric is None:
            return found
        of_metric = {i: [_only(metric, m) for m in curve if metric in m.values] for i, curve in found.items()}
        return {run_id: curve for run_id, curve in of_metric.items() if curve}

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
        row: dict[str, Any] = {
            "study_id": study_id,
            "key": key,
            "workload": workload,
            "config": config,
            "seed": int(seed),
            "experiment": experiment,
            "arm": arm,
            "provenance": provenance_row(provenance),
            "coordinator": this_process(),
            "started_at": provenance.started_at or now(),
        }
        begun = self._database.write(lambda transaction: attempts.begin(transaction, row))
        self._begun[begun.run_id] = begun
        return begun.run_id

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
        begun = self._begun.get(run_id)
        kept = attempts.ended(
            begun or Begun(run_id=run_id),
            status=status,
            reason=reason,
            measured=measurements,
            facts=facts,
            checkpoints=checkpoints,
            provenance=provenance,
        )
        # Only what this process began is kept aside: of another run it is not known which one it is.
        found = self._database.write(lambda t: attempts.end(t, run_id, kept), outcome=kept if begun else None)
        self._begun.pop(run_id, None)
        return found

    def completed(self, keys: Collection[str]) -> dict[str, Run]:
        """The finished trainings among these keys, with measurements: COMPLETE, or INFEASIBLE (a value as well)."""
        version = self._database.version

        def find(connection: Any) -> dict[str, Run]:
            found: dict[str, Run] = {}
            if len(keys) == 1 and not connection.execute(attempts.TRAINED_AT_KEY, {"wanted": next(iter(keys))}).first():
                return found  # what a search asks before every run, and nearly always the answer
            for some in portions(keys):
                for run in load(connection, trained(runs.c.key.in_(some), version), with_measurements=True):
                    found.setdefault(run.key, run)
            return found

        return self._database.read(find)

    def use_run(self, study_id: int, run_id: int, *, experiment: str, arm: str) -> None:
        """Says that this study rests on this run; saying it again changes nothing."""
        row = {"study_id": study_id, "run_id": run_id, "experiment": experiment, "arm": arm}

        def add(transaction: Transaction) -> None:
            if transaction.connection.execute(select(uses.c.at).filter_by(**row)).first() is None:
                transaction.connection.execute(insert_into(uses), {**row, "at": now()})

        self._database.write(add)

    def uses(self, study_id: int) -> list[UseRow]:
        """Which runs the study rests on, and for what, in order."""
        is_mine = (runs.c.study_id == uses.c.study_id).label("is_own")
        query = (
            select(uses.c.run_id, uses.c.experiment, uses.c.arm, uses.c.at, is_mine)
            .join(runs, runs.c.id == uses.c.run_id)
            .where(uses.c.study_id == study_id)
        )
        return self._rows(UseRow, query.order_by(uses.c.at, uses.c.run_id, uses.c.experiment, uses.c.arm))

    def runs(self, study_id: int, *, with_measurements: bool = False) -> list[Run]:
        """Every run the study started or uses, oldest first; a run without an outcome is RUNNING."""
        used = select(uses.c.run_id).where(uses.c.study_id == study_id)
        query = every_run(self._database.version).where(runs.c.id.in_(used))
        return self._database.read(lambda connection: load(connection, query, with_measurements=with_measurements))

    def close_abandoned(self, reason: str, study_id: int | None = None) -> int:
        """How many runs without an outcome were closed as INTERRUPTED, because their coordinator is gone.

        Call it before starting runs. With a study, whose lock must be held, all that it left unfinished is
        closed: nobody else works on it, on whatever machine that was. Without, hold the home's lock: in a record
        opened through its home everything unfinished is abandoned; in one opened by URL, which other homes may
        share, the runs of other machines are left alone, and so are those of processes that live.
        """
        if study_id is not None and study_id not in self._database.guards:
            raise RecordError(f"the lock of study {study_id} must be held to close its runs; take `study_lock` first")
        is_all = self._database.is_of_home or study_id is not None

        def close(transaction: Transaction) -> int:
            return attempts.close(
                transaction.connection,
                reason,
                lambda row: is_all or is_own(row.coordinator) or is_gone(row.coordinator),
                study_id,
            )

        return self._database.write(close)

    def status_counts(self) -> dict[int, StudyCounts]:
        """Study id -> its runs by status and their wall seconds, for every study; reads no run in full.

        A run that was tried again counts once, by its best attempt; the seconds are those of all attempts.
        One whose coordinating process is gone is INTERRUPTED, also before the next one closes it.
        """
        return self._database.read(counts_of_studies)

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
        row = {
            "study_id": study_id,
            "experiment": experiment,
            "arm": arm,
            "metric": metric,
            "verdict": str(verdict),
            "cause": str(cause),
            "decision": str(decision),
            "n": int(n),
            **{name: None if number is None else float(number) for name, number in numbers.items()},
            "payload": payload or {},
            "at": now(),
        }
        return self._database.write(lambda transaction: transaction.insert(verdicts, row))

    def verdicts(self, study_id: int) -> list[VerdictRow]:
        """The study's verdicts in the order they were reached."""
        return self._rows(VerdictRow, select(verdicts).where(verdicts.c.study_id == study_id).order_by(verdicts.c.id))

    def add_event(self, study_id: int, *, kind: str, experiment: str | None, payload: Mapping[str, Any]) -> int:
        """The event's id; kinds are "decision", "claim", "opening" (of the test split), "skip" (of an
        experiment that the budget ended), "state" (where the study stands), "notice", "explored" (a search
        that came to its end), "pruned" (a trial that its seeds ended), and what phases leave: see `study.phase_log`.
        """
        if kind not in EVENT_KINDS:
            listed = ", ".join(EVENT_KINDS)
            raise RecordError(f'an event must be one of {listed}; got "{kind}".{nearest(kind, EVENT_KINDS)}')
        row = {"study_id": study_id, "kind": kind, "experiment": experiment, "payload": payload, "at": now()}
        return self._database.write(lambda transaction: transaction.insert(events, row))

    def events(self, study_id: int, kind: str | None = None) -> list[EventRow]:
        """The study's events, of one kind or all, in order."""
        query = select(events).where(events.c.study_id == study_id)
        return self._rows(EventRow, (query if kind is None else query.filter_by(kind=kind)).order_by(events.c.id))

    # --- within ------------------------------------------------------------------------------------------------------

    def _rows(self, kind: type[T], query: Select[Any]) -> list[T]:
        return self._database.read(lambda connection: [kind(**row) for row in connection.execute(query).mappings()])


def _only(metric: str, measurement: Measurement) -> Measurement:
    return Measurement(step=measurement.step, values={metric: measurement.values[metric]})


def _write_kept(database: Database) -> Iterator[str]:
    """Writes what earlier processes had to keep aside, and says so."""
    written = 0
    for kept in database.spool.outcomes():
        try:
            is_ours = database.write(partial(attempts.end_late, kept=kept))
        except RecordError as error:
            yield f"an outcome in {database.spool.folder} ({kept.file_name}) cannot be written: {error}"
            continue
        if is_ours:
            database.spool.forget(kept)
            written += 1
        else:
            yield f"an outcome in {database.spool.folder} ({kept.file_name}) belongs to another record and stays there"
    if written:
        runs_ended = "1 run" if written == 1 else f"{written} runs"
        yield f"how {runs_ended} ended could not be written at the time; it is on record now"


def _warn_of_network(database: Database) -> Iterator[str]:
    if kind := database.network_file_system:
        yield (
            f"{database.name} lies on a network file system ({kind}), where SQLite may not be used from several "
            "machines; run on one, or share a record by --store postgresql://…"
        )
