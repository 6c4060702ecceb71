"""Every other rule: it fires on a history made for it, and not on its near miss."""

import math
from dataclasses import replace

import numpy as np
import pytest
from diagnosis_cases import ACCURACY, CHANCE, EPOCHS, falling, foreign, found, history

from surefoot.diagnosis.symptom import Ground
from surefoot.run import Metric

RNG = np.random.default_rng(5)
FLAT = np.full(EPOCHS, CHANCE) + 1e-4 * RNG.standard_normal(EPOCHS)
AT_CHANCE = dict.fromkeys(("clean_train_accuracy", "val_accuracy"), np.full(EPOCHS, 10.0))
POOR = {"clean_train_accuracy": falling(12, 45), "val_accuracy": falling(12, 44)}


def losses(values):
    return dict.fromkeys(("train_loss", "clean_train_loss", "val_loss"), values)


def test_the_healthy_history_has_no_symptom():
    symptoms, diagnosis = found(history())
    assert not symptoms
    assert diagnosis.is_healthy


# ── failure ──


def test_a_failed_training_is_told_with_its_reason():
    symptoms, diagnosis = found(history(status="FAILED", reason="CUDA out of memory."))
    assert diagnosis.primary == "failed"
    assert "CUDA out of memory" in symptoms["failed"].finding.sentence
    assert symptoms["failed"].recommendations[0].kind == "smaller_batch"


@pytest.mark.parametrize("status", ["PRUNED", "INTERRUPTED", "RUNNING"])
def test_a_training_that_was_stopped_has_not_failed(status):
    symptoms, diagnosis = found(history(status=status))
    assert "failed" not in symptoms
    assert any(status in note for note in diagnosis.notes)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_goes_before_everything_else(value):
    broken = falling(CHANCE, 0.5)
    broken[30:] = value
    symptoms, diagnosis = found(history(train_loss=broken, val_accuracy=falling(20, 40)))
    assert diagnosis.primary == "non_finite"
    assert symptoms["non_finite"].finding.evidence["step"] == 31
    assert diagnosis.recommendations[0].kind == "lower_rate"


# ── gradients ──


@pytest.mark.parametrize(("norm", "explodes"), [(90, False), (120, True)])
def test_a_gradient_over_the_threshold_explodes(norm, explodes):
    symptoms, _ = found(history(gradient_norm=np.full(EPOCHS, norm)))
    assert ("exploding_gradients" in symptoms) == explodes


def test_the_largest_norm_is_taken_from_the_facts_too():
    symptoms, _ = found(history(facts={"largest_gradient_norm": 4000.0}, gradient_norm=np.full(EPOCHS, 3.0)))
    assert symptoms["exploding_gradients"].finding.evidence["largest"] == 4000


def test_a_gradient_that_vanishes_at_a_high_loss_is_told_and_at_a_low_one_not():
    small = np.full(EPOCHS, 1e-5)
    assert "vanishing_gradients" in found(history(**losses(FLAT), **AT_CHANCE, gradient_norm=small))[0]
    assert "vanishing_gradients" not in found(history(gradient_norm=small))[0]


# ── stall and rates ──


def test_a_loss_that_stays_at_chance_is_a_stall():
    symptoms, diagnosis = found(history(**losses(FLAT), **AT_CHANCE))
    assert diagnosis.primary == "stall"
    assert symptoms["stall"].finding.evidence["chance_loss"] == pytest.approx(CHANCE)


def test_a_loss_that_left_chance_behind_is_no_stall():
    symptoms, _ = found(history(**losses(falling(CHANCE, 0.9 * CHANCE)), **POOR))
    assert "stall" not in symptoms


def test_chance_goes_by_the_number_of_classes():
    # 0.69 is chance for two classes, and far from it for a thousand.
    flat = dict.fromkeys(("train_loss", "clean_train_loss", "val_loss"), np.full(EPOCHS, 0.69))
    few = {**flat, **dict.fromkeys(("clean_train_accuracy", "val_accuracy"), np.full(EPOCHS, 50.0))}
    assert "stall" in found(history(**few), ground=Ground(metric=ACCURACY, classes=2))[0]
    assert "stall" not in found(history(**flat, **POOR), ground=Ground(metric=ACCURACY, classes=1000))[0]


def test_a_loss_that_jumps_about_at_chance_has_too_high_a_rate():
    jumping = CHANCE + np.abs(0.05 * RNG.standard_normal(EPOCHS))
    symptoms, diagnosis = found(history(**losses(jumping), **AT_CHANCE))
    assert diagnosis.primary == "rate_too_high"
    assert "stall" not in symptoms


