"""Diagnosing as a whole: odd histories, repeats, thresholds, JSON, other people's records, arbitrary curves."""

import csv
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from diagnosis_cases import ACCURACY, CHANCE, EPOCHS, GROUND, curve, falling, foreign, found, history
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.diagnosis.diagnosis import RULES, diagnose
from surefoot.diagnosis.precedence import ORDER
from surefoot.diagnosis.symptom import SYMPTOMS, Ground, diagnosis_from
from surefoot.history import History
from surefoot.thresholds import Thresholds
from surefoot.trials import Curve

OVERFIT = {"clean_train_accuracy": falling(20, 99.5), "val_accuracy": falling(20, 75)}


def test_every_symptom_has_a_rule_of_its_name_and_a_place_in_the_order():
    assert tuple(rule.__name__ for rule in RULES) == SYMPTOMS
    assert sorted(ORDER) == sorted(SYMPTOMS)


def test_a_diagnosis_survives_json():
    unstable = falling(20, 75) + np.where(np.arange(EPOCHS) % 2, 20, -20)
    _, diagnosis = found(history(**{**OVERFIT, "val_accuracy": unstable}, facts={"utilisation": 0.3}))
    assert len(diagnosis.symptoms) >= 2
    text = json.dumps(diagnosis.definition(), allow_nan=False)
    assert diagnosis_from(json.loads(text)) == diagnosis


def test_the_primary_symptom_comes_first_and_noise_last():
    _, diagnosis = found(history(**OVERFIT, facts={"utilisation": 0.3}))
    assert [s.rule for s in diagnosis.symptoms] == ["overfitting", "inefficient_resources"]
    assert diagnosis.symptoms[0].rule == diagnosis.primary


def test_no_history_at_all_is_refused():
    with pytest.raises(ValueError, match="one history at least; got none"):
        diagnose([], GROUND)


def test_one_epoch_is_read_for_its_gap_and_said_to_have_no_course():
    _, diagnosis = found(
        foreign(train_loss=[0.5], val_loss=[1.0], train_acc=[90], val_acc=[60]), ground=Ground(evaluated_on=1000)
    )
    assert diagnosis.primary == "overfitting"
    assert any("measured once" in note for note in diagnosis.notes)


def test_an_empty_history_says_that_nothing_can_be_told():
    _, diagnosis = found(History(name="empty", curves={}), ground=Ground())
    assert diagnosis.is_healthy
    assert any("Nothing" in note or "nothing" in note for note in diagnosis.notes)


def test_validation_every_fifth_epoch_is_compared_at_its_own_steps():
    sparse = Curve(steps=(5, 10, 15, 20, 25, 30, 35, 40), values=(40.0, 60, 70, 74, 75, 75, 75, 75))
    curves = {"train_acc": curve(falling(20, 99.5)), "train_loss": curve(falling(2.3, 0.02)), "val_acc": sparse}
    symptoms, diagnosis = found(History(name="sparse", curves=curves), ground=Ground(evaluated_on=5000, classes=10))
    assert diagnosis.primary == "overfitting"
    assert symptoms["overfitting"].finding.evidence["gap"] == pytest.approx(24.5, abs=0.2)


def test_gaps_change_nothing_of_the_diagnosis():
    holes = np.array(OVERFIT["val_accuracy"])
    holes[3:20:4] = math.nan
    whole = found(history(**OVERFIT))[0]["overfitting"].finding.evidence
    holed = found(history(**{**OVERFIT, "val_accuracy": holes}))[0]["overfitting"].finding.evidence
    assert holed["gap"] == pytest.approx(whole["gap"], abs=0.2)


def test_a_metric_with_no_train_twin_is_told_and_judged_by_what_is_left():
    rising = np.concatenate([falling(2.3, 0.8, n=15), np.linspace(0.8, 2.2, EPOCHS - 15)])
    one = foreign(train_loss=falling(2.3, 0.02), val_loss=rising, val_accuracy=falling(20, 70))
    _, diagnosis = found(one)
    assert diagnosis.primary == "overfitting"
    assert any("no twin" in note for note in diagnosis.notes)


def test_the_notices_of_the_source_are_notes():
    one = History(name="r", curves={"train_loss": curve([2, 1])}, notices=("It was restarted at step 40.",))
    assert "It was restarted at step 40." in diagnose([one], Ground()).notes


