"""The space of a sweep as its file writes it, and where the search starts in it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from surefoot.entry import came, hinted, name_mistake
from surefoot.errors import SpaceError, WorkloadError, quoted
from surefoot.parameter import MOST_LEVELS
from surefoot.plan_document import Path_, PlanDocument
from surefoot.ranges import Asked, Fixed, read_setting
from surefoot.run import Metric
from surefoot.space import Constraint, Parameter, SearchSpace, constraint
from surefoot.sweep_entry import SweepEntry
from surefoot.workload import Workload, as_config

# How many draws are tried before a constraint, or a config to begin with, is called impossible.
MOST_DRAWS = 2000


class SpaceReader:
    """Turns what is written of settings into `space` and `base`, or refuses the first mistake.

    `base` holds the settings that every config starts from: the workload's defaults, then what the file says.
    """

    def __init__(
        self, document: PlanDocument, entry: SweepEntry, workload: Workload | None, metrics: Sequence[Metric]
    ) -> None:
        self.document, self.entry, self.workload, self.metrics = document, entry, workload, metrics
        # Where each parameter of the space is written, and the settings that do not vary.
        self._places: list[Path_] = []
        self._fixed: dict[str, Any] = {}
        parameters = self._parameters()
        self.base = self._base()
        self.space = self._space(parameters)

    def first(self) -> tuple[dict[str, Any], ...]:
        """The configs to begin with; what one leaves open is drawn at random, by the search's seed."""
        return tuple(self._first(config, i) for i, config in enumerate(self.entry.first))

    def check_grid(self) -> None:
        """Refuses what no grid can hold, and a grid that the budget cannot."""
        space = self.space
        for parameter, place in zip(space.parameters, self._places, strict=True):
            if (parameter.level_count or MOST_LEVELS + 1) > MOST_LEVELS:
                count = f"{parameter.level_count:,} values" if parameter.level_count else "a value between any two"
                self._refuse(place, f"must have values that a grid can hold; it has {count}. Give it a step, or values")
        points = space.grid_size(is_constrained=False)
        if points <= MOST_LEVELS:
            points = space.grid_size()
        budget, seeds = self.entry.budget, self.entry.seeds
        if points == 0:
            self._refuse(("constraints",), "must leave something to try; no point of the grid keeps them")
        for key, most, needed in (("trials", budget.trials, points), ("runs", budget.runs, points * seeds)):
            if most is not None and needed > most:
                message = (
                    f"must be at least {needed:,}, which the grid needs; got {most}. Raise it, or take fewer values"
                )
                self._refuse(("budget", key), message)
        if points > MOST_LEVELS:
            self._refuse(("method",), f"must be another than grid for {points:,} points; take fewer values, or sobol")

    def _refuse(self, where: Path_, message: str, word: str = "", known: Sequence[str] = ()) -> NoReturn:
        self.document.refuse(where, hinted(message, word, known) if word else message)

    def _parameters(self) -> tuple[Parameter, ...]:
        found: list[Parameter] = []
        for name, written in self.entry.parameters.items():
            where: Path_ = ("parameters", name)
            mistake = name_mistake(name)
            if mistake:
                self._refuse(where, mistake)
            own = self._own(name, where)
            asked = Asked(document=self.document, name=name, where=where, kind=own.kind if own else "")
            for one, place in read_setting(asked, written):
                if isinstance(one, Fixed):
                    self._fix(name, one.value, where)
                else:
                    self._places.append(place)
                    found.append(self._fitting(one, own, place) if own else one)
        if not found:
            self._refuse(("parameters",), "must hold at least one range or list of choices; nothing varies")
        return tuple(found)

    def _own(self, name: str, where: Path_) -> Parameter | None:
        """The workload's own parameter of that name; refuses a name that it does not have."""
        if self.workload is None:
            return None
        try:
            self.workload.space.checked({name: None})
        except SpaceError as error:
            if not self.workload.space.named(name):
                self._refuse(where, str(error).removeprefix(f"{name} "))
        return self.workload.space.named(name)[0]

    def _fix(self, name: str, value: Any, where: Path_) -> None:
        if name in self.entry.base and self.entry.base[name] != value:
            self._refuse(where, f"is {quoted(value)} here and {quoted(self.entry.base[name])} in base; write it once")
        self._fixed[name] = self._setting(name, value, where)

    def _setting(self, name: str, value: Any, where: Path_) -> Any:
        """The value in the workload's own type, or as it is for a program."""
        if self.workload is None:
            if isinstance(value, dict):
                self._refuse(where, f"must be a plain value; got {came(value)}")
            return value
        try:
            return self.workload.space.checked({name: value})[name]
        except SpaceError as error:
            self._refuse(where, str(error).removeprefix(f"{name} "))

    def _fitting(self, parameter: Parameter, own: Parameter, where: Path_) -> Parameter:
        """The parameter within what its workload can train."""
        if parameter.kind in ("categorical", "bool"):
            values = tuple(self._setting(own.name, value, where) for value in parameter.levels())
            return replace(parameter, choices=values) if parameter.kind == "categorical" else parameter
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
        given = {name: self._setting(name, value, ("base", name)) for name, value in self.entry.base.items()}
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

    def _constraint(self, text: str, place: int, space: SearchSpace) -> Constraint:
        where = ("constraints", place)
        varied = space.names()
        known = [*varied, *(m.name for m in self.metrics), *(name for name in self.base if name not in varied)]
        try:
            limit = constraint(text)
            for name in limit.names:
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
