"""The tables of a sweep as rows of text: trials, the race on fresh seeds, levels, failures, space, cost."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from surefoot.choosing import BASE, Chosen, Standing
from surefoot.comparison import NoValue, numbers_in
from surefoot.reports.space_words import parameter_words
from surefoot.reports.sweep_sentences import failures_of, number_name, outcome_text, trials_text
from surefoot.reports.sweep_story import FreshStory, SweepStory, TrialStory
from surefoot.reports.tables import Table
from surefoot.words import (
    NOTHING,
    decimals_of,
    duration,
    half_width,
    heading_of,
    number,
    setting,
    signed,
    spread,
)

MOST_ROWS = 20


def by_value(story: SweepStory) -> list[TrialStory]:
    """The trials with a value that no constraint bars, the best of the first objective first."""
    sign = story.objective.sign
    return sorted(
        (t for t in story.trials if t.values and not t.barred_by), key=lambda t: (-sign * t.values[0], t.number)
    )


def trials_table(story: SweepStory, most: int = MOST_ROWS) -> Table:
    """The trials with a value, the best first, at most so many; each with the settings it was searched with."""
    names = story.sweep.space.names()
    has_seeds = any(t.seeds > 1 for t in story.trials)
    ranking = by_value(story)
    digits = [_digits([t.values[i] for t in ranking]) for i in range(len(story.sweep.targets))]
    rows = [
        (
            f"trial {trial.number}",
            *(number(v, d) for v, d in zip(trial.values, digits, strict=True)),
            *([str(trial.seeds)] if has_seeds else []),
            *(short(trial.settings[name]) if name in trial.settings else NOTHING for name in names),
        )
        for trial in ranking[:most]
    ]
    headers = (
        "trial",
        *(heading_of(m) for m in story.sweep.targets),
        *(["seeds"] if has_seeds else []),
        *names,
    )
    return Table(headers=headers, rows=tuple(rows), title="The trials, the best first")


def _digits(values: Sequence[float]) -> int | None:
    """The decimals that show the value in the middle with four digits, so that a column reads at a glance."""
    middle = abs(statistics.median(values)) if values else 0.0
    return max(0, 3 - math.floor(math.log10(middle))) if 1e-4 < middle < 1e6 else None


def short(value: Any) -> str:
    """A setting as a table shows it: four digits tell it from the next one, and the sheets have the rest."""
    return setting(float(f"{value:.4g}")) if isinstance(value, float) else setting(value)


def others_table(story: SweepStory, most: int) -> Table:
    """The trials without a value or barred by a constraint, in their order: what became of each."""
    rows = []
    for t in story.trials:
        if t.values and not t.barred_by:
            continue
        why = f'breaks "{t.barred_by}"' if t.barred_by else t.reason
        last = NOTHING if t.last_value is None else number(t.last_value)
        rows.append(
            (
                f"trial {t.number}",
                t.state.lower(),
                last,
                " ".join(why.split()),
                ", ".join(f"{name} {short(value)}" for name, value in t.settings.items()),
            )
        )
    headers = ("trial", "state", f"last {story.objective.name}", "why", "settings")
    return Table(headers=headers, rows=tuple(rows[:most]), title="The trials without a value")


# --- fresh seeds -----------------------------------------------------------------------------------------------------


def standings_table(story: SweepStory) -> Table:
    """The race on fresh seeds: what exploring showed, what the race said, and what the seeds after it are worth."""
    chosen, metric = story.chosen, story.objective
    if chosen is None:
        return Table(headers=("config",), rows=())
    digits = decimals_of(*(half_width(s.interval) for s in chosen.standings), half_width(chosen.interval))
    unit = metric.difference_unit.strip()
    headers = (
        "config",
        "by exploring",
        "race seeds",
        "mean in the race",
        "95 % interval",
        f"of it luck ({unit})" if unit else "of it luck",
        "on seeds that chose nothing",
        "outcome",
    )
    rows = [_standing_row(s, chosen, digits, story) for s in chosen.standings]
    return Table(headers=headers, rows=tuple(rows), title=heading_of(metric), badges=7)


def _standing_row(s: Standing, chosen: Chosen, digits: int | None, story: SweepStory) -> tuple[str, ...]:
    honest = honest_value(s, chosen)
    reference = honest if honest is not None else s.mean
    luck = None if s.explored is None or reference is None else story.objective.sign * (s.explored - reference)
    claim = NOTHING if honest is None else f"{number(honest, digits)} ({chosen.n})"
    return (
        number_name(s.number),
        NOTHING if s.explored is None else number(s.explored, digits),
        str(s.n),
        NOTHING if s.mean is None else number(s.mean, digits),
        NOTHING if s.interval is None else " … ".join(number(end, digits) for end in s.interval),
        NOTHING if luck is None else signed(luck, digits),
        claim,
        outcome_text(s),
    )


def honest_value(standing: Standing, chosen: Chosen) -> float | None:
    """What the seeds that chose nothing say of the chosen config and of the base; None for the others."""
    if standing.number == chosen.number:
        return chosen.estimate
    if standing.number == BASE and chosen.estimate is not None and chosen.gain is not None:
        return chosen.estimate - chosen.gain
    return None


def fresh_table(story: SweepStory) -> Table:
    """Every value on a fresh seed, a column for each seed."""
    seeds = sorted({seed for f in story.fresh for seed in f.seeds})
    digits = decimals_of(*(spread(numbers_in(f.values)) for f in story.fresh))
    digits = None if digits is None else digits + 1
    rows = [(number_name(f.number), *_values_at(f, seeds, digits)) for f in story.fresh]
    headers = (f"{heading_of(story.objective)} by seed", *map(str, seeds))
    return Table(headers=headers, rows=tuple(rows), title="Every fresh seed")


def _values_at(fresh: FreshStory, seeds: list[int], digits: int | None) -> list[str]:
    found = dict(zip(fresh.seeds, fresh.values, strict=True))
    shown = []
    for seed in seeds:
        value = found.get(seed)
        is_word = isinstance(value, NoValue)
        shown.append(NOTHING if value is None else str(value) if is_word else number(float(value), digits))
    return shown


# --- scientific settings ---------------------------------------------------------------------------------------------


def levels_table(story: SweepStory) -> Table:
    """The best trial of each scientific setting, each after the same number of trials."""
    levels = story.sweep.space.scientific_levels()
    names = [p.name for p in story.sweep.space.parameters if p.role == "scientific"]
    names = list(dict.fromkeys(names))
    metric = story.objective
    headers = (*names, "trials", "best trial", f"{heading_of(metric)} by exploring", "on fresh seeds")
    if levels == ({},):
        return Table(headers=headers, rows=())
    groups = [[t for t in story.trials if _is_at(t, level)] for level in levels]
    # A level with more trials had more chances to be lucky; only as many of each are held against each other.
    share = min((len(group) for group in groups), default=0)
    rows = []
    for level, group in zip(levels, groups, strict=True):
        found = [t for t in group[:share] if t.values and not t.barred_by]
        best = min(found, key=lambda t: (-metric.sign * t.values[0], t.number), default=None)
        rows.append(
            (
                *(setting(level[name]) if name in level else NOTHING for name in names),
                str(len(group[:share])),
                NOTHING if best is None else f"trial {best.number}",
                NOTHING if best is None else number(best.values[0]),
                NOTHING if best is None else _raced_text(story, best.number),
            )
        )
    return Table(headers=headers, rows=tuple(rows), title="The best of each scientific setting")


def _is_at(trial: TrialStory, level: dict[str, Any]) -> bool:
    return all(name in trial.settings and trial.settings[name] == value for name, value in level.items())


def _raced_text(story: SweepStory, trial: int) -> str:
    chosen = story.chosen
    standing = next((s for s in chosen.standings if s.number == trial), None) if chosen else None
    if chosen is None or standing is None or standing.mean is None:
        return NOTHING
    value = honest_value(standing, chosen)
    n = standing.n if value is None else chosen.n
    mean = standing.mean if value is None else value
    digits = decimals_of(half_width(standing.interval if value is None else chosen.interval))
    return f"{number(mean, digits)} ({n} seed{'s' if n != 1 else ''})"


# --- the rest --------------------------------------------------------------------------------------------------------


def failures_table(story: SweepStory) -> Table:
    """What failed and why, the reasons grouped."""
    groups = failures_of((t.number, t.state, t.reason) for t in story.trials)
    rows = [
        (
            f.reason or "no reason given",
            f.state.lower(),
            f"{len(f.trials):,}",
            trials_text(f.trials),
        )
        for f in groups
    ]
    return Table(headers=("why", "state", "trials", "which"), rows=tuple(rows), title="What failed")


def space_table(story: SweepStory) -> Table:
    """The parameters, what each may take, and where the best config lies in it."""
    best = story.trial(story.chosen.number) if story.chosen else None
    who = "chosen" if best is not None else "best so far"
    best = best or story.best_trial
    found = dict(best.settings) if best else {}
    has_roles = any(p.role == "scientific" for p in story.sweep.space.parameters)
    active = {p.key for p in story.sweep.space.active(found)} if best else set()
    rows = [
        (
            p.name,
            short(found[p.name]) if p.key in active and p.name in found else NOTHING,
            parameter_words(p) + (f"; when {p.condition}" if p.when else ""),
            *([p.role] if has_roles else []),
        )
        for p in story.sweep.space.parameters
    ]
    headers = ("parameter", who, "searched", *(["role"] if has_roles else []))
    return Table(headers=headers, rows=tuple(rows), title="The space")


def cost_table(story: SweepStory) -> Table:
    """Runs and time of exploring and of the fresh seeds."""
    exploring = max(sum(n for status, n in story.runs.items() if status != "running") - story.fresh_runs, 0)
    seconds = sum(t.seconds for t in story.trials)
    rows = [("exploring", f"{len(story.trials):,}", f"{exploring:,}", duration(seconds))]
    if story.fresh_runs:
        configs = len(story.fresh)
        rest = max(3600 * story.hours - seconds, 0.0)
        rows.append(("fresh seeds", f"{configs:,}", f"{story.fresh_runs:,}", duration(rest)))
    return Table(headers=("part", "configs", "runs", "training time"), rows=tuple(rows), title="Cost")


def state_counts(story: SweepStory) -> Counter[str]:
    """How many trials are in each state, in lower case."""
    return Counter(t.state.lower() for t in story.trials)
