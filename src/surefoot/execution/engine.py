"""Engine: what can train tasks, on this machine or on others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from surefoot.execution.task import Outcome, Task
from surefoot.run import Measurement, Provenance

OnStart = Callable[[Task, Provenance], None]
OnMeasurement = Callable[[Task, Measurement], str | None]
OnEnd = Callable[[Outcome], None]


class Engine(Protocol):
    """What a study trains with; `WorkerPool` is one.

    Between runs it may be told to stop from a signal handler or from any thread; all else is for the
    thread that made it.
    """

    @property
    def threads(self) -> int:
        """How many CPU threads each run may use."""

    @property
    def is_interrupted(self) -> bool:
        """Whether the runs were asked to stop; an engine that was begins no further run."""

    def interrupt(self) -> None:
        """Asks the runs in flight to stop; asked again, kills them."""

    def close(self) -> None:
        """Ends whatever it holds, at work or not."""

    def run(
        self,
        tasks: Iterable[Task | None],
        *,
        on_start: OnStart | None = None,
        on_measurement: OnMeasurement | None = None,
        on_end: OnEnd | None = None,
    ) -> list[Outcome]:
        """The outcomes of the tasks that were begun, in the order of the tasks; with `on_end`, without measurements.

        A task is taken from the iterable only when it can begin. None means: nothing just now; the next one is
        asked for when a run has ended, or after a moment. `on_measurement` may return a reason to end that run as
        PRUNED. With `task.is_judged` the run waits for this answer after each measurement, so that what is decided
        does not depend on who is quicker; without it the run is told as soon as may be, and one that had ended by
        then stays what it is.
        """
