"""A sweep's record as a table of trials: what was declared, how every trial ended, and nothing of the fresh seeds."""

import math
import statistics

import pytest
from sweep_cases import XY, XYK, a_sweep

from surefoot.errors import RecordError
from surefoot.space import SearchSpace, choice, constraint, integer
from surefoot.sweep import Confirmation, Method, Stopping, SweepBudget
from surefoot.sweeping.tables import MOST_CURVES, shown_in_curves, table_of_sweep
from surefoot.trials import Trial

CONFIRMED = Confirmation(top=2, seeds=2)


def table_of(bench, name="toy", **said):
    study = next(s for s in bench.record.studies() if s.name == name)
    return table_of_sweep(bench.record, study, **said)


def test_the_table_has_the_declared_space_and_every_trial_as_it_was_proposed(bench):
    story = bench.run(a_sweep(space=XYK, trials=5, method=Method(name="random")))
    table = table_of(bench)
    assert table.space == XYK and not table.is_inferred and table.is_in_order
    assert (table.name, table.metric.name, table.metric.goal) == ("toy", "loss", "minimize")
    assert table.sweep.name == "toy" and table.base["depth"] == 1
    assert [(t.name, t.settings, t.value) for t in table.trials] == [
        (str(t.number), t.settings, t.values[0]) for t in story.trials
    ]
    first = table.trials[0]
    assert first.state == "COMPLETE" and first.origin and first.seconds > 0 and first.started_at
    assert first.measured["size"] == 1 and first.budget == {"steps": 3.0}
    assert first.curves["loss"].steps == (1, 2, 3) and first.curves["loss"].values[-1] == first.value
    assert set(first.curves) == {"loss", "size"}


def test_several_seeds_are_one_trial_with_its_values(bench):
    bench.run(a_sweep(trials=3, seeds=3, base={"noise": 0.1}))
    for trial in table_of(bench).trials:
        assert len(set(trial.per_seed)) == 3
        assert trial.value == pytest.approx(statistics.fmean(trial.per_seed))


def test_fresh_seeds_stand_apart_from_the_values_that_chose(bench):
    story = bench.run(a_sweep(trials=4, base={"noise": 0.1}, confirmation=CONFIRMED, budget=SweepBudget(trials=4)))
    table = table_of(bench)
    assert len(table.trials) == 4 and all(len(t.per_seed) == 1 for t in table.trials)
    told = {str(f.number): f.values for f in story.fresh if f.number >= 0}
    assert table.fresh == told and len(told) >= 2


def test_every_way_to_end_has_its_state_and_reason(bench):
    space = SearchSpace(parameters=(choice("mode", "behave", "crash", "diverge"),))
    bench.run(a_sweep(space=space, method=Method(name="grid"), trials=None))
    found = {t.settings["mode"]: t for t in table_of(bench).trials}
    assert {mode: t.state for mode, t in found.items()} == {
        "behave": "COMPLETE",
        "crash": "FAILED",
        "diverge": "INFEASIBLE",
    }
    assert "breaks as it was told" in found["crash"].reason and "nan" in found["diverge"].reason
    assert found["crash"].value is None and found["diverge"].per_seed == ()


def test_a_pruned_trial_has_its_last_value_and_step(bench):
    stopping = Stopping(rule="median", warmup_steps=1, warmup_trials=2)
    bench.run(a_sweep(trials=12, stopping=stopping, base={"steps": 6}))
    pruned = [t for t in table_of(bench).trials if t.state == "PRUNED"]
    assert pruned
    for trial in pruned:
        step, value = trial.last
        assert trial.value is None and 1 <= step < 6
        assert value == trial.curves["loss"].values[-1] and step == trial.curves["loss"].steps[-1]


def test_a_trial_that_breaks_a_measured_constraint_is_infeasible_and_keeps_its_numbers(bench):
    space = SearchSpace(parameters=(*XY.parameters, integer("depth", 1, 4)), constraints=(constraint("size <= 2"),))
    bench.run(a_sweep(space=space, trials=8, method=Method(name="random")))
    table = table_of(bench)
    barred = [t for t in table.trials if t.settings["depth"] > 2]
    assert barred and all(t.state == "INFEASIBLE" and 'breaks the constraint "size <= 2"' in t.reason for t in barred)
    assert all(math.isfinite(t.measured["loss"]) for t in barred)
    assert any("measured constraint" in text for text in table.notices)


def test_of_several_objectives_the_first_or_the_one_asked_for(bench):
    bench.run(a_sweep(objectives=("loss", "size"), method=Method(name="random"), trials=3))
    table = table_of(bench)
    assert table.metric.name == "loss" and "size" in table.trials[0].measured
    assert any("Say --metric for the other" in text for text in table.notices)
    other = table_of(bench, metric="size")
    assert other.metric.name == "size" and other.trials[0].value == 1 and "loss" in other.trials[0].measured
    with pytest.raises(RecordError, match=r'does not measure "siz" \(it has loss, size\)\. Did you mean "size"'):
        table_of(bench, metric="siz")


def test_trials_that_do_not_count_today_are_left_out_and_counted(bench):
    bench.run(a_sweep(trials=3))
    narrower = SearchSpace(parameters=tuple(p for p in XY.parameters if p.name == "x"))
    bench.run(a_sweep(trials=2, space=narrower, base={"y": 0.25}))
    table = table_of(bench)
    assert len(table.trials) == 2
    assert [text for text in table.notices if "3 trials on record do not count today" in text]


def test_of_very_many_trials_the_best_the_worst_and_a_sample_have_curves():
    trials = [Trial(name=str(i), state="COMPLETE", settings={}, value=float((i * 37) % 1009)) for i in range(1009)]
    shown = shown_in_curves(trials, -1)
    names = {t.name for t in shown}
    by_value = sorted(trials, key=lambda t: t.value)
    assert len(shown) <= MOST_CURVES
    assert {t.name for t in (*by_value[:100], *by_value[-100:])} <= names
    assert shown_in_curves(trials[:300], -1) == trials[:300]
