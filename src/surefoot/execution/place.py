"""Place: where and on what runs are trained, and where each leaves its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where and on what a study trains. `home` holds the artifacts, and the record unless that is elsewhere."""

    home: Path
    data_root: Path | None = None
    device: str = "cpu"

    def artifacts(self, key: str) -> Path:
        """The folder of a run's checkpoints and output; one for each identity, whatever study asked for it."""
        return self.home / "artifacts" / key[:2] / key
