"""What the sealed test split must show before a study is final: agreement, target, confusion, every class."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from surefoot.phases.dossier import Dossier
from surefoot.phases.final import ClassScore, Final
from surefoot.phases.gate import Check
from surefoot.phases.optimise_gate import decision_of, is_reached
from surefoot.phases.question import Question, few
from surefoot.phases.trained import AGAIN, NO_TRAINING, asks_for_final, mean_in_words
from surefoot.run import Metric
from surefoot.stats.comparisons import mean_estimate
from surefoot.words import clause, count, number, unit_of

UNMEASURED = "The workload has no `evaluate`, so that nothing can be measured on the test split."
STILL_SEALED = f"Nothing was measured on the test split: {AGAIN}, then opens it."
# Scores on record are doubles; what is recomputed from whole numbers may differ by rounding alone.
ROUNDING = 1e-6


def splits_agree(dossier: Dossier) -> Check:
    """Whether validation and test agree, in points."""
    ask = Question(predicate="splits_agree", text="Validation and test agree.")
    limits = dossier.plan.thresholds
    found = _measured_twice(dossier)
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if "evaluate" not in dossier.measures:
        return ask.not_applicable(UNMEASURED)
    if found is None:
        return ask.blocked(STILL_SEALED)
    metric, validation, test = found
    difference = abs(validation - test)
    # Points are read to two places; of another unit nothing is known.
    decimals = 2 if metric.unit == "%" else None
    values = [number(value, decimals) for value in (validation, test, difference)]
    told = f"{metric.name}: {values[0]} on validation, {values[1]} on test, {values[2]} apart"
    if metric.unit != "%":
        return ask.not_applicable(
            f"The thresholds are in points, and no metric of the plan is in %. {told}, for a reader to judge."
        )
    if difference >= limits.split_mismatch:
        return ask.blocked(
            f"{told}: from {number(limits.split_mismatch)} points on the splits are not alike; look how they were made "
            "and plan again.",
            "opening",
        )
    if difference >= limits.split_excellent:
        return ask.noted(f"{told}: acceptable, under {number(limits.split_mismatch)} points.", "opening")
    return ask.satisfied(f"{told}: excellent, under {number(limits.split_excellent)} points.", "opening")


def _measured_twice(dossier: Dossier) -> tuple[Metric, float, float] | None:
    """The metric to judge the splits by, in % where there is one, and its means on both; None where it has none."""
    final, primary = dossier.final, dossier.plan.primary
    if final is None:
        return None
    known = [m for m in dossier.plan.metrics if final.validation.get(m.name) and final.test.get(m.name)]
    if not known:
        return None
    metric = min(known, key=lambda m: (m.unit != "%", m.name != primary))
    return metric, statistics.fmean(final.validation[metric.name]), statistics.fmean(final.test[metric.name])


def target_met(dossier: Dossier) -> Check:
    """Whether the target is met on the test split.

    The document blocks whatever is below. A ceiling accepted by rule must be able to end, and a mean whose
    interval holds the target has not been shown to miss it: both pass, and are told.
    """
    ask = Question(predicate="target_met", text="The target is met on the test split, or the ceiling was accepted.")
    metric = dossier.plan.metric(dossier.plan.primary)
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if metric.target is None:
        return ask.not_applicable(f"{metric.name} has no target.")
    if "evaluate" not in dossier.measures:
        return ask.not_applicable(UNMEASURED)
    values = dossier.final.test.get(metric.name, ()) if dossier.final else ()
    if not values:
        return ask.blocked(STILL_SEALED)
    mean = statistics.fmean(values)
    target = f"{number(metric.target)}{unit_of(metric)}"
    told = f"{metric.name} {mean_in_words(values, metric)} on test, target {target}"
    if is_reached(mean, metric.target, metric.sign):
        return ask.satisfied(f"{told}.", "opening")
    short = f"{told}: {number(abs(metric.target - mean))}{metric.difference_unit} short"
    ceiling = _ceiling(dossier)
    if ceiling:
        return ask.noted(f"{short}. The ceiling was accepted: {clause(ceiling)}.", "opening")
    if _may_reach(values, metric):
        return ask.noted(f"{short}, which the noise of {count(len(values), 'seed')} allows for.", "opening")
    return ask.blocked(
        f"{short}. Optimise further with fresh test data, lower the target, or override with the reason.", "opening"
    )


def _ceiling(dossier: Dossier) -> str:
    """Why the ceiling was accepted, after rounds or because none was worth it; empty where it was not.

    A decision to finalise without a round accepts it where the baseline was diagnosed, which it is only below its
    target. Where the plan asks for no rounds nothing was weighed.
    """
    last, optimise = decision_of(dossier), dossier.plan.optimise
    if last is None or optimise is None or optimise.strategy == "none":
        return ""
    is_skipped = last.turn == "finalise" and not dossier.rounds and dossier.diagnosis is not None
    return last.because if last.turn == "ceiling" or is_skipped else ""


def _may_reach(values: Sequence[float], metric: Metric) -> bool:
    if len(values) < 2:
        return False
    low, high = mean_estimate(values).interval()
    return is_reached(high if metric.sign > 0 else low, metric.target, metric.sign)


def confusion_agrees(dossier: Dossier) -> Check:
    """Whether confusion matrix, support, per-class scores and accuracy are of the same predictions."""
    ask = Question(
        predicate="confusion_agrees", text="The confusion matrix agrees with support, per-class scores and accuracy."
    )
    final = dossier.final
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if final is None:
        return ask.blocked(STILL_SEALED)
    if not (final.classes or final.per_class or final.confusion):
        if final.test and "predict" in dossier.measures:
            return ask.blocked("The test split was measured, but not predicted: `surefoot run PLAN` predicts it again.")
        return ask.not_applicable("The workload tells no classes apart.")
    sides = {len(final.classes), len(final.per_class), len(final.confusion), *(len(row) for row in final.confusion)}
    if len(sides) > 1:
        return ask.blocked(
            f"{count(len(final.classes), 'name')}, {count(len(final.per_class), 'score')} and a matrix of "
            f"{count(len(final.confusion), 'row')} are not of the same classes: {AGAIN}.",
            "opening",
        )
    wrong = [said for i, score in enumerate(final.per_class) if (said := _disagreement(final.confusion, i, score))]
    if wrong:
        return ask.blocked(f"{few(wrong, '; ')}: {AGAIN}.", "opening")
    n, right = sum(map(sum, final.confusion)), sum(row[i] for i, row in enumerate(final.confusion))
    if n == 0:
        return ask.blocked(f"The matrix counts no example: {AGAIN}.", "opening")
    told = f"{count(n, 'test example')}, {right:,} right, accuracy {number(100 * right / n)} %"
    measured = _accuracy(final, dossier.plan.metrics)
    if measured is None:
        return ask.noted(f"{told}; no accuracy in % was measured apart from it.", "opening")
    apart = abs(measured - 100 * right / n)
    # Other batch sizes round otherwise, and may turn a prediction that was a near tie.
    if apart > 100 * (1 - dossier.plan.thresholds.export_agreement) + ROUNDING:
        return ask.blocked(f"{told}, and {number(measured)} % was measured: {AGAIN}.", "opening")
    if apart > ROUNDING:
        return ask.noted(f"{told}; {number(measured)} % was measured, {number(apart)} points apart.", "opening")
    return ask.satisfied(f"{told}, as measured.", "opening")


def _disagreement(confusion: Sequence[Sequence[int]], i: int, score: ClassScore) -> str:
    """What of a class' scores is not what its row and column come to; empty where all is."""
    row, column, right = sum(confusion[i]), sum(r[i] for r in confusion), confusion[i][i]
    if row != score.support:
        return f"{score.name} has {count(row, 'example')} in the matrix and {score.support:,} beside it"
    expected = {"precision": _ratio(right, column), "recall": _ratio(right, row), "F1": _ratio(2 * right, row + column)}
    said = {"precision": score.precision, "recall": score.recall, "F1": score.f1}
    off = [name for name in expected if not math.isclose(said[name], expected[name], abs_tol=ROUNDING)]
    return (
        f"{off[0]} of {score.name} is {number(said[off[0]])}, the matrix says {number(expected[off[0]])}" if off else ""
    )


