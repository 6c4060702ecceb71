"""How a run ended is kept in a file where the record cannot take it, and written by the next opening."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from storage_cases import PROVENANCE, finish, start

from surefoot.errors import RecordError
from surefoot.run import Status
from surefoot.storage import Record

HERE = str(Path(__file__).parent)
QUICK = {"busy_seconds": 0.01, "patience_seconds": 0.05}


@contextmanager
def held(home):
    holder = sqlite3.connect(home / "record.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        holder.close()


def kept(home):
    return sorted(path.name for path in (home / "spool").glob("*")) if (home / "spool").exists() else []


def lose(home, record, key="k", **outcome):
    """A run whose end the record could not take."""
    run_id = start(record, key)
    with held(home), pytest.raises(RecordError, match=f"How run {run_id} ended is kept in .*spool") as error:
        finish(record, run_id, **outcome)
    assert "\n" not in str(error.value)
    return run_id


def test_the_next_opening_writes_what_was_kept(tmp_path):
    with Record.open(tmp_path, **QUICK) as record:
        run_id = lose(tmp_path, record, values=(0.5, float("nan")), reason="π")
        assert len(kept(tmp_path)) == 1
    with Record.open(tmp_path) as record:
        assert record.notices == ("how 1 run ended could not be written at the time; it is on record now",)
        (run,) = record.runs(1, with_measurements=True)
        assert (run.id, run.status, run.reason, run.attempt) == (run_id, Status.COMPLETE, "π", 1)
        assert [repr(m.values) for m in run.measurements] == ["{'loss': 0.5}", "{'loss': nan}"]
        assert (run.facts, run.checkpoints, run.provenance) == ({"steps": 3}, {"best": "f00d"}, PROVENANCE)
    assert kept(tmp_path) == []
    with Record.open(tmp_path) as record:
        assert record.notices == ()


def test_a_server_that_stopped_for_good_gets_it_when_it_is_back(postgresql, server, tmp_path):
    url, spool = postgresql(), tmp_path / "spool"
    with Record.open(url, spool=spool, patience_seconds=0.1) as record:
        run_id = start(record)
        server.crash()
        try:
            with pytest.raises(RecordError, match=f"run {run_id} ended is kept in"):
                finish(record, run_id)
        finally:
            server.start()
    assert len(kept(tmp_path)) == 1
    with Record.open(url, spool=spool) as record:
        assert [run.status for run in record.runs(1)] == [Status.COMPLETE]
    assert kept(tmp_path) == []


def test_what_the_record_took_in_the_end_is_kept_no_longer(tmp_path):
    with Record.open(tmp_path, busy_seconds=0.01, patience_seconds=30) as record:
        run_id = start(record)
        seen = []
        with held(tmp_path):
            waiting = threading.Thread(target=finish, args=(record, run_id))
            waiting.start()
            while not kept(tmp_path):
                time.sleep(0.01)
            seen = kept(tmp_path)
        waiting.join()
        assert len(seen) == 1
        assert kept(tmp_path) == []
        assert record.runs(1)[0].status is Status.COMPLETE


WAIT = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from storage_cases import finish, start
from surefoot.storage import Record
record = Record.open(Path(sys.argv[1]), busy_seconds=0.01, on_trouble=lambda text: print("waiting", flush=True))
run_id = start(record)
print("started", flush=True)
sys.stdin.readline()
finish(record, run_id)
"""


