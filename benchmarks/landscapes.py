"""The champion's walk over measured landscapes of real networks: how far, how often wrong, how honest.

A landscape is a table of every configuration of a grid, trained with several seeds. Its means are
taken as the truth and its standard deviations as each configuration's noise; new seeds are drawn
from them, with the share of noise common to a seed as measured among the best tenth of the table, and
never beyond what the metric can reach (an accuracy of 1, a loss of 0).

A walk begins at a configuration drawn from the second-worst quarter ("poor start") or from the
second-best ("fair start", where the gap is small beside the noise). Neighbours are proposed at
random: one parameter to an adjacent value (an ordered one) or to any other (a choice); once all
neighbours of a champion were tried, two parameters change, then three. All arms train on seeds 1 to
8, and no configuration trains twice on a seed. Priors and correlation come from the walk's own past.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from figures import Figure, at_least, at_most, between, must_fail, told
from simulation import GAIN, data_root, main, spread, warm_thresholds
from surefoot.claim import Step, confirm
from surefoot.comparison import study_noise
from surefoot.plan import Prediction, Rule
from surefoot.stats.noise import paired_set
from surefoot.verdict import Decision, decide

NAMES = (
    "hpobench__australian",
    "hpobench__car",
    "hpobench__credit_g",
    "hpobench__phoneme",
    "hpobench__vehicle",
    "hpolib__naval_propulsion",
    "hpolib__protein_structure",
    "nasbench201__cifar10",
)
RULES = {
    "race .20": Rule(adopt_alpha=0.20, support_alpha=0.20),
    "adopt .20, support .05 (the default)": Rule(),
    "race .05": Rule(adopt_alpha=0.05, support_alpha=0.05),
}
STATED = ("race .20", "adopt .20, support .05 (the default)")
SINGLE = "single run > best single run"
BUDGETS = (150, 500)
FLOOR_SEEDS = 5
BETTER = Prediction(arm="arm", metric="score", relation="better")


@dataclass(frozen=True, kw_only=True, slots=True)
class Landscape:
    """True quality (more is better) and noise of every configuration of a grid, row by row of the full grid."""

    name: str
    sizes: tuple[int, ...]
    is_ordered: tuple[bool, ...]
    truth: np.ndarray
    sd: np.ndarray
    correlation: float
    bound: float

    @property
    def best(self) -> float:
        """The truth of the best configuration."""
        return float(self.truth.max())

    def value(self, config: int, noise: float) -> float:
        """What a run of the config reports; `noise` has variance 1."""
        return min(float(self.truth[config] + self.sd[config] * noise), self.bound)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The values of every configuration (more is better), row by row of the full grid; NaN where a seed is missing."""

    sizes: tuple[int, ...]
    is_ordered: tuple[bool, ...]
    values: np.ndarray
    sign: float


@cache
def table(name: str) -> Table:
    """The measured values of a table, its rows put in the order of the grid."""
    folder = data_root() / "hpo_bench"
    stored = np.load(folder / f"{name}.npz")
    space = json.loads((folder / f"{name.split('__', maxsplit=1)[0]}__space.json").read_text())
    choices = list(space["search_space"].values())
    sizes = tuple(len(c) for c in choices)
    sign = 1.0 if space["directions"][space["main"]] == "maximize" else -1.0
    rows = np.ravel_multi_index(stored["config_index"].T.astype(int), sizes)
    values = np.empty(stored[space["main"]].shape)
    values[rows] = sign * stored[space["main"]].astype(float)
    is_ordered = tuple(len(c) > 2 and not isinstance(c[0], str) for c in choices)
    return Table(sizes=sizes, is_ordered=is_ordered, values=values, sign=sign)


