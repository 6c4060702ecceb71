"""What a proposal costs, against the same Optuna sampler alone, and what it costs to rebuild a search.

    python benchmarks/proposing.py [--told N N] [--asks N] [--json FILE]

Targets: a proposal of TPE (ask, and tell what came of it) at 1,000 and at 10,000 told trials takes at most 1.1
times what Optuna's own study takes with the same options, both in memory; 10,000 trials are recalled and told in
under 2 s. The other methods are measured beside it.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna

from figures import Figure, at_most, publish, told
from surefoot.run import Metric, Status
from surefoot.search import Search
from surefoot.search.tpe import fading, good_trials
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.sweep import Method

BOUND = 1.1
RECALL_SECONDS = 2.0
SPACE = SearchSpace(
    parameters=(
        real("lr", 1e-5, 1e-1, log=True),
        real("weight_decay", 1e-6, 1e-2, log=True),
        real("dropout", 0.0, 0.5),
        real("momentum", 0.5, 0.99),
        integer("layers", 1, 8),
        integer("width", 16, 512, log=True),
        choice("optimizer", "sgd", "adam", "lion"),
        boolean("augment"),
    )
)
TARGETS = (Metric(name="loss", goal="minimize"),)


def loss(config: dict[str, Any]) -> float:
    """A bowl with a little of everything."""
    found = (math.log10(config["lr"]) + 3) ** 2 + (math.log10(config["weight_decay"]) + 4) ** 2 / 4
    found += (config["dropout"] - 0.2) ** 2 + (config["momentum"] - 0.9) ** 2 + abs(config["layers"] - 4) / 4
    return found + (math.log(config["width"]) - 5) ** 2 / 9 + 0.3 * (config["optimizer"] == "sgd") + config["augment"]


def suggested(trial: optuna.Trial) -> dict[str, Any]:
    """The same space as an objective of Optuna's would spell it."""
    return {
        "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "momentum": trial.suggest_float("momentum", 0.5, 0.99),
        "layers": trial.suggest_int("layers", 1, 8),
        "width": trial.suggest_int("width", 16, 512, log=True),
        "optimizer": trial.suggest_categorical("optimizer", ["sgd", "adam", "lion"]),
        "augment": trial.suggest_categorical("augment", [False, True]),
    }


def sampler(name: str) -> optuna.samplers.BaseSampler:
    """Optuna's sampler with the options that Surefoot gives it."""
    if name == "cmaes":
        return optuna.samplers.CmaEsSampler(seed=1, n_startup_trials=1, warn_independent_sampling=False)
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=1, population_size=20)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=1, n_startup_trials=10, warn_independent_sampling=False)
    return optuna.samplers.TPESampler(
        seed=1,
        n_startup_trials=10,
        n_ei_candidates=24,
        multivariate=True,
        group=False,
        constant_liar=True,
        prior_weight=1.0,
        consider_magic_clip=True,
        consider_endpoints=False,
        gamma=good_trials,
        weights=fading,
    )


def history(count: int) -> list[tuple[dict[str, Any], float]]:
    """So many configs drawn at random, and their losses."""
    search = Search(SPACE, targets=TARGETS, method=Method(name="random"), seed=1)
    configs = [search.ask().settings for _ in range(count)]
    return [(config, loss(config)) for config in configs]


def recalled(method: str, past: list[tuple[dict[str, Any], float]]) -> Search:
    """A search that has taken up the past, its first proposal made."""
    search = Search(SPACE, targets=TARGETS, method=Method(name=method), seed=1)
    for number, (config, value) in enumerate(past):
        search.recall(number, config, method)
        search.tell(number, values=[value], status=Status.COMPLETE)
    return search


def asking_us(search: Search) -> Callable[[], None]:
    """One round of ours."""

    def round_() -> None:
        proposal = search.ask()
        search.tell(proposal.number, values=[loss(proposal.settings)], status=Status.COMPLETE)

    return round_


def asking_optuna(method: str, past: list[tuple[dict[str, Any], float]]) -> Callable[[], None]:
    """One round of Optuna's, with the same past, which its CMA-ES and NSGA-II do not know for theirs."""
    study = optuna.create_study(direction="minimize", sampler=sampler(method))
    spelled = suggested_distributions()
    for config, value in past:
        study.add_trial(optuna.trial.create_trial(params=config, distributions=spelled, value=value))

    def round_() -> None:
        trial = study.ask()
        study.tell(trial, loss(suggested(trial)))

    return round_


def suggested_distributions() -> dict[str, Any]:
    """The distributions that `suggested` makes."""
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)).ask()
    suggested(trial)
    return trial.distributions


def in_turn(ours: Callable[[], None], theirs: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Median milliseconds of both, and the median ratio of a round of ours to the one of theirs just after it."""
    pairs: list[tuple[float, float]] = []
    for _ in range(rounds + 2):
        began = time.perf_counter()
        ours()
        between = time.perf_counter()
        theirs()
        pairs.append((1e3 * (between - began), 1e3 * (time.perf_counter() - between)))
    mine, other = zip(*pairs[2:], strict=True)
    return statistics.median(mine), statistics.median(other), statistics.median(a / b for a, b in pairs[2:])


def beside(cell: str, sides: tuple[float, float, float], *, is_bound: bool) -> list[Figure]:
    """The ratio, against its bound where it has one, and both sides."""
    ours, theirs, ratio = sides
    what = "of the time of Optuna alone"
    figure = at_most(cell, what, ratio, BOUND) if is_bound else told(cell, what, ratio)
    return [figure, told(cell, "ms a proposal, ours", ours), told(cell, "ms a proposal, Optuna", theirs)]


def rebuilding(method: str, past: list[tuple[dict[str, Any], float]]) -> Figure:
    """Seconds to recall and tell all, up to the first proposal."""
    began = time.perf_counter()
    recalled(method, past).ask()
    what = f"s to recall and tell {len(past):,} trials, first proposal included"
    seconds = time.perf_counter() - began
    return at_most(method, what, seconds, RECALL_SECONDS) if method == "tpe" else told(method, what, seconds)


def memory(past: list[tuple[dict[str, Any], float]]) -> Figure:
    """Megabytes that a search holds after so many trials."""
    tracemalloc.start()
    search = recalled("tpe", past)
    search.ask()
    megabytes = tracemalloc.get_traced_memory()[0] / 2**20
    tracemalloc.stop()
    return told("tpe", f"MiB held after {len(past):,} trials", megabytes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--told", type=int, nargs="+", default=[1_000, 10_000], help="trials told before (1000 10000)")
    parser.add_argument("--asks", type=int, default=60, help="proposals measured on each side (60)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    shown: list[Figure] = []
    past = history(max(arguments.told))
    for count in arguments.told:
        for method in ("tpe", "nsga2", "cmaes"):
            search = recalled(method, past[:count])
            search.ask()
            sides = in_turn(asking_us(search), asking_optuna(method, past[:count]), arguments.asks)
            shown += beside(f"{method} at {count:,} trials", sides, is_bound=method == "tpe")
    sides = in_turn(asking_us(recalled("gp", past[:100])), asking_optuna("gp", past[:100]), 10)
    shown += beside("gp at 100 trials", sides, is_bound=False)
    shown += [rebuilding(method, past) for method in ("tpe", "nsga2", "cmaes", "sobol", "random")]
    shown.append(memory(past))
    return publish("Proposing: what the model's proposals cost beside Optuna", shown, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
