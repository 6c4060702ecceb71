"""Phases: takes a study from gate to gate - diagnosed, optimised in rounds, decided - each step put on record."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.diagnosis.diagnosis import diagnose
from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.errors import PlanError, WorkloadError
from surefoot.execution import Place
from surefoot.execution.environment import environment
from surefoot.ledger import corrected
from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Gate
from surefoot.phases.gates import gate_of, unknown_overrides
from surefoot.phases.outlook import Outlook, outlook
from surefoot.phases.transitions import after_baseline, after_diagnosis
from surefoot.plan import Experiment, Plan
from surefoot.reports.story import ExperimentStory
from surefoot.run import Run, Status, config_hash
from surefoot.storage import Record
from surefoot.strategies.sweep import searched
from surefoot.strategies.targeted import ablation, chosen, targeted
from surefoot.study.diagnosing import ground_of, history_of
from surefoot.study.ending import FOLDER, damaged_bundle, final_of
from surefoot.study.evidence import damaged, openings_before, sealed_asks
from surefoot.study.phase_log import (
    ABLATION,
    DIAGNOSIS,
    ENVIRONMENT,
    GATE,
    LEDGER,
    OUTLOOK,
    ROUND,
    PhaseLog,
    RoundEntry,
    every_row,
    gate_json,
    read_log,
    round_json,
    standing_of,
    terms_of,
)
from surefoot.study.registration import registrations, revision_stories
from surefoot.study.rounds import adopted_arm, ledger_rows, needs_ablation, rounds_of
from surefoot.study.walk import BASELINE, FINALISE, Walk
from surefoot.words import clause, count
from surefoot.workload import Workload, as_config

NOTHING_LEFT = "no recommendation is left to try"
TAKEN_BACK = "the plan asks otherwise of optimising than when it ended"
STAYS_CLOSED = (
    "optimising ended on another plan or champion than today's, but the test split was opened since: another "
    "round would choose with its values known, so what was settled stands; a new study may go on from this champion"
)


class Phases:
    """Guards the phases of one study on the record: whatever was interrupted, advancing again goes on from there.

    `plan` is the plan as a person wrote it; `grown` has what its rounds registered.
    """

    def __init__(
        self, plan: Plan, record: Record, study_id: int, workload: Workload, prints: tuple[str, str], place: Place
    ) -> None:
        assert plan.optimise is not None
        for mistake in unknown_overrides(plan.overrides):
            raise PlanError(f"{plan.path}: {mistake}")
        self.plan, self.optimise = plan, plan.optimise
        self.record, self.id, self.workload, self.prints, self.place = record, study_id, workload, prints, place
        self.standing, self.terms = standing_of(plan, prints), terms_of(plan)
        self.halted = ""
        self._damage: dict[int, str] = {}
        self._passed: set[tuple[str, int]] = set()
        self._is_told, self._champion = False, ""

    def log(self) -> PhaseLog:
        """What is on record by now."""
        return read_log(self.record, self.id, self.standing)

    @property
    def grown(self) -> Plan:
        """The plan with what its rounds registered."""
        return self.log().grown(self.plan)

    def note_environment(self, threads: int) -> None:
        """Puts on record where the study is trained, where that is new."""
        now = environment(self.place.device, threads)
        events = self.record.events(self.id, ENVIRONMENT)
        if not events or events[-1].payload != now:
            self.record.add_event(self.id, kind=ENVIRONMENT, experiment=None, payload=now)

    def advance(self, found: Walk, tell: Callable[[str], None]) -> bool:
        """Takes the next step that needs no training, and puts it on record; whether there was one.

        False where runs are wanted first, where all is done, or where a gate is closed: then `halted` says so.
        """
        self.halted = ""
        self._champion = config_hash(found.champion)
        log = self.log()
        if not self._passes("plan", 0, found, log, tell):
            return False
        is_baseline = found.phase == BASELINE
        if is_baseline and found.wanted:
            return False
        if not self._passes("baseline", 0, found, log, tell):
            return False
        if is_baseline:  # without two values there is nothing to compare, whatever was overridden
            self.halted = "fewer than two baseline runs ended with a value"
            return False
        if not log.diagnoses and not log.outlooks:
            return self._leave_baseline(found, log, tell)
        if log.diagnoses and not self._passes("diagnose", max(log.diagnoses), found, log, tell):
            return False
        if log.is_settled:
            return self._leave_optimising(found, log, tell)
        if found.wanted or found.exploring:
            return False
        return self._optimise(found, log, tell)

    def close(self, found: Walk, tell: Callable[[str], None]) -> None:
        """Answers the last gate, once what finalise does is done."""
        self._passes("finalise", len(self.log().bundle), found, self.log(), tell)

    # ── the steps ──

    def _leave_baseline(self, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        turn = after_baseline(self.dossier(found, log))
        if turn.phase != "diagnose":
            self._put_outlook(0, Outlook(turn="finalise", because=turn.because), tell)
            return True
        assert found.baseline is not None
        tell(turn.because)
        self._put_diagnosis(1, found.baseline.runs, found.champion, "the baseline", tell)
        return True

    def _leave_optimising(self, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        if self._is_taken_back(found, log, tell):
            return True
        # Asked before the last training too: a gate that was open once may have lost its evidence.
        if found.phase not in ("done", FINALISE) or "optimise" in self._names_passed():
            return False
        was_held = bool(log.holds)
        return self._passes("optimise", len(log.rounds), found, log, tell) and was_held

    def _is_taken_back(self, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        """Whether the end of optimising has to be decided again, which is on record then."""
        terms, champion = log.settled_on
        is_other_plan, is_decided = terms != self.terms, found.phase in ("confirm", FINALISE, "done")
        # Where no round was needed, the plan's own experiments may move the champion afterwards.
        is_other_champion = is_decided and max(log.outlooks) > 0 and champion != self._champion
        if not (is_other_plan or is_other_champion):
            return False
        if self.record.events(self.id, "opening"):
            if not self._is_told:
                self._is_told = True
                tell(STAYS_CLOSED)
            return False
        because = TAKEN_BACK if is_other_plan else "another champion stands since a failed run was trained again"
        self._put(OUTLOOK, {"round": max(log.outlooks), "outlook": None, "because": f"asked again: {because}"})
        return True

    def _optimise(self, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        number = max(log.diagnoses)
        if number not in log.rounds:
            return self._begin_round(number, found, log, tell)
        entry, stories = log.rounds[number], {story.id: story for story in found.experiments}
        story = stories[entry.experiment.id]
        if needs_ablation(entry, story) and number not in log.ablations:
            metric, drivers = self.plan.primary, self.workload.drivers
            experiment = ablation(number, entry.tried, story.champion_before, metric, drivers)
            self._put(ABLATION, {"round": number, "experiment": experiment.definition()})
            tell(f"round {number}: {len(experiment.arms)} arms of an ablation say which of the changes did the work")
            return True
        self._end_round(number, entry, stories, found, log, tell)
        return True

    def _begin_round(self, number: int, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        diagnosis = log.diagnoses[number]
        if self.optimise.strategy == "none":
            self._put_outlook(number, Outlook(turn="finalise", because="the plan asks for no rounds of its own"), tell)
            return True
        asked, first = self._corrected(diagnosis)
        most = self.optimise.recommendations
        if number > self.optimise.rounds:  # they were more when the round before ended
            done = f"the plan asks for {count(self.optimise.rounds, 'round')}, which {_are(self.optimise.rounds)} done"
            self._put_outlook(number, Outlook(turn="ceiling", because=f"{done[0].upper()}{done[1:]}."), tell)
            return True
        tried, skipped = chosen(asked, found.champion, most, self._patches_tried(log, number), self._refused)
        turn = after_diagnosis(self.dossier(found, log), diagnosis, tried)
        if turn.phase != "optimise" or not tried:
            because = turn.because if turn.phase != "optimise" else f"{NOTHING_LEFT}: {_reasons(skipped)}"
            self._put_outlook(number, Outlook(turn="ceiling" if number > 1 else "finalise", because=because), tell)
            return True
        tell(f"round {number}: {turn.because}")
        entry = RoundEntry(
            number=number,
            strategy=self.optimise.strategy,
            tried=tried,
            skipped=skipped,
            first_promises={r.id: first[r.id] for r in tried if r.id in first},
            before=found.champion,
            experiment=self._experiment(number, diagnosis, tried, found.champion),
        )
        self._put(ROUND, round_json(entry))
        return True

    def _experiment(
        self, number: int, diagnosis: Diagnosis, tried: Sequence[Recommendation], champion: Mapping[str, Any]
    ) -> Experiment:
        metric, drivers = self.plan.primary, self.workload.drivers
        if self.optimise.strategy != "sweep":
            return targeted(number, diagnosis, tried, metric, drivers)
        return searched(
            number,
            diagnosis,
            tried,
            champion,
            space=self.workload.space,
            trials=self.optimise.trials,
            metric=metric,
            drivers=drivers,
        )

    def _end_round(
        self,
        number: int,
        entry: RoundEntry,
        stories: Mapping[str, ExperimentStory],
        found: Walk,
        log: PhaseLog,
        tell: Callable[[str], None],
    ) -> None:
        metric = self.plan.metric(self.plan.primary)
        runs = champion_runs(found)
        again = self._diagnosed(number + 1, runs, found.champion, f"the champion after round {number}")
        asked, _ = self._corrected(again)
        most, tried = self.optimise.recommendations, self._patches_tried(log, number + 1)
        remaining, _ = chosen(asked, found.champion, most, tried, self._refused)
        counts = self.record.status_counts()[self.id]
        trained = sum(counts.statuses.values())
        hours = counts.wall_seconds / 3600
        decided = outlook(
            rounds_of(log, found.experiments, metric),
            metric=metric,
            champion_values=found.champion_values,
            target=metric.target,
            rounds_allowed=self.optimise.rounds,
            thresholds=self.plan.thresholds,
            remaining=remaining,
            hours_used=hours,
            hours_allowed=self.plan.budget.hours or self.plan.thresholds.hours,
            hours_per_round=hours / max(trained, 1) * (len(remaining) + 1) * self.plan.rule.seeds,
        )
        ended = stories[entry.experiment.id]
        if ended.state == "skipped" and decided.turn != "finalise":
            told = f"Round {number} was not tried to its end: {clause(ended.note)}."
            decided = Outlook(turn="ceiling", because=told)
        with self.record.together():
            rows = ledger_rows(self.plan.study, entry, stories, metric)
            if ended.state == "decided" and log.rows.get(number) != rows:
                self._put(LEDGER, {"round": number, "rows": [dataclasses.asdict(row) for row in rows]})
            self._put_outlook(number, decided, tell)
            if decided.turn in ("iterate", "diagnose"):
                self._record_diagnosis(number + 1, again, tell)

    def _patches_tried(self, log: PhaseLog, number: int) -> list[Mapping[str, Any]]:
        return [r.patch for n, entry in log.rounds.items() if n < number for r in entry.tried]

    def _refused(self, config: Mapping[str, Any]) -> str:
        """Why the workload takes no such config; empty where it does."""
        try:
            as_config(self.workload, config)
        except WorkloadError as error:
            return str(error)
        return ""

    def _corrected(self, diagnosis: Diagnosis) -> tuple[tuple[Recommendation, ...], dict[str, tuple[float, float]]]:
        """The recommendations with their promises corrected by the ledger, and what was promised before that."""
        rows = every_row(self.record, self.id, self.standing)
        found = diagnosis.recommendations
        first = {r.id: (r.promise.low, r.promise.high) for r in found if r.promise is not None}
        return tuple(corrected(r, rows) for r in found), first

    # ── gates and what they look at ──

    def _passes(self, phase: str, number: int, found: Walk, log: PhaseLog, tell: Callable[[str], None]) -> bool:
        """Whether the gate is open; its answer goes on record where it is new, and is told where it is closed."""
        if (phase, number) in self._passed:
            return True
        gate = gate_of(phase, self.dossier(found, log))
        if log.gates.get(phase) != gate:
            self._put(GATE, {"gate": gate_json(gate)})
            for check in gate.overridden:
                tell(f"gate {phase}: {check.predicate} is overridden: {check.override} ({check.evidence})")
        if gate.is_open:
            self._passed.add((phase, number))
            return True
        self.halted = closed(gate)
        tell(self.halted)
        return False

    def _names_passed(self) -> set[str]:
        return {phase for phase, _ in self._passed}

    def dossier(self, found: Walk, log: PhaseLog) -> Dossier:
        """Everything a gate may look at, by now."""
        plan = self.plan
        revisions = revision_stories(self.record, self.id)
        # Rounds add revisions: what a person wrote was registered with the first that has it, grown or not.
        own, added = plan.experiments, log.experiments
        grown = {dataclasses.replace(plan, experiments=(*own, *added[:n])).hash for n in range(len(added) + 1)}
        mine = next((r for r in revisions if r.plan_hash in grown), None)
        metric = plan.metric(plan.primary)
        baseline = found.baseline.runs if found.baseline else ()
        champion = champion_runs(found)
        final = final_of(self.record, self.id, log, found)
        runs = {run.id: run for run in (*baseline, *champion, *(final.runs if final else ()))}
        return Dossier(
            plan=plan,
            plan_hash=plan.hash if mine else revisions[-1].plan_hash,
            registered_at=(mine or revisions[-1]).registered_at,
            environment=log.environment,
            data_fingerprint=self.prints[0],
            code_fingerprint=self.prints[1],
            baseline=baseline,
            champion=champion,
            damage=self._damage_of(runs.values()),
            registrations={name: r.registered_at for name, r in registrations(self.record, self.id).items()},
            tried=tried_runs(found),
            skipped={story.id: story.note for story in found.experiments if story.state == "skipped"},
            measures=tuple(use for use in ("evaluate", "predict") if getattr(self.workload, use) is not None),
            bundle_damage=self._bundle_damage(log),
            diagnosis=log.diagnoses[max(log.diagnoses)] if log.diagnoses else None,
            rounds=rounds_of(log, found.experiments, metric),
            ledger=log.ledger,
            decision=log.decision,
            claims=found.claims,
            overall=found.overall,
            final=final,
            sealed_asks=sealed_asks(self.record, self.id),
            opened_before_finalise=openings_before(self.record, self.id),
            hours=self.record.status_counts()[self.id].wall_seconds / 3600,
        )

    def _damage_of(self, runs: Any) -> dict[int, str]:
        for run in runs:
            if run.id not in self._damage:
                self._damage[run.id] = damaged(run, self.place)
        return {run_id: what for run_id, what in self._damage.items() if what}

    def _bundle_damage(self, log: PhaseLog) -> dict[str, str]:
        folder = self.place.home / self.plan.study / FOLDER
        return damaged_bundle(folder, log.bundle.get("files", {}))

    # ── the record ──

    def _diagnosed(self, number: int, runs: Sequence[Run], config: Mapping[str, Any], subject: str) -> Diagnosis:
        complete = [run for run in runs if run.status is not Status.RUNNING]
        metric = self.plan.metric(self.plan.primary)
        ground = ground_of(self.workload, config, complete, metric, self.place.data_root)
        histories = [history_of(run, f"{subject}, seed {run.seed}") for run in complete]
        return diagnose(histories, ground, subject=subject, thresholds=self.plan.thresholds)

    def _put_diagnosis(
        self, number: int, runs: Sequence[Run], config: Mapping[str, Any], subject: str, tell: Callable[[str], None]
    ) -> None:
        self._record_diagnosis(number, self._diagnosed(number, runs, config, subject), tell)

    def _record_diagnosis(self, number: int, diagnosis: Diagnosis, tell: Callable[[str], None]) -> None:
        self._put(DIAGNOSIS, {"round": number, "diagnosis": diagnosis.definition()})
        primary = next((s for s in diagnosis.symptoms if s.rule == diagnosis.primary), None)
        tell(
            f"{diagnosis.subject}: {primary.finding.sentence if primary else 'nothing ails it that the rules can see'}"
        )

    def _put_outlook(self, number: int, decided: Outlook, tell: Callable[[str], None]) -> None:
        told = {"round": number, "outlook": dataclasses.asdict(decided)}
        self._put(OUTLOOK, {**told, "terms": self.terms, "champion": self._champion})
        tell(f"{decided.turn}: {decided.because}")

    def _put(self, kind: str, payload: Mapping[str, Any]) -> None:
        self.record.add_event(self.id, kind=kind, experiment=None, payload={"standing": self.standing, **payload})


def closed(gate: Gate) -> str:
    """What stands in the way, and how a person may let it pass, in a line."""
    reasons = "; ".join(f"{check.predicate}: {check.evidence}" for check in gate.blocked)
    return (
        f"the gate of {gate.phase} is closed: {reasons} To let one pass all the same, write it under overrides in "
        "the plan, with gate, predicate and because"
    )


def champion_runs(found: Walk) -> tuple[Run, ...]:
    """The champion's runs on the exploring seeds that it was adopted on."""
    for story in reversed(found.experiments):
        name = adopted_arm(story)
        arm = next((a for a in story.arms if a.name == name), None) if name else None
        if arm is not None:
            return arm.runs
    return found.baseline.runs if found.baseline else ()


def tried_runs(found: Walk) -> dict[str, tuple[Run, ...]]:
    """The runs of every experiment's arms, by its id."""
    return {story.id: tuple(run for arm in story.arms for run in arm.runs) for story in found.experiments}


def _are(n: int) -> str:
    return "is" if n == 1 else "are"


def _reasons(skipped: Sequence[tuple[Recommendation, str]]) -> str:
    return "; ".join(f"{r.id} {r.title}: {reason}" for r, reason in skipped) or "the diagnosis has none"