def test_a_loss_that_was_thrown_up_and_stays_high_has_too_high_a_rate():
    thrown = np.concatenate([[2.2, 1.8, 1.6, 90.0, 12.0], np.full(EPOCHS - 5, 1.9)])
    symptoms, diagnosis = found(history(**losses(thrown), **POOR))
    assert diagnosis.primary == "rate_too_high"
    assert symptoms["rate_too_high"].finding.evidence["peak"] == pytest.approx(90 / CHANCE)


def test_a_start_out_of_range_that_came_down_is_no_illness():
    start = np.concatenate([[30.0, 5.0], falling(2.0, 0.1, n=EPOCHS - 2)])
    assert found(history(train_loss=start))[1].is_healthy


def test_a_loss_that_goes_on_jumping_has_too_high_a_rate_and_a_smooth_one_not():
    course, noise = falling(CHANCE, 0.9), RNG.standard_normal(EPOCHS)
    assert found(history(**losses(course + 0.2 * noise), **POOR))[1].primary == "rate_too_high"
    assert "rate_too_high" not in found(history(**losses(course + 0.01 * noise), **POOR))[0]


def test_jumps_that_the_drawing_of_examples_makes_are_not_the_rates():
    # 5 steps of 4 examples between measurements: a mean over 20 examples is uncertain by itself.
    course = {"train_loss": falling(CHANCE, 0.9) + 0.2 * RNG.standard_normal(EPOCHS)}
    alone = {**course, "clean_train_loss": None, "val_loss": None}
    told = history(**alone, **POOR, config={"batch_size": 4}, every=5)
    assert "rate_too_high" not in found(replace(told, step_unit="step"))[0]
    assert "rate_too_high" in found(told)[0]


def test_a_running_mean_that_jumps_beside_calm_losses_of_the_same_examples_is_not_the_rates():
    smooth, jumping = falling(CHANCE, 0.9), falling(CHANCE, 0.9) + 0.2 * RNG.standard_normal(EPOCHS)
    for calm in ("clean_train_loss", "val_loss"):
        assert "rate_too_high" not in found(history(**{**losses(jumping), calm: smooth}, **POOR))[0]
    assert "rate_too_high" not in found(foreign(loss=jumping, val_loss=smooth))[0]
    assert "rate_too_high" in found(foreign(loss=jumping, val_loss=jumping))[0]


def test_validation_that_jumps_beside_a_calm_training_loss_is_not_the_rates():
    jumping = falling(CHANCE, 0.9) + 0.3 * RNG.standard_normal(EPOCHS)
    assert "rate_too_high" not in found(foreign(loss=falling(CHANCE, 0.9), val_loss=jumping))[0]


@pytest.mark.parametrize(("jump", "is_told"), [(0.004, False), (0.02, True)])
def test_a_small_jump_of_every_loss_is_told_from_a_smaller_one(jump, is_told):
    course = falling(CHANCE, 0.9, speed=20) + jump * CHANCE / 2 * (-1.0) ** np.arange(EPOCHS)
    assert ("rate_too_high" in found(history(**losses(course), **POOR))[0]) == is_told


@pytest.mark.parametrize(("target", "is_told"), [(43.0, False), (60.0, True)])
def test_jumps_at_a_reached_target_keep_nothing_from_it(target, is_told):
    jumping = falling(CHANCE, 0.9) + 0.2 * RNG.standard_normal(EPOCHS)
    ground = Ground(metric=replace(ACCURACY, target=target), classes=10, evaluated_on=5000)
    assert ("rate_too_high" in found(history(**losses(jumping), **POOR), ground=ground)[0]) == is_told


@pytest.mark.parametrize("epochs", [5, 6, 8, 12])
def test_the_bend_of_a_short_course_is_no_jumping(epochs):
    short = {name: falling(CHANCE, end, n=epochs) for name, end in (("loss", 0.15), ("val_loss", 0.2))}
    assert "rate_too_high" not in found(foreign(**short))[0]


def test_a_running_mean_alone_that_wobbles_at_chance_is_a_stall():
    wobbling = CHANCE + 0.02 * RNG.standard_normal(EPOCHS)
    stalled = history(**{**losses(FLAT), "train_loss": wobbling}, **AT_CHANCE)
    assert found(stalled)[1].primary == "stall"


