"""A Ray cluster: reached in bounded time, its nodes, and workers on them. The only room that knows Ray."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.errors import ClusterError, MissingExtraError, quoted
from surefoot.execution.machine import available_cores
from surefoot.execution.remote_worker import RemoteWorker

CONNECT_SECONDS = 5.0
JOIN_SECONDS = 40.0  # Ray itself would try for minutes, and then end this whole process
HEAD_SECONDS = 20.0  # and after 60 s without a head it ends it too
CLOSING_SECONDS = 5.0
AUTH_MODE = "RAY_AUTH_MODE"
OBJECT_STORE_BYTES = 200 * 2**20
CALLS_AT_ONCE = 8
MOST_PER_NODE = 1024


class WorkerGone(Exception):
    """The worker's process is gone, or its node; the text says how Ray tells it."""


class WorkerKilledForMemory(WorkerGone):
    """Ray killed the worker because its node ran out of memory."""


class WorkerFault(Exception):
    """What was asked of a worker raised; the text is that exception's, in one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A machine of the cluster; `room` is how many runs it can take at a time, from its resources alone."""

    id: str
    name: str
    room: int


class Cluster:
    """Guards this process's connection to a Ray cluster, or a cluster of its own on this machine."""

    def __init__(self, address: str | None, *, cpus_per_run: float, gpus_per_run: float, workers: int | None):
        """Connects to HOST:PORT; without an address to what RAY_ADDRESS says, else starts a cluster here.

        Raises MissingExtraError without Ray, ClusterError where the cluster cannot be reached.
        """
        self.cpus_per_run, self.gpus_per_run = cpus_per_run, gpus_per_run
        self._ray = _ray()
        self._auth_mode = os.environ.get(AUTH_MODE)
        self._is_ours = not self._ray.is_initialized()
        address = address or os.environ.get("RAY_ADDRESS") or None
        self.address = "this machine" if address is None else address
        if self._is_ours and address is None:
            cpus = max(available_cores(), math.ceil((workers or 0) * cpus_per_run))
            self._join(address="local", num_cpus=cpus, object_store_memory=OBJECT_STORE_BYTES, include_dashboard=False)
        elif self._is_ours and address is not None:
            _check_there(address)
            self._join(address=address)
        self._head = _host_and_port(self._ray.get_runtime_context().gcs_address)
        self._head_seen_at = time.monotonic()
        self._nodes: dict[str, Node] = {}

    def _join(self, **how: Any) -> None:
        common = {"namespace": f"surefoot-{uuid.uuid4().hex[:12]}", "log_to_driver": False, "runtime_env": None}
        log = {"configure_logging": True, "logging_level": logging.CRITICAL, "ignore_reinit_error": False}

        def join() -> None:
            self._ray.init(**how, **common, **log)

        try:
            # What is started here dies with the thread that started it, so that must be ours.
            join() if how["address"] == "local" else _within(JOIN_SECONDS, join)
        except TimeoutError:
            raise ClusterError(
                f"the Ray cluster at {self.address} does not answer after {JOIN_SECONDS:g} s; "
                f"`ray status --address {self.address}` shows whether it works"
            ) from None
        except Exception as error:
            raise ClusterError(f"cannot join the Ray cluster at {self.address}: {_advice(error)}") from None

    def has_head(self) -> bool:
        """Whether the process that holds the cluster together can be spoken to now."""
        return _is_open(*self._head)

    def nodes(self) -> dict[str, Node]:
        """The living nodes with room for a run, by id; those last known while the head is silent for a moment.

        Raises ClusterError once it is silent for HEAD_SECONDS.
        """
        try:
            # Without a head Ray does not come back from this, and has_head may have seen its last moment.
            listed = _within(CONNECT_SECONDS, self._ray.nodes) if self.has_head() else None
        except TimeoutError:
            listed = None
        if listed is None:
            if time.monotonic() - self._head_seen_at > HEAD_SECONDS:
                raise ClusterError(
                    f"the head of the Ray cluster at {self.address} is gone, and the runs in flight with it; "
                    "start it again, then run the same command to go on"
                )
            return self._nodes
        self._head_seen_at = time.monotonic()
        self._nodes = {
            node["NodeID"]: Node(
                id=node["NodeID"],
                name=f"{node['NodeManagerHostname']} ({node['NodeID'][:6]})",
                room=self._room(node["Resources"]),
            )
            for node in listed
            if node["Alive"]
        }
        return self._nodes

    def _room(self, resources: dict[str, float]) -> int:
        wanted = {"CPU": self.cpus_per_run, "GPU": self.gpus_per_run}
        return min(
            [MOST_PER_NODE, *(int(resources.get(k, 0.0) / amount + 1e-9) for k, amount in wanted.items() if amount)]
        )

    def start(self, node: Node, *, threads: int, grace_seconds: float) -> Any:
        """A worker on this node and no other; it may wait there until others leave room. None without a head."""
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        remote = self._ray.remote(RemoteWorker).options(
            num_cpus=self.cpus_per_run,
            num_gpus=self.gpus_per_run,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=CALLS_AT_ONCE,
            lifetime=None,
            runtime_env=None,
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        try:
            return _within(CONNECT_SECONDS, lambda: remote.remote(threads, grace_seconds)) if self.has_head() else None
        except TimeoutError:
            return None

    def put(self, value: Any) -> Any:
        """A reference to the value: it travels once to each node that asks."""
        return self._ray.put(value)

    def ready(self, references: Sequence[Any], seconds: float) -> list[Any]:
        """Those that have an answer, after so many seconds at the latest."""
        if not references:
            time.sleep(seconds)
            return []
        if not self._ray.wait(list(references), num_returns=1, timeout=seconds)[0]:
            return []
        found: list[Any] = self._ray.wait(list(references), num_returns=len(references), timeout=0)[0]
        return found

    def answer(self, reference: Any) -> Any:
        """What was answered; raises WorkerGone or WorkerFault."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(reference)
        except errors.RayTaskError as error:
            cause = error.cause
            raise WorkerFault(f"{type(cause).__name__}: {_one_line(cause)}") from None
        except errors.OutOfMemoryError as error:
            raise WorkerKilledForMemory(_last_line(error)) from None
        except errors.RayError as error:
            raise WorkerGone(_last_line(error)) from None

    def kill(self, actor: Any) -> None:
        """Ends a worker's process at once."""
        with contextlib.suppress(Exception):  # whatever Ray says of one that is gone already
            if self.has_head():
                _within(CLOSING_SECONDS, lambda: self._ray.kill(actor, no_restart=True))

    def close(self) -> None:
        """Leaves the cluster; ends it where it is ours."""
        if self._is_ours and self._ray.is_initialized():
            with contextlib.suppress(Exception):
                _within(2 * CLOSING_SECONDS, self._ray.shutdown)
            if self._auth_mode is None:  # Ray sets it for a cluster of its own, and would ask the next one for a token
                os.environ.pop(AUTH_MODE, None)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray = importlib.import_module("ray")
        worker: Any = importlib.import_module("ray._private.worker")
    except ImportError:
        raise MissingExtraError(
            'the engine "ray" needs Ray, which is not installed; pip install "surefoot[ray]"'
        ) from None
    # Ray prints the log of a node that died on our standard output, where a JSON document may be expected.
    worker.print_to_stdstream = lambda *_, **__: None
    return ray


def _check_there(address: str) -> None:
    host, port = _host_and_port(address)
    if not _is_open(host, port):
        raise ClusterError(
            f"no Ray cluster answers at {address}; start one there with `ray start --head --port {port}`, "
            "or give the address that `ray status` shows"
        )


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise ClusterError(f"a Ray address must be HOST:PORT, as 10.0.0.5:6379; got {quoted(address)}")
    return host.strip("[]"), int(port)


def _is_open(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return True
    except OSError:
        return False


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """What the work returns. Raises what it raises, or TimeoutError: then it is left to itself."""
    found: list[Any] = []
    raised: list[Exception] = []

    def do() -> None:
        try:
            found.append(work())
        except Exception as error:
            raised.append(error)
        except SystemExit as error:
            raised.append(RuntimeError(f"it ended with {error.code}"))

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    for error in raised:
        raise error
    if not found:
        raise TimeoutError
    return found[0]


def _advice(error: Exception) -> str:
    """Ray's own words in one line, and what to do where we know."""
    said = _one_line(error)
    if "ersion mismatch" in said:
        python = ".".join(map(str, sys.version_info[:3]))
        return f"{said} (here: Python {python}); the same versions must be installed on every machine"
    if "raylet" in said.lower() or "node_ip_address" in said:
        return (
            f"{said}; this machine must be one of its nodes: `ray start --address HOST:PORT --num-cpus 0` makes it one"
        )
    return said


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__


def _last_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
