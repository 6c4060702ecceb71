"""A workload that overfits, without a library: what its settings do is known, so what an ablation must say is too."""

import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace, integer, real
from surefoot.workload import Predictions, Workload

CLASSES = ("cat", "dog", "fox")
EVALUATED = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    dropout: float = 0.0
    weight_decay: float = 0.0
    decay_worth: float = 0.0
    steps: int = 100
    utilisation: float = 0.9
    peeks: int = 0
    export: int = 0
    pause_ms: int = 0


SPACE = SearchSpace(
    parameters=(
        real("dropout", 0.0, 0.9),
        real("weight_decay", 0.0, 1.0),
        real("decay_worth"),
        integer("steps", 10),
        real("utilisation", 0.0, 1.0),
        integer("peeks", 0, 1),
        integer("export", 0, 2),
        integer("pause_ms", 0),
    )
)


def ends(config, seed):
    """Where validation and train accuracy end: dropout is worth 8 points, weight decay what `decay_worth` says."""
    own = [seed, round(100 * config.dropout), round(1e6 * config.weight_decay)]
    noise = np.random.default_rng(seed).normal(scale=0.3) + np.random.default_rng(own).normal(scale=0.2)
    regularised = config.dropout >= 0.2
    decayed = config.weight_decay >= 1e-4
    return 70 + 8 * regularised + config.decay_worth * decayed + noise, 99.5 - 15 * regularised - decayed


def is_broken(context):
    """Whether the test has put a file "broken" into the home: something that a person can mend."""
    return (context.artifacts.parent.parent.parent / "broken").exists()


def train(config, context):
    if config.peeks:
        context.require("test")
    if config.dropout and is_broken(context):
        raise OSError("no space left on device")
    final, fitted = ends(config, context.seed)
    wobble = np.random.default_rng([context.seed, round(100 * config.dropout)]).normal(scale=0.003)
    for step in range(10, config.steps + 1, 10):
        time.sleep(config.pause_ms / 1000)
        share = 1 - np.exp(-4 * step / config.steps)
        values = {
            "train_loss": 1.1 - 1.0 * share,
            "clean_train_loss": 1.1 - 1.05 * share,
            "clean_train_accuracy": 33 + (fitted - 33) * share,
            "val_loss": 1.1 - 0.5 * share + 0.25 * max(share - 0.7, 0) * (config.dropout < 0.2) + wobble,
            "val_accuracy": 33 + (final - 33) * share,
            "learning_rate": 1e-3,
            "gradient_norm": 1.0,
        }
        yield Measurement(step=step, values=values)
    for name in ("best", "last"):
        (context.artifacts / f"{name}.pt").write_text(json.dumps({"name": name, "accuracy": final}))
    return {
        "steps": config.steps,
        "samples": config.steps * 10,
        "train_examples": 500,
        "evaluated_examples": EVALUATED,
        "train_evaluated_examples": 500,
        "parameters": 1_000_000,
        "classes": 3,
        "stop_reason": "steps done",
        "best_step": config.steps,
        "utilisation": config.utilisation,
        "images_per_second": 1000.0,
        "seconds_per_step": 0.01,
    }


def evaluate(config, context, checkpoint, split):
    context.require(split)
    return {"val_accuracy": 80.0 if split == "test" else ends(config, context.seed)[0], "val_loss": 0.7}


def predict(config, context, checkpoint, split):
    context.require(split)
    if (context.artifacts.parent.parent.parent / "die").exists():
        os.kill(os.getppid(), signal.SIGKILL)
    if is_broken(context):
        raise OSError("no space left on device")
    labels = np.arange(300) % 3
    scores = np.eye(3, dtype=np.float32)[labels]
    scores[:60] = np.roll(scores[:60], 1, axis=1)
    return Predictions(labels=labels, scores=scores, classes=CLASSES)


def export(config, context, checkpoint, folder, formats):
    if is_broken(context):
        raise OSError("no space left on device")
    found = []
    (folder / "model.safetensors").write_text("weights")
    for name in formats:
        if config.export == 1 and name == "onnx":
            found.append({"format": name, "file": "", "sha256": "", "error": "aten::roll has no ONNX form"})
            continue
        path = folder / f"model.{name}"
        path.write_text(f"{name} of {checkpoint}")
        found.append(
            {
                "format": name,
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "agreement": 1.0 if config.export < 2 else 0.9,
                "accuracy": 80.0,
                "original_accuracy": 80.0,
                "latency_seconds": 0.001,
                "original_latency_seconds": 0.001,
                "error": "",
            }
        )
    return {"exports": found}


TOY = Workload(
    name="phase_toy",
    summary="overfits, and says so",
    config=Config,
    metrics=(
        Metric(name="val_accuracy", goal="maximize", unit="%"),
        Metric(name="val_loss", goal="minimize"),
    ),
    space=SPACE,
    train=train,
    evaluate=evaluate,
    predict=predict,
    export=export,
    drivers={"steps": ("steps",), "samples": ("steps",)},
)
