"""What may vary: parameters, their conditions and constraints, and the space they span."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.constraint import Constraint, constraint
from surefoot.errors import SpaceError, nearest, quoted
from surefoot.parameter import Parameter, boolean, choice, integer, parameter_of, real

__all__ = ["Constraint", "Parameter", "SearchSpace", "boolean", "choice", "constraint", "integer", "real", "space_of"]

# A value that no condition names.
_OTHER = object()


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchSpace:
    """The parameters of a workload or a sweep, in the order a reader should meet them.

    The same name may stand under several conditions: those are several parameters, of which a config
    has one at most. A config holds the parameters that exist in it, by name.
    """

    parameters: tuple[Parameter, ...]
    constraints: tuple[Constraint, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The parameters' names, in order, each once."""
        return tuple(dict.fromkeys(p.name for p in self.parameters))

    def named(self, name: str) -> tuple[Parameter, ...]:
        """The parameters of that name: several under different conditions."""
        return tuple(p for p in self.parameters if p.name == name)

    def checked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings, each in its parameter's own type; raises SpaceError for an unknown or bad one."""
        known = self.names()
        for name in settings:
            if name not in known:
                listed = ", ".join(known) or "none"
                hint = nearest(name, known)
                raise SpaceError(
                    f"{name} is not a setting of this workload (it has {listed}){'.' if hint else ''}{hint}"
                )
        return {name: self._checked_one(name, value) for name, value in settings.items()}

    def _checked_one(self, name: str, value: Any) -> Any:
        candidates = self.named(name)
        fitting = next((p for p in candidates if p.admits(value)), candidates[-1])
        return fitting.checked(value)

    @property
    def config_constraints(self) -> tuple[Constraint, ...]:
        """Those over parameters alone: a config that breaks one is never trained."""
        names = set(self.names())
        return tuple(c for c in self.constraints if names.issuperset(c.names))

    @property
    def ordered(self) -> tuple[Parameter, ...]:
        """The parameters, every one after those that its conditions name."""
        if not any(p.when for p in self.parameters):
            return self.parameters
        placed: list[Parameter] = []
        waiting = list(self.parameters)
        while waiting:
            behind = {p.name for p in waiting}
            ready = [p for p in waiting if behind.isdisjoint(p.when)]
            if not ready:  # a circle, which `check` refuses
                return (*placed, *waiting)
            placed += ready
            waiting = [p for p in waiting if not behind.isdisjoint(p.when)]
        return tuple(placed)

    def build(self, choose: Callable[[Parameter], Any]) -> dict[str, Any]:
        """A config: `choose` is asked for every parameter that exists, given what it chose before."""
        chosen: dict[str, Any] = {}
        for parameter in self.ordered:
            if parameter.exists(chosen):
                chosen[parameter.name] = choose(parameter)
        return self._arranged(chosen)

    def _arranged(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        return {name: chosen[name] for name in self.names() if name in chosen}

    def active(self, settings: Mapping[str, Any]) -> tuple[Parameter, ...]:
        """The parameters that exist under these settings, in order."""
        existing: dict[str, Any] = {}
        found = []
        for parameter in self.ordered:
            if parameter.exists(existing):
                found.append(parameter)
                if parameter.name in settings:
                    existing[parameter.name] = settings[parameter.name]
        return tuple(found)

    def admits(self, settings: Mapping[str, Any]) -> bool:
        """Whether it is a config of this space: what exists and nothing else, within range and constraints."""
        return not self.why_not(settings)

    def why_not(self, settings: Mapping[str, Any]) -> str:
        """The first reason why it is no config of this space, as one line; empty where it is one."""
        active = {p.name: p for p in self.active(settings)}
        for name in settings:
            if name not in active:
                return self._stranger(name)
        for name, parameter in active.items():
            if name not in settings:
                return f"{name} is missing{_given(parameter)}"
            try:
                parameter.checked(settings[name])
            except SpaceError as error:
                return f"{error}{_given(parameter)}"
        broken = self.broken(settings)
        came = ", ".join(f"{name} {quoted(settings[name])}" for name in broken.names) if broken else ""
        return f'it must keep "{broken.text}"; got {came}' if broken else ""

    def broken(self, settings: Mapping[str, Any]) -> Constraint | None:
        """The first constraint on the config that it breaks; one on a parameter that does not exist holds."""
        for limit in self.constraints and self.config_constraints:
            if settings.keys() >= set(limit.names) and limit.margin(settings) > 0:
                return limit
        return None

    def _stranger(self, name: str) -> str:
        twins = self.named(name)
        if twins:
            return f"{name} does not exist here; it does only when " + ", or when ".join(p.condition for p in twins)
        hint = nearest(name, self.names())
        return f"{name} is not a parameter of this space (it has {', '.join(self.names())}){'.' * bool(hint)}{hint}"

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every config of the space once, those that break a constraint left out; the last parameter varies fastest.

        Raises SpaceError where a parameter is continuous.
        """
        order = self.ordered
        levels = [p.levels() for p in order]

        def walk(place: int, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
            while place < len(order) and not order[place].exists(chosen):
                place += 1
            if place == len(order):
                yield self._arranged(chosen)
                return
            for value in levels[place]:
                yield from walk(place + 1, {**chosen, order[place].name: value})

        return (config for config in walk(0, {}) if self.broken(config) is None)

    def grid_size(self, *, is_constrained: bool = True) -> int:
        """How many configs the grid holds; without constraints they are counted, not walked through."""
        if is_constrained and self.config_constraints:
            return sum(1 for _ in self.grid())
        order = self.ordered
        parents = {name for p in order for name in p.when}

        def count(place: int, chosen: dict[str, Any]) -> int:
            factor = 1
            for i, parameter in enumerate(order[place:], place):
                if not parameter.exists(chosen):
                    continue
                if parameter.name in parents:
                    rest = (count(i + 1, {**chosen, parameter.name: value}) for value in parameter.levels())
                    return factor * sum(rest)
                factor *= parameter.level_count or len(parameter.levels())
            return factor

        return count(0, {})

    def scientific_levels(self) -> tuple[dict[str, Any], ...]:
        """Every combination of the scientific parameters that can exist, the first levels first; ({},) without any."""
        scientific = SearchSpace(parameters=tuple(p for p in self.parameters if p.role == "scientific"))
        return tuple(scientific.grid()) if scientific.parameters else ({},)

    def definition(self) -> dict[str, Any]:
        """The space as JSON, from which `space_of` makes it again."""
        found: dict[str, Any] = {"parameters": [p.definition() for p in self.parameters]}
        return {**found, "constraints": [c.text for c in self.constraints]} if self.constraints else found

    def check(self) -> None:
        """Raises SpaceError, in one line, for the first mistake that keeps the space from being searched."""
        for place, mistake in self.mistakes():
            raise SpaceError(mistake if place is None else f"{self.parameters[place].key} {mistake}")

    def mistakes(self) -> Iterator[tuple[int | None, str]]:
        """What keeps the space from being searched: the parameter's place (None: no single one), and the mistake."""
        if not self.parameters:
            yield None, "a space must have at least one parameter that varies; it has none"
        for place, parameter in enumerate(self.parameters):
            yield from ((place, mistake) for mistake in parameter.mistakes())
        for place, parameter in enumerate(self.parameters):
            yield from ((place, mistake) for mistake in self._mistakes_of_conditions(parameter))
        for later, earlier in itertools.combinations(range(len(self.parameters) - 1, -1, -1), 2):
            twins = self.parameters[later], self.parameters[earlier]
            if twins[0].name == twins[1].name and self._can_exist(*twins):
                yield later, f"must have conditions that exclude those of {twins[1].key}: a config holds one value"

    def _mistakes_of_conditions(self, parameter: Parameter) -> Iterator[str]:
        known = self.names()
        for name, values in parameter.when.items():
            parents = self.named(name)
            if name == parameter.name:
                yield "must have a condition on another parameter; got one on itself"
            elif not parents:
                hint = nearest(name, known)
                listed = ", ".join(known)
                yield f"must have conditions on what varies ({listed}); got {quoted(name)}{'.' * bool(hint)}{hint}"
            elif all(p.is_continuous for p in parents):
                yield f"must have conditions on values that can be told apart; {name} is continuous"
            elif not values:
                yield f"must have a condition on at least one value of {name}; got none"
            for value in values if parents and name != parameter.name else ():
                if not any(p.admits(value) for p in parents):
                    yield f"has a condition that never holds: {_refusal(parents[-1], value)}"
        if self._is_in_circle(parameter):
            yield "must not rest on itself; its conditions go round in a circle"
        elif parameter.when and set(parameter.when) <= set(known) and not self._can_exist(parameter):
            yield f"has conditions that never hold together: {parameter.condition}"

    def _is_in_circle(self, parameter: Parameter) -> bool:
        return len(parameter.when) > 0 and parameter.name in self._ancestors(parameter.when)

    def _ancestors(self, names: Collection[str]) -> set[str]:
        """The names, those that their conditions name, and so on."""
        found: set[str] = set()
        new = set(names)
        while new:
            found |= new
            new = {name for p in self.parameters if p.name in new for name in p.when} - found
        return found

    def _can_exist(self, *together: Parameter) -> bool:
        """Whether there is a config in which all of these exist."""
        ancestors = self._ancestors([name for p in together for name in p.when])
        order = [p for p in self.ordered if p.name in ancestors]
        mentioned = {name: [value for p in self.parameters for value in p.when.get(name, ())] for name in ancestors}

        def walk(place: int, chosen: dict[str, Any]) -> bool:
            while place < len(order) and not order[place].exists(chosen):
                place += 1
            if place == len(order):
                return all(p.exists(chosen) for p in together)
            parent = order[place]
            values = [value for value in mentioned[parent.name] if parent.admits(value)]
            # _OTHER stands for every value that no condition names.
            return any(walk(place + 1, {**chosen, parent.name: value}) for value in (*values, _OTHER))

        return walk(0, {})


def space_of(definition: Mapping[str, Any]) -> SearchSpace:
    """The space that `SearchSpace.definition` told."""
    return SearchSpace(
        parameters=tuple(parameter_of(d) for d in definition["parameters"]),
        constraints=tuple(constraint(text) for text in definition.get("constraints", ())),
    )


def _given(parameter: Parameter) -> str:
    return f" (where {parameter.condition})" if parameter.when else ""


def _refusal(parameter: Parameter, value: Any) -> str:
    """Why the parameter does not take the value."""
    try:
        parameter.checked(value)
    except SpaceError as error:
        return str(error)
    return ""
