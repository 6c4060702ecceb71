"""W&B's sweep files mean here what they mean there, or it is said; and its scripts run unchanged, offline."""

import json
import math
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

import surefoot
from surefoot.errors import PlanError
from surefoot.files.plan_document import PlanDocument
from surefoot.files.wandb_sweep import is_wandb, parse_wandb_sweep
from surefoot.parameter import Parameter
from surefoot.program import Program
from surefoot.sweep import Stopping, Sweep
from surefoot.workload import RunContext
from surefoot.workloads.arguments import spoken
from surefoot.workloads.program import check_program, workload_of

CASES = Path(__file__).parent / "wandb_cases"
EXAMPLE = Path(__file__).parents[2] / "examples" / "any_script" / "wandb"
STAND_INS = Path(surefoot.__file__).parent / "standins"

MINIMAL = """\
program: train.py
method: {method}
metric: {{name: loss}}
run_cap: 20
parameters:
  x: {parameter}
"""


def read(text: str, path: str = "folder/sweep.yaml") -> Sweep:
    document = PlanDocument(text, path, kind="sweep")
    assert is_wandb(document.plain)
    return parse_wandb_sweep(document, path)


def case(name: str) -> Sweep:
    path = CASES / f"{name}.yaml"
    sweep = read(path.read_text("utf-8"), str(path))
    sweep.space.check()
    return sweep


def parameter(text: str, method: str = "random") -> Parameter:
    (found,) = read(MINIMAL.format(method=method, parameter=text)).space.parameters
    return found


def program(sweep: Sweep) -> Program:
    assert isinstance(sweep.workload, Program)
    return sweep.workload


# --- the distributions ------------------------------------------------------------------------------------------------

SHARES = (0.05, 0.37, 0.53, 0.83)


def even(low: float, high: float, u: float) -> float:
    return low + u * (high - low)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("{min: 0.0, max: 0.1}", lambda u: even(0, 0.1, u)),
        ("{min: 0, max: 1.5}", lambda u: even(0, 1.5, u)),
        ("{distribution: uniform, min: 1, max: 3}", lambda u: even(1, 3, u)),
        ("{min: 1, max: 10}", lambda u: 1 + math.floor(10 * u)),
        ("{distribution: log_uniform, min: -9, max: -2}", lambda u: math.exp(even(-9, -2, u))),
        (
            "{distribution: log_uniform_values, min: 1e-5, max: 0.1}",
            lambda u: math.exp(even(math.log(1e-5), math.log(0.1), u)),
        ),
        ("{distribution: inv_log_uniform, min: 1.0, max: 5.0}", lambda u: 1 / math.exp(even(5, 1, u))),
        (
            "{distribution: inv_log_uniform_values, min: 0.9, max: 0.999}",
            lambda u: 1 / math.exp(even(-math.log(0.9), -math.log(0.999), u)),
        ),
        ("{values: [3, 1, 2]}", lambda u: [3, 1, 2][math.floor(3 * u)]),
        ("{values: [a, b], probabilities: [0.4, 0.6]}", lambda u: "a" if u < 0.4 else "b"),
        ("{distribution: beta, a: 1, b: 1}", lambda u: u),
    ],
)
def test_a_distribution_is_the_one_that_its_formula_says(text, formula):
    found = parameter(text)
    for u in SHARES:
        assert found.value_at(u) == (pytest.approx(formula(u)) if isinstance(formula(u), float) else formula(u))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("{distribution: log_uniform, min: -9, max: -2}", [0.000175126848, 0.001645024502, 0.041171870939]),
        ("{distribution: inv_log_uniform, min: 1, max: 5}", [0.008229747049, 0.029599435168, 0.186373976039]),
        (
            "{distribution: inv_log_uniform_values, min: 0.9, max: 0.999}",
            [0.904708474418, 0.935431545683, 0.981432830722],
        ),
        ("{distribution: normal, mu: 2, sigma: 0.5}", [1.177573186524, 1.834073326782, 2.477082626573]),
        ("{distribution: q_normal, mu: 2, sigma: 3, q: 0.5}", [-3.0, 1.0, 5.0]),
        ("{distribution: q_normal, mu: 100, sigma: 30, q: 8}", [48, 88, 128]),
        ("{distribution: log_normal, mu: -7, sigma: 1.5}", [7.7341456e-05, 0.00055431357, 0.003815238422]),
        ("{distribution: q_log_normal, mu: 3, sigma: 1, q: 4}", [4, 16, 52]),
        ("{distribution: q_log_uniform_values, min: 0.2, max: 4.0, q: 1}", [0, 1, 2]),
    ],
)
def test_a_distribution_draws_what_w_and_b_draws(text, values):
    # Figures: sweeps 0.3.0, params.py, HyperParameter.ppf at 0.05, 0.37 and 0.83.
    assert [parameter(text).value_at(u) for u in (0.05, 0.37, 0.83)] == pytest.approx(values, rel=1e-7)


