"""What goes into the record comes out, in SQLite and PostgreSQL alike, and is never changed."""

import dataclasses
import math
import tempfile
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from storage_cases import PROVENANCE, finish, start

from surefoot.errors import RecordError
from surefoot.run import Measurement, Run, Status
from surefoot.storage import Record, StudyCounts

ODD_NAMES = ["", "π → 🥾", 'it\'s "quoted"; DROP TABLE runs;--', "line\nbreak", "/../etc", "x" * 300, "Case", "case"]


def test_a_run_comes_out_as_it_went_in(record):
    run_id = start(record, "key", config={"lr": 0.1, "norm": None, "name": "π"}, seed=2**62)
    assert [run.status for run in record.runs(1)] == [Status.RUNNING]
    assert finish(record, run_id, reason="why", values=(0.5, 0.25)) is Status.COMPLETE
    expected = Run(
        id=run_id,
        key="key",
        workload="w",
        config={"lr": 0.1, "norm": None, "name": "π"},
        seed=2**62,
        status=Status.COMPLETE,
        reason="why",
        measurements=(Measurement(step=0, values={"loss": 0.5}), Measurement(step=1, values={"loss": 0.25})),
        facts={"steps": 3},
        checkpoints={"best": "f00d"},
        provenance=PROVENANCE,
        finals={"loss": 0.25},
    )
    assert record.completed(["key", "other"]) == {"key": expected}
    assert record.runs(1, with_measurements=True) == [expected]
    assert record.runs(1) == [dataclasses.replace(expected, measurements=())]


numbers = st.floats(allow_nan=True, allow_infinity=True)
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


@given(curve=st.lists(st.dictionaries(names, numbers), max_size=5), name=names)
@settings(max_examples=30, deadline=None)
def test_every_float_and_every_name_comes_back_exactly(curve, name):
    with tempfile.TemporaryDirectory() as home, Record.open(home) as record:
        run_id = start(record, study=name, experiment=name, arm=name)
        measured = tuple(Measurement(step=i, values=values) for i, values in enumerate(curve))
        finish(record, run_id, measurements=measured, reason=name, facts={name: name})
        (run,) = record.runs(1, with_measurements=True)
        assert repr(run.measurements) == repr(measured)  # repr, because NaN is not equal to itself
        assert (run.reason, run.facts) == (name, {name: name})
        assert record.studies()[0].name == name
        assert (record.uses(1)[0].experiment, record.uses(1)[0].arm) == (name, name)


def test_nan_and_infinity_come_back_as_themselves(record):
    finish(record, start(record), values=(math.nan, math.inf, -math.inf, 1.7976931348623157e308, -0.0, 5e-324))
    (run,) = record.runs(1, with_measurements=True)
    found = [m.values["loss"] for m in run.measurements]
    assert repr(found) == "[nan, inf, -inf, 1.7976931348623157e+308, -0.0, 5e-324]"


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.array(0.5), 1, np.int64(3)])
def test_whatever_holds_one_number_becomes_a_float(record, value):
    finish(record, start(record), values=(value,))
    loss = record.runs(1, with_measurements=True)[0].measurements[0].values["loss"]
    assert type(loss) is float
    assert loss == float(value)


@pytest.mark.parametrize("value", ["0.5", True, np.bool_(False), None, Decimal("0.5"), 10**400, np.ones(2), [1.0]])
def test_what_is_no_number_is_refused_and_nothing_is_written(record, value):
    run_id = start(record)
    with pytest.raises(RecordError, match="loss is"):
        finish(record, run_id, values=(0.5, value))
    assert record.runs(1)[0].status is Status.RUNNING
    finish(record, run_id, status=Status.FAILED, values=())
    assert record.runs(1, with_measurements=True)[0].measurements == ()


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_are_stored_exactly(record, name):
    study_id = record.add_study(name, name)
    assert record.add_study(name, name) == study_id
    record.add_event(study_id, kind="notice", experiment=name, payload={name: name})
    assert record.studies()[0].name == name
    assert record.events(study_id)[0].payload == {name: name}


# --- studies, plans, experiments -----------------------------------------------------------------------------------


