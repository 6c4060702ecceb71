"""Simulated studies, spread over the cores, and a table of figures against their targets."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from figures import Figure, publish
from surefoot.comparison import Noise, study_noise
from surefoot.run import Metric
from surefoot.stats.noise import paired_set
from surefoot.stats.sequential import PRIOR_DF_GRID, race_thresholds

GAIN = Metric(name="score", goal="maximize")
FRESH_SEEDS = 8


def error_bound(alpha: float, n: int) -> float:
    """The stated rate plus three standard errors of a simulated share."""
    return alpha + 3 * math.sqrt(alpha * (1 - alpha) / n)


def data_root() -> Path:
    """The data root: SUREFOOT_DATA, else ../shared/data beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SUREFOOT_DATA") or beside)


def draw(shape: str, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and variance 1: normal, t3 (heavy tails) or log-normal (skewed)."""
    if shape == "normal":
        return rng.standard_normal(size)
    if shape == "t3":
        return rng.standard_t(3, size) / math.sqrt(3)
    return (np.exp(rng.standard_normal(size)) - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e)


@dataclass(frozen=True, kw_only=True, slots=True)
class SimulatedStudy:
    """A champion with its floor, the noise its past sets show, an arm, and fresh seeds of both."""

    champion: list[float]
    arm: list[float]
    noise: Noise
    fresh_champion: list[float]
    fresh_arm: list[float]


def simulated_study(
    rng: np.random.Generator,
    *,
    looks: Sequence[int],
    correlation: float,
    shape: str,
    gain_in_sds: float = 0.0,
    seeds: int | None = None,
) -> SimulatedStudy:
    """A study that has compared 5 to 12 arms with one cached champion and now meets a new arm.

    Every value is a part common to its seed and a part of its own; `correlation` is that of pairs.
    `gain_in_sds` is the arm's true gain in standard deviations of a paired difference. `seeds` are
    trained where more than the last look is wanted. Past arms stopped at any look alike.
    """
    n, n_past = seeds or looks[-1], int(rng.integers(5, 13))
    gain = gain_in_sds * math.sqrt(2 * (1 - correlation))
    own, common = math.sqrt(1 - correlation), math.sqrt(correlation)
    rows = (own * draw(shape, (n_past + 2, n), rng) + common * draw(shape, (1, n), rng)).tolist()
    fresh = (own * draw(shape, (2, FRESH_SEEDS), rng) + common * draw(shape, (1, FRESH_SEEDS), rng)).tolist()
    champion, arm, *past = rows
    ends = rng.choice(looks, n_past)
    sets = [paired_set(values[:end], champion[:end]) for values, end in zip(past, ends, strict=True)]
    return SimulatedStudy(
        champion=champion,
        arm=[value + gain for value in arm],
        noise=study_noise(champion[: looks[-1]], sets),
        fresh_champion=fresh[0],
        fresh_arm=[value + gain for value in fresh[1]],
    )


def warm_thresholds(races: Iterable[Sequence[int]]) -> None:
    """Calibrates the races' thresholds once, before the processes that share them are forked."""
    for looks in races:
        for prior_df in PRIOR_DF_GRID:
            race_thresholds(looks, 0.05, prior_df)


def spread(work: Callable[..., dict[str, float]], jobs: Iterable[tuple[Any, ...]], workers: int) -> list[Any]:
    """The results of work(*job) in the order of the jobs, on `workers` processes (1: in this one)."""
    jobs = list(jobs)
    if workers <= 1:
        return [work(*job) for job in jobs]
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        return pool.starmap(work, jobs, chunksize=1)


def summed(counts: Iterable[dict[str, float]]) -> dict[str, float]:
    """The counts of several parts of one cell, added."""
    total: dict[str, float] = {}
    for part in counts:
        for key, value in part.items():
            total[key] = total.get(key, 0.0) + value
    return total


def parts(repetitions: int, size: int = 1000) -> list[int]:
    """A number of repetitions cut into parts of at most `size`, so that all cores stay busy."""
    whole, rest = divmod(repetitions, size)
    return [size] * whole + ([rest] if rest else [])


def main(title: str, measure: Callable[[int, int, int], list[Figure]], repetitions: int) -> int:
    """Parses the options, measures, prints the table, writes the JSON; 1 where a target is not reached."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--repetitions", type=int, default=repetitions)
    parser.add_argument("--seed", type=int, default=20_261_120)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    start = time.perf_counter()
    figures = measure(options.repetitions, options.seed, options.workers)
    about = {"repetitions": options.repetitions, "seed": options.seed, "seconds": round(time.perf_counter() - start)}
    return publish(title, figures, options.json, **about)
