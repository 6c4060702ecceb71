"""The space of a sweep as its file writes it, and where the search starts in it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from surefoot.errors import SpaceError, WorkloadError, quoted
from surefoot.files.entry import came, hinted, name_mistake
from surefoot.files.plan_document import Path_, PlanDocument
from surefoot.files.ranges import Asked, Fixed, read_setting
from surefoot.files.settings import Settings
from surefoot.files.sweep_entry import SpaceEntry, SweepEntry
from surefoot.parameter import MOST_LEVELS
from surefoot.run import Metric
from surefoot.space import Constraint, Parameter, SearchSpace, constraint
from surefoot.workload import Workload, as_config

# How many draws are tried before a constraint, or a config to begin with, is called impossible.
MOST_DRAWS = 2000
# Each value of a scientific parameter is tuned by itself.
MOST_STRATA = 100


class SpaceReader:
    """Turns what is written of settings into `space` and `base`, or refuses the first mistake.

    `base` holds the settings that every config starts from: a sweep's are the workload's defaults, then what the
    file says. A search in a plan starts from its champion: `base` are the settings in which that is known to be
    the baseline, and `settings` those it may have. `above` is where the search stands in the document.
    """

    def __init__(
        self,
        document: PlanDocument,
        entry: SpaceEntry,
        workload: Workload | None,
        metrics: Sequence[Metric],
        *,
        settings: Settings | None = None,
        base: Mapping[str, Any] | None = None,
        above: Path_ = (),
    ) -> None:
        self.document, self.entry, self.workload, self.metrics, self.above = document, entry, workload, metrics, above
        self.settings = settings or Settings(space=workload.space if workload else None)
        self._is_in_plan = base is not None
        # Where each parameter of the space is written, and the settings that do not vary.
        self._places: list[Path_] = []
        self._fixed: dict[str, Any] = {}
        parameters = self._parameters()
        self.base = self._base() if base is None else dict(base)
        self.space = self._space(parameters)

    def first(self) -> tuple[dict[str, Any], ...]:
        """The configs to begin with; what one leaves open is drawn at random, by the search's seed."""
        return tuple(self._first(config, i) for i, config in enumerate(self.entry.first))

    def check_grid(self, *budgets: tuple[Path_, int | None, int]) -> int:
        """How many points the grid has; refuses what no grid can hold, and a grid that a budget cannot.

        A budget is where it is written, how much it is, and how much of it a point needs.
        """
        space = self.space
        for parameter, place in zip(space.parameters, self._places, strict=True):
            if (parameter.level_count or MOST_LEVELS + 1) > MOST_LEVELS:
                count = f"{parameter.level_count:,} values" if parameter.level_count else "a value between any two"
                self._refuse(place, f"must have values that a grid can hold; it has {count}. Give it a step, or values")
        points = space.grid_size(is_constrained=False)
        if points <= MOST_LEVELS:
            points = space.grid_size()
        if points == 0:
            self._refuse(("constraints",), "must leave something to try; no point of the grid keeps them")
        for where, most, each in budgets:
            if most is not None and points * each > most:
                needed = f"{points * each:,}"
                message = f"must be at least {needed}, which the grid needs; got {most}. Raise it, or take fewer values"
                self._refuse(where, message)
        if points > MOST_LEVELS:
            self._refuse(("method",), f"must be another than grid for {points:,} points; take fewer values, or sobol")
        return points

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse((*self.above, *where), hinted(message, word, known) if word else message)

    def _parameters(self) -> tuple[Parameter, ...]:
        found: list[Parameter] = []
        for name, written in self.entry.parameters.items():
            where: Path_ = ("parameters", name)
            mistake = name_mistake(name)
            if mistake:
                self._refuse(where, mistake)
            own = self._own(name, where)
            kind = own.kind if own else ""
            asked = Asked(document=self.document, name=name, where=(*self.above, *where), kind=kind)
            for one, place in read_setting(asked, written):
                if isinstance(one, Fixed):
                    self._fix(name, one.value, where)
                else:
                    self._places.append(place[len(self.above) :])
                    found.append(self._fitting(one, own, self._places[-1]))
        if not found:
            self._refuse(("parameters",), "must hold at least one range or list of choices; nothing varies")
        return tuple(found)

    def _own(self, name: str, where: Path_) -> Parameter | None:
        """The workload's own parameter of that name, if it has such; refuses a name that it does not know."""
        try:
            return self.settings.parameter(name)
        except SpaceError as error:
            self._refuse(where, str(error).removeprefix(f"{name} "))

    def _fix(self, name: str, value: Any, where: Path_) -> None:
        if self._is_in_plan:
            self._refuse(where, f"must vary; {quoted(value)} alone belongs to the baseline, or to an arm of its own")
        base = self.entry.base if isinstance(self.entry, SweepEntry) else {}
        if name in base and base[name] != value:
            self._refuse(where, f"is {quoted(value)} here and {quoted(base[name])} in base; write it once")
        self._fixed[name] = self._setting(name, value, where)

    def _setting(self, name: str, value: Any, where: Path_) -> Any:
        """The value in the setting's own type, or as it is where any will do."""
        if isinstance(value, dict):
            self._refuse(where, f"must be a plain value; got {came(value)}")
        try:
            return self.settings.checked(name, value)
        except SpaceError as error:
            self._refuse(where, str(error).removeprefix(f"{name} "))

    def _fitting(self, parameter: Parameter, own: Parameter | None, where: Path_) -> Parameter:
        """The parameter within what its workload can train."""
        if parameter.kind in ("categorical", "bool"):
            values = tuple(self._setting(parameter.name, value, where) for value in parameter.levels())
            return replace(parameter, choices=values) if parameter.kind == "categorical" else parameter
        if own is None:
            if self.settings.names:
                self._refuse(where, "must be a list of choices, as the baseline's value is no number; got a range")
            return parameter
        if own.kind in ("categorical", "bool"):
            self._refuse(where, f"must be choices among {', '.join(map(str, own.levels()))}; got a range")
        if own.kind == "int" and (parameter.kind == "float" or (parameter.step or 1) % 1):
            self._refuse(where, "must be a range of whole numbers (type: int); its workload takes no others")
        for bound in (parameter.low, parameter.high):
            if bound is not None:
                self._setting(own.name, bound, where)
        if parameter.normal is None:
            return parameter
        # A normal distribution is cut off where the workload's own range ends.
        low = own.low if parameter.low is None and not (parameter.log and (own.low or 0) <= 0) else parameter.low
        return replace(parameter, low=low, high=own.high if parameter.high is None else parameter.high)

    def _base(self) -> dict[str, Any]:
        written = self.entry.base if isinstance(self.entry, SweepEntry) else {}
        given = {name: self._setting(name, value, ("base", name)) for name, value in written.items()}
        for name in given:
            mistake = name_mistake(name)
            if mistake:
                self._refuse(("base", name), mistake)
        if self.workload is None:
            return {**given, **self._fixed}
        base = {**self.workload.defaults(), **given, **self._fixed}
        try:
            as_config(self.workload, base)
        except WorkloadError as error:
            self._refuse(("base",), f"cannot be trained: {error}")
        return base

    def _space(self, parameters: tuple[Parameter, ...]) -> SearchSpace:
        space = SearchSpace(parameters=parameters)
        for place, mistake in space.mistakes():
            self._refuse(("parameters",) if place is None else self._places[place], mistake)
        self._check_roles(space)
        for metric in self.metrics:
            if metric.name in space.names():
                self._refuse(("parameters", metric.name), "must have another name: a metric is called so")
        limits = tuple(self._constraint(text, i, space) for i, text in enumerate(self.entry.constraints))
        space = replace(space, constraints=limits)
        if space.config_constraints and not self._can_be_kept(space):
            self._refuse(
                ("constraints",), f"must leave something to try; none of {MOST_DRAWS} configs drawn keeps them"
            )
        return space

    def _check_roles(self, space: SearchSpace) -> None:
        """Refuses scientific parameters whose values cannot each be tuned alike."""
        scientific = {p.name for p in space.parameters if p.role == "scientific"}
        for parameter, place in zip(space.parameters, self._places, strict=True):
            if parameter.role != "scientific":
                continue
            if (parameter.level_count or MOST_STRATA + 1) > MOST_STRATA:
                advice = "give it a step, or choices"
                self._refuse(place, f"must have at most {MOST_STRATA} values, as its role is scientific; {advice}")
            for name in parameter.when:
                if name not in scientific:
                    self._refuse(place, f"is scientific, so what its `when` names must be too; {name} is not")

    def _constraint(self, text: str, place: int, space: SearchSpace) -> Constraint:
        where = ("constraints", place)
        varied = space.names()
        known = [*varied, *(m.name for m in self.metrics), *(name for name in self.base if name not in varied)]
        try:
            limit = constraint(text)
            for name in limit.names:
                if name not in known and name in self.settings.names:
                    advice = "let it vary here, too"
                    self._refuse(where, f"must not name {name}, which an earlier experiment may change; {advice}")
                if name not in known:
                    self._refuse(where, f"must name settings and metrics; got {quoted(name)}", name, known)
                if not all(_is_number(value) for p in space.named(name) for value in (p.choices or (0,))):
                    self._refuse(where, f"must be about numbers; {name} has other values too")
            limit = limit.given({name: value for name, value in self.base.items() if name not in varied})
        except SpaceError as error:
            self._refuse(where, str(error).replace("a constraint must", "must", 1))
        if not limit.names:
            self._refuse(where, f"must be about something that varies; all of {quoted(text)} is fixed")
        return limit

    def _can_be_kept(self, space: SearchSpace) -> bool:
        draw = random.Random(0)
        draws = (space.build(lambda p: p.value_at(draw.random())) for _ in range(MOST_DRAWS))
        return any(space.broken(config) is None for config in draws)

    def _first(self, given: Mapping[str, Any], place: int) -> dict[str, Any]:
        where, space, base = ("first", place), self.space, self.base
        for name, value in given.items():
            if name not in space.names() and not (name in base and base[name] == value):
                self._refuse((*where, name), f"does not vary here ({', '.join(space.names())} do)", name, space.names())
            if name in space.names() and not any(p.admits(value) for p in space.named(name)):
                self._refuse((*where, name), _reason(space.named(name)[-1], value))
        wanted = {name: value for name, value in given.items() if name in space.names()}
        draw = random.Random(f"first {place} of {self.entry.search_seed}")

        def choose(parameter: Parameter) -> Any:
            value = wanted.get(parameter.name, parameter)
            return parameter.checked(value) if parameter.admits(value) else parameter.value_at(draw.random())

        for _ in range(MOST_DRAWS):
            config = space.build(choose)
            if wanted.items() <= config.items() and space.admits(config):
                return config
        reason = space.why_not({**config, **wanted})
        self._refuse(where, f"must be a config of this space: {reason}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reason(parameter: Parameter, value: Any) -> str:
    try:
        parameter.checked(value)
    except SpaceError as error:
        return str(error).removeprefix(f"{parameter.name} ")
    return ""
