"""Paragraphs and tables as Markdown; text from outside stays text."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence

from surefoot.reports.tables import Table

WIDTH = 112
# Underscores inside a word are no emphasis in CommonMark, so `val_loss` stays readable.
_SPECIAL = re.compile(r"[\\`*|\[\]~]|<(?=[A-Za-z/!?])|(?<!\w)_|_(?!\w)|&(?=#?\w+;)")
_BLOCK_START = re.compile(r"^(\s*)([-+=#>]+(?=\s|$)|[-=+#]{2,}|\d{1,9}(?=[.)](?:\s|$)))")


def escaped(text: str) -> str:
    """The text on one line, its characters with a meaning in Markdown or HTML escaped."""
    return _SPECIAL.sub(lambda found: "\\" + found.group(), " ".join(text.split()))


def paragraph(text: str, *, indent: str = "") -> str:
    """A paragraph of plain text, escaped and wrapped; no line of it can begin a list or a heading."""
    lines = textwrap.wrap(
        escaped(text), WIDTH - len(indent), break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return f"\n{indent}".join(_BLOCK_START.sub(_defused, line) for line in lines)


def bullet(text: str) -> str:
    """A list item, wrapped under its own indent."""
    return "- " + paragraph(text, indent="  ")


def bullets(texts: Sequence[str]) -> str:
    """A list with an item for each text."""
    return "\n".join(bullet(text) for text in texts)


def heading(level: int, text: str) -> str:
    """A heading on one line."""
    return "#" * level + " " + escaped(text)


def table(found: Table) -> str:
    """The table with its columns padded, so that it also reads well as plain text."""
    rows = [tuple(escaped(cell) for cell in row) for row in (found.headers, *found.rows)]
    widths = [max(3, *(_width(row[i]) for row in rows)) for i in range(len(found.headers))]
    is_right = [found.is_numeric(i) for i in range(len(found.headers))]
    rule = ["-" * (w - 1) + ":" if right else "-" * w for w, right in zip(widths, is_right, strict=True)]
    lines = [_row(rows[0], widths, is_right), f"| {' | '.join(rule)} |"]
    return "\n".join([*lines, *(_row(row, widths, is_right) for row in rows[1:])])


def _row(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    padded = []
    for cell, width, right in zip(cells, widths, is_right, strict=True):
        blank = " " * (width - _width(cell))
        padded.append(blank + cell if right else cell + blank)
    return f"| {' | '.join(padded)} |"


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _defused(found: re.Match[str]) -> str:
    space, mark = found.groups()
    return f"{space}{mark}\\" if mark.isdigit() else f"{space}\\{mark}"
