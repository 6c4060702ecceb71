"""The tables of a study's phases as rows of text: gates, symptoms, promises, attribution, the sealed split, exports."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from surefoot.ledger import LedgerRow
from surefoot.phases.final import ClassScore, Exported, Final
from surefoot.phases.gate import Gate
from surefoot.phases.round import Attribution
from surefoot.reports.phases_sentences import (
    metric_of,
    milliseconds,
    share,
    split_judgement,
    unit_after,
)
from surefoot.reports.story import Story
from surefoot.reports.tables import Table, interval_text
from surefoot.run import Metric
from surefoot.words import (
    NOTHING,
    count,
    decimals_of,
    half_width,
    heading_of,
    number,
    short_hash,
    signed,
    span,
    spread,
)


def gates_table(gates: Sequence[Gate]) -> Table:
    """Each gate that was reached, with how many of its predicates stand how."""
    rows = []
    for gate in gates:
        found = [str(check.state) for check in gate.checks]
        words = ("satisfied", "noted", "blocked", "overridden", "not applicable")
        rows.append((gate.phase, "open" if gate.is_open else "shut", *(str(found.count(word)) for word in words)))
    headers = ("gate", "stands", "satisfied", "noted", "blocked", "overridden", "not applicable")
    return Table(headers=headers, rows=tuple(rows), title="Gates", badges=1)


def ledger_table(rows: Sequence[LedgerRow]) -> Table:
    """Every promise beside what came of it."""
    found = []
    for row in rows:
        unit, digits = unit_after(row.unit), decimals_of(half_width(row.interval))
        got = NOTHING if row.got is None else f"{signed(row.got, digits)}{unit}"
        first = f"{span(row.first_promised)}{unit}" if row.first_promised != row.promised else ""
        promised = f"{span(row.promised)}{unit}" + (f" (first said {first})" if first else "")
        pairs = str(row.n) if row.n else NOTHING
        found.append(
            (
                f"{row.recommendation} {row.kind}",
                row.title,
                f"{row.experiment} / {row.arm}",
                promised,
                got,
                interval_text(row.interval),
                pairs,
                row.verdict or "open",
            )
        )
    headers = ("recommendation", "change", "tried as", "promised", "got", "95 % interval", "pairs", "verdict")
    return Table(headers=headers, rows=tuple(found), title="Promised and got", badges=7)


def attribution_table(attributions: Sequence[Attribution], metric: Metric) -> Table:
    """What each recommendation did alone, and what its absence costs the whole."""
    rows = []
    for a in attributions:
        alone, within = half_width(a.alone_interval), half_width(a.within_interval)
        rows.append(
            (
                f"{a.recommendation} {a.title}",
                NOTHING if a.alone is None else signed(a.alone, decimals_of(alone)),
                interval_text(a.alone_interval),
                str(a.alone_n) if a.alone_n else NOTHING,
                NOTHING if a.within is None else signed(a.within, decimals_of(within)),
                interval_text(a.within_interval),
                str(a.within_n) if a.within_n else NOTHING,
            )
        )
    unit = metric.difference_unit.strip()
    gain = f" ({unit})" if unit else ""
    headers = ("part", f"alone{gain}", "95 % interval", "pairs", f"within all{gain}", "95 % interval ", "pairs ")
    return Table(headers=headers, rows=tuple(rows), title="Which part did the work")


def split_table(final: Final, name: str, story: Story) -> Table:
    """Validation and test of one metric for every seed, with |validation − test| and its judgement."""
    assert story.phases is not None
    metric = metric_of(story, name)
    validation, test = final.validation[name], final.test[name]
    digits = decimals_of(spread(validation), spread(test))
    digits = None if digits is None else digits + 1
    rows = []
    for run, v, t in itertools.zip_longest(final.runs, validation, test):
        whose = (NOTHING, NOTHING) if run is None else (str(run.seed), str(run.id))
        apart = None if v is None or t is None else abs(v - t)
        said = NOTHING if apart is None else split_judgement(apart, metric, story.phases.thresholds)
        rows.append((*whose, *(NOTHING if x is None else number(x, digits) for x in (v, t, apart)), said))
    unit = metric.difference_unit.strip()
    apart_heading = f"|validation − test| ({unit})" if unit else "|validation − test|"
    headers = ("seed", "run", f"validation, {heading_of(metric)}", "test", apart_heading, "judgement")
    return Table(headers=headers, rows=tuple(rows), title=f"{metric.name}, validation against test")


def classes_table(scores: Sequence[ClassScore]) -> Table:
    """Precision, recall and F1 of every class, from 0 to 1, and how many examples it has."""
    rows = [(s.name, str(s.support), *(number(x, 3) for x in (s.precision, s.recall, s.f1))) for s in scores]
    return Table(headers=("class", "examples", "precision", "recall", "F1"), rows=tuple(rows), title="Classes")


def confusion_table(final: Final) -> Table:
    """The confusion matrix with the totals of its rows and columns; a row is the true class."""
    matrix = final.confusion
    if not matrix:
        return Table(headers=("true class",), rows=())
    names = class_names(final)
    rows = [(name, *map(str, row), str(sum(row))) for name, row in zip(names, matrix, strict=True)]
    columns = [sum(row[j] for row in matrix) for j in range(len(matrix[0]))]
    rows.append(("taken for it, in all", *map(str, columns), str(sum(columns))))
    headers = ("true class, taken for →", *names, "in all")
    return Table(headers=headers, rows=tuple(rows), title="Confusion matrix")


def class_names(final: Final) -> tuple[str, ...]:
    """The classes' names, or their numbers where the record has no names for all of them."""
    n = len(final.confusion)
    return final.classes if len(final.classes) == n else tuple(map(str, range(n)))


def exports_table(exports: Sequence[Exported]) -> Table:
    """Every format: agreement, accuracy and latency against the original, or why there is none."""

    def beside(a: float | None, b: float | None, unit: str) -> str:
        return NOTHING if a is None or b is None else f"{number(a)}{unit} against {number(b)}{unit}"

    rows = []
    for e in exports:
        latency = NOTHING
        if e.latency_seconds is not None and e.original_latency_seconds is not None:
            latency = f"{milliseconds(e.latency_seconds)} against {milliseconds(e.original_latency_seconds)}"
        agreement = NOTHING if e.agreement is None else share(e.agreement)
        accuracy = beside(e.accuracy, e.original_accuracy, " %")
        stands, where = ("FAILED", e.error) if e.error else ("written", e.file or NOTHING)
        rows.append((e.format, stands, where, short_hash(e.sha256) or NOTHING, agreement, accuracy, latency))
    headers = (
        "format",
        "stands",
        "file, or why there is none",
        "SHA-256",
        "same class",
        "accuracy against the original",
        "time an image",
    )
    return Table(headers=headers, rows=tuple(rows), title="Exports", badges=1)


def files_table(final: Final) -> Table:
    """The bundle's files with their checksums."""
    rows = tuple(final.files.items())
    return Table(headers=("file", "SHA-256"), rows=rows, title=f"Bundle, {count(len(rows), 'file')}")
