"""Rows as a training logged them, made into histories: what is the step, what a metric, whose row it is."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.errors import RecordError, quoted
from surefoot.history import History
from surefoot.records.cells import is_number
from surefoot.records.naming import METRICS, SPLITS, plain, words_of
from surefoot.records.spaces import named
from surefoot.records.timeline import timeline
from surefoot.words import count, listing

# The column that says how far the training is, the likeliest first.
EPOCHS = ("epoch", "epochs", "epoch_num", "num_epoch", "epoch_number", "epoch_idx", "num")
STEPS = (
    *("step", "steps", "global_step", "trainer_global_step", "iteration", "iterations", "iter", "training_iteration"),
    *("train_step", "batch_step", "update", "num_updates", "samples_seen"),
)
# A column without a name, or with this one, that counts 0, 1, 2 … is what pandas writes before a table.
INDEX = ("unnamed_0", "column_1", "index", "")
RUNS = (
    *("run", "run_id", "run_name", "run_uuid", "trial", "trial_id", "trial_name", "trial_number", "experiment"),
    *("experiment_name", "exp", "exp_name", "config_id", "job_id", "name", "fold"),
)
SEEDS = ("seed", "random_seed", "random_state", "rng_seed")
SPLIT_COLUMNS = ("split", "phase", "subset", "partition", "mode", "stage")
METRIC_COLUMNS = ("metric", "metric_name", "key", "tag", "name", "measure")
VALUE_COLUMNS = ("value", "metric_value")
# A column of these that never changes within a training is a setting of it, no curve.
SETTINGS = frozenset(
    (
        *("batch_size", "dropout", "weight_decay", "momentum", "patience", "optimizer", "schedule", "scheduler"),
        *("net", "model", "architecture", "width", "depth", "layers", "filters", "hidden", "augmentation", "norm"),
    )
)
MOST_NAMED = 4
LARGEST_STEP = 1e300


class NoHistoryError(RecordError):
    """A file that can be read, and holds no history."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """Rows in the order in which they were written: a value a row in every column, None where there is none.

    A value is a number (NaN and ±inf among them), true or false, or text. `lines` says on which line of the file
    each row stands; empty where a row has none of its own. `is_history` says that the source can be nothing else.
    """

    where: str
    name: str
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int] = ()
    notices: tuple[str, ...] = ()
    step_unit: str = ""
    is_history: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values()), ()))

    def place(self, row: int) -> str:
        """Where the row stands: "log.csv:7"."""
        return f"{self.where}:{self.lines[row]}" if self.lines else f"{self.where}, row {row + 1:,}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Roles:
    """Which column is what."""

    steps: Sequence[float | None]
    unit: str
    step_name: str
    metrics: Mapping[str, Sequence[float | None]]
    settings: Mapping[str, Sequence[Any]]
    owners: Mapping[str, Sequence[Any]]
    seeds: Sequence[Any]
    notices: tuple[str, ...]


def histories_in(logged: Logged) -> tuple[History, ...]:
    """The histories that the rows are of, in the order of their first rows.

    A column of runs or trials parts the rows, one of seeds does too: histories that differ in their seed alone have
    the same name. Raises RecordError for what is no history.
    """
    roles = _roles(_widened(logged))
    parted = _parted(roles, logged.n)
    if len(parted) > 1 and _are_trials(roles, parted.values()):
        raise NoHistoryError(
            f"{logged.where}: a history must have a row for each epoch or step; here every row is of another "
            f"{listing([*roles.owners], 'or') or 'seed'}. `surefoot analyze` reads a table of trials"
        )
    found = []
    for (name, seed), rows in parted.items():
        told = timeline(
            [roles.steps[i] for i in rows],
            {metric: [values[i] for i in rows] for metric, values in roles.metrics.items()},
            unit=roles.unit,
        )
        if not told.curves:
            continue
        found.append(
            History(
                name=name or logged.name,
                curves=told.curves,
                step_unit=roles.unit,
                config={**logged.config, **_config(roles.settings, rows)},
                seed=seed,
                notices=(*logged.notices, *roles.notices, *told.notices),
            )
        )
    if not found:
        raise NoHistoryError(f"{logged.where}: a history must hold at least one measured number; no row has one")
    return tuple(found)


def _are_trials(roles: _Roles, parted: Iterable[Sequence[int]]) -> bool:
    """Whether rows stand for whole trainings: none has two steps, and they are not all of a first epoch."""
    if any(len({roles.steps[i] for i in rows}) > 1 for rows in parted):
        return False
    return not roles.step_name or any(step is not None and step > 1 for step in roles.steps)


def _widened(logged: Logged) -> Logged:
    """The rows with a column a metric, where they were written one value a row, or one split a row."""
    names = {plain(name): name for name in reversed(list(logged.columns))}
    value = next((names[name] for name in VALUE_COLUMNS if name in names), None)
    called = next((names[n] for n in METRIC_COLUMNS if n in names and _is_text(logged.columns[names[n]])), None)
    if value is not None and called is not None:
        return _spread(logged, called, (value,))
    split = next((names[n] for n in SPLIT_COLUMNS if n in names and _says_splits(logged.columns[names[n]])), None)
    if split is None:
        return logged
    kept = (*EPOCHS, *STEPS, *RUNS, *SEEDS, *INDEX)
    measured = [n for n, v in logged.columns.items() if n != split and plain(n) not in kept and any(map(is_number, v))]
    return _spread(logged, split, measured)


def _spread(logged: Logged, called: str, measured: Sequence[str]) -> Logged:
    """The columns `measured` parted by what the column `called` says; a single one is called so alone."""
    kept = {n: v for n, v in logged.columns.items() if n != called and n not in measured}
    wide: dict[str, list[Any]] = {}
    for i, word in enumerate(logged.columns[called]):
        if word is None:
            continue
        for name in measured:
            label = str(word) if len(measured) == 1 and plain(name) in VALUE_COLUMNS else f"{word}_{name}"
            wide.setdefault(label, [None] * logged.n)[i] = logged.columns[name][i]
    return Logged(
        where=logged.where,
        name=logged.name,
        columns={**kept, **wide},
        lines=logged.lines,
        notices=logged.notices,
        step_unit=logged.step_unit,
        is_history=logged.is_history,
        config=logged.config,
    )


def _is_text(values: Sequence[Any]) -> bool:
    return any(isinstance(v, str) for v in values) and all(v is None or isinstance(v, str) for v in values)


def _says_splits(values: Sequence[Any]) -> bool:
    return _is_text(values) and {str(v).lower() for v in values if v is not None} <= SPLITS


def _roles(logged: Logged) -> _Roles:
    names = {plain(name): name for name in reversed(list(logged.columns))}
    owners = {n: logged.columns[n] for p in RUNS if (n := names.get(p)) is not None}
    seed = next((names[p] for p in SEEDS if p in names), None)
    step, unit, steps, said = _steps(logged, names, owners)
    owners = {n: v for n, v in owners.items() if n != step and _owns(v, steps)}
    owners = {n: v for n, v in owners.items() if len(set(v)) > 1} or owners
    taken = {*owners, *([seed] if seed else []), *([step] if step else [])}
    metrics, settings, notices = _metrics(logged, {n: v for n, v in logged.columns.items() if n not in taken})
    other = _other_counters(metrics, step)
    for name in other:
        del metrics[name]
    if not metrics:
        raise NoHistoryError(
            f"{logged.where}: a history must have a column of measured numbers beside its steps; it has "
            f"{named([*logged.columns]) or 'no column'}"
        )
    if step is None and not (logged.is_history or _looks_measured(metrics)):
        raise NoHistoryError(
            f"{logged.where}: a history must have a column of epochs or steps, or one called loss; it has "
            f"{named([*logged.columns][:MOST_NAMED])}{' …' if len(logged.columns) > MOST_NAMED else ''}"
        )
    return _Roles(
        steps=steps,
        unit=unit,
        step_name=step or "",
        metrics=metrics,
        settings=settings,
        owners=owners,
        seeds=logged.columns[seed] if seed else (),
        notices=(*said, *notices),
    )


def _steps(
    logged: Logged, names: Mapping[str, str], owners: Mapping[str, Sequence[Any]]
) -> tuple[str | None, str, Sequence[float | None], list[str]]:
    """The column of steps, its unit, its values, and what there is to say of it."""
    epoch, step = (_counter([names[p] for p in known if p in names], logged) for known in (EPOCHS, STEPS))
    if epoch is not None and step is not None and not _is_enough(logged, epoch, owners):
        epoch = None
    found = epoch if epoch is not None else step
    if found is None:
        found = next((n for n in logged.columns if plain(n) in INDEX and _counts_rows(logged.columns[n])), None)
        unit = logged.step_unit or "epoch"
        if found is not None:
            return found, unit, [float(v) for v in logged.columns[found]], []
        said = [] if logged.is_history else [f"no column counts epochs or steps, so each row is taken as one {unit}"]
        return None, unit, _counted(owners, logged.n), said
    unit = "epoch" if found == epoch else "step"
    values = logged.columns[found]
    missing = [i for i, v in enumerate(values) if v is None]
    if not set(map(type, values)) <= {float, type(None)} or not all(v is None or math.isfinite(v) for v in values):
        values = [_step(v, found, logged, i) for i, v in enumerate(values)]
    said = []
    if missing:
        said.append(
            f"{count(len(missing), 'row')} without {named([found])} left out, the first is {_at(logged, missing)}"
        )
    return found, unit, values, said


def _step(value: Any, name: str, logged: Logged, row: int) -> float | None:
    if value is not None and not (is_number(value) and abs(value) <= LARGEST_STEP):
        raise RecordError(f"{logged.place(row)}: {named([name])} must be a number; got {quoted(value)}")
    return None if value is None else float(value)


def _at(logged: Logged, rows: Sequence[int]) -> str:
    return f"line {logged.lines[rows[0]]:,}" if logged.lines else f"number {rows[0] + 1:,}"


def _counter(names: Sequence[str], logged: Logged) -> str | None:
    """The first of the columns that changes, else the first that holds anything: `epochs` may be a setting."""
    distinct = {name: len({v for v in logged.columns[name] if v is not None}) for name in names}
    return next((n for n in names if distinct[n] > 1), next((n for n in names if distinct[n]), None))


def _counts_rows(values: Sequence[Any]) -> bool:
    """Whether a column without a name counts rows, from 0 or 1, once or again and again."""
    if not values or values[0] not in (0, 1) or not all(type(v) is int or type(v) is float for v in values):
        return False
    return all(b == a + 1 or b == values[0] for a, b in itertools.pairwise(values))


def _counted(owners: Mapping[str, Sequence[Any]], n: int) -> list[float | None]:
    """Every row's place among those of its own training, from 1."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found: list[float | None] = []
    for key in zip(*owners.values(), strict=True) if owners else itertools.repeat((), n):
        seen[key] += 1
        found.append(float(seen[key]))
    return found


