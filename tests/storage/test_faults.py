"""A record under attack: damaged, full, read-only, busy, replaced, forked, killed. It says so in one line."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import sqlalchemy
from storage_cases import finish, start

from surefoot.errors import RecordError
from surefoot.run import Status
from surefoot.storage import Record, schema

HERE = str(Path(__file__).parent)


def script(code, *arguments, wrap=(), **options):
    """Runs Python code in a process of its own, with the cases on its path."""
    head = f"import sys; sys.path.insert(0, {HERE!r})\n"
    command = [*wrap, sys.executable, "-c", head + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def answer(code, *arguments, **options):
    out, err = script(code, *arguments, **options).communicate(timeout=60)
    assert err == ""
    return out.splitlines()


def quick_check(home):
    connection = sqlite3.connect(home / "record.db")
    try:
        return connection.execute("PRAGMA quick_check").fetchall()
    finally:
        connection.close()


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


# --- append-only ---------------------------------------------------------------------------------------------------


def test_rows_can_neither_be_changed_nor_removed(record):
    finish(record, start(record))
    record.add_revision(1, plan_hash="h", plan_text="t", plan_path="p", known={})
    engine = record._database._engine
    for table in schema.metadata.sorted_tables:
        column = next(iter(table.columns)).name
        for statement in (f"UPDATE {table.name} SET {column} = {column}", f"DELETE FROM {table.name}"):
            if table.name in ("experiments", "events", "verdicts", "trials", "coordinators", "commits"):
                continue  # empty here: SQLite's triggers speak of rows
            with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"), engine.begin() as connection:
                connection.exec_driver_sql(statement)
    assert record.runs(1)[0].status is Status.COMPLETE


def test_a_row_cannot_be_replaced_either(tmp_path):
    with Record.open(tmp_path) as record:
        record.add_study("s", "w")
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="append-only"), record._database._engine.begin() as one:
            one.exec_driver_sql("REPLACE INTO studies VALUES (1, 's', 'other', '', 'plan')")


# --- opening -------------------------------------------------------------------------------------------------------


def test_the_settings_are_those_that_survive_power_loss(tmp_path):
    asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with Record.open(tmp_path) as record:
        found = record._database.read(lambda c: [c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked])
    assert found == ["wal", 2, 1, 30000]


CREATE = """
import os, time
from surefoot.storage import Record
print("ready", flush=True)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.001)
with Record.open(sys.argv[1]) as record:
    print(record.add_study("s", "w"))
"""


def test_eight_processes_may_create_it_at_once(where, tmp_path):
    processes = [script(CREATE, where, tmp_path / "go") for _ in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    assert [process.communicate(timeout=60) for process in processes] == [("1\n", "")] * 8


def test_a_record_of_a_newer_version_is_refused_for_writing_and_reading(where):
    row = {"version": 99, "written_by": "surefoot", "at": "2030"}
    with Record.open(where) as record:
        record._database.write(lambda t: t.connection.execute(sqlalchemy.insert(schema.schema_versions), row).rowcount)
    for read_only in (False, True):
        with pytest.raises(RecordError, match=r"written by a newer Surefoot \(record version 99") as error:
            Record.open(where, read_only=read_only)
        assert "pip install --upgrade" in one_line(error)


def test_reading_a_record_that_is_not_there_makes_none(where, tmp_path):
    with pytest.raises(RecordError, match="`surefoot run PLAN` makes one"):
        Record.open(where, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_cannot_write(where):
    Record.open(where).close()
    with Record.open(where, read_only=True) as record, pytest.raises(RecordError, match="for reading only"):
        record.add_study("s", "w")


@pytest.mark.parametrize("content", [b"no database\n" * 100, b"SQLite format 3\0" + b"\0" * 2000, b"x"])
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    (tmp_path / "record.db").write_bytes(content)
    for read_only in (False, True):
        with pytest.raises(RecordError, match=r"record\.db cannot be .*: it is damaged") as error:
            Record.open(tmp_path, read_only=read_only)
        assert "restore a copy" in one_line(error)
    assert (tmp_path / "record.db").read_bytes() == content


def test_someone_elses_database_is_left_alone(tmp_path):
    other = sqlite3.connect(tmp_path / "record.db")
    other.execute("CREATE TABLE trials (id INTEGER)")
    other.close()
    with pytest.raises(RecordError, match="something else"):
        Record.open(tmp_path)
    with pytest.raises(RecordError, match="no record of Surefoot's"):
        Record.open(tmp_path, read_only=True)


def test_a_record_with_damaged_pages_is_named_or_reads_true(tmp_path):
    with Record.open(tmp_path / "good") as record:
        for i in range(20):
            finish(record, start(record, f"k{i}"), values=range(50))
        truth = record.runs(1, with_measurements=True)
    whole = (tmp_path / "good/record.db").read_bytes()
    named = 0
    for i in range(40):
        home = tmp_path / str(i)
        home.mkdir()
        place = 100 + i * (len(whole) - 200) // 40
        half = whole[:place] if i % 2 else whole[:place] + b"\xff" * 60 + whole[place + 60 :]
        (home / "record.db").write_bytes(half)
        try:
            with Record.open(home) as record:
                found = record.runs(1, with_measurements=True)
        except RecordError as error:
            assert "\n" not in str(error)
            named += 1
        else:
            # A flip inside a text changes a value that no database can know to be wrong; nothing else may differ.
            assert [run.id for run in found] == [run.id for run in truth]
    assert named >= 25


@pytest.mark.parametrize("where", ["mysql://me:secret@host/x", "postgresql://me:secret@host:port/x", "http://secret"])
def test_an_impossible_url_is_refused_without_its_password(where):
    with pytest.raises(RecordError, match="--store must be") as error:
        Record.open(where)
    assert "secret" not in one_line(error)


@pytest.mark.parametrize("url", ["postgresql://me:secret@127.0.0.1:1/x", "postgresql://127.0.0.1:1/x?password=secret"])
def test_a_server_that_does_not_answer_is_named_without_the_password(url):
    pytest.importorskip("psycopg", reason="psycopg is not installed, so there is no way to PostgreSQL")
    with pytest.raises(RecordError, match=r"127\.0\.0\.1") as error:
        Record.open(url)
    assert "secret" not in one_line(error)


def test_a_record_shows_where_it_is_but_no_password(where):
    with Record.open(where) as record:
        assert repr(record).startswith("Record('")
        assert str(where) in repr(record) or ":***@" in repr(record)


# --- the file is taken away ----------------------------------------------------------------------------------------


def remove(file):
    file.unlink()


def replace(file):
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


@pytest.mark.parametrize("attack", [remove, replace])
def test_a_file_deleted_or_replaced_while_open_is_noticed(tmp_path, attack):
    with Record.open(tmp_path) as record:
        run_id = start(record)
        attack(tmp_path / "record.db")
        with pytest.raises(RecordError, match="deleted or replaced while it was open"):
            finish(record, run_id)


AS_NOBODY = """
import os
from surefoot.storage import Record
from surefoot.errors import RecordError
import surefoot.storage.record, psutil
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
for read_only in (False, True):
    try:
        with Record.open(sys.argv[1], read_only=read_only) as record:
            print("opened", [study.name for study in record.studies()])
    except RecordError as error:
        print(error)
