"""A plan study's record as a table of trials: every config once, over its exploring seeds."""

import statistics
from dataclasses import replace

import pytest
from study_cases import experiment, plan_of, search

from surefoot.errors import RecordError
from surefoot.run import Status, config_hash
from surefoot.study.tables import table_of_plan, with_finals

GAIN = experiment("gain", better={"gain": 5.0})
LOSS = experiment("loser", worse={"gain": -9.0})
THIRD = experiment("third", y={"third": "y"})


def table_of(cases, *experiments, **said):
    return table_of_plan(cases.record, 1, plan_of(*experiments), **said)


def test_every_config_is_a_trial_over_its_exploring_seeds(cases):
    cases.run(GAIN, LOSS, THIRD)
    table = table_of(cases, GAIN, LOSS, THIRD)
    runs = [run for run in cases.record.runs(1) if run.seed < 10_001]
    by_config = {}
    for run in runs:
        by_config.setdefault(config_hash(run.config), []).append(run)
    assert len(table.trials) == len(by_config) == 4
    for trial, some in zip(table.trials, by_config.values(), strict=True):
        values = [run.finals["score"] for run in some]
        assert trial.per_seed == tuple(values) and trial.value == pytest.approx(statistics.fmean(values))
        assert {name: some[0].config[name] for name in trial.settings} == trial.settings
        assert trial.budget == {"steps": 3.0} and set(trial.curves) == {"score", "loss"}
    assert table.space.names() == ("gain", "third") and table.is_inferred
    assert table.base["label"] == "none" and table.metric.name == "score"
    assert [t.origin for t in table.trials][:2] == ["baseline", "gain: better"]


def test_what_the_fresh_seeds_said_stands_apart(cases):
    story = cases.run(GAIN, LOSS)
    table = table_of(cases, GAIN, LOSS)
    assert sorted(table.fresh.values()) == sorted(
        [tuple(story.overall.step.before_values), tuple(story.overall.step.after_values)]
    )
    assert all(len(t.per_seed) <= 3 for t in table.trials)


def test_the_trials_of_a_search_within_a_study_are_there_too(cases):
    looked = search("look", parameters={"gain": {"min": 0.0, "max": 4.0}}, trials=5)
    cases.run(looked)
    table = table_of(cases, looked)
    gains = [t.settings["gain"] for t in table.trials]
    assert len(gains) >= 6 and len(set(gains)) == len(gains) and "gain" in table.space.names()


def test_another_metric_of_the_plan_may_be_asked_for(cases):
    cases.run(GAIN)
    table = table_of(cases, GAIN, metric="loss")
    assert table.metric.goal == "minimize" and "score" in table.trials[0].measured
    with pytest.raises(RecordError, match=r'study "toy" does not measure "scor"'):
        table_of(cases, GAIN, metric="scor")


def test_a_config_that_failed_or_diverged_is_told_as_it_ended(cases):
    bad = experiment("bad", crash={"mode": "crash"}, diverge={"mode": "diverge"})
    bad["expect"] = [{"arm": "crash", "metric": "score", "is": "better"}]
    cases.run(bad)
    found = {t.settings["mode"]: t for t in table_of(cases, bad).trials}
    assert {mode: t.state for mode, t in found.items()} == {
        "behave": "COMPLETE",
        "crash": "FAILED",
        "diverge": "INFEASIBLE",
    }
    assert "bad shape" in found["crash"].reason and found["diverge"].value is None


def test_runs_of_other_data_are_left_out_and_counted(cases):
    cases.run(GAIN)
    (cases.data / "version").write_text("data-2")
    cases.run(GAIN)
    table = table_of(cases, GAIN)
    assert [text for text in table.notices if "of other data, code or program are left out" in text]
    assert all(len(t.per_seed) <= 3 for t in table.trials)


def test_a_record_that_keeps_no_last_values_apart_tells_them_by_its_curves(cases):
    cases.run(GAIN)
    runs = [run for run in cases.record.runs(1) if run.status is Status.COMPLETE]
    bare = [replace(run, finals={}) for run in runs]
    assert [run.finals for run in with_finals(cases.record, bare)] == [run.finals for run in runs]
    assert all(run.finals for run in runs)
