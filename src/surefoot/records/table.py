"""A table of trials read from a CSV or TSV file: columns take their roles, rows become trials."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from surefoot.errors import RecordError, nearest, quoted
from surefoot.records.cells import NO_RESULT, Cells, cells_of, finite, is_number, seconds_in, settings_in
from surefoot.records.columns import Reading, numeric_names, read_roles
from surefoot.records.delimited import Delimited, read_delimited
from surefoot.records.naming import NAMES, unit_seconds
from surefoot.records.spaces import ShownSpace, named, shown_space
from surefoot.run import Metric
from surefoot.trials import Trial, TrialState, TrialTable, Trivial
from surefoot.words import count, number

GOALS = ("maximize", "minimize")
STATES: Mapping[str, TrialState] = {
    **dict.fromkeys(
        ("complete", "completed", "finished", "success", "succeeded", "done", "ok", "terminated"), "COMPLETE"
    ),
    **dict.fromkeys(("pruned", "stopped", "early_stopped", "early stopped", "early-stopped"), "PRUNED"),
    **dict.fromkeys(("fail", "failed", "failure", "crashed", "crash", "error", "errored", "killed"), "FAILED"),
    **dict.fromkeys(("preempted", "interrupted", "cancelled", "canceled", "aborted", "oom"), "FAILED"),
    **dict.fromkeys(("running", "pending", "queued", "waiting", "scheduled", "paused", "preempting"), "RUNNING"),
    **dict.fromkeys(("infeasible", "diverged", "nan"), "INFEASIBLE"),
}
# The numbers that Optuna's states are written as.
OPTUNA_STATES: Mapping[int, TrialState] = {0: "RUNNING", 1: "COMPLETE", 2: "PRUNED", 3: "FAILED", 4: "RUNNING"}
# A run of ours whose value is larger has diverged too (sweeping/telling.py); its square would be no number.
LARGEST_VALUE = 1e100
FEWEST_SORTED = 5
MOST_SAID = 5


def read_trials(
    path: Path | str,
    *,
    value: str | None,
    goal: str | None,
    parameters: Sequence[str] | None = None,
    results: Sequence[str] | None = None,
    trivial: Sequence[Trivial] = (),
    evaluated_on: int | None = None,
    name: str | None = None,
    rows: int | None = None,
) -> TrialTable:
    """The trials of a table, a row each, the first `rows` of them or all.

    `value` is the column of the objective. `parameters` are the columns of the searched settings, exactly; without
    them a tool's own prefixes tell, else their names do, `results` left out; `notices` say how it was read. An
    empty cell is a setting that was not there, or a trial that came to nothing. Raises RecordError, in one line,
    where the value or its goal is not told (neither is guessed) and for what is no table.
    """
    path = Path(path)
    source = read_delimited(path, rows=rows)
    columns = [cells_of(h, c, delimiter=source.delimiter) for h, c in zip(source.header, source.columns, strict=True)]
    metric = _metric(columns, value, goal, path)
    reading = read_roles(columns, where=str(path), value=metric.name, parameters=parameters, results=results)
    target = reading.of("value")[0]
    _check_numbers(target, path)
    settings, infinite = _settings(reading)
    shown = shown_space(settings)
    trials, unknown = _trials(source.n, reading, settings, shown)
    ordered, is_in_order, order_notices = _ordered(trials, reading)
    notices = (
        *([f"only the first {count(rows, 'row')} of the table are read, as was asked"] if source.n == rows else []),
        *reading.notices,
        *shown.notices,
        *infinite,
        *unknown,
        *_notices_of_copies(source, reading),
        *order_notices,
    )
    return TrialTable(
        name=name or path.stem or path.name,
        source=str(path),
        metric=dataclasses.replace(metric, name=target.name),
        space=shown.space,
        trials=ordered,
        is_inferred=True,
        is_in_order=is_in_order,
        base=shown.base,
        trivial=tuple(trivial),
        evaluated_on=evaluated_on,
        notices=notices,
    )


def _metric(columns: Sequence[Cells], value: str | None, goal: str | None, path: Path) -> Metric:
    """The objective as it was asked for; raises RecordError where something is not told."""
    if value is None:
        numeric = numeric_names(columns)
        where = f"its columns of numbers are {named(numeric)}" if numeric else "it has no column of numbers"
        raise RecordError(f"{path}: say which column holds the value of a trial, --value COLUMN; {where}")
    if goal is None:
        raise RecordError(
            f"{path}: must say whether {named([value])} should be maximized or minimized: --goal maximize, or "
            "--goal minimize"
        )
    if goal not in GOALS:
        hint = nearest(goal, GOALS)
        raise RecordError(f"goal must be maximize or minimize; got {quoted(goal)}{'.' if hint else ''}{hint}")
    return Metric(name=value, goal=cast(Literal["minimize", "maximize"], goal))


def _check_numbers(target: Cells, path: Path) -> None:
    words = [v for v in target.present if not is_number(v) and not _is_nothing(v)]
    if words and not any(is_number(v) for v in target.present):
        raise RecordError(
            f"{path}: the value must be a column of numbers; {named([target.name])} holds {quoted(words[0])}"
        )


def _settings(reading: Reading) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """The settings by name, a value a row; and what a person should know of those that were no numbers."""
    found: dict[str, tuple[Any, ...]] = {}
    notices = []
    for column in reading.of("parameter"):
        found[column.name], infinite = settings_in(column.values)
        if infinite:
            notices.append(f"{named([column.name])} is infinite in {count(infinite, 'row')}, which is taken as empty")
    return found, notices


def _trials(
    n: int, reading: Reading, settings: Mapping[str, Sequence[Any]], shown: ShownSpace
) -> tuple[list[Trial], list[str]]:
    """The rows as trials in the source's order, and what of their states nobody could read."""
    varied = {name: settings[name] for name in shown.space.names()}
    target = reading.of("value")[0].values
    states, unknown = _states(reading, n)
    names = _names(reading, n)
    measured = _numbers(reading.of("result"))
    budgets = _numbers(reading.of("budget"))
    seconds = _seconds(reading, n)
    started = _texts(reading.of("started"), n)
    origins = _texts(reading.of("origin"), n)
    trials = []
    for row in range(n):
        state, reason, value, last = _ending(target[row], states[row])
        trials.append(
            Trial(
                name=names[row],
                state=state,
                settings={name: values[row] for name, values in varied.items() if values[row] is not None},
                value=value,
                per_seed=() if value is None else (value,),
                last=last,
                reason=reason,
                seconds=seconds[row],
                started_at=started[row],
                origin=origins[row],
                measured={name: v for name, values in measured.items() if (v := values[row]) is not None},
                budget={name: v for name, values in budgets.items() if (v := values[row]) is not None},
            )
        )
    return trials, unknown


