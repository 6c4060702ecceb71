"""A script may be absent, crash, hang, babble, fork or be killed: each ends as the right status, told in one line."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from program_cases import Bench, curve, pattern

from surefoot.execution import WorkerPool
from surefoot.program import Reader
from surefoot.run import Status
from surefoot.workloads.script import end_orphans

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def bench(tmp_path, pool):
    return Bench(tmp_path, pool)


def failed(outcome) -> str:
    assert outcome.status is Status.FAILED
    assert "\n" not in outcome.reason
    return outcome.reason


def gone(*numbers: int, seconds: float = 10.0) -> bool:
    """Whether these processes are there no more, or are but waiting to be reaped."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = []
        for number in numbers:
            with contextlib.suppress(psutil.NoSuchProcess):
                if psutil.Process(number).status() != psutil.STATUS_ZOMBIE:
                    alive.append(number)
        if not alive:
            return True
        time.sleep(0.02)
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return False


# --- it does not start, or ends badly --------------------------------------------------------------------------------


def test_a_script_that_is_not_there(bench):
    reason = failed(bench.run(bench.program("./no_such_script")))
    assert reason.startswith('cannot start "./no_such_script": there is no such file in ')
    reason = failed(bench.run(bench.program()))
    assert reason.startswith("exit code 2; last words: ")
    assert "train.py" in reason
    assert "No such file or directory" in reason


def test_a_script_that_may_not_be_executed_or_named(bench):
    bench.write("", "run.sh")
    assert failed(bench.run(bench.program("./run.sh"))) == 'cannot start "./run.sh": Permission denied'
    bench.write("print('val_loss: 1')")
    assert "null byte" in failed(bench.run(bench.program(), {"x": "a\0b"}))
    assert "Argument list too long" in failed(bench.run(bench.program(), {"x": "a" * 10_000_000}))


def test_a_script_that_exits_non_zero_says_its_last_words(bench):
    outcome = bench.run("print('val_loss: 1')\nraise ValueError('bad shape')")
    assert failed(outcome) == "exit code 1; last words: ValueError: bad shape"
    assert curve(outcome) == [(1, 1.0)], "what it measured before is kept"
    assert outcome.facts["exit_code"] == 1
    assert failed(bench.run("raise SystemExit(3)")) == "exit code 3, without a word"
    assert not (bench.run_folder / "error.txt").exists()


def test_a_worker_outlives_the_script_that_fails(bench):
    before = {worker.pid for worker in psutil.Process().children()}
    failed(bench.run("raise SystemExit(3)"))
    assert {worker.pid for worker in psutil.Process().children()} == before


def test_a_script_that_is_killed(bench):
    reason = failed(bench.run("import os; print('here', flush=True); os.kill(os.getpid(), 11)"))
    assert reason == "killed by signal 11 (Segmentation fault); last words: here"
    bench.write("kill -9 $$", "run.sh")
    assert failed(bench.run(bench.program("sh", "run.sh"))) == "killed by signal 9 (Killed), without a word"
    bench.write("sh -c 'kill -15 $$'; exit $?", "run.sh")
    assert failed(bench.run(bench.program("sh", "run.sh"))).startswith("exit code 143, as of signal 15 (Terminated)")


def test_a_script_that_runs_out_of_memory(bench):
    reason = failed(
        bench.run("import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30,) * 2); bytearray(2**31)")
    )
    assert reason == "out of memory (exit code 1; last words: MemoryError)"


def test_a_script_that_the_kernel_kills_for_memory_is_told_apart(bench, tmp_path, monkeypatch):
    # The kernel's own counter is the only thing here that a test cannot move without filling the machine.
    from surefoot.execution import machine, worker
    from surefoot.execution.provenance import provenance_at_start
    from surefoot.execution.talk import Orders

    kills = iter(range(100))
    monkeypatch.setattr(machine, "out_of_memory_kills", lambda: next(kills))
    bench.write("import os; os.kill(os.getpid(), 9)")
    task = bench.task(bench.program())
    ending = worker.conduct(task, provenance_at_start(task, 1), lambda message: None, Orders())
    assert ending.reason == "out of memory (killed by signal 9 (Killed), without a word)"


# --- it does not say its metric --------------------------------------------------------------------------------------


