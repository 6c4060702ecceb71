"""Crossings: pairs whose effects change with each other, looked for in what a forest leaves unexplained.

A forest splits on one parameter at a time, and finds no first split where each does nothing alone. What it leaves
unexplained still goes with the product of the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from surefoot.analysis.column import Column, Floats

FEWEST = 30
SHUFFLES = 399
MOST_LEVELS = 6
MOST_ROWS = 2_000
MOST_PAIRED = 20
LEVEL = 0.05
MOST_FOUND = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossing:
    """How far the unexplained gains of `n` trials go with the product of two parameters.

    `r` is the largest correlation over their levels, with both parameters' own lines and bends taken out; `p` is
    family-wise over all pairs of the stratum.
    """

    a: str
    b: str
    condition: str
    n: int
    r: float
    p: float


def crossings(
    columns: Sequence[Column], unexplained: Floats, condition: str, rng: np.random.Generator
) -> tuple[Crossing, ...]:
    """Every pair with its correlation, the strongest first; none where there are too few trials or parameters.

    The unexplained gains are shuffled, and the largest over all pairs is what chance reaches.
    Source: Westfall and Young (1993), maxT; the residuals: Freedman and Lane (1983).
    """
    n = len(unexplained)
    if n < FEWEST or len(columns) < 2:
        return ()
    rows = np.arange(n) if n <= MOST_ROWS else np.sort(rng.choice(n, MOST_ROWS, replace=False))
    places = [_places(column)[rows] for column in columns[:MOST_PAIRED]]
    left, pairs = unexplained[rows], list(combinations(range(len(places)), 2))
    told: list[Crossing] = []
    floor = 0.0
    while pairs:
        shuffled = np.column_stack([left, *(rng.permutation(left) for _ in range(SHUFFLES))])
        # (pairs, 1 + shuffles): the first is what was seen.
        found = np.stack([_strengths(places[a], places[b], shuffled) for a, b in pairs])
        most = found.max(axis=0)
        here = [
            Crossing(
                a=columns[a].key,
                b=columns[b].key,
                condition=condition,
                n=n,
                r=float(strength[0]),
                p=max(floor, float((most >= strength[0] - 1e-12).mean())),
            )
            for (a, b), strength in zip(pairs, found, strict=True)
        ]
        best = int(found[:, 0].argmax())
        if here[best].p > LEVEL or len(told) == MOST_FOUND:
            return (*told, *sorted(here, key=lambda crossing: -crossing.r))
        # What a pair explains is taken out before the next, so that its shadow on others is not found too.
        told.append(here[best])
        floor = here[best].p
        a, b = pairs.pop(best)
        base, products = _parts(places[a], places[b])
        taken = np.linalg.qr(np.column_stack([base, products]))[0]
        left = left - taken @ (taken.T @ left)
    return tuple(told)


def _places(column: Column) -> Floats:
    """A number as its centred rank, a choice as its most frequent levels, shape (n, places)."""
    if column.kind == "number":
        ranks = rankdata(column.numbers)[:, None]
        return np.asarray((ranks - ranks.mean()) / (ranks.std() or 1.0), dtype=float)
    codes, counts = np.unique(column.codes, return_counts=True)
    kept = codes[np.argsort(-counts, kind="stable")][:MOST_LEVELS]
    # Of two levels one says it all.
    one_hot = (column.codes[:, None] == (kept[:1] if len(kept) == 2 else kept)[None, :]).astype(float)
    return np.asarray(one_hot - one_hot.mean(axis=0), dtype=float)


def _strengths(a: Floats, b: Floats, left: Floats) -> Floats:
    """The largest |correlation| of each column of `left` (n, m) with a product of places, shape (m,)."""
    base, products = _parts(a, b)
    left = left - base @ (base.T @ left)
    if not products.shape[1]:
        return np.zeros(left.shape[1])
    spread = np.linalg.norm(left, axis=0)
    products = products / np.linalg.norm(products, axis=0)
    return np.asarray(np.abs(products.T @ left).max(axis=0) / np.where(spread > 0, spread, 1.0), dtype=float)


def _parts(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The lines and bends of both alone as orthonormal columns, and their products without these."""
    base = np.linalg.qr(np.column_stack([np.ones(len(a)), a, b, a**2, b**2]))[0]
    products = (a[:, :, None] * b[:, None, :]).reshape(len(a), -1)
    products = products - base @ (base.T @ products)
    kept = np.linalg.norm(products, axis=0) > 1e-6 * np.sqrt(len(a))
    return base, products[:, kept]
