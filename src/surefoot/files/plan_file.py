"""A plan read from YAML: strict, and every mistake named by file, line and the nearest known key."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from surefoot.errors import SpaceError, SurefootError, WorkloadError, quoted
from surefoot.files.entry import came, folder_name_mistake, hinted, name_mistake, shaped
from surefoot.files.phases_reader import PhasesReader
from surefoot.files.plan_document import Path_, PlanDocument, read_text
from surefoot.files.plan_entry import (
    ENTRIES,
    MOST_ARMS,
    REASONS,
    ExpectEntry,
    ExperimentEntry,
    PlanEntry,
    SearchEntry,
    plan_schema,
)
from surefoot.files.program_entry import ProgramEntry, ProgramReader
from surefoot.files.search_entry import SearchReader
from surefoot.files.settings import Settings, plain_value_mistake
from surefoot.files.sweep_entry import MOST_SEEDS
from surefoot.files.sweep_space import SpaceReader
from surefoot.plan import (
    Arm,
    Budget,
    Experiment,
    Plan,
    Prediction,
    Rule,
    SearchPlan,
    factorial_arms,
    is_round_id,
    looks_up_to,
    same_config,
)
from surefoot.program import Program
from surefoot.run import Metric
from surefoot.space import SearchSpace
from surefoot.workload import Workload, as_config, find_workload

__all__ = ["parse_plan", "plan_schema", "read_plan"]

MOST_CHAMPIONS = 1000
# So many values of a searched setting are tried as a later champion's; with more, any config may be possible.
MOST_FOUND = 20
MOST_DRAWS = 200


def read_plan(path: Path) -> Plan:
    """The checked plan in a YAML 1.2 file.

    Raises PlanError "file:line: key must …; got …" for the first mistake, WorkloadError for a
    workload that cannot be found.
    """
    return parse_plan(read_text(path), str(path))


def parse_plan(text: str, path: str = "plan.yaml", *, is_on_record: bool = False) -> Plan:
    """The checked plan in a text; `path` is the name that mistakes are reported under.

    Of a plan that `is_on_record` the script need not be there any more: it is told of, not run.
    """
    document = PlanDocument(text, path)
    entry = shaped(PlanEntry, document, document.plain, within=ENTRIES, reasons=REASONS)
    return _Checker(document, entry, is_on_record=is_on_record).plan()


class _Checker:
    """Turns a well-shaped entry into a Plan, asking what only the workload can answer."""

    def __init__(self, document: PlanDocument, entry: PlanEntry, *, is_on_record: bool) -> None:
        self.document, self.entry = document, entry
        # Settings of which a later champion may have more values than can be listed.
        self._open: set[str] = set()
        self.asked = self._asked(entry.workload, is_on_record)
        try:
            self.workload: Workload = find_workload(self.asked, beside=Path(document.path).parent)
            self.defaults = self.workload.defaults()
        except SurefootError as error:
            raise type(error)(f"{document.path}:{document.line(('workload',))}: {error}") from error
        is_program = isinstance(self.asked, Program)
        self.settings = Settings(like=entry.baseline) if is_program else Settings(space=self.workload.space)

    def _asked(self, written: Any, is_on_record: bool) -> str | Program:
        """What is trained: a workload's name, or a program."""
        if isinstance(written, str) and written:
            return written
        if not isinstance(written, dict):
            self._refuse(
                ("workload",), f"must be a name, or keys with values (command or function); got {came(written)}"
            )
        entry = shaped(ProgramEntry, self.document, written, ("workload",))
        if (entry.command is None) == (entry.function is None):
            self._refuse(("workload",), 'must have either "command" or "function"')
        for name, value in self.entry.baseline.items():
            mistake = name_mistake(name) or plain_value_mistake(value)
            if mistake:
                self._refuse(("baseline", name), mistake)
        for name in self.entry.metrics:
            mistake = name_mistake(name) or (
                "must have another name: a setting is called so" * (name in self.entry.baseline)
            )
            if mistake:
                self._refuse(("metrics", name), mistake)
        if self.entry.finalise:
            self._refuse(
                ("finalise",), "must be false for a command or a function: it has no test split of ours to open"
            )
        return ProgramReader(
            document=self.document,
            entry=entry,
            metrics=tuple(Metric(name=name, goal=m.goal, unit=m.unit) for name, m in self.entry.metrics.items()),
            settings=tuple(self.entry.baseline),
            above=("workload",),
            homes=("baseline",),
            is_on_record=is_on_record,
        ).program()

    def plan(self) -> Plan:
        """The plan, or the first mistake."""
        entry = self.entry
        metrics = self._metrics()
        names = [m.name for m in metrics]
        primary = entry.primary or names[0]
        if primary not in names:
            self._refuse(
                ("primary",),
                f"must be one of the plan's metrics {', '.join(names)}; got {quoted(primary)}",
                primary,
                names,
            )
        rule = self._rule()
        baseline = {**self.defaults, **self._settings(entry.baseline, ("baseline",))}
        self._refuse_impossible({name: [value] for name, value in baseline.items()}, {}, ("baseline",))
        phases = PhasesReader(document=self.document, entry=entry)
        return Plan(
            study=self._study_name(),
            workload=self.asked,
            metrics=metrics,
            primary=primary,
            rule=rule,
            budget=Budget(runs=entry.budget.runs, hours=entry.budget.hours, run_minutes=entry.budget.run_minutes),
            baseline=baseline,
            experiments=self._experiments(metrics, baseline),
            finalise=phases.finalise(),
            optimise=phases.optimise(),
            thresholds=phases.thresholds(),
            overrides=phases.overrides(),
            text=self.document.text,
            path=self.document.path,
        )

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse(where, hinted(message, word, known) if word else message)

    def _study_name(self) -> str:
        mistake = folder_name_mistake(self.entry.study)
        if mistake:
            self._refuse(("study",), mistake)
        return self.entry.study

    def _require_name(self, name: str, where: Path_) -> None:
        mistake = name_mistake(name)
        if mistake:
            self._refuse(where, mistake)

    def _metrics(self) -> tuple[Metric, ...]:
        reported = {m.name: m for m in self.workload.metrics}
        for name, metric in self.entry.metrics.items():
            where = ("metrics", name)
            if name not in reported:
                listed = ", ".join(reported)
                self._refuse(
                    where,
                    f"is not a metric that {self.workload.name} reports (it reports {listed})",
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
                checked[name] = self.settings.checked(name, value)
            except SpaceError as error:
                message = str(error).removeprefix(f"{name} ")
                self._refuse((*where, name), message)
        return checked

    def _experiments(self, metrics: tuple[Metric, ...], baseline: Mapping[str, Any]) -> tuple[Experiment, ...]:
        found: list[Experiment] = []
        touched: set[str] = set()
        reachable = {name: [value] for name, value in baseline.items()}
        for i, entry in enumerate(self.entry.experiments):
            where = ("experiments", i)
            self._check_id(entry, where, [e.id for e in found])
            for j, fact in enumerate(entry.allow):
                self._check_fact(fact, (*where, "allow", j))
            settled = {k: v for k, v in baseline.items() if k not in touched}
            arms = self._arms(entry, where)
            search = self._search(entry.search, (*where, "search"), metrics, settled) if entry.search else None
            names = [a.name for a in arms] if search is None else list(search.arm_names)
            self._refuse_twins(entry, where, arms, settled)
            for arm in arms:
                at = (*where, "factorial") if entry.factorial is not None else (*where, "arms", arm.name)
                self._refuse_impossible(reachable, arm.changes, at)
            if search is not None and settled.keys() == baseline.keys():
                self._refuse_impossible_space(search.space, baseline, (*where, "search", "parameters"))
            for setting, value in self._moves(arms, search):
                touched.add(setting)
                if value not in reachable[setting]:
                    reachable[setting].append(value)
            found.append(
                Experiment(
                    id=entry.id,
                    hypothesis=entry.hypothesis.strip(),
                    because=entry.because.strip(),
                    arms=arms,
                    factors=tuple((name, tuple(levels)) for name, levels in (entry.factorial or {}).items()),
                    predictions=tuple(
                        self._prediction(p, (*where, "expect", j), entry, names, [m.name for m in metrics])
                        for j, p in enumerate(entry.expect)
                    ),
                    allow=tuple(entry.allow),
                    repeats=entry.repeats,
                    search=search,
                )
            )
        return tuple(found)

    def _search(
        self, entry: SearchEntry, where: Path_, metrics: tuple[Metric, ...], settled: Mapping[str, Any]
    ) -> SearchPlan:
        """The search; `settled` are the settings that no earlier experiment moves from the baseline."""
        reader = SpaceReader(self.document, entry, None, metrics, settings=self.settings, base=settled, above=where)
        words = SearchReader(
            document=self.document,
            entry=entry,
            above=where,
            can_resume=self.workload.resumes,
            workload="" if isinstance(self.asked, Program) else self.workload.name,
        )
        method, trials = words.method(), entry.trials
        if method.name == "grid":
            points = reader.check_grid((("trials",), trials, 1))
            trials = trials or points
        if trials is None:
            self._refuse(where, 'must have "trials": how many configs it may look at')
        search = SearchPlan(
            space=reader.space,
            trials=trials,
            top=entry.top,
            method=method,
            stopping=words.stopping(),
            first=reader.first(),
            search_seed=entry.search_seed,
        )
        self._check_arms_to_be(entry, search, where)
        return search

    def _check_arms_to_be(self, entry: SearchEntry, search: SearchPlan, where: Path_) -> None:
        arms = len(search.arm_names)
        if any(p.role == "scientific" for p in search.space.parameters) and "top" in entry.model_fields_set:
            self._refuse(
                (*where, "top"),
                f"belongs to a search without scientific parameters; here the best of each of {arms} settings races",
            )
        if arms > MOST_ARMS:
            self._refuse(
                (*where, "parameters"), f"must lead to at most {MOST_ARMS} arms; got {arms} scientific settings"
            )
        if search.trials < arms:
            self._refuse((*where, "trials"), f"must be at least {arms}, one for each arm to be; got {search.trials}")

    def _moves(self, arms: Sequence[Arm], search: SearchPlan | None) -> list[tuple[str, Any]]:
        """The settings that an experiment may change, with the values that can be listed."""
        if search is None:
            return [change for arm in arms for change in arm.changes.items()]
        found = []
        for parameter in search.space.parameters:
            values: Sequence[Any] = parameter.levels() if 0 < (parameter.level_count or 0) <= MOST_FOUND else ()
            if not values:
                self._open.add(parameter.name)
                values = [parameter.value_at(0.5)]
            found += [(parameter.name, value) for value in values]
        return found

    def _refuse_impossible_space(self, space: SearchSpace, baseline: Mapping[str, Any], where: Path_) -> None:
        """Refuses a space of which no config can be built on the baseline, as far as some draws show."""
        draw, refusal = random.Random(0), ""
        for _ in range(MOST_DRAWS):
            try:
                as_config(self.workload, {**baseline, **space.build(lambda p: p.value_at(draw.random()))})
            except WorkloadError as error:
                refusal = refusal or str(error)
            else:
                return
        self._refuse(where, f"cannot be trained: {refusal}")

    def _check_id(self, entry: ExperimentEntry, where: Path_, earlier: Sequence[str]) -> None:
        self._require_name(entry.id, (*where, "id"))
        if entry.id in earlier:
            self._refuse((*where, "id"), f"must be new; {quoted(entry.id)} is the id of an earlier experiment")
        if entry.id in ("baseline", "champion", "confirmation") or "/" in entry.id:
            self._refuse((*where, "id"), f"must have no slash and be no word of ours; got {quoted(entry.id)}")
        if self.entry.optimise is not None and is_round_id(entry.id):
            self._refuse((*where, "id"), f"must not be {quoted(entry.id)}: what optimising registers is called so")
        if entry.repeats and entry.repeats not in earlier:
            self._refuse(
                (*where, "repeats"),
                f"must name an earlier experiment; got {quoted(entry.repeats)}",
                entry.repeats,
                earlier,
            )

    def _check_fact(self, fact: str, where: Path_) -> None:
        facts = list(self.workload.drivers)
        if fact not in facts:
            listed = ", ".join(facts) or "it compares none"
            self._refuse(
                where, f"must be a fact that {self.workload.name} compares ({listed}); got {quoted(fact)}", fact, facts
            )

    def _arms(self, entry: ExperimentEntry, where: Path_) -> tuple[Arm, ...]:
        given = [name for name in ("arms", "factorial", "search") if getattr(entry, name) is not None]
        if len(given) != 1:
            self._refuse(
                where, f'must have one of "arms", "factorial", "search"; it has {" and ".join(given) or "none"}'
            )
        if entry.search is not None:
            return ()
        if entry.factorial is not None:
            return self._cells(entry.factorial, (*where, "factorial"))
        assert entry.arms is not None
        if not 1 <= len(entry.arms) <= MOST_ARMS:
            self._refuse((*where, "arms"), f"must hold between 1 and {MOST_ARMS} arms; got {len(entry.arms)}")
        arms = []
        for name, changes in entry.arms.items():
            if name in ("champion", "baseline"):
                self._refuse((*where, "arms", name), f"must have another name: {name} is a word of ours")
            self._require_name(name, (*where, "arms", name))
            if not changes:
                self._refuse((*where, "arms", name), "must change at least one setting of the champion")
            arms.append(Arm(name=name, changes=self._settings(changes, (*where, "arms", name))))
        return tuple(arms)

    def _cells(self, factorial: Mapping[str, list[Any]], where: Path_) -> tuple[Arm, ...]:
        if len(factorial) < 2:
            self._refuse(
                where, f"must have at least two factors; got {len(factorial)}. One factor is an experiment with arms"
            )
        cells = math.prod(len(levels) for levels in factorial.values())
        if cells > MOST_ARMS:
            self._refuse(where, f"must have at most {MOST_ARMS} combinations of levels; got {cells}")
        factors: dict[str, list[Any]] = {}
        for name, levels in factorial.items():
            checked = [self._settings({name: level}, where)[name] for level in levels]
            if len(checked) < 2 or len({repr(level) for level in checked}) < len(checked):
                self._refuse((*where, name), f"must have at least two levels, all different; got {quoted(levels)}")
            factors[name] = checked
        return factorial_arms(factors)

    def _refuse_impossible(
        self, reachable: Mapping[str, Sequence[Any]], changes: Mapping[str, Any], where: Path_
    ) -> None:
        """Refuses changes that the workload can build on no champion; `reachable` has the values it may have by then.

        The first value of each is the baseline's. Of more champions than can be tried, one may do.
        """
        values = [[changes[name]] if name in changes else found for name, found in reachable.items()]
        refusal = ""
        for tried, champion in enumerate(itertools.product(*values)):
            if tried == MOST_CHAMPIONS:
                return
            try:
                as_config(self.workload, {**dict(zip(reachable, champion, strict=True)), **changes})
            except WorkloadError as error:
                refusal = refusal or str(error)
            else:
                return
        if self._open - changes.keys():
            return
        cell = f" at {changes}" if where[-1] == "factorial" else ""
        self._refuse(where, f"cannot be trained{cell}: {refusal}")

    def _refuse_twins(
        self, entry: ExperimentEntry, where: Path_, arms: tuple[Arm, ...], settled: Mapping[str, Any]
    ) -> None:
        """Refuses arms that are one config whatever was adopted: no earlier experiment moves what is `settled`."""
        if entry.arms is None:
            return
        for i, arm in enumerate(arms):
            config = {**settled, **arm.changes}
            for other in arms[:i]:
                if same_config(config, {**settled, **other.changes}):
                    self._refuse(
                        (*where, "arms", arm.name), f"is the same config as {other.name}: there is nothing to compare"
                    )
            if same_config(config, settled):
                self._refuse(
                    (*where, "arms", arm.name), "is the same config as the baseline: there is nothing to compare"
                )

    def _prediction(
        self, entry: ExpectEntry, where: Path_, experiment: ExperimentEntry, arms: list[str], metrics: list[str]
    ) -> Prediction:
        if entry.metric not in metrics:
            self._refuse(
                (*where, "metric"),
                f"must be one of the plan's metrics {', '.join(metrics)}; got {quoted(entry.metric)}",
                entry.metric,
                metrics,
            )
        if sum(x is not None for x in (entry.arm, entry.main, entry.interaction)) != 1:
            self._refuse(where, 'must say what it is about: one of "arm", "main", "interaction"')
        if entry.arm is not None and entry.arm not in arms:
            # The arms of a factorial or a search may have commas in their names.
            listed = ", ".join(arms if experiment.arms is not None else (f'"{arm}"' for arm in arms))
            self._refuse(
                (*where, "arm"),
                f"must be one of the experiment's arms {listed}; got {quoted(entry.arm)}",
                entry.arm,
                arms,
            )
        self._check_factors(entry, where, experiment.factorial or {})
        self._check_relation(entry, where)
        self._refuse_second(entry, where, experiment)
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

    def _refuse_second(self, entry: ExpectEntry, where: Path_, experiment: ExperimentEntry) -> None:
        earlier = experiment.expect[: int(where[-1])]
        if any(entry == other for other in earlier):
            self._refuse(where, "must be a new prediction; the same one stands above it")

    def _check_factors(self, entry: ExpectEntry, where: Path_, factors: Mapping[str, list[Any]]) -> None:
        asked = [entry.main] if entry.main is not None else list(entry.interaction or ())
        key = "main" if entry.main is not None else "interaction"
        for name in asked:
            if name not in factors:
                listed = ", ".join(factors) or "none: it is not a factorial"
                self._refuse(
                    (*where, key),
                    f"must name factors of the experiment ({listed}); got {quoted(name)}",
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
