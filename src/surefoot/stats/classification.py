"""What a classifier gets right, class by class: confusion matrix, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surefoot.errors import StatisticsError

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassRates:
    """One class: how many examples it has, and precision, recall and F1 from 0 to 1.

    A rate with nothing to divide by is 0: the precision of a class that was never predicted, the recall of one
    without examples, and the F1 of one that has neither.
    """

    support: int
    precision: float
    recall: float
    f1: float


def confusion(labels: ArrayLike, predicted: ArrayLike, classes: int) -> Integers:
    """How many examples of class i were taken for class j, of shape (classes, classes).

    Both arrays have shape (n,) and hold classes counted from 0. Each row sums to its class's examples, all rows to n.
    Raises StatisticsError for arrays that differ in length, are empty, or name a class that there is not.
    """
    true, guessed = _whole(labels, "labels"), _whole(predicted, "predictions")
    if len(true) != len(guessed):
        raise StatisticsError(f"every example needs a prediction; got {len(true)} labels, {len(guessed)} predictions")
    if len(true) == 0:
        raise StatisticsError("a confusion matrix needs at least one example; got none")
    for what, values in (("label", true), ("prediction", guessed)):
        odd = values[(values < 0) | (values >= classes)]
        if len(odd):
            raise StatisticsError(f"a {what} must be a class from 0 to {classes - 1}; got {odd[0]}")
    return np.bincount(true * classes + guessed, minlength=classes * classes).reshape(classes, classes)


def class_rates(matrix: ArrayLike) -> tuple[ClassRates, ...]:
    """Support, precision, recall and F1 of every class, in the matrix's order."""
    counts = np.asarray(matrix, dtype=np.int64)
    hits, supports, taken = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    return tuple(
        ClassRates(
            support=int(support),
            precision=_share(int(hit), int(guesses)),
            recall=_share(int(hit), int(support)),
            f1=_share(2 * int(hit), int(support + guesses)),
        )
        for hit, support, guesses in zip(hits, supports, taken, strict=True)
    )


def share_right(matrix: ArrayLike) -> float:
    """The share of all examples that were taken for what they are, from 0 to 1."""
    counts = np.asarray(matrix, dtype=np.int64)
    return _share(int(counts.trace()), int(counts.sum()))


def _whole(values: ArrayLike, what: str) -> Integers:
    found = np.asarray(values)
    if found.ndim != 1 or not (found.size == 0 or np.issubdtype(found.dtype, np.integer)):
        raise StatisticsError(f"{what} must be a row of whole numbers; got {found.dtype} of shape {found.shape}")
    return found.astype(np.int64)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
