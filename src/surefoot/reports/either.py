"""The same question asked of a study's story and of a sweep's: name, Markdown, JSON, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.reports import as_json as study_json
from surefoot.reports import journal, sweep_json, sweep_page, sweep_write, write
from surefoot.reports.story import Story
from surefoot.reports.sweep_story import SweepStory


def name_of(story: Story | SweepStory) -> str:
    """The study's or the sweep's name."""
    return story.study if isinstance(story, Story) else story.sweep.name


def as_markdown(story: Story | SweepStory) -> str:
    """The journal."""
    return journal.journal_markdown(story) if isinstance(story, Story) else sweep_page.sweep_markdown(story)


def as_json(story: Story | SweepStory) -> dict[str, Any]:
    """The journal as one JSON document."""
    return study_json.journal_json(story) if isinstance(story, Story) else sweep_json.sweep_json(story)


def write_report(story: Story | SweepStory, folder: Path) -> list[Path]:
    """Writes the report's files into the folder, `report.html` first; their paths."""
    return write.write_report(story, folder) if isinstance(story, Story) else sweep_write.write_sweep(story, folder)
