"""Histories in a table of text: CSV or TSV with a row an epoch or step, as Keras, Lightning or a person writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import quoted
from surefoot.history import History
from surefoot.records.cells import NO_RESULT, cells_of, is_number
from surefoot.records.delimited import Delimited, read_delimited
from surefoot.records.logged import Logged, histories_in
from surefoot.records.spaces import named
from surefoot.words import count

MOST_ROWS = 5_000_000


def read_table(path: Path, name: str) -> tuple[History, ...]:
    """The histories that the table holds. Raises RecordError, in one line, for what is none."""
    table = read_delimited(path, most=MOST_ROWS, of="a history", is_log=True)
    notices = []
    if table.cut:
        notices.append(f"line {table.cut:,}, the last, breaks off and is left out")
    repeated = _repeated_headers(table)
    if repeated:
        notices.append(f"{count(len(repeated), 'row')} that says the header again is left out")
        table = _without(table, repeated)
    columns: dict[str, Sequence[Any]] = {}
    for header, texts in zip(table.header, table.columns, strict=True):
        columns[header], beyond = _values(header, texts, table)
        if beyond:
            notices.append(f"{named([header])} {beyond}")
    logged = Logged(where=str(path), name=name, columns=columns, lines=table.lines, notices=tuple(notices))
    return histories_in(logged)


def _repeated_headers(table: Delimited) -> frozenset[int]:
    """The rows in which a program that was begun again wrote its header once more."""
    first = table.columns[0] if table.columns else ()
    again = [i for i, cell in enumerate(first) if cell.strip() == table.header[0]]
    return frozenset(
        i for i in again if all(c[i].strip() == h for h, c in zip(table.header, table.columns, strict=True))
    )


def _without(table: Delimited, rows: frozenset[int]) -> Delimited:
    kept = [i for i in range(table.n) if i not in rows]
    return Delimited(
        path=table.path,
        header=table.header,
        columns=tuple(tuple(column[i] for i in kept) for column in table.columns),
        delimiter=table.delimiter,
        lines=tuple(table.lines[i] for i in kept),
        cut=table.cut,
    )


def _values(header: str, texts: Sequence[str], table: Delimited) -> tuple[Sequence[Any], str]:
    """What the cells say, None where that is nothing; and that a number was beyond a float, where one was."""
    found: Sequence[Any] | None = _plain_numbers(texts)
    if found is None:
        said = cells_of(header, texts, delimiter=table.delimiter).values
        found = [None if isinstance(v, str) and v.lower() in NO_RESULT else v for v in said]
    if math.inf not in found and -math.inf not in found:
        return found, ""
    infinite = [i for i, v in enumerate(found) if is_number(v) and math.isinf(v)]
    beyond = [i for i in infinite if any(c.isdigit() for c in texts[i])]
    if not beyond:
        return found, ""
    where = f"line {table.lines[beyond[0]]:,}, {quoted(texts[beyond[0]].strip())}"
    return found, f"is beyond what a float holds in {count(len(beyond), 'row')} and taken as infinite, first in {where}"


def _plain_numbers(texts: Sequence[str]) -> Sequence[float | None] | None:
    """The cells as floats where all of them are numbers as anybody writes them, or empty: what most columns are."""
    joined = "".join(texts)
    # float() takes 1_000 and digits of every script, which no table means.
    if "_" in joined or not joined.isascii():
        return None
    try:
        return [float(text) if text else None for text in texts] if "" in texts else list(map(float, texts))
    except ValueError:
        return None
