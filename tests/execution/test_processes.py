"""A worker may crash, hang, diverge or be killed: each ends as the right status, and the pool goes on."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
import toy

from surefoot.errors import WorkloadError
from surefoot.execution import Task, WorkerPool, available_cores
from surefoot.execution.jobs import Callbacks, Job
from surefoot.execution.processes import _Worker
from surefoot.execution.provenance import provenance_at_start
from surefoot.execution.task import Ending
from surefoot.run import Status

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(HERE)

    def make(name, *, seed=0, folder="run", steps=3, pause_ms=0, **more):
        config = {"steps": steps, "pause_ms": pause_ms}
        artifacts = tmp_path / folder
        return Task(key=folder, workload=f"toy:{name}", config=config, seed=seed, artifacts=artifacts, **more)

    return make


def run_one(pool, task):
    (outcome,) = pool.run([task])
    return outcome


# --- a good run ----------------------------------------------------------------------------------------------------


def test_a_run_gives_its_measurements_facts_and_hashes(pool, task):
    outcome = run_one(pool, task("BEHAVE", seed=4))
    assert (outcome.status, outcome.reason) == (Status.COMPLETE, "")
    assert [(m.step, m.values["loss"]) for m in outcome.measurements] == [(1, 5.0), (2, 4.5), (3, 4 + 1 / 3)]
    assert outcome.facts["steps"] == 3
    assert type(outcome.facts["steps"]) is int
    assert outcome.checkpoints == {
        name: hashlib.sha256(f"{name} of seed 4".encode()).hexdigest() for name in ("best", "last")
    }


def test_provenance_says_where_and_what_it_cost(pool, task):
    provenance = run_one(pool, task("BEHAVE", steps=3, pause_ms=50)).provenance
    assert provenance.data_fingerprint == "toy-data"
    assert provenance.code_fingerprint == toy.BEHAVE.code_fingerprint()
    assert 0.15 <= provenance.wall_seconds < 60
    assert 0 <= provenance.cpu_seconds < 60
    assert provenance.peak_memory_bytes > 2**20
    assert provenance.started_at < provenance.ended_at
    assert provenance.versions["python"].startswith("3.")
    assert "cores" in provenance.machine


def test_peak_memory_is_the_runs_own_and_not_its_predecessors(task, tmp_path, monkeypatch):
    from surefoot.execution import machine

    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can begin a new peak")
    block = bytearray(200 * 2**20)
    del block
    machine.forget_peak_memory()
    before = machine.peak_memory_bytes()
    block = bytearray(100 * 2**20)
    assert 80 * 2**20 < machine.peak_memory_bytes() - before < 150 * 2**20
    del block


def test_what_training_prints_is_in_its_folder_and_not_on_ours(pool, task, tmp_path, capfd):
    run_one(pool, task("BEHAVE"))
    assert (tmp_path / "run/output.txt").read_text().splitlines() == ["a line of training", "a line of a child"]
    assert capfd.readouterr() == ("", "")


def test_a_worker_is_kept_between_runs(pool, task):
    outcomes = pool.run(task("BEHAVE", folder=str(i)) for i in range(3))
    assert len({outcome.facts["pid"] for outcome in outcomes}) == 1


def test_outcomes_come_in_the_order_of_the_tasks(task):
    with WorkerPool(2) as pool:
        tasks = [task("BEHAVE", folder=str(i), seed=i, pause_ms=(40, 0)[i > 0]) for i in range(4)]
        assert [outcome.task.seed for outcome in pool.run(tasks)] == [0, 1, 2, 3]


def test_two_workers_run_at_the_same_time(task):
    with WorkerPool(2) as pool:
        outcomes = pool.run([task("NOTE_TIMES", folder="a"), task("NOTE_TIMES", folder="b")])
    assert [outcome.facts["saw_other"] for outcome in outcomes] == [True, True]


def test_each_worker_has_its_share_of_the_threads(task):
    with WorkerPool(1, threads=3) as pool:
        facts = run_one(pool, task("BEHAVE")).facts
    assert (facts["threads"], facts["OMP_NUM_THREADS"], facts["MKL_NUM_THREADS"]) == (3, "3", "3")
    assert WorkerPool(1).threads == available_cores()
    assert WorkerPool(1000).threads == 1


def test_tasks_are_taken_only_when_a_worker_is_free(task):
    told = []

    def tasks():
        for i in range(3):
            told.append(("taken", i))
            yield task("BEHAVE", folder=str(i), seed=i)

    with WorkerPool(1) as pool:
        pool.run(tasks(), on_end=lambda outcome: told.append(("ended", outcome.task.seed)))
    assert told == [(word, i) for i in range(3) for word in ("taken", "ended")]


def test_callbacks_hear_of_start_measurements_and_end(pool, task):
    heard = []
    pool.run(
        [task("BEHAVE")],
        on_start=lambda task, provenance: heard.append(("start", provenance.threads)),
        on_measurement=lambda task, measurement: heard.append(("measured", measurement.step)),
        on_end=lambda outcome: heard.append(("end", outcome.status)),
    )
    assert heard == [
        ("start", pool.threads),
        *(("measured", step) for step in (1, 2, 3)),
        ("end", Status.COMPLETE),
    ]


def test_a_callback_that_raises_ends_the_runs_and_is_raised(task):
    def refuse(outcome):
        raise OSError("no space")

    with WorkerPool(2) as pool:
        with pytest.raises(OSError, match="no space"):
            pool.run([task("SPIN", folder="a"), task("BEHAVE", folder="b")], on_end=refuse)
        assert run_one(pool, task("BEHAVE")).status is Status.COMPLETE


def test_a_thousand_measurements_arrive_in_order(pool, task):
    outcome = run_one(pool, task("BE_QUICK", steps=1000))
    assert [m.step for m in outcome.measurements] == list(range(1000))


def test_a_pool_without_workers_is_a_mistake():
    with pytest.raises(WorkloadError, match="at least 1; got 0"):
        WorkerPool(0)


# --- evaluation ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_evaluated_again(pool, task):
    trained = run_one(pool, task("BEHAVE"))
    again = task("BEHAVE", kind="evaluate", checkpoint="best", checkpoint_hash=trained.checkpoints["best"])
    outcome = run_one(pool, again)
    assert (outcome.status, outcome.values) == (Status.COMPLETE, {"loss": 0.5, "length": 14.0})


@pytest.mark.parametrize(
    ("damage", "reason"), [(lambda p: p.write_bytes(b""), "damaged"), (lambda p: p.unlink(), "is not; train this run")]
)
def test_a_damaged_or_missing_checkpoint_is_named(pool, task, tmp_path, damage, reason):
    trained = run_one(pool, task("BEHAVE"))
    damage(tmp_path / "run/last.pt")
    outcome = run_one(pool, task("BEHAVE", kind="evaluate", checkpoint_hash=trained.checkpoints["last"]))
    assert outcome.status is Status.FAILED
    assert reason in outcome.reason
    assert "last.pt" in outcome.reason


def test_the_sealed_split_is_refused_until_it_is_opened(pool, task):
    run_one(pool, task("BEHAVE"))
    sealed = run_one(pool, task("BEHAVE", kind="evaluate", split="test"))
    opened = run_one(pool, task("BEHAVE", kind="evaluate", split="test", is_test_open=True))
    assert (sealed.status, opened.status) == (Status.FAILED, Status.COMPLETE)
    assert "sealed" in sealed.reason


def test_a_run_on_other_data_or_code_than_planned_is_refused(pool, task):
    other_data = run_one(pool, task("BEHAVE", data_fingerprint="other"))
    other_code = run_one(pool, task("BEHAVE", code_fingerprint="other"))
    assert (other_data.status, other_code.status) == (Status.FAILED, Status.FAILED)
    assert "the data must be what the run was planned with" in other_data.reason
    assert "the code must be" in other_code.reason


# --- a run that fails by itself ------------------------------------------------------------------------------------


def test_an_exception_is_told_with_its_place_and_kept_whole(pool, task, tmp_path):
    outcome = run_one(pool, task("RAISE_"))
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith("ValueError: bad shape in layer 3 (toy.py:")
    assert outcome.reason.endswith("in raise_)")
    assert [m.step for m in outcome.measurements] == [1]
    assert "raise ValueError" in (tmp_path / "run/error.txt").read_text()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CALL_SYS_EXIT", "SystemExit: 7"),
        ("COMPLAIN_OF_MEMORY", "out of memory (RuntimeError: "),
        ("STUMBLE", "steps; step 2 came after step 2"),
        ("BABBLE", "must yield Measurements; got a dict"),
        ("FORGET", "it ended without loss"),
        ("KEEP_QUIET", "it ended without loss"),
        ("RETURN_NOTHING", "must be a generator"),
        ("RETURN_AN_OBJECT", "model is an object"),
        ("NAMELESS_DATA", "must return text; got nothing"),
        ("NO_SUCH", "must name a surefoot.Workload"),
    ],
)
def test_what_breaks_the_contract_is_failed_and_named(pool, task, name, reason):
    outcome = run_one(pool, task(name))
    assert outcome.status is Status.FAILED
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


def test_memory_that_is_not_there_ends_the_run_alone(pool, task):
    outcomes = pool.run([task("ALLOCATE", folder="a"), task("BEHAVE", folder="b")])
    assert outcomes[0].status is Status.FAILED
    assert outcomes[0].reason.startswith("out of memory (MemoryError")
    assert outcomes[1].status is Status.COMPLETE


def test_a_loss_that_turns_nan_is_infeasible_and_training_stops_there(pool, task, tmp_path):
    outcome = run_one(pool, task("DIVERGE"))
    assert (outcome.status, outcome.reason) == (Status.INFEASIBLE, "loss is nan at step 2")
    assert [m.step for m in outcome.measurements] == [1, 2]
    assert (tmp_path / "run/closed").exists()


def test_an_infinite_loss_is_infeasible(pool, task):
    outcome = run_one(pool, task("EXPLODE"))
    assert (outcome.status, outcome.reason) == (Status.INFEASIBLE, "loss is inf at step 1")


@pytest.mark.parametrize("kind", toy.ODD_VALUES)
def test_a_value_becomes_a_float_or_is_refused(pool, task, kind):
    is_number = kind in ("numpy float", "zero-dimensional array", "whole number")
    outcome = run_one(pool, task("REPORT_ODD_VALUE", seed=list(toy.ODD_VALUES).index(kind)))
    assert outcome.status is (Status.COMPLETE if is_number else Status.FAILED)
    if is_number:
        assert type(outcome.measurements[0].values["loss"]) is float
    else:
        assert "loss is" in outcome.reason


def test_facts_are_plain_and_finite(pool, task):
    facts = run_one(pool, task("RETURN_ODD_FACTS")).facts
    assert facts == {"nan": "nan", "array": 2.5, "nested": {"tuple": [1, 2]}}


def test_what_no_record_can_hold_is_spelled_out(pool, task):
    outcome = run_one(pool, task("SPEAK_BADLY"))
    assert outcome.status is Status.COMPLETE
    assert outcome.measurements[0].values == {"loss": 1.0, r"bad \udcff\x00": 2.0}
    assert outcome.facts == {"stop_reason": r"a\udcffb\x00c", r"key \udcff": [r"\x00", {r"\udcff": 1}]}
    assert run_one(pool, task("RAISE_BADLY")).reason.startswith(r"RuntimeError: bö\x00\udcff (toy.py:")


def test_an_enumeration_in_the_facts_is_plain_text(pool, task):
    (schedule,) = run_one(pool, task("RETURN_AN_ENUMERATION")).facts.values()
    assert (type(schedule), schedule) == (str, "cosine")


# --- a training that forks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["EXITS", "RETURNS", "RAISES", "YIELDS", "OUTLIVES"])
def test_a_forked_child_has_no_say_in_any_run(task, tmp_path, ends):
    names = [f"FORK_{ends}", "SAY_ITS_SEED"] * 3
    with WorkerPool(1) as pool:
        outcomes = pool.run(task(name, seed=seed, folder=str(seed)) for seed, name in enumerate(names))
    assert [outcome.status for outcome in outcomes] == [Status.COMPLETE] * 6
    for seed, outcome in enumerate(outcomes):
        assert [m.values["loss"] for m in outcome.measurements] == [100.0 * seed + step for step in (1, 2, 3)]
        assert outcome.facts == {"seed": seed}
        assert not (tmp_path / f"{seed}/error.txt").exists()
    if ends != "OUTLIVES":
        assert (tmp_path / "0/child.txt").read_text() == ("1" if ends == "RAISES" else "0")


@pytest.fixture
def worker_in_our_hands(task):
    """A worker at its second task, whose socket's other end is ours to speak on."""
    worker = _Worker(1)
    worker.end()
    worker.connection, theirs = Pipe()
    provenance = provenance_at_start(task("BEHAVE"), 1)
    for number in range(2):
        worker.begin(Job(number=number, task=task("BEHAVE"), attempt=1, provenance=provenance))
    yield worker, theirs, Ending(status=Status.COMPLETE, provenance=provenance)
    theirs.close()
    worker.connection.close()


