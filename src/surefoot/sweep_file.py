"""A sweep read from YAML: strict, and every mistake named by file, line and the nearest known key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from surefoot.entry import came, folder_name_mistake, hinted, name_mistake, shaped
from surefoot.errors import PlanError, SurefootError, quoted
from surefoot.plan_document import Path_, PlanDocument, read_text
from surefoot.program import Program
from surefoot.program_entry import ProgramEntry, ProgramReader, is_seed_told
from surefoot.ranges import RangeEntry
from surefoot.run import Metric
from surefoot.search.methods import check_method
from surefoot.search.stopping import check_stopping
from surefoot.sweep import METHODS, STOPPING_RULES, Confirmation, Method, Stopping, Sweep, SweepBudget
from surefoot.sweep_entry import (
    ENTRIES,
    METHOD_WORDS,
    RULE_WORDS,
    STOPPING_KEYS,
    STOPPING_WORDS,
    ConfirmEntry,
    Goal,
    StoppingEntry,
    SweepEntry,
    SweepMetricEntry,
)
from surefoot.sweep_space import SpaceReader
from surefoot.wandb_sweep import is_wandb, parse_wandb_sweep
from surefoot.workload import Workload, find_workload

USUAL_TRIALS = 50


def read_sweep(path: Path) -> Sweep:
    """The checked sweep in a YAML 1.2 file, in our format or in W&B's.

    Raises PlanError "file:line: key must …; got …" for the first mistake, WorkloadError for a
    workload that cannot be found.
    """
    return parse_sweep(read_text(path, kind="sweep"), str(path))


def parse_sweep(text: str, path: str = "sweep.yaml") -> Sweep:
    """The checked sweep in a text; `path` is the name that mistakes are reported under."""
    document = PlanDocument(text, path, kind="sweep")
    if is_wandb(document.plain):
        return parse_wandb_sweep(document, path)
    entry = shaped(SweepEntry, document, document.plain, within=ENTRIES)
    return _Checker(document, entry).sweep()


def sweep_schema() -> dict[str, Any]:
    """The JSON Schema of a sweep, for editors."""
    schema = SweepEntry.model_json_schema(by_alias=True)
    parts: dict[str, type[BaseModel]] = {
        "RangeEntry": RangeEntry,
        "StoppingEntry": StoppingEntry,
        "ConfirmEntry": ConfirmEntry,
    }
    for name, shape in parts.items():
        schema["$defs"][name] = shape.model_json_schema(by_alias=True)
    plain = {"type": ["string", "number", "boolean", "array"]}
    entry = {name: {"$ref": f"#/$defs/{name}"} for name in parts}
    keys = schema["properties"]
    keys["parameters"]["additionalProperties"] = {"anyOf": [entry["RangeEntry"], plain]}
    keys["stop_early"] = {"anyOf": [entry["StoppingEntry"], {"enum": [*STOPPING_RULES, False]}]}
    keys["confirm"] = {"anyOf": [entry["ConfirmEntry"], {"type": "boolean"}]}
    names = [*METHODS, *METHOD_WORDS]
    with_name = {"type": "object", "properties": {"name": {"enum": names}}, "required": ["name"]}
    keys["method"] = {"anyOf": [{"enum": names}, with_name]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Surefoot sweep"}


class _Checker:
    """Turns a well-shaped entry into a Sweep, asking what only the whole of it can answer."""

    def __init__(self, document: PlanDocument, entry: SweepEntry) -> None:
        self.document, self.entry = document, entry
        self.workload = self._workload()

    def sweep(self) -> Sweep:
        """The sweep, or the first mistake."""
        entry = self.entry
        mistake = folder_name_mistake(entry.sweep)
        if mistake:
            self._refuse(("sweep",), mistake)
        metrics = self._metrics()
        objectives = self._objectives([m.name for m in metrics])
        reader = SpaceReader(self.document, entry, self.workload, metrics)
        space, base = reader.space, reader.base
        workload = entry.workload or self._program(metrics, {*base, *space.names()})
        can_resume = self.workload.resumes if self.workload else entry.resumes
        method = self._method(objectives)
        if method.name == "grid":
            reader.check_grid()
        return Sweep(
            name=entry.sweep,
            description=entry.description.strip(),
            workload=workload,
            metrics=metrics,
            objectives=objectives,
            space=space,
            base=base,
            method=method,
            stopping=self._stopping(can_resume, objectives),
            first=reader.first(),
            budget=self._budget(method),
            confirmation=self._confirmation(objectives),
            seeds=entry.seeds,
            search_seed=entry.search_seed,
            retries=entry.retries,
            most_failures=entry.most_failures,
            notices=self._notices(workload, objectives),
            text=self.document.text,
            path=self.document.path,
        )

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse(where, hinted(message, word, known) if word else message)

    def _ask(self, check: Callable[[Any], None], value: Any, where: Path_) -> None:
        """Refuses, by its line, what another room's check refuses."""
        try:
            check(value)
        except SurefootError as error:
            raise PlanError(f"{self.document.path}:{self.document.line(where)}: {error}") from error

    def _workload(self) -> Workload | None:
        entry = self.entry
        named = [key for key in ("workload", "command", "function") if getattr(entry, key) is not None]
        if len(named) != 1:
            self._refuse((), f"must name what is trained by one of workload, command, function; got {len(named)}")
        if entry.workload is None:
            return None
        alien = [f.alias or name for name, f in ProgramEntry.model_fields.items() if name in entry.model_fields_set]
        if alien:
            self._refuse((alien[0],), "belongs to a command or a function; a workload knows it by itself")
        try:
            return find_workload(entry.workload, beside=Path(self.document.path).parent)
        except SurefootError as error:
            line = self.document.line(("workload",))
            raise type(error)(f"{self.document.path}:{line}: {error}") from error

    def _program(self, metrics: tuple[Metric, ...], settings: set[str]) -> Program:
        in_order = [name for name in (*self.entry.base, *self.entry.parameters) if name in settings]
        names = tuple(dict.fromkeys(in_order))
        return ProgramReader(document=self.document, entry=self.entry, metrics=metrics, settings=names).program()

    def _notices(self, workload: str | Program, objectives: Sequence[str]) -> tuple[str, ...]:
        repeats = self.entry.seeds > 1 or self._confirmation(objectives) is not None
        if isinstance(workload, str) or not repeats or is_seed_told(workload):
            return ()
        return (
            "the script is not told its seed (there is no {seed} in the command): "
            "how repeats of one config differ is left to the script",
        )

    def _metrics(self) -> tuple[Metric, ...]:
        entry = self.entry
        if entry.metrics is not None and entry.metric is not None:
            self._refuse(("metric",), "is a shorter way to write metrics with a single one; write one of them")
        written: dict[str, SweepMetricEntry] = dict(entry.metrics or {})
        if entry.metric is not None:
            written = {entry.metric.name: entry.metric}
        if not written and self.workload is not None:
            return self.workload.metrics
        if not written:
            self._refuse((), 'must have "metrics", as metrics: {val_loss: {goal: minimize}}')
        goals = self._goals(written)
        return tuple(self._metric(name, one, goals.get(name)) for name, one in written.items())

    def _goals(self, written: Mapping[str, SweepMetricEntry]) -> dict[str, Goal]:
        """The goals that stand beside the metrics, in Optuna's words."""
        entry = self.entry
        if entry.direction is not None and entry.directions is not None:
            self._refuse(("direction",), "and directions say the same; write one of them")
        key = "direction" if entry.directions is None else "directions"
        listed = [entry.direction] if entry.direction else entry.directions or []
        if listed and len(listed) != len(written):
            self._refuse((key,), f"must say one goal for each of the {len(written)} metrics; got {len(listed)}")
        return dict(zip(written, listed, strict=False))

    def _metric(self, name: str, written: SweepMetricEntry, beside: Goal | None) -> Metric:
        where: Path_ = ("metrics", name) if self.entry.metric is None else ("metric",)
        mistake = name_mistake(name)
        if mistake:
            self._refuse(where, mistake)
        given = [goal for goal in (written.goal, written.direction, beside) if goal is not None]
        if len(set(given)) > 1:
            self._refuse(where, f"must have one goal; got {' and '.join(given)}")
        unit = written.unit
        if self.workload is not None:
            own = {m.name: m for m in self.workload.metrics}
            if name not in own:
                listed = ", ".join(own)
                self._refuse(
                    where, f"is not a metric that {self.workload.name} reports (it reports {listed})", name, list(own)
                )
            if given and given[0] != own[name].goal:
                self._refuse(
                    (*where, "goal"), f"must be {own[name].goal}, as {self.workload.name} says; got {given[0]}"
                )
            given, unit = [own[name].goal], unit or own[name].unit
        if not given:
            self._refuse(where, 'must have "goal": minimize or maximize')
        return Metric(name=name, goal=given[0], unit=unit, target=written.target, min_effect=written.min_effect)

    def _objectives(self, names: list[str]) -> tuple[str, ...]:
        written = self.entry.objective
        listed = written if isinstance(written, list) else [names[0] if written is None else written]
        for i, name in enumerate(listed):
            where: Path_ = ("objective", i) if isinstance(written, list) else ("objective",)
            if name not in names:
                message = f"must be one of the sweep's metrics {', '.join(names)}; got {came(name)}"
                self._refuse(where, message, str(name), names)
        if not listed or len(set(listed)) < len(listed):
            self._refuse(("objective",), f"must name one metric, or several different ones; got {came(written)}")
        return tuple(listed)

    def _method(self, objectives: Sequence[str]) -> Method:
        written = self.entry.method
        if written is None:
            written = "tpe" if len(objectives) == 1 else "nsga2"
        options = dict(written) if isinstance(written, dict) else {"name": written}
        where: Path_ = ("method", "name") if isinstance(written, dict) else ("method",)
        if "name" not in options:
            self._refuse(("method",), 'must have "name"')
        said = options.pop("name")
        name = METHOD_WORDS.get(said.lower(), said.lower()) if isinstance(said, str) else said
        for method in METHODS:
            if name == method:
                break
        else:
            message = f"must be one of {', '.join(METHODS)}; got {came(said)}"
            self._refuse(where, message, str(said), [*METHODS, *METHOD_WORDS])
        if (len(objectives) > 1) != (name == "nsga2"):
            advice = "nsga2 searches for several metrics" if name != "nsga2" else "name a list of them, or use tpe"
            self._refuse(where, f"does not fit {len(objectives)} objective{'s' * (len(objectives) > 1)}; {advice}")
        found: dict[str, Any] = {"name": method}
        for key, value in options.items():
            self._ask(check_method, Method(**found, options={key: value}), ("method", key))
        asked = Method(**found, options=options)
        self._ask(check_method, asked, ("method",))
        return asked

    def _budget(self, method: Method) -> SweepBudget:
        entry = self.entry.budget
        trials = entry.trials
        if method.name != "grid" and (trials, entry.runs, entry.hours) == (None, None, None):
            trials = USUAL_TRIALS
        return SweepBudget(trials=trials, runs=entry.runs, hours=entry.hours, run_minutes=entry.run_minutes)

    def _stopping(self, can_resume: bool, objectives: Sequence[str]) -> Stopping | None:
        written = self.entry.stop_early
        if written is None or written is False:
            return None
        if len(objectives) > 1:
            self._refuse(("stop_early",), "needs one objective to judge by; several are searched for")
        told = {"rule": written} if isinstance(written, str) else written
        entry = shaped(StoppingEntry, self.document, told, ("stop_early",))
        where: Path_ = ("stop_early", "rule") if isinstance(written, dict) else ("stop_early",)
        name = RULE_WORDS.get(entry.rule.lower(), entry.rule.lower())
        for rule in STOPPING_RULES:
            if name == rule:
                break
        else:
            message = f"must be one of {', '.join(STOPPING_RULES)}; got {quoted(entry.rule)}"
            self._refuse(where, message, entry.rule, STOPPING_RULES)
        found: dict[str, Any] = {}
        for key in told:
            meaning = STOPPING_WORDS.get(key, key)
            if key == "rule":
                continue
            if meaning not in STOPPING_KEYS[rule]:
                listed = ", ".join(STOPPING_KEYS[rule])
                self._refuse(("stop_early", key), f"is nothing that {rule} knows; it knows {listed}")
            if meaning in found:
                self._refuse(("stop_early", key), f"is a synonym of {meaning}; write one of them")
            found[meaning] = getattr(entry, key)
        stopping = Stopping(**{"rule": rule, **{key: value for key, value in found.items() if value is not None}})
        self._check_stopping(stopping, can_resume)
        return stopping

    def _check_stopping(self, stopping: Stopping, can_resume: bool) -> None:
        self._ask(check_stopping, stopping, ("stop_early",))
        if stopping.promotes and not can_resume:
            advice = f"{self.workload.name} cannot" if self.workload else "say resumes: true where the script can"
            self._refuse(("stop_early", "promotes"), f"needs runs that go on from their checkpoints; {advice}")
        if stopping.rule == "wilcoxon" and self.entry.seeds < 2:
            self._refuse(("stop_early",), "of rule wilcoxon compares seed by seed; say seeds: 5 or so")

    def _confirmation(self, objectives: Sequence[str]) -> Confirmation | None:
        written = self.entry.confirm
        if written is False or (written is None and len(objectives) > 1):
            return None
        if written is None or written is True:
            return Confirmation()
        if len(objectives) > 1:
            self._refuse(("confirm",), "needs one objective to race for; several are searched for")
        entry = shaped(ConfirmEntry, self.document, written, ("confirm",))
        return Confirmation(top=entry.top, seeds=entry.seeds)
