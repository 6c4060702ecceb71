"""A record in a file, and the same on a PostgreSQL server where one can be started."""

import itertools
import warnings

import pytest

from surefoot.storage import Record

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """Makes a new database on a real server, and says its URL."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that look for folders this machine may not have
            import pgserver
    except ImportError:
        pytest.skip("pgserver is not installed, so there is no PostgreSQL to test with")
    pytest.importorskip("psycopg", reason="psycopg is not installed, so there is no way to PostgreSQL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"))

    def new_database():
        name = f"record{next(NUMBERS)}"
        server.psql(f"CREATE DATABASE {name};")
        return server.get_uri(name)

    yield new_database
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    """A home folder, then a database URL."""
    return tmp_path / "home" if request.param == "sqlite" else request.getfixturevalue("postgresql")()


@pytest.fixture
def record(where):
    with Record.open(where) as record:
        yield record
