"""A search in a plan is read as strictly as a sweep is, and every mistake names its line in the plan."""

import re

import jsonschema
import pytest
from ruamel.yaml import YAML

from surefoot.errors import PlanError
from surefoot.files.plan_file import parse_plan, plan_schema
from surefoot.sweep import Method, Stopping

PLAN = """\
study: tuned
workload: digits
metrics:
  val_loss: {goal: minimize, target: 0.1}
  val_accuracy: {goal: maximize}
baseline: {layers: 2, norm: none, lr: 1e-3}
experiments:
  - id: width
    hypothesis: Wider is better.
    arms: {wide: {filters: 16}}
    expect:
      - {arm: wide, metric: val_loss, is: better}
  - id: tune
    hypothesis: A better learning rate lies within reach.
    search:
      parameters:
        lr: {min: 1e-4, max: 1e-1, log: true}
        weight_decay: {min: 1e-6, max: 1e-2, log: true}
      trials: 30
      stop_early: {rule: asha, min_steps: 20, max_steps: 180}
      constraints: ["lr * steps <= 100"]
      first: [{lr: 1e-3, weight_decay: 1e-5}]
      search_seed: 3
    expect:
      - {arm: best, metric: val_loss, is: better, by: 0.01}
  - id: norm
    hypothesis: Normalisation helps, whatever the rate.
    search:
      parameters:
        norm: {choices: [none, batch], role: scientific}
        lr: {min: 1e-4, max: 1e-1, log: true}
      trials: 20
      method: {name: sobol}
    expect:
      - {arm: norm=batch, metric: val_loss, is: better}
  - id: dropout
    hypothesis: Dropout helps then.
    arms: {tenth: {dropout: 0.1}}
    expect:
      - {arm: tenth, metric: val_loss, is: better}
"""


def searches(text=PLAN):
    return {e.id: e.search for e in parse_plan(text).experiments}


def test_a_search_is_read_whole():
    tune = searches()["tune"]
    assert tune.space.names() == ("lr", "weight_decay")
    assert (tune.trials, tune.top, tune.search_seed) == (30, 3, 3)
    assert tune.method == Method(name="tpe")
    assert tune.stopping == Stopping(rule="asha", min_steps=20, max_steps=180)
    assert tune.first == ({"lr": 1e-3, "weight_decay": 1e-5},)
    # What is fixed stands in the constraint as a number: here the baseline's own steps.
    assert [c.names for c in tune.space.constraints] == [("lr",)]
    assert tune.arm_names == ("best", "second", "third")


def test_scientific_settings_name_the_arms():
    assert searches()["norm"].arm_names == ("norm=none", "norm=batch")
    assert searches()["width"] is None


def test_the_best_few_can_be_more_or_fewer():
    assert searches(PLAN.replace("trials: 30", "trials: 30\n      top: 1"))["tune"].arm_names == ("best",)
    many = searches(PLAN.replace("trials: 30", "trials: 30\n      top: 5"))["tune"]
    assert many.arm_names == ("best", "second", "third", "4th", "5th")


def test_a_grid_knows_its_trials():
    text = PLAN.replace("method: {name: sobol}", "method: grid").replace("trials: 20", "first: []")
    text = text.replace("lr: {min: 1e-4, max: 1e-1, log: true}\n      first", "lr: [1e-3, 1e-2, 1e-1]\n      first")
    assert searches(text)["norm"].trials == 6


def test_a_plan_without_searches_is_hashed_as_before():
    start, _, rest = PLAN.partition("  - id: tune")
    plan = parse_plan(start + rest[rest.index("  - id: dropout") :])
    assert all("search" not in e.definition() for e in plan.experiments)


def test_the_schema_knows_searches_and_programs():
    plain = YAML(typ="safe", pure=True)
    jsonschema.validate(plain.load(PLAN), plan_schema())
    jsonschema.validate(plain.load(PLAN.replace("workload: digits", "workload: {command: a b}")), plan_schema())
    for old, new in (("trials: 30", "trails: 30"), ("rule: asha", "rul: asha"), ("log: true}\n  ", "lgo: true}\n  ")):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plain.load(PLAN.replace(old, new, 1)), plan_schema())


