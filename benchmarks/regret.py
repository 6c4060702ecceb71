"""What a sweep leaves on the table and what it claims: 100 runs of ours against 100 trials of Optuna's default.

Every table of `landscapes` is searched with the feedback of single seeds. A run's value is one of the config's
recorded seeds, drawn at random *with* replacement: so the truth of a config, the mean over its seeds, is exactly what
its runs are worth on average. (The tables have two to five seeds a config. Drawn without replacement, the seeds that
are left after a lucky one would be worth less than the truth, and an honest claim would look too low.)

Ours is the default of `surefoot sweep` with `budget: {runs: 100}`: TPE explores on one seed, the best few race on fresh
seeds, common to them, and the value claimed comes from seeds that no choice has seen; all of it within the 100 runs. A
config that is proposed again on the seed it has costs no run, as in the sweep. Optuna's is `create_study()` with
its default sampler and 100 single runs, chosen `best_params`, shown `best_value`; each run has a random seed or, as
some scripts do, all have one. Both see the same space: ordered settings as whole numbers over the places of the
grid, the others as choices.

Regret is the distance of the chosen config's truth to the best one's, and a gain its distance from the middle config of
the table, both as a share of the way from the middle to the best. What was tried while the procedure was made was
tried with other seeds.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Sequence
from functools import cache

import numpy as np
import optuna

from figures import Figure, at_most, between, must_fail, told
from landscapes import NAMES, table
from simulation import GAIN, data_root, main, spread
from surefoot.choosing import DEFAULT, Candidate, confirmed, exploring_share, fitted, wanted
from surefoot.run import Status
from surefoot.search import Search
from surefoot.space import SearchSpace, choice, integer
from surefoot.stats.comparisons import mean_estimate
from surefoot.sweep import Method

RUNS = 100
OURS, UNCONFIRMED = "Surefoot", "Surefoot without confirmation"
OPTUNA, OPTUNA_ONE_SEED = "Optuna", "Optuna, one seed for all runs"
SIDES = (OURS, UNCONFIRMED, OPTUNA, OPTUNA_ONE_SEED)
MOST_TRIALS = 4 * RUNS


class Problem:
    """A table as something to search: what a run reports, and what is true."""

    def __init__(self, name: str) -> None:
        found = table(name)
        self.sizes, self.is_ordered = found.sizes, found.is_ordered
        self.names = tuple(f"p{i}" for i in range(len(found.sizes)))
        self.values = [row[np.isfinite(row)] for row in found.values]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            self.truth = np.nanmean(found.values, axis=1)
        self.middle, self.best = float(np.median(self.truth)), float(self.truth.max())

    def config(self, settings: dict) -> int:
        """The row of the table that these settings mean."""
        return int(np.ravel_multi_index([int(settings[name]) for name in self.names], self.sizes))

    def run(self, config: int, seed: float) -> float:
        """What a run reports: the config's value on the recorded seed that `seed`, from 0 to 1, falls on."""
        values = self.values[config]
        return float(values[int(seed * len(values))])

    def gain(self, value: float) -> float:
        """How far a value is on the way from the middle config to the best."""
        return (value - self.middle) / (self.best - self.middle)


@cache
def problem(name: str) -> Problem:
    return Problem(name)


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    folder = data_root() / "hpo_bench"
    if not folder.exists():
        sys.exit(f"the tables are not at {folder}; set SUREFOOT_DATA to the folder that holds hpo_bench")
    for name in NAMES:
        problem(name)
    found = {}
    for i, name in enumerate(NAMES):
        found[name] = spread(sweeps, [(name, [seed, i, r]) for r in range(repetitions)], workers)
    return [*_over_all(found), *(figure for name in NAMES for figure in _of_one(name, found[name]))]


def sweeps(name: str, seed: list[int]) -> dict[str, float]:
    """One sweep of each side from the same seed: regret, gain, the gain that is claimed."""
    of_search, of_runs, of_sampler = np.random.SeedSequence(seed).spawn(3)
    search_seed = int(of_search.generate_state(1)[0])
    sampler_seed = int(of_sampler.generate_state(1)[0])
    seeds = np.random.default_rng(of_runs).random(2 * RUNS)
    land = problem(name)
    return {
        **_told_of(land, OURS, *ours(land, search_seed, seeds)),
        **_told_of(land, UNCONFIRMED, *unconfirmed(land, search_seed, seeds)),
        **_told_of(land, OPTUNA, *optunas(land, sampler_seed, seeds[:RUNS])),
        **_told_of(land, OPTUNA_ONE_SEED, *optunas(land, sampler_seed, seeds[:1].repeat(RUNS))),
    }


def _told_of(
    land: Problem, side: str, config: int, claimed: float, interval: tuple[float, float] | None = None
) -> dict:
    gain = land.gain(float(land.truth[config]))
    covers = math.nan if interval is None else float(interval[0] <= land.truth[config] <= interval[1])
    return {
        f"{side} regret": 1 - gain,
        f"{side} gain": gain,
        f"{side} claimed": land.gain(claimed),
        f"{side} covers": covers,
    }


def ours(land: Problem, search_seed: int, seeds: np.ndarray) -> tuple[int, float, tuple[float, float] | None]:
    """The config that our sweep chooses, the value it claims, and the interval of that."""
    confirmation = fitted(DEFAULT, RUNS)
    explored = explore(land, search_seed, float(seeds[0]), exploring_share(RUNS))
    fresh: dict[int, list[float]] = {config: [] for config in explored}
    spent = len(explored)

    def candidates() -> list[Candidate]:
        return [Candidate(number=c, explored=(v,), fresh=tuple(fresh[c])) for c, v in explored.items()]

    while more := wanted(candidates(), metric=GAIN, confirmation=confirmation, runs_left=RUNS - spent):
        for config, count in more.items():
            for place in range(len(fresh[config]), count):
                fresh[config].append(land.run(config, float(seeds[1 + place])))
                spent += 1
    assert spent <= RUNS
    found = confirmed(candidates(), metric=GAIN, confirmation=confirmation)
    assert found.number is not None and found.estimate is not None
    return found.number, found.estimate, found.interval


