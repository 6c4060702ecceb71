"""What a sweep costs beside its trials: trials a second, memory and resume, against Optuna's own storages.

    python benchmarks/sweeping.py [--trials N] [--optuna-trials N] [--long N] [--json FILE]

Targets: with a trivial objective of 8 parameters and 10 measurements, durable after each trial, at least
20 times the trials a second of Optuna on SQLite and 3 times those of its journal file; at 10,000 trials of
100 measurements the coordinator stays under 500 MB and takes the sweep up again in under 5 s.

Both sides draw at random with one worker. Optuna's objective runs in its own process, ours in a worker, and
each trial of ours is committed (SQLite, synchronous=FULL) before the next one begins.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, at_least, at_most, publish

PARAMETERS = tuple("abcdefgh")
MEASUREMENTS = 10
LONG_MEASUREMENTS = 100
AGAINST_SQLITE, AGAINST_JOURNAL = 20.0, 3.0
MEMORY_MB, RESUME_SECONDS = 500.0, 5.0


def objective(measurements: int = MEASUREMENTS, **settings: float) -> None:
    """Measures a falling loss; what a sweep of ours calls."""
    import surefoot

    total = sum(settings.values())
    for step in range(1, measurements + 1):
        surefoot.report(step=step, loss=total / step)


class Silence:
    """A listener that hears nothing."""

    def __getattr__(self, name):
        return lambda *_: None


def a_sweep(trials: int, measurements: int = MEASUREMENTS):
    """The sweep as its file would say it."""
    from surefoot.files.sweep_file import parse_sweep

    lines = [
        "sweep: speed",
        f"function: {Path(__file__).stem}:objective",
        "metrics: {loss: {goal: minimize}}",
        "method: random",
        f"base: {{measurements: {measurements}}}",
        "parameters:",
        *(f"  {name}: {{min: 0.0, max: 1.0}}" for name in PARAMETERS),
        f"budget: {{trials: {trials}}}",
        "confirm: false",
    ]
    return parse_sweep("\n".join(lines) + "\n", str(Path(__file__).with_suffix(".yaml")))


def ours(trials: int, measurements: int, home: Path, workers: int = 1) -> dict[str, float]:
    """Seconds of the whole sweep, of the sweep after its first ten trials, and of what came before them."""
    from surefoot.execution import Place, WorkerPool
    from surefoot.storage import Record
    from surefoot.sweeping.loop import Sweeping

    class Clock(Silence):
        def __init__(self):
            self.ended = []

        def trial_ended(self, *_):
            self.ended.append(time.perf_counter())

    clock = Clock()
    began = time.perf_counter()
    with WorkerPool(workers, threads=1) as pool, Record.open(home) as record:
        story = Sweeping(a_sweep(trials, measurements), record, Place(home=home)).run(pool, clock)
        assert story.runs == {"complete": trials}, story.runs
    done = time.perf_counter()
    new = len(clock.ended)
    steady = (clock.ended[-1] - clock.ended[9]) / (new - 10) if new > 10 else float("nan")
    return {"seconds": done - began, "steady": steady, "to_first": clock.ended[0] - began if new else float("nan")}


def optunas(trials: int, kind: str, folder: Path) -> float:
    """Seconds a trial of `study.optimize` after the first ten, on the storage of that kind."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if kind == "sqlite":
        storage = f"sqlite:///{folder / 'optuna.db'}"
    else:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "optuna.log")))
    study = optuna.create_study(
        storage=storage, direction="minimize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=None
    )
    ended = []

    def trial_of(trial: optuna.Trial) -> float:
        total = sum(trial.suggest_float(name, 0.0, 1.0) for name in PARAMETERS)
        for step in range(1, MEASUREMENTS + 1):
            trial.report(total / step, step)
        return total / MEASUREMENTS

    study.optimize(trial_of, n_trials=trials, callbacks=[lambda *_: ended.append(time.perf_counter())])
    return (ended[-1] - ended[9]) / (trials - 10)


def flush_ms(folder: Path) -> float:
    """Milliseconds until four kilobytes are on this disk, the median of 200."""
    taken = []
    with (folder / "flushed").open("wb") as file:
        for _ in range(200):
            began = time.perf_counter()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return 1e3 * statistics.median(taken)


def in_a_process(*arguments: object) -> dict[str, float]:
    """What this script says of one part, run by itself, so that memory and caches are its own."""
    line = [sys.executable, __file__, "--part", *map(str, arguments)]
    done = subprocess.run(line, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def part(name: str, count: int, folder: Path) -> dict[str, float]:
    import resource

    if name == "ours":
        return ours(count, MEASUREMENTS, folder / "ours")
    if name == "ours-2":
        return ours(count, MEASUREMENTS, folder / "ours-2", workers=2)
    if name in ("sqlite", "journal"):
        return {"steady": optunas(count, name, folder)}
    # "long" trains and "resume" finds all of it done; both tell their own peak memory, the workers' apart.
    found = ours(count, LONG_MEASUREMENTS, folder / "long")
    return found | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000, help="trials of ours (1,000)")
    parser.add_argument("--optuna-trials", type=int, default=200, help="trials of each of Optuna's (200)")
    parser.add_argument("--long", type=int, default=10_000, help="trials of the long sweep (10,000)")
    parser.add_argument("--part", nargs=3, metavar=("NAME", "COUNT", "FOLDER"), help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    if arguments.part:
        name, count, folder = arguments.part
        print(json.dumps(part(name, int(count), Path(folder))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        mine = in_a_process("ours", arguments.trials, folder)
        sqlite = in_a_process("sqlite", arguments.optuna_trials, folder)
        journal = in_a_process("journal", arguments.optuna_trials, folder)
        two = in_a_process("ours-2", arguments.trials, folder)
        flush = flush_ms(Path(folder))
        long = in_a_process("long", arguments.long, folder)
        resumed = in_a_process("resume", arguments.long, folder)
    trials = f"{arguments.trials:,} trials"
    longer = f"{arguments.long:,} trials of {LONG_MEASUREMENTS} measurements"
    shown = [
        at_least(trials, "times Optuna on SQLite", sqlite["steady"] / mine["steady"], AGAINST_SQLITE),
        at_least(trials, "times Optuna's journal file", journal["steady"] / mine["steady"], AGAINST_JOURNAL),
        at_most(longer, "MB, peak of the coordinator", long["peak_mb"], MEMORY_MB),
        at_most(longer, "s to take it up again, whole process", resumed["seconds"], RESUME_SECONDS),
        Figure(cell="also measured", what="trials a second, ours", value=1 / mine["steady"]),
        Figure(cell="also measured", what="trials a second, ours with two workers", value=1 / two["steady"]),
        Figure(cell="also measured", what="ms to flush 4 kB to this disk", value=flush),
        Figure(cell="also measured", what="trials a second, Optuna on SQLite", value=1 / sqlite["steady"]),
        Figure(cell="also measured", what="trials a second, Optuna's journal file", value=1 / journal["steady"]),
        Figure(cell="also measured", what="s to the first trial, ours", value=mine["to_first"]),
        Figure(cell="also measured", what="trials a second of the long sweep", value=1 / long["steady"]),
        Figure(cell="also measured", what="MB when it is taken up again", value=resumed["peak_mb"]),
    ]
    return publish("Sweeping: what a sweep costs beside its trials", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
