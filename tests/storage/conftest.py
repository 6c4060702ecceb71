"""A record in a file, and the same on a PostgreSQL server where one can be started."""

import warnings

import pytest

from surefoot.storage import Record


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    """Empties a database of a real server, and says its URL."""
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

    # One database for all, emptied each time and never synchronised: a new one a test costs a quarter of a second.
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")

    def new_database():
        server.psql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS surefoot CASCADE;")
        return server.get_uri()

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
