"""What an engine has in hand: the tasks to come, those at work, and whoever wants to hear of them."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from surefoot.execution.contract import plain_text
from surefoot.execution.engine import OnEnd, OnMeasurement, OnStart
from surefoot.execution.provenance import provenance_at_start
from surefoot.execution.task import Ending, Outcome, Task
from surefoot.program import Program
from surefoot.run import Measurement, Provenance, Status

TICK_SECONDS = 0.2
DYING_SECONDS = 2.0
LOADING_SECONDS = 300.0  # importing libraries and reading data is not the run's time, but must end too


@dataclass(kw_only=True, slots=True)
class Job:
    """A task in a worker's hands, and what has come of it so far."""

    number: int
    task: Task
    attempt: int
    provenance: Provenance
    begun_at: float = field(default_factory=time.monotonic)
    is_loading: bool = True
    metrics: tuple[str, ...] = ()
    measurements: list[Measurement] = field(default_factory=list)
    stop_asked_at: float | None = None
    is_pruned: bool = False
    heard_at: float = field(default_factory=time.monotonic)

    def deadline(self) -> float:
        """When the run has had its time, by the monotonic clock."""
        limit = self.task.time_limit_seconds
        if limit is None:
            return float("inf")
        return self.begun_at + limit + (LOADING_SECONDS if self.is_loading else self.grace_seconds())

    def grace_seconds(self, least: float = 0.0) -> float:
        """How long the run may take to end once it should: a command's worker is ending it meanwhile."""
        if not isinstance(self.task.workload, Program) or not self.task.ends_itself:
            return least
        return max(least, 2 * self.task.workload.grace_seconds + DYING_SECONDS)

    def silence(self) -> str:
        """Why a function is taken for hung; empty where it is not."""
        limit = self.task.workload.silence_seconds if isinstance(self.task.workload, Program) else None
        is_silent = limit is not None and time.monotonic() - max(self.heard_at, self.begun_at) > limit
        return f"silent for {limit:g} s {self.place()}; taken for hung, and ended" if is_silent else ""

    def place(self) -> str:
        """'after step 300'."""
        return f"after step {self.measurements[-1].step}" if self.measurements else "before the first measurement"

    def verified(self, ending: Ending) -> Ending:
        """The ending, or FAILED where it says COMPLETE and a metric has no value here, whatever the worker counted."""
        measured = {name for measurement in self.measurements for name in measurement.values}
        missing = sorted(set(self.metrics) - measured)
        if ending.status is not Status.COMPLETE or not missing:
            return ending
        reason = f"a complete run must have measured every metric; no value of {', '.join(missing)} came"
        return dataclasses.replace(ending, status=Status.FAILED, reason=reason, is_worker_sound=False)

    def outcome(self, ending: Ending) -> Outcome:
        """What came of the task, where it ended so."""
        return Outcome(
            task=self.task,
            status=ending.status,
            reason=plain_text(ending.reason),
            measurements=tuple(self.measurements),
            facts=ending.facts,
            checkpoints=ending.checkpoints,
            values=ending.values,
            provenance=ending.provenance,
            is_worker_lost=ending.is_worker_lost,
        )


@dataclass(kw_only=True, slots=True)
class Queue:
    """The tasks to come: those to try again first, then the next of the iterable."""

    tasks: Iterator[Task | None]
    again: deque[tuple[int, Task]] = field(default_factory=deque)
    taken: int = 0
    is_exhausted: bool = False
    ask_from: float = -float("inf")

    def next_job(self, threads: int) -> Job | None:
        """The next thing to do; None where there is nothing more, or nothing just now."""
        is_second = bool(self.again)
        number, task = self.again.popleft() if is_second else (self.taken, self._next_task())
        if task is None:
            return None
        provenance = provenance_at_start(task, threads)
        return Job(number=number, task=task, attempt=2 if is_second else 1, provenance=provenance)

    def ask_again(self) -> None:
        """A run has ended: what had nothing to give may have something now."""
        self.ask_from = -float("inf")

    def _next_task(self) -> Task | None:
        if self.is_exhausted or time.monotonic() < self.ask_from:
            return None
        try:
            task = next(self.tasks)
        except StopIteration:
            self.is_exhausted = True
            return None
        if task is None:
            self.ask_from = time.monotonic() + TICK_SECONDS
        else:
            self.taken += 1
        return task


@dataclass(frozen=True, kw_only=True, slots=True)
class Callbacks:
    """Whoever wants to hear how runs go on."""

    start: OnStart | None
    measurement: OnMeasurement | None
    end: OnEnd | None

    def started(self, job: Job) -> None:
        """The job begins."""
        if self.start is not None:
            self.start(job.task, job.provenance)

    def measured(self, job: Job, measurements: list[Measurement]) -> str | None:
        """Why the run should end, where the first of these measurements to be answered so says it."""
        job.measurements += measurements
        job.heard_at = time.monotonic()
        if self.measurement is not None and not job.is_pruned:
            for measurement in measurements:
                reason = self.measurement(job.task, measurement)
                if reason:
                    job.is_pruned = True
                    return reason
        return None

    def ended(self, outcome: Outcome) -> None:
        """A run has ended."""
        if self.end is not None:
            self.end(outcome)


@contextlib.contextmanager
def heeding_signals(interrupt: Callable[[], None]) -> Iterator[None]:
    """Lets Ctrl-C and SIGTERM ask to stop, for as long as it lasts; only in the main thread, where they arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in kept.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda *_: interrupt())
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
