"""The figures of a study's phases as data: promises beside what came of them, and the confusion matrix."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import get_args

from surefoot.ledger import LedgerRow, Outcome, outcome_of
from surefoot.phases.final import Final
from surefoot.reports.figures import NoFigure
from surefoot.reports.phases_sentences import share
from surefoot.reports.phases_tables import class_names
from surefoot.reports.story import Story
from surefoot.words import count, listing

MOST_CLASSES = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One promise and what came of it; gains, positive is better."""

    label: str
    promised: tuple[float, float]
    got: float | None
    interval: tuple[float, float] | None
    n: int
    outcome: Outcome


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerFigure:
    """Promised ranges with the measured gains over them; `unit` is that of a gain, with nothing before it."""

    title: str
    caption: str
    metric: str
    unit: str
    rows: tuple[Kept, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfusionFigure:
    """The confusion matrix: `counts[i][j]` images of class i were taken for class j."""

    title: str
    caption: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


PhaseFigure = LedgerFigure | ConfusionFigure


def phase_figures(story: Story) -> dict[str, PhaseFigure | NoFigure]:
    """The figures of the phases by file name; none for a study without them."""
    if story.phases is None:
        return {}
    return {"ledger": ledger_figure(story), "confusion": confusion_figure(story.phases.final)}


def ledger_figure(story: Story) -> LedgerFigure | NoFigure:
    """Every promise on the primary metric beside its outcome, in the order of the ledger."""
    assert story.phases is not None
    rows = tuple(_kept(row) for row in story.phases.ledger if row.metric == story.primary.name)
    if not rows:
        return NoFigure(sentence="No recommendation has been put to the test yet, so the ledger is empty.")
    caption = (
        "Light bars are the promised gains; dots are what was measured against the champion of the time, with 95 % "
        "intervals. The interval decides, not the dot; a gain counts in the direction of the goal."
    )
    unit = story.primary.difference_unit.strip()
    return LedgerFigure(title=_ledger_title(rows), caption=caption, metric=story.primary.name, unit=unit, rows=rows)


def confusion_figure(final: Final | None) -> ConfusionFigure | NoFigure:
    """The confusion matrix of the bundled model on the test split."""
    if final is None or not final.confusion:
        return NoFigure(sentence="The confusion matrix is known once finalise has opened the test split.")
    if len(final.confusion) > MOST_CLASSES:
        said = f"The confusion matrix of {len(final.confusion)} classes is too large to draw"
        return NoFigure(sentence=f"{said}; its numbers are in test_results.md.")
    names, n = class_names(final), sum(map(sum, final.confusion))
    right = sum(row[i] for i, row in enumerate(final.confusion))
    wrong = [(row[j], i, j) for i, row in enumerate(final.confusion) for j in range(len(row)) if i != j]
    most, i, j = max(wrong, default=(0, 0, 0), key=lambda found: found[0])
    title = f"{share(right / n) if n else 'None'} of {n:,} test images are right"
    if most:
        title += f"; most often {names[i]} is taken for {names[j]}, {most:,} times"
    caption = (
        "Rows are the true classes, columns what they were taken for; the shade is the share of its row. "
        "The counts are of the bundled model on the test split."
    )
    return ConfusionFigure(title=title, caption=caption, names=names, counts=final.confusion)


def _kept(row: LedgerRow) -> Kept:
    return Kept(
        label=f"{row.recommendation} {row.title}",
        promised=row.promised,
        got=row.got,
        interval=row.interval,
        n=row.n,
        outcome=outcome_of(row.promised, row.interval),
    )


def _ledger_title(rows: tuple[Kept, ...]) -> str:
    found = Counter(row.outcome for row in rows if row.outcome != "open")
    if not found:
        return f"{count(len(rows), 'promise')} made, none measured yet"
    said = [f"{found[outcome]} {outcome}" for outcome in get_args(Outcome) if found[outcome]]
    return f"Of {count(found.total(), 'measured promise')}: {listing(said)}"
