"""Strata: one search for every combination of the scientific parameters, so that each is tuned with the same budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from surefoot.run import Status
from surefoot.search import Halt, Proposal, Search, Stopper
from surefoot.space import Parameter, SearchSpace

_ABSENT = object()


def space_at(space: SearchSpace, level: Mapping[str, Any]) -> SearchSpace:
    """The space with its scientific parameters held at this level; parameters that cannot exist there are left out."""
    kept: list[Parameter] = []
    for parameter in space.parameters:
        if any(name in level and level[name] not in values for name, values in parameter.when.items()):
            continue
        if parameter.role != "scientific":
            kept.append(parameter)
        elif parameter.name in level and parameter.admits(level[parameter.name]):
            kept.append(_held(parameter, level[parameter.name]))
    return replace(space, parameters=tuple(kept))


def _held(parameter: Parameter, value: Any) -> Parameter:
    return replace(
        parameter,
        kind="categorical",
        choices=(value,),
        weights=(),
        low=None,
        high=None,
        log=False,
        step=None,
        normal=None,
    )


class StratifiedSearch:
    """A search for each stratum, asked so that all have equally many trials; trials go by their sweep's numbers."""

    def __init__(self, make: Callable[[SearchSpace], Search], space: SearchSpace, *, next_number: int = 0) -> None:
        self._levels = space.scientific_levels()
        self._searches = [make(space_at(space, level) if level else space) for level in self._levels]
        self._counts = [0] * len(self._levels)
        self._spent: set[int] = set()
        self._places: dict[int, tuple[int, int]] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._next_number = next_number

    @property
    def notices(self) -> tuple[str, ...]:
        """What the searches cannot honour, each thing once."""
        return tuple(dict.fromkeys(itertools.chain.from_iterable(s.notices for s in self._searches)))

    @property
    def size(self) -> int:
        """How many strata there are."""
        return len(self._levels)

    def place(self, number: int) -> tuple[int, int]:
        """The stratum of a trial, and its number there."""
        return self._places[number]

    def number(self, stratum: int, local: int) -> int:
        """The trial's number in the sweep."""
        return self._numbers[stratum, local]

    def ask(self) -> Proposal | None:
        """A proposal for the stratum with the fewest trials; None where every one is spent."""
        while len(self._spent) < len(self._searches):
            left = [i for i in range(len(self._searches)) if i not in self._spent]
            stratum = min(left, key=lambda i: self._counts[i])
            proposal = self._searches[stratum].ask()
            if proposal is None:
                self._spent.add(stratum)
                continue
            number, self._next_number = self._next_number, self._next_number + 1
            self._place(number, stratum, proposal.number)
            return replace(proposal, number=number)
        return None

    def tell(
        self,
        number: int,
        *,
        values: Sequence[float] | None,
        curve: Mapping[int, float],
        status: Status,
        margins: Sequence[float] = (),
    ) -> None:
        """Tells the trial's own search."""
        stratum, local = self._places[number]
        self._searches[stratum].tell(local, values=values, curve=curve, status=status, margins=margins)

    def recall(self, number: int, settings: Mapping[str, Any], origin: str) -> bool:
        """Recalls a trial of the record in its stratum; False where it fits none. Recall them in their order."""
        for stratum, level in enumerate(self._levels):
            if all(settings.get(name, _ABSENT) == value for name, value in level.items()):
                local = self._counts[stratum]
                if self._searches[stratum].recall(local, settings, origin):
                    self._place(number, stratum, local)
                    return True
        return False

    def _place(self, number: int, stratum: int, local: int) -> None:
        self._places[number] = (stratum, local)
        self._numbers[stratum, local] = number
        self._counts[stratum] += 1


class StratifiedStopper:
    """A stopping rule for each stratum of a search, so that a trial is judged against its own kind only."""

    def __init__(self, make: Callable[[], Stopper], search: StratifiedSearch) -> None:
        self._stoppers = [make() for _ in range(search.size)]
        self._search = search

    @property
    def notices(self) -> tuple[str, ...]:
        """What the rule cannot honour."""
        return self._stoppers[0].notices

    def judge(self, number: int, step: int, value: float) -> Halt | None:
        """What the trial's own stratum says."""
        stratum, local = self._search.place(number)
        return self._stoppers[stratum].judge(local, step, value)

    def ended(self, number: int, status: Status) -> None:
        """Tells the trial's own stratum."""
        stratum, local = self._search.place(number)
        self._stoppers[stratum].ended(local, status)

    def promotion(self) -> int | None:
        """A paused trial of any stratum that deserves to go on."""
        for stratum, stopper in enumerate(self._stoppers):
            local = stopper.promotion()
            if local is not None:
                return self._search.number(stratum, local)
        return None

    def is_paused(self, number: int) -> bool:
        """Whether the trial is paused in its own stratum."""
        stratum, local = self._search.place(number)
        return self._stoppers[stratum].is_paused(local)

    def recall(self, number: int, curve: Mapping[int, float], status: Status) -> None:
        """Recalls the trial in its own stratum."""
        stratum, local = self._search.place(number)
        self._stoppers[stratum].recall(local, curve, status)
