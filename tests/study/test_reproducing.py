"""A recorded run trained again: the same bits, within a tolerance, or not, and since which step."""

import dataclasses
import math
import os
import re
from pathlib import Path

import pytest
from reproducing_toy import SHAKY, Config
from study_cases import Cases

from surefoot.errors import DataError, RecordError, SurefootError, WorkloadError
from surefoot.execution import Place
from surefoot.files.sweep_file import parse_sweep
from surefoot.run import Measurement, Provenance, Status
from surefoot.space import SearchSpace, real
from surefoot.study.likeness import Sameness, is_within, likeness
from surefoot.study.reproducing import TOLERANCE, Asked, place_differences, reproduce
from surefoot.study.reproduction_text import reproduction_json, reproduction_text
from surefoot.study.run_address import find_run
from surefoot.sweep import Stopping, Sweep, SweepBudget
from surefoot.sweeping.loop import Sweeping

LOSS = {"loss": {"goal": "minimize"}}


class Silent:
    """Hears a sweep and keeps nothing of it."""

    def __getattr__(self, name):
        return lambda *heard: None


@pytest.fixture
def again(cases):
    """The run at an address trained again."""

    def train(address, **asked):
        return reproduce(find_run(cases.record, address), Asked(**{"data_root": cases.data, **asked}))

    return train


@pytest.fixture
def shaky(cases, again):
    """A study of one baseline on that config, and its first run trained again."""

    def run(asked=None, **config):
        cases.run(workload="reproducing_toy:SHAKY", metrics=LOSS, seeds=2, baseline=config)
        return again("toy:baseline:1", **(asked or {}))

    return run


@pytest.fixture(scope="module")
def swept(pool, tmp_path_factory):
    """The record of a sweep in which trials were paused, and their runs."""
    cases = Cases(tmp_path_factory.mktemp("swept"), pool)
    stopping = Stopping(rule="asha", min_steps=1, max_steps=4, eta=2)
    Sweeping(a_sweep(stopping=stopping), cases.record, Place(home=cases.home)).run(pool, Silent())
    yield cases.record, cases.record.trial_runs(cases.record.studies()[0].id, "trials")
    cases.close()


@pytest.fixture(scope="module")
def record(pool, tmp_path_factory):
    """The record of a study in which an arm was adopted."""
    arm = {"id": "up", "hypothesis": "Up.", "arms": {"ten": {"level": -10.0}}}
    expect = [{"arm": "ten", "metric": "loss", "is": "better"}]
    cases = Cases(tmp_path_factory.mktemp("addresses"), pool)
    cases.run({**arm, "expect": expect}, workload="reproducing_toy:SHAKY", metrics=LOSS, seeds=3)
    yield cases.record
    cases.close()


class TestTheSame:
    def test_a_run_of_digits_comes_out_the_same_bit_for_bit(self, cases, again):
        pytest.importorskip("torch")
        config = {"filters": 2, "steps": 20, "eval_every": 10, "norm": "batch", "dropout": 0.1}
        cases.run(workload="digits", metrics={"val_loss": {"goal": "minimize"}}, seeds=2, baseline=config)
        found = again("toy:baseline:2")
        assert found.sameness is Sameness.EXACT, reproduction_text(found)
        assert found.recorded.run.checkpoints and all(found.likeness.checkpoints.values())
        assert {"val_loss", "val_accuracy"} <= {m.name for m in found.likeness.metrics}
        assert found.recorded.run.measurements == found.again.measurements

    def test_facts_that_tell_the_time_are_not_compared(self, shaky):
        found = shaky()
        assert found.recorded.run.facts["seconds_per_step"] != found.again.facts["seconds_per_step"]
        assert found.sameness is Sameness.EXACT and found.is_same and found.tolerance == 0
        assert "is the same, bit for bit: 4 measured values, 1 fact and 1 checkpoint compared" in reproduction_text(
            found
        )

    def test_a_checkpoint_with_a_stamp_is_told_and_is_no_bit_for_bit(self, shaky):
        found = shaky(is_stamped=True)
        assert found.sameness is Sameness.WITHIN_TOLERANCE and found.likeness.checkpoints == {"last": False}
        assert "checkpoint last is not the same byte for byte" in reproduction_text(found)

    def test_a_diverged_run_diverges_again(self, shaky):
        found = shaky(ending="diverge")
        assert found.recorded.run.status is Status.INFEASIBLE
        assert math.isnan(found.again.measurements[-1].values["loss"])
        assert found.sameness is Sameness.EXACT
        assert reproduction_json(found)["is_same"] is True


