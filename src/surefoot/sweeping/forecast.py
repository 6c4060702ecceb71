"""What a sweep means before it runs: its space, its trials, how it stops and how it chooses."""

from __future__ import annotations

from surefoot.choosing import exploring_share, fitted
from surefoot.reports.space_words import parameter_words
from surefoot.sweep import Stopping, Sweep


def forecast_text(sweep: Sweep) -> str:
    """The sweep in a few lines, for a terminal."""
    lines = [f"sweep {sweep.name}: {sweep.workload_name}, by {sweep.method.name}, seed {sweep.search_seed}"]
    lines += [f"  {metric.goal} {metric.name}" for metric in sweep.targets]
    lines += [
        f"  {p.key}: {parameter_words(p)}{' (scientific)' if p.role == 'scientific' else ''}"
        for p in sweep.space.parameters
    ]
    lines += [f"  keeps {constraint.text}" for constraint in sweep.space.constraints]
    levels = sweep.space.scientific_levels()
    if len(levels) > 1:
        lines.append(f"  {len(levels)} scientific settings, each tuned with the same number of trials")
    lines.append(f"  {_budget(sweep)}")
    if sweep.continues is not None:
        lines.append(f"  goes on from {sweep.continues.sweep}: its trials that fit count, and are not trained again")
    if sweep.expectation is not None:
        low, high = sweep.expectation.low, sweep.expectation.high
        lines.append(f"  expects {sweep.targets[0].name} {low:g} … {high:g} on fresh seeds")
    if sweep.stopping is not None:
        lines.append(f"  stops early: {stopping_text(sweep.stopping)}")
    lines += [f"  note: {notice}" for notice in sweep.notices]
    return "\n".join(lines) + "\n"


def stopping_text(stopping: Stopping) -> str:
    """ "asha, rungs from 100 to 2700 steps by 3, pausing and promoting"."""
    if stopping.rule in ("asha", "hyperband"):
        top = f" to {stopping.max_steps}" if stopping.max_steps else ""
        how = (
            "" if stopping.promotes is None else ", pausing and promoting" if stopping.promotes else ", ending for good"
        )
        return f"{stopping.rule}, rungs from {stopping.min_steps}{top} steps by {stopping.eta}{how}"
    if stopping.rule == "median":
        return f"median, after {stopping.warmup_trials} trials and {stopping.warmup_steps} steps"
    if stopping.rule == "patience":
        return f"patience of {stopping.patience} measurements"
    return f"wilcoxon over the seeds at p {stopping.p:g}"


def _exploring(sweep: Sweep, runs: int) -> int:
    confirmation = sweep.confirmation
    if confirmation is None or len(sweep.targets) > 1:
        return runs
    return exploring_share(runs, confirmation, has_base=confirmation.has_base)


def _budget(sweep: Sweep) -> str:
    budget, parts = sweep.budget, []
    if budget.runs is not None:
        explores = _exploring(sweep, budget.runs)
        parts.append(f"{budget.runs} runs, {explores} of them to explore")
    if budget.trials is not None:
        each = f" of {sweep.seeds} seeds" if sweep.seeds > 1 else ""
        parts.append(f"at most {budget.trials} trials{each}")
    if budget.hours is not None:
        parts.append(f"at most {budget.hours:g} hours of training")
    if sweep.confirmation is not None and len(sweep.targets) == 1:
        confirmation = fitted(sweep.confirmation, budget.runs, has_base=sweep.confirmation.has_base)
        parts.append(f"then the best {confirmation.top} race on fresh seeds, and {confirmation.seeds} more are claimed")
    return "; ".join(parts) or "no limit: it ends when it is interrupted"
