"""`surefoot sweep` over a plain script, in this process or in one of its own, and what the record then says."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

from surefoot.cli import main
from surefoot.run import Status
from surefoot.storage import Record

HERE = Path(__file__).parent
LONG_SECONDS = 60

# Prints a loss of its settings. Leaves a line in begun.log when it starts, one in trained.log when it ends.
SCRIPT = """\
import os, signal, sys, time
told = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
def note(name, words):
    with open(name, "a") as log:
        log.write(words + "\\n")
def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
which = told.get("x", "") + " " + told.get("seed", "")
note("begun.log", which)
note("pids.log", str(os.getpid()))
fault = told.get("fault", "none")
if fault == "kill worker" or (fault == "kill worker once" and not os.path.exists("killed")):
    open("killed", "w").close()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(30)
if fault == "kill coordinator":
    os.kill(parent(os.getppid()), signal.SIGKILL)
    time.sleep(30)
time.sleep(float(told.get("pause", 0)))
print("loss:", (float(told.get("x", 0)) - 0.3) ** 2)
note("trained.log", which)
"""

SWEEP = {
    "sweep": "s",
    "command": "python -S script.py {args}",
    "pass": "key=value",
    "metrics": {"loss": {"goal": "minimize"}},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
    "method": "random",
    "budget": {"trials": 4},
    "confirm": False,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def lines(self):
        return self.err.strip().splitlines()


def ended(process, seconds=LONG_SECONDS):
    out, err = process.communicate(timeout=seconds)
    assert "Traceback" not in err, err
    return Said(code=process.returncode, out=out, err=err)


def wait_until(claim, what):
    deadline = time.monotonic() + LONG_SECONDS
    while not claim():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


class Bench:
    """A folder with a script and a sweep's file over it; verbs are asked with `home` as their home."""

    def __init__(self, folder, home="home"):
        self.folder, self.home = Path(folder), Path(folder, home)
        self.store = ()
        self.begun = []
        self.write(SCRIPT)

    def write(self, text, name="script.py"):
        (self.folder / name).write_text(text)

    def sweep(self, **changes):
        """The sweep's file; JSON is YAML. None leaves a key out."""
        told = {key: value for key, value in {**SWEEP, **changes}.items() if value is not None}
        path = self.folder / "sweep.yaml"
        path.write_text(json.dumps(told, indent=1))
        return path

    def words(self, verb, *arguments):
        return [verb, *map(str, arguments), "--home", str(self.home), *self.store]

    def ask(self, verb, *arguments):
        """The command line in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            code = main(self.words(verb, *arguments))
        assert "Traceback" not in err.getvalue()
        return Said(code=code, out=out.getvalue(), err=err.getvalue())

    def go(self, *options, workers=1, **changes):
        """The sweep in this process, to its end."""
        return self.ask("sweep", self.sweep(**changes), "--workers", workers, "--device", "cpu", *options)

    def start(self, *options, workers=1, at="never", wrap=(), **changes):
        """The sweep in a process of its own, which dies at a write if asked to."""
        words = self.words("sweep", self.sweep(**changes), "--workers", workers, "--device", "cpu", *options)
        process = subprocess.Popen(
            [*wrap, sys.executable, str(HERE / "sweep_coordinator.py"), at, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder,
        )  # fmt: skip
        self.begun.append(process)
        return process

    def json(self, verb="journal"):
        said = self.ask(verb, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    @property
    def trials(self):
        return self.json()["trials"]

    def log(self, name="trained.log"):
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def scripts(self):
        """The script processes that were begun here and still live."""
        return [pid for pid in map(int, self.log("pids.log")) if is_alive(pid)]

    def record(self):
        return Record.open(self.store[1] if self.store else self.home, read_only=True)

    def close(self):
        for process in self.begun:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in self.scripts():
            os.kill(pid, 9)


def is_alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def check_record(record, name="s", retries=2):
    """The invariants of a sweep that was run to its end, whatever happened meanwhile."""
    (study,) = [study for study in record.studies() if study.name == name]
    numbers = [row.number for row in record.trials(study.id, name)]
    assert numbers == sorted(set(numbers)), "a trial is on record once"
    runs = record.runs(study.id)
    assert not [run for run in runs if run.status is Status.RUNNING], "nothing runs any more"
    complete = Counter(run.key for run in runs if run.status is Status.COMPLETE)
    assert not [key for key, n in complete.items() if n > 1], "no config and seed is complete twice"
    for key in {run.key for run in runs}:
        attempts = [run.attempt for run in runs if run.key == key]
        assert len(attempts) == len(set(attempts)), "every attempt is counted"
        assert len(attempts) <= 2 * (1 + retries)
    return runs