def test_a_study_keeps_its_workload(record):
    record.add_study("s", "digits")
    with pytest.raises(RecordError, match='study "s" trains digits and cannot also train other'):
        record.add_study("s", "other")


def test_the_study_touched_last_comes_first(record):
    ids = [record.add_study(name, "w") for name in "abc"]
    assert [study.name for study in record.studies()] == ["c", "b", "a"]
    record.add_event(ids[0], kind="notice", experiment=None, payload={})
    assert [study.name for study in record.studies()] == ["a", "c", "b"]
    start(record, study="b")
    assert [study.name for study in record.studies()] == ["b", "a", "c"]


def test_revisions_are_numbered_within_their_study(record):
    first, second = record.add_study("first", "w"), record.add_study("second", "w")
    plan = {"plan_hash": "h", "plan_text": "study: é\n", "plan_path": "p.yaml"}
    added = [record.add_revision(study, **plan, known={"runs": [1]}) for study in (first, first, second)]
    assert [revision.number for revision in added] == [1, 2, 1]
    assert record.revisions(first) == added[:2]
    assert record.revisions(first)[0].known == {"runs": [1]}


def test_an_experiment_keeps_the_order_of_its_arms(record):
    study = record.add_study("s", "w")
    revision = record.add_revision(study, plan_hash="h", plan_text="", plan_path="", known={})
    definition = {"arms": {"z": {"lr": np.float64(0.5)}, "a": {"norms": ("batch", None)}}}
    record.add_experiment(study, revision.id, key="e", content_hash="c", definition=definition)
    (found,) = record.experiments(study)
    assert list(found.definition["arms"]) == ["z", "a"]
    assert found.definition == {"arms": {"z": {"lr": 0.5}, "a": {"norms": ["batch", None]}}}
    with pytest.raises(RecordError, match=r"(?i)unique"):
        record.add_experiment(study, revision.id, key="e", content_hash="c", definition={})


@pytest.mark.parametrize("value", [math.nan, math.inf, object()])
def test_a_document_holds_only_what_json_can(record, value):
    study = record.add_study("s", "w")
    with pytest.raises(RecordError, match="cannot be written"):
        record.add_event(study, kind="decision", experiment="e", payload={"x": value})
    assert record.events(study) == []


# --- runs ----------------------------------------------------------------------------------------------------------


def test_a_run_ends_once(record):
    run_id = start(record)
    finish(record, run_id)
    with pytest.raises(RecordError, match=f"run {run_id} ended as COMPLETE already"):
        finish(record, run_id, status=Status.FAILED)
    with pytest.raises(RecordError, match="there is no run 99"):
        finish(record, 99)
    with pytest.raises(RecordError, match="got RUNNING"):
        finish(record, start(record, "other"), status=Status.RUNNING)


def test_nothing_is_trained_twice(record):
    finish(record, start(record, "fine"))
    finish(record, start(record, "diverged"), status=Status.INFEASIBLE, reason="loss is nan at step 2")
    for key in ("fine", "diverged"):
        with pytest.raises(RecordError, match=r"trained it meanwhile \(run .*Run again to go on"):
            start(record, key)


def test_a_key_has_one_result_even_when_two_trained_it_at_once(record):
    first, second = start(record), start(record)
    assert finish(record, second) is Status.COMPLETE
    assert finish(record, first, values=(9.0,)) is Status.INTERRUPTED
    assert record.completed(["k"])["k"].id == second
    late = record.runs(1, with_measurements=True)[0]
    assert late.reason == f"run {second} of the same config and seed ended first"
    assert late.measurements[0].values == {"loss": 9.0}


@pytest.mark.parametrize("status", [Status.FAILED, Status.INTERRUPTED, Status.PRUNED])
def test_what_did_not_finish_is_tried_again_under_the_next_number(record, status):
    finish(record, start(record), status=status)
    assert record.completed(["k"]) == {}
    finish(record, start(record))
    assert record.completed(["k"])["k"].attempt == 2


def test_a_step_is_measured_once(record):
    run_id = start(record)
    twice = (Measurement(step=1, values={"loss": 1.0}), Measurement(step=1, values={"loss": 2.0}))
    with pytest.raises(RecordError, match="a step came twice"):
        finish(record, run_id, measurements=twice)


