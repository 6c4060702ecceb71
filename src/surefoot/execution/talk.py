"""What a run tells, and what it is told: measurements one way, orders the other."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import WorkloadError
from surefoot.execution.contract import Contract, non_finite
from surefoot.execution.task import Task
from surefoot.reporting import Stopped
from surefoot.run import Measurement, Status
from surefoot.workload import Workload

FLUSH_SECONDS = 0.1

Send = Callable[[tuple[str, Any]], None]


@dataclass(kw_only=True, slots=True)
class Orders:
    """What whoever asked for a run wants of it while it trains; orders may come from any thread.

    `deadline` is of the monotonic clock: for a run that can end itself when its time is over.
    """

    is_interrupted: bool = False
    prune_reason: str = ""
    deadline: float = float("inf")
    time_limit: str = ""
    answers: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)

    def interrupt(self) -> None:
        """Asks the run to stop; it ends INTERRUPTED."""
        self.is_interrupted = True

    def prune(self, reason: str) -> None:
        """Asks the run to end; it ends PRUNED, for this reason."""
        self.prune_reason = reason

    def answer(self, reason: str | None) -> None:
        """Says of the measurement just told that the run may go on, or why it ends."""
        self.answers.put(reason)

    def is_stopping(self) -> bool:
        """Whether the run should end now."""
        return self.is_interrupted or bool(self.prune_reason) or time.monotonic() > self.deadline

    def ending(self, place: str) -> tuple[Status, str] | None:
        """How the run should end, and why; None where it may go on. `place` is how far it is: "after step 3"."""
        if self.is_interrupted:
            return Status.INTERRUPTED, f"stopped {place}"
        if self.prune_reason:
            return Status.PRUNED, self.prune_reason
        if time.monotonic() > self.deadline:
            return Status.FAILED, f"{self.time_limit} reached {place}"
        return None


class Teller:
    """Guards what one training says: checks each measurement, passes it on, and ends the training when it should.

    `ending` is the status and reason once that is decided, whatever the training does afterwards.
    """

    def __init__(self, task: Task, workload: Workload, send: Send, orders: Orders):
        self.ending: tuple[Status, str] | None = None
        self._contract = Contract(workload)
        self._is_judged = task.is_judged
        self._send, self._orders = send, orders
        self._waiting: list[Measurement] = []
        self._flushed_at = -FLUSH_SECONDS
        self._process = os.getpid()

    def tell(self, yielded: Any) -> None:
        """Passes a measurement on. Raises Stopped where the run ends here, WorkloadError where it breaks the contract.

        In a child that the training forked it ends that child: the run is its parent's.
        """
        if os.getpid() != self._process:
            os._exit(0)
        if self.ending is not None:  # the training caught Stopped, and goes on
            raise Stopped(self.ending[1])
        measurement = self._contract.measurement(yielded)
        self._waiting.append(measurement)
        trouble = non_finite(measurement.values)
        if trouble:
            self._end(Status.INFEASIBLE, f"{trouble} at step {measurement.step}")
        if self._is_judged:
            self.flush()
            reason = self._orders.answers.get()
            if reason:
                self._end(Status.PRUNED, reason)
        self.heed()
        # Batches, so that a thousand quick measurements cost few messages and a slow one is seen at once.
        if time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            self.flush()

    def report(self, step: int | None, values: Mapping[str, Any]) -> None:
        """Passes on what `surefoot.report` was given; counts the steps itself where none is."""
        if os.getpid() == self._process and not values:
            raise WorkloadError("surefoot.report must be given a metric, as surefoot.report(step=3, loss=0.5)")
        self.tell(Measurement(step=self.next_step if step is None else step, values=values))

    def heed(self) -> None:
        """Raises Stopped where the run was told to end."""
        ending = self._orders.ending(self.place)
        if ending is not None:
            self._end(*ending)

    def flush(self) -> None:
        """Sends what waits to be sent."""
        if self._waiting:
            self._send(("measured", self._waiting))
            self._waiting, self._flushed_at = [], time.monotonic()

    def facts(self, returned: Any) -> dict[str, Any]:
        """What the training returned, as JSON values; raises WorkloadError where it left a metric out."""
        return self._contract.facts(returned)

    @property
    def next_step(self) -> int:
        """The number of a measurement that has none: 1 for the first."""
        return 1 if self._contract.last_step is None else self._contract.last_step + 1

    @property
    def place(self) -> str:
        """'after step 300'."""
        step = self._contract.last_step
        return "before the first measurement" if step is None else f"after step {step}"

    def _end(self, status: Status, reason: str) -> None:
        self.ending = (status, reason)
        raise Stopped(reason)
