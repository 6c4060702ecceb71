"""Tables of trials written in a few words, and the real ones."""

import csv
import io
import os
from pathlib import Path

import pytest

from surefoot.records.table import read_trials

ROOT = Path(__file__).resolve().parents[2]
RECORDS = Path(os.environ.get("SUREFOOT_DATA", ROOT.parent / "shared" / "data")) / "records"
needs_records = pytest.mark.skipif(
    not RECORDS.is_dir(), reason="the real records are not here; set SUREFOOT_DATA to the data root that holds records/"
)


class Desk:
    """A folder in which tables are written and read."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, text, name="trials.csv"):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def rows(self, rows, *, name="trials.csv", delimiter=","):
        """A table of dictionaries, one a row, None as an empty cell."""
        names = list(dict.fromkeys(key for row in rows for key in row))
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow(["" if row.get(key) is None else row[key] for key in names])
        return self.write(out.getvalue(), name)

    def read(self, source, *, value="loss", goal="minimize", **said):
        """The table of a text, of rows, or of a file that is there."""
        if isinstance(source, list):
            source = self.rows(source)
        elif not isinstance(source, Path):
            source = self.write(source)
        return read_trials(source, value=value, goal=goal, **said)


def shape(table):
    """Parameter -> its kind in a few words, and when it exists."""
    found = {}
    for p in table.space.parameters:
        what = list(p.choices) if p.kind == "categorical" else p.kind + (" log" if p.log else "")
        found[p.name] = (what, p.condition)
    return found
