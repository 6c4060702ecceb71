"""A plan put on record before anything trains, and what an edit may and may not change afterwards."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from surefoot.plan import BLOCK, Experiment, Plan, Rule
from surefoot.reports.story import RevisionStory
from surefoot.run import config_hash
from surefoot.storage import ExperimentRow, Record, RevisionRow
from surefoot.study.exploring import search_key
from surefoot.study.walk import ASKED_AGAIN_BLOCK, FIRST_REPEAT_BLOCK, Asking, Registration


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


def askings(record: Record, study_id: int) -> dict[str, tuple[Asking, ...]]:
    """The champions that each experiment was asked on, the first one first; none for one that never began."""
    begun = {use.experiment for use in record.uses(study_id)}
    decided = {
        (event.experiment, event.payload["champion_before"]): shown_decision(event.payload)
        for event in record.events(study_id, "decision")
        if event.payload["state"] == "decided"
    }
    found: dict[str, dict[str, Asking]] = {}
    for event in record.events(study_id, "state"):
        for name, champion in event.payload.get("champions", {}).items():
            asking = Asking(
                champion=champion,
                revision=event.payload["revision"],
                decision=decided.get((name, champion), ""),
            )
            if name in begun:
                found.setdefault(name, {}).setdefault(champion, asking)
    return {name: tuple(asked.values()) for name, asked in found.items()}


def removed(record: Record, study_id: int) -> tuple[str, ...]:
    """The experiments that were decided and are in the plan no more, in words."""
    latest = {event.experiment: event.payload for event in record.events(study_id, "decision")}
    last_in: dict[str, int] = {}
    revisions = record.revisions(study_id)
    for row in revisions:
        last_in |= dict.fromkeys((e["id"] for e in row.known["definition"]["experiments"]), row.number)
    return tuple(
        f"removed from the plan in revision {number + 1}: {name}, {shown_decision(latest[name])}"
        for name, number in last_in.items()
        if number < revisions[-1].number and name in latest
    )


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
    latest = {event.experiment: event.payload for event in record.events(study_id, "decision")}
    results = [f"{complete} finished runs"] if complete else []
    results += [f"{name}: {shown_decision(payload)}" for name, payload in latest.items()]
    results += [_shown_claims(event.payload) for event in record.events(study_id, "claim")]
    results += [f"the test split, opened {event.at[:16]}" for event in record.events(study_id, "opening")[:1]]
    return record.add_revision(
        study_id,
        plan_hash=plan.hash,
        plan_text=plan.text,
        plan_path=plan.path,
        known={"results": list(dict.fromkeys(results)), "definition": plan.definition()},
    )


def _registration(
    record: Record,
    study_id: int,
    plan: Plan,
    experiment: Experiment,
    revision: RevisionRow,
    earlier: Sequence[ExperimentRow],
) -> tuple[Registration, list[str]]:
    """What the experiment is registered as, and in sentences what its edit does not change."""
    seeds = {run.id: run.seed for run in record.runs(study_id)}
    used = [(use.experiment, (seeds[use.run_id] - 1) // BLOCK) for use in record.uses(study_id)]
    blocks = {name: block for name, block in used if block < ASKED_AGAIN_BLOCK}
    times = {name: len(asked) for name, asked in askings(record, study_id).items()}
    fresh, asks_again = _registered_anew(plan, experiment, revision, [r for r in earlier if r.key in blocks], times)
    last = next((row for row in reversed(earlier) if row.key == experiment.id), None)
    if last is None:
        return fresh, asks_again
    old = _from_json(last.definition["registration"])
    is_same_rule = old.rule == plan.rule.respent(old.times_asked)
    edit = _edit(record, study_id, plan, experiment, last)
    if experiment.id not in blocks:
        if edit and search_key(experiment.id) in blocks:  # what its search found may have been seen
            fresh = dataclasses.replace(fresh, known=tuple(dict.fromkeys((*old.known, edit, *fresh.known))))
        return (fresh, asks_again) if edit or not is_same_rule else (old, [])
    if old.block is None:
        # Its seeds stay too: a reordered plan must not ask again on some that nobody has seen.
        old = dataclasses.replace(old, block=blocks[experiment.id])
    if edit and asks_again:
        return dataclasses.replace(fresh, known=(*old.known, edit, *fresh.known)), asks_again
    notes = [] if is_same_rule else [_kept_rule(experiment, old.rule)]
    if not edit:
        return old, notes
    known = tuple(dict.fromkeys((*old.known, edit, *fresh.known)))
    return dataclasses.replace(fresh, rule=old.rule, block=old.block, known=known), notes


def _edit(record: Record, study_id: int, plan: Plan, experiment: Experiment, last: ExperimentRow) -> str:
    """What was known when an experiment that has begun was edited; empty where its question stands as it was."""
    now, before = plan.definition(), _revision(record, last).known["definition"]
    metrics = {plan.primary, *(p.metric for p in experiment.predictions)}
    if last.content_hash == experiment.content_hash and _judged_by(now, metrics) == _judged_by(before, metrics):
        return ""
    number = record.revisions(study_id)[-1].number
    decisions = [e.payload for e in record.events(study_id, "decision") if e.experiment == experiment.id]
    known = f"its decision ({shown_decision(decisions[-1])})" if decisions else "some of its runs"
    return f"edited in revision {number}, when {known} {'was' if decisions else 'were'} known"


def _registered_anew(
    plan: Plan,
    experiment: Experiment,
    revision: RevisionRow,
    begun: Sequence[ExperimentRow],
    times: Mapping[str, int],
) -> tuple[Registration, list[str]]:
    """The experiment as a new one, on fresh seeds and with re-spent error where its arms were asked about before.

    `times` says on how many champions those that have begun were asked.

    An arm is the same whatever it is called and whatever settings of the baseline it repeats, and so is
    a search that looks through the same space in the same way. Some arms alone do not make a repeat, unless
    another rule would give them more seeds or more error.
    """
    configs = _configs(plan, {arm.name: arm.changes for arm in experiment.arms})
    number, twins, known = plan.repeat_number(experiment), [], []
    for row in begun:
        shared = configs & _configs(plan, row.definition["experiment"]["arms"])
        earlier = _from_json(row.definition["registration"])
        if row.key != experiment.id and _is_same_search(experiment, row):
            number = max(number, earlier.times_asked + times.get(row.key, 1))
            twins.append(row.key)
        if row.key == experiment.id or not shared:
            continue
        if shared == configs or earlier.rule != plan.rule.respent(earlier.times_asked):
            number = max(number, earlier.times_asked + times.get(row.key, 1))
            twins.append(row.key)
        else:
            known.append(f"{len(shared)} of its arms had been trained in {row.key}")
    notes = []
    if number > plan.repeat_number(experiment):
        names = ", ".join(dict.fromkeys(twins))
        notes.append(
            f"{experiment.id} asks again what {names} asked: it counts as a repeat, on fresh seeds "
            "and with re-spent error"
        )
    return Registration(
        revision=revision.number,
        plan_hash=revision.plan_hash,
        registered_at=revision.registered_at,
        rule=plan.rule.respent(number),
        block=FIRST_REPEAT_BLOCK + number if number else None,
        known=tuple(dict.fromkeys((*notes, *known))),
    ), notes


def _is_same_search(experiment: Experiment, row: ExperimentRow) -> bool:
    return experiment.search is not None and experiment.search.definition() == row.definition["experiment"].get(
        "search"
    )


def _configs(plan: Plan, arms: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """The arms as configs on the baseline, without the baseline itself."""
    return {config_hash({**plan.baseline, **changes}) for changes in arms.values()} - {config_hash(plan.baseline)}


def _judged_by(definition: Mapping[str, Any], metrics: Collection[str]) -> list[Any]:
    """What of a plan a verdict depends on besides the experiment and the rule: goals and least effects, no target."""
    found = [(m[0], m[3]) for m in (definition["metrics"].get(name, [None] * 4) for name in sorted(metrics))]
    return [definition["primary"], *found]


def _kept_rule(experiment: Experiment, rule: Rule) -> str:
    return (
        f"{experiment.id} has been looked at, so it keeps the rule it was registered with ({_shown(rule)}); "
        "more seeds after a look would not be free. To ask again, add an experiment with "
        f"`repeats: {experiment.id}`: it trains fresh seeds at half the error"
    )


def _revision(record: Record, row: ExperimentRow) -> RevisionRow:
    return next(r for r in record.revisions(row.study_id) if r.id == row.revision_id)


def shown_decision(payload: Mapping[str, Any]) -> str:
    """A decision on record in a word or two: KEEP, "ADOPT b32", "skipped"."""
    word = payload["decision"] if payload["state"] == "decided" else payload["state"]
    return f"{word} {payload['arm']}".strip()


def _shown_claims(payload: Mapping[str, Any]) -> str:
    told = [f"{c['step']} ({c['metric']}) {'' if c['is_confirmed'] else 'not '}confirmed" for c in payload["claims"]]
    return f"claims: {', '.join(dict.fromkeys(told))}"


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
