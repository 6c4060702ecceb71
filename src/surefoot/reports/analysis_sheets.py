"""An analysis' numbers as CSV for other programs: a file for every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from surefoot.reports.analysis_words import file_name
from surefoot.reports.spreadsheets import sheet
from surefoot.words import setting

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis


def analysis_sheets(analysis: Analysis) -> dict[str, str]:
    """Every CSV by its file name, in full precision."""
    return {
        f"{file_name(one.name)}.csv": sheet(one.headers, [tuple(map(_plain, row)) for row in one.rows])
        for section in analysis.sections
        for one in section.sheets
    }


def _plain(value: Any) -> Any:
    """A cell as CSV can hold it: numbers and texts as they are, nothing as nothing, lists in one cell."""
    if value is None:
        return ""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value)
    return "; ".join(map(setting, value)) if isinstance(value, list | tuple) else str(value)
