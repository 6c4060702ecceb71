"""What a further search is promised to come to: a range that holds about nine times in ten."""

import numpy as np
import pytest

from surefoot.refining.promise import FEWEST, Standing, posterior_draws, promise

FIRST, FURTHER, SEEDS, RACERS, RACE_SEEDS = 40, 30, 5, 8, 4


def a_search(rng, truth, sd):
    """A search of 40 trials from which a further one of 30 is promised, and what that comes to on fresh seeds.

    Trials are drawn from what the truths are; half of the further ones from the best quarter of those found so far.
    """
    first = rng.choice(truth, FIRST)
    seen = first + sd * rng.standard_normal(FIRST)
    top = first[np.argsort(seen)[-FIRST // 4 :]]
    new = np.concatenate([rng.choice(truth, FURTHER // 2), rng.choice(top, FURTHER - FURTHER // 2)])
    worth = np.concatenate([first, new])
    shown = np.concatenate([seen, new + sd * rng.standard_normal(FURTHER)])
    racing = worth[np.argsort(shown)[-RACERS:]]
    winner = racing[np.argmax(racing + sd / np.sqrt(RACE_SEEDS) * rng.standard_normal(RACERS))]
    return seen, winner + sd / np.sqrt(SEEDS) * rng.standard_normal()


@pytest.mark.parametrize("sd", [0.05, 0.3])
def test_the_range_holds_about_nine_times_in_ten(sd):
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        seen, claimed = a_search(rng, -rng.gamma(2.0, 0.5, 2000), sd)
        found = promise(seen, sign=1, sd=sd, df=12, further=FURTHER, claim_seeds=SEEDS, rng=rng)
        held.append(found.low <= claimed <= found.high)
    # Of 40 at nine in ten fewer than 31 are held in one of a hundred such tests.
    assert sum(held) >= 31


def test_a_loss_is_promised_in_its_own_sign_and_unit():
    gains = np.random.default_rng(0).normal(-0.5, 0.1, 60)
    found = promise(gains, sign=-1, sd=0.02, df=8, further=20, claim_seeds=5, rng=np.random.default_rng(1))
    mirrored = promise(gains, sign=1, sd=0.02, df=8, further=20, claim_seeds=5, rng=np.random.default_rng(1))
    assert 0.1 < found.low < found.high < 0.5
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low))


def test_the_standing_config_is_what_the_next_is_to_beat():
    gains = np.random.default_rng(0).normal(0.5, 0.1, 60)
    standing = Standing(place=int(gains.argmax()), mean=0.66, error=0.01)
    found = promise(
        gains, sign=1, sd=0.02, df=8, further=20, claim_seeds=5, rng=np.random.default_rng(1), standing=standing
    )
    assert found.against == 0.66 and found.low < 0.7 and found.high > 0.6


def test_more_noise_promises_a_wider_range():
    gains = np.random.default_rng(0).normal(0.5, 0.1, 60)
    ranges = [
        promise(gains, sign=1, sd=sd, df=8, further=20, claim_seeds=5, rng=np.random.default_rng(1))
        for sd in (0.001, 0.1)
    ]
    assert ranges[0].high - ranges[0].low < ranges[1].high - ranges[1].low


def test_few_trials_promise_nothing():
    gains = np.arange(FEWEST - 1, dtype=float)
    assert promise(gains, sign=1, sd=0.1, df=4, further=9, claim_seeds=5, rng=np.random.default_rng(0)) is None


@pytest.mark.parametrize("gains", [np.zeros(20), np.arange(20.0)])
def test_without_noise_or_without_spread_a_trial_is_worth_what_it_showed(gains):
    draws = posterior_draws(gains, 0.0, 3, np.random.default_rng(0))
    assert draws.shape == (3, 20) and (draws == gains).all()


def test_a_lucky_value_among_equals_is_worth_less_than_it_showed():
    rng = np.random.default_rng(2)
    seen = np.append(rng.normal(0.0, 1.0, 99), 3.5)
    worth = posterior_draws(seen, 1.0, 200, rng)[:, -1].mean()
    assert worth < 3.0
