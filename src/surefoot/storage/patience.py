"""Waiting out what passes by itself: a busy file, a server that restarts, a network that is cut."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 3.0
# What PostgreSQL says of a state that passes: connections cut (08), shutting down, crashed, starting up, idle for too
# long (57P, 25P03), chosen to give way (40), too many connections (53300), a lock waited for too long (55P03).
PASSING_STATES = ("08", "57P", "25P03", "40001", "40P01", "53300", "55P03")
PASSING_AT_FIRST = (
    "starting up",
    "shutting down",
    "recovery mode",
    "not yet accepting",
    "too many clients",
    "terminating connection",
)

T = TypeVar("T")


def patiently(
    action: Callable[[], T],
    *,
    seconds: float,
    passes: Callable[[Exception], bool],
    on_trouble: Callable[[Exception], None],
    rng: random.Random,
) -> T:
    """What the action gives back, tried again for so many seconds after a trouble that passes by itself.

    `on_trouble` hears of the first one before anything is waited for. Pauses double and are drawn anew each
    time, so that many who were cut off at once do not come back at once. The last error is raised as it is.
    """
    pause, deadline = FIRST_PAUSE_SECONDS, 0.0
    while True:
        try:
            return action()
        except Exception as error:
            if not passes(error):
                raise
            if not deadline:
                deadline = time.monotonic() + seconds
                on_trouble(error)
            left = deadline - time.monotonic()
            if left <= 0:
                raise
            time.sleep(min(left, pause * rng.uniform(0.5, 1.0)))
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def is_passing(error: BaseException) -> bool:
    """Whether the same may work a little later: the database is locked, gone or restarting, not full or damaged."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    if isinstance(error, DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            return is_passing(error.orig)
        state = getattr(error.orig, "sqlstate", None)
        if state is not None:
            return str(state).startswith(PASSING_STATES)
        # libpq gives no state where there was no server to give one.
        return error.connection_invalidated or isinstance(error, OperationalError)
    return False


def is_passing_at_first(error: BaseException) -> bool:
    """The same for the first connection of all, where a server that does not answer is more likely a wrong address."""
    if isinstance(error, DBAPIError) and not isinstance(error.orig, sqlite3.Error):
        return any(words in str(error.orig) for words in PASSING_AT_FIRST)
    return is_passing(error)
