"""An analysis on disk: HTML, Markdown, JSON, tables, ranges, figures; each file whole or absent."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.analysis.figure import Figure
from surefoot.errors import SurefootError
from surefoot.reports.analysis_figures import drawable
from surefoot.reports.analysis_json import analysis_json
from surefoot.reports.analysis_page import analysis_markdown
from surefoot.reports.analysis_ranges import empirical_ranges
from surefoot.reports.analysis_sheets import analysis_sheets
from surefoot.reports.analysis_words import file_name
from surefoot.reports.pictures import Picture, picture_figures
from surefoot.reports.write import write_whole

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis

LIBRARY = "figures/plotly.min.js"
_OURS = re.compile(r"[\w.=+-]+\.csv|figures/[\w.=+-]+\.(png|html)")


def write_analysis(analysis: Analysis, folder: Path) -> list[Path]:
    """Writes the whole analysis into the folder and returns its files, analysis.html first.

    Files of an earlier analysis, named in its analysis.json, that this one does not write are removed; what
    anybody else put there stays. Raises SurefootError where a file would replace the trials' own source, OSError
    where the folder cannot be written; every file that stands there then is whole.
    """
    figures = figures_of(analysis)
    pictures = picture_figures(figures)
    pages = interactive_pages(figures, pictures)
    files: dict[str, bytes] = {
        "analysis.html": _page(analysis, pictures, frozenset(pages)),
        "analysis.md": _utf8(analysis_markdown(analysis, pictures)),
        "empirical_ranges.yaml": _utf8(empirical_ranges(analysis.view.table)),
    }
    files |= {name: _utf8(text) for name, text in analysis_sheets(analysis).items()}
    files |= {f"figures/{name}.png": picture.png for name, picture in pictures.items() if picture.png}
    files |= {f"figures/{name}.html": page for name, page in pages.items()}
    if pages:
        files[LIBRARY] = _library()
    document = {**analysis_json(analysis), "files": sorted([*files, "analysis.json"])}
    _spare_the_source(analysis, folder, files)
    former = _former(folder)
    for name, content in files.items():
        write_whole(folder / name, content)
    for name in former - set(files):
        (folder / name).unlink(missing_ok=True)
    write_whole(folder / "analysis.json", _json(document))
    return [folder / name for name in (*files, "analysis.json")]


def figures_of(analysis: Analysis) -> dict[str, Figure]:
    """Every figure as it fits a page, by the name of its file, which is also its own name then."""
    found: dict[str, Figure] = {}
    for section in analysis.sections:
        for figure in section.figures:
            name = file_name(figure.name)
            found[name] = replace(drawable(figure), name=name)
    return found


def interactive_pages(figures: Mapping[str, Figure], pictures: Mapping[str, Picture]) -> dict[str, bytes]:
    """The page of every figure that is drawn, by name; one that plotly cannot draw has its picture all the same."""
    from surefoot.reports.analysis_html import figure_page
    from surefoot.reports.analysis_plotly import interactive

    found: dict[str, bytes] = {}
    for name, figure in figures.items():
        try:
            piece, height = interactive(figure)
        except Exception:  # a drawing library fails in its own ways; the numbers are in the tables
            continue
        found[name] = _utf8(figure_page(figure, pictures[name], piece, height))
    return found


def _page(analysis: Analysis, pictures: Mapping[str, Picture], interactive: frozenset[str]) -> bytes:
    from surefoot.reports.analysis_html import analysis_html

    return _utf8(analysis_html(analysis, pictures, interactive=interactive))


def _library() -> bytes:
    from surefoot.reports.analysis_plotly import plotly_library

    return plotly_library()


def _utf8(text: str) -> bytes:
    # Half a character, as broken names on a disk have it, cannot be written: a question mark stands for it.
    return text.encode("utf-8", "replace")


def _json(document: Any) -> bytes:
    return _utf8(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _former(folder: Path) -> set[str]:
    """The tables and figures that an earlier analysis in the folder says it wrote."""
    try:
        document = json.loads((folder / "analysis.json").read_text("utf-8"))
        named = document["files"] if document["kind"] == "analysis" else []
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    known = named if isinstance(named, list) else []
    return {name for name in known if isinstance(name, str) and _OURS.fullmatch(name)}


def _spare_the_source(analysis: Analysis, folder: Path, files: Collection[str]) -> None:
    """Raises SurefootError where one of the files is the table that was analysed."""
    try:
        source = Path(analysis.view.table.source).resolve()
        clash = next((name for name in files if (folder / name).resolve() == source), None)
    except (OSError, ValueError, RuntimeError):  # a source need not be a path
        return
    if clash is not None:
        raise SurefootError(
            f"an analysis writes {clash}, which is the file that was analysed ({source}). Name another folder."
        )
