"""Exploration: one search on the record, from trial to trial, until its budget or its space is spent."""

from __future__ import annotations

import itertools
import math
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from surefoot.choosing import LARGEST_SHARE
from surefoot.errors import RecordError
from surefoot.execution import Engine, Outcome, Task
from surefoot.plan import exploring_seeds
from surefoot.run import Measurement, Provenance, Run, Status, canonical_json, run_key
from surefoot.search import Search, Stopper, stopper
from surefoot.space import SearchSpace
from surefoot.sweep import Sweep
from surefoot.sweeping.carrying import CARRIED
from surefoot.sweeping.ground import Ground, Hand, TrialListener, as_run, changed_since, check_unchanged
from surefoot.sweeping.registration import Past, own_runs, trainings_of
from surefoot.sweeping.strata import StratifiedSearch, StratifiedStopper
from surefoot.sweeping.trials import Trial, TrialState, margin_of, ranked

# So many failures in a row end a search in which trials have succeeded before, as a multiple of `most_failures`.
LATE_FAILURES = 4
# So many proposals in a row of what was tried before end a search that no number of trials ends.
MOST_REPEATS = 100


class Exploration:
    """Guards one search: the record is its memory, Optuna's study is rebuilt from it.

    `ending` says why it began no further trial; empty while it may. `runs_begun` counts what began here, `ended` the
    trials that came to an end, `made` those of them that no earlier sweep made.
    """

    def __init__(
        self, sweep: Sweep, ground: Ground, past: Past, *, most_runs: int | None = None, kept_runs: int = 0
    ) -> None:
        """`most_runs` is what the exploration may train, the confirmation's share left out.

        Of a budget of hours it keeps what so many runs as `kept_runs` will take, but no more than a third.
        """
        self.sweep, self.ground = sweep, ground
        self.trials: dict[int, Trial] = dict(past.trials)
        self.most_runs = most_runs
        self._hash = sweep.hash
        self._carried = sum(trial.origin == CARRIED for trial in past.trials.values())
        own = own_runs(ground.record, ground.study_id, itertools.chain(*past.runs.values()))
        self.seconds = sum(run.provenance.wall_seconds for run in own)
        self.runs_begun = 0
        self._trained = trainings_of(ground.record, ground.study_id, itertools.chain(*past.runs.values()))
        self.ending = ""
        self.best: Trial | None = None
        self.ended = self.made = 0
        self._kept_runs, self._whole_runs, self._whole_seconds = kept_runs, 0, 0.0
        self._is_over = False
        self._changed = ""
        self._has_succeeded = False
        self._freed: set[int] = set()  # trials that no rung holds up any more
        self._seeds = exploring_seeds(sweep.seeds, ground.seed_block)
        self._objective = sweep.targets[0].name
        self._search = StratifiedSearch(self._new_search, sweep.space, next_number=past.next_number)
        self._stopper: StratifiedStopper | None = None
        if sweep.stopping is not None:
            self._stopper = StratifiedStopper(self._new_stopper, self._search)
        self._again: deque[tuple[Trial, bool]] = deque()
        self._hands: dict[str, Hand] = {}
        self._twins: dict[str, list[Trial]] = {}
        self._given_up: list[Trial] = []
        self._stopped: Counter[int] = Counter()
        self._is_stopping: Callable[[], bool] = lambda: False
        self._tried = {canonical_json(trial.settings) for trial in self.trials.values()}
        self._repeats = 0
        self._failures_in_a_row = 0
        self._last_failure = ""
        self._recall(past)
        # Whoever runs it again may have mended what failed, where no fingerprint shows it.
        self._failures_in_a_row = 0

    def _new_search(self, space: SearchSpace) -> Search:
        sweep = self.sweep
        return Search(
            space,
            targets=sweep.targets,
            method=sweep.method,
            seed=sweep.search_seed,
            first=[config for config in sweep.first if _belongs(config, space)],
            constraints=sweep.measured_constraints,
        )

    def _new_stopper(self) -> Stopper:
        assert self.sweep.stopping is not None
        goal, can_resume = self.sweep.targets[0].goal, self.ground.workload.resumes
        return stopper(self.sweep.stopping, goal, can_resume=can_resume, seed=self.sweep.search_seed)

    @property
    def notices(self) -> tuple[str, ...]:
        """What the method and the stopping rule cannot honour."""
        return (*self._search.notices, *(self._stopper.notices if self._stopper else ()))

    def run(self, engine: Engine, listener: TrialListener) -> None:
        """Trains until nothing is left to begin or the engine is interrupted; every run is on record when it ends.

        Raises WorkloadError where code or data changed meanwhile; what was to train by then is not counted as failed.
        """

        def start(task: Task, provenance: Provenance) -> None:
            self._started(task, provenance)
            listener.trial_started(self._hands[task.key].trial, task)

        def end(outcome: Outcome) -> None:
            for trial in self._ended(outcome):
                listener.trial_ended(trial, self)

        self._is_stopping = lambda: engine.is_interrupted or bool(self._changed)
        for note in self.notices:
            listener.noticed(note)
        for trial in self._given_up:
            listener.trial_ended(trial, self)
        engine.run(self._tasks(engine, listener), on_start=start, on_measurement=self._judge, on_end=end)
        check_unchanged(self._changed)

    @property
    def is_done(self) -> bool:
        """Whether the search has come to its end, rather than been interrupted."""
        return self._is_over

    @property
    def is_out_of_runs(self) -> bool:
        """Whether it was `most_runs` that ended it."""
        return self.most_runs is not None and self.ending == _runs_spent(self.most_runs)

    @property
    def runs_spent(self) -> int:
        """How many trainings it has begun, in all its past: a run that is promoted or tried again is no new one."""
        return len(self._trained)

    @property
    def runs_left(self) -> int | None:
        """How many runs may still begin; None where no number is set."""
        bounds = [] if self.most_runs is None else [self.most_runs - self.runs_spent]
        if self.sweep.budget.trials is not None:
            bounds.append((self.sweep.budget.trials - self.made) * len(self._seeds))
        return max(min(bounds), 0) if bounds else None

    # --- what comes next ---------------------------------------------------------------------------------------------

    def _tasks(self, engine: Engine, listener: TrialListener) -> Iterator[Task | None]:
        while True:
            task, answered = self._next()
            for trial in answered:
                listener.trial_ended(trial, self)
            if task is not None or engine.is_interrupted:
                yield task
            elif not answered:
                if not self._hands:
                    self._is_over = True
                    return
                yield None

    def _next(self) -> tuple[Task | None, list[Trial]]:
        """The next run to train, and the trials that were answered without one."""
        if self._changed:
            return None, []
        if self._again:
            trial, resume = self._again.popleft()
            task = self._task(trial, resume)
            return task, [trial] if task is None and trial.has_ended else []
        if self._must_stop():
            return None, []
        promoted = self._stopper.promotion() if self._stopper else None
        if promoted is not None:
            return self._task(self.trials[promoted], True), []
        self.ending = self.ending or self._spent()
        if self.ending:
            unfinished = None if self._hands else self._best_unfinished()
            return (self._task(unfinished, True) if unfinished else None), []
        proposal = self._search.ask()
        if proposal is None:
            self.ending = "every config of the space was tried"
            return None, []
        if self._is_repeated(proposal.settings):
            self.ending = f"the last {MOST_REPEATS} configs proposed were all tried before"
            return None, []
        trial = Trial(
            number=proposal.number,
            settings=proposal.settings,
            config={**self.ground.base, **proposal.settings},
            origin=proposal.origin,
        )
        self.trials[trial.number] = trial
        return self._begin(trial)

    def _best_unfinished(self) -> Trial | None:
        """The best paused trial of a stratum where none has come to its end: there must be something to choose."""
        finished = {self._search.place(t.number)[0] for t in self.trials.values() if t.state is TrialState.COMPLETE}
        paused = [t for t in self.trials.values() if t.state is TrialState.PAUSED and t.curve]
        waiting = [t for t in paused if self._search.place(t.number)[0] not in finished]
        sign = self.sweep.targets[0].sign
        best = max(waiting, key=lambda t: (max(t.curve), sign * t.curve[max(t.curve)]), default=None)
        if best is not None:
            self._freed.add(best.number)
        return best

    def _is_repeated(self, settings: Mapping[str, Any]) -> bool:
        """Whether nothing new is left to try, as far as proposals tell; never where a number of trials is asked for."""
        said = canonical_json(settings)
        self._repeats = self._repeats + 1 if said in self._tried else 0
        self._tried.add(said)
        return self.sweep.budget.trials is None and self._repeats > MOST_REPEATS

    def _must_stop(self) -> bool:
        """Whether not even a promotion may begin any more; says why in `ending`."""
        hours = self.sweep.budget.hours
        kept = 0.0 if hours is None else self._kept_seconds(hours * 3600)
        if hours is not None and self.seconds > hours * 3600 - kept:
            but = f", but for the {100 * kept / (hours * 3600):.0f} % kept for fresh seeds" if kept else ""
            self.ending = f"the budget of {hours:g} hours of training is spent{but}"
            return True
        failures, limit = self._failures_in_a_row, self.sweep.most_failures
        if failures >= (limit * LATE_FAILURES if self._has_succeeded else limit):
            which = "the last" if self._has_succeeded else "all"
            self.ending = f"{which} {failures} trials failed, the last one with: {self._last_failure}"
            return True
        reached = self._reached_target()
        if reached:
            self.ending = reached
        return bool(reached)

    def _kept_seconds(self, budget: float) -> float:
        """What the runs to come after the exploration will take, by the runs that went to their end so far."""
        mean = self._whole_seconds / self._whole_runs if self._whole_runs else 0.0
        return min(self._kept_runs * mean, budget * LARGEST_SHARE)

    def _spent(self) -> str:
        trials = self.sweep.budget.trials
        if trials is not None and len(self.trials) - self._carried >= trials:
            return f"{trials} trial{'s were' if trials > 1 else ' was'} made, as the budget says"
        if self.most_runs is not None and self.runs_spent + self._owed() + len(self._seeds) > self.most_runs:
            return _runs_spent(self.most_runs)
        return ""

    def _owed(self) -> int:
        """The further seeds that the trials under way will want."""
        return sum(len(self._seeds) - len(hand.trial.finals) - 1 for hand in self._hands.values())

    def _reached_target(self) -> str:
        metric, best = self.sweep.targets[0], self.best
        values = best.values([metric]) if best is not None else None
        if best is None or values is None or metric.target is None or len(self.sweep.targets) > 1:
            return ""
        if metric.sign * (values[0] - metric.target) < 0:
            return ""
        return f"trial {best.number} reached the target of {metric.target:g} ({metric.name} {values[0]:.5g})"

    def _begin(self, trial: Trial) -> tuple[Task | None, list[Trial]]:
        """The trial's first run; where an earlier study trained all of them, the trial is answered at once."""
        task = self._task(trial, False)
        if task is not None:
            return task, []
        return None, [trial]

    def _task(self, trial: Trial, resume: bool) -> Task | None:
        """The next run of the trial that nobody has trained; None where it was answered by what is there."""
        while True:
            seed = next((s for s in self._seeds if s not in trial.finals), None)
            if seed is None:
                self._close(trial)
                return None
            key = self.key(trial.config, seed)
            if key in self._hands:
                self._twins.setdefault(key, []).append(trial)
                trial.state = TrialState.WAITING
                return None
            trained = self.ground.record.completed([key])
            if key not in trained:
                break
            self._put_on_record(trial)
            self._reuse(trial, trained[key], self._curve_of(trained[key].measurements))
            if trial.state is not TrialState.COMPLETE:
                self._close(trial)
                return None
        trial.state = TrialState.RUNNING
        self._hands[key] = Hand(trial=trial, curve=dict(trial.curve))
        minutes = self.sweep.budget.run_minutes
        return Task(
            key=key,
            workload=self.sweep.workload,
            config=trial.config,
            seed=seed,
            artifacts=self.ground.place.artifacts(key),
            data_root=self.ground.place.data_root,
            device=self.ground.place.device,
            label=f"trial {trial.number}",
            time_limit_seconds=minutes * 60 if minutes else None,
            data_fingerprint=self.ground.prints.data,
            code_fingerprint=self.ground.prints.code,
            is_judged=self._is_judged_by_step,
            resume=resume,
            trial=trial.number,
            attempt=trial.attempts + 1,
        )

    def key(self, config: Mapping[str, Any], seed: int) -> str:
        """The identity of a run of this search, with today's data and code."""
        prints = self.ground.prints
        return run_key(self.sweep.workload_identity, config, seed, prints.data, prints.code)

    @property
    def _is_judged_by_step(self) -> bool:
        return self._stopper is not None and self._is_by_step

    @property
    def _is_by_step(self) -> bool:
        return self.sweep.stopping is not None and self.sweep.stopping.rule != "wilcoxon"

    # --- what comes of it --------------------------------------------------------------------------------------------

    def _started(self, task: Task, provenance: Provenance) -> None:
        hand, record = self._hands[task.key], self.ground.record
        self.runs_begun += 1
        self._trained.add(task.key)
        was_recorded = hand.trial.number in self._recorded
        try:
            # That a run began may be forgotten where the machine goes down: it is then begun anew.
            with record.together(is_durable=False):
                self._put_on_record(hand.trial)
                hand.run_id = record.start_run(
                    study_id=self.ground.study_id,
                    key=task.key,
                    workload=self.sweep.workload_identity,
                    config=task.config,
                    seed=task.seed,
                    provenance=provenance,
                    experiment=self.ground.key,
                    arm=f"trial {hand.trial.number}",
                )
        except RecordError:
            # Another study on this record may have trained it in the meantime; then its run answers.
            if task.key not in record.completed([task.key]):
                raise
            hand.is_needless = True
            if not was_recorded:
                self._recorded.discard(hand.trial.number)
                self._put_on_record(hand.trial)

    def _put_on_record(self, trial: Trial) -> None:
        if trial.number in self._recorded:
            return
        self._recorded.add(trial.number)
        self.ground.record.add_trial(
            self.ground.study_id,
            sweep=self.ground.key,
            number=trial.number,
            settings=trial.settings,
            config=trial.config,
            origin=trial.origin,
            space_hash=self._hash,
        )

    def _reuse(self, trial: Trial, run: Run, curve: Mapping[int, float]) -> None:
        arm = f"trial {trial.number}"
        self.ground.record.use_run(self.ground.study_id, run.id, experiment=self.ground.key, arm=arm)
        trial.take(run)
        if self._stopper is not None:  # as it will be recalled
            is_last = self._is_by_step and all(seed in trial.finals for seed in self._seeds)
            seen = curve if self._is_by_step else self._by_seed(trial)
            self._stopper.recall(trial.number, seen, run.status if is_last else Status.RUNNING)

    def _curve_of(self, measurements: Iterable[Measurement]) -> dict[int, float]:
        """The objective by step, where it is a number."""
        found = {m.step: m.values[self._objective] for m in measurements if self._objective in m.values}
        return {step: value for step, value in found.items() if math.isfinite(value)}

    def _by_seed(self, trial: Trial) -> dict[int, float]:
        """The objective of each of today's seeds, by the seed's place."""
        return {i: trial.finals[s][self._objective] for i, s in enumerate(self._seeds) if s in trial.finals}

    def _judge(self, task: Task, measurement: Measurement) -> str | None:
        """Why the run is to end at this measurement, or None."""
        hand = self._hands[task.key]
        value = measurement.values.get(self._objective)
        if value is None or self._stopper is None or not self._is_by_step or not math.isfinite(value):
            return None
        if hand.trial.number in self._freed:
            return None
        hand.curve[measurement.step] = value
        if hand.halt is None:
            hand.halt = self._stopper.judge(hand.trial.number, measurement.step, value)
        return None if hand.halt is None else hand.halt.reason

    def _ended(self, outcome: Outcome) -> list[Trial]:
        """Puts the outcome on record; the trials that it ends or pauses."""
        hand = self._hands.pop(outcome.task.key)
        trial = hand.trial
        run = self._recorded_run(hand, outcome)
        status = run.status
        if status is Status.INTERRUPTED or run.id != hand.run_id:
            self._trained.discard(outcome.task.key)
        self.seconds += outcome.provenance.wall_seconds
        if outcome.is_worker_lost and hand.times_lost == 0:
            # The engine tries it once more by itself, and says so by starting it again.
            trial.attempts += 1
            self._hands[outcome.task.key] = Hand(trial=trial, times_lost=1, curve=dict(trial.curve))
            return []
        trial.take(run)
        trial.curve = hand.curve
        if status is Status.INTERRUPTED:
            return [*self._take_up_again(trial), *self._answer_twins(outcome.task.key, run, hand.curve)]
        halt = hand.halt if status is Status.PRUNED else None
        if halt is not None and halt.is_pause:
            trial.state = TrialState.PAUSED
            self._has_succeeded = True
            if self._stopper is not None:  # only now may it be promoted
                self._stopper.ended(trial.number, Status.PRUNED)
            self._tell(trial)
            return [trial, *self._answer_twins(outcome.task.key, run, hand.curve)]
        return [*self._went_on(trial, run), *self._answer_twins(outcome.task.key, run, hand.curve)]

    def _recorded_run(self, hand: Hand, outcome: Outcome) -> Run:
        """The run as it is on record now; where another study on this record ended the same one first, that one."""
        record, key, arm = self.ground.record, outcome.task.key, f"trial {hand.trial.number}"
        changed = changed_since(outcome, self.ground.prints)
        self._changed = self._changed or changed
        # The engine does; where it comes to nothing because this process ends, the next one does.
        is_tried_again = outcome.is_worker_lost and hand.times_lost == 0
        status = Status.INTERRUPTED
        if not hand.is_needless:
            status = record.finish_run(
                hand.run_id,
                status=Status.INTERRUPTED if changed or is_tried_again else outcome.status,
                reason=outcome.reason,
                measurements=outcome.measurements,
                facts=outcome.facts,
                checkpoints=outcome.checkpoints,
                provenance=outcome.provenance,
            )
        is_second = status is Status.INTERRUPTED and outcome.status in (Status.COMPLETE, Status.INFEASIBLE)
        first = record.completed([key]).get(key) if hand.is_needless or is_second else None
        if first is None:
            return as_run(hand.run_id, outcome, status)
        record.use_run(self.ground.study_id, first.id, experiment=self.ground.key, arm=arm)
        return first

    def _take_up_again(self, trial: Trial) -> list[Trial]:
        """Tries a trial whose run was stopped from outside again, a few times; where we stop, the next process does."""
        self._stopped[trial.number] += 1
        times, can_resume = self._stopped[trial.number], self.ground.workload.resumes
        if times <= self.sweep.retries or self._is_stopping():
            trial.curve = trial.curve if can_resume else {}
            self._again.append((trial, can_resume))
            return []
        trial.state, trial.reason = TrialState.FAILED, f"stopped from outside {times} times ({trial.reason})"
        self._close(trial)
        return [trial]

    def _went_on(self, trial: Trial, run: Run) -> list[Trial]:
        """The trial itself where it has ended; nothing where it goes on with its next seed."""
        if trial.state is TrialState.COMPLETE:
            is_pruned = self._is_pruned_by_seeds(trial, run)
            if len(trial.finals) < len(self._seeds):
                if not is_pruned:
                    self._again.append((trial, False))
                    return []
                # Its runs are complete and say nothing of it, so the trial's end needs a row of its own.
                trial.state = TrialState.PRUNED
                payload = {"trial": trial.number, "reason": trial.reason}
                record, study_id = self.ground.record, self.ground.study_id
                record.add_event(study_id, kind="pruned", experiment=self.ground.key, payload=payload)
        self._close(trial)
        return [trial]

    def _is_pruned_by_seeds(self, trial: Trial, run: Run) -> bool:
        if self._stopper is None or self._is_by_step or self._objective not in run.finals:
            return False
        halt = self._stopper.judge(trial.number, self._seeds.index(run.seed), run.finals[self._objective])
        if halt is not None and len(trial.finals) < len(self._seeds):
            trial.reason = halt.reason
        return halt is not None

    def _answer_twins(self, key: str, run: Run, curve: Mapping[int, float]) -> list[Trial]:
        """The other trials that waited for the same config and seed."""
        answered = []
        for twin in self._twins.pop(key, []):
            if run.status in (Status.COMPLETE, Status.INFEASIBLE):
                self._put_on_record(twin)
                self._reuse(twin, run, curve)
                answered += self._went_on(twin, run)
            else:
                self._again.append((twin, False))
        return answered

    def _close(self, trial: Trial) -> None:
        """Tells the search and the stopping rule how the trial ended, and keeps count."""
        self.ended += 1
        self.made += trial.origin != CARRIED
        if trial.state is TrialState.FAILED:
            self._failures_in_a_row += 1
            self._last_failure = trial.reason
        else:
            self._failures_in_a_row = 0
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            self._has_succeeded = True
        if trial.state is TrialState.COMPLETE:
            self._whole_runs += len(trial.finals)
            self._whole_seconds += trial.seconds
            self.best = next(iter(ranked([t for t in (self.best, trial) if t is not None], self.sweep)), None)
        if self._stopper is not None:
            self._stopper.ended(trial.number, Status(trial.state.value))
        self._tell(trial)
        trial.curve = {}

    def _tell(self, trial: Trial) -> None:
        values = trial.values(self.sweep.targets) if trial.state is TrialState.COMPLETE else None
        status = Status.PRUNED if trial.state is TrialState.PAUSED else Status(trial.state.value)
        if status is Status.COMPLETE and values is None:
            status = Status.INFEASIBLE
        margins = self._margins(trial) if values is not None else ()
        curve = trial.curve
        if self._stopper is not None and not self._is_by_step:
            curve = {i: value for i, value in enumerate(_means(self._by_seed(trial).values()))}
        self._search.tell(trial.number, values=values, curve=curve, status=status, margins=margins)

    def _margins(self, trial: Trial) -> tuple[float, ...]:
        """How far each measured constraint is overstepped (positive) on the worst seed."""
        return tuple(
            max(margin_of(constraint, trial, final) for final in trial.finals.values())
            for constraint in self.sweep.measured_constraints
        )

    # --- the past ----------------------------------------------------------------------------------------------------

    def _recall(self, past: Past) -> None:
        """Rebuilds search and stopping rule from the trials on record; what was broken off is retried or given up."""
        self._recorded = set(past.trials)
        curves = self._curves(past)
        for number, trial in sorted(self.trials.items()):
            if not self._search.recall(number, trial.settings, trial.origin):
                del self.trials[number]
                continue
            curve: dict[int, float] = {}
            for run in past.runs[number]:
                curve |= curves.get(run.id, {})
            if self._stopper is not None and not self._is_by_step:
                curve = self._by_seed(trial)
            if self._stopper is not None:
                self._stopper.recall(number, curve, self._status_now(trial))
            self._settle(trial, past, curve)

    def _status_now(self, trial: Trial) -> Status:
        """The trial's as a whole: one that is between two of its seeds has not ended."""
        is_between = trial.state is TrialState.COMPLETE and len(trial.finals) < len(self._seeds)
        return Status.INTERRUPTED if is_between or trial.state is TrialState.WAITING else Status(trial.state.value)

    def _settle(self, trial: Trial, past: Past, curve: dict[int, float]) -> None:
        runs = past.runs[trial.number]
        is_whole = trial.state is TrialState.COMPLETE and len(trial.finals) >= len(self._seeds)
        if trial.state is TrialState.PRUNED and self._stopper is not None and self._stopper.is_paused(trial.number):
            trial.state, trial.curve = TrialState.PAUSED, curve
            self._tell(trial)
        elif is_whole or trial.state in (TrialState.PRUNED, TrialState.INFEASIBLE, TrialState.FAILED):
            trial.curve = curve
            self._close(trial)
        elif trial.give_up(self.sweep.retries):
            self._given_up.append(trial)
            self._close(trial)
        else:
            # A run that was paused, or stopped politely, left what it needs to go on; a killed one begins anew.
            is_broken = bool(runs) and runs[-1].status in (Status.INTERRUPTED, Status.PRUNED)
            can_resume = self.ground.workload.resumes and is_broken
            trial.curve = curve if can_resume else {}
            self._again.append((trial, can_resume))

    def _curves(self, past: Past) -> dict[int, dict[int, float]]:
        """The objective by step of the runs that a stopping rule or a pruned trial's value needs, by run id."""
        if self._stopper is None or not self._is_by_step:
            return {}
        ids = [run.id for runs in past.runs.values() for run in runs if run.status is not Status.RUNNING]
        found = self.ground.record.curves(ids, self._objective)
        return {run_id: self._curve_of(measurements) for run_id, measurements in found.items()}


def _means(values: Iterable[float]) -> Iterator[float]:
    """The mean of the first, of the first two, and so on."""
    return (total / n for n, total in enumerate(itertools.accumulate(values), start=1))


def _runs_spent(most_runs: int) -> str:
    return f"the budget of {most_runs} runs is spent"


def _belongs(config: Mapping[str, Any], space: SearchSpace) -> bool:
    """Whether a config to try first has its scientific settings in this stratum."""
    held = {p.name: p for p in space.parameters if p.role == "scientific"}
    return all(parameter.admits(config[name]) for name, parameter in held.items() if name in config)
