"""Successive halving without waiting: rungs at which trials pause and are promoted, or end."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from surefoot.run import Status
from surefoot.search.halt import Goal, Halt, cost


class _State(Enum):
    RUNNING = auto()
    HALTING = auto()  # told to stop, and not stopped yet
    PAUSED = auto()
    DONE = auto()


@dataclass(slots=True)
class _Climber:
    """A trial on its way up: `reached` rungs have its result, and it may run through the lowest `cleared` of them."""

    state: _State = _State.RUNNING
    reached: int = 0
    cleared: int = 0


@dataclass(slots=True)
class _Rung:
    """The results at one rung, and those of them that wait there; both as (cost, number), the best first."""

    results: list[tuple[float, int]] = field(default_factory=list)
    paused: list[tuple[float, int]] = field(default_factory=list)
    costs: dict[int, float] = field(default_factory=dict)

    def add(self, number: int, worth: float) -> None:
        self.costs[number] = worth
        insort(self.results, (worth, number))

    def place(self, number: int) -> int:
        """How many results are better."""
        return bisect_left(self.results, (self.costs[number], number))


class Asha:
    """Guards the rungs of one bracket.

    With promotion, algorithm 2 of Li et al. (2020), "A System for Massively Parallel Hyperparameter
    Tuning", MLSys 2: a trial pauses at a rung, and whenever a worker is free the best paused trial of the
    highest rung that is among the top 1/eta of that rung's results goes on. A departure without effect:
    a trial that would be promoted at the very moment it reaches a rung is not paused first.

    Without promotion, the stopping variant: a trial that is not among the top 1/eta of the results at its
    rung so far ends there; the best so far always goes on.

    A rung's value is the measurement at its step, or the first one past it. There is no rung at `max_steps`:
    who gets past the last one runs to its end. Without `max_steps` there is always one more rung.
    """

    notices: tuple[str, ...] = ()

    def __init__(self, goal: Goal, *, min_steps: int, max_steps: int | None, eta: int, promotes: bool) -> None:
        self._goal, self._eta, self._promotes = goal, eta, promotes
        self._min_steps = min_steps
        self._max_steps = math.inf if max_steps is None else max_steps
        self._rungs: list[_Rung] = []
        self._climbers: dict[int, _Climber] = {}

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """None, or the halt at the rung that the step has reached."""
        climber = self._climbers.setdefault(number, _Climber())
        if step < self.step_of(climber.cleared) or climber.state is _State.DONE:
            return None
        self._record(number, climber, step, value)
        # Once said, it stays said: the run may be on its way to its end already.
        if climber.state is not _State.HALTING and self._goes_on(number, climber):
            climber.cleared = climber.reached
            return None
        climber.state = _State.HALTING
        top = climber.reached - 1
        rung = self._rungs[top]
        where = f"{value:.5g} is number {rung.place(number) + 1} of {len(rung.results)} at step {self.step_of(top)}"
        paused = "paused: " if self._promotes else ""
        return Halt(is_pause=self._promotes, reason=f"{paused}{where}; the best 1/{self._eta} go on")

    def ended(self, number: int, status: Status) -> None:
        """Makes the trial wait where it was paused; any other end is final, save that of a run to be retried."""
        climber = self._climbers.setdefault(number, _Climber())
        if status in (Status.INTERRUPTED, Status.RUNNING):
            return
        if status is Status.PRUNED and self._promotes and climber.state is _State.HALTING:
            self._pause(number, climber)
        elif status is not Status.PRUNED or climber.state is not _State.PAUSED:
            if climber.state is _State.PAUSED:
                self._unpause(number, climber)
            climber.state = _State.DONE

    def promotion(self) -> int | None:
        """The best paused trial of the highest rung at which one is among the top 1/eta."""
        found = self.candidate()
        return None if found is None else self.promote(found[1])

    def candidate(self) -> tuple[float, int] | None:
        """The step of the rung and the number of the trial that `promotion` would hand out."""
        for k in reversed(range(len(self._rungs))):
            rung = self._rungs[k]
            if rung.paused and self._is_top(rung, rung.paused[0][1]):
                return self.step_of(k), rung.paused[0][1]
        return None

    def promote(self, number: int) -> int:
        """The trial, running again."""
        climber = self._climbers[number]
        self._unpause(number, climber)
        climber.state, climber.cleared = _State.RUNNING, climber.reached
        return number

    def is_paused(self, number: int) -> bool:
        """Whether the trial waits at a rung."""
        return number in self._climbers and self._climbers[number].state is _State.PAUSED

    def is_waiting(self) -> bool:
        """Whether a paused trial would be among the top 1/eta if all that runs came in behind it."""
        running = [c for c in self._climbers.values() if c.state in (_State.RUNNING, _State.HALTING)]
        for k, rung in enumerate(self._rungs):
            coming = sum(c.reached <= k for c in running)
            most = (len(rung.results) + coming) // self._eta
            if running and rung.paused and rung.place(rung.paused[0][1]) < most:
                return True
        return False

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """Puts the trial on every rung that its curve reached; where it was PRUNED, it waits at the highest."""
        climber = self._climbers.setdefault(number, _Climber())
        for step in sorted(curve):
            if step >= self.step_of(climber.reached):
                self._record(number, climber, step, curve[step])
        if status is not Status.PRUNED:
            climber.cleared = climber.reached
            climber.state = _State.RUNNING if status in (Status.RUNNING, Status.INTERRUPTED) else _State.DONE
        elif self._promotes and climber.reached:
            climber.cleared = climber.reached - 1
            self._pause(number, climber)
        else:
            climber.state = _State.DONE

    def step_of(self, rung: int) -> float:
        """The step of a rung, counted from 0; infinite where there is none."""
        step = self._min_steps * self._eta**rung
        return step if step < self._max_steps else math.inf

    def _record(self, number: int, climber: _Climber, step: int, value: float) -> None:
        """Enters the value at every rung up to this step that does not know the trial yet."""
        while step >= self.step_of(climber.reached):
            if len(self._rungs) <= climber.reached:
                self._rungs.append(_Rung())
            self._rungs[climber.reached].add(number, cost(value, self._goal))
            climber.reached += 1

    def _goes_on(self, number: int, climber: _Climber) -> bool:
        rung = self._rungs[climber.reached - 1]
        if not self._promotes:
            return rung.place(number) < max(1, len(rung.results) // self._eta)
        if not self._is_top(rung, number):
            return False
        # One that waits longer comes first: at a higher rung, or better at this one.
        rival = self.candidate()
        top = self.step_of(climber.reached - 1)
        return rival is None or rival[0] < top or (rival[0] == top and rung.place(number) < rung.place(rival[1]))

    def _is_top(self, rung: _Rung, number: int) -> bool:
        return rung.costs[number] < math.inf and rung.place(number) < len(rung.results) // self._eta

    def _pause(self, number: int, climber: _Climber) -> None:
        climber.state = _State.PAUSED
        rung = self._rungs[climber.reached - 1]
        insort(rung.paused, (rung.costs[number], number))

    def _unpause(self, number: int, climber: _Climber) -> None:
        rung = self._rungs[climber.reached - 1]
        rung.paused.pop(bisect_left(rung.paused, (rung.costs[number], number)))


class Hyperband:
    """Guards the brackets of Hyperband, each an Asha with another lowest rung; a trial's number says which is its.

    Li et al. (2018), "Hyperband", JMLR 18(185), algorithm 1: bracket s begins with
    n = ceil((s_max + 1) eta^s / (s + 1)) trials at max_steps / eta^s steps. As nothing here comes to an end,
    those n are the brackets' shares, spread evenly over the numbers.
    """

    notices: tuple[str, ...] = ()

    def __init__(self, goal: Goal, *, min_steps: int, max_steps: int, eta: int, promotes: bool) -> None:
        most = 0
        while min_steps * eta ** (most + 1) <= max_steps:
            most += 1
        self._brackets = [
            Asha(goal, min_steps=min_steps * eta**b, max_steps=max_steps, eta=eta, promotes=promotes)
            for b in range(most + 1)
        ]
        shares = [math.ceil((most + 1) * eta**s / (s + 1)) for s in reversed(range(most + 1))]
        self._cycle = tuple(_spread(shares))

    def bracket(self, number: int) -> Asha:
        """The bracket of the trial."""
        return self._brackets[self._cycle[number % len(self._cycle)]]

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """What the trial's bracket says."""
        return self.bracket(number).judge(number, step, value)

    def ended(self, number: int, status: Status) -> None:
        """Told to the trial's bracket."""
        self.bracket(number).ended(number, status)

    def promotion(self) -> int | None:
        """The promotion at the rung of most steps, over all brackets; of the bracket with most rungs at a tie."""
        found = [(b.candidate(), -i) for i, b in enumerate(self._brackets)]
        ready = [(c[0], i, c[1]) for c, i in found if c is not None]
        if not ready:
            return None
        _, i, number = max(ready)
        return self._brackets[-i].promote(number)

    def is_paused(self, number: int) -> bool:
        """Whether the trial waits at a rung of its bracket."""
        return self.bracket(number).is_paused(number)

    def is_waiting(self) -> bool:
        """Whether any bracket does."""
        return any(b.is_waiting() for b in self._brackets)

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """Told to the trial's bracket."""
        self.bracket(number).recall(number, curve, status)


def _spread(shares: list[int]) -> Iterator[int]:
    """Every place as often as its share says, each at any time as near to its share as whole numbers allow."""
    total, given = sum(shares), [0] * len(shares)
    for turn in range(1, total + 1):
        chosen = max(range(len(shares)), key=lambda i: shares[i] * turn - given[i] * total)
        given[chosen] += 1
        yield chosen