"""


@pytest.mark.parametrize("has_record", [True, False])
def test_a_read_only_home_is_refused_for_writing_and_can_be_read(has_record):
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        Path(folder).chmod(0o755)
        if has_record:
            with Record.open(home) as record:
                record.add_study("s", "w")
            (home / "record.db").chmod(0o444)
        home.chmod(0o555)
        writing, reading = answer(AS_NOBODY, home)
        home.chmod(0o755)
    assert "record.db cannot be written: it" in writing
    assert reading == "opened ['s']" if has_record else "there is no record" in reading


def test_a_home_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="must be a folder that can be written") as error:
        Record.open(tmp_path / "file" / "home")
    one_line(error)


# --- a full disk ---------------------------------------------------------------------------------------------------

FILL = """
import os, resource
from pathlib import Path
from storage_cases import start, finish
from surefoot.storage import Record
from surefoot.errors import RecordError
home, limits = Path(sys.argv[1]), [int(n) for n in sys.argv[2:]]
for limit in limits or [None]:
    record = Record.open(home / str(limit))
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    kept = []
    try:
        while len(kept) < 500:
            run_id = start(record, f"k{len(kept)}")
            finish(record, run_id, values=range(100))
            kept.append(run_id)
    except RecordError as error:
        print(str(error).partition(": ")[2])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    (home / "ballast").unlink(missing_ok=True)
    found = {run.id: run for run in record.runs(1, with_measurements=True)} if kept else {}
    assert all(len(found[run_id].measurements) == 100 for run_id in kept), limit
    finish(record, start(record, "after"), values=range(100))
    record.close()
    with Record.open(home / str(limit)) as record:
        assert record.completed(["after"]), limit
    assert kept or limit and limit < 200_000
"""


def test_wherever_the_disk_fills_up_what_was_recorded_stays(tmp_path):
    limits = range(110_000, 400_000, 17_000)
    lines = answer(FILL, tmp_path, *limits)
    assert len(lines) == len(limits)
    assert {line.partition("(")[0] for line in lines} <= {
        "the disk refuses ",
        "the disk is full; free some space and run again, nothing recorded so far is lost",
    }
    for limit in limits:
        assert quick_check(tmp_path / str(limit)) == [("ok",)]


def test_a_disk_that_is_truly_full_is_named_and_nothing_is_lost(tmp_path):
    mount = ["unshare", "-rm", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a small file system of its own needs `unshare -rm`, which is not allowed here")
    prepare = f"mount -t tmpfs -o size=700k tmpfs {tmp_path} && head -c 200000 /dev/zero > {tmp_path}/ballast"
    lines = answer(FILL, tmp_path, wrap=[*mount, f'{prepare} && exec "$@"', "sh"])
    assert lines == ["the disk is full; free some space and run again, nothing recorded so far is lost"]


# --- other processes -----------------------------------------------------------------------------------------------

WRITE = """
from storage_cases import start, finish
from surefoot.storage import Record
record = Record.open(sys.argv[1])
for i in range(10_000):
    run_id = start(record, f"{sys.argv[2]} {i}")
    finish(record, run_id, values=range(20))
    print(run_id, flush=True)
