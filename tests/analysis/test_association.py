"""How strongly two columns go together: against scipy, and against the permutations themselves."""

import numpy as np
import pytest
from scipy import stats

from analysis_cases import rows_of, view
from surefoot.analysis import association as room
from surefoot.analysis.association import association, rank_correlation


def columns(**settings):
    n = len(next(iter(settings.values())))
    made = view(rows_of(list(np.arange(n, dtype=float)), **settings))
    return made.columns


def test_rank_correlation_is_scipys_to_the_last_digits():
    rng = np.random.default_rng(1)
    for n in (3, 8, 40):
        x, y = rng.integers(0, 6, n).astype(float), rng.normal(size=n)
        if len(set(x)) > 1:
            assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y), rel=1e-10)


def test_a_constant_has_no_rank_correlation():
    assert rank_correlation(np.ones(9), np.arange(9.0)) is None


@pytest.mark.parametrize("kinds", [("number", "number"), ("number", "choice"), ("choice", "choice")])
def test_the_approximated_p_is_that_of_drawn_permutations(kinds, monkeypatch):
    rng = np.random.default_rng(4)
    n, shared = 80, rng.normal(size=80)

    def made(kind):
        latent = shared * 0.35 + rng.normal(size=n)
        return latent.tolist() if kind == "number" else [f"level {int(v)}" for v in np.digitize(latent, [-1, 0, 1])]

    a, b = columns(a=made(kinds[0]), b=made(kinds[1]))
    approximated = association(a, b, np.random.default_rng(0))
    monkeypatch.setattr(room, "FEW_ROWS", n)
    drawn = association(a, b, np.random.default_rng(0))
    assert approximated.value == drawn.value
    assert approximated.p == pytest.approx(drawn.p, abs=0.012)


def test_chi_squared_varies_over_permutations_as_dawson_says():
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 4, 60), rng.integers(0, 9, 60)
    expected = np.outer(np.bincount(x), np.bincount(y)) / 60

    def chi2(y):
        table = np.bincount(x * 9 + y, minlength=36).reshape(4, 9)
        return ((table - expected) ** 2 / expected).sum()

    drawn = [chi2(rng.permutation(y)) for _ in range(6_000)]
    assert room._chi2_variance(np.bincount(x), np.bincount(y)) == pytest.approx(np.var(drawn), rel=0.08)


def test_independent_columns_are_called_linked_five_times_in_a_hundred():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(120):
        a, b = columns(a=[f"l{i}" for i in rng.integers(0, 3, 60)], b=rng.normal(size=60).tolist())
        found.append(association(a, b, rng).p < 0.05)
    assert np.mean(found) < 0.12


def test_one_to_one_levels_are_linked_fully_and_mere_names_not_at_all():
    letters = [c for c in "abc" * 10]
    a, b = columns(a=letters, b=[c.upper() for c in letters])
    assert association(a, b, np.random.default_rng(0)).value == pytest.approx(1, abs=1e-9)
    a, b = columns(a=letters, b=[f"trial {i}" for i in range(30)])
    assert association(a, b, np.random.default_rng(0)) is None
