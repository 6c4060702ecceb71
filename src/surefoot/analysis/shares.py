"""Shares: how often elites have a level, or how close together they lie, against what was started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from surefoot.analysis.column import Booleans, Column
from surefoot.analysis.exposure import is_few_valued
from surefoot.stats.enrichment import chance_of_at_least, chance_of_closeness, least_chance, middle_half
from surefoot.stats.multiplicity import benjamini_hochberg

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelShare:
    """`k` of the `n_elite` elites had this level; `tried` of the `started` trials did, pruned and failed ones too.

    All are counted where the parameter existed. `p` is the chance that so many elites or more have it if elites
    are a draw from the started trials, `p_complete` if from the complete ones (`tried_complete` of `complete`);
    `q` is over all levels of which some count of elites could have been evidence (`is_testable`), 1 for others.
    """

    key: str
    condition: str
    level: Any
    k: int
    n_elite: int
    tried: int
    started: int
    tried_complete: int
    complete: int
    p: float = 1.0
    p_complete: float = 1.0
    q: float = 1.0
    is_testable: bool = False

    @property
    def is_evidence(self) -> bool:
        """Whether elites have the level more often than chance explains."""
        return self.is_testable and self.q <= LEVEL

    @property
    def share(self) -> float:
        """The share of elites that have it."""
        return self.k / self.n_elite if self.n_elite else 0.0

    @property
    def share_tried(self) -> float:
        """The share of started trials that have it: what chance expects of elites."""
        return self.tried / self.started


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeShare:
    """A number's range among the elites against what was tried, in its own unit.

    `middle` are the ends of the middle half of the elites, `within` is the share of the started trials between
    `low` and `high`. `p` is the chance that the middle half of as many trials drawn from the started ones lies
    as close together, by ranks; `p_complete` if drawn from the complete ones; `q` is over all numbers.
    """

    key: str
    condition: str
    n_elite: int
    started: int
    low: float
    middle: tuple[float, float]
    median: float
    high: float
    tried_low: float
    tried_high: float
    within: float
    p: float
    p_complete: float
    q: float = 1.0

    @property
    def is_evidence(self) -> bool:
        """Whether the elites lie closer together than chance explains."""
        return self.q <= LEVEL


def level_shares(columns: Sequence[Column], is_elite: Booleans, is_complete: Booleans) -> tuple[LevelShare, ...]:
    """Every level that was tried of every parameter that took two, among the elites and among all."""
    found = []
    for column in columns:
        among_elites = column.active & is_elite
        if not is_few_valued(column) or column.distinct < 2 or not among_elites.any():
            continue
        size = len(column.levels)
        k, tried, complete = (
            np.bincount(column.codes[rows], minlength=size)
            for rows in (among_elites, column.active, column.active & is_complete)
        )
        found += [
            LevelShare(
                key=column.key,
                condition=column.condition,
                level=column.levels[i],
                k=int(k[i]),
                n_elite=int(k.sum()),
                tried=int(tried[i]),
                started=int(tried.sum()),
                tried_complete=int(complete[i]),
                complete=int(complete.sum()),
            )
            for i in np.flatnonzero(tried)
        ]
    return _judged(found)


def _judged(levels: Sequence[LevelShare]) -> tuple[LevelShare, ...]:
    """The levels with their p and q."""
    if not levels:
        return ()
    k, drawn = np.array([level.k for level in levels]), np.array([level.n_elite for level in levels])
    tried, started = np.array([level.tried for level in levels]), np.array([level.started for level in levels])
    done, all_done = (np.array(x) for x in zip(*((s.tried_complete, s.complete) for s in levels), strict=True))
    p, p_complete = chance_of_at_least(k, drawn, tried, started), chance_of_at_least(k, drawn, done, all_done)
    testable = least_chance(drawn, tried, started) <= LEVEL
    q = np.ones(len(levels))
    q[testable] = benjamini_hochberg(p[testable].tolist())
    return tuple(
        replace(level, p=float(p[i]), p_complete=float(p_complete[i]), q=float(q[i]), is_testable=bool(testable[i]))
        for i, level in enumerate(levels)
    )


def range_shares(columns: Sequence[Column], is_elite: Booleans, is_complete: Booleans) -> tuple[RangeShare, ...]:
    """The range of every number that took three values and exists in two elites."""
    found = [
        _range(column, is_elite, is_complete)
        for column in columns
        if column.kind == "number" and column.distinct >= 3 and (column.active & is_elite).sum() >= 2
    ]
    q = benjamini_hochberg([share.p for share in found])
    return tuple(replace(share, q=value) for share, value in zip(found, q, strict=True))


def _range(column: Column, is_elite: Booleans, is_complete: Booleans) -> RangeShare:
    tried = column.numbers[column.active]
    of_elites, of_complete = is_elite[column.active], is_complete[column.active]
    best = tried[of_elites]
    low, high = float(best.min()), float(best.max())
    return RangeShare(
        key=column.key,
        condition=column.condition,
        n_elite=len(best),
        started=len(tried),
        low=low,
        middle=middle_half(best),
        median=float(np.median(best)),
        high=high,
        tried_low=float(tried.min()),
        tried_high=float(tried.max()),
        within=float(np.mean((tried >= low) & (tried <= high))),
        p=chance_of_closeness(tried, of_elites),
        p_complete=chance_of_closeness(tried[of_complete], of_elites[of_complete]),
    )
