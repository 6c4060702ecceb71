"""Recommendations: sized by the config, in its own names, within its space, with an honest promise."""

from dataclasses import replace

import numpy as np
import pytest
from diagnosis_cases import ACCURACY, CHANCE, EPOCHS, GROUND, falling, foreign, found, history

from surefoot.diagnosis.playbook import OPPOSITES, PLAYBOOK
from surefoot.diagnosis.symptom import SYMPTOMS
from surefoot.run import Metric
from surefoot.space import SearchSpace, boolean, choice, integer, real

CONFIG = {
    "width": 32,
    "depth": 2,
    "norm": "batch",
    "dropout": 0.0,
    "optimizer": "adam",
    "lr": 1e-3,
    "schedule": "constant",
    "weight_decay": 1e-5,
    "batch_size": 64,
    "steps": 500,
    "patience": 0,
    "clip_norm": 0.0,
    "crop_padding": 0,
    "flip": False,
    "cutout": 0,
    "mixup": 0.0,
}
SPACE = SearchSpace(
    parameters=(
        integer("width", 1, 256),
        integer("depth", 1, 8),
        choice("norm", "none", "batch", "group"),
        real("dropout", 0.0, 0.9),
        choice("optimizer", "adam", "adamw", "sgd"),
        real("lr", 0.0, 10.0),
        choice("schedule", "constant", "cosine", "warmup_cosine", "step"),
        real("weight_decay", 0.0, 1.0),
        integer("batch_size", 1, 1024),
        integer("steps", 1, 100_000),
        integer("patience", 0, 100),
        real("clip_norm", 0.0),
        integer("crop_padding", 0, 8),
        boolean("flip"),
        integer("cutout", 0, 16),
        real("mixup", 0.0, 1.0),
    )
)


def overfit_by(points):
    return history(clean_train_accuracy=falling(20, 95), val_accuracy=falling(20, 95 - points))


def advised(one, config=CONFIG, space=SPACE, **ground):
    """The recommendations of the primary symptom by kind."""
    _, diagnosis = found(one, ground=replace(GROUND, config=config, space=space, **ground))
    return {r.kind: r for r in diagnosis.recommendations if r.symptom == diagnosis.primary}


UNDERFIT = {
    **dict.fromkeys(("train_loss", "clean_train_loss", "val_loss"), falling(CHANCE, 1.6, 20)),
    "clean_train_accuracy": falling(12, 45),
    "val_accuracy": falling(12, 44),
}


def test_every_symptom_has_its_page_in_the_playbook():
    assert tuple(PLAYBOOK) and set(PLAYBOOK) == set(SYMPTOMS)


@pytest.mark.parametrize(
    ("points", "now", "dropout"),
    [(7, 0.0, 0.2), (12, 0.0, 0.3), (20, 0.0, 0.5), (12, 0.3, 0.4), (20, 0.5, 0.6), (20, 0.6, None)],
)
def test_dropout_goes_by_the_degree_and_by_what_is_on(points, now, dropout):
    found_kinds = advised(overfit_by(points), {**CONFIG, "dropout": now})
    assert (found_kinds["dropout"].patch if dropout else "dropout" not in found_kinds) == (
        {"dropout": dropout} if dropout else True
    )


def test_weight_decay_is_stronger_where_it_is_decoupled():
    assert advised(overfit_by(20))["weight_decay"].patch == {"weight_decay": 1e-3}
    assert advised(overfit_by(20), {**CONFIG, "optimizer": "adamw"})["weight_decay"].patch == {"weight_decay": 1e-2}


def test_augmentation_is_one_recommendation_of_what_is_off():
    assert advised(overfit_by(20))["augmentation"].patch == {"crop_padding": 4, "flip": True}
    on = {**CONFIG, "crop_padding": 4}
    assert advised(overfit_by(20), on)["augmentation"].patch == {"flip": True}
    both = {**on, "flip": True}
    assert advised(overfit_by(20), both)["augmentation"].patch == {"cutout": 8, "mixup": 0.2}


def test_few_examples_ask_for_augmentation_first():
    assert next(iter(advised(overfit_by(20), trained_on=2000))) == "augmentation"
    assert next(iter(advised(overfit_by(20), trained_on=50_000))) == "dropout"


def test_a_model_small_beside_its_data_is_not_made_smaller():
    assert advised(overfit_by(20), parameters=500_000)["smaller_model"].patch == {"width": 24}
    assert "smaller_model" not in advised(overfit_by(20), parameters=10_000)


def test_the_configs_own_names_are_used():
    config = {"learning_rate": 1e-3, "dropout_rate": 0.0, "epochs": 20, "hidden_units": 100}
    assert advised(overfit_by(20), config, None)["dropout"].patch == {"dropout_rate": 0.5}
    underfit = advised(history(**UNDERFIT), config, None)
    assert underfit["longer"].patch == {"epochs": 40}
    assert underfit["wider"].patch == {"hidden_units": 200}
    assert underfit["wider"].is_applicable


