"""A plan read from YAML: strict, and every mistake named by file, line and the nearest known key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedBase, CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarfloat import ScalarFloat

from surefoot.errors import PlanError, SpaceError, SurefootError, nearest
from surefoot.plan import (
    Arm,
    Budget,
    Experiment,
    Plan,
    Prediction,
    Rule,
    factorial_arms,
    looks_up_to,
    same_config,
)
from surefoot.run import Metric
from surefoot.workload import Workload, find_workload

LARGEST_BYTES = 1_000_000
MOST_NODES = 50_000
MOST_SEEDS = 90

Name = Annotated[str, Field(min_length=1, max_length=80)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Level = Annotated[float, Field(gt=0, lt=0.5)]
Path_ = tuple[str | int, ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class MetricEntry(_Strict):
    """One metric: which way it should go, its unit, where the study wants it, and what change is worth having."""

    goal: Literal["minimize", "maximize"]
    unit: str = ""
    target: Finite | None = None
    min_effect: Positive | None = None


class BudgetEntry(_Strict):
    """The most a study may spend."""

    runs: Annotated[int, Field(ge=1)] | None = None
    hours: Positive | None = None
    run_minutes: Positive | None = None


class RuleEntry(_Strict):
    """How the study decides."""

    looks: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)] | None = None
    adopt: Level = 0.20
    support: Level = 0.05
    claim: Level = 0.05
    confirm_seeds: Annotated[int, Field(ge=2, le=MOST_SEEDS)] = 8
    screen: bool = True


class ExpectEntry(_Strict):
    """One typed prediction."""

    arm: str | None = None
    main: str | None = None
    interaction: list[str] | None = None
    metric: str
    is_: Literal["better", "worse", "same"] | None = Field(default=None, alias="is")
    by: Positive | None = None
    within: Positive | None = None
    between: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None = None


class ExperimentEntry(_Strict):
    """A hypothesis with its arms (or factors) and predictions."""

    id: Name
    hypothesis: Annotated[str, Field(min_length=1)]
    because: str = ""
    arms: dict[Name, dict[str, Any]] | None = None
    factorial: dict[str, list[Any]] | None = None
    expect: Annotated[list[ExpectEntry], Field(min_length=1)]
    allow: list[str] = []
    repeats: str = ""


class PlanEntry(_Strict):
    """A Surefoot study: one goal pursued from its baseline to its target."""

    study: Name
    workload: Annotated[str, Field(min_length=1)]
    metrics: Annotated[dict[str, MetricEntry], Field(min_length=1)]
    primary: str | None = None
    seeds: Annotated[int, Field(le=MOST_SEEDS)] = 8
    rule: RuleEntry = RuleEntry()
    budget: BudgetEntry = BudgetEntry()
    baseline: dict[str, Any] = {}
    experiments: list[ExperimentEntry] = []
    finalise: bool = False


# Where in a plan which entry stands: a pattern of keys, * for any.
ENTRIES: Mapping[tuple[str, ...], type[BaseModel]] = {
    (): PlanEntry,
    ("metrics", "*"): MetricEntry,
    ("budget",): BudgetEntry,
    ("rule",): RuleEntry,
    ("experiments", "*"): ExperimentEntry,
    ("experiments", "*", "expect", "*"): ExpectEntry,
}


def read_plan(path: Path) -> Plan:
    """The checked plan in a YAML 1.2 file.

    Raises PlanError "file:line: key must …; got …" for the first mistake, WorkloadError for a
    workload that cannot be found.
    """
    return parse_plan(_read_text(path), str(path))


def parse_plan(text: str, path: str = "plan.yaml") -> Plan:
    """The checked plan in a text; `path` is the name that mistakes are reported under."""
    document = _Document(text, path)
    try:
        entry = PlanEntry.model_validate(document.plain)
    except ValidationError as error:
        _refuse_shape(document, error)
    return _Checker(document, entry).plan()


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan, for editors."""
    return PlanEntry.model_json_schema(by_alias=True)


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) > LARGEST_BYTES:
        raise PlanError(f"{path}: a plan has at most {LARGEST_BYTES:,} bytes; got {len(data):,}")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise PlanError(f"{path}: a plan must be UTF-8 text; got UTF-16. Save it again as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise PlanError(
            f"{path}:{line}: a plan must be UTF-8 text; got the byte 0x{data[error.start]:02x}. Save it again as UTF-8"
        ) from error


