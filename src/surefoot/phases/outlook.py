"""Outlook: what follows a round of optimising - finalise, iterate, diagnose again, or accept the ceiling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Turn = Literal["finalise", "iterate", "diagnose", "ceiling"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """The decision and the sentence that says why, with its numbers."""

    turn: Turn
    because: str
