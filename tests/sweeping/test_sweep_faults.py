"""A sweep under attack, as a whole command: killed, cut off, shut out, without room; taken up again it is whole."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import psutil
import pytest

from sweep_command import Bench, check_record, ended, is_alive, wait_until

HERE = Path(__file__).parent
UNIT = {"min": 0.0, "max": 1.0}
CONFIRMED = {"confirm": {"top": 2, "seeds": 2}}
# A workload that can pause and go on, in the place of a script.
TOY = {
    "command": None, "pass": None, "metrics": None, "workload": "sweep_toy:TOY", "objective": "loss",
    "parameters": {"x": UNIT, "y": UNIT}, "base": {"steps": 9},
    "stop_early": {"rule": "asha", "min_steps": 1, "max_steps": 9, "eta": 3},
}  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """Benches, each in a folder of its own; whatever they leave behind is ended."""
    made = []

    def bench(name="work", home="home"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        shutil.copy(HERE / "sweep_toy.py", folder)
        made.append(Bench(folder, home))
        return made[-1]

    yield bench
    for one in made:
        one.close()


def told(bench):
    return [(trial["settings"], trial["state"]) for trial in bench.trials]


# --- the coordinator dies --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The sweep when nothing happens: its trials, what was chosen, what was trained."""
    bench = Bench(tmp_path_factory.mktemp("undisturbed"))
    assert bench.go(**CONFIRMED).code == 0
    return told(bench), bench.json()["chosen"], Counter(bench.log())


class TestKilledAtAWrite:
    # The command's 24 writes: its study, lock and revision, two for each run, and the states between.
    @pytest.mark.parametrize("at", ["2", "5b", "7", "8b", "9", "13b", "16", "20b", "23"])
    def test_it_goes_on_as_if_nothing_had_happened(self, make, undisturbed, at):
        trials, chosen, trained = undisturbed
        bench = make()
        assert ended(bench.start(at=at, **CONFIRMED)).code == -signal.SIGKILL
        assert bench.go(**CONFIRMED).code == 0
        with bench.record() as record:
            runs = check_record(record)
        assert told(bench) == trials
        assert bench.json()["chosen"] == chosen
        twice = Counter(bench.log()) - trained
        assert sum(twice.values()) <= 1, "only the run whose end was not yet on record is trained again"
        interrupted = [run for run in runs if run.status == "INTERRUPTED"]
        assert sum(twice.values()) <= len(interrupted) <= 1
        retried = sum(trial["retried"] for trial in bench.trials)
        assert retried == len([run for run in interrupted if run.seed < 10_000])
        assert bench.scripts() == []

    @pytest.mark.parametrize("at", ["14b", "20"])
    def test_trials_that_were_paused_at_a_rung_are_promoted_as_before(self, make, at):
        calm, bench = make("calm"), make()
        sweep = {**TOY, "budget": {"trials": 9}}
        assert calm.go(**sweep).code == 0
        assert ended(bench.start(at=at, **sweep)).code == -signal.SIGKILL
        assert bench.go(**sweep).code == 0
        assert told(bench) == told(calm)
        with bench.record() as record:
            check_record(record)


def begun_to_sleep(bench, seconds=60):
    process = bench.start(base={"pause": seconds})
    wait_until(lambda: bench.log("pids.log"), "a script runs")
    return process


def test_no_script_survives_a_coordinator_that_is_killed(make):
    bench = make()
    begun_to_sleep(bench).kill()
    wait_until(lambda: not bench.scripts(), "the scripts are gone")


def test_what_survives_coordinator_and_worker_is_ended_by_the_next_command(make):
    bench = make()
    process = begun_to_sleep(bench)
    worker = psutil.Process(process.pid).children()[0]
    worker.suspend()  # it cannot hear that its coordinator ends
    process.kill()
    process.wait()
    worker.kill()
    wait_until(lambda: not is_alive(worker.pid), "the worker is gone")
    (orphan,) = bench.scripts()
    assert bench.go(budget={"trials": 1}).code == 0
    assert not is_alive(orphan)


# --- runs that kill --------------------------------------------------------------------------------------------------


def test_a_run_whose_worker_was_killed_once_is_tried_again_and_complete(make):
    bench = make()
    assert bench.go(base={"fault": "kill worker once"}).code == 0
    assert [trial["state"] for trial in bench.trials] == ["COMPLETE"] * 4
    assert [trial["retried"] for trial in bench.trials] == [1, 0, 0, 0]
    assert "retried   1 run came to nothing and was tried again" in bench.ask("status", "s").out