@pytest.mark.parametrize(
    ("text", "values", "q"),
    [
        ("{distribution: q_uniform, min: 16, max: 1024, q: 16}", [64, 384, 848], 16),
        ("{distribution: q_log_uniform_values, min: 32, max: 256, q: 8}", [32, 72, 176], 8),
    ],
)
def test_steps_are_multiples_of_q_at_most_one_from_w_and_bs(text, values, q):
    # The outermost steps are whole here, which moves the others; `EDGES` says so.
    drawn = [parameter(text).value_at(u) for u in (0.05, 0.37, 0.83)]
    assert all(value % q == 0 and abs(value - theirs) <= q for value, theirs in zip(drawn, values, strict=True))


def test_a_log_scale_that_rounds_to_0_keeps_its_probabilities():
    # Shares: 200,000 even draws of sweeps 0.3.0.
    found = parameter("{distribution: q_log_uniform_values, min: 0.2, max: 4.0, q: 1}")
    assert found.choices == (0, 1, 2, 3, 4)
    assert found.weights == pytest.approx([0.305865, 0.366725, 0.17052, 0.112315, 0.044575], abs=1e-5)


@pytest.mark.parametrize(("text", "kind"), [("q: 8", int), ("q: 8.0", float), ("", float)])
def test_steps_are_whole_numbers_where_q_is_written_as_one(text, kind):
    found = parameter(f"{{distribution: q_uniform, min: 8, max: 64, {text}}}")
    assert type(found.value_at(0.3)) is kind


def test_what_a_distribution_loses_is_said_once_for_all_its_parameters():
    text = MINIMAL.format(method="random", parameter="{distribution: q_uniform, min: 0, max: 8, q: 2}")
    notices = read(text + "  y: {distribution: q_uniform, min: 0, max: 4, q: 1}\n").notices
    assert [n.split(":")[0] for n in notices] == ["x, y"]
    assert "half as often" in notices[0]
    assert "evenly" in read(MINIMAL.format(method="random", parameter="{distribution: beta, a: 2, b: 5}")).notices[0]


def test_the_grid_is_w_and_bs_in_its_order():
    # Order: sweeps 0.3.0, grid_search.py: by name, the last one fastest; q_uniform without its max, doubles left out.
    text = MINIMAL.format(method="grid", parameter="{values: [2, 1]}")
    text += "  a: {parameters: {z: {distribution: q_uniform, min: 0.0, max: 1.0, q: 0.25}}}\n"
    text += "  B: {min: 1, max: 3}\n  y: {values: [true, true, false]}\n"
    grid = list(read(text).space.grid())
    assert [(g["B"], g["a.z"], g["x"], g["y"]) for g in grid] == list(
        product([1, 2, 3], [0.0, 0.25, 0.5, 0.75], [2, 1], [True, False])
    )


# --- files found in the wild ------------------------------------------------------------------------------------------