def test_a_validation_loss_that_sinks_by_chance_beside_a_flat_training_loss_is_a_stall():
    sinking = CHANCE * np.linspace(1.002, 0.998, EPOCHS)
    assert found(history(**{**losses(FLAT), "val_loss": sinking}, **AT_CHANCE))[1].primary == "stall"
    assert "stall" not in found(history(**losses(sinking), **AT_CHANCE))[0]


def test_a_loss_that_falls_evenly_to_the_end_has_too_low_a_rate():
    slow = np.linspace(CHANCE, 1.5, EPOCHS)
    symptoms, diagnosis = found(history(**losses(slow), **POOR))
    assert diagnosis.primary == "rate_too_low"
    assert symptoms["rate_too_low"].finding.evidence["late_share"] == pytest.approx(0.24, abs=0.02)
    assert "underfitting" in symptoms


def test_one_that_falls_evenly_at_a_rate_brought_down_by_its_schedule_is_not_told_so():
    slow = np.linspace(CHANCE, 1.5, EPOCHS)
    decayed = history(**losses(slow), **POOR, learning_rate=np.linspace(1e-2, 0, EPOCHS))
    assert found(decayed)[1].primary == "underfitting"
    constant = history(**losses(slow), **POOR, learning_rate=np.full(EPOCHS, 1e-5))
    assert "rate_too_low" not in found(decayed)[0]
    assert "rate_too_low" in found(constant)[0]


def test_a_loss_that_falls_by_what_a_falling_rate_adds_up_to_has_too_low_a_rate():
    rates = 1e-4 * (1 + np.cos(np.linspace(0, np.pi, EPOCHS))) + 1e-9
    by_way = CHANCE - 0.8 * np.cumsum(rates) / rates.sum()
    assert found(history(**losses(by_way), **POOR, learning_rate=rates))[1].primary == "rate_too_low"
    settled = history(**losses(falling(CHANCE, 1.5)), **POOR, learning_rate=rates)
    assert found(settled)[1].primary == "underfitting"


def test_a_loss_that_has_arrived_may_go_on_falling():
    assert "rate_too_low" not in found(history(**losses(np.linspace(0.4, 0.2, EPOCHS))))[0]


# ── underfitting ──


def test_a_model_that_settles_far_from_what_there_is_to_learn_underfits():
    symptoms, diagnosis = found(history(**losses(falling(CHANCE, 1.6, speed=20)), **POOR))
    assert diagnosis.primary == "underfitting"
    assert symptoms["underfitting"].finding.evidence["covered"] == pytest.approx(35 / 90, abs=0.01)
    assert {"wider", "longer"} <= {r.kind for r in symptoms["underfitting"].recommendations}


@pytest.mark.parametrize(("end", "underfits"), [(75, True), (80, False)])
def test_underfitting_counts_the_way_from_chance(end, underfits):
    # 75 % of the way from 10 to 100 is 77.5.
    one = history(
        **losses(falling(CHANCE, 0.9, speed=20)),
        clean_train_accuracy=falling(12, end, 20),
        val_accuracy=falling(12, end - 1, 20),
    )
    assert ("underfitting" in found(one)[0]) == underfits


def test_a_ceiling_or_a_reached_target_makes_the_same_scores_well():
    one = history(
        **losses(falling(CHANCE, 0.9, speed=20)),
        clean_train_accuracy=falling(12, 70, 20),
        val_accuracy=falling(12, 69, 20),
    )
    assert "underfitting" in found(one)[0]
    low = Ground(metric=ACCURACY, classes=10, evaluated_on=5000, ceiling=74.0)
    assert "underfitting" not in found(one, ground=low)[0]
    target = Metric(name="val_accuracy", goal="maximize", unit="%", target=65.0)
    symptoms, diagnosis = found(one, ground=Ground(metric=target, classes=10, evaluated_on=5000))
    assert "underfitting" not in symptoms
    assert "near_ceiling" in symptoms
    assert diagnosis.is_healthy


@pytest.mark.parametrize("stated", ["target", "ceiling"])
@pytest.mark.parametrize(("reach", "is_told"), [(84.0, False), (92.0, True)])
def test_train_clearly_under_a_stated_target_or_ceiling_underfits_though_it_covered_most_of_the_way(
    stated, reach, is_told
):
    one = history(
        **losses(falling(CHANCE, 0.6, speed=20)),
        clean_train_accuracy=falling(12, 81, 20),
        val_accuracy=falling(12, 80, 20),
        facts={"train_evaluated_examples": 1000},
    )
    metric = replace(ACCURACY, target=reach if stated == "target" else None)
    ground = Ground(metric=metric, classes=10, evaluated_on=5000, ceiling=reach if stated == "ceiling" else None)
    symptoms, diagnosis = found(one, ground=ground)
    assert diagnosis.primary == ("underfitting" if is_told else "")
    if is_told:
        assert f"under the {stated} of 92" in symptoms["underfitting"].finding.sentence
    assert found(one)[1].is_healthy


