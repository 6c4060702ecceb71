"""A password in a record's URL is never printed, logged, kept or recorded."""

import logging
import traceback

import pytest
from storage_cases import finish, start

from surefoot.errors import RecordError
from surefoot.storage import Record, schema, without_password

SECRET = "s3cr%2Ft-w%40rd"
MEANT = "s3cr/t-w@rd"


def with_password(url):
    """The same database for the same user; the test's server asks for no password and hears this one."""
    assert "postgres:@/" in url
    return url.replace("postgres:@/", f"postgres:{SECRET}@/")


def everything_recorded(record):
    def read(connection):
        return [str(row) for table in schema.metadata.sorted_tables for row in connection.execute(table.select())]

    return record._database.read(read)


def test_a_password_is_nowhere(server, postgresql, tmp_path, caplog, capfd):
    url = with_password(postgresql())
    said = []
    caplog.set_level(logging.DEBUG)
    with Record.open(url, spool=tmp_path / "spool", patience_seconds=0.1, on_trouble=said.append) as record:
        study = record.add_study("s", "w")
        with record.study_lock(study):
            run_id = start(record)
            server.crash()
            try:
                for attempt in (lambda: finish(record, run_id), lambda: record.runs(study), lambda: Record.open(url)):
                    with pytest.raises(RecordError) as error:
                        attempt()
                    said += [str(error.value), repr(error.value), *traceback.format_exception(error.value)]
            finally:
                server.start()
        said += [repr(record), repr(record._database), *map(str, record.notices)]
    with Record.open(url, spool=tmp_path / "spool") as record:
        said += [*record.notices, *everything_recorded(record)]
    said += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    said += [caplog.text, *capfd.readouterr()]
    heard = "\n".join(said)
    assert "postgresql://postgres:***@" in heard
    for words in (SECRET, MEANT, "s3cr"):
        assert words not in heard


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@host/x", "postgresql://me:***@host/x"),
        ("postgresql://me:se/c:r@et@host/x", "postgresql://me:***@host/x"),
        ("postgresql://host/x?user=me&password=secret&a=b", "postgresql://host/x?user=me&password=***&a=b"),
        ("postgresql://host/x?sslpassword=secret", "postgresql://host/x?sslpassword=***"),
        ("cannot reach postgresql://me:secret@host/x, nor a:b", "cannot reach postgresql://me:***@host/x, nor a:b"),
        ("host=h password=secret dbname=x", "host=h password=*** dbname=x"),
        ("sqlite:///runs/record.db", "sqlite:///runs/record.db"),
        ("postgresql://me@host:5432/x", "postgresql://me@host:5432/x"),
    ],
)
def test_a_text_is_shown_without_its_passwords(text, shown):
    assert without_password(text) == shown


def test_a_password_with_an_unwritten_at_sign_is_refused_without_it():
    with pytest.raises(RecordError, match="its @ written as %40") as error:
        Record.open("postgresql://me:sec@ret@host/x")
    assert "ret" not in str(error.value).replace("written", "")