def unconfirmed(land: Problem, search_seed: int, seeds: np.ndarray) -> tuple[int, float]:
    """The best of our search where all runs explore, and its value: what the confirmation adds is the rest."""
    explored = explore(land, search_seed, float(seeds[0]), RUNS)
    return max(explored.items(), key=lambda item: item[1])


def explore(land: Problem, search_seed: int, seed: float, runs: int) -> dict[int, float]:
    """The value on the exploring seed of every config that our default search tries in so many runs."""
    parameters = tuple(
        integer(name, 0, size - 1) if is_ordered else choice(name, *range(size))
        for name, size, is_ordered in zip(land.names, land.sizes, land.is_ordered, strict=True)
    )
    search = Search(SearchSpace(parameters=parameters), targets=(GAIN,), method=Method(), seed=search_seed)
    explored: dict[int, float] = {}
    for _ in range(MOST_TRIALS):
        if len(explored) >= runs or (proposal := search.ask()) is None:
            break
        config = land.config(proposal.settings)
        explored.setdefault(config, land.run(config, seed))
        search.tell(proposal.number, values=[explored[config]], status=Status.COMPLETE)
    return explored


def optunas(land: Problem, sampler_seed: int, seeds: np.ndarray) -> tuple[int, float]:
    """The config of Optuna's best trial, and the best value that it shows."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=sampler_seed))

    def objective(trial: optuna.Trial) -> float:
        settings = {
            name: trial.suggest_int(name, 0, size - 1) if is_ordered else trial.suggest_categorical(name, range(size))
            for name, size, is_ordered in zip(land.names, land.sizes, land.is_ordered, strict=True)
        }
        return land.run(land.config(settings), float(seeds[trial.number]))

    study.optimize(objective, n_trials=len(seeds))
    return land.config(study.best_params), study.best_value


# --- figures ---------------------------------------------------------------------------------------------------------


def _over_all(found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    cell = "all problems"
    regret = {side: 100 * _mean_of_problems(found, f"{side} regret") for side in SIDES}
    figures = [told(cell, f"{side}: regret, % of the way to the best", value) for side, value in regret.items()]
    for side in (OPTUNA, OPTUNA_ONE_SEED):
        figures.append(at_most(cell, f"regret, ours / {side}", regret[OURS] / regret[side], 1.0))
        estimate = mean_estimate(_paired_differences(found, side))
        figures.append(at_most(cell, f"ours less {side}, upper end of 95 %, %", 100 * estimate.interval()[1], 0.0))
    figures.append(between(cell, "claimed gain / true gain", _ratio_of_problems(found, OURS), 0.9, 1.1))
    figures.append(must_fail(cell, "Optuna: shown gain / true gain", _ratio_of_problems(found, OPTUNA), 1.1))
    for side in (OPTUNA_ONE_SEED, UNCONFIRMED):
        figures.append(told(cell, f"{side}: shown gain / true gain", _ratio_of_problems(found, side)))
    covers = [s[f"{OURS} covers"] for some in found.values() for s in some if not math.isnan(s[f"{OURS} covers"])]
    return [*figures, told(cell, "claimed interval of 95 % holds the truth, %", 100 * float(np.mean(covers)))]


def _of_one(name: str, some: list[dict[str, float]]) -> list[Figure]:
    regret = {side: 100 * _mean(some, f"{side} regret") for side in SIDES}
    figures = [told(name, f"{side}: regret, %", value) for side, value in regret.items()]
    figures.append(told(name, "regret, ours / Optuna", regret[OURS] / regret[OPTUNA]))
    figures.append(between(name, "claimed gain / true gain", _ratio(some, OURS), 0.9, 1.1))
    figures.append(told(name, "Optuna: shown gain / true gain", _ratio(some, OPTUNA)))
    for side in (OURS, OPTUNA):
        misses = [abs(s[f"{side} claimed"] - s[f"{side} gain"]) for s in some]
        figures.append(told(name, f"{side}: a claim misses the gain by, %", 100 * float(np.mean(misses))))
    return figures


def _mean(some: Sequence[dict[str, float]], key: str) -> float:
    return math.fsum(s[key] for s in some) / len(some)


def _ratio(some: Sequence[dict[str, float]], side: str) -> float:
    return _mean(some, f"{side} claimed") / _mean(some, f"{side} gain")


def _mean_of_problems(found: dict[str, list[dict[str, float]]], key: str) -> float:
    return math.fsum(_mean(some, key) for some in found.values()) / len(found)


def _ratio_of_problems(found: dict[str, list[dict[str, float]]], side: str) -> float:
    return math.fsum(_ratio(some, side) for some in found.values()) / len(found)


def _paired_differences(found: dict[str, list[dict[str, float]]], side: str) -> list[float]:
    """Ours less the other side's regret, averaged over the problems, repetition by repetition."""
    repetitions = zip(*found.values(), strict=True)
    return [math.fsum(s[f"{OURS} regret"] - s[f"{side} regret"] for s in row) / len(row) for row in repetitions]


if __name__ == "__main__":
    sys.exit(main("Regret and honesty of a sweep of 100 runs", measure, 30))
