"""Direction: which way the metric goes with each parameter, with one false discovery rate over all tests."""

from __future__ import annotations

from typing import Any

from surefoot import words
from surefoot.analysis.direction_findings import findings_of
from surefoot.analysis.direction_tests import (
    BooleanDirection,
    ChoiceDirection,
    Direction,
    Directions,
    NumberDirection,
    directions,
    ranked,
)
from surefoot.analysis.levels import LevelPair, LevelStats, levels_of
from surefoot.analysis.section import Section, Sheet
from surefoot.analysis.slices import slices
from surefoot.analysis.view import View
from surefoot.stats.correlation import LEAST_CORRELATED
from surefoot.stats.permutation import MOST_DRAWN

__all__ = [
    "BooleanDirection",
    "ChoiceDirection",
    "Direction",
    "Directions",
    "LevelPair",
    "LevelStats",
    "NumberDirection",
    "direction_section",
    "directions",
    "levels_of",
]

TITLE = "Direction"
MOST_ROWS_SHOWN = 60
NUMBER_HEADERS = (
    *("parameter", "n", "rho", "p_value", "q_value", "ci_low", "ci_high", "direction", "condition", "flags"),
    *("p_perm", "helps", "eta_squared"),
)
BOOLEAN_HEADERS = (
    *("parameter", "n_true", "n_false", "mean_true", "mean_false", "delta", "ci_low", "ci_high", "p_perm", "q_value"),
    *("flags", "p_welch", "helps", "condition"),
)
DETAIL_HEADERS = ("parameter", "choice", "n", "mean", "sd", "median", "best", "condition")
SUMMARY_HEADERS = (
    *("parameter", "best_choice", "best_mean", "best_n", "worst_choice", "worst_mean", "worst_n", "delta", "p_perm"),
    *("q_value", "flags", "best_by_median", "best_by_max", "eta_squared", "second_choice", "p_pair", "p_welch"),
    *("p_mannwhitney", "condition"),
)


def direction_section(view: View, found: Directions | None = None) -> Section:
    """The direction tests as sentences, four sheets and the slices."""
    if view.n < LEAST_CORRELATED:
        return _silent(f"a direction needs three complete trials; there {'is' if view.n == 1 else 'are'} {view.n}")
    if not view.columns:
        return _silent("no parameter was searched")
    if view.values.min() == view.values.max():
        return _silent(f"all {view.n:,} complete trials have the same {view.metric.name}")
    found = directions(view) if found is None else found
    figure = slices(view, [row.key for row in _by_q(found)], [row.key for row in found.shown])
    return Section(
        key="direction",
        title=TITLE,
        findings=tuple(findings_of(found, view.metric)),
        sheets=tuple(sheet for sheet in _sheets(view, found) if sheet.rows),
        figures=() if figure is None else (figure,),
        note=_note(view, found),
    )


def _silent(reason: str) -> Section:
    return Section(key="direction", title=TITLE, not_applicable=f"because {reason}.")


def _by_q(found: Directions) -> list[Direction]:
    """The tested ones from the smallest q, whatever their condition."""
    return sorted((row for row in found.ranked if row.q_value is not None), key=lambda row: row.q_value or 0.0)


def _note(view: View, found: Directions) -> str:
    said = [
        "A direction is what went together over the trials that ran, not yet an effect: their proposer chose them.",
        f"It is stated where q is below 0.1; q is over all {words.count(found.tests, 'test')} here (Benjamini and"
        " Hochberg). Where none is shown there may still be one, or a best value in between.",
    ]
    if any(row.condition for row in found.all):
        said.append("What exists only under a condition is measured where it existed, and ranked apart.")
    if view.n > MOST_DRAWN:
        said.append(f"Over {MOST_DRAWN} trials p comes from Student's t and Fisher's F, not from permutations.")
    return " ".join(said)


def _sheets(view: View, found: Directions) -> tuple[Sheet, ...]:
    metric = words.heading_of(view.metric)
    return (
        Sheet(
            name="directionality_continuous",
            title=f"Numbers: Spearman's rank correlation with {metric}",
            headers=NUMBER_HEADERS,
            rows=tuple(_number_row(row) for row in ranked(found.numbers)),
        ),
        Sheet(
            name="directionality_boolean",
            title=f"Booleans: mean {metric}, true against false",
            headers=BOOLEAN_HEADERS,
            rows=tuple(_boolean_row(row) for row in ranked(found.booleans)),
        ),
        Sheet(
            name="directionality_categorical_summary",
            title=f"Choices: the best and the worst by mean {metric}",
            headers=SUMMARY_HEADERS,
            rows=tuple(_choice_row(row) for row in ranked(found.choices) if row.levels),
        ),
        _detail(view, metric),
    )


def _detail(view: View, metric: str) -> Sheet:
    rows = tuple(
        (column.parameter.name, at.level, at.n, at.mean, at.sd, at.median, at.best, column.condition)
        for column, levels in ((view.column(key), levels) for key, levels in levels_of(view).items())
        for at in levels
    )
    return Sheet(
        name="directionality_categorical_detail",
        title=f"Every value that was tried: {metric}",
        headers=DETAIL_HEADERS,
        rows=rows,
        is_shown=len(rows) <= MOST_ROWS_SHOWN,
    )


def _number_row(row: NumberDirection) -> tuple[Any, ...]:
    return (
        *(row.name, row.n, row.rho, row.p_value, row.q_value, *_ends(row.interval), row.direction, row.condition),
        *(_flags(row), row.p_perm, row.helps, row.eta_squared),
    )


def _boolean_row(row: BooleanDirection) -> tuple[Any, ...]:
    return (
        *(row.name, row.n_true, row.n_false, row.mean_true, row.mean_false, row.delta, *_ends(row.interval)),
        *(row.p_perm, row.q_value, _flags(row), row.p_welch, row.helps, row.condition),
    )


def _choice_row(row: ChoiceDirection) -> tuple[Any, ...]:
    best, worst = row.level(row.best_by_mean), row.level(row.worst_by_mean)
    pair = (None, None) if row.pair is None else (row.pair.second, row.pair.p_perm)
    return (
        *(row.name, best.level, best.mean, best.n, worst.level, worst.mean, worst.n, row.delta, row.p_perm),
        *(row.q_value, _flags(row), row.best_by_median, row.best_by_max, row.eta_squared, *pair, row.p_welch),
        *(row.p_mannwhitney, row.condition),
    )


def _ends(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else interval


def _flags(row: Direction) -> str:
    return ", ".join(row.flags)