FOUND = {  # file: method, what varies, what does not, the first words of its notices
    "constants": (
        "random",
        {"filters": (16, 32, 64)},
        {"epochs": 10, "seeds": [123], "model": "CNN", "resume": None, "use_cuda": False},
        [],
    ),
    "hydra": (
        "tpe",
        {"optimizer.config.lr": (1e-4, 0.3), "model": ("small", "wide", "deep")},
        {},
        ["method: bayes", "no run_cap"],
    ),
    "hyphens_and_exponents": (
        "grid",
        {"l1-weight": (0, 1e-6, 1e-3, 1), "l2-weight": (0, 1e-6, 1e-3, 1)},
        {"language": "eng"},
        [],
    ),
    "lists_as_values": (
        "random",
        {
            "gamma": (0.8, 0.9, 0.99),
            "net_arch": ([32, 32], [400, 300], [800, 600]),
            "noise": (None, {"kind": "normal", "scale": 0.1}),
        },
        {},
        ["entity and project", "no run_cap"],
    ),
    "local_hyperband": (
        "grid",
        {"base": (10, 15, 20), "direction": (-1, 0.1, 1), "increment": (0.1, 0.2, 0.3)},
        {"epochs": 20, "variance": 5, "sleep": 2},
        ["project", "early_terminate: after 1, 3 measurements"],
    ),
    "long_command": (
        "tpe",
        {"cycles": (1, 10), "warmup_steps": (0, 100), "noise": (0.0, 1.0), "alpha": (1, 8, 16)},
        {},
        ["method: bayes", "no run_cap"],
    ),
    "min_iter": (
        "tpe",
        {"lr": (2e-5, 8e-4), "image_enc_lr": (5e-7, 2e-6)},
        {},
        ["project", "method: bayes", "early_terminate: after 300, 900, 2700, …", "no run_cap"],
    ),
    "nested": (
        "grid",
        {"batch_size": (32, 64), "optimizer.lr": (0.001, 0.0001), "optimizer.nadam.beta": (0.9, 0.95)},
        {},
        ["project"],
    ),
    "own_command": (
        "random",
        {"batch_size": (1.0, 256.0), "learning_rate": (1e-4, 0.1)},
        {},
        ["batch_size: the lowest", "no run_cap"],
    ),
    "powers_of_e": (
        "tpe",
        {
            "adaptive_parsimony_scaling": (math.exp(-1), math.exp(6)),
            "weight_mutate_operator": (0.235, 0.94),
            "weight_optimize": (math.exp(-5), math.exp(-2)),
            "tournament_selection_n": (2, 20),
            "annealing": ("true", "false"),
            "alpha": (math.exp(-2), 1.0),
        },
        {},
        ["method: bayes", "adaptive_parsimony_scaling: log_uniform", "weight_optimize:", "alpha:", "no run_cap"],
    ),
    "scheduler": ("nsga2", {"width": (8, 64)}, {}, ["scheduler (engine: optuna)", "impute: best", "method: custom"]),
    "steps": (
        "random",
        {"batch_size": (32, 256), "width": (16, 1024), "dropout": (0.3, 0.4, 0.5), "learning_rate": (0.0, 0.1)},
        {"epochs": 1},
        ["batch_size, width: the lowest", "no run_cap"],
    ),
    "twice_the_same": (
        "tpe",
        {
            "lr": (0.001, 0.1),
            "augment": (True, False),
            "scheduler": (True,),
            "loss": ("dice", "focal", "ce"),
            "config": ("configs/baseline.py",),
        },
        {},
        ["method: bayes", "no run_cap"],
    ),
    "yaml_1_1": (
        "grid",
        {"augment": (True, False), "flip": (True, False, "off"), "lr": (0.001, 0.0001), "norm": ("None", "no")},
        {},
        [],
    ),
}


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.yaml")))
def test_a_file_found_in_the_wild_means_what_its_writer_expects(name):
    method, varied, fixed, notices = FOUND[name]
    sweep = case(name)
    assert sweep.method.name == method
    assert {p.name: p.choices or (p.low, p.high) for p in sweep.space.parameters} == varied
    assert sweep.base == fixed
    assert len(sweep.notices) == len(notices)
    assert all(said.startswith(begun) for said, begun in zip(sweep.notices, notices, strict=True))
    assert len(sweep.hash) == 64


def test_a_choice_that_stands_twice_is_twice_as_likely():
    assert case("twice_the_same").space.named("loss")[0].weights == (0.5, 0.25, 0.25)
    assert case("steps").space.named("dropout")[0].weights == (0.5, 0.25, 0.25)


def test_names_descriptions_caps_and_targets_are_kept():
    sweep = case("constants")
    assert (sweep.name, sweep.budget.trials, sweep.objectives) == ("constants", 12, ("best accuracy",))
    assert (sweep.targets[0].goal, sweep.targets[0].target) == ("maximize", 0.97)
    assert case("lists_as_values").name == "First Sweep"
    assert case("nested").description == "sweep examples with nested parameters using cli"
    assert case("scheduler").objectives == ("acc", "size")


