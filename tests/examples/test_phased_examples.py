"""The phased examples, cut down to seconds: diagnosed as what they are, treated, decided, and bundled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from surefoot import cli

PROJECT = Path(__file__).resolve().parents[2]
OVERFITS = {"train_examples": 50, "width": 4, "steps": 60, "eval_every": 30, "batch_size": 25, "lr": 3e-3}
UNDERFITS = {"train_examples": 500, "width": 1, "steps": 60, "eval_every": 6, "batch_size": 20, "lr": 1e-2}


@pytest.fixture
def walked(tmp_path, capsys, monkeypatch):
    """Runs an example with other settings, and gives the exit code and the phases that its journal tells."""
    root = Path(os.environ.get("SUREFOOT_DATA") or PROJECT.parent / "shared" / "data")
    if not (root / "cifar10" / "data_batch_1.bin").is_file():
        pytest.skip("no CIFAR-10 under the data root")
    monkeypatch.setenv("SUREFOOT_DATA", str(root))

    def walk(name: str, baseline: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
        plan = YAML(typ="safe", pure=True).load(PROJECT / "examples" / name)
        plan["baseline"] |= baseline
        path = tmp_path / name
        path.write_text(json.dumps({**plan, "seeds": 2, "rule": {"confirm_seeds": 2}, **more}), encoding="utf-8")
        code = cli.main(["run", str(path), "--home", str(tmp_path / "home"), "--device", "cpu"])
        capsys.readouterr()
        assert cli.main(["journal", "--json", "--home", str(tmp_path / "home")]) == 0
        return code, json.loads(capsys.readouterr().out)["phases"]

    return walk


def test_the_net_that_learns_by_heart_goes_from_gate_to_gate(walked, tmp_path):
    # What a minute of training comes to is not what this asks.
    lenient = {"class_f1": 0.0, "split_mismatch": 100.0, "export_slowdown": 100.0, "export_accuracy": 5.0}
    optimise, final = {"strategy": "targeted", "recommendations": 1}, {"seeds": 1, "export": ["onnx"]}
    code, phases = walked("cifar10_phases.yaml", OVERFITS, optimise=optimise, finalise=final, thresholds=lenient)
    assert phases["diagnosis"]["primary"] == "overfitting"
    assert [gate["phase"] for gate in phases["gates"]] == ["plan", "baseline", "diagnose", "optimise", "finalise"]
    blocked = [c["predicate"] for gate in phases["gates"] for c in gate["checks"] if c["state"] == "blocked"]
    assert code == 0, blocked
    (round_,) = phases["rounds"]
    assert len(round_["tried"]) == 1 and phases["decision"]["turn"] in ("finalise", "ceiling")
    folder = tmp_path / "home" / "cifar10-phases"
    written = {path.name for path in (folder / "bundle").iterdir()}
    assert {"model.onnx", "model.safetensors", "predict.py", "MODEL_CARD.md", "SHA256SUMS"} <= written
    assert (folder / "final_report.md").is_file() and (folder / "checklists" / "finalise.md").is_file()


def test_the_net_that_is_too_small_is_diagnosed_as_such(walked):
    code, phases = walked("cifar10_underfits.yaml", UNDERFITS, optimise={"strategy": "none"}, finalise=False)
    assert code == 0 and phases["diagnosis"]["primary"] == "underfitting"
    kinds = [r["kind"] for s in phases["diagnosis"]["symptoms"] for r in s["recommendations"]]
    assert "wider" in kinds and "longer" in kinds
