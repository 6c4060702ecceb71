"""Search: asks for configs by a method, and tells it what became of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.errors import SpaceError
from surefoot.parameter import is_same
from surefoot.run import Metric, Status, canonical_json
from surefoot.search.enumerated import Grid
from surefoot.search.methods import check_method, filled
from surefoot.search.source import MOST_REJECTED, Answer, Source, nothing_admitted
from surefoot.space import Constraint, Parameter, SearchSpace
from surefoot.sweep import Method

FIRST = "first"
# The stream of random numbers for what the method finds no way to.
CHANCE = 3

# So often a config that was tried already is proposed anew before it is trained once more.
MOST_REPEATS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A config to try: the parameters that exist in it, by name and in order, and who made it."""

    number: int
    settings: dict[str, Any]
    origin: str


class Search:
    """Guards the course of one search: what was proposed, and what came of it.

    A proposal depends on the seed, its number and what was told before, and on nothing else: recalled up to any
    trial, a search goes on as it would have at one worker. Trials are told and recalled in any order; what was
    told between two proposals is taken in by the trials' numbers.
    """

    def __init__(
        self,
        space: SearchSpace,
        *,
        targets: tuple[Metric, ...],
        method: Method,
        seed: int,
        first: Sequence[Mapping[str, Any]] = (),
        constraints: Sequence[Constraint] = (),
        first_number: int = 0,
    ) -> None:
        """`constraints` are those on metrics; `first_number` is the least number that no trial has yet.

        Raises PlanError for a method that cannot do this, SpaceError for a space or a first config that does not fit.
        """
        check_method(method)
        space.check()
        self._space, self._targets = space, targets
        self._tried: set[str] = set()
        self._make_sources(method, seed, [c.text for c in constraints])
        self._first = [self._checked(config) for config in first]
        self._next_number = first_number

    @property
    def notices(self) -> tuple[str, ...]:
        """What the method cannot honour of this space."""
        return self._source.notices

    def ask(self) -> Proposal | None:
        """The next config to try; None where every config of a grid was tried."""
        self._source.settle()
        number = self._next_number
        found = self._next_first(number) or self._drawn(self._source, number)
        if found is None and self._chance is None:
            return None
        if found is None and self._chance is not None:
            found = self._drawn(self._chance, number)
        if found is None:
            raise nothing_admitted(self._space)
        settings, origin = found
        self._next_number = number + 1
        self._tried.add(canonical_json(settings))
        self._source.add(number, settings, origin)
        return Proposal(number=number, settings=settings, origin=origin)

    def tell(
        self,
        number: int,
        *,
        values: Sequence[float] | None,
        curve: Mapping[int, float] | None = None,
        status: Status,
        margins: Sequence[float] = (),
    ) -> None:
        """What became of the trial; told again, as after a promotion, the later answer counts.

        `values` are those of the targets, in order. `curve` is the first target by step. `margins` are those of the
        constraints on metrics, positive where one is broken. An INTERRUPTED trial stays one that runs.
        """
        finite = [(step, value) for step, value in (curve or {}).items() if math.isfinite(value)]
        last = max(finite, default=None)
        self._source.tell(Answer(number=number, status=status, values=values, last=last, margins=tuple(margins)))

    def recall(self, number: int, settings: Mapping[str, Any], origin: str) -> bool:
        """Takes up a trial of the record; False where it no longer fits the space, and then only its number counts."""
        self._next_number = max(self._next_number, number + 1)
        if not self._space.admits(settings):
            return False
        if origin == FIRST:
            self._strike_off(settings)
        self._tried.add(canonical_json(settings))
        self._source.recall(number, settings, origin)
        return True

    def _make_sources(self, method: Method, seed: int, constraints: Sequence[str]) -> None:
        """The method's source, what completes a first config, and what chance is left where the method has no way."""
        from surefoot.search.drawn import Random, Sobol, whole_number_from

        options, space = filled(method), self._space
        self._chance: Source | None = Random(space, whole_number_from(seed, CHANCE))
        sobol = Sobol(space, seed, scramble=options.get("scramble", True))
        self._begin: Callable[[int, int], Callable[[Parameter], Any]] = lambda n, a: sobol.point(n, a).value
        if method.name == "grid":
            self._source: Source = Grid(space, self._tried)
            self._begin, self._chance = lambda n, a: _lowest, None
        elif method.name == "random":
            drawn = Random(space, seed)
            self._source, self._begin = drawn, lambda n, a: drawn.point(n, a).value
        elif method.name == "sobol":
            self._source = sobol
        else:
            self._source = _modelled(method.name)(space, self._targets, constraints, options, seed)

    def _drawn(self, source: Source, number: int) -> tuple[dict[str, Any], str] | None:
        """What keeps the constraints, and was not tried before if that is to be had."""
        repeated, repeats = None, 0
        for attempt in range(source.most_tries):
            found = source.draw(number, attempt)
            if found is None or repeats > MOST_REPEATS:
                break
            if self._space.broken(found[0]) is not None:
                continue
            if canonical_json(found[0]) not in self._tried:
                return found
            repeated, repeats = found, repeats + 1
        return repeated

    def _next_first(self, number: int) -> tuple[dict[str, Any], str] | None:
        """The next config of those to try first that was not tried yet, with what it leaves open filled in."""
        while self._first:
            given = self._first.pop(0)
            for attempt in range(MOST_REJECTED):
                settings = self._filled_in(given, self._begin(number, attempt))
                if self._space.broken(settings) is None:
                    break
            if canonical_json(settings) not in self._tried:
                return settings, FIRST
        return None

    def _filled_in(self, given: Mapping[str, Any], choose: Callable[[Parameter], Any]) -> dict[str, Any]:
        return self._space.build(lambda p: p.checked(given[p.name]) if p.name in given else choose(p))

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The config to try first, in the parameters' own types; raises SpaceError where no config can hold it."""
        found = self._space.checked(given)
        for attempt in range(MOST_REJECTED):
            settings = self._filled_in(found, self._begin(0, attempt))
            if self._space.broken(settings) is None:
                return found
            if settings == found:
                break
        raise SpaceError(f"a config to try first must fit the space: {self._space.why_not(settings)}")

    def _strike_off(self, settings: Mapping[str, Any]) -> None:
        """Leaves out the config to try first that became this trial."""
        for place, given in enumerate(self._first):
            if all(is_same(given[name], value) for name, value in settings.items() if name in given):
                del self._first[place]
                return


def _lowest(parameter: Parameter) -> Any:
    return parameter.levels()[0]


def _modelled(name: str) -> Callable[..., Source]:
    """The method of that name; Optuna is loaded by who asks for one of its own."""
    if name == "tpe":
        from surefoot.search.tpe import Tpe

        return Tpe
    if name == "gp":
        from surefoot.search.gp import Gp

        return Gp
    if name == "cmaes":
        from surefoot.search.cmaes import CmaEs

        return CmaEs
    from surefoot.search.nsga2 import Nsga2

    return Nsga2