def test_hyperband_ends_runs_after_as_many_measurements_as_w_and_b_counts():
    # bands of max_iter: max_iter / eta^k for k = 1 … s, cut down (sweeps 0.3.0, hyperband_stopping.py)
    assert case("local_hyperband").stopping == Stopping(
        rule="asha", promotes=False, min_steps=1, max_steps=9, eta=3, counts="measurements"
    )
    assert case("min_iter").stopping == Stopping(
        rule="asha", promotes=False, min_steps=300, max_steps=None, eta=3, counts="measurements"
    )
    assert case("nested").stopping is None


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{type: hyperband, min_iter: 3, strict: false}", "strict: false is not honoured"),
        ("{type: hyperband, min_iter: 3, eta: 2.5}", "eta 2.5 is taken for 2"),
        ("{type: hyperband, max_iter: 100, s: 3}", "after 3, 9, 27 (W&B: 3, 11, 33) measurements"),
    ],
)
def test_what_hyperband_cannot_do_is_said(block, said):
    text = MINIMAL.format(method="random", parameter="{min: 0.0, max: 1.0}") + f"early_terminate: {block}\n"
    assert said in " ".join(read(text).notices)


def test_a_sweep_of_constants_is_one_config():
    sweep = read(MINIMAL.format(method="grid", parameter="{value: 3}"))
    assert list(sweep.space.grid()) == [{"x": 3}]


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{minn: 0.0, max: 1.0}", ":6: parameters.x.minn is not a key of uniform"),
        ("{min: 0.0, max: 1.0, mx: 2}", 'Did you mean "max"?'),
        ("{distribution: log_unifrom, min: 1, max: 2}", 'Did you mean "log_uniform"?'),
        ("{distribution: uniform, values: [1]}", "parameters.x.values is not a key of uniform"),
        ("{min: 3, max: 3}", "parameters.x.min must be less than max; got 3 and 3"),
        ("{min: low, max: 3}", 'parameters.x.min must be a number; got "low"'),
        ("{min: 0.1}", "parameters.x must have max, as its distribution is uniform"),
        ("{distribution: int_uniform, min: 0.5, max: 3}", "must be a whole number for int_uniform"),
        ("{distribution: log_uniform_values, min: 0, max: 3}", "must be above 0 for log_uniform_values"),
        ("{distribution: log_uniform, min: 1, max: 1000}", "for limits write log_uniform_values"),
        ("{distribution: q_log_uniform_values, min: 0.00001, max: 0.003}", "rounds every value to 0, with q 1.0"),
        ("{values: []}", "must be a list of at least one value"),
        ("{values: [1, 2], probabilities: [0.5, 0.4]}", "add up to 1"),
        ("{values: [1, 2], probabilities: [1]}", "one number for each of the 2 values"),
        ("0.1", "parameters.x must be keys with values"),
        ("{description: nothing else}", "must have value, values, min and max, or a distribution"),
        ("{parameters: {y: {value: 1}}, value: 2}", "parameters.x.value is not a key of nested parameters"),
    ],
)
def test_a_parameter_that_w_and_b_does_not_know_is_refused_with_its_line(text, said):
    with pytest.raises(PlanError) as caught:
        read(MINIMAL.format(method="random", parameter=text))
    assert said in str(caught.value)
    assert str(caught.value).startswith("folder/sweep.yaml:6: ")


