"""Histories in JSON: a dict of lists as Keras keeps them, a list of epochs, a trainer's state, measurements a line."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import RecordError, quoted
from surefoot.history import History
from surefoot.records.cells import NO_RESULT, cells_of, is_number
from surefoot.records.logged import Logged, NoHistoryError, histories_in
from surefoot.records.naming import SPLITS
from surefoot.records.spaces import named
from surefoot.words import count

MOST_BYTES = 1 << 30
MOST_NAMED = 4
# Where a document keeps its history under a name of its own, in the order in which they are looked for.
INSIDE = ("epochs", "log_history", "history", "metrics", "logs", "results", "curves")
# The last entry of a Hugging Face trainer's log sums the whole training up: it is no measurement.
SUMMARY = "train_runtime"
LINES = (".jsonl", ".ndjson")
LARGEST = 2**1024  # the first whole number that no float holds


def read_json(path: Path, name: str) -> tuple[History, ...]:
    """The histories that a file of JSON, or of JSON lines, holds. Raises RecordError, in one line, for what is none."""
    text = _text_of(path)
    if path.suffix.lower() in LINES:
        return _from_lines(path, name, text)
    try:
        document = json.loads(text, parse_float=_float)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            return _from_lines(path, name, text)
        raise RecordError(
            f"{path}:{error.lineno}: must be JSON; {error.msg.lower()} at column {error.colno}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path} must be JSON; it cannot be read: {type(error).__name__}") from error
    return histories_of_document(document, path, name)


def histories_of_document(document: Any, path: Path, name: str) -> tuple[History, ...]:
    """The histories that a JSON document holds, in any of the shapes that are known."""
    where = str(path)
    if isinstance(document, list):
        return _from_records(document, where, name)
    if not isinstance(document, dict):
        raise NoHistoryError(f"{where}: a history must be a list or an object; got {quoted(document)}")
    for key in INSIDE:
        inner = document.get(key)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            return _from_records(inner, where, name)
        if isinstance(inner, dict) and _is_lists(inner):
            return _from_lists(inner, where, name)
    if _is_lists(document):
        return _from_lists(document, where, name)
    if _is_indexed(document):
        return _from_lists({n: [v for _, v in _by_number(some)] for n, some in document.items()}, where, name)
    several = {n: inner for n, inner in document.items() if isinstance(inner, dict) and _is_lists(inner)}
    if several and {n.lower() for n in several} <= SPLITS:
        return _from_lists({f"{s}_{n}": v for s, inner in several.items() for n, v in inner.items()}, where, name)
    if several:
        return tuple(h for n, inner in several.items() for h in _from_lists(inner, where, n))
    raise NoHistoryError(
        f"{where}: holds no history: a list of epochs, or an object with a list a metric, was looked for; it has "
        f"{named([*map(str, document)][:MOST_NAMED]) or 'nothing'}{' …' if len(document) > MOST_NAMED else ''}"
    )


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RecordError(f"{path} must be smaller than {MOST_BYTES >> 30} GiB to be read at once")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RecordError(f"{path} must be UTF-8 text; byte 0x{byte:02x} is not. Save it as UTF-8") from error
    except FileNotFoundError as error:
        raise RecordError(f"{path} is not there; a history must be a file or a folder") from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from error
    if not text.strip():
        raise RecordError(f"{path} is empty; a history holds at least one measurement")
    return text


def _float(text: str) -> float | int:
    """The number that the text says; one that a float cannot hold stays a whole number too large for it."""
    value = float(text)
    return value if math.isfinite(value) else LARGEST if value > 0 else -LARGEST


# ── a record an epoch ──


def _from_lines(path: Path, name: str, text: str) -> tuple[History, ...]:
    records: list[Any] = []
    lines: list[int] = []
    notices: list[str] = []
    whole = text.split("\n")
    last = max(i for i, line in enumerate(whole) if line.strip())
    for i, line in enumerate(whole):
        if not line.strip():
            continue
        try:
            records.append(json.loads(line, parse_float=_float))
        except (ValueError, RecursionError) as error:
            if i == last and records:
                notices.append(f"line {i + 1:,}, the last, breaks off and is left out")
                break
            said = error.msg.lower() if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise RecordError(f"{path}:{i + 1}: every line must be one JSON object; {said}") from error
        lines.append(i + 1)
    return _from_records(records, str(path), name, lines=lines, notices=notices)


def _from_records(
    records: Sequence[Any], where: str, name: str, *, lines: Sequence[int] = (), notices: Sequence[str] = ()
) -> tuple[History, ...]:
    """The histories of records, an epoch or a measurement each."""
    columns: dict[str, list[Any]] = {}
    kept: list[int] = []
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            place = f"{where}:{lines[i]}" if lines else f"{where}, entry {i + 1:,}"
            raise NoHistoryError(f"{place}: every entry of a history must be an object; got {quoted(record)}")
        if SUMMARY in record:
            continue
        for key, value in _flat(record).items():
            columns.setdefault(key, [None] * len(kept)).append(value)
        kept.append(i)
        for values in columns.values():
            if len(values) < len(kept):
                values.append(None)
    if not kept:
        raise NoHistoryError(f"{where}: a history must hold at least one measurement; this one has none")
    return _logged(columns, where, name, notices=notices, lines=[lines[i] for i in kept] if lines else ())


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with what its inner objects hold, under both names; `values` and `metrics` add none of their own."""
    found: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            prefix = "" if key in ("values", "metrics", "logs") else f"{key}_"
            found |= {f"{prefix}{inner}": v for inner, v in value.items()}
        else:
            found[str(key)] = value
    return found


