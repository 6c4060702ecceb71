"""History: the curves of one training and what is known of it, whoever's record it stands on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from surefoot.trials import Curve


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """One training as it was recorded.

    `name` is what its source calls it. `curves` are by metric, under the names of the source; their steps rise
    strictly, each metric has its own (validation may be measured less often), and a value that came as NaN or
    ±inf stays one. `step_unit` says what a step is ("step", "epoch"). `facts` is what the run really did, where it
    said so (see `Run.facts`). `status` and `reason` are the run's end where that is known, in the words of
    `surefoot.run.Status`. `notices` say how the source was read, in sentences: gaps, restarts, what was left out.
    """

    name: str
    curves: Mapping[str, Curve]
    step_unit: str = "step"
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    status: str = "COMPLETE"
    reason: str = ""
    notices: tuple[str, ...] = ()