@pytest.mark.parametrize("text", ["{min: 0.0, max: 1.0}", "{values: [1, 2], probabilities: [0.5, 0.5]}"])
def test_a_grid_takes_only_what_w_and_bs_takes(text):
    with pytest.raises(PlanError, match="must have values, int_uniform or q_uniform in a grid"):
        read(MINIMAL.format(method="grid", parameter=text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run_capp: 3", '7: run_capp is not a key of W&B\'s sweep format. Did you mean "run_cap"?'),
        ("early_terminate: hyperband", "7: early_terminate must be keys with values"),
        ("early_terminate: {type: median}", "7: early_terminate.type must be one of hyperband"),
        ("early_terminate: {type: hyperband}", "7: early_terminate must have min_iter, or max_iter and s"),
        ("early_terminate: {type: hyperband, max_iter: 9}", "7: early_terminate.max_iter must have s beside it"),
        ("early_terminate: {type: hyperband, min_iter: 0}", "must be a whole number above 0; got 0"),
        ("command: python train.py", "7: command must be a list"),
        (
            "command: [python, '${progam}']",
            '7: command[1] must be a macro of W&B; got "${progam}". Did you mean "program"?',
        ),
        ("metrics: []", "7: metrics cannot stand beside metric"),
        ("kind: launch", "7: kind must be one of sweep"),
        ("controller: {type: remote}", "7: controller.type must be one of local, cloud"),
    ],
)
def test_a_key_that_w_and_b_does_not_know_is_refused_with_its_line(line, said):
    with pytest.raises(PlanError) as caught:
        read(MINIMAL.format(method="random", parameter="{values: [1, 2]}") + line + "\n")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "random",
            "bayse",
            ':2: method must be one of grid, random, bayes, custom; got "bayse". Did you mean "bayes"?',
        ),
        ("program: train.py\n", "", ":1: the sweep must name the script: program: train.py"),
        ("metric: {name: loss}\n", "", "must name the metric that the trials are ranked by"),
        ("{name: loss}", "{name: loss, goal: minimise}", 'got "minimise". Did you mean "minimize"?'),
        ("run_cap: 20", "run_cap: 0", ":4: run_cap must be a whole number above 0; got 0"),
        ("program: train.py", "job: me/project/job:latest", ":1: job is on W&B's server"),
    ],
)
def test_a_file_that_could_not_run_is_refused(old, new, said):
    text = MINIMAL.format(method="random", parameter="{values: [1, 2]}").replace(old, new)
    document = PlanDocument(text, "sweep.yaml", kind="sweep")
    with pytest.raises(PlanError) as caught:
        parse_wandb_sweep(document, "sweep.yaml")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "ours", ["sweep: a\nparameters: {}", "workload: digits\nmethod: random", "sweep: {method: bayes}"]
)
def test_our_own_files_are_not_taken_for_w_and_bs(ours):
    assert not is_wandb(PlanDocument(ours, "sweep.yaml", kind="sweep").plain)


# --- the command ------------------------------------------------------------------------------------------------------


def arguments(sweep: Sweep, folder: Path, **settings: object) -> list[str]:
    return list(spoken(program(sweep), {**sweep.base, **settings}, seed=7, folder=folder).arguments)


def test_the_script_is_told_what_w_and_b_tells_it(tmp_path):
    config = {"batch_size": 32, "optimizer.lr": 0.001, "optimizer.nadam.beta": 0.9}
    assert arguments(case("nested"), tmp_path, **config)[2:] == [
        "train-nested-cli.py",
        "--batch_size=32",
        "--optimizer={'lr': 0.001, 'nadam': {'beta': 0.9}}",
    ]
    assert json.loads((tmp_path / "config.json").read_text()) == {
        "batch_size": 32,
        "optimizer": {"lr": 0.001, "nadam": {"beta": 0.9}},
    }


def test_only_macros_tell_the_script_its_settings(tmp_path):
    told = arguments(case("own_command"), tmp_path, batch_size=8.0, learning_rate=0.01)
    assert told == ["conda", "run", "python3", "train.py", "../full_100x_dataset.yml", "--note", told[-1]]


def test_other_words_in_braces_reach_the_script_as_they_stand(tmp_path):
    told = arguments(case("hydra"), tmp_path, **{"optimizer.config.lr": 0.01, "model": "wide"})
    assert told[3:] == [
        "+experiment=base",
        "optimizer.config.lr=0.01",
        "model=wide",
        "hydra.run.dir=runs/${now:%Y-%m-%d}/${model}",
    ]
    text = (
        MINIMAL.format(method="random", parameter="{values: [1]}") + "command: [run, 'y={x}', 'v=${a}${envvar:HOME}']\n"
    )
    assert arguments(read(text), tmp_path, x=1) == ["run", "y={x}", f"v=${{a}}{os.environ['HOME']}"]


def test_numbers_in_a_command_are_words(tmp_path):
    told = arguments(case("long_command"), tmp_path, cycles=3)
    assert told[2:] == [
        "train_network.py",
        "--clip_skip",
        "2",
        "--seed",
        "784793",
        "--cycles=3",
        "--train_batch_size",
        "5",
    ]