def test_a_script_that_prints_no_metric(bench):
    assert failed(bench.run("pass")) == "told no val_loss: it ended without printing or reporting anything"
    bench.write("print('one'); print('two'); print('done')")
    outcome = bench.run(bench.program(readers=(pattern(r"val_loss (?P<val_loss>\S+)"),)))
    assert failed(outcome) == (
        r'printed no val_loss: 3 lines of output, none matched val_loss (?P<val_loss>\S+); the last line was "done"'
    )
    outcome = bench.run(bench.program(readers=(Reader(kind="last"),)))
    assert 'the last one was "done", which holds none' in failed(outcome)


def test_a_script_that_prints_the_metric_in_a_changed_format(bench):
    outcome = bench.run("for i in range(214): print(f'val_loss -> {i}')")
    assert failed(outcome) == (
        'printed no val_loss: 214 lines of output, none was a JSON object that holds it, and none held "val_loss: '
        'NUMBER"; the last line was "val_loss -> 213"'
    )
    bench.write("print('loss: high')")
    outcome = bench.run(bench.program(readers=(pattern(r"loss: (?P<val_loss>\w+)"),)))
    assert 'val_loss was "high", which is no number' in failed(outcome)


def test_a_script_that_tells_one_metric_of_two(bench):
    bench.write("print('val_loss: 1')")
    assert failed(bench.run(bench.program(metrics=["val_loss", "accuracy"]))).startswith("printed no accuracy: 1 line")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_metric_that_is_no_number_is_infeasible_and_ends_the_script(bench, value):
    outcome = bench.run(f"import time\nprint('val_loss: 1')\nprint('val_loss: {value}')\ntime.sleep(600)")
    assert (outcome.status, outcome.reason) == (Status.INFEASIBLE, f"val_loss is {value} at step 2")


# --- it does not end -------------------------------------------------------------------------------------------------


def test_a_script_that_hangs_meets_its_time_limit_or_its_silence(bench):
    text = "import time; print('val_loss: 1')\ntime.sleep(600)"
    reason = failed(bench.run(text, time_limit_seconds=0.6))
    assert reason == "time limit of 0.6 s reached after step 1"
    reason = failed(bench.run(bench.program(silence_seconds=0.5)))
    assert reason == "silent for 0.5 s after step 1; taken for hung, and ended"
    assert bench.run("print('val_loss: 1')").status is Status.COMPLETE, "with the same worker"


def test_a_script_that_still_prints_is_not_silent(bench):
    bench.write("import time\nfor i in range(10): print(i); time.sleep(0.1)\nprint('val_loss: 1')")
    assert bench.run(bench.program(silence_seconds=0.7)).status is Status.COMPLETE


def test_a_stopped_script_is_ended_too(bench):
    text = "import os, signal; print('val_loss: 1', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    assert bench.run(text, on_measurement=lambda *_: "enough").status is Status.PRUNED


# --- it forks --------------------------------------------------------------------------------------------------------

FORKS = """
    import os, subprocess, sys, time
    def note(number):
        with open("pids.txt", "a") as file:
            file.write(f"{number}\\n")
    sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
    note(subprocess.Popen(sleep).pid)
    note(subprocess.Popen(sleep, start_new_session=True).pid)
    note(subprocess.Popen(sleep, start_new_session=True, env={}, stdout=subprocess.DEVNULL, stderr=2).pid)
    if os.fork() == 0:  # a daemon, as it is done
        os.setsid()
        if os.fork() == 0:
            note(os.getpid())
            time.sleep(600)
        os._exit(0)
    while len(open("pids.txt").readlines()) < 4:
        time.sleep(0.01)
    print("val_loss: 1", flush=True)
"""


def noted(bench) -> list[int]:
    return [int(line) for line in (bench.folder / "pids.txt").read_text().split()]


def test_children_that_outlive_their_script_are_ended(bench):
    outcome = bench.run(FORKS)
    assert gone(*noted(bench))
    assert outcome.status is Status.COMPLETE
    assert outcome.facts["processes_ended"] == 4


def test_children_that_ignore_the_signal_are_killed(bench):
    bench.write(
        """
        import subprocess, sys
        child = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
        process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, start_new_session=True)
        process.stdout.readline()
        open("pids.txt", "w").write(str(process.pid))
        print("val_loss: 1")
        """
    )
    assert bench.run(bench.program(grace_seconds=0.2)).status is Status.COMPLETE
    assert gone(*noted(bench))


