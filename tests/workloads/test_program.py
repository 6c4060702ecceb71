"""A script as anybody writes it is a run like any other: started, read, pruned, gone on with, known by its files."""

from __future__ import annotations

import json
import os
import pickle
import sys

import pytest
from program_cases import PYTHON, Bench, curve, pattern

from surefoot.errors import WorkloadError
from surefoot.execution import WorkerPool
from surefoot.program import Program, Reader
from surefoot.run import Status
from surefoot.workload import find_workload
from surefoot.workloads.program import check_program, code_fingerprint


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1, threads=1) as pool:
        yield pool


@pytest.fixture
def bench(tmp_path, pool):
    return Bench(tmp_path, pool)


LOOP = """
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    for epoch in range(3):
        print(f"epoch {epoch} train_loss=9 val_loss={arguments.lr * arguments.seed + epoch}")
"""


def test_an_unmodified_script_is_a_run(bench):
    outcome = bench.run(LOOP, {"lr": 0.5}, seed=2)
    assert (outcome.status, outcome.reason) == (Status.COMPLETE, "")
    assert curve(outcome) == [(1, 1.0), (2, 2.0), (3, 3.0)]
    assert outcome.facts == {"exit_code": 0, "output_bytes": len(bench.output()), "last_step": 3}
    assert bench.output().splitlines()[0] == "epoch 0 train_loss=9 val_loss=1.0"
    assert json.loads((bench.run_folder / "config.json").read_text()) == {"lr": 0.5, "seed": 2}


def test_a_script_that_reports_is_heard_unasked(bench):
    outcome = bench.run(
        """
        import surefoot
        for epoch in range(1, 4):
            surefoot.report(step=10 * epoch, val_loss=1 / epoch, accuracy=epoch)
        print("val_loss: 77")
        """
    )
    assert curve(outcome) == [(10, 1.0), (20, 0.5), (30, 1 / 3)]
    assert curve(outcome, "accuracy") == [(10, 1.0), (20, 2.0), (30, 3.0)]


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (Reader(kind="json"), """print('{"step": 1, "val_loss": 0.5}')"""),
        (pattern(r"loss on validation (?P<val_loss>\S+)"), """print("loss on validation 0.5")"""),
        (Reader(kind="last"), """import sys; print(0.5); print("a warning", file=sys.stderr)"""),
        (Reader(kind="report"), """import surefoot; surefoot.report(val_loss=0.5)"""),
    ],
)
def test_metrics_come_back_in_the_way_that_is_asked_for(bench, reader, text):
    bench.write(text)
    assert curve(bench.run(bench.program(readers=(reader,)))) == [(1, 0.5)]


def test_the_environment_says_what_a_script_may_want_to_know(bench):
    bench.write("import os, json; print(json.dumps({**os.environ, 'cwd': os.getcwd(), 'val_loss': 1}))")
    bench.run(bench.program(environment={"MINE": "yes", "OMP_NUM_THREADS": "7"}), {"lr": 0.1}, seed=5)
    told = json.loads(bench.output())
    folder = str(bench.run_folder)
    expected = {
        "SUREFOOT_METRICS": f"{folder}/metrics.jsonl",
        "SUREFOOT_RUN_FOLDER": folder,
        "SUREFOOT_CONFIG": f"{folder}/config.json",
        "SUREFOOT_SEED": "5",
        "SUREFOOT_DEVICE": "cpu",
        "SUREFOOT_THREADS": "1",
        "SUREFOOT_RESUME": "0",
        "PYTHONUNBUFFERED": "1",
        "MKL_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "7",
        "MINE": "yes",
        "cwd": str(bench.folder),
    }
    assert {name: told[name] for name in expected} == expected


def test_a_config_may_come_by_environment_or_file(bench):
    bench.write("import os; print('val_loss:', os.environ['LR'], os.environ['SEED'])")
    assert curve(bench.run(bench.program(passing="env"), {"lr": 0.5})) == [(1, 0.5)]
    bench.write("import json, sys; print('val_loss:', json.load(open(sys.argv[1].partition('=')[2]))['lr'])")
    assert curve(bench.run(bench.program(passing="json"), {"lr": 0.5})) == [(1, 0.5)]


# A shell would make something of each of these.
AWKWARD = [
    "; touch PWNED",
    "$(touch PWNED)",
    "`touch PWNED`",
    "&& touch PWNED",
    "-rf",
    "--help",
    "two words",
    "a\nb",
    "'",
    '"',
    "*",
    "~",
    "$HOME",
    "",
    "ü 漢 🦶",
    "\\",
    "{lr}",
    "${args}",
]


