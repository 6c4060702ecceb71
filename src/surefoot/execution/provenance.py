"""Where a run comes from: commit, versions, machine and time."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata

from surefoot.execution.machine import machine_name
from surefoot.execution.task import Task
from surefoot.run import Provenance

LIBRARIES = ("surefoot", "numpy", "torch")


def provenance_at_start(task: Task, threads: int) -> Provenance:
    """What is known of a run before it trains; the worker adds durations, peak memory and what it really read."""
    commit, is_dirty = git_state(os.getcwd())
    return Provenance(
        code_fingerprint=task.code_fingerprint,
        data_fingerprint=task.data_fingerprint,
        git_commit=commit,
        git_dirty=is_dirty,
        versions=versions(),
        machine=machine_name(),
        device=task.device,
        threads=threads,
        started_at=utc_now(),
    )


@functools.cache
def git_state(folder: str) -> tuple[str, bool | None]:
    """The folder's commit and whether tracked files differ from it; ('', None) outside git. Asked once a process."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return "", None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


@functools.cache
def versions() -> dict[str, str]:
    """Versions by name, read from the installed packages' own papers, so that none of them is imported."""
    found = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def utc_now() -> str:
    """Now, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _git(folder: str, *words: str) -> str | None:
    try:
        answer = subprocess.run(
            ["git", *words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return answer.stdout.strip()
