"""Runs on a Ray cluster: nodes die and go bad, coordinators are killed, and no run is lost or made up."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from surefoot.errors import ClusterError, MissingExtraError
from surefoot.execution import Task, shipping
from surefoot.execution.ray_engine import RayEngine
from surefoot.program import Program, Reader
from surefoot.run import Metric, Status

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason='Ray is not installed: pip install "surefoot[ray]"'
    ),
    # Ray leaves sockets and started processes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray", "ignore::DeprecationWarning:ray"),
]

HERE = Path(__file__).parent
LOSS = Metric(name="loss", goal="minimize")

# Prints a loss a step, and tells where it ran. What it waits for or breaks at is given as settings.
SCRIPT = """
import json, os, pathlib, subprocess, sys, time
import beside
settings = dict(word.split("=", 1) for word in sys.argv[1:])
folder = pathlib.Path(os.environ["SUREFOOT_RUN_FOLDER"])
node = os.environ.get("NODE", "")
(folder / "node.txt").write_text(node)
(folder / "gpus.txt").write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
if node and node in settings.get("bad", "").split(","):
    sys.exit("the disk of this node is gone")
if "child" in settings:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", settings["child"]], start_new_session=True)
for step in range(1, int(settings["steps"]) + 1):
    time.sleep(float(settings.get("pause", 0)))
    print(json.dumps({"step": step, "loss": beside.LOSS / step}), flush=True)
    if "gate" in settings and step == 2:
        pathlib.Path(settings["gate"] + "." + node).touch()
        while not os.path.exists(settings["gate"]):
            time.sleep(0.05)
(folder / "weights.bin").write_bytes(settings["steps"].encode() * int(settings.get("bytes", 0)))
"""

# A workload in a module that only the coordinator's folder has; it can go on from where it was closed.
MODULE = """
import dataclasses
from surefoot.run import Measurement, Metric
from surefoot.space import SearchSpace
from surefoot.workload import Workload

@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 4

def train(config, context):
    kept = context.artifacts / "resume.pt"
    step = int(kept.read_text()) if context.resume else 0
    try:
        while step < config.steps:
            step += 1
            yield Measurement(step=step, values={"loss": 1 / step})
    finally:
        kept.write_text(str(step))
    (context.artifacts / "last.pt").write_text(__file__)
    return {"steps": step}

def evaluate(config, context, checkpoint, split):
    return {"loss": float(len((context.artifacts / f"{checkpoint}.pt").read_text()))}

WL = Workload(name="afar", summary="", config=Config, metrics=(Metric(name="loss", goal="minimize"),),
              space=SearchSpace(parameters=()), train=train, evaluate=evaluate, resumes=True)
"""

COORDINATOR = """
import sys
sys.path.insert(0, {tests!r})
from surefoot.execution import ray_cluster
from test_ray_engine import *
ray_cluster.HEAD_SECONDS = 1.0
with RayEngine({address!r}, on_notice=lambda text: print("notice", text, flush=True)) as engine:
    tasks = [task(Path({home!r}), number, {settings!r}) for number in range({runs})]
    for outcome in engine.run(tasks, on_measurement=lambda task, m: print("measured", task.key, flush=True)):
        print("ended", outcome.task.key, outcome.status, flush=True)
