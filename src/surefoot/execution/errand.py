"""Errand: all that one run on another machine takes, from sending its program to its files at home."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import os
import sysconfig
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from surefoot.errors import ClusterError
from surefoot.execution import shipping
from surefoot.execution.jobs import Callbacks, Job
from surefoot.execution.provenance import utc_now
from surefoot.execution.ray_cluster import Node, WorkerFault, WorkerGone, WorkerKilledForMemory
from surefoot.execution.remote_worker import Greeting
from surefoot.execution.shipping import Arrival, Parcel
from surefoot.execution.task import Ending, Outcome, Task
from surefoot.program import Program
from surefoot.run import Provenance, Status
from surefoot.workload import WORKLOADS

LISTEN_SECONDS = 10.0

# Yields what it waits for, is sent the answer, and returns how the run ended.
Errand = Generator[Any, Any, Ending]


class Slot:
    """Room for one run on a node, and the worker that fills it."""

    def __init__(self, node: Node, actor: Any):
        self.node, self.actor = node, actor
        self.greeting: Greeting | None = None
        self.job: Job | None = None
        self.errand: Errand | None = None
        self.codes: set[str] = set()
        self.sent: tuple[Parcel, ...] = ()
        self.interrupts_told = 0
        self.is_cut_off = self.is_coming_home = False
        self.awaited: Any = None
        self.awaited_since = 0.0
        self.await_(actor.greet.remote())

    def await_(self, reference: Any) -> None:
        """Notes what is asked of the worker, whose answer is waited for."""
        self.awaited, self.awaited_since = reference, time.monotonic()

    def begin(self, job: Job, errand: Errand) -> None:
        """Takes a job."""
        self.job, self.errand, self.is_coming_home = job, errand, False
        self.await_(next(errand))

    def named(self, provenance: Provenance, ours: Provenance | None = None) -> Provenance:
        """The provenance with this node's name, and the commit that is checked out at home."""
        assert self.greeting is not None
        known = ours or provenance
        return dataclasses.replace(
            provenance,
            machine=f"{self.greeting.machine}, node {self.node.name}",
            versions=self.greeting.versions,
            git_commit=known.git_commit,
            git_dirty=known.git_dirty,
        )


class Codes:
    """Guards the archives of programs' folders: each is packed once, and `put` where the workers can take it."""

    def __init__(self, put: Callable[[bytes], Any]):
        self._put = put
        self._known: dict[str, tuple[str, Any]] = {}

    def of(self, workload: str | Program) -> tuple[str, Any]:
        """The name and the archive of the folder that must be sent; ('', None) for what is installed.

        Raises ClusterError where it is too large.
        """
        folder = _folder_of(workload)
        if not folder:
            return "", None
        if folder not in self._known:
            self._known[folder] = (f"code{len(self._known)}", self._put(shipping.packed_code(Path(folder))))
        return self._known[folder]


def errand(slot: Slot, job: Job, calls: Callbacks, codes: Codes) -> Errand:
    """All that a run on another machine takes, told in order."""
    has_begun = False
    try:
        yield slot.actor.greet.remote()
        job.provenance = slot.named(job.provenance)
        has_begun = True
        calls.started(job)
        if job.task.out is not None and not job.task.out.is_relative_to(job.task.artifacts):
            reason = f"what is written on a cluster must lie in its run's folder; {job.task.out} does not"
            return ending_here(job, Status.FAILED, reason, is_worker_sound=True)
        yield from _settle(slot, job.task, codes)
        ending = yield from _follow(slot, job, calls)
        slot.is_coming_home = True
        yield from _bring_home(slot, job.task)
        slot.actor.forget.remote()
        return ending
    except WorkerKilledForMemory:
        return ending_here(job, Status.FAILED, f"killed for memory on node {slot.node.name} {job.place()}")
    except WorkerGone:
        if not has_begun:
            calls.started(job)
        return lost(job, f"node {slot.node.name} was lost {job.place()}")
    except (WorkerFault, _NotHome) as error:
        return ending_here(job, Status.FAILED, f"node {slot.node.name}: {error}", is_worker_sound=False)


