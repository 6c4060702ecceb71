"""Trains a recorded run again, away from its record, and says whether it came out the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import DataError, RecordError, SurefootError, WorkloadError
from surefoot.execution import Engine, Outcome, Task, WorkerPool
from surefoot.run import Measurement, Provenance, Status
from surefoot.study.likeness import Likeness, Sameness, likeness
from surefoot.study.run_address import WHOLE, RecordedRun
from surefoot.workload import check_requirements, find_workload

# On another machine, library, device or number of threads the same sums are added in another order, and a training
# lets the last bits grow. docs/reproduce.md has how far they grew in trainings of ours, and how far seeds are apart.
TOLERANCE = 0.01
SAME_PLACE = ("code", "machine", "device", "threads", "python", "numpy", "torch")
COMPARED_ENOUGH = "as far as the recorded run was measured"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """How a run is to be trained again; None is as it was recorded (of the tolerance: 0 in the same place)."""

    data_root: Path | None = None
    device: str | None = None
    threads: int | None = None
    tolerance: float | None = None
    is_other_code_welcome: bool = False
    keep: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaceDifference:
    """In what the place differs: the machine, its device and threads, a library's version, the code."""

    name: str
    recorded: str
    now: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduction:
    """A recorded run trained again: what was compared, and what it comes to.

    `last_step` is the step up to which the two were compared, where the recorded run did not come to its own end;
    then None. `reason` says in what they differ first, or why it cannot be told.
    """

    recorded: RecordedRun
    again: Outcome
    places: tuple[PlaceDifference, ...]
    tolerance: float
    likeness: Likeness
    sameness: Sameness
    reason: str = ""
    last_step: int | None = None

    @property
    def is_same(self) -> bool:
        """Whether it came out the same, bit for bit or within the tolerance."""
        return self.sameness in (Sameness.EXACT, Sameness.WITHIN_TOLERANCE)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the place differs in what may change bits: then only the tolerance can be asked for."""
        return is_elsewhere(self.places, self.again.provenance)

    @property
    def is_other_code(self) -> bool:
        """Whether other code trained it than the recorded run."""
        return any(place.name == "code" for place in self.places)


def reproduce(
    recorded: RecordedRun,
    asked: Asked,
    *,
    on_begin: Callable[[Task], None] = lambda task: None,
    on_measurement: Callable[[Measurement], None] = lambda measurement: None,
) -> Reproduction:
    """The run trained again in a folder of its own, which is gone afterwards unless it is to be kept.

    A run that was stopped or failed is compared up to its last measurement, and training ends there. Nothing is
    written to the record. Raises RecordError for a run that measured nothing, DataError for other data, WorkloadError
    for other code that is not welcome, and KeyboardInterrupt where it was interrupted.
    """
    check_comparable(recorded)
    check_folder(asked.keep)
    run = recorded.run
    last_step = None if run.status in WHOLE else run.measurements[-1].step
    threads = asked.threads or run.provenance.threads
    with tempfile.TemporaryDirectory(prefix="surefoot-reproduce-") as folder, WorkerPool(1, threads=threads) as pool:
        task = _task(recorded, asked, Path(folder) / "run", is_judged=last_step is not None)
        again = _trained(pool, task, last_step, on_begin, on_measurement)
        if asked.keep is not None:
            _keep(task.artifacts, asked.keep)
    return compared(recorded, again, tolerance=asked.tolerance, last_step=last_step)


def check_comparable(recorded: RecordedRun) -> None:
    """Raises RecordError for a run that holds nothing a reproduction could be compared with."""
    run = recorded.run
    if run.measurements and run.status is not Status.RUNNING:
        return
    why = "has not ended" if run.status is Status.RUNNING else f"measured nothing before it {_ended(run.status)}"
    reason = f" ({run.reason})" if run.reason else ""
    raise RecordError(f"whether run {run.id} came out the same cannot be told: it {why}{reason}; name another")


def check_folder(folder: Path | None) -> None:
    """Raises SurefootError where something is there already: nothing is overwritten."""
    if folder is not None and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise SurefootError(f"--keep must name a new or empty folder; {folder} is neither")


def compared(
    recorded: RecordedRun, again: Outcome, *, tolerance: float | None, last_step: int | None = None
) -> Reproduction:
    """The recorded run beside the outcome of training it again; the tolerance None means 0 in the same place."""
    run = recorded.run
    places = place_differences(run.provenance, again.provenance)
    usual = TOLERANCE if is_elsewhere(places, again.provenance) else 0.0
    allowed = usual if tolerance is None else tolerance
    measured = [m for m in again.measurements if last_step is None or m.step <= last_step]
    if recorded.went_on_from is not None:
        # An attempt that was killed before its first measurement may have left steps that nobody has.
        measured = [m for m in measured if m.step >= run.measurements[0].step]
    is_whole = last_step is None and again.status in WHOLE
    found = likeness(
        run.measurements,
        measured,
        facts=(run.facts, again.facts) if is_whole else ({}, {}),
        checkpoints=(run.checkpoints, again.checkpoints) if is_whole else ({}, {}),
        tolerance=allowed,
        is_other_code=any(place.name == "code" for place in places),
    )
    sameness, reason = _judged(run.status, again, found, last_step)
    return Reproduction(
        recorded=recorded,
        again=again,
        places=places,
        tolerance=allowed,
        likeness=found,
        sameness=sameness,
        reason=reason,
        last_step=last_step,
    )


def place_differences(recorded: Provenance, now: Provenance) -> tuple[PlaceDifference, ...]:
    """In what the two places differ, in the order in which it matters."""
    old, new = _place(recorded), _place(now)
    return tuple(
        PlaceDifference(name=name, recorded=old.get(name, "none"), now=new.get(name, "none"))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


def is_elsewhere(places: Iterable[PlaceDifference], now: Provenance) -> bool:
    """Whether bits may differ for the place alone; on CUDA always, where kernels may add in any order."""
    return now.device != "cpu" or any(place.name in SAME_PLACE for place in places)


def _place(provenance: Provenance) -> dict[str, str]:
    return {
        "code": provenance.code_fingerprint,
        "machine": provenance.machine,
        "device": provenance.device,
        "threads": str(provenance.threads),
        **provenance.versions,
    }


def _judged(recorded: Status, again: Outcome, found: Likeness, last_step: int | None) -> tuple[Sameness, str]:
    has_stopped = last_step is not None and again.status is Status.PRUNED
    if again.status not in WHOLE and not has_stopped:
        # What it did not come to is no difference, what it measured otherwise before is.
        differing = [metric for metric in found.metrics if metric.outside_at is not None]
        if not differing:
            how = f"trained again, it {_ended(again.status)}: {again.reason}"
            return Sameness.UNKNOWN, how
    if found.first:
        return Sameness.DIFFERENT, found.first
    if last_step is None and again.status is not recorded:
        reason = f" ({again.reason})" if again.reason else ""
        return Sameness.DIFFERENT, f"it ended {recorded} then, and {again.status} now{reason}"
    for fact in found.facts:
        if not fact.is_within:
            return Sameness.DIFFERENT, f"the fact {fact.name} was {fact.recorded}, and is {fact.again} now"
    return (Sameness.EXACT if found.is_exact else Sameness.WITHIN_TOLERANCE), ""


# --- training --------------------------------------------------------------------------------------------------------


def _task(recorded: RecordedRun, asked: Asked, artifacts: Path, *, is_judged: bool) -> Task:
    """What is to be trained; raises DataError and WorkloadError where today's data or code are not the recorded."""
    run = recorded.run
    workload = find_workload(recorded.workload, beside=recorded.beside)
    check_requirements(workload)
    data, code = workload.data_fingerprint(asked.data_root), workload.code_fingerprint()
    _check_data(recorded, data)
    _check_code(recorded, code, asked)
    return Task(
        key=run.key,
        workload=recorded.workload,
        config=run.config,
        seed=run.seed,
        artifacts=artifacts,
        data_root=asked.data_root,
        device=asked.device or run.provenance.device,
        label=recorded.address,
        data_fingerprint=data,
        code_fingerprint=code,
        is_judged=is_judged,
    )


