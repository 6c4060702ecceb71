"""A config reaches the script unharmed, in the way its command asks for; W&B's macros mean what they mean there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import ruamel.yaml
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import WorkloadError
from surefoot.program import Program
from surefoot.run import Metric
from surefoot.workloads.arguments import as_yaml, check_command, split_command, spoken, variable

CONFIG = {"lr": 1e-05, "layers": 3, "nesterov": True, "amp": False, "norm": "batch norm", "extra": None}
METRICS = (Metric(name="val_loss", goal="minimize"),)


def program(*command, **more):
    return Program(command=command, metrics=METRICS, **{"program": "train.py", "seed_as": "", **more})


@pytest.fixture
def words(tmp_path):
    def speak(*command, config=CONFIG, **more):
        return list(spoken(program(*command, **more), config, seed=7, folder=tmp_path).arguments)

    return speak


# What wandb.sdk.launch.sweeps.utils.create_sweep_command_args makes of CONFIG, written out by hand.
FLAGS = ["--lr=1e-05", "--layers=3", "--nesterov=True", "--amp=False", "--norm=batch norm", "--extra=None"]


def test_the_default_command_of_w_and_b(words):
    command = ("${env}", "${interpreter}", "${program}", "${args}")
    assert words(*command) == ["/usr/bin/env", sys.executable, "train.py", *FLAGS]


def test_the_other_macros_of_w_and_b(words, tmp_path, monkeypatch):
    monkeypatch.setenv("DATA", "/some where")
    assert words("${args_no_hyphens}") == [flag.removeprefix("--") for flag in FLAGS]
    assert words("${args_no_boolean_flags}") == [FLAGS[0], FLAGS[1], "--nesterov", FLAGS[4], FLAGS[5]]
    (line,) = words("${args_json}")
    assert json.loads(line) == CONFIG
    (path,) = words("${args_json_file}")
    assert json.loads(Path(path).read_text()) == CONFIG
    assert words("${envvar:DATA}", "--data=${envvar:DATA}/x", "${args}")[:2] == ["/some where", "--data=/some where/x"]


def test_nested_parameters_pass_as_w_and_b_passes_them(words):
    config = {"optimizer.name": "sgd", "optimizer.lr": 0.1, "depth": 2}
    nesting = {"optimizer.name": ("optimizer", "name"), "optimizer.lr": ("optimizer", "lr")}
    assert words("${args}", config=config, nesting=nesting) == ["--optimizer={'name': 'sgd', 'lr': 0.1}", "--depth=2"]
    assert json.loads(words("${args_json}", config=config, nesting=nesting)[0])["optimizer"] == {
        "name": "sgd",
        "lr": 0.1,
    }
    assert words("${args}", config=config)[:2] == ["--optimizer.name=sgd", "--optimizer.lr=0.1"]


def test_what_the_command_does_not_name_is_passed_as_it_says(words, tmp_path):
    config = {"lr": 0.1, "layers": 3}
    assert words("run", "--rate", "{lr}", config=config) == ["run", "--rate", "0.1", "--layers=3"]
    assert words("run", config=config, passing="key=value") == ["run", "lr=0.1", "layers=3"]
    assert words("run", "{lr}", config=config, passing="placeholders") == ["run", "0.1"]
    assert words("run", config=config, passing="json") == ["run", f"--config={tmp_path}/config.json"]
    assert words("run", "{config.yaml}", config=config) == ["run", f"{tmp_path}/config.yaml"]
    assert words("run", "--out={run_folder}/model", "{args}", config=config)[1:3] == [
        f"--out={tmp_path}/model",
        "--lr=0.1",
    ]


def test_the_environment_holds_the_settings_in_capitals(tmp_path):
    told = spoken(program("run", passing="env"), {"optimizer.lr": 0.1, "amp": True, "2x": 1}, seed=0, folder=tmp_path)
    assert told.environment == {"OPTIMIZER_LR": "0.1", "AMP": "True", "_2X": "1"}
    assert told.arguments == ("run",)


@pytest.mark.parametrize("name", ["path", "home", "ld_preload", "pythonpath", "surefoot_seed"])
def test_a_setting_never_replaces_a_variable_that_scripts_need(name):
    with pytest.raises(WorkloadError, match=f"{name} would replace the variable {name.upper()}"):
        variable(name)


def test_the_seed_is_told_under_its_name_unless_the_config_has_one(words):
    assert words("run", config={"lr": 1}, seed_as="seed") == ["run", "--lr=1", "--seed=7"]
    assert words("run", config={"seed": 1}, seed_as="seed") == ["run", "--seed=1"]
    assert words("run", "-s{seed}", config={}, seed_as="seed") == ["run", "-s7"]
    assert words("run", "{seed}", config={}) == ["run", "7"]


def test_a_value_that_looks_like_a_macro_stays_a_value(words):
    config = {"a": "{b}", "b": "${envvar:HOME}", "c": "${args}"}
    assert words("{a}", "x{b}", "{c}", config=config) == ["{b}", "x${envvar:HOME}", "${args}"]


def test_braces_that_are_no_placeholder_are_left_alone(words):
    assert words('{"a": 1}', "{}", "{ lr }", passing="placeholders") == ['{"a": 1}', "{}", "{ lr }"]


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("run", "{lrr}"), 'names {lrr}, and this config has no such setting.*Did you mean "lr"'),
        (("run", "${arg}"), r'\$\{arg\} is no macro .*Did you mean "args"'),
        (("run", "${HOME}/x"), "is no macro .* no shell reads the command"),
        (("run", "x${args}"), "stands for several arguments and must be one of its own"),
        (("run", "${envvar:NOT_SET_AT_ALL}"), "needs the environment variable NOT_SET_AT_ALL, which is not set"),
    ],
)
def test_what_a_command_cannot_mean_is_said(words, command, says):
    with pytest.raises(WorkloadError, match=says):
        words(*command)


def test_a_placeholder_of_no_setting_is_known_before_anything_runs():
    with pytest.raises(WorkloadError, match=r'names \{lrr\}, which is no setting of this sweep. Did you mean "lr"'):
        check_command(program("run", "{lrr}"), ["lr"])
    check_command(program("run", "{lr}", "{seed}", "{args}", "{config.json}", "{run_folder}"), ["lr"])


def test_a_command_line_is_cut_as_a_shell_would_and_a_list_is_taken_as_it_is():
    assert split_command("python 'my script.py' --lr {lr}") == ("python", "my script.py", "--lr", "{lr}")
    assert split_command(["python", "a b", 3]) == ("python", "a b", "3")
    with pytest.raises(WorkloadError, match="quotes in pairs"):
        split_command("python 'train.py")


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(st.dictionaries(st.text(max_size=30), plain | st.lists(plain) | st.dictionaries(st.text(), plain), max_size=4))
def test_the_yaml_file_says_what_the_config_says(config):
    for version in ("1.1", "1.2"):
        yaml = ruamel.yaml.YAML(typ="safe", pure=True)
        yaml.version = version
        assert (yaml.load(as_yaml(config)) or {}) == config


@pytest.mark.parametrize("value", [1e-05, 1e22, -2.5e-300, float("inf"), 0.1])
def test_a_float_is_a_float_for_the_older_yaml_too(value):
    yaml = ruamel.yaml.YAML(typ="safe", pure=True)
    yaml.version = "1.1"
    assert yaml.load(as_yaml({"lr": value})) == {"lr": value}
    assert isinstance(yaml.load(as_yaml({"lr": value}))["lr"], float)
