"""One worker for all tests, and a study made from a few lines of plan."""

import pytest
from study_cases import Cases

from surefoot.execution import WorkerPool


@pytest.fixture(scope="session")
def pool():
    with WorkerPool(1, threads=1) as pool:
        yield pool


@pytest.fixture
def cases(tmp_path, pool):
    found = Cases(tmp_path, pool)
    yield found
    found.close()
