"""An analysis as Markdown, and in a few lines for a terminal; no number in either is typed by hand."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from surefoot.analysis.section import Section
from surefoot.finding import Finding
from surefoot.reports.analysis_sentences import (
    SEVERITIES,
    finding_counts,
    headline,
    next_step,
    note_of,
    source_sentences,
    states_text,
)
from surefoot.reports.analysis_tables import names_in, shown_sheet
from surefoot.reports.analysis_words import cut, ended, file_name, printable
from surefoot.reports.markdown import bullets, escaped, heading, paragraph, table
from surefoot.reports.pictures import Picture
from surefoot.trials import TrialTable

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis

TERMINAL_WIDTH = 100
MOST_LINES = 60
MOST_FINDINGS = {"critical": 5, "warning": 5}
LONGEST_TOLD = 600


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
    """The analysis for a terminal: what weighs most first, then a line for each section."""
    said = analysis.view.table
    said_of = f"{said.name}: {states_text(said)}; {said.metric.name}, {said.metric.goal}; {finding_counts(analysis)}."
    lines = _told(said_of, "", "")
    if not analysis.findings or analysis.findings[0].severity == "info":
        lines += _told(f"{headline(analysis)}.", "", "")
    for severity in SEVERITIES[:2]:
        lines += _of(analysis, severity)
    width = max((len(section.key) for section in analysis.sections), default=0) + 2
    lines += [""] if analysis.sections else []
    lines += [cut(f"{section.key:<{width}}{_line(section)}", TERMINAL_WIDTH) for section in analysis.sections]
    return "\n".join(lines[:MOST_LINES]) + "\n"


def _of(analysis: Analysis, severity: str) -> list[str]:
    found = [f for f in analysis.findings if f.severity == severity]
    told: list[str] = []
    most = (MOST_LINES - 20) // 2
    for i, finding in enumerate(found):
        said = _told(ended(finding.sentence), "  ! " if severity == "critical" else "  ~ ", "    ")
        said += _told(ended(finding.advice), "    → ", "      ") if finding.advice else []
        if i >= MOST_FINDINGS[severity] or len(told) + len(said) > most:
            told.append(f"    and {len(found) - i} more of this weight")
            break
        told += said
    return [""] * bool(told) + told


def _told(text: str, first: str, then: str) -> list[str]:
    plain = cut(printable(text), LONGEST_TOLD)
    return textwrap.wrap(plain, TERMINAL_WIDTH, initial_indent=first, subsequent_indent=then) or []


def _line(section: Section) -> str:
    if section.not_applicable:
        return f"not applicable, {printable(section.not_applicable)}"
    if not section.findings:
        return "nothing found"
    order = {severity: i for i, severity in enumerate(SEVERITIES)}
    return printable(min(section.findings, key=lambda f: order[f.severity]).sentence)
