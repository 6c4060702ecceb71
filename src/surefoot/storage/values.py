"""Measured values as text: JSON, in which NaN and the infinities are the words "nan", "inf" and "-inf"."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from surefoot.errors import RecordError, WorkloadError
from surefoot.run import Measurement, measured_value

# SQLite would store NaN as NULL, and JSON knows neither NaN nor infinity; a word is a value nobody can mistake.
_write = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode


def measurement_rows(measurements: Iterable[Measurement]) -> tuple[tuple[int, str], ...]:
    """Step and text of each; raises RecordError for a value that is no number or a step that comes twice."""
    rows = tuple((int(m.step), encoded(m.values)) for m in measurements)
    if len({step for step, _ in rows}) < len(rows):
        raise RecordError("each step of a run must be measured once; a step came twice")
    return rows


def curve_of(rows: Sequence[Sequence[Any]]) -> list[Measurement]:
    """The measurements as they went in, of rows that end in their steps and texts."""
    # One document a curve: the parser is called once, not a hundred times.
    found = json.loads(f"[{','.join([row[-1] for row in rows])}]")
    return [Measurement(step=row[-2], values=_as_numbers(values)) for row, values in zip(rows, found, strict=True)]


def numbers_of(text: str) -> dict[str, float]:
    """Metric name -> value, of one measurement or of the final ones."""
    return _as_numbers(json.loads(text))


def _as_numbers(values: dict[str, Any]) -> dict[str, float]:
    for name, value in values.items():
        if type(value) is not float:
            values[name] = float(value)
    return values


def finals_of(measurements: Iterable[Measurement]) -> dict[str, float]:
    """The last value of every metric, by step."""
    finals: dict[str, float] = {}
    for measurement in sorted(measurements, key=lambda m: m.step):
        finals |= measurement.values
    return finals


def encoded(values: Mapping[str, Any]) -> str:
    """One line of JSON; raises RecordError for a value that is no number."""
    try:
        numbers = {name: measured_value(name, value) for name, value in values.items()}
    except WorkloadError as error:
        raise RecordError(str(error)) from error
    try:
        return _write(numbers)
    except ValueError:
        return _write({name: x if math.isfinite(x) else str(x) for name, x in numbers.items()})
