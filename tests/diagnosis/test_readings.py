"""Reading a history: roles by name, units, like for like, and what is said to be missing."""

import math

import numpy as np
import pytest
from diagnosis_cases import ACCURACY, GROUND, curve, falling, foreign, history

from surefoot.diagnosis.reading import read
from surefoot.diagnosis.roles import role_of
from surefoot.diagnosis.symptom import Ground
from surefoot.history import History
from surefoot.run import Metric


@pytest.mark.parametrize(
    ("names", "train", "val"),
    [
        (("train_loss", "val_loss", "train_accuracy", "val_accuracy"), "train_accuracy", "val_accuracy"),
        (("loss", "val_loss", "accuracy", "val_accuracy"), "accuracy", "val_accuracy"),
        (("loss", "val_loss", "acc", "val_acc"), "acc", "val_acc"),
        (("train_loss", "val_loss", "train_acc", "val_acc", "lr"), "train_acc", "val_acc"),
        (("train_loss_epoch", "val_loss", "train_acc_epoch", "val_acc"), "train_acc_epoch", "val_acc"),
        (("loss", "eval_loss", "train/accuracy", "eval/accuracy"), "train/accuracy", "eval/accuracy"),
        (("trainLoss", "valLoss", "trainAcc", "valAcc"), "trainAcc", "valAcc"),
        (("loss", "val_loss", "dice_coef", "val_dice_coef"), "dice_coef", "val_dice_coef"),
    ],
)
def test_roles_are_found_by_the_names_that_frameworks_give(names, train, val):
    reading = read(foreign(**{name: [0.5, 0.6, 0.7] for name in names}), Ground())
    assert reading.train_loss.name == names[0]
    assert reading.val_loss.name == names[1]
    assert (reading.train_score.name, reading.val_score.name) == (train, val)


def test_an_epochs_mean_goes_before_a_single_step():
    reading = read(foreign(train_loss_step=[9, 9], train_loss_epoch=[1, 1], val_loss=[1, 1]), Ground())
    assert reading.train_loss.name == "train_loss_epoch"


@pytest.mark.parametrize("name", ["lr", "learning_rate", "lr-Adam", "lr_0", "train/learning_rate"])
def test_the_learning_rate_is_no_loss_and_no_score(name):
    reading = read(foreign(**{name: [0.1, 0.2], "train_loss": [2, 1]}), Ground())
    if name != "train/learning_rate":
        assert reading.rate.name == name
    assert reading.train_loss.name == "train_loss"


def test_the_judged_metric_goes_before_accuracy():
    metrics = {name: [0.2, 0.3, 0.4] for name in ("accuracy", "val_accuracy", "jacard_coef", "val_jacard_coef")}
    metric = Metric(name="val_jacard_coef", goal="maximize")
    assert read(foreign(**metrics), Ground(metric=metric)).val_score.name == "val_jacard_coef"
    assert read(foreign(**metrics), Ground()).val_score.name == "val_accuracy"


def test_a_split_is_told_by_name_alone():
    assert role_of("test_accuracy").split == "test"
    assert role_of("clean_train_loss").split == "clean train"
    assert role_of("latest_loss").split == ""


def test_fractions_become_points_and_it_is_said():
    reading = read(foreign(accuracy=[0.5, 0.9], val_accuracy=[0.5, 0.8]), Ground())
    assert reading.val_score.values.tolist() == [50, 80]
    assert any("fraction" in note for note in reading.notes)


def test_percentages_under_one_stay_percentages_where_the_unit_says_so():
    reading = read(foreign(val_accuracy=[0.4, 0.9]), Ground(metric=ACCURACY))
    assert reading.val_score.values.tolist() == [0.4, 0.9]


def test_an_error_rate_is_read_as_the_accuracy_it_leaves():
    reading = read(foreign(train_error=[0.5, 0.1], val_error=[0.5, 0.3]), Ground())
    assert reading.val_score.values.tolist() == pytest.approx([50, 70])


