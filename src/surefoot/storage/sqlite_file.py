"""A record in a SQLite file: opened, checked for damage, and watched for being taken away."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from surefoot.errors import RecordError

SMALLEST_BYTES = 512  # SQLite would take a shorter file for an empty one, and write over it
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "afp", "afs", "9p", "ceph", "lustre", "gpfs", "beegfs", "ocfs2", "davfs")


class SqliteFile:
    """Guards the file: connections are made with the settings that survive power loss."""

    def __init__(self, path: Path, *, is_read_only: bool, busy_seconds: float):
        """Makes the folder where the file may be made."""
        self.path = path
        self.is_read_only = is_read_only
        self.busy_seconds = busy_seconds
        self._identity: tuple[int, int] | None = None
        self._is_immutable = False
        if is_read_only:
            if not path.exists():
                raise RecordError(f"there is no record at {path}; `surefoot run PLAN` makes one")
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecordError(
                f"the home must be a folder that can be written; {path.parent}: {error.strerror}; "
                "choose another with --home"
            ) from error

    def connect(self) -> sqlite3.Connection:
        """A new connection."""
        mode = "mode=ro" if self.is_read_only else "mode=rwc"
        if self._is_immutable:
            mode += "&immutable=1"
        uri = f"{self.path.resolve().as_uri()}?{mode}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=self.busy_seconds, isolation_level=None, check_same_thread=False
        )
        for pragma in ("foreign_keys=ON", "recursive_triggers=ON", "trusted_schema=OFF", "cell_size_check=ON"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def check(self) -> None:
        """Names a damaged file before anything is read from it, and switches a sound one to write-ahead logging."""
        if self.path.exists() and 0 < self.path.stat().st_size < SMALLEST_BYTES:
            raise sqlite3.DatabaseError("file is not a database")
        if self.is_read_only:
            self._check_readable()
            return
        connection = self.connect()
        try:
            answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if answer != "ok":
                raise sqlite3.DatabaseError(f"database disk image is malformed: {answer.splitlines()[-1]}")
            self._switch_to_wal(connection)
        finally:
            connection.close()

    def remember(self) -> None:
        """From now on the file must stay the one it is."""
        self._identity = _identity_of(self.path)

    def check_identity(self) -> None:
        """Raises RecordError where the file was deleted or replaced since."""
        if self._identity is not None and _identity_of(self.path) != self._identity:
            raise RecordError(
                f"{self.path} was deleted or replaced while it was open, so nothing is written into the void; "
                "put it back and run again"
            )

    def _check_readable(self) -> None:
        try:
            self._peek()
        except sqlite3.OperationalError:
            # Write-ahead logging wants to write beside the file even to read it. Where the folder is read-only
            # and nothing waits in the log, the file alone is the whole record.
            log = self.path.with_name(self.path.name + "-wal")
            if log.exists() and log.stat().st_size > 0:
                raise
            self._is_immutable = True
            self._peek()

    def _peek(self) -> None:
        connection = self.connect()
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """Retried, because SQLite answers "locked" at once when two processes switch a new file together."""
        deadline = time.monotonic() + self.busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def network_file_system(path: Path, partitions: Iterable[Any] | None = None) -> str:
    """The kind of network file system that the path lies on ("nfs4"), or nothing where it is a disk of this machine.

    `partitions` are those of psutil, each with a mount point and its kind.
    """
    import psutil

    place = path.resolve()
    mounts = psutil.disk_partitions(all=True) if partitions is None else partitions
    around = [mount for mount in mounts if place.is_relative_to(mount.mountpoint)]
    # Of two mounts at one place the later one hides the earlier.
    innermost = max(reversed(around), key=lambda mount: len(mount.mountpoint), default=None)
    kind = "" if innermost is None else str(innermost.fstype).lower()
    return kind if kind.removeprefix("fuse.").startswith((*NETWORK_FILE_SYSTEMS, "sshfs", "gluster", "rclone")) else ""


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
