"""The examples are sound plans, and the first one runs to its end and decides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from surefoot.files.plan_file import plan_schema, read_plan
from surefoot.files.sweep_file import read_sweep, sweep_schema
from surefoot.program import Program
from surefoot.study.forecast import forecast
from surefoot.workload import find_workload

PROJECT = Path(__file__).resolve().parents[2]
SWEEPS = sorted((PROJECT / "examples").glob("sweep_*.yaml"))
STOPPING = [path for path in SWEEPS if "stop_early" in path.read_text(encoding="utf-8")]
SCRIPTED = sorted((PROJECT / "examples" / "any_script").rglob("*.yaml"))
EXAMPLES = sorted(set((PROJECT / "examples").glob("*.yaml")) - set(SWEEPS))


def data_root() -> Path:
    return Path(os.environ.get("SUREFOOT_DATA") or PROJECT.parent / "shared" / "data")


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_a_sweep_is_sound(path):
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), sweep_schema())
    sweep = read_sweep(path)
    assert sweep.notices == ()
    assert find_workload(sweep.workload).resumes


@pytest.mark.parametrize("path", STOPPING, ids=lambda path: path.name)
def test_the_rungs_of_a_sweep_are_measured(path):
    sweep = read_sweep(path)
    assert sweep.stopping.max_steps == sweep.base["steps"]
    assert sweep.stopping.min_steps % sweep.base["eval_every"] == 0


@pytest.mark.parametrize("path", SCRIPTED, ids=lambda path: path.name)
def test_a_sweep_of_a_script_can_be_read(path):
    sweep = read_sweep(path)
    assert isinstance(sweep.workload, Program)
    assert find_workload(sweep.workload).missing_data(None) == ""


def test_the_examples_are_there():
    assert {"digits.yaml", "fashion_mnist.yaml", "search_digits.yaml"} <= {path.name for path in EXAMPLES}
    assert {"svm.yaml", "cnn.yaml", "sweep.yaml"} <= {path.name for path in SCRIPTED}
    assert {"sweep_digits.yaml", "sweep_fashion.yaml"} <= {path.name for path in SWEEPS}
    assert STOPPING


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_follows_the_schema(path):
    jsonschema.validate(YAML(typ="safe", pure=True).load(path), plan_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_sound(path):
    plan = read_plan(path)
    if plan.workload == "fashion_mnist" and not (data_root() / "fashion_mnist").is_dir():
        pytest.skip(f"no fashion_mnist/ under {data_root()}; set SUREFOOT_DATA to a folder that has it")
    found = forecast(plan, None, data_root())
    assert found["problems"] == []
    assert found["target"] is not None
    assert plan.budget.runs is None or plan.budget.runs >= found["most_runs"]
    assert find_workload(plan.workload).name == plan.workload


def test_the_first_example_has_a_null_and_a_factorial_among_four_experiments():
    plan = read_plan(PROJECT / "examples" / "digits.yaml")
    assert len(plan.experiments) >= 4
    assert any(e.factors for e in plan.experiments)
    assert plan.rule.looks[0] >= 5


def journal_of(example: str, study: str, folder: Path) -> dict:
    """The journal of an example, run as a newcomer would."""
    shutil.copy(PROJECT / "examples" / example, folder / example)

    def surefoot(*arguments: str) -> str:
        line = [sys.executable, "-m", "surefoot.cli", *arguments]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=280, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    surefoot("run", example)
    assert Path(folder, surefoot("report", study).strip()).exists()
    return json.loads(surefoot("journal", study, "--json"))


@pytest.fixture(scope="module")
def journal(tmp_path_factory) -> dict:
    return journal_of("digits.yaml", "digits", tmp_path_factory.mktemp("first_walk"))


@pytest.mark.timeout(300)
class TestTheFirstWalk:
    def test_it_comes_to_its_end(self, journal):
        assert journal["phase"] == "done"
        assert all(e["state"] == "decided" for e in journal["experiments"])
        assert journal["runs"].get("failed", 0) == 0

    def test_it_gives_at_least_four_verdicts_from_at_least_five_pairs(self, journal):
        verdicts = [v for e in journal["experiments"] for v in (*e["verdicts"], *e["contrasts"])]
        settled = [v for v in verdicts if v["verdict"] in ("SUPPORTED", "REFUTED", "INCONCLUSIVE")]
        assert len(settled) >= 4
        assert all(v["n"] >= 5 for v in settled)

    def test_a_step_is_claimed_and_the_test_split_was_opened_once(self, journal):
        assert journal["overall"]["is_claimed"] is True
        assert journal["test"]["opened_at"]
        assert set(journal["test"]["values"]) == {"baseline", "champion"}

    def test_the_null_is_not_adopted(self, journal):
        (null,) = [e for e in journal["experiments"] if e["id"] == "weight-decay"]
        assert null["choice"]["decision"] == "KEEP"
        assert [v["verdict"] for v in null["verdicts"]] == ["INCONCLUSIVE"]


@pytest.mark.timeout(300)
def test_a_study_with_a_search_tunes_both_alike_and_claims_what_fresh_seeds_show(tmp_path):
    told = journal_of("search_digits.yaml", "digits-search", tmp_path)
    searched, after = told["experiments"]
    assert told["phase"] == "done"
    assert {arm["name"] for arm in searched["arms"]} == {"norm=none", "norm=batch"}
    assert searched["verdicts"][0]["verdict"] == "SUPPORTED"
    assert searched["choice"]["decision"] == "ADOPT"
    assert after["state"] == "decided"
    assert told["overall"]["is_claimed"] is True


def test_a_workload_of_ones_own_runs_from_its_folder(tmp_path):
    folder = shutil.copytree(PROJECT / "examples" / "own_model", tmp_path / "own_model")
    line = [sys.executable, "-m", "surefoot.cli"]
    for arguments in (["check", "plan.yaml"], ["run", "plan.yaml"], ["status", "--json"]):
        done = subprocess.run([*line, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["studies"][0]["phase"] == "done"