"""


@pytest.mark.parametrize("count", [1, 7, 40])
def test_kill_9_loses_no_finished_run(where, count):
    process = script(WRITE, where, "a")
    finished = [int(process.stdout.readline()) for _ in range(count)]
    process.kill()
    finished += [int(line) for line in process.communicate()[0].splitlines()]
    with Record.open(where) as record:
        unfinished = [run for run in record.runs(1) if run.status is Status.RUNNING]
        assert record.close_abandoned("the coordinator was killed") == len(unfinished) <= 1
        assert record.close_abandoned("again") == 0
        runs = {run.id: run for run in record.runs(1, with_measurements=True)}
    assert all(len(runs[i].measurements) == 20 and runs[i].status is Status.COMPLETE for i in finished)
    assert all(runs[run.id].reason == "the coordinator was killed" for run in unfinished)


def test_a_log_that_was_removed_after_a_kill_is_noticed_or_harmless(tmp_path):
    process = script(WRITE, tmp_path, "a")
    for _ in range(30):
        process.stdout.readline()
    process.kill()
    process.communicate()
    (tmp_path / "record.db-wal").unlink()
    try:
        with Record.open(tmp_path) as record:
            ids = [run.id for study in record.studies() for run in record.runs(study.id, with_measurements=True)]
    except RecordError as error:
        assert "\n" not in str(error)
    else:
        assert ids == list(range(1, len(ids) + 1))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_live_coordinators_runs_in_a_database_by_url_are_left_alone(kind, request, tmp_path):
    url = f"sqlite:///{tmp_path}/shared.db" if kind == "sqlite" else request.getfixturevalue("postgresql")()
    process = script(WRITE.replace("finish(record, run_id, values=range(20))", "input()"), url, "a", stdin=-1)
    with Record.open(url) as record:
        while not (record.studies() and record.runs(1)):
            time.sleep(0.02)
        assert record.close_abandoned("gone") == 0
        assert record.status_counts()[1].statuses == {Status.RUNNING: 1}
        process.kill()
        process.communicate()
        # Nobody works on it any more, and a reader says so before the next coordinator closes it.
        assert record.status_counts()[1].statuses == {Status.INTERRUPTED: 1}
        assert record.close_abandoned("gone") == 1
        assert record.status_counts()[1].statuses == {Status.INTERRUPTED: 1}


def test_writers_wait_for_each_other_and_lose_nothing(where):
    code = WRITE.replace("10_000", "30")
    processes = [script(code, where, name) for name in "abcd"]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (len(out.splitlines()), err) == (30, "")
    with Record.open(where, read_only=True) as record:
        assert record.status_counts()[1].statuses == {Status.COMPLETE: 120}


def test_a_reader_neither_waits_for_a_writer_nor_stops_one(where):
    with Record.open(where) as writer, Record.open(where, read_only=True) as reader:
        finish(writer, start(writer))
        count = sqlalchemy.select(sqlalchemy.func.count()).select_from(schema.outcomes)

        def look(connection):
            before = connection.scalar(count)
            finish(writer, start(writer, "next"))
            return before, connection.scalar(count)

        assert (reader._database.read(look), len(reader.runs(1))) == ((1, 1), 2)


def test_a_record_held_by_another_is_called_busy(tmp_path):
    with Record.open(tmp_path, busy_seconds=0.05, patience_seconds=0.2) as record:
        holder = sqlite3.connect(tmp_path / "record.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="another process has held it"):
            record.add_study("s", "w")
        holder.close()
        assert record.add_study("s", "w") == 1


def test_a_forked_child_writes_over_a_connection_of_its_own(where):
    with Record.open(where) as record:
        finish(record, start(record, "before"))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                finish(record, start(record, "child"))
                code = 0
            finally:
                os._exit(code)
        finish(record, start(record, "parent"))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finish(record, start(record, "after"))
        assert set(record.completed(["before", "child", "parent", "after"])) == {"before", "child", "parent", "after"}


def cut_all_connections(record):
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    record._database.look(lambda connection: connection.exec_driver_sql(cut).all())


def test_a_connection_that_the_server_closed_is_made_again(postgresql):
    url = postgresql()
    with Record.open(url) as record, Record.open(url) as other:
        run_id = start(record)
        cut_all_connections(other)
        assert finish(record, run_id) is Status.COMPLETE


def test_storage_loads_the_database_library_and_nothing_heavy():
    heavy = ["numpy", "pydantic", "pandas", "torch", "matplotlib", "scipy", "psycopg", "multiprocessing"]
    code = f"import surefoot.storage\nprint([name for name in {heavy} if name in sys.modules])"
    assert answer(code) == ["[]"]
