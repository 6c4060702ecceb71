"""A worker process: takes tasks from its pool, one at a time, until the pool is gone."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import faulthandler
import functools
import hashlib
import importlib
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from surefoot.errors import SurefootError, WorkloadError
from surefoot.execution import machine
from surefoot.execution.contract import checked, non_finite, plain_values
from surefoot.execution.provenance import utc_now
from surefoot.execution.task import Ending, Task
from surefoot.run import Measurement, Provenance, Status
from surefoot.workload import RunContext, Workload, as_config, check_requirements, find_workload

FLUSH_SECONDS = 0.1
REASON_LENGTH = 500
CHECKPOINTS = ("best", "last")
MEMORY_COMPLAINTS = ("can't allocate memory", "out of memory")
PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int) -> None:
    """Serves the pool at the other end of this socket; ends when the pool's process does."""
    _die_with(parent)
    # The terminal sends Ctrl-C to everyone; only the pool decides what it means for a run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what was printed before a crash is there to be read
    connection = Connection(descriptor)
    # The socket is this process's alone: what a training starts or forks must neither speak on it nor hold it open.
    os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=connection.close)
    worker = os.getpid()
    tasks: queue.SimpleQueue[tuple[int, Task, Provenance]] = queue.SimpleQueue()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, functools.partial(_stop_softly, stop, worker))
    threading.Thread(target=_listen, args=(connection, tasks, stop), daemon=True).start()
    while True:
        turn, task, provenance = tasks.get()
        stop.clear()
        send = functools.partial(_send, connection, worker, turn)
        send(("ended", conduct(task, provenance, send, stop.is_set)))


def conduct(
    task: Task, provenance: Provenance, send: Callable[[tuple[str, Any]], None], is_stopped: Callable[[], bool]
) -> Ending:
    """How the task ended, whatever it did; `send` is given ("begun", metrics) and ("measured", measurements).

    Returns in the process that called it only: a child that the training forked ends where it comes back to us.
    Everything printed meanwhile is in the artifact folder's output.txt, the traceback of a failure in error.txt.
    """
    worker, began, cpu_before = os.getpid(), time.monotonic(), machine.cpu_seconds()
    machine.forget_peak_memory()
    known: dict[str, Any] = {
        "code_fingerprint": provenance.code_fingerprint,
        "data_fingerprint": provenance.data_fingerprint,
    }
    try:
        _clean(task)
        with _output_in(task.artifacts / _output_name(task)):
            workload = _loaded(task, known)
            send(("begun", [metric.name for metric in workload.metrics] if task.kind == "train" else []))
            began = time.monotonic()
            work = _train if task.kind == "train" else _evaluate
            parts = work(task, workload, provenance.threads, send, is_stopped)
            _end_if_forked(worker)
    except BaseException as error:
        _end_if_forked(worker, 0 if isinstance(error, SystemExit) and not error.code else 1)
        parts = _failure(task, error)
    with contextlib.suppress(OSError):
        parts.setdefault("checkpoints", _checkpoint_hashes(task))
    final = dataclasses.replace(
        provenance,
        **known,
        ended_at=utc_now(),
        wall_seconds=time.monotonic() - began,
        cpu_seconds=machine.cpu_seconds() - cpu_before,
        peak_memory_bytes=machine.peak_memory_bytes(),
    )
    return Ending(provenance=final, **parts)


def _train(
    task: Task, workload: Workload, threads: int, send: Callable[..., None], is_stopped: Callable[[], bool]
) -> dict[str, Any]:
    worker = os.getpid()
    training = workload.train(as_config(workload, task.config), _context(task, threads))
    steps = checked(workload, training)
    waiting: list[Measurement] = []
    flushed = -FLUSH_SECONDS
    try:
        while True:
            try:
                measurement = next(steps)
            except StopIteration as end:
                return {"status": Status.COMPLETE, "facts": end.value}
            _end_if_forked(worker)
            waiting.append(measurement)
            trouble = non_finite(measurement.values)
            if trouble:
                return {"status": Status.INFEASIBLE, "reason": f"{trouble} at step {measurement.step}"}
            if is_stopped():
                return {"status": Status.INTERRUPTED, "reason": f"stopped after step {measurement.step}"}
            # Batches, so that a thousand quick measurements cost few messages and a slow one is seen at once.
            if time.monotonic() - flushed >= FLUSH_SECONDS:
                send(("measured", waiting))
                waiting, flushed = [], time.monotonic()
    finally:
        if waiting:
            send(("measured", waiting))
        with contextlib.suppress(Exception):
            training.close()


def _evaluate(
    task: Task, workload: Workload, threads: int, send: Callable[..., None], is_stopped: Callable[[], bool]
) -> dict[str, Any]:
    if workload.evaluate is None:
        raise WorkloadError(f"workload {workload.name} cannot evaluate a checkpoint; it has no evaluate")
    _check_checkpoint(task)
    config = as_config(workload, task.config)
    values = plain_values(workload.evaluate(config, _context(task, threads), task.checkpoint, task.split))
    trouble = non_finite(values)
    if trouble:
        return {"status": Status.INFEASIBLE, "reason": f"{trouble} on the {task.split} split", "values": values}
    return {"status": Status.COMPLETE, "values": values}