def test_a_script_that_imports_wandb_is_heard_only_through_it(tmp_path):
    path = tmp_path / "sweep.yaml"
    text = MINIMAL.format(method="random", parameter="{values: [1, 2]}")
    assert program(read(text, str(path))).readers == ()
    (tmp_path / "train.py").write_text("import os\nimport wandb\n")
    assert [reader.kind for reader in program(read(text, str(path))).readers] == ["report"]


# --- the script's side ------------------------------------------------------------------------------------------------


def run_script(
    folder: Path, script: str, config: dict[str, object] | None = None
) -> tuple[list[dict[str, float]], str, str]:
    """What a script under the stand-in measured, printed and said, line by line."""
    (folder / "script.py").write_text(script)
    metrics = folder / "metrics.jsonl"
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "PYTHONPATH")}
    environment |= {"PYTHONPATH": str(STAND_INS), "SUREFOOT_METRICS": str(metrics)}
    environment["SUREFOOT_CONFIG"] = json.dumps(config or {})
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"],
        check=False,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    return rows, done.stdout, done.stderr


def test_rows_are_those_that_w_and_b_would_record(tmp_path):
    # Rows: wandb 0.31.0 offline, the same calls, read back from its own file; numbers only.
    rows, printed, _ = run_script(
        tmp_path,
        """
import wandb
run = wandb.init(project="x")
log = wandb.log
log({"a": {"b": 1, "c": {"d": 2}}})
log({"loss": 0.5}, commit=False)
log({"acc": 0.1})
log({"loss": 0.4}, step=5)
log({"acc": 0.2}, step=5)
log({"loss": 0.3}, step=6)
log({"z": 1}, step=2)
log({"acc": 0.9})
log({"acc": 0.2})
log({"txt": "hello"})
log({"q": 1}, step=20, commit=True)
log({"q": 2}, step=20)
log({"q": 3}, step=25)
log({"r": 1}, commit=False)
log({"r": 2}, step=25)
log({"b": True})
log({})
log({"e": 1})
log({"l": [1, 2]})
log({"w": 4}, commit=False)
print(run.step)
""",
    )
    assert rows == [
        {"step": 0, "a.b": 1.0, "a.c.d": 2.0},
        {"step": 1, "loss": 0.5, "acc": 0.1},
        {"step": 5, "loss": 0.4, "acc": 0.2},
        {"step": 6, "loss": 0.3, "acc": 0.9},
        {"step": 7, "acc": 0.2},
        {"step": 20, "q": 1.0},
        {"step": 25, "q": 3.0, "r": 2.0, "b": 1.0},
        {"step": 27, "e": 1.0},
        {"step": 29, "w": 4.0},
    ]
    assert printed.split() == ["29"]


def test_the_sweeps_settings_stand_above_the_scripts(tmp_path):
    _, printed, said = run_script(
        tmp_path,
        """
import argparse, wandb
parser = argparse.ArgumentParser()
parser.add_argument("--lr", default=1.0)
parser.add_argument("--epochs", default=3)
with wandb.init(config=parser.parse_args([])) as run:
    wandb.config.update({"lr": 5.0, "opt": {"kind": "sgd", "decay": 0.1}})
    config = wandb.config
    config.width = 8
    assert run.config is config and "lr" in config and config.get("none", 4) == 4
    print(config.lr, config["epochs"], config.opt, config.width, dict(config) == config.as_dict(), {**config}["lr"])
with wandb.init(config={"opt": {"decay": 0.1, "kind": "sgd"}}):
    print(wandb.config.opt)
""",
        {"lr": 0.1, "opt": {"kind": "adam"}},
    )
    assert printed.splitlines() == [
        "0.1 3 {'kind': 'adam'} 8 True 0.1",
        "{'decay': 0.1, 'kind': 'adam'}",
    ]
    assert "config.lr was set by the sweep to 0.1" in said


def test_what_stands_for_the_run_is_what_the_script_says(tmp_path):
    rows, printed, _ = run_script(
        tmp_path,
        """
import wandb
with wandb.init() as run:
    run.define_metric("val/*", summary="max")
    for value in (0.1, 0.9, 0.4):
        run.log({"val/acc": value, "loss": value})
    run.summary["best_loss"] = 0.1
    run.summary.update({"note": "text"})
    print(run.summary["val/acc"], run.summary.get("none"), "loss" in run.summary)
""",
    )
    assert [row.get("val/acc") for row in rows] == [0.1, 0.9, 0.4, 0.9]
    assert rows[-1] == {"step": 3, "val/acc": 0.9, "best_loss": 0.1}
    assert printed.split() == ["0.4", "None", "True"]


