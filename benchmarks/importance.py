"""What functional ANOVA costs, against Optuna's evaluator on the same trials.

    python benchmarks/importance.py [--trials N] [--many N] [--json FILE]

Targets: the shares of 8 parameters over 1,000 trials, 64 trees, at least 100 times faster than Optuna's
FanovaImportanceEvaluator; over 10,000 trials in under 10 s. Both sides start from finished trials: reading their
settings, the forest and the shares are all within. Optuna's side runs once, ours ten times around it, of which the
median counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from scipy.stats import spearmanr

from figures import Figure, at_least, at_most, publish, told
from proposing import SPACE, loss, suggested_distributions
from surefoot.analysis.fanova import Shares, variance_shares
from surefoot.analysis.forest import fit_forest
from surefoot.analysis.strata import encoded, strata_of
from surefoot.analysis.view import view_of
from surefoot.run import Metric
from surefoot.space import SearchSpace, real
from surefoot.trials import Trial, TrialTable

Objective = Callable[[dict[str, Any]], float]
TREES = 64
SECONDS = 10.0
TIMES_FASTER = 100.0
NUMBERS = SearchSpace(parameters=tuple(real(f"x{i}", 0.0, 1.0) for i in range(8)))


def trials(space: SearchSpace, objective: Objective, count: int) -> TrialTable:
    """So many configs drawn at random, each with its loss."""
    rng = np.random.default_rng(count)
    drawn = [{p.name: p.value_at(rng.random()) for p in space.parameters} for _ in range(count)]
    done = tuple(Trial(name=str(i), state="COMPLETE", settings=s, value=objective(s)) for i, s in enumerate(drawn))
    return TrialTable(name="made", source="made", metric=Metric(name="loss", goal="minimize"), space=space, trials=done)


def bowls(config: dict[str, Any]) -> float:
    """Eight bowls of rising weight."""
    return sum(weight * (value - 0.3) ** 2 for weight, value in enumerate(config.values(), start=1))


def ours(table: TrialTable, pairs: tuple[tuple[int, int], ...] = ()) -> Shares:
    """Our shares of the table's parameters, in the order of the space."""
    view = view_of(table, seed=1)
    x, axes = encoded(strata_of(view)[0], view)
    return variance_shares(fit_forest(x, view.gains, axes, trees=TREES, rng=view.rng("importance")), pairs)


def study_of(table: TrialTable) -> optuna.Study:
    """The same trials as a study of Optuna's."""
    study = optuna.create_study(direction="minimize")
    numbers = {p.name: optuna.distributions.FloatDistribution(0.0, 1.0) for p in NUMBERS.parameters}
    spelled = numbers if table.space is NUMBERS else suggested_distributions()
    for trial in table.complete:
        made = optuna.trial.create_trial(params=dict(trial.settings), distributions=spelled, value=trial.value)
        study.add_trial(made)
    return study


def seconds(work: Callable[[], object], times: int = 1) -> list[float]:
    """The seconds of so many rounds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


def beside(cell: str, table: TrialTable) -> list[Figure]:
    """Both sides on one table: Optuna once, ours five times before it and five times after."""
    study, evaluator = study_of(table), optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=1)
    shares: dict[str, float] = {}
    mine = seconds(lambda: ours(table), 5)
    (theirs,) = seconds(lambda: shares.update(evaluator.evaluate(study)))
    middle = statistics.median(mine + seconds(lambda: ours(table), 5))
    agreement = spearmanr(ours(table).mains, [shares[p.name] for p in table.space.parameters]).statistic
    return [
        at_least(cell, "times faster than Optuna's evaluator", theirs / middle, TIMES_FASTER),
        told(cell, "s, ours", middle),
        told(cell, "s, Optuna", theirs),
        told(cell, "rank correlation of the two", float(agreement)),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1_000, help="trials on both sides (1000)")
    parser.add_argument("--many", type=int, default=10_000, help="trials on our side alone (10000)")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ours(trials(NUMBERS, bowls, 50))  # what is imported and compiled at first use
    shown: list[Figure] = []
    every = tuple((a, b) for b in range(8) for a in range(b))
    for kind, space, objective in (("numbers", NUMBERS, bowls), ("mixed parameters", SPACE, loss)):
        few, many = (trials(space, objective, count) for count in (arguments.trials, arguments.many))
        shown += beside(f"{arguments.trials:,} trials × 8 {kind}", few)
        cell = f"{arguments.many:,} trials × 8 {kind}"
        shown.append(at_most(cell, "s, ours", seconds(lambda many=many: ours(many))[0], SECONDS))
        shown.append(told(cell, "s, ours, with all 28 pairs", seconds(lambda many=many: ours(many, every))[0]))
    return publish("Importance: what functional ANOVA costs beside Optuna's", shown, arguments.json, trees=TREES)


if __name__ == "__main__":
    sys.exit(main())
