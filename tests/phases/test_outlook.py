"""Outlook: the decision after a round goes by the engine's verdicts, and says its numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from phase_cases import ACCURACY, DECAY, DROPOUT, FLIP, round_of
from scipy import stats

from surefoot.phases.outlook import outlook
from surefoot.run import Metric
from surefoot.thresholds import Thresholds

BELOW = (72.0, 72.6, 71.8)
LOSS = Metric(name="val_loss", goal="minimize", target=0.5, min_effect=0.01)
KEPT = {"adopted": "", "gain": None, "interval": None, "n": 0}


def decided(*rounds, **changes):
    given = {
        "metric": ACCURACY,
        "champion_values": BELOW,
        "target": 75.0,
        "rounds_allowed": 3,
        "thresholds": Thresholds(),
        "remaining": (FLIP,),
        "hours_used": 1.0,
        "hours_allowed": 12.0,
        "hours_per_round": 1.0,
    }
    return outlook(rounds, **{**given, **changes})


def test_a_champion_beyond_its_target_is_finalised():
    found = decided(round_of(), champion_values=(76.0, 76.4, 76.2))
    low, high = stats.t.interval(0.95, 2, loc=76.2, scale=stats.sem([76.0, 76.4, 76.2]))
    assert found.turn == "finalise"
    assert f"76.20 % (95 % {low:.2f} … {high:.2f}, 3 seeds) has reached the target 75 %" in found.because
    assert found.because.endswith("the interval lies beyond it.")


def test_a_target_within_the_noise_is_said_to_be_so():
    found = decided(round_of(), champion_values=(75.0, 76.4, 74.2))
    assert found.turn == "finalise"
    assert found.because.endswith("the interval holds it, so that it may be missed.")


def test_one_seed_tells_no_more_than_one_seed():
    found = decided(round_of(), champion_values=(75.0,))
    assert found.turn == "finalise"
    assert found.because.endswith("as far as one seed can tell.")


def test_a_target_beats_every_other_rule():
    assert decided(round_of(), champion_values=(80.0, 81.0), rounds_allowed=1, remaining=()).turn == "finalise"


def test_a_gain_below_the_target_with_something_left_is_followed_by_another_round():
    found = decided(round_of())
    assert found.turn == "iterate"
    assert found.because == (
        "2.867 pp short of the target 75 %: round 1 gained +5.10 pp (95 % +4.20 … +6.00, 3 pairs), "
        "and 1 recommendation and 2 rounds are left."
    )


def test_a_round_that_adopted_nothing_is_followed_by_a_diagnosis():
    found = decided(round_of(**KEPT))
    assert found.turn == "diagnose"
    assert "round 1 adopted nothing" in found.because


def test_before_any_round_the_cause_is_asked_for():
    assert decided().turn == "diagnose"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rounds_allowed": 1}, "the 1 round allowed is done"),
        ({"hours_used": 12.0}, "12.0 of 12 hours are used"),
        ({"hours_used": 11.5}, "a round takes about 1.0 hours, and 0.5 of 12 are left"),
        ({"remaining": ()}, "every recommendation that can be applied has been tried"),
        ({"thresholds": Thresholds(gain_per_hour=3.0)}, "promises +2.5 pp an hour of training, under 3 pp"),
    ],
)
def test_what_is_used_up_makes_the_ceiling(changes, says):
    for last in (round_of(), round_of(**KEPT)):
        found = decided(last, **changes)
        assert found.turn == "ceiling"
        assert says in found.because


def test_two_small_gains_in_a_row_are_the_ceiling():
    small = [round_of(i, gain=1.4, interval=(0.6, 2.2)) for i in (1, 2)]
    found = decided(*small)
    assert found.turn == "ceiling"
    assert "the last 2 rounds gained +1.40 pp (95 % +0.60 … +2.20, 3 pairs) and +1.40 pp" in found.because
    assert found.because.endswith("under 2 pp each.")
    assert decided(small[0]).turn == "iterate", "one is not enough"
    assert decided(small[0], round_of(2)).turn == "iterate", "the last one gained more"
    assert decided(round_of(1), small[1]).turn == "iterate", "so did the one before"


def test_two_rounds_without_adoption_are_the_ceiling():
    found = decided(round_of(1, **KEPT), round_of(2, **KEPT))
    assert found.turn == "ceiling"
    assert "gained nothing and nothing" in found.because


def test_the_estimate_counts_and_not_how_far_it_lies_from_its_spread():
    """Mean − 2 sd would call this gain none; the engine adopted it, and that is what counts."""
    wide = round_of(gain=4.0, interval=(0.1, 7.9))
    assert decided(wide, champion_values=(70.0, 78.0, 68.0)).turn == "iterate"


def test_other_units_diminish_by_the_smallest_effect_worth_having():
    rounds = [round_of(i, gain=0.005, interval=(0.001, 0.009)) for i in (1, 2)]
    below = {"metric": LOSS, "target": 0.5, "champion_values": (0.61, 0.6), "remaining": (replace(FLIP, promise=None),)}
    assert decided(*rounds, **below).turn == "ceiling"
    better = [round_of(i, gain=0.05, interval=(0.04, 0.06)) for i in (1, 2)]
    assert decided(*better, **below).turn == "iterate"
    nothing_known = {**below, "metric": replace(LOSS, min_effect=None)}
    assert decided(*rounds, **nothing_known).turn == "iterate", "nobody said what is small"


def test_a_promise_nobody_can_make_is_worth_a_try():
    strict = Thresholds(gain_per_hour=50.0)
    assert decided(round_of(), remaining=(DROPOUT, DECAY), thresholds=strict).turn == "ceiling"
    assert decided(round_of(), remaining=(DROPOUT, replace(DECAY, promise=None)), thresholds=strict).turn == "iterate"


def test_without_a_target_rounds_go_on_until_something_is_used_up():
    assert decided(round_of(), target=None).turn == "iterate"
    assert decided(round_of(), target=None).because.startswith("Round 1 gained")
    assert decided(round_of(), target=None, remaining=()).turn == "ceiling"