SILENT = Callbacks(start=None, measurement=None, end=None)


def test_what_is_said_of_another_task_is_not_heard(worker_in_our_hands):
    worker, theirs, ending = worker_in_our_hands
    theirs.send((1, "measured", [toy.measured(1)]))
    theirs.send((1, "ended", ending))
    assert worker.listen(SILENT) is None
    assert worker.job.measurements == []


def test_complete_without_every_metric_is_failed(worker_in_our_hands):
    worker, theirs, ending = worker_in_our_hands
    for message in (("begun", ["loss", "accuracy"]), ("measured", [toy.measured(1)]), ("ended", ending)):
        theirs.send((2, *message))
    heard = worker.listen(SILENT)
    assert (heard.status, heard.is_worker_sound) == (Status.FAILED, False)
    assert heard.reason == "a complete run must have measured every metric; no value of accuracy came"


# --- a worker that dies --------------------------------------------------------------------------------------------


def test_a_worker_that_exits_is_replaced(pool, task):
    outcomes = pool.run([task("EXIT_WITH_CODE", folder="a"), task("BEHAVE", folder="b")])
    assert outcomes[0].status is Status.FAILED
    assert outcomes[0].reason == "worker exited with code 3 after step 1"
    assert outcomes[1].status is Status.COMPLETE


