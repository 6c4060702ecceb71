"""The contract a trainable thing keeps, and where workloads are found."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from surefoot.errors import SealedSplitError, WorkloadError, nearest, quoted
from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace

Split = Literal["train", "validation", "test"]
Facts = dict[str, Any]

WORKLOADS: Mapping[str, str] = {
    "digits": "surefoot.workloads.digits:WORKLOAD",
    "fashion_mnist": "surefoot.workloads.fashion_mnist:WORKLOAD",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What a training is given besides its config.

    `artifacts` is the run's own folder (it exists); `device` is "cpu" or "cuda";
    `threads` is how many CPU threads this run may use. `is_test_open` is true in finalise only.
    """

    seed: int
    artifacts: Path
    data_root: Path | None = None
    device: str = "cpu"
    threads: int = 1
    is_test_open: bool = False

    def require(self, split: Split) -> None:
        """Raises SealedSplitError when the test split is asked for outside finalise."""
        if split == "test" and not self.is_test_open:
            raise SealedSplitError(
                "the test split is sealed until finalise; train and choose on the train and validation splits"
            )


Train = Callable[[Any, RunContext], Generator[Measurement, None, Facts]]
Evaluate = Callable[[Any, RunContext, str, Split], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """A trainable thing: a value that holds functions.

    `config` is a frozen dataclass whose defaults are the first baseline. `train(config, context)`
    is a generator of Measurements whose return value is the run's facts; it knows nothing of
    storage or pruning. `evaluate(config, context, checkpoint, split)` measures a saved checkpoint
    ("best" or "last") again on a split. `fingerprint(data_root)` fetches what is missing and names
    the data (raises DataError with how to get it); `missing(data_root)` only says what is not there
    yet. `sources` are further modules that the training rests on, beside those of `train`, `evaluate`
    and `config`. `drivers` says which settings may move a fact: a fact that differs between two
    arms although none of its drivers changed confounds their comparison. `requires` maps an
    importable module to the extra that installs it.
    """

    name: str
    summary: str
    config: type
    metrics: tuple[Metric, ...]
    space: SearchSpace
    train: Train
    evaluate: Evaluate | None = None
    fingerprint: Callable[[Path | None], str] = lambda data_root: "none"
    missing: Callable[[Path | None], str] = lambda data_root: ""
    sources: tuple[str, ...] = ()
    drivers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requires: Mapping[str, str] = field(default_factory=dict)

    def defaults(self) -> dict[str, Any]:
        """Every setting at its default, in its parameter's own type; raises SpaceError for one outside the space."""
        found = dataclasses.asdict(self.config())
        varied = {name: found[name] for name in self.space.names() if name in found}
        return {**found, **self.space.checked(varied)}

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A whole config: the given settings, checked, over the defaults. Raises SpaceError."""
        return {**self.defaults(), **self.space.checked(settings)}

    def code_fingerprint(self) -> str:
        """SHA-256 (hex) of the source text of the modules of train, evaluate and config, and of `sources`."""
        own = {_module_of(part) for part in (self.train, self.evaluate, self.config) if part is not None}
        digest = hashlib.sha256()
        for name in sorted(own | set(self.sources)):
            digest.update(name.encode())
            digest.update(_source_of(name).read_bytes())
        return digest.hexdigest()


def find_workload(name: str, *, beside: Path | None = None) -> Workload:
    """The workload of that name: a built-in one, or "package.module:attribute".

    A module is looked for on the import path, in the current folder and in `beside`, the plan's folder;
    both stay on the import path, which the workers inherit.
    Raises WorkloadError with the nearest known name.
    """
    target = WORKLOADS.get(name, name)
    module_name, colon, attribute = target.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), attribute)):
        hint = nearest(name, WORKLOADS)
        raise WorkloadError(
            f"workload must be one of {', '.join(WORKLOADS)}, or package.module:attribute; "
            f"got {quoted(name)}{'.' if hint else ''}{hint}"
        )
    module = _import_module(module_name, [Path(), *([beside] if beside else [])])
    workload = getattr(module, attribute, None)
    if not isinstance(workload, Workload):
        there = [key for key, value in vars(module).items() if isinstance(value, Workload)]
        hint = nearest(attribute, there)
        raise WorkloadError(
            f"workload must name a surefoot.Workload; {module_name} has {', '.join(there) or 'none'}, "
            f"got {quoted(attribute)}{'.' if hint else ''}{hint}"
        )
    return workload


def check_requirements(workload: Workload) -> None:
    """Raises WorkloadError naming the extra to install when a needed library is absent."""
    for module, extra in workload.requires.items():
        if importlib.util.find_spec(module) is None:
            raise WorkloadError(
                f'workload {workload.name} needs {module}, which is not installed; pip install "surefoot[{extra}]"'
            )


def as_config(workload: Workload, settings: Mapping[str, Any]) -> Any:
    """The workload's own config object; raises WorkloadError where it refuses the settings."""
    try:
        return workload.config(**settings)
    except Exception as error:  # whatever somebody's class does when it is made
        says = " ".join(str(error).split()) or type(error).__name__
        raise WorkloadError(f"workload {workload.name} refuses this config: {says}") from error


def _import_module(name: str, folders: Iterable[Path]) -> Any:
    for folder in map(os.path.abspath, folders):
        if folder not in sys.path:
            sys.path.append(folder)
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        says = " ".join(str(error).split()) or "no reason given"
        is_elsewhere = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        advice = "; run it from the plan's folder, or from the one the module is in" if is_elsewhere else ""
        raise WorkloadError(
            f'cannot import the workload module "{name}": {type(error).__name__}: {says}{advice}'
        ) from error


def _module_of(part: Any) -> str:
    """The module a function or class was written in."""
    while isinstance(part, functools.partial):
        part = part.func
    return str(part.__module__)


def _source_of(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ValueError, ModuleNotFoundError):  # a script that runs as __main__; a package that is not there
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise WorkloadError(f'the source of "{module}" cannot be read, so its code has no fingerprint')
    return Path(spec.origin)
