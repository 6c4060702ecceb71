"""The report of a sweep on disk: HTML, Markdown, figures, tables, journal; each file whole or absent."""

from __future__ import annotations

from pathlib import Path

from surefoot.reports.pictures import picture_figures
from surefoot.reports.sweep_figures import sweep_figures
from surefoot.reports.sweep_json import sweep_json
from surefoot.reports.sweep_page import sweep_markdown, sweep_report_markdown
from surefoot.reports.sweep_sheets import sweep_sheets
from surefoot.reports.sweep_story import SweepStory
from surefoot.reports.write import forget_pictures, json_bytes, write_whole

PICTURES = ("fresh", "history", "front", "slices", "stopping")


def write_sweep(story: SweepStory, folder: Path) -> list[Path]:
    """Writes the whole report into the folder and returns its files, report.html first.

    What an earlier report has and this one has not is removed. OSError where the folder cannot be written;
    every file that stands there then is whole.
    """
    from surefoot.reports.sweep_html import sweep_html

    pictures = picture_figures(sweep_figures(story))
    sheets = sweep_sheets(story)
    files: dict[str, bytes] = {
        "report.html": sweep_html(story, pictures).encode(),
        "report.md": sweep_report_markdown(story, pictures).encode(),
        "journal.md": sweep_markdown(story).encode(),
        "journal.json": json_bytes(sweep_json(story)),
    }
    files |= {f"figures/{name}.png": picture.png for name, picture in pictures.items() if picture.png}
    files |= {f"tables/{name}": text.encode() for name, text in sheets.items()}
    for name, content in files.items():
        write_whole(folder / name, content)
    forget_pictures(folder / "figures", pictures, PICTURES.__contains__)
    if "fresh.csv" not in sheets:
        (folder / "tables" / "fresh.csv").unlink(missing_ok=True)
    return [folder / name for name in files]