@cache
def landscape(name: str) -> Landscape:
    """The landscape of a table."""
    found = table(name)
    values, sign = found.values, found.sign
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        truth, sd = np.nanmean(values, axis=1), np.nanstd(values, axis=1, ddof=1)
        best = np.argsort(truth)[-len(truth) // 10 :]
        common = np.nanmean(values[best] - truth[best, None], axis=0)
    share = (common**2).sum() / (values.shape[1] - 1) / np.nanmean(sd[best] ** 2)
    return Landscape(
        name=name,
        sizes=found.sizes,
        is_ordered=found.is_ordered,
        truth=truth,
        sd=np.nan_to_num(sd),
        correlation=float(min(share, 1.0)),
        bound=0.0 if sign < 0 else 1.0 if np.nanmax(values) <= 1 else 100.0,
    )


@dataclass(kw_only=True, slots=True)
class Runs:
    """The values of configurations on seeds; a configuration is trained once per seed, and counted then."""

    land: Landscape
    rng: np.random.Generator
    spent: int = 0
    values: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    of_seed: list[float] = field(default_factory=list)

    def first(self, config: int, n: int) -> list[float]:
        """The config's values on the first n seeds, trained as far as needed."""
        known, rho = self.values[config], self.land.correlation
        while len(self.of_seed) < n:
            self.of_seed.append(float(self.rng.standard_normal()))
        while len(known) < n:
            own = float(self.rng.standard_normal())
            noise = math.sqrt(rho) * self.of_seed[len(known)] + math.sqrt(1 - rho) * own
            known.append(self.land.value(config, noise))
            self.spent += 1
        return known[:n]


def start_of(land: Landscape, kind: str, rng: np.random.Generator) -> int:
    """A configuration from the quarter of the table that the kind of start means."""
    quarter = {"poor start": 1, "fair start": 2}[kind]
    order = np.argsort(land.truth)
    return int(rng.choice(order[len(order) * quarter // 4 : len(order) * (quarter + 1) // 4]))


def neighbours(land: Landscape, config: int, rng: np.random.Generator) -> Iterator[int]:
    """Neighbours in random order, without end: one parameter changed until all were met, then two, then three."""
    met: set[int] = {config}
    for reach in (1, 2, 3):
        misses = 0
        while misses < 60:
            found = config
            for axis in rng.permutation(len(land.sizes))[:reach]:
                found = _moved(land, found, int(axis), rng)
            if found in met:
                misses += 1
                continue
            misses = 0
            met.add(found)
            yield found


def _moved(land: Landscape, config: int, axis: int, rng: np.random.Generator) -> int:
    place = list(np.unravel_index(config, land.sizes))
    size = land.sizes[axis]
    if land.is_ordered[axis]:
        options = [k for k in (place[axis] - 1, place[axis] + 1) if 0 <= k < size]
    else:
        options = [k for k in range(size) if k != place[axis]]
    place[axis] = options[int(rng.integers(len(options)))]
    return int(np.ravel_multi_index(place, land.sizes))


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    folder = data_root() / "hpo_bench"
    if not folder.exists():
        sys.exit(f"the landscapes are not at {folder}; set SUREFOOT_DATA to the folder that holds hpo_bench")
    warm_thresholds([rule.looks for rule in RULES.values()])
    for name in NAMES:
        landscape(name)
    figures: list[Figure] = []
    for start in ("poor start", "fair start"):
        for rule in (*RULES, SINGLE):
            jobs = [(name, rule, start, [seed, i, r]) for i, name in enumerate(NAMES) for r in range(repetitions)]
            walks = spread(walk, jobs, workers)
            figures += _figures(rule, start, walks, [job[0] for job in jobs])
    return figures


def _figures(rule: str, start: str, walks: Sequence[dict[str, float]], names: Sequence[str]) -> list[Figure]:
    cell = f"{start}, {rule}"
    closed = {b: 100 * _mean(walks, f"closed {b}") for b in BUDGETS}
    adopted = sum(w["adopted"] for w in walks)
    harmful = 100 * sum(w["harmful"] for w in walks) / max(adopted, 1.0)
    claimed = _mean(walks, "claimed") / _mean(walks, "closed 500")
    naive = _mean(walks, "naive") / _mean(walks, "closed 500")
    figures = [told(cell, "gap closed after 150 runs, %", closed[150])]
    what = "gap closed after 500 runs, %"
    if rule in STATED:
        figures += [
            at_least(cell, what, closed[500], 80.0),
            at_most(cell, "harmful adoptions, %", harmful, 10.0),
            between(cell, "confirmed gain / true gain", claimed, 0.75, 1.25),
        ]
    elif rule == SINGLE:
        figures += [
            must_fail(cell, "gap left open after 500 runs, %", 100 - closed[500], 20.0),
            must_fail(cell, "harmful adoptions, %", harmful, 10.0),
            must_fail(cell, "claimed gain / true gain", naive, 1.25),
        ]
    else:
        figures += [told(cell, what, closed[500]), told(cell, "harmful adoptions, %", harmful)]
        figures.append(told(cell, "confirmed gain / true gain", claimed))
    if rule != SINGLE:
        figures.append(told(cell, "exploring gain / true gain", naive))
        figures.append(told(cell, "confirmed by 8 fresh seeds, %", 100 * _mean(walks, "confirmed")))
    figures.append(told(cell, "adoptions a walk", adopted / len(walks)))
    for name in dict.fromkeys(names):
        some = [w for w, n in zip(walks, names, strict=True) if n == name]
        figures.append(told(cell, f"  {name}: gap closed, %", 100 * _mean(some, "closed 500")))
    return figures


def _mean(walks: Sequence[dict[str, float]], key: str) -> float:
    return math.fsum(w[key] for w in walks) / len(walks)


def walk(name: str, rule: str, kind: str, seed: list[int]) -> dict[str, float]:
    """One walk of 500 runs: shares of the gap from the start to the optimum, closed and claimed."""
    land, rng = landscape(name), np.random.default_rng(seed)
    start = start_of(land, kind, rng)
    runs = Runs(land=land, rng=rng)
    path = _single_walk(runs, start) if rule == SINGLE else _raced_walk(runs, start, RULES[rule])
    gap = land.best - float(land.truth[start])
    steps = path["champions"]
    # One walk into a diverging corner would else outweigh all others: no walk counts below -100 %.
    closed = {f"closed {b}": max((land.truth[_champion_at(steps, b)] - land.truth[start]) / gap, -1.0) for b in BUDGETS}
    moves = [land.truth[b] - land.truth[a] for (_, a), (_, b) in itertools.pairwise(steps)]
    return {
        **{key: float(value) for key, value in closed.items()},
        "adopted": float(len(moves)),
        "harmful": float(sum(move < 0 for move in moves)),
        "naive": path["naive"] / gap,
        "claimed": path["claimed"] / gap,
        "confirmed": path["confirmed"],
    }


def _champion_at(steps: Sequence[tuple[int, int]], budget: int) -> int:
    return [config for spent, config in steps if spent <= budget][-1]


def _raced_walk(runs: Runs, start: int, rule: Rule) -> dict:
    """The walk through decide(): screen, race, adopt, and a confirmation of the whole on fresh seeds."""
    champion, past, budget = start, [], BUDGETS[-1]
    floor = runs.first(start, FLOOR_SEEDS)
    champions, proposals = [(0, start)], neighbours(runs.land, start, runs.rng)
    while runs.spent < budget and (arm := next(proposals, None)) is not None:
        noise = study_noise(floor, past)
        n = 0
        while runs.spent < budget:
            verdict = decide(
                BETTER,
                runs.first(arm, n),
                runs.first(champion, n),
                metric=GAIN,
                rule=rule,
                noise=noise,
                is_screened=rule.is_screened,
            )
            if verdict.is_settled:
                break
            n = verdict.wanted
        if n >= 2:
            past.append(paired_set(runs.first(arm, n), runs.first(champion, n)))
        if verdict.decision is Decision.ADOPT:
            champion = arm
            champions.append((runs.spent, champion))
            proposals = neighbours(runs.land, champion, runs.rng)
    noise, seeds = study_noise(floor, past), len(runs.values[champion])
    naive = np.mean(runs.values[champion]) - np.mean(runs.first(start, seeds))
    fresh = Runs(land=runs.land, rng=runs.rng)
    step = Step(
        name="champion against baseline",
        before="baseline",
        after="champion",
        before_values=tuple(fresh.first(start, rule.confirm_seeds)),
        after_values=tuple(fresh.first(champion, rule.confirm_seeds)),
    )
    (claim,) = confirm([step], metric=GAIN, rule=rule, noise=noise)
    return {
        "champions": champions,
        "naive": float(naive),
        "claimed": claim.estimate if claim.estimate is not None else 0.0,
        "confirmed": float(claim.is_confirmed),
    }


def _single_walk(runs: Runs, start: int) -> dict:
    """Keep-if-better: each proposal is one run on a seed of its own, kept where it beats the best run so far."""
    land, rng = runs.land, runs.rng

    def one_run(config: int) -> float:
        return land.value(config, float(rng.standard_normal()))

    champion, first = start, one_run(start)
    best, champions = first, [(1, start)]
    for spent in range(2, BUDGETS[-1] + 1):
        arm = _moved(land, champion, int(rng.integers(len(land.sizes))), rng)
        value = one_run(arm)
        if value > best:
            champion, best = arm, value
            champions.append((spent, champion))
    return {"champions": champions, "naive": best - first, "claimed": best - first, "confirmed": 0.0}


if __name__ == "__main__":
    sys.exit(main("The champion's walk over eight landscapes", measure, 50))