class TestNotTheSame:
    def test_what_is_not_seeded_is_told_with_the_first_step_it_shows(self, shaky):
        found = shaky(jitter=0.5)
        assert found.sameness is Sameness.DIFFERENT and not found.is_same
        assert found.reason.startswith("at step 2: loss ")
        [metric] = found.likeness.metrics
        assert (metric.compared, metric.unequal, metric.outside_at) == (4, 3, 2)
        pairs = zip(found.recorded.run.measurements, found.again.measurements, strict=True)
        assert metric.largest == max(abs(b.values["loss"] - a.values["loss"]) for a, b in pairs)
        assert "is NOT the same: it first differs at step 2: loss " in reproduction_text(found)

    def test_a_tolerance_that_was_asked_for_holds_in_the_same_place_too(self, shaky):
        found = shaky({"tolerance": 0.5}, jitter=1e-3)
        assert found.sameness is Sameness.WITHIN_TOLERANCE
        assert "is the same within tolerance: the largest difference is " in reproduction_text(found)


class TestElsewhere:
    def test_with_other_threads_it_is_said_and_judged_by_the_tolerance(self, shaky):
        found = shaky({"threads": 2}, thread_gain=1e-4)
        assert [(p.name, p.recorded, p.now) for p in found.places] == [("threads", "1", "2")]
        assert found.tolerance == TOLERANCE and found.sameness is Sameness.WITHIN_TOLERANCE
        assert found.likeness.largest.largest == pytest.approx(1e-4)
        assert "threads differs: 1 then, 2 now" in reproduction_text(found)

    def test_beyond_the_tolerance_it_is_not_the_same(self, shaky):
        found = shaky({"threads": 2}, thread_gain=0.5)
        assert found.sameness is Sameness.DIFFERENT and found.reason.startswith("at step 1: ")
        assert "does not show that it would there" in reproduction_text(found)

    def test_machine_device_and_versions_are_compared(self):
        then = Provenance(code_fingerprint="c", data_fingerprint="d", machine="A", versions={"torch": "1"})
        now = dataclasses.replace(then, machine="B", device="cuda", versions={"torch": "2", "numpy": "1"})
        assert [(p.name, p.recorded, p.now) for p in place_differences(then, now)] == [
            ("machine", "A", "B"),
            ("device", "cpu", "cuda"),
            ("torch", "1", "2"),
            ("numpy", "none", "1"),
        ]


