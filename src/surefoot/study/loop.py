"""Study: registers the plan, trains what the walk asks for, and puts every decision on record."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from surefoot.claim import Claim
from surefoot.execution import Outcome, Task, WorkerPool
from surefoot.plan import Plan
from surefoot.report.story import ExperimentStory, Story
from surefoot.run import Measurement, Provenance, Run, Status, config_hash, run_key
from surefoot.storage import Record
from surefoot.study.registration import register
from surefoot.study.telling import confirming_seeds_of, state_payload, tell, walk_of
from surefoot.study.walk import BASELINE, Request, Walk
from surefoot.verdict import Verdict
from surefoot.workload import Workload, check_requirements, find_workload

# A run that failed is tried again by the next `surefoot run`, while its experiment is undecided.
MOST_ATTEMPTS = 3
ABANDONED = "the coordinating process ended before the run did"


class Listener(Protocol):
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where and on what a study trains. `home` holds the artifacts, and the record unless that is elsewhere."""

    home: Path
    data_root: Path | None = None
    device: str = "cpu"


class Study:
    """Guards one study on the record: whatever happens to a process, walking again goes on from there.

    `Study(plan, …)` registers the plan; `Study.of(record, name, …)` opens the latest revision to read.
    """

    def __init__(self, plan: Plan, record: Record, place: Place) -> None:
        self.plan, self.record, self.place = plan, record, place
        self.workload: Workload = find_workload(plan.workload)
        check_requirements(self.workload)
        self.data_fingerprint = self.workload.fingerprint(place.data_root)
        self.code_fingerprint = self.workload.code_fingerprint()
        self.id = record.add_study(plan.study, plan.workload)
        self.is_new_revision, self.notes = register(record, self.id, plan)
        self._failed_now: set[str] = set()
        self._note_new_fingerprints()

    def story(self) -> Story:
        """The study as the record tells it now."""
        return tell(self.record, self.id, self.plan, self.workload, self._walk(self._ended_runs()), self._prints())

    def run(self, pool: WorkerPool, listener: Listener) -> Story:
        """Trains what the plan still needs, to its end, its budget or an interrupt; the story then.

        Every run is on record before the next decision is taken; the walk over the record is all the
        memory there is.
        """
        self.record.close_abandoned(ABANDONED)
        for note in self.notes:
            listener.noticed(note)
        found = self._walk(self._ended_runs(is_training=True))
        listener.begun(self._tell(found), self._most_runs(found))
        while True:
            self._put_decisions_on_record(found, listener)
            if not found.wanted or pool.is_interrupted:
                break
            if not self._within_budget(found, listener):
                found = self._walk(self._ended_runs(is_training=True))
                continue
            self._train(found, pool, listener)
            found = self._walk(self._ended_runs(is_training=True))
        if not found.wanted and found.phase == "done" and self.plan.is_finalised:
            self._open_test_split(found, pool, listener)
        story = self._tell(found)
        self._put_state_on_record(story)
        return story

    def _tell(self, found: Walk) -> Story:
        return tell(self.record, self.id, self.plan, self.workload, found, self._prints())

    def _prints(self) -> tuple[str, str]:
        return self.data_fingerprint, self.code_fingerprint

    def key(self, config: Mapping[str, Any], seed: int) -> str:
        """The identity of a run of this study, with today's data and code."""
        return run_key(self.plan.workload, config, seed, self.data_fingerprint, self.code_fingerprint)

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

    def _ended_runs(self, *, is_training: bool = False) -> dict[str, Run]:
        """Ended runs of this study by key; while training, failed ones that may be tried again are left out."""
        decided = {e.experiment for e in self.record.events(self.id, "decision")}
        undecided_runs = {u.run_id for u in self.record.uses(self.id) if u.experiment not in decided}
        ended: dict[str, Run] = {}
        for run in self.record.runs(self.id, with_measurements=True):
            is_open = run.status in (Status.RUNNING, Status.INTERRUPTED)
            may_retry = (
                run.status is Status.FAILED
                and run.key not in self._failed_now
                and run.attempt < MOST_ATTEMPTS
                and run.id in undecided_runs
            )
            if is_open or (is_training and may_retry):
                continue
            if run.key not in ended or run.status in (Status.COMPLETE, Status.INFEASIBLE):
                ended[run.key] = run
        return ended

    def _walk(self, ended: Mapping[str, Run]) -> Walk:
        def find(config: Mapping[str, Any], seed: int) -> Run | None:
            return ended.get(self.key(config, seed))

        return walk_of(self.record, self.id, self.plan, self.workload, find)

    def _train(self, found: Walk, pool: WorkerPool, listener: Listener) -> None:
        keys = {self.key(r.config, r.seed): r for r in found.wanted}
        reused = self.record.completed(list(keys))
        for key, run in reused.items():
            request = keys.pop(key)
            self.record.use_run(self.id, run.id, experiment=request.experiment, arm=request.arm)
        run_ids: dict[str, int] = {}
        left = self._most_runs(found) - len(reused)

        def start(task: Task, provenance: Provenance) -> None:
            request = keys[task.key]
            run_ids[task.key] = self.record.start_run(
                study_id=self.id,
                key=task.key,
                workload=task.workload,
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
            if status is Status.FAILED and not outcome.is_worker_lost:
                self._failed_now.add(outcome.task.key)
            left -= status not in (Status.INTERRUPTED, Status.RUNNING)
            listener.run_ended(outcome, left)

        tasks = [self._task(key, request) for key, request in keys.items()]
        outcomes = pool.run(tasks, on_start=start, on_measurement=listener.run_measured, on_end=end)
        self._failed_now |= {o.task.key for o in outcomes if o.status is Status.FAILED}

    def _task(self, key: str, request: Request) -> Task:
        minutes = self.plan.budget.run_minutes
        return Task(
            key=key,
            workload=self.plan.workload,
            config=request.config,
            seed=request.seed,
            artifacts=artifacts_of(self.place.home, key),
            data_root=self.place.data_root,
            device=self.place.device,
            label=f"{request.experiment} / {request.arm}" if request.experiment != request.arm else request.arm,
            time_limit_seconds=minutes * 60 if minutes else None,
            data_fingerprint=self.data_fingerprint,
            code_fingerprint=self.code_fingerprint,
        )

    def _most_runs(self, found: Walk) -> int:
        """The most runs that can still be wanted: every arm to its last look, every adoption confirmed."""
        later = sum(
            len(e.arms) * self.plan.rule.seeds
            for e, story in zip(self.plan.experiments, found.experiments, strict=True)
            if story.state == "waiting"
        )
        running = sum(
            e.rule.seeds * len(e.arms) - sum(len(a.seeds) for a in e.arms)
            for e in found.experiments
            if e.state == "running"
        )
        is_settled = found.phase in ("confirm", "done")
        confirming = 0 if is_settled else 2 * self.plan.rule.confirm_seeds
        now = len(found.wanted) if found.phase in (BASELINE, "confirm") else 0
        return later + running + confirming + now

    def _within_budget(self, found: Walk, listener: Listener) -> bool:
        """Whether the wanted runs may be trained; where not, the experiment's end is put on record."""
        reason = self._over_budget(found)
        running = next((e for e in found.experiments if e.state == "running"), None)
        if not reason or running is None:
            return True
        revision = self.record.revisions(self.id)[-1].number
        self.record.add_event(
            self.id, kind="skip", experiment=running.id, payload={"revision": revision, "reason": reason}
        )
        listener.noticed(f"{running.id}: {reason}")
        return False

    def _over_budget(self, found: Walk) -> str:
        """Why the budget forbids the wanted runs, or nothing; the confirmation's share is kept aside."""
        budget = self.plan.budget
        counts = self.record.status_counts()[self.id]
        trained = sum(n for status, n in counts.statuses.items() if status not in (Status.RUNNING, Status.INTERRUPTED))
        reserve = (len(found.path_configs) + 1) * self.plan.rule.confirm_seeds
        if budget.runs is not None and trained + len(found.wanted) + reserve > budget.runs:
            kept = f", and {reserve} are kept for the confirmation" if reserve else ""
            return f"the budget of {budget.runs} runs is spent: {trained} are trained{kept}"
        hours = counts.wall_seconds / 3600
        if budget.hours is not None and trained:
            expected = hours * (len(found.wanted) + reserve) / trained
            if hours + expected > budget.hours:
                return (
                    f"the budget of {budget.hours:g} hours is spent: {hours:.2f} are used, the rest is kept to confirm"
                )
        return ""

    def _put_decisions_on_record(self, found: Walk, listener: Listener) -> None:
        recorded = {_decision_key(e.experiment, e.payload) for e in self.record.events(self.id, "decision")}
        for story in found.experiments:
            if story.state not in ("decided", "skipped") or story.choice is None:
                continue
            payload = _decision_payload(story, self.plan)
            if _decision_key(story.id, payload) in recorded:
                continue
            self._use_all(story)
            predicted = [c.verdict for c in story.contrasts if c.verdict.prediction.is_registered]
            for verdict in (*story.verdicts, *predicted):
                self.record.add_verdict(self.id, experiment=story.id, **_verdict_row(verdict))
            self.record.add_event(self.id, kind="decision", experiment=story.id, payload=payload)
            whole = self._tell(found)
            listener.decided(story, whole)
            self._put_state_on_record(whole)
        if found.overall is not None:
            payload = _claim_payload(found)
            if all(e.payload != payload for e in self.record.events(self.id, "claim")):
                self.record.add_event(self.id, kind="claim", experiment=None, payload=payload)
                listener.claimed(self._tell(found))

    def _use_all(self, story: ExperimentStory) -> None:
        """Says on record that the experiment rests on its champion's and its arms' runs, trained here or not."""
        known = {(u.run_id, u.experiment) for u in self.record.uses(self.id)}
        for arm in (story.champion, *story.arms):
            for run in arm.runs if arm else ():
                if (run.id, story.id) not in known:
                    self.record.use_run(self.id, run.id, experiment=story.id, arm=arm.name if arm else "")
                    known.add((run.id, story.id))

    def _put_state_on_record(self, story: Story) -> None:
        payload = state_payload(story, *self._prints())
        states = self.record.events(self.id, "state")
        if not states or states[-1].payload != payload:
            self.record.add_event(self.id, kind="state", experiment=None, payload=payload)

    def _open_test_split(self, found: Walk, pool: WorkerPool, listener: Listener) -> None:
        """Measures baseline and champion on the sealed test split, once in a study's life."""
        if len(found.path_configs) == 1 or self.workload.evaluate is None:
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
        if not openings:
            self.record.add_event(self.id, kind="opening", experiment=None, payload={"champion": champion})
        seeds = confirming_seeds_of(self.plan, self.record, self.id)
        configs = {"baseline": found.path_configs[0], "champion": found.champion}
        tasks = [self._evaluation(config, seed, name) for name, config in configs.items() for seed in seeds]
        measured: dict[str, list[Mapping[str, float]]] = {name: [] for name in configs}
        for outcome in pool.run([t for t in tasks if t is not None]):
            if outcome.status is Status.COMPLETE:
                measured[outcome.task.label].append(outcome.values)
            else:
                listener.noticed(f"{outcome.task.label} on the test split: {outcome.status} ({outcome.reason})")
        if not pool.is_interrupted:
            payload = {"champion": champion, "values": measured}
            self.record.add_event(self.id, kind="opening", experiment=None, payload=payload)

    def _evaluation(self, config: Mapping[str, Any], seed: int, label: str) -> Task | None:
        key = self.key(config, seed)
        run = self.record.completed([key]).get(key)
        if run is None or run.status is not Status.COMPLETE:
            return None
        return dataclasses.replace(
            self._task(key, Request(config=config, seed=seed, experiment=label, arm=label)),
            kind="evaluate",
            checkpoint="last",
            checkpoint_hash=run.checkpoints.get("last", ""),
            split="test",
            is_test_open=True,
        )


def artifacts_of(home: Path, key: str) -> Path:
    """The folder of a run's checkpoints and output; one for each identity, whatever study asked for it."""
    return home / "artifacts" / key[:2] / key


def _decision_payload(story: ExperimentStory, plan: Plan) -> dict[str, Any]:
    assert story.choice is not None
    content = {e.id: e.content_hash for e in plan.experiments}
    return {
        "content": content[story.id],
        "state": story.state,
        "decision": str(story.choice.decision),
        "arm": story.choice.arm,
        "reason": story.choice.reason,
        "champion_before": config_hash(story.champion_before),
        "champion_after": config_hash(story.champion_after),
    }


def _decision_key(experiment: str | None, payload: Mapping[str, Any]) -> tuple[Any, ...]:
    return (experiment, *(payload[k] for k in ("content", "state", "decision", "arm", "champion_before")))


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
        "seeds": list(found.confirm_seeds),
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
