"""The report of a sweep as one HTML file that opens offline: nothing is fetched, nothing is run, text is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from surefoot.choosing import Chosen
from surefoot.reports.html import Card, page_environment
from surefoot.reports.pictures import Picture, picture_figures
from surefoot.reports.sweep_figures import sweep_figures
from surefoot.reports.sweep_page import (
    asked_sentence,
    chosen_config,
    config_line,
    facts,
    left_out_sentences,
    standing_paragraphs,
)
from surefoot.reports.sweep_sentences import (
    decimals_of_choice,
    go_on,
    nothing_text,
    objectives_text,
    seeds_caution,
    states_text,
    survival_text,
)
from surefoot.reports.sweep_story import SweepStory, TrialStory
from surefoot.reports.sweep_tables import (
    MOST_ROWS,
    by_value,
    cost_table,
    failures_table,
    fresh_table,
    levels_table,
    others_table,
    short,
    space_table,
    standings_table,
    state_counts,
    trials_table,
)
from surefoot.reports.tables import Table, facts_table
from surefoot.words import count, duration, number, unit_of

MOST_HTML_ROWS = 300
MOST_CARD_SETTINGS = 4
LONGEST_WORD = 18
_JOINTS = re.compile(r"[_./-](?=\w{2})")


def sweep_html(story: SweepStory, pictures: Mapping[str, Picture] | None = None) -> str:
    """The whole page; `pictures` are the figures where they are drawn already."""
    drawn = dict(pictures if pictures is not None else picture_figures(sweep_figures(story)))
    command, does = go_on(story)
    who, config = chosen_config(story)
    told = list(dict.fromkeys([*left_out_sentences(story), *story.sweep.notices, *story.notices]))
    return (
        page_environment()
        .get_template("sweep.html.j2")
        .render(
            title=f"{story.sweep.name}: report",
            story=story,
            headline=headline(story),
            cards=cards(story),
            standing=standing_paragraphs(story),
            command=command,
            does=does,
            pictures=drawn,
            survives=_survives(story),
            standings=standings_table(story),
            fresh=fresh_table(story),
            who=who,
            config=config_line(config) if who else "",
            levels=levels_table(story),
            trials=breakable(trials_table(story)),
            further=_further(story),
            ranked=len(by_value(story)),
            failures=failures_table(story),
            others=others_table(story, MOST_HTML_ROWS),
            cost=cost_table(story),
            asked=asked_sentence(story),
            space=breakable(space_table(story)),
            told=told,
            facts=facts_table(facts(story), "Provenance"),
        )
    )


def headline(story: SweepStory) -> str:
    """The one thing to know: what the chosen config is worth, or how far the sweep is from saying so."""
    chosen, metric, best = story.chosen, story.objective, story.best_trial
    if chosen is not None and chosen.number is not None and chosen.estimate is not None:
        digits = decimals_of_choice(chosen)
        value = f"{metric.name} {number(chosen.estimate, digits)}{unit_of(metric)}"
        so_far = "" if chosen.is_complete or story.phase == "done" else " so far"
        return f"Trial {chosen.number}: {value} on {count(chosen.n, 'fresh seed')}{so_far}"
    if len(story.sweep.targets) > 1 and story.front:
        return f"{count(len(story.front), 'trial')} on the Pareto front of {objectives_text(story)}"
    if best is None:
        return "No trial has a value yet" if story.phase != "done" else "No trial has a value"
    caution = "one seed" if best.seeds == 1 else f"{best.seeds} seeds"
    value = f"{metric.name} {number(best.values[0])}{unit_of(metric)}"
    return f"Best by exploring: trial {best.number}, {value} ({caution}, not confirmed)"


def cards(story: SweepStory) -> list[Card]:
    """What was chosen, its honest value, how much of the best was luck, what it cost."""
    chosen = story.chosen
    found = _choice_cards(chosen, story) if chosen is not None and chosen.number is not None else _best_cards(story)
    ended = sum(n for status, n in story.runs.items() if status != "running")
    note = f"{states_text(state_counts(story)) or 'no'} trials; {duration(3600 * story.hours)} of training"
    if story.phase != "done" and story.seconds_left:
        note += f", about {duration(story.seconds_left)} to go"
    return [*found, Card(label="cost", value=count(ended, "run"), note=note)]


def _choice_cards(chosen: Chosen, story: SweepStory) -> list[Card]:
    metric, digits = story.objective, decimals_of_choice(chosen)
    trial = story.trial(chosen.number)
    label = "chosen" if chosen.is_complete or story.phase == "done" else "leading so far"
    found = [Card(label=label, value=f"trial {chosen.number}", note=_settings(trial))]
    if chosen.estimate is None or chosen.luck is None:
        return [*found, Card(label="worth", value="not known", note="no fresh seed after the race yet")]
    interval = "one seed has no interval"
    if chosen.interval is not None:
        interval = f"95 % interval {' … '.join(number(end, digits) for end in chosen.interval)}"
    worth = f"{number(chosen.estimate, digits)}{unit_of(metric)}"
    found.append(Card(label="worth", value=worth, note=f"{metric.name}; {interval}; {count(chosen.n, 'fresh seed')}"))
    shown = f"it showed {number(chosen.explored_best, digits)}{unit_of(metric)}"
    luck = f"{number(max(chosen.luck, 0.0), digits)}{metric.difference_unit}"
    note = f"{survival_text(chosen)}; {shown}"
    return [*found, Card(label="luck in the sweep's best", value=luck, note=note)]


def _best_cards(story: SweepStory) -> list[Card]:
    best = story.best_trial
    if len(story.sweep.targets) > 1:
        note = f"of {objectives_text(story)}; exploring values, so luck is part of them"
        return [Card(label="Pareto front", value=count(len(story.front), "trial"), note=note)]
    if best is None:
        return [Card(label="best", value="none", note=nothing_text(story))]
    value = f"{number(best.values[0])}{unit_of(story.objective)}"
    return [
        Card(label="best by exploring", value=f"trial {best.number}", note=_settings(best)),
        Card(label="its exploring value", value=value, note=f"{story.objective.name}; {seeds_caution(best.seeds)}"),
    ]


def _settings(trial: TrialStory | None) -> str:
    """The first few settings of a trial."""
    items = list(trial.settings.items()) if trial else []
    shown = ", ".join(f"{name} {short(value)}" for name, value in items[:MOST_CARD_SETTINGS])
    more = len(items) - MOST_CARD_SETTINGS
    return f"{shown} and {more} more" if more > 0 else shown


def _survives(story: SweepStory) -> str:
    if story.chosen is None or story.chosen.number is None:
        return ""
    return f"Of the config with the best exploring value: {survival_text(story.chosen)}."


def _further(story: SweepStory) -> Table:
    """The ranked trials after the first ones."""
    every = trials_table(story, MOST_HTML_ROWS)
    return breakable(replace(every, rows=every.rows[MOST_ROWS:]))


def breakable(found: Table) -> Table:
    """The table, its long names broken where a line may end, so that none pushes the rest off the page."""
    rows = tuple(tuple(_with_breaks(cell) for cell in row) for row in found.rows)
    return replace(found, headers=tuple(map(_with_breaks, found.headers)), rows=rows)


def _with_breaks(text: str) -> str:
    longest = max(map(len, text.split()), default=0)
    return _JOINTS.sub("\\g<0>\u200b", text) if longest > LONGEST_WORD else text