def test_later_arms_are_asked_for_on_any_champion_that_a_search_may_find():
    # Where the search may move a setting anywhere, no later arm is impossible on every champion.
    assert parse_plan(PLAN).experiments[-1].arms[0].changes == {"dropout": 0.1}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("trials: 30", "trails: 30", 19, r'experiments\[1\].search.trails is not a known key; .*Did you mean "trials"'),
        ("      trials: 30\n", "", 15, r'experiments\[1\].search must have "trials"'),
        ("trials: 30", "trials: 2", 19, "trials must be at least 3, one for each arm to be; got 2"),
        ("trials: 30", "trials: 0", 19, "trials must be at least 1; got 0"),
        ("lr: {min: 1e-4, max: 1e-1", "lrr: {min: 1e-4, max: 1e-1", 17, 'lrr is not a setting .*Did you mean "lr"'),
        ("max: 1e-1", "max: 1e9", 17, "parameters.lr must be a number from 0 to"),
        ("max: 1e-1", "mx: 1e-1", 17, 'parameters.lr.mx is not a known key; .*Did you mean "max"'),
        ("{min: 1e-6, max: 1e-2, log: true}", "1e-5", 18, "weight_decay must vary; 1e-05 alone belongs to the"),
        ("{min: 1e-6, max: 1e-2, log: true}", "[]", 18, "weight_decay must have at least one choice; got none"),
        ("rule: asha", "rule: ashes", 20, 'stop_early.rule must be one of .*Did you mean "asha"'),
        ("rule: asha", "rule: wilcoxon", 20, "stop_early.min_steps is nothing that wilcoxon knows"),
        ("{rule: asha, min_steps: 20, max_steps: 180}", "wilcoxon", 20, "a search in a plan has one seed a trial"),
        ("max_steps: 180}", "max_step: 180}", 20, 'stop_early.max_step is not .*Did you mean "max_steps"'),
        ("lr * steps <= 100", "lr * filters <= 100", 21, "must not name filters, which an earlier experiment may"),
        ("lr * steps <= 100", "lr * stpes <= 100", 21, 'must name settings and metrics; got "stpes"'),
        ("lr * steps <= 100", "lr * steps <= 0", 21, "constraints must leave something to try"),
        ("first: [{lr: 1e-3", "first: [{lr: 3.0", 22, r"first\[0\].lr must be a number from 0.0001 to 0.1; got 3.0"),
        ("first: [{lr: 1e-3", "first: [{filters: 3, lr: 1e-3", 22, r"first\[0\].filters does not vary here"),
        ("search_seed: 3", "search_seed: -3", 23, "search.search_seed must be at least 0"),
        ("arm: best", "arm: bst", 25, 'expect.*arms "best", "second", "third"; got "bst". Did you mean "best"'),
        ("arm: norm=batch", "arm: batch", 35, r'must be one of the experiment\'s arms "norm=none", "norm=batch"'),
        ("arm: norm=batch", "main: norm", 35, "must name factors of the experiment .none: it is not a factorial."),
        ("trials: 20", "trials: 20\n      top: 2", 33, "top belongs to a search without scientific .* of 2"),
        ("trials: 20", "trials: 1", 32, "trials must be at least 2, one for each arm to be; got 1"),
        ("{name: sobol}", "{name: sobl}", 33, 'search.method.name must be one of .*Did you mean "sobol"'),
        ("{name: sobol}", "{name: sobol, nope: 1}", 33, "nope"),
        ("{name: sobol}", "nsga2", 33, "search.method does not fit 1 objective"),
        ("{name: sobol}", "grid", 31, "must have values that a grid can hold"),
        ("{choices: [none, batch]", "{choices: [none, bach]", 30, 'norm must be one of none, .*Did you mean "batch"'),
        ("lr: {min: 1e-4, max: 1e-1, log: true}\n      trials: 20",
         "lr: {min: 1e-4, max: 1e-1, log: true, role: scientific}\n      trials: 20", 31,
         "lr must have at most 100 values, as its role is scientific; give it a step, or choices"),
        ("lr: {min: 1e-4, max: 1e-1, log: true}\n      trials: 20",
         "filters: {choices: [8, 16]}\n        layers: {min: 1, max: 2, when: {filters: 8}, role: scientific}\n"
         "      trials: 20", 32, "layers is scientific, so what its `when` names must be too; filters is not"),
        ("role: scientific}", "role: scientific, when: {lr: 1e-3}}", 30, "continuous"),
        ("    arms: {tenth: {dropout: 0.1}}",
         "    arms: {tenth: {dropout: 0.1}}\n    search: {parameters: {lr: [1]}}", 36,
         'must have one of "arms", "factorial", "search"; it has arms and search'),
        ("    arms: {tenth: {dropout: 0.1}}\n", "", 36, 'must have one of .*; it has none'),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_line_in_the_plan(old, new, line, words):
    assert old in PLAN
    with pytest.raises(PlanError) as caught:
        parse_plan(PLAN.replace(old, new, 1))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"plan.yaml:{line}: "), message
    assert re.search(words, message), message
