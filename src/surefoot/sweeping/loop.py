"""Sweeping: registers a sweep, explores, puts the best to fresh seeds, and leaves every step on record."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from surefoot.choosing import BASE, cost, exploring_share, wanted
from surefoot.errors import RecordError, SpaceError
from surefoot.execution import Engine, Outcome, Place, Task
from surefoot.plan import confirming_seeds
from surefoot.reports.sweep_story import SweepStory
from surefoot.run import Provenance, Run, Status, run_key
from surefoot.storage import LockOwner, Record
from surefoot.sweep import Sweep
from surefoot.sweeping.carrying import carry_over
from surefoot.sweeping.exploration import Exploration
from surefoot.sweeping.ground import Ground, TrialListener, changed_since, check_unchanged
from surefoot.sweeping.registration import (
    PRINTED_OTHERWISE,
    Past,
    Prints,
    own_runs,
    past_of,
    register_sweep,
    trainings_of,
)
from surefoot.sweeping.telling import candidates_of, confirmation_of, fresh_key, fresh_runs_of, is_given_up, tell_sweep
from surefoot.sweeping.trials import ABANDONED, ranked
from surefoot.workload import Workload, check_requirements, find_workload


class SweepListener(TrialListener, Protocol):
    """Whoever wants to hear how a sweep goes on."""

    def sweep_begun(self, story: SweepStory) -> None:
        """The sweep starts or goes on."""

    def explored(self, story: SweepStory) -> None:
        """The exploration has come to its end."""

    def fresh_run_ended(self, label: str, outcome: Outcome) -> None:
        """A run on a fresh seed has ended and is on record."""


class Sweeping:
    """Guards one sweep on the record: whatever happens to a process, running it again goes on from there."""

    def __init__(self, sweep: Sweep, record: Record, place: Place, *, keeps_old: bool = False) -> None:
        """`keeps_old` counts trials that were made with other code or data, too."""
        self.sweep, self.record, self.place = sweep, record, place
        check_room(sweep)
        beside = Path(sweep.path).parent if sweep.path else None
        self.workload: Workload = find_workload(sweep.workload, beside=beside)
        check_requirements(self.workload)
        self.prints = Prints(
            data=self.workload.data_fingerprint(place.data_root), code=self.workload.code_fingerprint()
        )
        self.id = record.add_study(sweep.name, sweep.workload_name, kind="sweep")
        self._keeps_old = keeps_old
        self._stops: Counter[str] = Counter()

    def story(self) -> SweepStory:
        """The sweep as the record tells it now."""
        return self._told(self._past())

    def run(self, engine: Engine, listener: SweepListener, *, wait_seconds: float = 0.0) -> SweepStory:
        """Does what the sweep still needs, to its end, its budget or an interrupt; the story then.

        Raises HomeBusyError where another coordinator still works on it after `wait_seconds`.
        """

        def wait(owner: LockOwner | None) -> None:
            listener.noticed(f"another surefoot works on this sweep ({owner or 'unknown'}); waiting for it")

        with self.record.study_lock(self.id, wait_seconds, wait):
            return self._run(engine, listener)

    def _run(self, engine: Engine, listener: SweepListener) -> SweepStory:
        self.record.close_abandoned(ABANDONED, self.id)
        for note in register_sweep(self.record, self.id, self.sweep):
            self._notice(note, listener)
        for note in carry_over(self.record, self.id, self.sweep, self._counted_prints):
            self._notice(note, listener)
        past = self._past()
        for reason, count in past.left_out.items():
            hint = " (--keep-trials counts them all the same)" if reason.startswith(PRINTED_OTHERWISE) else ""
            listener.noticed(f"{count} earlier {'trial does' if count == 1 else 'trials do'} not count: {reason}{hint}")
        listener.sweep_begun(self._told(past))
        past = self._explore(past, engine, listener)
        if not engine.is_interrupted:
            self._confirm(past, engine, listener)
        return self._told(past)

    def _told(self, past: Past) -> SweepStory:
        return tell_sweep(self.record, self.id, self.sweep, past)

    # --- exploring ---------------------------------------------------------------------------------------------------

    def _explore(self, past: Past, engine: Engine, listener: SweepListener) -> Past:
        """The trials on record once the exploration has ended or was interrupted."""
        ground = Ground(
            record=self.record,
            study_id=self.id,
            key=self.sweep.name,
            place=self.place,
            workload=self.workload,
            prints=self.prints,
            base=self.sweep.base,
        )
        exploration = Exploration(
            self.sweep, ground, past, most_runs=self._exploring_runs(), kept_runs=self._kept_runs()
        )
        before = exploration.runs_begun, exploration.ended
        self._put_state("exploring", "")
        exploration.run(engine, listener)
        if (exploration.runs_begun, exploration.ended) != before:
            past = self._past()
        if exploration.is_done:
            self._put_state("confirming", exploration.ending)
            listener.explored(self._told(past))
        else:
            self._put_state("exploring", "")
        return past

    def _exploring_runs(self) -> int | None:
        runs = self.sweep.budget.runs
        confirmation = self.sweep.confirmation
        if runs is None or not self._confirms or confirmation is None:
            return runs
        return exploring_share(runs, confirmation, has_base=confirmation.has_base)

    def _kept_runs(self) -> int:
        confirmation = self.sweep.confirmation
        if not self._confirms or confirmation is None:
            return 0
        return cost(confirmation_of(self.sweep), has_base=confirmation.has_base)

    @property
    def _confirms(self) -> bool:
        return self.sweep.confirmation is not None and len(self.sweep.targets) == 1

    def _past(self) -> Past:
        return past_of(self.record, self.id, self.sweep.name, self.sweep, self.sweep.base, self._counted_prints)

    @property
    def _counted_prints(self) -> Prints | None:
        return None if self._keeps_old else self.prints

    # --- fresh seeds -------------------------------------------------------------------------------------------------

    def _confirm(self, past: Past, engine: Engine, listener: SweepListener) -> None:
        """Trains the best few, and the base, on fresh seeds until the choice among them is settled."""
        while self._confirms and not engine.is_interrupted:
            tasks, trials = self._fresh_tasks(past)
            if not tasks:
                break
            self._train_fresh(tasks, trials, engine, listener)
        if not engine.is_interrupted:
            self._put_state("done", self._ending())

    def _fresh_tasks(self, past: Past) -> tuple[dict[str, Task], dict[str, int]]:
        """The runs on fresh seeds that are wanted next, by key, and the trial each belongs to."""
        confirmation, metric = confirmation_of(self.sweep), self.sweep.targets[0]
        best = ranked(past.trials.values(), self.sweep)
        fresh = fresh_runs_of(self.record, self.id, self.sweep, past.trials, self._counted_prints)
        counts = wanted(
            candidates_of(self.sweep, best, fresh),
            metric=metric,
            confirmation=confirmation,
            runs_left=self._runs_left(past, fresh),
        )
        configs = {trial.number: trial.config for trial in best} | {BASE: self.sweep.base}
        tasks, trials = {}, {}
        for number, count in counts.items():
            for seed in confirming_seeds(count, self._fresh_block):
                if self._is_trained(fresh.get(number, []), seed):
                    continue
                task = self._fresh_task(number, configs[number], seed)
                tasks[task.key], trials[task.key] = task, number
        return tasks, trials

    @property
    def _fresh_block(self) -> int:
        """The block of this round's fresh seeds: those of the earlier rounds had a part in choosing the space."""
        return self.sweep.continues.round - 1 if self.sweep.continues else 0

    def _runs_left(self, past: Past, fresh: Mapping[int, list[Run]]) -> int | None:
        """How many runs the budget still holds; hours hold as many as they would of those that went to their end."""
        budget, some = self.sweep.budget, [*itertools.chain(*past.runs.values(), *fresh.values())]
        bounds: list[int] = []
        if budget.runs is not None:
            bounds.append(budget.runs - len(trainings_of(self.record, self.id, some)))
        complete = [run.provenance.wall_seconds for run in some if run.status is Status.COMPLETE]
        mean = math.fsum(complete) / max(len(complete), 1)
        if budget.hours is not None and mean:
            spent = math.fsum(run.provenance.wall_seconds for run in own_runs(self.record, self.id, some))
            bounds.append(int((budget.hours * 3600 - spent) / mean))
        return max(min(bounds), 0) if bounds else None

    def _is_trained(self, runs: list[Run], seed: int) -> bool:
        attempts = [run for run in runs if run.seed == seed]
        has_ended = any(run.status not in (Status.RUNNING, Status.INTERRUPTED) for run in attempts)
        return has_ended or is_given_up(attempts)

    def _fresh_task(self, number: int, config: Mapping[str, Any], seed: int) -> Task:
        minutes = self.sweep.budget.run_minutes
        key = run_key(self.sweep.workload_identity, config, seed, self.prints.data, self.prints.code)
        return Task(
            key=key,
            workload=self.sweep.workload,
            config=config,
            seed=seed,
            artifacts=self.place.artifacts(key),
            data_root=self.place.data_root,
            device=self.place.device,
            label="base" if number == BASE else f"trial {number}",
            time_limit_seconds=minutes * 60 if minutes else None,
            data_fingerprint=self.prints.data,
            code_fingerprint=self.prints.code,
            trial=number,
        )

    def _train_fresh(
        self, tasks: Mapping[str, Task], trials: Mapping[str, int], engine: Engine, listener: SweepListener
    ) -> None:
        key = fresh_key(self.sweep.name)
        known = self.record.completed(list(tasks))
        for run in known.values():
            self.record.use_run(self.id, run.id, experiment=key, arm=f"trial {trials[run.key]}")
        run_ids: dict[str, int] = {}
        lost: set[str] = set()
        changed: list[str] = []

        def start(task: Task, provenance: Provenance) -> None:
            try:
                run_ids[task.key] = self.record.start_run(
                    study_id=self.id,
                    key=task.key,
                    workload=self.sweep.workload_identity,
                    config=task.config,
                    seed=task.seed,
                    provenance=provenance,
                    experiment=key,
                    arm=f"trial {trials[task.key]}",
                )
            except RecordError:
                # Another study on this record may have trained it in the meantime; then its run is used next.
                if task.key not in self.record.completed([task.key]):
                    raise

        def end(outcome: Outcome) -> None:
            if outcome.task.key not in run_ids:
                return
            changed.append(changed_since(outcome, self.prints))
            # The engine tries it once more; where it comes to nothing because this process ends, the next one does.
            is_tried_again = outcome.is_worker_lost and outcome.task.key not in lost
            lost.add(outcome.task.key)
            status, reason = outcome.status, outcome.reason
            if changed[-1] or is_tried_again:
                status = Status.INTERRUPTED
            elif status is Status.INTERRUPTED and not engine.is_interrupted:
                self._stops[outcome.task.key] += 1
                stops = self._stops[outcome.task.key]
                if stops > self.sweep.retries:
                    status, reason = Status.FAILED, f"stopped from outside {stops} times ({reason})"
            self.record.finish_run(
                run_ids[outcome.task.key],
                status=status,
                reason=reason,
                measurements=outcome.measurements,
                facts=outcome.facts,
                checkpoints=outcome.checkpoints,
                provenance=outcome.provenance,
            )
            listener.fresh_run_ended(outcome.task.label, outcome)

        # Asked once more right before each begins: another study on this record may have trained it meanwhile.
        left = (task for key, task in tasks.items() if key not in known and not self.record.completed([key]))
        engine.run(left, on_start=start, on_end=end)
        check_unchanged(max(changed, default=""))

    # --- the record --------------------------------------------------------------------------------------------------

    def _put_state(self, phase: str, ending: str) -> None:
        metric = self.sweep.targets[0]
        payload = {
            "phase": phase,
            "ending": ending,
            "primary": metric.name,
            "unit": metric.unit,
            "target": metric.target,
            "data": self.prints.data,
            "code": self.prints.code,
            "keeps_old": self._keeps_old,
        }
        states = self.record.events(self.id, "state")
        if not states or states[-1].payload != payload:
            self.record.add_event(self.id, kind="state", experiment=None, payload=payload)

    def _ending(self) -> str:
        states = self.record.events(self.id, "state")
        return str(states[-1].payload.get("ending", "")) if states else ""

    def _notice(self, text: str, listener: SweepListener) -> None:
        self.record.add_event(self.id, kind="notice", experiment=None, payload={"text": text})
        listener.noticed(text)


def check_room(sweep: Sweep) -> None:
    """Raises SpaceError for a grid that the runs left for exploring cannot hold, before anything trains."""
    runs, confirmation = sweep.budget.runs, sweep.confirmation
    if sweep.method.name != "grid" or runs is None or confirmation is None or len(sweep.targets) > 1:
        return
    share, needed = exploring_share(runs, confirmation, has_base=confirmation.has_base), sweep.space.grid_size()
    needed *= sweep.seeds
    if needed > share:
        raise SpaceError(
            f"{sweep.path}: budget.runs must hold the grid's {needed} runs and the confirmation; of {runs}, {share} "
            "explore. Raise it, give a number of trials instead, or say confirm: false"
        )
