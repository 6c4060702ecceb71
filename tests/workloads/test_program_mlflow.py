"""What a script logs to MLflow comes back as it does from any other: from a server, a database or files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from program_cases import Bench, curve

pytest.importorskip("mlflow", reason="mlflow is not installed")

from surefoot.execution import WorkerPool
from surefoot.program import Reader
from surefoot.run import Status

SCRIPT = """
    import mlflow
    mlflow.set_experiment("surefoot")
    with mlflow.start_run():
        for step in range(1, 4):
            mlflow.log_metric("eval/loss", 1 / step, step=step)
            mlflow.log_metric("other", 1.0, step=step)
"""
NAMES = {"eval/loss": "val_loss"}
LOSSES = [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]


@pytest.fixture(scope="module")
def pool():
    with WorkerPool(1) as pool:
        yield pool


@pytest.fixture
def bench(tmp_path, pool):
    bench = Bench(tmp_path, pool)
    bench.write(SCRIPT)
    return bench


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a real MLflow server, and the address of the database behind it."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    database = f"sqlite:///{folder}/mlflow.db"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield address, database
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("place", [0, 1], ids=["server", "database"])
def test_what_is_logged_to_a_store_comes_back(bench, server, place):
    reader = Reader(kind="mlflow", tracking_uri=server[place], names=NAMES)
    outcome = bench.run(bench.program(readers=(reader,)))
    assert (outcome.status, outcome.reason) == (Status.COMPLETE, "")
    assert curve(outcome) == LOSSES


def test_a_run_may_have_a_store_of_its_own(bench):
    outcome = bench.run(bench.program(readers=(Reader(kind="mlflow", names=NAMES),)))
    assert (outcome.status, outcome.reason, curve(outcome)) == (Status.COMPLETE, "", LOSSES)
    assert (bench.run_folder / "mlflow").is_dir()


def test_what_is_logged_is_seen_while_the_script_runs(bench):
    bench.write(SCRIPT + "        import time; time.sleep(600)\n")
    program = bench.program(readers=(Reader(kind="mlflow", names=NAMES),), grace_seconds=1.0)
    outcome = bench.run(program, is_judged=True, on_measurement=lambda _, m: "worst" if m.step == 2 else None)
    assert (outcome.status, outcome.reason, curve(outcome)) == (Status.PRUNED, "worst", LOSSES[:2])


def test_a_metric_that_was_never_logged_is_missed(bench):
    outcome = bench.run(bench.program(readers=(Reader(kind="mlflow"),)))
    assert outcome.status is Status.FAILED
    assert outcome.reason.startswith("logged no val_loss: the MLflow run ")


def test_a_store_that_is_not_there_is_said_without_its_password(bench):
    reader = Reader(kind="mlflow", tracking_uri="nonsense://me:secret@nowhere/x")
    outcome = bench.run(bench.program(readers=(reader,)))
    assert outcome.status is Status.FAILED
    assert "no MLflow run could be made at nonsense://…@nowhere/x: " in outcome.reason
    assert "secret" not in outcome.reason
