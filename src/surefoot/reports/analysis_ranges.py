"""The ranges that were tried as YAML: for every parameter what the trials with a value, and all of them, covered."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from surefoot.analysis.column import Column, columns_of
from surefoot.trials import Trial, TrialTable

# YAML 1.2, 8.2.2: a key without a question mark before it is at most so long.
LONGEST_KEY = 1000
HEAD = """\
# What was tried, not what is good: the range and the choices of every parameter over the trials that have a value,
# and under `started` over all trials that were begun. `n` is in how many of them the parameter existed.
"""


def empirical_ranges(table: TrialTable) -> str:
    """The document; it is valid YAML 1.1 and 1.2 whatever the parameters are called."""
    complete = columns_of(table.space, table.complete)
    started = columns_of(table.space, table.trials)
    parts = [_parameter(c, s, table) for c, s in zip(complete, started, strict=True)]
    return HEAD + ("\n".join(parts) + "\n" if parts else "{}\n")


def _parameter(column: Column, started: Column, table: TrialTable) -> str:
    key = scalar(column.key)
    kind = column.parameter.kind
    fields = {"type": scalar(kind), **_covered(column, table.complete)}
    fields["log"] = scalar(column.is_log)
    fields["condition"] = scalar(column.condition)
    told = [f"  {name}: {text}" for name, text in fields.items()]
    told.append("  started:")
    told += [f"    {name}: {text}" for name, text in _covered(started, table.trials).items()]
    first = f"{key}:" if len(key) <= LONGEST_KEY else f"? {key}\n:"
    return "\n".join([first, *told])


def _covered(column: Column, trials: Sequence[Trial]) -> dict[str, str]:
    rows = [i for i, there in enumerate(column.active) if there]
    values = [trials[i].settings[column.parameter.name] for i in rows]
    low, high = (min(values), max(values)) if column.kind == "number" and values else (None, None)
    is_listed = column.parameter.kind in ("categorical", "bool")
    choices = f"[{', '.join(map(scalar, _seen(column, values)))}]" if is_listed else "null"
    return {"low": scalar(low), "high": scalar(high), "choices": choices, "n": scalar(len(values))}


def _seen(column: Column, values: Sequence[Any]) -> list[Any]:
    """The levels that occurred, in their order."""
    if not column.levels:
        return sorted(set(values))
    codes = sorted({int(code) for code in column.codes[column.active]})
    return [column.levels[code] for code in codes]


def scalar(value: Any) -> str:
    """A value as YAML on one line: texts always quoted, numbers that YAML 1.1 takes for numbers too."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(scalar, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(k)}: {scalar(v)}" for k, v in value.items()) + "}"
    return _text(str(value))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(float(value))
    mantissa, e, exponent = text.partition("e")
    # YAML 1.1 takes "1e-05" for a text: its numbers need a point.
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{e}{exponent}"


def _text(text: str) -> str:
    """The text in double quotes; a character that YAML cannot hold as it is, by its number."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() and c != "\ufeff" else _escaped(c) for c in quoted)


def _escaped(letter: str) -> str:
    place = ord(letter)
    if 0xD800 <= place <= 0xDFFF:  # half a character is none: YAML has no way to hold it
        return "\ufffd"
    return f"\\u{place:04x}" if place <= 0xFFFF else f"\\U{place:08x}"
