"""What it costs to start a command as a run, beyond the script's own start.

    python benchmarks/command_start.py [--runs N] [--json FILE]

Both sides in one go, in turn: `python -c ...` alone, waited for and its output read, and the same command as a run
in a warm worker, its metric read and its output kept. Target: the medians differ by under 30 ms.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import at_most, publish, told
from surefoot.execution import Task, WorkerPool
from surefoot.program import Program
from surefoot.run import Metric, Status

SCRIPT = "print('val_loss: 0.5')"
TARGET_MS = 30.0


def measured(runs: int, folder: Path) -> dict[str, float]:
    """Milliseconds: the script alone, the script as a run, and the median of the differences of the pairs."""
    program = Program(
        command=(sys.executable, "-c", SCRIPT, "{lr}"),
        passing="placeholders",
        metrics=(Metric(name="val_loss", goal="minimize"),),
        folder=str(folder),
    )
    alone, as_run = [], []
    with WorkerPool(1) as pool:
        for number in range(runs + 1):
            task = Task(
                key=str(number), workload=program, config={"lr": number}, seed=0, artifacts=folder / str(number)
            )
            command = [sys.executable, "-c", SCRIPT, str(number)]
            alone.append(seconds(lambda command=command: subprocess.run(command, check=True, capture_output=True)))
            outcomes = []
            as_run.append(seconds(lambda task=task, outcomes=outcomes: outcomes.extend(pool.run([task]))))
            assert outcomes[0].status is Status.COMPLETE, outcomes[0].reason
    pairs = list(zip(alone, as_run, strict=True))[1:]  # the first starts the worker
    return {
        "alone": 1e3 * statistics.median(a for a, _ in pairs),
        "as a run": 1e3 * statistics.median(b for _, b in pairs),
        "beyond": 1e3 * statistics.median(b - a for a, b in pairs),
        "beyond, slowest tenth": 1e3 * statistics.quantiles([b - a for a, b in pairs], n=10)[-1],
    }


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100, help="runs of either side (100)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(arguments.runs, Path(folder))
    cell = "a script that prints its metric"
    shown = [
        at_most(cell, "ms beyond its own start", found["beyond"], TARGET_MS),
        told(cell, "ms, the script alone", found["alone"]),
        told(cell, "ms, the script as a run", found["as a run"]),
        told(cell, "ms beyond, in the slowest tenth at least", found["beyond, slowest tenth"]),
    ]
    return publish("Commands: what a run costs beyond its script's own start", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
