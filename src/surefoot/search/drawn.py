"""Configs drawn from the space's own distribution: independently, or along a Sobol sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from surefoot.search.source import MOST_REJECTED, Source, nothing_admitted
from surefoot.space import Parameter, SearchSpace

SEED_RANGE = 2**64


def numbers_from(*seeds: int) -> np.random.Generator:
    """The generator of these seeds alone: what was drawn before does not matter."""
    return np.random.default_rng([seed % SEED_RANGE for seed in seeds])


def whole_number_from(*seeds: int) -> int:
    """One seed of 32 bits for those who take no more."""
    return int(np.random.SeedSequence([seed % SEED_RANGE for seed in seeds]).generate_state(1)[0])


class Point:
    """A place in the unit cube, one side for every parameter, those that do not exist in a config included."""

    def __init__(self, sides: dict[str, int], shares: list[float]) -> None:
        self._sides, self._shares = sides, shares

    def value(self, parameter: Parameter) -> Any:
        """The value of the parameter there."""
        return parameter.value_at(self._shares[self._sides[parameter.key]])


class Random(Source):
    """Independent draws."""

    most_tries = MOST_REJECTED

    def __init__(self, space: SearchSpace, seed: int) -> None:
        self._space, self._seed = space, seed
        self._sides = {p.key: i for i, p in enumerate(space.ordered)}

    def point(self, number: int, attempt: int) -> Point:
        """Where the number falls; a parameter's share does not depend on what else exists."""
        return Point(self._sides, numbers_from(self._seed, number, attempt).random(len(self._sides)).tolist())

    def draw(self, number: int, attempt: int) -> tuple[dict[str, Any], str] | None:
        """A config."""
        return self._space.build(self.point(number, attempt).value), "random"


class Sobol(Source):
    """The points of a Sobol sequence in turn; what breaks a constraint on the config is left out of it.

    Every parameter, categorical and conditional ones too, has a dimension of its own, so that each is spread
    evenly. The number is the place in the sequence; a further attempt at a number is drawn independently.
    """

    most_tries = MOST_REJECTED

    def __init__(self, space: SearchSpace, seed: int, *, scramble: bool = True) -> None:
        self._space, self._seed, self._scramble = space, seed, scramble
        self._sides = {p.key: i for i, p in enumerate(space.ordered)}
        self._random = Random(space, seed)
        self._is_constrained = bool(space.config_constraints)
        self._sequence: Any = None
        self._at = 0

    def draw(self, number: int, attempt: int) -> tuple[dict[str, Any], str] | None:
        """The config at the number's place."""
        if attempt:
            return self._random.draw(number, attempt)
        if self._sequence is None or number < self._at:
            self._sequence, self._at = self._begun(), 0
        if not self._is_constrained and number > self._at:  # scipy cannot go forward by nothing
            self._sequence.fast_forward(number - self._at)
            self._at = number
        while self._at < number:
            self._next()
        return self._next(), "sobol"

    def point(self, number: int, attempt: int) -> Point:
        """The number's place in the whole sequence, whatever its constraints."""
        if attempt:
            return self._random.point(number, attempt)
        sequence = self._begun()
        if number:
            sequence.fast_forward(number)
        return Point(self._sides, sequence.random(1)[0].tolist())

    def _begun(self) -> Any:
        # scipy.stats takes a second to load: only who draws pays for it.
        from scipy.stats.qmc import Sobol as Sequence

        generator = numbers_from(self._seed)
        return Sequence(len(self._sides), scramble=self._scramble, bits=30, seed=generator, optimization=None)

    def _next(self) -> dict[str, Any]:
        """The next config that keeps the constraints."""
        for _ in range(MOST_REJECTED):
            settings = self._space.build(Point(self._sides, self._sequence.random(1)[0].tolist()).value)
            if self._space.broken(settings) is None:
                self._at += 1
                return settings
        raise nothing_admitted(self._space)
