"""A search over what the diagnosis suspects holds the old and the recommended values, with room beyond them."""

from __future__ import annotations

from strategy_cases import AUGMENTATION, CHAMPION, DECAY, DROPOUT, SPACE, diagnosed, recommended

from surefoot.plan import experiment_of
from surefoot.strategies.sweep import searched, suspected

RATE = recommended("R4", "lower_rate", lr=1e-4)


def test_every_suspected_setting_is_searched_and_no_other():
    space = suspected((DROPOUT, DECAY, AUGMENTATION, RATE), CHAMPION, SPACE)
    assert space.names() == ("dropout", "weight_decay", "crop_padding", "flip", "lr")


def test_the_space_holds_what_is_and_what_was_recommended():
    for recommendation in (DROPOUT, DECAY, AUGMENTATION, RATE):
        space = suspected((recommendation,), CHAMPION, SPACE)
        before = {name: CHAMPION[name] for name in recommendation.patch}
        assert space.admits(before) and space.admits(dict(recommendation.patch))


def test_a_rate_is_searched_on_its_logarithm_beyond_both_ends_and_a_share_within_its_bounds():
    (rate,) = suspected((RATE,), CHAMPION, SPACE).parameters
    assert rate.log and rate.low is not None and rate.high is not None
    assert rate.low < 1e-4 and rate.high > 1e-3
    (dropout,) = suspected((recommended("R1", "dropout", dropout=0.8),), CHAMPION, SPACE).parameters
    assert (dropout.low, dropout.high, dropout.log) == (0.0, 0.9, False)


def test_choices_keep_their_levels():
    space = suspected((recommended("R1", "schedule", schedule="cosine"),), {**CHAMPION, "schedule": "constant"}, SPACE)
    assert space.parameters[0].levels() == ("constant", "cosine")


def test_the_search_begins_with_each_recommendation_as_it_was_made():
    given = {"space": SPACE, "trials": 9, "metric": "val_accuracy", "drivers": {}}
    experiment = searched(2, diagnosed(DROPOUT, RATE), (DROPOUT, RATE), CHAMPION, **given)
    assert experiment.search is not None and experiment.search.trials == 9
    assert experiment.search.first == ({"dropout": 0.4, "lr": 1e-3}, {"dropout": 0.0, "lr": 1e-4})
    assert [p.arm for p in experiment.predictions] == ["best", "second", "third"]
    assert experiment_of(experiment.definition()) == experiment


def test_a_search_has_a_trial_for_each_arm_at_least():
    given = {"space": SPACE, "trials": 1, "metric": "val_accuracy", "drivers": {}}
    search = searched(1, diagnosed(DROPOUT), (DROPOUT,), CHAMPION, **given).search
    assert search is not None and search.trials == 3
