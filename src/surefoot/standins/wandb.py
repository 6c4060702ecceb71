"""The wandb that a script finds in a run of Surefoot: what it logs is measured, everything else is accepted and said.

Standard library only, and nothing of Surefoot's: the script may run under another interpreter. The shape
is that of wandb 0.31; a run here is one training, its config the one that the sweep proposed.
"""

from __future__ import annotations

import atexit
import fnmatch
import functools
import importlib
import importlib.abc
import importlib.machinery
import json
import math
import numbers
import os
import sys
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__version__ = "0.31.0"
__path__: list[str] = []  # so that `import wandb.anything` asks the finder at the end of this file

CONFIG = "SUREFOOT_CONFIG"
METRICS_FILE = "SUREFOOT_METRICS"
RUN_FOLDER = "SUREFOOT_RUN_FOLDER"
# What a script could not go on without: better refused than answered with nothing.
FROM_THE_SERVER = ("use_artifact", "use_model", "restore", "Api")

_said: set[str] = set()


class Error(Exception):
    """What wandb raises."""


class UsageError(Error):
    """What wandb raises for a wrong call."""


class CommError(Error):
    """What wandb raises where its server does not answer: here it never does."""


def _say(text: str) -> None:
    """Once a script: what is accepted but not done."""
    if text not in _said:
        _said.add(text)
        print(f"surefoot's wandb: {text}", file=sys.stderr, flush=True)


# --- what stands for everything that is not kept ----------------------------------------------------------------------


class _Nothing:
    """Takes every call and every attribute; holds nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return _Nothing()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, _: Any) -> Any:
        return _Nothing()

    def __setitem__(self, _: Any, __: Any) -> None:
        pass


class _Callback(_Nothing):
    """Keras callbacks of wandb: what an epoch measured is logged, nothing else is kept."""

    prefix = ""

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs what Keras measured in this epoch."""
        log({f"{self.prefix}{name}": value for name, value in (logs or {}).items()})


def _stand_in(name: str, spelled: str) -> Any:
    """What a name is that this file does not have: a class for a capital letter, else what takes any call."""
    if name in FROM_THE_SERVER:
        return functools.partial(_refuse, spelled)
    if name.endswith("Callback") or name == "WandbMetricsLogger":
        return type(name, (_Callback,), {"prefix": "epoch/" if name == "WandbMetricsLogger" else ""})
    _say(f"{spelled} is accepted and not kept")
    return type(name, (_Nothing,), {}) if name[:1].isupper() else _Nothing()


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return globals().setdefault(name, _stand_in(name, f"wandb.{name}"))


def _refuse(what: str, *_: Any, **__: Any) -> Any:
    raise CommError(f"{what} asks W&B's server for data, and a run of Surefoot is offline: give the script a file")


# --- the config -------------------------------------------------------------------------------------------------------


