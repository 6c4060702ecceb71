"""Final: the last training, the sealed split opened once, the exported model, and the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """One class on the test split: how many examples it has, and precision, recall and F1 from 0 to 1."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """One format the model was written in, checked against the original on the test images.

    `agreement` is the share of images with the same class predicted, `accuracy` and `original_accuracy` are
    percent, latencies are the median seconds of one image; `latency_measured` says of what clock, on how many
    threads and of how many runs. `error` says why there is none.
    """

    format: str
    file: str = ""
    sha256: str = ""
    agreement: float | None = None
    accuracy: float | None = None
    original_accuracy: float | None = None
    latency_seconds: float | None = None
    original_latency_seconds: float | None = None
    latency_measured: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Final:
    """What finalise came to.

    `runs` are the final trainings, one a seed; `checkpoint` is the kind that was measured and exported, "last" or
    "best", and `bundled_seed` whose. `validation` and `test` hold a value a seed for each metric. `confusion[i][j]`
    counts test images of class i taken for class j, of the bundled model. `bundle` is the folder, `files` the
    SHA-256 of each file in it.
    """

    config: Mapping[str, Any]
    runs: tuple[Run, ...]
    checkpoint: str = "last"
    bundled_seed: int | None = None
    opened_at: str = ""
    validation: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    test: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    per_class: tuple[ClassScore, ...] = ()
    exports: tuple[Exported, ...] = ()
    bundle: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
