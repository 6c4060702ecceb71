"""A full disk, a vanished home, a newer record: one clear line, nothing finished lost, and it goes on later."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from study_cases import check_invariants, experiment, plan_text

from surefoot.storage import Record

HERE = Path(__file__).parent
GAIN = experiment("gain", better={"gain": 5.0, "pause_ms": 60})


FULL_DISK = """
import resource, signal, sys
from surefoot.cli import main
limit = int(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.exit(main(sys.argv[2:]))
"""


def command(folder, verb, *arguments, limit=None):
    """Starts a real `surefoot VERB`; no file of it may grow beyond `limit` bytes."""

    line = [sys.executable, "-c", FULL_DISK, str(limit)] if limit else [sys.executable, "-m", "surefoot.cli"]
    line += [verb, *map(str, arguments), "--home", str(folder / "home")]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=HERE)


def run(folder, **more):
    plan = folder / "plan.yaml"
    plan.write_text(plan_text(GAIN, seeds=2, confirm=2))
    return command(folder, "run", plan, "--workers", "1", "--device", "cpu", **more)


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def last_line(err):
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


def trained(folder):
    with Record.open(folder / "home") as record:
        return {(r.key, r.id) for r in record.runs(1) if r.status == "COMPLETE"}


def heard(process, words):
    for line in process.stderr:
        if words in line:
            return
    raise AssertionError(f"never heard {words}")


@pytest.mark.parametrize("kilobytes", [150, 300])
def test_a_full_disk_is_said_in_a_line_and_the_study_goes_on_when_there_is_room(tmp_path, kilobytes):
    code, _, err = ended(run(tmp_path, limit=kilobytes * 1024))
    assert code == 2, err
    assert "disk" in last_line(err)
    before = trained(tmp_path)
    code, _, err = ended(run(tmp_path))
    assert code == 0, err
    assert before <= trained(tmp_path)
    with Record.open(tmp_path / "home") as record:
        check_invariants(record)


def test_a_record_that_became_read_only_is_said_in_a_line(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    process = run(tmp_path)
    heard(process, "baseline, seed 1")
    (tmp_path / "home").chmod(0o500)
    code, _, err = ended(process)
    (tmp_path / "home").chmod(0o700)
    assert code == 2 and "read-only" in last_line(err)


def test_a_home_deleted_during_the_run_is_said_in_a_line(tmp_path):
    process = run(tmp_path)
    heard(process, "baseline, seed 1")
    shutil.rmtree(tmp_path / "home", ignore_errors=True)
    code, _, err = ended(process)
    assert code == 2
    assert "was deleted or replaced while it was open" in last_line(err) or "cannot be" in last_line(err)
    code, _, err = ended(run(tmp_path))
    assert code == 0, err


def test_a_record_of_a_newer_version_is_refused_by_every_verb(tmp_path):
    assert ended(run(tmp_path))[0] == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "home/record.db")) as connection:
        connection.execute("INSERT INTO schema_versions VALUES (99, 'surefoot', 'later')")
        connection.commit()
    before = (tmp_path / "home/record.db").read_bytes()
    for process in (run(tmp_path), command(tmp_path, "status"), command(tmp_path, "journal")):
        code, _, err = ended(process)
        assert (code, "written by a newer Surefoot" in last_line(err)) == (2, True)
    assert (tmp_path / "home/record.db").read_bytes() == before


def test_a_plan_half_registered_can_be_read_about_and_run(tmp_path, cases, monkeypatch):
    """A coordinator killed between a revision and its experiments leaves a plan without registrations."""
    from study_cases import plan_of

    from surefoot.errors import RecordError
    from surefoot.study.telling import read_story

    class Crash(Exception):
        pass

    def crash(*_, **__):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(cases.record, "add_experiment", crash)
        with pytest.raises(Crash):
            cases.study(plan_of(GAIN))
    with pytest.raises(RecordError, match="run it again"):
        read_story(cases.record, 1, plan_of(GAIN))
    assert cases.run(GAIN).phase == "done"
