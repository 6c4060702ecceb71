"""Splits: validation and test that disagree by more than sampling."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.diagnosis.certainty import gap_error, pooled
from surefoot.diagnosis.pooling import mean, several, symptom
from surefoot.diagnosis.reading import Reading
from surefoot.diagnosis.symptom import Ground, Symptom
from surefoot.thresholds import Thresholds
from surefoot.words import number


def split_mismatch(readings: Sequence[Reading], ground: Ground, thresholds: Thresholds) -> Symptom | None:
    """A difference of `split_mismatch` points or more between validation and test."""
    pairs = [(r, r.val_score.end, r.test_score.end) for r in readings if r.val_score and r.test_score]
    if not pairs:
        return None
    vals, tests = [val for _, val, _ in pairs], [test for _, _, test in pairs]
    sizes = [(r.evaluated_on, _tested_on(r)) for r, _, _ in pairs]
    errors = [
        gap_error(test, of_test, val, of_val) if r.is_counted and of_test else None
        for (r, val, test), (of_val, of_test) in zip(pairs, sizes, strict=True)
    ]
    signed = mean(vals) - mean(tests)
    if abs(signed) < thresholds.split_mismatch:
        return None
    sign = 1 if signed > 0 else -1
    gap = pooled([sign * (v - t) for v, t in zip(vals, tests, strict=True)], errors)
    sure = gap.confidence()
    is_noise = gap.error is not None and sure < thresholds.confident
    error = f", standard error {number(gap.error, 1)}" if gap.error is not None else ""
    return symptom(
        "split_mismatch",
        pairs[0][0].test_score.name if pairs[0][0].test_score else "",
        f"Validation ends at {number(mean(vals), 1)}, test at {number(mean(tests), 1)}: {number(gap.value, 1)} points "
        f"apart{error}{several([r for r, _, _ in pairs])}{', which could be noise' if is_noise else ''}.",
        "info" if is_noise else "critical",
        {
            "validation": mean(vals),
            "test": mean(tests),
            "difference": signed,
            "standard_error": gap.error,
            "threshold": thresholds.split_mismatch,
            "histories": len(pairs),
        },
        confidence=sure,
        is_noise=is_noise,
        share=len(pairs) / len(readings),
        advice="Look at how the splits were made before any setting: whether they are stratified and of one source.",
    )


def _tested_on(reading: Reading) -> int | None:
    told = reading.history.facts.get("test_examples")
    return int(told) if isinstance(told, int) and not isinstance(told, bool) and told > 0 else None
