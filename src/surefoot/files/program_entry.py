"""Somebody's script or function, as a sweep's file names it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field

from surefoot.errors import WorkloadError, quoted
from surefoot.files.entry import Positive, Strict, came, hinted, name_mistake, shaped
from surefoot.files.plan_document import Path_, PlanDocument
from surefoot.program import Passing, Program, Reader, Reading
from surefoot.run import Metric
from surefoot.workloads.arguments import JSON_FILE, PLACEHOLDER, YAML_FILE, split_command
from surefoot.workloads.metric_readers import check_readers
from surefoot.workloads.program import check_program


class ProgramEntry(Strict):
    """How a script or function is started and listened to."""

    command: Any = None
    function: str | None = None
    pass_: Literal["flags", "key=value", "env", "json", "yaml", "placeholders"] | None = Field(
        default=None, alias="pass"
    )
    read: Any = None
    env: dict[str, Any] = Field(default_factory=dict)
    seed_as: Any = "seed"
    grace_seconds: Positive = 10.0
    silence_minutes: Positive | None = None
    resumes: bool = False
    folder: str | None = None


class ReadEntry(Strict):
    """One way in which metrics come back."""

    kind: Literal["report", "json", "pattern", "last", "mlflow"] | None = None
    pattern: str | None = None
    mlflow: str | None = None
    step: str = "step"
    names: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramReader:
    """Turns a well-shaped entry into a Program. `settings` are all names that it is told, varied or not.

    `above` is where the entry stands in the document, and `homes` the keys under which settings are written.
    A program that `is_on_record` is only told of: neither its folder nor its script need be there any more.
    """

    document: PlanDocument
    entry: ProgramEntry
    metrics: tuple[Metric, ...]
    settings: Collection[str]
    above: Path_ = ()
    homes: tuple[str, ...] = ("parameters", "base")
    is_on_record: bool = False

    def program(self) -> Program:
        """The program, or the first mistake."""
        self._check_names()
        command = self._command() if self.entry.function is None else ()
        program = Program(
            command=command,
            function=self._function(),
            passing=self._passing(command),
            seed_as=self._seed_as(),
            metrics=self.metrics,
            readers=self._readers(),
            environment=self._environment(),
            folder="" if self.is_on_record else str(self._folder()),
            grace_seconds=self.entry.grace_seconds,
            silence_seconds=None if self.entry.silence_minutes is None else self.entry.silence_minutes * 60,
            resumes=self.entry.resumes,
        )
        if not self.is_on_record:
            self._check(program)
        return program

    def _check(self, program: Program) -> None:
        """Refuses what can be known to be wrong before anything runs, by the line that it is about."""
        key = "read"
        try:
            check_readers(program)
            key = "function" if program.function else "command"
            check_program(program, tuple(self.settings))
        except WorkloadError as error:
            line = self.document.line((*self.above, key))
            raise WorkloadError(f"{self.document.path}:{line}: {error}") from error

    def _refuse(self, message: str, *where: str | int) -> NoReturn:
        self.document.refuse((*self.above, *where), message)

    def _refuse_setting(self, message: str, name: str) -> NoReturn:
        """Refuses a setting by the line on which it is written."""
        homes = [home for home in self.homes if name in self.document.plain.get(home, {})]
        self.document.refuse((homes[0], name) if homes else (), message)

    def _folder(self) -> Path:
        folder = Path(self.document.path).parent / (self.entry.folder or "")
        if not folder.is_dir():
            self._refuse(f"must be a folder that is there; got {quoted(self.entry.folder)}", "folder")
        return folder.resolve()

    def _check_names(self) -> None:
        for name in self.settings if self.entry.function is None else ():
            is_clear = not name.startswith("-") and not any(c.isspace() or c in "=\0" for c in name)
            if not is_clear:
                self._refuse_setting(
                    "must have a name that a command can be told: no space, no =, no dash in front", name
                )

    def _function(self) -> str:
        function = self.entry.function
        if function is None:
            return ""
        module, _, attribute = function.partition(":")
        if not all(part.isidentifier() for part in (*module.split("."), attribute)):
            self._refuse(f"must be package.module:function; got {quoted(function)}", "function")
        if self.entry.pass_ is not None:
            self._refuse("belongs to command; a function is called with its config", "pass")
        return function

    def _command(self) -> tuple[str, ...]:
        command = self.entry.command
        if not isinstance(command, str) and not (
            isinstance(command, list) and all(isinstance(part, str | int | float) for part in command)
        ):
            self._refuse(f"must be text, or a list of words; got {came(command)}", "command")
        try:
            parts = split_command(command)
        except WorkloadError as error:
            self._refuse(f"cannot be split: {error}", "command")
        if not parts or not parts[0] or any("\0" in part for part in parts):
            self._refuse(f"must say what runs; got {came(command)}", "command")
        return parts

    def _passing(self, command: tuple[str, ...]) -> Passing:
        """How the config is told; where the command names settings itself, it must name all of them."""
        placed = {word for part in command for word in PLACEHOLDER.findall(part)}
        tells_all = bool(placed & {"args", JSON_FILE, YAML_FILE}) or any("${args" in part for part in command)
        is_by_args = "args" in placed or any("${args" in part for part in command)
        if (self.entry.pass_ == "env" and tells_all) or (self.entry.pass_ in ("json", "yaml") and is_by_args):
            self._refuse(
                f"says {self.entry.pass_}, but the command tells all settings itself; write one of them", "pass"
            )
        if self.entry.pass_ is not None and self.entry.pass_ != "placeholders":
            return self.entry.pass_
        placed &= set(self.settings)
        if self.entry.pass_ is None and (tells_all or not placed):
            return "flags"
        for name in self.settings:
            if name not in placed and not tells_all:
                told = ", ".join(sorted(placed)) or "nothing"
                self._refuse(f"tells {told}, but not {name}; add {{{name}}}, or {{args}} for all", "command")
        return "placeholders"

    def _seed_as(self) -> str:
        name = self.entry.seed_as
        if name is False:
            return ""
        if not isinstance(name, str) or name_mistake(name) or name.startswith("-") or any(c in " =\t" for c in name):
            self._refuse(f"must be a name, or false where the script takes no seed; got {came(name)}", "seed_as")
        if name in self.settings:
            advice = "leave it out, as the plan sets it" if self.above else "say seeds: N for several"
            self._refuse_setting(f"is also how the seed is told; {advice}, or seed_as: another name", name)
        return name

    def _environment(self) -> dict[str, str]:
        for name, value in self.entry.env.items():
            if not name or any(c in name for c in "=\0"):
                self._refuse("must be a name that a variable can have", "env", name)
            if isinstance(value, bool) or not isinstance(value, str | int | float) or "\0" in str(value):
                self._refuse(f"must be text or a number; got {came(value)}", "env", name)
        return {name: str(value) for name, value in self.entry.env.items()}

    def _readers(self) -> tuple[Reader, ...]:
        written = self.entry.read
        if written is None:
            return ()
        listed = written if isinstance(written, list) else [written]
        return tuple(self._reader(one, ("read", i) if listed is written else ("read",)) for i, one in enumerate(listed))

    def _reader(self, written: Any, where: tuple[str | int, ...]) -> Reader:
        words = ("report", "json", "pattern", "last", "mlflow")
        if isinstance(written, str) and written in words:
            return Reader(kind=_reading(written))
        if not isinstance(written, Mapping):
            message = f"must be one of {', '.join(words)}, or {{pattern: …}}; got {came(written)}"
            self._refuse(hinted(message, str(written), words), *where)
        entry = shaped(ReadEntry, self.document, written, (*self.above, *where))
        if (entry.kind, entry.pattern, entry.mlflow).count(None) != 2:
            self._refuse("must have one of kind, pattern, mlflow", *where)
        known = [m.name for m in self.metrics]
        for theirs, ours in entry.names.items():
            if ours not in known:
                message = f"must be one of the metrics {', '.join(known)}; got {quoted(ours)}"
                self._refuse(hinted(message, ours, known), *where, "names", theirs)
        return Reader(
            kind="pattern" if entry.pattern is not None else _reading(entry.kind or "mlflow"),
            pattern=entry.pattern or "",
            tracking_uri=entry.mlflow or "",
            step=entry.step,
            names=entry.names,
        )


def is_seed_told(program: Program) -> bool:
    """Whether a run's seed reaches the script."""
    if program.function or any("{seed}" in part for part in program.command):
        return True
    names_all = any(part == "{args}" or "${args" in part for part in program.command)
    return bool(program.seed_as) and (names_all or program.passing != "placeholders")


def _reading(word: str) -> Reading:
    kinds: dict[str, Reading] = {
        "report": "report",
        "json": "json",
        "pattern": "pattern",
        "last": "last",
        "mlflow": "mlflow",
    }
    return kinds[word]