def _check_data(recorded: RecordedRun, data: str) -> None:
    then = recorded.run.provenance.data_fingerprint
    if then and data != then:
        raise DataError(
            f"a run must be trained again with the data it was trained with; {recorded.address} had {then[:12]}, "
            f"today's are {data[:12]}: point --data at the folder with the old ones"
        )


def _check_code(recorded: RecordedRun, code: str, asked: Asked) -> None:
    provenance = recorded.run.provenance
    if not provenance.code_fingerprint or code == provenance.code_fingerprint or asked.is_other_code_welcome:
        return
    at = f"; it was trained at git commit {provenance.git_commit[:12]}" if provenance.git_commit else ""
    changed = ", with uncommitted changes" if at and provenance.git_dirty else ""
    raise WorkloadError(
        f"the code changed since {recorded.address} was trained ({provenance.code_fingerprint[:12]} → {code[:12]})"
        f"{at}{changed}. Put the old code back, or say --other-code to compare with what today's comes to"
    )


def _trained(
    pool: Engine,
    task: Task,
    last_step: int | None,
    on_begin: Callable[[Task], None],
    on_measurement: Callable[[Measurement], None],
) -> Outcome:
    def heard(_: Task, measurement: Measurement) -> str | None:
        on_measurement(measurement)
        return COMPARED_ENOUGH if last_step is not None and measurement.step >= last_step else None

    outcomes = pool.run([task], on_start=lambda task, _: on_begin(task), on_measurement=heard)
    if pool.is_interrupted or not outcomes:
        raise KeyboardInterrupt
    return outcomes[0]


def _keep(artifacts: Path, folder: Path) -> None:
    if not artifacts.is_dir():  # its worker died before it began
        return
    try:
        shutil.copytree(artifacts, folder, dirs_exist_ok=True)
    except OSError as error:
        raise SurefootError(f"what was trained cannot be kept in {folder}: {error.strerror or error}") from error


def _ended(status: Status) -> str:
    words: Mapping[Status, str] = {Status.FAILED: "failed", Status.PRUNED: "was pruned"}
    return words.get(status, "was interrupted")
