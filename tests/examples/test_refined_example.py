"""The walk of examples/sweep_digits.yaml, made short: sweep, analyze, refine, and the refined sweep to its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from surefoot.files.sweep_file import read_sweep

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLE = PROJECT / "examples" / "sweep_digits.yaml"
SHORTER = {
    "base: {steps: 150, eval_every: 25}": "base: {steps: 10, eval_every: 5}",
    "budget: {trials: 80}": "budget: {trials: 24}\nconfirm: {top: 2, seeds: 3}",
}


def surefoot(folder: Path, *arguments: str) -> str:
    line = [sys.executable, "-m", "surefoot.cli", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("walk")
    text = EXAMPLE.read_text(encoding="utf-8")
    for written, shorter in SHORTER.items():
        assert written in text
        text = text.replace(written, shorter)
    (folder / EXAMPLE.name).write_text(text, encoding="utf-8")
    surefoot(folder, "sweep", EXAMPLE.name)
    surefoot(folder, "analyze", "digits-space")
    surefoot(folder, "refine", "digits-space", "--style", "aggressive", "--trials", "6", "--out", "next.yaml")
    surefoot(folder, "sweep", "next.yaml")
    return folder


def test_the_comments_of_the_example_name_the_walk_that_is_tested():
    lines = re.findall(r"^#   surefoot (\w+) (\S+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert lines == [
        ("sweep", "examples/sweep_digits.yaml"),
        ("analyze", "digits-space"),
        ("refine", "digits-space"),
        ("sweep", "next.yaml"),
        ("report", "digits-space-2"),
    ]


@pytest.mark.timeout(300)
class TestTheWalk:
    def test_the_analysis_speaks_of_every_trial(self, walked):
        told = json.loads((walked / "surefoot-runs/digits-space/analysis/analysis.json").read_text(encoding="utf-8"))
        assert sum(told["trials"].values()) == 24
        assert len(told["sections"]) == 12

    def test_the_refined_file_goes_on_with_a_reason_for_every_parameter(self, walked):
        text = (walked / "next.yaml").read_text(encoding="utf-8")
        sweep = read_sweep(walked / "next.yaml")
        assert (sweep.name, sweep.continues.sweep) == ("digits-space-2", "digits-space")
        for name in ("layers", "lr", "filters", "batch_size", "norm", "dropout", "optimizer", "momentum"):
            assert re.search(rf"^  # {name}\S*: (kept|narrowed|widened|moved|fixed|dropped) .*\(?refine\.", text, re.M)

    def test_the_refined_sweep_ends_and_its_promise_is_answered(self, walked):
        told = json.loads(surefoot(walked, "status", "digits-space-2", "--json"))["studies"][0]
        journal = json.loads(surefoot(walked, "journal", "digits-space-2", "--json"))
        assert told["phase"] == "done"
        assert journal["expectation"]["is_met"] in (True, False, None)

    def test_earlier_trials_that_fit_are_not_trained_again(self, walked):
        page = surefoot(walked, "journal", "digits-space-2")
        assert re.search(r"\d+ trials? of digits-space carried over, untrained", page)
