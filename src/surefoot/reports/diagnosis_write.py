"""An examination on disk: HTML, Markdown, JSON, figures; each file whole or absent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.reports.analysis_words import file_name
from surefoot.reports.diagnosed import Examination
from surefoot.reports.diagnosis_figures import diagnosis_figure
from surefoot.reports.diagnosis_json import diagnosis_json
from surefoot.reports.diagnosis_page import detailed, diagnosis_markdown
from surefoot.reports.pictures import Picture, picture_figures
from surefoot.reports.write import write_whole

MOST_INDENTED = 100
_OURS = re.compile(r"figures/[\w.=+-]+\.png")


def write_diagnosis(examination: Examination, folder: Path) -> list[Path]:
    """Writes it into the folder and returns its files, diagnosis.html first.

    Figures of an earlier diagnosis, named in its diagnosis.json, that this one does not draw are removed. OSError
    where the folder cannot be written; every file that stands there then is whole.
    """
    from surefoot.reports.diagnosis_html import diagnosis_html

    pictures = pictures_of(examination)
    files: dict[str, bytes] = {
        "diagnosis.html": _utf8(diagnosis_html(examination, pictures)),
        "diagnosis.md": _utf8(diagnosis_markdown(examination, pictures)),
    }
    files |= {f"figures/{picture.name}.png": picture.png for picture in pictures.values() if picture.png}
    former = _former(folder)
    for name, content in files.items():
        write_whole(folder / name, content)
    for name in former - set(files):
        (folder / name).unlink(missing_ok=True)
    document = {**diagnosis_json(examination), "files": sorted([*files, "diagnosis.json"])}
    write_whole(folder / "diagnosis.json", _utf8(json_text(document)))
    return [folder / name for name in (*files, "diagnosis.json")]


def pictures_of(examination: Examination) -> dict[str, Picture]:
    """The picture of every group that is told of in full, by subject."""
    figures = {group.subject: diagnosis_figure(group) for group in detailed(examination)}
    drawn = picture_figures(figures)
    return {subject: replace(picture, name=file_name(subject)) for subject, picture in drawn.items()}


def _former(folder: Path) -> set[str]:
    """The figures that an earlier diagnosis in the folder says it wrote."""
    try:
        document = json.loads((folder / "diagnosis.json").read_text("utf-8"))
        named = document["files"] if document["kind"] == "diagnosis" else []
    except (OSError, ValueError, TypeError, KeyError):
        return set()
    known = named if isinstance(named, list) else []
    return {name for name in known if isinstance(name, str) and _OURS.fullmatch(name)}


def json_text(document: Mapping[str, Any]) -> str:
    """The document as a file of JSON; that of very many groups is for programs only, and on one line."""
    indent = 2 if len(document["groups"]) <= MOST_INDENTED else None
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def _utf8(text: str) -> bytes:
    # Half a character, as broken names on a disk have it, cannot be written: a question mark stands for it.
    return text.encode("utf-8", "replace")