def _ending(
    came: Any, state: TrialState | None
) -> tuple[TrialState, str, float | None, tuple[float | None, float] | None]:
    """The state of a trial, its reason, its value and its last value, by what stands in its row."""
    value = finite(came)
    if value is not None and abs(value) > LARGEST_VALUE:
        value = None
    if state == "PRUNED":
        return "PRUNED", "", None, None if value is None else (None, value)
    if state in ("FAILED", "RUNNING", "INFEASIBLE"):
        return state, _reason(came), None, None
    if value is not None:
        return "COMPLETE", "", value, None
    if is_number(came):
        return "INFEASIBLE", _reason(came), None, None
    return "FAILED", _reason(came) or "no value", None, None


def _reason(came: Any) -> str:
    if is_number(came) and not abs(came) <= LARGEST_VALUE:
        return f"the value is {number(came)}"
    return f"the value is {quoted(came)}" if came is not None and not is_number(came) else ""


def _states(reading: Reading, n: int) -> tuple[list[TrialState | None], list[str]]:
    """The state that each row says, None where none does; and the words that say nothing we know."""
    columns = reading.of("state")
    if not columns:
        return [None] * n, []
    unknown: Counter[str] = Counter()
    found: list[TrialState | None] = []
    for said in columns[0].values:
        if isinstance(said, int):
            found.append(OPTUNA_STATES.get(said))
        else:
            found.append(STATES.get(str(said).rpartition(".")[2].lower()))
        if found[-1] is None and said is not None:
            unknown[str(said)] += 1
    if not unknown:
        return found, []
    shown = ", ".join(f"{quoted(word)} in {count(k, 'row')}" for word, k in unknown.most_common(MOST_SAID))
    return found, [f"{named([columns[0].name])} says what is no state of a trial ({shown}); there the value decides"]


