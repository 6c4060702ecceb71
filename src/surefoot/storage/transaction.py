"""A transaction that is told again where its connection broke: all of it is written once, or nothing."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Table, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError

from surefoot.errors import RecordError
from surefoot.storage.schema import commits, insert_into
from surefoot.storage.spool import KeptOutcome, Spool

REFUSALS = (IntegrityError, DataError, ProgrammingError)  # of what was to be written, not for want of a database
CONTRADICTED = (
    "what was being written no longer fits the record, because another wrote to it while the connection was lost; "
    "run again to go on"
)

T = TypeVar("T")


class Server(Protocol):
    """What a transaction asks of its database."""

    @property
    def spool(self) -> Spool:
        """Where outcomes are kept that cannot be written."""

    @property
    def has_server(self) -> bool:
        """Whether a connection may break without saying what became of a commit."""

    def begin(self, *, is_durable: bool) -> Connection:
        """A connection that is alone in writing; what is not durable needs no flush."""

    def check_before_commit(self) -> None:
        """Raises where a commit would be written into the void."""

    def patiently(self, action: Callable[[], T], on_trouble: Callable[[], object]) -> T:
        """The action, tried again while its trouble passes."""


@dataclass(kw_only=True, slots=True)
class Step:
    """One thing that was written, the ids that its rows got, and what came back."""

    work: Callable[[Transaction], Any]
    ids: list[int] = field(default_factory=list)
    result: Any = None
    is_refused: bool = False


class Transaction:
    """Remembers what is written until it is surely on disk.

    On a connection that breaks, its steps are repeated on the next one: rows keep the ids that were handed out,
    and a step that would now come out otherwise, because somebody else wrote meanwhile, is refused. A row with
    a token of its own tells whether a commit came through that nobody confirmed.
    """

    def __init__(self, server: Server, *, is_durable: bool = True):
        """Begins nothing yet; the first step does."""
        self._server = server
        self._is_durable = is_durable
        self._open: Connection | None = None
        self._steps: list[Step] = []
        self._step = Step(work=lambda _: None)
        self._inserted = 0
        self._outcomes: list[KeptOutcome] = []
        self._token = uuid.uuid4().hex
        self._is_commit_unsure = False

    @property
    def connection(self) -> Connection:
        """The connection on which the step in hand is written."""
        assert self._open is not None
        return self._open

    def insert(self, table: Table, row: Mapping[str, Any]) -> int:
        """The id of a new row of a table that numbers its rows; the same when the step is repeated."""
        ids = self._step.ids
        if self._inserted == len(ids):
            key = self.connection.execute(insert_into(table), row).inserted_primary_key
            assert key is not None
            ids.append(int(key[0]))
        else:
            self.connection.execute(insert_into(table), {**row, "id": ids[self._inserted]})
            self._keep_counting_from(table, ids[self._inserted])
        self._inserted += 1
        return ids[self._inserted - 1]

    def do(self, work: Callable[[Transaction], T], outcome: KeptOutcome | None = None) -> T:
        """What the work gives back. An `outcome` that it writes is kept aside where it cannot be written."""
        if outcome is not None:
            self._outcomes.append(outcome)
        step = Step(work=work)
        try:
            step.result = self._server.patiently(lambda: self._first_time(step), self.keep)
        except Exception:
            if outcome is not None and step.is_refused:
                self._outcomes.remove(outcome)
                self._server.spool.forget(outcome)
            raise
        self._steps.append(step)
        result: T = step.result
        return result

    def look(self, work: Callable[[Connection], T]) -> T:
        """What is read within the transaction, its own rows included."""
        return self._server.patiently(lambda: self._dropping(lambda: work(self._connected())), self.keep)

    def commit(self) -> None:
        """Puts it on disk."""
        if self._steps:
            self._server.patiently(lambda: self._dropping(self._commit), self.keep)
        for outcome in self._outcomes:
            self._server.spool.forget(outcome)

    def keep(self) -> list[KeptOutcome]:
        """Puts the outcomes it was to write into the spool; those of them that are there now."""
        return [outcome for outcome in self._outcomes if self._server.spool.keep(outcome)]

    def close(self) -> None:
        """Gives the connection back; what is not committed is as if it had never been."""
        if self._open is not None:
            connection, self._open = self._open, None
            with suppress(SQLAlchemyError):  # on a broken one, which the pool then throws away
                connection.rollback()
            connection.close()

    def _first_time(self, step: Step) -> Any:
        step.ids.clear()
        return self._dropping(lambda: self._perform(step))

    def _perform(self, step: Step) -> Any:
        self._connected()
        self._step, self._inserted = step, 0
        try:
            return step.work(self)
        except Exception as error:
            step.is_refused = not isinstance(error, DBAPIError) or isinstance(error, REFUSALS)
            raise

    def _connected(self) -> Connection:
        if self._open is None:
            self._open = self._server.begin(is_durable=self._is_durable)
            if not self._is_commit_unsure:
                self._repeat_all()
        return self._open

    def _repeat_all(self) -> None:
        try:
            for step in self._steps:
                self._step, self._inserted = step, 0
                if step.work(self) != step.result:
                    raise RecordError(CONTRADICTED)
        except BaseException:
            self.close()
            raise

    def _dropping(self, action: Callable[[], T]) -> T:
        """The action; after an error of the database the connection is given up, and all is told again on another."""
        try:
            return action()
        except RecordError:
            raise
        except BaseException:
            self.close()
            raise

    def _commit(self) -> None:
        connection = self._connected()
        if self._is_commit_unsure:
            # Writers come one after the other: whoever may write now sees what the broken connection left behind.
            token = select(commits.c.token).where(commits.c.token == self._token)
            if connection.execute(token).first() is not None:
                return
            self._is_commit_unsure = False
            self._repeat_all()
        self._server.check_before_commit()
        if self._server.has_server:
            connection.execute(insert_into(commits), {"token": self._token})
            self._is_commit_unsure = True
        connection.commit()

    def _keep_counting_from(self, table: Table, row_id: int) -> None:
        """A server that crashed may have forgotten how far it had counted."""
        if self._server.has_server:
            counter = f"{table.name}_id_seq"
            self.connection.exec_driver_sql(
                f"SELECT setval('{counter}', {row_id}) FROM {counter} WHERE last_value < {row_id}"
            )
