"""Every stopping rule judges as its oracle does, and says in one line what it cannot work with."""

from __future__ import annotations

import warnings

import numpy as np
import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from surefoot.errors import PlanError
from surefoot.run import Status
from surefoot.search import check_stopping, stopper
from surefoot.sweep import Stopping

GOALS = ("minimize", "maximize")


def rule_of(goal="minimize", can_resume=False, **stopping):
    return stopper(Stopping(**stopping), goal, can_resume=can_resume, seed=0)


def optunas(pruner, goal, curves, complete):
    """At which step Optuna's pruner ends each of the later curves, the first ones being complete."""
    study = optuna.create_study(direction=goal, pruner=pruner)
    for curve in curves[:complete]:
        study.add_trial(optuna.trial.create_trial(value=curve[-1], intermediate_values=dict(enumerate(curve))))
    found = []
    for curve in curves[complete:]:
        shown = {}
        end = None
        for step, value in enumerate(curve):
            shown[step] = value
            trial = optuna.trial.create_trial(state=optuna.trial.TrialState.RUNNING, intermediate_values=dict(shown))
            if pruner.prune(study, trial):
                end = step
                break
        found.append(end)
    return found


def ours(rule, curves, complete):
    for number, curve in enumerate(curves[:complete]):
        for step, value in enumerate(curve):
            rule.judge(number, step, value)
        rule.ended(number, Status.COMPLETE)
    found = []
    for number, curve in enumerate(curves[complete:], complete):
        halts = (step for step, value in enumerate(curve) if rule.judge(number, step, value) is not None)
        found.append(next(halts, None))
        rule.ended(number, Status.PRUNED)
    return found


@pytest.fixture
def quiet_optuna():
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    optuna.logging.set_verbosity(level)


@pytest.mark.usefixtures("quiet_optuna")
@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize(("warmup_steps", "warmup_trials"), [(0, 1), (2, 5), (3, 4)])
def test_the_median_rule_judges_as_optunas(goal, warmup_steps, warmup_trials):
    rng = np.random.default_rng(3)
    # Complete runs of unequal length: some steps have too few values for a median.
    curves = [rng.normal(0, 1, rng.integers(4, 9)).round(1).tolist() for _ in range(6)]
    curves += [rng.normal(0, 1.5, 8).round(1).tolist() for _ in range(60)]
    pruner = optuna.pruners.MedianPruner(
        n_startup_trials=warmup_trials, n_warmup_steps=warmup_steps, interval_steps=1, n_min_trials=warmup_trials
    )
    rule = rule_of(goal, rule="median", warmup_steps=warmup_steps, warmup_trials=warmup_trials)
    found = ours(rule, curves, 6)
    assert found == optunas(pruner, goal, curves, 6)
    assert any(step is not None for step in found)


@settings(max_examples=100, deadline=None)
@given(
    goal=st.sampled_from(GOALS),
    patience=st.integers(1, 5),
    curve=st.lists(st.integers(-1000, 1000), min_size=1, max_size=25, unique=True),
)
def test_patience_judges_as_optunas_on_curves_without_ties(goal, patience, curve):
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pruner = optuna.pruners.PatientPruner(None, patience=patience - 1, min_delta=0.0)
    curve = [float(v) for v in curve]
    assert ours(rule_of(goal, rule="patience", patience=patience), [curve], 0) == optunas(pruner, goal, [curve], 0)
    optuna.logging.set_verbosity(level)


def test_patience_ends_a_value_that_stands_still():
    rule = rule_of("maximize", rule="patience", patience=3)
    said = [rule.judge(0, step, 0.5) for step in range(1, 5)]
    assert [halt is None for halt in said] == [True, True, True, False]
    assert said[-1].reason == "no better than 0.5 (step 1) for 3 measurements"


def test_a_run_that_is_begun_again_does_not_lose_patience_twice():
    rule = rule_of(rule="patience", patience=3)
    for _ in range(3):
        assert [rule.judge(0, step, value) for step, value in enumerate([1.0, 2.0, 2.0])] == [None] * 3


def test_wilcoxon_ends_a_trial_that_is_behind_on_every_seed_and_no_other():
    rule = rule_of("maximize", rule="wilcoxon", p=0.1)
    rng = np.random.default_rng(0)
    luck = rng.normal(0, 1, 10)

    def answered(number, gain):
        for seed, value in enumerate((luck + gain + rng.normal(0, 0.05, 10)).tolist()):
            halt = rule.judge(number, seed, value)
            if halt is not None:
                rule.ended(number, Status.PRUNED)
                return seed + 1, halt.reason
        rule.ended(number, Status.COMPLETE)
        return None

    assert answered(0, 0.0) is None
    assert answered(1, 0.5) is None  # the new best
    seeds, reason = answered(2, 0.2)
    assert seeds == 4  # with three pairs p is at least 1/8
    assert reason == "behind trial 1 on 4 seeds (Wilcoxon's signed-rank test, p < 0.1)"
    assert answered(3, 0.5) is None


