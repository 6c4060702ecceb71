"""Where a sweep stands: its trials, why some failed, the best with its uncertainty, what runs, what is left."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest
from sweep_cases import XY, XYK, a_sweep

from surefoot.plan import confirming_seeds, exploring_seeds
from surefoot.run import Measurement, Metric, Provenance, Status, config_hash
from surefoot.space import SearchSpace, choice, constraint, integer, real
from surefoot.storage import Record
from surefoot.study.status import MOST_TRIALS_READ, status_of, status_text
from surefoot.sweep import Confirmation, Method, Stopping, SweepBudget
from surefoot.sweeping.registration import register_sweep
from surefoot.sweeping.standing import standing_of
from surefoot.sweeping.telling import fresh_key, read_sweep_story
from surefoot.sweeping.trials import ABANDONED

RANDOM = Method(name="random")
PROVENANCE = Provenance(
    code_fingerprint="c", data_fingerprint="d", started_at="2026-01-02T14:02:00+00:00", wall_seconds=2.0
)


class Log:
    """A sweep on record as a coordinator would have left it, run by run."""

    def __init__(self, record, sweep):
        self.record, self.sweep = record, sweep
        self.id = record.add_study(sweep.name, sweep.workload_name, kind="sweep")
        register_sweep(record, self.id, sweep)
        self.numbers = set()

    def trial(self, number, *endings, settings=None, key=None):
        """A trial with these runs: a loss, or a status with a reason; None: it runs. Ends are (seed, what)."""
        settings = settings or {"x": 0.1 + number / 1000, "y": 0.5}
        config = {**self.sweep.base, **settings}
        if number not in self.numbers and key is None:
            self.numbers.add(number)
            self.record.add_trial(
                self.id, sweep=self.sweep.name, number=number, settings=settings, config=config, origin="random",
                space_hash=self.sweep.hash,
            )  # fmt: skip
        for seed, ending in endings:
            self._run(number, config, seed, ending, key or self.sweep.name)

    def fresh(self, number, values):
        """The trial's values on the first fresh seeds."""
        self.trial(number, *zip(confirming_seeds(len(values)), values, strict=True), key=fresh_key(self.sweep.name))

    def _run(self, number, config, seed, ending, experiment):
        run = self.record.start_run(
            study_id=self.id, key=f"{experiment}{number}{config_hash(config)}{seed}", workload="sweep_toy:TOY",
            config=config, seed=seed, provenance=PROVENANCE, experiment=experiment, arm=f"trial {number}",
        )  # fmt: skip
        if ending is None:
            return
        status, reason = (Status.COMPLETE, "") if isinstance(ending, float) else ending
        curve = [Measurement(step=1, values={"loss": ending, "size": 1.0})] if isinstance(ending, float) else []
        self.record.finish_run(
            run, status=status, reason=reason, measurements=curve, facts={}, checkpoints={}, provenance=PROVENANCE
        )

    def state(self, phase, ending):
        payload = {"phase": phase, "ending": ending, "primary": "loss", "unit": "", "target": None}
        self.record.add_event(self.id, kind="state", experiment=None, payload=payload)

    @property
    def entry(self):
        (found,) = status_of(self.record, self.sweep.name)
        return found

    @property
    def text(self):
        return status_text([self.entry], "--home here")


@pytest.fixture
def record(tmp_path):
    with Record.open(tmp_path) as found:
        yield found


@pytest.fixture
def log(record):
    return Log(record, a_sweep(trials=20, path="toy.yaml", confirmation=Confirmation(top=3, seeds=3)))


def test_trials_are_counted_by_state_with_what_runs_since_when(log):
    log.trial(0, (1, 0.5))
    log.trial(1, (1, 0.4))
    log.trial(2, (1, (Status.PRUNED, "0.9 is number 3 of 3 at step 1")))
    log.trial(3, (1, (Status.INFEASIBLE, "the loss was nan at step 3")))
    log.trial(4, (1, None))
    assert log.entry["trials"] == {"complete": 2, "pruned": 1, "infeasible": 1, "running": 1}
    assert [(r["trial"], r["seed"], r["since"]) for r in log.entry["running"]] == [(4, 1, PROVENANCE.started_at)]
    assert "runs now  trial 4, seed 1, since 14:02 UTC" in log.text
    assert "5 of 20: 2 complete, 1 pruned, 1 infeasible and 1 running" in log.text


