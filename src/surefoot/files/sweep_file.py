"""A sweep read from YAML: strict, and every mistake named by file, line and the nearest known key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from surefoot.errors import SurefootError
from surefoot.files.entry import came, folder_name_mistake, hinted, name_mistake, shaped
from surefoot.files.plan_document import Path_, PlanDocument, read_text
from surefoot.files.program_entry import ProgramEntry, ProgramReader, is_seed_told
from surefoot.files.search_entry import SearchReader, complete_schema
from surefoot.files.sweep_entry import (
    ENTRIES,
    ConfirmEntry,
    ContinuesEntry,
    Goal,
    SweepEntry,
    SweepMetricEntry,
)
from surefoot.files.sweep_space import SpaceReader
from surefoot.files.wandb_sweep import is_wandb, parse_wandb_sweep
from surefoot.program import Program
from surefoot.run import Metric
from surefoot.sweep import Confirmation, Continuation, Expectation, Method, Sweep, SweepBudget
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
    for entry in (ConfirmEntry, ContinuesEntry):
        schema["$defs"][entry.__name__] = entry.model_json_schema(by_alias=True)
    keys = schema["properties"]
    complete_schema(keys, schema["$defs"])
    keys["confirm"] = {"anyOf": [{"$ref": "#/$defs/ConfirmEntry"}, {"type": "boolean"}]}
    keys["continues"] = {"anyOf": [{"$ref": "#/$defs/ContinuesEntry"}, {"type": "string"}]}
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
        words = SearchReader(
            document=self.document,
            entry=entry,
            objectives=len(objectives),
            seeds=entry.seeds,
            can_resume=self.workload.resumes if self.workload else entry.resumes,
            workload=self.workload.name if self.workload else "",
        )
        method = words.method()
        if method.name == "grid":
            budget = entry.budget
            reader.check_grid((("budget", "trials"), budget.trials, 1), (("budget", "runs"), budget.runs, entry.seeds))
        return Sweep(
            name=entry.sweep,
            description=entry.description.strip(),
            workload=workload,
            metrics=metrics,
            objectives=objectives,
            space=space,
            base=base,
            method=method,
            stopping=words.stopping(),
            first=reader.first(),
            budget=self._budget(method),
            confirmation=self._confirmation(objectives),
            continues=self._continues(),
            expectation=self._expectation(objectives),
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

    def _budget(self, method: Method) -> SweepBudget:
        entry = self.entry.budget
        trials = entry.trials
        if method.name != "grid" and (trials, entry.runs, entry.hours) == (None, None, None):
            trials = USUAL_TRIALS
        return SweepBudget(trials=trials, runs=entry.runs, hours=entry.hours, run_minutes=entry.run_minutes)

    def _confirmation(self, objectives: Sequence[str]) -> Confirmation | None:
        written = self.entry.confirm
        if written is False or (written is None and len(objectives) > 1):
            return None
        if written is None or written is True:
            return Confirmation()
        if len(objectives) > 1:
            self._refuse(("confirm",), "needs one objective to race for; several are searched for")
        entry = shaped(ConfirmEntry, self.document, written, ("confirm",))
        if entry.base and self.workload is None:
            self._refuse(("confirm", "base"), "needs a workload, whose base is a whole config; a script's is not")
        return Confirmation(top=entry.top, seeds=entry.seeds, has_base=entry.base)

    def _continues(self) -> Continuation | None:
        written = self.entry.continues
        if written is None:
            return None
        told = {"sweep": written} if isinstance(written, str) else written
        entry = shaped(ContinuesEntry, self.document, told, ("continues",))
        if entry.sweep == self.entry.sweep:
            self._refuse(("continues",), "must name an earlier sweep; a sweep goes on from its own trials by itself")
        return Continuation(sweep=entry.sweep, round=entry.round)

    def _expectation(self, objectives: Sequence[str]) -> Expectation | None:
        entry = self.entry.expect
        if entry is None:
            return None
        if self._confirmation(objectives) is None:
            self._refuse(("expect",), "needs a confirmation on fresh seeds to be held against; this sweep has none")
        low, high = entry.between
        if low > high:
            self._refuse(("expect", "between"), f"must rise; got {low:g} before {high:g}")
        return Expectation(low=low, high=high, against=entry.against)
