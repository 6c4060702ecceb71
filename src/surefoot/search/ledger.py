"""The trials of a search as Optuna's samplers read them: a study in memory, nothing of it kept."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage
from optuna.study import Study, create_study
from optuna.trial import FrozenTrial, TrialState, create_trial

from surefoot.run import Metric, Status
from surefoot.search.axis import Axis
from surefoot.search.quiet import quietly
from surefoot.search.source import Answer

# Samplers square and add up values: beyond this their sums would overflow, and no order is lost that matters.
FARTHEST = 1e100


class _Memory(InMemoryStorage):
    def reopen(self, trial_id: int) -> None:
        """Makes a finished trial running again; Optuna knows no promotion, and so no way to do this."""
        trial = copy.copy(self._get_trial(trial_id))
        trial.state, trial.values, trial.datetime_complete = TrialState.RUNNING, None, None
        trial.intermediate_values = {}
        self._set_trial(trial_id, trial)


class Ledger:
    """Guards the study of one search.

    A diverged run has no value, and samplers take none that is not finite: it is told as the worst value that
    a complete trial has come to so far, and waits, as a running trial, for the first of those. Its margins are
    the worst seen as well. A later answer for the same trial takes the place of the earlier one.
    """

    def __init__(
        self,
        targets: Sequence[Metric],
        constraints: Sequence[str],
        *,
        takes_pruned: bool,
        takes_constraints: bool = True,
    ) -> None:
        """Samplers that `takes_pruned` leaves alone are told of a pruned trial as if its last value were its final."""
        self._takes_pruned, self._takes_constraints = takes_pruned, takes_constraints
        self._signs = [m.sign for m in targets]
        self._constraints = constraints
        self._storage = _Memory()
        with quietly():
            # The pruner is never asked: our own rules stop trials.
            self.study: Study = create_study(
                storage=self._storage, directions=[m.goal for m in targets], pruner=NopPruner(), sampler=None
            )
        self._ids: dict[int, int] = {}
        self._worst: list[float] | None = None
        self._worst_margins: list[float | None] = [None] * len(constraints)
        self._diverged: dict[int, Answer] = {}
        self.counts: Counter[TrialState] = Counter()

    def __contains__(self, number: int) -> bool:
        return number in self._ids

    def open(self, number: int) -> FrozenTrial:
        """The trial as it stands, made running where it is new."""
        if number not in self._ids:
            self._ids[number] = self.study.ask()._trial_id
        return self._storage.get_trial(self._ids[number])

    def enter(self, number: int, settings: Mapping[str, Any], axes: Sequence[Axis], names: Sequence[str]) -> None:
        """Writes down a trial's config; `axes` and `names` are those of the parameters that exist in it."""
        self.open(number)
        for axis, name in zip(axes, names, strict=True):
            place = axis.distribution.to_internal_repr(axis.place(settings[name]))
            self._storage.set_trial_param(self._ids[number], axis.key, place, axis.distribution)

    def mark(self, number: int, key: str, value: Any) -> None:
        """Writes down what a sampler keeps with a trial."""
        self._storage.set_trial_system_attr(self._ids[number], key, value)

    def tell(self, answer: Answer) -> Iterator[int]:
        """Writes down an answer and whatever waited for it; the numbers of the trials that are complete by it."""
        number, status = answer.number, answer.status
        if number not in self._ids or status in (Status.RUNNING, Status.INTERRUPTED):
            return
        self._diverged.pop(number, None)
        values = answer.values
        if status is Status.PRUNED and not self._takes_pruned:
            status = Status.FAILED if answer.last is None else Status.COMPLETE
            values = None if answer.last is None else [answer.last[1]]
        if status is Status.FAILED:
            self._close(number, TrialState.FAIL, None)
        elif status is Status.PRUNED:
            self._prune(answer)
        else:
            yield from self._complete(answer, values)

    def _complete(self, answer: Answer, values: Sequence[float] | None) -> Iterator[int]:
        is_finite = answer.status is not Status.INFEASIBLE and values is not None and all(map(math.isfinite, values))
        if is_finite:
            assert values is not None
            values = [_cut(v) for v in values]
            # A value that a run was ended at says nothing about how bad a whole one can be.
            if answer.status is Status.COMPLETE:
                self._note_worst(values)
        if is_finite and (self._takes_constraints or not any(m > 0 for m in answer.margins)):
            self._finish(answer, values)
            yield answer.number
        else:
            self._diverged[answer.number] = answer
        for waiting in list(self._diverged.values()) if self._worst is not None else ():
            self._finish(self._diverged.pop(waiting.number), self._worst)
            yield waiting.number

    def _finish(self, answer: Answer, values: Sequence[float] | None) -> None:
        margins = self._margins(answer.margins)
        self._close(answer.number, TrialState.COMPLETE, values, margins=margins)

    def _prune(self, answer: Answer) -> None:
        margins = self._margins(answer.margins) if answer.margins else {}
        values = None if answer.last is None else [_cut(answer.last[1])]
        self._close(answer.number, TrialState.PRUNED, values, margins=margins, last=answer.last)

    def _close(
        self,
        number: int,
        state: TrialState,
        values: Sequence[float] | None,
        *,
        margins: Mapping[str, float] | None = None,
        last: tuple[int, float] | None = None,
    ) -> None:
        trial_id = self._ids[number]
        before = self._storage.get_trial(trial_id).state
        if before.is_finished():
            self.counts[before] -= 1
            self._storage.reopen(trial_id)
        if margins:
            # How Optuna keeps constraints with a trial is its own affair: a trial of its making says so.
            for key, value in create_trial(state=TrialState.RUNNING, constraints=dict(margins)).system_attrs.items():
                self._storage.set_trial_system_attr(trial_id, key, value)
        if last is not None:
            # The samplers look at the last value only; a whole curve would be a hundred times the memory.
            self._storage.set_trial_intermediate_value(trial_id, last[0], _cut(last[1]))
        self._storage.set_trial_state_values(trial_id, state, values)
        self.counts[state] += 1

    def _note_worst(self, values: Sequence[float]) -> None:
        if self._worst is None:
            self._worst = list(values)
        pairs = zip(self._worst, values, self._signs, strict=True)
        self._worst = [min(a, b) if sign > 0 else max(a, b) for a, b, sign in pairs]

    def _margins(self, margins: Sequence[float]) -> dict[str, float]:
        """Every constraint's margin; one that is not known, or infinite, is taken for the worst seen."""
        if not self._takes_constraints:
            return {}
        found: dict[str, float] = {}
        for i, text in enumerate(self._constraints):
            margin, worst = margins[i] if i < len(margins) else math.nan, self._worst_margins[i]
            if math.isfinite(margin):
                found[text] = _cut(margin)
                self._worst_margins[i] = found[text] if worst is None else max(worst, found[text])
            else:
                found[text] = max(worst or 0.0, 0.0 if math.isnan(margin) else 1.0)
        return found


def _cut(value: float) -> float:
    return max(-FARTHEST, min(float(value), FARTHEST))
