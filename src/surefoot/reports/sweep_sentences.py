"""A sweep in sentences: where it stands, what a trial came to, what the fresh seeds said, how to go on."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.choosing import BASE, Chosen, Standing, is_expectation_met
from surefoot.reports.sweep_story import SweepStory, TrialStory
from surefoot.run import Metric
from surefoot.sweep import Expectation
from surefoot.words import count, decimals_of, duration, half_width, listing, number, signed, span, unit_of

STATES = ("complete", "pruned", "paused", "infeasible", "failed", "running", "waiting")
_HEAD = re.compile(r"^(.*?(?:; |: ))(.*)$", re.DOTALL)
_DIGITS = re.compile(r"\d[\d.,]*(?:e[-+]?\d+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Failures:
    """The trials that failed in the same way: the first one's reason, and their numbers."""

    state: str
    reason: str
    trials: tuple[int, ...]


def failures_of(trials: Iterable[tuple[int, str, str]]) -> tuple[Failures, ...]:
    """Failed and infeasible trials (number, state, reason), grouped by reason, the most frequent first.

    Two reasons that differ in a number of their details are one; another exit code is another reason.
    """
    groups: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for trial, state, reason in trials:
        if state in ("FAILED", "INFEASIBLE"):
            groups.setdefault((state, _alike(reason)), []).append((trial, reason))
    found = [
        Failures(
            state=state,
            reason=_shared([reason for _, reason in members]),
            trials=tuple(trial for trial, _ in members),
        )
        for (state, _), members in groups.items()
    ]
    return tuple(sorted(found, key=lambda f: (-len(f.trials), f.trials)))


def _shared(reasons: Sequence[str]) -> str:
    """The first reason on one line; that the others are alike where they differ in a number."""
    return " ".join(reasons[0].split()) + (" (and alike)" if len(set(reasons)) > 1 else "")


def _alike(reason: str) -> str:
    """The reason without the numbers of its details: they stand behind the first colon or semicolon."""
    parted = _HEAD.match(reason)
    head, details = parted.groups() if parted else ("", reason)
    return f"{head}{_DIGITS.sub('#', details)}"


def failures_text(failures: Mapping[str, Any]) -> str:
    """ "7 × exit code 1; last words: no such file", of failures as JSON tells them."""
    what = "" if failures["state"] == "failed" else f"{failures['state']}, "
    return f"{failures['count']:,} × {what}{failures['reason'] or 'no reason given'}"


# --- where it stands -------------------------------------------------------------------------------------------------


def trial_sentence(number: int, state: str, reason: str, values: str) -> str:
    """ "trial 12: val_loss 0.3121", "trial 13: FAILED (exit code 3)"."""
    if state == "COMPLETE":
        return f"trial {number}: {values}"
    why = reason.removeprefix(f"{state.lower()}: ")
    return f"trial {number}: {state}" + (f" ({why})" if why else "")


def states_text(states: Counter[str]) -> str:
    """ "31 complete, 7 pruned and 2 failed"."""
    return listing([f"{states[state]:,} {state}" for state in STATES if states[state]])


def counts_sentence(story: SweepStory) -> str:
    """ "40 trials: 31 complete, 7 pruned and 2 failed; 3 runs came to nothing and were tried again"."""
    if not story.trials:
        return "no trial yet"
    states = Counter(t.state.lower() for t in story.trials)
    again = sum(t.retried for t in story.trials)
    retried = f"; {retried_text(again)}" if again else ""
    return f"{count(len(story.trials), 'trial')}: {states_text(states)}{retried}"


def retried_text(n: int) -> str:
    """ "1 run came to nothing and was tried again"."""
    return f"{count(n, 'run')} came to nothing and {'was' if n == 1 else 'were'} tried again"


def standing_sentence(story: SweepStory) -> str:
    """How many trials of what kind, why the exploration ended, and the best so far."""
    parts = [counts_sentence(story)]
    if story.ending:
        parts.append(f"the exploration ended: {story.ending}")
    best = story.best_trial
    if len(story.sweep.targets) > 1:
        if story.front:
            parts.append(f"{count(len(story.front), 'trial')} on the Pareto front of {objectives_text(story)}")
    elif best is not None:
        parts.append(f"the best by exploring is trial {best.number}, {value_text(story, best)}")
    return "; ".join(parts)


def objectives_text(story: SweepStory) -> str:
    """ "val_loss and latency"."""
    return listing([m.name for m in story.sweep.targets])


def value_text(story: SweepStory, trial: TrialStory) -> str:
    """ "val_loss 0.3121 (one seed, so luck is part of it)"."""
    metric = story.objective
    value = f"{metric.name} {number(trial.values[0])}{unit_of(metric)}"
    return f"{value} ({seeds_caution(trial.seeds)})"


def seeds_caution(seeds: int) -> str:
    """What a value that was searched for is to be taken for."""
    if seeds > 1:
        return f"the mean of {seeds} seeds that chose it, so luck is part of it"
    return "one seed, so luck is part of it"


