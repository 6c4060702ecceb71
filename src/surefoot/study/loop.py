"""Study: registers the plan, trains what the walk asks for, and puts every decision on record."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from surefoot.claim import Claim
from surefoot.errors import PlanError
from surefoot.execution import Engine, Outcome, Place, Task
from surefoot.phases.final import Final
from surefoot.plan import SEARCH_BLOCK, Plan
from surefoot.reports.phase_story import PhaseStory
from surefoot.reports.story import ExperimentStory, Story
from surefoot.run import Measurement, Provenance, Run, Status, config_hash, run_key
from surefoot.storage import LockOwner, Record
from surefoot.study.ending import Ending, finish
from surefoot.study.exploring import StudySearch, search_key
from surefoot.study.phase_log import PhaseLog, read_log, standing_of
from surefoot.study.phases import Phases
from surefoot.study.registration import askings, register, registrations
from surefoot.study.telling import UNFINISHED, ended_runs, state_payload, tell, tested_arms, untested, walk_of
from surefoot.study.walk import BASELINE, CONFIRMATION, FINAL, FINALISE, Request, Walk, false_adopts
from surefoot.sweeping.ground import Ground, TrialListener
from surefoot.sweeping.registration import Prints
from surefoot.verdict import End, Verdict
from surefoot.workload import Workload, check_requirements, find_workload

# A run that failed is tried again by the next `surefoot run`, while its experiment is undecided.
MOST_ATTEMPTS = 3
ABANDONED = "the coordinating process ended before the run did"


class Listener(TrialListener, Protocol):
    """Whoever wants to hear how a study goes on; every method may do nothing."""

    def begun(self, story: Story, most_runs: int) -> None:
        """The study starts or goes on, with at most so many runs left to train."""

    def run_started(self, task: Task) -> None:
        """A run begins."""

    def run_measured(self, task: Task, measurement: Measurement) -> None:
        """A run reports."""

    def run_ended(self, outcome: Outcome, most_runs: int) -> None:
        """A run has ended and is on record; at most so many are left."""

    def decided(self, experiment: ExperimentStory, story: Story) -> None:
        """An experiment is decided (or ended by the budget)."""

    def claimed(self, story: Story) -> None:
        """The claims are settled."""

    def noticed(self, text: str) -> None:
        """Something a person should know."""


class Study:
    """Guards one study on the record: whatever happens to a process, walking again goes on from there.

    Making one registers its plan, while nobody else works on the study: HomeBusyError where another coordinator
    still does after `wait_seconds`. To read a study that is on record, see `read_story`.
    """

    def __init__(
        self,
        plan: Plan,
        record: Record,
        place: Place,
        *,
        wait_seconds: float = 0.0,
        on_wait: Callable[[LockOwner | None], None] | None = None,
    ) -> None:
        self.plan, self.record, self.place = plan, record, place
        self.workload: Workload = find_workload(plan.workload)
        check_requirements(self.workload)
        self.data_fingerprint = self.workload.data_fingerprint(place.data_root)
        self.code_fingerprint = self.workload.code_fingerprint()
        self.id = record.add_study(plan.study, plan.workload_name)
        self._failed_now: set[str] = set()
        self._read: dict[int, Run] = {}
        self.phases = Phases(plan, record, self.id, self.workload, self._prints(), place) if plan.optimise else None
        self.halted = ""
        with record.study_lock(self.id, wait_seconds, on_wait):
            if self.phases is not None:
                self.plan = self.phases.grown
            self.is_new_revision, self.notes = register(record, self.id, self.plan)
            self._note_new_fingerprints()

    def story(self) -> Story:
        """The study as the record tells it now."""
        return self._tell(self._walk(ended_runs(self._runs())))

    def run(self, pool: Engine, listener: Listener, *, wait_seconds: float = 0.0) -> Story:
        """Trains what the plan still needs, to its end, its budget or an interrupt; the story then.

        Every run is on record before the next decision is taken; the walk over the record is all the
        memory there is. Raises HomeBusyError where another coordinator still works on it after `wait_seconds`.
        """

        def wait(owner: LockOwner | None) -> None:
            listener.noticed(f"another surefoot works on this study ({owner or 'unknown'}); waiting for it")

        with self.record.study_lock(self.id, wait_seconds, wait):
            return self._run(pool, listener)

    def _run(self, pool: Engine, listener: Listener) -> Story:
        self.record.close_abandoned(ABANDONED, self.id)
        for note in self.notes:
            listener.noticed(note)
        if self.phases is not None:
            self.phases.note_environment(pool.threads)
        found = self._walk_on()
        listener.begun(self._tell(found), self._most_runs(found))
        while True:
            self._put_decisions_on_record(found, listener)
            if self._advance(found, listener):
                found = self._walk_on()
                continue
            self._put_state_on_record(found)
            if self.halted:
                return self._tell(found)
            if not (found.wanted or found.exploring) or pool.is_interrupted:
                break
            if found.exploring:
                if self._within_budget(found, listener):
                    self._search(found, pool, listener)
            elif not self._reuse(found) and self._within_budget(found, listener):
                self._train(found, pool, listener)
            found = self._walk_on()
        is_done = not (found.wanted or found.exploring) and found.phase == "done"
        if is_done and self.plan.is_finalised and not pool.is_interrupted:
            self._finalise(found, pool, listener)
        return self._tell(found)

    def _advance(self, found: Walk, listener: Listener) -> bool:
        """Whether the phases took a step that changes what is wanted; `halted` says which gate is closed."""
        if self.phases is None:
            return False
        is_new = self.phases.advance(found, listener.noticed)
        self.halted = self.phases.halted
        if is_new:
            self.plan = self.phases.grown
            _, notes = register(self.record, self.id, self.plan)
            for note in notes:
                listener.noticed(note)
        return is_new

    def _finalise(self, found: Walk, pool: Engine, listener: Listener) -> None:
        """Opens the sealed split, and where the plan trains a last time measures, exports and bundles that."""
        self._open_test_split(found, pool, listener)
        if found.final is None or pool.is_interrupted or not self._is_open_for(found):
            return
        standing, log = standing_of(self.plan, self._prints()), self._log()
        ending = Ending(
            plan=self.plan,
            record=self.record,
            study_id=self.id,
            standing=standing,
            workload=self.workload,
            place=self.place,
            task=lambda run, label: self._task(
                run.key, Request(config=run.config, seed=run.seed, experiment=label, arm=label)
            ),
        )

        def told(final: Final) -> Story:
            story = self._tell(found)
            return dataclasses.replace(story, phases=dataclasses.replace(_phases_of(story), final=final))

        finish(ending, found, log, pool, listener.noticed, told)
        if self.phases is not None and not pool.is_interrupted:
            self.phases.close(found, listener.noticed)
            self.halted = self.phases.halted
            self._put_state_on_record(found)

    def _log(self) -> PhaseLog:
        return read_log(self.record, self.id, standing_of(self.plan, self._prints()))

    def _is_open_for(self, found: Walk) -> bool:
        """Whether the test split was opened for this champion; the first time it is, that goes on record."""
        champion = config_hash(found.champion)
        openings = self.record.events(self.id, "opening")
        if not openings:
            self.record.add_event(self.id, kind="opening", experiment=None, payload={"champion": champion})
            return True
        return bool(openings[0].payload["champion"] == champion)

    def _tell(self, found: Walk) -> Story:
        return tell(self.record, self.id, self.plan, self.workload, found, self._prints())

    def _prints(self) -> tuple[str, str]:
        return self.data_fingerprint, self.code_fingerprint

    def key(self, config: Mapping[str, Any], seed: int) -> str:
        """The identity of a run of this study, with today's data and code."""
        return run_key(self.plan.workload_identity, config, seed, self.data_fingerprint, self.code_fingerprint)

    def _note_new_fingerprints(self) -> None:
        states = self.record.events(self.id, "state")
        if not states:
            return
        for name, now in (("data", self.data_fingerprint), ("code", self.code_fingerprint)):
            if states[-1].payload[name] != now:
                note = (
                    f"the {name} changed since the last time ({states[-1].payload[name][:8]} → {now[:8]}), "
                    "so runs made before no longer apply and are trained again"
                )
                self.notes = (*self.notes, note)
                self.record.add_event(self.id, kind="notice", experiment=None, payload={"text": note})

    def _runs(self) -> list[Run]:
        """The study's runs; the measurements of one that has ended change no more, so they are read once."""
        runs = self.record.runs(self.id)
        new = [run.key for run in runs if run.status is not Status.RUNNING and run.id not in self._read]
        self._read |= {run.id: run for run in self.record.completed(new).values()}
        return [self._read.get(run.id, run) for run in runs]

    def _walk_on(self) -> Walk:
        """The walk that training goes by: a failed run that may be tried again is wanted once more."""
        runs = self._runs()
        settled = {
            i for kind in ("decision", "claim") for e in self.record.events(self.id, kind) for i in e.payload["runs"]
        }
        settled_keys = {run.key for run in runs if run.id in settled} | self._failed_now
        failures = Counter(run.key for run in runs if run.status is Status.FAILED)
        again = {key for key, times in failures.items() if times < MOST_ATTEMPTS and key not in settled_keys}
        return self._walk(ended_runs(r for r in runs if r.status is not Status.FAILED or r.key not in again))

    def _walk(self, ended: Mapping[str, Run]) -> Walk:
        def find(config: Mapping[str, Any], seed: int) -> Run | None:
            return ended.get(self.key(config, seed))

        return walk_of(self.record, self.id, self.plan, self.workload, find, self._prints())

    def _reuse(self, found: Walk) -> bool:
        """Whether some of the wanted runs were trained before, by another study; this one rests on them now."""
        wanted = {self.key(r.config, r.seed): r for r in found.wanted}
        trained = self.record.completed(list(wanted))
        for key, run in trained.items():
            self.record.use_run(self.id, run.id, experiment=wanted[key].experiment, arm=wanted[key].arm)
        return bool(trained)

    def _train(self, found: Walk, pool: Engine, listener: Listener) -> None:
        wanted = {self.key(r.config, r.seed): r for r in found.wanted}
        run_ids: dict[str, int] = {}
        left = self._most_runs(found)

        def start(task: Task, provenance: Provenance) -> None:
            request = wanted[task.key]
            run_ids[task.key] = self.record.start_run(
                study_id=self.id,
                key=task.key,
                workload=self.plan.workload_identity,
                config=task.config,
                seed=task.seed,
                provenance=provenance,
                experiment=request.experiment,
                arm=request.arm,
            )
            listener.run_started(task)

        def end(outcome: Outcome) -> None:
            nonlocal left
            status = self.record.finish_run(
                run_ids[outcome.task.key],
                status=outcome.status,
                reason=outcome.reason,
                measurements=outcome.measurements,
                facts=outcome.facts,
                checkpoints=outcome.checkpoints,
                provenance=outcome.provenance,
            )
            left -= status is not Status.INTERRUPTED and not outcome.is_worker_lost
            listener.run_ended(outcome, left)

        # Asked once more right before each begins: another study on this record may have trained it meanwhile.
        tasks = (self._task(key, r) for key, r in wanted.items() if not self.record.completed([key]))
        outcomes = pool.run(tasks, on_start=start, on_measurement=listener.run_measured, on_end=end)
        self._failed_now |= {o.task.key for o in outcomes if o.status is Status.FAILED}

    def _search(self, found: Walk, pool: Engine, listener: Listener) -> None:
        """Explores for the experiment that waits for its arms; what it found goes on record once it is done."""
        search, room = self._study_search(found), self._room(found)
        if room is not None and search.trials_made + room < search.search.trials:
            listener.noticed(f"{found.exploring}: {_in_part(search, room)}")
        result = search.run(pool, listener, most_runs=room)
        if result is not None:
            self.record.add_event(self.id, kind="explored", experiment=found.exploring, payload=result)

    def _study_search(self, found: Walk) -> StudySearch:
        experiment = next(e for e in self.plan.experiments if e.id == found.exploring)
        ground = self._ground(experiment.id, found.champion)
        return StudySearch(self.plan, experiment, found.champion, ground=ground)

    def _ground(self, experiment: str, champion: Mapping[str, Any]) -> Ground:
        return Ground(
            record=self.record,
            study_id=self.id,
            key=search_key(experiment),
            place=self.place,
            workload=self.workload,
            prints=Prints(data=self.data_fingerprint, code=self.code_fingerprint),
            base=champion,
            seed_block=SEARCH_BLOCK,
        )

    def _notice(self, text: str, listener: Listener) -> None:
        self.record.add_event(self.id, kind="notice", experiment=None, payload={"text": text})
        listener.noticed(text)

    def _task(self, key: str, request: Request) -> Task:
        minutes = self.plan.budget.run_minutes
        return Task(
            key=key,
            workload=self.plan.workload,
            config=request.config,
            seed=request.seed,
            artifacts=self.place.artifacts(key),
            data_root=self.place.data_root,
            device=self.place.device,
            label=f"{request.experiment} / {request.arm}" if request.experiment != request.arm else request.arm,
            time_limit_seconds=minutes * 60 if minutes else None,
            data_fingerprint=self.data_fingerprint,
            code_fingerprint=self.code_fingerprint,
        )

    def _most_runs(self, found: Walk) -> int:
        """The most runs that can still be wanted: every arm to its last look, every adoption confirmed."""
        if found.phase in ("confirm", FINALISE, "done"):
            return len(found.wanted)
        told = zip(self.plan.experiments, found.experiments, strict=True)
        still = [(e, story) for e, story in told if story.state in ("waiting", "running")]
        racing = sum(
            (len(story.arms) or e.most_arms) * story.rule.seeds - sum(len(a.seeds) for a in story.arms)
            for e, story in still
        )
        exploring = sum(e.search.trials for e, story in still if e.search is not None and not story.arms)
        if found.exploring:
            exploring -= self._study_search(found).trials_made
        asked_elsewhere = self._asked_elsewhere(found)
        own_seeds = sum(story.rule.seeds for _, story in still if story.id in asked_elsewhere)
        champion = self.plan.rule.seeds - len(found.champion_values) if still else 0
        path = len(found.path_configs) + len(still)
        confirming = path * self.plan.rule.confirm_seeds if path > 1 else 0
        return max(champion, 0 if still else len(found.wanted)) + own_seeds + exploring + racing + confirming

    def _asked_elsewhere(self, found: Walk) -> set[str]:
        """The experiments that race on seeds of their own, on which the champion trains for them too."""
        asked, now = askings(self.record, self.id), config_hash(found.champion)
        again = {name for name, earlier in asked.items() if earlier[0].champion != now}
        return again | {name for name, r in registrations(self.record, self.id).items() if r.block is not None}

    def _within_budget(self, found: Walk, listener: Listener) -> bool:
        """Whether the wanted runs may be trained; where not, the experiment's or the study's end is put on record."""
        reason = self._too_small_to_search(found) if found.exploring else self._over_budget(found)
        if not reason:
            return True
        if found.phase == BASELINE:
            raise PlanError(f"the budget must allow for the baseline: {reason}; give more, or ask for fewer seeds")
        running = next((e for e in found.experiments if e.state == "running"), None)
        ended = running.id if running else FINAL if found.phase == FINALISE else CONFIRMATION
        revision = self.record.revisions(self.id)[-1].number
        self.record.add_event(self.id, kind="skip", experiment=ended, payload={"revision": revision, "reason": reason})
        listener.noticed(untested(reason) if ended == CONFIRMATION else f"{ended}: {reason}")
        return False

    def _over_budget(self, found: Walk) -> str:
        """Why the budget forbids the wanted runs, or nothing; the confirmation's share is kept aside."""
        budget, trained, wanted = self.plan.budget, self._trained(), len(found.wanted)
        reserve = self._kept_to_confirm(found)
        if budget.runs is not None and trained + wanted + reserve > budget.runs:
            kept = f", and {reserve} are kept for the confirmation" if reserve else ""
            return f"the budget of {budget.runs} runs is spent: {trained} are trained, {wanted} are wanted next{kept}"
        hours = self._hours()
        if budget.hours is not None and trained and hours * (1 + (wanted + reserve) / trained) > budget.hours:
            return f"the budget of {budget.hours:g} hours is spent: {hours:.2g} are used, the rest is kept to confirm"
        return ""

    def _too_small_to_search(self, found: Walk) -> str:
        """Why the budget does not allow the search of the day even one trial for each arm, or nothing."""
        search, room = self._study_search(found), self._room(found)
        arms = len(search.search.arm_names)
        if room is None or search.trials_made + room >= arms:
            return ""
        return (
            f"the budget is too small for its search: {self._trained()} runs are trained, "
            f"{self._kept_to_race(found)} are kept for its race and {self._kept_to_confirm(found)} to confirm, "
            f"and of the others it needs {arms} at least, one for each arm"
        )

    def _room(self, found: Walk) -> int | None:
        """How many runs the search of the day may train, its race and the confirmation kept aside; None: any number."""
        budget, trained = self.plan.budget, self._trained()
        rooms = [] if budget.runs is None else [budget.runs - trained]
        hours = self._hours()
        if budget.hours is not None and hours > 0:
            rooms.append(int((budget.hours - hours) / (hours / max(trained, 1))))
        if not rooms:
            return None
        return max(min(rooms) - self._kept_to_race(found) - self._kept_to_confirm(found), 0)

    def _kept_to_race(self, found: Walk) -> int:
        """The most runs that the race after the search of the day can want."""
        story = next(story for story in found.experiments if story.id == found.exploring)
        arms = len(self._study_search(found).search.arm_names)
        has_own_seeds = found.exploring in self._asked_elsewhere(found)
        champion = 0 if has_own_seeds else len(found.champion_values)
        return arms * story.rule.seeds + max(story.rule.seeds - champion, 0)

    def _kept_to_confirm(self, found: Walk) -> int:
        may_adopt = found.phase == "optimise"
        final = self.plan.finalise.seeds if self.plan.finalise and found.phase in ("optimise", "confirm") else 0
        return final + ((len(found.path_configs) + 1) * self.plan.rule.confirm_seeds if may_adopt else 0)

    def _hours(self) -> float:
        return self.record.status_counts()[self.id].wall_seconds / 3600

    def _trained(self) -> int:
        """How many runs this study has trained, whatever came of them."""
        statuses = self.record.status_counts()[self.id].statuses
        return sum(n for status, n in statuses.items() if status not in UNFINISHED)

    def _put_decisions_on_record(self, found: Walk, listener: Listener) -> None:
        latest = {e.experiment: e.payload for e in self.record.events(self.id, "decision")}
        for story in found.experiments:
            if story.choice is None:
                continue
            payload = _decision_payload(story, found)
            if latest.get(story.id) == payload:
                continue
            self._use_all(story)
            self._put_verdicts_on_record(story)
            self.record.add_event(self.id, kind="decision", experiment=story.id, payload=payload)
            listener.decided(story, self._tell(found))
        if found.overall is not None:
            claims = self.record.events(self.id, "claim")
            payload = _claim_payload(found)
            if not claims or claims[-1].payload != payload:
                self.record.add_event(self.id, kind="claim", experiment=None, payload=payload)
                listener.claimed(self._tell(found))

    def _put_verdicts_on_record(self, story: ExperimentStory) -> None:
        # A process killed between a verdict and its decision must not say the verdict twice.
        known = [dataclasses.asdict(row) for row in self.record.verdicts(self.id) if row.experiment == story.id]
        for row in map(_verdict_row, _answers(story)):
            if not any(all(other[name] == value for name, value in row.items()) for other in known):
                self.record.add_verdict(self.id, experiment=story.id, **row)

    def _use_all(self, story: ExperimentStory) -> None:
        """Says on record that the experiment rests on its champion's and its arms' runs, trained here or not."""
        known = {(u.run_id, u.experiment) for u in self.record.uses(self.id)}
        for arm in (story.champion, *story.arms):
            for run in arm.runs if arm else ():
                if (run.id, story.id) not in known:
                    self.record.use_run(self.id, run.id, experiment=story.id, arm=arm.name if arm else "")
                    known.add((run.id, story.id))

    def _put_state_on_record(self, found: Walk) -> None:
        payload = state_payload(self._tell(found), self.plan, found, *self._prints())
        states = self.record.events(self.id, "state")
        if not states or states[-1].payload != payload:
            self.record.add_event(self.id, kind="state", experiment=None, payload=payload)

    def _open_test_split(self, found: Walk, pool: Engine, listener: Listener) -> None:
        """Measures baseline and champion on the sealed test split, once in a study's life."""
        if not found.fresh or self.workload.evaluate is None:
            return
        champion = config_hash(found.champion)
        openings = self.record.events(self.id, "opening")
        values = [o for o in openings if "values" in o.payload]
        if openings and openings[0].payload["champion"] != champion:
            listener.noticed(
                f"the test split was opened on {openings[0].at[:16]} for another champion and stays closed: "
                "a second look would choose by it"
            )
            return
        if values:
            return
        runs = {"baseline": found.fresh[0].runs, "champion": found.fresh[-1].runs}
        complete = [(name, run) for name, some in runs.items() for run in some if run.status is Status.COMPLETE]
        tasks = [self._evaluation(run, name) for name, run in complete]
        gone = [task for task in tasks if not _is_intact(task)]
        if gone:
            listener.noticed(
                f"the test split stays sealed: {len(gone)} of {len(tasks)} checkpoints are missing or not the recorded "
                f"ones, {gone[0].artifacts / 'last.pt'} first; put the files back and run again"
            )
            return
        if not openings:
            self.record.add_event(self.id, kind="opening", experiment=None, payload={"champion": champion})
        measured: dict[str, list[Mapping[str, float]]] = {name: [] for name in runs}
        for outcome in pool.run(tasks):
            if outcome.status is Status.COMPLETE:
                measured[outcome.task.label].append(outcome.values)
            else:
                self._notice(f"{outcome.task.label} on the test split: {outcome.status} ({outcome.reason})", listener)
        if sum(map(len, measured.values())) == len(tasks):
            payload = {"champion": champion, "values": measured}
            self.record.add_event(self.id, kind="opening", experiment=None, payload=payload)

    def _evaluation(self, run: Run, label: str) -> Task:
        request = Request(config=run.config, seed=run.seed, experiment=label, arm=label)
        return dataclasses.replace(
            self._task(run.key, request),
            kind="evaluate",
            checkpoint="last",
            checkpoint_hash=run.checkpoints.get("last", ""),
            split="test",
            is_test_open=True,
        )


