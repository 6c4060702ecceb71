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
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from surefoot import reporting
from surefoot.errors import RunFailed, SurefootError, WorkloadError
from surefoot.execution import delivery, machine
from surefoot.execution.contract import check_generator, non_finite, plain_values
from surefoot.execution.provenance import utc_now
from surefoot.execution.talk import Orders, Send, Teller
from surefoot.execution.task import Ending, Task
from surefoot.program import Program
from surefoot.run import Measurement, Provenance, Status, canonical_json
from surefoot.workload import RunContext, Workload, as_config, check_requirements, find_workload
from surefoot.workloads.function import function_of
from surefoot.workloads.script import kill_all

REASON_LENGTH = 500
CHECKPOINTS = ("best", "last")
MEMORY_COMPLAINTS = ("can't allocate memory", "cannot allocate memory", "out of memory", "memoryerror")
PR_SET_PDEATHSIG = 1


def main(descriptor: int, parent: int) -> None:
    """Serves the pool at the other end of this socket; ends when the pool's process does."""
    _die_with(parent)
    # The terminal sends Ctrl-C to everyone; only the pool decides what it means for a run. Not SIG_IGN, which the
    # scripts that are started here would inherit.
    signal.signal(signal.SIGINT, lambda *_: None)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # what was printed before a crash is there to be read
    connection = Connection(descriptor)
    # The socket is this process's alone: what a training starts or forks must neither speak on it nor hold it open.
    os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=connection.close)
    worker = os.getpid()
    desk = _Desk()
    signal.signal(signal.SIGTERM, functools.partial(_stop_softly, desk, worker))
    threading.Thread(target=_listen, args=(connection, desk), daemon=True).start()
    while True:
        turn, task, provenance, orders = desk.tasks.get()
        send = functools.partial(_send, connection, worker, turn)
        with _outliving(parent) if task.ends_itself else contextlib.nullcontext():
            ending = conduct(task, provenance, send, orders)
        send(("ended", ending))


def conduct(task: Task, provenance: Provenance, send: Send, orders: Orders) -> Ending:
    """How the task ended, whatever it did; `send` is given ("begun", metrics) and ("measured", measurements).

    A task that `is_judged` waits for one of `orders.answers` after each ("measured", [measurement]).
    Returns in the process that called it only: a child that the training forked ends where it comes back to us.
    Everything printed meanwhile is in the artifact folder's output.txt, the traceback of a failure in error.txt.
    """
    worker, began, cpu_before = os.getpid(), time.monotonic(), machine.cpu_seconds()
    memory_kills = machine.out_of_memory_kills() if task.ends_itself else 0
    machine.forget_peak_memory()
    known: dict[str, Any] = {
        "code_fingerprint": provenance.code_fingerprint,
        "data_fingerprint": provenance.data_fingerprint,
    }
    try:
        _clean(task)
        with _output_in(task.artifacts / _output_name(task), goes_on=task.resume):
            workload = _loaded(task, known)
            send(("begun", [metric.name for metric in workload.metrics] if task.kind == "train" else []))
            began = time.monotonic()
            work = _train if task.kind == "train" else _use
            parts = work(task, workload, provenance.threads, send, orders)
            _end_if_forked(worker)
    except BaseException as error:
        _end_if_forked(worker, 0 if isinstance(error, SystemExit) and not error.code else 1)
        parts = _failure(task, error, memory_kills)
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


def _train(task: Task, workload: Workload, threads: int, send: Send, orders: Orders) -> dict[str, Any]:
    teller = Teller(task, workload, send, orders)
    if task.ends_itself and task.time_limit_seconds is not None:
        orders.time_limit = f"time limit of {task.time_limit_seconds:g} s"
        orders.deadline = time.monotonic() + task.time_limit_seconds
    context = _context(task, threads, orders.is_stopping)
    training = workload.train(as_config(workload, task.config), context)
    check_generator(training)
    try:
        with reporting.heard_by(teller.report):
            facts = _told(training, teller)
        if teller.ending is None:
            return {"status": Status.COMPLETE, "facts": facts}
    except reporting.Stopped:
        if teller.ending is None:
            raise
    except Exception:
        # What a training does once it was told to end is no failure of its own.
        if teller.ending is None:
            raise
    finally:
        with contextlib.suppress(Exception, reporting.Stopped):
            training.close()
        teller.flush()
    status, reason = teller.ending
    return {"status": status, "reason": reason}