@pytest.mark.parametrize(("name", "number"), [("KILL_ITSELF", signal.SIGKILL), ("SEGFAULT", signal.SIGSEGV)])
def test_a_run_whose_worker_is_always_killed_is_tried_twice(pool, task, name, number):
    ended, started = [], []
    outcomes = pool.run([task(name)], on_start=lambda *_: started.append(1), on_end=ended.append)
    assert len(started) == len(ended) == 2
    assert outcomes == [ended[1].without_measurements()]
    assert all(outcome.status is Status.FAILED for outcome in ended)
    assert f"worker killed by signal {number.value} (" in outcomes[0].reason


def test_where_a_segfault_happened_is_in_the_output(pool, task, tmp_path):
    run_one(pool, task("SEGFAULT"))
    assert "Segmentation fault" in (tmp_path / "run/output.txt").read_text()
    assert "in segfault" in (tmp_path / "run/output.txt").read_text()


def test_a_second_attempt_starts_clean_and_counts(pool, task):
    ended = []
    pool.run([task("KILL_ITSELF_ONCE")], on_end=ended.append)
    assert [outcome.status for outcome in ended] == [Status.FAILED, Status.COMPLETE]
    assert ended[0].is_worker_lost
    assert ended[1].facts == {"leftovers": False}


def test_a_killed_worker_leaves_the_other_runs_untouched(task):
    def kill_the_first(task_, measurement):
        if task_.key == "a" and measurement.step == 1 and not killed:
            killed.append(json.loads((task_.artifacts / "pids.json").read_text())[0])
            os.kill(killed[0], signal.SIGKILL)

    killed, ended = [], []
    with WorkerPool(2) as pool:
        tasks = [task("HOLD_A_CHILD", folder="a", time_limit_seconds=1.0), task("BEHAVE", folder="b", pause_ms=300)]
        pool.run(tasks, on_measurement=kill_the_first, on_end=ended.append)
    other = next(outcome for outcome in ended if outcome.task.key == "b")
    assert (other.status, len(other.measurements)) == (Status.COMPLETE, 3)
    assert [outcome.reason.partition(" after")[0] for outcome in ended if outcome.task.key == "a"] == [
        "worker killed by signal 9 (Killed)",
        "time limit of 1 s reached",
    ]


