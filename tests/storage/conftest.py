"""A record in a file, and the same on a PostgreSQL server where one can be started."""

import shutil
import tempfile
import warnings
from pathlib import Path

import pytest

from surefoot.storage import Record


class Server:
    """A PostgreSQL server of the tests' own, that can be stopped, crashed and started again."""

    def __init__(self, folder):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries that look for folders this machine may not have
            import pgserver

            self.server = pgserver.get_server(folder, cleanup_mode=None)
        self.pg_ctl = pgserver.pg_ctl
        self.folder = folder
        # One database for all, emptied each time and never synchronised: a new one a test costs a quarter of a second.
        self.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")

    @property
    def url(self):
        return self.server.get_uri()

    def psql(self, command):
        return self.server.psql(command)

    def control(self, *arguments):
        self.pg_ctl(["-w", *arguments], pgdata=self.folder, user=self.server.system_user, timeout=60)

    def crash(self):
        """Stops it without letting anything finish."""
        self.control("-m", "immediate", "stop")

    def start(self):
        sockets = self.url.partition("?host=")[2]
        self.control("-o", '-h ""', "-o", f"-k {sockets}", "-l", str(self.folder / "log"), "start")

    def cut(self, but=""):
        """Ends every connection of other sessions."""
        self.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            f"AND pid <> pg_backend_pid() {but};"
        )


@pytest.fixture(scope="session")
def server():
    """The server, or a skip that says why there is none."""
    pytest.importorskip("pgserver", reason="pgserver is not installed, so there is no PostgreSQL to test with")
    pytest.importorskip("psycopg", reason="psycopg is not installed, so there is no way to PostgreSQL")
    # Not in pytest's own folder, which it closes to the server's user whenever another pytest starts.
    folder = Path(tempfile.mkdtemp(prefix="surefoot-"))
    server = Server(folder)
    yield server
    server.control("-m", "fast", "stop")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(server):
    """Empties a database of a real server, and says its URL."""

    def new_database():
        server.psql("SET client_min_messages = warning; DROP SCHEMA IF EXISTS surefoot CASCADE;")
        return server.url

    return new_database


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    """A home folder, then a database URL."""
    return tmp_path / "home" if request.param == "sqlite" else request.getfixturevalue("postgresql")()


@pytest.fixture
def record(where):
    with Record.open(where) as record:
        yield record
