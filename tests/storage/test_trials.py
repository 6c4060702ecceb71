"""A sweep's trials, the runs that answer them, their curves, and what is written together."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from storage_cases import PROVENANCE, finish, start

from surefoot.errors import RecordError
from surefoot.run import Measurement, Status
from surefoot.storage import Record
from surefoot.storage.values import curve_of, encoded, finals_of


def add_trial(record, number, *, sweep="main", study="sweep"):
    study_id = record.add_study(study, "w", kind="sweep")
    settings = {"lr": 0.1 * number, "norm": None}
    config = {**settings, "batch": 64}
    return record.add_trial(
        study_id, sweep=sweep, number=number, settings=settings, config=config, origin="tpe", space_hash="5face"
    )


def answer(record, number, *, sweep="main", key=None, **outcome):
    """A run of the trial, ended unless it has no outcome."""
    study_id = record.add_study("sweep", "w", kind="sweep")
    run = {"key": key or f"{sweep} {number}", "workload": "w", "config": {}, "seed": 1, "experiment": sweep}
    run_id = record.start_run(study_id=study_id, provenance=PROVENANCE, arm=f"trial {number}", **run)
    if outcome:
        finish(record, run_id, **outcome)
    return run_id


def test_a_study_keeps_its_kind(record):
    assert record.add_study("a", "w") == record.add_study("a", "w", kind="plan")
    record.add_study("b", "w", kind="sweep")
    assert {study.name: study.kind for study in record.studies()} == {"a": "plan", "b": "sweep"}
    with pytest.raises(RecordError, match='study "a" is a plan and cannot also be a sweep'):
        record.add_study("a", "w", kind="sweep")
    with pytest.raises(RecordError, match='must be a plan or a sweep; got "search"'):
        record.add_study("c", "w", kind="search")


def test_trials_come_back_by_number_each_sweeps_own(record):
    added = [add_trial(record, n) for n in (2, 0, 1)]
    other = add_trial(record, 0, sweep="other")
    study = added[0].study_id
    assert record.trials(study, "main") == sorted(added, key=lambda trial: trial.number)
    assert record.trials(study, "other") == [other]
    assert [(t.sweep, t.number) for t in record.trials(study)] == [("main", 0), ("main", 1), ("main", 2), ("other", 0)]
    assert list(added[0].config) == ["lr", "norm", "batch"]


def test_a_number_comes_once_in_a_sweep(record):
    add_trial(record, 0)
    with pytest.raises(RecordError, match=r"(?i)unique"):
        add_trial(record, 0)
    add_trial(record, 0, sweep="other")


def test_a_trials_runs_are_its_attempts_in_order_with_final_values_only(record):
    first = answer(record, 3, status=Status.PRUNED, values=(0.9, 0.8))
    second = answer(record, 3, values=(0.7, 0.6, 0.5))
    running = answer(record, 10)
    answer(record, 3, sweep="other")
    found = record.trial_runs(1, "main")
    assert {number: [run.id for run in runs] for number, runs in found.items()} == {3: [first, second], 10: [running]}
    assert [(run.attempt, run.status, run.final("loss")) for run in found[3]] == [
        (1, Status.PRUNED, 0.8),
        (2, Status.COMPLETE, 0.5),
    ]
    assert (found[3][0].measurements, found[10][0].finals) == ((), {})


def test_a_run_of_another_study_answers_a_trial_too(record):
    run_id = start(record, study="earlier")
    finish(record, run_id)
    study_id = record.add_study("sweep", "w", kind="sweep")
    record.use_run(study_id, run_id, experiment="main", arm="trial 7")
    record.use_run(study_id, run_id, experiment="main", arm="trial -1")
    for arm in ("trial seven", "trial", "7", "trial --1"):
        record.use_run(study_id, run_id, experiment="main", arm=arm)
    found = record.trial_runs(study_id, "main")
    assert {number: [run.id for run in runs] for number, runs in found.items()} == {-1: [run_id], 7: [run_id]}


def test_final_values_are_the_last_of_each_metric_whatever_they_are(record):
    measured = [
        Measurement(step=1, values={"loss": 2.0, "seen": 1.0}),
        Measurement(step=3, values={"loss": math.nan}),
        Measurement(step=2, values={"loss": 1.0, "peak": math.inf}),
    ]
    run_id = start(record)
    finish(record, run_id, measurements=measured)
    (run,) = record.runs(1)
    assert repr(sorted(run.finals.items())) == "[('loss', nan), ('peak', inf), ('seen', 1.0)]"
    (whole,) = record.runs(1, with_measurements=True)
    assert all(repr(run.final(name)) == repr(whole.final(name)) for name in ("loss", "peak", "seen", "other"))


numbers = st.floats(allow_nan=True, allow_infinity=True)
curves = st.lists(st.dictionaries(st.text(), numbers), max_size=6)


@given(curve=curves)
def test_a_curve_comes_back_exactly_however_it_is_read(curve):
    measured = [Measurement(step=i, values=values) for i, values in enumerate(curve)]
    assert repr(curve_of([(7, m.step, encoded(m.values)) for m in measured])) == repr(measured)
    assert finals_of(measured).keys() == {name for values in curve for name in values}


def test_curves_are_read_for_many_runs_at_once_of_one_metric_or_all(record):
    ids = []
    with record.together():
        for i in range(600):
            ids.append(start(record, f"k{i}"))
            finish(record, ids[-1], values=(i, i + 0.5))
    odd = start(record, "odd")
    finish(record, odd, measurements=[Measurement(step=9, values={"other": 1.0})])
    found = record.curves([*ids, odd, 10**6])
    assert [[m.values["loss"] for m in found[i]] for i in ids] == [[i, i + 0.5] for i in range(600)]
    assert set(found) == {*ids, odd}
    assert record.curves([ids[3], odd], "loss") == {ids[3]: found[ids[3]]}
    assert record.curves([]) == {}


# --- together ------------------------------------------------------------------------------------------------------


def test_what_is_written_together_is_there_or_not_there_as_a_whole(record):
    with pytest.raises(ZeroDivisionError), record.together():
        add_trial(record, 0)
        answer(record, 0)
        _ = 1 / 0
    assert record.studies() == []
    with record.together():
        trial = add_trial(record, 0)
        run_id = answer(record, 0)
        assert [run.id for run in record.runs(trial.study_id)] == [run_id]  # what is written is seen within
    assert record.trials(trial.study_id) == [trial]


def test_a_refusal_within_leaves_what_was_written_before_it(record):
    finish(record, start(record, "trained"))
    with record.together():
        trial = add_trial(record, 0)
        with pytest.raises(RecordError, match="trained once only"):
            start(record, "trained")
        with pytest.raises(RecordError, match=r"(?i)unique"):
            add_trial(record, 0)
        run_id = answer(record, 1)
    assert record.trials(trial.study_id) == [trial]
    assert [run.id for run in record.runs(trial.study_id)] == [run_id]


def test_together_within_together_is_one_transaction(record):
    with pytest.raises(ZeroDivisionError), record.together():
        with record.together():
            add_trial(record, 0)
        _ = 1 / 0
    assert record.studies() == []


def test_nothing_is_written_where_nothing_was_to_write(where):
    Record.open(where).close()
    reader = Record.open(where, read_only=True)
    with reader, pytest.raises(RecordError, match="reading only"), reader.together():
        pass
    with Record.open(where) as record, record.together():
        pass
