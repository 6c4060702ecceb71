"""`surefoot reproduce`: its exit codes, its one document, and that it leaves home and record as they are."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import command

from surefoot.storage import Record

PLAN = """\
study: climb
workload: steps:WORKLOAD
metrics:
  loss: {goal: minimize}
seeds: 2
baseline: {pause_ms: 50, steps: 40}
experiments: []
"""
KEPT_BY_READERS = ("record.db-shm", "record.db-wal")  # SQLite's own, empty once nobody reads


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a study of the ladder's workload has been run, its module beside the plan."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(Path(__file__).with_name("ladder.py"), folder / "steps.py")
    (folder / "plan.yaml").write_text(PLAN)
    line = command("run", folder / "plan.yaml", "--workers", 1, "--threads", 1)
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def home(trained, tmp_path):
    """The home of that study, copied here with its module."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "surefoot-runs"


def contents(home):
    """Every file of the home with the SHA-256 of its bytes."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in KEPT_BY_READERS
    }


def test_a_run_comes_out_the_same_and_nothing_in_the_home_changes(process, home, tmp_path):
    place, before = home, contents(home)
    answer = process("reproduce", "climb:baseline:2")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("climb:baseline:2 is the same, bit for bit: 80 measured values")
    assert re.search(r"^loss +40 +0 +0 +–", answer.out, re.MULTILINE)
    assert re.search(r"training climb:baseline:2 again \(run \d, steps:WORKLOAD\)", answer.err)
    assert contents(place) == before

    document = process("reproduce", "1", "--json", "--keep", tmp_path / "kept").json
    assert document["verdict"] == "EXACT" and document["is_same"] is True
    assert document["run"]["address"] == "climb:baseline:1" and document["run"]["id"] == 1
    assert {m["name"]: (m["compared"], m["not_equal"]) for m in document["metrics"]} == {
        "loss": (40, 0),
        "speed": (40, 0),
    }
    assert (tmp_path / "kept" / "last.pt").is_file()
    assert contents(place) == before


def test_a_run_that_comes_out_otherwise_exits_with_1(process, home, tmp_path):
    module = tmp_path / "steps.py"
    module.write_text(module.read_text().replace("1 / step -", "1.001 / step -"))
    refused = process("reproduce", "climb:baseline:1")
    assert refused.code == 2 and len(refused.err.splitlines()) == 1
    assert re.search("the code changed since climb:baseline:1 was trained .* say --other-code", refused.err)
    answer = process("reproduce", "climb:baseline:1", "--other-code", "--tolerance", "1e-6")
    assert answer.code == 1, answer.err
    assert answer.out.startswith(
        "climb:baseline:1 is NOT the same (with other code): it first differs at step 1: loss "
    )
    assert re.search("^code differs: [0-9a-f]{12} then, [0-9a-f]{12} now$", answer.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["climb:basline"], 'no arm "basline" of climb has runs .*Did you mean "baseline"'),
        (["climb:baseline:1", "--threads", "0"], "--threads must be a whole number of at least 1"),
        (["climb:baseline:1", "--tolerance", "-1"], "--tolerance must be a number, 0 or more"),
        (["climb:baseline:1", "--keep", "."], "--keep must name a new or empty folder"),
        ([], "still needed: RUN"),
    ],
)
def test_a_mistake_exits_with_2_and_one_line(surefoot, plan, tmp_path, arguments, says):
    with Record.open(tmp_path / "surefoot-runs") as record:
        study = record.add_study("climb", "ladder:WORKLOAD")
        record.use_run(study, a_run(record, study), experiment="baseline", arm="baseline")
    answer = surefoot("reproduce", *arguments)
    assert answer.code == 2 and answer.out == ""
    assert len(answer.err.splitlines()) == 1 and re.search(says, answer.err), answer.err


def a_run(record, study):
    """A run on record that measured one value."""
    from surefoot.run import Measurement, Provenance, Status

    provenance = Provenance(code_fingerprint="c", data_fingerprint="d")
    run = record.start_run(
        study_id=study,
        key="ab" * 32,
        workload="ladder:WORKLOAD",
        config={},
        seed=1,
        provenance=provenance,
        experiment="baseline",
        arm="baseline",
    )
    record.finish_run(
        run,
        status=Status.COMPLETE,
        reason="",
        measurements=[Measurement(step=1, values={"loss": 1.0})],
        facts={},
        checkpoints={},
        provenance=provenance,
    )
    return run


class TestCutShort:
    @pytest.fixture
    def cut(self, home, start, tmp_path, monkeypatch):
        """A reproduction ended by that signal while it trains; the home and the temporary folder around it."""
        place, before = home, contents(home)
        monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
        (tmp_path / "temporary").mkdir()

        def end(number):
            child = start("reproduce", "climb:baseline:1")
            assert "training climb:baseline:1 again" in child.stderr.readline()
            deadline = time.monotonic() + 60
            while not list((tmp_path / "temporary").rglob("output.txt")) and time.monotonic() < deadline:
                time.sleep(0.01)
            child.send_signal(number)
            child.wait(60)
            return child, contents(place) == before

        return end

    def test_ctrl_c_leaves_nothing_behind(self, cut, tmp_path):
        child, is_as_before = cut(signal.SIGINT)
        assert child.returncode == 130
        assert "interrupted; what was trained so far is removed" in child.stderr.read()
        assert is_as_before and not os.listdir(tmp_path / "temporary")

    def test_a_kill_leaves_the_home_as_it_was(self, cut, surefoot):
        child, is_as_before = cut(signal.SIGKILL)
        assert child.returncode == -signal.SIGKILL
        assert is_as_before
        assert surefoot("status", "--json").json["studies"][0]["runs"]["running"] == 0