def test_children_of_a_pruned_script_are_ended(bench):
    outcome = bench.run(FORKS + "    time.sleep(600)\n", on_measurement=lambda *_: "enough")
    assert gone(*noted(bench))
    assert outcome.status is Status.PRUNED


def test_a_child_that_keeps_the_output_open_does_not_hold_the_run(bench):
    text = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); print('val_loss: 1')"
    assert bench.run(text).status is Status.COMPLETE


def test_what_a_killed_worker_leaves_is_ended(bench):
    def kill(task, measurement):
        if not killed:
            killed.append(psutil.Process(noted(bench)[0]).parent().ppid())
            os.kill(killed[0], signal.SIGKILL)

    killed, ended = [], []
    bench.write(FORKS.replace("env={}, ", "") + "    time.sleep(600)\n")
    task = bench.task(bench.program(), time_limit_seconds=0.5)
    with WorkerPool(1) as pool:
        pool.run([task], on_measurement=kill, on_end=ended.append)
        assert [outcome.is_worker_lost for outcome in ended] == [True, False]
        assert gone(*noted(bench))


COORDINATOR = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from program_cases import *
with WorkerPool(1) as pool:
    bench = Bench(Path(sys.argv[2]), pool)
    bench.run(bench.program(), on_measurement=lambda *_: print("measured", flush=True))
"""


@pytest.fixture
def coordinator(bench):
    """A process of its own that runs the script; started once the script has measured."""
    bench.write(
        FORKS.replace("env={}, ", "") + "    note(os.getpid())\n    print('val_loss: 2')\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", COORDINATOR, str(HERE), str(bench.folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    process.stdout.readline()
    while len(noted(bench)) < 5:
        time.sleep(0.01)
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_no_script_survives_its_coordinator(bench, coordinator):
    coordinator.kill()
    coordinator.wait()
    assert gone(*noted(bench))


def test_what_survives_both_its_worker_and_its_coordinator_is_ended_by_the_next(bench, coordinator):
    worker = psutil.Process(coordinator.pid).children()[0]
    worker.suspend()  # it cannot hear that its coordinator ends
    coordinator.kill()
    coordinator.wait()
    worker.kill()
    assert gone(worker.pid)
    assert end_orphans(bench.folder / "elsewhere") == 0
    assert end_orphans(bench.folder) == 5
    assert gone(*noted(bench))


# --- it babbles ------------------------------------------------------------------------------------------------------


def test_a_script_that_prints_without_end_keeps_its_first_and_last_words_and_our_memory_small(bench):
    bench.write("print('first')\nfor i in range(100): print('x' * 999_999)\nprint('val_loss: 1')\nprint('last')")
    outcome = bench.run(bench.program(output_bytes=1_000_000))
    assert (outcome.status, curve(outcome)) == (Status.COMPLETE, [(1, 1.0)])
    assert outcome.facts["output_bytes"] == 100_000_000 + len("first\nval_loss: 1\nlast\n")
    assert outcome.facts["output_bytes_left_out"] == outcome.facts["output_bytes"] - 2_000_000
    text = bench.output()
    assert text.startswith("first\nxxx")
    assert f"\n[… {outcome.facts['output_bytes_left_out']:,} bytes are left out here …]\n" in text
    assert text.endswith("xxx\nval_loss: 1\nlast\n")
    assert [path.name for path in bench.run_folder.glob("output*")] == ["output.txt"]
    assert outcome.provenance.peak_memory_bytes < 150 * 2**20


def test_many_short_lines_are_read_too(bench):
    outcome = bench.run("import sys\nsys.stdout.write('loss 1 of 2\\n' * 1_000_000)\nprint('val_loss: 1')")
    assert (outcome.status, curve(outcome)) == (Status.COMPLETE, [(1, 1.0)])


def test_output_that_is_no_text_is_kept_as_it_is(bench):
    outcome = bench.run("import sys; sys.stdout.buffer.write(bytes(range(256)) + b'\\nval_loss: 1\\n\\xff')")
    assert outcome.status is Status.COMPLETE
    assert (bench.run_folder / "output.txt").read_bytes() == bytes(range(256)) + b"\nval_loss: 1\n\xff"
