"""The stopping rules by name: which one ends or pauses trials, and what it needs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from surefoot.errors import PlanError
from surefoot.run import Status
from surefoot.search.halt import Goal, Halt, Stopper
from surefoot.sweep import STOPPING_RULES, Stopping

__all__ = ["Halt", "Stopper", "check_stopping", "stopper"]


def check_stopping(stopping: Stopping) -> None:
    """Raises PlanError, in one line, for the first thing that its rule cannot work with."""
    rule = stopping.rule
    bounds = {"min_steps": 1, "eta": 2, "warmup_steps": 0, "warmup_trials": 0, "patience": 1}
    for name, least in bounds.items():
        if getattr(stopping, name) < least:
            raise PlanError(f"{name} of {rule} must be at least {least}; got {getattr(stopping, name)}")
    if not 0 < stopping.p < 1:
        raise PlanError(f"p of {rule} must lie between 0 and 1; got {stopping.p:g}")
    if rule == "hyperband" and stopping.max_steps is None:
        raise PlanError("hyperband needs max_steps, the steps of a whole run: its brackets are counted down from there")
    if stopping.max_steps is not None and stopping.max_steps <= stopping.min_steps:
        came = f"got {stopping.max_steps} and {stopping.min_steps}"
        raise PlanError(f"max_steps of {rule} must be more than min_steps; {came}")


def stopper(stopping: Stopping, goal: Goal, *, can_resume: bool, seed: int) -> Stopper:
    """The rule, with nothing seen yet. No rule draws by chance so far: `seed` is for one that does."""
    check_stopping(stopping)
    rule = _rule(stopping, goal, can_resume)
    return Counted(rule) if stopping.counts == "measurements" and stopping.rule != "wilcoxon" else rule


def _rule(stopping: Stopping, goal: Goal, can_resume: bool) -> Stopper:
    if stopping.rule == "median":
        from surefoot.search.median import Median

        return Median(goal, warmup_steps=stopping.warmup_steps, warmup_trials=stopping.warmup_trials)
    if stopping.rule == "patience":
        from surefoot.search.patience import Patience

        return Patience(goal, patience=stopping.patience)
    if stopping.rule == "wilcoxon":
        from surefoot.search.wilcoxon import Wilcoxon

        return Wilcoxon(goal, p=stopping.p)
    assert stopping.rule in STOPPING_RULES
    return _rungs(stopping, goal, can_resume)


def _rungs(stopping: Stopping, goal: Goal, can_resume: bool) -> Stopper:
    from surefoot.search.rungs import Asha, Hyperband

    promotes = can_resume and stopping.promotes is not False
    min_steps, max_steps, eta = stopping.min_steps, stopping.max_steps, stopping.eta
    rule: Asha | Hyperband
    if stopping.rule == "hyperband":
        assert max_steps is not None
        rule = Hyperband(goal, min_steps=min_steps, max_steps=max_steps, eta=eta, promotes=promotes)
    else:
        rule = Asha(goal, min_steps=min_steps, max_steps=max_steps, eta=eta, promotes=promotes)
    if stopping.promotes and not can_resume:
        rule.notices = (
            f"{stopping.rule} promotes no trial: this workload cannot go on from a checkpoint, "
            "so a trial that is not among the best at a rung ends there",
        )
    return rule


class Counted:
    """The same rule, for which a step is a measurement counted from 1, whatever step the run gave it."""

    def __init__(self, rule: Stopper) -> None:
        self._rule = rule
        self._steps: dict[int, list[int]] = {}

    @property
    def notices(self) -> tuple[str, ...]:
        """The rule's own."""
        return self._rule.notices

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """What the rule says of the step's place among those measured."""
        return self._rule.judge(number, self._place(number, step), value)

    def ended(self, number: int, status: Status) -> None:
        """Told to the rule."""
        self._rule.ended(number, status)
        if status not in (Status.PRUNED, Status.INTERRUPTED, Status.RUNNING):
            self._steps.pop(number, None)

    def promotion(self) -> int | None:
        """The rule's own."""
        return self._rule.promotion()

    def is_paused(self, number: int) -> bool:
        """The rule's own."""
        return self._rule.is_paused(number)

    def is_waiting(self) -> bool:
        """The rule's own."""
        return self._rule.is_waiting()

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """Told to the rule, counted."""
        self._rule.recall(number, {self._place(number, step): curve[step] for step in sorted(curve)}, status)

    def _place(self, number: int, step: int) -> int:
        """The step's place among the trial's steps, so that a step measured again counts once."""
        steps = self._steps.setdefault(number, [])
        place = bisect_left(steps, step)
        if place == len(steps) or steps[place] != step:
            insort(steps, step)
        return place + 1
