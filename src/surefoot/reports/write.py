"""The report on disk: HTML, Markdown, figures, tables, journal; each file whole or absent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from surefoot.reports.as_json import journal_json
from surefoot.reports.journal import journal_markdown
from surefoot.reports.pictures import Picture, draw_all
from surefoot.reports.report_markdown import report_markdown
from surefoot.reports.spreadsheets import all_sheets
from surefoot.reports.story import Story


def write_report(story: Story, folder: Path) -> list[Path]:
    """Writes the whole report into the folder and returns its files, report.html first.

    Pictures of an earlier report that this one does not draw any more are removed. OSError where
    the folder cannot be written; every file that stands there then is whole.
    """
    from surefoot.reports.html import report_html

    pictures = draw_all(story)
    files: dict[str, bytes] = {"report.html": report_html(story, pictures).encode()}
    files["report.md"] = report_markdown(story, pictures).encode()
    files["journal.md"] = journal_markdown(story).encode()
    files["journal.json"] = json_bytes(journal_json(story))
    files |= {f"figures/{name}.png": d.png for name, d in pictures.items() if d.png}
    files |= {f"tables/{name}": text.encode() for name, text in all_sheets(story).items()}
    for name, content in files.items():
        write_whole(folder / name, content)
    forget_pictures(folder / "figures", pictures, _is_ours)
    return [folder / name for name in files]


def json_bytes(document: Any) -> bytes:
    """The document as a file of JSON."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_whole(path: Path, content: bytes) -> None:
    """The content at the path, by way of a temporary file beside it: whole, or as it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def forget_pictures(folder: Path, pictures: Mapping[str, Picture], ours: Callable[[str], bool]) -> None:
    """Removes the pictures of ours by name that are drawn no more; what a person put there stays."""
    for old in folder.glob("*.png"):
        if ours(old.stem) and not (old.stem in pictures and pictures[old.stem].png):
            old.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    return name in ("path", "forest", "noise", "cost", "ledger", "confusion") or name.startswith("curves-")
