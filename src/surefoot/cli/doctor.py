"""What is installed, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import SurefootError
from surefoot.execution import available_cores
from surefoot.storage import Record
from surefoot.workload import WORKLOADS, check_requirements, find_workload

NEEDED = (
    "numpy",
    "scipy",
    "sqlalchemy",
    "pydantic",
    "ruamel.yaml",
    "jinja2",
    "matplotlib",
    "rich",
    "filelock",
    "psutil",
    "optuna",
    "cmaes",
    "scikit-learn",
    "plotly",
)
EXTRAS: Mapping[str, str] = {
    "torch": "torch",
    "psycopg": "postgresql",
    "ray": "ray",
    "mlflow-skinny": "mlflow",
}
LEAST_FREE_GIB = 1.0


def examine(home: Path, data_root: Path | None, store: str | None = None) -> list[dict[str, Any]]:
    """One entry a check: what, state ("ok", "missing" where it is optional, "broken"), what was found, what to do."""
    return [
        _check("python", "ok", ".".join(map(str, sys.version_info[:3]))),
        _check("cores", "ok", str(available_cores())),
        _check("device", "ok", "cuda" if Path("/dev/nvidiactl").exists() else "cpu"),
        *(_package(name) for name in NEEDED),
        *(_extra(name, extra) for name, extra in EXTRAS.items()),
        _disk(home),
        _record(home, store),
        *(_workload(name, data_root) for name in WORKLOADS),
    ]


def examination_text(checks: Sequence[Mapping[str, Any]]) -> str:
    """The checks as lines for a terminal."""
    width = max(len(c["check"]) for c in checks)
    return "".join(
        f"{c['state']:<8} {c['check']:<{width}}  {c['found']}{'; ' + c['advice'] if c['advice'] else ''}\n"
        for c in checks
    )


def _check(name: str, state: str, found: str, advice: str = "") -> dict[str, Any]:
    return {"check": name, "state": state, "found": found, "advice": advice}


def _package(name: str) -> dict[str, Any]:
    try:
        return _check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return _check(name, "broken", "not installed", "pip install surefoot installs it")


def _extra(name: str, extra: str) -> dict[str, Any]:
    try:
        return _check(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return _check(name, "missing", "not installed (optional)", f'pip install "surefoot[{extra}]"')


def _disk(home: Path) -> dict[str, Any]:
    place = next(p for p in (home.absolute(), *home.absolute().parents) if p.exists())
    if not place.is_dir():
        return _check("home", "broken", f"{home} is no folder", "choose another with --home")
    free = shutil.disk_usage(place).free / 2**30
    if not os.access(place, os.W_OK | os.X_OK):
        return _check("home", "broken", f"{home} cannot be written", "choose another with --home")
    if free < LEAST_FREE_GIB:
        return _check("home", "broken", f"{home}: {free:.1f} GiB free", "free some space; checkpoints need it")
    return _check("home", "ok", f"{home}: {free:.0f} GiB free")


def _record(home: Path, store: str | None) -> dict[str, Any]:
    if store is None and not (home / "record.db").exists():
        return _check("record", "ok", "none yet; `surefoot run PLAN` begins one")
    try:
        with Record.open(store or home, read_only=True) as record:
            names = [study.name for study in record.studies()]
            return _check("record", "ok", f"{len(names)} studies" if len(names) != 1 else f"1 study, {names[0]}")
    except SurefootError as error:
        return _check("record", "broken", str(error))


def _workload(name: str, data_root: Path | None) -> dict[str, Any]:
    workload = find_workload(name)
    try:
        check_requirements(workload)
        missing = workload.missing(data_root)
        if missing:
            return _check(f"workload {name}", "missing", missing)
        return _check(f"workload {name}", "ok", f"ready, data {workload.fingerprint(data_root)[:8]}")
    except SurefootError as error:
        return _check(f"workload {name}", "missing", str(error))
