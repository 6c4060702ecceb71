"""A sweep is read strictly: every mistake is one line with file, line, key and the nearest known key."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from surefoot.errors import PlanError, SurefootError
from surefoot.files.program_entry import ReadEntry
from surefoot.files.ranges import RangeEntry
from surefoot.files.sweep_entry import ConfirmEntry, StoppingEntry, SweepBudgetEntry, SweepEntry
from surefoot.files.sweep_file import parse_sweep, read_sweep, sweep_schema
from surefoot.program import Reader
from surefoot.sweep import METHODS, STOPPING_RULES, Confirmation, Method, Stopping, Sweep, SweepBudget, sweep_of

SWEEP = """\
sweep: fashion-lr
description: Which learning rate?
command: python train.py {args}
base: {steps: 500}
metrics:
  val_loss: {goal: minimize, target: 0.3}
  seconds: {goal: minimize, unit: s}
objective: val_loss
method: {name: tpe, startup: 16}
parameters:
  lr: {min: 1e-5, max: 1e-1, log: true}
  batch_size: [32, 64, 128]
  layers: {min: 1, max: 6}
  dropout: {min: 0, max: 0.5, step: 0.05}
  optimizer: {choices: [sgd, adam], weights: [1, 3], role: scientific}
  momentum: {min: 0.0, max: 0.99, when: {optimizer: sgd}}
  nesterov: {type: bool, when: {optimizer: sgd}}
  encoder: [cnn, resnet]
  width:
    - {min: 8, max: 64, when: {encoder: cnn}}
    - {min: 16, max: 256, when: {encoder: resnet}}
  norm: batch
constraints:
  - batch_size * steps <= 50000
  - seconds <= 60
first: [{lr: 1e-3, optimizer: adam}]
budget: {trials: 60, runs: 80, hours: 2, run_minutes: 5}
stop_early: {rule: asha, min_steps: 100, max_steps: 2700, eta: 3}
seeds: 2
search_seed: 7
confirm: {top: 2, seeds: 4}
retries: 1
pass: flags
read: [report, {pattern: 'loss=(?P<val_loss>\\S+)'}, last]
env: {OMP_NUM_THREADS: 1}
grace_seconds: 5
silence_minutes: 2
"""

DIGITS = """\
sweep: walk
workload: digits
metrics: {val_loss: {goal: minimize}}
base: {steps: 100}
parameters:
  lr: {min: 1e-4, max: 1e-1, log: true}
  filters: [4, 8]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "train.py").write_text("print('val_loss=1')\n")
    return tmp_path


def parsed(folder, text, path="sweep.yaml") -> Sweep:
    return parse_sweep(text, str(folder / path))


def changed(old, new, text=SWEEP):
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
    return text.replace(old, new)


def with_parameter(written):
    program = "command: python train.py {args}\nmetrics: {loss: {goal: minimize}}\n"
    return f"sweep: a\n{program}parameters:\n  x: {written}\n"


def the_parameter(folder, written):
    (parameter,) = parsed(folder, with_parameter(written)).space.parameters
    return parameter


def test_every_part_of_a_sweep_arrives_where_it_belongs(folder):
    sweep = parsed(folder, SWEEP)
    assert (sweep.name, sweep.description, sweep.objectives) == ("fashion-lr", "Which learning rate?", ("val_loss",))
    assert [(m.name, m.goal, m.unit, m.target) for m in sweep.metrics] == [
        ("val_loss", "minimize", "", 0.3),
        ("seconds", "minimize", "s", None),
    ]
    assert sweep.method == Method(name="tpe", options={"startup": 16})
    assert sweep.stopping == Stopping(rule="asha", min_steps=100, max_steps=2700, eta=3)
    assert sweep.budget == SweepBudget(trials=60, runs=80, hours=2.0, run_minutes=5.0)
    assert sweep.confirmation == Confirmation(top=2, seeds=4)
    assert (sweep.seeds, sweep.search_seed, sweep.retries) == (2, 7, 1)
    assert sweep.text == SWEEP and sweep.path.endswith("sweep.yaml") and sweep.notices == ()


def test_every_spelling_of_a_range_is_its_parameter(folder):
    space = parsed(folder, SWEEP).space
    assert [(p.key, p.kind, p.low, p.high, p.step, p.log) for p in space.parameters if p.kind in ("int", "float")] == [
        ("lr", "float", 1e-5, 0.1, None, True),
        ("layers", "int", 1, 6, None, False),
        ("dropout", "float", 0.0, 0.5, 0.05, False),
        ("momentum[optimizer=sgd]", "float", 0.0, 0.99, None, False),
        ("width[encoder=cnn]", "int", 8, 64, None, False),
        ("width[encoder=resnet]", "int", 16, 256, None, False),
    ]
    (optimizer,) = space.named("optimizer")
    assert (optimizer.choices, optimizer.weights, optimizer.role) == (("sgd", "adam"), (0.25, 0.75), "scientific")
    assert space.named("nesterov")[0].kind == "bool" and space.named("batch_size")[0].choices == (32, 64, 128)


def test_a_single_value_goes_into_the_base(folder):
    assert parsed(folder, SWEEP).base == {"steps": 500, "norm": "batch"}


