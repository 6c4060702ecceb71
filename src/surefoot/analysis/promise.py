"""What a further search should come to: a range for the chosen config's value on fresh seeds, before it is begun."""

from __future__ import annotations

import math

import numpy as np

from surefoot.analysis.column import Floats
from surefoot.sweep import Expectation

FITS, DRAWS = 40, 50  # bootstrap samples, and searches played through on each
FEWEST = 8  # below so many trials there is no tail to draw from
PROBABILITY = 0.9
TAIL = 0.25
GRID, STEPS = 80, 100
MOST = 500  # trials that a prior is fitted to
RACERS, RACE_SEEDS = 8, 4


def promise(
    gains: Floats,
    *,
    sign: int,
    sd: float,
    further: int,
    claim_seeds: int,
    rng: np.random.Generator,
    standing: tuple[float, float] | None = None,
) -> Expectation | None:
    """Where the chosen config's mean over fresh seeds should lie, nine times in ten; None below eight trials.

    `gains` (n,) are the trials that lie in the new space, more is better; `sd` the noise of one run; `further` how
    many trials are to come; `standing` what the best config so far came to on fresh seeds, and how sure that is
    (mean and standard error, in the metric's own unit).

    The search to come is played through many times. What each trial is truly worth is drawn from its posterior under
    the prior that fits a bootstrap sample of the trials best (Kiefer & Wolfowitz 1956, by the EM steps of Laird 1978);
    what new trials are worth, from the posteriors of the best quarter, smoothed by a kernel (Silverman 1986, eq.
    3.31), as a search that learns finds its trials among the good ones. All are seen through noise, the best few race
    on fresh seeds, and the winner is claimed on others, as a sweep does it: so the luck of the best is in the range.
    """
    n = len(gains)
    if n < FEWEST:
        return None
    claimed = np.concatenate(
        [_played(rng.choice(gains, min(n, MOST)), sign, sd, further, claim_seeds, rng, standing) for _ in range(FITS)]
    )
    ends = np.quantile(claimed, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2])
    low, high = sorted(float(sign * end) for end in ends)
    return Expectation(low=low, high=high, against=None if standing is None else standing[0])


def _played(
    seen: Floats,
    sign: int,
    sd: float,
    further: int,
    claim_seeds: int,
    rng: np.random.Generator,
    standing: tuple[float, float] | None,
) -> Floats:
    """The claims of so many searches that go on from these trials; shape (DRAWS,)."""
    true = posterior_draws(seen, sd, DRAWS, rng)
    top = np.argsort(seen)[-max(math.ceil(TAIL * len(seen)), 2) :]
    width = 0.9 * true[:, top].std(axis=1, keepdims=True) * len(top) ** -0.2
    new = true[:, rng.choice(top, further)] + width * rng.standard_normal((DRAWS, further))
    worth = np.concatenate([true, new], axis=1)
    shown = np.concatenate([np.broadcast_to(seen, true.shape), new + sd * rng.standard_normal(new.shape)], axis=1)
    if standing is not None:
        known = sign * standing[0] + standing[1] * rng.standard_normal((DRAWS, 1))
        worth, shown = np.concatenate([worth, known], axis=1), np.concatenate([shown, known], axis=1)
    racers = np.argsort(shown, axis=1)[:, -RACERS:]
    racing = np.take_along_axis(worth, racers, axis=1)
    winner = np.argmax(racing + sd / math.sqrt(RACE_SEEDS) * rng.standard_normal(racing.shape), axis=1)
    found: Floats = racing[np.arange(DRAWS), winner] + sd / math.sqrt(claim_seeds) * rng.standard_normal(DRAWS)
    return found


def posterior_draws(seen: Floats, sd: float, draws: int, rng: np.random.Generator) -> Floats:
    """What each value is truly worth where it was seen with noise of this sd; shape (draws, len(seen))."""
    low, high = float(seen.min()), float(seen.max())
    if sd <= 0 or high <= low:
        return np.broadcast_to(seen, (draws, len(seen))).copy()
    grid = np.linspace(low, high, GRID)
    distance = (seen[:, None] - grid) / sd
    # The row's largest is 1, so that a value far from every place of the grid has a posterior all the same.
    likelihood = np.exp(-0.5 * (distance**2 - (distance**2).min(axis=1, keepdims=True)))
    prior = np.full(GRID, 1 / GRID)
    for _ in range(STEPS):
        posterior = likelihood * prior
        posterior /= posterior.sum(axis=1, keepdims=True)
        prior = posterior.mean(axis=0)
    cumulative = np.cumsum(posterior, axis=1)
    places = np.array([np.searchsorted(row, rng.random(draws)) for row in cumulative]).T
    jitter = rng.uniform(-0.5, 0.5, places.shape) * (grid[1] - grid[0])
    found: Floats = grid[np.minimum(places, GRID - 1)] + jitter
    return found
