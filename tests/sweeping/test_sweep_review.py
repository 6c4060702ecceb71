"""Sweeps that meet what nobody planned: edits, interrupts, repeats and other sweeps on the same record."""

import dataclasses
import itertools
import sys

import pytest
from sweep_cases import XYK, Bench, Ear, a_sweep

from surefoot.errors import WorkloadError
from surefoot.execution import WorkerPool
from surefoot.program import Program
from surefoot.run import Metric
from surefoot.space import SearchSpace, choice, constraint, integer, real
from surefoot.sweep import Confirmation, Method, Stopping, SweepBudget
from surefoot.workloads.program import check_program

RANDOM = Method(name="random")
TPE = Method(name="tpe", options={"startup": 4})
ASHA = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
LOSS = (Metric(name="loss", goal="minimize"),)
SEEDS_OF = "import sys\ntold = dict(word.lstrip('-').split('=') for word in sys.argv[1:] if '=' in word)\n"


def a_program_sweep(folder, text, *words, metrics=LOSS, **changes):
    """A sweep over `x` of a script with this text, in the folder."""
    (folder / "train.py").write_text(SEEDS_OF + text)
    program = Program(command=(sys.executable, "train.py", "{args}", *words), metrics=metrics, folder=str(folder))
    space = SearchSpace(parameters=(real("x", 1.0, 2.0),))
    sweep = a_sweep(method=RANDOM, space=space, metrics=metrics, objectives=(metrics[0].name,), **changes)
    return dataclasses.replace(sweep, workload=program, base={})


def told(story):
    return [(dict(t.settings), t.state, t.values) for t in story.trials]


class TestWithNothingNewToTry:
    @pytest.mark.parametrize("method", ["random", "tpe"])
    def test_a_finite_space_ends_a_sweep_that_only_runs_would_end(self, bench, method):
        space = SearchSpace(parameters=(choice("kind", "a", "b"),))
        story = bench.run(a_sweep(budget=SweepBudget(runs=20), method=Method(name=method), space=space))
        assert story.runs == {"complete": 2}
        assert story.ending == "the last 100 configs proposed were all tried before"

    def test_an_interrupt_is_heeded_while_trials_are_answered_by_what_is_there(self, bench, monkeypatch):
        space = SearchSpace(parameters=(choice("kind", "a", "b"),))
        with WorkerPool(1, threads=1) as pool:
            bench.pool = pool
            monkeypatch.setattr(Ear, "trial_ended", lambda self, trial, _: trial.number < 5 or pool.interrupt())
            assert len(bench.run(a_sweep(trials=300, method=RANDOM, space=space)).trials) < 10


class TestOtherSweepsOnTheRecord:
    def test_what_another_sweep_trained_on_every_seed_is_not_trained_again(self, bench):
        sweep = a_sweep(trials=3, seeds=3, method=RANDOM)
        first = bench.run(dataclasses.replace(sweep, name="first"))
        second = bench.run(dataclasses.replace(sweep, name="second"))
        assert second.runs == {}
        assert told(second) == told(first)

    @pytest.mark.parametrize("rule", ["asha", "median", "wilcoxon"])
    def test_a_stopping_rule_learns_from_what_another_sweep_trained(self, bench, tmp_path, rule):
        """As it does of the same runs when it is taken up again."""
        rules = {
            "asha": ASHA,
            "median": Stopping(rule="median", warmup_trials=3),
            "wilcoxon": Stopping(rule="wilcoxon", p=0.3),
        }
        seeds = 5 if rule == "wilcoxon" else 1
        sweep = a_sweep(trials=6, method=RANDOM, seeds=seeds, base={"steps": 9, "noise": 0.1})
        stopped = dataclasses.replace(sweep, stopping=rules[rule], budget=SweepBudget(trials=14))
        bench.run(dataclasses.replace(sweep, name="another"))
        at_once = bench.run(dataclasses.replace(stopped, name="at once"))
        bench.run(dataclasses.replace(stopped, name="in parts", budget=SweepBudget(trials=6)))
        bench.reopen()
        in_parts = bench.run(dataclasses.replace(stopped, name="in parts"))
        assert [t.state for t in in_parts.trials] == [t.state for t in at_once.trials]