def test_fixed_numbers_are_put_into_the_constraints(folder):
    sweep = parsed(folder, SWEEP)
    assert [c.text for c in sweep.space.constraints] == ["batch_size * 500 <= 50000", "seconds <= 60"]
    assert [c.text for c in sweep.space.config_constraints] == ["batch_size * 500 <= 50000"]
    assert [c.text for c in sweep.measured_constraints] == ["seconds <= 60"]


def test_what_a_first_config_leaves_open_is_drawn_by_the_seed_alone(folder):
    text = SWEEP
    (first,) = parsed(folder, text).first
    assert (first["lr"], first["optimizer"]) == (1e-3, "adam") and "momentum" not in first
    assert parsed(folder, text).first == (first,)
    assert parsed(folder, changed("search_seed: 7", "search_seed: 8", text)).first != (first,)
    (other,) = parsed(folder, changed("first: [{lr: 1e-3, optimizer: adam}]", "first: [{momentum: 0.5}]", text)).first
    assert (other["momentum"], other["optimizer"]) == (0.5, "sgd")
    space = parsed(folder, text).space
    assert space.admits(first) and space.admits(other) and first["batch_size"] * 500 <= 50000


def test_a_command_becomes_a_program(folder):
    program = parsed(folder, SWEEP).workload
    assert program.command == ("python", "train.py", "{args}") and program.passing == "flags"
    assert program.folder == os.path.realpath(folder) and program.seed_as == "seed"
    assert program.environment == {"OMP_NUM_THREADS": "1"}
    assert (program.grace_seconds, program.silence_seconds, program.resumes) == (5.0, 120.0, False)
    pattern = Reader(kind="pattern", pattern=r"loss=(?P<val_loss>\S+)")
    assert program.readers == (Reader(kind="report"), pattern, Reader(kind="last"))


@pytest.mark.parametrize(
    ("command", "arguments", "passing"),
    [
        (
            "python train.py --lr {x} --seed {seed}",
            ("python", "train.py", "--lr", "{x}", "--seed", "{seed}"),
            "placeholders",
        ),
        ("[python, train.py, 3, '{x}']", ("python", "train.py", "3", "{x}"), "placeholders"),
        ("python train.py '--name=a b'", ("python", "train.py", "--name=a b"), "flags"),
        ("python train.py ${args_json}", ("python", "train.py", "${args_json}"), "flags"),
    ],
)
def test_a_command_says_itself_how_it_is_told_its_settings(folder, command, arguments, passing):
    text = changed(
        "python train.py {args}", command if "[" in command else json.dumps(command), with_parameter("[1, 2]")
    )
    program = parsed(folder, text).workload
    assert (program.command, program.passing) == (arguments, passing)


def test_a_script_that_is_not_told_its_seed_is_noticed(folder):
    text = changed("train.py {args}", "train.py {x}", with_parameter("[1, 2]"))
    assert "not told its seed" in parsed(folder, text).notices[0]
    assert parsed(folder, text + "confirm: false\n").notices == ()
    assert parsed(folder, changed("{x}", "{x} {seed}", text)).notices == ()
    assert parsed(folder, with_parameter("[1, 2]") + "seed_as: false\n").notices != ()


def test_a_function_is_named_by_its_module(folder, monkeypatch):
    (folder / "lib_of_sweep.py").write_text("def train(config):\n    yield\n")
    monkeypatch.syspath_prepend(str(folder))
    text = changed("command: python train.py {args}", "function: lib_of_sweep:train", with_parameter("[1, 2]"))
    assert parsed(folder, text).workload.function == "lib_of_sweep:train"


def test_a_workload_gives_defaults_types_and_goals(folder):
    sweep = parsed(folder, DIGITS)
    assert sweep.workload == "digits" and sweep.base["steps"] == 100 and sweep.base["optimizer"] == "adam"
    assert sweep.method.name == "tpe" and sweep.budget == SweepBudget(trials=50)
    assert sweep.confirmation == Confirmation()
    text = changed("lr: {min: 1e-4", "lr: {min: 1", changed("max: 1e-1", "max: 10", DIGITS))
    assert parsed(folder, text).space.parameters[0].kind == "float"
    silent = changed("metrics: {val_loss: {goal: minimize}}\n", "", DIGITS)
    assert [m.name for m in parsed(folder, silent).metrics] == ["val_accuracy", "val_loss"]
    assert parsed(folder, changed("{goal: minimize}", "{target: 0.1}", DIGITS)).metrics[0].goal == "minimize"
    typed = parsed(folder, DIGITS + "  weight_decay: [0, 1e-4]\n").space.parameters[2]
    assert [type(value) for value in typed.choices] == [float, float]
    normal = parsed(folder, DIGITS + "  dropout: {mu: 0.2, sigma: 0.5}\n").space.parameters[2]
    assert (normal.low, normal.high) == (0.0, 0.9)


def test_a_sweep_is_told_again_by_its_definition(folder):
    for text in (SWEEP, DIGITS):
        sweep = parsed(folder, text)
        again = sweep_of(json.loads(json.dumps(sweep.definition())))
        assert again.hash == sweep.hash and again.space == sweep.space and again.first == sweep.first


def test_comments_and_layout_do_not_count(folder):
    assert parsed(folder, DIGITS).hash == parsed(folder, "# why\n" + DIGITS.replace("[4, 8]", "[ 4,\n    8 ]")).hash
    assert parsed(folder, DIGITS).hash != parsed(folder, changed("steps: 100", "steps: 101", DIGITS)).hash


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("bayes", "tpe"),
        ("TPE", "tpe"),
        ("qmc", "sobol"),
        ("quasi-random", "sobol"),
        ("cma-es", "cmaes"),
        ("random", "random"),
        ("gp", "gp"),
    ],
)
def test_a_method_has_other_words_too(folder, text, method):
    assert parsed(folder, DIGITS + f"method: {text}\n").method.name == method


