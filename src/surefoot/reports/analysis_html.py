"""The analysis as one HTML file that opens offline: nothing is fetched, nothing is run, all text is escaped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from surefoot.analysis.figure import Figure
from surefoot.analysis.section import Section
from surefoot.finding import Finding
from surefoot.reports.analysis_sentences import (
    BADGES,
    SEVERITIES,
    best_of,
    headline,
    next_step,
    note_of,
    source_sentences,
    state_counts,
    value_text,
    weighty,
)
from surefoot.reports.analysis_tables import ShownSheet, names_in, shown_sheet
from surefoot.reports.analysis_words import cut, ended, file_name, printable
from surefoot.reports.html import Card, page_environment
from surefoot.reports.pictures import Picture
from surefoot.reports.sweep_html import breakable
from surefoot.trials import TrialTable
from surefoot.words import count, decimals_of, listing, number, sentence

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis

LONG_HEADLINE = 110
EVERY_TRIAL = "trials_full.csv"


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A finding on the page."""

    severity: str
    badge: str
    sentence: str
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A section on the page; with its pictures comes whether each has a page of its own to point at."""

    key: str
    title: str
    silent: str
    note: str
    findings: tuple[Told, ...]
    sheets: tuple[ShownSheet, ...]
    files: tuple[str, ...]
    pictures: tuple[tuple[Picture, bool], ...]
    weight: str


def analysis_html(
    analysis: Analysis, pictures: Mapping[str, Picture], *, interactive: frozenset[str] = frozenset()
) -> str:
    """The whole page; `pictures` by file name, `interactive` the names of those that have a page of their own."""
    table = analysis.view.table
    say = headline(analysis)
    names = names_in(table)
    parts = [_part(section, pictures, interactive, table=table, names=names) for section in analysis.sections]
    return (
        page_environment()
        .get_template("analysis.html.j2")
        .render(
            title=f"{printable(table.name)}: analysis",
            name=printable(table.name),
            headline=say,
            is_long=len(say) > LONG_HEADLINE,
            cards=cards(analysis),
            source=source_sentences(table),
            next=next_step(analysis),
            weighty=[told(f) for f in weighty(analysis, "critical")],
            parts=parts,
            every_trial=next((file for part in parts for file in part.files if file == EVERY_TRIAL), ""),
        )
    )


def figure_page(figure: Figure, picture: Picture, piece: str, height: int) -> str:
    """The page of one interactive figure; `piece` is what plotly made of it."""
    return (
        page_environment()
        .get_template("analysis_figure.html.j2")
        .render(title=figure.title, caption=picture.caption, piece=Markup(piece), height=height)
    )


def cards(analysis: Analysis) -> list[Card]:
    """The best trial, how many there are, what seeds alone change, how much weighs."""
    table = analysis.view.table
    best, counts = best_of(table), state_counts(table)
    note = "no trial has a value" if best is None else f"{table.metric.name} of trial {best.name}; luck included"
    ended = ", ".join(f"{n:,} {state}" for state, n in counts.items() if state != "complete" and n)
    return [
        Card(label="best", value=value_text(best, table), note=cut(printable(note), 90)),
        Card(label="trials with a value", value=f"{counts['complete']:,}", note=ended or "none ended otherwise"),
        _noise_card(analysis),
        Card(label="findings", value=f"{len(weighty(analysis, 'critical'))} critical", note=_lighter(analysis)),
    ]


def _lighter(analysis: Analysis) -> str:
    warnings, facts = (len(weighty(analysis, severity)) for severity in SEVERITIES[1:])
    return listing([count(n, noun) for n, noun in ((warnings, "warning"), (facts, "fact")) if n]) or "nothing else"


def _noise_card(analysis: Analysis) -> Card:
    noise, metric = analysis.noise, analysis.view.metric
    if noise is None:
        return Card(label="noise floor", value="not known", note="nothing was tried twice")
    digits = decimals_of(noise.sd)
    ends = " … ".join(number(end, digits) for end in noise.interval)
    note = f"sd when a config is tried again; 95 % interval {ends}"
    return Card(label="noise floor", value=f"{number(noise.sd, digits)}{metric.difference_unit}", note=note)


def told(finding: Finding) -> Told:
    """The finding as the page tells it."""
    return Told(
        severity=finding.severity,
        badge=BADGES[finding.severity],
        sentence=ended(finding.sentence),
        advice=ended(finding.advice),
    )


def _part(
    section: Section,
    pictures: Mapping[str, Picture],
    interactive: frozenset[str],
    *,
    table: TrialTable,
    names: Collection[str],
) -> Part:
    shown = [(one, shown_sheet(one, names)) for one in section.sheets]
    severities = {finding.severity for finding in section.findings}
    drawn = [pictures[n] for n in (file_name(f.name) for f in section.figures) if n in pictures]
    return Part(
        key=section.key,
        title=printable(section.title),
        silent=sentence(f"not applicable, {printable(section.not_applicable)}") if section.not_applicable else "",
        note=note_of(section, table),
        findings=tuple(map(told, section.findings)),
        sheets=tuple(_breakable(s) for one, s in shown if one.is_shown and one.rows),
        files=tuple(s.file for _, s in shown),
        pictures=tuple((p, p.name in interactive) for p in drawn),
        weight=next((severity for severity in SEVERITIES[:2] if severity in severities), ""),
    )


def _breakable(shown: ShownSheet) -> ShownSheet:
    return ShownSheet(title=shown.title, table=breakable(shown.table), row_count=shown.row_count, file=shown.file)
