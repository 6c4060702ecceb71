"""The report as one HTML file that opens offline: nothing is fetched, nothing is run, all text is escaped."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from surefoot.reports.journal import (
    arms_sentence,
    chance_sentences,
    claim_groups,
    entry_close,
    entry_tables,
    grouped_verdicts,
    open_threads,
    sealed_split_sentences,
)
from surefoot.reports.phases_html import phase_page
from surefoot.reports.pictures import Picture, draw_all
from surefoot.reports.searched import search_sentences, search_table
from surefoot.reports.sentences import (
    belief_sentences,
    claim_sentence,
    decision_sentence,
    fresh_champion,
    metric_named,
    noise_sentences,
    overall_sentence,
    rule_sentence,
    standing_sentences,
    step_text,
    verdict_sentences,
)
from surefoot.reports.story import ExperimentStory, Story
from surefoot.reports.tables import (
    Table,
    changes_text,
    claim_arms,
    claims_table,
    cost_table,
    facts_table,
    overview_table,
    revisions_table,
    seeds_table,
)
from surefoot.run import Metric
from surefoot.words import (
    clause,
    count,
    decimals_of,
    duration,
    mean_and_spread,
    mean_of,
    moment,
    number,
    setting,
    short_hash,
    spread,
    unit_of,
)

NO_BREAK = "\xa0"
_JOINT = re.compile(r"(?<=\d) (?=%|pp\b|[±…])|(?<=[±…]) (?=[\d+−])|(?<=\bp) (?=[<=>])|(?<=[<=>]) (?=\.\d)")
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One of the few numbers at the top of the page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An experiment on the page: its sentences, its tables, its raw values and its figure."""

    anchor: str
    title: str
    badges: tuple[tuple[str, str], ...]
    step: str
    belief: tuple[str, ...]
    search: tuple[str, ...]
    picks: Table | None
    plain: tuple[str, ...]
    arms: str
    tables: tuple[Table, ...]
    raw: tuple[Table, ...]
    verdicts: tuple[str, ...]
    close: tuple[str, ...]
    next: str
    figure: Picture | None


def report_html(story: Story, pictures: Mapping[str, Picture] | None = None) -> str:
    """The whole page; `pictures` are the figures where they are drawn already."""
    drawn = dict(pictures if pictures is not None else draw_all(story))
    claimed, unclaimed = claim_groups(story)
    return (
        page_environment()
        .get_template("report.html.j2")
        .render(
            title=f"{story.study}: report",
            story=story,
            plan=short_hash(story.plan_hash),
            headline=headline(story),
            standing=standing_sentences(story),
            cards=cards(story),
            rule=rule_sentence(story),
            pictures=drawn,
            overview=overview_table(story),
            entries=[_entry(e, story, drawn) for e in story.experiments],
            claimed=[claim_sentence(c, story) for c in claimed],
            unclaimed=[claim_sentence(c, story) for c in unclaimed],
            claims=claims_table(story.claims, story.primary),
            overall=overall_sentence(story.overall, story.primary) if story.overall else "",
            claim_values=_claim_values(story),
            chance=chance_sentences(story),
            sealed=sealed_split_sentences(story),
            noise=_noise(story),
            baseline=[seeds_table([story.baseline], m) for m in story.metrics] if story.baseline else [],
            cost=cost_table(story),
            threads=open_threads(story),
            facts=facts_table(_facts(story), "Provenance"),
            config=facts_table([(k, setting(v)) for k, v in story.champion_config.items()], "The champion's config"),
            revisions=revisions_table(story),
            phases=phase_page(story, drawn),
        )
    )