def test_several_objectives_are_for_nsga2(folder):
    text = changed("{val_loss: {goal: minimize}}", "{val_loss: {}, val_accuracy: {}}", DIGITS)
    sweep = parsed(folder, text + "objective: [val_accuracy, val_loss]\n")
    assert (sweep.method.name, sweep.confirmation) == ("nsga2", None)
    assert [m.goal for m in sweep.targets] == ["maximize", "minimize"]
    assert parsed(folder, text + "objective: [val_accuracy, val_loss]\nmethod: nsgaii\n").method.name == "nsga2"


def test_optunas_and_rays_words_are_synonyms(folder):
    plain = "metrics: {loss: {goal: minimize}}"
    for written in (
        "metrics: {loss: {direction: minimize}}",
        "metric: {name: loss, goal: minimize}",
        "metrics: {loss: {}}\ndirection: minimize",
        "metrics: {loss: {}}\ndirections: [minimize]",
    ):
        assert parsed(folder, changed(plain, written, with_parameter("[1, 2]"))).metrics[0].goal == "minimize"
    rays = "stop_early: {rule: asha, grace_period: 10, max_t: 90, reduction_factor: 2}\n"
    assert parsed(folder, DIGITS + rays).stopping == Stopping(rule="asha", min_steps=10, max_steps=90, eta=2)
    assert parsed(folder, DIGITS + "stop_early: median\n").stopping == Stopping(rule="median")
    assert parsed(folder, DIGITS + "stop_early: false\nconfirm: false\n").stopping is None


def test_a_grid_takes_all_its_points_unless_a_budget_says_otherwise(folder):
    grid = changed("lr: {min: 1e-4, max: 1e-1, log: true}", "lr: [0.1, 0.2]", DIGITS) + "method: grid\n"
    sweep = parsed(folder, grid)
    assert sweep.budget == SweepBudget() and sweep.space.grid_size() == 4
    assert parsed(folder, grid + "budget: {trials: 4}\n").budget.trials == 4
    with pytest.raises(PlanError, match=r":9: budget.trials must be at least 4, which the grid needs; got 3. Raise it"):
        parsed(folder, grid + "budget: {trials: 3}\n")
    with pytest.raises(PlanError, match=r":10: budget.runs must be at least 8, which the grid needs; got 7"):
        parsed(folder, grid + "seeds: 2\nbudget: {runs: 7}\n")
    kept = 'constraints: ["lr * filters <= 0.8"]\n'
    assert parsed(folder, grid + kept + "budget: {trials: 3}\n").space.grid_size() == 3


def test_the_description_of_an_any_script_sweep_and_our_example_fit_the_schema(folder):
    jsonschema.Draft202012Validator.check_schema(sweep_schema())
    for text in (SWEEP, DIGITS):
        jsonschema.validate(json.loads(json.dumps(YAML(typ="safe", pure=True).load(text))), sweep_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"sweep": "a", "parameters": {}, "sweeps": 1}, sweep_schema())


def test_a_file_is_read_and_a_missing_one_refused(folder):
    (folder / "s.yaml").write_text(DIGITS)
    assert read_sweep(folder / "s.yaml").name == "walk"
    with pytest.raises(PlanError, match=r"none.yaml: there is no such file$"):
        read_sweep(folder / "none.yaml")
    with pytest.raises(PlanError, match=r"sweep.yaml:1: the sweep is empty$"):
        parsed(folder, "")
    with pytest.raises(
        PlanError, match=r"sweep.yaml:1: a sweep must be keys with values \(sweep: …\); got a list of 1"
    ):
        parsed(folder, "- sweep: a")


def test_a_file_of_wandbs_is_read_as_theirs(folder):
    head = "program: train.py\nmethod: random\nmetric: {name: loss, goal: minimize}\n"
    text = head + "parameters: {lr: {min: 0.1, max: 1.0}}\n"
    sweep = parsed(folder, text)
    assert sweep.method.name == "random" and sweep.space.names() == ("lr",)