def test_a_kill_for_memory_is_told_apart_and_not_repeated(pool, task, monkeypatch):
    # The kernel's own counter is the only thing here that a test cannot move without filling the machine.
    kills = iter(range(100))
    monkeypatch.setattr("surefoot.execution.processes.out_of_memory_kills", lambda: next(kills))
    ended = []
    pool.run([task("KILL_ITSELF")], on_end=ended.append)
    assert [outcome.reason for outcome in ended] == ["worker killed by signal 9, an out-of-memory kill after step 2"]


def test_a_run_that_never_ends_meets_its_time_limit(pool, task):
    outcomes = pool.run([task("SPIN", folder="a", time_limit_seconds=0.5), task("BEHAVE", folder="b")])
    assert outcomes[0].status is Status.FAILED
    assert outcomes[0].reason == "time limit of 0.5 s reached after step 1"
    assert 0.5 <= outcomes[0].provenance.wall_seconds < 30
    assert outcomes[0].provenance.cpu_seconds > 0.1
    assert outcomes[1].status is Status.COMPLETE


def test_a_worker_that_died_between_runs_is_replaced(task):
    with WorkerPool(1) as pool:
        first = run_one(pool, task("BEHAVE")).facts["pid"]
        os.kill(first, signal.SIGKILL)
        assert run_one(pool, task("BEHAVE")).facts["pid"] != first


