"""Section: one part of an analysis: findings, tables and figures as data, or why it does not apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from surefoot.analysis.figure import Figure
from surefoot.finding import Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """A table in full precision: numbers as numbers, None where there is nothing; also a CSV of that name.

    `title` says what it shows. Where `is_shown` is false it goes to its file and not onto the page.
    """

    name: str
    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_shown: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """What one part of the analysis found; `not_applicable` says in a sentence why it could say nothing.

    `key` is the section's stable name, `title` its heading, `note` a sentence or two on how to read it.
    """

    key: str
    title: str
    findings: tuple[Finding, ...] = ()
    sheets: tuple[Sheet, ...] = ()
    figures: tuple[Figure, ...] = ()
    note: str = ""
    not_applicable: str = ""