def test_a_run_that_always_kills_its_worker_failed_and_the_sweep_goes_on(make):
    bench = make()
    faults = ["kill worker", "none"]
    assert bench.go(parameters={"fault": faults}, method="grid", budget={}).code == 0
    killer, other = bench.trials
    assert (killer["state"], killer["attempts"], other["state"]) == ("FAILED", 2, "COMPLETE")
    assert killer["reason"] == "worker killed by signal 9 (Killed) before the first measurement"


def test_a_config_that_kills_the_coordinator_is_given_up_after_its_retries_and_told_so(make):
    bench = make()
    space = {"fault": ["kill coordinator", "none"]}
    sweep = {"parameters": space, "method": "grid", "budget": {}, "retries": 1}
    for _ in range(2):
        assert ended(bench.start(**sweep)).code == -signal.SIGKILL
    said = bench.go(**sweep)
    assert said.code == 0
    why = "broken off 2 times, so it is not tried again (the coordinating process ended before the run did)"
    assert f"trial 0: FAILED ({why})" in said.err
    killer, other = bench.trials
    assert (killer["state"], killer["attempts"], killer["reason"]) == ("FAILED", 2, why)
    assert other["state"] == "COMPLETE"
    assert f"failed    1 × {why} (trial 0)" in bench.ask("status", "s").out
    assert len(bench.log("begun.log")) == 3


# --- signals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_is_an_interrupt_and_the_next_command_goes_on(make, number):
    bench = make()
    sweep = {"base": {"pause": 0.6}}
    process = bench.start(workers=2, **sweep)
    wait_until(lambda: len(bench.log("begun.log")) == 4, "two runs are trained and two begun")
    process.send_signal(number)
    said = ended(process)
    assert said.code == 130
    assert said.lines[-1].endswith("Run the same command again to go on")
    assert "go on" in bench.ask("status", "s").out
    assert bench.scripts() == []
    assert bench.go(workers=2, **sweep).code == 0
    assert [trial["state"] for trial in bench.trials] == ["COMPLETE"] * 4
    assert set(Counter(bench.log()).values()) == {1}


def test_a_second_ctrl_c_ends_a_deaf_script_at_once(make):
    bench = make()
    bench.write("import signal; signal.signal(15, signal.SIG_IGN)\n" + (bench.folder / "script.py").read_text())
    process = bench.start(base={"pause": 600}, grace_seconds=500)
    wait_until(lambda: bench.log("begun.log"), "the script is deaf")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    assert ended(process).code == 130
    assert bench.scripts() == []
    (trial,) = bench.trials
    assert (trial["state"], trial["reason"]) == ("WAITING", "interrupted before the first measurement")


# --- stopping early, several at a time -------------------------------------------------------------------------------


@pytest.mark.timeout(120)
@pytest.mark.parametrize("rule", ["asha", "hyperband", "median"])
def test_stopping_early_comes_to_an_end_with_four_workers_though_runs_fail_and_are_killed(make, rule):
    bench = make()
    stopping = {"rule": rule, "warmup_trials": 3} if rule == "median" else {**TOY["stop_early"], "rule": rule}
    space = {**TOY["parameters"], "mode": ["behave", "crash", "kill"]}
    # Half of the trials are lost, some of them in the middle of a rung.
    sweep = {**TOY, "stop_early": stopping, "parameters": space, "budget": {"trials": 15}, "most_failures": 50}
    assert bench.go(workers=4, **sweep).code == 0
    states = Counter(trial["state"] for trial in bench.trials)
    assert sum(states.values()) == 15
    assert states["COMPLETE"] and states["FAILED"] and states["PRUNED"]
    assert set(states) == {"COMPLETE", "FAILED", "PRUNED"}
    with bench.record() as record:
        check_record(record)


# --- the record in a file --------------------------------------------------------------------------------------------


