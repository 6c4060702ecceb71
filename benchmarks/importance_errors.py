"""How often importance calls a parameter real that is not, and finds the one that is, on simulated searches."""

from __future__ import annotations

import math
import sys
from collections import defaultdict

import numpy as np

from figures import Figure, at_least, at_most, must_fail, told
from simulation import draw, error_bound, main, parts, spread, summed
from surefoot.analysis.importance import importance
from surefoot.analysis.view import View, view_of
from surefoot.parameter import Parameter
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial, TrialTable

N = 20
# One parameter may be real; six beside it never are: three numbers, a whole number, a switch and a choice.
REAL = real("real", 0.0, 1.0)
JUNK = (
    real("wd", 1e-6, 1e-1, log=True),
    real("dropout", 0.0, 0.5),
    real("momentum", 0.5, 1.0),
    integer("depth", 2, 8),
    boolean("cosine"),
    choice("norm", "none", "batch", "layer"),
)
# The same in a space whose norm has a number of its own under each of two values.
TREE = (*JUNK, real("eps", 0.0, 1.0, when={"norm": "batch"}), real("groups", 0.0, 1.0, when={"norm": "layer"}))
SHAPES = ("linear", "step", "saturating", "peak")


def measure(repetitions: int, seed: int, workers: int) -> list[Figure]:
    cells = [
        *(("null", N, 0.0, "linear", noise, False) for noise in ("normal", "log-normal")),
        ("null, conditions", 3 * N, 0.0, "linear", "normal", True),
        *(("one real", N, 0.8, shape, "normal", False) for shape in SHAPES),
        *(("one real", N, share, "linear", "normal", False) for share in (0.6, 0.5, 0.4, 0.3)),
        ("one real", 100, 0.1, "linear", "normal", False),
    ]
    # A search with something in it takes twice as long as a null, and its rates need fewer.
    sizes = [repetitions if cell[0] == "null" else max(repetitions // 4, 1) for cell in cells]
    jobs = [
        (i, (*cell[1:], part, [seed, i, j]))
        for i, (cell, size) in enumerate(zip(cells, sizes, strict=True))
        for j, part in enumerate(parts(size, 25))
    ]
    counts = spread(studies, [job for _, job in jobs], workers)
    figures: list[Figure] = []
    for i, (kind, n, share, shape, noise, _) in enumerate(cells):
        size = sizes[i]
        of_cell = [count for (place, _), count in zip(jobs, counts, strict=True) if place == i]
        rate = {k: v / size for k, v in summed(of_cell).items()}
        cell = f"{kind}  n {n}  {noise}" if share == 0 else f"{kind}  n {n}  {shape} {100 * share:g} %"
        figures += _null_figures(cell, rate, size) if share == 0 else _real_figures(cell, rate, size)
    return figures


def studies(
    n: int, share: float, shape: str, noise: str, is_tree: bool, repetitions: int, seed: list[int]
) -> dict[str, float]:
    """Counts over searches of n trials whose first parameter explains that share of the variance."""
    rng, counts = np.random.default_rng(seed), defaultdict(float)
    for _ in range(repetitions):
        found = importance(searched(rng, n, share, shape, noise, TREE if is_tree else JUNK))
        shown = [row for row in found.rows if row.condition == ""]
        equal = 1 / len(shown)
        counts["first"] += shown[0].key == "real"
        counts["real"] += any(row.is_real for row in found.rows if row.key == "real")
        counts["junk"] += any(row.is_real for row in found.rows if row.key != "real")
        counts["any"] += any(row.is_real for row in found.rows)
        counts["ped first"] += max(shown, key=lambda row: row.ped).key == "real"
        counts["naive"] += any(row.interval[0] > equal for row in shown)
        counts["dead"] += any("dead" in row.flags for row in found.rows if row.key == "real")
        counts["share"] += next(row.share for row in found.rows if row.key == "real")
    return dict(counts)


def searched(
    rng: np.random.Generator, n: int, share: float, shape: str, noise: str, junk: tuple[Parameter, ...]
) -> View:
    """A random search whose value is an effect of `real` with the given share of its variance, and noise."""
    space, trials = SearchSpace(parameters=(REAL, *junk)), []
    errors = draw(noise, (n,), rng) * math.sqrt(1 - share)
    for i in range(n):
        config: dict[str, object] = {}
        for parameter in space.parameters:
            if parameter.exists(config):
                config[parameter.name] = parameter.value_at(float(rng.random()))
        value = math.sqrt(share) * effect(shape, float(config["real"])) + errors[i]  # type: ignore[arg-type]
        trials.append(Trial(name=str(i), state="COMPLETE", settings=config, value=float(value)))
    table = TrialTable(
        name="simulated",
        source="simulated",
        metric=Metric(name="score", goal="maximize"),
        space=space,
        trials=tuple(trials),
    )
    return view_of(table, seed=int(rng.integers(2**31)))


def effect(shape: str, u: float) -> float:
    """An effect over u, uniform from 0 to 1, with variance 1."""
    if shape == "linear":
        return u * math.sqrt(12)
    if shape == "step":
        return 2.0 * (u > 0.5)
    if shape == "saturating":
        return (1 - math.exp(-4 * u)) / math.sqrt((1 - math.exp(-8)) / 8 - ((1 - math.exp(-4)) / 4) ** 2)
    return -((u - 0.5) ** 2) * math.sqrt(180)


def _null_figures(cell: str, rate: dict[str, float], n: int) -> list[Figure]:
    naive, bound = "naive: an interval above an equal share", error_bound(0.05, n)
    slack = 1.96 * math.sqrt(max(rate["any"] * (1 - rate["any"]), 1 / n) / n)
    return [
        at_most(cell, "studies with any parameter called real", rate["any"], bound),
        told(cell, "the same, 95 % interval, low", max(rate["any"] - slack, 0.0)),
        told(cell, "the same, 95 % interval, high", rate["any"] + slack),
        # Where many trials stand against noise, even the naive rule is seldom misled.
        told(cell, naive, rate["naive"]) if "conditions" in cell else must_fail(cell, naive, rate["naive"], bound),
    ]


def _real_figures(cell: str, rate: dict[str, float], n: int) -> list[Figure]:
    first = "the real one comes first"
    is_promised = "80 %" in cell and "peak" not in cell
    return [
        at_least(cell, first, rate["first"], 0.95) if is_promised else told(cell, first, rate["first"]),
        told(cell, "the real one is called real", rate["real"]),
        at_most(cell, "any other is called real", rate["junk"], error_bound(0.05, n)),
        told(cell, "the real one comes first by PED-ANOVA", rate["ped first"]),
        told(cell, "its share by fANOVA, mean", rate["share"]),
    ]


if __name__ == "__main__":
    sys.exit(main("Errors and power of importance", measure, 400))
