"""One diagnosis as blocks of Markdown: the primary symptom, all of them with their evidence, what to try, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.diagnosis.recommendation import Recommendation
from surefoot.diagnosis.symptom import Diagnosis, Symptom
from surefoot.reports.analysis_words import ended, printable
from surefoot.reports.diagnosis_words import (
    by_hand,
    change_text,
    headline,
    name_of,
    promise_text,
    standing_of,
    titled,
)
from surefoot.reports.markdown import bullets, heading, paragraph, table
from surefoot.reports.tables import Table
from surefoot.words import NOTHING, sentence


def diagnosis_blocks(diagnosis: Diagnosis, config: Mapping[str, Any] | None = None, *, level: int = 3) -> list[str]:
    """Blocks of Markdown, to be joined by empty lines; `level` is that of their headings.

    With the `config` that was diagnosed, changes are shown with their old values.
    """
    parts = [paragraph(sentence(f"Primary: {headline(diagnosis)}"))]
    if diagnosis.symptoms:
        parts += [heading(level, "Symptoms"), bullets([symptom_text(s, diagnosis) for s in ordered(diagnosis)])]
    found = diagnosis.recommendations
    if found:
        parts += [
            heading(level, "What to try"),
            table(recommendations_table(found, config)),
            bullets([reason_text(r) for r in found]),
            paragraph(by_hand(found)),
        ]
    if diagnosis.notes:
        parts += [heading(level, "What could not be told"), bullets(list(map(ended, diagnosis.notes)))]
    return [part for part in parts if part]


def ordered(diagnosis: Diagnosis) -> list[Symptom]:
    """The symptoms, the primary first."""
    return sorted(diagnosis.symptoms, key=lambda s: s.rule != diagnosis.primary)


def symptom_text(symptom: Symptom, diagnosis: Diagnosis) -> str:
    """A symptom with how sure it is, its evidence and its advice, in sentences."""
    head = sentence(f"{titled(symptom)} ({standing_of(symptom, diagnosis.histories)})").removesuffix(".")
    return f"{head}: {evidence_text(symptom)}"


def evidence_text(symptom: Symptom) -> str:
    """What the rule saw, and what it advises."""
    finding = symptom.finding
    return " ".join(ended(text) for text in (finding.sentence, finding.advice) if text)


def recommendations_table(found: Sequence[Recommendation], config: Mapping[str, Any] | None = None) -> Table:
    """A row for each change, in the order they should be tried; a gain counts in the direction of the goal.

    Where nothing is promised, there is no column of gains; where all are for one symptom, none of symptoms.
    """
    columns: dict[str, list[str]] = {
        "id": [r.id for r in found],
        "change": [printable(change_text(r, config)) for r in found],
        "for": [name_of(r.symptom) for r in found],
        "expected gain": [promise_text(r.promise) for r in found],
        "impact": [r.impact for r in found],
        "effort": [r.effort for r in found],
        "risk": [r.risk for r in found],
    }
    if len(set(columns["for"])) == 1:
        del columns["for"]
    if set(columns["expected gain"]) == {NOTHING}:
        del columns["expected gain"]
    return Table(
        headers=tuple(columns),
        rows=tuple(zip(*columns.values(), strict=True)),
        title="What to try, the most promising first",
    )


def source_sentence(source: str) -> str:
    """Where a promise's figures are from, which may be named by what became of them alone."""
    return f"The expected gain is {'' if source.startswith('corrected by') else 'from '}{source}."


def reason_text(recommendation: Recommendation) -> str:
    """Why a change is recommended, and where its promise is from."""
    promise = recommendation.promise
    source = f" {source_sentence(promise.source)}" if promise is not None and promise.source else ""
    said = f"{recommendation.id}, {recommendation.title}"
    return f"{said}: {ended(recommendation.because)}{source}" if recommendation.because else ended(said) + source
