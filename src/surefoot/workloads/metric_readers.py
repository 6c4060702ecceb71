"""How metrics come back from a script: reported, printed as JSON or as words, logged to MLflow, or as the last line.

Notable choices:
- A number is what Python's float takes (1e-3, nan, -inf), a percentage (12.5% is 12.5) or one with thousands
  apart by commas (1,234.5). A comma for the decimal point is no number: nobody could tell 1,234 from 1.234.
- Values of one step are one measurement, on however many lines they came. Where no step is told, a metric that
  comes again begins the next step: 1, 2, 3, …
- Steps that begin anew, as those of every epoch do, are counted on from the last.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import math
import os
import queue
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from surefoot.errors import MissingExtraError, WorkloadError, quoted
from surefoot.program import Program, Reader
from surefoot.run import Measurement

Source = Literal["reported", "MLflow", "printed as JSON", "printed", "last line"]
SOURCES = get_args(Source)  # the surest first
LINGER_SECONDS = 0.25  # a complete step waits so long for more values of its own
POLL_SECONDS = 1.0
EXPERIMENT = "surefoot"
ALLOW_FILES = ("MLFLOW_ALLOW_FILE_STORE", "true")
SERVER_SECONDS = 30.0  # how long the last look at an MLflow server may take
NUMBER = r"[-+−]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?%?|[-+]?(?i:nan|inf(?:inity)?)\b"
# In such a pattern, what matches within a line might not match within a page.
LOOKS_AROUND = re.compile(r"\\[AZ]|\(\?[!=<]")


def number(text: str) -> float | None:
    """The number that the text is; None where it is none."""
    plain = text.strip().rstrip(",;").replace("−", "-").removesuffix("%").rstrip()
    if "," in plain:
        if not re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?", plain):
            return None
        plain = plain.replace(",", "")
    try:
        return None if "_" in plain else float(plain)
    except ValueError:
        return None


@dataclass(kw_only=True, slots=True)
class Curve:
    """What one script has told so far, as measurements of rising steps.

    `wanted` are the metrics it must tell. `told_before` is the last step of the run's earlier part, where it goes
    on: what comes again up to there is left out.
    """

    wanted: frozenset[str]
    told_before: int = -1
    last_step: int = 0
    found: set[str] = field(default_factory=set)
    begun_anew: int = 0
    left_out: int = 0
    _pending: dict[str, float] = field(default_factory=dict)
    _pending_step: int | None = None  # as the script counts
    _last_own: int | None = None  # the last step told, as the script counts
    _offset: int = 0
    _names_told: set[str] = field(default_factory=set)
    _ready: list[Measurement] = field(default_factory=list)
    _heard_at: float = 0.0
    _owners: dict[str, Source] = field(default_factory=dict)
    _has_told: bool = False
    _repeated: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.last_step = max(self.told_before, 0)

    def hear(self, values: Mapping[str, float], step: int | None = None, source: Source = "reported") -> None:
        """Takes values of a step, or of no named one; a metric that is told in two ways is heard in the surer one."""
        ours = {
            name: value
            for name, value in values.items()
            if (name in self.wanted or math.isfinite(value)) and self._is_heard(name, source)
        }
        if not ours:
            return
        self.found |= ours.keys()
        if step is not None and step == self._last_own and not self._names_told & ours.keys():
            self.left_out += len(ours)  # too late: its step is told already
            return
        is_next = step != self._pending_step if step is not None else bool(self._pending.keys() & ours.keys())
        if self._pending and (is_next or (step is not None and self._pending.keys() & ours.keys())):
            self._tell()
        self._pending |= ours
        self._pending_step = step
        self._heard_at = time.monotonic()

    def ready(self) -> Iterator[Measurement]:
        """The measurements that are whole by now."""
        if self.wanted <= self._pending.keys() and time.monotonic() - self._heard_at > LINGER_SECONDS:
            self._tell()
        while self._ready:
            yield self._ready.pop(0)

    def rest(self) -> Iterator[Measurement]:
        """All that is left, whole or not. A script that had nothing new to tell tells its last step again."""
        if self._pending:
            self._tell()
        if self._repeated and not self._has_told:
            yield Measurement(step=self.told_before, values=self._repeated)
        while self._ready:
            yield self._ready.pop(0)

    def _is_heard(self, name: str, source: Source) -> bool:
        """Whether the metric is taken from there; what waits to be told from a less sure source is forgotten."""
        owner = self._owners.setdefault(name, source)
        if SOURCES.index(source) < SOURCES.index(owner):
            self._owners[name] = source
            self._pending.pop(name, None)
        return self._owners[name] == source

    def _tell(self) -> None:
        values, own = dict(self._pending), self._pending_step
        self._pending, self._pending_step = {}, None
        self._names_told = set(values)
        if own is None:
            step = self.last_step + 1
        elif own + self._offset <= self.told_before:
            self.left_out += len(values)
            self._repeated |= values
            return
        else:
            if own + self._offset <= self.last_step and self._has_told:
                self.begun_anew += 1
                self._offset = self.last_step + (1 if own == 0 else 0)
            step, self._last_own = own + self._offset, own
        self.last_step, self._has_told = step, True
        self._ready.append(Measurement(step=step, values=values))


class Words:
    """Guards the search for a pattern in printed lines; without one of its own, for "name: number" or "name=number"."""

    def __init__(self, reader: Reader, curve: Curve, names: Sequence[str]):
        self._curve, self._names, self._step = curve, _renaming(reader), reader.step
        self._is_own = not reader.pattern
        self._pattern = _compiled(reader.pattern) if reader.pattern else words_of(names, reader)
        self._own_step = re.compile(rf"(?<![\w.]){re.escape(reader.step)}[\"']?\s*[:= ]\s*(\d+)", re.IGNORECASE)
        # A page is searched whole first, which is quick, and line by line only where it holds something.
        is_quick = self._is_own or not LOOKS_AROUND.search(reader.pattern)
        self._sieve = re.compile(self._pattern.pattern, self._pattern.flags | re.MULTILINE) if is_quick else None
        self._unreadable: tuple[str, str] | None = None

    def read(self, page: str) -> None:
        """Takes whole lines, one or many."""
        if self._sieve is not None and not self._sieve.search(page):
            return
        for line in page.split("\n"):
            self._line(line)

    def trouble(self) -> str:
        """Why it found no metric: 'none matched …'."""
        if self._unreadable:
            name, text = self._unreadable
            return f"{name} was {quoted(text)}, which is no number"
        if self._is_own:
            return f'none held "{next(iter(self._curve.wanted))}: NUMBER"'
        return f"none matched {self._pattern.pattern}"

    def finish(self) -> None:
        """Nothing is left to read when a script has ended."""

    def _line(self, line: str) -> None:
        values: dict[str, float] = {}
        step: int | None = None
        for match in self._pattern.finditer(line):
            for name, text in (match.groupdict().items()) if not self._is_own else [(match["name"], match["number"])]:
                if text is None:
                    continue
                value = number(text)
                if name == self._step and not self._is_own:
                    step = int(value) if value is not None and value >= 0 and value.is_integer() else None
                elif value is None:
                    self._unreadable = (self._names(name), text)
                else:
                    values.setdefault(self._names(name), value)
        if self._is_own and values:
            found = self._own_step.search(line)
            step = int(found[1]) if found else None
        self._curve.hear(values, step, "printed")


class JsonLines:
    """Guards the reading of JSON objects, one a line; every number in them is a metric."""

    def __init__(self, reader: Reader, curve: Curve, source: Source = "printed as JSON"):
        self._curve, self._names, self._step, self._source = curve, _renaming(reader), reader.step, source

    def read(self, page: str) -> None:
        """Takes whole lines, one or many."""
        if "{" not in page:
            return
        for line in page.split("\n"):
            self._line(line.strip())

    def trouble(self) -> str:
        """Why it found no metric."""
        return "none was a JSON object that holds it"

    def finish(self) -> None:
        """Nothing is left to read when a script has ended."""

    def _line(self, line: str) -> None:
        if not (line.startswith("{") and line.endswith("}")):
            return
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            return
        told = dict(_flat(content))
        step = told.pop(self._step, None)
        whole = isinstance(step, int | float) and step >= 0 and float(step).is_integer()
        values = {self._names(name): _as_float(value) for name, value in told.items() if _is_number(value)}
        texts = {self._names(name): number(value) for name, value in told.items() if isinstance(value, str)}
        values |= {name: value for name, value in texts.items() if value is not None and name in self._curve.wanted}
        self._curve.hear(values, int(step) if whole and step is not None else None, self._source)


class LastLine:
    """Guards the last line printed, which says the metric when the script has ended."""

    is_of_standard_output = True  # a warning printed after it is not the last line

    def __init__(self, reader: Reader, curve: Curve, names: Sequence[str]):
        self._curve, self._names, self._line = curve, _renaming(reader), ""
        self._words = words_of(names, reader)

    def read(self, page: str) -> None:
        """Takes whole lines, one or many."""
        last = page.rstrip().rpartition("\n")[2].strip()
        self._line = last or self._line

    def trouble(self) -> str:
        """Why it found no metric."""
        return f"the last one was {quoted(self._line)}, which holds none"

    def finish(self) -> None:
        """Reads the line that is the last one now."""
        found = {self._names(match["name"]): number(match["number"]) for match in self._words.finditer(self._line)}
        values = {name: value for name, value in found.items() if value is not None}
        alone = number(self._line)
        if not values and alone is not None and len(self._curve.wanted) == 1:
            values = dict.fromkeys(self._curve.wanted, alone)
        self._curve.hear(values, None, "last line")


class Reports:
    """Guards the file that surefoot.report appends to, read as it grows."""

    def __init__(self, path: Path, curve: Curve, *, goes_on: bool):
        self.path = path
        if not goes_on:
            path.unlink(missing_ok=True)
        self._at = path.stat().st_size if path.exists() else 0
        self._lines = JsonLines(Reader(kind="report"), curve, source="reported")
        self._rest = b""

    def read(self, page: str) -> None:
        """Looks before a printed page is read: what was reported before it was printed is heard before it."""
        self.look()

    def finish(self) -> None:
        """The last look."""
        self.look()

    def trouble(self) -> str:
        """Why it found no metric; nobody is surprised that a script which does not know us did not report."""
        return ""

    def look(self) -> bool:
        """Reads what is new; whether there was anything."""
        try:
            if self.path.stat().st_size <= self._at:
                return False
            with self.path.open("rb") as file:
                file.seek(self._at)
                new = file.read()
        except OSError:
            return False
        self._at += len(new)
        whole, newline, self._rest = (self._rest + new).rpartition(b"\n")
        if newline:
            self._lines.read(whole.decode("utf-8", "replace"))
        return bool(new)


class MlflowRun:
    """Guards an MLflow run made for the script, and the thread that looks what was logged to it."""

    def __init__(self, reader: Reader, curve: Curve, folder: Path, names: Sequence[str], *, beside: str):
        """Makes the run. A store named by a relative path lies in the folder `beside`, as for the script itself."""
        try:
            mlflow = importlib.import_module("mlflow")
        except ImportError:
            raise MissingExtraError(
                'metrics read from MLflow need mlflow, which is not installed; pip install "surefoot[mlflow]"'
            ) from None
        self._failure: type[Exception] = mlflow.exceptions.MlflowException
        # A store of the run's own is a folder of files: MLflow's database takes seconds to make.
        self._is_own = not reader.tracking_uri
        self._uri = _absolute(reader.tracking_uri, beside) or (folder / "mlflow").absolute().as_uri()
        if self._is_own:
            os.environ.setdefault(*ALLOW_FILES)
        self._curve, self._names = curve, {script: ours for script, ours in _script_names(reader, names)}
        try:
            self._client: Any = mlflow.MlflowClient(tracking_uri=self._uri)
            experiment = self._experiment()
            self._run = self._client.create_run(experiment, tags={"mlflow.runName": folder.name}).info.run_id
        except Exception as error:  # whatever a server, its address or the way to it has
            raise WorkloadError(f"no MLflow run could be made at {shown_uri(self._uri)}: {_said(error)}") from None
        self.environment = {
            "MLFLOW_TRACKING_URI": self._uri,
            "MLFLOW_RUN_ID": self._run,
            "MLFLOW_EXPERIMENT_ID": experiment,
            **(dict([ALLOW_FILES]) if self._is_own else {}),
        }
        self._seen: dict[str, int] = {}
        self._trouble = ""
        self._points: queue.SimpleQueue[tuple[int, int, str, float]] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> MlflowRun:
        """The run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the run, if `finish` has not."""
        if not self._is_over.is_set():
            self.finish(is_good=False)

    def look(self) -> bool:
        """Takes what the thread has found; whether there was anything."""
        points = []
        with contextlib.suppress(queue.Empty):
            while True:
                points.append(self._points.get_nowait())
        for step, _, name, value in sorted(points, key=lambda point: (point[1], point[0])):
            self._curve.hear({name: value}, step, "MLflow")
        return bool(points)

    def trouble(self) -> str:
        """Why it found no metric."""
        return self._trouble or f"the MLflow run {self._run} at {shown_uri(self._uri)} holds none"

    def finish(self, is_good: bool) -> None:
        """A last look, and the run's end where the script left it open."""
        self._is_over.set()
        self._thread.join(SERVER_SECONDS)
        if not self._thread.is_alive():
            self.look()
            with contextlib.suppress(Exception):
                if self._client.get_run(self._run).info.status == "RUNNING":
                    self._client.set_terminated(self._run, "FINISHED" if is_good else "FAILED")

    def _experiment(self) -> str:
        found = self._client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(EXPERIMENT))
        except self._failure:  # another run made it in this moment
            return str(self._client.get_experiment_by_name(EXPERIMENT).experiment_id)

    def _watch(self) -> None:
        while not self._is_over.wait(POLL_SECONDS):
            self._poll()
        self._poll()

    def _poll(self) -> None:
        try:
            logged = self._client.get_run(self._run).data.metrics
            for script_name, name in self._names.items():
                if script_name not in logged:
                    continue
                history = self._client.get_metric_history(self._run, script_name)
                for point in history[self._seen.get(script_name, 0) :]:
                    self._points.put((point.step, point.timestamp, name, float(point.value)))
                self._seen[script_name] = len(history)
            self._trouble = ""
        except Exception as error:  # a server that is away may come back; at the end it is said
            self._trouble = f"MLflow at {shown_uri(self._uri)} could not be asked: {_said(error)}"


