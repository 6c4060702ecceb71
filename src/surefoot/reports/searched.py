"""The search of an experiment told: what was looked through, what it picked, and how much of that was luck."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from surefoot.comparison import numbers_in
from surefoot.plan import SearchPlan
from surefoot.reports.plain_json import number_json, plain
from surefoot.reports.space_words import parameter_words
from surefoot.reports.story import ArmStory, ExperimentStory, PickStory, SearchStory, Story
from surefoot.reports.sweep_sentences import states_text
from surefoot.reports.tables import Table
from surefoot.run import Metric
from surefoot.verdict import Answer, Cause, End, Verdict
from surefoot.words import (
    NOTHING,
    clause,
    count,
    decimals_of,
    heading_of,
    listing,
    mean_of,
    number,
    signed,
    spread,
    unit_of,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class PickedValue:
    """A pick, its mean over `n` seeds of the race (None: none yet), and by how much exploring flattered it.

    `survives` says in words whether it stands on those seeds, by its verdict against the champion.
    """

    pick: PickStory
    mean: float | None
    spread: float | None
    n: int
    luck: float | None
    survives: str


def searched(plan: SearchPlan | None, found: SearchStory | None) -> SearchStory | None:
    """What the search found so far, with what it was to look through; None for an experiment without a search."""
    if plan is None:
        return None
    levels = plan.space.scientific_levels()
    story = found or SearchStory(method=plan.method.name, trials={})
    return replace(
        story,
        asked=plan.trials,
        space=tuple(f"{p.key} ({parameter_words(p)})" for p in plan.space.parameters),
        levels=len(levels),
        top=plan.top,
    )


def picked_values(e: ExperimentStory, metric: Metric) -> tuple[PickedValue, ...]:
    """Every pick with what its race says of it, in the order of the search."""
    arms = {arm.name: arm for arm in e.arms}
    picks = e.search.picks if e.search else ()
    return tuple(_picked(pick, arms.get(pick.arm), e.steps.get(pick.arm), metric) for pick in picks)


def search_sentences(e: ExperimentStory, story: Story) -> list[str]:
    """What was searched and how it ended; of the best pick, how much was luck and whether it survives."""
    search = e.search
    if search is None:
        return []
    what = f"It {'searched' if search.ending else 'searches'} {listing(search.space)} by {search.method}"
    if not search.ending:
        then = f"the best of each of {search.levels} settings" if search.levels > 1 else f"the best {search.top}"
        alike = ", as many for each setting" if search.levels > 1 else ""
        trials = f"{count(search.asked, 'trial')}{alike}, each on a single seed"
        return [f"{what}: {trials}; {then} will race on fresh seeds."]
    states = states_text(Counter(dict(search.trials)))
    told = [f"{what}, each trial on a single seed of its own: {states} ({clause(search.ending)})."]
    told += [_levels(search)] if search.levels > 1 else []
    values = picked_values(e, story.primary)
    if values:
        best = max(values, key=lambda v: story.primary.sign * v.pick.explored)
        told.append(_luck_sentence(best, story.primary))
    return told


def search_table(e: ExperimentStory, metric: Metric) -> Table:
    """Every pick: its exploring value, its mean in the race, how much was luck, and whether it survives."""
    values = picked_values(e, metric)
    digits = decimals_of(*(v.spread for v in values))
    rows = [
        (
            v.pick.arm,
            f"trial {v.pick.trial}",
            number(v.pick.explored, digits),
            NOTHING if v.mean is None else number(v.mean, digits),
            str(v.n),
            NOTHING if v.luck is None else signed(v.luck, digits),
            v.survives,
        )
        for v in values
    ]
    unit = metric.difference_unit.strip()
    luck = f"of it luck ({unit})" if unit else "of it luck"
    headers = ("picked", "trial", f"{heading_of(metric)} by exploring", "mean in the race", "seeds", luck, "outcome")
    return Table(headers=headers, rows=tuple(rows), title="What the search picked", badges=6)


def search_json(e: ExperimentStory, metric: Metric) -> dict[str, Any] | None:
    """The search as plain JSON values."""
    search = e.search
    if search is None:
        return None
    return {
        "method": search.method,
        "space": list(search.space),
        "asked": search.asked,
        "trials": dict(search.trials),
        "ending": search.ending,
        "picks": [
            {
                "arm": v.pick.arm,
                "trial": v.pick.trial,
                "changes": plain(v.pick.changes),
                "explored": number_json(v.pick.explored),
                "mean": number_json(v.mean),
                "n": v.n,
                "luck": number_json(v.luck),
                "survives": v.survives,
            }
            for v in picked_values(e, metric)
        ],
    }


def _picked(pick: PickStory, arm: ArmStory | None, verdict: Verdict | None, metric: Metric) -> PickedValue:
    values = numbers_in(arm.values.get(metric.name, ())) if arm is not None else []
    mean = mean_of(values)
    return PickedValue(
        pick=pick,
        mean=mean,
        spread=spread(values),
        n=len(values),
        luck=None if mean is None else metric.sign * (pick.explored - mean),
        survives=_survives(verdict),
    )


def _survives(verdict: Verdict | None) -> str:
    if verdict is None or not verdict.is_settled:
        return "still racing"
    if verdict.answer is Answer.SUPPORTED:
        return "survives fresh seeds"
    is_weak = verdict.answer is Answer.INCONCLUSIVE and verdict.cause is Cause.UNDERPOWERED
    if is_weak and verdict.end not in (End.SCREENED, End.DIVERGED):
        return "not shown to survive fresh seeds"
    return "does not survive fresh seeds"


def _levels(search: SearchStory) -> str:
    return f"Each of its {search.levels} scientific settings was given the same number of trials."


def _luck_sentence(best: PickedValue, metric: Metric) -> str:
    unit = unit_of(metric)
    digits = decimals_of(best.spread)
    shown = f"Its best trial showed {metric.name} {number(best.pick.explored, digits)}{unit} "
    shown += f"(trial {best.pick.trial}, arm {best.pick.arm})"
    if best.mean is None or best.luck is None:
        return f"{shown}; its race will say how much of that is luck."
    raced = f"on {count(best.n, 'fresh seed')} it came to {number(best.mean, digits)}{unit}"
    amount = f"{number(abs(best.luck), digits)}{metric.difference_unit}"
    luck = f"so {amount} of it was luck" if best.luck > 0 else "so nothing of it was luck"
    is_verb = best.survives.startswith(("survives", "does"))
    return f"{shown}; {raced}, {luck}. The picked config {'' if is_verb else 'is '}{best.survives}."
