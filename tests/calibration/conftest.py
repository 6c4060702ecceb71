"""The scripts of benchmarks/, importable from the tests that run them small."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))


@pytest.fixture
def hpo_bench() -> Path:
    return _needed("hpo_bench")


@pytest.fixture
def repeated_runs() -> Path:
    return _needed("repeated_runs")


def _needed(folder: str) -> Path:
    from simulation import data_root

    found = data_root() / folder
    if not found.is_dir():
        pytest.skip(f"needs {folder} under the data root; set SUREFOOT_DATA to the folder that holds it")
    return found