class TestTakenUpAgain:
    RULES = (
        {"stopping": ASHA},
        {"stopping": ASHA, "seeds": 2},
        {"stopping": dataclasses.replace(ASHA, counts="measurements")},
        {"stopping": dataclasses.replace(ASHA, rule="hyperband")},
        {"stopping": Stopping(rule="median", warmup_trials=3)},
        {"stopping": Stopping(rule="wilcoxon", p=0.3), "seeds": 4},
        {"seeds": 3},
    )

    @pytest.mark.parametrize("rule", RULES, ids=str)
    def test_interrupted_again_and_again_it_makes_the_same_trials(self, bench, tmp_path, rule):
        sweep = a_sweep(trials=8, method=TPE, space=XYK, base={"steps": 9, "noise": 0.3}, **rule)
        whole = bench.run(sweep)
        for _ in range(40):
            with WorkerPool(1, threads=1) as pool:
                parts = _interrupted_at(31, Bench(tmp_path / "parts", pool), sweep)
                if not pool.is_interrupted:
                    break
        assert told(parts) == told(whole)

    @pytest.mark.parametrize("method", ["tpe", "cmaes"])
    def test_what_its_seeds_ended_is_told_alike(self, bench, tmp_path, method):
        wilcoxon = Stopping(rule="wilcoxon", p=0.3)
        sweep = a_sweep(
            trials=20, method=Method(name=method), space=XYK, seeds=5, stopping=wilcoxon, base={"noise": 0.05}
        )
        whole = bench.run(sweep)
        parts = Bench(tmp_path / "parts", bench.pool)
        parts.run(dataclasses.replace(sweep, budget=SweepBudget(trials=13)))
        parts.reopen()
        assert told(parts.run(sweep)) == told(whole)
        parts.close()

    def test_runs_that_were_reused_cost_nothing_of_the_budget(self, bench):
        space = SearchSpace(parameters=(choice("kind", "a", "b"), integer("depth", 1, 3)))
        sweep = a_sweep(method=RANDOM, space=space)
        bench.run(dataclasses.replace(sweep, name="another", budget=SweepBudget(trials=3)))
        bench.run(dataclasses.replace(sweep, budget=SweepBudget(runs=1)))
        bench.reopen()
        story = bench.run(dataclasses.replace(sweep, budget=SweepBudget(runs=3)))
        assert story.runs == {"complete": 3}


def _interrupted_at(count, bench, sweep):
    """The story of a sweep whose pool is interrupted at that measurement."""
    measured, begin = itertools.count(1), bench.pool.run

    def run(tasks, *, on_start, on_end, on_measurement=None):
        def measure(task, measurement):
            said = on_measurement(task, measurement) if on_measurement else None
            if next(measured) == count:
                bench.pool.interrupt()
            return said

        return begin(tasks, on_start=on_start, on_measurement=measure, on_end=on_end)

    bench.pool.run = run
    try:
        return bench.run(sweep)
    finally:
        bench.close()


