"""WorkerPool: worker processes kept between runs, so that a heavy library is imported once in each."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self

from surefoot.errors import WorkloadError
from surefoot.execution.engine import OnEnd, OnMeasurement, OnStart
from surefoot.execution.jobs import DYING_SECONDS, TICK_SECONDS, Callbacks, Job, Queue, heeding_signals
from surefoot.execution.machine import available_cores, out_of_memory_kills
from surefoot.execution.provenance import utc_now
from surefoot.execution.task import Ending, Outcome, Task
from surefoot.run import Provenance, Status
from surefoot.workload import THREAD_VARIABLES
from surefoot.workloads.script import end_those_of

START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from surefoot.execution.worker import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)


class WorkerPool:
    """Guards a number of worker processes; use it as a context manager, in the thread that made it.

    A worker that dies is replaced, and the others never notice. While `run` works in the main
    thread, a first Ctrl-C or SIGTERM asks the runs in flight to stop at their next measurement and
    gives them `grace_seconds`, a second kills them at once; both end INTERRUPTED.
    """

    def __init__(self, workers: int, *, threads: int | None = None, grace_seconds: float = 5.0):
        """`threads` is what each worker may use: by default the machine's cores shared out, at least one."""
        if workers < 1:
            raise WorkloadError(f"workers must be at least 1; got {workers}")
        self.threads = threads or max(1, available_cores() // workers)
        self._size = workers
        self._grace_seconds = grace_seconds
        self._workers: list[_Worker] = []
        self._interrupts = 0

    def __enter__(self) -> Self:
        """The pool; a worker starts when there is a task for it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every worker."""
        self.close()

    def close(self) -> None:
        """Ends every worker, at work or not."""
        while self._workers:
            self._workers.pop().end()

    @property
    def is_interrupted(self) -> bool:
        """Whether the runs were asked to stop; a pool that was begins no further run."""
        return self._interrupts > 0

    def interrupt(self) -> None:
        """Asks the runs in flight to stop; asked again, kills them. Safe in a signal handler and in any thread."""
        self._interrupts += 1

    def run(
        self,
        tasks: Iterable[Task | None],
        *,
        on_start: OnStart | None = None,
        on_measurement: OnMeasurement | None = None,
        on_end: OnEnd | None = None,
    ) -> list[Outcome]:
        """The outcomes of the tasks that were begun, in the order of the tasks.

        A task is taken from the iterable only when a worker is free. None from it means: nothing just now; it is
        asked again when a run has ended, or after a moment. The callbacks are called in this thread; what they
        raise ends the runs in flight and is raised here. `on_start` comes right before, `on_end` right after an
        attempt: a task whose worker was killed by someone else's signal is tried twice, and only the second
        outcome is returned. Where `on_measurement` returns a reason, the run ends as PRUNED: at that measurement
        if its task `is_judged`, else at the next, unless it has ended by then. With `on_end`, which has had
        the whole outcome, what is returned leaves the measurements out.
        """
        calls = Callbacks(start=on_start, measurement=on_measurement, end=on_end)
        queue = Queue(tasks=iter(tasks))
        outcomes: dict[int, Outcome] = {}
        with heeding_signals(self.interrupt):
            try:
                while True:
                    self._hand_out(queue, calls)
                    busy = [worker for worker in self._workers if worker.job is not None]
                    if not busy and (queue.is_exhausted or self.is_interrupted):
                        break
                    for job, outcome in self._progress(busy, calls):
                        calls.ended(outcome)
                        outcomes[job.number] = outcome if on_end is None else outcome.without_measurements()
                        queue.ask_again()
                        if outcome.is_worker_lost and job.attempt == 1:
                            queue.again.append((job.number, job.task))
            finally:
                for worker in [worker for worker in self._workers if worker.job is not None]:
                    self._discard(worker)
        return [outcomes[number] for number in sorted(outcomes)]

    def _hand_out(self, queue: Queue, calls: Callbacks) -> None:
        while not self.is_interrupted:
            idle = next((worker for worker in self._workers if worker.job is None), None)
            if idle is not None and not idle.is_alive():
                self._discard(idle)
                continue
            if idle is None and len(self._workers) >= self._size:
                return
            job = queue.next_job(self.threads)
            if job is None:
                return
            if idle is None:
                idle = _Worker(self.threads)
                self._workers.append(idle)
            calls.started(job)
            idle.begin(job)

    def _progress(self, busy: list[_Worker], calls: Callbacks) -> Iterator[tuple[Job, Outcome]]:
        if not busy:
            time.sleep(TICK_SECONDS)
        wait([worker.connection for worker in busy], timeout=TICK_SECONDS)
        for worker in busy:
            job = worker.job
            assert job is not None
            ending = worker.listen(calls)
            if ending is None:
                ending = self._cut_short(worker, job)
            if ending is None:
                continue
            worker.job = None
            if not ending.is_worker_sound:
                self._discard(worker)
            yield job, job.outcome(ending)

    def _cut_short(self, worker: _Worker, job: Job) -> Ending | None:
        """The ending of a run that died, overran its time or would not stop; None for one that may go on."""
        if worker.is_lost or not worker.is_alive():
            return worker.lost_ending()
        now = time.monotonic()
        if now > job.deadline():
            limit = f"time limit of {job.task.time_limit_seconds:g} s reached {job.place()}"
            return worker.killed_ending(Status.FAILED, limit)
        if not job.task.ends_itself and not job.is_loading and job.silence():
            return worker.killed_ending(Status.FAILED, job.silence())
        if not self.is_interrupted:
            return None
        if job.stop_asked_at is None:
            job.stop_asked_at = now
            worker.ask_to_stop()
        if self._interrupts > 1 or now - job.stop_asked_at > job.grace_seconds(self._grace_seconds):
            return worker.killed_ending(Status.INTERRUPTED, f"interrupted {job.place()}")
        return None

    def _discard(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.end(grace_seconds=0.0)


class _Worker:
    """Guards one worker process and the socket to it."""

    def __init__(self, threads: int):
        self.job: Job | None = None
        self.is_lost = False
        self._has_run_commands = False
        self._turn = 0
        self._memory_kills = 0
        self._cpu_before = 0.0
        self._early_words = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the worker
        self.connection, theirs = Pipe()
        with theirs:
            # Not multiprocessing's spawn: it would run the caller's main script again in every worker.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    START,
                    json.dumps([str(folder) for folder in sys.path]),
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                pass_fds=[theirs.fileno()],
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))},
                stdin=subprocess.DEVNULL,
                stdout=self._early_words,
                stderr=self._early_words,
                start_new_session=True,  # so that its own helpers can be ended with it
            )

    def is_alive(self) -> bool:
        """Asked without reaping the process, so that its number cannot become another's before `_kill`."""
        if self._process.returncode is not None:
            return False
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def begin(self, job: Job) -> None:
        self.job = job
        self._has_run_commands |= job.task.ends_itself
        self._turn += 1
        self._memory_kills = out_of_memory_kills()
        self._cpu_before = self._cpu_seconds()
        self._send("run", (self._turn, job.task, job.provenance))

    def ask_to_stop(self) -> None:
        self._send("stop", (self._turn,))

    def _answer(self, reason: str | None) -> None:
        assert self.job is not None
        if self.job.task.is_judged:
            self._send("answer", (self._turn, reason))
        elif reason:
            self._send("prune", (self._turn, reason))

    def listen(self, calls: Callbacks) -> Ending | None:
        """Takes what the worker has said of its present task; the ending if it has come."""
        assert self.job is not None
        try:
            while self.connection.poll():
                turn, word, content = self.connection.recv()
                if turn != self._turn:
                    continue
                if word == "ended":
                    assert isinstance(content, Ending)
                    return self.job.verified(content)
                if word == "begun":
                    self.job.is_loading, self.job.begun_at = False, time.monotonic()
                    self.job.metrics = tuple(content)
                else:
                    self._answer(calls.measured(self.job, content))
        except (EOFError, OSError):
            self.is_lost = True
        return None

    def lost_ending(self) -> Ending:
        """How a run ends whose process is gone, told from the way the process went."""
        provenance = self._provenance()
        self._await_end(DYING_SECONDS)
        self._kill()
        code = self._process.returncode
        is_memory = code == -signal.SIGKILL and out_of_memory_kills() > self._memory_kills
        if code < 0:
            reason = f"worker killed by signal {-code}"
            reason += ", an out-of-memory kill" if is_memory else f" ({signal.strsignal(-code)})"
        else:
            reason = f"worker exited with code {code}"
        return Ending(
            status=Status.FAILED,
            reason=f"{reason} {self._place()}",
            provenance=provenance,
            is_worker_sound=False,
            is_worker_lost=code < 0 and not is_memory,
        )

    def killed_ending(self, status: Status, reason: str) -> Ending:
        """Kills the process, and says that we did."""
        provenance = self._provenance()
        self._kill()
        return Ending(status=status, reason=reason, provenance=provenance, is_worker_sound=False)

    def end(self, grace_seconds: float = DYING_SECONDS) -> None:
        """Ends the process: it goes by itself when its socket closes, or is killed."""
        self.connection.close()
        if grace_seconds and self.job is None:
            self._await_end(grace_seconds)
        self._kill()
        self._early_words.close()

    def _place(self) -> str:
        assert self.job is not None
        if not self.job.is_loading:
            return self.job.place()
        self._early_words.seek(0)
        words = self._early_words.read().decode(errors="replace").strip().splitlines()
        return "before the run began" + (f": {words[-1]}" if words else "")

    def _await_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.005)

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._has_run_commands:
            end_those_of(self._process.pid)

    def _send(self, word: str, content: Any) -> None:
        try:
            self.connection.send((word, content))
        except OSError:
            self.is_lost = True

    def _provenance(self) -> Provenance:
        assert self.job is not None
        return dataclasses.replace(
            self.job.provenance,
            ended_at=utc_now(),
            wall_seconds=time.monotonic() - self.job.begun_at,
            cpu_seconds=max(0.0, self._cpu_seconds() - self._cpu_before),
        )

    def _cpu_seconds(self) -> float:
        import psutil

        try:
            times = psutil.Process(self._process.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)