def _is_enough(logged: Logged, epoch: str, owners: Mapping[str, Sequence[Any]]) -> bool:
    """Whether the epoch tells a metric's values apart, so that the finer step is not needed."""
    if not all(is_number(v) and math.isfinite(v) and v == int(v) for v in logged.columns[epoch]):
        return False
    keys = list(zip(logged.columns[epoch], *owners.values(), strict=True))
    distinct = len(set(keys))
    if distinct == len(keys):
        return True
    for name, values in logged.columns.items():
        if name == epoch or name in owners or plain(name) in (*STEPS, *SEEDS):
            continue
        there = [key for key, v in zip(keys, values, strict=True) if v is not None]
        if len(there) > len(set(there)):
            return False
    return True


def _owns(values: Sequence[Any], steps: Sequence[float | None]) -> bool:
    """Whether the column names the training that a row is of; one that tells every row apart only counts rows."""
    if len(set(values)) < len(values) or len(values) < 2:
        return any(v is not None for v in values)
    known = [s for s in steps if s is not None]
    return any(b <= a for a, b in itertools.pairwise(known))


def _other_counters(metrics: Mapping[str, Sequence[float | None]], step: str | None) -> list[str]:
    """Columns that count steps too, or rows: they are no measurements."""
    return [n for n in metrics if n != step and plain(n) in (*EPOCHS, *STEPS, *INDEX) and len(metrics) > 1]


