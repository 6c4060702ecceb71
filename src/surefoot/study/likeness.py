"""Likeness: how far a run that was trained again is the recorded one, measurement by measurement."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from surefoot.run import Measurement

# Facts that tell how long a run took, or of texts that do: they differ each time and say nothing of what was trained.
TIMING_FACTS = (
    "seconds_per_step",
    "images_per_second",
    "utilisation",
    "output_bytes",  # of a script, which may print how long it took
    "output_bytes_left_out",
)
# Facts that tell where and how often a run was begun: these stand among the differences of the place.
PLACE_FACTS = ("device", "threads", "resumed_from")


class Sameness(StrEnum):
    """What a reproduction comes to."""

    EXACT = "EXACT"
    WITHIN_TOLERANCE = "WITHIN_TOLERANCE"
    DIFFERENT = "DIFFERENT"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricLikeness:
    """One metric over all steps: how many of its values were compared, how many are not equal bit for bit.

    The largest difference (absolute; infinite where only one of the two is a number) is that at `at_step`, of
    `recorded` and `again`; `outside_at` is the first step at which the difference is larger than the tolerance.
    """

    name: str
    compared: int
    unequal: int
    largest: float
    at_step: int
    recorded: float
    again: float
    outside_at: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FactLikeness:
    """A fact that is not the same in both; None stands where a run did not tell it, as the facts themselves may."""

    name: str
    recorded: Any
    again: Any
    is_within: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Likeness:
    """A recorded run beside the one that was trained again.

    `first` is what differs first, as "at step 75: val_loss 0.5 then, 0.6 now"; empty where all measurements are within
    the tolerance. `checkpoints` maps a checkpoint's name to whether its file is the same byte for byte. `told_by_one`
    names the metrics and facts that only one of the two told, where that is no difference: the code is another.
    """

    metrics: tuple[MetricLikeness, ...]
    first: str
    facts: tuple[FactLikeness, ...]
    checkpoints: Mapping[str, bool]
    told_by_one: tuple[str, ...] = ()

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(metric.compared for metric in self.metrics)

    @property
    def largest(self) -> MetricLikeness | None:
        """The metric with the largest difference relative to its values; None where all are equal bit for bit."""
        differing = [metric for metric in self.metrics if metric.unequal]
        return max(differing, key=lambda m: m.largest / (1 + abs(_finite(m.recorded))), default=None)

    @property
    def is_exact(self) -> bool:
        """Whether every value is equal bit for bit, every fact equal, every checkpoint's file the same."""
        is_measured_alike = not self.first and not any(metric.unequal for metric in self.metrics)
        return is_measured_alike and not self.facts and all(self.checkpoints.values()) and not self.told_by_one

    @property
    def is_within(self) -> bool:
        """Whether every value and every fact is within the tolerance; checkpoints' files are not asked."""
        return not self.first and all(fact.is_within for fact in self.facts)


def likeness(
    recorded: Sequence[Measurement],
    again: Sequence[Measurement],
    *,
    facts: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    checkpoints: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {}),
    tolerance: float,
    is_other_code: bool = False,
) -> Likeness:
    """The recorded measurements, facts and checkpoints (SHA-256 by name) beside those of the run trained again.

    Two numbers are within the tolerance t where |again − recorded| ≤ t + t·|recorded|; with t = 0 they must be equal
    bit for bit. With `is_other_code`, a metric or fact that only one of them tells is no difference.
    """
    names = {name: None for m in recorded for name in m.values}, {name: None for m in again for name in m.values}
    shared = [name for name in names[0] if name in names[1]]
    alone = [name for name in (*names[0], *names[1]) if name not in shared] if is_other_code else []
    one_sided = [name for name in (*facts[0], *facts[1]) if (name in facts[0]) != (name in facts[1])]
    ignored = {*TIMING_FACTS, *PLACE_FACTS, *(one_sided if is_other_code else ())}
    told = dict.fromkeys((*alone, *one_sided)) if is_other_code else {}
    return Likeness(
        metrics=tuple(_metric(name, recorded, again, tolerance) for name in shared),
        first=next(_differences(recorded, again, tolerance, set(alone)), ""),
        facts=tuple(_fact_differences(*facts, tolerance, ignored)),
        checkpoints={name: checkpoints[0][name] == checkpoints[1].get(name) for name in checkpoints[0]},
        told_by_one=tuple(name for name in told if name not in (*TIMING_FACTS, *PLACE_FACTS)),
    )


def is_within(recorded: float, again: float, tolerance: float) -> bool:
    """Whether two numbers are equal bit for bit, or finite and no further apart than the tolerance lets them be."""
    if recorded.hex() == again.hex():
        return True
    apart = abs(again - recorded)
    return tolerance > 0 and math.isfinite(apart) and apart <= tolerance * (1 + abs(recorded))


def _metric(
    name: str, recorded: Sequence[Measurement], again: Sequence[Measurement], tolerance: float
) -> MetricLikeness:
    now = {m.step: m.values[name] for m in again if name in m.values}
    pairs = [(m.step, m.values[name], now[m.step]) for m in recorded if name in m.values and m.step in now]
    unequal = [pair for pair in pairs if pair[1].hex() != pair[2].hex()]
    apart = [_apart(old, new) for _, old, new in unequal]
    step, old, new = unequal[apart.index(max(apart))] if unequal else pairs[-1] if pairs else (0, 0.0, 0.0)
    return MetricLikeness(
        name=name,
        compared=len(pairs),
        unequal=len(unequal),
        largest=max(apart, default=0.0),
        at_step=step,
        recorded=old,
        again=new,
        outside_at=next((at for at, before, after in pairs if not is_within(before, after, tolerance)), None),
    )


def _differences(
    recorded: Sequence[Measurement], again: Sequence[Measurement], tolerance: float, ignored: set[str]
) -> Iterator[str]:
    """What differs, step by step."""
    before, after = ({m.step: m.values for m in measured} for measured in (recorded, again))
    for step in sorted({*before, *after}):
        if step not in after:
            yield f"at step {step}: it was measured then, and not now"
        elif step not in before:
            yield f"at step {step}: it is measured now, and was not then"
        else:
            yield from _differences_at(step, before[step], after[step], tolerance, ignored)


def _differences_at(
    step: int, before: Mapping[str, float], after: Mapping[str, float], tolerance: float, ignored: set[str]
) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        if name in ignored:
            continue
        if name not in after or name not in before:
            yield f"at step {step}: {name} was measured {'then, and not now' if name in before else 'only now'}"
        elif not is_within(before[name], after[name], tolerance):
            old, new = told_apart(before[name], after[name])
            yield f"at step {step}: {name} {old} then, {new} now"


def _fact_differences(
    before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float, ignored: set[str]
) -> Iterator[FactLikeness]:
    for name in dict.fromkeys((*before, *after)):
        if name in ignored:
            continue
        old, new = before.get(name), after.get(name)
        if name in before and name in after and old == new:
            continue
        is_near = isinstance(old, float) and isinstance(new, float) and is_within(old, new, tolerance)
        yield FactLikeness(name=name, recorded=old, again=new, is_within=is_near)


def told_apart(first: float, second: float) -> tuple[str, str]:
    """Two unequal numbers with as many digits as tell them apart, four at least."""
    for digits in range(4, 17):
        a, b = f"{first:.{digits}g}", f"{second:.{digits}g}"
        if a != b:
            return a.replace("-", "−"), b.replace("-", "−")
    return repr(first).replace("-", "−"), repr(second).replace("-", "−")


def _apart(old: float, new: float) -> float:
    apart = abs(new - old)
    return apart if math.isfinite(apart) else math.inf


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