# What is written of a parameter, and what it is: kind, low, high, log, step.
RANGES = {
    "{low: 1, high: 5}": ("int", 1, 5, False, None),
    "{lower: 1, upper: 5.0}": ("float", 1.0, 5.0, False, None),
    "{min: 1, max: 5, type: float}": ("float", 1.0, 5.0, False, None),
    "{min: 1.0, max: 5.0, type: int}": ("int", 1, 5, False, None),
    "{min: 0, max: 1, step: 0.1}": ("float", 0.0, 1.0, False, 0.1),
    "{min: 0, max: 1, type: int}": ("int", 0, 1, False, None),
    "{min: 0.12, max: 1.0, q: 0.1}": ("float", 0.2, 1.0, False, 0.1),
    "{suggest: float, low: 1, high: 8, log: true}": ("float", 1.0, 8.0, True, None),
    "{suggest: int, low: 2, high: 8, step: 2}": ("int", 2, 8, False, 2),
    "{mu: 0, sigma: 2}": ("float", None, None, False, None),
    "suggest_float(1e-5, 1e-1, log=True)": ("float", 1e-5, 0.1, True, None),
    "trial.suggest_float('x', 0, 1, step=0.25)": ("float", 0.0, 1.0, False, 0.25),
    "suggest_int(1, 9)": ("int", 1, 9, False, None),
    "suggest_int(low=2, high=8, step=2)": ("int", 2, 8, False, 2),
    "suggest_loguniform(0.1, 1)": ("float", 0.1, 1.0, True, None),
    "suggest_discrete_uniform(0.1, 0.9, 0.2)": ("float", 0.1, 0.9, False, 0.2),
    "FloatDistribution(0.1, 1, log=True, step=None)": ("float", 0.1, 1.0, True, None),
    "IntDistribution(1, 9)": ("int", 1, 9, False, None),
    "uniform(-1, 1)": ("float", -1.0, 1.0, False, None),
    "tune.loguniform(1e-4, 1e-1)": ("float", 1e-4, 0.1, True, None),
    "ray.tune.loguniform(1e-4, 1e-1, base=10)": ("float", 1e-4, 0.1, True, None),
    "tune.quniform(0.12, 1, 0.1)": ("float", 0.2, 1.0, False, 0.1),
    "qloguniform(0.1, 1, 0.1)": ("float", 0.1, 1.0, True, 0.1),
    "randn(3, 2)": ("float", None, None, False, None),
    "qrandn(3, 2, 0.5)": ("float", None, None, False, 0.5),
    "randint(1, 10)": ("int", 1, 9, False, None),
    "randint(10)": ("int", 0, 9, False, None),
    "tune.randint(lower=1, upper=10)": ("int", 1, 9, False, None),
    "qrandint(3, 10, 4)": ("int", 4, 8, False, 4),
    "lograndint(1, 10)": ("int", 1, 9, True, None),
    "qlograndint(2, 10, 2)": ("int", 2, 10, True, 2),
    "interval(1, 5)": ("float", 1.0, 5.0, False, None),
    "int(interval(1, 5))": ("int", 1, 5, False, None),
    "'tag(log, interval(1, 100))'": ("float", 1.0, 100.0, True, None),
    "tag(log, int(interval(1, 100)))": ("int", 1, 100, True, None),
    "tag(int, interval(1, 100))": ("int", 1, 100, False, None),
    "range(1, 10, 2)": ("int", 1, 9, False, 2),
    "range(1, 10)": ("int", 1, 9, False, None),
    "range(2, 9, 3)": ("int", 2, 8, False, 3),
    "range(0.0, 1.0, 0.25)": ("float", 0.0, 0.75, False, 0.25),
}


@pytest.mark.parametrize("written", RANGES)
def test_a_range_may_be_spelled_as_other_tools_do(folder, written):
    parameter = the_parameter(folder, written if "'" not in written else json.dumps(written.strip("'")))
    kind, low, high, log, step = RANGES[written]
    assert (parameter.kind, parameter.low, parameter.high, parameter.log, parameter.step) == (
        kind,
        low,
        high,
        log,
        step,
    )
    assert {type(bound) for bound in (parameter.low, parameter.high, parameter.step) if bound is not None} <= {
        int if kind == "int" else float
    }


@pytest.mark.parametrize(
    ("written", "choices"),
    [
        ("choice([sgd, adam])", ("sgd", "adam")),
        ("choice(sgd, adam)", ("sgd", "adam")),
        ("tune.choice([1, 2.5, 'a', True, None])", (1, 2.5, "a", True, None)),
        ("choice(true,false,null)", (True, False, None)),
        ("grid_search([1, 2])", (1, 2)),
        ("suggest_categorical('x', ['a', 'b'])", ("a", "b")),
        ("CategoricalDistribution(choices=['a', 'b'])", ("a", "b")),
        ("choice([[64, 64], [128]])", ([64, 64], [128])),
    ],
)
def test_choices_may_be_spelled_as_other_tools_do(folder, written, choices):
    assert the_parameter(folder, json.dumps(written)).choices == choices


def test_a_text_that_is_no_range_is_a_value(folder):
    for text in ("AdamW(weight_decay=0.1)", "resnet (50)", "linear", "f(1", "os.system('true')"):
        sweep = parsed(folder, with_parameter("[1, 2]") + f"  y: {json.dumps(text)}\n")
        assert sweep.base == {"y": text}
    assert parsed(folder, with_parameter("[1, 2]") + "  y: {value: 'choice(1, 2)'}\n").base == {"y": "choice(1, 2)"}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("loguniforms(1e-5, 1)", 'x must be a range; got "loguniforms(1e-5, 1)". Did you mean "loguniform"?'),
        ("loguniform(1e-5, low)", "x.min must be a number|x.max must be a number; got"),
        ("uniform(1)", "x must have a lowest and a highest value"),
        ("uniform(1, 2, 3)", "x must give uniform at most 2 values; got 3"),
        ("uniform(1, 2, log=True)", 'x must give uniform what it knows (max, min); got "log"'),
        ("suggest_float(1, 2, lag=True)", 'what it knows (log, max, min, step); got "lag"'),
        ("uniform(open('x'), 1)", "x must give plain values; got"),
        ("uniform(1, 2) + uniform(1, 2)", "x must be one range"),
        ("randint(5, 5)", "x must give randint a range that is not empty; got 5 to 5"),
        ("range(1, 9, 0)", "x must give range a range that is not empty; got 1 to 9 in steps of 0"),
        ("randint(a, 5)", "x must give randint numbers"),
        ("tag(lin, interval(1, 2))", "x must be tag(log, interval(a, b))"),
        ("choice()", "x must have at least one choice|must be one of: bounds"),
        ("uniform(1 2)", "x must be a range, as loguniform(1e-5, 1e-1); got"),
        ("int(sin(interval(1, 2)))", "x must be a range, as loguniform(1e-5, 1e-1); got"),
    ],
)
def test_a_range_misspelled_is_refused_and_never_run(folder, written, says):
    with pytest.raises(PlanError) as caught:
        the_parameter(folder, json.dumps(written))
    assert any(one in str(caught.value) for one in says.split("|")), caught.value
    assert ":5: parameters.x" in str(caught.value)