def _phases_of(story: Story) -> PhaseStory:
    """The story's phases; a study without any has only an end to tell."""
    return story.phases or PhaseStory(
        phase=story.phase, baseline_config=story.champion_config, final_config=story.champion_config
    )


def _in_part(search: StudySearch, room: int) -> str:
    trials = search.search.trials
    return (
        f"its search can make {search.trials_made + room} of its {trials} trials: "
        "the rest of the budget is kept for its race and the confirmation"
    )


def _is_intact(task: Task) -> bool:
    """Whether the checkpoint that the task measures is there, as it was recorded."""
    path = task.artifacts / f"{task.checkpoint}.pt"
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return task.checkpoint_hash in ("", hashlib.file_digest(file, "sha256").hexdigest())


def _decision_payload(story: ExperimentStory, found: Walk) -> dict[str, Any]:
    """The decision and the runs it rests on: a failed one among them is not tried again, as that could change it.

    An arm that was lost altogether (a full disk, a missing library) showed nothing, so nothing rests on it.
    """
    assert story.choice is not None
    lost = {name for name, verdict in story.steps.items() if verdict.end is End.UNTESTABLE}
    arms = [arm for arm in (story.champion, *story.arms) if arm is not None and arm.name not in lost]
    baseline = found.baseline.runs[: story.rule.seeds] if found.baseline else ()
    runs = {run.id for run in (*baseline, *(run for arm in arms for run in arm.runs))}
    return {
        "state": story.state,
        "decision": str(story.choice.decision),
        "arm": story.choice.arm,
        "reason": story.choice.reason,
        "champion_before": config_hash(story.champion_before),
        "champion_after": config_hash(story.champion_after),
        "tested": tested_arms(story),
        "false_adopts": false_adopts(story),
        "predictions": [_prediction_of(verdict) for verdict in _answers(story)],
        "runs": sorted(runs) if story.state == "decided" else [],
    }


