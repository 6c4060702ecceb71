"""What a plan says of its phases is read strictly: each mistake named by its line, no override without a reason."""

from __future__ import annotations

import jsonschema
import pytest

from surefoot.errors import PlanError
from surefoot.files.plan_entry import plan_schema
from surefoot.files.plan_file import parse_plan
from surefoot.plan import Finalise, Optimise, Override
from surefoot.thresholds import Thresholds

BASE = """study: a
workload: digits
metrics: {val_accuracy: {goal: maximize, target: 95}}
"""


def test_a_plan_without_phases_has_none_and_keeps_its_hash():
    plan = parse_plan(BASE)
    assert plan.optimise is None and plan.finalise is None and not plan.overrides
    assert not {"optimise", "final", "thresholds", "overrides"} & plan.definition().keys()


def test_the_defaults_of_optimising_are_one_targeted_round_of_three():
    assert parse_plan(BASE + "optimise: {}\n").optimise == Optimise(strategy="targeted", rounds=1, recommendations=3)
    assert parse_plan(BASE + "optimise: {strategy: iterative}\n").optimise.rounds == 3


def test_finalise_true_is_the_whole_of_it_only_where_there_are_phases():
    assert parse_plan(BASE + "finalise: true\n").finalise == Finalise()
    assert parse_plan(BASE + "optimise: {}\nfinalise: true\n").finalise == Finalise(seeds=3, exports=("torch", "onnx"))
    assert parse_plan(BASE + "finalise: {seeds: 2, export: [onnx]}\n").finalise == Finalise(seeds=2, exports=("onnx",))


def test_thresholds_are_set_by_name_over_their_defaults():
    plan = parse_plan(BASE + "thresholds: {overfit_mild: 3, diminishing_rounds: 4}\n")
    assert plan.thresholds == Thresholds(overfit_mild=3.0, diminishing_rounds=4)
    assert plan.definition()["thresholds"] == {"overfit_mild": 3.0, "diminishing_rounds": 4}


def test_an_override_carries_its_reason_on_one_line():
    override = "  - gate: baseline\n    predicate: device_used\n    because: >\n      a shared\n      laptop\n"
    said = f"optimise: {{}}\noverrides:\n{override}"
    expected = Override(gate="baseline", predicate="device_used", because="a shared laptop")
    assert parse_plan(BASE + said).overrides == (expected,)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("optimise: {strategy: targetted}", 'plan.yaml:4: optimise.strategy must be one of .* Did you mean "targeted"'),
        ("optimise: {rounds: 0}", "plan.yaml:4: optimise.rounds must be at least 1; got 0"),
        ("optimise: {round: 1}", 'optimise.round is not a known key; .* Did you mean "rounds"'),
        ("thresholds: {overfit_mlid: 3}", 'thresholds.overfit_mlid is not .* Did you mean "overfit_mild"'),
        ("thresholds: {overfit_mild: high}", 'thresholds.overfit_mild must be a finite number, 0 or more; got "high"'),
        ("thresholds: {overfit_mild: true}", "must be a finite number, 0 or more; got true"),
        ("thresholds: {hours: -1}", "must be a finite number, 0 or more; got -1"),
        ("thresholds: {diminishing_rounds: 1.5}", "must be a whole number of at least 1; got 1.5"),
        ("optimise: {}\noverrides: [{gate: a, predicate: b}]", 'plan.yaml:5: overrides\\[0\\] must have "because"'),
        ("optimise: {}\noverrides: [{gate: a, predicate: b, because: ' '}]", "because must give the reason"),
        ("overrides: [{gate: a, predicate: b, because: c}]", "belongs to a study with phases"),
        (
            "optimise: {}\noverrides: [{gate: a, predicate: b, because: c}, {gate: a, predicate: b, because: d}]",
            "must be a new one; a: b is overridden above",
        ),
        ("finalise: 3", "must be true, false, or keys with values; got 3"),
        ("finalise: {seeds: 0}", "finalise.seeds must be at least 1; got 0"),
        ("finalise: {export: [onx]}", 'finalise.export\\[0\\] must be one of torch, onnx; got "onx". Did you mean'),
        ("finalise: {export: [onnx, onnx]}", "must name each format once"),
        (
            "optimise: {}\nexperiments: [{id: round-1, hypothesis: h, arms: {a: {lr: 0.1}}, "
            "expect: [{arm: a, metric: val_accuracy, is: better}]}]",
            'must not be "round-1": what optimising registers is called so',
        ),
    ],
)
def test_every_mistake_is_one_clear_line(text, mistake):
    with pytest.raises(PlanError, match=mistake):
        parse_plan(f"{BASE}{text}\n")


def test_the_schema_for_editors_knows_the_phases():
    schema = plan_schema()
    metrics = {"val_accuracy": {"goal": "maximize"}}
    good = {"study": "a", "workload": "digits", "metrics": metrics, "optimise": {}, "thresholds": {"hours": 2}}
    jsonschema.validate({**good, "finalise": {"seeds": 2, "export": ["onnx"]}}, schema)
    jsonschema.validate({**good, "finalise": True}, schema)
    for bad in ({"finalise": 3}, {"thresholds": {"hour": 2}}, {"optimise": {"strategy": "all"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **bad}, schema)