def test_the_larger_loss_of_points_is_treated_first():
    more_gap = history(
        **losses(falling(CHANCE, 1, 20)), clean_train_accuracy=falling(12, 75, 20), val_accuracy=falling(12, 40, 20)
    )
    more_short = history(
        **losses(falling(CHANCE, 1, 20)), clean_train_accuracy=falling(12, 45, 20), val_accuracy=falling(12, 34, 20)
    )
    for one, first in ((more_gap, "overfitting"), (more_short, "underfitting")):
        symptoms, diagnosis = found(one)
        assert {"overfitting", "underfitting"} <= symptoms.keys()
        assert diagnosis.primary == first


# ── validation ──

THE_DOCUMENTS = [65, 78, 62, 81, 59, 76]


def test_the_documents_example_is_unstable_with_the_sample_deviation():
    one = foreign(train_acc=[60, 66, 70, 73, 75, 76], val_acc=THE_DOCUMENTS)
    symptoms, diagnosis = found(one, ground=Ground(evaluated_on=2000))
    assert diagnosis.primary == "unstable_validation"
    assert symptoms["unstable_validation"].finding.evidence["deviation"] == pytest.approx(9.28, abs=0.005)
    assert np.std(THE_DOCUMENTS, ddof=1) == pytest.approx(9.28, abs=0.005)


def test_a_spread_that_sampling_makes_is_noise():
    one = foreign(train_acc=[60, 66, 70, 73, 75, 76], val_acc=THE_DOCUMENTS)
    symptoms, diagnosis = found(one, ground=Ground(evaluated_on=25))
    assert symptoms["unstable_validation"].is_noise
    assert diagnosis.is_healthy


def test_a_steady_climb_is_not_unstable():
    climb = np.linspace(20, 94, EPOCHS)
    assert np.std(climb[EPOCHS // 2 :], ddof=1) > 8
    assert "unstable_validation" not in found(history(val_accuracy=climb))[0]


def test_validation_and_test_that_disagree_are_told_where_sampling_does_not_explain_it():
    apart = {"val_accuracy": falling(20, 94), "test_accuracy": falling(20, 86)}
    one = history(**apart, facts={"test_examples": 10_000})
    assert found(one)[1].primary == "split_mismatch"
    few = Ground(metric=ACCURACY, classes=10, evaluated_on=30)
    assert found(history(**apart, facts={"test_examples": 30}), ground=few)[0]["split_mismatch"].is_noise
    near = history(val_accuracy=falling(20, 94), test_accuracy=falling(20, 91))
    assert "split_mismatch" not in found(near)[0]


# ── what limits nothing ──


@pytest.mark.parametrize(("use", "degree"), [(0.3, "moderate"), (0.5, "mild"), (0.7, None), (55, "mild")])
def test_a_device_that_waits_is_told_and_never_primary(use, degree):
    symptoms, diagnosis = found(history(facts={"utilisation": use}))
    assert (symptoms["inefficient_resources"].degree if degree else "inefficient_resources" not in symptoms) == (
        degree or True
    )
    assert diagnosis.is_healthy


def test_near_the_ceiling_is_told_only_where_one_is_known():
    ground = Ground(metric=ACCURACY, classes=10, evaluated_on=5000, ceiling=95.5)
    symptoms, diagnosis = found(history(), ground=ground)
    assert symptoms["near_ceiling"].finding.severity == "info"
    assert diagnosis.is_healthy
    assert "near_ceiling" not in found(history())[0]
    assert "near_ceiling" not in found(history(val_accuracy=falling(20, 92.3)), ground=ground)[0]


# ── precedence ──


def test_a_gradient_that_explodes_later_is_the_rates_doing():
    thrown = np.concatenate([[2.2, 1.8, 1.6, 90.0, 12.0], np.full(EPOCHS - 5, 1.9)])
    later = np.concatenate([np.full(3, 2.0), np.full(EPOCHS - 3, 500.0)])
    at_once = np.full(EPOCHS, 500.0)
    assert found(history(**losses(thrown), **POOR, gradient_norm=later))[1].primary == "rate_too_high"
    assert found(history(**losses(thrown), **POOR, gradient_norm=at_once))[1].primary == "exploding_gradients"