def _settle(slot: Slot, task: Task, codes: Codes) -> Generator[Any, Any, None]:
    """Sends the program and the files that the task needs, and starts it."""
    code, archive = codes.of(task.workload)
    if code and code not in slot.codes:
        yield slot.actor.take_code.remote(code, archive)
        slot.codes.add(code)
    slot.sent = ()
    if task.resume:
        slot.sent = shipping.parcels(task.artifacts)
    elif task.kind != "train":
        slot.sent = shipping.parcels(task.artifacts, only=[f"{task.checkpoint}.pt"])
    if slot.sent:
        name = task.artifacts.name
        yield slot.actor.expect.remote(slot.sent, name)
        for offset in range(0, sum(parcel.size for parcel in slot.sent), shipping.PIECE_BYTES):
            yield slot.actor.take.remote(shipping.piece(task.artifacts, slot.sent, offset))
    root = task.data_root and Path(os.path.abspath(task.data_root))
    yield slot.actor.begin.remote(dataclasses.replace(task, data_root=root), code)


def _follow(slot: Slot, job: Job, calls: Callbacks) -> Errand:
    """Listens until the run has ended, and answers what it measured."""
    answers: list[str | None] = []
    while True:
        messages = yield slot.actor.listen.remote(answers, LISTEN_SECONDS)
        answers = []
        for word, content in messages:
            if word == "measured":
                answers.append(calls.measured(job, [content]))
            elif word == "ended":
                job.measurements += content.measurements
                return _told(content, slot.named(content.provenance, job.provenance))
            elif word == "idle":
                return ending_here(job, Status.INTERRUPTED, f"interrupted {job.place()}", is_worker_sound=True)
            else:
                raise WorkerFault(content)


def _bring_home(slot: Slot, task: Task) -> Generator[Any, Any, None]:
    """Fetches what the run left in its folder and did not get from here."""
    name = task.artifacts.name
    found: tuple[Parcel, ...] = yield slot.actor.parcels.remote(name)
    wanted = [parcel for parcel in found if parcel not in slot.sent]
    arrival = None
    try:
        arrival = Arrival(task.artifacts, wanted)
        while not arrival.is_complete:
            arrival.take((yield slot.actor.piece.remote(name, wanted, arrival.bytes)))
        if task.kind == "train":
            _sweep(task.artifacts, keep={parcel.path for parcel in found})
    except (OSError, ClusterError) as error:
        raise _NotHome(f"its files did not come home: {error}") from error
    finally:
        if arrival is not None:
            arrival.abandon()


class _NotHome(Exception):
    """A run's files could not be written here."""


def ending_here(job: Job, status: Status, reason: str, *, is_worker_sound: bool = False) -> Ending:
    """An ending that is told here, not there."""
    seconds = time.monotonic() - job.begun_at
    provenance = dataclasses.replace(job.provenance, ended_at=utc_now(), wall_seconds=seconds)
    return Ending(status=status, reason=reason, provenance=provenance, is_worker_sound=is_worker_sound)


def lost(job: Job, reason: str) -> Ending:
    """An ending of a run whose worker is gone, which is no fault of its config."""
    return dataclasses.replace(ending_here(job, Status.FAILED, reason), is_worker_lost=True)


def _told(outcome: Outcome, provenance: Provenance) -> Ending:
    """The ending that a pool elsewhere told."""
    return Ending(
        status=outcome.status,
        reason=outcome.reason,
        facts=outcome.facts,
        checkpoints=outcome.checkpoints,
        values=outcome.values,
        provenance=provenance,
        is_worker_lost=outcome.is_worker_lost,
    )


def _sweep(folder: Path, *, keep: set[str]) -> None:
    """Removes what an earlier attempt left here and this one did not: its checkpoints are not this run's."""
    for path in [*folder.glob("*.pt"), folder / "error.txt"]:
        if path.name not in keep:
            path.unlink(missing_ok=True)


def _folder_of(workload: str | Program) -> str:
    """The folder that must be sent with the workload; empty where it is installed."""
    if isinstance(workload, Program):
        return os.path.abspath(workload.folder) if workload.folder or workload.command else ""
    return _folder_of_module(WORKLOADS.get(workload, workload).partition(":")[0].partition(".")[0])


@functools.cache
def _folder_of_module(name: str) -> str:
    if name == "surefoot":
        return ""
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            path = Path(spec.origin).resolve()
            folder = path.parent.parent if path.name == "__init__.py" else path.parent
            installed = [Path(place).resolve() for place in sysconfig.get_paths().values()]
            return "" if any(folder.is_relative_to(place) for place in installed) else str(folder)
    return ""
