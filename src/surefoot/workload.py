"""The contract a trainable thing keeps, and where workloads are found."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from surefoot.errors import SealedSplitError, SurefootError, WorkloadError, nearest, quoted
from surefoot.program import Program
from surefoot.run import Measurement, Metric, canonical_json
from surefoot.space import Parameter, SearchSpace

Split = Literal["train", "validation", "test"]
Facts = dict[str, Any]

WORKLOADS: Mapping[str, str] = {
    "digits": "surefoot.workloads.digits:WORKLOAD",
    "fashion_mnist": "surefoot.workloads.fashion_mnist:WORKLOAD",
    "cifar10": "surefoot.workloads.cifar10:WORKLOAD",
}
# What the built-in ones' `trivial` would be; it stands apart, as their own modules are part of their fingerprints.
TRIVIAL: Mapping[str, str] = {
    "digits": "surefoot.workloads.trivial:digits",
    "fashion_mnist": "surefoot.workloads.trivial:fashion_mnist",
    "cifar10": "surefoot.workloads.trivial:cifar10",
}
PROGRAMS = "surefoot.workloads.program"
# What libraries read to learn how many threads they may use.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunContext:
    """What a training is given besides its config.

    `artifacts` is the run's own folder (it exists); `device` is "cpu" or "cuda";
    `threads` is how many CPU threads this run may use. `is_test_open` is true in finalise only.
    `resume` asks a workload that `resumes` to go on from what a closed training left in `artifacts`.
    `is_stopping` says whether the run should end now; a training that waits for something asks it meanwhile.
    """

    seed: int
    artifacts: Path
    data_root: Path | None = None
    device: str = "cpu"
    threads: int = 1
    is_test_open: bool = False
    resume: bool = False
    is_stopping: Callable[[], bool] = lambda: False

    def require(self, split: Split) -> None:
        """Raises SealedSplitError when the test split is asked for outside finalise."""
        if split == "test" and not self.is_test_open:
            raise SealedSplitError(
                "the test split is sealed until finalise; train and choose on the train and validation splits"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Baselines:
    """What predictors that learn nothing come to: by metric, the value of each by its name.

    As {"val_accuracy": {"majority class": 10.0}}. `evaluated_on` is how many validation examples a value rests on.
    """

    values: Mapping[str, Mapping[str, float]]
    evaluated_on: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What a model says of every example of a split, in its order.

    `labels` has shape (n,), the true class of each; `scores` shape (n, classes), the larger the likelier (NumPy
    arrays). `classes` names them.
    """

    labels: Any
    scores: Any
    classes: tuple[str, ...]