class _Document:
    """A YAML text with the line of every key in it."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        self.tree = self._load()
        self._nodes = 0
        self.plain = self._plain(self.tree, ())

    def refuse(self, where: Path_, message: str) -> NoReturn:
        """Raises PlanError with file, line and the key's place."""
        place = _spelled(where)
        raise PlanError(f"{self.path}:{self._line(where)}: {place}{' ' if place else ''}{message}")

    def _load(self) -> Any:
        try:
            tree = YAML(typ="rt", pure=True).load(StringIO(self.text))
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            problem = (error.problem or "is not YAML").split("\n")[0]
            raise PlanError(f"{self.path}:{line}: not valid YAML: {problem}") from error
        except (YAMLError, ValueError, RecursionError) as error:
            first = (str(error).splitlines() or ["?"])[0]
            raise PlanError(f"{self.path}:1: not valid YAML: {first}") from error
        if tree is None:
            raise PlanError(f"{self.path}:1: the plan is empty; `surefoot init` writes one to start from")
        if not isinstance(tree, CommentedMap):
            raise PlanError(f"{self.path}:1: a plan must be keys with values (study: …); got a {type(tree).__name__}")
        return tree

    def _plain(self, node: Any, where: Path_) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES or len(where) > 20:
            self.refuse(where[:1], "is too large or too deep for a plan (aliases within aliases?)")
        tag = getattr(node, "tag", None)
        if isinstance(node, TaggedScalar) or (isinstance(node, CommentedBase) and getattr(tag, "value", None)):
            self.refuse(where, f"must not have a YAML tag; got {tag.value if tag else '?'}")
        if isinstance(node, CommentedMap):
            for key in node:
                if not isinstance(key, str):
                    self.refuse(where, f"must have text as keys; got {key!r}. Put it in quotes")
            return {str(key): self._plain(value, (*where, str(key))) for key, value in node.items()}
        if isinstance(node, CommentedSeq):
            return [self._plain(value, (*where, i)) for i, value in enumerate(node)]
        return _plain_scalar(node)

    def _line(self, where: Path_) -> int:
        node, line = self.tree, 0
        for key in where:
            if not isinstance(node, CommentedMap | CommentedSeq):
                break
            try:
                line = node.lc.key(key)[0] if isinstance(node, CommentedMap) else node.lc.item(key)[0]
                node = node[key]
            except (KeyError, IndexError, TypeError):
                break
        return int(line) + 1


def _plain_scalar(node: Any) -> Any:
    if isinstance(node, bool) or node is None:
        return node
    if isinstance(node, ScalarFloat | float):
        return float(node)
    if isinstance(node, int):
        return int(node)
    return str(node)


def _spelled(where: Path_) -> str:
    """experiments[0].arms.batch for ("experiments", 0, "arms", "batch")."""
    spelled = ""
    for key in where:
        spelled += f"[{key}]" if isinstance(key, int) else f".{key}" if spelled else str(key)
    return spelled


