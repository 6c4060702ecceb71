"""Main effects and interactions of a factorial, as contrasts over its cells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contrast:
    """A weighted sum of cells: what changing a level does, or how two changes work together.

    `factors` has one name for a main effect and two for an interaction; `levels` says which level
    of each is held against its first. `noise_factor` is the contrast's variance relative to that
    of a plain paired difference, where all cells share one noise.
    """

    factors: tuple[str, ...]
    levels: tuple[Any, ...]
    weights: Mapping[Cell, float]

    @property
    def noise_factor(self) -> float:
        """The sum of squared weights over 2, the sum of squares of a difference of two cells."""
        return sum(w * w for w in self.weights.values()) / 2

    def of(self, values: Mapping[Cell, float]) -> float:
        """The contrast's value for one seed's cell values."""
        return sum(weight * values[cell] for cell, weight in self.weights.items())


def contrasts(factors: Sequence[tuple[str, Sequence[Any]]]) -> tuple[Contrast, ...]:
    """All main effects, then all two-factor interactions, each level against its factor's first.

    A main effect is averaged over the levels of the other factors; an interaction is the
    difference of differences, averaged likewise.
    Source: Yates (1937), "The design and analysis of factorial experiments", for two levels.
    """
    found = []
    for order in (1, 2):
        for chosen in itertools.combinations(range(len(factors)), order):
            for levels in itertools.product(*(factors[i][1][1:] for i in chosen)):
                found.append(_contrast(factors, chosen, levels))
    return tuple(found)


def _contrast(factors: Sequence[tuple[str, Sequence[Any]]], chosen: tuple[int, ...], levels: Cell) -> Contrast:
    others = 1
    for i, (_, all_levels) in enumerate(factors):
        others *= 1 if i in chosen else len(all_levels)
    weights = {}
    for cell in itertools.product(*(all_levels for _, all_levels in factors)):
        weight = 1.0 / others
        for i, level in zip(chosen, levels, strict=True):
            first = factors[i][1][0]
            weight *= 1.0 if cell[i] == level else -1.0 if cell[i] == first else 0.0
        if weight:
            weights[cell] = weight
    return Contrast(factors=tuple(factors[i][0] for i in chosen), levels=levels, weights=weights)