def _names(reading: Reading, n: int) -> list[str]:
    """What the source calls each trial: its best identifier where that tells all rows apart, else the row's number."""
    columns = reading.of("name")
    order = {name: place for place, name in enumerate(NAMES)}
    for column in sorted(columns, key=lambda c: order.get(c.name.lower(), len(order))):
        found = [_name(value) for value in column.values]
        if all(found) and len(set(found)) == n:
            return found
    return [str(row) for row in range(1, n + 1)]


def _name(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _numbers(columns: Sequence[Cells]) -> dict[str, list[float | None]]:
    return {c.name: [finite(v) for v in c.values] for c in columns if c.is_numeric}


def _seconds(reading: Reading, n: int) -> list[float | None]:
    """What each trial took, from the column that says so best."""
    # A runtime or a duration is that of the trial; beside it other times are those of its parts.
    columns = sorted(reading.of("seconds"), key=lambda c: not {"runtime", "duration"} & {c.name.lower().strip("_")})
    for column in columns:
        factor = unit_seconds(column.name)
        found = [seconds_in(v) for v in column.values]
        if any(s is not None for s in found):
            return [None if s is None or not 0 <= s < math.inf else s * factor for s in found]
    return [None] * n


def _texts(columns: Sequence[Cells], n: int) -> list[str]:
    return ["" if v is None else str(v) for v in columns[0].values] if columns else [""] * n


def _ordered(trials: list[Trial], reading: Reading) -> tuple[tuple[Trial, ...], bool, list[str]]:
    """The trials in the order they were made, where their numbers or times say it; whether that is known."""
    numbers = _order_numbers(reading, trials)
    if numbers is not None:
        places = sorted(range(len(trials)), key=numbers.__getitem__)
        return tuple(trials[i] for i in places), True, []
    started = [t.started_at for t in trials]
    if trials and all(started) and len({len(s) for s in started}) == 1:  # one format, so that texts sort like times
        return tuple(sorted(trials, key=lambda t: t.started_at)), True, []
    values = [t.value for t in trials if t.value is not None]
    is_sorted = values in (sorted(values), sorted(values, reverse=True))
    if len(set(values)) >= FEWEST_SORTED and is_sorted:
        said = "the rows are sorted by their value, so the order in which the trials were made is not known"
        return tuple(trials), False, [said]
    return tuple(trials), True, []


def _order_numbers(reading: Reading, trials: Sequence[Trial]) -> list[float] | None:
    """The numbers of the trials where their source counts them."""
    for column in reading.of("name"):
        found = [finite(v) for v in column.values]
        numbers = [v for v in found if v is not None and v.is_integer()]
        if len(numbers) == len(trials) > 0 and len(set(numbers)) == len(numbers):
            return numbers
    return None


def _notices_of_copies(source: Delimited, reading: Reading) -> list[str]:
    """That some rows say the same as an earlier one in every column but their name."""
    told = {c.header for role in ("name", "started", "ended") for c in reading.of(role)}
    kept = [cells for header, cells in zip(source.header, source.columns, strict=True) if header not in told]
    if not kept:
        return []
    copies = [k for k in Counter(zip(*kept, strict=True)).values() if k > 1]
    more = sum(copies) - len(copies)
    if not more:
        return []
    is_one = more == 1
    return [
        f"{count(more, 'row')} {'says' if is_one else 'say'} the same in every column as an earlier one; "
        f"{'it is' if is_one else 'they are'} kept, but a copy is no second measurement"
    ]


def _is_nothing(value: Any) -> bool:
    return isinstance(value, str) and value.lower() in NO_RESULT