case = pytest.param
# What is changed (old text, new text), the line and the words of the one-line message.
MISTAKES = [
    case("search_seed:", "search_sed:", 30, 'search_sed is not .*Did you mean "search_seed"', id="top key"),
    case("target:", "targt:", 6, 'metrics.val_loss.targt is not .*Did you mean "target"', id="metric key"),
    case("run_minutes:", "run_minute:", 27, 'budget.run_minute is not .*Did you mean "run_minutes"', id="budget key"),
    case("log: true", "lg: true", 11, 'parameters.lr.lg is not .*Did you mean "log"', id="range key"),
    case("eta: 3", "etta: 3", 28, 'stop_early.etta is not .*Did you mean "eta"', id="stopping key"),
    case("top: 2", "tip: 2", 31, 'confirm.tip is not .*Did you mean "top"', id="confirm key"),
    case("startup: 16", "startupp: 16", 9, 'tpe has no option "startupp" .*Did you mean "startup"', id="option"),
    case(
        "startup: 16",
        "startup: many",
        9,
        'startup of tpe must be a whole number of at least 1; got "many"',
        id="option value",
    ),
    case(
        "name: tpe", "name: tpi", 9, 'method.name must be one of grid, .*; got "tpi". Did you mean "tpe"', id="method"
    ),
    case("{name: tpe, startup: 16}", "{startup: 16}", 9, 'method must have "name"', id="method name"),
    case("{name: tpe, startup: 16}", "[tpe]", 9, "method must be one of grid.*; got a list of 1", id="method list"),
    case("{name: tpe, startup: 16}", "nsga2", 9, "method does not fit 1 objective; name a list of them", id="nsga2"),
    case(
        "objective: val_loss",
        "objective: [val_loss, seconds]",
        9,
        "does not fit 2 objectives; nsga2 searches",
        id="many",
    ),
    case(
        "objective: val_loss",
        "objective: val_los",
        8,
        'must be one of .*; got "val_los". Did you mean "val_loss"',
        id="objective",
    ),
    case(
        "objective: val_loss",
        "objective: [val_loss, val_loss]",
        8,
        "must name one metric, or several different",
        id="twice",
    ),
    case(
        "goal: minimize, target", "goal: min, target", 6, 'goal must be one of minimize, maximize; got "min"', id="goal"
    ),
    case("goal: minimize, target", "target", 6, 'metrics.val_loss must have "goal"', id="no goal"),
    case(
        "goal: minimize, target",
        "goal: minimize, direction: maximize, target",
        6,
        "must have one goal; got minimize and max",
        id="goals",
    ),
    case(
        "command: python train.py {args}", "workload: digits", 33, "pass belongs to a command or a function", id="alien"
    ),
    case(
        "command: python train.py {args}\n",
        "",
        1,
        "must name what is trained by one of workload, command, function; got 0",
        id="nothing",
    ),
    case("command:", "function: a:b\ncommand:", 1, "by one of workload, command, function; got 2", id="two"),
    case(
        "train.py {args}", "trian.py {args}", 3, 'trian.py, which is not there .*Did you mean "train.py"', id="script"
    ),
    case("train.py {args}", "train.py {args} {larning}", 3, "names {larning}, which is no setting", id="placeholder"),
    case("train.py {args}", "train.py ${argz}", 3, "argz} is no macro", id="macro"),
    case("python train.py {args}", "'python \"train.py'", 3, "command must have its quotes in pairs", id="quotes"),
    case("python train.py {args}", "[]", 3, "command must say what runs; got a list of 0", id="empty"),
    case("python train.py {args}", "{a: b}", 3, "command must be text, or a list of words; got keys", id="mapping"),
    case(
        "  lr: {min",
        "  l r: {min",
        11,
        r"l r must have a name that a command can be told: no space",
        id="space in a name",
    ),
    case("  lr: {min", "  -lr: {min", 11, "-lr must have a name that a command can be told", id="dash"),
    case("  lr: {min", "  l=r: {min", 11, "l=r must have a name that a command can be told", id="equals"),
    case("  lr: {min", "  seed: {min", 11, "parameters.seed is also how the seed is told; say seeds: N", id="seed"),
    case("base: {steps", "base: {seed: 1, steps", 4, "base.seed is also how the seed is told", id="seed in base"),
    case(
        "  lr: {min", "  seconds: {min", 11, "parameters.seconds must have another name: a metric", id="metric's name"
    ),
    case("max: 1e-1", "max: 1e-6", 11, "lr must have a low bound below its high one; got 1e-05 and 1e-06", id="bounds"),
    case("max: 1e-1", "max: .inf", 11, "lr.max must be a finite number; got inf", id="inf"),
    case("max: 1e-1", 'max: "1"', 11, 'lr.max must be a number; got "1"', id="text bound"),
    case("max: 1e-1", "max: null", 11, "lr.max must be a number; got nothing. Fill it in", id="no bound"),
    case("max: 1e-1", "max: 1e-1, high: 1", 11, "lr.high is a synonym of max; write one of them", id="synonyms"),
    case("max: 1e-1, log", "log", 11, "lr must have a lowest and a highest value", id="one bound"),
    case("min: 1e-5", "min: 0", 11, "lr must have a low bound above 0 for a log scale; got 0", id="log 0"),
    case("log: true", "choices: [1]", 11, "lr must be one of: bounds", id="two forms"),
    case(
        "log: true",
        "distribution: log_uniform_values",
        11,
        "lr.distribution belongs to W&B's format; here write log",
        id="W&B's",
    ),
    case("log: true", "weights: [1]", 11, "lr.weights belongs to choices", id="weights"),
    case(
        "{min: 1, max: 6}", "{min: 0, max: 1}", 13, "layers must say which numbers are meant: 0.0 and 1.0", id="0 or 1"
    ),
    case(
        "{min: 1, max: 6}", "{min: 1.5, max: 6, type: int}", 13, "layers must have whole numbers as bounds", id="whole"
    ),
    case(
        "{min: 1, max: 6}",
        "",
        13,
        "layers must be a range, a list of choices or a value; got nothing",
        id="nothing there",
    ),
    case("{min: 1, max: 6}", "{}", 13, r"layers must be one of: bounds .*; got nothing \({}\)", id="empty range"),
    case("step: 0.05", "step: 0", 14, "dropout must have a number above 0 as its step; got 0", id="step"),
    case("step: 0.05", "step: 0.05, q: 1", 14, "dropout must have either step .* or q", id="q"),
    case("step: 0.05", "mu: 1", 14, "dropout must have both mu and sigma", id="mu"),
    case("[32, 64, 128]", "[]", 12, "batch_size must have at least one choice; got none", id="no choice"),
    case("[32, 64, 128]", "[32, 64, 32]", 12, "32 stands twice. To make it likelier use weights", id="duplicates"),
    case(
        "[32, 64, 128]",
        "[32, {a: 1}]",
        12,
        r"batch_size\[0\] must be plain choices, or ranges that each have",
        id="mixed",
    ),
    case("[32, 64, 128]", "[32, .nan]", 12, "batch_size must hold plain values", id="nan choice"),
    case(
        "weights: [1, 3]",
        "weights: [1]",
        15,
        "optimizer must have one weight for each of its 2 choices; got 1",
        id="few weights",
    ),
    case("role: scientific", "role: sientific", 15, 'role must be one of .*Did you mean "scientific"', id="role"),
    case(
        "0.99, when: {optimizer: sgd}",
        "0.99, when: {optimiser: sgd}",
        16,
        'got "optimiser". Did you mean "optimizer"',
        id="condition",
    ),
    case(
        "0.99, when: {optimizer: sgd}",
        "0.99, when: {optimizer: sdg}",
        16,
        'never holds: optimizer must be .*got "sdg". Did you mean "sgd"',
        id="never",
    ),
    case("0.99, when: {optimizer: sgd}", "0.99, when: {momentum: 1}", 16, "got one on itself", id="itself"),
    case("0.99, when: {optimizer: sgd}", "0.99, when: {lr: 1e-3}", 16, "lr is continuous", id="continuous parent"),
    case(
        "when: {encoder: resnet}",
        "when: {encoder: [cnn, resnet]}",
        21,
        r"width\[1\] must have conditions that exclude",
        id="twins",
    ),
    case(
        "{min: 8, max: 64, when: {encoder: cnn}}",
        "{min: 8, max: 64}",
        20,
        r"width\[0\] must be plain choices, or",
        id="no when",
    ),
    case("{steps: 500}", "{norm: layer}", 22, 'norm is "batch" here and "layer" in base', id="base and fixed"),
    case(
        "- seconds <= 60",
        "- second <= 60",
        25,
        r'constraints\[1\] must name .*Did you mean "seconds"',
        id="constraint name",
    ),
    case("- seconds <= 60", "- seconds == 60", 25, r"constraints\[1\] must be an inequality with <=", id="equality"),
    case(
        "- seconds <= 60",
        "- optimizer <= 60",
        25,
        "must be about numbers; optimizer has other values",
        id="not numbers",
    ),
    case("- seconds <= 60", "- steps <= 60", 25, "must be about something that varies; all of", id="fixed constraint"),
    case("- seconds <= 60", "- lr >= 1", 23, "constraints must leave something to try; none of 2000", id="impossible"),
    case(
        "{lr: 1e-3, optimizer: adam}",
        "{lr: 1, optimizer: adam}",
        26,
        r"first\[0\].lr must be a number from 1e-05 to 0.1; got 1",
        id="first value",
    ),
    case(
        "{lr: 1e-3, optimizer: adam}",
        "{l: 1, optimizer: adam}",
        26,
        r"first\[0\].l does not vary here",
        id="first name",
    ),
    case(
        "{lr: 1e-3, optimizer: adam}",
        "{momentum: 0.5, optimizer: adam}",
        26,
        r"first\[0\] must be a config of this space: momentum does not exist",
        id="first inactive",
    ),
    case("trials: 60", "trials: 0", 27, "budget.trials must be at least 1; got 0", id="no trials"),
    case("rule: asha", "rule: ahsa", 28, 'stop_early.rule must be one of .*Did you mean "asha"', id="rule"),
    case(
        "rule: asha",
        "rule: patience",
        28,
        "stop_early.min_steps is nothing that patience knows; it knows patience",
        id="alien to the rule",
    ),
    case("eta: 3", "eta: 1", 28, "stop_early.eta must be at least 2; got 1", id="eta"),
    case("eta: 3", "eta: 3, max_t: 5", 28, "stop_early.max_t is a synonym of max_steps", id="stopping synonym"),
    case(
        "eta: 3",
        "promotes: true",
        28,
        "stop_early.promotes needs runs that go on from their checkpoints; say resumes: true",
        id="promotes",
    ),
    case(
        "max_steps: 2700",
        "max_steps: 50",
        28,
        "max_steps of asha must be more than min_steps; got 50 and 100",
        id="rungs",
    ),
    case("seeds: 2\n", "seeds: 0\n", 29, "seeds must be at least 1; got 0", id="seeds"),
    case("confirm: {top: 2, seeds: 4}", "confirm: 3", 31, "confirm must be keys with values; got 3", id="confirm"),
    case("seeds: 4", "seeds: 1", 31, "confirm.seeds must be at least 2; got 1", id="confirm seeds"),
    case("pass: flags", "pass: flag", 33, 'pass must be one of .*Did you mean "flags"', id="pass"),
    case("(?P<val_loss>", "(?P<val_los>", 34, "a pattern must have a named group for a metric", id="group"),
    case("(?P<val_loss>", "(?P<val_loss", 34, "a pattern must be a regular expression", id="pattern"),
    case("[report, ", "[reprot, ", 34, r'read\[0\] must be one of .*Did you mean "report"', id="reader"),
    case("\\S+)'}", "\\S+)', kind: json}", 34, r"read\[1\] must have one of kind, pattern, mlflow", id="two kinds"),
    case(
        "env: {OMP_NUM_THREADS: 1}",
        "env: {A=B: 1}",
        35,
        "env.A=B must be a name that a variable can have",
        id="variable",
    ),
    case(
        "env: {OMP_NUM_THREADS: 1}",
        "env: {A: [1]}",
        35,
        "env.A must be text or a number; got a list of 1",
        id="variable's value",
    ),
    case(
        "env: {OMP_NUM_THREADS: 1}",
        "folder: none",
        35,
        'folder must be a folder that is there; got "none"',
        id="folder",
    ),
    case("env: {OMP_NUM_THREADS: 1}", "seed_as: -s", 35, 'seed_as must be a name, or false .*; got "-s"', id="seed_as"),
    case("sweep: fashion-lr", "sweep: a/b", 1, "sweep must be a name for a folder: no slash", id="name"),
    case("sweep: fashion-lr", "sweep: record.db", 1, 'sweep must not be "record.db": a home keeps', id="taken name"),
    case("sweep: fashion-lr", "sweep: 3", 1, "sweep must be text; got 3", id="name's type"),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), MISTAKES)
