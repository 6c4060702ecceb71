"""An examination as Markdown, and in as many lines as a terminal has room for."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.reports.analysis_words import both_ends, ended, printable
from surefoot.reports.diagnosed import Diagnosed, Examination
from surefoot.reports.diagnosis_blocks import (
    diagnosis_blocks,
    ordered,
    reason_text,
    recommendations_table,
    symptom_text,
)
from surefoot.reports.diagnosis_tables import counts_table, groups_table, headline, source_sentences
from surefoot.reports.diagnosis_words import by_hand
from surefoot.reports.diagnosis_words import headline as diagnosis_line
from surefoot.reports.markdown import escaped, heading, paragraph, table
from surefoot.reports.pictures import Picture
from surefoot.words import NOTHING, count, sentence

TERMINAL_WIDTH = 100
MOST_ROWS = 1_000
MOST_LISTED = 20
# Of more groups than this a terminal shows a table, and the details of the first that have something to treat.
FEW_GROUPS = 4
MOST_TOLD = 3
MOST_DETAILED = 8
MOST_NOTES = 5
LONGEST_CHANGE = 44


def detailed(examination: Examination, most: int = MOST_DETAILED) -> list[Diagnosed]:
    """The groups that are told of in full: all of a few, of more those first that have something to treat."""
    if len(examination.groups) <= most:
        return list(examination.groups)
    return list(examination.ill[:most])


def diagnosis_markdown(examination: Examination, pictures: Mapping[str, Picture] | None = None) -> str:
    """The whole of it; `pictures` by subject are linked as figures/NAME.png."""
    groups = examination.groups
    parts = [
        heading(1, f"Diagnosis of {printable(examination.name)}"),
        f"**{escaped(sentence(headline(examination)))}**",
        *map(paragraph, source_sentences(examination)),
    ]
    if len(groups) > 1:
        parts += [heading(2, "All of them"), table(counts_table(examination)), table(groups_table(groups[:MOST_ROWS]))]
        rest = len(groups) - MOST_ROWS
        parts += [paragraph(f"{rest:,} more are in diagnosis.json.")] if rest > 0 else []
    told = detailed(examination)
    for group in told:
        parts += [heading(2, printable(group.subject)), *diagnosis_blocks(group.diagnosis, group.ground.config)]
        picture = (pictures or {}).get(group.subject)
        if picture is not None:
            link = f"![{escaped(picture.title)}](figures/{picture.name}.png)\n\n" if picture.png else ""
            parts.append(link + paragraph(picture.caption))
    if len(told) < len(groups):
        parts.append(paragraph(rest_sentence(examination, len(told))))
    return "\n\n".join(part for part in parts if part) + "\n"


def rest_sentence(examination: Examination, told: int) -> str:
    """How many are told in full, and where the others are."""
    ill = len(examination.ill)
    return f"Told in full: the first {told:,} of {ill:,} with something to treat. All are in diagnosis.json."


def diagnosis_text(examination: Examination) -> str:
    """The examination for a terminal: every group of a few, else a table and the first that are ill."""
    groups = examination.groups
    lines: list[str] = []
    for said in source_sentences(examination):
        lines += _wrapped(said)
    if len(groups) <= FEW_GROUPS:
        for group in groups:
            lines += ["", *_told(group, is_whole=True)]
        return "\n".join(lines) + "\n"
    lines += [*_wrapped(sentence(headline(examination))), ""]
    lines += [*_columns([("primary", "trainings", ""), *counts_table(examination).rows]), ""]
    lines += _columns([("training", "primary", "confidence"), *_listed(groups)])
    if len(groups) > MOST_LISTED:
        lines.append(f"and {len(groups) - MOST_LISTED:,} more")
    for group in examination.ill[:MOST_TOLD]:
        lines += ["", *_told(group, is_whole=False)]
    rest = len(examination.ill) - MOST_TOLD
    if rest > 0:
        lines += ["", f"{rest:,} more with something to treat, in the report"]
    return "\n".join(lines) + "\n"


def _listed(groups: Sequence[Diagnosed]) -> list[tuple[str, ...]]:
    return [(row[0], row[1], row[-1]) for row in groups_table(groups[:MOST_LISTED]).rows]


def _told(group: Diagnosed, *, is_whole: bool) -> list[str]:
    """One group: what it has, on what evidence, what to try; where it is told whole, why and what could not be told."""
    diagnosis = group.diagnosis
    lines = _wrapped(f"{group.subject}: {diagnosis_line(diagnosis)}")
    for symptom in ordered(diagnosis):
        mark = "! " if symptom.rule == diagnosis.primary else "~ "
        lines += _wrapped(symptom_text(symptom, diagnosis), f"  {mark}", "    ")
    if diagnosis.recommendations:
        lines += ["", *_recommended(diagnosis.recommendations, group, is_whole=is_whole)]
    notes = list(map(ended, diagnosis.notes)) if is_whole else []
    for note in notes[:MOST_NOTES]:
        lines += _wrapped(note, "  · ", "    ")
    if len(notes) > MOST_NOTES:
        lines.append(f"  · and {count(len(notes) - MOST_NOTES, 'more note')} in the report")
    return lines


def _recommended(found: Sequence[Recommendation], group: Diagnosed, *, is_whole: bool) -> list[str]:
    shown = recommendations_table(found, group.ground.config)
    rows = [shown.headers, *shown.rows]
    told = _columns([(f"  {row[0]}", both_ends(row[1], LONGEST_CHANGE), *row[2:]) for row in rows])
    for r in found if is_whole else ():
        told += _wrapped(reason_text(r), "    ", "      ")
    hand = by_hand(found)
    return [*told, *(_wrapped(hand, "  ", "  ") if hand else []), *([""] if is_whole else [])]


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows with their columns aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    return textwrap.wrap(printable(text), TERMINAL_WIDTH, initial_indent=first, subsequent_indent=then) or [NOTHING]
