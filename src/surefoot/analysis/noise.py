"""The noise floor: how far values differ when nothing but the seed does, and which ranks that makes ties."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import chdtri

from surefoot.analysis.column import Integers
from surefoot.analysis.figure import Axis, Panel, PanelsFigure, Points
from surefoot.analysis.ranks import CONFIDENCE, Configs, Lead, Tie, lead_of, rivals_of, ties_of
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.stats.noise import pooled_variance, sample_variance
from surefoot.stats.power import detectable_effect
from surefoot.trials import Trial
from surefoot.words import count, decimals_of, heading_of, listing, number, percent

# Settings that name the draw and not the config.
SEEDS = frozenset({"seed", "seeds", "random_seed", "random_state", "rng_seed", "seed_value"})
# Below this many degrees of freedom the standard deviation is known no better than to a factor of two or so.
FEW_DF = 5
REPEATS_ADVISED = 3
MOST_DRAWN = 40
MOST_TIES_NAMED = 3
MOST_RIVALS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    """One config that was trained several times: its trials by name, `n` trainings, their mean and spread.

    Those that are `is_fresh` had no part in the search, and none in the trial's value.
    """

    trials: tuple[str, ...]
    n: int
    mean: float
    sd: float
    is_fresh: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseFloor:
    """What repeats say of the noise, in the metric's own unit.

    `sd` is the standard deviation of a trial's value when its config is tried again, `run_sd` that of a single
    training: they differ where a value is the mean over `runs` seeds (the usual number). `df` are the degrees of
    freedom, `interval` is the 95 % one of `sd`. `ties` take the estimate at its word. `rivals` are the rows of
    the trials whose config is not shown to be worse than the best one, `configs` how many configs there are and
    `rival_configs` how many of them those are; that test knows how little the repeats may know.
    """

    sd: float
    run_sd: float
    runs: int
    df: int
    interval: tuple[float, float]
    sets: tuple[Repeats, ...]
    source: str
    ties: tuple[Tie, ...]
    configs: int
    rivals: tuple[int, ...]
    rival_configs: int
    rival_difference: float
    lead: Lead | None


def noise_floor(view: View) -> NoiseFloor | None:
    """The noise of the values, from configs that were tried again, trials of several seeds and fresh seeds.

    None where nothing was repeated, or where every repeat gave the same value to the last digit. The noise is
    taken to be the same in every config. Variances are pooled by their degrees of freedom; the interval is
    the chi-square one.
    """
    codes = config_codes(view)
    if codes is None:
        return None
    trainings = _trainings(view, codes)
    repeated = {code: values for code, values in trainings.items() if len(values) >= 2}
    names = _names(view, codes, set(repeated))
    sets = [
        *(_repeats(names[code], values, False) for code, values in repeated.items()),
        *(_repeats((name,), values, True) for name, values in view.table.fresh.items() if len(values) >= 2),
    ]
    df = sum(s.n - 1 for s in sets)
    variance = pooled_variance([s.sd**2 for s in sets], [s.n - 1 for s in sets])
    if not variance > 0:
        return None
    sizes = np.array([max(1, len(t.per_seed)) for t in view.trials])
    runs = int(np.median(sizes))
    sd = math.sqrt(variance / runs)
    low, high = (sd * math.sqrt(df / float(chdtri(df, p))) for p in ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    configs = Configs.of(view, codes, trainings)
    rivals, difference = rivals_of(configs, math.sqrt(variance), df)
    return NoiseFloor(
        sd=sd,
        run_sd=math.sqrt(variance),
        runs=runs,
        df=df,
        interval=(low, high),
        sets=tuple(sets),
        source=_source(sets),
        ties=ties_of(view, math.sqrt(variance) / np.sqrt(sizes)),
        configs=len(configs.codes),
        rivals=tuple(int(i) for i in np.flatnonzero(np.isin(codes, configs.codes[rivals]))),
        rival_configs=int(rivals.sum()),
        rival_difference=difference,
        lead=lead_of(view, codes, configs, math.sqrt(variance), (low / sd, high / sd)),
    )


def config_codes(view: View) -> Integers | None:
    """A number for every trial, shape (n,), the same where all settings are; a seed is no setting.

    None where the table has no setting to tell configs apart by.
    """
    columns = [c for c in view.columns if c.parameter.name.rpartition(".")[2].lower() not in SEEDS]
    if not view.columns or not view.n:
        return None
    if not columns:
        return np.zeros(view.n, dtype=np.int64)
    # Never both: the code of a number has no meaning beside the number.
    places = [c.numbers if c.kind == "number" else c.codes.astype(float) for c in columns]
    filled = [np.where(c.active, place, 0.0) for c, place in zip(columns, places, strict=True)]
    matrix = np.column_stack([*filled, *(c.active.astype(float) for c in columns)])
    codes: Integers = np.unique(matrix, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
    return codes


def copies_of(view: View) -> tuple[tuple[int, ...], ...]:
    """Groups of rows that are the same in everything but their name: copies, not repeats."""
    codes = config_codes(view)
    if codes is None:
        return ()
    crowded = np.bincount(codes)[codes] > 1
    groups: dict[Any, list[int]] = defaultdict(list)
    for i in np.flatnonzero(crowded):
        groups[_everything(view.trials[i])].append(int(i))
    return tuple(tuple(rows) for rows in groups.values() if len(rows) > 1)


def _everything(trial: Trial) -> tuple[Any, ...]:
    said = (trial.value, trial.per_seed, trial.last, trial.seconds, trial.started_at, trial.origin)
    curves = tuple((name, c.steps, c.values) for name, c in sorted(trial.curves.items()))
    numbers = (tuple(sorted(trial.measured.items())), tuple(sorted(trial.budget.items())))
    # A seed is a setting of the trial here: the same value under two seeds is no copy.
    return (*said, *numbers, curves, tuple((name, repr(value)) for name, value in sorted(trial.settings.items())))


def _trainings(view: View, codes: Integers) -> dict[int, list[float]]:
    """The values of each config's single trainings, without the copies.

    A trial that does not say what its seeds came to counts as one training.
    """
    copied = {row for rows in copies_of(view) for row in rows[1:]}
    found: dict[int, list[float]] = defaultdict(list)
    for i, (code, trial) in enumerate(zip(codes.tolist(), view.trials, strict=True)):
        if i not in copied:
            found[code].extend(trial.per_seed or (float(view.values[i]),))
    return found


def _names(view: View, codes: Integers, wanted: set[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = defaultdict(list)
    for code, trial in zip(codes.tolist(), view.trials, strict=True):
        if code in wanted:
            found[code].append(trial.name)
    return {code: tuple(names) for code, names in found.items()}


def _repeats(trials: tuple[str, ...], values: Sequence[float], is_fresh: bool) -> Repeats:
    mean, sd = math.fsum(values) / len(values), math.sqrt(sample_variance(values))
    return Repeats(trials=trials, n=len(values), mean=mean, sd=sd, is_fresh=is_fresh)


def _source(sets: Sequence[Repeats]) -> str:
    again = sum(len(s.trials) > 1 for s in sets)
    fresh = sum(s.is_fresh for s in sets)
    seeds = len(sets) - again - fresh
    said = [f"{count(again, 'config')} tried more than once"] if again else []
    said += [f"the seeds of {count(seeds, 'trial')}"] if seeds else []
    said += [f"the fresh seeds of {count(fresh, 'trial')}"] if fresh else []
    return listing(said)


# ── in words ──


def noise_section(view: View, noise: NoiseFloor | None) -> Section:
    """The noise floor in sentences, or why there is none and what it would take."""
    title = "The noise floor"
    if noise is None:
        return Section(key="noise", title=title, not_applicable=_why_none(view))
    findings = [_floor(view, noise), *_tied(view, noise), *_rivalry(view, noise), *_luck(view, noise)]
    return Section(
        key="noise",
        title=title,
        findings=(*findings, _detectable(view, noise)),
        sheets=(_repeats_sheet(view, noise),),
        figures=(_ties_figure(view, noise),),
        note="The noise is taken to be the same in every config. "
        "Configs trained on common seeds may differ by less noise than two trials on seeds of their own.",
    )


def _why_none(view: View) -> str:
    order = np.argsort(-view.gains, kind="stable")
    if not view.n:
        return "because no trial finished."
    if not view.columns:
        return "because the table has no settings: nothing says which of its trials share a config."
    codes = config_codes(view)
    if codes is not None and any(len(values) > 1 for values in _trainings(view, codes).values()):
        return (
            "because every repeat gave the same value to the last digit: the seed was the same, or the training "
            "has no chance in it. Repeat configs with different seeds to learn the noise."
        )
    copied = " Rows that are the same in everything are copies and say nothing of it." if copies_of(view) else ""
    best, middle = view.trials[order[0]].name, view.trials[order[view.n // 2]].name
    if best == middle:
        wanted = f"train trial {best} {REPEATS_ADVISED} more times with other seeds"
    else:
        wanted = (
            f"train the best config (trial {best}) and a middle one (trial {middle}) {REPEATS_ADVISED} times each, "
            f"with different seeds"
        )
    return (
        f"because no config was trained twice and no trial has several seeds: which ranks are ties is unknown, "
        f"and nothing here guesses it.{copied} To learn it, {wanted}."
    )


def _floor(view: View, noise: NoiseFloor) -> Finding:
    decimals = decimals_of(noise.sd)
    low, high = noise.interval
    of = "a trial's value" if noise.runs == 1 else f"a trial's value (the mean of {noise.runs} seeds)"
    text = (
        f"Tried again, {of} differs with a standard deviation of {number(noise.sd, decimals)} "
        f"(95 %: {number(low, decimals_of(low))} to {number(high, decimals_of(low))}), known from {noise.source} "
        f"({_degrees(noise.df)})."
    )
    is_poor = noise.df < FEW_DF
    return Finding(
        rule="noise.floor",
        subject=view.metric.name,
        sentence=text + (" That is hardly known yet." if is_poor else ""),
        severity="warning" if is_poor else "info",
        evidence={
            "sd": noise.sd,
            "low": low,
            "high": high,
            "df": noise.df,
            "sets": len(noise.sets),
            "runs": noise.runs,
            "run_sd": noise.run_sd,
        },
        advice=f"Train the best and a middle config {REPEATS_ADVISED} times each with different seeds."
        if is_poor
        else "",
    )


def _degrees(df: int) -> str:
    return "1 degree of freedom" if df == 1 else f"{df:,} degrees of freedom"


def _tied(view: View, noise: NoiseFloor) -> list[Finding]:
    if not noise.ties:
        return []
    decimals = decimals_of(noise.sd)
    shown = noise.ties[:MOST_TIES_NAMED]
    said = []
    for tie in shown:
        values = view.values[list(tie.rows)]
        said.append(f"{tie.first} to {tie.last} ({number(values[0], decimals)} to {number(values[-1], decimals)})")
    rest = len(noise.ties) - len(shown)
    more = f"; and {count(rest, 'more group')}" if rest else ""
    are = "These ranks are one tie" if len(noise.ties) == 1 else "These ranks are ties"
    return [
        Finding(
            rule="noise.ties",
            subject=view.metric.name,
            sentence=f"{are}, as noise of {number(noise.sd, decimals)} alone would spread as many equal configs as "
            f"far: {'; '.join(said)}{more}.",
            evidence={
                "sd": noise.sd,
                "ties": [[t.first, t.last] for t in noise.ties],
                "ends": [[float(view.values[t.rows[0]]), float(view.values[t.rows[-1]])] for t in shown],
            },
            advice="Do not read an order into the ranks of one tie.",
        )
    ]


def _rivalry(view: View, noise: NoiseFloor) -> list[Finding]:
    if noise.configs < 2:
        return []
    decimals = decimals_of(noise.rival_difference)
    others = noise.rival_configs - 1
    is_alone = others <= 0
    if is_alone:
        text = f"The best config is shown to be better than each of the other {noise.configs - 1:,}"
    else:
        are = "is" if others == 1 else "are"
        best = int(np.argmax(view.gains))
        named = [view.trials[i].name for i in noise.rivals if i != best]
        who = (
            f" ({'trial' if len(named) == 1 else 'trials'} {listing(named)})"
            if len(named) == others <= MOST_RIVALS
            else ""
        )
        text = f"{others:,} of the other {noise.configs - 1:,} configs{who} {are} not shown to be worse than the best"
    text += (
        f": to show it of all at once (95 %, {_degrees(noise.df)}) takes a difference of "
        f"{number(noise.rival_difference, decimals)}."
    )
    return [
        Finding(
            rule="noise.rivals",
            subject=view.metric.name,
            sentence=text,
            severity="info" if is_alone else "warning",
            evidence={
                "rivals": others,
                "configs": noise.configs,
                "difference": noise.rival_difference,
                "confidence": CONFIDENCE,
                "df": noise.df,
                "trials": [view.trials[i].name for i in noise.rivals[:MOST_DRAWN]],
            },
            advice="" if is_alone else "Train the leading configs again on fresh seeds before one is chosen.",
        )
    ]


def _luck(view: View, noise: NoiseFloor) -> list[Finding]:
    lead = noise.lead
    if lead is None:
        return []
    decimals = decimals_of(noise.sd)
    size = abs(lead.value - lead.mean)
    low, high = lead.luck_interval
    return [
        Finding(
            rule="noise.lead",
            subject=lead.trial,
            sentence=f"The best config (trial {lead.trial}, {number(lead.value, decimals)}) leads the mean of all "
            f"by {number(size, decimals)}; about {number(lead.luck, decimals)} of that is expected to be luck "
            f"({number(low, decimals)} to {number(high, decimals)} over the noise's interval), "
            f"so that a new try should come to about {number(lead.expected, decimals)}. "
            f"Noise makes {percent(lead.noise_share)} of the variance between configs.",
            severity="warning" if lead.luck > size / 4 else "info",
            evidence={
                "value": lead.value,
                "mean": lead.mean,
                "lead": size,
                "luck": lead.luck,
                "luck_low": low,
                "luck_high": high,
                "expected": lead.expected,
                "noise_share": lead.noise_share,
            },
        )
    ]


def _detectable(view: View, noise: NoiseFloor) -> Finding:
    found = {n: detectable_effect(noise.sd, n, noise.df + 2 * (n - 1), is_paired=False) for n in (1, 3, 5)}
    decimals = decimals_of(noise.sd)
    said = [f"{number(found[1], decimals)} with one trial each", f"{number(found[3], decimals)} with three"]
    said.append(f"{number(found[5], decimals)} with five")
    return Finding(
        rule="noise.detectable",
        subject=view.metric.name,
        sentence=f"Two configs must truly differ by {listing(said)} to be told apart 4 times in 5 "
        "(one-sided t test at .05).",
        evidence={f"tries_{n}": effect for n, effect in found.items()},
    )


def _repeats_sheet(view: View, noise: NoiseFloor) -> Sheet:
    rows = tuple((", ".join(s.trials), s.n, s.mean, s.sd) for s in noise.sets)
    return Sheet(
        name="repeats",
        title="What the noise is known from",
        headers=("trials", "trainings", f"mean {heading_of(view.metric)}", "sd"),
        rows=rows,
        is_shown=len(rows) <= MOST_DRAWN,
    )


def _ties_figure(view: View, noise: NoiseFloor) -> PanelsFigure:
    order = np.argsort(-view.gains, kind="stable")[:MOST_DRAWN]
    ranks = tuple(float(i + 1) for i in range(len(order)))
    names = tuple(view.trials[i].name for i in order)
    points = Points(label="trial", x=ranks, y=tuple(view.values[order].tolist()), labels=names)
    lines = []
    for tie in noise.ties:
        last = min(tie.last, len(order))
        if tie.first < last:
            inside = range(tie.first - 1, last)
            rows = order[list(inside)]
            lines.append(Points(label="tie", x=tuple(ranks[i] for i in inside), y=tuple(view.values[rows].tolist())))
    panel = Panel(
        title="", x=Axis(label="rank"), y=Axis(label=heading_of(view.metric)), points=(points,), lines=tuple(lines)
    )
    return PanelsFigure(
        name="ties",
        title=_ties_title(noise),
        caption=f"The {'best ' if len(order) < view.n else ''}{len(order)} of {view.n:,} trials; a line joins ranks "
        f"that noise of {number(noise.sd, decimals_of(noise.sd))} would spread as far.",
        panels=(panel,),
    )


def _ties_title(noise: NoiseFloor) -> str:
    if not noise.ties:
        return "No two ranks lie so close that noise alone explains their order"
    first = noise.ties[0]
    return f"Noise alone explains the order of ranks {first.first} to {first.last}" + (
        f" and of {count(len(noise.ties) - 1, 'more group')}" if len(noise.ties) > 1 else ""
    )
