"""Task and Outcome: what a worker is asked, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from surefoot.program import Program
from surefoot.run import Measurement, Provenance, Status
from surefoot.workload import Split


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One training, or one use of a checkpoint, to be done by a worker.

    A checkpoint can be evaluated over a split, predict the split example by example into `out` (a .npz file), or be
    exported in `formats` into `out` (a folder), checked over the test split. On a cluster `out` must lie in
    `artifacts`, which is what comes home.

    `workload` is named as for `find_workload`, `config` is complete, `artifacts` is the run's own
    folder (made if absent). The fingerprints, where given, must be those the worker finds: a run
    on other data or code than its key says is FAILED, not recorded under a wrong name. So must
    `checkpoint_hash` (SHA-256) be the checkpoint's that is used.
    With `is_judged` the run waits after each measurement for what the pool's `on_measurement` says.
    With `resume` it finds its folder as it was left, and goes on from there. `trial` and `attempt` are
    the asker's own count.
    """

    key: str
    workload: str | Program
    config: Mapping[str, Any]
    seed: int
    artifacts: Path
    data_root: Path | None = None
    device: str = "cpu"
    label: str = ""
    kind: Literal["train", "evaluate", "predict", "export"] = "train"
    checkpoint: str = "last"
    split: Split = "validation"
    is_test_open: bool = False
    time_limit_seconds: float | None = None
    data_fingerprint: str = ""
    code_fingerprint: str = ""
    checkpoint_hash: str = ""
    is_judged: bool = False
    resume: bool = False
    trial: int | None = None
    attempt: int = 1
    out: Path | None = None
    formats: tuple[str, ...] = ("torch", "onnx")

    @property
    def workload_name(self) -> str:
        """What a message calls the workload."""
        return self.workload if isinstance(self.workload, str) else self.workload.name

    @property
    def ends_itself(self) -> bool:
        """Whether the worker ends this run when it should, also between two measurements: a command's can."""
        return isinstance(self.workload, Program) and bool(self.workload.command)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a task ended.

    `values` is what an evaluation or a prediction measured; `is_worker_lost` says that the worker was killed by a
    signal of somebody else's, which is no fault of the config: such a task is tried once more.
    """

    task: Task
    status: Status
    reason: str = ""
    measurements: tuple[Measurement, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    provenance: Provenance
    is_worker_lost: bool = False

    def without_measurements(self) -> Outcome:
        """The outcome for a list of thousands: whoever was told of it has its measurements."""
        return dataclasses.replace(self, measurements=())


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """What the worker itself says at the end of a task; the pool makes the Outcome of it.

    `is_worker_sound` is False where the process may be left damaged and should not run another.
    """

    status: Status
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    provenance: Provenance
    is_worker_sound: bool = True
    is_worker_lost: bool = False
