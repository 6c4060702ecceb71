"""`surefoot run` as a process: interrupted, killed, shut out, and gone on from where it was."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from command_line import command

LONG_SECONDS = 60


def wait_until(claim, what: str) -> None:
    """Returns once the claim holds; fails after a time in which any machine gets there."""
    deadline = time.monotonic() + LONG_SECONDS
    while not claim():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def trained(folder: Path) -> list[str]:
    """One line for each training that came to its end, as the trainings themselves wrote it."""
    log = folder / "trained.log"
    return log.read_text().splitlines() if log.exists() else []


def verdicts(journal: dict) -> list[tuple]:
    told = ("arm", "verdict", "n", "estimate", "p")
    return [(e["id"], *(v[key] for key in told)) for e in journal["experiments"] for v in e["verdicts"]]


@pytest.fixture
def undisturbed(surefoot, slow_plan, tmp_path):
    """The journal of the slow plan when nothing happens, and what it trained."""
    assert surefoot("run", slow_plan, "--home", "calm", "--workers", 2).code == 0
    lines = trained(tmp_path)
    (tmp_path / "trained.log").unlink()
    return surefoot("journal", "--home", "calm", "--json").json, lines


class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("after", [1, 9])
    def test_it_goes_on_trains_nothing_twice_and_comes_to_the_same_verdicts(
        self, start, surefoot, slow_plan, tmp_path, undisturbed, number, after
    ):
        child = start("run", slow_plan, "--workers", 2)
        wait_until(lambda: len(trained(tmp_path)) >= after, f"{after} runs are trained")
        child.send_signal(number)
        out, err = child.communicate(timeout=LONG_SECONDS)
        assert child.returncode == 130, err
        assert out == "" and "Traceback" not in err
        assert "Run the same command again to go on" in err.splitlines()[-1]
        assert surefoot("status", "--json").json["studies"][0]["runs"]["running"] == 0

        assert surefoot("run", slow_plan, "--workers", 2).code == 0
        calm, lines = undisturbed
        assert verdicts(surefoot("journal", "--json").json) == verdicts(calm)
        assert Counter(trained(tmp_path)) == Counter(lines)

    def test_a_run_that_has_nothing_left_to_do_trains_nothing(self, surefoot, plan, tmp_path):
        assert surefoot("run", plan).code == 0
        before = trained(tmp_path)
        again = surefoot("run", plan)
        assert again.code == 0 and "no run left to train" in again.err
        assert trained(tmp_path) == before


class TestKilled:
    def test_kill_9_of_the_coordinator_loses_no_finished_run(self, start, surefoot, slow_plan, tmp_path, undisturbed):
        child = start("run", slow_plan, "--workers", 2)
        wait_until(lambda: len(trained(tmp_path)) >= 6, "some runs are trained")
        child.kill()
        child.communicate(timeout=LONG_SECONDS)
        recorded = surefoot("status", "--json").json["studies"][0]["runs"]["complete"]
        assert recorded >= 1

        answer = surefoot("run", slow_plan, "--workers", 2)
        assert answer.code == 0, answer.err
        calm, lines = undisturbed
        assert verdicts(surefoot("journal", "--json").json) == verdicts(calm)
        # What was in flight when the coordinator died, and only that, may have been trained to its end twice.
        assert set(trained(tmp_path)) == set(lines)
        assert len(trained(tmp_path)) - len(lines) <= 2

    def test_kill_9_of_a_worker_leaves_the_study_whole(self, start, surefoot, slow_plan, tmp_path, undisturbed):
        import psutil

        child = start("run", slow_plan, "--workers", 2)
        wait_until(lambda: len(trained(tmp_path)) >= 3, "some runs are trained")
        psutil.Process(child.pid).children()[0].kill()
        _, err = child.communicate(timeout=LONG_SECONDS)
        assert child.returncode == 0, err
        calm, _ = undisturbed
        assert verdicts(surefoot("journal", "--json").json) == verdicts(calm)


class TestTwoAtOnce:
    def test_the_second_says_who_works_there(self, start, surefoot, slow_plan, tmp_path):
        child = start("run", slow_plan, "--workers", 1)
        wait_until(lambda: trained(tmp_path), "the first works")
        second = surefoot("run", slow_plan, "--workers", 1)
        assert second.code == 2
        assert re.search(rf"one coordinator at a time; process {child.pid} on .*, study climb, since", second.err)
        assert len(second.err.splitlines()) == 1
        assert surefoot("status").code == 0, "reading goes on meanwhile"
        assert surefoot("journal", "--json").json["phase"]

    def test_the_second_waits_where_it_is_told_to(self, start, surefoot, slow_plan, tmp_path):
        child = start("run", slow_plan, "--workers", 2)
        wait_until(lambda: trained(tmp_path), "the first works")
        second = surefoot("run", slow_plan, "--workers", 1, "--wait", LONG_SECONDS)
        assert second.code == 0, second.err
        assert f"process {child.pid}" in second.err and "waiting for it" in second.err
        assert "no run left to train" in second.err
        assert child.wait(timeout=LONG_SECONDS) == 0
        assert max(Counter(trained(tmp_path)).values()) == 1


class TestFailures:
    def test_a_run_that_crashes_is_named_and_the_study_goes_on(self, surefoot, plan):
        plan.write_text(plan.read_text().replace("rail: {aid: rail}", "rail: {aid: rail, fault: crash}"))
        answer = surefoot("run", plan, "--workers", 1)
        assert answer.code == 1
        assert re.search(r"aids / rail, seed 2: FAILED .*a rung broke", answer.err)
        assert surefoot("status", "--json").json["studies"][0]["phase"] == "done"
        assert "a rung broke" in surefoot("journal").out

    def test_a_diverged_run_is_a_value_and_no_failure(self, surefoot, plan):
        plan.write_text(plan.read_text().replace("rail: {aid: rail}", "rail: {aid: rail, fault: diverge}"))
        answer = surefoot("run", plan, "--workers", 1)
        assert answer.code == 0, answer.err
        assert "INFEASIBLE" in answer.err
        status = surefoot("status", "--json").json["studies"][0]
        assert status["runs"]["infeasible"] >= 1 and status["runs"]["failed"] == 0

    def test_a_baseline_that_never_works_is_a_study_that_failed(self, surefoot, plan):
        plan.write_text(plan.read_text().replace("pause_ms: 0", "fault: diverge"))
        answer = surefoot("run", plan, "--workers", 1)
        assert answer.code == 1
        assert "nothing can be compared" in answer.err


class TestHomes:
    def test_a_home_that_is_a_file_is_one_clear_line(self, surefoot, plan, tmp_path):
        (tmp_path / "taken").write_text("")
        answer = surefoot("run", plan, "--home", "taken")
        assert answer.code == 2 and len(answer.err.splitlines()) == 1
        assert "taken" in answer.err and "choose another with --home" in answer.err

    def test_a_home_that_cannot_be_written_is_one_clear_line(self, surefoot, plan):
        answer = surefoot("run", plan, "--home", "/proc/nobody/writes/here")
        assert answer.code == 2 and len(answer.err.splitlines()) == 1
        assert "/proc/nobody/writes/here" in answer.err

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_home_is_one_clear_line(self, surefoot, plan, tmp_path):
        (tmp_path / "home").mkdir(mode=0o500)
        answer = surefoot("run", plan, "--home", "home")
        assert answer.code == 2 and len(answer.err.splitlines()) == 1

    @pytest.mark.parametrize("name", ["été 2026", "🚀", "a b; rm -rf", "%s {x} $HOME", "<b>&amp;", "'quoted\""])
    def test_a_study_may_have_any_name_that_can_be_a_folder(self, surefoot, plan, name, tmp_path):
        plan.write_text(plan.read_text().replace("study: climb", f"study: {json.dumps(name)}"))
        assert surefoot("run", plan, "--workers", 1).code == 0
        assert (tmp_path / "surefoot-runs" / name / "journal.md").exists()
        assert surefoot("status", name, "--json").json["studies"][0]["study"] == name
        assert surefoot("report", name).code == 0

    def test_the_home_may_be_named_by_the_environment(self, surefoot, plan, monkeypatch, tmp_path):
        monkeypatch.setenv("SUREFOOT_HOME", str(tmp_path / "elsewhere"))
        assert surefoot("run", plan, "--workers", 1).code == 0
        assert (tmp_path / "elsewhere" / "record.db").exists()
        assert surefoot("status").code == 0

    def test_the_record_may_be_elsewhere(self, surefoot, plan, tmp_path):
        store = f"sqlite:///{tmp_path / 'other.db'}"
        assert surefoot("run", plan, "--workers", 1, "--store", store).code == 0
        assert surefoot("status", "--store", store, "--json").json["studies"][0]["phase"] == "done"
        assert not (tmp_path / "surefoot-runs" / "record.db").exists()


class TestProgress:
    def test_without_a_terminal_there_is_one_plain_line_a_run(self, process, plan, tmp_path):
        answer = process("run", plan, "--workers", 1)
        assert answer.code == 0 and answer.out == ""
        assert "\x1b" not in answer.err and "\r" not in answer.err
        lines = answer.err.splitlines()
        assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in lines)
        runs = [line for line in lines if re.search(r", seed \d+: loss ", line)]
        assert len(runs) == len(trained(tmp_path))
        assert re.search(r"at most \d+ runs and \d+ s left$", runs[0])

    def on_a_terminal(self, plan: Path, **environment: str) -> str:
        ours, theirs = pty.openpty()
        child = subprocess.Popen(
            command("run", plan, "--workers", 1),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            env={**os.environ, **environment},
        )
        os.close(theirs)
        shown = bytearray()
        try:
            while chunk := os.read(ours, 65_536):
                shown += chunk
        except OSError:  # Linux says so when the other end is closed
            pass
        os.close(ours)
        assert child.wait(timeout=LONG_SECONDS) == 0
        return shown.decode()

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
    def test_on_a_terminal_there_is_a_bar_and_the_verdicts_stay(self, plan):
        shown = self.on_a_terminal(plan, TERM="xterm-256color", COLUMNS="120")
        assert re.search(r"━+", shown) and "left" in shown
        assert "aids: Decision: ADOPT rung" in re.sub(r"\s+", " ", shown)

    def test_no_color_takes_the_colour_away(self, plan):
        shown = self.on_a_terminal(plan, TERM="xterm-256color", NO_COLOR="1")
        assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)

    def test_a_dumb_terminal_gets_plain_lines(self, plan):
        assert "\x1b" not in self.on_a_terminal(plan, TERM="dumb")