def _logged(
    columns: Mapping[str, Sequence[Any]], where: str, name: str, *, notices: Sequence[str], lines: Sequence[int]
) -> tuple[History, ...]:
    said = {key: _values(values) for key, values in columns.items()}
    beyond = [
        f"{named([key])} is beyond what a float holds in {count(n, 'row')} and taken as infinite"
        for key, (_, n) in said.items()
        if n
    ]
    return histories_in(
        Logged(
            where=where,
            name=name,
            columns={key: values for key, (values, _) in said.items()},
            lines=lines,
            notices=(*notices, *beyond),
            is_history=True,
        )
    )


def _values(values: Sequence[Any]) -> tuple[list[Any], int]:
    """The values as rows hold them: text that says a number is one, a list or an object is nothing that is known.

    Also how many were too large for a float.
    """
    found: list[Any] = []
    beyond = 0
    for value in values:
        if isinstance(value, str):
            said = cells_of("", [value]).values[0]
            found.append(None if isinstance(said, str) and said.lower() in NO_RESULT else said)
        elif type(value) is int and abs(value) > 2**53:
            is_beyond = abs(value) >= LARGEST
            beyond += is_beyond
            found.append((math.inf if value > 0 else -math.inf) if is_beyond else float(value))
        elif value is None or isinstance(value, bool) or is_number(value):
            found.append(value)
        else:
            found.append(None)
    return found, beyond


# ── a list a metric ──


def _is_lists(document: Mapping[str, Any]) -> bool:
    """Whether it holds a list of plain values for each of its metrics; other keys are left out."""
    lists = [v for v in document.values() if isinstance(v, list) and v]
    return bool(lists) and all(not isinstance(v, dict | list) for some in lists for v in some)


def _is_indexed(document: Mapping[str, Any]) -> bool:
    """Whether it is a column an object, as pandas writes tables: {"loss": {"0": 0.7, "1": 0.5}}."""
    return bool(document) and all(
        isinstance(some, dict) and some and all(str(k).isdecimal() for k in some) for some in document.values()
    )


def _by_number(some: Mapping[str, Any]) -> list[tuple[int, Any]]:
    return sorted((int(k), v) for k, v in some.items())


def _from_lists(document: Mapping[str, Any], where: str, name: str) -> tuple[History, ...]:
    """The history of a list a metric; a shorter list was measured every so many epochs, or broke off."""
    lists = {str(n): v for n, v in document.items() if isinstance(v, list) and v}
    n = max(map(len, lists.values()))
    notices: list[str] = []
    columns: dict[str, Sequence[Any]] = {}
    for metric, values in lists.items():
        columns[metric], said = _stretched(metric, values, n)
        notices += said
    return _logged(columns, where, name, notices=notices, lines=())


def _stretched(metric: str, values: Sequence[Any], n: int) -> tuple[Sequence[Any], list[str]]:
    """The values at the epochs that they are of, and how that was told.

    Keras's validation_freq k measures at every k-th epoch, counted from 1.
    """
    if len(values) == n:
        return values, []
    every = n // len(values)
    if every > 1 and n // every == len(values):
        found: list[Any] = [None] * n
        found[every - 1 : every * len(values) : every] = values
        return found, [f"{named([metric])} has {len(values):,} values of {n:,}: taken as measured every {every} epochs"]
    return [*values, *[None] * (n - len(values))], [
        f"{named([metric])} has {len(values):,} values of {n:,}: taken as those of the first epochs"
    ]
