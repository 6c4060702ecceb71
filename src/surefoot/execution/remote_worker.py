"""RemoteWorker: one run at a time on another machine, started, followed and brought home from afar."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.execution import shipping
from surefoot.execution.machine import machine_name
from surefoot.execution.processes import WorkerPool
from surefoot.execution.provenance import versions
from surefoot.execution.shipping import Arrival, Parcel
from surefoot.execution.task import Outcome, Task
from surefoot.program import Program
from surefoot.run import Measurement
from surefoot.workloads.script import end_orphans

PARENT_SECONDS = 1.0
ANSWER_SECONDS = 1.0
ANSWER_EVERY_SECONDS = 0.1
DYING_SECONDS = 0.5
# A process that nobody's end takes along: it waits for the end of its input, which is that of the worker.
CARETAKER = (
    "import json, os, sys\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "sys.stdin.buffer.read()\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from surefoot.execution.remote_worker import clear_up\n"
    "clear_up(sys.argv[2])"
)

Message = tuple[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Greeting:
    """What a worker on another machine says of itself."""

    host: str
    machine: str
    versions: dict[str, str]
    surefoot: str


class RemoteWorker:
    """Guards a pool of one worker and a folder on this machine, for a coordinator on another.

    Its methods are called by the coordinator, several at a time. When its process or the one that started it ends,
    however that happens, the run, whatever the run started and the folder go too.
    """

    def __init__(self, threads: int, grace_seconds: float):
        self._folder = Path(tempfile.mkdtemp(prefix="surefoot-node-"))
        self._caretaker = _start_caretaker(self._folder)
        self._run_folder = self._folder / "run"
        self._arrival: Arrival | None = None
        self._pool = WorkerPool(1, threads=threads, grace_seconds=grace_seconds)
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._talk = _Talk()
        # One thread for all runs: a worker process dies with the thread that started it.
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._serving.start()
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()

    def greet(self) -> Greeting:
        """Who is here."""
        return Greeting(
            host=socket.gethostname(),
            machine=machine_name(),
            versions=versions(),
            surefoot=importlib.metadata.version("surefoot"),
        )

    def take_code(self, name: str, archive: bytes) -> None:
        """Lays a program's folder beside the runs; it is `name` that `begin` calls it by."""
        folder = self._folder / name
        if not folder.exists():
            shipping.unpack_code(archive, folder)

    def expect(self, load: Sequence[Parcel], name: str) -> None:
        """Begins to take files into the folder of the run to come."""
        self._arrival = Arrival(self._home_of(name), load)

    def take(self, data: bytes) -> None:
        """Takes the next piece of the files that are expected."""
        assert self._arrival is not None
        self._arrival.take(data)

    def begin(self, task: Task, code: str) -> None:
        """Starts the task in a folder here, with the code of that name (empty: what is installed)."""
        workload = task.workload
        folder = str(self._folder / code)
        if code and isinstance(workload, Program):
            workload = dataclasses.replace(workload, folder=folder)
        elif code:
            os.chdir(folder)
            if folder not in sys.path:
                sys.path.insert(0, folder)
        self._talk.clear()
        home = self._home_of(task.artifacts.name)
        out = task.out and home / task.out.relative_to(task.artifacts)
        self._tasks.put(dataclasses.replace(task, workload=workload, artifacts=home, out=out))

    def listen(self, answers: Sequence[str | None], seconds: float) -> list[Message]:
        """What was said since, as soon as there is something, or nothing after so many seconds.

        `answers` are for the measurements of the last time, one for each: a reason to end the run, or None.
        Messages are ("measured", Measurement), ("ended", Outcome), ("idle", None) for a run that was not begun,
        and ("broken", text) where this worker itself failed.
        """
        self._talk.answer(answers)
        return self._talk.hear(seconds)

    def interrupt(self) -> None:
        """Asks the run to stop; asked again, kills it. No further run is begun."""
        self._pool.interrupt()
        self._talk.interrupt()

    def parcels(self, name: str) -> tuple[Parcel, ...]:
        """What the run left in its folder."""
        return shipping.parcels(self._home_of(name))

    def piece(self, name: str, load: Sequence[Parcel], offset: int) -> bytes:
        """A piece of the files that are sent home."""
        return shipping.piece(self._home_of(name), load, offset)

    def forget(self) -> None:
        """Removes the folder of the run."""
        shutil.rmtree(self._run_folder, ignore_errors=True)

    def close(self) -> None:
        """Ends the run and the worker process, and removes all folders."""
        self.interrupt()
        self.interrupt()
        self._tasks.put(None)
        self._serving.join(ANSWER_SECONDS + 2 * DYING_SECONDS + PARENT_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _home_of(self, name: str) -> Path:
        return self._run_folder / name

    def _serve(self) -> None:
        with self._pool:
            while (task := self._tasks.get()) is not None:
                try:
                    self._pool.run([task], on_measurement=self._talk.measured, on_end=self._talk.ended)
                except _Lost:
                    pass  # whether and where it is tried again is the coordinator's to say
                except Exception as error:
                    self._talk.has_ended = True
                    self._talk.say(("broken", f"{type(error).__name__}: {' '.join(str(error).split())}"))
                if not self._talk.has_ended:
                    self._talk.say(("idle", None))


class _Lost(Exception):
    """Leaves the pool, which would try a lost run again by itself."""


class _Talk:
    """Guards what is said between the thread that runs and those in which the coordinator asks."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._messages: deque[Message] = deque()
        self.clear()

    def clear(self) -> None:
        with self._change:
            self._messages.clear()
            self._told = self._answered = 0
            self._reason: str | None = None
            self._is_interrupted = self.has_ended = False
            self._waited_at = -ANSWER_EVERY_SECONDS

    def say(self, message: Message) -> None:
        with self._change:
            self._messages.append(message)
            self._change.notify_all()

    def hear(self, seconds: float) -> list[Message]:
        with self._change:
            self._change.wait_for(lambda: bool(self._messages), seconds)
            found = list(self._messages)
            self._messages.clear()
            return found

    def answer(self, answers: Sequence[str | None]) -> None:
        with self._change:
            self._answered += len(answers)
            self._reason = self._reason or next(filter(None, answers), None)
            self._change.notify_all()

    def interrupt(self) -> None:
        with self._change:
            self._is_interrupted = True
            self._change.notify_all()

    def measured(self, task: Task, measurement: Measurement) -> str | None:
        """The pool's `on_measurement`: a judged run waits for its answer, any other for a moment and not every time."""
        self._told += 1
        self.say(("measured", measurement))
        if not task.is_judged and time.monotonic() - self._waited_at < ANSWER_EVERY_SECONDS:
            return self._reason
        with self._change:
            self._change.wait_for(
                lambda: self._answered >= self._told or self._is_interrupted,
                None if task.is_judged else ANSWER_SECONDS,
            )
            self._waited_at = time.monotonic()
            return self._reason

    def ended(self, outcome: Outcome) -> None:
        """The pool's `on_end`; of the measurements only those are sent that were not told one by one."""
        rest = outcome.measurements[self._told :]
        self.has_ended = True
        self.say(("ended", dataclasses.replace(outcome, measurements=rest)))
        if outcome.is_worker_lost:
            raise _Lost


def clear_up(folder: str) -> None:
    """Ends what the runs in the folder have left, and removes it."""
    time.sleep(DYING_SECONDS)  # the worker process, which dies with ours, must be gone to have left anything
    end_orphans(Path(folder))
    shutil.rmtree(folder, ignore_errors=True)


def _start_caretaker(folder: Path) -> subprocess.Popen[bytes]:
    found = subprocess.Popen(
        [sys.executable, "-c", CARETAKER, json.dumps([str(place) for place in sys.path]), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )
    found.wait()
    return found


def _end_with(parent: int) -> None:
    """Ends this process soon after the one that started it, which Ray's own processes do not always."""
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(1)