"""


@pytest.fixture(scope="module")
def cluster():
    from ray_cluster import LocalCluster

    cluster = LocalCluster()
    try:
        cluster.add("one")
        cluster.add("two", gpus=2)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def engine(cluster):
    with RayEngine(cluster.address) as engine:
        yield engine


def task(home, number=0, settings=None, **more):
    """A run of the script; `home` is where its folder lies when it is at home."""
    code = home / "code"
    if not code.exists():
        code.mkdir(parents=True)
        (code / "train.py").write_text(SCRIPT)
        (code / "beside.py").write_text("LOSS = 6.0")
    settings = {"steps": 3, **(settings or {})}
    program = Program(
        command=("python", "train.py", *(f"{name}={{{name}}}" for name in settings)),
        passing="placeholders",
        metrics=(LOSS,),
        readers=(Reader(kind="json"),),
        folder=str(code),
        grace_seconds=1.0,
    )
    key = f"run{number}"
    return Task(key=key, workload=program, config=settings, seed=number, artifacts=home / key, **more)


def node_of(outcome):
    return (outcome.task.artifacts / "node.txt").read_text()


def steps_of(outcome):
    return [m.step for m in outcome.measurements]


class Coordinator:
    """A process that trains so many runs and says what it hears; killed at the end, if it is still there."""

    def __init__(self, cluster, home, *, runs, **settings):
        text = COORDINATOR.format(
            tests=str(HERE), address=cluster.address, home=str(home), settings=settings, runs=runs
        )
        command = [sys.executable, "-W", "ignore", "-c", text]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._heard = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def hear(self, *words):
        """Waits until all of them were said."""
        while not all(word in self._heard for word in words):
            line = self.process.stdout.readline()
            assert line, f"it ended after saying only: {self._heard}"
            self._heard += line

    def lines(self):
        """All that it said, once it has ended."""
        self._heard += self.process.communicate(timeout=45)[0]
        return self._heard.splitlines()


# --- good runs -----------------------------------------------------------------------------------------------------


def test_runs_on_two_nodes_measure_there_and_leave_their_files_here(engine, tmp_path):
    bytes_ = 3 * 2**20
    tasks = [task(tmp_path, number, {"steps": 2 + number, "pause": 0.1, "bytes": bytes_}) for number in range(4)]
    begun = []
    outcomes = engine.run(tasks, on_start=lambda task, provenance: begun.append((task.key, provenance.machine)))
    assert [(o.status, o.reason) for o in outcomes] == [(Status.COMPLETE, "")] * 4
    assert [steps_of(o) for o in outcomes] == [list(range(1, 3 + n)) for n in range(4)]
    assert [m.values["loss"] for m in outcomes[1].measurements] == [6.0, 3.0, 2.0]
    assert {node_of(o) for o in outcomes} == {"one", "two"}
    for number, outcome in enumerate(outcomes):
        assert outcome.task == tasks[number]
        assert (outcome.task.artifacts / "weights.bin").read_bytes() == str(2 + number).encode() * bytes_
        assert '"loss": 3.0' in (outcome.task.artifacts / "output.txt").read_text()
        assert ", node " in outcome.provenance.machine
        assert outcome.provenance.machine == dict(begun)[outcome.task.key]
        assert outcome.provenance.threads == 1
        assert outcome.provenance.wall_seconds > 0.1
    assert len({o.provenance.machine for o in outcomes}) == 2


def test_a_module_of_ours_trains_there_pauses_and_goes_on_elsewhere(engine, tmp_path, monkeypatch):
    code, artifacts = tmp_path / "code", tmp_path / "run"
    code.mkdir()
    (code / "afar_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(code)
    asked = {"key": "run", "workload": "afar_module:WL", "config": {"steps": 4}, "seed": 0, "artifacts": artifacts}
    (paused,) = engine.run(
        [Task(**asked, is_judged=True)], on_measurement=lambda task, m: "paused" if m.step == 2 else None
    )
    assert (paused.status, paused.reason, steps_of(paused)) == (Status.PRUNED, "paused", [1, 2])
    assert (artifacts / "resume.pt").read_text() == "2"
    (ended,) = engine.run([Task(**asked, resume=True)])
    assert (ended.status, ended.facts, steps_of(ended)) == (Status.COMPLETE, {"steps": 4}, [3, 4])
    trained_in = (artifacts / "last.pt").read_text()
    assert not trained_in.startswith(str(tmp_path))
    (measured,) = engine.run(
        [Task(**asked, kind="evaluate", checkpoint="last", checkpoint_hash=ended.checkpoints["last"])]
    )
    assert measured.values == {"loss": float(len(trained_in))}
    assert (artifacts / "last.pt").read_text() == trained_in
    engine.close()
    assert not Path(trained_in).parent.parent.exists()


def test_a_judged_run_ends_at_the_measurement_that_decided(engine, tmp_path):
    tasks = [task(tmp_path, number, {"steps": 50, "pause": 0.02}, is_judged=True) for number in range(2)]
    outcomes = engine.run(tasks, on_measurement=lambda task, m: "hopeless" if m.step == 3 + task.seed else None)
    assert [(o.status, o.reason) for o in outcomes] == [(Status.PRUNED, "hopeless")] * 2
    assert [steps_of(o) for o in outcomes] == [[1, 2, 3], [1, 2, 3, 4]]


def test_a_run_that_is_not_judged_is_told_soon(engine, tmp_path):
    (outcome,) = engine.run(
        [task(tmp_path, 0, {"steps": 400, "pause": 0.05})],
        on_measurement=lambda task, m: "hopeless" if m.step == 3 else None,
    )
    assert (outcome.status, outcome.reason) == (Status.PRUNED, "hopeless")
    assert len(outcome.measurements) < 100


def test_a_run_sees_the_gpu_it_was_given_and_no_other(cluster, tmp_path):
    with RayEngine(cluster.address, gpus_per_run=1) as engine:
        (outcome,) = engine.run([task(tmp_path)])
    assert node_of(outcome) == "two"
    assert (outcome.task.artifacts / "gpus.txt").read_text() in ("0", "1")


def test_tasks_are_asked_for_again_where_there_is_none_just_now(engine, tmp_path):
    def tasks():
        yield task(tmp_path, 0)
        while not ended:
            yield None
        yield task(tmp_path, 1)

    ended = []
    outcomes = engine.run(tasks(), on_end=ended.append)
    assert [o.task.key for o in outcomes] == ["run0", "run1"]


def test_what_a_callback_raises_ends_the_runs_and_is_raised(engine, tmp_path):
    def refuse(task, measurement):
        raise ZeroDivisionError("ours")

    mark = str(tmp_path / "mark")
    with pytest.raises(ZeroDivisionError, match="ours"):
        engine.run([task(tmp_path, 0, {"steps": 600, "pause": 0.1, "mark": mark})], on_measurement=refuse)
    from ray_cluster import those_with, wait_until

    wait_until(lambda: not those_with(f"mark={mark}"))
    (outcome,) = engine.run([task(tmp_path, 1)])
    assert outcome.status is Status.COMPLETE


# --- what goes wrong on a node ---------------------------------------------------------------------------------------


def test_a_node_that_dies_ends_its_run_as_lost_and_the_run_is_tried_elsewhere(cluster, tmp_path, capfd):
    gate = tmp_path / "gate"
    cluster.add("dying")

    def look(task, measurement):
        if "dying" in cluster.names() and all(gate.with_name(f"gate.{name}").exists() for name in cluster.names()):
            cluster.kill("dying")

    def end(outcome):
        ended.append(outcome)
        gate.touch()

    notices, ended = [], []
    with RayEngine(cluster.address, on_notice=notices.append) as engine:
        tasks = [task(tmp_path, number, {"steps": 4, "gate": str(gate)}) for number in range(3)]
        outcomes = engine.run(tasks, on_measurement=look, on_end=end)
    assert [o.status for o in outcomes] == [Status.COMPLETE] * 3
    lost, *rest = ended
    assert [steps_of(o) for o in rest] == [[1, 2, 3, 4]] * 3
    assert (lost.status, lost.is_worker_lost) == (Status.FAILED, True)
    assert not any(o.is_worker_lost for o in rest)
    assert lost.reason.endswith("after step 2")
    assert "was lost" in lost.reason or "died" in lost.reason
    assert len(ended) == 4
    assert node_of(outcomes[lost.task.seed]) in ("one", "two")
    assert capfd.readouterr().out == ""


def test_a_bad_node_is_left_out_and_its_runs_are_tried_elsewhere(cluster, tmp_path):
    notices, ended = [], []
    with RayEngine(cluster.address, on_notice=notices.append) as engine:
        # A run takes its time on the good node, so that the bad one fails three before the last has begun elsewhere.
        tasks = [task(tmp_path, number, {"bad": "two", "steps": 2, "pause": 0.2}) for number in range(9)]
        outcomes = engine.run(tasks, on_end=ended.append)
    assert [o.status for o in outcomes] == [Status.COMPLETE] * 9
    assert {node_of(o) for o in outcomes} == {"one"}
    doubted = [o for o in ended if o.is_worker_lost]
    assert len(doubted) == 3
    assert all("the disk of this node is gone (on node " in o.reason for o in doubted)
    (notice,) = [notice for notice in notices if not notice.endswith("is gone")]
    assert "is left out: 3 runs in a row failed there" in notice


def test_a_node_without_surefoot_is_left_out(cluster, tmp_path):
    (tmp_path / "surefoot").mkdir()
    (tmp_path / "surefoot" / "__init__.py").write_text("")
    cluster.add("hollow", PYTHONPATH=str(tmp_path))
    notices = []
    with RayEngine(cluster.address, on_notice=notices.append, most_failures=1) as engine:
        outcomes = engine.run([task(tmp_path, number, {"steps": 4, "pause": 0.3}) for number in range(4)])
    cluster.kill("hollow")
    assert [o.status for o in outcomes] == [Status.COMPLETE] * 4
    assert any("no worker could be started there: ModuleNotFoundError" in notice for notice in notices)


def test_a_run_that_fails_on_every_node_failed_by_itself(cluster, tmp_path):
    notices, ended = [], []
    with RayEngine(cluster.address, on_notice=notices.append) as engine:
        outcomes = engine.run([task(tmp_path, n, {"bad": "one,two"}) for n in range(4)], on_end=ended.append)
        assert [(o.status, o.is_worker_lost) for o in outcomes] == [(Status.FAILED, False)] * 4
        assert len(ended) == 8
        (good,) = engine.run([task(tmp_path, 9)])
    assert good.status is Status.COMPLETE
    assert not any("left out" in notice for notice in notices)


def test_a_script_that_ends_well_and_tells_nothing_is_not_tried_again(engine, tmp_path):
    ended = []
    (outcome,) = engine.run([task(tmp_path, 0, {"steps": 0})], on_end=ended.append)
    assert outcome.status is Status.FAILED
    assert "printed no loss" in outcome.reason or "told no loss" in outcome.reason
    assert len(ended) == 1


# --- coordinators ----------------------------------------------------------------------------------------------------


def test_nothing_of_a_killed_coordinator_survives_and_the_next_one_goes_on(cluster, tmp_path):
    from ray_cluster import those_with, wait_until

    mark = str(tmp_path / "mark")
    with Coordinator(cluster, tmp_path, runs=2, steps=600, pause=0.1, child=mark) as first:
        first.hear("measured run0", "measured run1")
        wait_until(lambda: len(those_with(f"child={mark}")) == 2 and len(cluster.workers()) >= 2)
        folders = {p.environ()["SUREFOOT_RUN_FOLDER"] for p in those_with(f"child={mark}")}
        assert all(os.path.exists(folder) for folder in folders)
    wait_until(lambda: not those_with(f"child={mark}") and not cluster.workers())
    wait_until(lambda: not any(os.path.exists(folder) for folder in folders))
    with Coordinator(cluster, tmp_path, runs=2, steps=3) as second:
        ended = sorted(line for line in second.lines() if line.startswith("ended"))
    assert ended == ["ended run0 COMPLETE", "ended run1 COMPLETE"]


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_the_runs_and_says_so(cluster, tmp_path, times):
    with Coordinator(cluster, tmp_path, runs=3, steps=600, pause=0.1) as coordinator:
        coordinator.hear("measured")
        for _ in range(times):
            coordinator.process.send_signal(signal.SIGINT)
        ended = [line for line in coordinator.lines() if line.startswith("ended")]
        assert coordinator.process.returncode == 0
    assert ended
    assert all(line.endswith("INTERRUPTED") for line in ended)
    assert len(ended) < 3


# --- the cluster itself ----------------------------------------------------------------------------------------------


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "surefoot\[ray\]"'):
        RayEngine("127.0.0.1:6379")


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "somewhere", "host:port", ":1"])
def test_an_address_must_be_a_host_and_a_port(address):
    with pytest.raises(ClusterError, match="a Ray address must be HOST:PORT"):
        RayEngine(address)


def test_a_run_must_take_something_of_the_cluster():
    with pytest.raises(ClusterError, match="a run must take a CPU or a GPU; got 0 CPU and 0 GPU"):
        RayEngine(cpus_per_run=0)


def test_a_cluster_that_is_not_there_is_named_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"no Ray cluster answers at 127\.0\.0\.1:{port}; start one"):
            RayEngine(f"127.0.0.1:{port}")


def test_something_else_at_the_address_is_known_in_bounded_time():
    text = textwrap.dedent("""
        import socket
        from surefoot.execution import ray_cluster
        from surefoot.execution.ray_engine import RayEngine
        ray_cluster.JOIN_SECONDS = 1.0
        server = socket.create_server(("127.0.0.1", 0))
        RayEngine(f"127.0.0.1:{server.getsockname()[1]}")
    """)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "does not answer after 1 s" in done.stderr


def test_a_run_too_large_for_every_node_is_refused(cluster, tmp_path):
    refusal = pytest.raises(ClusterError, match=r"a run needs 2 CPU and 0\.5 GPU, which no node of the cluster")
    with RayEngine(cluster.address, cpus_per_run=2, gpus_per_run=0.5) as engine, refusal:
        engine.run([task(tmp_path)])


def test_a_folder_too_large_to_send_is_refused(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(shipping, "MOST_CODE_BYTES", 10)
    with pytest.raises(ClusterError, match="put the program in a folder of its own"):
        engine.run([task(tmp_path)])


def test_without_an_address_a_cluster_of_its_own_trains_and_goes(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before = set(psutil.Process().children(recursive=True))
    with RayEngine(workers=1) as engine:
        (outcome,) = engine.run([task(tmp_path)])
    assert outcome.status is Status.COMPLETE
    left = set(psutil.Process().children(recursive=True)) - before
    _, alive = psutil.wait_procs(left, timeout=5)
    assert alive == []


def test_a_head_that_dies_is_told_and_the_coordinator_ends_by_itself(cluster, tmp_path):
    """The last test: it leaves no cluster behind."""
    with Coordinator(cluster, tmp_path, runs=1, steps=600, pause=0.1) as coordinator:
        coordinator.hear("measured")
        cluster.kill_head()
        last = coordinator.lines()[-1]
        assert coordinator.process.returncode == 1
    assert "the head of the Ray cluster at" in last
    assert last.endswith("is gone, and the runs in flight with it; start it again, then run the same command to go on")
