"""One coordinator a home: the second waits or is told who works there."""

import json
import subprocess
import sys

import pytest

from surefoot.errors import HomeBusyError, RecordError
from surefoot.storage import home_lock

HOLD = """
import sys
from surefoot.storage import home_lock
with home_lock(sys.argv[1], study="fashion"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_free_home_is_taken_and_given_back(tmp_path):
    for _ in range(2):
        with home_lock(tmp_path / "new" / "home"):
            pass


def test_a_busy_home_names_process_study_and_time(tmp_path, holder):
    with pytest.raises(HomeBusyError) as error, home_lock(tmp_path):
        pass
    since = json.loads((tmp_path / "run.lock.json").read_text())["since"]
    for word in (str(holder.pid), "study fashion", since, "--home"):
        assert word in str(error.value)


def test_a_second_coordinator_says_once_that_it_waits_and_gives_up(tmp_path, holder):
    told = []
    with pytest.raises(HomeBusyError), home_lock(tmp_path, 0.5, on_wait=told.append):
        pass
    assert [(owner.pid, owner.study) for owner in told] == [(holder.pid, "fashion")]


def test_a_second_coordinator_goes_on_when_the_first_ends(tmp_path, holder):
    told = []

    def end_the_first(owner):
        told.append(owner)
        holder.stdin.close()

    with home_lock(tmp_path, 30, study="second", on_wait=end_the_first):
        assert json.loads((tmp_path / "run.lock.json").read_text())["study"] == "second"
    assert len(told) == 1


def test_a_killed_owners_home_is_free_at_once(tmp_path, holder):
    holder.kill()
    holder.wait()
    with home_lock(tmp_path):
        pass


def test_a_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), home_lock(tmp_path):
        _ = 1 / 0
    with home_lock(tmp_path):
        pass


def test_a_home_that_is_a_file_is_named(tmp_path):
    (tmp_path / "home").touch()
    with pytest.raises(RecordError, match="must be a folder that can be written"), home_lock(tmp_path / "home"):
        pass
