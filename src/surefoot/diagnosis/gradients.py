"""Gradients: norms so large that steps destroy, or so small that none is taken."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from surefoot.diagnosis.certainty import CERTAIN
from surefoot.diagnosis.pooling import mean, of_histories, symptom
from surefoot.diagnosis.progress import covered_loss
from surefoot.diagnosis.reading import LARGEST, Reading
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number, percent

# Under this share of the way from chance to nothing, the loss counts as high.
HIGH_LOSS = 0.5


def exploding_gradients(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A gradient norm above the threshold, before clipping."""
    largest = [(r, _largest(r)) for r in readings]
    found = [(r, norm) for r, norm in largest if norm is not None and norm > thresholds.exploding_norm]
    if 2 * len(found) < len(readings) or not found:
        return None
    norms = [norm for _, norm in found]
    often = mean([_share_above(r, thresholds.exploding_norm) for r, _ in found])
    return symptom(
        "exploding_gradients",
        "gradient_norm",
        f"The gradient's norm reached {number(max(norms))}, over the {number(thresholds.exploding_norm)} at which it "
        f"counts as exploding{of_histories(len(found), readings)}; {percent(often)} of its measurements were over.",
        "critical",
        {
            "largest": max(norms),
            "threshold": thresholds.exploding_norm,
            "share_above": often,
            "from_start": _from_start([r for r, _ in found], thresholds),
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=CERTAIN,
        share=len(found) / len(readings),
    )


def vanishing_gradients(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A gradient norm under the threshold over the later half while the loss is high."""
    found = []
    for reading in readings:
        if reading.gradient is None:
            continue
        norm = median(reading.gradient.later.tolist())
        way = covered_loss(reading)
        if norm < thresholds.vanishing_norm and way is not None and way < HIGH_LOSS:
            found.append((norm, way))
    if 2 * len(found) < len(readings) or not found:
        return None
    norm, way = (mean([pair[i] for pair in found]) for i in (0, 1))
    return symptom(
        "vanishing_gradients",
        "gradient_norm",
        f"The gradient's norm is {number(norm)} over the later half, under {number(thresholds.vanishing_norm)}, while "
        f"the loss has covered {percent(way)} of the way from chance{of_histories(len(found), readings)}.",
        "critical",
        {
            "norm": norm,
            "threshold": thresholds.vanishing_norm,
            "covered": way,
            "histories": len(readings),
            "shown": len(found),
        },
        confidence=CERTAIN,
        share=len(found) / len(readings),
    )


def _largest(reading: Reading) -> float | None:
    told = reading.history.facts.get("largest_gradient_norm")
    is_number = isinstance(told, int | float) and not isinstance(told, bool) and told == told
    known = [min(float(told), LARGEST)] if told is not None and is_number else []
    if reading.gradient is not None:
        known.append(float(reading.gradient.values.max()))
    return max(known, default=None)


def _from_start(readings: Sequence[Reading], thresholds: Thresholds) -> bool:
    """Whether the first norms measured were over already, before any step could have been too large."""
    first = [float(r.gradient.values[0]) for r in readings if r.gradient is not None]
    return bool(first) and mean(first) > thresholds.exploding_norm


def _share_above(reading: Reading, threshold: float) -> float:
    return 0.0 if reading.gradient is None else float((reading.gradient.values > threshold).mean())
