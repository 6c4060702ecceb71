"""What diagnosing costs: 1,000 histories of 100 epochs in memory, and the whole verb over as many on disk.

    python benchmarks/diagnosing.py [--histories N] [--epochs N] [--json FILE]

Target: `diagnose` on 1,000 histories of 100 epochs, one by one, in under 2 s. Every fourth history is of each shape:
a gap that opens, one that learns well, one that hardly moves, one that swings. Half have our names and all we measure,
half Keras's four. The verb is a fresh process each time, from the files to its pages on disk.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from figures import Figure, at_most, publish, told
from surefoot.diagnosis.diagnosis import diagnose
from surefoot.diagnosis.symptom import Ground
from surefoot.history import History
from surefoot.run import Metric
from surefoot.trials import Curve

TARGET_SECONDS = 2.0
PASSES = 5
CLASSES, TRAINED_ON, EVALUATED_ON = 10, 5_000, 1_000
# Of train and of validation: the loss at the end, and how fast it is approached; then the deviation of validation.
SHAPES = ((0.05, 0.1, 0.9, 0.01), (0.3, 0.1, 0.35, 0.01), (2.0, 0.01, 2.0, 0.005), (0.4, 0.1, 0.5, 0.15))


def drawn(count: int, epochs: int) -> list[History]:
    """So many histories, drawn at random about the shapes in turn; every other one in the names of Keras."""
    rng = np.random.default_rng(count)
    return [history(number, epochs, rng) for number in range(count)]


def history(number: int, epochs: int, rng: np.random.Generator) -> History:
    train_end, speed, val_end, swing = SHAPES[number % len(SHAPES)]
    at = np.arange(1, epochs + 1)
    left = np.exp(-speed * rng.uniform(0.5, 2.0) * at)
    chance = math.log(CLASSES)
    train = train_end + (chance - train_end) * left + 0.01 * rng.standard_normal(epochs)
    validation = np.abs(val_end + (chance - val_end) * left + swing * rng.standard_normal(epochs))
    train_score, score = (100 * np.exp(-np.abs(loss)) for loss in (train, validation))
    if number // len(SHAPES) % 2:
        named = {"loss": train, "accuracy": train_score / 100, "val_loss": validation, "val_accuracy": score / 100}
    else:
        norm = np.abs(1 + 0.1 * rng.standard_normal(epochs))
        named = {
            "train_loss": train,
            "clean_train_loss": train,
            "clean_train_accuracy": train_score,
            "val_loss": validation,
            "val_accuracy": score,
            "learning_rate": np.full(epochs, 1e-3),
            "gradient_norm": norm,
        }
    steps = tuple(map(float, at))
    return History(
        name=f"run {number:04}",
        step_unit="epoch",
        curves={name: Curve(steps=steps, values=tuple(values.tolist())) for name, values in named.items()},
        config={"lr": 1e-3, "dropout": 0.0, "weight_decay": 0.0, "batch_size": 32, "epochs": epochs},
    )


def ground_of(told_of: History) -> Ground:
    is_keras = "loss" in told_of.curves
    metric = Metric(name="val_accuracy", goal="maximize", unit="" if is_keras else "%")
    return Ground(
        metric=metric, trained_on=TRAINED_ON, evaluated_on=EVALUATED_ON, classes=CLASSES, config=told_of.config
    )


def in_memory(histories: Sequence[History]) -> tuple[list[float], list[float]]:
    """Wall and processor seconds of one diagnosis for each history, of every pass over them all."""
    grounds = [ground_of(some) for some in histories]
    walls, works = [], []
    for _ in range(PASSES):
        wall, work = time.perf_counter(), time.process_time()
        for some, ground in zip(histories, grounds, strict=True):
            diagnose([some], ground)
        walls.append(time.perf_counter() - wall)
        works.append(time.process_time() - work)
    return walls, works


def as_folder(histories: Sequence[History], folder: Path) -> Path:
    """A file each, as Keras's CSVLogger leaves them."""
    folder.mkdir()
    for some in histories:
        with (folder / f"{some.name.replace(' ', '_')}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["epoch", *some.curves])
            first, *_ = some.curves.values()
            rows.writerows(zip(first.steps, *(curve.values for curve in some.curves.values()), strict=True))
    return folder


def the_verb(source: Path, out: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak gigabytes of `surefoot diagnose` over the source."""
    sizes = ["--trained-on", str(TRAINED_ON), "--evaluated-on", str(EVALUATED_ON), "--classes", str(CLASSES)]
    verb = ["diagnose", str(source), *sizes, "--out", str(out)]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "surefoot.cli", *verb], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not any(out.iterdir()):
        raise SystemExit(f"diagnose ended with {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--histories", type=int, default=1_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    histories = drawn(arguments.histories, arguments.epochs)
    cell = f"{arguments.histories:,} histories of {arguments.epochs} epochs"
    walls, works = in_memory(histories)
    shown: list[Figure] = [
        at_most(cell, f"s, diagnose, median of {PASSES} passes", statistics.median(walls), TARGET_SECONDS),
        told(cell, "s of processor time, diagnose", statistics.median(works)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        wall, work, peak = the_verb(as_folder(histories, Path(folder) / "histories"), Path(folder) / "out")
    shown += [
        told(cell, "s, the whole verb over a folder of CSV files", wall),
        told(cell, "s of processor time, the whole verb", work),
        told(cell, "GB at most, the whole verb", peak),
    ]
    return publish("Diagnosing: what a diagnosis costs", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
