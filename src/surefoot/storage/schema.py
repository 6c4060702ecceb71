"""The tables, and the triggers that make them append-only."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

VERSION = 1
"""Raised by one whenever a table changes; a record of a later version is refused, never guessed at."""


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


def append_only_triggers(dialect: str) -> list[str]:
    """The statements after which no row of ours can be changed or removed."""
    refusal = "the record is append-only"
    refuse = f"BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    tables = [table.name for table in metadata.sorted_tables]
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {verb} ON {table} {refuse}"
            for table in tables
            for verb in ("UPDATE", "DELETE")
        ]
    function = f"BEGIN RAISE EXCEPTION '{refusal}'; END"
    create = f"CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $${function}$$"
    return [create] + [
        f"CREATE TRIGGER {table}_refuses_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in tables
    ]
