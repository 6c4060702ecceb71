"""The sweep's loop: what it proposes, judges, records, retries and chooses."""

import dataclasses

import pytest
from sweep_cases import XYK, a_sweep
from sweep_toy import Config, worth

from surefoot.errors import SpaceError
from surefoot.run import Metric
from surefoot.space import SearchSpace, choice, constraint, integer, real
from surefoot.sweep import Confirmation, Method, Stopping, SweepBudget
from surefoot.sweeping.telling import read_sweep_story

RANDOM = Method(name="random")


def settings_of(story):
    return [dict(t.settings) for t in story.trials]


def test_a_sweep_makes_its_trials_and_names_the_best(bench):
    story = bench.run(a_sweep(trials=8, method=RANDOM))
    assert [t.state for t in story.trials] == ["COMPLETE"] * 8
    best = min(story.trials, key=lambda t: t.values[0])
    assert story.best == best.number
    expected = worth(Config(x=best.settings["x"], y=best.settings["y"])) + 1 / 4
    assert best.values[0] == pytest.approx(expected)
    assert story.ending == "8 trials were made, as the budget says"


@pytest.mark.parametrize("method", ["random", "sobol", "tpe", "cmaes", "gp", "grid"])
def test_the_same_file_and_seed_propose_the_same_configs(bench, tmp_path, method):
    space = SearchSpace(parameters=(integer("depth", 1, 9), choice("kind", "a", "b"))) if method == "grid" else XYK
    sweep = a_sweep(trials=7, method=Method(name=method), space=space, search_seed=3)
    first = settings_of(bench.run(sweep))
    again = settings_of(bench.run(dataclasses.replace(sweep, name="again")))
    assert first == again
    assert len({str(s) for s in first}) == 7
    other = settings_of(bench.run(dataclasses.replace(sweep, name="other", search_seed=4)))
    assert method == "grid" or other != first


@pytest.mark.parametrize("method", ["random", "sobol", "tpe", "cmaes"])
def test_a_sweep_taken_up_again_goes_on_as_if_it_had_never_stopped(bench, method):
    sweep = a_sweep(trials=12, method=Method(name=method), space=XYK)
    whole = settings_of(bench.run(dataclasses.replace(sweep, name="whole")))
    bench.run(dataclasses.replace(sweep, name="parts", budget=SweepBudget(trials=5)))
    bench.reopen()
    parts = settings_of(bench.run(dataclasses.replace(sweep, name="parts")))
    assert parts == whole


def test_nothing_that_is_finished_is_trained_again(bench):
    sweep = a_sweep(trials=4, method=RANDOM)
    bench.run(sweep)
    story = bench.run(sweep)
    assert bench.ear.ended == []
    assert story.runs == {"complete": 4}


def test_more_trials_are_added_to_those_that_are_there(bench):
    bench.run(a_sweep(trials=3, method=RANDOM))
    story = bench.run(a_sweep(trials=5, method=RANDOM))
    assert [number for number, _ in bench.ear.ended] == [3, 4]
    assert story.revisions == 2


def test_configs_to_try_first_come_first(bench):
    story = bench.run(a_sweep(trials=3, method=RANDOM, first=({"x": 0.3, "y": 0.7}, {"x": 0.1})))
    assert story.trials[0].settings == {"x": 0.3, "y": 0.7}
    assert story.trials[1].settings["x"] == 0.1
    assert [t.origin for t in story.trials] == ["first", "first", "random"]


def test_a_config_met_twice_is_trained_once(bench):
    space = SearchSpace(parameters=(choice("kind", "a", "b"),))
    story = bench.run(a_sweep(trials=5, method=RANDOM, space=space))
    assert len(story.trials) == 5
    assert story.runs == {"complete": 2}
    assert all(t.values for t in story.trials)


