"""Values as JSON can hold them: no NaN, no infinity, words where a seed has no number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from surefoot.comparison import NoValue, Value


def values_json(values: Iterable[Value]) -> list[Any]:
    """The values in order; one that a seed does not have as the word for why."""
    return [v.value if isinstance(v, NoValue) else number_json(v) for v in values]


def number_json(value: float | None) -> float | int | str | None:
    """A finite number as it is; what JSON cannot hold, as the text "NaN", "Infinity" or "-Infinity"."""
    if value is None or isinstance(value, bool | int) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def plain(value: Any) -> Any:
    """The value as JSON can hold it, its containers too."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, NoValue):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    return number_json(value) if isinstance(value, float) else str(value)