def _told(training: Generator[Measurement, None, Any], teller: Teller) -> dict[str, Any]:
    """What the training returned, its measurements passed on as they came."""
    while True:
        try:
            yielded = next(training)
        except StopIteration as end:
            return teller.facts(end.value) if teller.ending is None else {}
        except reporting.Stopped:
            teller.heed()  # it saw by itself that it should end; this says how
            raise
        teller.tell(yielded)


def _use(task: Task, workload: Workload, threads: int, send: Send, orders: Orders) -> dict[str, Any]:
    """What came of a task on a checkpoint, once it proved to be the recorded one."""
    if getattr(workload, task.kind) is None:
        raise WorkloadError(f"workload {workload.name} cannot {task.kind} a checkpoint; it has no {task.kind}")
    _check_checkpoint(task)
    config = as_config(workload, task.config)
    context = _context(task, threads, orders.is_stopping)
    return USES[task.kind](task, workload, config, context)


def _evaluate(task: Task, workload: Workload, config: Any, context: RunContext) -> dict[str, Any]:
    assert workload.evaluate is not None
    values = plain_values(workload.evaluate(config, context, task.checkpoint, task.split))
    trouble = non_finite(values)
    if trouble:
        return {"status": Status.INFEASIBLE, "reason": f"{trouble} on the {task.split} split", "values": values}
    return {"status": Status.COMPLETE, "values": values}


USES = {"evaluate": _evaluate, "predict": delivery.predict, "export": delivery.export}


def _loaded(task: Task, known: dict[str, Any]) -> Workload:
    """The workload, its fingerprints noted in `known`; raises WorkloadError where they are not the task's."""
    workload, known["code_fingerprint"] = _workload(task.workload)
    known["data_fingerprint"] = _data_fingerprint(task.workload, task.data_root)
    for what, expected in (("code", task.code_fingerprint), ("data", task.data_fingerprint)):
        found = known[f"{what}_fingerprint"]
        if expected and found != expected:
            raise WorkloadError(
                f"the {what} must be what the run was planned with; {task.workload_name} has {found[:12]} where "
                f"{expected[:12]} was expected; run again"
            )
    return workload


def _workload(target: str | Program) -> tuple[Workload, str]:
    """The workload, imported once a process, and the fingerprint of the code that trains.

    What was imported trains, whatever its file says later; a command's files are read anew by each of its runs.
    """
    if isinstance(target, str):
        return _imported(target)
    workload, code = _program(target)
    return workload, code or workload.code_fingerprint()


@functools.cache
def _imported(name: str) -> tuple[Workload, str]:
    workload = _required(find_workload(name))
    return workload, workload.code_fingerprint()


_programs: dict[tuple[str, str], tuple[Workload, str]] = {}


def _program(program: Program) -> tuple[Workload, str]:
    # Not its identity alone: two programs that train the same may be listened to in different ways.
    key = canonical_json(program.definition()), program.folder
    if key not in _programs:
        workload = _required(find_workload(program))
        if program.function:
            function_of(program)  # its module is imported now, for the same reason
        _programs[key] = (workload, workload.code_fingerprint() if program.function else "")
    return _programs[key]


def _required(workload: Workload) -> Workload:
    check_requirements(workload)
    for library in workload.requires:
        importlib.import_module(library)  # now, so that it is neither the first run's time nor within its limit
    return workload


def _data_fingerprint(target: str | Program, data_root: Path | None) -> str:
    return _fingerprint_of(target, data_root) if isinstance(target, str) else "none"


@functools.cache
def _fingerprint_of(name: str, data_root: Path | None) -> str:
    return _imported(name)[0].data_fingerprint(data_root)


def _context(task: Task, threads: int, is_stopping: Callable[[], bool]) -> RunContext:
    return RunContext(
        seed=task.seed,
        artifacts=task.artifacts,
        data_root=task.data_root,
        device=task.device,
        threads=threads,
        is_test_open=task.is_test_open,
        resume=task.resume,
        is_stopping=is_stopping,
    )


def _clean(task: Task) -> None:
    """Makes the run's folder, and sweeps what a killed attempt left: its checkpoints are not this run's.

    A run that is to go on finds everything as it was left.
    """
    task.artifacts.mkdir(parents=True, exist_ok=True)
    if task.kind != "train" or task.resume:
        return
    stale = [task.artifacts / f"{name}.pt" for name in CHECKPOINTS] + [task.artifacts / "error.txt"]
    for path in [*stale, *task.artifacts.glob(".*.pt.*")]:
        path.unlink(missing_ok=True)


def _check_checkpoint(task: Task) -> None:
    path = task.artifacts / f"{task.checkpoint}.pt"
    if not path.is_file():
        raise WorkloadError(f"a checkpoint must be there to be used; {path} is not; train this run again")
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


