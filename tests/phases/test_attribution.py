"""Attribution: arms with one change alone and without one say which of them did the work."""

from __future__ import annotations

import pytest
from phase_cases import ACCURACY, DROPOUT, LOSS

from surefoot.comparison import Noise
from surefoot.phases.attribution import Effect, attribution, effect_alone, effect_within
from surefoot.plan import Prediction, Rule
from surefoot.run import Metric
from surefoot.stats.power import detectable_effect
from surefoot.verdict import decide

UP = Effect(gain=3.0, interval=(2.0, 4.0), n=5)
DOWN = Effect(gain=-3.0, interval=(-4.0, -2.0), n=5)
OPEN = Effect(gain=0.8, interval=(-1.0, 2.6), n=5, detectable=2.1)
NONE = Effect(gain=0.1, interval=(-0.2, 0.4), n=5, detectable=0.3)


def says(alone, within, metric=ACCURACY):
    return attribution(DROPOUT, alone=alone, within=within, metric=metric).says


@pytest.mark.parametrize(
    ("alone", "within", "conclusion"),
    [
        (UP, UP, "did the work, or its part of it"),
        (UP, OPEN, "works alone, and is not shown to add to the others"),
        (OPEN, UP, "works together with the others, and is not shown to alone"),
        (UP, DOWN, "helps alone and harms beside the others"),
        (DOWN, UP, "helps beside the others and harms alone"),
        (DOWN, OPEN, "did harm"),
        (OPEN, DOWN, "did harm"),
        (NONE, NONE, "adds nothing worth having"),
        (NONE, OPEN, "could not be told (underpowered: 5 pairs would show 2.1 pp or more)"),
        (OPEN, NONE, "could not be told (underpowered: 5 pairs would show 2.1 pp or more)"),
        (OPEN, OPEN, "could not be told (underpowered: 5 pairs would show 2.1 pp or more)"),
        (UP, None, "did the work on its own"),
        (None, UP, "did the work, or its part of it"),
        (None, DOWN, "did harm"),
        (OPEN, None, "could not be told (underpowered: 5 pairs would show 2.1 pp or more)"),
        (None, NONE, "adds nothing worth having"),
        (None, None, "was not measured apart from the others"),
    ],
)
def test_the_conclusion_goes_by_the_intervals(alone, within, conclusion):
    assert says(alone, within).startswith(f"dropout 0.4 {conclusion}")


def test_nothing_is_concluded_of_nothing_where_nobody_said_what_is_worth_having():
    assert "could not be told" in says(NONE, NONE, Metric(name="val_accuracy", goal="maximize", unit="%"))


def test_the_numbers_stand_beside_the_conclusion():
    told = says(UP, UP)
    assert "alone +3.0 pp (95 % +2.0 … +4.0, 5 pairs)" in told
    assert "taken away from all of them −3.0 pp (95 % −4.0 … −2.0, 5 pairs)" in told


def test_a_gain_on_a_loss_is_told_as_the_loss_went():
    assert "alone −3.0 (95 % −4.0 … −2.0, 5 pairs)" in says(UP, None, LOSS)


def test_both_measurements_are_kept_as_gains_of_having_the_change():
    found = attribution(DROPOUT, alone=UP, within=OPEN, metric=ACCURACY)
    assert (found.alone, found.alone_interval, found.alone_n) == (3.0, (2.0, 4.0), 5)
    assert (found.within, found.within_interval, found.within_n) == (0.8, (-1.0, 2.6), 5)
    assert (found.recommendation, found.title) == ("R1", "dropout 0.4")


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
def test_an_arm_without_the_change_counts_the_other_way_round(metric):
    better = [metric.sign * x for x in (3.0, 3.2, 2.7, 3.1)]
    champion = [metric.sign * x for x in (0.0, 0.1, -0.1, 0.05)]
    rule = Rule(looks=(4,))
    with_it = decide(_asked("better", metric), better, champion, metric=metric, rule=rule, noise=Noise())
    without = decide(_asked("worse", metric), champion, better, metric=metric, rule=rule, noise=Noise())
    alone, within = effect_alone(with_it, metric), effect_within(without, metric)
    assert alone is not None and within is not None
    assert alone.gain == pytest.approx(2.9875) == within.gain
    assert alone.interval == pytest.approx(within.interval)
    assert alone.is_shown and within.is_shown


def test_a_gain_that_the_engine_found_is_shown_though_its_interval_touches_zero():
    """A one-sided test at .05 and a two-sided interval of 95 % need not agree."""
    verdict = decide(
        _asked("better", ACCURACY), [3.0, 5.0, 1.4], [0.0] * 3, metric=ACCURACY, rule=Rule(looks=(3,)), noise=Noise()
    )
    effect = effect_alone(verdict, ACCURACY)
    assert effect is not None and effect.interval[0] < 0 < effect.gain
    assert verdict.answer == "SUPPORTED" and effect.is_shown


def _asked(relation, metric):
    return Prediction(arm="dropout", metric=metric.name, relation=relation)


def test_a_verdict_without_a_value_measures_nothing():
    waiting = decide(_asked("better", ACCURACY), [], [], metric=ACCURACY, rule=Rule(), noise=Noise())
    assert effect_alone(waiting, ACCURACY) is None


def test_what_so_many_pairs_would_show_is_worked_out_from_the_interval_where_nobody_said():
    sd, n = 2.0, 5
    reach = 2.7764451051977987 * sd / n**0.5  # t of 4 degrees of freedom at .975
    told = says(None, Effect(gain=0.5, interval=(0.5 - reach, 0.5 + reach), n=n))
    assert f"5 pairs would show {detectable_effect(sd, n, n - 1):.1f} pp or more" in told