class TestWhatIsNotTheOldOne:
    def test_other_data_is_refused_before_anything_trains(self, cases, again):
        (cases.data / "version").write_text("data-1")
        cases.run(seeds=2)
        (cases.data / "version").write_text("data-2")
        with pytest.raises(DataError, match="with the data it was trained with; toy:baseline:1 had data-1, today's"):
            again("toy:baseline:1")

    def test_other_code_is_refused_unless_it_is_welcome_and_then_said(self, cases, again, tmp_path, monkeypatch):
        source = Path(__file__).with_name("reproducing_toy.py").read_text()
        module = tmp_path / "shaky_copy.py"
        module.write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        cases.run_afresh(workload="shaky_copy:SHAKY", metrics=LOSS, seeds=2)
        module.write_text(source.replace('return {"steps"', 'return {"new_fact": 1, "steps"'))
        with pytest.raises(WorkloadError, match=r"the code changed since toy:baseline:1 .*--other-code"):
            again("toy:baseline:1")
        found = again("toy:baseline:1", is_other_code_welcome=True)
        assert found.is_other_code and found.sameness is Sameness.WITHIN_TOLERANCE
        assert found.likeness.told_by_one == ("new_fact",)
        assert "is the same within tolerance (with other code)" in reproduction_text(found)

    def test_a_folder_with_something_in_it_is_not_written_to(self, shaky, tmp_path):
        with pytest.raises(SurefootError, match="--keep must name a new or empty folder"):
            shaky({"keep": tmp_path})

    def test_what_is_to_be_kept_is_left_there_and_nothing_else_anywhere(self, shaky, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()
        shaky({"keep": tmp_path / "kept"})
        assert sorted(p.name for p in (tmp_path / "kept").iterdir()) == ["last.pt", "output.txt"]
        assert not os.listdir(tmp_path / "temporary")


class TestRunsThatDidNotComeToTheirEnd:
    def test_a_failed_run_is_compared_up_to_its_last_measurement(self, shaky):
        found = shaky(ending="crash")
        assert found.recorded.run.status is Status.FAILED and found.last_step == 2
        assert found.sameness is Sameness.EXACT and len(found.again.measurements) == 2
        assert "bit for bit up to step 2, where it failed" in reproduction_text(found)

    def test_one_that_measured_nothing_cannot_be_told(self, cases, again):
        broken = {"mode": "crash"}
        cases.run(seeds=2, baseline=broken)
        with pytest.raises(RecordError, match="cannot be told: it measured nothing before it failed"):
            again("toy:baseline:1")


def a_sweep(**more):
    return Sweep(
        name="trials",
        workload="reproducing_toy:SHAKY",
        metrics=SHAKY.metrics,
        objectives=("loss",),
        space=SearchSpace(parameters=(real("level", 0.0, 1.0),)),
        base=dataclasses.asdict(Config()),
        budget=SweepBudget(trials=6),
        **more,
    )


class TestTrials:
    def test_a_trial_that_was_paused_and_went_on_is_compared_from_its_first_step(self, swept):
        record, promoted = swept
        number = next(n for n, runs in promoted.items() if len(runs) > 1)
        assert promoted[number][0].status is Status.PRUNED
        found = reproduce(find_run(record, f"trials:trial {number}"), Asked())
        assert found.recorded.went_on_from is not None
        steps = [m.step for m in found.recorded.run.measurements]
        assert steps == list(range(1, len(steps) + 1)) and steps[-1] > found.recorded.went_on_from
        assert found.sameness is Sameness.EXACT
        assert "went on from a checkpoint at step" in reproduction_text(found)

    def test_a_trial_that_stayed_paused_is_trained_as_far_as_it_was(self, swept):
        record, promoted = swept
        number = next(n for n, runs in promoted.items() if runs[-1].status is Status.PRUNED)
        found = reproduce(find_run(record, f"trials:{number}"), Asked())
        assert found.recorded.arm == f"trial {number}"
        assert found.last_step == found.again.measurements[-1].step < 4
        assert found.sameness is Sameness.EXACT

    def test_without_a_trial_the_best_is_meant(self, swept):
        record, promoted = swept
        complete = {n: runs[-1].finals["loss"] for n, runs in promoted.items() if runs[-1].status is Status.COMPLETE}
        assert find_run(record, "trials").arm == f"trial {min(complete, key=complete.get)}"

    def test_a_command_is_started_again_from_its_own_folder(self, cases, again, tmp_path):
        script = "import sys\nlr = float(sys.argv[1].partition('=')[2])\nprint('loss:', lr / 3)\n"
        (tmp_path / "script.py").write_text(script)
        text = """
sweep: scripted
command: python script.py --lr={lr} {seed}
metrics: {loss: {goal: minimize}}
parameters: {lr: {min: 0.0, max: 1.0}}
budget: {trials: 1}
"""
        sweep = parse_sweep(text, str(tmp_path / "sweep.yaml"))
        Sweeping(sweep, cases.record, Place(home=cases.home)).run(cases.pool, Silent())
        found = again("scripted:trial 0")
        assert found.sameness is Sameness.EXACT, reproduction_text(found)


class TestAddresses:
    def test_an_arm_is_named_with_or_without_its_seed(self, record):
        found = find_run(record, "toy:up/ten:2")
        assert (found.run.seed, found.run.config["level"], found.address) == (2, -10.0, "toy:up/ten:2")
        assert find_run(record, "toy:up/ten").run.seed == 1

    def test_a_study_alone_means_its_champion(self, record):
        found = find_run(record, "toy")
        assert (found.arm, found.run.config["level"], found.run.seed) == ("champion", -10.0, 1)

    def test_a_number_and_the_beginning_of_a_key_lead_to_the_same_run(self, record):
        run = find_run(record, "toy:baseline:2").run
        assert find_run(record, str(run.id)).run == run
        assert find_run(record, run.key[:6].upper()).run == run

    def test_of_a_fresh_seed_the_baseline_answers_too(self, record):
        fresh = find_run(record, "toy:confirmation/baseline").run
        assert find_run(record, f"toy:baseline:{fresh.seed}").run == fresh

    def test_one_that_leads_nowhere_says_what_there_is(self, record):
        for address, says in {
            "toi:baseline": 'no run "toi:baseline" is on record.*Did you mean "toy"',
            "999": 'no run "999" is on record',
            "abc": 'no run "abc"',
            "toy:up/tne": 'no arm "up/tne" of toy has runs.*Did you mean "up/ten"',
            "toy:baseline:77": 'toy:baseline must have been trained on that seed .there is 1, 2.*got "77"',
            "toy:baseline:x": 'got "x"',
        }.items():
            with pytest.raises(RecordError, match=says) as error:
                find_run(record, address)
            assert len(str(error.value).splitlines()) == 1

    def test_one_that_means_several_runs_lists_them(self, cases):
        for level in (0.0, 5.0):
            cases.run(workload="reproducing_toy:SHAKY", metrics=LOSS, seeds=2, baseline={"level": level})
        with pytest.raises(RecordError, match=r'"toy:baseline:1" means 2 runs: run 1 \(key .*level 0\); run \d+ \(key'):
            find_run(cases.record, "toy:baseline:1")


class TestLikeness:
    def test_the_tolerance_is_absolute_and_relative(self):
        assert is_within(100.0, 101.0, 0.01) and not is_within(100.0, 101.02, 0.01)
        assert is_within(0.0, 0.01, 0.01) and not is_within(0.0, 0.011, 0.01)

    def test_without_a_tolerance_bits_count(self):
        assert is_within(math.nan, math.nan, 0.0) and is_within(math.inf, math.inf, 0.0)
        assert not is_within(0.0, -0.0, 0.0)
        assert not is_within(1.0, math.nextafter(1.0, 2.0), 0.0)
        assert not is_within(1.0, math.nan, 10.0) and not is_within(math.inf, -math.inf, 10.0)

    @pytest.mark.parametrize(
        ("now", "first"),
        [
            ([(1, {"a": 1.0})], "at step 2: it was measured then, and not now"),
            ([(1, {"a": 1.0}), (2, {"a": 2.0}), (3, {"a": 3.0})], "at step 3: it is measured now, and was not then"),
            ([(1, {"a": 1.0}), (2, {"b": 2.0})], "at step 2: a was measured then, and not now"),
            ([(1, {"a": 1.0}), (2, {"a": math.nan})], "at step 2: a 2 then, nan now"),
        ],
    )
    def test_what_only_one_of_them_measured_is_a_difference(self, now, first):
        then = [Measurement(step=1, values={"a": 1.0}), Measurement(step=2, values={"a": 2.0})]
        found = likeness(then, [Measurement(step=s, values=v) for s, v in now], tolerance=0.5)
        assert found.first == first and not found.is_within

    def test_a_fact_that_differs_is_told_and_a_fraction_has_the_tolerance(self):
        then, now = {"steps": 3, "share": 0.5, "device": "cpu"}, {"steps": 4, "share": 0.501, "device": "cuda"}
        found = likeness((), (), facts=(then, now), tolerance=0.01)
        assert [(fact.name, fact.is_within) for fact in found.facts] == [("steps", False), ("share", True)]

    def test_numbers_are_shown_with_the_digits_that_tell_them_apart(self):
        then = [Measurement(step=1, values={"a": 1.0})]
        now = [Measurement(step=1, values={"a": math.nextafter(1.0, 2.0)})]
        first = likeness(then, now, tolerance=0.0).first
        assert re.fullmatch(r"at step 1: a 1(\.0)? then, 1\.0000000000000002 now", first)
