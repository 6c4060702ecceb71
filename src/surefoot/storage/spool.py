"""Outcomes that could not be written, kept as files until the record takes them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.storage.schema import to_json

FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Begun:
    """Which run a record began, in words that hold in no other record: key, attempt and the time it began."""

    run_id: int
    key: str = ""
    attempt: int = 0
    started_at: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptOutcome:
    """How a run ended, as rows that a record takes: `outcome` is one, `measurements` are (step, text)."""

    begun: Begun
    outcome: Mapping[str, Any]
    measurements: tuple[tuple[int, str], ...]

    @property
    def file_name(self) -> str:
        """One for each run that was begun."""
        words = f"{self.begun.key} {self.begun.attempt} {self.begun.started_at}"
        return f"{hashlib.sha256(words.encode()).hexdigest()[:24]}.json"


class Spool:
    """Guards a folder with one file per outcome; without a folder nothing is kept."""

    def __init__(self, folder: Path | None):
        """The folder is made when something is kept."""
        self.folder = folder
        self._kept: set[str] = set()

    def keep(self, outcome: KeptOutcome) -> bool:
        """Whether the outcome is on disk here."""
        if self.folder is None:
            return False
        if outcome.file_name in self._kept:
            return True
        draft = self.folder / f".{outcome.file_name}.{os.getpid()}"
        try:
            text = to_json({"format": FORMAT, **dataclasses.asdict(outcome)})
            self.folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8", errors="surrogatepass") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.folder / outcome.file_name)
            _flush_folder(self.folder)
        except (OSError, ValueError, TypeError):
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            return False
        self._kept.add(outcome.file_name)
        return True

    def forget(self, outcome: KeptOutcome) -> None:
        """Removes what was kept of it, if anything."""
        if self.folder is not None and outcome.file_name in self._kept:
            self._kept.discard(outcome.file_name)
            with suppress(OSError):
                (self.folder / outcome.file_name).unlink(missing_ok=True)

    def outcomes(self) -> list[KeptOutcome]:
        """What is kept here, from earlier processes too; a file that is none of ours is passed over."""
        if self.folder is None or not self.folder.is_dir():
            return []
        return [kept for path in sorted(self.folder.glob("*.json")) if (kept := self._read(path)) is not None]

    def _read(self, path: Path) -> KeptOutcome | None:
        try:
            document = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
            if document["format"] != FORMAT:
                return None
            kept = KeptOutcome(
                begun=Begun(**document["begun"]),
                outcome=document["outcome"],
                measurements=tuple((step, text) for step, text in document["measurements"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None
        self._kept.add(path.name)
        return kept


def _flush_folder(folder: Path) -> None:
    """A file's name is on disk only when its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
