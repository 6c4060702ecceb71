"""A pool predicts with a checkpoint and exports it: what is written is whole, the seal and the hash are kept."""

import dataclasses

import numpy as np
import pytest

from surefoot.execution import Task, WorkerPool
from surefoot.run import Status
from surefoot.workload import find_workload

SETTINGS = {"steps": 40, "eval_every": 20, "norm": "batch", "dropout": 0.1}


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def trained(pool, tmp_path_factory):
    """A finished training on the digits, as a task to use its last checkpoint, and how it ended."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    config = find_workload("digits").complete(SETTINGS)
    task = Task(key="run", workload="digits", config=config, seed=3, artifacts=folder)
    (outcome,) = pool.run([task])
    assert outcome.status is Status.COMPLETE
    return dataclasses.replace(task, checkpoint_hash=outcome.checkpoints["last"]), outcome


def used(pool, task, **more):
    (outcome,) = pool.run([dataclasses.replace(task, **more)])
    return outcome


def test_predictions_are_written_and_add_up_to_what_training_measured(pool, trained, tmp_path):
    task, training = trained
    out = tmp_path / "validation.npz"
    outcome = used(pool, task, kind="predict", split="validation", out=out)
    assert (outcome.status, outcome.reason) == (Status.COMPLETE, "")
    last = training.measurements[-1].values
    assert outcome.values["accuracy"] == pytest.approx(last["val_accuracy"])
    assert outcome.values["loss"] == pytest.approx(last["val_loss"], rel=1e-5)
    with np.load(out) as arrays:
        labels, scores, classes = arrays["labels"], arrays["scores"], arrays["classes"]
    assert (labels.shape, scores.shape, classes.tolist()) == ((360,), (360, 10), [str(i) for i in range(10)])
    facts = outcome.facts
    assert (facts["n"], facts["file"], facts["classes"]) == (360, "validation.npz", classes.tolist())
    matrix = np.array(facts["confusion"])
    assert matrix.sum() == 360
    assert [row["support"] for row in facts["per_class"]] == matrix.sum(axis=1).tolist() == [36] * 10
    assert 100 * matrix.trace() / 360 == pytest.approx(facts["accuracy"])
    assert list(tmp_path.iterdir()) == [out]


def test_the_outputs_of_uses_do_not_overwrite_each_other(pool, trained, tmp_path):
    task, _ = trained
    used(pool, task, kind="predict", split="validation", out=tmp_path / "p.npz")
    used(pool, task, kind="evaluate", split="validation")
    names = {path.name for path in task.artifacts.glob("output*.txt")}
    assert {"output.txt", "output_predict_last_validation.txt", "output_last_validation.txt"} <= names


@pytest.mark.parametrize("kind", ["predict", "export"])
def test_the_sealed_split_stays_sealed_and_nothing_is_written(pool, trained, tmp_path, kind):
    outcome = used(pool, trained[0], kind=kind, split="test", out=tmp_path / "out")
    assert outcome.status is Status.FAILED
    assert "the test split is sealed until finalise" in outcome.reason
    assert not (tmp_path / "out").exists()


def test_an_export_writes_the_formats_asked_for_and_tells_how_they_compare(pool, trained, tmp_path):
    import hashlib

    # ONNX, whose libraries take seconds to import, is written by a worker in the phased example's test.
    task = dataclasses.replace(trained[0], kind="export", is_test_open=True, formats=("torch",))
    outcome = used(pool, task, out=tmp_path / "bundle")
    assert (outcome.status, outcome.reason) == (Status.COMPLETE, "")
    (export,) = outcome.facts["exports"]
    assert (export["format"], export["error"]) == ("torch", "")
    assert export["agreement"] >= 0.999
    assert export["accuracy"] == pytest.approx(export["original_accuracy"], abs=0.3)
    assert min(export["latency_seconds"], export["original_latency_seconds"]) > 0
    written = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "bundle").iterdir()}
    assert written == outcome.facts["files"]
    assert set(written) == {"model.safetensors", "model.pt2"}


def test_a_checkpoint_that_is_not_the_recorded_one_is_refused(pool, trained, tmp_path):
    other = used(pool, trained[0], kind="predict", checkpoint_hash="0" * 64, out=tmp_path / "p.npz")
    gone = used(pool, trained[0], kind="export", checkpoint="worst", is_test_open=True, out=tmp_path / "bundle")
    assert (other.status, gone.status) == (Status.FAILED, Status.FAILED)
    assert "damaged or another's" in other.reason
    assert "worst.pt is not; train this run again" in gone.reason
    assert not list(tmp_path.iterdir())


def test_a_format_that_there_is_not_is_named(pool, trained, tmp_path):
    outcome = used(pool, trained[0], kind="export", is_test_open=True, out=tmp_path / "x", formats=("onxx",))
    assert outcome.status is Status.FAILED
    assert 'format must be one of torch, onnx; got "onxx"' in outcome.reason


def test_what_cannot_predict_or_says_odd_things_is_named(pool, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.syspath_prepend(Path(__file__).parent)

    def ask(name, **more):
        config = {"steps": 1, "pause_ms": 0}
        task = Task(key=name, workload=f"toy_predicting:{name}", config=config, seed=0, artifacts=tmp_path / name)
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "last.pt").write_bytes(b"weights")
        return used(pool, task, kind="predict", out=tmp_path / f"{name}.npz", **more)

    reasons = {name: ask(name).reason for name in ("MUTE", "LIST", "SHAPES", "BEYOND", "NAN")}
    assert "workload mute cannot predict a checkpoint; it has no predict" in reasons["MUTE"]
    assert 'must return Predictions; got "list"' in reasons["LIST"]
    assert "scores of shape (n, classes); got int64 (3,) and (3, 3) for 2 classes" in reasons["SHAPES"]
    assert "a label must be a class from 0 to 1; got 5" in reasons["BEYOND"]
    assert reasons["NAN"] == "a score is nan on the validation split"
    assert ask("NAN").status is Status.INFEASIBLE
    assert ask("MARGINS").values == {"accuracy": 50.0}  # scores that are no probabilities have no cross-entropy
    assert [path.name for path in tmp_path.glob("*.npz")] == ["MARGINS.npz"]
