"""One coordinator a study on a record, whatever its home; one that lost its turn writes nothing more."""

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from storage_cases import finish, start

from surefoot.errors import HomeBusyError, RecordError
from surefoot.run import Status
from surefoot.storage import Record
from surefoot.storage.study_lock import STUDY_LOCKS

HOLD = """
import sys
from surefoot.storage import Record
with Record.open(sys.argv[1]) as record:
    study = record.add_study(sys.argv[2], "w")
    with record.study_lock(study):
        print("held", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A record that several homes share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shared.db"
    return request.getfixturevalue("postgresql")()


@contextmanager
def holding(url, study="s"):
    command = [sys.executable, "-c", HOLD, url, study]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_coordinator_is_told_who_works_on_the_study(url):
    with holding(url) as holder, Record.open(url) as record:
        with pytest.raises(HomeBusyError) as error, record.study_lock(record.add_study("s", "w")):
            pass
        assert "\n" not in str(error.value)
        for words in ('study "s" must have one coordinator', f"process {holder.pid} on {socket.gethostname()}"):
            assert words in str(error.value)


def test_it_waits_as_long_as_it_was_told_and_says_so_once(url):
    told = []
    with holding(url) as holder, Record.open(url) as record:
        lock = record.study_lock(record.add_study("s", "w"), 0.5, told.append)
        with pytest.raises(HomeBusyError), lock:
            pass
    assert [(owner.pid, owner.study) for owner in told] == [(holder.pid, "s")]


def test_it_goes_on_when_the_first_ends(url):
    with holding(url) as holder, Record.open(url) as record:
        lock = record.study_lock(record.add_study("s", "w"), 30, lambda _: holder.stdin.close())
        with lock:
            start(record)


def test_a_killed_owners_study_is_free_at_once(url):
    with Record.open(url) as record:
        study = record.add_study("s", "w")
        with holding(url) as holder:
            holder.kill()
            holder.wait()
            with record.study_lock(study, 10):
                start(record)


def test_other_studies_are_free(url):
    with holding(url, "other"), Record.open(url) as record, record.study_lock(record.add_study("s", "w")):
        assert finish(record, start(record)) is Status.COMPLETE


def test_the_same_process_cannot_take_it_twice_and_can_take_it_again(url):
    with Record.open(url) as record, Record.open(url) as other:
        study = record.add_study("s", "w")
        for _ in range(2):
            refused = pytest.raises(HomeBusyError, match=f"process {os.getpid()}")
            with record.study_lock(study), refused, other.study_lock(study):
                pass


def test_a_lock_is_given_back_after_an_error(url):
    with Record.open(url) as record:
        study = record.add_study("s", "w")
        for _ in range(2):
            with pytest.raises(ZeroDivisionError), record.study_lock(study):
                _ = 1 / 0


def test_another_thread_of_the_owner_may_write(url):
    with Record.open(url) as record, record.study_lock(record.add_study("s", "w")):
        found = []
        thread = threading.Thread(target=lambda: found.append(finish(record, start(record))))
        thread.start()
        thread.join()
    assert found == [Status.COMPLETE]


def test_a_place_without_room_for_locks_is_named(tmp_path):
    (tmp_path / "shared.db.locks").touch()
    with Record.open(f"sqlite:///{tmp_path}/shared.db") as record:
        study = record.add_study("s", "w")
        with pytest.raises(RecordError, match="there must be room for its locks"), record.study_lock(study):
            pass


# --- a turn that is lost -------------------------------------------------------------------------------------------


def cut_the_lock(server):
    server.cut(f"AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = {STUDY_LOCKS})")


def is_locked(server):
    held = server.psql(f"SELECT 'locked' FROM pg_locks WHERE locktype = 'advisory' AND classid = {STUDY_LOCKS};")
    return "locked" in held


def test_a_lock_that_the_server_lost_is_taken_again_at_the_next_write(server, postgresql):
    with Record.open(postgresql()) as record, record.study_lock(record.add_study("s", "w")):
        for key in ("first", "second"):
            cut_the_lock(server)
            assert not is_locked(server)
            finish(record, start(record, key))
            assert is_locked(server)
    assert not is_locked(server)


def test_it_outlives_a_restart_of_the_server(server, postgresql):
    with Record.open(postgresql()) as record, record.study_lock(record.add_study("s", "w")):
        run_id = start(record)
        server.crash()
        server.start()
        assert finish(record, run_id) is Status.COMPLETE
        assert is_locked(server)


def test_whoever_lost_its_turn_to_another_writes_nothing_more(server, postgresql, tmp_path):
    url = postgresql()
    with Record.open(url, spool=tmp_path / "spool") as slow:
        study = slow.add_study("s", "w")
        with slow.study_lock(study):
            run_id = start(slow)
            cut_the_lock(server)
            with holding(url) as other:
                for _ in range(2):
                    with pytest.raises(HomeBusyError, match=f"process {other.pid} .* works on it"):
                        finish(slow, run_id)
                with pytest.raises(HomeBusyError):
                    slow.add_event(study, kind="notice", experiment=None, payload={})
            # Also once the other is gone: its rows are not known here, so whoever goes on reads them first.
            with pytest.raises(HomeBusyError):
                start(slow, "next")
    with Record.open(url, spool=tmp_path / "spool") as record:
        # What had ended is not lost by it.
        assert [(run.id, run.status) for run in record.runs(study)] == [(run_id, Status.COMPLETE)]


def test_a_member_of_the_team_needs_no_more_rights_than_the_manual_says(server, postgresql):
    url = postgresql()
    Record.open(url).close()
    manual = (Path(__file__).parents[2] / "docs/teams.md").read_text()
    rights = manual.partition("```sql\n")[2].partition("```")[0]
    server.psql("DROP ROLE IF EXISTS team; CREATE ROLE team LOGIN;")
    server.psql(rights)
    with Record.open(url.replace("postgres:@", "team@")) as record:
        study = record.add_study("s", "w")
        with record.study_lock(study), record.together():
            run_id = start(record)
            server.cut()
            finish(record, run_id)
            start(record, "next")
        assert record.runs(study)[0].status is Status.COMPLETE
    server.psql("DROP OWNED BY team; DROP ROLE team;")


# --- what a dead coordinator left behind ---------------------------------------------------------------------------

ELSEWHERE = """
import socket, sys
socket.gethostname = lambda: "elsewhere"
sys.path.insert(0, sys.argv[2])
from storage_cases import start
from surefoot.storage import Record
with Record.open(sys.argv[1]) as record:
    start(record, "far")
    start(record, "far other", study="other")
"""


def test_whoever_holds_the_lock_closes_what_another_machine_left(url):
    subprocess.run([sys.executable, "-c", ELSEWHERE, url, str(Path(__file__).parent)], check=True)
    with Record.open(url) as record:
        study, other = record.add_study("s", "w"), record.add_study("other", "w")
        assert record.close_abandoned("gone") == 0
        with pytest.raises(RecordError, match="take `study_lock` first"):
            record.close_abandoned("gone", study)
        with record.study_lock(study):
            assert record.close_abandoned("gone", study) == 1
            assert record.close_abandoned("gone", study) == 0
        assert [run.status for run in record.runs(study)] == [Status.INTERRUPTED]
        assert [run.status for run in record.runs(other)] == [Status.RUNNING]
