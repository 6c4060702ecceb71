"""Evidence: what stands on the disk and on the record for a gate to look at."""

from __future__ import annotations

import hashlib
from pathlib import Path

from surefoot.execution import Place
from surefoot.run import Run, Status
from surefoot.storage import Record
from surefoot.study.phase_log import GATE

# What a refused request for the test split says, in the reason of the run that asked (see RunContext.require).
REFUSED = "the test split is sealed"


def damaged(run: Run, place: Place) -> str:
    """What is wrong with the run's checkpoints on disk, "" where each is there as it was recorded."""
    folder = place.artifacts(run.key)
    for name, recorded in run.checkpoints.items():
        path = folder / f"{name}.pt"
        if not path.is_file():
            return f"{name}.pt is missing"
        if sha256_of(path) != recorded:
            return f"{name}.pt is not the file that was recorded"
    return ""


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed_asks(record: Record, study_id: int) -> tuple[str, ...]:
    """The runs that asked for the sealed test split and were refused, each with its seed."""
    return tuple(
        f"run {run.id} (seed {run.seed})"
        for run in record.runs(study_id)
        if run.status is Status.FAILED and REFUSED in run.reason
    )


def openings_before(record: Record, study_id: int) -> bool:
    """Whether the test split was opened before the gate of optimising was."""
    openings = record.events(study_id, "opening")
    gates = [e.id for e in record.events(study_id, GATE) if _lets_finalise(e.payload["gate"])]
    return bool(openings) and (not gates or openings[0].id < gates[0])


def _lets_finalise(gate: dict[str, object]) -> bool:
    checks = gate["checks"]
    assert isinstance(checks, list)
    return gate["phase"] == "optimise" and all(check["state"] != "blocked" for check in checks)
