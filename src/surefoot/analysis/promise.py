"""What a further search should come to: a range for the chosen config's value on fresh seeds, before it is begun."""

from __future__ import annotations

import math

import numpy as np

from surefoot.analysis.column import Floats
from surefoot.sweep import Expectation

DRAWS = 2000
FEWEST = 8  # below so many trials there is no tail to draw from
PROBABILITY = 0.9
TAIL = 0.25


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
    many trials are to come; `standing` what the best config so far is known to be worth on fresh seeds, and how
    sure that is (mean and standard error, in the metric's own unit).

    Each draw takes a bootstrap sample of the trials, shrinks them towards their mean by the share of their variance
    that is noise (James & Stein 1961), and draws the further trials from its best quarter, smoothed by a kernel
    (Silverman 1986, eq. 3.31); the best config so far stays in the race. A search that learns finds its trials among
    the good ones, which is why the best quarter stands for what is to come; its own noise is added to the claim.
    """
    n = len(gains)
    if n < FEWEST:
        return None
    best = np.empty(DRAWS)
    for i in range(DRAWS):
        true = shrunken(rng.choice(gains, n), sd)
        top = np.sort(true)[-max(math.ceil(TAIL * n), 2) :]
        width = 0.9 * top.std() * len(top) ** -0.2
        drawn = rng.choice(top, further) + width * rng.standard_normal(further)
        best[i] = max(drawn.max(initial=-math.inf), _standing(true, sign, standing, rng))
    claimed = best + rng.normal(0.0, sd / math.sqrt(claim_seeds), DRAWS)
    ends = np.quantile(claimed, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2])
    low, high = sorted(float(sign * end) for end in ends)
    return Expectation(low=low, high=high, against=None if standing is None else standing[0])


def shrunken(values: Floats, sd: float) -> Floats:
    """The values drawn towards their mean by the share of their variance that noise of this sd explains."""
    spread = float(values.var(ddof=1))
    kept = max(0.0, 1 - sd**2 / spread) if spread > 0 else 0.0
    found: Floats = values.mean() + kept * (values - values.mean())
    return found


def _standing(true: Floats, sign: int, standing: tuple[float, float] | None, rng: np.random.Generator) -> float:
    if standing is None:
        return float(true.max())
    return sign * standing[0] + standing[1] * float(rng.standard_normal())