def test_without_a_config_the_names_are_common_and_nothing_is_applicable():
    kinds = advised(history(**UNDERFIT), {}, None)
    assert kinds["higher_rate"].patch == {"lr": "×3"}
    assert not any(r.is_applicable for r in kinds.values())


def test_what_the_workload_has_no_setting_for_is_not_applicable():
    plain = SearchSpace(
        parameters=tuple(p for p in SPACE.parameters if p.name not in ("crop_padding", "flip", "cutout", "mixup"))
    )
    config = {name: value for name, value in CONFIG.items() if name in plain.names()}
    kinds = advised(overfit_by(20), config, plain)
    assert not kinds["augmentation"].is_applicable
    assert kinds["dropout"].is_applicable


def test_a_patch_stays_within_the_space_and_on_its_side():
    narrow = SearchSpace(
        parameters=(choice("dropout", 0.0, 0.1, 0.35), real("weight_decay", 0.0, 1e-5), integer("width", 1, 40))
    )
    config = {"dropout": 0.1, "weight_decay": 1e-5, "width": 32}
    kinds = advised(overfit_by(20), config, narrow)
    assert kinds["dropout"].patch == {"dropout": 0.35}
    assert "weight_decay" not in kinds
    assert advised(history(**UNDERFIT), config, narrow)["wider"].patch == {"width": 40}


def test_every_applicable_patch_is_one_the_space_takes_and_changes_something():
    thrown = np.concatenate([[2.2, 1.8, 1.6, 90.0, 12.0], np.full(EPOCHS - 5, 1.9)])
    ills = [
        overfit_by(20),
        history(**UNDERFIT),
        history(**{**UNDERFIT, "train_loss": thrown}),
        history(status="FAILED"),
    ]
    for ill in ills:
        _, diagnosis = found(ill, ground=replace(GROUND, config=CONFIG, space=SPACE))
        applicable = [r for r in diagnosis.recommendations if r.is_applicable]
        assert applicable
        for recommendation in applicable:
            assert SPACE.checked(recommendation.patch) == recommendation.patch
            assert all(CONFIG[name] != value for name, value in recommendation.patch.items())


def test_regularisation_comes_off_before_a_model_that_underfits_grows():
    kinds = advised(history(**UNDERFIT), {**CONFIG, "dropout": 0.6, "weight_decay": 0.1})
    assert list(kinds)[:2] == ["less_dropout", "less_weight_decay"]
    assert kinds["less_dropout"].patch == {"dropout": 0.3}
    assert kinds["wider"].patch == {"width": 64}


def test_no_two_recommendations_undo_each_other_and_ids_are_unique():
    both = history(**{**UNDERFIT, "clean_train_accuracy": falling(12, 60), "val_accuracy": falling(12, 40)})
    _, diagnosis = found(both, ground=replace(GROUND, config=CONFIG, space=SPACE))
    assert len(diagnosis.symptoms) == 2
    kinds = [r.kind for r in diagnosis.recommendations]
    assert not [pair for pair in OPPOSITES if set(pair) <= set(kinds)]
    ids = [r.id for r in diagnosis.recommendations]
    assert ids == [f"R{i + 1}" for i in range(len(ids))]


# ── promises ──


def test_a_promise_is_the_documents_in_points():
    promise = advised(overfit_by(20))["dropout"].promise
    assert (promise.low, promise.high, promise.unit, promise.source) == (3, 5, "%", "the workflow document")


def test_a_promise_is_never_more_than_the_gap():
    promise = advised(overfit_by(6))["augmentation"].promise
    assert promise.high == pytest.approx(6, abs=0.2)
    promise = advised(history(clean_train_accuracy=falling(20, 100), val_accuracy=falling(20, 94.6)))[
        "augmentation"
    ].promise
    assert promise.high == pytest.approx(5.4, abs=0.2)
    assert "cut to" in promise.source


def test_a_promise_for_an_accuracy_in_fractions_is_in_fractions():
    one = foreign(
        accuracy=falling(0.2, 0.95), val_accuracy=falling(0.2, 0.7), loss=falling(2.3, 0.2), val_loss=falling(2.3, 0.9)
    )
    metric = Metric(name="val_accuracy", goal="maximize")
    promise = advised(one, metric=metric)["dropout"].promise
    assert (promise.low, promise.high, promise.unit) == (0.03, 0.05, "")


def test_no_promise_is_made_in_nats():
    one = overfit_by(20)
    kinds = advised(one, metric=Metric(name="val_loss", goal="minimize"))
    assert kinds
    assert all(r.promise is None for r in kinds.values())


def test_a_change_without_a_figure_in_the_document_promises_nothing():
    assert advised(history(**UNDERFIT))["deeper"].promise is None
    assert advised(history(**UNDERFIT))["wider"].promise.high == 14


def test_accuracy_judged_in_percent_has_the_same_promise_whatever_the_source_called_it():
    assert advised(overfit_by(20), metric=ACCURACY)["dropout"].promise.middle == 4
