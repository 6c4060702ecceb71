"""The rule of patience: a trial ends that has not improved for a while."""

from __future__ import annotations

import math
from collections.abc import Mapping

from surefoot.run import Status
from surefoot.search.halt import Goal, Halt, cost


class Patience:
    """Guards every running trial's best value, and the steps measured since.

    Prechelt (1998), "Early Stopping: But When?", as Optuna's PatientPruner with one less of patience, save
    that a value as good as the best one is no improvement either: an accuracy that stands still must end.
    """

    notices: tuple[str, ...] = ()

    def __init__(self, goal: Goal, *, patience: int) -> None:
        self._goal, self._patience = goal, patience
        self._best: dict[int, tuple[float, int]] = {}  # the least cost, and the step after which none was lower
        self._since: dict[int, set[int]] = {}

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """None, or the end of a trial whose last `patience` measurements brought nothing better."""
        found = cost(value, self._goal)
        best, at = self._best.get(number, (math.inf, step))
        since = self._since.setdefault(number, set())
        if found < best or number not in self._best:
            self._best[number] = (found, step)
            since.clear()
            return None
        if step > at:  # a run that was begun again measures the same steps anew
            since.add(step)
        if len(since) < self._patience:
            return None
        shown = cost(best, self._goal)
        return Halt(is_pause=False, reason=f"no better than {shown:.5g} (step {at}) for {len(since)} measurements")

    def ended(self, number: int, status: Status) -> None:
        """Forgets the trial."""
        self._best.pop(number, None)
        self._since.pop(number, None)

    def promotion(self) -> int | None:
        """None: what has ended here has ended."""
        return None

    def is_paused(self, number: int) -> bool:
        """Never."""
        return False

    def is_waiting(self) -> bool:
        """Never."""
        return False

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """Nothing: one trial says nothing about another, and a retried run measures anew."""
