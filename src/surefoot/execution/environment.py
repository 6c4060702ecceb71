"""The environment a study is trained in: Python, packages, machine, device, threads and the working folder's commit."""

from __future__ import annotations

import functools
import os
import platform
from importlib import metadata

from surefoot.execution.machine import available_cores, machine_name
from surefoot.execution.provenance import git_state, versions


def environment(device: str, threads: int) -> dict[str, str]:
    """What is known of it, in words, by name. `packages` lists every installed one as name==version."""
    commit, is_dirty = git_state(os.getcwd())
    states = {None: "unknown", True: "with uncommitted changes", False: "clean"}
    known = versions()
    return {
        "python": known["python"],
        **{name: version for name, version in known.items() if name != "python"},
        "platform": platform.platform(),
        "machine": machine_name(),
        "cores": str(available_cores()),
        "device": device,
        "threads": str(threads),
        "git commit": commit or "none",
        "git state": states[is_dirty] if commit else "not in a git checkout",
        "packages": ", ".join(packages()),
    }


@functools.cache
def packages() -> tuple[str, ...]:
    """Every installed package as name==version, in order, each once."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a folder that a broken installation left has none
            found.setdefault(name.lower().replace("_", "-"), f"{name}=={distribution.version}")
    return tuple(found[name] for name in sorted(found))
