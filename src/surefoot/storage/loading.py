"""Runs as the record has them: rows and curves become values again."""

from __future__ import annotations

import gc
import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, select

from surefoot.run import Measurement, Provenance, Run, Status
from surefoot.storage.schema import VERSION, columns_of, measurements, outcomes, runs, uses
from surefoot.storage.values import curve_of, numbers_of

KEYS_A_QUERY = 500  # databases limit the values one statement may carry
TRAINED = (Status.COMPLETE, Status.INFEASIBLE)
ENDING = ("status", "reason", "facts", "checkpoints", "provenance", "finals")  # the columns that a run's end fills

T = TypeVar("T")


def every_run(version: int = VERSION) -> Select[Any]:
    """Every run with how it ended, if it did, in a record of that version."""
    end = [c.label(f"end_{c.name}") for c in columns_of(outcomes, version) if c.name in ENDING]
    return select(runs, *end).outerjoin(outcomes, outcomes.c.run_id == runs.c.id).order_by(runs.c.id)


def trained(condition: Any, version: int = VERSION) -> Select[Any]:
    """The runs among them that have a result."""
    return every_run(version).where(condition, outcomes.c.status.in_([status.value for status in TRAINED]))


def load(connection: Connection, query: Select[Any], *, with_measurements: bool) -> list[Run]:
    """The runs that the query finds."""
    rows = connection.execute(query).all()
    curves = load_curves(connection, [row.id for row in rows]) if with_measurements else {}
    read = Reader()
    return [read.run(row, tuple(curves.get(row.id, ()))) for row in rows]


def load_trials(connection: Connection, study_id: int, sweep: str, version: int) -> dict[int, list[Run]]:
    """Trial number -> its runs in order, without measurements."""
    found: dict[int, list[Run]] = defaultdict(list)
    read = Reader()
    query = every_run(version).add_columns(uses.c.arm.label("used_as")).join(uses, uses.c.run_id == runs.c.id)
    some = query.where(uses.c.study_id == study_id, uses.c.experiment == sweep)
    with _without_collector():
        for row in connection.execute(some.execution_options(yield_per=KEYS_A_QUERY)):
            if (number := trial_number(row.used_as)) is not None:
                found[number].append(read.run(row, ()))
    return dict(sorted(found.items()))


def load_curves(connection: Connection, run_ids: Iterable[int]) -> dict[int, list[Measurement]]:
    """Run id -> its measurements by step; a run without any is left out."""
    curves: dict[int, list[Measurement]] = {}
    with _without_collector():
        for some in portions(run_ids):
            query = select(measurements).where(measurements.c.run_id.in_(some))
            rows = connection.execute(query.order_by(measurements.c.run_id, measurements.c.step)).all()
            for run_id, of_run in itertools.groupby(rows, key=itemgetter(0)):
                curves[run_id] = curve_of(list(of_run))
    return curves


def trial_number(arm: str) -> int | None:
    """7 for "trial 7", also below zero; None for an arm that answers no trial."""
    word, _, number = arm.partition(" ")
    return int(number) if word == "trial" and number.removeprefix("-").isdecimal() else None


def portions(items: Iterable[T]) -> Iterator[list[T]]:
    """The items, as many at a time as one statement may ask for."""
    remaining = iter(items)
    while some := list(itertools.islice(remaining, KEYS_A_QUERY)):
        yield some


@contextmanager
def _without_collector() -> Iterator[None]:
    """A million measurements are no garbage; looking for some among them takes twice as long as reading them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Reader:
    """Makes runs of rows; what thousands of runs have in common (a machine, its versions) is read and held once."""

    def __init__(self) -> None:
        self._versions: dict[str, Any] = {}

    def run(self, row: Row[Any], curve: tuple[Measurement, ...]) -> Run:
        """The run of a row of `every_run`."""
        has_ended = row.end_status is not None
        provenance = row.end_provenance if has_ended else row.provenance
        text = json.dumps(provenance["versions"])
        provenance["versions"] = self._versions.setdefault(text, provenance["versions"])
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
            provenance=Provenance(**provenance),
            finals=numbers_of(row.end_finals) if row.end_finals else {},
        )
