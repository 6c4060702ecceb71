"""Where the real data are, and a run's context."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cifar10_records import cifar10_records

from surefoot.workload import RunContext
from surefoot.workloads import cifar10_files, datasets

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr(datasets, "DOWNLOADS", ("https://localhost:9/",))
    monkeypatch.setattr(cifar10_files, "DOWNLOAD", "https://localhost:9/cifar-10-binary.tar.gz")


@pytest.fixture(scope="session")
def data_root() -> Path:
    root = Path(os.environ.get("SUREFOOT_DATA") or PROJECT.parent / "shared" / "data")
    if not (root / "fashion_mnist").is_dir():
        pytest.skip(f"no fashion_mnist/ under {root}; set SUREFOOT_DATA to a folder that has it")
    return root


@pytest.fixture(scope="session")
def cifar10_root(tmp_path_factory) -> Path:
    """A data root with files of CIFAR-10's format: 200 images to train on, 50 to choose on, 40 for test."""
    root = tmp_path_factory.mktemp("data")
    (root / "cifar10").mkdir()
    for name, per_class in (("data_batch_1.bin", 15), ("data_batch_4.bin", 10), ("test_batch.bin", 4)):
        (root / "cifar10" / name).write_bytes(cifar10_records(per_class, seed=per_class))
    return root


@pytest.fixture
def make_context(tmp_path):
    """A run's context with an artifact folder of its own."""

    def make(seed: int = 0, **others) -> RunContext:
        folder = tmp_path / f"run-{len(list(tmp_path.glob('run-*')))}"
        folder.mkdir()
        return RunContext(seed=seed, artifacts=folder, **others)

    return make