def text_readers(program: Program, curve: Curve) -> list[Words | JsonLines | LastLine]:
    """The readers of what the program prints; where it names none, JSON lines and "name: number" are looked for."""
    names = [metric.name for metric in program.metrics]
    asked = program.readers or (Reader(kind="json"), Reader(kind="pattern"))
    makers: dict[str, Callable[[Reader, Curve], Words | JsonLines | LastLine]] = {
        "json": JsonLines,
        "pattern": functools.partial(Words, names=names),
        "last": functools.partial(LastLine, names=names),
    }
    return [makers[reader.kind](reader, curve) for reader in asked if reader.kind in makers]


def check_readers(program: Program) -> None:
    """Raises WorkloadError for a pattern that is none or names no metric, and for an address with a password in it."""
    names = {metric.name for metric in program.metrics}
    for reader in program.readers:
        if urllib.parse.urlsplit(reader.tracking_uri).password:
            shown = shown_uri(reader.tracking_uri)
            raise WorkloadError(
                f"an address that is kept on record must hold no password; take it out of {shown} and set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        if reader.kind != "pattern" or not reader.pattern:
            continue
        groups = set(_compiled(reader.pattern).groupindex)
        if not {_renaming(reader)(group) for group in groups} & names:
            raise WorkloadError(
                f"a pattern must have a named group for a metric, as (?P<{min(names, default='loss')}>[0-9.]+); "
                f"{quoted(reader.pattern)} names {', '.join(sorted(groups)) or 'none'}, and the metrics are "
                f"{', '.join(sorted(names))}"
            )


def words_of(names: Sequence[str], reader: Reader) -> re.Pattern[str]:
    """The pattern of "name: number" and "name=number", quotes around the name allowed, for these metrics."""
    listed = "|".join(re.escape(script) for script, _ in sorted(_script_names(reader, names), reverse=True))
    return re.compile(rf"(?<![\w.\-/])(?P<name>{listed})[\"']?\s*[:=]\s*(?P<number>{NUMBER})")


def shown_uri(uri: str) -> str:
    """The address without its password."""
    return re.sub(r"//[^/@]*@", "//…@", uri)


def _absolute(uri: str, folder: str) -> str:
    """The address, a relative path in it made absolute."""
    if uri.startswith("sqlite:///") and not uri.startswith("sqlite:////"):
        return f"sqlite:///{os.path.abspath(os.path.join(folder, uri.removeprefix('sqlite:///')))}"
    if uri and ":" not in uri:
        return Path(folder, uri).absolute().as_uri()
    return uri


def _script_names(reader: Reader, names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs: what the script calls a metric, what we call it."""
    theirs = {ours: script for script, ours in reader.names.items()}
    return [(theirs.get(name, name), name) for name in names]


def _renaming(reader: Reader) -> Callable[[str], str]:
    return lambda name: reader.names.get(name, name)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise WorkloadError(f"a pattern must be a regular expression; {quoted(pattern)} is none: {error}") from None


def _flat(content: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested objects, their names joined by dots."""
    for name, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, value)


def _said(error: Exception) -> str:
    return quoted(" ".join(str(error).split()) or type(error).__name__)
