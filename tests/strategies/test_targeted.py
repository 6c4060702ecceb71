"""Recommendations become a registered experiment, and an ablation that takes each away again."""

from __future__ import annotations

from dataclasses import replace

from strategy_cases import AUGMENTATION, CHAMPION, DECAY, DROPOUT, diagnosed, recommended

from surefoot.plan import experiment_of, is_round_id
from surefoot.strategies.targeted import ablation, arms_of, chosen, targeted

ALL = (DROPOUT, DECAY, AUGMENTATION)


def test_the_top_recommendations_are_tried_and_the_rest_left_with_a_reason():
    tried, left = chosen(ALL, CHAMPION, 2)
    assert tried == (DROPOUT, DECAY)
    assert left == ((AUGMENTATION, "the round tries 2 at most"),)


def test_two_that_set_the_same_setting_are_not_tried_together():
    weaker = recommended("R4", "dropout_mild", dropout=0.2)
    tried, left = chosen((DROPOUT, weaker), CHAMPION, 3)
    assert tried == (DROPOUT,) and left[0][1] == "it sets dropout, as R1 does"


def test_what_the_champion_has_or_nobody_can_set_or_was_tried_is_left():
    has = recommended("R4", "rate", lr=1e-3)
    foreign = replace(recommended("R5", "data", more_data=2), is_applicable=False)
    _, left = chosen((has, foreign, DROPOUT), CHAMPION, 3, tried=[{"dropout": 0.4}])
    assert [reason for _, reason in left] == [
        "the champion has it already",
        "this training has no such setting",
        "an earlier round tried it",
    ]


def test_each_is_an_arm_alone_and_all_are_one_together():
    experiment = targeted(1, diagnosed(*ALL), ALL, "val_accuracy", {})
    changes = {arm.name: dict(arm.changes) for arm in experiment.arms}
    assert changes == {
        "all": {"dropout": 0.4, "weight_decay": 5e-4, "crop_padding": 4, "flip": True},
        "dropout": {"dropout": 0.4},
        "weight_decay": {"weight_decay": 5e-4},
        "augmentation": {"crop_padding": 4, "flip": True},
    }
    assert {(p.arm, p.relation, p.is_registered) for p in experiment.predictions} == {
        (name, "better", True) for name in changes
    }
    assert experiment.because == "Train is 20 points above validation."
    assert is_round_id(experiment.id)


def test_a_single_recommendation_needs_no_arm_of_all():
    assert [a.name for a in targeted(2, diagnosed(DROPOUT), (DROPOUT,), "val_accuracy", {}).arms] == ["dropout"]


def test_two_of_a_kind_have_arms_of_their_own():
    other = recommended("R4", "dropout", weight_decay=0.1)
    assert list(arms_of((DROPOUT, other))) == ["dropout R1", "dropout R4"]


def test_the_ablation_takes_each_change_back_to_what_it_was():
    experiment = ablation(1, ALL, CHAMPION, "val_accuracy", {})
    assert {arm.name: dict(arm.changes) for arm in experiment.arms} == {
        "without dropout": {"dropout": 0.0},
        "without weight_decay": {"weight_decay": 1e-5},
        "without augmentation": {"crop_padding": 0, "flip": False},
    }
    assert {p.relation for p in experiment.predictions} == {"worse"}
    assert is_round_id(experiment.id) and experiment.id != targeted(1, diagnosed(), ALL, "v", {}).id


def test_another_batch_size_may_see_other_numbers_of_samples():
    larger = recommended("R1", "batch", batch_size=64)
    assert targeted(1, diagnosed(larger), (larger,), "v", {"samples": ("steps",)}).allow == ("samples",)
    assert targeted(1, diagnosed(larger), (larger,), "v", {}).allow == ()
    assert targeted(1, diagnosed(DROPOUT), (DROPOUT,), "v", {"samples": ("steps",)}).allow == ()


def test_an_experiment_comes_back_whole_from_the_record():
    for experiment in (targeted(1, diagnosed(*ALL), ALL, "v", {}), ablation(1, ALL, CHAMPION, "v", {})):
        assert experiment_of(experiment.definition()) == experiment


def test_what_the_workload_refuses_is_left_with_its_words():
    def refused(config):
        if config["dropout"] > 0.3:
            return "dropout must be at most 0.3"
        return "not both" if config["weight_decay"] > 1e-4 and config.get("flip") else ""

    tried, left = chosen(ALL, {**CHAMPION, "weight_decay": 0.0, "flip": False}, 3, refused=refused)
    assert tried == (DECAY,)
    assert left == ((DROPOUT, "dropout must be at most 0.3"), (AUGMENTATION, "together with R2: not both"))