def test_a_grid_ends_when_it_is_walked_through(bench):
    space = SearchSpace(parameters=(choice("kind", "a", "b"), integer("depth", 1, 2)))
    story = bench.run(a_sweep(budget=SweepBudget(), method=Method(name="grid"), space=space))
    assert len(story.trials) == 4
    assert story.ending == "every config of the space was tried"


def test_a_grid_that_the_exploring_runs_cannot_hold_is_refused_before_it_begins(bench):
    space = SearchSpace(parameters=(integer("depth", 1, 4), choice("kind", "a", "b", "c")))
    confirmed = {"method": Method(name="grid"), "space": space, "confirmation": Confirmation()}
    with pytest.raises(SpaceError, match="must hold the grid's 12 runs and the confirmation; of 12, 9 explore"):
        bench.run(a_sweep(budget=SweepBudget(runs=12), **confirmed))
    story = bench.run(a_sweep(budget=SweepBudget(runs=18), **confirmed))
    assert len(story.trials) == 12


def test_a_trial_of_several_seeds_has_their_mean(bench):
    story = bench.run(a_sweep(trials=3, method=RANDOM, seeds=3, base={"noise": 0.1}))
    for trial in story.trials:
        assert trial.seeds == 3
        assert trial.values[0] == pytest.approx(sum(trial.per_seed) / 3)
    assert story.runs == {"complete": 9}


def test_a_sweep_in_which_all_fails_stops_early_and_says_so(bench):
    story = bench.run(a_sweep(trials=100, method=RANDOM, base={"mode": "crash"}))
    assert len(story.trials) == 5
    assert story.ending.startswith("all 5 trials failed, the last one with: RuntimeError: the toy breaks")
    assert story.best is None


def test_a_trial_that_diverges_is_no_best_and_is_counted(bench):
    story = bench.run(a_sweep(trials=4, method=RANDOM, base={"mode": "diverge"}))
    assert [t.state for t in story.trials] == ["INFEASIBLE"] * 4
    assert story.best is None


def test_some_failures_do_not_end_a_sweep(bench):
    story = bench.run(a_sweep(trials=10, method=RANDOM, base={"mode": "crash_when_x_is_large"}))
    assert len(story.trials) == 10
    assert {t.state for t in story.trials} == {"COMPLETE", "FAILED"}


def test_a_target_that_is_reached_ends_the_exploration(bench):
    metric = Metric(name="loss", goal="minimize", target=0.9)
    story = bench.run(a_sweep(trials=50, method=RANDOM, metrics=(metric,)))
    assert len(story.trials) < 50
    assert "reached the target of 0.9" in story.ending


def test_the_budget_of_runs_counts_every_training_and_leaves_no_trial_half_done(bench):
    story = bench.run(a_sweep(budget=SweepBudget(runs=7), method=RANDOM, seeds=2))
    assert sum(story.runs.values()) == 6
    assert [t.seeds for t in story.trials] == [2, 2, 2]


class TestSpacesThatChange:
    def test_widened_it_keeps_what_still_fits(self, bench):
        narrow = SearchSpace(parameters=(real("x", 0.2, 0.4), real("y", 0.0, 1.0)))
        bench.run(a_sweep(trials=4, method=RANDOM, space=narrow))
        story = bench.run(a_sweep(trials=6, method=RANDOM))
        assert len(story.trials) == 6
        assert [n for n, _ in bench.ear.ended] == [4, 5]
        assert "the sweep changed since" in bench.ear.notes[0]
        assert "space" in bench.ear.notes[0]

    def test_narrowed_it_leaves_out_what_lies_outside(self, bench):
        bench.run(a_sweep(trials=8, method=RANDOM))
        narrow = SearchSpace(parameters=(real("x", 0.0, 0.5), real("y", 0.0, 1.0)))
        story = bench.run(a_sweep(trials=8, method=RANDOM, space=narrow))
        assert all(t.settings["x"] <= 0.5 for t in story.trials)
        assert len(story.trials) == 8
        outside = story.left_out["outside today's space"]
        assert [n for n, _ in bench.ear.ended] == list(range(8, 8 + outside))

    def test_a_choice_can_be_added(self, bench):
        two = SearchSpace(parameters=(real("x", 0.0, 1.0), choice("kind", "a", "b")))
        bench.run(a_sweep(trials=4, method=Method(name="tpe"), space=two))
        three = SearchSpace(parameters=(real("x", 0.0, 1.0), choice("kind", "a", "b", "c")))
        story = bench.run(a_sweep(trials=14, method=Method(name="tpe"), space=three))
        assert len(story.trials) == 14
        assert "c" in {t.settings["kind"] for t in story.trials}

    def test_a_setting_that_was_fixed_can_be_searched(self, bench):
        one = SearchSpace(parameters=(real("x", 0.0, 1.0),))
        bench.run(a_sweep(trials=3, method=RANDOM, space=one))
        story = bench.run(a_sweep(trials=5, method=RANDOM))
        assert [t.settings["y"] for t in story.trials[:3]] == [0.5] * 3
        assert len(story.trials) == 5


