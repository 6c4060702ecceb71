"""An examination as one HTML file that opens offline: nothing is fetched, nothing is run, all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.reports.analysis_words import ended, printable
from surefoot.reports.diagnosed import Diagnosed, Examination
from surefoot.reports.diagnosis_blocks import evidence_text, ordered, reason_text, recommendations_table
from surefoot.reports.diagnosis_page import detailed, rest_sentence
from surefoot.reports.diagnosis_tables import counts_table, groups_table, headline, next_step, source_sentences
from surefoot.reports.diagnosis_words import (
    by_hand,
    confidence_text,
    name_of,
    primary_of,
    standing_of,
    titled,
)
from surefoot.reports.diagnosis_words import headline as diagnosis_line
from surefoot.reports.html import Card, page_environment
from surefoot.reports.pictures import Picture
from surefoot.reports.sweep_html import breakable
from surefoot.reports.tables import Table
from surefoot.words import count, sentence

MOST_ROWS = 500
SHOWN_ROWS = 30
LONG_HEADLINE = 90


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A symptom on the page; `badge` colours it: "bad" for the primary one, "warn" for others, "" for mere facts."""

    title: str
    standing: str
    evidence: str
    badge: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A group on the page."""

    anchor: str
    subject: str
    line: str
    is_healthy: bool
    symptoms: tuple[Told, ...]
    changes: Table | None
    reasons: tuple[str, ...]
    by_hand: str
    notes: tuple[str, ...]
    picture: Picture | None


def diagnosis_html(examination: Examination, pictures: Mapping[str, Picture]) -> str:
    """The whole page; `pictures` are by subject."""
    groups = examination.groups
    told = detailed(examination)
    say = headline(examination)
    return (
        page_environment()
        .get_template("diagnosis.html.j2")
        .render(
            title=f"{printable(examination.name)}: diagnosis",
            name=printable(examination.name),
            headline=printable(say),
            is_long=len(say) > LONG_HEADLINE,
            cards=cards(examination),
            source=source_sentences(examination),
            next=printable(next_step(examination)),
            parts=[_part(i, group, pictures.get(group.subject)) for i, group in enumerate(told)],
            counts=counts_table(examination) if len(groups) > 1 else None,
            groups=breakable(groups_table(groups[:SHOWN_ROWS])) if len(groups) > 1 else None,
            others=breakable(groups_table(groups[SHOWN_ROWS:MOST_ROWS])) if len(groups) > SHOWN_ROWS else None,
            beyond=max(0, len(groups) - MOST_ROWS),
            rest=rest_sentence(examination, len(told)) if len(told) < len(groups) else "",
        )
    )


def cards(examination: Examination) -> list[Card]:
    """What is to be treated, how sure that is, how much was looked at, what to try first."""
    n = len(examination.groups)
    if n == 1:
        return _cards_of_one(examination.groups[0])
    counts = {rule: k for rule, k in examination.counts().items() if rule}
    commonest = next(iter(counts), "")
    named = name_of(commonest)
    return [
        Card(label="to treat", value=f"{len(examination.ill):,} of {n:,}", note="have a primary symptom"),
        Card(
            label="commonest",
            value=named,
            note=f"in {counts[commonest]:,} of {n:,}" if commonest else "in all of them",
        ),
        Card(label="looked at", value=count(examination.trainings, "training"), note=f"of {count(n, 'config')}"),
    ]


def _cards_of_one(group: Diagnosed) -> list[Card]:
    diagnosis = group.diagnosis
    primary = primary_of(diagnosis)
    found = [Card(label="primary", value=name_of(diagnosis.primary), note=primary.degree if primary else "")]
    if primary is not None:
        note = "could be noise at this n" if primary.is_noise else "that it is no noise"
        found.append(Card(label="confidence", value=confidence_text(primary.confidence), note=note))
    many = len(diagnosis.symptoms) - (primary is not None)
    found.append(Card(label="besides", value=count(many, "symptom"), note=_named(diagnosis)))
    found.append(Card(label="looked at", value=count(diagnosis.histories, "training"), note=_size(group)))
    return found


def _named(diagnosis: Diagnosis) -> str:
    return ", ".join(name_of(s.rule) for s in diagnosis.symptoms if s.rule != diagnosis.primary)


def _size(group: Diagnosed) -> str:
    n = group.ground.evaluated_on
    return f"validated on {n:,} examples" if n else "on how many examples is not known"


def _part(place: int, group: Diagnosed, picture: Picture | None) -> Part:
    diagnosis = group.diagnosis
    found = diagnosis.recommendations
    return Part(
        anchor=f"training-{place + 1}",
        subject=printable(group.subject),
        line=sentence(diagnosis_line(diagnosis)),
        is_healthy=diagnosis.is_healthy,
        symptoms=tuple(_told(s, diagnosis) for s in ordered(diagnosis)),
        changes=breakable(recommendations_table(found, group.ground.config)) if found else None,
        reasons=tuple(printable(reason_text(r)) for r in found),
        by_hand=by_hand(found),
        notes=tuple(map(ended, diagnosis.notes)),
        picture=picture,
    )


def _told(symptom: Symptom, diagnosis: Diagnosis) -> Told:
    is_primary = symptom.rule == diagnosis.primary
    badge = "bad" if is_primary else "warn" if symptom.finding.severity != "info" and not symptom.is_noise else ""
    return Told(
        title=titled(symptom),
        standing=standing_of(symptom, diagnosis.histories),
        evidence=printable(evidence_text(symptom)),
        badge=badge,
    )