def _loaded(task: Task, known: dict[str, Any]) -> Workload:
    """The workload, its fingerprints noted in `known`; raises WorkloadError where they are not the task's."""
    workload, code = _workload(task.workload)
    known["code_fingerprint"] = code
    known["data_fingerprint"] = _data_fingerprint(task.workload, task.data_root)
    for what, expected in (("code", task.code_fingerprint), ("data", task.data_fingerprint)):
        found = known[f"{what}_fingerprint"]
        if expected and found != expected:
            raise WorkloadError(
                f"the {what} must be what the run was planned with; {task.workload} has {found[:12]} where "
                f"{expected[:12]} was expected; run again"
            )
    return workload


@functools.cache
def _workload(name: str) -> tuple[Workload, str]:
    """Read once a process: the code that trains is the code that was imported, whatever the file says later."""
    workload = find_workload(name)
    check_requirements(workload)
    for library in workload.requires:
        importlib.import_module(library)  # now, so that it is neither the first run's time nor within its limit
    return workload, workload.code_fingerprint()


@functools.cache
def _data_fingerprint(name: str, data_root: Path | None) -> str:
    return _workload(name)[0].data_fingerprint(data_root)


def _context(task: Task, threads: int) -> RunContext:
    return RunContext(
        seed=task.seed,
        artifacts=task.artifacts,
        data_root=task.data_root,
        device=task.device,
        threads=threads,
        is_test_open=task.is_test_open,
    )


def _clean(task: Task) -> None:
    """Makes the run's folder, and sweeps what a killed attempt left: its checkpoints are not this run's."""
    task.artifacts.mkdir(parents=True, exist_ok=True)
    if task.kind != "train":
        return
    stale = [task.artifacts / f"{name}.pt" for name in CHECKPOINTS] + [task.artifacts / "error.txt"]
    for path in [*stale, *task.artifacts.glob(".*.pt.*")]:
        path.unlink(missing_ok=True)


def _check_checkpoint(task: Task) -> None:
    path = task.artifacts / f"{task.checkpoint}.pt"
    if not path.is_file():
        raise WorkloadError(f"a checkpoint must be there to be evaluated; {path} is not; train this run again")
    if task.checkpoint_hash and _sha256(path) != task.checkpoint_hash:
        raise WorkloadError(
            f"a checkpoint must be the one that was recorded; {path} is damaged or another's "
            f"(expected SHA-256 {task.checkpoint_hash[:12]}); train this run again"
        )


def _checkpoint_hashes(task: Task) -> dict[str, str]:
    if task.kind != "train":
        return {}
    paths = {name: task.artifacts / f"{name}.pt" for name in CHECKPOINTS}
    return {name: _sha256(path) for name, path in paths.items() if path.is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failure(task: Task, error: BaseException) -> dict[str, Any]:
    # An exception can leave a process damaged (a CUDA assertion, a memory limit), so it trains no other run;
    # a mistake we named ourselves leaves it sound.
    is_sound = isinstance(error, SurefootError)
    with contextlib.suppress(OSError, MemoryError):
        text = "".join(traceback.format_exception(error))
        (task.artifacts / "error.txt").write_text(text, encoding="utf-8", errors="replace")
    return {"status": Status.FAILED, "reason": _reason(error), "is_worker_sound": is_sound}


def _reason(error: BaseException) -> str:
    """'ValueError: bad shape (train.py:41, in forward)', on one line."""
    message = " ".join(str(error).split())[:REASON_LENGTH]
    sentence = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if isinstance(error, MemoryError) or any(complaint in message.lower() for complaint in MEMORY_COMPLAINTS):
        sentence = f"out of memory ({sentence})"
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not isinstance(error, SurefootError):
        sentence += f" ({Path(frames[-1].filename).name}:{frames[-1].lineno}, in {frames[-1].name})"
    return sentence


def _output_name(task: Task) -> str:
    return "output.txt" if task.kind == "train" else f"output_{task.checkpoint}_{task.split}.txt"


@contextlib.contextmanager
def _output_in(path: Path) -> Iterator[None]:
    """Sends both standard streams of this process, C code's too, to the file."""
    with path.open("wb", buffering=0) as file:
        kept = [os.dup(stream) for stream in (1, 2)]
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        faulthandler.enable(file=2)
        try:
            yield
        finally:
            for stream, descriptor in zip((1, 2), kept, strict=True):
                with contextlib.suppress(Exception):
                    (sys.stdout, sys.stderr)[stream - 1].flush()
                os.dup2(descriptor, stream)
                os.close(descriptor)


def _listen(connection: Connection, tasks: queue.SimpleQueue[Any], stop: threading.Event) -> None:
    while True:
        try:
            word, content = connection.recv()
        except (EOFError, OSError):
            os._exit(0)  # the pool is gone, and with it everyone who could want this run
        if word == "run":
            tasks.put(content)
        else:
            stop.set()


def _send(connection: Connection, worker: int, turn: int, message: tuple[str, Any]) -> None:
    """Sends a message under its task's number; only the worker itself may."""
    _end_if_forked(worker)
    connection.send((turn, *message))


def _end_if_forked(worker: int, code: int = 0) -> None:
    """Ends this process where it is a child that a training forked: the run is its parent's."""
    if os.getpid() != worker:
        os._exit(code)


def _stop_softly(stop: threading.Event, worker: int, *_: object) -> None:
    if os.getpid() != worker:  # a data loader's process that inherited this handler must die of it
        os._exit(128 + signal.SIGTERM)
    stop.set()


def _die_with(parent: int) -> None:
    """Asks Linux to kill this process when the one that started it ends; elsewhere the closed socket does."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
