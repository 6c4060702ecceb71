"""One coordinator a home: the lock that a second `surefoot run` or `sweep` waits for."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from surefoot.errors import HomeBusyError, RecordError

POLL_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class LockOwner:
    """Who works in a home: process, study and since when (UTC, ISO 8601)."""

    pid: int
    host: str
    study: str
    since: str

    def __str__(self) -> str:
        """'process 4711, study fashion-cnn, since 2026-07-01T12:00:00+00:00'."""
        return f"process {self.pid} on {self.host}, study {self.study or '(unnamed)'}, since {self.since}"


@contextmanager
def home_lock(
    home: Path,
    wait_seconds: float = 0.0,
    *,
    study: str = "",
    on_wait: Callable[[LockOwner | None], None] | None = None,
) -> Iterator[None]:
    """Holds the home for one coordinator; the system frees it the moment its owner ends, however it ends.

    Where another works there, waits up to `wait_seconds` (`on_wait` is told once, with the owner where it
    is known), then raises HomeBusyError.
    """
    home = Path(home)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(home / "run.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            _wait_for(lock, home, wait_seconds, on_wait)
    except (OSError, NotImplementedError) as error:
        raise _unusable(home, error) from error
    try:
        _sign(home, LockOwner(pid=os.getpid(), host=socket.gethostname(), study=study, since=_now()))
        yield
    finally:
        lock.release()


def _wait_for(
    lock: FileLock, home: Path, wait_seconds: float, on_wait: Callable[[LockOwner | None], None] | None
) -> None:
    if on_wait is not None and wait_seconds > 0:
        on_wait(_owner(home))
    try:
        lock.acquire(timeout=max(wait_seconds, 0.0), poll_interval=POLL_SECONDS)
    except Timeout:
        owner = _owner(home) or "another process"
        raise HomeBusyError(
            f"{home} must have one coordinator at a time; {owner} works there; "
            "wait for it to end, or give this study another --home"
        ) from None


def _sign(home: Path, owner: LockOwner) -> None:
    """Leaves the owner's name beside the lock; it is a courtesy, the lock itself is the system's."""
    draft = home / f".run.lock.{owner.pid}"
    try:
        draft.write_text(json.dumps(asdict(owner)), encoding="utf-8")
        draft.replace(home / "run.lock.json")
    except OSError as error:
        raise _unusable(home, error) from error


def _owner(home: Path) -> LockOwner | None:
    try:
        return LockOwner(**json.loads((home / "run.lock.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _unusable(home: Path, error: Exception) -> RecordError:
    why = getattr(error, "strerror", None) or str(error)
    return RecordError(f"the home must be a folder that can be written; {home}: {why}; choose another with --home")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
