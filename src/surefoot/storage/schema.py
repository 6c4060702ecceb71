"""The tables, and the triggers that make them append-only."""

from __future__ import annotations

import functools
import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Float,
    ForeignKey,
    Index,
    Insert,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    insert,
    literal,
)
from sqlalchemy.schema import CreateColumn

VERSION = 2
"""Raised by one whenever a table changes; a record of a later version is refused, never guessed at."""

# A column that an earlier version did not have says since when it is there, and what an older row means by its absence.
SINCE, BEFORE = "since", "before"


class Json(TypeDecorator[Any]):
    """A JSON document as text, key order kept; numpy scalars become numbers, NaN and infinity raise ValueError."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:  # noqa: D102
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:  # noqa: D102
        return None if value is None else json.loads(value)


def to_json(value: Any) -> str:
    """One line of JSON; raises ValueError for NaN and infinity, TypeError for what JSON cannot hold."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    if hasattr(value, "keys"):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} is no JSON value")


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _json(name: str) -> Column[Any]:
    return Column(name, Json, nullable=False)


def _of(table: str, *, index: bool = True, **kind: Any) -> Column[int]:
    """A reference to a row of that table, named after it: `studies` -> `study_id`."""
    singular = {"studies": "study", "revisions": "revision", "runs": "run"}[table]
    return Column(f"{singular}_id", ForeignKey(f"{table}.id"), nullable=False, index=index, **kind)


metadata = MetaData()


@functools.cache
def insert_into(table: Table) -> Insert:
    """The statement that inserts into the table, made once: making one costs more than sending it."""
    return insert(table)


schema_versions = Table(
    "schema_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    _text("written_by"),
    _text("at"),
)

studies = Table(
    "studies",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("workload"),
    _text("created_at"),
    Column("kind", Text, nullable=False, server_default="plan", info={SINCE: 2, BEFORE: "plan"}),
)

revisions = Table(
    "revisions",
    metadata,
    _id(),
    _of("studies", index=False),
    Column("number", Integer, nullable=False),
    _text("plan_hash"),
    _text("plan_text"),
    _text("plan_path"),
    _json("known"),
    _text("registered_at"),
    UniqueConstraint("study_id", "number"),
)

experiments = Table(
    "experiments",
    metadata,
    _id(),
    _of("studies"),
    _of("revisions", index=False),
    _text("key"),
    _text("content_hash"),
    _json("definition"),
    _text("registered_at"),
    UniqueConstraint("revision_id", "key"),
)

# A run is one row when it starts and one row in `outcomes` when it ends: a run without an outcome is running,
# or was abandoned by a coordinator that died.
runs = Table(
    "runs",
    metadata,
    _id(),
    _of("studies"),
    _text("key"),
    Column("attempt", Integer, nullable=False),
    _text("workload"),
    _json("config"),
    Column("seed", BigInteger, nullable=False),
    _text("experiment"),
    _text("arm"),
    _json("provenance"),
    _json("coordinator"),
    _text("started_at"),
    UniqueConstraint("key", "attempt"),
)

outcomes = Table(
    "outcomes",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    _text("status"),
    _text("reason"),
    _json("facts"),
    _json("checkpoints"),
    _json("provenance"),
    Column("wall_seconds", Float, nullable=False),
    _text("ended_at"),
    Column("finals", Text, info={SINCE: 2, BEFORE: None}),
    Index("ix_outcomes_counts", "run_id", "status", "wall_seconds"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    _text("metrics"),
    sqlite_with_rowid=False,
)

uses = Table(
    "uses",
    metadata,
    _of("studies", index=False, primary_key=True, autoincrement=False),
    _of("runs", index=True, primary_key=True, autoincrement=False),
    Column("experiment", Text, primary_key=True),
    Column("arm", Text, primary_key=True),
    _text("at"),
)

events = Table(
    "events",
    metadata,
    _id(),
    _of("studies"),
    _text("kind"),
    Column("experiment", Text),
    _json("payload"),
    _text("at"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _id(),
    _of("studies"),
    _text("experiment"),
    _text("arm"),
    _text("metric"),
    _text("verdict"),
    _text("cause"),
    _text("decision"),
    Column("n", Integer, nullable=False),
    *(Column(name, Float) for name in ("estimate", "low", "high", "p", "detectable")),
    _json("payload"),
    _text("at"),
)


# A config that a sweep proposed; the runs that answer it are found by their use for "trial <number>".
trials = Table(
    "trials",
    metadata,
    _id(),
    _of("studies", index=False),
    _text("sweep"),
    Column("number", Integer, nullable=False),
    _json("settings"),
    _json("config"),
    _text("origin"),
    _text("space_hash"),
    _text("at"),
    UniqueConstraint("study_id", "sweep", "number"),
    info={SINCE: 2},
)

# Whoever took a study's lock, the last one being the one who may write: see `study_lock`.
coordinators = Table(
    "coordinators",
    metadata,
    _id(),
    _of("studies"),
    Column("pid", Integer, nullable=False),
    _text("host"),
    _text("since"),
    info={SINCE: 2},
)

# One row a transaction on a server, by which it is known whether a commit came through as the connection broke.
commits = Table(
    "commits",
    metadata,
    Column("token", Text, primary_key=True),
    info={SINCE: 2},
)


def is_known(item: Column[Any] | Table, version: int) -> bool:
    """Whether a record of that version has this table or column."""
    return bool(item.info.get(SINCE, 1) <= version)


def columns_of(table: Table, version: int) -> list[ColumnElement[Any]]:
    """The table's columns as a record of that version can give them: what it does not have stands in as a constant."""
    return [
        column if is_known(column, version) else literal(column.info[BEFORE], column.type).label(column.name)
        for column in table.columns
    ]


def upgrade(connection: Connection, version: int) -> None:
    """Gives a record of that version the tables and columns that came later; its rows stay as they are."""
    for table in metadata.sorted_tables:
        if not is_known(table, version):
            table.create(connection, checkfirst=False)
            for statement in append_only_triggers(connection.dialect.name, table):
                connection.exec_driver_sql(statement)
            continue
        for column in table.columns:
            if not is_known(column, version):
                definition = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {definition}")


REFUSAL = "the record is append-only"
REFUSE_ON_POSTGRESQL = f"""
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION '{REFUSAL}'; END$$
"""


def append_only_triggers(dialect: str, table: Table) -> list[str]:
    """The statements after which no row of the table can be changed or removed."""
    if dialect == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        return [
            f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table} {refuse}" for verb in ("UPDATE", "DELETE")
        ]
    return [
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    ]


def create(connection: Connection) -> None:
    """Makes every table, with its triggers."""
    metadata.create_all(connection, checkfirst=False)
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql(REFUSE_ON_POSTGRESQL)
    for table in metadata.sorted_tables:
        for statement in append_only_triggers(connection.dialect.name, table):
            connection.exec_driver_sql(statement)