class TestConstraints:
    def test_one_on_the_config_is_never_trained(self, bench):
        space = SearchSpace(parameters=XYK.parameters, constraints=(constraint("x + y <= 1"),))
        story = bench.run(a_sweep(trials=12, method=RANDOM, space=space))
        assert all(t.settings["x"] + t.settings["y"] <= 1 for t in story.trials)

    def test_one_on_a_metric_bars_the_best(self, bench):
        space = SearchSpace(
            parameters=(real("x", 0.0, 1.0), integer("depth", 1, 9)), constraints=(constraint("size <= 4"),)
        )
        story = bench.run(a_sweep(trials=12, method=Method(name="tpe"), space=space))
        assert story.best_trial.settings["depth"] <= 4
        assert {t.barred_by for t in story.trials if t.settings["depth"] > 4} == {"size <= 4"}


class TestSeveralObjectives:
    def test_the_pareto_front_is_named(self, bench):
        space = SearchSpace(parameters=(real("x", 0.0, 1.0), integer("depth", 1, 9)))
        sweep = a_sweep(trials=12, method=Method(name="nsga2"), space=space, objectives=("loss", "size"))
        story = bench.run(sweep)
        points = {t.number: t.values for t in story.trials}
        for number, (loss, size) in points.items():
            is_beaten = any(a <= loss and b <= size and (a, b) != (loss, size) for a, b in points.values())
            assert (number in story.front) == (not is_beaten)


