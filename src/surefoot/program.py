"""Program: somebody's script or function, and how it is spoken with."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from surefoot.run import Metric, canonical_json

Passing = Literal["flags", "key=value", "env", "json", "yaml", "placeholders"]
# What of a program decides what it trains; the rest is how it is listened to.
TRAINS = ("command", "function", "program", "passing", "seed_as", "environment", "nesting", "stand_ins")
Reading = Literal["report", "json", "pattern", "mlflow", "last"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """One way in which metrics come back.

    `report`: surefoot.report (always heard, also unasked). `json`: JSON objects printed one a line.
    `pattern`: a regular expression searched in every printed line, with a named group for each metric
    and, if it likes, one for the step. `mlflow`: an MLflow run made for the script at `tracking_uri`
    (empty: a store of the run's own). `last`: the last line printed holds the number, or the words
    "name: number" or "name=number".
    """

    kind: Reading
    pattern: str = ""
    tracking_uri: str = ""
    step: str = "step"
    names: Mapping[str, str] = field(default_factory=dict)  # what the script calls a metric -> what we call it


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A command line or an importable function that trains something.

    Exactly one of `command` (an argument vector, never given to a shell; it may hold `{name}` of a
    setting, `{seed}` and W&B's macros) and `function` ("package.module:function") is filled in.
    `passing` says how a command sees its config where the macros do not; `folder` is where it runs
    (absolute), and what its fingerprint is taken from. `seed_as` is the name under which it is told
    its seed (empty: not at all). `resumes` promises that it goes on from its own checkpoints in
    SUREFOOT_RUN_FOLDER when SUREFOOT_RESUME is 1. `nesting` says where a setting lies in the config
    that the script is told, as ("optimizer", "lr") for "optimizer.lr". `stand_ins` are libraries that
    the script imports from `surefoot.standins` instead: that folder goes first on its PYTHONPATH.
    Of what a command prints, the first and the last `output_bytes` are kept.
    """

    command: tuple[str, ...] = ()
    function: str = ""
    program: str = ""  # what ${program} stands for
    passing: Passing = "flags"
    seed_as: str = "seed"
    metrics: tuple[Metric, ...]
    readers: tuple[Reader, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""
    grace_seconds: float = 10.0
    silence_seconds: float | None = None  # printed and measured nothing for so long: taken for hung
    resumes: bool = False
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    output_bytes: int = 10 * 2**20

    def told(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings as the script is told them: those with a nesting in dictionaries, one in another."""
        config: dict[str, Any] = {}
        for name, value in settings.items():
            *above, last = self.nesting.get(name, (name,))
            inner = config
            for key in above:
                inner = inner.setdefault(key, {})
            inner[last] = value
        return config

    @property
    def name(self) -> str:
        """What a table calls it: the function, or the command line shortened to what runs."""
        if self.function:
            return self.function
        return self.program or next((part for part in self.command if not part.startswith("${")), "command")

    def definition(self) -> dict[str, Any]:
        """What it says, as JSON; where it lies on this machine is no part of it."""
        found = dataclasses.asdict(self)
        del found["folder"]
        return found

    @property
    def identity(self) -> str:
        """Names it in a run's key: two programs with one identity train the same, however listened to."""
        said = self.definition()
        # The names of its metrics too: a run that measured others cannot answer for it.
        trains = {**{name: said[name] for name in TRAINS}, "metrics": sorted(metric.name for metric in self.metrics)}
        return f"program {self.name} {hashlib.sha256(canonical_json(trains).encode()).hexdigest()[:12]}"


def program_of(definition: Mapping[str, Any]) -> Program:
    """The program that says what this definition says; its folder is not known."""
    said = dict(definition)
    return Program(
        **{
            **said,
            "command": tuple(said["command"]),
            "metrics": tuple(Metric(**metric) for metric in said["metrics"]),
            "readers": tuple(Reader(**reader) for reader in said["readers"]),
            "nesting": {name: tuple(place) for name, place in said["nesting"].items()},
            "stand_ins": tuple(said["stand_ins"]),
        }
    )
