"""RayEngine: runs on the nodes of a Ray cluster, each in a worker process of ours.

Notable choices:
- Ray places, carries and tells who died; what a script can do wrong is handled on its node by the same WorkerPool
  that works on one machine.
- Nothing of ours outlives the coordinator on the cluster: the record is the truth, and a new one runs what is missing.
- No disk is shared: a program's folder goes to the nodes, a run's files come home when it has ended, in pieces.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self

from surefoot.errors import ClusterError, WorkloadError
from surefoot.execution.engine import OnEnd, OnMeasurement, OnStart
from surefoot.execution.errand import Codes, Slot, ending_here, errand, lost
from surefoot.execution.jobs import TICK_SECONDS, Callbacks, Job, Queue, heeding_signals
from surefoot.execution.provenance import utc_now
from surefoot.execution.ray_cluster import Cluster, Node, WorkerFault, WorkerGone
from surefoot.execution.standing import Standing
from surefoot.execution.task import Ending, Outcome, Task
from surefoot.run import Provenance, Status

LOOK_SECONDS = 1.0
SILENCE_SECONDS = 120.0
OVERTIME_SECONDS = 5.0
NO_NODE_SECONDS = 30.0
PATIENCE_SECONDS = 15.0


class RayEngine:
    """Guards workers on a Ray cluster; use it as a context manager, in the thread that made it.

    A node that dies ends its runs as lost, and they are tried once more elsewhere. A run that fails before it
    measured anything is tried once more on another node too; a node is left out when that shows it to be at fault
    (see `Standing`). Ctrl-C and SIGTERM mean what they mean to `WorkerPool`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        cpus_per_run: float = 1.0,
        gpus_per_run: float = 0.0,
        threads: int | None = None,
        grace_seconds: float = 5.0,
        most_failures: int = 3,
        on_notice: Callable[[str], None] = lambda text: None,
    ):
        """Connects to the cluster at HOST:PORT, or starts one on this machine.

        `workers` is the most runs at a time (None: what the nodes have room for), `on_notice` is told in one line
        what a person should know. Raises MissingExtraError without Ray, ClusterError for what is wrong with the
        cluster.
        """
        if workers is not None and workers < 1:
            raise WorkloadError(f"workers must be at least 1; got {workers}")
        if min(cpus_per_run, gpus_per_run) < 0 or not cpus_per_run + gpus_per_run:
            raise ClusterError(f"a run must take a CPU or a GPU; got {cpus_per_run:g} CPU and {gpus_per_run:g} GPU")
        self.threads = threads or max(1, int(cpus_per_run))
        self._workers = workers
        self._grace_seconds = grace_seconds
        self._notice = on_notice
        self._standing = Standing(most_failures)
        self._interrupts = 0
        self._slots: list[Slot] = []
        self._again: deque[_Second] = deque()
        self._failed_on: dict[int, Node] = {}
        self._nodes: dict[str, Node] = {}
        self._look_from = -LOOK_SECONDS
        self._worked_at = time.monotonic()
        self._told: set[str] = set()
        self._pause_until: dict[str, float] = {}
        self._has_had_room = False
        self._cluster = Cluster(address, cpus_per_run=cpus_per_run, gpus_per_run=gpus_per_run, workers=workers)
        self._codes = Codes(self._cluster.put)

    def __enter__(self) -> Self:
        """The engine; workers start when there are tasks for them."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends every worker and leaves the cluster."""
        self.close()

    def close(self) -> None:
        """Ends every worker, at work or not, and leaves the cluster."""
        with contextlib.suppress(Exception):  # a cluster that is gone has no worker to end
            ends = [slot.actor.close.remote() for slot in self._slots if slot.greeting]
            deadline = time.monotonic() + OVERTIME_SECONDS
            while ends and time.monotonic() < deadline:
                done = self._cluster.ready(ends, TICK_SECONDS)
                ends = [end for end in ends if end not in done]
        while self._slots:
            self._cluster.kill(self._slots.pop().actor)
        self._cluster.close()

    @property
    def is_interrupted(self) -> bool:
        """Whether the runs were asked to stop; an engine that was begins no further run."""
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
        """The outcomes of the tasks that were begun, in the order of the tasks; see `Engine.run`.

        With `on_end` they come without measurements. One that `is_worker_lost` is followed by a second attempt, if
        it was the first. Raises ClusterError when no node is left to train on.
        """
        calls = Callbacks(start=on_start, measurement=on_measurement, end=on_end)
        queue = Queue(tasks=iter(tasks))
        outcomes: dict[int, Outcome] = {}
        self._worked_at = time.monotonic()
        with heeding_signals(self.interrupt):
            try:
                while True:
                    self._look_around()
                    self._hand_out(queue, calls)
                    is_spent = queue.is_exhausted and not self._again
                    if not self._busy() and (is_spent or self.is_interrupted):
                        break
                    for job, outcome in self._progress():
                        outcomes[job.number] = outcome.without_measurements() if on_end else outcome
                        calls.ended(outcome)
                        queue.ask_again()
            finally:
                self._again.clear()
                self._failed_on.clear()
                for slot in self._busy():
                    self._discard(slot)
        return [outcomes[number] for number in sorted(outcomes)]

    # --- nodes and the workers on them -------------------------------------------------------------------------------

    def _look_around(self) -> None:
        """Learns which nodes live; raises ClusterError where none of them can take a run."""
        if time.monotonic() - self._look_from < LOOK_SECONDS:
            return
        self._look_from = time.monotonic()
        before, self._nodes = self._nodes, self._cluster.nodes()
        self._has_had_room |= any(node.room for node in self._nodes.values())
        for node in before.values():
            if node.id not in self._nodes:
                self._notice(f"node {node.name} is gone")
        for slot in [slot for slot in self._slots if slot.node.id not in self._nodes]:
            if slot.job is None:
                self._discard(slot)
            else:
                slot.is_cut_off = True
        if self._busy() or any(slot.greeting for slot in self._slots):
            self._worked_at = time.monotonic()
        elif not self._usable():
            self._check_hope()
        elif time.monotonic() - self._worked_at > PATIENCE_SECONDS:
            self._tell_once(f"waiting for room on the cluster at {self._cluster.address}: {self._wish()} a run")

    def _usable(self) -> list[Node]:
        return [node for node in self._nodes.values() if node.room and not self._standing.left_out(node.id)]

    def _check_hope(self) -> None:
        left_out = [node for node in self._nodes.values() if node.room and self._standing.left_out(node.id)]
        if left_out:
            reasons = "; ".join(f"{node.name}: {self._standing.left_out(node.id)}" for node in left_out)
            raise ClusterError(f"every node of the cluster at {self._cluster.address} is left out: {reasons}")
        if self._nodes and not self._has_had_room:
            raise ClusterError(
                f"a run needs {self._wish()}, which no node of the cluster at {self._cluster.address} has; "
                "ask for less with --cpus-per-run and --gpus-per-run, or start a larger node"
            )
        if time.monotonic() - self._worked_at > NO_NODE_SECONDS:
            raise ClusterError(
                f"no node of the cluster at {self._cluster.address} can take a run of {self._wish()} any more; "
                "start nodes again, then run the same command to go on"
            )
        self._tell_once(f"no node is left; waiting {NO_NODE_SECONDS:g} s for one")

    def _wish(self) -> str:
        cluster = self._cluster
        gpus = f" and {cluster.gpus_per_run:g} GPU" if cluster.gpus_per_run else ""
        return f"{cluster.cpus_per_run:g} CPU{gpus}"

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._notice(text)

    def _open_slot(self, nodes: list[Node]) -> None:
        """Starts a worker where there is most room, a few at a time: nobody knows how many tasks will come."""
        opening = sum(slot.greeting is None for slot in self._slots)
        if opening >= max(len(self._nodes), len(self._busy())):
            return
        if self._workers is not None and len(self._slots) >= self._workers:
            return
        taken = [slot.node.id for slot in self._slots]
        nodes = [node for node in nodes if self._pause_until.get(node.id, 0.0) < time.monotonic()]
        rooms = {node.id: node.room - taken.count(node.id) for node in nodes}
        best = max(nodes, key=lambda node: rooms[node.id], default=None)
        if best is None or rooms[best.id] < 1:
            return
        actor = self._cluster.start(best, threads=self.threads, grace_seconds=self._grace_seconds)
        if actor is not None:
            self._slots.append(Slot(best, actor))

    def _discard(self, slot: Slot) -> None:
        self._slots.remove(slot)
        self._cluster.kill(slot.actor)

    def _leave_out(self, node: Node) -> None:
        self._tell_once(f"node {node.name} is left out: {self._standing.left_out(node.id)}")
        for slot in [slot for slot in self._slots if slot.node.id == node.id and slot.job is None]:
            self._discard(slot)

    # --- handing out -------------------------------------------------------------------------------------------------

    def _busy(self) -> list[Slot]:
        return [slot for slot in self._slots if slot.job is not None]

    def _idle(self, nodes: list[Node]) -> Slot | None:
        ids = [node.id for node in nodes]
        idle = [slot for slot in self._slots if slot.greeting and slot.job is None and slot.node.id in ids]
        return idle[0] if idle else None

    def _hand_out(self, queue: Queue, calls: Callbacks) -> None:
        while not self.is_interrupted:
            found = self._second_try() or self._first_try(queue)
            if found is None:
                return
            slot, job = found
            slot.begin(job, errand(slot, job, calls, self._codes))

    def _second_try(self) -> tuple[Slot, Job] | None:
        for second in self._again:
            usable = self._usable()
            nodes = [node for node in usable if node.id != second.avoid.id] or usable
            slot = self._idle(nodes)
            if slot is not None:
                self._again.remove(second)
                return slot, second.job()
            self._open_slot(nodes)
        return None

    def _first_try(self, queue: Queue) -> tuple[Slot, Job] | None:
        usable = self._usable()
        nodes = [node for node in usable if not self._standing.is_doubtful(node.id)]
        if not nodes and not self._failed_on:  # no second try is under way that could decide it
            nodes = usable
        slot = self._idle(nodes)
        if slot is None:
            if not queue.is_exhausted:
                self._open_slot(nodes)
            return None
        job = queue.next_job(self.threads)
        return None if job is None else (slot, job)

    # --- what comes of it --------------------------------------------------------------------------------------------

    def _progress(self) -> Iterator[tuple[Job, Outcome]]:
        waiting = {slot.awaited: slot for slot in self._slots if slot.awaited is not None}
        answered = {waiting[reference] for reference in self._cluster.ready(list(waiting), TICK_SECONDS)}
        for slot in list(waiting.values()):
            if slot not in self._slots:  # discarded on the way
                continue
            if slot.job is None:
                if slot in answered:
                    self._welcome(slot)
                continue
            job = slot.job
            ending = (self._advance(slot) if slot in answered else None) or self._cut_short(slot, job)
            if ending is not None:
                slot.job = slot.errand = slot.awaited = None
                if not ending.is_worker_sound:
                    self._discard(slot)
                outcome = self._weighed(slot.node, job, job.outcome(ending))
                yield job, outcome

    def _welcome(self, slot: Slot) -> None:
        """A worker has started, or could not be."""
        reference, slot.awaited = slot.awaited, None
        try:
            slot.greeting = self._cluster.answer(reference)
        except (WorkerFault, WorkerGone) as error:
            self._discard(slot)
            if self._cluster.has_head() and slot.node.id in self._cluster.nodes():
                self._standing.could_not_start(slot.node.id, str(error))
                self._pause_until[slot.node.id] = time.monotonic() + LOOK_SECONDS
        else:
            self._standing.started(slot.node.id)
            ours = importlib.metadata.version("surefoot")
            if slot.greeting.surefoot != ours:
                self._standing.leave_out(slot.node.id, f"it has surefoot {slot.greeting.surefoot}; {ours} is here")
        if self._standing.left_out(slot.node.id):
            self._leave_out(slot.node)

    def _advance(self, slot: Slot) -> Ending | None:
        """Goes on with the errand of a slot that has its answer; the ending if that was the last."""
        assert slot.errand is not None
        reference, slot.awaited = slot.awaited, None
        try:
            try:
                answer = self._cluster.answer(reference)
            except (WorkerGone, WorkerFault) as error:
                slot.await_(slot.errand.throw(error))
            else:
                slot.await_(slot.errand.send(answer))
        except StopIteration as end:
            ending: Ending = end.value
            return ending
        return None

    def _cut_short(self, slot: Slot, job: Job) -> Ending | None:
        """The ending of a run whose worker fell silent or would not stop; None for one that may go on."""
        now = time.monotonic()
        if slot.is_cut_off:
            return lost(job, f"node {slot.node.name} died {job.place()}")
        if now - slot.awaited_since > SILENCE_SECONDS:
            return lost(job, f"nothing heard of node {slot.node.name} for {SILENCE_SECONDS:g} s, {job.place()}")
        while slot.interrupts_told < min(self._interrupts, 2):
            slot.interrupts_told += 1
            slot.actor.interrupt.remote()
            job.stop_asked_at = now
        if job.stop_asked_at is None:
            return None
        grace = job.grace_seconds(self._grace_seconds) if slot.interrupts_told == 1 else 0.0
        is_coming_home = slot.is_coming_home and slot.interrupts_told == 1
        if now - job.stop_asked_at > grace + OVERTIME_SECONDS and not is_coming_home:
            return ending_here(job, Status.INTERRUPTED, f"interrupted {job.place()}", is_worker_sound=False)
        return None

    def _weighed(self, node: Node, job: Job, outcome: Outcome) -> Outcome:
        """The outcome, after what it says of its node; as lost where it is to be tried again."""
        first = self._failed_on.pop(job.number, None)
        elsewhere = first.id if first is not None else ""
        others = [other for other in self._usable() if other.id != node.id]
        if outcome.status is Status.FAILED and not outcome.is_worker_lost and (others or elsewhere):
            self._standing.failed(node.id, elsewhere=elsewhere)
            # A script that came to its end and told no metric would do so anywhere.
            is_odd = not job.measurements and outcome.facts.get("exit_code") != 0
            is_odd |= self._standing.is_doubtful(node.id)
            if job.attempt == 1 and is_odd and others and not self.is_interrupted:
                self._failed_on[job.number] = node
                reason = f"{outcome.reason} (on node {node.name}; tried again on another)"
                outcome = dataclasses.replace(outcome, is_worker_lost=True, reason=reason)
        elif outcome.status in (Status.COMPLETE, Status.PRUNED, Status.INFEASIBLE):
            self._standing.ended_well(node.id, elsewhere=elsewhere)
        for known in (node, first):
            if known is not None and self._standing.left_out(known.id):
                self._leave_out(known)
        if outcome.is_worker_lost and job.attempt == 1:
            self._again.append(_Second(job, node))
        return outcome


@dataclasses.dataclass(frozen=True, eq=False)
class _Second:
    """A task to be tried once more, and the node on which it failed or was lost."""

    first: Job
    avoid: Node

    def job(self) -> Job:
        first = self.first
        return Job(number=first.number, task=first.task, attempt=2, provenance=_begun_now(first.provenance))


def _begun_now(provenance: Provenance) -> Provenance:
    return dataclasses.replace(provenance, started_at=utc_now(), ended_at="", wall_seconds=0.0)
