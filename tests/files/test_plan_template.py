"""What `init` writes is a plan that can be run as it is."""

from __future__ import annotations

import dataclasses
from dataclasses import make_dataclass

import pytest

from surefoot.files.plan_file import parse_plan
from surefoot.files.plan_template import plan_template
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.workload import WORKLOADS, Workload, find_workload

odd: Workload  # set by the tests below, and found by its name "test_plan_template:odd"


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_has_a_template_that_is_a_plan(name):
    plan = parse_plan(plan_template(find_workload(name), name))
    assert plan.workload == name
    assert plan.baseline == find_workload(name).defaults()
    assert len(plan.experiments) == 1


@pytest.mark.parametrize("name", ["digits", "cifar10", "fashion_mnist"])
def test_the_first_experiment_changes_what_acts_under_the_defaults(name):
    workload = find_workload(name)
    (experiment,) = parse_plan(plan_template(workload, name)).experiments
    (arm,) = experiment.arms
    assert dict(arm.changes) == {"lr": 2 * workload.defaults()["lr"]}


def test_momentum_is_proposed_only_where_there_is_nothing_else(monkeypatch):
    for others, first in (((boolean("flip"),), "flip"), ((), "momentum")):
        values = {"momentum": 0.9, **{p.name: False for p in others}}
        workload = made(real("momentum", 0.0, 0.99), *others, **values)
        monkeypatch.setitem(globals(), "odd", workload)
        (experiment,) = parse_plan(plan_template(workload, f"{__name__}:odd")).experiments
        assert experiment.id == first


def made(*parameters, metric: str = "loss", unit: str = "", **defaults) -> Workload:
    config = make_dataclass("Config", [(k, type(v), dataclasses.field(default=v)) for k, v in defaults.items()],
                            frozen=True, kw_only=True)  # fmt: skip
    return Workload(
        name="odd one/x",
        summary="",
        config=config,
        metrics=(Metric(name=metric, goal="minimize", unit=unit),),
        space=SearchSpace(parameters=parameters),
        train=lambda config, context: iter(()),
    )


@pytest.mark.parametrize(
    "workload",
    [
        pytest.param(made(real("x", 0.0, 1.0), x=0.123456789012), id="a float with many digits"),
        pytest.param(made(real("x", 0.0, 1.0), x=1), id="a float whose default is written as a whole number"),
        pytest.param(made(real("x", 0.5, 0.6), x=0.6), id="a float that fits neither doubled nor halved"),
        pytest.param(made(integer("n", 1, 8), n=5), id="a whole number that can only be halved"),
        pytest.param(made(integer("n", 7, 8), n=8), id="a whole number with one neighbour"),
        pytest.param(made(integer("n"), n=0), id="a whole number that is nothing"),
        pytest.param(made(boolean("on"), on=True), id="a switch"),
        pytest.param(made(choice("word", "true", "1", "a: b", "#", "", "null", "~", "é"), word="true"), id="odd words"),
        pytest.param(made(choice("k", 1, 2.5, "1"), k=1), id="choices of several types"),
        pytest.param(made(choice("only", "a"), only="a"), id="nothing to vary"),
        pytest.param(made(), id="no setting at all"),
        pytest.param(made(boolean("on"), on=True, metric="val/loss: it", unit='"°C" \\ %'), id="an odd metric"),
        pytest.param(made(boolean("true_"), true_=False), id="an odd setting"),
        pytest.param(made(real("x"), boolean("y"), x=0.0, y=False), id="a float that is nothing"),
    ],
)
def test_the_template_of_any_workload_is_a_plan_with_its_defaults(workload, monkeypatch):
    monkeypatch.setitem(globals(), "odd", workload)
    name = f"{__name__}:odd"
    plan = parse_plan(plan_template(workload, name))
    assert plan.baseline == workload.defaults()
    assert plan.metrics == workload.metrics
    can_vary = any(p.kind != "categorical" or len(p.choices) > 1 for p in workload.space.parameters)
    assert len(plan.experiments) == can_vary
