"""Halt: the end or the pause of a trial, and what every stopping rule answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from surefoot.run import Status

Goal = Literal["minimize", "maximize"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Halt:
    """A trial is to stop here; a paused one may be promoted later and go on from its checkpoint."""

    is_pause: bool
    reason: str


class Stopper(Protocol):
    """A stopping rule with its memory of the trials of one search."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What was asked for and is not honoured."""
        ...

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """Whether the trial stops at this measurement; None: it goes on."""
        ...

    def ended(self, number: int, status: Status) -> None:
        """The trial's run has ended; PRUNED after a pause makes it ready for promotion. Saying it twice is no harm."""
        ...

    def promotion(self) -> int | None:
        """A paused trial that deserves to go on now; it counts as running from here on."""
        ...

    def is_paused(self, number: int) -> bool:
        """Whether the trial waits for a promotion."""
        ...

    def is_waiting(self) -> bool:
        """Whether what still runs may yet bring about a promotion."""
        ...

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """A trial of the record, as far as it got: value by step."""
        ...


def cost(value: float, goal: Goal) -> float:
    """The value turned so that less is better; what is no number is the worst."""
    return math.inf if math.isnan(value) else -value if goal == "maximize" else value