class TestStoppingEarly:
    def test_asha_pauses_and_promotes_from_checkpoints(self, bench):
        stopping = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
        story = bench.run(a_sweep(trials=12, method=RANDOM, base={"steps": 9}, stopping=stopping))
        states = [t.state for t in story.trials]
        assert 1 <= states.count("COMPLETE") <= 4
        assert states.count("PRUNED") >= 6
        runs = bench.record.trial_runs(1, "toy")
        promoted = [some for some in runs.values() if len(some) > 1]
        assert promoted
        for some in promoted:
            assert [run.attempt for run in some] == list(range(1, len(some) + 1))
        steps = {
            i: [m.step for m in curve] for i, curve in bench.record.curves([r.id for s in promoted for r in s]).items()
        }
        for some in promoted:
            together = [step for run in some for step in steps[run.id]]
            assert together == sorted(set(together))
        complete = [some for some in promoted if some[-1].status == "COMPLETE"]
        assert complete
        assert all(some[-1].facts["resumed_from"] == 3 for some in complete)

    def test_asha_taken_up_again_promotes_what_was_paused(self, bench):
        stopping = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
        sweep = a_sweep(trials=12, method=RANDOM, base={"steps": 9}, stopping=stopping)
        whole = bench.run(dataclasses.replace(sweep, name="whole"))
        bench.run(dataclasses.replace(sweep, name="parts", budget=SweepBudget(trials=5)))
        bench.reopen()
        parts = bench.run(dataclasses.replace(sweep, name="parts"))
        assert len(parts.trials) == 12
        assert parts.best == whole.best

    def test_asha_with_too_few_trials_for_its_rungs_still_brings_one_to_its_end(self, bench):
        stopping = Stopping(rule="asha", min_steps=1, max_steps=27, eta=3)
        story = bench.run(a_sweep(trials=4, method=RANDOM, base={"steps": 27}, stopping=stopping))
        assert [t.state for t in story.trials].count("COMPLETE") == 1
        first = {t.number: t.settings for t in story.trials}
        assert story.best == min(first, key=lambda n: worth(Config(**first[n])))

    def test_asha_brings_one_of_every_scientific_setting_to_its_end(self, bench):
        kinds = choice("kind", "a", "b", "c", role="scientific")
        space = SearchSpace(parameters=(kinds, real("x", 0.0, 1.0), real("y", 0.0, 1.0)))
        stopping = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
        story = bench.run(a_sweep(trials=6, method=RANDOM, space=space, base={"steps": 9}, stopping=stopping))
        complete = [t.settings["kind"] for t in story.trials if t.state == "COMPLETE"]
        assert sorted(complete) == ["a", "b", "c"]

    def test_the_median_rule_ends_bad_trials(self, bench):
        stopping = Stopping(rule="median", warmup_trials=3)
        story = bench.run(a_sweep(trials=15, method=RANDOM, base={"steps": 6}, stopping=stopping))
        pruned = [t for t in story.trials if t.state == "PRUNED"]
        assert pruned
        assert all(t.reason for t in pruned)

    def test_wilcoxon_ends_a_trial_that_loses_seed_by_seed(self, bench):
        stopping = Stopping(rule="wilcoxon", p=0.2)
        story = bench.run(
            a_sweep(trials=10, method=RANDOM, seeds=8, stopping=stopping, base={"noise": 0.01}, most_failures=5)
        )
        pruned = [t for t in story.trials if t.state == "PRUNED"]
        assert pruned
        assert all(t.seeds < 8 for t in pruned)


class TestFreshSeeds:
    def test_the_best_few_and_the_base_are_put_to_fresh_seeds(self, bench):
        sweep = a_sweep(trials=10, method=RANDOM, base={"noise": 0.2}, confirmation=Confirmation(top=3, seeds=4))
        story = bench.run(sweep)
        assert story.phase == "done"
        assert story.chosen is not None
        assert all(seed > 10_000 for _, seed in bench.ear.fresh)
        before = len(bench.ear.fresh)
        assert before > 0
        again = bench.run(sweep)
        assert bench.ear.fresh == []
        assert again.chosen == story.chosen

    def test_runs_on_fresh_seeds_stay_within_the_budget(self, bench):
        sweep = a_sweep(
            budget=SweepBudget(runs=30), method=RANDOM, base={"noise": 0.2}, confirmation=Confirmation(top=3, seeds=5)
        )
        story = bench.run(sweep)
        assert sum(story.runs.values()) <= 30
        assert story.fresh_runs > 0


def test_scientific_settings_are_tuned_with_the_same_budget(bench):
    space = SearchSpace(
        parameters=(choice("kind", "a", "b", "c", role="scientific"), real("x", 0.0, 1.0), real("y", 0.0, 1.0))
    )
    story = bench.run(a_sweep(trials=12, method=Method(name="tpe"), space=space))
    kinds = [t.settings["kind"] for t in story.trials]
    assert {kind: kinds.count(kind) for kind in "abc"} == {"a": 4, "b": 4, "c": 4}


def test_a_story_is_read_from_the_record_alone(bench):
    sweep = a_sweep(trials=5, method=RANDOM, confirmation=Confirmation(top=2, seeds=2))
    told = bench.run(sweep)
    study = bench.record.studies()[0]
    read = read_sweep_story(bench.record, study)
    assert read.trials == told.trials
    assert read.chosen == told.chosen
    assert read.sweep.definition() == sweep.definition()
