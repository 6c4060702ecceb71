"""What one training leaves behind: metrics, measurements, status, facts and provenance."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from surefoot.errors import WorkloadError


class Status(StrEnum):
    """How a run ended; RUNNING until it does."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAILED = "FAILED"
    INFEASIBLE = "INFEASIBLE"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A number a workload reports, and which way it should go.

    `target` and `min_effect` (the smallest change worth having) are in the metric's own unit.
    """

    name: str
    goal: Literal["minimize", "maximize"]
    unit: str = ""
    target: float | None = None
    min_effect: float | None = None

    @property
    def sign(self) -> int:
        """+1 where more is better, -1 where less is: sign * (arm - champion) is a gain."""
        return 1 if self.goal == "maximize" else -1

    @property
    def difference_unit(self) -> str:
        """The unit of a difference with a space before it, or nothing: percentages differ by points."""
        return " pp" if self.unit == "%" else f" {self.unit}" if self.unit else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What a run reports at one step: metric name -> value."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    """Where, when and with what a run was trained. Times are UTC in ISO 8601, durations in seconds."""

    code_fingerprint: str
    data_fingerprint: str
    git_commit: str = ""
    git_dirty: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    device: str = "cpu"
    threads: int = 1
    started_at: str = ""
    ended_at: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training of one config with one seed.

    `facts` is what the run really did, as the run itself said it: steps, samples, parameters,
    schedule, stop_reason and whatever else the workload counts; never copied from the config.
    `checkpoints` maps a checkpoint's name ("best", "last") to the SHA-256 of its file, which
    lies in the run's artifact folder as `<name>.pt`. `finals` is the last measured value of every
    metric, there also where the measurements were not loaded.
    """

    id: int
    key: str
    workload: str
    config: Mapping[str, Any]
    seed: int
    status: Status
    reason: str = ""
    attempt: int = 1
    measurements: tuple[Measurement, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    checkpoints: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance
    finals: Mapping[str, float] = field(default_factory=dict)

    def final(self, metric: str) -> float | None:
        """The metric's last measured value; None if this run never reported it.

        The last, not the best: picking each run's best step by the metric it is judged on
        would hand every arm a lucky draw.
        """
        for measurement in reversed(self.measurements):
            if metric in measurement.values:
                return measurement.values[metric]
        return self.finals.get(metric)


def measured_value(metric: str, value: Any) -> float:
    """The value as a float; NaN and the infinities are values too, and what they mean is decided elsewhere.

    Takes numbers and whatever holds exactly one (a NumPy scalar, a tensor with `item`). Raises
    WorkloadError for anything else: text, true or false, Decimal, None, a whole number beyond a float.
    """
    if type(value) is float:
        return value
    if not isinstance(value, int | float) and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WorkloadError(f"a measured value must be a number; {metric} is {value!r:.60} ({type(value).__name__})")
    try:
        return float(value)
    except OverflowError:
        raise WorkloadError(f"a measured value must fit a float; {metric} is a whole number beyond it") from None


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, NaN refused (ValueError)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a config; 1 and 1.0 are the same setting and hash alike."""
    settings = {k: _canonical_number(v) for k, v in config.items()}
    return hashlib.sha256(canonical_json(settings).encode()).hexdigest()


def run_key(workload: str, config: Mapping[str, Any], seed: int, data_fingerprint: str, code_fingerprint: str) -> str:
    """The identity of a training (hex SHA-256): two runs with one key are the same run."""
    parts = [workload, config_hash(config), int(seed), data_fingerprint, code_fingerprint]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()


def _canonical_number(value: Any) -> Any:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
