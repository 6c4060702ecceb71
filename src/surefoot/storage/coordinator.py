"""Which process began a run, and whether it is gone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from typing import Any

SECONDS_APART = 2.0  # two readings of when a process began may differ by so much and mean the same process


def this_process() -> dict[str, Any]:
    """The process that calls, as a run's row names it."""
    return {"host": socket.gethostname(), "pid": os.getpid(), "since": _own_start(os.getpid())}


def is_gone(coordinator: Mapping[str, Any]) -> bool:
    """Whether that other process surely ended: it ran on this machine, and its number is free or someone else's now."""
    if coordinator["host"] != socket.gethostname() or is_own(coordinator):
        return False
    since = _start_of(coordinator["pid"])
    return since is None or abs(since - coordinator["since"]) > SECONDS_APART


def is_own(coordinator: Mapping[str, Any]) -> bool:
    """Whether it is the process that calls."""
    return bool(coordinator["host"] == socket.gethostname() and coordinator["pid"] == os.getpid())


@cache
def _own_start(pid: int) -> float | None:
    return _start_of(pid)


def _start_of(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None