def test_a_process_killed_while_it_waited_has_kept_it(tmp_path):
    command = [sys.executable, "-c", WAIT, str(tmp_path), HERE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        with held(tmp_path):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "waiting\n"
            process.kill()
            process.wait()
    with Record.open(tmp_path) as record:
        assert [run.status for run in record.runs(1)] == [Status.COMPLETE]


def test_where_the_run_was_closed_meanwhile_it_is_another_attempt(tmp_path):
    with Record.open(tmp_path, **QUICK) as record:
        run_id = lose(tmp_path, record)
    with Record.open(f"sqlite:///{tmp_path}/record.db") as other:
        assert other.close_abandoned("nobody trains it") == 1
    with Record.open(tmp_path) as record:
        closed, late = record.runs(1, with_measurements=True)
        assert (closed.id, closed.status) == (run_id, Status.INTERRUPTED)
        assert (late.attempt, late.status, late.final("loss")) == (2, Status.COMPLETE, 0.5)
        assert [(use.run_id, use.experiment, use.arm) for use in record.uses(1)] == [
            (closed.id, "e", "a"),
            (late.id, "e", "a"),
        ]


def test_where_it_was_trained_again_meanwhile_the_first_result_stays_the_result(tmp_path):
    with Record.open(tmp_path, **QUICK) as record:
        lose(tmp_path, record, values=(9.0,))
    with Record.open(f"sqlite:///{tmp_path}/record.db") as other:
        other.close_abandoned("nobody trains it")
        second = start(other)
        finish(other, second, values=(0.5,))
    with Record.open(tmp_path) as record:
        assert record.completed(["k"])["k"].id == second
        assert record.runs(1)[-1].reason == f"run {second} of the same config and seed ended first"


def test_what_had_come_through_after_all_is_not_written_twice(tmp_path):
    with Record.open(tmp_path, **QUICK) as record:
        lose(tmp_path, record)
    (name,) = kept(tmp_path)
    file = (tmp_path / "spool" / name).read_bytes()
    Record.open(tmp_path).close()
    (tmp_path / "spool" / name).write_bytes(file)  # as if the process had died between the commit and its removal
    with Record.open(tmp_path) as record:
        assert [(run.attempt, run.status) for run in record.runs(1)] == [(1, Status.COMPLETE)]
    assert kept(tmp_path) == []


def test_an_outcome_of_another_record_stays_where_it_is_and_is_told(tmp_path):
    with Record.open(tmp_path / "a", **QUICK) as record:
        lose(tmp_path / "a", record)
    with Record.open(f"sqlite:///{tmp_path}/b.db", spool=tmp_path / "a" / "spool") as other:
        assert "belongs to another record" in other.notices[0]
        assert other.studies() == []
    assert len(kept(tmp_path / "a")) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 99}', b"\xff"])
def test_a_file_that_is_no_outcome_is_left_alone(tmp_path, content):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "notes.json").write_bytes(content)
    with Record.open(tmp_path) as record:
        assert record.notices == ()
    assert (tmp_path / "spool" / "notes.json").read_bytes() == content


def test_what_ended_is_kept_where_something_else_of_the_same_transaction_fails(tmp_path):
    with Record.open(tmp_path) as record:
        run_id = start(record)
        with pytest.raises(ZeroDivisionError), record.together():
            finish(record, run_id)
            _ = 1 / 0
        assert record.runs(1)[0].status is Status.RUNNING
    with Record.open(tmp_path) as record:
        assert record.runs(1)[0].status is Status.COMPLETE


def test_what_is_refused_for_what_it_says_is_not_kept(tmp_path):
    with Record.open(tmp_path) as record:
        run_id = start(record)
        with pytest.raises(RecordError, match="cannot be written"):
            finish(record, run_id, facts={"x": float("nan")})
        finish(record, run_id)
        with pytest.raises(RecordError, match="ended as COMPLETE already"):
            finish(record, run_id)
    assert kept(tmp_path) == []


def test_the_file_says_what_it_is_in_plain_json(tmp_path):
    with Record.open(tmp_path, **QUICK) as record:
        run_id = lose(tmp_path, record)
    (name,) = kept(tmp_path)
    document = json.loads((tmp_path / "spool" / name).read_text())
    assert document["begun"] | {"started_at": ""} == {"run_id": run_id, "key": "k", "attempt": 1, "started_at": ""}
    assert document["outcome"]["status"] == "COMPLETE"
    assert document["measurements"] == [[0, '{"loss":0.5}']]


def test_without_a_folder_nothing_is_kept_and_nothing_is_promised(tmp_path):
    url = f"sqlite:///{tmp_path}/record.db"
    with Record.open(url, **QUICK) as record:
        run_id = start(record)
        with held(tmp_path), pytest.raises(RecordError, match="another process has held it") as error:
            finish(record, run_id)
    assert "kept" not in str(error.value)
    assert kept(tmp_path) == []


def test_a_folder_that_cannot_be_made_promises_nothing(tmp_path):
    (tmp_path / "spool").touch()
    with Record.open(tmp_path, **QUICK) as record:
        run_id = start(record)
        with held(tmp_path), pytest.raises(RecordError, match="another process has held it") as error:
            finish(record, run_id)
        assert "kept" not in str(error.value)
        assert finish(record, run_id) is Status.COMPLETE
