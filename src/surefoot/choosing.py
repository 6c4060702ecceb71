"""Choosing: which of a sweep's best configs stands on fresh seeds, what it is worth, how much of its best was luck.

The best value of many single runs is partly luck. So the best few are trained again on fresh seeds and race by
halves: each round has half the configs and twice the seeds. The one that is left is trained on further seeds, and
only those say what it is worth: they had no part in choosing it, so nothing flatters them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from surefoot.comparison import NoValue, Value
from surefoot.run import Metric
from surefoot.stats.comparisons import Estimate, mean_estimate
from surefoot.stats.noise import pooled_variance, sample_variance
from surefoot.sweep import Confirmation, Expectation

BASE = -1  # the number of the config that the sweep began with, where it takes part as the reference
DEFAULT = Confirmation()
# More of a budget than this is not taken from exploring.
LARGEST_SHARE = 1 / 3
# A small budget first takes fewer configs, down to so many, and then fewer seeds, down to so many.
FEW = 3
TIED_ABOVE_P = 0.05
NO_LIMIT = 10**12


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A config of the sweep: the values of its exploring runs, and those on the confirming seeds in their order.

    A seed that was given up has an entry too, LOST. The base has the number -1 and was not explored. One config
    is one candidate: a config that was proposed twice would race against itself.
    """

    number: int
    explored: tuple[float, ...] = ()
    fresh: tuple[Value, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a config came out of the race, in the metric's unit.

    `explored` is the mean of its exploring values, `mean` and `interval` (95 %) come from its `n` values on
    the seeds of the race. `state` is "chosen", "leading", "racing", "dropped after 2", "tied with 12, dropped
    after 2", "diverged on 1 of 2 seeds", "lost" or "base".
    """

    number: int
    explored: float | None
    n: int
    mean: float | None
    interval: tuple[float, float] | None
    state: str
    is_tied: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The config that the sweep stands on, and what may be claimed for it.

    `estimate` is its mean over `n` fresh seeds that had no part in choosing it, `interval` 95 % of it (None
    below two seeds). `luck` is by how much the sweep's best value looked better than that, positive where it
    flattered. `survives` says whether the config with the best exploring value is the chosen one or cannot be
    told apart from it. `gain` is chosen minus base over the same seeds. `is_complete` is False as long as
    seeds are missing: the race goes on, or the budget ended it. `number` is None where no config is left.
    """

    number: int | None
    explored_number: int
    explored_best: float
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    n: int = 0
    luck: float | None = None
    survives: bool = False
    gain: float | None = None
    gain_interval: tuple[float, float] | None = None
    is_complete: bool = False
    standings: tuple[Standing, ...] = ()
    sentence: str = ""


def is_expectation_met(expected: Expectation, chosen: Chosen | None) -> bool | None:
    """Whether the chosen config came to what was expected of it; None where the fresh seeds cannot tell.

    Met: the estimate lies in the expected range. Not met: its whole 95 % interval lies outside. Between the two,
    below two seeds, and as long as the race goes on, nobody can tell.
    """
    if chosen is None or chosen.estimate is None or chosen.interval is None or not chosen.is_complete:
        return None
    if expected.low <= chosen.estimate <= expected.high:
        return True
    return False if chosen.interval[0] > expected.high or chosen.interval[1] < expected.low else None


# --- the budget ------------------------------------------------------------------------------------------------------


def rounds(confirmation: Confirmation) -> tuple[tuple[int, int], ...]:
    """The rounds of the race: how many configs take part, and how many seeds each has had by its end.

    Eight configs and five claiming seeds race as 8 on 1, 4 on 2 and 2 on 4 seeds.
    Source: Karnin, Koren & Somekh (2013), "Almost optimal exploration in multi-armed bandits", algorithm 1;
    seeds are common to the configs of a round, and kept from round to round.
    """
    last, found, size = max(confirmation.seeds - 1, 1), [], confirmation.top
    halvings = math.ceil(math.log2(size)) if size > 1 else 0
    for k in reversed(range(halvings)):
        found.append((size, max(last >> k, 1)))
        size = (size + 1) // 2
    return tuple(found)


def cost(confirmation: Confirmation, *, has_base: bool = False) -> int:
    """How many runs the whole confirmation takes; the base trains on every seed of the chosen config."""
    spent = before = 0
    for size, seeds in rounds(confirmation):
        spent += size * (seeds - before)
        before = seeds
    return spent + confirmation.seeds + (before + confirmation.seeds) * has_base


def fitted(confirmation: Confirmation, runs: int | None, *, has_base: bool = False) -> Confirmation:
    """The confirmation itself where it takes at most a third of `runs`, else a smaller one that does.

    Fewer configs come first, then fewer seeds. All that is asked about one sweep is asked with this one.
    """
    top, seeds = confirmation.top, confirmation.seeds
    most = NO_LIMIT if runs is None else runs * LARGEST_SHARE
    while (top, seeds) != (1, 1) and cost(Confirmation(top=top, seeds=seeds), has_base=has_base) > most:
        if top > FEW or (seeds <= FEW and top > 1):
            top -= 1
        else:
            seeds -= 1
    return replace(confirmation, top=top, seeds=seeds)


def exploring_share(runs: int, confirmation: Confirmation = DEFAULT, *, has_base: bool = False) -> int:
    """How many of a sweep's runs explore: all that the fitted confirmation does not need, and at least one."""
    return max(runs - cost(fitted(confirmation, runs, has_base=has_base), has_base=has_base), 1)


# --- the race --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Race:
    """The race as far as the record goes: who stands where, and what the round in hand waits for.

    `order` are those who took part, the best first; `used` seeds have chosen among them; `dropped` says after
    how many seeds one fell behind. `missing` maps those in the round to the seeds it wants; empty when it is over.
    """

    order: tuple[Candidate, ...]
    used: int
    dropped: dict[int, int]
    missing: dict[int, int] = field(default_factory=dict)

    @property
    def chosen(self) -> Candidate | None:
        """The best that did not diverge on any fresh seed."""
        return next((c for c in self.order if not _diverged(c.fresh)), None)


def _race(candidates: Sequence[Candidate], sign: int, confirmation: Confirmation) -> _Race:
    """Replays the race from its first round; a round counts once all who are in it have all its seeds."""
    alive = _by_exploring(candidates, sign)[: confirmation.top]
    fallen: list[Candidate] = []
    used = 0
    dropped: dict[int, int] = {}
    for size, seeds in rounds(confirmation):
        if len(alive) <= 1:
            break
        dropped |= {c.number: used for c in alive[size:]}
        alive, fallen = alive[:size], [*alive[size:], *fallen]
        if any(len(c.fresh) < seeds for c in alive):
            missing = {c.number: seeds for c in alive}
            return _Race(order=(*alive, *fallen), used=used, dropped=dropped, missing=missing)
        used = seeds
        leads = _leads(alive, seeds, sign)
        # Python's sort keeps the order of equals, so that the earlier standing decides.
        alive = sorted(alive, key=lambda c: -leads[c.number])
        whole = [c for c in alive if not _diverged(c.fresh[:seeds])]
        fallen = [*(c for c in alive if c not in whole), *fallen]
        alive = whole
    return _Race(order=(*alive, *fallen), used=used, dropped=dropped | {c.number: used for c in alive[1:]})


def _by_exploring(candidates: Sequence[Candidate], sign: int) -> list[Candidate]:
    """Those that were explored, the best mean first; of equals the earlier one."""
    tried = [c for c in candidates if c.number != BASE and c.explored and all(map(math.isfinite, c.explored))]
    return sorted(tried, key=lambda c: (-sign * _mean(c.explored), c.number))


def _leads(alive: Sequence[Candidate], n: int, sign: int) -> dict[int, float]:
    """By how much each one is better than the others, on average over the first n seeds that it has.

    Means over different seeds would compare the seeds; so what is averaged is the distance to a seed's own mean.
    """
    places = [[v for c in alive if not isinstance(v := c.fresh[i], NoValue)] for i in range(n)]
    levels = [_mean(values) if values else 0.0 for values in places]
    leads = {}
    for c in alive:
        gaps = [sign * (v - levels[i]) for i, v in enumerate(c.fresh[:n]) if not isinstance(v, NoValue)]
        leads[c.number] = _mean(gaps) if gaps else -math.inf
    return leads


def wanted(
    explored: Sequence[Candidate], *, metric: Metric, confirmation: Confirmation, runs_left: int | None
) -> dict[int, int]:
    """Trial number -> how many of the confirming seeds it should have had by now; empty when all is settled.

    First the round in hand, then the chosen config's claiming seeds, and the base's where it is among the
    candidates. It never asks for more than `runs_left` runs: where these do not suffice for a round and the
    claim after it, the race ends early and what is left goes to the claim.
    """
    had = {c.number: len(c.fresh) for c in explored}
    race = _race(explored, metric.sign, confirmation)
    # What is spent and what is left add up to the same at every step, so a restart decides as before.
    budget = NO_LIMIT if runs_left is None else runs_left + sum(had.values())
    has_base = BASE in had
    if race.missing:
        after = {**had, **{number: max(n, had[number]) for number, n in race.missing.items()}}
        last = rounds(confirmation)[-1][1]
        reserve = confirmation.seeds + (last + confirmation.seeds - had[BASE] if has_base else 0)
        if sum(after.values()) + reserve <= budget:
            return {number: n for number, n in race.missing.items() if n > had[number]}
    goal = _claiming(race, had, confirmation.seeds, budget)
    return {number: n for number, n in goal.items() if n > had[number]}


def _claiming(race: _Race, had: dict[int, int], seeds: int, budget: int) -> dict[int, int]:
    """How many seeds the chosen config should have had, and the base where there are claiming seeds for both."""
    if race.chosen is None:
        return {}
    number = race.chosen.number
    left = budget - sum(n for other, n in had.items() if other not in (number, BASE))
    together = min(seeds, left // 2 - race.used)
    if BASE in had and together >= min(2, seeds):
        return {number: race.used + together, BASE: race.used + together}
    alone = race.used + min(seeds, left - had.get(BASE, 0) - race.used)
    return {number: alone} if alone > race.used else {}


# --- what is claimed -------------------------------------------------------------------------------------------------


def confirmed(candidates: Sequence[Candidate], *, metric: Metric, confirmation: Confirmation) -> Chosen:
    """The chosen config and its worth as far as the values go; raises ValueError where nothing was explored."""
    race = _race(candidates, metric.sign, confirmation)
    ranking = _by_exploring(candidates, metric.sign)
    if not ranking:
        raise ValueError("no config was explored, so there is nothing to choose from")
    best, chosen = ranking[0], race.chosen
    base = next((c for c in candidates if c.number == BASE), None)
    most = race.used + confirmation.seeds
    claim = _claim(chosen, race.used, most)
    gain = _gain(chosen, base, race.used, most)
    standings = _standings(race, base, metric.sign)
    found = Chosen(
        number=chosen.number if chosen else None,
        explored_number=best.number,
        explored_best=_mean(best.explored),
        estimate=claim.mean if claim else None,
        interval=_interval(claim),
        n=claim.n if claim else 0,
        luck=metric.sign * (_mean(best.explored) - claim.mean) if claim else None,
        survives=any(s.number == best.number and (s.is_tied or s.state == "chosen") for s in standings),
        gain=gain.mean if gain else None,
        gain_interval=_interval(gain),
        is_complete=not wanted(candidates, metric=metric, confirmation=confirmation, runs_left=None),
        standings=standings,
    )
    return replace(found, sentence=_sentence(found, metric))


def _claim(chosen: Candidate | None, used: int, most: int) -> Estimate | None:
    """The mean of the seeds that had no part in choosing; what they have in common with those that had is the noise."""
    values = _numbers(chosen.fresh[used:most]) if chosen else []
    return mean_estimate(values, _numbers(chosen.fresh[:used])) if chosen and values else None


def _gain(chosen: Candidate | None, base: Candidate | None, used: int, most: int) -> Estimate | None:
    """Chosen minus base over the claiming seeds that both have; None where there is none or the base diverged."""
    if chosen is None or base is None or _diverged(base.fresh):
        return None
    differences = _differences(chosen.fresh[used:most], base.fresh[used:most])
    return mean_estimate(differences) if differences else None


def _standings(race: _Race, base: Candidate | None, sign: int) -> tuple[Standing, ...]:
    """The chosen one, those who raced it from the best to the worst, and the base."""
    chosen = race.chosen
    first = [chosen] if chosen else []
    tied = _tied(race, chosen, sign) if chosen else set()
    found = [
        _standing(c, race.used, _state(c, race, chosen, c.number in tied), c.number in tied)
        for c in (*first, *(c for c in race.order if c is not chosen))
    ]
    return (*found, _standing(base, race.used, "base", False)) if base else tuple(found)


def _standing(c: Candidate, used: int, state: str, is_tied: bool) -> Standing:
    values = _numbers(c.fresh[:used])
    found = mean_estimate(values) if values else None
    return Standing(
        number=c.number,
        explored=_mean(c.explored) if c.explored else None,
        n=len(values),
        mean=found.mean if found else None,
        interval=_interval(found),
        state=state,
        is_tied=is_tied,
    )


def _state(c: Candidate, race: _Race, chosen: Candidate | None, is_tied: bool) -> str:
    if c is chosen:
        return "leading" if race.missing else "chosen"
    diverged = sum(v is NoValue.DIVERGED for v in c.fresh)
    if diverged:
        return f"diverged on {diverged} of {len(c.fresh)} seeds"
    if c.number in race.missing:
        return "racing"
    if c.fresh and not _numbers(c.fresh):
        return "lost"
    dropped = f"dropped after {race.dropped.get(c.number, race.used)}"
    return f"tied with {chosen.number}, {dropped}" if chosen and is_tied else dropped


def _tied(race: _Race, chosen: Candidate, sign: int) -> set[int]:
    """Those whose distance from the chosen one could be chance, at 5 % for each.

    All distances are held against one variance, pooled over those who have two seeds and more: alone, two or
    four seeds would say little of it. Where nobody has, nothing can be told apart.
    """
    others = [c for c in race.order if c is not chosen and not _diverged(c.fresh)]
    found = {c.number: _differences(chosen.fresh[: race.used], c.fresh[: race.used]) for c in others}
    several = [d for d in found.values() if len(d) >= 2]
    df = sum(len(d) - 1 for d in several)
    variance = pooled_variance([sample_variance(d) for d in several], [len(d) - 1 for d in several])
    tied = set()
    for number, distances in found.items():
        if distances and df:
            error = math.sqrt(variance / len(distances))
            mean = sign * _mean(distances)
            estimate = Estimate(
                mean=mean, standard_error=error, df=df, sd=math.sqrt(variance), n=len(distances), method="pooled t"
            )
            if estimate.p_above() <= TIED_ABOVE_P:
                continue
        if distances:
            tied.add(number)
    return tied


def _differences(a: Sequence[Value], b: Sequence[Value]) -> list[float]:
    """a - b over the seeds at which both have a number."""
    pairs = zip(a, b, strict=False)
    return [x - y for x, y in pairs if not isinstance(x, NoValue) and not isinstance(y, NoValue)]


def _numbers(values: Sequence[Value]) -> list[float]:
    return [v for v in values if not isinstance(v, NoValue)]


def _diverged(values: Sequence[Value]) -> bool:
    return any(v is NoValue.DIVERGED for v in values)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _interval(estimate: Estimate | None) -> tuple[float, float] | None:
    return estimate.interval() if estimate is not None and estimate.df > 0 else None


# --- in words --------------------------------------------------------------------------------------------------------


def _sentence(found: Chosen, metric: Metric) -> str:
    """The answer in a few plain sentences."""
    if found.number is None:
        raced = [s for s in found.standings if s.number != BASE]
        return f"No config can be chosen: all {len(raced)} that were trained on fresh seeds diverged."
    parts = [_value_sentence(found, metric)]
    if found.estimate is not None:
        parts.append(_luck_sentence(found, metric))
    tied = [str(s.number) for s in found.standings if s.is_tied]
    if tied:
        parts.append(f"It cannot be told apart from {'trial' if len(tied) == 1 else 'trials'} {_listing(tied)}.")
    if found.gain is not None:
        parts.append(
            f"Against the base that is {_shown(found.gain, found.gain_interval, metric.difference_unit, '+')}."
        )
    return " ".join(parts)


def _value_sentence(found: Chosen, metric: Metric) -> str:
    so_far = "" if found.is_complete else " so far"
    raced = sum(s.number != BASE and s.n > 0 for s in found.standings)
    among = f" from {raced} that raced on fresh seeds" if raced > 1 else ""
    unit = f" {metric.unit}" if metric.unit else ""
    if found.estimate is None:
        return f"Trial {found.number} is chosen{so_far}{among}, but no fresh seed was left to say what it is worth."
    seeds = f"{found.n} fresh {'seed' if found.n == 1 else 'seeds'} that had no part in choosing it"
    value = _shown(found.estimate, found.interval, unit)
    return f"Trial {found.number} is chosen{so_far}{among}: {metric.name} {value} on {seeds}."


def _luck_sentence(found: Chosen, metric: Metric) -> str:
    unit = f" {metric.unit}" if metric.unit else ""
    shown = f"The sweep's best value was {found.explored_best:.5g}{unit} (trial {found.explored_number})"
    luck = found.luck or 0.0
    if luck <= 0:
        return f"{shown}, which flattered nothing."
    share = f"{shown}, of which {luck:.3g}{metric.difference_unit} was luck"
    return f"{share}." if found.survives else f"{share}; that config did not stand on fresh seeds."


def _shown(value: float, interval: tuple[float, float] | None, unit: str, sign: str = "") -> str:
    """ "0.3121 (95 % interval 0.309 to 0.3152)"."""
    known = f"{value:{sign}.5g}{unit}"
    return f"{known} (95 % interval {interval[0]:{sign}.5g} to {interval[1]:{sign}.5g})" if interval else known


def _listing(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