class Config:
    """The run's config: what the sweep proposed stands fast, the script's own settings fill the rest."""

    def __init__(self, proposed: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_items", dict(proposed))
        object.__setattr__(self, "_fast", dict(proposed))

    def update(self, d: Any, allow_val_change: bool | None = None) -> None:
        """Takes over what is not the sweep's; dictionaries are merged as wandb merges them."""
        for name, value in _as_dict(d).items():
            self[name] = value

    def setdefaults(self, d: Any) -> None:
        """Takes over what has no value yet."""
        self.update({name: value for name, value in _as_dict(d).items() if name not in self._items})

    def _set_default(self, d: Any) -> None:
        """Takes over what `init(config=…)` gave: below the sweep's values, without a word."""
        for name, value in _as_dict(d).items():
            key = name.strip("-")
            self._items[key] = _merged(value, self._fast[key]) if key in self._fast else value

    def keys(self) -> list[str]:
        """The names of the settings."""
        return [name for name in self._items if not name.startswith("_")]

    def items(self) -> list[tuple[str, Any]]:
        """The settings."""
        return [(name, self._items[name]) for name in self.keys()]

    def values(self) -> list[Any]:
        """The values of the settings."""
        return [self._items[name] for name in self.keys()]

    def get(self, *args: Any) -> Any:
        """The value of a setting, or the default given."""
        return self._items.get(*args)

    def as_dict(self) -> dict[str, Any]:
        """The settings as a dictionary."""
        return dict(self._items)

    def persist(self) -> None:
        """Nothing to do: the config is on record before the script begins."""

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __setitem__(self, name: str, value: Any) -> None:
        name = name.strip("-")
        if name not in self._fast:
            self._items[name] = value
        elif value != self._fast[name]:
            _say(f"config.{name} was set by the sweep to {self._fast[name]!r:.60}; the script's value is ignored")

    def __getattr__(self, name: str) -> Any:
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(f"the config has no {name}; it has {', '.join(self._items)}") from None

    __setattr__ = __setitem__

    def __delattr__(self, name: str) -> None:
        self._items.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


def _as_dict(given: Any) -> dict[str, Any]:
    """A config as people give it: a dictionary, parsed arguments, absl's flags."""
    if given is None:
        return {}
    if isinstance(given, str):
        _say(f"the config file {given!r} is not read; give init(config=…) a dictionary")
        return {}
    if hasattr(given, "flag_values_dict"):
        return dict(given.flag_values_dict())
    if isinstance(given, (Mapping, Config)):
        return dict(given.items())
    return dict(vars(given)) if hasattr(given, "__dict__") else dict(given)


def _merged(below: Any, above: Any) -> Any:
    """`above` laid over `below`, dictionary by dictionary."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    merged = dict(below)
    for name, value in above.items():
        merged[name] = _merged(below[name], value) if name in below else value
    return merged


def _proposed() -> dict[str, Any]:
    """The config of this run: JSON in SUREFOOT_CONFIG, or the path of a file that holds it."""
    text = os.environ.get(CONFIG, "").strip()
    if text and not text.startswith("{"):
        with open(text, encoding="utf-8") as file:
            text = file.read()
    return dict(json.loads(text)) if text else {}


# --- what is measured -------------------------------------------------------------------------------------------------


def _number(value: Any) -> float | None:
    """The number that a value is or holds (a tensor or an array of one); None for everything else."""
    if isinstance(value, numbers.Number) and not isinstance(value, complex):
        return float(value)  # type: ignore[arg-type]
    if not hasattr(value, "item"):
        return None
    try:
        return float(value.item())
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def _flat(data: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries under dotted names, as wandb names them."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


_SUMMARIES: dict[str, Callable[[float, float], float]] = {"min": min, "max": max}


class _History:
    """The rows that were logged: values gather at the current step until it is over, then they are reported."""

    def __init__(self) -> None:
        self.step = 0
        self.latest: dict[str, float] = {}
        self.summary: dict[str, Any] = {}  # what the script itself put there
        self._best: dict[str, float] = {}
        self._kinds: dict[str, str] = {}
        self._row: dict[str, float] = {}
        self._process = os.getpid()

    def log(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        """wandb's rule: a later step ends the current one, an earlier one is dropped, no step ends it at once."""
        if not isinstance(data, Mapping):
            raise TypeError("wandb.log must be passed a dictionary")
        if step is not None:
            step = int(step)
            if step < self.step:
                _say(f"what is logged for step {step} after step {self.step} is dropped, as wandb drops it")
                return
            if step > self.step:
                self._report()
                self.step = step
        self._row.update(_numbers_in(data))
        if commit or (commit is None and step is None):
            self._report()
            self.step += 1

    def define(self, name: str, summary: str | None, goal: str | None) -> None:
        """Which value of a metric stands for the run: its last one, unless the script says min, max or best."""
        for word in (summary or "").split(","):
            kind = {"best": "max" if goal == "maximize" else "min"}.get(word, word)
            if kind in _SUMMARIES:
                self._kinds[name] = kind
            elif kind not in ("", "last", "none", "copy"):
                _say(f'define_metric(summary="{word}") is not kept: a run is judged by its last value')

    def finish(self) -> None:
        """Reports the last row; then what stands for the run by the script's own words, where that is another value."""
        if os.getpid() != self._process:  # a forked worker of the script ends; the rows are its parent's
            return
        self._report()
        chosen = {**self._best, **_numbers_in(self.summary)}
        self._row = {name: value for name, value in chosen.items() if value != self.latest.get(name)}
        self._report()
        self.summary.clear()

    def _report(self) -> None:
        row, self._row = self._row, {}
        if not row:
            return
        self.latest.update(row)
        for name, value in row.items():
            kind = next((k for pattern, k in self._kinds.items() if fnmatch.fnmatchcase(name, pattern)), "")
            if kind and not math.isnan(value):
                self._best[name] = _SUMMARIES[kind](self._best.get(name, value), value)
        _write({"step": self.step, **row})


def _numbers_in(data: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row by name; the rest is said once and left out."""
    found = {}
    for name, value in _flat(data):
        number = _number(value)
        if number is None:
            _say(f"{name} is no number ({type(value).__name__}) and is not kept")
        elif name == "step":
            _say('a metric called "step" is not kept: the step is counted here')
        else:
            found[name] = number
    return found


def _write(line: Mapping[str, float]) -> None:
    """Tells Surefoot; in training over several processes only rank 0 is heard, without Surefoot the screen."""
    if os.environ.get("RANK", "0") != "0":
        return
    path = os.environ.get(METRICS_FILE)
    if not path:
        print(", ".join(f"{name} {value:g}" for name, value in line.items()), flush=True)
        return
    # One write of a whole line to a file opened for appending: several processes may report at once.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


class _Summary:
    """The run's summary: the latest value of every metric, and what the script puts there itself."""

    def update(self, d: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Puts values there."""
        _history.summary.update({**(d or {}), **more})

    def get(self, name: str, default: Any = None) -> Any:
        """The value of that name, or the default."""
        return {**_history.latest, **_history.summary}.get(name, default)

    def keys(self) -> list[str]:
        """The names in it."""
        return list({**_history.latest, **_history.summary})

    def items(self) -> list[tuple[str, Any]]:
        """What is in it."""
        return [(name, self[name]) for name in self.keys()]

    def __getitem__(self, name: str) -> Any:
        return _history.summary[name] if name in _history.summary else _history.latest[name]

    def __setitem__(self, name: str, value: Any) -> None:
        _history.summary[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the summary has no {name}") from None

    __setattr__ = __setitem__

    def __contains__(self, name: object) -> bool:
        return name in _history.summary or name in _history.latest

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


# --- the run ----------------------------------------------------------------------------------------------------------


class Run:
    """What `wandb.init` gives; every run of a script is the one training that Surefoot started."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.id = str(settings.get("id") or os.environ.get("WANDB_RUN_ID") or uuid.uuid4().hex[:8])
        self.name = str(settings.get("name") or self.id)
        self.dir = os.environ.get(RUN_FOLDER) or os.getcwd()
        self.project = settings.get("project") or ""
        self.entity = settings.get("entity") or ""
        self.group, self.job_type = settings.get("group"), settings.get("job_type")
        self.notes, self.tags = settings.get("notes"), tuple(settings.get("tags") or ())
        self.sweep_id = os.environ.get("WANDB_SWEEP_ID")
        self.path = "/".join(part for part in (self.entity, self.project, self.id) if part)
        self.url = self.sweep_url = self.project_url = ""
        self.offline, self.disabled, self.resumed = True, False, False
        self.config, self.summary = config, summary

    @property
    def step(self) -> int:
        """The step that the next row gets."""
        return _history.step

    def log(
        self, data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: Any = None
    ) -> None:
        """Measures the numbers in it."""
        _history.log(data, step, commit)

    def define_metric(
        self,
        name: str,
        step_metric: Any = None,
        step_sync: Any = None,
        hidden: Any = None,
        summary: str | None = None,
        goal: str | None = None,
        overwrite: Any = None,
    ) -> Any:
        """Keeps which value stands for the run; the rest is about charts."""
        _history.define(name, summary, goal)
        return _Nothing()

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:
        """Reports what is left."""
        global run  # noqa: PLW0603 - `wandb.run` is a name of this module
        _history.finish()
        run = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(name, f"run.{name}")

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


_history = _History()
config = Config(_proposed())
summary = _Summary()
run: Run | None = None
atexit.register(_history.finish)


def init(*_: Any, config: Any = None, **settings: Any) -> Run:
    """The run; `config` gives what the sweep does not set."""
    global run  # noqa: PLW0603
    globals()["config"]._set_default(config)
    if run is None or settings.get("reinit"):
        run = Run(settings)
    return run


def log(data: Mapping[str, Any], step: int | None = None, commit: bool | None = None, sync: Any = None) -> None:
    """Measures the numbers in it; raises Error before `init`, as wandb does."""
    if run is None:
        raise Error("wandb.log needs a wandb.init() before it")
    run.log(data, step, commit)


def finish(exit_code: int | None = None, quiet: bool | None = None) -> None:
    """Ends the run."""
    if run is not None:
        run.finish(exit_code)


join = finish


def define_metric(name: str, *args: Any, **settings: Any) -> Any:
    """Keeps which value of a metric stands for the run."""
    return (run or Run({})).define_metric(name, *args, **settings)


def login(*_: Any, **__: Any) -> bool:
    """True: nobody needs to."""
    return True


def sweep(*_: Any, **__: Any) -> str:
    """The id of the sweep that is running: a sweep in a run of a sweep is not begun."""
    _say("wandb.sweep begins no sweep here: this run is one trial of Surefoot's")
    return os.environ.get("WANDB_SWEEP_ID", "surefoot")


def agent(sweep_id: str, function: Callable[[], Any] | None = None, *_: Any, **__: Any) -> None:
    """Calls the function once, with this trial's config."""
    if function is not None:
        function()


# --- the rest of the package ------------------------------------------------------------------------------------------


class _Module(types.ModuleType):
    """A module of wandb that is not here: has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = globals().get(name)
        found = known if isinstance(known, type) else _stand_in(name, f"{self.__name__}.{name}")
        setattr(self, name, found)
        return found


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `wandb.anything`."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module that has every name, for what lies in wandb."""
        if fullname.startswith(f"{__name__}."):
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: Any) -> types.ModuleType:
        """An empty module."""
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Gives it the one name that must do something; the classes of this file it finds itself."""
        if module.__name__ == f"{__name__}.util":
            module.__dict__["generate_id"] = lambda length=8: uuid.uuid4().hex[:length]


sys.meta_path.append(_Finder())
util = importlib.import_module(f"{__name__}.util") if __name__ == "wandb" else _Nothing()
