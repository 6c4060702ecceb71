"""What a person can get wrong, as a tree.

SurefootError
├── PlanError           a plan or a sweep breaks a rule
├── SpaceError          a config holds what its space does not allow
├── WorkloadError       a workload cannot be found, or breaks its contract
│   ├── DataError       a data file is missing, truncated or not the published one
│   ├── SealedSplitError  the test split was asked for outside finalise
│   └── RunFailed       a script ended badly; the message is its run's reason
├── RecordError         the record cannot be opened, read or written
│   └── HomeBusyError   another coordinator works in this home, or on this study
├── ClusterError        the machines that runs should be sent to cannot be reached, or cannot take them
├── StatisticsError     numbers that no test can be made of
└── MissingExtraError   an optional library is not installed

Every message is one line: the rule, what came, where, what to do. A run that diverges or
crashes is no error of these: it is a value, see `surefoot.run.Status`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

LONGEST_SHOWN = 60


class SurefootError(Exception):
    """A mistake in what was asked; the command line prints it in one line and exits with 2."""


class PlanError(SurefootError):
    """A plan or a sweep breaks a rule."""


class SpaceError(SurefootError):
    """A config holds what its space does not allow."""


class WorkloadError(SurefootError):
    """A workload cannot be found, or breaks its contract."""


class DataError(WorkloadError):
    """A data file is missing, truncated or not the published one."""


class SealedSplitError(WorkloadError):
    """The test split was asked for outside finalise."""


class RunFailed(WorkloadError):
    """A script ended badly; the message is its run's reason.

    `signal` is what killed it, if one did; `facts` is what is known of it all the same.
    """

    def __init__(self, reason: str, *, signal: int = 0, facts: Mapping[str, Any] | None = None):
        super().__init__(reason)
        self.signal, self.facts = signal, dict(facts or {})


class RecordError(SurefootError):
    """The record cannot be opened, read or written."""


class HomeBusyError(RecordError):
    """Another coordinator works in this home, or on this study."""


class ClusterError(SurefootError):
    """The machines that runs should be sent to cannot be reached, or cannot take them."""


class StatisticsError(SurefootError):
    """Numbers that no test can be made of."""


class MissingExtraError(SurefootError):
    """An optional library is not installed."""


def quoted(value: object) -> str:
    """What came, as a message shows it: text in quotes, on one line, and cut where it is long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        shown = json.dumps(value, ensure_ascii=False)
    else:
        try:
            shown = " ".join(str(value).split())
        except ValueError:  # a whole number of more digits than Python prints
            shown = "a very large number"
    # A lone surrogate or a switch of writing direction has no place on a terminal.
    shown = "".join(c if c.isprintable() or c == "\u200d" else f"\\u{ord(c):04x}" for c in shown)
    return shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 1] + "…"


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean "batch"?' for a word close to a known one, else the empty string."""
    close = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
