"""Choosing on fresh seeds: the race by halves, its budget, and the worth that is claimed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.choosing import (
    BASE,
    Candidate,
    Chosen,
    confirmed,
    cost,
    exploring_share,
    fitted,
    rounds,
    wanted,
)
from surefoot.comparison import NoValue
from surefoot.run import Metric
from surefoot.sweep import Confirmation

ACCURACY = Metric(name="accuracy", goal="maximize")
LOSS = Metric(name="loss", goal="minimize")
SMALL = Confirmation(top=4, seeds=3)
WHOLE = Confirmation()


class Sweep:
    """Configs whose fresh values are known beforehand: `values[number][place]`."""

    def __init__(self, explored, values, *, metric=ACCURACY, confirmation=SMALL):
        self.explored, self.values, self.metric, self.confirmation = explored, values, metric, confirmation
        self.fresh = {number: [] for number in values}
        self.spent = 0

    def candidates(self):
        return [Candidate(number=n, explored=self.explored.get(n, ()), fresh=tuple(self.fresh[n])) for n in self.values]

    def wanted(self, runs=None):
        left = None if runs is None else runs - self.spent
        return wanted(self.candidates(), metric=self.metric, confirmation=self.confirmation, runs_left=left)

    def confirmed(self) -> Chosen:
        return confirmed(self.candidates(), metric=self.metric, confirmation=self.confirmation)

    def race(self, runs=None):
        """Trains what is wanted until nothing is; the answer then."""
        while more := self.wanted(runs):
            for number, count in more.items():
                self.train(number, count)
        return self.confirmed()

    def train(self, number, count):
        while len(self.fresh[number]) < count:
            self.fresh[number].append(self.values[number][len(self.fresh[number])])
            self.spent += 1


def steady(levels, explored=None, *, wobble=0.01, places=12, **more):
    """Configs at fixed levels, whose fresh values wobble together, and a little on their own."""
    values = {
        n: [level + wobble * math.sin(3 * i) + wobble / 10 * math.sin(5 * i + n) for i in range(places)]
        for n, level in levels.items()
    }
    shown = explored or {n: (level,) for n, level in levels.items() if n != BASE}
    return Sweep(shown, values, **more)


# --- the budget ---


def test_eight_configs_race_by_halves_on_twice_the_seeds():
    assert rounds(Confirmation(top=8, seeds=5)) == ((8, 1), (4, 2), (2, 4))
    assert cost(Confirmation(top=8, seeds=5)) == 8 + 4 + 2 * 2 + 5


def test_one_config_has_nobody_to_race():
    assert rounds(Confirmation(top=1, seeds=5)) == ()
    assert cost(Confirmation(top=1, seeds=5)) == 5


@given(top=st.integers(1, 20), seeds=st.integers(1, 9), runs=st.integers(3, 500), has_base=st.booleans())
def test_a_fitted_confirmation_takes_a_third_at_most_and_is_itself_where_it_may(top, seeds, runs, has_base):
    asked = Confirmation(top=top, seeds=seeds)
    found = fitted(asked, runs, has_base=has_base)
    takes = cost(found, has_base=has_base)
    assert takes <= runs / 3 or found == Confirmation(top=1, seeds=1)
    assert found.top <= top and found.seeds <= seeds
    assert found == asked or cost(asked, has_base=has_base) > runs / 3
    assert exploring_share(runs, asked, has_base=has_base) >= 1


def test_of_a_hundred_runs_79_explore_and_without_a_budget_nothing_shrinks():
    assert exploring_share(100) == 79
    assert fitted(Confirmation(), None) == Confirmation()


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    configs=st.integers(1, 12),
    top=st.integers(1, 9),
    seeds=st.integers(1, 6),
    runs=st.integers(0, 60),
    has_base=st.booleans(),
)
def test_no_more_runs_are_asked_for_than_are_left(seed, configs, top, seeds, runs, has_base):
    sweep = random_sweep(seed, configs, confirmation=Confirmation(top=top, seeds=seeds), has_base=has_base)
    sweep.race(runs)
    assert sweep.spent <= runs
    # Nothing is kept back either where it could still say what the chosen one is worth.
    assert runs == 0 or sweep.confirmed().n >= 1 or sweep.confirmed().number is None or sweep.spent == runs


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), runs=st.integers(1, 40), has_base=st.booleans())
def test_whatever_the_order_of_arrival_the_same_runs_are_made_and_the_answer_is_the_same(seed, runs, has_base):
    at_once = random_sweep(seed, 9, has_base=has_base)
    one_by_one = arriving_in_any_order(random_sweep(seed, 9, has_base=has_base), runs, seed)
    assert one_by_one.confirmed() == at_once.race(runs)
    assert one_by_one.fresh == at_once.fresh


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000))
def test_with_diverging_runs_the_order_of_arrival_does_not_change_who_is_chosen(seed):
    found = random_sweep(seed, 9, diverges=0.1).race()
    other = arriving_in_any_order(random_sweep(seed, 9, diverges=0.1), None, seed).confirmed()
    assert (found.number, found.estimate, found.interval) == (other.number, other.estimate, other.interval)


def arriving_in_any_order(sweep, runs, seed):
    """The sweep after a race whose runs arrive one by one, and whose coordinator is restarted after each."""
    rng = np.random.default_rng(seed)
    while more := sweep.wanted(runs):
        number = list(more)[int(rng.integers(len(more)))]
        sweep.train(number, len(sweep.fresh[number]) + 1)
    return sweep


def test_a_confirmation_that_fits_its_budget_is_complete():
    runs = 100
    explored = exploring_share(runs)
    sweep = random_sweep(3, explored, confirmation=fitted(Confirmation(), runs))
    found = sweep.race(runs - explored)
    assert found.is_complete
    assert found.n == 5
    assert sweep.spent == runs - explored


# --- the race ---


def test_the_best_on_fresh_seeds_is_chosen_not_the_best_that_was_explored():
    found = steady({1: 0.90, 2: 0.80, 3: 0.85}, {1: (0.91,), 2: (0.99,), 3: (0.92,)}).race()
    assert found.number == 1
    assert found.explored_number == 2
    assert found.explored_best == 0.99
    assert not found.survives
    assert found.luck == pytest.approx(0.99 - found.estimate)


def test_where_less_is_better_the_least_is_chosen_and_luck_is_positive_where_it_flattered():
    found = steady({1: 0.30, 2: 0.20}, {1: (0.10,), 2: (0.15,)}, metric=LOSS).race()
    assert (found.number, found.explored_number) == (2, 1)
    assert found.luck == pytest.approx(found.estimate - 0.10)
    assert found.luck > 0


def test_only_the_best_few_by_exploring_race():
    sweep = steady({n: 0.5 + n / 100 for n in range(20)})
    found = sweep.race()
    raced = [n for n, values in sweep.fresh.items() if values]
    assert sorted(raced) == [16, 17, 18, 19]
    assert found.number == 19
    assert {s.number for s in found.standings} == set(raced)


def test_a_config_of_several_exploring_seeds_stands_with_their_mean():
    found = steady({1: 0.5, 2: 0.4}, {1: (0.5, 0.7), 2: (0.9, 0.1)}).race()
    assert found.explored_number == 1
    assert found.explored_best == pytest.approx(0.6)


def test_the_claim_is_the_mean_of_seeds_that_had_no_part_in_choosing():
    sweep = steady({1: 0.9, 2: 0.5})
    found = sweep.race()
    used = rounds(SMALL)[-1][1]
    assert len(sweep.fresh[1]) == used + SMALL.seeds
    assert found.estimate == pytest.approx(np.mean(sweep.values[1][used : used + SMALL.seeds]))
    assert found.n == SMALL.seeds
    low, high = found.interval
    assert low < found.estimate < high


def test_a_config_that_diverges_on_a_fresh_seed_falls_out():
    sweep = steady({1: 0.9, 2: 0.8, 3: 0.7})
    sweep.values[1][0] = NoValue.DIVERGED
    found = sweep.race()
    assert found.number == 2
    assert states(found)[1] == "diverged on 1 of 1 seeds"
    assert len(sweep.fresh[1]) == 1
    assert "trial 1" in found.sentence


def test_a_chosen_config_that_diverges_on_a_claiming_seed_gives_way_to_the_next():
    sweep = steady({1: 0.9, 2: 0.8, 3: 0.7})
    sweep.values[1][rounds(SMALL)[-1][1] + 1] = NoValue.DIVERGED
    found = sweep.race()
    assert found.number == 2
    assert found.n == SMALL.seeds


def test_where_all_diverge_none_is_chosen_and_it_says_so():
    sweep = steady({1: 0.9, 2: 0.8})
    for values in sweep.values.values():
        values[0] = NoValue.DIVERGED
    found = sweep.race()
    assert found.number is None
    assert found.estimate is None
    assert "all 2" in found.sentence


def test_a_lost_seed_neither_helps_nor_harms():
    sweep = steady({1: 0.9, 2: 0.8, 3: 0.85}, wobble=0.5)
    worst = int(np.argmin(sweep.values[2][:2]))
    sweep.values[2][worst] = NoValue.LOST
    found = sweep.race()
    assert found.number == 1


def test_a_config_all_of_whose_seeds_were_lost_is_not_chosen():
    sweep = steady({1: 0.9, 2: 0.8})
    sweep.values[1] = [NoValue.LOST] * 12
    found = sweep.race()
    assert found.number == 2
    assert states(found)[1] == "lost"


def test_values_that_are_not_finite_were_not_explored():
    found = steady({1: 0.9, 2: 0.8}, {1: (math.inf,), 2: (0.8,)}).race()
    assert (found.number, found.explored_number) == (2, 2)


def test_ties_are_told_as_ties_and_clear_losers_as_dropped():
    rng = np.random.default_rng(5)
    common = rng.normal(size=12)
    values = {n: list(common + 0.05 * rng.normal(size=12)) for n in (1, 2, 3)}
    values[2] = [v + 0.001 for v in values[2]]
    values[3] = [v - 3.0 for v in values[3]]
    found = Sweep({1: (3.0,), 2: (2.0,), 3: (1.0,)}, values, confirmation=Confirmation(top=3, seeds=5)).race()
    other = ({1, 2} - {found.number}).pop()
    assert states(found) == {
        found.number: "chosen",
        other: f"tied with {found.number}, dropped after 4",
        3: "dropped after 2",
    }
    assert found.survives
    assert f"cannot be told apart from trial {other}" in found.sentence


def test_where_seeds_change_nothing_even_small_differences_are_told():
    found = steady({1: 0.9, 2: 0.899, 3: 0.9}, wobble=0.0).race()
    assert found.number == 1
    assert states(found)[2].startswith("dropped")
    assert states(found)[3].startswith("tied with 1")
    assert found.interval == (0.9, 0.9)


def test_a_race_in_progress_says_who_leads_and_claims_nothing_yet():
    sweep = steady({1: 0.9, 2: 0.8, 3: 0.7, 4: 0.6})
    first = rounds(SMALL)[0][1]
    for number in sweep.values:
        sweep.train(number, first)
    found = sweep.confirmed()
    assert not found.is_complete
    assert found.estimate is None
    # One seed each says nothing of the noise, so nothing can be told apart yet.
    behind = "tied with 1, dropped after 1"
    assert states(found) == {1: "leading", 2: "racing", 3: behind, 4: behind}
    assert "so far" in found.sentence


def test_nothing_explored_is_nothing_to_choose_from():
    assert wanted([], metric=ACCURACY, confirmation=SMALL, runs_left=None) == {}
    with pytest.raises(ValueError, match="no config was explored"):
        confirmed([], metric=ACCURACY, confirmation=SMALL)


# --- the base ---


def test_the_gain_over_the_base_is_a_paired_difference_on_the_claiming_seeds():
    sweep = steady({1: 0.9, 2: 0.8, BASE: 0.5})
    found = sweep.race()
    used = rounds(SMALL)[-1][1]
    differences = np.subtract(sweep.values[1], sweep.values[BASE])[used : used + SMALL.seeds]
    assert found.gain == pytest.approx(differences.mean())
    low, high = found.gain_interval
    assert high - low < 0.05
    assert states(found)[BASE] == "base"
    assert "Against the base" in found.sentence


def test_the_base_is_never_chosen_and_a_base_that_diverges_gives_no_gain():
    sweep = steady({1: 0.5, 2: 0.4, BASE: 0.9})
    sweep.values[BASE][-1] = sweep.values[BASE][1] = NoValue.DIVERGED
    found = sweep.race()
    assert found.number == 1
    assert found.gain is None


# --- simulations with known truth ---


def random_sweep(seed, configs, *, confirmation=WHOLE, has_base=False, diverges=0.0):
    """Configs with normal truth, and as much noise, a half of it common to a seed; the truth of n is `truth[n]`."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=configs)
    common = rng.normal(size=14) * math.sqrt(0.5)
    own = rng.normal(size=(configs, 14)) * math.sqrt(0.5)
    values = {n: list(truth[n] + common + own[n]) for n in range(configs)}
    explored = {n: (float(truth[n] + rng.normal()),) for n in range(configs)}
    if has_base:
        values[BASE] = list(common + rng.normal(size=14) * math.sqrt(0.5))
    for some in values.values():
        for i in range(len(some)):
            some[i] = NoValue.DIVERGED if rng.random() < diverges else float(some[i])
    found = Sweep(explored, values, confirmation=confirmation)
    found.truth = truth
    return found