def test_failures_are_grouped_by_their_reason(log):
    log.trial(0, (1, 0.5))
    for number in range(1, 8):
        log.trial(number, (1, (Status.FAILED, f"exit code 1; last words: no file run_{number}.csv")))
    log.trial(8, (1, (Status.FAILED, "exit code 137, as of signal 9 (Killed); last words: epoch 3")))
    assert [(f["count"], f["trials"][0]) for f in log.entry["failures"]] == [(7, 1), (1, 8)]
    assert "7 × exit code 1; last words: no file run_1.csv (and alike) (trials 1, 2, 3, 4 and 3 more)" in log.text
    assert "1 × exit code 137" in log.text


def test_attempts_that_were_retried_are_counted(log):
    log.trial(0, (1, (Status.INTERRUPTED, ABANDONED)), (1, (Status.FAILED, "killed by signal 9")), (1, 0.5))
    log.trial(1, (1, 0.6))
    assert log.entry["retried"] == 2
    assert "2 runs came to nothing and were tried again" in log.text
    (study,) = log.record.studies()
    story = read_sweep_story(log.record, study)
    assert [t.retried for t in story.trials] == [2, 0]
    assert story.trials[0].attempts == 3 and story.trials[0].state == "COMPLETE"


def test_a_run_whose_coordinator_is_gone_does_not_run(log, tmp_path):
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_status_of_sweeps import Log, Record, a_sweep, Confirmation\n"
        "record = Record.open(sys.argv[1])\n"
        "log = Log(record, a_sweep(trials=20, path='toy.yaml', confirmation=Confirmation(top=3, seeds=3)))\n"
        "log.trial(0, (1, 0.5)); log.trial(1, (1, None))\n"
    )
    folders = [path for path in sys.path if "tests" in path]
    subprocess.run([sys.executable, "-c", script, str(tmp_path), *folders], check=True, env=dict(os.environ))
    assert log.entry["running"] == []
    assert log.entry["trials"] == {"complete": 1, "waiting": 1}
    (study,) = log.record.studies()
    assert read_sweep_story(log.record, study).trials[1].state == "WAITING"


class TestTheBest:
    def test_of_one_seed_has_no_known_uncertainty(self, log):
        log.trial(0, (1, 0.5))
        log.trial(1, (1, 0.4))
        best = log.entry["best"]
        assert (best["trial"], best["value"], best["basis"], best["interval"]) == (1, 0.4, "one seed", None)
        assert best["settings"] == {"x": 0.101, "y": 0.5}
        assert "trial 1: loss 0.4 (one seed: how far it is luck is unknown)" in log.text
        assert log.entry["is_claimed"] is False

    def test_of_several_seeds_has_their_spread(self, record):
        log = Log(record, a_sweep(trials=20, seeds=3))
        for number in range(2):
            ends = [0.4 + 0.1 * number, 0.5 + 0.1 * number, 0.6 + 0.1 * number]
            log.trial(number, *zip(exploring_seeds(3), ends, strict=True))
        best = log.entry["best"]
        assert best["value"] == pytest.approx(0.5) and best["spread"] == pytest.approx(0.1) and best["n"] == 3
        assert "loss 0.50 ± 0.10 (3 exploring seeds, which chose it)" in log.text

    def test_between_two_of_its_seeds_a_trial_is_no_best_yet(self, record):
        log = Log(record, a_sweep(trials=20, seeds=2))
        log.trial(0, (1, 0.5), (2, 0.6))
        log.trial(1, (1, 0.1))
        assert log.entry["best"]["trial"] == 0
        assert log.entry["trials"] == {"complete": 1, "waiting": 1}

    def test_on_fresh_seeds_has_an_interval_from_them_alone(self, log):
        for number in range(4):
            log.trial(number, (1, 0.1 * (number + 1)))
        log.state("confirming", "4 trials were made, as the budget says")
        log.fresh(0, [0.50, 0.52])
        log.fresh(1, [0.30, 0.32, 0.31, 0.33, 0.29, 0.31])
        log.fresh(2, [0.40, 0.42])
        entry = log.entry
        (study,) = log.record.studies()
        chosen = read_sweep_story(log.record, study).chosen
        assert (entry["best"]["trial"], entry["best"]["basis"]) == (chosen.number, "fresh seeds") == (1, "fresh seeds")
        assert entry["best"]["value"] == chosen.estimate
        assert tuple(entry["best"]["interval"]) == chosen.interval
        assert entry["luck"] == pytest.approx(chosen.estimate - 0.1)
        assert "fresh seeds)" in log.text and "of the sweep's best, 0.1" in log.text

    def test_that_breaks_a_measured_constraint_is_none(self, record):
        space = SearchSpace(parameters=XY.parameters, constraints=(constraint("size + 10 * x <= 3"),))
        log = Log(record, a_sweep(trials=20, space=space))
        log.trial(0, (1, 0.1), settings={"x": 0.9, "y": 0.5})
        log.trial(1, (1, 0.6), settings={"x": 0.1, "y": 0.5})
        assert log.entry["best"]["trial"] == 1