def test_all_else_of_wandb_is_accepted_and_said_once(tmp_path):
    rows, _, said = run_script(
        tmp_path,
        """
import wandb
import wandb.sdk.lib
from wandb.errors import CommError
from wandb.integration.keras import WandbMetricsLogger
from wandb.keras import WandbCallback
from wandb.wandb_run import Run
wandb.login(key="x")
wandb.setup(settings=wandb.Settings(start_method="thread"))
run = wandb.init(id=wandb.util.generate_id(), tags=["a"], reinit=True, mode="online")
assert isinstance(run, Run) and wandb.run is run and run.name and run.dir and run.id
wandb.watch(None, log="all")
table = wandb.Table(columns=["a"])
table.add_data(1)
for _ in range(2):
    wandb.log({"table": table, "image": wandb.Image([1]), "chart": wandb.plot.line(table, "a", "b"), "h": [1]})
artifact = wandb.Artifact("model", type="model")
artifact.add_file("x")
run.log_artifact(artifact)
run.alert(title="t", text="u")
WandbCallback(monitor="loss").on_epoch_end(0, {"loss": 1.0})
WandbMetricsLogger().on_epoch_end(1, {"loss": 0.5})
try:
    run.use_artifact("model:latest")
except CommError as error:
    assert error.__class__ is wandb.CommError and "offline" in str(error)
wandb.finish()
assert wandb.run is None
""",
    )
    assert rows == [{"step": 2, "loss": 1.0}, {"step": 3, "epoch/loss": 0.5}]
    assert said.count("wandb.Table is accepted and not kept") == 1
    assert said.count("table is no number (Table) and is not kept") == 1


def test_numbers_in_arrays_count_and_no_number_is_lost(tmp_path):
    rows, _, _ = run_script(
        tmp_path,
        """
import numpy as np, wandb
wandb.init()
wandb.log({"a": np.float32(0.5), "b": np.array([2.0]), "c": np.int64(3), "d": np.zeros(2), "e": float("nan")})
wandb.log({"f": 1}, step=9)
""",
    )
    assert math.isnan(rows[0].pop("e"))
    assert rows == [{"step": 0, "a": 0.5, "b": 2.0, "c": 3.0}, {"step": 9, "f": 1.0}]


def test_a_sweep_in_the_script_is_this_one_trial(tmp_path):
    rows, printed, _ = run_script(
        tmp_path,
        """
import wandb
def train():
    with wandb.init() as run:
        run.log({"loss": run.config.x})
wandb.agent(wandb.sweep({"method": "random"}, project="p"), function=train, count=50)
""",
        {"x": 3},
    )
    assert rows == [{"step": 0, "loss": 3.0}]
    assert printed == ""


def test_logging_before_init_is_the_mistake_that_it_is_with_w_and_b(tmp_path):
    run_script(
        tmp_path,
        """
import wandb
try:
    wandb.log({"loss": 1})
except wandb.Error as error:
    assert "init" in str(error)
else:
    raise SystemExit(1)
""",
    )


# --- the example ------------------------------------------------------------------------------------------------------


def test_the_example_is_a_w_and_b_sweep_with_nested_parameters():
    sweep = read((EXAMPLE / "sweep.yaml").read_text("utf-8"), str(EXAMPLE / "sweep.yaml"))
    assert sweep.space.grid_size() == 8
    assert [reader.kind for reader in program(sweep).readers] == ["report"]


def test_the_examples_script_trains_unchanged_and_offline(tmp_path):
    pytest.importorskip("sklearn")
    sweep = read((EXAMPLE / "sweep.yaml").read_text("utf-8"), str(EXAMPLE / "sweep.yaml"))
    check_program(program(sweep), sweep.space.names())
    config = next(sweep.space.grid())
    measured = list(workload_of(program(sweep)).train(config, RunContext(seed=0, artifacts=tmp_path)))
    assert [m.step for m in measured] == [0, 1, 2, 3, 4]
    assert measured[-1].values["loss"] < measured[0].values["loss"]
    assert (tmp_path / "output.txt").read_text() == ""