@pytest.fixture(scope="module")
def sweeps():
    found = []
    for seed in range(400):
        sweep = random_sweep(seed, 60)
        found.append((sweep, sweep.race()))
    return found


def test_the_claim_is_unbiased_where_the_best_single_value_flatters(sweeps):
    misses = [found.estimate - sweep.truth[found.number] for sweep, found in sweeps]
    error = np.std(misses) / math.sqrt(len(misses))
    assert abs(np.mean(misses)) < 3 * error
    flattered = [found.explored_best - sweep.truth[found.explored_number] for sweep, found in sweeps]
    assert np.mean(flattered) > 10 * error


def test_the_claimed_interval_holds_the_truth_95_times_in_100(sweeps):
    hits = [found.interval[0] <= sweep.truth[found.number] <= found.interval[1] for sweep, found in sweeps]
    assert abs(np.mean(hits) - 0.95) < 3 * math.sqrt(0.95 * 0.05 / len(hits))


def test_the_chosen_config_is_truly_better_than_the_one_with_the_best_single_value(sweeps):
    gains = [sweep.truth[found.number] - sweep.truth[found.explored_number] for sweep, found in sweeps]
    assert np.mean(gains) > 5 * np.std(gains) / math.sqrt(len(gains))


def test_luck_is_what_the_best_value_lost_on_fresh_seeds(sweeps):
    for _, found in sweeps[:20]:
        assert found.luck == found.explored_best - found.estimate
        assert f"{found.luck:.3g}" in found.sentence or found.luck <= 0


def test_asked_again_the_answer_is_the_same(sweeps):
    sweep, found = sweeps[0]
    again = Sweep(sweep.explored, sweep.values, confirmation=sweep.confirmation)
    assert again.race() == found
    assert replace(found) == sweep.confirmed()


def states(found: Chosen) -> dict[int, str]:
    return {s.number: s.state for s in found.standings}
