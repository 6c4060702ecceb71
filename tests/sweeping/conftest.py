"""One worker for all tests of sweeps."""

import pytest
from sweep_cases import Bench

from surefoot.execution import WorkerPool


@pytest.fixture(scope="session")
def sweep_pool():
    with WorkerPool(1, threads=1) as pool:
        yield pool


@pytest.fixture
def bench(tmp_path, sweep_pool):
    found = Bench(tmp_path, sweep_pool)
    yield found
    found.close()
