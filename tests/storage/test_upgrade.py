"""A record of an earlier version is read as it is, and upgraded in place by whoever writes first."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from storage_cases import finish, start

from surefoot.run import Status
from surefoot.storage import Record, schema

HERE = Path(__file__).parent
PROVENANCE = '{"code_fingerprint":"c","data_fingerprint":"d","versions":{},"wall_seconds":2.5,"ended_at":""}'
ROWS = f"""
INSERT INTO schema_versions VALUES (1, 'surefoot', '2026')
;
INSERT INTO studies (name, workload, created_at) VALUES ('s', 'w', '2026')
;
INSERT INTO runs (study_id, key, attempt, workload, config, seed, experiment, arm, provenance, coordinator, started_at)
VALUES (1, 'old', 1, 'w', '{{"lr":0.1}}', 1, 'e', 'a', '{PROVENANCE}', '{{"host":"h","pid":1,"since":0}}', '2026')
;
INSERT INTO uses VALUES (1, 1, 'e', 'a', '2026')
;
INSERT INTO outcomes VALUES (1, 'COMPLETE', '', '{{}}', '{{}}', '{PROVENANCE}', 2.5, '2026')
;
INSERT INTO measurements VALUES (1, 0, '{{"loss":0.5}}')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """Where a record of version 1 lies, with a study and a run in it."""
    statements = ((HERE / f"version_1_{request.param}.sql").read_text() + ";\n" + ROWS).split("\n;\n")
    if request.param == "sqlite":
        connection = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return tmp_path
    url = request.getfixturevalue("postgresql")()
    request.getfixturevalue("server").psql("CREATE SCHEMA surefoot; SET search_path=surefoot;" + ";".join(statements))
    return url


def check_old_run(record):
    (study,) = record.studies()
    assert (study.name, study.kind) == ("s", "plan")
    (run,) = record.runs(study.id, with_measurements=True)
    assert (run.status, run.final("loss"), run.finals) == (Status.COMPLETE, 0.5, {})
    assert record.completed(["old"]) == {"old": run}
    assert record.status_counts()[1].statuses == {Status.COMPLETE: 1}
    assert record.trials(1) == []
    assert record.trial_runs(1, "e") == {}
    assert [m.values for m in record.curves([1])[1]] == [{"loss": 0.5}]


def version(record):
    return record._database.read(lambda c: list(c.scalars(schema.schema_versions.select()).all()))


def test_it_is_read_as_it_is(old):
    with Record.open(old, read_only=True) as record:
        check_old_run(record)
        assert version(record) == [1]


def test_it_is_upgraded_by_the_first_who_writes_and_keeps_its_rows(old):
    with Record.open(old, read_only=True) as reader, Record.open(old) as record:
        check_old_run(record)
        assert version(record) == [1, 2]
        sweep = record.add_study("new", "w", kind="sweep")
        record.add_trial(sweep, sweep="main", number=0, settings={}, config={}, origin="first", space_hash="h")
        finish(record, start(record, "new"))
        assert [len(r.runs(1)) for r in (record, reader)] == [2, 2]
    with Record.open(old) as record:
        assert version(record) == [1, 2]
        assert [study.kind for study in record.studies()] == ["plan", "sweep"]


@pytest.mark.parametrize("old", ["sqlite"], indirect=True)
def test_an_upgraded_record_has_the_same_tables_as_a_new_one(old, tmp_path):
    Record.open(old).close()
    Record.open(tmp_path / "new").close()
    assert columns(old) == columns(tmp_path / "new")


def columns(home):
    connection = sqlite3.connect(home / "record.db")
    names = "SELECT type, name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY 1, 2"
    found = connection.execute(names).fetchall()
    tables = [name for kind, name in found if kind == "table"]
    shapes = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in tables}
    connection.close()
    return found, {name: sorted(row[1:] for row in rows) for name, rows in shapes.items()}


OPEN = """
import os, sys, time
from surefoot.storage import Record
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.001)
with Record.open(sys.argv[1]) as record:
    print(record.add_study("s", "w"), [study.kind for study in record.studies()])
"""


def test_eight_processes_may_upgrade_it_at_once(old, tmp_path):
    command = [sys.executable, "-c", OPEN, str(old), str(tmp_path / "go")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=60) for process in processes] == [("1 ['plan']\n", "")] * 8