def test_a_mistake_is_one_line_with_its_place(folder, old, new, line, says):
    with pytest.raises(SurefootError, match=says) as caught:
        parsed(folder, changed(old, new))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert f"sweep.yaml:{line}: " in message


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("digits", "digit", ':2: workload must be one of .*; got "digit". Did you mean "digits"'),
        ("val_loss", "val_los", ":3: metrics.val_los is not a metric that digits reports .*Did you mean"),
        (
            "goal: minimize",
            "goal: maximize",
            ":3: metrics.val_loss.goal must be minimize, as digits says; got maximize",
        ),
        ("steps: 100", "stepps: 100", ':4: base.stepps is not a setting of this workload .*Did you mean "steps"'),
        ("steps: 100", "steps: 0", ":4: base.steps must be a whole number .*; got 0"),
        (
            "steps: 100",
            "net: stack, norm: group, filters: 4",
            ":4: base cannot be trained: .* norm group needs filters",
        ),
        ("  lr:", "  l_r:", ":6: parameters.l_r is not a setting of this workload"),
        (
            "min: 1e-4, max: 1e-1",
            "min: -1, max: 1e-1",
            ":6: parameters.lr must have a low bound above 0|must be a number",
        ),
        ("max: 1e-1", "max: 1e7", ":6: parameters.lr must be a number from 0 to 1000000; got 10000000.0"),
        ("[4, 8]", "[4, eight]", ':7: parameters.filters must be a whole number from 1 to 256; got "eight"'),
        ("[4, 8]", "{min: 1.0, max: 8.0, type: float}", ":7: parameters.filters must be a range of whole numbers"),
        ("  filters: [4, 8]", "  norm: {min: 1, max: 8}", ":7: parameters.norm must be choices among none, batch"),
        ("  filters: [4, 8]", "  filters: 4000", ":7: parameters.filters must be a whole number from 1 to 256"),
        (
            "  lr: {min: 1e-4, max: 1e-1, log: true}\n  filters: [4, 8]",
            "  lr: 1",
            ":5: parameters must hold at least one",
        ),
        (
            "metrics:",
            "method: grid\nmetrics:",
            ":7: parameters.lr must have values that a grid can hold; .*Give it a step",
        ),
        ("metrics:", "stop_early: wilcoxon\nmetrics:", ":3: stop_early of rule wilcoxon compares seed by seed"),
        ("metrics:", "stop_early: hyperband\nmetrics:", ":3: hyperband needs max_steps"),
    ],
)
def test_what_the_workload_cannot_train_is_refused_by_its_line(folder, old, new, says):
    with pytest.raises(SurefootError, match=says) as caught:
        parsed(folder, changed(old, new, DIGITS))
    assert len(str(caught.value).splitlines()) == 1


