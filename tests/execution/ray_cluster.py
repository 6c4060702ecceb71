"""A Ray cluster of several node processes on this machine, for the tests of the Ray engine."""

import os
import shutil
import signal
import tempfile
import time

import psutil

STORE_BYTES = 100 * 2**20
# So that a dead node is known in a second, not in twenty.
QUICK = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 3}


class LocalCluster:
    """A head that trains nothing and nodes of one core each, every process of which is ended at the end."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        # Sockets lie in it, and their paths must be short.
        self._folder = tempfile.mkdtemp(prefix="sf")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        before = set(psutil.Process().children(recursive=True))
        head = {"num_cpus": 0, "include_dashboard": False, "temp_dir": self._folder, "_system_config": QUICK}
        self._cluster = Cluster(initialize_head=True, head_node_args={**head, "object_store_memory": STORE_BYTES})
        self._nodes = {}
        self._processes = set(psutil.Process().children(recursive=True)) - before

    @property
    def address(self):
        return self._cluster.address

    def add(self, name, *, gpus=0, **environment):
        """Starts a node; a run sees its name as NODE in its environment."""
        before = set(psutil.Process().children(recursive=True))
        self._nodes[name] = self._cluster.add_node(
            num_cpus=1,
            num_gpus=gpus,
            object_store_memory=STORE_BYTES,
            temp_dir=self._folder,
            env_vars={"NODE": name, **environment},
            wait=True,
        )
        self._processes |= set(psutil.Process().children(recursive=True)) - before

    def names(self):
        return sorted(self._nodes)

    def workers(self):
        """The processes of our remote workers on all nodes."""
        found = []
        for node in self._nodes.values():
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            found += [p for p in raylet.children() if any("RemoteWorker" in word for word in p.cmdline())]
        return found

    def kill(self, name):
        """Kills the process that is the node, as a machine that loses its power would."""
        node = self._nodes.pop(name)
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)

    def kill_head(self):
        os.kill(self._cluster.head_node.all_processes["gcs_server"][0].process.pid, signal.SIGKILL)

    def close(self):
        self._processes |= set(psutil.Process().children(recursive=True))
        for process in self._processes:
            try:
                self._processes = self._processes | set(process.children(recursive=True))
            except psutil.Error:
                continue
        for process in self._processes:
            try:
                process.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(self._processes, timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)


def those_with(text):
    """The processes whose environment or command line holds the text."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                any(text in part for part in process.cmdline()) or text in process.environ().values()
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(is_so, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
