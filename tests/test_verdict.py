"""decide() and choose(): what the data say of a prediction, and what follows for the champion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.comparison import Noise, NoValue
from surefoot.plan import Prediction, Rule
from surefoot.run import Metric
from surefoot.stats.factorial import contrasts
from surefoot.stats.noise import Prior
from surefoot.stats.sequential import race_thresholds
from surefoot.verdict import Answer, Cause, Decision, End, Verdict, choose, decide, decide_contrast, identical

GAIN, LOSS = Metric(name="score", goal="maximize"), Metric(name="loss", goal="minimize")
NOISE = Noise(floor_sd=1.0, floor_n=8, paired=Prior(df=20.0, variance=1.0, sets=20), correlation=0.5)
NEW = Noise(floor_sd=1.0, floor_n=5)
RULE = Rule()
DIVERGED, LOST = NoValue.DIVERGED, NoValue.LOST
# Eight differences of mean 0 and variance 1, whose first 3 and first 5 also have a mean near 0.
JITTER = (0.9, -1.1, 0.2, -0.8, 0.9, 1.2, -1.4, 0.1)
BASE = (10.0, 11.5, 9.0, 10.2, 10.8, 9.7, 11.1, 10.4)


def predicted(relation: str = "better", **rest) -> Prediction:
    return Prediction(arm="arm", metric="score", relation=relation, **rest)


def gains(mean: float, spread: float = 1.0, n: int = 8) -> list[float]:
    return [mean + spread * j for j in JITTER[:n]]


def judged(differences, prediction=None, **rest) -> Verdict:
    """The verdict on an arm that differs from the champion so much, seed by seed."""
    n = len(differences)
    champion = (BASE * 3)[:n]
    arm = [d if isinstance(d, NoValue) else b + d for b, d in zip(champion, differences, strict=True)]
    given_ = {"metric": GAIN, "rule": RULE, "noise": NOISE, **rest}
    return decide(prediction or predicted(), arm, champion, **given_)


def test_a_clear_gain_is_supported_and_adopted_at_the_first_look():
    found = judged(gains(3.0))
    assert (found.answer, found.decision, found.end, found.n) == (Answer.SUPPORTED, Decision.ADOPT, End.ABOVE, 3)
    assert found.threshold == race_thresholds(RULE.looks, 0.05, 20.0)[0]
    assert found.p <= found.threshold
    assert found.is_settled and found.wanted == 0


def test_the_numbers_are_those_of_the_look_that_settled_it():
    found = judged(gains(3.0))
    assert found.estimate == pytest.approx(np.mean(gains(3.0)[:3]))
    assert found.interval[0] < found.estimate < found.interval[1]
    assert len(found.arm_values) == 8
    assert found.correlation == pytest.approx(np.corrcoef(found.arm_values[:3], found.champion_values[:3])[0, 1])


def test_support_needs_the_gain_to_exceed_what_was_predicted():
    assert judged(gains(3.0), predicted(by=1.0)).answer is Answer.SUPPORTED
    assert judged(gains(3.0), predicted(by=2.9)).answer is Answer.INCONCLUSIVE
    assert judged(gains(3.0), predicted(by=2.9)).decision is Decision.ADOPT


def test_a_gain_shown_to_be_smaller_than_predicted_refutes():
    found = judged(gains(1.0), predicted(by=6.0))
    assert (found.answer, found.cause, found.end) == (Answer.REFUTED, Cause.NONE, End.BELOW)


def test_a_loser_refutes_better_and_supports_worse():
    assert judged(gains(-4.0)).answer is Answer.REFUTED
    assert judged(gains(-4.0)).decision is Decision.KEEP
    found = judged(gains(-4.0), predicted("worse"))
    assert (found.answer, found.decision) == (Answer.SUPPORTED, Decision.KEEP)
    assert judged(gains(4.0), predicted("worse")).answer is Answer.REFUTED
    assert judged(gains(-4.0), predicted("worse", by=9.0)).answer is Answer.REFUTED


@pytest.mark.parametrize("relation", ["better", "worse", "same", "between"])
@pytest.mark.parametrize("mean", [-4.0, -0.7, 0.0, 0.7, 4.0])
def test_a_minimised_metric_mirrors_a_maximised_one(relation, mean):
    up = predicted(relation, low=-1.0, high=2.0, within=1.5)
    down = predicted(relation, low=-2.0, high=1.0, within=1.5)
    champion = list(BASE)
    arm = [b + d for b, d in zip(BASE, gains(mean), strict=True)]
    maximised = decide(up, arm, champion, metric=GAIN, rule=RULE, noise=NOISE)
    minimised = decide(down, [-a for a in arm], [-c for c in champion], metric=LOSS, rule=RULE, noise=NOISE)
    assert (minimised.answer, minimised.cause, minimised.decision) == (
        maximised.answer,
        maximised.cause,
        maximised.decision,
    )
    assert (minimised.p, minimised.gain) == (pytest.approx(maximised.p), pytest.approx(maximised.gain))
    assert minimised.estimate == pytest.approx(-maximised.estimate)
    assert minimised.interval == pytest.approx((-maximised.interval[1], -maximised.interval[0]))


def test_a_middling_gain_is_adopted_to_explore_on_though_nothing_is_shown():
    found = judged(gains(0.5))
    assert (found.answer, found.cause) == (Answer.INCONCLUSIVE, Cause.UNDERPOWERED)
    assert (found.decision, found.end, found.n) == (Decision.ADOPT, End.SPENT, 8)
    assert found.detectable == pytest.approx(0.9, abs=0.15)
    assert found.more_seeds >= 1


def test_a_promising_gain_that_spends_the_race_asks_for_a_repeat():
    found = judged(gains(0.33))
    assert (found.answer, found.decision, found.end) == (Answer.INCONCLUSIVE, Decision.REPEAT, End.SPENT)
    assert found.more_seeds >= 1


def test_the_detectable_effect_and_the_missing_seeds_stand_beside_no_difference_shown():
    found = judged(gains(0.0))
    assert found.answer is Answer.INCONCLUSIVE
    assert found.detectable > 0 and found.more_seeds > 0


def test_differences_smaller_than_worthwhile_are_equivalent():
    found = judged(gains(0.0, 0.1), metric=Metric(name="score", goal="maximize", min_effect=0.5), noise=NEW)
    assert (found.answer, found.cause, found.more_seeds) == (Answer.INCONCLUSIVE, Cause.EQUIVALENT, None)


def test_a_tiny_gain_is_not_adopted_however_sure():
    metric = Metric(name="score", goal="maximize", min_effect=0.5)
    found = judged(gains(0.2, 0.01), metric=metric, noise=NEW)
    assert (found.answer, found.decision) == (Answer.SUPPORTED, Decision.KEEP)
    assert judged(gains(0.6, 0.01), metric=metric, noise=NEW).decision is Decision.ADOPT


def test_a_hopeless_race_stops_at_the_first_look():
    found = judged(gains(-0.6))
    assert (found.end, found.n, found.answer) == (End.FUTILE, 3, Answer.INCONCLUSIVE)
    assert found.is_settled


@pytest.mark.parametrize(("n", "wanted"), [(0, 3), (1, 3), (2, 3), (3, 5), (4, 5), (5, 8), (7, 8)])
def test_an_open_race_asks_for_its_next_look(n, wanted):
    found = judged(gains(0.33, n=n))
    assert (found.end, found.wanted, found.is_settled) == (End.WAITING, wanted, False)
    assert found.decision is Decision.KEEP


def test_seeds_between_two_looks_change_nothing():
    three, four = judged(gains(0.33, n=3)), judged([*gains(0.33, n=3), 50.0])
    assert (four.answer, four.p, four.n, four.wanted) == (three.answer, three.p, three.n, three.wanted)


def test_seeds_after_the_races_end_are_not_tested():
    short = judged(gains(3.0, n=3))
    for more in ([-50.0, -60.0], [-50.0, DIVERGED, -55.0, LOST, -70.0]):
        found = judged([*gains(3.0, n=3), *more])
        assert (found.answer, found.p, found.n, found.decision) == (short.answer, short.p, 3, short.decision)


@given(st.lists(st.floats(-100, 100) | st.sampled_from(list(NoValue)), max_size=6))
def test_adding_seeds_after_the_last_look_changes_nothing(more):
    spent = judged(gains(0.33))
    found = judged([*gains(0.33), *more])
    assert (found.answer, found.p, found.n, found.decision) == (spent.answer, spent.p, 8, spent.decision)


# A mean of nothing is a tie that rounding decides, and sums in another order round otherwise.
MEANS = st.floats(-3, 3).filter(lambda mean: abs(mean) > 1e-9)


@given(st.permutations(range(3)), st.permutations(range(2)), st.permutations(range(3)), MEANS)
def test_the_order_of_seeds_within_a_look_does_not_matter(first, second, third, mean):
    order = [*first, *(3 + k for k in second), *(5 + k for k in third)]
    plain = gains(mean)
    found, shuffled = judged(plain), judged([plain[i] for i in order])
    assert (shuffled.answer, shuffled.n, shuffled.decision) == (found.answer, found.n, found.decision)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
@pytest.mark.parametrize("mean", [-4.0, 0.0, 0.5, 3.0])
def test_the_unit_of_the_metric_does_not_matter(unit, mean):
    arm = [unit * (b + d) for b, d in zip(BASE, gains(mean), strict=True)]
    scaled = Noise(floor_sd=unit, floor_n=8, paired=Prior(df=20.0, variance=unit**2), correlation=0.5)
    found = decide(predicted(), arm, [unit * b for b in BASE], metric=GAIN, rule=RULE, noise=scaled)
    plain = judged(gains(mean))
    assert (found.answer, found.decision, found.n) == (plain.answer, plain.decision, plain.n)
    assert found.p == pytest.approx(plain.p, rel=1e-6)


def test_a_new_study_is_judged_without_a_prior():
    found = judged(gains(3.0, 0.3), noise=NEW)
    assert (found.answer, found.method) == (Answer.SUPPORTED, "paired t")


def test_pairs_measured_not_to_share_are_judged_as_two_samples():
    noise = Noise(floor_sd=1.0, floor_n=8, single=Prior(df=10.0, variance=1.0), correlation=0.1)
    assert judged(gains(4.0), noise=noise).method == "two-sample moderated t"
    assert judged(gains(4.0), noise=Noise(floor_sd=1.0, floor_n=8, correlation=0.0)).method == "Welch's t"


def test_the_screen_drops_a_bad_first_seed_and_nothing_else():
    found = judged([-1.2], is_screened=True)
    assert (found.end, found.answer, found.n, found.decision) == (
        End.SCREENED,
        Answer.INCONCLUSIVE,
        1,
        Decision.KEEP,
    )
    assert "worse, more than one standard deviation" in found.reason
    assert judged([-0.8], is_screened=True).wanted == 3
    assert judged([], is_screened=True).wanted == 1
    assert judged([-1.2], is_screened=False).wanted == 3
    assert judged([-1.2], is_screened=True, noise=Noise()).wanted == 3


def test_what_was_screened_out_stays_out():
    assert judged([-1.2, *gains(9.0)], is_screened=True).end is End.SCREENED


def test_one_divergence_more_than_the_champion_is_not_adoptable():
    found = judged([5.0, DIVERGED, 5.5])
    assert (found.end, found.answer, found.decision) == (End.DIVERGED, Answer.INCONCLUSIVE, Decision.KEEP)
    assert found.is_settled and "diverged on 1 more of 3 seeds" in found.reason


def test_two_divergences_more_refute():
    assert judged([5.0, DIVERGED, DIVERGED]).answer is Answer.REFUTED
    assert judged([DIVERGED] * 3).answer is Answer.REFUTED
    assert judged([DIVERGED] * 3, predicted("worse")).answer is Answer.SUPPORTED


def test_a_divergence_in_both_arms_is_no_excess():
    arm, champion = [DIVERGED, 14.0, 15.1, 13.8, 14.1], [DIVERGED, 10.0, 11.0, 10.0, 10.2]
    found = decide(predicted(), arm, champion, metric=GAIN, rule=RULE, noise=NOISE)
    assert (found.answer, found.n) == (Answer.SUPPORTED, 2)


def test_a_lost_seed_drops_its_pair_and_counts_for_nobody():
    found = judged([3.0, LOST, 3.3, 3.4, 2.9])
    assert (found.answer, found.n, found.end) == (Answer.SUPPORTED, 2, End.ABOVE)


def test_too_few_values_are_untestable():
    found = judged([LOST, 3.0, *[LOST] * 6])
    assert (found.end, found.answer, found.n) == (End.UNTESTABLE, Answer.INCONCLUSIVE, 1)
    assert found.is_settled and "fewer than two seeds" in found.reason


def test_an_arm_that_lags_behind_the_champion_waits():
    found = decide(predicted(), [13.0, 14.0], BASE, metric=GAIN, rule=RULE, noise=NOISE)
    assert (found.wanted, len(found.champion_values)) == (3, 2)


@pytest.mark.parametrize("relation", ["better", "worse", "same", "between"])
def test_the_same_gain_on_every_seed_proves_nothing_where_no_noise_was_measured(relation):
    found = judged([0.5] * 8, predicted(relation, low=0.0, high=1.0, within=1.0), noise=Noise())
    assert (found.answer, found.end, found.decision) == (Answer.INCONCLUSIVE, End.UNTESTABLE, Decision.KEEP)
    assert found.reason.endswith("no noise of it was measured and no error rate can be stated")
    assert found.p is None and found.gain == pytest.approx(0.5)


def test_a_training_that_ignores_its_seed_is_asked_about_it():
    found = decide(predicted(), [1.5] * 8, [1.0] * 8, metric=GAIN, rule=RULE, noise=Noise())
    assert found.reason.endswith("does the training use its seed?")


def test_the_same_gain_on_three_seeds_only_asks_for_more():
    found = judged([0.5] * 3, noise=Noise())
    assert (found.end, found.wanted) == (End.WAITING, 5)


def test_the_same_gain_on_every_seed_counts_beside_a_measured_noise():
    assert judged([3.0] * 8).answer is Answer.SUPPORTED


@pytest.mark.parametrize("by", [0.0, 1.0])
def test_an_arm_equal_to_the_champion_on_every_seed_changes_nothing(by):
    found = judged([0.0] * 8, predicted(by=by), noise=Noise())
    assert (found.answer, found.cause, found.decision) == (Answer.INCONCLUSIVE, Cause.EQUIVALENT, Decision.KEEP)
    assert "nothing was changed" in found.reason


def test_an_arm_equal_to_the_champion_on_every_seed_is_the_same():
    assert judged([0.0] * 8, predicted("same", within=0.1), noise=Noise()).answer is Answer.SUPPORTED


def test_same_is_shown_by_two_one_sided_tests_at_the_last_look():
    assert judged(gains(0.0), predicted("same", within=1.5)).answer is Answer.SUPPORTED
    found = judged(gains(0.0), predicted("same", within=0.3))
    assert (found.answer, found.cause) == (Answer.INCONCLUSIVE, Cause.UNDERPOWERED)
    assert found.more_seeds > 8 and "two one-sided tests" in found.method
    assert judged(gains(4.0), predicted("same", within=1.5)).answer is Answer.REFUTED
    assert judged(gains(-4.0), predicted("same", within=1.5)).answer is Answer.REFUTED
    assert judged(gains(0.0, n=5), predicted("same", within=1.5)).wanted == 8


def test_same_takes_its_reach_from_the_smallest_effect_worth_having():
    worthwhile = Metric(name="score", goal="maximize", min_effect=1.5)
    assert judged(gains(0.0), predicted("same"), metric=worthwhile).answer is Answer.SUPPORTED
    assert judged(gains(0.0), predicted("same")).answer is Answer.INCONCLUSIVE


def test_between_bounds_the_difference_as_it_is():
    assert judged(gains(2.0), predicted("between", low=0.5, high=3.5)).answer is Answer.SUPPORTED
    assert judged(gains(2.0), predicted("between", low=-3.5, high=-0.5)).answer is Answer.REFUTED
    assert judged(gains(2.0), predicted("between", low=1.9, high=2.1)).answer is Answer.INCONCLUSIVE
    falling = decide(
        predicted("between", low=-3.5, high=-0.5),
        [b + d for b, d in zip(BASE, gains(-2.0), strict=True)],
        BASE,
        metric=LOSS,
        rule=RULE,
        noise=NOISE,
    )
    assert (falling.answer, falling.estimate < 0, falling.gain > 0) == (Answer.SUPPORTED, True, True)


def test_a_confounded_comparison_keeps_its_numbers_and_decides_nothing():
    plain, found = judged(gains(3.0)), judged(gains(3.0), confounds=("steps 300 and 500",))
    assert (found.answer, found.cause, found.decision) == (Answer.INCONCLUSIVE, Cause.CONFOUNDED, Decision.KEEP)
    assert (found.estimate, found.p, found.n) == (plain.estimate, plain.p, plain.n)
    assert "steps 300 and 500" in found.reason and found.confounds == ("steps 300 and 500",)


def test_an_open_race_is_not_yet_confounded():
    assert judged(gains(0.33, n=3), confounds=("steps",)).end is End.WAITING


def test_an_arm_that_became_the_champion_is_equivalent():
    found = identical(predicted())
    assert (found.cause, found.end, found.decision, found.is_settled) == (
        Cause.EQUIVALENT,
        End.IDENTICAL,
        Decision.KEEP,
        True,
    )


def test_a_stricter_rule_adopts_less():
    strict = Rule(adopt_alpha=0.05)
    assert judged(gains(0.5)).decision is Decision.ADOPT
    assert judged(gains(0.5), rule=strict).decision is not Decision.ADOPT
    assert judged(gains(0.5), rule=RULE.respent(2)).decision is not Decision.ADOPT


def arm_of(mean: float) -> Verdict:
    """An arm with a jitter of its own: arms that differ by a constant measure no noise."""
    jitter = np.roll(JITTER, round(10 * mean)).tolist()
    return judged([mean + 0.1 * j for j in jitter], noise=NEW)


def chosen(cost=None, **verdicts: Verdict):
    return choose(verdicts, metric=GAIN, rule=RULE, noise=NEW, cost=cost)


def test_the_largest_gain_is_chosen():
    found = chosen(small=arm_of(1.0), large=arm_of(3.0))
    assert (found.decision, found.arm, found.reason) == (Decision.ADOPT, "large", "the largest gain")


def test_of_a_tie_the_cheaper_is_chosen():
    dear, cheap = arm_of(1.02), judged([v * 1.0 for v in reversed(gains(1.0, 0.1))], noise=NEW)
    found = chosen({"dear": [2.0, 2.2], "cheap": [0.9, 1.0]}, dear=dear, cheap=cheap)
    assert (found.arm, found.decision) == ("cheap", Decision.ADOPT)
    assert "50 % cheaper" in found.reason
    assert chosen({"dear": [1.02], "cheap": [1.0]}, dear=dear, cheap=cheap).arm == "dear"
    # One slow run on a busy machine is no reason, whatever the means.
    assert chosen({"dear": [1.0, 9.0], "cheap": [0.7, 1.1]}, dear=dear, cheap=cheap).arm == "dear"
    assert "cannot be told apart from cheap" in chosen(dear=dear, cheap=cheap).reason


def test_a_cheaper_arm_that_is_clearly_worse_is_not_chosen():
    assert chosen({"small": [0.1], "large": [2.0]}, small=arm_of(1.0), large=arm_of(3.0)).arm == "large"


@pytest.mark.parametrize(
    "cost",
    [{"cheap": [0.5]}, {"dear": [0.0], "cheap": [0.0]}, {"dear": [0.0], "cheap": [1.0]}, {"dear": [], "cheap": []}, {}],
)
def test_an_unknown_cost_decides_nothing(cost):
    dear, cheap = arm_of(1.02), judged(list(reversed(gains(1.0, 0.1))), noise=NEW)
    assert chosen(cost, dear=dear, cheap=cheap).arm == "dear"


def test_without_an_adoptable_arm_the_champion_stays_or_the_nearest_repeats():
    assert chosen(null=judged(gains(-0.5))).decision is Decision.KEEP
    found = chosen(null=judged(gains(-0.5)), hopeful=judged(gains(0.33)))
    assert (found.decision, found.arm) == (Decision.REPEAT, "hopeful")
    assert found.more_seeds == judged(gains(0.33)).more_seeds
    assert chosen().decision is Decision.KEEP


TWO = (("norm", ("none", "batch")), ("dropout", (0.0, 0.1)))


def cells(norm: float, dropout: float, both: float, seeds: int = 8) -> dict:
    rng = np.random.default_rng(12)
    seed_effect = rng.standard_normal(seeds)
    return {
        (n, d): [
            norm * (n == "batch") + dropout * (d > 0) + both * (n == "batch" and d > 0) + s + 0.1 * e
            for s, e in zip(seed_effect, rng.standard_normal(seeds), strict=True)
        ]
        for n in ("none", "batch")
        for d in (0.0, 0.1)
    }


def interaction(table: dict, noise: Noise = NEW, **rest) -> Verdict:
    prediction = Prediction(interaction=("norm", "dropout"), metric="score", relation="better", **rest)
    return decide_contrast(prediction, contrasts(TWO)[2], table, metric=GAIN, rule=RULE, noise=noise)


def test_an_interaction_is_found_where_the_changes_help_each_other():
    found = interaction(cells(1.0, -0.5, 2.0))
    assert (found.answer, found.decision) == (Answer.SUPPORTED, Decision.KEEP)
    assert found.estimate == pytest.approx(2.0, abs=0.3)
    assert found.interval[0] < 2.0 < found.interval[1]


def test_two_changes_that_only_add_up_have_no_interaction():
    assert interaction(cells(1.0, 2.0, 0.0)).answer is not Answer.SUPPORTED
    assert interaction(cells(1.0, 1.0, -2.0)).answer is Answer.REFUTED


def test_a_main_effect_is_averaged_over_the_other_factor():
    prediction = Prediction(main="norm", metric="score", relation="better", by=0.5)
    found = decide_contrast(prediction, contrasts(TWO)[0], cells(1.0, 0.3, 0.4), metric=GAIN, rule=RULE, noise=NEW)
    assert found.answer is Answer.SUPPORTED
    assert found.estimate == pytest.approx(1.2, abs=0.2)


def test_a_contrasts_prior_is_scaled_to_its_noise():
    noise = Noise(floor_sd=1.0, floor_n=8, paired=Prior(df=1e9, variance=0.02), correlation=0.9)
    found = interaction(cells(1.0, -0.5, 2.0), noise=noise)
    assert found.sd_of_difference == pytest.approx((2 * 0.02) ** 0.5, rel=1e-6)


def test_a_seed_lost_in_one_cell_is_lost_to_the_contrast():
    table = cells(1.0, -0.5, 2.0)
    table["batch", 0.1][0] = LOST
    table["none", 0.0][1] = DIVERGED
    assert [v is LOST for v in interaction(table).arm_values[:3]] == [True, True, False]


def test_the_shortest_cell_bounds_the_contrast():
    table = cells(1.0, -0.5, 2.0)
    table["batch", 0.1] = table["batch", 0.1][:2]
    assert interaction(table).wanted == 3


def test_an_arm_that_lost_its_seeds_is_not_adopted_on_those_that_are_left():
    left = [NoValue.LOST if i in (1, 3, 4) else gain for i, gain in enumerate(gains(3.0))]
    found = judged(left)
    assert found.decision is Decision.KEEP
    assert "lost more of its seeds than the champion" in found.reason
    one_lost = [NoValue.LOST if i == 7 else gain for i, gain in enumerate(gains(0.8, 0.5))]
    assert judged(one_lost).decision is Decision.ADOPT


def test_a_contrast_of_cells_of_which_one_diverges_is_not_supported():
    table = {cell: list(values) for cell, values in cells(3.0, 3.0, 3.0).items()}
    last = list(table)[-1]
    table[last][0] = table[last][2] = NoValue.DIVERGED
    predicted_main = Prediction(main="a", metric="score", relation="better")
    found = decide_contrast(predicted_main, contrasts(TWO)[0], table, metric=GAIN, rule=RULE, noise=NEW)
    assert (found.answer, found.end) == (Answer.INCONCLUSIVE, End.DIVERGED)
    assert "some cells diverged" in found.reason
