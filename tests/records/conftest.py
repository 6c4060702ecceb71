"""A desk for tables."""

import pytest
from table_cases import Desk


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)
