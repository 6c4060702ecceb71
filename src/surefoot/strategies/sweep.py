"""Sweep: a search over the settings that the diagnosis suspects, whose best few race as an experiment's arms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis
from surefoot.parameter import Parameter, choice, integer, real
from surefoot.plan import Experiment, Prediction, SearchPlan, round_id
from surefoot.space import SearchSpace
from surefoot.strategies.targeted import moved_facts
from surefoot.words import listing

# How far beyond the old and the recommended value a suspected number is looked for: a factor for those on a scale
# of their own (rates, decays, sizes), a share of the distance for the others.
FACTOR = 3.0
SHARE = 0.5
MOST_LEVELS = 12
ARMS = 3


def suspected(
    recommendations: Sequence[Recommendation], champion: Mapping[str, Any], space: SearchSpace
) -> SearchSpace:
    """The space around the champion's and the recommended values of every setting that a recommendation changes."""
    asked: dict[str, list[Any]] = {}
    for recommendation in recommendations:
        for name, value in recommendation.patch.items():
            asked.setdefault(name, [champion[name]]).append(value)
    return SearchSpace(parameters=tuple(_around(space.named(name)[-1], values) for name, values in asked.items()))


def _around(parameter: Parameter, values: Sequence[Any]) -> Parameter:
    """The part of a parameter that holds the values, with room beyond them."""
    if parameter.kind not in ("float", "int"):
        levels = parameter.levels()
        found = levels if len(levels) <= MOST_LEVELS else tuple(dict.fromkeys(values))
        return choice(parameter.name, *found)
    low, high = min(values), max(values)
    is_scaled = low > 0 and high / low >= FACTOR
    bottom, top = (low / FACTOR, high * FACTOR) if is_scaled else _widened(low, high)
    bottom, top = _within(parameter, bottom, top)
    if parameter.kind == "int":
        return integer(parameter.name, int(bottom), max(int(top), int(bottom) + 1), log=is_scaled)
    return real(parameter.name, bottom, top, log=is_scaled)


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range with room at both ends; from 0 on where nothing is below."""
    room = SHARE * (high - low)
    return (max(low - room, 0.0) if low >= 0 else low - room), high + room


def _within(parameter: Parameter, bottom: float, top: float) -> tuple[float, float]:
    if parameter.low is not None:
        bottom = max(bottom, parameter.low)
    if parameter.high is not None:
        top = min(top, parameter.high)
    return bottom, top


def searched(
    number: int,
    diagnosis: Diagnosis,
    recommendations: Sequence[Recommendation],
    champion: Mapping[str, Any],
    *,
    space: SearchSpace,
    trials: int,
    metric: str,
    drivers: Mapping[str, tuple[str, ...]],
) -> Experiment:
    """The round's experiment: a search of so many trials, that begins with each recommendation as it was made."""
    looked = suspected(recommendations, champion, space)
    names = looked.names()
    first = tuple({name: {**champion, **r.patch}[name] for name in names} for r in recommendations)
    search = SearchPlan(space=looked, trials=max(trials, ARMS), top=ARMS, first=first)
    primary = next((s for s in diagnosis.symptoms if s.rule == diagnosis.primary), None)
    return Experiment(
        id=round_id(number),
        hypothesis=f"Other values of {listing(list(names))} make {metric} better.",
        because=primary.finding.sentence if primary else "",
        arms=(),
        predictions=tuple(Prediction(arm=arm, metric=metric, relation="better") for arm in search.arm_names),
        allow=moved_facts([r.patch for r in recommendations], drivers),
        search=search,
    )
