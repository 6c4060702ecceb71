"""An analysis as JSON that other programs may rely on: its findings, its sections, their tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.analysis.section import Section, Sheet
from surefoot.finding import Finding
from surefoot.reports.analysis_sentences import state_counts
from surefoot.reports.analysis_words import file_name
from surefoot.reports.plain_json import plain

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as one JSON document; no NaN and no infinity is in it.

    A table that is not shown on the page, as one row a trial, has its rows in its file only: `rows` is null.
    """
    table = analysis.view.table
    return {
        "study": table.name,
        "kind": "analysis",
        "source": table.source,
        "metric": table.metric.name,
        "goal": table.metric.goal,
        "unit": table.metric.unit,
        "trials": state_counts(table),
        "notices": list(table.notices),
        "findings": [_finding(finding) for finding in analysis.findings],
        "sections": [_section(section) for section in analysis.sections],
    }


def _section(section: Section) -> dict[str, Any]:
    return {
        "key": section.key,
        "title": section.title,
        "not_applicable": section.not_applicable,
        "note": section.note,
        "findings": [_finding(finding) for finding in section.findings],
        "tables": [_table(sheet) for sheet in section.sheets],
        "figures": [
            {"name": figure.name, "title": figure.title, "caption": figure.caption} for figure in section.figures
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = plain(finding.definition())
    return found


def _table(sheet: Sheet) -> dict[str, Any]:
    return {
        "name": sheet.name,
        "title": sheet.title,
        "file": f"{file_name(sheet.name)}.csv",
        "row_count": len(sheet.rows),
        "headers": list(sheet.headers),
        "rows": [plain(row) for row in sheet.rows] if sheet.is_shown else None,
    }