def _ratio(part: int, whole: int) -> float:
    """The share; 0 of nothing, as the field has it for a class that is never predicted, or never there."""
    return part / whole if whole else 0.0


def _accuracy(final: Final, metrics: Sequence[Metric]) -> float | None:
    """The bundled model's accuracy on the test split in percent, as the evaluation measured it; None where unknown."""
    name = next((m.name for m in metrics if m.unit == "%" and "accuracy" in m.name and final.test.get(m.name)), "")
    seeds = [run.seed for run in final.runs]
    values: Mapping[int | None, float] = dict(zip(seeds, final.test.get(name, ()), strict=False))
    return values.get(final.bundled_seed)


def classes_served(dossier: Dossier) -> Check:
    """Whether the model serves every class."""
    ask = Question(
        predicate="classes_served", text="Every class is told apart well enough, by its F1 on the test split."
    )
    limits, final = dossier.plan.thresholds, dossier.final
    if not asks_for_final(dossier):
        return ask.not_applicable(NO_TRAINING)
    if final is None:
        return ask.blocked(STILL_SEALED)
    if not final.per_class:
        return ask.not_applicable("The workload tells no classes apart.")
    there = [score for score in final.per_class if score.support]
    if not there:
        return ask.blocked(f"No class has a test example: {AGAIN}.", "opening")
    worst = min(there, key=lambda score: score.f1)
    low = [f"{s.name} {number(s.f1, 3)}" for s in sorted(there, key=lambda s: s.f1) if s.f1 < limits.class_f1]
    if low:
        return ask.blocked(f"F1 under {number(limits.class_f1)}: {few(low)}.", "opening")
    told = f"F1 at least {number(worst.f1, 3)} ({worst.name}) over {len(there)} classes"
    weak = [f"{s.name} {number(s.f1, 3)}" for s in sorted(there, key=lambda s: s.f1) if s.f1 < limits.class_f1_note]
    empty = [s.name for s in final.per_class if not s.support]
    if weak or empty:
        more = [f"under {number(limits.class_f1_note)}: {few(weak)}"] if weak else []
        more += [f"no test example of {few(empty)}"] if empty else []
        return ask.noted(f"{told}; {'; '.join(more)}.", "opening")
    return ask.satisfied(f"{told}.", "opening")
