"""A function anybody wrote is a run: called as its signature asks, heard however it answers."""

from __future__ import annotations

import pytest
from program_cases import Bench, curve

from surefoot.errors import WorkloadError
from surefoot.execution import WorkerPool
from surefoot.run import Status
from surefoot.workload import find_workload
from surefoot.workloads.program import check_program, code_fingerprint

MODULE = """
import time
import surefoot
from surefoot import Measurement

def keywords(lr, depth=2): return lr * depth
def a_config(config): return {"val_loss": config["lr"], "note": "kept", "parameters": 7}
def a_dict(hyperparameters): return hyperparameters["lr"]
def anything(**settings): return settings["lr"]
def with_seed(lr, seed): return seed
def with_context(lr, context): return float(context.artifacts.is_dir()) + context.seed
def nested(optimizer): return optimizer["lr"]
def reports(lr):
    for step in range(1, 5):
        surefoot.report(10 * step, val_loss=lr / step, accuracy=step)
def counts(lr):
    for epoch in range(3):
        surefoot.report(val_loss=epoch)
    return 9.0
def generates(lr):
    for step in range(1, 6):
        yield Measurement(step=step, values={"val_loss": step})
    return {"stop_reason": "done"}
def yields_dicts(lr):
    yield {"val_loss": 1}
    yield {"step": 5, "val_loss": 2}
    yield 3.0
def diverges(lr):
    surefoot.report(1, val_loss=float("nan"))
    time.sleep(600)
def catches(lr):
    for step in range(1, 1000):
        try:
            surefoot.report(step, val_loss=1)
        except Exception:
            pass
def returns_text(lr): return "0.5"
def returns_nothing(lr): return None
def returns_list(lr): return [1, 2]
def reports_nothing(lr): surefoot.report(3)
def reports_text(lr): surefoot.report(3, val_loss="low")
def breaks(lr): raise KeyError("width")
def hangs(lr):
    surefoot.report(1, val_loss=1)
    while True: pass
no_function = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "its_training.py").write_text(MODULE)
    return folder


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def bench(folder, pool):
    return Bench(folder, pool)


@pytest.fixture
def call(bench):
    def call(name, config=None, **more):
        program = bench.program(function=f"its_training:{name}", **more.pop("program", {}))
        return bench.run(program, {"lr": 0.5} if config is None else config, **more)

    return call


@pytest.mark.parametrize(
    ("name", "config", "value"),
    [
        ("keywords", {"lr": 0.5}, 1.0),
        ("keywords", {"lr": 0.5, "depth": 4}, 2.0),
        ("a_config", {"lr": 0.5}, 0.5),
        ("a_dict", {"lr": 0.5, "depth": 4}, 0.5),
        ("anything", {"lr": 0.5, "depth": 4}, 0.5),
        ("with_seed", {"lr": 0.5}, 3.0),
        ("with_seed", {"lr": 0.5, "seed": 11}, 11.0),
        ("with_context", {"lr": 0.5}, 4.0),
    ],
)
def test_a_function_is_called_as_its_signature_asks(call, name, config, value):
    outcome = call(name, config)
    assert (outcome.status, outcome.reason, curve(outcome)) == (Status.COMPLETE, "", [(1, value)])


def test_nested_settings_come_nested(call):
    nesting = {"optimizer.lr": ("optimizer", "lr")}
    assert curve(call("nested", {"optimizer.lr": 0.5}, program={"nesting": nesting})) == [(1, 0.5)]


def test_numbers_that_are_returned_are_measured_and_the_rest_are_facts(call):
    outcome = call("a_config")
    assert outcome.measurements[0].values == {"val_loss": 0.5, "parameters": 7.0}
    assert outcome.facts == {"note": "kept"}


def test_a_function_may_report_and_return(call):
    assert curve(call("reports")) == [(10, 0.5), (20, 0.25), (30, 0.5 / 3), (40, 0.125)]
    assert curve(call("counts")) == [(1, 0.0), (2, 1.0), (3, 2.0), (4, 9.0)]


def test_a_function_may_be_a_generator(call):
    outcome = call("generates")
    assert (curve(outcome), outcome.facts) == ([(i, i) for i in range(1, 6)], {"stop_reason": "done"})
    assert curve(call("yields_dicts")) == [(1, 1.0), (5, 2.0), (6, 3.0)]


@pytest.mark.parametrize("name", ["reports", "generates", "catches"])
def test_a_function_is_pruned_where_it_was_judged(call, name):
    outcome = call(name, is_judged=True, on_measurement=lambda _, m: "worst" if m.values["val_loss"] != 0.5 else None)
    assert (outcome.status, outcome.reason, len(outcome.measurements)) == (
        Status.PRUNED,
        "worst",
        2 if name == "reports" else 1,
    )


def test_a_function_that_diverges_ends_there(call):
    assert call("diverges").reason == "val_loss is nan at step 1"


def test_a_function_that_hangs_is_killed(call):
    outcome = call("hangs", program={"silence_seconds": 0.4})
    assert (outcome.status, outcome.reason) == (
        Status.FAILED,
        "silent for 0.4 s after step 1; taken for hung, and ended",
    )


@pytest.mark.parametrize(
    ("name", "config", "says"),
    [
        ("keywords", {"rate": 1}, "its_training:keywords(lr, depth=2) must take the settings rate, or one config: "),
        ("returns_text", None, 'must give a mapping of val_loss, or a number where it has one metric; got "0.5"'),
        ("returns_list", None, "must give a mapping of val_loss, or a number where it has one metric; got [1, 2]"),
        ("returns_nothing", None, "it ended without val_loss"),
        ("reports_nothing", None, "surefoot.report must be given a metric"),
        ("reports_text", None, "a measured value must be a number; val_loss is 'low' (str)"),
        ("breaks", None, "KeyError: 'width' (its_training.py:"),
        ("no_function", None, 'its_training has no function "no_function"'),
        ("keyword", None, 'Did you mean "keywords"'),
    ],
)
def test_what_a_function_does_wrong_is_said(call, name, config, says):
    outcome = call(name, config)
    assert outcome.status is Status.FAILED
    assert says in outcome.reason
    assert "\n" not in outcome.reason


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("its_training", 'must be written "package.module:function"'),
        ("its training:keywords", 'must be written "package.module:function"'),
        ("its_training:keyword", r'has no function "keyword"\. Did you mean "keywords"'),
        ("no_such_module_here:train", 'the module "no_such_module_here" must be importable, or lie in '),
        ("no.such.module:train", 'the module "no.such.module" must be importable'),
        ("its_error:train", 'cannot import "its_error": SyntaxError'),
    ],
)
def test_a_function_that_is_not_there_is_named_before_anything_runs(bench, function, says):
    bench.write("def f(:", "its_error.py")
    with pytest.raises(WorkloadError, match=says):
        check_program(bench.program(function=function))


def test_a_name_that_a_module_may_yet_make_is_let_pass(bench):
    bench.write("from json import *\nraise SystemExit('imported')", "its_star.py")
    check_program(bench.program(function="its_star:train"))  # its text is read, and nothing imported


def test_the_code_fingerprint_is_the_modules(bench):
    bench.write("def train(): return 1", "its_first.py")
    program = bench.program(function="its_first:train")
    before = code_fingerprint(program)
    bench.write("def train(): return 1", "its_second.py")
    assert find_workload(program).code_fingerprint() == before
    bench.write("def train(): return 12", "its_first.py")
    assert code_fingerprint(program) != before
