"""Opening a database and speaking its dialect: SQLite by default, PostgreSQL by URL."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError, StatementError
from sqlalchemy.pool import QueuePool

from surefoot.errors import MissingExtraError, RecordError
from surefoot.storage import schema

BUSY_SECONDS = 30.0
SMALLEST_BYTES = 512  # SQLite would take a shorter file for an empty one, and write over it
POSTGRESQL_LOCK = 0x5F00  # one number for all writers of a database, see `_begin_postgresql`


class Database:
    """An open database of ours: reading and writing transactions, errors made kind.

    A writing transaction excludes every other writer from its first statement on, so what it reads
    stays true until it commits. Connections are made by the process that uses them, never inherited.
    """

    def __init__(self, where: Path | str, *, read_only: bool = False):
        """Opens a home's `record.db` or a database URL, and makes the tables where there are none."""
        self.is_read_only = read_only
        self.version = schema.VERSION
        url = _url_of(where)
        self.path = _file_of(where, url)
        self.name = str(self.path) if url is None or self.path is not None else _shown(url)
        self._url = url
        self._together: Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._is_immutable = False
        self._inherited: list[Engine] = []
        self._pid = os.getpid()
        self._prepare_file()
        self._engine = self._new_engine()
        try:
            self._prepare_schema()
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

    def close(self) -> None:
        """Ends every connection of this process."""
        if self._pid == os.getpid():
            self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the record."""
        with self._kind_errors("read"), self._connected().connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is alone in writing; it is on disk when the block ends without an error.

        One that is begun within another is a part of it.
        """
        if self.is_read_only:
            raise RecordError(f"{self.name} was opened for reading only; open it without read_only to write")
        if self._together is not None:
            with self._kind_errors("written"):
                yield self._together
            return
        engine = self._connected().execution_options(is_writing=True)
        with self._kind_errors("written"), engine.connect() as connection, connection.begin():
            self._check_identity()
            self._together = connection
            try:
                yield connection
            finally:
                self._together = None
            self._check_identity()

    # --- opening -----------------------------------------------------------------------------------------------------

    def _prepare_file(self) -> None:
        if self.path is None:
            return
        if self.is_read_only:
            if not self.path.exists():
                raise RecordError(f"there is no record at {self.path}; `surefoot run PLAN` makes one")
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"the home must be a folder that can be written; {self.path.parent}: {error.strerror}; "
                "choose another with --home"
            ) from error

    def _new_engine(self) -> Engine:
        if self.path is None:
            return self._postgresql()
        engine = create_engine("sqlite://", creator=self._connect_sqlite, poolclass=QueuePool, pool_size=2)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _connect_sqlite(self) -> sqlite3.Connection:
        assert self.path is not None
        mode = "mode=ro" if self.is_read_only else "mode=rwc"
        if self._is_immutable:
            mode += "&immutable=1"
        uri = f"{self.path.resolve().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        for pragma in ("foreign_keys=ON", "recursive_triggers=ON", "trusted_schema=OFF", "cell_size_check=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _postgresql(self) -> Engine:
        try:
            # A schema of our own, because Optuna and MLflow call their tables studies, runs and experiments too.
            engine = create_engine(
                self._url,  # type: ignore[arg-type]
                pool_pre_ping=True,
                pool_size=2,
                hide_parameters=True,
                connect_args={"options": "-c search_path=surefoot", "connect_timeout": 10},
            )
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f'a PostgreSQL record needs {error.name}, which is not installed; pip install "surefoot[postgresql]"'
            ) from error
        event.listen(engine, "begin", _begin_postgresql)
        return engine

    def _prepare_schema(self) -> None:
        with self._kind_errors("read" if self.is_read_only else "written"):
            if self.path is not None:
                self._check_file()
            if self.is_read_only:
                self._check_version_read_only()
                return
            engine = self._engine.execution_options(is_writing=True)
            with engine.connect() as connection, connection.begin():
                self._create_or_check(connection)
            if self.path is not None:
                self._identity = _identity_of(self.path)

    def _check_file(self) -> None:
        """Names a damaged file before anything is read from it, and switches a sound one to write-ahead logging."""
        assert self.path is not None
        if self.path.exists() and 0 < self.path.stat().st_size < SMALLEST_BYTES:
            raise sqlite3.DatabaseError("file is not a database")
        if self.is_read_only:
            try:
                self._peek()
            except sqlite3.OperationalError:
                # Write-ahead logging wants to write beside the file even to read it. Where the folder is read-only
                # and nothing waits in the log, the file alone is the whole record.
                log = self.path.with_name(self.path.name + "-wal")
                if log.exists() and log.stat().st_size > 0:
                    raise
                self._is_immutable = True
                self._peek()
            return
        connection = self._connect_sqlite()
        try:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if answer != "ok":
                raise sqlite3.DatabaseError(f"database disk image is malformed: {answer.splitlines()[-1]}")
            _switch_to_wal(connection)
        finally:
            connection.close()

    def _peek(self) -> None:
        connection = self._connect_sqlite()
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()

    def _check_version_read_only(self) -> None:
        with self._engine.connect() as connection, connection.begin():
            tables = inspect(connection).get_table_names()
            if schema.schema_versions.name not in tables:
                raise RecordError(f"{self.name} holds no record of Surefoot's; `surefoot run PLAN` makes one")
            self.version = self._check_version(connection)

    def _create_or_check(self, connection: Connection) -> None:
        """Inside the writer's transaction: of eight processes that come at once, one creates and seven find."""
        if self.path is None:
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS surefoot")
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
            self._engine = self._new_engine()
            self._pid = os.getpid()
        return self._engine

    def _check_identity(self) -> None:
        if self._identity is None or self.path is None:
            return
        if _identity_of(self.path) != self._identity:
            raise RecordError(
                f"{self.name} was deleted or replaced while it was open, so nothing is written into the void; "
                "put it back and run again"
            )

    @contextmanager
    def _kind_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except StatementError as error:
            raise RecordError(self._sentence(error.orig or error, what)) from error
        except sqlite3.Error as error:
            raise RecordError(self._sentence(error, what)) from error
        except SQLAlchemyError as error:
            raise RecordError(self._sentence(error.__cause__ or error, what)) from error
        except (TypeError, ValueError, OverflowError, KeyError) as error:
            raise RecordError(f"{self.name} cannot be {what}: {_first_line(error)}") from error

    def _sentence(self, error: BaseException, what: str) -> str:
        complaint = _first_line(error)
        for pattern, why in COMPLAINTS:
            if re.search(pattern, complaint, re.IGNORECASE):
                return f"{self.name} cannot be {what}: {why.format(complaint=complaint)}"
        return f"{self.name} cannot be {what}: {complaint}"


