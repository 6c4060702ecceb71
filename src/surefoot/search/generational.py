"""A method that goes by generations: what CMA-ES and NSGA-II have in common."""

from __future__ import annotations

from typing import Any

from surefoot.search.modelled import Modelled


class Generational(Modelled):
    """Counts the complete trials of every generation, from which a trial's own can be told again."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._generation_of: dict[int, int] = {}
        self._sizes: dict[int, int] = {}

    @property
    def _population(self) -> int:
        return int(self._options["population"])

    def _generation(self) -> int:
        """The generation of a trial proposed now: the latest with a complete trial, or the next where it is full."""
        latest = max(self._sizes, default=0)
        return latest + (self._sizes.get(latest, 0) >= self._population)

    def _completed(self, number: int) -> None:
        if number in self._generation_of:
            generation = self._generation_of.pop(number)
            self._sizes[generation] = self._sizes.get(generation, 0) + 1
