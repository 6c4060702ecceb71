"""Ranks under noise: which are ties, which configs stay in the running, how much of the best one's lead is luck."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Booleans, Floats, Integers
from surefoot.analysis.view import View
from surefoot.stats.extremes import many_to_one, range_of_normals

CONFIDENCE = 0.95
FEWEST_CONFIGS = 4
# Configs of the same number of trainings share a critical value; larger numbers count as the next of these below.
SIZES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tie:
    """Ranks `first` to `last` (1 is the best) that noise alone would spread as far; `rows` are their trials."""

    first: int
    last: int
    rows: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lead:
    """The best config's lead over the mean of all, and how much of it is expected to be luck.

    `expected` is the value it should come to when it is tried again. `luck_interval` is what the luck would be
    were the noise at either end of its interval.
    """

    trial: str
    value: float
    mean: float
    luck: float
    luck_interval: tuple[float, float]
    expected: float
    noise_share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Configs:
    """Configs with the mean gain of their trainings; every array has shape (configs,)."""

    codes: Integers
    means: Floats
    sizes: Integers

    @staticmethod
    def of(view: View, codes: Integers, trainings: Mapping[int, Sequence[float]]) -> Configs:
        """The configs of the view."""
        known = np.unique(codes)
        means = [math.fsum(trainings[int(c)]) / len(trainings[int(c)]) for c in known]
        sizes = [len(trainings[int(c)]) for c in known]
        return Configs(codes=known, means=view.metric.sign * np.array(means), sizes=np.array(sizes))


def ties_of(view: View, sds: Floats) -> tuple[Tie, ...]:
    """Groups of neighbouring ranks, from the best down, whose range noise of these sds would reach.

    A group grows while its range stays within the 95 % point of the range of as many draws (Tukey's, the
    noise taken as known; sizes that differ as in Kramer 1956).
    """
    order = np.argsort(-view.gains, kind="stable")
    gains, spreads = view.gains[order], sds[order]
    limits = _range_limits(view.n)
    found, start = [], 0
    while start < view.n:
        width = np.sqrt((spreads[start] ** 2 + spreads[start:] ** 2) / 2)
        inside = gains[start] - gains[start:] <= limits[: view.n - start] * width
        size = view.n - start if inside.all() else int(np.argmin(inside))
        if size > 1:
            rows = tuple(int(i) for i in order[start : start + size])
            found.append(Tie(first=start + 1, last=start + size, rows=rows))
        start += max(size, 1)
    return tuple(found)


def _range_limits(n: int) -> Floats:
    """Limits of the range of 1, 2, … n draws; shape (n,). Between computed sizes it is drawn on log(size)."""
    sizes = np.unique(np.round(np.geomspace(1, max(n, 2), 24)).astype(int))
    sizes = np.union1d(sizes, np.arange(1, min(n, 16) + 1))
    limits = [range_of_normals(int(size)) for size in sizes]
    found: Floats = np.interp(np.log(np.arange(1, n + 1)), np.log(sizes), limits)
    return found


def rivals_of(configs: Configs, run_sd: float, df: int) -> tuple[Booleans, float]:
    """Which configs are not shown to be worse than the best of the others, and the difference that would show it.

    The upper ends of the simultaneous intervals of multiple comparisons with the best, each config with
    Dunnett's critical value for its own number of trainings (of `SIZES`). Source: Hsu (1984), "Constrained simultaneous
    confidence intervals for multiple comparisons with the best", Ann. Stat. 12(3); Hsu (1996), chapter 4.
    The difference is that between the best config and one of the usual size.
    """
    k = len(configs.codes)
    if k < 2:
        return np.ones(k, dtype=bool), 0.0
    rounded = np.array(SIZES)[np.searchsorted(SIZES, configs.sizes, side="right") - 1]
    sizes, inverse = np.unique(rounded, return_inverse=True)
    tops = np.array([configs.means[inverse == j].max() for j in range(len(sizes))])
    counts = Counter(rounded.tolist())
    upper = np.full(k, np.inf)
    margins = {}
    for j, own in enumerate(sizes.tolist()):
        others = Counter(counts)
        others[own] -= 1
        critical = many_to_one({size: m for size, m in others.items() if m}, own, df=df, confidence=CONFIDENCE)
        errors = critical * run_sd * np.sqrt(1 / own + 1 / sizes)
        mine = inverse == j
        upper[mine] = (configs.means[mine][:, None] - tops[None, :] + errors[None, :]).min(axis=1)
        margins[own] = errors
    best = int(np.argmax(configs.means))
    usual = max(counts, key=lambda size: counts[size])
    return upper > 0, float(margins[usual][inverse[best]])


def lead_of(view: View, codes: Integers, configs: Configs, run_sd: float, ends: tuple[float, float]) -> Lead | None:
    """How much of the best config's lead is expected to be luck: its regression to the mean of all.

    `ends` are the ends of the noise's interval in units of `run_sd`. It takes true values to be spread as a bell;
    None for fewer than four configs or no spread at all. Source: Efron & Morris (1975), "Data analysis using
    Stein's estimator and its generalizations", JASA 70.
    """
    if len(configs.codes) < FEWEST_CONFIGS:
        return None
    total = float(np.var(configs.means, ddof=1))
    if not total > 0:
        return None
    best = int(np.argmax(configs.means))
    mean = float(configs.means.mean())
    lead = float(configs.means[best]) - mean

    def luck(sd: float) -> float:
        true = max(0.0, total - float(np.mean(sd * sd / configs.sizes)))
        own = sd * sd / float(configs.sizes[best])
        return lead * own / (true + own)

    sign = view.metric.sign
    expected_luck = luck(run_sd)
    rows = np.flatnonzero(codes == configs.codes[best])
    top = rows[int(np.argmax(view.gains[rows]))]
    return Lead(
        trial=view.trials[top].name,
        value=sign * float(configs.means[best]),
        mean=sign * mean,
        luck=expected_luck,
        luck_interval=(luck(ends[0] * run_sd), luck(ends[1] * run_sd)),
        expected=sign * (float(configs.means[best]) - expected_luck),
        noise_share=min(1.0, float(np.mean(run_sd**2 / configs.sizes)) / total),
    )