def test_no_shell_ever_sees_a_name_or_a_value(bench):
    config = {f"p{i}": value for i, value in enumerate(AWKWARD)} | {name: 1 for name in AWKWARD[:3]}
    bench.write("import sys, json; json.dump(sys.argv[1:], open('seen.json', 'w')); print('val_loss: 1')")
    for command in [(PYTHON, "train.py"), (PYTHON, "train.py", "{args}"), ("${env}", PYTHON, "train.py", "${args}")]:
        assert bench.run(bench.program(*command), config).status is Status.COMPLETE
        seen = json.loads((bench.folder / "seen.json").read_text())
        assert seen == [f"--{name}={value}" for name, value in {**config, "seed": 3}.items()]
    assert not (bench.folder / "PWNED").exists()


def test_python_is_ours_where_the_path_has_none(bench, monkeypatch):
    monkeypatch.setenv("PATH", str(bench.folder))
    bench.write("import sys; print('val_loss: 1', sys.executable)")
    with WorkerPool(1) as bench.pool:
        outcome = bench.run(bench.program("python3", "train.py"))
    assert (outcome.status, os.path.dirname(bench.output().split()[-1])) == (
        Status.COMPLETE,
        os.path.dirname(sys.executable),
    )


# --- pruning and going on --------------------------------------------------------------------------------------------

SLOW = """
    import os, signal, sys, time
    def stop(number, frame):
        print("told to stop")
        sys.exit(0)
    signal.signal(signal.SIGTERM, stop)
    for step in range(1, 1000):
        print(f"step {step}: val_loss={1 / step}")
        time.sleep(0.01)
"""


def test_a_judged_script_is_pruned_where_it_was_judged_however_far_it_is(bench):
    for _ in range(3):
        outcome = bench.run(SLOW, is_judged=True, on_measurement=lambda _, m: "too slow" if m.step == 3 else None)
        assert (outcome.status, outcome.reason) == (Status.PRUNED, "too slow")
        assert [step for step, _ in curve(outcome)] == [1, 2, 3]
        assert bench.output().splitlines()[-1] == "told to stop"


def test_a_script_is_ended_between_two_measurements(bench):
    outcome = bench.run(
        "import time; print('val_loss: 1'); time.sleep(600)",
        on_measurement=lambda *_: "enough",
    )
    assert (outcome.status, outcome.reason) == (Status.PRUNED, "enough")


def test_a_script_that_ignores_the_signal_is_killed_after_the_grace(bench):
    bench.write("import signal, time; signal.signal(15, signal.SIG_IGN); print('val_loss: 1')\nwhile 1: time.sleep(1)")
    outcome = bench.run(bench.program(grace_seconds=0.2), on_measurement=lambda *_: "enough")
    assert outcome.status is Status.PRUNED
    assert outcome.provenance.wall_seconds >= 0.2


def test_an_interrupt_ends_the_script_and_lets_it_say_its_last_words(bench):
    with WorkerPool(1) as bench.pool:
        outcome = bench.run(SLOW, on_measurement=lambda _, m: bench.pool.interrupt() if m.step == 2 else None)
    assert outcome.status is Status.INTERRUPTED
    assert outcome.reason.startswith("stopped after step ")
    assert bench.output().splitlines()[-1] == "told to stop"


RESUMING = """
    import json, os, pathlib, signal, sys, time
    state = pathlib.Path(os.environ["SUREFOOT_RUN_FOLDER"]) / "state.json"
    begin = json.loads(state.read_text()) if os.environ["SUREFOOT_RESUME"] == "1" else 0
    for step in range(begin + 1, 7):
        state.write_text(json.dumps(step))
        print(f"{'step ' + str(step) + ': ' if len(sys.argv) < 3 else ''}val_loss={1 / step}")
        time.sleep(0.05)
"""


@pytest.mark.parametrize("words", [(), ("counts not",)])
def test_a_pruned_script_goes_on_from_its_own_checkpoint(bench, words):
    bench.write(RESUMING)
    program = bench.program(PYTHON, "train.py", *words, resumes=True)
    judge = {"is_judged": True, "on_measurement": lambda _, m: "paused" if m.step == 2 else None}
    paused = bench.run(program, folder="same", **judge)
    state = json.loads((bench.run_folder / "state.json").read_text())
    resumed = bench.run(program, folder="same", resume=True)
    assert (paused.status, resumed.status) == (Status.PRUNED, Status.COMPLETE)
    steps = [step for step, _ in curve(paused) + curve(resumed)]
    assert steps == sorted(set(steps))
    assert steps[:2] == [1, 2]
    assert len(steps) == 6 - (state - 2), "only what was printed before it ended and not read is missing"
    assert bench.output().count("val_loss=1.0\n") == 1


