"""Where the real data are, and a run's context."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from surefoot.workload import RunContext
from surefoot.workloads import datasets

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr(datasets, "DOWNLOADS", ("https://localhost:9/",))


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("SUREFOOT_DATA") or PROJECT.parent / "shared" / "data")
    if not (root / "fashion_mnist").is_dir():
        pytest.skip(f"no fashion_mnist/ under {root}; set SUREFOOT_DATA to a folder that has it")
    return root


@pytest.fixture
def make_context(tmp_path):
    """A run's context with an artifact folder of its own."""

    def make(seed: int = 0, **others) -> RunContext:
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        folder.mkdir()
        return RunContext(seed=seed, artifacts=folder, **others)

    return make