COMPLAINTS = (
    ("disk is full|no space left", "the disk is full; free some space and run again, nothing recorded so far is lost"),
    ("disk i/o error", "the disk refuses ({complaint}); look for a full or failing disk and run again"),
    ("readonly|read-only|permission denied", "it is read-only; make it writable or choose another --home"),
    ("unable to open", "it cannot be opened; check its folder's rights or choose another --home"),
    ("locked|busy", f"another process has held it for {BUSY_SECONDS:.0f} seconds; wait for that one and run again"),
    ("append-only", "the record is append-only; write a new row instead"),
    ("malformed|not a database|encrypted", "it is damaged ({complaint}); restore a copy or choose another --home"),
    ("utf-8|decode|expecting", "it is damaged ({complaint}); restore a copy or choose another --home"),
)


def _url_of(where: Path | str) -> URL | None:
    """The URL, its driver chosen; None where `where` is a home folder."""
    if isinstance(where, Path) or "://" not in where:
        return None
    try:
        url = make_url(where)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend = ""
    if backend not in ("postgresql", "sqlite"):
        kind = where.partition("://")[0]
        # The rest of the URL may hold a password, so only its kind is repeated.
        raise RecordError(f"--store must be postgresql://user@host/name or sqlite:///file; got {kind}://…")
    return url


def _shown(url: URL) -> str:
    """The URL without its password, wherever that stands."""
    secrets = [name for name in url.query if "pass" in name.lower()]
    return url.update_query_dict(dict.fromkeys(secrets, "***")).render_as_string(hide_password=True)


def _file_of(where: Path | str, url: URL | None) -> Path | None:
    if url is None:
        return Path(where) / "record.db"
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise RecordError("the record must outlive this process; got a database in memory, give a file or a home")
    return Path(url.database)


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """Retried, because SQLite answers "locked" at once when two processes switch a new file together."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    """A writer waits for the one before it, as SQLite's writers do; a reader waits for nobody and sees one state."""
    if connection.get_execution_options().get("is_writing", False):
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": POSTGRESQL_LOCK})
    else:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"://([^:/@\s]*):[^@\s]*@", r"://\1:***@", lines[0])
