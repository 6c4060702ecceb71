"""The Wilcoxon rule: a trial of several seeds ends once it is surely behind the best one, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Mapping

from optuna.pruners import WilcoxonPruner
from optuna.study import Study, create_study
from optuna.trial import TrialState, create_trial

from surefoot.run import Status
from surefoot.search.halt import Goal, Halt
from surefoot.search.quiet import quietly


class Wilcoxon:
    """Guards the best complete trial and the seeds of those that run; Optuna's WilcoxonPruner judges.

    A step is a seed's place, a value what its run came to. The best trial is the one of the best mean.
    The test is repeated after every seed, so that a trial as good as the best one is ended more often than
    in the share `p` of cases: it decides what is worth more runs, and never what is claimed.
    """

    notices: tuple[str, ...] = ()

    def __init__(self, goal: Goal, *, p: float) -> None:
        self._goal: Goal = goal
        # Below two pairs there is nothing to test; Optuna waits for two by default as well.
        with quietly():
            self._pruner = WilcoxonPruner(p_threshold=p, n_startup_steps=2)
        self._p = p
        self._values: dict[int, dict[int, float]] = {}
        self._best: tuple[float, int, Study] | None = None

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """None, or the end of a trial that is behind the best one by the test."""
        self._values.setdefault(number, {})[step] = value
        if self._best is None:
            return None
        trial = create_trial(state=TrialState.RUNNING, intermediate_values=self._values[number])
        with quietly():
            if not self._pruner.prune(self._best[2], trial):
                return None
        count = len(self._values[number])
        said = f"behind trial {self._best[1]} on {count} seeds (Wilcoxon's signed-rank test, p < {self._p:g})"
        return Halt(is_pause=False, reason=said)

    def ended(self, number: int, status: Status) -> None:
        """Makes a complete trial the best one where its mean is better."""
        values = self._values.pop(number, {})
        if status is not Status.COMPLETE or not values or not all(map(math.isfinite, values.values())):
            return
        mean = math.fsum(values.values()) / len(values)
        if self._best is None or (mean > self._best[0] if self._goal == "maximize" else mean < self._best[0]):
            with quietly():
                study = create_study(direction=self._goal)
                study.add_trial(create_trial(value=mean, intermediate_values=values))
            self._best = (mean, number, study)

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
        """As if its seeds had been judged all along; those of a trial that still runs are kept."""
        if status in (Status.COMPLETE, Status.RUNNING, Status.INTERRUPTED):
            self._values[number] = dict(curve)
        if status is Status.COMPLETE:
            self.ended(number, status)