def test_wilcoxon_agrees_with_optunas_pruner_on_a_whole_study(quiet_optuna):
    rng = np.random.default_rng(1)
    curves = (rng.normal(0, 1, 8) + rng.normal(0, 0.7, (30, 1)) + rng.normal(0, 0.4, (30, 8))).tolist()
    pruner = optuna.pruners.WilcoxonPruner(p_threshold=0.2, n_startup_steps=2)
    study = optuna.create_study(direction="minimize", pruner=pruner)
    rule, theirs, found = rule_of(rule="wilcoxon", p=0.2), [], []
    for number, curve in enumerate(curves):
        trial, end, halted = study.ask(), None, None
        for step, value in enumerate(curve):
            if end is None:
                trial.report(value, step)
                end = step if trial.should_prune() else None
            if halted is None:
                halted = step if rule.judge(number, step, value) is not None else None
        rule.ended(number, Status.COMPLETE if halted is None else Status.PRUNED)
        if end is None:
            study.tell(trial, float(np.mean(curve)))
        else:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        theirs.append(end)
        found.append(halted)
    assert found == theirs
    assert sum(end is not None for end in found) > 5


@pytest.mark.parametrize("rule", ["median", "wilcoxon"])
def test_a_rule_rebuilt_from_the_record_goes_on_as_if_nothing_had_happened(rule):
    rng = np.random.default_rng(2)
    curves = (rng.normal(0, 1, 6) + rng.normal(0, 0.7, (30, 1)) + rng.normal(0, 0.5, (30, 6))).tolist()
    live, again = (rule_of(rule=rule, warmup_trials=2) for _ in range(2))
    ended = ours(live, curves[:15], 0)
    assert any(end is None for end in ended)
    again.recall(99, {}, Status.FAILED)
    for number, (curve, end) in enumerate(zip(curves, ended, strict=False)):
        shown = dict(enumerate(curve if end is None else curve[: end + 1]))
        again.recall(number, shown, Status.COMPLETE if end is None else Status.PRUNED)
    # The same whole runs, judged step by step as they came.
    live = rule_of(rule=rule, warmup_trials=2)
    ours(live, [curve for curve, end in zip(curves, ended, strict=False) if end is None], sum(e is None for e in ended))
    for number in range(100, 115):
        said = [[r.judge(number, s, v) is None for s, v in enumerate(curves[number - 85])] for r in (again, live)]
        assert said[0] == said[1]


@pytest.mark.parametrize("steps", [(100, 200, 300, 400), (0, 1, 2, 3)])
def test_measurements_are_counted_where_steps_mean_something_else(steps):
    rule = rule_of(rule="asha", min_steps=2, max_steps=8, eta=2, counts="measurements")
    assert rule.judge(0, steps[0], 1.0) is None
    assert rule.judge(0, steps[1], 1.0) is None  # the best so far
    assert rule.judge(1, steps[0], 2.0) is None
    assert rule.judge(1, steps[0], 2.0) is None  # begun again: still the first one
    assert rule.judge(1, steps[1], 2.0) is not None
    again = rule_of(rule="asha", min_steps=2, max_steps=8, eta=2, counts="measurements")
    again.recall(0, dict.fromkeys(steps[:2], 1.0), Status.INTERRUPTED)
    assert again.judge(1, steps[0], 2.0) is None
    assert again.judge(1, steps[1], 2.0) is not None


@pytest.mark.parametrize("rule", ["asha", "hyperband"])
def test_a_promotion_that_cannot_be_is_said(rule):
    asked = dict(rule=rule, max_steps=9)
    assert not rule_of(can_resume=True, **asked).notices
    assert not rule_of(can_resume=False, **asked).notices  # not asked for
    (notice,) = rule_of(can_resume=False, promotes=True, **asked).notices
    assert "cannot go on from a checkpoint" in notice
    numbers = range(6)
    for promotes, is_pause in ((None, True), (True, True), (False, False)):
        rule_ = rule_of(can_resume=True, promotes=promotes, **asked)
        halts = [rule_.judge(number, 1, float(number)) for number in numbers]
        assert {halt.is_pause for halt in halts if halt is not None} == {is_pause}


@pytest.mark.parametrize(
    ("stopping", "message"),
    [
        (dict(rule="asha", eta=1), "eta of asha must be at least 2; got 1"),
        (dict(rule="asha", min_steps=0), "min_steps of asha must be at least 1; got 0"),
        (dict(rule="asha", min_steps=9, max_steps=9), "max_steps of asha must be more than min_steps; got 9 and 9"),
        (dict(rule="hyperband"), "hyperband needs max_steps"),
        (dict(rule="patience", patience=0), "patience of patience must be at least 1; got 0"),
        (dict(rule="wilcoxon", p=1.5), "p of wilcoxon must lie between 0 and 1; got 1.5"),
        (dict(rule="median", warmup_trials=-1), "warmup_trials of median must be at least 0; got -1"),
    ],
)
def test_a_rule_says_what_it_cannot_work_with(stopping, message):
    with pytest.raises(PlanError, match=message):
        check_stopping(Stopping(**stopping))


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=30))
@pytest.mark.parametrize("rule", ["asha", "hyperband", "median", "patience", "wilcoxon"])
def test_no_value_breaks_a_rule(rule, values):
    assume(values)
    judge = rule_of(rule=rule, max_steps=9, warmup_trials=0)
    for place, value in enumerate(values):
        number = place // 4
        judge.judge(number, place % 4, value)
        if place % 4 == 3:
            judge.ended(number, Status.COMPLETE)
    judge.promotion()