def page_environment() -> Environment:
    """What makes a page of a template: all text is escaped, numbers stay in one piece, a missing name is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.finalize = unbroken
    environment.globals.update(badge=badge_of, data_uri=data_uri)
    return environment


def headline(story: Story) -> str:
    """Where the study stands in one line: on fresh seeds where there are any, as they flatter nothing."""
    metric, values = story.primary, _standing_values(story)
    if not values:
        return "Nothing is measured yet"
    value = f"{metric.name} {mean_and_spread(values)}{unit_of(metric)}"
    gap = _gap_of(values, metric)
    if metric.target is None or gap is None:
        return value
    target = f"{number(metric.target)}{unit_of(metric)}"
    seeds = "fresh seeds" if fresh_champion(story) else "exploring seeds"
    if gap <= 0:
        return f"{value}: the target of {target} is reached on {seeds}"
    return f"{value}: {_difference(gap, values, metric)} short of {target}"


def cards(story: Story) -> list[Card]:
    """Champion, gap, what fresh seeds confirm, and the cost."""
    metric, values, found = story.primary, _standing_values(story), []
    seeds = count(len(values), f"{'fresh' if fresh_champion(story) else 'exploring'} seed")
    gap = _gap_of(values, metric)
    if values:
        value = f"{mean_and_spread(values)}{unit_of(metric)}"
        found.append(Card(label="champion", value=value, note=f"{metric.name}, {seeds}"))
    if gap is not None and metric.target is not None:
        size = _difference(gap, values, metric)
        found.append(Card(label="gap to target", value=size, note=f"target {number(metric.target)}{unit_of(metric)}"))
    claimed, unclaimed = claim_groups(story)
    failed = f"; {len(unclaimed)} did not hold on fresh seeds" if unclaimed else ""
    note = f"of {max(len(story.path) - 1, 0)} adopted{failed}"
    found.append(Card(label="claimed steps", value=str(len(claimed)), note=note))
    ended = sum(n for status, n in story.run_counts.items() if status.lower() not in ("running", "planned"))
    spent = f"{duration(3600 * story.hours)} of training" if ended else "nothing trained yet"
    found.append(Card(label="cost", value=count(ended, "run"), note=spent))
    return found


def _standing_values(story: Story) -> list[float]:
    return fresh_champion(story) or list(story.champion_values)


def _gap_of(values: list[float], metric: Metric) -> float | None:
    mean = mean_of(values)
    return None if mean is None or metric.target is None else metric.sign * (metric.target - mean)


def _difference(gap: float, values: list[float], metric: Metric) -> str:
    return f"{number(gap, decimals_of(spread(values)))}{metric.difference_unit}"


def unbroken(value: object) -> object:
    """A text whose numbers stay on one line with their sign, unit and spread; anything else as it is."""
    return _JOINT.sub(NO_BREAK, value) if type(value) is str else value


def badge_of(word: str) -> str:
    """The colour class of a verdict's word."""
    for start, name in (
        ("SUPPORTED", "good"),
        ("REFUTED", "bad"),
        ("claimed", "good"),
        ("chosen", "good"),
        ("survives", "good"),
        ("does not survive", "bad"),
        ("FAILED", "bad"),
        ("written", "good"),
        ("INCONCLUSIVE", "open"),
    ):
        if word.startswith(start):
            return name
    return "plain"


def data_uri(picture: Picture) -> str:
    """The picture as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(picture.png).decode("ascii")


def _entry(e: ExperimentStory, story: Story, pictures: Mapping[str, Picture]) -> Entry:
    is_run = bool(e.arms) and e.state not in ("waiting", "skipped")
    tables = entry_tables(e, story) if is_run else []
    raw = tuple(t for t in tables if "seed" in t.title or "measured" in t.title)
    words = grouped_verdicts(e) if e.choice is not None else []
    return Entry(
        anchor=f"experiment-{e.number}",
        title=f"{e.number} · {e.id}",
        badges=tuple((word, badge_of(word)) for word in words),
        step=step_text(e),
        belief=tuple(belief_sentences(e, story)),
        search=tuple(search_sentences(e, story)),
        picks=search_table(e, story.primary) if e.search is not None and e.search.picks else None,
        plain=() if is_run else (*(f"{a.name}: {changes_text(a)}" for a in e.arms), decision_sentence(e, story)),
        arms=arms_sentence(e) if is_run else "",
        tables=tuple(t for t in tables if t not in raw),
        raw=raw,
        verdicts=tuple(verdict_sentences(e, story)) if is_run else (),
        close=tuple(entry_close(e, story)) if is_run else (),
        next=f"{clause(e.next)}." if e.next else "",
        figure=pictures.get(f"curves-{e.number}"),
    )


def _noise(story: Story) -> list[str]:
    told = []
    for name, noise in story.noise.items():
        known = noise_sentences(metric_named(story, name), noise, story.rule)
        told.append(f"{name}: {' '.join(known)}")
    return told or ["The baseline has not been trained yet, so this study's noise is not known."]


def _claim_values(story: Story) -> list[Table]:
    tested = [*story.claims, *([story.overall] if story.overall else [])]
    return [
        seeds_table(claim_arms(c, story.fresh_seeds, story.primary), story.primary, title=c.step.name) for c in tested
    ]


def _facts(story: Story) -> list[tuple[str, str]]:
    registered = moment(story.revisions[-1].registered_at) if story.revisions else "not yet"
    own = [
        ("study", story.study),
        ("workload", story.workload),
        ("plan", f"{story.plan_path} ({short_hash(story.plan_hash)})"),
        ("registered", registered),
    ]
    return [*own, *story.provenance.items()]
