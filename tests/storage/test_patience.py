"""Troubles that pass are waited out, and nothing is written twice or lost: locked, cut, crashed, not answering."""

import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from storage_cases import finish, start

from surefoot.errors import RecordError
from surefoot.run import Status
from surefoot.storage import Record, schema
from surefoot.storage.patience import is_passing, patiently
from surefoot.storage.sqlite_file import network_file_system

HERE = str(Path(__file__).parent)


def rows_of(record, table):
    count = sqlalchemy.select(sqlalchemy.func.count()).select_from(table)
    return record._database.read(lambda connection: connection.scalar(count))


# --- waiting -------------------------------------------------------------------------------------------------------


class Trouble(Exception):
    pass


def attempt(failures, seconds=10.0, passes=lambda _: True):
    calls, told = [], []

    def action():
        calls.append(1)
        if len(calls) <= failures:
            raise Trouble
        return "done"

    try:
        found = patiently(action, seconds=seconds, passes=passes, on_trouble=told.append, rng=random.Random(1))
    except Trouble:
        found = "given up"
    return found, len(calls), len(told)


def test_what_passes_is_tried_again_and_told_once():
    assert attempt(0) == ("done", 1, 0)
    assert attempt(3) == ("done", 4, 1)


def test_what_does_not_pass_is_not_tried_again():
    assert attempt(3, passes=lambda _: False) == ("given up", 1, 0)


def test_patience_ends():
    assert attempt(3, seconds=0.0) == ("given up", 1, 1)
    found, calls, told = attempt(10**6, seconds=0.2)
    assert (found, told) == ("given up", 1)
    assert 2 <= calls < 10


# --- a file held by another ----------------------------------------------------------------------------------------


@contextmanager
def held(file):
    """Another connection holds the file, as another process would."""
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield holder
    finally:
        holder.close()


def test_a_file_locked_for_longer_than_one_attempt_waits_is_waited_for(tmp_path):
    told, is_told = [], threading.Event()

    def hear(text):
        told.append(text)
        is_told.set()

    with Record.open(tmp_path, busy_seconds=0.02, patience_seconds=60, on_trouble=hear) as record:
        run_id = start(record)
        with held(tmp_path / "record.db"):
            waiting = threading.Thread(target=finish, args=(record, run_id))
            waiting.start()
            assert is_told.wait(30)
        waiting.join()
        assert record.runs(1)[0].status is Status.COMPLETE
    (sentence,) = told
    assert "locked" in sentence
    assert "trying again for 60 seconds" in sentence


def test_when_patience_ends_it_is_said_and_the_next_write_does_not_wait_again(tmp_path):
    told = []
    with Record.open(tmp_path, busy_seconds=0.01, patience_seconds=0.3, on_trouble=told.append) as record:
        with held(tmp_path / "record.db"):
            with pytest.raises(RecordError, match=r"another process has held it for 0\.3 seconds"):
                record.add_study("s", "w")
            record._database.patience_seconds = 10**6
            with pytest.raises(RecordError, match="another process has held it"):
                record.add_study("s", "w")
        assert record.add_study("s", "w") == 1
    assert len(told) == 1


def test_a_full_disk_is_not_waited_for():
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert not is_passing(full)
    assert not is_passing(sqlalchemy.exc.OperationalError("", {}, full))


# --- a server that goes away ---------------------------------------------------------------------------------------

WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
from storage_cases import finish, start
from surefoot.storage import Record
with Record.open(sys.argv[1], patience_seconds=60) as record:
    study = record.add_study("s", "w")
    with record.study_lock(study):
        run_id = start(record, "k0")
        for i in range(1, int(sys.argv[3])):
            with record.together():
                finish(record, run_id, values=range(10))
                record.add_trial(
                    study, sweep="e", number=i, settings={}, config={}, origin="tpe", space_hash="h"
                )
                run_id = start(record, f"k{i}")
            print(i, flush=True)
        finish(record, run_id, values=range(10))