def _failure(task: Task, error: BaseException, memory_kills: int) -> dict[str, Any]:
    # An exception can leave a process damaged (a CUDA assertion, a memory limit), so it trains no other run;
    # a mistake we named ourselves leaves it sound.
    is_sound = isinstance(error, SurefootError)
    if isinstance(error, RunFailed):
        is_memory = error.signal == signal.SIGKILL and machine.out_of_memory_kills() > memory_kills
        reason = f"out of memory ({error})" if is_memory else _without_memory(str(error))
        return {"status": Status.FAILED, "reason": reason, "facts": error.facts}
    with contextlib.suppress(OSError, MemoryError):
        text = "".join(traceback.format_exception(error))
        (task.artifacts / "error.txt").write_text(text, encoding="utf-8", errors="replace")
    return {"status": Status.FAILED, "reason": _reason(error), "is_worker_sound": is_sound}


def _reason(error: BaseException) -> str:
    """'ValueError: bad shape (train.py:41, in forward)', on one line."""
    message = " ".join(str(error).split())[:REASON_LENGTH]
    sentence = f"{type(error).__name__}: {message}" if message else type(error).__name__
    sentence = f"out of memory ({sentence})" if isinstance(error, MemoryError) else _without_memory(sentence)
    frames = traceback.extract_tb(error.__traceback__)
    if frames and not isinstance(error, SurefootError):
        sentence += f" ({Path(frames[-1].filename).name}:{frames[-1].lineno}, in {frames[-1].name})"
    return sentence


def _without_memory(sentence: str) -> str:
    """The sentence, behind the words "out of memory" where it complains of that."""
    complains = any(complaint in sentence.lower() for complaint in MEMORY_COMPLAINTS)
    return f"out of memory ({sentence})" if complains else sentence


def _output_name(task: Task) -> str:
    if task.kind == "train":
        return "output.txt"
    use = "" if task.kind == "evaluate" else f"{task.kind}_"
    return f"output_{use}{task.checkpoint}{'' if task.kind == 'export' else f'_{task.split}'}.txt"


@contextlib.contextmanager
def _output_in(path: Path, *, goes_on: bool) -> Iterator[None]:
    """Sends both standard streams of this process, C code's too, to the file; behind what is there, if it goes on."""
    if not goes_on:
        path.unlink(missing_ok=True)
    # Appending, since a script's own output is written to the same file.
    with path.open("ab", buffering=0) as file:
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


class _Desk:
    """Guards what the pool has said: the tasks to do, and the orders for the last of them."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[tuple[int, Task, Provenance, Orders]] = queue.SimpleQueue()
        self.orders = Orders()
        self._turn = 0

    def take(self, word: str, content: Any) -> None:
        """One message of the pool's; an order for a task that is over is nothing to the next."""
        if word == "run":
            self._turn, task, provenance = content
            self.orders = Orders()
            self.tasks.put((self._turn, task, provenance, self.orders))
        elif content[0] != self._turn:
            return
        elif word == "stop":
            self.orders.interrupt()
        elif word == "prune":
            self.orders.prune(content[1])
        else:
            self.orders.answer(content[1])


def _listen(connection: Connection, desk: _Desk) -> None:
    while True:
        try:
            desk.take(*connection.recv())
        except (EOFError, OSError):
            kill_all()
            os._exit(0)  # the pool is gone, and with it everyone who could want this run


def _send(connection: Connection, worker: int, turn: int, message: tuple[str, Any]) -> None:
    """Sends a message under its task's number; only the worker itself may."""
    _end_if_forked(worker)
    connection.send((turn, *message))


def _end_if_forked(worker: int, code: int = 0) -> None:
    """Ends this process where it is a child that a training forked: the run is its parent's."""
    if os.getpid() != worker:
        os._exit(code)


def _stop_softly(desk: _Desk, worker: int, *_: object) -> None:
    if os.getpid() != worker:  # a data loader's process that inherited this handler must die of it
        os._exit(128 + signal.SIGTERM)
    desk.orders.interrupt()


def _die_with(parent: int) -> None:
    """Asks Linux to kill this process when the one that started it ends; elsewhere the closed socket does."""
    _set_death_signal(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


@contextlib.contextmanager
def _outliving(parent: int) -> Iterator[None]:
    """Within, this process is not killed with its parent, but hears of that by the socket: it has a script to end."""
    _set_death_signal(0)
    try:
        yield
    finally:
        _set_death_signal(signal.SIGKILL)
        if os.getppid() != parent:
            kill_all()
            os._exit(0)


def _set_death_signal(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
