"""An analysis as Markdown, and in a few lines for a terminal; no number in either is typed by hand."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from surefoot.analysis.section import Section
from surefoot.finding import Finding, Severity
from surefoot.reports.analysis_sentences import (
    best_of,
    finding_counts,
    headline,
    next_step,
    note_of,
    source_sentences,
    states_text,
    value_text,
    weighty,
)
from surefoot.reports.analysis_tables import names_in, shown_sheet
from surefoot.reports.analysis_words import cut, ended, file_name, printable
from surefoot.reports.markdown import bullets, escaped, heading, paragraph, table
from surefoot.reports.pictures import Picture
from surefoot.trials import TrialTable
from surefoot.words import count, listing, settings, shortened

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis

TERMINAL_WIDTH = 100
MOST_LINES = 60
MOST_FINDINGS = {"critical": 5, "warning": 5}
LONGEST_TOLD = 600
LINES_A_SECTION = 2
_SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z0-9])")
# Of the facts of a section the first of these stands for it in a terminal.
TOLD_FIRST = (
    *("trials.values", "learnability.luck", "noise.rivals", "noise.lead"),
    *("importance.real", "importance.predicts_nothing", "importance.not_shown", "importance.dead"),
    *("direction.number", "direction.boolean", "direction.choice", "direction.none"),
    *("elites.enriched", "elites.range", "elites.convergence", "interactions.real", "interactions.crossed"),
)


def analysis_markdown(analysis: Analysis, pictures: Mapping[str, Picture] | None = None) -> str:
    """The whole analysis; with `pictures`, by file name, those are linked as figures/NAME.png."""
    said = analysis.view.table
    names = names_in(said)
    parts = [
        heading(1, f"Analysis of {printable(said.name)}"),
        f"**{escaped(ended(headline(analysis)))}**",
        *map(paragraph, source_sentences(said)),
        paragraph(f"This analysis has {finding_counts(analysis)}."),
        paragraph(f"Do next: {next_step(analysis)}") if next_step(analysis) else "",
        *(part for section in analysis.sections for part in _section(section, pictures or {}, said, names)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, pictures: Mapping[str, Picture], said: TrialTable, names: Collection[str]) -> list[str]:
    parts = [heading(2, printable(section.title))]
    if section.not_applicable:
        return [*parts, paragraph(f"Not applicable, {printable(section.not_applicable)}")]
    parts.append(paragraph(note_of(section, said)))
    parts.append(bullets([_finding(finding) for finding in section.findings]))
    for sheet in section.sheets:
        if not sheet.is_shown or not sheet.rows:
            continue
        shown = shown_sheet(sheet, names)
        parts += [heading(3, shown.title), table(shown.table)]
        parts.append(paragraph(f"{shown.rest}{shown.file}.") if shown.rest else "")
    for figure in section.figures:
        picture = pictures.get(file_name(figure.name))
        if picture is not None:
            link = f"![{escaped(picture.title)}](figures/{picture.name}.png)\n\n" if picture.png else ""
            parts.append(link + paragraph(picture.caption))
    return parts


def _finding(finding: Finding) -> str:
    advice = f" {ended(finding.advice)}" if finding.advice else ""
    mark = f"{finding.severity.upper()}: " if finding.severity != "info" else ""
    return f"{mark}{ended(finding.sentence)}{advice}"


def analysis_text(analysis: Analysis) -> str:
    """The analysis for a terminal: the best trial, what weighs most, then a line or two for each section."""
    said = analysis.view.table
    head = _told(f"{said.name}: {states_text(said)}. {_aim(said)}. {finding_counts(analysis)}.", "", "")
    head += _told(_best(analysis), "", "") if best_of(said) else []
    if not weighty(analysis, "critical"):
        head += _told(f"{headline(analysis)}.", "", "")
    sections = _sections(analysis)
    room = MOST_LINES - len(head) - len(sections) - 3
    critical = _of(analysis, "critical", room)
    warnings = _of(analysis, "warning", room - len(critical))
    return "\n".join([*head, *critical, *warnings, "", *sections][:MOST_LINES]) + "\n"


def _aim(table: TrialTable) -> str:
    return f"{table.metric.name}, {'more' if table.metric.sign > 0 else 'less'} is better"


def _best(analysis: Analysis) -> str:
    table = analysis.view.table
    best = best_of(table)
    assert best is not None
    said = f"Best: {value_text(best, table)}, trial {best.name} ({settings(shortened(best.settings))})"
    return ended(cut(printable(said), LONGEST_TOLD))


def _of(analysis: Analysis, severity: Severity, room: int) -> list[str]:
    """The findings of one severity with their advice, in at most so many lines."""
    found = weighty(analysis, severity)
    told: list[str] = []
    for i, finding in enumerate(found):
        said = _told(ended(finding.sentence), "  ! " if severity == "critical" else "  ~ ", "    ")
        said += _told(ended(finding.advice), "    → ", "      ") if finding.advice else []
        if i >= MOST_FINDINGS[severity] or len(told) + len(said) + 2 > room:
            more = count(len(found) - i, {"critical": "more critical finding"}.get(severity, "more warning"))
            told.append(f"    and {more}" if told else f"    {more.replace('more ', '')} in the report")
            break
        told += said
    return [""] * bool(told) + told


def _told(text: str, first: str, then: str) -> list[str]:
    plain = cut(printable(text), LONGEST_TOLD)
    return textwrap.wrap(plain, TERMINAL_WIDTH, initial_indent=first, subsequent_indent=then) or []


def _sections(analysis: Analysis) -> list[str]:
    """A line for each section, those that cannot speak last; two where it takes them."""
    if not analysis.view.table.complete:
        silent = listing([section.key for section in analysis.sections if section.not_applicable])
        return _told(f"Without a complete trial there is nothing to say of {silent}.", "", "") if silent else []
    width = max((len(section.key) for section in analysis.sections), default=0) + 2
    found: list[str] = []
    for section in sorted(analysis.sections, key=lambda section: bool(section.not_applicable)):
        lines = _in_lines(_line(section), TERMINAL_WIDTH - width)
        heads = [section.key, *[""] * len(lines)]
        found += [f"{head:<{width}}{line}" for head, line in zip(heads, lines or [""], strict=False)]
    return found


def _line(section: Section) -> str:
    if section.not_applicable:
        return f"not applicable, {printable(section.not_applicable)}"
    light = [finding for finding in section.findings if finding.severity == "info"]
    many = Counter(finding.severity for finding in section.findings)
    nouns: dict[Severity, str] = {"critical": "critical finding", "warning": "warning"}
    heavy = listing([count(many[severity], noun) for severity, noun in nouns.items() if many[severity]])
    told = printable(min(light, key=_place).sentence) if light else ""
    return " ".join(part for part in (f"{heavy}." if heavy else "", told) if part) or "nothing found"


def _in_lines(text: str, width: int) -> list[str]:
    """As many whole sentences as fit into the lines of a section; the first one cut where it alone is too long."""
    sentences = _SENTENCES.split(text)
    for n in range(len(sentences), 0, -1):
        lines = textwrap.wrap(" ".join(sentences[:n]), width)
        if len(lines) <= LINES_A_SECTION:
            return lines
    return [*lines[: LINES_A_SECTION - 1], cut(" ".join(lines[LINES_A_SECTION - 1 :]), width)]


def _place(finding: Finding) -> int:
    """How soon a fact is told where there is room for one."""
    return TOLD_FIRST.index(finding.rule) if finding.rule in TOLD_FIRST else len(TOLD_FIRST)
