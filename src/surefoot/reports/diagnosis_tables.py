"""The tables of an examination: what each group has, how often each symptom is the primary one."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.symptom import Diagnosis
from surefoot.reports.analysis_words import both_ends, cut, ended, printable
from surefoot.reports.diagnosed import Diagnosed, Examination
from surefoot.reports.diagnosis_words import HEALTHY, confidence_text, name_of, primary_of, titled
from surefoot.reports.tables import Table
from surefoot.words import NOTHING, count, percent, sentence

LONGEST_SUBJECT = 44
MOST_NAMED = 4


def groups_table(groups: Sequence[Diagnosed], *, longest: int = LONGEST_SUBJECT) -> Table:
    """A row a group: its primary symptom, how sure that is, what else it shows."""
    return Table(
        headers=("training", "primary", "also", "try first", "confidence"),
        rows=tuple(_row(group, longest) for group in groups),
        title="What each training has",
    )


def _row(group: Diagnosed, longest: int) -> tuple[str, str, str, str, str]:
    diagnosis = group.diagnosis
    primary = primary_of(diagnosis)
    many = f" (n = {diagnosis.histories})" if diagnosis.histories > 1 else ""
    first = next((r.title for r in diagnosis.recommendations), NOTHING)
    return (
        both_ends(group.subject, longest - len(many)) + many,
        HEALTHY if primary is None else titled(primary) + (" (could be noise)" if primary.is_noise else ""),
        ", ".join(_others(diagnosis)) or NOTHING,
        cut(printable(first), 60),
        NOTHING if primary is None else confidence_text(primary.confidence),
    )


def _others(diagnosis: Diagnosis) -> list[str]:
    return [titled(s) for s in diagnosis.symptoms if s.rule != diagnosis.primary]


def counts_table(examination: Examination) -> Table:
    """A row a primary symptom, the commonest first, those with nothing to treat last."""
    n = len(examination.groups)
    return Table(
        headers=("primary", "trainings", "share"),
        rows=tuple((name_of(rule), f"{k:,}", percent(k / n)) for rule, k in examination.counts().items()),
        title="How often each is the primary symptom",
    )


def headline(examination: Examination) -> str:
    """What was found, in one line."""
    n, ill = len(examination.groups), len(examination.ill)
    if n == 1:
        (only,) = examination.groups
        primary = primary_of(only.diagnosis)
        return f"{only.subject}: {titled(primary) if primary is not None else HEALTHY}"
    if not ill:
        return f"{count(n, 'config')} looked at: {HEALTHY} in any of them"
    shown = [f"{k:,} {name_of(rule)}" for rule, k in examination.counts().items() if rule]
    told = ", ".join([*shown[:MOST_NAMED], *(["…"] if len(shown) > MOST_NAMED else [])])
    return f"{ill:,} of {n:,} have something to treat: {told}"


def source_sentences(examination: Examination) -> list[str]:
    """What was looked at and how it was read, each a sentence."""
    n, trainings = len(examination.groups), examination.trainings
    many = count(trainings, "training") + (f" of {count(n, 'config')}" if n != trainings else "")
    judged = f", judged by {examination.metric.name}" if examination.metric is not None else ""
    return [sentence(f"{many} from {examination.source}{judged}"), *map(ended, examination.notices)]


def next_step(examination: Examination) -> str:
    """What to do first, of the first group that has something to treat."""
    for group in examination.ill:
        for recommendation in group.diagnosis.recommendations:
            return f"{group.subject}: {recommendation.title}"
    return ""