def time_sentence(story: SweepStory) -> str:
    """What it cost, and the training that is left where that can be said."""
    ended = sum(n for status, n in story.runs.items() if status != "running")
    spent = f"{count(ended, 'run')} and {duration(3600 * story.hours)} of training so far"
    if story.phase == "done" or story.seconds_left is None:
        return spent.removesuffix(" so far")
    return f"{spent}; about {duration(story.seconds_left)} of training to go"


def go_on(story: SweepStory) -> tuple[str, str]:
    """The command that goes on, and what it does."""
    file = shlex.quote(story.sweep.path) if story.sweep.path else "SWEEP.yaml"
    command = " ".join(part for part in ("surefoot sweep", file, story.place) if part)
    if (
        story.phase == "done"
        and any(t.state in ("FAILED", "INFEASIBLE") for t in story.trials)
        and not story.best_trial
    ):
        return command, "goes on once what failed is mended; trials made with other code do not count"
    if story.phase != "done":
        return command, "goes on where the sweep stands; nothing that is finished is trained again"
    return command, f"with a larger budget in {file}, makes further trials; those on record count"


# --- what fresh seeds said -------------------------------------------------------------------------------------------


def chosen_sentences(story: SweepStory) -> list[str]:
    """What the fresh seeds said of the best few; why they said nothing where they did not."""
    chosen = story.chosen
    if chosen is None:
        return [_unconfirmed(story)] if _unconfirmed(story) else []
    if chosen.number is None:
        raced = sum(s.number != BASE for s in chosen.standings)
        return [f"No config can be chosen: all {raced} that were trained on fresh seeds diverged."]
    told = [_worth(chosen, story), *_luck(chosen, story), *_against_base(chosen, story), *_ties(chosen)]
    if not chosen.is_complete and story.phase == "done":
        told.append("The budget ended before every seed that was planned.")
    return [*told, *_target(chosen, story), *expectation_sentences(story)]


def decimals_of_choice(chosen: Chosen) -> int | None:
    """The decimals that the chosen config's interval is worth; None where there is none."""
    return decimals_of(half_width(chosen.interval))


def survival_text(chosen: Chosen) -> str:
    """ "trial 12 survives: …": whether the config with the best exploring value stands on fresh seeds."""
    best = f"trial {chosen.explored_number}"
    if chosen.estimate is None:
        return f"whether {best} survives is not known yet"
    if chosen.explored_number == chosen.number:
        return f"{best} survives: it is the chosen one"
    if chosen.survives:
        return f"{best} survives: the race could not tell it apart from trial {chosen.number}"
    return f"{best} does not survive fresh seeds"


def nothing_text(story: SweepStory) -> str:
    """Why no trial is the best one."""
    stopped = sum(t.state in ("PRUNED", "PAUSED") for t in story.trials)
    if stopped and stopped == len(story.trials):
        told = f"No trial went to its end: {'all ' if stopped > 1 else ''}{count(stopped, 'trial')} stopped early"
        return f"{told}, so there is nothing to choose; more trials, or fewer rungs, let one through"
    return "No trial has a value, so there is nothing to choose"


def _unconfirmed(story: SweepStory) -> str:
    if story.best_trial is None and not story.front:
        return f"{nothing_text(story)}."
    if story.phase != "done":
        return ""
    why = "no trial was trained on fresh seeds"
    if len(story.sweep.targets) > 1:
        why = "a front of several objectives is not put to fresh seeds, so luck is part of each of its points"
    elif story.sweep.confirmation is None:
        why = 'the sweep asks for no fresh seeds; "confirm: {top: 8, seeds: 5}" in its file would'
    return f"Nothing is confirmed: {why}."


def _worth(chosen: Chosen, story: SweepStory) -> str:
    metric, so_far = story.objective, "" if chosen.is_complete or story.phase == "done" else " so far"
    raced = sum(s.number != BASE and s.n > 0 for s in chosen.standings)
    among = f" from {raced} that raced on fresh seeds" if raced > 1 else ""
    if chosen.estimate is None:
        word = "leads so far" if so_far else "is chosen, but no fresh seed was left to say what it is worth"
        return f"Trial {chosen.number} {word}{among}."
    on = f"over {count(chosen.n, 'fresh seed')} that had no part in choosing it"
    value = f"{metric.name} {number(chosen.estimate, decimals_of_choice(chosen))}{unit_of(metric)}"
    return f"Trial {chosen.number} is chosen{so_far}{among}: it came to {value}{_within(chosen)} {on}."


def _within(chosen: Chosen) -> str:
    if chosen.interval is None:
        return ""
    low, high = (number(end, decimals_of_choice(chosen)) for end in chosen.interval)
    return f" (95 % interval {low} … {high})"


