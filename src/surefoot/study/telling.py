"""The record told as a story: what the walk finds, with costs, revisions, openings and provenance."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from surefoot.errors import RecordError
from surefoot.plan import BLOCK, CONFIRM_SEED, Plan
from surefoot.reports.story import ExperimentStory, PickStory, SearchStory, Story
from surefoot.run import Run, Status, config_hash, run_key
from surefoot.storage import EventRow, Record, UseRow
from surefoot.study.exploring import search_key, standing
from surefoot.study.phase_log import PhaseLog, read_log, standing_of
from surefoot.study.phases_told import phase_story
from surefoot.study.registration import askings, registrations, removed, revision_stories
from surefoot.study.walk import CONFIRMATION, FINALISE, Material, Walk, false_adopts, gap_to_target, numbers, walk
from surefoot.sweeping.registration import Prints
from surefoot.workload import Workload, find_workload

UNFINISHED = (Status.RUNNING, Status.INTERRUPTED)
BEGUN = ("running", "decided")
NOTHING: frozenset[str] = frozenset()


def read_story(record: Record, study_id: int, plan: Plan) -> Story:
    """The story of a study from its record alone: no data is needed, and nothing trains."""
    workload = find_workload(plan.workload)
    states = record.events(study_id, "state")
    runs = record.runs(study_id, with_measurements=True)
    prints = (states[-1].payload["data"], states[-1].payload["code"]) if states else _latest_prints(runs)
    plan = grown(record, study_id, plan, prints)
    if len(registrations(record, study_id)) < len(plan.experiments):
        raise RecordError(f'study "{plan.study}" was interrupted while its plan came on record; run it again')
    ended = ended_runs(runs)

    def find(config: Mapping[str, Any], seed: int) -> Run | None:
        return ended.get(run_key(plan.workload_identity, config, seed, *prints))

    found = walk_of(record, study_id, plan, workload, find, prints)
    return tell(record, study_id, plan, workload, found, prints)


def has_phases(plan: Plan) -> bool:
    """Whether there is more to tell of its phases than where it stands: gates, or an end that is bundled."""
    return plan.optimise is not None or bool(plan.finalise and plan.finalise.seeds)


def grown(record: Record, study_id: int, plan: Plan, prints: tuple[str, str]) -> Plan:
    """The plan with the experiments that its rounds of optimising registered."""
    if plan.optimise is None:
        return plan
    return _log(record, study_id, plan, prints).grown(plan)


def _log(record: Record, study_id: int, plan: Plan, prints: tuple[str, str]) -> PhaseLog:
    return read_log(record, study_id, standing_of(plan, prints))


def walk_of(
    record: Record,
    study_id: int,
    plan: Plan,
    workload: Workload,
    find: Callable[[Mapping[str, Any], int], Run | None],
    prints: tuple[str, str],
) -> Walk:
    """The walk over what the record holds; earlier confirmations make the next one's seeds new ones.

    `prints` are the fingerprints of the data and the code that it is about.
    """
    material = Material(
        plan=plan,
        workload=workload,
        registrations=registrations(record, study_id),
        find=find,
        skipped=_skipped(record, study_id),
        askings=askings(record, study_id),
        revision=record.revisions(study_id)[-1].number,
        searches=searches_of(
            record, study_id, standing(plan.metric(plan.primary), Prints(data=prints[0], code=prints[1]))
        ),
        holds=_log(record, study_id, plan, prints).holds if plan.optimise else NOTHING,
    )
    found = walk(material)
    block, asked_before = _earlier_confirmations(record, study_id, confirmation_of(plan, found))
    if block == 0:
        return found
    return walk(dataclasses.replace(material, confirm_block=block, asked_before=asked_before))


def ended_runs(runs: Iterable[Run]) -> dict[str, Run]:
    """The run that speaks for each key: the trained one, else the latest that failed."""
    ended: dict[str, Run] = {}
    for run in runs:
        if run.status not in UNFINISHED and (run.key not in ended or ended[run.key].status is Status.FAILED):
            ended[run.key] = run
    return ended


def confirmation_of(plan: Plan, found: Walk) -> dict[str, Any]:
    """What is to be confirmed and by which rule, as JSON, once the path is whole; else nothing."""
    if found.phase not in ("confirm", FINALISE, "done") or len(found.path_configs) == 1:
        return {}
    return {
        "path": [config_hash(config) for config in found.path_configs],
        "labels": [point.label for point in found.path],
        "metric": [plan.primary, plan.metric(plan.primary).goal],
        "seeds": plan.rule.confirm_seeds,
        "alpha": plan.rule.claim_alpha,
    }


def searches_of(record: Record, study_id: int, today: Mapping[str, Any]) -> dict[tuple[str, str, str], SearchStory]:
    """The searches that have come to their end, by experiment, champion and what was searched.

    Only those count that stand on the metric, the data and the code of `today`.
    """
    return {
        (str(event.experiment), event.payload["champion"], event.payload["search"]): SearchStory(
            method=event.payload["method"],
            trials=event.payload["trials"],
            ending=event.payload["ending"],
            picks=tuple(PickStory(**pick) for pick in event.payload["picks"]),
        )
        for event in record.events(study_id, "explored")
        if all(event.payload[name] == value for name, value in today.items())
    }


def untested(reason: str) -> str:
    """That the budget ended the study before its confirmation, in a line."""
    return f"the claims were not tested: {reason}"


def _skipped(record: Record, study_id: int) -> dict[str, str]:
    """What the budget does not allow under the latest revision, and why."""
    revision = record.revisions(study_id)[-1].number
    skips = record.events(study_id, "skip")
    return {str(e.experiment): e.payload["reason"] for e in skips if e.payload["revision"] == revision}


def tell(record: Record, study_id: int, plan: Plan, workload: Workload, found: Walk, prints: tuple[str, str]) -> Story:
    """The walk with what only the record knows: costs, revisions, openings, provenance."""
    counts = record.status_counts()[study_id]
    runs = record.runs(study_id)
    openings = record.events(study_id, "opening")
    uses = record.uses(study_id)
    experiments = tuple(_with_costs(e, uses, {r.id: r for r in runs}) for e in found.experiments)
    values = [o for o in openings if "values" in o.payload]
    latest = record.revisions(study_id)[-1]
    phases = None
    if has_phases(plan):
        phases = phase_story(record, study_id, plan, _log(record, study_id, plan, prints), found)
    return Story(
        study=plan.study,
        workload=plan.workload_shown,
        phase=phases.phase if phases is not None else found.phase,
        metrics=plan.metrics,
        primary=plan.metric(plan.primary),
        rule=plan.rule,
        budget=plan.budget,
        plan_hash=latest.plan_hash,
        plan_path=latest.plan_path,
        revisions=revision_stories(record, study_id),
        noise=found.noise,
        baseline=found.baseline,
        champion_config=found.champion,
        champion_values=found.champion_values,
        experiments=experiments,
        path=found.path,
        claims=found.claims,
        overall=found.overall,
        fresh_seeds=found.fresh[0].seeds if found.fresh else (),
        target_gap=gap_to_target(plan, found.champion_values),
        test_values=_test_values(values[-1]) if values else {},
        test_opened_at=openings[0].at if openings else "",
        expected_false_adopts=_false_adopts(record, study_id, found),
        q_values=found.q_values,
        run_counts={str(status).lower(): n for status, n in counts.statuses.items()} | {"planned": len(found.wanted)},
        hours=counts.wall_seconds / 3600,
        notices=_notices(record, study_id),
        provenance=_provenance(runs, prints),
        drivers=workload.drivers,
        phases=phases,
    )


def state_payload(story: Story, plan: Plan, found: Walk, data: str, code: str) -> dict[str, Any]:
    """Where a study stands, small enough for `status` to read without walking.

    Baseline, champion and gap are told of the fresh seeds once there are any: the exploring ones
    chose the champion and flatter it.
    """
    baseline = numbers(story.baseline.values[story.primary.name]) if story.baseline else ()
    champion = story.champion_values
    if story.overall is not None:
        baseline, champion = numbers(story.overall.step.before_values), numbers(story.overall.step.after_values)
    return {
        "phase": story.phase,
        "primary": story.primary.name,
        "unit": story.primary.unit,
        "baseline": sum(baseline) / len(baseline) if baseline else None,
        "champion": sum(champion) / len(champion) if champion else None,
        "target": story.primary.target,
        "gap": gap_to_target(plan, champion),
        "planned": story.run_counts.get("planned", 0),
        "is_claimed": bool(story.overall and story.overall.is_confirmed),
        "data": data,
        "code": code,
        "revision": story.revisions[-1].number,
        "confirmation": confirmation_of(plan, found),
        # A search asks nothing of its champion before its race begins.
        "champions": {
            e.id: config_hash(e.champion_before)
            for e in found.experiments
            if e.state in BEGUN and e.id != found.exploring
        },
    }


def _notices(record: Record, study_id: int) -> tuple[str, ...]:
    reason = _skipped(record, study_id).get(CONFIRMATION)
    noticed = [e.payload["text"] for e in record.events(study_id, "notice")]
    return (*noticed, *removed(record, study_id), *([untested(reason)] if reason else []))


def _false_adopts(record: Record, study_id: int, found: Walk) -> float:
    """How many worthless arms chance alone would adopt, at most, over all that was ever decided here."""
    bounds: dict[tuple[str | None, ...], float] = {
        (e.experiment, e.payload["champion_before"], *e.payload["tested"]): e.payload["false_adopts"]
        for e in record.events(study_id, "decision")
        if e.payload["state"] == "decided"
    }
    decided = [story for story in found.experiments if story.state == "decided"]
    bounds |= {(s.id, config_hash(s.champion_before), *tested_arms(s)): false_adopts(s) for s in decided}
    return sum(bounds.values())


def tested_arms(story: ExperimentStory) -> list[str]:
    """The hashes of the configs that the experiment could have adopted."""
    return sorted(config_hash(arm.config) for arm in story.arms if arm.name in story.steps)


def _earlier_confirmations(record: Record, study_id: int, today: Mapping[str, Any]) -> tuple[int, int]:
    """How many other confirmations came before today's, and how many of them asked the same.

    Another path, primary metric, number of seeds or error makes another confirmation. It comes on
    record before its fresh seeds are trained, so even one that was interrupted and then edited away
    has used up its block of seeds.
    """
    earlier: list[Mapping[str, Any]] = []
    for event in record.events(study_id, "state"):
        other = event.payload.get("confirmation")
        if other and _identity(other) == _identity(today):
            break
        if other and all(_identity(other) != _identity(known) for known in earlier):
            earlier.append(other)
    if not today or not earlier:
        return 0, 0
    seeds = {run.id: run.seed for run in record.runs(study_id)}
    seen = {
        (seeds[use.run_id] - CONFIRM_SEED) // BLOCK for use in record.uses(study_id) if use.experiment == CONFIRMATION
    }
    asked = [block for block, other in enumerate(earlier) if block in seen and _questions(other) & _questions(today)]
    return len(earlier), len(asked)


def _identity(confirmation: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in confirmation.items() if name != "labels"}


def _questions(confirmation: Mapping[str, Any]) -> set[tuple[str, ...]]:
    """What a confirmation asks: whether each step is a gain, and whether the whole path is.

    A step is the same by its configs and by its name: neither a touch of the baseline nor another
    name makes it a new one. Nor does another metric, or it would be asked until one says yes.
    """
    path, steps = confirmation["path"], confirmation["labels"][1:]
    return {*itertools.pairwise(path), (path[0], path[-1]), *((label,) for label in steps)}


def _with_costs(story: ExperimentStory, uses: Sequence[UseRow], runs: Mapping[int, Run]) -> ExperimentStory:
    """The experiment with what it and its search cost: a run counts where it was first used, if trained here."""
    names = (story.id, search_key(story.id))
    first: dict[int, str] = {}
    for use in uses:
        if use.is_own:
            first.setdefault(use.run_id, use.experiment)
    mine = {use.run_id for use in uses if use.experiment in names and runs[use.run_id].status not in UNFINISHED}
    trained = [runs[i] for i in mine if first.get(i) in names]
    return dataclasses.replace(
        story,
        runs_trained=len(trained),
        runs_reused=len(mine) - len(trained),
        train_seconds=sum(run.provenance.wall_seconds for run in trained),
    )


def _test_values(opening: EventRow) -> dict[str, dict[str, tuple[float, ...]]]:
    return {
        name: {metric: tuple(v[metric] for v in values) for metric in (values[0] if values else {})}
        for name, values in opening.payload["values"].items()
    }


def _latest_prints(runs: Sequence[Run]) -> tuple[str, str]:
    return (runs[-1].provenance.data_fingerprint, runs[-1].provenance.code_fingerprint) if runs else ("", "")


def _provenance(runs: Iterable[Run], prints: tuple[str, str]) -> dict[str, str]:
    """What the study's runs were made with; more than one of a kind is listed."""
    all_runs = list(runs)
    if not all_runs:
        return {}

    def listed(values: Iterable[str]) -> str:
        return ", ".join(sorted({v for v in values if v}))

    places = [run.provenance for run in all_runs]
    commits = [
        f"{p.git_commit[:12]}{' (with uncommitted changes)' if p.git_dirty else ''}" for p in places if p.git_commit
    ]
    versions = {f"{k} {v}" for p in places for k, v in p.versions.items()}
    return {
        "data": prints[0],
        "code": prints[1],
        "git commit": listed(commits) or "none (not in a git checkout)",
        "versions": listed(versions),
        "machine": listed(p.machine for p in places),
        "device": listed(p.device for p in places),
        "threads a run": listed(str(p.threads) for p in places),
        "first run": min(p.started_at for p in places if p.started_at) if any(p.started_at for p in places) else "",
        "last run": max(p.ended_at for p in places if p.ended_at) if any(p.ended_at for p in places) else "",
        "peak memory": f"{max(p.peak_memory_bytes for p in places) / 2**20:,.0f} MiB",
    }
