"""What a rule is shown of a known training: its history in our names or Keras's, and what a user would know of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from known_trainings import Recipe, Trained
from surefoot.diagnosis.symptom import Ground
from surefoot.history import History
from surefoot.run import Metric
from surefoot.trials import Curve


def is_ours(seed: int) -> bool:
    """Whether the history is told as our training loop records it, not as Keras does."""
    return seed % 2 == 0


def our_history(made: Recipe, base: Trained, rng: np.random.Generator) -> dict[str, Any]:
    """As the training loop records it: means since the last measurement in training mode, and the same measured alike.

    A loss that is not finite is the last thing measured. The config is known half of the time.
    """
    rows = list(base.rows)
    bad = next((i for i, row in enumerate(rows) if not math.isfinite(row["train_loss"])), None)
    names = ("train_loss", "clean_train_loss", "clean_train_accuracy", "val_loss", "val_accuracy")
    names += ("learning_rate", "gradient_norm")
    sound_rows = rows[:bad]
    curves = {name: [[row["step"] for row in sound_rows], [row[name] for row in sound_rows]] for name in names}
    if bad is not None:
        for part, key in zip(curves["train_loss"], ("step", "train_loss"), strict=True):
            part.append(rows[bad][key])
    config = {
        "hidden": "x".join(map(str, made.hidden)),
        "dropout": made.dropout,
        "optimizer": made.optimizer,
        "momentum": made.momentum,
        "lr": made.lr,
        "schedule": made.schedule,
        "weight_decay": made.weight_decay,
        "batch_size": made.batch_size,
        "steps": made.steps,
        "eval_every": made.steps // made.measurements,
        "patience": 0,
        "clip_norm": 0.0,
    }
    reason = "" if bad is None else f"non-finite loss at step {rows[bad]['step']}"
    return {
        "step_unit": "step",
        "curves": {name: curve for name, curve in curves.items() if curve[0]},
        "config": config if rng.random() < 0.5 else {},
        "facts": {
            "steps": rows[-1 if bad is None else bad]["step"],
            "train_examples": made.n_train,
            "train_evaluated_examples": min(1_000, made.n_train),
            "evaluated_examples": made.n_val,
            "parameters": base.parameters,
            "classes": made.classes,
            "dropout": made.dropout,
            "optimizer": made.optimizer,
            "schedule": made.schedule,
            "augmentation": "none",
            "train_loss_measured": "with dropout and augmentation" if made.dropout else "as validation is",
            "stop_reason": reason or "steps done",
        },
        "seed": made.seed,
        "status": "COMPLETE" if bad is None else "DIVERGED",
        "reason": reason,
    }


def keras_history(made: Recipe, base: Trained, rng: np.random.Generator) -> dict[str, Any]:
    """As Keras has it: running means in training mode, accuracies as shares, epochs, nothing measured alike."""
    epochs = list(range(1, len(base.rows) + 1))
    series = {
        "loss": "train_loss",
        "accuracy": "train_accuracy",
        "val_loss": "val_loss",
        "val_accuracy": "val_accuracy",
    }
    shares = {"accuracy", "val_accuracy"}
    config = {
        "learning_rate": made.lr,
        "batch_size": made.batch_size,
        "dropout": made.dropout,
        "epochs": made.measurements,
        "optimizer": made.optimizer,
    }
    return {
        "step_unit": "epoch",
        "curves": {
            name: [epochs, [row[ours] / (100 if name in shares else 1) for row in base.rows]]
            for name, ours in series.items()
        },
        "config": config if rng.random() < 0.5 else {},
        "facts": {},
        "seed": None,
        "status": "COMPLETE",
        "reason": "",
    }


def ground_definition(made: Recipe, base: Trained, best: float, rng: np.random.Generator) -> dict[str, Any]:
    """What a user would know. A target or a ceiling is stated in three of five, in the same way for well and ill:
    a little under, or over, the best score that any treatment reached. A healthy training that is low must have one,
    or nobody could tell."""
    target, ceiling = best - rng.uniform(0.5, 3.0), min(best + rng.uniform(0.0, 1.5), 100.0)
    says_target, says_ceiling = ((0, 0), (0, 0), (1, 0), (0, 1), (1, 1))[rng.integers(5)]
    chance = 100 / made.classes
    if base.score - chance < 0.85 * (100 - chance) and not (says_target or says_ceiling):
        says_target, says_ceiling = ((1, 0), (0, 1))[rng.integers(2)]
    by = 1 if is_ours(made.seed) else 100
    return {
        "unit": "%" if is_ours(made.seed) else "",
        "target": target / by if says_target else None,
        "ceiling": ceiling / by if says_ceiling else None,
        "trained_on": made.n_train,
        "evaluated_on": made.n_val,
        "classes": made.classes,
        "parameters": base.parameters if is_ours(made.seed) or rng.random() < 0.5 else None,
    }


def history_of(case: Mapping[str, Any]) -> History:
    """The history that a rule is shown; its name says nothing of the truth."""
    told = case["history"]
    curves = {name: Curve(steps=tuple(steps), values=tuple(values)) for name, (steps, values) in told["curves"].items()}
    known = {key: told[key] for key in ("step_unit", "config", "facts", "seed", "status", "reason")}
    return History(name=f"history {case['seed']}", curves=curves, **known)


def ground_of(case: Mapping[str, Any]) -> Ground:
    """The ground that a rule is shown."""
    told = dict(case["ground"])
    metric = Metric(name="val_accuracy", goal="maximize", unit=told.pop("unit"), target=told.pop("target"))
    return Ground(metric=metric, config=case["history"]["config"], **told)