def _luck(chosen: Chosen, story: SweepStory) -> list[str]:
    if chosen.luck is None or chosen.estimate is None:
        return []
    metric, digits = story.objective, decimals_of_choice(chosen)
    best = f"trial {chosen.explored_number}" if chosen.explored_number != chosen.number else "the same trial"
    shown = f"The sweep's best value was {number(chosen.explored_best, digits)}{unit_of(metric)} ({best})"
    amount = f"{number(abs(chosen.luck), digits)}{metric.difference_unit}"
    if chosen.luck <= 0:
        return [f"{shown}, which flattered nothing."]
    lead = lead_over_base(chosen, metric)
    of = f"of its lead of {number(lead, digits)}{metric.difference_unit} over the base" if lead else "of which"
    told = f"{shown}; {of}, {amount} was luck" if lead else f"{shown}, {of} {amount} was luck"
    stands = "" if chosen.survives else "; that config does not survive fresh seeds"
    return [f"{told}{stands}."]


def lead_over_base(chosen: Chosen, metric: Metric) -> float | None:
    """By how much the sweep's best value looked better than the base on fresh seeds, where it did."""
    if chosen.gain is None or chosen.estimate is None:
        return None
    lead = metric.sign * (chosen.explored_best - (chosen.estimate - chosen.gain))
    return lead if lead > 0 else None


def _against_base(chosen: Chosen, story: SweepStory) -> list[str]:
    if chosen.gain is None:
        return []
    digits, unit = decimals_of(half_width(chosen.gain_interval)), story.objective.difference_unit
    within = f" (95 % interval {span(chosen.gain_interval, digits)})" if chosen.gain_interval else ""
    return [f"Against the base, over the same seeds, that is {signed(chosen.gain, digits)}{unit}{within}."]


def _ties(chosen: Chosen) -> list[str]:
    tied = [str(s.number) for s in chosen.standings if s.is_tied]
    if not tied or chosen.estimate is None:
        return []
    word = "trial" if len(tied) == 1 else "trials"
    return [f"The race could not tell it apart from {word} {listing(tied)}; a cheaper one of them may serve as well."]


def _target(chosen: Chosen, story: SweepStory) -> list[str]:
    metric = story.objective
    if metric.target is None or chosen.estimate is None:
        return []
    gap = metric.sign * (metric.target - chosen.estimate)
    target = f"{number(metric.target)}{unit_of(metric)}"
    size = f"{number(abs(gap), decimals_of_choice(chosen))}{metric.difference_unit}"
    how = f"reaches the target of {target}, by {size}" if gap <= 0 else f"is {size} short of the target of {target}"
    return [f"On fresh seeds it {how}."]


def expectation_sentences(story: SweepStory) -> list[str]:
    """What was expected before the first trial, and whether fresh seeds bore it out; nothing where nothing was."""
    expected, chosen, metric = story.sweep.expectation, story.chosen, story.objective
    if expected is None:
        return []
    digits = decimals_of(expected.high - expected.low)
    told = f"Before any trial {metric.name} was expected to come to {number(expected.low, digits)} … "
    told += f"{number(expected.high, digits)}{unit_of(metric)}"
    answer = {True: "SUPPORTED", False: "REFUTED", None: "INCONCLUSIVE"}[is_expectation_met(expected, chosen)]
    if chosen is None or chosen.estimate is None or not chosen.is_complete:
        return [f"{told}; whether it does is not known yet."]
    return [f"{told}: {answer}.", *_beaten(expected, chosen, metric)]


def _beaten(expected: Expectation, chosen: Chosen, metric: Metric) -> list[str]:
    """Whether the value that was to be beaten is."""
    if expected.against is None or chosen.estimate is None or chosen.interval is None:
        return []
    gains = sorted(metric.sign * (end - expected.against) for end in chosen.interval)
    value = f"the {number(expected.against, decimals_of_choice(chosen))}{unit_of(metric)} of the sweep before"
    if gains[0] > 0:
        return [f"It beats {value}."]
    return [f"It falls behind {value}." if gains[1] < 0 else f"It cannot be told apart from {value}."]


def outcome_text(standing: Standing) -> str:
    """How a config came out of the race: "tied with trial 12, dropped after 2 seeds"."""
    told = re.sub(r"^tied with (\d+)", r"tied with trial \1", standing.state)
    return re.sub(r"dropped after (\d+)$", lambda found: f"dropped after {count(int(found[1]), 'seed')}", told)


def number_name(trial: int) -> str:
    """The trial's name; the base is number -1."""
    return "base" if trial == BASE else f"trial {trial}"


def trials_text(numbers: Sequence[int], most: int = 6) -> str:
    """ "trial 3", "trials 3, 7 and 9", "trials 3, 7, 9, 12, 15, 20 and 31 more"."""
    if len(numbers) == 1:
        return f"trial {numbers[0]}"
    shown = [str(n) for n in numbers[:most]]
    more = len(numbers) - most
    return f"trials {listing([*shown, f'{more} more']) if more > 0 else listing(shown)}"