def test_a_record_that_another_process_locks_for_a_while_is_waited_for(make):
    bench = make()
    process = bench.start(base={"pause": 0.05}, budget={"trials": 6})
    wait_until(bench.log, "a run is trained")
    connection = sqlite3.connect(bench.home / "record.db", isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    time.sleep(2)
    assert len(bench.log()) <= 3, "nothing goes on that could not be recorded"
    connection.execute("COMMIT")
    connection.close()
    assert ended(process).code == 0
    assert set(Counter(bench.log()).values()) == {1}
    with bench.record() as record:
        assert len(check_record(record)) == 6


@pytest.mark.parametrize("what", ["record.db", ""])
def test_a_record_deleted_in_the_middle_ends_the_sweep_in_a_line(make, what):
    bench = make()
    process = bench.start(base={"pause": 0.1}, budget={"trials": 50})
    wait_until(bench.log, "a run is trained")
    if what:
        (bench.home / what).unlink()
    else:
        shutil.rmtree(bench.home, ignore_errors=True)
    said = ended(process)
    assert said.code == 2
    assert "was deleted or replaced while it was open" in said.lines[-1] or "cannot be" in said.lines[-1]
    assert bench.scripts() == []
    assert bench.go().code == 0


def in_a_namespace(script, *arguments):
    """The words that run a command where the script may mount what it likes."""
    wrap = ["unshare", "-rm", "sh", "-c", script, "sh", *map(str, arguments)]
    try:
        subprocess.run(["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here (unshare -rm is refused)")
    return wrap


def test_a_full_disk_is_said_in_a_line_and_nothing_finished_is_lost(make):
    bench = make()
    bench.home.mkdir()
    kept = bench.folder / "kept"
    script = 'mount -t tmpfs -o size=900k tmpfs "$1"; shift; "$@"; code=$?; cp -r "$HOME_" "$KEPT"; exit $code'
    wrap = in_a_namespace(f"HOME_={bench.home} KEPT={kept}; {script}", bench.home)
    said = ended(bench.start(budget={"trials": 300}, wrap=wrap))
    assert said.code == 2
    assert "disk is full" in said.lines[-1] or "No space left" in said.lines[-1]
    before = len(bench.log())
    assert before > 3
    bench.home = kept
    assert bench.go(budget={"trials": before + 2}).code == 0
    assert len(bench.log()) <= before + 3
    with bench.record() as record:
        check_record(record)


@pytest.mark.parametrize("kilobytes", [150, 300])
def test_a_file_that_may_not_grow_is_said_in_a_line_and_the_sweep_goes_on_later(make, kilobytes):
    bench = make()
    limit = ["bash", "-c", f'trap "" XFSZ; ulimit -f {kilobytes}; exec "$@"', "bash"]
    said = ended(bench.start(budget={"trials": 8}, wrap=limit))
    assert said.code == 2 and "disk" in said.lines[-1]
    assert bench.go(budget={"trials": 8}).code == 0
    assert set(Counter(bench.log()).values()) <= {1, 2}
    with bench.record() as record:
        check_record(record)


@pytest.mark.parametrize("has_record", [True, False])
def test_a_read_only_home_is_one_clear_line(make, has_record):
    bench = make()
    bench.home.mkdir()
    if has_record:
        assert bench.go().code == 0
    wrap = in_a_namespace('mount --bind "$1" "$1"; mount -o remount,ro,bind "$1"; shift; exec "$@"', bench.home)
    said = ended(bench.start(budget={"trials": 9}, wrap=wrap))
    assert said.code == 2 and len(said.lines) == 1
    assert "the home must be a folder that can be written" in said.err


# --- several at once, in one home ------------------------------------------------------------------------------------


def test_a_second_coordinator_of_the_home_is_told_who_works_there_or_waits(make):
    bench = make()
    sweep = {"base": {"pause": 0.2}}
    process = bench.start(**sweep)
    wait_until(lambda: bench.log("begun.log"), "the first works")
    second = bench.go(**sweep)
    assert second.code == 2 and len(second.lines) == 1
    assert f"process {process.pid}" in second.err
    third = bench.go("--wait", 60, **sweep)
    assert third.code == 0 and "waiting for it" in third.err
    assert ended(process).code == 0
    assert len(bench.log()) == 4


def test_a_sweep_that_asks_for_what_another_one_trained_trains_nothing(make):
    bench = make()
    for name in ("one", "two"):
        said = bench.go(sweep=name, seeds=2, **CONFIRMED)
        assert said.code == 0, said.err
    assert set(Counter(bench.log()).values()) == {1}
    one, two = (bench.ask("journal", name, "--json") for name in ("one", "two"))
    assert one.out.count('"COMPLETE"') == two.out.count('"COMPLETE"') == 4


# --- one record on a server ------------------------------------------------------------------------------------------


class Server:
    """A PostgreSQL server of these tests' own."""

    SECRET = "s3cr%2Ft-w%40rd"

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that look for folders this machine may not have
            import pgserver

            self._server = pgserver.get_server(folder, cleanup_mode=None)
        self._folder, self._pg_ctl = folder, pgserver.pg_ctl
        self.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")

    @property
    def url(self):
        """With a password, which the server does not ask for."""
        return self._server.get_uri().replace("postgres:@/", f"postgres:{self.SECRET}@/")

    def psql(self, command):
        return self._server.psql(command)

    def cut(self):
        self.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid();")

    def stop(self):
        self._pg_ctl(["-w", "-m", "fast", "stop"], pgdata=self._folder, user=self._server.system_user, timeout=60)


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("pgserver", reason="pgserver is not installed, so there is no PostgreSQL to test with")
    pytest.importorskip("psycopg", reason="psycopg is not installed, so there is no way to PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="surefoot-"))
    found = Server(folder)
    yield found
    found.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def on_server(make, server):
    """Benches whose record is one database, emptied before."""
    server.psql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS surefoot CASCADE;")

    def bench(name="work", home="home"):
        found = make(name, home)
        found.store = ("--store", server.url)
        return found

    return bench


class TestOnAServer:
    def test_a_connection_cut_again_and_again_changes_nothing(self, make, on_server, server):
        calm, bench = make("calm"), on_server()
        sweep = {"budget": {"trials": 10}, "base": {"pause": 0.05}, **CONFIRMED}
        assert calm.go(**sweep).code == 0
        process = bench.start(workers=2, **sweep)
        cuts = 0
        while process.poll() is None:
            time.sleep(0.2)
            server.cut()
            cuts += 1
        assert ended(process).code == 0
        assert cuts >= 3
        assert told(bench) == told(calm)
        assert Counter(bench.log()) == Counter(calm.log())
        with bench.record() as record:
            runs = check_record(record)
        assert {run.status for run in runs} == {"COMPLETE"}

    def test_of_two_coordinators_of_one_sweep_one_works_and_the_other_is_told_or_waits(self, on_server):
        first, second = on_server(home="first"), on_server(home="second")
        sweep = {"base": {"pause": 0.2}}
        process = first.start(**sweep)
        wait_until(lambda: first.log("begun.log"), "the first works")
        said = second.go(**sweep)
        assert said.code == 2 and len(said.lines) == 1
        assert f"process {process.pid}" in said.err
        said = second.go("--wait", 60, **sweep)
        assert said.code == 0 and "waiting for it" in said.err
        assert ended(process).code == 0
        assert set(Counter(first.log()).values()) == {1} and len(first.log()) == 4

    def test_two_sweeps_at_once_complete_though_they_ask_for_the_same_runs(self, on_server):
        one, two = on_server("one"), on_server("two")
        sweep = {"budget": {"trials": 8}, "base": {"pause": 0.05}, **CONFIRMED}
        both = [one.start(sweep="one", workers=2, **sweep), two.start(sweep="two", **sweep)]
        for process in both:
            said = ended(process)
            assert said.code == 0, said.err
        with one.record() as record:
            for name in ("one", "two"):
                check_record(record, name)
                trials = one.ask("journal", name, "--json").out
                assert trials.count('"state": "COMPLETE"') == 8

    def test_the_password_is_nowhere(self, on_server, server):
        bench = on_server()
        said = [bench.go(), bench.ask("status"), bench.ask("journal"), bench.ask("report"), bench.ask("doctor")]
        server.cut()
        said.append(bench.go(budget={"trials": 5}))
        heard = "".join(one.out + one.err for one in said)
        tables = server.psql("SELECT tablename FROM pg_tables WHERE schemaname = 'surefoot';").split()
        dump = "".join(server.psql(f"SELECT * FROM surefoot.{table};") for table in tables if table.isidentifier()
                       and table not in ("tablename", "rows", "row"))  # fmt: skip
        files = "".join(path.read_bytes().decode("latin-1") for path in bench.folder.rglob("*") if path.is_file())
        for secret in (server.SECRET, "s3cr/t-w@rd", "s3cr"):
            assert secret not in heard
            assert secret not in dump
            assert secret not in files


def test_the_command_that_dies_at_a_write_is_the_real_one():
    """The harness kills nothing unless it is told to, so the tests above try what users run."""
    words = [sys.executable, str(HERE.parent / "sweep_coordinator.py"), "never", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ).stdout.startswith(
        "surefoot"
    )
