"""The grid: every config of a space once."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from surefoot.run import canonical_json
from surefoot.search.source import Source
from surefoot.space import SearchSpace


class Grid(Source):
    """Walks through the space in its own order, past everything that was tried."""

    def __init__(self, space: SearchSpace, tried: Set[str]) -> None:
        """`tried` holds the canonical JSON of every config proposed so far, and grows as they are."""
        self._left = space.grid()
        self._tried = tried

    def draw(self, number: int, attempt: int) -> tuple[dict[str, Any], str] | None:
        """The next config that nobody has tried; None at the end."""
        for settings in self._left:
            if canonical_json(settings) not in self._tried:
                return settings, "grid"
        return None
