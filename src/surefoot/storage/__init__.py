"""The record: append-only; the only room that knows the database."""

from surefoot.storage.address import without_password
from surefoot.storage.lock import LockOwner, home_lock
from surefoot.storage.record import Record
from surefoot.storage.rows import (
    AttemptRow,
    EventRow,
    ExperimentRow,
    RevisionRow,
    StudyCounts,
    StudyRow,
    TrialRow,
    UseRow,
    VerdictRow,
)

__all__ = [
    "AttemptRow",
    "EventRow",
    "ExperimentRow",
    "LockOwner",
    "Record",
    "RevisionRow",
    "StudyCounts",
    "StudyRow",
    "TrialRow",
    "UseRow",
    "VerdictRow",
    "home_lock",
    "without_password",
]