def test_a_program_that_resumes_is_a_workload_that_does(bench):
    assert find_workload(bench.program(resumes=True)).resumes
    assert not find_workload(bench.program()).resumes


# --- what a program is known by --------------------------------------------------------------------------------------


def test_a_program_travels_to_a_worker_and_has_any_config(bench):
    program = bench.program(readers=(Reader(kind="json"),), environment={"A": "b"})
    assert pickle.loads(pickle.dumps(program)) == program
    workload = find_workload(program)
    assert (workload.defaults(), workload.complete({"a.b": 1})) == ({}, {"a.b": 1})
    assert workload.data_fingerprint(None) == "none"


def test_the_code_fingerprint_follows_the_files_that_the_command_names(bench):
    bench.write("1", "train.py"), bench.write("a: 1", "base.yaml"), bench.write("x", "other.py")
    (bench.folder / "package").mkdir()
    bench.write("1", "package/train.py")
    script = bench.program(PYTHON, "train.py", "--config=base.yaml", "--lr", "{lr}")
    module = bench.program(PYTHON, "-u", "-m", "package.train")
    before = code_fingerprint(script), code_fingerprint(module)
    bench.write("2", "other.py")
    assert (code_fingerprint(script), code_fingerprint(module)) == before
    bench.write("a: 2", "base.yaml"), bench.write("22", "package/train.py")
    after = code_fingerprint(script), code_fingerprint(module)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_a_script_that_was_changed_since_the_plan_is_not_run_under_its_old_name(bench):
    bench.write("print('val_loss: 1')")
    program = bench.program()
    planned = code_fingerprint(program)
    assert bench.run(program, code_fingerprint=planned).status is Status.COMPLETE
    bench.write("print('val_loss: 2')")
    outcome = bench.run(program, code_fingerprint=planned)
    assert outcome.status is Status.FAILED
    assert "the code must be what the run was planned with" in outcome.reason


def test_where_a_program_lies_and_how_long_it_is_waited_for_is_no_part_of_what_it_is(bench):
    metrics = bench.program().metrics
    elsewhere = Program(command=(PYTHON, "train.py"), metrics=metrics, folder="/elsewhere", grace_seconds=1.0)
    assert elsewhere.identity == bench.program().identity


# --- what can be known before anything runs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ((PYTHON, "trian.py"), r'runs trian.py, which is not there \(looked in .*\). Did you mean "train.py"'),
        (("${env}", PYTHON, "-u", "trian.py"), "runs trian.py, which is not there"),
        ((PYTHON, "-m", "no_such_module_here.train"), "the module no_such_module_here.train, which is neither in"),
        (("no-such-program", "x"), 'cannot start "no-such-program": no program of that name is on the PATH'),
        (("train.py",), "it lies in the command's folder: write ./train.py"),
        (("./no.sh",), 'cannot start "./no.sh": there is no such file in'),
        (("${args}",), "must name what to run"),
        ((), "must have a command or a function; got none"),
        ((PYTHON, "train.py", "{lrr}"), "which is no setting of this sweep"),
    ],
)
def test_a_script_that_is_not_there_is_named_before_anything_runs(bench, command, says):
    bench.write("")
    program = Program(command=command, metrics=bench.program().metrics, folder=str(bench.folder))
    with pytest.raises(WorkloadError, match=says) as caught:
        check_program(program, ("lr",))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "command",
    [
        (PYTHON, "train.py", "--data", "not_yet.csv"),
        ("${env}", PYTHON, "-W", "ignore", "${program}", "${args}"),
        (PYTHON, "-m", "package.train"),
        (PYTHON, "-m", "json.tool"),
        (PYTHON, "-c", "print(1)"),
        ("bash", "-e", "run.sh"),
        ("./run.sh",),
    ],
)
def test_a_script_that_is_there_passes(bench, command):
    (bench.folder / "package").mkdir()
    for name in ("train.py", "run.sh", "package/train.py"):
        bench.write("", name)
    check_program(bench.program(*command, program="train.py"), ("lr",))
    assert find_workload(bench.program(*command, program="train.py")).missing_data(None) == ""


def test_a_workload_says_what_is_missing(bench):
    assert "which is not there" in find_workload(bench.program()).missing_data(None)
