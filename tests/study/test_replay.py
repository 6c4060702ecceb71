"""Whatever interrupts a study, running it again comes to the story that an undisturbed run tells."""

import contextlib
import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from study_cases import Cases, check_invariants, decisions, experiment, journal, plan_text, verdicts

from surefoot.storage import Record

HERE = Path(__file__).parent
GAIN = experiment("gain", better={"gain": 5.0})
NULL = experiment("null", other={"label": "other"})
THIRD = experiment("third", y={"third": "y"}, bad={"mode": "diverge", "bad_seed": 2})
SMALL = dict(seeds=2, confirm=2, finalise=True)
STUDY = (GAIN, NULL, THIRD)


class Crash(Exception):
    pass


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, pool):
    """What the small study comes to when nothing happens to it."""
    cases = Cases(tmp_path_factory.mktemp("undisturbed"), pool)
    story = cases.run(*STUDY, **SMALL)
    yield story, journal(story), [e.payload for e in cases.record.events(1, "decision")]
    cases.close()


def check_same(cases, story, undisturbed):
    whole, text, events = undisturbed
    assert (decisions(story), verdicts(story)) == (decisions(whole), verdicts(whole))
    assert story.champion_config == whole.champion_config
    assert journal(story) == text
    assert {k: n for k, n in story.run_counts.items() if k != "interrupted"} == whole.run_counts
    told = [("experiment", "decision", "arm", "predictions", "champion_after")]
    assert [[p.get(k) for k in told[0]] for p in events] == [
        [e.payload.get(k) for k in told[0]] for e in cases.record.events(1, "decision")
    ]
    assert len(cases.record.events(1, "claim")) == 1
    check_invariants(cases.record)


def test_walking_again_trains_nothing_and_tells_the_same(cases, undisturbed):
    first = cases.run(*STUDY, **SMALL)
    ids = [run.id for run in cases.record.runs(1)]
    events = len(cases.record.events(1))
    again = cases.run(*STUDY, **SMALL)
    assert (cases.ear.trained, cases.ear.decisions, cases.ear.claims) == ([], [], 0)
    assert [run.id for run in cases.record.runs(1)] == ids
    assert len(cases.record.events(1)) == events
    assert journal(first) == journal(again) == journal(cases.read(*STUDY, **SMALL)) == undisturbed[1]


def test_a_crash_after_any_write_of_the_record_is_healed(tmp_path, pool, monkeypatch):
    """Between two writes nothing lasts, so these are all the moments at which a coordinator can die."""
    small = dict(seeds=2, confirm=2)
    for n in itertools.count():
        (tmp_path / str(n)).mkdir()
        with contextlib.closing(Cases(tmp_path / str(n), pool)) as cases:
            if n == 0:
                whole = cases.run(GAIN, NULL, **small)
                undisturbed = whole, journal(whole), [e.payload for e in cases.record.events(1, "decision")]
                continue
            with monkeypatch.context() as patch:
                crash_at_write(patch, cases.record, n)
                try:
                    cases.run(GAIN, NULL, **small)
                    break
                except Crash:
                    pass
            check_same(cases, cases.run(GAIN, NULL, **small), undisturbed)
            assert [r.verdict for r in cases.record.verdicts(1)] == [
                str(v.answer) for e in whole.experiments for v in e.verdicts
            ]
    assert n > 30


def crash_at_write(patch, record, n):
    together, count = record._database.together, itertools.count(1)

    @contextlib.contextmanager
    def counted(**options):
        with together(**options) as transaction:
            yield transaction
        if next(count) == n:
            raise Crash

    patch.setattr(record._database, "together", counted)


@pytest.mark.parametrize("after", [1, 4, 9, 13])
def test_a_polite_interrupt_loses_nothing_that_is_finished(cases, undisturbed, after):
    cases.interrupted(after, *STUDY, **SMALL)
    assert len(cases.ear.trained) == after
    before = {r.key for r in cases.record.runs(1) if r.status in ("COMPLETE", "INFEASIBLE")}
    check_same(cases, cases.run(*STUDY, **SMALL), undisturbed)
    again = {(label, seed) for label, seed, _ in cases.ear.trained}
    assert len(again) == len({r.key for r in cases.record.runs(1)} - before)


# --- the real command, killed --------------------------------------------------------------------------------------


def coordinate(folder, *, at="never", arms=STUDY, **more):
    plan = folder / "plan.yaml"
    if not plan.exists():
        plan.write_text(plan_text(*arms, **(more or SMALL)))
    (folder / "data").mkdir(exist_ok=True)
    command = [sys.executable, str(HERE / "coordinator.py"), at, str(plan), str(folder / "home"), str(folder / "data")]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE)


def finish(process, seconds=60):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def check_home(folder, undisturbed):
    with Record.open(folder / "home") as record:
        cases = Cases.__new__(Cases)
        cases.record = record
        check_same(cases, cases.read(*STUDY, **SMALL), undisturbed)
    connection = sqlite3.connect(folder / "home/record.db")
    with contextlib.closing(connection):
        assert connection.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("at", ["9", "40b"])
def test_kill_9_at_a_write_loses_and_repeats_nothing(tmp_path, undisturbed, at):
    assert finish(coordinate(tmp_path, at=at))[0] == -signal.SIGKILL
    code, _, err = finish(coordinate(tmp_path))
    assert code == 0, err
    check_home(tmp_path, undisturbed)


def test_kill_9_at_random_moments_loses_and_repeats_nothing(tmp_path, undisturbed):
    rng = random.Random(7)
    for _ in range(4):
        process = coordinate(tmp_path)
        time.sleep(rng.uniform(0.6, 1.6))
        process.kill()
        code, _, err = finish(process)
        if code != -signal.SIGKILL:
            break
    else:
        code, _, err = finish(coordinate(tmp_path))
    assert code == 0, err
    check_home(tmp_path, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_130_and_it_goes_on_afterwards(tmp_path, undisturbed, number):
    slow = experiment("gain", better={"gain": 5.0, "pause_ms": 150})
    process = coordinate(tmp_path, arms=[slow], seeds=2, confirm=2)
    for line in process.stderr:
        if "baseline, seed 2" in line:
            break
    os.kill(process.pid, number)
    code, _, err = finish(process)
    assert code == 130, err
    assert "Run the same command again" in err or "run again" in err
    with Record.open(tmp_path / "home") as record:
        assert {str(r.status) for r in record.runs(1)} <= {"COMPLETE", "INTERRUPTED"}
        ids = {r.id for r in record.runs(1) if r.status == "COMPLETE"}
    code, _, err = finish(coordinate(tmp_path))
    assert code == 0, err
    with Record.open(tmp_path / "home") as record:
        check_invariants(record)
        assert ids <= {r.id for r in record.runs(1) if r.status == "COMPLETE"}
