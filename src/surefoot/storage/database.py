"""Opening a database and speaking its dialect: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError, StatementError
from sqlalchemy.pool import Pool, QueuePool

from surefoot.errors import MissingExtraError, RecordError
from surefoot.storage import schema
from surefoot.storage.address import file_of, shown, url_of
from surefoot.storage.complaints import first_line, why
from surefoot.storage.patience import is_passing, is_passing_at_first, patiently
from surefoot.storage.spool import KeptOutcome, Spool
from surefoot.storage.sqlite_file import SqliteFile, network_file_system
from surefoot.storage.transaction import Transaction

BUSY_SECONDS = 30.0
PATIENCE_SECONDS = 120.0
SILENT = logging.NullHandler()
POSTGRESQL_LOCK = 0x5F00  # one number for all writers of a database, see `_begin_postgresql`

T = TypeVar("T")


class Guard(Protocol):
    """What must hold whenever something is written."""

    def before_writing(self) -> None:
        """Called before a transaction begins."""

    def check(self, connection: Connection) -> None:
        """Called once it is alone in writing; raises where this process may not write any more."""


class Database:
    """An open database of ours: reading and writing transactions, errors made kind, troubles that pass waited out.

    A writing transaction excludes every other writer from its first statement on, so what it reads
    stays true until it commits. Connections are made by the process that uses them, never inherited.
    """

    def __init__(
        self,
        where: Path | str,
        *,
        read_only: bool = False,
        spool: Path | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        busy_seconds: float = BUSY_SECONDS,
        on_trouble: Callable[[str], None] | None = None,
    ):
        """Opens a home's `record.db` or a database URL, and makes the tables where there are none."""
        self.is_read_only = read_only
        self.version = schema.VERSION
        self._url = url_of(where)
        path = file_of(where, self._url)
        self.name = str(path) if self._url is None or path is not None else shown(self._url)
        self.patience_seconds, self._busy_seconds = patience_seconds, busy_seconds
        self._on_trouble = on_trouble
        self._has_given_up = False
        self._rng = random.Random()
        self.file = None if path is None else SqliteFile(path, is_read_only=read_only, busy_seconds=busy_seconds)
        self.spool = Spool(Path(where) / "spool" if spool is None and self._url is None else spool)
        self.guards: dict[int, Guard] = {}
        self._local = threading.local()
        self._inherited: list[Engine] = []
        self._pid = os.getpid()
        self._engine = self.new_engine()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        """The file or the URL, the password hidden."""
        return f"Database({self.name!r})"

    @property
    def is_of_home(self) -> bool:
        """Whether it was opened through its home folder, whose lock guards it; a URL may serve many homes."""
        return self._url is None

    @property
    def has_server(self) -> bool:
        """Whether it is on a server, to which a connection may break."""
        return self.file is None

    @property
    def network_file_system(self) -> str:
        """The kind of network file system that the file lies on, or nothing."""
        return "" if self.file is None else network_file_system(self.file.path)

    def close(self) -> None:
        """Ends every connection of this process."""
        if self._pid == os.getpid():
            self._engine.dispose()

    # --- reading and writing -----------------------------------------------------------------------------------------

    def read(self, work: Callable[[Connection], T]) -> T:
        """What the work finds in a transaction that sees one state of the record."""
        with self._kind_errors("read"):
            transaction = self._transaction
            return self.patiently(lambda: self.look(work)) if transaction is None else transaction.look(work)

    def look(self, work: Callable[[Connection], T]) -> T:
        """The same without patience, on a connection of its own; errors come as they are."""
        with self._connected().connect() as connection, connection.begin():
            return work(connection)

    def ask(self, action: Callable[[], T]) -> T:
        """The action with patience, its errors made kind."""
        with self._kind_errors("written"):
            return self.patiently(action)

    def write(self, work: Callable[[Transaction], T], outcome: KeptOutcome | None = None) -> T:
        """What the work gives back, once it is on disk or a part of the transaction that is open.

        It may be called again on another connection, so it must depend on nothing but the record.
        """
        with self.together() as transaction, self._kind_errors("written"):
            return transaction.do(work, outcome)

    @contextmanager
    def together(self, *, is_durable: bool = True) -> Iterator[Transaction]:
        """One transaction of this thread for all that is written within; it is on disk when the block has ended.

        One that is not durable is safe from the end of every process, but not from that of the machine.

        Where the block ends with an error nothing of it is written, but the outcomes in it are kept aside.
        """
        if self.is_read_only:
            raise RecordError(f"{self.name} was opened for reading only; open it without read_only to write")
        if self._transaction is not None:
            yield self._transaction
            return
        transaction = self._local.transaction = Transaction(self, is_durable=is_durable)
        try:
            yield transaction
            with self._kind_errors("written"):
                transaction.commit()
        except RecordError as error:
            raise self._with_whereabouts(error, transaction.keep()) from error.__cause__
        except BaseException:
            transaction.keep()
            raise
        finally:
            self._local.transaction = None
            transaction.close()

    @property
    def _transaction(self) -> Transaction | None:
        return getattr(self._local, "transaction", None)

    def begin(self, *, is_durable: bool = True) -> Connection:
        """A connection in a transaction that is alone in writing."""
        for guard in list(self.guards.values()):
            guard.before_writing()
        connection = self._connected().execution_options(is_writing=True, is_durable=is_durable).connect()
        try:
            connection.begin()
            self.check_before_commit()
            for guard in self.guards.values():
                guard.check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def check_before_commit(self) -> None:
        """Raises RecordError where the file is not there any more."""
        if self.file is not None:
            self.file.check_identity()

    def patiently(self, action: Callable[[], T], on_trouble: Callable[[], object] | None = None) -> T:
        """The action, tried again while its trouble passes; after giving up once, the next one is tried once."""

        def tell(error: Exception) -> None:
            if on_trouble is not None:
                on_trouble()
            if self._on_trouble is not None and not self._has_given_up:
                self._on_trouble(
                    f"{self.name} cannot be reached just now ({first_line(getattr(error, 'orig', None) or error)}); "
                    f"trying again for {self.patience_seconds:g} seconds"
                )

        seconds = 0.0 if self._has_given_up else self.patience_seconds
        try:
            found = patiently(action, seconds=seconds, passes=is_passing, on_trouble=tell, rng=self._rng)
        except Exception as error:
            self._has_given_up = self._has_given_up or is_passing(error)
            raise
        self._has_given_up = False
        return found

    # --- opening -----------------------------------------------------------------------------------------------------

    def new_engine(self, pool: type[Pool] = QueuePool) -> Engine:
        """Connections with our settings; nothing is connected yet."""
        size = {"pool_size": 2} if pool is QueuePool else {}
        if self.file is not None:
            engine = create_engine("sqlite://", creator=self.file.connect, poolclass=pool, **size)
            event.listen(engine, "begin", _begin_sqlite)
            return engine
        assert self._url is not None
        try:
            engine = create_engine(
                self._url,
                poolclass=pool,
                hide_parameters=True,
                connect_args=postgresql_settings(self._busy_seconds),
                **size,
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f'a PostgreSQL record needs {error.name}, which is not installed; pip install "surefoot[postgresql]"'
            ) from error
        for library in ("psycopg", "sqlalchemy"):
            # What they tell of connections that broke is said in our own words; a program's own handlers hear it still.
            logging.getLogger(library).addHandler(SILENT)
        event.listen(engine, "begin", _begin_postgresql)
        return engine

    def _prepare(self) -> None:
        with self._kind_errors("read" if self.is_read_only else "written"):
            patiently(
                self._prepare_schema,
                seconds=self.patience_seconds,
                passes=is_passing_at_first,
                on_trouble=lambda _: None,
                rng=self._rng,
            )

    def _prepare_schema(self) -> None:
        if self.file is not None:
            self.file.check()
        if self.is_read_only:
            self._check_version_read_only()
            return
        engine = self._engine.execution_options(is_writing=True)
        with engine.connect() as connection, connection.begin():
            self._create_or_check(connection)
        if self.file is not None:
            self.file.remember()

    def _check_version_read_only(self) -> None:
        with self._engine.connect() as connection, connection.begin():
            tables = inspect(connection).get_table_names()
            if schema.schema_versions.name not in tables:
                raise RecordError(f"{self.name} holds no record of Surefoot's; `surefoot run PLAN` makes one")
            self.version = self._check_version(connection)

    def _create_or_check(self, connection: Connection) -> None:
        """Inside the writer's transaction: of eight processes that come at once, one creates and seven find."""
        if self.has_server and not inspect(connection).has_schema("surefoot"):
            connection.exec_driver_sql("CREATE SCHEMA surefoot")
        tables = inspect(connection).get_table_names()
        if schema.schema_versions.name in tables:
            found = self._check_version(connection)
            if found < schema.VERSION:
                schema.upgrade(connection, found)
                self._sign(connection)
            return
        if tables:
            raise RecordError(
                f"{self.name} is a database of something else (it has a table {tables[0]}); choose another --home"
            )
        schema.create(connection)
        self._sign(connection)

    def _sign(self, connection: Connection) -> None:
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        row = {"version": schema.VERSION, "written_by": "surefoot", "at": at}
        connection.execute(insert(schema.schema_versions), row)

    def _check_version(self, connection: Connection) -> int:
        found = max(connection.scalars(select(schema.schema_versions.c.version)), default=0)
        if found > schema.VERSION:
            raise RecordError(
                f"{self.name} was written by a newer Surefoot (record version {found}; this one knows "
                f"{schema.VERSION}); upgrade with pip install --upgrade surefoot, or choose another --home"
            )
        return found

    # --- guarding ----------------------------------------------------------------------------------------------------

    def _connected(self) -> Engine:
        """The engine of this process; a forked child gets its own and leaves its parent's untouched."""
        if self._pid != os.getpid():
            # Kept, not closed: closing SQLite's file in the child could end the parent's log under its feet.
            self._inherited.append(self._engine)
            self._engine = self.new_engine()
            self._pid = os.getpid()
        return self._engine

    @contextmanager
    def _kind_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except StatementError as error:
            raise RecordError(self._sentence(error.orig or error, what, error)) from error
        except sqlite3.Error as error:
            raise RecordError(self._sentence(error, what, error)) from error
        except SQLAlchemyError as error:
            raise RecordError(self._sentence(error.__cause__ or error, what, error)) from error
        except (TypeError, ValueError, OverflowError, KeyError) as error:
            raise RecordError(f"{self.name} cannot be {what}: {first_line(error)}") from error

    def _sentence(self, complaint: BaseException, what: str, error: Exception) -> str:
        tried_seconds = self.patience_seconds if self._has_given_up and is_passing(error) else 0.0
        return f"{self.name} cannot be {what}: {why(complaint, tried_seconds)}"

    def _with_whereabouts(self, error: RecordError, kept: list[KeptOutcome]) -> RecordError:
        if not kept:
            return error
        runs = ", ".join(str(outcome.begun.run_id) for outcome in kept)
        return type(error)(f"{error}. How run {runs} ended is kept in {self.spool.folder} for the next time")


def postgresql_settings(busy_seconds: float) -> dict[str, object]:
    """What libpq is told: our own schema, and that neither side waits for ever for one that vanished."""
    settings = {
        # A schema of our own, because Optuna and MLflow call their tables studies, runs and experiments too.
        "search_path": "surefoot",
        "lock_timeout": round(busy_seconds * 1000),
        "idle_in_transaction_session_timeout": 60_000,
        "tcp_keepalives_idle": 30,
        "tcp_keepalives_interval": 10,
        "tcp_keepalives_count": 3,
    }
    return {
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
    }


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("is_writing", False):
        connection.exec_driver_sql("BEGIN")
        return
    # In a write-ahead log NORMAL leaves the flush to a later commit; only a machine that goes down can lose it.
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options.get('is_durable', True) else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    """A writer waits for the one before it, as SQLite's writers do; a reader waits for nobody and sees one state."""
    options = connection.get_execution_options()
    if options.get("is_writing", False):
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRESQL_LOCK})
        if not options.get("is_durable", True):
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
