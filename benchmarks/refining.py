"""Whether refining pays: a sweep of 60, refined, and a sweep of 40 in the new space, against one sweep of 100.

Every table of `landscapes` is searched as in `regret`: a run's value is one of the config's recorded seeds, all trials
of a search have the same one, and the truth of a config is the mean over its seeds. All sides are the default search of
`surefoot sweep` (TPE) and have the same random numbers: the first 60 trials are the same on all sides. The sweep in the
new space takes over the trials that lie in it, as `continues:` does. In the end each side puts its best to fresh seeds
by the default confirmation, whose runs count on no side; the first 60 trials are confirmed too before they are refined,
which is where the noise of a run is known from.

Regret is the distance of the chosen config's truth to the best one's, as a share of the way from the middle config to
the best. A promise is kept where the mean of the chosen config over its claiming seeds lies in the range that `refine`
wrote down beforehand.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from figures import Figure, at_most, told
from landscapes import NAMES
from regret import Problem, problem
from simulation import GAIN, data_root, main, spread
from surefoot.analysis.analysis import analyze
from surefoot.choosing import DEFAULT, Candidate, Chosen, confirmed, wanted
from surefoot.refining.refinement import refine
from surefoot.run import Status
from surefoot.search import Search
from surefoot.space import SearchSpace, choice, integer
from surefoot.stats.comparisons import mean_estimate
from surefoot.sweep import Method
from surefoot.trials import Trial, TrialTable

FIRST, FURTHER = 60, 40
WHOLE = "one sweep of 100"
STYLES = ("conservative", "aggressive")
MOST_PROPOSALS = 4

Explored = dict[int, tuple[dict, float]]  # the table's row -> its settings and its value on the exploring seed


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    folder = data_root() / "hpo_bench"
    if not folder.exists():
        sys.exit(f"the tables are not at {folder}; set SUREFOOT_DATA to the folder that holds hpo_bench")
    for name in NAMES:
        problem(name)
    jobs = [(name, [seed, i, r]) for i, name in enumerate(NAMES) for r in range(repetitions)]
    found = spread(sweeps, jobs, workers)
    by_name = {name: found[i * repetitions : (i + 1) * repetitions] for i, name in enumerate(NAMES)}
    return [*_over_all(by_name), *(figure for name in NAMES for figure in _of_one(name, by_name[name]))]


def sweeps(name: str, seed: list[int]) -> dict[str, float]:
    """One sweep of each side from the same seed: regrets, how small the space became, whether the promise was kept."""
    of_search, of_runs = np.random.SeedSequence(seed).spawn(2)
    search_seed, rng = int(of_search.generate_state(1)[0]), np.random.default_rng(of_runs)
    land, seeds = problem(name), rng.random(400)
    space = _space(land)
    first = search(land, space, {}, search_seed, float(seeds[0]), FIRST)
    whole = search(land, space, dict(first), search_seed, float(seeds[0]), FURTHER)
    found = {f"{WHOLE} regret": _regret(land, choose(land, whole, seeds[200:])[0])}
    _, fresh = choose(land, first, seeds[1:100])
    analysis = analyze(_table(land, space, first, fresh), seed=search_seed % 1000)
    for style in STYLES:
        refined = refine(analysis, style=style, trials=FURTHER, limits=space)
        inside = {row: pair for row, pair in first.items() if refined.space.admits(_searched(pair[0], refined.space))}
        kept = {row: ({**pair[0]}, pair[1]) for row, pair in inside.items()}
        after = search(land, refined.space, kept, search_seed, float(seeds[0]), FURTHER, fixed=dict(refined.fixed))
        last, _ = choose(land, after, seeds[200:])
        found[f"{style} regret"] = _regret(land, last)
        found[f"{style} share"] = refined.share
        expected = refined.expectation
        assert expected is not None and last.estimate is not None
        found[f"{style} kept"] = float(expected.low <= last.estimate <= expected.high)
        found[f"{style} width"] = land.gain(expected.high) - land.gain(expected.low)
    return found


def search(
    land: Problem,
    space: SearchSpace,
    known: Explored,
    seed: int,
    run_seed: float,
    further: int,
    *,
    fixed: dict | None = None,
) -> Explored:
    """The explored configs with so many new ones, found by the default search that was told of the known ones."""
    fixed = fixed or {}
    source = Search(space, targets=(GAIN,), method=Method(), seed=seed)
    explored: Explored = {}
    for number, (row, (settings, value)) in enumerate(known.items()):
        explored[row] = (settings, value)
        source.recall(number, _searched(settings, space), "carried")
        source.tell(number, values=[value], status=Status.COMPLETE)
    wanted_count = len(explored) + further
    for _ in range(MOST_PROPOSALS * further):
        if len(explored) >= wanted_count or (proposal := source.ask()) is None:
            break
        settings = {**fixed, **proposal.settings}
        row = land.config(settings)
        explored.setdefault(row, (settings, land.run(row, run_seed)))
        source.tell(proposal.number, values=[explored[row][1]], status=Status.COMPLETE)
    return explored


def choose(land: Problem, explored: Explored, seeds: np.ndarray) -> tuple[Chosen, dict[int, list[float]]]:
    """What the default confirmation chooses on fresh seeds, and the values there of all that raced."""
    fresh: dict[int, list[float]] = {row: [] for row in explored}

    def candidates() -> list[Candidate]:
        return [Candidate(number=row, explored=(pair[1],), fresh=tuple(fresh[row])) for row, pair in explored.items()]

    while more := wanted(candidates(), metric=GAIN, confirmation=DEFAULT, runs_left=None):
        for row, count in more.items():
            for place in range(len(fresh[row]), count):
                fresh[row].append(land.run(row, float(seeds[place])))
    return confirmed(candidates(), metric=GAIN, confirmation=DEFAULT), fresh


def _space(land: Problem) -> SearchSpace:
    return SearchSpace(
        parameters=tuple(
            integer(name, 0, size - 1) if is_ordered else choice(name, *range(size))
            for name, size, is_ordered in zip(land.names, land.sizes, land.is_ordered, strict=True)
        )
    )


def _table(land: Problem, space: SearchSpace, explored: Explored, fresh: dict[int, list[float]]) -> TrialTable:
    trials = tuple(
        Trial(name=str(i), state="COMPLETE", settings=settings, value=value, per_seed=(value,), origin="tpe")
        for i, (settings, value) in enumerate(explored.values())
    )
    names = {row: str(i) for i, row in enumerate(explored)}
    repeats = {names[row]: tuple(values) for row, values in fresh.items() if values}
    return TrialTable(name="table", source="a table", metric=GAIN, space=space, trials=trials, fresh=repeats)


def _searched(settings: dict, space: SearchSpace) -> dict:
    return {name: settings[name] for name in space.names()}


def _regret(land: Problem, chosen: Chosen) -> float:
    assert chosen.number is not None
    return 1 - land.gain(float(land.truth[chosen.number]))


# --- figures ---------------------------------------------------------------------------------------------------------


def _over_all(found: dict[str, list[dict[str, float]]]) -> list[Figure]:
    cell = "all problems"
    figures = [told(cell, f"{WHOLE}: regret, %", 100 * _mean_of_problems(found, f"{WHOLE} regret"))]
    for style in STYLES:
        figures.append(
            told(cell, f"60, refined ({style}), 40: regret, %", 100 * _mean_of_problems(found, f"{style} regret"))
        )
        estimate = mean_estimate(_paired_differences(found, style))
        figures.append(told(cell, f"{style} less {WHOLE}, %", 100 * estimate.mean))
        figures.append(at_most(cell, f"{style} less {WHOLE}, upper end of 95 %, %", 100 * estimate.interval()[1], 0.0))
        figures.append(
            told(
                cell, f"{style}: share of the space searched still, %", 100 * _mean_of_problems(found, f"{style} share")
            )
        )
        figures.append(
            told(cell, f"{style}: promises kept, % (said: 90)", 100 * _mean_of_problems(found, f"{style} kept"))
        )
    return figures


def _of_one(name: str, some: list[dict[str, float]]) -> list[Figure]:
    figures = [told(name, f"{WHOLE}: regret, %", 100 * _mean(some, f"{WHOLE} regret"))]
    for style in STYLES:
        figures.append(told(name, f"60, refined ({style}), 40: regret, %", 100 * _mean(some, f"{style} regret")))
        figures.append(told(name, f"{style}: promises kept, % (said: 90)", 100 * _mean(some, f"{style} kept")))
        figures.append(told(name, f"{style}: width of the promise, % of the way", 100 * _mean(some, f"{style} width")))
    return figures


def _mean(some: list[dict[str, float]], key: str) -> float:
    return math.fsum(s[key] for s in some) / len(some)


def _mean_of_problems(found: dict[str, list[dict[str, float]]], key: str) -> float:
    return math.fsum(_mean(some, key) for some in found.values()) / len(found)


def _paired_differences(found: dict[str, list[dict[str, float]]], style: str) -> list[float]:
    """The style's less the whole sweep's regret, averaged over the problems, repetition by repetition."""
    rows = zip(*found.values(), strict=True)
    return [math.fsum(s[f"{style} regret"] - s[f"{WHOLE} regret"] for s in row) / len(row) for row in rows]


if __name__ == "__main__":
    sys.exit(main("Refining: 60 trials, refined, 40 more, against 100 in one sweep", measure, 30))