def test_a_setting_that_no_one_tells_the_script_is_refused(folder):
    text = changed("train.py {args}", "train.py {x}", with_parameter("[1, 2]") + "  y: [1, 2]\n")
    with pytest.raises(PlanError, match=r":2: command tells x, but not y; add {y}, or {args} for all"):
        parsed(folder, text)
    assert parsed(folder, text + "pass: flags\n").workload.passing == "flags"


def test_a_grid_too_large_to_walk_is_refused(folder):
    grid = with_parameter("{min: 1, max: 100000}") + "  y: {min: 1, max: 100000}\nmethod: grid\n"
    with pytest.raises(PlanError, match=r":7: method must be another than grid for 10,000,000,000 points"):
        parsed(folder, grid)
    with pytest.raises(PlanError, match=r":8: budget.trials must be at least 10,000,000,000"):
        parsed(folder, grid + "budget: {trials: 100}\n")


def test_a_condition_on_a_fixed_setting_is_refused(folder):
    text = with_parameter("{min: 0.1, max: 1.0, when: {y: 1}}") + "  y: 1\n"
    with pytest.raises(PlanError, match=r":5: parameters.x must have conditions on what varies"):
        parsed(folder, text)


JUNK = st.sampled_from(
    [None, True, -1, 0, 10**400, 1.5, "", "x", "choice(1", "\u2028", [], [[]], {}, {"": {}}, {"min": 1}]
)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_file_is_read_or_refused_in_one_line(tmp_path_factory, data):
    tree = YAML(typ="safe", pure=True).load(data.draw(st.sampled_from([SWEEP, DIGITS])))
    for _ in range(data.draw(st.integers(1, 2))):
        node = tree
        while True:
            key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
            if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
                node = node[key]
            else:
                node[key] = copy.deepcopy(data.draw(JUNK))
                break
    folder = tmp_path_factory.getbasetemp()
    (folder / "train.py").touch()
    try:
        sweep = parse_sweep(json.dumps(tree), str(folder / "sweep.yaml"))
    except SurefootError as error:
        assert len(str(error).splitlines()) == 1 and "sweep.yaml:" in str(error)
    else:
        sweep.space.check()
        assert all(sweep.space.admits(first) for first in sweep.first)
        assert sweep.hash