Train = Callable[[Any, RunContext], Generator[Measurement, None, Facts]]
Evaluate = Callable[[Any, RunContext, str, Split], Mapping[str, float]]
Predict = Callable[[Any, RunContext, str, Split], Predictions]
Export = Callable[[Any, RunContext, str, Path, tuple[str, ...]], Facts]


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
    importable module to the extra that installs it. With `resumes`, a training that is closed at a measurement leaves
    what it needs in its artifacts, and goes on from there when `context.resume` is true.
    `trivial(data_root)` says what predictors that learn nothing come to; it fetches no data.
    `predict(config, context, checkpoint, split)` says what a checkpoint predicts, example by example.
    `export(config, context, checkpoint, folder, formats)` writes it in each format into the folder (it exists) and
    checks each against the original.
    A program (see `surefoot.program`) is a workload whose `config` is dict: it has no defaults, takes any settings,
    and `code` says what its code fingerprint is.
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
    resumes: bool = False
    code: Callable[[], str] | None = None
    trivial: Callable[[Path | None], Baselines] | None = None
    predict: Predict | None = None
    export: Export | None = None

    def defaults(self) -> dict[str, Any]:
        """Every setting at its default, in its parameter's own type; raises SpaceError for one outside the space."""
        if self.config is dict:
            return {}
        found = dataclasses.asdict(self.config())
        varied = {name: found[name] for name in self.space.names() if name in found}
        return {**found, **self.space.checked(varied)}

    def complete(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A whole config: the given settings, checked, over the defaults. Raises SpaceError."""
        if self.config is dict:
            return dict(settings)
        return {**self.defaults(), **self.space.checked(settings)}

    def data_fingerprint(self, data_root: Path | None) -> str:
        """What `fingerprint` says. Raises WorkloadError where it breaks or gives no text, DataError where it does."""
        return self._asked("fingerprint", data_root)

    def missing_data(self, data_root: Path | None) -> str:
        """What `missing` says, empty where nothing is. Raises WorkloadError where it breaks or gives no text."""
        return self._asked("missing", data_root)

    def baselines(self, data_root: Path | None) -> Baselines | None:
        """What predictors that learn nothing come to; None where nobody says. Raises WorkloadError where it breaks."""
        asked = self.trivial
        if asked is None and self.name in TRIVIAL and find_workload(self.name) is self:
            module, _, attribute = TRIVIAL[self.name].partition(":")
            asked = getattr(importlib.import_module(module), attribute)
        if asked is None:
            return None
        try:
            answer = asked(data_root)
        except SurefootError:
            raise
        except (Exception, SystemExit) as error:  # whatever somebody's function does when it is called
            raise WorkloadError(f"trivial of workload {self.name} broke: {_said(error)}") from error
        if not isinstance(answer, Baselines):
            raise WorkloadError(f"trivial of workload {self.name} must return Baselines; got {quoted(answer)}")
        return answer

    def _asked(self, question: Literal["fingerprint", "missing"], data_root: Path | None) -> str:
        try:
            answer = getattr(self, question)(data_root)
        except SurefootError:
            raise
        except (Exception, SystemExit) as error:  # whatever somebody's function does when it is called
            raise WorkloadError(f"{question} of workload {self.name} broke: {_said(error)}") from error
        if not isinstance(answer, str):
            raise WorkloadError(f"{question} of workload {self.name} must return text; got {quoted(answer)}")
        return answer

    def code_fingerprint(self) -> str:
        """SHA-256 (hex) of the source text of the modules of train, evaluate and config, and of `sources`."""
        if self.code is not None:
            return self.code()
        own = {_module_of(part) for part in (self.train, self.evaluate, self.config) if part is not None}
        digest = hashlib.sha256()
        for name in sorted(own | set(self.sources)):
            digest.update(name.encode())
            digest.update(_source_of(name).read_bytes())
        return digest.hexdigest()


def find_workload(name: str | Program, *, beside: Path | None = None) -> Workload:
    """The workload of that name: a built-in one, or "package.module:attribute"; or the one that a program is.

    A module is looked for on the import path, in the current folder and in `beside`, the plan's folder;
    both stay on the import path, which the workers inherit. A program's files are looked for in its own folder.
    Raises WorkloadError with the nearest known name.
    """
    if isinstance(name, Program):
        found: Workload = importlib.import_module(PROGRAMS).workload_of(name)
        return found
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
    # Only the first mistake: what comes after it may rest on what it broke.
    for mistake in _mistakes(workload):
        raise WorkloadError(f"workload {target} breaks its contract: {mistake}")
    return workload


def check_requirements(workload: Workload) -> None:
    """Raises WorkloadError naming the extra to install when a needed library is absent."""
    for module, extra in workload.requires.items():
        try:
            is_there = importlib.util.find_spec(module) is not None
        except Exception:  # the package that the module is in is absent, or breaks when it is imported
            is_there = False
        if not is_there:
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
        is_elsewhere = isinstance(error, ModuleNotFoundError) and error.name == name.partition(".")[0]
        advice = "; run it from the plan's folder, or from the one the module is in" if is_elsewhere else ""
        raise WorkloadError(f'cannot import the workload module "{name}": {_said(error)}{advice}') from error


def _said(error: BaseException) -> str:
    """What an exception of somebody else's says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"


def _mistakes(workload: Workload) -> Iterator[str]:
    """What the workload's parts are, against what `Workload` says they must be; nothing where it keeps the contract."""
    if not (isinstance(workload.name, str) and workload.name):
        yield f"name must be text; got {quoted(workload.name)}"
    for part in ("train", "evaluate", "fingerprint", "missing"):
        function = getattr(workload, part)
        if not callable(function) and not (part == "evaluate" and function is None):
            yield f"{part} must be a function; got {quoted(function)}"
    for part in ("trivial", "predict", "export"):
        function = getattr(workload, part)
        if function is not None and not callable(function):
            yield f"{part} must be a function or nothing; got {quoted(function)}"
    yield from _mistakes_of_metrics(workload.metrics)
    if not (isinstance(workload.space, SearchSpace) and _holds(workload.space.parameters, Parameter)):
        yield f"space must be a SearchSpace of a tuple of Parameters; got {quoted(workload.space)}"
    yield from _mistakes_of_config(workload.config, workload.space)
    if not _holds(workload.sources, str):
        yield f'sources must be a tuple of module names, as ("my_models",); got {quoted(workload.sources)}'
    if not isinstance(workload.drivers, Mapping):
        yield f"drivers must map a fact to a tuple of settings; got {quoted(workload.drivers)}"
    for fact, settings in workload.drivers.items():
        if not (isinstance(fact, str) and _holds(settings, str)):
            yield f'drivers of {quoted(fact)} must be a tuple of settings, as ("lr",); got {quoted(settings)}'
    if not (isinstance(workload.requires, Mapping) and _holds([*workload.requires, *workload.requires.values()], str)):
        yield f"requires must map a module to the extra that installs it; got {quoted(workload.requires)}"


def _mistakes_of_metrics(metrics: Any) -> Iterator[str]:
    if not _holds(metrics, Metric):
        yield f'metrics must be a tuple of Metric, as (Metric(name="loss", goal="minimize"),); got {quoted(metrics)}'
    if not metrics:
        yield "metrics must hold at least one Metric; got none"
    for metric in metrics:
        if not (isinstance(metric.name, str) and metric.name):
            yield f"a metric's name must be text; got {quoted(metric.name)}"
        if metric.goal not in ("minimize", "maximize"):
            yield f"the goal of metric {metric.name} must be minimize or maximize; got {quoted(metric.goal)}"
    names = [metric.name for metric in metrics]
    if len(set(names)) < len(names):
        yield f"metrics must have different names; got {', '.join(names)}"


def _mistakes_of_config(config: Any, space: SearchSpace) -> Iterator[str]:
    if not (isinstance(config, type) and dataclasses.is_dataclass(config)):
        yield f"config must be a dataclass; got {quoted(config)}"
    absent = dataclasses.MISSING
    for field_ in dataclasses.fields(config):
        if field_.init and field_.default is absent and field_.default_factory is absent:
            yield f"every field of the config needs a default, the first baseline; {field_.name} has none"
    try:
        values = dataclasses.asdict(config())
    except Exception as error:  # whatever somebody's class does when it is made
        yield f"the config cannot be made of its defaults: {_said(error)}"
        return
    for name in space.names():
        if name not in values:
            hint = nearest(name, values)
            yield f"{name} is a parameter of the space but no field of the config{'.' if hint else ''}{hint}"
    for name, value in values.items():
        try:
            canonical_json(value)
        except (TypeError, ValueError):
            yield f"{name} must have a plain default (numbers, text, true or false); got {quoted(value)}"


def _holds(values: Any, kind: type) -> bool:
    """Whether it is a tuple (a list will do) of nothing but that kind; a text is none, though it holds texts."""
    return isinstance(values, tuple | list) and all(isinstance(value, kind) for value in values)


def _module_of(part: Any) -> str:
    """The module a function or class was written in."""
    while isinstance(part, functools.partial):
        part = part.func
    return str(part.__module__)


def _source_of(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except Exception:  # a script that runs as __main__; a package that is not there, or breaks when imported
        spec = None
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise WorkloadError(f'the source of "{module}" cannot be read, so its code has no fingerprint')
    return Path(spec.origin)
