"""Repeats: metric values that come again to the last digit."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from surefoot.analysis.column import Floats
from surefoot.analysis.parts import smallest_size
from surefoot.analysis.view import View
from surefoot.finding import Finding
from surefoot.words import count, listing, number, percent

# A value or an answer that so many trials share is worth a word, and so many a loud one.
REPEATED_SHARE, REPEATED_LOUDLY = 0.1, 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeated:
    """The values that repeat: `distinct` in n trials, the commonest `value` in `n`, the next in `n_next`.

    `resolution` is the n of values that are all k/n, where the values lie near enough to each other to show it.
    """

    distinct: int
    value: float
    n: int
    n_next: int
    resolution: int | None


def repeated_values(view: View) -> Repeated | None:
    """How often the values repeat; None below three trials, or where none does."""
    if view.n < 3:
        return None
    values, counts = np.unique(view.values, return_counts=True)
    if len(values) == view.n:
        return None
    order = np.argsort(-counts, kind="stable")
    n_next = int(counts[order[1]]) if len(order) > 1 else 0
    commonest = float(values[order[0]])
    resolution = _resolution(view, values)
    return Repeated(
        distinct=len(values), value=commonest, n=int(counts[order[0]]), n_next=n_next, resolution=resolution
    )


def _resolution(view: View, values: Floats) -> int | None:
    """The n of values k/n; None where that many places between the lowest and the highest would show nothing."""
    if values[0] < 0 or values[-1] > 100 or len(values) < 3:
        return None
    shares = values / (100 if values[-1] > 1 else 1)
    counts = shares * (view.table.evaluated_on or 0)
    is_told = view.table.evaluated_on and np.abs(counts - np.rint(counts)).max() < 1e-6
    size = view.table.evaluated_on if is_told else smallest_size(shares)
    return size if size and (shares[-1] - shares[0]) * size + 1 <= 2 * view.n else None


def findings_of_repeats(view: View, repeated: Repeated | None) -> tuple[Finding, ...]:
    """Ties, the metric's resolution, and a value that too many trials share; nothing where none repeats."""
    name = view.metric.name
    if repeated is None:
        return ()
    evidence = {field: getattr(repeated, field) for field in Repeated.__slots__} | {"of": view.n}
    if repeated.distinct == 1:
        sentence = (
            f"{name} is {number(repeated.value)} in all {count(view.n, 'trial')}: no parameter can be judged by it."
        )
        return (
            Finding(
                rule="instruments.constant", subject=name, sentence=sentence, severity="critical", evidence=evidence
            ),
        )
    sentence = f"{name} took {count(repeated.distinct, 'different value')} in {count(view.n, 'trial')}"
    if repeated.resolution:
        sentence += f", all multiples of 1/{repeated.resolution}: equal values are ties, and nothing finer can be seen"
    found = [Finding(rule="instruments.ties", subject=name, sentence=f"{sentence}.", evidence=evidence)]
    if repeated.n >= max(3, REPEATED_SHARE * view.n) and repeated.n > 2 * repeated.n_next:
        trivial = [t.name for t in view.table.trivial if math.isclose(t.value, repeated.value, rel_tol=1e-6)]
        like = f", what {listing(trivial)} comes to" if trivial else ""
        share = percent(repeated.n / view.n)
        sentence = f"{share} of the trials have {name} {number(repeated.value)} to the last digit{like}."
        advice = "Look whether they answer with a constant: so does a network that collapsed, or a metric at its floor."
        found.append(
            Finding(
                rule="instruments.repeated",
                subject=name,
                sentence=sentence,
                severity="warning",
                evidence=evidence,
                advice=advice,
            )
        )
    return tuple(found)
