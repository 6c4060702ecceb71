"""Transitions: the phase that follows is chosen by what is on record, and says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from phase_cases import BASE, DECAY, DROPOUT, FLIP, OVERFITS, SEEDS, plan, runs_of, symptom, whole

from surefoot.phases.transitions import after_baseline, after_diagnosis, expected_gain
from surefoot.plan import Budget, Optimise
from surefoot.run import Metric
from surefoot.thresholds import Thresholds

ACCURACY = plan().metrics[0]
SMALL = replace(FLIP, promise=replace(FLIP.promise, low=0.5, high=1.5))
UNSAID = replace(DECAY, promise=None)


def baseline_at(*values):
    return whole(baseline=runs_of(1, BASE, SEEDS[: len(values)], values))


def advised(*recommendations):
    return whole(diagnosis=replace(OVERFITS, symptoms=(symptom("overfitting", *recommendations),)))


def test_a_baseline_below_its_target_is_diagnosed():
    turn = after_baseline(whole())
    assert turn.phase == "diagnose"
    assert turn.because.startswith("The baseline is short of its target: the baseline's val_accuracy is 72.0 %")


def test_a_baseline_at_its_target_needs_no_optimising():
    turn = after_baseline(baseline_at(75.2, 74.9, 75.0))
    assert turn.phase == "finalise"
    assert "The baseline is at its target" in turn.because


def test_a_loss_is_at_its_target_when_it_is_below():
    loss = Metric(name="val_loss", goal="minimize", target=1.3)
    assert after_baseline(whole(plan=plan(metrics=(loss,), primary="val_loss"))).phase == "finalise"
    harder = replace(loss, target=1.2)
    assert after_baseline(whole(plan=plan(metrics=(harder,), primary="val_loss"))).phase == "diagnose"


def test_a_baseline_without_target_or_without_values_is_diagnosed():
    no_target = plan(metrics=(Metric(name="val_accuracy", goal="maximize", unit="%"),))
    assert "No target is set" in after_baseline(whole(plan=no_target)).because
    assert after_baseline(whole(baseline=())).because == "The baseline has no val_accuracy."


@pytest.mark.parametrize("strategy", ["targeted", "sweep", "iterative"])
def test_a_diagnosis_with_something_to_gain_is_acted_on_by_the_plan_s_strategy(strategy):
    turn = after_diagnosis(whole(plan=plan(optimise=Optimise(strategy=strategy, recommendations=2))))
    assert (turn.phase, turn.entry) == ("optimise", strategy)
    assert (
        "2 recommendations can be tried (dropout 0.4 and weight_decay 0.0001); promised: 7 pp at most" in turn.because
    )


def test_less_than_the_least_gain_is_not_worth_a_round():
    turn = after_diagnosis(advised(SMALL))
    assert turn.phase == "finalise"
    assert turn.because == (
        "Near the ceiling: 1 pp at most is promised by 1 recommendation; less than 3 pp is not worth a round."
    )
    lenient = plan(thresholds=Thresholds(least_gain=1.0))
    assert after_diagnosis(replace(advised(SMALL), plan=lenient)).phase == "optimise"


def test_several_small_promises_together_may_be_worth_a_round():
    assert after_diagnosis(advised(SMALL, replace(SMALL, id="R4", promise=DROPOUT.promise))).phase == "optimise"


def test_a_gain_that_nobody_can_promise_is_tried():
    turn = after_diagnosis(advised(UNSAID))
    assert turn.phase == "optimise"
    assert "an unknown gain" in turn.because


def test_points_are_asked_of_percentages_only():
    loss = Metric(name="val_loss", goal="minimize", target=0.5)
    small = replace(FLIP, promise=replace(FLIP.promise, metric="val_loss", low=0.1, high=0.2, unit=""))
    dossier = replace(advised(small), plan=plan(metrics=(loss,), primary="val_loss"))
    assert after_diagnosis(dossier).phase == "optimise"


def test_nothing_that_can_be_applied_is_the_ceiling_as_far_as_the_diagnosis_can_tell():
    by_hand = replace(DROPOUT, is_applicable=False)
    assert "none of 1 recommendation is left to apply" in after_diagnosis(advised(by_hand)).because
    assert "nothing is recommended" in after_diagnosis(advised()).because
    assert "none of 1 recommendation is left" in after_diagnosis(advised(DROPOUT), tried=()).because


def test_what_a_round_would_try_is_what_is_weighed_where_it_is_given():
    assert after_diagnosis(whole(), tried=(SMALL,)).phase == "finalise"
    assert after_diagnosis(advised(SMALL), tried=(DROPOUT,)).phase == "optimise"


def test_used_up_hours_end_the_study_with_the_best_so_far():
    turn = after_diagnosis(whole(hours=12.0))
    assert turn.because == "The best so far is accepted: 12.0 of 12 hours are used."
    assert after_diagnosis(whole(hours=1.0, plan=plan(budget=Budget(hours=1.0)))).phase == "finalise"


def test_a_plan_that_asks_for_no_rounds_gets_none():
    for nothing in (None, Optimise(strategy="none")):
        assert after_diagnosis(whole(plan=plan(optimise=nothing))).phase == "finalise"


def test_a_harmful_promise_takes_nothing_from_the_others():
    harmful = replace(SMALL, promise=replace(SMALL.promise, low=-9.0, high=-1.0))
    assert expected_gain((DROPOUT, harmful), ACCURACY) == 4.0
    assert expected_gain((DROPOUT, UNSAID), ACCURACY) is None
