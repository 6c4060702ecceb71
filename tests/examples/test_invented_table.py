"""A table of trials that nobody of ours made, read and refined from the command line and from Python."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import surefoot

TABLE = Path(__file__).resolve().parents[2] / "examples" / "invented_trials.csv"
ASKED = ("--value", "val_accuracy", "--goal", "maximize")


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "surefoot.cli", *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_what_is_shown_of_the_table_is_shown_and_what_is_luck_is_not():
    analysis = surefoot.analyze(surefoot.read_trials(TABLE, value="val_accuracy", goal="maximize"))
    told = {(finding.rule, finding.subject) for finding in analysis.findings}
    assert ("direction.number", "lr") in told
    assert not any(rule == "direction.number" and subject == "dropout" for rule, subject in told)
    assert [e.is_hit for e in analysis.boundaries].count(True) == 0
    assert analysis.noise is not None


def test_the_command_line_writes_the_analysis_beside_the_reader(tmp_path):
    done = call(tmp_path, "analyze", str(TABLE), *ASKED, "--trivial", "majority class=0.18", "--evaluated-on", "400")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "invented_trials-analysis"
    with (folder / "trials_full.csv").open(encoding="utf-8", newline="") as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert len(states) == 24
    assert states.count("COMPLETE") == 22
    told = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    assert "learnability.luck" in {finding["rule"] for finding in told["findings"]}


def test_a_refined_table_becomes_a_sweep_of_the_script_that_is_named(tmp_path):
    (tmp_path / "train.py").write_text("print('val_accuracy: 0.5')\n", encoding="utf-8")
    command = ("--command", "python train.py {args}")
    done = call(tmp_path, "refine", str(TABLE), *ASKED, *command)
    assert done.returncode == 0, done.stderr
    sweep = surefoot.read_sweep(tmp_path / "invented_trials-2.yaml")
    assert {p.name for p in sweep.space.parameters} <= {
        *("lr", "batch_size", "optimizer", "momentum", "dropout", "augment")
    }
    assert call(tmp_path, "sweep", "invented_trials-2.yaml", "--dry-run").returncode == 0


def test_public_names_lead_from_a_table_to_pages_and_the_next_space(tmp_path):
    table = surefoot.read_trials(TABLE, value="val_accuracy", goal="maximize", rows=12)
    analysis = surefoot.analyze(table, seed=1)
    files = surefoot.write_analysis(analysis, tmp_path / "analysis")
    assert files[0] == tmp_path / "analysis" / "analysis.html"
    assert all(isinstance(finding, surefoot.Finding) for finding in analysis.findings)
    refinement = surefoot.refine(analysis, style="aggressive")
    assert isinstance(refinement, surefoot.Refinement)
    assert {line.before.name for line in refinement.lines} == set(table.space.names())