def _metrics(
    logged: Logged, columns: Mapping[str, Sequence[Any]]
) -> tuple[dict[str, Sequence[float | None]], dict[str, Sequence[Any]], list[str]]:
    """The measured columns, those that are settings, and what was left out."""
    metrics: dict[str, Sequence[float | None]] = {}
    settings: dict[str, Sequence[Any]] = {}
    notices, texts = [], []
    for name, values in columns.items():
        kinds = set(map(type, values))
        if plain(name) in SETTINGS:
            settings[name] = values
        elif kinds <= {float, int, type(None)}:
            if kinds != {type(None)}:
                metrics[name] = values if int not in kinds else [None if v is None else _float(v) for v in values]
        elif kinds <= {str, bool, type(None)} or kinds.isdisjoint({float, int}):
            texts.append(name)
        else:
            wrong = [i for i, v in enumerate(values) if v is not None and not is_number(v)]
            metrics[name] = [_float(v) if is_number(v) else None for v in values]
            notices.append(
                f"{named([name])} is no number in {count(len(wrong), 'row')}, left out: the first is "
                f"{_at(logged, wrong)}, {quoted(values[wrong[0]])}"
            )
    if texts:
        more = [f"{len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else []
        shown = listing([*(named([text]) for text in texts[:MOST_NAMED]), *more])
        notices.append(
            f"{shown} {'holds no numbers and is' if len(texts) == 1 else 'hold no numbers and are'} left out"
        )
    return metrics, settings, notices


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number beyond a float
        return math.inf if value > 0 else -math.inf


def _looks_measured(metrics: Mapping[str, Any]) -> bool:
    """Whether the columns are those of a training: a loss, or something measured on two splits."""
    names = {plain(name) for name in metrics}
    if names & {"loss", "train_loss", "val_loss", "valid_loss", "validation_loss", "training_loss"}:
        return True
    return any(f"val_{name}" in names and METRICS & set(words_of(name)) for name in names)


def _parted(roles: _Roles, n: int) -> dict[tuple[str, int | None], list[int]]:
    """(name, seed) -> its rows."""
    columns = [*roles.owners.values(), *([roles.seeds] if roles.seeds else [])]
    if not columns:
        return {("", None): list(range(n))}
    found: dict[tuple[str, int | None], list[int]] = {}
    labels: dict[tuple[Any, ...], tuple[str, int | None]] = {}
    begun = 0
    for key, block in itertools.groupby(zip(*columns, strict=True)):
        end = begun + sum(1 for _ in block)
        if key not in labels:
            labels[key] = _label(tuple(roles.owners), key, key[-1] if roles.seeds else None)
        found.setdefault(labels[key], []).extend(range(begun, end))
        begun = end
    return found


def _label(names: Sequence[str], key: Sequence[Any], seed: Any) -> tuple[str, int | None]:
    """What a training is called by its columns: a word as it is, a number with its column's name."""
    parts = []
    for name, value in zip(names, key, strict=False):
        if value is None:
            continue
        shown = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        parts.append(f"{name} {shown}" if is_number(value) or isinstance(value, bool) else shown)
    is_whole = is_number(seed) and float(seed).is_integer()
    if seed is not None and not is_whole:
        parts.append(f"seed {seed}")
    return ", ".join(dict.fromkeys(parts)), int(seed) if is_whole else None


def _config(settings: Mapping[str, Sequence[Any]], rows: Sequence[int]) -> dict[str, Any]:
    """The settings that the rows agree on."""
    found = {}
    for name, values in settings.items():
        said = {values[i] for i in rows if values[i] is not None}
        if len(said) == 1:
            value = said.pop()
            found[name] = int(value) if isinstance(value, float) and value.is_integer() else value
    return found