def test_a_study_may_rest_on_anothers_run(record):
    run_id = start(record, study="first")
    finish(record, run_id)
    second = record.add_study("second", "w")
    for _ in range(2):
        record.use_run(second, run_id, experiment="x", arm="y")
    assert [(use.run_id, use.experiment, use.arm) for use in record.uses(second)] == [(run_id, "x", "y")]
    assert [run.id for run in record.runs(second)] == [run_id]
    with pytest.raises(RecordError, match=r"(?i)foreign key"):
        record.use_run(second, 99, experiment="x", arm="y")


def test_hundreds_of_keys_are_asked_for_at_once(record):
    keys = [f"key {i}" for i in range(1200)]
    finish(record, start(record, keys[-1]))
    finish(record, start(record, keys[0]))
    assert set(record.completed(keys)) == {keys[0], keys[-1]}


def test_counts_tell_started_reused_and_hours(record):
    for i, status in enumerate([Status.COMPLETE, Status.COMPLETE, Status.FAILED]):
        finish(record, start(record, f"k{i}"), status=status)
    start(record, "running")
    second = record.add_study("second", "w")
    record.use_run(second, 1, experiment="e", arm="a")
    record.use_run(second, 1, experiment="f", arm="a")
    empty = record.add_study("empty", "w")
    assert record.status_counts() == {
        1: StudyCounts(statuses={Status.COMPLETE: 2, Status.FAILED: 1, Status.RUNNING: 1}, wall_seconds=7.5, reused=0),
        second: StudyCounts(reused=1),
        empty: StudyCounts(),
    }


@pytest.mark.parametrize(
    ("attempts", "counted"),
    [
        ([Status.FAILED, Status.COMPLETE], Status.COMPLETE),
        ([Status.INTERRUPTED, Status.FAILED, Status.INFEASIBLE], Status.INFEASIBLE),
        ([Status.INTERRUPTED, Status.FAILED], Status.INTERRUPTED),
        ([Status.FAILED, Status.RUNNING], Status.RUNNING),
    ],
)
def test_a_run_tried_again_counts_once_by_its_best_attempt(record, attempts, counted):
    for status in attempts:
        run_id = start(record)
        if status is not Status.RUNNING:
            finish(record, run_id, status=status)
    seconds = 2.5 * sum(status is not Status.RUNNING for status in attempts)
    assert record.status_counts() == {1: StudyCounts(statuses={counted: 1}, wall_seconds=seconds)}


# --- verdicts and events -------------------------------------------------------------------------------------------


def test_a_verdict_comes_back_with_its_numbers(record):
    study = record.add_study("s", "w")
    record.add_verdict(
        study,
        experiment="e",
        arm="a",
        metric="loss",
        verdict="INCONCLUSIVE",
        cause="underpowered",
        decision="REPEAT",
        n=np.int64(5),
        estimate=np.float64(0.25),
        low=-math.inf,
        high=0.5,
        payload={"seeds": [1, 2]},
    )
    (verdict,) = record.verdicts(study)
    assert (verdict.verdict, verdict.cause, verdict.decision, verdict.n) == (
        "INCONCLUSIVE",
        "underpowered",
        "REPEAT",
        5,
    )
    assert (verdict.estimate, verdict.low, verdict.high, verdict.p) == (0.25, -math.inf, 0.5, None)
    assert verdict.payload == {"seeds": [1, 2]}
    with pytest.raises(RecordError, match="p must be a number or None; got nan"):
        record.add_verdict(study, experiment="e", arm="a", metric="m", verdict="SUPPORTED", n=3, p=math.nan)


def test_events_are_read_by_kind_in_order(record):
    study = record.add_study("s", "w")
    for kind in ("decision", "opening", "decision"):
        record.add_event(study, kind=kind, experiment=None, payload={"kind": kind})
    assert [event.kind for event in record.events(study)] == ["decision", "opening", "decision"]
    assert [event.id for event in record.events(study, "decision")] == [1, 3]
    with pytest.raises(RecordError, match=r"got .decisions.\. Did you mean .decision."):
        record.add_event(study, kind="decisions", experiment=None, payload={})
