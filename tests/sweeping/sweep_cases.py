"""A sweep made from a few words, a home for it, and what a person would hear."""

import dataclasses
from pathlib import Path

from sweep_toy import TOY, Config

from surefoot.execution import Place
from surefoot.space import SearchSpace, choice, real
from surefoot.storage import Record
from surefoot.sweep import Sweep, SweepBudget
from surefoot.sweeping.loop import Sweeping

XY = SearchSpace(parameters=(real("x", 0.0, 1.0), real("y", 0.0, 1.0)))
XYK = SearchSpace(parameters=(*XY.parameters, choice("kind", "a", "b", "c")))


def a_sweep(**changes):
    base = {**dataclasses.asdict(Config()), **changes.pop("base", {})}
    trials = changes.pop("trials", 6)
    said = {
        "name": "toy",
        "workload": "sweep_toy:TOY",
        "metrics": TOY.metrics,
        "objectives": ("loss",),
        "space": XY,
        "base": base,
        "budget": SweepBudget(trials=trials),
        **changes,
    }
    return Sweep(**said)


class Ear:
    """A listener that keeps what it is told."""

    def __init__(self):
        self.notes, self.ended, self.fresh = [], [], []

    def sweep_begun(self, story):
        self.begun = story

    def trial_started(self, trial, task):
        pass

    def trial_ended(self, trial, exploration):
        self.ended.append((trial.number, str(trial.state)))

    def explored(self, story):
        self.explored_story = story

    def fresh_run_ended(self, label, outcome):
        self.fresh.append((label, outcome.task.seed))

    def noticed(self, text):
        self.notes.append(text)


class Bench:
    """A home, its record and a pool; `run` does what a sweep still needs."""

    def __init__(self, home, pool):
        self.home, self.pool = Path(home), pool
        self.record = Record.open(self.home)

    def run(self, sweep, **options):
        self.ear = Ear()
        sweeping = Sweeping(sweep, self.record, Place(home=self.home), **options)
        return sweeping.run(self.pool, self.ear)

    def reopen(self):
        self.record.close()
        self.record = Record.open(self.home)

    def close(self):
        self.record.close()