"""


@contextmanager
def writing(url, count):
    command = [sys.executable, "-c", WRITE, url, HERE, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def check_written(url, count):
    """Every run and trial is there once, with all its rows, and every attempt is the first."""
    with Record.open(url) as record:
        study = record.studies()[0].id
        runs = record.runs(study, with_measurements=True)
        assert sorted(run.key for run in runs) == sorted(f"k{i}" for i in range(count))
        assert {(run.status, run.attempt, len(run.measurements)) for run in runs} == {(Status.COMPLETE, 1, 10)}
        assert [trial.number for trial in record.trials(study)] == list(range(1, count))
        assert rows_of(record, schema.uses) == count


@pytest.mark.parametrize("trouble", ["cut", "crash", "away"])
def test_a_server_that_goes_away_during_writes_loses_and_doubles_nothing(postgresql, server, trouble):
    count = 300
    with writing(postgresql(), count) as process:
        for line in process.stdout:
            if int(line) % 60 == 0:
                if trouble == "cut":
                    for _ in range(5):
                        server.cut()
                else:
                    server.crash()
                    time.sleep(0.5 if trouble == "away" else 0.0)
                    server.start()
        assert (process.wait(), process.stderr.read()) == (0, "")
    check_written(server.url, count)


class Proxy:
    """Stands between client and server, and cuts the line at the next COMMIT: before it arrives, or after."""

    def __init__(self, server, folder):
        self.target = f"{server.url.partition('?host=')[2]}/.s.PGSQL.5432"
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self.cut_at_commit = ""
        self.commits_cut = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self.pass_on, args=(*ends, client), daemon=True).start()

    def pass_on(self, source, sink, client):
        with source, sink:
            while data := self.received(source):
                if source is client and b"COMMIT" in data and self.cut_at_commit:
                    when, self.cut_at_commit = self.cut_at_commit, ""
                    self.commits_cut += 1
                    if when == "after":
                        sink.sendall(data)
                        time.sleep(0.2)
                    for end in (source, sink):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                try:
                    sink.sendall(data)
                except OSError:
                    return

    def received(self, source):
        try:
            return source.recv(65536)
        except OSError:
            return b""


@pytest.fixture
def proxy(server, postgresql, tmp_path_factory):
    postgresql()
    proxy = Proxy(server, tmp_path_factory.mktemp("p"))
    yield proxy
    proxy.listener.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_line_that_breaks_during_a_commit_neither_loses_nor_doubles_it(proxy, when):
    with Record.open(proxy.url, patience_seconds=30) as record:
        study = record.add_study("s", "w")
        for i in range(4):
            proxy.cut_at_commit = when
            run_id = start(record, f"k{i}")
            proxy.cut_at_commit = when
            assert finish(record, run_id) is Status.COMPLETE
            proxy.cut_at_commit = when
            record.add_event(study, kind="notice", experiment=None, payload={"i": i})
            proxy.cut_at_commit = when
            assert record.add_revision(study, plan_hash="h", plan_text="", plan_path="", known={}).number == i + 1
        assert proxy.commits_cut == 16
        found = [(run.id, run.key, run.attempt, run.status) for run in record.runs(study)]
        assert [row[1:] for row in found] == [(f"k{i}", 1, Status.COMPLETE) for i in range(4)]
        assert found[-1][0] == run_id
        assert [event.payload["i"] for event in record.events(study)] == [0, 1, 2, 3]
        assert len(record.revisions(study)) == 4


def test_rows_keep_the_ids_that_were_handed_out_when_all_is_told_again(server, postgresql):
    with Record.open(postgresql(), patience_seconds=30) as record, Record.open(server.url) as other:
        with record.together():
            ids = [start(record, f"k{i}") for i in range(3)]
            server.cut()
            ids += [start(record, f"k{i}") for i in range(3, 6)]
        theirs = [start(other, f"t{i}") for i in range(3)]
        assert [run.id for run in record.runs(record.studies()[0].id)] == [*ids, *theirs]


def test_what_another_wrote_meanwhile_is_not_overwritten(server, postgresql):
    with Record.open(postgresql(), patience_seconds=30) as record, Record.open(server.url) as other:
        study = other.add_study("s", "w")
        plan = {"plan_hash": "h", "plan_text": "", "plan_path": "", "known": {}}
        with pytest.raises(RecordError, match="another wrote to it while the connection was lost"), record.together():
            record.add_revision(study, **plan)
            server.cut()
            other.add_revision(study, **plan)
        assert [revision.number for revision in record.revisions(study)] == [1]


def test_reading_survives_a_restart_too(server, postgresql):
    with Record.open(postgresql(), patience_seconds=30) as record:
        run_id = start(record)
        server.crash()
        timer = threading.Timer(0.3, server.start)
        timer.start()
        assert [run.id for run in record.runs(1)] == [run_id]
        timer.join()


def test_a_server_that_stays_away_is_named_and_nothing_is_lost(server, postgresql):
    with Record.open(postgresql(), patience_seconds=0.2) as record:
        start(record)
        server.crash()
        try:
            with pytest.raises(RecordError, match=r"the server does not answer for 0\.2 seconds \(") as error:
                start(record, "next")
        finally:
            server.start()
        assert "\n" not in str(error.value)
        assert start(record, "next")


# --- a network's file system ---------------------------------------------------------------------------------------


class Mount:
    def __init__(self, mountpoint, fstype):
        self.mountpoint, self.fstype = mountpoint, fstype


MOUNTS = [Mount("/", "ext4"), Mount("/home", "nfs4"), Mount("/home/me/disk", "xfs"), Mount("/mnt", "fuse.sshfs")]


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/me/runs", "nfs4"),
        ("/home/me/disk/runs", ""),
        ("/var/runs", ""),
        ("/mnt/x", "fuse.sshfs"),
        ("/homes", ""),
    ],
)
def test_a_network_file_system_is_known_by_the_innermost_mount(place, kind):
    assert network_file_system(Path(place), MOUNTS) == kind


def test_the_mount_that_hides_another_counts():
    assert network_file_system(Path("/home/x"), [*MOUNTS, Mount("/home", "tmpfs")]) == ""


def test_a_record_on_a_disk_of_this_machine_needs_no_notice(tmp_path):
    with Record.open(tmp_path) as record:
        assert record.notices == ()
