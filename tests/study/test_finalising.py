"""The end of a study: the split opened once, a bundle whose files are whole, the same after a kill in its middle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from study_cases import Cases, plan_text

from surefoot.cli import main
from surefoot.storage import Record
from surefoot.words import moment

HERE = Path(__file__).parent
FINALISE = {"seeds": 2, "export": ["torch", "onnx"]}


def phased(**more):
    metrics = {"val_accuracy": {"goal": "maximize", "unit": "%", "target": 77.0}}
    return {"workload": "phase_toy:TOY", "metrics": metrics, "optimise": {}, "finalise": FINALISE, **more}


def bundle(cases):
    return cases.home / "toy" / "bundle"


def last_gate(story):
    gate = story.phases.gates[-1]
    assert gate.phase == "finalise"
    return gate


def blocked(story):
    return {check.predicate for check in last_gate(story).blocked}


def openings(cases):
    return [event for event in cases.record.events(1, "opening") if "values" not in event.payload]


@pytest.fixture(scope="module")
def ended(pool, tmp_path_factory):
    """A study gone to its end once, for all that look at it, and its story."""
    found = Cases(tmp_path_factory.mktemp("ended"), pool)
    yield found, found.run(**phased())
    found.close()


def test_the_end_is_trained_on_its_own_seeds_measured_and_bundled(ended):
    _, story = ended
    final = story.phases.final
    assert [run.seed for run in final.runs] == [20001, 20002] and final.bundled_seed == 20001
    assert final.config["dropout"] == 0.5 and final.checkpoint == "last"
    assert len(final.validation["val_accuracy"]) == len(final.test["val_accuracy"]) == 2
    assert sum(map(sum, final.confusion)) == 300 == sum(score.support for score in final.per_class)
    assert last_gate(story).is_open and story.phase == "done"


def test_the_bundles_sums_are_those_of_its_files(ended):
    cases, _ = ended
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=bundle(cases), capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    named = {line.split("  ")[1] for line in (bundle(cases) / "SHA256SUMS").read_text().splitlines()}
    assert named == {path.name for path in bundle(cases).iterdir()} - {"SHA256SUMS"}
    assert {"model.safetensors", "model.onnx", "config.yaml", "MODEL_CARD.md", "predict.py"} <= named


def test_the_card_in_the_bundle_tells_when_the_test_split_was_opened(ended):
    cases, story = ended
    (line,) = [line for line in (bundle(cases) / "MODEL_CARD.md").read_text().splitlines() if "split opened" in line]
    assert story.phases.final.opened_at and moment(story.phases.final.opened_at) in line.replace("\\", "")


def test_the_test_split_is_opened_once_however_often_it_is_run(ended):
    cases, _ = ended
    story = cases.run(**phased())
    assert len(openings(cases)) == 1 and not cases.ear.trained
    assert story.phases.final.opened_at == openings(cases)[0].at


def test_an_export_that_fails_leaves_the_others_and_closes_the_gate(cases):
    story = cases.run(**phased(baseline={"export": 1}))
    found = {export.format: export for export in story.phases.final.exports}
    assert found["onnx"].error and not found["torch"].error and (bundle(cases) / "model.torch").is_file()
    assert not last_gate(story).is_open and story.phase == "finalise"
    assert any("aten::roll" in notice for notice in cases.ear.notices)


def test_a_failed_export_can_be_overridden_with_its_reason(cases):
    overrides = [{"gate": "finalise", "predicate": p, "because": "only torch is served"} for p in ("exported",)]
    story = cases.run(**phased(baseline={"export": 1}, overrides=overrides))
    assert last_gate(story).is_open, blocked(story)
    assert [check.override for check in last_gate(story).overridden] == ["only torch is served"]


def test_an_export_that_predicts_otherwise_closes_the_gate(cases):
    story = cases.run(**phased(baseline={"export": 2}))
    assert "export_agrees" in blocked(story)


def test_a_damaged_bundle_is_written_again(ended):
    cases, _ = ended
    (bundle(cases) / "model.onnx").write_text("something else")
    (bundle(cases) / "config.yaml").unlink()
    story = cases.run(**phased())
    assert (bundle(cases) / "model.onnx").read_text() == "onnx of last" and (bundle(cases) / "config.yaml").is_file()
    assert last_gate(story).is_open and len(openings(cases)) == 1


def test_a_study_without_phases_can_be_bundled_too(cases):
    plan = {**phased(), "optimise": None}
    del plan["optimise"]
    story = cases.run(**plan)
    assert story.phases.gates == () and len(story.phases.final.runs) == 2
    assert (bundle(cases) / "SHA256SUMS").is_file() and story.phase == "done"


def test_a_kill_in_the_middle_of_finalise_is_gone_on_from(tmp_path, capsys):
    plan, home = tmp_path / "plan.yaml", tmp_path / "home"
    plan.write_text(plan_text(**phased()))
    home.mkdir()
    (home / "die").touch()
    line = [sys.executable, "-m", "surefoot.cli", "run", str(plan), "--home", str(home), "--workers", "1"]
    line += ["--device", "cpu"]
    killed = subprocess.run(line, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with Record.open(home, read_only=True) as record:
        trained = {run.id for run in record.runs(1)}
        assert len(record.events(1, "opening")) >= 1 and not record.events(1, "bundle")
    assert not (home / "toy" / "bundle").exists()
    (home / "die").unlink()
    again = subprocess.run(line, cwd=HERE, capture_output=True, text=True, timeout=120, check=False)
    assert again.returncode == 0, again.stderr
    with Record.open(home, read_only=True) as record:
        assert {run.id for run in record.runs(1)} == trained
        assert len([e for e in record.events(1, "opening") if "values" not in e.payload]) == 1
        assert len(record.events(1, "bundle")) == 1
    assert not list((home / "toy").glob(".bundle*"))
    assert main(["status", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["studies"][0]["phase"] == "done"
