"""The histories of our own record: a group a config, every attempt of a seed together, and the ground they stand on."""

import math

import pytest
from study_cases import experiment, plan_of

from surefoot.diagnosis.diagnosis import diagnose
from surefoot.errors import RecordError
from surefoot.run import Measurement, Metric, Provenance, Run, Status
from surefoot.study.diagnosing import ground_of, history_of
from surefoot.study.histories import histories_of_study
from surefoot.workload import find_workload

GAIN = experiment("gain", better={"gain": 5.0})
LOSS = experiment("loser", worse={"gain": -9.0})
ACCURACY = Metric(name="val_accuracy", goal="maximize", unit="%", target=98.0)


def run_of(seed=1, measured=(), **said):
    facts = said.pop("facts", {})
    return Run(
        id=said.pop("id", seed),
        key=f"k{seed}",
        workload="digits",
        config={"lr": 0.1},
        seed=seed,
        status=said.pop("status", Status.COMPLETE),
        measurements=tuple(Measurement(step=step, values={"loss": value}) for step, value in measured),
        facts=facts,
        provenance=Provenance(code_fingerprint="c", data_fingerprint="d"),
        **said,
    )


def test_a_run_is_a_history_with_its_end():
    run = run_of(3, [(10, 2.0), (20, math.nan)], status=Status.INFEASIBLE, reason="non-finite loss at step 20")
    history = history_of(run, "arm")
    assert (history.name, history.seed, history.status, history.step_unit) == ("arm", 3, "INFEASIBLE", "step")
    assert history.curves["loss"].steps == (10, 20) and math.isnan(history.curves["loss"].values[1])
    assert history.reason == run.reason and history.config == {"lr": 0.1}


@pytest.mark.parametrize(
    ("earlier", "later", "steps"),
    [
        ([(10, 5.0), (20, 4.0)], [(30, 3.0)], (10, 20, 30)),
        ([(10, 5.0), (20, 4.0)], [(20, 3.5), (30, 3.0)], (10, 20, 30)),
        ([(10, 5.0), (20, 4.0), (40, 9.0)], [(10, 4.5), (20, 3.5)], (10, 20)),
        ([(10, 5.0)], [], (10,)),
    ],
)
def test_a_later_attempt_overtakes_what_an_earlier_one_measured_from_there_on(earlier, later, steps):
    history = history_of(run_of(1, later), "trial 1", [run_of(1, earlier, status=Status.INTERRUPTED)])
    assert history.curves["loss"].steps == steps


def test_the_ground_counts_what_all_runs_tell_alike_and_asks_the_workload_for_chance():
    workload = find_workload("digits")
    facts = {"train_examples": 1000, "evaluated_examples": 360, "parameters": 832, "classes": 10}
    runs = [run_of(1, facts=facts), run_of(2, facts={**facts, "parameters": 833})]
    ground = ground_of(workload, {"lr": 0.1}, runs, ACCURACY, None)
    assert (ground.trained_on, ground.evaluated_on, ground.classes, ground.parameters) == (1000, 360, 10, None)
    assert ground.chance_score == 10 and ground.chance_loss == pytest.approx(math.log(10))
    assert ground.metric is ACCURACY and ground.space is workload.space and ground.config == {"lr": 0.1}


def test_without_a_workload_or_facts_nothing_is_made_up():
    ground = ground_of(None, {}, [run_of(1, facts={"train_examples": math.inf, "classes": True})], None, None)
    assert (ground.trained_on, ground.evaluated_on, ground.classes, ground.parameters) == (None,) * 4
    assert ground.chance_score is ground.chance_loss is ground.space is None


def test_a_study_is_a_group_a_config_with_its_seeds(cases):
    cases.run(GAIN, LOSS)
    study = cases.record.studies()[0]
    source = histories_of_study(cases.record, study, plan_of(GAIN, LOSS))
    assert [group.subject for group in source.groups] == ["baseline", "champion (gain: better)", "loser: worse"]
    for group in source.groups:
        assert len({history.seed for history in group.histories}) == len(group.histories) >= 1
        assert all(set(history.curves) == {"score", "loss"} for history in group.histories)
        assert max(history.seed for history in group.histories) < 10_001, "fresh seeds chose nothing"
        assert group.ground.metric.name == "score" and group.ground.config == group.histories[0].config
        assert diagnose(group.histories, group.ground).histories == len(group.histories)
    assert source.groups[1].ground.config["gain"] == 5.0


def test_a_metric_that_the_study_does_not_measure_is_refused(cases):
    cases.run(GAIN)
    with pytest.raises(RecordError, match=r'does not measure "scores".*Did you mean "score"'):
        histories_of_study(cases.record, cases.record.studies()[0], plan_of(GAIN), metric="scores")
