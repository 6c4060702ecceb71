"""A sweep that goes on from another takes over its trials that fit, and none of its fresh seeds."""

import dataclasses

import pytest
from sweep_cases import Ear, a_sweep

from surefoot.errors import RecordError
from surefoot.execution import Place
from surefoot.space import SearchSpace, real
from surefoot.sweep import Confirmation, Continuation, Method, Stopping, SweepBudget, sweep_of
from surefoot.sweeping.loop import Sweeping
from surefoot.sweeping.telling import read_sweep_story

RANDOM = Method(name="random")
LEFT_HALF = SearchSpace(parameters=(real("x", 0.0, 0.5), real("y", 0.0, 1.0)))
ON = Continuation(sweep="toy")


def next_sweep(**changes):
    return a_sweep(**{"name": "toy-2", "space": LEFT_HALF, "continues": ON, "method": RANDOM, "trials": 3, **changes})


def test_the_earlier_trials_that_fit_count_and_are_not_trained_again(bench):
    before = bench.run(a_sweep(trials=10, method=RANDOM))
    fitting = [t for t in before.trials if t.settings["x"] <= 0.5]
    assert 0 < len(fitting) < 10
    story = bench.run(next_sweep())
    carried = [t for t in story.trials if t.origin == "carried"]
    assert [(t.settings, t.values, t.state) for t in carried] == [(t.settings, t.values, t.state) for t in fitting]
    assert len(story.trials) == len(fitting) + 3
    assert story.runs == {"complete": 3}
    assert story.best == min(story.trials, key=lambda t: t.values[0]).number
    assert f"{len(fitting)} trials of toy carried over, untrained; {10 - len(fitting)} do not fit" in bench.ear.notes[0]


def test_a_sweep_taken_up_again_carries_nothing_twice(bench):
    bench.run(a_sweep(trials=6, method=RANDOM))
    first = bench.run(next_sweep())
    bench.reopen()
    again = bench.run(next_sweep())
    assert [t.settings for t in again.trials] == [t.settings for t in first.trials]
    assert bench.ear.ended == []
    longer = bench.run(next_sweep(trials=5))
    assert len(longer.trials) == len(first.trials) + 2


def test_each_round_confirms_on_fresh_seeds_of_its_own(bench):
    confirm = Confirmation(top=2, seeds=2)
    bench.run(a_sweep(trials=6, method=RANDOM, confirmation=confirm))
    first = {seed for _, seed in bench.ear.fresh}
    bench.run(next_sweep(confirmation=confirm))
    second = {seed for _, seed in bench.ear.fresh}
    bench.run(next_sweep(name="toy-3", continues=Continuation(sweep="toy-2", round=3), confirmation=confirm))
    third = {seed for _, seed in bench.ear.fresh}
    assert first and second and third
    assert first.isdisjoint(second) and third.isdisjoint(first | second)


def test_what_was_paused_is_carried_with_its_curve_and_judged_by_it(bench):
    asha = Stopping(rule="asha", min_steps=1, max_steps=4, eta=2)
    before = bench.run(a_sweep(trials=12, method=RANDOM, stopping=asha))
    assert {t.state for t in before.trials} >= {"PRUNED"}
    story = bench.run(next_sweep(stopping=asha, space=a_sweep().space))
    carried = [t for t in story.trials if t.origin == "carried"]
    assert len(carried) == 12
    assert [t.settings for t in carried] == [t.settings for t in before.trials]
    assert any(t.state in ("PRUNED", "PAUSED") for t in carried)


def test_the_budget_of_trials_is_for_new_ones(bench):
    bench.run(a_sweep(trials=8, method=RANDOM))
    story = bench.run(next_sweep(space=a_sweep().space, trials=2, budget=SweepBudget(trials=2)))
    assert len(story.trials) == 10
    assert story.seconds_left == 0.0


def test_an_earlier_sweep_that_is_not_there_is_named_with_the_nearest(bench):
    bench.run(a_sweep(trials=2, method=RANDOM))
    with pytest.raises(RecordError, match=r'goes on from "tyo", which is not on this record .*Did you mean "toy"'):
        bench.run(next_sweep(continues=Continuation(sweep="tyo")))


def test_the_record_tells_what_a_sweep_went_on_from(bench):
    bench.run(a_sweep(trials=2, method=RANDOM))
    sweep = next_sweep()
    bench.run(sweep)
    study = next(s for s in bench.record.studies() if s.name == "toy-2")
    assert read_sweep_story(bench.record, study).sweep.continues == ON
    assert sweep_of(sweep.definition()).continues == ON
    assert "continues" not in dataclasses.replace(sweep, continues=None).definition()


class Left(Ear):
    """Also keeps how many runs were left after each trial."""

    def __init__(self):
        super().__init__()
        self.left = []

    def trial_ended(self, trial, exploration):
        self.left.append(exploration.runs_left)


def test_carried_trials_that_paused_are_not_counted_as_still_to_come(bench):
    asha = Stopping(rule="asha", min_steps=1, max_steps=4, eta=2)
    bench.run(a_sweep(trials=12, method=RANDOM, stopping=asha))
    ear = Left()
    sweep = next_sweep(trials=4, space=a_sweep().space)
    Sweeping(sweep, bench.record, Place(home=bench.home)).run(bench.pool, ear)
    assert ear.left[-1] == 0
    assert max(ear.left) <= 4
