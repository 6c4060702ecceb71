"""Overfitting by degree, its noise at small n, by loss alone, and how it goes together over seeds."""

import numpy as np
import pytest
from diagnosis_cases import ACCURACY, EPOCHS, falling, foreign, found, history

from surefoot.diagnosis.symptom import Ground


def gap_of(points, **more):
    return history(clean_train_accuracy=falling(20, 95), val_accuracy=falling(20, 95 - points), **more)


@pytest.mark.parametrize(
    ("points", "degree"),
    [(4.8, None), (5.5, "mild"), (9.5, "mild"), (10.5, "moderate"), (14.5, "moderate"), (16, "strong")],
)
def test_the_degree_goes_by_the_gap_in_points(points, degree):
    symptoms, _ = found(gap_of(points))
    assert (symptoms["overfitting"].degree if degree else "overfitting" not in symptoms) == (degree or True)


def test_the_evidence_holds_the_numbers_of_the_sentence():
    symptoms, diagnosis = found(gap_of(20))
    evidence = symptoms["overfitting"].finding.evidence
    assert evidence["gap"] == pytest.approx(20, abs=0.2)
    assert evidence["standard_error"] == pytest.approx(np.hypot(0.61, 0.1), abs=0.05)
    assert diagnosis.primary == "overfitting"
    assert "n" not in evidence and evidence["evaluated_on"] == 5000


def test_six_points_at_a_hundred_images_are_noise_and_never_primary():
    small = Ground(metric=ACCURACY, trained_on=50_000, evaluated_on=100, classes=10)
    # At 80 % on 100 images the standard error is 4.
    one = history(clean_train_accuracy=falling(20, 86), val_accuracy=falling(20, 80))
    symptoms, diagnosis = found(one, ground=small)
    symptom = symptoms["overfitting"]
    assert symptom.is_noise
    assert symptom.finding.evidence["standard_error"] == pytest.approx(4.0, abs=0.1)
    assert "noise" in symptom.finding.sentence
    assert not symptom.recommendations
    assert diagnosis.is_healthy


def test_the_same_gap_on_many_images_is_no_noise():
    symptoms, diagnosis = found(history(clean_train_accuracy=falling(20, 86), val_accuracy=falling(20, 80)))
    assert not symptoms["overfitting"].is_noise
    assert diagnosis.primary == "overfitting"


def test_the_train_metrics_of_training_mode_are_not_compared_where_clean_ones_are_there():
    # In training mode, with dropout on, train looks 30 points worse than it is.
    one = gap_of(20, train_accuracy=falling(10, 65))
    assert found(one)[0]["overfitting"].finding.evidence["gap"] == pytest.approx(20, abs=0.2)


def test_a_gap_measured_with_dropout_on_is_at_least_as_large():
    bare = foreign(
        loss=falling(2.3, 0.3), val_loss=falling(2.3, 0.9), accuracy=falling(20, 95), val_accuracy=falling(20, 80)
    )
    ground = Ground(metric=ACCURACY, evaluated_on=5000, config={"dropout": 0.5})
    symptoms, _ = found(bare, ground=ground)
    assert "at least" in symptoms["overfitting"].finding.sentence
    assert symptoms["overfitting"].finding.evidence["likeness"] == "handicapped"


def test_without_accuracies_the_loss_tells():
    rising = np.concatenate([falling(2.3, 0.8, n=15), np.linspace(0.8, 1.9, EPOCHS - 15)])
    ill = foreign(train_loss=falling(2.3, 0.05), val_loss=rising)
    well = foreign(train_loss=falling(2.3, 0.5), val_loss=falling(2.3, 0.8))
    symptoms, diagnosis = found(ill, ground=Ground())
    assert diagnosis.primary == "overfitting"
    assert symptoms["overfitting"].finding.evidence["lowest_loss_step"] == 15
    assert found(well, ground=Ground())[1].is_healthy


def test_the_loss_alone_does_not_speak_where_accuracies_agree():
    rising = np.concatenate([falling(2.3, 0.3, n=15), np.linspace(0.3, 0.9, EPOCHS - 15)])
    symptoms, _ = found(history(val_loss=rising))
    assert "overfitting" not in symptoms


def test_seeds_that_disagree_make_a_gap_less_sure():
    alike = [gap_of(p, name=str(p)) for p in (11.9, 12, 12.1)]
    apart = [gap_of(p, name=str(p)) for p in (0, 12, 24)]
    sure, unsure = found(*alike)[0]["overfitting"], found(*apart)[0]["overfitting"]
    assert sure.finding.evidence["gap"] == pytest.approx(unsure.finding.evidence["gap"], abs=0.1)
    assert sure.finding.evidence["standard_error"] < 1 < unsure.finding.evidence["standard_error"]
    assert unsure.share == pytest.approx(2 / 3)
    assert unsure.confidence < sure.confidence


def test_memorised_training_examples_are_told():
    one = history(clean_train_accuracy=falling(20, 100), val_accuracy=falling(20, 78))
    assert found(one)[0]["overfitting"].finding.evidence["memorised"]