def _answers(story: ExperimentStory) -> tuple[Verdict, ...]:
    """The verdicts on what was predicted, of arms and of contrasts."""
    return (*story.verdicts, *(c.verdict for c in story.contrasts if c.verdict.prediction.is_registered))


def _prediction_of(verdict: Verdict) -> list[str]:
    prediction = verdict.prediction
    return [prediction.subject, prediction.metric, prediction.relation, str(verdict.answer), str(verdict.cause)]


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    low, high = verdict.interval or (None, None)
    return {
        "arm": verdict.prediction.subject,
        "metric": verdict.prediction.metric,
        "verdict": verdict.answer,
        "cause": verdict.cause,
        "decision": verdict.decision,
        "n": verdict.n,
        "estimate": verdict.estimate,
        "low": low,
        "high": high,
        "p": verdict.p,
        "detectable": verdict.detectable,
        "payload": {
            "relation": verdict.prediction.relation,
            "is_registered": verdict.prediction.is_registered,
            "method": verdict.method,
            "end": str(verdict.end),
            "reason": verdict.reason,
        },
    }


def _claim_payload(found: Walk) -> dict[str, Any]:
    assert found.overall is not None
    return {
        "path": [config_hash(config) for config in found.path_configs],
        "seeds": list(found.fresh[0].seeds),
        "runs": sorted(run.id for arm in found.fresh for run in arm.runs),
        "claims": [_claim_row(claim) for claim in (*found.claims, found.overall)],
    }


def _claim_row(claim: Claim) -> dict[str, Any]:
    return {
        "step": claim.step.name,
        "metric": claim.metric,
        "is_confirmed": claim.is_confirmed,
        "n": claim.n,
        "estimate": claim.estimate,
        "interval": list(claim.interval) if claim.interval else None,
        "p": claim.p,
        "p_adjusted": claim.p_adjusted,
    }
