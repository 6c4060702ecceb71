"""What the runs of one config show: which are missing, their values, what is wrong with their checkpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.phases.dossier import Dossier
from surefoot.phases.gate import Check
from surefoot.phases.question import Question, few, named
from surefoot.run import Metric, Run, Status
from surefoot.stats.comparisons import mean_estimate
from surefoot.words import clause, count, decimals_of, half_width, listing, number, unit_of

AGAIN = "`surefoot run PLAN` trains it again"
CHECKPOINTS = ("best", "last")
NO_TRAINING = "The plan asks for no final training."


def values_of(runs: Sequence[Run], metric: Metric) -> list[float]:
    """The last measured values of the complete runs, where they are finite."""
    values = [run.final(metric.name) for run in runs if run.status is Status.COMPLETE]
    return [value for value in values if value is not None and math.isfinite(value)]


def mean_in_words(values: Sequence[float], metric: Metric) -> str:
    """ "81.24 % (95 % 80.9 … 81.6, 5 seeds)"; the mean alone for one value."""
    estimate = mean_estimate(values)
    seeds = count(len(values), "seed")
    if len(values) < 2:
        return f"{number(estimate.mean)}{unit_of(metric)} ({seeds})"
    interval = estimate.interval()
    decimals = decimals_of(half_width(interval))
    low, high = (number(end, decimals) for end in interval)
    return f"{number(estimate.mean, decimals)}{unit_of(metric)} (95 % {low} … {high}, {seeds})"


def asks_for_final(dossier: Dossier) -> bool:
    """Whether the plan asks for a final training."""
    return dossier.plan.finalise is not None and dossier.plan.finalise.seeds > 0


def run_ends(ask: Question, runs: Sequence[Run], seeds: Sequence[int], what: str) -> Check:
    """Whether there is a complete run for each of the seeds; `what` names the runs, as "baseline"."""
    if not runs:
        return ask.blocked(f"No {what} run is on record; `surefoot run PLAN` trains {count(len(seeds), 'seed')}.")
    absent = [seed for seed in seeds if seed not in {run.seed for run in runs}]
    ended = [run for run in runs if run.status is not Status.COMPLETE]
    wrong = [f"run {r.id} (seed {r.seed}) is {r.status}{f': {clause(r.reason)}' if r.reason else ''}" for r in ended]
    if absent:
        wrong.append(f"no run of seed {listing([str(seed) for seed in absent])} is on record: {AGAIN}")
    if wrong:
        return ask.blocked(f"{_capital(few(wrong, '; '))}.", *named(runs))
    return ask.satisfied(f"{count(len(runs), 'run')}, all COMPLETE.", *named(runs))


def checkpoints_stand(ask: Question, runs: Sequence[Run], dossier: Dossier) -> Check:
    """Whether best and last checkpoint of the runs are on disk, as they were recorded."""
    complete = [run for run in runs if run.status is Status.COMPLETE]
    damaged = [f"run {run.id}: {clause(dossier.damage[run.id])}" for run in runs if dossier.damage.get(run.id)]
    if damaged:
        return ask.blocked(f"{_capital(few(damaged, '; '))}. Put the file back, or run it again.", *named(runs))
    if not complete:
        return ask.blocked(f"No complete run whose checkpoints could be looked at; {AGAIN}.")
    if not any(run.checkpoints for run in complete):
        return ask.not_applicable("The workload writes no checkpoints.")
    partial = [
        f"run {run.id} wrote no {listing([c for c in CHECKPOINTS if c not in run.checkpoints], 'or')} checkpoint"
        for run in complete
        if not all(c in run.checkpoints for c in CHECKPOINTS)
    ]
    files = tuple(f"{name}.pt of run {run.id}" for run in complete for name in run.checkpoints)
    if partial:
        return ask.noted(f"{_capital(few(partial, '; '))}.", *files)
    return ask.satisfied(f"best and last of {count(len(complete), 'run')}, whole by their SHA-256.", *files)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
