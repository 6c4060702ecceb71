"""A pool, and scripts written for one test each."""

import textwrap
from pathlib import Path

from surefoot.execution import Task, WorkerPool
from surefoot.program import Program, Reader
from surefoot.run import Metric

LOSS = (Metric(name="val_loss", goal="minimize"),)
PYTHON = "${interpreter}"


class Bench:
    """A folder with a script in it, and a worker to run it."""

    def __init__(self, folder: Path, pool: WorkerPool):
        self.folder, self.pool, self.runs = folder, pool, 0
        self.run_folder = folder

    def write(self, text: str, name: str = "train.py") -> Path:
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def program(self, *command: str, **more) -> Program:
        metrics = tuple(Metric(name=name, goal="minimize") for name in more.pop("metrics", ["val_loss"]))
        command = command or (() if "function" in more else (PYTHON, "train.py"))
        return Program(command=command, folder=str(self.folder), metrics=metrics, **{"grace_seconds": 5.0, **more})

    def task(self, program: Program, config=None, *, folder: str = "", seed: int = 3, **more) -> Task:
        self.runs += 1
        self.run_folder = self.folder / "runs" / (folder or str(self.runs))
        return Task(
            key=str(self.runs), workload=program, config=config or {}, seed=seed, artifacts=self.run_folder, **more
        )

    def run(self, program: Program | str, config=None, *, on_measurement=None, **more):
        """The outcome; a text is the script itself, run with `${interpreter} train.py`."""
        if isinstance(program, str):
            self.write(program)
            program = self.program()
        (outcome,) = self.pool.run([self.task(program, config, **more)], on_measurement=on_measurement)
        return outcome

    def output(self) -> str:
        return (self.run_folder / "output.txt").read_text()


def curve(outcome, metric="val_loss"):
    return [(m.step, m.values[metric]) for m in outcome.measurements if metric in m.values]


def pattern(text: str, **more) -> Reader:
    return Reader(kind="pattern", pattern=text, **more)
