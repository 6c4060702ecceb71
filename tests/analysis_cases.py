"""Tables made from a few rows, and the two real records, read with the csv module."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from surefoot.analysis.view import View, view_of
from surefoot.run import Metric
from surefoot.space import Parameter, SearchSpace, boolean, choice, integer, real
from surefoot.trials import Trial, TrialTable

PROJECT = Path(__file__).resolve().parents[1]
Row = Mapping[str, Any]

ARC_NUMBERS = [
    "lr",
    "batch_size",
    "weight_decay",
    "label_smoothing",
    "embed_dim",
    "width_mult",
    "depth",
    "mlp_hidden",
    "temperature",
    "ctx_d_model",
    "ctx_n_head",
    "ctx_pixel_layers",
    "ctx_grid_layers",
    "ctx_dropout",
]
ARC_BOOLEANS = ["use_scheduler", "use_cosine", "use_coords"]
ARC_CHOICES = ["encoder_type", "demo_agg"]
ARC_SETTINGS = [*ARC_CHOICES, *ARC_BOOLEANS, *ARC_NUMBERS]
MICROBEAD_SETTINGS = ["learning_rate", "batch_size", "dropout", "loss_type"]


def table(
    rows: Sequence[Row | Trial],
    value: str = "loss",
    goal: str = "minimize",
    space: SearchSpace | None = None,
    measured: Sequence[str] = (),
    **others: Any,
) -> TrialTable:
    """A table of rows that hold settings, the `value` and what was `measured`; None is what was not there.

    A row without a value is a PRUNED trial; one that is a Trial already stays as it is. Without a `space` one is
    inferred from the rows, with its conditions. `others` are fields of TrialTable.
    """
    trials = tuple(
        row if isinstance(row, Trial) else _trial(str(i), row, value, measured) for i, row in enumerate(rows)
    )
    found = space or inferred([t.settings for t in trials])
    said = {"name": "made", "source": "made.csv", "is_inferred": space is None, **others}
    return TrialTable(metric=Metric(name=value, goal=goal), space=found, trials=trials, **said)


def view(
    rows: Sequence[Row | Trial], value: str = "loss", goal: str = "minimize", seed: int = 0, **others: Any
) -> View:
    """The view of such a table."""
    return view_of(table(rows, value, goal, **others), seed=seed)


def rows_of(value: Sequence[float], name: str = "loss", **settings: Sequence[Any]) -> list[Row]:
    """Rows from columns: `rows_of(losses, lr=…, norm=…)`."""
    columns = {**settings, name: value}
    return [dict(zip(columns, entries, strict=True)) for entries in zip(*columns.values(), strict=True)]


def inferred(settings: Sequence[Row]) -> SearchSpace:
    """A space of the ranges and choices that stand in the rows; a setting not always there is conditional."""
    names = list(dict.fromkeys(name for row in settings for name in row))
    always = [n for n in names if all(n in row for row in settings)]
    parents = [n for n in always if isinstance(settings[0][n], bool | str)]
    return SearchSpace(parameters=tuple(_parameter(n, settings, [] if n in always else parents) for n in names))


def data_root() -> Path:
    """Where the real records lie; skips the test where they do not."""
    root = Path(os.environ.get("SUREFOOT_DATA") or PROJECT.parent / "shared" / "data")
    if not (root / "records").is_dir():
        pytest.skip(f"no records/ under {root}; set SUREFOOT_DATA to a folder that has it")
    return root


def arc_rows(first: int | None = 20) -> list[Row]:
    """Trials of the ARC sweep with every column that has something in it; the document is about the first 20."""
    found = []
    for line in _lines(data_root() / "records" / "arc_sweep_v2.csv")[:first]:
        words = {name: text for name, text in line.items() if text}
        found.append({name: _read(name, text) for name, text in words.items()})
    return found


def arc_table(first: int | None = 20, value: str = "val_acc", goal: str = "maximize") -> TrialTable:
    """The ARC sweep as a table; what is no setting and not the value is measured."""
    rows = arc_rows(first)
    names = list(dict.fromkeys(name for row in rows for name in row))
    measured = [n for n in names if n not in (*ARC_SETTINGS, value, "trial_number")]
    kept = [{n: v for n, v in row.items() if n != "trial_number"} for row in rows]
    return table(kept, value, goal, measured=measured, name="arc_sweep_v2", source="arc_sweep_v2.csv")


def microbead_rows() -> list[Row]:
    """The 15 configs of the microbead search: four settings, best_val_jacard and its other numbers."""
    found = []
    for line in _lines(data_root() / "records" / "microbead_search" / "search_results.csv"):
        numbers = {name: _number(text) for name, text in line.items() if name not in ("loss_type", "checkpoint_path")}
        found.append({**numbers, "loss_type": line["loss_type"]})
    return found


def microbead_table() -> TrialTable:
    """The microbead search as a table; its rows are sorted by value, so their order says nothing."""
    measured = ["best_epoch", "total_epochs", "final_val_jacard"]
    said = {"measured": measured, "is_in_order": False, "name": "microbead_search", "source": "search_results.csv"}
    return table(microbead_rows(), "best_val_jacard", "maximize", **said)


def _trial(name: str, row: Row, value: str, measured: Sequence[str]) -> Trial:
    known = {key: _plain(entry) for key, entry in row.items() if entry is not None}
    settings = {key: entry for key, entry in known.items() if key != value and key not in measured}
    numbers = {key: float(known[key]) for key in measured if key in known}
    if value not in known:
        return Trial(name=name, state="PRUNED", settings=settings, measured=numbers)
    return Trial(name=name, state="COMPLETE", settings=settings, value=float(known[value]), measured=numbers)


def _plain(entry: Any) -> Any:
    return entry.item() if hasattr(entry, "item") else entry


def _parameter(name: str, settings: Sequence[Row], parents: Sequence[str]) -> Parameter:
    values = [row[name] for row in settings if name in row]
    when = _condition(name, settings, parents)
    if all(isinstance(v, bool) for v in values):
        return boolean(name, when=when)
    if any(isinstance(v, bool | str) for v in values):
        return choice(name, *dict.fromkeys(values), when=when)
    if all(isinstance(v, int) for v in values):
        return integer(name, min(values), max(values), when=when)
    return real(name, float(min(values)), float(max(values)), when=when)


def _condition(name: str, settings: Sequence[Row], parents: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Under which values of one other setting this one is there, if that is all it takes."""
    for parent in parents:
        there = {row[parent] for row in settings if name in row}
        if not there & {row[parent] for row in settings if name not in row}:
            return {parent: tuple(sorted(there, key=str))}
    return {}


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _read(name: str, text: str) -> Any:
    if name in ARC_BOOLEANS:
        return text == "True"
    return text if name in ARC_CHOICES else _number(text)


def _number(text: str) -> int | float:
    found = float(text)
    return int(found) if found.is_integer() and "e" not in text and abs(found) < 1e15 and found != 0 else found
