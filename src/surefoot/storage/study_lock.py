"""One coordinator a study on a record, whatever its home or machine."""

from __future__ import annotations

import os
import select as system_select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from surefoot.errors import HomeBusyError, RecordError
from surefoot.storage.database import Database
from surefoot.storage.lock import POLL_SECONDS, LockOwner
from surefoot.storage.schema import coordinators, studies

STUDY_LOCKS = 0x5F01  # with a study's id, the number of its lock on a server
LAST_SIGNED = select(func.max(coordinators.c.id)).where(coordinators.c.study_id == bindparam("study"))


class Lock(Protocol):
    """What only one process has at a time, and what the system or the server frees when that process is gone."""

    def take(self) -> bool:
        """Whether it is ours now."""

    def is_held(self) -> bool:
        """Whether it still is ours, as far as can be seen without asking anybody."""

    def release(self) -> None:
        """Gives it back."""


class FileOfStudy:
    """A lock file beside a record's file; the system frees it however its owner ends."""

    def __init__(self, record: Path, study_id: int):
        """The folder of locks is made when one is taken."""
        self._file = FileLock(record.with_name(f"{record.name}.locks") / f"study-{study_id}.lock", thread_local=False)

    def take(self) -> bool:
        """Whether it is ours now."""
        path = Path(self._file.lock_file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file.acquire(timeout=0)
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise RecordError(f"beside a record there must be room for its locks; {path}: {reason}") from error
        return True

    def is_held(self) -> bool:
        """The system takes no lock away."""
        return self._file.is_locked

    def release(self) -> None:
        """Gives it back."""
        self._file.release()


class ServerLock:
    """PostgreSQL's advisory lock, on a connection of its own: it is free once that connection is gone."""

    def __init__(self, engine: Engine, study_id: int):
        """Connects when it is taken."""
        self._engine, self._study_id = engine, study_id
        self._connection: Connection | None = None

    def take(self) -> bool:
        """Whether it is ours now."""
        self.release()
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            is_ours = bool(connection.scalar(select(func.pg_try_advisory_lock(STUDY_LOCKS, self._study_id))))
        except BaseException:
            connection.close()
            raise
        if is_ours:
            self._connection = connection
        else:
            connection.close()
        return is_ours

    def is_held(self) -> bool:
        """A server that hangs up, or says anything at all, makes the silent connection readable."""
        if self._connection is None:
            return False
        raw = self._connection.connection.driver_connection
        try:
            if raw is None or raw.closed:
                return False
            if not system_select.select([raw.fileno()], [], [], 0)[0]:
                return True
            self._connection.scalar(select(1))
        except (SQLAlchemyError, OSError, ValueError):
            return False
        return True

    def release(self) -> None:
        """Gives it back by ending its connection."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(SQLAlchemyError):
                connection.close()


class Turn:
    """Guards a study for its coordinator: every transaction first makes sure that nobody took over.

    Whoever takes the lock signs with a row; the last to sign is the one who may write. So a coordinator whose
    lock was lost with its connection, and who slept while another took over, cannot write one row more.
    """

    def __init__(self, database: Database, study_id: int):
        """Takes nothing yet."""
        self._database, self._study_id = database, study_id
        self._row_id = 0
        self._pid = os.getpid()
        self._lock: Lock
        if database.file is not None:
            self._lock = FileOfStudy(database.file.path, study_id)
        else:
            self._lock = ServerLock(database.new_engine(NullPool), study_id)

    def take(self, wait_seconds: float, on_wait: Callable[[LockOwner | None], None] | None) -> None:
        """Waits for the lock and signs; raises HomeBusyError when it waited in vain."""
        deadline = time.monotonic() + wait_seconds
        has_told = False
        while not self._database.ask(self._lock.take):
            if time.monotonic() >= deadline:
                raise self._database.read(self._busy)
            if on_wait is not None and not has_told:
                on_wait(self._database.read(self._owner))
                has_told = True
            time.sleep(POLL_SECONDS)
        try:
            row = {"study_id": self._study_id, "pid": self._pid, "host": socket.gethostname(), "since": _now()}
            self._row_id = self._database.write(lambda transaction: transaction.insert(coordinators, row))
        except BaseException:
            self._lock.release()
            raise
        self._database.guards[self._study_id] = self

    def release(self) -> None:
        """Lets the next one take it."""
        self._database.guards.pop(self._study_id, None)
        if self._pid == os.getpid():
            self._lock.release()

    def before_writing(self) -> None:
        """Takes the lock again where the server lost it; raises HomeBusyError where another has it by now."""
        if self._pid != os.getpid() or self._lock.is_held():
            return
        deadline = time.monotonic() + self._database.patience_seconds
        # The server may not know yet that our old connection is gone, and take us for the other.
        while not self._lock.take():
            self._database.look(self.check)
            if time.monotonic() >= deadline:
                raise self._database.look(self._busy)
            time.sleep(POLL_SECONDS)

    def check(self, connection: Connection) -> None:
        """Raises HomeBusyError where another signed since; a lock that the system keeps cannot be lost."""
        if self._database.file is not None and self._lock.is_held():
            return
        if connection.scalar(LAST_SIGNED, {"study": self._study_id}) != self._row_id:
            raise self._busy(connection)

    def _owner(self, connection: Connection) -> LockOwner | None:
        """Who signed last; None where nobody did."""
        query = select(coordinators, studies.c.name).join(studies, studies.c.id == coordinators.c.study_id)
        last = query.where(coordinators.c.study_id == self._study_id).order_by(coordinators.c.id.desc()).limit(1)
        row = connection.execute(last).first()
        return None if row is None else LockOwner(pid=row.pid, host=row.host, study=row.name, since=row.since)

    def _busy(self, connection: Connection) -> HomeBusyError:
        owner = self._owner(connection)
        study = owner.study if owner else str(self._study_id)
        return HomeBusyError(
            f'study "{study}" must have one coordinator at a time; {owner or "another process"} works on it; '
            "wait for it to end, then run again"
        )


@contextmanager
def study_lock(
    database: Database,
    study_id: int,
    wait_seconds: float = 0.0,
    on_wait: Callable[[LockOwner | None], None] | None = None,
) -> Iterator[None]:
    """Holds the study for one coordinator; see `Record.study_lock`."""
    turn = Turn(database, study_id)
    turn.take(wait_seconds, on_wait)
    try:
        yield
    finally:
        turn.release()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