class TestSweepsThatChange:
    def test_with_fewer_seeds_than_before_it_goes_on(self, bench):
        wilcoxon = Stopping(rule="wilcoxon", p=0.2)
        sweep = a_sweep(trials=4, seeds=6, method=RANDOM, stopping=wilcoxon, base={"noise": 0.1})
        bench.run(sweep)
        story = bench.run(dataclasses.replace(sweep, seeds=3, budget=SweepBudget(trials=6)))
        assert len(story.trials) == 6

    def test_what_no_longer_counts_takes_nothing_of_the_budget(self, bench):
        confirmation = Confirmation(top=3, seeds=3)
        budget = SweepBudget(runs=30)
        sweep = a_sweep(budget=budget, method=RANDOM, base={"noise": 0.1}, confirmation=confirmation)
        first = bench.run(sweep)
        second = bench.run(dataclasses.replace(sweep, base={**sweep.base, "noise": 0.2}))
        assert second.chosen is not None
        assert second.chosen.is_complete
        assert len(second.trials) == len(first.trials)

    def test_a_gain_is_over_the_base_of_today(self, bench):
        confirmation = Confirmation(top=2, seeds=3, has_base=True)
        sweep = a_sweep(trials=8, method=RANDOM, base={"noise": 0.01}, confirmation=confirmation)
        bench.run(sweep)
        story = bench.run(dataclasses.replace(sweep, base={**sweep.base, "steps": 9}))
        fresh = bench.record.trial_runs(1, "toy on fresh seeds")
        assert [run.config["steps"] for run in fresh[-1]] == [3] * 5 + [9] * 5
        assert story.chosen.gain_interval is not None
        assert abs(story.chosen.gain) < 1 / 4 - 1 / 10  # what the steps alone bring

    def test_another_command_makes_other_trials(self, bench, tmp_path):
        text = "print('loss=%r' % (float(told['x']) * (2 if '--twice' in sys.argv else 1)))\n"
        bench.run(a_program_sweep(tmp_path, text, trials=3))
        story = bench.run(a_program_sweep(tmp_path, text, "--twice", trials=3))
        assert [t.values[0] for t in story.trials] == [pytest.approx(2 * t.settings["x"]) for t in story.trials]
        assert sum(story.left_out.values()) == 3

    def test_a_constraint_on_a_metric_that_was_not_told_leaves_the_trials_out(self, bench, tmp_path):
        text = "print('loss=1 size=%r' % float(told['x']))\n"
        bench.run(a_program_sweep(tmp_path, text, trials=3))
        metrics = (*LOSS, Metric(name="size", goal="minimize"))
        sweep = a_program_sweep(tmp_path, text, metrics=metrics, trials=4)
        limited = dataclasses.replace(sweep.space, constraints=(constraint("size <= 1.5"),))
        story = bench.run(dataclasses.replace(sweep, space=limited))
        assert sum(story.left_out.values()) == 3
        assert len(story.trials) == 4


def test_a_constraint_that_names_a_metric_and_a_conditional_setting_holds_where_that_is_absent(bench):
    depth = integer("depth", 1, 9, when={"kind": ("b",)})
    space = SearchSpace(parameters=(choice("kind", "a", "b"), depth), constraints=(constraint("size + depth <= 8"),))
    sweep = a_sweep(trials=8, method=RANDOM, space=space)
    story = bench.run(dataclasses.replace(sweep, base={k: v for k, v in sweep.base.items() if k != "depth"}))
    assert len(story.trials) == 8
    for trial in story.trials:
        assert bool(trial.barred_by) == (2 * trial.settings.get("depth", 1) > 8)


def test_a_rung_is_counted_on_where_a_promoted_trial_goes_on(bench):
    sweep = a_sweep(trials=12, method=RANDOM, base={"steps": 9})
    by_step = bench.run(dataclasses.replace(sweep, name="by step", stopping=ASHA))
    counted = dataclasses.replace(ASHA, counts="measurements")
    other = {**sweep.base, "pause_ms": 1}  # so that nothing is reused
    counting = bench.run(dataclasses.replace(sweep, name="counting", stopping=counted, base=other))
    assert [(t.state, t.reason) for t in counting.trials] == [(t.state, t.reason) for t in by_step.trials]


class TestHours:
    def test_those_of_a_budget_hold_the_fresh_seeds_too(self, bench):
        budget = SweepBudget(hours=1.5 / 3600)
        base = {"noise": 0.1, "pause_ms": 10}
        story = bench.run(a_sweep(method=RANDOM, budget=budget, base=base, confirmation=Confirmation(top=3, seeds=3)))
        assert story.fresh_runs > 0
        assert story.chosen.estimate is not None
        assert "kept for fresh seeds" in story.ending
        spent = {run.id: run.provenance.wall_seconds for run in bench.record.runs(1)}
        # A run that is begun is trained to its end.
        assert sum(spent.values()) <= 1.5 + 2 * max(spent.values())

    def test_what_another_sweep_trained_costs_none(self, bench):
        sweep = a_sweep(trials=5, method=RANDOM, base={"pause_ms": 20})
        bench.run(dataclasses.replace(sweep, name="another"))
        hours = SweepBudget(trials=8, hours=0.2 / 3600)
        bench.run(dataclasses.replace(sweep, budget=dataclasses.replace(hours, trials=5)))
        bench.reopen()
        assert len(bench.run(dataclasses.replace(sweep, budget=hours)).trials) > 5


