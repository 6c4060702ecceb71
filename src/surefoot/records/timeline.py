"""A timeline: the rows of one training in the order of its log, made curves whose steps rise."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surefoot.trials import Curve
from surefoot.words import count, listing, number

Values = Mapping[str, Sequence[float | None]]
# Steps that jump back more often than so many rows, and more often than thrice, are in no order at all.
ROWS_A_RESTART = 10
FEWEST_RESTARTS = 3
MOST_NAMED = 4
# Where at least this share of the distances between steps is the same, a longer one is a gap.
USUAL_SHARE = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Timeline:
    """The curves by metric, and how the rows were read, in sentences."""

    curves: Mapping[str, Curve]
    notices: tuple[str, ...] = ()


def timeline(steps: Sequence[float | None], values: Values, *, unit: str) -> Timeline:
    """The curves of one training. Rows without a step are left out, each metric has the steps it was measured at.

    Steps that jump back to the beginning are a later attempt: the last one is kept. Steps that jump back elsewhere
    are a training that was resumed: what was logged before, from the step on that it was resumed at, is superseded.
    Steps that fall throughout were written last first. Of values at one step the last counts. All of it is noticed.
    """
    known = [i for i, step in enumerate(steps) if step is not None]
    at = [step for step in steps if step is not None]
    rises = all(a < b for a, b in itertools.pairwise(at))
    notices: list[str] = []
    if rises:
        rows = known
    else:
        order, notices = _order(at, values, unit, known)
        rows = [known[i] for i in order]
        at = [at[i] for i in order]
    curves, repeated = _curves(at, rows, values)
    if repeated:
        notices.append(f"{count(repeated, 'value')} logged again at the same {unit}: of those the last counts")
    gap = _gaps(sorted(set(at)), unit)
    return Timeline(curves=curves, notices=(*notices, *gap))


def _curves(at: Sequence[float], rows: Sequence[int], values: Values) -> tuple[dict[str, Curve], int]:
    """The curves of rows in their order, and how many values were overwritten by a later one at their step."""
    whole = tuple(at)
    curves: dict[str, Curve] = {}
    repeated = 0
    rises = all(a < b for a, b in itertools.pairwise(whole))
    for metric, column in values.items():
        found = [column[i] for i in rows]
        if rises and found and None not in found:
            curves[metric] = Curve(steps=whole, values=tuple(v for v in found if v is not None))
            continue
        points = [(step, v) for step, v in zip(whole, found, strict=True) if v is not None]
        if not points:
            continue
        last = dict(points)
        repeated += len(points) - len(last)
        ordered = sorted(last)
        curves[metric] = Curve(steps=tuple(ordered), values=tuple(last[step] for step in ordered))
    return curves, repeated


def _order(at: Sequence[float], values: Values, unit: str, known: Sequence[int]) -> tuple[list[int], list[str]]:
    """The rows that count, in the order in which they should be read, where their steps do not rise throughout."""
    n = len(at)
    falls = [i for i in range(1, n) if at[i] < at[i - 1]]
    if not falls:  # only steps that repeat
        return list(range(n)), []
    if len(falls) >= 2 and all(b <= a for a, b in itertools.pairwise(at)):
        return list(range(n))[::-1], [f"the rows were written last {unit} first"]
    if len(set(at)) == n and len(falls) > max(FEWEST_RESTARTS, n / ROWS_A_RESTART):
        return sorted(range(n), key=at.__getitem__), [f"the rows are in no order, so they were sorted by {unit}"]
    return _superseded(at, falls, values, unit, known)


def _superseded(
    at: Sequence[float], falls: Sequence[int], values: Values, unit: str, known: Sequence[int]
) -> tuple[list[int], list[str]]:
    """The rows that no later attempt overtook; a block of other metrics overtakes nothing."""
    notices: list[str] = []
    kept: list[int] = []
    measured: set[str] = set()
    restarts, left = 0, 0
    for start, end in itertools.pairwise((0, *falls, len(at))):
        block = range(start, end)
        names = {m for m, column in values.items() if any(column[known[i]] is not None for i in block)}
        is_other = not names & measured
        measured |= names
        if not kept or is_other:
            kept.extend(block)
            continue
        first = min(at[i] for i in kept)
        if at[start] <= first:
            restarts, left = restarts + 1, left + len(kept)
            kept, measured = list(block), set(names)
            continue
        before = len(kept)
        kept = [i for i in kept if at[i] < at[start]]
        overtaken = before - len(kept)
        notices.append(
            f"the training was resumed at {unit} {number(at[start])}: {count(overtaken, 'row')} that had been logged "
            f"from there on {'is' if overtaken == 1 else 'are'} superseded"
        )
        kept.extend(block)
    if restarts:
        said = (
            f"the training was begun again {_times(restarts)}: the last attempt is kept, "
            f"{count(left, 'row')} of earlier ones left out"
        )
        notices = [said, *notices]
    return kept, notices


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n:,} times")


def _gaps(at: Sequence[float], unit: str) -> list[str]:
    """That steps are missing, where most are equally far apart and some whole multiples of it."""
    apart = [b - a for a, b in itertools.pairwise(at)]
    if len(apart) < FEWEST_RESTARTS:
        return []
    usual, times = Counter(apart).most_common(1)[0]
    if times < USUAL_SHARE * len(apart) or not math.isfinite(usual):
        return []
    wide = [(a, d) for a, d in zip(at, apart, strict=False) if d > usual and math.isclose(d / usual, round(d / usual))]
    if not wide:
        return []
    shown = listing([f"{number(a)} and {number(a + d)}" for a, d in wide[:MOST_NAMED]])
    more = f" and {count(len(wide) - MOST_NAMED, 'more place')}" if len(wide) > MOST_NAMED else ""
    return [f"nothing was logged between {unit} {shown}{more}"]
