"""A folder's files on their way to another machine, in pieces that fit into memory."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from surefoot.errors import ClusterError

PIECE_BYTES = 8 * 2**20
MOST_CODE_BYTES = 100 * 2**20
# What lies beside the code and is none of it; folders with a record or a virtual environment are known by their files.
NOT_CODE = frozenset(
    {".git", ".hg", ".svn", ".venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"}
    | {"mlruns", "surefoot-runs", "wandb"}
)
SIGNS_OF_NO_CODE = ("pyvenv.cfg", "record.db")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """One file of a folder: its path in it, with slashes, its size and its SHA-256."""

    path: str
    size: int
    sha256: str
    is_executable: bool = False


def parcels(folder: Path, *, only: Sequence[str] | None = None) -> tuple[Parcel, ...]:
    """What the folder holds, by path; links to folders, sockets and the like are left out."""
    found = []
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if only is not None and name not in only:
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            status = os.fstat(file.fileno())
        is_executable = bool(status.st_mode & 0o100)
        found.append(Parcel(path=name, size=status.st_size, sha256=digest, is_executable=is_executable))
    return tuple(found)


def piece(folder: Path, load: Sequence[Parcel], offset: int, size: int = PIECE_BYTES) -> bytes:
    """Bytes from `offset` on, as if the files lay one after the other; fewer than `size` only at the end."""
    found = bytearray()
    for parcel in load:
        if offset >= parcel.size:
            offset -= parcel.size
            continue
        with (folder / parcel.path).open("rb") as file:
            file.seek(offset)
            wanted = min(size - len(found), parcel.size - offset)
            part = file.read(wanted)
        if len(part) < wanted:
            raise ClusterError(f"{parcel.path} became shorter while it was sent")
        found += part
        offset = 0
        if len(found) == size:
            break
    return bytes(found)


class Arrival:
    """Guards files that come in pieces: they get their names when all of them are whole and their SHA-256 are right."""

    def __init__(self, folder: Path, load: Sequence[Parcel]):
        """Raises ClusterError for a path that leads out of the folder."""
        self._folder = folder
        self._rest = list(load)
        self._whole: list[tuple[Path, Path]] = []
        self._file: IO[bytes] | None = None
        self.bytes = 0
        for parcel in load:
            path = PurePosixPath(parcel.path)
            if path.is_absolute() or ".." in path.parts or not path.name:
                raise ClusterError(f"a file's path must stay in its folder; got {parcel.path!r:.60}")
        self._begin()

    @property
    def is_complete(self) -> bool:
        """Whether every file is there."""
        return not self._rest

    def take(self, data: bytes) -> None:
        """Writes the next piece. Raises ClusterError where a file is not what was announced, OSError as files do."""
        view = memoryview(data)
        while view and self._rest:
            assert self._file is not None
            part = view[: self._rest[0].size - self._written]
            self._file.write(part)
            self._digest.update(part)
            self._written += len(part)
            self.bytes += len(part)
            view = view[len(part) :]
            if self._written == self._rest[0].size:
                self._finish()
                self._begin()

    def abandon(self) -> None:
        """Removes what has come, unless all has."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None
        for arrived, _ in self._whole:
            arrived.unlink(missing_ok=True)
        self._whole.clear()

    def _begin(self) -> None:
        while self._rest:
            target = self._folder / self._rest[0].path
            target.parent.mkdir(parents=True, exist_ok=True)
            self._file = target.with_name(f".{target.name}.arriving").open("wb")
            self._digest, self._written = hashlib.sha256(), 0
            if self._rest[0].size:
                return
            self._finish()
        for arrived, target in self._whole:
            os.replace(arrived, target)
        self._whole.clear()

    def _finish(self) -> None:
        assert self._file is not None
        parcel, arrived = self._rest[0], Path(self._file.name)
        self._file.close()
        if self._digest.hexdigest() != parcel.sha256:
            self.abandon()
            raise ClusterError(f"{parcel.path} was damaged or changed while it was sent")
        if parcel.is_executable:
            arrived.chmod(0o755)
        self._file = None
        self._whole.append((arrived, self._folder / parcel.path))
        self._rest.pop(0)


def packed_code(folder: Path) -> bytes:
    """The folder as one archive, without what is no code.

    Raises ClusterError where it holds more than MOST_CODE_BYTES.
    """
    found, total = io.BytesIO(), 0
    largest = ("", 0)
    with tarfile.open(fileobj=found, mode="w") as archive:
        for path in sorted(_files(folder, without=NOT_CODE)):
            size = path.stat().st_size
            total += size
            largest = max(largest, (path.relative_to(folder).as_posix(), size), key=lambda pair: pair[1])
            if total > MOST_CODE_BYTES:
                raise ClusterError(
                    f"a program's folder must hold at most {MOST_CODE_BYTES / 2**20:.0f} MB to be sent to a cluster; "
                    f"{folder} holds more, {largest[0]} alone {largest[1] / 2**20:.0f} MB; put the program in a folder "
                    "of its own, and name data by a path that is there on every node"
                )
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = size, 0o755 if path.stat().st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)
    return found.getvalue()


def unpack_code(archive: bytes, folder: Path) -> None:
    """Lays what was packed into the folder."""
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")


def _files(folder: Path, *, without: frozenset[str] = frozenset()) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        if without and Path(here) != folder and any(sign in names for sign in SIGNS_OF_NO_CODE):
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in without]
        yield from (path for name in names if (path := Path(here, name)).is_file() and name not in without)