def _refuse_shape(document: _Document, error: ValidationError) -> NoReturn:
    # An unknown key is usually the cause of the missing one beside it, so it is told first.
    found = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")[0]
    where = tuple(key for key in found["loc"] if key not in ("function-after", "[key]"))
    if found["type"] == "extra_forbidden":
        known = _known_keys(where[:-1])
        parent = _spelled(where[:-1])
        document.refuse(
            where,
            f"is not a known key{' of ' + parent if parent else ''} (known: {', '.join(known)})."
            + nearest(str(where[-1]), known),
        )
    if found["type"] == "missing":
        document.refuse(where[:-1], f'must have "{where[-1]}"')
    got = found["input"]
    if found["type"] == "literal_error":
        choices = found["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        document.refuse(where, f"must be one of {', '.join(choices)}; got {_quoted(got)}.{nearest(str(got), choices)}")
    message = found["msg"][0].lower() + found["msg"][1:]
    document.refuse(where, f"is wrong: {message}; got {_quoted(got)}")


def _known_keys(where: Path_) -> list[str]:
    for pattern, entry in ENTRIES.items():
        if len(pattern) == len(where) and all(p in ("*", k) for p, k in zip(pattern, where, strict=True)):
            return [field.alias or name for name, field in entry.model_fields.items()]
    return []


def _quoted(value: Any) -> str:
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"


class _Checker:
    """Turns a well-shaped entry into a Plan, asking what only the workload can answer."""

    def __init__(self, document: _Document, entry: PlanEntry) -> None:
        self.document, self.entry = document, entry
        try:
            self.workload: Workload = find_workload(entry.workload)
        except SurefootError as error:
            raise type(error)(f"{document.path}:{document._line(('workload',))}: {error}") from error

    def plan(self) -> Plan:
        """The plan, or the first mistake."""
        entry = self.entry
        metrics = self._metrics()
        names = [m.name for m in metrics]
        primary = entry.primary or names[0]
        if primary not in names:
            self._refuse(
                ("primary",),
                f"must be one of the plan's metrics {', '.join(names)}; got {_quoted(primary)}.",
                primary,
                names,
            )
        rule = self._rule()
        baseline = self.workload.complete(self._settings(entry.baseline, ("baseline",)))
        return Plan(
            study=self._study_name(),
            workload=entry.workload,
            metrics=metrics,
            primary=primary,
            rule=rule,
            budget=Budget(runs=entry.budget.runs, hours=entry.budget.hours, run_minutes=entry.budget.run_minutes),
            baseline=baseline,
            experiments=self._experiments(names, baseline),
            is_finalised=entry.finalise,
            text=self.document.text,
            path=self.document.path,
        )

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse(where, message + (nearest(word, known) if word else ""))

    def _study_name(self) -> str:
        name = self.entry.study
        if name != name.strip() or any(c in name for c in "/\\\0\n") or name.startswith("."):
            self._refuse(
                ("study",), f"must be a name that can be a folder (no slash, no leading dot); got {_quoted(name)}"
            )
        return name

    def _metrics(self) -> tuple[Metric, ...]:
        reported = {m.name: m for m in self.workload.metrics}
        for name, metric in self.entry.metrics.items():
            where = ("metrics", name)
            if name not in reported:
                listed = ", ".join(reported)
                self._refuse(
                    where,
                    f"is not a metric that {self.workload.name} reports (it reports {listed}).",
                    name,
                    list(reported),
                )
            if metric.goal != reported[name].goal:
                self._refuse(
                    (*where, "goal"), f"must be {reported[name].goal}, as {self.workload.name} says; got {metric.goal}"
                )
        return tuple(
            Metric(name=name, goal=m.goal, unit=m.unit or reported[name].unit, target=m.target, min_effect=m.min_effect)
            for name, m in self.entry.metrics.items()
        )

    def _rule(self) -> Rule:
        entry = self.entry.rule
        if self.entry.seeds < 2:
            self._refuse(("seeds",), f"must be at least 2: one seed says nothing of the noise; got {self.entry.seeds}")
        looks = tuple(entry.looks or looks_up_to(self.entry.seeds))
        if list(looks) != sorted(set(looks)):
            self._refuse(("rule", "looks"), f"must grow; got {list(looks)}")
        if looks[-1] > MOST_SEEDS:
            self._refuse(("rule", "looks"), f"must end at most at {MOST_SEEDS} pairs; got {looks[-1]}")
        if entry.looks and "seeds" in self.entry.model_fields_set and self.entry.seeds != looks[-1]:
            self._refuse(("rule", "looks"), f"must end at seeds ({self.entry.seeds}); got {list(looks)}")
        if entry.adopt < entry.support:
            self._refuse(("rule", "adopt"), f"must not be stricter than support ({entry.support}); got {entry.adopt}")
        return Rule(
            looks=looks,
            adopt_alpha=entry.adopt,
            support_alpha=entry.support,
            claim_alpha=entry.claim,
            confirm_seeds=entry.confirm_seeds,
            is_screened=entry.screen,
        )

    def _settings(self, settings: Mapping[str, Any], where: Path_) -> dict[str, Any]:
        checked: dict[str, Any] = {}
        for name, value in settings.items():
            try:
                checked.update(self.workload.space.checked({name: value}))
            except SpaceError as error:
                message = str(error).removeprefix(f"{name} ")
                self._refuse((*where, name), message)
        return checked

    def _experiments(self, metrics: list[str], baseline: Mapping[str, Any]) -> tuple[Experiment, ...]:
        found: list[Experiment] = []
        for i, entry in enumerate(self.entry.experiments):
            where = ("experiments", i)
            ids = [e.id for e in found]
            if entry.id in ids or entry.id in ("baseline", "confirmation"):
                self._refuse((*where, "id"), f"must be new; {_quoted(entry.id)} is taken")
            if entry.repeats and entry.repeats not in ids:
                self._refuse(
                    (*where, "repeats"),
                    f"must name an earlier experiment; got {_quoted(entry.repeats)}.",
                    entry.repeats,
                    ids,
                )
            arms = self._arms(entry, where)
            self._refuse_twins(entry, where, arms, baseline if i == 0 else None)
            found.append(
                Experiment(
                    id=entry.id,
                    hypothesis=entry.hypothesis.strip(),
                    because=entry.because.strip(),
                    arms=arms,
                    factors=tuple((name, tuple(levels)) for name, levels in (entry.factorial or {}).items()),
                    predictions=tuple(
                        self._prediction(p, (*where, "expect", j), entry, [a.name for a in arms], metrics)
                        for j, p in enumerate(entry.expect)
                    ),
                    allow=tuple(entry.allow),
                    repeats=entry.repeats,
                )
            )
        return tuple(found)

    def _arms(self, entry: ExperimentEntry, where: Path_) -> tuple[Arm, ...]:
        if (entry.arms is None) == (entry.factorial is None):
            self._refuse(where, 'must have either "arms" or "factorial"')
        if entry.factorial is not None:
            return self._cells(entry.factorial, (*where, "factorial"))
        assert entry.arms is not None
        if not entry.arms:
            self._refuse((*where, "arms"), "must hold at least one arm")
        arms = []
        for name, changes in entry.arms.items():
            if name == "champion":
                self._refuse(
                    (*where, "arms", name), "must have another name: champion is the config it is compared with"
                )
            if not changes:
                self._refuse((*where, "arms", name), "must change at least one setting of the champion")
            arms.append(Arm(name=name, changes=self._settings(changes, (*where, "arms", name))))
        return tuple(arms)

    def _cells(self, factorial: Mapping[str, list[Any]], where: Path_) -> tuple[Arm, ...]:
        if len(factorial) < 2:
            self._refuse(
                where, f"must have at least two factors; got {len(factorial)}. One factor is an experiment with arms"
            )
        factors: dict[str, list[Any]] = {}
        for name, levels in factorial.items():
            checked = [self._settings({name: level}, where)[name] for level in levels]
            if len(checked) < 2 or len({repr(level) for level in checked}) < len(checked):
                self._refuse((*where, name), f"must have at least two different levels; got {levels}")
            factors[name] = checked
        return factorial_arms(factors)

    def _refuse_twins(
        self, entry: ExperimentEntry, where: Path_, arms: tuple[Arm, ...], baseline: Mapping[str, Any] | None
    ) -> None:
        base = self.workload.defaults() if baseline is None else baseline
        for i, arm in enumerate(arms):
            config = {**base, **arm.changes}
            for other in arms[:i]:
                if same_config(config, {**base, **other.changes}):
                    self._refuse(
                        (*where, "arms", arm.name), f"is the same config as {other.name}: there is nothing to compare"
                    )
            if baseline is not None and entry.factorial is None and same_config(config, baseline):
                self._refuse(
                    (*where, "arms", arm.name), "is the same config as the baseline: there is nothing to compare"
                )

    def _prediction(
        self, entry: ExpectEntry, where: Path_, experiment: ExperimentEntry, arms: list[str], metrics: list[str]
    ) -> Prediction:
        if entry.metric not in metrics:
            self._refuse(
                (*where, "metric"),
                f"must be one of the plan's metrics {', '.join(metrics)}; got {_quoted(entry.metric)}.",
                entry.metric,
                metrics,
            )
        if sum(x is not None for x in (entry.arm, entry.main, entry.interaction)) != 1:
            self._refuse(where, 'must say what it is about: one of "arm", "main", "interaction"')
        if entry.arm is not None and entry.arm not in arms:
            self._refuse(
                (*where, "arm"),
                f"must be one of the experiment's arms {', '.join(arms)}; got {_quoted(entry.arm)}.",
                entry.arm,
                arms,
            )
        self._check_factors(entry, where, experiment.factorial or {})
        self._check_relation(entry, where)
        low, high = entry.between or (0.0, 0.0)
        return Prediction(
            arm=entry.arm or "",
            main=entry.main or "",
            interaction=tuple(entry.interaction or ()),
            metric=entry.metric,
            relation=entry.is_ or "between",
            by=entry.by or 0.0,
            within=entry.within,
            low=low,
            high=high,
        )

    def _check_factors(self, entry: ExpectEntry, where: Path_, factors: Mapping[str, list[Any]]) -> None:
        asked = [entry.main] if entry.main is not None else list(entry.interaction or ())
        key = "main" if entry.main is not None else "interaction"
        for name in asked:
            if name not in factors:
                listed = ", ".join(factors) or "none: it is not a factorial"
                self._refuse(
                    (*where, key),
                    f"must name factors of the experiment ({listed}); got {_quoted(name)}.",
                    name,
                    list(factors),
                )
            if len(factors[name]) != 2:
                self._refuse(
                    (*where, key),
                    f"needs a factor with two levels; {name} has {len(factors[name])}. Predict an arm instead",
                )
        if entry.interaction is not None and len(set(asked)) != 2:
            self._refuse((*where, key), f"must name two different factors; got {asked}")

    def _check_relation(self, entry: ExpectEntry, where: Path_) -> None:
        if (entry.is_ is None) == (entry.between is None):
            self._refuse(where, 'must have either "is" or "between"')
        if entry.by is not None and entry.is_ not in ("better", "worse"):
            self._refuse((*where, "by"), 'belongs to "is: better" or "is: worse"')
        if entry.within is not None and entry.is_ != "same":
            self._refuse((*where, "within"), 'belongs to "is: same"')
        if entry.between is not None and entry.between[0] >= entry.between[1]:
            self._refuse((*where, "between"), f"must go from low to high; got {entry.between}")