def test_what_only_some_of_the_histories_say_names_them():
    diagnosis = diagnose([history(name="one"), history(name="two", status="INTERRUPTED")], GROUND)
    assert any(note.startswith("two: ") for note in diagnosis.notes)


def test_a_symptom_of_one_seed_in_three_is_not_the_configs():
    course = falling(CHANCE, 0.9) + 0.3 * (-1.0) ** np.arange(EPOCHS)
    jumping = dict.fromkeys(("train_loss", "clean_train_loss", "val_loss"), course)
    ill, well = history(name="1", **jumping), history(name="2")
    assert found(ill)[1].primary == "rate_too_high"
    assert found(ill, well, history(name="3"))[1].is_healthy
    symptoms, _ = found(ill, history(name="3", **jumping), well)
    assert symptoms["rate_too_high"].share == pytest.approx(2 / 3)


def test_a_plan_may_set_any_threshold():
    assert found(history(**OVERFIT), thresholds=Thresholds(overfit_strong=30))[0]["overfitting"].degree == "moderate"
    none = Thresholds(overfit_mild=30, overfit_moderate=40, overfit_strong=50)
    assert found(history(**OVERFIT), thresholds=none)[1].is_healthy


def test_the_same_histories_give_the_same_diagnosis():
    assert found(history(**OVERFIT))[1] == found(history(**OVERFIT))[1]


# ── other people's records ──

RECORDS = Path(os.environ.get("SUREFOOT_DATA", "absent")) / "records"


@pytest.mark.skipif(not RECORDS.is_dir(), reason="needs SUREFOOT_DATA with records/ in it: real Keras histories")
def test_real_keras_histories_are_diagnosed_each_with_its_notes():
    files = sorted(
        [*RECORDS.glob("keras_sweep_20250926/*/*_history.csv"), *RECORDS.glob("microbead_search/history_*.csv")]
    )
    assert len(files) >= 40
    for path in files:
        rows = list(csv.DictReader(path.read_text().splitlines()))
        names = [name for name in rows[0] if name]
        curves = {name: curve([float(row[name] or "nan") for row in rows]) for name in names}
        diagnosis = diagnose([History(name=path.stem, curves=curves, step_unit="epoch")], Ground())
        assert diagnosis.notes
        json.dumps(diagnosis.definition(), allow_nan=False)


# ── whatever comes ──

NAMES = (
    "train_loss",
    "loss",
    "val_loss",
    "accuracy",
    "val_accuracy",
    "clean_train_accuracy",
    "test_acc",
    "lr",
    "grad_norm",
    "f1",
)
NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=64)
CURVES = st.lists(NUMBERS | st.floats(0, 3) | st.floats(0, 100), min_size=0, max_size=12).map(curve)
HISTORIES = st.builds(
    History,
    name=st.text(max_size=5),
    curves=st.dictionaries(st.sampled_from(NAMES), CURVES, max_size=8),
    step_unit=st.sampled_from(["step", "epoch"]),
    config=st.dictionaries(
        st.sampled_from(["lr", "dropout", "batch_size", "steps", "width"]),
        st.integers(-5, 5) | st.floats() | st.none() | st.text(max_size=3),
        max_size=4,
    ),
    facts=st.dictionaries(
        st.sampled_from(["utilisation", "classes", "largest_gradient_norm", "evaluated_examples"]),
        st.integers(-5, 5) | st.floats() | st.none() | st.text(max_size=3),
        max_size=3,
    ),
    status=st.sampled_from(["COMPLETE", "FAILED", "PRUNED", "INFEASIBLE"]),
)
GROUNDS = st.builds(
    Ground,
    metric=st.sampled_from([None, ACCURACY]),
    evaluated_on=st.sampled_from([None, 1, 100]),
    classes=st.sampled_from([None, 1, 2, 10]),
    ceiling=st.sampled_from([None, 5.0, 90.0]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(HISTORIES, min_size=1, max_size=3), GROUNDS)
def test_no_history_whatever_makes_it_raise_or_say_what_is_no_json(histories, ground):
    diagnosis = diagnose(histories, ground)
    text = json.dumps(diagnosis.definition(), allow_nan=False)
    assert diagnosis_from(json.loads(text)) == diagnosis
    assert all(0 <= symptom.confidence <= 1 and 0 < symptom.share <= 1 for symptom in diagnosis.symptoms)