def test_a_score_that_is_no_share_gives_no_points():
    reading = read(foreign(train_f1=[-3, 250], val_f1=[-3, 200]), Ground())
    assert reading.val_score is None
    assert any("no share" in note for note in reading.notes)


def test_the_clean_train_metrics_are_like_for_like():
    reading = read(history(facts={"train_evaluated_examples": 1000}), GROUND)
    assert reading.likeness == "alike"
    assert reading.alike_score.name == "clean_train_accuracy"
    assert reading.alike_loss.name == "clean_train_loss"
    assert reading.train_loss.name == "train_loss"
    assert reading.compared_on == 1000


@pytest.mark.parametrize(
    ("config", "facts", "likeness"),
    [
        ({"dropout": 0.3}, {}, "handicapped"),
        ({}, {"augmentation": "crop 4, flip"}, "handicapped"),
        ({}, {"train_loss_measured": "with dropout and augmentation"}, "handicapped"),
        ({"dropout": 0.0}, {"augmentation": "none", "dropout": "none"}, "lagging"),
        ({}, {"train_loss_measured": "as validation is"}, "lagging"),
        ({}, {}, "unknown"),
    ],
)
def test_what_is_on_in_training_decides_how_alike_the_curves_are(config, facts, likeness):
    bare = foreign(train_loss=[2, 1], val_loss=[2, 1], train_acc=[50, 60], val_acc=[50, 60])
    known = History(name="k", curves=bare.curves, config=config, facts=facts)
    reading = read(known, Ground())
    assert reading.likeness == likeness
    assert any("train" in note.lower() for note in reading.notes)


def test_a_gap_of_the_wrong_sign_is_said_to_tell_nothing():
    reading = read(foreign(accuracy=falling(20, 70), val_accuracy=falling(30, 80)), Ground())
    assert any("wrong sign" in note for note in reading.notes)


def test_a_metric_without_a_train_twin_is_told():
    reading = read(foreign(train_loss=[2, 1, 1], val_loss=[2, 1, 1], val_accuracy=[50, 60, 70]), Ground())
    assert any("no twin" in note for note in reading.notes)


def test_counts_come_from_the_ground_or_else_from_the_facts():
    facts = {"evaluated_examples": 300, "train_examples": 900, "classes": 5}
    from_facts = read(history(facts=facts), Ground(metric=ACCURACY))
    assert (from_facts.evaluated_on, from_facts.trained_on) == (300, 900)
    assert from_facts.chance_score == 20
    assert from_facts.chance_loss == pytest.approx(math.log(5))
    assert read(history(facts=facts), GROUND).evaluated_on == 5000


def test_nan_between_finite_validation_losses_is_a_gap_and_not_a_broken_training():
    gaps = [np.nan if i % 2 else 1.0 for i in range(9)]
    reading = read(foreign(train_loss=falling(2, 1, n=9), val_loss=gaps), Ground())
    assert reading.non_finite is None
    assert len(reading.val_loss) == 5
    assert any("gaps" in note for note in reading.notes)


def test_nan_without_end_is_a_broken_training():
    reading = read(foreign(train_loss=[2, 1.5, math.nan, math.nan], val_loss=[2, 1.9, 1.8, 1.8]), Ground())
    assert (reading.non_finite.metric, reading.non_finite.step, reading.non_finite.value) == ("train_loss", 3, "NaN")


def test_train_and_validation_may_be_measured_at_different_steps():
    train = curve(falling(CHANCE_LOSS, 0.1, n=100))
    val = curve(falling(CHANCE_LOSS, 0.2, n=10), every=10)
    reading = read(History(name="k", curves={"train_loss": train, "val_loss": val}), Ground())
    assert len(reading.train_loss) == 100
    assert len(reading.val_loss) == 10


CHANCE_LOSS = 2.3
