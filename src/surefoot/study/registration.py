"""A plan put on record before anything trains, and what an edit may and may not change afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.plan import Experiment, Plan, Rule
from surefoot.report.story import RevisionStory
from surefoot.storage import ExperimentRow, Record, RevisionRow
from surefoot.study.walk import FIRST_REPEAT_BLOCK, Registration


def register(record: Record, study_id: int, plan: Plan) -> tuple[bool, tuple[str, ...]]:
    """Whether the plan is a new revision, and in sentences what its edit does not change.

    A plan that says what the latest revision says (comments aside) is no new one.
    """
    revisions = record.revisions(study_id)
    is_new = not revisions or revisions[-1].plan_hash != plan.hash
    revision = _add_revision(record, study_id, plan) if is_new else revisions[-1]
    earlier = [row for row in record.experiments(study_id) if row.revision_id != revision.id]
    there = {row.key for row in record.experiments(study_id) if row.revision_id == revision.id}
    notes: list[str] = []
    for experiment in plan.experiments:
        if experiment.id in there:
            continue
        registration, said = _registration(record, study_id, plan, experiment, revision, earlier)
        notes += said
        record.add_experiment(
            study_id,
            revision.id,
            key=experiment.id,
            content_hash=experiment.content_hash,
            definition={"experiment": experiment.definition(), "registration": _as_json(registration)},
        )
    return is_new, tuple(notes)


def registrations(record: Record, study_id: int) -> dict[str, Registration]:
    """The registrations of the latest revision's experiments, by id."""
    latest = record.revisions(study_id)[-1].id
    rows = [row for row in record.experiments(study_id) if row.revision_id == latest]
    return {row.key: _from_json(row.definition["registration"]) for row in rows}


def revision_stories(record: Record, study_id: int) -> tuple[RevisionStory, ...]:
    """Every revision: what it changed, and what was known when it was registered."""
    stories: list[RevisionStory] = []
    before: Mapping[str, Any] = {}
    for row in record.revisions(study_id):
        stories.append(
            RevisionStory(
                number=row.number,
                plan_hash=row.plan_hash,
                registered_at=row.registered_at,
                changes=_changes(before, row.known["definition"]) if before else (),
                known=tuple(row.known["results"]),
            )
        )
        before = row.known["definition"]
    return tuple(stories)


def _add_revision(record: Record, study_id: int, plan: Plan) -> RevisionRow:
    complete = sum(run.status == "COMPLETE" for run in record.runs(study_id))
    results = [
        f"{event.experiment}: {event.payload['decision']}{' ' + event.payload['arm'] if event.payload['arm'] else ''}"
        for event in record.events(study_id, "decision")
    ]
    if complete:
        results.insert(0, f"{complete} finished runs")
    return record.add_revision(
        study_id,
        plan_hash=plan.hash,
        plan_text=plan.text,
        plan_path=plan.path,
        known={"results": results, "definition": plan.definition()},
    )


def _registration(
    record: Record,
    study_id: int,
    plan: Plan,
    experiment: Experiment,
    revision: RevisionRow,
    earlier: Sequence[ExperimentRow],
) -> tuple[Registration, list[str]]:
    begun = {use.experiment for use in record.uses(study_id)}
    same_id = [row for row in earlier if row.key == experiment.id]
    fresh = Registration(
        revision=revision.number,
        plan_hash=revision.plan_hash,
        registered_at=revision.registered_at,
        rule=plan.rule_of(experiment),
        block=_repeat_block(plan.repeat_number(experiment)),
    )
    if same_id:
        return _registered_again(experiment, same_id[-1], fresh, experiment.id in begun, record, study_id)
    return _registered_anew(plan, experiment, earlier, fresh, begun)


def _registered_again(
    experiment: Experiment, last: ExperimentRow, fresh: Registration, has_begun: bool, record: Record, study_id: int
) -> tuple[Registration, list[str]]:
    """An id that an earlier revision had: its own registration stands unless its text changed before it began."""
    old = _from_json(last.definition["registration"])
    is_same = last.content_hash == experiment.content_hash
    if not has_begun:
        return (dataclasses.replace(fresh, known=old.known) if not is_same or old.rule != fresh.rule else old), []
    notes = []
    if old.rule != fresh.rule:
        notes.append(
            f"{experiment.id} has been looked at, so it keeps the rule it was registered with ({_shown(old.rule)}); "
            "more seeds after a look would not be free. To ask again, add an experiment with "
            f"`repeats: {experiment.id}`: it trains fresh seeds at half the error"
        )
    if is_same:
        return old, notes
    results = [
        f"{e.payload['decision']} {e.payload['arm']}".strip()
        for e in record.events(study_id, "decision")
        if e.experiment == experiment.id
    ]
    known = f"edited in revision {fresh.revision}, when " + (
        f"its decision ({results[-1]}) was known" if results else "some of its runs were known"
    )
    return dataclasses.replace(fresh, rule=old.rule, block=old.block, known=(*old.known, known)), notes


def _registered_anew(
    plan: Plan, experiment: Experiment, earlier: Sequence[ExperimentRow], fresh: Registration, begun: set[str]
) -> tuple[Registration, list[str]]:
    """A new id; the same arms under a new name are a repeat, on fresh seeds and with re-spent error."""
    changes = [dict(arm.changes) for arm in experiment.arms]
    twins, overlaps = [], []
    for key in dict.fromkeys(row.key for row in earlier if row.key in begun):
        tried = next(row for row in reversed(earlier) if row.key == key).definition["experiment"]["arms"].values()
        shared = [c for c in changes if c in list(tried)]
        if shared and len(shared) == len(changes):
            twins.append(key)
        elif shared:
            overlaps.append(f"{len(shared)} of its arms had been trained in {key}")
    if twins and not experiment.repeats:
        number = len(twins)
        note = (
            f"{experiment.id} asks again what {', '.join(twins)} asked: it counts as a repeat, "
            "on fresh seeds and with re-spent error"
        )
        rule, block = plan.rule.respent(number), _repeat_block(number)
        return dataclasses.replace(fresh, rule=rule, block=block, known=(note,)), [note]
    return dataclasses.replace(fresh, known=tuple(overlaps)), []


def _repeat_block(number: int) -> int | None:
    return FIRST_REPEAT_BLOCK + number if number else None


def _shown(rule: Rule) -> str:
    return f"looks {', '.join(map(str, rule.looks))}; support {rule.support_alpha:g}, adopt {rule.adopt_alpha:g}"


def _as_json(registration: Registration) -> dict[str, Any]:
    return dataclasses.asdict(registration)


def _from_json(data: Mapping[str, Any]) -> Registration:
    rule = Rule(**{**data["rule"], "looks": tuple(data["rule"]["looks"])})
    return Registration(**{**data, "rule": rule, "known": tuple(data["known"])})


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """What an edit changed, in words."""
    found = [f"{key} changed" for key in after if key != "experiments" and before.get(key) != after[key]]
    old = {e["id"]: e for e in before["experiments"]}
    new = {e["id"]: e for e in after["experiments"]}
    found += [f"experiment {key} added" for key in new if key not in old]
    found += [f"experiment {key} removed" for key in old if key not in new]
    found += [f"experiment {key} changed" for key in new if key in old and old[key] != new[key]]
    if [k for k in old if k in new] != [k for k in new if k in old]:
        found.append("experiments in another order")
    return tuple(found)
