"""The training that a sweep has still to do, by what its trials took so far."""

from __future__ import annotations

from collections.abc import Collection

from surefoot.choosing import cost, exploring_share
from surefoot.sweep import Confirmation, Sweep
from surefoot.sweeping.carrying import CARRIED
from surefoot.sweeping.trials import Trial, TrialState

MOST_GRID = 100_000  # counting a larger grid takes longer than anybody waits for an answer


def seconds_left(
    sweep: Sweep, trials: Collection[Trial], confirmation: Confirmation | None, *, fresh_runs: int, is_explored: bool
) -> float | None:
    """Seconds of training, as one worker would need them; None where no limit is set or nothing has ended yet.

    `confirmation` is the one that fits the budget, None where nothing is confirmed.
    """
    own = [t for t in trials if t.origin != CARRIED]
    ended = [t for t in own if t.has_ended]
    spent = sum(t.seconds for t in own)
    if not ended or not spent:
        return None
    found = 0.0 if is_explored else _exploring(sweep, ended, spent, confirmation)
    if found is None:
        return None
    return found + _confirming(confirmation, ended, fresh_runs)


def _exploring(sweep: Sweep, ended: Collection[Trial], spent: float, confirmation: Confirmation | None) -> float | None:
    budget, bounds = sweep.budget, []
    mean = sum(t.seconds for t in ended) / len(ended)
    wanted = budget.trials
    if wanted is None and sweep.method.name == "grid":
        wanted = _grid_size(sweep)
    if wanted is not None:
        bounds.append(mean * max(wanted - len(ended), 0))
    if budget.runs is not None:
        runs = budget.runs
        if confirmation is not None:
            runs = exploring_share(runs, confirmation, has_base=confirmation.has_base)
        bounds.append(mean * max(runs / sweep.seeds - len(ended), 0))
    if budget.hours is not None:
        bounds.append(max(3600 * budget.hours - spent, 0.0))
    return min(bounds) if bounds else None


def _confirming(confirmation: Confirmation | None, ended: Collection[Trial], fresh_runs: int) -> float:
    """The fresh seeds still to come; a run on one goes to its end, as a complete trial's did."""
    complete = [t for t in ended if t.state is TrialState.COMPLETE]
    runs = sum(len(t.finals) for t in complete)
    if confirmation is None or not runs:
        return 0.0
    wanted = cost(confirmation, has_base=confirmation.has_base)
    return max(wanted - fresh_runs, 0) * sum(t.seconds for t in complete) / runs


def _grid_size(sweep: Sweep) -> int | None:
    counts = [p.level_count for p in sweep.space.parameters]
    size = 1
    for count in counts:
        if count is None:
            return None
        size *= count
    return size if size > MOST_GRID else sweep.space.grid_size()
