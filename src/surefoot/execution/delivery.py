"""What a worker writes of a checkpoint: its predictions of a split, or the model in formats of others."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from surefoot.errors import WorkloadError, quoted
from surefoot.execution.contract import plain_facts
from surefoot.execution.task import Task
from surefoot.run import Status
from surefoot.stats.classification import class_rates, confusion, share_right
from surefoot.workload import Predictions, RunContext, Workload


def predict(task: Task, workload: Workload, config: Any, context: RunContext) -> dict[str, Any]:
    """How a prediction ended: n, classes, confusion, per_class, accuracy and file as facts; the file holds the arrays.

    The values are the accuracy (percent) and, where the scores are probabilities, the loss: their mean cross-entropy.
    """
    assert workload.predict is not None
    context.require(task.split)
    out = _destination(task)
    found = _checked(workload.predict(config, context, task.checkpoint, task.split), workload.name)
    labels, scores = found.labels, found.scores
    if not np.isfinite(scores).all():
        reason = f"a score is {scores[~np.isfinite(scores)][0]} on the {task.split} split"
        return {"status": Status.INFEASIBLE, "reason": reason}
    matrix = confusion(labels, scores.argmax(axis=1), len(found.classes))
    _write(out, labels=labels, scores=scores, classes=np.asarray(found.classes))
    accuracy = 100 * share_right(matrix)
    rates = zip(found.classes, class_rates(matrix), strict=True)
    facts = {
        "n": len(labels),
        "split": task.split,
        "checkpoint": task.checkpoint,
        "classes": list(found.classes),
        "confusion": matrix.tolist(),
        "per_class": [
            {"name": name, "support": one.support, "precision": one.precision, "recall": one.recall, "f1": one.f1}
            for name, one in rates
        ],
        "accuracy": accuracy,
        "file": out.name,
    }
    return {
        "status": Status.COMPLETE,
        "values": {"accuracy": accuracy, **_cross_entropy(labels, scores)},
        "facts": plain_facts(facts),
    }


def export(task: Task, workload: Workload, config: Any, context: RunContext) -> dict[str, Any]:
    """How an export ended; the facts are what the workload says of each format. It takes the open test split."""
    assert workload.export is not None
    context.require("test")  # that is what the files are checked over
    folder = _destination(task)
    folder.mkdir(parents=True, exist_ok=True)
    facts = workload.export(config, context, task.checkpoint, folder, task.formats)
    return {"status": Status.COMPLETE, "facts": plain_facts(facts)}


def _destination(task: Task) -> Path:
    if task.out is None:
        raise WorkloadError(f"a task of kind {task.kind} must say where to write; out is not set")
    return task.out


def _checked(found: Any, name: str) -> Predictions:
    """The predictions as arrays; raises WorkloadError where they are not what `Predictions` says."""
    if not isinstance(found, Predictions):
        raise WorkloadError(f"predict of workload {name} must return Predictions; got {quoted(type(found).__name__)}")
    labels, scores = np.asarray(found.labels), np.asarray(found.scores)
    shape = (len(labels) if labels.ndim == 1 else -1, len(found.classes))
    if scores.shape != shape or not np.issubdtype(labels.dtype, np.integer):
        raise WorkloadError(
            f"predict of workload {name} must return whole labels of shape (n,) and scores of shape (n, classes); got "
            f"{labels.dtype} {labels.shape} and {scores.shape} for {len(found.classes)} classes"
        )
    return Predictions(labels=labels, scores=scores.astype(np.float64), classes=tuple(map(str, found.classes)))


def _cross_entropy(labels: Any, scores: Any) -> dict[str, float]:
    if (scores < 0).any() or not np.allclose(scores.sum(axis=1), 1.0, atol=1e-6):
        return {}
    right = scores[np.arange(len(labels)), labels]
    return {"loss": float(-np.log(right).mean())} if (right > 0).all() else {}


def _write(path: Path, **arrays: Any) -> None:
    """Writes the arrays so that the file is whole or absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
