"""A run may be judged at each measurement, ended early, gone on with later; a task may be waited for."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.execution import Task, WorkerPool
from surefoot.run import Status

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE)

    def make(name, *, steps=8, folder="run", **more):
        workload = f"toy_judged:{name}"
        return Task(key=folder, workload=workload, config={"steps": steps}, seed=0, artifacts=tmp_path / folder, **more)

    return make


def at_step(step, reason="not among the best third"):
    return lambda task, measurement: reason if measurement.step == step else None


def steps_of(outcome):
    return [measurement.step for measurement in outcome.measurements]


@pytest.mark.parametrize("name", ["COUNT", "REPORT", "SWALLOW"])
def test_a_judged_run_ends_at_the_measurement_it_was_judged_by(pool, task, name):
    for _ in range(5):
        (outcome,) = pool.run([task(name, is_judged=True)], on_measurement=at_step(3))
        assert (outcome.status, outcome.reason) == (Status.PRUNED, "not among the best third")
        assert steps_of(outcome) == [1, 2, 3]


def test_a_run_that_is_judged_well_is_complete(pool, task):
    heard = []
    (outcome,) = pool.run([task("COUNT", is_judged=True)], on_measurement=lambda _, m: heard.append(m.step))
    assert (outcome.status, steps_of(outcome), heard) == (Status.COMPLETE, [*range(1, 9)], [*range(1, 9)])


def test_a_run_that_is_not_judged_is_told_as_soon_as_may_be(pool, task):
    heard = []

    def judge(task, measurement):
        heard.append(measurement.step)
        return "enough" if measurement.step >= 2 else None

    (outcome,) = pool.run([task("DAWDLE", steps=2000)], on_measurement=judge)
    assert (outcome.status, outcome.reason) == (Status.PRUNED, "enough")
    assert 2 <= len(outcome.measurements) < 2000
    assert heard == [1, 2], "a run that is to end is not judged again"


def test_a_run_that_ended_before_it_was_told_stays_complete(pool, task):
    (outcome,) = pool.run([task("COUNT", steps=3)], on_measurement=at_step(3))
    assert (outcome.status, steps_of(outcome)) == (Status.COMPLETE, [1, 2, 3])


def test_a_verdict_on_one_run_is_nothing_to_the_next(pool, task):
    first, second = task("COUNT", steps=3, folder="a"), task("DAWDLE", steps=5, folder="b")
    outcomes = pool.run([first, second], on_measurement=lambda t, m: "worst" if (t.key, m.step) == ("a", 3) else None)
    assert [outcome.status for outcome in outcomes] == [Status.COMPLETE, Status.COMPLETE]


def test_a_judged_value_that_is_no_number_is_infeasible_whatever_the_judge_says(pool, task):
    (outcome,) = pool.run([task("DIVERGE", is_judged=True)], on_measurement=at_step(2))
    assert (outcome.status, outcome.reason) == (Status.INFEASIBLE, "loss is nan at step 2")


def test_what_fails_while_it_is_ended_is_still_pruned(pool, task):
    (outcome,) = pool.run([task("END_BADLY", is_judged=True)], on_measurement=at_step(2))
    assert (outcome.status, outcome.reason) == (Status.PRUNED, "not among the best third")


def test_a_pruned_run_goes_on_where_it_stopped(pool, task, tmp_path):
    (paused,) = pool.run([task("REMEMBER", is_judged=True)], on_measurement=at_step(3))
    (resumed,) = pool.run([task("REMEMBER", resume=True)])
    (whole,) = pool.run([task("REMEMBER", folder="whole")])
    assert (steps_of(paused), steps_of(resumed)) == ([1, 2, 3], [4, 5, 6, 7, 8])
    assert (*paused.measurements, *resumed.measurements) == whole.measurements
    assert (tmp_path / "run/output.txt").read_text() == "".join(f"step {step}\n" for step in range(1, 9))


def test_a_run_that_begins_anew_finds_no_earlier_checkpoint(pool, task):
    pool.run([task("REMEMBER", is_judged=True)], on_measurement=at_step(3))
    (again,) = pool.run([task("KEEP")])
    assert again.facts == {"leftovers": []}


def test_a_training_that_waits_hears_that_it_should_stop(task):
    def interrupt(task, measurement):
        if measurement.step == 1:
            pool.interrupt()

    with WorkerPool(1, grace_seconds=30) as pool:
        (outcome,) = pool.run([task("WAIT")], on_measurement=interrupt)
    assert (outcome.status, outcome.reason) == (Status.INTERRUPTED, "stopped after step 2")


# --- tasks that are not there yet ------------------------------------------------------------------------------------


def test_nothing_just_now_is_asked_again_when_a_run_has_ended(pool, task):
    asked = []

    def tasks():
        yield task("COUNT", folder="a")
        while not asked or asked[-1] != "ended":
            asked.append("nothing")
            yield None
        yield task("COUNT", folder="b")

    outcomes = pool.run(tasks(), on_end=lambda outcome: asked.append("ended"))
    assert [outcome.task.key for outcome in outcomes] == ["a", "b"]


def test_nothing_just_now_is_asked_again_while_no_run_is_there(pool, task):
    outcomes = pool.run(iter([None, None, task("COUNT"), None]))
    assert [outcome.status for outcome in outcomes] == [Status.COMPLETE]


def test_a_free_worker_is_not_asked_for_at_every_measurement(task):
    asked = []

    def tasks():
        yield task("COUNT", steps=300, is_judged=True, folder="a")
        while len(asked) < 10_000:
            asked.append(None)
            yield None
            if ended:
                return

    ended = []
    with WorkerPool(2) as pool:
        pool.run(tasks(), on_end=ended.append)
    assert len(asked) < 100


def test_none_while_interrupted_is_the_end(task):
    def tasks():
        pool.interrupt()
        while True:
            yield None

    with WorkerPool(1) as pool:
        assert pool.run(tasks()) == []
