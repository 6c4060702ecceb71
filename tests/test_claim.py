"""confirm(): only what shows again on fresh seeds is a claim, and all claims share one error rate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from surefoot.claim import Step, confirm
from surefoot.comparison import Noise, NoValue
from surefoot.plan import Rule
from surefoot.run import Metric
from surefoot.stats.multiplicity import holm

GAIN, LOSS = Metric(name="score", goal="maximize"), Metric(name="loss", goal="minimize")
NOISE = Noise(floor_sd=1.0, floor_n=8)
BEFORE = (10.0, 11.5, 9.0, 10.2, 10.8, 9.7, 11.1, 10.4)
JITTER = (0.9, -1.1, 0.2, -0.8, 0.9, 1.2, -1.4, 0.1)


def step(gain: float, name: str = "step", spread: float = 1.0, **rest) -> Step:
    after = tuple(b + gain + spread * j for b, j in zip(BEFORE, JITTER, strict=True))
    given = {"before_values": BEFORE, "after_values": after, **rest}
    return Step(name=name, before="baseline", after=name, **given)


def confirmed(*steps: Step, metric: Metric = GAIN, noise: Noise = NOISE):
    return confirm(steps, metric=metric, rule=Rule(), noise=noise)


def test_a_gain_that_shows_again_is_a_claim():
    (claim,) = confirmed(step(2.0))
    wanted = stats.ttest_rel(step(2.0).after_values, BEFORE, alternative="greater")
    assert claim.is_confirmed and claim.reason == ""
    assert claim.p == pytest.approx(wanted.pvalue, rel=1e-12)
    assert claim.p_adjusted == claim.p
    assert claim.interval == pytest.approx(tuple(stats.ttest_rel(step(2.0).after_values, BEFORE).confidence_interval()))
    assert (claim.n, claim.wins, claim.is_meaningful) == (8, 8, True)


def test_a_gain_that_does_not_show_again_is_none():
    (claim,) = confirmed(step(0.1))
    assert not claim.is_confirmed
    assert claim.reason == "the gain did not show again on fresh seeds"
    assert claim.estimate is not None and claim.detectable > 0


def test_the_claims_of_a_report_share_their_error_by_holm():
    steps = [step(g, name=f"s{g}") for g in (2.0, 0.75, 0.7, 0.0)]
    claims = confirmed(*steps)
    assert [c.p_adjusted for c in claims] == pytest.approx(holm([c.p for c in claims]))
    alone = confirmed(steps[1])[0]
    assert alone.is_confirmed and not claims[1].is_confirmed
    assert [c.step.name for c in claims] == [s.name for s in steps]


def test_a_smaller_loss_is_a_gain():
    mirrored = Step(
        name="s",
        before="a",
        after="b",
        before_values=tuple(-v for v in BEFORE),
        after_values=tuple(-v for v in step(2.0).after_values),
    )
    up, down = confirmed(step(2.0))[0], confirmed(mirrored, metric=LOSS)[0]
    assert down.is_confirmed and down.p == pytest.approx(up.p, rel=1e-9)
    assert down.estimate == pytest.approx(-up.estimate)
    assert down.interval == pytest.approx((-up.interval[1], -up.interval[0]))
    assert down.wins == up.wins


def test_a_divergence_more_than_before_is_no_claim():
    after = (NoValue.DIVERGED, *step(5.0).after_values[1:])
    (claim,) = confirmed(step(5.0, after_values=after))
    assert not claim.is_confirmed and "diverged on more" in claim.reason
    assert claim.n == 7


def test_a_confounded_step_is_no_claim():
    (claim,) = confirmed(step(5.0, confounds=("steps 300 and 500",)))
    assert not claim.is_confirmed and claim.reason == "confounded: steps 300 and 500"
    assert claim.estimate == pytest.approx(5.0, abs=0.5)


def test_a_lost_seed_leaves_the_other_pairs():
    after = (NoValue.LOST, *step(2.0).after_values[1:])
    (claim,) = confirmed(step(2.0, after_values=after))
    assert claim.is_confirmed and claim.n == 7


def test_without_two_values_there_is_no_claim_and_no_share_of_the_error():
    empty = step(2.0, name="empty", after_values=(NoValue.LOST,) * 8)
    claims = confirmed(empty, step(2.0))
    assert not claims[0].is_confirmed and "fewer than two seeds" in claims[0].reason
    assert claims[0].p_adjusted is None
    assert claims[1].p_adjusted == claims[1].p


def test_fresh_seeds_that_all_agree_prove_nothing():
    (claim,) = confirmed(step(0.5, spread=0.0))
    assert not claim.is_confirmed and "no error rate can be stated" in claim.reason


def test_a_gain_is_meaningful_where_runs_win_beyond_chance():
    mostly = tuple(b + d for b, d in zip(BEFORE, (1, 1, 1, 1, 1, 1, -0.5, -0.5), strict=True))
    (claim,) = confirmed(step(0.0, after_values=mostly))
    assert claim.is_confirmed and claim.wins == 6
    # Six of eight is three in four, but the exact interval still holds one half.
    assert claim.share_better[0] < 0.5 and not claim.is_meaningful


def test_no_steps_are_no_claims():
    assert confirmed() == ()


def test_true_nulls_are_claimed_no_more_often_than_stated():
    rng = np.random.default_rng(1)
    hits, journals = 0, 1500
    for _ in range(journals):
        common = rng.standard_normal(8)
        steps = []
        for k in range(3):
            before, after = (common + rng.standard_normal((2, 8))).tolist()
            steps.append(
                Step(name=str(k), before="a", after="b", before_values=tuple(before), after_values=tuple(after))
            )
        hits += any(claim.is_confirmed for claim in confirmed(*steps))
    assert hits / journals <= 0.05 + 3 * (0.05 * 0.95 / journals) ** 0.5