def test_trials_outside_todays_space_are_left_out_as_in_the_journal(record):
    wide = Log(record, a_sweep(trials=20, method=RANDOM))
    wide.trial(0, (1, 0.1), settings={"x": 0.9, "y": 0.5})
    wide.trial(1, (1, 0.5), settings={"x": 0.2, "y": 0.5})
    narrow = a_sweep(trials=20, method=RANDOM, space=SearchSpace(parameters=(real("x", 0.0, 0.5), XY.parameters[1])))
    register_sweep(record, wide.id, narrow)
    assert wide.entry["left_out"] == 1 and wide.entry["best"]["trial"] == 1
    (study,) = record.studies()
    assert sum(read_sweep_story(record, study).left_out.values()) == 1
    assert "1 earlier trial on record does not count today" in wide.text


def test_two_objectives_have_a_front_and_no_best(record):
    log = Log(record, a_sweep(trials=20, objectives=("loss", "size"), method=Method(name="nsga2")))
    log.trial(0, (1, 0.5))
    log.trial(1, (1, 0.4))
    assert log.entry["front"] == [1] and log.entry["best"] is None
    assert "front   1 trial: trial 1" in log.text


class TestTheTimeLeft:
    def test_is_what_the_trials_took_times_those_to_come(self, record):
        log = Log(record, a_sweep(trials=20))
        log.trial(0, (1, 0.5))
        log.trial(1, (1, 0.4))
        assert log.entry["seconds_left"] == pytest.approx(18 * 2.0)
        assert "about 36 seconds of training" in log.text

    def test_counts_the_fresh_seeds_to_come(self, log):
        log.trial(0, (1, 0.5))
        exploring = 19 * 2.0
        # 3 race on 1 seed and 2 on 2, then 3 seeds for one: 3 + 2 + 3 runs of 2 seconds
        assert log.entry["seconds_left"] == pytest.approx(exploring + 8 * 2.0)

    def test_is_unknown_before_the_first_trial_ends_and_without_a_limit(self, record):
        log = Log(record, a_sweep(trials=20))
        assert log.entry["seconds_left"] is None
        endless = Log(record, a_sweep(name="endless", budget=SweepBudget()))
        endless.trial(0, (1, 0.5), settings={"x": 0.77, "y": 0.5})
        assert endless.entry["seconds_left"] is None
        assert "unknown: no trial has ended yet, or the sweep has no limit" in endless.text

    def test_of_a_grid_is_known_from_its_size(self, record):
        space = SearchSpace(parameters=(integer("depth", 1, 4), choice("kind", "a", "b")))
        log = Log(record, a_sweep(name="grid", budget=SweepBudget(), method=Method(name="grid"), space=space))
        log.trial(0, (1, 0.5), settings={"depth": 1, "kind": "a"})
        assert log.entry["seconds_left"] == pytest.approx(7 * 2.0)


class TestStoppedEarly:
    def test_paused_trials_are_told_apart_from_pruned_ones_until_the_search_ends(self, bench):
        stopping = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
        sweep = a_sweep(trials=9, method=RANDOM, base={"steps": 9}, stopping=stopping)
        bench.run(dataclasses.replace(sweep, budget=SweepBudget(trials=9)))
        study = bench.record.studies()[0]
        over = standing_of(bench.record, study)
        assert "paused" not in over.trials and over.trials["pruned"] >= 4
        payload = {"phase": "exploring", "ending": ""}
        bench.record.add_event(study.id, kind="state", experiment=None, payload=payload)
        under_way = standing_of(bench.record, study)
        assert under_way.trials["paused"] == over.trials["pruned"]
        assert "may be promoted" in status_text(status_of(bench.record, "toy"))

    def test_the_story_has_the_curves_of_some_trials_where_the_rule_acted(self, bench):
        stopping = Stopping(rule="asha", min_steps=1, max_steps=9, eta=3)
        bench.run(a_sweep(trials=9, method=RANDOM, base={"steps": 9}, stopping=stopping))
        story = read_sweep_story(bench.record, bench.record.studies()[0])
        assert {c.number for c in story.curves} == {t.number for t in story.trials}
        for curve in story.curves:
            assert list(curve.steps) == list(range(1, len(curve.steps) + 1))
        complete = [c for c in story.curves if c.state == "COMPLETE"]
        assert complete and all(len(c.steps) == 9 for c in complete), "a promoted trial has one curve over its attempts"
        bench.run(a_sweep(name="calm", trials=3, method=RANDOM))
        calm = next(s for s in bench.record.studies() if s.name == "calm")
        assert read_sweep_story(bench.record, calm).curves == ()


