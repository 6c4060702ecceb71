"""What this machine is, and what it counts: cores, memory, out-of-memory kills, a process's peak."""

from __future__ import annotations

import functools
import math
import os
import platform
import resource
import sys
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """How many CPU cores this process may really use: its affinity, cut to its container's quota; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for folder in _own_cgroups():
        quota, _, period = _read(folder / "cpu.max").strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(cores, 1)


@functools.cache
def machine_name() -> str:
    """Processor, cores and memory, as 'AMD EPYC 7763, 2 cores, 8 GiB'."""
    models = [line for line in _read(Path("/proc/cpuinfo")).splitlines() if line.startswith("model name")]
    model = models[0].partition(":")[2].strip() if models else platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {available_cores()} cores, {memory:.0f} GiB"


def out_of_memory_kills() -> int:
    """How many processes the kernel killed for memory so far, here or in our own container."""
    counters = [Path("/proc/vmstat")]
    counters += [folder / name for folder in _own_cgroups() for name in ("memory.events", "memory.oom_control")]
    return sum(
        int(line.split()[1])
        for counter in counters
        for line in _read(counter).splitlines()
        if line.startswith("oom_kill ")
    )


def forget_peak_memory() -> None:
    """Begins a new peak, where the system can (Linux); elsewhere the peak is the process's since its start."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory_bytes() -> int:
    """The most memory this process held since `forget_peak_memory`."""
    for line in _read(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_seconds() -> float:
    """CPU seconds of this process, all its threads and the children it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _own_cgroups() -> list[Path]:
    """The folders of this process's control groups, first and second version of the interface."""
    folders = [CGROUPS]
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers in ("", "memory"):
            folders.append(CGROUPS / controllers / group.lstrip("/"))
    return list(dict.fromkeys(folders))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
