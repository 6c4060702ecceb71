"""An analysis' numbers as CSV for other programs: a file for every table, and one row for every trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surefoot.reports.analysis_words import file_name
from surefoot.reports.spreadsheets import sheet
from surefoot.trials import TrialTable
from surefoot.words import setting

if TYPE_CHECKING:
    from surefoot.analysis.analysis import Analysis

OWN = ("trial", "state", "reason", "origin", "seconds", "started_at")
LAST = ("last_step", "last_value")


def analysis_sheets(analysis: Analysis) -> dict[str, str]:
    """Every CSV by its file name."""
    found = {"trials.csv": trials_sheet(analysis.view.table)}
    for section in analysis.sections:
        for one in section.sheets:
            rows = [tuple(map(_plain, row)) for row in one.rows]
            found[f"{file_name(one.name)}.csv"] = sheet(one.headers, rows)
    return found


def trials_sheet(table: TrialTable) -> str:
    """A row for every trial: what became of it, its settings, its value, its seeds and its other numbers.

    A column is called as what it holds; where several would be called alike, as "setting NAME", "measured NAME".
    """
    many = max((len(t.per_seed) for t in table.trials if len(t.per_seed) > 1), default=0)
    settings = [*table.space.names(), *_named(t.settings for t in table.trials)]
    settings = list(dict.fromkeys(settings))
    measured, budgets = _named(t.measured for t in table.trials), _named(t.budget for t in table.trials)
    seeds = [f"{table.metric.name} seed {i + 1}" for i in range(many)]
    has_last = LAST if any(t.last is not None for t in table.trials) else ()
    kinds = [("", [*OWN, table.metric.name, *seeds, *has_last]), ("setting", settings), ("measured", measured)]
    headers = _headings([*kinds, ("budget", budgets)])
    rows = []
    for t in table.trials:
        last = (t.last or ("", ""))[: len(has_last)]
        said = (t.name, t.state, t.reason, t.origin, t.seconds, t.started_at, t.value)
        per_seed = [t.per_seed[i] if i < len(t.per_seed) else None for i in range(many)]
        held = [t.settings.get(name) for name in settings]
        held += [t.measured.get(name) for name in measured]
        held += [t.budget.get(name) for name in budgets]
        rows.append(tuple(map(_plain, (*said, *per_seed, *last, *held))))
    return sheet(headers, rows)


def _named(found: Any) -> list[str]:
    return list(dict.fromkeys(name for one in found for name in one))


def _headings(kinds: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """The columns' names; every one that was there before with its kind in front."""
    taken: set[str] = set()
    found: list[str] = []
    for kind, names in kinds:
        for name in names:
            shown = f"{kind} {name}" if name in taken else name
            taken.add(shown)
            found.append(shown)
    return found


def _plain(value: Any) -> Any:
    """A cell as CSV can hold it: numbers and texts as they are, nothing as nothing, lists in one cell."""
    if value is None:
        return ""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value)
    return "; ".join(map(setting, value)) if isinstance(value, list | tuple) else str(value)
