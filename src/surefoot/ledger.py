"""The ledger: what every recommendation promised, what it really did, and what that makes of the next promise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerRow:
    """One promise beside its outcome.

    `kind`, `title` and `recommendation` are the recommendation's (see `Recommendation`); gains count in the
    direction of the goal, in the metric's unit. `first_promised` is what the source said, `promised` what was said
    after earlier results had corrected it. `got` is the estimate against the champion of its time, None while it
    is open or could not be had; `interval` is 95 %; `n` pairs. `verdict` is the engine's word and cause.
    """

    study: str
    experiment: str
    arm: str
    recommendation: str
    kind: str
    title: str
    metric: str
    unit: str = ""
    first_promised: tuple[float, float]
    promised: tuple[float, float]
    got: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    verdict: str = ""