def test_a_closed_pool_leaves_no_process_behind(task):
    before = set(psutil.Process().children())
    with WorkerPool(2) as pool:
        pool.run([task("NOTE_TIMES", folder="a"), task("NOTE_TIMES", folder="b")])
        workers = set(psutil.Process().children()) - before
    assert len(workers) == 2
    assert not any(worker.is_running() for worker in workers)


# --- Ctrl-C and the end of the coordinator -------------------------------------------------------------------------

COORDINATOR = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from surefoot.execution import Task, WorkerPool
config = {"steps": 3, "pause_ms": 0}
tasks = [Task(key=n, workload=f"toy:{n}", config=config, seed=0, artifacts=Path(sys.argv[2]) / n) for n in sys.argv[3:]]
say = lambda *words: print(*words, flush=True)
with WorkerPool(2, grace_seconds=1.0) as pool:
    outcomes = pool.run(
        tasks,
        on_measurement=lambda task, measurement: say("measured", task.key, measurement.step),
        on_end=lambda outcome: say("ended", outcome.task.key, outcome.status, outcome.reason),
    )
say("interrupted" if pool.is_interrupted else "done", len(outcomes))
"""


@pytest.fixture
def coordinator(tmp_path):
    started = []

    def start(*names):
        command = [sys.executable, "-c", COORDINATOR, str(HERE), str(tmp_path), *names]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        waiting = set(names[:2])
        while waiting:
            words = process.stdout.readline().split()
            waiting.discard(words[1])
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_runs_at_their_next_measurement_or_after_a_grace(coordinator, number):
    process = coordinator("HOLD_A_CHILD", "SPIN", "BEHAVE")
    os.killpg(process.pid, number)
    lines = [line for line in process.stdout.read().splitlines() if not line.startswith("measured")]
    assert process.wait(20) == 0
    assert sorted(line.partition(" after step")[0] for line in lines) == [
        "ended HOLD_A_CHILD INTERRUPTED stopped",
        "ended SPIN INTERRUPTED interrupted",
        "interrupted 2",
    ]


def test_a_second_interrupt_does_not_wait(coordinator):
    process = coordinator("SPIN")
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    lines = process.stdout.read().splitlines()
    assert lines[-2:] == ["ended SPIN INTERRUPTED interrupted after step 1", "interrupted 1"]


def test_workers_and_their_children_go_when_the_coordinator_is_killed(coordinator, tmp_path):
    process = coordinator("HOLD_A_CHILD", "SPIN")
    workers = psutil.Process(process.pid).children()
    assert len(workers) == 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=5)
    for child in json.loads((tmp_path / "HOLD_A_CHILD/pids.json").read_text())[1:]:
        os.kill(child, signal.SIGKILL)  # a plain fork outlives its worker; torch's loaders watch their parent
    assert alive == []


def test_a_worker_told_to_end_stops_at_its_next_measurement(pool, task):
    def tell(task_, measurement):
        if measurement.step == 1:
            os.kill(json.loads((task_.artifacts / "pids.json").read_text())[0], signal.SIGTERM)

    (outcome,) = pool.run([task("HOLD_A_CHILD")], on_measurement=tell)
    os.kill(json.loads((outcome.task.artifacts / "pids.json").read_text())[1], signal.SIGKILL)
    assert outcome.status is Status.INTERRUPTED