def test_the_page_shows_every_key_and_its_example_is_a_sweep(folder):
    page = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")
    sweep = parsed(folder, page.split("```yaml\n")[1].split("```")[0])
    assert sweep.space.names() == ("lr", "batch_size", "optimizer", "momentum")
    told = set(re.findall(r"\w+", page))
    for shape in (SweepEntry, RangeEntry, StoppingEntry, SweepBudgetEntry, ConfirmEntry, ReadEntry):
        assert {field.alias or name for name, field in shape.model_fields.items()} <= told, shape
    assert {*METHODS, *STOPPING_RULES} <= told


def test_the_example_is_a_sweep_that_fits_the_schema():
    example = Path(__file__).parents[2] / "examples" / "sweep_fashion.yaml"
    assert read_sweep(example).stopping.rule == "asha"
    jsonschema.validate(YAML(typ="safe", pure=True).load(example.read_text(encoding="utf-8")), sweep_schema())


def test_a_sweep_says_what_it_goes_on_from_and_what_it_is_expected_to_come_to(folder):
    text = SWEEP.replace("sweep: fashion-lr\n", "sweep: fashion-lr-2\ncontinues: fashion-lr\n", 1)
    sweep = parsed(folder, text + "expect: {between: [0.25, 0.31], against: 0.33}\n")
    assert (sweep.continues.sweep, sweep.continues.round) == ("fashion-lr", 2)
    assert (sweep.expectation.low, sweep.expectation.high, sweep.expectation.against) == (0.25, 0.31, 0.33)
    third = parsed(folder, text.replace("continues: fashion-lr", "continues: {sweep: fashion-lr, round: 3}"))
    assert third.continues.round == 3
    assert sweep_of(sweep.definition()).definition() == sweep.definition()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "continues: fashion-lr",
            "continues must name an earlier sweep; a sweep goes on from its own",
        ),
        ("continues: {sweep: a, round: 1}", "round"),
        ("continues: {swep: a}", 'Did you mean "sweep"'),
        ("expect: {between: [0.3, 0.2]}", "expect.between must rise; got 0.3 before 0.2"),
        ("expect: {between: [0.3]}", "between"),
        ("expect: {between: [0.2, 0.3]}", "expect needs a confirmation on fresh seeds"),
    ],
)
def test_a_mistake_in_what_it_goes_on_from_is_one_line(folder, written, said):
    alone = SWEEP.replace("confirm: {top: 2, seeds: 4}\n", "confirm: false\n" if "confirm" in said else "")
    with pytest.raises(PlanError, match=re.escape(said)) as error:
        parsed(folder, f"{alone}{written}\n")
    assert "\n" not in str(error.value)