def test_status_and_story_agree_on_a_real_sweep(bench):
    story = bench.run(
        a_sweep(
            trials=10, method=RANDOM, space=XYK, base={"noise": 0.2, "mode": "crash_when_x_is_large"},
            confirmation=Confirmation(top=3, seeds=4),
        )
    )  # fmt: skip
    study = bench.record.studies()[0]
    standing = standing_of(bench.record, study)
    states = [t.state.lower() for t in story.trials]
    assert standing.trials == {state: states.count(state) for state in set(states)}
    assert standing.chosen == story.chosen
    assert standing.best.trial == story.chosen.number and standing.best.value == story.chosen.estimate
    assert standing.seconds_left == story.seconds_left == 0.0
    assert sum(len(f.trials) for f in standing.failures) == states.count("failed")
    assert len(story.fresh) >= 3
    for fresh in story.fresh:
        assert fresh.seeds == confirming_seeds(len(fresh.seeds))
    chosen = next(f for f in story.fresh if f.number == story.chosen.number)
    assert chosen.claiming == story.chosen.n == 4
    assert sum(chosen.values[-4:]) / 4 == pytest.approx(story.chosen.estimate)


class TestWithoutAName:
    def test_sweeps_stand_in_the_table_beside_studies(self, log):
        log.record.add_study("climb", "digits")
        log.trial(0, (1, 0.5))
        found = status_of(log.record)
        assert {(s["study"], s["kind"]) for s in found} == {("toy", "sweep"), ("climb", "study")}
        head, *rows = status_text(found).splitlines()
        assert head.split()[:3] == ["study", "kind", "phase"]
        assert {tuple(row.split()[:3]) for row in rows} == {("toy", "sweep", "exploring"), ("climb", "study", "plan")}
        shape = {"study", "phase", "primary", "baseline", "champion", "target", "gap", "runs", "hours"}
        for entry in found:
            assert shape <= set(entry)
            assert set(entry["runs"]) == {
                "complete", "pruned", "failed", "infeasible", "interrupted", "running", "planned",
            }  # fmt: skip
        json.dumps(found, allow_nan=False)

    def test_a_target_has_its_gap(self, record):
        metric = Metric(name="loss", goal="minimize", target=0.3)
        log = Log(record, a_sweep(trials=20, metrics=(metric,)))
        log.trial(0, (1, 0.5))
        assert log.entry["gap"] == pytest.approx(0.2) and log.entry["target"] == 0.3

    def test_the_trials_of_older_sweeps_are_counted_and_not_read(self, record, monkeypatch):
        monkeypatch.setattr("surefoot.study.status.MOST_TRIALS_READ", 2)
        assert MOST_TRIALS_READ > 2
        for name in ("first", "second", "third"):
            log = Log(record, a_sweep(name=name, trials=20))
            log.trial(0, (1, 0.5), settings={"x": len(name) / 10, "y": 0.5})
            log.trial(1, (1, 0.4), settings={"x": len(name) / 11, "y": 0.6})
        latest, *older = status_of(record)
        assert latest["study"] == "third" and latest["best"]["trial"] == 1
        for entry in older:
            assert entry["trials"] == {"on_record": 2} and entry["best"] is None
        assert status_of(record, "first")[0]["best"]["trial"] == 1


def test_a_sweep_that_is_done_leads_to_its_report(log):
    log.trial(0, (1, 0.5))
    log.state("done", "1 trial was made, as the budget says")
    assert "next      surefoot report toy --home here" in log.text
    assert "nothing: the sweep is done" in log.text


def test_a_sweep_that_rests_tells_the_command_to_go_on(log):
    log.trial(0, (1, 0.5))
    assert "go on   surefoot sweep toy.yaml --home here" in log.text


def test_status_of_a_sweep_loads_only_what_reads_the_record(log, tmp_path):
    log.trial(0, (1, 0.5))
    script = "import sys\nfrom surefoot.cli import main\nmain(['status', 'toy', '--home', sys.argv[1]])\n"
    script += "print(*sys.modules, file=sys.stderr)\n"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    heavy = {"torch", "optuna", "matplotlib", "scipy.stats", "pydantic", "ruamel", "pandas", "sklearn", "jinja2", "ray"}
    assert "sqlalchemy" in loaded and not loaded & heavy
