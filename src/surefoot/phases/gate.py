"""Gate: the predicates between two phases, each with the evidence that satisfied or blocked it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["satisfied", "noted", "blocked", "overridden", "not applicable"]
PHASES = ("plan", "baseline", "diagnose", "optimise", "finalise")


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One predicate and its answer.

    `predicate` is its stable name, unique in its gate; `question` says what must hold. `evidence` is a sentence
    with the numbers that decided. `rests_on` names what it was read from, as "run 12", "best.pt of run 12",
    "event 7". "noted" passes and is told; "overridden" was blocked and passes by a person's `override`, the
    written reason.
    """

    predicate: str
    question: str
    state: State
    evidence: str
    rests_on: tuple[str, ...] = ()
    override: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """The gate that ends a phase."""

    phase: str
    checks: tuple[Check, ...]

    @property
    def is_open(self) -> bool:
        """Whether the next phase may begin."""
        return not self.blocked

    @property
    def blocked(self) -> tuple[Check, ...]:
        """The predicates in the way."""
        return tuple(check for check in self.checks if check.state == "blocked")

    @property
    def overridden(self) -> tuple[Check, ...]:
        """The predicates that a person overrode."""
        return tuple(check for check in self.checks if check.state == "overridden")
