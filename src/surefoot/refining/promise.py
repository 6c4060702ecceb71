"""What a further search should come to: a range for the chosen config's value on fresh seeds, before it is begun."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Floats
from surefoot.sweep import Expectation

FITS, DRAWS = 40, 50  # bootstrap samples, and searches played through on each
FEWEST = 8  # below so many trials there is no tail to draw from
PROBABILITY = 0.9
TAIL = 0.25
ROOM = 0.05  # added at both ends for what the model leaves out, as a share of the range
WIDEST = 0.8  # how far beyond the best quarter a new trial may lie, in its standard deviations
GRID, STEPS = 80, 100
MOST = 500  # trials that a prior is fitted to
RACERS, RACE_SEEDS = 8, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The config that an earlier sweep chose: its place among the trials, and its `values` on seeds that chose nothing.

    `mean` and its standard `error` are on the scale that the range is thought of in.
    """

    place: int
    mean: float
    error: float
    values: tuple[float, ...] = ()


def promise(
    gains: Floats,
    *,
    sign: int,
    sd: float,
    df: float,
    further: int,
    claim_seeds: int,
    rng: np.random.Generator,
    standing: Standing | None = None,
) -> Expectation | None:
    """Where the chosen config's mean over fresh seeds should lie, nine times in ten; None below eight trials.

    `gains` (n,) are the trials that lie in the new space, more is better; `sd` the noise of one run, known with `df`
    degrees of freedom; `further` how many trials are to come; `standing` what the config chosen so far came to on
    fresh seeds. Trials are compared with that config by what both showed, as all of them were seen on one seed, which
    may flatter all alike.

    The search to come is played through many times. What each trial is truly worth is drawn from its posterior under
    the prior that fits a bootstrap sample of the trials best (Kiefer & Wolfowitz 1956, by the EM steps of Laird 1978);
    what new trials are worth, from the posteriors of the best quarter and somewhat beyond, as a search that learns
    finds its trials among the good ones. All are seen through noise, the best few race on fresh seeds, and the winner
    is claimed on others, as a sweep does it: so the luck of the best is in the range. How often such a range holds is
    measured in benchmarks/refining.py.
    """
    n = len(gains)
    if n < FEWEST:
        return None
    played = []
    for _ in range(FITS):
        noise = sd * math.sqrt(df / rng.chisquare(df))
        played.append(_played(_resampled(gains, standing, rng), sign, noise, further, claim_seeds, rng, standing))
    claimed = np.concatenate(played)
    ends = np.quantile(claimed, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2])
    room = ROOM * float(ends[1] - ends[0])
    low, high = sorted((float(sign * (ends[0] - room)), float(sign * (ends[1] + room))))
    return Expectation(low=low, high=high, against=None if standing is None else standing.mean)


def _resampled(gains: Floats, standing: Standing | None, rng: np.random.Generator) -> Floats:
    """A bootstrap sample of the trials; the standing one comes first where there is one."""
    found: Floats = rng.choice(gains, min(len(gains), MOST))
    if standing is not None:
        found[0] = gains[standing.place]
    return found


def _played(
    seen: Floats,
    sign: int,
    sd: float,
    further: int,
    claim_seeds: int,
    rng: np.random.Generator,
    standing: Standing | None,
) -> Floats:
    """The claims of so many searches that go on from these trials; shape (DRAWS,)."""
    true = posterior_draws(seen, sd, DRAWS, rng)
    top = np.argsort(seen)[-max(math.ceil(TAIL * len(seen)), 2) :]
    # How much a search finds is not known: between nothing new and a good trial at every draw.
    good = int(rng.integers(0, further, endpoint=True))
    width = rng.uniform(0, WIDEST) * true[:, top].std(axis=1, keepdims=True)
    new = true[:, rng.choice(top, good)] + width * rng.standard_normal((DRAWS, good))
    worth = np.concatenate([true, new], axis=1)
    shown = np.concatenate([np.broadcast_to(seen, true.shape), new + sd * rng.standard_normal(new.shape)], axis=1)
    if standing is not None:
        worth = worth - true[:, :1] + sign * standing.mean + standing.error * rng.standard_normal((DRAWS, 1))
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
