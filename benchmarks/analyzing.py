"""What a whole analysis costs: `surefoot analyze` as a fresh process, from a CSV to every artefact on disk.

    python benchmarks/analyzing.py [--trials N [N ...]] [--peer N] [--json FILE]

Targets: 1,000 trials × 15 parameters in under 15 s, 10,000 in under 60 s and 1.5 GB, all sections, bootstrap and null
included. The tables have conditions, choices, true or false, numbers on both scales, pruned and failed trials and
noise. No peer answers all these questions; for scale, Optuna's get_param_importances (fANOVA) on the same trials.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real
from optuna.distributions import IntDistribution as Whole

from figures import Figure, at_most, publish, told

SECONDS = {1_000: 15.0, 10_000: 60.0}
GIGABYTES = {10_000: 1.5}
NOISE = 0.05
SPACE = {
    "learning_rate": Real(1e-5, 1e-1, log=True),
    "weight_decay": Real(1e-6, 1e-2, log=True),
    "batch_size": Choice([16, 32, 64, 128]),
    "optimizer": Choice(["adam", "sgd", "rmsprop"]),
    "momentum": Real(0.5, 0.99),
    "beta2": Real(0.9, 0.999),
    "layers": Whole(1, 6),
    "width": Choice([64, 128, 256, 512]),
    "dropout": Real(0.0, 0.6),
    "use_mixup": Choice([True, False]),
    "mixup_alpha": Real(0.1, 1.0),
    "schedule": Choice(["cosine", "linear", "step", "constant"]),
    "warmup": Whole(0, 10),
    "norm": Choice(["batch", "layer", "none"]),
    "clip": Real(0.1, 5.0),
}
CONDITIONS = {"momentum": ("optimizer", "sgd"), "beta2": ("optimizer", "adam"), "mixup_alpha": ("use_mixup", True)}


def drawn(count: int) -> list[dict[str, Any]]:
    """So many trials drawn at random, in twelve of a hundred pruned, two without a value; a setting is there or not."""
    rng = np.random.default_rng(count)
    return [trial(number, rng) for number in range(count)]


def trial(number: int, rng: np.random.Generator) -> dict[str, Any]:
    """One row of the table."""
    settings: dict[str, Any] = {}
    for name, axis in SPACE.items():
        parent, needed = CONDITIONS.get(name, (None, None))
        if parent is None or settings[parent] == needed:
            settings[name] = value_at(axis, rng)
    fate = rng.random()
    state = "PRUNED" if fate < 0.12 else "FAILED" if fate < 0.14 else "COMPLETE"
    value = None if state == "FAILED" else loss(settings) + NOISE * rng.normal() + 0.3 * (state == "PRUNED")
    seconds = 60 + rng.exponential(30.0)
    return {"number": number, "state": state, **settings, "loss": value, "runtime": seconds}


def value_at(axis: Any, rng: np.random.Generator) -> Any:
    """A value of the axis, drawn as it is declared."""
    if isinstance(axis, Choice):
        return axis.choices[rng.integers(len(axis.choices))]
    if isinstance(axis, Whole):
        return int(rng.integers(axis.low, axis.high + 1))
    if axis.log:
        return float(math.exp(rng.uniform(math.log(axis.low), math.log(axis.high))))
    return float(rng.uniform(axis.low, axis.high))


def loss(settings: dict[str, Any]) -> float:
    """A bowl over the learning rate, smaller effects of some others, none of the rest."""
    return (
        0.1 * (math.log10(settings["learning_rate"]) + 2.7) ** 2
        + 0.3 * (settings["dropout"] - 0.2) ** 2
        + 0.05 * (settings["norm"] == "none")
        - 0.02 * settings["layers"]
        + 0.03 * settings.get("mixup_alpha", 0.0)
        + 0.1 * (0.95 - settings.get("momentum", 0.95))
    )


def written(rows: list[dict[str, Any]], path: Path) -> Path:
    """The rows as a CSV file, an empty cell where a setting was not there."""
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, ["number", "state", *SPACE, "loss", "runtime"])
        table.writeheader()
        table.writerows(rows)
    return path


def ours(table: Path) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak gigabytes of the whole verb."""
    verb = ["analyze", str(table), "--value", "loss", "--goal", "minimize", "--out", str(table.with_suffix(""))]
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "surefoot.cli", *verb], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode or not (table.with_suffix("") / "analysis.json").exists():
        raise SystemExit(f"analyze ended with {process.returncode}")
    return seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def theirs(rows: list[dict[str, Any]]) -> float:
    """Seconds of Optuna's fANOVA over the same complete trials."""
    study = optuna.create_study(direction="minimize")
    for row in rows:
        if row["state"] == "COMPLETE":
            settings = {name: row[name] for name in SPACE if name in row}
            spelled = {name: SPACE[name] for name in settings}
            study.add_trial(optuna.trial.create_trial(params=settings, distributions=spelled, value=row["loss"]))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=1)
    began = time.perf_counter()
    optuna.importance.get_param_importances(study, evaluator=evaluator)
    return time.perf_counter() - began


def beside(count: int, rows: list[dict[str, Any]], folder: Path) -> list[Figure]:
    """Our side on one table."""
    cell = f"{count:,} trials × {len(SPACE)}"
    wall, work, peak = ours(written(rows, folder / f"trials_{count}.csv"))
    what = "s, the whole analysis from the CSV to the last file"
    bound = GIGABYTES.get(count)
    return [
        at_most(cell, what, wall, SECONDS[count]) if count in SECONDS else told(cell, what, wall),
        told(cell, "s of processor time", work),
        told(cell, "GB at most", peak) if bound is None else at_most(cell, "GB at most", peak, bound),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[20, 100, 1_000, 10_000], help="trials of our side")
    parser.add_argument("--peer", type=int, default=1_000, help="trials of Optuna's side (1000); 0 leaves it out")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.trials:
            shown += beside(count, drawn(count), Path(folder))
    if arguments.peer:
        what = "s, Optuna's fANOVA alone, of the parameters that all trials have"
        shown.append(told(f"{arguments.peer:,} trials × {len(SPACE)}", what, theirs(drawn(arguments.peer))))
    return publish("Analyzing: what a whole analysis costs", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
