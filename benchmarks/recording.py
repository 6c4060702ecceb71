"""What recording costs beside the training, and how fast ten thousand runs are listed.

    python benchmarks/recording.py [--runs N] [--listed N] [--json FILE]

Targets: a run of 1,000 measurements of three metrics costs under 20 ms beside its training, all told
(worker, pool and record, on disk); a home of 10,000 runs is listed by `surefoot status` in under 1 s.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from figures import Figure, at_most, publish
from surefoot.execution import Outcome, Task, WorkerPool
from surefoot.run import Measurement, Metric, Provenance, Status
from surefoot.space import SearchSpace, integer
from surefoot.storage import Record
from surefoot.workload import RunContext, Workload

MEASUREMENTS = 1000
TARGET_MS = 20.0
TARGET_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """How many measurements the training makes, a tenth of a millisecond of work before each."""

    measurements: int = MEASUREMENTS


def train(config: Config, context: RunContext) -> Iterator[Measurement]:
    """Works a tenth of a millisecond a step and measures, so that messages have a training to hide behind."""
    for step in range(config.measurements):
        until = time.perf_counter() + 1e-4
        while time.perf_counter() < until:
            pass
        yield Measurement(step=step, values={"loss": 1 / (step + 1), "accuracy": step / 7, "rate": 1e-3})
    return {"steps": config.measurements}


WORKLOAD = Workload(
    name="recording",
    summary="measures a great deal and learns nothing",
    config=Config,
    metrics=(Metric(name="loss", goal="minimize"),),
    space=SearchSpace(parameters=(integer("measurements", 1),)),
    train=train,
)


class Recorder:
    """Writes what the pool says into a record, as the study does, and keeps how long each call took."""

    def __init__(self, record: Record):
        self.record = record
        self.study_id = record.add_study("benchmark", WORKLOAD.name)
        self.seconds: list[float] = []
        self._run_id = 0

    def start(self, task: Task, provenance: Provenance) -> None:
        self._run_id = self.record.start_run(
            study_id=self.study_id,
            key=task.key,
            workload=task.workload,
            config=task.config,
            seed=task.seed,
            provenance=provenance,
            experiment="baseline",
            arm="baseline",
        )

    def end(self, outcome: Outcome) -> None:
        began = time.perf_counter()
        self.record.finish_run(
            self._run_id,
            status=outcome.status,
            reason=outcome.reason,
            measurements=outcome.measurements,
            facts=outcome.facts,
            checkpoints=outcome.checkpoints,
            provenance=outcome.provenance,
        )
        self.seconds.append(time.perf_counter() - began)


def recording(runs: int, folder: Path) -> dict[str, float]:
    """Milliseconds a run: the bare training, in the pool, and in the pool with a record; medians, taken in turn."""
    bare, pooled, recorded = [], [], []
    with WorkerPool(1) as pool, Record.open(folder / "home") as record:
        recorder = Recorder(record)
        for number in range(runs + 1):
            task = Task(
                key=f"run {number}",
                workload="recording:WORKLOAD",
                config={"measurements": MEASUREMENTS},
                seed=number,
                artifacts=folder / "artifacts",
            )
            bare.append(seconds(lambda: sum(1 for _ in train(Config(), None))))
            pooled.append(seconds(lambda task=task: pool.run([task])))
            recorded.append(seconds(lambda task=task: pool.run([task], on_start=recorder.start, on_end=recorder.end)))
        kept = [run for run in record.runs(recorder.study_id, with_measurements=True)]
    assert all(run.status is Status.COMPLETE and len(run.measurements) == MEASUREMENTS for run in kept)
    # The first round starts the worker and creates the files.
    medians = {
        name: 1e3 * statistics.median(times[1:])
        for name, times in {
            "bare": bare,
            "pooled": pooled,
            "recorded": recorded,
            "finish_run": recorder.seconds,
        }.items()
    }
    return {
        "bare_training_ms": medians["bare"],
        "pool_beside_training_ms": medians["pooled"] - medians["bare"],
        "record_beside_pool_ms": medians["recorded"] - medians["pooled"],
        "all_beside_training_ms": medians["recorded"] - medians["bare"],
        "finish_run_alone_ms": medians["finish_run"],
    }


LIST = """
import sys
from surefoot.storage import Record
with Record.open(sys.argv[1], read_only=True) as record:
    counts = record.status_counts()
    print(sum(n for study in record.studies() for n in counts[study.id].statuses.values()))
"""


def listing(runs: int, folder: Path) -> dict[str, float]:
    """Seconds for whole new processes: the record's counts, and `surefoot status` where there is one."""
    home = folder / "listed"
    provenance = Provenance(code_fingerprint="c0de", data_fingerprint="da7a", versions={"python": "3"})
    curve = [Measurement(step=i, values={"loss": i / 7, "accuracy": 0.5, "rate": 1e-3}) for i in range(10)]
    began = time.perf_counter()
    with Record.open(home) as record:
        recorder = Recorder(record)
        for number in range(runs):
            task = Task(key=str(number), workload="w", config={"lr": 0.1}, seed=number, artifacts=folder)
            recorder.start(task, provenance)
            recorder.end(Outcome(task=task, status=Status.COMPLETE, measurements=curve, provenance=provenance))
    figures = {"written_runs_per_second": runs / (time.perf_counter() - began)}
    counts = [sys.executable, "-c", LIST, str(home)]
    assert int(subprocess.run(counts, check=True, capture_output=True, text=True).stdout) == runs
    figures["status_counts_seconds"] = process_seconds(counts)
    if importlib.util.find_spec("surefoot.cli") is not None:
        command = [sys.executable, "-c", "from surefoot.cli import main; main()", "status", "--home", str(home)]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            figures["surefoot_status_seconds"] = process_seconds(command)
    return figures


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def process_seconds(command: list[str]) -> float:
    """Median of seven whole processes."""
    return statistics.median(
        seconds(lambda: subprocess.run(command, check=True, capture_output=True)) for _ in range(7)
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20, help="runs of 1,000 measurements (20)")
    parser.add_argument("--listed", type=int, default=10_000, help="runs in the listed home (10,000)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = recording(arguments.runs, Path(folder)) | listing(arguments.listed, Path(folder))
    beside, listed = measured.pop("all_beside_training_ms"), measured.pop("surefoot_status_seconds")
    shown = [
        at_most("a run of 1,000 measurements", "ms beside the training", beside, TARGET_MS),
        at_most(f"{arguments.listed:,} runs", "s, `surefoot status` whole", listed, TARGET_SECONDS),
        *(Figure(cell="also measured", what=name.replace("_", " "), value=value) for name, value in measured.items()),
    ]
    return publish("Recording: what the record costs beside the training", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
