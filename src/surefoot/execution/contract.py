"""What a training may yield and return; each breach is named."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from surefoot.errors import WorkloadError
from surefoot.run import Measurement, measured_value
from surefoot.workload import Workload


class Contract:
    """Guards what one training says: values as floats, steps that rise, every metric measured by the end."""

    def __init__(self, workload: Workload):
        self.last_step: int | None = None
        self._name = workload.name
        self._missing = {metric.name for metric in workload.metrics}

    def measurement(self, yielded: Any) -> Measurement:
        """The measurement, its values as floats; raises WorkloadError where it breaks the contract."""
        measurement = _measurement(yielded)
        if self.last_step is not None and measurement.step <= self.last_step:
            raise WorkloadError(
                f"train must yield rising steps; step {measurement.step} came after step {self.last_step}"
            )
        self.last_step = measurement.step
        self._missing -= measurement.values.keys()
        return measurement

    def facts(self, returned: Any) -> dict[str, Any]:
        """What the training returned, as JSON values; raises WorkloadError where a metric was never measured."""
        if self._missing:
            raise WorkloadError(
                f"train must measure every metric of {self._name}; it ended without {', '.join(sorted(self._missing))}"
            )
        return plain_facts(returned if returned is not None else {})


def check_generator(training: Any) -> None:
    """Raises WorkloadError where `train` returned something that cannot be iterated step by step."""
    if not hasattr(training, "__next__"):
        raise WorkloadError(f"train must be a generator of Measurements; it returned {_kind(training)}")


def non_finite(values: Mapping[str, float]) -> str:
    """'val_loss is nan' for the first value that is no finite number; the empty string where all are."""
    for name, value in values.items():
        if not math.isfinite(value):
            return f"{name} is {value}"
    return ""


def plain_values(values: Any) -> dict[str, float]:
    """The values as floats; raises WorkloadError where they are no mapping of numbers."""
    if not isinstance(values, Mapping):
        raise WorkloadError(f"measured values must be a mapping of metric to number; got {_kind(values)}")
    return {plain_text(str(name)): measured_value(plain_text(str(name)), value) for name, value in values.items()}


def plain_facts(facts: Any) -> dict[str, Any]:
    """The facts as JSON values; NaN and the infinities become the words, since JSON has no number for them.

    Raises WorkloadError for facts that are no mapping, or hold what JSON cannot.
    """
    if not isinstance(facts, Mapping):
        raise WorkloadError(f"train must return its facts as a mapping; got {_kind(facts)}")
    plain = {plain_text(str(name)): _plain(value, str(name)) for name, value in facts.items()}
    json.dumps(plain, allow_nan=False)
    return plain


def plain_text(text: str) -> str:
    """The text with what no record can hold, lone surrogates and NUL, spelled out as \\udcff and \\x00."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _measurement(yielded: Any) -> Measurement:
    if not isinstance(yielded, Measurement):
        raise WorkloadError(f"train must yield Measurements; got {_kind(yielded)}")
    step = yielded.step.item() if hasattr(yielded.step, "item") else yielded.step
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < 2**63:
        raise WorkloadError(f"a measurement's step must be a whole number from 0; got {yielded.step!r:.60}")
    if not yielded.values:
        raise WorkloadError(f"a measurement must hold a value; the one at step {step} is empty")
    return Measurement(step=step, values=plain_values(yielded.values))


def _plain(value: Any, name: str) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)  # an enumeration's member would travel as its class, which the pool may not have
    if isinstance(value, str):
        return plain_text(str.__str__(value))
    if isinstance(value, Mapping):
        return {plain_text(str(key)): _plain(inner, f"{name}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, name) for inner in value]
    raise WorkloadError(f"a fact must be text, a number, true or false, or a list of these; {name} is {_kind(value)}")


def _kind(value: Any) -> str:
    """'a list', 'an object'."""
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeio' else 'a'} {name}"
