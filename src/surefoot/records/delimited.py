"""A delimited text file as columns of text: commas, semicolons or tabs, quotes as spreadsheets write them."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import RecordError, quoted

MOST_TRIALS = 200_000
MOST_COLUMNS = 10_000
DELIMITERS = (",", ";", "\t")
SAMPLE_BYTES = 65_536
SAMPLE_ROWS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Delimited:
    """A header and, under each of its names, that column's cells; `delimiter` is what stood between them.

    `lines` says on which line of the file each row begins, `cut` on which a last row that was left out does, 0 where
    there is none.
    """

    path: str
    header: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    delimiter: str
    lines: tuple[int, ...] = ()
    cut: int = 0

    @property
    def n(self) -> int:
        """How many rows there are under the header."""
        return len(self.columns[0]) if self.columns else 0


def read_delimited(
    path: Path, *, rows: int | None = None, most: int = MOST_TRIALS, of: str = "trials", is_log: bool = False
) -> Delimited:
    """The file's columns, the first `rows` of them or all; blank lines are skipped. It is a table `of` something.

    Raises RecordError for what is no text table, for a row of another length than the header (with its line),
    and as soon as a row more than `most` is seen: the rest of the file is not read. In a log (`is_log`) a last row
    that is too short is what a killed program left, and is left out.
    """
    if rows is not None and not 1 <= rows <= most:
        raise RecordError(f"rows must be a number from 1 to {most:,}; got {rows:,}")
    delimiter = _delimiter(_sample(path, of), prefers_tab=path.suffix.lower() in (".tsv", ".tab"))
    with _opened(path) as file:
        numbered = _numbered(file, delimiter, path)
        _, header = next(numbered, (0, []))
        names = _checked_header(header, path)
        # One cell stands for all that are alike: a table of choices is mostly the same few words, a log never is.
        known: dict[str, str] = {}
        kept: list[list[str]] = []
        lines: list[int] = []
        cut = 0
        for line, row in itertools.islice(numbered, rows):
            if len(row) != len(header):
                if is_log and len(row) < len(header) and next(numbered, None) is None:
                    cut = line
                    break
                raise RecordError(
                    f"{path}:{line}: every row must have as many cells as the header, {len(header)}; this one has "
                    f"{len(row)}. Put cells that hold the delimiter in quotes"
                )
            if len(kept) == most:
                advice = f", or say --rows {most} for the first so many" if of == "trials" else ""
                raise RecordError(
                    f"{path} has more than {most:,} rows, which is the most that are read; take a sample{advice}"
                )
            kept.append(row if is_log else [known.setdefault(cell, cell) for cell in row])
            lines.append(line)
    columns = tuple(zip(*kept, strict=True)) if kept else tuple(() for _ in names)
    table = _without_blank_columns(str(path), names, columns, delimiter)
    return dataclasses.replace(table, lines=tuple(lines), cut=cut)


def _sample(path: Path, of: str) -> str:
    """The beginning of the file as text; raises RecordError where there is none to read."""
    if path.is_dir():
        raise RecordError(f"{path} is a folder; a table of {of} must be a file (CSV or TSV)")
    try:
        with path.open("rb") as file:
            start = file.read(SAMPLE_BYTES)
    except FileNotFoundError as error:
        raise RecordError(f"{path} is not there; a table of {of} must be a file (CSV or TSV)") from error
    except (OSError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise RecordError(f"{path} must be UTF-8 text; it is UTF-16. Save it as UTF-8")
    if b"\0" in start:
        raise RecordError(f"{path} must be a table as text (CSV or TSV); it is a binary file")
    if not start.strip(b"\xef\xbb\xbf \t\r\n"):
        raise RecordError(f"{path} is empty; a table of {of} begins with the names of its columns")
    # The last character of the sample may be cut in two.
    return start.decode("utf-8-sig", errors="ignore")


def _delimiter(sample: str, *, prefers_tab: bool) -> str:
    """The one that cuts the first rows into the most cells, all rows alike."""
    lines = io.StringIO(sample, newline="").readlines()
    whole = lines[:-1] if len(sample) > SAMPLE_BYTES // 2 and len(lines) > 1 else lines
    order = ("\t", ",", ";") if prefers_tab else DELIMITERS

    def score(delimiter: str) -> tuple[bool, int]:
        found = _first_rows(whole, delimiter)
        widths = [len(row) for row in found if row]
        is_even = len(set(widths)) == 1 and widths[0] > 1
        return is_even, widths[0] if widths else 0

    return max(order, key=score)


def _first_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    reader = csv.reader(lines, delimiter=delimiter)
    found: list[list[str]] = []
    with contextlib.suppress(csv.Error):  # reading the file itself says where
        found.extend(itertools.islice(reader, SAMPLE_ROWS))
    return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Iterable[str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RecordError(f"{path} must be UTF-8 text; byte 0x{byte:02x} is not. Save it as UTF-8") from error
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from error


def _numbered(lines: Iterable[str], delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the line it begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begun = 1
    try:
        for row in reader:
            if row:
                yield begun, row
            begun = reader.line_num + 1
    except csv.Error as error:
        raise RecordError(f"{path}:{begun}: this row cannot be read as a table: {error}") from error


def _checked_header(header: Sequence[str], path: Path) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if len(names) > MOST_COLUMNS:
        raise RecordError(f"{path} must have at most {MOST_COLUMNS:,} columns; it has {len(names):,}")
    places: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if name and name in places:
            raise RecordError(
                f"{path}: every column must have a name of its own; {quoted(name)} stands over columns "
                f"{places[name]} and {place}"
            )
        places.setdefault(name, place)
    return names


def _without_blank_columns(
    path: str, names: Sequence[str], columns: Sequence[tuple[str, ...]], delimiter: str
) -> Delimited:
    """The table without columns that have neither a name nor a cell; one without a name is called by its place."""
    kept = [
        (name or f"column {place}", cells)
        for place, (name, cells) in enumerate(zip(names, columns, strict=True), 1)
        if name or any(cell.strip() for cell in cells)
    ]
    return Delimited(
        path=path, header=tuple(n for n, _ in kept), columns=tuple(c for _, c in kept), delimiter=delimiter
    )
