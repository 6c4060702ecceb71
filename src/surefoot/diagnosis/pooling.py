"""Pooling: what several histories of one config show together, as one symptom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.diagnosis.certainty import CERTAIN
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.symptom import Degree, Symptom
from surefoot.finding import Severity, finding_of
from surefoot.words import count


def symptom(
    rule: str,
    subject: str,
    sentence: str,
    severity: Severity,
    evidence: Mapping[str, Any],
    *,
    confidence: float,
    degree: Degree = "",
    is_noise: bool = False,
    share: float = 1.0,
    advice: str = "",
) -> Symptom:
    """The symptom with its finding; nothing is surer than 0.999."""
    return Symptom(
        rule=rule,
        degree=degree,
        finding=finding_of("diagnosis", rule, subject, sentence, severity, _plain(evidence), advice),
        confidence=min(max(confidence, 0.0), CERTAIN),
        is_noise=is_noise,
        share=share,
    )


def _plain(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence as JSON takes it: a number that is not finite is not known."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in evidence.items()
    }


def mean(values: Sequence[float]) -> float:
    """The mean of what several histories show."""
    return sum(values) / len(values)


def of_histories(shown: int, readings: Sequence[Reading]) -> str:
    """ " in 2 of 3 histories", or nothing for a single one."""
    return (
        f" in {shown} of {count(len(readings), 'history').replace('historys', 'histories')}"
        if len(readings) > 1
        else ""
    )


def several(readings: Sequence[Reading]) -> str:
    """ ", mean of 3 histories", or nothing for a single one."""
    return f", mean of {len(readings)} histories" if len(readings) > 1 else ""
