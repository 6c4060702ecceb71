"""What a search stands on, the run it has in hand, and whoever wants to hear how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from surefoot.errors import WorkloadError
from surefoot.execution import Outcome, Place, Task
from surefoot.run import Run, Status
from surefoot.storage import Record
from surefoot.sweeping.registration import Prints
from surefoot.sweeping.trials import Trial
from surefoot.workload import Workload

if TYPE_CHECKING:
    from surefoot.sweeping.exploration import Exploration


class TrialListener(Protocol):
    """Whoever wants to hear how a search goes on; every method may do nothing."""

    def trial_started(self, trial: Trial, task: Task) -> None:
        """A run of the trial begins."""

    def trial_ended(self, trial: Trial, exploration: Exploration) -> None:
        """The trial has ended or paused, and is on record."""

    def noticed(self, text: str) -> None:
        """Something a person should know."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What a search stands on: the record, the study and the key it is recorded under, and what trains where.

    `base` is the complete config that every trial starts from, `seed_block` the block of its exploring seeds.
    """

    record: Record
    study_id: int
    key: str
    place: Place
    workload: Workload
    prints: Prints
    base: Mapping[str, Any]
    seed_block: int = 0


@dataclass(kw_only=True, slots=True)
class Hand:
    """A run in hand: its trial, its row on the record, and whether it was lost to somebody's signal before.

    One that `is_needless` has no row: another study trained the same while it was being handed out.
    """

    trial: Trial
    run_id: int = -1
    times_lost: int = 0
    is_needless: bool = False
    halt: Any = None
    curve: dict[int, float] = field(default_factory=dict)


def changed_since(outcome: Outcome, prints: Prints) -> str:
    """ "code" or "data" where the run could not train because that is not what the search began with; else nothing."""
    if outcome.status is not Status.FAILED:
        return ""
    found = outcome.provenance
    for what, now, then in (
        ("code", found.code_fingerprint, prints.code),
        ("data", found.data_fingerprint, prints.data),
    ):
        if now and then and now != then:
            return what
    return ""


def check_unchanged(changed: str) -> None:
    """Raises WorkloadError where what is trained changed under a search."""
    if changed:
        raise WorkloadError(
            f"the {changed} changed while it was trained with, so nothing more was begun; run again to go on "
            f"(what was made with the other {changed} does not count then)"
        )


def as_run(run_id: int, outcome: Outcome, status: Status) -> Run:
    """The run as the record has it, without its measurements."""
    finals: dict[str, float] = {}
    for measurement in outcome.measurements:
        finals.update(measurement.values)
    task = outcome.task
    return Run(
        id=run_id,
        key=task.key,
        workload=str(task.workload),
        config=task.config,
        seed=task.seed,
        status=status,
        reason=outcome.reason,
        attempt=task.attempt,
        finals=finals,
        facts=outcome.facts,
        checkpoints=outcome.checkpoints,
        provenance=outcome.provenance,
    )
