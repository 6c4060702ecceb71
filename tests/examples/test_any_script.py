"""The examples that search over somebody's script run to their end, as a newcomer would run them, with less to do."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def smaller(path, *changes):
    """Writes a file with other numbers; what is to be changed must be there."""
    text = path.read_text()
    for pattern, by in changes:
        text, times = re.subn(pattern, by, text)
        assert times == 1, f"{path.name} has no {pattern}"
    path.write_text(text)


def swept(folder, *arguments):
    """The journal of the sweep, as JSON."""
    line = [sys.executable, "-m", "surefoot.cli"]
    for words in (["sweep", *map(str, arguments), "--workers", "2", "--device", "cpu"], ["journal", "--json"]):
        done = subprocess.run([*line, *words], cwd=folder, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(EXAMPLES / "any_script", tmp_path / "any_script"))


def test_a_script_of_scikit_learn_is_searched_as_it_is(folder):
    smaller(folder / "svm.yaml", (r"trials: \d+", "trials: 2"), (r"confirm: .*", "confirm: {top: 1, seeds: 2}"))
    journal = swept(folder, "svm.yaml")
    trials = journal["trials"]
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 2
    assert trials[0]["settings"] == {"kernel": "rbf", "C": 1.0, "gamma": 0.001}
    assert trials[0]["values"][0] > 95
    assert journal["chosen"]["n"] == 2


def test_a_script_of_pytorch_is_judged_by_what_it_prints(folder):
    changes = (r"trials: \d+", "trials: 3"), (r"epochs: 9", "epochs: 3"), (r"confirm: .*", "confirm: false")
    smaller(folder / "cnn.yaml", *changes, (r"max_steps: 9", "max_steps: 3"))
    journal = swept(folder, "cnn.yaml")
    states = {trial["state"] for trial in journal["trials"]}
    assert len(journal["trials"]) == 3 and states <= {"COMPLETE", "PRUNED"} and "COMPLETE" in states
    assert len(list(folder.rglob("model.pt"))) == journal["runs"]["complete"]


def test_a_sweep_of_w_and_b_runs_unchanged_and_offline(folder):
    journal = swept(folder / "wandb", "sweep.yaml")
    trials = journal["trials"]
    assert [trial["state"] for trial in trials] == ["COMPLETE"] * 8
    assert len({json.dumps(trial["settings"]) for trial in trials}) == 8
    assert {len(trial["settings"]) for trial in trials} == {3}


def test_the_search_over_fashion_mnist_runs_from_end_to_end(tmp_path):
    data = Path(os.environ.get("SUREFOOT_DATA") or EXAMPLES.parents[1] / "shared" / "data")
    if not (data / "fashion_mnist").is_dir():
        pytest.skip(f"no fashion_mnist/ under {data}; set SUREFOOT_DATA to a folder that has it")
    path = Path(shutil.copy(EXAMPLES / "sweep_fashion.yaml", tmp_path))
    less = (
        (r"layers: 4, filters: 32, batch_size: 64", "layers: 2, filters: 8, batch_size: 8"),
        (r"steps: 540, eval_every: 60", "steps: 3, eval_every: 1"),
        (r"min_steps: 60, max_steps: 540", "min_steps: 1, max_steps: 3"),
        (r"trials: \d+, hours: [\d.]+", "trials: 4"),
        (r"confirm: .*", "confirm: {top: 1, seeds: 2}"),
    )
    smaller(path, *less)
    journal = swept(tmp_path, path, "--data", data)
    assert len(journal["trials"]) == 4
    assert {trial["state"] for trial in journal["trials"]} <= {"COMPLETE", "PRUNED"}, journal["failures"]
    assert journal["chosen"]["n"] == 2
