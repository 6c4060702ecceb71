"""Where a record is: a home's file or a database's URL, shown without its password."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from surefoot.errors import RecordError

HIDDEN = "***"
# Up to the last @ before the host's end, because a password may hold one that should have been written %40.
PASSWORD_IN_AUTHORITY = re.compile(r"(://[^:/@\s]*):\S*@")
PASSWORD_IN_QUERY = re.compile(r"([?&\s]\w*pass\w*=)[^&\s]*", re.IGNORECASE)


def url_of(where: Path | str) -> URL | None:
    """The URL, its driver chosen; None where `where` is a home folder."""
    if isinstance(where, Path) or "://" not in where:
        return None
    try:
        url = make_url(where)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        backend = url.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        backend = ""
    if backend not in ("postgresql", "sqlite"):
        kind = where.partition("://")[0]
        # The rest of the URL may hold a password, so only its kind is repeated.
        raise RecordError(f"--store must be postgresql://user@host/name or sqlite:///file; got {kind}://…")
    if "@" in (url.host or ""):
        raise RecordError("a password in --store must have its @ written as %40, its / as %2F and its : as %3A")
    return url


def file_of(where: Path | str, url: URL | None) -> Path | None:
    """The SQLite file; None where the record is on a server."""
    if url is None:
        return Path(where) / "record.db"
    if url.get_backend_name() != "sqlite":
        return None
    if not url.database or url.database == ":memory:":
        raise RecordError("the record must outlive this process; got a database in memory, give a file or a home")
    return Path(url.database)


def shown(url: URL) -> str:
    """The URL as a person writes it, without its password, wherever that stands."""
    secrets = [name for name in url.query if "pass" in name.lower()]
    url = url.set(drivername=url.get_backend_name())
    return url.update_query_dict(dict.fromkeys(secrets, HIDDEN)).render_as_string(hide_password=True)


def without_password(text: str) -> str:
    """A text in which URLs may stand, their passwords hidden."""
    hidden = PASSWORD_IN_AUTHORITY.sub(rf"\1:{HIDDEN}@", text)
    return PASSWORD_IN_QUERY.sub(rf"\1{HIDDEN}", hidden)
