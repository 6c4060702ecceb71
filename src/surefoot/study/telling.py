"""The record told as a story: what the walk finds, with costs, revisions, openings and provenance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from surefoot.plan import Plan
from surefoot.report.story import ExperimentStory, Story
from surefoot.run import Run, Status, config_hash, run_key
from surefoot.storage import EventRow, Record, UseRow
from surefoot.study.registration import registrations, revision_stories
from surefoot.study.walk import Material, Walk, gap_to_target, numbers, walk
from surefoot.workload import Workload, find_workload


def read_story(record: Record, study_id: int, plan: Plan) -> Story:
    """The story of a study from its record alone: no data is needed, and nothing trains."""
    workload = find_workload(plan.workload)
    states = record.events(study_id, "state")
    runs = record.runs(study_id, with_measurements=True)
    prints = (states[-1].payload["data"], states[-1].payload["code"]) if states else _latest_prints(runs)
    ended: dict[str, Run] = {}
    for run in runs:
        if run.status in (Status.RUNNING, Status.INTERRUPTED):
            continue
        if run.key not in ended or run.status in (Status.COMPLETE, Status.INFEASIBLE):
            ended[run.key] = run

    def find(config: Mapping[str, Any], seed: int) -> Run | None:
        return ended.get(run_key(plan.workload, config, seed, *prints))

    found = walk_of(record, study_id, plan, workload, find)
    return tell(record, study_id, plan, workload, found, prints)


def walk_of(
    record: Record,
    study_id: int,
    plan: Plan,
    workload: Workload,
    find: Callable[[Mapping[str, Any], int], Run | None],
) -> Walk:
    """The walk over what the record holds; claims on other paths make the next confirmation's seeds new ones."""
    revision = record.revisions(study_id)[-1].number
    material = Material(
        plan=plan,
        workload=workload,
        registrations=registrations(record, study_id),
        find=find,
        skipped={
            str(e.experiment): e.payload["reason"]
            for e in record.events(study_id, "skip")
            if e.payload["revision"] == revision
        },
    )
    found = walk(material)
    block = _confirm_block(record, study_id, found)
    return found if block == 0 else walk(dataclasses.replace(material, confirm_block=block))


def confirming_seeds_of(plan: Plan, record: Record, study_id: int) -> tuple[int, ...]:
    """The seeds on which the latest claims were tested."""
    return tuple(record.events(study_id, "claim")[-1].payload["seeds"][: plan.rule.confirm_seeds])


def tell(record: Record, study_id: int, plan: Plan, workload: Workload, found: Walk, prints: tuple[str, str]) -> Story:
    """The walk with what only the record knows: costs, revisions, openings, provenance."""
    counts = record.status_counts()[study_id]
    runs = record.runs(study_id)
    openings = record.events(study_id, "opening")
    uses = record.uses(study_id)
    experiments = tuple(_with_costs(e, uses, {r.id: r for r in runs}) for e in found.experiments)
    values = [o for o in openings if "values" in o.payload]
    latest = record.revisions(study_id)[-1]
    return Story(
        study=plan.study,
        workload=plan.workload,
        phase=found.phase,
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
        target_gap=gap_to_target(plan, found.champion_values),
        test_values=_test_values(values[-1]) if values else {},
        test_opened_at=openings[0].at if openings else "",
        expected_false_adopts=found.expected_false_adopts,
        q_values=found.q_values,
        run_counts={str(status).lower(): n for status, n in counts.statuses.items()} | {"planned": len(found.wanted)},
        hours=counts.wall_seconds / 3600,
        notices=tuple(e.payload["text"] for e in record.events(study_id, "notice")),
        provenance=_provenance(runs, prints),
    )


def state_payload(story: Story, data: str, code: str) -> dict[str, Any]:
    """Where a study stands, small enough for `status` to read without walking."""
    baseline = numbers(story.baseline.values[story.primary.name]) if story.baseline else ()
    return {
        "phase": story.phase,
        "primary": story.primary.name,
        "unit": story.primary.unit,
        "baseline": sum(baseline) / len(baseline) if baseline else None,
        "champion": sum(story.champion_values) / len(story.champion_values) if story.champion_values else None,
        "target": story.primary.target,
        "gap": story.target_gap,
        "planned": story.run_counts.get("planned", 0),
        "is_claimed": bool(story.overall and story.overall.is_confirmed),
        "data": data,
        "code": code,
    }


def _confirm_block(record: Record, study_id: int, found: Walk) -> int:
    """How many earlier confirmations looked at fresh seeds for another path than today's."""
    path = [config_hash(config) for config in found.path_configs]
    earlier: list[list[str]] = []
    for event in record.events(study_id, "claim"):
        if event.payload["path"] not in earlier:
            earlier.append(event.payload["path"])
    return earlier.index(path) if path in earlier else len(earlier)


def _with_costs(story: ExperimentStory, uses: Sequence[UseRow], runs: Mapping[int, Run]) -> ExperimentStory:
    """The experiment with what it cost: a run counts where it was first used, if this study trained it."""
    first: dict[int, str] = {}
    for use in uses:
        if use.is_own:
            first.setdefault(use.run_id, use.experiment)
    mine = {use.run_id for use in uses if use.experiment == story.id}
    trained = [runs[i] for i in mine if first.get(i) == story.id]
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
