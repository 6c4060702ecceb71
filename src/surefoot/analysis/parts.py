"""Parts: the metric over groups of the examples, how large the groups are, and the metric per example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Booleans, Floats
from surefoot.analysis.sameness import exact_line
from surefoot.analysis.view import View

SEPARATORS = "_./- "
# How far a share k/n may lie from its fraction. Up to these sizes a number that is none fits by chance less than
# once in twenty.
TOLERANCE, LARGEST_SIZE = 1e-9, 5_000
SINGLE_TOLERANCE, LARGEST_SINGLE = 6e-8, 900
FEWEST_ROWS = 3
# A mean lies between its parts; a metric that mostly does not is no mean of them.
BETWEEN = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One group's column. `size` is the smallest number of examples that its values allow, None where none does.

    It `is_sure` where it was given, follows from the number of examples, or rests on a value other than 0 and 1.
    """

    name: str
    group: str
    size: int | None
    is_sure: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The metric's parts: `shares` has shape (n, parts), from 0 to 1, NaN in the trials (not in `rows`) without them.

    `scale` is what the metric's unit counts as one: 100 where it is a percentage.
    """

    parts: tuple[Part, ...]
    rows: Booleans
    shares: Floats
    scale: float

    @property
    def unsure(self) -> Booleans:
        """The trials in which a part of unsure size is not 0, so that its size matters; shape (n,)."""
        return np.asarray((self.shares[:, [not part.is_sure for part in self.parts]] > 0).any(axis=1))

    @property
    def is_scaled(self) -> bool:
        """Whether every size is sure; else the value per example is known but for a factor."""
        return all(part.is_sure for part in self.parts)


def parts_of(view: View, *, sizes: Mapping[str, int] | None = None) -> Parts | None:
    """The measured columns that are the metric over groups of the examples; None where there are none.

    Their names extend the metric's, as val_acc_cat does val_acc; they are shares (or percentages) and the metric
    lies between them. `sizes` gives the number of examples of a group, by the column's name or the group's.
    """
    names = _names(view)
    found = np.array([[t.measured.get(name, np.nan) for name in names] for t in view.trials], dtype=float)
    kept = [i for i in range(len(names)) if not _is_the_metric(found[:, i], view.values)] if view.n else []
    if len(kept) < 2:
        return None
    found = found[:, kept]
    rows: Booleans = np.isfinite(found).all(axis=1)
    if rows.sum() < FEWEST_ROWS or found[rows].min() < 0 or found[rows].max() > 100:
        return None
    scale = 100.0 if found[rows].max() > 1 else 1.0
    slack = 1e-6 * scale
    low, high = found[rows].min(axis=1) - slack, found[rows].max(axis=1) + slack
    if np.mean((view.values[rows] >= low) & (view.values[rows] <= high)) < BETWEEN:
        return None
    shares = found / scale
    given = sizes or {}
    named = [list(names.items())[i] for i in kept]
    parts = [_part(name, group, shares[rows, i], given) for i, (name, group) in enumerate(named)]
    return Parts(parts=_completed(parts, view.table.evaluated_on), rows=rows, shares=shares, scale=scale)


def per_example(view: View, *, sizes: Mapping[str, int] | None = None) -> Floats | None:
    """The metric recomputed as a mean over examples; shape (n,), NaN where a trial lacks the parts, None without sizes.

    Where a size is not sure it is right but for a factor, which moves no rank, and but for the `unsure` trials.
    """
    parts = parts_of(view, sizes=sizes)
    return None if parts is None else weighed(parts)


def weighed(parts: Parts) -> Floats | None:
    """The mean over examples of these parts, in the metric's unit; None where too little of the sizes is known."""
    sizes = np.array([part.size or 0 for part in parts.parts], dtype=float)
    if not sizes.all() or parts.unsure.sum() > parts.rows.sum() / 2:
        return None
    # Whole examples: sums of rounded shares would break ties that are none.
    found: Floats = np.rint(parts.shares * sizes).sum(axis=1) / sizes.sum() * parts.scale
    return found


def smallest_size(shares: Floats) -> int | None:
    """The smallest n for which every share is some k/n; None where no moderate n does."""
    is_single = bool((shares == shares.astype(np.float32)).all())
    tolerance, largest = (SINGLE_TOLERANCE, LARGEST_SINGLE) if is_single else (TOLERANCE, LARGEST_SIZE)
    fitting = np.arange(1, largest + 1)
    for share in np.unique(shares):
        counts = share * fitting
        fitting = fitting[np.abs(counts - np.rint(counts)) <= tolerance * fitting]
    return int(fitting[0]) if len(fitting) else None


def _names(view: View) -> dict[str, str]:
    """The columns whose names extend the metric's, in the order they came, with what they add to it."""
    seen = dict.fromkeys(name for trial in view.trials for name in trial.measured)
    beginnings = tuple(view.metric.name + separator for separator in SEPARATORS)
    return {name: name[len(view.metric.name) + 1 :] for name in seen if name.startswith(beginnings)}


def _is_the_metric(column: Floats, values: Floats) -> bool:
    """Whether the column is the metric under another name, as val_acc_error or val_acc_percent."""
    rows = np.isfinite(column)
    return exact_line(values[rows], column[rows]) is not None


def _part(name: str, group: str, shares: Floats, given: Mapping[str, int]) -> Part:
    size = given.get(name, given.get(group))
    if size is not None:
        return Part(name=name, group=group, size=size, is_sure=True)
    size = smallest_size(shares)
    return Part(name=name, group=group, size=size, is_sure=size is not None and size > 1)


def _completed(parts: list[Part], examples: int | None) -> tuple[Part, ...]:
    """The parts, the one whose size is not sure sized by what the others leave of all examples."""
    unsure = [i for i, part in enumerate(parts) if not part.is_sure]
    rest = (examples or 0) - sum(part.size or 0 for part in parts if part.is_sure)
    if len(unsure) == 1 and rest > 0 and parts[unsure[0]].size == 1:
        part = parts[unsure[0]]
        parts[unsure[0]] = Part(name=part.name, group=part.group, size=rest, is_sure=True)
    return tuple(parts)
