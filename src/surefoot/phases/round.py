"""Round: one pass of optimising - what was recommended, tried, adopted, and which part did the work."""

from __future__ import annotations

from dataclasses import dataclass

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.phases.outlook import Outlook


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """What one recommendation did: tried alone on the champion of the round, and taken away from all of them.

    Both are gains of having it, positive is better, in the primary metric's unit, with 95 % intervals; None where
    it was not measured. `n` are pairs. `says` concludes in a sentence.
    """

    recommendation: str
    title: str
    alone: float | None = None
    alone_interval: tuple[float, float] | None = None
    alone_n: int = 0
    within: float | None = None
    within_interval: tuple[float, float] | None = None
    within_n: int = 0
    says: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round.

    `diagnosis` is what it began with; `tried` are the recommendations put to the test, `skipped` those that were
    not, with the reason. `experiments` are the ids of its registered experiments, the ablation last. `adopted`
    names the arm the champion moved to, "" where it stayed; `gain` is the engine's estimate of that step on
    `n` pairs. `outlook` is the decision after it, None while it runs.
    """

    number: int
    strategy: str
    diagnosis: Diagnosis
    tried: tuple[Recommendation, ...] = ()
    skipped: tuple[tuple[Recommendation, str], ...] = ()
    experiments: tuple[str, ...] = ()
    adopted: str = ""
    gain: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    attributions: tuple[Attribution, ...] = ()
    outlook: Outlook | None = None