class TestStoppedFromOutside:
    ONCE = (
        "import os, signal, time\n"
        "if not os.path.exists('once'):\n"
        "    open('once', 'w').close()\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
        "print('loss=1.5')\n"
    )
    ON_FRESH_SEEDS = (
        "import os, signal, time\n"
        "if int(told['seed']) > 10_000:\n"
        "    os.kill(os.getppid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
        "print('loss=1.5')\n"
    )

    def test_a_run_is_tried_again_in_the_same_sitting(self, bench, tmp_path):
        story = bench.run(a_program_sweep(tmp_path, self.ONCE, trials=3))
        assert [t.state for t in story.trials] == ["COMPLETE"] * 3

    def test_a_run_on_a_fresh_seed_is_not_tried_for_ever(self, bench, tmp_path):
        confirmation = Confirmation(top=2, seeds=2)
        story = bench.run(
            a_program_sweep(tmp_path, self.ON_FRESH_SEEDS, trials=2, retries=1, confirmation=confirmation)
        )
        assert story.phase == "done"
        assert story.chosen.estimate is None


def test_to_maximize_a_number_is_to_minimize_its_opposite(bench, tmp_path):
    """In proposing, stopping, ranking, racing and telling."""
    rule = Stopping(rule="median", warmup_trials=3)
    text = (
        "import surefoot, math\nx, seed = float(told['x']), int(told['seed'])\n"
        "for step in range(1, 6):\n"
        "    surefoot.report(step, m=SIGN * ((x - 1.3) ** 2 + 0.02 * math.sin(seed * 78.1 + x * 1e3) + 1 / step))\n"
    )
    stories = []
    for goal, sign in (("minimize", "1"), ("maximize", "-1")):
        folder = tmp_path / goal
        folder.mkdir()
        there = Bench(folder / "home", bench.pool)
        sweep = a_program_sweep(
            folder,
            text.replace("SIGN", sign),
            metrics=(Metric(name="m", goal=goal),),
            trials=12,
            stopping=rule,
            confirmation=Confirmation(top=3, seeds=3),
        )
        stories.append(there.run(dataclasses.replace(sweep, method=TPE)))
        there.close()
    low, high = stories
    assert [(dict(t.settings), t.state) for t in low.trials] == [(dict(t.settings), t.state) for t in high.trials]
    assert (low.best, low.chosen.number, low.chosen.survives) == (high.best, high.chosen.number, high.chosen.survives)
    assert low.chosen.luck == pytest.approx(high.chosen.luck)
    assert low.chosen.estimate == pytest.approx(-high.chosen.estimate)
    assert [s.state for s in low.chosen.standings] == [s.state for s in high.chosen.standings]


@pytest.mark.parametrize(
    "said",
    [
        {"environment": {"DB": "postgresql://me:hunter2@host/db"}},
        {"command": (sys.executable, "--version", "--db=postgresql://me:hunter2@host/db")},
    ],
    ids=["environment", "command"],
)
def test_a_program_with_a_password_in_a_url_is_refused_before_it_is_on_record(said):
    program = Program(**{"command": (sys.executable, "--version"), "metrics": LOSS, **said})
    with pytest.raises(WorkloadError, match="must hold no password") as refused:
        check_program(program)
    assert "hunter2" not in str(refused.value)


def test_a_url_without_a_password_is_none_of_our_business():
    words = ("--db=postgresql://me@host:5432/db", "--as=http://me:${envvar:HOME}@host/", "s3://bucket/key@2")
    check_program(Program(command=("echo", *words), metrics=LOSS))
