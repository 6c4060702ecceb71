"""Main effects and interactions, against a least-squares fit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from surefoot.stats.factorial import contrasts

TWO = (("norm", ("none", "batch")), ("dropout", (0.0, 0.1)))
MIXED = (("norm", ("none", "batch", "layer")), ("dropout", (0.0, 0.1)), ("filters", (32, 64)))


def test_a_two_by_two_by_hand():
    values = {("none", 0.0): 1.0, ("none", 0.1): 2.0, ("batch", 0.0): 5.0, ("batch", 0.1): 9.0}
    norm, dropout, both = contrasts(TWO)
    assert norm.of(values) == (5 + 9) / 2 - (1 + 2) / 2
    assert dropout.of(values) == (2 + 9) / 2 - (1 + 5) / 2
    assert both.of(values) == (9 - 5) - (2 - 1)
    assert [c.noise_factor for c in (norm, dropout, both)] == [0.5, 0.5, 2.0]


@pytest.mark.parametrize("factors", [TWO, MIXED])
def test_contrasts_are_those_of_a_least_squares_fit_with_effect_coding(factors):
    rng, cells = np.random.default_rng(4), list(itertools.product(*(levels for _, levels in factors)))
    table = {cell: rng.normal(size=5) for cell in cells}
    columns, rows = _design(factors, cells)
    y = np.array([value for cell in cells for value in table[cell]])
    fit = dict(zip(columns, np.linalg.lstsq(np.repeat(rows, 5, axis=0), y, rcond=None)[0], strict=True))

    means = {cell: float(np.mean(values)) for cell, values in table.items()}
    for contrast in contrasts(factors):
        axes = [[name for name, _ in factors].index(f) for f in contrast.factors]
        wanted = 0.0
        for signs in itertools.product((0, 1), repeat=len(axes)):
            picked = [
                (axis, factors[axis][1][0] if sign else level)
                for axis, level, sign in zip(axes, contrast.levels, signs, strict=True)
            ]
            wanted += (-1) ** sum(signs) * _fitted(fit, factors, picked)
        assert contrast.of(means) == pytest.approx(wanted, abs=1e-12)


def _design(factors, cells):
    """Effect coding: every level but the last has a column, +1 at it and -1 at the last; and all products."""
    coded = []
    for axis, (_, levels) in enumerate(factors):
        coded.append([((axis, k),) for k in levels[:-1]])
    columns = [()]
    for order in range(1, len(factors) + 1):
        for axes in itertools.combinations(range(len(factors)), order):
            columns += [tuple(itertools.chain(*names)) for names in itertools.product(*(coded[a] for a in axes))]
    rows = []
    for cell in cells:
        row = []
        for column in columns:
            value = 1.0
            for axis, k in column:
                last = factors[axis][1][-1]
                value *= 1.0 if cell[axis] == k else -1.0 if cell[axis] == last else 0.0
            row.append(value)
        rows.append(row)
    return columns, np.array(rows)


def _fitted(fit, factors, picked):
    """The fitted effect of the picked levels together, the other factors averaged out."""
    terms = [_term(factors, axis, level) for axis, level in picked]
    return sum(
        fit[tuple(itertools.chain(*(name for name, _ in chosen)))] * np.prod([w for _, w in chosen])
        for chosen in itertools.product(*terms)
    )


def _term(factors, axis, level):
    levels = factors[axis][1]
    if level == levels[-1]:
        return [(((axis, k),), -1.0) for k in levels[:-1]]
    return [(((axis, level),), 1.0)]


@pytest.mark.parametrize("factors", [TWO, MIXED])
def test_every_level_is_held_against_its_factors_first(factors):
    found = contrasts(factors)
    mains = [c for c in found if len(c.factors) == 1]
    assert len(mains) == sum(len(levels) - 1 for _, levels in factors)
    assert all(sum(c.weights.values()) == pytest.approx(0.0) for c in found)


@pytest.mark.parametrize("factors", [TWO, MIXED])
def test_the_noise_factor_is_the_contrasts_variance_over_a_differences(factors):
    rng, cells = np.random.default_rng(6), list(itertools.product(*(levels for _, levels in factors)))
    noise = rng.standard_normal((40_000, len(cells)))
    for contrast in contrasts(factors):
        weights = np.array([contrast.weights.get(cell, 0.0) for cell in cells])
        assert (noise @ weights).var() / 2 == pytest.approx(contrast.noise_factor, rel=0.04)
